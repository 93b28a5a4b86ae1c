//! H18: what a connection lives on ends by itself, and owners are told so in time, each time once: certificates of the
//! provider, our own, and metadata that does not come any more.

use std::time::Duration;

use behalf::chores::{self, endings};
use behalf::foundation::clock::Moment;
use serde_json::json;

use crate::house::answers::fine;
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says, Signer, sp_keys};
use crate::house::publisher::Publisher;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const DAY: Duration = Duration::from_secs(86_400);

/// Bob, who comes first, owns the organization.
async fn has_an_owner(house: &House) {
    let ask = Application::rp1(house).asks();
    Person::new("bob@b.test").signs_in_by(house, "cb", &ask, &Says::that("bob@b.test")).await.code();
}

async fn mails(house: &House, kind: &str) -> i64 {
    house.count(&format!("mails WHERE kind = '{kind}' AND recipient = 'bob@b.test'")).await
}

/// What health says of the organization's providers.
async fn upstream_review(operator: &Api) -> String {
    let read = fine(operator.get("/organizations/org-b/health").await);
    let checks = read["checks"].as_array().unwrap().clone();
    let of = checks.into_iter().find(|check| check["id"] == "upstream_review").unwrap();
    of["advice"].as_str().unwrap().to_owned()
}

/// So many days before, every node looks.
async fn looks(house: &House, before: Moment, days: u32) {
    let left = before.minus(DAY * days).since(house.clock.now());
    house.turn_clock(left.as_secs() + 1);
    let both = futures_util::future::join(endings::look(&house.broker), endings::look(&house.broker)).await;
    both.0.and(both.1).unwrap();
    endings::look(&house.broker).await.unwrap();
}

#[tokio::test]
async fn h18_owners_are_mailed_sixty_thirty_and_seven_days_before_the_last_certificate_of_their_provider_ends()
 {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        has_an_owner(&house).await;
        let end = house.saml("cb").signer.certificate.not_after();
        for (days, expected) in [(61, 0), (60, 1), (31, 1), (30, 2), (8, 2), (7, 3), (1, 3)] {
            looks(&house, end, days).await;
            assert_eq!(mails(&house, "certificate_ending").await, expected, "{days} days before");
        }
        assert_eq!(house.events_of("organization.connection.certificate_ending").await, 3);
        let letter = house.text("SELECT letter FROM mails WHERE kind = 'certificate_ending' LIMIT 1").await;
        assert!(letter.unwrap().contains(&end.millis().to_string()), "it says when");
    }
}

#[tokio::test]
async fn h18_a_certificate_with_a_successor_ends_quietly_and_another_end_is_told_anew() {
    let house = Plan::saml().build().await;
    has_an_owner(&house).await;
    let idp = house.saml("cb");
    let end = idp.signer.certificate.not_after();
    looks(&house, end, 60).await;
    assert_eq!(mails(&house, "certificate_ending").await, 1);
    let next = Signer::new("next", house.clock.now());
    let path = format!("/connections/{}", house.connection("cb").await);
    let operator = Api::operator(&house).await;
    let both = json!({"metadata_xml": idp.metadata_with(&[&next.certificate])});
    fine(operator.patch(&path, both).await);
    fine(operator.post(&format!("{path}/activate"), json!({"force": true})).await);
    for days in [30, 7, 0] {
        looks(&house, end, days).await;
        assert_eq!(mails(&house, "certificate_ending").await, 1, "{days} days before");
    }
    looks(&house, next.certificate.not_after(), 29).await;
    assert_eq!(mails(&house, "certificate_ending").await, 2, "what has passed meanwhile is told once");
}

#[tokio::test]
async fn h18_owners_are_mailed_before_a_certificate_of_ours_ends_that_their_provider_is_shown() {
    for brought in [false, true] {
        let house = Plan::saml().build().await;
        has_an_owner(&house).await;
        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}", house.connection("cb").await);
        let own = Signer::new("own", house.clock.now().minus(DAY * 1_000));
        let shown = json!({"signing_key": own.pem(), "signing_certificate": own.certificate.base64()});
        if brought {
            fine(operator.patch(&path, shown).await);
            fine(operator.post(&format!("{path}/activate"), json!({"force": true})).await);
        }
        let end = sp_keys(&house, "cb").await.signing.certificate.not_after();
        assert_eq!(end == own.certificate.not_after(), brought);
        for (days, expected) in [(61, 0), (60, 1), (30, 2), (7, 3)] {
            looks(&house, end, days).await;
            assert_eq!(mails(&house, "own_certificate_ending").await, expected, "{days} days before");
            let advice = upstream_review(&operator).await;
            let told =
                advice.contains(&end.rfc3339()) && advice.contains(" of cb ") && advice.contains("is shown");
            assert_eq!(told, expected > 0 && !brought, "{advice}");
        }
    }
}

#[tokio::test]
async fn h17_h18_owners_are_mailed_once_that_metadata_has_not_come_for_days() {
    for engine in ENGINES {
        let plan = Plan::on(engine);
        let idp = LyingSamlIdp::new("cb", plan.clock.clone());
        let publisher = Publisher::of(idp.metadata()).await;
        let mut plan = plan.with_saml_keys("cb", &format!("metadata_url = \"{}\"\n", publisher.url));
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        has_an_owner(&house).await;
        let fails_for = async |hours: u32| {
            for _ in 0..hours {
                house.turn_clock(3_600);
                chores::metadata::look(&house.broker).await.unwrap();
            }
            mails(&house, "metadata_unreadable").await
        };
        let health = async || {
            let read = Api::operator(&house).await.get("/organizations/org-b/health").await;
            read.body.contains("could not be read since")
        };
        let document = house.saml("cb").metadata();
        assert_eq!(fails_for(24).await, 0, "it comes");
        assert!(!health().await);
        for times in [1, 2] {
            publisher.fails();
            assert_eq!(fails_for(60).await, times - 1, "that may be mended");
            assert!(health().await, "whoever looks is told");
            assert_eq!(fails_for(24).await, times);
            assert_eq!(fails_for(100).await, times, "once");
            publisher.says(document.clone());
            assert_eq!(fails_for(12).await, times);
            assert!(!health().await);
        }
        assert_eq!(house.events_of("organization.connection.metadata_unreadable").await, 2);
    }
}

#[tokio::test]
async fn h18_where_nobody_can_be_written_to_a_notice_waits_for_an_owner_and_is_mailed_once() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let end = house.saml("cb").signer.certificate.not_after();
        for days in [60, 30] {
            looks(&house, end, days).await;
            assert_eq!(house.count("mails").await, 0);
            assert_eq!(
                house.count("connection_notices").await,
                0,
                "what nobody was told counts as told to none"
            );
            assert_eq!(house.events_of("organization.connection.certificate_ending").await, 0);
        }
        has_an_owner(&house).await;
        for days in [29, 28, 8] {
            looks(&house, end, days).await;
            assert_eq!(mails(&house, "certificate_ending").await, 1, "{days} days before");
        }
        looks(&house, end, 7).await;
        assert_eq!(mails(&house, "certificate_ending").await, 2);
    }
}

#[tokio::test]
async fn h17_h18_health_tells_all_that_is_to_be_seen_to_of_a_provider() {
    let plan = Plan::on(Engine::Sqlite);
    let idp = LyingSamlIdp::new("cb", plan.clock.clone());
    let publisher = Publisher::of(idp.metadata()).await;
    let mut plan = plan.with_saml_keys("cb", &format!("metadata_url = \"{}\"\n", publisher.url));
    plan.saml.insert("cb".to_owned(), idp);
    let house = plan.build().await;
    let operator = Api::operator(&house).await;
    let reads_daily = async || {
        for _ in 0..5 {
            house.turn_clock(86_400);
            chores::metadata::look(&house.broker).await.unwrap();
        }
    };
    let told = [
        "could not be read since",
        "offers what nobody has confirmed",
        "A certificate of the provider of cb",
    ];
    reads_daily().await;
    let quiet = upstream_review(&operator).await;
    assert!(told.iter().all(|told| !quiet.contains(told)), "{quiet}");

    let stranger = Signer::new("stranger", house.clock.now());
    publisher.says(house.saml("cb").metadata_with(&[&stranger.certificate]));
    reads_daily().await;
    publisher.fails();
    reads_daily().await;
    looks(&house, house.saml("cb").signer.certificate.not_after(), 20).await;
    let all = upstream_review(&operator).await;
    for told in told {
        assert!(all.contains(told), "{told}: {all}");
    }
}
