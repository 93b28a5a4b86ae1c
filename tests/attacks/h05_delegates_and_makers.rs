//! H05, H01: who acts by a delegation leaves nothing behind that would outlive it, and a key does no more than whoever made
//! it may.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::fine;
use crate::house::api::Api;
use crate::house::broker::{Engine, House};
use crate::house::lying_idp::Says;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn refused(answer: &Answer, code: &str) {
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (403, &json!(code)), "{}", answer.body);
}

/// Gives roles to a member, as if an owner had.
async fn is_now(house: &House, email: &str, role: &str) {
    let member = format!(
        "(SELECT m.id FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = '{email}' LIMIT 1)"
    );
    house.execute(&format!("UPDATE memberships SET roles = '[\"{role}\"]' WHERE id = {member}")).await;
    house
        .execute(&format!("UPDATE membership_roles SET role = '{role}' WHERE membership_id = {member}"))
        .await;
}

#[tokio::test]
async fn h05_h01_a_delegate_leaves_nothing_behind_that_outlives_the_delegation() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        let con = Api::person(&house, "con@a.test", "org-b").await;
        house.execute("UPDATE delegations SET settings = replace(settings, '\"member\"', '\"admin\"')").await;
        let eve = house.has_member("eve@b.test", "org-b", &["member"]).await;
        let new = house.knows("new@b.test", "New").await;
        let key = fine(bob.post("/api-keys", json!({"name": "b", "permissions": ["members:read"]})).await);
        let key = key["api_key"]["id"].as_str().unwrap().to_owned();
        let role = json!({"organization_id": "org-b", "name": "helper", "permissions": ["members:read"]});
        fine(bob.post("/roles", role).await);
        let cb = house.connection("cb").await;
        let delegation = house.text("SELECT id FROM delegations").await.unwrap();
        // The administrator's work as such is theirs.
        fine(con.get("/organizations/org-b/members").await);
        fine(con.patch("/organizations/org-b", json!({"description": "b"})).await);

        let members = "/organizations/org-b/members";
        let invite = json!({"email": "x@c.test", "role": "member", "send": false});
        let rule = json!({"connection_id": cb, "claim": "groups", "operator": "contains", "value": "x", "role": "member"});
        let provider = json!({
            "type": "oidc", "issuer": house.idp_a.issuer, "client_id": "behalf", "client_secret": house.idp_a.secret,
            "activate": true,
        });
        let domain = house.text("SELECT id FROM domains WHERE name = 'b.test'").await.unwrap();
        let domain = format!("/organizations/org-b/domains/{domain}");
        let auto_join = |more: Value| json!({"auto_join": more});
        fine(bob.patch(&domain, json!({"trust_email": false, "auto_join": {"exclude": ["x"]}})).await);
        for (method, path, body, code) in [
            (
                Method::POST,
                "/api-keys".to_owned(),
                json!({"name": "k", "permissions": ["members:read"]}),
                "permission_missing",
            ),
            (Method::POST, format!("/api-keys/{key}/rotate"), json!({}), "permission_missing"),
            (Method::PATCH, format!("/api-keys/{key}"), json!({"expires_at": null}), "permission_missing"),
            (
                Method::POST,
                "/delegations".to_owned(),
                json!({"home": "org-c", "roles": ["member"]}),
                "permission_missing",
            ),
            (
                Method::PATCH,
                format!("/delegations/{delegation}"),
                json!({"ends_at": null}),
                "permission_missing",
            ),
            (Method::POST, format!("/delegations/{delegation}/approve"), json!({}), "permission_missing"),
            (
                Method::POST,
                "/roles".to_owned(),
                json!({"name": "mine", "permissions": []}),
                "permission_missing",
            ),
            (Method::POST, "/organizations/org-b/role-rules".to_owned(), rule, "permission_missing"),
            (Method::POST, "/organizations/org-b/invitations".to_owned(), invite, "permission_missing"),
            (
                Method::POST,
                members.to_owned(),
                json!({"user_id": new.to_string(), "role": "member"}),
                "permission_missing",
            ),
            (Method::PATCH, format!("{members}/{eve}/role"), json!({"role": "admin"}), "role_ceiling"),
            (Method::POST, "/connections".to_owned(), provider, "owner_required"),
            (
                Method::PATCH,
                "/organizations/org-b/policy".to_owned(),
                json!({"delegations": "none"}),
                "permission_missing",
            ),
            (
                Method::PUT,
                "/organizations/org-b/policy".to_owned(),
                json!({"require_mfa": false}),
                "permission_missing",
            ),
            (Method::PATCH, domain.clone(), json!({"trust_email": true}), "permission_missing"),
            (Method::PATCH, domain.clone(), auto_join(json!({"role": "member"})), "permission_missing"),
            (Method::PATCH, domain.clone(), auto_join(json!({"exclude": []})), "permission_missing"),
            (Method::PATCH, domain.clone(), auto_join(json!({"cap_per_hour": 1000})), "permission_missing"),
            (
                Method::PATCH,
                domain.clone(),
                auto_join(json!({"enabled": true, "role": "member"})),
                "permission_missing",
            ),
        ] {
            let before = house.before().await;
            refused(&con.write(method, &path, body).await, code);
            house.refused(&before, code).await;
        }
        // What ends outlives nothing, be it what a domain is used for.
        fine(bob.patch(&domain, json!({"trust_email": true})).await);
        let join = json!({"enabled": true, "role": "member", "cap_per_hour": 50});
        fine(bob.patch(&domain, auto_join(join)).await);
        fine(con.patch(&domain, json!({"trust_email": false})).await);
        let narrower = json!({"exclude": ["x", "y"], "cap_per_hour": 5});
        fine(con.patch(&domain, auto_join(narrower)).await);
        let over = fine(con.patch(&domain, auto_join(json!({"enabled": false}))).await);
        assert_eq!((&over["trust_email"], &over["auto_join"]["enabled"]), (&json!(false), &json!(false)));
        let gone = con.send(Method::DELETE, &format!("{members}/{eve}"), |ask| ask).await;
        assert_eq!(gone.status, 204, "{}", gone.body);
    }
}

/// Con makes a key while they administer the organization.
async fn key_of_con(house: &House, con: &Api) -> Api {
    let body =
        json!({"name": "of con", "permissions": ["members:read", "members:write", "organization:read"]});
    let made = fine(con.post("/api-keys", body).await);
    Api::with(house, made["key"].as_str().map(str::to_owned)).await
}

#[tokio::test]
async fn h05_a_key_does_no_more_than_whoever_made_it_may() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        is_now(&house, "con@a.test", "admin").await;
        let key = key_of_con(&house, &con).await;
        let (members, id) = ("/organizations/org-a/members", house.user("con@a.test").await);
        fine(key.get(members).await);

        // Demoted: it may what they still may, and no more.
        fine(ann.patch(&format!("{members}/{id}/role"), json!({"role": "member"})).await);
        let before = house.before().await;
        refused(&key.get(members).await, "permission_missing");
        house.refused(&before, "permission_missing").await;
        fine(key.get("/organizations/org-a").await);

        // Suspended: nothing, until they are back.
        fine(ann.patch(&format!("{members}/{id}/role"), json!({"role": "admin"})).await);
        fine(ann.patch(&format!("{members}/{id}"), json!({"status": "suspended"})).await);
        assert_eq!(key.get(members).await.status, 401);
        fine(ann.patch(&format!("{members}/{id}"), json!({"status": "active"})).await);
        fine(key.get(members).await);

        // Removed: for good. Owners are told.
        assert_eq!(ann.send(Method::DELETE, &format!("{members}/{id}"), |ask| ask).await.status, 204);
        assert_eq!(key.get(members).await.status, 401);
        let told = "SELECT recipient FROM mails WHERE kind = 'api_keys_revoked'";
        assert_eq!(house.text(told).await.as_deref(), Some("ann@a.test"));
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == "api_key.revoked").unwrap();
        assert_eq!(event.outcome, "changed");
        let back = json!({"user_id": id.to_string(), "role": "admin", "restore": true});
        fine(ann.post(members, back).await);
        assert_eq!(key.get(members).await.status, 401, "whoever comes back makes another one");
    }
}

#[tokio::test]
async fn h01_h05_what_was_answered_is_not_answered_again_to_who_may_it_no_more() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        is_now(&house, "con@a.test", "admin").await;
        let ask = async || {
            let body = json!({"name": "k", "permissions": ["members:read"]}).to_string();
            let dress = |ask: reqwest::RequestBuilder| {
                ask.header("idempotency-key", "one").header("content-type", "application/json").body(body)
            };
            con.send(Method::POST, "/api-keys", dress).await
        };
        let made = ask().await;
        assert_eq!(made.status, 201, "{}", made.body);
        let again = ask().await;
        assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, Some("true")));
        is_now(&house, "con@a.test", "member").await;
        let before = house.before().await;
        refused(&ask().await, "permission_missing");
        house.refused(&before, "permission_missing").await;
        // Nor when it is too long since they proved who they are.
        is_now(&house, "con@a.test", "admin").await;
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 901000").await;
        let before = house.before().await;
        refused(&ask().await, "reauthentication_required");
        house.refused(&before, "reauthentication_required").await;
    }
}

#[tokio::test]
async fn h05_a_secret_of_a_key_works_for_as_long_as_whoever_has_read_it_may_what_the_key_may() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        is_now(&house, "con@a.test", "admin").await;
        let (members, id) = ("/organizations/org-a/members", house.user("con@a.test").await);
        let of_ann = async |name: &str| {
            let made =
                fine(ann.post("/api-keys", json!({"name": name, "permissions": ["members:read"]})).await);
            let path = format!("/api-keys/{}", made["api_key"]["id"].as_str().unwrap());
            (path, Api::with(&house, made["key"].as_str().map(str::to_owned)).await)
        };
        let rotated = async |path: &str, overlap: u64| {
            let made = fine(con.post(&format!("{path}/rotate"), json!({"overlap": overlap})).await);
            Api::with(&house, made["key"].as_str().map(str::to_owned)).await
        };
        let (shared, first) = of_ann("shared").await;
        let second = rotated(&shared, 3_600).await;
        let (taken, _) = of_ann("taken").await;
        let alone = rotated(&taken, 0).await;
        for key in [&first, &second, &alone] {
            fine(key.get(members).await);
        }

        // Demoted, suspended, and back again.
        fine(ann.patch(&format!("{members}/{id}/role"), json!({"role": "member"})).await);
        for key in [&second, &alone] {
            let before = house.before().await;
            refused(&key.get(members).await, "permission_missing");
            house.refused(&before, "permission_missing").await;
        }
        fine(first.get(members).await);
        fine(ann.patch(&format!("{members}/{id}/role"), json!({"role": "admin"})).await);
        fine(ann.patch(&format!("{members}/{id}"), json!({"status": "suspended"})).await);
        for key in [&second, &alone] {
            assert_eq!(key.get(members).await.status, 401);
        }
        fine(first.get(members).await);
        fine(ann.patch(&format!("{members}/{id}"), json!({"status": "active"})).await);
        fine(second.get(members).await);

        // Removed: for good, and so is a key that nobody else has a secret of.
        assert_eq!(ann.send(Method::DELETE, &format!("{members}/{id}"), |ask| ask).await.status, 204);
        let back = json!({"user_id": id.to_string(), "role": "admin", "restore": true});
        fine(ann.post(members, back).await);
        for key in [&second, &alone] {
            assert_eq!(key.get(members).await.status, 401, "whoever comes back is shown another one");
        }
        fine(first.get(members).await);
        assert_eq!(fine(ann.get(&shared).await)["revoked_at"], Value::Null);
        assert!(fine(ann.get(&taken).await)["revoked_at"].is_string());
        let trail = house.audit().await;
        let ended: Vec<_> = trail.iter().filter(|event| event.action == "api_key.secret_ended").collect();
        assert_eq!((ended.len(), &ended[0].detail["name"]), (1, &json!("shared")));
    }
}

/// What a provider says of its people counts as long as anybody hears it.
#[tokio::test]
async fn h05_s1_p7_what_somebody_has_by_a_rule_they_neither_keep_nor_leave_to_a_key() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let rule = json!({
            "connection_id": house.connection("ca").await, "claim": "groups", "operator": "contains", "value": "it",
            "role": "admin",
        });
        fine(ann.post("/organizations/org-a/role-rules", rule).await);
        house.idp_a.says(Says::truth().claim("groups", "[\"it\"]"));
        let con = Api::person(&house, "con@a.test", "org-a").await;
        house.idp_a.says(Says::truth());
        let key = key_of_con(&house, &con).await;
        let members = "/organizations/org-a/members";
        fine(key.get(members).await);
        // It is not theirs to make their own.
        let role = format!("{members}/{}/role", house.user("con@a.test").await);
        for roles in [json!({"role": "admin"}), json!({"roles": ["member", "admin"]})] {
            let before = house.before().await;
            refused(&con.patch(&role, roles).await, "role_ceiling");
            house.refused(&before, "role_ceiling").await;
        }
        // Nor by a role that they hold, nor by a key.
        let helper = json!({"organization_id": "org-a", "name": "helper", "permissions": ["members:read", "roles:write"]});
        let helper = format!("/roles/{}", fine(ann.post("/roles", helper).await)["id"].as_str().unwrap());
        fine(ann.patch(&role, json!({"roles": ["member", "helper"]})).await);
        let widest = json!({"name": "wide", "permissions": ["members:read", "members:write", "roles:read", "roles:write"]});
        let wide = fine(con.post("/api-keys", widest).await)["key"].as_str().map(str::to_owned);
        let wide = Api::with(&house, wide).await;
        let other = json!({"organization_id": "org-a", "name": "other", "permissions": ["members:read"]});
        let other = format!("/roles/{}", fine(ann.post("/roles", other).await)["id"].as_str().unwrap());
        let wider = json!({"permissions": ["members:read", "members:write", "roles:write"]});
        for (api, path, body) in [
            (&con, &helper, wider.clone()),
            (&wide, &helper, wider.clone()),
            (&wide, &role, json!({"roles": ["member", "helper", "other"]})),
        ] {
            let before = house.before().await;
            refused(&api.patch(path, body).await, "role_ceiling");
            house.refused(&before, "role_ceiling").await;
        }
        // What they hold anyway is theirs to put there, and what nobody of them holds is as well.
        fine(
            con.patch(&helper, json!({"permissions": ["members:read", "roles:write", "organization:read"]}))
                .await,
        );
        fine(con.patch(&other, json!({"permissions": ["members:read", "members:write"]})).await);
        fine(ann.patch(&helper, wider).await);
        fine(ann.patch(&role, json!({"role": "member"})).await);
        // Nobody has said it for 30 days.
        let days = |many: i64| {
            format!("UPDATE identities SET last_login_at = last_login_at - {}", many * 86_400_000)
        };
        house.execute(&days(29)).await;
        fine(key.get(members).await);
        house.execute(&days(2)).await;
        let before = house.before().await;
        refused(&key.get(members).await, "permission_missing");
        house.refused(&before, "permission_missing").await;
        fine(key.get("/organizations/org-a").await);
        // What they hold themselves they have.
        fine(ann.patch(&role, json!({"role": "admin"})).await);
        fine(key.get(members).await);
    }
}
