//! The hallway: the one place that knows the order of the rooms.

mod devices;
mod refuse;

use http::header;
use tower_sessions::Session;

pub use devices::{device_answered, device_declined, device_picker};
pub use refuse::{diagnosed, failed, refused, refused_showing, still_running, stopped};

use super::back::Back;
use super::flow::{Claim, Journey};
use super::refusal::Refusal;
use super::{Stop, account, answer, arrive, authenticate, choose, consent, device, invited, issue, resolve};
use crate::foundation::id::SessionId;
use crate::foundation::secret::Secret;
use crate::model::application::Application;
use crate::model::login::{Acting, Arrived, Authenticated, Stage};
use crate::protocol::oauth::error::OAuthError;
use crate::store::durable::sessions;
use crate::telemetry::names;
use crate::web::cookies::Begun;
use crate::web::reply::{self, Fault, Response};
use crate::web::visitor::Visitor;
use devices::{barred, bars_devices, turned_away};
use refuse::{chosen_by_hand, refuse};

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

enum Step {
    /// For the person, at a page of ours.
    Wait(Response),
    /// The same, at a page that has an address of its own within the flow.
    WaitAt(&'static str, Response),
    /// For an identity provider.
    Leave(Response),
    End(Response),
    /// Somebody has ended the flow meanwhile, or moved it on.
    Overtaken,
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

async fn walk(
    visitor: &Visitor,
    browser: &Session,
    journey: &mut Journey,
    application: &Application,
) -> Result<Step, Stop> {
    // What most logins do not come by does not make room for itself in all of them.
    let mut away = None;
    // Whose session has been found here, until something may have changed of them.
    let mut here = None;
    loop {
        match journey.login.stage.clone() {
            Stage::Arrived(arrived) => {
                if let Some(ticket) = journey.login.asked.undecided() {
                    if journey.login.asked.prompt.none {
                        let error = OAuthError::interaction_required("invitation_unanswered");
                        return Err(Refusal::Protocol(error).into());
                    }
                    let page =
                        Box::pin(invited::pages::question(visitor, application, journey, ticket)).await?;
                    return Ok(Step::Wait(page));
                }
                if let Some(person) =
                    arrive::standing_session(visitor, browser, application, &journey.login, &arrived).await?
                {
                    journey.login.stage = Stage::Authenticated(Authenticated { session: person.session.id });
                    here = Some(person);
                    continue;
                }
                if journey.login.asked.prompt.none {
                    return Box::pin(silently(visitor, journey, application, &arrived)).await;
                }
                if resolve::asks_for_organization(visitor, application, &journey.login) {
                    let page =
                        resolve::pages::organization::page(visitor, application, journey, None).await?;
                    return Ok(Step::Wait(page));
                }
                match Box::pin(resolve::decide(visitor, application, &journey.login, &arrived)).await? {
                    resolve::Decision::Ask => {
                        let known = Box::pin(arrive::proves_again(visitor, browser, journey)).await?;
                        let known = known.as_deref();
                        let page = resolve::pages::email_page(visitor, application, journey, known, None);
                        let page = Box::pin(page).await?;
                        // Whoever went back only looks: the way forward again leads to the same answer.
                        journey.login.stage = away.unwrap_or(Stage::Arrived(arrived));
                        return Ok(Step::Wait(page));
                    }
                    resolve::Decision::Resolved(resolved) => journey.login.stage = Stage::Resolved(resolved),
                }
            }
            Stage::Resolved(resolved) => match resolved.connections.as_slice() {
                [] => return Err(Refusal::NoIdentityProvider.into()),
                [only] => {
                    let email = resolved.email.clone();
                    let leaving = authenticate::leave_for(visitor, &journey.login, *only, email);
                    let (away, departure) = Box::pin(leaving).await?;
                    journey.login.stage = Stage::Away(Box::new(away));
                    return Ok(Step::Leave(gone(visitor, departure.reply_within(visitor, journey))));
                }
                _ => {
                    let page = resolve::pages::chooser_page(visitor, application, journey, &resolved);
                    return Ok(Step::Wait(Box::pin(page).await?));
                }
            },
            // They came back to our page without having come back from there: they may go again.
            stage @ (Stage::Away(_) | Stage::Vouched(_)) => {
                away = Some(stage);
                journey.login.stage = Stage::Arrived(Arrived { another_account: true, unproved: false })
            }
            Stage::Authenticated(Authenticated { session }) if journey.is_invited() => {
                let onward = Box::pin(invited::conclude(visitor, &journey.login.asked, session)).await?;
                names::login_succeeded();
                return Ok(Step::End(reply::see_other(&onward)));
            }
            Stage::Authenticated(Authenticated { session }) if journey.is_for_account() => {
                choose::user_of(visitor, session).await?;
                names::login_succeeded();
                let end = account::end(&journey.login.asked);
                return Ok(Step::End(reply::see_other(&visitor.path(&end))));
            }
            Stage::Authenticated(Authenticated { session }) => {
                let mut found = here.take();
                if journey.login.asked.accepts().is_some() {
                    found = None;
                    Box::pin(invited::join(visitor, &mut journey.login.asked, session)).await?;
                }
                is_who_was_meant(visitor, journey, session).await?;
                is_proved_as_asked(visitor, journey, session).await?;
                let decided = choose::decide(visitor, application, &journey.login, session, found).await?;
                let picked = journey.login.picked.take();
                if let Some(context) = choose::picked_again(visitor, picked, session, &decided).await? {
                    journey.login.stage = Stage::Acting(Acting { session, context, by_hand: true });
                    continue;
                }
                match decided {
                    choose::Decision::Ask(choices) if journey.login.asked.device.is_some() => {
                        let barred = Box::pin(barred(visitor, journey, session, &choices)).await?;
                        if choices.iter().all(|choice| bars_devices(&barred, choice)) {
                            return Box::pin(turned_away(visitor, journey, (session, None))).await;
                        }
                        let look = (choices.as_slice(), barred.as_slice(), None);
                        let page = choose::pages::picker(visitor, application, journey, session, look);
                        return Ok(Step::WaitAt(PICKER, Box::pin(page).await?));
                    }
                    choose::Decision::Ask(choices) => {
                        let look = (choices.as_slice(), [].as_slice(), None);
                        let page = choose::pages::picker(visitor, application, journey, session, look);
                        return Ok(Step::Wait(Box::pin(page).await?));
                    }
                    choose::Decision::Chosen(context) => {
                        journey.login.stage = Stage::Acting(Acting { session, context, by_hand: false });
                    }
                }
            }
            Stage::Acting(acting) if journey.login.asked.device.is_some() => {
                let asked = &journey.login.asked;
                match Box::pin(issue::device::judge(visitor, asked, acting.session, acting.context)).await? {
                    // There was nothing to choose.
                    Err(Refusal::DeviceNotAllowed) if !acting.by_hand => {
                        let organization = acting.context.organization();
                        return Box::pin(turned_away(visitor, journey, (acting.session, organization))).await;
                    }
                    judged => judged?,
                }
                let page =
                    Box::pin(device::pages::let_in_page(visitor, application, journey, &acting)).await?;
                return Ok(Step::WaitAt(QUESTION, page));
            }
            Stage::Acting(acting) => {
                // However often they press, and wherever: one code.
                let Some(claim) = journey.claim(visitor).await? else { return Ok(Step::Overtaken) };
                if let Some(code) = code(visitor, journey, application, &claim).await? {
                    names::login_succeeded();
                    let back = Back::of(&journey.login.asked);
                    return Ok(Step::End(back.with_code(visitor, &code).await?));
                }
                let page = consent::pages::ask(visitor, application, journey, &acting);
                return Ok(Step::Wait(Box::pin(page).await?));
            }
        }
    }
}

/// The code; nothing where the person is to be asked first whether the application may be told of them.
async fn code(
    visitor: &Visitor,
    journey: &Journey,
    application: &Application,
    claim: &Claim,
) -> Result<Option<Secret>, Stop> {
    let ready = journey.login.clone().ready().map_err(|_| Fault::Other("a login is not ready"))?;
    if journey.login.asked.prompt.none && !consent::may_know(visitor, application, &journey.login).await? {
        return Err(Refusal::ConsentRequired.into());
    }
    if application.settings.client.consent_required && journey.login.asked.prompt.consent {
        // Nobody is asked for what would be refused.
        issue::judge(visitor, &ready).await??;
        return Ok(None);
    }
    match issue::code(visitor, &ready, claim).await {
        Ok(code) => Ok(Some(code)),
        Err(Stop::Refused(Refusal::ConsentRequired)) if !journey.login.asked.prompt.none => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// Nobody may be asked anything. So only an identity provider that is known without asking, and whose connection allows
/// it, may say at once who is there; it is told not to ask anybody either. An application of others learns nothing so of who
/// is signed in where: nobody knows yet who it is that would have allowed that (threats C22).
async fn silently(
    visitor: &Visitor,
    journey: &mut Journey,
    application: &Application,
    arrived: &Arrived,
) -> Result<Step, Stop> {
    if application.settings.client.consent_required {
        return Err(Refusal::LoginRequired.into());
    }
    let resolved = match resolve::decide(visitor, application, &journey.login, arrived).await {
        Ok(resolve::Decision::Resolved(resolved)) => resolved,
        Ok(resolve::Decision::Ask) | Err(Stop::Refused(_)) => return Err(Refusal::LoginRequired.into()),
        Err(stop) => return Err(stop),
    };
    let [only] = *resolved.connections.as_slice() else { return Err(Refusal::LoginRequired.into()) };
    journey.login.stage = Stage::Resolved(resolved.clone());
    let left = authenticate::leave_silently(visitor, &journey.login, only, resolved.email).await?;
    let (away, departure) = left.ok_or(Refusal::LoginRequired)?;
    journey.login.stage = Stage::Away(Box::new(away));
    Ok(Step::Leave(gone(visitor, departure.reply(visitor, None, &[]))))
}

/// What an identity provider has begun leads away once.
fn gone(visitor: &Visitor, mut response: Response) -> Response {
    if Begun::of(&visitor.headers).is_some() {
        response.headers_mut().append(header::SET_COOKIE, Begun::over());
    }
    response
}

/// An application that named somebody by an ID token is not given somebody else (OpenID Connect Core, section
/// 3.1.2.1). "Use another account" drops the hint.
async fn is_who_was_meant(visitor: &Visitor, journey: &Journey, session: SessionId) -> Result<(), Stop> {
    let asked = &journey.login.asked;
    match asked.hinted_user {
        Some(meant) if choose::user_of(visitor, session).await?.id != meant => {
            Err(Refusal::LoginRequired.into())
        }
        // Nobody has seen a page on which to say that they are somebody else than whom the hint means.
        _ if asked.prompt.none && !asked.is_for(&choose::user_of(visitor, session).await?) => {
            Err(Refusal::LoginRequired.into())
        }
        _ => Ok(()),
    }
}

/// What the application cannot do without is not replaced by less (OpenID Connect Core, section 5.5.1.1).
async fn is_proved_as_asked(visitor: &Visitor, journey: &Journey, session: SessionId) -> Result<(), Stop> {
    let asked = &journey.login.asked;
    if !asked.acr.as_ref().is_some_and(|acr| acr.essential) {
        return Ok(());
    }
    let found = sessions::by_id(&mut &visitor.broker().db, visitor.project.id, session).await?;
    match found.is_some_and(|session| asked.is_proved_by(&session.assurance)) {
        true => Ok(()),
        false => Err(Refusal::AcrUnmet.into()),
    }
}
