//! A sample identity provider, in a thread of its own: whoever comes with a `login_hint` is that person.

use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use behalf::foundation::clock::Clock;
use behalf::protocol::jose::{Algorithm, SigningKey};
use serde::Deserialize;
use serde_json::{Value, json};

pub const CLIENT_ID: &str = "behalf";
pub const CLIENT_SECRET: &str = "secret-of-the-connection";

pub struct Provider {
    pub issuer: String,
    key: SigningKey,
}

/// Listens on a free port, until the process ends.
pub fn start() -> Arc<Provider> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let key = SigningKey::generate(Algorithm::RS256, "sample").unwrap();
    let provider = Arc::new(Provider { issuer, key });
    let house = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .with_state(Arc::clone(&provider));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, house).await.unwrap();
        });
    });
    provider
}

async fn discovery(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn jwks(State(provider): State<Arc<Provider>>) -> Json<Value> {
    Json(json!({ "keys": [provider.key.public_jwk()] }))
}

#[derive(Deserialize)]
struct Asked {
    redirect_uri: String,
    state: String,
    nonce: String,
    login_hint: String,
}

/// The code is what the token will say.
async fn authorize(Query(asked): Query<Asked>) -> Redirect {
    let code = format!("{}.{}", asked.nonce, asked.login_hint);
    let pairs = [("code", code.as_str()), ("state", asked.state.as_str())];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Redirect::to(&format!("{}?{query}", asked.redirect_uri))
}

#[derive(Deserialize)]
struct Redeemed {
    code: String,
}

async fn token(State(provider): State<Arc<Provider>>, Form(redeemed): Form<Redeemed>) -> Response {
    let (nonce, email) = redeemed.code.split_once('.').unwrap();
    let now = Clock::System.now().seconds();
    let claims = json!({
        "iss": provider.issuer, "sub": email, "aud": CLIENT_ID, "iat": now, "exp": now + 300,
        "nonce": nonce, "email": email, "name": "Somebody", "amr": ["pwd", "mfa"],
    });
    let id_token = provider.key.sign_jwt("JWT", &claims).unwrap();
    let answer =
        json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": id_token });
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
