//! Logos, fetched by us, painted anew and served by us: no customer's server learns who is signing in, and nothing but a
//! picture reaches a page (threats H26).

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::assets::not_found;
use crate::foundation::id::{ApplicationId, OrganizationId, ProjectId};
use crate::store::durable::engine::StoreError;
use crate::store::durable::{applications, organizations, projects};
use crate::web::front::Front;
use crate::web::templates::{Asset, drawn};

/// In seconds.
const KEPT: &str = "public, max-age=3600";
/// What stands in is not kept for long, for the logo may be there again soon.
const STAND_IN_KEPT: &str = "public, max-age=60";

/// `GET /assets/logo/{id}` of an organization, an application or a project. Pages have no script with which to notice that a picture
/// is missing, so there always is one.
pub async fn logo(State(front): State<Front>, Path(id): Path<String>) -> Response {
    let Ok(Some(owner)) = owner(&front, &id).await else { return not_found() };
    let Some(address) = &owner.logo_uri else { return stand_in(owner.stand_in) };
    match front.broker.documents.logo(&id, address).await {
        Ok((bytes, kind)) => reply(bytes, kind, KEPT, PICTURE),
        Err(why) => {
            tracing::warn!(owner = id, why = why.explained(), "a logo cannot be shown");
            stand_in(owner.stand_in)
        }
    }
}

struct Owner {
    logo_uri: Option<String>,
    /// The initials of an organization or an application; the mark of the house for a project.
    stand_in: Option<Asset>,
}

async fn owner(front: &Front, id: &str) -> Result<Option<Owner>, StoreError> {
    let db = &front.broker.db;
    if let Ok(id) = id.parse::<OrganizationId>() {
        let found = organizations::shown(&mut &*db, id).await?;
        return Ok(found.map(|(name, logo_uri)| Owner { logo_uri, stand_in: Some(drawn(&name)) }));
    }
    if let Ok(id) = id.parse::<ApplicationId>() {
        let found = applications::enabled(&mut &*db, id).await?;
        return Ok(found.map(|application| Owner {
            logo_uri: application.settings.client.links.logo_uri.clone().map(String::from),
            stand_in: Some(drawn(&application.display_name)),
        }));
    }
    let Ok(id) = id.parse::<ProjectId>() else { return Ok(None) };
    let found = projects::by_id(&mut &*db, id).await?;
    Ok(found.map(|project| Owner {
        logo_uri: project.settings.brand.logo_uri.clone(),
        stand_in: front.templates.asset("mark.svg"),
    }))
}

fn stand_in(asset: Option<Asset>) -> Response {
    asset.map_or_else(not_found, |asset| reply(asset.bytes, asset.content_type, STAND_IN_KEPT, DRAWING))
}

fn reply(bytes: Bytes, kind: &'static str, kept: &'static str, policy: &'static str) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// Opened by itself it may do nothing.
const PICTURE: &str = "default-src 'none'; sandbox";
/// What we draw has a style for dark pages.
const DRAWING: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
