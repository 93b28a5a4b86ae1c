//! A place that publishes a document, and counts who asks for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub struct Publisher {
    pub url: String,
    document: Arc<Mutex<(StatusCode, String)>>,
    hits: Arc<AtomicUsize>,
    hangs: Arc<AtomicBool>,
    server: JoinHandle<()>,
}

impl Publisher {
    pub async fn of(document: String) -> Self {
        let document = Arc::new(Mutex::new((StatusCode::OK, document)));
        let hits = Arc::new(AtomicUsize::new(0));
        let hangs = Arc::new(AtomicBool::new(false));
        let (shown, counted, hanging) = (Arc::clone(&document), Arc::clone(&hits), Arc::clone(&hangs));
        let door = get(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            if hanging.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            shown.lock().unwrap().clone()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metadata", listener.local_addr().unwrap());
        let router = Router::new().route("/metadata", door);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, document, hits, hangs, server }
    }

    pub fn says(&self, document: String) {
        *self.document.lock().unwrap() = (StatusCode::OK, document);
    }

    pub fn fails(&self) {
        self.document.lock().unwrap().0 = StatusCode::SERVICE_UNAVAILABLE;
    }

    /// From now on it takes requests and answers none.
    pub fn hangs(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.server.abort();
    }
}
