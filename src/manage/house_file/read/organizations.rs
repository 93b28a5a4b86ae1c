//! `[organization.…]`

use super::keys::Keys;
use super::values;
use crate::foundation::email::Email;
use crate::foundation::text;
use crate::manage::house_file::fault::{Placed, Places};
use crate::manage::house_file::parts::{AcceptancePart, MemberPart, OrganizationPart, PolicyPart};
use crate::manage::organizations::Wanted;
use crate::manage::people::{AskedRoles, kind_of};
use crate::manage::policy;
use crate::model::membership::MembershipKind;
use crate::model::role;

/// A hundred years: beyond every meaning.
const LONGEST_AGE: u64 = 100 * 366 * 86_400;

pub fn read((slug, mut keys): (Placed<String>, Keys<'_>)) -> OrganizationPart {
    let reader = keys.reader;
    values::slug(reader, &slug);
    let id = keys.text("id").and_then(|text| {
        let parsed = text.value.parse().map_err(|_| "must be a UUID with hyphens, or org_ and 26 characters");
        reader.accept(text.at, parsed).map(|id| Placed { value: id, at: text.at })
    });
    let former_slug = keys.text("former_slug").inspect(|former| values::slug(reader, former));
    let (wanted, places) = wanted(&slug, &mut keys);
    // Of the slug it was told already.
    reader.obeys(slug.at, &places, Wanted { slug: None, ..wanted.clone() }.obeys_rules());
    let part = OrganizationPart {
        id,
        former_slug,
        wanted,
        places,
        policy: read_policy(keys.table("policy")),
        members: members(keys.listed_tables("members")),
        slug,
    };
    keys.finish();
    part
}

/// All that the file can say of one: what it leaves out is as if it had said the default, but for whether it is active.
fn wanted(slug: &Placed<String>, keys: &mut Keys<'_>) -> (Wanted, Places) {
    let mut places = keys.places();
    places.put("/slug", slug.at);
    let name = keys.text("display_name");
    places.put("/name", name.as_ref().map_or(slug.at, |name| name.at));
    let functions = keys.texts("functional_roles").map(|list| list.value);
    places.put_list("/functional_roles", functions.as_deref().unwrap_or_default());
    let wanted = Wanted {
        display_name: Some(name.map_or_else(|| slug.value.clone(), |name| name.value)),
        slug: Some(slug.value.clone()),
        kind: None,
        description: Some(keys.text("description").map(|text| text.value)),
        logo_uri: Some(keys.text("logo_uri").map(|text| text.value)),
        functional_roles: Some(functions.map(values::plain)),
        deactivate: keys.optional_flag("active").map(|active| !active),
    };
    (wanted, places)
}

/// In the one spelling in which providers' words are kept.
fn pins(keys: &mut Keys<'_>, key: &str, read: fn(&str) -> Option<String>) -> Option<Vec<String>> {
    let reader = keys.reader;
    let one = |text: &Placed<String>| {
        let found = read(&text.value);
        if found.is_none() {
            reader.refuse(text.at, format!("{:?} is none of {key}", text.value));
        }
        found
    };
    let mut pins: Vec<_> = keys.texts(key)?.value.iter().filter_map(one).collect();
    pins.sort();
    pins.dedup();
    Some(pins)
}

/// What is left out stays as it is: an organization runs itself, and a file that says nothing of how its people sign in takes
/// back nothing of what it has decided.
fn read_policy(table: Option<Keys<'_>>) -> PolicyPart {
    let mut wanted = policy::Wanted::default();
    let Some(mut keys) = table else {
        return PolicyPart { wanted, delegations: None, force: false, places: Places::default() };
    };
    let mut places = keys.places();
    wanted.enforcement = keys.word("enforcement", &["off", "required"]).map(|word| word.value);
    wanted.require_mfa = keys.optional_flag("require_mfa");
    // No other number would say that there is no limit.
    wanted.max_age = keys.number("max_age", LONGEST_AGE).map(|age| Some(age).filter(|age| *age > 0));
    let delegations = acceptance(&mut keys);
    let roles = keys.texts("mfa_required_for").map(|list| list.value);
    places.put_list("/mfa_required_for", roles.as_deref().unwrap_or_default());
    wanted.mfa_required_for = roles.map(values::plain);
    wanted.turned = values::switches(&mut keys).into_iter().map(|(switch, on)| (switch, Some(on))).collect();
    wanted.google_hosted_domains = pins(&mut keys, "google_hosted_domains", policy::hosted_domain);
    wanted.microsoft_tenant_ids = pins(&mut keys, "microsoft_tenant_ids", text::guid);
    wanted.member_list = keys.word("member_list", &["hidden", "names"]).map(|word| word.value);
    wanted.device_sign_in = keys.is_written("device_sign_in").then(|| keys.flag("device_sign_in", false));
    let force = keys.flag("force", false);
    keys.reader.obeys(keys.at, &places, wanted.clone().obeys_rules());
    keys.finish();
    PolicyPart { wanted, delegations, force, places }
}

fn acceptance(keys: &mut Keys<'_>) -> Option<AcceptancePart> {
    Some(match keys.text_or_list("delegations")? {
        Err(homes) => AcceptancePart::Only(homes),
        Ok(word) => match word.value.as_str() {
            "approved" => AcceptancePart::Approved,
            "none" => AcceptancePart::None,
            _ => {
                keys.reader.refuse(
                    word.at,
                    r#"must be "approved", "none" or a list of the home organizations' slugs"#,
                );
                AcceptancePart::None
            }
        },
    })
}

fn members(list: Vec<Keys<'_>>) -> Vec<MemberPart> {
    let mut members: Vec<MemberPart> = Vec::new();
    for mut keys in list {
        let reader = keys.reader;
        let email = keys.required("email");
        let mut places = keys.places();
        let roles = values::roles(&mut keys, "roles", &[role::MEMBER]);
        places.put_list("/roles", &roles);
        let names = AskedRoles { role: None, roles: Some(values::plain(roles.clone())) };
        reader.obeys(keys.at, &places, names.checked());
        let kind = keys.word("kind", &["home", "member", "guest"]);
        let kind = kind.map_or(MembershipKind::Member, |word| word.value);
        reader.obeys(keys.at, &places, kind_of(kind, true));
        keys.finish();
        let Some(text) = email else { continue };
        let Some(email) = reader.accept(text.at, Email::parse(&text.value)) else { continue };
        if members.iter().any(|member| member.email.value == email) {
            reader.refuse(text.at, format!("{email} is a member twice"));
        }
        members.push(MemberPart { email: Placed { value: email, at: text.at }, roles, kind, places });
    }
    members
}
