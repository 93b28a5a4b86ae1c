//! What an operation is, and what its route in the table says of it.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::serve::served;
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::web::front::Front;
use crate::web::json;

/// What a route is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The project as a whole.
    Project,
    /// The organization that `{organization_id}` names: by id, UUID or slug.
    Organization,
    /// The same; for the operator it may be one that is still to be made.
    OrganizationOrNew,
    /// The same, and one that is deleted is found, too; only the operator needs that.
    OrganizationOrDeleted,
    /// The organization that query or body name ([`Operation::organization`]), or the caller's own.
    Asked,
    /// The organization that query or body name, or the caller's own; if there is none, what is the project's own, which
    /// is the operator's.
    AskedOrProjects,
    /// The same; for the operator, one that is deleted, or purged, is found, too: its trail outlives it (model.md, tension
    /// 12).
    TrailAsked,
    /// A thing with an id of its own in the path.
    Thing(Thing),
}

/// What has an id in the path, and belongs to an organization, to two, or to the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    Connection,
    Application,
    Delegation,
    ApiKey,
    Role,
    RegistrationToken,
}

impl Thing {
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Connection => "connection_id",
            Self::Application => "application_id",
            Self::Delegation => "delegation_id",
            Self::ApiKey => "api_key_id",
            Self::Role => "role_id",
            Self::RegistrationToken => "registration_token_id",
        }
    }
}

/// One door of the API. Router, authority and document read it, and nothing else says anything of it.
pub trait Operation: Send + Sync + 'static {
    const METHOD: Method;
    /// Below [`super::BASE`].
    const PATH: &'static str;
    /// Its name in the document and in the audit trail.
    const NAME: &'static str;
    /// One sentence for the document.
    const SUMMARY: &'static str;
    const NEED: Need;
    const AT: At;
    /// How it answers when all is well.
    const STATUS: &'static [u16];
    /// What it refuses, beyond what every route does. A write that minds `If-Match` says so by
    /// [`Code::PreconditionFailed`]; every other one refuses that header.
    const CODES: &'static [Code] = &[];
    /// Whether its answer has an `ETag`.
    const ETAG: bool = false;
    /// For a person: within what time they must have proved who they are.
    const FRESH: Option<Duration> = None;
    /// The largest body that is read, in bytes; absent: as of every request.
    const LARGEST: Option<usize> = None;
    /// What it answers as. Anything but JSON is a text.
    const KIND: &'static str = "application/json";

    type Query: DeserializeOwned + JsonSchema + Send + Sync;
    type Body: Body;
    type Answer: Serialize + JsonSchema;

    /// The organization that query or body name: of [`At::Asked`], what the request is about; of whatever else, for the
    /// trail.
    fn organization<'a>(_query: &'a Self::Query, _body: &'a Self::Body) -> Option<&'a str> {
        None
    }

    fn run(
        desk: Desk,
        query: Self::Query,
        body: Self::Body,
    ) -> impl Future<Output = Result<Answer<Self::Answer>, Refused>> + Send;
}

/// A query without any parameter.
#[derive(Clone, Copy, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

/// What a body is read as.
pub trait Body: Sized + Send + Sync {
    /// The content types that it may come as; none: no body is taken.
    const KINDS: &'static [&'static str];
    /// Whether there must be one.
    const REQUIRED: bool = true;
    fn read(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Refused>;
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema>;
}

/// No body is taken.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

impl Body for NoBody {
    const KINDS: &'static [&'static str] = &[];
    fn read(_: &HeaderMap, bytes: &Bytes) -> Result<Self, Refused> {
        let empty = Refused::new(Code::BodyUnexpected, Code::BodyUnexpected.title());
        if bytes.is_empty() { Ok(Self) } else { Err(empty) }
    }
    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }
}

/// A whole object.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + JsonSchema + Send + Sync> Body for Json<T> {
    const KINDS: &'static [&'static str] = &["application/json"];
    fn read(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Refused> {
        Ok(Self(json::read(headers, Self::KINDS, bytes)?))
    }
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(generator.subschema_for::<T>())
    }
}

/// A whole object, or nothing at all, which says as much as an empty one.
#[derive(Clone, Copy, Debug)]
pub struct MaybeJson<T>(pub T);

impl<T: DeserializeOwned + Default + JsonSchema + Send + Sync> Body for MaybeJson<T> {
    const KINDS: &'static [&'static str] = Json::<T>::KINDS;
    const REQUIRED: bool = false;
    fn read(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Refused> {
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        Json::read(headers, bytes).map(|read| Self(read.0))
    }
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Json::<T>::schema(generator)
    }
}

/// A change of some members (RFC 7396): what is absent stays, `null` clears.
#[derive(Clone, Copy, Debug)]
pub struct MergePatch<T>(pub T);

impl<T: DeserializeOwned + JsonSchema + Send + Sync> Body for MergePatch<T> {
    const KINDS: &'static [&'static str] = &["application/merge-patch+json", "application/json"];
    fn read(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Refused> {
        Ok(Self(json::read(headers, Self::KINDS, bytes)?))
    }
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(generator.subschema_for::<T>())
    }
}

/// Whether an operation that may be refused for these is done only to what is still as `If-Match` says.
pub fn minds_if_match(codes: &[Code]) -> bool {
    codes.contains(&Code::PreconditionFailed)
}

/// A line of the table: an operation, without its types.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub name: &'static str,
    pub summary: &'static str,
    pub need: Need,
    pub at: At,
    pub status: &'static [u16],
    pub codes: &'static [Code],
    pub etag: bool,
    pub fresh: Option<Duration>,
    pub largest: Option<usize>,
    pub kind: &'static str,
    pub kinds: &'static [&'static str],
    pub body_required: bool,
    pub query: fn(&mut SchemaGenerator) -> Schema,
    pub body: fn(&mut SchemaGenerator) -> Option<Schema>,
    pub answer: fn(&mut SchemaGenerator) -> Schema,
    pub serve: fn(Front, axum::extract::Request) -> BoxFuture<'static, axum::response::Response>,
}

impl Route {
    pub fn writes(&self) -> bool {
        self.method != Method::GET
    }

    pub fn minds_if_match(&self) -> bool {
        self.writes() && minds_if_match(self.codes)
    }

    pub const fn of<O: Operation>() -> Self {
        Self {
            method: O::METHOD,
            path: O::PATH,
            name: O::NAME,
            summary: O::SUMMARY,
            need: O::NEED,
            at: O::AT,
            status: O::STATUS,
            codes: O::CODES,
            etag: O::ETAG,
            fresh: O::FRESH,
            largest: O::LARGEST,
            kind: O::KIND,
            kinds: O::Body::KINDS,
            body_required: O::Body::REQUIRED,
            query: |generator| O::Query::json_schema(generator),
            body: |generator| O::Body::schema(generator),
            answer: |generator| generator.subschema_for::<O::Answer>(),
            serve: |front, request| Box::pin(served::<O>(front, request)),
        }
    }
}
