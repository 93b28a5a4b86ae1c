//! H01: an administrator gives away more than they have, by every way in which roles are given.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::{delete, fine, refuses};
use crate::house::api::{Api, THIRD};
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says;

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
async fn h01_s0_27_nobody_changes_or_deletes_a_role_that_may_more_than_they() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let all = json!(["members:write", "invoices:pay"]);
        let body = json!({"organization_id": "org-a", "name": "keeper", "permissions": all});
        let made = operator.post("/roles", body).await;
        let path = format!("/roles/{}", made.json()["id"].as_str().unwrap());
        house.has_member("eve@a.test", "org-a", &["keeper"]).await;
        let lower = [
            Api::key(&house, "org-a", &["roles:read", "roles:write"]).await,
            Api::key(&house, "org-a", &["roles:read", "roles:write", "members:write"]).await,
            Api::key(&house, "org-a", &["roles:read", "roles:write", "invoices:pay"]).await,
        ];
        for api in &lower {
            for body in [
                json!({"permissions": []}),
                json!({"permissions": ["members:write"]}),
                json!({"permissions": ["invoices:pay"]}),
                json!({"display_name": "Nobody"}),
            ] {
                let before = house.before().await;
                let refused = api.patch(&path, body.clone()).await;
                assert_eq!(refused.json()["code"], json!("role_ceiling"), "{body}: {}", refused.body);
                house.refused(&before, "role_ceiling").await;
            }
            for path in [path.clone(), format!("{path}?force=true")] {
                let before = house.before().await;
                let refused = api.send(Method::DELETE, &path, |ask| ask).await;
                assert_eq!(refused.json()["code"], json!("role_ceiling"), "{path}: {}", refused.body);
                house.refused(&before, "role_ceiling").await;
            }
        }
        let equal = ["roles:read", "roles:write", "members:write", "invoices:pay"];
        let equal = Api::key(&house, "org-a", &equal).await;
        let fine = equal.patch(&path, json!({"display_name": "Keeper"})).await;
        assert_eq!(fine.status, 200, "{}", fine.body);
        // What applications understand by one is no matter of ranks to who owns the organization.
        let fine = owner.patch(&path, json!({"permissions": ["members:write"]})).await;
        assert_eq!(fine.status, 200, "{}", fine.body);
        let gone = equal.send(Method::DELETE, &format!("{path}?force=true"), |ask| ask).await;
        assert_eq!(gone.status, 204, "{}", gone.body);
    }
}

#[tokio::test]
async fn h01_s1_p7_nobody_takes_by_a_rule_what_they_could_not_give() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let rules = "/organizations/org-a/role-rules";
        let body = json!({
            "connection_id": house.connection("ca").await, "claim": "groups", "operator": "contains", "value": "it",
            "role": "admin",
        });
        let made = owner.post(rules, body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let path = format!("{rules}/{}", made.json()["id"].as_str().unwrap());
        let key = Api::key(&house, "org-a", &["roles:read", "roles:write", "organization:read"]).await;
        let before = house.before().await;
        let refused = key.patch(&path, json!({"role": "member"})).await;
        assert_eq!(refused.json()["code"], json!("role_ceiling"), "{}", refused.body);
        house.refused(&before, "role_ceiling").await;
        let before = house.before().await;
        let refused = key.send(Method::DELETE, &path, |ask| ask).await;
        assert_eq!(refused.json()["code"], json!("role_ceiling"), "{}", refused.body);
        house.refused(&before, "role_ceiling").await;
        assert_eq!(owner.send(Method::DELETE, &path, |ask| ask).await.status, 204);
    }
}

#[tokio::test]
async fn h01_s1_r22_nobody_takes_an_invitation_back_that_they_could_not_have_written() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let (operator, owner) =
            (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
        let admin = Api::person(&house, "con@a.test", "org-a").await;
        let con = house.user("con@a.test").await;
        let path = format!("/organizations/org-a/members/{con}/role");
        assert_eq!(operator.patch(&path, json!({"role": "admin"})).await.status, 200);
        let key = Api::key(&house, "org-a", &["invitations:read", "invitations:write"]).await;
        let invitations = "/organizations/org-a/invitations";
        let invited = async |email: &str, role: &str| {
            let body = json!({"email": email, "role": role, "send": false});
            let made = owner.post(invitations, body).await;
            assert_eq!(made.status, 201, "{}", made.body);
            format!("{invitations}/{}", made.json()["invitation"]["id"].as_str().unwrap())
        };
        let to_own = invited("own@c.test", "owner").await;
        let to_administer = invited("adi@c.test", "admin").await;
        let to_belong = invited("mem@c.test", "member").await;
        let takes_back = async |api: &Api, path: &str| api.send(Method::DELETE, path, |ask| ask).await;
        for (api, path) in [(&admin, &to_own), (&key, &to_own), (&key, &to_administer)] {
            let before = house.before().await;
            let refused = takes_back(api, path).await;
            assert_eq!(refused.json()["code"], json!("role_ceiling"), "{path}: {}", refused.body);
            house.refused(&before, "role_ceiling").await;
        }
        assert_eq!(takes_back(&admin, &to_administer).await.status, 204);
        assert_eq!(takes_back(&key, &to_belong).await.status, 204);
        // Like everything about owners, it is for one who has just signed in, and for the operator.
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 400000").await;
        let before = house.before().await;
        let stale = takes_back(&owner, &to_own).await;
        assert_eq!(stale.json()["code"], json!("reauthentication_required"), "{}", stale.body);
        house.refused(&before, "reauthentication_required").await;
        assert_eq!(takes_back(&operator, &to_own).await.status, 204);
    }
}

#[tokio::test]
async fn h01_h02_of_a_role_that_is_given_and_deleted_at_once_nobody_keeps_the_name() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let eve = house.has_member("eve@a.test", "org-a", &["member"]).await;
        let member = format!("/organizations/org-a/members/{eve}/role");
        for round in 0..200 {
            let name = format!("role-{round}");
            let made = operator.post("/roles", json!({"name": name, "permissions": ["docs:read"]})).await;
            assert_eq!(made.status, 201, "{}", made.body);
            let path = format!("/roles/{}?force=true", made.json()["id"].as_str().unwrap());
            let give = operator.patch(&member, json!({"roles": ["member", name]}));
            let delete = operator.send(Method::DELETE, &path, |ask| ask);
            let (given, deleted) = match round % 2 {
                0 => futures_util::join!(give, delete),
                _ => {
                    let (deleted, given) = futures_util::join!(delete, give);
                    (given, deleted)
                }
            };
            assert_eq!(deleted.status, 204, "{}", deleted.body);
            let told = (given.status.as_u16(), given.json()["code"].clone());
            assert!(
                told == (200, Value::Null) || told == (422, json!("role_unknown")),
                "{round}: {}",
                given.body
            );
            let held = format!("SELECT roles FROM memberships WHERE user_id = '{eve}'");
            assert_eq!(house.text(&held).await.as_deref(), Some(r#"["member"]"#), "{round}: {}", given.body);
            let indexed = format!("SELECT role FROM membership_roles WHERE role = '{name}'");
            assert_eq!(house.text(&indexed).await, None, "{round}");
        }
    }
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
    let eve = house.has_member("eve@a.test", "org-a", &["owner"]).await;
    house.execute("UPDATE memberships SET roles = '[\"admin\"]' WHERE roles = '[\"member\"]'").await;
    house.execute(&format!("UPDATE memberships SET status = 'suspended' WHERE user_id = '{eve}'")).await;
    let before = house.before().await;
    let path = format!("/organizations/org-a/members/{eve}");
    let answer = admin.patch(&path, json!({"status": "active"})).await;
    assert_eq!(answer.json()["code"], json!("role_ceiling"), "to bring an owner back is to make one");
    house.refused(&before, "role_ceiling").await;
}

#[tokio::test]
async fn h01_m17_ownership_moves_only_by_an_owner_who_has_just_signed_in() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let eve = house.has_member("eve@a.test", "org-a", &["member"]).await;
        let second = house.has_member("dan@a.test", "org-a", &["owner"]).await;
        let new = house.knows("new@a.test", "New").await.to_string();
        let own = house.user("ann@a.test").await;
        let members = "/organizations/org-a/members";
        let invitations = "/organizations/org-a/invitations";
        let invited = json!({"email": "owner@c.test", "role": "owner", "send": false});
        let waits = ann.post(invitations, invited.clone()).await;
        assert_eq!(waits.status, 201, "{}", waits.body);
        let waits = waits.json()["invitation"]["id"].as_str().unwrap().to_owned();
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 301000").await;
        let another = json!({"email": "another@c.test", "role": "owner", "send": false});
        for (method, path, body) in [
            (Method::PATCH, format!("{members}/{eve}/role"), json!({"role": "owner"})),
            (Method::PATCH, format!("{members}/{second}/role"), json!({"role": "member"})),
            (Method::PATCH, format!("{members}/{second}"), json!({"status": "suspended"})),
            (Method::POST, members.to_owned(), json!({"user_id": new, "role": "owner"})),
            (Method::POST, invitations.to_owned(), another.clone()),
            (Method::POST, format!("{invitations}/{waits}/resend"), json!({"send": false})),
        ] {
            let before = house.before().await;
            let answer = ann.write(method, &path, body).await;
            let told = (answer.status.as_u16(), answer.json()["code"].clone());
            assert_eq!(told, (403, json!("reauthentication_required")), "{path}: {}", answer.body);
            assert!(answer.header("www-authenticate").unwrap().contains("max_age=\"300\""));
            house.refused(&before, "reauthentication_required").await;
        }
        for who in [second.to_string(), own] {
            let before = house.before().await;
            let answer = ann.send(Method::DELETE, &format!("{members}/{who}"), |ask| ask).await;
            assert_eq!(answer.json()["code"], json!("reauthentication_required"), "{}", answer.body);
            house.refused(&before, "reauthentication_required").await;
        }
        let bulk = json!({"invitations": [another]});
        let rows = ann.post(&format!("{invitations}/bulk"), bulk).await;
        assert_eq!(rows.json()["results"][0]["code"], json!("reauthentication_required"), "{}", rows.body);
        // What is no owner's goes on.
        let fine = ann.patch(&format!("{members}/{eve}/role"), json!({"role": "admin"})).await;
        assert_eq!(fine.status, 200, "{}", fine.body);
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at + 301000").await;
        let fine = ann.patch(&format!("{members}/{eve}/role"), json!({"role": "owner"})).await;
        assert_eq!(fine.status, 200, "{}", fine.body);
    }
}

#[tokio::test]
async fn h01_h07_whoever_comes_is_given_nothing_that_has_come_to_administer() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let ca = format!("/connections/{}", house.connection("ca").await);
        let role = json!({"organization_id": "org-a", "name": "helper", "permissions": []});
        let made = operator.post("/roles", role).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let role = format!("/roles/{}", made.json()["id"].as_str().unwrap());
        let live = json!({"default_roles": ["helper"], "activate": true, "force": true});
        assert_eq!(operator.patch(&ca, live).await.status, 200);
        let comes = async |email: &str| {
            let ask = Application::rp1(&house).asks().with("login_hint", email);
            ask.redeems(&Person::new(email).follows(&ask).await).await.id["roles"].clone()
        };
        assert_eq!(comes("one@a.test").await, json!(["helper"]));
        let administers = json!({"permissions": ["members:read", "members:write"]});
        let broadened = operator.patch(&role, administers).await;
        assert_eq!(broadened.status, 200, "{}", broadened.body);
        assert_eq!(comes("two@a.test").await, json!(["member"]), "judged when it takes effect");
        assert_eq!(house.events_of("organization.member.roles_left_out").await, 1);

        // Nor does an older version bring it back.
        let other = json!({"default_roles": ["member"], "activate": true, "force": true});
        assert_eq!(operator.patch(&ca, other).await.status, 200);
        let before = house.before().await;
        let back = operator.post(&format!("{ca}/rollback"), json!({})).await;
        assert_eq!((back.status.as_u16(), &back.json()["code"]), (422, &json!("role_not_allowed")));
        house.refused(&before, "role_not_allowed").await;
        assert_eq!(comes("three@a.test").await, json!(["member"]));
    }
}

/// Con is a guest of A, whose own people act for B.
#[tokio::test]
async fn h01_s1_d9_a_guest_becomes_one_of_the_organizations_own_by_an_owners_word_where_those_act_for_others()
{
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan::on(engine).and(THIRD).build().await;
        let (operator, owner) =
            (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
        let admin = Api::person(&house, "adi@a.test", "org-a").await;
        Api::person(&house, "con@a.test", "org-a").await;
        let third = Api::by_consent(&house, "ann@a.test", "org-a").await;
        let key = Api::key(&house, "org-a", &["members:read", "members:write", "organization:read"]).await;
        let members = "/organizations/org-a/members";
        let (adi, con) = (house.user("adi@a.test").await, house.user("con@a.test").await);
        let [adi_place, con_place] = [&adi, &con].map(|id| format!("{members}/{id}"));
        fine(operator.patch(&format!("{adi_place}/role"), json!({"role": "admin"})).await);
        for place in [&adi_place, &con_place] {
            fine(operator.patch(place, json!({"kind": "guest"})).await);
        }
        let own = json!({"kind": "member"});
        for (api, place, code) in [
            (&third, &con_place, "role_ceiling"),
            (&key, &con_place, "owner_required"),
            (&admin, &con_place, "owner_required"),
            (&admin, &adi_place, "role_ceiling"),
        ] {
            refuses(&house, api.patch(place, own.clone()), (403, code)).await;
        }
        // Nor by way of a removal.
        assert_eq!(delete(&admin, &con_place).await.status, 204);
        let back = json!({"user_id": con, "role": "member", "kind": "member", "restore": true});
        refuses(&house, admin.post(members, back.clone()), (403, "owner_required")).await;
        assert_eq!(fine(owner.post(members, back).await)["kind"], json!("member"));
        assert_eq!(fine(owner.patch(&adi_place, own.clone()).await)["kind"], json!("member"));
        // Where nobody acts for anybody, it is no more than any change of a member.
        house.execute("UPDATE delegations SET revoked_at = 1").await;
        fine(operator.patch(&con_place, json!({"kind": "guest"})).await);
        assert_eq!(fine(key.patch(&con_place, own).await)["kind"], json!("member"));
    }
}

#[tokio::test]
async fn h01_whoever_lets_a_delegation_count_again_gives_what_it_gives() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        house.execute("UPDATE delegations SET settings = replace(settings, '\"member\"', '\"admin\"')").await;
        let weak =
            ["delegations:read", "delegations:write", "organization:read", "policy:read", "policy:write"];
        let (home, target) = (Api::key(&house, "org-a", &weak).await, Api::key(&house, "org-b", &weak).await);
        let path = format!("/delegations/{}", house.text("SELECT id FROM delegations").await.unwrap());
        let (pause, resume) = (format!("{path}/pause"), format!("{path}/resume"));
        fine(bob.post(&pause, json!({})).await);
        refuses(&house, target.post(&resume, json!({})), (403, "role_ceiling")).await;
        fine(bob.post(&resume, json!({})).await);
        let policy = "/organizations/org-b/policy";
        fine(bob.patch(policy, json!({"delegations": "none"})).await);
        refuses(&house, target.patch(policy, json!({"delegations": "approved"})), (403, "role_ceiling"))
            .await;
        fine(bob.patch(policy, json!({"delegations": "approved"})).await);
        // Whoever takes it away needs none of it, nor whose people they are.
        fine(target.patch(policy, json!({"delegations": "none"})).await);
        fine(home.post(&pause, json!({})).await);
        fine(home.post(&resume, json!({})).await);
    }
}

#[tokio::test]
async fn h01_s1_p7_whoever_administers_by_a_rule_stands_above_who_does_not() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let rule = json!({
            "connection_id": house.connection("ca").await, "claim": "groups", "operator": "contains", "value": "it",
            "role": "admin",
        });
        fine(owner.post("/organizations/org-a/role-rules", rule).await);
        house.idp_a.says(Says::truth().claim("groups", r#"["it"]"#));
        let admin = Api::person(&house, "con@a.test", "org-a").await;
        let key = Api::key(&house, "org-a", &["members:read", "members:write", "organization:read"]).await;
        let place = format!("/organizations/org-a/members/{}", house.user("con@a.test").await);
        let ceiling = (403, "role_ceiling");
        refuses(&house, key.patch(&place, json!({"status": "suspended"})), ceiling).await;
        refuses(&house, key.patch(&format!("{place}/role"), json!({"role": "member"})), ceiling).await;
        refuses(&house, delete(&key, &place), ceiling).await;
        fine(admin.get("/organizations/org-a/members").await);
        assert_eq!(delete(&owner, &place).await.status, 204);
    }
}
