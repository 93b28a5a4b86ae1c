//! `[[role_rule]]`

use super::keys::{Keys, Reader};
use crate::manage::house_file::fault::Placed;
use crate::manage::house_file::parts::RoleRulePart;
use crate::manage::refused::Refused;
use crate::manage::role_rules::Wanted;
use crate::model::role_rule::Matching;

pub fn read(reader: &Reader<'_>, tables: Vec<Keys<'_>>) -> Vec<RoleRulePart> {
    let mut rules: Vec<RoleRulePart> = Vec::new();
    for table in tables {
        let Some(part) = one(table) else { continue };
        let same = |other: &RoleRulePart| {
            other.organization.value == part.organization.value
                && other.connection.value == part.connection.value
                && other.wanted == part.wanted
        };
        if rules.iter().any(same) {
            reader.refuse(part.at, "the same rule stands there twice");
        }
        rules.push(part);
    }
    rules
}

fn one(mut keys: Keys<'_>) -> Option<RoleRulePart> {
    let reader = keys.reader;
    let (organization, connection) = (keys.required("organization"), keys.required("connection"));
    let claim = keys.text("claim").unwrap_or_else(|| Placed { value: "groups".to_owned(), at: keys.at });
    let matching = keys.word("operator", &["equals", "contains", "prefix"]);
    let matching = matching.map_or(Matching::Contains, |word| word.value);
    let (value, role) = (keys.required("value"), keys.required("role"));
    keys.finish();
    let (value, role) = (value?, role?);
    let wanted = Wanted { claim: claim.value, matching, value: value.value, role: role.value };
    match wanted.checked("") {
        Ok(wanted) => {
            let (organization, connection) = (organization?, connection?);
            Some(RoleRulePart { organization, connection, wanted, at: role.at })
        }
        Err(Refused::Told(told)) => {
            let at = if told.detail.starts_with("/claim") { claim.at } else { value.at };
            reader.refuse(at, told.detail);
            None
        }
        Err(_) => None,
    }
}
