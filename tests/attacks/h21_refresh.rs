//! H21: a refresh token is stolen, used twice, or raced.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use behalf::store::durable::{grants, sessions};

use crate::house::application::{Application, Ask, Person, Redemption, Tokens};
use crate::house::broker::{Engine, House, Plan};

/// Somebody's first tokens at an application.
pub async fn tokens(application: &Application, email: &str) -> (Ask, Tokens) {
    let ask = application.asks().with("organization", "org-a").with("login_hint", email);
    let arrival = Person::new(email).follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    (ask, tokens)
}

/// Refused, with one event of the audit trail and nothing stored.
pub async fn is_refused(house: &House, redemption: &Redemption, error: &str, reason: &str) {
    let before = house.before().await;
    let answer = redemption.send().await;
    assert_eq!(answer.json()["error"], json!(error), "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.json().get("access_token").is_none());
    house.refused(&before, reason).await;
}

pub async fn is_dead(application: &Application, tokens: &Tokens) {
    assert_eq!(application.userinfo(&tokens.access_token).await.status, 401);
    let answer = application.refreshes(tokens.refresh()).send().await;
    assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body);
}

/// Forgets what has run out a day ago.
pub async fn sweeps(house: &House) {
    let before = house.clock.now().minus(Duration::from_secs(86_400));
    let db = &house.broker.db;
    db.write(async move |tx| grants::sweep(tx, before).await).await.unwrap();
    db.write(async move |tx| sessions::sweep(tx, before).await).await.unwrap();
}

/// The default house, whose first application may ask for what outlives the session.
pub fn offline() -> Plan {
    let usual = r#"scopes = ["openid", "profile", "email", "organization", "#;
    Plan::default().with(usual, &format!("{usual}\"offline_access\", "))
}

#[tokio::test]
async fn h21_a_refresh_token_is_good_once_and_gives_the_next_one() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let rp1 = Application::rp1(&house);
        let (ask, first) = tokens(&rp1, "con@a.test").await;
        house.turn_clock(120);
        let second = ask.reads_again(&rp1.refreshes(first.refresh()).send().await).await;
        assert_ne!(second.refresh(), first.refresh());
        assert!(second.id.get("nonce").is_none());
        for claim in ["sub", "aud", "iss", "auth_time", "sid", "acr", "session_expiry", "org_id", "org_name"]
        {
            assert_eq!(second.id[claim], first.id[claim], "{claim}");
        }
        assert_eq!(second.id["iat"].as_i64().unwrap(), first.id["iat"].as_i64().unwrap() + 120);
        assert_ne!(second.access["jti"], first.access["jti"]);
        assert_eq!(second.access["grant_id"], first.access["grant_id"]);
        house.turn_clock(120);
        let third = ask.reads_again(&rp1.refreshes(second.refresh()).send().await).await;
        assert_eq!(rp1.userinfo(&third.access_token).await.status, 200);
        assert_eq!(house.events_of("token.refreshed").await, 2);
        let text = house.text("SELECT request FROM grants").await.unwrap();
        assert!(!text.contains("rt_"), "no refresh token is stored: {text}");

        // Long after: whoever brings the first one, or the second, has no right to it. Everything ends.
        house.turn_clock(11);
        let before = house.before().await;
        let answer = rp1.refreshes(first.refresh()).send().await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (400, json!("invalid_grant")));
        house.told_refusal(&before, &["invalid_grant"]).await;
        assert_eq!(house.events_of("token.refresh_reused").await, 1);
        is_dead(&rp1, &third).await;
        is_dead(&rp1, &second).await;
        assert_eq!(house.events_of("token.refresh_reused").await, 1, "a theft is told once");
    }
}

#[tokio::test]
async fn h21_whoever_lost_the_answer_asks_again_and_gets_the_same() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (ask, first) = tokens(&rp1, "con@a.test").await;
    let second = ask.reads_again(&rp1.refreshes(first.refresh()).send().await).await;
    house.turn_clock(9);
    let again = ask.reads_again(&rp1.refreshes(first.refresh()).send().await).await;
    assert_eq!(again.refresh(), second.refresh(), "never a second one");
    let third = ask.reads_again(&rp1.refreshes(second.refresh()).send().await).await;
    // Now that its successor was used, the first one is nobody's to ask with, however soon.
    let before = house.before().await;
    assert_eq!(rp1.refreshes(first.refresh()).send().await.status, 400);
    house.told_refusal(&before, &["invalid_grant"]).await;
    is_dead(&rp1, &third).await;

    // Ten seconds are too late.
    let (_, one) = tokens(&rp1, "con@a.test").await;
    let two = ask.reads_again(&rp1.refreshes(one.refresh()).send().await).await;
    house.turn_clock(10);
    assert_eq!(rp1.refreshes(one.refresh()).send().await.status, 400);
    is_dead(&rp1, &two).await;
}

#[tokio::test]
async fn h21_an_operator_may_allow_no_second_try() {
    let plan = Plan { settings: |config| config.tokens.refresh_grace = 0, ..Plan::default() };
    let house = plan.build().await;
    let rp1 = Application::rp1(&house);
    let (ask, first) = tokens(&rp1, "con@a.test").await;
    let second = ask.reads_again(&rp1.refreshes(first.refresh()).send().await).await;
    assert_eq!(rp1.refreshes(first.refresh()).send().await.status, 400);
    is_dead(&rp1, &second).await;
}

/// Of many who refresh at once each gets the one successor.
async fn race(house: &House, nodes: &[String], runners: usize) {
    let rp1 = Application::rp1(house);
    let (ask, first) = tokens(&rp1, "con@a.test").await;
    let mut newest = first.refresh().to_owned();
    for round in 1..=3 {
        let runs = (0..runners).map(|runner| {
            let redemption = rp1.refreshes(&newest).at(&nodes[runner % nodes.len()]);
            tokio::spawn(async move { redemption.send().await })
        });
        let mut successors = Vec::new();
        for answer in join_all(runs).await {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.body);
            successors.push(answer.json()["refresh_token"].as_str().unwrap().to_owned());
        }
        successors.sort();
        successors.dedup();
        assert_eq!(successors.len(), 1, "one family, one refresh token");
        newest = successors.remove(0);
        assert_eq!(house.count("grants").await, 1);
        let generation = house.text("SELECT CAST(refresh_generation AS TEXT) FROM grants").await;
        assert_eq!(generation, Some(round.to_string()));
    }
    ask.reads_again(&rp1.refreshes(&newest).send().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h21_of_a_hundred_who_refresh_at_once_all_get_one_successor() {
    let house = House::opens().await;
    race(&house, std::slice::from_ref(&house.url), 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h21_and_so_it_is_on_two_nodes() {
    let house = House::on(Engine::Postgres).await;
    let second = house.second_node().await;
    race(&house, &[house.url.clone(), second.url()], 100).await;
}

#[tokio::test]
async fn h21_another_applications_refresh_token_ends_the_family() {
    let house = House::opens().await;
    let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
    for (owner, thief) in [(&rp1, &rp2), (&rp2, &rp1)] {
        let (_, own) = tokens(owner, "con@a.test").await;
        let before = house.before().await;
        let answer = thief.refreshes(own.refresh()).send().await;
        assert_eq!(answer.json()["error"], json!("invalid_grant"));
        house.told_refusal(&before, &["invalid_grant"]).await;
        is_dead(owner, &own).await;
    }
    assert_eq!(house.events_of("token.refresh_reused").await, 2);
}

#[tokio::test]
async fn h21_what_is_no_refresh_token_of_ours_ends_nothing() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (ask, own) = tokens(&rp1, "con@a.test").await;
    let good = own.refresh().to_owned();
    let code = Person::new("con@a.test").acts_for(&rp1.asks(), "A Corporation").await.code();
    let (head, proof) = good.split_at(good.len() - 43);
    let changed = if proof.starts_with('A') { 'B' } else { 'A' };
    let made_up = [
        // The grant's id is no secret: it stands in every access token.
        format!("{head}{}", "A".repeat(43)),
        format!("{head}{changed}{}", &proof[1..]),
        good.replacen("00000000", "00000001", 1),
        good.replacen("00000000", "ffffffff", 1),
        good.to_uppercase(),
        good[..good.len() - 1].to_owned(),
        format!("{good} "),
        own.access_token.clone(),
        code,
        "rt_".to_owned(),
        "x".to_owned(),
        "' OR '1'='1".to_owned(),
        "A".repeat(5_000),
    ];
    for nonsense in made_up {
        is_refused(&house, &rp1.refreshes(&nonsense), "invalid_grant", "invalid_grant").await;
    }
    is_refused(&house, &rp1.refreshes(""), "invalid_request", "invalid_request").await;
    let other = rp1.refreshes(&good).with("grant_type", "password");
    is_refused(&house, &other, "unsupported_grant_type", "unsupported_grant_type").await;
    let nobody = rp1.clone().proving(crate::house::application::Proof::Basic("wrong".into()));
    is_refused(&house, &nobody.refreshes(&good), "invalid_client", "invalid_client").await;
    ask.reads_again(&rp1.refreshes(&good).send().await).await;
}

#[tokio::test]
async fn h21_a_refresh_token_runs_out_when_nobody_uses_it_and_in_the_end_anyway() {
    let lifetimes = "client_secrets = [{ env = \"RP1_SECRET\" }]\nlifetimes = { access_token = 60, id_token = 90, \
                     refresh_token_idle = 3600, refresh_token = 9000 }";
    let plan = Plan::default().with("client_secrets = [{ env = \"RP1_SECRET\" }]", lifetimes);
    let house = plan.build().await;
    let rp1 = Application::rp1(&house);
    let (ask, first) = tokens(&rp1, "con@a.test").await;
    let lives =
        |claims: &serde_json::Value| claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!((lives(&first.access), lives(&first.id)), (60, 90));
    house.turn_clock(3_600);
    is_refused(&house, &rp1.refreshes(first.refresh()), "invalid_grant", "invalid_grant").await;

    let (_, mut newest) = tokens(&rp1, "con@a.test").await;
    for _ in 0..2 {
        house.turn_clock(3_599);
        let answer = rp1.refreshes(newest.refresh()).send().await;
        assert_eq!(answer.json()["expires_in"], json!(60));
        newest = ask.reads_again(&answer).await;
    }
    house.turn_clock(1_801);
    assert_eq!(rp1.refreshes(newest.refresh()).send().await.status, 200);
    house.turn_clock(1);
    is_refused(&house, &rp1.refreshes(newest.refresh()), "invalid_grant", "invalid_grant").await;
    house.turn_clock(200_000);
    sweeps(&house).await;
    assert_eq!(house.count("grants").await, 0, "what has run out is forgotten");
}

#[tokio::test]
async fn h21_a_refresh_may_ask_for_less_and_never_for_more() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1
        .asks()
        .with("scope", "openid email roles organizations")
        .with("organization", "org-a")
        .with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let mut newest = ask.redeems(&arrival).await;
    for more in
        ["openid profile", "openid email roles permissions", "offline_access", "organization", "OPENID"]
    {
        let wider = rp1.refreshes(newest.refresh()).with("scope", more);
        is_refused(&house, &wider, "invalid_scope", "invalid_scope").await;
    }
    let answer = rp1.refreshes(newest.refresh()).with("scope", "openid").send().await;
    assert_eq!(answer.json()["scope"], json!("openid"));
    newest = ask.reads_again(&answer).await;
    assert!(newest.access.get("roles").is_none() && newest.id.get("email").is_none(), "{newest:?}");
    let told = rp1.userinfo(&newest.access_token).await.json();
    assert!(["email", "roles", "organizations"].iter().all(|name| told.get(name).is_none()), "{told}");
    // The family itself keeps what it was granted.
    let answer = rp1.refreshes(newest.refresh()).send().await;
    assert_eq!(answer.json()["scope"], json!("openid email roles organizations"));
    newest = ask.reads_again(&answer).await;
    assert_eq!(rp1.userinfo(&newest.access_token).await.json()["email"], json!("con@a.test"));
    let answer = rp1.refreshes(newest.refresh()).with("scope", "roles").send().await;
    assert!(answer.json().get("id_token").is_none(), "{}", answer.body);
    let opaque = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(rp1.userinfo(&opaque).await.status, 403);
}

#[tokio::test]
async fn h21_a_family_tells_of_the_sign_in_that_it_stands_on() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let mut con = Person::new("con@a.test");
    let arrival = con.follows(&ask).await;
    let first = ask.redeems(&arrival).await;
    house.turn_clock(600);
    let again =
        rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test").with("prompt", "login");
    let arrival = con.follows(&again).await;
    let later = again.redeems(&arrival).await;
    assert_eq!(later.id["sid"], first.id["sid"], "the same session, proved anew");
    assert_ne!(later.id["auth_time"], first.id["auth_time"]);
    let refreshed = ask.reads_again(&rp1.refreshes(first.refresh()).send().await).await;
    for claim in ["auth_time", "session_expiry", "acr"] {
        assert_eq!(refreshed.id[claim], first.id[claim], "{claim}");
    }
}

#[tokio::test]
async fn c23_a_code_that_comes_twice_ends_what_was_refreshed_and_switched_to() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let code = Person::new("con@a.test").follows(&ask).await.code();
    let first = ask.reads(&ask.redemption(&code).send().await).await;
    let second = ask.reads_again(&rp1.refreshes(first.refresh()).send().await).await;
    let switched = rp1.refreshes(second.refresh()).with("organization", "org-b").send().await;
    let switched = ask.reads_again(&switched).await;
    assert_eq!(ask.redemption(&code).send().await.status, 400);
    is_dead(&rp1, &second).await;
    is_dead(&rp1, &switched).await;
}

#[tokio::test]
async fn c29_a_refresh_secret_opens_only_in_its_own_row() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (_, one) = tokens(&rp1, "con@a.test").await;
    let (_, other) = tokens(&rp1, "ann@a.test").await;
    let (one_id, other_id) =
        (one.access["grant_id"].as_str().unwrap(), other.access["grant_id"].as_str().unwrap());
    house
        .execute(&format!(
            "UPDATE grants SET refresh_secret = (SELECT refresh_secret FROM grants WHERE id = '{one_id}')
             WHERE id = '{other_id}'"
        ))
        .await;
    assert_eq!(rp1.refreshes(other.refresh()).send().await.status, 500);
    assert_eq!(rp1.refreshes(one.refresh()).send().await.status, 200);
}
