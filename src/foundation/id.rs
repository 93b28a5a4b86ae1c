//! Identifiers: 128 bits, shown as a prefix and 26 lower-case base32 characters (Crockford's alphabet, which
//! keeps the order), and accepted as a plain UUID too.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::clock::Moment;
use super::random::Random;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The value of each byte as a digit; 32 and above: it is none.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        digits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

const DIGITS_OF_AN_ID: usize = 26;

fn encode(value: u128) -> [u8; DIGITS_OF_AN_ID] {
    let mut out = [b'0'; DIGITS_OF_AN_ID];
    let mut rest = value;
    for place in out.iter_mut().rev() {
        *place = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    out
}

fn decode(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    // 26 characters hold 130 bits: the first one may use only three of its five.
    if bytes.len() != 26 || bytes[0] > b'7' {
        return None;
    }
    bytes.iter().try_fold(0u128, |value, byte| {
        let digit = DIGITS[usize::from(*byte)];
        (digit < 32).then_some(value << 5 | u128::from(digit))
    })
}

/// The same text for both ways in which an id may be written, whatever it is an id of; of anything else, the text itself.
pub fn canonical(text: &str) -> String {
    let shown = text.rsplit_once('_').and_then(|(_, rest)| decode(rest)).map(uuid::Uuid::from_u128);
    let plain = || (text.len() == 36).then(|| uuid::Uuid::try_parse(text).ok()).flatten();
    shown.or_else(plain).map_or_else(|| text.to_owned(), |uuid| uuid.to_string())
}

/// The text is not an identifier of the kind that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of this kind")]
pub struct NotAnId;

/// Every identifier of this file: a table holds its text.
pub trait Identifier: fmt::Display {}

impl<T: Identifier> Identifier for &T {}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            pub const PREFIX: &'static str = $prefix;
            pub fn new(random: &Random, now: Moment) -> Self {
                Self(random.uuid_v7(now))
            }
            pub const fn from_u128(value: u128) -> Self {
                Self(value)
            }
            pub const fn as_u128(self) -> u128 {
                self.0
            }
            pub fn uuid(self) -> String {
                uuid::Uuid::from_u128(self.0).to_string()
            }
        }

        impl Identifier for $name {}

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // At once, so that a text which is made of it grows once.
                let mut text = [0; $name::PREFIX.len() + DIGITS_OF_AN_ID];
                let (prefix, digits) = text.split_at_mut(Self::PREFIX.len());
                prefix.copy_from_slice(Self::PREFIX.as_bytes());
                digits.copy_from_slice(&encode(self.0));
                f.write_str(std::str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                if let Some(rest) = text.strip_prefix(Self::PREFIX) {
                    return decode(rest).map(Self).ok_or(NotAnId);
                }
                // Only the hyphenated form of RFC 9562: one text, one id.
                if text.len() != 36 {
                    return Err(NotAnId);
                }
                uuid::Uuid::try_parse(text).map(|uuid| Self(uuid.as_u128())).map_err(|_| NotAnId)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

identifiers! {
    ProjectId = "proj_";
    OrganizationId = "org_";
    /// A person as known to the project; its text is the `sub` of every token, unless that is a [`PairwiseId`].
    UserId = "user_";
    /// What a person or a session is called in one sector alone.
    PairwiseId = "pair_";
    IdentityId = "idn_";
    MembershipId = "mem_";
    RoleId = "role_";
    RoleRuleId = "rule_";
    DomainId = "dom_";
    ConnectionId = "conn_";
    /// Of a sign-in on trial.
    TestId = "test_";
    ApplicationId = "app_";
    /// Of a token by which clients register themselves.
    RegistrationTokenId = "rgt_";
    DelegationId = "dlg_";
    InvitationId = "inv_";
    TransferId = "xfer_";
    MailId = "mail_";
    /// A browser that stays signed in; its text is the `sid` of every token.
    SessionId = "sess_";
    GrantId = "grnt_";
    FlowId = "flow_";
    /// Of what an application is told of a session that ended.
    NoticeId = "ntc_";
    /// Of one time that something ended.
    SignOutId = "out_";
    KeyId = "key_";
    /// Of an operator token or of an organization's key to the administration API.
    ApiKeyId = "apk_";
    AuditEventId = "evt_";
    RequestId = "req_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_15_an_id_is_shown_with_a_prefix_and_read_in_both_forms() {
        let id = OrganizationId::from_u128(0x0192_f3a4_b5c6_7d8e_9f00_1122_3344_5566);
        let text = id.to_string();
        assert_eq!(text.len(), 4 + 26);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(id.uuid().parse(), Ok(id));
        assert_eq!(
            OrganizationId::from_u128(u128::MAX).to_string().parse(),
            Ok(OrganizationId::from_u128(u128::MAX))
        );
    }

    #[test]
    fn another_kind_or_another_spelling_is_refused() {
        let user = UserId::from_u128(7).to_string();
        assert!(user.parse::<OrganizationId>().is_err());
        assert!(user.to_uppercase().parse::<UserId>().is_err());
        assert!("org_8zzzzzzzzzzzzzzzzzzzzzzzzz".parse::<OrganizationId>().is_err());
        assert!("00000000000000000000000000000007".parse::<OrganizationId>().is_err());
    }

    #[test]
    fn ids_sort_by_the_moment_they_were_made() {
        let random = Random::sequence(1);
        let early = FlowId::new(&random, Moment::from_millis(1_000));
        let late = FlowId::new(&random, Moment::from_millis(2_000));
        assert!(early < late && early.to_string() < late.to_string());
    }
}
