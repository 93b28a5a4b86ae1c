//! Who plays in the tests of this room and in those of `tests/fuzz`: a provider, somebody else, and a sound response to
//! start from. Everybody knows their keys, so that they are the same in every process.

use std::sync::LazyLock;
use std::time::Duration;

use data_encoding::BASE64;

use crate::foundation::clock::Moment;
use crate::foundation::random::Random;
use crate::protocol::saml::assertion::{Attribute, NameId};
use crate::protocol::saml::certificate::{Certificate, self_signed};
use crate::protocol::saml::encryption::{Cipher, Oaep};
use crate::protocol::saml::keys::{DecryptingKey, SigningKey, VerifyingKey};
use crate::protocol::saml::names::{self, authn_context};
use crate::protocol::saml::response::{Answers, AssertionDraft, Draft, Encrypt, Expected, Sign, Wants};
use crate::protocol::saml::signature::sign_enveloped;
use crate::protocol::saml::status::Status;

pub const NOW: Moment = Moment::from_seconds(1_767_225_600);
pub const IDP: &str = "https://idp.a.test/metadata";
pub const SP: &str = "https://broker.test/saml/cA";
pub const ACS: &str = "https://broker.test/saml/cA/acs";
pub const REQUEST: &str = "_0123456789abcdef0123456789abcdef";
pub const SKEW: Duration = Duration::from_secs(60);

pub struct Signer {
    pub key: SigningKey,
    pub keys: Vec<VerifyingKey>,
    pub certificate: Certificate,
}

/// PKCS#8 of a P-256 key up to its 32 secret bytes (RFC 5958, RFC 5915).
const P256: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04,
    0x20,
];

impl Signer {
    fn new(name: &str, secret: u8) -> Self {
        let key = SigningKey::from_pkcs8(&[P256.as_slice(), &[secret; 32]].concat()).unwrap();
        let keys = vec![key.verifying_key().clone()];
        let certificate = certify(&key, name);
        Self { key, keys, certificate }
    }
}

pub fn certify(key: &SigningKey, name: &str) -> Certificate {
    let day = Duration::from_secs(86_400);
    self_signed(key, name, NOW.minus(day), NOW.plus(day), &[7]).unwrap()
}

/// The provider that the connection trusts.
pub static PROVIDER: LazyLock<Signer> = LazyLock::new(|| Signer::new("idp.a.test", 7));
/// Somebody with a key that the connection does not know.
pub static STRANGER: LazyLock<Signer> = LazyLock::new(|| Signer::new("idp.evil.test", 8));
pub static DECRYPTING: LazyLock<DecryptingKey> = LazyLock::new(|| {
    let base64 = include_str!("fixtures/rsa2048.key").replace('\n', "");
    DecryptingKey::from_pkcs8(&BASE64.decode(base64.as_bytes()).unwrap()).unwrap()
});
static RANDOM: LazyLock<Random> = LazyLock::new(|| Random::sequence(3));
pub static ANN: LazyLock<NameId> = LazyLock::new(|| NameId::new("ann@a.test", names::name_id::EMAIL_ADDRESS));
pub static ATTRIBUTES: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    let attribute = |name: &str, values: &[&str]| Attribute {
        name: name.to_owned(),
        name_format: Some(names::attribute_name::BASIC.to_owned()),
        friendly_name: None,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    vec![attribute("email", &["ann@a.test"]), attribute("groups", &["staff", "admins"])]
});

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Ann signs in, and everything is as it should be.
pub fn assertion() -> AssertionDraft<'static> {
    AssertionDraft {
        id: "_a1",
        issuer: IDP,
        issued: NOW,
        name_id: &ANN,
        in_response_to: Some(REQUEST),
        recipient: ACS,
        confirmed_until: NOW.plus(seconds(300)),
        not_before: Some(NOW.minus(seconds(60))),
        not_on_or_after: Some(NOW.plus(seconds(300))),
        audiences: &[&[SP]],
        one_time_use: false,
        authn_instant: NOW,
        session_index: Some("_s1"),
        session_not_on_or_after: Some(NOW.plus(seconds(3600))),
        authn_context: authn_context::PASSWORD_PROTECTED_TRANSPORT,
        attributes: &ATTRIBUTES,
        typed: true,
    }
}

pub fn response(assertion: AssertionDraft<'static>) -> Draft<'static> {
    Draft {
        id: "_r1",
        issuer: IDP,
        issued: NOW,
        destination: ACS,
        in_response_to: Some(REQUEST),
        status: Status::success(),
        assertion: Some(assertion),
    }
}

pub fn sign(assertion: bool, response: bool) -> Sign<'static> {
    Sign { key: &PROVIDER.key, certificate: Some(&PROVIDER.certificate), assertion, response }
}

pub fn encrypt(cipher: Cipher) -> Encrypt<'static> {
    Encrypt { key: DECRYPTING.encrypting_key(), cipher, oaep: Oaep::Mgf1p, random: &RANDOM }
}

/// Signed by somebody, inside.
pub fn signed(xml: &str, id: &str, by: &Signer) -> String {
    sign_enveloped(xml, id, &by.key, Some(&by.certificate)).unwrap()
}

/// As the provider would sign it after this change.
pub fn signed_after(change: impl Fn(String) -> String, assertion: bool, whole: bool) -> String {
    let plain = response(self::assertion()).write(&sign(false, false), None).unwrap();
    let mut xml = change(plain);
    for (id, wanted) in [("_a1", assertion), ("_r1", whole)] {
        if wanted {
            xml = signed(&xml, id, &PROVIDER);
        }
    }
    xml
}

/// What the connection holds it against. It cannot decrypt.
pub fn expected() -> Expected<'static> {
    Expected {
        idp_entity_id: IDP,
        sp_entity_id: SP,
        acs: ACS,
        in_response_to: Answers::To(REQUEST),
        keys: &PROVIDER.keys,
        decrypting: &[],
        naming: &[],
        wants: Wants::default(),
        now: NOW,
        skew: SKEW,
    }
}

/// As [`expected`], by a connection that can decrypt.
pub fn expected_encrypted() -> Expected<'static> {
    static KEYS: LazyLock<[&DecryptingKey; 1]> = LazyLock::new(|| [&*DECRYPTING]);
    Expected { decrypting: &*KEYS, naming: &*KEYS, ..expected() }
}

/// The text from the first `from` through the next `to`.
pub fn cut<'x>(xml: &'x str, from: &str, to: &str) -> &'x str {
    let start = xml.find(from).unwrap();
    let end = start + xml[start..].find(to).unwrap() + to.len();
    &xml[start..end]
}
