//! A connection goes back by itself to what worked before (demands 4.2): its new version has never let anybody in, and
//! several people have failed by its fault and not by theirs.
//!
//! Nobody comes to be believed by that who is not believed as it is, and no rule is taken back by it (threats C05, M15): a
//! key that was replaced may be stolen, and whoever stole it would only have to be refused a few times. There the owners
//! are told once that only they can go back.

use std::mem;

use crate::audit::Keep;
use crate::broker::connection_swap::{NotSwapped, Swapped, Unasked, Word, swap, tell_owners};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId};
use crate::join::auto::may_be_given;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::{Connection, Jit, Return, Settings, Upstream, Version, VersionState, WATCHED};
use crate::model::mail::Kind;
use crate::model::readiness::FAILING;
use crate::model::role;
use crate::store::durable::engine::{Lock, Read, StoreError, Tx};
use crate::store::durable::{connection_runs, connection_versions, connections, roles};

/// How many different people it must have befallen, or networks where nobody knows who it was.
const BEFELL: i64 = 3;
/// What the trail and the owners are told.
const REASON: &str = "people could not sign in by the new settings";

/// A version that may be in need of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    pub project: ProjectId,
    pub organization: Option<OrganizationId>,
    pub connection: ConnectionId,
}

/// Those whose live version fails and never worked.
pub async fn suspects(db: &mut impl Read, now: Moment) -> Result<Vec<Suspect>, StoreError> {
    let found = connections::failing(db, FAILING, now.minus(WATCHED)).await?;
    let suspect = |(project, organization, connection)| Suspect { project, organization, connection };
    Ok(found.into_iter().map(suspect).collect())
}

/// The version that there is to return to: what was live before, if it worked, and what is live does not.
async fn version(
    db: &mut impl Read,
    connection: &Connection,
    now: Moment,
) -> Result<Option<Version>, StoreError> {
    let lifecycle = connections::lifecycle_of(db, connection.id).await?;
    let Some(previous) = lifecycle.previous_version else { return Ok(None) };
    let run = connection_runs::of(db, connection.id, connection.version).await?;
    if !connection.is_active() || run.worked_at.is_some() || !lifecycle.is_on_watch(now) {
        return Ok(None);
    }
    let found = connection_versions::by_number(db, connection.id, previous).await?;
    let found = found.filter(|found| found.state == VersionState::Superseded && found.worked_at.is_some());
    Ok(found.map(|found| found.in_place_of(&connection.settings)))
}

/// The connection as it was before, while it is watched whether what is live works.
pub async fn former(
    db: &mut impl Read,
    connection: &Connection,
    now: Moment,
) -> Result<Option<Connection>, StoreError> {
    let found = version(db, connection, now).await?;
    Ok(found.map(|found| Connection {
        settings: found.settings.into(),
        secret: found.secret,
        ..connection.clone()
    }))
}

/// Takes a connection back, if that is still called for in this transaction; or tells its owners, if it is theirs to do.
pub async fn go_back(tx: &mut Tx<'_>, keep: &Keep, suspect: Suspect) -> Result<Option<Swapped>, NotSwapped> {
    if let Some(organization) = suspect.organization {
        tx.lock(Lock::Exclusive, "organizations", &organization.to_string()).await?;
    }
    let id = suspect.connection;
    tx.lock(Lock::Exclusive, "connections", &id.to_string()).await?;
    let Some(connection) = connections::by_id(tx, suspect.project, id).await? else { return Ok(None) };
    let run = connection_runs::of(tx, id, connection.version).await?;
    let befell = connection_runs::befell(tx, id, connection.version).await?;
    if run.failures < FAILING || befell.many < BEFELL {
        return Ok(None);
    }
    let Some(previous) = version(tx, &connection, keep.now).await? else { return Ok(None) };
    let is_for_us = match previous.settings.may_return(&connection.settings) {
        Return::Harmless => true,
        Return::OfTheKnown => befell.known >= BEFELL,
        Return::Asked => false,
    };
    if !is_for_us {
        offer(tx, keep, &connection, &previous).await?;
        return Ok(None);
    }
    let unasked = unasked(tx, keep.project.id, (&connection, &previous)).await?;
    swap(tx, keep, id, previous.number, Word::Nobodys(&unasked)).await.map(Some)
}

/// Says to the owners, once, that nobody gets in and where they could go back to.
async fn offer(tx: &mut Tx<'_>, keep: &Keep, live: &Connection, former: &Version) -> Result<(), StoreError> {
    if !connection_runs::tell(tx, live.id, live.version, keep.now).await? {
        return Ok(());
    }
    let event = AuditEvent::new(keep.project.id, "organization.connection.return_offered", Outcome::Refused)
        .organization(live.organization_id)
        .actor(keep.actor)
        .subject(live.id)
        .with("slug", live.slug.as_str())
        .with("version", live.version)
        .with("version_before", former.number)
        .with("why", REASON);
    keep.record(tx, &event).await?;
    tell_owners(tx, keep, live, Kind::ConnectionFailing).await
}

/// The version before as it may come back with nobody to answer for what it gives (threats H01): nobody joins by it who
/// does not join by what is live, and roles that it gives beyond that are what they were when it was live.
async fn unasked(
    tx: &mut Tx<'_>,
    project: ProjectId,
    (live, former): (&Connection, &Version),
) -> Result<Unasked, StoreError> {
    let (mut settings, mut withheld) = (former.settings.clone(), Vec::new());
    keep_own_keys(&live.settings, &mut settings);
    withheld.extend(keep_rights(&live.settings, &mut settings));
    if live.settings.jit != settings.jit && settings.jit == Jit::CreateAndJoin {
        settings.jit = live.settings.jit;
        withheld.push(Jit::CreateAndJoin.word().to_owned());
    }
    let (joined, others): (Vec<_>, Vec<_>) = mem::take(&mut settings.assign_organizations)
        .into_iter()
        .partition(|id| live.settings.assign_organizations.contains(id));
    settings.assign_organizations = joined;
    withheld.extend(others.iter().map(ToString::to_string));
    let places: Vec<_> = live.organization_id.iter().chain(&settings.assign_organizations).copied().collect();
    for name in mem::take(&mut settings.default_roles) {
        let is_given = live.settings.default_roles.contains(&name);
        if is_given || is_as_it_was(tx, project, (&places, &name), former.ended_at).await? {
            settings.default_roles.push(name);
        } else {
            withheld.push(name);
        }
    }
    Ok(Unasked { reason: REASON, settings, withheld })
}

/// Keys of our own that were brought stay as they are live.
fn keep_own_keys(live: &Settings, former: &mut Settings) {
    if let (Upstream::Saml(live), Upstream::Saml(former)) = (&live.upstream, &mut former.upstream) {
        former.own.clone_from(&live.own);
        former.request.signature = live.request.signature;
    }
}

/// Rules give roles by groups and claims: where those are read stays as it is live. What is kept back by that.
fn keep_rights(live: &Settings, former: &mut Settings) -> Vec<String> {
    let (Upstream::Saml(live), Upstream::Saml(former)) = (&live.upstream, &mut former.upstream) else {
        return Vec::new();
    };
    let (live, former) = (&live.attributes, &mut former.attributes);
    let differing = [
        ("attributes.groups", live.groups != former.groups),
        ("claims", live.claims != former.claims),
        ("claim_lists", live.claim_lists != former.claim_lists),
    ];
    former.groups.clone_from(&live.groups);
    former.claims.clone_from(&live.claims);
    former.claim_lists.clone_from(&live.claim_lists);
    differing.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
}

/// Whether a role may be given to whoever comes, wherever they come, and nobody has touched it since.
async fn is_as_it_was(
    tx: &mut Tx<'_>,
    project: ProjectId,
    (places, name): (&[OrganizationId], &str),
    since: Option<Moment>,
) -> Result<bool, StoreError> {
    for place in places {
        let custom = roles::permissions(tx, project, *place).await?;
        if !may_be_given(name, &custom) {
            return Ok(false);
        }
        if role::built_in(name).is_some() {
            continue;
        }
        let own = roles::named(tx, project, Some(*place), name).await?;
        let found = match own {
            None => roles::named(tx, project, None, name).await?,
            own => own,
        };
        if found.is_none_or(|found| since.is_none_or(|since| found.updated_at >= since)) {
            return Ok(false);
        }
    }
    Ok(true)
}
