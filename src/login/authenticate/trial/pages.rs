//! The doors of a trial: the link, the way to the provider, and what came of it.

use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::shown::{self, Shown};
use super::{Came, Failure, Trial, conclude, connection, current};
use crate::foundation::id::{ConnectionId, FlowId};
use crate::foundation::secret::Secret;
use crate::login::authenticate::leave_by;
use crate::login::authenticate::oidc::returned::{self, Said};
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, flow};
use crate::model::connection::Connection;
use crate::model::connection_test::{ConnectionTest, TestOutcome, TestResult};
use crate::model::login::{Arrived, Proof, Stage};
use crate::protocol::oauth::params::Params;
use crate::store::durable::{connection_tests, connections, organizations};
use crate::store::ephemeral::Kind;
use crate::web::cookies;
use crate::web::form::Form;
use crate::web::reply;
use crate::web::templates::{Page, Told, TrialPage, TriedPage};
use crate::web::visitor::Visitor;

/// How long an answer waits: a browser follows at once.
pub(super) const WAITS: Duration = Duration::from_secs(60);

/// `GET /try/{token}`: the link that somebody was given. Looking at it changes nothing: mail programs do that, too.
pub async fn open(visitor: Visitor, Path(token): Path<String>) -> Response {
    let opened = opened(&visitor, &token).await;
    answer(&visitor, opened).await
}

async fn opened(visitor: &Visitor, token: &str) -> Result<Response, Stop> {
    let (broker, link) = (visitor.broker(), Secret::new(token).digest());
    let found = connection_tests::by_link(&mut &broker.db, visitor.project.id, link, broker.now()).await?;
    let test = found.ok_or(Refusal::TrialOver)?;
    let tried = tried(visitor, &test).await?;
    flow::may_begin(visitor, Kind::Trial).await?;
    let (trial, secret) = Trial::begin(visitor, &test);
    trial.keep(visitor).await?;
    let mut page = begin_page(visitor, &trial, &tried).await?;
    let remembered = cookies::Remembered::default();
    for cookie in cookies::open_flow(&visitor.headers, trial.login.id, &secret, &remembered) {
        page.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(page)
}

/// The connection as it is tried; what is no more is over.
async fn tried(visitor: &Visitor, test: &ConnectionTest) -> Result<Connection, Stop> {
    let of = (test.connection_id, test.version);
    match connection(&mut &visitor.broker().db, visitor, of).await {
        Err(Stop::Refused(_)) => Err(Refusal::TrialOver.into()),
        found => found,
    }
}

async fn begin_page(visitor: &Visitor, trial: &Trial, tried: &Connection) -> Result<Response, Stop> {
    let page = TrialPage {
        connection: tried.display_name.clone(),
        organization: organization_of(visitor, tried).await?,
        action: trial.path(visitor, ""),
        csrf: trial.login.csrf.clone(),
    };
    let targets = visitor.provider_targets();
    Ok(visitor.page(StatusCode::OK, &Page::Trial(page), None, &targets))
}

async fn organization_of(visitor: &Visitor, connection: &Connection) -> Result<Option<String>, Stop> {
    let Some(id) = connection.organization_id else { return Ok(None) };
    let found = organizations::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    Ok(found.map(|found| found.display_name))
}

/// `GET /trial/{flow}`: what came of it, or the page from which it begins.
pub async fn stand(visitor: Visitor, Path(flow): Path<String>) -> Response {
    let page = stands(&visitor, &flow).await;
    answer(&visitor, page).await
}

async fn stands(visitor: &Visitor, flow: &str) -> Result<Response, Stop> {
    let trial = Trial::held(visitor, flow).await?;
    let test = trial.test(visitor).await?;
    match &test.result {
        Some(result) => result_page(visitor, &test, result).await,
        None => {
            let tried = tried(visitor, &test).await?;
            begin_page(visitor, &trial, &tried).await
        }
    }
}

/// `POST /trial/{flow}`: to the identity provider.
pub async fn begin(visitor: Visitor, Path(flow): Path<String>, Form(params): Form) -> Response {
    let begun = begun(&visitor, &flow, &params).await;
    answer(&visitor, begun).await
}

async fn begun(visitor: &Visitor, flow: &str, params: &Params) -> Result<Response, Stop> {
    let mut trial = Trial::held(visitor, flow).await?;
    let token = params.get("csrf").ok().flatten().unwrap_or_default();
    if visitor.is_cross_site() || !Secret::new(trial.login.csrf.as_str()).digest().matches(token) {
        return Err(Refusal::ForeignForm.into());
    }
    let (broker, test) = (visitor.broker(), trial.test(visitor).await?);
    if test.result.is_some() || test.expires_at <= broker.now() {
        return Err(Refusal::TrialOver.into());
    }
    let (id, now) = (test.id, broker.now());
    broker.db.write(async move |tx| connection_tests::begin(tx, id, now).await).await?;
    let tried = match current(visitor, (test.connection_id, test.version)).await {
        Err(Stop::Refused(_)) => return Err(Refusal::TrialOver.into()),
        found => found?,
    };
    match leave_by(visitor, &trial.login, &tried, None).await {
        Ok((away, departure)) => {
            trial.login.stage = Stage::Away(Box::new(away));
            trial.ticket = None;
            trial.keep(visitor).await?;
            Ok(departure.reply(visitor, None, &visitor.provider_targets()))
        }
        // That nobody can be sent there is what was to be found out.
        Err(Stop::Refused(refusal)) => {
            ended(visitor, trial, Came { outcome: Err(Failure::of(&refusal)), shown: Shown::default() }).await
        }
        Err(stop) => Err(stop),
    }
}

/// What became of an answer to a trial; nothing, if it answers none.
pub async fn came_back(visitor: &Visitor, connection: &str, query: &str) -> Option<Response> {
    let params = Params::parse(query.as_bytes()).ok()?;
    let state = params.get("state").ok().flatten()?;
    let flow: FlowId = state.split_once('.')?.0.parse().ok()?;
    let trial = match Trial::of(visitor, flow).await {
        Ok(found) => found?,
        Err(stop) => return Some(answer(visitor, Err(stop)).await),
    };
    let ended = returned(visitor, trial, connection, &params, state).await;
    Some(answer(visitor, ended).await)
}

async fn returned(
    visitor: &Visitor,
    trial: Trial,
    connection: &str,
    params: &Params,
    state: &str,
) -> Result<Response, Stop> {
    // Only the state that was sent, in the browser that went, takes it.
    if !trial.is_held(visitor) || trial.login.awaits_state(state).is_err() {
        return Err(Refusal::FlowExpired.into());
    }
    let mut trial = trial.taken(visitor).await?;
    let (outcome, shown) = proved(visitor, &trial, connection, params, state).await?;
    trial.login.stage = Stage::Arrived(Arrived::default());
    ended(visitor, trial, Came { outcome, shown }).await
}

async fn proved(
    visitor: &Visitor,
    trial: &Trial,
    door: &str,
    params: &Params,
    state: &str,
) -> Result<(Result<Proof, Failure>, Shown), Stop> {
    let (away, awaited) = trial.login.awaits_state(state).map_err(|_| Refusal::FlowExpired)?;
    let nothing = |refusal: Refusal| Ok((Err(Failure::of(&refusal)), Shown::default()));
    if params.twice().is_some() {
        return nothing(Refusal::IdpAnswerInvalid("parameter_twice"));
    }
    if door.parse::<ConnectionId>().ok() != Some(away.connection) {
        return nothing(Refusal::IdpAnswerInvalid("connection_mismatch"));
    }
    let of = (trial.connection, trial.version);
    let tried = match connection(&mut &visitor.broker().db, visitor, of).await {
        Ok(tried) => tried,
        Err(Stop::Refused(refusal)) => return nothing(refusal),
        Err(stop) => return Err(stop),
    };
    let Some(tried) = tried.oidc() else { return nothing(Refusal::ConnectionChanged) };
    let mut said = Said::default();
    let proof = match returned::proof(visitor, tried, (away, awaited), params, &mut said).await {
        Ok(proof) => Ok(proof),
        Err(Stop::Refused(refusal)) => Err(Failure::seeing(&refusal, said.seen.take())),
        Err(stop) => return Err(stop),
    };
    Ok((proof, shown::of_oidc(tried, &said)))
}

/// `GET /trial/{flow}/returned`: the browser that went, and that brought the answer.
pub async fn take_up(visitor: Visitor, Path(flow): Path<String>, RawQuery(query): RawQuery) -> Response {
    let taken = taken_up(&visitor, &flow, query.as_deref().unwrap_or_default()).await;
    answer(&visitor, taken).await
}

async fn taken_up(visitor: &Visitor, flow: &str, query: &str) -> Result<Response, Stop> {
    let params = Params::parse(query.as_bytes()).map_err(|_| Refusal::FlowExpired)?;
    let ticket = params.get("ticket").ok().flatten().ok_or(Refusal::FlowExpired)?;
    let found = Trial::held(visitor, flow).await?;
    if !found.ticket.is_some_and(|expected| expected.matches(ticket)) {
        return Err(Refusal::FlowExpired.into());
    }
    let mut trial = found.taken(visitor).await?;
    if !trial.ticket.take().is_some_and(|expected| expected.matches(ticket)) {
        return Err(Refusal::FlowExpired.into());
    }
    let key = Secret::new(ticket).digest().text();
    let came = visitor.broker().ephemeral.take(Kind::Trial, &key).await?.ok_or(Refusal::FlowExpired)?;
    trial.login.stage = Stage::Arrived(Arrived::default());
    ended(visitor, trial, serde_json::from_slice(&came)?).await
}

/// Writes it down, and leads to the page that shows it, where it can be loaded again.
async fn ended(visitor: &Visitor, trial: Trial, came: Came) -> Result<Response, Stop> {
    trial.keep(visitor).await?;
    conclude(visitor, &trial, came).await?;
    Ok(reply::see_other(&trial.path(visitor, "")))
}

async fn result_page(
    visitor: &Visitor,
    test: &ConnectionTest,
    result: &TestResult,
) -> Result<Response, Stop> {
    let db = &mut &visitor.broker().db;
    let found = connections::by_id(db, visitor.project.id, test.connection_id).await?;
    let connection = found.ok_or(Refusal::TrialOver)?;
    let left_out = &result.left_out;
    let claims = result.claims.iter().map(|(name, values)| Told {
        name: name.clone(),
        values: values.clone(),
        left_out: left_out.values.get(name).copied().unwrap_or_default(),
        is_cut: left_out.characters.contains_key(name),
    });
    let page = TriedPage {
        worked: result.outcome == TestOutcome::Succeeded,
        organization: organization_of(visitor, &connection).await?,
        connection: connection.display_name,
        email: result.email.as_ref().map(ToString::to_string),
        domain: result.email.as_ref().map(|email| email.domain().to_string()),
        domain_rule: result.domain_rule.map(|rule| rule.word()),
        reason: result.reason.clone(),
        claims: claims.collect(),
        left_out: left_out.claims,
        id: test.id.to_string(),
    };
    Ok(visitor.page(StatusCode::OK, &Page::Tried(page), None, &[]))
}
