//! A key to the administration API: an operator's token, or a key of one organization.

use std::net::IpAddr;

use data_encoding::BASE64URL_NOPAD;
use ipnet::IpNet;

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApiKeyId, OrganizationId, ProjectId, UserId};
use crate::foundation::random::Random;
use crate::foundation::secret::{Digest, Secret};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub project_id: ProjectId,
    pub holder: Holder,
    pub name: String,
    /// From where it may be used; empty: from anywhere.
    pub networks: Vec<IpNet>,
    /// Who made it, as the audit trail names them.
    pub created_by: String,
    pub created_at: Moment,
    pub expires_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
    pub last_used_at: Option<Moment>,
    /// Its secret that was made last, unless nobody has that any more.
    pub newest: Option<Digest>,
    /// Whether its organization has been shut down since it was made: as dead as every token of that time (threats H03).
    pub is_outlived: bool,
}

/// A network from which a key may be used; an address alone is a network of one. What could match no caller as their
/// addresses are compared, or says more than it means, is none.
pub fn network(text: &str) -> Result<IpNet, &'static str> {
    const NONE: &str = "must be an IP address or a network, such as 192.0.2.7 or 192.0.2.0/24";
    // Some read a number that begins with 0 as an octal one.
    if text.split_once('/').is_some_and(|(_, length)| length.len() > 1 && length.starts_with('0')) {
        return Err(NONE);
    }
    let read = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network: IpNet = read.map_err(|_| NONE)?;
    if matches!(network, IpNet::V6(six) if six.addr().to_ipv4_mapped().is_some()) {
        return Err(
            "must be written as IPv4, such as 192.0.2.0/24: nobody comes from an address within ::ffff:0:0/96",
        );
    }
    match network {
        _ if network.addr() == network.network() => Ok(network),
        IpNet::V4(_) => Err("must have no bits beyond its prefix: 10.0.0.0/8, or the address alone"),
        IpNet::V6(_) => Err("must have no bits beyond its prefix: 2001:db8::/32, or the address alone"),
    }
}

/// Whose key it is, and what it may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Operator(OperatorRole),
    /// The names of its permissions in the organization.
    Organization(OrganizationId, Vec<String>),
}

words! {
    /// What an operator token may do in the project (S0-27).
    OperatorRole {
        /// Everything.
        System = "system",
        /// Read everything.
        Auditor = "auditor",
        /// Read what helps to explain a login.
        Support = "support",
    }
}

impl ApiKey {
    pub fn is_alive(&self, now: Moment) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// One of the secrets of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySecret {
    pub digest: Digest,
    /// Who has read it: it works for as long as they may what the key may. Absent: the operator.
    pub shown_to: Option<UserId>,
}

/// The text that the holder keeps: `behalf_op_<id>_<secret>` or `behalf_org_<id>_<secret>`, 26 characters of the id
/// and 43 of 256 random bits in base64url. Scanners for leaked secrets know it by its beginning.
#[derive(Clone, Debug)]
pub struct KeyText {
    pub id: ApiKeyId,
    pub is_operators: bool,
    /// Only its digest is stored.
    pub secret: Secret,
}

const OPERATOR: &str = "behalf_op_";
const ORGANIZATION: &str = "behalf_org_";
const ID: usize = 26;

impl KeyText {
    pub fn new(random: &Random, id: ApiKeyId, is_operators: bool) -> Self {
        Self { id, is_operators, secret: random.token() }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (is_operators, rest) = match text.strip_prefix(OPERATOR) {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix(ORGANIZATION)?),
        };
        let (id, secret) = rest.split_at_checked(ID)?;
        let id = format!("{}{id}", ApiKeyId::PREFIX).parse().ok()?;
        let secret = secret.strip_prefix('_')?;
        BASE64URL_NOPAD.decode(secret.as_bytes()).ok().filter(|bytes| bytes.len() == 32)?;
        Some(Self { id, is_operators, secret: Secret::new(secret) })
    }

    /// To be shown once, when it is made.
    pub fn text(&self) -> Secret {
        let start = if self.is_operators { OPERATOR } else { ORGANIZATION };
        let id = self.id.to_string();
        let id = id.strip_prefix(ApiKeyId::PREFIX).unwrap_or_default();
        Secret::new(format!("{start}{id}_{}", self.secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_was_shown_and_nothing_else_does() {
        let id = ApiKeyId::from_u128(7 << 100);
        for is_operators in [true, false] {
            let key = KeyText::new(&Random::sequence(1), id, is_operators);
            let text = key.text().expose().to_owned();
            let read = KeyText::parse(&text).unwrap();
            assert_eq!((read.id, read.is_operators), (id, is_operators));
            assert_eq!(read.secret, key.secret);
            let wrong =
                [text.replace("behalf", "Behalf"), text[..text.len() - 1].to_owned(), format!("{text}A")];
            for wrong in wrong.iter().map(String::as_str).chain(["", "behalf_op_", "behalf_op_é_"]) {
                assert!(KeyText::parse(wrong).is_none(), "{wrong}");
            }
        }
    }
}
