//! C02, H01, H04: whose a draft is stays known whatever becomes of the connection, and nobody makes live unread what somebody
//! else has put there, be it that others are believed by it, or that others come in.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::{Api, THIRD};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::LyingIdp;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const UNREAD: (u16, &str) = (428, "draft_unread");

fn fine(answer: Answer) -> Value {
    assert!(answer.status.is_success(), "{}: {}", answer.status, answer.body);
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Refused for this, and nothing was stored.
async fn refuses(house: &House, attempt: impl Future<Output = Answer>, (status, code): (u16, &str)) {
    let before = house.before().await;
    let answer = attempt.await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{}", answer.body);
    house.refused(&before, code).await;
}

/// The owner of A; and who may draft there and is not their word: an application that they have allowed, and a key.
async fn callers(house: &House) -> (Api, [Api; 2]) {
    let owner = Api::person(house, "ann@a.test", "org-a").await;
    let third = Api::by_consent(house, "ann@a.test", "org-a").await;
    let key = Api::key(house, "org-a", &["connections:read", "connections:write"]).await;
    (owner, [third, key])
}

async fn makes(api: &Api, idp: &LyingIdp, how: Value) -> String {
    let mut body = json!({
        "type": "oidc", "issuer": idp.issuer, "client_id": "behalf", "client_secret": idp.secret,
    });
    body.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
    format!("/connections/{}", fine(api.post("/connections", body).await)["id"].as_str().unwrap())
}

/// Goes on with a draft, and names what has been read.
async fn goes_on(api: &Api, path: &str, how: Value) -> Value {
    let read = api.get(path).await.header("etag").unwrap().to_owned();
    let named = |ask: reqwest::RequestBuilder| {
        ask.header("if-match", read).header("content-type", "application/json").body(how.to_string())
    };
    fine(api.send(Method::PATCH, path, named).await)
}

fn theirs(house: &House) -> Value {
    json!({"issuer": house.idp_b.issuer, "client_secret": "theirs, and quite long enough for it"})
}

async fn act(api: &Api, path: &str, what: &str) -> Value {
    fine(api.send(Method::POST, &format!("{path}/{what}"), |ask| ask).await)
}

async fn delete(api: &Api, path: &str) {
    assert_eq!(api.send(Method::DELETE, path, |ask| ask).await.status, 204);
}

#[tokio::test]
async fn c02_h01_what_never_was_live_keeps_its_author_when_it_is_deleted_and_switched_on_again() {
    for engine in ENGINES {
        let house = Plan::on(engine).and(THIRD).build().await;
        let (owner, others) = callers(&house).await;
        for other in &others {
            let path = makes(&owner, &house.idp_a, json!({})).await;
            let activate = format!("{path}/activate");
            let drafted = goes_on(other, &path, theirs(&house)).await["draft"].clone();
            refuses(&house, owner.post(&activate, json!({})), UNREAD).await;
            for off in ["delete", "disable"] {
                match off {
                    "delete" => delete(other, &path).await,
                    off => drop(act(other, &path, off).await),
                }
                let again = act(other, &path, "enable").await;
                assert_eq!(again["state"], json!("draft"));
                for of_author in ["version", "created_by", "by_leave"] {
                    assert_eq!(again["draft"][of_author], drafted[of_author], "{off} {of_author}");
                }
                refuses(&house, owner.post(&activate, json!({})), UNREAD).await;
                refuses(&house, owner.patch(&path, json!({"leeway": 9, "activate": true})), UNREAD).await;
            }
            // Whose it is nobody knows any more: then it is nobody's own.
            let id = path.rsplit('/').next().unwrap();
            let kept = format!("DELETE FROM connection_versions WHERE connection_id = '{id}'");
            assert_eq!(house.execute(&kept).await, 1);
            refuses(&house, owner.post(&activate, json!({})), UNREAD).await;
            let version = fine(owner.get(&path).await)["version"].clone();
            let live = fine(owner.post(&activate, json!({ "version": version })).await);
            assert_eq!(
                (&live["state"], &live["settings"]["issuer"]),
                (&json!("active"), &json!(house.idp_b.issuer))
            );
        }
    }
}

/// Whoever names what they have read by a number, or by an ETag, means that and nothing that has its number now.
#[tokio::test]
async fn c02_h04_the_number_of_a_draft_that_went_with_its_connection_is_given_to_no_other_one() {
    for engine in ENGINES {
        let house = Plan::on(engine).and(THIRD).build().await;
        let (owner, others) = callers(&house).await;
        for other in &others {
            let path = makes(&owner, &house.idp_a, json!({"activate": true})).await;
            act(&owner, &path, "disable").await;
            let read = owner.patch(&path, json!({"leeway": 9})).await;
            let (etag, number) =
                (read.header("etag").unwrap().to_owned(), read.json()["draft"]["version"].clone());
            let thrown = house.events_of("organization.connection.draft_discarded").await;
            delete(other, &path).await;
            assert_eq!(house.events_of("organization.connection.draft_discarded").await, thrown + 1);
            assert_eq!(fine(owner.get(&path).await)["draft"], Value::Null);
            let drafted = fine(other.patch(&path, theirs(&house)).await)["draft"]["version"].clone();
            assert!(drafted.as_i64() > number.as_i64(), "{drafted} {number}");
            let activate = format!("{path}/activate");
            refuses(&house, owner.post(&activate, json!({ "version": number })), (409, "no_version")).await;
            let named = |ask: reqwest::RequestBuilder| {
                ask.header("if-match", etag).header("content-type", "application/json").body("{}")
            };
            let stale = owner.send(Method::POST, &activate, named);
            refuses(&house, stale, (412, "precondition_failed")).await;
        }
    }
}

#[tokio::test]
async fn c02_h01_nobody_lets_people_in_unread_by_what_somebody_else_has_drafted() {
    for engine in ENGINES {
        let house = Plan::on(engine).and(THIRD).build().await;
        let (owner, others) = callers(&house).await;
        let path = makes(&owner, &house.idp_a, json!({"jit": "expected_only", "activate": true})).await;
        let (activate, draft) = (format!("{path}/activate"), format!("{path}/draft"));
        for other in &others {
            for how in [
                json!({"jit": "create_and_join"}),
                json!({"client_secret": "theirs, and quite long enough for it"}),
                json!({"leeway": 90}),
            ] {
                let version = fine(other.patch(&path, how.clone()).await)["draft"]["version"].clone();
                refuses(&house, owner.post(&activate, json!({})), UNREAD).await;
                let goes_on = json!({"display_name": "Ours", "activate": true});
                refuses(&house, owner.patch(&path, goes_on), UNREAD).await;
                if how.get("jit").is_some() {
                    refuses(&house, other.post(&activate, json!({})), (403, "role_ceiling")).await;
                    // Whoever says which they have read may.
                    let live = fine(owner.post(&activate, json!({ "version": version })).await);
                    assert_eq!(live["settings"]["jit"], json!("create_and_join"));
                    fine(owner.patch(&path, json!({"jit": "expected_only", "activate": true})).await);
                } else {
                    delete(&owner, &draft).await;
                }
            }
            // What lets nobody else in is anybody's to go on with.
            fine(other.patch(&path, json!({"leeway": 9})).await);
            let live = fine(owner.post(&activate, json!({})).await);
            assert_eq!(live["settings"]["leeway"], json!(9));
            fine(owner.patch(&path, json!({"leeway": 60, "activate": true})).await);
        }
    }
}
