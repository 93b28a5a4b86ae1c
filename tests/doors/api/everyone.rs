//! Every route of the API as everybody (threats C20, C22): what `everyone.txt` says is what they are told.

use std::collections::BTreeMap;
use std::fmt::Write;

use behalf::manage::api::routes::ROUTES;
use behalf::model::api_key::{Holder, OperatorRole};
use behalf::model::permission::Permission;
use http::Method;
use serde_json::Value;

use crate::house::api::{Api, THIRD, plant};
use crate::house::broker::{House, Plan};
use crate::house::visitor::Answer;

/// A parameter that no route knows: whoever is told so has got past every question of who they are, and nothing is
/// done for them all the same.
const UNKNOWN: &str = "?nothing_knows_this=1";

/// Things of org-a, by the path parameters that name them.
pub(super) struct Ids(BTreeMap<&'static str, String>);

impl Ids {
    pub(super) async fn of(house: &House) -> Self {
        let connection = house.connection("ca").await;
        let organization = house.organization("org-a").await;
        let role = "role_00000000000000000000000009";
        let project = house.text("SELECT id FROM projects WHERE slug = 'default'").await.unwrap();
        house
            .execute(&format!(
                "INSERT INTO roles (id, project_id, organization_id, scope, name, display_name, permissions, created_at,
                                    updated_at)
                 VALUES ('{role}', '{project}', '{organization}', 'organization', 'one', 'One', '[]', 1, 1)"
            ))
            .await;
        let rule = "rule_00000000000000000000000009";
        house
            .execute(&format!(
                "INSERT INTO role_rules (id, project_id, organization_id, connection_id, claim, matching, value, role,
                                         created_at, updated_at)
                 VALUES ('{rule}', '{project}', '{organization}', '{connection}', 'groups', 'contains', 'x', 'one', 1, 1)"
            ))
            .await;
        let holder = Holder::Organization(house.organization("org-a").await.parse().unwrap(), Vec::new());
        plant(house, "default", holder).await;
        let one = async |sql: &str| house.text(sql).await.unwrap();
        let keys =
            format!("SELECT id FROM api_keys WHERE organization_id = '{organization}' ORDER BY id LIMIT 1");
        let api_key = one(&keys).await;
        // Of org-a and org-b: both may.
        let delegation = one("SELECT id FROM delegations").await;
        // What its people may own nothing by is told apart elsewhere: here it may everything.
        house
            .execute(&format!(
                "UPDATE organizations SET functional_roles = '[\"idp_consumer\",\"app_publisher\",\"delegation_source\"]'
                 WHERE id = '{organization}'"
            ))
            .await;
        let own =
            serde_json::json!({"organization_id": organization, "redirect_uris": ["https://own.test/cb"]});
        let made = Api::operator(house).await.post("/applications", own).await.json();
        let application = made["application"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let domain = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let user = house.user("con@a.test").await;
        let key = Api::key(house, "org-a", &["invitations:write", "organization:read"]).await;
        let body = serde_json::json!({"email": "new@c.test", "role": "member", "send": false});
        let made = key.post("/organizations/org-a/invitations", body).await.json();
        let session =
            one("SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.email = 'con@a.test'
                 ORDER BY s.id LIMIT 1")
            .await;
        let test = "test_00000000000000000000000009";
        house
            .execute(&format!(
                "INSERT INTO connection_tests (id, project_id, organization_id, connection_id, version, digest, created_by,
                                               created_at, expires_at, claims, facts)
                 VALUES ('{test}', '{project}', '{organization}', '{connection}', 1, x'61', 'operator', 1, 2,
                         '{{}}', '{{}}')"
            ))
            .await;
        let registration_token = "rgt_00000000000000000000000009";
        house
            .execute(&format!(
                "INSERT INTO registration_tokens (id, project_id, name, digest, limits, most_uses, uses, created_by,
                                                  created_at, expires_at)
                 VALUES ('{registration_token}', '{project}', 'one', x'61',
                         '{{\"types\":[],\"grant_types\":[],\"scopes\":[]}}', 1, 0, 'operator', 1, 2)"
            ))
            .await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = [
            ("organization_id", organization),
            ("connection_id", connection),
            ("version", "1".to_owned()),
            ("domain_id", domain),
            ("user_id", user),
            ("role_id", role.to_owned()),
            ("rule_id", rule.to_owned()),
            ("api_key_id", api_key),
            ("delegation_id", delegation),
            ("application_id", application),
            ("invitation_id", text(&made["invitation"]["id"])),
            ("test_id", test.to_owned()),
            ("registration_token_id", registration_token.to_owned()),
            ("session_id", session),
            ("token", text(&made["token"])),
        ];
        Self(all.into())
    }

    /// Things that are nowhere.
    fn unknown() -> Self {
        let none = "00000000000000000000000007";
        let all = [
            ("organization_id", format!("org_{none}")),
            ("connection_id", format!("conn_{none}")),
            ("version", "1".to_owned()),
            ("domain_id", format!("dom_{none}")),
            ("role_id", format!("role_{none}")),
            ("rule_id", format!("rule_{none}")),
            ("user_id", format!("user_{none}")),
            ("api_key_id", format!("apk_{none}")),
            ("delegation_id", format!("dlg_{none}")),
            ("application_id", format!("app_{none}")),
            ("invitation_id", format!("inv_{none}")),
            ("test_id", format!("test_{none}")),
            ("registration_token_id", format!("rgt_{none}")),
            ("session_id", format!("sess_{none}")),
            ("token", none.to_owned()),
        ];
        Self(all.into())
    }

    pub(super) fn all(&self) -> &BTreeMap<&'static str, String> {
        &self.0
    }

    /// A path with these in it.
    pub(super) fn in_path(&self, path: &str) -> String {
        let fill = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => self.0.get(name).cloned().unwrap_or_else(|| panic!("there is no sample of {name}")),
            None => part.to_owned(),
        };
        path.split('/').map(fill).collect::<Vec<_>>().join("/")
    }
}

async fn everybody(house: &House) -> Vec<(&'static str, Api)> {
    let all: Vec<_> = Permission::ALL.iter().map(|permission| permission.word()).collect();
    vec![
        ("operator", Api::operator(house).await),
        ("auditor", Api::by(house, OperatorRole::Auditor).await),
        ("support", Api::by(house, OperatorRole::Support).await),
        ("owner", Api::person(house, "ann@a.test", "org-a").await),
        ("owner_by_consent", Api::by_consent(house, "ann@a.test", "org-a").await),
        ("admin", admin(house).await),
        ("member", Api::person(house, "con@a.test", "org-a").await),
        ("key", Api::key(house, "org-a", &all).await),
        ("powerless_key", Api::key(house, "org-a", &[]).await),
        ("others_key", Api::key(house, "org-b", &all).await),
        ("others_member", Api::person(house, "bob@b.test", "org-b").await),
        ("garbage", Api::with(house, Some("behalf_org_garbage".into())).await),
        ("nobody", Api::with(house, None).await),
    ]
}

async fn admin(house: &House) -> Api {
    let admin = Api::person(house, "adi@a.test", "org-a").await;
    let path = format!("/organizations/org-a/members/{}/role", house.user("adi@a.test").await);
    let made = Api::operator(house).await.patch(&path, serde_json::json!({"role": "admin"})).await;
    assert_eq!(made.status, 200, "{}", made.body);
    admin
}

/// What somebody is told; `granted` where they get past.
pub(super) fn told(answer: &Answer) -> String {
    let code = answer.json()["code"].as_str().unwrap_or("nothing").to_owned();
    if code == "unknown_parameter" { "granted".into() } else { code }
}

fn without_request(answer: &Answer) -> Value {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

pub(super) async fn tries(api: &Api, method: &Method, path: &str) -> Answer {
    let path = format!("{path}{UNKNOWN}");
    api.send(method.clone(), &path, |request| {
        let body = if *method == Method::GET { "" } else { "{}" };
        request.header("content-type", "application/json").body(body)
    })
    .await
}

#[tokio::test]
async fn c20_c22_s0_03_s0_34_every_route_is_for_whom_the_table_says() {
    let house = Plan::default().and(THIRD).build().await;
    // People are known once they have been here.
    let everybody = everybody(&house).await;
    let (ids, nowhere) = (Ids::of(&house).await, Ids::unknown());
    let before = house.before().await;
    let mut table = String::new();
    for (number, route) in ROUTES.iter().enumerate() {
        // Strangers may try so often in a minute.
        if number % 28 == 27 {
            house.turn_clock(61);
        }
        let (there, unknown) = (ids.in_path(route.path), nowhere.in_path(route.path));
        let mut by_code: Vec<(String, Vec<&str>)> = Vec::new();
        for (name, api) in &everybody {
            let answer = tries(api, &route.method, &there).await;
            let code = told(&answer);
            // What is another's reads as what does not exist.
            if code == "not_found" {
                let nothing = tries(api, &route.method, &unknown).await;
                assert_eq!(
                    (answer.status, without_request(&answer)),
                    (nothing.status, without_request(&nothing)),
                    "{} {} as {name}",
                    route.method,
                    route.path
                );
            }
            match by_code.iter_mut().find(|(known, _)| *known == code) {
                Some((_, names)) => names.push(name),
                None => by_code.push((code, vec![name])),
            }
        }
        let may = |name: &str| by_code.iter().any(|(code, names)| code == "granted" && names.contains(&name));
        // What is an owner's alone, no application does that they had to allow.
        assert!(!may("owner_by_consent") || may("admin"), "{} {}", route.method, route.path);
        writeln!(table, "{} {}", route.method, route.path).unwrap();
        for (code, names) in by_code {
            writeln!(table, "    {code}: {}", names.join(" ")).unwrap();
        }
    }
    house.unchanged(&before).await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doors/api/everyone.txt");
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    assert!(table == expected, "tests/doors/api/everyone.txt should be, if that is right:\n{table}");
}
