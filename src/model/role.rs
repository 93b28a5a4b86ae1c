//! A role: a named permission set.

use std::collections::{BTreeMap, BTreeSet};

use super::permission::Permission;
use super::words;

words! {
    RoleScope { Organization = "organization", Project = "project" }
}

/// Roles that every organization has.
pub const OWNER: &str = "owner";
pub const ADMIN: &str = "admin";
pub const MEMBER: &str = "member";

/// The permissions of the built-in roles.
pub fn built_in(name: &str) -> Option<Vec<Permission>> {
    let all = Permission::ALL.iter().copied();
    Some(match name {
        OWNER => all.collect(),
        ADMIN => all.filter(|permission| !permission.is_the_owners()).collect(),
        MEMBER => vec![Permission::OrganizationRead],
        _ => return None,
    })
}

/// Roles that a delegate keeps: those that both the membership and the ceiling name.
pub fn cut(roles: &[String], ceiling: &[String]) -> Vec<String> {
    roles.iter().filter(|role| ceiling.contains(role)).cloned().collect()
}

/// What the roles allow, masked by what the organization may do at all (model.md, tension 10).
///
/// `custom` maps the names of custom roles to their permissions; `functional` is the organization's list, with
/// the project's meaning of each name. No list: no mask. An empty list: nothing is left.
pub fn effective_permissions(
    roles: &[String],
    custom: &BTreeMap<String, Vec<String>>,
    functional: Option<&[String]>,
    meanings: &BTreeMap<String, Vec<String>>,
) -> BTreeSet<String> {
    masked(granted(roles, custom), functional, meanings)
}

/// What the roles allow.
pub fn granted(roles: &[String], custom: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let mut permissions = BTreeSet::new();
    for role in roles {
        permissions.extend(built_in(role).unwrap_or_default().iter().map(ToString::to_string));
        permissions.extend(custom.get(role).into_iter().flatten().cloned());
    }
    permissions
}

/// What is left of it by the organization's functional roles.
pub fn masked(
    mut granted: BTreeSet<String>,
    functional: Option<&[String]>,
    meanings: &BTreeMap<String, Vec<String>>,
) -> BTreeSet<String> {
    if let Some(functions) = functional {
        let allowed: BTreeSet<_> = functions.iter().filter_map(|name| meanings.get(name)).flatten().collect();
        granted.retain(|permission| allowed.contains(permission));
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn s0_26_functional_roles_are_the_outer_boundary() {
        let custom =
            BTreeMap::from([("billing".to_owned(), strings(&["invoices:read", "connections:write"]))]);
        let meanings = BTreeMap::from([("reader".to_owned(), strings(&["invoices:read"]))]);
        let roles = strings(&["billing"]);
        let all = effective_permissions(&roles, &custom, None, &meanings);
        assert_eq!(all.len(), 2);
        let masked = effective_permissions(&roles, &custom, Some(&strings(&["reader"])), &meanings);
        assert_eq!(masked.into_iter().collect::<Vec<_>>(), ["invoices:read"]);
        assert!(effective_permissions(&roles, &custom, Some(&[]), &meanings).is_empty());
    }

    #[test]
    fn a_ceiling_only_takes_away() {
        assert_eq!(cut(&strings(&["owner", "viewer"]), &strings(&["viewer", "editor"])), ["viewer"]);
    }
}
