//! M04: a provider revokes all that somebody has by it, by a call that is beyond doubt, and nothing that they have by others
//! (demands 4.24; draft-parecki-oauth-global-token-revocation).

use behalf::protocol::jose::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::{CLIENT, Key, Says};
use crate::house::visitor::{Answer, Visitor};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

async fn address(house: &House, connection: &str) -> String {
    format!("{}/oidc/{}/global-token-revocation", house.url, house.connection(connection).await)
}

async fn claims(house: &House, jti: &str) -> Value {
    let now = house.broker.now().seconds();
    json!({
        "iss": house.idp_a.issuer, "sub": CLIENT, "aud": address(house, "ca").await, "jti": jti, "iat": now,
        "exp": now + 120,
    })
}

fn signed(house: &House, claims: &Value) -> String {
    house.idp_a.key().signing.sign_jwt("global-token-revocation+jwt", claims).unwrap()
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

async fn calls(house: &House, connection: &str, token: Option<&str>, body: &Value) -> Answer {
    let url = address(house, connection).await;
    Visitor::arrives()
        .request(Method::POST, &url, |request| {
            let request = request.header("content-type", "application/json").body(body.to_string());
            match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            }
        })
        .await
}

fn subject(subject: &str) -> Value {
    json!({"sub_id": {"format": "opaque", "id": subject}})
}

/// Signs in, and gets an access token.
async fn enters(house: &House, email: &str) -> (Person, Ask, String) {
    house.idp_a.says(Says::truth());
    let (mut person, ask) = (Person::new(email), Application::rp1(house).asks());
    let arrival = person.follows(&ask).await;
    let token = ask.redeems(&arrival).await.access_token;
    (person, ask, token)
}

async fn is_signed_in(person: &mut Person, ask: &Ask) -> bool {
    let answer = person.browser.get(&ask.clone().with("prompt", "none").url()).await;
    !answer.header("location").unwrap().contains("error=")
}

#[tokio::test]
async fn m04_all_that_somebody_has_by_a_provider_is_over_in_every_browser() {
    for engine in ENGINES {
        let house = Plan::on(engine).build().await;
        let rp1 = Application::rp1(&house);
        let bodies = [
            json!({"sub_id": {"format": "iss_sub", "iss": house.idp_a.issuer, "sub": "sub-ann@a.test"}}),
            subject("sub-ann@a.test"),
            json!({"sub_id": {"format": "email", "email": "Ann@A.test"}}),
        ];
        let (mut other, others_ask, others) = enters(&house, "amy@a.test").await;
        let (mut bob, bobs_ask, bobs) = enters(&house, "bob@b.test").await;
        for (at, body) in bodies.iter().enumerate() {
            house.turn_clock(1);
            let (mut one, ask, first) = enters(&house, "ann@a.test").await;
            let (mut two, _, second) = enters(&house, "ann@a.test").await;
            let before = house.events_of("logout.tokens_revoked").await;
            let token = signed(&house, &claims(&house, &format!("j{at}")).await);
            let answer = calls(&house, "ca", Some(&token), body).await;
            assert_eq!(answer.status, 204, "{body}: {}", answer.body);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            for gone in [&first, &second] {
                assert_eq!(rp1.userinfo(gone).await.status, 401, "{body}");
            }
            assert!(!is_signed_in(&mut one, &ask).await && !is_signed_in(&mut two, &ask).await, "{body}");
            assert_eq!(house.events_of("logout.tokens_revoked").await, before + 1);
        }
        for (person, ask, token) in [(&mut other, &others_ask, &others), (&mut bob, &bobs_ask, &bobs)] {
            assert!(is_signed_in(person, ask).await, "{engine:?}");
            assert_eq!(rp1.userinfo(token).await.status, 200);
        }
    }
}

#[tokio::test]
async fn m04_h21_what_outlives_the_session_is_over_too_and_so_is_what_came_of_a_switch() {
    for engine in ENGINES {
        let usual = r#"scopes = ["openid", "profile", "email", "organization", "#;
        let house = Plan::on(engine).with(usual, &format!("{usual}\"offline_access\", ")).build().await;
        let rp1 = Application::rp1(&house);
        let ask = rp1
            .asks()
            .with("scope", "openid offline_access")
            .with("organization", "org-a")
            .with("login_hint", "con@a.test");
        let mut con = Person::new("con@a.test");
        let arrival = con.follows(&ask).await;
        let first = ask.redeems(&arrival).await;
        let switch = rp1.refreshes(first.refresh()).with("organization", "org-b");
        let switched = switch.send().await.json();
        let switched = switched["refresh_token"].as_str().expect("a family of its own").to_owned();
        let page = con.browser.get(&format!("{}/logout", house.url)).await;
        assert_eq!(con.browser.submit(&page.form()).await.status, 200);
        assert_eq!(rp1.userinfo(&first.access_token).await.status, 200, "offline");
        let token = signed(&house, &claims(&house, "offline").await);
        let answer = calls(&house, "ca", Some(&token), &subject("sub-con@a.test")).await;
        assert_eq!(answer.status, 204, "{engine:?}: {}", answer.body);
        assert_eq!(rp1.userinfo(&first.access_token).await.status, 401);
        for refresh in [first.refresh(), &switched] {
            let answer = rp1.refreshes(refresh).send().await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["error"]),
                (400, &json!("invalid_grant")),
                "{engine:?}"
            );
        }
    }
}

#[tokio::test]
async fn m04_a_call_that_is_not_this_providers_or_not_new_revokes_nothing() {
    let house = House::opens().await;
    let (mut ann, ask, _) = enters(&house, "ann@a.test").await;
    let body = subject("sub-ann@a.test");
    let now = house.broker.now().seconds();
    let key = house.idp_a.key();
    let fine = claims(&house, "fine").await;
    let typed = |typ: &str| key.signing.sign_jwt(typ, &fine).unwrap();
    let stranger = Key::new(Algorithm::RS256, "first");
    let foreign = address(&house, "cb").await;
    for (what, token, reason) in [
        ("an ID token", typed("JWT"), "revocation_token_type"),
        ("a logout token", typed("logout+jwt"), "revocation_token_type"),
        ("an access token", typed("at+jwt"), "revocation_token_type"),
        (
            "a stranger's",
            stranger.signing.sign_jwt("global-token-revocation+jwt", &fine).unwrap(),
            "revocation_token_signature",
        ),
        (
            "another issuer",
            signed(&house, &with(fine.clone(), "iss", json!(house.idp_b.issuer))),
            "revocation_token_issuer",
        ),
        (
            "another client",
            signed(&house, &with(fine.clone(), "sub", json!("rp1"))),
            "revocation_token_subject",
        ),
        (
            "another address",
            signed(&house, &with(fine.clone(), "aud", json!(foreign))),
            "revocation_token_audience",
        ),
        (
            "our issuer alone",
            signed(&house, &with(fine.clone(), "aud", json!(house.url))),
            "revocation_token_audience",
        ),
        ("too old", signed(&house, &with(fine.clone(), "iat", json!(now - 200))), "revocation_token_stale"),
        ("run out", signed(&house, &with(fine.clone(), "exp", json!(now - 100))), "revocation_token_expired"),
        (
            "still to come",
            signed(&house, &with(fine.clone(), "iat", json!(now + 600))),
            "revocation_token_future",
        ),
        ("without an end", signed(&house, &with(fine.clone(), "exp", json!(null))), "revocation_token_times"),
        ("no id", signed(&house, &with(fine.clone(), "jti", Value::Null)), "revocation_token_id"),
        ("nonsense", "x.y.z".to_owned(), "revocation_token_malformed"),
    ] {
        let before = house.before().await;
        let answer = calls(&house, "ca", Some(&token), &body).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
        assert!(answer.header("www-authenticate").is_some(), "{what}");
        house.refused(&before, reason).await;
    }
    let before = house.before().await;
    let answer = calls(&house, "ca", None, &body).await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, Some("Bearer")));
    house.refused(&before, "revocation_token_missing").await;
    // The same at another connection's door.
    let before = house.before().await;
    assert_eq!(calls(&house, "cb", Some(&signed(&house, &fine)), &body).await.status, 401);
    house.unchanged(&before).await;
    for (body, status, reason) in [
        (
            json!({"sub_id": {"format": "iss_sub", "iss": house.idp_b.issuer, "sub": "x"}}),
            400,
            "revocation_issuer",
        ),
        (json!({"sub_id": {"format": "phone_number", "phone_number": "+1"}}), 400, "revocation_format"),
        (json!({"sub": "sub-ann@a.test"}), 400, "revocation_malformed"),
    ] {
        let before = house.before().await;
        let answer = calls(&house, "ca", Some(&signed(&house, &fine)), &body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.body);
        house.refused(&before, reason).await;
    }
    assert!(is_signed_in(&mut ann, &ask).await);
    let nobody = signed(&house, &claims(&house, "nobody").await);
    assert_eq!(calls(&house, "ca", Some(&nobody), &subject("nobody")).await.status, 404);
    let token = signed(&house, &fine);
    assert_eq!(calls(&house, "ca", Some(&token), &body).await.status, 204, "it was well made otherwise");
    assert!(!is_signed_in(&mut ann, &ask).await);
    house.turn_clock(1);
    let (mut again, ask, _) = enters(&house, "ann@a.test").await;
    let before = house.before().await;
    assert_eq!(calls(&house, "ca", Some(&token), &body).await.status, 401);
    house.refused(&before, "replayed").await;
    assert!(is_signed_in(&mut again, &ask).await);
}
