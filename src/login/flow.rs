//! Login flows on their way: kept in the short-lived store, bound to the browser by a cookie each. Whoever presses twice is
//! told the same (`answered`).

mod answered;
mod kept;
mod once;

use http::header;
use tower_sessions::Session;

pub use answered::{Again, Came, Told, awaited, led, led_before, put_back, told_again};
pub use kept::{awaiting, is_small, may_begin, move_on, time_left};
pub use once::{once, to_its_end};

use super::refusal::Refusal;
use super::{Stop, answer_in};
use crate::foundation::id::FlowId;
use crate::foundation::secret::{Digest, Secret};
use crate::model::application::Application;
use crate::model::login::{Arrived, Asked, Beforehand, Login, Stage};
use crate::protocol::oauth::params::Params;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{applications, connections};
use crate::store::ephemeral::Kind;
use crate::web::browser::Given;
use crate::web::cookies::{self, Remembered};
use crate::web::reply::{self, Fault, Response};
use crate::web::visitor::Visitor;
use answered::{Answered, forget, give_up};
use kept::{not_kept, of_project, put};

/// The browser holds it no more.
pub fn over(visitor: &Visitor, id: FlowId, response: &mut Response) {
    for cookie in cookies::end_flow(&visitor.headers, id) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// A login, and where it is.
#[derive(Debug)]
pub struct Journey {
    pub login: Login,
    held: Held,
    /// Of what came and is used up by this.
    brought: Option<Digest>,
    /// Of the form that this is the answer to.
    pressed: Option<Digest>,
    /// To the browser, with the session that was made.
    given: Option<Given>,
}

#[derive(Debug)]
enum Held {
    /// Nowhere yet, and the browser does not have the secret of its cookie.
    New(Secret),
    /// In the store, as it was found: whatever else has moved it on meanwhile stands.
    Found(Vec<u8>),
    /// Here alone, for what happens once in it.
    Claimed,
    /// Whoever was faster has it, or has ended it: it is neither kept nor ended from here.
    Lost,
}

/// That a login was this one's to end, and nobody else's. What an application is given once is given against it.
#[derive(Debug)]
pub struct Claim(());

impl Journey {
    /// A journey that begins. Nothing is kept until somebody has to wait for a page or another server.
    pub fn begin(visitor: &Visitor, asked: Asked) -> Self {
        let broker = visitor.broker();
        let secret = broker.random.token();
        let login = Login {
            id: FlowId::new(&broker.random, broker.now()),
            project: visitor.project.id,
            browser: secret.digest(),
            csrf: broker.random.token().expose().to_owned(),
            started_at: broker.now(),
            asked,
            beforehand: Beforehand::default(),
            pushed: None,
            restarts: 0,
            proves_again: false,
            picked: None,
            stage: Stage::Arrived(Arrived::default()),
        };
        Self::of(login, Held::New(secret))
    }

    fn of(login: Login, held: Held) -> Self {
        Self { login, held, brought: None, pressed: None, given: None }
    }

    /// The same of a request that was pushed under a name of this digest.
    #[must_use]
    pub fn of_pushed(mut self, digest: Option<Digest>) -> Self {
        self.login.pushed = digest;
        self
    }

    /// The flow in which this browser has used up what was pushed under a name of this digest, while it is under way.
    pub async fn of_request(visitor: &Visitor, digest: Digest) -> Result<Option<Self>, Stop> {
        for id in cookies::flows(&visitor.headers) {
            match Self::find(visitor, &id.to_string()).await {
                Ok(journey) if journey.login.pushed == Some(digest) => return Ok(Some(journey)),
                Ok(_) | Err(Stop::Refused(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(None)
    }

    /// The flow of this id, if this browser holds it.
    pub async fn find(visitor: &Visitor, id: &str) -> Result<Self, Stop> {
        let id: FlowId = id.parse().map_err(|_| Refusal::FlowExpired)?;
        let found = visitor.broker().ephemeral.get(Kind::LoginFlow, &id.to_string()).await?;
        Self::read(visitor, found)
    }

    /// This flow, of which what it waits for is used up: of many who bring that, one goes on. Where the flow stands, it may
    /// begin again meanwhile. `brought`: what counts once.
    pub async fn used(mut self, visitor: &Visitor, brought: &str) -> Result<Self, Stop> {
        let mut rest = self.login.clone();
        rest.stage = Stage::Arrived(Arrived { another_account: true, unproved: false });
        let bytes = serde_json::to_vec(&rest)?;
        if !self.swapped(visitor, bytes).await? {
            return Err(Refusal::FlowExpired.into());
        }
        self.brought = Some(Digest::of(brought.as_bytes()));
        Answered::begin(visitor, &self).await;
        Ok(self)
    }

    /// What was brought to it comes to nothing: nobody is to wait for it.
    pub async fn is_brought_nothing(&self, visitor: &Visitor) {
        give_up(visitor, self.login.id, self.brought).await;
    }

    /// The same, moved on by what was posted.
    #[must_use]
    pub fn by_press(mut self, pressed: Digest) -> Self {
        self.pressed = Some(pressed);
        self
    }

    /// What it is, and what was brought to it.
    pub fn with_what_came(&self) -> (FlowId, Option<Digest>) {
        (self.login.id, self.brought)
    }

    /// Somebody was signed in on this journey, at this browser.
    pub async fn signed_in(&mut self, visitor: &Visitor, browser: &Session) {
        self.given = Given::to(browser, visitor.project.id).await;
    }

    /// Takes the flow out of the store, for what happens once in it: a session of whoever was proved, or a code. Nothing: somebody else has, or has moved it on.
    pub async fn claim(&mut self, visitor: &Visitor) -> Result<Option<Claim>, Stop> {
        match &self.held {
            Held::New(_) | Held::Claimed => Ok(Some(Claim(()))),
            Held::Lost => Ok(None),
            Held::Found(found) => {
                let key = self.login.id.to_string();
                let won = visitor.broker().ephemeral.take_if(Kind::LoginFlow, &key, found).await?;
                self.held = if won { Held::Claimed } else { Held::Lost };
                if won {
                    Answered::begin(visitor, self).await;
                }
                Ok(won.then_some(Claim(())))
            }
        }
    }

    /// What is in the store of it, as far as this knows.
    fn found(&self) -> Option<&[u8]> {
        match &self.held {
            Held::Found(found) => Some(found),
            Held::New(_) | Held::Claimed | Held::Lost => None,
        }
    }

    /// Whether the flow was still as it was found, and is this now.
    async fn swapped(&mut self, visitor: &Visitor, bytes: Vec<u8>) -> Result<bool, Stop> {
        let Some(found) = self.found() else { return Ok(false) };
        let (key, left) = (self.login.id.to_string(), time_left(visitor, &self.login));
        let ephemeral = &visitor.broker().ephemeral;
        let swapped =
            ephemeral.swap(Kind::LoginFlow, &key, found, bytes.clone(), left).await.map_err(not_kept)?;
        if swapped {
            self.held = Held::Found(bytes);
        }
        Ok(swapped)
    }

    fn read(visitor: &Visitor, found: Option<Vec<u8>>) -> Result<Self, Stop> {
        let login = of_project(visitor, found.as_deref())?.ok_or(Refusal::FlowExpired)?;
        match found.filter(|_| cookies::holds_flow(&visitor.headers, login.id, login.browser)) {
            Some(found) => Ok(Self::of(login, Held::Found(found))),
            None => Err(Refusal::FlowExpired.into()),
        }
    }

    /// The answer to whoever was overtaken, in another tab or by pressing twice: where the flow stands by now.
    pub async fn overtaken(&self, visitor: &Visitor) -> Response {
        self.is_brought_nothing(visitor).await;
        match Self::find(visitor, &self.login.id.to_string()).await {
            Ok(journey) => reply::see_other(&journey.path(visitor, "")),
            Err(stop) => {
                let again = Again { pressed: self.pressed, ..Again::default() };
                answer_in(visitor, &self.login.id.to_string(), Err(stop), again).await
            }
        }
    }

    /// A form of one of our pages, posted from it: the right token, and not from another site (threats H24).
    pub fn check_form(&self, visitor: &Visitor, params: &Params) -> Result<(), Stop> {
        let token = params.get("csrf").ok().flatten().unwrap_or_default();
        let expected = Secret::new(self.login.csrf.as_str()).digest();
        if visitor.is_cross_site() || !expected.matches(token) {
            return Err(Refusal::ForeignForm.into());
        }
        Ok(())
    }

    /// Whether one more flow may be kept. Each network has its share; and when the store is nearly full, it takes no
    /// more, for the rest of the room is for those who are under way.
    async fn may_begin(&self, visitor: &Visitor) -> Result<(), Stop> {
        if self.is_new() { may_begin(visitor, Kind::LoginFlow).await } else { Ok(()) }
    }

    /// Where the forms of this flow lead in the end: to an identity provider that cannot be named before the
    /// address is typed (naming them all would tell strangers who our customers are), or back to the application,
    /// and wherever that sends the person on.
    pub fn form_targets(&self, visitor: &Visitor) -> Vec<String> {
        let mut targets = visitor.provider_targets();
        targets.extend(reply::form_target(&self.login.asked.redirect_uri));
        targets
    }

    /// Keeps the flow for the next step, and gives the browser its cookie if it is new. A network that has begun too
    /// many is refused here, so that nothing is kept without being counted; whoever was overtaken is told where the flow
    /// stands.
    pub async fn keep(&mut self, visitor: &Visitor, mut response: Response) -> Result<Response, Stop> {
        self.may_begin(visitor).await?;
        if matches!(self.held, Held::Lost) {
            return Ok(self.overtaken(visitor).await);
        }
        let bytes = serde_json::to_vec(&self.login)?;
        if matches!(self.held, Held::Found(_)) {
            let swapped = self.swapped(visitor, bytes).await?;
            return Ok(match (swapped, self.brought) {
                (true, None) => response,
                (true, Some(_)) => Answered::keep(visitor, self, response, false).await,
                (false, _) => self.overtaken(visitor).await,
            });
        }
        put(visitor, &self.login, bytes.clone()).await?;
        let Held::New(secret) = std::mem::replace(&mut self.held, Held::Found(bytes)) else {
            if self.brought.is_some() {
                return Ok(Answered::keep(visitor, self, response, false).await);
            }
            forget(visitor, self.login.id).await;
            return Ok(response);
        };
        let asked = &self.login.asked;
        let remembered = Remembered {
            application: (!self.answers_nobody()).then_some(asked.application),
            language: asked.ui_locales.as_deref().map(|locales| visitor.language(Some(locales))),
        };
        for cookie in cookies::open_flow(&visitor.headers, self.login.id, &secret, &remembered) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// Ends the flow.
    pub async fn end(self, visitor: &Visitor, response: Response) -> Result<Response, Fault> {
        match self.held {
            Held::New(_) => return Ok(response),
            Held::Lost => return Ok(self.overtaken(visitor).await),
            Held::Found(_) => {
                visitor.broker().ephemeral.take(Kind::LoginFlow, &self.login.id.to_string()).await?;
            }
            Held::Claimed => {}
        }
        let mut response = Answered::keep(visitor, &self, response, true).await;
        over(visitor, self.login.id, &mut response);
        Ok(response)
    }

    /// The application that the person came from; who is invited to none came from the house itself.
    pub async fn application(&self, visitor: &Visitor) -> Result<Option<Application>, StoreError> {
        let (mut db, project) = (&visitor.broker().db, &visitor.project);
        if self.login.asked.application != Application::HOUSE {
            return applications::by_id(&mut db, project.id, self.login.asked.application).await;
        }
        let own = connections::of_nobody(&mut db, project.id).await?;
        let active = own.iter().filter(|one| one.is_active()).map(|one| one.id);
        Ok(Some(Application::of_house(project, active.collect())))
    }

    /// Whether somebody came by an invitation: then there is no application that waits for an answer.
    pub fn is_invited(&self) -> bool {
        self.login.asked.invitation.is_some()
    }

    /// Whether they came for their own account: then there is none either.
    pub fn is_for_account(&self) -> bool {
        self.login.asked.application == Application::HOUSE && !self.is_invited()
    }

    /// Whether no application waits for an answer.
    pub fn answers_nobody(&self) -> bool {
        !self.login.asked.is_answered()
    }

    /// Where "Cancel" leads back to the application, if one waits.
    pub fn cancel(&self, visitor: &Visitor) -> Option<String> {
        (!self.answers_nobody()).then(|| self.path(visitor, "/cancel"))
    }

    /// Where "Do not let it in" leads, if a device waits: nothing else tells it that nobody will.
    pub fn decline(&self, visitor: &Visitor) -> Option<String> {
        self.login.asked.device.is_some().then(|| self.path(visitor, "/cancel"))
    }

    /// Whether the browser does not hold it yet.
    pub fn is_new(&self) -> bool {
        matches!(self.held, Held::New(_))
    }

    /// A path of this flow's.
    pub fn path(&self, visitor: &Visitor, step: &str) -> String {
        visitor.path(&format!("/login/{}{step}", self.login.id))
    }
}
