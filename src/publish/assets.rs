//! The files that pages refer to.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::foundation::id::ProjectId;
use crate::store::durable::projects;
use crate::web::front::Front;
use crate::web::reply;
use crate::web::templates::{Asset, Brand};

/// `GET /assets/{*path}`
pub async fn file(State(front): State<Front>, headers: HeaderMap, Path(path): Path<String>) -> Response {
    front.templates.asset(&path).map_or_else(not_found, |asset| serve(&headers, asset))
}

/// `GET /assets/brand/{file}`: the colours of a project.
pub async fn brand(State(front): State<Front>, headers: HeaderMap, Path(file): Path<String>) -> Response {
    let Some(id) = file.strip_suffix(".css").and_then(|id| id.parse::<ProjectId>().ok()) else {
        return not_found();
    };
    let Ok(Some(project)) = projects::by_id(&mut &front.broker.db, id).await else { return not_found() };
    let mut brand = Brand::named(id.to_string(), project.brand_name());
    brand.accent = project.settings.brand.accent.as_deref().and_then(|text| text.parse().ok());
    brand.stylesheet().map_or_else(not_found, |asset| serve(&headers, asset))
}

pub fn not_found() -> Response {
    reply::problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

fn serve(headers: &HeaderMap, asset: Asset) -> Response {
    let known =
        headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(asset.etag.as_str());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { asset.bytes.into_response() };
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    // A picture of ours is no document: opened by itself it may do nothing.
    fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        fields.insert(header::ETAG, etag);
    }
    response
}
