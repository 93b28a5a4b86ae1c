//! The plan for the FAPI 2.0 Security Profile: who a code, an assertion and a refresh token are for.

use std::sync::Arc;

use behalf::protocol::jose::{Algorithm, SigningKey};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::fapi2::{SETTINGS, fapi, fapi_on};
use super::party::machine_error;
use crate::house::application::{Application, Proof};
use crate::house::broker::{Engine, Plan};
use crate::house::key_holder::KeyHolder;

#[tokio::test]
async fn h22_c23_a_code_is_for_its_client_its_verifier_and_a_minute() {
    let fapi = fapi().await;
    let holder = KeyHolder::default();
    let ask = fapi.asks(0);
    let code = async || fapi.sends(0, &ask).await;
    let other = "x".repeat(43);
    let wrong = fapi.redemption(&ask, &code().await).without("code_verifier");
    assert_eq!(fapi.refused(&wrong, &holder, &[400]).await, "invalid_grant");
    let wrong = fapi.redemption(&ask, &code().await).with("code_verifier", &other);
    assert_eq!(fapi.refused(&wrong, &holder, &[400]).await, "invalid_grant");
    let wrong = fapi.redemption(&ask, &code().await).by(&fapi.client(1).application);
    assert_eq!(fapi.refused(&wrong, &holder, &[400]).await, "invalid_grant");
    // The second client's name, by the first one's key.
    let thief = fapi.client(1).application.proving(Proof::Key(Arc::clone(&fapi.keys[0])));
    let wrong = fapi.redemption(&ask, &code().await).by(&thief).with("client_id", "fapi2");
    assert_eq!(fapi.refused(&wrong, &holder, &[400, 401]).await, "invalid_client");
    // Without a proof of a key.
    let answer = fapi.redemption(&ask, &code().await).send().await;
    assert_eq!(machine_error(&answer, &[400]), "invalid_dpop_proof");
    // A second time, a second later: what it gave ends.
    let callback = code().await;
    let answer = holder.sends(&fapi.house, &fapi.redemption(&ask, &callback)).await;
    let tokens = ask.reads(&answer).await;
    fapi.house.turn_clock(1);
    let again = fapi.redemption(&ask, &callback);
    assert_eq!(fapi.refused(&again, &holder, &[400]).await, "invalid_grant");
    assert_eq!(holder.userinfo(&fapi.house, &tokens.access_token).await.status, 401);
    // For the first time, too late.
    let callback = code().await;
    fapi.house.turn_clock(62);
    let late = fapi.redemption(&ask, &callback);
    assert_eq!(fapi.refused(&late, &holder, &[400]).await, "invalid_grant");
}

#[tokio::test]
async fn m07_an_assertion_is_for_the_issuer_alone_and_not_for_long() {
    let fapi = fapi().await;
    let (holder, ask, issuer) = (KeyHolder::default(), fapi.asks(0), fapi.house.url.clone());
    let now = fapi.now();
    let wrong = [
        ("run out", vec![("exp", json!(now - 300))]),
        ("for another server", vec![("aud", json!("https://other.test"))]),
        ("without sub", vec![("sub", Value::Null)]),
        ("a list", vec![("aud", json!([issuer, "https://other.test"]))]),
        ("a list of one", vec![("aud", json!([issuer]))]),
        ("for where it is pushed", vec![("aud", json!(format!("{issuer}/par")))]),
        ("for the token endpoint", vec![("aud", json!(format!("{issuer}/token")))]),
        (
            "not valid yet",
            vec![("nbf", json!(now + 70)), ("iat", json!(now + 70)), ("exp", json!(now + 130))],
        ),
    ];
    for (what, change) in &wrong {
        let before = fapi.house.before().await;
        let answer = fapi.asserting(ask.pushes(), &fapi.assertion(change)).send().await;
        assert_eq!(machine_error(&answer, &[400, 401]), "invalid_client", "{what}");
        if change.iter().any(|(name, _)| *name == "aud") {
            let told = answer.json()["error_description"].as_str().unwrap().to_owned();
            assert!(told.contains("must be the issuer alone, as one text"), "{what}: {told}");
        }
        fapi.house.refused(&before, "invalid_client").await;
    }
    let callback = fapi.sends(0, &ask).await;
    for (what, change) in &wrong {
        let redemption = fapi.asserting(fapi.redemption(&ask, &callback), &fapi.assertion(change));
        assert_eq!(fapi.refused(&redemption, &holder, &[400, 401]).await, "invalid_client", "{what}");
    }
    // None at all.
    let nobody = fapi.client(0).application.proving(Proof::Nothing);
    let redemption = fapi.redemption(&ask, &callback).by(&nobody);
    assert_eq!(fapi.refused(&redemption, &holder, &[400, 401]).await, "invalid_client");
    // By a clock that is a little off it is good.
    let soon = [("nbf", json!(now + 8)), ("iat", json!(now + 8)), ("exp", json!(now + 68))];
    let answer = fapi.asserting(ask.pushes(), &fapi.assertion(&soon)).send().await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let answer = holder.sends(&fapi.house, &fapi.redemption(&ask, &callback)).await;
    fapi.client(0).looks_at(&ask, answer).await;
}

#[tokio::test]
async fn h20_who_is_held_to_the_profile_signs_by_nothing_weaker() {
    let key = Arc::new(SigningKey::generate(Algorithm::RS256, "rsa").unwrap());
    let mut jwk = json!(key.public_jwk());
    jwk.as_object_mut().unwrap().remove("alg");
    let mut plan = Plan::default().and(&format!(
        "\n[application.fapi1]\ntype = \"web\"\nredirect_uris = [\"https://fapi1.test/callback\"]\njwks = {{ file = \"rsa.json\" }}\n{SETTINGS}"
    ));
    plan.files.push(("rsa.json".into(), json!({ "keys": [jwk] }).to_string()));
    let house = plan.build().await;
    let own = Application::new(&house, "fapi1", Proof::Key(Arc::clone(&key)));
    let before = house.before().await;
    let answer = own.asks().with("scope", "openid").pushes().on(house.clock.now().seconds()).send().await;
    assert_eq!(machine_error(&answer, &[400, 401]), "invalid_client");
    house.refused(&before, "invalid_client").await;
    let refused = house.audit().await.into_iter().find(|event| event.action == "par.refused").unwrap();
    assert_eq!(refused.detail["check"], json!("algorithm"), "{:?}", refused.detail);
}

#[tokio::test]
async fn h21_a_refresh_token_stays_and_needs_client_and_key() {
    let fapi = fapi().await;
    let scope = "openid email offline_access";
    let mut last = None;
    for number in [0, 1] {
        let (holder, party) = (KeyHolder::default(), fapi.client(number));
        let ask = fapi.asks(number).with("scope", scope).with("prompt", "consent");
        let first = fapi.tokens(number, &holder, &ask).await;
        let refresh = || party.application.refreshes(first.refresh()).with("scope", scope).on(fapi.now());
        // The same one, whenever, and by another key: the client proves who it is.
        for seconds in [1, 30, 3_600] {
            fapi.house.turn_clock(seconds);
            let newer = KeyHolder::default();
            let answer = newer.sends(&fapi.house, &refresh()).await;
            party.is_token_answer(&answer);
            assert_eq!(answer.json()["token_type"], json!("DPoP"));
            let again = ask.reads_again(&answer).await;
            assert_eq!(again.refresh(), first.refresh(), "it is not rotated");
            for claim in ["iss", "sub", "aud", "auth_time"] {
                assert_eq!(again.id[claim], first.id[claim], "{claim}");
            }
            assert!(again.id["iat"].as_i64() > first.id["iat"].as_i64());
            fapi.opens_userinfo(&newer, &again.access_token).await;
            assert_eq!(holder.userinfo(&fapi.house, &again.access_token).await.status, 401, "bound anew");
        }
        // Without a client, or without a key, it is worth nothing, and comes to no harm.
        let nobody = party.application.clone().proving(Proof::Nothing);
        let told = fapi.refused(&refresh().by(&nobody), &holder, &[400, 401]).await;
        assert_eq!(told, "invalid_client");
        assert_eq!(machine_error(&refresh().send().await, &[400]), "invalid_dpop_proof");
        party.is_token_answer(&holder.sends(&fapi.house, &refresh()).await);
        last = Some(first);
    }
    let stolen = fapi.client(0).application.refreshes(last.unwrap().refresh()).on(fapi.now());
    assert_eq!(fapi.refused(&stolen, &KeyHolder::default(), &[400]).await, "invalid_grant");
}

#[tokio::test]
async fn h21_of_many_who_refresh_at_once_nobody_ends_anything() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let fapi = fapi_on(engine).await;
        let (holder, node) = (KeyHolder::default(), fapi.house.second_node().await);
        let first = fapi.tokens(0, &holder, &fapi.asks(0)).await;
        let own = fapi.client(0).application;
        let tries = (0..20).map(|number| {
            let refresh = own.refreshes(first.refresh()).on(fapi.now());
            let refresh = if number % 2 == 0 { refresh } else { refresh.at(&node.url()) };
            let (house, holder) = (&fapi.house, &holder);
            async move { holder.sends(house, &refresh).await }
        });
        for answer in join_all(tries).await {
            assert_eq!(answer.status, 200, "{engine:?}: {}", answer.body);
            assert_eq!(answer.json()["refresh_token"].as_str(), Some(first.refresh()), "{engine:?}");
        }
        assert_eq!(fapi.house.count("grants").await, 1, "{engine:?}");
        fapi.opens_userinfo(&holder, &first.access_token).await;
    }
}
