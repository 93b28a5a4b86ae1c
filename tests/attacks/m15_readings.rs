//! M15: a draft, a version of before or a connection that was switched off holds a copy of what its provider's metadata said
//! one day. Making it live brings back no key that was withdrawn since, and locks nobody out who has a new one.

use std::time::Duration;

use behalf::chores;
use behalf::foundation::clock::Moment;
use behalf::protocol::saml::encryption::Cipher;
use behalf::protocol::saml::keys::{Certificate, self_signed};
use behalf::protocol::saml::signature::sign_enveloped;
use data_encoding::HEXLOWER;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::fine;
use crate::house::api::Api;
use crate::house::application::{Application, Arrival, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says, Signer, Signs, sealed};
use crate::house::publisher::Publisher;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const DAY: Duration = Duration::from_secs(86_400);

struct Scene {
    house: House,
    publisher: Publisher,
    operator: Api,
    path: String,
    next: Signer,
}

impl Scene {
    async fn opens(engine: Engine, until: Option<Duration>) -> Self {
        let plan = Plan::on(engine);
        let idp = LyingSamlIdp::new("cb", plan.clock.clone());
        let publisher = Publisher::of(dated(&idp.metadata(), until.map(|until| idp.now().plus(until)))).await;
        let mut plan = plan.with_saml_keys("cb", &format!("metadata_url = \"{}\"\n", publisher.url));
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}", house.connection("cb").await);
        let next = Signer::new("next", house.clock.now());
        Self { house, publisher, operator, path, next }
    }

    fn old(&self) -> &Signer {
        &self.house.saml("cb").signer
    }

    fn listing(&self, certificates: &[&Certificate]) -> String {
        let all = self.house.saml("cb").metadata_with(&certificates[1..]);
        all.replacen(&self.old().certificate.base64(), &certificates[0].base64(), 1)
    }

    /// The provider says this, and a day later the house reads it.
    async fn publishes(&self, document: String) {
        self.publisher.says(document);
        self.house.turn_clock(DAY.as_secs());
        chores::metadata::look(&self.house.broker).await.unwrap();
    }

    async fn publishes_by(&self, signer: &Signer, certificates: &[&Certificate]) {
        let document = self.listing(certificates);
        let document = document.replacen("<md:EntityDescriptor ", "<md:EntityDescriptor ID=\"_m1\" ", 1);
        self.publishes(sign_enveloped(&document, "_m1", &signer.key, None).unwrap()).await;
    }

    /// The same provider as somebody types it, with this certificate.
    async fn typed(&self, certificate: &Certificate) -> Value {
        let view = self.operator.get(&self.path).await.json();
        let mut typed = view["settings"].clone();
        typed["type"] = json!("saml");
        typed.as_object_mut().unwrap().remove("metadata_url");
        for name in ["idp_entity_id", "idp_redirect_url", "idp_post_url"] {
            typed[name] = view["idp"][name].clone();
        }
        typed["idp_x509_certificate"] = json!([certificate.base64()]);
        typed
    }

    /// From the one key to the other, which withdraws it.
    async fn rolls_over(&self) {
        let (old, next) = (self.old(), &self.next);
        self.publishes_by(old, &[&old.certificate, &next.certificate]).await;
        self.publishes_by(next, &[&next.certificate]).await;
        assert_eq!(self.live().await, [print(next)]);
    }

    /// The certificates that are believed.
    async fn live(&self) -> Vec<String> {
        prints(&self.operator.get(&self.path).await.json())
    }

    async fn acts(&self, what: &str, body: Value) -> Answer {
        self.operator.post(&format!("{}/{what}", self.path), body).await
    }

    /// On or off.
    async fn turns(&self, what: &str) -> Answer {
        self.operator.send(Method::POST, &format!("{}/{what}", self.path), |ask| ask).await
    }

    async fn comes_by(&self, signer: &Signer) -> Arrival {
        let (ask, mut bob) = (Application::rp1(&self.house).asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&self.house, "cb", &ask).await;
        let plain = self.house.saml("cb").plain(&asked, &Says::that("bob@b.test"));
        bob.returns(&ask, &asked, sealed(&plain, signer, Signs::Assertion, None)).await
    }

    async fn the_new_key_alone_counts(&self) {
        assert_eq!(self.live().await, [print(&self.next)]);
        let before = self.house.before().await;
        assert_eq!(self.comes_by(self.old()).await.status(), 403);
        self.house.refused(&before, "signature_invalid").await;
        self.comes_by(&self.next).await.code();
    }
}

fn dated(document: &str, until: Option<Moment>) -> String {
    let Some(until) = until else { return document.to_owned() };
    let attribute = format!("<md:EntityDescriptor validUntil=\"{}Z\" ", &until.rfc3339()[..19]);
    document.replacen("<md:EntityDescriptor ", &attribute, 1)
}

fn print(signer: &Signer) -> String {
    HEXLOWER.encode(&signer.certificate.fingerprint())
}

fn prints(view: &Value) -> Vec<String> {
    let all = view["idp"]["certificates"].as_array().unwrap();
    all.iter().map(|one| one["fingerprint"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn m15_neither_a_draft_nor_a_version_of_before_brings_back_what_the_provider_has_withdrawn() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, None).await;
        let drafted = fine(scene.operator.patch(&scene.path, json!({"leeway": 30})).await);
        assert_eq!(prints(&drafted["draft"]), [print(scene.old())]);
        scene.rolls_over().await;
        let view = scene.operator.get(&scene.path).await.json();
        assert_eq!(prints(&view["draft"]), [print(&scene.next)], "the draft said nothing of keys");
        assert_eq!(view["draft"]["idp"]["warnings"], json!([]));
        fine(scene.acts("activate", json!({"force": true})).await);
        scene.the_new_key_alone_counts().await;
        fine(scene.acts("rollback", json!({})).await);
        scene.the_new_key_alone_counts().await;
        assert_eq!(scene.operator.get(&scene.path).await.json()["settings"]["leeway"], json!(60));
    }
}

#[tokio::test]
async fn m15_what_somebody_has_had_read_anew_is_taken_back_but_for_what_the_provider_withdrew() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, None).await;
        scene.house.turn_clock(1);
        // By mistake, what whoever holds the address had put there.
        scene.publisher.says(scene.listing(&[&scene.next.certificate]));
        fine(scene.operator.patch(&scene.path, json!({"read_metadata": true})).await);
        fine(scene.acts("activate", json!({"force": true})).await);
        assert_eq!(scene.live().await, [print(&scene.next)]);
        fine(scene.acts("rollback", json!({})).await);
        assert_eq!(scene.live().await, [print(scene.old())], "that is what a way back is for");
        scene.comes_by(scene.old()).await.code();
        assert_eq!(scene.comes_by(&scene.next).await.status(), 403);

        // Here the provider itself withdraws it, and so it is no way back any more.
        fine(scene.acts("rollback", json!({"version": 2})).await);
        let third = Signer::new("third", scene.house.clock.now().plus(DAY));
        scene.publishes_by(&scene.next, &[&scene.next.certificate, &third.certificate]).await;
        scene.publishes_by(&third, &[&third.certificate]).await;
        assert_eq!(scene.live().await, [print(&third)]);
        scene.house.turn_clock(1);
        scene.publisher.says(scene.listing(&[&scene.old().certificate]));
        fine(scene.operator.patch(&scene.path, json!({"read_metadata": true})).await);
        fine(scene.acts("activate", json!({"force": true})).await);
        let told = scene.acts("rollback", json!({"version": 2})).await;
        assert_eq!((told.status.as_u16(), &told.json()["code"]), (409, &json!("connection_incomplete")));
        assert_eq!(scene.live().await, [print(scene.old())]);
        fine(scene.acts("rollback", json!({})).await);
        assert_eq!(scene.live().await, [print(&third)]);
        assert_eq!(scene.comes_by(&scene.next).await.status(), 403);
    }
}

#[tokio::test]
async fn m15_what_a_document_has_withdrawn_stays_away_whatever_describes_the_provider_next() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, None).await;
        let mut read = scene.operator.get(&scene.path).await.json()["settings"].clone();
        read["type"] = json!("saml");
        let says = async |settings: Value| {
            fine(scene.operator.put(&scene.path, settings).await);
            fine(scene.acts("activate", json!({"force": true})).await)
        };
        let typed = says(scene.typed(&scene.old().certificate).await).await["version"].clone();
        says(read.clone()).await;
        scene.rolls_over().await;
        says(scene.typed(&scene.next.certificate).await).await;
        scene.the_new_key_alone_counts().await;
        let told = scene.acts("rollback", json!({"version": typed})).await;
        assert_eq!((told.status.as_u16(), &told.json()["code"]), (409, &json!("connection_incomplete")));
        scene.the_new_key_alone_counts().await;
        // Read at the address once more, and offered there by who is known.
        scene.publisher.says(scene.listing(&[&scene.next.certificate]));
        says(read).await;
        scene.publishes_by(&scene.next, &[&scene.next.certificate, &scene.old().certificate]).await;
        scene.the_new_key_alone_counts().await;
    }
}

#[tokio::test]
async fn m15_what_somebody_has_had_read_for_a_draft_stays_what_they_have_read() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, None).await;
        scene.house.turn_clock(1);
        scene.publisher.says(scene.listing(&[&scene.next.certificate]));
        let drafted = fine(scene.operator.patch(&scene.path, json!({"read_metadata": true})).await);
        assert_eq!(prints(&drafted["draft"]), [print(&scene.next)]);
        // Whoever has the old key says something else of what is live.
        let third = Signer::new("third", scene.house.clock.now());
        scene.publishes_by(scene.old(), &[&scene.old().certificate, &third.certificate]).await;
        assert_eq!(scene.live().await, [print(scene.old()), print(&third)]);
        let read = scene.operator.get(&scene.path).await.json();
        assert_eq!(
            (&read["draft"]["version"], prints(&read["draft"])),
            (&drafted["draft"]["version"], vec![print(&scene.next)])
        );
        let version = json!({"version": read["draft"]["version"], "force": true});
        fine(scene.acts("activate", version).await);
        scene.the_new_key_alone_counts().await;
    }
}

#[tokio::test]
async fn m15_whom_a_draft_believes_no_more_is_not_switched_on_again_unawares() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, None).await;
        fine(scene.turns("disable?force=true").await);
        fine(scene.operator.put(&scene.path, scene.typed(&scene.next.certificate).await).await);
        let before = scene.operator.get(&scene.path).await.json();
        let told = scene.turns("enable").await;
        assert_eq!((told.status.as_u16(), &told.json()["code"]), (428, &json!("draft_unread")));
        assert!(told.body.contains("make that live, or throw it away"), "{}", told.body);
        assert_eq!(scene.operator.get(&scene.path).await.json(), before);
        assert_eq!(before["state"], json!("disabled"));
        fine(scene.acts("activate", json!({"force": true})).await);
        assert_eq!(scene.live().await, [print(&scene.next)]);
    }
}

#[tokio::test]
async fn c09_a_certificate_that_was_renewed_for_a_key_is_told_as_the_case_of_that_key() {
    let scene = Scene::opens(Engine::Sqlite, None).await;
    let now = scene.house.clock.now();
    let renewed = self_signed(&scene.old().key, "renewed", now, now.plus(DAY * 700), &[7]).unwrap();
    let drafted = fine(scene.operator.put(&scene.path, scene.typed(&renewed).await).await);
    assert_eq!(prints(&drafted["draft"]), [HEXLOWER.encode(&renewed.fingerprint())]);
    assert_eq!(drafted["draft"]["idp"]["warnings"], json!([]), "it is the key that is believed");
}

#[tokio::test]
async fn m15_what_waits_for_somebody_is_told_and_what_counts_is_mailed() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, None).await;
        let (old, next) = (scene.old(), &scene.next);
        let warnings = async || scene.operator.get(&scene.path).await.json()["idp"]["warnings"].to_string();
        let mails = async |kind: &str| scene.house.count(&format!("mails WHERE kind = '{kind}'")).await;
        // An owner, at an address that is proved.
        scene.comes_by(old).await.code();
        scene.publishes_by(old, &[&old.certificate, &next.certificate]).await;
        assert_eq!(scene.live().await, [print(old), print(next)]);
        assert_eq!((mails("metadata_changed").await, mails("metadata_offered").await), (1, 0));
        // Who comes makes us look, and writes to nobody; that takes no mail away.
        let copy = scene.listing(&[&old.certificate]);
        scene.publisher.says(copy.clone());
        scene.house.turn_clock(61);
        let third = Signer::new("third", scene.house.clock.now());
        assert_eq!(scene.comes_by(&third).await.status(), 403);
        assert_eq!(scene.live().await, [print(old), print(next)]);
        assert_eq!((mails("metadata_offered").await, warnings().await.as_str()), (0, "[]"));
        chores::metadata::look(&scene.house.broker).await.unwrap();
        assert_eq!(mails("metadata_offered").await, 1, "the turn is brought forward");
        let told = warnings().await;
        assert!(told.contains("it takes keys away") && told.contains("read anew"), "{told}");
        let health = async || scene.operator.get("/organizations/org-b/health").await.body;
        assert!(health().await.contains("has changed what it says of itself"));
        let path = format!("{}/review", scene.path);
        assert_eq!(scene.operator.send(Method::DELETE, &path, |ask| ask).await.status, 204);
        assert!(health().await.contains("it takes keys away"), "for as long as it waits");
        // What goes and comes again is told again, and once a week.
        let both = scene.listing(&[&old.certificate, &next.certificate]);
        for (document, expected) in [(&copy, 1), (&both, 1), (&copy, 1), (&both, 1), (&copy, 1), (&both, 1)] {
            scene.publishes(document.clone()).await;
            assert_eq!(mails("metadata_offered").await, expected);
            assert_eq!(warnings().await.contains("it takes keys away"), document == &copy);
        }
        scene.house.turn_clock(DAY.as_secs());
        scene.publishes(copy).await;
        assert_eq!(mails("metadata_offered").await, 2);
        scene.publishes_by(next, &[&next.certificate]).await;
        assert_eq!((warnings().await.as_str(), mails("metadata_changed").await), ("[]", 2));
        scene.the_new_key_alone_counts().await;
    }
}

#[tokio::test]
async fn m15_s1_r00_whoever_has_read_other_keys_than_count_by_now_reads_again_before_they_decide() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, None).await;
        let (old, next) = (scene.old(), &scene.next);
        let tag = async || scene.operator.get(&scene.path).await.header("etag").unwrap().to_owned();
        let read = tag().await;
        assert_eq!(tag().await, read, "nothing has changed");
        let off = format!("{}/disable?force=true", scene.path);
        let turns_off = async |read: &str| {
            scene.operator.send(Method::POST, &off, |ask| ask.header("if-match", read)).await
        };
        scene.publishes_by(old, &[&old.certificate, &next.certificate]).await;
        let known =
            scene.operator.send(Method::GET, &scene.path, |ask| ask.header("if-none-match", &read)).await;
        assert_eq!((known.status.as_u16(), prints(&known.json())), (200, vec![print(old), print(next)]));
        let told = turns_off(&read).await;
        assert_eq!((told.status.as_u16(), &told.json()["code"]), (412, &json!("precondition_failed")));
        // What waits for somebody is shown, too.
        let read = tag().await;
        scene.publishes(scene.listing(&[&old.certificate])).await;
        assert_eq!(turns_off(&read).await.status, 412);
        fine(turns_off(&tag().await).await);
    }
}

#[tokio::test]
async fn m15_what_somebody_has_taken_back_does_not_come_again_by_itself() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, None).await;
        let (old, next) = (scene.old(), &scene.next);
        scene.house.turn_clock(1);
        scene.publisher.says(scene.listing(&[&old.certificate, &next.certificate]));
        fine(scene.operator.patch(&scene.path, json!({"read_metadata": true})).await);
        fine(scene.acts("activate", json!({"force": true})).await);
        fine(scene.acts("rollback", json!({})).await);
        for _ in 0..2 {
            scene.publishes_by(old, &[&old.certificate, &next.certificate]).await;
            assert_eq!(scene.live().await, [print(old)]);
        }
        let warnings = scene.operator.get(&scene.path).await.json()["idp"]["warnings"].to_string();
        assert!(warnings.contains("had been withdrawn"), "{warnings}");
    }
}

#[tokio::test]
async fn m15_repeating_the_address_believes_nothing_that_stands_there_now() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, None).await;
        // By itself that is an offer.
        scene.publishes(scene.listing(&[&scene.next.certificate])).await;
        let (hits, old) = (scene.publisher.hits(), print(scene.old()));
        let mut whole = scene.operator.get(&scene.path).await.json()["settings"].clone();
        whole["leeway"] = json!(30);
        whole["type"] = json!("saml");
        assert_eq!(whole["metadata_url"], json!(scene.publisher.url));
        let part = json!({"metadata_url": scene.publisher.url, "leeway": 20});
        for drafted in
            [scene.operator.put(&scene.path, whole).await, scene.operator.patch(&scene.path, part).await]
        {
            assert_eq!(prints(&fine(drafted)["draft"]), std::slice::from_ref(&old));
        }
        assert_eq!(scene.publisher.hits(), hits);
        // Only who asks for it gets it, as a draft that says what is different.
        let read = fine(scene.operator.patch(&scene.path, json!({"read_metadata": true})).await);
        assert_eq!((prints(&read["draft"]), prints(&read)), (vec![print(&scene.next)], vec![old.clone()]));
        let warnings = read["draft"]["idp"]["warnings"].to_string();
        assert!(warnings.contains(&print(&scene.next)) && warnings.contains(&old), "{warnings}");
        let before = scene.house.before().await;
        assert_eq!(scene.comes_by(&scene.next).await.status(), 403);
        scene.house.refused(&before, "signature_invalid").await;
        scene.comes_by(scene.old()).await.code();
        let typed = json!({"read_metadata": true, "metadata_xml": scene.listing(&[&scene.next.certificate])});
        assert_eq!(scene.operator.patch(&scene.path, typed).await.status, 422);
    }
}

#[tokio::test]
async fn m15_what_is_current_goes_live_however_old_the_copy_of_a_draft_or_of_what_was_switched_off() {
    for engine in ENGINES {
        let scene = Scene::opens(engine, Some(DAY * 2)).await;
        let now = scene.house.clock.now();
        let current = |days| dated(&scene.listing(&[&scene.old().certificate]), Some(now.plus(DAY * days)));
        fine(scene.operator.patch(&scene.path, json!({"leeway": 30})).await);
        scene.publishes(current(6)).await;
        scene.house.turn_clock(2 * DAY.as_secs());
        fine(scene.acts("activate", json!({"force": true})).await);
        scene.comes_by(scene.old()).await.code();
        fine(scene.acts("rollback", json!({})).await);
        scene.comes_by(scene.old()).await.code();

        // Nobody looks while it is off: so somebody does before it is on again.
        fine(scene.turns("disable?force=true").await);
        scene.house.turn_clock(5 * DAY.as_secs());
        scene.publisher.fails();
        let told = scene.turns("enable").await;
        assert_eq!((told.status.as_u16(), &told.json()["code"]), (409, &json!("connection_incomplete")));
        assert!(told.body.contains("renewed at its address"), "{}", told.body);
        assert_eq!(scene.operator.get(&scene.path).await.json()["state"], json!("disabled"));
        scene.house.turn_clock(61);
        scene.publisher.says(current(20));
        fine(scene.turns("enable").await);
        scene.comes_by(scene.old()).await.code();
    }
}

#[tokio::test]
async fn m15_a_trial_of_long_ago_makes_nothing_live() {
    let scene = Scene::opens(Engine::Sqlite, None).await;
    scene.comes_by(scene.old()).await.code();
    let draft = fine(scene.operator.patch(&scene.path, json!({"leeway": 30})).await);
    let version = draft["draft"]["version"].as_i64().unwrap();
    let made = fine(scene.acts("tests", json!({})).await);
    let at = scene.house.clock.now().millis();
    let done = format!(
        "UPDATE connection_tests SET outcome = 'succeeded', ended_at = {at}, tester = 'colleague' WHERE version = {version}"
    );
    assert_eq!(scene.house.execute(&done).await, 1, "{made}");
    scene.house.turn_clock(8 * DAY.as_secs());
    let told = scene.acts("activate", json!({})).await;
    assert_eq!((told.status.as_u16(), &told.json()["code"]), (409, &json!("untested")), "{}", told.body);
    assert_eq!(scene.operator.get(&scene.path).await.json()["settings"]["leeway"], json!(60));
}

fn opening(signer: &Signer) -> Value {
    json!({"decryption_key": signer.pem(), "decryption_certificate": signer.certificate.base64()})
}

#[tokio::test]
async fn h18_whoever_still_encrypts_to_the_project_gets_in_after_a_key_was_brought() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let own = Signer::new("own", house.clock.now());
        let path = format!("/connections/{}", house.connection("cb").await);
        let says = Says::that("bob@b.test").encrypting(Cipher::Aes256Gcm);
        let mut bob = Person::new("bob@b.test");
        let ask = Application::rp1(&house).asks();
        let shared = bob.leaves_for(&house, "cb", &ask).await.encryption;
        let operator = Api::operator(&house).await;
        fine(operator.patch(&path, opening(&own)).await);
        fine(operator.post(&format!("{path}/activate"), json!({"force": true})).await);
        for to in [shared, own.certificate] {
            let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
            let mut asked = bob.leaves_for(&house, "cb", &ask).await;
            asked.encryption = to;
            let xml = house.saml("cb").answers(&asked, &says);
            ask.redeems(&bob.returns(&ask, &asked, xml).await).await;
        }
    }
}

#[tokio::test]
async fn m15_h04_a_brought_key_that_was_replaced_does_not_come_back_by_itself() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}", house.connection("cb").await);
        let activates = async |body: Value| {
            fine(operator.patch(&path, body).await);
            fine(operator.post(&format!("{path}/activate"), json!({"force": true})).await)
        };
        let comes = async |email: &str| {
            let ask = Application::rp1(&house).asks().with("login_hint", email);
            Person::new(email).signs_in_by(&house, "cb", &ask, &Says::that(email)).await
        };
        let [stolen, new] = ["stolen", "new"].map(|name| Signer::new(name, house.clock.now()));
        activates(opening(&stolen)).await;
        for email in ["bob@b.test", "bea@b.test", "ben@b.test"] {
            comes(email).await.code();
        }
        chores::connections::look(&house.broker).await.unwrap();
        let mut body = opening(&new);
        body["attributes"] = json!({"email": ["displayName"]});
        let bad = activates(body).await["version"].as_i64();
        for email in ["bob@b.test", "bea@b.test", "bob@b.test", "ben@b.test", "bea@b.test"] {
            assert_eq!(comes(email).await.status(), 403);
        }
        chores::connections::look(&house.broker).await.unwrap();
        let back = operator.get(&path).await.json();
        assert!(back["version"].as_i64() > bad, "the mapping has come back");
        assert_eq!(back["settings"]["decryption_certificate"], json!(new.certificate.base64()));
        let published = house.sp_metadata("cb").await;
        assert!(published.contains(&new.certificate.base64()));
        assert!(!published.contains(&stolen.certificate.base64()));
        comes("bob@b.test").await.code();
    }
}
