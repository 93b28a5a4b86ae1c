//! The secret part of a link in a mail, sealed for the mail's own row while it waits.

use super::keyring::{KeyError, Keyring};
use super::seal::{Place, SealError};
use crate::foundation::id::MailId;
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;

pub fn seal(keyring: &Keyring, random: &Random, mail: MailId, secret: &Secret) -> Vec<u8> {
    keyring.master().seal(random, place(&mail.to_string()), secret.expose().as_bytes())
}

/// Fails for a cell that was moved here from another row (threats C29).
pub fn open(keyring: &Keyring, mail: MailId, sealed: &[u8]) -> Result<Secret, KeyError> {
    let plain = keyring.master().open(place(&mail.to_string()), sealed)?;
    let text = std::str::from_utf8(&plain).map_err(|_| SealError::Unreadable)?;
    Ok(Secret::new(text))
}

fn place(row: &str) -> Place<'_> {
    Place { table: "mails", row, column: "secret" }
}
