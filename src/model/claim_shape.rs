//! How people and organizations show in an application's tokens: in which shape, and under which names (S2-09).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::user::is_free_claim;
use super::words;

/// How organizations show in this application's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimShape {
    pub organizations: OrganizationsShape,
    pub org_name: OrgName,
    pub org_display_name: bool,
    pub org_slug: bool,
    /// Puts the person's own claims (email, name) into the ID token, besides UserInfo.
    pub user_in_id_token: bool,
    /// Emits the connection as `idp`.
    pub idp: bool,
    /// Under which names the application knows claims: its name, and which claim of ours stands there. A claim that is
    /// mapped stands under its new names only.
    pub mapping: BTreeMap<String, String>,
}

impl Default for ClaimShape {
    fn default() -> Self {
        Self {
            organizations: OrganizationsShape::Objects,
            org_name: OrgName::Slug,
            org_display_name: false,
            org_slug: false,
            user_in_id_token: true,
            idp: false,
            mapping: BTreeMap::new(),
        }
    }
}

words! {
    /// The shape of the full list.
    OrganizationsShape {
        /// `organizations: [{id, name, display_name, roles}]`
        Objects = "objects",
        /// `organizations: [name, …]`
        Names = "names",
        /// `organizations: [id, …]`
        Ids = "ids",
        /// `organization: {name: {id, …}}`
        MapByName = "map_by_name",
        /// `organizations: {id: {name, …}}`
        MapById = "map_by_id",
    }
}

words! {
    OrgName { Slug = "slug", DisplayName = "display_name" }
}

/// The full list of organizations, in whichever shape.
pub const ORGANIZATIONS: &str = "organizations";

/// Claims of ours that may stand under other names. What the protocol gives a meaning to is not among them.
const MAPPED: [&str; 17] = [
    "delegation_id",
    "email",
    "email_verified",
    "family_name",
    "given_name",
    "home_org_id",
    "idp",
    "locale",
    "name",
    "org_display_name",
    "org_id",
    "org_name",
    "org_slug",
    ORGANIZATIONS,
    "permissions",
    "roles",
    "updated_at",
];

/// What a name means already: nobody else's claim may stand there.
const TAKEN: [&str; 39] = [
    "_claim_names",
    "_claim_sources",
    "acr",
    "act",
    "active",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "c_hash",
    "client_id",
    "cnf",
    "entitlements",
    "events",
    "exp",
    "grant_id",
    "htm",
    "htu",
    "iat",
    "iss",
    "jti",
    "may_act",
    "nbf",
    "nonce",
    "organization",
    "organizations_endpoint",
    "organizations_truncated",
    "s_hash",
    "scope",
    // What many a resource server reads for it.
    "scp",
    "session_expiry",
    "sid",
    "sub",
    "sub_id",
    "sub_jwk",
    "token_introspection",
    "token_type",
];

/// The most claims that an application may map.
pub const MOST_MAPPED: usize = 32;
/// Bytes of a claim's name: many are addresses, so that they are nobody else's (RFC 7519, section 4.2).
const LONGEST_CLAIM: usize = 128;

/// Why a claim cannot stand under a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMapping {
    #[error("an application maps at most {MOST_MAPPED} claims")]
    Many,
    #[error("1 to {LONGEST_CLAIM} visible characters name a claim")]
    Form,
    #[error("it has a meaning of its own in tokens; choose another name")]
    Taken,
    #[error("there is no claim {0:?} to stand there; there are {list}, and what connections map", list = MAPPED.join(", "))]
    Unknown(String),
}

impl ClaimShape {
    /// What is wrong about the mapping: of which name, and why.
    pub fn mapping_fault(&self) -> Option<(&str, NoMapping)> {
        if self.mapping.len() > MOST_MAPPED {
            return Some(("", NoMapping::Many));
        }
        self.mapping.iter().find_map(|(name, source)| Some((name.as_str(), unmappable(name, source)?)))
    }

    /// Whether the application knows this claim under names of its own.
    pub fn maps(&self, claim: &str) -> bool {
        self.mapping.values().any(|source| source == claim)
    }

    /// The claim of ours that the application means by a name.
    pub fn meant_by<'a>(&'a self, name: &'a str) -> &'a str {
        self.mapping.get(name).map_or(name, String::as_str)
    }

    /// What connections map may not stand where the application looks for something else.
    pub fn is_free(&self, name: &str) -> bool {
        is_free_claim(name) && self.meant_by(name) == name
    }
}

fn unmappable(name: &str, source: &str) -> Option<NoMapping> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if name.is_empty() || name.len() > LONGEST_CLAIM || !name.bytes().all(plain) {
        return Some(NoMapping::Form);
    }
    // A name of ours means what it always does.
    if TAKEN.contains(&name) || (MAPPED.contains(&name) && name != source) {
        return Some(NoMapping::Taken);
    }
    let known = MAPPED.contains(&source) || is_free_claim(source);
    (!known).then(|| NoMapping::Unknown(source.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str, source: &str) -> Option<NoMapping> {
        let mapping = BTreeMap::from([(name.to_owned(), source.to_owned())]);
        let shape = ClaimShape { mapping, ..ClaimShape::default() };
        shape.mapping_fault().map(|(_, why)| why)
    }

    #[test]
    fn s2_09_a_name_that_means_something_already_is_given_to_nothing_else() {
        for (name, source) in [
            ("tenant", "org_id"),
            ("https://a.test/claims/organization", "org_name"),
            ("groups", "roles"),
            ("org_id", "org_id"),
            ("dept", "department"),
        ] {
            assert_eq!(fault(name, source), None, "{name}");
        }
        for name in ["sub", "aud", "act", "cnf", "scope", "sid", "organization", "roles", "email"] {
            assert_eq!(fault(name, "org_id"), Some(NoMapping::Taken), "{name}");
        }
        for name in ["", "a b", "a\"b", "a\\b", "\u{e9}", &"x".repeat(129)] {
            assert_eq!(fault(name, "org_id"), Some(NoMapping::Form), "{name}");
        }
        for source in ["sub", "iss", "acr", "organization_id", "", "a b"] {
            assert_eq!(fault("tenant", source), Some(NoMapping::Unknown(source.into())), "{source}");
        }
        let mapping = (0..33).map(|at| (format!("c{at}"), "org_id".to_owned())).collect();
        let many = ClaimShape { mapping, ..ClaimShape::default() };
        assert_eq!(many.mapping_fault(), Some(("", NoMapping::Many)));
    }
}
