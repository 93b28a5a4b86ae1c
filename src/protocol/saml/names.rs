//! The URNs of SAML 2.0: namespaces, bindings, NameID formats, status codes, classes of authentication.

/// `saml:` (SAML Core, section 1.1).
pub const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// `samlp:` (SAML Core, section 1.1); also the `protocolSupportEnumeration` of a role that speaks SAML 2.0.
pub const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// `md:` (SAML Metadata, section 1.1).
pub const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// `ds:` (XML Signature).
pub const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
/// `xenc:` (XML Encryption 1.0).
pub const ENCRYPTION: &str = "http://www.w3.org/2001/04/xmlenc#";
/// `xenc11:` (XML Encryption 1.1).
pub const ENCRYPTION_11: &str = "http://www.w3.org/2009/xmlenc11#";
/// `xs:` (XML Schema).
pub const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";
/// `xsi:` (XML Schema, in instances).
pub const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// `shibmd:` (Shibboleth's metadata extensions).
pub const SHIBBOLETH_METADATA: &str = "urn:mace:shibboleth:metadata:1.0";

/// The prefixes that we write.
pub const PREFIXES: &[(&str, &str)] = &[
    ("saml", ASSERTION),
    ("samlp", PROTOCOL),
    ("md", METADATA),
    ("ds", SIGNATURE),
    ("xenc", ENCRYPTION),
    ("xenc11", ENCRYPTION_11),
    ("xs", SCHEMA),
    ("xsi", SCHEMA_INSTANCE),
    ("shibmd", SHIBBOLETH_METADATA),
];

/// The only version there is for us.
pub const VERSION: &str = "2.0";
/// `SubjectConfirmation/@Method` of the web browser profile (SAML Profiles, section 3.3).
pub const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// How a message travels (SAML Bindings, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Binding {
    Redirect,
    Post,
    /// Recognised, never used.
    PostSimpleSign,
    /// Recognised, never used.
    Artifact,
    /// Recognised, never used.
    Soap,
}

impl Binding {
    pub const ALL: [Self; 5] = [Self::Redirect, Self::Post, Self::PostSimpleSign, Self::Artifact, Self::Soap];

    pub const fn uri(self) -> &'static str {
        match self {
            Self::Redirect => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
            Self::Post => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
            Self::PostSimpleSign => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST-SimpleSign",
            Self::Artifact => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact",
            Self::Soap => "urn:oasis:names:tc:SAML:2.0:bindings:SOAP",
        }
    }
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.uri() == uri)
    }
    /// Whether we send and receive by it.
    pub const fn is_supported(self) -> bool {
        matches!(self, Self::Redirect | Self::Post)
    }
}

/// NameID formats (SAML Core, section 8.3).
pub mod name_id {
    pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
    pub const EMAIL_ADDRESS: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
    pub const KERBEROS: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos";
    pub const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
    pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
    pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
}

/// Status codes (SAML Core, section 3.2.2.2). The first four stand at the top, the others below one of them.
pub mod status {
    pub const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
    pub const REQUESTER: &str = "urn:oasis:names:tc:SAML:2.0:status:Requester";
    pub const RESPONDER: &str = "urn:oasis:names:tc:SAML:2.0:status:Responder";
    pub const VERSION_MISMATCH: &str = "urn:oasis:names:tc:SAML:2.0:status:VersionMismatch";
    pub const AUTHN_FAILED: &str = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed";
    pub const NO_PASSIVE: &str = "urn:oasis:names:tc:SAML:2.0:status:NoPassive";
    pub const PARTIAL_LOGOUT: &str = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout";
    pub const REQUEST_DENIED: &str = "urn:oasis:names:tc:SAML:2.0:status:RequestDenied";
    pub const UNKNOWN_PRINCIPAL: &str = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal";
}

/// Classes of authentication (SAML Authentication Context, section 3.4, and what providers send besides).
pub mod authn_context {
    pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";
    pub const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password";
    pub const PASSWORD_PROTECTED_TRANSPORT: &str =
        "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
    pub const KERBEROS: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos";
    pub const X509: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509";
    pub const TLS_CLIENT: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:TLSClient";
    pub const SMARTCARD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:Smartcard";
    pub const SMARTCARD_PKI: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI";
    pub const TIME_SYNC_TOKEN: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken";
    pub const MOBILE_TWO_FACTOR: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract";
    pub const MOBILE_TWO_FACTOR_UNREGISTERED: &str =
        "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered";
    /// Integrated Windows authentication, as ADFS and Entra name it.
    pub const WINDOWS: &str = "urn:federation:authentication:windows";
    /// More than one factor, as the REFEDS profile names it.
    pub const REFEDS_MFA: &str = "https://refeds.org/profile/mfa";
    /// More than one factor, as ADFS and Entra name it.
    pub const MICROSOFT_MFA: &str = "http://schemas.microsoft.com/claims/multipleauthn";
    /// One factor, as ADFS and Entra name it in an attribute.
    pub const MICROSOFT_PASSWORD: &str =
        "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password";
    pub const MICROSOFT_X509: &str =
        "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/x509";
}

/// Formats of attribute names (SAML Core, section 8.2).
pub mod attribute_name {
    pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified";
    pub const URI: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
    pub const BASIC: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_reads_what_it_writes() {
        for binding in Binding::ALL {
            assert_eq!(Binding::from_uri(binding.uri()), Some(binding));
        }
        assert_eq!(Binding::from_uri("urn:oasis:names:tc:SAML:1.0:profiles:browser-post"), None);
    }
}
