//! A token for a token (RFC 8693). The application that somebody signed in to gets one for another of their organizations,
//! or one that may do less; another application, to which their token was presented, gets one in which it acts for them.
//! Neither is ever for more, for longer or for anybody else than the token that it is made of, but for what the person is
//! in the other organization (threats C22); and it is worth nothing from when that one's family ends. A token that is bound
//! is exchanged by whoever proves to hold what it is bound to, for one that is bound to the same: so nobody is rid of that by
//! an exchange (threats M06).

mod presented;

use std::sync::Arc;

use super::signing::{Granted, Pen, sign};
use super::{Denied, Lifetimes, NoTokens, choice, not_for_this_organization, switch_refused, unnamed};
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::{GrantId, RequestId};
use crate::foundation::random::Random;
use crate::login::Stop;
use crate::login::issue::mint::{self, ActingFor, MachineRequest};
use crate::login::issue::minting;
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::grant::{Exchanged, Grant, GrantRequest};
use crate::model::login::Context;
use crate::protocol::jose::Claims;
use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::exchange::Request;
use crate::protocol::oauth::organization::NamedOrganization;
use crate::protocol::oauth::scope;
use crate::protocol::oauth::token::TokenAnswer;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{applications, grants, machine_grants, organizations};
use crate::web::holder::Shown;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;
use presented::prepared;

/// Actors of one token at most.
const MOST_ACTORS: usize = 5;
/// How often tokens are exchanged that came of an exchange.
const MOST_TIMES: u32 = 10;

pub async fn exchange(
    visitor: &Visitor,
    application: Application,
    request: Request,
    proved: Confirmation,
) -> Result<TokenAnswer, NoTokens> {
    let id = application.id;
    let work = match prepared(visitor, application, request, proved).await {
        Ok(work) => Arc::new(work),
        Err(Stop::Refused(refusal)) => {
            let denied = Denied::Unrecorded(id, refusal);
            return Err(Stop::from(denied.told(visitor).await.map_err(NoTokens::Failed)?).into());
        }
        Err(failed) => return Err(failed.into()),
    };
    let running = Arc::clone(&work);
    let done = visitor.broker().db.write_again_on_snapshot(async move |tx| running.run(tx).await).await;
    match done.map_err(Stop::from)? {
        Ok(granted) => Ok(sign(visitor, &granted).await?),
        Err((context, refusal)) => {
            let denied = Denied::UnrecordedOf(id, context, refusal);
            let refusal = denied.told(visitor).await.map_err(NoTokens::Failed)?;
            Err(work.told(visitor, (context, refusal)).await)
        }
    }
}

/// Whoever shows a token of theirs at the administration API acts for another organization there: what their application
/// could have it exchanged for, for that API and nothing else. Nobody says by an access token alone that they are the
/// application, so that there is no more of it than that: it lives no longer, and there is nothing to refresh it by.
#[derive(Debug)]
pub struct Switching {
    work: Exchanging,
    pen: Pen,
}

/// Where they want to, with what they show, and what that is for.
pub async fn switching(
    visitor: &Visitor,
    application: Application,
    (shown, organization, audience): (&Shown, &str, &str),
) -> Result<Switching, Fault> {
    let (broker, now) = (visitor.broker(), visitor.broker().now());
    let Shown { grant, user, session, token } = shown;
    let lifetime = Lifetimes::of(visitor, &application.settings).access_token;
    // It was verified when it was shown.
    let ends = token.exp().unwrap_or(now);
    let bound = Confirmation::of(token).unwrap_or_default();
    let pen = Pen::of(visitor, &application, (*user, *session)).await?;
    let request = Request {
        subject_token: String::new(),
        actor_token: None,
        scopes: None,
        organization: Some(NamedOrganization::one(organization)),
        targets: vec![("audience", audience.to_owned())],
    };
    let work = Exchanging {
        random: broker.random.clone(),
        now,
        tag: visitor.request,
        issuer: visitor.issuer(),
        acts: false,
        actor: None,
        expires_at: now.plus(std::time::Duration::from_secs(lifetime)).min(ends),
        application,
        subject: *grant,
        token: token.clone(),
        proved: bound.clone(),
        bound,
        request,
    };
    Ok(Switching { work, pen })
}

impl Switching {
    /// For whom they act then, and the token; or why not, in which context.
    pub async fn run(
        &self,
        tx: &mut Tx<'_>,
    ) -> Result<Result<(ActingFor, TokenAnswer), NotExchanged>, Fault> {
        let granted = match self.work.run(tx).await? {
            Ok(granted) => granted,
            Err(refused) => return Ok(Err(refused)),
        };
        let answer = self.pen.written(&granted)?;
        let acting = granted.into_acting().ok_or((Context::Personal, Refusal::OrganizationNotAllowed));
        Ok(acting.map(|acting| (acting, answer)))
    }

    pub fn application(&self) -> &Application {
        &self.work.application
    }
}

/// What is presented may be unacceptable for many reasons, and that is all that is told (RFC 8693, section 2.2.2).
fn unacceptable(why: &'static str) -> Refusal {
    Refusal::Protocol(OAuthError::invalid_request(why))
}

fn over() -> Refusal {
    unacceptable("subject_token is not valid any more")
}

fn invalid_target(why: &'static str) -> Refusal {
    Refusal::Protocol(OAuthError::invalid_target(why))
}

/// One exchange, in one transaction.
#[derive(Debug)]
struct Exchanging {
    random: Random,
    now: Moment,
    tag: RequestId,
    issuer: String,
    application: Application,
    /// The family of the token that is presented, and what that says.
    subject: GrantId,
    token: Claims,
    /// What the presented token is bound to, and what was proved: that, at least.
    bound: Confirmation,
    proved: Confirmation,
    /// Whether the application acts for the person, in its own name.
    acts: bool,
    actor: Option<GrantId>,
    expires_at: Moment,
    request: Request,
}

/// Why not, and in which context: it stands in that organization's trail.
type NotExchanged = (Context, Refusal);

impl Exchanging {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Result<Granted, NotExchanged>, StoreError> {
        let subject = match self.subject(tx).await? {
            Ok(subject) => subject,
            Err(refusal) => return Ok(Err((Context::Personal, refusal))),
        };
        let context = match self.context(tx, &subject).await? {
            Ok(context) => context,
            Err(refusal) => return Ok(Err((Context::Personal, refusal))),
        };
        let stays = context == subject.context();
        // Whoever switches leaves an organization behind, and that is not asked any more, as by a refresh.
        if (stays || self.acts)
            && let Err(refusal) = mint::run(tx, &minting(&subject, self.now)).await?
        {
            return Ok(Err((Context::Personal, self.not_for(refusal))));
        }
        let made = self.scopes(&subject, context).and_then(|scopes| Ok((scopes, self.exchanged(&subject)?)));
        let (scopes, exchanged) = match made {
            Ok(made) => made,
            Err(refusal) => return Ok(Err((Context::Personal, refusal))),
        };
        let request = mint::Request {
            application: self.application.id,
            context,
            scopes,
            epochs: stays.then_some(subject.epochs),
            // Whoever acts for the person leads them nowhere.
            place: subject.request.place.clone().filter(|_| !self.acts),
            ..minting(&subject, self.now)
        };
        let minted = match mint::run(tx, &request).await? {
            Ok(minted) => minted,
            Err(refusal) => return Ok(Err((context, refusal))),
        };
        // After the organizations, as everybody locks.
        tx.lock(Lock::Exclusive, "grants", &subject.id.to_string()).await?;
        let mut of_family = minted.scopes.clone();
        // What outlives the session does so here, too, for as long as it lives.
        of_family.extend(subject.is_offline().then(|| scope::OFFLINE_ACCESS.to_owned()));
        let event = self.event(&subject, context, &exchanged);
        let grant = Grant {
            id: GrantId::new(&self.random, self.now),
            origin: subject.origin.or(Some(subject.id)),
            subject: Some(subject.id),
            application_id: self.application.id,
            organization: context.organization(),
            delegation: context.delegation(),
            epochs: minted.epochs(),
            request: GrantRequest {
                scopes: of_family,
                login: subject.request.login.clone(),
                on_device: subject.request.on_device,
                place: request.place.clone(),
                exchanged: Some(exchanged),
                ..GrantRequest::default()
            },
            code_expires_at: self.now,
            expires_at: self.expires_at,
            refresh: None,
            ..subject
        };
        grants::insert(tx, &grant, None, self.now).await?;
        let event = event.subject(grant.id);
        match stays {
            true => audit::record(tx, &self.random, self.now, &minted.describe(event)).await?,
            false => minted.record(tx, &self.random, self.now, event).await?,
        }
        let granted = Granted::of(tx, grant, minted, &self.proved, self.now).await?;
        Ok(Ok(granted.bound_like(&self.bound)))
    }

    /// The family of the token, if that has not ended, and if this application may have it exchanged.
    async fn subject(&self, tx: &mut Tx<'_>) -> Result<Result<Grant, Refusal>, StoreError> {
        let project = self.application.project_id;
        let found = grants::by_id(tx, self.subject).await?;
        let found = found.filter(|grant| grant.revoked_at.is_none() && grant.project_id == project);
        let Some(grant) = found else { return Ok(Err(over())) };
        if grant.application_id != self.application.id {
            let whose = applications::by_id(tx, project, grant.application_id).await?;
            let may =
                whose.is_some_and(|one| one.settings.exchange.may_act.contains(&self.application.client_id));
            if !may {
                let why = "the application of the subject token lets nobody else act for its people";
                return Ok(Err(unacceptable(why)));
            }
        }
        if let Some(actor) = self.actor
            && !self.actor_is_alive(tx, actor).await?
        {
            return Ok(Err(unacceptable("actor_token is not valid any more")));
        }
        Ok(Ok(grant))
    }

    async fn actor_is_alive(&self, tx: &mut Tx<'_>, id: GrantId) -> Result<bool, StoreError> {
        let found = machine_grants::by_id(tx, id).await?;
        let Some(grant) = found.filter(|grant| grant.revoked_at.is_none()) else { return Ok(false) };
        let request = MachineRequest {
            project: grant.project_id,
            application: grant.application_id,
            organization: grant.organization.map(|(id, _)| id),
            now: self.now,
            epoch: grant.organization.map(|(_, epoch)| epoch),
        };
        Ok(mint::run_for_machine(tx, &request).await?.is_ok())
    }

    /// For whom the person acts: as before, or as they wish. Whoever acts for them does not choose that.
    async fn context(
        &self,
        tx: &mut Tx<'_>,
        subject: &Grant,
    ) -> Result<Result<Context, Refusal>, StoreError> {
        let Some(named) = &self.request.organization else { return Ok(Ok(subject.context())) };
        if self.acts || !actors(subject).is_empty() {
            let found = organizations::named(tx, subject.project_id, named.name()).await?;
            let is_same = found.is_some_and(|found| {
                subject.organization == Some(found.id) && named.agrees_with(&found.slug)
            });
            let why = "organization: who acts for somebody stays in that of their token";
            return Ok(if is_same { Ok(subject.context()) } else { Err(invalid_target(why)) });
        }
        Ok(choice(tx, &self.application, subject, (named, self.now)).await?.map(|choice| {
            let stays = subject.organization == Some(choice.organization);
            if stays { subject.context() } else { choice.context() }
        }))
    }

    /// All that the token is for, or less; and nothing that this application may not ask for itself.
    fn scopes(&self, subject: &Grant, context: Context) -> Result<Vec<String>, Refusal> {
        let of_token: Vec<_> = self.token.string("scope").unwrap_or_default().split(' ').collect();
        let granted = &subject.request.scopes;
        let mut all: Vec<_> =
            granted.iter().filter(|one| of_token.contains(&one.as_str())).cloned().collect();
        all.retain(|one| one != scope::OFFLINE_ACCESS);
        let invalid = |why: &'static str| Refusal::Protocol(OAuthError::invalid_scope(why));
        if let Some(wanted) = &self.request.scopes {
            if wanted.iter().any(|one| !all.contains(one)) {
                return Err(invalid("scope goes beyond what the subject token is for"));
            }
            all.retain(|one| wanted.contains(one));
        }
        if self.acts {
            let settings = &self.application.settings;
            let may = |one: &String| settings.granted_scopes(std::slice::from_ref(one)).is_ok();
            if self.request.scopes.is_some() && !all.iter().all(may) {
                return Err(invalid("this application may not ask for some of it"));
            }
            all.retain(may);
        }
        Ok(if context == subject.context() { all } else { unnamed(&all) })
    }

    /// Why the token of the person is good for nothing. Its own application is told what it could do about it.
    fn not_for(&self, refusal: Refusal) -> Refusal {
        match refusal {
            Refusal::NoOrganization if !self.acts => refusal,
            Refusal::OrganizationsNotUsed if !self.acts => unacceptable(refusal.description()),
            _ => over(),
        }
    }

    /// Who acts, and for whom the token is to be.
    fn exchanged(&self, subject: &Grant) -> Result<Exchanged, Refusal> {
        let mut act = actors(subject).to_vec();
        if self.acts {
            act.insert(0, self.application.client_id.clone());
        }
        if act.len() > MOST_ACTORS {
            return Err(unacceptable("there are as many actors as there may be"));
        }
        let times = subject.request.exchanged.as_ref().map_or(1, |before| before.times + 1);
        if times > MOST_TIMES {
            return Err(unacceptable("subject_token came of too many exchanges"));
        }
        Ok(Exchanged { act, audience: self.audience()?, times })
    }

    /// Of what the token is for, or of what the settings say where the application acts.
    fn audience(&self) -> Result<Vec<String>, Refusal> {
        let all: Vec<String> = match self.acts {
            true => self.application.acts_beyond(&self.issuer),
            false => self.token.aud().unwrap_or_default().into_iter().map(str::to_owned).collect(),
        };
        let targets = &self.request.targets;
        if let Some((name, _)) = targets.iter().find(|(_, target)| !all.contains(target)) {
            return Err(invalid_target(match *name {
                "resource" => "resource is nothing that the token may be for",
                _ => "audience is nobody whom the token may be for",
            }));
        }
        match (targets.is_empty(), self.acts, all.as_slice()) {
            (false, ..) => Ok(targets.iter().map(|(_, target)| target.clone()).collect()),
            (true, false, _) | (true, true, [_]) => Ok(all),
            (true, true, _) => Err(invalid_target(
                "audience is missing: there is none, or more than one, that the token could be for",
            )),
        }
    }

    fn event(&self, subject: &Grant, context: Context, exchanged: &Exchanged) -> AuditEvent {
        AuditEvent::new(subject.project_id, "token.exchanged", Outcome::Granted)
            .organization(context.organization())
            .actor(subject.user_id)
            .request(Some(self.tag))
            .with("from", subject.id.to_string())
            .with("act", exchanged.act.clone())
            .with("audience", exchanged.audience.clone())
    }

    /// The protocol's words. Whoever switches is told what they could do about it.
    async fn told(&self, visitor: &Visitor, (context, refusal): (Context, Refusal)) -> NoTokens {
        if matches!(refusal, Refusal::Protocol(_)) {
            return Stop::Refused(refusal).into();
        }
        match &self.request.organization {
            Some(named) if !self.acts => {
                switch_refused(visitor, (&self.application, named), context, refusal).await
            }
            _ => not_for_this_organization(&refusal).unwrap_or_else(|| {
                Stop::from(Refusal::Protocol(OAuthError::invalid_request(refusal.description()))).into()
            }),
        }
    }
}

/// Who acts in a token of this family already, the last one first.
fn actors(grant: &Grant) -> &[String] {
    grant.request.exchanged.as_ref().map_or(&[], |exchanged| &exchanged.act)
}
