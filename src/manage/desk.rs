//! What an operation is given: who asks, for what, and the one way to write.

mod replay;

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::authority::{Need, Proved, Standing, Target, Verdict, is_fresh, judge};
use super::caller::{self, Caller, Who};
use super::refused::{Code, Refused};
use crate::audit::Keep;
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, UserId};
use crate::foundation::secret::Digest;
use crate::keys::keyring::Keyring;
use crate::model::api_key::OperatorRole;
use crate::model::audit_event::{Actor, AuditEvent};
use crate::model::organization::Organization;
use crate::model::permission::Permission;
use crate::model::project::Project;
use crate::store::durable::choices::Told;
use crate::store::durable::engine::{Database, Lock, Tx};
use crate::store::durable::{api_keys, applications, organizations};
use crate::store::ephemeral::Kind;
use crate::web::holder::LookAgain;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

pub use replay::replayed;

/// What an operation is given.
pub struct Desk {
    pub visitor: Visitor,
    pub caller: Caller,
    pub now: Moment,
    /// The organization that it is about; nothing where that is to be made, or where it is about none.
    pub organization: Option<Organization>,
    pub params: Params,
    pub asked: Asked,
}

/// What the path says.
#[derive(Clone, Debug)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn new(all: Vec<(String, String)>) -> Self {
        Self(all)
    }

    /// Empty, if the path says no such thing.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// What the path calls the thing that it is about; never a secret that it holds.
    pub fn last(&self) -> &str {
        self.0.iter().rfind(|(name, _)| name != "token").map_or("", |(_, value)| value)
    }

    /// All but this one.
    pub fn others_than(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(move |(known, _)| known != name).map(|(name, value)| (&**name, &**value))
    }

    /// An id. What is none names nothing that there is.
    pub fn id<I: FromStr>(&self, name: &str) -> Result<I, Refused> {
        self.get(name).parse().map_err(|_| Refused::hidden())
    }
}

/// What a route needs, and of whom.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub need: Need,
    pub fresh: Option<Duration>,
    pub target: Target,
}

impl Wanted {
    /// What only some of what a route does needs besides.
    pub fn besides(permission: Permission, organization: OrganizationId) -> Self {
        Self { need: Need::Permitted(permission), fresh: None, target: Target::Organization(organization) }
    }

    /// Whether somebody who stands like this may.
    pub fn of(self, standing: &Standing, now: Moment) -> Result<(), Refused> {
        match judge(standing, self.need, self.target) {
            Verdict::Granted => match self.fresh {
                Some(within) if !is_fresh(standing, within, now) => Err(Refused::stale(within)),
                _ => Ok(()),
            },
            Verdict::Hidden => Err(Refused::hidden()),
            Verdict::Refused(Code::PermissionMissing) => {
                Err(Refused::new(Code::PermissionMissing, missing(self.need)))
            }
            Verdict::Refused(code) => Err(Refused::new(code, code.title())),
        }
    }
}

fn missing(need: Need) -> String {
    match need {
        Need::Permitted(permission) | Need::Operator(permission) | Need::OperatorOrPerson(permission) => {
            format!("this needs `{permission}`")
        }
        Need::OwnRight(permission) => {
            format!(
                "this needs `{permission}`, and nobody has that by a delegation or by an application that they had to allow"
            )
        }
        Need::Owners(permission) => {
            format!("an owner of the organization decides this, in person, and it needs `{permission}`")
        }
        Need::Public | Need::Any | Need::Person | Need::Account => Code::PermissionMissing.title().to_owned(),
    }
}

/// What is asked for, besides query and body.
#[derive(Clone, Debug)]
pub struct Asked {
    pub wanted: Wanted,
    pub if_match: Option<String>,
    pub idempotency_key: Option<String>,
    /// Of method, path, query and body.
    pub fingerprint: Digest,
    /// What a cursor of the operation is bound to.
    pub list: String,
}

/// What is answered, and of which shape it is.
pub struct Answer<A> {
    pub reply: Reply,
    /// Whether it was given before.
    pub is_replayed: bool,
    shape: PhantomData<fn() -> A>,
}

/// An answer as it goes out, and as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    pub status: u16,
    pub etag: Option<String>,
    /// A path of the project's.
    pub location: Option<String>,
    /// What it is kept as, where it is a file.
    #[serde(default)]
    pub file: Option<String>,
    pub body: Value,
}

impl<A: Serialize> Answer<A> {
    pub fn new(status: u16, body: &A) -> Result<Self, Refused> {
        let body = serde_json::to_value(body).map_err(|error| Refused::from(Fault::from(error)))?;
        let reply = Reply { status, etag: None, location: None, file: None, body };
        Ok(Self { reply, is_replayed: false, shape: PhantomData })
    }

    #[must_use]
    pub fn etag(mut self, etag: String) -> Self {
        self.reply.etag = Some(etag);
        self
    }

    #[must_use]
    pub fn location(mut self, location: String) -> Self {
        self.reply.location = Some(location);
        self
    }

    #[must_use]
    pub fn file(mut self, name: String) -> Self {
        self.reply.file = Some(name);
        self
    }
}

/// The strong validator of a view (RFC 9110, section 8.8.3).
pub fn etag(view: &impl Serialize) -> String {
    let text = serde_json::to_vec(view).unwrap_or_default();
    format!("\"{}\"", BASE64URL_NOPAD.encode(&Digest::of(&text).as_bytes()[..16]))
}

/// Whether the list of an `If-None-Match` names this validator, compared weakly (RFC 9110, section 13.1.2).
pub fn names_etag(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

fn matches(if_match: Option<&str>, etag: &str) -> Result<(), Refused> {
    match if_match {
        Some(list) if !matches_etag(list, etag) => {
            Err(Refused::new(Code::PreconditionFailed, "read it again, and decide again"))
        }
        _ => Ok(()),
    }
}

/// Whether the list of an `If-Match` does, compared strongly (RFC 9110, section 13.1.1).
fn matches_etag(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one == etag)
}

impl Desk {
    pub fn project(&self) -> &Project {
        &self.visitor.project
    }

    pub fn db(&self) -> &Database {
        &self.visitor.broker().db
    }

    /// Of which organizations of a person the application learns by which they came.
    pub async fn told(&self) -> Result<Told, Refused> {
        let Who::Person(acting) = self.caller.who else { return Ok(Told::All) };
        let themselves = Told::themselves(&self.project().settings);
        if themselves == Told::Nothing {
            return Ok(themselves);
        }
        if let Standing::Within { organization, is_by_consent: true, .. } = self.caller.standing {
            return Ok(Told::Acted(organization));
        }
        let found = applications::by_id(&mut self.db(), self.project().id, acting.application).await?;
        let found = found.filter(|found| found.settings.organizations_limited);
        Ok(found.map_or(themselves, |found| Told::Open(found.id)))
    }

    /// The organization of the path, for who only looks.
    pub fn organization(&self) -> Result<&Organization, Refused> {
        self.organization.as_ref().ok_or_else(Refused::hidden)
    }

    /// [`Change::matches`] before anything is asked of others; what counts is the one in the transaction.
    pub fn matches(&self, etag: &str) -> Result<(), Refused> {
        matches(self.asked.if_match.as_deref(), etag)
    }

    /// What a file is called that holds this of the organization, or of the project, as it is today.
    pub fn file_name(&self, what: &str, ending: &str) -> String {
        let of = self.organization.as_ref().map_or(&self.project().slug, |found| &found.slug);
        let day: String = self.now.rfc3339().chars().take(10).collect();
        format!("{what}-{of}-{day}.{ending}")
    }

    /// Counts an attempt, and refuses more of them than there may be within a time; with when that is over.
    pub async fn at_most(
        &self,
        what: &str,
        (most, within): (u64, Duration),
        told: impl FnOnce() -> String,
    ) -> Result<(), Refused> {
        let ephemeral = &self.visitor.broker().ephemeral;
        if ephemeral.count(Kind::RateCounter, what, within).await? <= most {
            return Ok(());
        }
        let left = ephemeral.window_left(Kind::RateCounter, what).await?;
        Err(Refused::limited(Code::RateLimited, told(), left))
    }

    /// The only way to write. In one transaction: an answer given under the same `Idempotency-Key` is given again;
    /// whether the caller's key still lives is asked once more (their roles are those they came with); `work` runs; the
    /// answer is kept. What `work` refuses is taken back whole. `work` awaits nothing but the transaction, and may run
    /// several times.
    pub async fn change<A, W>(&self, work: W) -> Result<Answer<A>, Refused>
    where
        W: AsyncFn(&mut Change<'_, '_>) -> Result<Answer<A>, Refused> + Send + Sync + 'static,
        A: Send + 'static,
    {
        self.tried(false, work).await
    }

    /// The same for what gives out an id or a slug: one after another in the project.
    pub async fn change_alone<A, W>(&self, work: W) -> Result<Answer<A>, Refused>
    where
        W: AsyncFn(&mut Change<'_, '_>) -> Result<Answer<A>, Refused> + Send + Sync + 'static,
        A: Send + 'static,
    {
        self.tried(true, work).await
    }

    async fn tried<A, W>(&self, alone: bool, work: W) -> Result<Answer<A>, Refused>
    where
        W: AsyncFn(&mut Change<'_, '_>) -> Result<Answer<A>, Refused> + Send + Sync + 'static,
        A: Send + 'static,
    {
        let errand = self.errand(alone);
        let outcome = self.db().write_again(async move |tx| errand.run(tx, &work).await).await;
        outcome.map_err(Refused::told_busy)
    }

    fn errand(&self, alone: bool) -> Errand {
        let broker = self.visitor.broker();
        Errand {
            keep: Keep {
                random: broker.random.clone(),
                project: self.visitor.project.clone(),
                actor: self.caller.actor(),
                by: self.caller.by(),
                request: Some(self.visitor.request),
                now: self.now,
            },
            keyring: broker.keyring.clone(),
            caller: self.caller.clone(),
            asked: self.asked.clone(),
            look_again: self.visitor.front.look_again,
            alone,
        }
    }
}

/// A running change.
pub struct Change<'a, 'c> {
    pub tx: &'a mut Tx<'c>,
    pub keep: &'a Keep,
    /// For what is sealed.
    pub keyring: &'a Keyring,
    /// What the caller may do, as things are in this transaction: ceilings are judged by it.
    pub standing: Standing,
    /// Who reads what is shown once; absent: the operator.
    pub reader: Option<UserId>,
    if_match: Option<&'a str>,
}

impl<'a, 'c> Change<'a, 'c> {
    /// Of the operator's own file: it may everything, and expects nothing to be as it was read.
    pub fn of_operator(tx: &'a mut Tx<'c>, keep: &'a Keep, keyring: &'a Keyring) -> Self {
        let standing = Standing::Operator(OperatorRole::System);
        Self { tx, keep, keyring, standing, reader: None, if_match: None }
    }

    /// Of a person at a page of ours, for themselves: nobody else's things are theirs by it.
    pub fn of_person(tx: &'a mut Tx<'c>, keep: &'a Keep, keyring: &'a Keyring, proved_at: Proved) -> Self {
        let standing = Standing::Within {
            organization: None,
            is_owner: false,
            is_delegate: false,
            is_by_consent: false,
            granted: BTreeSet::new(),
            masked: BTreeSet::new(),
            proved_at: Some(proved_at),
        };
        // Nothing is shown there.
        Self { tx, keep, keyring, standing, reader: None, if_match: None }
    }
}

impl Change<'_, '_> {
    /// An organization as it is in this transaction, locked against every other change.
    pub async fn organization(&mut self, id: OrganizationId) -> Result<Organization, Refused> {
        self.tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
        let found = organizations::by_id(self.tx, self.keep.project.id, id).await?;
        found.filter(|found| found.deleted_at.is_none()).ok_or_else(Refused::hidden)
    }

    /// Whether the caller knows how the thing is now; who does not say so does not care (RFC 9110, section 13.1.1).
    pub fn matches(&self, etag: &str) -> Result<(), Refused> {
        matches(self.if_match, etag)
    }

    /// Whether the caller names what they have read, which [`Self::matches`] holds against what there is.
    pub fn names_what_it_read(&self) -> bool {
        self.if_match.is_some_and(|list| !list.split(',').any(|one| one.trim() == "*"))
    }

    /// Whether the caller has read the thing as it is now, and says so: `*` names nothing that anybody has read (RFC 6585,
    /// section 3).
    pub fn has_read(&self, etag: &str) -> Result<(), Refused> {
        match self.names_what_it_read() {
            true => self.matches(etag),
            false => Err(Refused::new(Code::PreconditionRequired, "read it, and send its ETag as If-Match")),
        }
    }

    /// Refuses who expects something to be there that is not, be it anything (`*`).
    pub fn matches_nothing(&self) -> Result<(), Refused> {
        match self.if_match {
            Some(_) => Err(Refused::new(Code::PreconditionFailed, "there is nothing yet")),
            None => Ok(()),
        }
    }

    /// Who does it: a person, or of a key who made it and who has read the secret that it comes by.
    pub async fn persons(&mut self) -> Result<Vec<UserId>, Refused> {
        let id = match self.keep.actor {
            Actor::User(user) => return Ok(vec![user]),
            Actor::ApiKey(id) => id,
            _ => return Ok(Vec::new()),
        };
        let found = api_keys::by_id(self.tx, self.keep.project.id, id, self.keep.now).await?;
        let maker = found.and_then(|(key, _)| key.created_by.parse().ok());
        Ok(maker.into_iter().chain(self.reader).collect())
    }

    /// By what leave a person acts: the delegation, or else the application that they had to allow.
    pub fn leave(&self) -> Option<String> {
        let by = self.keep.by;
        let delegation = by.and_then(|by| by.delegation).map(|(id, _)| id.to_string());
        let application = || by.and_then(|by| by.application).map(|id| id.to_string());
        // Whatever is not known of it, it is not their own word.
        let known = || delegation.or_else(application).unwrap_or_else(|| self.keep.actor.to_string());
        self.standing.is_by_leave().then(known)
    }

    pub async fn record(&mut self, event: &AuditEvent) -> Result<(), Refused> {
        self.keep.record(self.tx, event).await.map_err(Refused::unrecorded)
    }
}

/// One write, as often as it is tried.
struct Errand {
    keep: Keep,
    keyring: Keyring,
    caller: Caller,
    asked: Asked,
    look_again: LookAgain,
    /// Whether it holds up whoever else gives out ids and slugs: that comes before any organization is locked.
    alone: bool,
}

impl Errand {
    async fn run<A, W>(&self, tx: &mut Tx<'_>, work: &W) -> Result<Answer<A>, Refused>
    where
        W: AsyncFn(&mut Change<'_, '_>) -> Result<Answer<A>, Refused>,
    {
        let key = self.asked.idempotency_key.as_deref();
        let name = key.map(|key| replay::name(&self.keep.project, &self.caller, key));
        if let Some(name) = &name
            && let Some(reply) =
                replay::claimed(tx, &self.keyring, name, self.asked.fingerprint, self.keep.now).await?
        {
            // An answer may hold what is shown once: who may not do it any more is not shown it either.
            self.judge_again(tx).await?;
            return Ok(Answer { reply, is_replayed: true, shape: PhantomData });
        }
        let standing = self.judge_again(tx).await?;
        let if_match = self.asked.if_match.as_deref();
        let (keep, keyring) = (&self.keep, &self.keyring);
        let reader = self.caller.reader();
        let answer = work(&mut Change { tx: &mut *tx, keep, keyring, standing, reader, if_match }).await?;
        if let Some(name) = &name {
            replay::kept(tx, (&self.keyring, &self.keep.random), name, &answer.reply).await?;
        }
        Ok(answer)
    }

    /// Who was revoked or lost what they needed, or an organization that was deactivated, since the request came in,
    /// changes nothing any more. What is to be changed is locked at once as the change needs it: of two who hold it
    /// shared, neither could go on.
    async fn judge_again(&self, tx: &mut Tx<'_>) -> Result<Standing, Refused> {
        if self.alone {
            tx.lock(Lock::Exclusive, "projects", &self.keep.project.id.to_string()).await?;
        }
        match (self.asked.wanted.target, self.caller.organization()) {
            (Target::Organization(id), _) => {
                tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
            }
            (Target::Pair(one, other), _) => {
                // In one order, whoever comes from which side.
                for id in [one.min(other), one.max(other)] {
                    tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
                }
            }
            (_, Some(id)) => tx.lock(Lock::Shared, "organizations", &id.to_string()).await?,
            (_, None) => {}
        }
        let (project, now) = (self.keep.project.id, self.keep.now);
        let standing = caller::again(tx, project, &self.caller, self.look_again, now).await?;
        match standing {
            Some(standing) => self.asked.wanted.of(&standing, now).map(|()| standing),
            None => Err(Refused::new(Code::Unauthenticated, Code::Unauthenticated.title())),
        }
    }
}
