//! Where somebody is signed in, and which applications hold what of them: as they are shown it, and whoever looks after
//! the members of an organization.

use super::engine::{Read, Row, StoreError, params};
use super::parsed;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, ConnectionId, DelegationId, OrganizationId, SessionId, UserId};
use crate::model::browser::Browser;

/// A browser in which somebody is signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub session: SessionId,
    /// How they signed in, by the name of the connection.
    pub through: String,
    pub created_at: Moment,
    pub authenticated_at: Moment,
    pub seen_at: Moment,
    pub expires_at: Moment,
    pub browser: Option<Browser>,
}

/// Some of them, the latest first. `before`: the last one of the page before, or an empty text.
pub async fn sessions_of(
    db: &mut impl Read,
    user: UserId,
    now: Moment,
    before: &str,
    most: u32,
) -> Result<Vec<SignedIn>, StoreError> {
    let sql =
        "SELECT s.id, c.display_name, s.created_at, s.authenticated_at, s.seen_at, s.expires_at, s.browser
               FROM sessions s JOIN connections c ON c.id = s.connection_id
               WHERE s.user_id = $1 AND s.ended_at IS NULL AND s.expires_at > $2
                 AND (CAST($3 AS TEXT) = '' OR s.id < CAST($3 AS TEXT))
               ORDER BY s.id DESC LIMIT $4";
    db.all(sql, params![user, now, before, most]).await?.iter().map(signed_in).collect()
}

fn signed_in(row: &Row) -> Result<SignedIn, StoreError> {
    Ok(SignedIn {
        session: row.get(0)?,
        through: row.get(1)?,
        created_at: row.get(2)?,
        authenticated_at: row.get(3)?,
        seen_at: row.get(4)?,
        expires_at: row.get(5)?,
        browser: if row.is_null(6) { None } else { Some(parsed(row, 6, Browser::read)?) },
    })
}

/// What an application holds of somebody for one organization, or for none: all its token families together.
#[derive(Clone, Debug)]
pub struct Holds {
    pub application: ApplicationId,
    pub name: String,
    pub organization: Option<OrganizationId>,
    /// Only while they may act for it.
    pub organization_name: Option<String>,
    pub delegation: Option<DelegationId>,
    pub since: Moment,
    /// Whether some of it outlives every session.
    pub offline: bool,
}

/// The place of such a line in the list: its application, its organization and its delegation, or empty texts.
pub type Place = (ApplicationId, Option<OrganizationId>, Option<DelegationId>);

impl Holds {
    pub fn place(&self) -> Place {
        (self.application, self.organization, self.delegation)
    }
}

/// Some of what applications hold and could still use, in the order of the places. `after`: that of the last one of the
/// page before.
pub async fn held_of(
    db: &mut impl Read,
    user: UserId,
    now: Moment,
    after: Option<Place>,
    most: u32,
) -> Result<Vec<Holds>, StoreError> {
    let sql = "SELECT x.application, x.name, x.organization, x.organization_name, x.delegation, MIN(x.since),
                      MAX(x.offline)
               FROM (SELECT a.id AS application, a.display_name AS name, COALESCE(o.id, '') AS organization,
                            COALESCE(d.id, '') AS delegation, g.created_at AS since,
                            CASE WHEN d.id IS NULL
                                      OR (d.home_approved_at IS NOT NULL AND d.target_approved_at IS NOT NULL
                                          AND d.paused_at IS NULL AND d.revoked_at IS NULL
                                          AND (d.starts_at IS NULL OR d.starts_at <= $2)
                                          AND (d.ends_at IS NULL OR d.ends_at > $2))
                                 THEN o.display_name END AS organization_name,
                            CASE WHEN g.offline_since IS NULL THEN 0 ELSE 1 END AS offline
                     FROM sessions s
                     JOIN grants g ON g.session_id = s.id
                     JOIN applications a ON a.id = g.application_id
                     LEFT JOIN organizations o ON o.id = g.organization_id
                     LEFT JOIN delegations d ON d.id = g.delegation_id
                     LEFT JOIN organizations h ON h.id = d.home_organization_id
                     WHERE s.user_id = $1 AND g.revoked_at IS NULL AND g.expires_at > $2
                       AND (g.offline_since IS NOT NULL OR (s.ended_at IS NULL AND s.expires_at > $2))
                       AND (g.code_digest IS NULL OR g.code_used_at IS NOT NULL)
                       AND (g.refresh_expires_at IS NULL OR g.refresh_expires_at > $2)
                       AND (o.id IS NULL OR (o.deactivated_at IS NULL AND o.deleted_at IS NULL
                                             AND o.epoch = g.organization_epoch))
                       AND (h.id IS NULL OR (h.deactivated_at IS NULL AND h.deleted_at IS NULL
                                             AND h.epoch = g.home_epoch))) x
               WHERE (x.application, x.organization, x.delegation)
                     > (CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT))
               GROUP BY x.application, x.name, x.organization, x.organization_name, x.delegation
               ORDER BY x.application, x.organization, x.delegation LIMIT $6";
    let (application, organization, delegation) = match after {
        Some((application, organization, delegation)) => (
            Some(application.to_string()),
            organization.map(|id| id.to_string()),
            delegation.map(|id| id.to_string()),
        ),
        None => (None, None, None),
    };
    let [application, organization, delegation] =
        [application, organization, delegation].map(Option::unwrap_or_default);
    let rows = db.all(sql, params![user, now, application, organization, delegation, most]).await?;
    rows.iter().map(holds).collect()
}

fn holds(row: &Row) -> Result<Holds, StoreError> {
    Ok(Holds {
        application: row.get(0)?,
        name: row.get(1)?,
        organization: named(row, 2)?,
        organization_name: row.get(3)?,
        delegation: named(row, 4)?,
        since: row.get(5)?,
        offline: row.get::<i64>(6)? != 0,
    })
}

/// An id, or an empty text where there is none.
fn named<T: std::str::FromStr>(row: &Row, index: usize) -> Result<Option<T>, StoreError> {
    parsed(row, index, |text| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) })
}

/// A session as far as it concerns one organization: that something lives which was issued in it for that one.
#[derive(Clone, Debug)]
pub struct Within {
    pub session: SessionId,
    pub since: Moment,
    pub applications: i64,
    pub offline: bool,
    /// By which they signed in, where that is the organization's own.
    pub connection: Option<ConnectionId>,
}

/// Some of those of one person, the latest first. `before` as in [`sessions_of`].
pub async fn within(
    db: &mut impl Read,
    (organization, user): (OrganizationId, UserId),
    now: Moment,
    before: &str,
    most: u32,
) -> Result<Vec<Within>, StoreError> {
    let sql = "SELECT s.id, MIN(g.created_at), COUNT(DISTINCT g.application_id),
                      MAX(CASE WHEN g.offline_since IS NULL THEN 0 ELSE 1 END), c.id
               FROM sessions s
               JOIN grants g ON g.session_id = s.id
               JOIN organizations o ON o.id = g.organization_id
               LEFT JOIN connections c ON c.id = s.connection_id AND c.organization_id = o.id
               WHERE s.user_id = $2 AND g.organization_id = $1 AND g.organization_epoch = o.epoch
                 AND g.revoked_at IS NULL AND g.expires_at > $3
                 AND (g.offline_since IS NOT NULL OR (s.ended_at IS NULL AND s.expires_at > $3))
                 AND (CAST($4 AS TEXT) = '' OR s.id < CAST($4 AS TEXT))
               GROUP BY s.id, c.id ORDER BY s.id DESC LIMIT $5";
    db.all(sql, params![organization, user, now, before, most]).await?.iter().map(part).collect()
}

fn part(row: &Row) -> Result<Within, StoreError> {
    Ok(Within {
        session: row.get(0)?,
        since: row.get(1)?,
        applications: row.get(2)?,
        offline: row.get::<i64>(3)? != 0,
        connection: row.get(4)?,
    })
}

/// Whether a session of this person is among those.
pub async fn is_within(
    db: &mut impl Read,
    (organization, user): (OrganizationId, UserId),
    session: SessionId,
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM sessions s JOIN grants g ON g.session_id = s.id
               WHERE s.id = $3 AND s.user_id = $2 AND g.organization_id = $1 AND g.revoked_at IS NULL
                 AND g.expires_at > $4 LIMIT 1";
    Ok(db.one(sql, params![organization, user, session, now]).await?.is_some())
}
