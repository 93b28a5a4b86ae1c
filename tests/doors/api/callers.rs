//! Who may call, and what each of them is told.

use std::process::{Command, Output};

use behalf::manage::api::routes::ROUTES;
use behalf::manage::authority::Need;
use behalf::model::api_key::{Holder, OperatorRole};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::everyone::Ids;
use crate::house::api::{Api, access_token, plant};
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, Entry, House, Plan};
use crate::house::visitor::Answer;

/// A body without what is each request's own.
fn told(answer: &Answer) -> Value {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

/// `behalf …` on the database of a house.
fn behalf(house: &House, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_behalf"))
        .current_dir(std::env::temp_dir())
        .env_clear()
        .env("BEHALF_DATABASE_URL", &house.broker.config.database.url)
        .env("BEHALF_MASTER_KEY", "5a".repeat(32))
        .args(arguments)
        .output();
    output.unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn s0_09_s0_10_an_operator_token_comes_from_the_command_line_and_needs_nobody_else() {
    // The command line has the machine's own clock.
    let clock = behalf::foundation::clock::Clock::System;
    let house = Plan { clock, ..Plan::default() }.build().await;
    let token = said(&behalf(&house, &["token", "create", "--name", "ci"]));
    assert!(token.starts_with("behalf_op_"), "{token}");
    let operator = Api::with(&house, Some(token.clone())).await;
    let made = operator.post("/organizations", json!({"name": "Made by a token"})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let list = said(&behalf(&house, &["token", "list"]));
    assert!(list.contains("ci") && list.contains("system") && list.contains("used 2"), "{list}");
    assert!(!list.contains(&token[40..]), "no secret is listed");
    let id = list.split_whitespace().next().unwrap().to_owned();
    let actor = "SELECT actor_kind || ' ' || actor FROM audit_events WHERE action = 'organization.created'
                 ORDER BY id DESC LIMIT 1";
    assert_eq!(house.text(actor).await, Some(format!("operator {id}")));

    let fresh = said(&behalf(&house, &["token", "rotate", &id, "--overlap", "1"]));
    let rotated = Api::with(&house, Some(fresh)).await;
    for api in [&operator, &rotated] {
        assert_eq!(api.get("/organizations").await.status, 200, "both work for an hour");
    }
    said(&behalf(&house, &["token", "revoke", &id]));
    let nobody = told(&Api::with(&house, None).await.get("/organizations").await);
    for api in [&operator, &rotated] {
        let refused = api.get("/organizations").await;
        assert_eq!((refused.status.as_u16(), told(&refused)), (401, nobody.clone()));
        let challenge = refused.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm=\"api\", error=\"invalid_token\""), "{challenge}");
    }
    let far = said(&behalf(&house, &["token", "create", "--name", "far", "--network", "10.0.0.0/8"]));
    let refused = Api::with(&house, Some(far)).await.get("/organizations").await;
    assert_eq!((refused.status.as_u16(), told(&refused)), (401, nobody));
    assert!(!behalf(&house, &["token", "revoke", &id]).status.success());
    assert!(!behalf(&house, &["token", "create", "--name", "x", "--role", "root"]).status.success());
}

#[tokio::test]
async fn s3_09_who_has_no_key_or_a_wrong_one_is_told_the_same() {
    let house = House::opens().await;
    house.provision("[project]\nslug = \"second\"\ndisplay_name = \"Second\"\n").await;
    let good = plant(&house, "default", Holder::Operator(OperatorRole::System)).await;
    let other = plant(&house, "second", Holder::Operator(OperatorRole::System)).await;
    let expired = plant(&house, "default", Holder::Operator(OperatorRole::System)).await;
    let id = format!("apk_{}", &expired["behalf_op_".len()..][..26]);
    assert_eq!(house.execute(&format!("UPDATE api_keys SET expires_at = 1 WHERE id = '{id}'")).await, 1);
    let without = Api::with(&house, None).await.get("/organizations").await;
    assert_eq!(without.header("www-authenticate"), Some("Bearer realm=\"api\""), "nothing was shown");
    let nobody = told(&without);
    let last = if good.ends_with('A') { 'E' } else { 'A' };
    let changed = format!("{}{last}", &good[..good.len() - 1]);
    let posing = good.replace("behalf_op_", "behalf_org_");
    for wrong in [other.clone(), expired, changed, posing, "nonsense".into(), String::new()] {
        let before = house.before().await;
        let refused = Api::with(&house, Some(wrong)).await.get("/organizations").await;
        assert_eq!((refused.status.as_u16(), told(&refused)), (401, nobody.clone()));
        assert!(house.events_since(&before).await.is_empty(), "a stranger fills no trail");
    }
    assert_eq!(Api::with(&house, Some(good.clone())).await.get("/organizations").await.status, 200);

    // At its own project it is somebody, and sees nothing of the other one.
    let second = Api::at(&house, "/p/second", Some(other)).await;
    assert_eq!(second.get("/organizations").await.json()["items"], json!([]));
    assert_eq!(
        second.get(&format!("/organizations/{}", house.organization("org-a").await)).await.status,
        404
    );
    let made = second.post("/organizations", json!({"slug": "org-a"})).await;
    assert_eq!(made.status, 201, "a slug is taken in its own project only");
    let place = made.header("location").unwrap().to_owned();
    assert!(place.starts_with("/p/second/api/v1/organizations/org_"), "{place}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let first = Api::with(&house, Some(good)).await;
    assert_eq!(first.get(&format!("/organizations/{id}")).await.status, 404);
    let there = first.put(&format!("/organizations/{id}"), json!({"name": "x"})).await;
    assert_eq!((there.status.as_u16(), &there.json()["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn c22_who_guesses_is_slowed_down_and_who_has_a_key_is_not() {
    let house = House::opens().await;
    let (nobody, operator) = (Api::with(&house, None).await, Api::operator(&house).await);
    for _ in 0..60 {
        assert_eq!(nobody.get("/organizations").await.status, 401);
    }
    let refused = nobody.get("/organizations").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (429, &json!("rate_limited")));
    assert_eq!(refused.header("retry-after"), Some("60"));
    house.turn_clock(45);
    assert_eq!(
        nobody.get("/organizations").await.header("retry-after"),
        Some("15"),
        "when the minute is over"
    );
    assert_eq!(operator.get("/organizations").await.status, 200);
    house.turn_clock(16);
    assert_eq!(nobody.get("/organizations").await.status, 401);
}

#[tokio::test]
async fn s0_27_an_auditor_reads_and_changes_nothing() {
    let house = House::opens().await;
    let auditor = Api::by(&house, OperatorRole::Auditor).await;
    assert_eq!(auditor.get("/organizations/org-a").await.status, 200);
    for (method, path) in
        [("POST", "/organizations"), ("PATCH", "/organizations/org-a"), ("PUT", "/organizations/org-a")]
    {
        let before = house.before().await;
        let refused = auditor.write(method.parse().unwrap(), path, json!({"name": "x"})).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("permission_missing")));
        house.refused(&before, "permission_missing").await;
    }
}

#[tokio::test]
async fn c22_s0_24_s1_r03_what_is_anothers_reads_as_what_does_not_exist() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &["organization:read", "organization:write"]).await;
    let own = key.get("/organizations/org-a").await;
    assert_eq!((own.status.as_u16(), &own.json()["slug"]), (200, &json!("org-a")));
    assert_eq!(own.json().get("functional_roles"), Some(&Value::Null), "who may write sees the boundary");
    let foreign = house.organization("org-b").await;
    let unknown = "org_00000000000000000000000007";
    for (method, body) in
        [("GET", None), ("PUT", Some(json!({"name": "x"}))), ("PATCH", Some(json!({"name": "x"})))]
    {
        let send = async |id: &str| {
            let path = format!("/organizations/{id}");
            match &body {
                Some(body) => key.write(method.parse().unwrap(), &path, body.clone()).await,
                None => key.get(&path).await,
            }
        };
        let before = house.before().await;
        let (there, nowhere) = (send(&foreign).await, send(unknown).await);
        assert_eq!((there.status.as_u16(), nowhere.status.as_u16()), (404, 404), "{method}");
        assert_eq!(told(&there), told(&nowhere));
        house.unchanged(&before).await;
        let events = house.events_since(&before).await;
        assert_eq!(events.len(), 2);
        let own = house.organization("org-a").await;
        assert!(
            events.iter().all(|event| event.organization.as_deref() == Some(&own)),
            "in the caller's own trail"
        );
        let targets: Vec<_> = events.iter().map(|event| event.detail["target"].as_str().unwrap()).collect();
        assert!(targets.contains(&&*foreign) && targets.contains(&unknown), "{targets:?}");
    }
    for odd in ["org_x", "%00", "..%2F", "user_00000000000000000000000007"] {
        assert_eq!(key.get(&format!("/organizations/{odd}")).await.status, 404, "{odd}");
    }
    let refused = key.post("/organizations", json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("operator_required")));
    let refused = key.patch("/organizations/org-a", json!({"functional_roles": null})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("operator_required")));
    let fine = key.patch("/organizations/org-a", json!({"name": "A by key"})).await;
    assert_eq!(fine.status, 200);
    let kind =
        "SELECT actor_kind FROM audit_events WHERE action = 'organization.updated' ORDER BY id DESC LIMIT 1";
    assert_eq!(house.text(kind).await.as_deref(), Some("api_key"));
}

#[tokio::test]
async fn c20_a_refusal_tells_whom_the_query_or_the_body_named() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &["organization:read"]).await;
        let own = house.organization("org-a").await;
        let foreign = house.organization("org-b").await;
        let named = |event: &Entry| event.detail["target"].as_str().map(str::to_owned);
        for list in [
            "connections?organization_id=",
            "api-keys?organization_id=",
            "roles?organization_id=",
            "applications?organization_id=",
            "users?search=bob&organization_id=",
            "audit-events?organization_id=",
            "audit-events/export?organization_id=",
            "audit-checkpoints?organization_id=",
            "delegations?organization_id=",
            "me/permissions?organization=",
        ] {
            for name in [foreign.as_str(), "org-b", "nobody", &"long".repeat(30)] {
                let before = house.before().await;
                let refused = key.get(&format!("/{list}{name}")).await;
                assert_eq!(refused.status, 404, "{list}{name}: {}", refused.body);
                let events = house.events_since(&before).await;
                assert_eq!(events.len(), 1, "{list}");
                let expected: String = name.chars().take(64).collect();
                assert_eq!(named(&events[0]), Some(expected), "{list}");
                assert_eq!(events[0].organization.as_deref(), Some(&*own), "in the caller's own trail");
            }
        }
        let before = house.before().await;
        let body = json!({"organization_id": "org-b", "name": "one", "permissions": []});
        assert_eq!(key.post("/roles", body).await.status, 404);
        assert_eq!(named(&house.events_since(&before).await[0]).as_deref(), Some("org-b"));
        // Who names none is told of by none.
        let before = house.before().await;
        assert_eq!(key.get("/api-keys").await.status, 403);
        assert_eq!(named(&house.events_since(&before).await[0]), None);
    }
}

#[tokio::test]
async fn s0_26_s0_30_a_key_ends_where_its_organization_does() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &["organization:read", "organization:write"]).await;
    let reader = Api::key(&house, "org-a", &["organization:read"]).await;
    let refused = reader.patch("/organizations/org-a", json!({"name": "x"})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("permission_missing")));
    house.execute("UPDATE organizations SET functional_roles = '[]' WHERE slug = 'org-a'").await;
    let cut = key.patch("/organizations/org-a", json!({"name": "x"})).await;
    assert_eq!((cut.status.as_u16(), &cut.json()["code"]), (403, &json!("organization_function_missing")));
    house
        .execute("UPDATE organizations SET functional_roles = NULL, deactivated_at = 1 WHERE slug = 'org-a'")
        .await;
    for path in ["/organizations/org-a", "/organizations"] {
        let before = house.before().await;
        let off = key.get(path).await;
        assert_eq!((off.status.as_u16(), &off.json()["code"]), (403, &json!("organization_inactive")));
        house.refused(&before, "organization_inactive").await;
    }
}

#[tokio::test]
async fn s1_r03_s1_r04_m05_a_person_acts_by_an_access_token_made_for_the_api() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("organization", "org-a");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    let elsewhere = ask.redeems(&arrival).await.access_token;
    let refused = Api::with(&house, Some(elsewhere)).await.get("/organizations").await;
    assert_eq!(refused.status, 401, "a token that does not name the API");

    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let list = ann.get("/organizations").await.json();
    let slugs: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| one["slug"].clone()).collect();
    assert_eq!(slugs, ["org-a"]);
    assert_eq!(list["items"][0]["has_owner"], json!(true));
    assert_eq!(ann.get("/organizations/org-b").await.status, 404);
    let renamed = ann.patch("/organizations/org-a", json!({"name": "Ann's"})).await;
    assert_eq!(renamed.status, 200, "{}", renamed.body);
    let actor =
        "SELECT actor_kind FROM audit_events WHERE action = 'organization.updated' ORDER BY id DESC LIMIT 1";
    assert_eq!(house.text(actor).await.as_deref(), Some("user"));

    let con = Api::person(&house, "con@a.test", "org-a").await;
    let read = con.get("/organizations/org-a").await;
    assert_eq!(read.status, 200);
    assert!(read.json().get("functional_roles").is_none(), "{}", read.body);
    let refused = con.patch("/organizations/org-a", json!({"name": "Con's"})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("permission_missing")));

    house.execute("UPDATE memberships SET status = 'suspended'").await;
    for api in [&ann, &con] {
        assert_eq!(api.get("/organizations").await.status, 401, "at once, whatever the token says");
    }
}

/// A PATCH of `org-a`, whose body is sent when the server asks for it: it knows the caller by then. What `meanwhile`
/// does is done before. Tells the status.
async fn patches_late(house: &House, bearer: &str, meanwhile: &str) -> u16 {
    let address = house.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let body = "{\"name\":\"Too late\"}";
    let head = format!(
        "PATCH /api/v1/organizations/org-a HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {bearer}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&asked));
    house.execute(meanwhile).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn c20_s0_30_who_loses_what_they_need_while_they_speak_changes_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let org = house.organization("org-a").await.parse().unwrap();
        let holder = Holder::Organization(org, vec!["organization:write".into()]);
        let key = plant(&house, "default", holder).await;
        let name = "SELECT display_name FROM organizations WHERE slug = 'org-a'";
        let before = house.text(name).await;
        for (meanwhile, back, status) in [
            (
                "UPDATE organizations SET deactivated_at = 1",
                "UPDATE organizations SET deactivated_at = NULL",
                403,
            ),
            (
                "UPDATE organizations SET functional_roles = '[]'",
                "UPDATE organizations SET functional_roles = NULL",
                403,
            ),
            (
                "UPDATE api_keys SET permissions = '[]'",
                "UPDATE api_keys SET permissions = '[\"organization:write\"]'",
                403,
            ),
            ("UPDATE api_keys SET revoked_at = 1", "UPDATE api_keys SET revoked_at = NULL", 401),
        ] {
            assert_eq!(patches_late(&house, &key, meanwhile).await, status, "{meanwhile}");
            assert_eq!(house.text(name).await, before, "{meanwhile}");
            house.execute(back).await;
        }
        let ann = access_token(&house, "ann@a.test", "org-a").await;
        for (meanwhile, back) in [
            ("UPDATE memberships SET status = 'suspended'", "UPDATE memberships SET status = 'active'"),
            ("UPDATE sessions SET ended_at = 1", "UPDATE sessions SET ended_at = NULL"),
            ("UPDATE organizations SET deactivated_at = 1", "UPDATE organizations SET deactivated_at = NULL"),
        ] {
            assert_eq!(patches_late(&house, &ann, meanwhile).await, 401, "{meanwhile}");
            assert_eq!(house.text(name).await, before, "{meanwhile}");
            house.execute(back).await;
        }
        assert_eq!(patches_late(&house, &ann, "UPDATE sessions SET ended_at = NULL").await, 200);
    }
}

#[tokio::test]
async fn s0_12_who_may_not_read_an_organization_sees_its_name_alone() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &["organization:write"]).await;
    assert_eq!(key.get("/organizations/org-a").await.status, 403);
    let list = key.get("/organizations").await.json();
    let members: Vec<_> = list["items"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        (list["items"].as_array().unwrap().len(), members),
        (1, vec!["id".into(), "name".into(), "slug".into()])
    );
}

#[tokio::test]
async fn refusals_of_a_known_caller_are_written_down_however_many_a_network_causes() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &[]).await;
    let before = house.before().await;
    for _ in 0..610 {
        assert_eq!(key.get("/organizations/org-a").await.status, 403);
    }
    assert_eq!(house.events_since(&before).await.len(), 610);
}

/// What an application asks for is told to it; what it does here for somebody is asked of them by its audience.
#[tokio::test]
async fn what_people_have_allowed_an_application_of_others_to_do_here_it_does() {
    let others = "[application.rp1]\nconsent_required = true";
    let house = Plan::default().with("[application.rp1]", others).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let told = ann.get("/me").await;
    assert_eq!(told.status, 200, "{}", told.body);
    house.execute("DELETE FROM consents").await;
    assert_eq!(ann.get("/me").await.status, 401);
}

/// Where what is a person's own is asked for, and what is sent.
fn of_their_own(ids: &Ids) -> Vec<(Method, String, Value)> {
    let own = |need| matches!(need, Need::Account | Need::OperatorOrPerson(_));
    let asked = ROUTES.iter().filter(|route| own(route.need)).map(|route| {
        let body = if route.kinds.is_empty() { Value::Null } else { json!({"name": "Mine"}) };
        (route.method.clone(), ids.in_path(route.path), body)
    });
    asked.collect()
}

#[tokio::test]
async fn c22_an_application_that_people_had_to_allow_acts_for_them_where_they_act_and_is_not_them() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let others = "[application.rp1]\nconsent_required = true";
        let house = Plan::on(engine).with("[application.rp1]", others).build().await;
        Api::person(&house, "ann@a.test", "org-a").await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let (user, c) = (house.user("con@a.test").await, house.organization("org-c").await);
        house.joins(user.parse().unwrap(), "org-c", &["owner"]).await;
        // They may act for three: by two memberships, and by a delegation.
        for list in ["/me/organizations", "/organizations"] {
            let told = async |query: &str| {
                let answer = con.get(&format!("{list}{query}")).await;
                assert_eq!(answer.status, 200, "{}", answer.body);
                let items = answer.json()["items"].as_array().unwrap().clone();
                items.iter().map(|one| one["slug"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(told("").await, ["org-a"], "{list}");
            let by = if list == "/organizations" { "name" } else { "search" };
            assert_eq!(told(&format!("?{by}=a")).await, ["org-a"], "{list}");
            for other in ["b", "c"] {
                assert_eq!(told(&format!("?{by}={other}")).await, [""; 0], "{list} {other}");
            }
        }
        // What they have switched to elsewhere is not told either.
        house
            .execute(&format!(
                "UPDATE sessions SET current_organization_id = '{c}',
                                     current_epoch = (SELECT epoch FROM organizations WHERE id = '{c}')"
            ))
            .await;
        let session = con.get("/session").await;
        assert_eq!((session.status.as_u16(), &session.json()["current_organization"]), (200, &Value::Null));
        // Nor by asking for one after the other.
        for other in ["org-b", "org-c", "nowhere"] {
            let before = house.before().await;
            let answer = con.post("/organizations/switch", json!({"organization_id": other})).await;
            let told = answer.json();
            assert_eq!((answer.status.as_u16(), &told["code"]), (403, &json!("not_a_member")), "{other}");
            assert_eq!(told["login_url"], Value::Null, "{other}");
            house.refused(&before, "not_a_member").await;
        }
        // Nor what they would want of the person.
        for wants in [
            r#"{"enforcement":"required"}"#,
            r#"{"require_mfa":true}"#,
            r#"{"max_age":1}"#,
            r#"{"delegations":"none"}"#,
        ] {
            house.turn_clock(2);
            let others = "slug IN ('org-b', 'org-c')";
            house.execute(&format!("UPDATE organizations SET policy = '{wants}' WHERE {others}")).await;
            let mut all = Vec::new();
            for other in ["org-b", "org-c", "nowhere"] {
                let before = house.before().await;
                let answer = con.post("/organizations/switch", json!({"organization_id": other})).await;
                let mut told = answer.json();
                told.as_object_mut().unwrap().remove("request_id");
                all.push((answer.status.as_u16(), told));
                house.refused(&before, "not_a_member").await;
            }
            assert_eq!((all[0].0, &all[0].1["code"]), (403, &json!("not_a_member")), "{wants}");
            assert!(all.iter().all(|one| *one == all[0]), "{wants}: {all:?}");
            house.execute(&format!("UPDATE organizations SET policy = '{{}}' WHERE {others}")).await;
        }
        // The rest asks no database.
        if matches!(engine, Engine::Postgres) {
            continue;
        }
        let ids = Ids::of(&house).await;
        let all = of_their_own(&ids);
        assert!(all.len() > 6, "{all:?}");
        for (method, path, body) in all {
            let before = house.before().await;
            let answer = con
                .send(method.clone(), &path, |request| match &body {
                    Value::Null => request,
                    body => request.header("content-type", "application/json").body(body.to_string()),
                })
                .await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["code"]),
                (403, &json!("beyond_consent")),
                "{method} {path}"
            );
            house.refused(&before, "beyond_consent").await;
        }
        // Where they act it does what they may.
        let me = con.get("/me").await;
        assert_eq!((me.status.as_u16(), &me.json()["organization"]["slug"]), (200, &json!("org-a")));
    }
}

/// What it made would go on when they have taken their leave back.
#[tokio::test]
async fn c22_h05_an_application_that_people_had_to_allow_leaves_nothing_behind() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let others = "[application.rp1]\nconsent_required = true";
        let house = Plan::on(engine).with("[application.rp1]", others).build().await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let key = json!({"name": "Left", "permissions": ["members:read"]});
        let role = json!({"name": "left", "permissions": ["members:read"]});
        for (path, body) in [
            ("/api-keys", key),
            ("/roles", role),
            ("/delegations", json!({"target": "org-c", "roles": ["member"]})),
            ("/applications", json!({"display_name": "Left", "redirect_uris": ["https://left.test/"]})),
        ] {
            let before = house.before().await;
            let refused = ann.post(path, body).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.json()["code"]),
                (403, &json!("permission_missing")),
                "{path}"
            );
            house.refused(&before, "permission_missing").await;
        }
        // It gives nobody a role either, be it later or to whoever comes.
        let eve = house.has_member("eve@a.test", "org-a", &["member"]).await;
        let new = house.knows("new@a.test", "New").await.to_string();
        let domain = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let joins = json!({"auto_join": {"enabled": true, "role": "member"}});
        let at = "/organizations/org-a";
        for (method, path, body) in [
            (
                Method::POST,
                format!("{at}/invitations"),
                json!({"email": "x@c.test", "role": "member", "send": false}),
            ),
            (
                Method::POST,
                format!("{at}/invitations/bulk"),
                json!({"invitations": [{"email": "x@c.test", "role": "member", "send": false}]}),
            ),
            (Method::POST, format!("{at}/members"), json!({"user_id": new, "role": "member"})),
            (Method::PATCH, format!("{at}/members/{eve}/role"), json!({"role": "admin"})),
            (Method::PATCH, format!("{at}/domains/{domain}"), joins),
        ] {
            let code = if path.ends_with("/role") { "role_ceiling" } else { "permission_missing" };
            let before = house.before().await;
            let refused = ann.write(method, &path, body).await;
            let told = (refused.status.as_u16(), &refused.json()["code"]);
            assert_eq!(told, (403, &json!(code)), "{path}: {}", refused.body);
            house.refused(&before, code).await;
        }
        let rule = json!({
            "connection_id": house.connection("ca").await, "claim": "groups", "operator": "contains", "value": "x",
            "role": "member",
        });
        let before = house.before().await;
        let refused = ann.post(&format!("{at}/role-rules"), rule).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("permission_missing")));
        house.refused(&before, "permission_missing").await;
        // Nor a provider of its own.
        let body = json!({
            "type": "oidc", "issuer": house.idp_b.issuer, "client_id": "behalf", "client_secret": house.idp_b.secret,
            "activate": true,
        });
        let before = house.before().await;
        let refused = ann.post("/connections", body).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("owner_required")));
        house.refused(&before, "owner_required").await;
        assert_eq!(ann.get("/organizations/org-a/members").await.status, 200);
    }
}
