//! The one way to write.

use std::collections::BTreeSet;

use super::answer::matches;
use super::{Answer, Asked, Desk, replay};
use crate::audit::Keep;
use crate::foundation::id::{OrganizationId, UserId};
use crate::keys::keyring::Keyring;
use crate::manage::authority::{Proved, Standing, Target};
use crate::manage::caller::{self, Caller};
use crate::manage::refused::{Code, Refused};
use crate::model::api_key::OperatorRole;
use crate::model::audit_event::{Actor, AuditEvent};
use crate::model::organization::Organization;
use crate::store::durable::engine::{Lock, Tx};
use crate::store::durable::ways_in::{self, Of};
use crate::store::durable::{api_keys, organizations};
use crate::web::holder::LookAgain;

impl Desk {
    /// The only way to write. In one transaction: an answer given under the same `Idempotency-Key` is given again;
    /// whether the caller's key still lives is asked once more (their roles are those they came with); `work` runs; the
    /// answer is kept. What `work` refuses is taken back whole. `work` awaits nothing but the transaction, and may run
    /// several times.
    pub async fn change<A, W>(&self, work: W) -> Result<Answer<A>, Refused>
    where
        W: AsyncFn(&mut Change<'_, '_>) -> Result<Answer<A>, Refused> + Send + Sync + 'static,
        A: Send + 'static,
    {
        self.tried(Ahead::Nothing, work).await
    }

    /// The same for what gives out an id or a slug: one after another in the project.
    pub async fn change_alone<A, W>(&self, work: W) -> Result<Answer<A>, Refused>
    where
        W: AsyncFn(&mut Change<'_, '_>) -> Result<Answer<A>, Refused> + Send + Sync + 'static,
        A: Send + 'static,
    {
        self.tried(Ahead::Project, work).await
    }

    /// The same for what may shut a door of the organization by which owners of others come in.
    pub async fn change_with_guests<A, W>(&self, work: W) -> Result<Answer<A>, Refused>
    where
        W: AsyncFn(&mut Change<'_, '_>) -> Result<Answer<A>, Refused> + Send + Sync + 'static,
        A: Send + 'static,
    {
        self.tried(Ahead::Guests, work).await
    }

    async fn tried<A, W>(&self, ahead: Ahead, work: W) -> Result<Answer<A>, Refused>
    where
        W: AsyncFn(&mut Change<'_, '_>) -> Result<Answer<A>, Refused> + Send + Sync + 'static,
        A: Send + 'static,
    {
        let errand = self.errand(ahead);
        let outcome = self.db().write_again(async move |tx| errand.run(tx, &work).await).await;
        outcome.map_err(Refused::told_busy)
    }

    fn errand(&self, ahead: Ahead) -> Errand {
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
            ahead,
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

/// What is locked besides what a write is about, before it is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ahead {
    Nothing,
    /// Whoever else gives out ids and slugs is held up.
    Project,
    /// The organizations whose owners come by connections of the one that it is about ([`last_way::Guests`]): together with
    /// that one in the order of their ids, for it may be a guest of theirs.
    ///
    /// [`last_way::Guests`]: crate::manage::last_way::Guests
    Guests,
}

/// One write, as often as it is tried.
struct Errand {
    keep: Keep,
    keyring: Keyring,
    caller: Caller,
    asked: Asked,
    look_again: LookAgain,
    ahead: Ahead,
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
            return Ok(Answer::replayed(reply));
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
        if self.ahead == Ahead::Project {
            tx.lock(Lock::Exclusive, "projects", &self.keep.project.id.to_string()).await?;
        }
        match (self.asked.wanted.target, self.caller.organization()) {
            (Target::Organization(id), _) => {
                let mut all = BTreeSet::from([id]);
                if self.ahead == Ahead::Guests {
                    let guests = ways_in::of_owners(tx, self.keep.project.id, Of::GuestsOf(id)).await?;
                    all.extend(guests.iter().map(|way| way.organization.id));
                }
                for id in all {
                    tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
                }
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
