//! Organizations that are shut down, opened again, deleted and restored.

use behalf::chores::purge;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::told;
use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const DAY: u64 = 86_400;

async fn turn(api: &Api, organization: &str, way: &str) -> Answer {
    api.send(Method::POST, &format!("/organizations/{organization}/{way}"), |ask| ask).await
}

async fn delete(api: &Api, path: &str) -> Answer {
    api.send(Method::DELETE, &format!("/organizations/{path}"), |ask| ask).await
}

#[tokio::test]
async fn s0_29_the_operator_shuts_an_organization_down_and_opens_it_again() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let owner = Api::person(&house, "bob@b.test", "org-b").await;
        let key = Api::key(&house, "org-b", &["organization:write"]).await;
        for api in [&owner, &key] {
            let before = house.before().await;
            assert_eq!(told(&turn(api, "org-b", "deactivate").await), (403, "operator_required".into()));
            let put = api.put("/organizations/org-b", json!({"name": "B", "deactivate": true})).await;
            assert_eq!(told(&put), (403, "operator_required".into()));
            house.unchanged(&before).await;
        }
        let off = turn(&operator, "org-b", "deactivate").await;
        assert_eq!(off.status, 200, "{}", off.body);
        assert_eq!(off.json()["status"], json!("deactivated"));
        assert_eq!(off.json()["deactivated_at"], json!("2026-06-01T09:00:00.000Z"));
        house.turn_clock(60);
        let again = turn(&operator, "org-b", "deactivate").await;
        assert_eq!((again.status, &again.body), (off.status, &off.body), "nothing to do, nothing done");
        assert_eq!(house.events_of("organization.deactivated").await, 1);
        let list = operator.get("/organizations?status=deactivated").await.json();
        assert_eq!(list["items"][0]["deactivated_at"], json!("2026-06-01T09:00:00.000Z"));
        let stale = |ask: reqwest::RequestBuilder| ask.header("if-match", "\"nothing\"");
        let refused = operator.send(Method::POST, "/organizations/org-b/reactivate", stale).await;
        assert_eq!(told(&refused), (412, "precondition_failed".into()));
        let on = turn(&operator, "org-b", "reactivate").await.json();
        assert_eq!((&on["status"], &on["deactivated_at"]), (&json!("active"), &Value::Null));
        turn(&operator, "org-b", "reactivate").await;
        assert_eq!(house.events_of("organization.reactivated").await, 1);

        let put = async |value: Value| {
            let body = json!({"name": "B Corporation", "deactivate": value});
            operator.put("/organizations/org-b", body).await.json()["status"].clone()
        };
        assert_eq!(put(json!(true)).await, json!("deactivated"));
        assert_eq!(put(Value::Null).await, json!("deactivated"), "what is not said stays");
        assert_eq!(put(json!(false)).await, json!("active"));
        assert_eq!(house.events_of("organization.updated").await, 0, "only what happened is told");
    }
}

/// Somebody of A who also acts for B, with a code and tokens of each.
struct Con {
    person: Person,
    code_of_b: (crate::house::application::Ask, String),
    of_a: String,
    of_b: String,
}

async fn con(house: &House) -> Con {
    let rp1 = Application::rp1(house);
    let mut person = Person::new("con@a.test");
    let mut token = async |organization: &str| {
        let ask = rp1.asks().with("organization", organization).with("login_hint", "con@a.test");
        let arrival = person.follows(&ask).await;
        ask.redeems(&arrival).await.access_token
    };
    let (of_a, of_b) = (token("org-a").await, token("org-b").await);
    let ask = rp1.asks().with("organization", "org-b");
    let code = person.follows(&ask).await.code();
    Con { person, code_of_b: (ask, code), of_a, of_b }
}

#[tokio::test]
async fn h03_s0_30_s0_31_who_is_shut_out_is_out_at_once_and_for_good_and_nobody_else_is() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (rp1, operator) = (Application::rp1(&house), Api::operator(&house).await);
        let owner = Api::with(&house, Some(access_token(&house, "bob@b.test", "org-b").await)).await;
        let mut bob = Person::new("bob@b.test");
        let at_b = rp1.asks().with("organization", "org-b").with("login_hint", "bob@b.test");
        bob.follows(&at_b).await.code();
        let key = Api::key(&house, "org-b", &["organization:read"]).await;
        let mut con = con(&house).await;
        for api in [&owner, &key] {
            assert_eq!(api.get("/organizations/org-b").await.status, 200);
        }
        turn(&operator, "org-b", "deactivate").await;

        // (b, c) what there is opens nothing; (a) codes give nothing.
        assert_eq!(rp1.userinfo(&con.of_b).await.status, 401);
        assert_eq!(told(&owner.get("/organizations").await), (401, "unauthenticated".into()));
        let (ask, code) = &con.code_of_b;
        let before = house.before().await;
        let refused = ask.redemption(code).send().await;
        assert_eq!(refused.json()["error"], json!("invalid_grant"));
        house.told_refusal(&before, &["organization_inactive"]).await;
        // (d) nobody comes in.
        let before = house.before().await;
        let asked = rp1.asks().with("organization", "org-b");
        assert_eq!(con.person.follows(&asked).await.error().0, "access_denied");
        house.refused(&before, "organization_not_allowed").await;
        let silent = rp1.asks().with("organization", "org-b").with("prompt", "none");
        assert_eq!(bob.follows(&silent).await.error().0, "login_required");
        // (e) its keys are told why.
        assert_eq!(told(&key.get("/organizations").await), (403, "organization_inactive".into()));

        // Of A nothing has changed, and B is in no list any more (CVE-2026-9791).
        let userinfo = rp1.userinfo(&con.of_a).await;
        assert_eq!(userinfo.status, 200);
        assert!(!userinfo.body.contains("org-b"), "{}", userinfo.body);
        let ask = rp1.asks();
        let arrival = con.person.follows(&ask).await;
        let tokens = ask.redeems(&arrival).await;
        assert_eq!(tokens.id["organizations"].as_array().unwrap().len(), 1);

        // What was given out before stays dead.
        turn(&operator, "org-b", "reactivate").await;
        assert_eq!(rp1.userinfo(&con.of_b).await.status, 401);
        assert_eq!(told(&owner.get("/organizations").await), (401, "unauthenticated".into()));
        assert_eq!(told(&key.get("/organizations").await), (401, "unauthenticated".into()));
        let silent = rp1.asks().with("organization", "org-b").with("prompt", "none");
        assert_eq!(bob.follows(&silent).await.error().0, "login_required", "B's own session is over, too");
        // Who signs in now is welcome.
        let ask = rp1.asks().with("organization", "org-b");
        for person in [&mut con.person, &mut bob] {
            let arrival = person.follows(&ask).await;
            let token = ask.redeems(&arrival).await.access_token;
            assert_eq!(rp1.userinfo(&token).await.status, 200);
            assert_eq!(rp1.userinfo(&con.of_a).await.status, 200);
        }
        let key = Api::key(&house, "org-b", &["organization:read"]).await;
        assert_eq!(key.get("/organizations/org-b").await.status, 200);
    }
}

#[tokio::test]
async fn h03_a_code_that_was_never_redeemed_stays_dead_after_reactivation() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let con = con(&house).await;
    turn(&operator, "org-b", "deactivate").await;
    turn(&operator, "org-b", "reactivate").await;
    let (ask, code) = &con.code_of_b;
    let before = house.before().await;
    let refused = ask.redemption(code).send().await;
    let told = "the organization was deactivated after this was given: the person has to sign in again";
    assert_eq!(refused.json()["error_description"], json!(told));
    house.told_refusal(&before, &["organization_was_inactive"]).await;
    // The same where it is the home that was shut down.
    let con = self::con(&house).await;
    turn(&operator, "org-a", "deactivate").await;
    turn(&operator, "org-a", "reactivate").await;
    for token in [&con.of_a, &con.of_b] {
        assert_eq!(Application::rp1(&house).userinfo(token).await.status, 401);
    }
    let (ask, code) = &con.code_of_b;
    assert_eq!(ask.redemption(code).send().await.json()["error"], json!("invalid_grant"));
}

#[tokio::test]
async fn h03_no_token_is_made_past_the_moment_in_which_the_call_returned() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (rp1, operator) = (Application::rp1(&house), Api::operator(&house).await);
        let mut bob = Person::new("bob@b.test");
        let mut codes = Vec::new();
        for _ in 0..12 {
            let ask = rp1.asks().with("organization", "org-b").with("login_hint", "bob@b.test");
            let code = bob.follows(&ask).await.code();
            codes.push((ask, code));
        }
        let redeemed = join_all(codes.iter().map(async |(ask, code)| ask.redemption(code).send().await));
        let (answers, off) = tokio::join!(redeemed, turn(&operator, "org-b", "deactivate"));
        assert_eq!(off.status, 200, "{}", off.body);
        for answer in answers {
            match answer.json()["access_token"].as_str() {
                Some(token) => assert_eq!(rp1.userinfo(token).await.status, 401),
                None => assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body),
            }
        }
    }
}

#[tokio::test]
async fn s1_r05_s1_l8_an_owner_deletes_with_a_word_of_confirmation_and_the_operator_restores() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (rp1, operator) = (Application::rp1(&house), Api::operator(&house).await);
        let owner = Api::person(&house, "bob@b.test", "org-b").await;
        let key = Api::key(&house, "org-b", &["organization:write", "organization:delete"]).await;
        let con = con(&house).await;
        let before = house.before().await;
        assert_eq!(told(&delete(&key, "org-b?confirm=org-b").await), (403, "permission_missing".into()));
        for path in ["org-b", "org-b?confirm=", "org-b?confirm=org-a", "org-b?confirm=B%20Corporation"] {
            assert_eq!(told(&delete(&owner, path).await), (409, "confirmation_required".into()), "{path}");
        }
        assert_eq!(told(&delete(&owner, "org-a?confirm=org-a").await), (404, "not_found".into()));
        house.unchanged(&before).await;

        house.turn_clock(10);
        let gone = delete(&owner, "org-b?confirm=org-b").await;
        assert_eq!(gone.status, 202, "{}", gone.body);
        let view = gone.json();
        assert_eq!(view["status"], json!("deleted"));
        assert_eq!(view["purge_at"], json!("2026-07-01T09:00:10.000Z"), "thirty days");
        assert_eq!(told(&delete(&operator, "org-b?confirm=org-b").await), (404, "not_found".into()));
        for api in [&owner, &key] {
            assert_eq!(told(&api.get("/organizations").await), (401, "unauthenticated".into()));
        }
        assert_eq!(told(&operator.get("/organizations/org-b").await), (404, "not_found".into()));
        for token in [&con.of_b] {
            assert_eq!(rp1.userinfo(token).await.status, 401);
        }
        assert_eq!(rp1.userinfo(&con.of_a).await.status, 200, "A has lost nothing");
        assert_eq!(house.text("SELECT state FROM connections WHERE slug = 'cb'").await.unwrap(), "disabled");
        assert_eq!(house.text("SELECT state FROM domains WHERE name = 'b.test'").await.unwrap(), "removed");
        assert_eq!(house.events_of("organization.domain.removed").await, 1);
        // Its slug is nobody else's.
        let taken = operator.post("/organizations", json!({"slug": "org-b"})).await;
        assert_eq!(told(&taken), (409, "slug_taken".into()));
        let id = view["id"].as_str().unwrap();
        let taken = operator.put(&format!("/organizations/{id}"), json!({"name": "x"})).await;
        assert_eq!(told(&taken), (404, "not_found".into()));

        assert_eq!(told(&turn(&operator, "org-a", "restore").await), (409, "not_deleted".into()));
        let stranger = Api::key(&house, "org-a", &["organization:write"]).await;
        assert_eq!(told(&turn(&stranger, "org-b", "restore").await), (404, "not_found".into()));
        let back = turn(&operator, "org-b", "restore").await;
        assert_eq!(back.status, 200, "{}", back.body);
        assert_eq!((&back.json()["status"], &back.json()["purge_at"]), (&json!("active"), &Value::Null));
        assert_eq!(back.json()["has_owner"], json!(true), "its people are there");
        for api in [&owner, &key] {
            assert_eq!(told(&api.get("/organizations").await), (401, "unauthenticated".into()));
        }
        assert_eq!(rp1.userinfo(&con.of_b).await.status, 401);
        assert_eq!(house.text("SELECT state FROM connections WHERE slug = 'cb'").await.unwrap(), "disabled");
        let trail = house.audit().await;
        for action in ["organization.deleted", "organization.restored"] {
            let event = trail.iter().find(|event| event.action == action).unwrap();
            assert_eq!(event.organization.as_deref(), Some(id), "{action}");
        }
    }
}

#[tokio::test]
async fn s1_r05_who_deletes_has_just_proved_who_they_are() {
    let house = House::opens().await;
    let token = access_token(&house, "bob@b.test", "org-b").await;
    let owner = Api::with(&house, Some(token)).await;
    // As if the sign-in had been longer ago than the token.
    house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 301000").await;
    let before = house.before().await;
    let refused = delete(&owner, "org-b?confirm=org-b").await;
    assert_eq!(told(&refused), (403, "reauthentication_required".into()));
    house.refused(&before, "reauthentication_required").await;
    assert!(refused.header("www-authenticate").unwrap().contains("max_age=\"300\""));
}

#[tokio::test]
async fn s1_r05_s1_d1_a_deleted_organizations_domain_is_free_for_who_proves_it() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    assert_eq!(delete(&operator, "org-b?confirm=org-b").await.status, 202);
    let held = "SELECT id FROM domains WHERE name = 'b.test' AND state = 'verified'";
    assert_eq!(house.text(held).await, None);
    assert_eq!(house.count("domain_connections").await, 1, "nobody is led to its connection");
}

#[tokio::test]
async fn s1_r05_s3_05_after_the_grace_period_people_are_forgotten_and_the_trail_stays() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        Api::person(&house, "bob@b.test", "org-b").await;
        let id = house.organization("org-b").await;
        let invited = json!({"email": "new@b.test", "roles": ["member"], "send": false});
        assert_eq!(operator.post("/organizations/org-b/invitations", invited).await.status, 201);
        let trail = house.count("audit_events").await;
        assert_eq!(delete(&operator, "org-b?confirm=org-b").await.status, 202);
        let waiting =
            format!("SELECT email FROM invitations WHERE organization_id = '{id}' AND revoked_at IS NULL");
        assert_eq!(house.text(&waiting).await, None, "nobody can accept any more");
        house.turn_clock(30 * DAY - 1);
        purge::run(&house.broker).await.unwrap();
        let of_b = format!("SELECT user_id FROM memberships WHERE organization_id = '{id}'");
        assert!(house.text(&of_b).await.is_some(), "there is a second left");
        assert_eq!(house.events_of("organization.purged").await, 0);
        house.turn_clock(1);
        assert_eq!(told(&turn(&operator, &id, "restore").await), (404, "not_found".into()), "too late");
        purge::run(&house.broker).await.unwrap();
        purge::run(&house.broker).await.unwrap();
        assert_eq!(house.text(&of_b).await, None);
        let invited = format!("SELECT email FROM invitations WHERE organization_id = '{id}'");
        assert_eq!(house.text(&invited).await, None);
        assert_eq!(house.events_of("organization.purged").await, 1);
        let left = "SELECT display_name FROM organizations WHERE slug = 'org-b'";
        assert_eq!(house.text(left).await.as_deref(), Some("org-b"));
        let secret =
            "SELECT CASE WHEN secret IS NULL THEN 'none' ELSE 'some' END FROM connections WHERE slug = 'cb'";
        assert_eq!(house.text(secret).await.as_deref(), Some("none"));
        assert!(house.count("audit_events").await > trail, "nothing of the trail is gone");
        let taken = operator.post("/organizations", json!({"slug": "org-b"})).await;
        assert_eq!(told(&taken), (409, "slug_taken".into()));
        assert_eq!(told(&turn(&operator, &id, "restore").await), (404, "not_found".into()));
        // Bob is known elsewhere, and is no organization's to forget.
        assert!(house.text("SELECT email FROM users WHERE email = 'bob@b.test'").await.is_some());
    }
}

#[tokio::test]
async fn s3_05_where_one_belongs_to_one_organization_nobody_outlives_it() {
    let exclusive = "display_name = \"Acme Cloud\"\nmembership_mode = \"exclusive\"";
    let plan = Plan::default().with("display_name = \"Acme Cloud\"", exclusive);
    let house = plan.build().await;
    let operator = Api::operator(&house).await;
    let owner = Api::person(&house, "bob@b.test", "org-b").await;
    assert_eq!(delete(&owner, "org-b?confirm=org-b").await.status, 202);
    let ask = Application::rp1(&house).asks();
    let page = Person::new("bob@b.test").follows(&ask).await;
    assert!(page.told_application("code").is_none(), "nobody comes in who belongs nowhere");
    house.turn_clock(30 * DAY);
    purge::run(&house.broker).await.unwrap();
    assert_eq!(house.text("SELECT id FROM users WHERE email = 'bob@b.test'").await, None);
    let archived = "SELECT id FROM users WHERE disabled_at IS NOT NULL AND profile = '{}'";
    let archived = house.text(archived).await.unwrap();
    let found = format!("SELECT user_id FROM user_terms WHERE user_id = '{archived}'");
    assert_eq!(house.text(&found).await, None, "nor found by what they were called");
    assert_eq!(operator.get("/organizations/org-a").await.status, 200);
}

#[tokio::test]
async fn s1_r05_owners_hear_that_their_organization_is_to_be_deleted_while_it_can_be_undone() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        access_token(&house, "ann@a.test", "org-a").await;
        access_token(&house, "con@a.test", "org-a").await;
        let operator = Api::operator(&house).await;
        let told = "SELECT recipient || ' ' || kind FROM mails";
        assert_eq!(delete(&operator, "org-a?confirm=other").await.status, 409);
        assert_eq!(house.text(told).await, None);
        assert_eq!(delete(&operator, "org-a?confirm=org-a").await.status, 202);
        assert_eq!(house.count("mails").await, 1, "owners, and nobody else");
        assert_eq!(house.text(told).await.as_deref(), Some("ann@a.test organization_deleted"));
        let letter: Value =
            serde_json::from_str(&house.text("SELECT letter FROM mails").await.unwrap()).unwrap();
        assert_eq!(letter["thing"], json!("2026-07-01"));
    }
}

#[tokio::test]
async fn s0_31_whose_own_organization_is_shut_down_keeps_every_other_one() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (rp1, operator) = (Application::rp1(&house), Api::operator(&house).await);
        let mut bob = Person::new("bob@b.test");
        let of = |organization: &str| rp1.asks().with("organization", organization);
        let silent = |organization: &str| of(organization).with("prompt", "none");
        let at_b = of("org-b").with("login_hint", "bob@b.test");
        let arrival = bob.follows(&at_b).await;
        let of_b = at_b.redeems(&arrival).await;
        let user = house.user("bob@b.test").await.parse().unwrap();
        house.joins(user, "org-c", &["member"]).await;
        house.joins(user, "org-a", &["member"]).await;
        let at_c = of("org-c");
        let arrival = bob.follows(&at_c).await;
        let of_c = at_c.redeems(&arrival).await;
        turn(&operator, "org-b", "deactivate").await;

        assert_eq!(rp1.userinfo(&of_b.access_token).await.status, 401);
        assert_eq!(rp1.refreshes(of_b.refresh()).send().await.json()["error"], json!("invalid_grant"));
        let userinfo = rp1.userinfo(&of_c.access_token).await;
        assert_eq!(userinfo.status, 200, "C has lost nothing");
        assert!(!userinfo.body.contains("org-b"), "{}", userinfo.body);
        let refreshed = at_c.reads_again(&rp1.refreshes(of_c.refresh()).send().await).await;
        assert_eq!(rp1.userinfo(&refreshed.access_token).await.status, 200);
        let ask = silent("org-c");
        let arrival = bob.follows(&ask).await;
        assert_eq!(rp1.userinfo(&ask.redeems(&arrival).await.access_token).await.status, 200);
        // Nor is anybody asked to sign in for what is left to choose among.
        let page = bob.follows(&rp1.asks()).await;
        assert!(page.is_picker(), "{:?}", page.told());
        assert_eq!(page.choices(), ["A Corporation", "C Corporation"]);
        // Of B there is nothing, and nobody signs in by its connection.
        assert_eq!(bob.follows(&silent("org-b")).await.error().0, "login_required");
        let sessions = house.count("sessions").await;
        Person::new("bob@b.test").follows(&of("org-c").with("login_hint", "bob@b.test")).await;
        assert_eq!(house.count("sessions").await, sessions);

        // What was B's stays dead; what is C's has not noticed.
        turn(&operator, "org-b", "reactivate").await;
        assert_eq!(rp1.userinfo(&of_b.access_token).await.status, 401);
        assert_eq!(rp1.refreshes(of_b.refresh()).send().await.json()["error"], json!("invalid_grant"));
        assert_eq!(bob.follows(&silent("org-b")).await.error().0, "login_required");
        assert_eq!(rp1.userinfo(&refreshed.access_token).await.status, 200);
        let switched = rp1.refreshes(refreshed.refresh()).with("organization", "org-b").send().await;
        assert_ne!(switched.status, 200, "not by an old proof: {}", switched.body);
        bob.follows(&silent("org-c")).await.code();

        // A connection that is switched off ends it (H04).
        house.execute("UPDATE connections SET state = 'disabled' WHERE slug = 'cb'").await;
        assert_eq!(rp1.userinfo(&refreshed.access_token).await.status, 401);
        assert_eq!(bob.follows(&silent("org-c")).await.error().0, "login_required");
    }
}

#[tokio::test]
async fn s0_31_h03_nobody_acts_for_another_in_the_name_of_what_was_shut_down() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let con = con(&house).await;
    let user = house.user("con@a.test").await.parse().unwrap();
    house.joins(user, "org-c", &["member"]).await;
    let rp1 = Application::rp1(&house);
    for way in ["deactivate", "reactivate"] {
        turn(&operator, "org-a", way).await;
        // B was open to them by a delegation of A alone.
        assert_eq!(rp1.userinfo(&con.of_b).await.status, 401, "{way}");
    }
    let mut person = con.person;
    let ask = rp1.asks().with("organization", "org-b").with("prompt", "none");
    assert_eq!(person.follows(&ask).await.error().0, "login_required");
    let ask = rp1.asks().with("organization", "org-c").with("prompt", "none");
    let arrival = person.follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    let listed = tokens.id["organizations"].as_array().unwrap().clone();
    let with_roles = |one: &&Value| one["roles"].as_array().is_some_and(|roles| !roles.is_empty());
    let named: Vec<_> = listed.iter().filter(with_roles).map(|one| one["name"].clone()).collect();
    assert_eq!(named, [json!("org-c")], "the others want a new sign-in: {listed:?}");
}
