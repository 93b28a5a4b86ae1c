//! For which organizations a person may act: as a member, or by a delegation of their home organization.

use super::engine::{Read, Row, StoreError, params};
use super::{applications, json, optional_json, organizations, parsed, projects};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, DelegationId, OrganizationId, UserId};
use crate::model::application::Application;
use crate::model::delegation::DelegationSettings;
use crate::model::login::Context;
use crate::model::membership::MembershipKind;
use crate::model::organization::Policy;
use crate::model::project::{Organizations, ProjectSettings};
use crate::model::role;
use crate::model::user::User;

macro_rules! member {
    () => {
        member!("")
    };
    ($more:literal) => {
        concat!(
            "SELECT o.id, o.slug, o.display_name, CASE WHEN o.logo_uri IS NULL THEN 0 ELSE 1 END, m.roles, o.policy,
                o.epoch, m.kind",
            $more,
            " FROM memberships m JOIN organizations o ON o.id = m.organization_id
         WHERE m.user_id = $1 AND m.status = 'active' AND o.deactivated_at IS NULL AND o.deleted_at IS NULL"
        )
    };
}

/// With whether the organization lets its people act for any other, as far as that can be said without them.
macro_rules! lending {
    () => {
        member!(
            ", CASE WHEN EXISTS (SELECT 1 FROM delegations d
                             WHERE d.home_organization_id = o.id AND d.revoked_at IS NULL) THEN 1 ELSE 0 END"
        )
    };
}

macro_rules! delegated {
    () => {
        "SELECT t.id, t.slug, t.display_name, CASE WHEN t.logo_uri IS NULL THEN 0 ELSE 1 END, d.id,
                h.display_name, d.settings, t.policy, h.id, t.epoch, h.functional_roles, t.functional_roles,
                p.id, p.settings
         FROM memberships m
         JOIN organizations h ON h.id = m.organization_id
         JOIN delegations d ON d.home_organization_id = h.id
         JOIN organizations t ON t.id = d.target_organization_id
         JOIN projects p ON p.id = d.project_id
         LEFT JOIN memberships own ON own.organization_id = t.id AND own.user_id = m.user_id
         WHERE m.user_id = $1 AND m.status = 'active' AND (m.kind = 'home' OR m.kind = 'member')
           AND h.deactivated_at IS NULL AND h.deleted_at IS NULL
           AND t.deactivated_at IS NULL AND t.deleted_at IS NULL
           AND d.home_approved_at IS NOT NULL AND d.target_approved_at IS NOT NULL
           AND d.paused_at IS NULL AND d.revoked_at IS NULL
           AND (own.status IS NULL OR own.status = 'active')
           AND (d.starts_at IS NULL OR d.starts_at <= $2) AND (d.ends_at IS NULL OR d.ends_at > $2)"
    };
}

/// Of which of somebody's organizations an application is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    All,
    /// Of those that this application is open to.
    Open(ApplicationId),
    /// Of the one that they act for by it, if they do.
    Acted(Option<OrganizationId>),
    /// Of none: nobody of the project acts for any.
    Nothing,
}

impl Told {
    /// What a person sees themselves: what they may act for, as whatever is minted has it.
    pub fn themselves(project: &ProjectSettings) -> Self {
        match project.organizations {
            Organizations::Off => Self::Nothing,
            Organizations::Optional | Organizations::Required => Self::All,
        }
    }

    /// What a query asks for: the application that they must be open to, and the only one; absent: any.
    pub(super) fn terms(self) -> (Option<ApplicationId>, Option<String>) {
        match self {
            Self::All => (None, None),
            Self::Open(application) => (Some(application), None),
            // No organization has an empty id.
            Self::Acted(only) => (None, Some(only.map(|id| id.to_string()).unwrap_or_default())),
            Self::Nothing => (None, Some(String::new())),
        }
    }

    pub async fn is_of(self, db: &mut impl Read, organization: OrganizationId) -> Result<bool, StoreError> {
        match self {
            Self::All => Ok(true),
            Self::Open(application) => applications::is_listed(db, application, organization).await,
            Self::Acted(only) => Ok(only == Some(organization)),
            Self::Nothing => Ok(false),
        }
    }
}

/// However many there are.
pub const ALL: u32 = i32::MAX as u32;

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub organization: OrganizationId,
    pub slug: String,
    pub display_name: String,
    pub has_logo: bool,
    pub roles: Vec<String>,
    pub policy: Policy,
    pub epoch: i64,
    /// As what they belong to it; absent: by the delegation alone.
    pub kind: Option<MembershipKind>,
    pub delegation: Option<Delegated>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Delegated {
    pub id: DelegationId,
    pub home: OrganizationId,
    pub home_name: String,
    pub settings: DelegationSettings,
    /// Whether delegations are a thing that both may do at all.
    pub may_count: bool,
}

impl Choice {
    /// In whose name it lets somebody act.
    pub fn context(&self) -> Context {
        match &self.delegation {
            None => Context::Member(self.organization),
            Some(delegated) => Context::Delegate { target: self.organization, delegation: delegated.id },
        }
    }
}

/// The person's own organizations, then those that their home lets them act for, as far as the application is open
/// to them; none twice, and so many at most.
pub async fn of(
    db: &mut impl Read,
    application: &Application,
    user: &User,
    now: Moment,
    most: u32,
) -> Result<Vec<Choice>, StoreError> {
    let limited = application.settings.organizations_limited.then_some(application.id);
    let (mut found, may_lend) = own(db, user.id, limited, most).await?;
    let many = most as usize;
    if found.len() >= many || !may_lend {
        return Ok(found);
    }
    let listed = match limited {
        None => None,
        Some(application) => Some(applications::listed(db, application).await?),
    };
    for choice in delegations(db, user.id, None, now).await? {
        let id = choice.organization;
        let open = listed.as_ref().is_none_or(|listed| listed.contains(&id));
        if open && is_meant(&choice, user) && !found.iter().any(|known| known.organization == id) {
            found.push(choice);
        }
    }
    found.truncate(many);
    Ok(found)
}

/// The one way in which the person may act for this organization: their own before a delegation.
pub async fn to(
    db: &mut impl Read,
    user: &User,
    organization: OrganizationId,
    now: Moment,
) -> Result<Option<Choice>, StoreError> {
    let sql = concat!(member!(), " AND m.organization_id = $2");
    if let Some(own) = db.one(sql, params![user.id, organization]).await? {
        return member(&own).map(Some);
    }
    let found = delegations(db, user.id, Some(organization), now).await?;
    Ok(found.into_iter().find(|choice| is_meant(choice, user)))
}

/// Whether the delegation is for this person, and the target still accepts it.
fn is_meant(choice: &Choice, user: &User) -> bool {
    choice.delegation.as_ref().is_some_and(|one| {
        one.may_count && one.settings.means(user.proved_email()) && choice.policy.delegations.accepts(one.id)
    })
}

/// Some of the person's own, in the order of the ids, whose names begin so in any case.
pub async fn own_page(
    db: &mut impl Read,
    (user, told): (UserId, Told),
    name: &str,
    after: &str,
    most: u32,
) -> Result<Vec<Choice>, StoreError> {
    let sql = concat!(
        member!(),
        " AND m.organization_id > $2 AND o.name_key >= $4 AND o.name_key < $5
              AND (CAST($6 AS TEXT) IS NULL OR m.organization_id IN
                   (SELECT organization_id FROM application_organizations WHERE application_id = $6))
              AND (CAST($7 AS TEXT) IS NULL OR m.organization_id = $7)
              ORDER BY m.organization_id LIMIT $3"
    );
    let (low, high) = organizations::name_range(name);
    let (open, only) = told.terms();
    db.all(sql, params![user, after, most, low, high, open, only]).await?.iter().map(member).collect()
}

/// Some of those that they are no member of, in the order of the delegations; with whether it is for this person.
pub async fn delegated_page(
    db: &mut impl Read,
    (user, told, now): (&User, Told, Moment),
    name: &str,
    after: &str,
    most: u32,
) -> Result<Vec<(Choice, bool)>, StoreError> {
    let sql = concat!(
        delegated!(),
        " AND own.status IS NULL AND d.id > $3 AND t.name_key >= $5 AND t.name_key < $6
          AND (CAST($7 AS TEXT) IS NULL OR t.id IN
               (SELECT organization_id FROM application_organizations WHERE application_id = $7))
          AND (CAST($8 AS TEXT) IS NULL OR t.id = $8)
          ORDER BY d.id LIMIT $4"
    );
    let (low, high) = organizations::name_range(name);
    let (open, only) = told.terms();
    let rows = db.all(sql, params![user.id, now, after, most, low, high, open, only]).await?;
    rows.iter()
        .map(delegated)
        .map(|choice| {
            choice.map(|choice| {
                let meant = is_meant(&choice, user);
                (choice, meant)
            })
        })
        .collect()
}

/// As an active member of an active organization, one that a limited application is open to; and whether any lets them act
/// for others, perhaps.
async fn own(
    db: &mut impl Read,
    user: UserId,
    limited: Option<ApplicationId>,
    most: u32,
) -> Result<(Vec<Choice>, bool), StoreError> {
    let rows = match limited {
        None => {
            db.all(concat!(lending!(), " ORDER BY m.organization_id LIMIT $2"), params![user, most]).await?
        }
        Some(application) => {
            let sql = concat!(
                lending!(),
                " AND m.organization_id IN
                 (SELECT organization_id FROM application_organizations WHERE application_id = $2)
                 ORDER BY m.organization_id LIMIT $3"
            );
            db.all(sql, params![user, application, most]).await?
        }
    };
    let mut may_lend = limited.is_some();
    for row in &rows {
        may_lend |= row.get::<i64>(8)? != 0;
    }
    Ok((rows.iter().map(member).collect::<Result<_, _>>()?, may_lend))
}

fn member(row: &Row) -> Result<Choice, StoreError> {
    let id = row.get(0)?;
    Ok(Choice {
        organization: id,
        slug: row.get(1)?,
        display_name: row.get(2)?,
        has_logo: row.get::<i64>(3)? != 0,
        roles: json(row, 4)?,
        policy: organizations::POLICIES.json(id, row, 5)?,
        epoch: row.get(6)?,
        kind: Some(parsed(row, 7, MembershipKind::from_word)?),
        delegation: None,
    })
}

/// By a delegation in force, of an organization whose own the person is, to one that has not shut them out.
async fn delegations(
    db: &mut impl Read,
    user: UserId,
    only: Option<OrganizationId>,
    now: Moment,
) -> Result<Vec<Choice>, StoreError> {
    let rows = match only {
        None => db.all(concat!(delegated!(), " ORDER BY d.id"), params![user, now]).await?,
        Some(id) => {
            let sql = concat!(delegated!(), " AND d.target_organization_id = $3 ORDER BY d.id");
            db.all(sql, params![user, now, id]).await?
        }
    };
    rows.iter().map(delegated).collect()
}

fn delegated(row: &Row) -> Result<Choice, StoreError> {
    let (id, settings): (_, DelegationSettings) = (row.get(0)?, json(row, 6)?);
    let (home, target): (Option<Vec<String>>, Option<Vec<String>>) =
        (optional_json(row, 10)?, optional_json(row, 11)?);
    let project = projects::SETTINGS.json(row.get(12)?, row, 13)?;
    let may_count = role::may_stand_between(home.as_deref(), target.as_deref(), &project.functional_roles);
    Ok(Choice {
        organization: id,
        slug: row.get(1)?,
        display_name: row.get(2)?,
        has_logo: row.get::<i64>(3)? != 0,
        roles: settings.roles.clone(),
        policy: organizations::POLICIES.json(id, row, 7)?,
        epoch: row.get(9)?,
        kind: None,
        delegation: Some(Delegated {
            id: row.get(4)?,
            home: row.get(8)?,
            home_name: row.get(5)?,
            settings,
            may_count,
        }),
    })
}
