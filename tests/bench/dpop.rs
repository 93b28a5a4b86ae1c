//! What it costs that tokens are bound to a key: one proof by itself, and cycles of an application that proves its key at
//! `/token` and `/userinfo`, beside those of one that does not.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PSS_SHA256, RsaKeyPair,
};
use behalf::foundation::clock::{Clock, Moment};
use behalf::protocol::oauth::dpop::{self, Request};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::cycles::{self, Client, MANY};
use super::provider::Provider;
use super::server::House;
use super::wire::Answer;
use super::{machine, table};

const URI: &str = "https://login.example.com/token";
const SPAN: Duration = Duration::from_millis(500);

/// Signs a message.
type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// Who proves a key with each request, and knows the last nonce.
pub struct Holder {
    sign: Sign,
    algorithm: &'static str,
    jwk: Value,
    nonce: RefCell<String>,
    made: Cell<u64>,
    name: u64,
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

impl Holder {
    pub fn es256(name: u64) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]) });
        let random = SystemRandom::new();
        Self::new("ES256", jwk, name, move |message| pair.sign(&random, message).unwrap().as_ref().to_vec())
    }

    fn eddsa() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) });
        Self::new("EdDSA", jwk, 0, move |message| pair.sign(message).as_ref().to_vec())
    }

    fn ps256(size: aws_lc_rs::rsa::KeySize) -> Self {
        let pair = RsaKeyPair::generate(size).unwrap();
        let key = pair.public_key();
        let n = text(key.modulus().big_endian_without_leading_zero());
        let e = text(key.exponent().big_endian_without_leading_zero());
        let random = SystemRandom::new();
        Self::new("PS256", json!({ "kty": "RSA", "n": n, "e": e }), 0, move |message| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature).unwrap();
            signature
        })
    }

    fn new(
        algorithm: &'static str,
        jwk: Value,
        name: u64,
        sign: impl Fn(&[u8]) -> Vec<u8> + 'static,
    ) -> Self {
        // Not one of the server's, which tells its own then.
        let (nonce, made) = (RefCell::new("none".to_owned()), Cell::new(0));
        Self { sign: Box::new(sign), algorithm, jwk, nonce, made, name }
    }

    fn proof(&self, method: &str, uri: &str, access_token: Option<&str>, now: Moment) -> String {
        let jti = format!("{} {}", self.name, self.made.replace(self.made.get() + 1));
        let header = json!({ "typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk });
        let mut claims = json!({ "jti": jti, "htm": method, "htu": uri, "iat": now.seconds(),
            "nonce": *self.nonce.borrow() });
        if let Some(token) = access_token {
            claims["ath"] = json!(text(digest(&SHA256, token.as_bytes()).as_ref()));
        }
        let signed =
            format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
        format!("{signed}.{}", text(&(self.sign)(signed.as_bytes())))
    }

    /// The line of a request that brings a proof.
    pub fn field(&self, method: &str, uri: &str, access_token: Option<&str>) -> String {
        format!("DPoP: {}\r\n", self.proof(method, uri, access_token, Clock::System.now()))
    }

    /// Takes the nonce that comes with an answer.
    pub fn hears(&self, answer: &Answer) {
        if let Some(nonce) = answer.fields("dpop-nonce").next() {
            nonce.clone_into(&mut self.nonce.borrow_mut());
        }
    }
}

pub async fn measure(provider: &Provider) {
    table::heading("One DPoP proof, read and verified on one core, by CPU time");
    by_itself("ES256", &Holder::es256(0));
    by_itself("EdDSA", &Holder::eddsa());
    by_itself("PS256, 2048 bits", &Holder::ps256(aws_lc_rs::rsa::KeySize::Rsa2048));
    by_itself("PS256, 4096 bits: the largest that is read", &Holder::ps256(aws_lc_rs::rsa::KeySize::Rsa4096));

    let house = House::build(provider).await;
    let server = house.serve().await;
    let mut clients = cycles::arrive(&house, provider, MANY).await;
    table::heading("Cycles (authorize, token, userinfo) with ES256, 16 clients, by CPU of the server");
    let plain = cycles::cycles(&server, &mut clients, "ES256").await;
    for (name, client) in clients.iter_mut().enumerate() {
        client.holder = Some(Holder::es256(name as u64));
        client.learns_nonce("ES256").await;
    }
    let bound = cycles::cycles(&server, &mut clients, "ES256").await;
    table::line("without proofs", &format!("{:.0} µs", plain.cpu), "");
    table::line("with two proofs", &format!("{:.0} µs", bound.cpu), "");
    let each = (bound.cpu - plain.cpu) / 2.0;
    table::limit("one proof, remembered on disk", each, " µs", 400.0);
    assert!(!house.log().contains("ERROR"), "{}", house.log());
}

fn by_itself(what: &str, holder: &Holder) {
    let now = Clock::System.now();
    let (proof, uris) = (holder.proof("POST", URI, None, now), [URI.to_owned()]);
    let request = Request { method: "POST", uris: &uris, access_token: None, now };
    let read = || drop(std::hint::black_box(dpop::read(&proof, &request).unwrap()));
    (0..50).for_each(|_| read());
    let (started, mut made) = (machine::own_cpu(), 0_u32);
    while machine::own_cpu() - started < SPAN {
        (0..50).for_each(|_| read());
        made += 50;
    }
    let micros = (machine::own_cpu() - started).as_secs_f64() * 1e6 / f64::from(made);
    table::limit(what, micros, " µs", 200.0);
}

impl Client<'_> {
    /// Asks for nothing good, to be told a nonce.
    async fn learns_nonce(&mut self, client_id: &str) {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", "none")];
        let answer = self.posts("/token", client_id, &pairs).await;
        assert_eq!(answer.status, 400);
    }
}
