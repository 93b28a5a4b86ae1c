//! What a SAML identity provider's metadata makes of a connection.

use std::time::Duration;

use url::{Host, Url};

use super::saml::{
    IdentityProvider, Metadata, MetadataSource, SamlSettings, ServiceEndpoint, ServiceEndpoints, keys_of,
    one_each,
};
use crate::foundation::clock::Moment;
use crate::foundation::secret::Digest;
use crate::protocol::saml::binding::redirect;
use crate::protocol::saml::keys::Certificate;
use crate::protocol::saml::metadata::{self, Endpoint, IdpMetadata, MetadataError};
use crate::protocol::saml::names::Binding;

/// The largest document that is read, in bytes: a federation's aggregate.
pub const LARGEST: usize = 5 << 20;

/// Between two looks at an address whose document says nothing about that.
const EVERY: Duration = Duration::from_secs(6 * 3_600);
const OFTENEST: Duration = Duration::from_secs(3_600);
const RAREST: Duration = Duration::from_secs(86_400);
/// An end that is further off is none, such as that of the year 9999: it is the same in every document.
const NO_END: Duration = Duration::from_secs(10 * 366 * 86_400);

/// An identity provider as a document describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub idp: IdentityProvider,
    /// Whether the pinned signer signed it or, without one, a key that is trusted already; then nothing was read but
    /// what was signed.
    pub signed: bool,
    /// Why a signature that is there does not count.
    pub refused: Option<String>,
    /// SHA-256 of the document.
    pub digest: String,
    /// What names are encrypted to: X.509 in DER, as base64.
    pub encryption: Option<String>,
    /// Keys that it lists and that are not used, each with the reason.
    pub dropped: Vec<String>,
    /// Until when it counts.
    pub valid_until: Option<Moment>,
    /// Its own end: by that documents are told from older ones.
    pub ends: Option<Moment>,
    /// When the document should be looked at again.
    pub next_read_at: Moment,
}

/// Why a document makes no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(
        "its metadata has an address to which no browser is sent, which must be https and hold no parameter of a message: {0}"
    )]
    Address(String),
    #[error("its metadata has more certificates, or longer keys, than a message is tried by")]
    Costly,
    #[error("the certificate that is pinned for the metadata cannot be read")]
    Signer,
}

/// Reads a document. `entity_id` says which of several; `signer`, who must have signed it. What is `known` counts if it
/// is listed, though it has expired.
pub fn describe(
    document: &[u8],
    (entity_id, signer): (Option<&str>, Option<&str>),
    known: Option<&SamlSettings>,
    now: Moment,
) -> Result<Described, DescriptionError> {
    describe_known(document, entity_id, (signer, &certificates(known)), now)
}

fn certificates(known: Option<&SamlSettings>) -> Vec<Certificate> {
    let texts = known.iter().flat_map(|known| &known.idp.certificates);
    texts.filter_map(|text| Certificate::from_base64(text).ok()).collect()
}

/// [`describe`], where these certificates are known.
fn describe_known(
    document: &[u8],
    entity_id: Option<&str>,
    (signer, known): (Option<&str>, &[Certificate]),
    now: Moment,
) -> Result<Described, DescriptionError> {
    let signer = signer.map(Certificate::from_base64).transpose().map_err(|_| DescriptionError::Signer)?;
    let pinned = signer.as_ref().map(|signer| std::slice::from_ref(signer.verifying_key()));
    described(document, metadata::read_again(document, entity_id, (pinned, known), now)?, now)
}

/// Reads the document of a connection anew. Without a pinned signer, a signature counts if a certificate made it that
/// the connection trusts already; any other one is as good as none.
pub fn describe_again(
    document: &[u8],
    known: &SamlSettings,
    now: Moment,
) -> Result<Described, DescriptionError> {
    let metadata = known.metadata.as_ref();
    let entity_id = metadata.and_then(|metadata| metadata.entity_id.as_deref());
    let trusted = certificates(Some(known));
    if let Some(signer) = metadata.and_then(|metadata| metadata.signer.as_deref()) {
        return describe_known(document, entity_id, (Some(signer), &trusted), now);
    }
    let keys: Vec<_> = trusted.iter().map(|certificate| certificate.verifying_key().clone()).collect();
    match metadata::read_again(document, entity_id, (Some(&keys), &trusted), now) {
        Err(MetadataError::NotSigned) => describe_known(document, entity_id, (None, &trusted), now),
        Err(MetadataError::Signature(why)) => {
            let described = describe_known(document, entity_id, (None, &trusted), now)?;
            Ok(Described { refused: Some(why.to_string()), ..described })
        }
        read => described(document, read?, now),
    }
}

/// Where a description was read, as it is kept in the place of what was known: whoever gave it answers for it.
/// `entity_id` and `signer` are what it was read by.
pub fn kept(
    described: &Described,
    source: MetadataSource,
    (entity_id, signer): (Option<&str>, Option<&str>),
    known: Option<&SamlSettings>,
    now: Moment,
) -> Metadata {
    Metadata {
        source,
        entity_id: entity_id.map(str::to_owned),
        signer: signer.map(str::to_owned),
        digest: described.digest.clone(),
        read_at: now,
        given_at: now,
        valid_until: described.valid_until,
        dated_at: known
            .and_then(|known| known.metadata.as_ref())
            .and_then(|known| known.dated_so(described.valid_until)),
        ends: described.ends,
        signed: described.signed,
        dropped: described.dropped.clone(),
        encryption: described.encryption.clone(),
        offer: None,
    }
}

fn described(document: &[u8], read: IdpMetadata, now: Moment) -> Result<Described, DescriptionError> {
    let idp = IdentityProvider {
        sso: endpoints(&read.sso),
        slo: endpoints(&read.slo),
        certificates: one_each(&read.signing.iter().map(Certificate::base64).collect::<Vec<_>>()),
        entity_id: Some(read.entity_id),
    };
    if let Some(address) = idp.addresses().find(|address| !may_be_sent_to(address)) {
        return Err(DescriptionError::Address(address.to_owned()));
    }
    if keys_of(&read.signing).is_none() {
        return Err(DescriptionError::Costly);
    }
    let mut every = read.cache_duration.unwrap_or(EVERY).clamp(OFTENEST, RAREST);
    if let Some(until) = read.valid_until {
        // Twice before it runs out, at least.
        every = every.min((until.since(now) / 3).max(Duration::from_secs(300)));
    }
    Ok(Described {
        idp,
        signed: read.verified,
        refused: None,
        digest: Digest::of(document).text(),
        encryption: read.encryption.as_ref().map(Certificate::base64),
        dropped: read.dropped.iter().map(|key| format!("key {}: {}", key.position, key.reason)).collect(),
        valid_until: read.valid_until,
        ends: read.valid_until.filter(|until| *until <= now.plus(NO_END)),
        next_read_at: now.plus(every),
    })
}

/// The first of each binding.
fn endpoints(listed: &[Endpoint]) -> ServiceEndpoints {
    let first = |binding| {
        let found = listed.iter().find(|endpoint| endpoint.binding == binding)?;
        let response_location = found.response_location.clone();
        Some(ServiceEndpoint { location: found.location.clone(), response_location })
    };
    ServiceEndpoints { redirect: first(Binding::Redirect), post: first(Binding::Post) }
}

/// Whether a browser is sent there: by https, or to this very computer, and with room for a message.
fn may_be_sent_to(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let is_here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return false,
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    is_safe && redirect::may_carry(address)
}
