//! The doorstep of a SAML connection: what all messages of its identity provider have in common, whichever room they
//! are for. Whoever brings one is a stranger until it is verified.

use std::future::Future;
use std::time::Duration;

use http::StatusCode;

use super::diagnosis::Diagnosis;
use super::refusal::Refusal;
use super::{Stop, Ways, answer, refused, turn_away_to, turn_away_unwritten};
use crate::broker::Look;
use crate::foundation::id::{ConnectionId, FlowId};
use crate::model::connection::{Connection, SamlConnection, Unusable};
use crate::protocol::saml::refused::Check;
use crate::store::durable::connections;
use crate::store::durable::engine::StoreError;
use crate::store::ephemeral::{EphemeralError, Kind};
use crate::web::form::Unreadable;
use crate::web::reply::Response;
use crate::web::templates::{Href, Problem};
use crate::web::visitor::Visitor;

/// Refusals that one network causes at one connection in a minute and that are written down with the message; beyond
/// them without it. Messages that answer something of ours have as many for themselves: who makes any up does not
/// hide why those are refused that matter.
const SHOWN_A_MINUTE: u64 = 20;
/// The same for all networks together: of messages that answer nothing, and of those that answer something of ours.
const SHOWN_OF_ALL: u64 = 100;
const SHOWN_OF_AWAITED: u64 = 300;

/// Refusals that one network causes in a minute, at one connection, by messages that answer nothing of ours, and that are
/// written down. Those beyond them are counted, and told to wait: nothing that is good is refused by that.
const WRITTEN_A_MINUTE: u64 = 30;
/// As many of those that answer one thing of ours are written down in all; and of one network and connection in a minute,
/// with those that a provider itself has made. Anybody can be sent away from here and bring what they like, and what was
/// once signed can be brought again.
const WRITTEN_OF_ONE: u64 = 10;
const WRITTEN_OF_AWAITED: u64 = 300;
/// The same at one connection for all networks together, who are cheap: of messages that answer nothing, and of the others.
const WRITTEN_OF_ALL: u64 = 300;
const WRITTEN_OF_ALL_AWAITED: u64 = 3_000;
/// Beyond those, the first refusal of each thing of ours: nobody is kept from learning why they do not get in by what
/// others bring from beside them.
const WRITTEN_OF_FIRST: u64 = 1_000;
const MINUTE: Duration = Duration::from_secs(60);

/// Why a message is not taken.
pub enum Told {
    Diagnosis(Diagnosis),
    Stop(Stop),
}

impl<E: Into<Diagnosis>> From<E> for Told {
    fn from(why: E) -> Self {
        Self::Diagnosis(why.into())
    }
}

/// For `map_err`: what is no fault of the message.
pub fn stop(why: impl Into<Stop>) -> Told {
    Told::Stop(why.into())
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    SigningIn,
    /// What is over is over, also where nobody signs in any more.
    SigningOut,
}

impl About {
    /// What its refusal is written down as.
    const fn action(self) -> &'static str {
        match self {
            Self::SigningIn => "login.refused",
            Self::SigningOut => "logout.refused",
        }
    }

    const fn refusing(self, why: &'static str) -> Refusal {
        match self {
            Self::SigningIn => Refusal::AssertionRefused(why),
            Self::SigningOut => Refusal::SignOutUnconfirmed(why),
        }
    }
}

/// The SAML connection of this id. One whose metadata has run out is looked at anew.
///
/// # Errors
/// The page of the refusal, which is written down: where there is such a connection, in its trail, with what it is.
pub async fn named(visitor: &Visitor, id: &str, about: About) -> Result<Connection, Response> {
    let found = match known_saml(visitor, id, about).await {
        Ok(found) => found,
        Err(stop) => return Err(answer(visitor, Err(stop)).await),
    };
    let outcome = match is_in_use(visitor, &found, about).await {
        Ok(true) => renewed(visitor, found.clone(), about).await.map_err(Told::Stop),
        Ok(false) => {
            let wanted = "a connection that is in use for this";
            Err(Told::Diagnosis(Diagnosis::new(about.refusing("connection"), wanted, found.state.word())))
        }
        Err(error) => Err(stop(error)),
    };
    match outcome {
        Ok(current) => Ok(current),
        Err(told) => {
            let came = Came::of_a_stranger(visitor, &found, about.action());
            Err(came.turned_away(told).await)
        }
    }
}

/// By one that was live there may be sessions, whatever has become of it.
async fn is_in_use(visitor: &Visitor, found: &Connection, about: About) -> Result<bool, StoreError> {
    match about {
        About::SigningIn => Ok(found.is_active()),
        About::SigningOut => has_been_live(visitor, found).await,
    }
}

pub async fn has_been_live(visitor: &Visitor, found: &Connection) -> Result<bool, StoreError> {
    if found.is_active() {
        return Ok(true);
    }
    let lifecycle = connections::lifecycle_of(&mut &visitor.broker().db, found.id).await?;
    Ok(lifecycle.activated_at.is_some())
}

/// The page for what is no form with a message. It is written down, for the connection's administrator.
pub async fn unread(visitor: &Visitor, id: &str, about: About, unreadable: &Unreadable) -> Response {
    let connection = match named(visitor, id, about).await {
        Ok(connection) => connection,
        Err(page) => return page,
    };
    let refusal = about.refusing("malformed_saml");
    let expected = "a form of 1 MiB at most, with one message in it";
    let diagnosis = Diagnosis::new(refusal, expected, unreadable.why.as_ref());
    let came = Came::of_a_stranger(visitor, &connection, about.action());
    let mut page = came.turned_away(diagnosis.into()).await;
    if page.status() == StatusCode::BAD_REQUEST {
        *page.status_mut() = unreadable.status;
    }
    page
}

async fn known_saml(visitor: &Visitor, id: &str, about: About) -> Result<Connection, Stop> {
    let unknown = about.refusing("connection");
    let id: ConnectionId = id.parse().map_err(|_| unknown.clone())?;
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    Ok(found.filter(|found| found.saml().is_some()).ok_or(unknown)?)
}

/// Whether what is known of its provider's metadata is over.
pub fn has_run_out(visitor: &Visitor, connection: &Connection) -> bool {
    let idp = |saml| visitor.broker().saml_keys.idp(saml);
    connection.saml().is_some_and(|saml| idp(saml).err() == Some(Unusable::Outdated))
}

/// This connection; as its metadata has it now, if what is known of that has run out.
pub async fn current(visitor: &Visitor, connection: Connection) -> Result<Connection, Stop> {
    renewed(visitor, connection, About::SigningIn).await
}

async fn renewed(visitor: &Visitor, connection: Connection, about: About) -> Result<Connection, Stop> {
    let broker = visitor.broker();
    // Of one that is off nobody looks what its provider says: whoever switches it on has read what is known.
    if !has_run_out(visitor, &connection) || (!connection.is_active() && about == About::SigningOut) {
        return Ok(connection);
    }
    broker.saml_metadata.look(connection.project_id, connection.id).await?;
    // Whatever came of it: somebody else's look may have brought more.
    let found = connections::by_id(&mut &broker.db, connection.project_id, connection.id).await?;
    let found = found.filter(|found| found.is_active() || about == About::SigningOut);
    Ok(found.ok_or(match about {
        About::SigningIn => Refusal::ConnectionChanged,
        About::SigningOut => about.refusing(Refusal::ConnectionChanged.name()),
    })?)
}

/// Whether a key may have signed that is not known yet. So it is with whatever cannot be opened: whether such a key signed
/// the inside is not to be told from anything else (threats H12).
pub fn may_be_by_a_new_key(diagnosis: &Diagnosis) -> bool {
    diagnosis.is_of(Check::SignatureInvalid) || diagnosis.is_of(Check::Undecryptable)
}

/// A provider that has changed its key says so in its metadata; it is asked at a limited rate. Whether something may have
/// come of it.
pub async fn looked_for_keys(visitor: &Visitor, known: SamlConnection<'_>) -> Result<bool, Stop> {
    // Another visitor's look may have brought the key already.
    let looked = visitor.broker().saml_metadata.look(known.project_id, known.id).await?;
    Ok(matches!(looked, Look::Changed | Look::Cooling))
}

/// Whether the provider has other keys by now: the same would say the same again.
pub fn has_other_keys(found: &Connection, known: SamlConnection<'_>) -> bool {
    found.saml().is_some_and(|found| found.saml.idp.certificates != known.saml.idp.certificates)
}

/// The connection with the certificates that its provider has by now, if they are others.
async fn with_new_keys(
    visitor: &Visitor,
    known: SamlConnection<'_>,
    about: About,
) -> Result<Option<Connection>, Stop> {
    if !known.is_active() || !looked_for_keys(visitor, known).await? {
        return Ok(None);
    }
    let found = connections::by_id(&mut &visitor.broker().db, known.project_id, known.id).await?;
    let found = found.filter(|found| found.is_active() || about == About::SigningOut);
    Ok(found.filter(|found| has_other_keys(found, known)))
}

/// What is done with a message.
pub trait Serves: Sync {
    const ABOUT: About = About::SigningIn;
    type Served: Send;
    /// `connection`: by whose keys it is judged.
    fn serve(
        &self,
        connection: SamlConnection<'_>,
    ) -> impl Future<Output = Result<Self::Served, Told>> + Send;
}

/// By what the refusals are counted of what answers one thing of ours: a login, or a request.
pub fn written_of(what: &str) -> String {
    format!("refused of {what}")
}

/// What becomes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Written,
    /// Its bearer is told what it was, and that it was not written down.
    Told,
    /// They are told to wait.
    Counted,
}

/// What is known of a message before anything that it says is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Stranger,
    /// It comes from where we have sent somebody: with what only they were given, who waits for this.
    Answer(String),
    /// Of a provider that has proved who it is.
    Proved,
}

/// A message that came, as far as that matters when it is refused.
pub struct Came<'a> {
    pub visitor: &'a Visitor,
    pub connection: &'a Connection,
    /// What its refusal is written down as.
    pub action: &'static str,
    /// Decoded, if it could be.
    pub xml: Option<&'a [u8]>,
    /// The login whose question it answers, which is still open.
    pub awaited: Option<FlowId>,
    pub standing: Standing,
    /// Where its bearer may try again.
    pub again: Option<Href>,
    /// Whether it was taken the first time, and its bearer goes on there.
    pub goes_on: bool,
}

impl<'a> Came<'a> {
    /// In which nothing was found that could be read.
    pub fn of_a_stranger(visitor: &'a Visitor, connection: &'a Connection, action: &'static str) -> Self {
        let (xml, awaited, standing, again) = (None, None, Standing::Stranger, None);
        Self { visitor, connection, action, xml, awaited, standing, again, goes_on: false }
    }

    /// What becomes of it. If a key signed it that is not known, the provider's metadata is looked at, and it is served
    /// once more: until the signature is found good, nothing has happened.
    pub async fn served<S: Serves>(&self, by: &S) -> Result<S::Served, Told> {
        let unknown = || stop(S::ABOUT.refusing("connection"));
        let connection = self.connection.saml().ok_or_else(unknown)?;
        match by.serve(connection).await {
            Err(Told::Diagnosis(diagnosis)) if may_be_by_a_new_key(&diagnosis) => {
                match with_new_keys(self.visitor, connection, S::ABOUT).await.map_err(Told::Stop)? {
                    Some(newer) => by.serve(newer.saml().ok_or_else(unknown)?).await,
                    None => Err(diagnosis.into()),
                }
            }
            outcome => outcome,
        }
    }

    /// The page that says it was not taken.
    pub async fn turned_away(self, told: Told) -> Response {
        match told {
            Told::Diagnosis(diagnosis) => self.refuse(&diagnosis).await,
            Told::Stop(Stop::Refused(refusal)) => self.refuse(&Diagnosis::of(refusal)).await,
            Told::Stop(stop) => answer(self.visitor, Err(stop)).await,
        }
    }

    async fn may_be_shown(&self) -> bool {
        let (id, network) = (self.connection.id, self.visitor.network());
        let limits = match self.awaited.is_some() {
            true => vec![
                (format!("diagnosis awaited {id} {network}"), SHOWN_A_MINUTE),
                (format!("diagnosis awaited {id}"), SHOWN_OF_AWAITED),
            ],
            // Networks are cheap, and what is kept is kept for long.
            false => vec![
                (format!("diagnosis {} {id} {network}", self.action), SHOWN_A_MINUTE),
                (format!("diagnosis {} {id}", self.action), SHOWN_OF_ALL),
            ],
        };
        for (key, most) in limits {
            let shown = self.visitor.broker().ephemeral.count(Kind::RateCounter, &key, MINUTE).await;
            if !shown.is_ok_and(|shown| shown <= most) {
                return false;
            }
        }
        true
    }

    /// Whether one more may be written down of what anybody can bring at will. Only what is refused is counted; and what has
    /// used up the room of its own is a stranger's like any other.
    async fn room(&self) -> Result<Room, EphemeralError> {
        let (id, network) = (self.connection.id, self.visitor.network());
        let (is_awaited, is_first) = match &self.standing {
            Standing::Stranger => (false, false),
            Standing::Answer(what) => {
                let lifetime = Duration::from_secs(self.visitor.broker().config.login.flow_lifetime);
                let refused = self.counted(&written_of(what), lifetime).await?;
                (refused <= WRITTEN_OF_ONE, refused == 1)
            }
            Standing::Proved => (true, false),
        };
        let awaited = [
            (format!("refused awaited {id} {network}"), WRITTEN_OF_AWAITED),
            (format!("refused awaited {id}"), WRITTEN_OF_ALL_AWAITED),
        ];
        if is_awaited && self.are_within(awaited).await? {
            return Ok(Room::Written);
        }
        if is_first {
            let has_room = self.are_within([(format!("refused first {id}"), WRITTEN_OF_FIRST)]).await?;
            return Ok(if has_room { Room::Written } else { Room::Told });
        }
        let of_strangers = [
            (format!("refused {id} {network}"), WRITTEN_A_MINUTE),
            (format!("refused {id}"), WRITTEN_OF_ALL),
        ];
        Ok(if self.are_within(of_strangers).await? { Room::Written } else { Room::Counted })
    }

    /// Whether there is room in all of them; what finds none in one takes none in those behind it.
    async fn are_within(
        &self,
        limits: impl IntoIterator<Item = (String, u64)>,
    ) -> Result<bool, EphemeralError> {
        for (key, most) in limits {
            if self.counted(&key, MINUTE).await? > most {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn counted(&self, key: &str, window: Duration) -> Result<u64, EphemeralError> {
        self.visitor.broker().ephemeral.count(Kind::RateCounter, key, window).await
    }

    /// The same page whatever it was; the rest is for the connection's administrator.
    async fn refuse(self, diagnosis: &Diagnosis) -> Response {
        match self.room().await {
            Ok(Room::Written) => {}
            Ok(room) => {
                let event = refused(self.visitor, self.action, &diagnosis.refusal);
                let event = event.organization(self.connection.organization_id);
                let event = event.with("connection", self.connection.id.to_string());
                return turn_away_unwritten(self.visitor, &diagnosis.refusal, &event, room == Room::Told)
                    .await;
            }
            Err(error) => return answer(self.visitor, Err(error.into())).await,
        }
        let is_shown = self.xml.is_some() && self.may_be_shown().await;
        let xml = self.xml.filter(|_| is_shown);
        let event = refused(self.visitor, self.action, &diagnosis.refusal);
        let event = diagnosis.tell(event, self.connection, xml);
        let told = (event, diagnosis.evidence.as_deref());
        let said = self.goes_on.then_some(Problem::StepTaken);
        let ways = Ways { again: self.again, said, ..Ways::default() };
        turn_away_to(self.visitor, &diagnosis.refusal, told, self.awaited, ways).await
    }
}
