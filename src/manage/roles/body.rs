//! What is said of a role in a body, and the rules of it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::Wanted;
use crate::foundation::text::is_line;
use crate::manage::refused::Refused;
use crate::model::permission::Permission;
use crate::model::role::RoleScope;

const LONGEST_NAME: usize = 63;
const LONGEST_DISPLAY_NAME: usize = 200;
const LONGEST_PERMISSION: usize = 100;
const MOST_PERMISSIONS: usize = 100;

/// A new role.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRole {
    /// By id, UUID or slug. Absent: the caller's own; for the operator, a role that every organization has.
    pub organization_id: Option<String>,
    /// `project`: of the project itself, for the operator.
    #[schemars(with = "Option<String>", extend("enum" = ["organization", "project", null]))]
    pub scope: Option<RoleScope>,
    /// 1 to 63 of `a-z`, `0-9`, `_` and `-`. It never changes.
    #[schemars(extend("pattern" = "^[a-z0-9_-]{1,63}$"))]
    pub name: String,
    /// What people see. Absent: the name.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_DISPLAY_NAME))]
    pub display_name: Option<String>,
    /// The administration API's own, and whatever applications understand: at most 100 of at most 100 characters.
    #[schemars(extend("maxItems" = MOST_PERMISSIONS))]
    pub permissions: Vec<String>,
}

/// What shall change: what is absent stays.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchRole {
    /// What people see; `null`: the name.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("minLength" = 1, "maxLength" = LONGEST_DISPLAY_NAME))]
    pub display_name: Option<Option<String>>,
    #[schemars(extend("maxItems" = MOST_PERMISSIONS))]
    pub permissions: Option<Vec<String>>,
}

/// Told apart: absent (`None`), `null` (`Some(None)`), a value.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl CreateRole {
    pub fn checked(self) -> Result<Wanted, Refused> {
        let Self { organization_id: _, scope, name, display_name, permissions } = self;
        let scope = scope.unwrap_or(RoleScope::Organization);
        Wanted { scope, name, display_name, permissions }.obeys_rules()
    }
}

impl Wanted {
    /// The rules of what may be said of a role, whoever says it.
    pub fn obeys_rules(self) -> Result<Self, Refused> {
        let of_name =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        if !(1..=LONGEST_NAME).contains(&self.name.len()) || !self.name.bytes().all(of_name) {
            return Err(Refused::value("/name", "must be 1 to 63 of a-z, 0-9, _ and -"));
        }
        let display_name = self.display_name.map(display_name).transpose()?;
        Ok(Self { display_name, permissions: permissions(self.permissions)?, ..self })
    }
}

impl PatchRole {
    /// `name`: what the role is called where it is to have no other name.
    pub fn checked(self, name: &str) -> Result<(Option<String>, Option<Vec<String>>), Refused> {
        let shown = self.display_name.map(|given| given.unwrap_or_else(|| name.to_owned()));
        Ok((shown.map(display_name).transpose()?, self.permissions.map(permissions).transpose()?))
    }
}

fn display_name(text: String) -> Result<String, Refused> {
    if is_line(&text, LONGEST_DISPLAY_NAME) {
        return Ok(text);
    }
    Err(Refused::value("/display_name", "must be one line of at most 200 characters"))
}

/// In order, none twice. What an owner alone may is in no role.
fn permissions(mut all: Vec<String>) -> Result<Vec<String>, Refused> {
    if all.len() > MOST_PERMISSIONS {
        return Err(Refused::value("/permissions", format!("must be at most {MOST_PERMISSIONS}")));
    }
    for (place, text) in all.iter().enumerate() {
        let pointer = format!("/permissions/{place}");
        let fine =
            (1..=LONGEST_PERMISSION).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if !fine {
            return Err(Refused::value(&pointer, "must be 1 to 100 visible ASCII characters"));
        }
        if Permission::from_word(text).is_some_and(Permission::is_the_owners) {
            return Err(Refused::value(&pointer, "is an owner's alone"));
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}
