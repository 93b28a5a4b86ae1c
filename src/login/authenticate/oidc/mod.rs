//! An upstream OpenID provider: the way there and the way back, with the `openidconnect` crate.

pub mod pages;
mod provider;
pub mod returned;
mod unread;

use std::time::Duration;

use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreClient};
use openidconnect::{
    ClientId, ClientSecret, CsrfToken, IssuerUrl, JsonWebKeySet, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope,
};

use crate::broker::Broker;
use crate::foundation::clock::Moment;
use crate::foundation::domain_name::DomainName;
use crate::foundation::email::Email;
use crate::foundation::id::UserId;
use crate::foundation::secret::Secret;
use crate::keys::connection_secret;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::connection::{Connection, OidcConnection};
use crate::model::login::{Awaited, AwaitedOidc, Away, Login};
use crate::protocol::oauth::client_authentication::Method;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;
pub use provider::{Provider, Unusable};

/// This connection's own callback, and no other's (threats C11, C12).
pub fn callback(visitor: &Visitor, connection: &Connection) -> String {
    format!("{}/oidc/{}/callback", visitor.issuer(), connection.id)
}

fn client(connection: OidcConnection<'_>) -> Result<CoreClient, Refusal> {
    let issuer = IssuerUrl::new(connection.oidc.issuer.clone());
    let issuer = issuer.map_err(|_| Refusal::IdpUnreachable("issuer_is_no_url"))?;
    let id = ClientId::new(connection.oidc.client_id.clone());
    Ok(CoreClient::new(id, issuer, JsonWebKeySet::new(Vec::new())))
}

/// The authorization request (code, PKCE, state, nonce) and what its answer must match.
pub async fn leave_for(
    visitor: &Visitor,
    login: &Login,
    connection: OidcConnection<'_>,
    email: Option<Email>,
) -> Result<(Away, String), Stop> {
    let broker = visitor.broker();
    let provider = Provider::of(broker, connection).await?;
    // The flow's id leads back to it; the secret behind the dot makes it this outing.
    let state = format!("{}.{}", login.id, broker.random.token().expose());
    let awaited = AwaitedOidc {
        state: Secret::new(state.as_str()).digest(),
        nonce: broker.random.token().expose().to_owned(),
        pkce_verifier: broker.random.token().expose().to_owned(),
    };
    let location = |away: &Away| location(visitor, login, connection, &provider, away, &awaited, state);
    let away = Away {
        email,
        connection: connection.id,
        version: connection.version,
        awaited: Awaited::Oidc(awaited.clone()),
        left_at: broker.now(),
        reauthenticate: login.reauthenticates(),
        max_age: login.asked.max_age,
        wants_the_moment: login.wants_the_moment(),
    };
    let location = location(&away)?;
    Ok((away, location))
}

fn location(
    visitor: &Visitor,
    login: &Login,
    connection: OidcConnection<'_>,
    provider: &Provider,
    away: &Away,
    awaited: &AwaitedOidc,
    state: String,
) -> Result<String, Stop> {
    let settings = connection.oidc;
    let redirect = RedirectUrl::new(callback(visitor, &connection));
    let redirect = redirect.map_err(|_| Fault::Other("our own callback is no URL"))?;
    let client = client(connection)?.set_auth_uri(provider.authorization.clone()).set_redirect_uri(redirect);
    let verifier = PkceCodeVerifier::new(awaited.pkce_verifier.clone());
    let nonce = awaited.nonce.clone();
    let mut request = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            move || Nonce::new(nonce),
        )
        .add_scopes(settings.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    if login.asked.prompt.none {
        request = request.add_prompt(CoreAuthPrompt::None);
    } else if away.reauthenticate {
        request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
    } else if login.asked.prompt.select_account {
        request = request.add_prompt(CoreAuthPrompt::SelectAccount);
    }
    if let Some(seconds) = login.asked.max_age.filter(|_| !away.reauthenticate) {
        request = request.set_max_age(Duration::from_secs(seconds));
    }
    if let Some(hint) = login_hint(login, away).filter(|_| settings.forward_login_hint) {
        request = request.add_extra_param("login_hint", hint);
    }
    if let (Some(name), Some(domain)) = (&settings.domain_hint_parameter, domain_hint(login, away)) {
        request = request.add_extra_param(name.clone(), domain);
    }
    Ok(request.url().0.into())
}

/// Who the person is said to be: by themselves, or by the application, unless it names them in our words.
fn login_hint(login: &Login, away: &Away) -> Option<String> {
    let hinted = login.asked.login_hint.as_ref().filter(|hint| {
        !login.asked.prompt.select_account && hint.parse::<UserId>().is_err() && Email::parse(hint).is_err()
    });
    away.email.as_ref().map(ToString::to_string).or_else(|| hinted.cloned())
}

fn domain_hint(login: &Login, away: &Away) -> Option<String> {
    let hinted = login.asked.domain_hint.as_deref().and_then(|text| DomainName::parse(text).ok());
    away.email
        .as_ref()
        .map(|email| email.domain().to_string())
        .or_else(|| hinted.map(|domain| domain.to_string()))
}

/// The client secret or private key of a connection, opened.
fn secret(broker: &Broker, connection: &Connection) -> Result<Secret, Fault> {
    let sealed = connection.secret.as_deref().ok_or(Fault::Other("a connection has no secret"))?;
    Ok(connection_secret::open(&broker.keyring, connection.id, sealed)?)
}

/// How we prove at the token endpoint who we are.
enum Authentication {
    Secret(ClientSecret),
    /// A `client_assertion` (RFC 7523).
    Assertion(String),
    Nothing,
}

fn authentication(
    broker: &Broker,
    connection: OidcConnection<'_>,
    audience: &str,
    now: Moment,
) -> Result<Authentication, Fault> {
    Ok(match connection.oidc.authentication {
        Method::SecretBasic | Method::SecretPost => {
            Authentication::Secret(ClientSecret::new(secret(broker, &connection)?.expose().to_owned()))
        }
        Method::PrivateKeyJwt => Authentication::Assertion(assertion(broker, connection, audience, now)?),
        // No connection is by a certificate of ours.
        Method::None | Method::TlsClientAuth | Method::SelfSignedTlsClientAuth => Authentication::Nothing,
    })
}

fn assertion(
    broker: &Broker,
    connection: OidcConnection<'_>,
    audience: &str,
    now: Moment,
) -> Result<String, Fault> {
    let key = connection_secret::private_key(&secret(broker, &connection)?);
    let key = key.ok_or(Fault::Other("a connection's private key is unusable"))?;
    let id = &connection.oidc.client_id;
    let claims = serde_json::json!({
        "iss": id, "sub": id, "aud": audience, "jti": broker.random.token().expose(),
        "iat": now.seconds(), "exp": now.seconds() + 60,
    });
    Ok(key.sign_jwt("JWT", &claims)?)
}
