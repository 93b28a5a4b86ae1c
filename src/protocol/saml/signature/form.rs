//! The one form of signature that is accepted, as it is read.

use super::{DS, DigestMethod, ENVELOPED, EXCLUSIVE, SignatureError, SignatureMethod};
use crate::protocol::saml::base64;
use crate::protocol::saml::xml::{Element, Malformed};

/// A Signature of exactly SignedInfo, SignatureValue and perhaps KeyInfo, which is never looked into (threat C09).
pub struct Form<'d> {
    pub signed_info: Element<'d>,
    /// The PrefixList that SignedInfo is canonicalized by.
    pub prefixes: Vec<&'d str>,
    pub method: SignatureMethod,
    pub value: Vec<u8>,
    pub reference: Reference<'d>,
}

/// What the signature says of the element that it is in.
pub struct Reference<'d> {
    pub uri: &'d str,
    pub prefixes: Vec<&'d str>,
    pub method: DigestMethod,
    pub digest: Vec<u8>,
}

const MAX_PREFIXES: usize = 16;

impl<'d> Form<'d> {
    pub fn read(signature: Element<'d>) -> Result<Self, SignatureError> {
        let (signed_info, value) = match children(signature)?[..] {
            [(DS, "SignedInfo", info), (DS, "SignatureValue", value)] => (info, value),
            [(DS, "SignedInfo", info), (DS, "SignatureValue", value), (DS, "KeyInfo", _)] => (info, value),
            _ => return Err(unexpected(signature)),
        };
        let [
            (DS, "CanonicalizationMethod", canonicalization),
            (DS, "SignatureMethod", method),
            (DS, "Reference", reference),
        ] = children(signed_info)?[..]
        else {
            return Err(unexpected(signed_info));
        };
        Ok(Self {
            signed_info,
            prefixes: exclusive(canonicalization)?,
            method: SignatureMethod::from_uri(algorithm_alone(method)?).ok_or(SignatureError::Algorithm)?,
            value: bytes(value)?,
            reference: Reference::read(reference)?,
        })
    }
}

impl<'d> Reference<'d> {
    fn read(reference: Element<'d>) -> Result<Self, SignatureError> {
        let [(DS, "Transforms", transforms), (DS, "DigestMethod", method), (DS, "DigestValue", digest)] =
            children(reference)?[..]
        else {
            return Err(unexpected(reference));
        };
        let [(DS, "Transform", first), (DS, "Transform", second)] = children(transforms)?[..] else {
            return Err(SignatureError::Transforms);
        };
        if algorithm_alone(first)? != ENVELOPED {
            return Err(SignatureError::Transforms);
        }
        Ok(Self {
            uri: reference.attr("URI").ok_or(SignatureError::Reference)?,
            prefixes: exclusive(second)?,
            method: DigestMethod::from_uri(algorithm_alone(method)?).ok_or(SignatureError::Algorithm)?,
            digest: bytes(digest)?,
        })
    }
}

/// The names of all children, in their order, with nothing but white space between them.
fn children(element: Element<'_>) -> Result<Vec<(&str, &str, Element<'_>)>, Malformed> {
    Ok(element.only_elements()?.map(|child| (child.namespace(), child.local(), child)).collect())
}

/// The algorithm of a method that takes no parameters.
fn algorithm_alone(method: Element<'_>) -> Result<&str, SignatureError> {
    match children(method)?[..] {
        [] => method.attr("Algorithm").ok_or(SignatureError::Algorithm),
        _ => Err(unexpected(method)),
    }
}

/// That it is exclusive canonicalization without comments; its PrefixList.
fn exclusive(method: Element<'_>) -> Result<Vec<&str>, SignatureError> {
    if method.attr("Algorithm") != Some(EXCLUSIVE) {
        return Err(SignatureError::Transforms);
    }
    let list = match children(method)?[..] {
        [] => return Ok(Vec::new()),
        [(EXCLUSIVE, "InclusiveNamespaces", list)] if list.children().next().is_none() => list,
        _ => return Err(SignatureError::Transforms),
    };
    let prefixes: Vec<_> = list.attr("PrefixList").unwrap_or_default().split_ascii_whitespace().collect();
    if prefixes.len() > MAX_PREFIXES {
        return Err(SignatureError::Transforms);
    }
    Ok(prefixes)
}

/// Strict base64 in one piece (threat C07), and not empty. No signature is longer than that of an RSA key of 8192 bits.
fn bytes(element: Element<'_>) -> Result<Vec<u8>, SignatureError> {
    let bytes = element.sole_text().ok().and_then(|text| base64::decode(text, 1024));
    bytes.filter(|bytes| !bytes.is_empty()).ok_or(SignatureError::Base64)
}

fn unexpected(element: Element<'_>) -> SignatureError {
    element.malformed("it does not hold exactly what it should").into()
}
