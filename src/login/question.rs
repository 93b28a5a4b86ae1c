//! A question that somebody answers in their own name: whether a device is let in, whether an application is told of them.
//! The answer counts for what the page showed, and from the browser that is signed in as who was shown there (threats H23,
//! H24).

use data_encoding::BASE64URL_NOPAD;
use tower_sessions::Session;

use super::Stop;
use super::flow::Journey;
use super::refusal::Refusal;
use crate::foundation::secret::Digest;
use crate::model::login::Acting;
use crate::protocol::oauth::params::Params;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{delegations, organizations};
use crate::web::browser;
use crate::web::visitor::Visitor;

/// The organization that is acted for, and the one that sends the person, if it is not theirs.
pub async fn acts_for(
    visitor: &Visitor,
    acting: &Acting,
) -> Result<(Option<String>, Option<String>), StoreError> {
    let (mut db, project) = (&visitor.broker().db, visitor.project.id);
    let Some(id) = acting.context.organization() else { return Ok((None, None)) };
    let organization = organizations::by_id(&mut db, project, id).await?;
    let delegation = match acting.context.delegation() {
        Some(id) => delegations::by_id(&mut db, project, id).await?,
        None => None,
    };
    let home = match delegation {
        Some(delegation) => organizations::by_id(&mut db, project, delegation.home).await?,
        None => None,
    };
    Ok((organization.map(|one| one.display_name), home.map(|one| one.display_name)))
}

/// Names what a page shows, so that nobody says yes with another account, for another organization, or to more.
pub fn shown(acting: &Acting, more: &[String]) -> String {
    let context = serde_json::json!([acting.session, acting.context, more]);
    BASE64URL_NOPAD.encode(Digest::of(context.to_string().as_bytes()).as_bytes())
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Yes,
    No,
    /// The page showed something else than what would be allowed now: they are asked again.
    OfSomethingElse,
    /// Whoever was asked is not signed in at this browser any more: whoever is there now is asked.
    ByAnother,
}

/// What was answered to a question whose page showed `shown`.
pub async fn answer(
    visitor: &Visitor,
    browser: &Session,
    journey: &Journey,
    params: &Params,
    (acting, shown): (&Acting, &str),
) -> Result<Said, Stop> {
    journey.check_form(visitor, params)?;
    if browser::session_of(browser, visitor.project.id).await? != Some(acting.session) {
        return Ok(Said::ByAnother);
    }
    match params.get("answer").ok().flatten() {
        Some("allow") if params.get("shown").ok().flatten() != Some(shown) => Ok(Said::OfSomethingElse),
        Some("allow") => Ok(Said::Yes),
        Some("deny") => Ok(Said::No),
        _ => Err(Refusal::BadRequest("answer is neither allow nor deny".to_owned()).into()),
    }
}
