//! The house introduces itself: SimpleSAMLphp and the oracles of SAML work before there is anything to test.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::oracles::{
    NodeSaml, Party, Pysaml2, Spid, XmlOracle, canonical_by_xmllint, posted, redirected, xmlsec,
};
use super::simplesamlphp::{
    AttributeNames, EMAIL, KeyPair, PASSWORD, Plan, ServiceProvider, SimpleSamlPhp, Someone,
};
use super::simplesamlphp::{POST, REDIRECT};
use super::visitor::{Answer, Visitor};

const SP: &str = "https://app.a.test/saml";
const ACS: &str = "http://127.0.0.1:9/acs";
const SLO: &str = "http://127.0.0.1:9/slo";

/// A provider that knows Ann, and the application that it answers.
struct Company {
    idp: SimpleSamlPhp,
    sp: Party,
    metadata: String,
    saml: NodeSaml,
    pysaml2: Pysaml2,
}

impl Company {
    async fn opens(plan: Plan) -> Self {
        let keys = KeyPair::generate();
        let mut sp = Party::service_provider(SP, keys.clone(), ACS);
        (sp.slo, sp.decrypting) = (Some(SLO.to_owned()), Some(keys.clone()));
        let known = ServiceProvider::typed(SP, ACS).logout_at(REDIRECT, SLO).certificate(&keys.certificate);
        let idp = SimpleSamlPhp::start(Plan { people: vec![ann()], service_providers: vec![known], ..plan });
        let metadata = idp.metadata().await;
        Self { idp, sp, metadata, saml: NodeSaml::start().await, pysaml2: Pysaml2::start().await }
    }

    /// The settings of node-saml for it.
    fn options(&self) -> Value {
        json!({
            "issuer": SP, "callbackUrl": ACS, "audience": SP, "idpIssuer": self.idp.entity_id(),
            "entryPoint": self.idp.sso_url(), "logoutUrl": self.idp.slo_url(),
            "idpCert": self.idp.certificate(), "decryptionPvk": self.sp.signing.key,
            "wantAuthnResponseSigned": true, "identifierFormat": EMAIL,
        })
    }

    async fn request(&mut self, binding: &str) -> (String, Value) {
        let asked = json!({ "to": self.idp.sso_url(), "binding": binding, "relay_state": "opaque" });
        let made = self.pysaml2.make_authn_request(&self.sp, &[&self.metadata], asked).await;
        (made["id"].as_str().unwrap().to_owned(), made["message"].clone())
    }

    /// Ann signs in, and her answer is on its way: (the request's id, the response).
    async fn sign_in(&mut self, ann: &mut Visitor) -> (String, String) {
        let (id, message) = self.request("redirect").await;
        let form = deliver(ann, &message).await;
        let sent =
            ann.submit(&form.form_with("password").with("username", "ann").with("password", PASSWORD)).await;
        (id, response_in(&sent))
    }
}

fn ann() -> Someone {
    Someone::named("ann").with("mail", &["ann@a.test"]).with("groups", &["staff", "board"])
}

/// Brings a message where it is to go, and follows to the page where that ends.
async fn deliver(visitor: &mut Visitor, message: &Value) -> Answer {
    let url = message["url"].as_str().unwrap();
    let fields = message["form"].as_object().into_iter().flatten();
    let fields: Vec<_> = fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let mut answer =
        if fields.is_empty() { visitor.get(url).await } else { visitor.post_form(url, &fields).await };
    while answer.location().is_some_and(|next| next.port() == answer.url.port()) {
        answer = visitor.follow(&answer).await;
    }
    answer
}

/// The response in a page that posts itself to the ACS.
fn response_in(page: &Answer) -> String {
    let form = page.form_with("SAMLResponse");
    assert_eq!(form.action.as_str(), ACS);
    assert_eq!(form.value("RelayState"), Some("opaque"));
    let octets = BASE64.decode(form.value("SAMLResponse").unwrap().as_bytes()).unwrap();
    String::from_utf8(octets).unwrap()
}

/// The ID of the first element of that name.
fn id_of(xml: &str, name: &str) -> String {
    let tag = xml.split_once(&format!(":{name} ")).unwrap().1.split_once('>').unwrap().0;
    tag.split_once(" ID=\"").or(tag.split_once("ID=\"")).unwrap().1.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn simplesamlphp_publishes_metadata_that_others_understand() {
    let mut company = Company::opens(Plan::default()).await;
    let read = company.pysaml2.metadata(&company.metadata).await.unwrap();
    assert_eq!(read["entity_id"], company.idp.entity_id());
    let idp = &read["roles"]["idp"];
    let bindings =
        |service: &str| [0, 1].map(|nth| idp[service][nth]["binding"].as_str().unwrap().to_owned());
    assert_eq!(bindings("sso"), [REDIRECT, POST]);
    assert_eq!(bindings("slo"), [REDIRECT, POST]);
    assert_eq!(idp["sso"][0]["location"], company.idp.sso_url());
    assert_eq!(idp["want_authn_requests_signed"], true);
    let bare: String = company.idp.certificate().lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(idp["signing"], json!([bare]));

    let (old, new) = (company.idp.key_pair(), KeyPair::generate());
    company.idp.sign_with(new, Some(old));
    let read = company.pysaml2.metadata(&company.idp.metadata().await).await.unwrap();
    assert_eq!(read["roles"]["idp"]["signing"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn simplesamlphp_asks_who_is_there_unless_the_request_should_have_been_signed() {
    let mut company = Company::opens(Plan { wants_signed_requests: false, ..Plan::default() }).await;
    let unsigned = company.saml.authorize(company.options(), "opaque").await;
    let page = deliver(&mut Visitor::arrives(), &unsigned).await;
    assert_eq!(page.status, 200, "{}", company.idp.log());
    page.form_with("password");

    company.idp.change(|plan| plan.wants_signed_requests = true);
    let page = deliver(&mut Visitor::arrives(), &unsigned).await;
    assert!(page.body.contains("no signature found on message"), "{}", page.body);
}

#[tokio::test]
async fn simplesamlphp_takes_signed_requests_by_both_bindings_and_no_others_key() {
    let mut company = Company::opens(Plan::default()).await;
    for binding in ["redirect", "post"] {
        let (_, message) = company.request(binding).await;
        let page = deliver(&mut Visitor::arrives(), &message).await;
        assert_eq!(page.status, 200, "{binding}: {}", company.idp.log());
        page.form_with("password");

        let trusted = std::mem::replace(&mut company.sp.signing, KeyPair::generate());
        let (_, message) = company.request(binding).await;
        let page = deliver(&mut Visitor::arrives(), &message).await;
        assert!(page.body.contains("Unable to validate"), "{binding}: {}", page.body);
        company.sp.signing = trusted;
    }
}

#[tokio::test]
async fn everybody_believes_what_simplesamlphp_signed_and_nobody_what_was_changed() {
    let mut company = Company::opens(Plan::default()).await;
    let mut visitor = Visitor::arrives();
    let (request, response) = company.sign_in(&mut visitor).await;
    let changed = response.replace("ann@a.test", "bob@a.test");
    assert_ne!(response, changed);
    let certificate = company.idp.certificate().to_owned();
    let mut oracle = XmlOracle::start().await;
    for name in ["Response", "Assertion"] {
        let id = id_of(&response, name);
        xmlsec::verify(&response, &id, &certificate).unwrap();
        xmlsec::verify(&changed, &id, &certificate).unwrap_err();
        xmlsec::verify(&response, &id, &company.sp.signing.certificate).unwrap_err();
        assert!(oracle.verify(&response, &id, &certificate).await.unwrap().contains("ann@a.test"));
        oracle.verify(&changed, &id, &certificate).await.unwrap_err();
        assert!(company.saml.verified(&response, &id, &[&certificate]).await.is_some());
        assert!(company.saml.verified(&changed, &id, &[&certificate]).await.is_none());
    }

    let options = company.options();
    let profile = company.saml.accept(options.clone(), &response, Some(&request)).await.unwrap();
    assert_eq!(profile["nameID"], "ann@a.test");
    assert_eq!(profile["attributes"]["groups"], json!(["staff", "board"]));
    company.saml.accept(options.clone(), &changed, Some(&request)).await.unwrap_err();
    company.saml.accept(options, &response, Some("_another")).await.unwrap_err();

    let asked = |xml: &str, id: &str| json!({ "response": xml, "requests": [id] });
    let (sp, peers) = (company.sp.clone(), [company.metadata.as_str()]);
    let seen = company.pysaml2.accept(&sp, &peers, asked(&response, &request)).await.unwrap();
    assert_eq!(seen["name_id"], json!({ "value": "ann@a.test", "format": EMAIL }));
    assert_eq!(seen["attributes"]["mail"], json!(["ann@a.test"]));
    company.pysaml2.accept(&sp, &peers, asked(&changed, &request)).await.unwrap_err();
    company.pysaml2.accept(&sp, &peers, asked(&response, "_another")).await.unwrap_err();
}

#[tokio::test]
async fn simplesamlphp_encrypts_and_names_attributes_as_it_is_told() {
    let plan = Plan { encrypt_assertion: true, attribute_names: AttributeNames::Oid, ..Plan::default() };
    let mut company = Company::opens(plan).await;
    let (request, response) = company.sign_in(&mut Visitor::arrives()).await;
    assert!(!response.contains("ann@a.test") && response.contains("EncryptedAssertion"));
    let profile = company.saml.accept(company.options(), &response, Some(&request)).await.unwrap();
    assert_eq!(profile["nameID"], "ann@a.test");
    assert_eq!(profile["attributes"]["urn:oid:0.9.2342.19200300.100.1.3"], "ann@a.test");

    let by_xmlsec = xmlsec::decrypt(&response, &company.sp.signing.key).unwrap();
    let by_cryptography = XmlOracle::start().await.decrypt(&response, &company.sp.signing.key).await.unwrap();
    assert!(by_xmlsec.contains("ann@a.test") && by_cryptography.contains("ann@a.test"));
    xmlsec::decrypt(&response, &company.idp.key_pair().key).unwrap_err();
}

#[tokio::test]
async fn simplesamlphp_knows_an_application_by_its_metadata_and_sends_people_there_unasked() {
    let mut company = Company::opens(Plan::default()).await;
    let (options, certificate) = (company.options(), company.sp.signing.certificate.clone());
    let known = json!({ "saml": options, "signing": certificate, "decryption": certificate });
    let metadata = company.saml.try_ask("metadata", known).await.unwrap();
    let known = ServiceProvider::from_metadata(metadata.as_str().unwrap());
    let known = known.set("assertion.encryption", json!(true));
    company.idp.change(|plan| plan.service_providers = vec![known]);
    let (request, response) = company.sign_in(&mut Visitor::arrives()).await;
    assert!(response.contains("EncryptedAssertion"));
    company.saml.accept(company.options(), &response, Some(&request)).await.unwrap();

    let mut ann = Visitor::arrives();
    let unasked = json!({ "url": company.idp.start_url(SP, Some("opaque")) });
    let form = deliver(&mut ann, &unasked).await.form_with("password");
    let sent = ann.submit(&form.with("username", "ann").with("password", PASSWORD)).await;
    let response = response_in(&sent);
    assert!(!response.contains("InResponseTo"));
    let profile = company.saml.accept(company.options(), &response, None).await.unwrap();
    assert_eq!(profile["nameID"], "ann@a.test");
}

#[tokio::test]
async fn signing_out_at_simplesamlphp_visits_the_application_and_comes_back() {
    let mut company = Company::opens(Plan::default()).await;
    let mut ann = Visitor::arrives();
    company.sign_in(&mut ann).await;

    let leaving = json!({ "url": company.idp.logout_url("http://127.0.0.1:9/bye") });
    let at_application = deliver(&mut ann, &leaving).await.location().unwrap();
    assert!(at_application.as_str().starts_with(SLO), "{at_application}");
    let (sp, peers) = (company.sp.clone(), [company.metadata.as_str()]);
    let message = redirected(at_application.as_str());
    let asked = company.pysaml2.logout_request(&sp, &peers, message).await.unwrap();
    assert_eq!(asked["name_id"], json!({ "value": "ann@a.test", "format": EMAIL }));

    let (_, relay_state) = at_application.query_pairs().find(|(name, _)| name == "RelayState").unwrap();
    let answer = json!({
        "peer": company.idp.entity_id(), "to": company.idp.slo_url(), "in_response_to": asked["id"],
        "binding": "redirect", "relay_state": relay_state,
    });
    let answer = company.pysaml2.make_logout_response(&sp, &peers, answer).await;
    let back = deliver(&mut ann, &answer["message"]).await;
    assert_eq!(back.location().unwrap().as_str(), "http://127.0.0.1:9/bye", "{}", company.idp.log());
    let (_, message) = company.request("redirect").await;
    deliver(&mut ann, &message).await.form_with("password");
}

#[tokio::test]
async fn signing_out_at_the_application_signs_out_at_simplesamlphp() {
    let mut company = Company::opens(Plan::default()).await;
    let mut ann = Visitor::arrives();
    let (_, response) = company.sign_in(&mut ann).await;
    let index = response.split_once("SessionIndex=\"").unwrap().1.split_once('"').unwrap().0;
    let leaving = json!({
        "to": company.idp.slo_url(), "name_id": { "value": "ann@a.test", "format": EMAIL },
        "session_index": index, "binding": "post", "relay_state": "opaque",
    });
    let (sp, peers) = (company.sp.clone(), [company.metadata.as_str()]);
    let leaving = company.pysaml2.make_logout_request(&sp, &peers, leaving).await;
    let back = deliver(&mut ann, &leaving["message"]).await.location().unwrap();
    let read = company.pysaml2.logout_response(&sp, &peers, redirected(back.as_str())).await.unwrap();
    assert_eq!(read["in_response_to"], leaving["id"]);
    assert_eq!(read["status"], "urn:oasis:names:tc:SAML:2.0:status:Success");
    let (_, message) = company.request("redirect").await;
    deliver(&mut ann, &message).await.form_with("password");
}

#[tokio::test]
async fn the_oracles_agree_on_canonical_form() {
    let mut oracle = XmlOracle::start().await;
    let xml = "<a:r xmlns:a='urn:a' xmlns:u='urn:u' z='1' b='&#9;\"'><a:e ID='_e' u:b='2' a='1'/></a:r>";
    assert_eq!(oracle.canonical(xml, None, &[]).await.unwrap(), canonical_by_xmllint(xml).unwrap());
    let alone = oracle.canonical(xml, Some("_e"), &[]).await.unwrap();
    assert_eq!(alone, r#"<a:e xmlns:a="urn:a" xmlns:u="urn:u" ID="_e" a="1" u:b="2"></a:e>"#);

    let xml = r#"<r xmlns="urn:d" xmlns:u="urn:u"><p:e xmlns:p="urn:p" ID="_e"/></r>"#;
    let of = |prefixes: &[&str]| json!({ "xml": xml, "id": "_e", "prefixes": prefixes });
    let all = oracle.canonical_all(&[of(&[]), of(&["#default", "u", "not-there"])]).await.unwrap();
    assert_eq!(all[0], r#"<p:e xmlns:p="urn:p" ID="_e"></p:e>"#);
    assert_eq!(all[1], r#"<p:e xmlns="urn:d" xmlns:p="urn:p" xmlns:u="urn:u" ID="_e"></p:e>"#);
    let remarks = "<r><!-- a remark -->kept</r>";
    assert_eq!(oracle.canonical(remarks, None, &[]).await.unwrap(), "<r>kept</r>");
    assert_eq!(canonical_by_xmllint(remarks).unwrap(), remarks);
    canonical_by_xmllint("<not well-formed").unwrap_err();
}

#[tokio::test]
async fn the_oracles_accept_each_others_signatures() {
    let (mut oracle, mut saml, keys) =
        (XmlOracle::start().await, NodeSaml::start().await, KeyPair::generate());
    let xml = r#"<a:r xmlns:a="urn:a" ID="_r"><a:e ID="_e">said</a:e></a:r>"#;
    for id in ["_e", "_r"] {
        let more = json!({ "signature": "rsa-sha512", "digest": "sha512" });
        let signed = oracle.sign(xml, id, &keys, more).await.unwrap();
        xmlsec::verify(&signed, id, &keys.certificate).unwrap();
        assert!(saml.verified(&signed, id, &[&keys.certificate]).await.unwrap().contains("said"));

        let again = signed.split_once("<ds:SignatureValue>").unwrap();
        let template = format!(
            "{}<ds:SignatureValue/><ds:KeyInfo/></ds:Signature>{}",
            again.0,
            again.1.split_once("</ds:Signature>").unwrap().1
        );
        oracle.verify(&template, id, &keys.certificate).await.unwrap_err();
        let signed = xmlsec::sign(&template, id, &keys.key).unwrap();
        assert!(oracle.verify(&signed, id, &keys.certificate).await.unwrap().contains("said"));
        let changed = signed.replace("said", "meant");
        oracle.verify(&changed, id, &keys.certificate).await.unwrap_err();
        xmlsec::verify(&changed, id, &keys.certificate).unwrap_err();
    }
}

#[tokio::test]
async fn the_oracles_decrypt_what_others_encrypted() {
    let (mut oracle, keys, other) = (XmlOracle::start().await, KeyPair::generate(), KeyPair::generate());
    let xml = r#"<a:r xmlns:a="urn:a"><a:e ID="_e">secret</a:e></a:r>"#;
    let ciphers = [
        ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256"),
        ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "aes-128"),
    ];
    for (cipher, session_key) in ciphers {
        let sealed = oracle.encrypt(xml, &keys.certificate, json!({ "cipher": cipher })).await.unwrap();
        assert!(xmlsec::decrypt(&sealed, &keys.key).unwrap().contains("secret"));
        xmlsec::decrypt(&sealed, &other.key).unwrap_err();

        let sealed = xmlsec::encrypt(xml, "_e", &template(cipher), session_key, &keys.certificate).unwrap();
        assert!(!sealed.contains("secret"));
        assert!(oracle.decrypt(&sealed, &keys.key).await.unwrap().contains("secret"));
        oracle.decrypt(&sealed, &other.key).await.unwrap_err();
    }
    let modern = json!({ "digest": "sha384", "mgf": "sha384" });
    let sealed = oracle.encrypt(xml, &keys.certificate, modern).await.unwrap();
    assert_eq!(oracle.decrypt(&sealed, &keys.key).await.unwrap(), xml);
}

/// What `xmlsec1` fills in.
fn template(cipher: &str) -> String {
    format!(
        r#"<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element">
<xenc:EncryptionMethod Algorithm="{cipher}"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey>
<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>
<xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>
<xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>"#
    )
}

#[tokio::test]
async fn pysaml2_answers_as_an_identity_provider_at_any_time() {
    let (mut pysaml2, mut saml) = (Pysaml2::start().await, NodeSaml::start().await);
    let keys = KeyPair::generate();
    let idp = Party::identity_provider("https://idp.a.test", KeyPair::generate(), "https://idp.a.test/sso");
    let options = json!({
        "issuer": SP, "callbackUrl": ACS, "audience": SP, "idpCert": idp.signing.certificate,
        "decryptionPvk": keys.key, "acceptedClockSkewMs": -1,
    });
    let known = json!({ "saml": options, "decryption": keys.certificate });
    let metadata = saml.try_ask("metadata", known).await.unwrap();
    let metadata = metadata.as_str().unwrap();
    for sign in [json!(["response"]), json!(["assertion"]), json!(["assertion", "response"])] {
        for encrypt in [Value::Null, json!({ "certificate": keys.certificate })] {
            let asked = json!({
                "to": SP, "acs": ACS, "in_response_to": "_request", "name_id": { "value": "ann@a.test" },
                "attributes": { "mail": ["ann@a.test"] }, "sign": sign, "encrypt": encrypt,
                "now": "2026-03-01T09:00:00Z",
            });
            let response = pysaml2.response(&idp, &[metadata], asked).await;
            assert!(response.contains(r#"IssueInstant="2026-03-01T09:00:00Z""#));
            let profile = saml.accept(options.clone(), &response, None).await.unwrap();
            assert_eq!(profile["mail"], "ann@a.test", "{sign} {encrypt}");
        }
    }
}

#[tokio::test]
async fn pysaml2_reads_signed_messages_and_refuses_those_of_another_key() {
    let (mut pysaml2, mut saml) = (Pysaml2::start().await, NodeSaml::start().await);
    let (keys, other) = (KeyPair::generate(), KeyPair::generate());
    let idp = Party::identity_provider("https://idp.a.test", KeyPair::generate(), "https://idp.a.test/sso");
    let mut options = json!({
        "issuer": SP, "callbackUrl": ACS, "entryPoint": idp.sso, "idpCert": idp.signing.certificate,
        "privateKey": keys.key,
    });
    let mut known = Vec::new();
    for keys in [&keys, &other] {
        let asked = json!({ "saml": options, "signing": keys.certificate });
        known.push(saml.try_ask("metadata", asked).await.unwrap().as_str().unwrap().to_owned());
    }
    let redirect = redirected(saml.authorize(options.clone(), "opaque").await["url"].as_str().unwrap());
    options["authnRequestBinding"] = json!("HTTP-POST");
    let form = json!({ "SAMLRequest": saml.authorize(options, "opaque").await["message"] });
    for message in [redirect, posted(idp.sso.as_deref().unwrap(), form)] {
        let read = pysaml2.authn_request(&idp, &[&known[0]], message.clone()).await.unwrap();
        assert_eq!(read["issuer"], SP);
        assert_eq!(read["acs"], ACS);
        pysaml2.authn_request(&idp, &[&known[1]], message).await.unwrap_err();
    }
}

#[tokio::test]
async fn spid_makes_its_responses_for_our_request() {
    let idp = Party::identity_provider("https://idp.a.test", KeyPair::generate(), "https://idp.a.test/sso");
    let mut spid = Spid::start(&idp).await;
    let cases = spid.cases();
    assert!(cases.len() > 100);
    assert!(cases.iter().all(|one| one.refused || !one.case.starts_with("xsw")));
    let request = format!(
        r#"<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_request" Version="2.0"
        IssueInstant="2026-03-01T09:00:00Z" AssertionConsumerServiceURL="{ACS}"><a:Issuer
        xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">{SP}</a:Issuer></p:AuthnRequest>"#
    );
    let (now, attributes) = (Some("2026-03-01T09:00:00Z"), json!({ "mail": "ann@a.test" }));
    let good = spid.response("1", &request, attributes.clone(), now).await;
    assert!(good.contains("ann@a.test") && good.contains(r#"InResponseTo="_request""#));
    let id = id_of(&good, "Assertion");
    xmlsec::verify(&good, &id, &idp.signing.certificate).unwrap();
    let bad = spid.response("4", &request, attributes, now).await;
    xmlsec::verify(&bad, &id_of(&bad, "Assertion"), &idp.signing.certificate).unwrap_err();
}
