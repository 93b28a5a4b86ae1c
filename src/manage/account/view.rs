//! How it is shown to programs.

use schemars::JsonSchema;
use serde::Serialize;

use crate::foundation::id::SessionId;
use crate::model::consent::{Consent, Told};
use crate::store::durable::signed_in::{Holds, SignedIn, Within};

/// A browser in which the person is signed in. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MySession {
    pub id: String,
    /// Whether the caller's token was given in it.
    pub current: bool,
    /// The name of the connection by which they signed in.
    pub signed_in_with: String,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub authenticated_at: String,
    /// When the browser was last here, as exactly as five minutes.
    #[schemars(extend("format" = "date-time"))]
    pub last_seen_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
    /// Roughly which browser it is; `null`: it does not say.
    #[schemars(extend("enum" = ["edge", "opera", "firefox", "chrome", "safari", "other", null]))]
    pub browser: Option<&'static str>,
    #[schemars(extend("enum" = ["windows", "android", "ios", "macos", "linux", "other", null]))]
    pub system: Option<&'static str>,
}

impl MySession {
    pub fn of(one: &SignedIn, own: SessionId) -> Self {
        Self {
            id: one.session.to_string(),
            current: one.session == own,
            signed_in_with: one.through.clone(),
            created_at: one.created_at.rfc3339(),
            authenticated_at: one.authenticated_at.rfc3339(),
            last_seen_at: one.seen_at.rfc3339(),
            expires_at: one.expires_at.rfc3339(),
            browser: one.browser.map(|browser| browser.family.word()),
            system: one.browser.map(|browser| browser.system.word()),
        }
    }
}

/// What an application holds of the person for one organization, or for none.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MyApplication {
    pub application_id: String,
    pub name: String,
    /// `null`: they act for none there.
    pub organization_id: Option<String>,
    /// `null` also where they may not act for it now.
    pub organization_name: Option<String>,
    pub delegation_id: Option<String>,
    /// RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Whether it goes on when every session has ended.
    pub offline: bool,
}

impl MyApplication {
    pub fn of(one: &Holds) -> Self {
        Self {
            application_id: one.application.to_string(),
            name: one.name.clone(),
            organization_id: one.organization.map(|id| id.to_string()),
            organization_name: one.organization_name.clone(),
            delegation_id: one.delegation.map(|id| id.to_string()),
            since: one.since.rfc3339(),
            offline: one.offline,
        }
    }
}

/// What the person has allowed one application to be told of them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MyConsent {
    pub application_id: String,
    /// As it calls itself now. Where it has another name since, it asks again.
    pub name: String,
    /// As it called itself when it was allowed.
    pub allowed_as: String,
    /// What each page said to which they said yes. Nothing of one counts together with anything of another.
    pub told: Vec<MyTold>,
    /// RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

impl MyConsent {
    pub fn of(one: &Consent) -> Self {
        Self {
            application_id: one.application.to_string(),
            name: one.name.clone(),
            allowed_as: one.allowed.name.clone(),
            told: one.allowed.told.iter().map(MyTold::of).collect(),
            created_at: one.since.rfc3339(),
            updated_at: one.updated_at.rfc3339(),
        }
    }
}

/// What an application may be told of the person who acts for one organization, or for none.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MyTold {
    /// `null`: they acted for none.
    pub organization_id: Option<String>,
    /// The host to which it led them, or the scheme of a program; `null`: it was a device.
    pub leads_to: Option<String>,
    /// Where else its tokens were good.
    pub audiences: Vec<String>,
    /// Where it was to act for them by tokens that other applications show it.
    pub acts_at: Vec<String>,
    pub scopes: Vec<String>,
    /// When they said yes to the last of it: RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub allowed_at: String,
}

impl MyTold {
    fn of(one: &Told) -> Self {
        Self {
            organization_id: one.organization.map(|id| id.to_string()),
            leads_to: one.place.host().map(str::to_owned),
            audiences: one.audiences.clone(),
            acts_at: one.acts_at.clone(),
            scopes: one.scopes.clone(),
            allowed_at: one.allowed_at.rfc3339(),
        }
    }
}

/// A session of a member, as far as it concerns the organization: something was issued in it for that one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MemberSession {
    pub id: String,
    /// Since when they have acted for the organization in it. RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// How many applications hold something.
    pub applications: i64,
    /// Whether some of it goes on when the session has ended.
    pub offline: bool,
    /// By which they signed in, where that is the organization's own; otherwise it is nothing of its.
    pub connection_id: Option<String>,
}

impl MemberSession {
    pub fn of(one: &Within) -> Self {
        Self {
            id: one.session.to_string(),
            since: one.since.rfc3339(),
            applications: one.applications,
            offline: one.offline,
            connection_id: one.connection.map(|id| id.to_string()),
        }
    }
}
