//! A SAML identity provider that behaves, until it is told to lie. It serves nothing: what a browser would bring it is
//! read from the redirect or the page of the broker, and what it answers is posted by the test.
//!
//! [`Says`] is what an honest provider may say. For lies, [`LyingSamlIdp::plain`] gives the response unsigned, to be
//! changed as text, and [`sealed`] signs and encrypts whatever came of it; afterwards it can be changed again.

use std::time::Duration;

use behalf::foundation::clock::{Clock, Moment};
use behalf::foundation::random::Random;
use behalf::keys::saml_keyring::SpKeys;
use behalf::model::connection::Connection;
use behalf::model::project::DEFAULT_SLUG;
use behalf::protocol::saml::assertion::{Attribute, NameId};
use behalf::protocol::saml::authn_request::{self, AuthnRequest};
use behalf::protocol::saml::binding::{Carried, RedirectMessage, post};
use behalf::protocol::saml::certificate::{Certificate, self_signed};
use behalf::protocol::saml::encryption::{self, Cipher, Oaep};
use behalf::protocol::saml::keys::{EncryptingKey, KeyKind, SigningKey};
use behalf::protocol::saml::message::{self, Received};
use behalf::protocol::saml::names::{Binding, attribute_name, authn_context, name_id};
use behalf::protocol::saml::response::{AssertionDraft, Draft, Sign};
use behalf::protocol::saml::signature::sign_enveloped;
use behalf::protocol::saml::status::Status;
use behalf::store::durable::{connections, projects};
use data_encoding::{BASE64, BASE64_MIME, HEXLOWER};
use url::Url;

use super::application::{Arrival, Ask, Person};
use super::broker::House;
use super::surgery::element;
use super::visitor::{Answer, Visitor};

/// A key with its certificate.
pub struct Signer {
    pub key: SigningKey,
    pub certificate: Certificate,
}

impl Signer {
    /// An RSA key of 2048 bits.
    pub fn new(name: &str, now: Moment) -> Self {
        Self::of(KeyKind::Rsa2048, name, now)
    }

    pub fn of(kind: KeyKind, name: &str, now: Moment) -> Self {
        let key = SigningKey::generate(kind).unwrap();
        let (from, until) = (now.minus(DAY), now.plus(DAY * 3650));
        let certificate = self_signed(&key, name, from, until, &[1]).unwrap();
        Self { key, certificate }
    }

    /// Its key, as somebody brings it.
    pub fn pem(&self) -> String {
        let der = BASE64_MIME.encode(&self.key.to_pkcs8().unwrap());
        format!("-----BEGIN PRIVATE KEY-----\n{der}-----END PRIVATE KEY-----\n")
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// How long what it says is good for.
const VALID: Duration = Duration::from_secs(300);

pub struct LyingSamlIdp {
    pub entity_id: String,
    /// Where requests go, by both bindings.
    pub sso: String,
    pub signer: Signer,
    clock: Clock,
}

/// What it was asked: our request, verified by the key of the connection.
#[derive(Clone)]
pub struct Asked {
    pub id: String,
    /// Who asks.
    pub sp: String,
    pub acs: String,
    pub relay_state: Option<String>,
    pub binding: Binding,
    /// Everything else; absent if nobody asked.
    pub request: Option<AuthnRequest>,
    /// What the asker has assertions encrypted to.
    pub encryption: Certificate,
}

/// Which part is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    Nothing,
    Assertion,
    Response,
    Both,
}

impl Signs {
    /// All that sign something.
    pub const ALL: [Self; 3] = [Self::Assertion, Self::Response, Self::Both];

    pub fn assertion(self) -> bool {
        matches!(self, Self::Assertion | Self::Both)
    }

    pub fn response(self) -> bool {
        matches!(self, Self::Response | Self::Both)
    }
}

/// What an honest provider may say of a person, and how.
#[derive(Clone)]
pub struct Says {
    pub name_id: NameId,
    pub attributes: Vec<Attribute>,
    pub authn_context: String,
    /// Seconds since the person proved who they are.
    pub authenticated: i64,
    pub session_index: Option<String>,
    /// Seconds until the provider's session ends.
    pub session_ends: Option<i64>,
    pub signs: Signs,
    pub encrypts: Option<(Cipher, Oaep)>,
    /// Whether the RelayState is given back.
    pub returns_relay_state: bool,
}

impl Says {
    /// That this person signed in just now.
    pub fn that(email: &str) -> Self {
        let name = email.split('@').next().unwrap_or_default();
        Self {
            name_id: NameId::new(&format!("id-of-{name}"), name_id::PERSISTENT),
            attributes: vec![
                attribute("mail", &[email]),
                attribute("displayName", &[name]),
                attribute("groups", &["staff", "admins"]),
            ],
            authn_context: authn_context::PASSWORD_PROTECTED_TRANSPORT.to_owned(),
            authenticated: 0,
            session_index: Some(format!("session-of-{name}")),
            session_ends: None,
            signs: Signs::Assertion,
            encrypts: None,
            returns_relay_state: true,
        }
    }

    #[must_use]
    pub fn signing(self, signs: Signs) -> Self {
        Self { signs, ..self }
    }

    #[must_use]
    pub fn encrypting(self, cipher: Cipher) -> Self {
        Self { encrypts: Some((cipher, Oaep::Mgf1p)), ..self }
    }

    #[must_use]
    pub fn named(self, value: &str, format: &str) -> Self {
        Self { name_id: NameId::new(value, format), ..self }
    }

    /// An attribute in the place of those of its name.
    #[must_use]
    pub fn attribute(mut self, name: &str, values: &[&str]) -> Self {
        self.attributes.retain(|known| known.name != name);
        self.attributes.push(attribute(name, values));
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.attributes.retain(|known| known.name != name);
        self
    }
}

pub fn attribute(name: &str, values: &[&str]) -> Attribute {
    Attribute {
        name: name.to_owned(),
        name_format: Some(attribute_name::BASIC.to_owned()),
        friendly_name: None,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

/// A new id: `_` and 32 hex digits.
pub fn new_id() -> String {
    format!("_{}", HEXLOWER.encode(&Random::System.bytes::<16>()))
}

impl LyingSamlIdp {
    /// The one of `https://idp-{name}.test`.
    pub fn new(name: &str, clock: Clock) -> Self {
        let host = format!("https://idp-{name}.test");
        // Older than all keys to which it may go over.
        let signer = Signer::new(&host, clock.now().minus(DAY));
        Self { entity_id: format!("{host}/metadata"), sso: format!("{host}/sso"), signer, clock }
    }

    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Its metadata, with these certificates besides its own.
    pub fn metadata_with(&self, more: &[&Certificate]) -> String {
        let key = |certificate: &Certificate| {
            format!(
                r#"<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"#,
                certificate.base64()
            )
        };
        let keys: String =
            [&self.signer.certificate].into_iter().chain(more.iter().copied()).map(key).collect();
        let sso = |binding: Binding| {
            let (binding, location) = (binding.uri(), &self.sso);
            format!(r#"<md:SingleSignOnService Binding="{binding}" Location="{location}"/>"#)
        };
        format!(
            r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{keys}{}{}</md:IDPSSODescriptor></md:EntityDescriptor>"#,
            self.entity_id,
            sso(Binding::Redirect),
            sso(Binding::Post)
        )
    }

    pub fn metadata(&self) -> String {
        self.metadata_with(&[])
    }

    /// Reads the request that a browser was told to bring here, by a redirect or on a page, and believes it only if
    /// the connection signed it.
    pub async fn is_asked(&self, house: &House, connection: &str, answer: &Answer) -> Asked {
        let keys = sp_keys(house, connection).await;
        let trusted = [keys.signing.certificate.verifying_key().clone()];
        let connection = found(house, connection).await;
        let sp = format!("{}/saml/{}/metadata", house.url, connection.id);
        let expected = message::Expected {
            issuer: &sp,
            destination: &self.sso,
            now: self.now(),
            skew: Duration::from_secs(1),
        };
        let (request, binding, relay_state) = match answer.location() {
            Some(to) => {
                assert!(to.as_str().starts_with(&self.sso), "not sent to the provider but to {to}");
                let carried = RedirectMessage::read(to.query().unwrap(), Carried::Request).unwrap();
                let verified = carried.verified(&trusted).unwrap();
                let request = authn_request::read(Received::Redirected(verified), &expected);
                (request.unwrap(), Binding::Redirect, carried.relay_state)
            }
            None => {
                let form = answer.form_with("SAMLRequest");
                assert_eq!((form.action.as_str(), form.method.as_str()), (self.sso.as_str(), "post"));
                let xml = post::decode(form.value("SAMLRequest").unwrap()).unwrap();
                let request = authn_request::read(Received::Posted { xml: &xml, keys: &trusted }, &expected);
                (request.unwrap(), Binding::Post, form.value("RelayState").map(str::to_owned))
            }
        };
        let request = request.into_inner();
        Asked {
            id: request.id.clone(),
            sp,
            acs: request.acs.clone().unwrap(),
            relay_state,
            binding,
            request: Some(request),
            encryption: keys.decrypting[0].certificate.clone(),
        }
    }

    /// What it would be asked by a connection from which nobody was sent.
    pub async fn unasked(&self, house: &House, connection: &str) -> Asked {
        let keys = sp_keys(house, connection).await;
        let id = found(house, connection).await.id;
        Asked {
            id: new_id(),
            sp: format!("{}/saml/{id}/metadata", house.url),
            acs: format!("{}/saml/{id}/acs", house.url),
            relay_state: None,
            binding: Binding::Redirect,
            request: None,
            encryption: keys.decrypting[0].certificate.clone(),
        }
    }

    /// The response, neither signed nor encrypted.
    pub fn plain(&self, asked: &Asked, says: &Says) -> String {
        let now = self.now();
        let seconds = |count: i64| Moment::from_seconds(now.seconds() + count);
        let (id, assertion) = (new_id(), new_id());
        let draft = Draft {
            id: &id,
            issuer: &self.entity_id,
            issued: now,
            destination: &asked.acs,
            in_response_to: Some(&asked.id),
            status: Status::success(),
            assertion: Some(AssertionDraft {
                id: &assertion,
                issuer: &self.entity_id,
                issued: now,
                name_id: &says.name_id,
                in_response_to: Some(&asked.id),
                recipient: &asked.acs,
                confirmed_until: now.plus(VALID),
                not_before: Some(now),
                not_on_or_after: Some(now.plus(VALID)),
                audiences: &[&[&asked.sp]],
                one_time_use: false,
                authn_instant: seconds(-says.authenticated),
                session_index: says.session_index.as_deref(),
                session_not_on_or_after: says.session_ends.map(seconds),
                authn_context: &says.authn_context,
                attributes: &says.attributes,
                typed: true,
            }),
        };
        let unsigned = Sign { key: &self.signer.key, certificate: None, assertion: false, response: false };
        draft.write(&unsigned, None).unwrap()
    }

    /// The honest response.
    pub fn answers(&self, asked: &Asked, says: &Says) -> String {
        self.answers_after(asked, says, |plain| plain)
    }

    /// A response that was changed before it was signed and encrypted.
    pub fn answers_after(&self, asked: &Asked, says: &Says, change: impl FnOnce(String) -> String) -> String {
        let to = says.encrypts.map(|(cipher, oaep)| (&asked.encryption, cipher, oaep));
        sealed(&change(self.plain(asked, says)), &self.signer, says.signs, to)
    }
}

/// The response with its assertion signed and encrypted, and itself signed, each as far as is said.
pub fn sealed(
    plain: &str,
    signer: &Signer,
    signs: Signs,
    encrypted: Option<(&Certificate, Cipher, Oaep)>,
) -> String {
    let mut xml = plain.to_owned();
    if signs.assertion() {
        let id = id_of(&xml, "Assertion");
        xml = sign_enveloped(&xml, &id, &signer.key, Some(&signer.certificate)).unwrap();
    }
    if let Some((to, cipher, oaep)) = encrypted {
        let assertion = element(&xml, "Assertion").to_owned();
        xml = xml.replacen(&assertion, &encrypted_to(to, &assertion, cipher, oaep), 1);
    }
    if signs.response() {
        let id = id_of(&xml, "Response");
        xml = sign_enveloped(&xml, &id, &signer.key, Some(&signer.certificate)).unwrap();
    }
    xml
}

/// Anybody can do this: the certificate is public.
pub fn encrypted_to(to: &Certificate, assertion: &str, cipher: Cipher, oaep: Oaep) -> String {
    let key = EncryptingKey::from_certificate(to).unwrap();
    let data = encryption::encrypt(assertion.as_bytes(), &key, cipher, oaep, &Random::System).unwrap();
    let namespace = "urn:oasis:names:tc:SAML:2.0:assertion";
    format!(r#"<saml:EncryptedAssertion xmlns:saml="{namespace}">{data}</saml:EncryptedAssertion>"#)
}

/// The ID of the first element of this name.
pub fn id_of(xml: &str, local: &str) -> String {
    let tag = element(xml, local).split('>').next().unwrap();
    let (_, rest) = tag.split_once(" ID=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn found(house: &House, slug: &str) -> Connection {
    let db = &house.broker.db;
    let project = projects::by_slug(&mut &*db, DEFAULT_SLUG).await.unwrap().unwrap();
    connections::by_slug(&mut &*db, project.id, slug).await.unwrap().unwrap()
}

/// The keys of ours that a connection speaks with.
pub async fn sp_keys(house: &House, slug: &str) -> SpKeys {
    let connection = found(house, slug).await;
    house.broker.saml_keys.of_connection(connection.saml().unwrap()).await.unwrap()
}

/// Brings a response to where it belongs, by this browser.
pub async fn posts(browser: &mut Visitor, asked: &Asked, xml: impl AsRef<[u8]>) -> Answer {
    posts_to(browser, &asked.acs, asked.relay_state.as_deref(), xml).await
}

pub async fn posts_to(
    browser: &mut Visitor,
    acs: &str,
    relay_state: Option<&str>,
    xml: impl AsRef<[u8]>,
) -> Answer {
    let message = BASE64.encode(xml.as_ref());
    let mut fields = vec![("SAMLResponse", message.as_str())];
    fields.extend(relay_state.map(|state| ("RelayState", state)));
    browser.post_form(acs, &fields).await
}

impl Person {
    /// Is sent away to the provider of a connection: what that is asked.
    pub async fn leaves_for(&mut self, house: &House, connection: &str, ask: &Ask) -> Asked {
        let idp = house.saml(connection);
        let first = self.browser.get(&ask.url()).await;
        let to_idp = |next: &Url| next.as_str().starts_with(&idp.sso);
        let arrival = self.walks(ask, first, to_idp).await;
        idp.is_asked(house, connection, &arrival.answer).await
    }

    /// Brings a response back, and goes on from there.
    pub async fn returns(&mut self, ask: &Ask, asked: &Asked, xml: impl AsRef<[u8]>) -> Arrival {
        let answer = posts(&mut self.browser, asked, xml).await;
        self.goes_on(ask, answer).await
    }

    /// Signs in by SAML, and stops where the application or another page is reached.
    pub async fn signs_in_by(&mut self, house: &House, connection: &str, ask: &Ask, says: &Says) -> Arrival {
        let mut asked = self.leaves_for(house, connection, ask).await;
        if !says.returns_relay_state {
            asked.relay_state = None;
        }
        let xml = house.saml(connection).answers(&asked, says);
        self.returns(ask, &asked, xml).await
    }
}
