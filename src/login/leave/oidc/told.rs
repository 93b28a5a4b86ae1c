//! Why a provider's word that something ended is not taken, in words for whoever runs the provider. The trail keeps the names.

use super::signed::Unfit;

macro_rules! names {
    ($name:ident, $token:literal) => {
        /// How the trail calls what is the matter with such a token.
        pub const fn $name(why: Unfit) -> &'static str {
            match why {
                Unfit::Malformed => concat!($token, "_malformed"),
                Unfit::Algorithm => concat!($token, "_algorithm"),
                Unfit::Type => concat!($token, "_type"),
                Unfit::Signature => concat!($token, "_signature"),
                Unfit::Times => concat!($token, "_times"),
                Unfit::Expired => concat!($token, "_expired"),
                Unfit::Future => concat!($token, "_future"),
                Unfit::Stale => concat!($token, "_stale"),
            }
        }
    };
}

names!(of_logout, "logout_token");
names!(of_revocation, "revocation_token");

/// Each name is said in one way, whichever of the two tokens it is of.
const WORDS: &[(&str, &str)] = &[
    ("connection", "at this address there is no connection of OpenID Connect that is, or was, active"),
    ("replayed", "a token with this jti was used before"),
    ("token_missing", "the token is missing"),
    ("token_malformed", "the token is no JWT, or stands more than once"),
    ("token_type", "typ of the token is not that of this kind of token"),
    ("token_algorithm", "alg of the token is none that this connection takes"),
    ("token_signature", "the signature is by none of the keys at the jwks_uri"),
    ("token_issuer", "iss is not the issuer of this connection, byte for byte"),
    ("token_audience", "aud does not name whom the token has to be for"),
    ("token_times", "exp and iat must be there, as seconds since 1970"),
    ("token_expired", "exp has passed"),
    ("token_future", "iat or nbf lies in the future: compare the clocks"),
    ("token_stale", "iat is more than two minutes ago: a token is made when it is sent"),
    ("token_events", "events does not hold an object http://schemas.openid.net/event/backchannel-logout"),
    ("token_nonce", "a nonce may not be in a logout token"),
    (
        "token_subject",
        "sub (and in a logout token sid) does not name whom it is about, or as whose client we are",
    ),
    ("token_id", "jti is missing, or no text"),
    ("malformed", "the body holds no sub_id that can be read"),
    ("format", "format of sub_id must be iss_sub, email or opaque"),
    ("issuer", "iss of sub_id is not the issuer of this connection, byte for byte"),
    ("nobody", "nobody here is known by this sub_id"),
];

/// What is the matter is not the token.
pub const PROVIDER: &str = "the keys of the provider cannot be had, or cannot be used, now: send it again";

/// In words; what has none is said by its name.
pub fn words(name: &'static str) -> &'static str {
    let bare = match name {
        "connection" | "replayed" => Some(name),
        _ => name.strip_prefix("logout_").or_else(|| name.strip_prefix("revocation_")),
    };
    WORDS.iter().find(|(known, _)| bare == Some(*known)).map_or(name, |(_, words)| words)
}
