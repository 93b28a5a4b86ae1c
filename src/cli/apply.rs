//! `behalf apply`

use std::path::Path;
use std::process::ExitCode;

use super::{Error, quiet_broker};
use crate::config::Config;
use crate::store::durable::engine::Database;
use crate::manage::house_file::{ApplyError, Fault, HouseFile, Mode, Report, apply};

pub async fn run(config: Config, path: &Path, plan: bool) -> Result<ExitCode, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let file = match HouseFile::parse(&text, folder, &|name| std::env::var(name).ok()) {
        Ok(file) => file,
        Err(error) => return Ok(refused(path, &error.faults)),
    };
    if plan && !Database::is_made(&config.database).await? {
        let text = "there is no database of this version yet, and a plan writes nothing, so none was made: all that the \
                    file names would be created. `behalf apply` without --plan makes both";
        return Err(text.into());
    }
    let broker = quiet_broker(config).await?;
    let mode = if plan { Mode::Plan } else { Mode::Apply };
    match apply(&broker, &file, mode).await {
        Ok(report) => {
            print!("{}", shown(&report, mode));
            Ok(ExitCode::SUCCESS)
        }
        Err(ApplyError::Refused(error)) => Ok(refused(path, &error.faults)),
        Err(error) => Err(error.into()),
    }
}

fn refused(path: &Path, faults: &[Fault]) -> ExitCode {
    for fault in faults {
        eprintln!("{}:{fault}", path.display());
    }
    eprintln!("Nothing was changed.");
    ExitCode::FAILURE
}

fn shown(report: &Report, mode: Mode) -> String {
    let mut text = String::new();
    for change in &report.changes {
        text.push_str(&format!("{change}\n"));
    }
    text.push_str(&match (report.changes.len(), mode) {
        (0, _) => "Nothing to change.\n".to_owned(),
        (count, Mode::Plan) => format!("{count} to change; nothing was written.\n"),
        (count, Mode::Apply) => format!("{count} changed.\n"),
    });
    if !report.records.is_empty() {
        text.push_str(
            "\nPublish these records, so that the domains are proved; they are looked up unasked:\n",
        );
        for record in &report.records {
            text.push_str(&format!("  {record}\n"));
        }
    }
    text
}
