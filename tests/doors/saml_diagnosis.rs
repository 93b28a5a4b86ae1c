//! What an administrator learns of SAML messages: `behalf saml inspect`, `behalf saml refusals`.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use behalf::broker::Broker;
use behalf::config::Config;
use behalf::foundation::clock::{Clock, Moment};
use behalf::foundation::id::{IdentityId, RequestId, UserId};
use behalf::foundation::random::Random;
use behalf::login::diagnosis::Diagnosis;
use behalf::model::audit_event::{AuditEvent, Outcome};
use behalf::model::connection::{Connection, SpAddresses, Upstream, Withdrawn, key_name};
use behalf::model::identity::{Identity, IdentityFacts, Naming};
use behalf::model::user::{Profile, User};
use behalf::protocol::saml::assertion::{Attribute, NameId};
use behalf::protocol::saml::binding::post;
use behalf::protocol::saml::encryption::{Cipher, Oaep};
use behalf::protocol::saml::keys::{
    Certificate, DecryptingKey, EncryptingKey, KeyKind, SigningKey, self_signed,
};
use behalf::protocol::saml::logout::RequestDraft;
use behalf::protocol::saml::names::{authn_context, name_id};
use behalf::protocol::saml::refused::{Check, Refused};
use behalf::protocol::saml::response::{AssertionDraft, Draft, Encrypt, Sign};
use behalf::protocol::saml::signature::sign_enveloped;
use behalf::protocol::saml::status::Status;
use behalf::store::durable::engine::StoreError;
use behalf::store::durable::{audit_events, connections, identities, projects, users};
use data_encoding::HEXLOWER;

use super::provisioning::{self, ENGINES, behalf, text};
use super::saml_connections::metadata;

const IDP: &str = "https://idp.a.test/metadata";
const NOW: Moment = Moment::from_seconds(1_790_000_000);
const REQUEST: &str = "_0123456789abcdef0123456789abcdef";

/// A house with a SAML connection `p`, and its provider.
struct House {
    folder: tempfile::TempDir,
    key: SigningKey,
    certificate: Certificate,
}

impl House {
    fn build() -> Self {
        let day = Duration::from_secs(86_400);
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let certificate = self_signed(&key, "idp", NOW.minus(day), NOW.plus(day * 20_000), &[1]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = format!(
            "[organization.a]\n[connection.p]\ntype = \"saml\"\norganization = \"a\"\nidp_entity_id = \"{IDP}\"\n\
             idp_redirect_url = \"https://idp.a.test/sso\"\nidp_x509_certificate = \"{}\"\n",
            certificate.base64()
        );
        let house = Self { folder, key, certificate };
        house.write("house.toml", &file);
        let applied = house.run(&["apply", "house.toml"]);
        assert!(applied.status.success(), "{}", text(&applied));
        house
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        behalf(self.path(), arguments)
    }

    async fn broker(&self, clock: Clock) -> Broker {
        let url = format!("sqlite:{}", self.path().join("behalf.db").display());
        let keys = self.path().join("keys").display().to_string();
        let settings = [("BEHALF_DATABASE_URL", url), ("BEHALF_KEYS_FOLDER", keys)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        Broker::open(Config::load(None, settings.into_iter()).unwrap(), clock, Random::System).await.unwrap()
    }

    async fn connection(&self) -> Connection {
        let broker = self.broker(Clock::System).await;
        let project = projects::by_slug(&mut &broker.db, "default").await.unwrap().unwrap();
        connections::by_slug(&mut &broker.db, project.id, "p").await.unwrap().unwrap()
    }

    /// How much there is of what a careless look could make.
    async fn rows(&self) -> Vec<i64> {
        let broker = self.broker(Clock::System).await;
        let mut counted = Vec::new();
        for count in [
            "SELECT COUNT(*) FROM audit_events",
            "SELECT COUNT(*) FROM saml_keys",
            "SELECT COUNT(*) FROM signing_keys",
            "SELECT COUNT(*) FROM users",
            "SELECT SUM(version) FROM connections",
        ] {
            counted.push(broker.db.one(count, &[]).await.unwrap().unwrap().get(0).unwrap());
        }
        counted
    }

    /// Ann's response to this audience, as the form's value.
    fn response(&self, own: &SpAddresses, audience: &str) -> String {
        self.response_to(own, audience, Some(REQUEST))
    }

    fn encrypted(&self, own: &SpAddresses, audience: &str, to: &EncryptingKey) -> String {
        let random = Random::System;
        let to = Encrypt { key: to, cipher: Cipher::Aes256Gcm, oaep: Oaep::Mgf1p, random: &random };
        self.written(own, audience, Some(REQUEST), (Some(&to), NOW))
    }

    fn response_to(&self, own: &SpAddresses, audience: &str, in_response_to: Option<&str>) -> String {
        self.written(own, audience, in_response_to, (None, NOW))
    }

    fn written(
        &self,
        own: &SpAddresses,
        audience: &str,
        in_response_to: Option<&str>,
        (to, signed_in): (Option<&Encrypt<'_>>, Moment),
    ) -> String {
        let ann = NameId::new("ann@a.test", name_id::EMAIL_ADDRESS);
        let attribute = |name: &str, value: &str| Attribute {
            name: name.into(),
            name_format: None,
            friendly_name: None,
            values: vec![value.into()],
        };
        let (mail, name) = (attribute("mail", "ann@a.test"), attribute("displayName", "Ann\u{85}"));
        let until = NOW.plus(Duration::from_secs(300));
        let draft = Draft {
            id: "_r1",
            issuer: IDP,
            issued: NOW,
            destination: &own.acs,
            in_response_to,
            status: Status::success(),
            assertion: Some(AssertionDraft {
                id: "_a1",
                issuer: IDP,
                issued: NOW,
                name_id: &ann,
                in_response_to,
                recipient: &own.acs,
                confirmed_until: until,
                not_before: None,
                not_on_or_after: Some(until),
                audiences: &[&[audience]],
                one_time_use: false,
                authn_instant: signed_in,
                session_index: None,
                session_not_on_or_after: None,
                authn_context: authn_context::PASSWORD_PROTECTED_TRANSPORT,
                attributes: &[mail, name],
                typed: false,
            }),
        };
        let sign =
            Sign { key: &self.key, certificate: Some(&self.certificate), assertion: true, response: false };
        post::encode(&draft.write(&sign, to).unwrap())
    }
}

/// What could never answer one of our questions, or would be refused for a setting, is not called fine.
#[tokio::test]
async fn h11_m09_inspection_asks_for_a_new_sign_in_and_for_single_logout_where_the_door_does() {
    let house = House::build();
    let own = SpAddresses::of("http://127.0.0.1:8080", house.connection().await.id);
    let long_ago = NOW.minus(Duration::from_secs(7_200));
    house.write("old", &house.written(&own, &own.entity_id, Some(REQUEST), (None, long_ago)));
    let id = "_00112233445566778899aabbccddeeff";
    let draft = RequestDraft {
        id,
        issuer: IDP,
        destination: &own.slo,
        name_id: &NameId::new("ann@a.test", name_id::EMAIL_ADDRESS),
        session_indexes: &[],
        not_on_or_after: None,
    };
    let bye = sign_enveloped(&draft.write(NOW).unwrap(), id, &house.key, None).unwrap();
    house.write("bye", &format!("SAMLRequest={}", post::encode(&bye)));
    let ago = |seconds| NOW.minus(Duration::from_secs(seconds));
    house.write("unasked", &house.written(&own, &own.entity_id, None, (None, ago(240))));
    house.write("old, unasked", &house.written(&own, &own.entity_id, None, (None, ago(600))));
    let broker = house.broker(Clock::System).await;
    let inspects = |name: &str| {
        let output = house.run(&["saml", "inspect", name, "--connection", "p"]);
        (output.status.success(), text(&output))
    };
    for (name, setting, is_taken, expected) in [
        ("old", NOT_ANEW, true, "how new the sign-in has to be"),
        ("old", ANEW, false, "✗ refused by the check authentication_too_old"),
        ("unasked", UNASKED, true, "✓ it would be taken, though nobody asked for it"),
        ("old, unasked", UNASKED, false, "within the last five minutes"),
        ("bye", LOGOUT, true, "not tried here: whether it was used before"),
        ("bye", NO_LOGOUT, false, "✗ single_logout is off"),
    ] {
        broker.db.write(async move |tx| tx.execute(setting, &[]).await).await.unwrap();
        let (is_fine, told) = inspects(name);
        assert!(told.contains(expected), "{setting}: {told}");
        assert_eq!(
            (is_fine, told.contains("✓ it would be taken")),
            (is_taken, is_taken),
            "{setting}: {told}"
        );
    }
}

const NOT_ANEW: &str =
    "UPDATE connections SET settings = REPLACE(settings, '\"force_authn\":true', '\"force_authn\":false')";
const ANEW: &str =
    "UPDATE connections SET settings = REPLACE(settings, '\"force_authn\":false', '\"force_authn\":true')";
const UNASKED: &str = "UPDATE connections SET settings = REPLACE(settings, '\"idp_initiated\":\"off\"', '\"idp_initiated\":\"accept\"')";
const LOGOUT: &str = "UPDATE connections SET settings = REPLACE(settings, '\"single_logout\":false', '\"single_logout\":true')";
const NO_LOGOUT: &str = "UPDATE connections SET settings = REPLACE(settings, '\"single_logout\":true', '\"single_logout\":false')";

/// An answer to nobody's question is held against what the connection does with such ones; metadata against whether a
/// connection can be made of it.
#[tokio::test]
async fn m15_inspection_tells_what_metadata_would_change_key_by_key_and_what_would_wait() {
    let house = House::build();
    let day = Duration::from_secs(86_400);
    let key = || SigningKey::generate(KeyKind::P256).unwrap();
    let since = |from: Moment| self_signed(&key(), "next", from, NOW.plus(day * 900), &[2]).unwrap();
    let (next, old, gone) = (since(NOW), since(NOW.minus(day * 9)), since(NOW));
    let withdrawn = Withdrawn { key: key_name(&gone.base64()), at: NOW, by_document: true };
    let mut known = house.connection().await;
    let Upstream::Saml(saml) = &mut known.settings.upstream else { panic!("it speaks SAML") };
    saml.past.withdrawn.push(withdrawn);
    let broker = house.broker(Clock::System).await;
    let written: Result<(), StoreError> =
        broker.db.write(async move |tx| connections::update(tx, &known).await).await;
    written.unwrap();
    let own = &house.certificate;
    let listing = |certificates: &[&Certificate], sso: &str| {
        let keys: Vec<_> = certificates.iter().map(|certificate| ("signing", *certificate)).collect();
        metadata(IDP, &keys, sso, "")
    };
    let signed = |document: String| sign_enveloped(&document, "_m1", &house.key, None).unwrap();
    let print = |certificate: &Certificate| HEXLOWER.encode(&certificate.fingerprint());
    let here = "https://idp.a.test/sso";
    let both = listing(&[own, &next], here);
    for (document, is_fine, told) in [
        (
            both.clone(),
            false,
            vec![
                "no key that counts has signed it".to_owned(),
                format!("✓ {} is trusted, and stays so", print(own)),
                format!("✗ {} waits for somebody: it is new", print(&next)),
            ],
        ),
        (
            signed(both),
            true,
            vec![
                format!("✓ {} is trusted from then on: it is younger", print(&next)),
                "✓ nothing of it would wait for anybody".to_owned(),
            ],
        ),
        (signed(listing(&[&next], here)), true, vec![format!("! {} is trusted, and withdrawn", print(own))]),
        (listing(&[&next], here), false, vec![format!("! {} is trusted, and stays so, though", print(own))]),
        (
            signed(listing(&[own, &old, &gone], here)),
            false,
            vec![
                format!("✗ {} waits for somebody: it is no younger", print(&old)),
                format!("✗ {} waits for somebody: it was withdrawn 2026-", print(&gone)),
                "something waits for somebody: it brings a key back that had been withdrawn".to_owned(),
            ],
        ),
        (
            signed(listing(&[own], "https://b.test/sso")),
            false,
            vec!["✗ its addresses wait for somebody: https://b.test/sso".to_owned()],
        ),
    ] {
        house.write("metadata", &document);
        let before = house.rows().await;
        let at = NOW.plus(day).rfc3339();
        let output = house.run(&["saml", "inspect", "metadata", "--connection", "p", "--at", &at]);
        for line in told {
            assert!(text(&output).contains(&line), "{line}\n{}", text(&output));
        }
        assert_eq!(output.status.success(), is_fine, "{}", text(&output));
        assert_eq!(house.rows().await, before, "nothing is changed");
    }
}

#[tokio::test]
async fn what_the_door_would_not_take_inspection_does_not_take_either() {
    let house = House::build();
    let own = SpAddresses::of("http://127.0.0.1:8080", house.connection().await.id);
    let answered = String::from_utf8(post::decode(&house.response(&own, &own.entity_id)).unwrap()).unwrap();
    house.write("simple", &format!("SAMLResponse={}&SigAlg=x&Signature=y", post::encode(&answered)));
    let simple = house.run(&["saml", "inspect", "simple", "--connection", "p"]);
    assert!(!simple.status.success() && text(&simple).contains("HTTP-POST-SimpleSign"), "{}", text(&simple));
    house.write("unasked", &house.response_to(&own, &own.entity_id, None));
    let unasked = house.run(&["saml", "inspect", "unasked", "--connection", "p"]);
    assert!(
        !unasked.status.success() && text(&unasked).contains("idp_initiated is off"),
        "{}",
        text(&unasked)
    );

    let entity = |id: &str, key: &str| {
        format!(
            "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{id}\">\
             <md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{key}\
             <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
             Location=\"https://idp.a.test/sso\"/></md:IDPSSODescriptor></md:EntityDescriptor>"
        )
    };
    let key = format!(
        "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data>\
         <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
        house.certificate.base64()
    );
    house.write("keyless", &entity(IDP, ""));
    let keyless = house.run(&["saml", "inspect", "keyless"]);
    assert!(!keyless.status.success(), "{}", text(&keyless));
    let aggregate = format!(
        "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{}{}</md:EntitiesDescriptor>",
        entity(IDP, &key),
        entity("https://other.test", &key)
    );
    house.write("aggregate", &aggregate);
    assert!(!house.run(&["saml", "inspect", "aggregate"]).status.success());
    house.write("unsafe", &entity(IDP, &key).replace("https://idp.a.test/sso", "http://idp.a.test/sso"));
    let sent = house.run(&["saml", "inspect", "unsafe"]);
    assert!(!sent.status.success() && text(&sent).contains("to which no browser is sent"), "{}", text(&sent));
    let one = house.run(&["saml", "inspect", "aggregate", "--entity-id", IDP]);
    assert!(one.status.success() && text(&one).contains("a connection can be made of it"), "{}", text(&one));
}

/// To administrators nothing is told of what a key that connections share has opened (threats H12). The operator holds the
/// keys: they are told all of it.
#[tokio::test]
async fn h12_m09_an_operator_is_told_what_is_wrong_inside_an_encrypted_answer() {
    let house = House::build();
    let connection = house.connection().await;
    let own = SpAddresses::of("http://127.0.0.1:8080", connection.id);
    let broker = house.broker(Clock::System).await;
    let keys = broker.saml_keys.of_connection(connection.saml().unwrap()).await.unwrap();
    let other = DecryptingKey::generate(KeyKind::Rsa2048).unwrap();
    let ours = EncryptingKey::from_certificate(&keys.decrypting[0].certificate).unwrap();
    let cases = [
        (&own.entity_id[..], &ours, &["✓ it would be taken"][..]),
        (
            "https://other.test",
            &ours,
            &[
                "✗ refused by the check undecryptable",
                "✗ inside, it is refused by the check audience",
                "found            https://other.test",
                "EncryptedAssertion, opened by a key of ours",
                "NameID             [10 characters, at a.test] (emailAddress)",
                "Signature of the Assertion",
            ][..],
        ),
        (
            &own.entity_id[..],
            other.encrypting_key(),
            &[
                "✗ refused by the check undecryptable",
                "✗ none of our decryption keys opens it",
                "ours, SHA-256",
            ][..],
        ),
    ];
    for (audience, to, parts) in cases {
        house.write("answer", &house.encrypted(&own, audience, to));
        let before = house.rows().await;
        let told = text(&house.run(&["saml", "inspect", "answer", "--connection", "p"]));
        for part in parts {
            assert!(told.contains(part), "{part}:\n{told}");
        }
        assert!(!told.contains("ann@"), "{told}");
        assert_eq!(house.rows().await, before, "nothing is changed");
    }
}

/// The database tells whom the name means: what a sign-in would be refused for is not called fine.
#[tokio::test]
async fn h10_m09_a_captured_answer_is_held_against_who_is_known() {
    let house = House::build();
    let connection = house.connection().await;
    let own = SpAddresses::of("http://127.0.0.1:8080", connection.id);
    house.write("answer", &house.response(&own, &own.entity_id));
    let fine = house.run(&["saml", "inspect", "answer", "--connection", "p"]);
    assert!(fine.status.success() && text(&fine).contains("✓ it would be taken"), "{}", text(&fine));
    let left = "not tried here: the rule of the connection's domains, whether it was used before";
    assert!(text(&fine).contains(left), "{}", text(&fine));
    // Somebody is known by the same text, of another kind.
    let (project, format) = (connection.project_id, name_id::UNSPECIFIED.to_owned());
    let user = User {
        id: UserId::from_u128(30),
        project_id: project,
        email: None,
        email_verified_at: None,
        profile: Profile::default(),
        created_at: NOW,
        updated_at: NOW,
        disabled_at: None,
    };
    let identity = Identity {
        id: IdentityId::from_u128(40),
        user_id: user.id,
        connection_id: connection.id,
        issuer: IDP.to_owned(),
        subject: "ann@a.test".to_owned(),
        naming: Naming::NameId { asked: None, format },
        last_login_at: NOW,
    };
    let broker = house.broker(Clock::System).await;
    let written = broker.db.write(async move |tx| {
        users::insert(tx, &user, None).await?;
        identities::insert(tx, project, &identity, None, &IdentityFacts::default()).await
    });
    written.await.unwrap();
    let of_no_kind = "UPDATE identities SET naming = '\"sub\"'";
    let cases: [(&[&'static str], &str, [&str; 2]); 2] = [
        (
            &[],
            "subject_kind",
            [
                "a NameID of the format urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified, by which",
                "a NameID of the format urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
            ],
        ),
        (
            &["UPDATE users SET disabled_at = 1", of_no_kind],
            "user_disabled",
            ["somebody whose user is not disabled", "somebody at a.test"],
        ),
    ];
    for (changes, check, parts) in cases {
        for sql in changes.iter().copied() {
            broker.db.write(async move |tx| tx.execute(sql, &[]).await).await.unwrap();
        }
        let before = house.rows().await;
        let told = text(&house.run(&["saml", "inspect", "answer", "--connection", "p"]));
        assert!(told.contains(&format!("✗ refused by the check {check}")), "{told}");
        assert!(!told.contains("✓ it would be taken"), "{told}");
        for part in parts {
            assert!(told.contains(part), "{part}:\n{told}");
        }
        assert_eq!(house.rows().await, before, "nothing is changed");
    }
}

/// What somebody can get hold of: the page that a provider shows, what a browser has recorded, a command.
#[tokio::test]
async fn m09_an_answer_is_found_in_whatever_was_captured() {
    let house = House::build();
    let own = SpAddresses::of("http://127.0.0.1:8080", house.connection().await.id);
    let value = house.response(&own, &own.entity_id);
    let escaped: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let page = format!(
        "<!DOCTYPE html><html><body onload=\"document.forms[0].submit()\"><form method=\"post\" action=\"{}\">\
         <input type=\"hidden\" name=\"SAMLResponse\" value=\"{}\"/></form></body></html>",
        own.acs,
        value.replace('+', "&#x2b;")
    );
    let body = format!("SAMLResponse={escaped}&RelayState=x");
    let recording = serde_json::json!({"log": {"version": "1.2", "entries": [
        {"request": {"method": "GET", "url": "https://idp.a.test/sso?SAMLRequest=x"}, "response": {}},
        {"request": {"method": "POST", "url": own.acs, "postData": {"text": body}}, "response": {}},
        {"request": {"method": "GET", "url": "http://127.0.0.1:8080/login"}, "response": {}},
    ]}});
    let command = format!("curl '{}' \\\n  -H 'accept: */*' \\\n  --data-raw '{body}'", own.acs);
    for captured in [page, recording.to_string(), command, body] {
        house.write("captured", &captured);
        let inspected = house.run(&["saml", "inspect", "captured", "--connection", "p"]);
        assert!(inspected.status.success(), "{}\n{captured}", text(&inspected));
        assert!(text(&inspected).contains("✓ it would be taken"), "{}", text(&inspected));
    }
}

#[tokio::test]
async fn a_captured_response_is_held_against_its_connection() {
    let house = House::build();
    let own = SpAddresses::of("http://127.0.0.1:8080", house.connection().await.id);
    house.write("good", &house.response(&own, &own.entity_id));
    house.write("bad", &format!("SAMLResponse={}", house.response(&own, "https://other.test")));
    let before = house.rows().await;

    let good = house.run(&["saml", "inspect", "good", "--connection", "p"]);
    let told = text(&good);
    assert!(good.status.success(), "{told}");
    assert!(
        told.contains("✓ it would be taken") && told.contains("person           [10 characters, at a.test]"),
        "{told}"
    );
    assert!(told.contains(&format!("as of              {}", NOW.rfc3339())), "{told}");
    assert!(!told.contains("ann@"), "{told}");
    assert!(told.contains("! left out: name: a value with control characters\n"), "{told}");

    let bad = house.run(&["saml", "inspect", "bad", "--connection", "p"]);
    let told = text(&bad);
    assert_eq!(bad.status.code(), Some(1), "{told}");
    assert!(told.contains("✗ refused by the check audience\n"), "{told}");
    assert!(told.contains(&format!("expected         {}\n", own.entity_id)), "{told}");
    assert!(told.contains("found            https://other.test\n"), "{told}");

    let late = house.run(&["saml", "inspect", "good", "--connection", "p", "--at", "2026-12-31T00:00:00Z"]);
    assert!(
        !late.status.success() && text(&late).contains("refused by the check issue_instant"),
        "{}",
        text(&late)
    );

    // Alone it is explained without any house.
    let empty = tempfile::tempdir().unwrap();
    let path = house.path().join("good");
    let at = NOW.rfc3339();
    let alone = behalf(empty.path(), &["saml", "inspect", path.to_str().unwrap(), "--at", &at]);
    assert!(alone.status.success(), "{}", text(&alone));
    assert!(text(&alone).contains("this proves nothing"), "{}", text(&alone));
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
    assert_eq!(house.rows().await, before, "nothing is changed");
}

#[tokio::test]
async fn refused_messages_are_listed_newest_first_and_found_by_the_id_that_the_visitor_quotes() {
    let house = House::build();
    let connection = house.connection().await;
    let none = house.run(&["saml", "refusals"]);
    assert!(none.status.success() && text(&none).contains("No refused message"), "{}", text(&none));

    let clock = Clock::set_to(NOW);
    let broker = house.broker(clock.clone()).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let id = RequestId::new(&broker.random, broker.now());
        let refused = Refused::new(Check::Audience, "us", format!("other {number}"));
        let event = AuditEvent::new(connection.project_id, "login.refused", Outcome::Refused);
        let event = event.reason("audience").request(Some(id));
        let xml = "<Response><NameID>ann@a.test</NameID></Response>";
        broker.record(Diagnosis::from(refused).tell(event, &connection, Some(xml.as_bytes()))).await.unwrap();
        // Of another kind: nothing that a connection's administrator is concerned with.
        let other = AuditEvent::new(connection.project_id, "login.refused", Outcome::Refused);
        broker.record(other.reason("flow_expired")).await.unwrap();
        // The last two share a moment.
        clock.turn(Duration::from_secs(if number < 3 { 1 } else { 0 }));
        ids.push(id);
    }
    drop(broker);

    let found = |told: &str| -> Vec<usize> {
        (0..5).filter(|number| told.contains(&format!("other {number}"))).collect()
    };
    let first = text(&house.run(&["saml", "refusals", "--limit", "3", "--connection", "p"]));
    assert_eq!(found(&first), [2, 3, 4], "{first}");
    assert!(first.find("other 3").unwrap() < first.find("other 2").unwrap(), "{first}");
    let before = first.split_once("--before ").unwrap().1.trim();
    let second = text(&house.run(&["saml", "refusals", "--limit", "3", "--before", before]));
    assert_eq!(found(&second), [0, 1], "{second}");
    assert!(!second.contains("--before"), "{second}");
    // A page does not end between two of one moment.
    assert_eq!(found(&text(&house.run(&["saml", "refusals", "--limit", "1"]))), [3, 4]);

    let one = house.run(&["saml", "refusals", "--id", &ids[1].to_string()]);
    let told = text(&one);
    assert!(one.status.success() && told.contains("other 1") && !told.contains("other 2"), "{told}");
    assert!(told.contains("<NameID>[10 characters, at a.test]</NameID>") && !told.contains("ann@"), "{told}");
    let unknown = RequestId::new(&Random::System, NOW).to_string();
    assert_eq!(house.run(&["saml", "refusals", "--id", &unknown]).status.code(), Some(1));
}

#[tokio::test]
async fn refusals_are_read_page_by_page_on_both_engines() {
    for engine in ENGINES {
        let house = provisioning::House::empty(engine).await;
        let broker = &house.broker;
        let project = projects::by_slug(&mut &broker.db, "default").await.unwrap().unwrap();
        let request = RequestId::new(&broker.random, broker.now());
        for number in 0..5 {
            let outcome = if number == 2 { Outcome::Granted } else { Outcome::Refused };
            let event =
                AuditEvent::new(project.id, "login.refused", outcome).with("number", number.to_string());
            let event = event.request((number == 3).then_some(request));
            broker.record(event).await.unwrap();
            if number != 3 {
                broker.clock.turn(Duration::from_secs(1));
            }
        }
        // Two of one moment have no order.
        let numbers = |found: &[audit_events::Refusal]| -> Vec<String> {
            let mut found: Vec<_> = found.iter().collect();
            found.sort_by_key(|refusal| std::cmp::Reverse((refusal.at, refusal.text("number"))));
            found.iter().map(|refusal| refusal.text("number").unwrap().to_owned()).collect()
        };
        let read = async |before, most| {
            audit_events::refusals(&mut &broker.db, project.id, before, most).await.unwrap()
        };
        let first = read(None, 1).await;
        assert_eq!(numbers(&first), ["4", "3"], "both of one moment");
        let second = read(Some(first[1].at), 1).await;
        assert_eq!(numbers(&second), ["1"]);
        assert_eq!(numbers(&read(Some(second[0].at), 9).await), ["0"]);
        assert_eq!(numbers(&read(None, 9).await), ["4", "3", "1", "0"]);
        let quoted = audit_events::refusals_of_request(&mut &broker.db, project.id, request).await.unwrap();
        assert_eq!(numbers(&quoted), ["3"]);
    }
}
