//! Login flows on their way: kept in the short-lived store, bound to the browser by a cookie each.

use std::time::Duration;

use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::{Stop, answer_in};
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
    of_project(visitor, visitor.broker().ephemeral.get(Kind::LoginFlow, &id.to_string()).await?.as_deref())
}

/// Moves a flow on to `stage`, whichever browser holds it, if it is still where `before` says. Of many, one does.
pub async fn move_on(
    visitor: &Visitor,
    id: FlowId,
    before: impl FnOnce(&Login) -> bool,
    stage: Stage,
) -> Result<bool, Stop> {
    let (ephemeral, key) = (&visitor.broker().ephemeral, id.to_string());
    let Some(found) = ephemeral.get(Kind::LoginFlow, &key).await? else { return Ok(false) };
    let Some(mut login) = of_project(visitor, Some(&found))?.filter(before) else { return Ok(false) };
    login.stage = stage;
    let (bytes, left) = (serde_json::to_vec(&login)?, time_left(visitor, &login));
    ephemeral.swap(Kind::LoginFlow, &key, &found, bytes, left).await.map_err(not_kept)
}

fn of_project(visitor: &Visitor, found: Option<&[u8]>) -> Result<Option<Login>, Stop> {
    let login = found.map(serde_json::from_slice::<Login>).transpose()?;
    Ok(login.filter(|login| login.project == visitor.project.id))
}

/// Keeps a flow for as long as it has left.
async fn put(visitor: &Visitor, login: &Login) -> Result<(), Stop> {
    let left = time_left(visitor, login);
    if !left.is_zero() {
        let bytes = serde_json::to_vec(login)?;
        let ephemeral = &visitor.broker().ephemeral;
        ephemeral.put(Kind::LoginFlow, &login.id.to_string(), bytes, left).await.map_err(not_kept)?;
    }
    Ok(())
}

fn not_kept(error: EphemeralError) -> Stop {
    match error {
        EphemeralError::Full(_) => Refusal::Crowded.into(),
        other => other.into(),
    }
}

/// How a flow ended, for whoever pressed twice: the answer to what they pressed first has not reached them.
#[derive(Deserialize, Serialize)]
struct Ended {
    browser: Digest,
    location: String,
}

/// How long that is told.
const TOLD_AGAIN: Duration = Duration::from_secs(15);

impl Ended {
    fn key(id: FlowId) -> String {
        format!("ended {id}")
    }

    /// Only what leads on is told again. It is a comfort, and so may fail.
    async fn keep(visitor: &Visitor, login: &Login, location: Option<String>) {
        let Some(location) = location else { return };
        let ended = Self { browser: login.browser, location };
        if let Ok(bytes) = serde_json::to_vec(&ended) {
            let ephemeral = &visitor.broker().ephemeral;
            let _ = ephemeral.put(Kind::LoginFlow, &Self::key(login.id), bytes, TOLD_AGAIN).await;
        }
    }
}

/// Where the flow of this id has just led, if this browser held it and has not been told.
pub async fn ended(visitor: &Visitor, id: &str) -> Option<Response> {
    let id: FlowId = id.parse().ok()?;
    let found = visitor.broker().ephemeral.get(Kind::LoginFlow, &Ended::key(id)).await.ok()??;
    let ended: Ended = serde_json::from_slice(&found).ok()?;
    if !cookies::holds_flow(&visitor.headers, id, ended.browser) {
        return None;
    }
    let mut response = reply::see_other(&ended.location);
    response.headers_mut().append(header::SET_COOKIE, cookies::close_flow(id));
    Some(response)
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
    /// As it was found: whatever else has moved it on meanwhile stands. Nothing: it is in no store.
    found: Option<Vec<u8>>,
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
        Self { login, new: Some(secret), found: None }
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

    /// This flow, of which what it waits for is used up: of many who bring that, one goes on. Whoever looks at the flow
    /// meanwhile finds it where it may begin again.
    pub async fn used(mut self, visitor: &Visitor) -> Result<Self, Stop> {
        let mut rest = self.login.clone();
        rest.stage = Stage::Arrived(Arrived { another_account: true, unproved: false });
        let bytes = serde_json::to_vec(&rest)?;
        if !self.swapped(visitor, bytes).await? {
            return Err(Refusal::FlowExpired.into());
        }
        Ok(self)
    }

    /// Takes the flow out of the store, for what happens once in it. False: somebody else has, or has moved it on.
    pub async fn claim(&mut self, visitor: &Visitor) -> Result<bool, Stop> {
        let Some(found) = self.found.take() else { return Ok(true) };
        let key = self.login.id.to_string();
        Ok(visitor.broker().ephemeral.take_if(Kind::LoginFlow, &key, &found).await?)
    }

    /// Whether the flow was still as it was found, and is this now.
    async fn swapped(&mut self, visitor: &Visitor, bytes: Vec<u8>) -> Result<bool, Stop> {
        let Some(found) = &self.found else { return Ok(false) };
        let (key, left) = (self.login.id.to_string(), time_left(visitor, &self.login));
        let ephemeral = &visitor.broker().ephemeral;
        let swapped =
            ephemeral.swap(Kind::LoginFlow, &key, found, bytes.clone(), left).await.map_err(not_kept)?;
        if swapped {
            self.found = Some(bytes);
        }
        Ok(swapped)
    }

    fn read(visitor: &Visitor, found: Option<Vec<u8>>) -> Result<Self, Stop> {
        let login = of_project(visitor, found.as_deref())?.ok_or(Refusal::FlowExpired)?;
        let held = cookies::holds_flow(&visitor.headers, login.id, login.browser);
        if held { Ok(Self { login, new: None, found }) } else { Err(Refusal::FlowExpired.into()) }
    }

    /// The answer to whoever was overtaken, in another tab or by pressing twice: where the flow stands by now.
    pub async fn overtaken(&self, visitor: &Visitor) -> Response {
        match Self::find(visitor, &self.login.id.to_string()).await {
            Ok(journey) => reply::see_other(&journey.path(visitor, "")),
            Err(stop) => answer_in(visitor, &self.login.id.to_string(), Err(stop)).await,
        }
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
    /// many is refused here, so that nothing is kept without being counted; whoever was overtaken is told where the flow
    /// stands.
    pub async fn keep(&mut self, visitor: &Visitor, mut response: Response) -> Result<Response, Stop> {
        self.may_begin(visitor).await?;
        match self.found {
            None => put(visitor, &self.login).await?,
            Some(_) => {
                let bytes = serde_json::to_vec(&self.login)?;
                if !self.swapped(visitor, bytes).await? {
                    return Ok(self.overtaken(visitor).await);
                }
            }
        }
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
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            Ended::keep(visitor, &self.login, location.map(str::to_owned)).await;
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
