//! The journey of a login, told once.
//!
//! 1. [`arrive`]: an application sends us someone.
//! 2. [`resolve`]: their email domain names an identity provider.
//! 3. [`authenticate`]: somebody we trust says who they are.
//! 4. [`choose`]: they say for which organization they act.
//! 5. [`issue`]: we vouch for them.
//! 6. [`leave`]: they sign out.
//!
//! The rooms do not know each other; [`next`] alone knows their order, and [`refusal`] every way it can end badly.

pub mod arrive;
pub mod authenticate;
pub mod choose;
pub mod flow;
pub mod issue;
pub mod leave;
pub mod next;
pub mod refusal;
pub mod resolve;

use crate::foundation::id::{ApplicationId, OrganizationId};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::telemetry::names;
use crate::web::reply::{Fault, Response};
use crate::web::templates::{ErrorPage, Page};
use crate::web::visitor::Visitor;
use refusal::Refusal;

/// What is kept of a client id that a stranger claims.
const LONGEST_CLAIM: usize = 100;

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
            if let Err(fault) = note_claimed(visitor, "login.refused", &refusal, claimed).await {
                return visitor.fault(&fault, None).await;
            }
            let (status, problem) = refusal.visitor();
            let page = ErrorPage { id: Some(visitor.request.to_string()), ..ErrorPage::new(problem) };
            visitor.page(status, &Page::Error(page), None, &[])
        }
    }
}

/// Writes down that somebody was refused who says to be the application of this client id.
pub async fn note_claimed(
    visitor: &Visitor,
    action: &'static str,
    refusal: &Refusal,
    claimed: Option<&str>,
) -> Result<(), Fault> {
    let claimed =
        claimed.map(|text| text.chars().filter(char::is_ascii_graphic).take(LONGEST_CLAIM).collect());
    write_down(visitor, action, refusal, claimed.map(|text: String| ("client_id", text)), None).await
}

/// Writes down a refusal: one audit event and one count.
pub async fn note(
    visitor: &Visitor,
    action: &'static str,
    refusal: &Refusal,
    application: Option<ApplicationId>,
    organization: Option<OrganizationId>,
) -> Result<(), Fault> {
    let application = application.map(|id| ("application", id.to_string()));
    write_down(visitor, action, refusal, application, organization).await
}

async fn write_down(
    visitor: &Visitor,
    action: &'static str,
    refusal: &Refusal,
    fact: Option<(&'static str, String)>,
    organization: Option<OrganizationId>,
) -> Result<(), Fault> {
    names::login_refused(refusal.name());
    tracing::info!(request = %visitor.request, action, reason = refusal.name(), "refused");
    if !visitor.may_be_noted().await? {
        return Ok(());
    }
    let mut event = AuditEvent::new(visitor.project.id, action, Outcome::Refused)
        .organization(organization)
        .reason(refusal.name())
        .request(Some(visitor.request))
        .with("address", visitor.address.to_string());
    if let Some((name, value)) = fact {
        event = event.with(name, value);
    }
    visitor.broker().record(event).await.inspect_err(|_| names::audit_failed())?;
    Ok(())
}
