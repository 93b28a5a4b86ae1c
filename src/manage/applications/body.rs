//! What is said of an application: the keys of the operator's file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::values::{LONGEST_NAME, MOST_AUDIENCES, MOST_NAMED, MOST_ORIGINS, MOST_URIS};
use crate::model::application::{
    ApplicationKind, AuthorizationSettings, GrantType, OrganizationPrompt, OrganizationUsage,
    SecurityProfile, SubjectType,
};
use crate::model::claim_shape::{MOST_MAPPED, OrgName, OrganizationsShape};
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::response_mode::ResponseMode;
use crate::web::json::by_name;

/// The words of `grant_types`.
pub const GRANT_TYPES: [&str; GrantType::ALL.len()] = words();

const fn words() -> [&'static str; GrantType::ALL.len()] {
    let mut words = [""; GrantType::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = GrantType::ALL[at].word();
        at += 1;
    }
    words
}

/// An application. Of a change, what is absent stays; of a new one or one that is replaced, it is what it usually is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationBody {
    /// 1 to 200 visible characters, given once, by the operator; absent: its id.
    #[schemars(extend("pattern" = "^[!-~]+$", "maxLength" = LONGEST_NAME))]
    pub client_id: Option<String>,
    /// Whose it is, by id, UUID or slug, for good. Absent: the caller's own; for the operator, the project's.
    pub organization_id: Option<String>,
    /// One line of at most 200 characters.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub display_name: Option<String>,
    pub enabled: Option<bool>,
    /// Usually `web`.
    #[serde(rename = "type")]
    #[schemars(with = "Option<String>", extend("enum" = ["web", "spa", "native", "device", "machine"]))]
    pub kind: Option<ApplicationKind>,
    /// Usually `client_secret_basic` of a web application or a machine; of others, `none`.
    #[schemars(
        with = "Option<String>",
        extend("enum" = ["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth",
            "self_signed_tls_client_auth", "none"])
    )]
    pub token_endpoint_auth_method: Option<Method>,
    /// The public keys of a client that signs its assertions or its authorization requests (RFC 7517, section 5).
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub jwks: Option<Option<Value>>,
    /// Whether it gets no tokens without a DPoP proof; who brings one gets bound tokens anyway.
    pub dpop_bound_access_tokens: Option<bool>,
    /// Whether its tokens are bound to the certificate that it shows in TLS, without which it gets none.
    pub tls_client_certificate_bound_access_tokens: Option<bool>,
    /// By which certificate it is known with `tls_client_auth`: one name of its subject, under one of these five. A new one
    /// takes the place of the one before, whichever it was.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub tls_client_auth_subject_dn: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub tls_client_auth_san_dns: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub tls_client_auth_san_uri: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub tls_client_auth_san_ip: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub tls_client_auth_san_email: Option<Option<String>>,
    /// Compared byte by byte: https, a loopback address, or a private scheme with a dot.
    #[schemars(extend("maxItems" = MOST_URIS))]
    pub redirect_uris: Option<Vec<String>>,
    /// Where a login begins that somebody else wants.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub initiate_login_uri: Option<Option<String>>,
    /// Where people may come back to after signing out; compared byte by byte.
    #[schemars(extend("maxItems" = MOST_URIS))]
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// Where it is told of sessions that ended (OpenID Connect Back-Channel Logout).
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub backchannel_logout_uri: Option<Option<String>>,
    pub backchannel_logout_session_required: Option<bool>,
    /// What a browser opens in a frame when somebody signs out (OpenID Connect Front-Channel Logout).
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub frontchannel_logout_uri: Option<Option<String>>,
    pub frontchannel_logout_session_required: Option<bool>,
    /// The origins of its pages that read our answers by script, as a browser writes them: https, or http on this
    /// computer. Usually none.
    #[schemars(extend("maxItems" = MOST_ORIGINS))]
    pub cors_origins: Option<Vec<String>>,
    /// Where the client publishes its public keys, in the place of `jwks`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub jwks_uri: Option<Option<String>>,
    /// Usually `public`: a person has the same `sub` everywhere; `pairwise`: another one in each sector.
    #[schemars(with = "Option<String>", extend("enum" = ["public", "pairwise"]))]
    pub subject_type: Option<SubjectType>,
    /// What lists the redirect URIs of all applications of its sector, as a JSON array; it is read when it is said.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub sector_identifier_uri: Option<Option<String>>,
    /// Whether people may get other names by this change: then all that was granted for the application ends.
    pub change_subjects: Option<bool>,
    /// Signs its UserInfo answers; `null`: they are plain JSON.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("enum" = ["RS256", "ES256", "EdDSA", null]))]
    pub userinfo_signed_response_alg: Option<Option<Algorithm>>,
    /// Usually `none`; `fapi2`: it is held to the FAPI 2.0 Security Profile.
    #[schemars(with = "Option<String>", extend("enum" = ["none", "fapi2"]))]
    pub security_profile: Option<SecurityProfile>,
    /// Whether each person is asked before it is told of them. Of one that registered itself, or that an organization
    /// owns, it is, until the operator says otherwise.
    pub consent_required: Option<bool>,
    /// A picture that people see while they sign in. It is fetched and served by us.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub logo_uri: Option<Option<String>>,
    /// How it treats what it is told of people; a link for those who sign in.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub policy_uri: Option<Option<String>>,
    /// What people agree to; a link for those who sign in.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub tos_uri: Option<Option<String>>,
    /// Whether each authorization request must be pushed beforehand (RFC 9126).
    pub require_pushed_authorization_requests: Option<bool>,
    /// Whether each must be signed (RFC 9101).
    pub require_signed_request_object: Option<bool>,
    /// Whether each must bring a challenge for its code (RFC 7636). Clients without a secret must, whatever it says, and
    /// so must those that `security_profile` holds to FAPI 2.0.
    pub require_pkce: Option<bool>,
    /// Where signed requests may be fetched.
    #[schemars(extend("maxItems" = AuthorizationSettings::MOST_URIS))]
    pub request_uris: Option<Vec<String>>,
    /// How an answer may travel; usually all but those in a fragment.
    #[schemars(
        with = "Option<Vec<String>>",
        extend("items" = { "type": "string",
            "enum": ["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt"] })
    )]
    pub response_modes: Option<Vec<ResponseMode>>,
    /// Signs answers that travel signed; `null`: what signs its tokens.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("enum" = ["RS256", "ES256", "EdDSA", null]))]
    pub authorization_signed_response_alg: Option<Option<Algorithm>>,
    /// Seconds that a proof of who somebody is may be old, where a request does not say `max_age`; `null`: any age.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<u64>", range(max = AuthorizationSettings::LONGEST_AGE))]
    pub default_max_age: Option<Option<u64>>,
    /// Whether it wants `auth_time` in ID tokens, where it stands anyway.
    pub require_auth_time: Option<bool>,
    pub scopes: Option<Vec<String>>,
    /// The ways to tokens that it may use; usually `authorization_code` and `refresh_token`, of a machine
    /// `client_credentials`, of a device that of RFC 8628.
    #[schemars(
        with = "Option<Vec<String>>",
        extend("items" = { "type": "string", "enum": GRANT_TYPES })
    )]
    pub grant_types: Option<Vec<GrantType>>,
    #[serde(default, deserialize_with = "by_name")]
    pub lifetimes: Option<LifetimesBody>,
    #[schemars(with = "Option<String>", extend("enum" = ["RS256", "ES256", "EdDSA"]))]
    pub signing_algorithm: Option<Algorithm>,
    /// `aud` of access tokens, besides the issuer.
    #[schemars(extend("maxItems" = MOST_AUDIENCES))]
    pub audiences: Option<Vec<String>>,
    #[schemars(with = "Option<String>", extend("enum" = ["before", "after", "none"]))]
    pub organization_prompt: Option<OrganizationPrompt>,
    #[schemars(with = "Option<String>", extend("enum" = ["deny", "allow", "require"]))]
    pub organization_usage: Option<OrganizationUsage>,
    /// Whether people are routed by their email domain.
    pub domain_based: Option<bool>,
    /// Connections that are offered by name, by id or slug.
    #[schemars(extend("maxItems" = MOST_NAMED))]
    pub connections: Option<Vec<String>>,
    /// The organizations that may use it, by id, UUID or slug; `null`: all. Of one that an organization owns it is usually
    /// that one alone, never all, and the operator's to say.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Vec<String>>", extend("maxItems" = MOST_NAMED))]
    pub organizations: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "by_name")]
    pub claims: Option<ClaimsBody>,
    /// The applications that may act for its people, by their client ids (RFC 8693).
    #[schemars(extend("maxItems" = MOST_AUDIENCES))]
    pub may_act: Option<Vec<String>>,
    /// For whom it may get tokens in which it acts for others' people (RFC 8693).
    #[schemars(extend("maxItems" = MOST_AUDIENCES))]
    pub exchange_audiences: Option<Vec<String>>,
}

/// How long its tokens live, in seconds; `null`: as the operator's settings say.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LifetimesBody {
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<u64>", range(min = 1, max = 3600))]
    pub access_token: Option<Option<u64>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<u64>", range(min = 1, max = 3600))]
    pub id_token: Option<Option<u64>>,
    /// Of a sign-in that is refreshed, however often.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<u64>", range(min = 1, max = 31_536_000))]
    pub refresh_token: Option<Option<u64>>,
    /// Of a refresh token that nobody uses.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<u64>", range(min = 1, max = 31_536_000))]
    pub refresh_token_idle: Option<Option<u64>>,
}

/// How organizations show in its tokens.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimsBody {
    #[schemars(
        with = "Option<String>",
        extend("enum" = ["objects", "names", "ids", "map_by_name", "map_by_id"])
    )]
    pub organizations: Option<OrganizationsShape>,
    #[schemars(with = "Option<String>", extend("enum" = ["slug", "display_name"]))]
    pub org_name: Option<OrgName>,
    pub org_display_name: Option<bool>,
    pub org_slug: Option<bool>,
    pub user_in_id_token: Option<bool>,
    pub idp: Option<bool>,
    /// All of it anew: the application's name of a claim, and which claim stands there.
    #[schemars(extend("maxProperties" = MOST_MAPPED))]
    pub mapping: Option<BTreeMap<String, String>>,
}

/// How a new secret stands to the one before.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSecret {
    /// Whether the newest one before goes on working beside it, until the next rotation; absent: it does.
    pub keep_old: Option<bool>,
}

fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(reader).map(Some)
}
