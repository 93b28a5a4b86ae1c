//! People as those who run an organization see them: pages of members, and the search. No login asks here (invariant 1).

use serde_json::{Map, Value};

use super::engine::{Read, Row, StoreError, params};
use super::json;
use super::memberships::membership;
use super::user_terms::{self, Range};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{
    ApiKeyId, AuditEventId, DomainId, MembershipId, OrganizationId, ProjectId, RequestId, UserId,
};
use crate::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use crate::model::user::{Profile, email_claim};

/// A member, with what is known of the person.
#[derive(Clone, Debug)]
pub struct Member {
    pub membership: Membership,
    pub updated_at: Moment,
    pub removed_at: Option<Moment>,
    pub last_active_at: Option<Moment>,
    /// Through a connection of the organization or of the project: what others know of them stays there.
    pub last_sign_in_at: Option<Moment>,
    pub person: Person,
}

/// Somebody, as they are shown.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: UserId,
    pub email: Option<String>,
    pub email_verified_at: Option<Moment>,
    pub name: Option<String>,
    pub disabled_at: Option<Moment>,
}

/// Which members a page shows.
#[derive(Clone, Debug)]
pub struct Listing {
    pub project: ProjectId,
    pub organization: OrganizationId,
    /// Absent: all but the removed ones.
    pub status: Option<MembershipStatus>,
    pub source: Option<MembershipSource>,
    pub kind: Option<MembershipKind>,
    pub role: Option<String>,
    pub search: Option<String>,
    pub after: Option<MembershipId>,
    pub most: u32,
}

macro_rules! member {
    ($from:expr, $rest:literal) => {
        concat!(
            "SELECT m.id, m.organization_id, m.user_id, m.kind, m.status, m.source, m.roles, m.created_at, m.updated_at,
                    m.removed_at, m.last_active_at, u.email, u.email_verified_at, u.profile, u.disabled_at,
                    (SELECT MAX(i.last_login_at) FROM identities i JOIN connections c ON c.id = i.connection_id
                     WHERE i.user_id = m.user_id
                       AND (c.organization_id IS NULL OR c.organization_id = m.organization_id))
             FROM ",
            $from,
            " JOIN users u ON u.id = m.user_id ",
            $rest
        )
    };
}

// A value asked for each row, and not `EXISTS`, wherever a row is asked about another table: PostgreSQL would make a join
// of it, or a hash of the whole table, and begin at whichever side it takes for the small one. And `<> 0`, which it takes
// for likely: of what equals something it expects one in 200, of two such conditions next to nothing, and begins elsewhere
// than at the page.
macro_rules! found {
    ($place:literal, $low:literal, $high:literal) => {
        concat!(
            " AND (CAST($8 AS BIGINT) < ",
            $place,
            " OR (SELECT 1 FROM user_terms t WHERE t.user_id = m.user_id AND t.term >= ",
            $low,
            " AND t.term < ",
            $high,
            " LIMIT 1) <> 0) "
        )
    };
}

macro_rules! listed {
    ($from:expr, $rest:literal) => {
        concat!(
            member!($from, "WHERE m.project_id = $17 AND m.id > $2"),
            " AND ((CAST($4 AS TEXT) IS NULL AND m.status <> 'removed') OR m.status = $4)
              AND (CAST($5 AS TEXT) IS NULL OR m.source = $5)
              AND (CAST($6 AS TEXT) IS NULL OR m.kind = $6)
              AND (CAST($7 AS TEXT) IS NULL OR (SELECT 1 FROM membership_roles r WHERE r.organization_id = $1
                   AND r.role = $7 AND r.membership_id = m.id) <> 0) ",
            $rest
        )
    };
}

macro_rules! searched_members {
    ($from:expr, $rest:literal) => {
        concat!(
            listed!($from, $rest),
            found!("1", "$9", "$10"),
            found!("2", "$11", "$12"),
            found!("3", "$13", "$14"),
            found!("4", "$15", "$16"),
            "ORDER BY m.id LIMIT $3"
        )
    };
}

fn member(row: &Row) -> Result<Member, StoreError> {
    let membership = membership(row, 0)?;
    Ok(Member {
        updated_at: row.get(8)?,
        removed_at: row.get(9)?,
        last_active_at: row.get(10)?,
        last_sign_in_at: row.get(15)?,
        person: person(row, membership.user_id, 11)?,
        membership,
    })
}

fn person(row: &Row, id: UserId, at: usize) -> Result<Person, StoreError> {
    Ok(Person {
        id,
        email: row.get(at)?,
        email_verified_at: row.get(at + 1)?,
        name: json::<Profile>(row, at + 2)?.shown_name(),
        disabled_at: row.get(at + 3)?,
    })
}

pub async fn one(
    db: &mut impl Read,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<Member>, StoreError> {
    let sql = member!("memberships m", "WHERE m.organization_id = $1 AND m.user_id = $2");
    db.one(sql, params![organization, user]).await?.as_ref().map(member).transpose()
}

/// Terms up to which a search begins at whom they lead to, and not at the members: written into the statements, because
/// PostgreSQL plans by it.
macro_rules! few {
    () => {
        "2000"
    };
}

/// A page, in the order in which they joined.
pub async fn page(db: &mut impl Read, listing: &Listing) -> Result<Vec<Member>, StoreError> {
    let search = listing.search.as_deref().unwrap_or_default();
    let (mut ranges, words) = user_terms::ranges(search);
    // Where the members are that are looked for decides where to begin.
    let begins_at_terms = few_first(db, listing.project, &mut ranges, words).await?;
    let [a, b, c, d] = ranges;
    let sql = if begins_at_terms {
        // The limit tells PostgreSQL that these are few, and the value how to get from each to the membership.
        searched_members!(
            concat!(
                "(SELECT DISTINCT first.user_id FROM
                    (SELECT user_id FROM user_terms WHERE project_id = $17 AND term >= $9 AND term < $10
                     ORDER BY term, user_id LIMIT ",
                few!(),
                ") first) f CROSS JOIN memberships m"
            ),
            "AND m.id = (SELECT b.id FROM memberships b WHERE b.organization_id = $1 AND b.user_id = f.user_id)"
        )
    } else if listing.role.is_some() {
        searched_members!(
            "membership_roles h JOIN memberships m ON m.id = h.membership_id",
            "AND m.organization_id = $1 AND h.organization_id = $1 AND h.role = $7 AND h.membership_id > $2"
        )
    } else {
        searched_members!("memberships m", "AND m.organization_id = $1")
    };
    let after = listing.after.map(|id| id.to_string()).unwrap_or_default();
    let rows = db
        .all(
            sql,
            params![
                listing.organization,
                after,
                listing.most,
                listing.status.map(MembershipStatus::word),
                listing.source.map(MembershipSource::word),
                listing.kind.map(MembershipKind::word),
                listing.role.as_deref(),
                words,
                a.low,
                a.high,
                b.low,
                b.high,
                c.low,
                c.high,
                d.low,
                d.high,
                listing.project
            ],
        )
        .await?;
    rows.iter().map(member).collect()
}

/// Brings a word forward that leads to few people, if there is one: the search begins there, whatever word is the longest.
async fn few_first(
    db: &mut impl Read,
    project: ProjectId,
    ranges: &mut [Range; user_terms::WORDS],
    words: i64,
) -> Result<bool, StoreError> {
    for place in 0..usize::try_from(words).unwrap_or_default().min(ranges.len()) {
        if is_few(db, project, &ranges[place]).await? {
            ranges.swap(0, place);
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether only few terms begin so.
async fn is_few(db: &mut impl Read, project: ProjectId, range: &Range) -> Result<bool, StoreError> {
    let sql = concat!(
        "SELECT 1 FROM user_terms WHERE project_id = $1 AND term >= $2 AND term < $3
         ORDER BY term, user_id LIMIT 1 OFFSET ",
        few!()
    );
    Ok(db.one(sql, params![project, range.low, range.high]).await?.is_none())
}

/// Whose address this claim of its domain has proved.
pub async fn of_claim(
    db: &mut impl Read,
    project: ProjectId,
    domain: DomainId,
    email: &Email,
) -> Result<Option<UserId>, StoreError> {
    let sql =
        "SELECT id FROM users WHERE project_id = $1 AND email_claim = $2 AND email_verified_at IS NOT NULL";
    let row = db.one(sql, params![project, email_claim(domain, email)]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Somebody that was searched for.
#[derive(Clone, Debug)]
pub struct Found {
    pub person: Person,
    /// Whether they are a member of the organization that was asked about, of whatever status but removed.
    pub is_member: bool,
}

/// Members up to which an organization is searched from its own side.
const SMALL: i64 = 5_000;

macro_rules! also {
    ($place:literal, $low:literal, $high:literal) => {
        concat!(
            " AND (CAST($5 AS BIGINT) < ",
            $place,
            " OR (SELECT 1 FROM user_terms x WHERE x.user_id = t.user_id AND x.term >= ",
            $low,
            " AND x.term < ",
            $high,
            " LIMIT 1) <> 0) "
        )
    };
}

// `CROSS JOIN` tells SQLite the order in which to look; to PostgreSQL it is one of many joins. Only the table that comes
// first is asked for its project: otherwise SQLite would look terms up by it, and not by their user.
macro_rules! searched {
    ($from:literal, $of:literal, $where:literal) => {
        concat!(
            "SELECT u.id, u.email, u.email_verified_at, u.profile, u.disabled_at,
                    CASE WHEN (SELECT b.status FROM memberships b WHERE b.organization_id = $4 AND b.user_id = u.id)
                         <> 'removed' THEN 1 ELSE 0 END
             FROM ",
            $from,
            " WHERE ",
            $of,
            ".project_id = $1 AND t.term >= $2 AND t.term < $3 AND u.id = t.user_id ",
            $where,
            also!("2", "$6", "$7"),
            also!("3", "$8", "$9"),
            also!("4", "$10", "$11"),
            " ORDER BY t.term, t.user_id LIMIT $12"
        )
    };
}

/// People of whose terms each word of the search begins one: of the project, or of one organization alone.
pub async fn search(
    db: &mut impl Read,
    project: ProjectId,
    (organization, members_only): (Option<OrganizationId>, bool),
    search: &str,
    most: usize,
) -> Result<Vec<Found>, StoreError> {
    let sql = match organization.filter(|_| members_only) {
        None => searched!("user_terms t CROSS JOIN users u", "t", ""),
        Some(organization) if is_small(db, organization).await? => searched!(
            "memberships m CROSS JOIN user_terms t CROSS JOIN users u",
            "m",
            "AND m.organization_id = $4 AND m.status <> 'removed' AND t.user_id = m.user_id"
        ),
        Some(_) => searched!(
            "user_terms t CROSS JOIN users u",
            "t",
            "AND (SELECT m.status FROM memberships m WHERE m.organization_id = $4 AND m.user_id = t.user_id) <> 'removed'"
        ),
    };
    let (mut ranges, words) = user_terms::ranges(search);
    if words > 1 {
        few_first(db, project, &mut ranges, words).await?;
    }
    let [Range { low, high }, b, c, d] = ranges;
    // One person may be found by several terms.
    let rows = i64::try_from(most * user_terms::MOST).unwrap_or(i64::MAX);
    let rows = db
        .all(
            sql,
            params![
                project,
                low,
                high,
                organization,
                words,
                b.low,
                b.high,
                c.low,
                c.high,
                d.low,
                d.high,
                rows
            ],
        )
        .await?;
    let mut found: Vec<Found> = Vec::new();
    for row in &rows {
        let id = row.get(0)?;
        if found.len() < most && found.iter().all(|known| known.person.id != id) {
            let is_member = row.get::<i64>(5)? == 1;
            found.push(Found { person: person(row, id, 1)?, is_member });
        }
    }
    Ok(found)
}

async fn is_small(db: &mut impl Read, organization: OrganizationId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM memberships WHERE organization_id = $1 ORDER BY id LIMIT 1 OFFSET $2";
    Ok(db.one(sql, params![organization, SMALL]).await?.is_none())
}

/// A key that opens the organization to a program.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: ApiKeyId,
    pub name: String,
    pub permissions: Vec<String>,
    pub created_at: Moment,
    pub expires_at: Option<Moment>,
    pub last_used_at: Option<Moment>,
}

/// The organization's keys that live, in the order of their ids.
pub async fn keys(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
    after: Option<ApiKeyId>,
    (most, now): (u32, Moment),
) -> Result<Vec<Key>, StoreError> {
    let sql = "SELECT id, name, permissions, created_at, expires_at, last_used_at FROM api_keys
               WHERE project_id = $1 AND organization_id = $2 AND id > $3 AND revoked_at IS NULL
                 AND (expires_at IS NULL OR expires_at > $5) ORDER BY id LIMIT $4";
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let key = |row: &Row| {
        Ok(Key {
            id: row.get(0)?,
            name: row.get(1)?,
            permissions: json(row, 2)?,
            created_at: row.get(3)?,
            expires_at: row.get(4)?,
            last_used_at: row.get(5)?,
        })
    };
    db.all(sql, params![project, organization, after, most, now]).await?.iter().map(key).collect()
}

/// Something that happened to a member.
#[derive(Clone, Debug)]
pub struct Happened {
    pub id: AuditEventId,
    pub at: Moment,
    pub actor: String,
    pub actor_kind: String,
    pub action: String,
    pub outcome: String,
    pub reason: Option<String>,
    pub request_id: Option<RequestId>,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub detail: Map<String, Value>,
}

/// What the organization's trail tells of somebody, the latest first.
pub async fn history(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
    user: UserId,
    after: Option<(Moment, AuditEventId)>,
    most: u32,
) -> Result<Vec<Happened>, StoreError> {
    let sql = "SELECT id, at, actor, actor_kind, action, outcome, reason, request_id, before, after, detail
               FROM audit_events
               WHERE project_id = $1 AND subject = $3 AND organization_id = $2 AND (at < $4 OR (at = $4 AND id < $5))
               ORDER BY at DESC, id DESC LIMIT $6";
    let (at, id) = match after {
        Some((at, id)) => (at, id.to_string()),
        None => (Moment::from_millis(i64::MAX), String::new()),
    };
    let optional = |row: &Row, at: usize| match row.is_null(at) {
        true => Ok(None),
        false => json(row, at).map(Some),
    };
    let happened = |row: &Row| {
        Ok(Happened {
            id: row.get(0)?,
            at: row.get(1)?,
            actor: row.get(2)?,
            actor_kind: row.get(3)?,
            action: row.get(4)?,
            outcome: row.get(5)?,
            reason: row.get(6)?,
            request_id: row.get(7)?,
            before: optional(row, 8)?,
            after: optional(row, 9)?,
            detail: json(row, 10)?,
        })
    };
    db.all(sql, params![project, organization, user.to_string(), at, id, most])
        .await?
        .iter()
        .map(happened)
        .collect()
}
