//! The doors of a SAML connection: where answers are posted, and where the browser then takes them up.

mod former;

use std::ops::Deref;
use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::response::Response;
use tower_sessions::Session;

use super::answered;
use super::unasked::{self, Onward};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, FlowId};
use crate::foundation::secret::Secret;
use crate::login::authenticate::trial;
use crate::login::counted::{Evidence, Heard};
use crate::login::diagnosis::Diagnosis;
use crate::login::doorstep::{self, About, Came, Serves, Standing, Told, stop};
use crate::login::flow::{self, Again, Journey};
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, answer_in, authenticate, next};
use crate::model::connection::{Connection, SamlConnection};
use crate::model::login::{Authenticated, Login, Proof, PutAside, Stage, Vouched};
use crate::protocol::oauth::params::Params;
use crate::protocol::saml::assertion::Assertion;
use crate::protocol::saml::binding::post;
use crate::protocol::saml::message;
use crate::protocol::saml::refused::{Check, Refused};
use crate::protocol::saml::response::{self, Answers, Expected};
use crate::protocol::saml::signature::Verified;
use crate::store::durable::connections;
use crate::store::ephemeral::{EphemeralError, Kind};
use crate::web::form::MessageForm;
use crate::web::reply;
use crate::web::templates::Href;
use crate::web::visitor::Visitor;

/// Encrypted answers that are refused: of those to one request in all, and of those of one network to requests of ours and
/// to none, in a minute. Then no more are opened, but the first to each request of ours, of which a network has so many
/// only. Answers that are good cost nobody anything, and whoever makes any up
/// takes nothing from those who were sent away from here.
const REFUSED_OF_A_FLOW: u64 = 6;
const REFUSED_OF_AWAITED: u64 = 300;
const REFUSED_OF_UNASKED: u64 = 120;
const MINUTE: Duration = Duration::from_secs(60);

/// `POST /saml/{connection}/acs`: the identity provider's answer, carried by the person's browser. All that can be judged
/// without the browser's cookies is judged here; nobody is signed in yet.
pub async fn consume(mut visitor: Visitor, Path(connection): Path<String>, carried: MessageForm) -> Response {
    let params = match carried.0 {
        Ok(params) => params,
        Err(unreadable) => {
            return doorstep::unread(&visitor, &connection, About::SigningIn, &unreadable).await;
        }
    };
    let posted = posted(&params);
    let xml = posted.as_deref().ok();
    // Parsed once: what it claims finds the flow, and what it proves is read from the same tree.
    let read = posted.as_deref().map(|xml| (xml, response::Posted::parse(xml)));
    let claimed = match &read {
        Ok((_, Ok(document))) => document.claimed_in_response_to(),
        _ => None,
    };
    if let Ok((xml, Ok(document))) = &read {
        let answer = trial::saml::Posted { params: &params, xml, document, claimed };
        if let Some(onward) = trial::saml::came_back(&visitor, &connection, &answer).await {
            return onward;
        }
    }
    let connection = match doorstep::named(&visitor, &connection, About::SigningIn).await {
        Ok(connection) => connection,
        Err(page) => return page,
    };
    let login = match awaiting(&visitor, connection.id, claimed).await {
        Ok(login) => login,
        Err(stop) => return answer(&visitor, Err(stop)).await,
    };
    if let Some(login) = &login {
        visitor.ui_locales.clone_from(&login.asked.ui_locales);
    }
    let again =
        flow_of(&params, claimed).and_then(|flow| Href::parse(&visitor.path(&format!("/login/{flow}"))));
    let awaited = login.as_ref().map(|login| login.id);
    let flow = match awaited {
        Some(flow) => Some(flow),
        // What we sent along comes back, in whatever else the answer is wrong.
        None => match returns(&visitor, connection.id, &params).await {
            Ok(returns) => returns,
            Err(stop) => return answer(&visitor, Err(stop)).await,
        },
    };
    let standing = flow.map_or(Standing::Stranger, |flow| Standing::Answer(flow.to_string()));
    let action = "login.refused";
    let came = Came {
        visitor: &visitor,
        connection: &connection,
        action,
        xml,
        awaited,
        standing,
        again,
        goes_on: false,
    };
    let (waiting, sent) = (login.clone(), claimed.and_then(Login::of_request));
    let outcome = match &read {
        Ok((xml, document)) => {
            let (params, document, login) = (&params, document.as_ref(), login.as_ref());
            came.served(&Posted { visitor: &visitor, params, xml, document, claimed, login }).await
        }
        Err(diagnosis) => Err(Diagnosis::clone(diagnosis).into()),
    };
    let message = params.get("SAMLResponse").ok().flatten().unwrap_or_default();
    match (outcome, login.filter(|login| login.asked.prompt.none)) {
        (Ok(onward), _) => match &waiting {
            Some(login) => flow::led(&visitor, login, message, onward.reply()).await,
            None => onward.reply(),
        },
        // Nobody looks at a page: the flow itself tells the application.
        (Err(told), Some(silent)) => {
            // That the provider would have to ask is no failure of the connection, and anybody can say it: it is told apart.
            let action = if is_login_required(&told) { "login.provider_would_ask" } else { came.action };
            Came { action, ..came }.turned_away(told).await;
            reply::see_other(&visitor.path(&format!("/login/{}", silent.id)))
        }
        (Err(told), None) => {
            // A page that is loaded again posts once more what is on its way by then.
            let led = match sent.filter(|_| is_too_late(&told)) {
                Some(flow) => flow::led_before(&visitor, flow, message).await,
                None => None,
            };
            match led.and_then(|led| Href::parse(&led)) {
                Some(led) => Came { again: Some(led), goes_on: true, ..came }.turned_away(told).await,
                None => came.turned_away(told).await,
            }
        }
    }
}

/// `GET /saml/{connection}/acs`: by redirect or artifact nothing is taken (SAML Profiles, section 4.1.2, step 5).
pub async fn consume_nothing(
    visitor: Visitor,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let why = message::unsupported(params.iter().map(|(name, _)| name), false);
    let is_answer = params.iter().any(|(name, _)| name == "SAMLResponse");
    let why = why.or_else(|| is_answer.then_some("an answer must be posted: choose the HTTP-POST binding"));
    let connection = match doorstep::named(&visitor, &connection, About::SigningIn).await {
        Ok(connection) => connection,
        Err(page) => return page,
    };
    let told = match why {
        Some(why) => Diagnosis::new(Refusal::BindingUnsupported, "HTTP-POST", why).into(),
        // Nobody has answered anything: somebody has gone back, or loaded the page again.
        None => stop(Refusal::FlowExpired),
    };
    Came::of_a_stranger(&visitor, &connection, "login.refused").turned_away(told).await
}

/// The flow that waits for an answer to exactly this request, from this provider.
async fn awaiting(
    visitor: &Visitor,
    connection: ConnectionId,
    claimed: Option<&str>,
) -> Result<Option<Login>, Stop> {
    let Some(flow) = claimed.and_then(Login::of_request) else { return Ok(None) };
    let awaits = |login: &Login| {
        login.awaits_saml(connection).is_ok_and(|(_, awaited)| Some(awaited.request.as_str()) == claimed)
    };
    Ok(flow::awaiting(visitor, flow).await?.filter(awaits))
}

/// The flow that still waits and was sent away with what came beside an answer: nobody else knows it.
async fn returns(
    visitor: &Visitor,
    connection: ConnectionId,
    params: &Params,
) -> Result<Option<FlowId>, Stop> {
    let Some(state) = params.get("RelayState").ok().flatten() else { return Ok(None) };
    let Some(flow) = flow_of(params, None) else { return Ok(None) };
    let found = flow::awaiting(visitor, flow).await?;
    let is_its = |login: &Login| {
        login.awaits_saml(connection).is_ok_and(|(_, awaited)| awaited.relay_state.matches(state))
    };
    Ok(found.filter(is_its).map(|login| login.id))
}

/// The flow that whoever brings this says they come from, whether there is one or not: a link to it leads the browser on
/// that holds it, and tells nobody else anything.
fn flow_of(params: &Params, claimed: Option<&str>) -> Option<FlowId> {
    let state = params.get("RelayState").ok().flatten().and_then(|state| state.split_once('.'));
    state.and_then(|(flow, _)| flow.parse().ok()).or_else(|| claimed.and_then(Login::of_request))
}

/// The provider was told not to ask anybody, and could not do without.
fn is_login_required(told: &Told) -> bool {
    matches!(told, Told::Diagnosis(diagnosis) if diagnosis.refusal == Refusal::LoginRequired)
}

/// Whether no request waits for it, or not any more.
fn is_too_late(told: &Told) -> bool {
    matches!(told, Told::Diagnosis(diagnosis) if diagnosis.is_of(Check::InResponseTo))
}

/// An answer as it came.
struct Posted<'a> {
    visitor: &'a Visitor,
    params: &'a Params,
    xml: &'a [u8],
    /// The same, or why it is none.
    document: Result<&'a response::Posted<'a>, &'a Refused>,
    /// The request that it says it answers.
    claimed: Option<&'a str>,
    /// The flow that waits for it.
    login: Option<&'a Login>,
}

impl Serves for Posted<'_> {
    type Served = Onward;
    async fn serve(&self, connection: SamlConnection<'_>) -> Result<Onward, Told> {
        Answered { posted: self, connection }.take().await
    }
}

/// The same, held against a connection.
struct Answered<'a> {
    posted: &'a Posted<'a>,
    connection: SamlConnection<'a>,
}

impl<'a> Deref for Answered<'a> {
    type Target = Posted<'a>;
    fn deref(&self) -> &Posted<'a> {
        self.posted
    }
}

impl Answered<'_> {
    async fn take(&self) -> Result<Onward, Told> {
        // An unknown flow is told after the signature was looked at, as a known one is: the time tells nothing.
        let assertion = match self.verified_within_limits().await {
            Err(Told::Diagnosis(diagnosis)) => return Err(self.held_against_former(diagnosis).await),
            verified => verified?,
        };
        let Some(claimed) = self.claimed else {
            return unasked::led(self.visitor, self.connection, &assertion).await;
        };
        let nothing = || Refused::new(Check::InResponseTo, "a request that waits for its answer", claimed);
        let login = self.login.ok_or_else(nothing)?;
        let aside = match self.proof(login, claimed, &assertion) {
            Ok(proof) => PutAside::of_flow(login.id, proof),
            // The provider did not do as it was asked: that is the application's to know, once its browser is here.
            Err(Diagnosis { refusal: Refusal::AuthenticationTooOld, .. }) => {
                PutAside::too_long_ago(login.id, self.connection.id, assertion.get().authn_instant)
            }
            Err(refused) => return Err(self.showing(refused, &assertion).into()),
        };
        Ok(self.put_aside(login, &aside).await?.into())
    }

    /// What the assertion proves in the flow that waits for it.
    fn proof(
        &self,
        login: &Login,
        claimed: &str,
        assertion: &Verified<Assertion>,
    ) -> Result<Proof, Diagnosis> {
        let nothing = |_| Refused::new(Check::InResponseTo, "a request that waits for its answer", claimed);
        let (away, awaited) = login.awaits_saml(self.connection.id).map_err(nothing)?;
        check_relay_state(self.posted.params, |state| awaited.relay_state.matches(state))?;
        let sp = self.visitor.saml_addresses(self.connection.id).entity_id;
        answered::proof((self.connection, &sp), Some(away), assertion, self.visitor.broker().now())
    }

    /// With what it says of the connection's settings that they do not fit what the provider vouches for.
    fn showing(&self, diagnosis: Diagnosis, assertion: &Verified<Assertion>) -> Diagnosis {
        let evidence = self.evidence(&diagnosis, assertion);
        diagnosis.showing(evidence)
    }

    fn evidence(&self, diagnosis: &Diagnosis, assertion: &Verified<Assertion>) -> Option<Evidence> {
        let of = (self.connection.id, self.connection.version);
        let heard = answered::heard(self.connection, assertion.get());
        Evidence::of(self.visitor, of, &diagnosis.refusal, &heard)
    }

    /// Opening what is encrypted to us is the dearest thing that a stranger can make us do, and whoever may try often
    /// learns from how it fails (threats H12): failures are counted. One that is being opened counts as one until it is
    /// found good, so many at once are no more than many in turn.
    async fn verified_within_limits(&self) -> Result<Verified<Assertion>, Told> {
        // An assertion, or a name.
        const ENCRYPTED: &[u8] = b"Encrypted";
        if !self.xml.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
            return self.verified().await;
        }
        let at = format!("{} {}", self.connection.id, self.visitor.network());
        let counters = match self.login {
            Some(login) => vec![
                (format!("decrypt {}", login.id), REFUSED_OF_A_FLOW, flow::time_left(self.visitor, login)),
                (format!("decrypt awaited {at}"), REFUSED_OF_AWAITED, MINUTE),
            ],
            None => vec![(format!("decrypt {at}"), REFUSED_OF_UNASKED, MINUTE)],
        };
        let mut reserved = Vec::new();
        let (mut is_over, mut is_first) = (false, false);
        for (key, most, window) in &counters {
            let ephemeral = &self.visitor.broker().ephemeral;
            let tries = ephemeral.count(Kind::RateCounter, key, *window).await.map_err(stop)?;
            is_over |= tries > *most && !is_first;
            is_first = self.login.is_some() && reserved.is_empty() && tries == 1;
            reserved.push(key);
            if is_over {
                break;
            }
        }
        let verified = if is_over { Err(stop(Refusal::TooManyRequests)) } else { self.verified().await };
        // What was not even opened is no failure.
        if is_over || verified.is_ok() {
            for key in reserved {
                let ephemeral = &self.visitor.broker().ephemeral;
                ephemeral.uncount(Kind::RateCounter, key).await.map_err(stop)?;
            }
        }
        verified
    }

    async fn verified(&self) -> Result<Verified<Assertion>, Told> {
        let broker = self.visitor.broker();
        let idp = broker.saml_keys.idp(self.connection).map_err(|why| {
            let refusal = Refusal::IdpUnreachable("connection_unusable");
            Diagnosis::new(refusal, "a connection that can be used", why.to_string())
        })?;
        let ours = broker.saml_keys.of_connection(self.connection).await.map_err(stop)?;
        let decrypting: Vec<_> = ours.decrypting.iter().map(|certified| &certified.key).collect();
        let naming: Vec<_> = ours.naming.iter().map(|certified| &certified.key).collect();
        let at = self.visitor.saml_addresses(self.connection.id);
        let expected = Expected {
            idp_entity_id: &idp.entity_id,
            sp_entity_id: &at.entity_id,
            acs: &at.acs,
            in_response_to: self.claimed.map_or(Answers::Unsolicited, Answers::To),
            keys: idp.keys(),
            decrypting: &decrypting,
            naming: &naming,
            wants: self.connection.saml.wants.of_response(),
            now: broker.now(),
            skew: Duration::from_secs(self.connection.settings.leeway),
        };
        let read = self.document.map_err(Clone::clone).and_then(|document| document.read(&expected));
        let is_silent = self.login.is_some_and(|login| login.asked.prompt.none);
        read.map_err(|refused| match refused.is_no_passive() && is_silent {
            true => Diagnosis::new(Refusal::LoginRequired, refused.expected, refused.found).into(),
            false => refused.into(),
        })
    }

    /// Keeps what it proves for the browser that holds the flow and has brought the answer: it gets a ticket. Of two answers
    /// to one request, one is taken.
    async fn put_aside(&self, login: &Login, aside: &PutAside) -> Result<String, Told> {
        let ticket = self.visitor.broker().random.token();
        keep(self.visitor, &ticket, aside, flow::time_left(self.visitor, login)).await?;
        let request = |login: &Login| {
            login.awaits_saml(self.connection.id).ok().map(|(_, awaited)| awaited.request.clone())
        };
        let stage = Stage::Vouched(Vouched { connection: self.connection.id, ticket: ticket.digest() });
        let awaits = |now: &Login| request(now).is_some_and(|id| Some(id) == request(login));
        if !flow::move_on(self.visitor, login.id, awaits, stage).await.map_err(Told::Stop)? {
            return Err(Refused::new(Check::InResponseTo, "one answer to one request", "another one").into());
        }
        Ok(self.visitor.path(&format!("/login/{}/returned?ticket={}", login.id, ticket.expose())))
    }
}

/// What an answer to a flow that only tries a connection would prove, by this connection as it is tried; and what it says,
/// if it could be verified. Nothing is kept of it here.
pub(in crate::login::authenticate) async fn tried(
    visitor: &Visitor,
    connection: SamlConnection<'_>,
    answer: &trial::saml::Posted<'_>,
    login: &Login,
) -> (Result<Proof, Told>, Option<Verified<Assertion>>) {
    let trial::saml::Posted { params, xml, document, claimed } = *answer;
    let posted = Posted { visitor, params, xml, document: Ok(document), claimed, login: Some(login) };
    let answered = Answered { posted: &posted, connection };
    match answered.verified_within_limits().await {
        Ok(assertion) => {
            let proof = answered.proof(login, claimed.unwrap_or_default(), &assertion);
            (proof.map_err(Told::from), Some(assertion))
        }
        Err(told) => (Err(told), None),
    }
}

/// The message in the form, decoded.
fn posted(params: &Params) -> Result<Vec<u8>, Diagnosis> {
    let malformed = |found: String| {
        Diagnosis::new(Refusal::AssertionRefused("malformed_saml"), "one SAMLResponse in base64", found)
    };
    if let Some(why) = message::unsupported(params.iter().map(|(name, _)| name), true) {
        return Err(Diagnosis::new(Refusal::BindingUnsupported, "HTTP-POST", why));
    }
    if let Some(error) = params.twice() {
        return Err(malformed(error.to_string()));
    }
    if params.iter().any(|(name, _)| name == "SAMLRequest") {
        return Err(malformed("a SAMLRequest beside it".to_owned()));
    }
    let field = params.get("SAMLResponse").ok().flatten().ok_or_else(|| malformed("none".into()))?;
    post::decode(field).map_err(|error| malformed(error.to_string()))
}

/// Some providers lose it, and some send an empty one then; one that comes must be ours. It never leads anywhere (threats
/// H28).
fn check_relay_state(params: &Params, is_ours: impl FnOnce(&str) -> bool) -> Result<(), Refused> {
    match params.get("RelayState").ok().flatten().filter(|state| !state.is_empty()) {
        Some(state) if !is_ours(state) => {
            Err(Refused::new(Check::RelayState, "the RelayState that was sent", "another one"))
        }
        _ => Ok(()),
    }
}

/// How long a proof waits: a browser follows at once.
const WAITS: Duration = Duration::from_secs(60);

/// Keeps a proof under a ticket. One connection has its share of the room: its provider takes nothing from others'.
pub(super) async fn keep(
    visitor: &Visitor,
    ticket: &Secret,
    aside: &PutAside,
    at_most: Duration,
) -> Result<(), Told> {
    let bytes = serde_json::to_vec(aside).map_err(|error| Told::Stop(error.into()))?;
    let key = ticket.digest().text();
    let (owner, waits) = (aside.connection().to_string(), WAITS.min(at_most));
    let kept = visitor.broker().ephemeral.put_of(&owner, Kind::Proof, &key, bytes, waits).await;
    kept.map_err(|error| match error {
        EphemeralError::TooLarge { .. } => {
            Refused::new(Check::Attributes, "fewer or shorter attributes", "too much to keep").into()
        }
        EphemeralError::Full(_) => Told::Stop(Refusal::Crowded.into()),
    })
}

/// Takes what was kept under a ticket, once.
pub(super) async fn take(visitor: &Visitor, ticket: &Secret) -> Result<PutAside, Stop> {
    let found = visitor.broker().ephemeral.take(Kind::Proof, &ticket.digest().text()).await?;
    Ok(serde_json::from_slice(&found.ok_or(Refusal::FlowExpired)?)?)
}

pub(super) fn ticket(query: Option<&str>) -> Result<Secret, Refusal> {
    let params = Params::parse(query.unwrap_or_default().as_bytes()).map_err(|_| Refusal::FlowExpired)?;
    params.get("ticket").ok().flatten().map(Secret::new).ok_or(Refusal::FlowExpired)
}

/// `GET /login/{flow}/returned`: the browser that went, and that brought the answer, takes up what was proved.
pub async fn returned(
    visitor: Visitor,
    browser: Session,
    Path(flow): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let (journey, proof) = match taken(&visitor, &flow, query.as_deref()).await {
        Ok(found) => found,
        Err(stop) => {
            if let Some(vouched) = of_another_browser(&visitor, &flow, query.as_deref()).await {
                return vouched.turned_away(&visitor).await;
            }
            let again = Again { browser: Some(&browser), brought: query.as_deref(), pressed: None };
            return answer_in(&visitor, &flow, Err(stop), again).await;
        }
    };
    let (asking, of) = (visitor.clone(), journey.with_what_came());
    flow::once(&asking, of, taken_up(visitor, browser, journey, proof)).await
}

/// What comes of an answer that is used up now.
async fn taken_up(
    visitor: Visitor,
    browser: Session,
    mut journey: Journey,
    proof: Result<Proof, Moment>,
) -> Response {
    let proof = match proof {
        Ok(proof) => proof,
        Err(at) => return next::diagnosed(&visitor, journey, &answered::too_long_ago(at)).await,
    };
    let said = Said::of(&proof);
    let (of, heard) = ((proof.connection, proof.version), Heard::Person(proof.subject.clone()));
    match authenticate::pages::complete(&visitor, &browser, proof, &mut journey).await {
        Ok(session) => {
            journey.login.stage = Stage::Authenticated(Authenticated { session });
            journey.signed_in(&visitor, &browser).await;
            next::proceed_at_home(&visitor, &browser, journey).await
        }
        // Somebody has given it up meanwhile, or begun it again.
        Err(Stop::Refused(Refusal::FlowExpired)) => journey.overtaken(&visitor).await,
        Err(Stop::Refused(refusal)) => {
            let evidence = Evidence::of(&visitor, of, &refusal, &heard);
            let diagnosis = said.refused(refusal).showing(evidence);
            next::diagnosed(&visitor, journey, &diagnosis).await
        }
        Err(Stop::Failed(fault)) => {
            journey.login.restart();
            next::failed(&visitor, journey, fault).await
        }
    }
}

/// What was asserted, as far as the administrator needs it to mend what the rules of the house refuse.
pub(super) struct Said {
    addresses: String,
    naming: String,
    issued: String,
}

impl Said {
    pub fn of(proof: &Proof) -> Self {
        let domain =
            |email: &Option<Email>| email.as_ref().map(|email| format!("an address at {}", email.domain()));
        let addresses = match (domain(&proof.email), domain(&proof.named_by)) {
            (None, None) => "no email address".to_owned(),
            (mapped, None) => mapped.unwrap_or_default(),
            (mapped, Some(named)) => format!("{}; as NameID, {named}", mapped.unwrap_or_default()),
        };
        let issued = format!("one that was issued at {}", proof.issued_at.rfc3339());
        Self { addresses, naming: proof.naming.to_string(), issued }
    }

    pub fn refused(self, refusal: Refusal) -> Diagnosis {
        if refusal == Refusal::OrganizationInactive {
            return Diagnosis::of(refusal);
        }
        let wanted = refusal.wanted();
        let found = match refusal {
            Refusal::SubjectKind(_) => self.naming,
            Refusal::AssertionRefused("replayed") | Refusal::SignedOutThere => self.issued,
            _ => self.addresses,
        };
        Diagnosis::new(refusal, wanted, found)
    }
}

/// `GET /saml/{connection}/accepted`: the browser that posted it takes it up, now with its cookies.
pub async fn accepted(
    visitor: Visitor,
    browser: Session,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let outcome = unasked::accept(&visitor, &browser, &connection, query.as_deref()).await;
    answer(&visitor, outcome).await
}

/// A good answer, in a browser that was not sent for it.
struct Elsewhere {
    flow: FlowId,
    connection: Connection,
}

impl Elsewhere {
    /// The visitor is told what everybody is told whose login is over, and the connection's administrator why.
    async fn turned_away(&self, visitor: &Visitor) -> Response {
        let came = Came {
            standing: Standing::Answer(self.flow.to_string()),
            ..Came::of_a_stranger(visitor, &self.connection, "login.refused")
        };
        let (expected, found) = ("the browser that was sent away", "another one, or one without its cookies");
        let diagnosis = Diagnosis::new(Refusal::FlowExpired, expected, found);
        came.turned_away(Diagnosis { check: "browser", ..diagnosis }.into()).await
    }
}

/// Where this browser does not hold the flow whose ticket it has brought. Nothing is taken: the one that holds it may come yet.
async fn of_another_browser(visitor: &Visitor, flow: &str, query: Option<&str>) -> Option<Elsewhere> {
    let (id, ticket) = (flow.parse().ok()?, ticket(query).ok()?);
    if Journey::find(visitor, flow).await.is_ok() {
        return None;
    }
    let Stage::Vouched(vouched) = flow::awaiting(visitor, id).await.ok()??.stage else { return None };
    let (db, project) = (&visitor.broker().db, visitor.project.id);
    let found = connections::by_id(&mut &*db, project, vouched.connection).await.ok()??;
    (vouched.ticket == ticket.digest()).then_some(Elsewhere { flow: id, connection: found })
}

async fn taken(
    visitor: &Visitor,
    flow: &str,
    query: Option<&str>,
) -> Result<(Journey, Result<Proof, Moment>), Stop> {
    let ticket = ticket(query)?;
    let is_for = |journey: &Journey| match &journey.login.stage {
        Stage::Vouched(vouched) => vouched.ticket == ticket.digest(),
        _ => false,
    };
    // Looked at first: a browser without the ticket leaves the flow as it is.
    let found = Journey::find(visitor, flow).await?;
    if !is_for(&found) {
        return Err(Refusal::FlowExpired.into());
    }
    let journey = found.used(visitor, query.unwrap_or_default()).await?;
    let aside = take(visitor, &ticket).await;
    let proof = aside.and_then(|aside| Ok(aside.for_flow(journey.login.id).ok_or(Refusal::FlowExpired)?));
    match proof {
        Ok(proof) => Ok((journey, proof)),
        Err(stop) => {
            journey.is_brought_nothing(visitor).await;
            Err(stop)
        }
    }
}
