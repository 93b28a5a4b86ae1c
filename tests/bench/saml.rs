//! Whole logins through a SAML identity provider.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use behalf::foundation::clock::{Clock, Moment};
use behalf::foundation::random::Random;
use behalf::foundation::secret::Secret;
use behalf::keys::brought::Brought;
use behalf::model::connection::{
    IdentityProvider, IdpInitiated, LoginHint, OwnCertificates, RequestBinding, RequestSettings, SamlPreset,
    SamlSettings, ServiceEndpoint, ServiceEndpoints, Subject, Upstream as Settings, WantedSignature, Wants,
};
use behalf::protocol::saml::assertion::{Attribute, NameId};
use behalf::protocol::saml::binding::{Carried, RedirectMessage, post};
use behalf::protocol::saml::keys::{
    Certificate, DecryptingKey, KeyKind, SigningKey, VerifyingKey, self_signed,
};
use behalf::protocol::saml::names::{attribute_name, authn_context, name_id};
use behalf::protocol::saml::response::{AssertionDraft, Draft, Sign};
use behalf::protocol::saml::status::Status;
use behalf::protocol::saml::xml::{Document, Limits};
use data_encoding::{BASE64, HEXLOWER};

use super::server::House;
use super::{cycles, heavy_keys, machine, table};

const SSO: &str = "https://idp.a.test/sso";
/// Logins that wait for their provider at the same time.
const WAITING: usize = 4_000;

/// A sample identity provider in this process: whoever asks is answered at once, with about 4 kB.
pub struct SamlProvider {
    pub entity_id: String,
    pub key: SigningKey,
    pub certificate: Certificate,
    /// Of other keys, which are tried before its own.
    others: Vec<Certificate>,
    attributes: Vec<Attribute>,
    /// What it wants us to have instead of the project's keys.
    brought: (OwnCertificates, Brought),
}

/// The request that it was asked by.
pub struct Request {
    pub id: String,
    pub acs: String,
    pub sp: String,
    pub relay_state: String,
}

/// The least that a response needs to know.
pub struct Asked<'a> {
    pub request: &'a str,
    pub acs: &'a str,
    pub name_id: &'a NameId,
    pub now: Moment,
}

impl SamlProvider {
    pub fn new() -> Self {
        let key = SigningKey::generate(KeyKind::Rsa2048).unwrap();
        let (now, day) = (Clock::System.now(), Duration::from_secs(86_400));
        let certificate = self_signed(&key, "idp.a.test", now.minus(day), now.plus(day), &[7]).unwrap();
        let attribute = |name: &str, values: Vec<String>| Attribute {
            name: name.to_owned(),
            name_format: Some(attribute_name::BASIC.to_owned()),
            friendly_name: None,
            values,
        };
        let attributes = vec![
            attribute("displayName", vec!["Somebody".to_owned()]),
            attribute("groups", (0..3).map(|number| format!("group-{number}")).collect()),
        ];
        let entity_id = "https://idp.a.test/metadata".to_owned();
        let others = Vec::new();
        Self { entity_id, key, certificate, others, attributes, brought: Default::default() }
    }

    /// One that has as many and as long keys as a connection takes, and signs by the last of them.
    pub fn with_longest_keys(mut self) -> Self {
        let (now, day) = (Clock::System.now(), Duration::from_secs(86_400));
        let pair = RsaKeyPair::generate(KeySize::Rsa8192).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        self.key = SigningKey::from_pkcs8(der.as_ref()).unwrap();
        self.certificate = self_signed(&self.key, "idp.a.test", now.minus(day), now.plus(day), &[7]).unwrap();
        self.others = (0..3).map(|number| heavy_keys::certificate(8192, number)).collect();
        self
    }

    /// One that has as many keys as a connection takes, and signs by the last of them.
    pub fn with_most_keys(mut self) -> Self {
        self.others = (0..63).map(|number| heavy_keys::certificate(2048, number)).collect();
        self
    }

    pub fn keys(&self) -> Vec<VerifyingKey> {
        self.certificates().map(|certificate| certificate.verifying_key().clone()).collect()
    }

    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.others.iter().chain([&self.certificate])
    }

    /// It wants us to decrypt by these: the present one, the next and the previous.
    pub fn with_keys(mut self, keys: &[DecryptingKey; 3]) -> Self {
        let (now, day) = (Clock::System.now(), Duration::from_secs(86_400));
        let [certificate, next, previous] = keys.each_ref().map(|key| {
            let certificate = self_signed(key, "broker.test", now.minus(day), now.plus(day), &[7]);
            Some(certificate.unwrap().base64())
        });
        let own = OwnCertificates {
            decryption: certificate,
            next_decryption: next,
            previous_decryption: previous,
            ..OwnCertificates::default()
        };
        let [decryption, next_decryption, previous_decryption] = keys.each_ref().map(|key| Some(pem(key)));
        self.brought =
            (own, Brought { decryption, next_decryption, previous_decryption, ..Brought::default() });
        self
    }

    /// The secret of the connection to it.
    pub fn secret(&self) -> Option<Secret> {
        self.brought.1.secret()
    }

    pub fn settings(&self) -> Settings {
        let facts = SamlPreset::Generic.facts();
        let redirect = Some(ServiceEndpoint { location: SSO.to_owned(), response_location: None });
        Settings::Saml(Box::new(SamlSettings {
            preset: SamlPreset::Generic,
            idp: IdentityProvider {
                entity_id: Some(self.entity_id.clone()),
                sso: ServiceEndpoints { redirect, post: None },
                slo: ServiceEndpoints::default(),
                certificates: self.certificates().map(Certificate::base64).collect(),
            },
            metadata: None,
            past: Default::default(),
            request: RequestSettings {
                binding: RequestBinding::Redirect,
                force_authn: false,
                authn_context: None,
                name_id_format: None,
                scoping: Vec::new(),
                login_hint: LoginHint::None,
                signature: None,
            },
            wants: Wants { signed: WantedSignature::Either, encrypted: false },
            subject: Subject::NameId,
            attributes: facts.attributes(),
            required_attributes: Default::default(),
            idp_initiated: IdpInitiated::Off,
            default_application: None,
            honours_session_end: true,
            single_logout: false,
            own: self.brought.0.clone(),
        }))
    }

    /// The draft of an answer.
    pub fn draft<'a>(&'a self, asked: &Asked<'a>, id: &'a str, audiences: &'a [&'a [&'a str]]) -> Draft<'a> {
        let until = asked.now.plus(Duration::from_secs(300));
        Draft {
            id: "_r1",
            issuer: &self.entity_id,
            issued: asked.now,
            destination: asked.acs,
            in_response_to: Some(asked.request),
            status: Status::success(),
            assertion: Some(AssertionDraft {
                id,
                issuer: &self.entity_id,
                issued: asked.now,
                name_id: asked.name_id,
                in_response_to: Some(asked.request),
                recipient: asked.acs,
                confirmed_until: until,
                not_before: Some(asked.now.minus(Duration::from_secs(60))),
                not_on_or_after: Some(until),
                audiences,
                one_time_use: false,
                authn_instant: asked.now,
                session_index: Some("_s1"),
                session_not_on_or_after: None,
                authn_context: authn_context::PASSWORD_PROTECTED_TRANSPORT,
                attributes: &self.attributes,
                typed: false,
            }),
        }
    }

    /// The assertion is signed.
    pub fn sign(&self) -> Sign<'_> {
        Sign { key: &self.key, certificate: Some(&self.certificate), assertion: true, response: false }
    }

    /// Where the answer to the request in this address is posted, and the form.
    pub fn answer(&self, address: &str, email: &str) -> (String, String) {
        let request = Request::read(address);
        let name_id = NameId::new(email, name_id::EMAIL_ADDRESS);
        let id = format!("_{}", HEXLOWER.encode(&Random::System.bytes::<16>()));
        let audience = [request.sp.as_str()];
        let xml = self.draft(&request.asked(&name_id), &id, &[&audience]).write(&self.sign(), None).unwrap();
        let form = request.form(&xml);
        (request.acs, form)
    }
}

impl Request {
    pub fn read(address: &str) -> Self {
        let (_, query) = address.split_once('?').unwrap();
        let message = RedirectMessage::read(query, Carried::Request).unwrap();
        let document = Document::parse(&message.xml, &Limits::MESSAGE).unwrap();
        let root = document.root();
        Self {
            id: root.attr("ID").unwrap().to_owned(),
            acs: root.attr("AssertionConsumerServiceURL").unwrap().to_owned(),
            sp: root.children().next().unwrap().text().unwrap().into_owned(),
            relay_state: message.relay_state.unwrap(),
        }
    }

    pub fn asked<'a>(&'a self, name_id: &'a NameId) -> Asked<'a> {
        Asked { request: &self.id, acs: &self.acs, name_id, now: Clock::System.now() }
    }

    /// The form that carries an answer to it.
    pub fn form(&self, xml: &str) -> String {
        let response = post::encode(xml);
        let fields = [("SAMLResponse", response.as_str()), ("RelayState", self.relay_state.as_str())];
        form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    }
}

/// PKCS#8 in PEM.
fn pem(key: &DecryptingKey) -> Secret {
    let base64 = BASE64.encode(&key.to_pkcs8().unwrap());
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")))
}

pub async fn measure() {
    let provider = SamlProvider::new();
    let house = House::build(&provider).await;
    let server = house.serve().await;
    let mut clients = cycles::arrive(&house, &provider, cycles::MANY).await;
    for (title, many) in [("one client", 1), ("16 clients", cycles::MANY)] {
        table::heading(&format!("Logins through a SAML identity provider, {title}"));
        let clients = &mut clients[..many];
        let asked = cycles::logins(&server, clients, "RS256").await;
        let figure = format!("{:.2} ms", asked.cpu / 1000.0);
        let remark = format!("{:.0} logins per second by the clock", asked.rate);
        table::line("CPU of the server, with the page that asks", &figure, &remark);
        clients.iter_mut().for_each(|client| client.hinted = true);
        let told = cycles::logins(&server, clients, "RS256").await;
        let curved = cycles::logins(&server, clients, "ES256").await;
        clients.iter_mut().for_each(|client| client.hinted = false);
        table::line("the application tells: by the clock", &format!("{:.0} per second", told.rate), "");
        table::limit("the application tells: CPU of the server", told.cpu / 1000.0, " ms", 1.5);
        table::line("  with tokens by ES256", &format!("{:.2} ms", curved.cpu / 1000.0), "");
    }
    table::heading("Memory of SAML logins that wait for their provider");
    let (before, number) = (machine::resident(server.id()), std::cell::Cell::new(0));
    for _ in 0..WAITING {
        let at = number.replace(number.get() + 1);
        clients[0].leave("RS256", at).await;
    }
    let each = (machine::resident(server.id()) - before) * 1024.0 / WAITING as f64;
    table::limit(&format!("each of {WAITING}"), each, " kB", 64.0);
    assert!(!house.log().contains("ERROR"), "{}", house.log());
}
