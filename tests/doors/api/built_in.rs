//! What an owner, an administrator and a member may, by the roles that every organization has.

use behalf::manage::api::routes::ROUTES;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::{delete, refusal, told};
use crate::house::api::{Api, access_token};
use crate::house::broker::{Engine, House, Plan};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

#[tokio::test]
async fn s1_ro1_an_owner_alone_gives_the_organization_away_or_ends_it_and_the_last_one_stays() {
    for engine in ENGINES {
        let con = r#"{ email = "con@a.test", roles = ["member"] }"#;
        let house = Plan::on(engine).with(con, &con.replace("member", "admin")).build().await;
        let operator = Api::operator(&house).await;
        access_token(&house, "ann@a.test", "org-a").await;
        let admin = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        let owner = Api::with(&house, Some(access_token(&house, "ann@a.test", "org-a").await)).await;
        let (anns, cons) = (house.user("ann@a.test").await, house.user("con@a.test").await);
        let transfer = "/organizations/org-a/transfer-ownership";
        let key = Api::key(&house, "org-a", &["members:write", "organization:write", "policy:write"]).await;
        for api in [&admin, &key] {
            for answer in [
                delete(api, "/organizations/org-a?confirm=org-a").await,
                api.post(transfer, json!({"user_id": cons})).await,
            ] {
                assert_eq!(told(&answer), refusal(403, "permission_missing"));
            }
        }
        // The last owner is not removed, demoted, suspended or blocked, does not leave, and is not shut out.
        let member = format!("/organizations/org-a/members/{anns}");
        let by_whom: [(&Api, &str); 2] = [(&operator, "operator"), (&owner, "owner")];
        for (api, name) in by_whom {
            for (what, body) in [
                ("remove", None),
                ("role", Some(json!({"role": "admin"}))),
                ("status", Some(json!({"status": "suspended"}))),
                ("status", Some(json!({"status": "blocked"}))),
            ] {
                let before = house.before().await;
                let refused = match (what, body) {
                    ("role", Some(body)) => api.patch(&format!("{member}/role"), body).await,
                    (_, Some(body)) => api.patch(&member, body).await,
                    _ => delete(api, &format!("{member}?force=true")).await,
                };
                assert_eq!(told(&refused), refusal(409, "last_owner"), "{what} by the {name}");
                house.refused(&before, "last_owner").await;
            }
        }
        let before = house.before().await;
        let disabled = operator.patch(&format!("/users/{anns}"), json!({"disabled": true})).await;
        assert_eq!(told(&disabled), refusal(409, "last_owner"));
        house.refused(&before, "last_owner").await;
        // An administrator does not touch an owner at all.
        assert_eq!(told(&delete(&admin, &member).await), refusal(403, "role_ceiling"));
        // With a second one, each may go; and whoever owns it ends it.
        let second = format!("/organizations/org-a/members/{cons}/role");
        assert_eq!(owner.patch(&second, json!({"role": "owner"})).await.status, 200);
        assert_eq!(delete(&owner, &member).await.status, 204);
        assert_eq!(delete(&admin, "/organizations/org-a?confirm=org-a").await.status, 202, "an owner now");
    }
}

#[tokio::test]
async fn s3_33_an_owner_invites_and_only_the_operator_reaches_whoever_is_known() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        access_token(&house, "bob@b.test", "org-b").await;
        let bob = house.user("bob@b.test").await;
        assert!(
            !ROUTES.iter().any(|route| route.path == "/users" && route.method == Method::POST),
            "nobody makes users"
        );
        let users = house.count("users").await;
        let members = "/organizations/org-a/members";
        for who in [json!({"user_id": bob}), json!({"email": "bob@b.test"}), json!({"email": "new@c.test"})] {
            let mut body = who.clone();
            body["role"] = json!("member");
            let before = house.before().await;
            assert_eq!(told(&owner.post(members, body).await), refusal(404, "user_not_found"), "{who}");
            house.refused(&before, "user_not_found").await;
        }
        let invitation = json!({"email": "bob@b.test", "role": "owner", "send": false});
        let invited = owner.post("/organizations/org-a/invitations", invitation).await;
        assert_eq!(invited.status, 201, "{}", invited.body);
        let view = invited.json()["invitation"].clone();
        assert!(view["id"].as_str().unwrap().starts_with("inv_"), "{view}");
        assert_eq!((&view["email"], &view["roles"]), (&json!("bob@b.test"), &json!(["owner"])));
        assert_eq!(house.count("users").await, users, "to invite somebody makes nobody");
        let added =
            operator.post("/organizations/org-c/members", json!({"user_id": bob, "role": "owner"})).await;
        assert_eq!(added.status, 201, "{}", added.body);
    }
}

/// What a member may ask for: themselves, and their organization.
const MEMBERS_READ: [&str; 3] = ["read_organization", "list_organizations", "list_members"];

#[tokio::test]
async fn s1_ro3_a_member_uses_the_product_and_administers_nothing() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    access_token(&house, "ann@a.test", "org-a").await;
    let member = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
    let ann = house.user("ann@a.test").await;
    let domain = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
    let delegation = house.text("SELECT id FROM delegations").await.unwrap();
    let application = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
    let role = json!({"organization_id": "org-a", "name": "helper", "permissions": []});
    let role = operator.post("/roles", role).await.json()["id"].as_str().unwrap().to_owned();
    let connection = house.connection("ca").await;
    let filled = |path: &str| {
        let part = |part: &str| match part {
            "{organization_id}" => "org-a".to_owned(),
            "{user_id}" => ann.clone(),
            "{domain_id}" => domain.clone(),
            "{delegation_id}" => delegation.clone(),
            "{application_id}" => application.clone(),
            "{role_id}" => role.clone(),
            "{connection_id}" => connection.clone(),
            part if part.starts_with('{') => "x".to_owned(),
            part => part.to_owned(),
        };
        path.split('/').map(part).collect::<Vec<_>>().join("/")
    };
    let before = house.before().await;
    for route in ROUTES {
        let path = filled(route.path);
        // What is theirs alone: who they are, whom they act for, to accept and to leave.
        let is_own = route.path.starts_with("/me")
            || route.path.starts_with("/session")
            || matches!(
                route.need,
                behalf::manage::authority::Need::Public
                    | behalf::manage::authority::Need::Person
                    | behalf::manage::authority::Need::Account
                    | behalf::manage::authority::Need::Any
            )
            || ["remove_member", "read_transfer", "read_member"].contains(&route.name)
            || MEMBERS_READ.contains(&route.name);
        if is_own && route.method == Method::GET {
            let answer = member.get(&path).await;
            for secret in [crate::house::broker::RP1_SECRET, &house.idp_a.secret] {
                assert!(!answer.body.contains(secret), "{}", route.name);
            }
            continue;
        }
        if is_own {
            continue;
        }
        let answer = member
            .send(route.method.clone(), &path, |ask| match route.method {
                Method::GET => ask,
                _ => ask.header("content-type", "application/json").body("{}"),
            })
            .await;
        let (status, code) = told(&answer);
        let refused = (status == 403 && ["permission_missing", "operator_required"].contains(&&*code))
            || (status, &*code) == (404, "not_found");
        assert!(refused, "{} {}: {status} {code}", route.method, route.path);
    }
    house.unchanged(&before).await;
    // To remove somebody else is no way to leave.
    let others = delete(&member, &format!("/organizations/org-a/members/{ann}")).await;
    assert_eq!(told(&others).0, 403, "{}", others.body);
    assert_eq!(member.get("/organizations/org-a").await.json().get("functional_roles"), None::<&Value>);
}
