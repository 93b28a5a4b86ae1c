//! The cookie by which a browser is known again, carried by `tower-sessions`.
//!
//! What that library guarantees suffices for a pointer: it makes the id, sets the cookie, and changes the id when
//! asked. It documents lost updates when two requests change one session, and its clock cannot be turned, so the
//! record holds nothing but the ids of sessions, whose facts are rows of their own; a lost update means at worst
//! that somebody signs in once more. The id is stored as a digest.

use std::fmt;
use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_sessions::cookie::SameSite;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{self, Error};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use crate::broker::Broker;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ProjectId, SessionId};
use crate::foundation::random::Random;
use crate::foundation::secret::Digest;
use crate::store::durable::browsers::{self, Pointers};
use crate::store::durable::engine::{StoreError, Tx};

/// `__Host-`: only from us, only over TLS (or this computer), for the whole host (RFC 6265bis, section 4.1.3.2).
pub const COOKIE: &str = "__Host-behalf";

/// Reads and sets the cookie around the doors through which people come.
pub fn layer(broker: &Broker) -> SessionManagerLayer<Rows> {
    SessionManagerLayer::new(Rows(broker.clone()))
        .with_name(COOKIE)
        .with_path("/")
        .with_secure(true)
        .with_http_only(true)
        // Sent when another site leads here, never when it posts.
        .with_same_site(SameSite::Lax)
        // How long it counts is said by the rows, not by the cookie.
        .with_expiry(Expiry::OnSessionEnd)
}

/// Makes the library's removal of the cookie count: browsers ignore a `__Host-` cookie without `Secure`, which it
/// leaves out there.
pub async fn removal_counts(mut response: Response) -> Response {
    let removal = format!("{COOKIE}=;");
    for (name, value) in response.headers_mut() {
        let text = value.to_str().unwrap_or_default();
        if name == header::SET_COOKIE
            && text.starts_with(&removal)
            && let Ok(secure) = HeaderValue::from_str(&format!("{text}; Secure"))
        {
            *value = secure;
        }
    }
    response
}

/// Browsers as rows.
#[derive(Clone)]
pub struct Rows(Broker);

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rows")
    }
}

fn digest(id: &Id) -> Digest {
    Digest::of(id.to_string().as_bytes())
}

fn backend(error: StoreError) -> Error {
    Error::Backend(error.to_string())
}

/// Beside the pointers of a record, the id under which its row is there already: see [`Turn`].
const KEPT_AS: &str = "kept as";

fn kept_as(record: &mut Record) -> Option<Id> {
    record.data.remove(KEPT_AS)?.as_str()?.parse().ok()
}

fn pointers(record: &Record) -> Pointers {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    record.data.iter().filter_map(|(project, session)| Some((project.clone(), text(session)?))).collect()
}

impl Rows {
    async fn put(&self, record: &Record) -> session_store::Result<()> {
        let (digest, pointers, now) = (digest(&record.id), pointers(record), self.0.now());
        let expires_at = now.plus(Duration::from_secs(self.0.config.login.session_lifetime));
        let db = &self.0.db;
        db.write(async move |tx| browsers::put(tx, digest, &pointers, now, expires_at).await)
            .await
            .map_err(backend)
    }
}

#[async_trait::async_trait]
impl SessionStore for Rows {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        if let Some(id) = kept_as(record) {
            record.id = id;
            return Ok(());
        }
        // 128 random bits: a collision means that chance is broken, and then nothing is safe.
        if browsers::load(&mut &self.0.db, digest(&record.id), self.0.now()).await.map_err(backend)?.is_some()
        {
            return Err(Error::Backend("a session id was drawn twice".into()));
        }
        self.put(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        // The library saves once more with the answer what was saved before it: nothing to commit.
        let kept =
            browsers::load(&mut &self.0.db, digest(&record.id), self.0.now()).await.map_err(backend)?;
        if kept.is_some_and(|kept| kept == pointers(record)) { Ok(()) } else { self.put(record).await }
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let found = browsers::load(&mut &self.0.db, digest(id), self.0.now()).await.map_err(backend)?;
        Ok(found.map(|pointers| Record {
            id: *id,
            data: pointers.into_iter().map(|(project, session)| (project, Value::String(session))).collect(),
            expiry_date: tower_sessions::cookie::time::OffsetDateTime::now_utc()
                + tower_sessions::cookie::time::Duration::days(1),
        }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let digest = digest(id);
        // The library forgets what was never kept, too, where a browser comes for the first time: nothing to commit.
        if browsers::load(&mut &self.0.db, digest, self.0.now()).await.map_err(backend)?.is_none() {
            return Ok(());
        }
        self.0.db.write(async move |tx| browsers::delete(tx, digest).await).await.map_err(backend)
    }
}

/// The session of a project that the browser points to; the row says whether it still lives.
pub async fn session_of(
    browser: &Session,
    project: ProjectId,
) -> Result<Option<SessionId>, tower_sessions::session::Error> {
    let text = browser.get::<String>(&project.to_string()).await?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Whether the browser points to any.
pub async fn is_known(browser: &Session, project: ProjectId) -> bool {
    session_of(browser, project).await.is_ok_and(|found| found.is_some())
}

/// The id that a browser has, and the one that it gets with a session: the old cookie is dead (threats C28). What is chosen at
/// the picker is the flow's and its code's alone; the session, and so its cookie, is worth no more by it.
#[derive(Clone, Copy)]
pub struct Turn {
    from: Option<Id>,
    to: Id,
}

impl Turn {
    pub fn of(browser: &Session, random: &Random) -> Self {
        Self { from: browser.id(), to: Id(i128::from_ne_bytes(random.bytes())) }
    }

    /// Of a browser that had none, for what comes to no session.
    pub fn of_nobody(random: &Random) -> Self {
        Self { from: None, to: Id(i128::from_ne_bytes(random.bytes())) }
    }

    /// Keeps it, in the transaction that makes the session.
    pub async fn keep(
        &self,
        tx: &mut Tx<'_>,
        project: ProjectId,
        session: SessionId,
        now: Moment,
        expires_at: Moment,
    ) -> Result<(), StoreError> {
        let from = self.from.as_ref().map(digest);
        browsers::turn(tx, from, digest(&self.to), (project, session), now, expires_at).await
    }

    /// Gives the browser the cookie to what was kept.
    pub async fn tell(
        self,
        browser: &Session,
        project: ProjectId,
        session: SessionId,
    ) -> Result<(), tower_sessions::session::Error> {
        if self.from.is_some() {
            browser.cycle_id().await?;
        }
        browser.insert(&project.to_string(), session.to_string()).await?;
        browser.insert(KEPT_AS, self.to.to_string()).await?;
        browser.save().await
    }
}

/// The cookie that a browser has got with a session. Where the answer that brought it was lost, whoever is told that once
/// more gets this very one, too.
#[derive(Clone, Deserialize, Serialize)]
pub struct Given {
    id: String,
    session: SessionId,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

impl Given {
    /// What this browser was told last.
    pub async fn to(browser: &Session, project: ProjectId) -> Option<Self> {
        let session = session_of(browser, project).await.ok().flatten()?;
        Some(Self { id: browser.id()?.to_string(), session })
    }

    /// Gives it to a browser in which nobody is signed in. Whether it could.
    pub async fn again(
        &self,
        browser: &Session,
        project: ProjectId,
    ) -> Result<bool, tower_sessions::session::Error> {
        let Ok(to) = self.id.parse() else { return Ok(false) };
        Turn { from: browser.id(), to }.tell(browser, project, self.session).await?;
        Ok(true)
    }
}

/// Forgets the session of a project.
pub async fn sign_out(browser: &Session, project: ProjectId) -> Result<(), tower_sessions::session::Error> {
    browser.remove::<String>(&project.to_string()).await?;
    if !browser.is_empty().await {
        browser.cycle_id().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::body::Body;

    #[tokio::test]
    async fn c28_the_cookie_of_an_ended_session_is_dropped_in_a_way_that_browsers_obey() {
        let mut response = Response::new(Body::empty());
        for cookie in ["__Host-behalf=; Path=/; Max-Age=0", "__Host-behalf-flow-x=; Secure", "other=1"] {
            response.headers_mut().append(header::SET_COOKIE, cookie.parse().unwrap());
        }
        let response = removal_counts(response).await;
        let sent: Vec<_> = response.headers().get_all(header::SET_COOKIE).into_iter().collect();
        let expected =
            ["__Host-behalf=; Path=/; Max-Age=0; Secure", "__Host-behalf-flow-x=; Secure", "other=1"];
        assert_eq!(sent, expected);
    }
}
