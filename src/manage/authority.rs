//! Who may do what to whom: one pure table. What is asked of a caller stands with each route ([`Need`]); what a caller
//! has is a [`Standing`]; [`judge`] holds the two against each other.

use std::collections::BTreeSet;

use super::refused::Code;
use crate::foundation::id::OrganizationId;
use crate::model::api_key::OperatorRole;
use crate::model::permission::Permission;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Any caller; the answer is cut to what they may see.
    Any,
    /// This permission, in the organization that is meant.
    Permitted(Permission),
    /// This permission, and nobody but the operator has it.
    Operator(Permission),
}

/// What a caller has.
#[derive(Clone, Debug)]
pub enum Standing {
    Operator(OperatorRole),
    /// A key of an organization that is deactivated: nothing is open to it.
    Inactive(OrganizationId),
    /// A person or a key, with what they may do in the one organization that they act for.
    Within {
        organization: Option<OrganizationId>,
        /// Whether they own it themselves: no key, no other role and no delegate may what an owner alone may.
        is_owner: bool,
        /// By roles, or by the key.
        granted: BTreeSet<String>,
        /// What the organization's functional roles leave of it.
        masked: BTreeSet<String>,
    },
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The project as a whole.
    Project,
    Organization(OrganizationId),
    /// An organization that does not exist.
    Unknown,
    /// One that is to be made if it does not exist, which only the operator may.
    New,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Granted,
    /// As if it did not exist.
    Hidden,
    Refused(Code),
}

impl Standing {
    /// Whether a permission is theirs in an organization, with everything that cuts it.
    pub fn may(&self, permission: Permission, organization: OrganizationId) -> bool {
        judge(self, Need::Permitted(permission), Target::Organization(organization)) == Verdict::Granted
    }
}

/// The order is that in which a caller is told: nothing of an organization that is not theirs, then what is missing.
pub fn judge(standing: &Standing, need: Need, target: Target) -> Verdict {
    match (standing, target) {
        (Standing::Inactive(_), _) => Verdict::Refused(Code::OrganizationInactive),
        (_, Target::Unknown) => Verdict::Hidden,
        (Standing::Operator(role), _) => operator(*role, need),
        (Standing::Within { .. }, Target::New) => Verdict::Hidden,
        (Standing::Within { .. }, Target::Project) => match need {
            Need::Any => Verdict::Granted,
            Need::Permitted(_) => Verdict::Refused(Code::PermissionMissing),
            Need::Operator(_) => Verdict::Refused(Code::OperatorRequired),
        },
        (Standing::Within { organization, .. }, Target::Organization(target))
            if *organization != Some(target) =>
        {
            Verdict::Hidden
        }
        (Standing::Within { is_owner, granted, masked, .. }, Target::Organization(_)) => match need {
            Need::Permitted(permission) if permission.is_the_owners() && !is_owner => {
                Verdict::Refused(Code::PermissionMissing)
            }
            need => within(granted, masked, need),
        },
    }
}

fn operator(role: OperatorRole, need: Need) -> Verdict {
    let (Need::Permitted(permission) | Need::Operator(permission)) = need else { return Verdict::Granted };
    let may = match role {
        OperatorRole::System => true,
        OperatorRole::Auditor => permission.only_reads(),
        // Whoever explains a login needs no trail of everything else.
        OperatorRole::Support => {
            permission == Permission::RoutingExplain
                || (permission.only_reads() && permission != Permission::AuditRead)
        }
    };
    if may { Verdict::Granted } else { Verdict::Refused(Code::PermissionMissing) }
}

fn within(granted: &BTreeSet<String>, masked: &BTreeSet<String>, need: Need) -> Verdict {
    match need {
        Need::Any => Verdict::Granted,
        Need::Operator(_) => Verdict::Refused(Code::OperatorRequired),
        Need::Permitted(permission) if masked.contains(permission.word()) => Verdict::Granted,
        Need::Permitted(permission) if granted.contains(permission.word()) => {
            Verdict::Refused(Code::OrganizationFunctionMissing)
        }
        Need::Permitted(_) => Verdict::Refused(Code::PermissionMissing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: OrganizationId = OrganizationId::from_u128(1);
    const OTHER: OrganizationId = OrganizationId::from_u128(2);
    const WRITE: Need = Need::Permitted(Permission::OrganizationWrite);
    const READ: Need = Need::Permitted(Permission::OrganizationRead);

    fn standing(granted: &[Permission], masked: &[Permission]) -> Standing {
        let words =
            |list: &[Permission]| list.iter().map(|permission| permission.word().to_owned()).collect();
        let (granted, masked) = (words(granted), words(masked));
        Standing::Within { organization: Some(OWN), is_owner: false, granted, masked }
    }

    #[test]
    fn s0_24_another_organization_is_hidden_whatever_one_may_in_ones_own() {
        let owner = standing(Permission::ALL, Permission::ALL);
        for need in [Need::Any, READ, WRITE, Need::Operator(Permission::OrganizationRead)] {
            assert_eq!(judge(&owner, need, Target::Organization(OTHER)), Verdict::Hidden);
            assert_eq!(judge(&owner, need, Target::Unknown), Verdict::Hidden);
            assert_eq!(judge(&owner, need, Target::New), Verdict::Hidden);
        }
        assert_eq!(judge(&owner, WRITE, Target::Organization(OWN)), Verdict::Granted);
    }

    #[test]
    fn s0_26_functional_roles_cut_what_roles_grant() {
        let told = |granted, masked| judge(&standing(granted, masked), WRITE, Target::Organization(OWN));
        let write = &[Permission::OrganizationWrite][..];
        assert_eq!(told(write, write), Verdict::Granted);
        assert_eq!(told(write, &[]), Verdict::Refused(Code::OrganizationFunctionMissing));
        assert_eq!(told(&[], &[]), Verdict::Refused(Code::PermissionMissing));
    }

    #[test]
    fn what_an_owner_alone_may_nobody_else_does_whatever_words_they_have() {
        let mut anybody = standing(Permission::ALL, Permission::ALL);
        for permission in [Permission::OrganizationDelete, Permission::OrganizationTransfer] {
            let need = Need::Permitted(permission);
            let refused = Verdict::Refused(Code::PermissionMissing);
            assert_eq!(judge(&anybody, need, Target::Organization(OWN)), refused);
        }
        if let Standing::Within { is_owner, .. } = &mut anybody {
            *is_owner = true;
        }
        assert!(anybody.may(Permission::OrganizationDelete, OWN));
    }

    #[test]
    fn s0_30_a_deactivated_organization_opens_nothing() {
        for target in [Target::Project, Target::Organization(OWN), Target::Unknown, Target::New] {
            let refused = Verdict::Refused(Code::OrganizationInactive);
            assert_eq!(judge(&Standing::Inactive(OWN), Need::Any, target), refused);
        }
    }

    #[test]
    fn s0_27_an_auditor_reads_and_support_reads_no_trail() {
        let may = |role, permission| {
            judge(&Standing::Operator(role), Need::Operator(permission), Target::Project) == Verdict::Granted
        };
        assert!(may(OperatorRole::System, Permission::OrganizationWrite));
        assert!(may(OperatorRole::Auditor, Permission::AuditRead));
        assert!(!may(OperatorRole::Auditor, Permission::OrganizationWrite));
        assert!(may(OperatorRole::Support, Permission::RoutingExplain));
        assert!(!may(OperatorRole::Support, Permission::AuditRead));
    }
}
