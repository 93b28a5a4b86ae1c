//! SAML with others: every message of ours is read by somebody who did not write it, and every one of theirs by us.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use behalf::foundation::clock::{Clock, Moment};
use behalf::protocol::saml::binding::{Carried, RedirectMessage, post};
use behalf::protocol::saml::certificate::self_signed;
use behalf::protocol::saml::keys::{KeyKind, SigningKey};
use behalf::protocol::saml::names::status;
use behalf::protocol::saml::signature::{SignatureMethod, sign_enveloped, verify_enveloped};
use behalf::protocol::saml::xml::{Document, Limits};
use data_encoding::BASE64;
use serde_json::{Value, json};
use url::Url;

use crate::house::application::{Application, Arrival, Ask, Person};
use crate::house::broker::{House, Plan};
use crate::house::form::Form;
use crate::house::lying_idp::Says;
use crate::house::lying_saml_idp::{id_of, posts_to};
use crate::house::oracles::{NodeSaml, Party, Pysaml2, Spid, XmlOracle, posted, redirected, xmlsec};
use crate::house::simplesamlphp::{
    self, EMAIL, KeyPair, PASSWORD, PERSISTENT, POST, REDIRECT, ServiceProvider, SimpleSamlPhp, Someone,
};
use crate::house::surgery::element;
use crate::house::visitor::{Answer, Visitor};

/// The counterparts live by the machine's clock.
fn now() -> Moment {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Moment::from_millis(i64::try_from(now.as_millis()).unwrap())
}

fn certificate_keys(pair: &KeyPair) -> String {
    let bare: String = pair.certificate.lines().filter(|line| !line.starts_with('-')).collect();
    format!("idp_x509_certificate = \"{bare}\"\n")
}

/// An organization whose identity provider is played by the oracles; the connection is typed, not described.
struct Partner {
    house: House,
    idp: Party,
    /// Ours.
    metadata: String,
    pysaml2: Pysaml2,
}

/// A request of ours, as the partner was asked it.
struct Asked {
    id: String,
    issuer: String,
    acs: String,
    relay_state: Option<String>,
    xml: String,
    /// As the oracles take it.
    message: Value,
}

const PARTNER: &str = "https://idp.b.test";

impl Partner {
    async fn opens(more: &str) -> Self {
        let keys = KeyPair::generate();
        let mut idp =
            Party::identity_provider(&format!("{PARTNER}/saml"), keys.clone(), &format!("{PARTNER}/sso"));
        idp.slo = Some(format!("{PARTNER}/slo"));
        let typed = format!(
            "idp_entity_id = \"{PARTNER}/saml\"\nidp_redirect_url = \"{PARTNER}/sso\"\n\
             idp_post_url = \"{PARTNER}/sso\"\nidp_slo_url = \"{PARTNER}/slo\"\n\
             idp_slo_post_url = \"{PARTNER}/slo\"\n{}{more}",
            certificate_keys(&keys)
        );
        let plan = Plan { clock: Clock::set_to(now()), ..Plan::default() }.with_saml_keys("cb", &typed);
        let house = plan.build().await;
        let metadata = house.sp_metadata("cb").await;
        Self { house, idp, metadata, pysaml2: Pysaml2::start().await }
    }

    /// Sends Bob away, and reads where to and with what.
    async fn is_asked(&self, bob: &mut Person, ask: &Ask) -> Asked {
        let first = bob.browser.get(&ask.url()).await;
        let arrival = bob.walks(ask, first, |next| next.as_str().starts_with(PARTNER)).await;
        let message = sent(&arrival.answer);
        let (xml, relay_state) = carried(&message, Carried::Request);
        let attribute = |name: &str| {
            let (_, rest) = xml.split_once(&format!(" {name}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let (id, acs) = (attribute("ID"), attribute("AssertionConsumerServiceURL"));
        Asked { id, issuer: acs.replace("/acs", "/metadata"), acs, relay_state, xml, message }
    }

    /// pysaml2's answer, with what is asked for besides.
    async fn answers(&mut self, asked: &Asked, more: Value) -> String {
        let mut answer = json!({
            "to": asked.issuer, "acs": asked.acs, "in_response_to": asked.id,
            "name_id": { "value": "bob@b.test" }, "session_index": "the session of Bob",
            "attributes": { "mail": ["bob@b.test"], "displayName": ["Bob"] }, "sign": ["assertion"],
            "now": self.now(),
        });
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.pysaml2.response(&self.idp, &[&self.metadata], answer).await
    }

    async fn brings(&self, bob: &mut Person, ask: &Ask, asked: &Asked, xml: &str) -> Arrival {
        let answer = posts_to(&mut bob.browser, &asked.acs, asked.relay_state.as_deref(), xml).await;
        bob.goes_on(ask, answer).await
    }

    /// Bob signs in; the access token.
    async fn signs_in(&mut self, bob: &mut Person) -> String {
        let ask = Application::rp1(&self.house).asks();
        let asked = self.is_asked(bob, &ask).await;
        let xml = self.answers(&asked, json!({})).await;
        let arrival = self.brings(bob, &ask, &asked, &xml).await;
        ask.redeems(&arrival).await.access_token
    }

    fn now(&self) -> String {
        self.house.clock.now().rfc3339()
    }

    async fn userinfo(&self, access_token: &str) -> u16 {
        Application::rp1(&self.house).userinfo(access_token).await.status.as_u16()
    }

    async fn slo(&self) -> String {
        format!("{}/saml/{}/slo", self.house.url, self.house.connection("cb").await)
    }

    /// The certificate that assertions may be encrypted to, in PEM.
    async fn encryption(&mut self) -> String {
        let read = self.pysaml2.metadata(&self.metadata).await.unwrap();
        let bare = read["roles"]["sp"]["encryption"][0].as_str().unwrap();
        format!("-----BEGIN CERTIFICATE-----\n{bare}\n-----END CERTIFICATE-----\n")
    }
}

/// The form of a page that carries a SAML message.
fn carrier(answer: &Answer) -> Form {
    let carries = |form: &Form| form.value("SAMLRequest").or(form.value("SAMLResponse")).is_some();
    let found = answer.forms().into_iter().find(carries);
    found.unwrap_or_else(|| panic!("{}: no message in {}", answer.status, answer.body))
}

/// A message on its way, as the oracles take it.
fn sent(answer: &Answer) -> Value {
    if let Some(to) = answer.location() {
        return redirected(to.as_str());
    }
    let form = carrier(answer);
    assert_eq!(form.method, "post");
    let fields = form.fields.iter().map(|(name, value)| (name.clone(), json!(value)));
    posted(form.action.as_str(), Value::Object(fields.collect()))
}

/// The XML of a message and its RelayState.
fn carried(message: &Value, which: Carried) -> (String, Option<String>) {
    if message["binding"] == "post" {
        let form = &message["form"];
        let xml = post::decode(form[which.parameter()].as_str().unwrap()).unwrap();
        return (String::from_utf8(xml).unwrap(), form["RelayState"].as_str().map(str::to_owned));
    }
    let url: Url = message["url"].as_str().unwrap().parse().unwrap();
    let read = RedirectMessage::read(url.query().unwrap(), which).unwrap();
    (String::from_utf8(read.xml).unwrap(), read.relay_state)
}

/// Brings a message to us as a browser would.
async fn deliver(visitor: &mut Visitor, message: &Value) -> Answer {
    let url = message["url"].as_str().unwrap();
    let Some(form) = message["form"].as_object() else { return visitor.get(url).await };
    let fields: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    visitor.post_form(url, &fields).await
}

#[tokio::test]
async fn pysaml2_believes_our_requests_by_both_bindings() {
    for (binding, more) in [("redirect", ""), ("post", "request_binding = \"post\"\n")] {
        let more = format!("{more}force_authn = true\nname_id_format = \"email_address\"\n");
        let mut partner = Partner::opens(&more).await;
        let (ask, mut bob) = (Application::rp1(&partner.house).asks(), Person::new("bob@b.test"));
        let asked = partner.is_asked(&mut bob, &ask).await;
        assert_eq!(asked.message["binding"], binding);
        let (idp, peers) = (partner.idp.clone(), [partner.metadata.as_str()]);
        let read = partner.pysaml2.authn_request(&idp, &peers, asked.message.clone()).await.unwrap();
        assert_eq!((&read["id"], &read["issuer"]), (&json!(asked.id), &json!(asked.issuer)));
        assert_eq!((&read["acs"], &read["destination"]), (&json!(asked.acs), &json!(idp.sso)));
        assert_eq!((&read["force_authn"], &read["is_passive"]), (&json!(true), &json!(false)));
        assert_eq!((&read["name_id_format"], &read["protocol_binding"]), (&json!(EMAIL), &json!(POST)));
        // Another connection's key is another key.
        let other = Partner::opens(&more).await.metadata;
        let other = other.replace(&read_entity(&other), &asked.issuer);
        partner.pysaml2.authn_request(&idp, &[&other], asked.message).await.unwrap_err();
    }
}

fn read_entity(metadata: &str) -> String {
    metadata.split_once("entityID=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn pysaml2_signs_and_encrypts_what_we_believe() {
    let mut partner = Partner::opens("").await;
    let to = partner.encryption().await;
    let gcm = "http://www.w3.org/2009/xmlenc11#aes";
    for (sign, how) in [
        (json!(["assertion"]), json!({})),
        (json!(["response"]), json!({ "signature": "rsa-sha384", "digest": "sha384" })),
        (json!(["assertion", "response"]), json!({ "signature": "rsa-sha512", "digest": "sha512" })),
        (json!(["assertion"]), json!({ "encrypt": { "cipher": format!("{gcm}128-gcm") } })),
        (json!(["response"]), json!({ "encrypt": { "cipher": format!("{gcm}192-gcm"), "sibling": true } })),
        (
            json!(["assertion", "response"]),
            json!({ "encrypt": { "cipher": format!("{gcm}256-gcm"), "digest": "sha256", "mgf": "sha256" } }),
        ),
    ] {
        let (ask, mut bob) = (Application::rp1(&partner.house).asks(), Person::new("bob@b.test"));
        let asked = partner.is_asked(&mut bob, &ask).await;
        let mut more = how.clone();
        more["sign"] = sign.clone();
        if !more["encrypt"].is_null() {
            more["encrypt"]["certificate"] = json!(to);
        }
        let xml = partner.answers(&asked, more).await;
        assert_eq!(xml.contains("EncryptedAssertion"), !how["encrypt"].is_null());
        let arrival = partner.brings(&mut bob, &ask, &asked, &xml).await;
        assert!(arrival.told_application("code").is_some(), "{sign} {how}: {}", arrival.told());
        let tokens = ask.redeems(&arrival).await;
        assert_eq!((&tokens.id["org_name"], &tokens.id["name"]), (&json!("org-b"), &json!("Bob")));
    }
    assert_eq!(partner.house.facts().await.rows("users"), 1);
}

#[tokio::test]
async fn node_saml_signs_and_encrypts_what_we_believe() {
    let mut partner = Partner::opens("").await;
    let (to, mut node) = (partner.encryption().await, NodeSaml::start().await);
    let mut oracle = XmlOracle::start().await;
    for (part, cipher) in [
        ("Assertion", None),
        ("Response", None),
        ("Assertion", Some("http://www.w3.org/2009/xmlenc11#aes256-gcm")),
        ("Response", Some("http://www.w3.org/2009/xmlenc11#aes128-gcm")),
        ("Response", Some("http://www.w3.org/2001/04/xmlenc#aes256-cbc")),
    ] {
        let (ask, mut bob) = (Application::rp1(&partner.house).asks(), Person::new("bob@b.test"));
        let asked = partner.is_asked(&mut bob, &ask).await;
        let mut xml = partner.answers(&asked, json!({ "sign": [] })).await;
        let signed = async |node: &mut NodeSaml, xml: &str| {
            let id = id_of(xml, part);
            let keys = &partner.idp.signing;
            let how = json!({ "xml": xml, "id": id, "key": keys.key, "certificate": keys.certificate });
            node.try_ask("sign", how).await.unwrap().as_str().unwrap().to_owned()
        };
        if part == "Assertion" {
            xml = signed(&mut node, &xml).await;
        }
        if let Some(cipher) = cipher {
            let assertion = element(&xml, "Assertion").to_owned();
            // Alone, with every namespace that it uses.
            let alone = oracle.canonical(&xml, Some(&id_of(&xml, "Assertion")), &[]).await.unwrap();
            let how = json!({ "xml": alone, "certificate": to, "cipher": cipher });
            let data = node.try_ask("encrypt", how).await.unwrap();
            let data = data.as_str().unwrap();
            let sealed = format!(
                r#"<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{data}</saml:EncryptedAssertion>"#
            );
            xml = xml.replacen(&assertion, &sealed, 1);
        }
        if part == "Response" {
            xml = signed(&mut node, &xml).await;
        }
        let arrival = partner.brings(&mut bob, &ask, &asked, &xml).await;
        assert!(arrival.told_application("code").is_some(), "{part} {cipher:?}: {}", arrival.told());
        assert_eq!(ask.redeems(&arrival).await.id["email"], "bob@b.test");
    }
}

#[tokio::test]
async fn pysaml2_believes_our_wish_to_log_out_and_we_its_answer() {
    for (binding, more) in [("redirect", ""), ("post", "request_binding = \"post\"\n")] {
        let mut partner = Partner::opens(more).await;
        let mut bob = Person::new("bob@b.test");
        let access_token = partner.signs_in(&mut bob).await;
        let page = bob.browser.get(&format!("{}/logout", partner.house.url)).await;
        let answer = bob.browser.submit(&page.form().with("sign_out", "yes")).await;
        let message = sent(&answer);
        assert_eq!(message["binding"], binding);
        assert_eq!(partner.userinfo(&access_token).await, 401);

        let (idp, peers) = (partner.idp.clone(), [partner.metadata.as_str()]);
        let read = partner.pysaml2.logout_request(&idp, &peers, message.clone()).await.unwrap();
        assert_eq!(read["name_id"], json!({ "value": "bob@b.test", "format": EMAIL }));
        assert_eq!(read["session_indexes"], json!(["the session of Bob"]));
        assert_eq!(read["destination"], json!(idp.slo));
        let back = json!({
            "peer": read["issuer"], "to": partner.slo().await, "in_response_to": read["id"], "binding": binding,
            "now": partner.now(),
        });
        let back = partner.pysaml2.make_logout_response(&idp, &peers, back).await;
        let page = deliver(&mut bob.browser, &back["message"]).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.body.contains("You are signed out") && !page.body.contains("may still be"));
        // It was the answer to one request, and there is none any more.
        let before = partner.house.before().await;
        let page = deliver(&mut bob.browser, &back["message"]).await;
        assert_eq!(page.status, 403);
        assert!(page.body.contains("You may still be signed in"), "{}", page.body);
        partner.house.refused(&before, "in_response_to").await;
    }
}

#[tokio::test]
async fn pysaml2_asks_us_to_log_out_and_believes_our_answer() {
    let mut partner = Partner::opens("").await;
    for binding in ["redirect", "post"] {
        let mut bob = Person::new("bob@b.test");
        let access_token = partner.signs_in(&mut bob).await;
        let (idp, peers) = (partner.idp.clone(), [partner.metadata.clone()]);
        let peers = [peers[0].as_str()];
        let asked = json!({
            "to": partner.slo().await, "name_id": { "value": "bob@b.test", "format": EMAIL },
            "session_index": "the session of Bob", "binding": binding, "relay_state": "opaque",
            "now": partner.now(),
        });
        // Somebody else's key ends nothing.
        let mut stranger = idp.clone();
        stranger.signing = KeyPair::generate();
        let forged = partner.pysaml2.make_logout_request(&stranger, &peers, asked.clone()).await;
        let before = partner.house.before().await;
        assert_eq!(deliver(&mut Visitor::arrives(), &forged["message"]).await.status, 403);
        partner.house.refused(&before, "signature_invalid").await;
        assert_eq!(partner.userinfo(&access_token).await, 200);

        // It comes without our cookies, as browsers have it.
        let request = partner.pysaml2.make_logout_request(&idp, &peers, asked).await;
        let answer = deliver(&mut Visitor::arrives(), &request["message"]).await;
        assert_eq!(partner.userinfo(&access_token).await, 401, "{}", answer.body);
        let message = sent(&answer);
        assert_eq!(message["binding"], binding);
        assert_eq!(carried(&message, Carried::Response).1.as_deref(), Some("opaque"));
        let read = partner.pysaml2.logout_response(&idp, &peers, message).await.unwrap();
        assert_eq!((&read["in_response_to"], &read["destination"]), (&request["id"], &json!(idp.slo)));
        assert_eq!(read["status"], status::SUCCESS);
        let before = partner.house.before().await;
        let again = deliver(&mut Visitor::arrives(), &request["message"]).await;
        let told = carried(&sent(&again), Carried::Response).0;
        assert!(told.contains(status::REQUESTER) && told.contains(status::REQUEST_DENIED), "{told}");
        partner.house.refused(&before, "replayed").await;
        // Who signs in later may be given the same index once more.
        partner.house.turn_clock(1);
    }
}

#[tokio::test]
async fn everybody_verifies_what_we_sign() {
    let (mut oracle, mut node) = (XmlOracle::start().await, NodeSaml::start().await);
    let text = r#"<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_0123456789abcdef" Version="2.0" Consent="&#9;&quot;&lt;"><a:Issuer xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">Bücher &amp; &gt; 𝄞</a:Issuer></p:AuthnRequest>"#;
    let (from, until) = (now().minus(Duration::from_secs(60)), now().plus(Duration::from_secs(3600)));
    for (kind, method) in [
        (KeyKind::Rsa2048, SignatureMethod::RsaSha256),
        (KeyKind::Rsa2048, SignatureMethod::RsaSha384),
        (KeyKind::Rsa2048, SignatureMethod::RsaSha512),
        (KeyKind::P256, SignatureMethod::EcdsaSha256),
        (KeyKind::P384, SignatureMethod::EcdsaSha384),
    ] {
        let key = SigningKey::generate(kind).unwrap().by(method).unwrap();
        let certificate = self_signed(&key, "us", from, until, &[7]).unwrap();
        let pem = certificate.pem();
        let signed = sign_enveloped(text, "_0123456789abcdef", &key, Some(&certificate)).unwrap();
        let changed = signed.replace("Bücher", "Hefte");
        for (xml, is_good) in [(&signed, true), (&changed, false)] {
            let id = "_0123456789abcdef";
            let told = xmlsec::verify(xml, id, &pem);
            assert_eq!(told.is_ok(), is_good, "xmlsec1, {method:?}: {told:?}");
            let told = oracle.verify(xml, id, &pem).await;
            assert_eq!(told.is_ok(), is_good, "signxml, {method:?}: {told:?}");
            let document = Document::parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
            let verified = verify_enveloped(document.root(), &[key.verifying_key().clone()]);
            assert_eq!(verified.is_ok(), is_good, "{method:?}");
            // xml-crypto knows RSA with SHA-256 and SHA-512 alone.
            if matches!(method, SignatureMethod::RsaSha256 | SignatureMethod::RsaSha512) {
                let told = node.verified(xml, id, &[&pem]).await;
                assert_eq!(told.is_some(), is_good, "node-saml, {method:?}");
            }
        }
    }
}

/// OpenSAML's default is SHA-256 with whatever curve.
#[test]
fn h16_we_verify_what_xmlsec1_signs_on_a_curve_by_any_digest() {
    let text = r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_e">said</p:Response>"#;
    for kind in [KeyKind::P256, KeyKind::P384] {
        let (key, other) = (SigningKey::generate(kind).unwrap(), SigningKey::generate(kind).unwrap());
        let encoded = BASE64.encode(&key.to_pkcs8().unwrap());
        let lines: Vec<_> = encoded.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        let ours = sign_enveloped(text, "_e", &key, None).unwrap();
        let (head, rest) = ours.split_once("<ds:SignatureValue>").unwrap();
        let (_, tail) = rest.split_once("</ds:Signature>").unwrap();
        for method in
            [SignatureMethod::EcdsaSha256, SignatureMethod::EcdsaSha384, SignatureMethod::EcdsaSha512]
        {
            let template = format!("{head}<ds:SignatureValue/><ds:KeyInfo/></ds:Signature>{tail}")
                .replace(key.method().uri(), method.uri());
            let signed = xmlsec::sign(&template, "_e", &pem).unwrap();
            let changed = signed.replace("said", "meant");
            for (xml, key, is_good) in
                [(&signed, &key, true), (&changed, &key, false), (&signed, &other, false)]
            {
                let document = Document::parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
                let verified = verify_enveloped(document.root(), &[key.verifying_key().clone()]);
                assert_eq!(verified.is_ok(), is_good, "{kind:?}, {method:?}: {verified:?}");
            }
        }
    }
}

#[tokio::test]
async fn pysaml2_understands_our_metadata() {
    let mut partner = Partner::opens("want_signed = \"assertion\"\n").await;
    let at = partner.slo().await.replace("/slo", "");
    let read = partner.pysaml2.metadata(&partner.metadata).await.unwrap();
    assert_eq!(read["entity_id"], format!("{at}/metadata"));
    let sp = &read["roles"]["sp"];
    assert_eq!(
        (&sp["acs"][0]["location"], &sp["acs"][0]["binding"]),
        (&json!(format!("{at}/acs")), &json!(POST))
    );
    assert_eq!(sp["acs"].as_array().unwrap().len(), 1);
    let slo: Vec<_> = sp["slo"].as_array().unwrap().iter().map(|one| &one["binding"]).collect();
    assert_eq!(slo, [REDIRECT, POST]);
    assert_eq!((&sp["authn_requests_signed"], &sp["want_assertions_signed"]), (&json!(true), &json!(true)));
    assert!(
        !sp["signing"].as_array().unwrap().is_empty() && !sp["encryption"].as_array().unwrap().is_empty()
    );
    assert_ne!(sp["signing"][0], sp["encryption"][0]);
    for (wanted, is_asked) in [("either", true), ("response", false), ("both", true)] {
        let file = partner.house.file.replace("\"assertion\"", &format!("\"{wanted}\""));
        partner.house.provision(&file).await;
        let read = partner.pysaml2.metadata(&partner.house.sp_metadata("cb").await).await.unwrap();
        assert_eq!(read["roles"]["sp"]["want_assertions_signed"], is_asked, "{wanted}");
    }
}

#[tokio::test]
async fn the_first_keys_of_a_project_serve_whoever_looked_at_the_clock_before_they_were_made() {
    let partner = Partner::opens("").await;
    assert_eq!(partner.house.count("saml_keys WHERE begins_at < created_at").await, 2);
}

/// SimpleSAMLphp as the provider of `org-b`.
struct Customer {
    house: House,
    idp: SimpleSamlPhp,
}

impl Customer {
    /// `keys`: how the connection is described; `{metadata_url}` is known only now.
    async fn opens(plan: simplesamlphp::Plan, keys: &str, more: &str) -> Self {
        let bob = Someone::named("bob").with("mail", &["bob@b.test"]).with("displayName", &["bob"]);
        let idp = SimpleSamlPhp::start(simplesamlphp::Plan { people: vec![bob], ..plan });
        let keys = keys.replace("{metadata_url}", &idp.metadata_url());
        let house = Plan { clock: Clock::set_to(now()), ..Plan::default() };
        let mut house = house.with_saml_keys("cb", &keys).and(more);
        house.file = house.file.replace(
            "redirect_uris = [\"https://rp1.test/callback\"]",
            "redirect_uris = [\"https://rp1.test/callback\"]\ninitiate_login_uri = \"https://rp1.test/login\"",
        );
        let house = house.build().await;
        let mut customer = Self { house, idp };
        let metadata = customer.house.sp_metadata("cb").await;
        customer.idp.knows(ServiceProvider::from_metadata(&metadata));
        customer
    }

    async fn by_url() -> Self {
        Self::opens(simplesamlphp::Plan::default(), "metadata_url = \"{metadata_url}\"", "").await
    }

    /// From an address to SimpleSAMLphp's form, and on to its answer, which is held back.
    async fn proves(&self, bob: &mut Visitor, url: &str) -> Form {
        let mut answer = bob.get(url).await;
        while answer.location().is_some() {
            answer = bob.follow(&answer).await;
        }
        let form = answer.form_with("password").with("username", "bob").with("password", PASSWORD);
        carrier(&bob.submit(&form).await)
    }

    /// SimpleSAMLphp's clock goes on, while ours stands still.
    fn catches_up(&self) {
        let behind = now().since(self.house.clock.now());
        if behind > Duration::from_secs(15) {
            self.house.clock.turn(behind);
        }
    }

    /// The request of the application, and SimpleSAMLphp's answer to ours.
    async fn answers(&self, bob: &mut Person) -> (Ask, Form) {
        self.catches_up();
        let ask = Application::rp1(&self.house).asks();
        let first = bob.browser.get(&ask.url()).await;
        let arrival = bob.walks(&ask, first, |next| next.as_str().starts_with(&self.idp.url())).await;
        let to = arrival.answer.location().unwrap();
        let form = self.proves(&mut bob.browser, to.as_str()).await;
        (ask, form)
    }

    async fn brings(&self, bob: &mut Person, ask: &Ask, form: &Form) -> Arrival {
        let answer = bob.browser.submit(form).await;
        bob.goes_on(ask, answer).await
    }

    /// Bob signs in: his `sub`.
    async fn signs_in(&self) -> Value {
        let mut bob = Person::new("bob@b.test");
        let (ask, form) = self.answers(&mut bob).await;
        let arrival = self.brings(&mut bob, &ask, &form).await;
        ask.redeems(&arrival).await.id["sub"].clone()
    }

    /// SimpleSAMLphp's answer that nobody asked for.
    async fn unasked(&self, bob: &mut Visitor) -> Form {
        self.catches_up();
        let at = self.house.sp_metadata("cb").await;
        let url = self.idp.start_url(&read_entity(&at), Some("https://evil.test/"));
        self.proves(bob, &url).await
    }
}

/// A new key, announced together with the old one.
fn rolls_over(idp: &mut SimpleSamlPhp) {
    let old = idp.key_pair();
    idp.sign_with(KeyPair::generate(), Some(old));
}

#[tokio::test]
async fn s3_34_signed_metadata_is_read_again_when_simplesamlphp_signs_by_another_key() {
    let signer = KeyPair::generate();
    let keys = certificate_keys(&signer).replace("idp_x509_certificate", "metadata_certificate");
    let plan = simplesamlphp::Plan { metadata_signer: Some(signer), ..Default::default() };
    let keys = format!("metadata_url = \"{{metadata_url}}\"\n{keys}");
    let mut customer = Customer::opens(plan, &keys, "").await;
    let subject = customer.signs_in().await;

    rolls_over(&mut customer.idp);
    let before = customer.house.before().await;
    assert_eq!(customer.signs_in().await, subject);
    let events = customer.house.events_since(&before).await;
    let changed: Vec<_> =
        events.iter().filter(|event| event.action == "organization.connection.metadata_changed").collect();
    assert_eq!(changed.len(), 1, "{events:?}");
    assert_eq!(changed[0].detail["certificates_after"].as_array().unwrap().len(), 2);

    // Within a minute nobody looks again.
    rolls_over(&mut customer.idp);
    let mut bob = Person::new("bob@b.test");
    let (ask, form) = customer.answers(&mut bob).await;
    let before = customer.house.before().await;
    let arrival = customer.brings(&mut bob, &ask, &form).await;
    assert_eq!(arrival.status(), 403, "{}", arrival.told());
    customer.house.refused(&before, "signature_invalid").await;
    customer.house.turn_clock(61);
    assert_eq!(customer.signs_in().await, subject);
}

#[tokio::test]
async fn m15_unsigned_metadata_brings_no_new_key_unless_the_operator_says_so() {
    let mut customer = Customer::by_url().await;
    let subject = customer.signs_in().await;
    rolls_over(&mut customer.idp);
    let mut bob = Person::new("bob@b.test");
    let (ask, form) = customer.answers(&mut bob).await;
    let before = customer.house.before().await;
    let arrival = customer.brings(&mut bob, &ask, &form).await;
    assert_eq!(arrival.status(), 403, "{}", arrival.told());
    customer.house.unchanged(&before).await;
    let events = customer.house.events_since(&before).await;
    let mut actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["login.refused", "organization.connection.metadata_offered"]);

    // No two readings are of one moment.
    customer.house.turn_clock(1);
    customer.house.reads_metadata_again().await;
    assert_eq!(customer.signs_in().await, subject);
}

#[tokio::test]
async fn s3_34_the_claims_are_the_same_as_by_openid_connect() {
    let customer = Customer::by_url().await;
    let mut ann = Person::new("ann@a.test");
    customer.house.idp_a.says(Says::truth().claim("name", "\"Ann\"").claim("amr", "[\"pwd\"]"));
    let ask = Application::rp1(&customer.house).asks();
    let arrival = ann.follows(&ask).await;
    let by_oidc = ask.redeems(&arrival).await;
    let mut bob = Person::new("bob@b.test");
    let (ask, form) = customer.answers(&mut bob).await;
    let arrival = customer.brings(&mut bob, &ask, &form).await;
    let by_saml = ask.redeems(&arrival).await;
    let names = |claims: &Value| claims.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&by_saml.id), names(&by_oidc.id));
    assert_eq!(names(&by_saml.access), names(&by_oidc.access));
    assert_eq!(by_saml.id["org_name"], "org-b");
    assert_eq!(by_saml.id["org_id"], json!(customer.house.organization("org-b").await));
}

#[tokio::test]
async fn rule_14_simplesamlphps_cipher_is_read_under_a_signed_response_only() {
    let plan = simplesamlphp::Plan { encrypt_assertion: true, sign_response: false, ..Default::default() };
    let mut customer = Customer::opens(plan, "metadata_url = \"{metadata_url}\"", "").await;
    let mut bob = Person::new("bob@b.test");
    let (ask, form) = customer.answers(&mut bob).await;
    let before = customer.house.before().await;
    let arrival = customer.brings(&mut bob, &ask, &form).await;
    assert_eq!(arrival.status(), 403, "{}", arrival.told());
    customer.house.refused(&before, "encryption_unsupported").await;

    customer.idp.change(|plan| plan.sign_response = true);
    let mut bob = Person::new("bob@b.test");
    let (ask, form) = customer.answers(&mut bob).await;
    let arrival = customer.brings(&mut bob, &ask, &form).await;
    assert_eq!(ask.redeems(&arrival).await.id["email"], "bob@b.test");

    // A name within is for a key of the connection's own, and this one has none.
    customer.idp.change(|plan| plan.encrypt_name_id = true);
    let mut bob = Person::new("bob@b.test");
    let (ask, form) = customer.answers(&mut bob).await;
    let before = customer.house.before().await;
    assert_eq!(customer.brings(&mut bob, &ask, &form).await.status(), 403);
    customer.house.refused(&before, "undecryptable").await;
}

#[tokio::test]
async fn h10_simplesamlphp_names_people_in_the_format_that_is_asked_for() {
    for (asked, format) in [
        ("preset = \"simplesamlphp\"", PERSISTENT),
        ("name_id_format = \"email_address\"", EMAIL),
        // Whoever does not say gets what our metadata names first.
        ("name_id_format = \"unspecified\"", PERSISTENT),
        ("name_id_format = \"none\"", PERSISTENT),
    ] {
        let keys = format!("metadata_url = \"{{metadata_url}}\"\n{asked}");
        let customer = Customer::opens(simplesamlphp::Plan::default(), &keys, "").await;
        let mut bob = Person::new("bob@b.test");
        let (ask, form) = customer.answers(&mut bob).await;
        let xml = post::decode(form.value("SAMLResponse").unwrap()).unwrap();
        assert!(String::from_utf8(xml).unwrap().contains(&format!("Format=\"{format}\"")), "{asked}");
        let arrival = customer.brings(&mut bob, &ask, &form).await;
        ask.redeems(&arrival).await;
        let subject = customer.house.text("SELECT subject FROM identities").await.unwrap();
        assert_eq!(subject == "bob@b.test", format == EMAIL, "{asked}: {subject}");
    }
}

const INITIATED: &str = "metadata_url = \"{metadata_url}\"\ndefault_application = \"rp1\"\nidp_initiated = ";

#[tokio::test]
async fn h09_an_answer_that_nobody_asked_for_signs_nobody_in() {
    let customer = Customer::by_url().await;
    let (mut bob, before) = (Visitor::arrives(), customer.house.before().await);
    let form = customer.unasked(&mut bob).await;
    assert_eq!(bob.submit(&form).await.status, 403);
    customer.house.refused(&before, "in_response_to").await;
}

#[tokio::test]
async fn h09_an_answer_that_nobody_asked_for_leads_to_the_application_that_asks() {
    let keys = format!("{INITIATED}\"round_trip\"");
    let customer = Customer::opens(simplesamlphp::Plan::default(), &keys, "").await;
    let (mut bob, before) = (Visitor::arrives(), customer.house.before().await);
    let form = customer.unasked(&mut bob).await;
    for _ in 0..2 {
        let to = bob.submit(&form).await.location().unwrap();
        assert_eq!((to.host_str(), to.path()), (Some("rp1.test"), "/login"));
        let told: Vec<_> = to.query_pairs().into_owned().collect();
        let expected = [("iss", customer.house.url.as_str()), ("login_hint", "bob@b.test")];
        assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        customer.house.unchanged(&before).await;
    }
}

#[tokio::test]
async fn h09_an_answer_that_nobody_asked_for_signs_in_once_where_that_is_wanted() {
    let keys = format!("{INITIATED}\"accept\"");
    let customer = Customer::opens(simplesamlphp::Plan::default(), &keys, "").await;
    let mut bob = Visitor::arrives();
    let form = customer.unasked(&mut bob).await;
    let accepted = bob.submit(&form).await;
    let ticket = accepted.location().unwrap();
    assert!(ticket.path().ends_with("/accepted"), "{ticket}");
    assert_eq!(customer.house.facts().await.rows("sessions"), 0, "not before the browser is here");
    let to = bob.follow(&accepted).await.location().unwrap();
    assert_eq!((to.host_str(), to.path()), (Some("rp1.test"), "/login"));
    assert_eq!(customer.house.facts().await.rows("sessions"), 1);

    // He is signed in: the application's request needs nobody else.
    let ask = Application::rp1(&customer.house).asks();
    let mut bob = Person { browser: bob, email: "bob@b.test".to_owned() };
    let arrival = bob.follows(&ask).await;
    assert!(arrival.pages.is_empty(), "{}", arrival.told());
    assert_eq!(ask.redeems(&arrival).await.id["org_name"], "org-b");

    // Neither the answer nor the ticket does it twice, to anybody.
    for mut somebody in [Visitor::arrives(), bob.browser] {
        let before = customer.house.before().await;
        assert_eq!(somebody.get(ticket.as_str()).await.status, 403);
        customer.house.refused(&before, "flow_expired").await;
        let before = customer.house.before().await;
        let mut answer = somebody.submit(&form).await;
        if answer.location().is_some() {
            answer = somebody.follow(&answer).await;
        }
        assert_eq!(answer.status, 403, "{}", answer.body);
        customer.house.refused(&before, "replayed").await;
    }
}

/// What SPID wants refused, and we take: rules of its own.
const RULES_OF_SPID: [(&str, &str); 12] = [
    ("44", "no NameID: optional (SAML Core, section 2.4.1); here an attribute names the person"),
    ("45", "an empty Format of a NameID: SPID names by transient ids; here an attribute names the person"),
    ("46", "a NameID without Format: `unspecified` is what that means (SAML Core, section 2.2.2)"),
    ("47", "a NameID of another Format than transient, which SPID alone asks for"),
    ("48", "an empty NameQualifier: optional (SAML Core, section 2.2.1), and it names nobody here"),
    ("49", "a NameID without NameQualifier: as 48"),
    ("71", "an assertion's Issuer without Format: `entity` is what that means (SAML Core, section 2.2.5)"),
    ("76", "Conditions without NotBefore: optional (SAML Core, section 2.5.1)"),
    ("90", "an empty AuthnContext: it says nothing of how, so it counts as the lowest level"),
    ("92", "an empty AuthnContextClassRef: as 90"),
    ("93", "an AuthnContext without AuthnContextClassRef: as 90"),
    ("97", "an unknown AuthnContextClassRef: as 90; nothing was asked for"),
];

#[tokio::test]
async fn spid_finds_nothing_that_is_taken_but_by_rules_of_its_own() {
    let partner = Partner::opens("want_signed = \"both\"\nsubject_attribute = \"mail\"\n").await;
    let mut spid = Spid::start(&partner.idp).await;
    let cases = spid.cases();
    assert!(cases.len() > 100, "{}", cases.len());
    let mut taken = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        // What is written down of refusals has a limit for each minute.
        if number % 10 == 0 {
            partner.house.turn_clock(60);
        }
        let (ask, mut bob) = (Application::rp1(&partner.house).asks(), Person::new("bob@b.test"));
        let asked = partner.is_asked(&mut bob, &ask).await;
        let time = partner.now();
        let attributes = json!({ "mail": "bob@b.test" });
        let xml = spid.response(&case.case, &asked.xml, attributes, Some(&time)).await;
        let before = partner.house.before().await;
        let arrival = partner.brings(&mut bob, &ask, &asked, &xml).await;
        let told = format!("{} ({}): {}", case.case, case.title, arrival.told());
        if arrival.told_application("code").is_some() {
            if case.refused {
                taken.push(case.case.as_str());
            }
            continue;
        }
        assert!(case.refused, "{told}");
        assert!([400, 403].contains(&arrival.status()), "{told}");
        partner.house.unchanged(&before).await;
        let events = partner.house.events_since(&before).await;
        assert_eq!(events.len(), 1, "{told}: {events:?}");
        let detail = &events[0].detail;
        assert!(detail["check"].is_string() && detail["expected"].is_string(), "{told}: {detail}");
        // A wrapped one is refused for its wrapping.
        if case.case.starts_with("xsw") {
            assert_eq!(detail["check"], "structure", "{told}: {detail}");
            assert_ne!(detail["found"], "{}Response", "{told}");
        }
    }
    assert_eq!(taken, RULES_OF_SPID.map(|(case, _)| case));
}
