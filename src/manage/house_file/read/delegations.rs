//! `[[delegation]]`

use super::keys::{Keys, Reader};
use super::values;
use crate::foundation::email::Email;
use crate::manage::house_file::parts::{DelegationPart, Name};
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
    let reader = keys.reader;
    let (home, target) = (keys.required("home"), keys.required("target"));
    let roles = values::roles(&mut keys, "roles", &[role::MEMBER]);
    for name in roles.iter().filter(|name| name.value == role::OWNER) {
        reader.refuse(name.at, "nobody owns anything by a delegation");
    }
    let require_mfa = keys.flag("require_mfa", false);
    let only = keys.texts("only").map(|list| {
        let emails = list.value.iter().filter_map(|text| reader.accept(text.at, Email::parse(&text.value)));
        emails.collect()
    });
    let (starts_at, ends_at) = (keys.moment("starts_at"), keys.moment("ends_at"));
    if let (Some(start), Some(end)) = (&starts_at, &ends_at)
        && end.value <= start.value
    {
        reader.refuse(end.at, "it ends before it begins");
    }
    let (approved_by_home, approved_by_target) = approvals(&mut keys);
    let (paused, revoked) = (keys.flag("paused", false), keys.flag("revoked", false));
    keys.finish();
    let (home, target): (Name, Name) = (home?, target?);
    if home.value == target.value {
        reader.refuse(target.at, "an organization needs no delegation to itself");
    }
    Some(DelegationPart {
        home,
        target,
        roles,
        require_mfa,
        only,
        starts_at: starts_at.map(|moment| moment.value),
        ends_at: ends_at.map(|moment| moment.value),
        approved_by_home,
        approved_by_target,
        paused,
        revoked,
    })
}

/// Absent: both, as the operator speaks for both.
fn approvals(keys: &mut Keys<'_>) -> (bool, bool) {
    let Some(list) = keys.texts("approved_by") else { return (true, true) };
    for side in &list.value {
        if !matches!(side.value.as_str(), "home" | "target") {
            keys.reader.refuse(side.at, r#"must be "home" or "target""#);
        }
    }
    let by = |name: &str| list.value.iter().any(|side| side.value == name);
    (by("home"), by("target"))
}
