//! H07: who has an address in a domain is no member for that. They join only where the organization wants it, only by
//! what the domain's own connection proves now, and never again once they were removed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// A house where A's connection lets nobody in by itself.
async fn closed(engine: Engine) -> House {
    Plan::on(engine).with("jit = \"create_and_join\"", "jit = \"expected_only\"").build().await
}

async fn domain_of_a(house: &House) -> String {
    let id = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
    format!("/organizations/org-a/domains/{id}")
}

/// Turns it on, with more of a rule.
async fn lets_join(house: &House, rule: Value) -> Api {
    let operator = Api::operator(house).await;
    let mut whole = json!({"enabled": true, "role": "member"});
    whole.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
    let on = operator.patch(&domain_of_a(house).await, json!({"auto_join": whole})).await;
    assert_eq!(on.status, 200, "{}", on.body);
    operator
}

/// Why nobody joins by the domain of A; the same, alone and in the list.
async fn halted(api: &Api, house: &House) -> Value {
    let path = domain_of_a(house).await;
    let alone = api.get(&path).await.json()["auto_join"]["halted_by"].clone();
    let listed = api.get("/organizations/org-a/domains").await.json();
    let of_a = listed["items"].as_array().unwrap().iter().find(|domain| domain["domain"] == "a.test");
    assert_eq!(of_a.unwrap()["auto_join"]["halted_by"], alone);
    alone
}

async fn comes(house: &House, email: &str) -> bool {
    let arrival = Person::new(email).follows(&Application::rp1(house).asks()).await;
    arrival.told_application("code").is_some()
}

/// Their membership of A: how it came about, and how it is.
async fn membership(house: &House, email: &str) -> Option<String> {
    let sql = format!(
        "SELECT m.source || ' ' || m.status || ' ' || m.roles FROM memberships m JOIN users u ON u.id = m.user_id
         JOIN organizations o ON o.id = m.organization_id WHERE u.email = '{email}' AND o.slug = 'org-a'"
    );
    house.text(&sql).await
}

/// How sign-ins by the connection of A ended badly.
async fn refusals(api: &Api, house: &House) -> Value {
    api.get(&format!("/connections/{}/failures", house.connection("ca").await)).await.json()
}

/// Why the last one who signed in did not join.
async fn why_not(house: &House) -> Vec<Value> {
    let events = house.audit().await.into_iter().filter(|event| event.action == "login.authenticated");
    events.filter_map(|event| event.detail.get("auto_join").cloned()).collect()
}

#[tokio::test]
async fn h07_s1_d5_s1_d6_nobody_joins_by_an_address_until_the_organization_wants_it() {
    for engine in ENGINES {
        let house = closed(engine).await;
        let before = house.before().await;
        assert!(!comes(&house, "new@a.test").await);
        house.unchanged(&before).await;
        lets_join(&house, json!({})).await;
        assert!(comes(&house, "new@a.test").await);
        assert_eq!(membership(&house, "new@a.test").await.as_deref(), Some("auto_join active [\"member\"]"));
        assert!(comes(&house, "new@a.test").await, "once");
        assert_eq!(house.events_of("organization.member.added").await, 1);

        // Whom another connection, another domain or nobody vouches for stays outside.
        house.idp_a.says(Says::that("77", "unproved@a.test").claim("email_verified", "false"));
        assert!(!comes(&house, "unproved@a.test").await);
        house.idp_a.says(Says::truth());
        house.idp_b.says(Says::that("78", "posing@a.test"));
        assert!(!comes(&house, "bob@b.test").await, "B's provider says that it is somebody of A");
        house.idp_a.says(Says::that("79", "below@sub.a.test"));
        assert!(!comes(&house, "ann@a.test").await);
        for stranger in ["unproved@a.test", "posing@a.test", "below@sub.a.test"] {
            assert_eq!(membership(&house, stranger).await, None, "{stranger}");
        }
    }
}

#[tokio::test]
async fn h07_s1_d7_s1_d8_s1_d9_shared_mailboxes_aliases_and_contractors_stay_outside() {
    let house = closed(Engine::Sqlite).await;
    let operator = lets_join(&house, json!({"exclude": ["*-ext", "contractor.*", "eve"]})).await;
    for outside in [
        "info@a.test",
        "Support@a.test",
        "admin+x@a.test",
        "ann+x@a.test",
        "dan-ext@a.test",
        "contractor.dan@a.test",
        "EVE@a.test",
    ] {
        house.turn_clock(1);
        let before = house.before().await;
        assert!(!comes(&house, outside).await, "{outside}");
        house.refused(&before, "not_expected").await;
        // Whoever administers the organization is told who it was, and why.
        let told = refusals(&operator, &house).await["items"][0].clone();
        let why = match outside.to_lowercase().as_str() {
            "info@a.test" | "support@a.test" | "admin+x@a.test" => "role_address",
            "ann+x@a.test" => "alias",
            _ => "excluded",
        };
        assert_eq!(told["email"].as_str().map(str::to_lowercase), Some(outside.to_lowercase()), "{told}");
        assert_eq!((&told["auto_join"], &told["reason"]), (&json!(why), &json!("not_expected")), "{told}");
    }
    assert!(comes(&house, "dan@a.test").await && comes(&house, "steve@a.test").await);
    // Of an address that is nobody's in the organization, nothing is told.
    house.idp_a.says(Says::that("79", "far@elsewhere.test"));
    house.turn_clock(1);
    assert!(!comes(&house, "ann@a.test").await);
    let told = refusals(&operator, &house).await;
    assert_eq!(
        (&told["items"][0]["reason"], &told["items"][0]["email"]),
        (&json!("email_domain_not_allowed"), &Value::Null)
    );
    assert!(!told.to_string().contains("elsewhere"), "{told}");
}

#[tokio::test]
async fn h07_s1_d10_who_was_removed_or_suspended_does_not_come_back_by_an_address() {
    for engine in ENGINES {
        let house = closed(engine).await;
        lets_join(&house, json!({})).await;
        for status in ["removed", "suspended", "blocked"] {
            let email = format!("{status}@a.test");
            assert!(comes(&house, &email).await);
            let sql = format!(
                "UPDATE memberships SET status = '{status}' WHERE user_id = (SELECT id FROM users WHERE email = '{email}')"
            );
            assert_eq!(house.execute(&sql).await, 1);
            let told = why_not(&house).await.len();
            comes(&house, &email).await;
            let expected = format!("auto_join {status} [\"member\"]");
            assert_eq!(membership(&house, &email).await, Some(expected));
            let why = why_not(&house).await;
            assert_eq!(
                (why.len(), why.iter().all(|why| *why == json!("known"))),
                (told + 1, true),
                "{why:?}"
            );
        }
    }
}

#[tokio::test]
async fn h07_when_many_join_in_an_hour_it_pauses_until_somebody_turns_it_on_again() {
    for engine in ENGINES {
        let house = closed(engine).await;
        let operator = lets_join(&house, json!({"cap_per_hour": 4})).await;
        let crowd: Vec<_> = (0..10).map(|one| format!("p{one}@a.test")).collect();
        let came = futures_util::future::join_all(crowd.iter().map(|email| comes(&house, email))).await;
        assert_eq!(came.iter().filter(|came| **came).count(), 4, "{came:?}");
        assert_eq!(house.facts().await.rows("memberships"), 4);
        assert_eq!(house.events_of("organization.auto_join.paused").await, 1);
        let path = domain_of_a(&house).await;
        let view = operator.get(&path).await.json();
        assert_eq!(view["auto_join"]["paused_at"], json!("2026-06-01T09:00:00.000Z"));
        assert_eq!(view["auto_join"]["halted_by"], json!("paused"));
        let health = operator.get("/organizations/org-a/health").await.json();
        assert!(health["checks"].to_string().contains("Nobody joins by a.test: too many came"), "{health}");
        house.turn_clock(7_200);
        assert!(!comes(&house, "late@a.test").await, "an hour alone ends no pause");
        let on = operator.patch(&path, json!({"auto_join": {"enabled": true}})).await;
        assert_eq!((on.status.as_u16(), &on.json()["auto_join"]["paused_at"]), (200, &Value::Null));
        assert!(comes(&house, "late@a.test").await);
    }
}

#[tokio::test]
async fn h07_s1_d5_a_role_that_has_come_to_administer_something_is_given_to_nobody_any_more() {
    let mut plan = Plan::default().with("jit = \"create_and_join\"", "jit = \"expected_only\"");
    plan = plan.and("\n[role.viewer]\npermissions = [\"reports:read\"]\n");
    let house = plan.build().await;
    let operator = lets_join(&house, json!({"role": "viewer"})).await;
    assert!(comes(&house, "one@a.test").await);
    assert_eq!(membership(&house, "one@a.test").await.as_deref(), Some("auto_join active [\"viewer\"]"));
    let path = domain_of_a(&house).await;
    let tag = operator.get(&path).await.header("etag").unwrap().to_owned();
    house.execute("UPDATE roles SET permissions = '[\"members:write\"]' WHERE name = 'viewer'").await;
    // Who has read it before has read something else.
    let again = operator.send(Method::GET, &path, |ask| ask.header("if-none-match", &tag)).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["auto_join"]["halted_by"]),
        (200, &json!("role_not_allowed"))
    );
    let before = house.before().await;
    let body = json!({"auto_join": {"enabled": true}}).to_string();
    let stale = operator.send(Method::PATCH, &path, |ask| {
        ask.header("if-match", &tag).header("content-type", "application/json").body(body)
    });
    assert_eq!(stale.await.status, 412);
    house.refused(&before, "precondition_failed").await;
    let before = house.before().await;
    assert!(!comes(&house, "two@a.test").await);
    house.refused(&before, "not_expected").await;
    let told = refusals(&operator, &house).await["items"][0].clone();
    assert_eq!((&told["email"], &told["auto_join"]), (&json!("two@a.test"), &json!("role_not_allowed")));
    house.execute("DELETE FROM roles WHERE name = 'viewer'").await;
    assert_eq!(halted(&operator, &house).await, json!("role_not_allowed"));
}

#[tokio::test]
async fn h07_c16_nobody_joins_by_a_domain_that_is_not_held_routed_and_trusted_now() {
    let house = closed(Engine::Sqlite).await;
    lets_join(&house, json!({})).await;
    let operator = Api::operator(&house).await;
    assert_eq!(halted(&operator, &house).await, Value::Null);
    for (off, on, why) in [
        ("state = 'lapsed'", "state = 'verified'", json!("not_verified")),
        ("routing_since = NULL", "routing_since = 1", json!("not_routed")),
        ("trust_since = NULL", "trust_since = 1", json!("not_trusted")),
        ("auto_join_since = NULL", "auto_join_since = 1", Value::Null),
    ] {
        assert_eq!(house.execute(&format!("UPDATE domains SET {off} WHERE name = 'a.test'")).await, 1);
        let before = house.before().await;
        assert!(!comes(&house, "new@a.test").await, "{off}");
        house.unchanged(&before).await;
        assert_eq!(halted(&operator, &house).await, why, "{off}");
        let health = operator.get("/organizations/org-a/health").await.json();
        let told = health["checks"].to_string().contains("Nobody joins by a.test");
        assert_eq!(told, why.is_string() && off != "state = 'lapsed'", "{off}: {health}");
        house.execute(&format!("UPDATE domains SET {on} WHERE name = 'a.test'")).await;
    }
    assert!(comes(&house, "new@a.test").await);
}

#[tokio::test]
async fn h07_s1_d5_what_the_operator_s_file_turns_on_makes_members_and_no_more() {
    let claim = "name = \"a.test\"\norganization = \"org-a\"\n";
    let plan = Plan::default()
        .with("jit = \"create_and_join\"", "jit = \"expected_only\"")
        .with(claim, &format!("{claim}auto_join = true\n"));
    let house = plan.build().await;
    assert!(comes(&house, "new@a.test").await);
    assert_eq!(membership(&house, "new@a.test").await.as_deref(), Some("auto_join active [\"member\"]"));
    assert!(!comes(&house, "info@a.test").await);
}

#[tokio::test]
async fn s1_d11_only_a_sign_in_through_the_domains_own_provider_lets_somebody_join() {
    for engine in ENGINES {
        let more = "\n[connection.social]\ntype = \"oidc\"\nissuer = \"{idp_b}\"\nclient_id = \"behalf\"\n\
                    client_secret = { env = \"CB_SECRET\" }\n";
        let house = Plan::on(engine)
            .with("jit = \"create_and_join\"", "jit = \"expected_only\"")
            .with("claims = { idp = true }", "claims = { idp = true }\nconnections = [\"social\"]")
            .and(more)
            .build()
            .await;
        let operator = lets_join(&house, json!({"requires": "sso"})).await;
        let path = domain_of_a(&house).await;
        assert_eq!(operator.get(&path).await.json()["auto_join"]["requires"], json!("sso"));
        // A mail that may have been forwarded to somebody else is no proof, and cannot be made one.
        for (body, status) in [(json!("email"), 400), (json!("mail"), 400), (Value::Null, 400)] {
            let before = house.before().await;
            let refused = operator.patch(&path, json!({"auto_join": {"requires": body}})).await;
            assert_eq!(refused.status, status, "{}", refused.body);
            house.unchanged(&before).await;
        }
        house.idp_b.says(Says::that("77", "new@a.test").claim("email_verified", "true"));
        let ask = Application::rp1(&house).asks().with("connection", "social");
        assert_eq!(Person::new("new@a.test").follows(&ask).await.status(), 403);
        assert_eq!(membership(&house, "new@a.test").await, None);
        assert!(comes(&house, "new@a.test").await, "through the provider");
        assert!(membership(&house, "new@a.test").await.is_some());
    }
}

#[tokio::test]
async fn h07_s1_d7_s1_d8_why_somebody_did_not_join_is_told_of_who_does_not_come_in_at_all() {
    for engine in ENGINES {
        let house = closed(engine).await;
        lets_join(&house, json!({"exclude": ["*-ext"]})).await;
        for (email, why) in [("info@a.test", "role_address"), ("joe-ext@a.test", "excluded")] {
            let before = house.before().await;
            assert!(!comes(&house, email).await, "{email}");
            house.unchanged(&before).await;
            let events = house.events_since(&before).await;
            let refused: Vec<_> = events.iter().filter(|event| event.action == "login.refused").collect();
            assert_eq!(refused.len(), 1, "{events:?}");
            assert_eq!(refused[0].reason.as_deref(), Some("not_expected"));
            assert_eq!(refused[0].detail["auto_join"], json!(why), "{email}");
        }
    }
}
