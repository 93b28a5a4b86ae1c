//! How a policy is shown.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::foundation::id::DelegationId;
use crate::model::organization::{DelegationAcceptance, Policy};
use crate::model::policy::{Switch, Switches};
use crate::model::project::ProjectSettings;

/// One switch: on where both have it on (S3-30).
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct SwitchView {
    /// The organization's.
    pub configured: bool,
    pub project: bool,
    pub effective: bool,
}

macro_rules! view {
    ($(#[$doc:meta])* $name:ident of $kind:ty { $($field:ident: $switch:ident,)+ } and { $($rest:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, JsonSchema)]
        pub struct $name {
            $(pub $field: $kind,)+
            $($rest)*
        }
    };
}

macro_rules! switches {
    ($view:ident, $of:expr, { $($rest:tt)* }) => {
        $view {
            log_in_with_google: $of(Switch::LogInWithGoogle),
            log_in_with_microsoft: $of(Switch::LogInWithMicrosoft),
            log_in_with_github: $of(Switch::LogInWithGithub),
            log_in_with_email: $of(Switch::LogInWithEmail),
            log_in_with_password: $of(Switch::LogInWithPassword),
            log_in_with_saml: $of(Switch::LogInWithSaml),
            log_in_with_oidc: $of(Switch::LogInWithOidc),
            log_in_with_authenticator_app: $of(Switch::LogInWithAuthenticatorApp),
            log_in_with_passkey: $of(Switch::LogInWithPasskey),
            log_in_with_passkey_primary: $of(Switch::LogInWithPasskeyPrimary),
            scim_enabled: $of(Switch::ScimEnabled),
            custom_roles_enabled: $of(Switch::CustomRolesEnabled),
            api_keys_enabled: $of(Switch::ApiKeysEnabled),
            $($rest)*
        }
    };
}

view! {
    /// How an organization lets people sign in.
    PolicyView of SwitchView {
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
        #[schemars(extend("enum" = ["off", "required"]))]
        pub enforcement: &'static str,
        pub require_mfa: bool,
        pub mfa_required_for: Vec<String>,
        /// Seconds.
        pub max_age: Option<u64>,
        pub delegations: AcceptanceView,
        pub google_hosted_domains: Vec<String>,
        pub microsoft_tenant_ids: Vec<String>,
        #[schemars(extend("enum" = ["hidden", "names"]))]
        pub member_list: &'static str,
        /// Whether people may let devices in that have no browser.
        pub device_sign_in: bool,
    }
}

view! {
    /// The project's half of every organization's policy.
    ProjectPolicyView of bool {
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
        #[schemars(extend("enum" = ["off", "optional", "required"]))]
        pub organizations: &'static str,
        /// Whether people make organizations of their own.
        pub organizations_by_members: bool,
        /// Whether clients register themselves.
        pub dynamic_registration: bool,
    }
}

/// Which of the approved delegations count.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AcceptanceView {
    Approved,
    None,
    Only(Vec<String>),
}

impl PolicyView {
    pub fn of(policy: &Policy, project: &Switches) -> Self {
        let switch = |switch| SwitchView {
            configured: policy.switches.is_on(switch),
            project: project.is_on(switch),
            effective: project.effective(&policy.switches, switch),
        };
        switches!(Self, switch, {
            enforcement: policy.enforcement.word(),
            require_mfa: policy.require_mfa,
            mfa_required_for: policy.mfa_required_for.clone(),
            max_age: policy.max_age,
            delegations: match &policy.delegations {
                DelegationAcceptance::Approved => AcceptanceView::Approved,
                DelegationAcceptance::None => AcceptanceView::None,
                DelegationAcceptance::Only(ids) => {
                    AcceptanceView::Only(ids.iter().map(DelegationId::to_string).collect())
                }
            },
            google_hosted_domains: policy.google_hosted_domains.clone(),
            microsoft_tenant_ids: policy.microsoft_tenant_ids.clone(),
            member_list: policy.member_list.word(),
            device_sign_in: policy.device_sign_in,
        })
    }
}

impl ProjectPolicyView {
    pub fn of(settings: &ProjectSettings) -> Self {
        let switch = |switch| settings.switches.is_on(switch);
        switches!(Self, switch, {
            organizations: settings.organizations.word(),
            organizations_by_members: settings.organizations_by_members,
            dynamic_registration: settings.dynamic_registration,
        })
    }
}

/// What the audit trail tells of one.
pub fn facts(policy: &Policy) -> Value {
    let mut facts = json!({
        "enforcement": policy.enforcement,
        "require_mfa": policy.require_mfa,
        "mfa_required_for": policy.mfa_required_for,
        "max_age": policy.max_age,
        "delegations": policy.delegations,
        "google_hosted_domains": policy.google_hosted_domains,
        "microsoft_tenant_ids": policy.microsoft_tenant_ids,
        "member_list": policy.member_list,
        "device_sign_in": policy.device_sign_in,
    });
    if let Value::Object(facts) = &mut facts {
        facts.extend(switches(&policy.switches));
    }
    facts
}

/// The same of a project's half.
pub fn project_facts(settings: &ProjectSettings) -> Value {
    let mut facts = switches(&settings.switches);
    facts.insert("organizations".into(), json!(settings.organizations));
    facts.insert("organizations_by_members".into(), json!(settings.organizations_by_members));
    facts.insert("dynamic_registration".into(), json!(settings.dynamic_registration));
    Value::Object(facts)
}

pub fn switches(switches: &Switches) -> Map<String, Value> {
    Switch::ALL.iter().map(|switch| (switch.word().to_owned(), json!(switches.is_on(*switch)))).collect()
}
