use std::slice;

use super::verify::{check_ids, id_of, verify_enveloped};
use super::{DS, ENVELOPED, EXCLUSIVE, SignatureError};
use crate::protocol::saml::base64;
use crate::protocol::saml::keys::{Certificate, SigningKey};
use crate::protocol::saml::xml::{Document, Element, Limits, Malformed, canonical};

const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

/// Signs the element with this `ID` within `xml`. The Signature goes directly after its Issuer, or to the front if it
/// has none (SAML 2.0 Core, sections 2.3.3 and 3.2.1; Metadata, section 2.3.2). Verifies its own work.
///
/// What signs an element within another one comes first: an Assertion before its Response.
pub fn sign_enveloped(
    xml: &str,
    id: &str,
    key: &SigningKey,
    certificate: Option<&Certificate>,
) -> Result<String, SignatureError> {
    let document = parse(xml)?;
    check_ids(document.root())?;
    let element = find(&document, id)?;
    if element.child(DS, "Signature")?.is_some() {
        return Err(SignatureError::Signed);
    }
    let place = place(element)?;
    let bytes = canonical(element, &[], None).map_err(SignatureError::Canonical)?;
    let signature = write(id, &bytes, key, certificate)?;
    let signed = [&xml[..place], &signature, &xml[place..]].concat();
    verify(&signed, id, key, &bytes)?;
    Ok(signed)
}

fn parse(xml: &str) -> Result<Document<'_>, Malformed> {
    Document::parse(xml.as_bytes(), &Limits::MESSAGE)
}

fn find<'d>(document: &'d Document<'_>, id: &str) -> Result<Element<'d>, SignatureError> {
    let found = document.root().descendants().find(|element| element.attr("ID") == Some(id));
    let element = found.ok_or(SignatureError::Place)?;
    id_of(element).map(|_| element)
}

/// Where in the text the signature goes.
fn place(element: Element<'_>) -> Result<usize, SignatureError> {
    match element.children().next().filter(|first| first.is(ASSERTION, "Issuer")) {
        Some(issuer) => Ok(issuer.range().end),
        None => element.content_start().ok_or(SignatureError::Place),
    }
}

/// SignedInfo is written in its canonical form, so that what is signed is what is sent.
fn write(
    id: &str,
    bytes: &[u8],
    key: &SigningKey,
    certificate: Option<&Certificate>,
) -> Result<String, SignatureError> {
    let method = key.method();
    let digest_method = method.digest();
    let (method_uri, digest_uri) = (method.uri(), digest_method.uri());
    let digest = base64::encode(digest_method.digest(bytes).as_ref());
    let signed_info = |namespace: &str| {
        format!(
            "<ds:SignedInfo{namespace}>\
             <ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"{method_uri}\"></ds:SignatureMethod>\
             <ds:Reference URI=\"#{id}\">\
             <ds:Transforms>\
             <ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform>\
             <ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform>\
             </ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{digest_uri}\"></ds:DigestMethod>\
             <ds:DigestValue>{digest}</ds:DigestValue>\
             </ds:Reference>\
             </ds:SignedInfo>"
        )
    };
    let namespace = format!(" xmlns:ds=\"{DS}\"");
    let value = base64::encode(&key.sign(method, signed_info(&namespace).as_bytes())?);
    let (signed_info, key_info) = (signed_info(""), certificate.map(key_info).unwrap_or_default());
    Ok(format!(
        "<ds:Signature{namespace}>{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>{key_info}</ds:Signature>"
    ))
}

/// For those who want to see it; it proves nothing.
fn key_info(certificate: &Certificate) -> String {
    let der = base64::encode(certificate.der());
    format!(
        "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    )
}

/// That the others will find what we meant: our own mistakes stay here.
fn verify(signed: &str, id: &str, key: &SigningKey, bytes: &[u8]) -> Result<(), SignatureError> {
    let document = parse(signed)?;
    let verified = verify_enveloped(find(&document, id)?, slice::from_ref(key.verifying_key()))?;
    match verified.get() == bytes {
        true => Ok(()),
        false => Err(SignatureError::Digest),
    }
}
