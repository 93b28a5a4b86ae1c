//! A sample identity provider, as a customer of yours would have one: OpenID Connect with the authorization code
//! flow, PKCE and nothing else. It knows its people by name and asks none of them for a password, so it belongs
//! on a laptop.
//!
//! ```text
//! cargo run --example idp -- 127.0.0.1:8081 "My Corporation" ann@my-corp.example=Ann
//! ```
//!
//! It prints its issuer. Register the callback that Behalf shows for the connection with `REDIRECT_URI`; the
//! client is `CLIENT_ID` (default: `behalf`) with `CLIENT_SECRET`.

#[allow(clippy::duplicate_mod, reason = "both samples have it, and the demo has both samples")]
#[path = "sign_in_page.rs"]
mod sign_in_page;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Form, Query, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::{get, post};
use behalf::foundation::clock::{Clock, Moment};
use behalf::foundation::random::Random;
use behalf::foundation::secret::{Digest, Secret};
use behalf::protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKey};
use behalf::protocol::oauth::{params, pkce};
use serde::Deserialize;
use serde_json::{Value, json};
use sign_in_page::Look;
pub use sign_in_page::Person;
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a code waits to be redeemed.
const CODE_LIFETIME: Duration = Duration::from_secs(60);
const TOKEN_LIFETIME: i64 = 300;

/// Who runs this provider, for whom, and who may send people to it.
pub struct Company {
    pub name: String,
    pub people: Vec<Person>,
    pub client_id: String,
    pub client_secret: Secret,
    /// A colour of its pages, in degrees.
    pub hue: u16,
}

/// A running provider. Clones share it.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    issuer: String,
    company: Company,
    key: SigningKey,
    redirect_uris: Mutex<Vec<String>>,
    codes: Mutex<HashMap<String, Grant>>,
    clock: Clock,
    random: Random,
}

/// What a code stands for.
struct Grant {
    request: Request,
    person: Person,
    at: Moment,
}

/// An authorization request (OpenID Connect Core, section 3.1.2.1).
#[derive(Clone, Deserialize)]
struct Request {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    scope: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
    login_hint: Option<String>,
}

/// Serves at the listener's address for as long as the program runs.
///
/// # Errors
/// The listener is broken, or no key can be made.
pub fn serve(listener: TcpListener, company: Company) -> Result<Provider, Error> {
    let issuer = format!("http://{}", listener.local_addr()?);
    let key = SigningKey::generate(Algorithm::RS256, "1")?;
    let (redirect_uris, codes) = (Mutex::default(), Mutex::default());
    let inner =
        Inner { issuer, company, key, redirect_uris, codes, clock: Clock::System, random: Random::System };
    let provider = Provider(Arc::new(inner));
    let router = axum::Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks.json", get(keys))
        .route("/authorize", get(ask).post(answer))
        .route("/token", post(token))
        .with_state(provider.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(provider)
}

impl Provider {
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Lets people be sent back to this address.
    pub fn register(&self, redirect_uri: &str) {
        lock(&self.0.redirect_uris).push(redirect_uri.to_owned());
    }

    /// Whether this is a request of our client: otherwise nobody is sent anywhere.
    fn check(&self, request: &Request) -> Result<(), &'static str> {
        let checks = [
            (request.client_id == self.0.company.client_id, "unknown client_id"),
            (lock(&self.0.redirect_uris).contains(&request.redirect_uri), "unknown redirect_uri"),
            (request.response_type == "code", "response_type must be code"),
            (request.scope.split(' ').any(|scope| scope == "openid"), "scope must contain openid"),
            (request.code_challenge_method == "S256", "code_challenge_method must be S256"),
            (pkce::is_challenge(&request.code_challenge), "code_challenge is malformed"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(why))
    }

    fn new_code(&self, request: &Request, person: &Person) -> String {
        let code = self.0.random.token().expose().to_owned();
        let grant = Grant { request: request.clone(), person: person.clone(), at: self.0.clock.now() };
        lock(&self.0.codes).insert(code.clone(), grant);
        code
    }

    /// What the code stands for, if everything about it fits. A code is taken out before it is looked at, so it
    /// works once.
    fn redeem(&self, form: &TokenRequest) -> Option<Grant> {
        let grant = lock(&self.0.codes).remove(&form.code)?;
        let in_time = self.0.clock.now().since(grant.at) <= CODE_LIFETIME;
        let fits = form.grant_type == "authorization_code"
            && form.redirect_uri == grant.request.redirect_uri
            && pkce::matches(&grant.request.code_challenge, &form.code_verifier);
        (in_time && fits).then_some(grant)
    }

    fn id_token(&self, grant: &Grant) -> Value {
        let (person, now) = (&grant.person, self.0.clock.now().seconds());
        json!({
            "iss": self.0.issuer,
            // Yours must never change, and never be given to somebody else: take the id of a row, and no address. These
            // people have no rows, and keep their addresses for ever.
            "sub": Digest::of(person.email.as_bytes()).text(),
            "aud": self.0.company.client_id,
            "iat": now,
            "exp": now + TOKEN_LIFETIME,
            "auth_time": grant.at.seconds(),
            "amr": ["pwd"],
            "nonce": grant.request.nonce,
            "email": person.email,
            "email_verified": true,
            "name": person.name,
        })
    }

    fn is_our_client(&self, headers: &HeaderMap) -> bool {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((id, secret)) = header.and_then(basic) else { return false };
        id == self.0.company.client_id && self.0.company.client_secret.digest().matches(&secret)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn discovery(State(provider): State<Provider>) -> Json<Value> {
    let issuer = provider.issuer();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks.json"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(State(provider): State<Provider>) -> Response {
    match VerifyingKey::from_signing_key(&provider.0.key) {
        Ok(key) => Json(JwkSet::new(vec![key])).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// `GET /authorize`: the sign-in page.
async fn ask(
    State(provider): State<Provider>,
    RawQuery(query): RawQuery,
    Query(request): Query<Request>,
) -> Response {
    match provider.check(&request) {
        Ok(()) => page(&provider, &query.unwrap_or_default(), request.login_hint.as_deref()).into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, why).into_response(),
    }
}

#[derive(Deserialize)]
struct Answer {
    /// An email address; empty if they gave up.
    person: String,
}

/// `POST /authorize`: somebody said who they are. The query is still that of the request.
async fn answer(
    State(provider): State<Provider>,
    Query(request): Query<Request>,
    Form(answer): Form<Answer>,
) -> Response {
    if let Err(why) = provider.check(&request) {
        return (StatusCode::BAD_REQUEST, why).into_response();
    }
    let person = provider.0.company.people.iter().find(|person| person.email == answer.person);
    let code = person.map(|person| provider.new_code(&request, person));
    let mut pairs = vec![code.as_deref().map_or(("error", "access_denied"), |code| ("code", code))];
    pairs.extend(request.state.as_deref().map(|state| ("state", state)));
    // So that the client can tell whose answer it is (RFC 9207).
    pairs.push(("iss", provider.issuer()));
    Redirect::to(&params::append(&request.redirect_uri, pairs)).into_response()
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

/// `POST /token` (OpenID Connect Core, section 3.1.3).
async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(form): Form<TokenRequest>,
) -> Response {
    if !provider.is_our_client(&headers) {
        let body = Json(json!({ "error": "invalid_client" }));
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic")], body).into_response();
    }
    let Some(grant) = provider.redeem(&form) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    let Ok(id_token) = provider.0.key.sign_jwt("JWT", &provider.id_token(&grant)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    // There is nothing here to read with an access token, but a response must have one.
    let access_token = provider.0.random.token();
    let body = json!({
        "access_token": access_token.expose(), "token_type": "Bearer", "expires_in": TOKEN_LIFETIME,
        "id_token": id_token,
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// `client_secret_basic` (RFC 6749, section 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let bytes = data_encoding::BASE64.decode(header.strip_prefix("Basic ")?.as_bytes()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().ok().map(Into::into);
    Some((decode(id)?, decode(secret)?))
}

fn page(provider: &Provider, query: &str, hint: Option<&str>) -> Response {
    let company = &provider.0.company;
    let look = Look { company: &company.name, hue: company.hue };
    look.ask(&company.people, hint, &format!("/authorize?{query}"))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let listener = TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:8081")).await?;
    let name = arguments.next().unwrap_or_else(|| "My Corporation".into());
    let person = |argument: String| {
        let (email, name) = argument.split_once('=').unwrap_or((&argument, &argument));
        Person { email: email.to_owned(), name: name.to_owned() }
    };
    let mut people: Vec<_> = arguments.map(person).collect();
    if people.is_empty() {
        people.push(Person { email: "ann@my-corp.example".into(), name: "Ann".into() });
    }
    let client_id = std::env::var("CLIENT_ID").unwrap_or_else(|_| "behalf".into());
    let client_secret = Secret::new(std::env::var("CLIENT_SECRET").map_err(|_| "set CLIENT_SECRET")?);
    let provider = serve(listener, Company { name, people, client_id, client_secret, hue: 215 })?;
    if let Ok(uri) = std::env::var("REDIRECT_URI") {
        provider.register(&uri);
    }
    println!("the issuer is {}", provider.issuer());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
