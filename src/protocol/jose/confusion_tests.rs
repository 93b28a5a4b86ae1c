//! The tricks of threats C13, C14 and M05 that are visible in a token itself, each refused for its own reason.
#![allow(clippy::unwrap_used)]

use aws_lc_rs::hmac;
use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD};
use serde_json::{Value, json};

use super::{Algorithm, Claims, JoseError, JwkSet, Jws, SigningKey, Typ, Verified, VerifyingKey};
use super::{ClaimError, json::JsonError};

const ALLOWED: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

struct Provider {
    rsa: SigningKey,
    ec: SigningKey,
    ed: SigningKey,
    pinned: JwkSet,
}

impl Provider {
    fn new() -> Self {
        let key = |algorithm, kid| SigningKey::generate(algorithm, kid).unwrap();
        let (rsa, ec, ed) =
            (key(Algorithm::RS256, "rsa"), key(Algorithm::ES256, "ec"), key(Algorithm::EdDSA, "ed"));
        let keys = [&rsa, &ec, &ed].map(|key| VerifyingKey::from_signing_key(key).unwrap());
        Self { pinned: JwkSet::new(keys.to_vec()), rsa, ec, ed }
    }

    fn read(&self, token: &str) -> Result<Verified<Claims>, JoseError> {
        Jws::parse(token)?.verify(&self.pinned, &ALLOWED, Typ::Jwt)
    }

    fn token(&self) -> String {
        self.ed.sign_jwt("JWT", &json!({"sub": "ann"})).unwrap()
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

/// A token with any header, signed by `key`.
fn signed(key: &SigningKey, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    format!("{input}.{}", key.signature_text(input.as_bytes()).unwrap())
}

fn refusal(result: Result<Verified<Claims>, JoseError>) -> JoseError {
    result.expect_err("the token was accepted")
}

#[test]
fn c13_an_algorithm_without_a_word_is_refused() {
    let provider = Provider::new();
    let payload = encode(r#"{"sub":"ann"}"#);
    for alg in [
        "none", "None", "nOnE", "NONE", "", "HS256", "HS384", "HS512", "rs256", "ES256K", "RSA-OAEP",
        " RS256",
    ] {
        for signature in ["", "AAAA"] {
            let token =
                format!("{}.{payload}.{signature}", encode(json!({"alg": alg, "kid": "rsa"}).to_string()));
            assert_eq!(refusal(provider.read(&token)), JoseError::UnknownAlgorithm, "{alg}");
        }
    }
    for header in [json!({}), json!({"alg": null}), json!({"alg": ["RS256"]}), json!({"alg": 1})] {
        let token = format!("{}.{payload}.", encode(header.to_string()));
        assert_eq!(refusal(provider.read(&token)), JoseError::NoAlgorithm, "{header}");
    }
}

#[test]
fn c13_a_public_key_is_never_a_shared_secret() {
    let provider = Provider::new();
    let jwk = serde_json::to_vec(provider.rsa.public_jwk()).unwrap();
    let modulus = serde_json::to_value(provider.rsa.public_jwk()).unwrap()["n"].as_str().unwrap().to_owned();
    let der = {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        let n = BASE64URL_NOPAD.decode(modulus.as_bytes()).unwrap();
        let key = aws_lc_rs::rsa::PublicKeyComponents { n, e: vec![1, 0, 1] };
        AsDer::<PublicKeyX509Der<'_>>::as_der(&key).unwrap().as_ref().to_vec()
    };
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&der));
    let spaced = format!("\n {pem}");
    let secrets: [&[u8]; 6] =
        [&jwk, modulus.as_bytes(), &der, pem.as_bytes(), pem.trim_end().as_bytes(), spaced.as_bytes()];
    for secret in secrets {
        // Honest about its algorithm, and pretending to be RS256.
        for (alg, error) in [("HS256", JoseError::UnknownAlgorithm), ("RS256", JoseError::Signature)] {
            let header = json!({"alg": alg, "kid": "rsa"}).to_string();
            let input = format!("{}.{}", encode(header), encode(r#"{"sub":"ann"}"#));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
            assert_eq!(refusal(provider.read(&format!("{input}.{}", encode(tag)))), error);
        }
    }
}

#[test]
fn c13_the_key_decides_the_algorithm() {
    let provider = Provider::new();
    for (key, alg, kid, error) in [
        // A key of another kind under a known kid.
        (&provider.ed, "EdDSA", "rsa", JoseError::NoKey),
        (&provider.ec, "RS256", "rsa", JoseError::Signature),
        (&provider.rsa, "ES256", "ec", JoseError::Signature),
        // The pinned key says RS256, so nothing else is tried with it.
        (&provider.rsa, "PS256", "rsa", JoseError::NoKey),
        (&provider.rsa, "RS384", "rsa", JoseError::AlgorithmNotAllowed(Algorithm::RS384)),
        (&provider.rsa, "RS256", "unknown", JoseError::NoKey),
    ] {
        let header = json!({"alg": alg, "kid": kid}).to_string();
        assert_eq!(refusal(provider.read(&signed(key, &header, "{}"))), error, "{alg} {kid}");
    }
    let token = provider.token();
    let jws = Jws::parse(&token).unwrap();
    let refused = refusal(jws.verify(&provider.pinned, &[Algorithm::RS256], Typ::Jwt));
    assert_eq!(refused, JoseError::AlgorithmNotAllowed(Algorithm::EdDSA));
    assert_eq!(
        refusal(Jws::parse(&token).unwrap().verify(&JwkSet::default(), &ALLOWED, Typ::Jwt)),
        JoseError::NoKey
    );
}

#[test]
fn c13_a_signature_that_is_not_one_is_refused() {
    let provider = Provider::new();
    let stranger = Provider::new();
    for (ours, theirs) in
        [(&provider.rsa, &stranger.rsa), (&provider.ec, &stranger.ec), (&provider.ed, &stranger.ed)]
    {
        let good = ours.sign_jwt("JWT", &json!({"sub": "ann"})).unwrap();
        assert!(provider.read(&good).is_ok());
        let forged = theirs.sign_jwt("JWT", &json!({"sub": "ann"})).unwrap();
        assert_eq!(refusal(provider.read(&forged)), JoseError::Signature);
        let (input, signature) = good.rsplit_once('.').unwrap();
        let bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        let mut flipped = bytes.clone();
        flipped[7] ^= 1;
        let longer = [bytes.as_slice(), &[0]].concat();
        let shorter = &bytes[..bytes.len() - 1];
        let zero = vec![0; bytes.len()];
        let ones = vec![0xff; bytes.len()];
        for signature in [flipped.as_slice(), &longer, shorter, &zero, &ones, &[]] {
            let token = format!("{input}.{}", encode(signature));
            assert_eq!(refusal(provider.read(&token)), JoseError::Signature, "{ours:?}");
        }
        let (header, _) = input.split_once('.').unwrap();
        let other_payload = format!("{header}.{}.{signature}", encode(r#"{"sub":"bob"}"#));
        assert_eq!(refusal(provider.read(&other_payload)), JoseError::Signature);
    }
}

#[test]
fn c13_an_ecdsa_signature_in_der_is_refused() {
    let provider = Provider::new();
    let token = provider.ec.sign_jwt("JWT", &json!({"sub": "ann"})).unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let raw = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let integer = |half: &[u8]| {
        let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign: &[u8] = if digits[0] >= 0x80 { &[0] } else { &[] };
        [&[2, u8::try_from(digits.len() + sign.len()).unwrap()], sign, &digits].concat()
    };
    let body = [integer(&raw[..32]), integer(&raw[32..])].concat();
    let der = [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
    assert_eq!(refusal(provider.read(&format!("{input}.{}", encode(der)))), JoseError::Signature);
}

#[test]
fn c13_one_token_has_one_spelling() {
    let provider = Provider::new();
    let token = provider.token();
    assert!(provider.read(&token).is_ok());
    let [header, payload, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let padded = BASE64URL.encode(&BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap());
    // The last character carries bits that no byte takes.
    let last = signature.as_bytes()[signature.len() - 1];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.iter().position(|letter| *letter == last).unwrap();
    let loose = format!("{}{}", &signature[..signature.len() - 1], char::from(alphabet[place + 1]));
    for (token, error) in [
        (String::new(), JoseError::Parts),
        (format!("{header}.{payload}"), JoseError::Parts),
        (format!("{header}.{payload}.{signature}."), JoseError::Parts),
        (format!("{header}.{payload}.{signature}.a.b"), JoseError::Parts),
        (format!("{header}.{payload}.{padded}"), JoseError::Base64("signature")),
        (format!("{header}.{payload}.{loose}"), JoseError::Base64("signature")),
        (format!("{token}\n"), JoseError::Base64("signature")),
        (format!("{token} "), JoseError::Base64("signature")),
        (format!(" {token}"), JoseError::Base64("header")),
        (format!("{header}=.{payload}.{signature}"), JoseError::Base64("header")),
        (format!("{header}. {payload}.{signature}"), JoseError::Base64("payload")),
        (format!("{header}.{payload}=.{signature}"), JoseError::Base64("payload")),
        (format!("{header}.{payload}\n.{signature}"), JoseError::Base64("payload")),
        (format!("{header}.+/+/.{signature}"), JoseError::Base64("payload")),
        (format!("{header}.{payload}.{}", &signature[..signature.len() - 1]), JoseError::Base64("signature")),
        (format!("{header}..{signature}"), JoseError::Signature),
        (format!(".{payload}.{signature}"), JoseError::Header(JsonError::Malformed)),
        (format!("ä.{payload}.{signature}"), JoseError::Base64("header")),
    ] {
        assert_eq!(refusal(provider.read(&token)), error, "{token:?}");
    }
}

#[test]
fn c13_a_header_that_is_read_in_two_ways_is_refused() {
    let provider = Provider::new();
    for (header, error) in [
        (r#"{"alg":"none","alg":"EdDSA","kid":"ed"}"#, JoseError::Header(JsonError::DuplicateMember)),
        (r#"{"alg":"EdDSA","kid":"rsa","kid":"ed"}"#, JoseError::Header(JsonError::DuplicateMember)),
        (r#"{"alg":"EdDSA","a\u006cg":"none","kid":"ed"}"#, JoseError::Header(JsonError::DuplicateMember)),
        (r#"["EdDSA"]"#, JoseError::Header(JsonError::Malformed)),
        (r#"{"alg":"EdDSA","kid":"ed"} {}"#, JoseError::Header(JsonError::Malformed)),
        (r#"{"alg":"EdDSA","kid":"ed","crit":["exp"],"exp":1}"#, JoseError::Critical),
        (r#"{"alg":"EdDSA","kid":"ed","crit":[]}"#, JoseError::Critical),
        (r#"{"alg":"EdDSA","kid":"ed","b64":false}"#, JoseError::Unencoded),
        (r#"{"alg":"EdDSA","kid":"ed","b64":true}"#, JoseError::Unencoded),
        (r#"{"alg":"EdDSA","kid":"ed","zip":"DEF"}"#, JoseError::Compressed),
        (r#"{"alg":"EdDSA","kid":7}"#, JoseError::Kid),
        (r#"{"alg":"EdDSA","kid":["ed"]}"#, JoseError::Kid),
        (r#"{"alg":"EdDSA","kid":null}"#, JoseError::Kid),
        (r#"{"alg":"EdDSA","kid":"ed","typ":7}"#, JoseError::Type),
    ] {
        assert_eq!(refusal(provider.read(&signed(&provider.ed, header, "{}"))), error, "{header}");
    }
}

#[test]
fn c14_a_key_that_the_token_brings_is_not_used() {
    let provider = Provider::new();
    let stranger = SigningKey::generate(Algorithm::EdDSA, "ed").unwrap();
    let jwk: Value = serde_json::to_value(stranger.public_jwk()).unwrap();
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://canary.test/jwks")),
        ("x5u", json!("https://canary.test/cert")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
    ] {
        let mut header = json!({"alg": "EdDSA", "kid": "ed"});
        header[name] = value;
        let forged = signed(&stranger, &header.to_string(), "{}");
        assert_eq!(refusal(provider.read(&forged)), JoseError::Signature, "{name}");
        // The pinned key alone decides, whatever else the header holds.
        assert!(provider.read(&signed(&provider.ed, &header.to_string(), "{}")).is_ok(), "{name}");
        header["kid"] = json!("elsewhere");
        assert_eq!(
            refusal(provider.read(&signed(&stranger, &header.to_string(), "{}"))),
            JoseError::NoKey,
            "{name}"
        );
    }
}

#[test]
fn c14_a_kid_is_a_map_key_and_nothing_more() {
    let provider = Provider::new();
    for (kid, error) in [
        ("../../dev/null".to_owned(), JoseError::NoKey),
        ("' OR 1=1--".to_owned(), JoseError::NoKey),
        ("https://canary.test/jwks".to_owned(), JoseError::NoKey),
        ("ED".to_owned(), JoseError::NoKey),
        ("ed\0".to_owned(), JoseError::NoKey),
        (String::new(), JoseError::NoKey),
        ("k".repeat(256), JoseError::NoKey),
        ("k".repeat(257), JoseError::Kid),
        ("k".repeat(3000), JoseError::HeaderTooLong),
        ("k".repeat(1 << 20), JoseError::TooLong),
    ] {
        let header = json!({"alg": "EdDSA", "kid": kid}).to_string();
        assert_eq!(refusal(provider.read(&signed(&provider.ed, &header, "{}"))), error);
    }
    // Without a kid every pinned key of the algorithm is tried.
    assert!(provider.read(&signed(&provider.ed, r#"{"alg":"EdDSA"}"#, "{}")).is_ok());
}

#[test]
fn c13_claims_are_read_only_behind_a_signature_and_only_once() {
    let provider = Provider::new();
    let header = r#"{"alg":"EdDSA","kid":"ed"}"#;
    for (payload, error) in [
        (r#"{"sub":"ann","sub":"bob"}"#, JsonError::DuplicateMember),
        (r#"{"exp":1e400}"#, JsonError::Malformed),
        ("[]", JsonError::Malformed),
        ("", JsonError::Malformed),
        ("ann", JsonError::Malformed),
    ] {
        let refused = refusal(provider.read(&signed(&provider.ed, header, payload)));
        assert_eq!(refused, JoseError::Claims(ClaimError::Json(error)), "{payload}");
    }
    let long = format!(r#"{{"sub":"{}"}}"#, "a".repeat(20_000));
    let token = signed(&provider.ed, header, &long);
    assert_eq!(refusal(provider.read(&token)), JoseError::TooLong);
    assert!(
        Jws::parse_within(&token, 64 * 1024).unwrap().verify(&provider.pinned, &ALLOWED, Typ::Jwt).is_ok()
    );
}

#[test]
fn m05_one_kind_of_token_does_not_pass_for_another() {
    let provider = Provider::new();
    let admits = |header: &str, typ| {
        let token = signed(&provider.ed, header, "{}");
        match Jws::parse(&token).unwrap().verify(&provider.pinned, &ALLOWED, typ) {
            Ok(_) => true,
            Err(JoseError::Type) => false,
            Err(other) => panic!("{other}"),
        }
    };
    for (typ, id, access) in [
        ("", true, false),
        (r#","typ":"JWT""#, true, false),
        (r#","typ":"jwt""#, true, false),
        (r#","typ":"application/jwt""#, true, false),
        (r#","typ":"at+jwt""#, false, true),
        (r#","typ":"AT+JWT""#, false, true),
        (r#","typ":"application/at+jwt""#, false, true),
        (r#","typ":"logout+jwt""#, false, false),
        (r#","typ":"secevent+jwt""#, false, false),
        (r#","typ":"application/""#, false, false),
        (r#","typ":"text/at+jwt""#, false, false),
        (r#","typ":"ääääääääää""#, false, false),
        (r#","typ":"""#, false, false),
    ] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"ed"{typ}}}"#);
        assert_eq!(admits(&header, Typ::Jwt), id, "{typ}");
        assert_eq!(admits(&header, Typ::ACCESS_TOKEN), access, "{typ}");
    }
}
