//! H01: an administrator gives away more than they have, by every way in which roles are given.

use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::broker::{Engine, House, Plan};

/// What an administrator may not give, and what does not exist.
fn wanted() -> Vec<(Value, &'static str)> {
    vec![
        (json!(["owner"]), "role_ceiling"),
        (json!(["member", "owner"]), "role_ceiling"),
        (json!(["billing"]), "role_ceiling"),
        (json!(["Owner"]), "role_unknown"),
        (json!(["OWNER"]), "role_unknown"),
        (json!(["owner "]), "role_unknown"),
        (json!([""]), "role_unknown"),
        (json!(["unknown"]), "role_unknown"),
    ]
}

#[tokio::test]
async fn h01_whoever_gives_roles_gives_none_above_their_own() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let custom = "\n[role.billing]\npermissions = [\"invoices:read\"]\n";
        let house = Plan::on(engine).and(custom).build().await;
        let admin = Api::person(&house, "con@a.test", "org-a").await;
        let key = Api::key(&house, "org-a", &["members:write", "members:read"]).await;
        let con = house.user("con@a.test").await;
        house.execute("UPDATE memberships SET roles = '[\"admin\"]' WHERE roles = '[\"member\"]'").await;
        house.execute("UPDATE membership_roles SET role = 'admin' WHERE role = 'member'").await;
        let eve = house.has_member("eve@a.test", "org-a", &["member"]).await.to_string();
        let new = house.knows("new@a.test", "New").await.to_string();
        let before = house.before().await;
        for (roles, code) in wanted() {
            for api in [&admin, &key] {
                for (path, body) in [
                    ("/organizations/org-a/members".to_owned(), json!({"user_id": new, "roles": roles})),
                    (
                        "/organizations/org-a/members".to_owned(),
                        json!({"user_id": con, "roles": roles, "restore": true}),
                    ),
                ] {
                    let answer = api.post(&path, body).await;
                    assert_eq!(answer.json()["code"], json!(code), "{roles}: {}", answer.body);
                }
                for user in [&eve, &con] {
                    let path = format!("/organizations/org-a/members/{user}/role");
                    let answer = api.patch(&path, json!({"roles": roles})).await;
                    let told = answer.json()["code"].clone();
                    assert!(told == json!(code) || told == json!("role_ceiling"), "{roles}: {}", answer.body);
                }
            }
        }
        house.unchanged(&before).await;
        let fine =
            admin.patch(&format!("/organizations/org-a/members/{eve}/role"), json!({"role": "admin"})).await;
        assert_eq!(fine.status, 200, "{}", fine.body);
        let key =
            key.patch(&format!("/organizations/org-a/members/{eve}/role"), json!({"role": "member"})).await;
        assert_eq!(key.json()["code"], json!("role_ceiling"), "the key may less than an administrator");
    }
}

#[tokio::test]
async fn h01_what_somebody_may_is_judged_when_it_takes_effect() {
    let house = House::opens().await;
    let admin = Api::person(&house, "con@a.test", "org-a").await;
    let eve = house.has_member("eve@a.test", "org-a", &["suspended-owner", "owner"]).await;
    house.execute("UPDATE memberships SET roles = '[\"admin\"]' WHERE roles = '[\"member\"]'").await;
    house.execute("UPDATE memberships SET status = 'suspended' WHERE roles LIKE '%suspended-owner%'").await;
    let before = house.before().await;
    let path = format!("/organizations/org-a/members/{eve}");
    let answer = admin.patch(&path, json!({"status": "active"})).await;
    assert_eq!(answer.json()["code"], json!("role_ceiling"), "to bring an owner back is to make one");
    house.refused(&before, "role_ceiling").await;
}
