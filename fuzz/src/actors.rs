//! A provider, a connection to it, and sound messages between them. All of it is the same in every run but for the
//! chance in signatures, so that an input that was found stays a finding.

use std::sync::LazyLock;
use std::time::Duration;

use crate::foundation::clock::Moment;
use crate::foundation::random::Random;
use crate::protocol::saml::assertion::{Assertion, Attribute, NameId};
use crate::protocol::saml::certificate::{Certificate, self_signed};
use crate::protocol::saml::encryption::{Cipher, Oaep};
use crate::protocol::saml::keys::{DecryptingKey, KeyKind, SigningKey, VerifyingKey};
use crate::protocol::saml::names::{self, authn_context};
use crate::protocol::saml::response::{Answers, AssertionDraft, Draft, Encrypt, Expected, Sign, Wants};
use crate::protocol::saml::status::Status;

pub const NOW: Moment = Moment::from_seconds(1_767_225_600);
pub const IDP: &str = "https://idp.a.test/metadata";
pub const SP: &str = "https://broker.test/saml/cA";
pub const ACS: &str = "https://broker.test/saml/cA/acs";
pub const REQUEST: &str = "_0123456789abcdef0123456789abcdef";
pub const EMAIL: &str = "ann@a.test";

/// PKCS#8 of a P-256 key up to its 32 secret bytes (RFC 5958, RFC 5915).
const P256: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04,
    0x20,
];

/// The provider's key. Everybody knows it, so that it is the same for whoever looks into a finding.
pub static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let pkcs8 = [P256.as_slice(), &[7; 32]].concat();
    SigningKey::from_pkcs8(&pkcs8).expect("a key of P-256")
});
pub static KEYS: LazyLock<Vec<VerifyingKey>> = LazyLock::new(|| vec![KEY.verifying_key().clone()]);
pub static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| {
    let day = Duration::from_secs(86_400);
    self_signed(&*KEY, "idp.a.test", NOW.minus(day), NOW.plus(day), &[7]).expect("a certificate")
});
/// Another one in each run: whoever needs something encrypted to it encrypts it anew.
pub static DECRYPTING: LazyLock<DecryptingKey> =
    LazyLock::new(|| DecryptingKey::generate(KeyKind::Rsa2048).expect("an RSA key"));

static RANDOM: LazyLock<Random> = LazyLock::new(|| Random::sequence(3));
static ANN: LazyLock<NameId> = LazyLock::new(|| NameId::new(EMAIL, names::name_id::EMAIL_ADDRESS));
static ATTRIBUTES: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    let attribute = |name: &str, values: &[&str]| Attribute {
        name: name.to_owned(),
        name_format: Some(names::attribute_name::BASIC.to_owned()),
        friendly_name: None,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    vec![attribute("email", &[EMAIL]), attribute("groups", &["staff", "admins"])]
});

pub fn assertion() -> AssertionDraft<'static> {
    AssertionDraft {
        id: "_a1",
        issuer: IDP,
        issued: NOW,
        name_id: &ANN,
        in_response_to: Some(REQUEST),
        recipient: ACS,
        confirmed_until: NOW.plus(Duration::from_secs(300)),
        not_before: Some(NOW.minus(Duration::from_secs(60))),
        not_on_or_after: Some(NOW.plus(Duration::from_secs(300))),
        audiences: &[&[SP]],
        one_time_use: true,
        authn_instant: NOW,
        session_index: Some("_s1"),
        session_not_on_or_after: Some(NOW.plus(Duration::from_secs(3600))),
        authn_context: authn_context::PASSWORD_PROTECTED_TRANSPORT,
        attributes: &ATTRIBUTES,
        typed: true,
    }
}

pub fn response(assertion: Option<AssertionDraft<'static>>) -> Draft<'static> {
    Draft {
        id: "_r1",
        issuer: IDP,
        issued: NOW,
        destination: ACS,
        in_response_to: Some(REQUEST),
        status: Status::success(),
        assertion,
    }
}

pub fn sign(assertion: bool, response: bool) -> Sign<'static> {
    Sign { key: &KEY, certificate: Some(&CERTIFICATE), assertion, response }
}

pub fn encrypt(cipher: Cipher) -> Encrypt<'static> {
    Encrypt { key: DECRYPTING.encrypting_key(), cipher, oaep: Oaep::Mgf1p, random: &RANDOM }
}

/// What the connection holds a response against.
pub fn expected<'e>(decrypting: &'e [&'e DecryptingKey]) -> Expected<'e> {
    Expected {
        idp_entity_id: IDP,
        sp_entity_id: SP,
        acs: ACS,
        in_response_to: Answers::To(REQUEST),
        keys: &KEYS,
        decrypting,
        wants: Wants::default(),
        now: NOW,
        skew: Duration::from_secs(60),
    }
}

/// What holds of every assertion that was taken, whoever wrote it.
pub fn check(assertion: &Assertion) {
    let name = &assertion.name_id.value;
    assert_eq!(assertion.issuer, IDP);
    assert!(!name.is_empty() && name.trim() == name && !name.contains(char::is_control), "{name:?}");
    assert!(!assertion.id.is_empty());
    assert!(assertion.not_on_or_after > NOW, "it would be forgotten before it is over");
    assert!(assertion.authn_instant <= NOW.plus(Duration::from_secs(60)));
}

/// What holds besides where the provider signed nothing but its own messages: they say what it said.
pub fn check_genuine(assertion: &Assertion) {
    check(assertion);
    assert_eq!(assertion.id, "_a1");
    assert_eq!(assertion.name_id, *ANN);
    assert_eq!(assertion.session_index.as_deref(), Some("_s1"));
    assert_eq!(assertion.attributes, *ATTRIBUTES);
}
