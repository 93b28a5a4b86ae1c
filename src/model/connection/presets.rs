//! What is known of well-known SAML identity providers, so that their administrators need not be told (S1-P0). Each
//! fact is a default: the operator's word comes first.
//!
//! Where the facts come from: Microsoft's "Single sign-on SAML protocol" and "SAML token claims reference" (Entra
//! refuses a `Subject`, takes `login_hint`, and tells an application's roles apart from groups), Google's "SSO sign-in
//! flow when using login hints" (it ignores a `Subject` and takes `login_hint`; it has no logout of its own), MS-OAPX
//! section 2.2.2.1 (AD FS takes `login_hint` and `username` alike; both tell of a second factor in an attribute, whatever
//! class they say was used), RFC 4519 and eduPerson (names as `urn:oid:`), the SAML V2.0 Subject Identifier Attributes
//! profile, Keycloak's server (a `Subject` fills in the user's name). Okta's `LoginHint` is told by other vendors
//! only. Of the others no way to pass a hint is known, so none is used.

use std::collections::BTreeMap;

use super::{AttributeMapping, LoginHint, NameIdFormat, SamlPreset};

/// What a provider does where nobody says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub email: &'static [&'static str],
    pub name: &'static [&'static str],
    pub given_name: &'static [&'static str],
    pub family_name: &'static [&'static str],
    pub groups: &'static [&'static str],
    /// Further claims that are lists.
    pub claim_lists: &'static [(&'static str, &'static [&'static str])],
    pub locale: &'static [&'static str],
    /// The attribute that says by what people proved who they are, beside the class.
    pub authn_methods: Option<&'static str>,
    /// Absent: whatever it sends unasked names the person for good.
    pub name_id_format: Option<NameIdFormat>,
    hint: Hint,
    /// Whether it takes part in single logout.
    pub single_logout: bool,
}

#[derive(Clone, Copy, Debug)]
enum Hint {
    None,
    Subject,
    Parameter(&'static str),
}

const MAIL: &str = "urn:oid:0.9.2342.19200300.100.1.3";
const DISPLAY_NAME: &str = "urn:oid:2.16.840.1.113730.3.1.241";
const GIVEN_NAME: &str = "urn:oid:2.5.4.42";
const SURNAME: &str = "urn:oid:2.5.4.4";
const COMMON_NAME: &str = "urn:oid:2.5.4.3";
const PREFERRED_LANGUAGE: &str = "urn:oid:2.16.840.1.113730.3.1.39";
const IS_MEMBER_OF: &str = "urn:oid:1.3.6.1.4.1.5923.1.5.1.1";

const CLAIM_EMAIL: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress";
const CLAIM_GIVEN_NAME: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname";
const CLAIM_SURNAME: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname";
const CLAIM_DISPLAY_NAME: &str = "http://schemas.microsoft.com/identity/claims/displayname";
const CLAIM_GROUPS: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups";
const CLAIM_ROLE: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
const CLAIM_GROUP: &str = "http://schemas.xmlsoap.org/claims/Group";
const CLAIM_COMMON_NAME: &str = "http://schemas.xmlsoap.org/claims/CommonName";
const CLAIM_AUTHN_METHODS: &str = "http://schemas.microsoft.com/claims/authnmethodsreferences";

/// Every name that any of them uses.
const GENERIC: Facts = Facts {
    email: &["email", "mail", "emailAddress", "Email", "User.email", MAIL, CLAIM_EMAIL],
    name: &["displayName", "name", "cn", DISPLAY_NAME, COMMON_NAME, CLAIM_DISPLAY_NAME],
    given_name: &["firstName", "givenName", "given_name", "User.FirstName", GIVEN_NAME, CLAIM_GIVEN_NAME],
    family_name: &["lastName", "sn", "surname", "family_name", "User.LastName", SURNAME, CLAIM_SURNAME],
    groups: &["groups", "memberOf", IS_MEMBER_OF, CLAIM_GROUPS, CLAIM_GROUP],
    claim_lists: &[],
    locale: &["locale", "preferredLanguage", PREFERRED_LANGUAGE],
    authn_methods: None,
    name_id_format: None,
    hint: Hint::None,
    single_logout: true,
};

impl SamlPreset {
    pub const fn facts(self) -> Facts {
        match self {
            Self::Generic => GENERIC,
            Self::Okta => Facts {
                email: &["email", "mail", "user.email"],
                name: &["displayName", "name"],
                given_name: &["firstName", "givenName"],
                family_name: &["lastName", "sn"],
                groups: &["groups"],
                hint: Hint::Parameter("LoginHint"),
                ..GENERIC
            },
            Self::Entra => Facts {
                email: &[CLAIM_EMAIL],
                name: &[CLAIM_DISPLAY_NAME],
                given_name: &[CLAIM_GIVEN_NAME],
                family_name: &[CLAIM_SURNAME],
                groups: &[CLAIM_GROUPS],
                // Of an application's own roles, which are no groups: a role may be called like one.
                claim_lists: &[("app_roles", &[CLAIM_ROLE])],
                authn_methods: Some(CLAIM_AUTHN_METHODS),
                hint: Hint::Parameter("login_hint"),
                ..GENERIC
            },
            // Its administrators choose every name; these are the ones of its own guides.
            Self::Google => Facts {
                email: &["email", "mail", "primaryEmail"],
                name: &["displayName", "name"],
                given_name: &["firstName", "givenName"],
                family_name: &["lastName", "sn"],
                groups: &["groups"],
                hint: Hint::Parameter("login_hint"),
                single_logout: false,
                ..GENERIC
            },
            Self::Adfs => Facts {
                email: &[CLAIM_EMAIL],
                name: &[CLAIM_DISPLAY_NAME, CLAIM_COMMON_NAME],
                given_name: &[CLAIM_GIVEN_NAME],
                family_name: &[CLAIM_SURNAME],
                // By its own rules groups go out as either.
                groups: &[CLAIM_GROUP, CLAIM_GROUPS, CLAIM_ROLE],
                authn_methods: Some(CLAIM_AUTHN_METHODS),
                hint: Hint::Parameter("username"),
                ..GENERIC
            },
            // Unasked it sends a transient NameID, which names nobody for good.
            Self::Shibboleth => Facts {
                email: &[MAIL, "mail"],
                name: &[DISPLAY_NAME, COMMON_NAME, "displayName", "cn"],
                given_name: &[GIVEN_NAME, "givenName"],
                family_name: &[SURNAME, "sn"],
                groups: &[IS_MEMBER_OF, "isMemberOf"],
                name_id_format: Some(NameIdFormat::Persistent),
                ..GENERIC
            },
            Self::Keycloak => Facts {
                email: &["urn:oid:1.2.840.113549.1.9.1", "email", MAIL],
                name: &["name", "displayName"],
                given_name: &[GIVEN_NAME, "firstName", "givenName"],
                family_name: &[SURNAME, "lastName", "surname"],
                groups: &["member", "groups", "Role"],
                name_id_format: Some(NameIdFormat::Persistent),
                hint: Hint::Subject,
                ..GENERIC
            },
            Self::SimpleSamlPhp => Facts {
                email: &["mail", "email", MAIL],
                name: &["displayName", "cn", DISPLAY_NAME, COMMON_NAME],
                given_name: &["givenName", GIVEN_NAME],
                family_name: &["sn", SURNAME],
                groups: &["groups", "memberOf", "isMemberOf", IS_MEMBER_OF],
                name_id_format: Some(NameIdFormat::Persistent),
                ..GENERIC
            },
            Self::PingFederate => Facts {
                email: &["email", "mail"],
                name: &["displayName", "name", "cn"],
                given_name: &["firstName", "givenName"],
                family_name: &["lastName", "sn"],
                groups: &["groups", "memberOf"],
                ..GENERIC
            },
            Self::OneLogin => Facts {
                email: &["User.email", "email"],
                name: &["User.Name", "name"],
                given_name: &["User.FirstName", "firstName", "firstname"],
                family_name: &["User.LastName", "lastName", "lastname"],
                groups: &["memberOf", "groups"],
                ..GENERIC
            },
        }
    }
}

impl Facts {
    pub fn attributes(&self) -> AttributeMapping {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        AttributeMapping {
            email: names(self.email),
            name: names(self.name),
            given_name: names(self.given_name),
            family_name: names(self.family_name),
            groups: names(self.groups),
            locale: names(self.locale),
            claims: BTreeMap::new(),
            claim_lists: self
                .claim_lists
                .iter()
                .map(|(claim, list)| ((*claim).to_owned(), names(list)))
                .collect(),
        }
    }

    pub fn login_hint(&self) -> LoginHint {
        match self.hint {
            Hint::None => LoginHint::None,
            Hint::Subject => LoginHint::Subject,
            Hint::Parameter(name) => LoginHint::Parameter(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SamlPreset; 10] = [
        SamlPreset::Generic,
        SamlPreset::Okta,
        SamlPreset::Entra,
        SamlPreset::Google,
        SamlPreset::Adfs,
        SamlPreset::Shibboleth,
        SamlPreset::Keycloak,
        SamlPreset::SimpleSamlPhp,
        SamlPreset::PingFederate,
        SamlPreset::OneLogin,
    ];

    #[test]
    fn s1_p0_every_preset_knows_where_the_address_is() {
        for preset in ALL {
            let facts = preset.facts();
            assert!(!facts.email.is_empty() && !facts.given_name.is_empty(), "{preset}");
            assert_eq!(SamlPreset::from_word(preset.word()), Some(preset));
        }
    }

    #[test]
    fn s1_p0_entra_and_google_are_never_sent_a_subject() {
        for preset in [SamlPreset::Entra, SamlPreset::Google] {
            assert_eq!(preset.facts().login_hint(), LoginHint::Parameter("login_hint".into()));
        }
    }
}
