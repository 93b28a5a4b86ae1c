//! H02 by what reaches further than one organization's own settings, or is seen only at the next sign-in: what names people at
//! their provider, a role that every organization has, the project's half of the policy; and what the trail says of who
//! insists (S1-R24, S1-A2, S3-30).

use behalf::manage::house_file::Mode;
use behalf::protocol::saml::names::name_id;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says;
use crate::house::lying_saml_idp;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn locked(answer: &Answer, missing: &str) {
    let told = (answer.status.as_u16(), &answer.json()["code"], &answer.json()["missing"]);
    assert_eq!(told, (409, &json!("policy_locks_out"), &json!([missing])), "{}", answer.body);
}

async fn locks_out(house: &House, api: &Api, path: &str, body: Value, missing: &str) -> Answer {
    let before = house.before().await;
    let answer = api.write(Method::PATCH, path, body).await;
    locked(&answer, missing);
    house.refused(&before, "policy_locks_out").await;
    answer
}

#[tokio::test]
async fn h02_s1_r24_no_mapping_goes_live_under_which_the_same_provider_calls_no_owner_what_it_called_them() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let says = lying_saml_idp::Says::that("bob@b.test");
        ask.redeems(&bob.signs_in_by(&house, "cb", &ask, &says).await).await;

        let told = "organization org-b: no owner can sign in any more (missing: owner_by_current_subject)";
        for (keys, is_told) in [
            // What came was of this format.
            ("name_id_format = \"persistent\"", false),
            ("name_id_format = \"email_address\"", true),
            ("subject_attribute = \"uid\"", true),
        ] {
            let start = "[connection.cb]\n";
            let file = house.file.replace(start, &format!("{start}{keys}\n"));
            let warnings = house.reports(&file, Mode::Plan).await.warnings;
            assert_eq!(warnings.iter().any(|line| line == told), is_told, "{keys}: {warnings:?}");
        }

        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}", house.connection("cb").await);
        let activate = format!("{path}/activate");
        let drafted = operator.patch(&path, json!({"subject_attribute": "uid"})).await;
        assert_eq!(drafted.status, 200, "{}", drafted.body);
        // So long ago that nothing needs to be tried.
        house.execute("UPDATE identities SET last_login_at = 1").await;
        let before = house.before().await;
        locked(&operator.post(&activate, json!({})).await, "owner_by_current_subject");
        house.refused(&before, "policy_locks_out").await;
        let live = operator.post(&activate, json!({"force": true})).await;
        assert_eq!(live.status, 200, "{}", live.body);
        assert_eq!(house.events_of("organization.owners_locked_out").await, 1);
        // What brings them back is nothing to insist on.
        let back = operator.post(&format!("{path}/rollback"), json!({})).await;
        assert_eq!(back.status, 200, "{}", back.body);
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        ask.redeems(&bob.signs_in_by(&house, "cb", &ask, &says).await).await;
        assert_eq!(house.count("users").await, 1);
    }
}

#[tokio::test]
async fn h02_s1_r25_no_owner_is_called_by_another_name_while_nobody_else_who_owns_it_comes_in() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let (format, other) = (name_id::PERSISTENT, name_id::UNSPECIFIED);
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let says = lying_saml_idp::Says::that("bob@b.test").named("bob", format);
        ask.redeems(&bob.signs_in_by(&house, "cb", &ask, &says).await).await;
        let operator = Api::operator(&house).await;
        let (path, user) =
            (format!("/connections/{}/relink", house.connection("cb").await), house.user("bob@b.test").await);
        let person = format!("{path}/people/{user}");
        let identity = operator.get(&person).await.json()["names"][0]["identity_id"].clone();
        let renamed = json!({"identity_id": identity, "subject": "another", "format": format});
        let of_kind = json!({"from": {"format": format}, "to": {"format": other}, "identities": 1});
        let known = "SELECT subject || naming FROM identities";
        let was = house.text(known).await;
        for (path, body) in [(&person, &renamed), (&format!("{path}/names"), &of_kind)] {
            let before = house.before().await;
            locked(&operator.post(path, body.clone()).await, "owner_by_current_subject");
            house.refused(&before, "policy_locks_out").await;
            assert_eq!(house.text(known).await, was);
        }
        // With another one who has come in there is nothing to insist on.
        let (ask, mut bea) = (Application::rp1(&house).asks(), Person::new("bea@b.test"));
        let says = lying_saml_idp::Says::that("bea@b.test").named("bea", other);
        ask.redeems(&bea.signs_in_by(&house, "cb", &ask, &says).await).await;
        let members = format!("/organizations/org-b/members/{}/role", house.user("bea@b.test").await);
        let made = operator.patch(&members, json!({"role": "owner"})).await;
        assert_eq!(made.status, 200, "{}", made.body);
        let relinked = operator.post(&person, renamed).await;
        assert_eq!(relinked.status, 200, "{}", relinked.body);
        // From then on hers is the last one, until he has come by the new name.
        let shut = format!("/organizations/org-b/members/{}", house.user("bea@b.test").await);
        let before = house.before().await;
        let gone = async || operator.send(Method::DELETE, &shut, |ask| ask).await;
        locked(&gone().await, "owner_by_current_subject");
        house.refused(&before, "policy_locks_out").await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let says = lying_saml_idp::Says::that("bob@b.test").named("another", format);
        ask.redeems(&bob.signs_in_by(&house, "cb", &ask, &says).await).await;
        assert_eq!(gone().await.status, 204);
    }
}

#[tokio::test]
async fn h02_s3_30_the_project_shuts_no_way_by_which_alone_the_owners_of_an_organization_come() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let off = json!({"log_in_with_oidc": false});
        // Nobody has come by it.
        let saml = operator.patch("/project/policy", json!({"log_in_with_saml": false})).await;
        assert_eq!(saml.status, 200, "{}", saml.body);
        Api::person(&house, "ann@a.test", "org-a").await;
        let missing = "owner_by_open_method";
        let refused = locks_out(&house, &operator, "/project/policy", off.clone(), missing).await;
        assert_eq!(refused.json()["organization"], "org-a");
        let before = house.before().await;
        locked(&operator.put("/project/policy", off.clone()).await, missing);
        house.refused(&before, "policy_locks_out").await;

        let file = house.file.replacen(
            "[organization.org-a]",
            "[project.policy]\nlog_in_with_oidc = false\n\n[organization.org-a]",
            1,
        );
        let told = ["organization org-a: no owner can sign in any more (missing: owner_by_open_method)"];
        assert_eq!(house.reports(&file, Mode::Plan).await.warnings, told);

        let forced = operator.patch("/project/policy?force=true", off).await;
        assert_eq!(forced.status, 200, "{}", forced.body);
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == "organization.owners_locked_out").unwrap();
        assert_eq!(event.detail["missing"], json!([missing]));
    }
}

#[tokio::test]
async fn h02_s1_w6_the_project_does_not_do_without_organizations_whose_owners_could_not_turn_that_back() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let off = json!({"organizations": "off"});
        Api::person(&house, "ann@a.test", "org-a").await;
        let missing = "organizations_of_the_project";
        let refused = locks_out(&house, &operator, "/project/policy", off.clone(), missing).await;
        assert_eq!(refused.json()["organization"], "org-a");
        assert_eq!(refused.json()["left"], json!([]), "{}", refused.body);
        let slug = "slug = \"default\"\n";
        let file = house.file.replacen(slug, &format!("{slug}organizations = \"off\"\n"), 1);
        let told = format!("organization org-a: no owner can sign in any more (missing: {missing})");
        assert_eq!(house.reports(&file, Mode::Plan).await.warnings, [told]);
        let forced = operator.patch("/project/policy?force=true", off).await;
        assert_eq!(forced.status, 200, "{}", forced.body);
        // What brings them back is nothing to insist on.
        let back = operator.patch("/project/policy", json!({"organizations": "optional"})).await;
        assert_eq!(back.status, 200, "{}", back.body);
    }
}

#[tokio::test]
async fn h02_s1_p7_no_role_that_every_organization_has_locks_the_owners_of_one_out() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let role = json!({"name": "helper", "permissions": ["tickets:answer"]});
        let role = operator.post("/roles", role).await.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/roles/{role}");
        house.idp_a.says(Says::truth().claim("groups", "[\"desk\"]"));
        Api::person(&house, "ann@a.test", "org-a").await;
        let rule = json!({
            "connection_id": house.connection("ca").await, "claim": "groups", "operator": "contains", "value": "others",
            "role": "helper",
        });
        let made = operator.post("/organizations/org-a/role-rules", rule).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let wanted =
            operator.patch("/organizations/org-a/policy", json!({"mfa_required_for": ["helper"]})).await;
        assert_eq!(wanted.status, 200, "{}", wanted.body);
        let more = json!({"permissions": ["tickets:answer", "members:write"]});
        assert_eq!(operator.patch(&path, more).await.status, 200);
        // It waits for an owner's approval, which it needs no more when the role lets nobody change anything.
        house.execute("UPDATE role_rules SET value = 'desk', approved_by = NULL").await;
        let dull = json!({"permissions": ["tickets:answer"]});
        let refused = locks_out(&house, &operator, &path, dull.clone(), "owner_with_second_factor").await;
        assert_eq!(refused.json()["organization"], "org-a");
        let forced = operator.patch(&format!("{path}?force=true"), dull).await;
        assert_eq!(forced.status, 200, "{}", forced.body);
        assert_eq!(house.events_of("organization.owners_locked_out").await, 1);
    }
}

#[tokio::test]
async fn h02_s1_t1_the_trail_says_of_what_was_made_live_untried_that_somebody_insisted() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let path = format!("/connections/{}", house.connection("ca").await);
        let said = async || {
            let trail = house.audit().await;
            let all = trail.iter().filter(|event| event.action == "organization.connection.activated");
            all.map(|event| event.detail["forced_without"].clone()).collect::<Vec<_>>()
        };
        let known = said().await;
        assert!(known.iter().all(Value::is_null), "{known:?}");
        assert_eq!(
            ann.patch(&path, json!({"scopes": ["openid", "email", "profile", "groups"]})).await.status,
            200
        );
        let before = house.before().await;
        let untested = ann.post(&format!("{path}/activate"), json!({})).await;
        assert_eq!(untested.json()["code"], "untested", "{}", untested.body);
        house.refused(&before, "untested").await;
        let live = ann.post(&format!("{path}/activate"), json!({"force": true})).await;
        assert_eq!(live.status, 200, "{}", live.body);
        let told = said().await;
        assert_eq!(told.len(), known.len() + 1);
        assert!(told.contains(&json!(["test_missing"])), "{told:?}");
    }
}
