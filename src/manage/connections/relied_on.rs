//! Whether members could not sign in any more without a connection, and what they sign in by instead (S1-R25).

use serde::Deserialize;
use serde_json::json;

use super::Held;
use crate::manage::desk::{Change, Wanted};
use crate::manage::refused::{Code, Refused};
use crate::model::connection::Connection;
use crate::model::domain::DomainState;
use crate::model::organization::{Enforcement, Organization};
use crate::model::permission::Permission;
use crate::model::policy::Switch;
use crate::store::durable::{connections, domains, organizations};

/// How sure the caller is, where members could not sign in any more.
#[derive(Clone, Copy, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Force {
    /// Also where members must come through the connection: they need not any more. For the operator: also where no owner
    /// could sign in any more.
    pub force: Option<bool>,
    /// By which method they sign in instead; with `force`, and `policy:write`.
    #[schemars(
        with = "Option<String>",
        extend("enum" = ["log_in_with_google", "log_in_with_microsoft", "log_in_with_saml", "log_in_with_oidc"])
    )]
    pub fallback: Option<Switch>,
}

/// Refuses where members could not sign in any more. With `force` and another method that they can sign in by, they need
/// not come through the organization's own connection any more, if the caller may say so.
pub(super) async fn released(change: &mut Change<'_, '_>, held: &Held, force: Force) -> Result<(), Refused> {
    let Some(of) = held.connection.organization_id else { return Ok(()) };
    let organization = change.organization(of).await?;
    if !is_relied_on(change, &organization, &held.connection).await? {
        return Ok(());
    }
    let Some(fallback) = force.fallback.filter(|_| force.force == Some(true)) else {
        let detail = "members must come through it: name another method as fallback, with force";
        return Err(Refused::new(Code::EnforcementDepends, detail));
    };
    if !is_open(change, &organization, &held.connection, fallback).await? {
        let detail = format!("nobody can sign in by {fallback} here");
        return Err(Refused::new(Code::EnforcementDepends, detail));
    }
    // By whichever door: it is how everybody signs in.
    Wanted::besides(Permission::PolicyWrite, of).of(&change.standing, change.keep.now)?;
    let mut after = organization.clone();
    after.policy.enforcement = Enforcement::Off;
    after.updated_at = change.keep.now;
    organizations::update(change.tx, &after).await?;
    let event = change
        .keep
        .event("organization.policy_changed", of)
        .subject(of)
        .changing(Some(json!({"enforcement": "required"})), Some(json!({"enforcement": "off"})))
        .with("fallback", fallback.word());
    change.record(&event).await
}

/// Whether it is the last active one, or the last one to which people of some domain are sent.
async fn is_relied_on(
    change: &mut Change<'_, '_>,
    organization: &Organization,
    connection: &Connection,
) -> Result<bool, Refused> {
    if organization.policy.enforcement == Enforcement::Off || !connection.is_active() {
        return Ok(false);
    }
    let all = connections::of_organization(change.tx, organization.id).await?;
    let others: Vec<_> = all
        .iter()
        .filter(|other| other.is_active() && other.id != connection.id)
        .map(|other| other.id)
        .collect();
    let routes = domains::routes_of(change.tx, organization.id).await?;
    let leads_here_alone = domains::of_organization(change.tx, organization.id).await?.iter().any(|domain| {
        let to: Vec<_> = routes.iter().filter(|(from, _)| *from == domain.id).map(|(_, to)| *to).collect();
        domain.state == DomainState::Verified
            && domain.routing_since.is_some()
            && to.contains(&connection.id)
            && !to.iter().any(|to| others.contains(to))
    });
    Ok(others.is_empty() || leads_here_alone)
}

/// Whether there is another connection of this method by which members may come.
async fn is_open(
    change: &mut Change<'_, '_>,
    organization: &Organization,
    but: &Connection,
    method: Switch,
) -> Result<bool, Refused> {
    let switches = &change.keep.project.settings.switches;
    if !Switch::UPSTREAM.contains(&method) || !switches.effective(&organization.policy.switches, method) {
        return Ok(false);
    }
    let (project, of) = (change.keep.project.id, organization.id);
    let mut all = connections::of_organization(change.tx, of).await?;
    let of_the_project = connections::page(change.tx, project, None, "", 1_000).await?;
    all.extend(of_the_project.into_iter().map(|(connection, _)| connection));
    Ok(all.iter().any(|other| other.is_active() && other.id != but.id && Switch::of(other) == method))
}
