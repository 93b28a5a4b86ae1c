//! C22, C02, H01: an application that an owner had to allow does nothing that is an owner's alone, and what it writes under
//! their name is not their word.

use serde_json::{Value, json};

use crate::house::api::{Api, THIRD};
use crate::house::broker::{Engine, House, Plan};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const UNREAD: (u16, &str) = (428, "draft_unread");

fn fine(answer: Answer) -> Value {
    assert!(answer.status.is_success(), "{}: {}", answer.status, answer.body);
    answer.json()
}

/// Refused for this, and nothing was stored.
async fn refuses(house: &House, attempt: impl Future<Output = Answer>, (status, code): (u16, &str)) {
    let before = house.before().await;
    let answer = attempt.await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{}", answer.body);
    house.refused(&before, code).await;
}

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
