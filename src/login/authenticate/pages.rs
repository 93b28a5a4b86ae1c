//! Back from an identity provider.

use http::header;
use tower_sessions::Session;

use super::{Found, sign_in};
use crate::foundation::id::SessionId;
use crate::login::{Stop, counted};
use crate::model::browser::Browser;
use crate::model::login::{Asked, Proof};
use crate::web::browser::{self, Turn};
use crate::web::visitor::Visitor;

/// Makes the session of somebody who is proved, and points their browser to it. `asked`: by an application, if one asked.
pub async fn complete(
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
