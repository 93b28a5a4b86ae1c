//! `/organizations/{organization_id}/role-rules`

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{CreateRoleRule, PatchRoleRule, Said, TryRules};
use super::view::{self, MatchedView, RoleRuleView, TriedView};
use super::{
    NO_CONNECTION, NO_TEST, Wanted, create, delete, may_approve, refuse_unheard, refuse_unmappable, update,
};
use crate::foundation::id::{ConnectionId, OrganizationId, RoleRuleId};
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, MergePatch, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::last_way::Sure;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::Connection;
use crate::model::identity::IdentityFacts;
use crate::model::permission::Permission;
use crate::model::role_rule::{self, Approval, RoleRule};
use crate::store::durable::{connection_tests, connections, role_rules, roles};

const READ: Need = Need::Permitted(Permission::RolesRead);
const WRITE: Need = Need::Permitted(Permission::RolesWrite);

/// `GET /organizations/{organization_id}/role-rules` (S1-P7)
pub struct List;

/// Filters and the place in the list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Those of one connection.
    pub connection_id: Option<String>,
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/role-rules";
    const NAME: &'static str = "list_role_rules";
    const SUMMARY: &'static str = "The rules by which what an identity provider says gives roles.";
    const NEED: Need = READ;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<RoleRuleView>;

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let organization = desk.organization()?.id;
        let connection = query.connection_id.as_deref().map(str::parse::<ConnectionId>).transpose();
        let connection = connection.map_err(|_| Refused::parameter("connection_id", "is no id"))?;
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let (db, project) = (&mut desk.db(), desk.project().id);
        let found = role_rules::page(db, organization, connection, &slice.text(), slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &RoleRule| last.id);
        let custom = roles::permissions(db, project, organization).await?;
        let items = found.iter().map(|rule| RoleRuleView::of(rule, &custom)).collect();
        Answer::new(200, &Page { items, next_cursor })
    }
}

/// `POST /organizations/{organization_id}/role-rules` (S1-P7, threats H01)
pub struct Create;

const REFUSES: [Code; 8] = [
    Code::InvalidValue,
    Code::LimitReached,
    Code::OperatorRequired,
    Code::PolicyLocksOut,
    Code::RoleCeiling,
    Code::RoleNotMappable,
    Code::RoleRuleExists,
    Code::RoleUnknown,
];

impl Operation for Create {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/role-rules";
    const NAME: &'static str = "create_role_rule";
    const SUMMARY: &'static str = "Lets what one of the organization's own identity providers says give a role, from the next token on.";
    const NEED: Need = WRITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &REFUSES;
    const ETAG: bool = true;
    type Query = Sure;
    type Body = Json<CreateRoleRule>;
    type Answer = RoleRuleView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let (organization, forced) = (desk.organization()?.id, query.insists(&desk)?);
        let (connection, wanted) = body.0.checked()?;
        desk.change(async move |change| {
            let made = create(change, organization, connection, (wanted.clone(), forced)).await?;
            let location = format!("{BASE}/organizations/{organization}/role-rules/{}", made.id);
            Ok(shown(change, 201, &made).await?.location(location))
        })
        .await
    }
}

async fn shown(
    change: &mut Change<'_, '_>,
    status: u16,
    rule: &RoleRule,
) -> Result<Answer<RoleRuleView>, Refused> {
    let custom = roles::permissions(change.tx, change.keep.project.id, rule.organization).await?;
    Ok(Answer::new(status, &RoleRuleView::of(rule, &custom))?.etag(view::tag(rule)))
}

/// `GET /organizations/{organization_id}/role-rules/{rule_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/role-rules/{rule_id}";
    const NAME: &'static str = "read_role_rule";
    const SUMMARY: &'static str = "One rule.";
    const NEED: Need = READ;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = RoleRuleView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (organization, id) = (desk.organization()?.id, desk.params.id("rule_id")?);
        let (db, project) = (&mut desk.db(), desk.project().id);
        let rule = role_rules::by_id(db, organization, id).await?.ok_or_else(Refused::hidden)?;
        let custom = roles::permissions(db, project, organization).await?;
        Ok(Answer::new(200, &RoleRuleView::of(&rule, &custom))?.etag(view::tag(&rule)))
    }
}

/// The rule as it is in this transaction.
async fn found(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    id: RoleRuleId,
) -> Result<RoleRule, Refused> {
    let found = role_rules::by_id(change.tx, organization, id).await?.ok_or_else(Refused::hidden)?;
    change.matches(&view::tag(&found))?;
    Ok(found)
}

/// `PATCH /organizations/{organization_id}/role-rules/{rule_id}`
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/organizations/{organization_id}/role-rules/{rule_id}";
    const NAME: &'static str = "patch_role_rule";
    const SUMMARY: &'static str = "Changes a rule; whoever does so answers for all of it.";
    const NEED: Need = WRITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::OperatorRequired,
        Code::PolicyLocksOut,
        Code::PreconditionFailed,
        Code::RoleCeiling,
        Code::RoleNotMappable,
        Code::RoleRuleExists,
        Code::RoleUnknown,
    ];
    const ETAG: bool = true;
    type Query = Sure;
    type Body = MergePatch<PatchRoleRule>;
    type Answer = RoleRuleView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let (organization, id) = (desk.organization()?.id, desk.params.id("rule_id")?);
        let forced = query.insists(&desk)?;
        desk.change(async move |change| {
            let before = found(change, organization, id).await?;
            let wanted = body.0.clone().over(Wanted::of(&before))?;
            let after = update(change, &before, (wanted, forced)).await?;
            shown(change, 200, &after).await
        })
        .await
    }
}

/// `DELETE /organizations/{organization_id}/role-rules/{rule_id}`
pub struct Delete;

impl Operation for Delete {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/organizations/{organization_id}/role-rules/{rule_id}";
    const NAME: &'static str = "delete_role_rule";
    const SUMMARY: &'static str = "Deletes a rule: the next token has nothing by it.";
    const NEED: Need = WRITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] = &[Code::PreconditionFailed, Code::RoleCeiling];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let (organization, id) = (desk.organization()?.id, desk.params.id("rule_id")?);
        desk.change(async move |change| {
            let before = found(change, organization, id).await?;
            delete(change, &before).await?;
            Answer::new(204, &())
        })
        .await
    }
}

/// `POST /organizations/{organization_id}/role-rules/preview` (S1-P7)
pub struct Preview;

impl Operation for Preview {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/role-rules/preview";
    const NAME: &'static str = "preview_role_rules";
    const SUMMARY: &'static str =
        "What rules would give to somebody of whom a provider says this. Nothing is kept.";
    const NEED: Need = READ;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::InvalidValue, Code::RoleNotMappable, Code::RoleUnknown];
    type Query = NoQuery;
    type Body = Json<TryRules>;
    type Answer = TriedView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let organization = desk.organization()?.id;
        let trial = body.0.checked()?;
        let (db, project) = (&mut desk.db(), desk.project().id);
        let connection = connections::by_id(db, project, trial.connection).await?;
        let connection = connection.filter(|found| found.organization_id == Some(organization));
        let connection = connection.ok_or_else(|| Refused::value("/connection_id", NO_CONNECTION))?;
        let (facts, left_out) = match &trial.said {
            Said::Now(said) => {
                let facts = IdentityFacts::rehearsed(&connection.settings.upstream, said);
                let left_out = said.keys().filter(|claim| facts.values(claim).is_empty()).cloned().collect();
                (facts, left_out)
            }
            Said::Then(test) => {
                let found = connection_tests::of(db, trial.connection, *test).await?;
                let result = found.and_then(|test| test.result).filter(|result| result.reason.is_none());
                (result.ok_or_else(|| Refused::value("/test_id", NO_TEST))?.facts, Vec::new())
            }
        };
        let is_kept = trial.rules.is_none();
        let rules = match &trial.rules {
            None => role_rules::of_connection(db, organization, trial.connection).await?,
            Some(rules) => tried(&desk, &connection, rules)?,
        };
        let custom = roles::permissions(db, project, organization).await?;
        let matched = |rule: &RoleRule| {
            let because = rule.because(&facts)?;
            Some(MatchedView::of(rule, rule.standing(&custom), because, is_kept))
        };
        let view = TriedView {
            matched: rules.iter().filter_map(matched).collect(),
            roles: role_rule::given(&rules, &facts, &custom),
            left_out,
        };
        Answer::new(200, &view)
    }
}

/// As if the caller had written them now.
fn tried(desk: &Desk, connection: &Connection, rules: &[Wanted]) -> Result<Vec<RoleRule>, Refused> {
    let approval = may_approve(&desk.caller.standing).then(|| Approval::now(desk.caller.actor().to_string()));
    let organization = desk.organization()?.id;
    let one = |(place, wanted): (usize, &Wanted)| {
        refuse_unmappable(&wanted.role)?;
        refuse_unheard(connection, &wanted.claim, &format!("/rules/{place}"))?;
        let Wanted { claim, matching, value, role } = wanted.clone();
        Ok(RoleRule {
            id: RoleRuleId::from_u128(0),
            organization,
            connection: connection.id,
            claim,
            matching,
            value,
            role,
            approval: approval.clone(),
            created_at: desk.now,
            updated_at: desk.now,
        })
    };
    rules.iter().enumerate().map(one).collect()
}
