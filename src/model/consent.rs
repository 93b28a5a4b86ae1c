//! What somebody has allowed an application of others to be told of them.

use crate::foundation::clock::Moment;
use crate::foundation::id::ApplicationId;
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

/// What is to be allowed for this, in order and each once. Which organization is meant is not among it, for they choose that
/// each time; claims that are asked for by name are what their scopes stand for, as far as the application `may`.
pub fn wanted(may: &[String], scopes: &[String], claims: &Named) -> Vec<String> {
    let meant = |one: &String| match scope::organization(one) {
        Some("*") => scope::ORGANIZATIONS.to_owned(),
        Some(_) => scope::ORGANIZATION.to_owned(),
        None => one.clone(),
    };
    let mut all: Vec<_> = scopes.iter().map(meant).collect();
    if !claims.is_empty() {
        let of_claims = [scope::PROFILE, scope::EMAIL].map(str::to_owned);
        all.extend(of_claims.into_iter().filter(|one| may.contains(one)));
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_is_chosen_each_time_and_named_claims_are_no_way_round_what_was_allowed() {
        let of = |scopes: &[&str], claims: &Named| {
            let scopes: Vec<_> = scopes.iter().map(|one| (*one).to_owned()).collect();
            wanted(&["openid".to_owned(), "email".to_owned()], &scopes, claims)
        };
        let none = Named::default();
        assert_eq!(of(&["openid", "organization:a", "organization"], &none), ["openid", "organization"]);
        assert_eq!(of(&["organization:*", "openid"], &none), ["openid", "organizations"]);
        let named = Named { id_token: vec!["email".into()], ..Named::default() };
        assert_eq!(of(&["openid"], &named), ["email", "openid"], "as far as it may ask for them");
    }
}
