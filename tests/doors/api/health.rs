//! What somebody should see to, and how sign-ins end (S1-A1 to S1-A8).

use std::sync::Arc;
use std::time::Duration;

use behalf::chores;
use behalf::foundation::id::ConnectionId;
use behalf::model::connection::metadata::{Described, kept};
use behalf::model::connection::{MetadataSource, Upstream};
use behalf::protocol::jose::Algorithm;
use behalf::store::durable::engine::StoreError;
use behalf::store::durable::metadata_reads::{self, MetadataRead};
use behalf::store::durable::{connections, projects};
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Arrival, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::{Key, Says};
use crate::house::lying_saml_idp::{Says as SamlSays, Signer, posts_to};
use crate::house::visitor::Visitor;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

async fn check(api: &Api, organization: &str, id: &str) -> (String, String) {
    let read = api.get(&format!("/organizations/{organization}/health")).await;
    assert_eq!(read.status, 200, "{}", read.body);
    let checks = read.json()["checks"].as_array().unwrap().clone();
    assert_eq!(checks.len(), 8);
    let found = checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no check {id}"));
    let text = |name: &str| found[name].as_str().unwrap().to_owned();
    (text("status"), text("advice"))
}

async fn status(api: &Api, organization: &str, id: &str) -> String {
    check(api, organization, id).await.0
}

/// Somebody goes the whole way by the OpenID provider of A.
async fn comes(house: &House, says: Says) -> Arrival {
    house.idp_a.says(says);
    let ask = Application::rp1(house).asks().with("login_hint", "ann@a.test");
    Person::new("ann@a.test").follows(&ask).await
}

#[tokio::test]
async fn s1_a1_s3_07_one_administrator_is_too_few_unless_there_is_one_person() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let of_a = "two_administrators";
        assert_eq!(status(&operator, "org-a", of_a).await, "fail", "nobody has come yet");
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        assert_eq!(status(&owner, "org-a", of_a).await, "warn");
        operator.patch("/organizations/org-a", json!({"kind": "personal"})).await;
        assert_eq!(status(&owner, "org-a", of_a).await, "ok", "one person is all there is");
        operator.patch("/organizations/org-a", json!({"kind": "company"})).await;
        let second = house.has_member("ada@a.test", "org-a", &["admin"]).await;
        assert_eq!(status(&owner, "org-a", of_a).await, "ok");
        house.execute(&format!("UPDATE users SET disabled_at = 1 WHERE id = '{second}'")).await;
        assert_eq!(status(&owner, "org-a", of_a).await, "warn", "who cannot come administers nothing");
    }
}

#[tokio::test]
async fn s1_a7_h16_a_certificate_of_a_provider_that_ends_is_told_of_before_and_after() {
    let house = Plan::saml().build().await;
    let day = 86_400;
    for (days, word, advice) in
        [(0, "ok", "No provider has changed"), (3_630, "warn", "is valid until"), (30, "warn", "expired")]
    {
        house.turn_clock(days * day);
        let operator = Api::operator(&house).await;
        let (told, said) = check(&operator, "org-b", "upstream_review").await;
        assert_eq!(told, word, "{said}");
        assert!(said.contains(advice), "{said}");
        let connection = operator.get(&format!("/connections/{}", house.connection("cb").await)).await.json();
        let warnings = connection["idp"]["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), usize::from(word == "warn"), "{connection}");
        assert!(warnings.iter().all(|warning| warning.as_str().unwrap().contains(advice)), "{warnings:?}");
        let certificate = &connection["idp"]["certificates"][0];
        assert!(certificate["not_before"].is_string() && certificate["not_after"].is_string());
    }
}

#[tokio::test]
async fn s1_a7_h16_a_certificate_of_ours_that_was_brought_is_told_of_before_and_after_it_ends() {
    let house = Plan::saml().build().await;
    let operator = Api::operator(&house).await;
    let path = format!("/connections/{}", house.connection("cb").await);
    let own = Signer::new("own", house.clock.now());
    let brought = json!({"signing_key": own.pem(), "signing_certificate": own.certificate.base64()});
    assert!(operator.patch(&path, brought.clone()).await.status.is_success());
    let activated = operator.post(&format!("{path}/activate"), json!({"force": true})).await;
    assert!(activated.status.is_success(), "{}", activated.body);
    let ours = |connection: &Value| {
        let warnings = connection["idp"]["warnings"].as_array().unwrap();
        let ours =
            warnings.iter().filter_map(Value::as_str).find(|told| told.contains("our own certificate"));
        ours.map(str::to_owned)
    };
    for (days, word) in [(0, None), (3_630, Some("is valid until")), (30, Some("expired"))] {
        house.turn_clock(days * 86_400);
        let operator = Api::operator(&house).await;
        let told = ours(&operator.get(&path).await.json());
        assert_eq!(told.is_some(), word.is_some(), "{told:?}");
        assert!(word.is_none_or(|word| told.as_ref().is_some_and(|told| told.contains(word))), "{told:?}");
    }
    // What is brought and has ended already is told of before it is made live.
    let operator = Api::operator(&house).await;
    let mut again = brought;
    again["leeway"] = json!(30);
    let drafted = operator.patch(&path, again).await;
    assert!(drafted.status.is_success(), "{}", drafted.body);
    assert!(ours(&drafted.json()["draft"]).is_some_and(|told| told.contains("expired")));
}

#[tokio::test]
async fn s1_a7_h17_owners_are_told_before_the_metadata_of_a_provider_runs_out() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let operator = Api::operator(&house).await;
        let ask = Application::rp1(&house).asks();
        Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &SamlSays::that("bob@b.test")).await.code();
        // Read at an address that does not answer, a good while ago.
        let now = house.broker.now();
        let (read_at, until) = (now.minus(DAY * 90), now.plus(DAY * 20));
        let id: ConnectionId = house.connection("cb").await.parse().unwrap();
        let written = house.broker.db.write(async move |tx| {
            let project = projects::by_slug(tx, "default").await?.unwrap();
            let mut known = connections::by_id(tx, project.id, id).await?.unwrap();
            let Upstream::Saml(saml) = &mut known.settings.upstream else { panic!("it speaks SAML") };
            let source = MetadataSource::Address("https://127.0.0.1:9/metadata".parse().unwrap());
            let idp = saml.idp.clone();
            let described = Described {
                idp,
                signed: false,
                refused: None,
                digest: "x".into(),
                encryption: None,
                dropped: Vec::new(),
                valid_until: Some(until),
                ends: Some(until),
                next_read_at: now,
            };
            saml.metadata = Some(kept(&described, source, (None, None), None, read_at));
            connections::update(tx, &known).await?;
            let (connection_id, next_read_at, failures) = (id, now, 0);
            let turn = MetadataRead { connection_id, next_read_at, read_at, failures, failure: None };
            metadata_reads::put(tx, &turn).await
        });
        let written: Result<(), StoreError> = written.await;
        written.unwrap();
        for _ in 0..2 {
            chores::metadata::look(&house.broker).await.unwrap();
            house.turn_clock(3_600);
        }
        let mails = "SELECT recipient FROM mails WHERE kind = 'metadata_ending'";
        assert_eq!(house.text(mails).await.as_deref(), Some("bob@b.test"));
        let told = (house.count("mails WHERE kind = 'metadata_ending'").await, house.events_of(ENDING).await);
        assert_eq!(told, (1, 1), "once");
        let (status, advice) = check(&operator, "org-b", "upstream_review").await;
        assert_eq!(status, "warn");
        assert!(advice.contains("runs out") || advice.contains("valid until"), "{advice}");
        let connection = operator.get(&format!("/connections/{id}")).await.json();
        assert!(connection["idp"]["warnings"][0].as_str().unwrap().contains("metadata is valid until"));
    }
}

const ENDING: &str = "organization.connection.metadata_ending";
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn s1_a8_s3_34_groups_that_a_provider_does_not_say_are_missed_by_somebody() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let operator = Api::operator(&house).await;
        let comes = async |says: SamlSays| {
            let ask = Application::rp1(&house).asks();
            Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &says).await.code();
        };
        let id = house.connection("cb").await;
        let missing = async || {
            operator.get(&format!("/connections/{id}/failures")).await.json()["groups_missing_at"].clone()
        };
        comes(SamlSays::that("bob@b.test")).await;
        assert_eq!(
            (status(&operator, "org-b", "sign_in_failures").await.as_str(), missing().await),
            ("ok", json!(null))
        );
        let link = "http://schemas.microsoft.com/claims/groups.link";
        let before = house.before().await;
        let elsewhere = ["https://graph.windows.net/t/users/u/getMemberObjects"];
        comes(SamlSays::that("bob@b.test").without("groups").attribute(link, &elsewhere)).await;
        let events = house.events_since(&before).await;
        let event = events.iter().find(|event| event.action == "login.authenticated").unwrap();
        assert_eq!(event.detail["left_out"], json!(["groups: too many for the provider to say"]));
        let (told, advice) = check(&operator, "org-b", "sign_in_failures").await;
        assert_eq!(told, "warn");
        assert!(advice.contains("cb") && advice.contains("left_out"), "{advice}");
        assert!(missing().await.is_string());
        house.turn_clock(8 * 86_400);
        assert_eq!(status(&Api::operator(&house).await, "org-b", "sign_in_failures").await, "ok");
    }
}

#[tokio::test]
async fn s1_a2_s1_a3_each_check_says_what_to_do() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    assert_eq!(status(&operator, "org-a", "administrators_mfa").await, "warn");
    operator.patch("/organizations/org-a/policy", json!({"mfa_required_for": ["owner", "admin"]})).await;
    assert_eq!(status(&operator, "org-a", "administrators_mfa").await, "ok");
    assert_eq!(status(&operator, "org-a", "domains_verified").await, "ok");
    house.execute("UPDATE domains SET state = 'lapsed', lapsed_at = 5 WHERE name = 'a.test'").await;
    let (told, advice) = check(&operator, "org-a", "domains_verified").await;
    assert_eq!(told, "warn");
    assert!(advice.contains("a.test"), "{advice}");
    let (told, advice) = check(&operator, "org-a", "break_glass").await;
    assert_eq!(told, "not_available");
    assert!(advice.contains("without an identity provider, which is not here yet"), "{advice}");
    let forced = json!({"enforcement": "required"});
    assert_eq!(operator.patch("/organizations/org-a/policy?force=true", forced).await.status, 200);
    assert_eq!(status(&operator, "org-a", "break_glass").await, "fail", "nobody enforces unknowingly");
    assert_eq!(status(&operator, "org-a", "deprovisioning_test").await, "not_available");
    assert_eq!(status(&operator, "org-a", "audit").await, "ok");
    let read = operator.get("/organizations/org-a/health").await.json();
    assert_eq!(read["status"], json!("fail"));
    let rows: Vec<_> = read["checks"].as_array().unwrap().iter().map(|check| check["row"].clone()).collect();
    let all = ["S1-A1", "S1-A2", "S1-A3", "S1-A4", "S1-A5", "S1-A6", "S1-A7", "S1-A8"];
    assert_eq!(rows, all.map(|row| json!(row)));
}

#[tokio::test]
async fn s1_a7_a_provider_that_changes_is_to_be_looked_at_until_somebody_has() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let id = house.connection("ca").await;
    assert_eq!(status(&operator, "org-a", "upstream_review").await, "ok");
    house.execute("UPDATE connections SET review_since = 5 WHERE slug = 'ca'").await;
    let (told, advice) = check(&operator, "org-a", "upstream_review").await;
    assert_eq!(told, "warn");
    assert!(advice.contains("ca"), "{advice}");
    let failures = operator.get(&format!("/connections/{id}/failures")).await.json();
    assert!(failures["review_since"].is_string(), "{failures}");
    let key = Api::key(&house, "org-a", &["connections:read", "health:read"]).await;
    let before = house.before().await;
    let path = format!("/connections/{id}/review");
    let refused = key.send(reqwest::Method::DELETE, &path, |request| request).await;
    assert_eq!(refused.status, 403);
    house.refused(&before, "permission_missing").await;
    for times in [1, 1] {
        let looked = operator.send(reqwest::Method::DELETE, &path, |request| request).await;
        assert_eq!(looked.status, 204, "{}", looked.body);
        assert_eq!(house.events_of("organization.connection.reviewed").await, times);
    }
    assert_eq!(status(&operator, "org-a", "upstream_review").await, "ok");
}

#[tokio::test]
async fn s1_a7_endpoints_that_a_provider_moves_are_written_down_once() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let changed = "organization.connection.upstream_changed";
        for _ in 0..2 {
            comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
        }
        assert_eq!(status(&operator, "org-a", "upstream_review").await, "ok", "nobody was heard before");
        house.idp_a.discovery("userinfo_endpoint", json!(format!("{}/elsewhere", house.idp_a.issuer)));
        for _ in 0..2 {
            // What is known of a provider is an hour old at most.
            house.turn_clock(3_601);
            comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
            assert_eq!(house.events_of(changed).await, 1);
        }
        let operator = Api::operator(&house).await;
        assert_eq!(status(&operator, "org-a", "upstream_review").await, "warn");
        assert_eq!(status(&operator, "org-b", "upstream_review").await, "ok");
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == changed).unwrap();
        assert!(event.detail["endpoints"].to_string().contains("/elsewhere"), "{event:?}");
        // Another process knows it, too.
        let mut house = house;
        house.restart().await;
        comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
        assert_eq!(house.events_of(changed).await, 1);
    }
}

#[tokio::test]
async fn s1_a7_keys_of_a_provider_come_and_go_and_only_that_all_are_others_is_to_be_looked_at() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let changed = "organization.connection.upstream_changed";
        let (first, second, third) =
            (house.idp_a.key(), Key::new(Algorithm::RS256, "second"), Key::new(Algorithm::RS256, "third"));
        for (signs, published, events, told) in [
            (&first, vec![&first], 0, "ok"),
            (&first, vec![&first, &second], 1, "ok"),
            (&second, vec![&second], 2, "ok"),
            (&third, vec![&third], 3, "warn"),
        ] {
            house.idp_a.rotates(Arc::clone(signs));
            let keys: Vec<_> = published.iter().map(|key| key.jwk()).collect();
            house.idp_a.publishes(&json!({ "keys": keys }).to_string());
            for _ in 0..2 {
                house.turn_clock(3_601);
                comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
            }
            assert_eq!(house.events_of(changed).await, events, "{engine:?}");
            let operator = Api::operator(&house).await;
            assert_eq!(status(&operator, "org-a", "upstream_review").await, told, "{events}");
        }
        let trail = house.audit().await;
        let details: Vec<_> = trail.iter().filter(|event| event.action == changed).collect();
        for (event, (added, removed)) in details.iter().zip([(1, 0), (0, 1), (1, 1)]) {
            let many = |name: &str| event.detail[name].as_array().unwrap().len();
            assert_eq!((many("keys_added"), many("keys_removed")), (added, removed), "{event:?}");
        }
    }
}

#[tokio::test]
async fn s1_a8_sign_ins_are_counted_by_the_hour_with_the_reason_of_each_that_failed() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}/failures", house.connection("ca").await);
        let read = async |query: &str| {
            let read = operator.get(&format!("{path}{query}")).await;
            assert_eq!(read.status, 200, "{}", read.body);
            read.json()
        };
        assert_eq!(read("").await["hours"], json!([]));
        for _ in 0..3 {
            comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
        }
        assert_eq!(read("").await["hours"], json!([]), "a login pays no write for it");
        assert!(read("").await["worked_at"].is_string(), "but for the first");
        chores::connections::settle(&house.broker).await.unwrap();
        let one = |succeeded: i64, failed: i64, reasons: Value| {
            json!([{"begins": "2026-06-01T09:00:00.000Z", "succeeded": succeeded, "failed": failed,
                    "reasons": reasons}])
        };
        assert_eq!(read("").await["hours"], one(3, 0, json!({})));
        let arrival = comes(&house, Says::that("sub-eve", "eve@b.test")).await;
        assert_eq!(arrival.status(), 403, "{}", arrival.told());
        comes(&house, Says::that("sub-eve", "eve@a.test").claim("aud", "\"other\"")).await;
        let told = read("").await;
        let reasons = json!({"email_domain_not_allowed": 1, "id_token_audience": 1});
        assert_eq!(told["hours"], one(3, 2, reasons));
        assert_eq!((&told["failures"], told["failing_since"].is_string()), (&json!(2), true));
        let listed: Vec<_> =
            told["items"].as_array().unwrap().iter().map(|item| item["reason"].clone()).collect();
        assert_eq!(listed.len(), 2);
        assert!(listed.contains(&json!("id_token_audience")), "{told}");
        let first = read("?limit=1").await;
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = read(&format!("?limit=1&cursor={cursor}")).await;
        assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
        // Somebody who gets in ends what failed in a row.
        comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
        let told = read("").await;
        assert_eq!((&told["failures"], &told["failing_since"]), (&json!(0), &json!(null)));
        // The next day it is another hour's.
        house.turn_clock(86_400);
        let operator = Api::operator(&house).await;
        let later = operator.get(&format!("{path}?hours=1")).await.json();
        assert_eq!(later["hours"], json!([]));
        let bad = operator.get(&format!("{path}?hours=721")).await;
        assert_eq!((bad.status.as_u16(), &bad.json()["code"]), (400, &json!("invalid_parameter")));
    }
}

#[tokio::test]
async fn s1_a8_what_is_counted_is_written_down_at_the_stop() {
    let mut house = House::opens().await;
    comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
    house.restart().await;
    let sql = "SELECT CAST(many AS TEXT) FROM connection_hours WHERE reason = ''";
    assert_eq!(house.text(sql).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn s1_a8_health_says_when_sign_ins_fail() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let id = "sign_in_failures";
    assert_eq!(status(&operator, "org-a", id).await, "ok");
    // A stranger breaks off logins: that is worth a look, and shows nothing of the connection.
    for _ in 0..5 {
        let arrival = comes(&house, Says::truth().response("error", Some("access_denied"))).await;
        assert_eq!(arrival.status(), 403, "{}", arrival.told());
    }
    assert_eq!(status(&operator, "org-a", id).await, "warn");
    assert_eq!(house.count("connection_runs").await, 0);
    for number in 0..5 {
        comes(&house, Says::that(&format!("sub-{number}"), "ann@elsewhere.test")).await;
    }
    let (told, advice) = check(&operator, "org-a", id).await;
    assert_eq!(told, "fail", "{advice}");
    assert_eq!(status(&operator, "org-b", id).await, "ok");
    comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
    assert_ne!(status(&operator, "org-a", id).await, "fail");
}

#[tokio::test]
async fn s1_a8_what_strangers_post_at_a_saml_connection_is_counted_and_is_no_failure_of_it() {
    let house = Plan::saml().build().await;
    let operator = Api::operator(&house).await;
    let idp = house.saml("cb");
    let asked = idp.unasked(&house, "cb").await;
    let xml = idp.answers(&asked, &SamlSays::that("bob@b.test"));
    let refused = posts_to(&mut Visitor::arrives(), &asked.acs, None, &xml).await;
    assert_eq!(refused.status, 403);
    let ask = Application::rp1(&house).asks().with("login_hint", "bob@b.test");
    Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &SamlSays::that("bob@b.test")).await.code();
    chores::connections::settle(&house.broker).await.unwrap();
    let path = format!("/connections/{}/failures", house.connection("cb").await);
    let told = operator.get(&path).await.json();
    assert_eq!(
        (&told["hours"][0]["succeeded"], &told["hours"][0]["failed"]),
        (&json!(1), &json!(1)),
        "{told}"
    );
    assert_eq!(told["failures"], json!(0));
    assert!(told["items"][0]["expected"].is_string() && told["items"][0]["found"].is_string(), "{told}");
}

#[tokio::test]
async fn s1_a3_s1_d5_a_role_that_nobody_is_given_unasked_any_more_is_told_of_where_people_join_by_it() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let role = json!({"organization_id": "org-a", "name": "viewer", "permissions": ["invoices:read"]});
        let made = operator.post("/roles", role).await;
        let role = format!("/roles/{}", made.json()["id"].as_str().unwrap());
        let id = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let rule = json!({"auto_join": {"enabled": true, "role": "viewer"}});
        let ruled = operator.patch(&format!("/organizations/org-a/domains/{id}"), rule).await;
        assert_eq!(ruled.status, 200, "{}", ruled.body);
        assert_eq!(status(&operator, "org-a", "domains_verified").await, "ok");
        let broadened =
            operator.patch(&role, json!({"permissions": ["invoices:read", "members:read"]})).await;
        assert_eq!(
            broadened.status, 200,
            "nobody has come in yet whom it could lock out: {}",
            broadened.body
        );
        let (told, advice) = check(&operator, "org-a", "domains_verified").await;
        assert_eq!(told, "warn");
        assert!(advice.contains("a.test") && advice.contains("viewer"), "{advice}");
        let shown = operator.get(&format!("/organizations/org-a/domains/{id}")).await.json();
        assert_eq!(shown["auto_join"]["halted_by"], json!("role_not_allowed"));
        assert_eq!(status(&operator, "org-b", "domains_verified").await, "ok");
        operator.patch(&role, json!({"permissions": ["invoices:read"]})).await;
        assert_eq!(status(&operator, "org-a", "domains_verified").await, "ok");

        // The same of whom a connection lets in.
        let off = json!({"auto_join": {"enabled": false}});
        assert_eq!(operator.patch(&format!("/organizations/org-a/domains/{id}"), off).await.status, 200);
        let given = "UPDATE connections SET settings = replace(settings, '\"default_roles\":[]',
                                                               '\"default_roles\":[\"viewer\"]') WHERE slug = 'ca'";
        assert_eq!(house.execute(given).await, 1);
        assert_eq!(status(&operator, "org-a", "domains_verified").await, "ok");
        house.execute("UPDATE roles SET permissions = '[\"members:read\"]' WHERE name = 'viewer'").await;
        let (told, advice) = check(&operator, "org-a", "domains_verified").await;
        assert_eq!(told, "warn");
        assert!(advice.contains("by ca") && advice.contains("viewer"), "{advice}");
    }
}
