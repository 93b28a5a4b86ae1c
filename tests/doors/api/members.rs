//! Members over the API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::{delete, refusal, told};
use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn emails(page: &Answer) -> Vec<String> {
    let items = page.json()["items"].as_array().unwrap().clone();
    items.iter().map(|one| one["email"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn s1_r06_s1_o2_members_are_listed_in_pages_and_by_what_they_are() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        for number in 0..5 {
            house.turn_clock(1);
            house.has_member(&format!("m{number}@c.test"), "org-a", &["member"]).await;
        }
        house.turn_clock(1);
        let bob = house.has_member("bea@b.test", "org-b", &["owner"]).await;
        house.joins(bob, "org-a", &["admin", "member"]).await;
        let path = "/organizations/org-a/members";
        let all = ann.get(path).await;
        assert_eq!(all.status, 200, "{}", all.body);
        let everybody =
            ["ann@a.test", "m0@c.test", "m1@c.test", "m2@c.test", "m3@c.test", "m4@c.test", "bea@b.test"];
        assert_eq!(emails(&all), everybody);
        let first = &all.json()["items"][0];
        assert_eq!((&first["roles"], &first["source"]), (&json!(["owner"]), &json!("manual")));
        assert_eq!(first["last_sign_in_at"], json!("2026-06-01T09:00:00.000Z"), "S1-L7");
        assert_eq!(first["last_active_at"], json!("2026-06-01T09:00:00.000Z"), "S1-L7");

        let (mut seen, mut cursor) = (Vec::new(), String::new());
        for _ in 0..4 {
            let page = ann.get(&format!("{path}?limit=2{cursor}")).await;
            seen.extend(emails(&page));
            match page.json()["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, everybody);
        let strange = ann.get(&format!("{path}?limit=3{cursor}&role=member")).await;
        assert_eq!(told(&strange), refusal(400, "cursor_invalid"), "of another list");

        let gone = house.user("m4@c.test").await;
        assert_eq!(delete(&ann, &format!("{path}/{gone}")).await.status, 204);
        for (query, expected) in [
            ("role=owner", vec!["ann@a.test"]),
            ("role=admin", vec!["bea@b.test"]),
            ("role=member&limit=2", vec!["m0@c.test", "m1@c.test"]),
            ("role=nothing", vec![]),
            ("status=removed", vec!["m4@c.test"]),
            ("status=active&role=member&search=M3", vec!["m3@c.test"]),
            ("source=jit", vec![]),
            ("kind=home", vec![]),
            ("search=bea@b", vec!["bea@b.test"]),
            ("search=be%20BEA", vec!["bea@b.test"]),
            ("search=ea", vec![]),
            ("role=admin&search=bea", vec!["bea@b.test"]),
            ("role=owner&search=bea", vec![]),
        ] {
            assert_eq!(emails(&ann.get(&format!("{path}?{query}")).await), expected, "{query}");
        }
        for (query, expected) in [
            ("search=b", refusal(400, "search_too_short")),
            ("status=gone", refusal(400, "invalid_parameter")),
            ("role=a&role=b", refusal(400, "duplicate_parameter")),
            ("roles=a", refusal(400, "unknown_parameter")),
            ("cursor=x", refusal(400, "cursor_invalid")),
        ] {
            assert_eq!(told(&ann.get(&format!("{path}?{query}")).await), expected, "{query}");
        }
        // What bea does for B is B's to know.
        let bea = ann.get(&format!("{path}/{bob}")).await.json();
        assert_eq!((&bea["last_sign_in_at"], &bea["last_active_at"]), (&Value::Null, &Value::Null));
        let con = Api::person(&house, "con@a.test", "org-a").await;
        assert_eq!(told(&con.get(path).await), refusal(403, "permission_missing"), "by policy: hidden");
        assert_eq!(told(&ann.get("/organizations/org-b/members").await), refusal(404, "not_found"));
    }
}

#[tokio::test]
async fn s1_r07_s1_l3_s2_35_s2_40_somebody_who_is_known_is_added_once() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let path = "/organizations/org-a/members";
        let eve = house.knows("eve@a.test", "Eve Adams").await;
        let far = house.knows("far@b.test", "Far Away").await;
        let ask = |email: &str| json!({"email": email, "role": "member"});
        let added = ann
            .send(Method::POST, path, |request| {
                let request =
                    request.header("idempotency-key", "k1").header("content-type", "application/json");
                request.body(ask(" EVE@a.test").to_string())
            })
            .await;
        assert_eq!(added.status, 201, "{}", added.body);
        let view = added.json();
        assert_eq!((&view["user_id"], &view["roles"]), (&json!(eve.to_string()), &json!(["member"])));
        assert_eq!((&view["status"], &view["source"]), (&json!("active"), &json!("manual")));
        let location = added.header("location").unwrap().strip_prefix("/api/v1").unwrap().to_owned();
        assert_eq!(ann.get(&location).await.json(), view);

        let before = house.before().await;
        for (body, expected) in [
            (ask("eve@a.test"), refusal(409, "already_member")),
            (json!({"user_id": eve.to_string(), "roles": ["member"]}), refusal(409, "already_member")),
            // Of another organization's people nothing is told apart.
            (ask("far@b.test"), refusal(404, "user_not_found")),
            (ask("nobody@b.test"), refusal(404, "user_not_found")),
            (ask("nobody@a.test"), refusal(404, "user_not_found")),
            (json!({"user_id": far.to_string(), "role": "member"}), refusal(404, "user_not_found")),
            (json!({"user_id": "user_x", "role": "member"}), refusal(404, "user_not_found")),
            (ask("no address"), refusal(422, "invalid_value")),
            (json!({"email": "eve@a.test"}), refusal(400, "invalid_body")),
            (json!({"role": "member"}), refusal(400, "invalid_body")),
            (
                json!({"email": "eve@a.test", "role": "member", "roles": ["member"]}),
                refusal(400, "invalid_body"),
            ),
            (json!({"email": "eve@a.test", "roles": []}), refusal(422, "invalid_value")),
            (json!({"email": "eve@a.test", "roles": ["member", "member"]}), refusal(422, "invalid_value")),
            (json!({"email": "eve@a.test", "role": "member", "kind": "home"}), refusal(422, "invalid_value")),
            (
                json!({"email": "eve@a.test", "role": "member", "email_verified": true}),
                refusal(400, "unknown_field"),
            ),
        ] {
            assert_eq!(told(&ann.post(path, body.clone()).await), expected, "{body}");
        }
        house.unchanged(&before).await;

        let operator = Api::operator(&house).await;
        let guest = json!({"user_id": far.to_string(), "role": "member", "kind": "guest"});
        assert_eq!(operator.post(path, guest).await.status, 201, "the operator reaches everybody");
        let by_mail = json!({"email": "far@b.test", "role": "owner", "kind": "home"});
        assert_eq!(operator.post("/organizations/org-c/members", by_mail).await.status, 201);

        // Ten at once: one is added.
        let ida = house.knows("ida@a.test", "Ida").await;
        let body = json!({"user_id": ida.to_string(), "role": "member"});
        let all = futures_util::future::join_all((0..10).map(|_| ann.post(path, body.clone()))).await;
        assert_eq!(all.iter().filter(|answer| answer.status == 201).count(), 1);
        assert!(all.iter().all(|answer| answer.status == 201 || told(answer).1 == "already_member"));
    }
}

#[tokio::test]
async fn s3_04_s3_06_in_an_exclusive_project_nobody_belongs_twice_or_moves() {
    for engine in ENGINES {
        let plan = Plan::on(engine)
            .with("slug = \"default\"", "slug = \"default\"\nmembership_mode = \"exclusive\"");
        let house = plan.build().await;
        let operator = Api::operator(&house).await;
        let eve = house.knows("eve@a.test", "Eve").await;
        let body = json!({"user_id": eve.to_string(), "role": "member"});
        let added = operator.post("/organizations/org-a/members", body.clone()).await;
        assert_eq!((added.status.as_u16(), &added.json()["kind"]), (201, &json!("home")), "{}", added.body);
        let before = house.before().await;
        let again = operator.post("/organizations/org-b/members", body.clone()).await;
        assert_eq!(told(&again), refusal(409, "membership_exclusive"));
        let b = house.organization("org-b").await;
        let path = format!("/organizations/org-a/members/{eve}");
        let moved = operator.patch(&path, json!({"home_organization_id": b})).await;
        assert_eq!(told(&moved), refusal(409, "user_not_movable"));
        house.unchanged(&before).await;
        // Not even after they have left.
        assert_eq!(delete(&operator, &path).await.status, 204);
        let elsewhere = operator.post("/organizations/org-b/members", body).await;
        assert_eq!(told(&elsewhere), refusal(409, "membership_exclusive"));
    }
}

#[tokio::test]
async fn s1_r08_h05_who_is_removed_has_nothing_at_once_and_comes_back_only_by_word() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let for_b = Api::person(&house, "con@a.test", "org-b").await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        assert_eq!(
            (con.get("/organizations/org-a").await.status, for_b.get("/organizations/org-b").await.status),
            (200.try_into().unwrap(), 200.try_into().unwrap())
        );
        let id = house.user("con@a.test").await;
        let path = format!("/organizations/org-a/members/{id}");
        let removed = delete(&ann, &path).await;
        assert_eq!((removed.status.as_u16(), &*removed.body), (204, ""));
        assert_eq!(con.get("/organizations/org-a").await.status, 401, "at once");
        assert_eq!(
            for_b.get("/organizations/org-b").await.status,
            401,
            "what they had by the delegation of A, too"
        );
        let revoked = "SELECT CAST(COUNT(*) AS TEXT) FROM grants WHERE revoked_at IS NOT NULL";
        assert_eq!(house.text(revoked).await.as_deref(), Some("2"), "in the same transaction");
        for answer in [
            delete(&ann, &path).await,
            ann.get(&path).await,
            ann.patch(&path, json!({"status": "active"})).await,
            ann.patch(&format!("{path}/role"), json!({"role": "member"})).await,
        ] {
            assert_eq!(told(&answer), refusal(404, "not_found"));
        }

        // Neither a sign-in nor the operator's file adds them again by stealth.
        let rp1 = Application::rp1(&house);
        let arrival = Person::new("con@a.test")
            .follows(&rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test"))
            .await;
        assert_eq!(arrival.error().0, "access_denied");
        house.provision(&house.file).await;
        let status = "SELECT status FROM memberships WHERE source = 'manual' AND roles = '[\"member\"]'";
        assert_eq!(house.text(status).await.as_deref(), Some("removed"));

        let body = json!({"user_id": id, "role": "member"});
        let before = house.before().await;
        assert_eq!(
            told(&ann.post("/organizations/org-a/members", body.clone()).await),
            refusal(409, "membership_blocked")
        );
        house.refused(&before, "membership_blocked").await;
        let mut body = body;
        body["restore"] = json!(true);
        let back = ann.post("/organizations/org-a/members", body).await;
        assert_eq!((back.status.as_u16(), &back.json()["removed_at"]), (201, &Value::Null), "{}", back.body);
        assert_eq!(con.get("/organizations/org-a").await.status, 401, "what was revoked stays so");
        let events: Vec<_> = house
            .audit()
            .await
            .into_iter()
            .filter(|event| event.action.starts_with("organization.member."))
            .map(|event| event.action)
            .collect();
        assert_eq!(events.iter().filter(|action| *action == "organization.member.removed").count(), 1);
    }
}

#[tokio::test]
async fn s1_r08_one_leaves_by_oneself_and_others_need_the_permission() {
    let house = House::opens().await;
    let con = Api::person(&house, "con@a.test", "org-a").await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let (own, anns) = (house.user("con@a.test").await, house.user("ann@a.test").await);
    let before = house.before().await;
    let path = |id: &str| format!("/organizations/org-a/members/{id}");
    assert_eq!(told(&delete(&con, &path(&anns)).await), refusal(403, "permission_missing"));
    house.refused(&before, "permission_missing").await;
    let before = house.before().await;
    assert_eq!(
        told(&delete(&con, &format!("{}?force=true", path(&own))).await),
        refusal(403, "permission_missing")
    );
    house.refused(&before, "permission_missing").await;
    let before = house.before().await;
    assert_eq!(told(&delete(&ann, &path(&anns)).await), refusal(409, "last_owner"));
    house.refused(&before, "last_owner").await;

    // What a directory manages ends there, or by force.
    house.execute("UPDATE memberships SET source = 'scim' WHERE roles = '[\"member\"]'").await;
    for api in [&con, &ann] {
        let before = house.before().await;
        assert_eq!(told(&delete(api, &path(&own)).await), refusal(409, "managed_by_directory"));
        house.refused(&before, "managed_by_directory").await;
    }
    house.execute("UPDATE memberships SET source = 'manual'").await;
    assert_eq!(delete(&con, &path(&own)).await.status, 204);
    assert_eq!(house.events_of("organization.member.left").await, 1);
    assert_eq!(con.get("/organizations/org-a").await.status, 401);

    let eve = house.has_member("eve@a.test", "org-a", &["member"]).await;
    house.execute("UPDATE memberships SET source = 'scim' WHERE roles = '[\"member\"]'").await;
    assert_eq!(delete(&ann, &format!("{}?force=true", path(&eve.to_string()))).await.status, 204);
}

#[tokio::test]
async fn s1_r09_other_roles_count_at_once_and_the_trail_says_which() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let (id, anns) = (house.user("con@a.test").await, house.user("ann@a.test").await);
        let path = format!("/organizations/org-a/members/{id}");
        let read = ann.get(&path).await;
        let etag = read.header("etag").unwrap().to_owned();
        let role = |body: Value, etag: Option<&str>| {
            let (ann, path, etag) = (&ann, format!("{path}/role"), etag.map(str::to_owned));
            async move {
                ann.send(Method::PATCH, &path, |request| {
                    let request = request.header("content-type", "application/json").body(body.to_string());
                    match etag {
                        Some(etag) => request.header("if-match", etag),
                        None => request,
                    }
                })
                .await
            }
        };
        assert_eq!(con.get("/organizations/org-a/members").await.status, 403);
        let admin = role(json!({"role": "admin"}), Some(&etag)).await;
        assert_eq!(
            (admin.status.as_u16(), &admin.json()["roles"]),
            (200, &json!(["admin"])),
            "{}",
            admin.body
        );
        assert_eq!(
            con.get("/organizations/org-a/members").await.status,
            200,
            "what they may is asked anew each time"
        );
        let stale = role(json!({"role": "member"}), Some(&etag)).await;
        assert_eq!(told(&stale), refusal(412, "precondition_failed"));
        let text = |column: &str| {
            format!(
                "SELECT {column} FROM audit_events WHERE action = 'organization.member.role_changed' ORDER BY id DESC LIMIT 1"
            )
        };
        assert_eq!(house.text(&text("before")).await.as_deref(), Some("{\"roles\":[\"member\"]}"));
        assert_eq!(house.text(&text("after")).await.as_deref(), Some("{\"roles\":[\"admin\"]}"));
        let events = house.events_of("organization.member.role_changed").await;
        assert_eq!(role(json!({"roles": ["admin"]}), None).await.status, 200);
        assert_eq!(house.events_of("organization.member.role_changed").await, events, "nothing changed");

        // An admin neither makes nor unmakes owners.
        let before = house.before().await;
        for (user, body) in [
            (&id, json!({"role": "owner"})),
            (&anns, json!({"role": "member"})),
            (&anns, json!({"role": "owner"})),
        ] {
            let answer = con.patch(&format!("/organizations/org-a/members/{user}/role"), body).await;
            assert_eq!(told(&answer), refusal(403, "role_ceiling"));
        }
        assert_eq!(
            told(&delete(&con, &format!("/organizations/org-a/members/{anns}")).await),
            refusal(403, "role_ceiling")
        );
        let suspended =
            con.patch(&format!("/organizations/org-a/members/{anns}"), json!({"status": "suspended"})).await;
        assert_eq!(told(&suspended), refusal(403, "role_ceiling"));
        house.unchanged(&before).await;

        let demoted =
            ann.patch(&format!("/organizations/org-a/members/{anns}/role"), json!({"role": "admin"})).await;
        assert_eq!(told(&demoted), refusal(409, "last_owner"));
        assert_eq!(role(json!({"role": "owner"}), None).await.status, 200, "an owner makes owners");
        let demoted =
            ann.patch(&format!("/organizations/org-a/members/{anns}/role"), json!({"role": "admin"})).await;
        assert_eq!(demoted.status, 200);
        assert_eq!(
            told(&role(json!({"role": "admin"}), None).await),
            refusal(403, "role_ceiling"),
            "an owner no more"
        );
    }
}

#[tokio::test]
async fn s1_r08_a_suspended_member_has_nothing_until_they_are_activated() {
    let house = House::opens().await;
    let con = Api::person(&house, "con@a.test", "org-a").await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let path = format!("/organizations/org-a/members/{}", house.user("con@a.test").await);
    for (status, action) in
        [("suspended", "organization.member.suspended"), ("blocked", "organization.member.blocked")]
    {
        let answer = ann.patch(&path, json!({"status": status})).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["status"]),
            (200, &json!(status)),
            "{}",
            answer.body
        );
        assert_eq!(con.get("/organizations").await.status, 401);
        assert_eq!(house.events_of(action).await, 1);
    }
    assert_eq!(
        ann.patch(&path, json!({"status": "active", "kind": "guest"})).await.json()["kind"],
        json!("guest")
    );
    assert_eq!(con.get("/organizations").await.status, 401, "their tokens are dead for good");
    let before = house.before().await;
    for (body, expected) in [
        (json!({"status": "removed"}), refusal(422, "invalid_value")),
        (json!({"status": "invited"}), refusal(422, "invalid_value")),
        (json!({"status": "gone"}), refusal(400, "invalid_body")),
        (json!({"kind": "delegate"}), refusal(422, "invalid_value")),
        (json!({"home_organization_id": null}), (200, String::new())),
        (json!({"home_organization_id": "x"}), refusal(409, "user_not_movable")),
        (json!({"roles": ["member"]}), refusal(400, "unknown_field")),
    ] {
        let answer = ann.patch(&path, body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default().to_owned()),
            expected,
            "{body}"
        );
    }
    house.unchanged(&before).await;
    let anns = format!("/organizations/org-a/members/{}", house.user("ann@a.test").await);
    for status in ["suspended", "blocked"] {
        assert_eq!(told(&ann.patch(&anns, json!({"status": status})).await), refusal(409, "last_owner"));
    }
}

#[tokio::test]
async fn s1_l7_s2_39_who_may_what_is_reviewed_and_exported() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let key = Api::key(&house, "org-a", &["members:read", "organization:read"]).await;
        house.turn_clock(1);
        let eve = house.knows("eve@a.test", "=HYPERLINK(\"http://evil\",\"x\")").await;
        house.joins(eve, "org-a", &["admin"]).await;
        let csv = key.get("/organizations/org-a/members/export?role=admin").await;
        assert_eq!((csv.status.as_u16(), csv.header("content-type")), (200, Some("text/csv; charset=utf-8")));
        let lines: Vec<_> = csv.body.split("\r\n").collect();
        assert_eq!(lines.len(), 3, "{}", csv.body);
        assert!(lines[0].starts_with("user_id,email,email_verified,name,roles,"));
        assert!(
            lines[1].starts_with(&format!(
                "{eve},eve@a.test,true,\"'=HYPERLINK(\"\"http://evil\"\",\"\"x\"\")\",admin,"
            )),
            "{}",
            lines[1]
        );

        let invite = json!({"email": "new@c.test", "role": "member", "send": false});
        assert_eq!(ann.post("/organizations/org-a/invitations", invite).await.status, 201);
        let mut entries = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = key.get(&format!("/organizations/org-a/access-review?limit=1{cursor}")).await;
            assert_eq!(page.status, 200, "{}", page.body);
            entries.extend(page.json()["items"].as_array().unwrap().clone());
            match page.json()["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let all = key.get("/organizations/org-a/access-review").await.json();
        assert_eq!(all["items"], json!(entries), "page by page");
        // What else gives anybody anything is told apart elsewhere.
        entries.truncate(4);
        let kinds: Vec<_> = entries.iter().map(|one| (one["kind"].clone(), one["email"].clone())).collect();
        let member = |email: &str| (json!("member"), json!(email));
        let invited = (json!("invitation"), json!("new@c.test"));
        assert_eq!(
            kinds,
            [member("ann@a.test"), member("eve@a.test"), (json!("api_key"), Value::Null), invited]
        );
        assert_eq!(entries[2]["permissions"], json!(["members:read", "organization:read"]));
        assert!(entries[1]["permissions"].as_array().unwrap().contains(&json!("members:write")));
        let csv = ann.get("/organizations/org-a/access-review/export").await;
        // With the connection by which newcomers join.
        assert_eq!(csv.body.lines().count(), 8, "{}", csv.body);

        let eves = format!("/organizations/org-a/members/{eve}");
        ann.patch(&format!("{eves}/role"), json!({"role": "member"})).await;
        house.turn_clock(1);
        delete(&ann, &eves).await;
        let refused = key.get(&format!("{eves}/history")).await;
        assert_eq!(told(&refused), refusal(403, "permission_missing"), "it is a part of the trail");
        let key = Api::key(&house, "org-a", &["audit:read"]).await;
        let history = key.get(&format!("{eves}/history")).await;
        assert_eq!(history.status, 200, "{}", history.body);
        let items = history.json()["items"].clone();
        assert_eq!(
            (&items[0]["action"], &items[1]["action"]),
            (&json!("organization.member.removed"), &json!("organization.member.role_changed"))
        );
        assert_eq!(
            (&items[0]["before"]["status"], &items[0]["after"]["status"]),
            (&json!("active"), &json!("removed"))
        );
        assert_eq!(items[0]["actor"], json!(house.user("ann@a.test").await));
        let first = key.get(&format!("{eves}/history?limit=1")).await.json();
        let next = key
            .get(&format!("{eves}/history?limit=1&cursor={}", first["next_cursor"].as_str().unwrap()))
            .await
            .json();
        assert_eq!((&first["items"][0], &next["items"][0]), (&items[0], &items[1]));
        let stranger = house.knows("far@b.test", "Far").await;
        assert_eq!(
            told(&key.get(&format!("/organizations/org-a/members/{stranger}/history")).await),
            refusal(404, "not_found")
        );
    }
}

#[tokio::test]
async fn h01_s1_r08_s1_r09_whoever_is_below_is_managed_whatever_their_roles_are_worth_elsewhere() {
    for engine in ENGINES {
        let con = r#"{ email = "con@a.test", roles = ["member"] }"#;
        let house = Plan::on(engine).with(con, &con.replace("member", "admin")).build().await;
        let operator = Api::operator(&house).await;
        for (name, permissions) in [("proj", json!(["invoices:write"])), ("keeper", json!(["members:write"]))]
        {
            let role = json!({"name": name, "permissions": permissions});
            assert_eq!(operator.post("/roles", role).await.status, 201, "of every organization");
        }
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let admin = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        let key = Api::key(&house, "org-a", &["members:read", "members:write"]).await;
        let looks = Api::key(&house, "org-a", &["members:read"]).await;
        let eve = house.has_member("eve@a.test", "org-a", &["member", "proj"]).await;
        let path = format!("/organizations/org-a/members/{eve}");
        let role = format!("{path}/role");
        for (api, gives) in [(&owner, true), (&admin, false), (&key, false)] {
            let demoted = api.patch(&role, json!({"role": "member"})).await;
            assert_eq!(demoted.json()["roles"], json!(["member"]), "{}", demoted.body);
            let given = api.patch(&role, json!({"roles": ["member", "proj"]})).await;
            match gives {
                true => assert_eq!(given.status, 200, "{}", given.body),
                false => {
                    assert_eq!(told(&given), refusal(403, "role_ceiling"), "what they have not they give not")
                }
            }
            assert_eq!(operator.patch(&role, json!({"roles": ["member", "proj"]})).await.status, 200);
            let suspended = api.patch(&path, json!({"status": "suspended"})).await;
            assert_eq!(suspended.json()["status"], json!("suspended"), "{}", suspended.body);
            assert_eq!(operator.patch(&path, json!({"status": "active"})).await.status, 200);
            assert_eq!(delete(api, &path).await.status, 204);
            let back = json!({"user_id": eve.to_string(), "roles": ["member", "proj"], "restore": true});
            assert_eq!(operator.post("/organizations/org-a/members", back).await.status, 201);
        }
        // Whom others keep down is not theirs to touch.
        operator.patch(&role, json!({"roles": ["member", "admin"]})).await;
        let before = house.before().await;
        for answer in [
            key.patch(&role, json!({"role": "member"})).await,
            key.patch(&path, json!({"status": "suspended"})).await,
            delete(&key, &path).await,
        ] {
            assert_eq!(told(&answer), refusal(403, "role_ceiling"));
        }
        // Who lacks a permission is told which.
        let refused = delete(&looks, &path).await;
        assert_eq!(told(&refused), refusal(403, "permission_missing"));
        assert_eq!(refused.json()["detail"], json!("this needs `members:write`"));
        house.unchanged(&before).await;
    }
}
