//! Who calls the administration API: the operator, a key of an organization, or a person.

use std::collections::BTreeSet;
use std::time::Duration;

use http::header;

use super::authority::Standing;
use super::refused::{Code, Refused};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApiKeyId, ProjectId, UserId};
use crate::model::api_key::{ApiKey, Holder, KeyText, OperatorRole};
use crate::model::audit_event::Actor;
use crate::model::role;
use crate::store::durable::engine::{Read, StoreError};
use crate::store::durable::{api_keys, organizations};
use crate::store::ephemeral::Kind;
use crate::web::visitor::Visitor;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Failed attempts of one network in a minute.
const STRANGERS: u64 = 60;
const OPERATOR: u64 = 6_000;
const KEY: u64 = 1_200;
const PERSON: u64 = 600;

#[derive(Clone, Debug)]
pub struct Caller {
    pub who: Who,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Operator(ApiKeyId),
    Key(ApiKeyId),
    Person(UserId),
}

impl Caller {
    /// As the audit trail names them.
    pub fn actor(&self) -> Actor {
        match self.who {
            Who::Operator(id) => Actor::OperatorToken(id),
            Who::Key(id) => Actor::ApiKey(id),
            Who::Person(id) => Actor::User(id),
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

/// The caller of a request, by its `Authorization: Bearer …`; every failure reads the same.
pub async fn of(visitor: &Visitor) -> Result<Caller, Refused> {
    let caller = match bearer(visitor) {
        Some(text) => match KeyText::parse(text) {
            Some(key) => by_key(visitor, &key).await?,
            None => by_access_token(visitor, text).await?,
        },
        None => None,
    };
    let ephemeral = &visitor.broker().ephemeral;
    let (key, most) = match &caller {
        None => (format!("api strangers {}", visitor.network()), STRANGERS),
        Some(caller) => (format!("api {}", caller.actor()), most(caller)),
    };
    if ephemeral.count(Kind::RateCounter, &key, MINUTE).await? > most {
        return Err(Refused::new(Code::RateLimited, "wait a minute"));
    }
    caller.ok_or_else(|| Refused::new(Code::Unauthenticated, Code::Unauthenticated.title()))
}

fn most(caller: &Caller) -> u64 {
    match caller.who {
        Who::Operator(_) => OPERATOR,
        Who::Key(_) => KEY,
        Who::Person(_) => PERSON,
    }
}

/// RFC 6750, section 2.1.
fn bearer(visitor: &Visitor) -> Option<&str> {
    let mut all = visitor.headers.get_all(header::AUTHORIZATION).iter();
    let (only, None) = (all.next()?, all.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn by_key(visitor: &Visitor, text: &KeyText) -> Result<Option<Caller>, Refused> {
    let (broker, now) = (visitor.broker(), visitor.broker().now());
    let Some(key) = proved(&mut &broker.db, visitor, text, now).await? else { return Ok(None) };
    // Once an hour is exact enough, and spares a write per request.
    if broker.ephemeral.count(Kind::RateCounter, &format!("api used {}", key.id), HOUR).await? == 1 {
        let id = key.id;
        broker.db.write(async move |tx| api_keys::used(tx, id, now).await).await?;
    }
    match &key.holder {
        Holder::Operator(role) => {
            Ok(Some(Caller { who: Who::Operator(key.id), standing: Standing::Operator(*role) }))
        }
        Holder::Organization(id, permissions) => {
            let organization = organizations::by_id(&mut &broker.db, visitor.project.id, *id).await?;
            let Some(organization) = organization.filter(|found| found.deleted_at.is_none()) else {
                return Ok(None);
            };
            if !organization.is_active() {
                return Err(Refused::new(Code::OrganizationInactive, Code::OrganizationInactive.title()));
            }
            let granted: BTreeSet<_> = permissions.iter().cloned().collect();
            let meanings = &visitor.project.settings.functional_roles;
            let masked = role::masked(granted.clone(), organization.functional_roles.as_deref(), meanings);
            let standing = Standing::Within { organization: Some(*id), granted, masked };
            Ok(Some(Caller { who: Who::Key(key.id), standing }))
        }
    }
}

/// The key, if it is what the text says, alive, and used from where it may be.
async fn proved(
    db: &mut impl Read,
    visitor: &Visitor,
    text: &KeyText,
    now: Moment,
) -> Result<Option<ApiKey>, StoreError> {
    let found = api_keys::by_id(db, visitor.project.id, text.id, now).await?;
    let Some((key, digests)) = found else { return Ok(None) };
    let known = digests.iter().any(|digest| digest.matches(text.secret.expose()));
    let fits = matches!(key.holder, Holder::Operator(_)) == text.is_operators;
    let near =
        key.networks.is_empty() || key.networks.iter().any(|network| network.contains(&visitor.address));
    Ok((known && fits && near && key.is_alive(now)).then_some(key))
}

/// A person's access token, made for this API.
async fn by_access_token(visitor: &Visitor, token: &str) -> Result<Option<Caller>, Refused> {
    let audience = format!("{}{}", visitor.issuer(), super::api::BASE);
    let Some(holder) = (visitor.front.look)(visitor, token, &audience).await? else { return Ok(None) };
    let (organization, granted, masked) = (holder.organization, holder.granted, holder.masked);
    let standing = Standing::Within { organization, granted, masked };
    Ok(Some(Caller { who: Who::Person(holder.user), standing }))
}

/// Whether the caller is still one, in the transaction that writes for them. A person passed the pipeline just now.
pub async fn is_still(
    db: &mut impl Read,
    project: ProjectId,
    caller: &Caller,
    now: Moment,
) -> Result<bool, StoreError> {
    let (Who::Operator(id) | Who::Key(id)) = caller.who else { return Ok(true) };
    let found = api_keys::by_id(db, project, id, now).await?;
    Ok(found.is_some_and(|(key, _)| key.is_alive(now)))
}
