//! Who may do what in an organization, and by what: for whoever reviews access (S1-L7).

mod unasked;

use std::collections::BTreeMap;

use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::Place;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{
    ApiKeyId, ConnectionId, DelegationId, DomainId, InvitationId, MembershipId, RoleRuleId,
};
use crate::manage::api::page::{Keys, Page};
use crate::manage::api::route::{At, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::caller::is_by_leave;
use crate::manage::desk::{Answer, Desk};
use crate::manage::people::csv;
use crate::manage::refused::{Code, Refused};
use crate::model::delegation::Side;
use crate::model::invitation::{Invitation, State};
use crate::model::permission::Permission;
use crate::model::role;
use crate::model::role_rule::RoleRule;
use crate::store::durable::delegations::Lasting;
use crate::store::durable::memberships::Waiting;
use crate::store::durable::people::{self, Key, Listing, Member};
use crate::store::durable::{delegations, invitations, memberships, role_rules, roles};

/// Somebody or something that may do anything in the organization, or that gives that to somebody.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AccessView {
    #[schemars(extend("enum" = [
        "member", "api_key", "invitation", "expected_member", "delegation", "role_rule", "ownership_transfer",
        "connection", "domain",
    ]))]
    pub kind: &'static str,
    /// Of the user, of the key, of the invitation, of the delegation, of the rule, of the connection or of the domain;
    /// of who is expected, the address; of an ownership that is offered, of whom it waits for.
    pub id: String,
    /// Of a delegation, the other organization's; of a rule, what it asks of whoever comes; of a connection by which whoever
    /// comes becomes a member, and of a domain whose people do, its own.
    pub name: Option<String>,
    pub email: Option<String>,
    pub roles: Vec<String>,
    /// What is left of all that by what the organization may do at all; of what its own people may do elsewhere nothing is
    /// said here.
    pub permissions: Vec<String>,
    /// Of a delegation, on which side of it the organization is: `target`, where others act in it; `home`, where its own
    /// people act elsewhere.
    #[schemars(with = "Option<String>", extend("enum" = ["home", "target", null]))]
    pub side: Option<&'static str>,
    pub status: &'static str,
    pub source: Option<&'static str>,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// When they last acted for the organization, exact to an hour; of a key, when it was last used.
    #[schemars(extend("format" = "date-time"))]
    pub last_active_at: Option<String>,
}

/// What a review looks into.
struct Review<'d> {
    desk: &'d Desk,
    custom: BTreeMap<String, Vec<String>>,
}

/// Where a review goes on: its parts in their order.
#[derive(Clone)]
enum Next {
    Members(Option<MembershipId>),
    Keys(Option<ApiKeyId>),
    Invitations(Option<InvitationId>),
    Expected(Option<Email>),
    Delegations(Option<DelegationId>),
    Rules(Option<RoleRuleId>),
    /// There is one at most: no place is within it.
    Ownership,
    Connections(Option<ConnectionId>),
    Domains(Option<DomainId>),
}

impl Keys for Next {
    fn texts(&self) -> Vec<String> {
        let (part, id) = match self {
            Self::Members(id) => ("member", id.map(|id| id.to_string())),
            Self::Keys(id) => ("api_key", id.map(|id| id.to_string())),
            Self::Invitations(id) => ("invitation", id.map(|id| id.to_string())),
            Self::Expected(email) => ("expected_member", email.as_ref().map(ToString::to_string)),
            Self::Delegations(id) => ("delegation", id.map(|id| id.to_string())),
            Self::Rules(id) => ("role_rule", id.map(|id| id.to_string())),
            Self::Ownership => ("ownership_transfer", None),
            Self::Connections(id) => ("connection", id.map(|id| id.to_string())),
            Self::Domains(id) => ("domain", id.map(|id| id.to_string())),
        };
        vec![part.to_owned(), id.unwrap_or_default()]
    }

    fn of_texts(texts: &[String]) -> Option<Self> {
        let [part, id] = texts else { return None };
        match &**part {
            "member" => id.parse().ok().map(|id| Self::Members(Some(id))),
            "api_key" => id.parse().ok().map(|id| Self::Keys(Some(id))),
            "invitation" => id.parse().ok().map(|id| Self::Invitations(Some(id))),
            "expected_member" => id.parse().ok().map(|email| Self::Expected(Some(email))),
            "delegation" => id.parse().ok().map(|id| Self::Delegations(Some(id))),
            "role_rule" => id.parse().ok().map(|id| Self::Rules(Some(id))),
            "connection" if id.is_empty() => Some(Self::Connections(None)),
            "connection" => id.parse().ok().map(|id| Self::Connections(Some(id))),
            "domain" => id.parse().ok().map(|id| Self::Domains(Some(id))),
            _ => None,
        }
    }
}

/// An entry, with the place that it has in the review.
type Entry = (AccessView, Next);

impl<'d> Review<'d> {
    async fn of(desk: &'d Desk) -> Result<Self, Refused> {
        let id = desk.organization()?.id;
        let custom = roles::permissions(&mut desk.db(), desk.project().id, id).await?;
        Ok(Self { desk, custom })
    }

    /// `most` entries and, if there are more, one further.
    async fn page(&self, from: Next, most: u32) -> Result<Vec<Entry>, Refused> {
        let mut entries = Vec::new();
        let mut next = Some(from);
        while let Some(part) = next {
            let left = (most + 1).saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
            if left == 0 {
                break;
            }
            let (found, after) = match part {
                Next::Members(after) => (self.members(after, left).await?, Some(Next::Keys(None))),
                Next::Keys(after) => (self.keys(after, left).await?, Some(Next::Invitations(None))),
                Next::Invitations(after) => {
                    (self.invitations(after, left).await?, Some(Next::Expected(None)))
                }
                Next::Expected(after) => (self.expected(after, left).await?, Some(Next::Delegations(None))),
                Next::Delegations(after) => (self.delegations(after, left).await?, Some(Next::Rules(None))),
                Next::Rules(after) => (self.rules(after, left).await?, Some(Next::Ownership)),
                Next::Ownership => (self.ownership().await?, Some(Next::Connections(None))),
                Next::Connections(after) => (self.connections(after, left).await?, Some(Next::Domains(None))),
                Next::Domains(after) => (self.domains(after, left).await?, None),
            };
            entries.extend(found);
            next = after;
        }
        Ok(entries)
    }

    async fn members(&self, after: Option<MembershipId>, most: u32) -> Result<Vec<Entry>, Refused> {
        let organization = self.desk.organization()?.id;
        let (status, source, kind, role, search) = (None, None, None, None, None);
        let project = self.desk.project().id;
        let listing = Listing { project, organization, status, source, kind, role, search, after, most };
        let found = people::page(&mut self.desk.db(), &listing).await?;
        found.iter().map(|member| self.member(member)).collect()
    }

    fn member(&self, member: &Member) -> Result<Entry, Refused> {
        let (it, person) = (&member.membership, &member.person);
        let view = AccessView {
            kind: "member",
            id: it.user_id.to_string(),
            name: person.name.clone(),
            email: person.email.clone(),
            roles: it.roles.clone(),
            permissions: self.allowed(&it.roles)?,
            side: None,
            status: if person.disabled_at.is_some() { "disabled" } else { it.status.word() },
            source: Some(it.source.word()),
            created_at: it.created_at.rfc3339(),
            expires_at: None,
            last_active_at: member.last_active_at.map(Moment::rfc3339),
        };
        Ok((view, Next::Members(Some(it.id))))
    }

    async fn keys(&self, after: Option<ApiKeyId>, most: u32) -> Result<Vec<Entry>, Refused> {
        let (project, organization) = (self.desk.project().id, self.desk.organization()?.id);
        let range = (most, self.desk.now);
        let found = people::keys(&mut self.desk.db(), project, organization, after, range).await?;
        found.into_iter().map(|key| self.key(key)).collect()
    }

    async fn invitations(&self, after: Option<InvitationId>, most: u32) -> Result<Vec<Entry>, Refused> {
        let (organization, range) = (self.desk.organization()?.id, (most, self.desk.now));
        let pending = Some(State::Pending);
        let found = invitations::page(&mut self.desk.db(), organization, pending, after, range).await?;
        found.into_iter().map(|one| self.invitation(one)).collect()
    }

    fn invitation(&self, it: Invitation) -> Result<Entry, Refused> {
        let view = AccessView {
            kind: "invitation",
            id: it.id.to_string(),
            name: None,
            email: Some(it.email.to_string()),
            permissions: self.allowed(&it.roles)?,
            roles: it.roles,
            side: None,
            status: State::Pending.word(),
            source: None,
            created_at: it.created_at.rfc3339(),
            expires_at: Some(it.expires_at.rfc3339()),
            last_active_at: None,
        };
        Ok((view, Next::Invitations(Some(it.id))))
    }

    async fn expected(&self, after: Option<Email>, most: u32) -> Result<Vec<Entry>, Refused> {
        let organization = self.desk.organization()?.id;
        let after = after.as_ref().map(Email::as_str).unwrap_or_default();
        let found = memberships::waiting(&mut self.desk.db(), organization, after, most).await?;
        found.into_iter().map(|one| self.waits(one)).collect()
    }

    fn waits(&self, it: Waiting) -> Result<Entry, Refused> {
        let view = AccessView {
            kind: "expected_member",
            id: it.email.to_string(),
            name: None,
            email: Some(it.email.to_string()),
            permissions: self.allowed(&it.roles)?,
            roles: it.roles,
            side: None,
            status: "expected",
            source: None,
            created_at: it.created_at.rfc3339(),
            expires_at: None,
            last_active_at: None,
        };
        Ok((view, Next::Expected(Some(it.email))))
    }

    async fn delegations(&self, after: Option<DelegationId>, most: u32) -> Result<Vec<Entry>, Refused> {
        let organization = self.desk.organization()?.id;
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let range = (most, self.desk.now);
        let found = delegations::lasting(&mut self.desk.db(), organization, &after, range).await?;
        found.into_iter().map(|one| self.delegation(one)).collect()
    }

    fn delegation(&self, it: Lasting) -> Result<Entry, Refused> {
        let organization = self.desk.organization()?.id;
        let delegation = &it.named.delegation;
        let is_target = delegation.target == organization;
        let (side, other) = if is_target { (Side::Target, Side::Home) } else { (Side::Home, Side::Target) };
        let roles = delegation.settings.roles.clone();
        let mut permissions = if is_target { self.allowed(&roles)? } else { Vec::new() };
        permissions.retain(|one| is_by_leave(one));
        let view = AccessView {
            kind: "delegation",
            id: delegation.id.to_string(),
            name: Some(it.named.name_of(other, self.desk.caller.organization())),
            email: None,
            roles,
            permissions,
            side: Some(side.word()),
            status: delegation.status(self.desk.now).word(),
            source: None,
            created_at: it.created_at.rfc3339(),
            expires_at: delegation.ends_at.map(Moment::rfc3339),
            last_active_at: None,
        };
        Ok((view, Next::Delegations(Some(delegation.id))))
    }

    async fn rules(&self, after: Option<RoleRuleId>, most: u32) -> Result<Vec<Entry>, Refused> {
        let organization = self.desk.organization()?.id;
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let found = role_rules::page(&mut self.desk.db(), organization, None, &after, most).await?;
        found.into_iter().map(|one| self.rule(one)).collect()
    }

    fn rule(&self, it: RoleRule) -> Result<Entry, Refused> {
        let roles = vec![it.role.clone()];
        let view = AccessView {
            kind: "role_rule",
            id: it.id.to_string(),
            name: Some(format!("{} {} {}", it.claim, it.matching.word(), it.value)),
            email: None,
            permissions: self.allowed(&roles)?,
            roles,
            side: None,
            status: it.standing(&self.custom).word(),
            source: None,
            created_at: it.created_at.rfc3339(),
            expires_at: None,
            last_active_at: None,
        };
        Ok((view, Next::Rules(Some(it.id))))
    }

    /// What roles allow here.
    fn allowed(&self, roles: &[String]) -> Result<Vec<String>, Refused> {
        let functional = self.desk.organization()?.functional_roles.as_deref();
        let meanings = &self.desk.project().settings.functional_roles;
        Ok(role::effective_permissions(roles, &self.custom, functional, meanings).into_iter().collect())
    }

    fn key(&self, key: Key) -> Result<Entry, Refused> {
        let functional = self.desk.organization()?.functional_roles.as_deref();
        let meanings = &self.desk.project().settings.functional_roles;
        let permissions = role::masked(key.permissions.into_iter().collect(), functional, meanings);
        let view = AccessView {
            kind: "api_key",
            id: key.id.to_string(),
            name: Some(key.name),
            email: None,
            roles: Vec::new(),
            permissions: permissions.into_iter().collect(),
            side: None,
            status: "active",
            source: None,
            created_at: key.created_at.rfc3339(),
            expires_at: key.expires_at.map(Moment::rfc3339),
            last_active_at: key.last_used_at.map(Moment::rfc3339),
        };
        Ok((view, Next::Keys(Some(key.id))))
    }
}

/// `GET /organizations/{organization_id}/access-review` (S1-L7)
pub struct AccessReview;

impl Operation for AccessReview {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/access-review";
    const NAME: &'static str = "review_access";
    const SUMMARY: &'static str = "Everybody and everything that may do anything in the organization: members, keys, invitations that wait, whom the operator expects, delegations from and to others, the rules that give roles by what an identity provider says, whom the ownership is offered to, and by what people become members unasked.";
    const NEED: Need = Need::Permitted(Permission::MembersRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = Place;
    type Body = NoBody;
    type Answer = Page<AccessView>;

    async fn run(desk: Desk, query: Place, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let review = Review::of(&desk).await?;
        let found = review.page(slice.after.clone().unwrap_or(Next::Members(None)), slice.limit).await?;
        let (found, next_cursor) = slice.page(found, |(_, place)| place.clone());
        Answer::new(200, &Page { items: found.into_iter().map(|(view, _)| view).collect(), next_cursor })
    }
}

/// Entries of one file.
const MOST_EXPORTED: usize = 200_000;
const STEP: u32 = 1_000;

/// `GET /organizations/{organization_id}/access-review/export` (S1-L7)
pub struct ExportAccessReview;

impl Operation for ExportAccessReview {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/access-review/export";
    const NAME: &'static str = "export_access_review";
    const SUMMARY: &'static str = "The same as a table, at most 200000 lines.";
    const NEED: Need = Need::Permitted(Permission::MembersRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const KIND: &'static str = "text/csv; charset=utf-8";
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = String;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<String>, Refused> {
        let review = Review::of(&desk).await?;
        let mut table = csv::line([
            "kind",
            "id",
            "name",
            "email",
            "roles",
            "permissions",
            "status",
            "source",
            "created_at",
            "expires_at",
            "last_active_at",
            "side",
        ]);
        let (mut next, mut rows) = (Some(Next::Members(None)), 0);
        while let Some(from) = next.filter(|_| rows < MOST_EXPORTED) {
            let mut found = review.page(from, STEP).await?;
            let more = found.len() > STEP as usize;
            found.truncate(STEP as usize);
            rows += found.len();
            next = found.last().map(|(_, place)| place.clone()).filter(|_| more);
            table.extend(found.iter().map(|(view, _)| exported(view)));
            tokio::task::yield_now().await;
        }
        Ok(Answer::new(200, &table)?.file(desk.file_name("access", "csv")))
    }
}

fn exported(view: &AccessView) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    csv::line([
        view.kind,
        &*view.id,
        &*text(&view.name),
        &*text(&view.email),
        &*view.roles.join(" "),
        &*view.permissions.join(" "),
        view.status,
        view.source.unwrap_or_default(),
        &*view.created_at,
        &*text(&view.expires_at),
        &*text(&view.last_active_at),
        view.side.unwrap_or_default(),
    ])
}
