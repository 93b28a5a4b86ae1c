//! Keys of organizations and operator tokens: made, shown once, rotated, ended.

use behalf::model::api_key::OperatorRole;
use http::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::{Value, json};

use crate::house::answers::{delete, refusal, told};
use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House};
use crate::house::visitor::Answer;

fn text(answer: &Answer) -> String {
    answer.json()["key"].as_str().unwrap_or_else(|| panic!("no key: {}", answer.body)).to_owned()
}

#[tokio::test]
async fn h36_s0_30_a_key_is_shown_once_does_what_it_may_and_ends_at_once() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let body =
            json!({"name": "ci", "permissions": ["organization:read", "members:read", "organization:read"]});
        let made = ann.post("/api-keys", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let (secret, view) = (text(&made), made.json()["api_key"].clone());
        assert!(secret.starts_with("behalf_org_"), "{secret}");
        assert_eq!(view["permissions"], json!(["organization:read", "members:read"]));
        assert_eq!(view["expires_at"], "2027-06-01T09:00:00.000Z", "a year at most");
        let path = format!("/api-keys/{}", view["id"].as_str().unwrap());
        assert_eq!(made.header("location"), Some(&*format!("/api/v1{path}")));
        let key = Api::with(&house, Some(secret.clone())).await;
        assert_eq!(key.get("/organizations/org-a").await.status, 200);
        assert_eq!(told(&key.patch("/organizations/org-a", json!({"name": "x"})).await).0, 403);
        assert_eq!(key.get("/organizations/org-b").await.status, 404);

        // Its secret is nowhere: not in a list, not in the trail, not in the database.
        let hidden = &secret[secret.len() - 43..];
        for answer in [ann.get("/api-keys").await, ann.get(&path).await] {
            assert!(answer.status == 200 && !answer.body.contains(hidden), "{}", answer.body);
        }
        let trail = "SELECT COALESCE(after, '') || detail FROM audit_events WHERE action = 'api_key.created'";
        let trail = house.text(trail).await.unwrap();
        assert!(trail.contains("\"ci\"") && !trail.contains(hidden), "{trail}");
        let plain =
            format!("SELECT COUNT(*) || '' FROM api_key_secrets WHERE CAST(digest AS TEXT) = '{hidden}'");
        if engine == Engine::Sqlite {
            assert_eq!(house.text(&plain).await.as_deref(), Some("0"));
        }

        // Rotated with overlap, both work; then only the new one.
        let operator = Api::operator(&house).await;
        let rotated = operator.post(&format!("{path}/rotate"), json!({"overlap": 3_600})).await;
        assert_eq!(rotated.status, 200, "{}", rotated.body);
        let fresh = Api::with(&house, Some(text(&rotated))).await;
        assert_eq!(rotated.json()["old_until"], "2026-06-01T10:00:00.000Z");
        for api in [&key, &fresh] {
            assert_eq!(api.get("/organizations/org-a").await.status, 200);
        }
        house.turn_clock(3_601);
        assert_eq!(key.get("/organizations/org-a").await.status, 401);
        assert_eq!(fresh.get("/organizations/org-a").await.status, 200);
        let at_once = operator.post(&format!("{path}/rotate"), json!({"overlap": 0})).await;
        assert_eq!(fresh.get("/organizations/org-a").await.status, 401);
        let last = Api::with(&house, Some(text(&at_once))).await;
        assert_eq!(last.get("/organizations/org-a").await.status, 200);

        // Ended for good, and once.
        for _ in 0..2 {
            assert_eq!(delete(&operator, &path).await.status, 204);
        }
        assert_eq!(last.get("/organizations/org-a").await.status, 401);
        assert_eq!(house.events_of("api_key.revoked").await, 1);
        let before = house.before().await;
        let again = operator.post(&format!("{path}/rotate"), json!({})).await;
        assert_eq!(told(&again), refusal(409, "api_key_ended"));
        house.refused(&before, "api_key_ended").await;
        let renamed = operator.patch(&path, json!({"name": "x"})).await;
        assert_eq!(told(&renamed), refusal(409, "api_key_ended"));
        let listed = operator.get("/api-keys?organization_id=org-a").await.json();
        assert!(listed["items"][0]["revoked_at"].is_string(), "{listed}");
    }
}

#[tokio::test]
async fn h36_h01_nobody_hands_out_by_a_key_more_than_they_may() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let keeper =
            "\n[role.keeper]\npermissions = [\"api_keys:read\", \"api_keys:write\", \"organization:read\"]\n";
        house.provision(&format!("{}{keeper}", house.file)).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let body = json!({"name": "strong", "permissions": ["organization:write"]});
        let before = house.before().await;
        assert_eq!(told(&con.post("/api-keys", body.clone()).await), refusal(403, "permission_missing"));
        house.refused(&before, "permission_missing").await;
        let strong =
            ann.post("/api-keys", body.clone()).await.json()["api_key"]["id"].as_str().unwrap().to_owned();
        let path = format!("/api-keys/{strong}");

        let user = "(SELECT id FROM users WHERE email = 'con@a.test')";
        house.execute(&format!("UPDATE memberships SET roles = '[\"keeper\"]' WHERE user_id = {user}")).await;
        let weak = con.post("/api-keys", json!({"name": "weak", "permissions": ["organization:read"]})).await;
        assert_eq!(weak.status, 201, "{}", weak.body);
        for (method, path, body) in [
            (Method::POST, "/api-keys".to_owned(), body),
            (Method::POST, format!("{path}/rotate"), json!({})),
            (Method::PATCH, path.clone(), json!({"networks": []})),
        ] {
            let before = house.before().await;
            let refused = con.write(method.clone(), &path, body).await;
            assert_eq!(told(&refused), refusal(403, "role_ceiling"), "{method} {path}");
            house.refused(&before, "role_ceiling").await;
        }
        assert_eq!(delete(&con, &path).await.status, 204, "but to end it takes no more than to keep keys");

        // What the organization may not do at all is nobody's to hand out there (S0-26).
        for permissions in [json!(["applications:read"]), json!(["members:read", "applications:write"])] {
            let before = house.before().await;
            let refused = ann.post("/api-keys", json!({"name": "x", "permissions": permissions})).await;
            assert_eq!(told(&refused), refusal(403, "organization_function_missing"), "{}", refused.body);
            house.refused(&before, "organization_function_missing").await;
        }
        let before = house.before().await;
        let body = json!({"name": "x", "permissions": ["members:read", "applications:read"]});
        assert_eq!(
            told(&con.post("/api-keys", body).await),
            refusal(403, "role_ceiling"),
            "nor is it theirs"
        );
        house.refused(&before, "role_ceiling").await;

        // What no key has, whoever makes it.
        for name in ["organization:delete", "organization:transfer", "api_keys:write", "invoices:read", ""] {
            let before = house.before().await;
            let refused =
                ann.post("/api-keys", json!({"name": "x", "permissions": ["members:read", name]})).await;
            assert_eq!(told(&refused), refusal(422, "invalid_value"), "{name}");
            assert_eq!(refused.json()["errors"][0]["pointer"], "/permissions/1");
            house.refused(&before, "invalid_value").await;
        }
        // A key is no person: whatever it may, it makes no key.
        let key = Api::key(&house, "org-a", &["api_keys:read"]).await;
        let refused = key.post("/api-keys", json!({"name": "x", "permissions": ["api_keys:read"]})).await;
        assert_eq!(told(&refused), refusal(403, "permission_missing"));
        // Another organization's is nothing, and neither is an operator's.
        let others = Api::key(&house, "org-b", &["api_keys:read"]).await;
        let operators = "SELECT id FROM api_keys WHERE organization_id IS NULL";
        Api::operator(&house).await;
        let operators = house.text(operators).await.unwrap();
        for path in [path, format!("/api-keys/{operators}"), "/api-keys?organization_id=org-a".into()] {
            assert_eq!(told(&others.get(&path).await), refusal(404, "not_found"), "{path}");
        }
        assert_eq!(others.get("/api-keys").await.json()["items"].as_array().unwrap().len(), 1, "its own");
    }
}

#[tokio::test]
async fn h36_a_session_that_stands_there_makes_no_key_that_outlives_it() {
    let house = House::opens().await;
    access_token(&house, "ann@a.test", "org-a").await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let ask = || rp1.asks().with("organization", "org-a").with("login_hint", "ann@a.test");
    ann.follows(&ask()).await;
    house.turn_clock(15 * 60 + 1);
    let ask = ask();
    let arrival = ann.follows(&ask).await;
    let stale = Api::with(&house, Some(ask.redeems(&arrival).await.access_token)).await;
    assert_eq!(stale.get("/api-keys").await.status, 200);
    let before = house.before().await;
    let refused = stale.post("/api-keys", json!({"name": "x", "permissions": ["members:read"]})).await;
    assert_eq!(told(&refused), refusal(403, "reauthentication_required"));
    assert!(refused.header("www-authenticate").unwrap().contains("max_age=\"900\""));
    house.refused(&before, "reauthentication_required").await;
}

#[tokio::test]
async fn s0_09_an_operator_token_is_bound_to_networks_and_only_the_system_operator_makes_one() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let body = json!({"name": "audit", "role": "auditor", "networks": ["10.0.0.0/8", "2001:db8::/32"]});
    let made = operator.post("/api-keys", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(text(&made).starts_with("behalf_op_"));
    assert_eq!(made.json()["api_key"]["expires_at"], Value::Null);
    let token = Api::with(&house, Some(text(&made))).await;
    assert_eq!(token.get("/organizations").await.status, 401, "not from here");
    let path = format!("/api-keys/{}", made.json()["api_key"]["id"].as_str().unwrap());
    let read = operator.get(&path).await;
    let etag = read.header("etag").unwrap().to_owned();
    let patched = async |etag: &str, body: Value| {
        operator
            .send(Method::PATCH, &path, |request| {
                request.header(IF_MATCH, etag).header(CONTENT_TYPE, "application/json").body(body.to_string())
            })
            .await
    };
    // Each once, however it is written.
    let here = json!({"networks": ["127.0.0.1", "::1", "127.0.0.1/32", "0:0:0:0:0:0:0:1/128"]});
    let told_back = patched(&etag, here.clone()).await;
    assert_eq!(told_back.status, 200, "{}", told_back.body);
    assert_eq!(told_back.json()["networks"], json!(["127.0.0.1/32", "::1/128"]));
    assert_eq!(token.get("/organizations").await.status, 200);
    assert_eq!(told(&patched(&etag, here).await), refusal(412, "precondition_failed"));
    assert_eq!(operator.get(&path).await.json()["last_used_at"], "2026-06-01T09:00:00.000Z");

    for role in [OperatorRole::Auditor, OperatorRole::Support] {
        let other = Api::by(&house, role).await;
        for path in ["/api-keys".to_owned(), format!("{path}/rotate")] {
            let before = house.before().await;
            let body = if path.ends_with("rotate") { json!({}) } else { body.clone() };
            assert_eq!(told(&other.post(&path, body).await), refusal(403, "permission_missing"), "{path}");
            house.refused(&before, "permission_missing").await;
        }
        assert_eq!(told(&delete(&other, &path).await), refusal(403, "permission_missing"));
    }
    for (pointer, wrong) in [
        ("/name", json!({"name": "a\nb", "role": "system"})),
        ("/role", json!({"name": "a"})),
        (
            "/role",
            json!({"name": "a", "organization_id": "org-a", "permissions": ["members:read"], "role": "system"}),
        ),
        ("/permissions", json!({"name": "a", "permissions": ["members:read"]})),
        ("/permissions", json!({"name": "a", "organization_id": "org-a"})),
        ("/permissions", json!({"name": "a", "organization_id": "org-a", "permissions": []})),
        ("/networks/1", json!({"name": "a", "role": "system", "networks": ["10.0.0.0/8", "10.0.0.0/33"]})),
        // From there nobody ever comes, or the half of it means nothing.
        ("/networks/0", json!({"name": "a", "role": "system", "networks": ["::ffff:127.0.0.0/104"]})),
        ("/networks/0", json!({"name": "a", "role": "system", "networks": ["::ffff:127.0.0.1"]})),
        ("/networks/0", json!({"name": "a", "role": "system", "networks": ["10.0.0.1/8"]})),
        ("/networks/1", json!({"name": "a", "role": "system", "networks": ["10.0.0.0/8", "10.0.0.0/08"]})),
        ("/expires_at", json!({"name": "a", "role": "system", "expires_at": "2026-06-01T09:00:00Z"})),
        ("/expires_at", json!({"name": "a", "role": "system", "expires_at": "tomorrow"})),
        (
            "/expires_at",
            json!({"name": "a", "organization_id": "org-a", "permissions": ["members:read"],
                   "expires_at": "2027-06-01T09:00:01Z"}),
        ),
    ] {
        let before = house.before().await;
        let refused = operator.post("/api-keys", wrong.clone()).await;
        assert_eq!(told(&refused), refusal(422, "invalid_value"), "{wrong}: {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{wrong}");
        house.refused(&before, "invalid_value").await;
    }
    for (wrong, example) in [("10.0.0.1/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32")] {
        let body = json!({"name": "a", "role": "system", "networks": [wrong]});
        let refused = operator.post("/api-keys", body).await.json();
        let detail = refused["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&format!(": {example},")), "{detail}");
    }
    let listed = operator.get("/api-keys?limit=2").await.json();
    assert!(listed["items"][0]["organization_id"].is_null() && listed["next_cursor"].is_string());
    let next = format!("/api-keys?limit=2&cursor={}", listed["next_cursor"].as_str().unwrap());
    assert_ne!(operator.get(&next).await.json()["items"][0]["id"], listed["items"][0]["id"]);
}

#[tokio::test]
async fn h36_h03_a_key_that_its_organization_has_outlived_says_so_and_gets_no_secret() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let body = json!({"organization_id": "org-b", "name": "ci", "permissions": ["organization:read"]});
        let made = operator.post("/api-keys", body.clone()).await;
        assert_eq!(made.json()["api_key"]["ended_by"], Value::Null);
        let path = format!("/api-keys/{}", made.json()["api_key"]["id"].as_str().unwrap());
        for way in ["deactivate", "reactivate"] {
            let turned = operator.send(Method::POST, &format!("/organizations/org-b/{way}"), |ask| ask).await;
            assert_eq!(turned.status, 200, "{}", turned.body);
            assert_eq!(operator.get(&path).await.json()["ended_by"], "organization", "{way}");
            let listed = operator.get("/api-keys?organization_id=org-b").await.json();
            assert_eq!(listed["items"][0]["ended_by"], "organization", "{way}");
            for answer in [
                operator.post(&format!("{path}/rotate"), json!({})).await,
                operator.patch(&path, json!({"name": "x"})).await,
            ] {
                assert_eq!(told(&answer), refusal(409, "api_key_ended"), "{way}");
                assert!(answer.json()["detail"].as_str().unwrap().contains("deactivated"), "{}", answer.body);
            }
        }
        let anew = operator.post("/api-keys", body).await;
        let key = Api::with(&house, Some(text(&anew))).await;
        assert_eq!(key.get("/organizations/org-b").await.status, 200, "one that is made now works");
    }
}

#[tokio::test]
async fn s0_09_h36_what_was_promised_of_a_secret_holds_whoever_rotates_again() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let body = json!({"organization_id": "org-a", "name": "ci", "permissions": ["organization:read"]});
        let made = operator.post("/api-keys", body).await;
        let path = format!("/api-keys/{}/rotate", made.json()["api_key"]["id"].as_str().unwrap());
        let mut secrets = vec![text(&made)];
        for overlap in [3_600, 60, 60, 60] {
            let rotated = operator.post(&path, json!({ "overlap": overlap })).await;
            assert_eq!(rotated.status, 200, "{}", rotated.body);
            secrets.push(text(&rotated));
        }
        let alive = async || {
            let mut alive = Vec::new();
            for secret in &secrets {
                let key = Api::with(&house, Some(secret.clone())).await;
                alive.push(key.get("/organizations/org-a").await.status == 200);
            }
            alive
        };
        assert_eq!(alive().await, [true; 5]);
        let before = house.before().await;
        let full = operator.post(&path, json!({"overlap": 60})).await;
        assert_eq!(told(&full), refusal(409, "limit_reached"));
        house.refused(&before, "limit_reached").await;
        house.turn_clock(61);
        assert_eq!(alive().await, [true, false, false, false, true], "each for as long as was said of it");
        let last = operator.post(&path, json!({"overlap": 0})).await;
        assert_eq!(alive().await, [false; 5], "none, if that is said");
        let last = Api::with(&house, Some(text(&last))).await;
        assert_eq!(last.get("/organizations/org-a").await.status, 200);
    }
}

#[tokio::test]
async fn s0_09_a_key_that_somebody_has_rotated_is_not_as_it_was_read() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let made = ann.post("/api-keys", json!({"name": "ci", "permissions": ["members:read"]})).await;
        let path = format!("/api-keys/{}", made.json()["api_key"]["id"].as_str().unwrap());
        let tag = async || ann.get(&path).await.header("etag").unwrap().to_owned();
        let read = tag().await;
        let by = async |method: Method, path: &str, tag: &str, body: &'static str| {
            let dress = |ask: reqwest::RequestBuilder| {
                let ask = ask.header(IF_MATCH, tag);
                if body.is_empty() { ask } else { ask.header(CONTENT_TYPE, "application/json").body(body) }
            };
            ann.send(method, path, dress).await
        };
        let rotate = format!("{path}/rotate");
        // Its use moves by itself, and is no editor's.
        let key = Api::with(&house, Some(text(&made))).await;
        assert_eq!(key.get("/organizations/org-a/members").await.status, 200);
        assert_eq!(tag().await, read);
        assert_eq!(by(Method::POST, &rotate, &read, "{}").await.status, 200);
        for (method, path, body) in [
            (Method::POST, &rotate, "{}"),
            (Method::PATCH, &path, r#"{"name": "other"}"#),
            (Method::DELETE, &path, ""),
        ] {
            let before = house.before().await;
            let stale = by(method.clone(), path, &read, body).await;
            assert_eq!(told(&stale), refusal(412, "precondition_failed"), "{method}");
            house.refused(&before, "precondition_failed").await;
        }
        // An earlier secret that runs out changes nothing that anybody decided.
        let read = tag().await;
        house.turn_clock(8 * 86_400);
        assert_eq!(Api::operator(&house).await.get(&path).await.header("etag"), Some(&*read));
    }
}

#[tokio::test]
async fn s3_29_no_key_is_made_where_none_would_let_anybody_in() {
    let house = House::opens().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let off = ann.patch("/organizations/org-a/policy", json!({"api_keys_enabled": false})).await;
    assert_eq!(off.status, 200, "{}", off.body);
    let before = house.before().await;
    let body = json!({"name": "x", "permissions": ["members:read"]});
    let refused = ann.post("/api-keys", body.clone()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["code"]),
        (403, &json!("api_keys_disabled")),
        "{}",
        refused.body
    );
    house.refused(&before, "api_keys_disabled").await;
    let on = ann.patch("/organizations/org-a/policy", json!({"api_keys_enabled": true})).await;
    assert_eq!(on.status, 200, "{}", on.body);
    assert_eq!(ann.post("/api-keys", body).await.status, 201);
}
