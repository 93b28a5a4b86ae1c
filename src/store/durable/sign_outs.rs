//! Sign-outs in the durable store: which applications got tokens in which session, and what ended of which they are still
//! to be told. Whoever ends something writes one row, however many sessions that concerns; the rest is done behind it.

use std::collections::BTreeSet;

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{logout_notices, parsed};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, OrganizationId, ProjectId, SessionId, SignOutId, UserId};
use crate::model::sign_out::{Ended, Entered};

macro_rules! turn {
    ($which:literal) => {
        concat!("COALESCE((SELECT turn FROM sign_outs WHERE kind = ", $which, "), '')")
    };
}

/// Remembers that an application got tokens in a session. Whoever comes back while others are still to be told of what ended
/// before is not told of that: it is neither theirs nor, in the same session, over any more. What it was still to be told of that session's past would end what
/// begins now: it is not told any more.
pub async fn enter(tx: &mut Tx<'_>, entered: &Entered, now: Moment) -> Result<(), StoreError> {
    let text = |id: Option<String>| id.unwrap_or_default();
    let entered_now = tx
        .execute(
            concat!(
                "INSERT INTO session_applications (session_id, application_id, user_id, acts_for, delegation_id,
                                                   home_id, since, spared)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, ",
                turn!("'user' AND ended_id = $3 AND within_id = ''"),
                " || ",
                turn!("'delegation' AND ended_id = $5 AND within_id = ''"),
                " || ",
                turn!("'organization' AND ended_id = $4 AND within_id = ''"),
                " || ",
                turn!("'organization' AND ended_id = $6 AND within_id = ''"),
                " || ",
                turn!("'member' AND ended_id = $3 AND within_id = $4"),
                " || ",
                turn!("'member' AND ended_id = $3 AND within_id = $6"),
                ") ON CONFLICT (session_id, application_id, acts_for, delegation_id) DO UPDATE
                   SET spared = excluded.spared, over_since = NULL
                   WHERE (excluded.spared <> '' AND excluded.spared <> session_applications.spared)
                      OR session_applications.over_since IS NOT NULL"
            ),
            params![
                entered.session,
                entered.application,
                entered.user,
                text(entered.organization.map(|id| id.to_string())),
                text(entered.delegation.map(|id| id.to_string())),
                text(entered.home.map(|id| id.to_string())),
                now
            ],
        )
        .await?;
    if entered_now == 1 {
        let (session, application) = (entered.session, entered.application);
        logout_notices::overtaken(tx, session, application, entered.organization).await?;
    }
    Ok(())
}

/// Something has ended in this transaction; applications are told of it after it, of who has come back since as well if
/// it ended before.
pub async fn queue(
    tx: &mut Tx<'_>,
    project: ProjectId,
    ended: Ended,
    (turn, now): (SignOutId, Moment),
) -> Result<(), StoreError> {
    let (of, within) = ended.of();
    tx.execute(
        "INSERT INTO sign_outs (kind, ended_id, within_id, project_id, created_at, rounds, turn)
         VALUES ($1, $2, $3, $4, $5, 0, $6)
         ON CONFLICT (kind, ended_id, within_id) DO UPDATE SET turn = excluded.turn",
        params![ended.word(), of, within.unwrap_or_default(), project, now, turn],
    )
    .await?;
    Ok(())
}

/// The same for every session of somebody that ended at this moment.
pub async fn queue_sessions_of(tx: &mut Tx<'_>, user: UserId, at: Moment) -> Result<(), StoreError> {
    let sql = "INSERT INTO sign_outs (kind, ended_id, within_id, project_id, created_at, rounds, turn)
               SELECT 'session', id, '', project_id, ended_at, 0, '' FROM sessions WHERE user_id = $1 AND ended_at = $2
               ON CONFLICT DO NOTHING";
    tx.execute(sql, params![user, at]).await?;
    Ok(())
}

/// Some of what ended and is not told yet, the earliest first.
pub async fn open(db: &mut impl Read, most: i64) -> Result<Vec<(ProjectId, Ended)>, StoreError> {
    let sql = "SELECT kind, ended_id, within_id, project_id FROM sign_outs
               ORDER BY created_at, kind, ended_id LIMIT $1";
    db.all(sql, params![most]).await?.iter().map(ended).collect()
}

fn ended(row: &Row) -> Result<(ProjectId, Ended), StoreError> {
    let (of, within): (String, String) = (row.get(1)?, row.get(2)?);
    let within = Some(within).filter(|within| !within.is_empty());
    let ended = parsed(row, 0, |word| Ended::read(word, &of, within.as_deref()))?;
    Ok((row.get(3)?, ended))
}

/// Its turn, if some of it is still to be put in line; until the transaction ends, nobody else does that.
pub async fn hold(tx: &mut Tx<'_>, ended: Ended) -> Result<Option<String>, StoreError> {
    let (of, within) = ended.of();
    let sql = "UPDATE sign_outs SET rounds = rounds + 1 WHERE kind = $1 AND ended_id = $2 AND within_id = $3
               RETURNING turn";
    let row = tx.one(sql, params![ended.word(), of, within.unwrap_or_default()]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// All applications of it have been put in line.
pub async fn close(tx: &mut Tx<'_>, ended: Ended) -> Result<(), StoreError> {
    let (of, within) = ended.of();
    let sql = "DELETE FROM sign_outs WHERE kind = $1 AND ended_id = $2 AND within_id = $3";
    tx.execute(sql, params![ended.word(), of, within.unwrap_or_default()]).await?;
    Ok(())
}

macro_rules! taken {
    ($whose:literal) => {
        concat!(
            "DELETE FROM session_applications WHERE (session_id, application_id, acts_for, delegation_id) IN
             (SELECT session_id, application_id, acts_for, delegation_id FROM session_applications WHERE ",
            $whose,
            " AND replace(spared, $2, '') = spared ORDER BY session_id, application_id, acts_for, delegation_id LIMIT 500)
             RETURNING session_id, application_id, user_id, acts_for, delegation_id, home_id"
        )
    };
}

/// Takes at most 500 of what applications had by what ended in this turn: each is given out once, and none when there are no
/// more.
pub async fn take(tx: &mut Tx<'_>, ended: Ended, turn: &str) -> Result<Vec<Entered>, StoreError> {
    let rows = match ended {
        Ended::Session(id) => tx.all(taken!("session_id = $1"), params![id, turn]).await?,
        Ended::User(id) => tx.all(taken!("user_id = $1"), params![id, turn]).await?,
        Ended::Member(user, organization) => {
            let sql = taken!("user_id = $1 AND (acts_for = $3 OR home_id = $3)");
            tx.all(sql, params![user, turn, organization]).await?
        }
        Ended::Organization(id) => {
            let own = tx.all(taken!("acts_for = $1 AND acts_for <> ''"), params![id, turn]).await?;
            if own.is_empty() {
                tx.all(taken!("home_id = $1 AND home_id <> ''"), params![id, turn]).await?
            } else {
                own
            }
        }
        Ended::Delegation(id) => {
            tx.all(taken!("delegation_id = $1 AND delegation_id <> ''"), params![id, turn]).await?
        }
    };
    rows.iter().map(entered).collect()
}

/// The same of what applications have by one session for one organization.
pub async fn take_within(
    tx: &mut Tx<'_>,
    session: SessionId,
    organization: OrganizationId,
) -> Result<Vec<Entered>, StoreError> {
    let sql = "DELETE FROM session_applications WHERE session_id = $1 AND acts_for = $2
               RETURNING session_id, application_id, user_id, acts_for, delegation_id, home_id";
    tx.all(sql, params![session, organization]).await?.iter().map(entered).collect()
}

/// The same of what one application has of somebody. `within`: what is for this organization, or with an empty text for
/// none; absent: all of it.
pub async fn take_of_application(
    tx: &mut Tx<'_>,
    user: UserId,
    application: ApplicationId,
    within: Option<String>,
) -> Result<Vec<Entered>, StoreError> {
    let sql = "DELETE FROM session_applications
               WHERE user_id = $1 AND application_id = $2 AND acts_for = COALESCE($3, acts_for)
               RETURNING session_id, application_id, user_id, acts_for, delegation_id, home_id";
    tx.all(sql, params![user, application, within]).await?.iter().map(entered).collect()
}

/// As [`take_of_application`], of what is for no organization: of sessions by which it has nothing else that it has not given
/// back. Where it has, that comes with the last of it (see [`take_rest`]).
pub async fn take_last_of_application(
    tx: &mut Tx<'_>,
    user: UserId,
    application: ApplicationId,
    now: Moment,
) -> Result<Vec<Entered>, StoreError> {
    let sql = "UPDATE session_applications SET over_since = $3
               WHERE user_id = $1 AND application_id = $2 AND acts_for = ''
               RETURNING session_id, application_id, user_id, acts_for, delegation_id, home_id";
    let rows = tx.all(sql, params![user, application, now]).await?;
    let mut taken = Vec::new();
    for row in &rows {
        let Entered { session, application, .. } = entered(row)?;
        taken.extend(take_whole(tx, session, application).await?);
    }
    Ok(taken)
}

/// What was taken back before, by the same sessions and applications, and is the last that they have now.
pub async fn take_rest(tx: &mut Tx<'_>, taken: &[Entered]) -> Result<Vec<Entered>, StoreError> {
    let mut rest = Vec::new();
    // What was for none leaves nothing behind it.
    let of_some = taken.iter().filter(|one| one.organization.is_some());
    let of: BTreeSet<_> = of_some.map(|one| (one.session, one.application)).collect();
    for (session, application) in of {
        rest.extend(take_whole(tx, session, application).await?);
    }
    Ok(rest)
}

/// What an application has by a session for no organization, where that was taken back, and it has given back whatever it
/// had for others.
async fn take_whole(
    tx: &mut Tx<'_>,
    session: SessionId,
    application: ApplicationId,
) -> Result<Option<Entered>, StoreError> {
    let sql = "DELETE FROM session_applications
               WHERE session_id = $1 AND application_id = $2 AND acts_for = '' AND over_since IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM session_applications o
                                 WHERE o.session_id = $1 AND o.application_id = $2 AND o.acts_for <> ''
                                   AND o.over_since IS NULL)
               RETURNING session_id, application_id, user_id, acts_for, delegation_id, home_id";
    let Some(row) = tx.one(sql, params![session, application]).await? else { return Ok(None) };
    // It is told that all is over: no more of it when the session ends.
    let sql = "DELETE FROM session_applications WHERE session_id = $1 AND application_id = $2";
    tx.execute(sql, params![session, application]).await?;
    entered(&row).map(Some)
}

/// An application has itself given back something that it had by this session for an organization. Where nothing of that lives
/// any more, what it had besides does not wait for it to be told of; tells that, if it is over.
pub async fn given_back(
    tx: &mut Tx<'_>,
    session: SessionId,
    (application, organization): (ApplicationId, OrganizationId),
    now: Moment,
) -> Result<Option<Entered>, StoreError> {
    let sql = "UPDATE session_applications SET over_since = $4
               WHERE session_id = $1 AND application_id = $2 AND acts_for = $3
                 AND NOT EXISTS (SELECT 1 FROM grants g
                                 WHERE g.session_id = $1 AND g.application_id = $2 AND g.organization_id = $3
                                   AND g.revoked_at IS NULL AND g.expires_at > $4)";
    tx.execute(sql, params![session, application, organization, now]).await?;
    take_whole(tx, session, application).await
}

fn entered(row: &Row) -> Result<Entered, StoreError> {
    Ok(Entered {
        session: row.get(0)?,
        application: row.get(1)?,
        user: row.get(2)?,
        organization: optional(row, 3)?,
        delegation: optional(row, 4)?,
        home: optional(row, 5)?,
    })
}

/// An id, or an empty text where there is none.
fn optional<T: std::str::FromStr>(row: &Row, index: usize) -> Result<Option<T>, StoreError> {
    parsed(row, index, |text| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) })
}
