//! What an application hears from us behind the browser's back: an endpoint for logout tokens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use behalf::chores::logouts;
use behalf::protocol::jose::{Algorithm, JwkSet, Jws, Typ};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::broker::House;
use super::visitor::Visitor;

/// The ears of all applications; each has a path of its own.
pub struct Ear {
    pub url: String,
    inner: Arc<Inner>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Inner {
    heard: Mutex<Vec<(String, String)>>,
    /// By the path; otherwise 200.
    answers: Mutex<BTreeMap<String, Answers>>,
    news: Notify,
}

/// How a path answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    Status(u16),
    /// It listens, and says nothing.
    Never,
}

impl Ear {
    pub async fn opens() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner::default());
        let router = Router::new().route("/{path}", post(hear)).with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, server }
    }

    pub fn answers(&self, path: &str, how: Answers) {
        self.inner.answers.lock().unwrap().insert(path.to_owned(), how);
    }

    /// The tokens that came to a path, as they came.
    pub fn heard(&self, path: &str) -> Vec<String> {
        let heard = self.inner.heard.lock().unwrap();
        heard.iter().filter(|(at, _)| at == path).map(|(_, token)| token.clone()).collect()
    }

    /// Waits until so many came to a path.
    pub async fn hears(&self, path: &str, many: usize) -> Vec<String> {
        loop {
            let news = self.inner.news.notified();
            let heard = self.heard(path);
            if heard.len() >= many {
                return heard;
            }
            news.await;
        }
    }

    /// The claims of every token that came to a path, each verified by the published keys.
    pub async fn claims(&self, house: &House, path: &str) -> Vec<Map<String, Value>> {
        let keys = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await;
        let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
        let all = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
        let read = |token: &String| {
            let jws = Jws::parse(token).unwrap();
            let payload = jws.verify_bytes(&keys, &all, Typ::LOGOUT_TOKEN).unwrap();
            serde_json::from_slice(payload.get()).unwrap()
        };
        self.heard(path).iter().map(read).collect()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn hear(State(inner): State<Arc<Inner>>, Path(path): Path<String>, body: Bytes) -> StatusCode {
    let token = form_urlencoded::parse(&body).find(|(name, _)| name == "logout_token");
    let token = token.map(|(_, token)| token.into_owned()).unwrap_or_default();
    let how = inner.answers.lock().unwrap().get(&path).copied();
    inner.heard.lock().unwrap().push((path, token));
    inner.news.notify_waiters();
    match how {
        None => StatusCode::OK,
        Some(Answers::Status(status)) => StatusCode::from_u16(status).unwrap(),
        Some(Answers::Never) => std::future::pending().await,
    }
}

impl House {
    /// Tells applications whatever is due, as the chore does; how much was told.
    pub async fn tells(&self) -> usize {
        logouts::send(&self.broker).await.unwrap()
    }
}
