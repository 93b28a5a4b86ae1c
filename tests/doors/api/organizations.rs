//! Organizations over the API.

use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::broker::{Engine, House};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const ID: &str = "0192f3a4-b5c6-7d8e-9f00-112233445566";

/// The last event of this action, with what was changed.
async fn last_change(house: &House, action: &str) -> (Value, Value) {
    let read = async |column: &str| {
        let sql =
            format!("SELECT {column} FROM audit_events WHERE action = '{action}' ORDER BY id DESC LIMIT 1");
        house.text(&sql).await.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    };
    (read("before").await, read("after").await)
}

#[tokio::test]
async fn s0_16_s0_17_s0_18_s0_19_an_organization_is_made_with_the_id_that_is_given_or_one_of_its_own() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let made = operator.post("/organizations", json!({"id": ID, "name": "My Corporation"})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let (view, etag) = (made.json(), made.header("etag").unwrap().to_owned());
        assert_eq!((&view["uuid"], &view["slug"]), (&json!(ID), &json!("my-corporation")));
        assert_eq!(
            (&view["name"], &view["display_name"]),
            (&json!("My Corporation"), &json!("My Corporation"))
        );
        assert_eq!((&view["status"], &view["has_owner"]), (&json!("active"), &json!(false)), "S1-L2");
        assert_eq!(view["created_at"], json!("2026-06-01T09:00:00.000Z"), "S3-17");
        let prefixed = view["id"].as_str().unwrap().to_owned();
        assert_eq!(made.header("location"), Some(&*format!("/api/v1/organizations/{prefixed}")));
        for name in [ID, &prefixed, "my-corporation"] {
            let read = operator.get(&format!("/organizations/{name}")).await;
            assert_eq!((read.status.as_u16(), &read.json()), (200, &view), "{name}");
            assert_eq!(read.header("etag"), Some(&*etag));
        }

        let again = operator.post("/organizations", json!({"id": prefixed, "name": "Another"})).await;
        assert_eq!((again.status.as_u16(), &again.json()["code"]), (409, &json!("organization_exists")));
        assert_eq!(operator.get(&format!("/organizations/{ID}")).await.json(), view, "nothing changed");

        let bare = operator.post("/organizations", json!({})).await;
        assert_eq!(bare.status, 201, "{}", bare.body);
        assert_eq!(bare.json()["name"], bare.json()["id"], "S0-19");
        let other = "0192f3a4-b5c6-7d8e-9f00-112233445567";
        let nameless = operator.post("/organizations", json!({"id": other})).await.json();
        assert_eq!(nameless["name"], json!(other), "as it was written");

        house.turn_clock(1);
        let same_name = operator.post("/organizations", json!({"name": "My Corporation"})).await.json();
        assert_eq!(same_name["slug"], json!("my-corporation-2"), "S3-16: a name may be there twice");
        let taken = operator.post("/organizations", json!({"name": "x", "slug": "my-corporation"})).await;
        assert_eq!((taken.status.as_u16(), &taken.json()["code"]), (409, &json!("slug_taken")));

        let (before, after) = last_change(&house, "organization.created").await;
        assert_eq!((before, &after["slug"]), (Value::Null, &json!("my-corporation-2")));
    }
}

#[tokio::test]
async fn s0_18_s0_20_of_many_at_once_one_makes_the_organization() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let body = || json!({"id": ID, "name": "Crowded"});
        let posts =
            futures_util::future::join_all((0..50).map(|_| operator.post("/organizations", body()))).await;
        let statuses: Vec<_> = posts.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 201 | 409)), "{statuses:?}");

        let other = "/organizations/0192f3a4-b5c6-7d8e-9f00-112233445567";
        let puts =
            futures_util::future::join_all((0..20).map(|_| operator.put(other, json!({"name": "y"})))).await;
        let statuses: Vec<_> = puts.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 201)), "{statuses:?}");
        let made = house.events_of("organization.created").await;
        assert_eq!(made, 3 + 2, "the house's own, and one each");
    }
}

#[tokio::test]
async fn s1_r04_s0_20_put_makes_it_once_and_then_changes_what_is_sent() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let path = format!("/organizations/{ID}");
        let made =
            operator.put(&path, json!({"name": "x", "description": "of\ntwo lines", "kind": "school"})).await;
        assert_eq!((made.status.as_u16(), &made.json()["uuid"]), (201, &json!(ID)), "{}", made.body);
        house.turn_clock(60);
        let renamed = operator.put(&path, json!({"name": "y"})).await;
        let mut expected = made.json();
        (expected["name"], expected["display_name"]) = (json!("y"), json!("y"));
        expected["updated_at"] = json!("2026-06-01T09:01:00.000Z");
        assert_eq!(
            (renamed.status.as_u16(), renamed.json()),
            (200, expected.clone()),
            "only the name, S3-18"
        );
        assert_eq!(
            last_change(&house, "organization.updated").await,
            (json!({"display_name": "x"}), json!({"display_name": "y"}))
        );
        house.turn_clock(60);
        let events = house.events_of("organization.updated").await;
        let again = operator.put(&path, json!({"name": "y"})).await;
        assert_eq!((again.status.as_u16(), again.json()), (200, expected), "idempotent");
        assert_eq!(house.events_of("organization.updated").await, events);
        let cleared = operator.put(&path, json!({"name": "y", "description": null})).await.json();
        assert_eq!((&cleared["description"], &cleared["kind"]), (&Value::Null, &json!("school")));

        let nameless = operator.put(&path, json!({})).await;
        assert_eq!((nameless.status.as_u16(), &nameless.json()["code"]), (400, &json!("invalid_body")));
        for immutable in ["id", "created_at", "project_id"] {
            let refused = operator.put(&path, json!({"name": "z", immutable: "x"})).await;
            assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &json!("unknown_field")));
            assert_eq!(refused.json()["errors"][0]["pointer"], json!(format!("/{immutable}")));
        }
        let unknown = operator.put("/organizations/no-such-slug", json!({"name": "z"})).await;
        assert_eq!(unknown.status, 404, "a slug makes no id");
    }
}

#[tokio::test]
async fn s1_r04_s1_r03_whoever_says_what_they_have_read_overwrites_nothing_else() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let read = operator.get("/organizations/org-a").await;
        let etag = read.header("etag").unwrap().to_owned();
        let get = reqwest::Method::GET;
        for known in [etag.as_str(), "*", &format!("\"x\", W/{etag}")] {
            let path = "/organizations/org-a";
            let same = operator.send(get.clone(), path, |ask| ask.header("if-none-match", known)).await;
            assert_eq!((same.status.as_u16(), same.body.as_str()), (304, ""), "{known}");
        }
        let patch = async |etag: &str, name: &str| {
            let body = json!({ "name": name }).to_string();
            let dress = |ask: reqwest::RequestBuilder| {
                ask.header("if-match", etag).header("content-type", "application/merge-patch+json").body(body)
            };
            operator.send(reqwest::Method::PATCH, "/organizations/org-a", dress).await
        };
        let first = patch(&etag, "First").await;
        assert_eq!((first.status.as_u16(), &first.json()["name"]), (200, &json!("First")));
        assert_ne!(first.header("etag"), Some(&*etag));
        let now = first.header("etag").unwrap();
        assert_eq!(patch(&format!("W/{now}"), "Weak").await.status, 412, "a weak one matches nothing");
        let late = patch(&etag, "Second").await;
        assert_eq!((late.status.as_u16(), &late.json()["code"]), (412, &json!("precondition_failed")));
        assert_eq!(operator.get("/organizations/org-a").await.json()["name"], json!("First"));
        assert_eq!(patch("*", "Third").await.status, 200);
        let body = json!({"name": "x"}).to_string();
        let dress = |ask: reqwest::RequestBuilder| {
            ask.header("if-match", "*").header("content-type", "application/json").body(body)
        };
        let new = operator.send(reqwest::Method::PUT, &format!("/organizations/{ID}"), dress).await;
        assert_eq!(new.status, 412, "there is nothing yet");
    }
}

#[tokio::test]
async fn s2_29_s2_34_a_slug_is_renamed_and_never_given_away_and_the_id_stays() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let id = house.organization("org-a").await;
        let renamed = operator.patch("/organizations/org-a", json!({"slug": "a-corp"})).await;
        assert_eq!((renamed.status.as_u16(), &renamed.json()["id"]), (200, &json!(id)), "{}", renamed.body);
        assert_eq!(
            last_change(&house, "organization.renamed").await,
            (json!({"slug": "org-a"}), json!({"slug": "a-corp"}))
        );
        assert_eq!(operator.get("/organizations/org-a").await.status, 404);
        for (method, path) in [("PATCH", "/organizations/org-b"), ("POST", "/organizations")] {
            let taken = operator.write(method.parse().unwrap(), path, json!({"slug": "org-a"})).await;
            assert_eq!(
                (taken.status.as_u16(), &taken.json()["code"]),
                (409, &json!("slug_taken")),
                "{method}"
            );
        }
        let back = operator.patch(&format!("/organizations/{id}"), json!({"slug": "org-a"})).await;
        assert_eq!(
            (back.status.as_u16(), &back.json()["slug"]),
            (200, &json!("org-a")),
            "its own may come back"
        );
        let moved = operator.patch("/organizations/org-a", json!({"id": ID})).await;
        assert_eq!((moved.status.as_u16(), &moved.json()["code"]), (400, &json!("unknown_field")));
    }
}

#[tokio::test]
async fn s1_r01_s0_12_s2_41_lists_come_in_pages_of_what_one_may_see() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        for number in 0..5 {
            house.turn_clock(1);
            let body = json!({"name": format!("Zeta {number}")});
            assert_eq!(operator.post("/organizations", body).await.status, 201);
        }
        house.execute("UPDATE organizations SET deleted_at = 1 WHERE slug = 'zeta-3'").await;
        house.execute("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'zeta-4'").await;
        let slugs = async |query: &str| {
            let (mut slugs, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let page = operator.get(&format!("/organizations?limit=2{query}{cursor}")).await.json();
                slugs.extend(page["items"].as_array().unwrap().iter().map(|one| one["slug"].clone()));
                pages += 1;
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return (slugs, pages),
                }
            }
        };
        let (all, pages) = slugs("").await;
        assert_eq!((all.len(), pages), (7, 4), "{all:?}");
        assert!(all.contains(&json!("org-a")) && !all.contains(&json!("zeta-3")));
        assert_eq!(slugs("&name=ZETA").await.0, ["zeta-0", "zeta-1", "zeta-2", "zeta-4"]);
        assert_eq!(slugs("&name=zeta&status=deactivated").await.0, ["zeta-4"]);
        assert_eq!(slugs("&status=deleted").await.0, ["zeta-3"]);
        assert_eq!(slugs("&name=%25").await.0, [""; 0]);
        assert_eq!(slugs("&has_owner=true").await.0, [""; 0], "nobody has signed in yet");

        let first = operator.get("/organizations?limit=2").await.json();
        let cursor = first["next_cursor"].as_str().unwrap();
        let other = operator.get(&format!("/organizations?limit=2&name=z&cursor={cursor}")).await;
        assert_eq!((other.status.as_u16(), &other.json()["code"]), (400, &json!("cursor_invalid")));
        for limit in ["0", "201", "x", "-1"] {
            let refused = operator.get(&format!("/organizations?limit={limit}")).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.json()["code"]),
                (400, &json!("invalid_parameter"))
            );
        }

        let key = Api::key(&house, "org-a", &["organization:read"]).await;
        let own = key.get("/organizations").await.json();
        assert_eq!(own["items"].as_array().unwrap().len(), 1);
        assert_eq!((&own["items"][0]["slug"], &own["next_cursor"]), (&json!("org-a"), &Value::Null));
        assert!(own["items"][0].get("functional_roles").is_none());
    }
}

#[tokio::test]
async fn s0_28_s2_32_s3_01_what_breaks_a_rule_is_named_and_changes_nothing() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let before = operator.get("/organizations/org-a").await.json();
    let long = "x".repeat(1_001);
    for (field, value) in [
        ("logo_uri", json!("javascript:alert(1)")),
        ("logo_uri", json!("http://a.test/logo.png")),
        ("logo_uri", json!("data:image/png;base64,AAAA")),
        ("description", json!(long)),
        ("description", json!("a\u{202e}b")),
        ("name", json!("a\nb")),
        ("name", json!("")),
        ("name", json!("\u{3164}")),
        ("name", json!("a\u{2028}b")),
        ("name", Value::Null),
        ("display_name", Value::Null),
        ("display_name", json!("")),
        ("slug", Value::Null),
        ("slug", json!("Not A Slug")),
        ("slug", json!(ID)),
        ("kind", json!(long)),
        ("functional_roles", json!(["no-such"])),
    ] {
        let noted = house.before().await;
        let refused = operator.patch("/organizations/org-a", json!({ field: value })).await;
        let body = refused.json();
        let (status, code) = if field == "logo_uri" { (400, "invalid_uri") } else { (422, "invalid_value") };
        assert_eq!((refused.status.as_u16(), &body["code"]), (status, &json!(code)), "{field}: {body}");
        let pointer = body["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with(&format!("/{field}")), "{pointer}");
        house.refused(&noted, code).await;
    }
    assert_eq!(operator.get("/organizations/org-a").await.json(), before);
    let fine =
        json!({"logo_uri": "https://cdn.a.test/logo.png", "description": "Makes\nthings", "kind": "company"});
    let after = operator.patch("/organizations/org-a", fine).await;
    assert_eq!((after.status.as_u16(), &after.json()["kind"]), (200, &json!("company")), "S3-01");
    let both = operator.patch("/organizations/org-a", json!({"name": "x", "display_name": "y"})).await;
    assert_eq!((both.status.as_u16(), &both.json()["code"]), (400, &json!("invalid_body")));
}

#[tokio::test]
async fn s2_30_s2_31_s3_16_s3_17_s3_18_its_names_and_times_are_what_was_said_and_when() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let path = "/organizations/org-a";
        let made = operator.get(path).await.json();
        house.turn_clock(60);
        let body = json!({"display_name": "A & Söhne", "description": "Makes\nthings"});
        let changed = operator.patch(path, body).await.json();
        assert_eq!(
            (&changed["display_name"], &changed["description"]),
            (&json!("A & Söhne"), &json!("Makes\nthings"))
        );
        assert_eq!(changed["created_at"], made["created_at"]);
        let at = |view: &Value, name: &str| {
            behalf::foundation::clock::Moment::parse_rfc3339(view[name].as_str().unwrap()).unwrap()
        };
        assert_eq!(at(&changed, "updated_at").since(at(&made, "updated_at")).as_secs(), 60);
        assert!(at(&made, "created_at") <= at(&made, "updated_at"));
        // Two may be called the same; each property moves the time, and members do not.
        house.turn_clock(60);
        let twin = operator.patch("/organizations/org-b", json!({"display_name": "A & Söhne"})).await;
        assert_eq!(twin.status, 200, "{}", twin.body);
        house.has_member("dan@a.test", "org-a", &["member"]).await;
        let key = json!({"organization_id": "org-a", "name": "k", "permissions": ["organization:read"]});
        assert_eq!(operator.post("/api-keys", key).await.status, 201);
        assert_eq!(operator.get(path).await.json()["updated_at"], changed["updated_at"]);
        for (field, value) in [
            ("description", Value::Null),
            ("kind", json!("school")),
            ("logo_uri", json!("https://cdn.a.test/logo.png")),
            ("slug", json!("a-and-sons")),
            ("functional_roles", json!(["administration"])),
        ] {
            let id = changed["id"].as_str().unwrap();
            let before = operator.get(&format!("/organizations/{id}")).await.json();
            house.turn_clock(60);
            let after = operator.patch(&format!("/organizations/{id}"), json!({field: value})).await.json();
            assert_eq!(at(&after, "updated_at").since(at(&before, "updated_at")).as_secs() % 60, 0);
            assert!(at(&after, "updated_at") > at(&before, "updated_at"), "{field}");
            assert_eq!(after["created_at"], made["created_at"], "{field}");
        }
        let none =
            operator.patch("/organizations/a-and-sons", json!({"created_at": "2020-01-01T00:00:00Z"})).await;
        assert_eq!((none.status.as_u16(), &none.json()["code"]), (400, &json!("unknown_field")));
    }
}

#[tokio::test]
async fn s2_29_a_restless_organization_does_not_use_up_the_names_of_all() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &["organization:read", "organization:write"]).await;
        let id = house.organization("org-a").await;
        let path = format!("/organizations/{id}");
        for number in 0..5 {
            house.turn_clock(600);
            let renamed = key.patch(&path, json!({"slug": format!("name-{number}")})).await;
            assert_eq!(renamed.status, 200, "{}", renamed.body);
        }
        let before = house.before().await;
        let put = json!({"name": "x", "slug": "name-6"});
        for refused in [key.patch(&path, json!({"slug": "name-6"})).await, key.put(&path, put).await] {
            assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (429, &json!("too_many_renames")));
            // A day after the first of them.
            assert_eq!(refused.header("retry-after"), Some("84000"));
        }
        house.unchanged(&before).await;
        assert_eq!(key.patch(&path, json!({"name": "Else"})).await.status, 200, "a name is no slug");
        let operator = Api::operator(&house).await;
        assert_eq!(operator.patch(&path, json!({"slug": "name-7"})).await.status, 200);
        house.turn_clock(84_000);
        assert_eq!(key.patch(&path, json!({"slug": "name-8"})).await.json()["code"], "too_many_renames");
        house.turn_clock(600);
        assert_eq!(key.patch(&path, json!({"slug": "name-8"})).await.status, 200);
    }
}

#[tokio::test]
async fn s0_25_what_an_organization_may_do_is_named_once() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let body = json!({"functional_roles": ["directory", "idp_consumer", "directory"]});
    let patched = operator.patch("/organizations/org-a", body).await;
    assert_eq!(patched.json()["functional_roles"], json!(["directory", "idp_consumer"]), "{}", patched.body);
}
