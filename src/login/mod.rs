//! The journey of a login, told once.
//!
//! 1. [`arrive`]: an application sends us someone.
//! 2. [`resolve`]: their email domain names an identity provider.
//! 3. [`authenticate`]: somebody we trust says who they are.
//! 4. [`choose`]: they say for which organization they act.
//! 5. [`issue`]: we vouch for them.
//! 6. [`leave`]: they sign out.
//!
//! Somebody who comes by an invitation is [`invited`]: they become a member in the place of steps 4 and 5. Who comes for
//! their own [`account`] is led there in that place. Somebody who types the code of a [`device`] lets that one in, in the
//! place of step 5. Whoever comes from an application of others is asked for their [`consent`] before that step.
//!
//! The rooms do not know each other; [`next`] alone knows their order, [`back`] the way to the application, [`question`] what is answered in
//! one's own name, and [`refusal`]
//! every way it can end badly.
//! What identity providers send by SAML comes in at the [`doorstep`], for whichever room it is; how sign-ins end is
//! [`counted`]. What clients sign is verified with their [`client_keys`].

pub mod account;
pub mod arrive;
pub mod authenticate;
pub mod back;
pub mod choose;
pub mod client_keys;
pub mod consent;
pub mod counted;
pub mod departure;
pub mod device;
pub mod diagnosis;
pub mod doorstep;
pub mod flow;
pub mod invited;
pub mod issue;
pub mod leave;
pub mod next;
pub mod pages;
pub mod question;
pub mod refusal;
pub mod resolve;

use counted::Evidence;

use crate::audit;
use crate::foundation::id::{ApplicationId, FlowId, OrganizationId};
use crate::model::application::Application;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::protocol::oauth::params::{LONGEST_NAME, shown};
use crate::store::durable::applications;
use crate::store::durable::engine::StoreError;
use crate::telemetry::names;
use crate::web::cookies::{self, Remembered};
use crate::web::reply::{self, Fault, Response};
use crate::web::templates::{ErrorPage, Href, Page, Problem};
use crate::web::visitor::Visitor;
use flow::{Again, Journey, Told};
use refusal::{Newcomer, Refusal};

/// Why a handler stops: somebody is refused, or we failed.
#[derive(Debug)]
pub enum Stop {
    Refused(Refusal),
    Failed(Fault),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<Fault>> From<E> for Stop {
    fn from(fault: E) -> Self {
        Self::Failed(fault.into())
    }
}

/// Answers a visitor whose flow is not known (any more): a page, and nothing for the application.
pub async fn answer(visitor: &Visitor, outcome: Result<Response, Stop>) -> Response {
    answer_to(visitor, outcome, None).await
}

/// As [`answer`], where somebody claims to be an application that is not known (any more).
pub async fn answer_to(
    visitor: &Visitor,
    outcome: Result<Response, Stop>,
    claimed: Option<&str>,
) -> Response {
    match outcome {
        Ok(response) => response,
        Err(Stop::Failed(fault)) => visitor.fault(&fault, None).await,
        Err(Stop::Refused(refusal)) => {
            let event = match with_claim(visitor, refused(visitor, "login.refused", &refusal), claimed).await
            {
                Ok(event) => event,
                Err(fault) => return visitor.fault(&fault, None).await,
            };
            let ways = match claimed {
                Some(client) if refusal == Refusal::BadRedirectUri => Ways::to_client(visitor, client).await,
                _ => Ways::default(),
            };
            turn_away_to(visitor, &refusal, (event, None), None, ways).await
        }
    }
}

/// As [`answer`], within a flow of which this browser may hold more than is left of it here: a page that says that the
/// flow is over knows the way to the application from which it began.
pub async fn answer_in(
    visitor: &Visitor,
    flow: &str,
    outcome: Result<Response, Stop>,
    again: Again<'_>,
) -> Response {
    let (refusal, ways) = match outcome {
        Err(Stop::Refused(Refusal::FlowExpired)) => match flow::told_again(visitor, flow, again).await {
            Some(Told::Again(onward)) => return onward,
            Some(Told::Otherwise(id)) => return already_ended(visitor, id).await,
            Some(Told::StillRunning) => return next::still_running(visitor, flow).await,
            None => match Journey::find(visitor, flow).await {
                // They only look, and it has come back meanwhile.
                Ok(journey) if again.is_a_look() => return reply::see_other(&journey.path(visitor, "")),
                // What they brought is used up, and the login goes on.
                Ok(journey) => (Refusal::FlowExpired, Ways::into(visitor, &journey)),
                // By a double press, say, while the application still looks at the answer to the first.
                Err(_) => match flow.parse() {
                    Ok(id) if again.pressed.is_some() && cookies::has_ended(&visitor.headers, id) => {
                        return already_ended(visitor, id).await;
                    }
                    _ => (Refusal::FlowExpired, Ways::back(visitor, flow).await),
                },
            },
        },
        Err(Stop::Refused(Refusal::ForeignForm)) => match Journey::find(visitor, flow).await {
            Ok(journey) => (Refusal::ForeignForm, Ways::into(visitor, &journey)),
            Err(_) => (Refusal::ForeignForm, Ways::default()),
        },
        other => return answer(visitor, other).await,
    };
    let event = refused(visitor, "login.refused", &refusal);
    turn_away_to(visitor, &refusal, (event, None), None, ways).await
}

/// The answer to a press in a login that something else has ended, which is told nothing of how. The browser that has pressed
/// that holds the login no more, and so is not told by looking either.
async fn already_ended(visitor: &Visitor, flow: FlowId) -> Response {
    let ways = Ways { said: Some(Problem::AlreadyEnded), ..Ways::back(visitor, &flow.to_string()).await };
    let event = refused(visitor, "login.refused", &Refusal::FlowExpired);
    let mut page = turn_away_to(visitor, &Refusal::FlowExpired, (event, None), None, ways).await;
    flow::over(visitor, flow, &mut page);
    page
}

/// The ways on from a page that belongs to no login which is under way.
#[derive(Debug, Default)]
pub struct Ways {
    /// Where the visitor may try again.
    pub again: Option<Href>,
    /// What the page says in place of what the refusal does.
    said: Option<Problem>,
    /// Its token, and where they begin it again with another account.
    within: Option<(String, String)>,
    /// The application, and where its people begin: as it is registered, never as a request has it.
    application: Option<String>,
    back: Option<Href>,
}

impl Ways {
    /// Into this login, which is this browser's.
    fn into(visitor: &Visitor, journey: &Journey) -> Self {
        let within = Some((journey.login.csrf.clone(), journey.path(visitor, "/restart")));
        Self {
            again: Href::parse(&journey.path(visitor, "")),
            said: Some(Problem::StepTaken),
            within,
            ..Self::default()
        }
    }

    /// To the application from which this browser began the flow.
    async fn back(visitor: &Visitor, flow: &str) -> Self {
        let Ok(flow) = flow.parse::<FlowId>() else { return Self::default() };
        let Some(id) = Remembered::of(&visitor.headers, flow).application else { return Self::default() };
        Self::to(visitor, applications::by_id(&mut &visitor.broker().db, visitor.project.id, id).await)
    }

    async fn to_client(visitor: &Visitor, client_id: &str) -> Self {
        let db = &mut &visitor.broker().db;
        Self::to(visitor, applications::by_client_id(db, visitor.project.id, client_id).await)
    }

    /// Without it the page says as much as it did; so a failure to look it up is no failure of the page.
    fn to(visitor: &Visitor, found: Result<Option<Application>, StoreError>) -> Self {
        let found = found.ok().flatten().filter(|application| application.is_enabled());
        let Some(application) = found else { return Self::default() };
        let back = application.front_door(&visitor.issuer()).and_then(|uri| Href::parse(&uri));
        Self { application: Some(application.display_name), back, ..Self::default() }
    }
}

/// Writes the refusal down, with what it says of the connection's settings and of the login that waits for what is refused,
/// and shows the page of it with the ways on.
pub async fn turn_away_to(
    visitor: &Visitor,
    refusal: &Refusal,
    (event, evidence): (AuditEvent, Option<&Evidence>),
    flow: Option<FlowId>,
    ways: Ways,
) -> Response {
    if let Err(fault) = note_failure(visitor, refusal, event, evidence, flow).await {
        return visitor.fault(&fault, None).await;
    }
    let (status, problem) = refusal.visitor();
    let Ways { again, said, within, application, back } = ways;
    let problem = said.unwrap_or(problem);
    let (id, detail) = (Some(visitor.request.to_string()), refusal.detail());
    let (csrf, another_account) =
        within.map_or_else(Default::default, |(csrf, restart)| (csrf, Some(restart)));
    // Browsers hold what follows on the form against this, as far as the identity provider.
    let targets = if another_account.is_some() { visitor.provider_targets() } else { Vec::new() };
    let page =
        ErrorPage { id, again, csrf, another_account, application, back, detail, ..ErrorPage::new(problem) };
    visitor.page(status, &Page::Error(page), None, &targets)
}

/// Turns somebody away without writing it down: it is counted, and told of once a minute in the trail of whom it concerns.
/// They are given no reference, which nobody would find. Who causes more than that waits; `is_innocent`: others do, and they
/// are told that this is why.
pub async fn turn_away_unwritten(
    visitor: &Visitor,
    refusal: &Refusal,
    event: &AuditEvent,
    is_innocent: bool,
) -> Response {
    count(visitor, refusal, event);
    if let Err(fault) = tell_of_more(visitor, event).await {
        return visitor.fault(&fault, None).await;
    }
    let (status, problem) = match is_innocent {
        true => (refusal.visitor().0, Problem::NotWritten),
        false => Refusal::TooManyRequests.visitor(),
    };
    visitor.page(status, &Page::Error(ErrorPage::new(problem)), None, &[])
}

/// The audit event of a refusal.
pub fn refused(visitor: &Visitor, action: &'static str, refusal: &Refusal) -> AuditEvent {
    let event = AuditEvent::new(visitor.project.id, action, Outcome::Refused)
        .reason(refusal.name())
        .request(Some(visitor.request))
        .with("address", visitor.address.to_string());
    let event = match refusal.unreachable() {
        Some(what) => event.with("unreachable", what),
        None => event,
    };
    let event = match refusal.idp_error() {
        Some(error) => event.with("idp_error", error),
        None => event,
    };
    let event = match refusal {
        Refusal::BadRequest(why) => event.with("why", why.as_str()),
        Refusal::Protocol(error) => event.with("why", error.description.as_ref()),
        Refusal::NotExpected(newcomer) => {
            let Newcomer { email, why } = &**newcomer;
            let event = email.iter().fold(event, |event, email| event.with("email", email.as_str()));
            why.iter().fold(event, |event, why| event.with("auto_join", why.word()))
        }
        _ => event,
    };
    match refusal.check() {
        Some(check) => event.with("check", check),
        None => event,
    }
}

/// Who somebody says to be. What is no name that we know may be a secret in the wrong place, and stays in the trail for good.
async fn with_claim(
    visitor: &Visitor,
    event: AuditEvent,
    claimed: Option<&str>,
) -> Result<AuditEvent, Fault> {
    let Some(claimed) = claimed else { return Ok(event) };
    if claimed.chars().count() > LONGEST_NAME {
        let db = &mut &visitor.broker().db;
        if applications::by_client_id(db, visitor.project.id, claimed).await?.is_none() {
            return Ok(event.with("client_id", shown(claimed)));
        }
    }
    let graphic: String = claimed.chars().filter(char::is_ascii_graphic).collect();
    Ok(event.with("client_id", graphic))
}

/// Writes down that somebody was refused who says to be the application of this client id.
pub async fn note_claimed(
    visitor: &Visitor,
    action: &'static str,
    refusal: &Refusal,
    claimed: Option<&str>,
) -> Result<(), Fault> {
    let event = with_claim(visitor, refused(visitor, action, refusal), claimed).await?;
    note_event(visitor, refusal, event).await
}

/// Writes down a refusal: one audit event and one count.
pub async fn note(
    visitor: &Visitor,
    action: &'static str,
    refusal: &Refusal,
    application: Option<ApplicationId>,
    organization: Option<OrganizationId>,
) -> Result<(), Fault> {
    let mut event = refused(visitor, action, refusal).organization(organization);
    if let Some(application) = application {
        event = event.with("application", application.to_string());
    }
    note_event(visitor, refusal, event).await
}

/// As [`note`], where more is known.
pub async fn note_event(visitor: &Visitor, refusal: &Refusal, event: AuditEvent) -> Result<(), Fault> {
    note_failure(visitor, refusal, event, None, None).await
}

/// As [`note_event`], with what it says of the connection's settings, and of the login in which it happens if that was
/// kept before: those are written down on its own account, for nobody else is to hide them.
pub async fn note_failure(
    visitor: &Visitor,
    refusal: &Refusal,
    event: AuditEvent,
    evidence: Option<&Evidence>,
    flow: Option<FlowId>,
) -> Result<(), Fault> {
    count(visitor, refusal, &event);
    let may_be_noted = match flow {
        Some(flow) => visitor.may_be_noted_of(flow).await?,
        None => visitor.may_be_noted().await?,
    };
    if !may_be_noted {
        return tell_of_more(visitor, &event).await;
    }
    counted::told(visitor, evidence);
    let (broker, evidence) = (visitor.broker(), evidence.cloned());
    let (random, now) = (broker.random.clone(), broker.now());
    let written = broker.db.write(async move |tx| {
        audit::record(tx, &random, now, &event).await?;
        counted::failed(tx, &event, evidence.as_ref(), now).await
    });
    written.await.inspect_err(|_| names::audit_failed())?;
    Ok(())
}

/// What is counted and logged of every refusal.
fn count(visitor: &Visitor, refusal: &Refusal, event: &AuditEvent) {
    names::login_refused(refusal.name());
    tracing::info!(
        request = %visitor.request,
        action = event.action,
        reason = refusal.name(),
        unreachable = refusal.unreachable(),
        idp_error = refusal.idp_error(),
        connection = event.detail.get("connection").and_then(|id| id.as_str()),
        organization = event.organization_id.map(tracing::field::display),
        "refused"
    );
}

/// Says in the trail of whom it concerns, once a minute, that more is refused than is written down.
async fn tell_of_more(visitor: &Visitor, event: &AuditEvent) -> Result<(), Fault> {
    if !visitor.may_tell_of_more(event.organization_id).await? {
        return Ok(());
    }
    let more = AuditEvent::new(visitor.project.id, "audit.left_out", Outcome::Refused)
        .organization(event.organization_id)
        .reason("too_many_events")
        .request(Some(visitor.request))
        .with("address", visitor.address.to_string())
        .with("action", event.action);
    visitor.broker().record(more).await.inspect_err(|_| names::audit_failed())?;
    Ok(())
}
