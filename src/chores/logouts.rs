//! Tells applications of sessions that ended (OpenID Connect Back-Channel Logout 1.0). What ended becomes one notice for
//! each session and application; each is told by one node, is tried for a day with longer and longer pauses, and is given
//! up then, which the audit trail tells. An application that does not answer holds up neither people nor others.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use tokio::task::{Id, JoinSet};

use crate::audit;
use crate::broker::Broker;
use crate::egress::http::{EgressError, Request};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, NoticeId, OrganizationId, ProjectId, SessionId};
use crate::foundation::random::Random;
use crate::keys::keyring::KeyError;
use crate::model::application::Application;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::project::Project;
use crate::model::sign_out::{Ended, Entered, Notice};
use crate::protocol::oauth::redirect_uri::WebAddress;
use crate::protocol::oidc::logout::{LOGOUT_TOKEN, LogoutToken};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::logout_notices::{self, Claimed};
use crate::store::durable::{applications, projects, sign_outs};
use crate::telemetry::names;

/// What ended, of one round.
const MOST_ENDED: i64 = 20;
/// Applications that are told at once.
const MOST_APPLICATIONS: usize = 32;
/// Notices of one application that are taken at once.
const BATCH: i64 = 10;
/// Of those, as many are on their way at a time.
const AT_ONCE: usize = 4;
/// How long an application may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A node that dies with notices in its hands keeps them for so long: longer than a batch takes.
const TURN: Duration = Duration::from_secs(30);

/// Applications that are being told. They end with this value.
#[derive(Default)]
pub struct Rounds {
    running: JoinSet<Result<usize, StoreError>>,
    of: HashMap<Id, ApplicationId>,
}

impl Rounds {
    /// Puts in line what ended, and begins to tell every application that is due and not being told already.
    pub async fn begin(&mut self, broker: &Broker) -> Result<(), StoreError> {
        self.reap();
        spread(broker).await?;
        let busy: BTreeSet<_> = self.of.values().copied().collect();
        for application in due(broker).await? {
            if busy.contains(&application) || self.of.len() >= MOST_APPLICATIONS {
                continue;
            }
            let broker = broker.clone();
            let task = self.running.spawn(async move { serve(&broker, application).await });
            self.of.insert(task.id(), application);
        }
        Ok(())
    }

    fn reap(&mut self) {
        while let Some(done) = self.running.try_join_next_with_id() {
            match done {
                Ok((id, outcome)) => {
                    self.of.remove(&id);
                    if let Err(error) = outcome {
                        tracing::error!(%error, "an application could not be told of sign-outs");
                    }
                }
                Err(error) => {
                    self.of.remove(&error.id());
                    tracing::error!(%error, "telling an application of sign-outs ended");
                }
            }
        }
    }
}

/// Tells whatever is due, and waits until it is told; how much was.
pub async fn send(broker: &Broker) -> Result<usize, StoreError> {
    spread(broker).await?;
    let each = iter(due(broker).await?).map(async |application| serve(broker, application).await);
    let all: Vec<_> = each.buffer_unordered(MOST_APPLICATIONS).collect().await;
    all.into_iter().try_fold(0, |told, one| Ok(told + one?))
}

/// More than are told at once, so that one that does not answer is not in the way of all others.
async fn due(broker: &Broker) -> Result<Vec<ApplicationId>, StoreError> {
    let most = i64::try_from(2 * MOST_APPLICATIONS).unwrap_or(i64::MAX);
    logout_notices::due(&mut &broker.db, broker.now(), most).await
}

/// Makes notices of what ended.
async fn spread(broker: &Broker) -> Result<(), StoreError> {
    // Nothing is written where nothing ended.
    for (project, ended) in sign_outs::open(&mut &broker.db, MOST_ENDED).await? {
        loop {
            let step = Step { random: broker.random.clone(), now: broker.now(), project, ended };
            if !broker.db.write(async move |tx| step.run(tx).await).await? {
                break;
            }
        }
    }
    Ok(())
}

/// Some of what ended, in one transaction that is short enough for logins to go on beside it.
struct Step {
    random: Random,
    now: Moment,
    project: ProjectId,
    ended: Ended,
}

impl Step {
    /// Whether there may be more.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Some(turn) = sign_outs::hold(tx, self.ended).await? else { return Ok(false) };
        let mut entered = sign_outs::take(tx, self.ended, &turn).await?;
        if entered.is_empty() {
            sign_outs::close(tx, self.ended).await?;
            return Ok(false);
        }
        if !self.ended.ends_the_session() {
            entered.extend(sign_outs::take_rest(tx, &entered).await?);
        }
        let mut told: HashMap<ApplicationId, bool> = HashMap::new();
        for (session, application, user, organization) in self.concerned(entered) {
            let is_told = match told.get(&application) {
                Some(known) => *known,
                None => {
                    let found = applications::by_id(tx, self.project, application).await?;
                    let is_told = found.as_ref().and_then(address).is_some();
                    told.insert(application, is_told);
                    is_told
                }
            };
            if is_told {
                let notice = Notice {
                    id: NoticeId::new(&self.random, self.now),
                    project_id: self.project,
                    application_id: application,
                    session_id: session,
                    user_id: user,
                    organization_id: organization,
                    created_at: self.now,
                    expires_at: self.now.plus(Notice::TRIED_FOR),
                };
                logout_notices::queue(tx, &notice).await?;
            }
        }
        Ok(true)
    }

    /// Once for each session and application; and for each organization, where the session goes on for others.
    fn concerned(
        &self,
        entered: Vec<Entered>,
    ) -> BTreeSet<(SessionId, ApplicationId, crate::foundation::id::UserId, Option<OrganizationId>)> {
        let whole = self.ended.ends_the_session();
        entered
            .into_iter()
            .map(|one| (one.session, one.application, one.user, one.organization.filter(|_| !whole)))
            .collect()
    }
}

/// Where an application is told, if it is.
fn address(application: &Application) -> Option<&WebAddress> {
    let address = application.settings.sign_out.backchannel_logout_uri.as_ref();
    address.filter(|_| application.is_enabled())
}

/// Tells one application, batch by batch, until nothing is due any more or it does not answer; how much it was told.
async fn serve(broker: &Broker, application: ApplicationId) -> Result<usize, StoreError> {
    let mut told = 0;
    loop {
        let now = broker.now();
        let claim = broker
            .db
            .write(async move |tx| logout_notices::claim(tx, application, now, now.plus(TURN), BATCH).await);
        let each = iter(claim.await?).map(async |claim| one(broker, claim).await);
        let all: Vec<_> = each.buffer_unordered(AT_ONCE).collect().await;
        let all = all.into_iter().collect::<Result<Vec<_>, _>>()?;
        told += all.iter().filter(|said| **said == Said::Told).count();
        if let Some(until) = all.iter().filter_map(Said::nobody_until).min() {
            let now = broker.now();
            let hold =
                async move |tx: &mut Tx<'_>| logout_notices::hold_back(tx, application, now, until).await;
            broker.db.write(hold).await?;
            return Ok(told);
        }
        if all.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            return Ok(told);
        }
    }
}

/// What came of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Told,
    /// Nobody wants to know any more, or it is given up.
    Over,
    /// It answers, and not as it should.
    Refused,
    /// Nobody answers; it is tried again then.
    Nobody(Moment),
}

impl Said {
    fn nobody_until(&self) -> Option<Moment> {
        match self {
            Self::Nobody(until) => Some(*until),
            _ => None,
        }
    }
}

/// Why an application was not told.
#[derive(Debug, thiserror::Error)]
enum Untold {
    /// It answered with this status.
    #[error("it answered {0}")]
    Status(u16),
    #[error("{0:?}")]
    Unreachable(EgressError),
    #[error("no logout token can be made: {0}")]
    Unsigned(#[from] KeyError),
}

impl Untold {
    /// For the audit trail.
    fn public(&self) -> String {
        match self {
            Self::Status(status) => format!("status_{status}"),
            Self::Unreachable(_) => "unreachable".to_owned(),
            Self::Unsigned(_) => "not_signed".to_owned(),
        }
    }
}

async fn one(broker: &Broker, claim: Claimed) -> Result<Said, StoreError> {
    let db = &mut &broker.db;
    let notice = &claim.notice;
    let project = projects::by_id(db, notice.project_id).await?;
    let application = applications::by_id(db, notice.project_id, notice.application_id).await?;
    let to = application.as_ref().and_then(|application| Some((application, address(application)?)));
    let (Some(project), Some((application, address))) = (project, to) else {
        broker.db.write(async move |tx| logout_notices::done(tx, &claim).await).await?;
        return Ok(Said::Over);
    };
    match tell(broker, &project, application, address, notice).await {
        Ok(()) => told(broker, claim).await,
        Err(untold) => not_told(broker, claim, &untold).await,
    }
}

/// Sends a logout token, made now: it counts for two minutes (Back-Channel Logout, section 2.5).
async fn tell(
    broker: &Broker,
    project: &Project,
    application: &Application,
    address: &WebAddress,
    notice: &Notice,
) -> Result<(), Untold> {
    let (now, algorithm) = (broker.now(), application.settings.algorithm);
    let keys = broker.keyring.of(project.id).await?;
    let key = keys.signing(algorithm, now)?;
    let called = broker.pairwise.names(application, notice.user_id, notice.session_id).await?;
    let organization = notice.organization_id.map(|id| id.to_string());
    let claims = LogoutToken {
        issuer: &broker.issuer(project),
        audience: &application.client_id,
        subject: &called.subject,
        session: &called.session,
        organization: organization.as_deref(),
        jti: broker.random.token().expose(),
        now,
    }
    .claims();
    let token = key.sign_jwt(LOGOUT_TOKEN, &claims).map_err(KeyError::from)?;
    names::token_issued("logout_token");
    names::signed(algorithm.name());
    let request = Request::post_form(address.url().clone(), &[("logout_token", &token)]).timeout(PATIENCE);
    match broker.http.send(request).await {
        // Anything that says yes: some frameworks make another answer of an empty one (section 2.8).
        Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
        Ok(answer) => Err(Untold::Status(answer.status)),
        Err(error) => Err(Untold::Unreachable(error)),
    }
}

async fn told(broker: &Broker, claim: Claimed) -> Result<Said, StoreError> {
    names::logout_notice("told");
    tracing::info!(
        application = %claim.notice.application_id,
        session = %claim.notice.session_id,
        tries = claim.tries,
        "an application was told of a sign-out"
    );
    broker.db.write(async move |tx| logout_notices::done(tx, &claim).await).await?;
    Ok(Said::Told)
}

async fn not_told(broker: &Broker, claim: Claimed, untold: &Untold) -> Result<Said, StoreError> {
    let now = broker.now();
    let at = now.plus(Notice::pause(claim.tries));
    let next = (at < claim.notice.expires_at).then_some(at);
    let failure = untold.public();
    names::logout_notice(if next.is_some() { "failed" } else { "given_up" });
    tracing::warn!(
        application = %claim.notice.application_id,
        session = %claim.notice.session_id,
        tries = claim.tries,
        given_up = next.is_none(),
        error = %untold,
        "an application was not told of a sign-out"
    );
    let random = broker.random.clone();
    broker
        .db
        .write(async move |tx| {
            if let Some(at) = next {
                return logout_notices::later(tx, &claim, at, &failure).await.map(drop);
            }
            if logout_notices::done(tx, &claim).await? {
                audit::record(tx, &random, now, &given_up(&claim, &failure)).await?;
            }
            Ok(())
        })
        .await?;
    Ok(match (next, untold) {
        (None, _) => Said::Over,
        (Some(at), Untold::Unreachable(_)) => Said::Nobody(at),
        (Some(_), _) => Said::Refused,
    })
}

fn given_up(claim: &Claimed, failure: &str) -> AuditEvent {
    let notice = &claim.notice;
    AuditEvent::new(notice.project_id, "logout.given_up", Outcome::Changed)
        .organization(notice.organization_id)
        .actor(Actor::House)
        .subject(notice.session_id)
        .with("application", notice.application_id.to_string())
        .with("user", notice.user_id.to_string())
        .with("tries", claim.tries)
        .with("failure", failure)
}
