//! Back from an identity provider.

use http::header;
use tower_sessions::Session;

use super::{Found, sign_in};
use crate::foundation::id::SessionId;
use crate::login::flow::Journey;
use crate::login::refusal::Refusal;
use crate::login::{Stop, counted};
use crate::model::browser::Browser;
use crate::model::login::{Asked, Proof};
use crate::web::browser::{self, Turn};
use crate::web::visitor::Visitor;

/// Makes the session of somebody who is proved in a login that waits for that, and points their browser to it. Whoever has
/// given that login up, or has begun it again, while their provider was asked is not signed in by its answer: until the login
/// is claimed here, nothing is made, and from then on it cannot be given up.
pub async fn complete(
    visitor: &Visitor,
    browser: &Session,
    proof: Proof,
    journey: &mut Journey,
) -> Result<SessionId, Stop> {
    match journey.claim(visitor).await? {
        Some(_claim) => signed_in(visitor, browser, proof, Some(&journey.login.asked)).await,
        None => Err(Refusal::FlowExpired.into()),
    }
}

/// The same where no login had asked for it.
pub async fn complete_unasked(visitor: &Visitor, browser: &Session, proof: Proof) -> Result<SessionId, Stop> {
    signed_in(visitor, browser, proof, None).await
}

async fn signed_in(
    visitor: &Visitor,
    browser: &Session,
    proof: Proof,
    asked: Option<&Asked>,
) -> Result<SessionId, Stop> {
    let standing = browser::session_of(browser, visitor.project.id).await?;
    let silent = asked.filter(|asked| asked.prompt.none).cloned();
    let turn = Turn::of(browser, &visitor.broker().random);
    let (connection, version) = (proof.connection, proof.version);
    let invitation = asked.and_then(Asked::accepts);
    let user_agent = visitor.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let kind = user_agent.map(Browser::of);
    let found = Found { proof, standing, turn, silent, invitation, browser: kind };
    let session = sign_in(visitor.broker(), &visitor.project, visitor.request, found).await?;
    counted::worked(visitor, connection, version).await;
    turn.tell(browser, visitor.project.id, session).await?;
    Ok(session)
}
