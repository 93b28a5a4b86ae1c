//! A role: a named permission set.

use std::collections::{BTreeMap, BTreeSet};

use super::permission::Permission;
use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, RoleId};

words! {
    RoleScope { Organization = "organization", Project = "project" }
}

/// A custom role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub id: RoleId,
    /// Absent: every organization of the project has it.
    pub organization: Option<OrganizationId>,
    pub scope: RoleScope,
    /// What memberships, rules and tokens name: it never changes.
    pub name: String,
    pub display_name: String,
    pub permissions: Vec<String>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// What an organization that owns applications uses.
const PUBLISHING: [Permission; 2] = [Permission::ApplicationsRead, Permission::ApplicationsWrite];

/// Functional roles that every project has (S0-25), and what each lets an organization use. Whatever it may do,
/// its people can run it: each of them holds what administration needs.
const FUNCTIONS: [(&str, &[Permission]); 6] = [
    ("administration", &[]),
    (
        "idp_consumer",
        &[
            Permission::DomainsRead,
            Permission::DomainsWrite,
            Permission::ConnectionsRead,
            Permission::ConnectionsWrite,
            Permission::ConnectionsTest,
            Permission::RoutingExplain,
        ],
    ),
    ("app_publisher", &PUBLISHING),
    ("delegation_source", &[Permission::DelegationsRead, Permission::DelegationsWrite]),
    ("delegation_target", &[Permission::DelegationsRead, Permission::DelegationsWrite]),
    ("directory", &[]),
];

/// What every one of them implies.
const ADMINISTRATION: [Permission; 15] = [
    Permission::OrganizationRead,
    Permission::OrganizationWrite,
    Permission::OrganizationDelete,
    Permission::OrganizationTransfer,
    Permission::MembersRead,
    Permission::MembersWrite,
    Permission::InvitationsRead,
    Permission::InvitationsWrite,
    Permission::RolesRead,
    Permission::RolesWrite,
    Permission::PolicyRead,
    Permission::PolicyWrite,
    Permission::ApiKeysRead,
    Permission::ApiKeysWrite,
    Permission::AuditRead,
];

/// What a functional role lets an organization use; a project's own meaning of a name comes first. `None`: there is
/// none of this name.
pub fn function(name: &str, meanings: &BTreeMap<String, Vec<String>>) -> Option<BTreeSet<String>> {
    if let Some(own) = meanings.get(name) {
        return Some(own.iter().cloned().collect());
    }
    let (_, further) = FUNCTIONS.iter().find(|(known, _)| *known == name)?;
    let all = ADMINISTRATION.iter().chain(*further).chain(&[Permission::HealthRead]);
    Some(all.map(ToString::to_string).collect())
}

/// Whether an organization of these functional roles may own applications (S0-25).
pub fn may_publish(functional: Option<&[String]>, meanings: &BTreeMap<String, Vec<String>>) -> bool {
    is_left(Permission::ApplicationsWrite, functional, meanings)
}

/// Whether one may agree with others that people of the one act for the other (S0-25).
pub fn may_delegate(functional: Option<&[String]>, meanings: &BTreeMap<String, Vec<String>>) -> bool {
    is_left(Permission::DelegationsWrite, functional, meanings)
}

/// Whether anybody may act by what two organizations agreed on: where either may have none any more, nobody does (S0-26).
pub fn may_stand_between(
    home: Option<&[String]>,
    target: Option<&[String]>,
    meanings: &BTreeMap<String, Vec<String>>,
) -> bool {
    may_delegate(home, meanings) && may_delegate(target, meanings)
}

fn is_left(
    permission: Permission,
    functional: Option<&[String]>,
    meanings: &BTreeMap<String, Vec<String>>,
) -> bool {
    !masked(BTreeSet::from([permission.word().to_owned()]), functional, meanings).is_empty()
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

/// Whether it lets somebody change something of the organization itself, and not only look, or use an application.
pub fn may_change(name: &str, custom: &BTreeMap<String, Vec<String>>) -> bool {
    let own =
        |permission: &String| Permission::from_word(permission).is_some_and(|known| !known.only_reads());
    match built_in(name) {
        Some(permissions) => permissions.iter().any(|permission| !permission.only_reads()),
        None => custom.get(name).is_some_and(|permissions| permissions.iter().any(own)),
    }
}

/// Roles that a delegate keeps: those that both the membership and the ceiling name.
pub fn cut(roles: &[String], ceiling: &[String]) -> Vec<String> {
    roles.iter().filter(|role| ceiling.contains(role)).cloned().collect()
}

/// What the roles allow, masked by what the organization may do at all (model.md, tension 10).
///
/// `custom` maps the names of custom roles to their permissions; `functional` is the organization's list, with
/// the project's meaning of each name. No list: no mask, but that owning applications must be said. An empty list: nothing is
/// left.
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
        let allowed: BTreeSet<_> =
            functions.iter().filter_map(|name| function(name, meanings)).flatten().collect();
        granted.retain(|permission| allowed.contains(permission));
    } else {
        // An application sends people to whose it is: whoever may own one has been chosen for that.
        granted.retain(|permission| !PUBLISHING.iter().any(|word| word.word() == permission));
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
