//! Connections to identity providers: drafted, made live, taken back, switched off. What is live is the row of the
//! connection; whatever is made of it meanwhile is a version beside it, so that nobody who signs in meets it.

pub mod api;
mod body;
mod checked;
mod draft;
mod given;
mod outdated;
pub mod presets;
mod relied_on;
pub mod relink;
pub mod sso_provider;
mod stated;
mod tested;
mod trust;
mod view;
pub mod wanted;

use std::time::Duration;

use serde_json::{Value, json};

use super::authority::{Standing, may_insist};
use super::desk::Change;
use super::last_way::{Guests, LastWay};
use super::refused::{Code, Refused};
use crate::broker::Broker;
use crate::broker::connection_swap::{self, NotSwapped, Word, was_live};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::keys::connection_secret;
use crate::keys::keyring::Keyring;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::shown;
use crate::model::connection::{
    Connection, ConnectionState, Lifecycle, Settings, Undone, Upstream, Version, VersionState,
};
use crate::model::mail::Kind;
use crate::model::organization::{Enforcement, Organization};
use crate::model::readiness::Missing;
use crate::store::durable::engine::{Lock, Read, StoreError};
use crate::store::durable::{applications, connection_versions, connections};

pub use checked::{Checked, NewSecret};
use draft::{begun_on, discard, put_draft, redraft, rename, renamed};
use given::{fits, may_come};
pub use stated::{Stated, make, rewrite};
pub use tested::tested;

/// Connections that an organization may have which are not switched off, and that it may ever have made: whoever came by
/// one stays known.
const MOST: usize = 100;
const MOST_EVER: u32 = 1_000;
/// Whoever signed in longer ago than this does not depend on a connection.
const DEPENDS_FOR: Duration = Duration::from_secs(90 * 86_400);

/// A connection with what stands beside its row.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub connection: Connection,
    pub lifecycle: Lifecycle,
    pub draft: Option<Version>,
    /// What the draft would undo, where something else is live than when it was begun.
    pub undoes: Vec<Undone>,
}

impl Held {
    /// What is worked on: the draft, or else what is live. With its secret, sealed.
    pub fn head(&self) -> (&Settings, Option<&Vec<u8>>) {
        match &self.draft {
            Some(draft) => (&draft.settings, draft.secret.as_ref()),
            None => (&self.connection.settings, self.connection.secret.as_ref()),
        }
    }

    fn was_live(&self) -> bool {
        was_live(&self.connection, &self.lifecycle)
    }

    /// The number of what is to be live next, if there is anything.
    pub fn draft_number(&self) -> Option<i64> {
        let own = (!self.was_live()).then_some(self.connection.version);
        self.draft.as_ref().map(|draft| draft.number).or(own)
    }
}

/// What is said of a new connection beside its settings.
#[derive(Clone, Debug)]
struct Named {
    slug: Option<String>,
    display_name: Option<String>,
}

async fn beside(db: &mut impl Read, connection: Connection) -> Result<Held, StoreError> {
    let lifecycle = connections::lifecycle_of(db, connection.id).await?;
    let draft = connection_versions::draft(db, connection.id).await?;
    let draft = draft.map(|draft| draft.in_place_of(&connection.settings));
    let undoes = outdated::undoes(db, (&connection, &lifecycle), draft.as_ref()).await?;
    Ok(Held { connection, lifecycle, draft, undoes })
}

/// The connection as it is in this transaction, locked against whoever else changes it.
async fn held(change: &mut Change<'_, '_>, id: ConnectionId) -> Result<Held, Refused> {
    change.tx.lock(Lock::Exclusive, "connections", &id.to_string()).await?;
    let found = connections::by_id(change.tx, change.keep.project.id, id).await?;
    Ok(beside(change.tx, found.ok_or_else(Refused::hidden)?).await?)
}

/// Makes a connection: a draft, whatever is said of it.
async fn create(
    change: &mut Change<'_, '_>,
    organization: Option<&Organization>,
    named: Named,
    (checked, keyring): (&Checked, &Keyring),
) -> Result<Held, Refused> {
    let keep = change.keep;
    let of = organization.map(|organization| organization.id);
    refuse_too_many(change, of).await?;
    let settings = checked.settings.clone();
    refuse_unknown_application(change, of, &settings).await?;
    let id = ConnectionId::new(&keep.random, keep.now);
    let slug = named.slug.unwrap_or_else(|| usual_slug(organization, id));
    let connection = Connection {
        id,
        project_id: keep.project.id,
        organization_id: of,
        display_name: named.display_name.unwrap_or_else(|| slug.clone()),
        slug,
        state: ConnectionState::Draft,
        version: 1,
        settings: settings.into(),
        secret: sealed(change, id, &checked.secret, keyring),
        created_at: keep.now,
        updated_at: keep.now,
    };
    begin(change, connection).await
}

async fn refuse_too_many(change: &mut Change<'_, '_>, of: Option<OrganizationId>) -> Result<(), Refused> {
    let all = refuse_too_many_in_use(change, of).await?;
    if all >= MOST_EVER as usize && !matches!(change.standing, Standing::Operator(_)) {
        let told =
            format!("{MOST_EVER} have been made, with those that are switched off: the operator makes more");
        return Err(Refused::new(Code::LimitReached, told));
    }
    Ok(())
}

/// Tells how many there are, with those that are switched off.
async fn refuse_too_many_in_use(
    change: &mut Change<'_, '_>,
    of: Option<OrganizationId>,
) -> Result<usize, Refused> {
    let all = connections::page(change.tx, change.keep.project.id, of, "", MOST_EVER).await?;
    let in_use = all.iter().filter(|(one, _)| one.state != ConnectionState::Disabled);
    match in_use.count() >= MOST {
        true => Err(Refused::new(Code::LimitReached, format!("there may be at most {MOST}: disable one"))),
        false => Ok(all.len()),
    }
}

/// Writes a new one, which is its own draft.
async fn begin(change: &mut Change<'_, '_>, connection: Connection) -> Result<Held, Refused> {
    let (keep, of) = (change.keep, connection.organization_id);
    fits(change, of, None, &connection.settings).await?;
    connections::insert(change.tx, &connection).await?;
    let draft = Version {
        created_by: keep.actor.to_string(),
        by_leave: change.leave(),
        created_at: keep.now,
        ..Version::of(&connection, VersionState::Draft)
    };
    connection_versions::put(change.tx, &draft).await?;
    settle_primary(change, of).await?;
    let event = event(change, "organization.connection.created", &connection);
    let facts = Value::Object(shown::settings(&connection.settings));
    change.record(&event.with("version", 1).changing(None, Some(facts))).await?;
    Ok(beside(change.tx, connection).await?)
}

/// Of the organization's name, and none that was ever given: who asks for one learns of no other one's.
fn usual_slug(organization: Option<&Organization>, id: ConnectionId) -> String {
    let name = organization.map_or("project", |organization| organization.slug.as_str());
    let start: String = name.chars().take(50).collect();
    let id = id.to_string();
    let end: String = id.chars().skip(id.len().saturating_sub(8)).collect();
    format!("{}-{end}", start.trim_end_matches('-'))
}

/// Makes the draft live. Where people sign in by the connection, somebody must have tried the draft, unless who may do so
/// insists.
async fn activate(
    change: &mut Change<'_, '_>,
    before: Held,
    version: Option<i64>,
    forced: bool,
) -> Result<Held, Refused> {
    let none = || Refused::new(Code::NoVersion, "there is no draft of this number");
    let draft = before.draft_number().filter(|draft| version.is_none_or(|wanted| wanted == *draft));
    let draft = draft.ok_or_else(none)?;
    let id = before.connection.id;
    let is_untested = before.connection.is_active()
        && !tested(change.tx, id, draft, change.keep.now).await?
        && is_depended_on(change, id).await?;
    if is_untested && !forced {
        return Err(Refused::new(Code::Untested, Code::Untested.title()));
    }
    roles_fit(change, &before).await?;
    may_be_live(change, &before, before.head().0).await?;
    if is_untested {
        may_make_untested_live(change, id)?;
    }
    if version.is_none() {
        trust::refuse_unread(change, &before)?;
    }
    outdated::refuse(change, &before)?;
    let forced_without = is_untested.then(|| Missing::Test.word());
    swapped(change, &before, draft, (forced, forced_without)).await
}

/// What nobody has tried may lock everybody out: that is an owner's to answer for, or the operator's (demands 4.2).
fn may_make_untested_live(change: &Change<'_, '_>, id: ConnectionId) -> Result<(), Refused> {
    let detail = format!(
        "people sign in by it, and nobody has tried the new version: try it (POST /connections/{id}/tests), or an owner \
         who has just signed in makes it live, or the operator"
    );
    may_insist(&change.standing, change.keep.now).map_err(|code| Refused::ceiling(code, detail))
}

/// Whether the caller answers for what these settings do as soon as they are live: whose word is believed, and who becomes
/// a member.
async fn may_be_live(change: &mut Change<'_, '_>, before: &Held, next: &Settings) -> Result<(), Refused> {
    trust::refuse_foreign_trust(change, before, next).await?;
    given::lets_in(change, &before.connection, next).await
}

/// Whether the roles that the draft gives, beyond those that are given now, may still be given.
async fn roles_fit(change: &mut Change<'_, '_>, before: &Held) -> Result<(), Refused> {
    let live = before.connection.is_active().then_some(&*before.connection.settings);
    may_come(change, before.connection.organization_id, live, before.head().0).await
}

/// Brings back what was live before, under a new number.
async fn roll_back(
    change: &mut Change<'_, '_>,
    before: Held,
    version: Option<i64>,
    forced: bool,
) -> Result<Held, Refused> {
    if !before.connection.is_active() {
        return Err(Refused::new(Code::ConnectionNotActive, "there is nothing live to be taken back"));
    }
    let none = || Refused::new(Code::NoVersion, "nothing was live before, or not under this number");
    let id = before.connection.id;
    let to = version.or(before.lifecycle.previous_version).ok_or_else(none)?;
    let known = connection_versions::by_number(change.tx, id, to).await?;
    let known = known.filter(|known| known.activated_at.is_some() && known.state != VersionState::Live);
    let known = known.ok_or_else(none)?.in_place_of(&before.connection.settings);
    refuse_further_places(change, &before.connection.settings, &known.settings)?;
    // What it gives to whoever comes may have come to mean more since.
    fits(change, before.connection.organization_id, Some(&before.connection.settings), &known.settings)
        .await?;
    may_be_live(change, &before, &known.settings).await?;
    swapped(change, &before, known.number, (forced, None)).await
}

/// Into which further organizations people come is the operator's to say, also where it was so once.
fn refuse_further_places(change: &Change<'_, '_>, live: &Settings, next: &Settings) -> Result<(), Refused> {
    let further = |id: &OrganizationId| !live.assign_organizations.contains(id);
    if next.assign_organizations.iter().any(further) && !matches!(change.standing, Standing::Operator(_)) {
        return Err(Refused::new(Code::OperatorRequired, "assign_organizations is the operator's"));
    }
    Ok(())
}

/// `forced_without`: what the caller has insisted to do without.
async fn swapped(
    change: &mut Change<'_, '_>,
    before: &Held,
    to: i64,
    (forced, forced_without): (bool, Option<&'static str>),
) -> Result<Held, Refused> {
    let id = before.connection.id;
    let doors = Doors::before(change, &before.connection).await?;
    match connection_swap::swap(change.tx, change.keep, id, to, Word::Asked { forced_without }).await {
        Ok(_) => {
            doors.stay(change, forced).await?;
            held(change, id).await
        }
        Err(NotSwapped::Unready(why)) => Err(Refused::new(Code::ConnectionIncomplete, why.to_string())),
        Err(NotSwapped::Unknown) => Err(Refused::new(Code::NoVersion, Code::NoVersion.title())),
        Err(NotSwapped::Store(error)) => Err(error.into()),
    }
}

/// What owners come in by: of the organization whose connection it is, and of others.
struct Doors {
    own: Option<LastWay>,
    guests: Guests,
}

impl Doors {
    async fn before(change: &mut Change<'_, '_>, connection: &Connection) -> Result<Self, Refused> {
        let own = match connection.organization_id {
            Some(of) => Some(LastWay::before(change, of).await?),
            None => None,
        };
        Ok(Self { own, guests: Guests::before(change, connection).await? })
    }

    async fn stay(&self, change: &mut Change<'_, '_>, forced: bool) -> Result<(), Refused> {
        if let Some(own) = &self.own {
            own.stays(change, forced).await?;
        }
        self.guests.stay(change, forced).await
    }
}

/// Whether people sign in by it.
async fn is_depended_on(change: &mut Change<'_, '_>, id: ConnectionId) -> Result<bool, Refused> {
    let since: Moment = change.keep.now.minus(DEPENDS_FOR);
    Ok(connection_versions::is_used_since(change.tx, id, since).await?)
}

/// Switches it off. Whoever is on the way by it does not arrive; who they are stays known (S1-R25).
async fn disable(change: &mut Change<'_, '_>, before: Held, forced: bool) -> Result<Held, Refused> {
    if before.connection.state == ConnectionState::Disabled {
        return Ok(before);
    }
    shut(change, &before, ConnectionState::Disabled, forced).await
}

/// Switches off what may be live, unless nobody who owns the organization came in any more.
async fn shut(
    change: &mut Change<'_, '_>,
    before: &Held,
    state: ConnectionState,
    forced: bool,
) -> Result<Held, Refused> {
    let doors = Doors::before(change, &before.connection).await?;
    let after = switched(change, before, state, "organization.connection.deactivated").await?;
    doors.stay(change, forced).await?;
    Ok(after)
}

/// Nobody has looked at the metadata of a connection that is switched off, and it may have run out: then it is read before
/// the connection is to be live, outside of any transaction.
pub async fn look_first(broker: &Broker, found: &Connection) -> Result<(), StoreError> {
    let until = found.saml().and_then(|saml| saml.saml.described_until());
    let is_current = found.is_active() && until.is_none_or(|until| broker.now() < until);
    let db = &mut &broker.db;
    if is_current || connections::lifecycle_of(db, found.id).await?.activated_at.is_none() {
        return Ok(());
    }
    // Whatever comes of it is judged as ever.
    broker.saml_metadata.look(found.project_id, found.id).await?;
    Ok(())
}

/// Switches it on again as it was; one that never was live is a draft again.
async fn enable(change: &mut Change<'_, '_>, before: Held) -> Result<Held, Refused> {
    if before.connection.state != ConnectionState::Disabled {
        return Ok(before);
    }
    refuse_too_many_in_use(change, before.connection.organization_id).await?;
    if before.lifecycle.activated_at.is_none() {
        return switched(change, &before, ConnectionState::Draft, "organization.connection.updated").await;
    }
    refuse_over_draft(change, &before)?;
    reopen(change, before).await
}

/// Whoever is believed by what was live, and no more by what has been drafted since, does not come back unawares (threats M15).
fn refuse_over_draft(change: &Change<'_, '_>, before: &Held) -> Result<(), Refused> {
    let Some(draft) = &before.draft else { return Ok(()) };
    if before.connection.settings.trusts_no_more(&draft.settings) || change.names_what_it_read() {
        return Ok(());
    }
    let detail = format!(
        "version {} is a draft by which the provider is believed otherwise: make that live, or throw it away; or read the \
         connection, and send its ETag as If-Match",
        draft.number
    );
    Err(Refused::new(Code::DraftUnread, detail))
}

/// As it was when it was live last.
async fn reopen(change: &mut Change<'_, '_>, before: Held) -> Result<Held, Refused> {
    let (settings, secret) = (&before.connection.settings, &before.connection.secret);
    may_be_live(change, &before, settings).await?;
    settings
        .may_be_live(secret.is_some(), change.keep.now)
        .map_err(|why| Refused::new(Code::ConnectionIncomplete, why.to_string()))?;
    let after =
        switched(change, &before, ConnectionState::Active, "organization.connection.activated").await?;
    connection_swap::tell_owners(change.tx, change.keep, &after.connection, Kind::ConnectionActivated)
        .await?;
    Ok(after)
}

async fn switched(
    change: &mut Change<'_, '_>,
    before: &Held,
    state: ConnectionState,
    action: &'static str,
) -> Result<Held, Refused> {
    let old = &before.connection;
    let after = Connection {
        state,
        version: connection_versions::next(change.tx, old).await?,
        updated_at: change.keep.now,
        ..old.clone()
    };
    connections::update(change.tx, &after).await?;
    settle_primary(change, after.organization_id).await?;
    let event = event(change, action, &after)
        .with("version", after.version)
        .changing(Some(json!({"state": old.state})), Some(json!({"state": state})));
    change.record(&event).await?;
    held(change, after.id).await
}

/// Makes it the one that is meant where no other is named (S3-11).
async fn make_primary(change: &mut Change<'_, '_>, before: Held) -> Result<Held, Refused> {
    let (id, of) = (before.connection.id, before.connection.organization_id);
    let Some(of) = of else {
        return Err(Refused::new(
            Code::NotMovable,
            "a connection of the project is no organization's primary one",
        ));
    };
    if before.connection.state == ConnectionState::Disabled {
        return Err(Refused::new(Code::ConnectionNotActive, "one that is disabled is never primary"));
    }
    if before.lifecycle.is_primary() {
        return Ok(before);
    }
    if !before.was_live() && change.organization(of).await?.policy.enforcement == Enforcement::Required {
        let detail =
            "members must come through the organization's own connection, and this one was never live";
        return Err(Refused::new(Code::ConnectionNotActive, detail));
    }
    let was = connections::primary_of(change.tx, of).await?.map(|was| was.id);
    connections::make_primary(change.tx, of, Some(id), change.keep.now).await?;
    let event = event(change, "organization.connection.made_primary", &before.connection)
        .changing(Some(json!({"primary": was})), Some(json!({"primary": id})));
    change.record(&event).await?;
    held(change, id).await
}

async fn settle_primary(change: &mut Change<'_, '_>, of: Option<OrganizationId>) -> Result<(), Refused> {
    if let Some(of) = of {
        connections::settle_primary(change.tx, of, change.keep.now).await?;
    }
    Ok(())
}

/// Another organization's reads like one that there is not.
async fn refuse_unknown_application(
    change: &mut Change<'_, '_>,
    of: Option<OrganizationId>,
    new: &Settings,
) -> Result<(), Refused> {
    let Upstream::Saml(saml) = &new.upstream else { return Ok(()) };
    let Some(name) = &saml.default_application else { return Ok(()) };
    let found = applications::by_client_id(change.tx, change.keep.project.id, name).await?;
    match found.filter(|found| found.organization_id.is_none() || found.organization_id == of) {
        Some(_) => Ok(()),
        None => Err(Refused::value("/default_application", "there is no such application")),
    }
}

fn sealed(
    change: &Change<'_, '_>,
    id: ConnectionId,
    secret: &NewSecret,
    keyring: &Keyring,
) -> Option<Vec<u8>> {
    match secret {
        NewSecret::Nothing => None,
        NewSecret::Kept(sealed) => Some(sealed.clone()),
        NewSecret::Given(secret) => Some(connection_secret::seal(keyring, &change.keep.random, id, secret)),
    }
}

fn event(change: &Change<'_, '_>, action: &'static str, connection: &Connection) -> AuditEvent {
    AuditEvent::new(change.keep.project.id, action, Outcome::Changed)
        .organization(connection.organization_id)
        .actor(change.keep.actor)
        .request(change.keep.request)
        .subject(connection.id)
        .with("slug", connection.slug.as_str())
}
