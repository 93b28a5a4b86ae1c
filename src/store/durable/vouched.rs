//! THE account of all that the word of a provider opens, in the durable store: whoever may change by whose word people are
//! known may become every one of them (threats C02). Every door that does so asks here: a version that goes live or comes
//! back, a connection that is switched on again or takes over another one's people, a domain that leads to a connection or
//! is trusted more. A return that nobody asked for opens nothing (`broker::connection_return`); the operator's file and the
//! proof of a domain turn on what the operator has said.
//!
//! It counts every table by which somebody has or waits for something:
//! - `identities`, with `memberships` and `membership_roles`: what those hold who have come by it, wherever that is;
//! - `user_roles`: what they are where they act for no organization;
//! - `ownership_transfers`: the owner's place that waits for one of them;
//! - `expected_members`: places that are kept for an address of its organization's domains;
//! - `domains`: as what people join by such an address alone;
//! - `delegations`: for whom its organization's people act, or would as soon as both have approved;
//! - `role_rules`: what is given by what it says of whoever comes;
//! - `connections`: what whoever is new becomes by its settings, and where.
//!
//! It does not count what gives nothing, or not by a provider's word:
//! - `users`, `user_terms`: who somebody is, and by which words they are found;
//! - `invitations`, `mails`: nobody accepts one without its link, which no provider knows; what it gives is asked when it is
//!   accepted;
//! - `api_keys`, `api_key_secrets`: nobody is shown a secret twice, and a key never may more than who was shown it;
//! - `registration_tokens`: the operator's;
//! - `break_glass`: it lets in people whom no provider vouches for;
//! - `connection_tests`, `connection_versions`: what a trial has found, and what somebody has made of a connection;
//! - `consents`, `grants`, `sessions`, `session_applications`, `logout_notices`, `device_codes`: what comes of signing in,
//!   which gives no more than all that.
//!
//! What is given or offered later goes to whom the provider names that is live by then: who gives it could have known, for
//! the owners are told of every version that goes live. But what waits is for whom it was meant ([`is_anothers_word`]).

use std::collections::BTreeSet;

use super::engine::{Read, StoreError, params};
use super::{connection_versions, connections, domains, json};
use crate::foundation::clock::Moment;
use crate::foundation::domain_name::DomainName;
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId, UserId};
use crate::model::connection::{Jit, Settings};
use crate::model::delegation::DelegationSettings;
use crate::model::domain::{Domain, DomainState};
use crate::model::role;

/// What people have because the provider says who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vouched {
    /// Roles in the provider's own organization.
    pub own: BTreeSet<String>,
    /// Whether they have anything else: in another organization, or in the project.
    pub elsewhere: bool,
}

impl Vouched {
    fn add(&mut self, own: bool, roles: impl IntoIterator<Item = String>) {
        match own {
            true => self.own.extend(roles),
            false => self.elsewhere = true,
        }
    }
}

/// Of whom, and when.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub project: ProjectId,
    pub organization: OrganizationId,
    pub now: Moment,
}

/// What is opened by letting a connection of the organization say who people are, by these settings.
pub async fn by_connection(
    db: &mut impl Read,
    place: Place,
    (connection, settings): (ConnectionId, &Settings),
) -> Result<Vouched, StoreError> {
    let mut found = Vouched::default();
    known(db, place, connection, &mut found).await?;
    newcomers(place, settings, &mut found);
    let all = domains::of_organization(db, place.organization).await?;
    // One that is not proved yet and leads nowhere is asked for when it is to lead here.
    let lead = |one: &Domain| {
        one.state != DomainState::Removed
            && (one.state == DomainState::Verified || one.routing_since.is_some())
    };
    let all: Vec<_> = all.into_iter().filter(lead).collect();
    waiting(db, place, &all, &mut found).await?;
    Ok(found)
}

/// What is opened by letting a domain of the organization lead to these connections beside those to which it leads, or by
/// trusting those more. By a connection to which another domain leads already, nothing is said that was not said before,
/// but of the people of this domain.
pub async fn by_domain(
    db: &mut impl Read,
    place: Place,
    (domain, connections): (&Domain, &[ConnectionId]),
) -> Result<Vouched, StoreError> {
    let mut found = Vouched::default();
    let others = domains::of_organization(db, place.organization).await?;
    let routes = domains::routes_of(db, place.organization).await?;
    let speaks = |connection: ConnectionId| {
        let lead = |one: &&Domain| one.state == DomainState::Verified && one.routing_since.is_some();
        let mut others = others.iter().filter(|one| one.id != domain.id).filter(lead);
        others.any(|one| routes.contains(&(one.id, connection)))
    };
    for id in connections {
        if !speaks(*id) {
            known(db, place, *id, &mut found).await?;
        }
        if let Some(connection) = connections::by_id(db, place.project, *id).await? {
            newcomers(place, &connection.settings, &mut found);
        }
    }
    waiting(db, place, std::slice::from_ref(domain), &mut found).await?;
    Ok(found)
}

/// What those have who have come by the connection, or get by what it says of them.
async fn known(
    db: &mut impl Read,
    place: Place,
    connection: ConnectionId,
    found: &mut Vouched,
) -> Result<(), StoreError> {
    let sql = "SELECT DISTINCT CASE WHEN m.organization_id = $2 THEN 1 ELSE 0 END, r.role
               FROM identities i
               JOIN memberships m ON m.user_id = i.user_id AND m.status <> 'removed'
               LEFT JOIN membership_roles r ON r.membership_id = m.id
               WHERE i.connection_id = $1";
    for row in db.all(sql, params![connection, place.organization]).await? {
        found.add(row.get::<i64>(0)? == 1, row.get::<Option<String>>(1)?);
    }
    let sql = "SELECT DISTINCT CASE WHEN t.organization_id = $2 THEN 1 ELSE 0 END
               FROM identities i
               JOIN ownership_transfers t ON t.to_user = i.user_id AND t.pending IS NOT NULL AND t.expires_at > $3
               WHERE i.connection_id = $1";
    for row in db.all(sql, params![connection, place.organization, place.now]).await? {
        found.add(row.get::<i64>(0)? == 1, [role::OWNER.to_owned()]);
    }
    let sql = "SELECT 1 FROM identities i JOIN user_roles h ON h.user_id = i.user_id
               WHERE i.connection_id = $1 LIMIT 1";
    found.elsewhere |= db.one(sql, params![connection]).await?.is_some();
    let sql = "SELECT DISTINCT CASE WHEN organization_id = $2 THEN 1 ELSE 0 END, role
               FROM role_rules WHERE connection_id = $1";
    for row in db.all(sql, params![connection, place.organization]).await? {
        found.add(row.get::<i64>(0)? == 1, [row.get::<String>(1)?]);
    }
    Ok(())
}

/// What whoever is new becomes.
fn newcomers(place: Place, settings: &Settings, found: &mut Vouched) {
    if settings.jit == Jit::CreateAndJoin {
        found.own.extend(settings.default_roles.iter().cloned());
        found.elsewhere |= settings.assign_organizations.iter().any(|joined| *joined != place.organization);
    }
}

/// What waits for people of these domains.
async fn waiting(
    db: &mut impl Read,
    place: Place,
    all: &[Domain],
    found: &mut Vouched,
) -> Result<(), StoreError> {
    for domain in all {
        let sql = "SELECT DISTINCT CASE WHEN e.organization_id = $2 THEN 1 ELSE 0 END, e.roles
                   FROM expected_members e
                   WHERE e.project_id = $1 AND e.domain = $3 AND e.used_at IS NULL";
        for row in db.all(sql, params![place.project, place.organization, domain.name.as_str()]).await? {
            found.add(row.get::<i64>(0)? == 1, json::<Vec<String>>(&row, 1)?);
        }
        if domain.auto_join_since.is_some() {
            found.own.extend(domain.auto_join.role.clone());
        }
    }
    let is_theirs = |name: &DomainName| all.iter().any(|domain| domain.name == *name);
    let means = |settings: &DelegationSettings| {
        settings.only.as_ref().is_none_or(|only| only.iter().any(|email| is_theirs(email.domain())))
    };
    found.elsewhere |= delegated(db, place, means).await?;
    Ok(())
}

/// Whether others let these people of the organization act for them, or will.
async fn delegated(
    db: &mut impl Read,
    place: Place,
    means: impl Fn(&DelegationSettings) -> bool,
) -> Result<bool, StoreError> {
    let sql = "SELECT settings FROM delegations
               WHERE home_organization_id = $1 AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > $2)";
    for row in db.all(sql, params![place.organization, place.now]).await? {
        if means(&json::<DelegationSettings>(&row, 0)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether anything is opened to somebody of this proved address, elsewhere, by making them one of the organization's own.
pub async fn by_kind(db: &mut impl Read, place: Place, proved: Option<&Email>) -> Result<bool, StoreError> {
    delegated(db, place, |settings| settings.means(proved)).await
}

/// Whether somebody is known by another word now than at that moment: of a connection by which they have come, a version
/// has ended since then that did not believe the same as what is live; or somebody has said what they are called.
pub async fn is_anothers_word(
    db: &mut impl Read,
    (project, user): (ProjectId, UserId),
    since: Moment,
) -> Result<bool, StoreError> {
    let named = "SELECT id FROM identities WHERE user_id = $1 AND named_at >= $2 LIMIT 1";
    if db.one(named, params![user, since]).await?.is_some() {
        return Ok(true);
    }
    let sql = "SELECT DISTINCT connection_id FROM identities WHERE user_id = $1";
    let rows = db.all(sql, params![user]).await?;
    let all: Vec<ConnectionId> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    for id in all {
        let Some(live) = connections::by_id(db, project, id).await? else { continue };
        let ended = connection_versions::ended_since(db, live.id, since).await?;
        if ended.iter().any(|before| !before.settings.believes_like(&live.settings)) {
            return Ok(true);
        }
    }
    Ok(false)
}
