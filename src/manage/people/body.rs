//! What is said of people in a body, and the rules of it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Adding, Named, Patched};
use crate::foundation::email::Email;
use crate::manage::refused::{Code, Refused};
use crate::model::membership::{MembershipKind, MembershipStatus};

/// Roles of one member.
pub const MOST_ROLES: usize = 20;
const LONGEST_ROLE: usize = 100;

/// Roles, as one or as several.
#[derive(Clone, Debug, Default)]
pub struct AskedRoles {
    pub role: Option<String>,
    pub roles: Option<Vec<String>>,
}

impl AskedRoles {
    pub fn checked(self) -> Result<Vec<String>, Refused> {
        let roles = match (self.role, self.roles) {
            (Some(role), None) => vec![role],
            (None, Some(roles)) => roles,
            _ => return Err(Refused::new(Code::InvalidBody, "give role, or roles, and one of the two")),
        };
        let twice = roles.iter().enumerate().any(|(place, role)| roles[..place].contains(role));
        if roles.is_empty() || roles.len() > MOST_ROLES || twice {
            return Err(Refused::value("/roles", format!("must be 1 to {MOST_ROLES}, none of them twice")));
        }
        if roles.iter().any(|role| role.chars().count() > LONGEST_ROLE) {
            return Err(Refused::new(Code::RoleUnknown, Code::RoleUnknown.title()));
        }
        Ok(roles)
    }
}

/// Who is to be a member: one of `user_id` and `email`, and one of `role` and `roles`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("allOf" = [
    {"oneOf": [{"required": ["user_id"]}, {"required": ["email"]}]},
    {"oneOf": [{"required": ["role"]}, {"required": ["roles"]}]},
]))]
pub struct AddMember {
    pub user_id: Option<String>,
    /// An address that the organization's own verified domain has proved for somebody.
    pub email: Option<String>,
    pub role: Option<String>,
    #[schemars(extend("minItems" = 1, "maxItems" = MOST_ROLES))]
    pub roles: Option<Vec<String>>,
    /// `member` or `guest`; `home` is the operator's to give.
    #[schemars(with = "Option<String>", extend("enum" = ["home", "member", "guest", null]))]
    pub kind: Option<MembershipKind>,
    /// Whether somebody who was removed may come back.
    #[serde(default)]
    pub restore: bool,
}

impl AddMember {
    /// `any_kind`: whether the caller may make this somebody's home.
    pub fn checked(self, any_kind: bool) -> Result<Adding, Refused> {
        let who = match (self.user_id, self.email) {
            (Some(id), None) => {
                let nobody = |_| Refused::new(Code::UserNotFound, Code::UserNotFound.title());
                Named::User(id.parse().map_err(nobody)?)
            }
            (None, Some(email)) => {
                Named::Email(Email::parse(&email).map_err(|why| Refused::value("/email", why.to_string()))?)
            }
            _ => return Err(Refused::new(Code::InvalidBody, "give user_id, or email, and one of the two")),
        };
        let kind = self.kind.map(|kind| kind_of(kind, any_kind)).transpose()?;
        let roles = AskedRoles { role: self.role, roles: self.roles }.checked()?;
        Ok(Adding { who, roles, kind, restore: self.restore })
    }
}

/// Delegates are no members; a home is the operator's to give.
pub fn kind_of(kind: MembershipKind, any_kind: bool) -> Result<MembershipKind, Refused> {
    match kind {
        MembershipKind::Member | MembershipKind::Guest => Ok(kind),
        MembershipKind::Home if any_kind => Ok(kind),
        _ if any_kind => Err(Refused::value("/kind", "must be home, member or guest")),
        _ => Err(Refused::value("/kind", "must be member or guest")),
    }
}

/// Other roles: one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["role"]}, {"required": ["roles"]}]))]
pub struct GiveRole {
    pub role: Option<String>,
    #[schemars(extend("minItems" = 1, "maxItems" = MOST_ROLES))]
    pub roles: Option<Vec<String>>,
}

/// What shall change of a membership.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchMember {
    /// `active`, `suspended` or `blocked`. Who is not active has nothing here, at once.
    #[schemars(with = "Option<String>", extend("enum" = ["active", "suspended", "blocked"]))]
    pub status: Option<MembershipStatus>,
    #[schemars(with = "Option<String>", extend("enum" = ["home", "member", "guest"]))]
    pub kind: Option<MembershipKind>,
    /// Never changes: whoever names it is refused.
    #[schemars(with = "Option<serde_json::Value>")]
    pub home_organization_id: Option<serde_json::Value>,
}

impl PatchMember {
    pub fn checked(self, any_kind: bool) -> Result<Patched, Refused> {
        refuse_moving(self.home_organization_id.as_ref())?;
        let lives = [MembershipStatus::Active, MembershipStatus::Suspended, MembershipStatus::Blocked];
        if self.status.is_some_and(|status| !lives.contains(&status)) {
            return Err(Refused::value("/status", "must be active, suspended or blocked"));
        }
        let kind = self.kind.map(|kind| kind_of(kind, any_kind)).transpose()?;
        Ok(Patched { status: self.status, kind })
    }
}

/// Nobody is moved from one organization to another (S3-06).
pub fn refuse_moving(to: Option<&serde_json::Value>) -> Result<(), Refused> {
    match to {
        Some(_) => Err(Refused::new(Code::UserNotMovable, Code::UserNotMovable.title())),
        None => Ok(()),
    }
}
