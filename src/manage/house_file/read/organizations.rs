//! `[organization.…]`

use super::keys::Keys;
use super::values;
use crate::foundation::email::Email;
use crate::manage::house_file::fault::Placed;
use crate::manage::house_file::parts::{AcceptancePart, MemberPart, OrganizationPart, PolicyPart};
use crate::manage::policy;
use crate::model::membership::MembershipKind;
use crate::model::organization::Enforcement;
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
    let part = OrganizationPart {
        id,
        former_slug,
        display_name: values::label(&mut keys, "display_name").unwrap_or_else(|| slug.value.clone()),
        description: keys.text("description").map(|text| text.value),
        logo_uri: values::address(&mut keys, "logo_uri"),
        active: keys.flag("active", true),
        functional_roles: keys.texts("functional_roles").map(|list| list.value),
        policy: keys.table("policy").map(read_policy).unwrap_or_default(),
        members: members(keys.listed_tables("members")),
        slug,
    };
    keys.finish();
    part
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

fn read_policy(mut keys: Keys<'_>) -> PolicyPart {
    let enforcement = keys.word("enforcement", &["off", "required"]);
    let part = PolicyPart {
        enforcement: enforcement.map_or(Enforcement::Off, |word| word.value),
        require_mfa: keys.flag("require_mfa", false),
        max_age: keys.number("max_age", LONGEST_AGE),
        delegations: acceptance(&mut keys),
        mfa_required_for: keys.texts("mfa_required_for").map(|list| list.value),
        switches: values::switches(&mut keys),
        google_hosted_domains: pins(&mut keys, "google_hosted_domains", policy::hosted_domain),
        microsoft_tenant_ids: pins(&mut keys, "microsoft_tenant_ids", policy::tenant),
        member_list: keys.word("member_list", &["hidden", "names"]).map(|word| word.value),
    };
    keys.finish();
    part
}

fn acceptance(keys: &mut Keys<'_>) -> AcceptancePart {
    match keys.text_or_list("delegations") {
        None => AcceptancePart::Approved,
        Some(Err(homes)) => AcceptancePart::Only(homes),
        Some(Ok(word)) => match word.value.as_str() {
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
    }
}

fn members(list: Vec<Keys<'_>>) -> Vec<MemberPart> {
    let mut members: Vec<MemberPart> = Vec::new();
    for mut keys in list {
        let reader = keys.reader;
        let email = keys.required("email");
        let roles = values::roles(&mut keys, "roles", &[role::MEMBER]);
        let kind = keys.word("kind", &["home", "member", "guest", "delegate"]);
        let kind = kind.map_or(MembershipKind::Member, |word| word.value);
        keys.finish();
        let Some(text) = email else { continue };
        let Some(email) = reader.accept(text.at, Email::parse(&text.value)) else { continue };
        if members.iter().any(|member| member.email.value == email) {
            reader.refuse(text.at, format!("{email} is a member twice"));
        }
        members.push(MemberPart { email: Placed { value: email, at: text.at }, roles, kind });
    }
    members
}
