//! What is said of a token by which clients register themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::foundation::clock::Moment;
use crate::foundation::text::is_line;
use crate::manage::applications::GRANT_TYPES;
use crate::manage::refused::Refused;
use crate::model::application::{ApplicationKind, GrantType, USUAL_SCOPES};
use crate::model::registration::{Held, Limits};
use crate::protocol::oauth::scope;

const LONGEST_NAME: usize = 200;
const MOST_NAMED: usize = 100;
const MOST_USES: i64 = 1_000;
const USUAL_LIFE: Duration = Duration::from_secs(86_400);
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// A token that is to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRegistrationToken {
    /// For whom it is: one line of at most 200 characters.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub name: String,
    /// How many clients may be registered with it; absent: one.
    #[schemars(range(min = 1, max = MOST_USES))]
    pub most_uses: Option<i64>,
    /// When it ends (RFC 3339), within a year; absent: in a day.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// What a client may be; absent: `web`, `spa` and `native`.
    #[schemars(
        with = "Option<Vec<String>>",
        extend("items" = { "type": "string", "enum": ["web", "spa", "native", "device", "machine"] })
    )]
    pub types: Option<Vec<ApplicationKind>>,
    /// The ways to tokens that it may want; absent: `authorization_code` and `refresh_token`.
    #[schemars(
        with = "Option<Vec<String>>",
        extend("items" = { "type": "string", "enum": GRANT_TYPES })
    )]
    pub grant_types: Option<Vec<GrantType>>,
    /// What it may ask for; absent: `openid`, `profile`, `email` and `organization`.
    pub scopes: Option<Vec<String>>,
    /// The organizations that may use it, by id, UUID or slug; absent: all.
    #[schemars(extend("maxItems" = MOST_NAMED))]
    pub organizations: Option<Vec<String>>,
    /// The only connections by which people sign in to it, by id or slug; absent: as their addresses lead them.
    #[schemars(extend("maxItems" = MOST_NAMED))]
    pub connections: Option<Vec<String>>,
}

/// What is wanted, each value by its rule.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: String,
    pub most_uses: i64,
    pub expires_at: Moment,
    /// But for the next two.
    pub limits: Limits,
    pub organizations: Option<Vec<String>>,
    pub connections: Option<Vec<String>>,
}

impl CreateRegistrationToken {
    pub fn checked(self, now: Moment) -> Result<Wanted, Refused> {
        if !is_line(&self.name, LONGEST_NAME) {
            let rule = format!("must be one line of at most {LONGEST_NAME} characters");
            return Err(Refused::value("/name", rule));
        }
        let most_uses = self.most_uses.unwrap_or(1);
        if !(1..=MOST_USES).contains(&most_uses) {
            return Err(Refused::value("/most_uses", format!("must be 1 to {MOST_USES}")));
        }
        use GrantType::{AuthorizationCode, RefreshToken};
        let types = self
            .types
            .unwrap_or_else(|| vec![ApplicationKind::Web, ApplicationKind::Spa, ApplicationKind::Native]);
        let scopes = self.scopes.unwrap_or_else(|| USUAL_SCOPES.map(str::to_owned).to_vec());
        let limits = Limits {
            types: once("/types", types)?,
            grant_types: once(
                "/grant_types",
                self.grant_types.unwrap_or_else(|| vec![AuthorizationCode, RefreshToken]),
            )?,
            scopes: known(once("/scopes", scopes)?)?,
            organizations: None,
            connections: None,
            held: Held::default(),
            taken: BTreeMap::new(),
        };
        Ok(Wanted {
            name: self.name,
            most_uses,
            expires_at: ends(self.expires_at.as_deref(), now)?,
            limits,
            organizations: named("/organizations", self.organizations)?,
            connections: named("/connections", self.connections)?,
        })
    }
}

fn ends(wanted: Option<&str>, now: Moment) -> Result<Moment, Refused> {
    let Some(text) = wanted else { return Ok(now.plus(USUAL_LIFE)) };
    let wrong = |rule| Refused::value("/expires_at", rule);
    match Moment::parse_rfc3339(text) {
        None => Err(wrong("must be a time as in RFC 3339")),
        Some(end) if end <= now => Err(wrong("must be in the future")),
        Some(end) if end > now.plus(LONGEST_LIFE) => Err(wrong("must be within a year")),
        Some(end) => Ok(end),
    }
}

/// Some of what there is, each once: nobody could use it for none.
fn named(pointer: &str, list: Option<Vec<String>>) -> Result<Option<Vec<String>>, Refused> {
    match list {
        Some(list) if list.is_empty() => Err(Refused::value(pointer, "must name at least one")),
        Some(list) if list.len() > MOST_NAMED => {
            Err(Refused::value(pointer, format!("must be at most {MOST_NAMED}")))
        }
        list => list.map(|list| once(pointer, list)).transpose(),
    }
}

fn once<T: PartialEq>(pointer: &str, list: Vec<T>) -> Result<Vec<T>, Refused> {
    match (1..list.len()).find(|place| list[..*place].contains(&list[*place])) {
        Some(place) => Err(Refused::value(&format!("{pointer}/{place}"), "stands there twice")),
        None => Ok(list),
    }
}

fn known(list: Vec<String>) -> Result<Vec<String>, Refused> {
    match list.iter().position(|one| !scope::SUPPORTED.contains(&one.as_str())) {
        Some(place) => {
            let rule = format!("must be one of {}", scope::SUPPORTED.join(", "));
            Err(Refused::value(&format!("/scopes/{place}"), rule))
        }
        None => Ok(list),
    }
}
