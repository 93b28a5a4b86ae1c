//! A sample web application that signs people in with Behalf, by the `openidconnect` crate: what a developer
//! writes once, whatever identity providers the customers have.
//!
//! ```text
//! CLIENT_SECRET=… cargo run --example web_app -- 127.0.0.1:8083 http://127.0.0.1:8080 acme-crm
//! ```
//!
//! Read `sign_in` and `callback` first; the rest is pages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Json, Redirect, Response};
use axum::routing::{get, post};
use behalf::config;
use behalf::egress::http::Http;
use behalf::foundation::random::Random;
use behalf::foundation::secret::Secret;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What Behalf says besides who the person is: for whom they act.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Acting {
    /// The one organization that this sign-in is for: every row you read or write belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_display_name: Option<String>,
    /// Whose people they are, if they act on behalf of an organization that is not their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    home_org_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delegation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
    /// All that they may act for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    organizations: Vec<Organization>,
    /// The connection that they came through.
    #[serde(skip_serializing_if = "Option::is_none")]
    idp: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Organization {
    id: String,
    name: String,
    display_name: String,
}

impl AdditionalClaims for Acting {}

type Claims = IdTokenClaims<Acting, CoreGenderClaim>;
type IdTokenFields = openidconnect::IdTokenFields<
    Acting,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
/// The crate's `CoreClient`, with our claims.
type Client = openidconnect::Client<
    Acting,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<IdTokenFields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

pub struct Settings {
    /// Where this application is reached: `http://127.0.0.1:8083`.
    pub home: String,
    /// Behalf.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
}

#[derive(Clone)]
struct App(Arc<Inner>);

struct Inner {
    settings: Settings,
    /// In your application: a `reqwest::Client` that follows no redirects.
    http: Http,
    random: Random,
    /// In your application: both in a store that forgets them after a while.
    attempts: Mutex<HashMap<String, Attempt>>,
    sessions: Mutex<HashMap<String, Claims>>,
}

/// A sign-in that has begun, by its `state`.
struct Attempt {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// The cookie that binds an attempt to the browser that began it: one for each, so that no tab overwrites another's.
fn attempt_cookie(state: &str) -> String {
    format!("acme_attempt_{state}")
}

const SESSION: &str = "acme_session";

/// Serves for as long as the program runs.
///
/// # Errors
/// The HTTP client cannot be made.
pub fn serve(listener: TcpListener, settings: Settings) -> Result<(), Error> {
    let http = Http::new(&config::Egress { allow_loopback_and_http: true, ..Default::default() })?;
    let (attempts, sessions) = (Mutex::default(), Mutex::default());
    let app = App(Arc::new(Inner { settings, http, random: Random::System, attempts, sessions }));
    let router = axum::Router::new()
        .route("/", get(home))
        .route("/me", get(me))
        .route("/sign-in", get(sign_in))
        .route("/callback", get(callback))
        .route("/sign-out", post(sign_out))
        .with_state(app);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

#[derive(Deserialize)]
struct Wish {
    /// Sign in for this organization and no other: its slug or its id.
    organization: Option<String>,
    /// `select_organization` shows the choice again.
    prompt: Option<String>,
    login_hint: Option<String>,
}

/// `GET /sign-in`: sends the visitor to Behalf (OpenID Connect Core, section 3.1.2).
async fn sign_in(State(app): State<App>, Query(wish): Query<Wish>) -> Result<Response, Failed> {
    let client = app.client().await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut request = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .set_pkce_challenge(challenge);
    for scope in ["profile", "email", "organization", "organizations", "roles"] {
        request = request.add_scope(Scope::new(scope.into()));
    }
    let wishes =
        [("organization", wish.organization), ("prompt", wish.prompt), ("login_hint", wish.login_hint)];
    for (name, value) in wishes {
        if let Some(value) = value {
            request = request.add_extra_param(name, value);
        }
    }
    let (url, state, nonce) = request.url();
    let state = state.into_secret();
    let cookie = [(header::SET_COOKIE, set_cookie(&attempt_cookie(&state), "begun"))];
    lock(&app.0.attempts).insert(state, Attempt { nonce, verifier });
    Ok((cookie, Redirect::to(url.as_str())).into_response())
}

/// What Behalf answers, in the query of our address.
#[derive(Deserialize)]
struct Answer {
    state: String,
    iss: String,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// `GET /callback`: the visitor is back, with a code or with an error.
async fn callback(
    State(app): State<App>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Failed> {
    // It must answer what this very browser asked, once, and Behalf must have sent it (RFC 9207).
    let attempt_cookie = attempt_cookie(&answer.state);
    let ours = cookie(&headers, &attempt_cookie).is_some();
    let attempt = if ours { lock(&app.0.attempts).remove(&answer.state) } else { None };
    let attempt = attempt.ok_or("this sign-in was not begun here, or it is over")?;
    if answer.iss != app.0.settings.issuer {
        return Err("somebody else than Behalf answered".into());
    }
    if let Some(error) = answer.error {
        return Ok(refused(&error, answer.error_description.as_deref().unwrap_or_default()));
    }
    let claims = app.redeem(attempt, answer.code.ok_or("there is no code")?).await?;
    let session = app.0.random.token();
    lock(&app.0.sessions).insert(session.expose().to_owned(), claims);
    let cookies = [
        (header::SET_COOKIE, set_cookie(SESSION, session.expose())),
        (header::SET_COOKIE, drop_cookie(&attempt_cookie)),
    ];
    Ok((AppendHeaders(cookies), Redirect::to("/")).into_response())
}

impl App {
    /// Behalf as it describes itself. A real application keeps this for an hour.
    async fn client(&self) -> Result<Client, Error> {
        let settings = &self.0.settings;
        let issuer = IssuerUrl::new(settings.issuer.clone())?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.0.http).await?;
        let id = ClientId::new(settings.client_id.clone());
        let secret = ClientSecret::new(settings.client_secret.expose().to_owned());
        let redirect_uri = RedirectUrl::new(format!("{}/callback", settings.home))?;
        Ok(Client::from_provider_metadata(metadata, id, Some(secret)).set_redirect_uri(redirect_uri))
    }

    /// Trades the code for tokens and believes the ID token only after every check.
    async fn redeem(&self, attempt: Attempt, code: String) -> Result<Claims, Error> {
        let client = self.client().await?;
        let request = client.exchange_code(AuthorizationCode::new(code))?;
        let tokens = request.set_pkce_verifier(attempt.verifier).request_async(&self.0.http).await?;
        let id_token = tokens.id_token().ok_or("there is no ID token")?;
        // Signature, issuer, audience, expiry, nonce.
        let verifier = client.id_token_verifier();
        let claims = id_token.claims(&verifier, &attempt.nonce)?;
        let key = id_token.signing_key(&verifier)?;
        let hash = AccessTokenHash::from_token(tokens.access_token(), id_token.signing_alg()?, key)?;
        if claims.access_token_hash() != Some(&hash) {
            return Err("the access token is not the one that the ID token names".into());
        }
        Ok(claims.clone())
    }

    fn session(&self, headers: &HeaderMap) -> Option<Claims> {
        lock(&self.0.sessions).get(&cookie(headers, SESSION)?).cloned()
    }
}

/// `GET /me`: the claims of the ID token, as JSON.
async fn me(State(app): State<App>, headers: HeaderMap) -> Response {
    match app.session(&headers) {
        Some(claims) => ([(header::CACHE_CONTROL, "no-store")], Json(claims)).into_response(),
        None => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Cookie")]).into_response(),
    }
}

/// `POST /sign-out`: out of this application only. Behalf still knows the browser.
async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(session) = cookie(&headers, SESSION) {
        lock(&app.0.sessions).remove(&session);
    }
    ([(header::SET_COOKIE, drop_cookie(SESSION))], Redirect::to("/")).into_response()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On a real host with TLS it would be `__Host-…` and `Secure` as well.
fn set_cookie(name: &str, value: &str) -> String {
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax")
}

fn drop_cookie(name: &str) -> String {
    format!("{}; Max-Age=0", set_cookie(name, ""))
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let fields = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// Something is broken, here or on the way; nobody is signed in.
struct Failed(Error);

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let why = escape(&self.0.to_string());
        let body = format!(
            r#"<h1>That did not work</h1><p>{why}</p><p><a class="button" href="/">Start again</a></p>"#
        );
        page(StatusCode::BAD_GATEWAY, &body)
    }
}

/// Behalf said no. The error is for the program, its description for the developer.
fn refused(error: &str, description: &str) -> Response {
    let lead = match error {
        "access_denied" => {
            "You were not signed in: it was cancelled, or you may not act for this organization."
        }
        _ => "You were not signed in.",
    };
    let body = format!(
        r#"<h1>Not signed in</h1><p>{lead}</p>
<dl><dt>error</dt><dd>{}</dd><dt>error_description</dt><dd>{}</dd></dl>
<p><a class="button" href="/">Back to Acme CRM</a></p>"#,
        escape(error),
        escape(description)
    );
    page(StatusCode::FORBIDDEN, &body)
}

/// `GET /`
async fn home(State(app): State<App>, headers: HeaderMap) -> Response {
    let body = match app.session(&headers) {
        Some(claims) => signed_in(&claims, &app.0.settings),
        None => signed_out(&app.0.settings),
    };
    page(StatusCode::OK, &body)
}

/// Where people sign out at Behalf, which leads them back here.
fn sign_out_at_behalf(settings: &Settings) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("client_id", &settings.client_id);
    escape(&format!("{}/logout?{}", settings.issuer, query.finish()))
}

fn signed_out(settings: &Settings) -> String {
    format!(
        r#"<h1>Every customer, in one place</h1>
<p>A sample application. It knows one identity provider, Behalf, and Behalf knows those of all its customers.</p>
<p><a class="button" href="/sign-in">Sign in</a></p>
<h2>Or for one organization</h2>
<ul>
  <li><a href="/sign-in?organization=my-corp">Sign in for My Corporation</a></li>
  <li><a href="/sign-in?organization=contractor">Sign in for Contractor</a></li>
</ul>
<p><a href="{}">Sign out at Behalf</a></p>"#,
        sign_out_at_behalf(settings),
    )
}

fn signed_in(claims: &Claims, settings: &Settings) -> String {
    let acting = claims.additional_claims();
    let email = claims.email().map_or("", |email| email.as_str());
    let name = claims.name().and_then(|name| name.get(None)).map_or(email, |name| name.as_str());
    let organization = acting.org_display_name.as_deref().or(acting.org_name.as_deref());
    let others = acting.organizations.iter().filter(|one| Some(&one.id) != acting.org_id.as_ref());
    let links: String = others
        .map(|one| {
            let (slug, name) = (escape(&one.name), escape(&one.display_name));
            format!(r#"<li><a href="/sign-in?organization={slug}">Sign in for {name}</a></li>"#)
        })
        .collect();
    format!(
        r#"<h1>Signed in as <bdi>{name}</bdi>, acting for <bdi>{organization}</bdi></h1>
{on_behalf}
<p><a class="button" href="/sign-in?prompt=select_organization">Switch organization</a></p>
<ul>
  {links}
  <li><form method="post" action="/sign-out"><button>Sign out of Acme CRM</button></form></li>
  <li><a href="{out}">Sign out at Behalf</a></li>
</ul>
<h2>What the ID token says</h2>
<dl>{rows}</dl>"#,
        name = escape(name),
        organization = escape(organization.unwrap_or("nobody but yourself")),
        on_behalf = on_behalf(acting),
        out = sign_out_at_behalf(settings),
        rows = rows(claims),
    )
}

fn on_behalf(acting: &Acting) -> String {
    let Some(home) = &acting.home_org_id else { return String::new() };
    let named = acting.organizations.iter().find(|one| one.id == *home);
    let name = escape(named.map_or(home.as_str(), |one| one.display_name.as_str()));
    format!(
        r#"<p class="behalf">On behalf of an organization that is not their own: they belong to <b>{name}</b>.</p>"#
    )
}

const FIRST: [&str; 12] = [
    "sub",
    "name",
    "email",
    "email_verified",
    "org_id",
    "org_name",
    "org_display_name",
    "home_org_id",
    "delegation_id",
    "roles",
    "idp",
    "organizations",
];

fn rows(claims: &Claims) -> String {
    let Ok(serde_json::Value::Object(claims)) = serde_json::to_value(claims) else { return String::new() };
    let row = |(name, value): (&String, &serde_json::Value)| {
        format!("<dt>{}</dt><dd>{}</dd>", escape(name), escape(&readable(value)))
    };
    let mut told: Vec<_> = claims.iter().filter(|(_, value)| !value.is_null()).collect();
    // What Behalf is about comes first.
    told.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    told.into_iter().map(row).collect()
}

fn readable(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(list) => list.iter().map(readable).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Acme CRM</title>
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <link rel="icon" href="data:,">
  <style>{STYLE}</style>
</head>
<body>
  <header><a href="/">Acme CRM</a></header>
  <main>{body}</main>
</body>
</html>"#
    );
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; \
                  frame-ancestors 'none'; base-uri 'none'";
    let headers = [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-store")];
    (status, headers, Html(html)).into_response()
}

const STYLE: &str = "
  :root { --ink: #1b1d1f; --soft: #595d61; --line: #d9d6e8; --accent: #4b2fb3; --on: #fff; --well: #f4f2fb; --paper: #fff }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #eff0f2; --soft: #b0b5bd; --line: #3a3550; --accent: #b7a6ff; --on: #16121f; --well: #221d33; --paper: #16121f } }
  * { box-sizing: border-box }
  body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.55; overflow-wrap: anywhere;
    font-family: system-ui, sans-serif }
  header { background: var(--accent) }
  header a { display: block; color: var(--on); text-decoration: none; font-weight: 700 }
  header a, main { max-width: 44rem; margin: 0 auto; padding: 1rem 1.25rem }
  h1 { margin: 1.5rem 0 .75rem; font-size: 1.75rem; line-height: 1.2; text-wrap: balance }
  h2 { margin: 2.25rem 0 .5rem; font-size: 1.05rem }
  a { color: var(--accent); text-underline-offset: .2em }
  ul { margin: 0; padding: 0; list-style: none } li { padding: .35rem 0 }
  .button { display: inline-block; margin: .5rem 0; padding: .7rem 1.5rem; border-radius: 8px; font-weight: 600;
    background: var(--accent); color: var(--on); text-decoration: none }
  li button { padding: 0; border: 0; background: none; font: inherit; color: var(--accent); cursor: pointer;
    text-decoration: underline; text-underline-offset: .2em }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
  .behalf { padding: .75rem 1rem; border-inline-start: 4px solid var(--accent); background: var(--well) }
  dl { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; margin: 0; font-size: .9rem }
  dt, dd { margin: 0; padding: .45rem 0; border-top: 1px solid var(--line) }
  dt { padding-inline-end: 1rem; color: var(--soft) } dd { font-family: ui-monospace, monospace; white-space: pre-wrap }
  @media (max-width: 34rem) { dl { display: block } dd { padding-top: 0; border: 0 } }";

fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#39;")
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let listener = TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:8083")).await?;
    let home = format!("http://{}", listener.local_addr()?);
    let issuer = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8080".into());
    let client_id = arguments.next().unwrap_or_else(|| "acme-crm".into());
    let client_secret = Secret::new(std::env::var("CLIENT_SECRET").map_err(|_| "set CLIENT_SECRET")?);
    println!("open {home}");
    serve(listener, Settings { home, issuer, client_id, client_secret })?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}
