//! The examples printed in the specifications.
#![allow(clippy::unwrap_used)]

use data_encoding::BASE64URL_NOPAD;

use super::{Algorithm, Jwk, JwkSet, Jws, SigningKey, Typ, VerifyingKey};
use crate::foundation::clock::Moment;

// RFC 7515, appendix A.2: an RSA key and a token.
const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql\
     L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs\
     LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud\
     F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe\
     46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9J\
     YanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuh\
     LhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJ\
     NPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_Yw\
     D66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJ\
     eDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-N\
     KJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi8\
     7w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";
const PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RS256_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG\
     bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
     0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6\
     LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

// RFC 7515, appendix A.3.
const ES256_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const ES256_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

// RFC 8037, appendix A.
const ED25519_KEY: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const ED25519_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const ED25519_SIGNING_INPUT: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const ED25519_SIGNATURE: &str =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

// RFC 7638, section 3.1.
const THUMBPRINT_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK\
     RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic\
     AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3\
     XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn bytes(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
}

fn set(jwk: &str) -> JwkSet {
    JwkSet::new(vec![VerifyingKey::from_jwk(Jwk::parse(jwk.as_bytes()).unwrap()).unwrap()])
}

fn rs256_key() -> String {
    format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB"}}"#)
}

fn rs256_signing_input() -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}")
}

fn rs256_signing_key() -> SigningKey {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
    use aws_lc_rs::signature::RsaKeyPair;
    let pair = RsaKeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents { n: bytes(N), e: bytes("AQAB") },
        d: bytes(D),
        p: bytes(P),
        q: bytes(Q),
        dP: bytes(DP),
        dQ: bytes(DQ),
        qInv: bytes(QI),
    });
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair.unwrap()).unwrap();
    SigningKey::from_pkcs8(Algorithm::RS256, "rfc7515", der.as_ref()).unwrap()
}

fn ed25519_signing_key() -> SigningKey {
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&bytes(ED25519_SEED)).unwrap();
    SigningKey::from_pkcs8(Algorithm::EdDSA, "rfc8037", pair.to_pkcs8().unwrap().as_ref()).unwrap()
}

#[test]
fn rfc7515_a2_and_a3_tokens_verify() {
    for (alg, header, key, signature) in [
        (Algorithm::RS256, "eyJhbGciOiJSUzI1NiJ9", rs256_key().as_str(), RS256_SIGNATURE),
        (Algorithm::ES256, "eyJhbGciOiJFUzI1NiJ9", ES256_KEY, ES256_SIGNATURE),
    ] {
        let token = format!("{header}.{PAYLOAD}.{signature}");
        let claims = Jws::parse(&token).unwrap().verify(&set(key), &[alg], Typ::Jwt).unwrap();
        assert_eq!(claims.iss(), Ok("joe"));
        assert_eq!(claims.exp(), Ok(Moment::from_seconds(1_300_819_380)));
        assert_eq!(claims.get().get("http://example.com/is_root"), Some(&true.into()));
    }
}

#[test]
fn rfc8037_a4_token_verifies() {
    let token = format!("{ED25519_SIGNING_INPUT}.{ED25519_SIGNATURE}");
    let jws = Jws::parse(&token).unwrap();
    let payload = jws.verify_bytes(&set(ED25519_KEY), &[Algorithm::EdDSA], Typ::Jwt).unwrap();
    assert_eq!(payload.get(), b"Example of Ed25519 signing");
}

#[test]
fn rfc7515_a2_and_rfc8037_a4_signatures_are_made() {
    let made = |key: SigningKey, text: &str| key.signature_text(text.as_bytes()).unwrap();
    assert_eq!(made(rs256_signing_key(), &rs256_signing_input()), RS256_SIGNATURE);
    assert_eq!(made(ed25519_signing_key(), ED25519_SIGNING_INPUT), ED25519_SIGNATURE);
}

#[test]
fn rfc7638_and_rfc8037_thumbprints() {
    let rsa = format!(r#"{{"kty":"RSA","n":"{THUMBPRINT_N}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}"#);
    let thumbprint = |jwk: &str| Jwk::parse(jwk.as_bytes()).unwrap().thumbprint();
    assert_eq!(thumbprint(&rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(thumbprint(ED25519_KEY), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn what_we_sign_another_implementation_verifies() {
    use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm as Other};
    use openidconnect::{JsonWebKey, SigningError};
    for (algorithm, other) in [
        (Algorithm::RS256, Other::RsaSsaPkcs1V15Sha256),
        (Algorithm::ES256, Other::EcdsaP256Sha256),
        (Algorithm::EdDSA, Other::EdDsa),
    ] {
        let key = SigningKey::generate(algorithm, "k1").unwrap();
        let published = JwkSet::new(vec![VerifyingKey::from_signing_key(&key).unwrap()]);
        let theirs: CoreJsonWebKeySet =
            serde_json::from_str(&serde_json::to_string(&published).unwrap()).unwrap();
        let token = key.sign_jwt("at+jwt", &serde_json::json!({"sub": "ann"})).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let verify = |signed: &str| -> Result<(), SigningError> {
            theirs.keys()[0]
                .verify_signature(&other, signed.as_bytes(), &bytes(signature))
                .map_err(|_| SigningError::CryptoError)
        };
        assert!(verify(signed).is_ok(), "{algorithm:?}");
        assert!(verify(&format!("{signed}x")).is_err(), "{algorithm:?}");
        let ours = Jws::parse(&token).unwrap();
        assert_eq!(ours.kid(), Some("k1"));
        let claims = ours.verify(&published, &[algorithm], Typ::ACCESS_TOKEN).unwrap();
        assert_eq!(claims.sub(), Ok("ann"));
    }
}
