//! What can be known of a provider before anything is kept: whether it is there, is who it was said to be, and has a key
//! that could be believed. All of it is asked before the transaction. Who asks is told the same whatever an address met
//! (threats C27); of a document that they sent themselves, what is wrong with it.

use std::time::Duration;

use http::HeaderValue;
use url::Url;

use super::body::{DescribedBy, Faults, Own, OwnKey, Proof, Said};
use super::wanted;
use crate::broker::{Broker, MetadataReadError};
use crate::egress::guard::Guard;
use crate::egress::http::Request;
use crate::foundation::secret::Secret;
use crate::keys::brought::{self, Brought};
use crate::keys::connection_secret;
use crate::manage::connections::Held;
use crate::manage::desk::Desk;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::metadata::{Described, DescriptionError, describe, kept};
use crate::model::connection::{
    IdentityProvider, Metadata, MetadataSource, OidcSettings, OwnCertificates, Past, SamlSettings, Settings,
    Upstream,
};
use crate::model::saml_key::Purpose;
use crate::protocol::jose::JwkSet;
use crate::protocol::oidc::provider::{self, ProviderMetadata};
use crate::protocol::problem::Place;
use crate::protocol::saml::keys::{Certificate, VerifyingKey};

/// How often somebody may have a provider asked, for one organization, in a minute.
const LOOKS: u64 = 30;
const MINUTE: Duration = Duration::from_secs(60);
/// The largest discovery document or set of keys, in bytes.
const LARGEST: usize = 262_144;
const WAIT: Duration = Duration::from_secs(5);

/// Settings that may be kept.
#[derive(Clone, Debug)]
pub struct Checked {
    pub settings: Settings,
    pub secret: NewSecret,
}

#[derive(Clone, Debug)]
pub enum NewSecret {
    Nothing,
    /// As it is sealed.
    Kept(Vec<u8>),
    Given(Secret),
}

/// Judges what was said; `base` is the connection that it is said of, if there is one.
pub async fn checked(desk: &Desk, base: Option<&Held>, said: Said) -> Result<Checked, Refused> {
    let Said { mut settings, described, proof, .. } = said;
    let known = base.map(Held::head);
    let sealed = known.and_then(|(_, secret)| secret.cloned());
    let opened = base.and_then(|base| opened(desk, base));
    let secret = match &mut settings.upstream {
        Upstream::Oidc(oidc) => {
            look_at(desk, oidc).await?;
            let stays = known.is_some_and(|(known, _)| leads_to(known, oidc));
            // A draft that names another provider has lost it; what is live has not.
            let live = base.filter(|base| leads_to(&base.connection.settings, oidc));
            let live = live.and_then(|base| base.connection.secret.clone());
            match (proof, sealed.clone().filter(|_| stays).or(live)) {
                (Proof::Given(secret), _) => NewSecret::Given(secret),
                (Proof::Known, Some(sealed)) => NewSecret::Kept(sealed),
                _ => NewSecret::Nothing,
            }
        }
        Upstream::Saml(saml) => {
            let known = known.and_then(|(known, _)| match &known.upstream {
                Upstream::Saml(known) => Some(known.as_ref()),
                Upstream::Oidc(_) => None,
            });
            let live = base.and_then(|base| base.connection.saml()).map(|live| live.saml);
            (saml.idp, saml.metadata) = identity_provider(desk, (known, live), described).await?;
            // What was taken away stays known, whatever describes the provider now.
            saml.past = match (known, live) {
                (Some(known), _) if (&known.idp, &known.metadata) == (&saml.idp, &saml.metadata) => {
                    known.past.clone()
                }
                (_, Some(live)) => live.past_of(&saml.idp, saml.metadata.as_ref(), (desk.now, false)),
                (_, None) => Past::beginning(saml.metadata.as_ref()),
            };
            let own = match proof {
                Proof::Own(own) => *own,
                _ => Own::default(),
            };
            let brought = opened.as_ref().and_then(Brought::parse).unwrap_or_default();
            let was = known.map(|known| known.own.clone()).unwrap_or_default();
            own_keys(saml, own, (brought, was))?
        }
    };
    // The same again is no change.
    let secret = match (secret, opened, sealed) {
        (NewSecret::Given(new), Some(old), Some(sealed)) if new.digest() == old.digest() => {
            NewSecret::Kept(sealed)
        }
        (secret, ..) => secret,
    };
    Ok(Checked { settings, secret })
}

/// Whether a secret that is known would go where it went before: whoever moves a provider does not get what its old one
/// was told.
fn leads_to(known: &Settings, new: &OidcSettings) -> bool {
    let Upstream::Oidc(known) = &known.upstream else { return false };
    wanted::proof_of(known.authentication) == wanted::proof_of(new.authentication)
        && (&known.issuer, &known.endpoints) == (&new.issuer, &new.endpoints)
}

async fn may_look(desk: &Desk) -> Result<(), Refused> {
    let of = desk.organization.as_ref().map(|found| found.id.to_string());
    let what = format!("providers looked at {} {}", desk.project().id, of.unwrap_or_default());
    desk.at_most(&what, (LOOKS, MINUTE), || "wait a minute".to_owned()).await
}

fn at(code: Code, pointer: &str) -> Refused {
    Refused::at(code, Place::Pointer(pointer.into()), code.title())
}

/// Addresses that would never be asked are told by themselves, without asking.
fn may_be_asked(broker: &Broker, pointer: &str, url: &Url) -> Result<(), Refused> {
    let refused = |_| at(Code::AddressNotAllowed, pointer);
    Guard::new(&broker.config.egress).check(url).map_err(refused)
}

async fn look_at(desk: &Desk, oidc: &OidcSettings) -> Result<(), Refused> {
    let broker = desk.visitor.broker();
    addresses(broker, oidc)?;
    may_look(desk).await?;
    heard(broker, oidc).await
}

fn addresses(broker: &Broker, oidc: &OidcSettings) -> Result<(), Refused> {
    let failed = || at(Code::DiscoveryFailed, "/issuer");
    let issuer = Url::parse(&oidc.issuer).map_err(|_| failed())?;
    may_be_asked(broker, "/issuer", &issuer)?;
    if let Some(typed) = &oidc.endpoints {
        for (name, url) in [
            ("authorization", Some(&typed.authorization)),
            ("token", Some(&typed.token)),
            ("userinfo", typed.userinfo.as_ref()),
            ("jwks", Some(&typed.jwks)),
        ] {
            if let Some(url) = url {
                may_be_asked(broker, &format!("/endpoints/{name}"), url)?;
            }
        }
    }
    Ok(())
}

/// Asks the provider whether it is there, is who it is said to be, and has a key that could be believed.
pub async fn heard(broker: &Broker, oidc: &OidcSettings) -> Result<(), Refused> {
    if let Some(typed) = &oidc.endpoints {
        let failed = || at(Code::DiscoveryFailed, "/endpoints/jwks");
        return has_a_key(broker, oidc, &typed.jwks).await.ok_or_else(failed);
    }
    let failed = || at(Code::DiscoveryFailed, "/issuer");
    let url = provider::address(&oidc.issuer).ok_or_else(failed)?;
    let document = asked(broker, url).await.ok_or_else(failed)?;
    let found: ProviderMetadata = serde_json::from_slice(&document).map_err(|_| failed())?;
    // Byte for byte (OpenID Connect Discovery, section 4.3; threats H17).
    if found.issuer != oidc.issuer {
        return Err(at(Code::IssuerMismatch, "/issuer"));
    }
    for url in [&found.authorization_endpoint, &found.token_endpoint, &found.jwks_uri] {
        may_be_asked(broker, "/issuer", url)?;
    }
    has_a_key(broker, oidc, &found.jwks_uri).await.ok_or_else(failed)
}

/// The document at an address; why there is none, nobody is told.
async fn asked(broker: &Broker, url: Url) -> Option<Vec<u8>> {
    let accept = HeaderValue::from_static("application/json");
    let request = Request::get(url).limit(LARGEST).timeout(WAIT).header(http::header::ACCEPT, accept);
    let answer = broker.http.send(request).await.ok()?;
    (answer.status == 200).then_some(answer.body)
}

/// Whether there is a key by which an ID token could be verified.
async fn has_a_key(broker: &Broker, oidc: &OidcSettings, jwks: &Url) -> Option<()> {
    let keys = JwkSet::parse(&asked(broker, jwks.clone()).await?).ok()?;
    let usable = keys.keys().iter().any(|key| oidc.algorithms.iter().any(|one| key.serves(*one)));
    usable.then_some(())
}

/// Who the provider is, as it is typed, as its metadata says now, or as it is known (threats C05). Repeating where it
/// describes itself says nothing new: whoever holds the address by now would be believed by that (threats M15).
async fn identity_provider(
    desk: &Desk,
    (known, live): (Option<&SamlSettings>, Option<&SamlSettings>),
    described: DescribedBy,
) -> Result<(IdentityProvider, Option<Metadata>), Refused> {
    let (broker, now) = (desk.visitor.broker(), desk.now);
    let (read, source, entity_id, signer) = match described {
        DescribedBy::Known => {
            return Ok(
                known.map_or_else(Default::default, |known| (known.idp.clone(), known.metadata.clone()))
            );
        }
        DescribedBy::Typed(idp) => {
            if !idp.certificates.is_empty() && !may_be_believed(desk, &idp) {
                return Err(Refused::value("/idp_x509_certificate", "every certificate has expired"));
            }
            return Ok((idp, None));
        }
        DescribedBy::Document { document, entity_id, signer } => {
            let by = (entity_id.as_deref(), signer.as_deref());
            let read = describe(document.as_bytes(), by, known, now);
            let invalid = |error: DescriptionError| {
                Refused::at(Code::MetadataInvalid, Place::Pointer("/metadata_xml".into()), error.to_string())
            };
            (read.map_err(invalid)?, MetadataSource::Document, entity_id, signer)
        }
        DescribedBy::Address { url, entity_id, signer, anew } => {
            let by = (entity_id.as_deref(), signer.as_deref());
            let is_same = |one: &&SamlSettings| one.read_from() == Some((&url, by.0, by.1));
            if let Some(same) = [known, live].into_iter().flatten().find(is_same).filter(|_| !anew) {
                return Ok((same.idp.clone(), same.metadata.clone()));
            }
            may_be_asked(broker, "/metadata_url", &url)?;
            may_look(desk).await?;
            let read = broker.saml_metadata.read(&url, by, known).await;
            let told = |error| match error {
                MetadataReadError::Egress(_) | MetadataReadError::Status(_) => {
                    at(Code::DiscoveryFailed, "/metadata_url")
                }
                // As much as is told of the same document where it is pasted.
                told => {
                    let place = Place::Pointer("/metadata_url".into());
                    Refused::at(Code::MetadataInvalid, place, told.to_string())
                }
            };
            (read.map_err(told)?, MetadataSource::Address(url), entity_id, signer)
        }
    };
    let Described { idp, .. } = &read;
    if !may_be_believed(desk, idp) {
        let pointer = match source {
            MetadataSource::Document => "/metadata_xml",
            MetadataSource::Address(_) => "/metadata_url",
        };
        let rule = "every certificate that it signs with has expired";
        return Err(Refused::at(Code::MetadataInvalid, Place::Pointer(pointer.into()), rule));
    }
    let metadata = kept(&read, source, (entity_id.as_deref(), signer.as_deref()), known, now);
    // The same document again is no change.
    let is_same = |old: &Metadata| {
        (&old.source, &old.entity_id, &old.signer, &old.digest)
            == (&metadata.source, &metadata.entity_id, &metadata.signer, &metadata.digest)
    };
    let same = [known, live]
        .into_iter()
        .flatten()
        .find(|known| known.idp == read.idp && known.metadata.as_ref().is_some_and(is_same));
    let metadata = same.map_or(Some(metadata), |known| known.metadata.clone());
    Ok((read.idp, metadata))
}

/// Whether any of its certificates counts yet.
fn may_be_believed(desk: &Desk, idp: &IdentityProvider) -> bool {
    let mut read = idp.certificates.iter().filter_map(|text| Certificate::from_base64(text).ok());
    read.any(|certificate| certificate.not_after() > desk.now)
}

/// Keys that were brought: with the same certificate, the key that is known; each of its own kind, and none twice.
fn own_keys(
    saml: &SamlSettings,
    own: Own,
    (known, was): (Brought, OwnCertificates),
) -> Result<NewSecret, Refused> {
    let mut faults = Faults::default();
    let mut seen: Vec<(&str, VerifyingKey)> = Vec::new();
    let mut key =
        |name: &'static str, given: OwnKey, known: Option<Secret>, was: Option<&String>, purpose| {
            let certificate = given.certificate?;
            let pem = given.pem.or_else(|| known.filter(|_| was == Some(&certificate)));
            let Some(pem) = pem else {
                faults.refuse(format!("/{name}_certificate"), format!("needs {name}_key"));
                return None;
            };
            let public = faults.accept(format!("/{name}_key"), wanted::own_key(&pem, purpose))?;
            let fits = wanted::certifies(&certificate, &public, &format!("{name}_key"));
            faults.accept(format!("/{name}_certificate"), fits);
            if let Some((other, _)) = seen.iter().find(|(_, known)| *known == public) {
                faults.refuse(format!("/{name}_key"), format!("must be another key than {other}_key"));
            }
            seen.push((name, public));
            Some(pem)
        };
    let (signs, opens) = (Purpose::Signing, Purpose::Decryption);
    let brought = Brought {
        signing: key("signing", own.signing, known.signing, was.signing.as_ref(), signs),
        next_signing: key(
            "next_signing",
            own.next_signing,
            known.next_signing,
            was.next_signing.as_ref(),
            signs,
        ),
        decryption: key("decryption", own.decryption, known.decryption, was.decryption.as_ref(), opens),
        next_decryption: key(
            "next_decryption",
            own.next_decryption,
            known.next_decryption,
            was.next_decryption.as_ref(),
            opens,
        ),
        previous_decryption: key(
            "previous_decryption",
            own.previous_decryption,
            known.previous_decryption,
            was.previous_decryption.as_ref(),
            opens,
        ),
    };
    if let Some(algorithm) = saml.request.signature {
        let signing = brought.signing.as_ref().and_then(brought::signing_key);
        faults.accept("/signature_algorithm", wanted::signature(algorithm, signing.as_ref()));
    }
    faults.end()?;
    Ok(brought.secret().map_or(NewSecret::Nothing, NewSecret::Given))
}

/// The secret of what is worked on. One that cannot be opened is as good as none: another one takes its place.
fn opened(desk: &Desk, base: &Held) -> Option<Secret> {
    let (_, sealed) = base.head();
    connection_secret::open(&desk.visitor.broker().keyring, base.connection.id, sealed?).ok()
}
