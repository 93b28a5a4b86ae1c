//! An application that asks for itself: nobody signs in, and what it gets is bound to an organization or to none.

use std::sync::Arc;

use behalf::protocol::jose::{Algorithm, JwkSet, Jws, Typ};
use behalf::store::durable::engine::{Lock, StoreError};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::house::api::Api;
use crate::house::application::{Application, Proof, Redemption};
use crate::house::broker::{Engine, House, RP1_SECRET};
use crate::house::visitor::{Answer, Visitor};

const MACHINES: &str = r#"
[application.robot]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]
audiences = ["https://api.crm.test"]
organizations = ["org-a", "org-c"]

[application.clerk]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]
organizations = ["org-a"]

[application.rover]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]

[application.bound]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]
organization_usage = "require"

[application.free]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]
organization_usage = "deny"
"#;

async fn house_on(engine: Engine) -> House {
    let house = House::on(engine).await;
    house.provision(&format!("{}{MACHINES}", house.file)).await;
    house
}

fn machine(house: &House, client_id: &str) -> Application {
    Application::new(house, client_id, Proof::Basic(RP1_SECRET.to_owned()))
}

fn asks(application: &Application, fields: &[(&str, &str)]) -> Redemption {
    application.posts("/token", &[&[("grant_type", "client_credentials")], fields].concat())
}

async fn claims(house: &House, answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let keys = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await;
    let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let jws = Jws::parse(&token).unwrap();
    let payload = jws.verify_bytes(&keys, &[Algorithm::RS256], Typ::ACCESS_TOKEN).unwrap();
    serde_json::from_slice(payload.get()).unwrap()
}

async fn introspects(application: &Application, answer: &Answer) -> Value {
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    application.posts("/introspect", &[("token", &token)]).send().await.json()
}

#[tokio::test]
async fn a_machine_gets_a_token_for_the_organization_that_it_names() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = house_on(engine).await;
        let (a, robot) = (house.organization("org-a").await, machine(&house, "robot"));
        for fields in [
            &[("organization", "org-a")][..],
            &[("organization", &a)],
            &[("organization_id", &a)],
            &[("scope", "organization:org-a")],
            &[("scope", "organization"), ("organization", "org-a")],
            &[("scope", "organization:org-a"), ("organization", &a)],
        ] {
            let before = house.before().await;
            let answer = asks(&robot, fields).send().await;
            let told = claims(&house, &answer).await;
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!((&told["sub"], &told["client_id"]), (&json!("robot"), &json!("robot")));
            assert_eq!((&told["org_id"], &told["org_name"]), (&json!(a), &json!("org-a")));
            assert_eq!(told["aud"], json!(["https://api.crm.test", house.url]));
            for name in ["sid", "auth_time", "acr", "amr", "email", "roles", "home_org_id", "nonce"] {
                assert!(told.get(name).is_none(), "{name}");
            }
            let body = answer.json();
            assert!(body.get("id_token").is_none() && body.get("refresh_token").is_none(), "{body}");
            let events = house.events_since(&before).await;
            assert_eq!((events.len(), events[0].action.as_str()), (1, "token.issued"));
            assert_eq!(events[0].organization.as_deref(), Some(a.as_str()));
            let live = introspects(&robot, &answer).await;
            assert_eq!(
                (&live["active"], &live["sub"], &live["org_id"]),
                (&json!(true), &json!("robot"), &json!(a))
            );
            assert_eq!((&live["exp"], &live["jti"]), (&told["exp"], &told["jti"]));
        }
    }
}

#[tokio::test]
async fn s2_27_c21_a_machine_for_one_organization_is_bound_to_it_and_one_for_several_says_which() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = house_on(engine).await;
        let a = house.organization("org-a").await;
        let (clerk, rover) = (machine(&house, "clerk"), machine(&house, "rover"));
        for fields in [&[][..], &[("scope", "organization")], &[("organization", "org-a")]] {
            let told = claims(&house, &asks(&clerk, fields).send().await).await;
            assert_eq!(told["org_id"], json!(a), "{fields:?}");
        }
        // For no named ones, or told of none: for none where it names none.
        for other in [&rover, &machine(&house, "free")] {
            let told = claims(&house, &asks(other, &[]).send().await).await;
            assert!(told.get("org_id").is_none(), "{told}");
        }
        let before = house.before().await;
        let answer = asks(&rover, &[("scope", "organization")]).send().await;
        assert_eq!(answer.json()["error"], json!("organization_selection_required"), "{}", answer.body);
        house.refused(&before, "no_organization").await;
        // Its organization is off: it works for none instead no more than for another.
        house.execute("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-a'").await;
        let before = house.before().await;
        let answer = asks(&clerk, &[]).send().await;
        let told = (answer.json()["error"].clone(), answer.json()["error_description"].clone());
        assert_eq!(told, (json!("access_denied"), json!("organization_not_allowed")), "{}", answer.body);
        house.refused(&before, "organization_inactive").await;
        // Nor does the other one of two that a machine is for become the only one by that.
        let answer = asks(&machine(&house, "robot"), &[]).send().await;
        assert_eq!(answer.json()["error"], json!("organization_selection_required"), "{}", answer.body);
    }
}

#[tokio::test]
async fn c21_a_machine_works_where_it_is_allowed_and_nowhere_else() {
    let house = house_on(Engine::Sqlite).await;
    let (robot, bound, free) = (machine(&house, "robot"), machine(&house, "bound"), machine(&house, "free"));
    let not = ("access_denied", "organization_not_allowed");
    let choose = ("organization_selection_required", "no_organization");
    let one = |error| (error, error);
    type Asked = Vec<(&'static str, &'static str)>;
    let cases: Vec<(&Application, Asked, _)> = vec![
        (&robot, vec![("organization", "org-b")], ("access_denied", "application_not_allowed")),
        (&robot, vec![("organization", "nobody")], not),
        (&robot, vec![("organization", "ORG-A")], not),
        (&robot, vec![("scope", "organization:org-b")], ("access_denied", "application_not_allowed")),
        (&free, vec![("organization", "org-a")], one("invalid_request")),
        (&bound, vec![], choose),
        (&robot, vec![], choose),
        (&robot, vec![("scope", "organization")], choose),
        (&robot, vec![("organization", "org-a"), ("scope", "organization:org-c")], one("invalid_request")),
        (&robot, vec![("scope", "organization:org-a organization:org-c")], one("invalid_request")),
        (&robot, vec![("organization_id", "org-a")], one("invalid_request")),
        (&robot, vec![("scope", "openid")], one("invalid_scope")),
        (&robot, vec![("scope", "zzz invoices:write")], one("invalid_scope")),
        (&robot, vec![("scope", "offline_access")], one("invalid_scope")),
        (&robot, vec![("scope", "roles permissions")], one("invalid_scope")),
        (&robot, vec![("scope", "organization:*")], one("invalid_scope")),
        (&robot, vec![("scope", "organizations")], one("invalid_scope")),
    ];
    for (application, fields, (error, reason)) in cases {
        let before = house.before().await;
        let answer = asks(application, &fields).send().await;
        assert_eq!(answer.json()["error"], json!(error), "{fields:?}: {}", answer.body);
        let status = if error.starts_with("invalid") { 400 } else { 403 };
        assert_eq!(answer.status, status, "{fields:?}");
        house.refused(&before, reason).await;
    }
    // A web application does not unless it is allowed to, and nobody does without a proof.
    let rp1 = Application::rp1(&house);
    for (wrong, error) in [
        (rp1.clone(), "unauthorized_client"),
        (Application::rp2(&house), "unauthorized_client"),
        (robot.clone().proving(Proof::Nothing), "invalid_client"),
        (robot.clone().proving(Proof::Post(RP1_SECRET.into())), "invalid_client"),
        (robot.clone().proving(Proof::Basic("wrong".into())), "invalid_client"),
    ] {
        let before = house.before().await;
        let answer = asks(&wrong, &[("organization", "org-a")]).send().await;
        assert_eq!(answer.json()["error"], json!(error), "{}", answer.body);
        house.refused(&before, error).await;
    }
    // And a machine sends nobody to sign in.
    let answer = Visitor::arrives().get(&robot.asks().url()).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (400, None));
}

#[tokio::test]
async fn s0_30_a_machines_token_ends_with_whatever_it_stands_on() {
    for end in [
        "UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-a'",
        "UPDATE organizations SET epoch = epoch + 1 WHERE slug = 'org-a'",
        "DELETE FROM application_organizations",
        "UPDATE machine_grants SET revoked_at = 1",
    ] {
        let house = house_on(Engine::Sqlite).await;
        let robot = machine(&house, "robot");
        let answer = asks(&robot, &[("organization", "org-a")]).send().await;
        assert_eq!(introspects(&robot, &answer).await["active"], json!(true));
        assert!(house.execute(end).await >= 1, "{end}");
        assert_eq!(introspects(&robot, &answer).await, json!({ "active": false }), "{end}");
    }
    let house = house_on(Engine::Sqlite).await;
    let (robot, bound) = (machine(&house, "robot"), machine(&house, "bound"));
    let answer = asks(&robot, &[("organization", "org-a")]).send().await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(introspects(&bound, &answer).await, json!({ "active": false }), "another machine's");
    assert_eq!(bound.posts("/revoke", &[("token", &token)]).send().await.status, 200);
    assert_eq!(introspects(&robot, &answer).await["active"], json!(true));
    let nobody = robot.userinfo(&token).await;
    assert_eq!((nobody.status.as_u16(), &nobody.json()["error"]), (401, &json!("invalid_token")));
    let told = nobody.json()["error_description"].as_str().unwrap().to_owned();
    assert!(told.contains("of an application itself"), "{told}");
    let before = house.before().await;
    assert_eq!(robot.posts("/revoke", &[("token", &token)]).send().await.status, 200);
    let events = house.events_since(&before).await;
    assert_eq!((events.len(), events[0].action.as_str()), (1, "token.revoked"));
    assert_eq!(introspects(&robot, &answer).await, json!({ "active": false }));
    let other = asks(&robot, &[("organization", "org-a")]).send().await;
    house.turn_clock(301);
    assert_eq!(introspects(&robot, &other).await, json!({ "active": false }));
}

/// Whoever changes two organizations locks them in the order of their ids. So does who names two, in whichever order: or each
/// would wait for what the other one holds.
#[tokio::test]
async fn c21_a_machine_that_names_two_organizations_holds_none_while_it_waits_for_the_other() {
    let house = house_on(Engine::Postgres).await;
    house.turn_clock(1);
    let made = Api::operator(&house).await.post("/organizations", json!({"name": "Late"})).await;
    let late = made.json()["id"].as_str().unwrap().to_owned();
    let a = house.organization("org-a").await;
    assert!(a < late, "the one that is named first is locked last");
    let (locked, db) = (Arc::new(Notify::new()), house.broker.db.clone());
    let told = Arc::clone(&locked);
    let free = format!("SELECT 1 FROM organizations WHERE id = '{late}' FOR NO KEY UPDATE NOWAIT");
    let free: &'static str = Box::leak(free.into_boxed_str());
    let changes = house.broker.db.write(async move |tx| {
        tx.lock(Lock::Exclusive, "organizations", &a).await?;
        told.notify_one();
        let waiting =
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while db.all(waiting, &[]).await?.is_empty() {}
        tx.execute(free, &[]).await?;
        Ok::<_, StoreError>(())
    });
    let robot = machine(&house, "robot");
    let asked = async {
        locked.notified().await;
        asks(&robot, &[("organization_id", &late), ("organization", "org-a")]).send().await
    };
    let (changed, answer) = tokio::join!(changes, asked);
    assert!(changed.is_ok(), "{changed:?}");
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")));
    assert_eq!(house.count("machine_grants").await, 0);
}
