//! H12: whoever may try often learns nothing from how it fails, and takes nothing from those who do not fail.
//!
//! That the time tells nothing either is shown by `cargo bench -- --only timing`.

use std::time::Duration;

use behalf::protocol::saml::encryption::{Cipher, Oaep};
use behalf::store::ephemeral::Kind;

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{Before, House, Plan};
use crate::house::forgery::Scene;
use crate::house::lying_saml_idp::{Asked, LyingSamlIdp, Says, Signs, encrypted_to, new_id, posts};
use crate::house::surgery::{element, swap_all, within};
use crate::house::visitor::Answer;

/// What can be told from an answer, but for the number that can be quoted.
fn told(answer: &Answer) -> (u16, String, Vec<String>) {
    let number = answer.header("x-request-id").unwrap();
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort_unstable();
    (answer.status.as_u16(), answer.body.replace(number, ""), names)
}

/// The same with one character of a value changed: still base64, still as long.
fn bent(xml: &str, local: &str, which: usize) -> String {
    let open = xml.match_indices(&format!("<xenc:{local}>")).nth(which).unwrap().0 + local.len() + 7;
    let at = open + 20;
    let other = if xml.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &xml[..at], &xml[at + 1..])
}

#[tokio::test]
async fn h12_every_class_of_failure_is_answered_alike() {
    let mut scene = Scene::opens().await;
    let says = || scene.says().signing(Signs::Assertion);
    let encrypted = scene.idp().answers(&scene.asked, &says().encrypting(Cipher::Aes256Gcm));
    let unsigned = {
        let plain = scene.idp().plain(&scene.asked, &says());
        let assertion = element(&plain, "Assertion").to_owned();
        let hidden = encrypted_to(&scene.asked.encryption, &assertion, Cipher::Aes256Gcm, Oaep::Mgf1p);
        plain.replacen(&assertion, &hidden, 1)
    };
    let noise = {
        let hidden = encrypted_to(&scene.asked.encryption, "no XML at all", Cipher::Aes256Gcm, Oaep::Mgf1p);
        within(&encrypted, "EncryptedAssertion", |_| hidden)
    };
    let rsa_1_5 = encrypted.replacen(
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
        1,
    );
    // CBC, in a response that nobody signed: it is not even opened.
    let padding = scene.idp().answers(&scene.asked, &says().encrypting(Cipher::Aes256Cbc));
    let strange = swap_all(&scene.honest(), &scene.asked.id, "_flow_00000000000000000000000000.0");
    let signature = scene.signed_after(|xml| xml).replacen("id-of-bob", "id-of-owner", 1);
    let classes = [
        ("bad OAEP", bent(&encrypted, "CipherValue", 0)),
        ("bad tag", bent(&encrypted, "CipherValue", 1)),
        ("bad padding", bent(&padding, "CipherValue", 1)),
        ("RSA 1.5", rsa_1_5),
        ("bad XML", noise),
        ("good but unsigned", unsigned),
        ("bad signature", signature),
        ("unknown flow", strange),
    ];
    let mut first = None;
    for (name, xml) in classes {
        let before = scene.house.before().await;
        let answer = posts(&mut scene.bob.browser, &scene.asked, &xml).await;
        scene.house.unchanged(&before).await;
        assert_eq!(answer.status, 403, "{name}");
        let told = told(&answer);
        assert_eq!(*first.get_or_insert_with(|| told.clone()), told, "{name}");
    }
    scene.ends_well().await;
}

/// What administrators are told of a refusal, too: they may be somebody else's than the one whose message it was.
async fn diagnosed(scene: &mut Scene, xml: &str) -> (Vec<String>, (u16, String, Vec<String>)) {
    diagnosed_at(&scene.house, &mut scene.bob, &scene.asked, xml).await
}

async fn diagnosed_at(
    house: &House,
    person: &mut Person,
    asked: &Asked,
    xml: &str,
) -> (Vec<String>, (u16, String, Vec<String>)) {
    let before = house.before().await;
    let answer = posts(&mut person.browser, asked, xml).await;
    house.unchanged(&before).await;
    let events = house.events_since(&before).await;
    let facts = ["check", "expected", "found"].map(|name| events[0].detail[name].to_string());
    let (status, body, headers) = told(&answer);
    let flow = asked.id.trim_start_matches('_').split('.').next().unwrap();
    (facts.to_vec(), (status, body.replace(flow, ""), headers))
}

#[tokio::test]
async fn h12_who_can_sign_a_response_learns_nothing_of_an_assertion_that_is_somebody_elses() {
    let house = Plan::default().with_saml("ca", "").with_saml("cb", "").build().await;
    let (ours, theirs, rp1) = (house.saml("ca"), house.saml("cb"), Application::rp1(&house));
    let bobs = Person::new("bob@b.test").leaves_for(&house, "cb", &rp1.asks()).await;
    let mut first = None;
    for (signs, cipher) in [
        (Signs::Response, Cipher::Aes256Gcm),
        (Signs::Response, Cipher::Aes128Cbc),
        (Signs::Response, Cipher::Aes256Cbc),
        (Signs::Nothing, Cipher::Aes256Gcm),
    ] {
        let (ask, mut ann) = (rp1.asks(), Person::new("ann@a.test"));
        let asked = ann.leaves_for(&house, "ca", &ask).await;
        // What their provider said of Bob, signed and not; the same with a changed nonce; and what is no assertion.
        let caught = |signed| {
            let says = Says::that("bob@b.test").signing(signed).encrypting(cipher);
            element(&theirs.answers(&bobs, &says), "EncryptedAssertion").to_owned()
        };
        let noise = encrypted_to(&asked.encryption, "no XML at all", cipher, Oaep::Mgf1p);
        let signed = caught(Signs::Assertion);
        let unsigned = caught(Signs::Nothing);
        for hidden in
            [&noise, &signed, &unsigned, &bent(&signed, "CipherValue", 1), &bent(&unsigned, "CipherValue", 1)]
        {
            let xml = ours.answers_after(&asked, &Says::that("ann@a.test").signing(signs), |xml| {
                xml.replacen(&element(&xml, "Assertion").to_owned(), hidden, 1)
            });
            let told = diagnosed_at(&house, &mut ann, &asked, &xml).await;
            assert!(told.0[0].contains("undecryptable") && !told.0.concat().contains("idp-cb"), "{told:?}");
            assert_eq!(*first.get_or_insert_with(|| told.clone()), told, "{signs:?} {cipher:?}");
        }
        // None of it was in vain for Ann.
        let own = Says::that("ann@a.test").encrypting(Cipher::Aes256Gcm);
        let arrival = ann.returns(&ask, &asked, ours.answers(&asked, &own)).await;
        assert_eq!(ask.redeems(&arrival).await.id["email"], "ann@a.test");
    }
}

#[tokio::test]
async fn h12_within_a_signed_response_nobody_learns_whether_a_padding_was_good() {
    // The provider signs what somebody else's message held: its key does not make it a good one.
    let of = |scene: &Scene, cipher: Cipher, text: &str, is_bent: bool| {
        let hidden = encrypted_to(&scene.asked.encryption, text, cipher, Oaep::Mgf1p);
        let hidden = if is_bent { bent(&hidden, "CipherValue", 1) } else { hidden };
        scene.signed_after_response(|xml| {
            let assertion = element(&xml, "Assertion").to_owned();
            xml.replacen(&assertion, &hidden, 1)
        })
    };
    let texts = ["no XML at all", "<a/>", "<a", "", "<saml:Assertion xmlns:saml=\"urn:x\"/>"];
    let mut first = None;
    for cipher in [Cipher::Aes128Cbc, Cipher::Aes256Cbc, Cipher::Aes256Gcm] {
        for is_bent in [false, true] {
            let mut scene = Scene::opens().await;
            for text in texts {
                let xml = of(&scene, cipher, text, is_bent);
                let told = diagnosed(&mut scene, &xml).await;
                assert!(told.0[0].contains("undecryptable"), "{told:?}");
                assert_eq!(*first.get_or_insert_with(|| told.clone()), told, "{cipher:?} {is_bent} {text}");
            }
        }
    }
}

#[tokio::test]
async fn h12_a_name_is_not_opened_by_a_key_that_opens_others_messages() {
    let name = |value: &str| {
        format!("<saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{value}</saml:NameID>")
    };
    let mut scene = Scene::opens().await;
    let mut first = None;
    for (cipher, text) in [
        (Cipher::Aes256Gcm, name("bob@b.test")),
        (Cipher::Aes128Cbc, name("bob@b.test")),
        (Cipher::Aes128Cbc, "no XML at all".to_owned()),
    ] {
        let data = encrypted_to(&scene.asked.encryption, &text, cipher, Oaep::Mgf1p);
        let data = element(&data, "EncryptedData").to_owned();
        let xml = scene.signed_after(|xml| {
            let plain = element(&xml, "NameID").to_owned();
            xml.replacen(&plain, &format!("<saml:EncryptedID>{data}</saml:EncryptedID>"), 1)
        });
        let told = diagnosed(&mut scene, &xml).await;
        assert!(told.0[0].contains("undecryptable"), "{told:?}");
        assert_eq!(*first.get_or_insert_with(|| told.clone()), told);
    }
    scene.ends_well().await;
}

/// A house whose connection makes a round trip of what nobody had asked for.
async fn led_by_a_round_trip() -> House {
    let more = "idp_initiated = \"round_trip\"\ndefault_application = \"rp1\"\n";
    let plan = Plan::default().with_saml("cb", more);
    let plan = plan.with(
        "redirect_uris = [\"https://rp1.test/callback\"]",
        "redirect_uris = [\"https://rp1.test/callback\"]\ninitiate_login_uri = \"https://rp1.test/login\"",
    );
    plan.build().await
}

/// What Bob's provider says, encrypted, that nobody had asked for.
fn unsolicited(idp: &LyingSamlIdp, asked: &Asked) -> String {
    idp.answers_after(asked, &Says::that("bob@b.test").encrypting(Cipher::Aes256Gcm), |xml| {
        xml.replace(&format!(" InResponseTo=\"{}\"", asked.id), "")
    })
}

/// Bob, sent away; and a network that posts what cannot be opened.
fn unopened(idp: &LyingSamlIdp, asked: &Asked) -> String {
    bent(&idp.answers(asked, &Says::that("bob@b.test").encrypting(Cipher::Aes256Gcm)), "CipherValue", 1)
}

#[tokio::test]
async fn h12_failures_are_limited_and_lock_nobody_out_who_was_sent_away() {
    let house = led_by_a_round_trip().await;
    let (idp, rp1) = (house.saml("cb"), Application::rp1(&house));
    let mut stranger = Person::new("mallory@b.test");
    let asked = idp.unasked(&house, "cb").await;
    let (xml, honest) = (unopened(idp, &asked), unsolicited(idp, &asked));
    for number in 0..120 {
        assert_eq!(posts(&mut stranger.browser, &asked, &honest).await.status, 303, "{number}");
        let told = posts(&mut stranger.browser, &asked, &xml).await.status;
        assert_eq!(told, if number < 30 { 403 } else { 429 }, "{number}");
    }
    let before = house.before().await;
    assert_eq!(posts(&mut stranger.browser, &asked, &honest).await.status, 429, "it is not opened");
    house.unchanged(&before).await;
    // From the same network.
    let says = Says::that("bob@b.test").encrypting(Cipher::Aes256Gcm);
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
    ask.redeems(&arrival).await;
    // Who is sent away has a few tries.
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let xml = unopened(idp, &asked);
    for _ in 0..6 {
        assert_eq!(posts(&mut bob.browser, &asked, &xml).await.status, 403);
    }
    assert_eq!(posts(&mut bob.browser, &asked, &xml).await.status, 429);
    // And no more, however long they wait.
    house.turn_clock(61);
    assert_eq!(posts(&mut bob.browser, &asked, &xml).await.status, 429);
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
    ask.redeems(&arrival).await;
}

#[tokio::test]
async fn h12_many_flows_are_no_more_tries_than_one_network_has() {
    let house = Plan::saml().build().await;
    let (idp, rp1) = (house.saml("cb"), Application::rp1(&house));
    let mut opened = 0;
    'flows: for _ in 0..51 {
        let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let xml = unopened(idp, &asked);
        for _ in 0..6 {
            if posts(&mut bob.browser, &asked, &xml).await.status == 429 {
                break 'flows;
            }
            opened += 1;
        }
    }
    // And the first of the last flow. That nobody takes away from anybody, be they of the same network.
    assert_eq!(opened, 301);
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let says = Says::that("bob@b.test").encrypting(Cipher::Aes256Gcm);
    let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
    ask.redeems(&arrival).await;
}

#[tokio::test]
async fn h12_many_tries_at_once_are_no_more_than_in_turn() {
    let house = Plan::saml().build().await;
    let (idp, ask) = (house.saml("cb"), Application::rp1(&house).asks());
    let mut bob = Person::new("bob@b.test");
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let xml = unopened(idp, &asked);
    let tries = (0..30).map(async |_| {
        let mut browser = Person::new("bob@b.test").browser;
        posts(&mut browser, &asked, &xml).await.status
    });
    let told = futures_util::future::join_all(tries).await;
    let count = |wanted: u16| told.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(403), count(429)), (6, 24), "{told:?}");
}

#[tokio::test]
async fn h12_a_failure_that_nobody_signed_reads_like_any_forgery() {
    let mut scene = Scene::opens().await;
    let failed = scene.idp().plain(&scene.asked, &scene.says()).replace("status:Success", "status:Responder");
    assert!(failed.contains("status:Responder") && !failed.contains("SignatureValue"));
    let honest = scene.honest();
    let forged = honest.replacen("<ds:SignatureValue>", "<ds:SignatureValue>AAAA", 1);
    let unsigned = scene.idp().plain(&scene.asked, &scene.says());
    let mut answers = Vec::new();
    for (xml, reasons) in [
        (failed, ["status_unsigned", ""]),
        (forged, ["signature_invalid", "signature_profile"]),
        (unsigned, ["signature_missing", ""]),
    ] {
        let before = scene.house.before().await;
        answers.push(told(&posts(&mut scene.bob.browser, &scene.asked, &xml).await));
        scene.house.refused_for_one_of(&before, &reasons).await;
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert_eq!(answers[0].0, 403);
    scene.ends_well().await;
}

#[tokio::test]
async fn h12_a_company_that_comes_all_at_once_is_let_in() {
    let house = led_by_a_round_trip().await;
    let (idp, mut browser) = (house.saml("cb"), Person::new("bob@b.test").browser);
    let asked = idp.unasked(&house, "cb").await;
    let honest = unsolicited(idp, &asked);
    for number in 0..130 {
        let answer = posts(&mut browser, &asked, &honest).await;
        assert_eq!(answer.status, 303, "{number}: {}", answer.body);
    }
}

#[tokio::test]
async fn m09_the_administrator_of_a_connection_that_is_not_in_use_sees_that_somebody_came() {
    let mut scene = Scene::opens().await;
    let honest = scene.honest();
    for (change, found) in [
        ("UPDATE connections SET state = 'draft' WHERE slug = 'cb'", "draft"),
        ("UPDATE connections SET state = 'disabled' WHERE slug = 'cb'", "disabled"),
    ] {
        scene.house.execute(change).await;
        let before = scene.house.before().await;
        let answer = posts(&mut scene.bob.browser, &scene.asked, &honest).await;
        assert_eq!(answer.status, 403);
        scene.house.refused(&before, "connection").await;
        let events = scene.house.events_since(&before).await;
        let connection = scene.house.connection("cb").await;
        assert_eq!(events[0].detail["connection"], connection.as_str());
        assert_eq!(
            (events[0].detail["check"].as_str(), events[0].detail["found"].as_str()),
            (Some("connection"), Some(found))
        );
        assert!(events[0].organization.is_some());
    }
    scene.house.execute("UPDATE connections SET state = 'active'").await;
    scene.ends_well().await;
}

#[tokio::test]
async fn m09_of_a_long_message_the_beginning_is_kept() {
    let scene = Scene::opens().await;
    let groups: Vec<_> = (0..600).map(|number| format!("group {number}")).collect();
    let groups: Vec<_> = groups.iter().map(String::as_str).collect();
    let says = scene.says().attribute("memberOf", &groups);
    let xml = scene.idp().answers(&scene.asked, &says).replacen("id-of-bob", "id-of-owner", 1);
    let xml = swap_all(&xml, "bob@b.test", "bo@b.test");
    let before = scene.house.before().await;
    let mut browser = Person::new("bob@b.test").browser;
    assert_eq!(posts(&mut browser, &scene.asked, &xml).await.status, 403);
    let shown = message(&scene.house, &before).await.unwrap();
    assert!(
        shown.starts_with("<Response") && shown.ends_with("more bytes]"),
        "{}",
        &shown[shown.len() - 60..]
    );
    assert!(shown.len() < 17 * 1024);
}

/// The redacted message that the one event since then shows.
async fn message(house: &House, before: &Before) -> Option<String> {
    let events = house.events_since(before).await;
    assert_eq!(events.len(), 1, "{events:?}");
    events[0].detail["message"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn m09_nobody_hides_from_the_administrator_why_an_answer_was_refused() {
    let house = Plan::saml().build().await;
    let idp = house.saml("cb");
    let mut stranger = Person::new("mallory@b.test").browser;
    let unasked = Asked { id: new_id(), ..idp.unasked(&house, "cb").await };
    for number in 0..25 {
        let before = house.before().await;
        assert_eq!(posts(&mut stranger, &unasked, "<a/>").await.status, 403);
        assert_eq!(message(&house, &before).await.is_some(), number < 20, "{number}");
    }
    // An answer to what was asked is shown all the same.
    let ask: Ask = Application::rp1(&house).asks();
    let mut bob = Person::new("bob@b.test");
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let xml = idp.answers_after(&asked, &Says::that("bob@b.test"), |xml| {
        xml.replace("</saml:Audience>", "x</saml:Audience>")
    });
    let before = house.before().await;
    assert_eq!(posts(&mut bob.browser, &asked, &xml).await.status, 403);
    let shown = message(&house, &before).await.unwrap_or_else(|| panic!("not shown"));
    assert!(shown.contains("<Response ") && !shown.contains("bob"), "{shown}");
}

#[tokio::test]
async fn m08_m09_nobody_switches_the_audit_trail_off_for_their_network() {
    let house = Plan::saml().build().await;
    let idp = house.saml("cb");
    let mut stranger = Person::new("mallory@b.test").browser;
    let unasked = Asked { id: new_id(), ..idp.unasked(&house, "cb").await };
    for _ in 0..30 {
        assert_eq!(posts(&mut stranger, &unasked, "<a/>").await.status, 403);
    }
    // More is not written down, which is told once.
    let before = house.before().await;
    for _ in 0..3 {
        let told = posts(&mut stranger, &unasked, "<a/>").await;
        assert_eq!((told.status.as_u16(), told.header("retry-after")), (429, Some("60")), "{}", told.body);
    }
    house.unchanged(&before).await;
    let events = house.events_since(&before).await;
    let told: Vec<_> = events.iter().map(|event| (event.action.as_str(), event.reason.as_deref())).collect();
    assert_eq!(told, [("audit.left_out", Some("too_many_events"))]);
    assert!(events[0].organization.is_some() && events[0].detail["action"] == "login.refused", "{events:?}");
    // What somebody waits for is written down all the same, as often as one login needs it.
    let ask = Application::rp1(&house).asks();
    let mut bob = Person::new("bob@b.test");
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let xml = idp.answers_after(&asked, &Says::that("bob@b.test"), |xml| {
        xml.replace("</saml:Audience>", "x</saml:Audience>")
    });
    for _ in 0..8 {
        let before = house.before().await;
        assert_eq!(posts(&mut bob.browser, &asked, &xml).await.status, 403);
        house.refused(&before, "audience").await;
    }
    // Even what nobody can read, if it comes from where they were sent.
    let before = house.before().await;
    assert_eq!(posts(&mut bob.browser, &asked, "no XML").await.status, 400);
    house.refused(&before, "malformed_saml").await;
    let arrival = bob.returns(&ask, &asked, idp.answers(&asked, &Says::that("bob@b.test"))).await;
    ask.redeems(&arrival).await;
    // So is what is found when they are back, by their own browser.
    let (ask, mut ann) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let before = house.before().await;
    let arrival = ann.signs_in_by(&house, "cb", &ask, &Says::that("ceo@a.test")).await;
    assert_eq!(arrival.status(), 403, "{}", arrival.told());
    house.refused(&before, "email_domain_not_allowed").await;
    // After a minute there is room again, and it is told again.
    house.turn_clock(61);
    let before = house.before().await;
    posts(&mut stranger, &unasked, "<a/>").await;
    house.told_refusal(&before, &["malformed_saml", "structure"]).await;
}

#[tokio::test]
async fn m08_one_login_writes_no_more_into_the_trail_than_it_needs() {
    let house = Plan::saml().build().await;
    let idp = house.saml("cb");
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let before = house.before().await;
    // Nothing but what anybody is given who goes away from here.
    let mut eve = Person::new("bob@b.test").browser;
    let mut told = Vec::new();
    for _ in 0..60 {
        told.push(posts(&mut eve, &asked, "<a/>").await.status.as_u16());
    }
    let of = |status: u16| told.iter().filter(|told| **told == status).count();
    // Its own room, and then that of strangers.
    assert_eq!((of(403), of(429)), (10 + 30, 20), "{told:?}");
    house.unchanged(&before).await;
    let events = house.events_since(&before).await;
    let refused = events.iter().filter(|event| event.action == "login.refused").count();
    assert_eq!((refused, events.len()), (40, 41), "more is told once");
    // Whoever else was sent away from that network hides nothing by it.
    let mut bea = Person::new("bea@b.test");
    let other = bea.leaves_for(&house, "cb", &Application::rp1(&house).asks()).await;
    let before = house.before().await;
    assert_eq!(posts(&mut bea.browser, &other, "no XML").await.status, 400);
    house.refused(&before, "malformed_saml").await;
    // And the answer itself is taken.
    let arrival = bob.returns(&ask, &asked, idp.answers(&asked, &Says::that("bob@b.test"))).await;
    ask.redeems(&arrival).await;
}

/// Whoever is sent away from the same network as many others hears what is wrong with their own answer.
#[tokio::test]
async fn m09_a_first_refusal_is_told_and_written_whatever_others_bring_from_beside_it() {
    let house = Plan::saml().build().await;
    let idp = house.saml("cb");
    let rp1 = Application::rp1(&house);
    for _ in 0..31 {
        let asked = Person::new("mallory@b.test").leaves_for(&house, "cb", &rp1.asks()).await;
        let mut stranger = Person::new("mallory@b.test").browser;
        for _ in 0..11 {
            posts(&mut stranger, &asked, "<a/>").await;
        }
    }
    let refused = async || {
        let mut bob = Person::new("bob@b.test");
        let asked = bob.leaves_for(&house, "cb", &rp1.asks()).await;
        let xml = idp.answers_after(&asked, &Says::that("bob@b.test"), |xml| {
            xml.replace("</saml:Audience>", "x</saml:Audience>")
        });
        let before = house.before().await;
        (posts(&mut bob.browser, &asked, &xml).await, before)
    };
    let (told, before) = refused().await;
    assert_eq!(told.status, 403, "{}", told.body);
    house.refused(&before, "audience").await;
    let reference = told.header("x-request-id").unwrap();
    assert!(told.body.contains(reference), "{}", told.body);
    assert_eq!(
        house.count(&format!("audit_events WHERE request_id = '{reference}'")).await,
        1,
        "it is found"
    );
    // Rows have an end, however many networks there are. Then the page says that there is none, and why.
    let id = house.connection("cb").await;
    for _ in 0..1_000 {
        let key = format!("refused first {id}");
        house.broker.ephemeral.count(Kind::RateCounter, &key, Duration::from_secs(60)).await.unwrap();
    }
    let (told, before) = refused().await;
    assert_eq!(told.status, 403, "{}", told.body);
    house.unchanged(&before).await;
    assert!(told.body.contains("was not written down") && !told.body.contains("req_"), "{}", told.body);
    assert!(house.events_since(&before).await.iter().all(|event| event.action == "audit.left_out"));
}

#[tokio::test]
async fn m08_many_networks_write_no_more_of_one_connection_than_a_sum_of_all() {
    let house = Plan::saml().build().await;
    let idp = house.saml("cb");
    let unasked = Asked { id: new_id(), ..idp.unasked(&house, "cb").await };
    let id = house.connection("cb").await;
    for _ in 0..300 {
        let key = format!("refused {id}");
        house.broker.ephemeral.count(Kind::RateCounter, &key, Duration::from_secs(60)).await.unwrap();
    }
    let before = house.before().await;
    let told = posts(&mut Person::new("mallory@b.test").browser, &unasked, "<a/>").await;
    assert_eq!(told.status, 429, "{}", told.body);
    assert!(!told.body.contains("req_"), "nobody would find it: {}", told.body);
    house.unchanged(&before).await;
    house.turn_clock(61);
    let before = house.before().await;
    let told = posts(&mut Person::new("mallory@b.test").browser, &unasked, "<a/>").await;
    assert_eq!(told.status, 403, "{}", told.body);
    house.told_refusal(&before, &["malformed_saml", "structure"]).await;
}
