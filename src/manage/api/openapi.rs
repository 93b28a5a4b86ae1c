//! The document of the API (OpenAPI 3.1), made of the table of routes and of the types that read and write the bodies:
//! there is no second description that could differ.

mod answers;

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::BASE;
use super::route::Route;
use super::routes::ROUTES;
use crate::manage::authority::Need;
use crate::manage::desk::{etag, names_etag};
use crate::manage::refused::Code;
use crate::web::visitor::Visitor;

/// `GET /api/v1/openapi.json`: for everybody, and the same for all.
pub async fn document(visitor: Visitor) -> Response {
    let Made { text, etag } = made(visitor.issuer());
    let known = visitor.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|known| names_etag(known, &etag));
    let mut response = Response::new(axum::body::Body::from(if unchanged { Bytes::new() } else { text }));
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

#[derive(Clone)]
struct Made {
    text: Bytes,
    etag: String,
}

/// The document of an issuer, made once: issuers are as many as projects.
fn made(issuer: String) -> Made {
    static ALL: OnceLock<Mutex<BTreeMap<String, Made>>> = OnceLock::new();
    let mut all = ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let new = |issuer: &String| {
        let document = of(issuer);
        Made { text: document.to_string().into(), etag: etag(&document) }
    };
    all.entry(issuer).or_insert_with_key(new).clone()
}

/// The document of the project with this issuer.
pub fn of(issuer: &str) -> Value {
    let (mut reads, mut writes) = generators();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let operation = operation(route, &mut reads, &mut writes);
        let method = route.method.as_str().to_ascii_lowercase();
        paths.entry(route.path.to_owned()).or_default().insert(method, operation);
    }
    let mut schemas = reads.take_definitions(true);
    schemas.extend(writes.take_definitions(true));
    schemas.insert("Problem".into(), answers::problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Behalf: administration",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Organizations run themselves. Every refusal is a problem (RFC 9457) with a stable `code`.",
        },
        "externalDocs": { "description": "The same, for people.", "url": format!("{issuer}{BASE}/docs") },
        "servers": [{ "url": format!("{issuer}{BASE}") }],
        "security": [{ "operatorToken": [] }, { "organizationKey": [] }, { "accessToken": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": answers::headers(),
            "responses": { "MethodNotAllowed": answers::other_method() },
            "securitySchemes": security(issuer),
        },
    })
}

/// Of what is sent, and of what is answered.
fn generators() -> (SchemaGenerator, SchemaGenerator) {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    (settings.clone().for_deserialize().into_generator(), settings.for_serialize().into_generator())
}

fn security(issuer: &str) -> Value {
    let bearer = |description| json!({ "type": "http", "scheme": "bearer", "description": description });
    json!({
        "operatorToken": bearer("`behalf_op_…`, made by `behalf token create`."),
        "organizationKey": bearer("`behalf_org_…`: a key of one organization."),
        "accessToken": {
            "type": "openIdConnect",
            "openIdConnectUrl": format!("{issuer}/.well-known/openid-configuration"),
            "description": format!("A person's access token whose audience names {issuer}{BASE}. One that is bound to a key is shown as \
                 `Authorization: DPoP …` with a proof (RFC 9449)."),
        },
    })
}

fn operation(route: &Route, reads: &mut SchemaGenerator, writes: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": route.name,
        "tags": [tag(route.path)],
        "summary": route.summary,
        "description": needed(route),
        "parameters": parameters(route, reads),
        "responses": answers::responses(route, writes),
    });
    if route.need == Need::Public {
        operation["security"] = json!([]);
    }
    if let Some(schema) = (route.body)(reads) {
        let content: Map<_, _> =
            route.kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema }))).collect();
        operation["requestBody"] = json!({ "required": route.body_required, "content": content });
    }
    operation
}

/// Of what kind of thing a path is: of an organization, or what can be read below one.
fn tag(path: &'static str) -> &'static str {
    const OF_ONE: &str = "/organizations/{organization_id}/";
    let first = |path: &'static str| path.split('/').find(|part| !part.is_empty()).unwrap_or_default();
    let below = path.strip_prefix(OF_ONE).map(first);
    let is_read = |name: &&str| {
        let mut read = ROUTES.iter().filter(|route| route.method == Method::GET);
        read.any(|route| route.path.strip_prefix(OF_ONE) == Some(*name))
    };
    below.filter(is_read).unwrap_or_else(|| first(path))
}

fn needed(route: &Route) -> String {
    match route.need {
        Need::Public => "For everybody.".into(),
        Need::Any => "For every caller.".into(),
        Need::Person => "For a person, with their own access token.".into(),
        Need::Account => {
            "For a person, with their own access token, of an application that they did not have to allow."
                .into()
        }
        Need::Permitted(permission) => format!("Needs `{permission}` in the organization."),
        Need::Still(permission) => {
            format!("Needs `{permission}` in the organization, whatever its functional roles.")
        }
        Need::OwnRight(permission) => {
            format!(
                "Needs `{permission}` in the organization; nobody has it by a delegation, or by an application that they had to allow."
            )
        }
        Need::Owners(permission) => {
            format!("Needs `{permission}`; for an owner in person, and for the operator.")
        }
        Need::Operator(permission) => format!("Needs `{permission}`; for the operator alone."),
        Need::OperatorOrPerson(permission) => {
            format!("Needs `{permission}`; for the operator, and for people where the project lets them.")
        }
    }
}

fn parameters(route: &Route, reads: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters = Vec::new();
    for name in in_path(route.path) {
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "schema": { "type": "string" },
            "description": described(name),
        }));
    }
    let query = (route.query)(reads).to_value();
    let required = query["required"].as_array().cloned().unwrap_or_default();
    for (name, schema) in query["properties"].as_object().into_iter().flatten() {
        let (mut schema, mut parameter) = (schema.clone(), json!({ "name": name, "in": "query" }));
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        parameter["required"] = required.contains(&json!(name)).into();
        parameter["description"] = description.unwrap_or_default();
        // What is absent from a query is not there; it is never null.
        if let Some(kinds) = schema["type"].as_array_mut() {
            kinds.retain(|kind| kind != "null");
        }
        parameter["schema"] = schema;
        parameters.push(parameter);
    }
    let header = |name: &str, schema: Value, description: &str| json!({ "name": name, "in": "header", "required": false, "schema": schema, "description": description });
    if route.writes() {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" });
        let description = "The same request under the same key is answered once, for 24 hours.";
        parameters.push(header("Idempotency-Key", schema, description));
    }
    if route.etag && !route.writes() {
        let description = "An `ETag` that is known: what is as it says is not sent again.";
        parameters.push(header("If-None-Match", json!({ "type": "string" }), description));
    }
    if route.minds_if_match() {
        let description = "The `ETag` that the thing had when it was read.";
        let mut if_match = header("If-Match", json!({ "type": "string" }), description);
        if_match["required"] = route.codes.contains(&Code::PreconditionRequired).into();
        parameters.push(if_match);
    }
    parameters
}

/// The names in a path, in its order.
fn in_path(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn described(name: &str) -> &'static str {
    match name {
        "organization_id" => "`org_` and 26 characters, a UUID, or the slug.",
        "token" => "What the link ends with.",
        "version" => "The number of a version.",
        _ => "As it was answered, or its UUID.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name means one shape, whichever way it goes: of two, one would stand there for the other.
    #[test]
    fn s1_r00_a_shape_that_is_sent_and_answered_is_the_same_both_ways() {
        let (mut reads, mut writes) = generators();
        for route in ROUTES {
            operation(route, &mut reads, &mut writes);
        }
        let (sent, answered) = (reads.take_definitions(true), writes.take_definitions(true));
        for (name, schema) in &sent {
            assert_eq!(answered.get(name).unwrap_or(schema), schema, "{name}");
        }
    }
}
