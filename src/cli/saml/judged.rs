//! What the readers of the house say of a message: the same that judge it when it arrives.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;

use super::Error;
use super::captured::Captured;
use super::explained::{self, Kind, leaf};
use super::report::Report;
use super::signatures::{brought_keys, certificate_line};
use crate::broker::{Broker, Fate, held_against};
use crate::foundation::clock::Moment;
use crate::foundation::id::RequestId;
use crate::keys::saml_keyring::{Certified, SpKeys};
use crate::login::authenticate;
use crate::login::authenticate::saml::answered;
use crate::login::authenticate::saml::unasked::is_new_where_it_must_be;
use crate::login::diagnosis::Diagnosis;
use crate::login::refusal::Refusal;
use crate::model::connection::metadata::describe;
use crate::model::connection::{
    Connection, IdentityProvider, IdpInitiated, OFFERED, SamlConnection, SpAddresses, UsableIdp, fingerprint,
};
use crate::model::login::Proof;
use crate::model::project::Project;
use crate::protocol::saml::assertion::Assertion;
use crate::protocol::saml::binding::RedirectMessage;
use crate::protocol::saml::keys::{DecryptingKey, VerifyingKey};
use crate::protocol::saml::message::{self, Received};
use crate::protocol::saml::names;
use crate::protocol::saml::refused::{Check, Refused};
use crate::protocol::saml::response::{self, Answers, Expected, Wants};
use crate::protocol::saml::signature::Verified;
use crate::protocol::saml::xml::{Document, Element, Limits};
use crate::protocol::saml::{logout, metadata as idp_metadata};
use crate::store::durable::{connections, saml_keys};

/// How much clocks may differ where no connection says it.
const SKEW: Duration = Duration::from_secs(60);

/// Holds a message against what it says of itself, by the certificates that it brings along: what fails then would
/// fail anywhere. Whether nothing does.
pub fn alone(captured: &Captured, report: &mut Report) -> bool {
    let Ok(document) = Document::parse(&captured.xml, &Limits::METADATA) else { return false };
    let root = document.root();
    let kind = Kind::of(root);
    if matches!(kind, Kind::Metadata | Kind::AuthnRequest) {
        return true;
    }
    report.heading("Held against what it says of itself");
    if kind != Kind::Response {
        return not_judged(kind, report);
    }
    let said = Said::of(root);
    let keys = brought_keys(root);
    if keys.is_empty() {
        report.warn(
            "it brings no certificate along; with --connection it is held against those of a connection",
        );
        return false;
    }
    let expected = Expected {
        idp_entity_id: &said.issuer,
        sp_entity_id: &said.audience,
        acs: &said.destination,
        in_response_to: root.attr("InResponseTo").map_or(Answers::Unsolicited, Answers::To),
        keys: &keys,
        decrypting: &[],
        naming: &[],
        wants: Wants::default(),
        now: report.at,
        skew: SKEW,
    };
    match response::read(&captured.xml, &expected) {
        Ok(_) => report.warn("nothing is wrong with it in itself; this proves nothing about who wrote it"),
        Err(refused) => {
            tell(&refused, report);
            return false;
        }
    }
    true
}

fn not_judged(kind: Kind, report: &mut Report) -> bool {
    match kind {
        Kind::LogoutRequest | Kind::LogoutResponse => {
            report.warn("with --connection it is held against a connection");
            true
        }
        Kind::Assertion => {
            report.wrong("an assertion is taken in a response only");
            false
        }
        Kind::Metadata => {
            report.wrong("metadata is no message: give it to a connection, or have it read at an address");
            false
        }
        _ => {
            report.wrong("no such message is taken");
            false
        }
    }
}

/// What a response wants to be taken for.
struct Said {
    issuer: String,
    audience: String,
    destination: String,
}

impl Said {
    fn of(root: Element<'_>) -> Self {
        let first = |local: &'static str| {
            let found = root.descendants().find(|element| element.is(names::ASSERTION, local));
            found.and_then(|element| Some(element.text().ok()?.trim().to_owned())).unwrap_or_default()
        };
        Self {
            issuer: leaf(root, "Issuer").unwrap_or_default(),
            audience: first("Audience"),
            destination: root.attr("Destination").unwrap_or_default().to_owned(),
        }
    }
}

/// What would be read of metadata. Whether a connection can be made of it.
pub fn metadata(captured: &Captured, report: &mut Report) -> bool {
    let entity_id = captured.entity_id.as_deref();
    if let Err(error) = describe(&captured.xml, (entity_id, None), None, report.at) {
        report.wrong(error);
        return false;
    }
    let read = match idp_metadata::read(&captured.xml, entity_id, None, report.at) {
        Ok(read) => read,
        Err(error) => {
            report.wrong(error);
            return false;
        }
    };
    report.line("entity id", &read.entity_id);
    for endpoint in &read.sso {
        report.line("sign-on", format!("{} ({:?})", endpoint.location, endpoint.binding));
    }
    for endpoint in &read.slo {
        report.line("logout", format!("{} ({:?})", endpoint.location, endpoint.binding));
    }
    read.unused_bindings.iter().for_each(|binding| report.line("not used", binding));
    read.name_id_formats.iter().for_each(|format| report.line("NameID format", format));
    report.line_if("valid until", read.valid_until.map(|until| report.until(&until.rfc3339())));
    for certificate in read.signing {
        certificate_line(&Ok(certificate), report);
    }
    for key in &read.dropped {
        report.warn(format!("key {} is not used: {}", key.position, key.reason));
    }
    report.fine("a connection can be made of it");
    true
}

/// The connection that is meant.
pub async fn named(broker: &Broker, project: &Project, name: &str) -> Result<Connection, Error> {
    let found = connections::named(&mut &broker.db, project.id, name).await?;
    let found = found.filter(|found| found.saml().is_some());
    Ok(found.ok_or_else(|| format!("there is no SAML connection {name}"))?)
}

/// Holds a message against a connection, as if it had arrived there. Whether it would be taken. Metadata, as if it stood at
/// its address.
pub async fn by_connection(
    broker: &Broker,
    project: &Project,
    found: &Connection,
    captured: &Captured,
    report: &mut Report,
) -> Result<bool, Error> {
    let connection = found.saml().ok_or("the connection does not speak SAML")?;
    let own = SpAddresses::of(&broker.issuer(project), connection.id);
    report.heading(format!("Held against the connection {}", connection.slug));
    report.line("as of", report.at.rfc3339());
    if captured.kind() == Some(Kind::Metadata) {
        return Ok(described(&captured.xml, connection, report));
    }
    let is_in_use = is_in_use(broker, found, captured).await?;
    if !is_in_use {
        report.wrong(format!("the connection is {}: nothing is taken", found.state));
    }
    let idp = match connection.saml.usable() {
        Ok(idp) => idp,
        Err(why) => {
            report.wrong(format!("the connection cannot be used: {why}"));
            return Ok(false);
        }
    };
    let held = Held { broker, project, connection, own, idp };
    let taken = held.judge(captured, report).await?;
    Ok(taken && is_in_use)
}

/// What metadata would change if it stood at the connection's address, by the rules of the house, key by key. Whether nothing
/// of it would wait for somebody.
fn described(document: &[u8], connection: SamlConnection<'_>, report: &mut Report) -> bool {
    if connection.saml.metadata_address().is_none() {
        report.warn("the connection reads no address: metadata counts as a whole once somebody gives it, and not before; at one:");
    }
    let (described, verdict) = match held_against(document, connection.saml, report.at) {
        Ok(judged) => judged,
        Err(error) => {
            report.wrong(error);
            return false;
        }
    };
    report.line("its word", verdict.word);
    report.line_if("its signature", described.refused.as_ref());
    for (certificate, fate) in verdict.keys(connection.saml, &described) {
        let told = format!("{} {fate}", fingerprint(certificate));
        match fate {
            Fate::Stays | Fate::Joins => report.fine(told),
            fate if fate.waits() => report.wrong(told),
            _ => report.warn(told),
        }
    }
    let addresses =
        |idp: &IdentityProvider| idp.addresses().map(str::to_owned).collect::<Vec<_>>().join(", ");
    let [known, listed, after] = [&connection.saml.idp, &described.idp, &verdict.idp].map(addresses);
    match () {
        () if listed == known => report.fine("its addresses are those that are known"),
        () if after == known => report.wrong(format!("its addresses wait for somebody: {listed}")),
        () => report.warn(format!("its addresses count from then on: {listed}")),
    }
    match &verdict.offer {
        Some(offer) => report.wrong(format!("something waits for somebody: {offer}; {OFFERED}")),
        None => report.fine("nothing of it would wait for anybody"),
    }
    verdict.offer.is_none()
}

/// What is over is over, also where nobody signs in any more.
async fn is_in_use(broker: &Broker, found: &Connection, captured: &Captured) -> Result<bool, Error> {
    let is_sign_out = matches!(captured.kind(), Some(Kind::LogoutRequest | Kind::LogoutResponse));
    if found.is_active() || !is_sign_out {
        return Ok(found.is_active());
    }
    Ok(connections::lifecycle_of(&mut &broker.db, found.id).await?.activated_at.is_some())
}

struct Held<'a> {
    broker: &'a Broker,
    project: &'a Project,
    connection: SamlConnection<'a>,
    own: SpAddresses,
    idp: UsableIdp,
}

impl Held<'_> {
    async fn judge(&self, captured: &Captured, report: &mut Report) -> Result<bool, Error> {
        report.line("provider", &self.idp.entity_id);
        report.line("keys", self.idp.keys().iter().map(VerifyingKey::kind).collect::<Vec<_>>().join(", "));
        if !self.idp.is_valid_at(report.at) {
            report.wrong("the provider's metadata was no longer valid: nothing was taken");
            return Ok(false);
        }
        let Ok(document) = Document::parse(&captured.xml, &Limits::METADATA) else { return Ok(false) };
        match Kind::of(document.root()) {
            Kind::Response => self.response(captured, report).await,
            Kind::LogoutRequest | Kind::LogoutResponse => {
                self.logout(captured, document.root(), report).await
            }
            kind => Ok(not_judged(kind, report)),
        }
    }

    async fn response(&self, captured: &Captured, report: &mut Report) -> Result<bool, Error> {
        if captured.query.is_some() {
            report.wrong("by redirect nothing is taken: choose the HTTP-POST binding");
            return Ok(false);
        }
        let ours = self.ours().await?;
        let read = self.read(captured, ours.as_ref(), Opens::AsWhenItArrives, report);
        let assertion = match read {
            Ok(assertion) => assertion,
            Err(refused) => {
                tell(&refused, report);
                self.tell_inside(captured, ours.as_ref(), &refused, report);
                return Ok(false);
            }
        };
        let proof = match answered::proof((self.connection, &self.own.entity_id), None, &assertion, report.at)
        {
            Ok(proof) => proof,
            Err(diagnosis) => {
                told(diagnosis.check, &diagnosis.expected, &diagnosis.found, report);
                return Ok(false);
            }
        };
        let is_unasked = response::claimed_in_response_to(&captured.xml).is_none();
        if is_unasked && self.connection.saml.idp_initiated == IdpInitiated::Off {
            report
                .wrong("nobody asked for it (no InResponseTo), and idp_initiated is off at this connection");
            return Ok(false);
        }
        if let Err(diagnosis) = self.is_new_enough(assertion.get(), is_unasked, report.at) {
            told(diagnosis.check, &diagnosis.expected, &diagnosis.found, report);
            return Ok(false);
        }
        if let Some(refusal) = self.speaks_against(&proof).await? {
            let found = match (&refusal, &proof.email) {
                (Refusal::SubjectKind(_), _) => proof.naming.to_string(),
                (_, Some(email)) => format!("somebody at {}", email.domain()),
                (_, None) => "somebody without an email address".to_owned(),
            };
            told(refusal.name(), &refusal.wanted(), &found, report);
            return Ok(false);
        }
        taken(assertion.get(), is_unasked, report);
        let claims: Vec<_> = proof.profile.claims.keys().map(String::as_str).collect();
        report.line_if("  further claims", Some(claims.join(", ")).filter(|claims| !claims.is_empty()));
        for line in &proof.left_out {
            report.warn(format!("left out: {line}"));
        }
        Ok(true)
    }

    /// Whether it may be of a new sign-in, where every answer must be: no request of ours that it could answer is older than a
    /// flow lasts.
    fn is_new_enough(&self, assertion: &Assertion, is_unasked: bool, now: Moment) -> Result<(), Diagnosis> {
        let accepts = self.connection.saml.idp_initiated == IdpInitiated::Accept;
        if is_unasked {
            return if accepts { is_new_where_it_must_be(self.connection, assertion, now) } else { Ok(()) };
        }
        let flow = Duration::from_secs(self.broker.config.login.flow_lifetime);
        let leeway = Duration::from_secs(self.connection.settings.leeway);
        let (at, latest) = (assertion.authn_instant, assertion.issued.minus(flow + leeway));
        if !self.connection.saml.request.force_authn || at >= latest {
            return Ok(());
        }
        let expected = format!("a new sign-in, as force_authn wants: after {}", latest.rfc3339());
        Err(Diagnosis::new(Refusal::AuthenticationTooOld, expected, at.rfc3339()))
    }

    /// Why whom it names would not come in, as far as their user and their place tell it: a sign-in is made, and taken back
    /// whole.
    async fn speaks_against(&self, proof: &Proof) -> Result<Option<Refusal>, Error> {
        let request = RequestId::new(&self.broker.random, self.broker.now());
        let who = (self.connection.connection, proof);
        Ok(authenticate::rehearsed(self.broker, self.project, request, who).await?)
    }

    fn read(
        &self,
        captured: &Captured,
        ours: Option<&SpKeys>,
        opens: Opens,
        report: &Report,
    ) -> Result<Verified<Assertion>, Refused> {
        let claimed = response::claimed_in_response_to(&captured.xml);
        let (decrypting, naming) =
            ours.map(|ours| (plain_keys(&ours.decrypting), plain_keys(&ours.naming))).unwrap_or_default();
        let naming = match opens {
            Opens::AsWhenItArrives => naming,
            Opens::Everything => decrypting.clone(),
        };
        response::read(
            &captured.xml,
            &Expected {
                idp_entity_id: &self.idp.entity_id,
                sp_entity_id: &self.own.entity_id,
                acs: &self.own.acs,
                in_response_to: claimed.as_deref().map_or(Answers::Unsolicited, Answers::To),
                keys: self.idp.keys(),
                decrypting: &decrypting,
                naming: &naming,
                wants: self.connection.saml.wants.of_response(),
                now: report.at,
                skew: Duration::from_secs(self.connection.settings.leeway),
            },
        )
    }

    /// What a key that connections share has opened is told to no administrator of one (threats H12). Whoever asks here
    /// has the database and the keys.
    fn tell_inside(&self, captured: &Captured, ours: Option<&SpKeys>, told: &Refused, report: &mut Report) {
        let Some(ours) = ours.filter(|_| told.check == Check::Undecryptable) else { return };
        match self.read(captured, Some(ours), Opens::Everything, report) {
            Ok(_) => report.warn(
                "nothing is wrong inside: it holds a name that is encrypted, which only a key of the connection's own \
                 opens",
            ),
            Err(inside) if inside != *told => {
                report.warn("the server tells no more, for the key that opens it is not the connection's own");
                told_inside(&inside, report);
            }
            Err(_) => {}
        }
        let keys = plain_keys(&ours.decrypting);
        explained::describe_opened(captured, &keys, report);
        for certified in &ours.decrypting {
            report.line("ours, SHA-256", HEXLOWER.encode(&certified.certificate.fingerprint()));
        }
    }

    async fn logout(
        &self,
        captured: &Captured,
        root: Element<'_>,
        report: &mut Report,
    ) -> Result<bool, Error> {
        let keys = self.idp.keys();
        let received = match &captured.query {
            None => Received::Posted { xml: &captured.xml, keys },
            Some((query, which)) => {
                match RedirectMessage::read(query, *which).map(|message| message.verified(keys)) {
                    Ok(Ok(xml)) => Received::Redirected(xml),
                    Ok(Err(error)) => {
                        tell(&error.into(), report);
                        return Ok(false);
                    }
                    Err(error) => {
                        report.wrong(error);
                        return Ok(false);
                    }
                }
            }
        };
        let expected = message::Expected {
            issuer: &self.idp.entity_id,
            destination: &self.own.slo,
            now: report.at,
            skew: Duration::from_secs(self.connection.settings.leeway),
        };
        let is_request = Kind::of(root) == Kind::LogoutRequest;
        let read = if is_request {
            let ours = self.ours().await?;
            let naming = ours.as_ref().map(|ours| plain_keys(&ours.naming)).unwrap_or_default();
            logout::read_request(received, &expected, &naming).map(drop).map_err(|unmet| unmet.why)
        } else {
            let request = root.attr("InResponseTo").unwrap_or_default();
            logout::read_response(received, &expected, request).map(drop)
        };
        match &read {
            Ok(()) if is_request && !self.connection.saml.single_logout => {
                report.wrong("single_logout is off at this connection: it would be refused");
                return Ok(false);
            }
            Ok(()) if is_request => {
                report.fine("it would be taken");
                report.warn("not tried here: whether it was used before, and whether anybody is signed in whom it names");
            }
            Ok(()) => report.fine("it would be taken, if it answers a request of ours that still waits"),
            Err(refused) => tell(refused, report),
        }
        Ok(read.is_ok())
    }

    /// Our keys, unless there are none yet: asking for them would make them.
    async fn ours(&self) -> Result<Option<SpKeys>, Error> {
        let project = self.connection.project_id;
        let made = !saml_keys::kept(&mut &self.broker.db, project, self.broker.now()).await?.is_empty();
        Ok(if made { Some(self.broker.saml_keys.of_connection(self.connection).await?) } else { None })
    }
}

/// What the keys that connections share are good for.
#[derive(Clone, Copy)]
enum Opens {
    /// For assertions, of whose insides nothing is told.
    AsWhenItArrives,
    /// For all that a connection's own are.
    Everything,
}

fn told_inside(refused: &Refused, report: &mut Report) {
    report.wrong(format!("inside, it is refused by the check {}", refused.check));
    report.line("  expected", &refused.expected);
    report.line("  found", &refused.found);
}

fn plain_keys(certified: &[Arc<Certified<DecryptingKey>>]) -> Vec<&DecryptingKey> {
    certified.iter().map(|certified| &certified.key).collect()
}

fn tell(refused: &Refused, report: &mut Report) {
    told(refused.check.word(), &refused.expected, &refused.found, report);
}

fn told(check: &str, expected: &str, found: &str, report: &mut Report) {
    report.wrong(format!("refused by the check {check}"));
    report.line("  expected", expected);
    report.line("  found", found);
}

fn taken(assertion: &Assertion, is_unasked: bool, report: &mut Report) {
    report.fine(match is_unasked {
        true => "it would be taken, though nobody asked for it, if there is a default application that offers the connection",
        false => "it would be taken, if it answers a request of ours that still waits in that browser, and comes with its RelayState or with none",
    });
    let name = assertion.name_id.as_ref();
    report.line_if("  person", name.map(|name| report.personal(&name.value)));
    report.line("  attributes", assertion.attributes.len());
    report.line("  remembered until", report.moment(&assertion.not_on_or_after.rfc3339()));
    report.warn(
        "not tried here: the rule of the connection's domains, whether it was used before, how new the sign-in has to be for \
         whoever asked for it, and whether the provider has signed the person out since, which decide then",
    );
}
