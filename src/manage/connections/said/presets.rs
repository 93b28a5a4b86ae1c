//! What is known of well-known providers, so that their administrators need not be told (S1-P0).
//!
//! - **Okta**: nothing beyond the defaults.
//! - **Entra ID**: the issuer names one tenant; `tid` must be that tenant; the domain goes along as `domain_hint`.
//!   People are known by `oid` and `tid`, which it tells whom asks for the scope `profile`, and not by `sub`.
//!   `email` is set by the directory's administrators and may be absent: then ask for the optional claim `email`
//!   in the app registration, or set `email_claim = "preferred_username"` where user names are addresses. Either
//!   is believed only within domains that the organization has proved.
//! - **Google Workspace**: one issuer for everybody; the domain goes along as `hd`. Require `hd` to admit one
//!   customer only.
//! - **Keycloak**: the issuer ends with its realm.

use url::Url;

use crate::foundation::text;
use crate::model::connection::Preset;

const GOOGLE: &str = "https://accounts.google.com";
const ENTRA: &str = "login.microsoftonline.com";
/// Entra's issuers for everybody: whoever accepts them accepts every tenant of the world.
const EVERYBODY: [&str; 3] = ["common", "organizations", "consumers"];

/// The issuer of a provider that has only one.
pub fn only_issuer(preset: Preset) -> Option<&'static str> {
    (preset == Preset::Google).then_some(GOOGLE)
}

/// Whether the issuer is one that this provider can have.
pub fn check_issuer(preset: Preset, url: &Url, issuer: &str) -> Result<(), &'static str> {
    if url.query().is_some() {
        return Err("an issuer has no query");
    }
    if url.host_str() == Some(ENTRA) && EVERYBODY.contains(&first_segment(url)) {
        return Err("pin the tenant: this issuer admits every tenant of the world. Write \
                    https://login.microsoftonline.com/<tenant id>/v2.0");
    }
    match preset {
        Preset::Entra if tenant(issuer).is_none() => {
            Err("must be https://login.microsoftonline.com/<tenant id>/v2.0, with the tenant's id as a UUID")
        }
        Preset::Google if issuer != GOOGLE => Err("must be https://accounts.google.com"),
        Preset::Keycloak if !is_realm(url) => Err("must end with /realms/<realm>"),
        _ => Ok(()),
    }
}

fn first_segment(url: &Url) -> &str {
    url.path().trim_start_matches('/').split('/').next().unwrap_or_default()
}

fn tenant(issuer: &str) -> Option<&str> {
    let id = issuer.strip_prefix("https://login.microsoftonline.com/")?.strip_suffix("/v2.0")?;
    (text::guid(id).as_deref() == Some(id)).then_some(id)
}

fn is_realm(url: &Url) -> bool {
    let segments: Vec<_> = url.path().split('/').collect();
    matches!(segments.as_slice(), [.., "realms", realm] if !realm.is_empty())
}

/// What a preset fills in.
#[derive(Debug, Default)]
pub struct Defaults {
    pub required_claims: Vec<(String, String)>,
    pub domain_hint_parameter: Option<String>,
}

pub fn defaults(preset: Preset, issuer: Option<&(Url, String)>) -> Defaults {
    let tenant = issuer.and_then(|(_, text)| tenant(text));
    match preset {
        Preset::Entra => Defaults {
            required_claims: tenant.map(|id| ("tid".to_owned(), id.to_owned())).into_iter().collect(),
            domain_hint_parameter: Some("domain_hint".into()),
        },
        Preset::Google => Defaults { domain_hint_parameter: Some("hd".into()), ..Defaults::default() },
        Preset::Generic | Preset::Okta | Preset::Keycloak => Defaults::default(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(preset: Preset, issuer: &str) -> bool {
        check_issuer(preset, &Url::parse(issuer).unwrap(), issuer).is_ok()
    }

    #[test]
    fn s1_p0_an_issuer_for_everybody_is_refused() {
        let tenant = "https://login.microsoftonline.com/8f3c1c7a-0b1d-4a8e-9f55-0123456789ab/v2.0";
        assert!(check(Preset::Entra, tenant) && check(Preset::Generic, tenant));
        for everybody in ["common", "organizations", "consumers"] {
            let issuer = format!("https://login.microsoftonline.com/{everybody}/v2.0");
            assert!(!check(Preset::Entra, &issuer) && !check(Preset::Generic, &issuer));
        }
        assert!(!check(Preset::Entra, "https://login.microsoftonline.com/my-corp.test/v2.0"));
        assert!(!check(Preset::Entra, "https://sts.windows.net/8f3c1c7a-0b1d-4a8e-9f55-0123456789ab/"));
    }

    #[test]
    fn s1_p0_each_preset_knows_its_issuer() {
        assert!(check(Preset::Google, "https://accounts.google.com"));
        assert!(!check(Preset::Google, "https://accounts.google.com/"));
        assert!(check(Preset::Keycloak, "https://sso.my-corp.test/auth/realms/staff"));
        assert!(!check(Preset::Keycloak, "https://sso.my-corp.test/realms/"));
        assert!(!check(Preset::Keycloak, "https://sso.my-corp.test/realms/staff/"));
    }
}
