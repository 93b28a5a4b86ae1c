//! H02, H03 the other way round: an administrator shuts every owner out by one change, be it of the policy (S1-A2, S3-26), of
//! a connection or of where a domain leads (S1-R16, S1-R17, S1-R25).

use reqwest::Method;
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

const EVERYTHING: [&str; 8] = [
    "connections:read",
    "connections:write",
    "domains:read",
    "domains:write",
    "policy:read",
    "policy:write",
    "organization:read",
    "members:write",
];

async fn domain_of(house: &House, name: &str) -> String {
    let id = house.text(&format!("SELECT id FROM domains WHERE name = '{name}'")).await.unwrap();
    format!("/organizations/org-a/domains/{id}")
}

async fn acts(api: &Api, method: Method, path: &str) -> Answer {
    api.send(method, path, |ask| ask).await
}

#[tokio::test]
async fn h02_s1_r16_s1_r17_s1_r25_nobody_takes_the_last_way_in_of_every_owner() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let operator = Api::operator(&house).await;
        let ca = format!("/connections/{}", house.connection("ca").await);
        let domain = domain_of(&house, "a.test").await;
        let provider = "/organizations/org-a/sso-provider";
        Api::person(&house, "ann@a.test", "org-a").await;
        let (connection, routed) = (json!(["owner_by_active_connection"]), json!(["owner_by_routed_domain"]));
        for api in [&key, &operator] {
            for (method, path, missing) in [
                (Method::POST, format!("{ca}/disable"), &connection),
                (Method::DELETE, ca.clone(), &connection),
                (Method::DELETE, provider.to_owned(), &connection),
                (Method::DELETE, domain.clone(), &routed),
            ] {
                let before = house.before().await;
                let refused = acts(api, method, &path).await;
                locked(&refused, missing.clone());
                assert_eq!(refused.json()["left"], json!([]), "nobody else would come in, either");
                house.refused(&before, "policy_locks_out").await;
            }
            for change in [
                json!({"use_for_routing": false}),
                json!({"use_for_routing": false, "connection_ids": []}),
                json!({"connection_ids": []}),
            ] {
                let before = house.before().await;
                locked(&api.patch(&domain, change).await, routed.clone());
                house.refused(&before, "policy_locks_out").await;
            }
        }
        // It is nobody's to insist on but the operator's.
        for (method, path) in [
            (Method::POST, format!("{ca}/disable?force=true")),
            (Method::DELETE, format!("{ca}?force=true")),
            (Method::DELETE, format!("{domain}?force=true")),
        ] {
            let before = house.before().await;
            let refused = acts(&key, method, &path).await;
            assert_eq!(refused.json()["code"], json!("policy_locks_out"), "{path}: {}", refused.body);
            house.refused(&before, "policy_locks_out").await;
        }
        let off = json!({"use_for_routing": false});
        let before = house.before().await;
        let refused = key.patch(&format!("{domain}?force=true"), off.clone()).await;
        assert_eq!(refused.json()["code"], json!("operator_required"), "{}", refused.body);
        house.refused(&before, "operator_required").await;

        // The trail tells of whom the operator locks out.
        let forced = operator.patch(&format!("{domain}?force=true"), off).await;
        assert_eq!(forced.status, 200, "{}", forced.body);
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == "organization.owners_locked_out").unwrap();
        assert_eq!(event.detail["missing"], routed);
        // Where nobody comes in, nothing more is taken.
        assert_eq!(acts(&key, Method::POST, &format!("{ca}/disable")).await.status, 200);
        assert_eq!(house.events_of("organization.owners_locked_out").await, 1);
    }
}

#[tokio::test]
async fn h02_what_leaves_an_owner_another_way_in_is_theirs_to_do() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    Api::person(&house, "ann@a.test", "org-a").await;
    let ca = house.connection("ca").await;
    // As if she had come by another connection, too.
    let made = json!({
        "type": "oidc", "issuer": house.idp_b.issuer, "client_id": "behalf", "client_secret": house.idp_b.secret,
        "activate": true,
    });
    let made = Api::operator(&house).await.post("/connections", with(made, "organization_id", "org-a")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let other = made.json()["id"].as_str().unwrap().to_owned();
    let domain = domain_of(&house, "a.test").await;
    let both = json!({"connection_ids": [ca, other]});
    assert_eq!(key.patch(&domain, both).await.status, 200);
    let copied = format!(
        "INSERT INTO identities (id, project_id, user_id, connection_id, issuer, subject, email, facts, created_at,
                                 last_login_at)
         SELECT 'idn_00000000000000000000000001', project_id, user_id, '{other}', issuer, subject, email, facts,
                created_at, last_login_at
         FROM identities WHERE email = 'ann@a.test'"
    );
    assert_eq!(house.execute(&copied).await, 1);
    assert_eq!(acts(&key, Method::POST, &format!("/connections/{ca}/disable")).await.status, 200);
    let last = acts(&key, Method::POST, &format!("/connections/{other}/disable")).await;
    locked(&last, json!(["owner_by_active_connection"]));
}

fn with(mut body: Value, name: &str, value: &str) -> Value {
    body[name] = json!(value);
    body
}

#[tokio::test]
async fn s1_p8_s1_r16_people_who_must_come_by_a_connection_are_led_to_none_that_lets_nobody_in() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let operator = Api::operator(&house).await;
        let draft = json!({
            "type": "oidc", "issuer": house.idp_b.issuer, "client_id": "behalf", "client_secret": house.idp_b.secret,
        });
        let made = key.post("/connections", draft).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let draft = made.json()["id"].as_str().unwrap().to_owned();
        let enforced = json!({"enforcement": "required"});
        let put = operator.patch("/organizations/org-a/policy?force=true", enforced).await;
        assert_eq!(put.status, 200, "{}", put.body);
        let domain = domain_of(&house, "a.test").await;
        let to_draft = json!({"connection_ids": [draft]});
        for (api, code) in [(&key, "connection_not_active"), (&operator, "connection_not_active")] {
            let before = house.before().await;
            let refused = api.patch(&domain, to_draft.clone()).await;
            assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (409, &json!(code)));
            house.refused(&before, code).await;
        }
        let before = house.before().await;
        let refused = acts(&key, Method::POST, &format!("/connections/{draft}/primary")).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["code"]),
            (409, &json!("connection_not_active")),
            "{}",
            refused.body
        );
        house.refused(&before, "connection_not_active").await;
        // Live, and nobody has ever come by it.
        let live = operator.post(&format!("/connections/{draft}/activate"), json!({})).await;
        assert_eq!(live.status, 200, "{}", live.body);
        let before = house.before().await;
        let refused = key.patch(&domain, to_draft.clone()).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (409, &json!("untested")));
        house.refused(&before, "untested").await;
        house
            .execute(&format!(
                "INSERT INTO connection_runs (connection_id, version, worked_at, failures)
                 SELECT id, version, 1, 0 FROM connections WHERE id = '{draft}'"
            ))
            .await;
        let led = key.patch(&domain, to_draft).await;
        assert_eq!(led.status, 200, "{}", led.body);
    }
}
