//! How an organization lets people sign in, set over the API and held at the door.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::told;
use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says;
use crate::house::trial::Link;
use crate::house::visitor::{Answer, Visitor};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const POLICY: &str = "/organizations/org-a/policy";

/// Where somebody who signs in for A with this address ends: with a code, or with what the application is told.
async fn comes(house: &House, email: &str) -> Result<(), String> {
    let ask = Application::rp1(house).asks().with("organization", "org-a").with("login_hint", email);
    let arrival = Person::new(email).follows(&ask).await;
    match arrival.told_application("code") {
        Some(_) => Ok(()),
        None => Err(arrival.told()),
    }
}

#[tokio::test]
async fn s1_w2_s3_30_a_policy_shows_both_halves_and_what_comes_of_them() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (operator, owner) =
            (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
        let read = owner.get(POLICY).await;
        assert_eq!(read.status, 200, "{}", read.body);
        let view = read.json();
        let on = json!({"configured": true, "project": true, "effective": true});
        let off = json!({"configured": false, "project": false, "effective": false});
        for name in ["google", "microsoft", "saml", "oidc"] {
            assert_eq!(view[format!("log_in_with_{name}")], on, "{name}");
        }
        for name in ["github", "email", "password", "authenticator_app", "passkey", "passkey_primary"] {
            assert_eq!(view[format!("log_in_with_{name}")], off, "{name}");
        }
        assert_eq!((&view["scim_enabled"], &view["enforcement"]), (&off, &json!("off")));
        let changed = owner.patch(POLICY, json!({"log_in_with_saml": false, "max_age": 3600})).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let of_saml = json!({"configured": false, "project": true, "effective": false});
        assert_eq!(
            (&changed.json()["log_in_with_saml"], &changed.json()["max_age"]),
            (&of_saml, &json!(3600))
        );
        assert_ne!(changed.header("etag"), read.header("etag"));
        let etag = read.header("etag").unwrap().to_owned();
        let stale = |ask: reqwest::RequestBuilder| {
            ask.header("if-match", etag).header("content-type", "application/json").body("{\"max_age\":null}")
        };
        let refused = owner.send(Method::PATCH, POLICY, stale).await;
        assert_eq!(told(&refused), (412, "precondition_failed".into()));
        let event = house.audit().await;
        let event = event.iter().find(|event| event.action == "organization.policy_changed").unwrap();
        assert_eq!(event.organization.as_deref(), Some(house.organization("org-a").await.as_str()));

        let project = operator.patch("/project/policy", json!({"log_in_with_google": false})).await;
        assert_eq!((project.status.as_u16(), &project.json()["log_in_with_google"]), (200, &json!(false)));
        let of_google = json!({"configured": true, "project": false, "effective": false});
        assert_eq!(owner.get(POLICY).await.json()["log_in_with_google"], of_google);
        // What is not said stays, `null` sets back.
        let back = owner.put(POLICY, json!({"log_in_with_saml": null})).await.json();
        assert_eq!((&back["log_in_with_saml"], &back["max_age"]), (&on, &json!(3600)));
        // The file has no words for it, and takes nothing away.
        owner.patch(POLICY, json!({"log_in_with_saml": false, "max_age": null})).await;
        house.provision(&house.file.clone()).await;
        assert_eq!(owner.get(POLICY).await.json()["log_in_with_saml"]["configured"], json!(false));
    }
}

#[tokio::test]
async fn s3_21_s3_22_s3_24_s3_25_s3_28_s3_29_what_there_is_not_is_not_switched_on() {
    let house = House::opens().await;
    let (operator, owner) = (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
    for name in [
        "log_in_with_github",
        "log_in_with_email",
        "log_in_with_password",
        "log_in_with_authenticator_app",
        "log_in_with_passkey",
        "log_in_with_passkey_primary",
        "scim_enabled",
    ] {
        for (api, path) in [(&owner, POLICY), (&operator, POLICY), (&operator, "/project/policy")] {
            let before = house.before().await;
            let refused = api.patch(path, json!({ name: true })).await;
            assert_eq!(told(&refused), (409, "method_not_available".into()), "{name}");
            assert_eq!(refused.json()["errors"][0]["pointer"], json!(format!("/{name}")));
            house.refused(&before, "method_not_available").await;
            assert_eq!(api.patch(path, json!({ name: false })).await.status, 200, "it is off already");
        }
    }
}

#[tokio::test]
async fn s3_27_s3_29_what_contradicts_itself_or_names_nothing_is_refused() {
    let house = House::opens().await;
    let owner = Api::person(&house, "ann@a.test", "org-a").await;
    let all_off = json!({
        "require_mfa": true, "log_in_with_google": false, "log_in_with_microsoft": false,
        "log_in_with_saml": false, "log_in_with_oidc": false,
    });
    for (body, status, code) in [
        (all_off, 400, "mfa_impossible"),
        (json!({"mfa_required_for": ["no-such"]}), 422, "role_unknown"),
        (json!({"max_age": 59}), 422, "invalid_value"),
        (json!({"google_hosted_domains": ["not a domain"]}), 422, "invalid_value"),
        (json!({"microsoft_tenant_ids": ["common"]}), 422, "invalid_value"),
        (json!({"delegations": {"only": ["dlg_00000000000000000000000007"]}}), 422, "invalid_value"),
        (json!({"delegations": {"only": ["nonsense"]}}), 422, "invalid_value"),
        (json!({"delegations": "some"}), 400, "invalid_body"),
        (json!({"enforcement": "maybe"}), 400, "invalid_body"),
        (json!({"require_MFA": true}), 400, "unknown_field"),
    ] {
        let before = house.before().await;
        let refused = owner.patch(POLICY, body.clone()).await;
        assert_eq!(told(&refused), (status, code.into()), "{body}");
        house.refused(&before, code).await;
    }
    for api in
        [Api::key(&house, "org-a", &["policy:read"]).await, Api::person(&house, "con@a.test", "org-a").await]
    {
        assert_eq!(told(&api.patch(POLICY, json!({})).await), (403, "permission_missing".into()));
    }
    let put = owner.put("/organizations/org-a/policy?force=true", json!({"enforcement": "required"})).await;
    assert_eq!(told(&put), (403, "operator_required".into()));
}

#[tokio::test]
async fn s1_t1_enforcement_waits_for_what_keeps_people_from_being_locked_out() {
    let house = House::opens().await;
    let (operator, owner) = (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
    let required = json!({"enforcement": "required"});
    let missing = |answer: &Answer| -> Vec<String> {
        let list = answer.json()["missing"].as_array().unwrap().clone();
        list.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let before = house.before().await;
    let refused = owner.patch(POLICY, required.clone()).await;
    assert_eq!(told(&refused), (409, "enforcement_not_ready".into()));
    assert_eq!(missing(&refused), ["second_owner_missing", "test_missing", "break_glass_missing"]);
    let waits = refused.json()["errors"][2]["detail"].as_str().unwrap().to_owned();
    assert!(waits.contains("break_glass_missing: ") && waits.contains("which is not here yet"), "{waits}");
    house.refused(&before, "enforcement_not_ready").await;
    let refused = operator.patch("/organizations/org-c/policy", required.clone()).await;
    assert_eq!(missing(&refused)[..2], ["connection_not_active", "domain_not_verified"]);
    house.execute("UPDATE domains SET routing_since = NULL WHERE name = 'a.test'").await;
    assert_eq!(missing(&owner.patch(POLICY, required.clone()).await)[0], "domain_not_verified");
    // The operator's word goes, and the trail says what it went over.
    let forced = operator.patch("/organizations/org-a/policy?force=true", required).await;
    assert_eq!((forced.status.as_u16(), &forced.json()["enforcement"]), (200, &json!("required")));
    let trail = house.audit().await;
    let event = trail.iter().find(|event| event.action == "organization.policy_changed").unwrap();
    assert!(event.detail["forced_without"].as_array().unwrap().contains(&json!("second_owner_missing")));
    assert_eq!(operator.patch(POLICY, json!({"enforcement": "off"})).await.status, 200);
}

#[tokio::test]
async fn s1_t1_s1_t2_s1_p8_each_thing_that_is_seen_to_is_missing_no_more() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let required = json!({"enforcement": "required"});
        let missing = async || {
            let before = house.before().await;
            let refused = owner.patch(POLICY, required.clone()).await;
            assert_eq!(told(&refused), (409, "enforcement_not_ready".into()), "{}", refused.body);
            house.refused(&before, "enforcement_not_ready").await;
            let list = refused.json()["missing"].as_array().unwrap().clone();
            list.iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(missing().await, ["second_owner_missing", "test_missing", "break_glass_missing"]);
        let second = house.has_member("ada@a.test", "org-a", &["owner"]).await;
        assert_eq!(missing().await, ["test_missing", "break_glass_missing"]);
        // Her own trial shows nothing: she may be set up by hand at the provider.
        let tries = async |subject: &str, email: &str| {
            let link = Link::to(&owner, &house, "ca").await;
            house.idp_a.says(Says::that(subject, email));
            Visitor::arrives().tries(&link).await;
        };
        tries("sub-ann@a.test", "ann@a.test").await;
        tries("sub-eve", "eve@b.test").await;
        assert_eq!(missing().await, ["test_missing", "break_glass_missing"]);
        tries("sub-con@a.test", "con@a.test").await;
        assert_eq!(missing().await, ["break_glass_missing"]);
        // A way in that has never been walked, or has no second factor, is none.
        let a = house.organization("org-a").await;
        let sql = format!(
            "INSERT INTO break_glass (organization_id, user_id, created_at) VALUES ('{a}', '{second}', 1)"
        );
        house.execute(&sql).await;
        assert_eq!(missing().await, ["break_glass_missing"]);
        let now = house.clock.now().millis();
        let day = 86_400_000;
        house.execute(&format!("UPDATE break_glass SET last_used_at = {now}")).await;
        assert_eq!(missing().await, ["break_glass_missing"]);
        house
            .execute(&format!(
                "UPDATE break_glass SET factor_verified_at = 1, last_used_at = {}",
                now - 91 * day
            ))
            .await;
        assert_eq!(missing().await, ["break_glass_missing"]);
        house.execute(&format!("UPDATE break_glass SET last_used_at = {}", now - 89 * day)).await;
        // Of whom could let the others in again.
        let is = async |role: &str| {
            let of = format!("membership_id = (SELECT id FROM memberships WHERE user_id = '{second}')");
            assert_eq!(
                house.execute(&format!("UPDATE membership_roles SET role = '{role}' WHERE {of}")).await,
                1
            );
        };
        is("member").await;
        assert_eq!(missing().await, ["second_owner_missing", "break_glass_missing"]);
        is("admin").await;
        assert_eq!(missing().await, ["second_owner_missing"]);
        is("owner").await;
        // Each of the others counts as it is now.
        house.execute(&format!("UPDATE connection_tests SET ended_at = {}", now - 8 * day)).await;
        assert_eq!(missing().await, ["test_missing"]);
        house.execute(&format!("UPDATE connection_tests SET ended_at = {now}, version = version - 1")).await;
        assert_eq!(missing().await, ["test_missing"], "of another version");
        house.execute("UPDATE connection_tests SET version = version + 1").await;
        house
            .execute(
                "INSERT INTO connection_runs (connection_id, version, failures, failing_since)
                 SELECT id, version, 5, 1 FROM connections WHERE slug = 'ca'
                 ON CONFLICT (connection_id, version) DO UPDATE SET failures = 5",
            )
            .await;
        assert_eq!(missing().await, ["health_failing"]);
        house.execute("UPDATE connection_runs SET failures = 0").await;
        house.execute("UPDATE domains SET routing_since = NULL WHERE name = 'a.test'").await;
        assert_eq!(missing().await, ["domain_not_verified"], "the trial of any of them shows something");
        house.execute("UPDATE domains SET routing_since = 1, state = 'lapsed' WHERE name = 'a.test'").await;
        assert_eq!(missing().await, ["domain_not_verified"]);
        house.execute("UPDATE domains SET state = 'verified' WHERE name = 'a.test'").await;
        let done = owner.patch(POLICY, required.clone()).await;
        assert_eq!((done.status.as_u16(), &done.json()["enforcement"]), (200, &json!("required")));
    }
}

#[tokio::test]
async fn m17_who_switches_enforcement_on_has_just_proved_who_they_are() {
    let house = House::opens().await;
    let owner = Api::person(&house, "ann@a.test", "org-a").await;
    // As if the sign-in had been longer ago than the token.
    house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 901000").await;
    let before = house.before().await;
    let refused = owner.patch(POLICY, json!({"enforcement": "required"})).await;
    assert_eq!(told(&refused), (403, "reauthentication_required".into()));
    house.refused(&before, "reauthentication_required").await;
}

#[tokio::test]
async fn s3_23_s3_29_s3_36_a_method_that_is_off_lets_nobody_in_and_ends_what_it_let_in() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let token = access_token(&house, "ann@a.test", "org-a").await;
        let owner = Api::with(&house, Some(token)).await;
        assert_eq!(owner.get("/organizations/org-a").await.status, 200);
        for (path, body) in [
            ("/organizations/org-a/policy?force=true", json!({"log_in_with_oidc": false})),
            ("/project/policy?force=true", json!({"log_in_with_oidc": false})),
        ] {
            assert_eq!(operator.patch(path, body).await.status, 200);
            assert_eq!(owner.get("/organizations/org-a").await.status, 401, "what came by it is over");
            comes(&house, "ann@a.test").await.unwrap_err();
            let grants = house.count("grants").await;
            comes(&house, "con@a.test").await.unwrap_err();
            assert_eq!(house.count("grants").await, grants);
            assert_eq!(operator.patch(path, json!({"log_in_with_oidc": null})).await.status, 200);
            comes(&house, "ann@a.test").await.unwrap();
        }
    }
}

#[tokio::test]
async fn s3_23_saml_connections_are_usable_only_where_saml_is_on() {
    let house = Plan::saml().build().await;
    let operator = Api::operator(&house).await;
    let route = async |on: Value| {
        let patched = operator.patch("/organizations/org-b/policy", json!({"log_in_with_saml": on})).await;
        assert_eq!(patched.status, 200, "{}", patched.body);
        let ask = Application::rp1(&house).asks().with("login_hint", "bob@b.test");
        Person::new("bob@b.test").browser.get(&ask.url()).await
    };
    // Somebody of that domain is led nowhere, and asked again.
    let off = route(json!(false)).await;
    assert!(off.location().is_none_or(|to| to.as_str().starts_with(&house.url)), "{off:?}");
    let on = route(Value::Null).await;
    assert_ne!((on.status, on.location()), (off.status, off.location()));
}

#[tokio::test]
async fn s3_19_s3_20_s3_32_google_and_microsoft_are_pinned_by_what_their_tokens_say() {
    for (preset, switch, pins, wanted, fact) in [
        ("google", "log_in_with_google", "google_hosted_domains", "a.test", "hosted_domain"),
        (
            "entra",
            "log_in_with_microsoft",
            "microsoft_tenant_ids",
            "72f988bf-86f1-41af-91ab-2d7cd011db47",
            "tenant",
        ),
    ] {
        let house = House::opens().await;
        let operator = Api::operator(&house).await;
        let token = access_token(&house, "ann@a.test", "org-a").await;
        let ann = Api::with(&house, Some(token)).await;
        // As if she had come by the project's own Google, whose token said so.
        let of_project = format!(
            "UPDATE connections SET organization_id = NULL,
             settings = REPLACE(settings, '\"preset\":\"generic\"', '\"preset\":\"{preset}\"') WHERE slug = 'ca'"
        );
        assert_eq!(house.execute(&of_project).await, 1);
        let id = house.connection("ca").await;
        let settings = "UPDATE applications SET settings =
             REPLACE(settings, '\"connections\":[]', '\"connections\":[\"ID\"]') WHERE client_id = 'rp1'";
        assert_eq!(house.execute(&settings.replace("ID", &id)).await, 1);
        assert_eq!(ann.get("/me").await.status, 200);
        let says = async |value: &str| {
            let sql = format!("UPDATE identities SET facts = '{{\"{fact}\":\"{value}\"}}'");
            house.execute(&sql).await;
            ann.get("/me").await.status.as_u16()
        };
        let forced =
            operator.patch(&format!("{POLICY}?force=true"), json!({ pins: [wanted.to_uppercase()] })).await;
        assert_eq!(forced.status, 200, "{}", forced.body);
        assert_eq!(ann.get("/me").await.status, 401, "{preset}: nothing was said");
        assert_eq!(says("other.test").await, 401);
        assert_eq!(says(wanted).await, 200);
        // The button goes with the switch, and so does what came by it.
        let button = async || {
            let ask = Application::rp1(&house).asks().with("organization", "org-a");
            Person::new("ann@a.test").browser.get(&ask.url()).await
        };
        let shown = button().await;
        let mut person = Person::new("ann@a.test");
        let page = if shown.location().is_some() { person.browser.follow(&shown).await } else { shown };
        assert!(page.body.contains("A Login"), "{}", page.body);
        let forced = operator.patch(&format!("{POLICY}?force=true"), json!({ switch: false })).await;
        assert_eq!(forced.status, 200, "{}", forced.body);
        assert_eq!(ann.get("/me").await.status, 401);
        let gone = button().await;
        assert!(!gone.body.contains("A Login"), "{}", gone.body);
    }
}

#[tokio::test]
async fn s3_26_s1_a2_who_administers_needs_a_second_factor_where_that_is_wanted() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let owner = Api::with(&house, Some(access_token(&house, "ann@a.test", "org-a").await)).await;
    let member = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
    let patched = operator
        .patch(&format!("{POLICY}?force=true"), json!({"mfa_required_for": ["owner", "admin"]}))
        .await;
    assert_eq!(patched.json()["mfa_required_for"], json!(["owner", "admin"]), "{}", patched.body);
    assert_eq!(owner.get("/me").await.status, 401, "she has shown one factor");
    assert_eq!(member.get("/me").await.status, 200);
    house.execute("UPDATE sessions SET acr = 'urn:behalf:acr:2fa', amr = '[\"mfa\"]'").await;
    assert_eq!(owner.get("/me").await.status, 200);
    house.execute("UPDATE sessions SET acr = 'urn:behalf:acr:1fa', amr = '[]'").await;
    assert_eq!(operator.patch(POLICY, json!({"require_mfa": true})).await.status, 200);
    assert_eq!(member.get("/me").await.status, 401, "S3-26: existing sessions, too");
}

#[tokio::test]
async fn s1_w6_a_project_may_be_without_organizations_or_never_without() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let set = async |value: &str| {
        let body = json!({ "organizations": value });
        // Without organizations nobody owns one any more: the operator says so twice.
        let set = operator.patch("/project/policy?force=true", body).await;
        assert_eq!(set.json()["organizations"], json!(value), "{}", set.body);
    };
    let rp1 = Application::rp1(&house);
    let tokens = async || {
        let ask = rp1.asks().with("login_hint", "ann@a.test");
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        ask.redeems(&arrival).await
    };
    assert_eq!(tokens().await.id["org_name"], json!("org-a"));
    set("off").await;
    let personal = tokens().await;
    assert!(personal.id.get("org_id").is_none() && personal.id.get("organizations").is_none());
    assert!(personal.id.get("roles").is_none(), "S1-W5: who acts for none holds no role");
    assert_eq!(rp1.userinfo(&personal.access_token).await.status, 200);
    set("required").await;
    assert_eq!(rp1.userinfo(&personal.access_token).await.status, 401, "nobody goes on without one");
    assert_eq!(tokens().await.id["org_name"], json!("org-a"));
}

#[tokio::test]
async fn s3_29_keys_that_are_switched_off_are_told_so_and_kept() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let key = Api::key(&house, "org-a", &["organization:read"]).await;
    operator.patch(POLICY, json!({"api_keys_enabled": false})).await;
    assert_eq!(told(&key.get("/organizations").await), (403, "api_keys_disabled".into()));
    operator.patch(POLICY, json!({"api_keys_enabled": true})).await;
    assert_eq!(key.get("/organizations").await.status, 200);
}

#[tokio::test]
async fn h05_which_delegations_count_is_said_by_who_may_make_them() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let path = "/organizations/org-b/policy";
        let writer = Api::key(&house, "org-b", &["policy:read", "policy:write"]).await;
        let both = Api::key(
            &house,
            "org-b",
            &["policy:read", "policy:write", "delegations:write", "organization:read"],
        )
        .await;
        for (said, other) in [("approved", "none"), ("none", "approved")] {
            assert_eq!(writer.get(path).await.json()["delegations"], json!(said));
            for method in [Method::PATCH, Method::PUT] {
                let before = house.before().await;
                let body = json!({"delegations": other, "max_age": 3600});
                let refused = writer.write(method, path, body).await;
                assert_eq!(told(&refused), (403, "permission_missing".into()));
                house.refused(&before, "permission_missing").await;
            }
            // What is so already is nobody's word.
            let same = writer.patch(path, json!({"delegations": said, "device_sign_in": false})).await;
            assert_eq!(same.status, 200, "{}", same.body);
            let changed = both.patch(path, json!({"delegations": other})).await;
            assert_eq!(changed.json()["delegations"], json!(other), "{}", changed.body);
        }
    }
}
