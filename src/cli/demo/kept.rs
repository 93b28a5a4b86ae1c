//! The folder of a demo that stays. A later one goes on with it, at the addresses of the first: people are known there by
//! the addresses of their identity providers.

use std::fs;
use std::io;
use std::path::Path;

use crate::cli::Error;
use crate::cli::folder::Folder;
use crate::foundation::random::Random;

/// Says that a folder is one of these, and at which ports everything was.
const FILE: &str = "demo.ports";

/// Behalf, My Corporation, Contractor, the application.
pub type Ports = [u16; 4];

/// A folder for the demo, and where everything was the last time, if there was one.
///
/// # Errors
/// `keep` is there already, and no demo has made it.
pub fn folder(keep: Option<&Path>, random: &Random) -> Result<(Folder, Option<Ports>), Error> {
    if let Some(path) = keep
        && path.exists()
    {
        let ports = read(path).map_err(|why| format!("{}: {why}", path.display()))?;
        return Ok((Folder::of(path), Some(ports)));
    }
    Ok((Folder::make(keep, random)?, None))
}

fn read(folder: &Path) -> Result<Ports, String> {
    let other = "there is something of that name already that no demo has kept: name another folder";
    let text = fs::read_to_string(folder.join(FILE)).map_err(|_| other)?;
    let ports: Option<Vec<u16>> = text.split_whitespace().map(|port| port.parse().ok()).collect();
    let ports = ports.and_then(|ports| Ports::try_from(ports).ok());
    ports.ok_or_else(|| format!("{FILE} does not hold four ports: remove the folder, or name another one"))
}

/// Writes down where everything is.
pub fn write(folder: &Path, ports: Ports) -> io::Result<()> {
    fs::write(folder.join(FILE), ports.map(|port| format!("{port}\n")).concat())
}
