//! Sessions in the durable store.

use std::time::Duration;

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, parsed, to_json, used};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId, SessionId, UserId};
use crate::foundation::secret::Digest;
use crate::model::browser::Browser;
use crate::model::session::{Acr, Assurance, Session, UpstreamName, UpstreamSession};

pub(super) fn session(row: &Row, at: usize) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.get(at)?,
        project_id: row.get(at + 1)?,
        user_id: row.get(at + 2)?,
        identity_id: row.get(at + 3)?,
        connection_id: row.get(at + 4)?,
        authenticated_at: row.get(at + 5)?,
        assurance: Assurance { amr: json(row, at + 6)?, acr: parsed(row, at + 7, Acr::from_word)? },
        created_at: row.get(at + 8)?,
        expires_at: row.get(at + 9)?,
        ended_at: row.get(at + 10)?,
        current_organization: row.get(at + 11)?,
        assumed_at: row.get(at + 12)?,
    })
}

pub async fn by_id(
    db: &mut impl Read,
    project: ProjectId,
    id: SessionId,
) -> Result<Option<Session>, StoreError> {
    let sql =
        "SELECT id, project_id, user_id, identity_id, connection_id, authenticated_at, amr, acr, created_at,
                      expires_at, ended_at, current_organization_id, assumed_at
               FROM sessions WHERE id = $2 AND project_id = $1";
    db.one(sql, params![project, id]).await?.as_ref().map(|row| session(row, 0)).transpose()
}

/// `browser`: in which, if it says so.
pub async fn insert(tx: &mut Tx<'_>, session: &Session, browser: Option<Browser>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sessions (id, project_id, user_id, identity_id, connection_id, authenticated_at, amr, acr,
                               created_at, expires_at, seen_at, browser, assumed_at, provider_epoch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $11, $12,
                 (SELECT o.epoch FROM connections c JOIN organizations o ON o.id = c.organization_id WHERE c.id = $5))",
        params![
            session.id,
            session.project_id,
            session.user_id,
            session.identity_id,
            session.connection_id,
            session.authenticated_at,
            to_json(&session.assurance.amr),
            session.assurance.acr.word(),
            session.created_at,
            session.expires_at,
            browser.map(|browser| browser.to_string()),
            session.assumed_at
        ],
    )
    .await?;
    Ok(())
}

/// How exactly it is known when a browser was last here: what is written more often than that is written in vain.
const SEEN_EVERY: Duration = Duration::from_secs(300);

/// The browser of this session is here.
pub async fn seen(tx: &mut Tx<'_>, id: SessionId, now: Moment) -> Result<(), StoreError> {
    let sql = "UPDATE sessions SET seen_at = $2 WHERE id = $1 AND seen_at <= $3";
    tx.execute(sql, params![id, now, now.minus(SEEN_EVERY)]).await?;
    Ok(())
}

/// The same person has proved again who they are, in the same browser. False: the session has ended.
pub async fn renew(
    tx: &mut Tx<'_>,
    session: &Session,
    browser: Option<Browser>,
    now: Moment,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE sessions SET connection_id = $2, authenticated_at = $3, amr = $4, acr = $5, expires_at = $6,
                seen_at = $7, browser = COALESCE($8, browser), assumed_at = $9,
                provider_epoch = (SELECT o.epoch FROM connections c
                                  JOIN organizations o ON o.id = c.organization_id WHERE c.id = $2)
         WHERE id = $1 AND ended_at IS NULL",
        params![
            session.id,
            session.connection_id,
            session.authenticated_at,
            to_json(&session.assurance.amr),
            session.assurance.acr.word(),
            session.expires_at,
            now,
            browser.map(|browser| browser.to_string()),
            session.assumed_at
        ],
    )
    .await?;
    Ok(changed == 1)
}

/// By what the identity provider knows this session, besides what it called it before.
pub async fn put_upstream(
    tx: &mut Tx<'_>,
    session: SessionId,
    connection: ConnectionId,
    upstream: &UpstreamSession,
    now: Moment,
) -> Result<(), StoreError> {
    let name = &upstream.name;
    let subject = name.as_ref().map(UpstreamName::lasting).unwrap_or_default();
    let index = upstream.index.as_deref().unwrap_or_default();
    tx.execute(
        "INSERT INTO upstream_sessions (session_id, connection_id, subject, name, session_index, known_since)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (session_id, subject, session_index) DO UPDATE
         SET connection_id = excluded.connection_id, name = excluded.name, known_since = excluded.known_since",
        params![session, connection, subject, to_json(name), index, now],
    )
    .await?;
    Ok(())
}

/// What is read of the names that one session has upstream.
pub const MOST_UPSTREAM: usize = 20;

/// By what the identity provider knows this session: one entry for each sign-in, the latest first. As many as
/// [`MOST_UPSTREAM`] may be all or not.
pub async fn upstream_of(db: &mut impl Read, session: SessionId) -> Result<Vec<UpstreamSession>, StoreError> {
    let sql = "SELECT name, session_index FROM upstream_sessions WHERE session_id = $1
               ORDER BY known_since DESC, session_index LIMIT 20";
    let rows = db.all(sql, params![session]).await?;
    rows.iter()
        .map(|row| {
            let index = Some(row.get::<String>(1)?).filter(|index| !index.is_empty());
            Ok(UpstreamSession { name: json(row, 0)?, index })
        })
        .collect()
}

/// The living sessions that a logout at the identity provider means: all of this name, or those of these indexes
/// (SAML 2.0 Core, section 3.7.1). Qualifiers and format may be left out by one side and not by the other, so the
/// value alone decides, as it tells people apart ([`UpstreamName::lasting`]).
pub async fn named_upstream(
    db: &mut impl Read,
    connection: ConnectionId,
    name: &str,
    indexes: &[String],
) -> Result<Vec<SessionId>, StoreError> {
    let sql = "SELECT s.id, u.session_index FROM upstream_sessions u
               JOIN sessions s ON s.id = u.session_id
               WHERE u.connection_id = $1 AND u.subject = $2 AND s.ended_at IS NULL
               ORDER BY s.id";
    let mut found: Vec<SessionId> = Vec::new();
    for row in db.all(sql, params![connection, name]).await? {
        let (id, index): (SessionId, String) = (row.get(0)?, row.get(1)?);
        // One that was given no index can only be meant by its name.
        let meant = indexes.is_empty() || index.is_empty() || indexes.contains(&index);
        if meant && found.last() != Some(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

/// Whether any session is remembered, over or not, that the provider knows by this name, or may know by it because it
/// gave none.
pub async fn may_be_named_upstream(
    db: &mut impl Read,
    connection: ConnectionId,
    name: &str,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM upstream_sessions WHERE connection_id = $1 AND subject IN ($2, '') LIMIT 1";
    Ok(db.one(sql, params![connection, name]).await?.is_some())
}

/// Whose sessions of an index a logout means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of those who came without a name: a logout can mean them by the index alone, whomever it names.
    Nameless,
    /// Of a logout that names a session alone, and not whose it is.
    Anybodys,
}

/// The living sessions that came with this index.
pub async fn indexed_upstream(
    db: &mut impl Read,
    connection: ConnectionId,
    index: &str,
    whose: Whose,
) -> Result<Vec<SessionId>, StoreError> {
    let sql = match whose {
        Whose::Nameless => {
            "SELECT DISTINCT s.id FROM upstream_sessions u JOIN sessions s ON s.id = u.session_id
             WHERE u.connection_id = $1 AND u.session_index = $2 AND u.subject = '' AND s.ended_at IS NULL
             ORDER BY s.id"
        }
        Whose::Anybodys => {
            "SELECT DISTINCT s.id FROM upstream_sessions u JOIN sessions s ON s.id = u.session_id
             WHERE u.connection_id = $1 AND u.session_index = $2 AND s.ended_at IS NULL
             ORDER BY s.id"
        }
    };
    db.all(sql, params![connection, index]).await?.iter().map(|row| row.get(0)).collect()
}

/// Whether a session lives that came without a name, and of which a logout of these indexes may or may not speak: without
/// an index, nobody can say; and where the logout names none, of no other either.
pub async fn any_unidentified(
    db: &mut impl Read,
    connection: ConnectionId,
    indexes: &[String],
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = match indexes {
        [] => {
            "SELECT 1 FROM upstream_sessions u JOIN sessions s ON s.id = u.session_id
             WHERE u.connection_id = $1 AND u.subject = '' AND s.ended_at IS NULL AND s.expires_at > $2 LIMIT 1"
        }
        _ => {
            "SELECT 1 FROM upstream_sessions u JOIN sessions s ON s.id = u.session_id
             WHERE u.connection_id = $1 AND u.subject = '' AND u.session_index = '' AND s.ended_at IS NULL
               AND s.expires_at > $2 LIMIT 1"
        }
    };
    Ok(db.one(sql, params![connection, now]).await?.is_some())
}

/// The living sessions of whom a provider calls so, as far as they came by it.
pub async fn of_subject(
    db: &mut impl Read,
    connection: ConnectionId,
    issuer: &str,
    subject: &str,
) -> Result<Vec<SessionId>, StoreError> {
    let sql = "SELECT s.id FROM identities i
               JOIN sessions s ON s.user_id = i.user_id AND s.identity_id = i.id
               WHERE i.connection_id = $1 AND i.issuer = $2 AND i.subject = $3 AND s.ended_at IS NULL
               ORDER BY s.id";
    db.all(sql, params![connection, issuer, subject]).await?.iter().map(|row| row.get(0)).collect()
}

/// When sessions ended at their provider, among what is used once: for those who are on their way here with a proof of
/// one, or with an assertion that is one.
const OVER: &str = "upstream_session_over";

/// How long that is remembered after the logout was issued: for as long as an assertion issued by then could be taken,
/// and its proof waits.
pub const OVER_FOR: Duration = Duration::from_secs(780);

/// Remembers that these sessions are over, as [`named_upstream`] names them, known here or not. `issued`: when the
/// provider said so, by its clock. The name is empty where it has named sessions alone.
pub async fn upstream_over(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    name: &str,
    indexes: &[String],
    issued: Moment,
) -> Result<(), StoreError> {
    let scope = connection.to_string();
    let all = if indexes.is_empty() { Some(Meant::All) } else { None };
    let meant = all.into_iter().chain(indexes.iter().map(|index| Meant::Index(index)));
    for meant in meant.chain([Meant::Unnamed]) {
        used::mark(tx, OVER, &scope, &meant.mark(name), issued.plus(OVER_FOR)).await?;
    }
    Ok(())
}

/// The same of a session that came with this index and without a name.
pub async fn nameless_over(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    index: &str,
    issued: Moment,
) -> Result<(), StoreError> {
    let mark = Meant::Nameless(index).mark("");
    used::mark(tx, OVER, &connection.to_string(), &mark, issued.plus(OVER_FOR)).await
}

/// Whether this session has ended at its provider, as far as that was said in an assertion `issued` then, by its clock.
/// Only the clock tells: an index may come again with the next session (SAML Core, section 2.7.2).
pub async fn is_upstream_over(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    upstream: &UpstreamSession,
    issued: Moment,
    now: Moment,
) -> Result<bool, StoreError> {
    for (meant, name) in marks_of(upstream) {
        let mark = meant.mark(&name);
        let until = used::marked(tx, OVER, &connection.to_string(), &mark).await?;
        if until.is_some_and(|until| now < until && issued.plus(OVER_FOR) <= until) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets which sessions were over, when nobody can come with one any more.
pub async fn sweep_over(tx: &mut Tx<'_>, now: Moment) -> Result<u64, StoreError> {
    used::sweep_of(tx, OVER, now).await
}

/// Which sessions of somebody a logout means.
enum Meant<'i> {
    All,
    /// One that was given no index can only be meant by its name.
    Unnamed,
    Index(&'i str),
    /// One that was given no name.
    Nameless(&'i str),
}

/// By what marks it could be that this session is over, each with the name of whose it is.
fn marks_of(upstream: &UpstreamSession) -> Vec<(Meant<'_>, String)> {
    let index = upstream.index.as_deref();
    let Some(name) = &upstream.name else {
        return index.map(|index| (Meant::Nameless(index), String::new())).into_iter().collect();
    };
    let (own, name) = (index.map_or(Meant::Unnamed, Meant::Index), name.lasting());
    let whosever = index.map(|index| (Meant::Index(index), String::new()));
    [(Meant::All, name.clone()), (own, name)].into_iter().chain(whosever).collect()
}

impl Meant<'_> {
    /// Of one length, whatever the provider calls people.
    fn mark(&self, name: &str) -> String {
        let (which, index) = match self {
            Self::All => ("all", ""),
            Self::Unnamed => ("unnamed", ""),
            Self::Index(index) => ("index", *index),
            Self::Nameless(index) => ("nameless", *index),
        };
        Digest::of(format!("{which} {} {name} {index}", name.len()).as_bytes()).text()
    }
}

/// What the person has switched to, if it has been active ever since.
pub async fn current(db: &mut impl Read, id: SessionId) -> Result<Option<OrganizationId>, StoreError> {
    let sql = "SELECT o.id FROM sessions s
               JOIN organizations o ON o.id = s.current_organization_id AND o.epoch = s.current_epoch
               WHERE s.id = $1 AND s.ended_at IS NULL AND o.deactivated_at IS NULL AND o.deleted_at IS NULL";
    db.one(sql, params![id]).await?.map(|row| row.get(0)).transpose()
}

/// Of two who switch at once, the last one counts (S0-23). False: the session has ended.
pub async fn switch(
    tx: &mut Tx<'_>,
    id: SessionId,
    organization: OrganizationId,
    epoch: i64,
) -> Result<bool, StoreError> {
    let sql = "UPDATE sessions SET current_organization_id = $2, current_epoch = $3
               WHERE id = $1 AND ended_at IS NULL";
    Ok(tx.execute(sql, params![id, organization, epoch]).await? == 1)
}

/// Forgets what the person has switched to, if it is this one.
pub async fn leave(tx: &mut Tx<'_>, id: SessionId, organization: OrganizationId) -> Result<(), StoreError> {
    let sql = "UPDATE sessions SET current_organization_id = NULL, current_epoch = NULL
               WHERE id = $1 AND current_organization_id = $2";
    tx.execute(sql, params![id, organization]).await?;
    Ok(())
}

/// Ends a session. True: it was alive until now.
pub async fn end(tx: &mut Tx<'_>, id: SessionId, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    Ok(tx.execute(sql, params![id, now]).await? == 1)
}

/// Ends all that somebody has. Those that were alive until now.
pub async fn end_of_user(tx: &mut Tx<'_>, user: UserId, now: Moment) -> Result<Vec<SessionId>, StoreError> {
    let sql = "UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL RETURNING id";
    tx.all(sql, params![user, now]).await?.iter().map(|row| row.get(0)).collect()
}

/// Forgets some sessions that ran out before `before`, with the token families that hang on them; zero when there
/// are no more. One that a family has outlived stays, for it tells how that came to be.
pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    let gone = "SELECT s.id FROM sessions s WHERE s.expires_at < $1
                  AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.session_id = s.id AND g.offline_since IS NOT NULL
                                  AND g.revoked_at IS NULL AND g.expires_at >= $1)
                ORDER BY s.expires_at LIMIT 500";
    let rows = tx.all(gone, params![before]).await?;
    for row in &rows {
        let id: SessionId = row.get(0)?;
        tx.execute("DELETE FROM grants WHERE session_id = $1", params![id]).await?;
        tx.execute("DELETE FROM session_applications WHERE session_id = $1", params![id]).await?;
        tx.execute("DELETE FROM upstream_sessions WHERE session_id = $1", params![id]).await?;
        tx.execute("DELETE FROM sessions WHERE id = $1", params![id]).await?;
    }
    Ok(rows.len() as u64)
}
