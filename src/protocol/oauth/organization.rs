//! The parameter by which an application asks for an organization, at whatever endpoint.

use serde::{Deserialize, Serialize};

use super::error::OAuthError;
use crate::foundation::id::OrganizationId;

/// How a parameter is read.
pub type Get<'a> = dyn Fn(&str) -> Result<Option<String>, OAuthError> + 'a;

/// An organization as somebody names it: by its id, by its slug, or by both. Whether both are of one organization is seen
/// only where the asker may act for it: whoever knows one of the two does not learn the other by asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedOrganization {
    /// The id, if it was said.
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<String>,
}

impl NamedOrganization {
    /// An id or a slug.
    pub fn one(name: impl Into<String>) -> Self {
        Self { name: name.into(), beside: None }
    }

    /// What these texts name. Two ids, and two slugs, are two organizations, whether there are any or not.
    pub fn agreed<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Option<Self>, OAuthError> {
        let (mut id, mut slug): (Option<OrganizationId>, Option<&str>) = (None, None);
        for text in texts {
            let is_another = match text.parse() {
                Ok(one) => id.replace(one).is_some_and(|other| other != one),
                Err(_) => slug.replace(text).is_some_and(|other| other != text),
            };
            if is_another {
                return Err(Self::disagreement());
            }
        }
        Ok(match (id, slug) {
            (Some(id), slug) => Some(Self { name: id.to_string(), beside: slug.map(str::to_owned) }),
            (None, slug) => slug.map(Self::one),
        })
    }

    /// By what it is found.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was said, each text once.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.beside.as_deref())
    }

    /// Whether what was said beside the id is this slug of the organization that was found by it.
    pub fn agrees_with(&self, slug: &str) -> bool {
        self.beside.as_deref().is_none_or(|beside| beside == slug)
    }

    /// One text whether there are such organizations or not.
    pub fn disagreement() -> OAuthError {
        OAuthError::invalid_request("different organizations are asked for")
    }
}

/// `organization`, and its alias `organization_id`, which takes ids only.
pub fn asked(get: &Get<'_>) -> Result<Option<NamedOrganization>, OAuthError> {
    let (organization, id) = (get("organization")?, get("organization_id")?);
    if id.as_ref().is_some_and(|id| id.parse::<OrganizationId>().is_err()) {
        return Err(OAuthError::invalid_request("organization_id is no id of an organization"));
    }
    NamedOrganization::agreed(organization.iter().chain(&id).map(String::as_str))
}

/// The value that several spellings of one parameter agree on.
pub fn one_of(get: &Get<'_>, names: &[&str]) -> Result<Option<String>, OAuthError> {
    let mut found: Option<String> = None;
    for name in names {
        match (&found, get(name)?) {
            (Some(one), Some(other)) if *one != other => {
                return Err(OAuthError::invalid_request(format!("{} and {name} disagree", names[0])));
            }
            (None, Some(value)) => found = Some(value),
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m02_an_id_and_a_slug_are_compared_by_nobody_who_may_not_know_both() {
        let (id, other) = (OrganizationId::from_u128(7), OrganizationId::from_u128(8));
        let said =
            |texts: &[&str]| NamedOrganization::agreed(texts.iter().copied()).map_err(|error| error.code);
        let (text, another) = (id.to_string(), other.to_string());
        assert_eq!(said(&[]), Ok(None));
        assert_eq!(said(&["acme", "acme"]), Ok(Some(NamedOrganization::one("acme"))));
        assert_eq!(said(&[&text, &text]), Ok(Some(NamedOrganization::one(&text))));
        for texts in [[text.as_str(), "acme"], ["acme", text.as_str()]] {
            let both = said(&texts).unwrap().unwrap();
            assert_eq!((both.name(), both.agrees_with("acme"), both.agrees_with("b")), (&*text, true, false));
        }
        assert_eq!(said(&["acme", "b"]), Err("invalid_request"));
        assert_eq!(said(&[&text, "acme", &another]), Err("invalid_request"));
    }
}
