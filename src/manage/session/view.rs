//! How a caller is shown to themselves.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::membership::MembershipKind;
use crate::model::organization::Organization;
use crate::model::user::User;
use crate::store::durable::choices::Choice;
use crate::web::holder::Issued;

/// The person, as whom their token lets them act. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MeView {
    pub user: UserView,
    /// Whom they act for; `null`: for themselves, and then what they are is of scope `project`.
    pub organization: Option<OrganizationNamed>,
    /// By which delegation, where it is not their own.
    pub delegation_id: Option<String>,
    pub roles: Vec<String>,
    /// As the identity provider says; where it does not, when they came from there: that is no recent sign-in.
    #[schemars(extend("format" = "date-time"))]
    pub authenticated_at: String,
    /// RFC 8176.
    pub amr: Vec<String>,
    pub acr: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MyUserView")]
pub struct UserView {
    pub id: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub name: Option<String>,
}

impl UserView {
    pub fn of(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.as_ref().map(ToString::to_string),
            email_verified: user.email_verified_at.is_some(),
            name: user.profile.name.clone(),
        }
    }
}

/// By what an organization is known to its people.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrganizationNamed {
    pub id: String,
    pub slug: String,
    pub name: String,
}

impl OrganizationNamed {
    pub fn of(organization: &Organization) -> Self {
        Self {
            id: organization.id.to_string(),
            slug: organization.slug.clone(),
            name: organization.display_name.clone(),
        }
    }

    pub fn of_choice(choice: &Choice) -> Self {
        Self {
            id: choice.organization.to_string(),
            slug: choice.slug.clone(),
            name: choice.display_name.clone(),
        }
    }
}

/// An organization that the person may act for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MyOrganization {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub roles: Vec<String>,
    #[schemars(extend("enum" = ["membership", "delegation"]))]
    pub via: &'static str,
    /// As what they belong to it; `null` where it is by delegation.
    #[schemars(extend("enum" = ["home", "member", "guest", "delegate", null]))]
    pub kind: Option<&'static str>,
    pub delegation_id: Option<String>,
    /// Whose people they are, where it is by delegation.
    pub home_organization_id: Option<String>,
}

impl MyOrganization {
    /// `by_rule`: roles that rules give them there.
    pub fn of(choice: &Choice, by_rule: &[String]) -> Self {
        let delegated = choice.delegation.as_ref();
        let more = by_rule.iter().filter(|role| !choice.roles.contains(role));
        Self {
            id: choice.organization.to_string(),
            slug: choice.slug.clone(),
            name: choice.display_name.clone(),
            roles: choice.roles.iter().chain(more).cloned().collect(),
            via: if delegated.is_some() { "delegation" } else { "membership" },
            kind: choice.kind.map(MembershipKind::word),
            delegation_id: delegated.map(|delegated| delegated.id.to_string()),
            home_organization_id: delegated.map(|delegated| delegated.home.to_string()),
        }
    }
}

/// What the caller may do, and why.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PermissionsView {
    /// Where; `null`: in the project.
    pub organization_id: Option<String>,
    pub permissions: Vec<PermissionView>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PermissionView {
    pub permission: String,
    /// Whether it is theirs to use now.
    pub effective: bool,
    /// What takes it away, if it is not: of `consent`, that people had to allow the application that acts for them.
    #[schemars(extend("enum" = ["functional_roles", "delegation", "consent", null]))]
    pub masked_by: Option<&'static str>,
    pub reasons: Vec<Reason>,
}

/// By what somebody has a permission.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Reason {
    #[schemars(extend("enum" = ["built_in", "custom", "rule", "key", "operator"]))]
    pub layer: &'static str,
    /// Of the role, or the id of the key.
    pub name: String,
}

/// A browser that stays signed in. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SessionView {
    pub id: String,
    pub user_id: String,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
    /// As the identity provider says; where it does not, when they came from there: that is no recent sign-in.
    #[schemars(extend("format" = "date-time"))]
    pub authenticated_at: String,
    pub amr: Vec<String>,
    pub acr: String,
    /// What the person has switched to; `null` where they have not, or may not act for it any more.
    pub current_organization: Option<OrganizationNamed>,
}

/// What somebody has switched to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SwitchedView {
    pub organization: OrganizationNamed,
    pub roles: Vec<String>,
    pub delegation_id: Option<String>,
    pub token: SwitchedToken,
}

/// An access token for that organization, for this API alone (RFC 6749, section 5.1). It is bound to what the one was bound
/// to that was shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SwitchedToken {
    pub access_token: String,
    #[schemars(extend("enum" = ["Bearer", "DPoP"]))]
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
    pub scope: String,
}

impl SwitchedToken {
    pub fn of(issued: Issued) -> Self {
        let Issued { access_token, token_type, expires_in, scope } = issued;
        Self { access_token, token_type, expires_in, scope }
    }
}
