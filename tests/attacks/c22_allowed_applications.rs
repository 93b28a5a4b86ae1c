//! C22, C02, H01: an application that an owner had to allow does nothing that is an owner's alone, and what it writes under
//! their name is not their word.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::{delete, fine, refuses};
use crate::house::api::{Api, THIRD};
use crate::house::broker::{Engine, House, Plan};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const UNREAD: (u16, &str) = (428, "draft_unread");
const BEYOND: (u16, &str) = (403, "beyond_consent");

/// Ann, who owns it, by an application of the project's own and by one that she has allowed.
async fn owner(house: &House) -> [Api; 2] {
    [Api::person(house, "ann@a.test", "org-a").await, Api::by_consent(house, "ann@a.test", "org-a").await]
}

#[tokio::test]
async fn h01_c22_what_a_provider_calls_somebody_is_no_allowed_applications_to_say() {
    for engine in ENGINES {
        let house = Plan::on(engine).and(THIRD).build().await;
        let [owner, third] = owner(&house).await;
        Api::person(&house, "con@a.test", "org-a").await;
        let (con, ca) = (house.user("con@a.test").await, house.connection("ca").await);
        let relink = format!("/connections/{ca}/relink");
        let people = format!("{relink}/people/{con}");
        let known = fine(third.get(&people).await)["names"][0]["identity_id"].clone();
        let called = json!({"identity_id": known, "subject": "mallory"});
        let kinds = json!({"from": {"format": "x"}, "to": {"attribute": "uid"}, "identities": 1});
        for (path, body) in [
            (people.clone(), called.clone()),
            (format!("{relink}/names"), kinds),
            (relink, json!({"from": ca, "identities": 1})),
        ] {
            refuses(&house, third.post(&path, body), (403, "permission_missing")).await;
        }
        assert_eq!(fine(owner.post(&people, called).await)["subject"], json!("mallory"));
    }
}

#[tokio::test]
async fn c02_c22_what_an_allowed_application_has_drafted_is_not_its_owners_word() {
    for engine in ENGINES {
        let house = Plan::on(engine).and(THIRD).build().await;
        let [owner, third] = owner(&house).await;
        let path = format!("/connections/{}", house.connection("ca").await);
        let (activate, forced) = (format!("{path}/activate"), json!({"force": true}));
        fine(owner.patch(&path, json!({"leeway": 20})).await);
        let at = |path: &str| format!("{}{path}", house.idp_b.issuer);
        let endpoints =
            json!({"authorization": at("/authorize"), "token": at("/token"), "jwks": at("/jwks")});
        let secret = "theirs, and quite long enough for it";
        let drafted =
            fine(third.patch(&path, json!({"endpoints": endpoints, "client_secret": secret})).await);
        let application = house.text("SELECT id FROM applications WHERE client_id = 'third'").await;
        assert_eq!(drafted["draft"]["by_leave"], json!(application));
        assert_eq!(drafted["draft"]["created_by"], json!(house.user("ann@a.test").await));
        refuses(&house, owner.post(&activate, forced.clone()), UNREAD).await;
        for body in [json!({"leeway": 21}), json!({"leeway": 21, "activate": true, "force": true})] {
            refuses(&house, owner.patch(&path, body), UNREAD).await;
        }
        // The application goes on with it, and makes it live no more than it made its first.
        let draft = fine(third.patch(&path, json!({"leeway": 22})).await)["draft"]["version"].clone();
        refuses(&house, third.post(&activate, forced), (403, "owner_required")).await;
        let live = fine(owner.post(&activate, json!({"force": true, "version": draft})).await);
        assert_eq!((&live["settings"]["leeway"], &live["draft"]), (&json!(22), &Value::Null));
        // So with what it has begun.
        let body = json!({
            "type": "oidc", "issuer": house.idp_b.issuer, "client_id": "behalf", "client_secret": house.idp_b.secret,
        });
        let made = fine(third.post("/connections", body).await);
        assert_eq!(made["draft"]["by_leave"], json!(application));
        let activate = format!("/connections/{}/activate", made["id"].as_str().unwrap());
        refuses(&house, owner.post(&activate, json!({})), UNREAD).await;
    }
}

#[tokio::test]
async fn c22_h05_nobody_leaves_or_owns_by_an_application_that_they_have_allowed() {
    for engine in ENGINES {
        let house = Plan::on(engine).and(THIRD).build().await;
        let [owner, third] = owner(&house).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let by_con = Api::by_consent(&house, "con@a.test", "org-a").await;
        let ids = [house.user("ann@a.test").await, house.user("con@a.test").await];
        let [ann_place, con_place] = ids.clone().map(|id| format!("/organizations/org-a/members/{id}"));
        // Somebody else owns it, too: it is not the last owner's place that keeps them.
        house.has_member("eve@a.test", "org-a", &["owner"]).await;
        refuses(&house, delete(&third, &ann_place), BEYOND).await;
        refuses(&house, delete(&third, &format!("{ann_place}?force=true")), BEYOND).await;
        refuses(&house, third.patch(&ann_place, json!({"status": "suspended"})), BEYOND).await;
        refuses(&house, third.patch(&format!("{ann_place}/role"), json!({"role": "member"})), BEYOND).await;
        refuses(&house, delete(&by_con, &con_place), BEYOND).await;
        let transfer = "/organizations/org-a/transfer-ownership";
        fine(owner.post(transfer, json!({"user_id": ids[1]})).await);
        let accept = format!("{transfer}/accept");
        refuses(&house, by_con.send(Method::POST, &accept, |ask| ask), BEYOND).await;
        refuses(&house, delete(&by_con, transfer), BEYOND).await;
        assert_eq!(delete(&con, transfer).await.status, 204);
        assert_eq!(delete(&con, &con_place).await.status, 204);
    }
}

#[tokio::test]
async fn c22_c02_how_people_sign_in_is_no_allowed_applications_to_decide() {
    for engine in ENGINES {
        let house = Plan::on(engine).and(THIRD).build().await;
        let [owner, third] = owner(&house).await;
        let domain = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let (domain, policy) =
            (format!("/organizations/org-a/domains/{domain}"), "/organizations/org-a/policy");
        fine(owner.patch(&domain, json!({"trust_email": false})).await);
        fine(owner.patch(policy, json!({"api_keys_enabled": false})).await);
        let cb = house.connection("cb").await;
        for (method, path, body) in [
            (Method::PATCH, domain.as_str(), json!({"trust_email": true})),
            (Method::PATCH, domain.as_str(), json!({"connection_ids": [cb]})),
            (Method::PATCH, domain.as_str(), json!({"auto_join": {"role": "member"}})),
            (Method::PATCH, policy, json!({"require_mfa": false})),
            (Method::PATCH, policy, json!({"api_keys_enabled": true})),
            (Method::PUT, policy, json!({"max_age": null})),
        ] {
            refuses(&house, third.write(method, path, body), (403, "permission_missing")).await;
        }
        // It reads both, and says of itself that it does no more.
        fine(third.get(policy).await);
        assert_eq!(fine(third.get(&domain).await)["trust_email"], json!(false));
        // What is taken away outlives nothing.
        fine(owner.patch(&domain, json!({"trust_email": true})).await);
        let less = fine(third.patch(&domain, json!({"trust_email": false})).await);
        assert_eq!(less["trust_email"], json!(false));
        let told = fine(third.get("/me/permissions").await)["permissions"].clone();
        let may = |permission: &str| {
            let all = told.as_array().unwrap();
            let one = all.iter().find(|one| one["permission"] == json!(permission)).unwrap();
            one["effective"].clone()
        };
        assert_eq!((may("policy:read"), may("policy:write")), (json!(true), json!(false)), "{told}");
    }
}
