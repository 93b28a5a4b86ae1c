//! C18: invitations are forged, taken by somebody else, or give more than whoever invited may still give. H05: who was
//! removed comes back by an old one.

use behalf::foundation::email::Email;
use behalf::model::membership::MembershipKind;
use behalf::store::durable::memberships::{self, Expected};
use reqwest::Method;
use serde_json::json;

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House};
use crate::house::lying_idp::Says;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const PATH: &str = "/organizations/org-a/invitations";

async fn invites(api: &Api, email: &str, role: &str) -> String {
    let made = api.post(PATH, json!({"email": email, "role": role, "send": false})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["token"].as_str().unwrap().to_owned()
}

async fn accepts(api: &Api, token: &str) -> Answer {
    api.send(Method::POST, &format!("/invitations/{token}/accept"), |request| request).await
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn c18_an_altered_token_is_unknown_and_leaves_no_trace_of_itself() {
    let house = House::opens().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let bob = Api::person(&house, "bob@b.test", "org-b").await;
    let token = invites(&ann, "bob@b.test", "member").await;
    for place in [0, 1, 20, 42] {
        let mut altered = token.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        let before = house.before().await;
        assert_eq!(accepts(&bob, &altered).await.status, 404);
        house.refused(&before, "not_found").await;
        let told = format!("SELECT CAST(COUNT(*) AS TEXT) FROM audit_events WHERE detail LIKE '%{altered}%'");
        assert_eq!(house.text(&told).await.as_deref(), Some("0"), "no token stands in the trail");
    }
    for strange in [&token[..42], &format!("{token}A"), "%00", "x"] {
        assert_eq!(accepts(&bob, strange).await.status, 404, "{strange}");
    }
    assert_eq!(accepts(&bob, &token).await.status, 200);
}

#[tokio::test]
async fn c18_c25_only_the_proved_address_accepts_and_trying_uses_nothing_up() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        let token = invites(&ann, "bob@b.test", "member").await;
        let plus = invites(&ann, "bob+x@b.test", "member").await;
        let dotted = invites(&ann, "b.ob@b.test", "member").await;
        for (api, token) in [(&con, &token), (&bob, &plus), (&bob, &dotted)] {
            let before = house.before().await;
            let refused = accepts(api, token).await;
            assert_eq!((refused.status.as_u16(), &*code(&refused)), (403, "wrong_account"));
            house.refused(&before, "wrong_account").await;
        }
        for api in [Api::operator(&house).await, Api::key(&house, "org-b", &["members:write"]).await] {
            assert_eq!(code(&accepts(&api, &token).await), "person_required");
        }
        // What nobody vouches for is no proof.
        house.execute("UPDATE users SET email_verified_at = NULL WHERE email = 'bob@b.test'").await;
        assert_eq!(code(&accepts(&bob, &token).await), "wrong_account");
        house.execute("UPDATE users SET email_verified_at = 1 WHERE email = 'bob@b.test'").await;
        // Nor is what an earlier holder of the domain vouched for.
        house.execute("UPDATE domains SET state = 'lapsed' WHERE name = 'b.test'").await;
        assert_eq!(code(&accepts(&bob, &token).await), "wrong_account");
        house.execute("UPDATE domains SET state = 'verified' WHERE name = 'b.test'").await;
        house.execute("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-a'").await;
        assert_eq!(code(&accepts(&bob, &token).await), "gone", "the organization is not active");
        house.execute("UPDATE organizations SET deactivated_at = NULL").await;
        assert_eq!(accepts(&bob, &token).await.status, 200);
    }
}

#[tokio::test]
async fn c18_h01_an_invitation_gives_what_its_writer_may_give_when_it_is_accepted() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        let operator = Api::operator(&house).await;
        let anns = house.user("ann@a.test").await;
        house.has_member("own@c.test", "org-a", &["owner"]).await;
        let token = invites(&ann, "bob@b.test", "owner").await;
        for change in [json!({"role": "admin"}), json!({"role": "member"})] {
            // The other owner has never come by anything.
            let path = format!("/organizations/org-a/members/{anns}/role?force=true");
            assert_eq!(operator.patch(&path, change).await.status, 200);
            let before = house.before().await;
            let refused = accepts(&bob, &token).await;
            assert_eq!((refused.status.as_u16(), &*code(&refused)), (403, "inviter_lost_rights"));
            house.refused(&before, "inviter_lost_rights").await;
        }
        let path = format!("/organizations/org-a/members/{anns}");
        operator.patch(&format!("{path}/role"), json!({"role": "owner"})).await;
        let path = format!("{path}?force=true");
        assert_eq!(operator.send(Method::DELETE, &path, |request| request).await.status, 204);
        assert_eq!(code(&accepts(&bob, &token).await), "inviter_lost_rights");
        let key = Api::key(&house, "org-a", &["invitations:write", "organization:read"]).await;
        let body = json!({"invitations": [{"email": "x@c.test", "role": "admin", "send": false}]});
        let rows = key.post(&format!("{PATH}/bulk"), body).await.json();
        assert_eq!(rows["results"][0]["code"], json!("role_ceiling"));
        house.execute("UPDATE invitations SET revoked_at = 1, pending = NULL").await;
        let token = invites(&key, "bob@b.test", "member").await;
        house.execute("UPDATE api_keys SET revoked_at = 1 WHERE organization_id IS NOT NULL").await;
        assert_eq!(code(&accepts(&bob, &token).await), "inviter_lost_rights");
    }
}

#[tokio::test]
async fn h01_an_administrator_renews_no_invitation_above_their_own() {
    let house = House::opens().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let key = Api::key(&house, "org-a", &["invitations:write", "organization:read"]).await;
    let made = ann.post(PATH, json!({"email": "x@c.test", "role": "owner", "send": false})).await.json();
    let before = house.before().await;
    let path = format!("{PATH}/{}/resend", made["invitation"]["id"].as_str().unwrap());
    assert_eq!(code(&key.post(&path, json!({"send": false})).await), "role_ceiling");
    house.refused(&before, "role_ceiling").await;
    for roles in [json!(["owner"]), json!(["member", "owner"]), json!(["Owner"]), json!(["unknown"])] {
        let body = json!({"email": "y@c.test", "roles": roles, "send": false});
        let refused = code(&key.post(PATH, body).await);
        assert!(["role_ceiling", "role_unknown"].contains(&&*refused), "{roles}: {refused}");
    }
    house.unchanged(&before).await;
}

#[tokio::test]
async fn h05_who_was_removed_comes_back_by_a_later_invitation_and_by_no_earlier_one() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        let bobs = house.user("bob@b.test").await.parse().unwrap();
        let early = invites(&ann, "bob@b.test", "admin").await;
        house.turn_clock(1);
        house.joins(bobs, "org-a", &["member"]).await;
        let path = format!("/organizations/org-a/members/{bobs}");
        assert_eq!(ann.send(Method::DELETE, &path, |request| request).await.status, 204);
        let before = house.before().await;
        assert_eq!(code(&accepts(&bob, &early).await), "membership_blocked");
        house.refused(&before, "membership_blocked").await;
        house.execute("UPDATE invitations SET revoked_at = 1, pending = NULL").await;
        house.turn_clock(1);
        let late = invites(&ann, "bob@b.test", "member").await;
        assert_eq!(accepts(&bob, &late).await.status, 200);
        let back = ann.get(&path).await.json();
        assert_eq!((&back["status"], &back["roles"]), (&json!("active"), &json!(["member"])));
        ann.patch(&path, json!({"status": "blocked"})).await;
        let none = invites_or_not(&ann).await;
        assert_eq!(none, "already_member", "who is blocked is not invited");
    }
}

async fn invites_or_not(api: &Api) -> String {
    code(&api.post(PATH, json!({"email": "bob@b.test", "role": "member", "send": false})).await)
}

#[tokio::test]
async fn c18_what_an_inviter_may_by_a_rule_counts_for_as_long_as_the_rule_and_the_word_stand() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let connection = house.connection("ca").await;
        let rule = json!({
            "connection_id": connection, "claim": "groups", "operator": "contains", "value": "it", "role": "admin",
        });
        let rules = "/organizations/org-a/role-rules";
        let made = operator.post(rules, rule.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let path = format!("{rules}/{}", made.json()["id"].as_str().unwrap());
        house.idp_a.says(Says::truth().claim("groups", "[\"it\"]"));
        let dan = Api::person(&house, "dan@a.test", "org-a").await;
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        let token = invites(&dan, "bob@b.test", "admin").await;

        assert_eq!(operator.send(Method::DELETE, &path, |ask| ask).await.status, 204);
        let before = house.before().await;
        assert_eq!(code(&accepts(&bob, &token).await), "inviter_lost_rights");
        house.refused(&before, "inviter_lost_rights").await;
        assert_eq!(operator.post(rules, rule.clone()).await.status, 201);
        house.execute("UPDATE connections SET state = 'disabled' WHERE slug = 'ca'").await;
        assert_eq!(code(&accepts(&bob, &token).await), "inviter_lost_rights");
        house.execute("UPDATE connections SET state = 'active'").await;
        // Their provider says it no more.
        house.idp_a.says(Says::truth());
        Api::person(&house, "dan@a.test", "org-a").await;
        assert_eq!(code(&accepts(&bob, &token).await), "inviter_lost_rights");
        house.idp_a.says(Says::truth().claim("groups", "[\"it\"]"));
        Api::person(&house, "dan@a.test", "org-a").await;
        assert_eq!(accepts(&bob, &token).await.status, 200);
    }
}

#[tokio::test]
async fn h05_s1_r09_an_invitation_of_before_gives_nobody_back_what_was_taken_from_them_since() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let token = invites(&ann, "new@a.test", "admin").await;
        house.turn_clock(1);
        let new = Api::person(&house, "new@a.test", "org-a").await;
        let role = format!("/organizations/org-a/members/{}/role", house.user("new@a.test").await);
        for name in ["admin", "member"] {
            house.turn_clock(1);
            let given = ann.patch(&role, json!({"role": name})).await;
            assert_eq!(given.status, 200, "{}", given.body);
        }
        let before = house.before().await;
        assert_eq!(code(&accepts(&new, &token).await), "already_member");
        house.refused(&before, "already_member").await;
    }
}

/// Nor does a place that was kept for them.
#[tokio::test]
async fn h05_s1_r09_a_place_of_before_gives_nobody_back_what_was_taken_from_them_since() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        Api::person(&house, "new@a.test", "org-a").await;
        Api::person(&house, "two@a.test", "org-a").await;
        let project = house.text("SELECT project_id FROM users LIMIT 1").await.unwrap().parse().unwrap();
        let organization_id = house.organization("org-a").await.parse().unwrap();
        for email in ["new@a.test", "two@a.test"] {
            let (email, roles, now) =
                (Email::parse(email).unwrap(), vec!["admin".to_owned()], house.broker.now());
            let place = Expected { organization_id, email, kind: MembershipKind::Home, roles, used_by: None };
            let kept =
                house.broker.db.write(async move |tx| memberships::expect(tx, project, &place, now).await);
            kept.await.unwrap();
        }
        house.turn_clock(1);
        let role = format!("/organizations/org-a/members/{}/role", house.user("new@a.test").await);
        for name in ["admin", "member"] {
            assert_eq!(ann.patch(&role, json!({"role": name})).await.status, 200);
        }
        for (email, roles) in [("new@a.test", "[\"member\"]"), ("two@a.test", "[\"admin\"]")] {
            Person::new(email)
                .follows(&Application::rp1(&house).asks().with("login_hint", email))
                .await
                .code();
            let held = format!("SELECT roles FROM memberships WHERE user_id = '{}'", house.user(email).await);
            assert_eq!(house.text(&held).await.as_deref(), Some(roles), "{email}");
        }
    }
}
