//! What is said of a domain in a body, and the rules of it.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{AutoJoinWanted, MOST_ROUTES, Switches};
use crate::foundation::domain_name::{DomainName, DomainNameError};
use crate::foundation::id::ConnectionId;
use crate::foundation::public_suffix::{NotClaimable, claimable};
use crate::manage::refused::{Code, Refused};
use crate::model::domain::Method;
use crate::model::words;
use crate::protocol::problem::Place;

const MOST_PATTERNS: usize = 100;
/// Longest part before the `@` (RFC 5321, section 4.5.3.1.1), and a `*`.
const LONGEST_PATTERN: usize = 65;
const HIGHEST_CAP: u32 = 100_000;

/// Present, and no `null`: what there always is cannot be cleared.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Told apart: absent (`None`), `null` (`Some(None)`), a value.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A domain to claim.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimDomain {
    /// Its name, such as `my-corp.com`; in letters of its own script or in the ASCII form.
    #[schemars(extend("minLength" = 1, "maxLength" = 1_000))]
    pub domain: String,
    /// How it is to be proved. Absent: by a DNS record.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", extend("enum" = ["dns_txt", "http_file"]))]
    pub method: Option<Method>,
}

impl ClaimDomain {
    pub fn name(&self) -> Result<DomainName, Refused> {
        let at = |code: Code, rule: String| Refused::at(code, Place::Pointer("/domain".into()), rule);
        let name = DomainName::parse(&self.domain).map_err(|error| {
            let code = match error {
                DomainNameError::MixedScripts | DomainNameError::LooksLatin => Code::MixedScript,
                _ => Code::DomainInvalid,
            };
            at(code, error.to_string())
        })?;
        match claimable(&name) {
            Ok(()) => Ok(name),
            Err(error @ NotClaimable::PublicSuffix) => Err(at(Code::PublicSuffix, error.to_string())),
            Err(error @ NotClaimable::FreeMail) => Err(at(Code::FreeMailDomain, error.to_string())),
        }
    }
}

/// How to go on with a claim. The body may be left out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartVerification {
    /// Absent: as before.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", extend("enum" = ["dns_txt", "http_file"]))]
    pub method: Option<Method>,
}

/// What shall change: what is absent stays.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchDomain {
    /// Whether people with an address in the domain are led to its connections.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "bool")]
    pub use_for_routing: Option<bool>,
    /// Whether addresses that its connections assert count as proved.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "bool")]
    pub trust_email: Option<bool>,
    /// Connections of the organization.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Vec<String>", extend("maxItems" = MOST_ROUTES))]
    pub connection_ids: Option<Vec<String>>,
    /// The same, where there is one alone.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    pub connection_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "AutoJoinSaid")]
    pub auto_join: Option<AutoJoinSaid>,
    /// The same as the `role` of `auto_join`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub auto_join_role: Option<Option<String>>,
}

/// Who joins by their address alone, or only whether anybody does.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum AutoJoinSaid {
    Enabled(bool),
    Rule(Box<PatchAutoJoin>),
}

// By hand, because what is wrong within a rule is told by its place.
impl<'de> Deserialize<'de> for AutoJoinSaid {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = AutoJoinSaid;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, true or false")
            }

            fn visit_bool<E>(self, enabled: bool) -> Result<AutoJoinSaid, E> {
                Ok(AutoJoinSaid::Enabled(enabled))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<AutoJoinSaid, A::Error> {
                PatchAutoJoin::deserialize(MapAccessDeserializer::new(members))
                    .map(|rule| AutoJoinSaid::Rule(Box::new(rule)))
            }
        }

        from.deserialize_any(Either)
    }
}

impl From<AutoJoinSaid> for PatchAutoJoin {
    fn from(said: AutoJoinSaid) -> Self {
        match said {
            AutoJoinSaid::Enabled(enabled) => Self { enabled: Some(enabled), ..Self::default() },
            AutoJoinSaid::Rule(rule) => *rule,
        }
    }
}

/// Who joins by their address alone.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchAutoJoin {
    /// Turning it on also ends a pause.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "bool")]
    pub enabled: Option<bool>,
    /// What people join as: `member`, or a role of the organization's own that administers nothing.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub role: Option<Option<String>>,
    /// What must have proved the address: a connection that the domain is routed to.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", extend("enum" = ["sso"]))]
    pub requires: Option<Requires>,
    /// Parts before the `@` that stay outside; `*` at one end stands for anything.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Vec<String>", extend("maxItems" = MOST_PATTERNS))]
    pub exclude: Option<Vec<String>>,
    /// When so many have joined in an hour, it pauses. `null`: 500.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<u32>", range(min = 1, max = HIGHEST_CAP))]
    pub cap_per_hour: Option<Option<u32>>,
}

words! {
    /// There is no proof of an address but this so far.
    Requires { Sso = "sso" }
}

impl PatchDomain {
    /// What was said by another name: by ours, and by theirs.
    pub fn spelled(&self) -> Vec<(&'static str, &'static str)> {
        let route = self.connection_id.as_ref().map(|_| ("/connection_ids/0", "/connection_id"));
        let role = self.auto_join_role.as_ref().map(|_| ("/auto_join/role", "/auto_join_role"));
        route.into_iter().chain(role).collect()
    }

    pub fn checked(self) -> Result<Switches, Refused> {
        let ids = one_of(
            ("connection_id", self.connection_id.map(|id| vec![id])),
            ("connection_ids", self.connection_ids),
        )?;
        let connections = ids.map(|ids| connections(&ids)).transpose()?;
        let auto_join = self.auto_join.map(PatchAutoJoin::from).unwrap_or_default();
        let role = one_of(("auto_join_role", self.auto_join_role), ("auto_join.role", auto_join.role))?;
        let exclude = auto_join.exclude.map(patterns).transpose()?;
        if auto_join.cap_per_hour.flatten().is_some_and(|cap| !(1..=HIGHEST_CAP).contains(&cap)) {
            return Err(Refused::value("/auto_join/cap_per_hour", format!("must be 1 to {HIGHEST_CAP}")));
        }
        Ok(Switches {
            use_for_routing: self.use_for_routing,
            trust_email: self.trust_email,
            connections,
            auto_join: AutoJoinWanted {
                enabled: auto_join.enabled,
                role,
                exclude,
                cap_per_hour: auto_join.cap_per_hour,
            },
        })
    }
}

/// What may be said by two names is said by one.
fn one_of<T>((one, said): (&str, Option<T>), (other, also): (&str, Option<T>)) -> Result<Option<T>, Refused> {
    match (said, also) {
        (Some(_), Some(_)) => {
            let detail = format!("{one} and {other} are one field: give one");
            Err(Refused::new(Code::InvalidBody, detail))
        }
        (said, also) => Ok(said.or(also)),
    }
}

/// In their order, each once. What is no id is no connection of theirs.
fn connections(ids: &[String]) -> Result<Vec<ConnectionId>, Refused> {
    if ids.len() > MOST_ROUTES {
        return Err(Refused::value("/connection_ids", format!("must be at most {MOST_ROUTES}")));
    }
    let parsed = ids.iter().enumerate().map(|(place, text)| {
        let pointer = format!("/connection_ids/{place}");
        text.parse().map_err(|_| Refused::value(&pointer, "the organization has no such connection"))
    });
    let mut parsed: Vec<ConnectionId> = parsed.collect::<Result<_, _>>()?;
    parsed.sort_unstable();
    parsed.dedup();
    Ok(parsed)
}

/// In the one spelling, as the addresses that they are held against.
fn patterns(written: Vec<String>) -> Result<Vec<String>, Refused> {
    if written.len() > MOST_PATTERNS {
        return Err(Refused::value("/auto_join/exclude", format!("must be at most {MOST_PATTERNS}")));
    }
    for (place, pattern) in written.iter().enumerate() {
        let bare = pattern.strip_prefix('*').or_else(|| pattern.strip_suffix('*')).unwrap_or(pattern);
        let is_plain =
            bare.bytes().all(|byte| byte.is_ascii_graphic() && !b"*@\"(),:;<>[\\]".contains(&byte));
        if bare.is_empty() || !is_plain || pattern.len() > LONGEST_PATTERN {
            let rule = "must be a part before an @, with a * at most at one end";
            return Err(Refused::value(&format!("/auto_join/exclude/{place}"), rule));
        }
    }
    Ok(written.into_iter().map(|pattern| pattern.to_ascii_lowercase()).collect())
}
