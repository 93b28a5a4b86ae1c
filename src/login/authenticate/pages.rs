//! On to an identity provider, and back from one.

use axum::http::StatusCode;
use tower_sessions::Session;

use super::{Departure, sign_in};
use crate::foundation::id::SessionId;
use crate::login::Stop;
use crate::login::flow::Journey;
use crate::model::login::Proof;
use crate::web::browser;
use crate::web::reply::{self, Response};
use crate::web::templates::{OnwardPage, Page};
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

impl Departure {
    pub fn reply(self, visitor: &Visitor, journey: &Journey) -> Response {
        match self {
            Self::Redirect(location) => reply::see_other(&location),
            Self::Post { provider, action, fields } => {
                let page = Page::Onward(OnwardPage { provider, action, fields });
                let locales = journey.login.asked.ui_locales.as_deref();
                visitor.page(StatusCode::OK, &page, locales, &journey.form_targets(visitor))
            }
        }
    }
}
