//! What is believed of a SAML provider's metadata over time, with nobody there to ask (threats M15, H17, H18).

use std::time::Duration;

use behalf::broker::Look;
use behalf::foundation::clock::Moment;
use behalf::model::connection::Unusable;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::provisioning::{ENGINES, Engine, House};
use super::saml_connections::{DAY, ENTITY, IDP, Idp, NOW, OTHER_IDP, SSO, actions, listing, signed};
use crate::house::publisher::Publisher;

async fn certificates(house: &House) -> Vec<String> {
    house.connection("p").await.saml().unwrap().saml.idp.certificates.clone()
}

async fn valid_until(house: &House) -> Option<Moment> {
    house.connection("p").await.saml().unwrap().saml.metadata.as_ref().unwrap().valid_until
}

async fn unusable(house: &House) -> Option<Unusable> {
    let made = house.connection("p").await;
    house.broker.saml_keys.idp(made.saml().unwrap()).err()
}

/// A visitor comes a day later.
async fn look(house: &House, publisher: &Publisher, document: String) -> Look {
    publisher.says(document);
    house.clock.turn(DAY);
    let made = house.connection("p").await;
    house.broker.saml_metadata.look(made.project_id, made.id).await.unwrap()
}

fn both() -> [String; 2] {
    [IDP.certificate.base64(), OTHER_IDP.certificate.base64()]
}

#[tokio::test]
async fn m15_h18_documents_that_are_valid_for_a_shorter_time_bring_keys_and_take_nothing_away() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
        house.apply(&publisher.file("")).await;
        let until = |days| Some(NOW.plus(DAY * days));
        look(&house, &publisher, signed(&listing(&[&IDP], until(30)), &IDP)).await;
        assert_eq!(valid_until(&house).await, until(30));

        let shorter = look(&house, &publisher, signed(&listing(&[&IDP], until(8)), &IDP)).await;
        assert!(matches!(shorter, Look::Same), "what is known is confirmed: {shorter:?}");
        let next = signed(&listing(&[&IDP, &OTHER_IDP], until(9)), &IDP);
        assert!(matches!(look(&house, &publisher, next).await, Look::Changed));
        assert_eq!(certificates(&house).await, both());
        assert_eq!(valid_until(&house).await, until(30), "nor does it end anything sooner");

        // It may be an old one all the same: whoever kept one takes nothing away with it and moves nobody.
        let old = signed(&listing(&[&OTHER_IDP], until(10)), &IDP);
        let moved =
            signed(&listing(&[&IDP, &OTHER_IDP], until(11)).replace(SSO, "https://old.test/sso"), &IDP);
        for document in [old, moved] {
            let before = house.connection("p").await;
            let told = look(&house, &publisher, document).await;
            assert!(
                matches!(&told, Look::Failed(why) if why.to_string().contains("may be older")),
                "{told:?}"
            );
            assert_eq!(house.connection("p").await, before);
        }
        // What is valid for as long as the newest one counts as a whole.
        look(&house, &publisher, signed(&listing(&[&OTHER_IDP], until(31)), &OTHER_IDP)).await;
        assert_eq!(certificates(&house).await, [OTHER_IDP.certificate.base64()]);
        // And what was withdrawn stays away, also in one that would bring something new besides.
        let third = Idp::new(NOW.plus(DAY * 900));
        let back = signed(&listing(&[&OTHER_IDP, &IDP, &third], until(20)), &OTHER_IDP);
        assert!(matches!(look(&house, &publisher, back).await, Look::Failed(_)));
        assert_eq!(certificates(&house).await, [OTHER_IDP.certificate.base64()]);
    }
}

#[tokio::test]
async fn m15_a_document_from_before_the_connection_was_there_brings_no_key_along() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let federation = Idp::new(NOW.plus(DAY * 900));
    let until = |days| Some(NOW.plus(DAY * days));
    let by_federation = |idps: &[&Idp], days| signed(&listing(idps, until(days)), &federation);
    let publisher = Publisher::of(by_federation(&[&IDP], 10)).await;
    let pinned = format!("metadata_certificate = \"{}\"\n", federation.certificate.base64());
    house.apply(&publisher.file(&pinned)).await;
    look(&house, &publisher, by_federation(&[&IDP], 60)).await;
    let before = certificates(&house).await;
    for old in
        [by_federation(&[&IDP, &OTHER_IDP], 9), signed(&listing(&[&IDP, &OTHER_IDP], None), &federation)]
    {
        assert!(matches!(look(&house, &publisher, old).await, Look::Failed(_)));
        assert_eq!(certificates(&house).await, before);
    }
    // One that ends later than the one of that day is newer than the connection.
    assert!(matches!(look(&house, &publisher, by_federation(&[&IDP, &OTHER_IDP], 20)).await, Look::Changed));
    assert_eq!(certificates(&house).await, both());
}

#[tokio::test]
async fn m15_h18_a_provider_that_says_no_more_when_its_documents_end_is_not_shut_out() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
        house.apply(&publisher.file("")).await;
        look(&house, &publisher, signed(&listing(&[&IDP], Some(NOW.plus(DAY * 4))), &IDP)).await;
        let undated = signed(&listing(&[&IDP], None), &IDP);
        assert!(matches!(look(&house, &publisher, undated).await, Look::Same));
        let undated = signed(&listing(&[&IDP, &OTHER_IDP], None), &IDP);
        assert!(matches!(look(&house, &publisher, undated.clone()).await, Look::Changed));
        assert_eq!(actions(&house, "metadata_refused").await.len(), 0);
        house.clock.turn(DAY * 2);
        assert_eq!(unusable(&house).await, Some(Unusable::Outdated));
        // Whoever comes then makes us look.
        look(&house, &publisher, undated).await;
        assert_eq!((unusable(&house).await, valid_until(&house).await), (None, None));
        assert_eq!(certificates(&house).await, both());
    }
}

#[tokio::test]
async fn m15_h17_an_offer_prolongs_what_it_still_lists_and_nothing_else() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let until = |days| Some(NOW.plus(DAY * days));
        let publisher = Publisher::of(listing(&[&IDP], until(2))).await;
        house.apply(&publisher.file("")).await;
        let before = house.connection("p").await.saml().unwrap().saml.idp.clone();
        for (document, days) in [
            (listing(&[&IDP, &OTHER_IDP], until(10)), 10),
            (listing(&[&IDP], until(12)).replace(SSO, "https://new.partner.test/sso"), 12),
            // Of what is known it says nothing.
            (listing(&[&OTHER_IDP], until(20)), 12),
        ] {
            let offered = look(&house, &publisher, document).await;
            assert!(matches!(offered, Look::Offered(_)), "{offered:?}");
            assert_eq!(valid_until(&house).await, until(days));
            assert_eq!(house.connection("p").await.saml().unwrap().saml.idp, before, "nothing is added");
            assert_eq!(unusable(&house).await, None);
        }
        assert_eq!(actions(&house, "metadata_offered").await.len(), 3);
        publisher.fails();
        house.clock.turn(DAY * 10);
        assert_eq!(unusable(&house).await, Some(Unusable::Outdated));
    }
}

#[tokio::test]
async fn m15_h18_of_documents_that_all_end_at_one_moment_none_takes_a_key_away_before_it_has_been_missed() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let end = Some(NOW.plus(DAY * 100));
        let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
        house.apply(&publisher.file("")).await;
        let old = signed(&listing(&[&IDP], end), &IDP);
        let new = signed(&listing(&[&IDP, &OTHER_IDP], end), &IDP);
        assert!(matches!(look(&house, &publisher, new.clone()).await, Look::Changed));
        // Another node of the provider has not heard of it yet.
        for document in [&old, &new, &old] {
            look(&house, &publisher, document.clone()).await;
            assert_eq!(certificates(&house).await, both());
        }
        assert_eq!(actions(&house, "metadata_offered").await.len(), 0);
        look(&house, &publisher, old).await;
        assert_eq!(certificates(&house).await, [IDP.certificate.base64()], "missed for a day");
    }
}

#[tokio::test]
async fn m15_c09_a_certificate_that_is_renewed_for_a_known_key_is_nothing_new() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let until = |days| Some(NOW.plus(DAY * days));
        let publisher = Publisher::of(listing(&[&IDP], until(2))).await;
        house.apply(&publisher.file("")).await;
        let renewed = IDP.renewed(NOW.plus(DAY * 900));
        let told = look(&house, &publisher, listing(&[&renewed], until(10))).await;
        assert!(matches!(told, Look::Changed), "nobody has to sign what brings no key: {told:?}");
        assert_eq!(certificates(&house).await, [renewed.certificate.base64()]);
        assert_eq!(valid_until(&house).await, until(10));
        assert_eq!(actions(&house, "metadata_offered").await.len(), 0);
        // Nor does a key that has been withdrawn come back because its certificate is another one.
        for document in [
            signed(&listing(&[&renewed, &OTHER_IDP], until(20)), &renewed),
            signed(&listing(&[&OTHER_IDP], until(21)), &OTHER_IDP),
        ] {
            assert!(matches!(look(&house, &publisher, document).await, Look::Changed));
        }
        let again = IDP.renewed(NOW.plus(DAY * 800));
        let back = signed(&listing(&[&OTHER_IDP, &again], until(30)), &OTHER_IDP);
        let told = look(&house, &publisher, back).await;
        assert!(matches!(&told, Look::Offered(why) if why.to_string().contains("withdrawn")), "{told:?}");
        assert_eq!(certificates(&house).await, [OTHER_IDP.certificate.base64()]);
    }
}

#[tokio::test]
async fn m15_h18_a_known_key_counts_in_whatever_certificate_it_is_listed_though_that_has_expired() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let publisher = Publisher::of(listing(&[&IDP], None)).await;
    house.apply(&publisher.file("")).await;
    let short = IDP.renewed(NOW.plus(DAY / 2));
    assert!(matches!(look(&house, &publisher, listing(&[&short], None)).await, Look::Changed));
    assert_eq!(certificates(&house).await, [short.certificate.base64()]);
    let other = OTHER_IDP.renewed(NOW.plus(DAY / 2));
    assert!(matches!(look(&house, &publisher, listing(&[&short, &other], None)).await, Look::Same));
    assert_eq!(
        certificates(&house).await,
        [short.certificate.base64()],
        "a new one that has expired is not taken"
    );
}

#[tokio::test]
async fn m15_no_document_promises_more_than_a_year_and_a_bit() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
    house.apply(&publisher.file("")).await;
    look(&house, &publisher, signed(&listing(&[&IDP], Some(NOW.plus(DAY * 5_000))), &IDP)).await;
    assert_eq!(valid_until(&house).await, Some(house.broker.now().plus(DAY * 400)));
}

#[tokio::test]
async fn m10_a_host_that_hangs_keeps_few_waiting_with_a_message_in_hand() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
    house.apply(&publisher.file("")).await;
    publisher.hangs();
    house.clock.turn(Duration::from_secs(61));
    let made = house.connection("p").await;
    let metadata = &house.broker.saml_metadata;
    let looks: FuturesUnordered<_> = (0..30).map(|_| metadata.look(made.project_id, made.id)).collect();
    // One looks, and eight wait for what it sees.
    let told: Vec<_> = looks.take(21).collect().await;
    assert!(told.iter().all(|look| matches!(look, Ok(Look::Cooling))), "{told:?}");
}

#[tokio::test]
async fn m15_h17_a_document_that_is_written_anew_and_ends_when_it_did_is_told_of_in_time() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let until = NOW.plus(DAY * 9);
        let written = |hours: u32| {
            let dated = format!(" cacheDuration=\"PT{hours}H\" validUntil");
            signed(&listing(&[&IDP], Some(until)).replace(" validUntil", &dated), &IDP)
        };
        let publisher = Publisher::of(written(1)).await;
        house.apply(&publisher.file("")).await;
        for day in 1..=7 {
            look(&house, &publisher, written(day + 1)).await;
            let made = house.connection("p").await;
            let saml = made.saml().unwrap().saml;
            assert_eq!(saml.metadata.as_ref().unwrap().read_at, house.broker.now(), "it is another one");
            let told = (day >= 6).then_some(until);
            assert_eq!(saml.running_out(house.broker.now()), told, "on day {day}");
        }
        // One that ends later is one more promise.
        look(&house, &publisher, signed(&listing(&[&IDP], Some(NOW.plus(DAY * 38))), &IDP)).await;
        let made = house.connection("p").await;
        assert_eq!(made.saml().unwrap().saml.running_out(house.broker.now()), None);
    }
}

#[tokio::test]
async fn m15_a_file_that_switches_a_connection_on_has_its_metadata_read_first_if_that_has_run_out() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let until = |days| Some(NOW.plus(DAY * days));
        let publisher = Publisher::of(listing(&[&IDP], until(4))).await;
        house.apply(&publisher.file("")).await;
        house.apply(&publisher.file("state = \"disabled\"\n")).await;
        publisher.says(listing(&[&IDP], until(30)));
        house.clock.turn(DAY * 5);
        house.apply(&publisher.file("")).await;
        assert!(house.connection("p").await.is_active());
        assert_eq!((unusable(&house).await, valid_until(&house).await), (None, until(30)));
    }
}
