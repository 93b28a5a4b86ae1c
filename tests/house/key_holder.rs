//! Somebody who holds a key and proves it with each request (DPoP), by other code than the broker's.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use behalf::protocol::jose::Jwk;
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use serde_json::{Value, json};

use super::application::{Application, Redemption};
use super::broker::House;
use super::visitor::{Answer, Visitor};

static COUNT: AtomicU64 = AtomicU64::new(0);

pub struct KeyHolder {
    pair: EcdsaKeyPair,
}

impl Default for KeyHolder {
    fn default() -> Self {
        Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }
}

impl KeyHolder {
    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]) })
    }

    /// The thumbprint of its key.
    pub fn jkt(&self) -> String {
        Jwk::parse(self.jwk().to_string().as_bytes()).unwrap().thumbprint()
    }

    pub fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() })
    }

    /// A good proof's claims, for a request to this address, with the nonce that is good now.
    pub async fn claims(&self, house: &House, method: &str, uri: &str) -> Value {
        let jti = format!("jti-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (iat, nonce) = (house.clock.now().seconds(), nonce(house).await);
        json!({ "jti": jti, "htm": method, "htu": uri, "iat": iat, "nonce": nonce })
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", text(header), text(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    /// A good proof for the token endpoint.
    pub async fn proof(&self, house: &House) -> String {
        self.proof_at(house, "/token").await
    }

    /// A good proof for what is posted to this path.
    pub async fn proof_at(&self, house: &House, path: &str) -> String {
        let claims = self.claims(house, "POST", &format!("{}{path}", house.url)).await;
        self.sign(&self.header(), &claims)
    }

    /// Sends a token request with a good proof.
    pub async fn sends(&self, house: &House, redemption: &Redemption) -> Answer {
        redemption.clone().and_header("dpop", &self.proof(house).await).send().await
    }

    /// A good proof for an access token at an address of ours.
    pub async fn proof_of(&self, house: &House, method: &str, path: &str, token: &str) -> String {
        let mut claims = self.claims(house, method, &format!("{}{path}", house.url)).await;
        claims["ath"] = json!(ath(token));
        self.sign(&self.header(), &claims)
    }

    /// Asks what an access token opens, with a good proof.
    pub async fn userinfo(&self, house: &House, token: &str) -> Answer {
        let proof = self.proof_of(house, "GET", "/userinfo", token).await;
        presents(house, &format!("DPoP {token}"), &[&proof]).await
    }
}

/// The hash of an access token.
pub fn ath(token: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    BASE64URL_NOPAD.encode(digest.as_ref())
}

/// The nonce that is handed out to who comes without one.
pub async fn nonce(house: &House) -> String {
    let holder = KeyHolder::default();
    let uri = format!("{}/token", house.url);
    let claims = json!({ "jti": "first", "htm": "POST", "htu": uri, "iat": house.clock.now().seconds() });
    let proof = holder.sign(&holder.header(), &claims);
    let answer = Application::rp2(house).refreshes("rt").and_header("dpop", &proof).send().await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (400, json!("use_dpop_nonce")));
    answer.header("dpop-nonce").expect("a nonce").to_owned()
}

/// Shows an access token at UserInfo, with any proofs.
pub async fn presents(house: &House, authorization: &str, proofs: &[&str]) -> Answer {
    let url = format!("{}/userinfo", house.url);
    let dress = |request: reqwest::RequestBuilder| {
        let request = request.header("authorization", authorization);
        proofs.iter().fold(request, |request, proof| request.header("dpop", *proof))
    };
    Visitor::arrives().request(Method::GET, &url, dress).await
}
