//! What the administrator of a connection may know of refused messages.

use std::process::ExitCode;

use super::Error;
use super::report::Report;
use crate::broker::Broker;
use crate::cli::said;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, RequestId};
use crate::model::project::Project;
use crate::store::durable::audit_events::{self, Refusal};
use crate::store::durable::connections;
use crate::telemetry::logs::one_line;

/// Events of one question to the database.
const PAGE: i64 = 500;

pub struct Wanted {
    pub connection: Option<String>,
    pub id: Option<RequestId>,
    pub limit: usize,
    pub before: Option<Moment>,
}

pub async fn list(broker: &Broker, project: &Project, wanted: Wanted) -> Result<ExitCode, Error> {
    let connection = match &wanted.connection {
        None => None,
        Some(name) => {
            let found = connections::named(&mut &broker.db, project.id, name).await?;
            Some(found.ok_or_else(|| format!("there is no connection {name}"))?.id)
        }
    };
    let mut report = Report::new(broker.now(), false);
    let shown = match wanted.id {
        Some(id) => one(broker, project, connection, id, &mut report).await?,
        None => several(broker, project, connection, &wanted, &mut report).await?,
    };
    said::out(format_args!("{}", report.text()));
    if shown == 0 {
        say!(
            "No refused message of a SAML connection is known{}.",
            if wanted.id.is_some() { " by that id" } else { "" }
        );
    }
    Ok(if shown == 0 && wanted.id.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn one(
    broker: &Broker,
    project: &Project,
    connection: Option<ConnectionId>,
    id: RequestId,
    report: &mut Report,
) -> Result<usize, Error> {
    let found = audit_events::refusals_of_request(&mut &broker.db, project.id, id).await?;
    let mut shown = 0;
    for refusal in found.iter().filter(|refusal| is_wanted(refusal, connection)) {
        tell(broker, project, refusal, report).await?;
        if let Some(message) = refusal.text("message") {
            report.heading("The message, without names and values");
            message.lines().for_each(|line| report.verbatim(line));
        }
        shown += 1;
    }
    Ok(shown)
}

async fn several(
    broker: &Broker,
    project: &Project,
    connection: Option<ConnectionId>,
    wanted: &Wanted,
    report: &mut Report,
) -> Result<usize, Error> {
    let (mut shown, mut before, mut last) = (0, wanted.before, None);
    loop {
        let page = audit_events::refusals(&mut &broker.db, project.id, before, PAGE).await?;
        let Some(oldest) = page.last().map(|refusal| refusal.at) else { return Ok(shown) };
        for refusal in page.iter().filter(|refusal| is_wanted(refusal, connection)) {
            // Those of one moment stand together, so that a moment says where the next page begins.
            if shown >= wanted.limit && last != Some(refusal.at) {
                let next = last.unwrap_or(refusal.at).rfc3339();
                report.heading(format!("There are older ones: --before {next}"));
                return Ok(shown);
            }
            tell(broker, project, refusal, report).await?;
            (shown, last) = (shown + 1, Some(refusal.at));
        }
        before = Some(oldest);
    }
}

fn is_wanted(refusal: &Refusal, connection: Option<ConnectionId>) -> bool {
    let named = refusal.text("connection").and_then(|text| text.parse::<ConnectionId>().ok());
    refusal.text("check").is_some()
        && named.is_some()
        && connection.is_none_or(|wanted| named == Some(wanted))
}

async fn tell(
    broker: &Broker,
    project: &Project,
    refusal: &Refusal,
    report: &mut Report,
) -> Result<(), Error> {
    let id = refusal.text("connection").and_then(|text| text.parse().ok());
    let connection = match id {
        Some(id) => connections::by_id(&mut &broker.db, project.id, id).await?,
        None => None,
    };
    let connection = connection.map_or_else(|| "a connection that is gone".to_owned(), |found| found.slug);
    let check = refusal.text("check").unwrap_or_default();
    report.heading(format!("{}  {}  {}", refusal.at.rfc3339(), connection, one_line(check)));
    report.line_if("id", refusal.request_id);
    report.line_if("event", Some(&refusal.action));
    report.line_if("expected", refusal.text("expected"));
    report.line_if("found", refusal.text("found"));
    report.line_if("trusted", refusal.text("trusted"));
    report.line_if("came from", refusal.text("address"));
    Ok(())
}
