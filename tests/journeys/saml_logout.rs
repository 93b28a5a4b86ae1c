//! A SAML identity provider signs somebody out: whoever asks, what becomes of the sessions, and what is told.

use behalf::foundation::clock::Moment;
use behalf::protocol::saml::assertion::NameId;
use behalf::protocol::saml::binding::{Carried, post, redirect_url};
use behalf::protocol::saml::encryption::{Cipher, Ciphers, Oaep, decrypt, encrypt};
use behalf::protocol::saml::keys::{DecryptingKey, EncryptingKey, KeyKind};
use behalf::protocol::saml::logout::{RequestDraft, ResponseDraft};
use behalf::protocol::saml::names::{name_id, status};
use behalf::protocol::saml::signature::sign_enveloped;
use behalf::protocol::saml::status::Status;
use behalf::protocol::saml::xml::{Document, Limits};
use data_encoding::{BASE64, BASE64_MIME};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says, Signer, encrypted_to, new_id, posts};
use crate::house::publisher::Publisher;
use crate::house::surgery::{element, value};
use crate::house::visitor::{Answer, Visitor};

/// Metadata that offers single logout as well; and an id, so that it can be signed.
pub fn with_logout(metadata: &str) -> String {
    let offer = "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
                 Location=\"https://idp-cb.test/slo\"/><md:SingleSignOnService ";
    metadata.replacen("<md:SingleSignOnService ", offer, 1).replacen(" entityID=", " ID=\"_m1\" entityID=", 1)
}

pub fn plan(more: &str) -> Plan {
    let plan = Plan::default();
    let idp = LyingSamlIdp::new("cb", plan.clock.clone());
    let more = format!("single_logout = true\n{more}");
    let mut plan = plan.with_saml_metadata("cb", &with_logout(&idp.metadata()), &more);
    plan.saml.insert("cb".to_owned(), idp);
    plan
}

/// That Bob's session of this index ends; all of his, if none is named.
pub fn ends(house: &House, slo: &str, indexes: &[&str], signer: &Signer) -> String {
    let (id, xml) = unsigned(house, slo, indexes);
    sign_enveloped(&xml, &id, &signer.key, None).unwrap()
}

/// The same before it is signed, with its id.
pub fn unsigned(house: &House, slo: &str, indexes: &[&str]) -> (String, String) {
    unsigned_of(house, slo, &NameId::new("id-of-bob", name_id::PERSISTENT), indexes)
}

/// The same of somebody.
fn unsigned_of(house: &House, slo: &str, name_id: &NameId, indexes: &[&str]) -> (String, String) {
    let (id, now) = (new_id(), house.clock.now());
    let draft = RequestDraft {
        id: &id,
        issuer: &house.saml("cb").entity_id,
        destination: slo,
        name_id,
        session_indexes: indexes,
        not_on_or_after: None,
    };
    let xml = draft.write(now).unwrap();
    (id, xml)
}

pub async fn slo(house: &House) -> String {
    format!("{}/saml/{}/slo", house.url, house.connection("cb").await)
}

pub async fn brings(slo: &str, xml: &str) -> Answer {
    let message = BASE64.encode(xml.as_bytes());
    Visitor::arrives().post_form(slo, &[("SAMLRequest", &message)]).await
}

/// What the provider is answered.
pub fn answer(page: &Answer) -> String {
    let form = page.form_with("SAMLResponse");
    String::from_utf8(post::decode(form.value("SAMLResponse").unwrap()).unwrap()).unwrap()
}

pub async fn alive(house: &House) -> i64 {
    house.count("sessions WHERE ended_at IS NULL").await
}

#[tokio::test]
async fn a_logout_request_is_used_up_only_together_with_what_it_asks_for() {
    let house = plan("").build().await;
    let ask = Application::rp1(&house).asks();
    Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
    let slo = slo(&house).await;
    let request = ends(&house, &slo, &[], &house.saml("cb").signer);
    house
        .execute("CREATE TRIGGER broken BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'broken'); END")
        .await;
    let told = answer(&brings(&slo, &request).await);
    assert!(told.contains("status:Responder") && !told.contains("status:Success"), "{told}");
    assert_eq!(alive(&house).await, 1);
    // The same once more, when it can be done.
    house.execute("DROP TRIGGER broken").await;
    let told = answer(&brings(&slo, &request).await);
    assert!(told.contains("status:Success"), "{told}");
    assert_eq!(alive(&house).await, 0);
    let before = house.before().await;
    let told = answer(&brings(&slo, &request).await);
    assert!(told.contains("status:Requester") && told.contains("status:RequestDenied"), "{told}");
    house.refused(&before, "replayed").await;
}

const BYE: &str = "https://rp1.test/bye";

/// Where an application has people sent back to.
fn with_a_way_back() -> Plan {
    let registered = "redirect_uris = [\"https://rp1.test/callback\"]\n";
    let more = format!("{registered}post_logout_redirect_uris = [\"{BYE}\"]\n");
    plan("").with(registered, &more)
}

/// Bob signs in, and out at the application: his browser, and what the provider is asked.
async fn signs_out(house: &House) -> (Visitor, String) {
    let (ask, mut bob) = (Application::rp1(house).asks(), Person::new("bob@b.test"));
    let code_of_bob = bob.signs_in_by(house, "cb", &ask, &Says::that("bob@b.test")).await.code();
    let hint = ask.redemption(&code_of_bob).send().await.json()["id_token"].as_str().unwrap().to_owned();
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "s")];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let away = bob.browser.get(&format!("{}/logout?{query}", house.url)).await;
    let form = away.form_with("SAMLRequest");
    let asked = String::from_utf8(post::decode(form.value("SAMLRequest").unwrap()).unwrap()).unwrap();
    (bob.browser, asked)
}

/// How the provider says that it went, before it is signed, with its id.
fn answers_it(house: &House, slo: &str, request: &str, status: &Status) -> (String, String) {
    let id = new_id();
    let draft = ResponseDraft {
        id: &id,
        issuer: &house.saml("cb").entity_id,
        destination: slo,
        in_response_to: request,
        status,
    };
    let xml = draft.write(house.clock.now()).unwrap();
    (id, xml)
}

#[tokio::test]
async fn m03_an_upstream_sign_out_that_is_incomplete_is_told_before_anybody_goes_on() {
    let house = with_a_way_back().build().await;
    let slo = slo(&house).await;
    for (code, within, complete) in [
        (status::SUCCESS, None, true),
        (status::SUCCESS, Some(status::PARTIAL_LOGOUT), false),
        (status::RESPONDER, Some(status::PARTIAL_LOGOUT), false),
        (status::REQUESTER, None, false),
    ] {
        let (mut browser, asked) = signs_out(&house).await;
        let (id, xml) = answers_it(&house, &slo, value(&asked, "ID"), &Status::new(code, within));
        let xml = sign_enveloped(&xml, &id, &house.saml("cb").signer.key, None).unwrap();
        let incomplete = house.events_of("logout.incomplete").await;
        let answer = browser.post_form(&slo, &[("SAMLResponse", &BASE64.encode(xml.as_bytes()))]).await;
        let told = house.events_of("logout.incomplete").await - incomplete;
        if complete {
            assert_eq!(
                (answer.status, answer.header("location")),
                (StatusCode::SEE_OTHER, Some("https://rp1.test/bye?state=s"))
            );
            assert_eq!(told, 0);
        } else {
            assert_eq!(answer.status, 200, "{code} {within:?}");
            assert!(answer.body.contains("You may still be signed in at"), "{}", answer.body);
            assert!(answer.body.contains("rp1.test"), "{}", answer.body);
            assert_eq!(told, 1);
        }
        assert_eq!(alive(&house).await, 0);
    }
}

/// Entra ID signs no answer to a sign-out. It proves nothing, and the person is not stopped by it.
#[tokio::test]
async fn m03_an_answer_to_a_sign_out_that_nobody_signed_proves_nothing_and_stops_nobody() {
    let house = with_a_way_back().build().await;
    let slo = slo(&house).await;
    let (mut browser, asked) = signs_out(&house).await;
    let (id, xml) = answers_it(&house, &slo, value(&asked, "ID"), &Status::success());
    let signer = &house.saml("cb").signer;
    let by_redirect = redirect_url(&slo, Carried::Response, &xml, None, &signer.key).unwrap();
    let (unsigned, _) = by_redirect.as_str().split_once("&SigAlg=").unwrap();
    for by_post in [true, false] {
        let before = house.before().await;
        let answer = match by_post {
            true => browser.post_form(&slo, &[("SAMLResponse", &BASE64.encode(xml.as_bytes()))]).await,
            false => browser.get(unsigned).await,
        };
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.contains("You may still be signed in at"), "{}", answer.body);
        assert!(answer.body.contains("rp1.test&#x2f;bye"), "{}", answer.body);
        house.refused(&before, "signature_missing").await;
    }
    // Nobody else's word is taken for the provider's, and none that answers nothing of ours.
    let stranger = Signer::new("stranger", house.clock.now());
    let (other_id, other) = answers_it(&house, &slo, &new_id(), &Status::success());
    for (answer, reason) in [
        (sign_enveloped(&xml, &id, &stranger.key, None).unwrap(), "signature_invalid"),
        (other.clone(), "in_response_to"),
        (sign_enveloped(&other, &other_id, &signer.key, None).unwrap(), "in_response_to"),
    ] {
        let before = house.before().await;
        let page = browser.post_form(&slo, &[("SAMLResponse", &BASE64.encode(answer.as_bytes()))]).await;
        assert_eq!(page.status, 403, "{reason}: {}", page.body);
        assert!(!page.body.contains("rp1.test&#x2f;bye"), "{}", page.body);
        house.refused(&before, reason).await;
    }
    // Nothing was used up by it.
    let signed = sign_enveloped(&xml, &id, &signer.key, None).unwrap();
    let answer = browser.post_form(&slo, &[("SAMLResponse", &BASE64.encode(signed.as_bytes()))]).await;
    assert_eq!(answer.header("location"), Some("https://rp1.test/bye?state=s"), "{}", answer.body);
}

async fn a_proof_that_waits_ends(engine: Engine) {
    let mut plan = plan("");
    plan.engine = engine;
    let house = plan.build().await;
    let slo = slo(&house).await;
    let ask = Application::rp1(&house).asks();
    Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &of_session("his first")).await.code();
    for (indexes, is_meant) in [
        (&[][..], true),
        (&["session-of-bob"][..], true),
        (&["another"][..], false),
        (&["x", "session-of-bob"], true),
    ] {
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
        let led = posts(&mut bob.browser, &asked, &xml).await;
        assert_eq!(led.status, 303, "{}", led.body);
        house.turn_clock(1);
        let request = ends(&house, &slo, indexes, &house.saml("cb").signer);
        assert!(answer(&brings(&slo, &request).await).contains("status:Success"));
        let before = house.before().await;
        let arrival = bob.goes_on(&ask, led).await;
        if is_meant {
            assert_eq!(arrival.error().0, "login_required", "{indexes:?}: {}", arrival.told());
            house.refused(&before, "signed_out_there").await;
        } else {
            arrival.code();
        }
        // Who signs in anew, after that, is signed in.
        house.turn_clock(1);
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        bob.signs_in_by(&house, "cb", &ask, &of_session("a new one")).await.code();
        house.turn_clock(800);
    }
}

fn of_session(index: &str) -> Says {
    Says { session_index: Some(index.to_owned()), ..Says::that("bob@b.test") }
}

#[tokio::test]
async fn an_address_that_a_logout_writes_in_another_case_is_the_same_persons() {
    let without = NameId { format: None, ..NameId::new("Bob@B.test", name_id::EMAIL_ADDRESS) };
    for (name, indexes) in [
        (NameId::new("BOB@b.test", name_id::EMAIL_ADDRESS), &["session-of-bob"][..]),
        (NameId::new("Bob@B.test", name_id::EMAIL_ADDRESS), &[]),
        (without, &[]),
    ] {
        let house = plan("").build().await;
        let slo = slo(&house).await;
        let says = Says::that("bob@b.test").named("bob@B.test", name_id::EMAIL_ADDRESS);
        let signs_in = async || {
            let ask = Application::rp1(&house).asks();
            Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &says).await.code();
        };
        signs_in().await;
        let ends = |name: &NameId| {
            let (id, xml) = unsigned_of(&house, &slo, name, indexes);
            sign_enveloped(&xml, &id, &house.saml("cb").signer.key, None).unwrap()
        };
        // Of no address the case is as good as any other.
        let other = NameId::new("BOB", name_id::PERSISTENT);
        assert!(answer(&brings(&slo, &ends(&other)).await).contains("status:UnknownPrincipal"));
        assert_eq!(alive(&house).await, 1);
        let told = answer(&brings(&slo, &ends(&name)).await);
        assert!(told.contains("status:Success") && !told.contains("PartialLogout"), "{told}");
        assert_eq!(alive(&house).await, 0, "{name:?}");
        // Nor does it let in who is on their way.
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let early = house.saml("cb").answers(&asked, &says);
        let request = ends(&name);
        house.turn_clock(1);
        brings(&slo, &request).await;
        let before = house.before().await;
        assert_eq!(bob.returns(&ask, &asked, early).await.error().0, "login_required");
        house.refused(&before, "signed_out_there").await;
    }
}

/// Bob's provider answers, signs him out, and his browser brings the answer only then.
async fn arrives_after_its_logout(house: &House, says: &Says, indexes: &[&str], issued_later: u64) -> bool {
    let slo = slo(house).await;
    let (ask, mut bob) = (Application::rp1(house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(house, "cb", &ask).await;
    let early = house.saml("cb").answers(&asked, says);
    let request = ends(house, &slo, indexes, &house.saml("cb").signer);
    house.turn_clock(issued_later);
    let late = house.saml("cb").answers(&asked, says);
    house.turn_clock(20);
    // Whoever has never been here is nobody yet; and yet it ends what is on its way.
    let is_known = house.count("identities").await > 0;
    let told = answer(&brings(&slo, &request).await);
    assert!(told.contains(if is_known { "status:Success" } else { "status:UnknownPrincipal" }), "{told}");
    let before = house.before().await;
    let xml = if issued_later > 0 { late } else { early };
    let arrival = bob.returns(&ask, &asked, xml).await;
    let is_refused = arrival.told_application("code").is_none();
    if is_refused {
        assert_eq!(arrival.error().0, "login_required", "{}", arrival.told());
        house.refused(&before, "signed_out_there").await;
    }
    house.turn_clock(800);
    is_refused
}

#[tokio::test]
async fn an_assertion_that_arrives_after_its_logout_signs_nobody_in() {
    let house = plan("").build().await;
    let (one, no_index) = (of_session("one"), Says { session_index: None, ..Says::that("bob@b.test") });
    // All sessions end, the one by its index, or one that has none.
    for (says, indexes) in [(&one, &[][..]), (&one, &["one"]), (&no_index, &[]), (&no_index, &["another"])] {
        assert!(arrives_after_its_logout(&house, says, indexes, 0).await, "{indexes:?}");
    }
    assert_eq!(house.count("sessions").await, 0);
    // What was issued later counts, even by an index that comes again, and of other sessions all that was.
    assert!(!arrives_after_its_logout(&house, &one, &["one"], 1).await);
    assert!(!arrives_after_its_logout(&house, &one, &[], 1).await);
    assert!(!arrives_after_its_logout(&house, &no_index, &["another"], 1).await);
    assert!(!arrives_after_its_logout(&house, &one, &["another"], 0).await);
}

#[tokio::test]
async fn how_often_a_provider_signs_somebody_out_is_limited() {
    let house = plan("").build().await;
    let slo = slo(&house).await;
    let ask = Application::rp1(&house).asks();
    Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
    let request = async || ends(&house, &slo, &["one"], &house.saml("cb").signer);
    let (first, mut served) = (request().await, 1);
    assert!(answer(&brings(&slo, &first).await).contains("status:Success"));
    // Repeating one costs others nothing.
    assert!(answer(&brings(&slo, &first).await).contains("status:RequestDenied"));
    let marks = house.count("used").await;
    loop {
        let told = answer(&brings(&slo, &request().await).await);
        if !told.contains("status:Success") {
            // Its provider is told so, and goes on with others.
            assert!(told.contains("status:Responder"), "{told}");
            break;
        }
        served += 1;
    }
    assert_eq!(served, 600);
    assert_eq!(house.count("used").await, marks + 599, "nothing is remembered of what is refused");
    house.turn_clock(61);
    assert!(answer(&brings(&slo, &request().await).await).contains("status:Success"));
}

#[tokio::test]
async fn a_proof_that_waits_ends_with_its_session() {
    a_proof_that_waits_ends(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_proof_that_waits_ends_with_its_session_on_postgresql() {
    a_proof_that_waits_ends(Engine::Postgres).await;
}

#[tokio::test]
async fn s3_34_a_logout_request_by_an_unknown_key_makes_one_look_at_the_metadata() {
    let plan = Plan::default();
    let idp = LyingSamlIdp::new("cb", plan.clock.clone());
    let publisher = Publisher::of(with_logout(&idp.metadata())).await;
    let keys = format!("single_logout = true\nmetadata_url = \"{}\"\n", publisher.url);
    let mut plan = plan.with_saml_keys("cb", &keys);
    plan.saml.insert("cb".to_owned(), idp);
    let house = plan.build().await;
    let ask = Application::rp1(&house).asks();
    Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
    let (slo, idp, next) = (slo(&house).await, house.saml("cb"), Signer::new("next", house.clock.now()));
    let request = ends(&house, &slo, &[], &next);
    let (before, hits) = (house.before().await, publisher.hits());
    assert_eq!(brings(&slo, &request).await.status, 403);
    house.refused(&before, "signature_invalid").await;
    assert_eq!(publisher.hits(), hits + 1, "it looked");
    // By now the provider says so, signed by the key that is known.
    let both = with_logout(&idp.metadata_with(&[&next.certificate]));
    publisher.says(sign_enveloped(&both, "_m1", &idp.signer.key, None).unwrap());
    assert_eq!(brings(&slo, &request).await.status, 403, "not twice in a minute");
    house.turn_clock(61);
    let told = answer(&brings(&slo, &request).await);
    assert!(told.contains("status:Success"), "{told}");
    assert_eq!(alive(&house).await, 0);
    assert_eq!(publisher.hits(), hits + 2);
}

#[tokio::test]
async fn m09_the_administrator_sees_a_refused_logout_message_without_names() {
    let house = plan("").build().await;
    let slo = slo(&house).await;
    let stranger = Signer::new("stranger", house.clock.now());
    let before = house.before().await;
    let request = ends(&house, &slo, &["session-of-bob"], &stranger);
    assert_eq!(brings(&slo, &request).await.status, 403);
    let events = house.events_since(&before).await;
    let shown = events[0].detail["message"].as_str().unwrap_or_else(|| panic!("{events:?}"));
    assert!(shown.contains("<LogoutRequest ") && shown.contains("Destination"), "{shown}");
    assert!(!shown.contains("of-bob"), "{shown}");
}

/// The address of the connection in the API.
async fn path(house: &House) -> String {
    format!("/connections/{}", house.connection("cb").await)
}

async fn acts(operator: &Api, path: &str, what: &str) -> Answer {
    let answer = operator.send(Method::POST, &format!("{path}/{what}"), |ask| ask).await;
    assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    answer
}

#[tokio::test]
async fn m04_what_a_provider_ends_while_its_connection_is_off_is_over_when_that_is_on_again() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan { engine, ..plan("") }.build().await;
        let (slo, path, operator) = (slo(&house).await, path(&house).await, Api::operator(&house).await);
        let ask = Application::rp1(&house).asks();
        let mut bob = Person::new("bob@b.test");
        bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
        acts(&operator, &path, "disable?force=true").await;
        // By the keys that it is shown, the provider goes on to believe us.
        let own = slo.replace("/slo", "/metadata");
        assert!(Visitor::arrives().get(&own).await.body.contains("SingleLogoutService"));
        // Nobody else ends anything, and the page speaks of signing out.
        let stranger = Signer::new("stranger", house.clock.now());
        let before = house.before().await;
        let page = brings(&slo, &ends(&house, &slo, &[], &stranger)).await;
        assert_eq!(page.status, 403, "{}", page.body);
        assert!(page.body.contains("Signing out may be incomplete"), "{}", page.body);
        assert!(!page.body.contains("Try again"), "{}", page.body);
        house.refused(&before, "signature_invalid").await;
        assert_eq!(alive(&house).await, 1);
        let told = answer(&brings(&slo, &ends(&house, &slo, &[], &house.saml("cb").signer)).await);
        assert!(told.contains("status:Success"), "{told}");
        assert_eq!(alive(&house).await, 0);
        acts(&operator, &path, "enable").await;
        assert_eq!(bob.browser.get(&format!("{}/account", house.url)).await.status, 303);
    }
}

#[tokio::test]
async fn m03_what_a_provider_answers_to_a_sign_out_counts_though_its_connection_is_off_by_then() {
    let house = with_a_way_back().build().await;
    let (slo, path, operator) = (slo(&house).await, path(&house).await, Api::operator(&house).await);
    let (mut browser, asked) = signs_out(&house).await;
    acts(&operator, &path, "disable?force=true").await;
    let (id, xml) = answers_it(&house, &slo, value(&asked, "ID"), &Status::success());
    let xml = sign_enveloped(&xml, &id, &house.saml("cb").signer.key, None).unwrap();
    let answer = browser.post_form(&slo, &[("SAMLResponse", &BASE64.encode(xml.as_bytes()))]).await;
    assert_eq!(answer.header("location"), Some("https://rp1.test/bye?state=s"), "{}", answer.body);
    assert_eq!(house.events_of("logout.incomplete").await, 0);
}

#[tokio::test]
async fn m03_a_sign_out_that_is_not_taken_is_answered_so_and_told_as_one() {
    let house = plan("").build().await;
    let (slo, path, operator) = (slo(&house).await, path(&house).await, Api::operator(&house).await);
    let ask = Application::rp1(&house).asks();
    Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
    assert_eq!(operator.patch(&path, json!({"single_logout": false})).await.status, 200);
    let live = operator.post(&format!("{path}/activate"), json!({"force": true})).await;
    assert_eq!(live.status, 200, "{}", live.body);
    let before = house.before().await;
    let told = answer(&brings(&slo, &ends(&house, &slo, &[], &house.saml("cb").signer)).await);
    assert!(told.contains("status:Responder") && told.contains("status:RequestDenied"), "{told}");
    house.refused(&before, "connection").await;
    assert_eq!(alive(&house).await, 1);
    // Where there is no such connection, or there never was one that people signed in by.
    let draft = json!({
        "type": "saml", "idp_entity_id": "https://new.test", "slug": "never-live", "scope": "project"
    });
    let made = operator.post("/connections", draft).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let draft = made.json()["id"].as_str().unwrap().to_owned();
    for other in [draft.as_str(), "conn_00000000000000000000000000", "nonsense"] {
        let slo = format!("{}/saml/{other}/slo", house.url);
        let page = brings(&slo, &ends(&house, &slo, &[], &house.saml("cb").signer)).await;
        assert_eq!(page.status, 403, "{other}: {}", page.body);
        assert!(page.body.contains("Signing out may be incomplete"), "{other}: {}", page.body);
    }
    assert_eq!(alive(&house).await, 1);
}

/// A signed request for the redirect binding, whose name is encrypted to us.
async fn encrypted(house: &House, slo: &str) -> String {
    let signer = Signer::of(KeyKind::Rsa4096, "cb", house.clock.now());
    let xml = ends(house, slo, &["session-of-bob"; 3], &signer);
    let keys = crate::house::lying_saml_idp::sp_keys(house, "cb").await;
    let to = EncryptingKey::from_certificate(&keys.decrypting[0].certificate).unwrap();
    let (from, until) = (xml.find("<saml:NameID").unwrap(), xml.find("</saml:NameID>").unwrap());
    let name = &xml[from..until + "</saml:NameID>".len()];
    let named =
        name.replacen("<saml:NameID", "<saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"", 1);
    let random = behalf::foundation::random::Random::System;
    let data = encrypt(named.as_bytes(), &to, Cipher::Aes256Gcm, Oaep::Mgf1p, &random).unwrap();
    let xml = xml.replacen(name, &format!("<saml:EncryptedID>{data}</saml:EncryptedID>"), 1);
    redirect_url(slo, Carried::Request, &xml, Some(&"r".repeat(80)), &signer.key).unwrap()
}

#[tokio::test]
async fn m10_a_long_signed_logout_request_is_read_and_one_that_is_too_long_is_told_to_people_as_a_page() {
    let house = plan("").build().await;
    let slo = slo(&house).await;
    let url = encrypted(&house, &slo).await;
    let padded = |length: usize| format!("{url}&x={}", "x".repeat(length - url.len() - 3 + house.url.len()));
    // It is read, and refused for its key.
    for url in [url.clone(), padded(9 * 1024), padded(16 * 1024)] {
        let before = house.before().await;
        assert_eq!(Visitor::arrives().get(&url).await.status, 403, "{}", url.len());
        house.refused(&before, "signature_invalid").await;
    }
    let too_long = padded(16 * 1024 + 1);
    let before = house.before().await;
    let machine = Visitor::arrives().get(&too_long).await;
    assert_eq!(machine.status, StatusCode::URI_TOO_LONG);
    assert_eq!(machine.json()["code"], "uri_too_long");
    let html = |request: reqwest::RequestBuilder| request.header("accept", "text/html,*/*;q=0.8");
    let page = Visitor::arrives().request(Method::GET, &too_long, html).await;
    assert_eq!(page.status, StatusCode::URI_TOO_LONG);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.body.contains("We could not read this request"), "{}", page.body);
    // Nowhere else are addresses so long.
    let elsewhere = format!("{}/authorize?x={}", house.url, "x".repeat(8 * 1024));
    assert_eq!(Visitor::arrives().get(&elsewhere).await.status, StatusCode::URI_TOO_LONG);
    house.unchanged(&before).await;
}

/// A document that is good until then.
fn until(metadata: &str, moment: Moment) -> String {
    metadata.replacen(" entityID=", &format!(" validUntil=\"{}Z\" entityID=", &moment.rfc3339()[..19]), 1)
}

#[tokio::test]
async fn s3_34_metadata_that_ran_out_is_looked_at_when_somebody_comes() {
    let plan = Plan::default();
    let (clock, minute) = (plan.clock.clone(), std::time::Duration::from_secs(60));
    let idp = LyingSamlIdp::new("cb", clock.clone());
    let metadata = idp.metadata();
    let publisher = Publisher::of(until(&metadata, clock.now().plus(minute * 10))).await;
    let mut plan = plan.with_saml_keys("cb", &format!("metadata_url = \"{}\"\n", publisher.url));
    plan.saml.insert("cb".to_owned(), idp);
    let house = plan.build().await;
    // Bob is on his way when it runs out, and the address does not answer.
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    house.turn_clock(9 * 60);
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let answer = |asked: &_| house.saml("cb").answers(asked, &Says::that("bob@b.test"));
    house.turn_clock(2 * 60);
    publisher.fails();
    let hits = publisher.hits();
    let before = house.before().await;
    assert_eq!(posts(&mut bob.browser, &asked, answer(&asked)).await.status, 502);
    house.refused(&before, "idp_unreachable").await;
    assert_eq!(publisher.hits(), hits + 1);
    // It is asked once a minute; and then the very same answer is taken.
    publisher.says(until(&metadata, clock.now().plus(minute * 10)));
    assert_eq!(posts(&mut bob.browser, &asked, answer(&asked)).await.status, 502);
    assert_eq!(publisher.hits(), hits + 1);
    house.turn_clock(61);
    let arrival = bob.returns(&ask, &asked, answer(&asked)).await;
    ask.redeems(&arrival).await;
    // One that is switched off while it is looked at is in use no more.
    house.turn_clock(20 * 60);
    publisher.says(until(&metadata, clock.now().plus(minute * 10)));
    house
        .execute(
            "CREATE TRIGGER off AFTER UPDATE OF settings ON connections
             BEGIN UPDATE connections SET state = 'disabled'; END",
        )
        .await;
    let before = house.before().await;
    assert_eq!(posts(&mut bob.browser, &asked, answer(&asked)).await.status, 403);
    house.told_refusal(&before, &["connection_changed"]).await;
    house.execute("DROP TRIGGER off").await;
    house.execute("UPDATE connections SET state = 'active'").await;
    // The same for who leaves.
    house.turn_clock(20 * 60);
    publisher.says(until(&metadata, clock.now().plus(minute * 10)));
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
}

/// What the provider encrypted to us goes through no browser for all to read.
#[tokio::test]
async fn s3_34_who_was_named_in_secret_is_signed_out_by_a_name_that_only_the_provider_reads() {
    let registered = "redirect_uris = [\"https://rp1.test/callback\"]\n";
    let back = "https://rp1.test/bye";
    let more = format!("{registered}post_logout_redirect_uris = [\"{back}\"]\n");
    let namespace = "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"";
    for has_key in [true, false] {
        let plan = Plan::default();
        let idp = LyingSamlIdp::new("cb", plan.clock.clone());
        let theirs = Signer::new("theirs", plan.clock.now());
        let mut metadata = with_logout(&idp.metadata());
        if has_key {
            metadata = showing_key(&metadata, &theirs);
        }
        let mut plan =
            plan.with_saml_metadata("cb", &metadata, "single_logout = true\n").with(registered, &more);
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        // Names are opened by a key of the connection's own alone.
        let own = Signer::new("own", house.clock.now());
        let pem = BASE64_MIME.encode(&own.key.to_pkcs8().unwrap());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}-----END PRIVATE KEY-----\n");
        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}", house.connection("cb").await);
        let body = json!({"decryption_key": pem, "decryption_certificate": own.certificate.base64()});
        assert_eq!(operator.patch(&path, body).await.status, 200);
        let live = operator.post(&format!("{path}/activate"), json!({"force": true})).await;
        assert_eq!(live.status, 200, "{}", live.body);

        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let name =
            format!("<saml:NameID {namespace} Format=\"{}\">id-of-bob</saml:NameID>", name_id::PERSISTENT);
        let data = encrypted_to(&own.certificate, &name, Cipher::Aes256Gcm, Oaep::Mgf1p);
        let xml = house.saml("cb").answers_after(&asked, &Says::that("bob@b.test"), |xml| {
            let sealed = format!("<saml:EncryptedID>{}</saml:EncryptedID>", element(&data, "EncryptedData"));
            let plain = element(&xml, "NameID").to_owned();
            xml.replacen(&plain, &sealed, 1)
        });
        let code = bob.returns(&ask, &asked, xml).await.code();
        let hint = ask.redemption(&code).send().await.json()["id_token"].as_str().unwrap().to_owned();
        let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", back), ("state", "s")];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let away = bob.browser.get(&format!("{}/logout?{query}", house.url)).await;
        assert_eq!(alive(&house).await, 0);
        if !has_key {
            assert!(!away.body.contains("SAMLRequest"), "{}", away.body);
            assert!(
                away.location().is_none_or(|to| !to.as_str().contains("SAMLRequest")),
                "nor by a redirect"
            );
            assert!(away.body.contains("You may still be signed in at"), "{}", away.body);
            continue;
        }
        let form = away.form_with("SAMLRequest");
        let request = String::from_utf8(post::decode(form.value("SAMLRequest").unwrap()).unwrap()).unwrap();
        assert!(!request.contains("id-of-bob") && !request.contains("NameID"), "{request}");
        let told = opened_name(&request, &theirs);
        assert!(told.contains(">id-of-bob</saml:NameID>") && told.contains(name_id::PERSISTENT), "{told}");
    }
}

/// With a key to which things can be encrypted to the provider.
fn showing_key(metadata: &str, key: &Signer) -> String {
    let key = format!(
        "<md:KeyDescriptor use=\"encryption\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data>\
         <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
        key.certificate.base64()
    );
    let first = "<md:SingleLogoutService ";
    metadata.replacen(first, &format!("{key}{first}"), 1)
}

/// The name in a request that only the provider can read.
fn opened_name(request: &str, theirs: &Signer) -> String {
    let namespace = "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"";
    let sealed = element(request, "EncryptedData");
    let sealed = format!("<saml:EncryptedID {namespace}>{sealed}</saml:EncryptedID>");
    let document = Document::parse(sealed.as_bytes(), &Limits::MESSAGE).unwrap();
    let theirs = DecryptingKey::from_pkcs8(&theirs.key.to_pkcs8().unwrap()).unwrap();
    String::from_utf8(decrypt(document.root(), &[&theirs], Ciphers::Gcm).unwrap()).unwrap()
}

/// A name that no browser saw when it came is shown to none when it goes back, where the provider has a key for that.
#[tokio::test]
async fn s3_34_who_was_named_in_an_encrypted_assertion_is_named_in_secret_where_the_provider_shows_a_key() {
    let registered = "redirect_uris = [\"https://rp1.test/callback\"]\n";
    let more = format!("{registered}post_logout_redirect_uris = [\"https://rp1.test/bye\"]\n");
    for (encrypts, has_key) in [(true, true), (true, false), (false, true)] {
        let plan = Plan::default();
        let idp = LyingSamlIdp::new("cb", plan.clock.clone());
        let theirs = Signer::new("theirs", plan.clock.now());
        let mut metadata = with_logout(&idp.metadata());
        if has_key {
            metadata = showing_key(&metadata, &theirs);
        }
        let mut plan =
            plan.with_saml_metadata("cb", &metadata, "single_logout = true\n").with(registered, &more);
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        let says = match encrypts {
            true => Says::that("bob@b.test").encrypting(Cipher::Aes256Gcm),
            false => Says::that("bob@b.test"),
        };
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let code = bob.signs_in_by(&house, "cb", &ask, &says).await.code();
        let hint = ask.redemption(&code).send().await.json()["id_token"].as_str().unwrap().to_owned();
        let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", "https://rp1.test/bye")];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let away = bob.browser.get(&format!("{}/logout?{query}", house.url)).await;
        assert_eq!(alive(&house).await, 0);
        let form = away.form_with("SAMLRequest");
        let request = String::from_utf8(post::decode(form.value("SAMLRequest").unwrap()).unwrap()).unwrap();
        if encrypts && has_key {
            assert!(!request.contains("id-of-bob") && !request.contains("NameID"), "{request}");
            assert!(opened_name(&request, &theirs).contains(">id-of-bob</saml:NameID>"));
        } else {
            assert!(request.contains(">id-of-bob</saml:NameID>"), "nobody could read it else: {request}");
        }
    }
}

/// Where a logout goes is told by the metadata, too.
#[tokio::test]
async fn m03_s3_34_metadata_that_ran_out_is_looked_at_when_somebody_signs_out() {
    let registered = "redirect_uris = [\"https://rp1.test/callback\"]\n";
    let back = "https://rp1.test/bye";
    let more = format!("{registered}post_logout_redirect_uris = [\"{back}\"]\n");
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let plan = Plan { engine, ..Plan::default() };
        let (clock, minute) = (plan.clock.clone(), std::time::Duration::from_secs(60));
        let idp = LyingSamlIdp::new("cb", clock.clone());
        let metadata = with_logout(&idp.metadata());
        let publisher = Publisher::of(until(&metadata, clock.now().plus(minute * 10))).await;
        let keys = format!("metadata_url = \"{}\"\nsingle_logout = true\n", publisher.url);
        let mut plan = plan.with_saml_keys("cb", &keys).with(registered, &more);
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        for answers in [false, true] {
            let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
            let code = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
            let hint = ask.redemption(&code).send().await.json()["id_token"].as_str().unwrap().to_owned();
            let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", back)];
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            house.turn_clock(11 * 60);
            match answers {
                true => publisher.says(until(&metadata, clock.now().plus(minute * 10))),
                false => publisher.fails(),
            }
            let (hits, told) = (publisher.hits(), house.events_of("logout.incomplete").await);
            let page = bob.browser.get(&format!("{}/logout?{query}", house.url)).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
            assert_eq!((publisher.hits(), alive(&house).await), (hits + 1, 0));
            let told = house.events_of("logout.incomplete").await - told;
            if answers {
                assert!(page.form_with("SAMLRequest").value("SAMLRequest").is_some(), "{}", page.body);
                assert_eq!(told, 0);
            } else {
                // Nobody is named where nobody knows whether it is the provider still.
                assert!(!page.body.contains("SAMLRequest"), "{}", page.body);
                assert!(page.body.contains("You may still be signed in at"), "{}", page.body);
                assert!(page.body.contains("rp1.test"), "the way back is there: {}", page.body);
                assert_eq!(told, 1);
                publisher.says(until(&metadata, clock.now().plus(minute * 10)));
                house.turn_clock(61);
            }
        }
    }
}
