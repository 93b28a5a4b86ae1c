//! A sample identity provider, as a customer of yours would have one: SAML 2.0 with signed assertions and responses,
//! requests by redirect and by POST, and single logout. It knows its people by name and asks none of them for a
//! password, so it belongs on a laptop.
//!
//! ```text
//! cargo run --example saml_idp -- 127.0.0.1:8082 Contractor con@contractor.example=Con
//! ```
//!
//! It prints where its metadata is: give Behalf that address. What Behalf then shows as the connection's metadata
//! belongs in a file that `SP_METADATA` names.

#[allow(clippy::duplicate_mod, reason = "both samples have it, and the demo has both samples")]
#[path = "sign_in_page.rs"]
mod sign_in_page;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Form, Query, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use behalf::foundation::clock::{Clock, Moment};
use behalf::foundation::random::Random;
use behalf::foundation::secret::Digest;
use behalf::protocol::saml::assertion::{Attribute, NameId};
use behalf::protocol::saml::authn_request::{self, AuthnRequest};
use behalf::protocol::saml::binding::{Carried, RedirectMessage, post as posted, redirect_url};
use behalf::protocol::saml::certificate::{Certificate, self_signed};
use behalf::protocol::saml::keys::{KeyKind, SigningKey, VerifyingKey};
use behalf::protocol::saml::logout::{self, LogoutRequest};
use behalf::protocol::saml::message::{Expected, Received};
use behalf::protocol::saml::names::{self, Binding, attribute_name, authn_context, name_id, status};
use behalf::protocol::saml::response::{AssertionDraft, Draft, Sign};
use behalf::protocol::saml::status::Status;
use behalf::protocol::saml::xml::{Document, Element, Limits, Writer};
use serde::Deserialize;
pub use sign_in_page::Person;
use sign_in_page::{Look, escape};
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long what it says is good for, and how long somebody may take to say who they are.
const VALID: Duration = Duration::from_secs(300);
/// How much the clocks of the two sides may differ.
const SKEW: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Who runs this provider, and for whom.
pub struct Company {
    pub name: String,
    pub people: Vec<Person>,
    /// A colour of its pages, in degrees.
    pub hue: u16,
}

/// A running provider. Clones share it.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    origin: String,
    company: Company,
    key: SigningKey,
    certificate: Certificate,
    services: Mutex<Vec<Service>>,
    /// Requests whose person has not said yet who they are.
    asked: Mutex<HashMap<String, Asked>>,
    /// Who is signed in where, by session index.
    sessions: Mutex<HashMap<String, SignedIn>>,
    clock: Clock,
    random: Random,
}

/// Somebody who may send people here, as their metadata describes them.
#[derive(Clone, Debug)]
pub struct Service {
    pub entity_id: String,
    /// Where responses are posted.
    pub acs: String,
    /// Where logouts are answered, by redirect.
    pub slo: Option<String>,
    pub keys: Vec<VerifyingKey>,
}

#[derive(Clone)]
struct Asked {
    service: Service,
    request: AuthnRequest,
    relay_state: Option<String>,
    at: Moment,
}

#[derive(Clone)]
struct SignedIn {
    service: Service,
    name_id: NameId,
    /// For show.
    email: String,
}

/// Serves at the listener's address for as long as the program runs.
///
/// # Errors
/// The listener is broken, or no key can be made.
pub fn serve(listener: TcpListener, company: Company) -> Result<Provider, Error> {
    let origin = format!("http://{}", listener.local_addr()?);
    let (clock, random) = (Clock::System, Random::System);
    let key = SigningKey::generate(KeyKind::Rsa2048)?;
    let certificate = self_signed(&key, &company.name, clock.now(), clock.now().plus(YEAR), &[1])?;
    let (services, asked, sessions) = Default::default();
    let inner = Inner { origin, company, key, certificate, services, asked, sessions, clock, random };
    let provider = Provider(Arc::new(inner));
    let router = axum::Router::new()
        .route("/metadata", get(metadata))
        .route("/sso", get(ask_by_redirect).post(ask_by_post))
        .route("/sign-in", post(answer))
        .route("/slo", get(logout))
        .route("/", get(signed_in).post(sign_out))
        .with_state(provider.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(provider)
}

impl Service {
    /// Reads what a service provider says of itself (SAML Metadata, section 2.4.4).
    ///
    /// # Errors
    /// It is not the metadata of a service provider that signs.
    pub fn from_metadata(xml: &str) -> Result<Self, Error> {
        let document = Document::parse(xml.as_bytes(), &Limits::METADATA)?;
        let root = document.root();
        let named = |name: &'static str| root.descendants().filter(move |it| it.is(names::METADATA, name));
        let location = |name, binding: Binding| {
            let found = named(name).find(|service| service.attr("Binding") == Some(binding.uri()));
            found.and_then(|service| service.attr("Location")).map(str::to_owned)
        };
        let signs = |key: &Element<'_>| key.attr("use") != Some("encryption");
        let certificates = named("KeyDescriptor").filter(signs).flat_map(|key| {
            key.descendants().filter(|element| element.is(names::SIGNATURE, "X509Certificate"))
        });
        let mut keys = Vec::new();
        for certificate in certificates {
            keys.push(Certificate::from_base64(&certificate.text()?)?.verifying_key().clone());
        }
        Ok(Self {
            entity_id: root.attr("entityID").ok_or("no entityID")?.to_owned(),
            acs: location("AssertionConsumerService", Binding::Post).ok_or("no address for responses")?,
            slo: location("SingleLogoutService", Binding::Redirect),
            keys,
        })
    }
}

impl Provider {
    /// Where it describes itself; also its entity id.
    pub fn entity_id(&self) -> String {
        self.at("/metadata")
    }

    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// Lets people be sent here, and back again, by this service.
    pub fn register(&self, service: Service) {
        lock(&self.0.services).push(service);
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0.origin)
    }

    fn look(&self) -> Look<'_> {
        Look { company: &self.0.company.name, hue: self.0.company.hue }
    }

    fn now(&self) -> Moment {
        self.0.clock.now()
    }

    /// `_` and 32 hexadecimal digits.
    fn new_id(&self) -> String {
        format!("_{:032x}", u128::from_be_bytes(self.0.random.bytes()))
    }

    /// The first registered service whose message this is, signature and all, and what it says.
    fn by_a_service<T>(
        &self,
        path: &str,
        read: impl Fn(&Service, &Expected<'_>) -> Option<T>,
    ) -> Option<(Service, T)> {
        let destination = self.at(path);
        let services = lock(&self.0.services).clone();
        services.into_iter().find_map(|service| {
            let issuer = &service.entity_id;
            let expected = Expected { issuer, destination: &destination, now: self.now(), skew: SKEW };
            let message = read(&service, &expected)?;
            Some((service, message))
        })
    }

    /// Who asks, if it is somebody who may, and if the answer goes to their own address.
    fn request(
        &self,
        read: impl Fn(&Service, &Expected<'_>) -> Option<AuthnRequest>,
        relay_state: Option<String>,
    ) -> Option<Asked> {
        let (service, request) = self.by_a_service("/sso", read)?;
        let fits = request.acs.as_ref().is_none_or(|acs| *acs == service.acs);
        fits.then(|| Asked { service, request, relay_state, at: self.now() })
    }

    /// Asks the person who they are.
    fn ask(&self, asked: Option<Asked>) -> Response {
        let Some(asked) = asked else { return refuse("This is no request of a service that we know.") };
        let hint = asked.request.subject.clone();
        let number = self.0.random.token().expose().to_owned();
        let mut waiting = lock(&self.0.asked);
        waiting.retain(|_, asked| self.now().since(asked.at) <= VALID);
        waiting.insert(number.clone(), asked);
        self.look().ask(&self.0.company.people, hint.as_deref(), &format!("/sign-in?request={number}"))
    }

    /// The response about somebody who said who they are, or that nobody did. The response is signed, and the
    /// assertion in it is signed as well.
    fn response(&self, asked: &Asked, person: Option<&Person>) -> Result<String, Error> {
        let (id, issuer, now) = (self.new_id(), self.entity_id(), self.now());
        let (acs, request) = (asked.service.acs.as_str(), asked.request.id.as_str());
        let (assertion_id, session) = (self.new_id(), self.new_id());
        let audience: &[&str] = &[&asked.service.entity_id];
        let subject = person.map(|person| (name_of(person, &asked.service), attributes(person)));
        let audiences = [audience];
        let assertion = subject.as_ref().map(|(name_id, attributes)| AssertionDraft {
            id: &assertion_id,
            issuer: &issuer,
            issued: now,
            name_id,
            in_response_to: Some(request),
            recipient: acs,
            confirmed_until: now.plus(VALID),
            not_before: Some(now),
            not_on_or_after: Some(now.plus(VALID)),
            audiences: &audiences,
            one_time_use: true,
            authn_instant: now,
            session_index: Some(&session),
            session_not_on_or_after: None,
            authn_context: authn_context::PASSWORD_PROTECTED_TRANSPORT,
            attributes,
            typed: true,
        });
        let status = match person {
            Some(_) => Status::success(),
            None => Status::new(status::RESPONDER, Some(status::AUTHN_FAILED)),
        };
        let draft = Draft {
            id: &id,
            issuer: &issuer,
            issued: now,
            destination: acs,
            in_response_to: Some(request),
            status,
            assertion,
        };
        let certificate = Some(&self.0.certificate);
        let sign = Sign { key: &self.0.key, certificate, assertion: true, response: true };
        let xml = draft.write(&sign, None)?;
        if let Some((name_id, _)) = subject {
            let (service, email) = (asked.service.clone(), person.map(|person| person.email.clone()));
            let session_of = SignedIn { service, name_id, email: email.unwrap_or_default() };
            lock(&self.0.sessions).insert(session, session_of);
        }
        Ok(xml)
    }

    /// Ends the sessions that a service asks to be ended, and says so.
    fn end(&self, service: &Service, request: &LogoutRequest, relay_state: Option<&str>) -> Option<String> {
        lock(&self.0.sessions).retain(|index, session| {
            let is_named = request.session_indexes.is_empty() || request.session_indexes.contains(index);
            let is_theirs = session.service.entity_id == service.entity_id;
            !(is_named && is_theirs && session.name_id.value == request.name_id.value)
        });
        let location = service.slo.as_deref()?;
        let (id, issuer) = (self.new_id(), self.entity_id());
        let draft = logout::ResponseDraft {
            id: &id,
            issuer: &issuer,
            destination: location,
            in_response_to: &request.id,
            status: &Status::success(),
        };
        let xml = draft.write(self.now()).ok()?;
        redirect_url(location, Carried::Response, &xml, relay_state, &self.0.key).ok()
    }
}

/// Asks the service to end this session as well: where the browser carries that.
fn logout_of(provider: &Provider, index: &str, session: &SignedIn) -> Option<String> {
    let location = session.service.slo.as_deref()?;
    let (id, issuer, now) = (provider.new_id(), provider.entity_id(), provider.now());
    let draft = logout::RequestDraft {
        id: &id,
        issuer: &issuer,
        destination: location,
        name_id: &session.name_id,
        session_indexes: &[index],
        not_on_or_after: Some(now.plus(VALID)),
    };
    redirect_url(location, Carried::Request, &draft.write(now).ok()?, None, &provider.0.key).ok()
}

/// Never changes and is never given to somebody else, as the email address might be; another one for each service.
fn name_of(person: &Person, service: &Service) -> NameId {
    let text = format!("{} {}", service.entity_id, person.email);
    NameId::new(&Digest::of(text.as_bytes()).text(), name_id::PERSISTENT)
}

fn attributes(person: &Person) -> Vec<Attribute> {
    let (given, family) = person.name.split_once(' ').unwrap_or((&person.name, ""));
    let attribute = |name: &str, value: &str| Attribute {
        name: name.to_owned(),
        name_format: Some(attribute_name::BASIC.to_owned()),
        friendly_name: None,
        values: vec![value.to_owned()],
    };
    let all = [
        ("mail", person.email.as_str()),
        ("displayName", &person.name),
        ("givenName", given),
        ("sn", family),
        ("groups", "staff"),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| attribute(name, value))
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refuse(why: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, why).into_response()
}

fn failed() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// `GET /metadata` (SAML Metadata, section 2.4.3).
async fn metadata(State(provider): State<Provider>) -> Response {
    let mut writer = Writer::new(names::PREFIXES);
    writer
        .open("md:EntityDescriptor")
        .attr("entityID", &provider.entity_id())
        .open("md:IDPSSODescriptor")
        .attr("WantAuthnRequestsSigned", "true")
        .attr("protocolSupportEnumeration", names::PROTOCOL)
        .open("md:KeyDescriptor")
        .attr("use", "signing")
        .open("ds:KeyInfo")
        .open("ds:X509Data")
        .leaf("ds:X509Certificate", &provider.0.certificate.base64())
        .close()
        .close()
        .close();
    let services = [
        ("md:SingleLogoutService", Binding::Redirect, "/slo"),
        ("md:SingleSignOnService", Binding::Redirect, "/sso"),
        ("md:SingleSignOnService", Binding::Post, "/sso"),
    ];
    for (name, binding, path) in services {
        writer.open(name).attr("Binding", binding.uri()).attr("Location", &provider.at(path)).close();
    }
    writer.close().close();
    match writer.finish() {
        Ok(xml) => ([(header::CONTENT_TYPE, "application/samlmetadata+xml")], xml).into_response(),
        Err(_) => failed(),
    }
}

/// `GET /sso`: the HTTP-Redirect binding. The signature is over the query as it was sent.
async fn ask_by_redirect(State(provider): State<Provider>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let Ok(message) = RedirectMessage::read(&query, Carried::Request) else {
        return refuse("There is no SAMLRequest.");
    };
    let read = |service: &Service, expected: &Expected<'_>| {
        let xml = message.verified(&service.keys).ok()?;
        Some(authn_request::read(Received::Redirected(xml), expected).ok()?.into_inner())
    };
    provider.ask(provider.request(read, message.relay_state.clone()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Posted {
    #[serde(rename = "SAMLRequest")]
    request: String,
    relay_state: Option<String>,
}

/// `POST /sso`: the HTTP-POST binding. The signature is in the request.
async fn ask_by_post(State(provider): State<Provider>, Form(form): Form<Posted>) -> Response {
    let Ok(xml) = posted::decode(&form.request) else { return refuse("There is no SAMLRequest.") };
    let read = |service: &Service, expected: &Expected<'_>| {
        let received = Received::Posted { xml: &xml, keys: &service.keys };
        Some(authn_request::read(received, expected).ok()?.into_inner())
    };
    provider.ask(provider.request(read, form.relay_state))
}

#[derive(Deserialize)]
struct Which {
    request: String,
}

#[derive(Deserialize)]
struct Answer {
    /// An email address; empty if they gave up.
    person: String,
}

/// `POST /sign-in`: somebody said who they are, and their browser carries the response to where it belongs.
async fn answer(
    State(provider): State<Provider>,
    Query(which): Query<Which>,
    Form(answer): Form<Answer>,
) -> Response {
    let asked = lock(&provider.0.asked).remove(&which.request);
    let asked = asked.filter(|asked| provider.now().since(asked.at) <= VALID);
    let Some(asked) = asked else { return refuse("This request is too old, or was answered already.") };
    let person = provider.0.company.people.iter().find(|person| person.email == answer.person);
    let Ok(xml) = provider.response(&asked, person) else { return failed() };
    let relay_state = asked
        .relay_state
        .as_deref()
        .map(|state| format!(r#"<input type="hidden" name="RelayState" value="{}">"#, escape(state)));
    let main = format!(
        r#"<h1>On to where you came from</h1>
    <form method="post" action="{}">
      <input type="hidden" name="SAMLResponse" value="{}">{}
      <button>Continue</button>
    </form>
    <script nonce="{}">document.forms[0].submit()</script>"#,
        escape(&asked.service.acs),
        posted::encode(&xml),
        relay_state.unwrap_or_default(),
        which.request,
    );
    // The number of the request was chance, and is used up.
    provider.look().page("On", &main, &format!("; script-src 'nonce-{}'", which.request))
}

/// `GET /`: who is signed in where.
async fn signed_in(State(provider): State<Provider>) -> Response {
    let buttons = lock(&provider.0.sessions).iter().fold(String::new(), |buttons, (index, session)| {
        let (email, service) = (escape(&session.email), escape(&session.service.entity_id));
        let button =
            format!(r#"<button name="index" value="{index}"><b>{email}</b><span>{service}</span></button>"#);
        buttons + &button
    });
    let main = match buttons.as_str() {
        "" => "<h1>Nobody is signed in.</h1>".to_owned(),
        _ => format!(r#"<h1>Sign out whom?</h1><form method="post">{buttons}</form>"#),
    };
    provider.look().page("Sessions", &main, "")
}

#[derive(Deserialize)]
struct Session {
    index: String,
}

/// `POST /`: the session ends here, and there.
async fn sign_out(State(provider): State<Provider>, Form(form): Form<Session>) -> Response {
    let session = lock(&provider.0.sessions).remove(&form.index);
    match session.and_then(|session| logout_of(&provider, &form.index, &session)) {
        Some(location) => Redirect::to(&location).into_response(),
        None => Redirect::to("/").into_response(),
    }
}

/// `GET /slo`: a service asks for a logout, or says how the one went that it was asked for (SAML Profiles, section
/// 4.4), by redirect.
async fn logout(State(provider): State<Provider>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    if let Ok(answer) = RedirectMessage::read(&query, Carried::Response) {
        return logged_out(&provider, &answer);
    }
    let Ok(message) = RedirectMessage::read(&query, Carried::Request) else {
        return refuse("There is no SAMLRequest.");
    };
    let read = |service: &Service, expected: &Expected<'_>| {
        let xml = message.verified(&service.keys).ok()?;
        Some(logout::read_request(Received::Redirected(xml), expected, &[]).ok()?.into_inner())
    };
    let Some((service, request)) = provider.by_a_service("/slo", read) else {
        return refuse("This is no request of a service that we know.");
    };
    match provider.end(&service, &request, message.relay_state.as_deref()) {
        Some(location) => Redirect::to(&location).into_response(),
        None => provider.look().page("Signed out", "<h1>You are signed out.</h1>", ""),
    }
}

fn logged_out(provider: &Provider, message: &RedirectMessage<'_>) -> Response {
    let read = |service: &Service, expected: &Expected<'_>| {
        let request = logout::claimed_in_response_to(&message.xml)?;
        let xml = message.verified(&service.keys).ok()?;
        Some(logout::read_response(Received::Redirected(xml), expected, &request).ok()?.into_inner())
    };
    let (title, main) = match provider.by_a_service("/slo", read) {
        Some((_, answer)) if answer.is_complete() => ("Signed out", "<h1>Signed out here and there.</h1>"),
        Some(_) => ("Signed out", "<h1>Signed out here, and not everywhere else.</h1>"),
        None => return refuse("This is no answer of a service that we know."),
    };
    provider.look().page(title, main, "")
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let listener = TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:8082")).await?;
    let name = arguments.next().unwrap_or_else(|| "Contractor".into());
    let person = |argument: String| {
        let (email, name) = argument.split_once('=').unwrap_or((&argument, &argument));
        Person { email: email.to_owned(), name: name.to_owned() }
    };
    let mut people: Vec<_> = arguments.map(person).collect();
    if people.is_empty() {
        people.push(Person { email: "con@contractor.example".into(), name: "Con".into() });
    }
    let provider = serve(listener, Company { name, people, hue: 345 })?;
    if let Ok(path) = std::env::var("SP_METADATA") {
        provider.register(Service::from_metadata(&std::fs::read_to_string(path)?)?);
    }
    println!("the metadata is at {}", provider.entity_id());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
