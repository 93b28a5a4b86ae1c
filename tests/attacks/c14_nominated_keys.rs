//! C14: a token names the key that it wants to be checked with.

use behalf::protocol::jose::Algorithm;
use serde_json::json;

use crate::house::application::{Application, Person};
use crate::house::broker::House;
use crate::house::lying_idp::{Key, Says, Signature};

async fn arrives(house: &House, says: Says) -> crate::house::application::Arrival {
    house.idp_a.says(says);
    let ask = Application::rp1(house).asks().with("login_hint", "ann@a.test");
    Person::new("ann@a.test").follows(&ask).await
}

async fn is_refused(house: &House, says: Says, what: &str) {
    let before = house.before().await;
    let arrival = arrives(house, says).await;
    assert_eq!(arrival.status(), 401, "{what}: {}", arrival.told());
    house
        .refused_for_one_of(&before, &["id_token_signature", "id_token_malformed", "token_answer_malformed"])
        .await;
}

#[tokio::test]
async fn c14_a_token_does_not_bring_its_own_key() {
    let house = House::opens().await;
    // The second provider is the canary: whoever follows an address is counted there.
    let canary = format!("{}/jwks", house.idp_b.issuer);
    let stranger = Key::new(Algorithm::RS256, "stranger");
    house.idp_b.rotates(stranger.clone());
    let address = json!(canary).to_string();
    let jwk = stranger.jwk().to_string();
    let signed = || Says::that("1", "ann@a.test").signed(Signature::Of(stranger.clone()));
    for (name, raw) in [
        ("jwk", jwk.as_str()),
        ("jku", &address),
        ("x5u", &address),
        ("x5c", "[\"MIIB\"]"),
        ("x5t", "\"AAAA\""),
        ("x5t#S256", "\"AAAA\""),
    ] {
        is_refused(&house, signed().header(name, raw), name).await;
        is_refused(&house, signed().header(name, raw).header("kid", "\"first\""), name).await;
        is_refused(&house, signed().header(name, raw).without_header("kid"), name).await;
    }
    // Even the right key is not looked for where the token says.
    for name in ["jku", "x5u"] {
        arrives(&house, Says::that("1", "ann@a.test").header(name, &address)).await;
    }
    assert_eq!(house.idp_b.hits("/jwks"), 0);
}

#[tokio::test]
async fn c14_a_kid_is_a_name_and_nothing_else() {
    let house = House::opens().await;
    let long = json!("k".repeat(1 << 19)).to_string();
    let address = json!(format!("{}/jwks", house.idp_b.issuer)).to_string();
    for kid in [
        "\"../../dev/null\"",
        "\"/dev/null\"",
        "\"' OR 1=1--\"",
        "\"first'--\"",
        "\"FIRST\"",
        "\"first\\u0000\"",
        "\"first \"",
        "\"\"",
        "\"*\"",
        "1",
        "null",
        "[\"first\"]",
        "{\"kid\":\"first\"}",
        &address,
        &long,
    ] {
        is_refused(&house, Says::that("1", "ann@a.test").header("kid", kid), &kid[..kid.len().min(40)]).await;
    }
    assert_eq!(house.idp_b.hits("/jwks"), 0);
    // A flood of unknown names is no flood of questions to the provider.
    assert!(house.idp_a.hits("/jwks") <= 2, "{}", house.idp_a.hits("/jwks"));
    arrives(&house, Says::truth()).await.code();
}

#[tokio::test]
async fn a_provider_rotates_its_keys_and_publishes_nonsense() {
    let house = House::opens().await;
    arrives(&house, Says::truth()).await.code();
    house.idp_a.rotates(Key::new(Algorithm::RS256, "second"));
    house.turn_clock(31);
    arrives(&house, Says::truth()).await.code();
    // The old key, which is no longer published, is no longer good.
    let old = Key::new(Algorithm::RS256, "first");
    house.turn_clock(31);
    is_refused(&house, Says::truth().signed(Signature::Of(old)), "the old key").await;

    let honest = house.idp_a.key().jwk();
    let many: Vec<_> =
        (0..10_000).map(|n| json!({ "kty": "oct", "k": "AAAA", "kid": format!("{n}") })).collect();
    let texts = [
        "<html>".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        json!({ "keys": "first" }).to_string(),
        json!({ "keys": many }).to_string(),
        format!("{{\"keys\":[{honest}],\"keys\":[{honest}]}}"),
    ];
    for text in texts {
        house.idp_a.publishes(&text);
        house.turn_clock(90_000);
        let before = house.before().await;
        let arrival = arrives(&house, Says::truth()).await;
        assert_eq!(arrival.status(), 502, "{}: {}", &text[..text.len().min(30)], arrival.told());
        house.refused(&before, "idp_unreachable").await;
    }
    let weak = json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "second", "alg": "RS256" }, honest] });
    house.idp_a.publishes(&weak.to_string());
    house.turn_clock(90_000);
    arrives(&house, Says::truth()).await.code();
}
