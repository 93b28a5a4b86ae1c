//! `[project]` and `[role.…]`

use super::keys::{Keys, Reader};
use super::values;
use crate::manage::house_file::fault::{Place, Placed};
use crate::manage::house_file::parts::{ProjectPart, RolePart};
use crate::manage::roles::Wanted;
use crate::model::project::{Brand, DEFAULT_SLUG};
use crate::model::role::{self, RoleScope};

pub fn read(reader: &Reader<'_>, table: Option<Keys<'_>>) -> ProjectPart {
    let slug = Placed { value: DEFAULT_SLUG.to_owned(), at: Place { line: 1, column: 1 } };
    let mut part = ProjectPart {
        slug,
        display_name: None,
        membership_mode: None,
        brand: None,
        organizations: None,
        organizations_by_members: None,
        dynamic_registration: None,
        switches: Vec::new(),
        functional_roles: std::collections::BTreeMap::new(),
    };
    let Some(mut keys) = table else { return part };
    if let Some(slug) = keys.text("slug") {
        values::slug(reader, &slug);
        part.slug = slug;
    }
    part.display_name = values::label(&mut keys, "display_name");
    part.membership_mode = keys.word("membership_mode", &["shared", "exclusive"]);
    part.brand = keys.table("brand").map(brand);
    part.organizations = keys.word("organizations", &["off", "optional", "required"]);
    part.organizations_by_members = keys.optional_flag("organizations_by_members");
    part.dynamic_registration = keys.optional_flag("dynamic_registration");
    if let Some(mut policy) = keys.table("policy") {
        part.switches = values::switches(&mut policy);
        policy.finish();
    }
    if let Some(roles) = keys.table("functional_roles") {
        for (name, list) in roles.all_lists() {
            values::role_name(reader, &name.value, name.at);
            part.functional_roles.insert(name.value, values::permissions(reader, list));
        }
    }
    keys.finish();
    part
}

fn brand(mut keys: Keys<'_>) -> Brand {
    let name = values::label(&mut keys, "name");
    let logo_uri = values::address(&mut keys, "logo_uri");
    let accent = keys.text("accent");
    if let Some(accent) = &accent {
        let digits = accent.value.strip_prefix('#').unwrap_or_default();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            keys.reader.refuse(accent.at, "must be a colour such as #0b5fff");
        }
    }
    keys.finish();
    Brand { name, logo_uri, accent: accent.map(|accent| accent.value) }
}

pub fn role((name, mut keys): (Placed<String>, Keys<'_>)) -> Option<RolePart> {
    let (reader, mut places) = (keys.reader, keys.places());
    places.put("/name", name.at);
    if role::built_in(&name.value).is_some() {
        reader.refuse(name.at, format!("the role {} is built in", name.value));
    }
    let organization = keys.text("organization");
    let permissions = keys.texts("permissions").map(|list| list.value);
    if permissions.is_none() {
        keys.missing("permissions");
    }
    let permissions = permissions.unwrap_or_default();
    places.put_list("/permissions", &permissions);
    keys.finish();
    let (scope, permissions) = (RoleScope::Organization, values::plain(permissions));
    let wanted = Wanted { scope, name: name.value.clone(), display_name: None, permissions };
    let wanted = reader.obeys(name.at, &places, wanted.obeys_rules())?;
    Some(RolePart { name, organization, wanted })
}
