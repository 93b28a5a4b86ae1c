//! Invitations over the API.

use std::time::Duration;

use behalf::foundation::clock::Moment;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::{refusal, told};
use crate::house::api::Api;
use crate::house::broker::{Engine, House};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const PATH: &str = "/organizations/org-a/invitations";

fn ask(email: &str, role: &str) -> Value {
    json!({"email": email, "role": role, "send": false})
}

async fn invites(api: &Api, email: &str, role: &str) -> (String, String) {
    let made = api.post(PATH, ask(email, role)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made.json()["invitation"]["id"]), text(&made.json()["token"]))
}

async fn accepts(api: &Api, token: &str) -> Answer {
    api.send(Method::POST, &format!("/invitations/{token}/accept"), |request| request).await
}

async fn looks(house: &House, token: &str) -> Answer {
    Api::with(house, None).await.get(&format!("/invitations/by-token/{token}")).await
}

#[tokio::test]
async fn s1_r19_s1_r20_s1_o4_s3_10_an_invitation_is_written_listed_and_accepted_once() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        // Bob proves his address with the identity provider of B, and is invited to A.
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        let (id, token) = invites(&ann, " BOB@b.test", "admin").await;
        assert_eq!(token.len(), 43, "256 bits");
        let stored = "SELECT CAST(COUNT(*) AS TEXT) FROM invitations WHERE digest IS NOT NULL AND email = 'bob@b.test'";
        assert_eq!(house.text(stored).await.as_deref(), Some("1"));
        for path in [PATH.to_owned(), format!("{PATH}/{id}"), format!("{PATH}?status=pending")] {
            let read = ann.get(&path).await;
            assert_eq!(read.status, 200, "{}", read.body);
            assert!(!read.body.contains(&token) && !read.body.contains("token\""), "C18 c: {}", read.body);
            assert!(read.body.contains("bob@b.test"));
        }
        for status in ["accepted", "revoked", "expired"] {
            assert_eq!(ann.get(&format!("{PATH}?status={status}")).await.json()["items"], json!([]));
        }
        let shown = looks(&house, &token).await;
        assert_eq!(shown.status, 200, "{}", shown.body);
        assert_eq!(
            (&shown.json()["organization_name"], &shown.json()["email"]),
            (&json!("A Corporation"), &json!("b•••@b.test"))
        );
        let con = Api::person(&house, "con@a.test", "org-a").await;
        assert_eq!(told(&con.get(PATH).await), refusal(403, "permission_missing"), "S1-O4: invisible");

        let all = futures_util::future::join_all((0..50).map(|_| accepts(&bob, &token))).await;
        let statuses: Vec<_> = all.iter().map(told).collect();
        assert_eq!(statuses.iter().filter(|(status, _)| *status == 200).count(), 1, "C18 e: {statuses:?}");
        assert!(statuses.iter().all(|(status, _)| [200, 410, 429].contains(status)), "{statuses:?}");
        let bobs = house.user("bob@b.test").await;
        let member = ann.get(&format!("/organizations/org-a/members/{bobs}")).await.json();
        assert_eq!((&member["roles"], &member["source"]), (&json!(["admin"]), &json!("invitation")));
        assert_eq!(house.events_of("organization.invitation.accepted").await, 1);
        assert_eq!(told(&looks(&house, &token).await), refusal(410, "gone"));
        let read = ann.get(&format!("{PATH}/{id}")).await.json();
        assert_eq!((&read["status"], &read["accepted_by"]), (&json!("accepted"), &json!(bobs)));
        let again = ann.post(PATH, ask("bob@b.test", "member")).await;
        assert_eq!(told(&again), refusal(409, "already_member"));
        let revoked = ann.send(Method::DELETE, &format!("{PATH}/{id}"), |request| request).await;
        assert_eq!(told(&revoked), refusal(409, "invitation_accepted"));
    }
}

#[tokio::test]
async fn s1_r20_what_breaks_a_rule_is_named_and_writes_nothing() {
    let house = House::opens().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    invites(&ann, "new@c.test", "member").await;
    let with = |name: &str, value: Value| {
        let mut body = ask("x@c.test", "member");
        body[name] = value;
        body
    };
    let before = house.before().await;
    for (body, expected) in [
        (ask("new@c.test", "member"), refusal(409, "invitation_pending")),
        (ask("NEW@c.test", "admin"), refusal(409, "invitation_pending")),
        (ask("ann@a.test", "member"), refusal(409, "already_member")),
        (ask("no address", "member"), refusal(422, "invalid_value")),
        (ask("x@c.test", "unknown"), refusal(422, "role_unknown")),
        (with("expires_in", json!(60)), refusal(422, "invalid_value")),
        (with("expires_in", json!(2_592_001)), refusal(422, "invalid_value")),
        (with("message", json!("a\u{202e}b")), refusal(422, "invalid_value")),
        (with("message", json!("x".repeat(501))), refusal(422, "invalid_value")),
        (with("kind", json!("home")), refusal(422, "invalid_value")),
        (with("email_verified", json!(true)), refusal(400, "unknown_field")),
        (with("organization_id", json!("org-b")), refusal(400, "unknown_field")),
        (with("send", json!(true)), refusal(409, "mail_not_configured")),
    ] {
        assert_eq!(told(&ann.post(PATH, body.clone()).await), expected, "{body}");
    }
    house.unchanged(&before).await;
    house.turn_clock(7 * 24 * 3_600);
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    invites(&ann, "new@c.test", "member").await;
}

#[tokio::test]
async fn s1_r21_m19_of_many_rows_each_has_its_own_result() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let admin = Api::key(&house, "org-a", &["invitations:write", "organization:read"]).await;
        invites(&ann, "waits@c.test", "member").await;
        let path = format!("{PATH}/bulk");
        let rows = json!({"invitations": [
            ask("one@c.test", "member"), ask("ONE@c.test", "member"), ask("ann@a.test", "member"),
            ask("waits@c.test", "member"), ask("nonsense", "member"), ask("two@c.test", "owner"),
            ask("three@c.test", "Owner"), ask("four@c.test", "member"),
        ]});
        let answer = admin.post(&path, rows).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let results = answer.json()["results"].as_array().unwrap().clone();
        let statuses: Vec<_> = results.iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect();
        assert_eq!(
            statuses,
            [
                "created",
                "duplicate",
                "already_member",
                "pending",
                "invalid",
                "forbidden",
                "invalid",
                "created"
            ]
        );
        assert!(results.iter().all(|row| row["token"].is_string() == (row["status"] == "created")));
        // Each refusal leaves its trace, as that of a single one does.
        let trail = house.audit().await;
        let refused = trail.iter().filter(|event| event.action == "api.refused");
        let mut traces: Vec<_> = refused.map(|event| json!([event.detail["row"], event.reason])).collect();
        traces.sort_by_key(|trace| trace[0].as_u64());
        assert_eq!(
            json!(traces),
            json!([
                [2, "already_member"],
                [3, "invitation_pending"],
                [4, "invalid_value"],
                [5, "role_ceiling"],
                [6, "role_unknown"],
            ])
        );
        // Which cell is wrong is told as of a single one.
        for (place, lonely) in [(4, ask("nonsense", "member")), (6, ask("three@c.test", "Owner"))] {
            let single = admin.post(PATH, lonely).await.json();
            let row = &results[place];
            assert_eq!((&row["code"], &row["detail"]), (&single["code"], &single["detail"]));
            assert_eq!(row["pointer"], single["errors"][0]["pointer"]);
        }
        assert_eq!(results[4]["pointer"], json!("/email"));
        assert_eq!(house.count("invitations").await, 3);

        let before = house.before().await;
        let many = |count: usize| {
            let rows: Vec<_> = (0..count).map(|number| ask(&format!("m{number}@c.test"), "member")).collect();
            json!({"invitations": rows})
        };
        assert_eq!(told(&admin.post(&path, many(51)).await), refusal(400, "too_many_rows"));
        assert_eq!(told(&admin.post(&path, many(0)).await), refusal(422, "invalid_value"));
        house.unchanged(&before).await;
        for _ in 0..3 {
            assert_eq!(admin.post(&path, many(50)).await.status, 200);
        }
        assert_eq!(told(&admin.post(&path, many(50)).await), refusal(429, "rate_limited"), "200 a day");
        let elsewhere = Api::key(&house, "org-b", &["invitations:write", "organization:read"]).await;
        let other = elsewhere.post("/organizations/org-b/invitations", ask("x@c.test", "member")).await;
        assert_eq!(other.status, 201, "nobody else is held up");
    }
}

#[tokio::test]
async fn s1_r22_what_is_taken_back_or_renewed_opens_nothing_any_more() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        let (id, token) = invites(&ann, "bob@b.test", "member").await;
        let renewed = ann.post(&format!("{PATH}/{id}/resend"), json!({"send": false})).await;
        assert_eq!(renewed.status, 200, "{}", renewed.body);
        let fresh = renewed.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(told(&accepts(&bob, &token).await), refusal(404, "not_found"));
        assert_eq!(looks(&house, &fresh).await.status, 200);
        let path = format!("{PATH}/{id}");
        assert_eq!(ann.send(Method::DELETE, &path, |request| request).await.status, 204);
        for answer in [accepts(&bob, &fresh).await, looks(&house, &fresh).await] {
            assert_eq!(told(&answer), refusal(410, "gone"));
        }
        let again = ann.send(Method::DELETE, &path, |request| request).await;
        assert_eq!(told(&again), refusal(404, "not_found"));
        let (_, next) = invites(&ann, "bob@b.test", "member").await;
        house.turn_clock(7 * 24 * 3_600);
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        assert_eq!(told(&accepts(&bob, &next).await), refusal(410, "gone"), "a week is over");
        assert_eq!(house.events_of("organization.invitation.revoked").await, 1);
    }
}

#[tokio::test]
async fn s1_r22_c18_an_invitation_is_not_made_longer_by_sending_it_again() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let permissions = ["invitations:read", "invitations:write", "organization:read"];
        let key = Api::key(&house, "org-a", &permissions).await;
        let day = 24 * 3_600;
        let body = json!({"email": "x@c.test", "role": "member", "send": false, "expires_in": 30 * day});
        let made = key.post(PATH, body).await.json();
        let path = format!("{PATH}/{}", made["invitation"]["id"].as_str().unwrap());
        let started = house.clock.now();
        let ends = async || {
            let text = key.get(&path).await.json()["expires_at"].as_str().unwrap().to_owned();
            Moment::parse_rfc3339(&text).unwrap()
        };
        let days = |many: u64| Duration::from_secs(many * day);
        // Its term anew, however often, and never beyond 90 days.
        for (passed, left) in [(0, 30), (20, 50), (0, 50), (25, 75), (25, 90), (19, 90)] {
            house.turn_clock(passed * day);
            let again = key.post(&format!("{path}/resend"), json!({"send": false})).await;
            assert_eq!(again.status, 200, "{}", again.body);
            assert_eq!(ends().await, started.plus(days(left)));
        }
        house.turn_clock(day);
        let before = house.before().await;
        let over = key.post(&format!("{path}/resend"), json!({"send": false})).await;
        assert_eq!(told(&over), refusal(410, "gone"));
        house.refused(&before, "gone").await;
    }
}

#[tokio::test]
async fn s1_l2_who_joined_because_anybody_does_becomes_by_the_invitation_what_they_were_invited_as() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let (id, token) = invites(&ann, "new@a.test", "admin").await;
        // To call anything they sign in, and everybody of theirs who does is a member.
        let new = Api::person(&house, "new@a.test", "org-a").await;
        let member = format!("/organizations/org-a/members/{}", house.user("new@a.test").await);
        assert_eq!(ann.get(&member).await.json()["roles"], json!(["member"]));
        let accepted = accepts(&new, &token).await;
        assert_eq!(accepted.status, 200, "{}", accepted.body);
        let read = ann.get(&member).await.json();
        assert_eq!((&read["roles"], &read["source"]), (&json!(["member", "admin"]), &json!("invitation")));
        assert_eq!(ann.get(&format!("{PATH}/{id}")).await.json()["status"], json!("accepted"));
        assert_eq!(told(&accepts(&new, &token).await), refusal(410, "gone"));
        assert_eq!(house.events_of("organization.member.role_changed").await, 1);

        // Who was made what they are by somebody is that.
        let (_, token) = invites(&ann, "two@a.test", "admin").await;
        let two = Api::person(&house, "two@a.test", "org-a").await;
        house.execute("UPDATE memberships SET source = 'manual' WHERE source = 'jit'").await;
        let before = house.before().await;
        assert_eq!(told(&accepts(&two, &token).await), refusal(409, "already_member"));
        house.refused(&before, "already_member").await;
    }
}

#[tokio::test]
async fn s1_d8_a_shared_mailbox_invites_nobody() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (operator, info) =
            (Api::operator(&house).await, Api::person(&house, "info@a.test", "org-a").await);
        let place = format!("/organizations/org-a/members/{}/role", house.user("info@a.test").await);
        assert_eq!(operator.patch(&place, json!({"role": "admin"})).await.status, 200);
        let body = json!({"name": "k", "permissions": ["invitations:write", "organization:read"]});
        let made = info.post("/api-keys", body).await;
        let key = Api::with(&house, made.json()["key"].as_str().map(str::to_owned)).await;
        let invited = json!({"email": "new@c.test", "role": "member", "send": false});
        for api in [&info, &key] {
            let before = house.before().await;
            assert_eq!(told(&api.post(PATH, invited.clone()).await), refusal(403, "permission_missing"));
            house.refused(&before, "permission_missing").await;
            let before = house.before().await;
            let many = api.post(&format!("{PATH}/bulk"), json!({"invitations": [invited]})).await;
            assert_eq!(many.json()["results"][0]["status"], json!("forbidden"), "{}", many.body);
            house.refused(&before, "permission_missing").await;
        }
        let made = operator.post(PATH, invited).await;
        let id = made.json()["invitation"]["id"].as_str().unwrap().to_owned();
        let before = house.before().await;
        let again = info.post(&format!("{PATH}/{id}/resend"), json!({"send": false})).await;
        assert_eq!(told(&again), refusal(403, "permission_missing"));
        house.refused(&before, "permission_missing").await;
    }
}
