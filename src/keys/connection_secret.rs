//! The secret by which we prove to an identity provider who we are, sealed for the connection's own row.

use super::keyring::{KeyError, Keyring};
use super::seal::{Place, SealError};
use crate::foundation::id::ConnectionId;
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;

pub fn seal(keyring: &Keyring, random: &Random, connection: ConnectionId, secret: &Secret) -> Vec<u8> {
    keyring.master().seal(random, place(&connection.to_string()), secret.expose().as_bytes())
}

/// Fails for a cell that was moved here from another row (threats C29).
pub fn open(keyring: &Keyring, connection: ConnectionId, sealed: &[u8]) -> Result<Secret, KeyError> {
    let plain = keyring.master().open(place(&connection.to_string()), sealed)?;
    let text = std::str::from_utf8(&plain).map_err(|_| SealError::Unreadable)?;
    Ok(Secret::new(text))
}

fn place(row: &str) -> Place<'_> {
    Place { table: "connections", row, column: "secret" }
}
