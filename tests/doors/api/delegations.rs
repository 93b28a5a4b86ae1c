//! Two organizations agree that people of the one act on behalf of the other.

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::{Value, json};

use crate::house::answers::{refusal, told};
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::smtp::Sink;
use crate::house::visitor::Answer;

const BOTH: &[&str] = &["delegations:read", "delegations:write", "organization:read"];

fn id(answer: &Answer) -> String {
    assert!(answer.status.is_success(), "{}", answer.body);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// The `ETag` of a delegation, as somebody reads it now.
async fn reads(api: &Api, path: &str) -> String {
    api.get(path).await.header("etag").unwrap().to_owned()
}

/// Approves what was read under this `ETag`.
async fn approves(api: &Api, path: &str, read: &str) -> Answer {
    let dress = |ask: reqwest::RequestBuilder| {
        ask.header(IF_MATCH, read).header(CONTENT_TYPE, "application/json").body("{}")
    };
    api.send(Method::POST, &format!("{path}/approve"), dress).await
}

/// Reads it, and approves that.
async fn agrees(api: &Api, path: &str) -> Answer {
    approves(api, path, &reads(api, path).await).await
}

/// Con, acting for an organization at the first application: the access token, or why not.
async fn acts(house: &House, organization: &str) -> Result<String, String> {
    let rp1 = Application::rp1(house);
    let ask = rp1.asks().with("organization", organization).with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    match arrival.told_application("code") {
        Some(_) => Ok(ask.redeems(&arrival).await.access_token),
        None => Err(arrival.told()),
    }
}

#[tokio::test]
async fn s2_21_people_act_for_another_organization_once_both_have_approved_and_until_either_revokes() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let c = Api::key(&house, "org-c", BOTH).await;
        let rp1 = Application::rp1(&house);
        let proposed = ann.post("/delegations", json!({"target": "org-c", "roles": ["member"]})).await;
        let path = format!("/delegations/{}", id(&proposed));
        let view = proposed.json();
        assert_eq!((view["status"].as_str(), view["proposed_by"].as_str()), (Some("proposed"), Some("home")));
        assert!(view["home"]["approved_at"].is_string() && view["target"]["approved_at"].is_null());
        assert!(acts(&house, "org-c").await.is_err(), "the target has not agreed");

        let listed = c.get("/delegations?side=target").await.json();
        let home = &listed["items"][0]["home"];
        assert_eq!((&home["name"], listed["items"].as_array().unwrap().len()), (&json!("A Corporation"), 1));
        assert_eq!(c.get("/delegations?side=home").await.json()["items"], json!([]));
        let told_again = agrees(&ann, &path).await;
        assert_eq!(told(&told_again), refusal(409, "already_approved"));
        let approved = agrees(&c, &path).await;
        assert_eq!((approved.status.as_u16(), &approved.json()["status"]), (200, &json!("active")));
        let token = acts(&house, "org-c").await.unwrap();
        assert_eq!(rp1.userinfo(&token).await.status, 200);

        // Each resumes for itself.
        assert_eq!(c.post(&format!("{path}/pause"), json!({})).await.json()["status"], "paused");
        assert_eq!(rp1.userinfo(&token).await.status, 401, "at once, whatever the token says");
        let other = ann.post(&format!("{path}/resume"), json!({})).await;
        assert_eq!(told(&other), refusal(409, "paused_by_other"));
        assert_eq!(ann.post(&format!("{path}/pause"), json!({})).await.json()["status"], "paused");
        assert_eq!(c.post(&format!("{path}/resume"), json!({})).await.json()["status"], "paused");
        assert_eq!(ann.post(&format!("{path}/resume"), json!({})).await.json()["status"], "active");
        assert_eq!(rp1.userinfo(&token).await.status, 200);

        // Strangers see nothing of it, and the operator says for whom they act.
        let stranger = Api::key(&house, "org-b", BOTH).await;
        assert_eq!(told(&stranger.get(&path).await), refusal(404, "not_found"));
        assert_eq!(
            told(&stranger.post(&format!("{path}/revoke"), json!({})).await),
            refusal(404, "not_found")
        );
        let operator = Api::operator(&house).await;
        assert_eq!(
            told(&operator.post(&format!("{path}/pause"), json!({})).await),
            refusal(422, "invalid_value")
        );
        let posing = c.post(&format!("{path}/pause"), json!({"side": "home"})).await;
        assert_eq!(told(&posing), refusal(422, "invalid_value"));

        let revoked = ann.post(&format!("{path}/revoke"), json!({})).await;
        assert_eq!(revoked.json()["status"], "revoked");
        assert_eq!(rp1.userinfo(&token).await.status, 401);
        let alive =
            "SELECT COUNT(*) || '' FROM grants WHERE delegation_id IS NOT NULL AND revoked_at IS NULL";
        assert_eq!(house.text(alive).await.as_deref(), Some("0"), "what was issued by it is revoked with it");
        assert!(acts(&house, "org-c").await.is_err());
        for step in ["approve", "pause", "resume", "revoke"] {
            let before = house.before().await;
            let late = c.post(&format!("{path}/{step}"), json!({})).await;
            assert_eq!(told(&late), refusal(409, "delegation_revoked"), "{step}");
            house.refused(&before, "delegation_revoked").await;
        }
        // Both find all of it in their own trail.
        for organization in ["org-a", "org-c"] {
            let of = house.organization(organization).await;
            for (action, many) in [
                ("delegation.created", 1),
                ("delegation.approved", 1),
                ("delegation.paused", 2),
                ("delegation.resumed", 2),
                ("delegation.revoked", 1),
            ] {
                let about = json!(house.organization("org-c").await);
                let events = house.audit().await;
                // Before it has agreed, whoever proposed it finds the other one as they named it.
                let unanswered = action == "delegation.created" && organization == "org-a";
                let about = if unanswered { json!("org-c") } else { about };
                let found = events.iter().filter(|event| {
                    event.action == action
                        && event.organization.as_deref() == Some(&of)
                        && event.detail["target"] == about
                });
                assert_eq!(found.count(), many, "{action} of {organization}");
            }
        }
        // The two may agree anew; the target may ask for it, too.
        let anew = c.post("/delegations", json!({"home": "org-a", "roles": ["member"]})).await;
        assert_eq!(anew.json()["proposed_by"], "target", "{}", anew.body);
        let taken = ann.post("/delegations", json!({"target": "org-c", "roles": ["member"]})).await;
        assert_eq!(told(&taken), refusal(409, "delegation_exists"));
    }
}

#[tokio::test]
async fn s2_21_owners_of_both_sides_are_mailed_what_becomes_of_it_and_nobody_what_was_never_agreed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let c = Api::key(&house, "org-c", BOTH).await;
        house.has_member("own@b.test", "org-c", &["owner"]).await;
        house.has_member("adm@b.test", "org-c", &["admin"]).await;
        let mut seen = 0;
        let mut subjects = async |expected: Option<&str>| {
            house.posts().await;
            let mails = sink.mails().await.split_off(seen);
            seen += mails.len();
            let mut to: Vec<_> = mails.iter().map(|mail| mail.says("to").to_string()).collect();
            to.sort();
            let both = ["[\"ann@a.test\"]", "[\"own@b.test\"]"];
            assert_eq!(to, expected.map_or(vec![], |_| both.to_vec()));
            for mail in mails {
                assert_eq!(Some(mail.subject()), expected);
                assert!(mail.text().contains("A Corporation") && mail.text().contains("C Corporation"));
            }
        };
        let proposal = || json!({"target": "org-c", "roles": ["member"]});
        let post = async |api: &Api, path: &str| {
            let done = api.post(path, json!({})).await;
            assert_eq!(done.status, 200, "{}", done.body);
        };
        let path = format!("/delegations/{}", id(&ann.post("/delegations", proposal()).await));
        subjects(None).await;
        post(&ann, &format!("{path}/revoke")).await;
        subjects(None).await;

        let path = format!("/delegations/{}", id(&ann.post("/delegations", proposal()).await));
        assert_eq!(agrees(&c, &path).await.status, 200);
        subjects(Some("People of A Corporation may act for C Corporation")).await;
        for pauses in [&c, &ann] {
            post(pauses, &format!("{path}/pause")).await;
        }
        subjects(Some("The delegation from A Corporation to C Corporation is paused")).await;
        post(&c, &format!("{path}/resume")).await;
        subjects(None).await;
        post(&ann, &format!("{path}/resume")).await;
        subjects(Some("People of A Corporation may act for C Corporation again")).await;
        assert_eq!(ann.patch(&path, json!({"require_mfa": true})).await.status, 200);
        subjects(Some("The delegation from A Corporation to C Corporation has changed")).await;
        assert_eq!(ann.patch(&path, json!({"require_mfa": false})).await.status, 200);
        subjects(None).await;
        assert_eq!(agrees(&c, &path).await.status, 200);
        subjects(Some("People of A Corporation may act for C Corporation")).await;
        post(&c, &format!("{path}/revoke")).await;
        subjects(Some("The delegation from A Corporation to C Corporation is revoked")).await;
    }
}

#[tokio::test]
async fn s2_21_h01_what_is_approved_is_what_was_read() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let c = Api::key(&house, "org-c", BOTH).await;
        let terms = json!({"target": "org-c", "roles": ["member"], "only": ["ann@a.test"]});
        let path = format!("/delegations/{}", id(&ann.post("/delegations", terms).await));
        let read = reads(&c, &path).await;
        // Whoever has read nothing, or does not say what, agrees to nothing.
        let blind = c.post(&format!("{path}/approve"), json!({})).await;
        assert_eq!(told(&blind), refusal(428, "precondition_required"));
        for sloppy in ["*", " * ", "\"another\", *"] {
            let before = house.before().await;
            assert_eq!(told(&approves(&c, &path, sloppy).await), refusal(428, "precondition_required"));
            house.refused(&before, "precondition_required").await;
        }
        // Between reading and approving, the terms become others.
        assert_eq!(ann.patch(&path, json!({"only": null})).await.status, 200);
        for stale in [read.clone(), format!("{read}, \"another\"")] {
            let before = house.before().await;
            assert_eq!(told(&approves(&c, &path, &stale).await), refusal(412, "precondition_failed"));
            house.refused(&before, "precondition_failed").await;
        }
        assert!(acts(&house, "org-c").await.is_err(), "nobody acts by what nobody approved");
        let view = agrees(&c, &path).await.json();
        assert_eq!((&view["status"], &view["only"]), (&json!("active"), &Value::Null));
        // What is changed after that is approved by nobody but who changed it.
        let changed = ann.patch(&path, json!({"require_mfa": true})).await.json();
        assert_eq!(
            (&changed["status"], &changed["target"]["approved_at"]),
            (&json!("proposed"), &Value::Null)
        );
        assert!(acts(&house, "org-c").await.is_err());
    }
}

#[tokio::test]
async fn h01_the_target_gives_no_more_than_who_approves_for_it_may_and_of_what_was_changed_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let c = Api::key(&house, "org-c", BOTH).await;
        let owner = ann.post("/delegations", json!({"target": "org-c", "roles": ["owner"]})).await;
        assert_eq!(told(&owner), refusal(422, "invalid_value"));
        let proposed = ann.post("/delegations", json!({"target": "org-c", "roles": ["admin"]})).await;
        let path = format!("/delegations/{}", id(&proposed));
        let before = house.before().await;
        assert_eq!(told(&agrees(&c, &path).await), refusal(403, "role_ceiling"));
        house.refused(&before, "role_ceiling").await;
        assert_eq!(ann.patch(&path, json!({"roles": ["no such"]})).await.status, 200);
        assert_eq!(told(&agrees(&c, &path).await), refusal(422, "role_unknown"));
        assert_eq!(ann.patch(&path, json!({"roles": ["member"]})).await.status, 200);
        assert_eq!(agrees(&c, &path).await.json()["status"], "active");

        // Who proposed it changes it, and the other side has not approved that.
        let before = house.before().await;
        assert_eq!(
            told(&c.patch(&path, json!({"roles": ["member"]})).await),
            refusal(403, "permission_missing")
        );
        house.refused(&before, "permission_missing").await;
        let same = ann.patch(&path, json!({"roles": ["member"]})).await;
        assert_eq!(same.json()["status"], "active", "nothing was changed");
        let changed = ann.patch(&path, json!({"roles": ["member", "admin"]})).await.json();
        assert_eq!(
            (&changed["status"], &changed["target"]["approved_at"]),
            (&json!("proposed"), &Value::Null)
        );
        assert!(acts(&house, "org-c").await.is_err());
        assert_eq!(told(&agrees(&c, &path).await), refusal(403, "role_ceiling"));

        // And where the target proposes, it is held to the same.
        let b = Api::key(&house, "org-b", BOTH).await;
        let above = b.post("/delegations", json!({"home": "org-c", "roles": ["admin"]})).await;
        assert_eq!(told(&above), refusal(403, "role_ceiling"));
        for (pointer, wrong) in [
            ("/roles", json!({"roles": []})),
            ("/only/0", json!({"only": ["no address"]})),
            ("/only", json!({"only": []})),
            ("/ends_at", json!({"ends_at": "2026-06-01T09:00:00Z"})),
            ("/ends_at", json!({"starts_at": "2026-08-01T00:00:00Z", "ends_at": "2026-07-01T00:00:00Z"})),
            ("/starts_at", json!({"starts_at": "soon"})),
        ] {
            let refused = ann.patch(&path, wrong.clone()).await;
            assert_eq!(told(&refused), refusal(422, "invalid_value"), "{wrong}");
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
        }
        let window = json!({"starts_at": "2026-06-02T00:00:00Z", "ends_at": "2026-07-01T00:00:00Z",
                            "roles": ["member"], "only": ["con@a.test"], "require_mfa": true});
        assert_eq!(ann.patch(&path, window).await.status, 200);
        assert_eq!(agrees(&c, &path).await.json()["status"], "scheduled");
    }
}

/// An answer, or a page of the trail, without what is of this one alone.
fn shape(mut body: Value, parts: &[&str]) -> String {
    for part in ["id", "request_id"] {
        body.as_object_mut().unwrap().remove(part);
    }
    parts.iter().fold(body.to_string(), |text, part| text.replace(part, "…"))
}

#[tokio::test]
async fn d12_a_proposal_does_not_tell_whether_anybody_is_there_for_it() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        for (slug, change) in [
            ("off", "deactivated_at = 1"),
            ("gone", "deleted_at = 1"),
            ("bounded", "functional_roles = '[]'"),
        ] {
            operator.post("/organizations", json!({"slug": slug})).await;
            house.execute(&format!("UPDATE organizations SET {change} WHERE slug = '{slug}'")).await;
        }
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let c = house.organization("org-c").await;
        let stranger = "org_00000000000000000000000007";
        let mut said = Vec::new();
        for name in ["org-c", "nowhere", "off", "gone", "bounded", stranger] {
            let body = json!({"target": name, "roles": ["member"]});
            let proposed = ann.post("/delegations", body.clone()).await;
            let path = format!("/delegations/{}", id(&proposed));
            let changed = ann.patch(&path, json!({"require_mfa": true})).await;
            let again = ann.post("/delegations", body).await;
            assert_eq!(told(&again), refusal(409, "delegation_exists"), "{name}");
            let paused = ann.post(&format!("{path}/pause"), json!({})).await;
            let resumed = ann.post(&format!("{path}/resume"), json!({})).await;
            assert_eq!(told(&agrees(&ann, &path).await), refusal(409, "already_approved"));
            assert!(acts(&house, name).await.is_err());
            let mut all = vec![(proposed.status.as_u16(), shape(proposed.json(), &[name]))];
            for answer in [ann.get(&path).await, changed, again, paused, resumed] {
                all.push((answer.status.as_u16(), shape(answer.json(), &[name])));
            }
            let revoked = ann.post(&format!("{path}/revoke"), json!({})).await;
            all.push((revoked.status.as_u16(), shape(revoked.json(), &[name])));
            said.push(all);
        }
        for all in &said {
            assert_eq!(all, &said[0]);
        }
        assert_eq!(said[0][0].0, 201, "{said:?}");
        assert!(!said[0][0].1.contains("C Corporation") && !said[0][0].1.contains(&c), "{said:?}");
        // Nor by the list, nor by her own trail.
        for page in [ann.get("/delegations").await, ann.get("/audit-events?limit=200").await] {
            assert!(page.status == 200 && page.body.contains("nowhere"), "{}", page.body);
            assert!(!page.body.contains(&c) && !page.body.contains("C Corporation"), "{}", page.body);
        }
        // It reached whom it was for, who knows who asks; once they have agreed, so does she.
        let of_c = Api::key(&house, "org-c", BOTH).await;
        assert_eq!(of_c.get("/delegations").await.json()["items"].as_array().unwrap().len(), 1);
        let path = format!(
            "/delegations/{}",
            id(&ann.post("/delegations", json!({"target": "org-c", "roles": ["member"]})).await)
        );
        assert_eq!(of_c.get(&path).await.json()["home"]["name"], json!("A Corporation"));
        assert_eq!(agrees(&of_c, &path).await.json()["status"], json!("active"));
        let target = ann.get(&path).await.json()["target"].clone();
        assert_eq!((&target["id"], &target["name"]), (&json!(c), &json!("C Corporation")));
        assert!(acts(&house, "org-c").await.is_ok());

        for wrong in [
            json!({"target": "org-a", "roles": ["member"]}),
            json!({"roles": ["member"]}),
            json!({"home": "org-a", "target": "org-a", "roles": ["member"]}),
        ] {
            assert_eq!(told(&ann.post("/delegations", wrong).await), refusal(422, "invalid_value"));
        }
        let foreign =
            ann.post("/delegations", json!({"home": "org-b", "target": "org-c", "roles": ["member"]})).await;
        assert_eq!(told(&foreign), refusal(404, "not_found"));
        // The operator, who sees every organization, is told.
        let body = json!({"organization_id": "org-a", "target": "nowhere", "roles": ["member"]});
        assert_eq!(told(&operator.post("/delegations", body).await), refusal(404, "not_found"));
        for number in 0..20 {
            ann.post("/delegations", json!({"target": format!("n{number}"), "roles": ["member"]})).await;
        }
        let guess = ann.post("/delegations", json!({"target": "org-c", "roles": ["member"]})).await;
        assert_eq!(told(&guess), refusal(429, "rate_limited"));
    }
}

#[tokio::test]
async fn s0_26_an_active_delegation_that_lets_nobody_act_says_by_which_side() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let key = Api::key(&house, "org-a", BOTH).await;
        let id = house.text("SELECT id FROM delegations").await.unwrap();
        let barred = async |api: &Api| {
            let read = api.get(&format!("/delegations/{id}")).await.json();
            let listed = api.get("/delegations?organization_id=org-a").await.json()["items"][0].clone();
            assert_eq!((&read, &read["status"]), (&listed, &json!("active")));
            read["barred_by"].clone()
        };
        assert_eq!((barred(&key).await, acts(&house, "org-b").await.is_ok()), (json!([]), true));
        let accepts_none =
            r#"UPDATE organizations SET policy = '{"delegations":"none"}' WHERE slug = 'org-b'"#;
        for (change, back) in [
            ("functional_roles = '[]'", "functional_roles = NULL"),
            ("deactivated_at = 1", "deactivated_at = NULL"),
        ] {
            let set = async |what: &str, slug: &str| {
                let sql = format!("UPDATE organizations SET {what} WHERE slug = '{slug}'");
                assert_eq!(house.execute(&sql).await, 1);
            };
            set(change, "org-b").await;
            // Why it is, in the other organization, is not for her.
            assert_eq!((barred(&key).await, barred(&operator).await), (json!(["target"]), json!(["target"])));
            assert!(acts(&house, "org-b").await.is_err(), "{change}");
            set(change, "org-a").await;
            assert_eq!(barred(&operator).await, json!(["home", "target"]));
            set(back, "org-b").await;
            assert_eq!(barred(&operator).await, json!(["home"]));
            set(back, "org-a").await;
            assert_eq!((barred(&key).await, acts(&house, "org-b").await.is_ok()), (json!([]), true));
        }
        assert_eq!(house.execute(accepts_none).await, 1);
        assert_eq!((barred(&key).await, acts(&house, "org-b").await.is_ok()), (json!(["target"]), false));
        // Before both have agreed, it is the same whoever is there, and whether they could.
        house.execute("UPDATE organizations SET functional_roles = '[]' WHERE slug = 'org-c'").await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        for name in ["org-c", "nowhere"] {
            let made = ann.post("/delegations", json!({"target": name, "roles": ["member"]})).await;
            assert_eq!((made.status.as_u16(), &made.json()["barred_by"]), (201, &json!([])), "{}", made.body);
        }
    }
}

#[tokio::test]
async fn of_many_who_propose_at_once_one_does() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let (a, c) = (Api::key(&house, "org-a", BOTH).await, Api::key(&house, "org-c", BOTH).await);
        let mut asks = Vec::new();
        for _ in 0..6 {
            asks.push((&a, json!({"target": "org-c", "roles": ["member"]})));
            asks.push((&c, json!({"home": "org-a", "roles": ["member"]})));
        }
        let answers = join_all(asks.into_iter().map(|(api, body)| api.post("/delegations", body))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        let others = answers.iter().filter(|answer| answer.json()["code"] == "delegation_exists").count();
        assert_eq!((made, others), (1, 11));
    }
}
