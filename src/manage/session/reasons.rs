//! Why somebody may do what they may (S0-27): which role, in which of the three layers, and what cuts it.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{PermissionView, Reason};
use crate::manage::authority::{Need, Standing, Target, Verdict, judge};
use crate::model::permission::Permission;
use crate::model::role;

/// What is left of somebody's permissions.
#[derive(Clone, Copy)]
pub struct Left<'l> {
    /// By a delegation, or by the consent to an application.
    pub granted: &'l BTreeSet<String>,
    /// Of that, by the functional roles.
    pub masked: &'l BTreeSet<String>,
    pub is_delegate: bool,
}

/// By their roles, of which rules give some; `custom`: what the organization's further ones mean.
pub fn of_roles(
    (roles, by_rule): (&[String], &[String]),
    custom: &BTreeMap<String, Vec<String>>,
    left: Left<'_>,
) -> Vec<PermissionView> {
    let mut why: BTreeMap<String, Vec<Reason>> = BTreeMap::new();
    for name in roles {
        let layer = |layer| if by_rule.contains(name) { "rule" } else { layer };
        let built_in = role::built_in(name).unwrap_or_default();
        for permission in built_in {
            why.entry(permission.to_string())
                .or_default()
                .push(Reason { layer: layer("built_in"), name: name.clone() });
        }
        for permission in custom.get(name).into_iter().flatten() {
            why.entry(permission.clone())
                .or_default()
                .push(Reason { layer: layer("custom"), name: name.clone() });
        }
    }
    shown(why, left)
}

/// By the key itself.
pub fn of_key(granted: &BTreeSet<String>, masked: &BTreeSet<String>, key: &str) -> Vec<PermissionView> {
    let reason =
        |permission: &String| (permission.clone(), vec![Reason { layer: "key", name: key.to_owned() }]);
    shown(granted.iter().map(reason).collect(), Left { granted, masked, is_delegate: false })
}

/// By what an operator is in the project.
pub fn of_operator(standing: &Standing, role: &str) -> Vec<PermissionView> {
    let may = |permission: &&Permission| {
        judge(standing, Need::Permitted(**permission), Target::Project) == Verdict::Granted
    };
    let all = Permission::ALL.iter().filter(may);
    all.map(|permission| PermissionView {
        permission: permission.to_string(),
        effective: true,
        masked_by: None,
        reasons: vec![Reason { layer: "operator", name: role.to_owned() }],
    })
    .collect()
}

fn shown(why: BTreeMap<String, Vec<Reason>>, left: Left<'_>) -> Vec<PermissionView> {
    let view = |(permission, reasons): (String, Vec<Reason>)| {
        let effective = left.masked.contains(&permission);
        let masked_by = match left.granted.contains(&permission) {
            _ if effective => None,
            true => Some("functional_roles"),
            // Whoever acts for others has it by no application either.
            false if left.is_delegate => Some("delegation"),
            false => Some("consent"),
        };
        PermissionView { permission, effective, masked_by, reasons }
    };
    why.into_iter().map(view).collect()
}
