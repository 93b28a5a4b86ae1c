//! The hallway: the one place that knows the order of the rooms.

mod devices;
mod refuse;
mod walk;

use tower_sessions::Session;

pub use devices::{device_answered, device_declined, device_picker};
pub use refuse::{diagnosed, failed, refused, refused_showing, still_running, stopped};

use super::back::Back;
use super::flow::Journey;
use super::refusal::Refusal;
use super::{Stop, answer, arrive, choose};
use crate::model::application::Application;
use crate::model::login::{Arrived, Stage};
use crate::web::reply::{self, Fault, Response};
use crate::web::visitor::Visitor;
use refuse::{chosen_by_hand, refuse};
use walk::{Step, walk};

/// Leads a login on until a person or another server is to answer, or until it ends. Whoever calls it has put
/// the journey into its stage.
pub async fn proceed(visitor: &Visitor, browser: &Session, journey: Journey) -> Response {
    go_on(visitor, browser, journey, None, Shown::Here).await
}

/// As [`proceed`], where the application of the login has just been read.
pub async fn proceed_for(
    visitor: &Visitor,
    browser: &Session,
    journey: Journey,
    application: Application,
) -> Response {
    go_on(visitor, browser, journey, Some(application), Shown::Here).await
}

/// As [`proceed_for`], where the request was pushed: its address counted once, so a page is shown at the flow's own.
pub async fn proceed_with_pushed(
    visitor: &Visitor,
    browser: &Session,
    journey: Journey,
    application: Application,
) -> Response {
    go_on(visitor, browser, journey, Some(application), Shown::AtHome).await
}

/// As [`proceed`], after a return: its address holds a code that counted once, so a page is shown at the flow's
/// own address, where it can be loaded again.
pub async fn proceed_at_home(visitor: &Visitor, browser: &Session, journey: Journey) -> Response {
    go_on(visitor, browser, journey, None, Shown::AtHome).await
}

/// As [`proceed`], at the address of the question whether a device is let in.
pub async fn proceed_at_the_question(visitor: &Visitor, browser: &Session, journey: Journey) -> Response {
    go_on(visitor, browser, journey, None, Shown::At(QUESTION)).await
}

/// Where a page is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Here,
    AtHome,
    At(&'static str),
}

/// The pages of a device have addresses of their own within the flow, so that whoever goes back finds the one before.
const PICKER: &str = "/organizations";
const QUESTION: &str = "/device";

async fn go_on(
    visitor: &Visitor,
    browser: &Session,
    mut journey: Journey,
    known: Option<Application>,
    shown: Shown,
) -> Response {
    let silent = Back::if_silent(&journey.login.asked);
    let application = match known {
        Some(application) => Ok(application),
        None => application(visitor, &journey).await,
    };
    let application = match (application, silent) {
        (Ok(application), _) => application,
        (Err(stop @ Stop::Refused(_)), _) => return answer(visitor, Err(stop)).await,
        (Err(stop), Some(silent)) => return silent.tell(visitor, stop).await,
        (Err(Stop::Failed(fault)), None) => return failed(visitor, journey, fault).await,
    };
    let silent = Back::if_silent(&journey.login.asked);
    // Who has only just arrived has seen no page of ours yet, and can do nothing on one about a crowd.
    let begun = (journey.is_new() && !journey.answers_nobody()).then(|| Back::of(&journey.login.asked));
    let by_hand = chosen_by_hand(&journey);
    let mut walked = walk(visitor, browser, &mut journey, &application).await;
    if let Err(Stop::Refused(refusal)) = &walked
        && may_prove_again(refusal, &journey, by_hand)
    {
        journey.login.proves_again = true;
        // Without it they are asked once more for whom they act.
        journey.login.picked = choose::picked(visitor, &journey.login).await.unwrap_or_default();
        journey.login.stage = Stage::Arrived(Arrived::default());
        walked = walk(visitor, browser, &mut journey, &application).await;
    }
    let outcome = match walked {
        Ok(Step::Wait(_)) if shown != Shown::Here => {
            let home = reply::see_other(&journey.path(visitor, ""));
            journey.keep(visitor, home).await
        }
        Ok(Step::WaitAt(place, _)) if shown != Shown::At(place) => {
            let there = reply::see_other(&journey.path(visitor, place));
            journey.keep(visitor, there).await
        }
        Ok(Step::WaitAt(_, response)) => journey.keep(visitor, response).await,
        Ok(Step::Wait(response) | Step::Leave(response)) => journey.keep(visitor, response).await,
        Ok(Step::End(response)) => journey.end(visitor, response).await.map_err(Stop::Failed),
        Ok(Step::Overtaken) => Ok(journey.overtaken(visitor).await),
        Err(stop) if begun.is_some() && is_crowd(&stop) => Err(stop),
        Err(Stop::Refused(refusal)) => {
            Box::pin(refuse(visitor, journey, &application, (&refusal, None, None))).await
        }
        Err(Stop::Failed(fault)) if silent.is_none() => return failed(visitor, journey, fault).await,
        Err(stop) => Err(stop),
    };
    match (outcome, silent, begun) {
        (Err(stop), Some(silent), _) => silent.tell(visitor, stop).await,
        (Err(stop), None, Some(application)) if is_crowd(&stop) => application.tell(visitor, stop).await,
        (outcome, ..) => answer(visitor, outcome).await,
    }
}

/// Whether so many came that nobody else is let in for now.
pub fn is_crowd(stop: &Stop) -> bool {
    matches!(stop, Stop::Refused(Refusal::TooManyRequests | Refusal::Crowded))
}

/// The session that stood there is not good enough for this organization, or not any more: the person is at hand
/// and may prove anew who they are. Once; and whenever it has become too old while they were to pick, for each time it is
/// they who press.
fn may_prove_again(refusal: &Refusal, journey: &Journey, by_hand: bool) -> bool {
    let stale = matches!(
        refusal,
        Refusal::AuthenticationTooOld | Refusal::ConnectionInactive | Refusal::SessionEnded
    );
    let has_waited = by_hand && *refusal == Refusal::AuthenticationTooOld;
    stale && !journey.login.asked.prompt.none && (has_waited || !journey.login.reauthenticates())
}

/// Somebody has answered in whose place another one is signed in here by now, or nobody: the login goes on with who is.
pub async fn asked_anew(visitor: &Visitor, browser: &Session, mut journey: Journey) -> Response {
    journey.login.stage = Stage::Arrived(Arrived::default());
    proceed_at_home(visitor, browser, journey).await
}

/// The application of a login, which still has the address where it waits for the answer, and the way by which that
/// travels: what the operator has taken away since is told nothing more.
async fn application(visitor: &Visitor, journey: &Journey) -> Result<Application, Stop> {
    let found = journey.application(visitor).await?;
    let application = found.ok_or(Fault::Other("the application of a running login is gone"))?;
    if !journey.answers_nobody() {
        arrive::redirect_uri(&application, Some(&journey.login.asked.redirect_uri))?;
        if !application.settings.requests.response_modes.contains(&journey.login.asked.response_mode) {
            let why = "this application is not answered by this response_mode any more";
            return Err(Refusal::BadRequest(why.to_owned()).into());
        }
    }
    Ok(application)
}
