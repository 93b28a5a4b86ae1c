//! Back from an identity provider.

use tower_sessions::Session;

use super::sign_in;
use crate::foundation::id::SessionId;
use crate::login::Stop;
use crate::model::login::Proof;
use crate::web::browser;
use crate::web::visitor::Visitor;

/// Makes the session of somebody who is proved, and points their browser to it.
pub async fn complete(visitor: &Visitor, browser: &Session, proof: Proof) -> Result<SessionId, Stop> {
    let standing = browser::session_of(browser, visitor.project.id).await?;
    let session = sign_in(visitor.broker(), &visitor.project, visitor.request, proof, standing).await?;
    browser::sign_in(browser, visitor.project.id, session).await?;
    // Now, not with the answer: an answer that fails must not cost the person the session.
    browser.save().await?;
    Ok(session)
}
