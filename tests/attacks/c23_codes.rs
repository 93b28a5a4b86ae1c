//! C23: a code that is replayed, raced, too old, or redeemed by somebody else.

use futures_util::future::join_all;
use serde_json::json;

use crate::house::application::{Application, Ask, Person, Proof, Redemption};
use crate::house::broker::{Engine, House, Plan, RP1_SECRET};

/// Ann's browser, signed in, and as many codes as are wanted.
async fn code(ann: &mut Person, application: &Application) -> (Ask, String) {
    let ask = application.asks().with("login_hint", "ann@a.test");
    let code = ann.follows(&ask).await.code();
    (ask, code)
}

/// Refused, with one event of the audit trail, and no token.
async fn is_refused(house: &House, redemption: &Redemption, what: &str) {
    let before = house.before().await;
    let answer = redemption.send().await;
    assert_eq!(answer.status, 400, "{what}: {}", answer.body);
    assert_eq!(answer.json()["error"], json!("invalid_grant"), "{what}");
    house.told_refusal(&before, &["invalid_grant"]).await;
}

#[tokio::test]
async fn c23_a_code_that_comes_twice_ends_what_it_gave() {
    let house = House::opens().await;
    let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
    let mut ann = Person::new("ann@a.test");
    let (ask, one) = code(&mut ann, &rp1).await;
    let answer = ask.redemption(&one).send().await;
    let tokens = ask.reads(&answer).await;
    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 200);
    let replays = async || {
        let events = house.audit().await;
        events.iter().filter(|event| event.action == "token.code_replayed").count()
    };
    is_refused(&house, &ask.redemption(&one), "again").await;
    assert_eq!((rp1.userinfo(&tokens.access_token).await.status.as_u16(), replays().await), (401, 1));
    // What ends nothing more is written down like any other nonsense, of which a minute takes only so much.
    is_refused(&house, &ask.redemption(&one), "a third time").await;
    assert_eq!(replays().await, 1);

    // Whoever it is that brings it again.
    let (ask, two) = code(&mut ann, &rp1).await;
    let tokens = ask.reads(&ask.redemption(&two).send().await).await;
    is_refused(&house, &ask.redemption(&two).by(&rp2), "by another client").await;
    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401);
    // The family of another code of the same session lives on.
    let (ask, three) = code(&mut ann, &rp1).await;
    let tokens = ask.reads(&ask.redemption(&three).send().await).await;
    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 200);
}

/// Makes a token request wrong.
type Change = fn(Redemption) -> Redemption;

#[tokio::test]
async fn c23_whoever_redeems_a_code_wrongly_burns_it() {
    let house = House::opens().await;
    let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
    let mut ann = Person::new("ann@a.test");
    let wrong: [(&str, Change); 5] = [
        ("another verifier", |one| one.with("code_verifier", &"a".repeat(43))),
        ("no verifier", |one| one.without("code_verifier")),
        ("no redirect URI", |one| one.without("redirect_uri")),
        ("another redirect URI", |one| one.with("redirect_uri", "https://rp2.test/callback")),
        ("a longer redirect URI", |one| one.with("redirect_uri", "https://rp1.test/callback/")),
    ];
    for (what, change) in wrong {
        let (ask, code) = code(&mut ann, &rp1).await;
        is_refused(&house, &change(ask.redemption(&code)), what).await;
        is_refused(&house, &ask.redemption(&code), "and then rightly").await;
    }
    for (what, thief, owner) in [("rp2 with rp1's", &rp2, &rp1), ("rp1 with rp2's", &rp1, &rp2)] {
        let (ask, code) = code(&mut ann, owner).await;
        is_refused(&house, &ask.redemption(&code).by(thief), what).await;
        is_refused(&house, &ask.redemption(&code), "its owner afterwards").await;
    }
    let issued =
        house.audit().await.iter().any(|event| event.action == "token.issued" && event.outcome == "granted");
    assert!(!issued);
}

#[tokio::test]
async fn c23_a_code_lives_for_a_minute() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let (ask, young) = code(&mut ann, &rp1).await;
    let (late, old) = code(&mut ann, &rp1).await;
    house.turn_clock(59);
    let first = ask.redemption(&young).send().await;
    assert_eq!(first.status, 200);
    house.turn_clock(2);
    is_refused(&house, &late.redemption(&old), "after 61 seconds").await;
    is_refused(&house, &late.redemption(&old), "and again: nobody has used it").await;
    let untouched = house.count("grants WHERE code_used_at IS NULL AND revoked_at IS NULL").await;
    assert_eq!(untouched, 1, "what has run out is not changed by who brings it");
    assert_eq!(house.events_of("token.code_replayed").await, 0);
    // What was used before it ran out is a replay, however late.
    let tokens = ask.reads(&first).await;
    is_refused(&house, &ask.redemption(&young), "a used one, after 61 seconds").await;
    assert_eq!(house.events_of("token.code_replayed").await, 1);
    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401);
}

#[tokio::test]
async fn c23_what_is_no_code_is_refused() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (ask, code) = code(&mut Person::new("ann@a.test"), &rp1).await;
    let facts = house.facts().await;
    for nonsense in
        ["x", &code[1..], &code.to_lowercase(), &format!("{code} "), &"A".repeat(43), "' OR '1'='1"]
    {
        is_refused(&house, &ask.redemption(nonsense), nonsense).await;
    }
    for (name, value) in [("code", ""), ("grant_type", "")] {
        let answer = ask.redemption(&code).with(name, value).send().await;
        assert_eq!(answer.json()["error"], json!("invalid_request"));
    }
    let answer = ask.redemption(&code).with("grant_type", "password").send().await;
    assert_eq!(answer.json()["error"], json!("unsupported_grant_type"));
    assert_eq!(house.facts().await, facts);
    assert_eq!(ask.redemption(&code).send().await.status, 200);
}

#[tokio::test]
async fn c23_a_code_of_one_project_is_unknown_in_another() {
    let house = House::opens().await;
    house
        .provision(
            r#"
[project]
slug = "second"

[application.rp1]
type = "web"
token_endpoint_auth_method = "client_secret_basic"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://rp1.test/callback"]
"#,
        )
        .await;
    let (ask, code) = code(&mut Person::new("ann@a.test"), &Application::rp1(&house)).await;
    let elsewhere = Application::of_project(&house, "second", "rp1", Proof::Basic(RP1_SECRET.into()));
    let there = ask.redemption(&code).by(&elsewhere).at(&format!("{}/p/second", house.url));
    let before = house.before().await;
    is_refused(&house, &there, "in another project").await;
    house.unchanged(&before).await;
    let tokens = ask.reads(&ask.redemption(&code).send().await).await;
    is_refused(&house, &there, "used, in another project").await;
    assert_eq!(
        Application::rp1(&house).userinfo(&tokens.access_token).await.status,
        200,
        "the family lives on"
    );
}

/// Of many who redeem a code at once, one gets tokens; that the others came at all ends what it got.
async fn race(house: &House, nodes: &[String], codes: usize, runners: usize) {
    let rp1 = Application::rp1(house);
    let mut ann = Person::new("ann@a.test");
    for _ in 0..codes {
        let (ask, code) = code(&mut ann, &rp1).await;
        let runs = (0..runners).map(|runner| {
            let redemption = ask.redemption(&code).at(&nodes[runner % nodes.len()]);
            tokio::spawn(async move { redemption.send().await })
        });
        let answers: Vec<_> = join_all(runs).await.into_iter().map(Result::unwrap).collect();
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1);
        for answer in lost {
            assert_eq!(
                (answer.status.as_u16(), answer.json()["error"].clone()),
                (400, json!("invalid_grant"))
            );
        }
        let token = won[0].json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(rp1.userinfo(&token).await.status, 401, "reuse ends the family");
    }
    let issued = house.audit().await.iter().filter(|event| event.action == "token.issued").count();
    assert_eq!(issued, codes);
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_of_many_who_redeem_one_code_at_once_exactly_one_wins() {
    let house = House::opens().await;
    race(&house, std::slice::from_ref(&house.url), 100, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_of_a_thousand_codes_none_is_good_twice() {
    let plan = Plan { settings: |config| config.login.flows_per_minute = 1_000, ..Plan::default() };
    let house = plan.build().await;
    race(&house, std::slice::from_ref(&house.url), 1_000, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_and_so_it_is_on_two_nodes() {
    let house = House::on(Engine::Postgres).await;
    let second = house.second_node().await;
    race(&house, &[house.url.clone(), second.url()], 100, 20).await;
}

/// Two at once is the narrowest race: the loser must not only lose but end what the winner got.
#[tokio::test(flavor = "multi_thread")]
async fn c23_a_race_of_two_on_two_nodes_ends_the_family_too() {
    let house = House::on(Engine::Postgres).await;
    let second = house.second_node().await;
    race(&house, &[house.url.clone(), second.url()], 50, 2).await;
}
