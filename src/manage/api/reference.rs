//! The document of the API for people: the same that programs read, as a page; and a page of every code that a problem may
//! have, to which its `type` leads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use super::BASE;
use super::openapi;
use super::serve::shown;
use crate::manage::caller;
use crate::manage::refused::Code;
use crate::web::templates::{
    Page, ProblemRow, ProblemsPage, ReferenceMember, ReferenceOperation, ReferencePage, ReferenceRoom,
    ReferenceShape,
};
use crate::web::visitor::Visitor;

/// `GET /api/v1/docs`: for everybody.
pub async fn reference(visitor: Visitor) -> Response {
    if let Err(refused) = caller::anybody(&visitor).await {
        return shown(&visitor, refused).await;
    }
    let page = ReferencePage {
        document: visitor.path(&format!("{BASE}/openapi.json")),
        problems: visitor.path(&format!("{BASE}/problems")),
        ..(*made(visitor.issuer())).clone()
    };
    visitor.page(StatusCode::OK, &Page::Reference(page), None, &[])
}

/// `GET /api/v1/problems`: for everybody.
pub async fn problems(visitor: Visitor) -> Response {
    if let Err(refused) = caller::anybody(&visitor).await {
        return shown(&visitor, refused).await;
    }
    let row = |code: &Code| ProblemRow {
        code: code.word().to_owned(),
        status: code.status(),
        title: code.title().to_owned(),
    };
    let mut problems: Vec<_> = Code::ALL.iter().map(row).collect();
    problems.sort_by(|one, other| one.code.cmp(&other.code));
    let page = ProblemsPage { reference: visitor.path(&format!("{BASE}/docs")), problems };
    visitor.page(StatusCode::OK, &Page::Problems(page), None, &[])
}

/// The page of an issuer, made once, as its document is.
fn made(issuer: String) -> Arc<ReferencePage> {
    static ALL: OnceLock<Mutex<BTreeMap<String, Arc<ReferencePage>>>> = OnceLock::new();
    let mut all = ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(issuer).or_insert_with_key(|issuer| Arc::new(of(&openapi::of(issuer)))))
}

fn of(document: &Value) -> ReferencePage {
    let mut rooms: Vec<ReferenceRoom> = Vec::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        let name = room(path);
        let place = rooms.iter().position(|room| room.name == name).unwrap_or_else(|| {
            rooms.push(ReferenceRoom { name: name.to_owned(), operations: Vec::new() });
            rooms.len() - 1
        });
        for (method, operation) in operations.as_object().into_iter().flatten() {
            rooms[place].operations.push(described(path, method, operation));
        }
    }
    rooms.sort_by(|one, other| one.name.cmp(&other.name));
    let shapes = document["components"]["schemas"].as_object().into_iter().flatten();
    ReferencePage {
        version: text(&document["info"]["version"]),
        base: text(&document["servers"][0]["url"]),
        document: String::new(),
        problems: String::new(),
        rooms,
        shapes: shapes.map(|(name, schema)| shape(name, schema)).collect(),
    }
}

/// Under what a path is found: what an organization has stands beside what the project has.
fn room(path: &str) -> &str {
    let own = path.strip_prefix("/organizations/{organization_id}/").unwrap_or(path);
    own.split('/').find(|part| !part.is_empty()).unwrap_or_default()
}

fn described(path: &str, method: &str, operation: &Value) -> ReferenceOperation {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let responses = || operation["responses"].as_object().into_iter().flatten();
    let is_refusal = |status: &str| status.starts_with(['4', '5']);
    let codes = |answer: &Value| {
        answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    ReferenceOperation {
        id: text(&operation["operationId"]),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        needs: text(&operation["description"]),
        parameters: parameters.map(parameter).collect(),
        body: contents(&operation["requestBody"]["content"], operation["requestBody"]["required"] == true),
        answers: responses()
            .filter(|(status, _)| !is_refusal(status))
            .flat_map(|(status, answer)| answered(status, answer))
            .collect(),
        refusals: responses()
            .filter(|(status, _)| is_refusal(status))
            .flat_map(|(_, answer)| codes(answer))
            .map(|code| text(&code))
            .collect(),
    }
}

fn parameter(parameter: &Value) -> ReferenceMember {
    ReferenceMember {
        name: text(&parameter["name"]),
        kind: kind(&parameter["schema"]),
        shape: None,
        place: Some(text(&parameter["in"])),
        required: parameter["required"] == true,
        about: said(&parameter["description"]),
    }
}

/// What may be sent or is answered, by its media type.
fn contents(content: &Value, required: bool) -> Vec<ReferenceMember> {
    let content = content.as_object().into_iter().flatten();
    content
        .map(|(media_type, content)| ReferenceMember {
            name: media_type.clone(),
            kind: kind(&content["schema"]),
            shape: referred(&content["schema"]),
            place: None,
            required,
            about: None,
        })
        .collect()
}

fn answered(status: &str, answer: &Value) -> Vec<ReferenceMember> {
    let all = contents(&answer["content"], false);
    if all.is_empty() {
        let about = said(&answer["description"]);
        let (name, kind) = (status.to_owned(), "no body".to_owned());
        return vec![ReferenceMember { name, kind, shape: None, place: None, required: false, about }];
    }
    let named = |one: ReferenceMember| {
        let (media_type, name) = (Some(one.name), status.to_owned());
        ReferenceMember { name, place: media_type, ..one }
    };
    all.into_iter().map(named).collect()
}

fn shape(name: &str, schema: &Value) -> ReferenceShape {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let member = |(name, schema): (&String, &Value)| ReferenceMember {
        name: name.clone(),
        kind: kind(schema),
        shape: referred(schema).or_else(|| referred(&schema["items"])),
        place: None,
        required: required.iter().any(|one| one == name),
        about: said(&schema["description"]),
    };
    let members = schema["properties"].as_object().into_iter().flatten().map(member).collect();
    ReferenceShape { name: name.to_owned(), about: said(&schema["description"]), members }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn said(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The shape that a schema is, if it has a name.
fn referred(schema: &Value) -> Option<String> {
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let of_some = |all: &Value| all.as_array().and_then(|all| all.iter().find_map(referred));
    name.map(str::to_owned).or_else(|| of_some(&schema["anyOf"]))
}

/// In a few words, of what type a value is.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return name.to_owned();
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> =
            values.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
        return values.join(" | ");
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(all) = schema[several].as_array().filter(|_| schema["type"].is_null()) {
            return all.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let name = match &schema["type"] {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    match (&schema["items"], &schema["format"]) {
        (Value::Object(_), _) => format!("{name} of {}", kind(&schema["items"])),
        (_, Value::String(format)) => format!("{name} ({format})"),
        _ => name,
    }
}
