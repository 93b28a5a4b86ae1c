//! Where the browser goes when a session has ended: back to the application that wanted it, or to the page that says so.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;

use super::request::Asked;
use crate::foundation::id::{SessionId, UserId};
use crate::login::Stop;
use crate::login::departure::Departure;
use crate::model::application::Application;
use crate::model::session::Session;
use crate::protocol::oauth::params;
use crate::protocol::oauth::redirect_uri::WebAddress;
use crate::store::durable::applications;
use crate::store::durable::engine::{Read, StoreError};
use crate::web::reply::{self, Response};
use crate::web::templates::{Href, OnwardForm, Page, SignedOutPage};
use crate::web::visitor::Visitor;

/// Frames on one page; applications beyond them hear of it by the back channel, or not at all.
const MOST_FRAMES: usize = 20;
/// Applications that are looked at for them.
const MOST_APPLICATIONS: u32 = 200;

/// What applications want a browser to open when these sessions end; found out while they stand.
#[derive(Debug, Default)]
pub struct Opens {
    wishes: Vec<Wish>,
    /// Whether there may be more than were looked at.
    misses_some: bool,
}

#[derive(Debug)]
struct Wish {
    user: UserId,
    session: SessionId,
    application: Application,
}

impl Opens {
    pub async fn add(&mut self, db: &mut impl Read, session: &Session) -> Result<(), StoreError> {
        let entered = applications::entered(db, session.project_id, session.id, MOST_APPLICATIONS).await?;
        self.misses_some |= entered.len() >= MOST_APPLICATIONS as usize;
        let (user, session) = (session.user_id, session.id);
        let mut wanting: Vec<_> = entered.into_iter().filter(|one| address(one).is_some()).collect();
        // Those first that hear of it in no other way.
        wanting.sort_by_key(hears_otherwise);
        self.wishes.extend(wanting.into_iter().map(|application| Wish { user, session, application }));
        Ok(())
    }

    /// There are sessions of which nobody can say whether they are among those that end.
    pub fn may_miss_some(&mut self) {
        self.misses_some = true;
    }

    pub fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    /// Whether some application hears of it neither by a frame nor otherwise. One browser has one session: what was open
    /// in others cannot be opened here. `shown`: whether this browser opens any.
    pub fn leaves_some(&self, shown: bool) -> bool {
        let silent = |wish: &&Wish| !hears_otherwise(&wish.application);
        let mut sessions: Vec<_> = self.wishes.iter().filter(silent).map(|wish| wish.session).collect();
        sessions.dedup();
        self.misses_some
            || sessions.len() > usize::from(shown)
            || self.wishes.iter().skip(MOST_FRAMES).any(|wish| silent(&wish))
    }
}

/// By the back channel.
fn hears_otherwise(application: &Application) -> bool {
    application.settings.sign_out.backchannel_logout_uri.is_some()
}

/// What is still to be done in the browser; kept while it is at the identity provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// The name of the application that wanted it.
    application: Option<String>,
    /// Its own registered address, with its state.
    back: Option<String>,
    /// Where its people begin: the way back where it named none.
    home: Option<String>,
    /// What applications want the browser to open (OpenID Connect Front-Channel Logout 1.0, section 2).
    frames: Vec<String>,
}

impl After {
    /// Nothing but the way back.
    pub fn of(asked: &Asked) -> Self {
        let application = asked.application.as_ref().map(|application| application.display_name.clone());
        Self { application, back: asked.back.clone(), home: asked.home.clone(), frames: Vec::new() }
    }

    /// What is left to do once the browser has opened what applications want.
    pub fn opened(&self) -> Self {
        Self { frames: Vec::new(), ..self.clone() }
    }

    /// On to the provider; first the browser opens what applications want, for not every provider sends people back.
    pub fn go_on(self, visitor: &Visitor, departure: Departure, provider: String) -> Response {
        if self.frames.is_empty() {
            return departure.reply(visitor, None, &visitor.provider_targets());
        }
        self.reply_onward(visitor, departure, provider)
    }

    /// With what applications want the browser to open when this session ends; read before it does.
    pub async fn with_frames(self, visitor: &Visitor, session: &Session) -> Result<Self, Stop> {
        let mut opens = Opens::default();
        opens.add(&mut &visitor.broker().db, session).await?;
        self.opening(visitor, &opens).await
    }

    /// The same of what was found out before.
    pub async fn opening(mut self, visitor: &Visitor, opens: &Opens) -> Result<Self, Stop> {
        let (issuer, pairwise) = (visitor.issuer(), &visitor.broker().pairwise);
        for Wish { user, session, application } in opens.wishes.iter().take(MOST_FRAMES) {
            let names = pairwise.names(application, *user, *session).await?;
            self.frames.extend(frame(application, &issuer, &names.session));
        }
        Ok(self)
    }

    /// The page with the frames, from where the browser goes on by itself: to `provider`, with an answer for it.
    pub fn reply_onward(self, visitor: &Visitor, departure: Departure, provider: String) -> Response {
        let (back, onward, targets) = match departure {
            Departure::Redirect(location) => match Href::parse(&location) {
                Some(back) => (Some(back), None, Vec::new()),
                None => return reply::see_other(&location),
            },
            Departure::Post { action, fields, .. } => {
                (None, Some(OnwardForm { action, fields }), visitor.provider_targets())
            }
        };
        let origins = origins(&self.frames);
        let frames = self.frames.iter().filter_map(|frame| Href::parse(frame)).collect();
        let application = Some(provider);
        let page =
            SignedOutPage { application, goes_on: true, back, onward, frames, ..SignedOutPage::default() };
        visitor.page_framing(StatusCode::OK, &Page::SignedOut(page), None, &targets, &origins)
    }

    /// What `form-action` must allow for a form that ends here.
    pub fn form_target(&self) -> Option<String> {
        self.back.as_deref().and_then(reply::form_target)
    }

    /// For who stays signed in, but for this organization: back to the application, or to the page that says so.
    pub fn left(self, visitor: &Visitor, organization: String) -> Response {
        match &self.back {
            Some(back) => reply::see_other(back),
            None => self.page(
                visitor,
                SignedOutPage { organization: Some(organization), ..SignedOutPage::default() },
            ),
        }
    }

    /// `provider`: where the person may still be signed in.
    pub fn reply(self, visitor: &Visitor, provider: Option<String>) -> Response {
        let link = self.back.as_deref().and_then(Href::parse);
        match &self.back {
            // An address of no website cannot be a link; whoever waits there is told by the back channel.
            Some(back) if self.frames.is_empty() || link.is_none() => reply::see_other(back),
            _ => self.page(visitor, SignedOutPage { back: link, provider, ..SignedOutPage::default() }),
        }
    }

    /// For whom their identity provider has not signed out, though we asked it to: they are told before they go on.
    pub fn reply_incomplete(self, visitor: &Visitor, provider: String) -> Response {
        let link = self.back.as_deref().and_then(Href::parse);
        match &self.back {
            Some(back) if link.is_none() => reply::see_other(back),
            _ => self.page(
                visitor,
                SignedOutPage { back: link, provider: Some(provider), ..SignedOutPage::default() },
            ),
        }
    }

    /// What the page says, with the frames and the way back.
    fn page(self, visitor: &Visitor, said: SignedOutPage) -> Response {
        let origins = origins(&self.frames);
        let frames = self.frames.iter().filter_map(|frame| Href::parse(frame)).collect();
        // With frames nobody is led on but to where the application wants them.
        let home = self.home.filter(|_| self.frames.is_empty());
        let back = said.back.or_else(|| Href::parse(&home?));
        let page = SignedOutPage { application: self.application, back, frames, ..said };
        visitor.page_framing(StatusCode::OK, &Page::SignedOut(page), None, &[], &origins)
    }
}

/// What this application wants a browser to open: its address with who we are and which session it was, always both.
fn frame(application: &Application, issuer: &str, session: &str) -> Option<String> {
    Some(params::append(address(application)?.as_str(), [("iss", issuer), ("sid", session)]))
}

fn address(application: &Application) -> Option<&WebAddress> {
    let address = application.settings.sign_out.frontchannel_logout_uri.as_ref();
    address.filter(|_| application.is_enabled())
}

/// Each once.
fn origins(frames: &[String]) -> Vec<String> {
    let urls = frames.iter().filter_map(|frame| Url::parse(frame).ok());
    let mut origins: Vec<_> = urls.map(|url| url.origin().ascii_serialization()).collect();
    origins.sort();
    origins.dedup();
    origins
}
