//! How a login ends badly, or waits for the person to do something about it: the application is told, or the page shows the
//! ways on.

use http::StatusCode;

use super::application;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::login::back::Back;
use crate::login::counted::Evidence;
use crate::login::diagnosis::Diagnosis;
use crate::login::flow::{Again, Journey};
use crate::login::refusal::Refusal;
use crate::login::{self, Stop, answer, answer_in, consent, note_failure};
use crate::model::application::Application;
use crate::model::login::{Acting, Arrived, Authenticated, Stage};
use crate::protocol::oauth::error::OAuthError;
use crate::store::durable::{connections, sessions};
use crate::web::reply::{Fault, Response};
use crate::web::templates::{ErrorPage, Href, Page, Problem};
use crate::web::visitor::Visitor;

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

/// Somebody looks at their login, or brings it something, while what came before that is still looked at: they may wait, or
/// do something else, unless it has been taken out of the store for that.
pub async fn still_running(visitor: &Visitor, flow: &str) -> Response {
    let Ok(journey) = Journey::find(visitor, flow).await else {
        let (id, again) = (visitor.request.to_string(), visitor.path(&format!("/login/{flow}")));
        let page =
            ErrorPage { id: Some(id), again: Href::parse(&again), ..ErrorPage::new(Problem::StillRunning) };
        return visitor.page(StatusCode::ACCEPTED, &Page::Error(page), None, &[]);
    };
    let application = journey.application(visitor).await.ok().flatten();
    let page = Page::Error(ways_on(visitor, &journey, application.as_ref(), Problem::StillRunning));
    let (locales, targets) = (journey.login.asked.ui_locales.as_deref(), journey.form_targets(visitor));
    visitor.page(StatusCode::ACCEPTED, &page, locales, &targets)
}

/// Ends in a refusal what a room could not decide, with the journey that it was about.
pub async fn refused(visitor: &Visitor, journey: Journey, refusal: Refusal) -> Response {
    told(visitor, journey, (&refusal, None, None)).await
}

/// Ends what somebody has posted from a page of the login, and could not be done.
pub async fn stopped(visitor: &Visitor, journey: Journey, stop: Stop) -> Response {
    match stop {
        // Nobody knows whose doing it is: the login stands where it stood.
        Stop::Refused(Refusal::ForeignForm) => {
            answer_in(visitor, &journey.login.id.to_string(), Err(stop), Again::default()).await
        }
        Stop::Refused(refusal) => refused(visitor, journey, refusal).await,
        Stop::Failed(fault) => failed(visitor, journey, fault).await,
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
        Err(stop @ Stop::Refused(_)) => return answer(visitor, Err(stop)).await,
        Err(stop) => Err(stop),
    };
    match (outcome, silent) {
        (Err(stop), Some(silent)) => silent.tell(visitor, stop).await,
        (outcome, _) => answer(visitor, outcome).await,
    }
}

/// Tells the application, where nobody can do anything about it; otherwise the visitor, with the ways on.
pub(super) async fn refuse(
    visitor: &Visitor,
    mut journey: Journey,
    application: &Application,
    (refusal, diagnosis, evidence): Why<'_>,
) -> Result<Response, Stop> {
    let mut event = login::refused(visitor, "login.refused", refusal)
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
    let told = tells_the_application(refusal, &journey, by_hand)
        && (journey.login.asked.prompt.none
            || !refusal.is_of_an_organization()
            || consent::may_know(visitor, application, &journey.login).await?);
    match refusal.application() {
        Some(error) if told => {
            // Told to no one else than the person, where there is one.
            let is_kept_back = journey.login.asked.prompt.none && is_about_the_person(refusal);
            let error = match owed(&journey, application) {
                _ if is_kept_back => OAuthError::interaction_required("sign_in_page_required"),
                Some(owed) if *refusal == Refusal::Cancelled => owed,
                _ => error,
            };
            if journey.claim(visitor).await?.is_none() {
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
            let may_pick = by_hand || *refusal == Refusal::ChoiceNotOffered;
            if let Some(session) = journey.login.session().filter(|_| may_pick) {
                journey.login.stage = Stage::Authenticated(Authenticated { session });
            } else if !(*refusal == Refusal::ConnectionNotOffered && may_pick_another(&journey)) {
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

/// What was picked on an old page takes nobody back who is on their way, and no other choice away.
fn may_pick_another(journey: &Journey) -> bool {
    match &journey.login.stage {
        Stage::Away(_) => true,
        Stage::Resolved(resolved) => resolved.connections.len() > 1,
        _ => false,
    }
}

/// What the application is told when the person goes back from a page that tells of it. One of others does not learn so
/// whether they were asked what it may be told, or could not have been.
fn owed(journey: &Journey, application: &Application) -> Option<OAuthError> {
    match &journey.login.stage {
        Stage::Arrived(Arrived { unproved: true, .. }) => Refusal::AuthTimeMissing.application(),
        _ if application.settings.client.consent_required => Refusal::ConsentDenied.application(),
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
pub(super) fn chosen_by_hand(journey: &Journey) -> bool {
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
            | Refusal::ConnectionNotOffered
            | Refusal::EmailDomainNotAllowed
            | Refusal::EmailInUse
            | Refusal::SubjectKind(_)
            | Refusal::NotExpected(_)
            | Refusal::UserDisabled
            | Refusal::ConnectionChanged
    )
}

fn tells_the_application(refusal: &Refusal, journey: &Journey, by_hand: bool) -> bool {
    // Another tab has signed them out, or somebody else in: they sit here, and may sign in again.
    let is_signed_out = *refusal == Refusal::SessionEnded && journey.login.session().is_some();
    let visitor_can_act = is_signed_out
        || is_about_the_person(refusal)
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
    // It was an old page: the login itself goes on here.
    let problem = if *refusal == Refusal::FlowExpired { Problem::StepTaken } else { problem };
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
        decline: journey.decline(visitor),
        ..ErrorPage::new(problem)
    }
}
