//! An OpenID provider that behaves, until it is told to lie.
//!
//! What it will answer is told before a login begins ([`LyingIdp::says`]); the authorization request takes it
//! along, so the tokens of that login say it and no other's do. What it publishes of itself (discovery, keys) and
//! how its doors open ([`Door`]) hold for everybody at once.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::{hmac, rand, signature};
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use behalf::foundation::clock::Clock;
use behalf::foundation::random::Random;
use behalf::protocol::jose::{Algorithm, SigningKey};
use behalf::protocol::oauth::pkce;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// The client that the broker is to this provider.
pub const CLIENT: &str = "behalf";

/// A running provider; it ends with this value.
pub struct LyingIdp {
    pub issuer: String,
    pub secret: String,
    inner: Arc<Inner>,
    server: JoinHandle<()>,
}

struct Inner {
    issuer: String,
    secret: String,
    clock: Clock,
    state: Mutex<Standing>,
}

struct Standing {
    next: Says,
    keys: Vec<Arc<Key>>,
    published: Option<String>,
    discovery: Vec<(String, Value)>,
    doors: HashMap<String, Door>,
    hits: BTreeMap<String, usize>,
    codes: HashMap<String, Outing>,
    access_tokens: HashMap<String, Says>,
    last_authorization: HashMap<String, String>,
    last_token_request: HashMap<String, String>,
}

/// One authorization request, on its way to its tokens.
#[derive(Clone)]
struct Outing {
    says: Says,
    asked: HashMap<String, String>,
}

/// How a door answers, whatever was asked.
#[derive(Clone, Debug)]
pub enum Door {
    Status(u16),
    /// A status and a body, JSON by its label.
    Answer(u16, String),
    /// A body of another making, as JSON by its label.
    Body(String),
    /// As many bytes, and a JSON object at first sight.
    Huge(usize),
    Redirect(String),
    /// Never answers.
    Silent,
    /// Answers as it should, once it is let.
    Waits(Arc<Semaphore>),
    /// Begins to answer, and never ends.
    Stalls,
    /// Answers without end.
    Endless,
}

/// A private key of the provider's.
pub struct Key {
    pub signing: SigningKey,
    raw: Raw,
}

enum Raw {
    Rsa(signature::RsaKeyPair),
    Ec(signature::EcdsaKeyPair),
    Ed(signature::Ed25519KeyPair),
}

impl Key {
    pub fn new(algorithm: Algorithm, kid: &str) -> Arc<Self> {
        let signing = SigningKey::generate(algorithm, kid).unwrap();
        let der = signing.to_pkcs8().unwrap();
        let raw = match algorithm {
            Algorithm::RS256 => Raw::Rsa(signature::RsaKeyPair::from_pkcs8(&der).unwrap()),
            Algorithm::ES256 => {
                let way = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                Raw::Ec(signature::EcdsaKeyPair::from_pkcs8(way, &der).unwrap())
            }
            _ => Raw::Ed(signature::Ed25519KeyPair::from_pkcs8(&der).unwrap()),
        };
        Arc::new(Self { signing, raw })
    }

    pub fn jwk(&self) -> Value {
        serde_json::to_value(self.signing.public_jwk()).unwrap()
    }

    /// The public key as the world passes it around: SubjectPublicKeyInfo in DER.
    pub fn spki(&self) -> Vec<u8> {
        let Raw::Rsa(pair) = &self.raw else { panic!("not an RSA key") };
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = rand::SystemRandom::new();
        match &self.raw {
            Raw::Rsa(pair) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut made).unwrap();
                made
            }
            Raw::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Raw::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// Who signs an ID token, and how.
#[derive(Clone)]
pub enum Signature {
    /// The provider's first key.
    Own,
    Of(Arc<Key>),
    /// HS256 with these bytes.
    Hmac(Vec<u8>),
    /// These bytes.
    Literally(Vec<u8>),
    /// The right one, without its last bytes.
    Truncated(usize),
    /// The right one of other claims: this text of the payload is replaced afterwards.
    ThenReplaced(&'static str, &'static str),
}

/// What one login will be told. Without a lie: that the person of the login hint signed in just now.
#[derive(Clone)]
pub struct Says {
    subject: Option<String>,
    email: Option<String>,
    claims: Vec<Edit>,
    header: Vec<Edit>,
    signature: Signature,
    id_token: Option<Option<String>>,
    userinfo: Vec<Edit>,
    userinfo_body: Option<String>,
    /// Parameters of the authorization response; `None` leaves one out.
    response: Vec<(String, Option<String>)>,
}

/// One member of a JSON object, as raw text.
#[derive(Clone)]
enum Edit {
    Set(String, String),
    Add(String, String),
    Drop(String),
}

impl Says {
    /// The truth: whoever the login hint names, or this address.
    pub fn truth() -> Self {
        Self {
            subject: None,
            email: None,
            claims: Vec::new(),
            header: Vec::new(),
            signature: Signature::Own,
            id_token: None,
            userinfo: Vec::new(),
            userinfo_body: None,
            response: Vec::new(),
        }
    }

    pub fn that(subject: &str, email: &str) -> Self {
        Self { subject: Some(subject.to_owned()), email: Some(email.to_owned()), ..Self::truth() }
    }

    /// A claim of the ID token, as JSON text: it need not be JSON.
    #[must_use]
    pub fn claim(mut self, name: &str, raw: &str) -> Self {
        self.claims.push(Edit::Set(name.to_owned(), raw.to_owned()));
        self
    }

    /// One more claim of a name that is there already.
    #[must_use]
    pub fn claim_again(mut self, name: &str, raw: &str) -> Self {
        self.claims.push(Edit::Add(name.to_owned(), raw.to_owned()));
        self
    }

    #[must_use]
    pub fn without(mut self, claim: &str) -> Self {
        self.claims.push(Edit::Drop(claim.to_owned()));
        self
    }

    /// A member of the ID token's header.
    #[must_use]
    pub fn header(mut self, name: &str, raw: &str) -> Self {
        self.header.push(Edit::Set(name.to_owned(), raw.to_owned()));
        self
    }

    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.push(Edit::Drop(name.to_owned()));
        self
    }

    #[must_use]
    pub fn signed(mut self, signature: Signature) -> Self {
        self.signature = signature;
        self
    }

    /// The whole ID token, or none at all.
    #[must_use]
    pub fn id_token(mut self, text: Option<&str>) -> Self {
        self.id_token = Some(text.map(str::to_owned));
        self
    }

    /// A claim of the UserInfo answer.
    #[must_use]
    pub fn userinfo(mut self, name: &str, raw: &str) -> Self {
        self.userinfo.push(Edit::Set(name.to_owned(), raw.to_owned()));
        self
    }

    #[must_use]
    pub fn without_userinfo(mut self, name: &str) -> Self {
        self.userinfo.push(Edit::Drop(name.to_owned()));
        self
    }

    #[must_use]
    pub fn userinfo_body(mut self, body: &str) -> Self {
        self.userinfo_body = Some(body.to_owned());
        self
    }

    /// A parameter of the authorization response.
    #[must_use]
    pub fn response(mut self, name: &str, value: Option<&str>) -> Self {
        self.response.push((name.to_owned(), value.map(str::to_owned)));
        self
    }

    fn email_of(&self, asked: &HashMap<String, String>) -> String {
        let hint = || asked.get("login_hint").cloned();
        self.email.clone().or_else(hint).unwrap_or_else(|| "ann@a.test".to_owned())
    }

    fn subject_of(&self, asked: &HashMap<String, String>) -> String {
        self.subject.clone().unwrap_or_else(|| format!("sub-{}", self.email_of(asked)))
    }
}

impl LyingIdp {
    pub async fn opens(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let secret = Random::System.token().expose().to_owned();
        let state = Standing {
            next: Says::truth(),
            keys: vec![Key::new(Algorithm::RS256, "first")],
            published: None,
            discovery: Vec::new(),
            doors: HashMap::new(),
            hits: BTreeMap::new(),
            codes: HashMap::new(),
            access_tokens: HashMap::new(),
            last_authorization: HashMap::new(),
            last_token_request: HashMap::new(),
        };
        let (own, secret_of_client) = (issuer.clone(), secret.clone());
        let inner =
            Arc::new(Inner { issuer: own, secret: secret_of_client, clock, state: Mutex::new(state) });
        let app = router(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { issuer, secret, inner, server }
    }

    /// What the logins that begin from now on are told.
    pub fn says(&self, says: Says) {
        self.state().next = says;
    }

    /// Signs with another key from now on, and publishes only that one.
    pub fn rotates(&self, key: Arc<Key>) {
        self.state().keys = vec![key];
    }

    pub fn key(&self) -> Arc<Key> {
        Arc::clone(&self.state().keys[0])
    }

    /// Publishes another text in place of its keys.
    pub fn publishes(&self, jwks: &str) {
        self.state().published = Some(jwks.to_owned());
    }

    /// Changes one member of the discovery document.
    pub fn discovery(&self, name: &str, value: Value) {
        self.state().discovery.push((name.to_owned(), value));
    }

    /// How `/token`, `/userinfo`, `/jwks`, … answers from now on; `None`: as it should.
    pub fn door(&self, path: &str, door: Option<Door>) {
        let doors = &mut self.state().doors;
        match door {
            Some(door) => doors.insert(path.to_owned(), door),
            None => doors.remove(path),
        };
    }

    /// How often a door was knocked at.
    pub fn hits(&self, path: &str) -> usize {
        self.state().hits.get(path).copied().unwrap_or_default()
    }

    /// A parameter of the last authorization request.
    pub fn was_asked(&self, name: &str) -> Option<String> {
        self.state().last_authorization.get(name).cloned()
    }

    /// A parameter of the last token request.
    pub fn was_sent(&self, name: &str) -> Option<String> {
        self.state().last_token_request.get(name).cloned()
    }

    fn state(&self) -> MutexGuard<'_, Standing> {
        self.inner.state.lock().unwrap()
    }
}

impl Drop for LyingIdp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/userinfo", get(userinfo))
        .route("/jwks", get(jwks))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(middleware::from_fn_with_state(Arc::clone(&inner), knocked))
        .with_state(inner)
}

type Me = State<Arc<Inner>>;

/// Counts the knock, and opens the door as it was told.
async fn knocked(State(me): Me, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let door = {
        let mut state = me.state.lock().unwrap();
        *state.hits.entry(path.clone()).or_default() += 1;
        state.doors.get(&path).cloned()
    };
    match door {
        None => next.run(request).await,
        Some(Door::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Door::Answer(status, body)) => {
            (StatusCode::from_u16(status).unwrap(), json_text(body)).into_response()
        }
        Some(Door::Body(body)) => json_text(body),
        Some(Door::Huge(size)) => json_text(format!("{{\"padding\":\"{}\"}}", "x".repeat(size))),
        Some(Door::Redirect(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Door::Silent) => std::future::pending().await,
        Some(Door::Waits(let_go)) => {
            let _let = let_go.acquire().await.unwrap();
            next.run(request).await
        }
        Some(Door::Stalls) => Body::from_stream(one_piece().chain(stream::pending())).into_response(),
        Some(Door::Endless) => Body::from_stream(one_piece().cycle()).into_response(),
    }
}

fn one_piece() -> impl Stream<Item = Result<Bytes, Infallible>> + Clone + Send + 'static {
    stream::iter([Ok(Bytes::from_static(&[b' '; 8_192]))])
}

fn json_text(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}

async fn discovery(State(me): Me) -> Json<Value> {
    let mut document = json!({
        "issuer": me.issuer,
        "authorization_endpoint": format!("{}/authorize", me.issuer),
        "token_endpoint": format!("{}/token", me.issuer),
        "userinfo_endpoint": format!("{}/userinfo", me.issuer),
        "jwks_uri": format!("{}/jwks", me.issuer),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "authorization_response_iss_parameter_supported": true,
    });
    for (name, value) in &me.state.lock().unwrap().discovery {
        document[name.as_str()] = value.clone();
    }
    Json(document)
}

async fn jwks(State(me): Me) -> Response {
    let state = me.state.lock().unwrap();
    let honest = || json!({ "keys": state.keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string();
    json_text(state.published.clone().unwrap_or_else(honest))
}

fn pairs(text: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// The person is signed in already: the browser goes straight back.
async fn authorize(State(me): Me, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(query.unwrap_or_default().as_bytes());
    let code = Random::System.token().expose().to_owned();
    let mut state = me.state.lock().unwrap();
    let says = state.next.clone();
    let mut answer = vec![
        ("code".to_owned(), Some(code.clone())),
        ("state".to_owned(), asked.get("state").cloned()),
        ("iss".to_owned(), Some(me.issuer.clone())),
    ];
    for (name, value) in &says.response {
        answer.retain(|(known, _)| known != name);
        answer.push((name.clone(), value.clone()));
    }
    let mut back: url::Url = asked["redirect_uri"].parse().unwrap();
    back.query_pairs_mut()
        .extend_pairs(answer.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
    state.last_authorization.clone_from(&asked);
    state.codes.insert(code, Outing { says, asked });
    (StatusCode::FOUND, [(header::LOCATION, String::from(back))]).into_response()
}

fn refused(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

async fn token(State(me): Me, headers: HeaderMap, body: Bytes) -> Response {
    let sent = pairs(&body);
    let mut state = me.state.lock().unwrap();
    state.last_token_request.clone_from(&sent);
    let basic = format!("Basic {}", BASE64.encode(format!("{CLIENT}:{}", me.secret).as_bytes()));
    if headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) != Some(basic.as_str()) {
        return refused("invalid_client");
    }
    let Some(outing) = sent.get("code").and_then(|code| state.codes.remove(code)) else {
        return refused("invalid_grant");
    };
    let proved = match (outing.asked.get("code_challenge"), sent.get("code_verifier")) {
        (Some(challenge), Some(verifier)) => pkce::matches(challenge, verifier),
        _ => false,
    };
    if !proved || sent.get("redirect_uri") != outing.asked.get("redirect_uri") {
        return refused("invalid_grant");
    }
    let access_token = Random::System.token().expose().to_owned();
    let mut answer = json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": 300 });
    let id_token =
        outing.says.id_token.clone().unwrap_or_else(|| Some(id_token(&me, &state.keys[0], &outing)));
    if let Some(text) = id_token {
        answer["id_token"] = json!(text);
    }
    let says = Says {
        subject: Some(outing.says.subject_of(&outing.asked)),
        email: Some(outing.says.email_of(&outing.asked)),
        ..outing.says
    };
    state.access_tokens.insert(access_token, says);
    Json(answer).into_response()
}

async fn userinfo(State(me): Me, headers: HeaderMap) -> Response {
    let state = me.state.lock().unwrap();
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer "));
    let Some(says) = token.and_then(|token| state.access_tokens.get(token)) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let nothing = HashMap::new();
    let members = vec![
        ("sub".to_owned(), json!(says.subject_of(&nothing)).to_string()),
        ("email".to_owned(), json!(says.email_of(&nothing)).to_string()),
        ("email_verified".to_owned(), "true".to_owned()),
    ];
    json_text(says.userinfo_body.clone().unwrap_or_else(|| object(members, &says.userinfo)))
}

fn id_token(me: &Inner, own: &Arc<Key>, outing: &Outing) -> String {
    let (says, asked) = (&outing.says, &outing.asked);
    let now = me.clock.now().seconds();
    let text = |value: &str| json!(value).to_string();
    let mut claims = vec![
        ("iss".to_owned(), text(&me.issuer)),
        ("sub".to_owned(), text(&says.subject_of(asked))),
        ("aud".to_owned(), text(CLIENT)),
        ("iat".to_owned(), now.to_string()),
        ("exp".to_owned(), (now + 300).to_string()),
        ("auth_time".to_owned(), now.to_string()),
        ("email".to_owned(), text(&says.email_of(asked))),
        ("email_verified".to_owned(), "true".to_owned()),
    ];
    claims.extend(asked.get("nonce").map(|nonce| ("nonce".to_owned(), text(nonce))));
    let key = if let Signature::Of(key) = &says.signature { key } else { own };
    let header = vec![
        ("alg".to_owned(), text(key.signing.algorithm().name())),
        ("kid".to_owned(), text(key.signing.kid())),
        ("typ".to_owned(), text("JWT")),
    ];
    let payload = object(claims, &says.claims);
    let encode = |part: &str| BASE64URL_NOPAD.encode(part.as_bytes());
    let mut signed = format!("{}.{}", encode(&object(header.clone(), &says.header)), encode(&payload));
    let signature = match &says.signature {
        Signature::Own | Signature::Of(_) => key.sign(signed.as_bytes()),
        Signature::Hmac(secret) => {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes()).as_ref().to_vec()
        }
        Signature::Literally(bytes) => bytes.clone(),
        Signature::Truncated(missing) => {
            let mut made = key.sign(signed.as_bytes());
            made.truncate(made.len() - missing);
            made
        }
        Signature::ThenReplaced(old, new) => {
            let made = key.sign(signed.as_bytes());
            assert!(payload.contains(old), "{payload} says no {old}");
            signed = format!(
                "{}.{}",
                encode(&object(header.clone(), &says.header)),
                encode(&payload.replacen(old, new, 1))
            );
            made
        }
    };
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// A JSON object by hand, so that it can be broken by hand.
fn object(mut members: Vec<(String, String)>, edits: &[Edit]) -> String {
    for edit in edits {
        match edit {
            Edit::Set(name, raw) => match members.iter_mut().find(|(known, _)| known == name) {
                Some(member) => member.1.clone_from(raw),
                None => members.push((name.clone(), raw.clone())),
            },
            Edit::Add(name, raw) => members.push((name.clone(), raw.clone())),
            Edit::Drop(name) => members.retain(|(known, _)| known != name),
        }
    }
    let members: Vec<_> = members.iter().map(|(name, raw)| format!("{}:{raw}", json!(name))).collect();
    format!("{{{}}}", members.join(","))
}
