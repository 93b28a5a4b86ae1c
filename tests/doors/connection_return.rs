//! A new version of a connection that lets nobody in is taken back, and nobody can bring that about who is not let in by
//! the provider (demands 4.2, threats H04).

use behalf::chores;
use behalf::config::Config;
use behalf::protocol::saml::encryption::Cipher;
use behalf::store::durable::connections;
use serde_json::json;

use crate::house::api::Api;
use crate::house::application::{Application, Arrival, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says;
use crate::house::lying_saml_idp::{LyingSamlIdp, Says as SamlSays, Signer, posts};
use crate::house::surgery::element;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

async fn version(house: &House, slug: &str) -> i64 {
    let sql = format!("SELECT CAST(version AS TEXT) FROM connections WHERE slug = '{slug}'");
    house.text(&sql).await.unwrap().parse().unwrap()
}

async fn look(house: &House) {
    chores::connections::look(&house.broker).await.unwrap();
}

async fn runs(house: &House, slug: &str) -> i64 {
    let sql = format!(
        "SELECT CAST(r.failures AS TEXT) FROM connection_runs r JOIN connections c
         ON c.id = r.connection_id AND c.version = r.version WHERE c.slug = '{slug}'"
    );
    house.text(&sql).await.map_or(0, |text| text.parse().unwrap())
}

/// Makes other settings live, tried by nobody.
async fn activates(house: &House, slug: &str, body: serde_json::Value) {
    let operator = Api::operator(house).await;
    let path = format!("/connections/{}", house.connection(slug).await);
    let drafted = operator.patch(&path, body).await;
    assert_eq!(drafted.status, 200, "{}", drafted.body);
    let live = operator.post(&format!("{path}/activate"), json!({"force": true})).await;
    assert_eq!(live.status, 200, "{}", live.body);
}

async fn comes(house: &House, says: Says) -> Arrival {
    house.idp_a.says(says);
    let ask = Application::rp1(house).asks().with("login_hint", "ann@a.test");
    Person::new("ann@a.test").follows(&ask).await
}

async fn comes_by_saml(house: &House, email: &str) -> Arrival {
    let ask = Application::rp1(house).asks().with("login_hint", email);
    Person::new(email).signs_in_by(house, "cb", &ask, &SamlSays::that(email)).await
}

/// Those who have come by the connection before: whoever is not among them takes back nothing that is believed otherwise.
async fn people_come(house: &House) {
    for email in ["bob@b.test", "bea@b.test", "ben@b.test"] {
        comes_by_saml(house, email).await.code();
    }
    look(house).await;
}

/// The address is looked for where it is not.
async fn breaks_the_mapping(house: &House, attribute: &str) {
    activates(house, "cb", json!({"attributes": {"email": [attribute]}})).await;
}

async fn told(house: &House, kind: &str) -> Option<String> {
    house.text(&format!("SELECT recipient FROM mails WHERE kind = '{kind}'")).await
}

#[tokio::test]
async fn h04_a_version_with_a_wrong_mapping_goes_back_to_what_worked() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        people_come(&house).await;
        let before = version(&house, "cb").await;
        breaks_the_mapping(&house, "displayName").await;
        let bad = version(&house, "cb").await;
        assert!(bad > before);
        for email in ["bob@b.test", "bea@b.test", "bob@b.test", "ben@b.test"] {
            assert_eq!(comes_by_saml(&house, email).await.status(), 403);
            look(&house).await;
            assert_eq!(version(&house, "cb").await, bad, "not yet");
        }
        assert_eq!(comes_by_saml(&house, "bea@b.test").await.status(), 403);
        look(&house).await;
        let back = version(&house, "cb").await;
        assert!(back > bad, "numbers only grow");
        comes_by_saml(&house, "bob@b.test").await.code();
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == "organization.connection.rolled_back").unwrap();
        assert_eq!((event.actor.as_str(), &event.detail["version_before"]), ("house", &json!(bad)));
        assert!(event.detail["why"].as_str().unwrap().contains("could not sign in"), "{event:?}");
        assert_eq!(told(&house, "connection_rolled_back").await.as_deref(), Some("bob@b.test"), "its owner");
        // Once: what came back has nothing to go back to.
        look(&house).await;
        assert_eq!(version(&house, "cb").await, back);
    }
}

#[tokio::test]
async fn c05_h04_a_key_that_was_taken_away_does_not_come_back_by_the_word_of_who_has_it() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        people_come(&house).await;
        let newer = LyingSamlIdp::new("cb", house.clock.clone());
        activates(&house, "cb", json!({"metadata_xml": newer.metadata()})).await;
        let live = version(&house, "cb").await;
        let before = house.before().await;
        // The thief has the former key: of people who are known and of people who are not.
        for email in ["bob@b.test", "bea@b.test", "ben@b.test", "a1@b.test", "a2@b.test", "a3@b.test"] {
            assert_eq!(comes_by_saml(&house, email).await.status(), 403, "{email}");
        }
        house.unchanged(&before).await;
        assert_eq!(told(&house, "connection_failing").await, None);
        for _ in 0..2 {
            look(&house).await;
            assert_eq!(version(&house, "cb").await, live, "the key stays away");
        }
        assert_eq!(comes_by_saml(&house, "bob@b.test").await.status(), 403, "and so does who has it");
        assert_eq!(house.events_of("organization.connection.rolled_back").await, 0);
        // It may as well have been a mistake: its owner is told, once, and decides.
        assert_eq!(house.events_of("organization.connection.return_offered").await, 1);
        assert_eq!(told(&house, "connection_failing").await.as_deref(), Some("bob@b.test"));
        let path = format!("/connections/{}/rollback", house.connection("cb").await);
        let back = Api::operator(&house).await.post(&path, json!({})).await;
        assert_eq!(back.status, 200, "{}", back.body);
        comes_by_saml(&house, "bob@b.test").await.code();
    }
}

/// For two recipients.
fn twice(xml: String) -> String {
    let key = element(&xml, "EncryptedKey").to_owned();
    xml.replacen(&key, &format!("{key}{key}"), 1)
}

#[tokio::test]
async fn m10_h04_what_is_larger_than_any_answer_or_for_many_recipients_is_not_read_twice() {
    let house = Plan::saml().build().await;
    people_come(&house).await;
    let newer = LyingSamlIdp::new("cb", house.clock.clone());
    activates(&house, "cb", json!({"metadata_xml": newer.metadata()})).await;
    let befalls = async |email: &str, says: SamlSays, change: fn(String) -> String| {
        let ask = Application::rp1(&house).asks().with("login_hint", email);
        let mut person = Person::new(email);
        let asked = person.leaves_for(&house, "cb", &ask).await;
        let xml = change(house.saml("cb").answers(&asked, &says));
        assert_eq!(posts(&mut person.browser, &asked, xml).await.status, 403);
        runs(&house, "cb").await
    };
    let hidden = |email| SamlSays::that(email).encrypting(Cipher::Aes256Gcm);
    assert_eq!(befalls("bob@b.test", hidden("bob@b.test"), |xml| xml).await, 1);
    assert_eq!(befalls("bea@b.test", hidden("bea@b.test"), twice).await, 1);
    let padded =
        |xml: String| xml.replacen("</saml:Issuer>", &format!("</saml:Issuer>{}", " ".repeat(66_000)), 1);
    assert_eq!(befalls("bea@b.test", SamlSays::that("bea@b.test"), padded).await, 1);
    assert_eq!(befalls("bea@b.test", SamlSays::that("bea@b.test"), |xml| xml).await, 2);
}

#[tokio::test]
async fn h04_no_rule_is_taken_back_by_those_whom_it_keeps_out() {
    for (rule, status) in [
        (json!({"required_attributes": {"displayName": ["nobody"]}}), 403),
        (json!({"authn_context": {"classes": ["urn:x"], "comparison": "exact"}}), 403),
        (json!({"want_signed": "both"}), 403),
        (json!({"name_id_format": "email_address"}), 403),
    ] {
        let house = Plan::saml().build().await;
        people_come(&house).await;
        activates(&house, "cb", rule.clone()).await;
        let live = version(&house, "cb").await;
        for email in ["bob@b.test", "bea@b.test", "bob@b.test", "ben@b.test", "bea@b.test"] {
            assert_eq!(comes_by_saml(&house, email).await.status(), status, "{rule}");
        }
        look(&house).await;
        assert_eq!(version(&house, "cb").await, live, "{rule}");
        assert_eq!(told(&house, "connection_failing").await.as_deref(), Some("bob@b.test"), "{rule}");
    }
}

#[tokio::test]
async fn h04_what_a_word_is_taken_for_is_taken_back_by_those_alone_who_are_known() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        people_come(&house).await;
        breaks_the_mapping(&house, "displayName").await;
        let live = version(&house, "cb").await;
        for email in ["a1@b.test", "a2@b.test", "a3@b.test", "a4@b.test", "bob@b.test", "bea@b.test"] {
            assert_eq!(comes_by_saml(&house, email).await.status(), 403);
        }
        look(&house).await;
        assert_eq!(version(&house, "cb").await, live, "two of the known, and strangers");
        assert_eq!(comes_by_saml(&house, "ben@b.test").await.status(), 403);
        look(&house).await;
        assert!(version(&house, "cb").await > live);
        comes_by_saml(&house, "bob@b.test").await.code();
    }
}

#[tokio::test]
async fn h04_of_two_versions_in_a_row_that_let_nobody_in_neither_hides_the_one_that_worked() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        people_come(&house).await;
        let mapping = async || {
            let settings = house.text("SELECT settings FROM connections WHERE slug = 'cb'").await.unwrap();
            let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
            settings["upstream"].clone()
        };
        let worked = mapping().await;
        let fail = async || {
            for email in ["bob@b.test", "bea@b.test", "bob@b.test", "ben@b.test", "bea@b.test"] {
                assert_eq!(comes_by_saml(&house, email).await.status(), 403);
            }
            look(&house).await;
        };
        breaks_the_mapping(&house, "displayName").await;
        house.turn_clock(3_600);
        breaks_the_mapping(&house, "groups").await;
        fail().await;
        assert_eq!(mapping().await, worked);
        // Nobody has come by it since it is back: that it works is known.
        house.turn_clock(3_600);
        breaks_the_mapping(&house, "groups").await;
        fail().await;
        assert_eq!(mapping().await, worked);
        comes_by_saml(&house, "bob@b.test").await.code();
        assert_eq!(house.events_of("organization.connection.rolled_back").await, 2);
    }
}

#[tokio::test]
async fn h04_what_was_live_for_a_day_is_what_there_is_to_return_to_whoever_came_by_it() {
    let house = Plan::saml().build().await;
    people_come(&house).await;
    for (attribute, wait) in [("displayName", 86_401), ("groups", 60)] {
        breaks_the_mapping(&house, attribute).await;
        house.turn_clock(wait);
    }
    let live = version(&house, "cb").await;
    for email in ["bob@b.test", "bea@b.test", "bob@b.test", "ben@b.test", "bea@b.test"] {
        assert_eq!(comes_by_saml(&house, email).await.status(), 403);
    }
    look(&house).await;
    assert_eq!(version(&house, "cb").await, live, "whom nobody should trust any more is not trusted again");
}

#[tokio::test]
async fn h04_a_version_with_a_wrong_secret_goes_back_to_what_worked() {
    let behind_a_proxy: fn(&mut Config) =
        |config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let house = Plan { settings: behind_a_proxy, ..Plan::default() }.build().await;
    comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
    activates(&house, "ca", json!({"client_secret": "of somebody else, and quite long enough"})).await;
    let bad = version(&house, "ca").await;
    // Nobody knows who they are, for the provider does not say, under the secret of before either: so it is networks that
    // count.
    let comes_from = async |address: &str| {
        house.idp_a.says(Says::truth().response("code", Some("made-up")));
        let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
        let mut person = Person::new("ann@a.test");
        let back = person.is_sent_back(&ask).await;
        let forwarded = |request: reqwest::RequestBuilder| request.header("x-forwarded-for", address);
        let refused = person.browser.request(reqwest::Method::GET, back.as_str(), forwarded).await;
        assert_eq!(refused.status, 401, "{}", refused.body);
    };
    for number in 1..=6 {
        comes_from(&format!("192.0.2.{number}")).await;
    }
    comes_from("198.51.100.7").await;
    assert_eq!(runs(&house, "ca").await, 7);
    look(&house).await;
    assert_eq!(version(&house, "ca").await, bad, "two networks may be one person");
    comes_from("203.0.113.7").await;
    look(&house).await;
    assert!(version(&house, "ca").await > bad);
    comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
}

#[tokio::test]
async fn h04_people_who_share_a_network_count_each_and_a_stranger_who_is_all_of_them_does_not() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
        activates(&house, "ca", json!({"client_secret": "of somebody else, and quite long enough"})).await;
        let bad = version(&house, "ca").await;
        let sessions = house.count("sessions").await;
        // Whoever makes up codes, whomever they claim to be.
        for number in 0..9 {
            let says = Says::truth().response("code", Some("made-up"));
            house.idp_a.says(says);
            let email = format!("person{number}@a.test");
            let ask = Application::rp1(&house).asks().with("login_hint", &email);
            assert_eq!(Person::new(&email).follows(&ask).await.status(), 401);
        }
        // And one of the people, however often they come.
        for _ in 0..3 {
            assert_eq!(comes(&house, Says::that("sub-ann", "ann@a.test")).await.status(), 401);
        }
        look(&house).await;
        assert_eq!(version(&house, "ca").await, bad, "one network, and one person");
        // The provider names another one, as it did before.
        assert_eq!(comes(&house, Says::that("sub-con", "con@a.test")).await.status(), 401);
        look(&house).await;
        assert!(version(&house, "ca").await > bad);
        assert_eq!(house.count("sessions").await, sessions, "nobody was let in by that");
        comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
    }
}

#[tokio::test]
async fn h04_nobody_takes_a_version_back_with_what_they_make_up() {
    let house = Plan::saml().build().await;
    comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
    comes_by_saml(&house, "bob@b.test").await.code();
    activates(&house, "ca", json!({"leeway": 90})).await;
    activates(&house, "cb", json!({"leeway": 90})).await;
    let (ca, cb) = (version(&house, "ca").await, version(&house, "cb").await);
    let stranger = LyingSamlIdp::new("cb", house.clock.clone());
    for number in 0..8 {
        // Codes that nobody gave out, answers without one, errors, and states of one's own.
        for says in [
            Says::truth().response("code", Some("made-up")),
            Says::truth().response("code", None),
            Says::truth().response("error", Some("server_error")),
            Says::truth().response("iss", Some("https://evil.test")),
        ] {
            assert!(comes(&house, says).await.status() >= 400);
        }
        // Answers to questions of ours, signed by somebody else, by nobody, or of no sense.
        let ask = Application::rp1(&house).asks().with("login_hint", "bob@b.test");
        let mut eve = Person::new("bob@b.test");
        let asked = eve.leaves_for(&house, "cb", &ask).await;
        let says = SamlSays::that(&format!("eve{number}@b.test"));
        for xml in [stranger.answers(&asked, &says), house.saml("cb").plain(&asked, &says), "<x/>".into()] {
            assert!(posts(&mut eve.browser, &asked, xml).await.status.is_client_error());
        }
    }
    assert_eq!((runs(&house, "ca").await, runs(&house, "cb").await), (0, 0), "none of it counts");
    look(&house).await;
    assert_eq!((version(&house, "ca").await, version(&house, "cb").await), (ca, cb));
}

#[tokio::test]
async fn h04_one_person_alone_takes_nothing_back_however_often_they_come() {
    let house = Plan::saml().build().await;
    comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
    comes_by_saml(&house, "bob@b.test").await.code();
    activates(&house, "ca", json!({"leeway": 90})).await;
    activates(&house, "cb", json!({"leeway": 90})).await;
    let (ca, cb) = (version(&house, "ca").await, version(&house, "cb").await);
    for _ in 0..9 {
        assert_eq!(comes(&house, Says::that("sub-eve", "eve@elsewhere.test")).await.status(), 403);
        let ask = Application::rp1(&house).asks().with("login_hint", "bob@b.test");
        let says = SamlSays::that("eve@b.test").attribute("mail", &["eve@elsewhere.test"]);
        let arrival = Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &says).await;
        assert_eq!(arrival.status(), 403, "{}", arrival.told());
    }
    assert_eq!((runs(&house, "ca").await, runs(&house, "cb").await), (9, 9));
    look(&house).await;
    assert_eq!((version(&house, "ca").await, version(&house, "cb").await), (ca, cb));
}

#[tokio::test]
async fn h04_a_version_that_has_worked_or_is_a_day_old_stays() {
    let house = House::opens().await;
    comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
    let fail = async |house: &House| {
        for number in 0..6 {
            comes(house, Says::that(&format!("sub-{number}"), "x@elsewhere.test")).await;
        }
    };
    activates(&house, "ca", json!({"leeway": 90})).await;
    comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
    let worked = version(&house, "ca").await;
    fail(&house).await;
    look(&house).await;
    assert_eq!(version(&house, "ca").await, worked, "somebody got in by it");
    activates(&house, "ca", json!({"leeway": 91})).await;
    let old = version(&house, "ca").await;
    fail(&house).await;
    house.turn_clock(86_401);
    look(&house).await;
    assert_eq!(version(&house, "ca").await, old, "nobody watches it any more");
    // And what never worked is nothing to go back to.
    activates(&house, "ca", json!({"leeway": 92})).await;
    let new = version(&house, "ca").await;
    fail(&house).await;
    look(&house).await;
    assert_eq!(version(&house, "ca").await, new);
}

#[tokio::test]
async fn h04_a_version_that_has_worked_stays_though_it_has_another_number_by_now() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
        activates(&house, "ca", json!({"leeway": 90})).await;
        comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
        look(&house).await;
        let worked = version(&house, "ca").await;
        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}", house.connection("ca").await);
        let switches = async |how: &str| {
            let done = operator.send(reqwest::Method::POST, &format!("{path}/{how}"), |ask| ask).await;
            assert_eq!(done.status, 200, "{}", done.body);
        };
        let fails = async || {
            for number in 0..6 {
                let says = Says::that(&format!("sub-{number}"), "x@elsewhere.test");
                assert_eq!(comes(&house, says).await.status(), 403);
            }
            let before = version(&house, "ca").await;
            look(&house).await;
            assert_eq!(version(&house, "ca").await, before, "somebody got in by it");
        };
        switches("disable?force=true").await;
        switches("enable").await;
        assert!(version(&house, "ca").await > worked);
        fails().await;
        // Nor where all of the organization's were switched off with it.
        let (db, now) = (&house.broker.db, house.clock.now());
        let organization = house.organization("org-a").await.parse().unwrap();
        let off = db.write(async move |tx| connections::disable_all(tx, organization, now).await).await;
        assert_eq!(off.unwrap(), 1);
        switches("enable").await;
        fails().await;
        assert_eq!(house.events_of("organization.connection.rolled_back").await, 0);
    }
}

#[tokio::test]
async fn h01_h04_where_groups_are_read_does_not_come_back_by_itself() {
    let house = Plan::default().with_saml("cb", "").build().await;
    people_come(&house).await;
    activates(&house, "cb", json!({"attributes": {"email": ["displayName"], "groups": ["directory"]}})).await;
    for email in ["bob@b.test", "bea@b.test", "bob@b.test", "ben@b.test", "bea@b.test"] {
        assert_eq!(comes_by_saml(&house, email).await.status(), 403);
    }
    look(&house).await;
    comes_by_saml(&house, "bob@b.test").await.code();
    let settings = house.text("SELECT settings FROM connections WHERE slug = 'cb'").await.unwrap();
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    assert_eq!(settings["upstream"]["saml"]["attributes"]["groups"], json!(["directory"]));
    let trail = house.audit().await;
    let event = trail.iter().find(|event| event.action == "organization.connection.rolled_back").unwrap();
    assert_eq!(event.detail["withheld"], json!(["attributes.groups"]), "{event:?}");
}

/// What people get who come by it for the first time.
async fn default_roles(house: &House, slug: &str) -> serde_json::Value {
    let settings = house.text(&format!("SELECT settings FROM connections WHERE slug = '{slug}'")).await;
    let settings: serde_json::Value = serde_json::from_str(&settings.unwrap()).unwrap();
    settings["default_roles"].clone()
}

async fn makes_role(house: &House, body: serde_json::Value) -> String {
    let made = Api::operator(house).await.post("/roles", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    format!("/roles/{}", made.json()["id"].as_str().unwrap())
}

/// The first is what the next does not give, which nobody gets in by; then the role of that name is another one.
async fn gives_what_has_changed_since(house: &House) {
    let of_b = json!({"organization_id": "org-b", "name": "helper", "permissions": ["tickets:read"]});
    let helper = makes_role(house, of_b).await;
    makes_role(house, json!({"organization_id": "org-b", "name": "reader", "permissions": ["docs:read"]}))
        .await;
    activates(house, "cb", json!({"default_roles": ["helper", "reader"]})).await;
    people_come(house).await;
    house.turn_clock(60);
    activates(house, "cb", json!({"attributes": {"email": ["displayName"]}, "default_roles": []})).await;
    let path = format!("{helper}?force=true");
    let gone = Api::operator(house).await.send(reqwest::Method::DELETE, &path, |ask| ask).await;
    assert_eq!(gone.status, 204, "{}", gone.body);
}

#[tokio::test]
async fn h01_h04_what_comes_back_by_itself_gives_no_role_that_is_another_by_now() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        gives_what_has_changed_since(&house).await;
        makes_role(&house, json!({"name": "helper", "permissions": ["payments:write"]})).await;
        for email in ["bob@b.test", "bea@b.test", "bob@b.test", "ben@b.test", "bea@b.test"] {
            assert_eq!(comes_by_saml(&house, email).await.status(), 403);
        }
        assert_eq!(default_roles(&house, "cb").await, json!([]));
        look(&house).await;
        comes_by_saml(&house, "bob@b.test").await.code();
        assert_eq!(default_roles(&house, "cb").await, json!(["reader"]), "nobody has touched that one");
        let trail = house.audit().await;
        let event = trail.iter().find(|event| event.action == "organization.connection.rolled_back").unwrap();
        assert_eq!(event.detail["withheld"], json!(["helper"]), "{event:?}");
    }
}

#[tokio::test]
async fn h01_h04_nobody_takes_back_what_gives_more_than_they_may_give_now() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        gives_what_has_changed_since(&house).await;
        let path = format!("/connections/{}/rollback", house.connection("cb").await);
        let key = Api::key(&house, "org-b", &["connections:read", "connections:write", "docs:read"]).await;
        let operator = Api::operator(&house).await;
        let refuses = async |api: &Api, status: u16, code: &str| {
            let before = house.before().await;
            let refused = api.post(&path, json!({})).await;
            assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (status, &json!(code)));
            house.refused(&before, code).await;
        };
        // What is no more is nobody's to give.
        refuses(&operator, 422, "role_unknown").await;
        refuses(&key, 422, "role_unknown").await;
        let of_b = json!({"organization_id": "org-b", "name": "helper", "permissions": ["payments:write"]});
        makes_role(&house, of_b).await;
        refuses(&key, 403, "role_ceiling").await;
        let back = operator.post(&path, json!({})).await;
        assert_eq!(back.status, 200, "{}", back.body);
        assert_eq!(default_roles(&house, "cb").await, json!(["helper", "reader"]), "the operator's word");
    }
}

#[tokio::test]
async fn h04_nobody_but_the_operator_brings_people_into_further_organizations_again() {
    let house = House::opens().await;
    comes(&house, Says::that("sub-ann", "ann@a.test")).await.code();
    activates(&house, "ca", json!({"assign_organizations": ["org-c"]})).await;
    activates(&house, "ca", json!({"assign_organizations": []})).await;
    let path = format!("/connections/{}/rollback", house.connection("ca").await);
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let before = house.before().await;
    let further = json!({"version": version(&house, "ca").await - 1});
    let refused = ann.post(&path, further.clone()).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("operator_required")));
    house.refused(&before, "operator_required").await;
    assert_eq!(Api::operator(&house).await.post(&path, further).await.status, 200);
}

/// Whoever is believed from now on may sign everybody in: owners hear of it, also where the operator's file says so.
#[tokio::test]
async fn c02_owners_are_told_of_a_file_that_changes_whom_a_connection_believes() {
    for engine in ENGINES {
        let plan = Plan { engine, ..Plan::default() };
        let idp = LyingSamlIdp::new("cb", plan.clock.clone());
        let (old, next) = (idp.signer.certificate.base64(), Signer::new("next", idp.now()));
        let next = next.certificate.base64();
        let (one, both) = (format!("[\"{old}\"]"), format!("[\"{old}\", \"{next}\", \"{old}\"]"));
        let keys = format!(
            "idp_entity_id = \"{}\"\nidp_post_url = \"https://idp-cb.test/sso\"\nidp_x509_certificate = {one}\n",
            idp.entity_id
        );
        let mut plan = plan.with_saml_keys("cb", &keys);
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        comes_by_saml(&house, "bob@b.test").await.code();
        assert_eq!(told(&house, "connection_activated").await, None);
        house.provision(&house.file.replacen(&one, &both, 1)).await;
        assert_eq!(told(&house, "connection_activated").await.as_deref(), Some("bob@b.test"), "its owner");
        // Each once, in whatever order they are said.
        let path = format!("/connections/{}", house.connection("cb").await);
        let view = Api::operator(&house).await.get(&path).await.json();
        assert_eq!(view["idp"]["certificates"].as_array().unwrap().len(), 2, "{view}");
    }
}
