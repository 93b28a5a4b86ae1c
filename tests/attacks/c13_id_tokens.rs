//! C13: ID tokens that a careless reader would believe.

use behalf::protocol::jose::Algorithm;
use data_encoding::BASE64;
use serde_json::json;

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::House;
use crate::house::lying_idp::{Door, Key, Says, Signature};

/// The names under which the checks of an ID token refuse.
const OF_THE_TOKEN: [&str; 12] = [
    "token_answer_malformed",
    "id_token_missing",
    "id_token_malformed",
    "id_token_algorithm",
    "id_token_signature",
    "id_token_times",
    "id_token_issuer",
    "id_token_audience",
    "id_token_refused",
    "nonce_mismatch",
    "sub_invalid",
    "at_hash_mismatch",
];

/// One login for each lie: every one is refused for what is wrong with the token, and nothing comes of it.
async fn are_refused(house: &House, lies: Vec<(&str, Says)>) {
    for (what, says) in lies {
        house.idp_a.says(says);
        let before = house.before().await;
        let ask = Application::rp1(house).asks().with("login_hint", "ann@a.test");
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        assert_eq!(arrival.status(), 401, "{what}: {}", arrival.told());
        house.refused_for_one_of(&before, &OF_THE_TOKEN).await;
    }
    // The same login without a lie.
    house.idp_a.says(Says::truth());
    let ask = Application::rp1(house).asks().with("login_hint", "ann@a.test");
    Person::new("ann@a.test").follows(&ask).await.code();
}

fn truth() -> Says {
    Says::that("1", "ann@a.test")
}

fn alg(name: &str) -> Says {
    truth().header("alg", &json!(name).to_string())
}

fn hmac(name: &str, key: impl Into<Vec<u8>>) -> Says {
    alg(name).signed(Signature::Hmac(key.into()))
}

fn pem(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"))
}

#[tokio::test]
async fn c13_no_algorithm_but_the_connections_own_is_believed() {
    let house = House::opens().await;
    let own = house.idp_a.key();
    let (der, jwk) = (own.spki(), own.jwk());
    let stranger = Key::new(Algorithm::RS256, "first");
    let unknown = Key::new(Algorithm::RS256, "unknown");
    let curve = Key::new(Algorithm::ES256, "first");
    let edwards = Key::new(Algorithm::EdDSA, "first");
    let nothing = || Signature::Literally(Vec::new());
    let lies = vec![
        ("none, unsigned", alg("none").signed(nothing())),
        ("None, unsigned", alg("None").signed(nothing())),
        ("nOnE, unsigned", alg("nOnE").signed(nothing())),
        ("NONE, unsigned", alg("NONE").signed(nothing())),
        ("none, signed", alg("none")),
        ("none without kid", alg("none").without_header("kid").signed(nothing())),
        ("no alg at all", truth().without_header("alg")),
        ("an empty alg", alg("")),
        ("alg null", truth().header("alg", "null")),
        ("alg as a list", truth().header("alg", "[\"RS256\"]")),
        ("alg in small letters", alg("rs256")),
        ("HS256 by PEM", hmac("HS256", pem(&der))),
        ("HS256 by PEM and a line's end", hmac("HS256", pem(&der) + "\n")),
        ("HS256 by PEM after a blank", hmac("HS256", format!(" {}", pem(&der)))),
        ("HS256 by PEM after a line", hmac("HS256", format!("\n{}", pem(&der)))),
        ("HS256 by DER", hmac("HS256", der.clone())),
        ("HS256 by JWK", hmac("HS256", jwk.to_string())),
        ("HS256 by modulus", hmac("HS256", jwk["n"].as_str().unwrap())),
        ("HS256 by client secret", hmac("HS256", house.idp_a.secret.clone())),
        ("HS256 by nothing", hmac("HS256", Vec::new())),
        ("HS256 by kid", hmac("HS256", "first")),
        ("HS256 without kid", hmac("HS256", pem(&der)).without_header("kid")),
        ("HS384 by PEM", hmac("HS384", pem(&der))),
        ("HS512 by PEM", hmac("HS512", pem(&der))),
        ("RS256 by HMAC", truth().signed(Signature::Hmac(pem(&der).into()))),
        ("RS256 by a stranger with the same kid", truth().signed(Signature::Of(stranger.clone()))),
        ("RS256 by a stranger without kid", truth().signed(Signature::Of(stranger)).without_header("kid")),
        ("RS256 by a stranger with another kid", truth().signed(Signature::Of(unknown))),
        ("ES256 by a stranger", truth().signed(Signature::Of(curve.clone()))),
        ("EdDSA by a stranger", truth().signed(Signature::Of(edwards))),
        ("ES256 with r and s of zero", alg("ES256").signed(Signature::Literally(vec![0; 64]))),
        ("EdDSA of zeros", alg("EdDSA").signed(Signature::Literally(vec![0; 64]))),
        ("RS256 of zeros", truth().signed(Signature::Literally(vec![0; 256]))),
        ("RS256 unsigned", truth().signed(nothing())),
        ("RS256 cut by a byte", truth().signed(Signature::Truncated(1))),
        ("RS256 cut to a byte", truth().signed(Signature::Truncated(255))),
        ("PS256 over RS256", alg("PS256")),
        ("RS384 over RS256", alg("RS384")),
        ("RS512 over RS256", alg("RS512")),
        ("ES384 over RS256", alg("ES384")),
        ("ES256 called RS256", truth().signed(Signature::Of(curve)).header("alg", "\"RS256\"")),
        (
            "another address than was signed",
            truth().signed(Signature::ThenReplaced("ann@a.test", "eve@a.test")),
        ),
        (
            "another subject than was signed",
            truth().signed(Signature::ThenReplaced("\"sub\":\"1\"", "\"sub\":\"2\"")),
        ),
        ("extensions", truth().header("crit", "[\"exp\"]")),
        ("an unencoded payload", truth().header("b64", "false")),
        ("a compressed payload", truth().header("zip", "\"DEF\"")),
        ("an access token's type", truth().header("typ", "\"at+jwt\"")),
        ("a logout token's type", truth().header("typ", "\"logout+jwt\"")),
        ("a type that is no text", truth().header("typ", "1")),
    ];
    assert_eq!(lies.len(), 49);
    are_refused(&house, lies).await;
}

#[tokio::test]
async fn c13_a_claim_of_another_type_never_counts_as_absent() {
    let house = House::opens().await;
    let now = house.clock.now().seconds();
    let at = |seconds: i64| (now + seconds).to_string();
    let issuer = json!(house.idp_a.issuer).to_string();
    let slash = json!(format!("{}/", house.idp_a.issuer)).to_string();
    let lies = vec![
        ("exp as text", truth().claim("exp", "\"9999999999\"")),
        ("exp beyond numbers", truth().claim("exp", "1e400")),
        ("exp beyond dates", truth().claim("exp", "1e300")),
        ("exp in milliseconds", truth().claim("exp", &format!("{}000", now + 300))),
        ("exp null", truth().claim("exp", "null")),
        ("exp true", truth().claim("exp", "true")),
        ("exp in a list", truth().claim("exp", &format!("[{}]", now + 300))),
        ("exp below zero", truth().claim("exp", "-1")),
        ("no exp", truth().without("exp")),
        ("exp is over", truth().claim("exp", &at(-61))),
        ("nbf is no date", truth().claim("nbf", "\"x\"")),
        ("nbf null", truth().claim("nbf", "null")),
        ("nbf to come", truth().claim("nbf", &at(120))),
        ("no iat", truth().without("iat")),
        ("iat as text", truth().claim("iat", &format!("\"{now}\""))),
        ("iat to come", truth().claim("iat", &at(120))),
        ("aud empty", truth().claim("aud", "[]")),
        ("aud of an empty text", truth().claim("aud", "\"\"")),
        ("no aud", truth().without("aud")),
        ("aud null", truth().claim("aud", "null")),
        ("aud a number", truth().claim("aud", "1")),
        ("aud another", truth().claim("aud", "\"other\"")),
        ("aud begins alike", truth().claim("aud", "\"behalf2\"")),
        ("aud in other letters", truth().claim("aud", "\"Behalf\"")),
        ("aud others", truth().claim("aud", "[\"other\",\"client\"]")),
        ("aud in a list in a list", truth().claim("aud", "[[\"behalf\"]]")),
        ("aud with a number", truth().claim("aud", "[\"behalf\",1]")),
        ("aud two, no azp", truth().claim("aud", "[\"behalf\",\"other\"]")),
        ("aud two, azp another", truth().claim("aud", "[\"behalf\",\"other\"]").claim("azp", "\"other\"")),
        ("aud one, azp another", truth().claim("azp", "\"other\"")),
        ("azp no text", truth().claim("azp", "[\"behalf\"]")),
        ("no iss", truth().without("iss")),
        ("iss another", truth().claim("iss", "\"https://idp.test\"")),
        ("iss with a slash", truth().claim("iss", &slash)),
        ("iss in a list", truth().claim("iss", &format!("[{issuer}]"))),
        ("iss null", truth().claim("iss", "null")),
        ("no nonce", truth().without("nonce")),
        ("nonce another", truth().claim("nonce", "\"other\"")),
        ("nonce empty", truth().claim("nonce", "\"\"")),
        ("nonce null", truth().claim("nonce", "null")),
        ("nonce a list", truth().claim("nonce", "[]")),
        ("no sub", truth().without("sub")),
        ("sub a number", truth().claim("sub", "1")),
        ("sub empty", truth().claim("sub", "\"\"")),
        ("sub twice", truth().claim_again("sub", "\"2\"")),
        ("sub twice alike", truth().claim_again("sub", "\"1\"")),
        ("exp twice", truth().claim_again("exp", &at(300))),
        ("aud twice", truth().claim_again("aud", "\"behalf\"")),
        ("iss twice", truth().claim_again("iss", &issuer)),
        ("email twice", truth().claim_again("email", "\"ann@a.test\"")),
        ("at_hash of another token", truth().claim("at_hash", "\"AAAAAAAAAAAAAAAAAAAAAA\"")),
        ("at_hash no text", truth().claim("at_hash", "1")),
    ];
    assert_eq!(lies.len(), 52);
    are_refused(&house, lies).await;
}

#[tokio::test]
async fn c13_what_is_not_exactly_a_signed_token_is_none() {
    let house = House::opens().await;
    let long = format!("e30.{}.e30", "A".repeat(500_000));
    let lies = vec![
        ("nothing", truth().id_token(None)),
        ("an empty text", truth().id_token(Some(""))),
        ("two parts", truth().id_token(Some("e30.e30"))),
        ("four parts", truth().id_token(Some("e30.e30.e30.e30"))),
        ("five parts", truth().id_token(Some("e30.e30.e30.e30.e30"))),
        ("empty parts", truth().id_token(Some(".."))),
        ("padding", truth().id_token(Some("e30=.e30=.e30="))),
        ("a header that is no object", truth().id_token(Some("W10.e30.e30"))),
        ("half a megabyte", truth().id_token(Some(&long))),
    ];
    are_refused(&house, lies).await;
}

#[tokio::test]
async fn c13_a_clock_that_is_a_little_off_is_forgiven_and_no_more() {
    let house = House::opens().await;
    let now = house.clock.now().seconds();
    for (says, status) in [
        (truth().claim("exp", &(now - 59).to_string()), 303),
        (truth().claim("exp", &(now - 60).to_string()), 401),
        (truth().claim("iat", &(now + 60).to_string()), 303),
        (truth().claim("iat", &(now + 61).to_string()), 401),
        (truth().claim("iat", &(now - 660).to_string()), 303),
        (truth().claim("iat", &(now - 661).to_string()), 401),
        (truth().claim("nbf", &(now + 60).to_string()), 303),
        (truth().claim("nbf", &(now + 61).to_string()), 401),
    ] {
        house.idp_a.says(says);
        let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        assert_eq!(arrival.status(), status, "{}", arrival.told());
    }
}

/// Real providers say such things: Keycloak an empty list, Auth0 a date as text.
#[tokio::test]
async fn c13_what_nobody_needs_to_know_keeps_nobody_out() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    for (name, value) in [
        ("amr", json!([])),
        ("amr", json!([""])),
        ("amr", json!(null)),
        ("updated_at", json!("2020-01-01T00:00:00.000Z")),
        ("updated_at", json!(1_577_836_800)),
    ] {
        house.idp_a.says(truth().claim(name, &value.to_string()));
        let ask = rp1.asks().with("login_hint", "ann@a.test");
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        assert!(arrival.status() < 400, "{name}: {value}: {}", arrival.told());
        let tokens = ask.redeems(&arrival).await;
        // None of it proves a second factor.
        assert_eq!(tokens.id["acr"], json!("urn:behalf:acr:1fa"), "{name}: {value}");
        assert!(tokens.id.get("amr").is_none(), "{name}: {value}");
    }
}

#[tokio::test]
async fn h20_s1_a8_which_claim_cannot_be_read_is_told_to_whoever_administers_the_connection_without_its_value()
 {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let failures = format!("/connections/{}/failures", house.connection("ca").await);
    let odd = json!({"access_token": "x", "token_type": "Bearer", "expires_in": ["Eve Secret"], "id_token": "a.b.c"});
    for (says, door, field) in [
        (truth().claim("name", "[\"Eve Secret\"]"), None, "id_token: name"),
        (truth().claim("auth_time", "\"Eve Secret\""), None, "id_token: auth_time"),
        (truth(), Some(Door::Body(odd.to_string())), "expires_in"),
    ] {
        house.idp_a.says(says);
        house.idp_a.door("/token", door);
        let before = house.before().await;
        let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        assert_eq!(arrival.status(), 401, "{field}");
        assert!(!arrival.answer.body.contains("Secret"), "{field}");
        house.refused(&before, "token_answer_malformed").await;
        let told = operator.get(&failures).await.json()["items"][0].clone();
        assert_eq!(told["found"], json!(field), "{told}");
        assert!(
            told["expected"].as_str().unwrap().contains("can be read")
                && !told.to_string().contains("Secret")
        );
        house.turn_clock(1);
    }
}
