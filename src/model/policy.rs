//! How an organization lets people sign in to it, and the switches of project and organization that both must be on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::words;
use crate::foundation::id::DelegationId;
use crate::model::connection::{Connection, Preset, Upstream};
use crate::model::identity::IdentityFacts;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    pub enforcement: Enforcement,
    /// No token without a second factor, ours or one that the identity provider vouched for.
    pub require_mfa: bool,
    /// The same for who holds one of these roles (S1-A2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mfa_required_for: Vec<String>,
    /// Longest time since the person proved who they are, in seconds.
    pub max_age: Option<u64>,
    pub delegations: DelegationAcceptance,
    #[serde(skip_serializing_if = "Switches::is_empty")]
    pub switches: Switches,
    /// Of Google, only people of these Workspace domains (S3-32). Empty: of any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub google_hosted_domains: Vec<String>,
    /// Of Microsoft, only people of these tenants. Empty: of any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub microsoft_tenant_ids: Vec<String>,
    pub member_list: MemberList,
    /// Whether its people may let devices in that have no browser: off unless it is said (threats H23).
    pub device_sign_in: bool,
}

words! {
    /// Whether members must come through the organization's own connection.
    #[derive(Default)]
    Enforcement { #[default] Off = "off", Required = "required" }
}

words! {
    /// What members who administer nothing see of each other.
    #[derive(Default)]
    MemberList { #[default] Hidden = "hidden", Names = "names" }
}

/// Which delegations an organization accepts, of those that it has approved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DelegationAcceptance {
    #[default]
    Approved,
    None,
    Only(Vec<DelegationId>),
}

impl DelegationAcceptance {
    pub fn accepts(&self, delegation: DelegationId) -> bool {
        match self {
            Self::Approved => true,
            Self::None => false,
            Self::Only(list) => list.contains(&delegation),
        }
    }
}

words! {
    /// What project and organization switch on and off (S3-19 to S3-29); both must be on (S3-30).
    #[derive(PartialOrd, Ord)]
    Switch {
        LogInWithGoogle = "log_in_with_google",
        LogInWithMicrosoft = "log_in_with_microsoft",
        LogInWithGithub = "log_in_with_github",
        LogInWithEmail = "log_in_with_email",
        LogInWithPassword = "log_in_with_password",
        LogInWithSaml = "log_in_with_saml",
        LogInWithOidc = "log_in_with_oidc",
        LogInWithAuthenticatorApp = "log_in_with_authenticator_app",
        LogInWithPasskey = "log_in_with_passkey",
        LogInWithPasskeyPrimary = "log_in_with_passkey_primary",
        ScimEnabled = "scim_enabled",
        CustomRolesEnabled = "custom_roles_enabled",
        ApiKeysEnabled = "api_keys_enabled",
    }
}

impl Switch {
    /// By which people come who have proved themselves to somebody else: such a proof may tell of a second factor.
    pub const UPSTREAM: [Self; 4] =
        [Self::LogInWithGoogle, Self::LogInWithMicrosoft, Self::LogInWithSaml, Self::LogInWithOidc];

    /// Whether there is anything to switch on. What there is is on where nobody says otherwise.
    pub fn is_available(self) -> bool {
        Self::UPSTREAM.contains(&self) || matches!(self, Self::CustomRolesEnabled | Self::ApiKeysEnabled)
    }

    /// By which method a connection signs people in. Google and Microsoft are those that the project offers to
    /// everybody; an organization's own provider is one of its protocol, whoever runs it.
    pub fn of(connection: &Connection) -> Self {
        match (&connection.settings.upstream, connection.organization_id) {
            (Upstream::Saml(_), _) => Self::LogInWithSaml,
            (Upstream::Oidc(oidc), None) if oidc.preset == Preset::Google => Self::LogInWithGoogle,
            (Upstream::Oidc(oidc), None) if oidc.preset == Preset::Entra => Self::LogInWithMicrosoft,
            (Upstream::Oidc(_), _) => Self::LogInWithOidc,
        }
    }
}

/// Those that somebody has set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Switches(BTreeMap<Switch, bool>);

impl Switches {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `None`: as if nobody had ever said anything.
    pub fn set(&mut self, switch: Switch, on: Option<bool>) {
        match on {
            Some(on) => self.0.insert(switch, on),
            None => self.0.remove(&switch),
        };
    }

    pub fn is_on(&self, switch: Switch) -> bool {
        switch.is_available() && self.0.get(&switch).copied().unwrap_or(true)
    }

    /// Whether anybody may come by this connection at all: of a project, with an organization's policy.
    pub fn open(&self, connection: &Connection, policy: Option<&Policy>) -> bool {
        let method = Switch::of(connection);
        self.is_on(method) && policy.is_none_or(|policy| policy.switches.is_on(method))
    }

    /// A project's switch, with an organization's.
    pub fn effective(&self, organization: &Self, switch: Switch) -> bool {
        self.is_on(switch) && organization.is_on(switch)
    }
}

impl Policy {
    /// Whether somebody may come by this connection, as far as switches and pins go. `facts`: what its provider said of
    /// them.
    pub fn lets_in_by(&self, project: &Switches, connection: &Connection, facts: &IdentityFacts) -> bool {
        let method = Switch::of(connection);
        let pinned = |wanted: &[String], fact: &Option<String>| {
            wanted.is_empty() || fact.as_ref().is_some_and(|fact| wanted.contains(fact))
        };
        project.effective(&self.switches, method)
            && match method {
                Switch::LogInWithGoogle => pinned(&self.google_hosted_domains, &facts.hosted_domain),
                Switch::LogInWithMicrosoft => pinned(&self.microsoft_tenant_ids, &facts.tenant),
                _ => true,
            }
    }

    /// Whether who holds these roles needs a second factor.
    pub fn wants_mfa_of(&self, roles: &[String]) -> bool {
        self.require_mfa || roles.iter().any(|role| self.mfa_required_for.contains(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_30_a_switch_is_on_where_both_have_it_on_and_there_is_something_to_switch() {
        let set = |on| {
            let mut switches = Switches::default();
            Switch::ALL.iter().for_each(|switch| switches.set(*switch, on));
            switches
        };
        for switch in Switch::ALL.iter().copied() {
            for (project, organization) in [(None, None), (None, Some(true)), (Some(true), Some(true))] {
                assert_eq!(set(project).effective(&set(organization), switch), switch.is_available());
            }
            for (project, organization) in
                [(Some(false), None), (None, Some(false)), (Some(true), Some(false))]
            {
                assert!(!set(project).effective(&set(organization), switch), "{switch}");
            }
        }
    }

    #[test]
    fn a_policy_of_before_reads_as_it_was_meant() {
        let old = r#"{"enforcement":"off","require_mfa":true,"max_age":null,"delegations":"approved"}"#;
        let policy: Policy = serde_json::from_str(old).unwrap_or_default();
        assert_eq!(policy, Policy { require_mfa: true, ..Policy::default() });
    }
}
