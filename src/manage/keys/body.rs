//! What is said of a key.

use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::foundation::text::is_line;
use crate::manage::refused::Refused;
use crate::model::api_key::{Holder, OperatorRole, network};
use crate::model::permission::Permission;

const LONGEST_NAME: usize = 200;
const MOST_NETWORKS: usize = 50;
/// For how long the old secret may go on working.
const LONGEST_OVERLAP: u64 = 7 * 86_400;
const USUAL_OVERLAP: u64 = 86_400;

/// A key that is to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// By id, UUID or slug; absent: the caller's own, or for the operator none: an operator token.
    pub organization_id: Option<String>,
    /// What it is for: one line of at most 200 characters.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub name: String,
    /// Of an organization's key: what it may do there. None that its maker does not have, and never
    /// `organization:delete`, `organization:transfer` or `api_keys:write`.
    #[schemars(extend("minItems" = 1))]
    pub permissions: Option<Vec<String>>,
    /// Of an operator token: what it may do in the project.
    #[schemars(with = "Option<String>", extend("enum" = ["system", "auditor", "support"]))]
    pub role: Option<OperatorRole>,
    /// When it ends (RFC 3339); of an organization's key within a year, which it is if absent.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// From where alone it may be used, as in `192.0.2.0/24` or `192.0.2.7`; absent: from anywhere.
    #[schemars(extend("maxItems" = MOST_NETWORKS))]
    pub networks: Option<Vec<String>>,
}

/// What shall change: what is absent stays.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchApiKey {
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub name: Option<String>,
    /// `null`: as late as it may be.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires_at: Option<Option<String>>,
    /// Empty: from anywhere.
    #[schemars(extend("maxItems" = MOST_NETWORKS))]
    pub networks: Option<Vec<String>>,
}

/// How a key gets a new secret.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateApiKey {
    /// For how many seconds the old secret goes on working; absent: a day. 0 ends every earlier one at once.
    #[schemars(range(min = 0, max = LONGEST_OVERLAP))]
    pub overlap: Option<u64>,
}

fn given<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(reader).map(Some)
}

/// What is wanted of a new key.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: String,
    pub networks: Vec<IpNet>,
    pub expires_at: Option<Moment>,
    permissions: Option<Vec<String>>,
    role: Option<OperatorRole>,
}

/// What is wanted of one that there is.
#[derive(Clone, Debug)]
pub struct Changed {
    pub name: Option<String>,
    pub networks: Option<Vec<IpNet>>,
    pub expires_at: Option<Option<Moment>>,
}

impl CreateApiKey {
    pub fn checked(self) -> Result<Wanted, Refused> {
        Ok(Wanted {
            name: line(self.name)?,
            networks: networks(self.networks.unwrap_or_default())?,
            expires_at: self.expires_at.as_deref().map(moment).transpose()?,
            permissions: self.permissions.map(permissions).transpose()?,
            role: self.role,
        })
    }
}

impl Wanted {
    pub fn holder(&self, organization: Option<OrganizationId>) -> Result<Holder, Refused> {
        match (organization, &self.permissions, self.role) {
            (Some(id), Some(permissions), None) => Ok(Holder::Organization(id, permissions.clone())),
            (Some(_), None, _) => Err(Refused::value("/permissions", "says what the key may do")),
            (Some(_), _, Some(_)) => Err(Refused::value("/role", "is for operator tokens")),
            (None, None, Some(role)) => Ok(Holder::Operator(role)),
            (None, Some(_), _) => Err(Refused::value("/permissions", "are for keys of an organization")),
            (None, None, None) => Err(Refused::value("/role", "says what the operator token may do")),
        }
    }
}

impl PatchApiKey {
    pub fn checked(self) -> Result<Changed, Refused> {
        let expires_at = self.expires_at.map(|end| end.as_deref().map(moment).transpose()).transpose()?;
        Ok(Changed {
            name: self.name.map(line).transpose()?,
            networks: self.networks.map(networks).transpose()?,
            expires_at,
        })
    }
}

impl RotateApiKey {
    pub fn checked(self) -> Result<Duration, Refused> {
        match self.overlap.unwrap_or(USUAL_OVERLAP) {
            seconds @ 0..=LONGEST_OVERLAP => Ok(Duration::from_secs(seconds)),
            _ => Err(Refused::value("/overlap", "must be at most a week")),
        }
    }
}

fn line(text: String) -> Result<String, Refused> {
    if is_line(&text, LONGEST_NAME) {
        return Ok(text);
    }
    Err(Refused::value("/name", format!("must be one line of at most {LONGEST_NAME} characters")))
}

fn moment(text: &str) -> Result<Moment, Refused> {
    Moment::parse_rfc3339(text).ok_or_else(|| Refused::value("/expires_at", "must be a time as in RFC 3339"))
}

/// Each once, however it is written.
fn networks(list: Vec<String>) -> Result<Vec<IpNet>, Refused> {
    if list.len() > MOST_NETWORKS {
        return Err(Refused::value("/networks", format!("must be at most {MOST_NETWORKS}")));
    }
    let mut networks = Vec::new();
    for (place, text) in list.iter().enumerate() {
        let one = network(text).map_err(|why| Refused::value(&format!("/networks/{place}"), why))?;
        if !networks.contains(&one) {
            networks.push(one);
        }
    }
    Ok(networks)
}

/// The names, each once.
fn permissions(list: Vec<String>) -> Result<Vec<String>, Refused> {
    let mut names: Vec<String> = Vec::new();
    for (place, name) in list.into_iter().enumerate() {
        let wrong = |rule: &str| Err(Refused::value(&format!("/permissions/{place}"), rule));
        match Permission::from_word(&name) {
            None => return wrong("there is no such permission"),
            Some(permission) if !permission.is_for_keys() => return wrong("no key has this permission"),
            Some(_) if names.contains(&name) => {}
            Some(_) => names.push(name),
        }
    }
    if names.is_empty() {
        return Err(Refused::value("/permissions", "must be at least one"));
    }
    Ok(names)
}
