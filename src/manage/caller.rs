//! Who calls the administration API: the operator, a key of an organization, or a person.

use std::sync::Arc;
use std::time::Duration;

use super::authority::{Proved, Standing};
use super::refused::{Code, Refused};
use crate::audit::By;
use crate::foundation::clock::Moment;
use crate::foundation::id::{
    ApiKeyId, ApplicationId, DelegationId, GrantId, OrganizationId, ProjectId, SessionId, UserId,
};
use crate::foundation::secret::Digest;
use crate::join::keys;
use crate::model::api_key::{ApiKey, Holder, KeySecret, KeyText, OperatorRole};
use crate::model::audit_event::Actor;
use crate::model::permission::Permission;
use crate::model::policy::Switch;
use crate::model::project::Project;
use crate::model::role;
use crate::store::durable::engine::{Read, StoreError, Tx};
use crate::store::durable::{api_keys, memberships, organizations, projects};
use crate::store::ephemeral::Kind;
use crate::web::dpop::{self, Scheme};
use crate::web::holder::{Barred, Holder as Person, LookAgain, NotActing, NotHeld, Shown};
use crate::web::visitor::Visitor;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Failed attempts of one network in a minute.
const STRANGERS: u64 = 60;
/// Attempts of one network in a minute, failed or not.
const NETWORK: u64 = 12_000;
const OPERATOR: u64 = 6_000;
const KEY: u64 = 1_200;
const PERSON: u64 = 600;

#[derive(Clone, Debug)]
pub struct Caller {
    pub who: Who,
    /// By which secret of their key they came.
    pub secret: Option<KeySecret>,
    /// By which token of theirs they came.
    pub shown: Option<Arc<Shown>>,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Operator(ApiKeyId),
    Key(ApiKeyId),
    /// With the grant that their token is of.
    Person(Acting),
    /// Of a route that is for everybody.
    Nobody,
}

/// A person, by one of their tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acting {
    pub user: UserId,
    pub grant: GrantId,
    pub session: SessionId,
    pub application: ApplicationId,
    /// With the home organization.
    pub delegation: Option<(DelegationId, OrganizationId)>,
}

impl Caller {
    /// As the audit trail names them.
    pub fn actor(&self) -> Actor {
        match self.who {
            Who::Operator(id) => Actor::OperatorToken(id),
            Who::Key(id) => Actor::ApiKey(id),
            Who::Person(acting) => Actor::User(acting.user),
            Who::Nobody => Actor::Anonymous,
        }
    }

    /// By what a person acts, for the same.
    pub fn by(&self) -> Option<By> {
        let Who::Person(Acting { session, application, delegation, .. }) = self.who else { return None };
        Some(By { session, application: Some(application), delegation })
    }

    /// Under what their idempotency keys stand, whichever token they show, in whichever sign-in they got it: a person who
    /// acts for another organization, or by another application, is another caller.
    pub fn name(&self) -> String {
        match (self.who, &self.standing) {
            (Who::Person(acting), Standing::Within { organization: Some(id), .. }) => {
                format!("{} {} {id}", acting.user, acting.application)
            }
            (Who::Person(acting), _) => format!("{} {}", acting.user, acting.application),
            (Who::Nobody, _) => "nobody".to_owned(),
            (Who::Key(key), Standing::Within { organization: Some(id), .. }) => format!("{key} {id}"),
            (Who::Operator(key) | Who::Key(key), _) => key.to_string(),
        }
    }

    /// What they act for.
    pub fn organization(&self) -> Option<OrganizationId> {
        match self.standing {
            Standing::Operator(_) | Standing::Nobody => None,
            Standing::Inactive(id) | Standing::KeysOff(id) => Some(id),
            Standing::Within { organization, .. } => organization,
        }
    }

    /// The person who reads what they are answered; nobody, of the operator.
    pub fn reader(&self) -> Option<UserId> {
        match self.who {
            Who::Person(acting) => Some(acting.user),
            _ => self.secret.and_then(|secret| secret.shown_to),
        }
    }

    /// Whether everything is open to them.
    pub fn is_system(&self) -> bool {
        matches!(self.standing, Standing::Operator(OperatorRole::System))
    }

    pub fn is_operator(&self) -> bool {
        matches!(self.standing, Standing::Operator(_))
    }
}

/// The caller of a request, by its `Authorization: Bearer …`, or `DPoP …` with the proof that a bound token needs;
/// every failure reads the same. Each attempt is counted before anything is looked up for it: by its network, and by
/// the text that it shows.
pub async fn of(visitor: &Visitor) -> Result<Caller, Refused> {
    at_most(visitor, &format!("api network {}", visitor.network()), NETWORK).await?;
    let caller = match dpop::shown(&visitor.headers) {
        Some(shown) => by_text(visitor, shown).await?,
        None => None,
    };
    match caller {
        Some(caller) => {
            // They may have many tokens.
            if let Who::Person(Acting { user, .. }) = caller.who {
                at_most(visitor, &format!("api {user}"), PERSON).await?;
            }
            Ok(caller)
        }
        None => {
            stranger(visitor).await?;
            Err(Refused::new(Code::Unauthenticated, Code::Unauthenticated.title()))
        }
    }
}

/// The caller of a route that is for everybody: whatever they show is not looked at.
pub async fn anybody(visitor: &Visitor) -> Result<Caller, Refused> {
    at_most(visitor, &format!("api network {}", visitor.network()), NETWORK).await?;
    at_most(visitor, &format!("api public {}", visitor.network()), STRANGERS).await?;
    Ok(Caller { who: Who::Nobody, secret: None, shown: None, standing: Standing::Nobody })
}

async fn by_text(visitor: &Visitor, shown: (Scheme, &str)) -> Result<Option<Caller>, Refused> {
    let (scheme, text) = shown;
    let key = KeyText::parse(text);
    let most = match &key {
        Some(key) if key.is_operators => OPERATOR,
        Some(_) => KEY,
        None => PERSON,
    };
    // Not by the id of a key: who guesses at its secret does not use up what its holder may.
    at_most(visitor, &format!("api text {}", Digest::of(text.as_bytes()).text()), most).await?;
    match key {
        Some(key) if scheme == Scheme::Bearer => by_key(visitor, &key).await,
        // A key of the API is bound to nothing.
        Some(_) => Ok(None),
        None => by_access_token(visitor, shown).await,
    }
}

/// Somebody who is let in by nothing that they show.
async fn stranger(visitor: &Visitor) -> Result<(), Refused> {
    at_most(visitor, &format!("api strangers {}", visitor.network()), STRANGERS).await
}

async fn at_most(visitor: &Visitor, what: &str, most: u64) -> Result<(), Refused> {
    at_most_within(visitor, what, (most, MINUTE), || "wait a minute".to_owned()).await
}

/// Counts an attempt, and refuses more of them than there may be within a time; with when that is over.
pub async fn at_most_within(
    visitor: &Visitor,
    what: &str,
    (most, within): (u64, Duration),
    told: impl FnOnce() -> String,
) -> Result<(), Refused> {
    let ephemeral = &visitor.broker().ephemeral;
    if ephemeral.count(Kind::RateCounter, what, within).await? <= most {
        return Ok(());
    }
    let left = ephemeral.window_left(Kind::RateCounter, what).await?;
    Err(Refused::limited(Code::RateLimited, told(), left))
}

async fn by_key(visitor: &Visitor, text: &KeyText) -> Result<Option<Caller>, Refused> {
    let (broker, now) = (visitor.broker(), visitor.broker().now());
    let Some((key, secret)) = proved(&mut &broker.db, visitor, text, now).await? else { return Ok(None) };
    // Once an hour is exact enough, and spares a write per request.
    if broker.ephemeral.count(Kind::RateCounter, &format!("api used {}", key.id), HOUR).await? == 1 {
        let id = key.id;
        broker.db.write(async move |tx| api_keys::used(tx, id, now).await).await?;
    }
    let standing = of_key(&mut &broker.db, &visitor.project, (&key, &secret), now).await?;
    let who = if text.is_operators { Who::Operator(key.id) } else { Who::Key(key.id) };
    Ok(standing.map(|standing| Caller { who, secret: Some(secret), shown: None, standing }))
}

/// What a key may do now by one of its secrets; nothing where its organization is gone.
async fn of_key(
    db: &mut impl Read,
    project: &Project,
    (key, secret): (&ApiKey, &KeySecret),
    now: Moment,
) -> Result<Option<Standing>, StoreError> {
    let id = match &key.holder {
        Holder::Operator(role) => return Ok(Some(Standing::Operator(*role))),
        Holder::Organization(id, _) => *id,
    };
    let found = organizations::of_key(db, project.id, key.id).await?;
    let found = found.filter(|(found, _)| found.deleted_at.is_none());
    let Some((organization, same_epoch)) = found else { return Ok(None) };
    if !organization.is_active() {
        return Ok(Some(Standing::Inactive(id)));
    }
    // Made before a deactivation: as dead as every token of that time (threats H03).
    if !same_epoch {
        return Ok(None);
    }
    if !project.settings.switches.effective(&organization.policy.switches, Switch::ApiKeysEnabled) {
        return Ok(Some(Standing::KeysOff(id)));
    }
    let Some(granted) = keys::granted(db, project.id, (key, secret), now).await? else { return Ok(None) };
    let meanings = &project.settings.functional_roles;
    let masked = role::masked(granted.clone(), organization.functional_roles.as_deref(), meanings);
    let organization = Some(id);
    Ok(Some(Standing::Within {
        organization,
        is_owner: false,
        is_delegate: false,
        is_by_consent: false,
        granted,
        masked,
        proved_at: None,
    }))
}

/// The key, and which of its secrets that is, if it is what the text says, alive, and used from where it may be.
async fn proved(
    db: &mut impl Read,
    visitor: &Visitor,
    text: &KeyText,
    now: Moment,
) -> Result<Option<(ApiKey, KeySecret)>, StoreError> {
    let found = api_keys::by_id(db, visitor.project.id, text.id, now).await?;
    let Some((key, secrets)) = found else { return Ok(None) };
    let known = secrets.into_iter().find(|known| known.digest.matches(text.secret.expose()));
    let fits = matches!(key.holder, Holder::Operator(_)) == text.is_operators;
    let near =
        key.networks.is_empty() || key.networks.iter().any(|network| network.contains(&visitor.address));
    let fine = fits && near && key.is_alive(now);
    Ok(known.filter(|_| fine).map(|known| (key, known)))
}

/// A person's access token, made for this API.
async fn by_access_token(visitor: &Visitor, shown: (Scheme, &str)) -> Result<Option<Caller>, Refused> {
    let (holder, shown) = match (visitor.front.look)(visitor, shown, &audience(visitor)).await? {
        Ok(held) => held,
        // Whose token it is learns how to come in again; of anything else nobody does.
        Err(NotHeld::NotActing(Barred { why: NotActing::MfaRequired, login_url })) => {
            return Err(Refused::by(Code::TokenWithoutMfa).with_login_url(login_url));
        }
        Err(NotHeld::NotActing(Barred { why: NotActing::SsoRequired, login_url })) => {
            return Err(Refused::by(Code::TokenWithoutSso).with_login_url(login_url));
        }
        Err(NotHeld::NonceWanted) => return Err(Refused::by(Code::DpopNonceWanted)),
        // It says nothing of the token, which is not looked at before.
        Err(NotHeld::Proof(why)) => {
            stranger(visitor).await?;
            return Err(Refused::new(Code::DpopProofInvalid, why));
        }
        Err(_) => return Ok(None),
    };
    if let Some(organization) = holder.organization {
        let (broker, user, now) = (visitor.broker(), holder.user, visitor.broker().now());
        // As with keys.
        let what = format!("acts {user} {organization}");
        if broker.ephemeral.count(Kind::RateCounter, &what, HOUR).await? == 1 {
            broker.db.write(async move |tx| memberships::acts(tx, organization, user, now).await).await?;
        }
    }
    Ok(Some(Caller { shown: Some(Arc::new(shown)), ..person(holder) }))
}

/// For whom a token must be made that opens this API.
pub fn audience(visitor: &Visitor) -> String {
    format!("{}{}", visitor.issuer(), super::api::BASE)
}

fn person(holder: Person) -> Caller {
    let Person { user, grant, session, application, delegation, mut granted, mut masked, .. } = holder;
    let is_delegate = delegation.is_some();
    if is_delegate || holder.is_by_consent {
        granted.retain(|name| is_by_leave(name));
        masked.retain(|name| is_by_leave(name));
    }
    let standing = Standing::Within {
        organization: holder.organization,
        is_owner: holder.is_owner && !holder.is_by_consent,
        is_delegate,
        is_by_consent: holder.is_by_consent,
        granted,
        masked,
        proved_at: Some(Proved::of(holder.proved_at)),
    };
    let who = Who::Person(Acting { user, grant, session, application, delegation });
    Caller { who, secret: None, shown: None, standing }
}

/// What is an application's own is its to judge.
pub fn is_by_leave(permission: &str) -> bool {
    Permission::from_word(permission).is_none_or(Permission::is_by_leave)
}

/// What the caller may do in the transaction that writes for them, as things are there; nothing, if they are nobody
/// any more. Whoever deactivates an organization locks it, so lock what they act for first.
pub async fn again(
    tx: &mut Tx<'_>,
    project: ProjectId,
    caller: &Caller,
    look_again: LookAgain,
    now: Moment,
) -> Result<Option<Standing>, StoreError> {
    let id = match caller.who {
        Who::Operator(id) | Who::Key(id) => id,
        Who::Nobody => return Ok(Some(Standing::Nobody)),
        Who::Person(Acting { grant, .. }) => {
            let holder = look_again(tx, project, grant, now).await?;
            return Ok(holder.map(|holder| person(holder).standing));
        }
    };
    let Some((key, secrets)) = api_keys::by_id(tx, project, id, now).await? else { return Ok(None) };
    let known = secrets.iter().find(|known| caller.secret.is_some_and(|own| own.digest == known.digest));
    let Some(secret) = known else { return Ok(None) };
    match projects::by_id(tx, project).await? {
        Some(project) if key.is_alive(now) && project.disabled_at.is_none() => {
            of_key(tx, &project, (&key, secret), now).await
        }
        _ => Ok(None),
    }
}
