//! What a login is answered in this moment, or was a moment ago: whoever presses twice, or loads a page once more, waits for
//! that and is told the same.

mod again;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Journey, over};
use crate::foundation::id::{ApplicationId, FlowId};
use crate::foundation::secret::Digest;
use crate::keys::seal::Place;
use crate::model::login::Asked;
use crate::protocol::oauth::response_mode::ResponseMode;
use crate::store::durable::applications;
use crate::store::ephemeral::Kind;
use crate::web::browser::Given;
use crate::web::cookies;
use crate::web::reply::{Kept, Response};
use crate::web::visitor::Visitor;

pub use again::{Again, Came, Told, awaited, led, led_before, put_back, told_again};

/// How long an answer is told again; and how long nobody is asked what becomes of one that never came.
const TOLD_AGAIN: Duration = Duration::from_secs(15);
/// Whoever comes while it is being made looks at first after so long, then less and less often, until no provider may take
/// any longer.
const LOOKS_AFTER: Duration = Duration::from_millis(20);
const SELDOMEST: u32 = 10;

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
