//! The answer of a SAML identity provider to a trial: posted by another site, so without cookies. It is judged, put
//! aside, and taken up by the browser that holds the flow and has brought it.

use super::shown::{self, Shown};
use super::{Came, Failure, Trial, connection, current, pages};
use crate::foundation::id::ConnectionId;
use crate::login::authenticate;
use crate::login::diagnosis::Diagnosis;
use crate::login::doorstep::{self, Told};
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer};
use crate::model::connection::Connection;
use crate::model::login::{AwaitedSaml, Login, Proof};
use crate::protocol::oauth::params::Params;
use crate::protocol::saml::response;
use crate::store::ephemeral::Kind;
use crate::web::reply::{self, Response};
use crate::web::visitor::Visitor;

/// An answer as it came.
#[derive(Clone, Copy)]
pub struct Posted<'a> {
    pub params: &'a Params,
    pub xml: &'a [u8],
    pub document: &'a response::Posted<'a>,
    /// The request that it says it answers.
    pub claimed: Option<&'a str>,
}

/// Where the browser goes on that brought an answer to a trial; nothing, if it answers none.
pub async fn came_back(visitor: &Visitor, connection: &str, posted: &Posted<'_>) -> Option<Response> {
    let trial = match awaiting(visitor, connection, posted.claimed).await {
        Ok(found) => found?,
        Err(stop) => return Some(answer(visitor, Err(stop)).await),
    };
    let onward = put_aside(visitor, trial, posted).await;
    Some(answer(visitor, onward).await)
}

/// The trial that waits for an answer to exactly this request, from this provider.
async fn awaiting(visitor: &Visitor, connection: &str, claimed: Option<&str>) -> Result<Option<Trial>, Stop> {
    let (Ok(id), Some(claimed)) = (connection.parse::<ConnectionId>(), claimed) else { return Ok(None) };
    let Some(flow) = Login::of_request(claimed) else { return Ok(None) };
    let found = Trial::of(visitor, flow).await?;
    let awaits =
        |trial: &Trial| trial.login.awaits_saml(id).is_ok_and(|(_, awaited)| awaited.request == claimed);
    Ok(found.filter(awaits))
}

async fn put_aside(visitor: &Visitor, trial: Trial, posted: &Posted<'_>) -> Result<Response, Stop> {
    let came = judged(visitor, &trial, posted).await?;
    let ticket = visitor.broker().random.token();
    let left = pages::WAITS.min(crate::login::flow::time_left(visitor, &trial.login));
    let key = ticket.digest().text();
    visitor.broker().ephemeral.put(Kind::Trial, &key, serde_json::to_vec(&came)?, left).await?;
    // Of two answers to one request, one is taken.
    let mut taken = trial.taken(visitor).await?;
    let answers = |(_, awaited): (_, &AwaitedSaml)| Some(awaited.request.as_str()) == posted.claimed;
    let is_same = taken.login.awaits_saml(taken.connection).is_ok_and(answers) && taken.ticket.is_none();
    if is_same {
        taken.ticket = Some(ticket.digest());
    }
    taken.keep(visitor).await?;
    if !is_same {
        return Err(Refusal::FlowExpired.into());
    }
    Ok(reply::see_other(&trial.path(visitor, &format!("/returned?ticket={}", ticket.expose()))))
}

async fn judged(visitor: &Visitor, trial: &Trial, posted: &Posted<'_>) -> Result<Came, Stop> {
    let Served { proof, shown, by } = match served(visitor, trial, posted).await {
        Ok(served) => served,
        Err(Stop::Refused(refusal)) => return Ok(failed(&refusal)),
        Err(stop) => return Err(stop),
    };
    let outcome = match proof {
        Ok(proof) => Ok(proof),
        Err(Told::Diagnosis(diagnosis)) => Err(of(diagnosis, &by, posted.xml)),
        Err(Told::Stop(Stop::Refused(refusal))) => Err(Failure::of(&refusal)),
        Err(Told::Stop(stop)) => return Err(stop),
    };
    Ok(Came { outcome, shown })
}

/// By which connection an answer was judged, and what came of it.
struct Served {
    proof: Result<Proof, Told>,
    shown: Shown,
    by: Connection,
}

/// As a sign-in is: where metadata has run out, or a key has signed that is not known, the provider is asked.
async fn served(visitor: &Visitor, trial: &Trial, posted: &Posted<'_>) -> Result<Served, Stop> {
    let of = (trial.connection, trial.version);
    let served = served_by(visitor, current(visitor, of).await?, trial, posted).await?;
    let known = served.by.saml().ok_or(Refusal::ConnectionChanged)?;
    let asks = |told: &Told| matches!(told, Told::Diagnosis(why) if doorstep::may_be_by_a_new_key(why));
    if !served.proof.as_ref().is_err_and(asks) || !doorstep::looked_for_keys(visitor, known).await? {
        return Ok(served);
    }
    let found = connection(&mut &visitor.broker().db, visitor, of).await?;
    match doorstep::has_other_keys(&found, known) {
        true => served_by(visitor, found, trial, posted).await,
        false => Ok(served),
    }
}

async fn served_by(
    visitor: &Visitor,
    by: Connection,
    trial: &Trial,
    posted: &Posted<'_>,
) -> Result<Served, Stop> {
    let tried = by.saml().ok_or(Refusal::ConnectionChanged)?;
    let (proof, assertion) = authenticate::saml::pages::tried(visitor, tried, posted, &trial.login).await;
    let shown = assertion.map_or_else(Shown::default, |assertion| shown::of_saml(tried, assertion.get()));
    Ok(Served { proof, shown, by })
}

fn failed(refusal: &Refusal) -> Came {
    Came { outcome: Err(Failure::of(refusal)), shown: Shown::default() }
}

fn of(diagnosis: Diagnosis, by: &Connection, xml: &[u8]) -> Failure {
    let shown = diagnosis.shown(by.saml().map(|by| by.saml), Some(xml));
    let named = [("connection", by.id.to_string()), ("check", diagnosis.check.to_owned())];
    let besides = named.into_iter().chain(shown).map(|(name, value)| (name.to_owned(), value));
    Failure {
        reason: diagnosis.refusal.name().to_owned(),
        besides: besides.collect(),
        expected: Some(diagnosis.expected),
        found: Some(diagnosis.found),
    }
}
