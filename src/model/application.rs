//! An application: a downstream that sends us people and gets tokens.

mod asked;
mod faults;
mod public_keys;
mod requests;

use serde::{Deserialize, Serialize};
use url::Url;

use super::claim_shape::ClaimShape;
use super::project::Project;
use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, ConnectionId, OrganizationId, ProjectId};
use crate::foundation::shared::Shared;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::client_certificate::CertificateSubject;
use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::origin::WebOrigin;
use crate::protocol::oauth::params;
use crate::protocol::oauth::redirect_uri::{RedirectUri, WebAddress};
use crate::protocol::oauth::scope;

pub use public_keys::{PublicKeysError, public_key_set};
pub use requests::AuthorizationSettings;

/// What an application may ask for unless it is told otherwise: not for the full list of organizations (threats M12).
pub const USUAL_SCOPES: [&str; 4] = [scope::OPENID, scope::PROFILE, scope::EMAIL, scope::ORGANIZATION];

#[derive(Clone, Debug)]
pub struct Application {
    pub id: ApplicationId,
    pub project_id: ProjectId,
    /// Whose it is (S0-25); absent: the project's own.
    pub organization_id: Option<OrganizationId>,
    pub client_id: String,
    pub display_name: String,
    pub settings: Shared<ApplicationSettings>,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub disabled_at: Option<Moment>,
    /// Since when whose it is may own none.
    pub stopped_at: Option<Moment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationSettings {
    pub kind: ApplicationKind,
    pub authentication: Method,
    /// The public keys of a client that signs its assertions or its authorization requests.
    pub jwks: Option<serde_json::Value>,
    /// What it has to hold for its tokens to be of use to it.
    #[serde(default)]
    pub sender: SenderSettings,
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a login begins that somebody else wants (OpenID Connect Core, section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<RedirectUri>,
    /// What it is told when people sign out, and where they come back to it.
    #[serde(default)]
    pub sign_out: SignOutSettings,
    #[serde(default)]
    pub client: ClientSettings,
    /// How its authorization requests may come, and the answers go.
    #[serde(default)]
    pub requests: AuthorizationSettings,
    pub scopes: Vec<String>,
    /// The ways to tokens that it may use.
    pub grant_types: Vec<GrantType>,
    pub lifetimes: Lifetimes,
    /// Signs ID and access tokens.
    pub algorithm: Algorithm,
    /// `aud` of access tokens, besides the issuer.
    pub audiences: Vec<String>,
    pub organization_prompt: OrganizationPrompt,
    pub organization_usage: OrganizationUsage,
    /// Whether people are routed by their email domain.
    pub domain_based: bool,
    /// Connections that are offered by name.
    pub connections: Vec<ConnectionId>,
    /// Only the listed organizations may use it; otherwise all of the project.
    pub organizations_limited: bool,
    pub claims: ClaimShape,
    /// Who acts for whom.
    #[serde(default)]
    pub exchange: ExchangeSettings,
}

/// What tokens are exchanged for (RFC 8693).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExchangeSettings {
    /// The applications that may act for its people, by their client ids: in whatever of its tokens is for them.
    pub may_act: Vec<String>,
    /// For whom it may get tokens in which it acts for others' people itself.
    pub audiences: Vec<String>,
}

/// What an application's tokens are bound to, so that whoever finds one cannot use it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SenderSettings {
    /// Whether it gets no tokens without a DPoP proof (RFC 9449, section 5.2). Who brings one gets bound tokens anyway.
    pub dpop_bound_access_tokens: bool,
    /// Whether its tokens are bound to the certificate that it shows in TLS, without which it gets none (RFC 8705, section
    /// 3.4).
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Which certificate is its own, if it proves who it is by one that an authority has vouched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateSubject>,
}

/// How an application takes part when people sign out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignOutSettings {
    /// Where people may come back to after it (OpenID Connect RP-Initiated Logout, section 3.1).
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told by us (OpenID Connect Back-Channel Logout, section 2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<WebAddress>,
    /// Whether it wants to know which session; it is told that anyway.
    pub backchannel_logout_session_required: bool,
    /// What the browser opens in a frame (OpenID Connect Front-Channel Logout, section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<WebAddress>,
    /// Whether it wants to know which session; it is told that anyway.
    pub frontchannel_logout_session_required: bool,
}

impl SignOutSettings {
    /// Whether it is told of a sign-out in any way.
    pub fn is_told(&self) -> bool {
        self.backchannel_logout_uri.is_some() || self.frontchannel_logout_uri.is_some()
    }

    /// What cannot be beside these redirect URIs: which, and why. What browsers open is of where people come back to, and
    /// nobody else's (OpenID Connect Front-Channel Logout, section 2).
    pub fn fault(&self, redirect_uris: &[RedirectUri]) -> Option<(&'static str, &'static str)> {
        let opened = self.frontchannel_logout_uri.as_ref()?;
        let is_its_own = redirect_uris.iter().any(|uri| uri.is_beside(opened));
        let why = "must have the scheme, host and port of one of the redirect URIs";
        (!is_its_own).then_some(("frontchannel_logout_uri", why))
    }

    /// Byte for byte a registered one: here a loopback address counts with its port, too.
    pub fn leads_back_to(&self, requested: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|uri| uri.as_str() == requested)
    }
}

/// What is registered of a client besides (RFC 7591, section 2; OpenID Connect Dynamic Client Registration, section 2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSettings {
    /// Where its pages are from that read our answers by script (threats M16).
    pub cors_origins: Vec<WebOrigin>,
    /// Where it publishes its keys, in the place of a `jwks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<WebAddress>,
    pub subject_type: SubjectType,
    /// What lists the redirect URIs of all applications of its sector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<WebAddress>,
    /// Signs its UserInfo answers; absent: they are plain JSON.
    #[serde(rename = "userinfo_signed_response_alg", skip_serializing_if = "Option::is_none")]
    pub userinfo_algorithm: Option<Algorithm>,
    /// What it is held to besides its other settings.
    pub security_profile: SecurityProfile,
    /// Whether each person is asked before it is told of them, for it is somebody else's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub consent_required: bool,
    /// What its people see of it while they sign in.
    pub links: Box<LinkSettings>,
}

/// What an application shows its people (RFC 7591, section 2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSettings {
    /// A picture, which we fetch and serve ourselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<WebAddress>,
    /// How it treats what it is told of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<WebAddress>,
    /// What they agree to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<WebAddress>,
}

words! {
    /// A profile by which everything that an application does with us is judged.
    #[derive(Default)]
    SecurityProfile {
        #[default] None = "none",
        /// FAPI 2.0 Security Profile (Final), sections 5.3.2 and 5.4.
        Fapi2 = "fapi2",
    }
}

words! {
    /// Whether a person has one name for all applications, or another one for each sector (OpenID Connect Core, section 8).
    #[derive(Default)]
    SubjectType { #[default] Public = "public", Pairwise = "pairwise" }
}

words! {
    ApplicationKind { Web = "web", Spa = "spa", Native = "native", Device = "device", Machine = "machine" }
}

impl ApplicationKind {
    /// The ways to tokens that one of this kind may be allowed.
    pub const fn grant_types(self) -> &'static [GrantType] {
        use GrantType::{AuthorizationCode, ClientCredentials, DeviceCode, RefreshToken, TokenExchange};
        match self {
            Self::Web => &[AuthorizationCode, RefreshToken, ClientCredentials, TokenExchange],
            Self::Spa => &[AuthorizationCode, RefreshToken],
            Self::Native => &[AuthorizationCode, RefreshToken, DeviceCode],
            Self::Device => &[DeviceCode, RefreshToken],
            Self::Machine => &[ClientCredentials, TokenExchange],
        }
    }

    /// Those that it may use unless it is told otherwise.
    pub const fn usual_grant_types(self) -> &'static [GrantType] {
        match self {
            Self::Machine => &[GrantType::ClientCredentials],
            // Somebody may have been talked into letting it in: it does not stay unless it is said (threats H23).
            Self::Device => &[GrantType::DeviceCode],
            _ => &[GrantType::AuthorizationCode, GrantType::RefreshToken],
        }
    }

    /// What it may ask for unless it is told otherwise. Who signs nobody in has nobody's claims to ask for.
    pub const fn usual_scopes(self) -> &'static [&'static str] {
        match self {
            Self::Machine => &[scope::ORGANIZATION],
            _ => &USUAL_SCOPES,
        }
    }

    /// Whether it runs where others can read what it knows (RFC 6749, section 2.1).
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Spa | Self::Native | Self::Device)
    }

    /// How it proves who it is unless it is told otherwise.
    pub const fn usual_authentication(self) -> Method {
        if self.is_public() { Method::None } else { Method::SecretBasic }
    }

    /// Why it may not prove who it is in this way.
    pub fn authentication_fault(self, method: Method) -> Option<String> {
        match (self, method) {
            (Self::Spa | Self::Native, Method::None) => None,
            (Self::Spa | Self::Native, _) => Some(format!(
                "a {self} application can keep no secret: its method is none, and PKCE protects it"
            )),
            (Self::Machine, Method::None) => {
                Some("a machine has nothing but its proof of who it is".to_owned())
            }
            _ => None,
        }
    }
}

words! {
    /// `grant_type` of a token request (RFC 6749; RFC 7591, section 2).
    GrantType {
        AuthorizationCode = "authorization_code",
        RefreshToken = "refresh_token",
        ClientCredentials = "client_credentials",
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
        TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange",
    }
}

impl GrantType {
    /// Why these cannot be together.
    pub fn orphan_fault(all: &[Self]) -> Option<&'static str> {
        let first = [Self::AuthorizationCode, Self::DeviceCode];
        let orphan = all.contains(&Self::RefreshToken) && !first.iter().any(|one| all.contains(one));
        orphan.then_some("refresh_token needs a way to a first token: authorization_code or device_code")
    }
}

/// How long its tokens live, in seconds; absent: as the operator's settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifetimes {
    pub access_token: Option<u64>,
    pub id_token: Option<u64>,
    /// Of a family that may be refreshed, whoever uses it however often.
    pub refresh_token: Option<u64>,
    /// Of a refresh token that nobody uses.
    pub refresh_token_idle: Option<u64>,
}

impl Lifetimes {
    /// The longest that an access or ID token may live: keys are published for as long.
    pub const LONGEST_TOKEN: u64 = 3_600;
    /// The longest that a family may be refreshed: a year.
    pub const LONGEST_FAMILY: u64 = 31_536_000;

    /// What cannot be: which, and why.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let token = ("access_token", self.access_token, Self::LONGEST_TOKEN);
        let rest = [
            token,
            ("id_token", self.id_token, Self::LONGEST_TOKEN),
            ("refresh_token", self.refresh_token, Self::LONGEST_FAMILY),
            ("refresh_token_idle", self.refresh_token_idle, Self::LONGEST_FAMILY),
        ];
        let wrong = |(_, seconds, most): &(_, Option<u64>, u64)| {
            seconds.is_some_and(|seconds| seconds == 0 || seconds > *most)
        };
        let (name, _, most) = rest.into_iter().find(wrong)?;
        Some((name, format!("must be 1 to {most} seconds")))
    }
}

impl ApplicationKind {
    /// Whether people come from it with a browser, and are sent back to it.
    pub fn signs_people_in(self) -> bool {
        matches!(self, Self::Web | Self::Spa | Self::Native)
    }
}

words! {
    /// When the person says for which organization they act.
    OrganizationPrompt {
        /// By name, and it says where they sign in. Who is signed in already chooses, as after a sign-in.
        Before = "before",
        After = "after",
        None = "none",
    }
}

words! {
    /// Whether tokens name an organization.
    OrganizationUsage {
        Deny = "deny",
        Allow = "allow",
        Require = "require",
    }
}

impl Application {
    /// The house itself, where nobody else sends somebody: who is invited to no application.
    pub const HOUSE: ApplicationId = ApplicationId::from_u128(0);

    /// The same as an application: by whatever way of signing in there is. It is in no table, and is given no code.
    pub fn of_house(project: &Project, connections: Vec<ConnectionId>) -> Self {
        let settings = ApplicationSettings {
            kind: ApplicationKind::Web,
            authentication: Method::None,
            jwks: None,
            sender: SenderSettings::default(),
            redirect_uris: Vec::new(),
            initiate_login_uri: None,
            sign_out: SignOutSettings::default(),
            client: ClientSettings::default(),
            requests: AuthorizationSettings::default(),
            scopes: Vec::new(),
            grant_types: Vec::new(),
            lifetimes: Lifetimes::default(),
            algorithm: Algorithm::RS256,
            audiences: Vec::new(),
            organization_prompt: OrganizationPrompt::None,
            organization_usage: OrganizationUsage::Allow,
            domain_based: true,
            connections,
            organizations_limited: false,
            claims: ClaimShape::default(),
            exchange: ExchangeSettings::default(),
        };
        Self {
            id: Self::HOUSE,
            project_id: project.id,
            organization_id: None,
            client_id: String::new(),
            display_name: project.brand_name().to_owned(),
            settings: settings.into(),
            created_at: project.created_at,
            updated_at: project.updated_at,
            disabled_at: None,
            stopped_at: None,
        }
    }
}

impl Application {
    /// Whether it is in service: people come to it, and what it has is worth something.
    pub fn is_enabled(&self) -> bool {
        self.disabled_at.is_none() && self.stopped_at.is_none()
    }

    /// Where its people begin, if it says so: by a login that somebody else wants (OpenID Connect Core, section 4).
    /// `issuer` is ours.
    pub fn login_begins_at(&self, issuer: &str, login_hint: Option<&str>) -> Option<String> {
        let uri = self.settings.initiate_login_uri.as_ref()?;
        let pairs = std::iter::once(("iss", issuer)).chain(login_hint.map(|hint| ("login_hint", hint)));
        Some(params::append(uri.as_str(), pairs))
    }

    /// The same for who is to act for an organization; `connection`: by which it wants them to sign in, where it does.
    pub fn login_begins_for(
        &self,
        issuer: &str,
        organization: &str,
        connection: Option<&str>,
    ) -> Option<String> {
        let uri = self.settings.initiate_login_uri.as_ref()?;
        let pairs = [("iss", issuer), ("organization", organization)];
        let pairs = pairs.into_iter().chain(connection.map(|connection| ("connection", connection)));
        Some(params::append(uri.as_str(), pairs))
    }

    /// Where whoever is lost finds it: where its logins begin, or else the front door of where it registered that people
    /// come back to. Never what a request says.
    pub fn front_door(&self, issuer: &str) -> Option<String> {
        let front = || {
            let uri = Url::parse(self.settings.redirect_uris.first()?.as_str()).ok()?;
            let is_web =
                matches!(uri.scheme(), "https" | "http") && self.settings.kind != ApplicationKind::Native;
            is_web.then(|| uri.join("/").ok().map(String::from)).flatten()
        };
        self.login_begins_at(issuer, None).or_else(front)
    }
}

impl Application {
    /// For whom it may get tokens in which it acts for people whose tokens it is shown (RFC 8693).
    pub fn acts_at(&self) -> &[String] {
        let may = self.settings.may_use(GrantType::TokenExchange);
        if may { &self.settings.exchange.audiences } else { &[] }
    }

    /// As far as that is worth anything: nobody manages an organization, or is told of a person, in somebody else's name.
    pub fn acts_beyond(&self, issuer: &str) -> Vec<String> {
        let ours = |target: &&String| {
            let rest = target.strip_prefix(issuer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.acts_at().iter().filter(|target| !ours(target)).cloned().collect()
    }

    /// For whom its access tokens can be (RFC 8707): its audiences, and ourselves.
    pub fn resources(&self, issuer: &str) -> Vec<String> {
        let mut all = self.settings.audiences.clone();
        all.push(issuer.to_owned());
        all
    }
}

impl ApplicationSettings {
    /// Whether this is one of its redirect URIs.
    pub fn is_answered_at(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|one| one.matches(uri))
    }
    pub fn is_public(&self) -> bool {
        self.authentication == Method::None
    }
    pub fn is_fapi2(&self) -> bool {
        self.client.security_profile == SecurityProfile::Fapi2
    }
    /// Whether its requests bring a challenge for their code (RFC 7636): what is public has nothing else, FAPI 2.0 has it
    /// of everybody (section 5.3.2.2), and the operator of whom they like.
    pub fn must_challenge(&self) -> bool {
        self.is_public() || self.is_fapi2() || self.requests.require_pkce
    }
    /// By what it may sign what it sends us, of what anybody may (FAPI 2.0, section 5.4.1).
    pub fn may_sign_by(&self, algorithm: Algorithm) -> bool {
        !self.is_fapi2() || matches!(algorithm, Algorithm::PS256 | Algorithm::ES256 | Algorithm::EdDSA)
    }
    /// Whether each refresh gives another refresh token. One that only whoever proves who it is can use is safe without, and
    /// none gets lost on the way (FAPI 2.0, section 5.3.2.1).
    pub fn rotates(&self) -> bool {
        !self.is_fapi2()
    }
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }
    /// Whether it may ask for an organization, as it does by name or by scope: in the same words at every door (4.6).
    pub fn may_ask_for_organizations(&self, is_named: bool, scopes: &[String]) -> Result<(), OAuthError> {
        if self.organization_usage != OrganizationUsage::Deny {
            return Ok(());
        }
        let why = "this application does not use organizations";
        if is_named || scopes.iter().any(|one| scope::organization(one).is_some()) {
            return Err(OAuthError::invalid_request(why));
        }
        if scopes.iter().any(|one| one == scope::ORGANIZATIONS) {
            return Err(OAuthError::invalid_scope(why));
        }
        Ok(())
    }
    /// What its tokens are bound to, of what whoever asks for them has proved to hold.
    pub fn binding(&self, proved: &Confirmation) -> Confirmation {
        let by_certificate = self.sender.tls_client_certificate_bound_access_tokens;
        let certificate = proved.certificate.clone().filter(|_| by_certificate);
        Confirmation { jkt: proved.jkt.clone(), certificate }
    }
    /// What it is granted of what it asks for. Scopes that mean nothing here are left out, as the protocol has it (RFC 6749,
    /// section 3.3); those that it may not have are refused.
    pub fn granted_scopes(&self, requested: &[String]) -> Result<Vec<String>, OAuthError> {
        let mut granted: Vec<String> = Vec::new();
        for one in requested {
            let kind = if scope::organization(one).is_some() { scope::ORGANIZATION } else { one.as_str() };
            if !scope::SUPPORTED.contains(&kind) {
                continue;
            }
            // Means nothing to who may not refresh (OpenID Connect Core, section 11).
            if kind == scope::OFFLINE_ACCESS && !self.may_use(GrantType::RefreshToken) {
                continue;
            }
            if !self.may_have(one) {
                return Err(OAuthError::invalid_scope(format!("this application may not ask for {kind}")));
            }
            if !granted.contains(one) {
                granted.push(one.clone());
            }
        }
        if granted.is_empty() {
            return Err(OAuthError::invalid_scope("none of the scopes means anything here"));
        }
        Ok(granted)
    }
    /// Whether it may have this of a person, by what it is now.
    pub fn may_have(&self, one: &str) -> bool {
        let kind = if scope::organization(one).is_some() { scope::ORGANIZATION } else { one };
        self.scopes.iter().any(|scope| scope == kind)
    }

    /// Whether it has public keys here or there, by which it signs assertions or authorization requests.
    pub fn has_keys(&self) -> bool {
        self.jwks.is_some() || self.client.jwks_uri.is_some()
    }
    /// Within which a person has one name (OpenID Connect Core, section 8.1): the host of `sector_identifier_uri`, or else
    /// of all redirect URIs. A loopback address or a private scheme is everybody's, and no sector. None: the name is public.
    pub fn sector(&self) -> Option<String> {
        match (self.client.subject_type, &self.client.sector_identifier_uri) {
            (SubjectType::Public, _) => None,
            (SubjectType::Pairwise, Some(uri)) => uri.url().host_str().map(str::to_owned),
            (SubjectType::Pairwise, None) => {
                let mut hosts = self.redirect_uris.iter().map(RedirectUri::own_host);
                let first = hosts.next()??;
                hosts.all(|host| host.as_ref() == Some(&first)).then_some(first)
            }
        }
    }
    /// Whether somebody who came through this connection may use the application at all.
    pub fn accepts_connection(&self, connection: ConnectionId, of_an_organization: bool) -> bool {
        self.connections.contains(&connection) || (self.domain_based && of_an_organization)
    }
}
