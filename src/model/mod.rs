//! The nouns, one file each, with what is always true of them.

pub mod api_key;
pub mod application;
pub mod audit_chain;
pub mod audit_event;
pub mod browser;
pub mod claim_shape;
pub mod connection;
pub mod connection_test;
pub mod consent;
pub mod delegation;
pub mod device;
pub mod domain;
pub mod grant;
pub mod identity;
pub mod invitation;
pub mod login;
pub mod machine_grant;
pub mod mail;
pub mod membership;
pub mod organization;
pub mod permission;
pub mod policy;
pub mod project;
pub mod readiness;
pub mod registration;
pub mod role;
pub mod role_rule;
pub mod routing;
pub mod saml_key;
pub mod session;
pub mod sign_out;
pub mod signing_key;
pub mod user;

/// A closed set of words: read from a table or a file, written to them, shown in an answer.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use words;
