//! What is said of a connection: the keys of the operator's file, but for whatever would be read from a file or from the
//! environment. A body is one of two shapes, by its `type`.

mod oidc;
mod saml;

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::foundation::secret::Secret;
use crate::foundation::text::is_line;
use crate::manage::api::route::Body;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{IdentityProvider, Jit, OidcSettings, SamlSettings, Settings, Upstream};
use crate::model::organization::is_slug;
use crate::web::json;
use url::Url;

pub use oidc::OidcBody;
pub use saml::{Own, OwnKey, SamlBody};

const LONGEST_NAME: usize = 200;
/// Characters of a text that is neither metadata, nor a key, nor a certificate.
const LONGEST: usize = 4_096;
/// Items of a list, or of an object.
const MOST: usize = 200;

/// What the provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Oidc,
    Saml,
}

impl Kind {
    pub const fn of(upstream: &Upstream) -> Self {
        match upstream {
            Upstream::Oidc(_) => Self::Oidc,
            Upstream::Saml(_) => Self::Saml,
        }
    }
}

/// What is said of a connection besides how it is set.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// Given once; of a connection that there is it may be left out.
    #[serde(rename = "type")]
    #[schemars(with = "Option<String>", extend("enum" = ["oidc", "saml"]))]
    pub kind: Option<Kind>,
    /// By id, UUID or slug; given once. Absent: the caller's own.
    pub organization_id: Option<String>,
    /// `project`: the connection is no organization's. For the operator.
    #[schemars(with = "Option<String>", extend("enum" = ["organization", "project"]))]
    pub scope: Option<Scope>,
    /// Given once, by the operator; absent: one is made.
    #[schemars(extend("pattern" = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub slug: Option<String>,
    /// One line of at most 200 characters, for people.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub display_name: Option<String>,
    /// Makes it live at once.
    pub activate: Option<bool>,
    /// Makes it live also where people sign in by the connection, and nobody has tried the draft: for an owner who has just
    /// signed in, and the operator; for the operator, also where no owner could sign in any more.
    pub force: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    #[default]
    Organization,
    Project,
}

/// How a connection is to be set, as it was written. It may hold secrets.
#[derive(Clone)]
pub struct Rest(Map<String, Value>);

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[settings]")
    }
}

/// A connection, as it was written.
#[derive(Clone, Debug)]
pub struct ConnectionBody {
    pub meta: Meta,
    pub rest: Rest,
}

/// A whole connection.
#[derive(Clone, Debug)]
pub struct Whole(pub ConnectionBody);

/// A change of some members (RFC 7396): what is absent stays, `null` sets back.
#[derive(Clone, Debug)]
pub struct Part(pub ConnectionBody);

const JSON: &[&str] = &["application/json"];
const MERGE_PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

impl Body for Whole {
    const KINDS: &'static [&'static str] = JSON;
    fn read(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Refused> {
        ConnectionBody::read(headers, JSON, bytes).map(Self)
    }
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(both(generator))
    }
}

impl Body for Part {
    const KINDS: &'static [&'static str] = MERGE_PATCH;
    fn read(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Refused> {
        ConnectionBody::read(headers, MERGE_PATCH, bytes).map(Self)
    }
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(both(generator))
    }
}

/// Either shape.
fn both(generator: &mut SchemaGenerator) -> Schema {
    let meta = Meta::json_schema(generator);
    let shapes = [("oidc", OidcBody::json_schema(generator)), ("saml", SamlBody::json_schema(generator))];
    let shapes = shapes.map(|(word, shape)| {
        let mut shape = shape.to_value();
        let properties = shape.get_mut("properties").and_then(Value::as_object_mut);
        if let (Some(properties), Some(more)) =
            (properties, meta.get("properties").and_then(Value::as_object))
        {
            properties.extend(more.clone());
            properties.insert("type".into(), json!({"type": "string", "const": word}));
        }
        shape
    });
    json!({ "anyOf": shapes }).try_into().unwrap_or_default()
}

impl ConnectionBody {
    fn read(headers: &HeaderMap, kinds: &[&str], bytes: &Bytes) -> Result<Self, Refused> {
        let mut rest = json::members(headers, kinds, bytes)?;
        let mut meta = Map::new();
        for name in ["type", "organization_id", "scope", "slug", "display_name", "activate", "force"] {
            if let Some(value) = rest.remove(name) {
                meta.insert(name.to_owned(), value);
            }
        }
        let body = Self { meta: json::meant(meta)?, rest: Rest(rest) };
        body.meta.checked()?;
        for (name, value) in &body.rest.0 {
            bounded(&format!("/{name}"), name, value)?;
        }
        Ok(body)
    }
}

impl Meta {
    fn checked(&self) -> Result<(), Refused> {
        if self.display_name.as_ref().is_some_and(|name| !is_line(name, LONGEST_NAME)) {
            let rule = format!("must be one line of at most {LONGEST_NAME} characters");
            return Err(Refused::value("/display_name", rule));
        }
        // A slug that looks like an id would name two connections.
        let is_id = |slug: &String| slug.parse::<crate::foundation::id::ConnectionId>().is_ok();
        if self.slug.as_ref().is_some_and(|slug| !is_slug(slug) || is_id(slug)) {
            return Err(Refused::value("/slug", "must be 1 to 63 of a-z, 0-9 and -"));
        }
        Ok(())
    }
}

/// Nothing that is kept is larger than anybody needs it.
fn bounded(pointer: &str, name: &str, value: &Value) -> Result<(), Refused> {
    let is_document = name == "metadata_xml" || name.ends_with("_key") || name.contains("certificate");
    let many = |many: usize| {
        let most = format!("must be at most {MOST}");
        if many > MOST { Err(Refused::value(pointer, most)) } else { Ok(()) }
    };
    match value {
        Value::String(text) if !is_document && text.len() > LONGEST => {
            Err(Refused::value(pointer, format!("must have at most {LONGEST} bytes")))
        }
        Value::Array(items) => {
            many(items.len())?;
            let mut each = items.iter().enumerate();
            each.try_for_each(|(place, item)| bounded(&format!("{pointer}/{place}"), name, item))
        }
        Value::Object(members) => {
            many(members.len())?;
            members.iter().try_for_each(|(key, item)| {
                if key.len() > LONGEST {
                    return Err(Refused::value(pointer, "has a name that is too long"));
                }
                bounded(&format!("{pointer}/{key}"), name, item)
            })
        }
        _ => Ok(()),
    }
}

/// What is wrong, each at a pointer (RFC 6901).
#[derive(Debug, Default)]
pub struct Faults(Vec<(String, String)>);

impl Faults {
    pub fn refuse(&mut self, pointer: impl Into<String>, why: impl Into<String>) {
        self.0.push((pointer.into(), why.into()));
    }

    pub fn accept<T, E: ToString>(&mut self, pointer: impl Into<String>, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.refuse(pointer, error.to_string())).ok()
    }

    pub fn end(self) -> Result<(), Refused> {
        if self.0.is_empty() { Ok(()) } else { Err(Refused::listing(Code::InvalidValue, self.0)) }
    }
}

/// What is said of a connection, each value by its rule.
#[derive(Clone, Debug)]
pub struct Said {
    /// How it is to be set; of SAML, without who the provider is. Names of organizations are still to be found.
    pub settings: Settings,
    pub described: DescribedBy,
    pub assign_organizations: Vec<String>,
    pub proof: Proof,
}

/// Who a SAML provider is.
#[derive(Clone, Debug)]
pub enum DescribedBy {
    /// As it is known.
    Known,
    Typed(IdentityProvider),
    Document {
        document: String,
        entity_id: Option<String>,
        signer: Option<String>,
    },
    Address {
        url: Url,
        entity_id: Option<String>,
        signer: Option<String>,
        /// Believes what stands there now, also where something is known of it.
        anew: bool,
    },
}

/// By what we prove to the provider who we are.
#[derive(Clone, Debug)]
pub enum Proof {
    Nothing,
    /// As it is known, if it is.
    Known,
    Given(Secret),
    /// Of SAML: the keys that were brought, by their certificates.
    Own(Box<Own>),
}

impl Rest {
    /// Whether nothing is said of how a connection is to be set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same laid over what there is.
    pub fn over(&self, settings: &Settings) -> Result<Self, Refused> {
        let mut base = written(settings);
        match &settings.upstream {
            Upstream::Oidc(oidc) => oidc::undo_preset(&mut base, oidc),
            Upstream::Saml(saml) => {
                saml::undo_preset(&mut base, saml);
                saml::fit_description(&mut base, &self.0, (settings, &**saml))?;
            }
        }
        merge(&mut base, &self.0);
        Ok(Self(base))
    }

    pub fn said(&self, kind: Kind) -> Result<Said, Refused> {
        let members = self.0.clone();
        match kind {
            Kind::Oidc => json::meant::<OidcBody>(members)?.said(),
            Kind::Saml => json::meant::<SamlBody>(members)?.said(),
        }
    }
}

/// Settings as they would be written: without their secrets.
pub fn written(settings: &Settings) -> Map<String, Value> {
    let value = match &settings.upstream {
        Upstream::Oidc(oidc) => serde_json::to_value(OidcBody::of(settings, oidc)),
        Upstream::Saml(saml) => serde_json::to_value(SamlBody::of(settings, saml)),
    };
    match value {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// RFC 7396.
fn merge(base: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => drop(base.remove(name)),
            Value::Object(inner) => {
                let mut under = match base.remove(name) {
                    Some(Value::Object(known)) => known,
                    _ => Map::new(),
                };
                merge(&mut under, inner);
                base.insert(name.clone(), Value::Object(under));
            }
            value => drop(base.insert(name.clone(), value.clone())),
        }
    }
}

/// What both shapes say alike.
struct Alike {
    jit: Option<Jit>,
    default_roles: Option<Vec<String>>,
    leeway: Option<u64>,
    silent_sign_in: Option<bool>,
}

impl Alike {
    fn settings(self, upstream: Upstream, faults: &mut Faults) -> Settings {
        use super::wanted::{LEEWAY, MOST_LEEWAY};
        let leeway = self.leeway.unwrap_or(LEEWAY);
        if leeway > MOST_LEEWAY {
            faults.refuse("/leeway", format!("must be from 0 to {MOST_LEEWAY}"));
        }
        let mut default_roles = self.default_roles.unwrap_or_default();
        default_roles.dedup();
        Settings {
            upstream,
            jit: self.jit.unwrap_or(Jit::CreateAndJoin),
            assign_organizations: Vec::new(),
            default_roles,
            leeway,
            silent_sign_in: self.silent_sign_in.unwrap_or(false),
        }
    }
}

fn of_oidc(oidc: OidcSettings) -> Upstream {
    Upstream::Oidc(Box::new(oidc))
}

fn of_saml(saml: SamlSettings) -> Upstream {
    Upstream::Saml(Box::new(saml))
}
