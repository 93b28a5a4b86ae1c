//! What a login is answered in this moment, or was a moment ago: whoever presses twice, or loads a page once more, waits for
//! that and is told the same.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower_sessions::Session;
use tracing::Instrument;

use super::{Held, Journey, over};
use crate::foundation::id::{ApplicationId, FlowId};
use crate::foundation::secret::Digest;
use crate::keys::seal::Place;
use crate::model::login::{Asked, Login};
use crate::protocol::oauth::response_mode::ResponseMode;
use crate::store::durable::{applications, sessions};
use crate::store::ephemeral::Kind;
use crate::web::browser::{self, Given};
use crate::web::cookies;
use crate::web::reply::{self, Fault, Kept, Response};
use crate::web::visitor::Visitor;

/// How long an answer is told again; and how long nobody is asked what becomes of one that never came.
const TOLD_AGAIN: Duration = Duration::from_secs(15);
/// Whoever comes while it is being made looks at first after so long, then less and less often, until no provider may take
/// any longer.
const LOOKS_AFTER: Duration = Duration::from_millis(20);
const SELDOMEST: u32 = 10;
const LOOKS: u32 = 65;
const LOOKS_BRIEFLY: u32 = 15;
const LOOKS_FOR_ANOTHER: u32 = 3;

/// It holds what the application was given, and so it is kept sealed.
#[derive(Deserialize, Serialize)]
pub(super) struct Answered {
    browser: Digest,
    /// Of what came and counts once: whoever brings it again has not seen the answer.
    brought: Option<Digest>,
    /// Of the form that was pressed, if it is the answer to one: it is no answer to another one.
    pressed: Option<Digest>,
    /// Where it leads, if it is an application's answer.
    to: Option<To>,
    /// Nothing: it is being made in this moment.
    answer: Option<Kept>,
    is_over: bool,
    /// With the cookie of the session that was made.
    given: Option<Given>,
    /// Of the login as it was left with this answer, if it goes on.
    left: Option<Digest>,
}

/// Where an application waits. It may have been taken away since.
#[derive(Deserialize, Serialize)]
struct To {
    application: ApplicationId,
    redirect_uri: String,
    mode: ResponseMode,
}

impl To {
    fn of(asked: &Asked) -> Option<Self> {
        let (application, redirect_uri) = (asked.application, asked.redirect_uri.clone());
        asked.is_answered().then_some(Self { application, redirect_uri, mode: asked.response_mode })
    }

    /// Whether the application is still answered there, in this way.
    async fn stands(&self, visitor: &Visitor) -> bool {
        let db = &mut &visitor.broker().db;
        let found = applications::by_id(db, visitor.project.id, self.application).await.ok().flatten();
        found.is_some_and(|application| {
            application.is_enabled()
                && application.settings.is_answered_at(&self.redirect_uri)
                && application.settings.requests.response_modes.contains(&self.mode)
        })
    }
}

fn place(flow: &str) -> Place<'_> {
    Place { table: "flow_ends", row: flow, column: "value" }
}

impl Answered {
    /// It is a comfort, and so may fail. Whoever waits is not left waiting for what does not fit.
    async fn put(&self, visitor: &Visitor, flow: FlowId) {
        let (broker, key) = (visitor.broker(), flow.to_string());
        let Ok(bytes) = serde_json::to_vec(self) else { return };
        let sealed = broker.keyring.master().seal(&broker.random, place(&key), &bytes);
        if broker.ephemeral.put(Kind::FlowEnd, &key, sealed, TOLD_AGAIN).await.is_err() {
            forget(visitor, flow).await;
        }
    }

    /// Says that this journey is being answered.
    pub(super) async fn begin(visitor: &Visitor, journey: &Journey) {
        Self::to(journey).put(visitor, journey.login.id).await;
    }

    /// Nothing yet, to what has come on this journey.
    fn to(journey: &Journey) -> Self {
        let (browser, brought, pressed) = (journey.login.browser, journey.brought, journey.pressed);
        Self { browser, brought, pressed, to: None, answer: None, is_over: false, given: None, left: None }
    }

    /// Keeps how it was answered.
    pub(super) async fn keep(
        visitor: &Visitor,
        journey: &Journey,
        response: Response,
        is_over: bool,
    ) -> Response {
        let (response, answer) = Kept::of(response).await;
        if answer.is_none() {
            forget(visitor, journey.login.id).await;
            return response;
        }
        let login = &journey.login;
        let to = if is_over { To::of(&login.asked) } else { None };
        let (given, left) = (journey.given.clone(), journey.found().map(Digest::of));
        Self { to, answer, is_over, given, left, ..Self::to(journey) }.put(visitor, login.id).await;
        response
    }

    /// Of a flow that this browser holds.
    async fn of(visitor: &Visitor, id: FlowId) -> Option<Self> {
        let answered = Self::of_anybody(visitor, id).await?;
        Some(answered).filter(|answered| cookies::holds_flow(&visitor.headers, id, answered.browser))
    }

    async fn of_anybody(visitor: &Visitor, id: FlowId) -> Option<Self> {
        let (broker, flow) = (visitor.broker(), id.to_string());
        let sealed = broker.ephemeral.get(Kind::FlowEnd, &flow).await.ok()??;
        let bytes = broker.keyring.master().open(place(&flow), &sealed).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The same once it is there; after so many looks, as it is. Nothing: it came to what is not told.
    async fn settled(self, visitor: &Visitor, id: FlowId, looks: u32) -> Option<Self> {
        let mut found = self;
        for look in 1..=looks {
            if found.answer.is_some() {
                return Some(found);
            }
            tokio::time::sleep(LOOKS_AFTER * look.min(SELDOMEST)).await;
            found = Self::of(visitor, id).await?;
        }
        Some(found)
    }

    /// Whether this is what came the first time.
    fn is_to(&self, brought: Option<&str>) -> bool {
        self.brought.is_some() && self.brought == brought.map(|text| Digest::of(text.as_bytes()))
    }

    /// Whether it is a page, of a login that still is where that left it: whoever brings the same once more may have given
    /// up before they saw it.
    async fn is_where_it_stands(&self, visitor: &Visitor, id: FlowId) -> bool {
        let is_page = self.answer.as_ref().is_some_and(|answer| answer.location().is_none());
        let Some(left) = self.left.filter(|_| is_page) else { return false };
        let found = visitor.broker().ephemeral.get(Kind::LoginFlow, &id.to_string()).await.ok().flatten();
        found.is_some_and(|found| Digest::of(&found) == left)
    }

    /// How the login ended, if that may still be told.
    async fn end(&self, visitor: &Visitor, id: FlowId) -> Option<Response> {
        if let Some(to) = &self.to
            && !to.stands(visitor).await
        {
            return None;
        }
        let mut response = self.answer.as_ref()?.again();
        over(visitor, id, &mut response);
        Some(response)
    }
}

/// What was brought with this journey comes to nothing that is told again.
pub(super) async fn give_up(visitor: &Visitor, id: FlowId, brought: Option<Digest>) {
    let is_its = |found: &Answered| found.answer.is_none() && found.brought == brought;
    if brought.is_some() && Answered::of_anybody(visitor, id).await.as_ref().is_some_and(is_its) {
        forget(visitor, id).await;
    }
}

/// It goes on, or is answered by nothing that is told again.
pub(super) async fn forget(visitor: &Visitor, flow: FlowId) {
    let _ = visitor.broker().ephemeral.take(Kind::FlowEnd, &flow.to_string()).await;
}

/// What somebody brings to a flow that is not there, or that does not wait for it any more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Again<'a> {
    pub browser: Option<&'a Session>,
    /// What counts once of it: the query of a return.
    pub brought: Option<&'a str>,
    /// The form that they have pressed; nothing if they only look.
    pub pressed: Option<Digest>,
}

impl Again<'_> {
    /// Whether they bring nothing: whoever comes with a return comes with their browser's session, even if it says nothing.
    pub fn is_a_look(&self) -> bool {
        self.browser.is_none() && self.pressed.is_none()
    }
}

/// What is told of a flow that is not there, or that does not wait for what somebody brings.
#[derive(Debug)]
pub enum Told {
    Again(Response),
    /// It has ended, and not by what was pressed now: its answer is none to that (threats H24).
    Otherwise(FlowId),
    /// What came before is still looked at.
    StillRunning,
}

/// What was answered in the flow of this id, if this browser held it and may not have seen that: how it ended; or what came
/// of the very thing that is brought here once more, if that is only being answered, if its answer was lost with the
/// cookie that it gave, or if it is the page at which the login stands.
///
/// A code of which another press has come is not taken back by that: it was sent, and nobody here knows whether the
/// application has it.
pub async fn told_again(visitor: &Visitor, id: &str, again: Again<'_>) -> Option<Told> {
    let id: FlowId = id.parse().ok()?;
    let found = match Answered::of(visitor, id).await {
        // It may have been taken out of the store this very moment.
        None if cookies::flows(&visitor.headers).any(|held| held == id) => {
            tokio::time::sleep(LOOKS_AFTER).await;
            Answered::of(visitor, id).await
        }
        found => found,
    }?;
    let has_waited = found.answer.is_none();
    let answered = found.settled(visitor, id, LOOKS).await?;
    if answered.answer.is_none() {
        return Some(Told::StillRunning);
    }
    let is_same = answered.is_to(again.brought);
    let mut was_lost = false;
    if let (true, Some(given), Some(browser)) = (is_same, &answered.given, again.browser)
        && !is_signed_in(visitor, browser).await?
    {
        was_lost = given.again(browser, visitor.project.id).await.ok()?;
    }
    if answered.is_over {
        return match again.pressed.is_some() && again.pressed != answered.pressed {
            true => Some(Told::Otherwise(id)),
            false => answered.end(visitor, id).await.map(Told::Again),
        };
    }
    if is_same && (has_waited || was_lost || answered.is_where_it_stands(visitor, id).await) {
        return Some(Told::Again(answered.answer?.again()));
    }
    None
}

/// Whether somebody is signed in at this browser, whoever it is: nothing that is told again signs them out (threats C28).
/// Nothing: nobody knows.
async fn is_signed_in(visitor: &Visitor, browser: &Session) -> Option<bool> {
    let project = visitor.project.id;
    let Some(held) = browser::session_of(browser, project).await.ok()? else { return Some(false) };
    let found = sessions::by_id(&mut &visitor.broker().db, project, held).await.ok()?;
    Some(found.is_some_and(|session| session.is_alive(visitor.broker().now())))
}

/// What has come of a flow.
#[derive(Debug)]
pub enum Came {
    /// It stands where it is found.
    Here,
    /// The same, and this browser has not got the session that was made meanwhile.
    WithoutSession,
    /// What was brought to it is still looked at.
    StillRunning,
    Answered(Response),
}

/// Lets whoever has pressed something wait for what is being done in a flow that was taken out of the store for that. Whether
/// there was anything: what they have pressed may count where it stands now.
pub async fn put_back(visitor: &Visitor, id: &str) -> bool {
    let Ok(id) = id.parse::<FlowId>() else { return false };
    let Some(found) = Answered::of(visitor, id).await else { return false };
    found.settled(visitor, id, LOOKS_BRIEFLY).await;
    true
}

/// Lets whoever looks at the page of a flow wait for what is being answered in it: not for long, for they may want to give
/// up.
pub async fn awaited(visitor: &Visitor, browser: &Session, id: &str) -> Came {
    let Ok(id) = id.parse::<FlowId>() else { return Came::Here };
    let Some(found) = Answered::of(visitor, id).await else { return Came::Here };
    let has_waited = found.answer.is_none();
    let Some(answered) = found.settled(visitor, id, LOOKS_BRIEFLY).await else { return Came::Here };
    if answered.answer.is_none() {
        return Came::StillRunning;
    }
    if answered.is_over {
        return match has_waited {
            true => answered.end(visitor, id).await.map_or(Came::Here, Came::Answered),
            false => Came::Here,
        };
    }
    let was_lost = answered.given.is_some() && !browser::is_known(browser, visitor.project.id).await;
    match answered.answer {
        // A page: it says what went wrong, and the way on is on it.
        Some(answer) if has_waited && answer.location().is_none() => Came::Answered(answer.again()),
        // The cookie may have come while they waited.
        _ if has_waited && was_lost => {
            Came::Answered(reply::see_other(&visitor.path(&format!("/login/{id}"))))
        }
        _ if was_lost => Came::WithoutSession,
        _ => Came::Here,
    }
}

/// Keeps where a message leads that another site made the browser post, and so without cookies: until the browser is there,
/// who posts the same message once more is told the way. It is of use to nobody but who holds the flow.
pub async fn led(visitor: &Visitor, login: &Login, brought: &str, response: Response) -> Response {
    let mut journey = Journey::of(login.clone(), Held::Lost);
    journey.brought = Some(Digest::of(brought.as_bytes()));
    Answered::keep(visitor, &journey, response, false).await
}

/// Where the same message has led just before.
pub async fn led_before(visitor: &Visitor, flow: FlowId, brought: &str) -> Option<String> {
    for look in 0..LOOKS_FOR_ANOTHER {
        if look > 0 {
            // Whoever was faster is writing it down.
            tokio::time::sleep(LOOKS_AFTER).await;
        }
        let found = Answered::of_anybody(visitor, flow).await;
        if let Some(found) = found.filter(|found| found.is_to(Some(brought)) && !found.is_over) {
            return found.answer?.location().map(str::to_owned);
        }
    }
    None
}

/// Does what comes of something that was brought to this flow and is used up now.
pub async fn once(
    visitor: &Visitor,
    (flow, brought): (FlowId, Option<Digest>),
    work: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let of_work = visitor.clone();
    let work = async move {
        let response = work.await;
        // Whatever it came to without saying so: nobody is to wait for it.
        give_up(&of_work, flow, brought).await;
        response
    };
    to_its_end(visitor, work).await
}

/// Does what can be done once, whether whoever wants it waits for that or not: a browser that loads a page again, or whose
/// person presses twice, gives up the first request.
pub async fn to_its_end(
    visitor: &Visitor,
    work: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let broker = visitor.broker();
    let (running, most) = (broker.runs(), Duration::from_secs(broker.config.server.request_timeout));
    let work = async move {
        let _running = running;
        tokio::time::timeout(most, work).await
    };
    match tokio::spawn(work.in_current_span()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => visitor.fault(&Fault::Other("a login took too long"), None).await,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => visitor.fault(&Fault::Other("a login was given up"), None).await,
        },
    }
}
