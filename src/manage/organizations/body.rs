//! What is said of an organization in a body, and the rules of it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{Owner, Wanted};
use crate::foundation::email::Email;
use crate::foundation::text::{is_https_url, is_line, is_text};
use crate::manage::refused::{Code, Refused};
use crate::model::organization::is_slug;
use crate::protocol::problem::Place;

const LONGEST_NAME: usize = 200;
const LONGEST_KIND: usize = 64;
const LONGEST_DESCRIPTION: usize = 1_000;
const MOST_FUNCTIONS: usize = 100;

/// Told apart: absent (`None`), `null` (`Some(None)`), a value.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A new organization. Everything may be left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOrganization {
    /// A UUID, or `org_` and 26 characters. Absent: one is made.
    #[schemars(extend("pattern" = "^(org_[0-7][0-9a-hjkmnp-tv-z]{25}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$"))]
    pub id: Option<String>,
    /// One line of at most 200 characters. Absent: the id is the name.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub name: Option<String>,
    /// The same under another name; one of the two.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub display_name: Option<String>,
    /// 1 to 63 of `a-z`, `0-9` and `-`. Absent: made of the name.
    #[schemars(extend("pattern" = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub slug: Option<String>,
    /// What it is: a company, a school …
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_KIND))]
    pub kind: Option<String>,
    /// At most 1000 characters.
    #[schemars(extend("maxLength" = LONGEST_DESCRIPTION))]
    pub description: Option<String>,
    /// An https address of at most 2048 characters.
    #[schemars(extend("pattern" = "^https://", "maxLength" = 2_048))]
    pub logo_uri: Option<String>,
    /// What the organization may do at all, by the project's functional roles. Absent: no boundary, but that it
    /// owns no applications.
    #[schemars(extend("maxItems" = MOST_FUNCTIONS))]
    pub functional_roles: Option<Vec<String>>,
    /// Who owns it. Absent: the person who makes it; of the operator's, nobody yet.
    pub owner_user_id: Option<String>,
    /// The same by their address: who has not proved it yet is invited.
    pub owner_email: Option<String>,
}

/// An organization as it shall be: what is absent stays, `null` clears.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceOrganization {
    /// One line of at most 200 characters.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub name: String,
    /// 1 to 63 of `a-z`, `0-9` and `-`; a former one of its own may come back.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String", extend("pattern" = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub slug: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("minLength" = 1, "maxLength" = LONGEST_KIND))]
    pub kind: Option<Option<String>>,
    /// At most 1000 characters.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("maxLength" = LONGEST_DESCRIPTION))]
    pub description: Option<Option<String>>,
    /// An https address of at most 2048 characters.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("pattern" = "^https://", "maxLength" = 2_048))]
    pub logo_uri: Option<Option<String>>,
    /// Only for the operator.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Vec<String>>", extend("maxItems" = MOST_FUNCTIONS))]
    pub functional_roles: Option<Option<Vec<String>>>,
    /// Only for the operator: whether it is deactivated.
    pub deactivate: Option<bool>,
}

/// What shall change: what is absent stays, `null` clears.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchOrganization {
    /// One line of at most 200 characters.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String", extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub name: Option<Option<String>>,
    /// The same under another name; one of the two.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String", extend("minLength" = 1, "maxLength" = LONGEST_NAME))]
    pub display_name: Option<Option<String>>,
    /// 1 to 63 of `a-z`, `0-9` and `-`; a former one of its own may come back.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String", extend("pattern" = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub slug: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("minLength" = 1, "maxLength" = LONGEST_KIND))]
    pub kind: Option<Option<String>>,
    /// At most 1000 characters.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("maxLength" = LONGEST_DESCRIPTION))]
    pub description: Option<Option<String>>,
    /// An https address of at most 2048 characters.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("pattern" = "^https://", "maxLength" = 2_048))]
    pub logo_uri: Option<Option<String>>,
    /// Only for the operator.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Vec<String>>", extend("maxItems" = MOST_FUNCTIONS))]
    pub functional_roles: Option<Option<Vec<String>>>,
}

impl CreateOrganization {
    /// What is the operator's to say, if anything of it is said.
    pub fn operators(&self) -> Option<&'static str> {
        let said = [
            ("/id", self.id.is_some()),
            ("/functional_roles", self.functional_roles.is_some()),
            ("/owner_user_id", self.owner_user_id.is_some()),
            ("/owner_email", self.owner_email.is_some()),
        ];
        said.into_iter().find(|(_, said)| *said).map(|(pointer, _)| pointer)
    }

    pub fn owner(&self) -> Result<Option<Owner>, Refused> {
        match (&self.owner_user_id, &self.owner_email) {
            (None, None) => Ok(None),
            (Some(id), None) => {
                let at = || Place::Pointer("/owner_user_id".into());
                let nobody = |_| Refused::at(Code::UserNotFound, at(), "there is nobody who could own it");
                Ok(Some(Owner::User(id.parse().map_err(nobody)?)))
            }
            (None, Some(email)) => {
                let email =
                    Email::parse(email).map_err(|why| Refused::value("/owner_email", why.to_string()))?;
                Ok(Some(Owner::Email(email)))
            }
            _ => {
                Err(Refused::new(Code::InvalidBody, "give owner_user_id, or owner_email, and one of the two"))
            }
        }
    }

    pub fn checked(self) -> Result<Wanted, Refused> {
        let wanted = Wanted {
            display_name: one_name(self.name, self.display_name)?,
            slug: self.slug,
            kind: self.kind.map(Some),
            description: self.description.map(Some),
            logo_uri: self.logo_uri.map(Some),
            functional_roles: self.functional_roles.map(Some),
            deactivate: None,
        };
        wanted.obeys_rules()
    }
}

impl ReplaceOrganization {
    pub fn checked(self) -> Result<Wanted, Refused> {
        let Self { name, slug, kind, description, logo_uri, functional_roles, deactivate } = self;
        let (display_name, slug) = (Some(name), some("/slug", slug)?);
        Wanted { display_name, slug, kind, description, logo_uri, functional_roles, deactivate }.obeys_rules()
    }
}

impl PatchOrganization {
    pub fn checked(self) -> Result<Wanted, Refused> {
        let Self { name, display_name, slug, kind, description, logo_uri, functional_roles } = self;
        let display_name = one_name(some("/name", name)?, some("/display_name", display_name)?)?;
        let slug = some("/slug", slug)?;
        let deactivate = None;
        Wanted { display_name, slug, kind, description, logo_uri, functional_roles, deactivate }.obeys_rules()
    }
}

/// What there always is cannot be cleared.
fn some(pointer: &str, given: Option<Option<String>>) -> Result<Option<String>, Refused> {
    match given {
        Some(None) => Err(Refused::value(pointer, "cannot be cleared")),
        given => Ok(given.flatten()),
    }
}

fn one_name(name: Option<String>, display_name: Option<String>) -> Result<Option<String>, Refused> {
    match (name, display_name) {
        (Some(_), Some(_)) => {
            Err(Refused::new(Code::InvalidBody, "name and display_name are one field: give one"))
        }
        // By the name that was used.
        (None, Some(text)) if !is_line(&text, LONGEST_NAME) => {
            Err(Refused::value("/display_name", rule_of_names()))
        }
        (name, display_name) => Ok(name.or(display_name)),
    }
}

const LOGO: &str = "/logo_uri";

fn rule_of_names() -> String {
    format!("must be one line of at most {LONGEST_NAME} characters")
}

/// In the order in which they came.
fn each_once(names: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
}

impl Wanted {
    /// The rules of what may be said of an organization, whoever says it.
    pub fn obeys_rules(mut self) -> Result<Self, Refused> {
        if let Some(Some(names)) = &mut self.functional_roles {
            each_once(names);
        }
        let line = |text: Option<&String>, most| text.is_none_or(|text| is_line(text, most));
        let text = |text: Option<&String>, most| text.is_none_or(|text| is_text(text, most));
        let kind = self.kind.as_ref().and_then(Option::as_ref);
        let description = self.description.as_ref().and_then(Option::as_ref);
        let logo = self.logo_uri.as_ref().and_then(Option::as_ref);
        let functions = self.functional_roles.iter().flatten().map(Vec::len).max().unwrap_or(0);
        let rules = [
            (line(self.display_name.as_ref(), LONGEST_NAME), "/name", rule_of_names()),
            (
                self.slug.as_ref().is_none_or(|slug| is_slug(slug)),
                "/slug",
                "must be 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends".to_owned(),
            ),
            (
                line(kind, LONGEST_KIND),
                "/kind",
                format!("must be one line of at most {LONGEST_KIND} characters"),
            ),
            (
                text(description, LONGEST_DESCRIPTION),
                "/description",
                format!("must be plain text of at most {LONGEST_DESCRIPTION} characters"),
            ),
            (
                logo.is_none_or(|logo| is_https_url(logo)),
                LOGO,
                "must be an https address of at most 2048 characters, with a host that has a name, \
                 without user, password and fragment"
                    .to_owned(),
            ),
            (functions <= MOST_FUNCTIONS, "/functional_roles", format!("must be at most {MOST_FUNCTIONS}")),
        ];
        let broken = rules.into_iter().filter(|(fine, ..)| !fine);
        let mut broken: Vec<_> = broken.map(|(_, pointer, rule)| (pointer.to_owned(), rule)).collect();
        match (broken.pop(), broken.is_empty()) {
            (None, _) => Ok(self),
            (Some((pointer, rule)), true) if pointer == LOGO => {
                Err(Refused::at(Code::UriInvalid, Place::Pointer(pointer), rule))
            }
            (Some((pointer, rule)), true) => Err(Refused::value(&pointer, rule)),
            (Some(last), false) => {
                Err(Refused::listing(Code::InvalidValue, broken.into_iter().chain([last])))
            }
        }
    }
}
