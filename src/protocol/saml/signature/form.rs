//! The one form of signature that is accepted, as it is read.

use super::{DS, DigestMethod, ENVELOPED, EXCLUSIVE, SignatureError, SignatureMethod};
use crate::protocol::saml::base64;
use crate::protocol::saml::refused::named;
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
    uri: Option<&'d str>,
    pub prefixes: Vec<&'d str>,
    pub method: DigestMethod,
    pub digest: Vec<u8>,
}

const MAX_PREFIXES: usize = 16;
/// Of algorithms that are named in a refusal.
const MAX_NAMED: usize = 4;

impl<'d> Form<'d> {
    pub fn read(signature: Element<'d>) -> Result<Self, SignatureError> {
        only_attributes(signature, &["Id"])?;
        let (signed_info, value) = match children(signature)?[..] {
            [(DS, "SignedInfo", info), (DS, "SignatureValue", value)] => (info, value),
            [(DS, "SignedInfo", info), (DS, "SignatureValue", value), (DS, "KeyInfo", _)] => (info, value),
            _ => return Err(unexpected(signature)),
        };
        only_attributes(signed_info, &["Id"])?;
        only_attributes(value, &["Id"])?;
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
            method: supported(method, SignatureMethod::from_uri)?,
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
        only_attributes(reference, &["Id", "URI", "Type"])?;
        only_attributes(transforms, &[])?;
        only_attributes(digest, &[])?;
        let [(DS, "Transform", first), (DS, "Transform", second)] = children(transforms)?[..] else {
            return Err(not_ours(transforms));
        };
        if algorithm_alone(first)? != Some(ENVELOPED) {
            return Err(not_ours(transforms));
        }
        Ok(Self {
            uri: reference.attr("URI"),
            prefixes: exclusive(second)?,
            method: supported(method, DigestMethod::from_uri)?,
            digest: bytes(digest)?,
        })
    }

    /// That it is to the element of this ID.
    pub fn check(&self, id: &str) -> Result<(), SignatureError> {
        match self.uri {
            Some(uri) if uri.strip_prefix('#') == Some(id) => Ok(()),
            Some(uri) => Err(SignatureError::Reference(if uri.is_empty() {
                "URI=\"\"".to_owned()
            } else {
                format!("URI=\"{}\"", named(uri))
            })),
            None => Err(SignatureError::Reference("without URI".to_owned())),
        }
    }
}

/// The names of all children, in their order, with nothing but white space between them.
fn children(element: Element<'_>) -> Result<Vec<(&str, &str, Element<'_>)>, Malformed> {
    Ok(element.only_elements()?.map(|child| (child.namespace(), child.local(), child)).collect())
}

/// Whatever the standard has no attribute for is nothing that a provider says, and nothing that we hash for anybody.
fn only_attributes(element: Element<'_>, names: &[&str]) -> Result<(), Malformed> {
    match element.has_only_attributes(names) {
        true => Ok(()),
        false => Err(element.malformed("an attribute that does not belong there")),
    }
}

/// The algorithm of a method that takes no parameters.
fn algorithm_alone(method: Element<'_>) -> Result<Option<&str>, SignatureError> {
    only_attributes(method, &["Algorithm"])?;
    match children(method)?[..] {
        [] => Ok(method.attr("Algorithm")),
        _ => Err(unexpected(method)),
    }
}

/// The same, if it is one that is supported.
fn supported<T>(method: Element<'_>, from_uri: impl FnOnce(&str) -> Option<T>) -> Result<T, SignatureError> {
    let uri = algorithm_alone(method)?;
    uri.and_then(from_uri).ok_or_else(|| {
        SignatureError::Algorithm(format!("{} {}", method.local(), named(uri.unwrap_or_default())))
    })
}

/// Canonicalization or transforms that are others, as they are.
fn not_ours(element: Element<'_>) -> SignatureError {
    let algorithms = element.descendants().filter_map(|element| element.attr("Algorithm"));
    let names: Vec<_> = algorithms.take(MAX_NAMED).map(named).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    SignatureError::Transforms(format!("{}: {names}", element.local()))
}

/// That it is exclusive canonicalization without comments; its PrefixList.
fn exclusive(method: Element<'_>) -> Result<Vec<&str>, SignatureError> {
    only_attributes(method, &["Algorithm"])?;
    if method.attr("Algorithm") != Some(EXCLUSIVE) {
        return Err(not_ours(method));
    }
    let other = |what: &str| SignatureError::Transforms(format!("xml-exc-c14n# with {what}"));
    let list = match children(method)?[..] {
        [] => return Ok(Vec::new()),
        [(EXCLUSIVE, "InclusiveNamespaces", list)] if list.children().next().is_none() => list,
        _ => return Err(other("something else than one InclusiveNamespaces")),
    };
    only_attributes(list, &["PrefixList"])?;
    let prefixes: Vec<_> = list.attr("PrefixList").unwrap_or_default().split_ascii_whitespace().collect();
    if prefixes.len() > MAX_PREFIXES {
        return Err(other(&format!("{} prefixes", prefixes.len())));
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
