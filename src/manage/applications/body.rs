//! What is said of an application: the keys of the operator's file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::sector::Sector;
use crate::foundation::text::is_line;
use crate::keys::keyring::ALGORITHMS;
use crate::manage::refused::Refused;
use crate::model::application::{
    ApplicationKind, ApplicationSettings, AuthorizationSettings, ClientSettings, GrantType, Lifetimes,
    OrganizationPrompt, OrganizationUsage, SecurityProfile, SenderSettings, SignOutSettings, SubjectType,
    public_key_set,
};
use crate::model::claim_shape::{MOST_MAPPED, OrgName, OrganizationsShape};
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::client_certificate::CertificateSubject;
use crate::protocol::oauth::origin::WebOrigin;
use crate::protocol::oauth::redirect_uri::{RedirectUri, RequestUri, WebAddress};
use crate::protocol::oauth::response_mode::ResponseMode;
use crate::protocol::oauth::scope;
use crate::web::json::by_name;

const LONGEST_NAME: usize = 200;
const MOST_URIS: usize = 100;
const MOST_ORIGINS: usize = 20;
const MOST_NAMED: usize = 1_000;
const MOST_AUDIENCES: usize = 20;
const LONGEST_AUDIENCE: usize = 500;
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

/// What is wanted of an application, each value by its rule. What is absent stays; an inner `None` clears.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub client_id: Option<String>,
    pub display_name: Option<String>,
    pub enabled: Option<bool>,
    pub kind: Option<ApplicationKind>,
    pub connections: Option<Vec<String>>,
    pub organizations: Option<Option<Vec<String>>>,
    authentication: Option<Method>,
    jwks: Option<Option<Value>>,
    sender: WantedSender,
    pub redirect_uris: Option<Vec<RedirectUri>>,
    initiate_login_uri: Option<Option<RedirectUri>>,
    sign_out: WantedSignOut,
    pub client: WantedClient,
    /// Whether people may get other names.
    pub changes_subjects: bool,
    /// What is at the address of the sector, read just now.
    pub sector: Option<Sector>,
    requests: WantedRequests,
    scopes: Option<Vec<String>>,
    grant_types: Option<Vec<GrantType>>,
    lifetimes: Option<LifetimesBody>,
    algorithm: Option<Algorithm>,
    audiences: Option<Vec<String>>,
    organization_prompt: Option<OrganizationPrompt>,
    organization_usage: Option<OrganizationUsage>,
    domain_based: Option<bool>,
    claims: Option<ClaimsBody>,
    may_act: Option<Vec<String>>,
    exchange_audiences: Option<Vec<String>>,
}

/// The same of what is registered of a client besides.
#[derive(Clone, Debug)]
pub struct WantedClient {
    cors_origins: Option<Vec<WebOrigin>>,
    jwks_uri: Option<Option<WebAddress>>,
    subject_type: Option<SubjectType>,
    pub sector_identifier_uri: Option<Option<WebAddress>>,
    userinfo_algorithm: Option<Option<Algorithm>>,
    security_profile: Option<SecurityProfile>,
    consent_required: Option<bool>,
    logo_uri: Option<Option<WebAddress>>,
    policy_uri: Option<Option<WebAddress>>,
    tos_uri: Option<Option<WebAddress>>,
}

impl WantedClient {
    fn over(self, settings: &mut ClientSettings) {
        if let Some(origins) = self.cors_origins {
            settings.cors_origins = origins;
        }
        if let Some(uri) = self.jwks_uri {
            settings.jwks_uri = uri;
        }
        settings.subject_type = self.subject_type.unwrap_or(settings.subject_type);
        if let Some(uri) = self.sector_identifier_uri {
            settings.sector_identifier_uri = uri;
        }
        settings.userinfo_algorithm = self.userinfo_algorithm.unwrap_or(settings.userinfo_algorithm);
        settings.security_profile = self.security_profile.unwrap_or(settings.security_profile);
        settings.consent_required = self.consent_required.unwrap_or(settings.consent_required);
        let links = &mut *settings.links;
        let all = [
            (self.logo_uri, &mut links.logo_uri),
            (self.policy_uri, &mut links.policy_uri),
            (self.tos_uri, &mut links.tos_uri),
        ];
        for (wanted, link) in all {
            if let Some(uri) = wanted {
                *link = uri;
            }
        }
    }
}

/// The same of what its tokens are bound to.
#[derive(Clone, Debug)]
struct WantedSender {
    dpop_bound_access_tokens: Option<bool>,
    tls_client_certificate_bound_access_tokens: Option<bool>,
    /// Its new name, or none from now on.
    certificate: Option<CertificateSubject>,
    /// The keys whose name goes.
    cleared: Vec<&'static str>,
}

impl WantedSender {
    fn of(body: &ApplicationBody) -> Result<Self, Refused> {
        let said = [
            &body.tls_client_auth_subject_dn,
            &body.tls_client_auth_san_dns,
            &body.tls_client_auth_san_uri,
            &body.tls_client_auth_san_ip,
            &body.tls_client_auth_san_email,
        ];
        let said = CertificateSubject::KEYS.into_iter().zip(said);
        let (mut certificate, mut cleared) = (None, Vec::new());
        for (key, said) in said {
            match said {
                None => {}
                Some(None) => cleared.push(key),
                Some(Some(_)) if certificate.is_some() => {
                    return Err(Refused::value(&format!("/{key}"), "a certificate is known by one name"));
                }
                Some(Some(text)) => {
                    let read = CertificateSubject::read(key, text);
                    certificate = Some(read.map_err(|why| Refused::value(&format!("/{key}"), why))?);
                }
            }
        }
        Ok(Self {
            dpop_bound_access_tokens: body.dpop_bound_access_tokens,
            tls_client_certificate_bound_access_tokens: body.tls_client_certificate_bound_access_tokens,
            certificate,
            cleared,
        })
    }

    fn over(self, settings: &mut SenderSettings) {
        let known = settings.certificate.as_ref().map(|name| name.shown().0);
        if known.is_some_and(|key| self.cleared.contains(&key)) || self.certificate.is_some() {
            settings.certificate = self.certificate;
        }
        settings.dpop_bound_access_tokens =
            self.dpop_bound_access_tokens.unwrap_or(settings.dpop_bound_access_tokens);
        let bound = self.tls_client_certificate_bound_access_tokens;
        settings.tls_client_certificate_bound_access_tokens =
            bound.unwrap_or(settings.tls_client_certificate_bound_access_tokens);
    }
}

/// The same of what happens when people sign out.
#[derive(Clone, Debug)]
struct WantedSignOut {
    post_logout_redirect_uris: Option<Vec<RedirectUri>>,
    backchannel_logout_uri: Option<Option<WebAddress>>,
    backchannel_logout_session_required: Option<bool>,
    frontchannel_logout_uri: Option<Option<WebAddress>>,
    frontchannel_logout_session_required: Option<bool>,
}

impl WantedSignOut {
    fn over(self, settings: &mut SignOutSettings) {
        if let Some(uris) = self.post_logout_redirect_uris {
            settings.post_logout_redirect_uris = uris;
        }
        if let Some(uri) = self.backchannel_logout_uri {
            settings.backchannel_logout_uri = uri;
        }
        if let Some(uri) = self.frontchannel_logout_uri {
            settings.frontchannel_logout_uri = uri;
        }
        let required = self.backchannel_logout_session_required;
        settings.backchannel_logout_session_required =
            required.unwrap_or(settings.backchannel_logout_session_required);
        let required = self.frontchannel_logout_session_required;
        settings.frontchannel_logout_session_required =
            required.unwrap_or(settings.frontchannel_logout_session_required);
    }
}

/// The same of its authorization requests.
#[derive(Clone, Debug)]
struct WantedRequests {
    require_pushed: Option<bool>,
    require_signed: Option<bool>,
    require_pkce: Option<bool>,
    request_uris: Option<Vec<RequestUri>>,
    response_modes: Option<Vec<ResponseMode>>,
    response_algorithm: Option<Option<Algorithm>>,
    default_max_age: Option<Option<u64>>,
    require_auth_time: Option<bool>,
}

impl WantedRequests {
    fn over(self, settings: &mut AuthorizationSettings) {
        settings.require_pushed = self.require_pushed.unwrap_or(settings.require_pushed);
        settings.require_signed = self.require_signed.unwrap_or(settings.require_signed);
        settings.require_pkce = self.require_pkce.unwrap_or(settings.require_pkce);
        if let Some(uris) = self.request_uris {
            settings.request_uris = uris;
        }
        if let Some(modes) = self.response_modes {
            settings.response_modes = modes;
        }
        settings.response_algorithm = self.response_algorithm.unwrap_or(settings.response_algorithm);
        settings.default_max_age = self.default_max_age.unwrap_or(settings.default_max_age);
        settings.require_auth_time = self.require_auth_time.unwrap_or(settings.require_auth_time);
    }
}

impl ApplicationBody {
    pub fn checked(self) -> Result<Wanted, Refused> {
        if let Some(id) = &self.client_id
            && (id.is_empty() || id.len() > LONGEST_NAME || !id.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(Refused::value("/client_id", "must be 1 to 200 visible characters"));
        }
        if self.display_name.as_ref().is_some_and(|name| !is_line(name, LONGEST_NAME)) {
            let rule = format!("must be one line of at most {LONGEST_NAME} characters");
            return Err(Refused::value("/display_name", rule));
        }
        few("/connections", self.connections.as_ref(), MOST_NAMED)?;
        few("/organizations", self.organizations.as_ref().and_then(Option::as_ref), MOST_NAMED)?;
        let sender = WantedSender::of(&self)?;
        let login = self.initiate_login_uri;
        let sign_out = WantedSignOut {
            post_logout_redirect_uris: self
                .post_logout_redirect_uris
                .map(|list| redirect_uris("/post_logout_redirect_uris", list))
                .transpose()?,
            backchannel_logout_uri: web_address("/backchannel_logout_uri", self.backchannel_logout_uri)?,
            backchannel_logout_session_required: self.backchannel_logout_session_required,
            frontchannel_logout_uri: web_address("/frontchannel_logout_uri", self.frontchannel_logout_uri)?,
            frontchannel_logout_session_required: self.frontchannel_logout_session_required,
        };
        let client = WantedClient {
            cors_origins: self.cors_origins.map(cors_origins).transpose()?,
            jwks_uri: web_address("/jwks_uri", self.jwks_uri)?,
            subject_type: self.subject_type,
            sector_identifier_uri: web_address("/sector_identifier_uri", self.sector_identifier_uri)?,
            userinfo_algorithm: self
                .userinfo_signed_response_alg
                .map(|name| name.map(|one| algorithm("/userinfo_signed_response_alg", one)).transpose())
                .transpose()?,
            security_profile: self.security_profile,
            consent_required: self.consent_required,
            logo_uri: web_address("/logo_uri", self.logo_uri)?,
            policy_uri: web_address("/policy_uri", self.policy_uri)?,
            tos_uri: web_address("/tos_uri", self.tos_uri)?,
        };
        let requests = WantedRequests {
            require_pushed: self.require_pushed_authorization_requests,
            require_signed: self.require_signed_request_object,
            require_pkce: self.require_pkce,
            request_uris: self.request_uris.map(request_uris).transpose()?,
            response_modes: self.response_modes,
            response_algorithm: self
                .authorization_signed_response_alg
                .map(|name| name.map(|one| algorithm("/authorization_signed_response_alg", one)).transpose())
                .transpose()?,
            default_max_age: self.default_max_age,
            require_auth_time: self.require_auth_time,
        };
        Ok(Wanted {
            sign_out,
            client,
            changes_subjects: self.change_subjects.unwrap_or(false),
            sector: None,
            requests,
            client_id: self.client_id,
            display_name: self.display_name,
            enabled: self.enabled,
            kind: self.kind,
            connections: self.connections,
            organizations: self.organizations,
            authentication: self.token_endpoint_auth_method,
            jwks: self.jwks.map(|keys| keys.map(|keys| jwks(&keys)).transpose()).transpose()?,
            sender,
            redirect_uris: self
                .redirect_uris
                .map(|list| redirect_uris("/redirect_uris", list))
                .transpose()?,
            initiate_login_uri: login
                .map(|uri| uri.map(|uri| registered("/initiate_login_uri", &uri)).transpose())
                .transpose()?,
            scopes: self.scopes.map(scopes).transpose()?,
            grant_types: self.grant_types.map(grant_types).transpose()?,
            lifetimes: self.lifetimes,
            algorithm: self.signing_algorithm.map(|one| algorithm("/signing_algorithm", one)).transpose()?,
            audiences: self.audiences.map(|list| audiences("/audiences", list)).transpose()?,
            may_act: self.may_act.map(|list| audiences("/may_act", list)).transpose()?,
            exchange_audiences: self
                .exchange_audiences
                .map(|list| audiences("/exchange_audiences", list))
                .transpose()?,
            organization_prompt: self.organization_prompt,
            organization_usage: self.organization_usage,
            domain_based: self.domain_based,
            claims: self.claims,
        })
    }
}

impl Wanted {
    /// What of the body says by which grants it gets tokens: these, or what is usual of its kind.
    pub fn grant_types_at(&self) -> &'static str {
        if self.grant_types.is_none() && self.kind.is_some() { "type" } else { "grant_types" }
    }

    /// Lays over settings what names nothing else.
    pub fn over(&self, settings: &mut ApplicationSettings) {
        let new = self.clone();
        settings.kind = new.kind.unwrap_or(settings.kind);
        settings.authentication = new.authentication.unwrap_or(settings.authentication);
        settings.jwks = new.jwks.unwrap_or_else(|| settings.jwks.clone());
        new.sender.over(&mut settings.sender);
        settings.redirect_uris = new.redirect_uris.unwrap_or_else(|| settings.redirect_uris.clone());
        settings.initiate_login_uri =
            new.initiate_login_uri.unwrap_or_else(|| settings.initiate_login_uri.clone());
        new.sign_out.over(&mut settings.sign_out);
        new.client.over(&mut settings.client);
        new.requests.over(&mut settings.requests);
        settings.scopes = new.scopes.unwrap_or_else(|| settings.scopes.clone());
        settings.grant_types = new.grant_types.unwrap_or_else(|| settings.grant_types.clone());
        if let Some(new) = new.lifetimes {
            new.over(&mut settings.lifetimes);
        }
        settings.algorithm = new.algorithm.unwrap_or(settings.algorithm);
        settings.audiences = new.audiences.unwrap_or_else(|| settings.audiences.clone());
        let exchange = &mut settings.exchange;
        exchange.may_act = new.may_act.unwrap_or_else(|| exchange.may_act.clone());
        exchange.audiences = new.exchange_audiences.unwrap_or_else(|| exchange.audiences.clone());
        settings.organization_prompt = new.organization_prompt.unwrap_or(settings.organization_prompt);
        settings.organization_usage = new.organization_usage.unwrap_or(settings.organization_usage);
        settings.domain_based = new.domain_based.unwrap_or(settings.domain_based);
        if let Some(new) = new.claims {
            let claims = &mut settings.claims;
            claims.organizations = new.organizations.unwrap_or(claims.organizations);
            claims.org_name = new.org_name.unwrap_or(claims.org_name);
            claims.org_display_name = new.org_display_name.unwrap_or(claims.org_display_name);
            claims.org_slug = new.org_slug.unwrap_or(claims.org_slug);
            claims.user_in_id_token = new.user_in_id_token.unwrap_or(claims.user_in_id_token);
            claims.idp = new.idp.unwrap_or(claims.idp);
            claims.mapping = new.mapping.unwrap_or_else(|| std::mem::take(&mut claims.mapping));
        }
    }
}

impl LifetimesBody {
    fn over(&self, lifetimes: &mut Lifetimes) {
        lifetimes.access_token = self.access_token.unwrap_or(lifetimes.access_token);
        lifetimes.id_token = self.id_token.unwrap_or(lifetimes.id_token);
        lifetimes.refresh_token = self.refresh_token.unwrap_or(lifetimes.refresh_token);
        lifetimes.refresh_token_idle = self.refresh_token_idle.unwrap_or(lifetimes.refresh_token_idle);
    }
}

/// Each once.
fn grant_types(list: Vec<GrantType>) -> Result<Vec<GrantType>, Refused> {
    few("/grant_types", Some(&list), GrantType::ALL.len())?;
    match (1..list.len()).find(|place| list[..*place].contains(&list[*place])) {
        Some(place) => Err(Refused::value(&format!("/grant_types/{place}"), "stands there twice")),
        None => Ok(list),
    }
}

fn few<T>(pointer: &str, list: Option<&Vec<T>>, most: usize) -> Result<(), Refused> {
    match list {
        Some(list) if list.len() > most => Err(Refused::value(pointer, format!("must be at most {most}"))),
        _ => Ok(()),
    }
}

fn jwks(keys: &Value) -> Result<Value, Refused> {
    public_key_set(keys.to_string().as_bytes()).map_err(|error| Refused::value("/jwks", error.to_string()))
}

fn redirect_uris(pointer: &str, list: Vec<String>) -> Result<Vec<RedirectUri>, Refused> {
    few(pointer, Some(&list), MOST_URIS)?;
    let read = |(place, text): (usize, &String)| registered(&format!("{pointer}/{place}"), text);
    list.iter().enumerate().map(read).collect()
}

/// Asked by us, through the guard (threats C27).
fn request_uris(list: Vec<String>) -> Result<Vec<RequestUri>, Refused> {
    let read = |(place, text): (usize, &String)| {
        let wrong = |error| {
            Refused::value(&format!("/request_uris/{place}"), format!("cannot be registered: {error}"))
        };
        RequestUri::register(text).map_err(wrong)
    };
    list.iter().enumerate().map(read).collect()
}

/// Threats C26.
fn registered(pointer: &str, text: &str) -> Result<RedirectUri, Refused> {
    RedirectUri::register(text)
        .map_err(|error| Refused::value(pointer, format!("cannot be registered: {error}")))
}

/// As where people are sent; told by us, it is asked through the guard as well (threats C27).
fn web_address(pointer: &str, text: Option<Option<String>>) -> Result<Option<Option<WebAddress>>, Refused> {
    let read = |text: String| {
        WebAddress::register(&text)
            .map_err(|error| Refused::value(pointer, format!("cannot be registered: {error}")))
    };
    text.map(|text| text.map(read).transpose()).transpose()
}

fn scopes(list: Vec<String>) -> Result<Vec<String>, Refused> {
    let unknown = list.iter().position(|scope| !scope::SUPPORTED.contains(&scope.as_str()));
    if let Some(place) = unknown {
        let rule = format!("must be one of {}", scope::SUPPORTED.join(", "));
        return Err(Refused::value(&format!("/scopes/{place}"), rule));
    }
    few("/scopes", Some(&list), scope::SUPPORTED.len())?;
    Ok(list)
}

fn algorithm(pointer: &str, algorithm: Algorithm) -> Result<Algorithm, Refused> {
    if ALGORITHMS.contains(&algorithm) {
        return Ok(algorithm);
    }
    Err(Refused::value(pointer, "must be RS256, ES256 or EdDSA"))
}

/// Each as a browser writes it, and once (threats M16).
fn cors_origins(list: Vec<String>) -> Result<Vec<WebOrigin>, Refused> {
    few("/cors_origins", Some(&list), MOST_ORIGINS)?;
    let read = |(place, text): (usize, &String)| {
        let at = format!("/cors_origins/{place}");
        if list[..place].contains(text) {
            return Err(Refused::value(&at, "stands there twice"));
        }
        WebOrigin::register(text)
            .map_err(|error| Refused::value(&at, format!("cannot be registered: {error}")))
    };
    list.iter().enumerate().map(read).collect()
}

fn audiences(pointer: &str, list: Vec<String>) -> Result<Vec<String>, Refused> {
    few(pointer, Some(&list), MOST_AUDIENCES)?;
    match list.iter().position(|audience| !is_line(audience, LONGEST_AUDIENCE)) {
        Some(place) => {
            let rule = format!("must be one line of at most {LONGEST_AUDIENCE} characters");
            Err(Refused::value(&format!("{pointer}/{place}"), rule))
        }
        None => Ok(list),
    }
}
