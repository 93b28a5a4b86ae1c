//! What a client says of itself (RFC 7591, section 2; OpenID Connect Dynamic Client Registration, section 2), as the
//! application that it wants to be. What nothing is known of is left out; what is known and cannot be is refused by name.

use serde_json::json;
use url::Url;

use super::members::{Metadata, wrong};
use crate::manage::applications::ApplicationBody;
use crate::manage::refused::Told;
use crate::model::application::{
    Application, ApplicationKind, ApplicationSettings, GrantType, OrganizationUsage, SubjectType,
};
use crate::model::registration::Limits;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::origin::WebOrigin;
use crate::protocol::oauth::redirect_uri::{RequestUri, WebAddress};
use crate::protocol::oauth::{client_authentication, request_object, scope};
use crate::protocol::problem::Place;

/// Addresses for people: looked at, so that none of them is a trap. Nobody is shown the first one, and it is not kept.
const LINKS: [&str; 4] = ["client_uri", "logo_uri", "policy_uri", "tos_uri"];

/// Whoever wants it must not believe that they have got it.
const ENCRYPTION: [&str; 10] = [
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
];

/// By what the client says that it signs, or wants to be answered: nobody is held to that, so it is left out; what cannot be
/// is refused all the same.
const SIGNING: [(&str, &[Algorithm]); 3] = [
    ("token_endpoint_auth_signing_alg", &client_authentication::ALGORITHMS),
    ("request_object_signing_alg", &request_object::ALGORITHMS),
    ("introspection_signed_response_alg", &[Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]),
];

/// What only we say (RFC 7592, section 2.2).
const OURS: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

impl Metadata {
    /// What a client that is known already says of whom it is (RFC 7592, section 2.2). `is_secret`: whether a text is one of
    /// its secrets.
    pub fn is_of(
        &self,
        application: &Application,
        is_secret: impl Fn(&str) -> bool,
    ) -> Result<(), OAuthError> {
        if let Some(name) = OURS.iter().find(|name| self.get(name).is_some()) {
            return Err(wrong(name, "is not for a client to say"));
        }
        if self.text("client_id")?.as_deref() != Some(&application.client_id) {
            return Err(wrong("client_id", "must be the client's own"));
        }
        match self.text("client_secret")? {
            Some(secret) if !is_secret(&secret) => Err(wrong("client_secret", "is not the client's")),
            _ => Ok(()),
        }
    }

    /// The application that the client wants to be, all of it that a client can say, within what it may be: by the token
    /// that it came with, or because it is so already.
    pub fn application(
        &self,
        limits: &Limits,
        before: Option<&Application>,
    ) -> Result<ApplicationBody, OAuthError> {
        let now = before.map(|before| &*before.settings);
        self.has_no_trap()?;
        let (kind, method, grant_types) = self.what_it_is()?;
        within(limits, kind, &grant_types)?;
        let scopes = self.scopes(limits, kind, &grant_types)?;
        let held = &limits.held;
        let redirect_uris = self.texts("redirect_uris")?.unwrap_or_default();
        // Its own pages, and those alone, ask us by script.
        let origins = match kind {
            ApplicationKind::Spa => origins(&redirect_uris),
            _ => Vec::new(),
        };
        let origins = origins.into_iter().filter(|origin| limits.may_have_origin(origin)).collect();
        Ok(ApplicationBody {
            display_name: self.text("client_name")?.or_else(|| before.map(|before| before.client_id.clone())),
            kind: Some(kind),
            token_endpoint_auth_method: Some(method),
            jwks: Some(self.get("jwks").cloned()),
            jwks_uri: Some(self.text("jwks_uri")?),
            // What binds its tokens it does not take off again.
            dpop_bound_access_tokens: Some(
                self.flag("dpop_bound_access_tokens")?
                    || now.is_some_and(|now| now.sender.dpop_bound_access_tokens),
            ),
            tls_client_certificate_bound_access_tokens: Some(
                self.flag("tls_client_certificate_bound_access_tokens")?
                    || now.is_some_and(|now| now.sender.tls_client_certificate_bound_access_tokens),
            ),
            tls_client_auth_subject_dn: Some(self.text("tls_client_auth_subject_dn")?),
            tls_client_auth_san_dns: Some(self.text("tls_client_auth_san_dns")?),
            tls_client_auth_san_uri: Some(self.text("tls_client_auth_san_uri")?),
            tls_client_auth_san_ip: Some(self.text("tls_client_auth_san_ip")?),
            tls_client_auth_san_email: Some(self.text("tls_client_auth_san_email")?),
            logo_uri: Some(self.logo(&redirect_uris)?),
            policy_uri: Some(self.text("policy_uri")?),
            tos_uri: Some(self.text("tos_uri")?),
            // Nor what the operator holds it to.
            require_pushed_authorization_requests: Some(
                self.flag("require_pushed_authorization_requests")? || held.require_pushed,
            ),
            require_signed_request_object: Some(
                self.flag("require_signed_request_object")? || held.require_signed,
            ),
            require_pkce: Some(self.flag("require_pkce")? || held.require_pkce),
            request_uris: Some(self.request_uris()?),
            authorization_signed_response_alg: Some(
                self.word("authorization_signed_response_alg", Algorithm::from_name)?,
            ),
            default_max_age: Some(least(self.seconds("default_max_age")?, held.default_max_age)),
            require_auth_time: Some(self.flag("require_auth_time")?),
            cors_origins: Some(origins),
            grant_types: Some(grant_types),
            scopes: Some(scopes),
            signing_algorithm: Some(
                self.word("id_token_signed_response_alg", Algorithm::from_name)?.unwrap_or(Algorithm::RS256),
            ),
            userinfo_signed_response_alg: Some(
                self.word("userinfo_signed_response_alg", Algorithm::from_name)?,
            ),
            subject_type: Some(
                self.word("subject_type", SubjectType::from_word)?
                    .filter(|_| !held.pairwise)
                    .unwrap_or(if held.pairwise { SubjectType::Pairwise } else { SubjectType::Public }),
            ),
            sector_identifier_uri: Some(self.text("sector_identifier_uri")?),
            initiate_login_uri: Some(self.text("initiate_login_uri")?),
            post_logout_redirect_uris: Some(self.texts("post_logout_redirect_uris")?.unwrap_or_default()),
            backchannel_logout_uri: Some(self.text("backchannel_logout_uri")?),
            backchannel_logout_session_required: Some(self.flag("backchannel_logout_session_required")?),
            frontchannel_logout_uri: Some(self.text("frontchannel_logout_uri")?),
            frontchannel_logout_session_required: Some(self.flag("frontchannel_logout_session_required")?),
            organization_usage: Some(self.organization_usage(limits, now)?),
            redirect_uris: Some(redirect_uris),
            ..ApplicationBody::default()
        })
    }

    /// Whether it is told of organizations. Where the operator has said that it needs one, or is told of none, it is so.
    fn organization_usage(
        &self,
        limits: &Limits,
        now: Option<&ApplicationSettings>,
    ) -> Result<OrganizationUsage, OAuthError> {
        let wanted = self.word("organization_usage", OrganizationUsage::from_word)?;
        match (limits.held.organization_usage, wanted) {
            (Some(held), Some(wanted)) if wanted != held => {
                Err(wrong("organization_usage", "is not what the operator has made of it"))
            }
            (Some(held), _) => Ok(held),
            (None, wanted) => {
                let usual = now.map_or(OrganizationUsage::Allow, |now| now.organization_usage);
                Ok(wanted.unwrap_or(usual))
            }
        }
    }

    /// The same of a client that is new: it is somebody else's, and within what the token says it is for from then on.
    pub fn new_application(&self, limits: &Limits) -> Result<ApplicationBody, OAuthError> {
        let connections = limits.connections.as_ref();
        Ok(ApplicationBody {
            consent_required: Some(true),
            organizations: limits.organizations.as_ref().map(|ids| Some(texts(ids))),
            // Whoever may use these and no others is led to no other one by an address.
            domain_based: connections.map(|_| false),
            connections: connections.map(|ids| texts(ids)),
            ..self.application(limits, None)?
        })
    }

    /// The picture that its people see, if it is from where they are sent back to, by whichever address: nobody comes to trust
    /// a client for another one's (OpenID Connect Dynamic Client Registration, section 9.1). Otherwise it is left out.
    fn logo(&self, redirect_uris: &[String]) -> Result<Option<String>, OAuthError> {
        let host = |text: &str| {
            let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
            url.host_str().map(str::to_owned)
        };
        let is_own = |logo: &String| {
            let of_logo = host(logo);
            let mut all = redirect_uris.iter().map(|uri| host(uri));
            of_logo.is_some() && !redirect_uris.is_empty() && all.all(|host| host == of_logo)
        };
        Ok(self.text("logo_uri")?.filter(is_own))
    }

    fn has_no_trap(&self) -> Result<(), OAuthError> {
        if self.get("software_statement").is_some() {
            let why = "software statements are not believed here: say what the client is without one";
            return Err(OAuthError::unapproved_software_statement(why));
        }
        for name in LINKS {
            if let Some(text) = self.text(name)? {
                WebAddress::register(&text).map_err(|error| wrong(name, &error.to_string()))?;
            }
        }
        for text in self.texts("request_uris")?.unwrap_or_default() {
            RequestUri::register(&text).map_err(|error| wrong("request_uris", &error.to_string()))?;
        }
        for (name, known) in SIGNING {
            self.word(name, |word| known.iter().find(|one| one.name() == word))?;
        }
        match ENCRYPTION.iter().find(|name| self.get(name).is_some()) {
            Some(name) => Err(wrong(name, "is not supported: nothing is encrypted here but the connection")),
            None => Ok(()),
        }
    }

    /// Where its signed requests may be fetched: without keys nothing of it could be verified, and they are left out.
    fn request_uris(&self) -> Result<Vec<String>, OAuthError> {
        if self.get("jwks").or(self.get("jwks_uri")).is_none() {
            return Ok(Vec::new());
        }
        Ok(self.texts("request_uris")?.unwrap_or_default())
    }

    /// What kind of application this is in our words, how it proves who it is, and how it comes to tokens.
    fn what_it_is(&self) -> Result<(ApplicationKind, Method, Vec<GrantType>), OAuthError> {
        let grant_types = match self.texts("grant_types")? {
            None => vec![GrantType::AuthorizationCode],
            Some(list) => {
                let read = |word: &String| {
                    GrantType::from_word(word)
                        .ok_or_else(|| wrong("grant_types", "names one that is not supported"))
                };
                list.iter().map(read).collect::<Result<_, _>>()?
            }
        };
        let signs_in = grant_types.contains(&GrantType::AuthorizationCode);
        let response_types = self.texts("response_types")?;
        let fits = match &response_types {
            None => true,
            Some(list) if signs_in => !list.is_empty() && list.iter().all(|one| one == "code"),
            Some(list) => list.is_empty(),
        };
        if !fits {
            return Err(wrong(
                "response_types",
                "is code where grant_types has authorization_code, and none elsewhere",
            ));
        }
        let native = match self.text("application_type")?.as_deref() {
            None | Some("web") => false,
            Some("native") => true,
            Some(_) => return Err(wrong("application_type", "must be web or native")),
        };
        let named =
            self.word("token_endpoint_auth_method", |word| serde_json::from_value(json!(word)).ok())?;
        let usual = if native { Method::None } else { Method::SecretBasic };
        let method = named.unwrap_or(usual);
        let kind = match (native, method) {
            // There is no browser in which anybody would be sent back to it.
            _ if !signs_in && grant_types.contains(&GrantType::DeviceCode) => ApplicationKind::Device,
            (true, _) => ApplicationKind::Native,
            (false, _) if !signs_in => ApplicationKind::Machine,
            (false, Method::None) => ApplicationKind::Spa,
            _ => ApplicationKind::Web,
        };
        Ok((kind, method, grant_types))
    }

    /// What means nothing here is left out, as it is in an authorization request; what it may not have is refused.
    fn scopes(
        &self,
        limits: &Limits,
        kind: ApplicationKind,
        grant_types: &[GrantType],
    ) -> Result<Vec<String>, OAuthError> {
        let may = |one: &str| limits.scopes.iter().any(|scope| scope == one);
        let Some(text) = self.text("scope")? else {
            // Who may stay as long as that, and refreshes, has no other way to say that it wants to.
            let stays = grant_types.contains(&GrantType::RefreshToken).then_some(&scope::OFFLINE_ACCESS);
            let usual = kind.usual_scopes().iter().chain(stays).filter(|one| may(one));
            return Ok(usual.map(|one| (*one).to_owned()).collect());
        };
        let mut scopes: Vec<String> = Vec::new();
        for one in text.split(' ').filter(|one| scope::SUPPORTED.contains(one)) {
            if !may(one) {
                return Err(wrong("scope", &format!("{one} is more than this registration may ask for")));
            }
            if !scopes.iter().any(|known| known == one) {
                scopes.push(one.to_owned());
            }
        }
        Ok(scopes)
    }
}

/// Nobody becomes more by registering than the operator said, or than the operator has made of them since.
fn within(limits: &Limits, kind: ApplicationKind, grant_types: &[GrantType]) -> Result<(), OAuthError> {
    if !limits.types.contains(&kind) {
        let why = format!(
            "with token_endpoint_auth_method and grant_types this is a {kind} application, which this registration may not make"
        );
        return Err(wrong("application_type", &why));
    }
    match grant_types.iter().find(|one| !limits.grant_types.contains(one)) {
        Some(one) => Err(wrong("grant_types", &format!("{one} is more than this registration may ask for"))),
        None => Ok(()),
    }
}

/// The lower of two limits, of which each may be absent.
fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

fn texts(ids: &[impl ToString]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn origins(redirect_uris: &[String]) -> Vec<String> {
    let mut origins: Vec<String> =
        redirect_uris.iter().filter_map(|uri| WebOrigin::of(uri)).map(String::from).collect();
    origins.sort();
    origins.dedup();
    origins
}

/// What the rules of all applications refuse, in the words of who registers.
pub fn refused(told: &Told) -> OAuthError {
    let Some(complaint) = told.errors.first() else {
        return OAuthError::invalid_client_metadata(told.detail.replace(['"', '\\'], "'"));
    };
    let (Place::Pointer(at) | Place::Parameter(at)) = &complaint.place;
    let ours = at.trim_start_matches('/').split('/').next().unwrap_or_default();
    let theirs = match ours {
        "display_name" => "client_name",
        "scopes" => "scope",
        "type" => "application_type",
        "signing_algorithm" => "id_token_signed_response_alg",
        other => other,
    };
    wrong(theirs, &complaint.detail)
}
