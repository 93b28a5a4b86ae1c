//! How an invitation is shown: its token never, but to who has just written it.

use schemars::JsonSchema;
use serde::Serialize;

use super::Made;
use crate::broker::Broker;
use crate::foundation::clock::Moment;
use crate::manage::refused::{Code, Refused};
use crate::model::invitation::Invitation;
use crate::model::mail::Fate;
use crate::model::membership::Membership;
use crate::model::organization::Organization;
use crate::model::project::Project;
use crate::protocol::problem::Place;

/// An invitation. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InvitationView {
    pub id: String,
    pub email: String,
    pub roles: Vec<String>,
    #[schemars(extend("enum" = ["home", "member", "guest", "delegate"]))]
    pub kind: &'static str,
    pub message: Option<String>,
    #[schemars(extend("enum" = ["pending", "accepted", "revoked", "expired"]))]
    pub status: &'static str,
    /// What has become of its mail, as long as that is known; nothing where none is sent.
    #[schemars(extend("enum" = ["queued", "sent", "failed", null]))]
    pub mail: Option<&'static str>,
    pub application_id: Option<String>,
    pub redirect_uri: Option<String>,
    pub language: Option<String>,
    /// A user, a key, or `operator`.
    pub invited_by: String,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub accepted_at: Option<String>,
    pub accepted_by: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub revoked_at: Option<String>,
}

impl InvitationView {
    pub fn of(it: &Invitation, now: Moment) -> Self {
        Self {
            id: it.id.to_string(),
            email: it.email.to_string(),
            roles: it.roles.clone(),
            kind: it.kind.word(),
            message: it.message.clone(),
            status: it.state(now).word(),
            mail: it.fate.map(Fate::word),
            application_id: it.application_id.map(|id| id.to_string()),
            redirect_uri: it.redirect_uri.clone(),
            language: it.language.clone(),
            invited_by: it.invited_by.text(),
            created_at: it.created_at.rfc3339(),
            expires_at: it.expires_at.rfc3339(),
            accepted_at: it.accepted_at.map(Moment::rfc3339),
            accepted_by: it.accepted_by.map(|id| id.to_string()),
            revoked_at: it.revoked_at.map(Moment::rfc3339),
        }
    }
}

/// A new invitation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InvitationMade {
    pub invitation: InvitationView,
    /// What whoever is invited shows to accept it, and the page on which they do. Told once, here, and only where no
    /// mail is sent.
    pub token: Option<String>,
    pub link: Option<String>,
}

impl InvitationMade {
    pub(super) fn of(made: &Made, at: &Broker, project: &Project, now: Moment) -> Self {
        let link = made.token.as_ref().map(|token| at.invitation_link(project, token));
        let token = made.token.as_ref().map(|token| token.expose().to_owned());
        Self { invitation: InvitationView::of(&made.invitation, now), token, link }
    }
}

/// What became of one row of many.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RowResult {
    pub email: String,
    #[schemars(extend("enum" = ["created", "duplicate", "already_member", "pending", "invalid", "forbidden", "limited"]))]
    pub status: &'static str,
    pub id: Option<String>,
    /// Told once, here, where no mail is sent.
    pub token: Option<String>,
    pub link: Option<String>,
    /// Why not, as it is told of a single one.
    pub code: Option<&'static str>,
    pub detail: Option<String>,
    /// Which field of the row it is, where it is one.
    pub pointer: Option<String>,
}

/// Why a row is not written.
#[derive(Clone, Debug)]
pub(super) struct WhyNot {
    pub code: Code,
    detail: String,
    pointer: Option<String>,
}

impl WhyNot {
    /// What is told of a single one; what else fails is no row's.
    pub fn of(refused: Refused) -> Result<Self, Refused> {
        let told = match refused {
            Refused::Told(told) => *told,
            other => return Err(other),
        };
        let pointer = told.errors.into_iter().find_map(|error| match error.place {
            Place::Pointer(pointer) => Some(pointer),
            Place::Parameter(_) => None,
        });
        Ok(Self { code: told.code, detail: told.detail, pointer })
    }
}

impl RowResult {
    pub(super) fn without(email: &str, status: &'static str, why: Option<&WhyNot>) -> Self {
        Self {
            email: email.to_owned(),
            status,
            id: None,
            token: None,
            link: None,
            code: why.map(|why| why.code.word()),
            detail: why.map(|why| why.detail.clone()),
            pointer: why.and_then(|why| why.pointer.clone()),
        }
    }
}

/// One result for each row, in their order.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RowResults {
    pub results: Vec<RowResult>,
}

/// What whoever has the token may see.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InvitationShown {
    pub organization_name: String,
    pub organization_logo_uri: Option<String>,
    /// As much of it as its owner knows it by.
    pub email: String,
    pub roles: Vec<String>,
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

impl InvitationShown {
    pub fn of(it: &Invitation, organization: &Organization) -> Self {
        Self {
            organization_name: organization.display_name.clone(),
            organization_logo_uri: organization.logo_uri.clone(),
            email: it.masked_email(),
            roles: it.roles.clone(),
            expires_at: it.expires_at.rfc3339(),
        }
    }
}

/// What somebody has become.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Accepted {
    pub organization_id: String,
    pub user_id: String,
    pub roles: Vec<String>,
    #[schemars(extend("enum" = ["home", "member", "guest", "delegate"]))]
    pub kind: &'static str,
}

impl Accepted {
    pub fn of(it: &Membership) -> Self {
        Self {
            organization_id: it.organization_id.to_string(),
            user_id: it.user_id.to_string(),
            roles: it.roles.clone(),
            kind: it.kind.word(),
        }
    }
}
