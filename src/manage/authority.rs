//! Who may do what to whom: one pure table. What is asked of a caller stands with each route ([`Need`]); what a caller
//! has is a [`Standing`]; [`judge`] holds the two against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::refused::Code;
use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::model::api_key::OperatorRole;
use crate::model::permission::Permission;
use crate::model::role;

/// How recently an owner must have signed in who gives away, or lets somebody take, what an owner has.
pub const OWNERS_FRESH: Duration = Duration::from_secs(5 * 60);

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// No caller at all: who holds the link that names the thing may see it.
    Public,
    /// Any caller; the answer is cut to what they may see.
    Any,
    /// A person, for themselves.
    Person,
    /// A person, for all that is theirs, wherever they act: no application that they had to allow.
    Account,
    /// This permission, in the organization that is meant.
    Permitted(Permission),
    /// The same, and no functional role of the organization is asked for: what it may do no more, its people see and end.
    Still(Permission),
    /// This permission in one's own right: nobody has it by a delegation, or by an application that they had to allow, for
    /// what it opens would outlive that leave.
    OwnRight(Permission),
    /// This permission, and nobody but an owner in person, or the operator.
    Owners(Permission),
    /// This permission, and nobody but the operator has it.
    Operator(Permission),
    /// The same, or a person as for [`Need::Account`], where the project lets them.
    OperatorOrPerson(Permission),
}

/// What a caller has.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Nobody asked who it is.
    Nobody,
    Operator(OperatorRole),
    /// A key of an organization that is deactivated: nothing is open to it.
    Inactive(OrganizationId),
    /// A key of an organization that lets none of its keys in.
    KeysOff(OrganizationId),
    /// A person or a key, with what they may do in the one organization that they act for.
    Within {
        organization: Option<OrganizationId>,
        /// Whether they own it, and act themselves: no key, no other role, no delegate and no application that an owner had to
        /// allow may what an owner alone may.
        is_owner: bool,
        /// Whether they act by a delegation: another organization ends it, so they leave nothing behind that would
        /// outlive it.
        is_delegate: bool,
        /// Whether they come by an application that they had to allow. What they have allowed it here is to act for this
        /// organization (threats C22).
        is_by_consent: bool,
        /// By roles, or by the key.
        granted: BTreeSet<String>,
        /// What the organization's functional roles leave of it.
        masked: BTreeSet<String>,
        /// When a person proved who they are; a key never does.
        proved_at: Option<Proved>,
    },
}

/// When a person proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    At(Moment),
    /// Their identity provider did not say: it may have been days ago, whenever they came from there (threats M17).
    Sometime,
}

impl Proved {
    pub fn of(at: Option<Moment>) -> Self {
        at.map_or(Self::Sometime, Self::At)
    }

    /// Whether that is known to be no longer ago than this.
    fn is_within(self, within: Duration, now: Moment) -> bool {
        match self {
            Self::At(at) => now.since(at) <= within,
            Self::Sometime => false,
        }
    }
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The project as a whole.
    Project,
    /// A thing that is the project's own: to be seen by the operator alone.
    Projects,
    Organization(OrganizationId),
    /// What two organizations have agreed on: either may, for its own part.
    Pair(OrganizationId, OrganizationId),
    /// What does not exist.
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

    /// Whether they act by somebody's leave, a delegation or what a person has allowed an application: whatever they gave
    /// would outlive it.
    pub fn is_by_leave(&self) -> bool {
        matches!(self, Self::Within { is_delegate, is_by_consent, .. } if *is_delegate || *is_by_consent)
    }
}

/// The order is that in which a caller is told: nothing of an organization that is not theirs, then what is missing.
pub fn judge(standing: &Standing, need: Need, target: Target) -> Verdict {
    match (standing, target) {
        (Standing::Nobody, _) if need == Need::Public => Verdict::Granted,
        (Standing::Nobody, _) => Verdict::Refused(Code::Unauthenticated),
        (Standing::Inactive(_), _) => Verdict::Refused(Code::OrganizationInactive),
        (Standing::KeysOff(_), _) => Verdict::Refused(Code::ApiKeysDisabled),
        (_, Target::Unknown) => Verdict::Hidden,
        (Standing::Operator(role), _) => operator(*role, need),
        (Standing::Within { .. }, Target::New | Target::Projects) => Verdict::Hidden,
        (Standing::Within { proved_at, is_by_consent, .. }, Target::Project) => match need {
            Need::Person | Need::Account if proved_at.is_none() => Verdict::Refused(Code::PersonRequired),
            Need::Account | Need::OperatorOrPerson(_) if *is_by_consent => {
                Verdict::Refused(Code::BeyondConsent)
            }
            Need::Public | Need::Any | Need::Person | Need::Account => Verdict::Granted,
            Need::Permitted(_) | Need::Still(_) | Need::OwnRight(_) | Need::Owners(_) => {
                Verdict::Refused(Code::PermissionMissing)
            }
            Need::OperatorOrPerson(_) if proved_at.is_some() => Verdict::Granted,
            Need::Operator(_) | Need::OperatorOrPerson(_) => Verdict::Refused(Code::OperatorRequired),
        },
        (Standing::Within { organization, .. }, Target::Organization(one)) if *organization != Some(one) => {
            Verdict::Hidden
        }
        (Standing::Within { organization, .. }, Target::Pair(one, other))
            if organization.is_none_or(|own| own != one && own != other) =>
        {
            Verdict::Hidden
        }
        (Standing::Within { is_owner, is_by_consent, granted, masked, proved_at, .. }, _) => match need {
            Need::Permitted(permission) if permission.is_the_owners() && !is_owner => {
                Verdict::Refused(Code::PermissionMissing)
            }
            Need::Owners(_) if !is_owner => Verdict::Refused(Code::PermissionMissing),
            Need::OwnRight(_) if standing.is_by_leave() => Verdict::Refused(Code::PermissionMissing),
            Need::Person | Need::Account if proved_at.is_none() => Verdict::Refused(Code::PersonRequired),
            Need::Account if *is_by_consent => Verdict::Refused(Code::BeyondConsent),
            need => within(granted, masked, need),
        },
    }
}

/// Whether a person proved who they are within `within`; who is no person has a secret that says so each time.
pub fn is_fresh(standing: &Standing, within: Duration, now: Moment) -> bool {
    match standing {
        Standing::Within { proved_at: Some(proved), .. } => proved.is_within(within, now),
        _ => true,
    }
}

/// THE ceiling (threats H01): nobody gives a role that may more than they may themselves, only an owner who has just
/// signed in makes an owner, and who acts by somebody's leave gives none: it would outlive that. What applications understand by a
/// permission is theirs to say: whoever owns the organization gives every role of it, whatever that is worth in an
/// application. `custom`: the permissions of the organization's further roles.
pub fn may_grant(
    actor: &Standing,
    name: &str,
    custom: &BTreeMap<String, Vec<String>>,
    now: Moment,
) -> Result<(), Code> {
    match actor.is_by_leave() {
        true => ceiling(actor, name, custom, now).and(Err(Code::RoleCeiling)),
        false => ceiling(actor, name, custom, now),
    }
}

fn ceiling(
    actor: &Standing,
    name: &str,
    custom: &BTreeMap<String, Vec<String>>,
    now: Moment,
) -> Result<(), Code> {
    if role::built_in(name).is_none() && !custom.contains_key(name) {
        return Err(Code::RoleUnknown);
    }
    match actor {
        Standing::Within { is_owner: true, .. } if name == role::OWNER => signed_in_just_now(actor, now),
        Standing::Within { .. } if name == role::OWNER => Err(Code::RoleCeiling),
        _ => may_rewrite(actor, &role::granted(&[name.to_owned()], custom)),
    }
}

/// Whether a role of these permissions is within somebody's ceiling: theirs to give, and so to change or to delete, which
/// takes it from people (threats H01).
pub fn may_rewrite<'p>(
    actor: &Standing,
    permissions: impl IntoIterator<Item = &'p String>,
) -> Result<(), Code> {
    let owns = matches!(actor, Standing::Within { is_owner: true, .. });
    let counts = |one: &&String| !owns || Permission::from_word(one).is_some();
    may_contain(actor, permissions.into_iter().filter(counts))
}

/// Whose word holds over what a check says, where it is about how everybody signs in: that of an owner in person who has
/// just signed in, and the operator's.
pub fn may_insist(actor: &Standing, now: Moment) -> Result<(), Code> {
    match actor {
        Standing::Operator(OperatorRole::System) => Ok(()),
        Standing::Within { is_owner: true, .. } => signed_in_just_now(actor, now),
        _ => Err(Code::OwnerRequired),
    }
}

/// Whoever makes an owner, or takes that away, has just signed in.
fn signed_in_just_now(actor: &Standing, now: Moment) -> Result<(), Code> {
    if is_fresh(actor, OWNERS_FRESH, now) { Ok(()) } else { Err(Code::ReauthenticationRequired) }
}

/// Whether somebody may make a role of these permissions, or put them into one: of all that they hold themselves.
pub fn may_contain<'p>(
    actor: &Standing,
    permissions: impl IntoIterator<Item = &'p String>,
) -> Result<(), Code> {
    let fine = match actor {
        Standing::Operator(OperatorRole::System) => true,
        Standing::Within { granted, .. } => permissions.into_iter().all(|one| granted.contains(one)),
        _ => false,
    };
    if fine { Ok(()) } else { Err(Code::RoleCeiling) }
}

/// Whether somebody may let people become members without being asked for each: what is asked of whoever adds one
/// (threats H01). `organization`: where they come; absent: where the project's own connections lead.
pub fn may_let_in<'r>(
    actor: &Standing,
    organization: Option<OrganizationId>,
    roles: impl IntoIterator<Item = &'r str>,
    custom: &BTreeMap<String, Vec<String>>,
    now: Moment,
) -> Result<(), Code> {
    let adds = match organization {
        Some(organization) => actor.may(Permission::MembersWrite, organization),
        None => matches!(actor, Standing::Operator(OperatorRole::System)),
    };
    if !adds {
        return Err(Code::RoleCeiling);
    }
    roles.into_iter().try_for_each(|name| may_grant(actor, name, custom, now))
}

/// Whether somebody's membership is theirs to change or to end: nobody's who stands above them. What ranks people is
/// what they may change here; what they may read, or do in an application, does not. What is taken away outlives nothing,
/// so that a delegate may.
pub fn may_touch(
    actor: &Standing,
    roles: &[String],
    custom: &BTreeMap<String, Vec<String>>,
    now: Moment,
) -> Result<(), Code> {
    if roles.iter().any(|name| name == role::OWNER) {
        match actor {
            Standing::Within { is_owner: true, .. } => signed_in_just_now(actor, now)?,
            Standing::Within { .. } => return Err(Code::RoleCeiling),
            _ => {}
        }
    }
    let changes = |word: &&String| Permission::from_word(word).is_some_and(|known| !known.only_reads());
    // A role that is no more gives nothing.
    may_contain(actor, role::granted(roles, custom).iter().filter(changes))
}

fn operator(role: OperatorRole, need: Need) -> Verdict {
    let permission = match need {
        Need::Public | Need::Any => return Verdict::Granted,
        Need::Person | Need::Account => return Verdict::Refused(Code::PersonRequired),
        Need::Permitted(permission)
        | Need::Still(permission)
        | Need::OwnRight(permission)
        | Need::Owners(permission)
        | Need::Operator(permission)
        | Need::OperatorOrPerson(permission) => permission,
    };
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
        Need::Public | Need::Any | Need::Person | Need::Account => Verdict::Granted,
        Need::Operator(_) | Need::OperatorOrPerson(_) => Verdict::Refused(Code::OperatorRequired),
        Need::Still(permission) if granted.contains(permission.word()) => Verdict::Granted,
        Need::Permitted(permission)
        | Need::Still(permission)
        | Need::OwnRight(permission)
        | Need::Owners(permission) => match permission.word() {
            word if masked.contains(word) => Verdict::Granted,
            word if granted.contains(word) => Verdict::Refused(Code::OrganizationFunctionMissing),
            _ => Verdict::Refused(Code::PermissionMissing),
        },
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
        Standing::Within {
            organization: Some(OWN),
            is_owner: false,
            is_delegate: false,
            is_by_consent: false,
            granted,
            masked,
            proved_at: None,
        }
    }

    const NOW: Moment = Moment::from_millis(1_000_000);

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
        // What it may do no more is seen and ended by who could.
        let still = Need::Still(Permission::OrganizationWrite);
        let told = |granted| judge(&standing(granted, &[]), still, Target::Organization(OWN));
        assert_eq!(told(write), Verdict::Granted);
        assert_eq!(told(&[]), Verdict::Refused(Code::PermissionMissing));
    }

    #[test]
    fn what_an_owner_alone_may_nobody_else_does_whatever_words_they_have() {
        let mut anybody = standing(Permission::ALL, Permission::ALL);
        for permission in [Permission::OrganizationDelete, Permission::OrganizationTransfer] {
            let need = Need::Permitted(permission);
            let refused = Verdict::Refused(Code::PermissionMissing);
            assert_eq!(judge(&anybody, need, Target::Organization(OWN)), refused);
        }
        let decides = Need::Owners(Permission::OrganizationWrite);
        let told = |who: &Standing| judge(who, decides, Target::Organization(OWN));
        assert_eq!(told(&anybody), Verdict::Refused(Code::PermissionMissing));
        if let Standing::Within { is_owner, .. } = &mut anybody {
            *is_owner = true;
        }
        assert!(anybody.may(Permission::OrganizationDelete, OWN));
        assert_eq!(told(&anybody), Verdict::Granted);
        assert_eq!(told(&Standing::Operator(OperatorRole::System)), Verdict::Granted);
        assert_eq!(
            told(&Standing::Operator(OperatorRole::Auditor)),
            Verdict::Refused(Code::PermissionMissing)
        );
    }

    #[test]
    fn h01_nobody_gives_more_than_they_may_and_only_an_owner_makes_an_owner() {
        let custom: BTreeMap<String, Vec<String>> = [
            ("billing", vec!["invoices:read".to_owned()]),
            ("helper", vec![Permission::MembersRead.word().to_owned()]),
        ]
        .map(|(name, permissions)| (name.to_owned(), permissions))
        .into();
        let told = |actor: &Standing| {
            ["owner", "admin", "member", "billing", "helper", "Owner", ""]
                .map(|name| may_grant(actor, name, &custom, NOW).err())
        };
        let (above, unknown) = (Some(Code::RoleCeiling), Some(Code::RoleUnknown));
        let admin: Vec<_> = role::built_in(role::ADMIN).unwrap_or_default();
        let mut somebody = standing(&admin, &admin);
        assert_eq!(told(&somebody), [above, None, None, above, None, unknown, unknown]);
        assert_eq!(
            may_touch(&somebody, &["owner".into(), "member".into()], &custom, NOW),
            Err(Code::RoleCeiling)
        );
        assert_eq!(may_touch(&somebody, &["admin".into(), "gone".into()], &custom, NOW), Ok(()));
        assert_eq!(may_touch(&somebody, &["billing".into()], &custom, NOW), Ok(()), "that ranks nobody here");
        let keeper = standing(&[Permission::MembersWrite], &[Permission::MembersWrite]);
        assert_eq!(may_touch(&keeper, &["member".into(), "helper".into()], &custom, NOW), Ok(()));
        assert_eq!(may_touch(&keeper, &["admin".into()], &custom, NOW), Err(Code::RoleCeiling));
        assert_eq!(may_grant(&keeper, "member", &custom, NOW), Err(Code::RoleCeiling));
        if let Standing::Within { is_owner, .. } = &mut somebody {
            *is_owner = true;
        }
        assert_eq!(told(&somebody), [None, None, None, None, None, unknown, unknown]);
        let unopened = ["invoices:read".to_owned()];
        assert_eq!(may_contain(&somebody, &unopened), Err(Code::RoleCeiling), "but makes none of it");
        if let Standing::Within { proved_at, .. } = &mut somebody {
            *proved_at = Some(Proved::At(NOW.minus(OWNERS_FRESH + Duration::from_secs(1))));
        }
        let stale = Some(Code::ReauthenticationRequired);
        assert_eq!(told(&somebody), [stale, None, None, None, None, unknown, unknown]);
        if let Standing::Within { proved_at, .. } = &mut somebody {
            *proved_at = Some(Proved::Sometime);
        }
        assert_eq!(told(&somebody), [stale, None, None, None, None, unknown, unknown], "nobody said when");
        assert_eq!(
            may_touch(&somebody, &["owner".into()], &custom, NOW),
            Err(Code::ReauthenticationRequired)
        );
        let mut delegate = standing(&admin, &admin);
        if let Standing::Within { is_delegate, .. } = &mut delegate {
            *is_delegate = true;
        }
        assert_eq!(told(&delegate), [above, above, above, above, above, unknown, unknown]);
        if let Standing::Within { is_by_consent, .. } = &mut somebody {
            *is_by_consent = true;
        }
        assert_eq!(told(&somebody)[1..], [above, above, above, above, unknown, unknown], "by leave, too");
        assert_eq!(
            may_touch(&delegate, &["admin".into()], &custom, NOW),
            Ok(()),
            "what is taken outlives nothing"
        );
        let system = Standing::Operator(OperatorRole::System);
        assert_eq!(told(&system), [None, None, None, None, None, unknown, unknown]);
        for role in [OperatorRole::Auditor, OperatorRole::Support] {
            assert_eq!(may_grant(&Standing::Operator(role), "member", &custom, NOW), Err(Code::RoleCeiling));
        }
    }

    #[test]
    fn what_two_have_agreed_on_is_for_both_and_what_is_the_projects_for_neither() {
        let somebody = standing(&[Permission::DelegationsRead], &[Permission::DelegationsRead]);
        let need = Need::Permitted(Permission::DelegationsRead);
        for pair in [Target::Pair(OWN, OTHER), Target::Pair(OTHER, OWN)] {
            assert_eq!(judge(&somebody, need, pair), Verdict::Granted);
        }
        for target in [Target::Pair(OTHER, OTHER), Target::Projects] {
            assert_eq!(judge(&somebody, need, target), Verdict::Hidden);
        }
        let refused = Verdict::Refused(Code::PersonRequired);
        assert_eq!(judge(&somebody, Need::Person, Target::Project), refused);
        assert_eq!(judge(&Standing::Operator(OperatorRole::System), Need::Person, Target::Project), refused);
    }

    #[test]
    fn what_a_person_had_to_allow_acts_for_them_in_one_organization_and_is_not_them() {
        let mut person = standing(&[Permission::OrganizationWrite], &[Permission::OrganizationWrite]);
        let told = |person: &Standing| {
            [Need::Account, Need::OperatorOrPerson(Permission::OrganizationWrite), Need::Person, Need::Any]
                .map(|need| judge(person, need, Target::Project) == Verdict::Granted)
        };
        if let Standing::Within { proved_at, .. } = &mut person {
            *proved_at = Some(Proved::At(NOW));
        }
        assert_eq!(told(&person), [true, true, true, true]);
        if let Standing::Within { is_by_consent, .. } = &mut person {
            *is_by_consent = true;
        }
        assert_eq!(told(&person), [false, false, true, true]);
        let own = Target::Organization(OWN);
        assert_eq!(judge(&person, Need::Account, own), Verdict::Refused(Code::BeyondConsent));
        assert_eq!(judge(&person, WRITE, own), Verdict::Granted);
        let own_right = Need::OwnRight(Permission::OrganizationWrite);
        assert_eq!(judge(&person, own_right, own), Verdict::Refused(Code::PermissionMissing));
        if let Standing::Within { is_by_consent, is_delegate, .. } = &mut person {
            (*is_by_consent, *is_delegate) = (false, true);
        }
        assert_eq!(judge(&person, own_right, own), Verdict::Refused(Code::PermissionMissing));
        if let Standing::Within { is_delegate, .. } = &mut person {
            *is_delegate = false;
        }
        assert_eq!(judge(&person, own_right, own), Verdict::Granted);
        assert_eq!(
            judge(&person, Need::OwnRight(Permission::MembersWrite), own),
            Verdict::Refused(Code::PermissionMissing)
        );
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
