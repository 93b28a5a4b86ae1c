//! What an application does with its tokens besides using them: it gives them back (RFC 7009), and asks what they are
//! worth (RFC 7662, RFC 9701).

use behalf::protocol::jose::{Algorithm, JwkSet, Jws, Typ};
use serde_json::{Value, json};

use crate::house::application::{Application, Ask, Person, Tokens};
use crate::house::broker::{Engine, House};
use crate::house::visitor::Visitor;

async fn con_for(application: &Application, organization: &str) -> (Ask, Tokens) {
    let ask = application.asks();
    let name = if organization == "org-a" { "A Corporation" } else { "B Corporation" };
    let arrival = Person::new("con@a.test").acts_for(&ask, name).await;
    let tokens = ask.redeems(&arrival).await;
    (ask, tokens)
}

async fn introspects(application: &Application, token: &str) -> Value {
    let answer = application.posts("/introspect", &[("token", token)]).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

async fn gives_back(house: &House, application: &Application, hint: Option<&str>, of_refresh: bool) {
    let (ask, tokens) = con_for(application, "org-a").await;
    let tokens = ask.reads_again(&application.refreshes(tokens.refresh()).send().await).await;
    let token = if of_refresh { tokens.refresh() } else { &tokens.access_token };
    let mut fields = vec![("token", token)];
    fields.extend(hint.map(|hint| ("token_type_hint", hint)));
    let revokes = application.posts("/revoke", &fields);
    let before = house.before().await;
    let answer = revokes.send().await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""), "{hint:?}");
    let events = house.events_since(&before).await;
    assert_eq!((events.len(), events[0].action.as_str()), (1, "token.revoked"));
    assert_eq!(application.userinfo(&tokens.access_token).await.status, 401);
    let answer = application.refreshes(tokens.refresh()).send().await;
    assert_eq!(answer.json()["error"], json!("invalid_grant"));
    // Once more is as good, and nothing new.
    let before = house.before().await;
    assert_eq!(revokes.send().await.status, 200);
    assert!(house.events_since(&before).await.is_empty());
}

#[tokio::test]
async fn whoever_gives_a_token_back_ends_its_family() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
        for application in [&rp1, &rp2] {
            // What a hint says wrongly changes nothing.
            for (hint, of_refresh) in [
                (None, true),
                (None, false),
                (Some("access_token"), true),
                (Some("refresh_token"), false),
                (Some("something_else"), true),
            ] {
                gives_back(&house, application, hint, of_refresh).await;
            }
        }
        let (ask, one) = con_for(&rp1, "org-a").await;
        let other = rp1.refreshes(one.refresh()).with("organization", "org-b").send().await;
        let other = ask.reads_again(&other).await;
        rp1.posts("/revoke", &[("token", one.refresh())]).send().await;
        assert_eq!(
            rp1.userinfo(&other.access_token).await.status,
            200,
            "what was switched to is a family of its own"
        );
    }
}

#[tokio::test]
async fn a_revocation_that_cannot_be_read_is_told_so() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    for path in ["/revoke", "/introspect"] {
        for fields in [
            &[][..],
            &[("token", "")],
            &[("token", "a"), ("token", "b")],
            &[("token", "a"), ("x", "1"), ("x", "2")],
        ] {
            let before = house.before().await;
            let answer = rp1.posts(path, fields).send().await;
            assert_eq!(answer.status, 400, "{fields:?}");
            assert_eq!(answer.json()["error"], json!("invalid_request"), "{fields:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            house.refused(&before, "invalid_request").await;
        }
    }
}

#[tokio::test]
async fn an_application_is_told_what_its_tokens_are_worth() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let rp1 = Application::rp1(&house);
        let (ask, tokens) = con_for(&rp1, "org-b").await;
        let told = introspects(&rp1, &tokens.access_token).await;
        assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("Bearer")));
        for (name, value) in tokens.access.as_object().unwrap() {
            assert_eq!(&told[name], value, "{name}");
        }
        let told = introspects(&rp1, tokens.refresh()).await;
        assert_eq!(told["active"], json!(true));
        // It would be good for two weeks, and its session ends today.
        assert_eq!(told["exp"].as_i64(), Some(house.clock.now().seconds() + 43_200));
        assert_eq!(told["org_id"], json!(house.organization("org-b").await));
        assert!(told.get("token_type").is_none() && told.get("jti").is_none(), "{told}");
        // A refresh token that was used is worth nothing, its successor all the more.
        let second = ask.reads_again(&rp1.refreshes(tokens.refresh()).send().await).await;
        assert_eq!(introspects(&rp1, tokens.refresh()).await, json!({ "active": false }));
        assert_eq!(introspects(&rp1, second.refresh()).await["active"], json!(true));
        // What was asked for less is told to be for less.
        let less = rp1.refreshes(second.refresh()).with("scope", "openid").send().await;
        let less = introspects(&rp1, less.json()["access_token"].as_str().unwrap()).await;
        assert_eq!((&less["scope"], less.get("roles")), (&json!("openid"), None));
        house.turn_clock(301);
        assert_eq!(introspects(&rp1, &second.access_token).await, json!({ "active": false }));
    }
}

#[tokio::test]
async fn s0_30_what_was_deactivated_is_not_active_at_once() {
    for end in [
        "UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-b'",
        "UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-a'",
        "UPDATE organizations SET epoch = epoch + 1 WHERE slug = 'org-b'",
        "UPDATE memberships SET status = 'suspended'",
        "UPDATE delegations SET revoked_at = 1",
        "UPDATE users SET disabled_at = 1",
        "UPDATE sessions SET ended_at = 1",
        "UPDATE connections SET state = 'disabled' WHERE slug = 'ca'",
        "UPDATE grants SET revoked_at = 1",
    ] {
        let house = House::opens().await;
        let rp1 = Application::rp1(&house);
        let (_, of_b) = con_for(&rp1, "org-b").await;
        assert!(house.execute(end).await >= 1, "{end}");
        for token in [&of_b.access_token, of_b.refresh()] {
            assert_eq!(introspects(&rp1, token).await, json!({ "active": false }), "{end}");
        }
    }
}

#[tokio::test]
async fn an_introspection_is_signed_for_whoever_wants_it_so() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (_, tokens) = con_for(&rp1, "org-a").await;
    let keys = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await;
    let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
    for (token, active) in [(tokens.access_token.as_str(), true), ("garbage", false)] {
        let asks = rp1.posts("/introspect", &[("token", token)]);
        let answer = asks.accepts("application/token-introspection+jwt").send().await;
        assert_eq!(answer.header("content-type"), Some("application/token-introspection+jwt"));
        let jws = Jws::parse(&answer.body).unwrap();
        let typ = Typ::Exactly("token-introspection+jwt");
        let payload = jws.verify_bytes(&keys, &[Algorithm::RS256], typ).unwrap();
        let claims: Value = serde_json::from_slice(payload.get()).unwrap();
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(house.url), &json!("rp1")));
        assert_eq!(claims["iat"], json!(house.clock.now().seconds()));
        assert_eq!(claims["token_introspection"]["active"], json!(active));
        assert!(claims.get("sub").is_none() && claims.get("exp").is_none(), "it is no token: {claims}");
    }
    for accepted in [
        "application/token-introspection+jwt, application/json",
        "application/json;q=0.5, Application/Token-Introspection+JWT;q=0.6, */*;q=0.1",
    ] {
        let signed = rp1.posts("/introspect", &[("token", "x")]).accepts(accepted).send().await;
        let kind = signed.header("content-type");
        assert_eq!(kind, Some("application/token-introspection+jwt"), "{accepted}");
    }
    for accepted in [
        "application/json",
        "application/token-introspection+jwt;q=0.5, application/json",
        "application/token-introspection+jwt;q=0.2, application/*;q=0.3",
        "application/token-introspection+jwt;q=0, application/json",
        "application/token-introspection+jwt; Q=0.000, application/json",
        "application/token-introspection+jwt;	q=0.0, application/json",
    ] {
        let plain = rp1.posts("/introspect", &[("token", "x")]).accepts(accepted).send().await;
        assert_eq!(plain.json(), json!({ "active": false }), "{accepted}");
    }
}

#[tokio::test]
async fn the_metadata_tells_of_every_endpoint_for_tokens() {
    let house = House::opens().await;
    let told =
        Visitor::arrives().get(&format!("{}/.well-known/openid-configuration", house.url)).await.json();
    assert_eq!(told["revocation_endpoint"], json!(format!("{}/revoke", house.url)));
    assert_eq!(told["introspection_endpoint"], json!(format!("{}/introspect", house.url)));
    let grants = told["grant_types_supported"].as_array().unwrap();
    assert!(grants.contains(&json!("refresh_token")));
    assert!(told["scopes_supported"].as_array().unwrap().contains(&json!("offline_access")));
    assert!(told["claims_supported"].as_array().unwrap().contains(&json!("session_expiry")));
    let methods = told["introspection_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(!methods.contains(&json!("none")), "{methods:?}");
}
