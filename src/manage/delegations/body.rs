//! What is said of a delegation.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::text::is_line;
use crate::manage::refused::{Code, Refused};
use crate::model::delegation::{Delegation, Side};
use crate::model::role;

const MOST_ROLES: usize = 20;
const MOST_PEOPLE: usize = 1_000;
const LONGEST_ROLE: usize = 100;
/// Of an organization, by which it is looked for.
const LONGEST_NAME: usize = 100;

/// A delegation that is proposed: people of `home` act on behalf of `target`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeDelegation {
    /// Who proposes it: `home` or `target`; absent: the caller's own.
    pub organization_id: Option<String>,
    /// By id, UUID or slug; absent: who proposes it.
    pub home: Option<String>,
    /// By id, UUID or slug; absent: who proposes it.
    pub target: Option<String>,
    /// What people may be there at most, by the names of the target's roles; never `owner`.
    #[schemars(extend("minItems" = 1, "maxItems" = MOST_ROLES))]
    pub roles: Vec<String>,
    /// Whether the home's identity provider must vouch for a second factor.
    #[serde(default)]
    pub require_mfa: bool,
    /// The people, by their proved address; absent: every active member of the home.
    #[schemars(extend("minItems" = 1, "maxItems" = MOST_PEOPLE))]
    pub only: Option<Vec<String>>,
    /// RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub starts_at: Option<String>,
    /// RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub ends_at: Option<String>,
}

/// What shall change: what is absent stays, `null` clears.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchDelegation {
    /// For the operator: for which side they act.
    #[schemars(with = "Option<String>", extend("enum" = ["home", "target"]))]
    pub side: Option<Side>,
    #[schemars(extend("minItems" = 1, "maxItems" = MOST_ROLES))]
    pub roles: Option<Vec<String>>,
    pub require_mfa: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Vec<String>>", extend("minItems" = 1, "maxItems" = MOST_PEOPLE))]
    pub only: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub starts_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub ends_at: Option<Option<String>>,
}

/// For which side somebody acts.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnSide {
    /// Needed of the operator; of others it is their organization's.
    #[schemars(with = "Option<String>", extend("enum" = ["home", "target"]))]
    pub side: Option<Side>,
}

fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(reader).map(Some)
}

/// What is wanted of a new one.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub side: Side,
    /// The organization on the other side, as it was named.
    pub other: String,
    pub terms: Terms,
}

/// What was agreed on. What is absent stays as it is; an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub roles: Option<Vec<String>>,
    pub require_mfa: Option<bool>,
    pub only: Option<Option<Vec<Email>>>,
    pub starts_at: Option<Option<Moment>>,
    pub ends_at: Option<Option<Moment>>,
}

impl ProposeDelegation {
    /// `is_own`: whether a name is that of who proposes it.
    pub fn checked(self, is_own: impl Fn(&str) -> bool) -> Result<Wanted, Refused> {
        let own = |name: &Option<String>| name.as_deref().is_none_or(&is_own);
        let (side, other) = match (own(&self.home), own(&self.target), self.home, self.target) {
            (true, false, _, Some(target)) => (Side::Home, target),
            (false, true, Some(home), _) => (Side::Target, home),
            (false, false, ..) => return Err(Refused::hidden()),
            _ => {
                return Err(Refused::new(
                    Code::InvalidValue,
                    "name the other organization as home or target",
                ));
            }
        };
        // Nobody is called so, and it is not kept.
        if !is_line(&other, LONGEST_NAME) {
            return Err(Refused::hidden());
        }
        let only = self.only.map(people).transpose()?;
        let terms = Terms {
            roles: Some(self.roles),
            require_mfa: Some(self.require_mfa),
            only: Some(only),
            starts_at: Some(self.starts_at.as_deref().map(|text| moment("/starts_at", text)).transpose()?),
            ends_at: Some(self.ends_at.as_deref().map(|text| moment("/ends_at", text)).transpose()?),
        };
        Ok(Wanted { side, other, terms: terms.obeys_rules()? })
    }
}

impl PatchDelegation {
    pub fn checked(self) -> Result<Terms, Refused> {
        let time = |pointer, given: Option<Option<String>>| {
            given.map(|text| text.as_deref().map(|text| moment(pointer, text)).transpose()).transpose()
        };
        let terms = Terms {
            roles: self.roles,
            require_mfa: self.require_mfa,
            only: self.only.map(|list| list.map(people).transpose()).transpose()?,
            starts_at: time("/starts_at", self.starts_at)?,
            ends_at: time("/ends_at", self.ends_at)?,
        };
        terms.obeys_rules()
    }
}

impl Terms {
    /// The rules of what may be agreed on, whoever says it.
    pub fn obeys_rules(self) -> Result<Self, Refused> {
        if self.only.iter().flatten().any(|only| only.is_empty() || only.len() > MOST_PEOPLE) {
            return Err(Refused::value("/only", format!("must be 1 to {MOST_PEOPLE} addresses")));
        }
        if let (Some(Some(start)), Some(Some(end))) = (self.starts_at, self.ends_at)
            && end <= start
        {
            return Err(Refused::value("/ends_at", "it ends before it begins"));
        }
        Ok(Self { roles: self.roles.map(roles).transpose()?, ..self })
    }

    /// Lays them over a delegation, if the window that results is one.
    pub fn over(&self, delegation: &mut Delegation, now: Moment) -> Result<(), Refused> {
        let new = self.clone();
        let settings = &mut delegation.settings;
        settings.roles = new.roles.unwrap_or_else(|| settings.roles.clone());
        settings.require_mfa = new.require_mfa.unwrap_or(settings.require_mfa);
        settings.only = new.only.unwrap_or_else(|| settings.only.clone());
        let known = (delegation.starts_at, delegation.ends_at);
        delegation.starts_at = new.starts_at.unwrap_or(delegation.starts_at);
        delegation.ends_at = new.ends_at.unwrap_or(delegation.ends_at);
        let is_new = known != (delegation.starts_at, delegation.ends_at);
        let Some(end) = delegation.ends_at.filter(|_| is_new) else { return Ok(()) };
        if end <= now || delegation.starts_at.is_some_and(|start| end <= start) {
            return Err(Refused::value("/ends_at", "must be in the future, and after its start"));
        }
        Ok(())
    }
}

/// The names, each once. Whether the target has such roles is the target's to know.
fn roles(list: Vec<String>) -> Result<Vec<String>, Refused> {
    if list.is_empty() || list.len() > MOST_ROLES {
        return Err(Refused::value("/roles", format!("must be 1 to {MOST_ROLES}")));
    }
    let mut names: Vec<String> = Vec::new();
    for (place, name) in list.into_iter().enumerate() {
        let pointer = format!("/roles/{place}");
        if !is_line(&name, LONGEST_ROLE) {
            return Err(Refused::value(&pointer, "is no name of a role"));
        }
        if name == role::OWNER {
            return Err(Refused::value(&pointer, "nobody owns an organization by a delegation"));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn people(list: Vec<String>) -> Result<Vec<Email>, Refused> {
    let read = |(place, text): (usize, &String)| {
        Email::parse(text).map_err(|_| Refused::value(&format!("/only/{place}"), "is no email address"))
    };
    list.iter().enumerate().map(read).collect()
}

fn moment(pointer: &str, text: &str) -> Result<Moment, Refused> {
    Moment::parse_rfc3339(text).ok_or_else(|| Refused::value(pointer, "must be a time as in RFC 3339"))
}
