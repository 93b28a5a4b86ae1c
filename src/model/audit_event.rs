//! An audit event: who did what to whom, and whether it was granted or refused.

use std::fmt;

use serde_json::{Map, Value, json};

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{
    ApiKeyId, ApplicationId, AuditEventId, OrganizationId, ProjectId, RegistrationTokenId, RequestId, UserId,
};

#[derive(Clone, Debug)]
pub struct AuditEvent {
    pub project_id: ProjectId,
    pub organization_id: Option<OrganizationId>,
    pub actor: Actor,
    /// Dotted, as in `login.authenticated`.
    pub action: &'static str,
    pub subject: Option<String>,
    pub outcome: Outcome,
    /// The name of the check that refused.
    pub reason: Option<&'static str>,
    pub request_id: Option<RequestId>,
    /// What was changed, as it was and as it is: only what differs, never a secret.
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// Further facts, never a secret.
    pub detail: Map<String, Value>,
}

/// Who did it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Actor {
    User(UserId),
    /// By the command line, which needs no token.
    Operator,
    OperatorToken(ApiKeyId),
    /// A key of an organization.
    ApiKey(ApiKeyId),
    /// Of a client that registers itself.
    RegistrationToken(RegistrationTokenId),
    /// One that manages itself.
    Application(ApplicationId),
    /// What is done unattended.
    House,
    #[default]
    Anonymous,
}

impl Actor {
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Operator | Self::OperatorToken(_) => "operator",
            Self::ApiKey(_) => "api_key",
            Self::RegistrationToken(_) => "registration_token",
            Self::Application(_) => "application",
            Self::House => "house",
            Self::Anonymous => "anonymous",
        }
    }
}

/// An id, or the kind of who has none.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::OperatorToken(id) | Self::ApiKey(id) => id.fmt(f),
            Self::RegistrationToken(id) => id.fmt(f),
            Self::Application(id) => id.fmt(f),
            other => f.write_str(other.kind()),
        }
    }
}

impl From<UserId> for Actor {
    fn from(id: UserId) -> Self {
        Self::User(id)
    }
}

/// Who has no id.
impl From<&str> for Actor {
    fn from(kind: &str) -> Self {
        match kind {
            "operator" => Self::Operator,
            "house" => Self::House,
            _ => Self::Anonymous,
        }
    }
}

words! {
    Outcome { Granted = "granted", Refused = "refused", Changed = "changed" }
}

impl AuditEvent {
    pub fn new(project_id: ProjectId, action: &'static str, outcome: Outcome) -> Self {
        Self {
            project_id,
            organization_id: None,
            actor: Actor::Anonymous,
            action,
            subject: None,
            outcome,
            reason: None,
            request_id: None,
            before: None,
            after: None,
            detail: Map::new(),
        }
    }
    #[must_use]
    pub fn organization(mut self, organization: Option<OrganizationId>) -> Self {
        self.organization_id = organization;
        self
    }
    #[must_use]
    pub fn actor(mut self, actor: impl Into<Actor>) -> Self {
        self.actor = actor.into();
        self
    }
    #[must_use]
    pub fn subject(mut self, subject: impl ToString) -> Self {
        self.subject = Some(subject.to_string());
        self
    }
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }
    #[must_use]
    pub fn request(mut self, request: Option<RequestId>) -> Self {
        self.request_id = request;
        self
    }
    #[must_use]
    pub fn changing(mut self, before: Option<Value>, after: Option<Value>) -> Self {
        (self.before, self.after) = (before, after);
        self
    }
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.into(), value.into());
        self
    }
}

/// An event as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    pub id: AuditEventId,
    pub project_id: ProjectId,
    pub organization_id: Option<OrganizationId>,
    pub at: Moment,
    pub actor_kind: String,
    /// An id, or the kind of who has none.
    pub actor: String,
    pub action: String,
    pub subject: Option<String>,
    pub outcome: String,
    pub reason: Option<String>,
    pub request_id: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub detail: Value,
}

impl Recorded {
    /// All of it: what an export holds, and what the chain of hashes covers.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "project_id": self.project_id,
            "organization_id": self.organization_id,
            "at": self.at.rfc3339(),
            "actor_kind": self.actor_kind,
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "outcome": self.outcome,
            "reason": self.reason,
            "request_id": self.request_id,
            "before": self.before,
            "after": self.after,
            "detail": self.detail,
        })
    }
}
