//! What tells an ID token of ours from whatever else we sign as a JWT with no type of its own.

use crate::protocol::jose::Claims;

/// Whether these are the claims of an ID token of this issuer, however old it is: UserInfo and authorization answers say
/// neither whose session it was nor, both, of whom they are and until when (threats M05).
pub fn is_one(claims: &Claims, issuer: &str) -> bool {
    claims.iss().is_ok_and(|iss| iss == issuer)
        && claims.sub().is_ok()
        && claims.exp().is_ok()
        && claims.string("sid").is_ok()
}
