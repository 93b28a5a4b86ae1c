//! Where somebody does what an organization still wants of them: where the logins of their application begin, for that
//! organization, and by the connection that it demands.

use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::connection::Connection;
use crate::model::login::Context;
use crate::model::organization::Organization;
use crate::store::durable::engine::{Read, StoreError};
use crate::store::durable::{connections, delegations, organizations, projects};

/// Nothing, where the application does not say where its logins begin.
pub async fn login_url(
    db: &mut impl Read,
    issuer: &str,
    application: &Application,
    (context, refusal): (Context, &Refusal),
) -> Result<Option<String>, StoreError> {
    let Some(id) = context.organization().filter(|_| application.settings.initiate_login_uri.is_some())
    else {
        return Ok(None);
    };
    let Some(organization) = organizations::by_id(db, application.project_id, id).await? else {
        return Ok(None);
    };
    let provider = provider(db, &organization, (context, refusal)).await?;
    let connection = match &provider {
        Some(provider) => demanded(db, application, provider).await?,
        None => None,
    };
    Ok(application.login_begins_for(issuer, &organization.slug, connection.as_deref()))
}

/// Whose connection is demanded: the organization's own, or of who acts for it by a delegation their home's (model.md,
/// tension 7). Nobody's, where another sign-in by the same way does it, or none does.
async fn provider(
    db: &mut impl Read,
    organization: &Organization,
    (context, refusal): (Context, &Refusal),
) -> Result<Option<Organization>, StoreError> {
    if !matches!(refusal, Refusal::SsoRequired | Refusal::MethodNotAllowed | Refusal::DelegationNotAccepted) {
        return Ok(None);
    }
    let Some(delegation) = context.delegation() else { return Ok(Some(organization.clone())) };
    if !organization.policy.delegations.accepts(delegation) {
        return Ok(None);
    }
    match delegations::by_id(db, organization.project_id, delegation).await? {
        Some(delegation) => organizations::by_id(db, organization.project_id, delegation.home).await,
        None => Ok(None),
    }
}

/// The connection of this organization by which the application's people come, its primary one first.
async fn demanded(
    db: &mut impl Read,
    application: &Application,
    provider: &Organization,
) -> Result<Option<String>, StoreError> {
    let Some(project) = projects::by_id(db, provider.project_id).await? else { return Ok(None) };
    let primary = connections::primary_of(db, provider.id).await?;
    let others = connections::of_organization(db, provider.id).await?;
    let is_usable = |own: &Connection| {
        own.is_active()
            && application.settings.accepts_connection(own.id, true)
            && project.settings.switches.open(own, Some(&provider.policy))
    };
    Ok(primary.into_iter().chain(others).find(is_usable).map(|own| own.slug))
}
