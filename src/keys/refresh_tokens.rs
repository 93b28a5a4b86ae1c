//! Refresh tokens. All of a family are derived of one secret, which its row holds sealed: so whoever asks twice is told
//! the same, an old one is known for what it is, and none can be made up.

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::keyring::{KeyError, Keyring};
use super::seal::Place;
use crate::foundation::id::GrantId;
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;

const PREFIX: &str = "rt_";
/// Characters of a grant's id behind its own prefix, of a generation in hexadecimal, and of a proof in base64url.
const ID: usize = 26;
const GENERATION: usize = 8;
const PROOF: usize = 43;

/// A refresh token as somebody presents it. Nothing of it is proved before [`Family::made`].
#[derive(Debug)]
pub struct Presented {
    pub grant: GrantId,
    pub generation: i64,
    proof: Vec<u8>,
}

/// Reads `rt_` and the grant, the generation and the proof, each of fixed length: one token, one text. Nothing: it is no
/// refresh token.
pub fn read(text: &str) -> Option<Presented> {
    let rest = text.strip_prefix(PREFIX).filter(|rest| rest.is_ascii())?;
    let (id, rest) = rest.split_at_checked(ID)?;
    let (generation, proof) = rest.split_at_checked(GENERATION)?;
    let digits = generation.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !digits || proof.len() != PROOF {
        return None;
    }
    Some(Presented {
        grant: format!("{}{id}", GrantId::PREFIX).parse().ok()?,
        generation: i64::from_str_radix(generation, 16).ok()?,
        proof: BASE64URL_NOPAD.decode(proof.as_bytes()).ok()?,
    })
}

/// The secret of one family.
pub struct Family {
    grant: GrantId,
    key: hmac::Key,
}

impl Family {
    /// A new one, and its secret, sealed for the grant's own row.
    pub fn new(keyring: &Keyring, random: &Random, grant: GrantId) -> (Self, Vec<u8>) {
        let secret = Zeroizing::new(random.bytes::<32>());
        let sealed = keyring.master().seal(random, place(&grant.to_string()), &*secret);
        (Self { grant, key: hmac::Key::new(hmac::HMAC_SHA256, &*secret) }, sealed)
    }

    /// Fails for a cell that was moved here from another row (threats C29).
    pub fn open(keyring: &Keyring, grant: GrantId, sealed: &[u8]) -> Result<Self, KeyError> {
        let secret = keyring.master().open(place(&grant.to_string()), sealed)?;
        Ok(Self { grant, key: hmac::Key::new(hmac::HMAC_SHA256, &secret) })
    }

    /// The refresh token of a generation.
    pub fn token(&self, generation: i64) -> Secret {
        let id = self.grant.to_string();
        let id = id.strip_prefix(GrantId::PREFIX).unwrap_or_default();
        let proof = hmac::sign(&self.key, &message(self.grant, generation));
        let proof = BASE64URL_NOPAD.encode(proof.as_ref());
        Secret::new(format!("{PREFIX}{id}{generation:08x}{proof}"))
    }

    /// Whether this family gave out what is presented, at whatever time. Compares in constant time.
    pub fn made(&self, presented: &Presented) -> bool {
        let message = message(presented.grant, presented.generation);
        presented.grant == self.grant && hmac::verify(&self.key, &message, &presented.proof).is_ok()
    }
}

fn message(grant: GrantId, generation: i64) -> Vec<u8> {
    format!("refresh token {grant} {generation}").into_bytes()
}

fn place(row: &str) -> Place<'_> {
    Place { table: "grants", row, column: "refresh_secret" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn family(number: u128) -> Family {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        Family { grant: GrantId::from_u128(number), key }
    }

    #[test]
    fn h21_a_refresh_token_is_of_one_family_and_one_generation() {
        let token = family(1).token(300);
        let presented = read(token.expose()).unwrap();
        assert_eq!((presented.grant, presented.generation), (GrantId::from_u128(1), 300));
        assert!(family(1).made(&presented));
        assert!(!family(2).made(&presented), "another family's, even with the same secret");
        let text = token.expose().to_owned();
        let next = text.replacen("0000012c", "0000012d", 1);
        assert!(!family(1).made(&read(&next).unwrap()), "another generation");
        assert_eq!(family(1).token(300).expose(), text, "asked twice, told the same");
    }

    #[test]
    fn m05_what_is_no_refresh_token_is_not_read() {
        let text = family(1).token(0).expose().to_owned();
        let nonsense = [
            String::new(),
            "rt_".into(),
            text[3..].into(),
            text.to_uppercase(),
            format!("{text}A"),
            format!("{text} "),
            text[..text.len() - 1].into(),
            text.replacen("rt_", "rt_ä", 1),
            text.replacen("00000000", "+0000000", 1),
            text.replacen("rt_0", "rt_z", 1),
            "eyJhbGciOiJub25lIn0.e30.".into(),
        ];
        for nonsense in nonsense {
            assert!(read(&nonsense).is_none(), "{nonsense}");
        }
        assert!(read(&text).is_some());
    }
}
