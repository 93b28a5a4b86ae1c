//! H02, H03 the other way round: an administrator shuts every owner out by one change, be it of the policy (S1-A2, S3-26), of
//! a connection or of where a domain leads (S1-R16, S1-R17, S1-R25).

use behalf::manage::house_file::Mode;
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
    // Con acts for another organization: by whose word is not the key's to say.
    assert_eq!(Api::operator(&house).await.patch(&domain, both).await.status, 200);
    let copied = format!(
        "INSERT INTO identities (id, project_id, user_id, connection_id, issuer, subject, email, facts, created_at,
                                 last_login_at)
         SELECT 'idn_00000000000000000000000001', project_id, user_id, '{other}', '{}', subject, email, facts,
                created_at, last_login_at
         FROM identities WHERE email = 'ann@a.test'",
        house.idp_b.issuer
    );
    assert_eq!(house.execute(&copied).await, 1);
    assert_eq!(acts(&key, Method::POST, &format!("/connections/{ca}/disable")).await.status, 200);
    let last = acts(&key, Method::POST, &format!("/connections/{other}/disable")).await;
    locked(&last, json!(["owner_by_active_connection"]));
}

const ROLES: [&str; 7] = [
    "policy:read",
    "policy:write",
    "roles:read",
    "roles:write",
    "members:read",
    "members:write",
    "tickets:answer",
];

async fn locks_out(house: &House, api: &Api, (method, path): (Method, &str), body: Value, missing: &Value) {
    let before = house.before().await;
    locked(&api.write(method, path, body).await, missing.clone());
    house.refused(&before, "policy_locks_out").await;
}

#[tokio::test]
async fn h02_s1_p7_s1_a2_nobody_locks_every_owner_out_by_a_role_that_a_rule_gives() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let key = Api::key(&house, "org-a", &ROLES).await;
        let rules = "/organizations/org-a/role-rules";
        let role = json!({"organization_id": "org-a", "name": "helper", "permissions": ["tickets:answer"]});
        let role = operator.post("/roles", role).await.json()["id"].as_str().unwrap().to_owned();
        house.idp_a.says(Says::truth().claim("groups", "[\"desk\"]"));
        Api::person(&house, "ann@a.test", "org-a").await;
        let ca = house.connection("ca").await;
        let of_group = |group: &str| {
            json!({
                "connection_id": ca, "claim": "groups", "operator": "contains", "value": group, "role": "helper",
            })
        };
        let (factor, wanted) = (json!(["owner_with_second_factor"]), json!({"mfa_required_for": ["helper"]}));

        // Nobody holds it; but the next sign-in of the only owner gives it.
        let made = key.post(rules, of_group("desk")).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let rule = format!("{rules}/{}", made.json()["id"].as_str().unwrap());
        for api in [&key, &operator] {
            locks_out(&house, api, (Method::PATCH, POLICY), wanted.clone(), &factor).await;
        }
        // Nor the other way round.
        assert_eq!(key.patch(&rule, json!({"value": "others"})).await.status, 200);
        assert_eq!(key.patch(POLICY, wanted).await.status, 200);
        for api in [&key, &operator] {
            locks_out(&house, api, (Method::PATCH, &rule), json!({"value": "desk"}), &factor).await;
            locks_out(&house, api, (Method::POST, rules), of_group("desk"), &factor).await;
        }
        // Nor by an owner's approval that it needs no more.
        let path = format!("/roles/{role}");
        let changing = json!({"permissions": ["tickets:answer", "members:write"]});
        assert_eq!(operator.patch(&path, changing).await.status, 200);
        house.execute("UPDATE role_rules SET value = 'desk', approved_by = NULL").await;
        let dull = json!({"permissions": ["tickets:answer"]});
        locks_out(&house, &key, (Method::PATCH, &path), dull.clone(), &factor).await;
        house.execute("UPDATE role_rules SET value = 'others'").await;
        assert_eq!(key.patch(&path, dull).await.status, 200);

        // It is nobody's to insist on but the operator's, and the trail tells of whom they lock out.
        let before = house.before().await;
        let refused = key.patch(&format!("{rule}?force=true"), json!({"value": "desk"})).await;
        assert_eq!(refused.json()["code"], json!("operator_required"), "{}", refused.body);
        house.refused(&before, "operator_required").await;
        let forced = operator.post(&format!("{rules}?force=true"), of_group("desk")).await;
        assert_eq!(forced.status, 201, "{}", forced.body);
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == "organization.owners_locked_out").unwrap();
        assert_eq!(event.detail["missing"], factor);
    }
}

#[tokio::test]
async fn h02_s1_r08_s1_r09_s1_r11_no_owner_goes_who_is_the_only_one_to_come_in() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        // She owns it, too, and has never come by anything.
        let ada = house.has_member("ada@a.test", "org-a", &["owner"]).await;
        let (who, nobody) = (house.user("ann@a.test").await, json!(["owner_who_has_come"]));
        let (member, user) = (format!("/organizations/org-a/members/{who}"), format!("/users/{who}"));
        let role = format!("{member}/role");
        for api in [&ann, &operator] {
            locks_out(&house, api, (Method::PATCH, &role), json!({"role": "member"}), &nobody).await;
            locks_out(&house, api, (Method::PATCH, &member), json!({"status": "suspended"}), &nobody).await;
            let before = house.before().await;
            locked(&acts(api, Method::DELETE, &member).await, nobody.clone());
            house.refused(&before, "policy_locks_out").await;
        }
        locks_out(&house, &operator, (Method::PATCH, &user), json!({"disabled": true}), &nobody).await;
        let to_ada = json!({"user_id": ada.to_string(), "acceptance_required": false});
        let give = "/organizations/org-a/transfer-ownership";
        locks_out(&house, &ann, (Method::POST, give), to_ada, &nobody).await;
        let before = house.before().await;
        let refused = ann.patch(&format!("{role}?force=true"), json!({"role": "member"})).await;
        assert_eq!(refused.json()["code"], json!("operator_required"), "{}", refused.body);
        house.refused(&before, "operator_required").await;

        // Where the operator says so, she is locked out; and comes in again.
        let off = operator.patch(&format!("{user}?force=true"), json!({"disabled": true})).await;
        assert_eq!(off.status, 200, "{}", off.body);
        assert_eq!(house.events_of("organization.owners_locked_out").await, 1);
        assert_eq!(operator.patch(&user, json!({"disabled": false})).await.status, 200);

        // Who has come before they own it counts as well.
        Api::person(&house, "con@a.test", "org-a").await;
        let con = house.user("con@a.test").await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let given = ann.post(give, json!({"user_id": con, "acceptance_required": false})).await;
        assert_eq!(given.status, 200, "{}", given.body);
        assert_eq!(acts(&operator, Method::DELETE, &member).await.status, 204);
        assert_eq!(house.events_of("organization.owners_locked_out").await, 1);
    }
}

#[tokio::test]
async fn h02_s1_r24_no_provider_goes_live_that_knows_none_of_the_owners() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let path = format!("/connections/{}", house.connection("ca").await);
        let others = json!({
            "type": "oidc", "issuer": house.idp_b.issuer, "client_id": "behalf", "client_secret": house.idp_b.secret,
        });
        assert_eq!(ann.put(&path, others).await.status, 200);
        let (activate, forced) = (format!("{path}/activate"), json!({"force": true}));
        locks_out(
            &house,
            &ann,
            (Method::POST, &activate),
            forced.clone(),
            &json!(["owner_by_current_provider"]),
        )
        .await;
        let live = operator.post(&activate, forced).await;
        assert_eq!(live.status, 200, "{}", live.body);
        assert_eq!(house.events_of("organization.owners_locked_out").await, 1);
        // What brings her back is theirs again.
        let back = operator.post(&format!("{path}/rollback"), json!({})).await;
        assert_eq!(back.status, 200, "{}", back.body);
        Api::person(&house, "ann@a.test", "org-a").await;
    }
}

#[tokio::test]
async fn h02_s1_p8_enforcement_shuts_out_an_owner_who_comes_by_what_is_not_the_organization_s_own() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        Api::person(&house, "ann@a.test", "org-a").await;
        // As if she had come by a provider of the project's.
        house.execute("UPDATE connections SET organization_id = NULL WHERE slug = 'ca'").await;
        house.execute("UPDATE identities SET email = NULL").await;
        let required = json!({"enforcement": "required"});
        let put = Api::operator(&house).await.patch(&format!("{POLICY}?force=true"), required).await;
        assert_eq!(put.status, 200, "{}", put.body);
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == "organization.policy_changed").unwrap();
        assert_eq!(event.detail["locks_out"], json!(["owner_by_open_method"]));
    }
}

#[tokio::test]
async fn h02_s1_t2_what_the_operator_s_file_locks_out_is_told_by_name() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        Api::person(&house, "ann@a.test", "org-a").await;
        assert!(house.reports(&house.file, Mode::Plan).await.warnings.is_empty());
        let off = house.file.replacen("use_for_routing = true", "use_for_routing = false", 1);
        let told = ["organization org-a: no owner can sign in any more (missing: owner_by_routed_domain)"];
        for mode in [Mode::Plan, Mode::Apply] {
            assert_eq!(house.reports(&off, mode).await.warnings, told, "{mode:?}");
        }
        assert_eq!(house.events_of("organization.owners_locked_out").await, 1);
        // It is told once, and not of what was so before.
        assert!(house.reports(&off, Mode::Apply).await.warnings.is_empty());
        assert!(house.reports(&house.file, Mode::Apply).await.warnings.is_empty());
        let draft = house.file.replacen("state = \"active\"", "state = \"disabled\"", 1);
        let told =
            ["organization org-a: no owner can sign in any more (missing: owner_by_active_connection)"];
        assert_eq!(house.reports(&draft, Mode::Plan).await.warnings, told);
    }
}

#[tokio::test]
async fn h02_s1_t2_a_file_whose_policies_lock_out_is_refused_by_the_name_of_each_organization() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        Api::person(&house, "ann@a.test", "org-a").await;
        Api::person(&house, "bob@b.test", "org-b").await;
        let policy = |slug| format!("[organization.{slug}.policy]\nlog_in_with_oidc = false\n");
        let file = format!("{}{}", policy("org-a"), policy("org-b"));
        let before = house.before().await;
        let told = house.tries(&file).await.unwrap_err();
        for slug in ["org-a", "org-b"] {
            let why =
                format!(": organization {slug}: no owner would be left whose way of signing in is open");
            assert!(told.contains(&why), "{told}");
        }
        assert!(!told.contains(": :"), "{told}");
        house.unchanged(&before).await;
        let forced = file.replace("log_in", "force = true\nlog_in");
        let locked = house.reports(&forced, Mode::Apply).await.warnings;
        assert_eq!(locked.len(), 2, "{locked:?}");
    }
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
        let led = operator.patch(&domain, to_draft).await;
        assert_eq!(led.status, 200, "{}", led.body);
    }
}
