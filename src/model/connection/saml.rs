//! What is to be known of an upstream SAML identity provider.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::foundation::secret::Digest;
use crate::model::words;
use crate::protocol::saml::keys::{Certificate, VerifyingKey};
use crate::protocol::saml::names::{Binding, name_id};
use crate::protocol::saml::signature::SignatureMethod;
use crate::protocol::saml::{authn_request, response};

/// An upstream SAML identity provider, and how we speak with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamlSettings {
    pub preset: SamlPreset,
    pub idp: IdentityProvider,
    /// Where `idp` was read. Absent: it was typed.
    pub metadata: Option<Metadata>,
    /// Kept however the provider is described now.
    pub past: Past,
    pub request: RequestSettings,
    pub wants: Wants,
    pub subject: Subject,
    pub attributes: AttributeMapping,
    /// Attributes that must have one of these values.
    pub required_attributes: BTreeMap<String, Vec<String>>,
    pub idp_initiated: IdpInitiated,
    /// The client id of the application that a login begun by the identity provider is for.
    pub default_application: Option<String>,
    /// Whether our session ends no later than `SessionNotOnOrAfter`.
    pub honours_session_end: bool,
    /// Whether a logout here is told there, and the other way round.
    pub single_logout: bool,
    /// Certificates of the keys that were brought for this connection; the keys are sealed in its `secret`. Absent:
    /// those of the project.
    pub own: OwnCertificates,
}

/// What the identity provider says of itself. All of it must be there before the connection can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityProvider {
    /// Compared with `Issuer` byte for byte.
    pub entity_id: Option<String>,
    pub sso: ServiceEndpoints,
    pub slo: ServiceEndpoints,
    /// Those that it signs with: X.509 in DER, as base64. No other key is ever believed (threats C05, C06).
    pub certificates: Vec<String>,
}

/// One service, by binding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEndpoints {
    pub redirect: Option<ServiceEndpoint>,
    pub post: Option<ServiceEndpoint>,
}

/// An address, exactly as it was written: `Destination` repeats it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEndpoint {
    pub location: String,
    /// Where answers go, if elsewhere (`ResponseLocation`).
    pub response_location: Option<String>,
}

impl ServiceEndpoint {
    /// Where an answer to a request is sent (SAML Metadata, section 2.2.2).
    pub fn for_responses(&self) -> &str {
        self.response_location.as_deref().unwrap_or(&self.location)
    }
}

impl ServiceEndpoints {
    pub fn is_empty(&self) -> bool {
        self.redirect.is_none() && self.post.is_none()
    }

    /// The endpoint for this binding, or else the other one, with the binding that it is for.
    pub fn preferred(&self, binding: RequestBinding) -> Option<(RequestBinding, &ServiceEndpoint)> {
        let redirect = self.redirect.as_ref().map(|endpoint| (RequestBinding::Redirect, endpoint));
        let post = self.post.as_ref().map(|endpoint| (RequestBinding::Post, endpoint));
        match binding {
            RequestBinding::Redirect => redirect.or(post),
            RequestBinding::Post => post.or(redirect),
        }
    }

    /// Every address.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let endpoints = [&self.redirect, &self.post].into_iter().flatten();
        endpoints.flat_map(|endpoint| {
            [Some(endpoint.location.as_str()), endpoint.response_location.as_deref()].into_iter().flatten()
        })
    }
}

/// The document in which the identity provider describes itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub source: MetadataSource,
    /// The one of an aggregate; absent: the only one.
    pub entity_id: Option<String>,
    /// Whoever must have signed it: X.509 in DER, as base64. Absent: whoever gave it is believed, and
    /// TLS the first time; from then on see `broker::Verdict`.
    pub signer: Option<String>,
    /// SHA-256 of what was read, as base64url.
    pub digest: String,
    pub read_at: Moment,
    /// When somebody said that this is who the provider is: they answer for what was read then.
    pub given_at: Moment,
    /// Until when what was read counts; what was read at an address does not beyond it.
    pub valid_until: Option<Moment>,
    /// Since when that end is known, where documents since then have said the same; absent: since it was read.
    pub dated_at: Option<Moment>,
    /// The own `validUntil` of the document that counts, however far.
    pub ends: Option<Moment>,
    /// Whether a signature that counted was on it.
    pub signed: bool,
    /// Keys that the document lists and that are not used, each with the reason.
    pub dropped: Vec<String>,
    /// What names are encrypted to that the provider encrypts itself: X.509 in DER, as base64.
    pub encryption: Option<String>,
    /// What the address says otherwise, and waits for somebody.
    pub offer: Option<String>,
}

impl Metadata {
    pub(super) fn dated(&self) -> Moment {
        self.dated_at.unwrap_or(self.read_at)
    }

    /// Since when this end is known, if it was known before.
    pub fn dated_so(&self, until: Option<Moment>) -> Option<Moment> {
        (self.valid_until == until).then(|| self.dated())
    }
}

/// What is remembered of a provider, so that no old copy of a document turns it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Keys that were taken away, wherever they had been read: none comes back by itself.
    pub withdrawn: Vec<Withdrawn>,
    /// The latest end of all documents that counted: one that ends no later may be older.
    pub newest_end: Option<Moment>,
    /// The known keys that came after the others, those at a time that came at once: a document without the last of them may
    /// be from before.
    pub arrivals: Vec<Vec<String>>,
}

impl Past {
    /// Of a provider of which nothing was known.
    pub fn beginning(metadata: Option<&Metadata>) -> Self {
        let newest_end = metadata.and_then(|metadata| metadata.ends);
        Self { withdrawn: Vec::new(), newest_end, arrivals: Vec::new() }
    }
}

/// A key that counts no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawn {
    /// As [`key_name`] tells it.
    pub key: String,
    pub at: Moment,
    /// Who took it away: a document that counts, or else whoever said anew who the provider is.
    pub by_document: bool,
}

/// Withdrawn keys that are remembered; the oldest are forgotten first.
const MOST_WITHDRAWN: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetadataSource {
    /// Given as a whole: it changes when it is given anew.
    Document,
    /// Read again from time to time.
    Address(Url),
}

impl SamlSettings {
    /// Whether the provider is shown a certificate to encrypt to. AD FS encrypts to any that it is shown, by AES-CBC, and
    /// signs the assertion alone: that cannot be opened (threats H12), so it is shown one only where that is wanted.
    pub fn shows_encryption(&self) -> bool {
        self.preset != SamlPreset::Adfs || self.wants.encrypted || self.own.decryption.is_some()
    }

    /// The address that is read again from time to time.
    pub fn metadata_address(&self) -> Option<&Url> {
        match &self.metadata.as_ref()?.source {
            MetadataSource::Address(url) => Some(url),
            MetadataSource::Document => None,
        }
    }

    /// Until when the provider's description counts: what was read at an address does not beyond its `validUntil`.
    pub fn described_until(&self) -> Option<Moment> {
        self.metadata_address()?;
        self.metadata.as_ref()?.valid_until
    }

    /// The past once `idp`, as it was read in `metadata` or typed, takes the place of what is known.
    pub fn past_of(
        &self,
        idp: &IdentityProvider,
        metadata: Option<&Metadata>,
        (at, by_document): (Moment, bool),
    ) -> Past {
        let present = idp.key_names();
        let mut withdrawn = self.past.withdrawn.clone();
        for key in self.idp.key_names() {
            withdrawn.retain(|one| one.key != key);
            withdrawn.push(Withdrawn { key, at, by_document });
        }
        withdrawn.retain(|one| !present.contains(&one.key));
        let withdrawn = withdrawn.split_off(withdrawn.len().saturating_sub(MOST_WITHDRAWN));
        let own = metadata.and_then(|metadata| metadata.ends);
        // Of another provider they say nothing.
        let is_same = self.idp.entity_id == idp.entity_id;
        let before = self.past.newest_end.filter(|_| is_same);
        let arrivals = if is_same { self.arrivals(&present) } else { Vec::new() };
        Past { withdrawn, newest_end: before.max(own), arrivals }
    }

    fn arrivals(&self, present: &[String]) -> Vec<Vec<String>> {
        let before = self.idp.key_names();
        let (stay, come): (Vec<_>, Vec<_>) = present.iter().cloned().partition(|key| before.contains(key));
        let mut all = self.past.arrivals.clone();
        all.iter_mut().for_each(|some| some.retain(|key| stay.contains(key)));
        all.push(come);
        all.retain(|some| !some.is_empty());
        all
    }
}

/// What to do about metadata that runs out.
pub const RENEW: &str = "nothing newer that counts is at its address; look at what is offered there, have the provider renew it, or give it as a document, which never runs out";

/// What to do about an offer.
pub const OFFERED: &str =
    "compare it with what the provider's administrator says, and have the metadata read anew if it is theirs";

/// How we ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestSettings {
    /// The binding that is preferred where the identity provider has both.
    pub binding: RequestBinding,
    /// `ForceAuthn` in every request, not only where an application asks for it.
    pub force_authn: bool,
    pub authn_context: Option<RequestedAuthnContext>,
    /// `NameIDPolicy`; absent: none is sent.
    pub name_id_format: Option<NameIdFormat>,
    /// `Scoping`: the identity providers behind a proxy, by entity id; empty: none is sent.
    pub scoping: Vec<String>,
    pub login_hint: LoginHint,
    /// Absent: what is usual for our key.
    pub signature: Option<SamlSignature>,
}

/// SAML 2.0 Core, section 3.3.2.2.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedAuthnContext {
    pub comparison: Comparison,
    pub classes: Vec<String>,
}

impl NameIdFormat {
    /// SAML 2.0 Core, section 8.3.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Unspecified => name_id::UNSPECIFIED,
            Self::EmailAddress => name_id::EMAIL_ADDRESS,
            Self::Persistent => name_id::PERSISTENT,
            Self::Transient => name_id::TRANSIENT,
        }
    }
}

impl RequestBinding {
    pub const fn binding(self) -> Binding {
        match self {
            Self::Redirect => Binding::Redirect,
            Self::Post => Binding::Post,
        }
    }
}

impl Comparison {
    pub const fn in_request(self) -> authn_request::Comparison {
        match self {
            Self::Exact => authn_request::Comparison::Exact,
            Self::Minimum => authn_request::Comparison::Minimum,
            Self::Maximum => authn_request::Comparison::Maximum,
            Self::Better => authn_request::Comparison::Better,
        }
    }
}

impl Wants {
    pub const fn of_response(self) -> response::Wants {
        let signed = match self.signed {
            WantedSignature::Either => response::SignedPart::Either,
            WantedSignature::Assertion => response::SignedPart::Assertion,
            WantedSignature::Response => response::SignedPart::Response,
            WantedSignature::Both => response::SignedPart::Both,
        };
        response::Wants { signed, encrypted: self.encrypted }
    }
}

impl SamlSignature {
    pub const fn method(self) -> SignatureMethod {
        match self {
            Self::RsaSha256 => SignatureMethod::RsaSha256,
            Self::RsaSha384 => SignatureMethod::RsaSha384,
            Self::RsaSha512 => SignatureMethod::RsaSha512,
            Self::EcdsaSha256 => SignatureMethod::EcdsaSha256,
            Self::EcdsaSha384 => SignatureMethod::EcdsaSha384,
        }
    }
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512)
    }
}

/// What an answer must be like, besides signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wants {
    pub signed: WantedSignature,
    pub encrypted: bool,
}

/// What names the person for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    NameId,
    Attribute(String),
}

/// Which attributes say what: names that are tried in turn, each a `Name` or a `FriendlyName`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeMapping {
    pub email: Vec<String>,
    pub name: Vec<String>,
    pub given_name: Vec<String>,
    pub family_name: Vec<String>,
    pub groups: Vec<String>,
    pub locale: Vec<String>,
    /// Further claims of one value.
    pub claims: BTreeMap<String, Vec<String>>,
    /// Further claims that are lists, of however many values.
    pub claim_lists: BTreeMap<String, Vec<String>>,
}

/// X.509 in DER, as base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnCertificates {
    pub signing: Option<String>,
    pub next_signing: Option<String>,
    pub decryption: Option<String>,
    pub next_decryption: Option<String>,
    pub previous_decryption: Option<String>,
}

words! {
    /// Identity providers whose attribute names and quirks are known (S1-P0); see [`super::presets`].
    SamlPreset {
        Generic = "generic", Okta = "okta", Entra = "entra", Google = "google", Adfs = "adfs",
        Shibboleth = "shibboleth", Keycloak = "keycloak", SimpleSamlPhp = "simplesamlphp",
        PingFederate = "pingfederate", OneLogin = "onelogin",
    }
}

words! {
    RequestBinding { Redirect = "redirect", Post = "post" }
}

words! {
    Comparison { Exact = "exact", Minimum = "minimum", Maximum = "maximum", Better = "better" }
}

words! {
    NameIdFormat {
        Unspecified = "unspecified", EmailAddress = "email_address", Persistent = "persistent",
        Transient = "transient",
    }
}

/// How the identity provider is told whom we expect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginHint {
    None,
    /// `Subject` in the request (SAML 2.0 Core, section 3.4.1).
    Subject,
    /// A parameter of this name, beside the message in the query of its address.
    Parameter(String),
}

words! {
    SamlSignature {
        RsaSha256 = "rsa-sha256", RsaSha384 = "rsa-sha384", RsaSha512 = "rsa-sha512",
        EcdsaSha256 = "ecdsa-sha256", EcdsaSha384 = "ecdsa-sha384",
    }
}

words! {
    /// Which part must be signed. An answer without any signature is never believed.
    WantedSignature { Either = "either", Assertion = "assertion", Response = "response", Both = "both" }
}

words! {
    /// What an answer that nobody asked for leads to.
    IdpInitiated {
        Off = "off",
        /// To a login of our own, which asks the identity provider anew.
        RoundTrip = "round_trip",
        /// To being signed in, once.
        Accept = "accept",
    }
}

/// Why a connection cannot be used (threats C05).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("the identity provider's entity id is missing")]
    EntityId,
    #[error("the identity provider's address for signing in is missing")]
    SingleSignOn,
    #[error(
        "there is no usable certificate of the identity provider: nothing that it says could be verified"
    )]
    Certificate,
    #[error(
        "the identity provider has more certificates, or longer keys, than a message is tried by: at most four RSA keys of 8192 bits, sixteen of 4096 or 64 of 2048"
    )]
    Costly,
    #[error("every certificate of the identity provider has expired")]
    Expired,
    #[error(
        "what is known of the identity provider's metadata is no longer valid: it must be renewed at its address, or read anew"
    )]
    Outdated,
}

/// An identity provider whose word can be verified: the only way to its keys.
#[derive(Clone, Debug)]
pub struct UsableIdp {
    pub entity_id: String,
    pub sso: ServiceEndpoints,
    pub slo: ServiceEndpoints,
    certificates: Vec<Certificate>,
    keys: Vec<VerifyingKey>,
    valid_until: Option<Moment>,
}

impl UsableIdp {
    /// Those of its certificates, at least one. A certificate's expiry does not take its key away: the key is pinned.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }
    /// Until when it may be believed; what was read at an address is not beyond its own `validUntil`.
    pub fn is_valid_at(&self, now: Moment) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }
}

/// What trying all keys of one connection may cost, in signatures of RSA with 2048 bits: anybody can send a message that
/// none of them has signed, and every one of them is tried. That is four keys of 8192 bits, or sixteen of 4096.
const MOST_EFFORT: usize = 64;

/// Each key once, if they may all be tried.
pub fn keys_of(certificates: &[Certificate]) -> Option<Vec<VerifyingKey>> {
    let mut keys: Vec<VerifyingKey> = Vec::new();
    for certificate in certificates {
        let key = certificate.verifying_key();
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    (keys.iter().map(VerifyingKey::effort).sum::<usize>() <= MOST_EFFORT).then_some(keys)
}

impl SamlSettings {
    /// What a login needs, or why there can be none.
    pub fn usable(&self) -> Result<UsableIdp, Unusable> {
        let entity_id = self.idp.entity_id.clone().ok_or(Unusable::EntityId)?;
        if self.idp.sso.is_empty() {
            return Err(Unusable::SingleSignOn);
        }
        // One that cannot be read is none: it takes no other one's place.
        let read = self.idp.certificates.iter().filter_map(|text| Certificate::from_base64(text).ok());
        let certificates: Vec<_> = read.collect();
        if certificates.is_empty() {
            return Err(Unusable::Certificate);
        }
        let keys = keys_of(&certificates).ok_or(Unusable::Costly)?;
        Ok(UsableIdp {
            entity_id,
            sso: self.idp.sso.clone(),
            slo: self.idp.slo.clone(),
            keys,
            certificates,
            valid_until: self.described_until(),
        })
    }

    /// Whether such a connection may be made active now: the one rule for a file and for every API (threats C05).
    pub fn may_be_active(&self, now: Moment) -> Result<(), Unusable> {
        let idp = self.usable()?;
        if idp.certificates.iter().all(|certificate| certificate.not_after() <= now) {
            return Err(Unusable::Expired);
        }
        if idp.is_valid_at(now) { Ok(()) } else { Err(Unusable::Outdated) }
    }
}

/// Why somebody should look at a certificate of a provider. Its key is pinned and counts all the same: a certificate is
/// an envelope, and providers let them run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worry {
    /// It begins only then.
    Early(Moment),
    Expired(Moment),
    /// It ends within [`SOON`].
    Ending(Moment),
}

/// What expires within this time is told of.
pub const SOON: Duration = Duration::from_secs(60 * 86_400);

impl Worry {
    pub fn about(certificate: &Certificate, now: Moment) -> Option<Self> {
        let (from, until) = (certificate.not_before(), certificate.not_after());
        match () {
            () if until <= now => Some(Self::Expired(until)),
            () if now < from => Some(Self::Early(from)),
            () if until <= now.plus(SOON) => Some(Self::Ending(until)),
            () => None,
        }
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Early(_) => "its key counts already: ask whether it is the right one",
            Self::Expired(_) => "ask for its successor",
            Self::Ending(_) => "ask for its successor, and list both",
        }
    }
}

fn worries<'c>(certificates: impl IntoIterator<Item = &'c String>, now: Moment) -> Vec<(String, Worry)> {
    let read = certificates.into_iter().filter_map(|text| Certificate::from_base64(text).ok());
    let worry = |read: Certificate| {
        let worry = Worry::about(&read, now)?;
        Some((HEXLOWER.encode(&read.fingerprint()), worry))
    };
    read.filter_map(worry).collect()
}

impl OwnCertificates {
    /// Those in use that somebody should look at, by their fingerprints: a provider may hold us to the dates.
    pub fn worries(&self, now: Moment) -> Vec<(String, Worry)> {
        worries([&self.signing, &self.decryption].into_iter().flatten(), now)
    }
}

impl fmt::Display for Worry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Early(from) => write!(f, "is valid from {} on only", from.rfc3339()),
            Self::Expired(until) => write!(f, "expired {}", until.rfc3339()),
            Self::Ending(until) => write!(f, "is valid until {} only", until.rfc3339()),
        }
    }
}

impl IdentityProvider {
    /// Those of its certificates that somebody should look at, by their fingerprints.
    pub fn worries(&self, now: Moment) -> Vec<(String, Worry)> {
        worries(&self.certificates, now)
    }

    /// Every address to which a browser may be sent.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.sso.addresses().chain(self.slo.addresses())
    }

    /// SHA-256 of each certificate, as people compare them: hexadecimal digits.
    pub fn fingerprints(&self) -> Vec<String> {
        self.certificates.iter().map(|text| fingerprint(text)).collect()
    }

    /// The keys of its certificates: of two certificates of one key, a connection trusts the same.
    pub fn key_names(&self) -> Vec<String> {
        self.certificates.iter().map(|text| key_name(text)).collect()
    }
}

/// Our own addresses of one connection, and no other's (threats C11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpAddresses {
    /// Also where our metadata is.
    pub entity_id: String,
    pub acs: String,
    pub slo: String,
}

impl SpAddresses {
    /// `issuer` is the project's, without a slash at its end.
    pub fn of(issuer: &str, connection: ConnectionId) -> Self {
        let at = |service| format!("{issuer}/saml/{connection}/{service}");
        Self { entity_id: at("metadata"), acs: at("acs"), slo: at("slo") }
    }
}

/// What a certificate is called where it is shown.
pub fn fingerprint(certificate: &str) -> String {
    match Certificate::from_base64(certificate) {
        Ok(certificate) => HEXLOWER.encode(&certificate.fingerprint()),
        Err(_) => "unreadable".to_owned(),
    }
}

/// How old a key is: since when the certificate is valid in which it is listed.
pub fn begins(certificate: &str) -> Option<Moment> {
    Certificate::from_base64(certificate).ok().map(|read| read.not_before())
}

/// Each key in the youngest of its certificates, in the order in which the keys come: while a provider renews one, it lists it
/// in both.
pub fn one_each(certificates: &[String]) -> Vec<String> {
    let mut found: Vec<(String, &String)> = Vec::new();
    for text in certificates {
        let name = key_name(text);
        match found.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if begins(text) > begins(known) => *known = text,
            Some(_) => {}
            None => found.push((name, text)),
        }
    }
    found.into_iter().map(|(_, text)| text.clone()).collect()
}

/// The youngest certificate of its key, of this one and others. The age of a key is that of its certificate, so it never goes
/// back: by an old copy that has the key from before it was renewed, others that were published since would pass for younger, and
/// the key itself for one that may leave.
pub fn youngest(text: &String, others: &[String]) -> String {
    let name = key_name(text);
    let same = others.iter().filter(|one| key_name(one) == name);
    same.fold(text, |youngest, one| if begins(one) > begins(youngest) { one } else { youngest }).clone()
}

/// By what a key is told from others, in whatever certificate it comes: SHA-256 of its SubjectPublicKeyInfo (RFC 5280,
/// section 4.1.2.7), as base64url.
pub fn key_name(certificate: &str) -> String {
    match Certificate::from_base64(certificate) {
        Ok(certificate) => Digest::of(certificate.verifying_key().spki()).text(),
        Err(_) => "unreadable".to_owned(),
    }
}
