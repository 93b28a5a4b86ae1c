//! Text -> parts: everything that can be told wrong without a database is told here.

mod applications;
mod connections;
mod delegations;
mod domains;
pub mod keys;
mod organizations;
mod project;
mod role_rules;
mod values;

use std::cell::RefCell;
use std::path::Path;

use toml::de::DeTable;

use super::HouseFile;
use super::fault::{Fault, Place};
use keys::{Keys, Reader};

/// Reads a whole file; relative paths in it start at `folder`.
pub fn read(
    text: &str,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<HouseFile, Vec<Fault>> {
    let reader = Reader { text, folder, environment, faults: RefCell::default() };
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What follows the first one would only be guessed at, and so would what is left of such a file.
        let fault = |error: &toml::de::Error| Fault {
            at: Place::of(text, error.span().unwrap_or_default()),
            message: format!("not TOML: {}", error.message()),
        };
        let first = errors.iter().min_by_key(|error| error.span().unwrap_or_default().start);
        return Err(first.map(fault).into_iter().collect());
    }
    let mut root = Keys::new(&reader, document.into_inner(), Place { line: 1, column: 1 }, "the file");
    let file = HouseFile {
        project: project::read(&reader, root.table("project")),
        organizations: root.named_tables("organization").into_iter().map(organizations::read).collect(),
        roles: root.named_tables("role").into_iter().filter_map(project::role).collect(),
        domains: domains::read(&reader, root.listed_tables("domain")),
        connections: root.named_tables("connection").into_iter().map(connections::read).collect(),
        applications: root.named_tables("application").into_iter().map(applications::read).collect(),
        delegations: delegations::read(&reader, root.listed_tables("delegation")),
        role_rules: role_rules::read(&reader, root.listed_tables("role_rule")),
    };
    root.finish();
    let mut faults = reader.faults.into_inner();
    faults.sort();
    faults.dedup();
    if faults.is_empty() { Ok(file) } else { Err(faults) }
}
