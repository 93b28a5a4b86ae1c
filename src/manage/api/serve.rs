//! The one way from a request to an operation: caller, limit, target, authority, query and body; then the answer, or
//! the refusal and the event that tells of it.

use axum::extract::{FromRequestParts, Request};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;

use super::page;
use super::place::Place;
use super::route::{At, Body, Operation, minds_if_match};
use crate::audit;
use crate::foundation::id::OrganizationId;
use crate::foundation::secret::Digest;
use crate::manage::authority::{Need, Standing, Target};
use crate::manage::caller::{self, Caller};
use crate::manage::desk::{self, Answer, Asked, Desk, Reply, Wanted, names_etag};
use crate::manage::refused::{Code, Refused, Told};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::problem::{self, Problem};
use crate::telemetry::names;
use crate::web::dpop::Scheme;
use crate::web::front::Front;
use crate::web::visitor::Visitor;
use crate::web::{coding, dpop, json, query, reply};

/// Serves one operation.
pub async fn served<O: Operation>(front: Front, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let visitor = match Visitor::from_request_parts(&mut parts, &front).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    let mut response = told::<O>(&front, &visitor, parts, body).await;
    dpop::hand_out(&visitor, response.headers_mut());
    response
}

async fn told<O: Operation>(
    front: &Front,
    visitor: &Visitor,
    mut parts: Parts,
    body: axum::body::Body,
) -> Response {
    let caller =
        if O::NEED == Need::Public { caller::anybody(visitor).await } else { caller::of(visitor).await };
    let caller = match caller {
        Ok(caller) => caller,
        Err(refused) => return shown(visitor, refused).await,
    };
    // Only of callers that are known, and as much as the server reads.
    let bytes = json::bytes(Request::from_parts(parts.clone(), body), front).await;
    if let Ok(bytes) = &bytes {
        match replayed(visitor, &caller, &parts, bytes).await {
            Ok(Some(reply)) => match may_still::<O>(visitor, &caller) {
                Ok(()) => return answered::<O>(visitor, &parts, &reply, true),
                Err(refused) => {
                    let refused =
                        noted::<O>(visitor, &caller, (caller.organization(), Subject::NONE), refused);
                    return shown(visitor, refused.await).await;
                }
            },
            Ok(None) => {}
            Err(refused) => return shown(visitor, refused).await,
        }
    }
    let read = Read::<O>::of(&parts, bytes);
    let asked = read.as_ref().ok().and_then(|read| O::organization(&read.query, &read.body));
    // Who says nothing that can be read names no organization either, and is told what is wrong.
    let at = if read.is_err() && O::AT == At::Asked && caller.organization().is_none() {
        At::Project
    } else {
        O::AT
    };
    let place = match Place::of(visitor, &caller, at, &mut parts, asked).await {
        Ok(place) => place,
        Err(refused) => return shown(visitor, refused).await,
    };
    let wanted = Wanted { need: O::NEED, fresh: O::FRESH, target: place.target };
    let verdict = wanted.of(&caller.standing, visitor.broker().now());
    let trail = trail(&caller, &place, verdict.is_ok());
    let target = Subject::of(&place, verdict.is_ok());
    let outcome = match verdict {
        Ok(()) => run::<O>(visitor, &caller, (place, wanted), &parts, read).await,
        Err(refused) => Err(refused),
    };
    match outcome {
        Ok(answer) => answered::<O>(visitor, &parts, &answer.reply, answer.is_replayed),
        Err(refused) => {
            let refused = noted::<O>(visitor, &caller, (trail, target), refused).await;
            shown(visitor, refused).await
        }
    }
}

/// What a request says, besides its path.
struct Read<O: Operation> {
    query: O::Query,
    body: O::Body,
    bytes: Bytes,
}

impl<O: Operation> Read<O> {
    fn of(parts: &Parts, bytes: Result<Bytes, json::Unreadable>) -> Result<Self, Refused> {
        let query = query::read(parts.uri.query())?;
        let bytes = bytes?;
        let body = O::Body::read(&parts.headers, &bytes)?;
        Ok(Self { query, body, bytes })
    }
}

async fn run<O: Operation>(
    visitor: &Visitor,
    caller: &Caller,
    (place, wanted): (Place, Wanted),
    parts: &Parts,
    read: Result<Read<O>, Refused>,
) -> Result<Answer<O::Answer>, Refused> {
    let if_match = if_match::<O>(&parts.headers)?;
    let Read { query, body, bytes } = read?;
    let asked = Asked {
        wanted,
        if_match,
        idempotency_key: idempotency_key(parts)?,
        fingerprint: fingerprint(visitor, parts, &bytes),
        list: page::list(
            O::NAME,
            (&visitor.project, caller),
            (place.organization.as_ref(), &place.params),
            parts.uri.query(),
        ),
    };
    let desk = Desk {
        visitor: visitor.clone(),
        caller: caller.clone(),
        now: visitor.broker().now(),
        organization: place.organization,
        params: place.params,
        asked,
    };
    O::run(desk, query, body).await
}

/// What was answered before to the same request. Who names none, or names it wrongly, has none.
async fn replayed(
    visitor: &Visitor,
    caller: &Caller,
    parts: &Parts,
    body: &[u8],
) -> Result<Option<Reply>, Refused> {
    let Ok(Some(key)) = idempotency_key(parts) else { return Ok(None) };
    if matches!(caller.standing, Standing::Inactive(_) | Standing::KeysOff(_) | Standing::Nobody) {
        return Ok(None);
    }
    desk::replayed(visitor, caller, &key, fingerprint(visitor, parts, body)).await
}

/// Whether a caller may do now what was done for them before, whatever its path leads to by now: what was shown once is
/// shown again only to who could have it made.
fn may_still<O: Operation>(visitor: &Visitor, caller: &Caller) -> Result<(), Refused> {
    let own = caller.organization().filter(|_| O::AT != At::Project);
    let target = own.map_or(Target::Project, Target::Organization);
    Wanted { need: O::NEED, fresh: O::FRESH, target }.of(&caller.standing, visitor.broker().now())
}

/// A header that may stand there once.
fn one(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refused> {
    let mut all = headers.get_all(name).iter();
    let (first, second) = (all.next(), all.next());
    let Some(value) = first else { return Ok(None) };
    match (value.to_str(), second) {
        (Ok(text), None) => Ok(Some(text.to_owned())),
        _ => Err(Refused::parameter(name, "must be one line of visible ASCII characters")),
    }
}

/// What the caller has read before they write it. Where nothing has an `ETag`, whoever relies on one is told so.
fn if_match<O: Operation>(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let said = one(headers, header::IF_MATCH.as_str())?;
    if said.is_some() && O::METHOD != Method::GET && !minds_if_match(O::CODES) {
        return Err(Refused::by(Code::IfMatchUnexpected));
    }
    Ok(said)
}

/// Characters of what a request names that the trail keeps.
const LONGEST_NAMED: usize = 64;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

fn idempotency_key(parts: &Parts) -> Result<Option<String>, Refused> {
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return Ok(None);
    }
    let key = one(&parts.headers, IDEMPOTENCY_KEY)?;
    let fine =
        |key: &String| (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    match key {
        Some(key) if !fine(&key) => {
            Err(Refused::parameter(IDEMPOTENCY_KEY, "must be 1 to 255 visible ASCII characters"))
        }
        key => Ok(key),
    }
}

/// What makes a request the same one. Each part is told apart from the next by its length.
fn fingerprint(visitor: &Visitor, parts: &Parts, body: &[u8]) -> Digest {
    let path = visitor.path(parts.uri.path());
    let (method, query) = (parts.method.as_str(), parts.uri.query().unwrap_or_default());
    let mut text = Vec::new();
    for part in [method.as_bytes(), path.as_bytes(), query.as_bytes(), body] {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    Digest::of(&text)
}

/// In whose trail a refusal stands: the organization's, if the caller may be heard there; else the caller's own.
fn trail(caller: &Caller, place: &Place, is_heard: bool) -> Option<OrganizationId> {
    match &place.organization {
        Some(organization) if is_heard => Some(organization.id),
        _ => caller.organization(),
    }
}

/// What a refusal was about: the organization, and what the request called it. Of one that is hidden the caller's trail
/// holds no more than they wrote.
struct Subject {
    organization: Option<OrganizationId>,
    named: String,
}

impl Subject {
    /// What was done before is not looked up again.
    const NONE: Self = Self { organization: None, named: String::new() };

    fn of(place: &Place, is_heard: bool) -> Self {
        let organization = place.organization.as_ref().filter(|_| is_heard).map(|found| found.id);
        Self { organization, named: place.named().chars().take(LONGEST_NAMED).collect() }
    }

    fn told(self, event: AuditEvent) -> AuditEvent {
        let event = if self.named.is_empty() { event } else { event.with("target", self.named) };
        match self.organization {
            Some(id) => event.subject(id),
            None => event,
        }
    }
}

/// Writes a refusal down, always: a caller that is known has a limit of their own. What cannot be written down becomes
/// a fault of ours.
async fn noted<O: Operation>(
    visitor: &Visitor,
    caller: &Caller,
    (trail, subject): (Option<OrganizationId>, Subject),
    refused: Refused,
) -> Refused {
    if !matches!(refused, Refused::Told(_)) || refused.code() == Code::AuditUnavailable {
        return refused;
    }
    let event = AuditEvent::new(visitor.project.id, "api.refused", Outcome::Refused)
        .organization(trail)
        .actor(caller.actor())
        .reason(refused.code().word())
        .request(Some(visitor.request))
        .with("operation", O::NAME);
    let event = subject.told(event);
    let event = match caller.by() {
        Some(by) => by.told(event),
        None => event,
    };
    let broker = visitor.broker();
    let (random, now) = (broker.random.clone(), broker.now());
    match broker.db.write(async move |tx| audit::record(tx, &random, now, &event).await).await {
        Ok(()) => refused,
        Err(error) => Refused::unrecorded(error),
    }
}

fn answered<O: Operation>(visitor: &Visitor, parts: &Parts, reply: &Reply, is_replayed: bool) -> Response {
    let Reply { status, etag, location, file, body } = reply;
    let looks = matches!(parts.method, Method::GET | Method::HEAD);
    let known = parts.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = looks && etag.as_ref().zip(known).is_some_and(|(etag, known)| names_etag(known, etag));
    let status = if unchanged { 304 } else { *status };
    let body: Bytes = match body {
        _ if unchanged => Bytes::new(),
        Value::Null => Bytes::new(),
        Value::String(text) if O::KIND != "application/json" => text.clone().into(),
        body => body.to_string().into(),
    };
    let is_empty = body.is_empty();
    let mut response = plain(status, O::KIND, body);
    let headers = response.headers_mut();
    if is_empty {
        headers.remove(header::CONTENT_TYPE);
    }
    let location = location.as_ref().map(|path| visitor.path(path));
    // Of slugs and days: nothing in it needs to be quoted (RFC 6266, section 4.1).
    let file = file.as_ref().map(|name| format!("attachment; filename=\"{name}\""));
    let more = [
        (header::ETAG, etag.as_ref()),
        (header::LOCATION, location.as_ref()),
        (header::CONTENT_DISPOSITION, file.as_ref()),
    ];
    for (name, value) in more {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    if is_replayed {
        headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    response
}

fn plain(status: u16, kind: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(axum::body::Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply::no_store(response.headers_mut());
    response
}

fn plain_told(code: Code, detail: String) -> Told {
    Told { code, detail, errors: Vec::new(), max_age: None, retry_after: None, more: serde_json::Map::new() }
}

/// Whatever is wrong with it reads alike.
const NOT_VALID: &str = "the token or key is not valid here, or not shown as it is bound";

pub(super) async fn shown(visitor: &Visitor, refused: Refused) -> Response {
    let told = match refused {
        Refused::Told(told) => *told,
        Refused::Conflict => plain_told(Code::Busy, Code::Busy.title().into()),
        Refused::Failed(fault) => {
            visitor.report(&fault).await;
            let detail = format!("our own failure; quote {}", visitor.request);
            plain_told(Code::ServerError, detail)
        }
    };
    let Told { code, detail, errors, max_age, retry_after, more } = told;
    names::api_refused(code.word());
    // Who shows a token is told that it is not good (RFC 6750, section 3); who shows it as bound, what that needs (RFC 9449,
    // section 7.1).
    let scheme = dpop::shown(&visitor.headers).map(|(scheme, _)| scheme);
    let proof = dpop::challenge(Some(&OAuthError::invalid_dpop_proof(detail.clone())));
    let problem = Problem {
        kind: problem::kind(&visitor.issuer(), code.word()),
        title: code.title(),
        status: code.status(),
        code: code.word(),
        detail,
        request_id: visitor.request.to_string(),
        errors,
        more,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = plain(code.status(), "application/problem+json", body.into());
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if code == Code::UnsupportedContentEncoding {
        coding::advise(&mut response);
    }
    let challenge = match max_age {
        // RFC 9470, section 3.
        Some(age) => Some(format!(
            "Bearer realm=\"api\", error=\"insufficient_user_authentication\", max_age=\"{age}\""
        )),
        None => match code {
            Code::Unauthenticated if scheme == Some(Scheme::Bearer) => Some(format!(
                "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"{NOT_VALID}\""
            )),
            Code::Unauthenticated => Some("Bearer realm=\"api\"".to_owned()),
            Code::DpopProofInvalid => Some(proof),
            // RFC 9449, section 9.
            Code::DpopNonceWanted => {
                let error = OAuthError::use_dpop_nonce(code.title());
                Some(dpop::challenge(Some(&error)))
            }
            Code::TokenWithoutMfa | Code::TokenWithoutSso => {
                Some("Bearer realm=\"api\", error=\"insufficient_user_authentication\"".to_owned())
            }
            _ => None,
        },
    };
    if let Some(challenge) = challenge.and_then(|challenge| HeaderValue::from_str(&challenge).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    if code == Code::Unauthenticated {
        let shown_as_bound = scheme == Some(Scheme::Dpop);
        let error = shown_as_bound.then(|| OAuthError::invalid_token(NOT_VALID));
        dpop::challenge_too(response.headers_mut(), &dpop::challenge(error.as_ref()));
    }
    response
}
