//! What one SAML message costs by itself, on one core, beside what the cryptographic library alone takes.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use behalf::foundation::clock::{Clock, Moment};
use behalf::foundation::random::Random;
use behalf::protocol::saml::assertion::NameId;
use behalf::protocol::saml::binding::{Carried, redirect_url};
use behalf::protocol::saml::encryption::{Cipher, Oaep};
use behalf::protocol::saml::keys::{DecryptingKey, KeyKind, VerifyingKey};
use behalf::protocol::saml::names::name_id;
use behalf::protocol::saml::response::{self, Answers, Encrypt, Expected, Wants};

use super::saml::{Asked, SamlProvider};
use super::{machine, table};

const REQUEST: &str = "_0123456789abcdef0123456789abcdef";
const SP: &str = "https://broker.test/saml/conn/metadata";
const ACS: &str = "https://broker.test/saml/conn/acs";
/// As long as a SignedInfo.
const SIGNED: [u8; 700] = [b'x'; 700];

struct Bench {
    provider: SamlProvider,
    keys: Vec<VerifyingKey>,
    decrypting: DecryptingKey,
    random: Random,
    now: Moment,
}

/// Microseconds of CPU of one call.
fn micros(mut call: impl FnMut()) -> f64 {
    (0..20).for_each(|_| call());
    let (started, mut made) = (machine::own_cpu(), 0_u32);
    while machine::own_cpu() - started < Duration::from_millis(500) {
        (0..20).for_each(|_| call());
        made += 20;
    }
    (machine::own_cpu() - started).as_secs_f64() * 1e6 / f64::from(made)
}

/// The least of three: the others were disturbed.
fn best(mut call: impl FnMut()) -> f64 {
    (0..3).map(|_| micros(&mut call)).fold(f64::MAX, f64::min)
}

pub fn measure() {
    let provider = SamlProvider::new();
    let bench = Bench {
        keys: vec![provider.key.verifying_key().clone()],
        decrypting: DecryptingKey::generate(KeyKind::Rsa2048).unwrap(),
        random: Random::System,
        now: Clock::System.now(),
        provider,
    };
    table::heading("One SAML message by CPU time, RSA of 2048 bits");
    let (verify, sign) = raw(&bench);
    table::line("one verification by aws-lc-rs alone", &format!("{verify:.1} µs"), "");
    table::line("one signature by aws-lc-rs alone", &format!("{sign:.1} µs"), "");
    bench.verification(verify);
    bench.signature(sign);
    bench.decryption();
}

fn raw(bench: &Bench) -> (f64, f64) {
    let pair = RsaKeyPair::from_pkcs8(&bench.provider.key.to_pkcs8().unwrap()).unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    let mut make = || pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &SIGNED, &mut signature).unwrap();
    let sign = best(&mut make);
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref()).unwrap();
    (best(|| public.verify_sig(&SIGNED, &signature).unwrap()), sign)
}

impl Bench {
    fn written(&self, encrypt: Option<&Encrypt<'_>>) -> String {
        let name_id = NameId::new("ann@a.test", name_id::EMAIL_ADDRESS);
        let asked = Asked { request: REQUEST, acs: ACS, name_id: &name_id, now: self.now };
        self.provider.draft(&asked, "_a1", &[&[SP]]).write(&self.provider.sign(), encrypt).unwrap()
    }

    fn read(&self, xml: &str) {
        let decrypting = [&self.decrypting];
        let expected = Expected {
            idp_entity_id: &self.provider.entity_id,
            sp_entity_id: SP,
            acs: ACS,
            in_response_to: Answers::To(REQUEST),
            keys: &self.keys,
            decrypting: &decrypting,
            naming: &[],
            wants: Wants::default(),
            now: self.now,
            skew: Duration::from_secs(60),
        };
        response::read(xml.as_bytes(), &expected).unwrap();
    }

    fn verification(&self, raw: f64) {
        let xml = self.written(None);
        self.read(&xml);
        let cost = best(|| self.read(&xml));
        table::limit(&format!("a response of {} bytes is verified and read", xml.len()), cost, " µs", 80.0);
        table::line("  ÷ verification alone", &format!("{:.2}", cost / raw), "");
    }

    fn signature(&self, raw: f64) {
        let cost = best(|| drop(self.written(None)));
        table::line("a response is written, signed and verified", &format!("{cost:.1} µs"), "");
        table::line("  ÷ signature alone", &format!("{:.2}", cost / raw), "");
        let url = || {
            redirect_url(
                "https://idp.a.test/sso",
                Carried::Request,
                &REQUEST.repeat(20),
                None,
                &self.provider.key,
            )
        };
        let cost = best(|| drop(url().unwrap()));
        table::line("a redirect is deflated and signed", &format!("{cost:.1} µs"), "");
        table::line("  ÷ signature alone", &format!("{:.2}", cost / raw), "");
    }

    fn decryption(&self) {
        let xml = self.written(Some(&self.encrypt()));
        let cost = best(|| self.read(&xml));
        table::line("an encrypted one is decrypted, verified and read", &format!("{cost:.1} µs"), "");
    }

    fn encrypt(&self) -> Encrypt<'_> {
        let (cipher, oaep) = (Cipher::Aes256Gcm, Oaep::Mgf1p);
        Encrypt { key: self.decrypting.encrypting_key(), cipher, oaep, random: &self.random }
    }
}
