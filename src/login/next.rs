//! The hallway: the one place that knows the order of the rooms.

use http::header;
use tower_sessions::Session;

use super::back::Back;
use super::choose::pages::Barred;
use super::counted::Evidence;
use super::device::pages::Answered;
use super::diagnosis::Diagnosis;
use super::flow::Journey;
use super::refusal::Refusal;
use super::{
    Stop, account, answer, answer_in, arrive, authenticate, choose, consent, device, invited, issue,
    note_failure, resolve,
};
use crate::foundation::id::{ConnectionId, OrganizationId, SessionId};
use crate::foundation::secret::Secret;
use crate::model::application::Application;
use crate::model::login::{Acting, Arrived, Authenticated, Stage};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::store::durable::choices::Choice;
use crate::store::durable::{connections, sessions};
use crate::telemetry::names;
use crate::web::cookies::Begun;
use crate::web::reply::{self, Fault, Response};
use crate::web::templates::{ErrorPage, Href, Page, Problem};
use crate::web::visitor::Visitor;

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
        (Err(fault), Some(silent)) => return silent.tell(visitor, fault.into()).await,
        (Err(fault), None) => return failed(visitor, journey, fault).await,
    };
    let silent = Back::if_silent(&journey.login.asked);
    // Who has only just arrived has seen no page of ours yet, and can do nothing on one about a crowd.
    let begun = (journey.is_new() && !journey.answers_nobody()).then(|| Back::of(&journey.login.asked));
    let mut walked = walk(visitor, browser, &mut journey, &application).await;
    if let Err(Stop::Refused(refusal)) = &walked
        && may_prove_again(refusal, &journey)
    {
        journey.login.asked.prompt.login = true;
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
        Err(Stop::Refused(refusal)) => refuse(visitor, journey, &application, (&refusal, None, None)).await,
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
/// and may prove anew who they are. Once.
fn may_prove_again(refusal: &Refusal, journey: &Journey) -> bool {
    let stale = matches!(
        refusal,
        Refusal::AuthenticationTooOld | Refusal::ConnectionInactive | Refusal::SessionEnded
    );
    stale && !journey.login.asked.prompt.none && !journey.login.asked.prompt.login
}

/// Our own failure does not end the person's login: they may load the page again.
pub async fn failed(visitor: &Visitor, mut journey: Journey, fault: Fault) -> Response {
    if let Some(silent) = Back::if_silent(&journey.login.asked) {
        return silent.tell(visitor, fault.into()).await;
    }
    // Whose login it is matters less than that they are told.
    let application = journey.application(visitor).await.ok().flatten();
    let page = ways_on(visitor, &journey, application.as_ref(), Problem::Fault);
    let (locales, targets) = (journey.login.asked.ui_locales.as_deref(), journey.form_targets(visitor));
    let page = visitor.fault_with(&fault, page, locales, &targets).await;
    let kept = journey.keep(visitor, page).await;
    answer(visitor, kept).await
}

/// The person has answered for a device that waits. Nothing but their own click leads here (threats H23).
pub async fn device_answered(visitor: &Visitor, journey: Journey, allowed: bool) -> Response {
    match answer_device(visitor, &journey, allowed).await {
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

/// Ends in a refusal what a room could not decide, with the journey that it was about.
pub async fn refused(visitor: &Visitor, journey: Journey, refusal: Refusal) -> Response {
    told(visitor, journey, (&refusal, None, None)).await
}

/// Somebody has answered in whose place another one is signed in here by now, or nobody: the login goes on with who is.
pub async fn asked_anew(visitor: &Visitor, browser: &Session, mut journey: Journey) -> Response {
    journey.login.stage = Stage::Arrived(Arrived::default());
    proceed_at_home(visitor, browser, journey).await
}

/// Ends what somebody has posted from a page of the login, and could not be done.
pub async fn stopped(visitor: &Visitor, journey: Journey, stop: Stop) -> Response {
    match stop {
        // Nobody knows whose doing it is: the login stands where it stood.
        Stop::Refused(Refusal::ForeignForm) => {
            answer_in(visitor, &journey.login.id.to_string(), Err(stop)).await
        }
        Stop::Refused(refusal) => refused(visitor, journey, refusal).await,
        failed => answer(visitor, Err(failed)).await,
    }
}

/// As [`refused`], with what it says of the connection's settings.
pub async fn refused_showing(
    visitor: &Visitor,
    journey: Journey,
    refusal: Refusal,
    evidence: Option<Evidence>,
) -> Response {
    told(visitor, journey, (&refusal, None, evidence.as_ref())).await
}

/// As [`refused`], with what the connection's administrator is told of it.
pub async fn diagnosed(visitor: &Visitor, journey: Journey, diagnosis: &Diagnosis) -> Response {
    told(visitor, journey, (&diagnosis.refusal, Some(diagnosis), diagnosis.evidence.as_deref())).await
}

/// A refusal, what the connection's administrator is told of it, and what it says of the connection's settings.
type Why<'a> = (&'a Refusal, Option<&'a Diagnosis>, Option<&'a Evidence>);

async fn told(visitor: &Visitor, journey: Journey, why: Why<'_>) -> Response {
    let silent = Back::if_silent(&journey.login.asked);
    let outcome = match application(visitor, &journey).await {
        Ok(application) => refuse(visitor, journey, &application, why).await,
        Err(fault) => Err(fault.into()),
    };
    match (outcome, silent) {
        (Err(stop), Some(silent)) => silent.tell(visitor, stop).await,
        (outcome, _) => answer(visitor, outcome).await,
    }
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

async fn application(visitor: &Visitor, journey: &Journey) -> Result<Application, Fault> {
    journey.application(visitor).await?.ok_or(Fault::Other("the application of a running login is gone"))
}

async fn walk(
    visitor: &Visitor,
    browser: &Session,
    journey: &mut Journey,
    application: &Application,
) -> Result<Step, Stop> {
    let mut away = None;
    loop {
        match journey.login.stage.clone() {
            Stage::Arrived(arrived) => {
                if let Some(ticket) = journey.login.asked.undecided() {
                    if journey.login.asked.prompt.none {
                        let error = OAuthError::interaction_required("invitation_unanswered");
                        return Err(Refusal::Protocol(error).into());
                    }
                    let page = invited::pages::question(visitor, application, journey, ticket).await?;
                    return Ok(Step::Wait(page));
                }
                if let Some(session) =
                    arrive::standing_session(visitor, browser, application, &journey.login, &arrived).await?
                {
                    journey.login.stage = Stage::Authenticated(Authenticated { session });
                    continue;
                }
                if journey.login.asked.prompt.none {
                    return silently(visitor, journey, application, &arrived).await;
                }
                if resolve::asks_for_organization(visitor, application, &journey.login) {
                    let page = resolve::pages::organization::page(visitor, application, journey, None);
                    return Ok(Step::Wait(page));
                }
                match resolve::decide(visitor, application, &journey.login, &arrived).await? {
                    resolve::Decision::Ask => {
                        let page =
                            resolve::pages::email_page(visitor, application, journey, None, None).await?;
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
                    let (away, departure) =
                        authenticate::leave_for(visitor, &journey.login, *only, resolved.email.clone())
                            .await?;
                    journey.login.stage = Stage::Away(Box::new(away));
                    let locales = journey.login.asked.ui_locales.as_deref();
                    let response = departure.reply(visitor, locales, &journey.form_targets(visitor));
                    return Ok(Step::Leave(gone(visitor, response)));
                }
                _ => {
                    return Ok(Step::Wait(
                        resolve::pages::chooser_page(visitor, application, journey, &resolved).await?,
                    ));
                }
            },
            // They came back to our page without having come back from there: they may go again.
            stage @ (Stage::Away(_) | Stage::Vouched(_)) => {
                away = Some(stage);
                journey.login.stage = Stage::Arrived(Arrived { another_account: true, unproved: false })
            }
            Stage::Authenticated(Authenticated { session }) if journey.is_invited() => {
                let onward = invited::conclude(visitor, &journey.login.asked, session).await?;
                names::login_succeeded();
                return Ok(Step::End(reply::see_other(&onward)));
            }
            Stage::Authenticated(Authenticated { session }) if journey.is_for_account() => {
                choose::user_of(visitor, session).await?;
                names::login_succeeded();
                let onward = journey.login.asked.onward.as_deref().unwrap_or(account::ACCOUNT);
                return Ok(Step::End(reply::see_other(&visitor.path(onward))));
            }
            Stage::Authenticated(Authenticated { session }) => {
                invited::join(visitor, &mut journey.login.asked, session).await?;
                is_who_was_meant(visitor, journey, session).await?;
                is_proved_as_asked(visitor, journey, session).await?;
                match choose::decide(visitor, application, &journey.login, session).await? {
                    choose::Decision::Ask(choices) if journey.login.asked.device.is_some() => {
                        let barred = barred(visitor, journey, session, &choices).await?;
                        if choices.iter().all(|choice| bars_devices(&barred, choice)) {
                            return turned_away(visitor, journey, (session, None)).await;
                        }
                        let look = (choices.as_slice(), barred.as_slice(), None);
                        let page =
                            choose::pages::picker(visitor, application, journey, session, look).await?;
                        return Ok(Step::WaitAt(PICKER, page));
                    }
                    choose::Decision::Ask(choices) => {
                        let look = (choices.as_slice(), [].as_slice(), None);
                        let page =
                            choose::pages::picker(visitor, application, journey, session, look).await?;
                        return Ok(Step::Wait(page));
                    }
                    choose::Decision::Chosen(context) => {
                        journey.login.stage = Stage::Acting(Acting { session, context, by_hand: false });
                    }
                }
            }
            Stage::Acting(acting) if journey.login.asked.device.is_some() => {
                let asked = &journey.login.asked;
                match issue::device::judge(visitor, asked, acting.session, acting.context).await? {
                    // There was nothing to choose.
                    Err(Refusal::DeviceNotAllowed) if !acting.by_hand => {
                        let organization = acting.context.organization();
                        return turned_away(visitor, journey, (acting.session, organization)).await;
                    }
                    judged => judged?,
                }
                let page = device::pages::let_in_page(visitor, application, journey, &acting).await?;
                return Ok(Step::WaitAt(QUESTION, page));
            }
            Stage::Acting(acting) => {
                // However often they press, and wherever: one code.
                if !journey.claim(visitor).await? {
                    return Ok(Step::Overtaken);
                }
                if let Some(code) = code(visitor, journey, application).await? {
                    names::login_succeeded();
                    let back = Back::of(&journey.login.asked);
                    return Ok(Step::End(back.with_code(visitor, &code).await?));
                }
                return Ok(Step::Wait(consent::pages::ask(visitor, application, journey, &acting).await?));
            }
        }
    }
}

/// The code; nothing where the person is to be asked first whether the application may be told of them.
async fn code(
    visitor: &Visitor,
    journey: &Journey,
    application: &Application,
) -> Result<Option<Secret>, Stop> {
    if application.settings.client.consent_required && journey.login.asked.prompt.consent {
        return Ok(None);
    }
    let ready = journey.login.clone().ready().map_err(|_| Fault::Other("a login is not ready"))?;
    match issue::code(visitor, &ready).await {
        Ok(code) => Ok(Some(code)),
        Err(Stop::Refused(Refusal::ConsentRequired)) if !journey.login.asked.prompt.none => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// How many organizations are judged before they are shown. Whoever may act for more is told at the others when they pick
/// one.
const JUDGED: usize = 100;

/// For which of these no device is let in, and why: nobody is offered what would be refused.
async fn barred(
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
fn bars_devices(barred: &[Barred], choice: &Choice) -> bool {
    let context = choice.context();
    barred.iter().any(|one| one.context == context && one.problem == Problem::DeviceNotAllowed)
}

/// Nobody whom this person may act for lets a device in: it is told, and the login is over.
async fn turned_away(
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
    match choose::decide(visitor, &application, &journey.login, session).await? {
        choose::Decision::Ask(choices) => {
            let barred = barred(visitor, journey, session, &choices).await?;
            let look = (choices.as_slice(), barred.as_slice(), Some(params));
            choose::pages::picker(visitor, &application, journey, session, look).await
        }
        choose::Decision::Chosen(_) => home(),
    }
}

/// Nobody may be asked anything. So only an identity provider that is known without asking, and whose connection allows
/// it, may say at once who is there; it is told not to ask anybody either.
async fn silently(
    visitor: &Visitor,
    journey: &mut Journey,
    application: &Application,
    arrived: &Arrived,
) -> Result<Step, Stop> {
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

/// Tells the application, where nobody can do anything about it; otherwise the visitor, with the ways on.
async fn refuse(
    visitor: &Visitor,
    mut journey: Journey,
    application: &Application,
    (refusal, diagnosis, evidence): Why<'_>,
) -> Result<Response, Stop> {
    let mut event = super::refused(visitor, "login.refused", refusal)
        .organization(organization(&journey))
        .with("application", application.id.to_string());
    if let Some(id) = connection(visitor, &journey, refusal).await? {
        let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
        let owner = found.and_then(|connection| connection.organization_id);
        event.organization_id = event.organization_id.or(owner);
        event = event.subject(id).with("connection", id.to_string());
    }
    if let Some(diagnosis) = diagnosis {
        event = diagnosis.facts(event);
    }
    // One that was never kept is as cheap as any request.
    let flow = (!journey.is_new()).then_some(journey.login.id);
    note_failure(visitor, refusal, event, evidence, flow).await?;
    let by_hand = chosen_by_hand(&journey);
    match refusal.application() {
        Some(error) if tells_the_application(refusal, &journey, by_hand) => {
            // Told to no one else than the person, where there is one.
            let is_kept_back = journey.login.asked.prompt.none && is_about_the_person(refusal);
            let error = match owed(&journey) {
                _ if is_kept_back => OAuthError::interaction_required("sign_in_page_required"),
                Some(owed) if *refusal == Refusal::Cancelled => owed,
                _ => error,
            };
            if !journey.claim(visitor).await? {
                return Ok(journey.overtaken(visitor).await);
            }
            let response = Back::of(&journey.login.asked).with_error(visitor, &error).await;
            Ok(journey.end(visitor, response).await?)
        }
        _ => {
            // Whether they join is theirs to say once more: they may go on without.
            if let Some(ticket) = &mut journey.login.asked.ticket {
                ticket.is_wanted = false;
            }
            // The flow goes on from where the person can do something about it.
            if let Some(session) = journey.login.session().filter(|_| by_hand) {
                journey.login.stage = Stage::Authenticated(Authenticated { session });
            } else {
                journey.login.restart();
                if let Stage::Arrived(arrived) = &mut journey.login.stage {
                    arrived.unproved = *refusal == Refusal::AuthTimeMissing;
                }
            }
            let response = error_page(visitor, &journey, application, refusal);
            journey.keep(visitor, response).await
        }
    }
}

/// What the application is told when the person goes back from a page that tells of it.
fn owed(journey: &Journey) -> Option<OAuthError> {
    match &journey.login.stage {
        Stage::Arrived(Arrived { unproved: true, .. }) => Refusal::AuthTimeMissing.application(),
        _ => None,
    }
}

fn organization(journey: &Journey) -> Option<OrganizationId> {
    match &journey.login.stage {
        Stage::Acting(acting) => acting.context.organization(),
        _ => None,
    }
}

/// The connection that the refusal is about: the one to which the person was to be sent, whose answer is refused, or by
/// which the session began that does not count any more.
async fn connection(
    visitor: &Visitor,
    journey: &Journey,
    refusal: &Refusal,
) -> Result<Option<ConnectionId>, Fault> {
    Ok(match &journey.login.stage {
        Stage::Resolved(resolved) => match resolved.connections.as_slice() {
            [only] => Some(*only),
            _ => None,
        },
        Stage::Away(away) => Some(away.connection),
        Stage::Vouched(vouched) => Some(vouched.connection),
        Stage::Authenticated(Authenticated { session }) | Stage::Acting(Acting { session, .. })
            if *refusal == Refusal::ConnectionInactive =>
        {
            let found = sessions::by_id(&mut &visitor.broker().db, visitor.project.id, *session).await?;
            found.map(|session| session.connection_id)
        }
        _ => None,
    })
}

/// Whether the person picked the organization on our page: then they may pick another.
fn chosen_by_hand(journey: &Journey) -> bool {
    matches!(&journey.login.stage, Stage::Acting(acting) if acting.by_hand)
}

/// What our page says to the person, and what the application is to know nothing of.
fn is_about_the_person(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::IdpRefused(_)
            | Refusal::TokenRefused(_)
            | Refusal::IdpAnswerInvalid(_)
            | Refusal::AssertionRefused(_)
            | Refusal::NoIdentityProvider
            | Refusal::EmailDomainNotAllowed
            | Refusal::EmailInUse
            | Refusal::NotExpected(_)
            | Refusal::UserDisabled
            | Refusal::ConnectionChanged
    )
}

fn tells_the_application(refusal: &Refusal, journey: &Journey, by_hand: bool) -> bool {
    let visitor_can_act = is_about_the_person(refusal)
        || matches!(
            refusal,
            Refusal::IdpUnreachable(_)
                | Refusal::IdpUnusable(_)
                | Refusal::AuthTimeMissing
                | Refusal::TooManyRequests
                | Refusal::Crowded
        );
    journey.login.asked.prompt.none || !(visitor_can_act || by_hand || journey.answers_nobody())
}

fn error_page(
    visitor: &Visitor,
    journey: &Journey,
    application: &Application,
    refusal: &Refusal,
) -> Response {
    let (status, problem) = refusal.visitor();
    let page = ways_on(visitor, journey, Some(application), problem);
    let targets = journey.form_targets(visitor);
    visitor.page(status, &Page::Error(page), journey.login.asked.ui_locales.as_deref(), &targets)
}

/// A page within a login: it may be tried again, by another account, or given up.
fn ways_on(
    visitor: &Visitor,
    journey: &Journey,
    application: Option<&Application>,
    problem: Problem,
) -> ErrorPage {
    ErrorPage {
        application: application.map(|application| application.display_name.clone()),
        id: Some(visitor.request.to_string()),
        again: Href::parse(&journey.path(visitor, "")),
        csrf: journey.login.csrf.clone(),
        another_account: Some(journey.path(visitor, "/restart")),
        cancel: journey.cancel(visitor),
        ..ErrorPage::new(problem)
    }
}
