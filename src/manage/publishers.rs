//! Organizations that own applications (S0-25): which may, and what they own while they may not (S0-26).

use serde_json::json;

use super::desk::Change;
use super::refused::{Code, Refused};
use crate::foundation::id::OrganizationId;
use crate::model::application::Application;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::organization::Organization;
use crate::model::project::Project;
use crate::model::role;
use crate::store::durable::{applications, grants, machine_grants, organizations, projects};

const MANY: u32 = i32::MAX as u32;

fn may_own(organization: &Organization, project: &Project) -> bool {
    role::may_publish(organization.functional_roles.as_deref(), &project.settings.functional_roles)
}

/// The organization, if it may own applications.
pub async fn publisher(change: &mut Change<'_, '_>, id: OrganizationId) -> Result<Organization, Refused> {
    let found = change.organization(id).await?;
    match may_own(&found, &change.keep.project) {
        true => Ok(found),
        false => Err(Refused::new(Code::OrganizationFunctionMissing, "it is no app_publisher")),
    }
}

/// Takes all that an organization owns out of service while it is not active or may own none, and lets it go on afterwards.
pub async fn settle(change: &mut Change<'_, '_>, id: OrganizationId) -> Result<(), Refused> {
    let project = projects::by_id(change.tx, change.keep.project.id).await?.ok_or_else(Refused::hidden)?;
    let found = organizations::by_id(change.tx, project.id, id).await?.ok_or_else(Refused::hidden)?;
    let goes_on = found.is_active() && found.deleted_at.is_none() && may_own(&found, &project);
    for application in applications::page_of(change.tx, id, "", MANY).await? {
        if application.stopped_at.is_none() == goes_on {
            continue;
        }
        let (id, now) = (application.id, change.keep.now);
        applications::set_stopped(change.tx, id, (!goes_on).then_some(now)).await?;
        // What it held by then is worth nothing afterwards, either, of whomever it is (threats H03).
        if !goes_on {
            grants::revoke_of_application(change.tx, id, now).await?;
            machine_grants::revoke_of_application(change.tx, id, now).await?;
        }
        let action = if goes_on { "application.resumed" } else { "application.stopped" };
        let event = event(change, action, &application);
        let (was, is) = (json!({ "stopped": goes_on }), json!({ "stopped": !goes_on }));
        change.record(&event.changing(Some(was), Some(is))).await?;
    }
    Ok(())
}

/// In the trail of whose it is.
pub fn event(change: &Change<'_, '_>, action: &'static str, application: &Application) -> AuditEvent {
    AuditEvent::new(change.keep.project.id, action, Outcome::Changed)
        .organization(application.organization_id)
        .actor(change.keep.actor)
        .request(change.keep.request)
        .subject(application.id)
        .with("client_id", application.client_id.as_str())
}
