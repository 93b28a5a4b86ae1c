//! What is different where a device waits: whoever is asked for whom, is asked once more whether it is let in.

use tower_sessions::Session;

use super::walk::Step;
use super::{application, failed, refused};
use crate::foundation::id::{OrganizationId, SessionId};
use crate::login::choose::pages::Barred;
use crate::login::device::pages::Answered;
use crate::login::flow::Journey;
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, choose, device, issue};
use crate::model::login::{Authenticated, Stage};
use crate::protocol::oauth::params::Params;
use crate::store::durable::choices::Choice;
use crate::telemetry::names;
use crate::web::browser;
use crate::web::reply::{self, Fault, Response};
use crate::web::templates::Problem;
use crate::web::visitor::Visitor;

/// The person has answered for a device that waits. Nothing but their own click leads here (threats H23).
pub async fn device_answered(visitor: &Visitor, journey: Journey, allowed: bool) -> Response {
    let answered = answer_device(visitor, &journey, allowed).await;
    told(visitor, journey, answered).await
}

/// The person gives up before they are asked: they cannot let it in as whom they have signed in.
pub async fn device_declined(visitor: &Visitor, browser: &Session, journey: Journey) -> Response {
    let declined = decline_device(visitor, browser, &journey).await;
    told(visitor, journey, declined).await
}

async fn told(visitor: &Visitor, journey: Journey, answered: Result<Response, Stop>) -> Response {
    match answered {
        Ok(page) => answer(visitor, journey.end(visitor, page).await.map_err(Stop::Failed)).await,
        // There is nothing left to go on with.
        Err(Stop::Refused(Refusal::DeviceOver)) => {
            let page = answer(visitor, Err(Refusal::DeviceOver.into())).await;
            answer(visitor, journey.end(visitor, page).await.map_err(Stop::Failed)).await
        }
        Err(Stop::Refused(refusal)) => refused(visitor, journey, refusal).await,
        Err(Stop::Failed(fault)) => failed(visitor, journey, fault).await,
    }
}

async fn answer_device(visitor: &Visitor, journey: &Journey, allowed: bool) -> Result<Response, Stop> {
    let decided = journey.login.clone().lets_in();
    let (ready, device) = decided.map_err(|_| Fault::Other("nobody has said whom to let in"))?;
    match allowed {
        true => {
            let application = application(visitor, journey).await?;
            issue::device::approve(visitor, &application, &ready, device).await?;
            names::login_succeeded();
        }
        false => issue::device::deny(visitor, &ready, &device).await?,
    }
    let answered = if allowed { Answered::LetIn } else { Answered::Denied };
    Ok(device::pages::answered(visitor, journey, answered).await?)
}

async fn decline_device(visitor: &Visitor, browser: &Session, journey: &Journey) -> Result<Response, Stop> {
    let asked = &journey.login.asked;
    let device = asked.device.as_ref().ok_or(Refusal::FlowExpired)?;
    let session = browser::session_of(browser, visitor.project.id).await?.ok_or(Refusal::SessionEnded)?;
    issue::device::decline(visitor, asked, session, device).await?;
    Ok(device::pages::answered(visitor, journey, Answered::Denied).await?)
}

/// How many organizations are judged before they are shown. Whoever may act for more is told at the others when they pick
/// one.
const JUDGED: usize = 100;

/// For which of these no device is let in, and why: nobody is offered what would be refused.
pub(super) async fn barred(
    visitor: &Visitor,
    journey: &Journey,
    session: SessionId,
    choices: &[Choice],
) -> Result<Vec<Barred>, Stop> {
    let mut barred = Vec::new();
    for choice in choices.iter().take(JUDGED) {
        let context = choice.context();
        if let Err(refusal) = issue::device::judge(visitor, &journey.login.asked, session, context).await? {
            barred.push(Barred { context, problem: refusal.visitor().1 });
        }
    }
    Ok(barred)
}

/// Whatever the person did, they could not let a device in for this one.
pub(super) fn bars_devices(barred: &[Barred], choice: &Choice) -> bool {
    let context = choice.context();
    barred.iter().any(|one| one.context == context && one.problem == Problem::DeviceNotAllowed)
}

/// Nobody whom this person may act for lets a device in: it is told, and the login is over.
pub(super) async fn turned_away(
    visitor: &Visitor,
    journey: &Journey,
    whose: (SessionId, Option<OrganizationId>),
) -> Result<Step, Stop> {
    let (asked, why) = (&journey.login.asked, Refusal::DeviceNotAllowed);
    let device = asked.device.as_ref().ok_or(Refusal::FlowExpired)?;
    issue::device::turn_away(visitor, asked, whose, device, &why).await?;
    Ok(Step::End(device::pages::answered(visitor, journey, Answered::Impossible).await?))
}

/// `GET /login/{flow}/organizations` of a device: the choice, also for who comes back to it from the question. Looking
/// changes nothing; until they pick another one, what they picked before is what they are asked about.
pub async fn device_picker(visitor: &Visitor, journey: &Journey, params: &Params) -> Result<Response, Stop> {
    let home = || Ok(reply::see_other(&journey.path(visitor, "")));
    let session = match &journey.login.stage {
        Stage::Authenticated(Authenticated { session }) => *session,
        Stage::Acting(acting) if acting.by_hand => acting.session,
        _ => return home(),
    };
    let application = application(visitor, journey).await?;
    match choose::decide(visitor, &application, &journey.login, session, None).await? {
        choose::Decision::Ask(choices) => {
            let barred = barred(visitor, journey, session, &choices).await?;
            let look = (choices.as_slice(), barred.as_slice(), Some(params));
            choose::pages::picker(visitor, &application, journey, session, look).await
        }
        choose::Decision::Chosen(_) => home(),
    }
}
