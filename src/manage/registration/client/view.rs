//! A client as it is told of itself.

use serde_json::{Map, Value, json};

use crate::model::application::{Application, ApplicationKind, GrantType};
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_certificate::CertificateSubject;
use crate::protocol::oauth::redirect_uri::{RedirectUri, WebAddress};

/// The client as it is registered now, in the words in which it registers.
pub fn shown(application: &Application) -> Map<String, Value> {
    let settings = &application.settings;
    let (client, sign_out, requests) = (&settings.client, &settings.sign_out, &settings.requests);
    let request_uris: Vec<_> = requests.request_uris.iter().map(|uri| uri.as_str().to_owned()).collect();
    let signs_in = settings.may_use(GrantType::AuthorizationCode);
    let uris =
        |list: &[RedirectUri]| -> Vec<String> { list.iter().map(|uri| uri.as_str().to_owned()).collect() };
    let address = |uri: &Option<WebAddress>| uri.as_ref().map(|uri| uri.as_str().to_owned());
    let all = json!({
        "client_id": application.client_id,
        "client_id_issued_at": application.created_at.seconds(),
        "client_name": application.display_name,
        "application_type": match settings.kind {
            ApplicationKind::Native | ApplicationKind::Device => "native",
            _ => "web",
        },
        "redirect_uris": uris(&settings.redirect_uris),
        "response_types": if signs_in { vec!["code"] } else { Vec::new() },
        "grant_types": settings.grant_types,
        "token_endpoint_auth_method": settings.authentication,
        "scope": settings.scopes.join(" "),
        "jwks": settings.jwks,
        "jwks_uri": address(&client.jwks_uri),
        "subject_type": client.subject_type,
        "sector_identifier_uri": address(&client.sector_identifier_uri),
        "id_token_signed_response_alg": settings.algorithm.name(),
        "userinfo_signed_response_alg": client.userinfo_algorithm.map(Algorithm::name),
        "initiate_login_uri": settings.initiate_login_uri.as_ref().map(RedirectUri::as_str),
        "post_logout_redirect_uris": uris(&sign_out.post_logout_redirect_uris),
        "backchannel_logout_uri": address(&sign_out.backchannel_logout_uri),
        "backchannel_logout_session_required": sign_out.backchannel_logout_session_required,
        "frontchannel_logout_uri": address(&sign_out.frontchannel_logout_uri),
        "frontchannel_logout_session_required": sign_out.frontchannel_logout_session_required,
        "organization_usage": settings.organization_usage,
        "dpop_bound_access_tokens": settings.sender.dpop_bound_access_tokens,
        "tls_client_certificate_bound_access_tokens": settings.sender.tls_client_certificate_bound_access_tokens,
        "logo_uri": address(&client.links.logo_uri),
        "policy_uri": address(&client.links.policy_uri),
        "tos_uri": address(&client.links.tos_uri),
        "require_pushed_authorization_requests": requests.require_pushed,
        "require_signed_request_object": requests.require_signed,
        "require_pkce": requests.require_pkce,
        "authorization_signed_response_alg": requests.response_algorithm.map(Algorithm::name),
        "default_max_age": requests.default_max_age,
        "require_auth_time": requests.require_auth_time,
        "request_uris": (!request_uris.is_empty()).then_some(request_uris),
    });
    let Value::Object(mut all) = all else { return Map::new() };
    if let Some((name, text)) = settings.sender.certificate.as_ref().map(CertificateSubject::shown) {
        all.insert(name.to_owned(), json!(text));
    }
    all.retain(|_, value| !value.is_null());
    all
}
