//! Scopes (RFC 6749, section 3.3) and those by which an application asks for an organization.

/// The scopes that mean something here.
pub const OPENID: &str = "openid";
pub const PROFILE: &str = "profile";
pub const EMAIL: &str = "email";
/// Refresh tokens that outlive the sign-out (OpenID Connect Core, section 11).
pub const OFFLINE_ACCESS: &str = "offline_access";
/// The full list of the person's organizations.
pub const ORGANIZATIONS: &str = "organizations";
pub const ROLES: &str = "roles";
pub const PERMISSIONS: &str = "permissions";
/// The one organization that is acted for; `organization:<id or slug>` names it, `organization:*` lists all.
pub const ORGANIZATION: &str = "organization";

pub const SUPPORTED: [&str; 8] =
    [OPENID, PROFILE, EMAIL, OFFLINE_ACCESS, ORGANIZATION, ORGANIZATIONS, ROLES, PERMISSIONS];

/// Splits a scope parameter. Nothing: it is not one.
pub fn split(text: &str) -> Option<Vec<&str>> {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let scopes: Vec<_> = text.split(' ').filter(|scope| !scope.is_empty()).collect();
    let fine =
        !scopes.is_empty() && scopes.len() <= 50 && scopes.iter().all(|scope| scope.bytes().all(allowed));
    fine.then_some(scopes)
}

/// The organization that a scope names, if it is of that kind: `Some("")` for the bare `organization`.
pub fn organization(scope: &str) -> Option<&str> {
    match scope.strip_prefix(ORGANIZATION)? {
        "" => Some(""),
        rest => rest.strip_prefix(':').filter(|name| !name.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_split_and_the_organization_is_seen() {
        assert_eq!(split("openid  organization:acme"), Some(vec!["openid", "organization:acme"]));
        assert_eq!(split("a\"b"), None);
        assert_eq!(split(" "), None);
        assert_eq!(organization("organization:acme"), Some("acme"));
        assert_eq!(organization("organization"), Some(""));
        assert_eq!(organization("organization:"), None);
        assert_eq!(organization("organizations"), None);
    }
}
