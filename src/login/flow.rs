//! Login flows on their way: kept in the short-lived store, bound to the browser by a cookie each.

use std::time::Duration;

use http::{HeaderValue, header};

use super::Stop;
use super::refusal::Refusal;
use crate::foundation::id::FlowId;
use crate::foundation::secret::{Digest, Secret};
use crate::model::application::Application;
use crate::model::login::{Arrived, Asked, Beforehand, Login, Stage};
use crate::protocol::oauth::params::Params;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{applications, connections};
use crate::store::ephemeral::{EphemeralError, Kind};
use crate::web::cookies;
use crate::web::reply::{self, Fault, Response};
use crate::web::visitor::Visitor;

/// The largest request that is kept, in bytes: with room for the rest of a flow within what the store takes.
const LARGEST_REQUEST: usize = 4 * 1024;

/// The flow of this id, whichever browser holds it: to judge a message that another site made a browser post, and so
/// without cookies. It shows and grants nothing to whoever sent that.
pub async fn awaiting(visitor: &Visitor, id: FlowId) -> Result<Option<Login>, Stop> {
    of_project(visitor, visitor.broker().ephemeral.get(Kind::LoginFlow, &id.to_string()).await?)
}

/// Moves a flow on to `stage`, whichever browser holds it, if it is still where `before` says. Of many, one does.
pub async fn move_on(
    visitor: &Visitor,
    id: FlowId,
    before: impl FnOnce(&Login) -> bool,
    stage: Stage,
) -> Result<bool, Stop> {
    let taken = visitor.broker().ephemeral.take(Kind::LoginFlow, &id.to_string()).await?;
    let Some(mut login) = of_project(visitor, taken)? else { return Ok(false) };
    let moves = before(&login);
    if moves {
        login.stage = stage;
    }
    put(visitor, &login).await?;
    Ok(moves)
}

fn of_project(visitor: &Visitor, found: Option<Vec<u8>>) -> Result<Option<Login>, Stop> {
    let login = found.map(|bytes| serde_json::from_slice::<Login>(&bytes)).transpose()?;
    Ok(login.filter(|login| login.project == visitor.project.id))
}

/// Keeps a flow for as long as it has left.
async fn put(visitor: &Visitor, login: &Login) -> Result<(), Stop> {
    let broker = visitor.broker();
    let left = time_left(visitor, login);
    if !left.is_zero() {
        let bytes = serde_json::to_vec(login)?;
        let kept = broker.ephemeral.put(Kind::LoginFlow, &login.id.to_string(), bytes, left).await;
        kept.map_err(|error| match error {
            EphemeralError::Full(_) => Stop::from(Refusal::Crowded),
            other => other.into(),
        })?;
    }
    Ok(())
}

/// Until the flow ends, whatever happens in it.
pub fn time_left(visitor: &Visitor, login: &Login) -> Duration {
    let broker = visitor.broker();
    login.started_at.plus(Duration::from_secs(broker.config.login.flow_lifetime)).since(broker.now())
}
/// How many times the share of a network the larger one has that it is part of.
const LARGER: u64 = 4;

/// Whether one more of these may be kept.
pub async fn may_begin(visitor: &Visitor, kind: Kind) -> Result<(), Stop> {
    let (network, larger) = visitor.networks();
    let share = visitor.broker().config.login.flows_per_minute;
    let shares = std::iter::once((network, share)).chain(larger.map(|larger| (larger, LARGER * share)));
    let ephemeral = &visitor.broker().ephemeral;
    for (network, share) in shares {
        let key = format!("flows {network}");
        if ephemeral.count(Kind::RateCounter, &key, Duration::from_secs(60)).await? > share {
            return Err(Refusal::TooManyRequests.into());
        }
    }
    if ephemeral.is_crowded(kind) { Err(Refusal::Crowded.into()) } else { Ok(()) }
}

/// Whether there is room for what was asked while the person is away.
pub fn is_small(asked: &Asked) -> bool {
    serde_json::to_vec(asked).is_ok_and(|bytes| bytes.len() <= LARGEST_REQUEST)
}

/// A login, and the secret of its cookie if the browser does not have it yet.
#[derive(Debug)]
pub struct Journey {
    pub login: Login,
    new: Option<Secret>,
}

impl Journey {
    /// A journey that begins. Nothing is kept until somebody has to wait for a page or another server.
    pub fn begin(visitor: &Visitor, asked: Asked) -> Self {
        let broker = visitor.broker();
        let secret = broker.random.token();
        let login = Login {
            id: FlowId::new(&broker.random, broker.now()),
            project: visitor.project.id,
            browser: secret.digest(),
            csrf: broker.random.token().expose().to_owned(),
            started_at: broker.now(),
            asked,
            beforehand: Beforehand::default(),
            pushed: None,
            stage: Stage::Arrived(Arrived::default()),
        };
        Self { login, new: Some(secret) }
    }

    /// The same of a request that was pushed under a name of this digest.
    #[must_use]
    pub fn of_pushed(mut self, digest: Option<Digest>) -> Self {
        self.login.pushed = digest;
        self
    }

    /// The flow in which this browser has used up what was pushed under a name of this digest, while it is under way.
    pub async fn of_request(visitor: &Visitor, digest: Digest) -> Result<Option<Self>, Stop> {
        for id in cookies::flows(&visitor.headers) {
            match Self::find(visitor, &id.to_string()).await {
                Ok(journey) if journey.login.pushed == Some(digest) => return Ok(Some(journey)),
                Ok(_) | Err(Stop::Refused(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(None)
    }

    /// The flow of this id, if this browser holds it.
    pub async fn find(visitor: &Visitor, id: &str) -> Result<Self, Stop> {
        let id: FlowId = id.parse().map_err(|_| Refusal::FlowExpired)?;
        let found = visitor.broker().ephemeral.get(Kind::LoginFlow, &id.to_string()).await?;
        Self::read(visitor, found)
    }

    /// As [`Self::find`], and nobody else finds it until it is kept again: for steps that happen once.
    pub async fn take(visitor: &Visitor, id: &str) -> Result<Self, Stop> {
        // Looked at first: a stranger who knows the id alone must not be able to end the flow.
        Self::find(visitor, id).await?.taken(visitor).await
    }

    /// This flow, which was found, as [`Self::take`] has it.
    pub async fn taken(self, visitor: &Visitor) -> Result<Self, Stop> {
        let key = self.login.id.to_string();
        let found = visitor.broker().ephemeral.take(Kind::LoginFlow, &key).await?;
        Self::read(visitor, found)
    }

    fn read(visitor: &Visitor, found: Option<Vec<u8>>) -> Result<Self, Stop> {
        let login = of_project(visitor, found)?.ok_or(Refusal::FlowExpired)?;
        let held = cookies::holds_flow(&visitor.headers, login.id, login.browser);
        if held { Ok(Self { login, new: None }) } else { Err(Refusal::FlowExpired.into()) }
    }

    /// A form of one of our pages, posted from it: the right token, and not from another site (threats H24).
    pub fn check_form(&self, visitor: &Visitor, params: &Params) -> Result<(), Stop> {
        let token = params.get("csrf").ok().flatten().unwrap_or_default();
        let expected = Secret::new(self.login.csrf.as_str()).digest();
        if visitor.is_cross_site() || !expected.matches(token) {
            return Err(Refusal::ForeignForm.into());
        }
        Ok(())
    }

    /// Whether one more flow may be kept. Each network has its share; and when the store is nearly full, it takes no
    /// more, for the rest of the room is for those who are under way.
    async fn may_begin(&self, visitor: &Visitor) -> Result<(), Stop> {
        if self.new.is_none() { Ok(()) } else { may_begin(visitor, Kind::LoginFlow).await }
    }

    /// Where the forms of this flow lead in the end: to an identity provider that cannot be named before the
    /// address is typed (naming them all would tell strangers who our customers are), or back to the application,
    /// and wherever that sends the person on.
    pub fn form_targets(&self, visitor: &Visitor) -> Vec<String> {
        let mut targets = visitor.provider_targets();
        targets.extend(reply::form_target(&self.login.asked.redirect_uri));
        targets
    }

    /// Keeps the flow for the next step, and gives the browser its cookie if it is new. A network that has begun too
    /// many is refused here, so that nothing is kept without being counted.
    pub async fn keep(&mut self, visitor: &Visitor, mut response: Response) -> Result<Response, Stop> {
        self.may_begin(visitor).await?;
        put(visitor, &self.login).await?;
        if let Some(secret) = self.new.take() {
            let from = (!self.answers_nobody()).then_some(self.login.asked.application);
            for cookie in cookies::open_flow(&visitor.headers, self.login.id, &secret, from) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        Ok(response)
    }

    /// Ends the flow.
    pub async fn end(self, visitor: &Visitor, mut response: Response) -> Result<Response, Fault> {
        if self.new.is_none() {
            visitor.broker().ephemeral.take(Kind::LoginFlow, &self.login.id.to_string()).await?;
            let cookie: HeaderValue = cookies::close_flow(self.login.id);
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// The application that the person came from; who is invited to none came from the house itself.
    pub async fn application(&self, visitor: &Visitor) -> Result<Option<Application>, StoreError> {
        let (mut db, project) = (&visitor.broker().db, &visitor.project);
        if self.login.asked.application != Application::HOUSE {
            return applications::by_id(&mut db, project.id, self.login.asked.application).await;
        }
        let own = connections::of_nobody(&mut db, project.id).await?;
        let active = own.iter().filter(|one| one.is_active()).map(|one| one.id);
        Ok(Some(Application::of_house(project, active.collect())))
    }

    /// Whether somebody came by an invitation: then there is no application that waits for an answer.
    pub fn is_invited(&self) -> bool {
        self.login.asked.invitation.is_some()
    }

    /// Whether they came for their own account: then there is none either.
    pub fn is_for_account(&self) -> bool {
        self.login.asked.application == Application::HOUSE && !self.is_invited()
    }

    /// Whether no application waits for an answer.
    pub fn answers_nobody(&self) -> bool {
        !self.login.asked.is_answered()
    }

    /// Where "Cancel" leads back to the application, if one waits.
    pub fn cancel(&self, visitor: &Visitor) -> Option<String> {
        (!self.answers_nobody()).then(|| self.path(visitor, "/cancel"))
    }

    /// Whether the browser does not hold it yet.
    pub fn is_new(&self) -> bool {
        self.new.is_some()
    }

    /// A path of this flow's.
    pub fn path(&self, visitor: &Visitor, step: &str) -> String {
        visitor.path(&format!("/login/{}{step}", self.login.id))
    }
}
