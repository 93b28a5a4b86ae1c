//! H02, H03 the other way round: an administrator shuts every owner out by one change of the policy (S1-A2, S3-26).

use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::broker::{Engine, House};
use crate::house::lying_idp::Says;
use crate::house::visitor::Answer;

const POLICY: &str = "/organizations/org-a/policy";
const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn locked(answer: &Answer, missing: Value) {
    let told = (answer.status.as_u16(), &answer.json()["code"], &answer.json()["missing"]);
    assert_eq!(told, (409, &json!("policy_locks_out"), &missing), "{}", answer.body);
}

#[tokio::test]
async fn h02_s1_a2_s3_26_nobody_locks_every_owner_out_by_the_policy() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let admin = Api::person(&house, "con@a.test", "org-a").await;
        let member =
            "(SELECT m.id FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = 'con@a.test')";
        house.execute(&format!("UPDATE memberships SET roles = '[\"admin\"]' WHERE id = {member}")).await;
        house
            .execute(&format!("UPDATE membership_roles SET role = 'admin' WHERE membership_id = {member}"))
            .await;
        let key = Api::key(&house, "org-a", &["policy:read", "policy:write"]).await;
        let operator = Api::operator(&house).await;
        let (factor, method) = (json!(["owner_with_second_factor"]), json!(["owner_by_open_method"]));
        for api in [&admin, &key, &ann, &operator] {
            for (change, missing) in [
                (json!({"require_mfa": true}), &factor),
                (json!({"mfa_required_for": ["owner"]}), &factor),
                (json!({"log_in_with_oidc": false}), &method),
                (json!({"log_in_with_oidc": false, "mfa_required_for": ["owner"]}), &method),
            ] {
                let before = house.before().await;
                locked(&api.patch(POLICY, change).await, missing.clone());
                house.refused(&before, "policy_locks_out").await;
            }
        }
        assert_eq!(
            admin.patch(POLICY, json!({"mfa_required_for": ["admin"]})).await.json()["missing"],
            json!(["caller"])
        );
        // What keeps nobody out is theirs to say.
        for api in [&admin, &key, &ann] {
            assert_eq!(api.patch(POLICY, json!({"log_in_with_saml": false})).await.status, 200);
            assert_eq!(api.patch(POLICY, json!({"log_in_with_saml": null})).await.status, 200);
        }

        // Who has shown a second factor may want one of everybody; those who have not are told so.
        house.idp_a.says(Says::truth().claim("amr", "[\"pwd\", \"mfa\"]"));
        let strong = Api::person(&house, "ann@a.test", "org-a").await;
        house.idp_a.says(Says::truth());
        let changed = strong.patch(POLICY, json!({"require_mfa": true})).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        for weak in [&ann, &admin] {
            let told = weak.get(POLICY).await;
            assert_eq!(
                (told.status.as_u16(), &told.json()["code"]),
                (401, &json!("mfa_required")),
                "{}",
                told.body
            );
            assert!(told.header("www-authenticate").unwrap().contains("insufficient_user_authentication"));
        }
        assert_eq!(strong.get(POLICY).await.status, 200);
        let other = Api::with(&house, Some("no-token".into())).await.get(POLICY).await;
        assert_eq!(other.json()["code"], json!("unauthenticated"));

        // The operator's word holds, and the trail says whom it locks out.
        let forced =
            operator.patch(&format!("{POLICY}?force=true"), json!({"log_in_with_oidc": false})).await;
        assert_eq!(forced.status, 200, "{}", forced.body);
        let told = strong.get(POLICY).await;
        assert_eq!((told.status.as_u16(), &told.json()["code"]), (401, &json!("sso_required")));
    }
}
