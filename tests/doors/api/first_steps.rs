//! From an empty house to an organization that works, and what a call means that names none.

use behalf::manage::api::route::At;
use behalf::manage::api::routes::ROUTES;
use behalf::model::api_key::{Holder, OperatorRole};
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::told;
use crate::house::api::{Api, plant};
use crate::house::broker::{Engine, House, Plan};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

async fn sends(api: &Api, method: &Method, path: &str, body: Value) -> Answer {
    api.send(method.clone(), path, |ask| match method {
        &Method::GET => ask,
        _ => ask.header("content-type", "application/json").body(body.to_string()),
    })
    .await
}

#[tokio::test]
async fn s0_05_in_an_empty_house_there_is_nothing_to_call_for_until_an_organization_is_made() {
    for engine in ENGINES {
        let empty = "[project]\nslug = \"default\"\ndisplay_name = \"Acme Cloud\"\n".to_owned();
        let house = Plan { file: empty, ..Plan::on(engine) }.build().await;
        let operator = Api::operator(&house).await;
        assert_eq!(operator.get("/organizations").await.json()["items"], json!([]));
        let before = house.before().await;
        for route in ROUTES {
            let in_path = route.path.starts_with("/organizations/{organization_id}");
            if !in_path && route.at != At::Asked {
                continue;
            }
            let parts = route.path.split('/').map(|part| match part.strip_prefix('{') {
                Some("organization_id}") => "my-corp",
                Some(_) => "x",
                None => part,
            });
            let path = parts.collect::<Vec<_>>().join("/");
            let expected = if in_path {
                (404, "not_found".to_owned())
            } else {
                (400, "organization_required".to_owned())
            };
            let body = if route.name == "propose_delegation" {
                json!({"home": "my-corp", "target": "my-corp", "roles": ["member"]})
            } else {
                json!({})
            };
            assert_eq!(told(&sends(&operator, &route.method, &path, body).await), expected, "{}", route.name);
        }
        house.unchanged(&before).await;
        let made = operator.post("/organizations", json!({"name": "My Corp"})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(operator.get("/organizations/my-corp").await.status, 200);
        assert_eq!(operator.get("/delegations?organization_id=my-corp").await.json()["items"], json!([]));
    }
}

#[tokio::test]
async fn s0_11_a_call_says_whose_it_is_in_its_path_its_query_or_its_body() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let asked = ROUTES.iter().filter(|route| route.at == At::Asked && route.method == Method::GET);
    let paths: Vec<_> = asked.map(|route| route.path).collect();
    assert!(!paths.is_empty());
    for path in paths {
        assert_eq!(told(&operator.get(path).await), (400, "organization_required".into()), "{path}");
        let id = house.organization("org-a").await;
        let uuid = operator.get("/organizations/org-a").await.json()["uuid"].as_str().unwrap().to_owned();
        for name in ["org-a", &id, &uuid] {
            let named = operator.get(&format!("{path}?organization_id={name}")).await;
            assert_eq!(named.status, 200, "{path} {name}: {}", named.body);
        }
        let unknown = operator.get(&format!("{path}?organization_id=nowhere")).await;
        assert_eq!(told(&unknown), (404, "not_found".into()), "{path}");
    }
    // In a body.
    let role = json!({"organization_id": "org-b", "name": "helper", "permissions": []});
    let made = operator.post("/roles", role).await.json();
    assert_eq!(made["organization_id"], json!(house.organization("org-b").await));
    // Whoever acts for one needs to say nothing.
    let key = Api::key(&house, "org-a", &["delegations:read"]).await;
    assert_eq!(key.get("/delegations").await.status, 200);
    let others = key.get("/delegations?organization_id=org-c").await;
    assert_eq!(told(&others), (404, "not_found".into()));
}

#[tokio::test]
async fn s0_08_where_there_is_one_organization_calls_that_name_none_are_for_it() {
    let settings = |config: &mut behalf::config::Config| {
        config.manage.default_organization = Some("org-b".to_owned());
    };
    let house = Plan { settings, ..Plan::default() }.build().await;
    let operator = Api::operator(&house).await;
    let b = house.organization("org-b").await;
    let found = operator.get("/delegations").await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let same = operator.get(&format!("/delegations?organization_id={b}")).await.json();
    assert_eq!(found, same);
    // Who names another one, or acts for another one, means that.
    let others = operator.get("/delegations?organization_id=org-c").await.json();
    assert_eq!(others["items"], json!([]));
    let key = Api::key(&house, "org-c", &["delegations:read"]).await;
    assert_eq!(key.get("/delegations").await.json()["items"], json!([]));
}

#[tokio::test]
async fn s0_33_what_an_organization_needs_is_made_as_soon_as_there_is_one() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let made =
            operator.post("/organizations", json!({"name": "New", "owner_email": "ann@new.test"})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let key = json!({"organization_id": "new", "name": "ci", "permissions": ["organization:read", "domains:write"]});
        let key = operator.post("/api-keys", key).await;
        assert_eq!(key.status, 201, "{}", key.body);
        let key = Api::with(&house, Some(key.json()["key"].as_str().unwrap().to_owned())).await;
        assert_eq!(key.get("/organizations/new").await.status, 200, "it works at once");
        let domain = key.post("/organizations/new/domains", json!({"domain": "new.test"})).await;
        assert_eq!(domain.status, 201, "{}", domain.body);
        let application = json!({
            "client_id": "new-app", "display_name": "New App", "type": "spa", "token_endpoint_auth_method": "none",
            "redirect_uris": ["https://new.test/callback"], "organizations": ["new"],
        });
        let application = operator.post("/applications", application).await;
        assert_eq!(application.status, 201, "{}", application.body);
        let role = json!({"organization_id": "new", "name": "helper", "permissions": ["members:read"]});
        assert_eq!(operator.post("/roles", role).await.status, 201);
        // All of it in one transaction: one mistake, and there is nothing of it.
        let file = "[project]\nslug = \"default\"\n\n[organization.whole]\n\n[connection.whole]\norganization = \"whole\"\n\
                    type = \"oidc\"\nissuer = \"{idp_b}\"\nclient_id = \"behalf\"\nclient_secret = { env = \"CB_SECRET\" }\n\n\
                    [application.whole]\ntype = \"spa\"\ntoken_endpoint_auth_method = \"none\"\n\
                    redirect_uris = [\"https://whole.test/callback\"]\norganizations = [\"whole\"]\n";
        let before = house.before().await;
        house.tries(&format!("{file}connections = [\"none\"]\n")).await.unwrap_err();
        house.unchanged(&before).await;
        house.provision(file).await;
        assert_eq!(operator.get("/organizations/whole").await.status, 200);
        assert!(!house.connection("whole").await.is_empty());
    }
}

#[tokio::test]
async fn s1_o1_an_organization_lives_in_one_project_from_its_making_to_its_end() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        house.provision("[project]\nslug = \"second\"\ndisplay_name = \"Second\"\n").await;
        let operator = Api::operator(&house).await;
        let token = plant(&house, "second", Holder::Operator(OperatorRole::System)).await;
        let other = Api::at(&house, "/p/second", Some(token)).await;
        let made = operator.post("/organizations", json!({"name": "Unit"})).await.json();
        let path = format!("/organizations/{}", made["id"].as_str().unwrap());
        let before = house.before().await;
        for answer in [
            other.get(&path).await,
            other.patch(&path, json!({"name": "x"})).await,
            other.send(Method::DELETE, &format!("{path}?confirm=unit"), |ask| ask).await,
            other.send(Method::POST, &format!("{path}/deactivate"), |ask| ask).await,
        ] {
            assert_eq!(told(&answer), (404, "not_found".into()));
        }
        // An id is given once, and of another project's nobody is told more than of an unknown one.
        for taken in [
            other.put(&path, json!({"name": "x"})).await,
            other.post("/organizations", json!({"id": made["id"], "name": "x"})).await,
        ] {
            assert_eq!(told(&taken), (404, "not_found".into()));
        }
        assert_eq!(other.get("/organizations").await.json()["items"], json!([]));
        house.unchanged(&before).await;
        for field in ["project_id", "project"] {
            let moved = operator.patch(&path, json!({field: "second"})).await;
            assert_eq!(told(&moved), (400, "unknown_field".into()), "{field}");
        }
        // The same slug in another project is another organization.
        assert_eq!(other.post("/organizations", json!({"slug": "unit"})).await.status, 201);
        assert_eq!(
            operator.patch(&path, json!({"name": "Business Unit"})).await.json()["name"],
            json!("Business Unit")
        );
        let gone = operator.send(Method::DELETE, &format!("{path}?confirm=unit"), |ask| ask).await;
        assert_eq!(gone.status, 202, "{}", gone.body);
        assert_eq!(told(&operator.get(&path).await), (404, "not_found".into()));
        assert_eq!(other.get("/organizations/unit").await.status, 200);
    }
}

#[tokio::test]
async fn s0_32_lists_go_on_as_far_as_there_is_something_and_miss_nobody() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let (project, a) =
            (house.text("SELECT id FROM projects").await.unwrap(), house.organization("org-a").await);
        // 3,000 of each; the benchmark has a hundred thousand and a million.
        let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)";
        let id = |prefix: &str| format!("'{prefix}_0000000000000000000000' || CAST(1000 + i AS TEXT)");
        let rows = [
            format!(
                "INSERT INTO organizations (id, project_id, slug, display_name, name_key, policy, created_at, updated_at, epoch)
                 {numbers} SELECT {}, '{project}', 'many-' || i, 'Many', CAST('many' AS {}), '{{\"enforcement\":\"off\",\"require_mfa\":false,\"max_age\":null,\"delegations\":\"approved\",\"member_list\":\"hidden\"}}', 1, 1, 0 FROM n",
                id("org"),
                if engine == Engine::Sqlite { "BLOB" } else { "BYTEA" }
            ),
            format!(
                "INSERT INTO users (id, project_id, profile, created_at, updated_at)
                 {numbers} SELECT {}, '{project}', '{{}}', 1, 1 FROM n",
                id("user")
            ),
            format!(
                "INSERT INTO memberships (id, project_id, organization_id, user_id, kind, status, source, roles, created_at, updated_at)
                 {numbers} SELECT {}, '{project}', '{a}', {}, 'member', 'active', 'manual', '[]', 1, 1 FROM n",
                id("mem"),
                id("user")
            ),
        ];
        for sql in &rows {
            assert_eq!(house.execute(sql).await, 3_000);
        }
        for (path, key, many) in [
            ("/organizations", "id", 3_003),
            ("/organizations?name=many", "id", 3_000),
            ("/organizations/org-a/members", "user_id", 3_000),
        ] {
            let (mut seen, mut cursor) = (std::collections::BTreeSet::new(), String::new());
            let join = if path.contains('?') { '&' } else { '?' };
            loop {
                let page = operator.get(&format!("{path}{join}limit=200{cursor}")).await.json();
                for one in page["items"].as_array().unwrap() {
                    assert!(seen.insert(one[key].as_str().unwrap().to_owned()), "{path}: twice");
                }
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(seen.len(), many, "{path}");
        }
    }
}
