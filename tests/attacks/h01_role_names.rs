//! H01 by a name: a role of an organization's own and a role that every organization has are never called alike, and what
//! names a role is gone before the role is. Otherwise whoever deleted the one would give people the other.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::house::answers::{delete, refusal, told};
use crate::house::api::Api;
use crate::house::broker::{Engine, House};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

async fn makes(api: &Api, body: Value) -> String {
    let made = api.post("/roles", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    format!("/roles/{}", made.json()["id"].as_str().unwrap())
}

#[tokio::test]
async fn h01_no_role_of_an_organization_is_called_like_one_that_every_organization_has() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let key = Api::key(&house, "org-a", &["roles:read", "roles:write"]).await;
        let of_all = makes(&operator, json!({"name": "payer", "permissions": ["payments:write"]})).await;
        let own = makes(&key, json!({"name": "helper", "permissions": []})).await;
        for (api, name) in [(&key, "payer"), (&operator, "helper")] {
            let before = house.before().await;
            let refused = api.post("/roles", json!({"name": name, "permissions": []})).await;
            assert_eq!(told(&refused), refusal(409, "role_exists"), "{name}");
            house.refused(&before, "role_exists").await;
        }
        // The file says nothing else.
        let file = |organization: &str, name: &str| {
            format!("{}\n[role.{name}]\n{organization}permissions = []\n", house.file)
        };
        for (organization, name) in [("organization = \"org-b\"\n", "payer"), ("", "helper")] {
            let roles = house.count("roles").await;
            let refused = house.tries(&file(organization, name)).await.unwrap_err();
            assert!(refused.contains("There is a role of this name"), "{refused}");
            assert_eq!(house.count("roles").await, roles);
        }
        // Of another organization nobody learns, and what is the project's own is given nowhere.
        let others = Api::key(&house, "org-b", &["roles:read", "roles:write"]).await;
        makes(&others, json!({"name": "helper", "permissions": []})).await;
        makes(&operator, json!({"name": "auditor", "scope": "project", "permissions": []})).await;
        makes(&key, json!({"name": "auditor", "permissions": []})).await;
        for path in [&own, &of_all] {
            assert_eq!(delete(&operator, path).await.status, 204);
        }
        makes(&key, json!({"name": "payer", "permissions": []})).await;
    }
}

#[tokio::test]
async fn h01_of_two_who_make_a_role_of_one_name_at_once_one_does() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let key = Api::key(&house, "org-a", &["roles:read", "roles:write"]).await;
        for number in 0..12 {
            let body = json!({"name": format!("role-{number}"), "permissions": []});
            let (one, other) = join(operator.post("/roles", body.clone()), key.post("/roles", body)).await;
            let mut both = [told(&one), told(&other)];
            both.sort();
            assert_eq!(both, [refusal(201, ""), refusal(409, "role_exists")]);
        }
        assert_eq!(house.count("roles").await, 12);
    }
}

#[tokio::test]
async fn h01_a_role_is_not_deleted_while_something_names_it() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let key = Api::key(
            &house,
            "org-a",
            &[
                "roles:read",
                "roles:write",
                "domains:write",
                "policy:read",
                "policy:write",
                "invitations:read",
                "invitations:write",
                "organization:read",
            ],
        )
        .await;
        let role = makes(&key, json!({"name": "helper", "permissions": []})).await;
        let domain = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let domain = format!("/organizations/org-a/domains/{domain}");
        let policy = "/organizations/org-a/policy";
        for (path, named, cleared) in [
            (domain.as_str(), json!({"auto_join": {"role": "helper"}}), json!({"auto_join": {"role": null}})),
            (policy, json!({"mfa_required_for": ["helper"]}), json!({"mfa_required_for": []})),
        ] {
            let said = key.patch(path, named).await;
            assert_eq!(said.status, 200, "{}", said.body);
            for force in ["", "?force=true"] {
                let before = house.before().await;
                let refused = delete(&key, &format!("{role}{force}")).await;
                assert_eq!(told(&refused), refusal(409, "role_in_use"), "{path}");
                house.refused(&before, "role_in_use").await;
            }
            assert_eq!(key.patch(path, cleared).await.status, 200);
        }
        // An invitation loses it with the force that takes it from members, and gives nobody another of the name.
        let invited = json!({"email": "x@c.test", "roles": ["member", "helper"], "send": false});
        let made = key.post("/organizations/org-a/invitations", invited).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let before = house.before().await;
        assert_eq!(told(&delete(&key, &role).await), refusal(409, "role_in_use"));
        house.refused(&before, "role_in_use").await;
        assert_eq!(delete(&key, &format!("{role}?force=true")).await.status, 204);
        let left = house.text("SELECT roles FROM invitations").await;
        assert_eq!(left.as_deref(), Some(r#"["member"]"#));
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == "role.deleted").unwrap();
        assert_eq!(event.detail["invitations"], json!(1));

        // Nor is a name given anew that something still refers to, however that came about.
        house.execute(r#"UPDATE domains SET auto_join = '{"role":"ghost"}' WHERE name = 'a.test'"#).await;
        for api in [&key, &operator] {
            let before = house.before().await;
            let refused = api.post("/roles", json!({"name": "ghost", "permissions": []})).await;
            assert_eq!(told(&refused), refusal(409, "role_in_use"));
            house.refused(&before, "role_in_use").await;
        }
    }
}
