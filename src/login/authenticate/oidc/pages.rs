//! The way back from an OpenID provider.

use axum::extract::{Path, RawQuery};
use axum::response::Response;
use tower_sessions::Session;

use super::returned::{self, Seen};
use crate::foundation::id::ConnectionId;
use crate::login::authenticate::trial;
use crate::login::counted::{Evidence, Heard};
use crate::login::diagnosis::Diagnosis;
use crate::login::flow::{self, Again, Journey};
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer_in, authenticate, next};
use crate::model::login::{Authenticated, Stage};
use crate::protocol::oauth::params::Params;
use crate::store::durable::connections;
use crate::web::cookies::Remembered;
use crate::web::visitor::Visitor;

/// `GET /oidc/{connection}/callback`
pub async fn callback(
    mut visitor: Visitor,
    browser: Session,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    if let Some(page) = trial::pages::came_back(&visitor, &connection, &query).await {
        return page;
    }
    let flow = flow_of(&query).unwrap_or_default();
    if let Ok(flow) = flow.parse() {
        let language = Remembered::of(&visitor.headers, flow).language;
        visitor.ui_locales = language.map(|language| language.to_string());
    }
    // At another connection's callback the same answer is another one.
    let brought = format!("{connection}?{query}");
    let (params, journey) = match taken(&visitor, &query, &brought).await {
        Ok(found) => found,
        Err(stop) => {
            let again = Again { browser: Some(&browser), brought: Some(&brought), pressed: None };
            return answer_in(&visitor, &flow, Err(stop), again).await;
        }
    };
    let (asking, of) = (visitor.clone(), journey.with_what_came());
    flow::once(&asking, of, taken_up(visitor, browser, journey, connection, params)).await
}

/// What comes of an answer that is used up now.
async fn taken_up(
    visitor: Visitor,
    browser: Session,
    mut journey: Journey,
    connection: String,
    params: Params,
) -> Response {
    let mut said = returned::Said::default();
    match complete(&visitor, &browser, &mut journey, &connection, &params, &mut said).await {
        Ok(authenticated) => {
            journey.login.stage = Stage::Authenticated(authenticated);
            journey.signed_in(&visitor, &browser).await;
            next::proceed_at_home(&visitor, &browser, journey).await
        }
        // Somebody has given it up meanwhile, or begun it again.
        Err(Stop::Refused(Refusal::FlowExpired)) => journey.overtaken(&visitor).await,
        Err(Stop::Refused(Refusal::IdpRefused(why))) if journey.login.asked.prompt.none && asks(&why) => {
            next::refused(&visitor, journey, Refusal::LoginRequired).await
        }
        Err(Stop::Refused(refusal)) => {
            let evidence = evidence(&visitor, &journey, &refusal, &said.heard);
            match said.seen {
                Some(Seen { expected, found }) => {
                    let diagnosis = Diagnosis::new(refusal, expected, found).showing(evidence);
                    next::diagnosed(&visitor, journey, &diagnosis).await
                }
                None => next::refused_showing(&visitor, journey, refusal, evidence).await,
            }
        }
        Err(Stop::Failed(fault)) => {
            journey.login.restart();
            next::failed(&visitor, journey, fault).await
        }
    }
}

/// What the refusal shows of the connection that the person was sent to.
fn evidence(visitor: &Visitor, journey: &Journey, refusal: &Refusal, heard: &Heard) -> Option<Evidence> {
    match &journey.login.stage {
        Stage::Away(away) => Evidence::of(visitor, (away.connection, away.version), refusal, heard),
        _ => None,
    }
}

/// Whether the provider was told not to ask the person anything and could not do without (OpenID Connect Core, section
/// 3.1.2.6).
fn asks(error: &str) -> bool {
    matches!(
        error,
        "login_required" | "interaction_required" | "account_selection_required" | "consent_required"
    )
}

/// The flow that the state claims.
fn flow_of(query: &str) -> Option<String> {
    let params = Params::parse(query.as_bytes()).ok()?;
    let state = params.get("state").ok().flatten()?;
    state.split_once('.').map(|(flow, _)| flow.to_owned())
}

/// Takes the flow that the state leads to: the answer to one outing is read once.
async fn taken(visitor: &Visitor, query: &str, brought: &str) -> Result<(Params, Journey), Stop> {
    // It is the provider that made this address, and no application.
    let params =
        Params::parse(query.as_bytes()).map_err(|_| Refusal::IdpAnswerInvalid("parameters_malformed"))?;
    let state = params.get("state").map_err(|_| Refusal::IdpAnswerInvalid("parameter_twice"))?;
    let state = state.unwrap_or_default();
    let (flow, _) = state.split_once('.').ok_or(Refusal::FlowExpired)?;
    let journey = Journey::find(visitor, flow).await?;
    // Only the state that was sent takes the flow; a guess leaves it to its owner.
    journey.login.awaits_state(state).map_err(|_| Refusal::FlowExpired)?;
    Ok((params, journey.used(visitor, brought).await?))
}

async fn complete(
    visitor: &Visitor,
    browser: &Session,
    journey: &mut Journey,
    connection: &str,
    params: &Params,
    said: &mut returned::Said,
) -> Result<Authenticated, Stop> {
    if params.twice().is_some() {
        return Err(Refusal::IdpAnswerInvalid("parameter_twice").into());
    }
    let broker = visitor.broker();
    let mismatch = Refusal::IdpAnswerInvalid("connection_mismatch");
    let id: ConnectionId = connection.parse().map_err(|_| mismatch.clone())?;
    let state = params.get("state").ok().flatten().unwrap_or_default();
    let (away, awaited) = journey.login.awaits_state(state).map_err(|_| Refusal::FlowExpired)?;
    if away.connection != id {
        return Err(mismatch.into());
    }
    let found = connections::by_id(&mut &broker.db, visitor.project.id, id).await?;
    let connection = found.filter(|found| found.is_active() && found.version == away.version);
    let connection = connection.ok_or(Refusal::ConnectionChanged)?;
    let connection = connection.oidc().ok_or(Refusal::ConnectionChanged)?;
    let proof = returned::proof(visitor, connection, (away, awaited), params, said).await?;
    let session = authenticate::pages::complete(visitor, browser, proof, journey).await?;
    Ok(Authenticated { session })
}
