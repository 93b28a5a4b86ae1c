//! Where the browser goes when a session has ended: back to the application that wanted it, or to the page that says so.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;

use super::request::Asked;
use crate::foundation::id::SessionId;
use crate::model::application::Application;
use crate::protocol::oauth::params;
use crate::store::durable::applications;
use crate::store::durable::engine::StoreError;
use crate::web::reply::{self, Response};
use crate::web::templates::{Href, Page, SignedOutPage};
use crate::web::visitor::Visitor;

/// Frames on one page; applications beyond them hear of it by the back channel, or not at all.
const MOST_FRAMES: usize = 20;
/// Applications that are looked at for them.
const MOST_APPLICATIONS: u32 = 200;

/// What is still to be done in the browser; kept while it is at the identity provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// The name of the application that wanted it.
    application: Option<String>,
    /// Its own registered address, with its state.
    back: Option<String>,
    /// What applications want the browser to open (OpenID Connect Front-Channel Logout 1.0, section 2).
    frames: Vec<String>,
}

impl After {
    /// Nothing but the way back.
    pub fn of(asked: &Asked) -> Self {
        let application = asked.application.as_ref().map(|application| application.display_name.clone());
        Self { application, back: asked.back.clone(), frames: Vec::new() }
    }

    /// With what applications want the browser to open when this session ends; read before it does.
    pub async fn with_frames(mut self, visitor: &Visitor, session: SessionId) -> Result<Self, StoreError> {
        let (db, issuer) = (&mut &visitor.broker().db, visitor.issuer());
        let entered = applications::entered(db, visitor.project.id, session, MOST_APPLICATIONS).await?;
        self.frames.extend(entered.iter().filter_map(|one| frame(one, &issuer, session)));
        self.frames.truncate(MOST_FRAMES);
        Ok(self)
    }

    /// What `form-action` must allow for a form that ends here.
    pub fn form_target(&self) -> Option<String> {
        self.back.as_deref().and_then(reply::form_target)
    }

    /// For who stays signed in: back to the application, or to our own front door.
    pub fn left(self, visitor: &Visitor) -> Response {
        reply::see_other(&self.back.unwrap_or_else(|| visitor.path("/")))
    }

    /// `provider`: where the person may still be signed in.
    pub fn reply(self, visitor: &Visitor, provider: Option<String>) -> Response {
        let link = self.back.as_deref().and_then(Href::parse);
        match &self.back {
            // An address of no website cannot be a link; whoever waits there is told by the back channel.
            Some(back) if self.frames.is_empty() || link.is_none() => reply::see_other(back),
            _ => self.page(visitor, link, provider),
        }
    }

    /// For whom their identity provider has not signed out, though we asked it to: they are told before they go on.
    pub fn reply_incomplete(self, visitor: &Visitor, provider: String) -> Response {
        let link = self.back.as_deref().and_then(Href::parse);
        match &self.back {
            Some(back) if link.is_none() => reply::see_other(back),
            _ => self.page(visitor, link, Some(provider)),
        }
    }

    fn page(self, visitor: &Visitor, back: Option<Href>, provider: Option<String>) -> Response {
        let origins = origins(&self.frames);
        let frames = self.frames.iter().filter_map(|frame| Href::parse(frame)).collect();
        let page = SignedOutPage { application: self.application, back, frames, provider };
        visitor.page_framing(StatusCode::OK, &Page::SignedOut(page), None, &[], &origins)
    }
}

/// What this application wants a browser to open: its address with who we are and which session it was, always both.
fn frame(application: &Application, issuer: &str, session: SessionId) -> Option<String> {
    let address = application.settings.sign_out.frontchannel_logout_uri.as_ref();
    let address = address.filter(|_| application.disabled_at.is_none())?;
    Some(params::append(address.as_str(), [("iss", issuer), ("sid", &session.to_string())]))
}

/// Each once.
fn origins(frames: &[String]) -> Vec<String> {
    let urls = frames.iter().filter_map(|frame| Url::parse(frame).ok());
    let mut origins: Vec<_> = urls.map(|url| url.origin().ascii_serialization()).collect();
    origins.sort();
    origins.dedup();
    origins
}
