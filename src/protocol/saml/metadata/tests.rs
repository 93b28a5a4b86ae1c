//! Stories of metadata: a customer's provider is read, or it is said why not.

use std::time::Duration;

use super::*;
use crate::protocol::saml::actors::{IDP, NOW, PROVIDER, SP, STRANGER, certify, seconds};
use crate::protocol::saml::certificate::{Certificate, self_signed};
use crate::protocol::saml::keys::{KeyKind, SigningKey};
use crate::protocol::saml::names::{self, Binding, name_id};
use crate::protocol::saml::signature::{SignatureError, sign_enveloped};

const SSO: &str = "https://idp.a.test/sso";
/// A certificate of an RSA key of 1024 bits.
const WEAK: &str = include_str!("weak.b64");

fn key(purpose: &str, certificate: &str) -> String {
    format!(
        "<md:KeyDescriptor{purpose}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>\n{certificate}\n\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
    )
}

fn signing() -> String {
    key(" use=\"signing\"", &PROVIDER.certificate.base64())
}

fn endpoint(kind: &str, binding: Binding, location: &str) -> String {
    format!("<md:{kind} Binding=\"{}\" Location=\"{location}\"/>", binding.uri())
}

fn sso() -> String {
    endpoint("SingleSignOnService", Binding::Redirect, SSO)
}

fn entity_of(id: &str, inside: &str) -> String {
    format!(
        "<md:EntityDescriptor xmlns:md=\"{}\" xmlns:ds=\"{}\" ID=\"_e\" entityID=\"{id}\">\
         <md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:1.1:protocol {}\">\
         {inside}</md:IDPSSODescriptor></md:EntityDescriptor>",
        names::METADATA,
        names::SIGNATURE,
        names::PROTOCOL
    )
}

fn entity(inside: &str) -> String {
    entity_of(IDP, inside)
}

fn group(attributes: &str, inside: &str) -> String {
    let namespace = names::METADATA;
    format!("<md:EntitiesDescriptor xmlns:md=\"{namespace}\"{attributes}>{inside}</md:EntitiesDescriptor>")
}

fn read_alone(xml: &str) -> Result<IdpMetadata, MetadataError> {
    read(xml.as_bytes(), None, None, NOW)
}

fn expired() -> Certificate {
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    self_signed(&key, "old", NOW.minus(seconds(9)), NOW, &[1]).unwrap()
}

#[test]
fn a_provider_is_read() {
    let next = certify(&SigningKey::generate(KeyKind::P384).unwrap(), "next");
    let both = "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
        Location=\"https://idp.a.test/slo?x=1&amp;y=2\" ResponseLocation=\"https://idp.a.test/slo/done\"/>";
    let inside = [
        "<!-- made by hand --><md:Extensions><shibmd:Scope xmlns:shibmd=\"urn:mace:shibboleth:metadata:1.0\" \
         regexp=\"false\">a.test</shibmd:Scope><x:y xmlns:x=\"urn:x\"/></md:Extensions>",
        &signing(),
        &key("", &next.base64()),
        &key("", &next.base64()),
        &key(" use=\"encryption\"", &STRANGER.certificate.base64()),
        &endpoint("ArtifactResolutionService", Binding::Soap, "https://idp.a.test/artifact"),
        &endpoint("SingleLogoutService", Binding::Soap, "https://idp.a.test/soap"),
        both,
        "<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>",
        &endpoint("SingleSignOnService", Binding::Artifact, "https://idp.a.test/artifact"),
        &endpoint("SingleSignOnService", Binding::Post, "https://idp.a.test/sso/post"),
        &sso(),
    ]
    .concat();
    let xml = entity(&inside)
        .replace("entityID", "validUntil=\"2026-02-01T00:00:00Z\" cacheDuration=\"P1D\" entityID")
        .replace("<md:IDPSSODescriptor ", "<md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" ");
    let idp = read_alone(&format!("<?xml version=\"1.0\"?>\n{xml}")).unwrap();
    assert_eq!(idp.entity_id, IDP);
    let ders: Vec<_> = idp.signing.iter().map(Certificate::der).collect();
    assert_eq!(ders, [PROVIDER.certificate.der(), next.der()]);
    assert_eq!(idp.dropped, []);
    assert_eq!(idp.sso(Binding::Redirect).unwrap().location, SSO);
    assert_eq!(idp.sso(Binding::Post).unwrap().location, "https://idp.a.test/sso/post");
    let slo = idp.slo(Binding::Post).unwrap();
    assert_eq!(slo.location, "https://idp.a.test/slo?x=1&y=2");
    assert_eq!(slo.for_responses(), "https://idp.a.test/slo/done");
    assert_eq!(idp.unused_bindings, [Binding::Artifact.uri(), Binding::Soap.uri()]);
    assert_eq!(idp.name_id_formats, [name_id::PERSISTENT]);
    assert!(idp.want_authn_requests_signed && !idp.verified);
    assert_eq!(idp.scopes, [Scope { value: "a.test".to_owned(), is_pattern: false }]);
    assert_eq!(idp.valid_until.unwrap().rfc3339(), "2026-02-01T00:00:00.000Z");
    assert_eq!(idp.cache_duration, Some(Duration::from_secs(86_400)));
}

#[test]
fn c05_without_a_certificate_there_is_no_connection() {
    let none = |inside: &str| match read_alone(&entity(inside)).unwrap_err() {
        MetadataError::NoUsableCertificate(dropped) => dropped,
        other => panic!("{other}"),
    };
    assert_eq!(none(&sso()), []);
    let encryption = key(" use=\"encryption\"", &PROVIDER.certificate.base64());
    assert_eq!(none(&(encryption + &sso()))[0].reason, "it is for encryption");
    let unknown = key(" use=\"other\"", &PROVIDER.certificate.base64());
    assert_eq!(none(&(unknown + &sso()))[0].reason, "its use is unknown");
    let old = key("", &expired().base64());
    assert_eq!(none(&(old + &sso()))[0].reason, "its certificate expired on 2026-01-01T00:00:00.000Z");
    let junk = key("", "AAAA");
    assert_eq!(none(&(junk + &sso()))[0].position, 1);
    let bare = "<md:KeyDescriptor><ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo></md:KeyDescriptor>";
    assert_eq!(none(&(bare.to_owned() + &sso()))[0].reason, "it comes without a certificate");
}

#[test]
fn h16_a_weak_certificate_is_dropped_and_told() {
    let weak = key("", WEAK.trim());
    let error = read_alone(&entity(&format!("{weak}{}", sso()))).unwrap_err();
    assert!(matches!(error, MetadataError::NoUsableCertificate(_)) && error.to_string().contains("1024"));
    let idp = read_alone(&entity(&format!("{weak}{}{}", signing(), sso()))).unwrap();
    assert_eq!(idp.signing.len(), 1);
    assert_eq!((idp.dropped.len(), idp.dropped[0].position), (1, 1));
}

#[test]
fn an_authority_in_the_chain_signs_nothing() {
    let chain = format!(
        "</ds:X509Certificate><ds:X509Certificate>{}</ds:X509Certificate>",
        STRANGER.certificate.base64()
    );
    let chained = signing().replace("</ds:X509Certificate>", &chain);
    let idp = read_alone(&entity(&(chained + &sso()))).unwrap();
    assert_eq!(idp.signing.len(), 1);
    assert_eq!(idp.signing[0].der(), PROVIDER.certificate.der());
}

#[test]
fn an_endpoint_is_a_web_address() {
    for bad in [
        "javascript:alert(1)",
        "JavaScript://idp.a.test/%0aalert(1)",
        "data:text/html,x",
        "/sso",
        "",
        "https:idp.a.test",
        "https://",
        "https:///sso",
        "https://idp.a.test/#x",
        "https://u:p@idp.a.test/",
        "https://idp.a.test/a b",
        " https://idp.a.test/",
        "ht&#9;tps://idp.a.test/",
        "https://idp.a.test/&#10;x",
        "https:\\\\idp.a.test/",
        "ftp://idp.a.test/",
    ] {
        let xml = entity(&(signing() + &endpoint("SingleSignOnService", Binding::Post, bad)));
        assert!(matches!(read_alone(&xml), Err(MetadataError::Endpoint(_))), "{bad}");
        let slo = endpoint("SingleLogoutService", Binding::Redirect, bad);
        assert!(matches!(read_alone(&entity(&(signing() + &slo + &sso()))), Err(MetadataError::Endpoint(_))));
    }
    let local =
        entity(&(signing() + &endpoint("SingleSignOnService", Binding::Post, "http://127.0.0.1:8/x")));
    assert!(read_alone(&local).is_ok());
}

#[test]
fn what_is_no_provider_is_told() {
    let error = |xml: &str| read_alone(xml).unwrap_err();
    let sound = entity(&(signing() + &sso()));
    assert_eq!(error("<x/>"), MetadataError::NotMetadata);
    assert!(matches!(error("<!DOCTYPE x><x/>"), MetadataError::Malformed(_)));
    assert_eq!(
        error(&sound.replace("IDPSSODescriptor", "SPSSODescriptor")),
        MetadataError::NoIdentityProvider
    );
    assert_eq!(error(&sound.replace(names::PROTOCOL, "urn:x")), MetadataError::NoIdentityProvider);
    // Of two roles the one that speaks SAML 2.0 is meant; of two that do, nobody says which.
    let role =
        &sound[sound.find("<md:IDPSSODescriptor").unwrap()..sound.find("</md:EntityDescriptor>").unwrap()];
    let beside =
        |other: &str| sound.replace("</md:EntityDescriptor>", &format!("{other}</md:EntityDescriptor>"));
    let elder = role.replace(names::PROTOCOL, "urn:oasis:names:tc:SAML:1.0:protocol");
    assert_eq!(read_alone(&beside(&elder)).unwrap().sso.len(), 1);
    assert_eq!(error(&beside(role)), MetadataError::RoleTwice);
    let soap = endpoint("SingleSignOnService", Binding::Soap, "https://idp.a.test/soap");
    assert_eq!(error(&entity(&(signing() + &soap))), MetadataError::NoSsoEndpoint);
    assert_eq!(error(&sound.replace(IDP, "")), MetadataError::EntityId);
    assert_eq!(error(&sound.replace(IDP, &"x".repeat(1025))), MetadataError::EntityId);
    assert!(error(&sound.replace(IDP, &format!(" {IDP}"))).to_string().contains("white space"));
    assert_eq!(
        error(&sound.replace("ID=\"_e\"", "validUntil=\"2026-01-01T00:00:00Z\"")),
        MetadataError::Expired(NOW)
    );
    assert_eq!(error(&sound.replace("ID=\"_e\"", "validUntil=\"soon\"")), MetadataError::Time);
    assert_eq!(error(&entity(&(signing() + &sso().repeat(33)))), MetadataError::TooMany("endpoints"));
    let other = read(sound.as_bytes(), Some("https://other.test"), None, NOW);
    assert_eq!(other.unwrap_err(), MetadataError::NoSuchEntity);
}

#[test]
fn a_provider_is_found_among_many() {
    let ann = entity(&(signing() + &sso())).replace(" ID=\"_e\"", "");
    let bob = ann.replace(IDP, "https://idp.b.test/metadata");
    let app = ann.replace("IDPSSODescriptor", "SPSSODescriptor").replace(IDP, SP);
    let nested = group(" validUntil=\"2026-01-02T00:00:00Z\"", &format!("{bob}{}", group("", &ann)));
    let find = |xml: &str, id| read(xml.as_bytes(), id, None, NOW);
    let idp = find(&nested, Some(IDP)).unwrap();
    assert_eq!(idp.entity_id, IDP);
    assert_eq!(idp.valid_until, Some(NOW.plus(seconds(86_400))));
    assert_eq!(find(&nested, None).unwrap_err(), MetadataError::WhichEntity);
    assert_eq!(find(&nested, Some("https://c.test")).unwrap_err(), MetadataError::NoSuchEntity);
    assert_eq!(find(&group("", &format!("{ann}{app}")), None).unwrap().entity_id, IDP);
    assert_eq!(find(&group("", &ann.repeat(2)), Some(IDP)).unwrap_err(), MetadataError::EntityTwice);
    let flood = group("", &"<md:EntityDescriptor entityID=\"x\"/>".repeat(10_001));
    assert_eq!(find(&flood, Some(IDP)).unwrap_err(), MetadataError::TooManyEntities);
    let large = format!("{}{ann}", "<md:EntityDescriptor entityID=\"x\"/>".repeat(9_999));
    assert!(find(&group("", &large), Some(IDP)).is_ok());
}

#[test]
fn pinned_metadata_is_read_from_what_was_signed() {
    let pinned = |xml: &str, keys| read(xml.as_bytes(), Some(IDP), Some(keys), NOW);
    let plain = entity(&(signing() + &sso()));
    let signed = sign_enveloped(&plain, "_e", &PROVIDER.key, None).unwrap();
    assert!(pinned(&signed, &PROVIDER.keys).unwrap().verified);
    assert_eq!(pinned(&plain, &PROVIDER.keys).unwrap_err(), MetadataError::NotSigned);
    let wrong = |error| Err(MetadataError::Signature(error));
    let outcome = |xml: &str, keys| pinned(xml, keys).map(|idp| idp.entity_id);
    assert_eq!(outcome(&signed, &STRANGER.keys), wrong(SignatureError::Signature));
    assert_eq!(outcome(&signed, &[]), wrong(SignatureError::NoKeys));
    let moved = signed.replace(SSO, "https://evil.test/sso");
    assert_eq!(outcome(&moved, &PROVIDER.keys), wrong(SignatureError::Digest));
    // A genuine entity inside an entity of somebody else, under the same name.
    let evil = plain.replace("ID=\"_e\"", "ID=\"_x\"").replace(SSO, "https://evil.test/sso");
    let wrapped = evil.replace(
        "<md:IDPSSODescriptor ",
        &format!("<md:Extensions>{signed}</md:Extensions><md:IDPSSODescriptor "),
    );
    assert!(pinned(&wrapped, &PROVIDER.keys).is_err());
    let beside = group("", &format!("{evil}{signed}"));
    assert_eq!(pinned(&beside, &PROVIDER.keys).unwrap_err(), MetadataError::EntityTwice);
}

#[test]
fn a_signed_group_vouches_for_its_entities() {
    let entity = entity(&(signing() + &sso())).replace(" ID=\"_e\"", "");
    let inner = sign_enveloped(&group(" ID=\"_g\"", &entity), "_g", &PROVIDER.key, None).unwrap();
    let read_pinned = |xml: &str| read(xml.as_bytes(), Some(IDP), Some(&PROVIDER.keys), NOW);
    assert!(read_pinned(&inner).unwrap().verified);
    let other = entity.replace(IDP, "https://idp.b.test/metadata");
    assert!(read_pinned(&group("", &format!("{other}{inner}"))).unwrap().verified);
    let outside = group("", &format!("{entity}{}", inner.replace(IDP, "https://idp.b.test/metadata")));
    assert_eq!(read_pinned(&outside).unwrap_err(), MetadataError::NotSigned);
}

#[test]
fn m15_a_signed_group_vouches_for_entities_that_keep_a_signature_of_their_own() {
    let pinned = |xml: &str| read(xml.as_bytes(), Some(IDP), Some(&PROVIDER.keys), NOW);
    let signed = |xml: &str, id: &str, by: &SigningKey| sign_enveloped(xml, id, by, None).unwrap();
    let own = signed(&entity(&(signing() + &sso())), "_e", &STRANGER.key);
    let grouped = |id: &str, inside: &str| group(&format!(" ID=\"{id}\""), inside);
    let published = signed(&grouped("_g", &own), "_g", &PROVIDER.key);
    let idp = pinned(&published).unwrap();
    assert!(idp.verified);
    assert_eq!(idp.sso(Binding::Redirect).unwrap().location, SSO);
    // It vouches for what it has signed, and that is all of it.
    let wrong = |xml: &str, error| assert_eq!(pinned(xml).unwrap_err(), MetadataError::Signature(error));
    wrong(&own, SignatureError::Signature);
    wrong(&grouped("_g", &own), SignatureError::Signature);
    wrong(&signed(&grouped("_g", &own), "_g", &STRANGER.key), SignatureError::Signature);
    wrong(&published.replace(SSO, "https://evil.test/sso"), SignatureError::Signature);
    let beside =
        format!("{}{own}", published.replace(IDP, "https://idp.b.test/metadata").replace("\"_e\"", "\"_b\""));
    wrong(&group("", &beside), SignatureError::Signature);
    // Signatures around it are tried up to a number, from within.
    let nested = |depth: usize| {
        (0..depth).fold(own.clone(), |inside, number| {
            let id = format!("_n{number}");
            signed(&grouped(&id, &inside), &id, &STRANGER.key)
        })
    };
    let outermost = |depth| signed(&grouped("_g", &nested(depth)), "_g", &PROVIDER.key);
    assert!(pinned(&outermost(1)).is_ok());
    wrong(&outermost(2), SignatureError::Signature);
}

#[test]
fn our_own_side_is_written() {
    let next = certify(&SigningKey::generate(KeyKind::P256).unwrap(), "next");
    let own = ServiceProvider {
        entity_id: SP,
        acs: &["https://broker.test/saml/cA/acs", "https://broker.test/saml/cA/acs2"],
        slo: &[(Binding::Redirect, "https://broker.test/saml/cA/slo?a=1&b=2")],
        signing: &[&PROVIDER.certificate, &next],
        encryption: &[&STRANGER.certificate],
        want_assertions_signed: true,
        name_id_formats: &[name_id::PERSISTENT],
        valid_until: Some(NOW),
        cache_duration: Some(seconds(3600)),
    };
    let plain = write(&own, None).unwrap();
    assert!(!plain.contains("Signature"));
    for part in [
        format!("entityID=\"{SP}\" validUntil=\"2026-01-01T00:00:00.000Z\" cacheDuration=\"PT3600S\""),
        "AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\"".to_owned(),
        "Location=\"https://broker.test/saml/cA/slo?a=1&amp;b=2\"".to_owned(),
        "Location=\"https://broker.test/saml/cA/acs\" index=\"0\" isDefault=\"true\"/>".to_owned(),
        "Location=\"https://broker.test/saml/cA/acs2\" index=\"1\"/>".to_owned(),
        format!("<ds:X509Certificate>{}</ds:X509Certificate>", next.base64()),
        "<md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/>".to_owned(),
    ] {
        assert!(plain.contains(&part), "{part}\n{plain}");
    }
    assert_eq!(plain.matches("use=\"signing\"").count(), 2);
    assert_eq!(plain.matches("use=\"encryption\"").count(), 1);
    let signed = write(&own, Some(("_m1", &PROVIDER.key, &PROVIDER.certificate))).unwrap();
    let document = find::parse(signed.as_bytes()).unwrap();
    let first = document.root().children().next().unwrap();
    assert!(first.is(names::SIGNATURE, "Signature"));
}
