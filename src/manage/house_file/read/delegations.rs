//! `[[delegation]]`

use super::keys::{Keys, Reader};
use super::values;
use crate::foundation::email::Email;
use crate::manage::delegations::{Stated, Terms};
use crate::manage::house_file::parts::{DelegationPart, Name};
use crate::model::delegation::Side;
use crate::model::role;

pub fn read(reader: &Reader<'_>, tables: Vec<Keys<'_>>) -> Vec<DelegationPart> {
    let mut delegations: Vec<DelegationPart> = Vec::new();
    for table in tables {
        let Some(part) = one(table) else { continue };
        let same = |other: &DelegationPart| {
            other.home.value == part.home.value && other.target.value == part.target.value
        };
        if delegations.iter().any(same) {
            let (home, target) = (&part.home.value, &part.target.value);
            reader.refuse(part.home.at, format!("{home} is delegated to {target} twice"));
        }
        delegations.push(part);
    }
    delegations
}

fn one(mut keys: Keys<'_>) -> Option<DelegationPart> {
    let (reader, mut places) = (keys.reader, keys.places());
    let (home, target) = (keys.required("home"), keys.required("target"));
    let roles = values::roles(&mut keys, "roles", &[role::MEMBER]);
    places.put_list("/roles", &roles);
    let only = keys.texts("only").map(|list| {
        let emails = list.value.iter().filter_map(|text| reader.accept(text.at, Email::parse(&text.value)));
        emails.collect()
    });
    let terms = Terms {
        roles: Some(values::plain(roles)),
        require_mfa: Some(keys.flag("require_mfa", false)),
        only: Some(only),
        starts_at: Some(keys.moment("starts_at").map(|moment| moment.value)),
        ends_at: Some(keys.moment("ends_at").map(|moment| moment.value)),
    };
    let approved_by = approvals(&mut keys);
    let (paused, revoked) = (keys.flag("paused", false), keys.flag("revoked", false));
    let (at, terms) = (keys.at, terms.obeys_rules());
    keys.finish();
    let terms = reader.obeys(at, &places, terms);
    let (home, target): (Name, Name) = (home?, target?);
    if home.value == target.value {
        reader.refuse(target.at, "an organization needs no delegation to itself");
    }
    let stated = Stated { terms: terms?, approved_by, paused, revoked };
    Some(DelegationPart { home, target, stated, places })
}

/// Absent: both, as the operator speaks for both.
fn approvals(keys: &mut Keys<'_>) -> Vec<Side> {
    let Some(list) = keys.texts("approved_by") else { return vec![Side::Home, Side::Target] };
    let side = |name: &Name| {
        let side = Side::from_word(&name.value);
        keys.reader.accept(name.at, side.ok_or(r#"must be "home" or "target""#))
    };
    list.value.iter().filter_map(side).collect()
}
