//! `behalf apply`

use std::path::Path;
use std::process::ExitCode;

use super::{Error, looking, quiet_broker, said};
use crate::config::Config;
use crate::manage::house_file::{
    ApplyError, Fault, HouseFile, Mode, Reading, Report, apply_reading, unheard,
};

/// What may be said beside the file.
#[derive(Clone, Debug)]
pub struct Asked {
    pub plan: bool,
    pub reading: Reading,
    pub unheard: bool,
}

pub async fn run(config: Config, path: &Path, asked: Asked) -> Result<ExitCode, Error> {
    let bytes =
        std::fs::read(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    let text = match HouseFile::text(bytes) {
        Ok(text) => text,
        Err(error) => return Ok(refused(path, &error.faults)),
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let file = match HouseFile::parse(&text, folder, &|name| std::env::var(name).ok()) {
        Ok(file) => file,
        Err(error) => return Ok(refused(path, &error.faults)),
    };
    let (broker, _scratch) =
        if asked.plan { looking::broker(config).await? } else { (quiet_broker(config).await?, None) };
    let mode = if asked.plan { Mode::Plan } else { Mode::Apply };
    // Before it is written: then it is known what is new.
    let unheard = unheard(&broker, &file).await?;
    if !asked.unheard && !unheard.is_empty() {
        let code = refused(path, &unheard);
        complain!(
            "Mend that, write state = \"draft\" there, or say --unheard if their providers will be there."
        );
        return Ok(code);
    }
    match apply_reading(&broker, &file, mode, &asked.reading).await {
        Ok(mut report) => {
            report.warnings.extend(unheard.into_iter().map(|fault| fault.message));
            said::out(format_args!("{}", shown(&report, mode)));
            Ok(ExitCode::SUCCESS)
        }
        Err(ApplyError::Refused(error)) => Ok(refused(path, &error.faults)),
        Err(error) => Err(error.into()),
    }
}

/// As a plan shows it.
pub fn expected(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64);
    let is_one = digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    is_one
        .then(|| text.to_ascii_lowercase())
        .ok_or("must be sha256: and 64 hexadecimal digits, as --plan shows it")
}

fn refused(path: &Path, faults: &[Fault]) -> ExitCode {
    for fault in faults {
        complain!("{}:{fault}", path.display());
    }
    complain!("Nothing was changed.");
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
    if !report.taken.is_empty() {
        text.push_str("\nRead at addresses; compare it with what the providers' administrators say:\n");
        for taken in &report.taken {
            text.push_str(&format!("  {taken}\n"));
        }
        if mode == Mode::Plan {
            let expected: Vec<_> =
                report.taken.iter().map(|taken| format!(" --expect {}", taken.digest)).collect();
            text.push_str(&format!("To take just that and nothing else, apply with{}\n", expected.concat()));
        }
    }
    if !report.warnings.is_empty() {
        text.push_str("\nLook at this:\n");
        for warning in &report.warnings {
            text.push_str(&format!("  {warning}\n"));
        }
    }
    if !report.records.is_empty() {
        text.push_str(
            "\nPublish these records, so that the domains are proved; they are looked up unasked:\n",
        );
        for record in &report.records {
            text.push_str(&format!("  {record}\n"));
        }
    }
    // A plan makes no connection whose addresses would stay.
    for new in report.introductions.iter().filter(|_| mode == Mode::Apply) {
        text.push_str(&format!("\nFor the identity provider of connection {}:\n", new.connection));
        for (label, address) in &new.lines {
            text.push_str(&format!("  {label}: {address}\n"));
        }
    }
    text
}
