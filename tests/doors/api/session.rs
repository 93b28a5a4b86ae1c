//! Who somebody is, for whom they act, and what they may do.

use serde_json::{Value, json};

use crate::house::answers::told;
use crate::house::api::{Api, THIRD, access_token};
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::visitor::Answer;
use behalf::model::api_key::OperatorRole;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

async fn switch(api: &Api, to: &str) -> Answer {
    api.post("/organizations/switch", json!({"organization_id": to})).await
}

async fn current(api: &Api) -> Value {
    api.get("/session").await.json()["current_organization"]["slug"].clone()
}

#[tokio::test]
async fn m08_a_switch_that_cannot_be_recorded_is_refused_like_every_other_write() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        house.execute("ALTER TABLE audit_events RENAME TO gone").await;
        assert_eq!(told(&switch(&con, "org-b").await), (503, "audit_unavailable".into()));
        house.execute("ALTER TABLE gone RENAME TO audit_events").await;
        assert_eq!(current(&con).await, Value::Null);
        assert_eq!(switch(&con, "org-b").await.status, 200);
    }
}

#[tokio::test]
async fn s0_15_s0_21_s0_22_s1_r10_who_switches_has_one_current_organization_of_their_own() {
    for engine in ENGINES {
        let mut house = House::on(engine).await;
        let token = access_token(&house, "con@a.test", "org-a").await;
        let con = Api::with(&house, Some(token.clone())).await;
        assert_eq!(current(&con).await, Value::Null, "they have not switched yet");
        for (to, name) in [("org-a", "org-a"), ("org-b", "org-b")] {
            let switched = switch(&con, to).await;
            assert_eq!(switched.status, 200, "{}", switched.body);
            assert_eq!(switched.json()["organization"]["slug"], json!(name));
            assert_eq!(switched.json()["delegation_id"].is_string(), to == "org-b");
            assert_eq!(current(&con).await, json!(name));
        }
        assert_eq!(house.events_of("session.organization_switched").await, 2);
        // To a foreign one, an unknown one and nonsense, in the same words.
        let mut words = Vec::new();
        let foreign = house.organization("org-c").await;
        for to in ["org-c", &foreign, "nowhere", "org_00000000000000000000000007", "ORG-A", ""] {
            let before = house.before().await;
            let refused = switch(&con, to).await;
            assert_eq!(told(&refused), (403, "not_a_member".into()), "{to}");
            words.push(refused.json()["detail"].clone());
            house.refused(&before, "not_a_member").await;
            assert_eq!(current(&con).await, json!("org-b"));
        }
        words.dedup();
        assert_eq!(words.len(), 1);
        // The token is still of what it was made for: nothing of B is open to it.
        assert_eq!(con.get("/me").await.json()["organization"]["slug"], json!("org-a"));
        assert_eq!(told(&con.get("/organizations/org-b").await), (404, "not_found".into()), "S0-24");
        house.restart().await;
        let con = Api::with(&house, Some(token)).await;
        assert_eq!(current(&con).await, json!("org-b"), "it outlives the server");
        let key = Api::key(&house, "org-a", &["organization:read"]).await;
        for api in [&key, &Api::operator(&house).await] {
            assert_eq!(told(&api.get("/session").await), (403, "person_required".into()));
            assert_eq!(told(&switch(api, "org-a").await), (403, "person_required".into()));
        }
    }
}

#[tokio::test]
async fn s0_23_of_many_who_switch_at_once_one_is_the_last() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        let all = ["org-a", "org-b"].repeat(10);
        let answers = futures_util::future::join_all(all.iter().map(|to| switch(&con, to))).await;
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 20, "{:?}", answers.iter().map(told).collect::<Vec<_>>());
        let last = current(&con).await;
        assert!(["org-a", "org-b"].contains(&last.as_str().unwrap()), "{last}");
        assert_eq!(current(&con).await, last);
    }
}

#[tokio::test]
async fn s0_30_s1_r10_what_somebody_may_not_act_for_any_more_is_current_no_more() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        switch(&con, "org-b").await;
        let turn = async |way: &str| {
            let path = format!("/organizations/org-b/{way}");
            operator.send(reqwest::Method::POST, &path, |ask| ask).await.status.as_u16()
        };
        assert_eq!(turn("deactivate").await, 200);
        assert_eq!(current(&con).await, Value::Null);
        assert_eq!(told(&switch(&con, "org-b").await), (403, "not_a_member".into()));
        assert_eq!(turn("reactivate").await, 200);
        assert_eq!(current(&con).await, Value::Null, "H03: what was before is over");
        assert_eq!(switch(&con, "org-b").await.status, 200);
        assert_eq!(current(&con).await, json!("org-b"));
        house.execute("UPDATE delegations SET paused_at = 1").await;
        assert_eq!(current(&con).await, Value::Null);
        house.execute("UPDATE delegations SET paused_at = NULL").await;
        // Stricter than how they have signed in.
        for (body, code) in [
            (json!({"require_mfa": true}), "mfa_required"),
            (json!({"require_mfa": false, "delegations": "none"}), "not_a_member"),
        ] {
            operator.patch("/organizations/org-b/policy", body).await;
            let before = house.before().await;
            assert_eq!(told(&switch(&con, "org-b").await), (403, code.into()));
            house.refused(&before, code).await;
        }
    }
}

#[tokio::test]
async fn s1_r10_an_organization_that_wants_its_own_sign_in_says_so() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
    con_is_guest_of(&house, "org-c").await;
    assert_eq!(switch(&con, "org-c").await.status, 200);
    let forced = json!({"enforcement": "required"});
    operator.patch("/organizations/org-c/policy?force=true", forced).await;
    let before = house.before().await;
    assert_eq!(told(&switch(&con, "org-a").await).0, 200);
    assert_eq!(told(&switch(&con, "org-c").await), (403, "sso_required".into()));
    assert!(
        house.events_since(&before).await.iter().any(|event| event.reason.as_deref() == Some("sso_required"))
    );
    assert_eq!(current(&con).await, json!("org-a"));
}

/// Con belongs to it as well, and not by a delegation.
async fn con_is_guest_of(house: &House, organization: &str) {
    let (user, organization) = (house.user("con@a.test").await, house.organization(organization).await);
    let project = house.text("SELECT id FROM projects WHERE slug = 'default'").await.unwrap();
    let sql = format!(
        "INSERT INTO memberships (id, project_id, organization_id, user_id, kind, status, source, roles, created_at, updated_at)
         VALUES ('mem_00000000000000000000000007', '{project}', '{organization}', '{user}', 'guest', 'active', 'manual', '[]', 1, 1)"
    );
    assert_eq!(house.execute(&sql).await, 1);
}

/// A refusal says where the application's logins begin, for B, by this connection if it demands one; and who asks so is led
/// there.
async fn leads_to_b(house: &House, refused: &Answer, connection: Option<&str>) {
    let url: url::Url = refused.json()["login_url"].as_str().unwrap().parse().unwrap();
    assert_eq!(&url[..url::Position::AfterPath], "https://rp1.test/login");
    let said: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let said: Vec<_> = said.iter().map(|(name, value)| (&**name, &**value)).collect();
    let mut expected = vec![("x", "1"), ("iss", &*house.url), ("organization", "org-b")];
    expected.extend(connection.map(|connection| ("connection", connection)));
    assert_eq!(said, expected);
    let Some(connection) = connection else { return };
    let ask = Application::rp1(house).asks().with("organization", "org-b").with("connection", connection);
    let back = Person::new("con@a.test").is_sent_back(&ask).await;
    assert!(back.path().contains(&house.connection(connection).await), "{back}");
}

#[tokio::test]
async fn s1_r10_who_must_sign_in_otherwise_is_told_where_and_gets_there() {
    let login = "redirect_uris = [\"https://rp1.test/callback\"]\ninitiate_login_uri = \"https://rp1.test/login?x=1\"";
    let plan = Plan::default().with("redirect_uris = [\"https://rp1.test/callback\"]", login);
    for (policy, code, connection) in [
        ("enforcement = \"required\", force = true", "sso_required", Some("cb")),
        ("require_mfa = true", "mfa_required", None),
    ] {
        let table = format!("[organization.org-b]\npolicy = {{ {policy} }}");
        let file = plan.file.replacen("[organization.org-b]", &table, 1);
        let house = Plan { file, ..Plan::default() }.build().await;
        let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        // A guest of B as well, by whom B's own sign-in is wanted.
        con_is_guest_of(&house, "org-b").await;
        let before = house.before().await;
        let refused = switch(&con, "org-b").await;
        assert_eq!(told(&refused), (403, code.into()));
        house.refused(&before, code).await;
        leads_to_b(&house, &refused, connection).await;
        // Of what somebody does not belong to, nothing is said.
        let foreign = switch(&con, "org-c").await;
        assert_eq!(told(&foreign), (403, "not_a_member".into()));
        assert_eq!(foreign.json().get("login_url"), None);
    }
}

/// What a token says.
fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn s1_r10_c22_who_calls_by_a_token_gets_one_for_the_other_organization_and_no_more_than_that() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let token = access_token(&house, "con@a.test", "org-a").await;
        let con = Api::with(&house, Some(token.clone())).await;
        house.turn_clock(100);
        let switched = switch(&con, "org-b").await;
        assert_eq!(switched.status, 200, "{}", switched.body);
        let issued = switched.json()["token"].clone();
        assert_eq!((&issued["token_type"], &issued["expires_in"]), (&json!("Bearer"), &json!(200)));
        assert_eq!(issued.get("refresh_token"), None);
        let new = issued["access_token"].as_str().unwrap().to_owned();
        let there = Api::with(&house, Some(new.clone())).await;
        let me = there.get("/me").await.json();
        assert_eq!(me["organization"]["slug"], json!("org-b"));
        assert_eq!(me["delegation_id"], switched.json()["delegation_id"]);
        // Each is for its own organization, and for nothing of the other one's (S0-24).
        assert_eq!(con.get("/me").await.json()["organization"]["slug"], json!("org-a"));
        assert_eq!(there.get("/organizations/org-b").await.status, 200);
        assert_eq!(told(&there.get("/organizations/org-a").await), (404, "not_found".into()));

        // For this API alone, and no longer than the one that was shown.
        let (old, said) = (payload(&token), payload(&new));
        assert_eq!(said["aud"], json!(format!("{}/api/v1", house.url)));
        assert_eq!((&said["exp"], &said["org_id"]), (&old["exp"], &json!(house.organization("org-b").await)));
        for claim in ["sub", "sid", "client_id"] {
            assert_eq!(said[claim], old[claim], "{claim}");
        }
        assert_ne!(said["grant_id"], old["grant_id"]);
        let rp1 = Application::rp1(&house);
        assert_eq!(rp1.userinfo(&new).await.status, 401);
        assert_eq!(house.events_of("token.exchanged").await, 1);

        // What is refused issues nothing.
        for to in ["org-c", "nowhere", "a\0b"] {
            let before = house.before().await;
            assert_eq!(told(&switch(&there, to).await), (403, "not_a_member".into()), "{to}");
            house.refused(&before, "not_a_member").await;
        }
        // Back again, and it ends with the family that it came of.
        let back = switch(&there, "org-a").await.json()["token"]["access_token"].as_str().unwrap().to_owned();
        let back = Api::with(&house, Some(back)).await;
        assert_eq!(back.get("/me").await.json()["organization"]["slug"], json!("org-a"));
        assert_eq!(rp1.posts("/revoke", &[("token", &token)]).send().await.status, 200);
        for api in [&con, &there, &back] {
            assert_eq!(api.get("/me").await.status, 401);
        }
    }
}

#[tokio::test]
async fn s1_r10_who_asks_again_under_the_same_key_is_given_the_same_token() {
    let house = House::opens().await;
    let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
    let body = json!({"organization_id": "org-b"}).to_string();
    let asks = async || {
        let dress = |ask: reqwest::RequestBuilder| {
            ask.header("idempotency-key", "once")
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.clone())
        };
        con.send(reqwest::Method::POST, "/organizations/switch", dress).await.json()
    };
    let first = asks().await;
    assert_eq!((first["token"]["access_token"].is_string(), asks().await == first), (true, true));
    assert_eq!(house.events_of("token.exchanged").await, 1);
}

#[tokio::test]
async fn s1_r10_whose_token_is_not_enough_any_more_is_told_where_to_sign_in_and_gets_there() {
    let login = "redirect_uris = [\"https://rp1.test/callback\"]\ninitiate_login_uri = \"https://rp1.test/login?x=1\"";
    let plan = Plan::default().with("redirect_uris = [\"https://rp1.test/callback\"]", login);
    let house = plan.build().await;
    let operator = Api::operator(&house).await;
    access_token(&house, "con@a.test", "org-a").await;
    // A guest of B, who has signed in by A's connection.
    con_is_guest_of(&house, "org-b").await;
    let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-b").await)).await;
    assert_eq!(con.get("/me").await.json()["delegation_id"], Value::Null);
    for (policy, code, connection) in [
        (json!({"enforcement": "required"}), "sso_required", Some("cb")),
        (json!({"enforcement": "off", "require_mfa": true}), "mfa_required", None),
    ] {
        let put = operator.patch("/organizations/org-b/policy?force=true", policy).await;
        assert_eq!(put.status, 200, "{}", put.body);
        let refused = con.get("/me").await;
        assert_eq!(told(&refused), (401, code.into()), "{}", refused.body);
        leads_to_b(&house, &refused, connection).await;
    }
    // Of a token that is nobody's, nothing is said.
    let garbage = Api::with(&house, Some("garbage".into())).await.get("/me").await;
    assert_eq!((told(&garbage).0, garbage.json().get("login_url").cloned()), (401, None));
}

#[tokio::test]
async fn s0_21_what_somebody_has_switched_to_is_where_their_next_login_goes() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    access_token(&house, "ann@a.test", "org-a").await;
    let mut person = Person::new("con@a.test");
    let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let arrival = person.follows(&ask).await;
    let con = Api::with(&house, Some(ask.redeems(&arrival).await.access_token)).await;
    assert!(person.follows(&rp1.asks()).await.is_picker(), "there are two");
    assert_eq!(switch(&con, "org-b").await.status, 200);
    let ask = rp1.asks();
    let arrival = person.follows(&ask).await;
    assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
    let chosen = person.follows(&rp1.asks().with("prompt", "select_organization")).await;
    assert!(chosen.is_picker(), "who wants to choose does");
    house.execute("UPDATE delegations SET paused_at = 1").await;
    let ask = rp1.asks();
    let arrival = person.follows(&ask).await;
    assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-a"));
}

#[tokio::test]
async fn s0_14_s0_27_everybody_is_told_what_they_may_do_and_why() {
    for engine in ENGINES {
        let mut house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let role = json!({"organization_id": "org-a", "name": "helper", "permissions": ["organization:read", "tickets:read"]});
        assert_eq!(operator.post("/roles", role).await.status, 201);
        house.file = house.file.replace(
            r#"{ email = "con@a.test", roles = ["member"] }"#,
            r#"{ email = "con@a.test", roles = ["member", "helper"] }"#,
        );
        let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        let mine = con.get("/me/permissions?organization=org-a").await;
        assert_eq!(mine.status, 200, "{}", mine.body);
        assert_eq!(mine.json()["organization_id"], json!(house.organization("org-a").await));
        let read = json!({
            "permission": "organization:read", "effective": true, "masked_by": null,
            "reasons": [{"layer": "built_in", "name": "member"}, {"layer": "custom", "name": "helper"}],
        });
        let tickets = json!({
            "permission": "tickets:read", "effective": true, "masked_by": null,
            "reasons": [{"layer": "custom", "name": "helper"}],
        });
        assert_eq!(mine.json()["permissions"], json!([read, tickets]));
        for other in ["org-b", "org-c", "nowhere"] {
            let answer = con.get(&format!("/me/permissions?organization={other}")).await;
            assert_eq!(told(&answer), (404, "not_found".into()), "{other}");
        }
        let auditor = Api::by(&house, OperatorRole::Auditor).await;
        let all = auditor.get("/me/permissions?organization=org-b").await.json();
        let all = all["permissions"].as_array().unwrap();
        assert!(all.iter().all(|one| one["permission"].as_str().unwrap().ends_with(":read")));
        assert_eq!(all[0]["reasons"], json!([{"layer": "operator", "name": "auditor"}]));
        let key = Api::key(&house, "org-a", &["members:read"]).await;
        let of_key = key.get("/me/permissions").await.json();
        assert_eq!(of_key["permissions"][0]["reasons"][0]["layer"], json!("key"));
    }
}

#[tokio::test]
async fn s1_w5_who_acts_for_nobody_holds_no_role() {
    let house = House::opens().await;
    access_token(&house, "ann@a.test", "org-a").await;
    let rp1 = Application::rp1(&house);
    let scope = "openid profile email organizations organization:* roles permissions";
    let ask = rp1.asks().with("login_hint", "ann@a.test").with("scope", scope);
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    assert!(tokens.id.get("org_id").is_none(), "{:?}", tokens.id);
    let ann = Api::with(&house, Some(tokens.access_token)).await;
    let me = ann.get("/me").await.json();
    assert_eq!((&me["organization"], &me["roles"]), (&Value::Null, &json!([])));
    assert_eq!(me["user"]["email"], json!("ann@a.test"));
    assert_eq!(ann.get("/me/permissions").await.json()["permissions"], json!([]));
    assert_eq!(told(&ann.get("/organizations/org-a").await), (404, "not_found".into()), "S0-24");
    let own = ann.get("/me/organizations").await.json();
    assert_eq!(own["items"][0]["roles"], json!(["owner"]), "which she would have there");
    assert_eq!(switch(&ann, "org-a").await.status, 200);
}

#[tokio::test]
async fn s0_12_s0_31_a_persons_organizations_come_in_pages_their_own_first() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        let first = con.get("/me/organizations?limit=1").await.json();
        let names = |page: &Value| -> Vec<(String, String)> {
            let word = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| (word(one, "slug"), word(one, "via")))
                .collect()
        };
        assert_eq!(names(&first), [("org-a".to_owned(), "membership".to_owned())]);
        let next = first["next_cursor"].as_str().unwrap();
        let second = con.get(&format!("/me/organizations?limit=1&cursor={next}")).await.json();
        assert_eq!(names(&second), [("org-b".to_owned(), "delegation".to_owned())]);
        assert_eq!(second["next_cursor"], Value::Null);
        // Where there is room, nobody turns a page for the one that they came for.
        let whole = con.get("/me/organizations").await.json();
        assert_eq!((names(&whole).len(), &whole["next_cursor"]), (2, &Value::Null));
        assert_eq!(names(&whole), [names(&first), names(&second)].concat());
        house.execute("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-b'").await;
        assert_eq!(con.get("/me/organizations").await.json()["next_cursor"], Value::Null);
        let bob = Api::with(&house, Some(access_token(&house, "ann@a.test", "org-a").await)).await;
        let stolen = bob.get(&format!("/me/organizations?cursor={next}")).await;
        assert_eq!(told(&stolen), (400, "cursor_invalid".into()), "a cursor is one person's");
    }
}

#[tokio::test]
async fn m05_a_token_for_somebody_else_opens_nothing_here() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("login_hint", "ann@a.test");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    // Before the application may have tokens for the API, and its ID token at any time.
    let tokens = ask.redeems(&arrival).await;
    let raw = tokens.access_token.clone();
    for path in ["/me", "/me/organizations", "/me/permissions", "/session", "/roles"] {
        let refused = Api::with(&house, Some(raw.clone())).await.get(path).await;
        assert_eq!(told(&refused), (401, "unauthenticated".into()), "{path}");
    }
}

#[tokio::test]
async fn s1_w6_where_nobody_acts_for_any_organization_none_is_listed_as_ones_own() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        assert_eq!(con.get("/me/organizations").await.json()["items"].as_array().unwrap().len(), 2);
        let off = operator.patch("/project/policy?force=true", json!({"organizations": "off"})).await;
        assert_eq!(off.status, 200, "{}", off.body);
        let ask = Application::rp1(&house).asks().with("login_hint", "con@a.test");
        let tokens = ask.redeems(&Person::new("con@a.test").follows(&ask).await).await;
        let nobody = Api::with(&house, Some(tokens.access_token)).await;
        for list in ["/me/organizations", "/organizations"] {
            let told = nobody.get(list).await;
            assert_eq!(
                (told.status.as_u16(), &told.json()["items"]),
                (200, &json!([])),
                "{list}: {}",
                told.body
            );
        }
        // They are as they were, for whoever runs the service, and when that is taken back.
        assert_eq!(
            operator.get("/organizations/org-a/members").await.json()["items"][0]["status"],
            json!("active")
        );
        let back = operator.patch("/project/policy", json!({"organizations": "optional"})).await;
        assert_eq!(back.status, 200, "{}", back.body);
        assert_eq!(nobody.get("/me/organizations").await.json()["items"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn s0_27_c22_it_is_told_by_what_leave_somebody_may_less_than_their_roles_say() {
    for engine in ENGINES {
        let house = Plan::on(engine).and(THIRD).build().await;
        let third = Api::by_consent(&house, "ann@a.test", "org-a").await;
        let con = Api::person(&house, "con@a.test", "org-b").await;
        house.execute("UPDATE delegations SET settings = replace(settings, '\"member\"', '\"admin\"')").await;
        for (api, why) in [(&third, "consent"), (&con, "delegation")] {
            let all = api.get("/me/permissions").await.json()["permissions"].clone();
            let of = |name: &str| {
                let found = all.as_array().unwrap().iter().find(|one| one["permission"] == json!(name));
                found.map(|found| (found["effective"].clone(), found["masked_by"].clone()))
            };
            for name in ["api_keys:write", "applications:write", "delegations:write", "roles:write"] {
                assert_eq!(of(name), Some((json!(false), json!(why))), "{name}");
            }
            assert_eq!(of("members:read"), Some((json!(true), Value::Null)));
        }
    }
}
