//! An owner gives an organization to somebody else.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::house::answers::{refusal, told};
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House};
use crate::house::visitor::Answer;

const PATH: &str = "/organizations/org-a/transfer-ownership";
const ACCEPT: &str = "/organizations/org-a/transfer-ownership/accept";

async fn delete(api: &Api) -> Answer {
    api.send(Method::DELETE, PATH, |request| request).await
}

async fn accepts(api: &Api) -> Answer {
    api.send(Method::POST, ACCEPT, |request| request).await
}

async fn roles(house: &House, user: &str) -> String {
    let sql = format!("SELECT roles FROM memberships WHERE user_id = '{user}'");
    house.text(&sql).await.unwrap()
}

#[tokio::test]
async fn s1_r11_s1_l8_an_owner_offers_it_and_the_other_accepts_once() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let (cons, anns) = (house.user("con@a.test").await, house.user("ann@a.test").await);
        let body = json!({"user_id": cons});
        assert_eq!(told(&ann.get(PATH).await), refusal(404, "not_found"));
        let offered = ann.post(PATH, body.clone()).await;
        assert_eq!(
            (offered.status.as_u16(), &offered.json()["status"]),
            (202, &json!("pending")),
            "{}",
            offered.body
        );
        assert_eq!(
            (roles(&house, &anns).await, roles(&house, &cons).await),
            ("[\"owner\"]".into(), "[\"member\"]".into())
        );
        assert_eq!(told(&ann.post(PATH, body.clone()).await), refusal(409, "transfer_pending"));
        assert_eq!(con.get(PATH).await.json(), offered.json());
        // Whoever looks after the organization sees who is about to own it.
        let waits =
            async || ann.get("/organizations/org-a/health").await.json()["ownership_transfer"].clone();
        let waiting = waits().await;
        assert_eq!((&waiting["user_id"], &waiting["from"]), (&json!(cons), &json!(anns)));
        let (since, until) = (house.broker.now(), house.broker.now().plus(Duration::from_secs(7 * 86_400)));
        assert_eq!(
            (&waiting["since"], &waiting["until"]),
            (&json!(since.rfc3339()), &json!(until.rfc3339()))
        );
        let before = house.before().await;
        assert_eq!(told(&accepts(&ann).await), refusal(404, "not_found"), "it is not hers to accept");
        house.refused(&before, "not_found").await;
        let accepted = accepts(&con).await;
        assert_eq!(waits().await, json!(null), "it waits no more");
        assert_eq!(
            (accepted.status.as_u16(), &accepted.json()["status"]),
            (200, &json!("transferred")),
            "{}",
            accepted.body
        );
        assert_eq!(
            (roles(&house, &anns).await, roles(&house, &cons).await),
            ("[\"admin\"]".into(), "[\"owner\"]".into())
        );
        assert_eq!(house.events_of("organization.ownership_transferred").await, 1);
        assert_eq!(told(&accepts(&con).await), refusal(404, "not_found"));
        assert_eq!(told(&ann.post(PATH, body).await), refusal(403, "permission_missing"), "an owner no more");

        // At once, where nobody is to be asked.
        let back = con.post(PATH, json!({"user_id": anns, "acceptance_required": false})).await;
        assert_eq!(back.status, 200, "{}", back.body);
        assert_eq!(
            (roles(&house, &anns).await, roles(&house, &cons).await),
            ("[\"owner\"]".into(), "[\"admin\"]".into())
        );
    }
}

#[tokio::test]
async fn s1_r11_only_an_owner_who_has_just_signed_in_gives_it_to_an_active_member() {
    let house = House::opens().await;
    let mut browser = Person::new("ann@a.test");
    let con = Api::person(&house, "con@a.test", "org-a").await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("organization", "org-a");
    browser.follows(&ask).await.code();
    let operator = Api::operator(&house).await;
    let key = Api::key(&house, "org-a", &["organization:transfer", "organization:write"]).await;
    let (cons, anns) = (house.user("con@a.test").await, house.user("ann@a.test").await);
    let body = json!({"user_id": cons, "acceptance_required": false});
    house.turn_clock(299);
    let again = rp1.asks().with("organization", "org-a");
    let arrival = browser.follows(&again).await;
    let ann = Api::with(&house, Some(again.redeems(&arrival).await.access_token)).await;
    let eve = house.has_member("eve@a.test", "org-a", &["member"]).await.to_string();
    let far = house.knows("far@b.test", "Far").await.to_string();
    house.execute(&format!("UPDATE memberships SET status = 'suspended' WHERE user_id = '{eve}'")).await;
    let before = house.before().await;
    for (api, body, expected) in [
        (&con, body.clone(), refusal(403, "permission_missing")),
        (&operator, body.clone(), refusal(403, "person_required")),
        (&key, body.clone(), refusal(403, "permission_missing")),
        (&ann, json!({"user_id": eve}), refusal(409, "target_not_active")),
        (&ann, json!({"user_id": anns}), refusal(409, "already_owner")),
        (&ann, json!({"user_id": far}), refusal(404, "not_found")),
        (&ann, json!({"user_id": "x"}), refusal(404, "not_found")),
        (&ann, json!({}), refusal(400, "invalid_body")),
    ] {
        assert_eq!(told(&api.post(PATH, body.clone()).await), expected, "{body}");
    }
    house.turn_clock(2);
    let stale = ann.post(PATH, body.clone()).await;
    assert_eq!(told(&stale), refusal(403, "reauthentication_required"));
    assert!(stale.header("www-authenticate").unwrap().contains("max_age=\"300\""));
    house.unchanged(&before).await;
}

#[tokio::test]
async fn s1_r11_h02_of_many_heirs_there_is_one() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let mut heirs = vec![house.user("con@a.test").await];
        for number in 0..9 {
            heirs
                .push(house.has_member(&format!("e{number}@a.test"), "org-a", &["member"]).await.to_string());
        }
        assert_eq!(ann.post(PATH, json!({"user_id": heirs[0]})).await.status, 202);
        let give = |to: &String| {
            let body = json!({"user_id": to, "acceptance_required": false});
            let ann = &ann;
            async move { ann.post(PATH, body).await }
        };
        let (accepted, given) = futures_util::join!(
            futures_util::future::join_all((0..10).map(|_| accepts(&con))),
            futures_util::future::join_all(heirs[1..].iter().map(give))
        );
        let won = accepted.iter().chain(&given).filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1, "{:?}", accepted.iter().chain(&given).map(told).collect::<Vec<_>>());
        let owners = "SELECT CAST(COUNT(*) AS TEXT) FROM membership_roles r JOIN organizations o ON o.id = r.organization_id
                      WHERE o.slug = 'org-a' AND r.role = 'owner'";
        assert_eq!(house.text(owners).await.as_deref(), Some("1"));
        assert_eq!(house.events_of("organization.ownership_transferred").await, 1);
    }
}

#[tokio::test]
async fn s1_r11_an_offer_is_taken_back_turned_down_or_runs_out() {
    let house = House::opens().await;
    let con = Api::person(&house, "con@a.test", "org-a").await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let dan = Api::person(&house, "dan@a.test", "org-a").await;
    let body = json!({"user_id": house.user("con@a.test").await});
    for by in [&con, &ann] {
        assert_eq!(ann.post(PATH, body.clone()).await.status, 202);
        assert_eq!(told(&delete(&dan).await), refusal(404, "not_found"), "it is nobody else's");
        assert_eq!(told(&dan.get(PATH).await), refusal(404, "not_found"));
        assert_eq!(delete(by).await.status, 204);
        assert_eq!(told(&accepts(&con).await), refusal(404, "not_found"));
    }
    assert_eq!(house.events_of("organization.ownership_offer_cancelled").await, 2);
    assert_eq!(ann.post(PATH, body.clone()).await.status, 202);
    // Who offered it has lost it meanwhile: then there is nothing to give.
    house.has_member("own@c.test", "org-a", &["owner"]).await;
    let anns = house.user("ann@a.test").await;
    let operator = Api::operator(&house).await;
    let path = format!("/organizations/org-a/members/{anns}/role?force=true");
    assert_eq!(operator.patch(&path, json!({"role": "member"})).await.status, 200);
    let before = house.before().await;
    assert_eq!(told(&accepts(&con).await), refusal(409, "not_owner"));
    house.refused(&before, "not_owner").await;
    operator.patch(&format!("/organizations/org-a/members/{anns}/role"), json!({"role": "owner"})).await;
    house.turn_clock(7 * 24 * 3_600);
    let con = Api::person(&house, "con@a.test", "org-a").await;
    assert_eq!(told(&accepts(&con).await), refusal(404, "not_found"), "a week is over");
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    assert_eq!(ann.post(PATH, body).await.status, 202, "the old one stands in nobody's way");
}
