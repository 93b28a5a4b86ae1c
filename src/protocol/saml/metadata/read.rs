//! A customer's identity provider, as its metadata describes it.

use std::time::Duration;

use url::Url;

use super::{duration, find};
use crate::foundation::clock::Moment;
use crate::protocol::saml::certificate::Certificate;
use crate::protocol::saml::keys::{EncryptingKey, VerifyingKey};
use crate::protocol::saml::names::{self, Binding};
use crate::protocol::saml::signature::SignatureError;
use crate::protocol::saml::time;
use crate::protocol::saml::xml::{Element, Malformed};

/// SAML Metadata, section 2.2.1.
const MAX_ENTITY_ID: usize = 1024;
const MAX_URL: usize = 2048;
/// How many certificates, endpoints, formats or scopes of one entity are read.
const MAX_OF_A_KIND: usize = 32;
/// Worth telling only where there is no other key.
const FOR_ENCRYPTION: &str = "it is for encryption";

/// What we need to know of an identity provider.
#[derive(Clone, Debug)]
pub struct IdpMetadata {
    pub entity_id: String,
    /// Whose signatures count: at least one, all of them strong enough, and none that was new and expired when this was read.
    pub signing: Vec<Certificate>,
    /// What is encrypted to the provider, if it has a key that can: names in logouts.
    pub encryption: Option<Certificate>,
    /// Keys that are in the document and are not used, and why.
    pub dropped: Vec<Dropped>,
    /// Where people are sent: at least one; Redirect and POST only, in the order of the document.
    pub sso: Vec<Endpoint>,
    /// Where logouts are sent; Redirect and POST only, perhaps none.
    pub slo: Vec<Endpoint>,
    /// Bindings of other endpoints for sign-on and logout, which are not used (Artifact, SOAP, SimpleSign).
    pub unused_bindings: Vec<String>,
    pub name_id_formats: Vec<String>,
    pub want_authn_requests_signed: bool,
    pub scopes: Vec<Scope>,
    /// The document is not to be believed from then on.
    pub valid_until: Option<Moment>,
    /// How long a copy may be used before it is fetched again.
    pub cache_duration: Option<Duration>,
    /// Whether a pinned key signed what was read.
    pub verified: bool,
}

impl IdpMetadata {
    /// The keys whose signatures count.
    pub fn keys(&self) -> Vec<VerifyingKey> {
        self.signing.iter().map(|certificate| certificate.verifying_key().clone()).collect()
    }
    /// Where to send people by this binding.
    pub fn sso(&self, binding: Binding) -> Option<&Endpoint> {
        self.sso.iter().find(|endpoint| endpoint.binding == binding)
    }
    /// Where to send logouts by this binding.
    pub fn slo(&self, binding: Binding) -> Option<&Endpoint> {
        self.slo.iter().find(|endpoint| endpoint.binding == binding)
    }
}

/// A place that takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub binding: Binding,
    /// An absolute `http` or `https` URL, exactly as written: `Destination` must repeat it.
    pub location: String,
    /// Where answers go, if not to `location`.
    pub response_location: Option<String>,
}

impl Endpoint {
    /// Where an answer to a request is sent (SAML Metadata, section 2.2.2).
    pub fn for_responses(&self) -> &str {
        self.response_location.as_deref().unwrap_or(&self.location)
    }
}

/// A domain that the provider may speak for (`shibmd:Scope`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub value: String,
    /// Whether the value is a regular expression.
    pub is_pattern: bool,
}

/// A key that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Which one, counted from 1 among the key descriptors of the role.
    pub position: usize,
    pub reason: String,
}

/// Why metadata is of no use to us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    #[error("the metadata cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error("this is no SAML metadata: its root is neither an EntityDescriptor nor an EntitiesDescriptor")]
    NotMetadata,
    #[error("the metadata describes too many entities")]
    TooManyEntities,
    #[error("the metadata describes several identity providers; say which one by its entity id")]
    WhichEntity,
    #[error("the metadata describes no entity of that id")]
    NoSuchEntity,
    #[error("the metadata describes that entity more than once")]
    EntityTwice,
    #[error(
        "the entity id is empty, longer than {MAX_ENTITY_ID} characters, or has white space around it or control characters \
         in it"
    )]
    EntityId,
    #[error("the metadata describes no identity provider that speaks SAML 2.0 (an IDPSSODescriptor)")]
    NoIdentityProvider,
    #[error(
        "the metadata describes the identity provider twice: it has more than one IDPSSODescriptor for SAML 2.0, and only one \
         of them could be meant"
    )]
    RoleTwice,
    #[error("the metadata has no certificate to verify signatures by{}", reasons(.0))]
    NoUsableCertificate(Vec<Dropped>),
    #[error("the metadata has no single sign-on endpoint for HTTP-Redirect or HTTP-POST")]
    NoSsoEndpoint,
    #[error("an endpoint of the metadata is not an absolute http or https URL: {0:?}")]
    Endpoint(String),
    #[error("the metadata was valid until {}", .0.rfc3339())]
    Expired(Moment),
    #[error("validUntil or cacheDuration is not a time")]
    Time,
    #[error("the metadata has too many {0}")]
    TooMany(&'static str),
    #[error("the metadata is not signed, though a key is pinned for it")]
    NotSigned,
    #[error("the signature of the metadata does not count: {0}")]
    Signature(#[from] SignatureError),
}

/// Reads one identity provider. `wanted` is its entity id: needed where a document describes several, compared where
/// it describes one. With `pinned` keys the entity, or a group around it, must be signed by one of them, and only the
/// signed bytes are read; without them any signature is ignored, and the caller must trust where the document is from.
pub fn read(
    xml: &[u8],
    wanted: Option<&str>,
    pinned: Option<&[VerifyingKey]>,
    now: Moment,
) -> Result<IdpMetadata, MetadataError> {
    read_again(xml, wanted, (pinned, &[]), now)
}

/// The same of a provider whose certificates are known: one of their keys that is still listed counts, though it has expired
/// meanwhile. Its key is pinned, and providers let certificates run out.
pub fn read_again(
    xml: &[u8],
    wanted: Option<&str>,
    (pinned, known): (Option<&[VerifyingKey]>, &[Certificate]),
    now: Moment,
) -> Result<IdpMetadata, MetadataError> {
    let document = find::parse(xml)?;
    let Some(keys) = pinned else {
        return provider(find::entity(document.root(), wanted)?, known, now);
    };
    let signed = find::signed(document.root(), wanted, keys)?;
    let provider = signed.try_map(|bytes| {
        let document = find::parse(bytes)?;
        provider(find::entity(document.root(), wanted)?, known, now)
    })?;
    Ok(IdpMetadata { verified: true, ..provider.into_inner() })
}

fn provider(entity: Element<'_>, known: &[Certificate], now: Moment) -> Result<IdpMetadata, MetadataError> {
    let mut roles = entity.children().filter(find::is_idp);
    let role = roles.next().ok_or(MetadataError::NoIdentityProvider)?;
    // Which of their keys and addresses are meant is nobody's to guess (SAML Metadata, section 2.4.1).
    if roles.next().is_some() {
        return Err(MetadataError::RoleTwice);
    }
    let valid_until = find::least(role, valid_until)?;
    if let Some(until) = valid_until.filter(|until| *until <= now) {
        return Err(MetadataError::Expired(until));
    }
    let (signing, mut dropped) = certificates(role, known, now)?;
    let (sso, mut unused_bindings) = endpoints(role, "SingleSignOnService")?;
    let (slo, unused_for_logout) = endpoints(role, "SingleLogoutService")?;
    unused_bindings.extend(unused_for_logout);
    unused_bindings.sort_unstable();
    unused_bindings.dedup();
    if signing.is_empty() {
        return Err(MetadataError::NoUsableCertificate(dropped));
    }
    dropped.retain(|key| key.reason != FOR_ENCRYPTION);
    if sso.is_empty() {
        return Err(MetadataError::NoSsoEndpoint);
    }
    Ok(IdpMetadata {
        entity_id: entity_id(entity)?,
        signing,
        encryption: encryption(role)?,
        dropped,
        sso,
        slo,
        unused_bindings,
        name_id_formats: name_id_formats(role)?,
        want_authn_requests_signed: is_true(role.attr("WantAuthnRequestsSigned")),
        scopes: scopes(entity, role)?,
        valid_until,
        cache_duration: find::least(role, cache_duration)?,
        verified: false,
    })
}

fn entity_id(entity: Element<'_>) -> Result<String, MetadataError> {
    let id = entity.attr("entityID").unwrap_or_default();
    let is_plain = !id.is_empty() && id.trim() == id && !id.contains(char::is_control);
    if !is_plain || id.chars().count() > MAX_ENTITY_ID {
        return Err(MetadataError::EntityId);
    }
    Ok(id.to_owned())
}

/// The certificates of the keys that sign (`use="signing"`, or no `use`), without those of no use to us. Never a key
/// that is for encryption (threat C05).
fn certificates(
    role: Element<'_>,
    known: &[Certificate],
    now: Moment,
) -> Result<(Vec<Certificate>, Vec<Dropped>), MetadataError> {
    let (mut good, mut dropped) = (Vec::<Certificate>::new(), Vec::new());
    for (index, key) in all(role, names::METADATA, "KeyDescriptor", "keys")?.into_iter().enumerate() {
        let outcome = match key.attr("use") {
            None | Some("signing") => certificate(key, known, now)?,
            Some("encryption") => Err(FOR_ENCRYPTION.to_owned()),
            Some(_) => Err("its use is unknown".to_owned()),
        };
        match outcome {
            Ok(certificate) if good.iter().any(|known| known.der() == certificate.der()) => (),
            Ok(certificate) => good.push(certificate),
            Err(reason) => dropped.push(Dropped { position: index + 1, reason }),
        }
    }
    Ok((good, dropped))
}

/// The first key that things can be encrypted to: one that is for nothing else, or else one that is for everything. Of an
/// expired certificate the key counts as ever.
fn encryption(role: Element<'_>) -> Result<Option<Certificate>, MetadataError> {
    let keys = all(role, names::METADATA, "KeyDescriptor", "keys")?;
    for purpose in [Some("encryption"), None] {
        for key in keys.iter().filter(|key| key.attr("use") == purpose) {
            let mut texts = key.descendants().filter(|one| one.is(names::SIGNATURE, "X509Certificate"));
            let Some(first) = texts.next() else { continue };
            let read = Certificate::from_base64(&first.text()?).ok();
            if let Some(good) = read.filter(|read| EncryptingKey::from_certificate(read).is_ok()) {
                return Ok(Some(good));
            }
        }
    }
    Ok(None)
}

/// The first certificate of a key: what follows it is its chain, and an authority's key signs no assertions (SAML
/// Metadata Interoperability, section 2.6.1).
fn certificate(
    key: Element<'_>,
    known: &[Certificate],
    now: Moment,
) -> Result<Result<Certificate, String>, MetadataError> {
    let mut certificates =
        key.descendants().filter(|element| element.is(names::SIGNATURE, "X509Certificate"));
    let Some(first) = certificates.next() else {
        return Ok(Err("it comes without a certificate".to_owned()));
    };
    Ok(match Certificate::from_base64(&first.text()?) {
        Err(error) => Err(error.to_string()),
        Ok(certificate) if known.iter().any(|known| known.verifying_key() == certificate.verifying_key()) => {
            Ok(certificate)
        }
        Ok(certificate) if certificate.not_after() <= now => {
            Err(format!("its certificate expired on {}", certificate.not_after().rfc3339()))
        }
        Ok(certificate) => Ok(certificate),
    })
}

/// The endpoints of a kind that we can use, and the bindings of the others.
fn endpoints(role: Element<'_>, kind: &'static str) -> Result<(Vec<Endpoint>, Vec<String>), MetadataError> {
    let (mut used, mut unused) = (Vec::new(), Vec::new());
    for element in all(role, names::METADATA, kind, "endpoints")? {
        let uri = element.attr("Binding").unwrap_or_default();
        match Binding::from_uri(uri).filter(|binding| binding.is_supported()) {
            None => unused.push(uri.to_owned()),
            Some(binding) => used.push(Endpoint {
                binding,
                location: web_url(element.attr("Location").unwrap_or_default())?,
                response_location: element.attr("ResponseLocation").map(web_url).transpose()?,
            }),
        }
    }
    Ok((used, unused))
}

/// An absolute `http` or `https` URL without a fragment, as written. A form is posted to it and a browser is sent to
/// it, so no other scheme may pass (`javascript:`), and nothing that a URL parser would quietly mend.
fn web_url(text: &str) -> Result<String, MetadataError> {
    let refused = || MetadataError::Endpoint(text.chars().take(200).collect());
    let is_plain = text.len() <= MAX_URL && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let url = Url::parse(text).ok().filter(|_| is_plain).ok_or_else(refused)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none();
    let written = text.to_ascii_lowercase();
    let authority = written.strip_prefix(url.scheme()).and_then(|rest| rest.strip_prefix("://"));
    let is_written_so = authority.is_some_and(|authority| !authority.starts_with('/'));
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    if is_web && is_written_so && is_anonymous { Ok(text.to_owned()) } else { Err(refused()) }
}

fn name_id_formats(role: Element<'_>) -> Result<Vec<String>, MetadataError> {
    let formats = all(role, names::METADATA, "NameIDFormat", "NameID formats")?;
    formats.into_iter().map(|format| Ok(format.text()?.trim().to_owned())).collect()
}

/// The scopes of the entity and of the role.
fn scopes(entity: Element<'_>, role: Element<'_>) -> Result<Vec<Scope>, MetadataError> {
    let mut scopes = Vec::new();
    for holder in [entity, role] {
        let Some(extensions) = holder.child(names::METADATA, "Extensions")? else { continue };
        for scope in all(extensions, names::SHIBBOLETH_METADATA, "Scope", "scopes")? {
            let value = scope.text()?.trim().to_owned();
            scopes.push(Scope { value, is_pattern: is_true(scope.attr("regexp")) });
        }
    }
    Ok(scopes)
}

fn valid_until(element: Element<'_>) -> Result<Option<Moment>, MetadataError> {
    let read = |text| time::parse(text).map_err(|_| MetadataError::Time);
    element.attr("validUntil").map(read).transpose()
}

/// Only advice: one that cannot be read is none.
fn cache_duration(element: Element<'_>) -> Result<Option<Duration>, MetadataError> {
    Ok(element.attr("cacheDuration").and_then(duration::parse))
}

/// The children of a name, unless there are too many to be meant.
fn all<'d>(
    parent: Element<'d>,
    namespace: &str,
    local: &str,
    kind: &'static str,
) -> Result<Vec<Element<'d>>, MetadataError> {
    let found: Vec<_> =
        parent.children().filter(|child| child.is(namespace, local)).take(MAX_OF_A_KIND + 1).collect();
    if found.len() > MAX_OF_A_KIND { Err(MetadataError::TooMany(kind)) } else { Ok(found) }
}

/// `xs:boolean`.
fn is_true(value: Option<&str>) -> bool {
    matches!(value.map(str::trim_ascii), Some("true" | "1"))
}

fn reasons(dropped: &[Dropped]) -> String {
    let each = dropped.iter().map(|key| format!("; key {}: {}", key.position, key.reason));
    each.collect()
}
