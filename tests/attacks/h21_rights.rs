//! H21: a refresh token outlives what it stands on: a right, an organization, a session, what its application may have.

use reqwest::Method;
use serde_json::json;

use super::c21_organizations::ENDS;
use super::h21_refresh::{is_dead, is_refused, offline, sweeps, tokens};
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};

/// The organizations are active again, but not the same as when the family began.
const BEGUN_ANEW: [(&str, &str); 2] = [
    ("UPDATE organizations SET epoch = epoch + 1 WHERE slug = 'org-b'", "organization_was_inactive"),
    ("UPDATE organizations SET epoch = epoch + 1 WHERE slug = 'org-a'", "organization_was_inactive"),
];

#[tokio::test]
async fn h21_what_the_operator_has_taken_from_an_application_is_in_no_refresh() {
    let house = offline().build().await;
    let (rp1, operator) = (Application::rp1(&house), Api::operator(&house).await);
    let scope = "openid email roles organizations offline_access";
    let named = r#"{"id_token":{"name":null}}"#;
    let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let ask = ask.with("scope", scope).with("claims", named);
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    assert_eq!(tokens.access["scope"], json!(scope));
    assert!(tokens.id.get("email").is_some() && tokens.id.get("organizations").is_some(), "{}", tokens.id);
    let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
    let may = async |scopes: serde_json::Value| {
        let done = operator.patch(&format!("/applications/{id}"), json!({ "scopes": scopes })).await;
        assert_eq!(done.status, 200, "{}", done.body);
    };
    may(json!(["openid", "roles", "offline_access"])).await;
    // What was issued before says less at once, too.
    let told = rp1.userinfo(&tokens.access_token).await.json();
    assert!(told.get("email").is_none() && told.get("organizations").is_none(), "{told}");
    let again = ask.reads_again(&rp1.refreshes(tokens.refresh()).send().await).await;
    assert_eq!(again.access["scope"], json!("openid roles offline_access"));
    for claim in ["email", "email_verified", "organizations", "name"] {
        assert!(again.id.get(claim).is_none() && again.access.get(claim).is_none(), "{claim}: {}", again.id);
    }
    // What it may not stay for any more ends with the session.
    may(json!(["openid", "roles"])).await;
    house.execute("UPDATE sessions SET ended_at = 1").await;
    is_refused(&house, &rp1.refreshes(again.refresh()), "invalid_grant", "session_ended").await;
    // And where nothing is left, there is nothing to give.
    house.execute("UPDATE sessions SET ended_at = NULL").await;
    may(json!(["profile"])).await;
    is_refused(&house, &rp1.refreshes(again.refresh()), "invalid_scope", "invalid_scope").await;
    // What it may have again, it gets again.
    may(json!(["openid", "email"])).await;
    let back = ask.reads_again(&rp1.refreshes(again.refresh()).send().await).await;
    assert_eq!(back.access["scope"], json!("openid email"));
}

#[tokio::test]
async fn c21_a_right_that_ends_between_two_refreshes_is_not_minted() {
    for (end, reason) in ENDS.into_iter().chain(BEGUN_ANEW) {
        let house = House::opens().await;
        let rp1 = Application::rp1(&house);
        let ask = rp1.asks();
        let arrival = Person::new("con@a.test").acts_for(&ask, "B Corporation").await;
        let first = ask.redeems(&arrival).await;
        let second = ask.reads_again(&rp1.refreshes(first.refresh()).send().await).await;
        assert_eq!(second.access["home_org_id"], first.access["home_org_id"]);
        assert!(house.execute(end).await >= 1, "{end}");
        is_refused(&house, &rp1.refreshes(second.refresh()), "invalid_grant", reason).await;
        // Nor by asking once more with the one before.
        is_refused(&house, &rp1.refreshes(first.refresh()), "invalid_grant", reason).await;
    }
}

#[tokio::test]
async fn s0_30_refresh_tokens_of_a_deactivated_organization_are_worth_nothing_even_afterwards() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (_, of_a) = tokens(&rp1, "con@a.test").await;
    let ask = rp1.asks();
    let arrival = Person::new("con@a.test").acts_for(&ask, "B Corporation").await;
    let of_b = ask.redeems(&arrival).await;
    let operator = Api::operator(&house).await;
    let again = "the organization was deactivated after this was given: the person has to sign in again";
    for (step, reason, told) in [
        ("deactivate", "organization_inactive", "organization_inactive"),
        ("reactivate", "organization_was_inactive", again),
    ] {
        let answer = operator.send(Method::POST, &format!("/organizations/org-b/{step}"), |ask| ask).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        is_refused(&house, &rp1.refreshes(of_b.refresh()), "invalid_grant", reason).await;
        let answer = rp1.refreshes(of_b.refresh()).send().await;
        assert_eq!(answer.json()["error_description"], json!(told));
    }
    // Nor by its name, though the person may act for it again.
    let named = rp1.refreshes(of_b.refresh()).with("organization", "org-b");
    is_refused(&house, &named, "invalid_grant", "organization_was_inactive").await;
    assert_eq!(rp1.refreshes(of_a.refresh()).send().await.status, 200, "the same person's for another one");
}

#[tokio::test]
async fn h21_what_is_not_for_offline_access_ends_with_the_session() {
    let house = offline().build().await;
    let rp1 = Application::rp1(&house);
    for (scope, survives) in [("openid email", false), ("openid email offline_access", true)] {
        let ask =
            rp1.asks().with("scope", scope).with("organization", "org-a").with("login_hint", "con@a.test");
        let mut con = Person::new("con@a.test");
        let arrival = con.follows(&ask).await;
        let first = ask.redeems(&arrival).await;
        let page = con.browser.get(&format!("{}/logout", house.url)).await;
        assert_eq!(con.browser.submit(&page.form()).await.status, 200);
        let answer = rp1.refreshes(first.refresh()).send().await;
        assert_eq!(answer.status == 200, survives, "{scope}: {}", answer.body);
        assert_eq!(rp1.userinfo(&first.access_token).await.status == 200, survives, "{scope}");
        if !survives {
            continue;
        }
        let second = ask.reads_again(&answer).await;
        assert_eq!(second.id["session_expiry"], first.id["session_expiry"]);
        // Long after the session would have ended, and been forgotten.
        house.turn_clock(10 * 86_400);
        sweeps(&house).await;
        let third = ask.reads_again(&rp1.refreshes(second.refresh()).send().await).await;
        assert_eq!(third.id["auth_time"], first.id["auth_time"]);
        // Whoever is to sign in nowhere any more loses that, too.
        let user = format!("/users/{}", house.user("con@a.test").await);
        let disabled = Api::operator(&house).await.patch(&user, json!({"disabled": true})).await;
        assert_eq!(disabled.status, 200, "{}", disabled.body);
        is_dead(&rp1, &third).await;
    }
}

#[tokio::test]
async fn h21_offline_access_is_for_whom_it_was_registered() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let before = house.before().await;
    let arrival = Person::new("con@a.test").follows(&rp1.asks().with("scope", "openid offline_access")).await;
    assert_eq!(arrival.error().0, "invalid_scope");
    house.refused(&before, "invalid_scope").await;
    // To who may not refresh at all it means nothing.
    let plan =
        Plan::default().with("type = \"web\"", "type = \"web\"\ngrant_types = [\"authorization_code\"]");
    let house = plan.build().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1
        .asks()
        .with("scope", "openid offline_access")
        .with("organization", "org-a")
        .with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let answer = ask.redemption(&arrival.code()).send().await;
    assert_eq!(answer.json()["scope"], json!("openid"));
    assert!(ask.reads(&answer).await.refresh_token.is_none());
    let refused = rp1.refreshes("rt_x");
    is_refused(&house, &refused, "unauthorized_client", "unauthorized_client").await;
}

#[tokio::test]
async fn s1_r09_s3_26_a_refresh_goes_by_what_holds_now() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (ask, first) = tokens(&rp1, "con@a.test").await;
    assert_eq!(first.access["roles"], json!(["member"]));
    let operator = Api::operator(&house).await;
    let path = format!("/organizations/org-a/members/{}/role", house.user("con@a.test").await);
    let answer = operator.patch(&path, json!({ "role": "admin" })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let second = ask.reads_again(&rp1.refreshes(first.refresh()).send().await).await;
    assert_eq!(second.access["roles"], json!(["admin"]));
    // A second factor that is wanted from now on was never proved.
    let answer = operator.patch("/organizations/org-a/policy", json!({ "require_mfa": true })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    is_refused(&house, &rp1.refreshes(second.refresh()), "invalid_grant", "mfa_required").await;
    assert_eq!(rp1.userinfo(&second.access_token).await.status, 401);
    let answer = operator.patch("/organizations/org-a/policy", json!({ "require_mfa": false })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    ask.reads_again(&rp1.refreshes(second.refresh()).send().await).await;
}
