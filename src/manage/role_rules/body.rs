//! What is said of a role rule in a body, and the rules of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Wanted;
use crate::foundation::id::{ConnectionId, TestId};
use crate::manage::refused::{Code, Refused};
use crate::model::role_rule::Matching;
use crate::model::user::Told;

const LONGEST_CLAIM: usize = 255;
const LONGEST_VALUE: usize = 1_024;
const LONGEST_ROLE: usize = 100;
const MOST_CLAIMS: usize = 64;
const MOST_RULES: usize = 200;

/// A new rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRoleRule {
    /// One of the organization's own connections.
    pub connection_id: String,
    /// `groups`, or another claim of the ID token, but none of the protocol or the profile (`sub`, `email`, `name`); of SAML,
    /// one that the connection's mapping names.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_CLAIM))]
    pub claim: String,
    /// `equals`: it has this value and no other. `contains`: this is one of its values. `prefix`: one of them begins so.
    /// Upper and lower case differ.
    #[schemars(with = "String", extend("enum" = ["equals", "contains", "prefix"]))]
    pub operator: Matching,
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_VALUE))]
    pub value: String,
    /// Any but `owner`; one that may change something of the organization is an owner's to name.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_ROLE))]
    pub role: String,
}

/// What shall change: what is absent stays.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchRoleRule {
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_CLAIM))]
    pub claim: Option<String>,
    #[schemars(with = "Option<String>", extend("enum" = ["equals", "contains", "prefix", null]))]
    pub operator: Option<Matching>,
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_VALUE))]
    pub value: Option<String>,
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_ROLE))]
    pub role: Option<String>,
}

/// A rule that is tried, and not kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriedRule {
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_CLAIM))]
    pub claim: String,
    #[schemars(with = "String", extend("enum" = ["equals", "contains", "prefix"]))]
    pub operator: Matching,
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_VALUE))]
    pub value: String,
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_ROLE))]
    pub role: String,
}

/// What a provider may say of somebody, and by which rules.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TryRules {
    pub connection_id: String,
    /// Claims by name, each a text or a list of texts; of SAML, by the names that the mapping gives them. They are read as
    /// a sign-in would read them.
    #[schemars(extend("maxProperties" = MOST_CLAIMS))]
    pub claims: Option<BTreeMap<String, Sample>>,
    /// A sign-in on trial by the connection, in place of claims: what came then.
    pub test_id: Option<String>,
    /// Absent: those that the connection has.
    #[schemars(extend("maxItems" = MOST_RULES))]
    pub rules: Option<Vec<TriedRule>>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a text or a list of texts")]
pub enum Sample {
    Text(String),
    List(Vec<String>),
}

impl CreateRoleRule {
    pub fn checked(self) -> Result<(ConnectionId, Wanted), Refused> {
        let connection = connection(&self.connection_id)?;
        let Self { claim, operator: matching, value, role, .. } = self;
        Ok((connection, Wanted { claim, matching, value, role }.checked("")?))
    }
}

impl PatchRoleRule {
    pub fn over(self, before: Wanted) -> Result<Wanted, Refused> {
        Wanted {
            claim: self.claim.unwrap_or(before.claim),
            matching: self.operator.unwrap_or(before.matching),
            value: self.value.unwrap_or(before.value),
            role: self.role.unwrap_or(before.role),
        }
        .checked("")
    }
}

/// What a provider says: as it is written, or as it came in a sign-in on trial.
pub enum Said {
    Now(BTreeMap<String, Told>),
    Then(TestId),
}

/// What is to be tried.
pub struct Trial {
    pub connection: ConnectionId,
    pub said: Said,
    pub rules: Option<Vec<Wanted>>,
}

impl TryRules {
    pub fn checked(self) -> Result<Trial, Refused> {
        if self.rules.iter().any(|rules| rules.len() > MOST_RULES) {
            return Err(Refused::value("/rules", format!("must be at most {MOST_RULES}")));
        }
        let one = |(place, rule): (usize, TriedRule)| {
            let TriedRule { claim, operator: matching, value, role } = rule;
            Wanted { claim, matching, value, role }.checked(&format!("/rules/{place}"))
        };
        let rules = self.rules.map(|rules| rules.into_iter().enumerate().map(one).collect()).transpose()?;
        Ok(Trial {
            connection: connection(&self.connection_id)?,
            said: said(self.claims, self.test_id)?,
            rules,
        })
    }
}

fn said(claims: Option<BTreeMap<String, Sample>>, test: Option<String>) -> Result<Said, Refused> {
    match (claims, test) {
        (Some(claims), None) if claims.len() > MOST_CLAIMS => {
            Err(Refused::value("/claims", format!("must be at most {MOST_CLAIMS}")))
        }
        (Some(claims), None) => Ok(Said::Now(claims.into_iter().map(told).collect())),
        (None, Some(test)) => {
            test.parse().map(Said::Then).map_err(|_| Refused::value("/test_id", super::NO_TEST))
        }
        _ => Err(Refused::new(Code::InvalidBody, "give claims, or test_id, and one of the two")),
    }
}

/// What is no id is no connection of anybody's.
fn connection(text: &str) -> Result<ConnectionId, Refused> {
    text.parse().map_err(|_| Refused::value("/connection_id", super::NO_CONNECTION))
}

fn told((name, sample): (String, Sample)) -> (String, Told) {
    let told = match sample {
        Sample::Text(text) => Told::Text(text),
        Sample::List(list) => Told::List(list),
    };
    (name, told)
}

impl Wanted {
    /// `at`: the pointer of the object that says it.
    pub fn checked(self, at: &str) -> Result<Self, Refused> {
        let fine = |text: &str, most: usize| {
            (1..=most).contains(&text.chars().count()) && !text.contains(char::is_control)
        };
        if !fine(&self.claim, LONGEST_CLAIM) || !self.claim.bytes().all(|byte| byte.is_ascii_graphic()) {
            let rule = format!("must be 1 to {LONGEST_CLAIM} visible ASCII characters");
            return Err(Refused::value(&format!("{at}/claim"), rule));
        }
        if !fine(&self.value, LONGEST_VALUE) {
            let rule = format!("must be 1 to {LONGEST_VALUE} characters, none of them a control");
            return Err(Refused::value(&format!("{at}/value"), rule));
        }
        if !fine(&self.role, LONGEST_ROLE) {
            return Err(Refused::new(Code::RoleUnknown, Code::RoleUnknown.title()));
        }
        Ok(self)
    }
}
