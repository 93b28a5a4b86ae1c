//! How an application is shown: never its secrets, but in the answer that makes one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Whole;
use super::body::GRANT_TYPES;
use crate::foundation::secret::Secret;
use crate::manage::desk::etag;
use crate::model::application::{Application, Lifetimes};
use crate::model::claim_shape::ClaimShape;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_certificate::CertificateSubject;
use crate::protocol::oauth::redirect_uri::{RedirectUri, WebAddress};

/// What a list shows of one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ApplicationListed {
    pub id: String,
    /// Whose it is; `null`: the project's.
    pub organization_id: Option<String>,
    pub client_id: String,
    pub display_name: String,
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["web", "spa", "native", "device", "machine"]))]
    pub kind: &'static str,
    pub enabled: bool,
    /// Whether it is out of service because its organization is not active, or may own none.
    pub stopped: bool,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

/// What gets people and tokens from us.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ApplicationView {
    pub id: String,
    /// Whose it is; `null`: the project's.
    pub organization_id: Option<String>,
    pub client_id: String,
    pub display_name: String,
    pub enabled: bool,
    /// Whether it is out of service because its organization is not active, or may own none.
    pub stopped: bool,
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["web", "spa", "native", "device", "machine"]))]
    pub kind: &'static str,
    #[schemars(extend("enum" = ["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth",
        "self_signed_tls_client_auth", "none"]))]
    pub token_endpoint_auth_method: Value,
    /// How many secrets work: two while one takes over from the other.
    pub secrets: usize,
    /// The public keys of a client that signs its assertions or its authorization requests (RFC 7517, section 5).
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub jwks: Option<Value>,
    pub dpop_bound_access_tokens: bool,
    pub tls_client_certificate_bound_access_tokens: bool,
    pub tls_client_auth_subject_dn: Option<String>,
    pub tls_client_auth_san_dns: Option<String>,
    pub tls_client_auth_san_uri: Option<String>,
    pub tls_client_auth_san_ip: Option<String>,
    pub tls_client_auth_san_email: Option<String>,
    pub redirect_uris: Vec<String>,
    pub initiate_login_uri: Option<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub backchannel_logout_uri: Option<String>,
    pub backchannel_logout_session_required: bool,
    pub frontchannel_logout_uri: Option<String>,
    pub frontchannel_logout_session_required: bool,
    /// The origins of its pages that read our answers by script.
    pub cors_origins: Vec<String>,
    pub jwks_uri: Option<String>,
    #[schemars(extend("enum" = ["public", "pairwise"]))]
    pub subject_type: &'static str,
    pub sector_identifier_uri: Option<String>,
    /// Signs its UserInfo answers; `null`: they are plain JSON.
    #[schemars(extend("enum" = ["RS256", "ES256", "EdDSA", null]))]
    pub userinfo_signed_response_alg: Option<&'static str>,
    #[schemars(extend("enum" = ["none", "fapi2"]))]
    pub security_profile: &'static str,
    pub consent_required: bool,
    pub logo_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub require_pushed_authorization_requests: bool,
    pub require_signed_request_object: bool,
    /// Whether each must bring a challenge for its code. Clients without a secret must, whatever it says.
    pub require_pkce: bool,
    pub request_uris: Vec<String>,
    /// How an answer may travel.
    #[schemars(extend("items" = { "type": "string",
        "enum": ["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt"] }))]
    pub response_modes: Vec<&'static str>,
    /// Signs answers that travel signed; `null`: what signs its tokens.
    #[schemars(extend("enum" = ["RS256", "ES256", "EdDSA", null]))]
    pub authorization_signed_response_alg: Option<&'static str>,
    pub default_max_age: Option<u64>,
    pub require_auth_time: bool,
    pub scopes: Vec<String>,
    /// The ways to tokens that it may use.
    #[schemars(extend("items" = { "type": "string", "enum": GRANT_TYPES }))]
    pub grant_types: Vec<&'static str>,
    pub lifetimes: LifetimesView,
    #[schemars(extend("enum" = ["RS256", "ES256", "EdDSA"]))]
    pub signing_algorithm: &'static str,
    pub audiences: Vec<String>,
    #[schemars(extend("enum" = ["after", "none"]))]
    pub organization_prompt: &'static str,
    #[schemars(extend("enum" = ["deny", "allow", "require"]))]
    pub organization_usage: &'static str,
    pub domain_based: bool,
    /// By their ids.
    pub connections: Vec<String>,
    /// The organizations that may use it, by their ids; `null`: all.
    pub organizations: Option<Vec<String>>,
    pub claims: ClaimsView,
    /// The applications that may act for its people, by their client ids.
    pub may_act: Vec<String>,
    /// For whom it may get tokens in which it acts for others' people.
    pub exchange_audiences: Vec<String>,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

/// How long its tokens live, in seconds; `null`: as the operator's settings say.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LifetimesView {
    pub access_token: Option<u64>,
    pub id_token: Option<u64>,
    pub refresh_token: Option<u64>,
    pub refresh_token_idle: Option<u64>,
}

impl LifetimesView {
    fn of(lifetimes: &Lifetimes) -> Self {
        let Lifetimes { access_token, id_token, refresh_token, refresh_token_idle } = *lifetimes;
        Self { access_token, id_token, refresh_token, refresh_token_idle }
    }
}

/// How organizations show in its tokens.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ClaimsView {
    #[schemars(extend("enum" = ["objects", "names", "ids", "map_by_name", "map_by_id"]))]
    pub organizations: &'static str,
    #[schemars(extend("enum" = ["slug", "display_name"]))]
    pub org_name: &'static str,
    pub org_display_name: bool,
    pub org_slug: bool,
    pub user_in_id_token: bool,
    pub idp: bool,
    /// The application's name of each claim that it has another name for, and which claim stands there.
    pub mapping: BTreeMap<String, String>,
}

impl ClaimsView {
    fn of(claims: &ClaimShape) -> Self {
        Self {
            organizations: claims.organizations.word(),
            org_name: claims.org_name.word(),
            org_display_name: claims.org_display_name,
            org_slug: claims.org_slug,
            user_in_id_token: claims.user_in_id_token,
            idp: claims.idp,
            mapping: claims.mapping.clone(),
        }
    }
}

/// With its new secret, which is shown this once.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ApplicationMade {
    pub application: ApplicationView,
    /// `null`: its method of authentication has none.
    pub client_secret: Option<String>,
}

impl ApplicationListed {
    pub fn of(it: &Application) -> Self {
        Self {
            id: it.id.to_string(),
            organization_id: it.organization_id.map(|owner| owner.to_string()),
            client_id: it.client_id.clone(),
            display_name: it.display_name.clone(),
            stopped: it.stopped_at.is_some(),
            kind: it.settings.kind.word(),
            enabled: it.disabled_at.is_none(),
            created_at: it.created_at.rfc3339(),
            updated_at: it.updated_at.rfc3339(),
        }
    }
}

impl ApplicationView {
    pub fn of(whole: &Whole) -> Self {
        let (it, settings) = (&whole.application, &whole.application.settings);
        let texts = |uris: &[RedirectUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect();
        let text = |uri: &Option<WebAddress>| uri.as_ref().map(|uri| uri.as_str().to_owned());
        let (sign_out, client, requests) = (&settings.sign_out, &settings.client, &settings.requests);
        let named = |key: &str| {
            let shown = settings.sender.certificate.as_ref().map(CertificateSubject::shown);
            shown.filter(|(own, _)| *own == key).map(|(_, text)| text)
        };
        Self {
            id: it.id.to_string(),
            organization_id: it.organization_id.map(|owner| owner.to_string()),
            client_id: it.client_id.clone(),
            display_name: it.display_name.clone(),
            stopped: it.stopped_at.is_some(),
            enabled: whole.is_enabled(),
            kind: settings.kind.word(),
            token_endpoint_auth_method: json!(settings.authentication),
            secrets: whole.secrets,
            jwks: settings.jwks.clone(),
            dpop_bound_access_tokens: settings.sender.dpop_bound_access_tokens,
            tls_client_certificate_bound_access_tokens: settings
                .sender
                .tls_client_certificate_bound_access_tokens,
            tls_client_auth_subject_dn: named(CertificateSubject::KEYS[0]),
            tls_client_auth_san_dns: named(CertificateSubject::KEYS[1]),
            tls_client_auth_san_uri: named(CertificateSubject::KEYS[2]),
            tls_client_auth_san_ip: named(CertificateSubject::KEYS[3]),
            tls_client_auth_san_email: named(CertificateSubject::KEYS[4]),
            redirect_uris: texts(&settings.redirect_uris),
            initiate_login_uri: settings.initiate_login_uri.as_ref().map(|uri| uri.as_str().to_owned()),
            post_logout_redirect_uris: texts(&sign_out.post_logout_redirect_uris),
            backchannel_logout_uri: text(&sign_out.backchannel_logout_uri),
            backchannel_logout_session_required: sign_out.backchannel_logout_session_required,
            frontchannel_logout_uri: text(&sign_out.frontchannel_logout_uri),
            frontchannel_logout_session_required: sign_out.frontchannel_logout_session_required,
            cors_origins: client.cors_origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
            jwks_uri: text(&client.jwks_uri),
            subject_type: client.subject_type.word(),
            sector_identifier_uri: text(&client.sector_identifier_uri),
            userinfo_signed_response_alg: client.userinfo_algorithm.map(Algorithm::name),
            security_profile: client.security_profile.word(),
            consent_required: client.consent_required,
            logo_uri: text(&client.links.logo_uri),
            policy_uri: text(&client.links.policy_uri),
            tos_uri: text(&client.links.tos_uri),
            require_pushed_authorization_requests: requests.require_pushed,
            require_signed_request_object: requests.require_signed,
            require_pkce: requests.require_pkce,
            request_uris: requests.request_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
            response_modes: requests.response_modes.iter().map(|mode| mode.word()).collect(),
            authorization_signed_response_alg: requests.response_algorithm.map(Algorithm::name),
            default_max_age: requests.default_max_age,
            require_auth_time: requests.require_auth_time,
            scopes: settings.scopes.clone(),
            grant_types: settings.grant_types.iter().map(|one| one.word()).collect(),
            lifetimes: LifetimesView::of(&settings.lifetimes),
            signing_algorithm: settings.algorithm.name(),
            audiences: settings.audiences.clone(),
            organization_prompt: settings.organization_prompt.word(),
            organization_usage: settings.organization_usage.word(),
            domain_based: settings.domain_based,
            connections: settings.connections.iter().map(ToString::to_string).collect(),
            organizations: settings
                .organizations_limited
                .then(|| whole.listed.iter().map(ToString::to_string).collect()),
            claims: ClaimsView::of(&settings.claims),
            may_act: settings.exchange.may_act.clone(),
            exchange_audiences: settings.exchange.audiences.clone(),
            created_at: it.created_at.rfc3339(),
            updated_at: it.updated_at.rfc3339(),
        }
    }
}

impl ApplicationMade {
    pub fn of(whole: &Whole, secret: Option<&Secret>) -> Self {
        let client_secret = secret.map(|secret| secret.expose().to_owned());
        Self { application: ApplicationView::of(whole), client_secret }
    }
}

/// What the audit trail tells of one.
pub fn facts(whole: &Whole) -> Value {
    let mut facts = json!(ApplicationView::of(whole));
    if let Value::Object(members) = &mut facts {
        for name in ["id", "organization_id", "client_id", "stopped", "secrets", "created_at", "updated_at"] {
            members.remove(name);
        }
    }
    facts
}

pub fn tag(whole: &Whole) -> String {
    etag(&ApplicationView::of(whole))
}
