//! `/organizations/{organization_id}/policy` and `/project/policy`

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{ChangePolicy, ChangeProjectPolicy};
use super::view::{PolicyView, ProjectPolicyView, facts, project_facts};
use super::{Wanted, WantedOfProject, change, change_project};
use crate::manage::api::route::{At, Json, MergePatch, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::caller;
use crate::manage::desk::{Answer, Desk, etag};
use crate::manage::last_way::{Sure, locks_out};
use crate::manage::refused::{Code, Refused};
use crate::model::organization::Organization;
use crate::model::permission::Permission;
use crate::model::project::Project;
use crate::store::durable::projects;

/// Who changes how everybody signs in has just done so themselves.
const FRESH: Duration = Duration::from_secs(15 * 60);

const REFUSED: &[Code] = &[
    Code::EnforcementNotReady,
    Code::InvalidValue,
    Code::MethodNotAvailable,
    Code::MfaImpossible,
    Code::OperatorRequired,
    Code::PolicyLocksOut,
    Code::PreconditionFailed,
    Code::RoleCeiling,
    Code::RoleUnknown,
];

const OF_PROJECT: &[Code] =
    &[Code::MethodNotAvailable, Code::OperatorRequired, Code::PolicyLocksOut, Code::PreconditionFailed];

/// `GET /organizations/{organization_id}/policy` (S1-W2, S3-30)
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/policy";
    const NAME: &'static str = "read_policy";
    const SUMMARY: &'static str = "How the organization lets people sign in, with the project's half.";
    const NEED: Need = Need::Permitted(Permission::PolicyRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = PolicyView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        shown(desk.organization()?, desk.project())
    }
}

fn shown(organization: &Organization, project: &Project) -> Result<Answer<PolicyView>, Refused> {
    let view = PolicyView::of(&organization.policy, &project.settings.switches);
    Ok(Answer::new(200, &view)?.etag(tag(organization)))
}

/// Of the organization's own half.
fn tag(organization: &Organization) -> String {
    etag(&(organization.id, facts(&organization.policy)))
}

/// Beside the body.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyQuery {
    /// For the operator: enforces whatever is missing, and whomever it locks out.
    pub force: Option<bool>,
}

/// `PUT /organizations/{organization_id}/policy`
pub struct Replace;

impl Operation for Replace {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/organizations/{organization_id}/policy";
    const NAME: &'static str = "replace_policy";
    const SUMMARY: &'static str = "Changes how the organization lets people sign in: what is absent stays.";
    const NEED: Need = Need::Permitted(Permission::PolicyWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = REFUSED;
    const ETAG: bool = true;
    const FRESH: Option<Duration> = Some(FRESH);
    type Query = PolicyQuery;
    type Body = Json<ChangePolicy>;
    type Answer = PolicyView;

    async fn run(desk: Desk, query: PolicyQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        changed(&desk, &query, body.0.checked()?).await
    }
}

/// `PATCH /organizations/{organization_id}/policy`
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/organizations/{organization_id}/policy";
    const NAME: &'static str = "patch_policy";
    const SUMMARY: &'static str = "Changes how the organization lets people sign in.";
    const NEED: Need = Need::Permitted(Permission::PolicyWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = REFUSED;
    const ETAG: bool = true;
    const FRESH: Option<Duration> = Some(FRESH);
    type Query = PolicyQuery;
    type Body = MergePatch<ChangePolicy>;
    type Answer = PolicyView;

    async fn run(desk: Desk, query: PolicyQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        changed(&desk, &query, body.0.checked()?).await
    }
}

async fn changed(desk: &Desk, query: &PolicyQuery, wanted: Wanted) -> Result<Answer<PolicyView>, Refused> {
    let (id, forced) = (desk.organization()?.id, query.force == Some(true));
    if forced && !desk.caller.is_system() {
        return Err(Refused::new(Code::OperatorRequired, "force is the operator's"));
    }
    let (caller, look_again) = (desk.caller.clone(), desk.visitor.front.look_again);
    desk.change(async move |running| {
        let before = running.organization(id).await?;
        running.matches(&tag(&before))?;
        let after = change(running, before, &wanted, forced).await?;
        let (project, now) = (running.keep.project.id, running.keep.now);
        // Who wants more of everybody than they have shown would not even be there to take it back.
        if caller::again(running.tx, project, &caller, look_again, now).await?.is_none() {
            return Err(locks_out(vec!["caller"]));
        }
        let project = projects::by_id(running.tx, running.keep.project.id).await?;
        shown(&after, &project.ok_or_else(Refused::hidden)?)
    })
    .await
}

/// `GET /project/policy` (S3-30)
pub struct ReadProject;

impl Operation for ReadProject {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/project/policy";
    const NAME: &'static str = "read_project_policy";
    const SUMMARY: &'static str = "The project's half of every organization's policy.";
    const NEED: Need = Need::Operator(Permission::PolicyRead);
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ProjectPolicyView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        shown_project(desk.project())
    }
}

fn shown_project(project: &Project) -> Result<Answer<ProjectPolicyView>, Refused> {
    Ok(Answer::new(200, &ProjectPolicyView::of(&project.settings))?.etag(project_tag(project)))
}

fn project_tag(project: &Project) -> String {
    etag(&(project.id, project_facts(&project.settings)))
}

/// `PATCH /project/policy`
pub struct PatchProject;

impl Operation for PatchProject {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/project/policy";
    const NAME: &'static str = "patch_project_policy";
    const SUMMARY: &'static str = "Changes the project's half of every organization's policy.";
    const NEED: Need = Need::Operator(Permission::PolicyWrite);
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = OF_PROJECT;
    const ETAG: bool = true;
    type Query = Sure;
    type Body = MergePatch<ChangeProjectPolicy>;
    type Answer = ProjectPolicyView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        changed_project(&desk, query, body.0.checked()).await
    }
}

async fn changed_project(
    desk: &Desk,
    query: Sure,
    wanted: WantedOfProject,
) -> Result<Answer<ProjectPolicyView>, Refused> {
    let forced = query.insists(desk)?;
    desk.change_alone(async move |running| {
        let found = projects::by_id(running.tx, running.keep.project.id).await?;
        let before = found.ok_or_else(Refused::hidden)?;
        running.matches(&project_tag(&before))?;
        shown_project(&change_project(running, before, &wanted, forced).await?)
    })
    .await
}

/// `PUT /project/policy`
pub struct ReplaceProject;

impl Operation for ReplaceProject {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/project/policy";
    const NAME: &'static str = "replace_project_policy";
    const SUMMARY: &'static str =
        "Changes the project's half of every organization's policy: what is absent stays.";
    const NEED: Need = Need::Operator(Permission::PolicyWrite);
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = OF_PROJECT;
    const ETAG: bool = true;
    type Query = Sure;
    type Body = Json<ChangeProjectPolicy>;
    type Answer = ProjectPolicyView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        changed_project(&desk, query, body.0.checked()).await
    }
}
