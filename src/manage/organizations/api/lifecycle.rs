//! `/organizations/{organization_id}/…`: whether it may be acted for, and whether it is there at all.

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::manage::api::route::{At, NoBody, NoQuery, Operation};
use crate::manage::authority::{Need, OWNERS_FRESH};
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::last_way::Sure;
use crate::manage::organizations::{OrganizationView, lifecycle, view};
use crate::manage::refused::{Code, Refused};
use crate::model::organization::Organization;
use crate::model::permission::Permission;
use crate::store::durable::memberships;

/// `POST /organizations/{organization_id}/deactivate` (S0-29 to S0-31)
pub struct Deactivate;

impl Operation for Deactivate {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/deactivate";
    const NAME: &'static str = "deactivate_organization";
    const SUMMARY: &'static str =
        "Nobody acts for the organization from now on; what was issued for it is dead for good.";
    const NEED: Need = Need::Operator(Permission::OrganizationWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::PolicyLocksOut, Code::PreconditionFailed];
    const ETAG: bool = true;
    type Query = Sure;
    type Body = NoBody;
    type Answer = OrganizationView;

    async fn run(desk: Desk, query: Sure, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let forced = query.insists(&desk)?;
        turned(&desk, (true, forced)).await
    }
}

/// `POST /organizations/{organization_id}/reactivate` (S0-29)
pub struct Reactivate;

impl Operation for Reactivate {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/reactivate";
    const NAME: &'static str = "reactivate_organization";
    const SUMMARY: &'static str = "Whoever signs in from now on may act for the organization again.";
    const NEED: Need = Need::Operator(Permission::OrganizationWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::PreconditionFailed];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = OrganizationView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        turned(&desk, (false, false)).await
    }
}

async fn turned(desk: &Desk, (off, forced): (bool, bool)) -> Result<Answer<OrganizationView>, Refused> {
    let id = desk.organization()?.id;
    desk.change_with_guests(async move |change| {
        let before = change.organization(id).await?;
        change.matches(&view::tag(&before))?;
        let after = lifecycle::wanted(change, before, Some(off), forced).await?;
        answered(change, 200, &after).await
    })
    .await
}

/// To who may change it all.
async fn answered(
    change: &mut Change<'_, '_>,
    status: u16,
    organization: &Organization,
) -> Result<Answer<OrganizationView>, Refused> {
    let has_owner = memberships::has_owner(change.tx, organization.id).await?;
    let view = OrganizationView::of(organization, has_owner, true);
    Ok(Answer::new(status, &view)?.etag(view::tag(organization)))
}

/// `DELETE /organizations/{organization_id}` (S1-R05)
pub struct Delete;

/// What must be said twice.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// The organization's slug.
    pub confirm: Option<String>,
    /// For the operator: also where owners of other organizations could not sign in any more.
    pub force: Option<bool>,
}

impl Operation for Delete {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/organizations/{organization_id}";
    const NAME: &'static str = "delete_organization";
    const SUMMARY: &'static str =
        "Deletes the organization. Until its grace period is over, the operator can restore it.";
    const NEED: Need = Need::Permitted(Permission::OrganizationDelete);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[202];
    const CODES: &'static [Code] =
        &[Code::ConfirmationRequired, Code::OperatorRequired, Code::PolicyLocksOut, Code::PreconditionFailed];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = Some(OWNERS_FRESH);
    type Query = DeleteQuery;
    type Body = NoBody;
    type Answer = OrganizationView;

    async fn run(desk: Desk, query: DeleteQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id = desk.organization()?.id;
        let forced = Sure { force: query.force }.insists(&desk)?;
        let grace = Duration::from_secs(desk.visitor.broker().config.manage.deletion_grace);
        desk.change_with_guests(async move |change| {
            let before = change.organization(id).await?;
            change.matches(&view::tag(&before))?;
            if query.confirm.as_deref() != Some(&before.slug) {
                let detail = format!("repeat the slug: confirm={}", before.slug);
                return Err(Refused::new(Code::ConfirmationRequired, detail));
            }
            let after = lifecycle::delete(change, before, grace, forced).await?;
            answered(change, 202, &after).await
        })
        .await
    }
}

/// `POST /organizations/{organization_id}/restore` (S1-R05)
pub struct Restore;

impl Operation for Restore {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/restore";
    const NAME: &'static str = "restore_organization";
    const SUMMARY: &'static str =
        "Brings a deleted organization back. Its domains, connections, keys and delegations stay off.";
    const NEED: Need = Need::Operator(Permission::OrganizationWrite);
    const AT: At = At::OrganizationOrDeleted;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::NotDeleted, Code::PreconditionFailed];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = OrganizationView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id = desk.organization()?.id;
        desk.change(async move |change| {
            let after = lifecycle::restore(change, id).await?;
            answered(change, 200, &after).await
        })
        .await
    }
}
