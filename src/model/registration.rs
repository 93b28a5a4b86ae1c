//! Clients that register themselves (RFC 7591, RFC 7592): by a token that the operator gave out, and with one of their own
//! from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::application::{
    Application, ApplicationKind, ApplicationSettings, GrantType, OrganizationUsage, SubjectType,
};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, ConnectionId, OrganizationId, ProjectId, RegistrationTokenId};
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::protocol::jose::Jwk;
use crate::protocol::oauth::client_certificate::CertificateSubject;
use crate::protocol::oauth::redirect_uri::{RedirectUri, WebAddress};

/// An initial access token (RFC 7591, section 1.2): whoever shows it registers clients within its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationToken {
    pub id: RegistrationTokenId,
    pub project_id: ProjectId,
    pub name: String,
    pub limits: Limits,
    /// How many clients may be registered with it, and how many have been.
    pub most_uses: i64,
    pub uses: i64,
    /// Who made it, as the audit trail names them.
    pub created_by: String,
    pub created_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
    pub last_used_at: Option<Moment>,
}

impl RegistrationToken {
    pub fn is_alive(&self, now: Moment) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && self.uses < self.most_uses
    }
}

/// What a client that registers itself may be, and go on to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub types: Vec<ApplicationKind>,
    pub grant_types: Vec<GrantType>,
    pub scopes: Vec<String>,
    /// The organizations that may use it; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizations: Option<Vec<OrganizationId>>,
    /// The only connections by which people sign in to it; absent: as their addresses lead them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<ConnectionId>>,
    /// What the operator has said of a client since it registered.
    #[serde(default, skip_serializing_if = "Held::is_nothing")]
    pub held: Held,
    /// What the operator has taken out of its registration since, under the names of the members that held it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken: Said,
}

/// What is said of a client in texts: names, addresses, keys, how it proves who it is.
type Said = BTreeMap<String, BTreeSet<String>>;

/// What a client does not say itself: it follows from its redirect URIs.
const CORS_ORIGINS: &str = "cors_origins";

impl Limits {
    /// Of a client that the operator has changed: what they have said of it by that is all that it may be.
    #[must_use]
    pub fn after(self, before: &Application, after: &Application) -> Self {
        let taken = taken(self.taken, before, after);
        let (before, after) = (&before.settings, &after.settings);
        Self {
            scopes: latest(self.scopes, &before.scopes, &after.scopes),
            grant_types: latest(self.grant_types, &before.grant_types, &after.grant_types),
            types: latest(self.types, &vec![before.kind], &vec![after.kind]),
            held: self.held.after(before, after),
            taken,
            ..self
        }
    }

    /// The member by which a client would have again what the operator has taken from it.
    pub fn brought_back(&self, application: &Application) -> Option<&'static str> {
        said(application).find(|(name, text)| self.has_taken(name, text)).map(|(name, _)| name)
    }

    /// Whether its scripts may be from there, as far as the operator has said anything of that.
    pub fn may_have_origin(&self, origin: &str) -> bool {
        !self.has_taken(CORS_ORIGINS, origin)
    }

    fn has_taken(&self, name: &str, text: &str) -> bool {
        self.taken.get(name).is_some_and(|all| all.contains(text))
    }
}

/// With what the operator has just taken, and without what they have given back.
fn taken(mut taken: Said, before: &Application, after: &Application) -> Said {
    for (name, text) in said(before) {
        taken.entry(name.to_owned()).or_default().insert(text);
    }
    for (name, text) in said(after) {
        if let Some(texts) = taken.get_mut(name) {
            texts.remove(&text);
        }
    }
    taken.retain(|_, texts| !texts.is_empty());
    taken
}

/// Under the names by which a client registers it.
fn said(application: &Application) -> impl Iterator<Item = (&'static str, String)> {
    let settings = &application.settings;
    let (client, sign_out) = (&settings.client, &settings.sign_out);
    let uris = |name: &'static str, list: &[RedirectUri]| -> Vec<_> {
        list.iter().map(|uri| (name, uri.as_str().to_owned())).collect()
    };
    let address = |name: &'static str, uri: &Option<WebAddress>| {
        uri.as_ref().map(|uri| (name, uri.as_str().to_owned()))
    };
    let keys = settings.jwks.as_ref().and_then(|set| set.get("keys")?.as_array()).into_iter().flatten();
    let thumbprint =
        |key: &serde_json::Value| Some(Jwk::parse(key.to_string().as_bytes()).ok()?.thumbprint());
    // Where it gave itself no name, it is called so by us.
    let name = Some(&application.display_name).filter(|name| **name != application.client_id);
    let mut all: Vec<_> = name.map(|name| ("client_name", name.clone())).into_iter().collect();
    let method = serde_json::to_value(settings.authentication).ok();
    all.extend(
        method.iter().filter_map(|word| Some(("token_endpoint_auth_method", word.as_str()?.to_owned()))),
    );
    all.extend(uris("redirect_uris", &settings.redirect_uris));
    all.extend(uris("post_logout_redirect_uris", &sign_out.post_logout_redirect_uris));
    all.extend(settings.requests.request_uris.iter().map(|uri| ("request_uris", uri.as_str().to_owned())));
    all.extend(settings.initiate_login_uri.iter().map(|uri| ("initiate_login_uri", uri.as_str().to_owned())));
    all.extend(keys.filter_map(thumbprint).map(|text| ("jwks", text)));
    all.extend(settings.sender.certificate.as_ref().map(CertificateSubject::shown));
    all.extend(client.cors_origins.iter().map(|origin| (CORS_ORIGINS, origin.as_str().to_owned())));
    all.extend(
        [
            address("jwks_uri", &client.jwks_uri),
            address("backchannel_logout_uri", &sign_out.backchannel_logout_uri),
            address("frontchannel_logout_uri", &sign_out.frontchannel_logout_uri),
            address("logo_uri", &client.links.logo_uri),
            address("policy_uri", &client.links.policy_uri),
            address("tos_uri", &client.links.tos_uri),
        ]
        .into_iter()
        .flatten(),
    );
    all.into_iter()
}

/// Where the operator holds a client to more than it might register: absent or false is what nobody has said, or what was
/// said and is not any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Held {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_usage: Option<OrganizationUsage>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_pushed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_signed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_pkce: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pairwise: bool,
}

impl Held {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What the operator has just changed counts as it is now; of the rest, what they have said before.
    fn after(self, before: &ApplicationSettings, after: &ApplicationSettings) -> Self {
        let (was, is) = (Self::of(before), Self::of(after));
        Self {
            organization_usage: latest(
                self.organization_usage,
                &was.organization_usage,
                &is.organization_usage,
            ),
            default_max_age: latest(self.default_max_age, &was.default_max_age, &is.default_max_age),
            require_pushed: latest(self.require_pushed, &was.require_pushed, &is.require_pushed),
            require_signed: latest(self.require_signed, &was.require_signed, &is.require_signed),
            require_pkce: latest(self.require_pkce, &was.require_pkce, &is.require_pkce),
            pairwise: latest(self.pairwise, &was.pairwise, &is.pairwise),
        }
    }

    fn of(settings: &ApplicationSettings) -> Self {
        let usage = Some(settings.organization_usage).filter(|usage| *usage != OrganizationUsage::Allow);
        Self {
            organization_usage: usage,
            default_max_age: settings.requests.default_max_age,
            require_pushed: settings.requests.require_pushed,
            require_signed: settings.requests.require_signed,
            require_pkce: settings.requests.require_pkce,
            pairwise: settings.client.subject_type == SubjectType::Pairwise,
        }
    }
}

/// What was said before, where a change says nothing of it.
fn latest<T: PartialEq + Clone>(held: T, was: &T, is: &T) -> T {
    if was == is { held } else { is.clone() }
}

/// A client that has registered itself, and the digest of what it shows from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    pub application: ApplicationId,
    pub token: RegistrationTokenId,
    pub limits: Limits,
}

/// The text of a token: `behalf_iat_<id>_<secret>` or `behalf_rat_<id>_<secret>`, as of keys to the administration API.
/// Only the digest of the secret is stored.
#[derive(Clone, Debug)]
pub struct TokenText<I> {
    pub id: I,
    pub secret: Secret,
}

/// What such a token is of.
pub trait Bearer: FromStr + fmt::Display + Copy {
    const ID_PREFIX: &'static str;
    const PREFIX: &'static str;
}

impl Bearer for RegistrationTokenId {
    const ID_PREFIX: &'static str = RegistrationTokenId::PREFIX;
    const PREFIX: &'static str = "behalf_iat_";
}

impl Bearer for ApplicationId {
    const ID_PREFIX: &'static str = ApplicationId::PREFIX;
    const PREFIX: &'static str = "behalf_rat_";
}

const ID: usize = 26;

impl<I: Bearer> TokenText<I> {
    pub fn new(random: &Random, id: I) -> Self {
        Self { id, secret: random.token() }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(I::PREFIX)?.split_at_checked(ID)?;
        let id = format!("{}{id}", I::ID_PREFIX).parse().ok()?;
        let secret = secret.strip_prefix('_')?;
        BASE64URL_NOPAD.decode(secret.as_bytes()).ok().filter(|bytes| bytes.len() == 32)?;
        Some(Self { id, secret: Secret::new(secret) })
    }

    /// To be shown once, when it is made.
    pub fn text(&self) -> Secret {
        let id = self.id.to_string();
        let id = id.strip_prefix(I::ID_PREFIX).unwrap_or_default();
        Secret::new(format!("{}{id}_{}", I::PREFIX, self.secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_reads_back_as_what_it_was_made_for_and_as_nothing_else() {
        let initial = TokenText::new(&Random::sequence(1), RegistrationTokenId::from_u128(7));
        let text = initial.text().expose().to_owned();
        let read = TokenText::<RegistrationTokenId>::parse(&text).unwrap();
        assert_eq!((read.id, &read.secret), (initial.id, &initial.secret));
        assert!(TokenText::<ApplicationId>::parse(&text).is_none());
        for wrong in ["", "behalf_iat_", "behalf_iat_é_", &text[..text.len() - 1], &format!("{text}A")] {
            assert!(TokenText::<RegistrationTokenId>::parse(wrong).is_none(), "{wrong}");
        }
    }
}
