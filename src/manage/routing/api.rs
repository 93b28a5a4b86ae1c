//! `/routing/explain`

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::view::{ExplanationView, Seen};
use super::{as_seen, claim, found};
use crate::manage::api::route::{At, Json, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::permission::Permission;
use crate::model::routing::Question;
use crate::store::durable::{applications, routing};

/// Questions of one caller in a minute: nobody asks after the domains of others at length.
const QUESTIONS: u64 = 60;
const MINUTE: Duration = Duration::from_secs(60);
const LONGEST: usize = 500;

/// `POST /routing/explain` (demands 4.4)
pub struct Explain;

/// What an application would say in its request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainRouting {
    /// As whose administrator to look: absent, the caller's own organization, or for the operator everything.
    pub organization_id: Option<String>,
    pub client_id: String,
    /// An email address, or the id of a user.
    pub login_hint: Option<String>,
    pub domain_hint: Option<String>,
    /// By id, UUID or slug.
    pub organization: Option<String>,
    /// By id or slug.
    pub connection: Option<String>,
}

impl Operation for Explain {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/routing/explain";
    const NAME: &'static str = "explain_routing";
    const SUMMARY: &'static str =
        "Where a login would be sent now, each rule that is tried, and why. Nothing is changed.";
    const NEED: Need = Need::Permitted(Permission::RoutingExplain);
    const AT: At = At::AskedOrProjects;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::InvalidValue];
    type Query = NoQuery;
    type Body = Json<ExplainRouting>;
    type Answer = ExplanationView;

    fn organization<'a>(_: &'a NoQuery, body: &'a Self::Body) -> Option<&'a str> {
        body.0.organization_id.as_deref()
    }

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let count = format!("api explains {}", desk.caller.name());
        desk.at_most(&count, (QUESTIONS, MINUTE), || "wait a minute".into()).await?;
        let asked = body.0;
        let question = question(&asked)?;
        let (db, project) = (&mut desk.db(), desk.project().id);
        let own = desk.organization.as_ref().map(|found| found.id);
        let question = as_seen(db, project, question, own).await?;
        let application = applications::by_client_id(db, project, &asked.client_id).await?;
        let application = application
            .filter(|application| application.is_enabled())
            // Another organization's reads like one that there is not.
            .filter(|found| own.is_none() || found.organization_id.is_none() || found.organization_id == own)
            .ok_or_else(|| Refused::value("/client_id", "there is no such application"))?;
        let switches = &desk.project().settings.switches;
        let routed = routing::decide(db, &application, switches, &question, desk.now).await?;
        let mut claims = Vec::new();
        for step in &routed.steps {
            claims.push(claim(db, project, &question, step, own).await?);
        }
        let connections = found(db, project, &routed.steps).await?;
        Answer::new(200, &Seen { own, connections: &connections }.of(&routed, &claims))
    }
}

fn question(asked: &ExplainRouting) -> Result<Question<'_>, Refused> {
    let texts = [
        ("/client_id", Some(asked.client_id.as_str())),
        ("/login_hint", asked.login_hint.as_deref()),
        ("/domain_hint", asked.domain_hint.as_deref()),
        ("/organization", asked.organization.as_deref()),
        ("/connection", asked.connection.as_deref()),
    ];
    let long = |text: &str| text.len() > LONGEST || text.contains('\0');
    if let Some((pointer, _)) = texts.iter().find(|(_, text)| text.is_some_and(long)) {
        return Err(Refused::value(pointer, format!("must be a text of at most {LONGEST} bytes")));
    }
    Ok(Question {
        connection: asked.connection.as_deref(),
        organization: asked.organization.as_deref(),
        login_hint: asked.login_hint.as_deref(),
        domain_hint: asked.domain_hint.as_deref(),
    })
}
