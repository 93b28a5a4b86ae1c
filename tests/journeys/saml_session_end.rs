//! `SessionNotOnOrAfter`: nothing that stands on a sign-in outlives the session of the identity provider that it came of.

use serde_json::json;

use crate::house::application::{Application, Person, Tokens};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_saml_idp::Says;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// Bob signs in for as long as his provider says, with these scopes.
async fn signs_in(house: &House, scope: &str, ends: i64) -> Tokens {
    let ask = Application::rp1(house).asks().with("scope", scope);
    let says = Says { session_ends: Some(ends), ..Says::that("bob@b.test") };
    let arrival = Person::new("bob@b.test").signs_in_by(house, "cb", &ask, &says).await;
    let answer = ask.redemption(&arrival.code()).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let lifetime = answer.json()["expires_in"].clone();
    let tokens = ask.reads(&answer).await;
    let own = tokens.access["exp"].as_i64().unwrap() - tokens.access["iat"].as_i64().unwrap();
    assert_eq!(lifetime, json!(own), "what is told beside the token is what it says");
    tokens
}

async fn introspected(house: &House, token: &str) -> serde_json::Value {
    Application::rp1(house).posts("/introspect", &[("token", token)]).send().await.json()
}

#[tokio::test]
async fn s3_34_no_token_outlives_the_session_of_the_provider() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let rp1 = Application::rp1(&house);
        let start = house.clock.now().seconds();
        let first = signs_in(&house, "openid email", 400).await;
        assert_eq!(first.id["session_expiry"], json!(start + 400));
        assert_eq!(first.access["exp"], json!(start + 300), "its usual five minutes");
        // Of a token that is good for longer than the session, the rest of the session is left.
        house.turn_clock(250);
        let answer = rp1.refreshes(first.refresh()).send().await;
        assert_eq!(answer.json()["expires_in"], json!(150));
        let second = rp1.asks().reads_again(&answer).await;
        assert_eq!(second.access["exp"], json!(start + 400));
        assert_eq!(second.id["session_expiry"], json!(start + 400), "a refresh moves it nowhere");
        let told = introspected(&house, second.refresh()).await;
        assert_eq!((&told["active"], &told["exp"]), (&json!(true), &json!(start + 400)));
        // Then all of it is over at once.
        house.turn_clock(149);
        assert_eq!(rp1.userinfo(&second.access_token).await.status, 200);
        house.turn_clock(1);
        assert_eq!(rp1.userinfo(&second.access_token).await.status, 401);
        for token in [second.refresh(), &second.access_token] {
            assert_eq!(introspected(&house, token).await, json!({"active": false}));
        }
        let before = house.before().await;
        let answer = rp1.refreshes(second.refresh()).send().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")));
        house.unchanged(&before).await;
    }
}

#[tokio::test]
async fn s3_34_the_shortest_session_gives_the_shortest_token() {
    let house = Plan::saml().build().await;
    let start = house.clock.now().seconds();
    let tokens = signs_in(&house, "openid email", 90).await;
    assert_eq!(tokens.access["exp"], json!(start + 90));
    // Where it is not honoured, it says nothing.
    let house = Plan::default().with_saml("cb", "session_not_on_or_after = false\n").build().await;
    let tokens = signs_in(&house, "openid email", 90).await;
    assert_eq!(tokens.access["exp"], json!(start + 300));
}

/// Who may ask for offline access, and does, asks to outlive the session (OpenID Connect Core, section 11).
#[tokio::test]
async fn s3_34_offline_access_alone_goes_on() {
    let usual = r#"scopes = ["openid", "profile", "email", "organization", "#;
    let house = Plan::saml().with(usual, &format!("{usual}\"offline_access\", ")).build().await;
    let start = house.clock.now().seconds();
    let tokens = signs_in(&house, "openid email offline_access", 90).await;
    assert_eq!(tokens.access["exp"], json!(start + 300));
    assert_eq!(tokens.id["session_expiry"], json!(start + 90));
    house.turn_clock(91);
    assert_eq!(Application::rp1(&house).refreshes(tokens.refresh()).send().await.status, 200);
}
