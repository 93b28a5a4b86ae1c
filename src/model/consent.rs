//! What somebody has allowed an application of others to be told of them.

use serde::{Deserialize, Serialize};
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

/// Where what is told goes, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The host; of a program on one's own device, the scheme that it has there (RFC 8252, section 7.1).
    At(String),
    /// A device that waits.
    Device,
}

impl Place {
    /// Where somebody goes on to who is asked this.
    pub fn of(asked: &Asked) -> Self {
        match asked.device {
            Some(_) => Self::Device,
            None => Self::At(host(&asked.redirect_uri)),
        }
    }

    /// As people are shown it; of a device, the page says more than that.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::At(host) => Some(host),
            Self::Device => None,
        }
    }
}

fn host(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) if !matches!(url.scheme(), "https" | "http") => format!("{}:", url.scheme()),
        Ok(url) => url.host_str().map_or_else(|| uri.to_owned(), str::to_owned),
        Err(_) => uri.to_owned(),
    }
}

/// What one page said: what is told of somebody who acts for this organization (none: for themselves alone), where, and for
/// which audiences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub organization: Option<OrganizationId>,
    pub place: Place,
    /// What it may do where its tokens are good is part of what an application is.
    pub audiences: Vec<String>,
    /// So is for whom it acts for people whose tokens it is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts_at: Vec<String>,
    pub scopes: Vec<String>,
    /// When they said yes to the last of it.
    pub allowed_at: Moment,
}

impl Told {
    /// What somebody allows who is asked this now, and acts so.
    pub fn of(application: &Application, asked: &Asked, context: Context, now: Moment) -> Self {
        Self {
            organization: context.organization(),
            place: Place::of(asked),
            audiences: application.settings.audiences.clone(),
            acts_at: application.acts_at().to_vec(),
            scopes: wanted(&asked.scopes, &asked.claims),
            allowed_at: now,
        }
    }

    fn includes(&self, telling: &Telling<'_>) -> bool {
        let all = |some: &[String], have: &[String]| some.iter().all(|one| have.contains(one));
        self.organization == telling.organization
            && telling.place.is_none_or(|place| *place == self.place)
            && all(telling.audiences, &self.audiences)
            && all(telling.acts_at, &self.acts_at)
            && all(telling.scopes, &self.scopes)
    }

    /// As what is to be told.
    fn telling(&self) -> Telling<'_> {
        Telling {
            audiences: &self.audiences,
            acts_at: &self.acts_at,
            place: Some(&self.place),
            scopes: &self.scopes,
            organization: self.organization,
        }
    }

    /// For the audit trail.
    pub fn event(&self, application: &Application) -> AuditEvent {
        AuditEvent::new(application.project_id, "consent.granted", Outcome::Granted)
            .organization(self.organization)
            .subject(application.id)
            .with("scopes", self.scopes.join(" "))
            .with("name", application.display_name.as_str())
            .with("audiences", self.audiences.clone())
            .with("acts_at", self.acts_at.clone())
            .with("leads_to", self.place.host().into_iter().map(str::to_owned).collect::<Vec<_>>())
    }
}

/// What is to be told of somebody.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    pub audiences: &'a [String],
    pub acts_at: &'a [String],
    /// Absent: to an application that acts for them, which leads nobody anywhere.
    pub place: Option<&'a Place>,
    pub scopes: &'a [String],
    pub organization: Option<OrganizationId>,
}

/// What somebody has allowed, as it is kept. A yes is worth what its page said: nothing of one counts together with
/// anything of another, unless it is told of the same organization, at the same place, for the same audiences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// By which the application was shown: another name is another application.
    pub name: String,
    pub told: Vec<Told>,
}

impl Allowed {
    /// Whether all of this may be told by who has this name.
    pub fn covers(&self, name: &str, telling: &Telling<'_>) -> bool {
        self.name == name && self.told.iter().any(|one| one.includes(telling))
    }

    /// For which organizations it allows anything to who has this name.
    pub fn organizations(&self, name: &str) -> Vec<Option<OrganizationId>> {
        let told = if self.name == name { self.told.as_slice() } else { &[] };
        told.iter().map(|one| one.organization).collect()
    }

    /// This and what is allowed to who has this name; of who had another one then, that alone.
    #[must_use]
    pub fn and(self, name: &str, mut more: Told) -> Self {
        if self.covers(name, &more.telling()) {
            return self;
        }
        let mut told = if self.name == name { self.told } else { Vec::new() };
        let same = |one: &Told| {
            let shown = |told: &Told| {
                (told.organization, told.place.clone(), told.audiences.clone(), told.acts_at.clone())
            };
            shown(one) == shown(&more)
        };
        if let Some(at) = told.iter().position(same) {
            more.scopes.extend(told.swap_remove(at).scopes);
            more.scopes.sort();
            more.scopes.dedup();
        }
        told.retain(|one| !more.includes(&one.telling()));
        told.push(more);
        Self { name: name.to_owned(), told }
    }
}

/// How far an application may know how somebody stands to organizations: whether there are such, and whether they act for
/// them (threats C22).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is the house's own.
    All,
    /// Those for which one of others was allowed anything; none: for themselves alone.
    Only(Vec<Option<OrganizationId>>),
}

impl Known {
    pub fn includes(&self, organization: Option<OrganizationId>) -> bool {
        match self {
            Self::All => true,
            Self::Only(known) => known.contains(&organization),
        }
    }

    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Only(known) if known.is_empty())
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

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|one| (*one).to_owned()).collect()
    }

    fn told(organization: Option<u128>, place: &str, audiences: &[&str], scopes: &[&str]) -> Told {
        Told {
            organization: organization.map(OrganizationId::from_u128),
            place: Place::At(place.into()),
            audiences: texts(audiences),
            acts_at: Vec::new(),
            scopes: texts(scopes),
            allowed_at: Moment::from_seconds(1),
        }
    }

    #[test]
    fn what_was_allowed_counts_for_what_was_shown_and_for_nothing_else() {
        let first = told(Some(1), "a.test", &["orders"], &["openid"]);
        let allowed = Allowed { name: "A".into(), told: vec![first.clone()] };
        let covers = |name: &str, one: Told| allowed.covers(name, &one.telling());
        assert!(covers("A", first.clone()));
        assert!(covers("A", told(Some(1), "a.test", &[], &[])), "less is told");
        assert!(allowed.covers("A", &Telling { place: None, ..first.telling() }), "it leads nobody anywhere");
        assert!(!covers("B", first.clone()), "another name");
        assert_eq!(allowed.organizations("A"), [first.organization]);
        assert!(allowed.organizations("B").is_empty(), "another name knows of nothing");
        for (why, other) in [
            ("another audience", told(Some(1), "a.test", &["orders", "api"], &["openid"])),
            ("acting elsewhere", Told { acts_at: texts(&["billing"]), ..first.clone() }),
            ("another place", told(Some(1), "b.test", &["orders"], &["openid"])),
            ("a device", Told { place: Place::Device, ..first.clone() }),
            ("another organization", told(Some(2), "a.test", &["orders"], &["openid"])),
            ("none", told(None, "a.test", &["orders"], &[])),
            ("more", told(Some(1), "a.test", &["orders"], &["email", "openid"])),
        ] {
            assert!(!covers("A", other), "{why}");
        }
    }

    #[test]
    fn one_yes_and_another_are_not_a_third() {
        let large = told(Some(1), "a.test", &["orders"], &["openid", "roles"]);
        let begin = Allowed { name: "A".into(), told: vec![large.clone()] };
        for small in [
            told(Some(2), "a.test", &["orders"], &["openid"]),
            told(None, "a.test", &["orders"], &["openid"]),
            told(Some(1), "b.test", &["orders"], &["openid"]),
            told(Some(1), "a.test", &["orders", "api"], &["openid"]),
            Told { acts_at: texts(&["billing"]), ..told(Some(1), "a.test", &["orders"], &["openid"]) },
        ] {
            let both = begin.clone().and("A", small.clone());
            assert_eq!(both.told, [large.clone(), small.clone()]);
            assert!(both.covers("A", &large.telling()) && both.covers("A", &small.telling()));
            let cross = Told { scopes: large.scopes.clone(), ..small };
            assert!(!both.covers("A", &cross.telling()), "{cross:?}");
        }
        // On pages that say the same but for the scopes, what was allowed is added up; and what is in another is not kept twice.
        let more = told(Some(1), "a.test", &["orders"], &["email"]);
        let all = told(Some(1), "a.test", &["orders"], &["email", "openid", "roles"]);
        assert_eq!(begin.clone().and("A", more.clone()).told, std::slice::from_ref(&all));
        assert_eq!(begin.clone().and("A", told(Some(1), "a.test", &[], &["openid"])), begin);
        let wide = told(Some(1), "a.test", &["api", "orders"], &["openid", "roles"]);
        assert_eq!(begin.clone().and("A", wide.clone()).told, [wide]);
        // What was allowed to another name does not come back with a small thing that is allowed to this one.
        assert_eq!(begin.and("B", more.clone()), Allowed { name: "B".into(), told: vec![more] });
    }

    #[test]
    fn where_an_answer_goes_is_a_host_or_the_scheme_of_a_program() {
        for (uri, shown) in [
            ("https://a.test/callback", "a.test"),
            ("http://127.0.0.1:4711/callback", "127.0.0.1"),
            ("com.example.app:/callback", "com.example.app:"),
            ("com.example.app://a.test/callback", "com.example.app:"),
        ] {
            assert_eq!(host(uri), shown);
        }
    }
}
