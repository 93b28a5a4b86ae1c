//! Auto-join: somebody becomes a member because a domain's own connection has proved their address, and because the
//! organization has said so (S1-D5 to S1-D11, threats H07).

use std::collections::BTreeMap;

use crate::model::permission::Permission;
use crate::model::role;

/// Whether a role may be given to whoever comes: it administers nothing.
pub fn may_be_given(name: &str, custom: &BTreeMap<String, Vec<String>>) -> bool {
    let administers = |permission: &String| {
        Permission::from_word(permission).is_some_and(|known| known != Permission::OrganizationRead)
    };
    match role::built_in(name) {
        Some(_) => name == role::MEMBER,
        None => custom.get(name).is_some_and(|permissions| !permissions.iter().any(administers)),
    }
}
