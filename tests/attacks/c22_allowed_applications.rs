//! C22, C02, H01: an application that an owner had to allow does nothing that is an owner's alone, and what it writes under
//! their name is not their word.

use serde_json::{Value, json};

use crate::house::api::{Api, THIRD};
use crate::house::broker::{Engine, House, Plan};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

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
