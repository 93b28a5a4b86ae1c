//! `behalf saml`: what a captured message says, and why messages were refused.

mod browsed;
mod captured;
mod encrypted;
mod explained;
mod judged;
mod refusals;
mod report;
mod signatures;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::looking::existing;
use super::{Error, said};
use crate::config::{Config, ConfigError};
use crate::foundation::clock::{Clock, Moment};
use crate::foundation::id::RequestId;
use crate::model::project::DEFAULT_SLUG;
use crate::telemetry::logs::one_line;
use captured::Captured;
use report::Report;

/// The most bytes of a capture: what a browser has recorded is the largest.
const MOST: u64 = 64 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Explains a captured message: a form value, a whole form, a page with one, a redirect's address, what a browser has
    /// recorded (HAR), a command to repeat a request, XML, or metadata.
    ///
    /// It tells what the message says and what would make us refuse it. With --connection the message is held against
    /// that connection as if it had arrived there, what is encrypted is opened by our keys, and the command fails unless it
    /// would be believed; whom the rule of the connection's domains and memberships let in then is not tried. Of metadata it
    /// tells which keys would be trusted, withdrawn, or wait for somebody if it stood at the connection's address, and why;
    /// the command fails if anything would wait. Nothing is changed.
    Inspect {
        /// The file; `-` reads standard input.
        file: PathBuf,
        /// A SAML connection, by slug or id.
        #[arg(long, value_name = "SLUG")]
        connection: Option<String>,
        /// The project that is meant.
        #[arg(long, value_name = "SLUG", default_value = DEFAULT_SLUG)]
        project: String,
        /// Judges as of this moment, as in 2026-01-31T00:00:00Z; without it, as of now, or with --connection as of
        /// the message's own IssueInstant.
        #[arg(long, value_name = "MOMENT", value_parser = moment)]
        at: Option<Moment>,
        /// Of an aggregate of metadata, the one with this entity id.
        #[arg(long, value_name = "ENTITY_ID", conflicts_with = "connection")]
        entity_id: Option<String>,
        /// Shows names of people and values of attributes as well.
        #[arg(long)]
        show_values: bool,
    },
    /// Lists refused messages of SAML connections, newest first: which check, expected, found.
    Refusals {
        /// Only this connection's, by slug or id.
        #[arg(long, value_name = "SLUG")]
        connection: Option<String>,
        /// The project that is meant.
        #[arg(long, value_name = "SLUG", default_value = DEFAULT_SLUG)]
        project: String,
        /// Only the one that this id names, which the visitor was shown; with the message, without its values.
        #[arg(long, value_name = "REQUEST_ID")]
        id: Option<RequestId>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Only those before this moment: the next page.
        #[arg(long, value_name = "MOMENT", value_parser = moment)]
        before: Option<Moment>,
    },
}

/// `config` is read only where the database is needed.
pub async fn run(
    config: impl FnOnce() -> Result<Config, ConfigError>,
    command: Command,
) -> Result<ExitCode, Error> {
    match command {
        Command::Inspect { file, connection: None, at, show_values, entity_id, .. } => {
            let captured = Captured { entity_id, ..Captured::read(&bytes_of(&file)?)? };
            let mut report = Report::new(at.unwrap_or_else(|| Clock::System.now()), show_values);
            let fine = explained::explain(&captured, &mut report);
            said::out(format_args!("{}", report.text()));
            Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Inspect { file, connection: Some(connection), project, at, show_values, .. } => {
            let captured = Captured::read(&bytes_of(&file)?)?;
            let broker = existing(config()?).await?;
            let project = super::project(&broker, &project).await?;
            let found = judged::named(&broker, &project, &connection).await?;
            let entity_id = found.saml().and_then(|found| found.saml.idp.entity_id.clone());
            let captured = Captured { entity_id, ..captured };
            let at = at.or_else(|| captured.issued()).unwrap_or_else(|| broker.now());
            let mut report = Report::new(at, show_values);
            explained::describe(&captured, &mut report);
            let taken = judged::by_connection(&broker, &project, &found, &captured, &mut report).await?;
            said::out(format_args!("{}", report.text()));
            Ok(if taken { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Refusals { connection, project, id, limit, before } => {
            let broker = existing(config()?).await?;
            let project = super::project(&broker, &project).await?;
            let wanted = refusals::Wanted { connection, id, limit: usize::from(limit), before };
            refusals::list(&broker, &project, wanted).await
        }
    }
}

fn moment(text: &str) -> Result<Moment, &'static str> {
    Moment::parse_rfc3339(text).ok_or("must be a moment such as 2026-01-31T00:00:00Z")
}

fn bytes_of(file: &std::path::Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // A stranger may have named it.
    let name = file.display().to_string();
    let name = one_line(&name);
    let told = |error: std::io::Error| format!("{name}: {error}");
    if file.as_os_str() == "-" {
        std::io::stdin().take(MOST + 1).read_to_end(&mut bytes).map_err(told)?;
    } else {
        let opened = std::fs::File::open(file).map_err(told)?;
        opened.take(MOST + 1).read_to_end(&mut bytes).map_err(told)?;
    }
    if bytes.len() as u64 > MOST {
        return Err(format!("{name}: larger than {MOST} bytes").into());
    }
    Ok(bytes)
}
