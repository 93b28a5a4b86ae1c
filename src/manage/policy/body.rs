//! What is said of a policy in a body. What is absent stays, `null` is as if nobody had ever said anything.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{Wanted, WantedOfProject};
use crate::foundation::domain_name::DomainName;
use crate::foundation::id::DelegationId;
use crate::foundation::text;
use crate::manage::refused::Refused;
use crate::model::organization::{DelegationAcceptance, Enforcement};
use crate::model::policy::{MemberList, Switch};
use crate::model::project::Organizations;

/// Seconds: whoever comes back from their provider has a minute; a year is no limit any more.
const AGES: std::ops::RangeInclusive<u64> = 60..=31_536_000;
const MOST_ROLES: usize = 50;
const MOST_PINS: usize = 50;
const MOST_DELEGATIONS: usize = 200;

/// Told apart: absent (`None`), `null` (`Some(None)`), a value.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Whether one is wanted on, off, or as if nobody had said anything.
pub type Turned = Vec<(Switch, Option<bool>)>;

macro_rules! with_switches {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $switch:ident,)+ } and { $($rest:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(
                #[serde(default, deserialize_with = "given")]
                #[schemars(with = "Option<bool>")]
                pub $field: Option<Option<bool>>,
            )+
            $($rest)*
        }

        impl $name {
            fn turned(&self) -> Turned {
                let all = [$((Switch::$switch, self.$field)),+];
                all.into_iter().filter_map(|(switch, on)| Some((switch, on?))).collect()
            }
        }
    };
}

with_switches! {
    /// How an organization lets people sign in. What is absent stays, `null` sets back.
    ChangePolicy {
        log_in_with_google: LogInWithGoogle,
        log_in_with_microsoft: LogInWithMicrosoft,
        log_in_with_github: LogInWithGithub,
        log_in_with_email: LogInWithEmail,
        log_in_with_password: LogInWithPassword,
        log_in_with_saml: LogInWithSaml,
        log_in_with_oidc: LogInWithOidc,
        log_in_with_authenticator_app: LogInWithAuthenticatorApp,
        log_in_with_passkey: LogInWithPasskey,
        log_in_with_passkey_primary: LogInWithPasskeyPrimary,
        scim_enabled: ScimEnabled,
        custom_roles_enabled: CustomRolesEnabled,
        api_keys_enabled: ApiKeysEnabled,
    } and {
        /// `required`: members come through the organization's own connection only.
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<String>", extend("enum" = ["off", "required", null]))]
        pub enforcement: Option<Option<Enforcement>>,
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<bool>")]
        pub require_mfa: Option<Option<bool>>,
        /// The roles whose holders need a second factor.
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<Vec<String>>", extend("maxItems" = MOST_ROLES))]
        pub mfa_required_for: Option<Option<Vec<String>>>,
        /// Longest time since the person proved who they are, in seconds; `null`: any.
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<u64>", extend("minimum" = 60, "maximum" = 31_536_000))]
        pub max_age: Option<Option<u64>>,
        /// Which of the approved delegations count.
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<Acceptance>")]
        pub delegations: Option<Option<Acceptance>>,
        /// Workspace domains of Google, for the project's connections to it; empty: any. What comes by a connection of the
        /// organization's own is `log_in_with_oidc`.
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<Vec<String>>", extend("maxItems" = MOST_PINS))]
        pub google_hosted_domains: Option<Option<Vec<String>>>,
        /// Tenants of Microsoft, by their UUID, in the same way; empty: any.
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<Vec<String>>", extend("maxItems" = MOST_PINS))]
        pub microsoft_tenant_ids: Option<Option<Vec<String>>>,
        /// What members who administer nothing see of each other.
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<String>", extend("enum" = ["hidden", "names", null]))]
        pub member_list: Option<Option<MemberList>>,
        /// Whether people may let devices in that have no browser (RFC 8628).
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<bool>")]
        pub device_sign_in: Option<Option<bool>>,
    }
}

with_switches! {
    /// The project's half of every organization's policy. What is absent stays, `null` sets back.
    ChangeProjectPolicy {
        log_in_with_google: LogInWithGoogle,
        log_in_with_microsoft: LogInWithMicrosoft,
        log_in_with_github: LogInWithGithub,
        log_in_with_email: LogInWithEmail,
        log_in_with_password: LogInWithPassword,
        log_in_with_saml: LogInWithSaml,
        log_in_with_oidc: LogInWithOidc,
        log_in_with_authenticator_app: LogInWithAuthenticatorApp,
        log_in_with_passkey: LogInWithPasskey,
        log_in_with_passkey_primary: LogInWithPasskeyPrimary,
        scim_enabled: ScimEnabled,
        custom_roles_enabled: CustomRolesEnabled,
        api_keys_enabled: ApiKeysEnabled,
    } and {
        /// Whether people act for organizations at all.
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<String>", extend("enum" = ["off", "optional", "required", null]))]
        pub organizations: Option<Option<Organizations>>,
        /// Whether people make organizations of their own, and own them.
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<bool>")]
        pub organizations_by_members: Option<Option<bool>>,
        /// Whether clients register themselves, with a token of the operator's (RFC 7591).
        #[serde(default, deserialize_with = "given")]
        #[schemars(with = "Option<bool>")]
        pub dynamic_registration: Option<Option<bool>>,
    }
}

/// `"approved"`: all of them. `"none"`. `{"only": […]}`: those of these ids.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Acceptance {
    Approved,
    None,
    Only(#[schemars(extend("maxItems" = MOST_DELEGATIONS))] Vec<String>),
}

impl ChangePolicy {
    pub fn checked(self) -> Result<Wanted, Refused> {
        let wanted = Wanted {
            turned: self.turned(),
            enforcement: self.enforcement.map(Option::unwrap_or_default),
            require_mfa: self.require_mfa.map(Option::unwrap_or_default),
            mfa_required_for: self.mfa_required_for.map(Option::unwrap_or_default),
            max_age: self.max_age,
            delegations: self.delegations.map(acceptance).transpose()?,
            google_hosted_domains: pins("/google_hosted_domains", self.google_hosted_domains, hosted_domain)?,
            microsoft_tenant_ids: pins("/microsoft_tenant_ids", self.microsoft_tenant_ids, text::guid)?,
            member_list: self.member_list.map(Option::unwrap_or_default),
            device_sign_in: self.device_sign_in.map(Option::unwrap_or_default),
        };
        wanted.obeys_rules()
    }
}

impl Wanted {
    /// The rules of what may be said of a policy, whoever says it.
    pub fn obeys_rules(self) -> Result<Self, Refused> {
        if self.max_age.flatten().is_some_and(|age| !AGES.contains(&age)) {
            return Err(Refused::value("/max_age", "must be 60 to 31536000 seconds"));
        }
        let ids = match &self.delegations {
            Some(DelegationAcceptance::Only(ids)) => ids.len(),
            _ => 0,
        };
        let many = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
        for (pointer, many, most) in [
            ("/mfa_required_for", many(&self.mfa_required_for), MOST_ROLES),
            ("/google_hosted_domains", many(&self.google_hosted_domains), MOST_PINS),
            ("/microsoft_tenant_ids", many(&self.microsoft_tenant_ids), MOST_PINS),
            ("/delegations/only", ids, MOST_DELEGATIONS),
        ] {
            if many > most {
                return Err(Refused::value(pointer, format!("must be at most {most}")));
            }
        }
        Ok(self)
    }
}

impl ChangeProjectPolicy {
    pub fn checked(self) -> WantedOfProject {
        WantedOfProject {
            turned: self.turned(),
            organizations: self.organizations.map(Option::unwrap_or_default),
            organizations_by_members: self.organizations_by_members.map(Option::unwrap_or_default),
            dynamic_registration: self.dynamic_registration.map(Option::unwrap_or_default),
        }
    }
}

fn acceptance(given: Option<Acceptance>) -> Result<DelegationAcceptance, Refused> {
    Ok(match given {
        None | Some(Acceptance::Approved) => DelegationAcceptance::Approved,
        Some(Acceptance::None) => DelegationAcceptance::None,
        Some(Acceptance::Only(all)) if all.len() > MOST_DELEGATIONS => {
            return Err(Refused::value("/delegations/only", format!("must be at most {MOST_DELEGATIONS}")));
        }
        Some(Acceptance::Only(all)) => {
            let mut ids = Vec::new();
            for (place, text) in all.iter().enumerate() {
                let id = text.parse::<DelegationId>();
                let pointer = format!("/delegations/only/{place}");
                ids.push(id.map_err(|_| Refused::value(&pointer, "must be the id of a delegation"))?);
            }
            ids.sort();
            ids.dedup();
            DelegationAcceptance::Only(ids)
        }
    })
}

/// In the one spelling in which providers' words are kept, none twice.
fn pins(
    pointer: &str,
    given: Option<Option<Vec<String>>>,
    read: fn(&str) -> Option<String>,
) -> Result<Option<Vec<String>>, Refused> {
    let Some(all) = given.map(Option::unwrap_or_default) else { return Ok(None) };
    if all.len() > MOST_PINS {
        return Err(Refused::value(pointer, format!("must be at most {MOST_PINS}")));
    }
    let mut pins = Vec::new();
    for (place, text) in all.iter().enumerate() {
        let wrong = || Refused::value(&format!("{pointer}/{place}"), "is none");
        pins.push(read(text).ok_or_else(wrong)?);
    }
    pins.sort();
    pins.dedup();
    Ok(Some(pins))
}

/// A Workspace domain in its one spelling.
pub fn hosted_domain(text: &str) -> Option<String> {
    DomainName::parse(text).ok().map(|name| name.as_str().to_owned())
}
