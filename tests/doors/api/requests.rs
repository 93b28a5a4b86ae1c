//! What a request must look like, and what becomes of one that is sent twice.

use behalf::manage::api::routes::ROUTES;
use behalf::manage::authority::Need;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::json;

use super::everyone::Ids;
use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House};
use crate::house::visitor::Visitor;

#[tokio::test]
async fn s0_35_s1_r00_what_nothing_is_known_of_is_refused_by_its_name() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    for (path, code, parameter) in [
        ("/organizations?nmae=x", "unknown_parameter", "nmae"),
        ("/organizations?name=x&name=y", "duplicate_parameter", "name"),
        ("/organizations?status=gone", "invalid_parameter", "status"),
        ("/organizations/org-a?x=", "unknown_parameter", "x"),
    ] {
        let before = house.before().await;
        let refused = operator.get(path).await;
        let body = refused.json();
        assert_eq!((refused.status.as_u16(), &body["code"]), (400, &json!(code)), "{path}");
        assert_eq!(body["errors"][0]["parameter"], json!(parameter));
        assert!(body["request_id"].as_str().unwrap().starts_with("req_"));
        assert_eq!(body["type"], json!(format!("{}/api/v1/problems#{code}", house.url)));
        assert_eq!(refused.header("cache-control"), Some("no-store"));
        house.refused(&before, code).await;
    }
}

#[tokio::test]
async fn m10_m11_a_body_that_is_not_one_json_object_is_refused_and_changes_nothing() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let many = house.count("organizations").await;
    let json = "application/json";
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    for (kind, body, status, code) in [
        (json, "", 400, "invalid_json"),
        (json, "[]", 400, "invalid_json"),
        (json, "{\"name\":\"x\"}{}", 400, "invalid_json"),
        (json, "{\"name\":\"x\",\"name\":\"y\"}", 400, "invalid_json"),
        (json, "{\"name\":7}", 400, "invalid_body"),
        (json, "{\"nmae\":\"x\"}", 400, "unknown_field"),
        (json, "{\"id\":\"7\"}", 422, "invalid_value"),
        (json, "{\"name\":\"\\u0000\"}", 422, "invalid_value"),
        ("text/plain", "{}", 415, "unsupported_media_type"),
        ("application/merge-patch+json", "{}", 415, "unsupported_media_type"),
        (json, large.as_str(), 413, "too_large"),
    ] {
        let before = house.before().await;
        let body_of = body.to_owned();
        let dress = |ask: reqwest::RequestBuilder| ask.header(CONTENT_TYPE, kind).body(body_of);
        let refused = operator.send(Method::POST, "/organizations", dress).await;
        assert_eq!(refused.status.as_u16(), status, "{}", refused.body);
        assert_eq!(refused.json()["code"], json!(code));
        house.refused(&before, code).await;
    }
    let unwanted = operator.send(Method::GET, "/organizations", |ask| ask.body("{}")).await;
    assert_eq!((unwanted.status.as_u16(), &unwanted.json()["code"]), (400, &json!("body_unexpected")));
    assert_eq!(house.count("organizations").await, many);
}

/// RFC 9110, sections 8.4 and 15.5.16.
#[tokio::test]
async fn m11_s1_r00_no_route_reads_a_body_that_comes_in_a_coding() {
    let house = House::opens().await;
    let (operator, con) = (Api::operator(&house).await, Api::person(&house, "con@a.test", "org-a").await);
    Api::person(&house, "ann@a.test", "org-a").await;
    let ids = Ids::of(&house).await;
    for route in ROUTES {
        let api = if matches!(route.need, Need::Person | Need::Account) { &con } else { &operator };
        let before = house.before().await;
        let dress = |ask: reqwest::RequestBuilder| {
            ask.header(CONTENT_TYPE, "application/json").header(CONTENT_ENCODING, "gzip").body("{}")
        };
        let query = if route.name == "search_users" { "?search=ann" } else { "" };
        let path = format!("{}{query}", ids.in_path(route.path));
        let refused = api.send(route.method.clone(), &path, dress).await;
        let told = (refused.status.as_u16(), refused.json()["code"].clone());
        assert_eq!(told, (415, json!("unsupported_content_encoding")), "{}: {}", route.name, refused.body);
        assert_eq!(refused.header("accept-encoding"), Some("identity"), "{}", route.name);
        house.refused(&before, "unsupported_content_encoding").await;
    }
    // None is no coding, whatever there is a body of.
    for coding in ["identity", "Identity"] {
        let dress = |ask: reqwest::RequestBuilder| {
            ask.header(CONTENT_TYPE, "application/json").header(CONTENT_ENCODING, coding).body("{}")
        };
        assert_eq!(operator.send(Method::PATCH, "/organizations/org-a", dress).await.status, 200, "{coding}");
    }
    let nothing =
        operator.send(Method::GET, "/organizations", |ask| ask.header(CONTENT_ENCODING, "gzip")).await;
    assert_eq!(nothing.status, 200, "{}", nothing.body);
}

#[tokio::test]
async fn h39_s1_r00_the_same_request_under_the_same_key_is_done_once() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let keyed = async |api: &Api, key: &str, name: &str| {
            let body = json!({ "name": name }).to_string();
            let dress = |ask: reqwest::RequestBuilder| {
                ask.header("idempotency-key", key).header(CONTENT_TYPE, "application/json").body(body)
            };
            api.send(Method::POST, "/organizations", dress).await
        };
        let many = house.count("organizations").await;
        let all = futures_util::future::join_all((0..10).map(|_| keyed(&operator, "one", "Once"))).await;
        let first = all.iter().find(|answer| answer.header("idempotency-replayed").is_none()).unwrap();
        assert_eq!(first.status, 201);
        for answer in &all {
            assert_eq!((answer.status, &answer.body), (first.status, &first.body));
            assert_eq!(answer.header("location"), first.header("location"));
        }
        assert_eq!(house.count("organizations").await, many + 1);
        let replayed =
            all.iter().filter(|answer| answer.header("idempotency-replayed") == Some("true")).count();
        assert_eq!(replayed, 9);

        let other = keyed(&operator, "one", "Twice").await;
        assert_eq!((other.status.as_u16(), &other.json()["code"]), (422, &json!("idempotency_key_reused")));
        let stranger = Api::operator(&house).await;
        assert_eq!(keyed(&stranger, "one", "Twice").await.status, 201, "a key is the caller's own");
        for wrong in ["", "a b", &"x".repeat(256)] {
            let refused = keyed(&operator, wrong, "x").await;
            assert_eq!(
                (refused.status.as_u16(), &refused.json()["code"]),
                (400, &json!("invalid_parameter"))
            );
        }
        // What was refused may be tried again; what is over is forgotten.
        let taken = async || {
            let body = json!({"name": "x", "slug": "fresh"}).to_string();
            let dress = |ask: reqwest::RequestBuilder| {
                ask.header("idempotency-key", "two").header(CONTENT_TYPE, "application/json").body(body)
            };
            operator.send(Method::POST, "/organizations", dress).await.status.as_u16()
        };
        operator.post("/organizations", json!({"slug": "fresh"})).await;
        assert_eq!(taken().await, 409);
        house.execute("UPDATE organizations SET slug = 'other' WHERE slug = 'fresh'").await;
        house.execute("DELETE FROM organization_slugs WHERE slug = 'fresh'").await;
        assert_eq!(taken().await, 201, "what was refused is done when it can be");
        house.turn_clock(24 * 3_600 + 1);
        assert_eq!(keyed(&operator, "one", "Once").await.header("idempotency-replayed"), None);
    }
}

#[tokio::test]
async fn h39_who_renamed_something_and_asks_again_is_answered_as_the_first_time() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let rename = async || {
            let body = json!({"slug": "renamed"}).to_string();
            let dress = |ask: reqwest::RequestBuilder| {
                ask.header("idempotency-key", "one").header(CONTENT_TYPE, "application/json").body(body)
            };
            operator.send(Method::PATCH, "/organizations/org-a", dress).await
        };
        let first = rename().await;
        assert_eq!(first.status, 200, "{}", first.body);
        let before = house.before().await;
        let again = rename().await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        house.unchanged(&before).await;
        assert!(house.events_since(&before).await.is_empty());
    }
}

#[tokio::test]
async fn h39_a_person_is_the_same_caller_by_whichever_token_and_nobody_else_is() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let rp1 = Application::rp1(&house);
        // Lets the application have tokens for the API.
        access_token(&house, "ann@a.test", "org-a").await;
        let ask = rp1.asks().with("organization", "org-a").with("login_hint", "ann@a.test");
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        let first = ask.redeems(&arrival).await;
        let ann = Api::with(&house, Some(first.access_token.clone())).await;
        let invites = async |api: &Api, email: &str| {
            let body = json!({"email": email, "role": "member", "send": false}).to_string();
            let dress = |ask: reqwest::RequestBuilder| {
                ask.header("idempotency-key", "one").header(CONTENT_TYPE, "application/json").body(body)
            };
            api.send(Method::POST, "/organizations/org-a/invitations", dress).await
        };
        let made = invites(&ann, "new@c.test").await;
        assert_eq!(made.status, 201, "{}", made.body);
        // By the next token of the same sign-in, and by another sign-in.
        let refreshed = ask.reads_again(&rp1.refreshes(first.refresh()).send().await).await;
        assert_ne!(refreshed.access_token, first.access_token);
        let refreshed = Api::with(&house, Some(refreshed.access_token)).await;
        let anew = Api::person(&house, "ann@a.test", "org-a").await;
        for again in [&refreshed, &anew] {
            let before = house.before().await;
            let answer = invites(again, "new@c.test").await;
            assert_eq!((answer.status, &answer.body), (made.status, &made.body));
            assert_eq!(answer.header("idempotency-replayed"), Some("true"));
            house.unchanged(&before).await;
            assert!(house.events_since(&before).await.is_empty());
            // Another request is another one, whichever token it comes by.
            let other = invites(again, "other@c.test").await;
            assert_eq!(
                (other.status.as_u16(), &other.json()["code"]),
                (422, &json!("idempotency_key_reused"))
            );
        }
        // Under the same key, others are answered for themselves.
        let key = Api::key(&house, "org-a", &["invitations:write", "organization:read"]).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        for (api, status) in [(&key, 201), (&con, 403)] {
            let answer = invites(api, "third@c.test").await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
            assert_eq!(answer.header("idempotency-replayed"), None);
        }
        assert_eq!(house.count("invitations").await, 2);
    }
}

#[tokio::test]
async fn m10_m11_a_body_that_may_be_left_out_is_read_as_strictly_where_it_is_there() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    Api::person(&house, "con@a.test", "org-a").await;
    let ids = Ids::of(&house).await;
    let document = Visitor::arrives().get(&format!("{}/api/v1/openapi.json", house.url)).await.json();
    let mut optional = 0;
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        if operation["requestBody"]["required"] != json!(false) {
            continue;
        }
        optional += 1;
        let path = ids.in_path(route.path);
        let says = async |kind: Option<&str>, body: &'static str| {
            let dress = |ask: reqwest::RequestBuilder| match kind {
                Some(kind) => ask.header(CONTENT_TYPE, kind).body(body),
                None => ask.body(body),
            };
            operator.send(route.method.clone(), &path, dress).await
        };
        for (kind, body, told) in [
            (Some("application/json"), " ", (400, "invalid_json")),
            (Some("application/json"), "x", (400, "invalid_json")),
            (Some("application/json"), "[]", (400, "invalid_json")),
            (Some("application/json"), "null", (400, "invalid_json")),
            (Some("application/json"), "{}{}", (400, "invalid_json")),
            (Some("application/json"), "{\"nothing_knows_this\":1}", (400, "unknown_field")),
            (Some("text/plain"), "{}", (415, "unsupported_media_type")),
            (Some("application/x-www-form-urlencoded"), "a=b", (415, "unsupported_media_type")),
            (None, "{}", (415, "unsupported_media_type")),
        ] {
            let before = house.before().await;
            let refused = says(kind, body).await;
            let code = refused.json()["code"].as_str().unwrap_or_default().to_owned();
            assert_eq!((refused.status.as_u16(), &*code), told, "{}: {kind:?} {body}", route.name);
            house.refused(&before, told.1).await;
        }
        for (kind, body) in [(None, ""), (Some("application/json"), ""), (Some("application/json"), "{}")] {
            let taken = says(kind, body).await;
            assert!(taken.status.is_success(), "{}: {}", route.name, taken.body);
        }
    }
    assert!(optional > 1);
}

#[tokio::test]
async fn m08_what_cannot_be_recorded_is_not_done() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let many = house.count("organizations").await;
    house.execute("ALTER TABLE audit_events RENAME TO gone").await;
    let refused = operator.post("/organizations", json!({"name": "x"})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (503, &json!("audit_unavailable")));
    let unread = operator.get("/organizations?x=y").await;
    assert_eq!((unread.status.as_u16(), &unread.json()["code"]), (503, &json!("audit_unavailable")));
    assert_eq!(house.count("organizations").await, many);
    house.execute("ALTER TABLE gone RENAME TO audit_events").await;
    assert_eq!(operator.post("/organizations", json!({"name": "x"})).await.status, 201);
}
