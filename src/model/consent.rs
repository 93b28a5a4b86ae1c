//! What somebody has allowed an application of others to be told of them.

use url::Url;

use super::application::Application;
use super::audit_event::{AuditEvent, Outcome};
use super::login::{Asked, Context};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, OrganizationId};
use crate::protocol::oauth::claims_parameter::Named;
use crate::protocol::oauth::scope;

/// As it is shown to them at their account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub application: ApplicationId,
    /// As it calls itself now, and as what it was allowed.
    pub name: String,
    pub allowed: Allowed,
    pub since: Moment,
    /// When they allowed the last of it.
    pub updated_at: Moment,
}

/// As what an application is shown to whom it asks: another name is another application, and what it may do where its
/// tokens are good is part of what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub name: String,
    pub audiences: Vec<String>,
}

impl Terms {
    pub fn of(application: &Application) -> Self {
        Self { name: application.display_name.clone(), audiences: application.settings.audiences.clone() }
    }

    /// Whether who has agreed to these has agreed to those.
    fn include(&self, other: &Self) -> bool {
        self.name == other.name && other.audiences.iter().all(|one| self.audiences.contains(one))
    }
}

/// What somebody has allowed, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub terms: Terms,
    /// Where it led them when they allowed it.
    pub places: Vec<String>,
    pub scopes: Vec<String>,
    /// For whom they acted when they allowed it; none: for themselves alone.
    pub organizations: Vec<Option<OrganizationId>>,
}

/// What is to be told of somebody.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    pub terms: &'a Terms,
    /// Where the answer goes; absent: to whom it was given before.
    pub place: Option<&'a str>,
    pub scopes: &'a [String],
    pub organization: Option<OrganizationId>,
}

impl Allowed {
    /// What somebody allows who is asked this, and acts so.
    pub fn of(application: &Application, asked: &Asked, context: Context) -> Self {
        Self {
            terms: Terms::of(application),
            places: place_of(asked).into_iter().collect(),
            scopes: wanted(&asked.scopes, &asked.claims),
            organizations: vec![context.organization()],
        }
    }

    /// Whether all of this may be told, of somebody who acts for this organization.
    pub fn covers(&self, telling: &Telling<'_>) -> bool {
        let leads = |place: &str| self.places.iter().any(|one| one == place);
        self.terms.include(telling.terms)
            && telling.place.is_none_or(leads)
            && self.organizations.contains(&telling.organization)
            && telling.scopes.iter().all(|one| self.scopes.contains(one))
    }

    /// This and that together; of who was another application then, that alone.
    #[must_use]
    pub fn and(self, more: &Self) -> Self {
        if !self.terms.include(&more.terms) {
            return more.clone();
        }
        Self {
            terms: self.terms,
            places: joined(self.places, &more.places),
            scopes: joined(self.scopes, &more.scopes),
            organizations: joined(self.organizations, &more.organizations),
        }
    }

    /// For the audit trail.
    pub fn event(&self, application: &Application) -> AuditEvent {
        AuditEvent::new(application.project_id, "consent.granted", Outcome::Granted)
            .organization(self.organizations.first().copied().flatten())
            .subject(application.id)
            .with("scopes", self.scopes.join(" "))
            .with("name", self.terms.name.as_str())
            .with("audiences", self.terms.audiences.clone())
            .with("leads_to", self.places.clone())
    }
}

fn joined<T: Clone + Ord>(mut all: Vec<T>, more: &[T]) -> Vec<T> {
    all.extend(more.iter().cloned());
    all.sort();
    all.dedup();
    all
}

/// Where somebody goes on to, as they are shown it; nowhere: it is a device that waits.
pub fn place_of(asked: &Asked) -> Option<String> {
    asked.is_answered().then(|| place(&asked.redirect_uri))
}

/// The host; of a program on one's own device, the scheme that it has there (RFC 8252, section 7.1).
fn place(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) => url.host_str().map_or_else(|| format!("{}:", url.scheme()), str::to_owned),
        Err(_) => uri.to_owned(),
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
    }

    #[test]
    fn what_was_allowed_counts_for_what_was_shown_and_for_nothing_else() {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let terms = |name: &str, audiences: &[&str]| Terms { name: name.into(), audiences: texts(audiences) };
        let (one, other) = (OrganizationId::from_u128(1), OrganizationId::from_u128(2));
        let allowed = Allowed {
            terms: terms("A", &["orders"]),
            places: texts(&["a.test"]),
            scopes: texts(&["openid"]),
            organizations: vec![Some(one)],
        };
        let covers = |name: &str, audiences: &[&str], place, scopes: &[&str], organization| {
            let (terms, scopes) = (terms(name, audiences), texts(scopes));
            allowed.covers(&Telling { terms: &terms, place, scopes: &scopes, organization })
        };
        assert!(covers("A", &["orders"], Some("a.test"), &["openid"], Some(one)));
        assert!(covers("A", &[], None, &[], Some(one)), "less is told");
        assert!(!covers("B", &["orders"], None, &["openid"], Some(one)), "another name");
        assert!(!covers("A", &["orders", "api"], None, &["openid"], Some(one)), "another audience");
        assert!(!covers("A", &["orders"], Some("b.test"), &["openid"], Some(one)), "another place");
        assert!(!covers("A", &["orders"], None, &["openid"], Some(other)));
        assert!(!covers("A", &["orders"], None, &[], None));
        assert!(!covers("A", &["orders"], None, &["email", "openid"], Some(one)));
        // What was allowed to another name, or before it could do more, is not allowed with what comes later.
        let more = Allowed { scopes: texts(&["email"]), ..allowed.clone() };
        assert_eq!(allowed.clone().and(&more).scopes, texts(&["email", "openid"]));
        for other in [terms("B", &["orders"]), terms("A", &["orders", "api"])] {
            let more = Allowed { terms: other, ..more.clone() };
            assert_eq!(allowed.clone().and(&more), more);
        }
    }

    #[test]
    fn where_an_answer_goes_is_a_host_or_the_scheme_of_a_program() {
        for (uri, shown) in [
            ("https://a.test/callback", "a.test"),
            ("http://127.0.0.1:4711/callback", "127.0.0.1"),
            ("com.example.app:/callback", "com.example.app:"),
        ] {
            assert_eq!(place(uri), shown);
        }
    }
}
