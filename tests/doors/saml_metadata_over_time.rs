//! What is believed of a SAML provider's metadata over time, with nobody there to ask (threats M15, H17, H18).

use std::time::Duration;

use behalf::broker::Look;
use behalf::foundation::clock::Moment;
use behalf::manage::house_file::{Mode, Reading, apply_reading};
use behalf::model::connection::Unusable;
use behalf::store::durable::connection_runs;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::provisioning::{ENGINES, Engine, House, parse};
use super::saml_connections::{
    DAY, ENTITY, IDP, Idp, NOW, OTHER_IDP, SSO, actions, listing, metadata, signed,
};
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
async fn m15_h18_documents_bring_younger_keys_and_take_older_ones_away_however_soon_they_end() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let until = |days| Some(NOW.plus(DAY * days));
        let publisher = Publisher::of(signed(&listing(&[&IDP], until(30)), &IDP)).await;
        house.apply(&publisher.file("")).await;
        let shorter = look(&house, &publisher, signed(&listing(&[&IDP], until(8)), &IDP)).await;
        assert!(matches!(shorter, Look::Same), "what is known is confirmed: {shorter:?}");
        assert_eq!(valid_until(&house).await, until(30), "and ends no sooner");
        let next = signed(&listing(&[&IDP, &OTHER_IDP], until(9)), &IDP);
        assert!(matches!(look(&house, &publisher, next).await, Look::Changed));
        assert_eq!(certificates(&house).await, both());
        // It may be an old one all the same: whoever kept one moves nobody with it, and takes no newer key away.
        let moved = listing(&[&IDP, &OTHER_IDP], until(11)).replace(SSO, "https://old.test/sso");
        let old = listing(&[&IDP], until(12));
        for (document, expected) in [(moved, "moves addresses"), (old, "takes keys away")] {
            let before = house.connection("p").await.saml().unwrap().saml.idp.clone();
            let told = look(&house, &publisher, signed(&document, &IDP)).await;
            let Look::Offered(why) = &told else { panic!("{told:?}") };
            let why = why.to_string();
            assert!(why.contains(expected) && why.contains("may be an older one"), "{why}");
            assert_eq!(house.connection("p").await.saml().unwrap().saml.idp, before);
        }
        let own = signed(&listing(&[&OTHER_IDP], until(13)), &IDP);
        assert!(matches!(look(&house, &publisher, own).await, Look::Changed));
        assert_eq!(certificates(&house).await, [OTHER_IDP.certificate.base64()]);
        // What was withdrawn stays away, also in one that ends later than all, whose other word counts.
        let moved = listing(&[&OTHER_IDP, &IDP], until(40)).replace(SSO, "https://new.test/sso");
        let moved = signed(&moved, &OTHER_IDP);
        assert!(matches!(look(&house, &publisher, moved.clone()).await, Look::Changed));
        let made = house.connection("p").await;
        assert!(made.saml().unwrap().saml.idp.addresses().any(|address| address == "https://new.test/sso"));
        let told = look(&house, &publisher, moved).await;
        assert!(matches!(&told, Look::Offered(why) if why.to_string().contains("withdrawn")), "{told:?}");
        assert_eq!(certificates(&house).await, [OTHER_IDP.certificate.base64()]);
    }
}

#[tokio::test]
async fn m15_a_document_from_before_the_connection_was_there_brings_no_key_along() {
    for pinned in [false, true] {
        let house = House::open_to_here(Engine::Sqlite).await;
        let federation = Idp::new(NOW.plus(DAY * 900));
        let before = Idp::since(NOW.minus(DAY * 950), NOW.plus(DAY * 900));
        let signer = if pinned { &federation } else { &IDP };
        let by = |idps: &[&Idp], until: Option<Moment>| signed(&listing(idps, until), signer);
        let until = |days| Some(NOW.plus(DAY * days));
        let publisher = Publisher::of(by(&[&IDP], until(10))).await;
        let more = match pinned {
            true => format!("metadata_certificate = \"{}\"\n", federation.certificate.base64()),
            false => String::new(),
        };
        house.apply(&publisher.file(&more)).await;
        for until in [until(9), until(10), until(60), None] {
            let old = look(&house, &publisher, by(&[&IDP, &before], until)).await;
            assert!(matches!(&old, Look::Offered(why) if why.to_string().contains("no younger")), "{old:?}");
            assert_eq!(certificates(&house).await, [IDP.certificate.base64()]);
        }
        assert!(matches!(look(&house, &publisher, by(&[&IDP, &OTHER_IDP], None)).await, Look::Changed));
        assert_eq!(certificates(&house).await, both());
    }
}

#[tokio::test]
async fn m15_h18_a_provider_that_says_no_more_when_its_documents_end_is_not_shut_out() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let dated = signed(&listing(&[&IDP], Some(NOW.plus(DAY * 4))), &IDP);
        let publisher = Publisher::of(dated).await;
        house.apply(&publisher.file("")).await;
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
async fn m15_h18_nodes_of_a_provider_that_say_different_things_turn_nothing_to_and_fro() {
    for engine in ENGINES {
        for end in [None, Some(NOW.plus(DAY * 100))] {
            let house = House::open_to_here(engine).await;
            let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
            house.apply(&publisher.file("")).await;
            let old = signed(&listing(&[&IDP], end), &IDP);
            let new = signed(&listing(&[&IDP, &OTHER_IDP], end), &IDP);
            let moved = signed(&listing(&[&IDP, &OTHER_IDP], end).replace(SSO, "https://dr.test/sso"), &IDP);
            // A rollover needs nobody.
            assert!(matches!(look(&house, &publisher, new.clone()).await, Look::Changed));
            let before = house.connection("p").await.saml().unwrap().saml.idp.clone();
            assert_eq!(before.certificates, both());
            for document in [&old, &new, &old, &old, &moved, &moved, &new, &moved] {
                let told = look(&house, &publisher, document.clone()).await;
                assert_eq!(matches!(told, Look::Offered(_)), document != &new, "{told:?}");
                assert_eq!(house.connection("p").await.saml().unwrap().saml.idp, before);
            }
            let told = actions(&house, "metadata_offered").await.len();
            assert_eq!(told, 4, "each is told when it comes");
            // A rollover goes on all the same.
            let third = Idp::new(NOW.plus(DAY * 900));
            let own = signed(&listing(&[&OTHER_IDP, &third], end), &OTHER_IDP);
            assert!(matches!(look(&house, &publisher, own).await, Look::Changed));
            let now = [OTHER_IDP.certificate.base64(), third.certificate.base64()];
            assert_eq!(certificates(&house).await, now);
        }
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
        assert!(matches!(told, Look::Same), "nobody has to sign what brings no key: {told:?}");
        assert_eq!(certificates(&house).await, [IDP.certificate.base64()], "nor is another one needed");
        assert_eq!(valid_until(&house).await, until(10));
        assert_eq!(actions(&house, "metadata_offered").await.len(), 0);
        // Nor does a key that has been withdrawn come back because its certificate is another one.
        let next = Idp::since(NOW.plus(DAY), NOW.plus(DAY * 900));
        for document in [
            signed(&listing(&[&renewed, &next], until(20)), &renewed),
            signed(&listing(&[&next], until(21)), &next),
        ] {
            assert!(matches!(look(&house, &publisher, document).await, Look::Changed));
        }
        let again = IDP.renewed(NOW.plus(DAY * 800));
        let back = signed(&listing(&[&next, &again], until(30)), &next);
        let told = look(&house, &publisher, back).await;
        assert!(matches!(&told, Look::Offered(why) if why.to_string().contains("withdrawn")), "{told:?}");
        assert_eq!(certificates(&house).await, [next.certificate.base64()]);
    }
}

#[tokio::test]
async fn m15_h18_a_known_key_counts_in_whatever_certificate_it_is_listed_though_that_has_expired() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let publisher = Publisher::of(listing(&[&IDP], None)).await;
    house.apply(&publisher.file("")).await;
    let short = IDP.renewed(NOW.plus(DAY / 2));
    // Anybody can make one for a key that everybody knows: it changes nothing, and the key counts.
    assert!(matches!(look(&house, &publisher, listing(&[&short], None)).await, Look::Same));
    assert_eq!(certificates(&house).await, [IDP.certificate.base64()]);
    let made = house.connection("p").await;
    assert_eq!(made.saml().unwrap().saml.may_be_active(house.broker.now()), Ok(()));
    assert_eq!(actions(&house, "metadata_changed").await.len(), 0);
    let other = OTHER_IDP.renewed(NOW.plus(DAY / 2));
    assert!(matches!(look(&house, &publisher, listing(&[&short, &other], None)).await, Look::Same));
    assert_eq!(
        certificates(&house).await,
        [IDP.certificate.base64()],
        "a new one that has expired is not taken"
    );
    // The provider's own word is taken at that.
    assert!(matches!(look(&house, &publisher, signed(&listing(&[&short], None), &IDP)).await, Look::Changed));
    assert_eq!(certificates(&house).await, [short.certificate.base64()]);
    // And where it is over, one that is not takes its place by their word alone.
    let renewed = IDP.renewed(NOW.plus(DAY * 700));
    assert!(matches!(look(&house, &publisher, listing(&[&renewed], None)).await, Look::Same));
    assert_eq!(certificates(&house).await, [short.certificate.base64()]);
    let own = signed(&listing(&[&renewed], None), &IDP);
    assert!(matches!(look(&house, &publisher, own).await, Look::Changed));
    assert_eq!(certificates(&house).await, [renewed.certificate.base64()]);
}

#[tokio::test]
async fn h04_a_connection_that_works_is_known_to_work_where_its_provider_has_moved_to() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let until = |days| Some(NOW.plus(DAY * days));
        let publisher = Publisher::of(listing(&[&IDP], until(10))).await;
        house.apply(&publisher.file("")).await;
        let (made, now) = (house.connection("p").await, house.broker.now());
        let (id, number) = (made.id, made.version);
        let worked =
            house.broker.db.write(async move |tx| connection_runs::worked(tx, id, number, now).await).await;
        assert!(worked.unwrap());
        let moved = listing(&[&IDP], until(20)).replace(SSO, "https://new.partner.test/sso");
        assert!(matches!(look(&house, &publisher, signed(&moved, &IDP)).await, Look::Changed));
        let moved = house.connection("p").await;
        assert!(moved.version > number, "whoever is on their way begins anew");
        let run = connection_runs::of(&mut &house.broker.db, id, moved.version).await.unwrap();
        assert_eq!(run.worked_at, Some(now));
    }
}

/// Somebody has it read anew.
async fn reads_anew(house: &House, publisher: &Publisher, more: &str, document: String) {
    publisher.says(document);
    let file = parse(&publisher.file(more)).unwrap();
    apply_reading(&house.broker, &file, Mode::Apply, &Reading::again()).await.unwrap();
}

#[tokio::test]
async fn m15_h17_what_somebody_has_had_read_is_not_turned_back_by_a_copy_from_before() {
    for engine in ENGINES {
        for pinned in [false, true] {
            let house = House::open_to_here(engine).await;
            let federation = Idp::new(NOW.plus(DAY * 900));
            let until = |days| Some(NOW.plus(DAY * days));
            let by = |idp: &Idp, days| {
                signed(&listing(&[idp], until(days)), if pinned { &federation } else { idp })
            };
            let more = match pinned {
                true => format!("metadata_certificate = \"{}\"\n", federation.certificate.base64()),
                false => String::new(),
            };
            let old = by(&IDP, 300);
            let publisher = Publisher::of(old.clone()).await;
            house.apply(&publisher.file(&more)).await;
            look(&house, &publisher, old.clone()).await;
            // The key is stolen, and what is published then is valid for a short time.
            let current = by(&OTHER_IDP, 7);
            let told = look(&house, &publisher, current.clone()).await;
            assert_eq!(matches!(told, Look::Changed), pinned, "{told:?}");
            house.clock.turn(Duration::from_secs(1));
            reads_anew(&house, &publisher, &more, current.clone()).await;
            assert_eq!(certificates(&house).await, [OTHER_IDP.certificate.base64()]);
            for document in [&old, &current, &old] {
                let told = look(&house, &publisher, document.clone()).await;
                let is_told = matches!(&told, Look::Offered(why) if why.to_string().contains("withdrawn"));
                assert_eq!(is_told, document == &old, "{told:?}");
                assert_eq!(certificates(&house).await, [OTHER_IDP.certificate.base64()]);
            }
            // Nor by any that ends later: whoever took it away brings it back.
            let told = look(&house, &publisher, by(&IDP, 301)).await;
            assert!(matches!(told, Look::Offered(_)), "{told:?}");
            assert_eq!(certificates(&house).await, [OTHER_IDP.certificate.base64()]);
        }
    }
}

#[tokio::test]
async fn m15_another_key_to_encrypt_to_is_an_offer_where_nobody_has_signed_it() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let encrypting = |idp: &Idp, days: u32| {
            let keys = [("signing", &IDP.certificate), ("encryption", &idp.certificate)];
            let until = &NOW.plus(DAY * days).rfc3339()[..19];
            metadata(ENTITY, &keys, SSO, &format!(" validUntil=\"{until}Z\""))
        };
        let publisher = Publisher::of(encrypting(&OTHER_IDP, 10)).await;
        house.apply(&publisher.file("")).await;
        let kept = async || {
            let made = house.connection("p").await;
            let saml = made.saml().unwrap().saml;
            (saml.idp.clone(), saml.metadata.as_ref().unwrap().encryption.clone())
        };
        let before = kept().await;
        let next = Idp::new(NOW.plus(DAY * 900));
        for _ in 0..2 {
            let came = look(&house, &publisher, encrypting(&next, 10)).await;
            assert!(matches!(&came, Look::Offered(why) if why.to_string().contains("encrypted")), "{came:?}");
            assert_eq!(kept().await, before);
        }
        assert_eq!(actions(&house, "metadata_offered").await.len(), 1, "told once");
        // Signed, but it may be an old one; then one that is not.
        let came = look(&house, &publisher, signed(&encrypting(&next, 10), &IDP)).await;
        assert!(matches!(&came, Look::Offered(why) if why.to_string().contains("older one")), "{came:?}");
        assert_eq!(kept().await, before);
        assert!(matches!(look(&house, &publisher, signed(&encrypting(&next, 11), &IDP)).await, Look::Same));
        assert_eq!(kept().await.1, Some(next.certificate.base64()));
    }
}

#[tokio::test]
async fn m15_no_document_promises_more_than_a_year_and_a_bit() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let far = signed(&listing(&[&IDP], Some(NOW.plus(DAY * 5_000))), &IDP);
    let publisher = Publisher::of(far.clone()).await;
    house.apply(&publisher.file("")).await;
    assert_eq!(valid_until(&house).await, Some(NOW.plus(DAY * 400)));
    look(&house, &publisher, far).await;
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
        let before = house.rows().await;
        let planned = house.plan(&publisher.file("")).await;
        assert_eq!(house.rows().await, before, "a plan writes nothing");
        assert_eq!(planned, ["~ connection p: state \"disabled\" → \"active\""]);
        assert_eq!(house.apply(&publisher.file("")).await, planned, "what is planned is what happens");
        assert!(house.connection("p").await.is_active());
        assert_eq!((unusable(&house).await, valid_until(&house).await), (None, until(30)));
    }
}

#[tokio::test]
async fn m15_a_file_that_takes_a_key_from_a_connection_that_it_switches_off_tells_that_what_was_live_is_kept()
{
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let typed = |idp: &Idp, more: &str| {
            let certificate = idp.certificate.base64();
            format!(
                "[connection.p]\ntype = \"saml\"\nidp_entity_id = \"{ENTITY}\"\nidp_redirect_url = \"{SSO}\"\n\
                 idp_x509_certificate = \"{certificate}\"\n{more}"
            )
        };
        house.apply(&typed(&IDP, "")).await;
        let off = typed(&OTHER_IDP, "state = \"disabled\"\n");
        let report = house.try_to(&off, Mode::Apply).await.unwrap();
        assert!(report.warnings[0].contains("what was live is kept"), "{:?}", report.warnings);
        assert_eq!(certificates(&house).await, [IDP.certificate.base64()]);
        assert!(!house.connection("p").await.is_active());
        let report = house.try_to(&typed(&OTHER_IDP, ""), Mode::Apply).await.unwrap();
        assert_eq!(report.warnings, [""; 0]);
        assert_eq!(certificates(&house).await, [OTHER_IDP.certificate.base64()]);
    }
}
