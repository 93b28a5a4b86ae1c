//! Logos, fetched by us and served by us: no customer's server learns who is signing in, and nothing but a picture
//! reaches a page (threats H26).

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::assets::not_found;
use crate::broker::Broker;
use crate::foundation::id::{OrganizationId, ProjectId};
use crate::store::durable::{organizations, projects};
use crate::web::front::Front;

/// `GET /assets/logo/{id}` of an organization or a project.
pub async fn logo(State(front): State<Front>, Path(id): Path<String>) -> Response {
    picture(&front.broker, &id).await.unwrap_or_else(not_found)
}

async fn picture(broker: &Broker, id: &str) -> Option<Response> {
    let address = address(broker, id).await?;
    let url = Url::parse(&address).ok()?;
    let bytes = broker.documents.logo(id, &url, |bytes| raster(bytes).is_some()).await.ok()?;
    let kind = raster(&bytes)?;
    let mut response = bytes.as_ref().clone().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    Some(response)
}

async fn address(broker: &Broker, id: &str) -> Option<String> {
    if let Ok(id) = id.parse::<OrganizationId>() {
        return organizations::logo_uri(&mut &broker.db, id).await.ok()?;
    }
    let project = projects::by_id(&mut &broker.db, id.parse::<ProjectId>().ok()?).await.ok()??;
    project.settings.brand.logo_uri
}

/// By what it is, not by what it is called. SVG is a document, and refused.
fn raster(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h26_only_pictures_are_logos() {
        assert_eq!(raster(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(raster(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), None);
        assert_eq!(raster(b"<!doctype html>"), None);
        assert_eq!(raster(b""), None);
    }
}
