//! An answer that nobody had asked for: the identity provider begins (SAML Profiles, section 4.1.5).
//!
//! Anybody can make a browser post somebody else's assertion, so such an answer signs nobody in unless the connection's
//! administrator wants it to. What it may do instead is lead to the application it is for, which then asks us, which
//! makes us ask the identity provider (threats H09). The application is told by `initiate_login_uri` (OpenID Connect
//! Core, section 4); `RelayState` is not looked at.

use std::time::Duration;

use tower_sessions::Session;

use super::answered;
use crate::foundation::email::Email;
use crate::login::Stop;
use crate::login::authenticate;
use crate::login::diagnosis::Diagnosis;
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::connection::{IdpInitiated, SamlConnection};
use crate::model::login::Proof;
use crate::protocol::oauth::params::{self, Params};
use crate::protocol::oauth::redirect_uri::RedirectUri;
use crate::protocol::saml::assertion::Assertion;
use crate::protocol::saml::refused::{Check, Refused};
use crate::protocol::saml::signature::Verified;
use crate::store::durable::{applications, connections};
use crate::store::ephemeral::Kind;
use crate::web::reply::{self, Response};
use crate::web::visitor::Visitor;

/// A browser takes a redirect at once.
const TICKET_LIFETIME: Duration = Duration::from_secs(60);

/// Where an unasked answer leads, if this connection takes any.
pub async fn led(
    visitor: &Visitor,
    connection: SamlConnection<'_>,
    assertion: &Verified<Assertion>,
) -> Result<Result<String, Diagnosis>, Stop> {
    let now = visitor.broker().now();
    let mode = connection.saml.idp_initiated;
    if mode == IdpInitiated::Off {
        let found = "none: the identity provider began, and this connection does not take that";
        return Ok(Err(Refused::new(Check::InResponseTo, "a request of ours", found).into()));
    }
    let Some(application) = target(visitor, connection).await? else {
        let found = "a default application without initiate_login_uri, or none";
        let refusal = Refusal::AssertionRefused("default_application");
        return Ok(Err(Diagnosis::new(refusal, "a default application with initiate_login_uri", found)));
    };
    let proof = match answered::proof(connection, None, assertion, now) {
        Ok(proof) => proof,
        Err(diagnosis) => return Ok(Err(diagnosis)),
    };
    if mode == IdpInitiated::RoundTrip {
        return Ok(Ok(login_begun(visitor, &application, proof.email.as_ref())));
    }
    let broker = visitor.broker();
    let ticket = broker.random.token();
    let bytes = serde_json::to_vec(&proof)?;
    broker.ephemeral.put(Kind::Proof, &ticket.digest().text(), bytes, TICKET_LIFETIME).await?;
    let path = format!("/saml/{}/accepted?ticket={}", connection.id, ticket.expose());
    Ok(Ok(visitor.path(&path)))
}

/// Signs in the browser that posted such an answer, which is here now with its cookies.
pub async fn accept(
    visitor: &Visitor,
    browser: &Session,
    connection: &str,
    query: &str,
) -> Result<Response, Stop> {
    let expired = Refusal::FlowExpired;
    let params = Params::parse(query.as_bytes()).map_err(|_| expired.clone())?;
    let ticket = params.get("ticket").ok().flatten().ok_or(expired.clone())?;
    let key = crate::foundation::secret::Secret::new(ticket).digest().text();
    let taken = visitor.broker().ephemeral.take(Kind::Proof, &key).await?.ok_or(expired.clone())?;
    let proof: Proof = serde_json::from_slice(&taken)?;
    if proof.connection.to_string() != connection {
        return Err(expired.into());
    }
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, proof.connection).await?;
    let connection = found.ok_or(Refusal::ConnectionChanged)?;
    let connection = connection
        .saml()
        .filter(|connection| connection.saml.idp_initiated == IdpInitiated::Accept)
        .ok_or(Refusal::ConnectionChanged)?;
    let application = target(visitor, connection).await?.ok_or(Refusal::ConnectionChanged)?;
    let email = proof.email.clone();
    authenticate::pages::complete(visitor, browser, proof).await?;
    Ok(reply::see_other(&login_begun(visitor, &application, email.as_ref())))
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
    let uri = application.settings.initiate_login_uri.as_ref().map_or("", RedirectUri::as_str);
    let issuer = visitor.issuer();
    let mut pairs = vec![("iss", issuer.as_str())];
    pairs.extend(email.map(|email| ("login_hint", email.as_str())));
    params::append(uri, pairs)
}
