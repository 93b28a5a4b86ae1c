//! S2-22, S0-02: the trail says by which application, in which session and by which delegation somebody acted. A user alone
//! may be no member of where they did it.

use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::broker::{Engine, Entry, House};

const BY: [&str; 4] = ["session", "application", "delegation", "home_organization"];

async fn last(house: &House, action: &str) -> Entry {
    let found = house.audit().await.into_iter().rfind(|event| event.action == action);
    found.unwrap_or_else(|| panic!("no {action}"))
}

fn by(event: &Entry) -> [&Value; 4] {
    BY.map(|name| &event.detail[name])
}

#[tokio::test]
async fn s2_22_s0_02_whatever_a_person_does_says_by_what_they_did_it() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let con = Api::person(&house, "con@a.test", "org-b").await;
        house.execute("UPDATE delegations SET settings = replace(settings, '\"member\"', '\"admin\"')").await;
        let issued = last(&house, "token.issued").await;
        let known = by(&issued).map(Clone::clone);
        assert!(known.iter().all(Value::is_string), "{issued:?}");
        let changed = con.patch("/organizations/org-b", json!({"description": "b"})).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let event = last(&house, "organization.updated").await;
        assert_eq!(event.organization, Some(house.organization("org-b").await));
        assert_eq!(event.actor, house.user("con@a.test").await);
        assert_eq!(by(&event), known.each_ref(), "as the token says");
        assert_eq!(known[3], json!(house.organization("org-a").await));

        // So does what is refused.
        let before = house.before().await;
        let key = con.post("/api-keys", json!({"name": "k", "permissions": ["members:read"]})).await;
        assert_eq!(key.status, 403, "{}", key.body);
        house.refused(&before, "permission_missing").await;
        assert_eq!(by(&house.events_since(&before).await[0]), known.each_ref());

        // Who acts for their own organization acts by no delegation, and a key by nothing else.
        house.turn_clock(1);
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let made = ann.post("/api-keys", json!({"name": "k", "permissions": ["organization:write"]})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let (event, issued) = (last(&house, "api_key.created").await, last(&house, "token.issued").await);
        let rp1 = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
        assert_eq!(by(&event), [&issued.detail["session"], &json!(rp1), &Value::Null, &Value::Null]);
        let key = Api::key(&house, "org-a", &["organization:write"]).await;
        assert_eq!(key.patch("/organizations/org-a", json!({"description": "a"})).await.status, 200);
        assert_eq!(by(&last(&house, "organization.updated").await), [&Value::Null; 4]);
        house.turn_clock(1);
        let operator = Api::operator(&house).await;
        assert_eq!(operator.patch("/organizations/org-a", json!({"description": "c"})).await.status, 200);
        assert_eq!(by(&last(&house, "organization.updated").await), [&Value::Null; 4]);
    }
}
