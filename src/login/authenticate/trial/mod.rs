//! Somebody tries a connection before everybody must come by it (S1-P6): they go to the identity provider and back by
//! exactly the version that a link names, live or not. What comes of it is written down and shown, and nothing else: no
//! user, no session, no membership, no code.
//!
//! A trial is kept apart from logins wherever either is kept. Neither finds the other's flows, proofs or pages, so no
//! answer to the one is ever an answer to the other; and nothing that makes a session takes what is here.

pub mod pages;
pub mod saml;
mod shown;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shown::Shown;

use crate::audit::Keep;
use crate::foundation::email::Email;
use crate::foundation::id::{ApplicationId, ConnectionId, FlowId, OrganizationId, TestId};
use crate::foundation::secret::{Digest, Secret};
use crate::login::authenticate;
use crate::login::authenticate::known::{Known, meant};
use crate::login::authenticate::oidc::returned::Seen;
use crate::login::refusal::Refusal;
use crate::login::{Stop, doorstep, flow};
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::connection::{Connection, VersionState};
use crate::model::connection_test::{ConnectionTest, DomainRule, TestOutcome, TestResult, Tester};
use crate::model::domain::DomainState;
use crate::model::login::{Arrived, Asked, Beforehand, Login, Prompt, Proof, Stage};
use crate::model::policy::Policy;
use crate::store::durable::engine::{Read, StoreError, Tx};
use crate::store::durable::{
    connection_tests, connection_versions, connections, domains, organizations, users,
};
use crate::store::ephemeral::{EphemeralError, Kind};
use crate::web::cookies;
use crate::web::visitor::Visitor;

/// A trial on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    test: TestId,
    connection: ConnectionId,
    version: i64,
    /// What is asked of the provider, and what its answer must match. No application asked for it.
    login: Login,
    /// Of what was brought back, until the browser that holds the flow comes for it.
    #[serde(default)]
    ticket: Option<Digest>,
}

/// How it went, before it is known who it was.
#[derive(Debug, Serialize, Deserialize)]
struct Came {
    outcome: Result<Proof, Failure>,
    shown: Shown,
}

/// In the words of the audit trail.
#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    reason: String,
    expected: Option<String>,
    found: Option<String>,
    /// What the trail has besides, of a message: the same as of one that is refused at a sign-in.
    #[serde(default)]
    besides: BTreeMap<String, String>,
}

impl Failure {
    fn of(refusal: &Refusal) -> Self {
        let found = refusal.unreachable().or(refusal.idp_error()).map(str::to_owned);
        Self { reason: refusal.name().to_owned(), expected: None, found, besides: BTreeMap::new() }
    }

    /// As [`Self::of`], with what came instead, where that is known.
    fn seeing(refusal: &Refusal, seen: Option<Seen>) -> Self {
        let Some(Seen { expected, found }) = seen else { return Self::of(refusal) };
        Self { expected: Some(expected), found: Some(found), ..Self::of(refusal) }
    }
}

impl Trial {
    /// One that begins, with the secret of its cookie.
    fn begin(visitor: &Visitor, test: &ConnectionTest) -> (Self, Secret) {
        let broker = visitor.broker();
        let secret = broker.random.token();
        let login = Login {
            id: FlowId::new(&broker.random, broker.now()),
            project: visitor.project.id,
            browser: secret.digest(),
            csrf: broker.random.token().expose().to_owned(),
            started_at: broker.now(),
            asked: by_nobody(visitor.ui_locales.clone()),
            beforehand: Beforehand::default(),
            pushed: None,
            restarts: 0,
            proves_again: false,
            picked: None,
            stage: Stage::Arrived(Arrived::default()),
        };
        let (connection, version) = (test.connection_id, test.version);
        (Self { test: test.id, connection, version, login, ticket: None }, secret)
    }

    /// The one of this id, whichever browser holds it.
    async fn of(visitor: &Visitor, id: FlowId) -> Result<Option<Self>, Stop> {
        let found = visitor.broker().ephemeral.get(Kind::Trial, &id.to_string()).await?;
        read(visitor, found)
    }

    /// The one of this id, if this browser holds it.
    async fn held(visitor: &Visitor, id: &str) -> Result<Self, Stop> {
        let id: FlowId = id.parse().map_err(|_| Refusal::FlowExpired)?;
        let found = Self::of(visitor, id).await?.filter(|trial| trial.is_held(visitor));
        Ok(found.ok_or(Refusal::FlowExpired)?)
    }

    fn is_held(&self, visitor: &Visitor) -> bool {
        cookies::holds_flow(&visitor.headers, self.login.id, self.login.browser)
    }

    /// Takes what it waits for: of many answers to one outing, one is taken.
    async fn taken(&self, visitor: &Visitor) -> Result<Self, Stop> {
        let found = visitor.broker().ephemeral.take(Kind::Trial, &self.login.id.to_string()).await?;
        Ok(read(visitor, found)?.ok_or(Refusal::FlowExpired)?)
    }

    async fn keep(&self, visitor: &Visitor) -> Result<(), Stop> {
        let left = flow::time_left(visitor, &self.login);
        if left.is_zero() {
            return Err(Refusal::FlowExpired.into());
        }
        let (key, bytes) = (self.login.id.to_string(), serde_json::to_vec(self)?);
        let kept = visitor.broker().ephemeral.put(Kind::Trial, &key, bytes, left).await;
        kept.map_err(|error| match error {
            EphemeralError::Full(_) => Refusal::Crowded.into(),
            other => other.into(),
        })
    }

    /// What it is a trial of, while there is still something to try.
    async fn test(&self, visitor: &Visitor) -> Result<ConnectionTest, Stop> {
        let found = connection_tests::of(&mut &visitor.broker().db, self.connection, self.test).await?;
        Ok(found.ok_or(Refusal::TrialOver)?)
    }

    fn path(&self, visitor: &Visitor, step: &str) -> String {
        visitor.path(&format!("/trial/{}{step}", self.login.id))
    }
}

fn read(visitor: &Visitor, found: Option<Vec<u8>>) -> Result<Option<Trial>, Stop> {
    let trial = found.map(|bytes| serde_json::from_slice::<Trial>(&bytes)).transpose()?;
    Ok(trial.filter(|trial| trial.login.project == visitor.project.id))
}

/// What an application would have asked. The provider is to ask who it is, and not to answer with whoever sits there.
fn by_nobody(ui_locales: Option<String>) -> Asked {
    Asked {
        prompt: Prompt { select_account: true, ..Prompt::default() },
        ui_locales,
        ..Asked::by(ApplicationId::from_u128(0))
    }
}

/// The connection as it is tried: live, or as its draft has it. Whether it is in use does not matter, whether its
/// organization is, does.
async fn connection(
    db: &mut impl Read,
    visitor: &Visitor,
    (id, version): (ConnectionId, i64),
) -> Result<Connection, Stop> {
    as_tried(db, visitor.project.id, (id, version)).await?.ok_or_else(|| Refusal::ConnectionChanged.into())
}

/// As [`connection`], with what its provider's metadata says now, if what is known of that has run out: as at a sign-in.
async fn current(visitor: &Visitor, of: (ConnectionId, i64)) -> Result<Connection, Stop> {
    let broker = visitor.broker();
    let known = connection(&mut &broker.db, visitor, of).await?;
    if !doorstep::has_run_out(visitor, &known) {
        return Ok(known);
    }
    broker.saml_metadata.look(known.project_id, known.id).await?;
    connection(&mut &broker.db, visitor, of).await
}

async fn as_tried(
    db: &mut impl Read,
    project: crate::foundation::id::ProjectId,
    (id, version): (ConnectionId, i64),
) -> Result<Option<Connection>, StoreError> {
    let Some(live) = connections::by_id(db, project, id).await? else { return Ok(None) };
    if let Some(organization) = live.organization_id {
        let found = organizations::by_id(db, project, organization).await?;
        if !found.is_some_and(|found| found.is_active()) {
            return Ok(None);
        }
    }
    if live.version == version {
        return Ok(Some(live));
    }
    let found = connection_versions::by_number(db, id, version).await?;
    let draft = found.filter(|found| found.state == VersionState::Draft);
    Ok(draft.map(|draft| draft.of_connection(live)))
}

/// Writes down how it ended, once. False: it had ended, or its time was over.
async fn conclude(visitor: &Visitor, trial: &Trial, came: Came) -> Result<(), Stop> {
    let broker = visitor.broker();
    let tried = as_tried(&mut &broker.db, visitor.project.id, (trial.connection, trial.version)).await?;
    let would_refuse = match (&came.outcome, &tried) {
        (Ok(proof), Some(connection)) => {
            let who = (connection, proof);
            authenticate::rehearsed(broker, &visitor.project, visitor.request, who).await?
        }
        _ => None,
    };
    let work = Conclusion {
        keep: Keep {
            random: broker.random.clone(),
            project: visitor.project.clone(),
            actor: Actor::Anonymous,
            by: None,
            request: Some(visitor.request),
            now: broker.now(),
        },
        trial: trial.clone(),
        came,
        would_refuse,
    };
    if broker.db.write(async move |tx| work.run(tx).await).await? {
        Ok(())
    } else {
        Err(Refusal::TrialOver.into())
    }
}

struct Conclusion {
    keep: Keep,
    trial: Trial,
    came: Came,
    /// What a sign-in would have failed for, of somebody whom the rules let in.
    would_refuse: Option<Refusal>,
}

/// Whom a sign-in would have found, and whether it would have let them in.
struct Judged {
    refusal: Option<Refusal>,
    rule: Option<DomainRule>,
    tester: Tester,
    user: Option<crate::foundation::id::UserId>,
}

impl Conclusion {
    async fn run(mut self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let would_refuse = self.would_refuse.take();
        let (id, version) = (self.trial.connection, self.trial.version);
        let project = self.keep.project.id;
        let connection = as_tried(tx, project, (id, version)).await?;
        let judged = match (&self.came.outcome, &connection) {
            (_, None) => Judged::refused(Refusal::ConnectionChanged),
            (Err(_), Some(_)) => Judged { refusal: None, rule: None, tester: Tester::Unknown, user: None },
            (Ok(proof), Some(connection)) => {
                let judged = self.judge(tx, connection, proof).await?;
                Judged { refusal: judged.refusal.or(would_refuse), ..judged }
            }
        };
        let Some(live) = connections::by_id(tx, project, id).await? else { return Ok(false) };
        let result = self.result(judged);
        if !connection_tests::end(tx, self.trial.test, &result).await? {
            return Ok(false);
        }
        self.keep.record(tx, &self.event(&live, &result)).await?;
        Ok(true)
    }

    async fn judge(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        proof: &Proof,
    ) -> Result<Judged, StoreError> {
        let project = self.keep.project.id;
        let organization = connection.organization_id;
        let rule = self.domain_rule(tx, organization, proof).await?;
        let user = match meant(tx, connection.id, proof).await? {
            Known::Somebody(identity) => Some(identity.user_id),
            Known::Otherwise(_) | Known::Nobody => None,
        };
        let is_disabled = match user {
            Some(user) => {
                users::by_id(tx, project, user).await?.is_none_or(|user| user.disabled_at.is_some())
            }
            None => false,
        };
        let is_open = self.keep.project.settings.switches.open(
            connection,
            match organization {
                Some(id) => organizations::by_id(tx, project, id).await?.map(|found| found.policy),
                None => None::<Policy>,
            }
            .as_ref(),
        );
        let refusal = match (rule.lets_in(), is_disabled, is_open) {
            (false, ..) => Some(Refusal::EmailDomainNotAllowed),
            (_, true, _) => Some(Refusal::UserDisabled),
            (.., false) => Some(Refusal::MethodNotAllowed),
            _ => None,
        };
        let tester = self.tester(tx, organization, (user, proof)).await?;
        Ok(Judged { refusal, rule: Some(rule), tester, user })
    }

    async fn tester(
        &self,
        tx: &mut Tx<'_>,
        organization: Option<OrganizationId>,
        (user, proof): (Option<crate::foundation::id::UserId>, &Proof),
    ) -> Result<Tester, StoreError> {
        let Some(organization) = organization else { return Ok(Tester::Colleague) };
        let email = proof.email.as_ref();
        let administers = connection_tests::is_administrator(tx, organization, user, email).await?;
        Ok(if administers { Tester::Administrator } else { Tester::Colleague })
    }

    /// As at a sign-in (invariant 2), but for the switch that leads a domain here.
    async fn domain_rule(
        &self,
        tx: &mut Tx<'_>,
        organization: Option<OrganizationId>,
        proof: &Proof,
    ) -> Result<DomainRule, StoreError> {
        if let Some(named) = &proof.named_by {
            let rule = self.rule_of(tx, organization, Some(named)).await?;
            if !rule.lets_in() {
                return Ok(rule);
            }
        }
        self.rule_of(tx, organization, proof.email.as_ref()).await
    }

    async fn rule_of(
        &self,
        tx: &mut Tx<'_>,
        organization: Option<OrganizationId>,
        email: Option<&Email>,
    ) -> Result<DomainRule, StoreError> {
        Ok(match (email, organization) {
            (None, Some(_)) => DomainRule::NoAddress,
            (None, None) => DomainRule::Unclaimed,
            (Some(email), Some(organization)) => {
                let found = domains::by_name(tx, organization, email.domain()).await?;
                let verified = found.is_some_and(|found| found.state == DomainState::Verified);
                if verified { DomainRule::Verified } else { DomainRule::NotVerified }
            }
            (Some(email), None) => match domains::held(tx, self.keep.project.id, email.domain()).await? {
                Some(_) => DomainRule::NotVerified,
                None => DomainRule::Unclaimed,
            },
        })
    }

    fn result(&self, judged: Judged) -> TestResult {
        let proof = self.came.outcome.as_ref().ok();
        let refused = judged.refusal.as_ref();
        let failure = self.came.outcome.as_ref().err();
        let reason = refused.map(|refusal| refusal.name().to_owned());
        let reason = reason.or_else(|| failure.map(|failure| failure.reason.clone()));
        let wanted = refused.map(|refusal| refusal.wanted().into_owned());
        TestResult {
            ended_at: self.keep.now,
            outcome: if reason.is_none() { TestOutcome::Succeeded } else { TestOutcome::Failed },
            reason,
            expected: wanted.or_else(|| failure.and_then(|failure| failure.expected.clone())),
            found: failure.and_then(|failure| failure.found.clone()),
            subject: proof.map(|proof| shown::cut(&proof.subject)),
            email: proof.and_then(|proof| proof.email.clone()),
            user: judged.user,
            tester: judged.tester,
            domain_rule: judged.rule,
            claims: self.came.shown.claims.clone(),
            left_out: self.came.shown.left_out.clone(),
            facts: proof.map(|proof| proof.facts.clone()).unwrap_or_default(),
        }
    }

    fn event(&self, connection: &Connection, result: &TestResult) -> AuditEvent {
        let outcome = match result.outcome {
            TestOutcome::Succeeded => Outcome::Granted,
            TestOutcome::Failed => Outcome::Refused,
        };
        let mut event = AuditEvent::new(self.keep.project.id, "organization.connection.tested", outcome)
            .organization(connection.organization_id)
            .request(self.keep.request)
            .subject(connection.id)
            .with("test", self.trial.test.to_string())
            .with("version", self.trial.version)
            .with("tester", result.tester.word());
        for (name, value) in
            [("why", &result.reason), ("expected", &result.expected), ("found", &result.found)]
        {
            if let Some(value) = value {
                event = event.with(name, value.as_str());
            }
        }
        for (name, value) in self.came.outcome.as_ref().err().iter().flat_map(|failure| &failure.besides) {
            event.detail.insert(name.clone(), value.as_str().into());
        }
        event
    }
}

impl Judged {
    fn refused(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), rule: None, tester: Tester::Unknown, user: None }
    }
}
