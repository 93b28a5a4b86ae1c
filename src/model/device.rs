//! A device that waits for somebody to let it in (RFC 8628): it shows a code, and a person types that in at another one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::login::OrganizationAsked;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, GrantId, ProjectId};
use crate::foundation::random::Random;
use crate::foundation::secret::Digest;

/// One request of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCode {
    /// Of the family that comes of it.
    pub id: GrantId,
    pub project_id: ProjectId,
    pub application_id: ApplicationId,
    /// Of what the device asks with.
    pub digest: Digest,
    pub request: DeviceRequest,
    pub created_at: Moment,
    pub expires_at: Moment,
    /// Seconds that the device waits between two questions.
    pub interval: i64,
    pub state: State,
}

/// How far it has come. What has run out is seen by its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Denied,
    /// Somebody has let it in: its family waits for it among the grants.
    Approved,
    /// The device has its tokens, or was refused them.
    Used,
}

/// What the device asked for, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    pub scopes: Vec<String>,
    pub organization: OrganizationAsked,
    /// Whether the person is to prove anew who they are.
    #[serde(default)]
    pub login: bool,
    #[serde(default)]
    pub select_account: bool,
    #[serde(default)]
    pub select_organization: bool,
    /// The network address that asked: for the person who is to recognise their own device.
    pub address: String,
}

/// Letters that make no words and look like no other (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// 20^8 codes: of a thousand that wait, one in twenty-five million guesses hits one.
const LENGTH: usize = 8;

/// What the person types: eight letters, shown as `BCDF-GHJK`.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    pub fn new(random: &Random) -> Self {
        let mut code = String::new();
        while code.len() < LENGTH {
            // Bytes from the largest multiple of twenty on would make some letters likelier than others.
            let fair = |byte: &u8| usize::from(*byte) < 256 / LETTERS.len() * LETTERS.len();
            let bytes = random.bytes::<32>();
            let letters = bytes.iter().filter(|byte| fair(byte));
            let letters = letters.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
            code.extend(letters.take(LENGTH - code.len()));
        }
        Self(code)
    }

    /// As people type it or paste it: in either case, and whatever stands between the letters (RFC 8628, section 6.1).
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        let code: String = letters.take(LENGTH + 1).map(|c| c.to_ascii_uppercase()).collect();
        let fine = code.len() == LENGTH && code.bytes().all(|byte| LETTERS.contains(&byte));
        fine.then_some(Self(code))
    }

    /// The letters alone.
    pub fn letters(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

/// It lets somebody in, so it is in no log.
impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[user code]")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn h23_a_code_is_read_as_people_type_it_and_nothing_else_is_one() {
        let code = UserCode::parse("WDJB-MJHT").unwrap();
        assert_eq!((code.to_string().as_str(), code.letters()), ("WDJB-MJHT", "WDJBMJHT"));
        for typed in [
            "wdjb-mjht",
            "WDJBMJHT",
            " wdjb mjht ",
            "wdjb\u{2212}mjht\r\n",
            "\tWDJB.MJHT",
            "W-D-J-B-M-J-H-T",
            "wdjb\u{2013}mjht",
        ] {
            assert_eq!(UserCode::parse(typed), Some(code.clone()), "{typed}");
        }
        for wrong in ["", "-", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH0", "ＷＤＪＢＭＪＨＴ"]
        {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
        assert!(UserCode::parse(&"B".repeat(100_000)).is_none());
        assert_eq!(format!("{code:?}"), "[user code]");
    }

    #[test]
    fn h23_every_letter_is_as_likely_as_any_other() {
        let random = Random::sequence(23);
        let mut seen = [0_u32; 256];
        for _ in 0..5_000 {
            let code = UserCode::new(&random);
            assert_eq!(UserCode::parse(&code.to_string()), Some(code.clone()));
            code.letters().bytes().for_each(|letter| seen[usize::from(letter)] += 1);
        }
        // 2000 of each are expected; seven standard deviations are 305.
        let counts: Vec<_> = seen.into_iter().filter(|count| *count > 0).collect();
        assert_eq!(counts.len(), LETTERS.len());
        assert!(counts.iter().all(|count| (1_695..=2_305).contains(count)), "{counts:?}");
    }
}
