//! Login flows on their way: kept in the short-lived store, bound to the browser by a cookie each.

use std::time::Duration;

use http::{HeaderValue, header};

use super::Stop;
use super::refusal::Refusal;
use crate::foundation::id::FlowId;
use crate::foundation::secret::Secret;
use crate::model::login::{Arrived, Asked, Login, Stage};
use crate::protocol::oauth::params::Params;
use crate::store::ephemeral::Kind;
use crate::web::cookies;
use crate::web::reply::{Fault, Response};
use crate::web::visitor::Visitor;

/// A login, and the secret of its cookie if the browser does not have it yet.
#[derive(Debug)]
pub struct Journey {
    pub login: Login,
    new: Option<Secret>,
}

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
            stage: Stage::Arrived(Arrived::default()),
        };
        Self { login, new: Some(secret) }
    }

    /// The flow of this id, if this browser holds it.
    pub async fn find(visitor: &Visitor, id: &str) -> Result<Self, Stop> {
        let id: FlowId = id.parse().map_err(|_| Refusal::FlowExpired)?;
        let found = visitor.broker().ephemeral.get(Kind::LoginFlow, &id.to_string()).await?;
        Self::read(visitor, found)
    }

    /// As [`Self::find`], and nobody else finds it until it is kept again: for steps that happen once.
    pub async fn take(visitor: &Visitor, id: &str) -> Result<Self, Stop> {
        // Looked at first: a stranger who knows the id alone must not be able to end the flow.
        let journey = Self::find(visitor, id).await?;
        let key = journey.login.id.to_string();
        let found = visitor.broker().ephemeral.take(Kind::LoginFlow, &key).await?;
        Self::read(visitor, found)
    }

    fn read(visitor: &Visitor, found: Option<Vec<u8>>) -> Result<Self, Stop> {
        let bytes = found.ok_or(Refusal::FlowExpired)?;
        let login: Login = serde_json::from_slice(&bytes)?;
        let held = cookies::holds_flow(&visitor.headers, login.id, login.browser);
        let ours = login.project == visitor.project.id;
        if held && ours { Ok(Self { login, new: None }) } else { Err(Refusal::FlowExpired.into()) }
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

    /// Keeps the flow for the next step, and gives the browser its cookie if it is new.
    pub async fn keep(&mut self, visitor: &Visitor, mut response: Response) -> Result<Response, Fault> {
        let broker = visitor.broker();
        let ends = self.login.started_at.plus(Duration::from_secs(broker.config.login.flow_lifetime));
        let left = ends.since(broker.now());
        if !left.is_zero() {
            let bytes = serde_json::to_vec(&self.login)?;
            broker.ephemeral.put(Kind::LoginFlow, &self.login.id.to_string(), bytes, left).await?;
        }
        if let Some(secret) = self.new.take() {
            for cookie in cookies::open_flow(&visitor.headers, self.login.id, &secret) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        Ok(response)
    }

    /// Ends the flow.
    pub async fn end(self, visitor: &Visitor, mut response: Response) -> Result<Response, Fault> {
        if self.new.is_none() {
            visitor.broker().ephemeral.take(Kind::LoginFlow, &self.login.id.to_string()).await?;
            let cookie: HeaderValue = cookies::close_flow(self.login.id);
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// A path of this flow's.
    pub fn path(&self, visitor: &Visitor, step: &str) -> String {
        visitor.path(&format!("/login/{}{step}", self.login.id))
    }
}
