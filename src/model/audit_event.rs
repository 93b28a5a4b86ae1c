//! An audit event: who did what to whom, and whether it was granted or refused.

use serde_json::{Map, Value};

use super::words;
use crate::foundation::id::{OrganizationId, ProjectId, RequestId};

#[derive(Clone, Debug)]
pub struct AuditEvent {
    pub project_id: ProjectId,
    pub organization_id: Option<OrganizationId>,
    /// A user's id, `operator`, `house` (what is done unattended) or `anonymous`.
    pub actor: String,
    /// Dotted, as in `login.authenticated`.
    pub action: &'static str,
    pub subject: Option<String>,
    pub outcome: Outcome,
    /// The name of the check that refused.
    pub reason: Option<&'static str>,
    pub request_id: Option<RequestId>,
    /// Further facts, never a secret.
    pub detail: Map<String, Value>,
}

words! {
    Outcome { Granted = "granted", Refused = "refused", Changed = "changed" }
}

impl AuditEvent {
    pub fn new(project_id: ProjectId, action: &'static str, outcome: Outcome) -> Self {
        Self {
            project_id,
            organization_id: None,
            actor: "anonymous".into(),
            action,
            subject: None,
            outcome,
            reason: None,
            request_id: None,
            detail: Map::new(),
        }
    }
    #[must_use]
    pub fn organization(mut self, organization: Option<OrganizationId>) -> Self {
        self.organization_id = organization;
        self
    }
    #[must_use]
    pub fn actor(mut self, actor: impl ToString) -> Self {
        self.actor = actor.to_string();
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
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.into(), value.into());
        self
    }
}
