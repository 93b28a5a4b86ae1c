//! Roles over the API.

use serde_json::{Value, json};

use crate::house::answers::{delete, told};
use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

async fn make(api: &Api, body: Value) -> Answer {
    api.post("/roles", body).await
}

#[tokio::test]
async fn s1_l6_s1_ro2_an_owner_makes_roles_and_sees_those_that_there_are() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (operator, owner) =
            (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
        let made = make(
            &owner,
            json!({"name": "helper", "display_name": "Help desk", "permissions": ["members:read"]}),
        )
        .await;
        assert_eq!(made.status, 201, "{}", made.body);
        let view = made.json();
        assert_eq!((&view["built_in"], &view["scope"]), (&json!(false), &json!("organization")));
        assert_eq!(view["organization_id"], json!(house.organization("org-a").await));
        let path = made.header("location").unwrap().strip_prefix("/api/v1").unwrap().to_owned();
        let read = owner.get(&path).await;
        assert_eq!((read.json(), read.header("etag")), (view.clone(), made.header("etag")));
        // Of the project: every organization has it. Lists are in the order of the ids, which is that of time.
        house.turn_clock(1);
        let everywhere = make(&operator, json!({"name": "billing", "permissions": ["invoices:read"]})).await;
        assert_eq!((everywhere.status.as_u16(), &everywhere.json()["organization_id"]), (201, &Value::Null));
        let of_project =
            make(&operator, json!({"name": "auditor", "scope": "project", "permissions": ["audit:read"]}))
                .await;
        assert_eq!(of_project.json()["scope"], json!("project"), "{}", of_project.body);
        let list = names(&owner.get("/roles").await.json());
        assert_eq!(list, ["owner", "admin", "member", "helper", "billing"], "none of the project's own");
        assert_eq!(names(&operator.get("/roles?scope=project").await.json()), ["auditor"]);
        assert_eq!(told(&owner.get("/roles?scope=project").await), (403, "operator_required".into()));
        assert_eq!(names(&operator.get("/roles").await.json()), ["owner", "admin", "member", "billing"]);
        let of_b = operator.get("/roles?organization_id=org-b").await.json();
        assert_eq!(names(&of_b), ["owner", "admin", "member", "billing"]);
        let page = owner.get("/roles?limit=1").await.json();
        assert_eq!(names(&page), ["owner", "admin", "member", "helper"]);
        let next = page["next_cursor"].as_str().unwrap();
        let rest = owner.get(&format!("/roles?limit=1&cursor={next}")).await.json();
        assert_eq!((names(&rest), &rest["next_cursor"]), (vec!["billing".to_owned()], &Value::Null));
        // What is the project's is not theirs to read by itself or to change.
        let id = everywhere.json()["id"].as_str().unwrap().to_owned();
        for answer in [
            owner.get(&format!("/roles/{id}")).await,
            owner.patch(&format!("/roles/{id}"), json!({"permissions": []})).await,
            delete(&owner, &format!("/roles/{id}")).await,
        ] {
            assert_eq!(told(&answer), (404, "not_found".into()));
        }
        for (body, status, code) in [
            (json!({"name": "helper", "permissions": []}), 409, "role_exists"),
            (json!({"name": "owner", "permissions": []}), 409, "role_exists"),
            (json!({"name": "Help", "permissions": []}), 422, "invalid_value"),
            (json!({"name": "x", "permissions": ["a b"]}), 422, "invalid_value"),
            (json!({"name": "x", "permissions": ["organization:delete"]}), 422, "invalid_value"),
            (json!({"name": "x", "scope": "project", "permissions": []}), 403, "operator_required"),
            (json!({"name": "x"}), 400, "invalid_body"),
        ] {
            let before = house.before().await;
            assert_eq!(told(&make(&owner, body.clone()).await), (status, code.into()), "{body}");
            house.refused(&before, code).await;
        }
        let elsewhere = json!({"organization_id": "org-b", "name": "x", "permissions": []});
        let before = house.before().await;
        assert_eq!(told(&make(&owner, elsewhere).await), (404, "not_found".into()));
        house.refused(&before, "not_found").await;
    }
}

#[tokio::test]
async fn h01_nobody_puts_more_into_a_role_than_they_may_themselves() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let of_a = json!({"organization_id": "org-a", "name": "app", "permissions": ["invoices:read"]});
    let app = make(&operator, of_a).await.json()["id"].as_str().unwrap().to_owned();
    let keeper = Api::key(&house, "org-a", &["roles:write", "roles:read", "members:read"]).await;
    for api in [&keeper, &Api::person(&house, "ann@a.test", "org-a").await] {
        for permissions in [json!(["invoices:write"]), json!(["members:read", "invoices:write"])] {
            let before = house.before().await;
            let body = json!({"name": "mine", "permissions": permissions});
            assert_eq!(told(&make(api, body).await), (403, "role_ceiling".into()));
            let more = json!({"permissions": ["invoices:read", "invoices:write"]});
            let widened = api.patch(&format!("/roles/{app}"), more).await;
            assert_eq!(told(&widened), (403, "role_ceiling".into()));
            house.unchanged(&before).await;
        }
    }
    let more_than_the_key = json!({"name": "mine", "permissions": ["members:write"]});
    assert_eq!(told(&make(&keeper, more_than_the_key).await), (403, "role_ceiling".into()));
    assert_eq!(make(&keeper, json!({"name": "mine", "permissions": ["members:read"]})).await.status, 201);
    // Nor does anybody take away what they could not give.
    let less = json!({"display_name": "App", "permissions": []});
    let before = house.before().await;
    let narrowed = keeper.patch(&format!("/roles/{app}"), less.clone()).await;
    assert_eq!(told(&narrowed), (403, "role_ceiling".into()));
    house.refused(&before, "role_ceiling").await;
    let narrowed = operator.patch(&format!("/roles/{app}"), less).await;
    assert_eq!(narrowed.json()["permissions"], json!([]));
    let member = Api::person(&house, "con@a.test", "org-a").await;
    for answer in [member.get("/roles").await, make(&member, json!({"name": "x", "permissions": []})).await] {
        assert_eq!(told(&answer), (403, "permission_missing".into()), "S1-RO3");
    }
}

#[tokio::test]
async fn s1_ro4_another_name_for_people_changes_nothing_for_applications() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let body = json!({"organization_id": "org-a", "name": "billing", "permissions": ["invoices:read"]});
        let id = make(&operator, body).await.json()["id"].as_str().unwrap().to_owned();
        house
            .provision(&house.file.replace(
                r#"{ email = "con@a.test", roles = ["member"] }"#,
                r#"{ email = "con@a.test", roles = ["member", "billing"] }"#,
            ))
            .await;
        let rp1 = Application::rp1(&house);
        let claims = async || {
            let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
            let arrival = Person::new("con@a.test").follows(&ask).await;
            let tokens = ask.redeems(&arrival).await;
            (tokens.id["roles"].clone(), tokens.id["permissions"].clone())
        };
        let before = claims().await;
        assert!(before.1.as_array().unwrap().contains(&json!("invoices:read")), "{before:?}");
        let path = format!("/roles/{id}");
        let renamed = operator.patch(&path, json!({"display_name": "Accounts payable"})).await;
        assert_eq!(
            (&renamed.json()["name"], &renamed.json()["display_name"]),
            (&json!("billing"), &json!("Accounts payable"))
        );
        assert_eq!(claims().await, before);
        assert_eq!(told(&operator.patch(&path, json!({"name": "x"})).await), (400, "unknown_field".into()));
        // Who has it keeps it from being deleted.
        let noted = house.before().await;
        assert_eq!(told(&delete(&operator, &path).await), (409, "role_in_use".into()));
        house.refused(&noted, "role_in_use").await;
        assert_eq!(delete(&operator, &format!("{path}?force=true")).await.status, 204);
        assert!(!claims().await.1.as_array().unwrap().contains(&json!("invoices:read")));
        assert_eq!(told(&delete(&operator, &path).await), (404, "not_found".into()));
        for action in ["role.created", "role.updated", "role.deleted"] {
            assert_eq!(house.events_of(action).await, 1, "{action}");
        }
    }
}

#[tokio::test]
async fn s3_29_where_an_organization_makes_no_roles_of_its_own_it_makes_none() {
    let house = House::opens().await;
    let (operator, owner) = (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
    let id = make(&owner, json!({"name": "one", "permissions": []})).await.json()["id"].clone();
    operator.patch("/organizations/org-a/policy", json!({"custom_roles_enabled": false})).await;
    let before = house.before().await;
    let two = json!({"name": "two", "permissions": []});
    assert_eq!(told(&make(&owner, two).await), (403, "custom_roles_disabled".into()));
    let path = format!("/roles/{}", id.as_str().unwrap());
    let changed = owner.patch(&path, json!({"permissions": ["members:read"]})).await;
    assert_eq!(told(&changed), (403, "custom_roles_disabled".into()));
    house.unchanged(&before).await;
    assert_eq!(delete(&owner, &path).await.status, 204, "to take one away is no harm");
}

#[tokio::test]
async fn s0_25_s0_26_s0_07_an_organization_does_what_it_is_for_and_no_more() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let owner = Api::with(&house, Some(access_token(&house, "ann@a.test", "org-a").await)).await;
        let functions = async |list: Value| {
            let body = json!({ "functional_roles": list });
            operator.patch("/organizations/org-a", body).await
        };
        let may = async |permission: &str| {
            let all = owner.get("/me/permissions").await.json();
            let all = all["permissions"].as_array().unwrap().clone();
            let found = all.iter().find(|one| one["permission"] == json!(permission)).cloned().unwrap();
            (found["effective"].as_bool().unwrap(), found["masked_by"].clone())
        };
        let masked = (false, json!("functional_roles"));
        assert_eq!(may("connections:write").await, (true, Value::Null), "no boundary");
        for (function, of_its_own) in [
            ("administration", None),
            ("idp_consumer", Some("connections:write")),
            ("app_publisher", Some("applications:write")),
            ("delegation_source", Some("delegations:write")),
            ("delegation_target", Some("delegations:write")),
            ("directory", None),
        ] {
            assert_eq!(functions(json!([function])).await.status, 200, "{function}");
            assert_eq!(
                may("organization:write").await,
                (true, Value::Null),
                "{function} implies administration"
            );
            for permission in ["connections:write", "applications:write", "delegations:write"] {
                let expected =
                    if Some(permission) == of_its_own { (true, Value::Null) } else { masked.clone() };
                assert_eq!(may(permission).await, expected, "{function} {permission}");
            }
        }
        // The next request feels it.
        assert_eq!(owner.patch("/organizations/org-a", json!({"kind": "company"})).await.status, 200);
        assert_eq!(functions(json!([])).await.status, 200, "empty: nothing");
        let before = house.before().await;
        let refused = owner.patch("/organizations/org-a", json!({"kind": "school"})).await;
        assert_eq!(told(&refused), (403, "organization_function_missing".into()));
        house.refused(&before, "organization_function_missing").await;
        let refused = functions(json!(["issuer"])).await;
        assert_eq!(told(&refused), (422, "invalid_value".into()), "the project has no such function");
        let own = owner.patch("/organizations/org-a", json!({"functional_roles": null})).await;
        assert_eq!(own.status, 403, "not theirs to move");
    }
}

#[tokio::test]
async fn s0_25_s0_26_by_a_delegation_nobody_acts_where_either_side_may_have_none() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-b").await)).await;
        let own = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        for side in ["org-a", "org-b"] {
            for (functions, status) in [
                (json!(["idp_consumer"]), 401),
                (json!(["idp_consumer", "delegation_source"]), 200),
                (json!([]), 401),
                (Value::Null, 200),
            ] {
                let body = json!({ "functional_roles": functions });
                let set = operator.patch(&format!("/organizations/{side}"), body).await;
                assert_eq!(set.status, 200, "{}", set.body);
                assert_eq!(con.get("/me").await.status, status, "{side} {functions}");
                let offered = own.get("/me/organizations").await.json();
                let offered = offered["items"].as_array().unwrap().iter();
                let names: Vec<_> = offered.map(|one| one["slug"].as_str().unwrap().to_owned()).collect();
                // Nobody picks what would be refused.
                assert_eq!(
                    names.contains(&"org-b".to_owned()),
                    status == 200,
                    "{side} {functions} {names:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn s0_25_s0_26_what_an_organization_may_have_no_more_its_people_see_and_end() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let id = house.text("SELECT id FROM delegations").await.unwrap();
        let path = format!("/delegations/{id}");
        let both = Api::key(&house, "org-b", &["delegations:read", "delegations:write"]).await;
        let reads = Api::key(&house, "org-b", &["delegations:read"]).await;
        for functions in [json!(["idp_consumer"]), json!([])] {
            let body = json!({ "functional_roles": functions });
            assert_eq!(operator.patch("/organizations/org-b", body).await.status, 200);
            let listed = reads.get("/delegations").await.json();
            assert_eq!(listed["items"][0]["id"], json!(id), "{functions}");
            assert_eq!(reads.get(&path).await.status, 200, "{functions}");
            let paused = both.post(&format!("{path}/pause"), json!({})).await;
            assert_eq!(paused.status, 200, "{}", paused.body);
            for step in ["approve", "resume"] {
                let refused = both.post(&format!("{path}/{step}"), json!({})).await;
                assert_eq!(told(&refused), (403, "organization_function_missing".into()), "{step}");
            }
            let body = json!({"home": "org-a", "roles": ["member"]});
            let refused = both.post("/delegations", body).await;
            assert_eq!(told(&refused), (403, "organization_function_missing".into()));
            let refused = reads.post(&format!("{path}/revoke"), json!({})).await;
            assert_eq!(told(&refused), (403, "permission_missing".into()));
        }
        assert_eq!(both.post(&format!("{path}/revoke"), json!({})).await.status, 200);
    }
}

#[tokio::test]
async fn s0_25_a_project_gives_functions_names_and_meanings_of_its_own() {
    let own = "display_name = \"Acme Cloud\"\n[project.functional_roles]\nreader = [\"organization:read\"]\n\
               directory = [\"members:read\"]\n";
    let house = Plan::default().with("display_name = \"Acme Cloud\"", own).build().await;
    let operator = Api::operator(&house).await;
    let key = Api::key(&house, "org-a", &["organization:read", "members:read", "roles:read"]).await;
    let left = async || {
        let all = key.get("/me/permissions").await.json()["permissions"].as_array().unwrap().clone();
        let effective = all.iter().filter(|one| one["effective"] == json!(true));
        effective.map(|one| one["permission"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (functions, expected) in [
        (json!(["reader"]), vec!["organization:read"]),
        (json!(["directory"]), vec!["members:read"]),
        (json!(["reader", "directory"]), vec!["members:read", "organization:read"]),
        (Value::Null, vec!["members:read", "organization:read", "roles:read"]),
    ] {
        let body = json!({"functional_roles": functions});
        assert_eq!(operator.patch("/organizations/org-a", body).await.status, 200, "{functions}");
        assert_eq!(left().await, expected, "{functions}");
    }
}

#[tokio::test]
async fn h01_a_role_that_is_deleted_is_taken_from_everybody_and_another_of_its_name_is_nobodys() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let of_a = json!({"organization_id": "org-a", "name": "helper", "permissions": ["members:read"]});
        let own = make(&operator, of_a.clone()).await.json()["id"].as_str().unwrap().to_owned();
        let of_b = json!({"organization_id": "org-b", "name": "helper", "permissions": ["tickets:read"]});
        let others = make(&operator, of_b).await.json()["id"].as_str().unwrap().to_owned();
        let longer = json!({"organization_id": "org-a", "name": "helper-in-chief", "permissions": []});
        assert_eq!(make(&operator, longer).await.status, 201);
        let mut members = Vec::new();
        for (email, organization, roles) in [
            ("one@a.test", "org-a", &["helper"][..]),
            ("two@a.test", "org-a", &["helper", "member"]),
            ("three@a.test", "org-a", &["member", "helper", "admin"]),
            ("four@a.test", "org-a", &["member", "helper-in-chief"]),
            ("five@b.test", "org-b", &["member", "helper"]),
        ] {
            members.push(house.has_member(email, organization, roles).await);
        }
        let file = house.file.replace(
            r#"{ email = "con@a.test", roles = ["member"] }"#,
            r#"{ email = "con@a.test", roles = ["member", "helper"] }"#,
        );
        house.provision(&file).await;
        let rule = json!({"connection_id": house.connection("ca").await, "claim": "groups", "operator": "contains", "value": "x", "role": "helper"});
        assert_eq!(operator.post("/organizations/org-a/role-rules", rule).await.status, 201);
        let held = async || {
            let mut all = Vec::new();
            for user in &members {
                let sql = format!("SELECT roles FROM memberships WHERE user_id = '{user}'");
                all.push(house.text(&sql).await.unwrap());
            }
            all
        };
        let before = house.before().await;
        assert_eq!(told(&delete(&operator, &format!("/roles/{own}")).await), (409, "role_in_use".into()));
        house.refused(&before, "role_in_use").await;
        assert_eq!(delete(&operator, &format!("/roles/{own}?force=true")).await.status, 204);
        let left = ["[]", r#"["member"]"#, r#"["member","admin"]"#, r#"["member","helper-in-chief"]"#];
        assert_eq!(held().await, [&left[..], &[r#"["member","helper"]"#]].concat());
        let expected = house.text("SELECT roles FROM expected_members WHERE email = 'con@a.test'").await;
        assert_eq!(expected.as_deref(), Some(r#"["member"]"#));
        assert_eq!(house.count("role_rules").await, 0);
        // Nobody finds them by it, and a new one of the name, which may more, is nobody's.
        let page = operator.get("/organizations/org-a/members?role=helper").await.json();
        assert_eq!(page["items"], json!([]));
        assert_eq!(make(&operator, of_a).await.status, 201);
        assert_eq!(operator.get("/organizations/org-a/members?role=helper").await.json()["items"], json!([]));
        assert_eq!(
            operator.get("/organizations/org-a/members?role=admin").await.json()["items"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == "role.deleted").unwrap();
        assert_eq!((&event.detail["memberships"], &event.detail["expected_members"]), (&json!(3), &json!(1)));
        // Of another organization it is another role.
        house.joins(members[4], "org-a", &["helper"]).await;
        assert_eq!(delete(&operator, &format!("/roles/{others}?force=true")).await.status, 204);
        let of = async |organization: &str| {
            let id = house.organization(organization).await;
            let sql = format!(
                "SELECT roles FROM memberships WHERE organization_id = '{id}' AND user_id = '{}'",
                members[4]
            );
            house.text(&sql).await.unwrap()
        };
        assert_eq!((of("org-a").await, of("org-b").await), (r#"["helper"]"#.into(), r#"["member"]"#.into()));
        // One that every organization has is taken everywhere.
        let everywhere = make(&operator, json!({"name": "porter", "permissions": []})).await.json();
        let everywhere = everywhere["id"].as_str().unwrap().to_owned();
        let mut porters = Vec::new();
        for (email, organization) in [("six@a.test", "org-a"), ("seven@b.test", "org-b")] {
            porters.push(house.has_member(email, organization, &["porter"]).await);
        }
        assert_eq!(delete(&operator, &format!("/roles/{everywhere}?force=true")).await.status, 204);
        for user in porters {
            let sql = format!("SELECT roles FROM memberships WHERE user_id = '{user}'");
            assert_eq!(house.text(&sql).await.as_deref(), Some("[]"));
        }
    }
}

#[tokio::test]
async fn a_role_that_a_delegation_or_a_connection_gives_is_not_deleted() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    for (name, organization) in [("helper", "org-b"), ("newcomer", "org-a"), ("home", "org-b")] {
        let body = json!({"organization_id": organization, "name": name, "permissions": []});
        assert_eq!(make(&operator, body).await.status, 201);
    }
    let file = house.file.replace(
        "target = \"org-b\"\nroles = [\"member\"]",
        "target = \"org-b\"\nroles = [\"member\", \"helper\"]",
    );
    let file = file.replace(
        "client_secret = { env = \"CA_SECRET\" }",
        "client_secret = { env = \"CA_SECRET\" }\ndefault_roles = [\"newcomer\"]",
    );
    house.provision(&file).await;
    for name in ["helper", "newcomer"] {
        let id = house.text(&format!("SELECT id FROM roles WHERE name = '{name}'")).await.unwrap();
        for force in ["", "?force=true"] {
            let before = house.before().await;
            let refused = delete(&operator, &format!("/roles/{id}{force}")).await;
            assert_eq!(told(&refused), (409, "role_in_use".into()), "{name}");
            house.refused(&before, "role_in_use").await;
        }
    }
    let id = house.text("SELECT id FROM roles WHERE name = 'home'").await.unwrap();
    assert_eq!(
        delete(&operator, &format!("/roles/{id}")).await.status,
        204,
        "a word of the settings is no role"
    );
}

/// What the operator makes the person, as they are then shown.
async fn becomes(operator: &Api, user: &str, roles: Value) -> Answer {
    operator.patch(&format!("/users/{user}"), json!({ "roles": roles })).await
}

#[tokio::test]
async fn s1_o3_s1_w5_s0_27_a_role_of_the_project_is_held_where_somebody_acts_for_nobody_and_nowhere_else() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let ann = house.user("ann@a.test").await;
        let made = make(
            &operator,
            json!({"name": "reporter", "scope": "project", "permissions": ["reports:read", "organization:write"]}),
        )
        .await;
        let role = format!("/roles/{}", made.json()["id"].as_str().unwrap());
        make(&operator, json!({"name": "billing", "permissions": ["invoices:read"]})).await;

        // No organization knows it or gives it, and of the project is no role of theirs.
        assert_eq!(names(&owner.get("/roles").await.json()), ["owner", "admin", "member", "billing"]);
        let member = format!("/organizations/org-a/members/{ann}/role");
        for (api, path, body) in [
            (&owner, member.clone(), json!({"roles": ["owner", "reporter"]})),
            (&operator, member, json!({"roles": ["owner", "reporter"]})),
            (&operator, format!("/users/{ann}"), json!({"roles": ["reporter", "billing"]})),
            (&operator, format!("/users/{ann}"), json!({"roles": ["owner"]})),
            (&operator, format!("/users/{ann}"), json!({"roles": ["nothing"]})),
        ] {
            let before = house.before().await;
            assert_eq!(told(&api.patch(&path, body).await), (422, "role_unknown".into()));
            house.refused(&before, "role_unknown").await;
        }

        let rp1 = Application::rp1(&house);
        let signs_in = async |organization: &str| {
            let ask = rp1.asks().with("login_hint", "ann@a.test");
            let ask = match organization {
                "" => {
                    ask.with("scope", "openid profile email organizations organization:* roles permissions")
                }
                organization => ask.with("organization", organization),
            };
            let arrival = Person::new("ann@a.test").follows(&ask).await;
            ask.redeems(&arrival).await
        };
        let given = becomes(&operator, &ann, json!(["reporter"])).await;
        assert_eq!(
            (given.status.as_u16(), &given.json()["roles"]),
            (200, &json!(["reporter"])),
            "{}",
            given.body
        );
        assert_eq!(becomes(&operator, &ann, json!(["reporter"])).await.json(), given.json());
        let alone = signs_in("").await;
        for claims in [&alone.id, &alone.access] {
            assert_eq!(
                (claims.get("org_id"), &claims["roles"], &claims["permissions"]),
                (None, &json!(["reporter"]), &json!(["organization:write", "reports:read"]))
            );
        }
        let there = signs_in("org-a").await;
        assert_eq!(there.id["roles"], json!(["owner"]), "S1-W5");
        assert!(!there.id["permissions"].as_array().unwrap().contains(&json!("reports:read")));

        // It says what they are to applications, and opens no door here.
        let api = Api::with(&house, Some(alone.access_token)).await;
        assert_eq!(api.get("/me").await.json()["roles"], json!(["reporter"]));
        let permissions = api.get("/me/permissions").await.json()["permissions"].clone();
        assert_eq!(permissions[1]["permission"], json!("reports:read"));
        assert_eq!(permissions[1]["reasons"], json!([{"layer": "custom", "name": "reporter"}]), "S0-27");
        let before = house.before().await;
        let renamed = api.patch("/organizations/org-a", json!({"description": "Mine"})).await;
        assert_eq!(told(&renamed), (404, "not_found".into()));
        house.refused(&before, "not_found").await;

        let noted = house.before().await;
        assert_eq!(told(&delete(&operator, &role).await), (409, "role_in_use".into()));
        house.refused(&noted, "role_in_use").await;
        assert_eq!(delete(&operator, &format!("{role}?force=true")).await.status, 204);
        assert_eq!(signs_in("").await.id.get("roles"), None);
        assert_eq!(house.events_of("user.roles_changed").await, 1);
    }
}
