//! How people are shown.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::foundation::clock::Moment;
use crate::manage::desk::etag;
use crate::model::membership::Membership;
use crate::model::user::User;
use crate::store::durable::people::{Found, Member, Person};

/// A member of an organization. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MemberView {
    pub user_id: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub name: Option<String>,
    pub roles: Vec<String>,
    #[schemars(extend("enum" = ["home", "member", "guest", "delegate"]))]
    pub kind: &'static str,
    #[schemars(extend("enum" = ["invited", "active", "suspended", "blocked", "removed"]))]
    pub status: &'static str,
    /// Whether the person may sign in at all.
    pub disabled: bool,
    /// How they came.
    #[schemars(extend("enum" = ["manual", "invitation", "jit", "scim", "auto_join"]))]
    pub source: &'static str,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub removed_at: Option<String>,
    /// Through a connection of the organization, or of the project.
    #[schemars(extend("format" = "date-time"))]
    pub last_sign_in_at: Option<String>,
    /// When they last acted for the organization, exact to an hour.
    #[schemars(extend("format" = "date-time"))]
    pub last_active_at: Option<String>,
}

impl MemberView {
    pub fn of(member: &Member) -> Self {
        let (it, person) = (&member.membership, &member.person);
        let time = |moment: Option<Moment>| moment.map(Moment::rfc3339);
        Self {
            user_id: it.user_id.to_string(),
            email: person.email.clone(),
            email_verified: person.email_verified_at.is_some(),
            name: person.name.clone(),
            roles: it.roles.clone(),
            kind: it.kind.word(),
            status: it.status.word(),
            disabled: person.disabled_at.is_some(),
            source: it.source.word(),
            created_at: it.created_at.rfc3339(),
            updated_at: member.updated_at.rfc3339(),
            removed_at: time(member.removed_at),
            last_sign_in_at: time(member.last_sign_in_at),
            last_active_at: time(member.last_active_at),
        }
    }
}

/// What a list shows of one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum MemberListed {
    /// To who may read it.
    Whole(Box<MemberView>),
    /// To other members.
    Named(MemberName),
}

/// By what other members know one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MemberName {
    pub user_id: String,
    pub name: Option<String>,
}

impl MemberListed {
    pub fn whole(member: &Member) -> Self {
        Self::Whole(Box::new(MemberView::of(member)))
    }

    pub fn named(member: &Member) -> Self {
        let (user_id, name) = (member.membership.user_id.to_string(), member.person.name.clone());
        Self::Named(MemberName { user_id, name })
    }
}

/// Of what somebody may have decided by; not of what the person does, which moves by itself.
pub fn tag_of(it: &Membership) -> String {
    etag(&json!([it.id, it.roles, it.kind, it.status, it.source]))
}

/// Somebody, as they are found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FoundUser {
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// Of the organization that was asked about.
    pub is_member: bool,
}

impl FoundUser {
    pub fn of(found: &Found) -> Self {
        let Person { id, email, name, .. } = found.person.clone();
        Self { id: id.to_string(), name, email, is_member: found.is_member }
    }
}

/// Whoever was found, at most 20.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FoundUsers {
    pub items: Vec<FoundUser>,
}

/// A user of the project. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UserView {
    /// The `sub` of every token.
    pub id: String,
    /// The same id as a UUID.
    pub uuid: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub name: Option<String>,
    /// What they are where they act for no organization: roles of scope `project`.
    pub roles: Vec<String>,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub disabled_at: Option<String>,
}

impl UserView {
    pub fn of(user: &User, roles: Vec<String>) -> Self {
        Self {
            id: user.id.to_string(),
            uuid: user.id.uuid(),
            email: user.email.as_ref().map(ToString::to_string),
            email_verified: user.email_verified_at.is_some(),
            name: user.profile.shown_name(),
            roles,
            created_at: user.created_at.rfc3339(),
            updated_at: user.updated_at.rfc3339(),
            disabled_at: user.disabled_at.map(Moment::rfc3339),
        }
    }
}

/// Of what an operator may have decided by.
pub fn tag_of_user(user: &User, roles: &[String]) -> String {
    etag(&json!([user.id, user.email, user.profile.shown_name(), roles, user.disabled_at]))
}
