//! What whoever reviews access is told (S1-L7): whatever gives anybody anything, and from where.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::broker::{Engine, House, Plan};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const REVIEW: &str = "/organizations/org-a/access-review";

/// All of it, one by one.
async fn reviewed(api: &Api) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{REVIEW}?limit=1{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        entries.extend(page.json()["items"].as_array().unwrap().clone());
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(api.get(REVIEW).await.json()["items"], json!(entries), "page by page");
    entries
}

/// Of one kind, which, as what, how it stands, and on which side.
fn of_kind(entries: &[Value], kind: &str) -> Vec<Value> {
    let shown = |one: &Value| json!([one["name"], one["roles"], one["status"], one["side"]]);
    entries.iter().filter(|one| one["kind"] == json!(kind)).map(shown).collect()
}

async fn house(engine: Engine) -> House {
    let con = r#"{ email = "con@a.test", roles = ["member"] }"#;
    let comes = "\n[[delegation]]\nhome = \"org-b\"\ntarget = \"org-a\"\nroles = [\"admin\"]\n";
    Plan::on(engine).with(con, &con.replace("member", "owner")).and(comes).build().await
}

#[tokio::test]
async fn s1_l7_s1_p7_whatever_gives_anybody_anything_is_reviewed() {
    for engine in ENGINES {
        let house = house(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let key = Api::key(&house, "org-a", &["members:read"]).await;
        let rule = json!({
            "connection_id": house.connection("ca").await, "claim": "groups", "operator": "contains",
            "value": "=desk", "role": "admin",
        });
        let made = ann.post("/organizations/org-a/role-rules", rule).await;
        assert_eq!(made.status, 201, "{}", made.body);

        let entries = reviewed(&key).await;
        let kinds: Vec<_> = entries.iter().map(|one| one["kind"].as_str().unwrap()).collect();
        let expected =
            ["member", "api_key", "expected_member", "delegation", "delegation", "role_rule", "connection"];
        assert_eq!(kinds, expected);
        // Who is to own it, and has never come.
        let waits = &entries[2];
        assert_eq!(
            (&waits["email"], &waits["roles"], &waits["status"]),
            (&json!("con@a.test"), &json!(["owner"]), &json!("expected"))
        );
        assert!(waits["permissions"].as_array().unwrap().contains(&json!("members:write")));
        // Who acts here for another one, and where its own people do.
        let mut delegations = of_kind(&entries, "delegation");
        delegations.sort_by_key(Value::to_string);
        let (theirs, ours) = (
            json!(["B Corporation", ["admin"], "active", "target"]),
            json!(["B Corporation", ["member"], "active", "home"]),
        );
        assert_eq!(delegations, [theirs.clone(), ours.clone()]);
        let of_side = |side: &str| {
            let one = entries.iter().find(|one| one["side"] == json!(side)).unwrap();
            one["permissions"].as_array().unwrap().clone()
        };
        assert!(of_side("target").contains(&json!("members:write")));
        assert!(!of_side("target").contains(&json!("api_keys:write")), "no delegate has it");
        assert_eq!(of_side("home"), [""; 0], "that is the other one's to say");
        // Who has it by what a provider says.
        assert_eq!(
            of_kind(&entries, "role_rule"),
            [json!(["groups contains =desk", ["admin"], "active", null])]
        );
        let csv = ann.get(&format!("{REVIEW}/export")).await;
        assert_eq!(csv.body.lines().count(), 1 + entries.len(), "{}", csv.body);
        assert!(csv.body.lines().next().unwrap().ends_with(",side"), "{}", csv.body);

        // What has come, or is over, is not there any more.
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let inward = entries.iter().find(|one| one["side"] == json!("target")).unwrap();
        let path = format!("/delegations/{}/revoke", inward["id"].as_str().unwrap());
        let ended = con.post(&path, json!({})).await;
        assert_eq!(ended.status, 200, "{}", ended.body);
        let rule = format!("/organizations/org-a/role-rules/{}", made.json()["id"].as_str().unwrap());
        assert_eq!(con.send(Method::DELETE, &rule, |ask| ask).await.status, 204);
        let left = reviewed(&key).await;
        assert_eq!(of_kind(&left, "delegation"), [ours]);
        assert_eq!((of_kind(&left, "role_rule").len(), of_kind(&left, "expected_member").len()), (0, 0));
        assert_eq!(of_kind(&left, "member").len(), 2);
    }
}

#[tokio::test]
async fn s1_l7_s1_r11_who_will_own_it_next_is_reviewed_and_by_what_people_come_unasked() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let operator = Api::operator(&house).await;
        let cons = house.user("con@a.test").await;
        let offered = ann.post("/organizations/org-a/transfer-ownership", json!({"user_id": cons})).await;
        assert_eq!(offered.status, 202, "{}", offered.body);
        let id = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let joins = json!({"auto_join": {"enabled": true, "role": "member"}});
        let on = operator.patch(&format!("/organizations/org-a/domains/{id}"), joins).await;
        assert_eq!(on.status, 200, "{}", on.body);
        let also = json!({"assign_organizations": ["org-a"], "activate": true, "force": true});
        let cb = operator.patch(&format!("/connections/{}", house.connection("cb").await), also).await;
        assert_eq!(cb.status, 200, "{}", cb.body);

        let entries = reviewed(&ann).await;
        let heir = entries.iter().find(|one| one["kind"] == json!("ownership_transfer")).unwrap();
        assert_eq!((&heir["id"], &heir["email"]), (&json!(cons), &json!("con@a.test")));
        assert_eq!((&heir["roles"], &heir["status"]), (&json!(["owner"]), &json!("pending")));
        assert_eq!(heir["expires_at"], offered.json()["expires_at"]);
        assert!(heir["permissions"].as_array().unwrap().contains(&json!("organization:delete")));
        let member = json!(["member"]);
        // Of somebody else's, no name is told.
        let mut comes = of_kind(&entries, "connection");
        comes.sort_by_key(Value::to_string);
        assert_eq!(
            comes,
            [json!(["A Login", member, "active", null]), json!([null, member, "active", null])]
        );
        assert_eq!(of_kind(&entries, "domain"), [json!(["a.test", member, "active", null])]);
        let csv = ann.get(&format!("{REVIEW}/export")).await;
        assert_eq!(csv.body.lines().count(), 1 + entries.len(), "{}", csv.body);

        // What is over, or lets in nobody unasked, is not there.
        let accepted =
            con.send(Method::POST, "/organizations/org-a/transfer-ownership/accept", |ask| ask).await;
        assert_eq!(accepted.status, 200, "{}", accepted.body);
        let off = json!({"auto_join": {"enabled": false}});
        assert_eq!(operator.patch(&format!("/organizations/org-a/domains/{id}"), off).await.status, 200);
        let only = json!({"jit": "expected_only", "activate": true, "force": true});
        for slug in ["ca", "cb"] {
            let path = format!("/connections/{}", house.connection(slug).await);
            assert_eq!(operator.patch(&path, only.clone()).await.status, 200);
        }
        let left = reviewed(&con).await;
        for kind in ["ownership_transfer", "connection", "domain"] {
            assert_eq!(of_kind(&left, kind), [] as [Value; 0], "{kind}");
        }
    }
}
