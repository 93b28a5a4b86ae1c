//! A refresh token (RFC 6749, section 6; RFC 9700, section 4.14): each is good once and gives the next one. Whoever
//! comes with an old one has stolen it, or was stolen from; so the whole family ends (threats H21). Only by FAPI 2.0, where
//! nobody can use one without proving who they are and what key they hold, it stays good.
//!
//! With `organization=` the person switches: they get a family of its own for that organization, and keep the one that
//! they had, whose token is not used up by it; with `replace=true` it is, and the family ends. Neither way gives more
//! than the family was granted, but for what the person is in the other organization.

mod theft;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::signing::{Granted, sign};
use super::{
    Denied, Lifetimes, NoTokens, binding_of_refresh, choice, device_refused, invalid_grant,
    not_for_this_organization, switch_refused, unnamed,
};
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::{GrantId, RequestId};
use crate::foundation::random::Random;
use crate::keys::keyring::Keyring;
use crate::keys::refresh_tokens::{self, Family, Presented};
use crate::login::Stop;
use crate::login::issue::mint::Minted;
use crate::login::issue::{MINUTE, mint, minting};
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::grant::{Grant, GrantRequest, Refresh};
use crate::model::login::Context;
use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::token::{RefreshRequest, TokenAnswer};
use crate::protocol::oauth::{resource, scope};
use crate::store::durable::choices::Choice;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::grants;
use crate::store::ephemeral::{Ephemeral, Kind};
use crate::telemetry::names;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;
use theft::Theft;

/// By how much less the end of what stays is not worth moving.
const MOVED: Duration = Duration::from_secs(60);

type Refreshed = Result<Granted, Denied>;

pub async fn refresh(
    visitor: &Visitor,
    application: Application,
    request: RefreshRequest,
    proved: Confirmation,
) -> Result<TokenAnswer, NoTokens> {
    let Some(presented) = refresh_tokens::read(&request.refresh_token) else {
        let unknown = Denied::Unrecorded(application.id, unknown());
        return Err(Stop::from(unknown.told(visitor).await.map_err(NoTokens::Failed)?).into());
    };
    let broker = visitor.broker();
    let work = Refreshing {
        counter: broker.ephemeral.clone(),
        counted: OnceCell::new(),
        most: broker.config.login.flows_per_minute,
        keyring: broker.keyring.clone(),
        random: broker.random.clone(),
        now: broker.now(),
        grace: Duration::from_secs(broker.config.tokens.refresh_grace),
        tag: visitor.request,
        issuer: visitor.issuer(),
        lifetimes: Lifetimes::of(visitor, &application.settings),
        application,
        presented,
        request,
        proved,
    };
    let work = Arc::new(work);
    let running = Arc::clone(&work);
    // Who loses against another transaction with the same token finds it used, and is told its successor.
    let done = broker.db.write_again_on_snapshot(async move |tx| running.run(tx).await).await;
    match done.map_err(NoTokens::Failed)? {
        Ok(granted) => Ok(sign(visitor, &granted).await?),
        Err(denied) => {
            let context = denied.context();
            let refusal = denied.told(visitor).await.map_err(NoTokens::Failed)?;
            Err(work.told(visitor, (context, refusal)).await)
        }
    }
}

fn unknown() -> Refusal {
    invalid_grant("the refresh token is unknown or has run out")
}

/// The operator has taken all of it away from the application since.
fn nothing_left() -> Refusal {
    Refusal::Protocol(OAuthError::invalid_scope(
        "the application may have nothing any more of what was granted",
    ))
}

/// One refresh, in one transaction.
struct Refreshing {
    counter: Ephemeral,
    /// How many refreshes of the session this is within a minute, however often the transaction begins.
    counted: OnceCell<u64>,
    most: u64,
    keyring: Keyring,
    random: Random,
    now: Moment,
    grace: Duration,
    tag: RequestId,
    issuer: String,
    lifetimes: Lifetimes,
    application: Application,
    presented: Presented,
    request: RefreshRequest,
    proved: Confirmation,
}

/// The scopes and the audiences of the tokens; empty: all audiences that the application has.
type Narrowed = (Vec<String>, Vec<String>);

/// A family, and where it stands.
struct Found {
    grant: Grant,
    refresh: Refresh,
    family: Family,
}

impl Refreshing {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Refreshed, Fault> {
        let Some(found) = self.found(tx).await? else { return Ok(Err(self.unrecorded(unknown()))) };
        if found.grant.application_id != self.application.id {
            return Ok(Err(self.stolen(tx, &found.grant, Theft::ByAnother).await?));
        }
        if found.grant.revoked_at.is_some() {
            return self.of_ended(tx, found).await;
        }
        if self.now >= found.refresh.expires_at || self.now >= found.grant.expires_at {
            return Ok(Err(self.unrecorded(unknown())));
        }
        if !found.refresh.bound.is_proved_by(&self.proved) {
            return Ok(Err(self.stolen(tx, &found.grant, Theft::WithoutKey).await?));
        }
        match self.presented.generation.cmp(&found.refresh.generation) {
            std::cmp::Ordering::Equal => self.newest(tx, found).await,
            std::cmp::Ordering::Less => self.older(tx, found).await,
            // What the store has forgotten since, because somebody restored an old one.
            std::cmp::Ordering::Greater => Ok(Err(self.unrecorded(unknown()))),
        }
    }

    /// The family that gave out what is presented.
    async fn found(&self, tx: &mut Tx<'_>) -> Result<Option<Found>, Fault> {
        let grant = grants::by_id(tx, self.presented.grant).await?;
        let Some(mut grant) = grant.filter(|grant| grant.project_id == self.application.project_id) else {
            return Ok(None);
        };
        let Some(refresh) = grant.refresh.take() else { return Ok(None) };
        let family = Family::open(&self.keyring, grant.id, &refresh.secret)?;
        Ok(family.made(&self.presented).then_some(Found { grant, refresh, family }))
    }

    /// Whether a session refreshes no more in a minute than it gets codes: each is an event that is never forgotten. Whoever
    /// proves who it is answers for that itself.
    async fn is_among_few(&self, grant: &Grant) -> Result<bool, Fault> {
        if !self.application.settings.is_public() {
            return Ok(true);
        }
        let key = format!("refreshes {}", grant.session_id);
        let count = || self.counter.count(Kind::RateCounter, &key, MINUTE);
        Ok(*self.counted.get_or_try_init(count).await? <= self.most)
    }

    async fn newest(&self, tx: &mut Tx<'_>, found: Found) -> Result<Refreshed, Fault> {
        if !self.is_among_few(&found.grant).await? {
            return Ok(Err(self.unrecorded(Refusal::TooManyRequests)));
        }
        let (scopes, resources) = match self.narrowed(&found.grant) {
            Ok(narrowed) => narrowed,
            Err(refusal) => return Ok(Err(self.unrecorded(refusal))),
        };
        let of = (scopes, resources);
        match &self.request.organization {
            Some(named) => match choice(tx, &self.application, &found.grant, (named, self.now)).await? {
                Err(refusal) => Ok(Err(self.unrecorded(refusal))),
                Ok(choice) if found.grant.organization != Some(choice.organization) => {
                    self.switched(tx, &found, &choice, of).await
                }
                Ok(_) => self.goes_on(tx, found, of, false).await,
            },
            None => self.goes_on(tx, found, of, false).await,
        }
    }

    /// The same family: one generation on, if its application's go on, or `again` to where it has just gone.
    async fn goes_on(
        &self,
        tx: &mut Tx<'_>,
        found: Found,
        (scopes, resources): Narrowed,
        again: bool,
    ) -> Result<Refreshed, Fault> {
        let bound_to = self.bound_from_now_on(&found.refresh);
        let Found { grant, family, refresh } = found;
        let request = mint::Request { scopes, ..self.minting(&grant) };
        let minted = match mint::run(tx, &request).await? {
            Ok(minted) => minted,
            Err(refusal) => {
                return Ok(Err(Denied::UnrecordedOf(self.application.id, grant.context(), refusal)));
            }
        };
        if minted.scopes.is_empty() {
            return Ok(Err(self.unrecorded(nothing_left())));
        }
        let (old, idle) = (self.presented.generation, self.idle_until(&grant));
        let new = if again || self.application.settings.rotates() { old + 1 } else { old };
        // Of many who come at once with what stays, one moves its end, and nobody is in another one's way.
        let is_new = new != old || bound_to != refresh.bound || idle > refresh.expires_at.plus(MOVED);
        let writes = is_new && !again;
        if writes && !grants::rotate(tx, grant.id, (old, new), (idle, &bound_to), self.now).await? {
            return Err(StoreError::Conflict.into());
        }
        self.record(tx, "token.refreshed", &grant, &minted, |event| event.with("again", again)).await?;
        let granted = Granted::of(tx, grant, minted, &self.proved, self.now).await?;
        Ok(Ok(granted.for_audiences(resources).with_refresh_token(Some(family.token(new)))))
    }

    /// As the family was granted; it outlives its session only while the application may still ask for that.
    fn minting(&self, grant: &Grant) -> mint::Request {
        let may_stay = self.application.settings.may_have(scope::OFFLINE_ACCESS);
        mint::Request { offline: may_stay && grant.is_offline(), ..minting(grant, self.now) }
    }

    /// What the refresh tokens that follow are bound to. A public client that has proved a key keeps to it from then on.
    fn bound_from_now_on(&self, refresh: &Refresh) -> Confirmation {
        match refresh.bound.is_empty() {
            true => binding_of_refresh(&self.application.settings, &self.proved),
            false => refresh.bound.clone(),
        }
    }

    /// When the next refresh token runs out unless it is used.
    fn idle_until(&self, grant: &Grant) -> Moment {
        self.now.plus(self.lifetimes.idle).min(grant.expires_at)
    }

    /// Used before: just now, by somebody whose answer may have got lost, or it is a theft.
    async fn older(&self, tx: &mut Tx<'_>, found: Found) -> Result<Refreshed, Fault> {
        let (id, since) = (found.grant.id, self.now.minus(self.grace));
        if !grants::was_just_rotated(tx, id, self.presented.generation, since).await? {
            return Ok(Err(self.stolen(tx, &found.grant, Theft::Used).await?));
        }
        if !self.is_among_few(&found.grant).await? {
            return Ok(Err(self.unrecorded(Refusal::TooManyRequests)));
        }
        if self.request.organization.is_some() {
            let used = invalid_grant("the refresh token was used: whoever switches needs its successor");
            return Ok(Err(self.unrecorded(used)));
        }
        match self.narrowed(&found.grant) {
            Ok(of) => self.goes_on(tx, found, of, true).await,
            Err(refusal) => Ok(Err(self.unrecorded(refusal))),
        }
    }

    /// Of a family that has ended. One that was replaced just now may be asked for what is in its place, for the answer
    /// may have got lost; a token that was used longer ago is in two hands, whatever has become of its own family.
    async fn of_ended(&self, tx: &mut Tx<'_>, found: Found) -> Result<Refreshed, Fault> {
        let since = self.now.minus(self.grace);
        let (presented, newest) = (self.presented.generation, found.refresh.generation);
        let is_used = presented < newest;
        if is_used && (presented + 1 < newest || found.refresh.rotated_at <= since) {
            return Ok(Err(self.stolen(tx, &found.grant, Theft::Used).await?));
        }
        let revoked = || invalid_grant("the refresh token was revoked");
        let may_ask = self.request.replace && (is_used || !self.application.settings.rotates());
        let (true, Some(named)) = (may_ask, &self.request.organization) else {
            return Ok(Err(self.unrecorded(revoked())));
        };
        if !found.refresh.bound.is_proved_by(&self.proved) {
            return Ok(Err(self.stolen(tx, &found.grant, Theft::WithoutKey).await?));
        }
        if !self.is_among_few(&found.grant).await? {
            return Ok(Err(self.unrecorded(Refusal::TooManyRequests)));
        }
        let choice = match choice(tx, &self.application, &found.grant, (named, self.now)).await? {
            Ok(choice) => choice,
            Err(refusal) => return Ok(Err(self.unrecorded(refusal))),
        };
        match grants::just_replaced_by(tx, &found.grant, since).await? {
            Some(new) if new.organization == Some(choice.organization) => self.switched_again(tx, new).await,
            _ => Ok(Err(self.unrecorded(revoked()))),
        }
    }

    /// The family that was switched to, once more with its first refresh token.
    async fn switched_again(&self, tx: &mut Tx<'_>, mut grant: Grant) -> Result<Refreshed, Fault> {
        let (scopes, resources) = match self.narrowed(&grant) {
            Ok(narrowed) => narrowed,
            Err(refusal) => return Ok(Err(self.unrecorded(refusal))),
        };
        let Some(refresh) = grant.refresh.take() else { return Ok(Err(self.unrecorded(unknown()))) };
        let family = Family::open(&self.keyring, grant.id, &refresh.secret)?;
        let request = mint::Request { scopes, ..self.minting(&grant) };
        let minted = match mint::run(tx, &request).await? {
            Ok(minted) => minted,
            Err(refusal) => {
                return Ok(Err(Denied::UnrecordedOf(self.application.id, grant.context(), refusal)));
            }
        };
        if minted.scopes.is_empty() {
            return Ok(Err(self.unrecorded(nothing_left())));
        }
        self.record(tx, "token.refreshed", &grant, &minted, |event| event.with("again", true)).await?;
        let granted = Granted::of(tx, grant, minted, &self.proved, self.now).await?;
        Ok(Ok(granted.for_audiences(resources).with_refresh_token(Some(family.token(refresh.generation)))))
    }

    /// A family of its own for another organization, on the same sign-in and no longer than this one.
    async fn switched(
        &self,
        tx: &mut Tx<'_>,
        found: &Found,
        choice: &Choice,
        (scopes, resources): Narrowed,
    ) -> Result<Refreshed, Fault> {
        let old = &found.grant;
        let context = choice.context();
        let request = mint::Request { context, epochs: None, scopes: unnamed(&scopes), ..self.minting(old) };
        let minted = match mint::run(tx, &request).await? {
            Ok(minted) => minted,
            Err(refusal) => {
                return Ok(Err(Denied::UnrecordedOf(self.application.id, context, refusal)));
            }
        };
        if minted.scopes.is_empty() {
            return Ok(Err(self.unrecorded(nothing_left())));
        }
        // Whoever ends the family meanwhile ends what comes of it too. After the organizations, as everybody locks.
        tx.lock(Lock::Exclusive, "grants", &old.id.to_string()).await?;
        let id = GrantId::new(&self.random, self.now);
        let (family, secret) = Family::new(&self.keyring, &self.random, id);
        let idle = self.idle_until(old);
        let grant = Grant {
            id,
            origin: old.origin.or(Some(old.id)),
            organization: context.organization(),
            delegation: context.delegation(),
            epochs: minted.epochs(),
            request: GrantRequest {
                scopes: unnamed(&old.request.scopes),
                claims: old.request.claims.clone(),
                resources: old.request.resources.clone(),
                login: old.request.login.clone(),
                on_device: old.request.on_device,
                place: old.request.place.clone(),
                replaces: self.request.replace.then_some(old.id),
                ..GrantRequest::default()
            },
            code_expires_at: self.now,
            refresh: Some(Refresh {
                secret,
                generation: 0,
                rotated_at: self.now,
                expires_at: idle,
                bound: self.bound_from_now_on(&found.refresh),
            }),
            ..old.clone()
        };
        grants::insert(tx, &grant, None, self.now).await?;
        if self.request.replace {
            let used = self.presented.generation;
            let next = if self.application.settings.rotates() { used + 1 } else { used };
            if !grants::replace(tx, old.id, (used, next), self.now).await? {
                return Err(StoreError::Conflict.into());
            }
            names::family_ended("replaced");
        }
        let (from, replaced) = (old.id.to_string(), self.request.replace);
        self.record(tx, "token.organization_switched", &grant, &minted, |event| {
            event.with("from", from).with("replaced", replaced)
        })
        .await?;
        let granted = Granted::of(tx, grant, minted, &self.proved, self.now).await?;
        Ok(Ok(granted.for_audiences(resources).with_refresh_token(Some(family.token(0)))))
    }

    /// What these tokens are for (RFC 8707, section 2.2).
    fn narrowed(&self, grant: &Grant) -> Result<Narrowed, Refusal> {
        let has = self.application.resources(&self.issuer);
        let resources = resource::chosen(&self.request.resources, &grant.request.resources, &has);
        Ok((self.scopes(grant)?, resources.map_err(Refusal::Protocol)?))
    }

    /// All that the family was granted, or less (RFC 6749, section 6).
    fn scopes(&self, grant: &Grant) -> Result<Vec<String>, Refusal> {
        let granted = &grant.request.scopes;
        let Some(wanted) = &self.request.scopes else { return Ok(granted.clone()) };
        if wanted.iter().any(|one| !granted.contains(one)) {
            let why = "scope goes beyond what was granted";
            return Err(Refusal::Protocol(OAuthError::invalid_scope(why)));
        }
        Ok(granted.iter().filter(|one| wanted.contains(one)).cloned().collect())
    }

    async fn record(
        &self,
        tx: &mut Tx<'_>,
        action: &'static str,
        grant: &Grant,
        minted: &Minted,
        more: impl FnOnce(AuditEvent) -> AuditEvent,
    ) -> Result<(), StoreError> {
        let event = AuditEvent::new(grant.project_id, action, Outcome::Granted)
            .organization(grant.organization)
            .actor(grant.user_id)
            .subject(grant.id)
            .request(Some(self.tag));
        audit::record(tx, &self.random, self.now, &more(minted.describe(event))).await
    }

    fn unrecorded(&self, refusal: Refusal) -> Denied {
        Denied::Unrecorded(self.application.id, refusal)
    }

    /// The protocol's words. Whoever switches is told what they could do about it; whoever does not has to sign in anew,
    /// whatever it is.
    async fn told(&self, visitor: &Visitor, (context, refusal): (Context, Refusal)) -> NoTokens {
        match &self.request.organization {
            Some(named) => switch_refused(visitor, (&self.application, named), context, refusal).await,
            None => plainly(refusal),
        }
    }
}

/// Who acts for none where one is needed may name one, and an organization that lets no devices in may do so again;
/// whatever else it is makes the grant invalid.
fn plainly(refusal: Refusal) -> NoTokens {
    if refusal == Refusal::DeviceNotAllowed {
        return device_refused();
    }
    let needed = Some(&refusal).filter(|refusal| **refusal == Refusal::NoOrganization);
    needed.and_then(not_for_this_organization).unwrap_or_else(|| Stop::Refused(refusal).into())
}
