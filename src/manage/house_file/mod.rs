//! A house file: one project with its organizations, domains, connections, applications, members and delegations,
//! as an operator writes it down (`examples/house.toml` shows every key).
//!
//! [`HouseFile::parse`] reads it and tells everything that is wrong by itself, each with its line. [`apply`] holds
//! it against the database in one transaction: what is missing is created, what differs is changed, and nothing is
//! ever removed because the file does not name it. A second application changes nothing. A plan is the same
//! transaction, taken back at its end, so that it cannot promise anything else than what would happen.
//!
//! What it says is done by the operations of the rooms beside it, by their rules, with their events and their mails: the
//! plan resolves names, hands each room the whole of what is said, and tells a refusal at the line that it is about. Where
//! the file says what an API cannot (a switch of a domain ahead of its proof, an approval for both sides), the room has the
//! words for it.

mod change;
mod describe;
mod fault;
mod parts;
mod plan;
mod read;
mod sectors;
mod unheard;

use std::path::Path;
use std::sync::Arc;

pub use change::{Change, DnsRecord, Field, Introduction, Kind, Report, Taken};
pub use fault::{Fault, Place};
pub use unheard::unheard;

use crate::broker::Broker;
use crate::store::durable::engine::StoreError;

/// A file without a mistake in itself.
#[derive(Clone, Debug)]
pub struct HouseFile {
    project: parts::ProjectPart,
    organizations: Vec<parts::OrganizationPart>,
    roles: Vec<parts::RolePart>,
    domains: Vec<parts::DomainPart>,
    connections: Vec<parts::ConnectionPart>,
    applications: Vec<parts::ApplicationPart>,
    delegations: Vec<parts::DelegationPart>,
    role_rules: Vec<parts::RoleRulePart>,
}

/// Everything that is wrong in the file, in its order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", fault::lines(.faults))]
pub struct HouseFileError {
    pub faults: Vec<Fault>,
}

impl HouseFile {
    /// The text that the bytes of a file are; where they are none, the place of the first that is not.
    pub fn text(bytes: Vec<u8>) -> Result<String, HouseFileError> {
        String::from_utf8(bytes).map_err(|error| {
            let fine = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(&error.as_bytes()[..fine]);
            let at = Place::of(&text, fine..fine);
            let message = "not UTF-8: save the file in that encoding".to_owned();
            HouseFileError { faults: vec![Fault { at, message }] }
        })
    }

    /// Reads a file. `folder` is where its relative paths start; `environment` gives the variables that it names.
    pub fn parse(
        text: &str,
        folder: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, HouseFileError> {
        read::read(text, folder, environment).map_err(|faults| HouseFileError { faults })
    }

    /// The slug of the project that it describes.
    pub fn project(&self) -> &str {
        &self.project.slug.value
    }
}

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Plan,
    Apply,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file does not fit to what is in the database.
    #[error("{0}")]
    Refused(#[from] HouseFileError),
    #[error("the database: {0}")]
    Store(#[from] StoreError),
}

/// How often a transaction that lost against another one is tried again.
const ATTEMPTS: usize = 5;

/// How metadata at addresses is read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Whether what has been read already is read again, and believed as it is now: whatever certificates and whatever
    /// entity id it has.
    pub again: bool,
    /// What somebody has compared, as [`Taken::digest`] tells it: then nothing else is taken. Empty: anything is.
    pub expected: Vec<String>,
}

impl Reading {
    pub fn again() -> Self {
        Self { again: true, ..Self::default() }
    }
}

/// Makes the project what the file says, or tells what that would change.
pub async fn apply(broker: &Broker, file: &HouseFile, mode: Mode) -> Result<Report, ApplyError> {
    apply_reading(broker, file, mode, &Reading::default()).await
}

/// As [`apply`], with a say about metadata.
pub async fn apply_reading(
    broker: &Broker,
    file: &HouseFile,
    mode: Mode,
    reading: &Reading,
) -> Result<Report, ApplyError> {
    let file = Arc::new(file.clone());
    for attempt in 1.. {
        let described = describe::read(broker, &file, reading).await?;
        let described = described.map_err(|faults| HouseFileError { faults })?;
        let sectors = sectors::read(broker, &file).await?.map_err(|faults| HouseFileError { faults })?;
        let taken = described.taken.clone();
        let work = plan::Work::new(broker, Arc::clone(&file), (described, sectors), mode);
        match broker.db.write(async move |tx| work.run(tx).await).await {
            Ok(report) | Err(plan::Undone::Planned(report)) => return Ok(Report { taken, ..*report }),
            Err(plan::Undone::Refused(faults)) => return Err(HouseFileError { faults }.into()),
            // Another node or another operator was faster: look again at what there is now.
            Err(plan::Undone::Store(StoreError::Unique { .. } | StoreError::Conflict))
                if attempt < ATTEMPTS => {}
            Err(plan::Undone::Store(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}
