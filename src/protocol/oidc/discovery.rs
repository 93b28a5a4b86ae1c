//! Provider metadata (OpenID Connect Discovery, section 3; RFC 8414; RFC 9207).

use serde_json::{Value, json};

use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::response_mode::ResponseMode;
use crate::protocol::oauth::{
    authorization, client_authentication, device, dpop, exchange, request_object, scope,
};

/// What clients may prove by a certificate that they show in TLS (RFC 8705), as the operator has set it up.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByCertificate<'a> {
    /// Whether any can be shown.
    pub shown: bool,
    /// Whether there are authorities to vouch for them.
    pub vouched_for: bool,
    /// The issuer's address where they are shown, if that is another one.
    pub issuer: Option<&'a str>,
}

/// The doors at which a certificate may be shown.
pub const ALIASED: [(&str, &str); 6] = [
    ("pushed_authorization_request_endpoint", "/par"),
    ("token_endpoint", "/token"),
    ("device_authorization_endpoint", "/device_authorization"),
    ("revocation_endpoint", "/revoke"),
    ("introspection_endpoint", "/introspect"),
    ("userinfo_endpoint", "/userinfo"),
];

/// The discovery document of an issuer. `registers`: whether clients register themselves there.
pub fn document(issuer: &str, registers: bool, by_certificate: ByCertificate<'_>) -> Value {
    let mut document = without_certificates(issuer, registers);
    if !by_certificate.shown {
        return document;
    }
    document["tls_client_certificate_bound_access_tokens"] = json!(true);
    let vouched_for = by_certificate.vouched_for.then_some("tls_client_auth");
    let more = || vouched_for.into_iter().chain(["self_signed_tls_client_auth"]).map(Value::from);
    for endpoint in ["token", "revocation", "introspection"] {
        if let Value::Array(methods) = &mut document[format!("{endpoint}_endpoint_auth_methods_supported")] {
            methods.extend(more());
        }
    }
    if let Some(issuer) = by_certificate.issuer {
        let aliases = ALIASED.map(|(name, path)| (name.to_owned(), json!(format!("{issuer}{path}"))));
        document["mtls_endpoint_aliases"] = Value::Object(aliases.into_iter().collect());
    }
    document
}

fn without_certificates(issuer: &str, registers: bool) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "device_authorization_endpoint": at("/device_authorization"),
        "revocation_endpoint": at("/revoke"),
        "introspection_endpoint": at("/introspect"),
        "jwks_uri": at("/jwks.json"),
        "end_session_endpoint": at("/logout"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        "grant_types_supported": GRANT_TYPES,
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        "userinfo_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": client_authentication::ALGORITHMS.map(Algorithm::name),
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": client_authentication::ALGORITHMS.map(Algorithm::name),
        // Not for who cannot prove who it is.
        "introspection_endpoint_auth_methods_supported": &METHODS[..3],
        "introspection_endpoint_auth_signing_alg_values_supported": client_authentication::ALGORITHMS.map(Algorithm::name),
        "introspection_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS.map(Algorithm::name),
        "scopes_supported": scope::SUPPORTED,
        "claim_types_supported": ["normal"],
        "claims_supported": CLAIMS,
        "acr_values_supported": ["urn:behalf:acr:1fa", "urn:behalf:acr:2fa"],
        "ui_locales_supported": ["en", "de"],
        "organization_parameter_supported": true,
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut document, requests(issuer)) {
        all.extend(more);
    }
    // Where clients register themselves (RFC 7591, section 3).
    if let (true, Value::Object(members)) = (registers, &mut document) {
        members.insert("registration_endpoint".into(), json!(at("/register")));
    }
    document
}

/// How authorization requests may come, and their answers go.
fn requests(issuer: &str) -> Value {
    json!({
        "pushed_authorization_request_endpoint": format!("{issuer}/par"),
        // Each application may have it otherwise.
        "require_pushed_authorization_requests": false,
        "request_parameter_supported": true,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "request_object_signing_alg_values_supported": request_object::ALGORITHMS.map(Algorithm::name),
        "require_signed_request_object": false,
        "response_types_supported": ["code"],
        "response_modes_supported": ResponseMode::WORDS,
        "authorization_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": true,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": authorization::PROMPTS,
    })
}

const GRANT_TYPES: [&str; 5] =
    ["authorization_code", "refresh_token", "client_credentials", device::GRANT_TYPE, exchange::GRANT_TYPE];

const METHODS: [&str; 4] = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

/// Of ID tokens and UserInfo, whatever shape an application has chosen; `tests/doors/discovery.rs` holds it against what
/// is issued. What else a provider says of somebody has names of its own.
const CLAIMS: [&str; 32] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "session_expiry",
    "nonce",
    "at_hash",
    "sid",
    "amr",
    "acr",
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "locale",
    "updated_at",
    "org_id",
    "org_name",
    "org_display_name",
    "org_slug",
    "organizations",
    "organization",
    "organizations_endpoint",
    "organizations_truncated",
    "roles",
    "permissions",
    "home_org_id",
    "delegation_id",
    "idp",
];
