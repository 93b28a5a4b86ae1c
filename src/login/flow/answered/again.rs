//! Whoever presses twice, loads a page once more, or looks while an answer is being made: what they are told.

use tower_sessions::Session;

use super::{Answered, LOOKS_AFTER};
use crate::foundation::id::FlowId;
use crate::foundation::secret::Digest;
use crate::login::flow::{Held, Journey};
use crate::model::login::Login;
use crate::store::durable::sessions;
use crate::web::browser;
use crate::web::cookies;
use crate::web::reply::{self, Response};
use crate::web::visitor::Visitor;

/// How often whoever waits looks; who may want to give up meanwhile; and who may only have been overtaken.
const LOOKS: u32 = 65;
const LOOKS_BRIEFLY: u32 = 15;
const LOOKS_FOR_ANOTHER: u32 = 3;

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
