//! Clients that register themselves (RFC 7591, RFC 7592): by a token that the operator gave out, and with one of their own
//! from then on.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::application::{ApplicationKind, GrantType};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, ConnectionId, OrganizationId, ProjectId, RegistrationTokenId};
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;

/// An initial access token (RFC 7591, section 1.2): whoever shows it registers clients within its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationToken {
    pub id: RegistrationTokenId,
    pub project_id: ProjectId,
    pub name: String,
    pub limits: Limits,
    /// How many clients may be registered with it, and how many have been.
    pub most_uses: i64,
    pub uses: i64,
    /// Who made it, as the audit trail names them.
    pub created_by: String,
    pub created_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
    pub last_used_at: Option<Moment>,
}

impl RegistrationToken {
    pub fn is_alive(&self, now: Moment) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && self.uses < self.most_uses
    }
}

/// What a client that registers itself may be, and go on to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub types: Vec<ApplicationKind>,
    pub grant_types: Vec<GrantType>,
    pub scopes: Vec<String>,
    /// The organizations that may use it; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizations: Option<Vec<OrganizationId>>,
    /// The only connections by which people sign in to it; absent: as their addresses lead them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<ConnectionId>>,
}

/// A client that has registered itself, and the digest of what it shows from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    pub application: ApplicationId,
    pub token: RegistrationTokenId,
    pub limits: Limits,
}

/// The text of a token: `behalf_iat_<id>_<secret>` or `behalf_rat_<id>_<secret>`, as of keys to the administration API.
/// Only the digest of the secret is stored.
#[derive(Clone, Debug)]
pub struct TokenText<I> {
    pub id: I,
    pub secret: Secret,
}

/// What such a token is of.
pub trait Bearer: FromStr + fmt::Display + Copy {
    const ID_PREFIX: &'static str;
    const PREFIX: &'static str;
}

impl Bearer for RegistrationTokenId {
    const ID_PREFIX: &'static str = RegistrationTokenId::PREFIX;
    const PREFIX: &'static str = "behalf_iat_";
}

impl Bearer for ApplicationId {
    const ID_PREFIX: &'static str = ApplicationId::PREFIX;
    const PREFIX: &'static str = "behalf_rat_";
}

const ID: usize = 26;

impl<I: Bearer> TokenText<I> {
    pub fn new(random: &Random, id: I) -> Self {
        Self { id, secret: random.token() }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(I::PREFIX)?.split_at_checked(ID)?;
        let id = format!("{}{id}", I::ID_PREFIX).parse().ok()?;
        let secret = secret.strip_prefix('_')?;
        BASE64URL_NOPAD.decode(secret.as_bytes()).ok().filter(|bytes| bytes.len() == 32)?;
        Some(Self { id, secret: Secret::new(secret) })
    }

    /// To be shown once, when it is made.
    pub fn text(&self) -> Secret {
        let id = self.id.to_string();
        let id = id.strip_prefix(I::ID_PREFIX).unwrap_or_default();
        Secret::new(format!("{}{id}_{}", I::PREFIX, self.secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_reads_back_as_what_it_was_made_for_and_as_nothing_else() {
        let initial = TokenText::new(&Random::sequence(1), RegistrationTokenId::from_u128(7));
        let text = initial.text().expose().to_owned();
        let read = TokenText::<RegistrationTokenId>::parse(&text).unwrap();
        assert_eq!((read.id, &read.secret), (initial.id, &initial.secret));
        assert!(TokenText::<ApplicationId>::parse(&text).is_none());
        for wrong in ["", "behalf_iat_", "behalf_iat_é_", &text[..text.len() - 1], &format!("{text}A")] {
            assert!(TokenText::<RegistrationTokenId>::parse(wrong).is_none(), "{wrong}");
        }
    }
}
