//! Nonces that we hand out and know again without keeping them: every node that has the master key makes and knows the
//! same ones, and a new one each minute (RFC 9449, section 8).

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;

use super::keyring::Keyring;
use crate::foundation::clock::Moment;
use crate::foundation::id::ProjectId;

/// How long one is handed out, in seconds.
const TURN: i64 = 60;
/// For how many turns after its own one is good.
const TURNS: i64 = 4;
/// Bytes of the turn, and of what proves that it is ours.
const NUMBER: usize = 8;
const PROOF: usize = 16;

impl Keyring {
    /// The nonce that is handed out now.
    pub fn nonce(&self, project: ProjectId, now: Moment) -> String {
        let turn = turn(now).to_be_bytes();
        let tag = hmac::sign(self.master().nonces(), &message(project, turn));
        BASE64URL_NOPAD.encode(&[&turn, &tag.as_ref()[..PROOF]].concat())
    }

    /// Whether a nonce was handed out for this project not long ago: by us, or by a node whose clock is ahead of ours by
    /// less than a turn.
    pub fn knows_nonce(&self, project: ProjectId, nonce: &str, now: Moment) -> bool {
        let Ok(bytes) = BASE64URL_NOPAD.decode(nonce.as_bytes()) else { return false };
        let Some((number, proof)) = bytes.split_first_chunk::<NUMBER>() else { return false };
        let (made, now) = (i64::from_be_bytes(*number), turn(now));
        if made > now + 1 || made < now - TURNS {
            return false;
        }
        let tag = hmac::sign(self.master().nonces(), &message(project, *number));
        aws_lc_rs::constant_time::verify_slices_are_equal(&tag.as_ref()[..PROOF], proof).is_ok()
    }
}

fn turn(now: Moment) -> i64 {
    now.seconds().div_euclid(TURN)
}

fn message(project: ProjectId, turn: [u8; NUMBER]) -> Vec<u8> {
    [turn.as_slice(), project.to_string().as_bytes()].concat()
}
