use serde::{Deserialize, Serialize};

/// A signature algorithm (RFC 7518, section 3.1; RFC 8037, section 3.1). `none` and the symmetric `HS*` have no
/// word here, so no key of ours or of a provider can ever be used with them (threat C13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    pub const ALL: [Self; 7] =
        [Self::RS256, Self::RS384, Self::RS512, Self::PS256, Self::ES256, Self::ES384, Self::EdDSA];

    pub const fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// By its exact name; names are case-sensitive (RFC 7515, section 4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_a_setting_cannot_name_an_algorithm_without_a_word() {
        for algorithm in Algorithm::ALL {
            let quoted = format!("\"{}\"", algorithm.name());
            assert_eq!(serde_json::from_str::<Algorithm>(&quoted).ok(), Some(algorithm));
            assert_eq!(serde_json::to_string(&algorithm).ok(), Some(quoted));
        }
        for name in ["none", "None", "HS256", "HS384", "HS512", "rs256", "RS1", "ES256K", ""] {
            assert!(serde_json::from_str::<Algorithm>(&format!("\"{name}\"")).is_err(), "{name}");
            assert_eq!(Algorithm::from_name(name), None);
        }
    }
}
