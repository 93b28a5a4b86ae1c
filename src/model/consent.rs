//! What somebody has allowed an application of others to be told of them.

use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, OrganizationId};
use crate::protocol::oauth::claims_parameter::Named;
use crate::protocol::oauth::scope;

/// As it is shown to them at their account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub application: ApplicationId,
    pub name: String,
    pub scopes: Vec<String>,
    pub since: Moment,
}

/// What somebody has allowed, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub scopes: Vec<String>,
    /// For whom they acted when they allowed it; none: for themselves alone.
    pub organizations: Vec<Option<OrganizationId>>,
}

impl Allowed {
    /// Whether all of this may be told, of somebody who acts for this organization.
    pub fn covers(&self, wanted: &[String], organization: Option<OrganizationId>) -> bool {
        self.organizations.contains(&organization) && wanted.iter().all(|one| self.scopes.contains(one))
    }
}

/// What is to be allowed for this, in order and each once. Claims that are asked for by name are what their scopes stand for:
/// the application might have them when it asked, whatever it may by now.
pub fn wanted(scopes: &[String], claims: &Named) -> Vec<String> {
    let meant = |one: &String| match scope::organization(one) {
        Some("*") => scope::ORGANIZATIONS.to_owned(),
        Some(_) => scope::ORGANIZATION.to_owned(),
        None => one.clone(),
    };
    let mut all: Vec<_> = scopes.iter().map(meant).collect();
    let of_claim = |name: &String| if is_of_email(name) { scope::EMAIL } else { scope::PROFILE };
    all.extend(claims.id_token.iter().chain(&claims.userinfo).map(of_claim).map(str::to_owned));
    all.sort_unstable();
    all.dedup();
    all
}

/// Of the claims that can be asked for by name, these are of scope `email` (OpenID Connect Core, section 5.4).
pub fn is_of_email(name: &str) -> bool {
    matches!(name, "email" | "email_verified")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_claims_are_no_way_round_what_was_allowed_nor_is_another_organization() {
        let of = |scopes: &[&str], claims: &Named| {
            let scopes: Vec<_> = scopes.iter().map(|one| (*one).to_owned()).collect();
            wanted(&scopes, claims)
        };
        let none = Named::default();
        assert_eq!(of(&["openid", "organization:a", "organization"], &none), ["openid", "organization"]);
        assert_eq!(of(&["organization:*", "openid"], &none), ["openid", "organizations"]);
        let named = Named { id_token: vec!["email".into()], ..Named::default() };
        assert_eq!(of(&["openid"], &named), ["email", "openid"]);
        let both = Named { userinfo: vec!["name".into(), "email_verified".into()], ..Named::default() };
        assert_eq!(of(&["openid"], &both), ["email", "openid", "profile"]);

        let (one, other) = (OrganizationId::from_u128(1), OrganizationId::from_u128(2));
        let allowed = Allowed { scopes: vec!["openid".into()], organizations: vec![Some(one)] };
        assert!(allowed.covers(&["openid".to_owned()], Some(one)));
        assert!(!allowed.covers(&["openid".to_owned()], Some(other)) && !allowed.covers(&[], None));
        assert!(!allowed.covers(&["email".to_owned(), "openid".to_owned()], Some(one)));
    }
}
