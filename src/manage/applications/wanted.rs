//! What is wanted of an application: what was said of it, each value by its rule, and how that is laid over what there is.

use serde_json::Value;

use super::body::{ApplicationBody, ClaimsBody, LifetimesBody};
use super::sector::Sector;
use super::values::{
    MOST_NAMED, algorithm, audiences, client_id, cors_origins, display_name, few, grant_types, jwks,
    redirect_uris, registered, request_uris, scopes, web_address,
};
use crate::manage::refused::Refused;
use crate::model::application::{
    ApplicationKind, ApplicationSettings, AuthorizationSettings, ClientSettings, GrantType, Lifetimes,
    OrganizationPrompt, OrganizationUsage, SecurityProfile, SenderSettings, SignOutSettings, SubjectType,
};
use crate::model::claim_shape::ClaimShape;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::client_certificate::CertificateSubject;
use crate::protocol::oauth::origin::WebOrigin;
use crate::protocol::oauth::redirect_uri::{RedirectUri, RequestUri, WebAddress};
use crate::protocol::oauth::response_mode::ResponseMode;

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
    fn of(body: &ApplicationBody) -> Result<Self, Refused> {
        Ok(Self {
            cors_origins: body.cors_origins.as_deref().map(cors_origins).transpose()?,
            jwks_uri: address("/jwks_uri", &body.jwks_uri)?,
            subject_type: body.subject_type,
            sector_identifier_uri: address("/sector_identifier_uri", &body.sector_identifier_uri)?,
            userinfo_algorithm: signs("/userinfo_signed_response_alg", body.userinfo_signed_response_alg)?,
            security_profile: body.security_profile,
            consent_required: body.consent_required,
            logo_uri: address("/logo_uri", &body.logo_uri)?,
            policy_uri: address("/policy_uri", &body.policy_uri)?,
            tos_uri: address("/tos_uri", &body.tos_uri)?,
        })
    }

    fn over(self, settings: &mut ClientSettings) {
        lay(self.cors_origins, &mut settings.cors_origins);
        lay(self.jwks_uri, &mut settings.jwks_uri);
        lay(self.subject_type, &mut settings.subject_type);
        lay(self.sector_identifier_uri, &mut settings.sector_identifier_uri);
        lay(self.userinfo_algorithm, &mut settings.userinfo_algorithm);
        lay(self.security_profile, &mut settings.security_profile);
        lay(self.consent_required, &mut settings.consent_required);
        lay(self.logo_uri, &mut settings.links.logo_uri);
        lay(self.policy_uri, &mut settings.links.policy_uri);
        lay(self.tos_uri, &mut settings.links.tos_uri);
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
        lay(self.dpop_bound_access_tokens, &mut settings.dpop_bound_access_tokens);
        let bound = self.tls_client_certificate_bound_access_tokens;
        lay(bound, &mut settings.tls_client_certificate_bound_access_tokens);
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
    fn of(body: &ApplicationBody) -> Result<Self, Refused> {
        let uris = body.post_logout_redirect_uris.as_deref();
        Ok(Self {
            post_logout_redirect_uris: uris
                .map(|list| redirect_uris("/post_logout_redirect_uris", list))
                .transpose()?,
            backchannel_logout_uri: address("/backchannel_logout_uri", &body.backchannel_logout_uri)?,
            backchannel_logout_session_required: body.backchannel_logout_session_required,
            frontchannel_logout_uri: address("/frontchannel_logout_uri", &body.frontchannel_logout_uri)?,
            frontchannel_logout_session_required: body.frontchannel_logout_session_required,
        })
    }

    fn over(self, settings: &mut SignOutSettings) {
        lay(self.post_logout_redirect_uris, &mut settings.post_logout_redirect_uris);
        lay(self.backchannel_logout_uri, &mut settings.backchannel_logout_uri);
        lay(self.backchannel_logout_session_required, &mut settings.backchannel_logout_session_required);
        lay(self.frontchannel_logout_uri, &mut settings.frontchannel_logout_uri);
        lay(self.frontchannel_logout_session_required, &mut settings.frontchannel_logout_session_required);
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
    fn of(body: &ApplicationBody) -> Result<Self, Refused> {
        let algorithm = body.authorization_signed_response_alg;
        Ok(Self {
            require_pushed: body.require_pushed_authorization_requests,
            require_signed: body.require_signed_request_object,
            require_pkce: body.require_pkce,
            request_uris: body.request_uris.as_deref().map(request_uris).transpose()?,
            response_modes: body.response_modes.clone(),
            response_algorithm: signs("/authorization_signed_response_alg", algorithm)?,
            default_max_age: body.default_max_age,
            require_auth_time: body.require_auth_time,
        })
    }

    fn over(self, settings: &mut AuthorizationSettings) {
        lay(self.require_pushed, &mut settings.require_pushed);
        lay(self.require_signed, &mut settings.require_signed);
        lay(self.require_pkce, &mut settings.require_pkce);
        lay(self.request_uris, &mut settings.request_uris);
        lay(self.response_modes, &mut settings.response_modes);
        lay(self.response_algorithm, &mut settings.response_algorithm);
        lay(self.default_max_age, &mut settings.default_max_age);
        lay(self.require_auth_time, &mut settings.require_auth_time);
    }
}

impl ApplicationBody {
    pub fn checked(self) -> Result<Wanted, Refused> {
        self.client_id.as_deref().map_or(Ok(()), client_id)?;
        self.display_name.as_deref().map_or(Ok(()), display_name)?;
        few("/connections", self.connections.as_deref().unwrap_or_default(), MOST_NAMED)?;
        let organizations = self.organizations.as_ref().and_then(Option::as_deref);
        few("/organizations", organizations.unwrap_or_default(), MOST_NAMED)?;
        Ok(Wanted {
            sender: WantedSender::of(&self)?,
            sign_out: WantedSignOut::of(&self)?,
            client: WantedClient::of(&self)?,
            requests: WantedRequests::of(&self)?,
            changes_subjects: self.change_subjects.unwrap_or(false),
            sector: None,
            client_id: self.client_id,
            display_name: self.display_name,
            enabled: self.enabled,
            kind: self.kind,
            connections: self.connections,
            organizations: self.organizations,
            authentication: self.token_endpoint_auth_method,
            jwks: each(self.jwks, |keys| jwks(&keys))?,
            redirect_uris: self
                .redirect_uris
                .map(|list| redirect_uris("/redirect_uris", &list))
                .transpose()?,
            initiate_login_uri: each(self.initiate_login_uri, |uri| registered("/initiate_login_uri", &uri))?,
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
        lay(new.kind, &mut settings.kind);
        lay(new.authentication, &mut settings.authentication);
        lay(new.jwks, &mut settings.jwks);
        new.sender.over(&mut settings.sender);
        lay(new.redirect_uris, &mut settings.redirect_uris);
        lay(new.initiate_login_uri, &mut settings.initiate_login_uri);
        new.sign_out.over(&mut settings.sign_out);
        new.client.over(&mut settings.client);
        new.requests.over(&mut settings.requests);
        lay(new.scopes, &mut settings.scopes);
        lay(new.grant_types, &mut settings.grant_types);
        if let Some(new) = new.lifetimes {
            new.over(&mut settings.lifetimes);
        }
        lay(new.algorithm, &mut settings.algorithm);
        lay(new.audiences, &mut settings.audiences);
        lay(new.may_act, &mut settings.exchange.may_act);
        lay(new.exchange_audiences, &mut settings.exchange.audiences);
        lay(new.organization_prompt, &mut settings.organization_prompt);
        lay(new.organization_usage, &mut settings.organization_usage);
        lay(new.domain_based, &mut settings.domain_based);
        if let Some(new) = new.claims {
            new.over(&mut settings.claims);
        }
    }
}

impl LifetimesBody {
    fn over(self, lifetimes: &mut Lifetimes) {
        lay(self.access_token, &mut lifetimes.access_token);
        lay(self.id_token, &mut lifetimes.id_token);
        lay(self.refresh_token, &mut lifetimes.refresh_token);
        lay(self.refresh_token_idle, &mut lifetimes.refresh_token_idle);
    }
}

impl ClaimsBody {
    fn over(self, claims: &mut ClaimShape) {
        lay(self.organizations, &mut claims.organizations);
        lay(self.org_name, &mut claims.org_name);
        lay(self.org_display_name, &mut claims.org_display_name);
        lay(self.org_slug, &mut claims.org_slug);
        lay(self.user_in_id_token, &mut claims.user_in_id_token);
        lay(self.idp, &mut claims.idp);
        lay(self.mapping, &mut claims.mapping);
    }
}

/// What is not wanted otherwise stays.
fn lay<T>(wanted: Option<T>, place: &mut T) {
    if let Some(wanted) = wanted {
        *place = wanted;
    }
}

/// Checks a value, if one is said and it does not clear.
fn each<S, T>(
    said: Option<Option<S>>,
    check: impl FnOnce(S) -> Result<T, Refused>,
) -> Result<Option<Option<T>>, Refused> {
    said.map(|said| said.map(check).transpose()).transpose()
}

fn address(pointer: &str, said: &Option<Option<String>>) -> Result<Option<Option<WebAddress>>, Refused> {
    each(said.as_ref().map(Option::as_deref), |text| web_address(pointer, text))
}

fn signs(pointer: &str, said: Option<Option<Algorithm>>) -> Result<Option<Option<Algorithm>>, Refused> {
    each(said, |one| algorithm(pointer, one))
}
