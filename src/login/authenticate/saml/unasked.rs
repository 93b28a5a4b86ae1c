//! An answer that nobody had asked for: the identity provider begins (SAML Profiles, section 4.1.5).
//!
//! Anybody can make a browser post somebody else's assertion, so such an answer signs nobody in unless the connection's
//! administrator wants it to. What it may do instead is lead to the application it is for, which then asks us, which
//! makes us ask the identity provider (threats H09). The application is told by `initiate_login_uri` (OpenID Connect
//! Core, section 4); `RelayState` is not looked at.

use std::time::Duration;

use http::header;
use tower_sessions::Session;

use super::answered;
use super::pages::{Said, keep, take, ticket};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::secret::Digest;
use crate::login::authenticate;
use crate::login::diagnosis::Diagnosis;
use crate::login::doorstep::{Told, stop};
use crate::login::refusal::Refusal;
use crate::login::{Stop, Ways, refused, turn_away_to};
use crate::model::application::Application;
use crate::model::connection::{IdpInitiated, SamlConnection};
use crate::model::login::PutAside;
use crate::protocol::saml::assertion::Assertion;
use crate::protocol::saml::refused::{Check, Refused};
use crate::protocol::saml::signature::Verified;
use crate::store::durable::{applications, connections, sessions};
use crate::web::browser;
use crate::web::cookies::Begun;
use crate::web::reply::{self, Response};
use crate::web::templates::Href;
use crate::web::visitor::Visitor;

/// How long ago a sign-in may have been at the provider that is to be a new one, clocks aside.
const NEW: Duration = Duration::from_secs(300);

/// Where an answer leads, and what the browser gets along.
#[derive(Debug)]
pub struct Onward {
    location: String,
    begun: Option<Begun>,
}

impl From<String> for Onward {
    fn from(location: String) -> Self {
        Self { location, begun: None }
    }
}

impl Onward {
    /// To the application. What comes of it is still a login by this connection: the round trip goes there, and not to
    /// whatever else the address might lead to.
    fn to(
        visitor: &Visitor,
        application: &Application,
        connection: SamlConnection<'_>,
        email: Option<&Email>,
    ) -> Self {
        let hint = email.map(|email| Digest::of(email.as_str().as_bytes()));
        let at = visitor.broker().now();
        let begun = Begun { connection: connection.id, application: application.id, at, hint };
        Self { location: login_begun(visitor, application, email), begun: Some(begun) }
    }

    pub fn reply(self) -> Response {
        let mut response = reply::see_other(&self.location);
        if let Some(begun) = self.begun {
            response.headers_mut().append(header::SET_COOKIE, begun.cookie());
        }
        response
    }
}

/// Where an unasked answer leads, if this connection takes any.
pub async fn led(
    visitor: &Visitor,
    connection: SamlConnection<'_>,
    assertion: &Verified<Assertion>,
) -> Result<Onward, Told> {
    let now = visitor.broker().now();
    let mode = connection.saml.idp_initiated;
    if mode == IdpInitiated::Off {
        let found = "none: the identity provider began, and this connection does not take that";
        return Err(Refused::new(Check::InResponseTo, "a request of ours", found).into());
    }
    let Some(application) = target(visitor, connection).await.map_err(Told::Stop)? else {
        let expected =
            "a default application that is enabled, offers this connection and has initiate_login_uri";
        let refusal = Refusal::AssertionRefused("default_application");
        return Err(Diagnosis::new(refusal, expected, "one of which that is not so, or none").into());
    };
    let sp = visitor.saml_addresses(connection.id).entity_id;
    let mut proof = answered::proof((connection, &sp), None, assertion, now)?;
    if mode == IdpInitiated::RoundTrip {
        // The application is told the address: it must be one that a login by this connection could bring.
        let by = (connection.id, connection.organization_id);
        let mut db = &visitor.broker().db;
        let rule = authenticate::domain_rule(&mut db, visitor.project.id, by, &proof).await;
        if rule.map_err(stop)?.is_none() {
            let why = authenticate::not_by_the_rule(&mut db, visitor.project.id, connection.organization_id);
            return Err(Said::of(&proof).refused(why.await.map_err(stop)?).into());
        }
        return Ok(Onward::to(visitor, &application, connection, proof.email.as_ref()));
    }
    is_new_where_it_must_be(connection, assertion.get(), now)?;
    // Used up for good here, whether or not a browser takes it up (threats H08). Kept before, so that an answer for which
    // there is no room may come again.
    let once = proof.single_use.take();
    let ticket = visitor.broker().random.token();
    keep(visitor, &ticket, &PutAside::of_nothing(proof), Duration::MAX).await?;
    let id = connection.id;
    let first =
        visitor.broker().db.write(async move |tx| authenticate::is_first(tx, id, once.as_ref()).await);
    if !first.await.map_err(stop)? {
        // It must not be had by the ticket, which nobody was told.
        take(visitor, &ticket).await.map_err(Told::Stop)?;
        let refusal = Refusal::AssertionRefused("replayed");
        return Err(Diagnosis::new(refusal, "an assertion that was not used", "one that was").into());
    }
    Ok(visitor.path(&format!("/saml/{}/accepted?ticket={}", connection.id, ticket.expose())).into())
}

/// A connection that asks for a new sign-in each time asked for none here: so it must be one.
pub fn is_new_where_it_must_be(
    connection: SamlConnection<'_>,
    assertion: &Assertion,
    now: Moment,
) -> Result<(), Diagnosis> {
    let at = assertion.authn_instant;
    let leeway = Duration::from_secs(connection.settings.leeway);
    if !connection.saml.request.force_authn || now.since(at) <= NEW.saturating_add(leeway) {
        return Ok(());
    }
    let expected = "a new sign-in, as force_authn wants: within the last five minutes";
    Err(Diagnosis::new(Refusal::AuthenticationTooOld, expected, at.rfc3339()))
}

/// Signs in the browser that posted such an answer, which is here now with its cookies.
pub async fn accept(
    visitor: &Visitor,
    browser: &Session,
    connection: &str,
    query: Option<&str>,
) -> Result<Response, Stop> {
    let aside = take(visitor, &ticket(query)?).await?;
    let proof = aside.for_nothing(connection).ok_or(Refusal::FlowExpired)?;
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, proof.connection).await?;
    let connection = found.ok_or(Refusal::ConnectionChanged)?;
    let connection = connection
        .saml()
        .filter(|connection| connection.saml.idp_initiated == IdpInitiated::Accept)
        .ok_or(Refusal::ConnectionChanged)?;
    let application = target(visitor, connection).await?.ok_or(Refusal::ConnectionChanged)?;
    let email = proof.email.clone();
    // Who is signed in stays signed in: any site may have led this browser here, with an answer for somebody else.
    if !is_signed_in(visitor, browser).await? {
        let said = Said::of(&proof);
        match authenticate::pages::complete_unasked(visitor, browser, proof).await {
            Err(Stop::Refused(refusal)) => {
                let diagnosis = said.refused(refusal.clone());
                let event = diagnosis.tell(refused(visitor, "login.refused", &refusal), &connection, None);
                let again = Href::parse(&login_begun(visitor, &application, email.as_ref()));
                let ways = Ways { again, ..Ways::default() };
                return Ok(turn_away_to(visitor, &refusal, (event, None), None, ways).await);
            }
            outcome => outcome.map(drop)?,
        }
    }
    Ok(Onward::to(visitor, &application, connection, email.as_ref()).reply())
}

async fn is_signed_in(visitor: &Visitor, browser: &Session) -> Result<bool, Stop> {
    let Some(id) = browser::session_of(browser, visitor.project.id).await? else { return Ok(false) };
    let found = sessions::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    Ok(found.is_some_and(|session| session.is_alive(visitor.broker().now())))
}

/// The application that such logins are for.
async fn target(visitor: &Visitor, connection: SamlConnection<'_>) -> Result<Option<Application>, Stop> {
    let Some(client_id) = &connection.saml.default_application else { return Ok(None) };
    let found = applications::by_client_id(&mut &visitor.broker().db, visitor.project.id, client_id).await?;
    Ok(found.filter(|found| {
        found.disabled_at.is_none()
            && found.settings.initiate_login_uri.is_some()
            && found.settings.accepts_connection(connection.id, connection.organization_id.is_some())
    }))
}

/// Third-party initiated login (OpenID Connect Core, section 4).
fn login_begun(visitor: &Visitor, application: &Application, email: Option<&Email>) -> String {
    application.login_begins_at(&visitor.issuer(), email.map(Email::as_str)).unwrap_or_default()
}
