//! A session with whoever it is of and wherever it came from, in one read: every login and every token looks at it.

use super::engine::{Read, Row, StoreError, params};
use super::{applications, connections, json, organizations, projects, sessions, users};
use crate::foundation::id::{ApplicationId, OrganizationId, ProjectId, SessionId};
use crate::model::application::Application;
use crate::model::connection::Connection;
use crate::model::identity::IdentityFacts;
use crate::model::organization::Organization;
use crate::model::project::Project;
use crate::model::session::Session;
use crate::model::user::User;

#[derive(Clone, Debug)]
pub struct Standing {
    pub session: Session,
    pub user: User,
    pub connection: Connection,
    /// Whose connection it is, unless it is the project's.
    pub provider: Option<Organization>,
    /// Whether that organization has been active ever since it proved the person.
    pub still_provided: bool,
    /// What its provider said of the person at their last login.
    pub facts: IdentityFacts,
    /// Whether any rule gives roles by that connection.
    pub has_rules: bool,
    /// What they have switched to, and in which of its epochs.
    pub current: Option<(OrganizationId, i64)>,
}

/// A session and whose it is, without where it came from.
#[derive(Clone, Debug)]
pub struct Person {
    pub session: Session,
    pub user: User,
    /// As in [`Standing`].
    pub current: Option<(OrganizationId, i64)>,
}

pub async fn person(
    db: &mut impl Read,
    project: ProjectId,
    id: SessionId,
) -> Result<Option<Person>, StoreError> {
    let sql = "SELECT s.id, s.project_id, s.user_id, s.identity_id, s.connection_id, s.authenticated_at, s.amr, s.acr,
                s.created_at, s.expires_at, s.ended_at, s.current_organization_id, s.assumed_at,
                u.id, u.project_id, u.email, u.email_verified_at, u.profile, u.created_at, u.updated_at, u.disabled_at,
                s.current_epoch
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $2 AND s.project_id = $1";
    let Some(row) = db.one(sql, params![project, id]).await? else { return Ok(None) };
    let session = sessions::session(&row, 0)?;
    let current = session.current_organization.zip(row.get::<Option<i64>>(21)?);
    Ok(Some(Person { session, user: users::user(&row, 13)?, current }))
}

/// What every token looks at first.
#[derive(Debug, Default)]
pub struct Scene {
    pub project: Option<Project>,
    pub application: Option<Application>,
    pub standing: Option<Standing>,
}

macro_rules! select {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT s.id, s.project_id, s.user_id, s.identity_id, s.connection_id, s.authenticated_at, s.amr, s.acr,
                s.created_at, s.expires_at, s.ended_at, s.current_organization_id, s.assumed_at,
                u.id, u.project_id, u.email, u.email_verified_at, u.profile, u.created_at, u.updated_at, u.disabled_at,
                c.id, c.project_id, c.organization_id, c.slug, c.display_name, c.state, c.version, c.settings, c.secret,
                c.created_at, c.updated_at,
                o.id, o.project_id, o.slug, o.display_name, o.description, o.logo_uri, o.functional_roles, o.policy,
                o.created_at, o.updated_at, o.deactivated_at, o.deleted_at, o.kind, o.purge_at, o.epoch,
                s.provider_epoch, i.facts, s.current_epoch,
                CASE WHEN EXISTS (SELECT 1 FROM role_rules r WHERE r.connection_id = c.id) THEN 1 ELSE 0 END",
            $more,
            $rest
        )
    };
}

fn standing(row: &Row) -> Result<Standing, StoreError> {
    let owned = row.get::<Option<OrganizationId>>(32)?.is_some();
    let provider = if owned { Some(organizations::organization(row, 32)?) } else { None };
    let epoch: Option<i64> = row.get(47)?;
    let session = sessions::session(row, 0)?;
    Ok(Standing {
        current: session.current_organization.zip(row.get::<Option<i64>>(49)?),
        session,
        user: users::user(row, 13)?,
        connection: connections::connection(row, 21)?,
        still_provided: provider
            .as_ref()
            .is_none_or(|provider| provider.is_active() && epoch == Some(provider.epoch)),
        provider,
        facts: json(row, 48)?,
        has_rules: row.get::<i64>(50)? != 0,
    })
}

pub async fn of(
    db: &mut impl Read,
    project: ProjectId,
    id: SessionId,
) -> Result<Option<Standing>, StoreError> {
    let sql = select!(
        "",
        " FROM sessions s
         JOIN users u ON u.id = s.user_id
         JOIN connections c ON c.id = s.connection_id
         JOIN identities i ON i.id = s.identity_id
         LEFT JOIN organizations o ON o.id = c.organization_id
         WHERE s.id = $2 AND s.project_id = $1"
    );
    db.one(sql, params![project, id]).await?.as_ref().map(standing).transpose()
}

/// An application of a project, and a session there: each that exists.
pub async fn scene(
    db: &mut impl Read,
    project: ProjectId,
    application: ApplicationId,
    session: SessionId,
) -> Result<Scene, StoreError> {
    let sql = select!(
        ", p.id, p.slug, p.display_name, p.settings, p.created_at, p.updated_at, p.disabled_at,
           a.id, a.project_id, a.client_id, a.display_name, a.settings, a.created_at, a.updated_at, a.disabled_at,
           a.organization_id, a.stopped_at",
        " FROM projects p
         LEFT JOIN applications a ON a.id = $2 AND a.project_id = p.id
         LEFT JOIN sessions s ON s.id = $3 AND s.project_id = p.id
         LEFT JOIN users u ON u.id = s.user_id
         LEFT JOIN connections c ON c.id = s.connection_id
         LEFT JOIN identities i ON i.id = s.identity_id
         LEFT JOIN organizations o ON o.id = c.organization_id
         WHERE p.id = $1"
    );
    let Some(row) = db.one(sql, params![project, application, session]).await? else {
        return Ok(Scene::default());
    };
    let has_application = row.get::<Option<ApplicationId>>(58)?.is_some();
    let has_session = row.get::<Option<SessionId>>(0)?.is_some();
    Ok(Scene {
        project: Some(projects::project(&row, 51)?),
        application: if has_application { Some(applications::application(&row, 58)?) } else { None },
        standing: if has_session { Some(standing(&row)?) } else { None },
    })
}
