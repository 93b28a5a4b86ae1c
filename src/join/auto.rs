//! Auto-join: somebody becomes a member because a domain's own connection has proved their address just now, and because
//! the organization has said so (S1-D5 to S1-D11, threats H07). Nobody joins by an address alone that was proved in
//! another way, or at another time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Joined, Joining, join, notices};
use crate::audit::Keep;
use crate::foundation::email::Email;
use crate::foundation::id::{DomainId, OrganizationId, UserId};
use crate::model::domain::{AutoJoin, Domain, DomainState};
use crate::model::mail::Kind;
use crate::model::membership::{MembershipKind, MembershipSource, MembershipStatus};
use crate::model::permission::Permission;
use crate::model::{role, words};
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{domains, memberships, roles};

const HOUR: Duration = Duration::from_secs(3_600);

/// Somebody whose address was proved now, by a connection of the organization that the domain is routed to.
#[derive(Clone, Copy, Debug)]
pub struct Proved<'a> {
    pub user: UserId,
    pub email: &'a Email,
    pub domain: DomainId,
    pub organization: OrganizationId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Considered {
    Joined,
    /// Nothing to be done.
    IsMember,
    No(WhyNot),
}

words! {
    /// Why somebody did not join, for the audit trail.
    WhyNot {
        /// They were one once, or are suspended: nothing silently adds them again (S1-D10).
        Known = "known",
        /// It was turned off in this moment.
        Off = "off",
        /// An address of many people or of none (S1-D8).
        RoleAddress = "role_address",
        /// Another name of a mailbox that may join under its own (S1-D9).
        Alias = "alias",
        /// A pattern keeps them out (S1-D7).
        Excluded = "excluded",
        /// There is no such role any more, or it has come to administer something.
        RoleNotAllowed = "role_not_allowed",
        /// Too many have joined in an hour.
        Paused = "paused",
        /// The project is exclusive, and they belong somewhere else.
        Elsewhere = "elsewhere",
    }
}

words! {
    /// Why nobody joins by a rule that is on, whoever they are.
    Halt {
        /// The proof is still to come, or is gone.
        NotVerified = "not_verified",
        NotRouted = "not_routed",
        NotTrusted = "not_trusted",
        /// Too many have joined in an hour.
        Paused = "paused",
        /// It names none, or one that is no more or has come to administer something.
        RoleNotAllowed = "role_not_allowed",
    }
}

/// What must be seen to before anybody joins by a domain whose rule is on. `custom`: what the organization's further roles
/// mean.
pub fn halted(domain: &Domain, custom: &BTreeMap<String, Vec<String>>) -> Option<Halt> {
    domain.auto_join_since?;
    [
        (Halt::NotVerified, domain.state != DomainState::Verified),
        (Halt::NotRouted, domain.routing_since.is_none()),
        (Halt::NotTrusted, domain.trust_since.is_none()),
        (Halt::RoleNotAllowed, !gives_role(&domain.auto_join, custom)),
        (Halt::Paused, domain.auto_join.paused_at.is_some()),
    ]
    .into_iter()
    .find_map(|(halt, is_so)| is_so.then_some(halt))
}

fn gives_role(rule: &AutoJoin, custom: &BTreeMap<String, Vec<String>>) -> bool {
    rule.role.as_deref().is_some_and(|role| may_be_given(role, custom))
}

/// Lets somebody join by their domain, if nothing speaks against it.
pub async fn consider(tx: &mut Tx<'_>, keep: &Keep, proved: Proved<'_>) -> Result<Considered, StoreError> {
    if let Some(found) = memberships::find(tx, proved.organization, proved.user).await? {
        let is_member = found.status == MembershipStatus::Active;
        return Ok(if is_member { Considered::IsMember } else { Considered::No(WhyNot::Known) });
    }
    // The rule as it is now; and of those who come at once, one after another, so that they can be counted.
    tx.lock(Lock::Exclusive, "domains", &proved.domain.to_string()).await?;
    let domain = domains::of(tx, proved.organization, proved.domain).await?;
    let Some(domain) = domain.filter(|domain| is_on(domain, proved.email)) else {
        return Ok(Considered::No(WhyNot::Off));
    };
    let custom = roles::permissions(tx, keep.project.id, proved.organization).await?;
    let rule = &domain.auto_join;
    let many = recent(tx, keep, &domain).await?;
    if let Some(why) = against(rule, proved.email, &custom, many) {
        return Ok(Considered::No(why));
    }
    let roles: Vec<_> = rule.role.iter().cloned().collect();
    let joining = Joining {
        user: proved.user,
        organization: proved.organization,
        kind: MembershipKind::Home,
        source: MembershipSource::AutoJoin,
        roles: &roles,
    };
    match join(tx, keep, &joining).await? {
        Joined::Now(_) => {
            if many + 1 >= i64::from(rule.cap()) {
                pause(tx, keep, domain).await?;
            }
            Ok(Considered::Joined)
        }
        Joined::Already(_) => Ok(Considered::IsMember),
        Joined::Elsewhere => Ok(Considered::No(WhyNot::Elsewhere)),
    }
}

fn is_on(domain: &Domain, email: &Email) -> bool {
    domain.state == DomainState::Verified
        && domain.routing_since.is_some()
        && domain.trust_since.is_some()
        && domain.auto_join_since.is_some()
        && domain.name == *email.domain()
}

/// The first thing that speaks against it; `many` have joined in this hour.
fn against(
    rule: &AutoJoin,
    email: &Email,
    custom: &BTreeMap<String, Vec<String>>,
    many: i64,
) -> Option<WhyNot> {
    [
        (WhyNot::Paused, rule.paused_at.is_some() || many >= i64::from(rule.cap())),
        (WhyNot::RoleAddress, email.is_role_address()),
        (WhyNot::Alias, email.has_tag()),
        (WhyNot::Excluded, rule.excludes(email.local_part())),
        (WhyNot::RoleNotAllowed, !gives_role(rule, custom)),
    ]
    .into_iter()
    .find_map(|(why, is_so)| is_so.then_some(why))
}

/// How many have joined by it within an hour, or since it was turned on, if that is later.
async fn recent(tx: &mut Tx<'_>, keep: &Keep, domain: &Domain) -> Result<i64, StoreError> {
    let hour = keep.now.minus(HOUR);
    let since = domain.auto_join_since.map_or(hour, |since| since.max(hour));
    memberships::joined_since(tx, domain.organization_id, MembershipSource::AutoJoin, since).await
}

/// Nobody joins any more until somebody has looked at who came, and turned it on again.
async fn pause(tx: &mut Tx<'_>, keep: &Keep, mut domain: Domain) -> Result<(), StoreError> {
    domain.auto_join.paused_at = Some(keep.now);
    domains::update(tx, &domain).await?;
    let event = keep.event("organization.auto_join.paused", domain.organization_id).subject(domain.id);
    keep.record(tx, &event.with("domain", domain.name.as_str()).with("cap_per_hour", domain.auto_join.cap()))
        .await?;
    notices::owners(tx, keep, domain.organization_id, Kind::AutoJoinPaused, domain.name.as_str()).await
}

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::foundation::clock::Moment;

    #[test]
    fn h07_s1_d7_s1_d8_s1_d9_what_speaks_against_somebody_has_a_name() {
        let rule =
            AutoJoin { role: Some("member".into()), exclude: vec!["*-ext".into()], ..AutoJoin::default() };
        let told = |rule: &AutoJoin, email: &str, many| {
            against(rule, &Email::parse(email).unwrap(), &BTreeMap::new(), many)
        };
        assert_eq!(told(&rule, "ann@a.test", 499), None);
        assert_eq!(told(&rule, "ann@a.test", 500), Some(WhyNot::Paused));
        assert_eq!(told(&rule, "Info@a.test", 0), Some(WhyNot::RoleAddress));
        assert_eq!(told(&rule, "info+x@a.test", 0), Some(WhyNot::RoleAddress));
        assert_eq!(told(&rule, "ann+x@a.test", 0), Some(WhyNot::Alias));
        assert_eq!(told(&rule, "bob-EXT@a.test", 0), Some(WhyNot::Excluded));
        for role in [None, Some("owner"), Some("admin"), Some("gone")] {
            let rule = AutoJoin { role: role.map(str::to_owned), ..AutoJoin::default() };
            assert_eq!(told(&rule, "ann@a.test", 0), Some(WhyNot::RoleNotAllowed), "{role:?}");
        }
        let paused = AutoJoin { paused_at: Some(Moment::from_seconds(1)), ..rule };
        assert_eq!(told(&paused, "ann@a.test", 0), Some(WhyNot::Paused));
    }
}
