//! The rules of what may be said of a connection, once: for the operator's file and for the API. What breaks one is told
//! without its place, which is a line there and a pointer here.

use std::collections::BTreeSet;

use url::{Host, Url};

use super::presets;
use crate::foundation::secret::Secret;
use crate::keys::brought;
use crate::keys::connection_secret::private_key;
use crate::model::connection::{LoginHint, NameIdFormat, Preset, SamlSignature};
use crate::model::saml_key::Purpose;
use crate::model::user;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::scope;
use crate::protocol::saml::binding::redirect;
use crate::protocol::saml::keys::{Certificate, SigningKey, VerifyingKey};

/// Most seconds of clock difference that are forgiven, and how many where nobody says otherwise.
pub const MOST_LEEWAY: u64 = 120;
pub const LEEWAY: u64 = 60;

/// Signatures that are accepted where nobody says otherwise (threats C13).
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// Scopes that are asked for where nobody says otherwise.
pub const SCOPES: [&str; 3] = [scope::OPENID, scope::EMAIL, scope::PROFILE];

const NAME_ID_FORMATS: [&str; 5] = ["none", "unspecified", "email_address", "persistent", "transient"];

/// What the binding itself puts into the query (SAML Bindings, section 3.4.4.1).
const OF_THE_BINDING: [&str; 6] =
    ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"];
const MOST_ENTITY_ID: usize = 1_024;
const MOST_TEXT: usize = 2_048;

/// An address of the web: https, or http on this computer, without user, password or fragment.
pub fn web_address(text: &str) -> Result<Url, &'static str> {
    let fine = |url: &Url| {
        let secure = url.scheme() == "https" || (url.scheme() == "http" && is_here(url));
        // A browser takes a backslash for a slash.
        let bare = !text.contains('\\')
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        secure && bare && url.has_host() && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    Url::parse(text)
        .ok()
        .filter(fine)
        .ok_or("must be an https address (http only on this computer) without user, password and fragment")
}

/// As [`web_address`], where messages of SAML are sent.
pub fn saml_address(text: &str) -> Result<Url, &'static str> {
    web_address(text).and_then(|url| match redirect::may_carry(text) {
        true => Ok(url),
        false => Err("must not have SAMLRequest, SAMLResponse, RelayState, SigAlg or Signature in its query"),
    })
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// An issuer that this provider can have. It is kept as it was written: it is compared byte for byte (threats H17).
pub fn issuer(preset: Preset, text: &str) -> Result<Url, &'static str> {
    let url = web_address(text)?;
    presets::check_issuer(preset, &url, text)?;
    Ok(url)
}

pub fn one_scope(text: &str) -> Result<(), String> {
    match scope::split(text) {
        Some(scopes) if scopes.len() == 1 => Ok(()),
        _ => Err(format!("{text:?} is no scope")),
    }
}

/// What we say ourselves in an authorization request: said twice, it is no request any more (RFC 6749, section 3.1).
const OF_THE_REQUEST: [&str; 19] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "display",
    "ui_locales",
    "acr_values",
    "id_token_hint",
    "response_mode",
    "code_challenge",
    "code_challenge_method",
    "claims",
    "request",
    "request_uri",
];

/// The name under which a provider is told the domain.
pub fn domain_hint(name: &str) -> Result<(), &'static str> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    match plain && (1..=64).contains(&name.len()) && !OF_THE_REQUEST.contains(&name) {
        true => Ok(()),
        false => Err("must be the name of a parameter that says nothing else, such as domain_hint"),
    }
}

pub fn all_scopes<'s>(mut scopes: impl Iterator<Item = &'s str>) -> Result<(), &'static str> {
    match scopes.any(|scope| scope == scope::OPENID) {
        true => Ok(()),
        false => Err("must name openid: without it the provider says nobody's name"),
    }
}

/// An algorithm that signs; `none` and the symmetric ones have no word (threats C13).
pub fn algorithm(name: &str, allowed: &[Algorithm]) -> Result<Algorithm, String> {
    if let Some(found) = Algorithm::from_name(name).filter(|algorithm| allowed.contains(algorithm)) {
        return Ok(found);
    }
    let known: Vec<_> = allowed.iter().map(|algorithm| algorithm.name()).collect();
    let why = match name.to_ascii_uppercase().as_str() {
        "NONE" => " (nothing unsigned is ever accepted)",
        text if text.starts_with("HS") => " (a secret that both sides hold proves no issuer)",
        _ => "",
    };
    Err(format!("{name:?} is no algorithm for this{why}; it may be {}", known.join(", ")))
}

/// By what we prove to a provider who we are, where nobody says otherwise.
pub fn usual_method(has_secret: bool, has_key: bool) -> Method {
    if has_key && !has_secret { Method::PrivateKeyJwt } else { Method::SecretBasic }
}

/// The key that holds what this method needs.
pub fn proof_of(method: Method) -> Option<&'static str> {
    match method {
        Method::SecretBasic | Method::SecretPost => Some("client_secret"),
        Method::PrivateKeyJwt => Some("private_key"),
        Method::None | Method::TlsClientAuth | Method::SelfSignedTlsClientAuth => None,
    }
}

/// What is wrong with what was given for a method: each has what it needs, and nothing else. By the key that is wrong.
pub fn proof(method: Method, secret: Option<&Secret>, key: Option<&Secret>) -> Vec<(&'static str, String)> {
    let wanted = proof_of(method);
    let mut faults = Vec::new();
    if method.is_by_certificate() {
        faults.push(("token_endpoint_auth_method", "we show providers no certificate".to_owned()));
    }
    for (name, given) in [("client_secret", secret), ("private_key", key)] {
        match wanted {
            _ if given.is_none() => {}
            None => faults.push((name, "the method \"none\" has no secret".to_owned())),
            Some(wanted) if wanted != name => {
                faults.push((name, format!("this method of authentication takes a {wanted} only")));
            }
            Some(_) => {}
        }
    }
    if method == Method::PrivateKeyJwt && key.is_some_and(|key| private_key(key).is_none()) {
        let rule = "must be a private key in PEM (PKCS#8): RSA of 2048 bits, P-256 or Ed25519";
        faults.push(("private_key", rule.to_owned()));
    }
    faults
}

/// What a message of SAML says, or is asked for: anything else stands in none, and would keep everybody out.
pub fn xml_text(text: &str) -> Result<(), &'static str> {
    match is_xml_text(text) && text.chars().count() <= MOST_TEXT {
        true => Ok(()),
        false => Err("must have 1 to 2048 characters of XML in one line, without white space around them"),
    }
}

/// XML 1.0, section 2.2.
fn is_xml_text(text: &str) -> bool {
    let is_of_none = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    !text.is_empty() && text.trim() == text && !text.contains(is_of_none)
}

pub fn entity_id(text: &str) -> Result<(), String> {
    match is_xml_text(text) && text.chars().count() <= MOST_ENTITY_ID {
        true => Ok(()),
        false => Err(format!("must be an entity id: 1 to {MOST_ENTITY_ID} characters in one line")),
    }
}

/// A certificate in PEM or as base64 of DER; as base64 of DER.
pub fn certificate(text: &str) -> Result<String, String> {
    let read = Certificate::from_base64(text.trim()).map_err(|error| error.to_string())?;
    Ok(read.base64())
}

/// Each once, in the order in which they were said.
pub fn keep_once(texts: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
}

/// A key that was brought.
pub fn own_key(pem: &Secret, purpose: Purpose) -> Result<VerifyingKey, &'static str> {
    let fits = purpose == Purpose::Signing || brought::decrypting_key(pem).is_some();
    let public = brought::signing_key(pem).map(|key| key.verifying_key().clone());
    public.filter(|_| fits).ok_or(match purpose {
        Purpose::Signing => "must be a private key in PEM (PKCS#8): RSA of 2048 to 4096 bits, P-256 or P-384",
        Purpose::Decryption => "must be a private key in PEM (PKCS#8): RSA of 2048 to 4096 bits",
    })
}

/// Whether a certificate, as base64 of DER, is one of the key `name`.
pub fn certifies(certificate: &str, key: &VerifyingKey, name: &str) -> Result<(), String> {
    match Certificate::from_base64(certificate) {
        Ok(certificate) if certificate.verifying_key() == key => Ok(()),
        _ => Err(format!("is no certificate of {name}")),
    }
}

/// Absent: whatever the provider sends unasked names the person.
pub fn name_id_format(text: &str, has_subject_attribute: bool) -> Result<Option<NameIdFormat>, String> {
    if text == "none" {
        return Ok(None);
    }
    match NameIdFormat::from_word(text) {
        Some(NameIdFormat::Transient) if !has_subject_attribute => {
            Err("needs subject_attribute: a transient name names nobody for good".into())
        }
        Some(format) => Ok(Some(format)),
        None => Err(format!("must be one of {}", NAME_ID_FORMATS.join(", "))),
    }
}

pub fn login_hint(text: &str) -> Result<LoginHint, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    match text {
        "none" => Ok(LoginHint::None),
        "subject" => Ok(LoginHint::Subject),
        name if plain && (1..=64).contains(&name.len()) && !OF_THE_BINDING.contains(&name) => {
            Ok(LoginHint::Parameter(name.to_owned()))
        }
        _ => Err("must be none, subject, or the name of a parameter such as login_hint"),
    }
}

/// `own`: the key that was brought for signing; without one, the project's signs, which is RSA.
pub fn signature(algorithm: SamlSignature, own: Option<&SigningKey>) -> Result<(), &'static str> {
    let fits = match own {
        None => algorithm.is_rsa(),
        Some(key) => key.sign(algorithm.method(), b"").is_ok(),
    };
    if fits { Ok(()) } else { Err("is not an algorithm of the key that signs") }
}

/// Of an attribute that is required: without one nobody would have it.
pub const NEEDS_VALUE: &str = "needs one value at least";
/// What a login that the provider begins needs, unless it is off.
pub const NEEDS_APPLICATION: &str = "needs default_application: the application that such logins are for";

/// Claims that are mapped, one after the other: what would never be told is refused here, and not left out at each login.
#[derive(Debug, Default)]
pub struct Claims(BTreeSet<String>);

impl Claims {
    /// What is wrong with one more.
    pub fn take(&mut self, name: &str) -> Vec<String> {
        let mut faults = Vec::new();
        if let Err(why) = user::check_claim(name) {
            faults.push(format!("{name:?} is no claim that can be mapped: {why}"));
        }
        if self.0.len() == user::MOST_CLAIMS {
            faults.push(format!("a connection maps at most {} claims", user::MOST_CLAIMS));
        }
        if !self.0.insert(name.to_owned()) {
            faults.push(format!("{name:?} is among the claims, too: a claim has one value or is a list"));
        }
        faults
    }
}
