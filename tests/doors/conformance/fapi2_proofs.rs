//! The plan for the FAPI 2.0 Security Profile: proofs of keys.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::fapi2::fapi;
use super::party::machine_error;
use crate::house::key_holder::{KeyHolder, ath, presents};

#[tokio::test]
async fn m06_a_proof_may_say_more_and_be_made_by_a_clock_that_is_off() {
    let fapi = fapi().await;
    let house = &fapi.house;
    for (what, shift, more) in [
        ("ten seconds ago", -10, json!({})),
        ("in eight seconds", 8, json!({})),
        ("with nbf and exp", 0, json!({ "nbf": fapi.now(), "exp": fapi.now() + 300 })),
    ] {
        let holder = KeyHolder::default();
        let proof = async |method: &str, path: &str, token: Option<&str>| {
            let mut claims = holder.claims(house, method, &format!("{}{path}", house.url)).await;
            claims["iat"] = json!(fapi.now() + shift);
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            if let Some(token) = token {
                claims["ath"] = json!(ath(token));
            }
            holder.sign(&holder.header(), &claims)
        };
        let ask = fapi.asks(0);
        let pushed =
            ask.pushes().on(fapi.now()).and_header("dpop", &proof("POST", "/par", None).await).send().await;
        assert_eq!(pushed.status, 201, "{what}: {}", pushed.body);
        let url = ask.only("request_uri", pushed.json()["request_uri"].as_str().unwrap());
        let callback = fapi.opens(0, &ask, &url).await;
        let redemption =
            fapi.redemption(&ask, &callback).and_header("dpop", &proof("POST", "/token", None).await);
        let got = fapi.client(0).looks_at(&ask, redemption.send().await).await;
        let token = &got.tokens.access_token;
        let shown = proof("GET", "/userinfo", Some(token)).await;
        // The scheme is written in any way.
        let scheme = if shift == 0 { "dPOp" } else { "DPoP" };
        let answer = presents(house, &format!("{scheme} {token}"), &[&shown]).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    }
}

#[tokio::test]
async fn m06_a_code_is_for_the_key_that_was_named_or_proved() {
    let fapi = fapi().await;
    let house = &fapi.house;
    let (holder, other) = (KeyHolder::default(), KeyHolder::default());
    // The name of another key than the proved one.
    let ask = fapi.asks(0).with("dpop_jkt", &other.jkt());
    let proof = holder.proof_at(house, "/par").await;
    let answer = ask.pushes().on(fapi.now()).and_header("dpop", &proof).send().await;
    assert_eq!(machine_error(&answer, &[400]), "invalid_dpop_proof");
    // Another key at the token endpoint: than was named, and than was proved.
    let callback = fapi.sends(0, &ask).await;
    let told = fapi.refused(&fapi.redemption(&ask, &callback), &holder, &[400]).await;
    assert_eq!(told, "invalid_grant");
    for ask in [fapi.asks(0), fapi.asks(0).with("dpop_jkt", &holder.jkt())] {
        for (by, good) in [(&other, false), (&holder, true)] {
            let proof = holder.proof_at(house, "/par").await;
            let pushed = ask.pushes().on(fapi.now()).and_header("dpop", &proof).send().await;
            let url = ask.only("request_uri", pushed.json()["request_uri"].as_str().unwrap());
            let callback = fapi.opens(0, &ask, &url).await;
            let redemption = fapi.redemption(&ask, &callback);
            if good {
                fapi.client(0).looks_at(&ask, by.sends(house, &redemption).await).await;
            } else {
                assert_eq!(fapi.refused(&redemption, by, &[400]).await, "invalid_grant");
            }
        }
    }
}

/// A key that can sign by what is allowed and by what is not.
struct Rsa(RsaKeyPair);

impl Rsa {
    fn proof(&self, algorithm: &str, claims: &Value) -> String {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let public = self.0.public_key();
        let (n, e) = (public.modulus(), public.exponent());
        let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
        let jwk = json!({ "kty": "RSA", "n": text(n), "e": text(e) });
        let header = json!({ "typ": "dpop+jwt", "alg": algorithm, "jwk": jwk });
        let signed =
            format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
        let mut signature = vec![0; self.0.public_modulus_len()];
        let padding: &dyn RsaEncoding =
            if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        self.0.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", text(&signature))
    }
}

#[tokio::test]
async fn m06_h20_whoever_is_held_to_the_profile_proves_keys_by_nothing_weaker() {
    let fapi = fapi().await;
    let (house, key) = (&fapi.house, Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
    let claims = async |method: &str, path: &str, token: Option<&str>| {
        let mut claims = KeyHolder::default().claims(house, method, &format!("{}{path}", house.url)).await;
        if let Some(token) = token {
            claims["ath"] = json!(ath(token));
        }
        claims
    };
    let ask = fapi.asks(0);
    let weak = key.proof("RS256", &claims("POST", "/par", None).await);
    let answer = ask.pushes().on(fapi.now()).and_header("dpop", &weak).send().await;
    assert_eq!(machine_error(&answer, &[400]), "invalid_dpop_proof");
    let callback = fapi.sends(0, &ask).await;
    let weak = key.proof("RS256", &claims("POST", "/token", None).await);
    let answer = fapi.redemption(&ask, &callback).and_header("dpop", &weak).send().await;
    assert_eq!(machine_error(&answer, &[400]), "invalid_dpop_proof");
    let good = key.proof("PS256", &claims("POST", "/token", None).await);
    let answer = fapi.redemption(&ask, &callback).and_header("dpop", &good).send().await;
    let token = fapi.client(0).looks_at(&ask, answer).await.tokens.access_token;
    for (algorithm, status) in [("RS256", 401), ("PS256", 200)] {
        let proof = key.proof(algorithm, &claims("GET", "/userinfo", Some(&token)).await);
        let answer = presents(house, &format!("DPoP {token}"), &[&proof]).await;
        assert_eq!(answer.status, status, "{algorithm}: {}", answer.body);
    }
}

#[tokio::test]
async fn m06_no_proof_that_is_wrong_opens_userinfo() {
    let fapi = fapi().await;
    let (house, holder, other) = (&fapi.house, KeyHolder::default(), KeyHolder::default());
    let tokens = fapi.tokens(0, &holder, &fapi.asks(0)).await;
    let token = tokens.access_token.as_str();
    let uri = format!("{}/userinfo", house.url);
    let claims = async |change: &[(&str, Value)]| {
        let mut claims = holder.claims(house, "GET", &uri).await;
        claims["ath"] = json!(ath(token));
        for (name, value) in change {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(*name)),
                value => claims[*name] = value.clone(),
            }
        }
        claims
    };
    let header = |change: &[(&str, Value)]| {
        let mut header = holder.header();
        for (name, value) in change {
            match value {
                Value::Null => drop(header.as_object_mut().unwrap().remove(*name)),
                value => header[*name] = value.clone(),
            }
        }
        header
    };
    let mut private = holder.jwk();
    private["d"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let good = holder.sign(&holder.header(), &claims(&[]).await);
    let mut wrong = vec![
        ("no JWT", "x.y.z".to_owned()),
        ("a cut signature", good[..good.len() - 4].to_owned()),
        ("signed by another", other.sign(&holder.header(), &claims(&[]).await)),
    ];
    for (what, change) in [
        ("no typ", vec![("typ", Value::Null)]),
        ("another typ", vec![("typ", json!("jwt"))]),
        ("no alg", vec![("alg", Value::Null)]),
        ("alg none", vec![("alg", json!("none"))]),
        ("no jwk", vec![("jwk", Value::Null)]),
        ("a private jwk", vec![("jwk", private)]),
    ] {
        wrong.push((what, holder.sign(&header(&change), &claims(&[]).await)));
    }
    for (what, change) in [
        ("no jti", vec![("jti", Value::Null)]),
        ("no htm", vec![("htm", Value::Null)]),
        ("no htu", vec![("htu", Value::Null)]),
        ("no iat", vec![("iat", Value::Null)]),
        ("no ath", vec![("ath", Value::Null)]),
        ("another htm", vec![("htm", json!("PUT"))]),
        ("another htu", vec![("htu", json!("https://other.test/userinfo"))]),
        ("another ath", vec![("ath", json!(ath("x")))]),
        ("in an hour", vec![("iat", json!(fapi.now() + 3_600))]),
        ("an hour ago", vec![("iat", json!(fapi.now() - 3_600))]),
    ] {
        wrong.push((what, holder.sign(&holder.header(), &claims(&change).await)));
    }
    for (what, proof) in &wrong {
        let answer = presents(house, &format!("DPoP {token}"), &[proof]).await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{what}: {}", answer.body);
    }
    for (what, scheme, proofs) in [
        ("none", "DPoP", vec![]),
        ("two", "DPoP", vec![good.as_str(), good.as_str()]),
        ("as a bearer", "Bearer", vec![]),
    ] {
        let answer = presents(house, &format!("{scheme} {token}"), &proofs).await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{what}: {}", answer.body);
    }
    // These are as good as the usual one, each once.
    for (what, header, change) in [
        ("query and fragment", header(&[]), vec![("htu", json!(format!("{uri}?a=b#c")))]),
        ("an address in capitals", header(&[]), vec![("htu", json!(uri.replace("http://", "HTTP://")))]),
        ("more", header(&[("x", json!(1))]), vec![("x", json!({ "y": 1 }))]),
        ("the usual one", header(&[]), vec![]),
    ] {
        let proof = holder.sign(&header, &claims(&change).await);
        assert_eq!(presents(house, &format!("DPoP {token}"), &[&proof]).await.status, 200, "{what}");
        assert_eq!(presents(house, &format!("DPoP {token}"), &[&proof]).await.status, 401, "{what} again");
    }
}
