//! What is said of an upstream OpenID provider (S1-P2, P3).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Alike, DescribedBy, Faults, Proof, Said, of_oidc};
use crate::foundation::secret::Secret;
use crate::manage::connections::{presets, wanted};
use crate::manage::refused::Refused;
use crate::model::connection::{Endpoints, Jit, OidcSettings, Preset, Settings};
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;

/// A connection whose provider speaks OpenID Connect.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcBody {
    /// Fills in what is known of the provider; usually `generic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<String>",
        extend("enum" = ["generic", "okta", "entra", "google", "keycloak"])
    )]
    pub preset: Option<Preset>,
    /// Compared with `iss` byte for byte; only Google's need not be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Absent: taken from the issuer's discovery document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<EndpointsBody>,
    /// Before the provider has given one, a draft does without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Usually `client_secret_basic`, or `private_key_jwt` where only a key is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<String>",
        extend("enum" = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])
    )]
    pub token_endpoint_auth_method: Option<Method>,
    /// Never told again. Absent: kept.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub client_secret: Option<Secret>,
    /// PEM (PKCS#8): RSA of 2048 bits, P-256 or Ed25519. Never told again. Absent: kept.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub private_key: Option<Secret>,
    /// Usually `openid`, `email` and `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Signatures that are accepted on ID tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minItems" = 1))]
    pub algorithms: Option<Vec<String>>,
    /// The claim that holds the email address; usually `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_claim: Option<String>,
    /// Claims that must have these values, such as `hd` or `tid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_claims: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_login_hint: Option<bool>,
    /// The name under which the domain is forwarded; empty: it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_hint_parameter: Option<String>,
    /// Asks the UserInfo endpoint even where the ID token has the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always_userinfo: Option<bool>,
    /// Leads people who sign out on to the provider's own sign-out; usually not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_logout: Option<bool>,
    /// What happens at the first sign-in of somebody unknown; usually `create_and_join`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("enum" = ["create_and_join", "expected_only"]))]
    pub jit: Option<Jit>,
    /// Organizations that a new user joins besides, by id, UUID or slug. The operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assign_organizations: Option<Vec<String>>,
    /// Roles that a new user gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_roles: Option<Vec<String>>,
    /// Seconds of clock difference that are forgiven; usually 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = wanted::MOST_LEEWAY))]
    pub leeway: Option<u64>,
    /// Passes an application's `prompt=none` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_sign_in: Option<bool>,
}

/// Typed endpoints, for a provider without discovery.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointsBody {
    pub authorization: String,
    pub token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo: Option<String>,
    pub jwks: String,
}

impl OidcBody {
    pub fn of(settings: &Settings, oidc: &OidcSettings) -> Self {
        let oidc = oidc.clone();
        Self {
            preset: Some(oidc.preset),
            issuer: Some(oidc.issuer),
            endpoints: oidc.endpoints.map(|typed| EndpointsBody {
                authorization: typed.authorization.into(),
                token: typed.token.into(),
                userinfo: typed.userinfo.map(String::from),
                jwks: typed.jwks.into(),
            }),
            client_id: Some(oidc.client_id).filter(|id| !id.is_empty()),
            token_endpoint_auth_method: Some(oidc.authentication),
            client_secret: None,
            private_key: None,
            scopes: Some(oidc.scopes),
            algorithms: Some(oidc.algorithms.iter().map(|one| one.name().to_owned()).collect()),
            email_claim: Some(oidc.email_claim),
            required_claims: Some(oidc.required_claims.into_iter().collect()),
            forward_login_hint: Some(oidc.forward_login_hint),
            domain_hint_parameter: Some(oidc.domain_hint_parameter.unwrap_or_default()),
            always_userinfo: Some(oidc.always_userinfo),
            single_logout: Some(oidc.single_logout),
            jit: Some(settings.jit),
            assign_organizations: Some(
                settings.assign_organizations.iter().map(ToString::to_string).collect(),
            ),
            default_roles: Some(settings.default_roles.clone()),
            leeway: Some(settings.leeway),
            silent_sign_in: Some(settings.silent_sign_in),
        }
    }

    pub fn said(self) -> Result<Said, Refused> {
        let mut faults = Faults::default();
        let preset = self.preset.unwrap_or(Preset::Generic);
        let issuer = self.issuer.clone().or_else(|| presets::only_issuer(preset).map(str::to_owned));
        let issuer = issuer.unwrap_or_else(|| {
            faults.refuse("/issuer", "is missing");
            String::new()
        });
        let url = (!issuer.is_empty())
            .then(|| faults.accept("/issuer", wanted::issuer(preset, &issuer)))
            .flatten()
            .map(|url| (url, issuer.clone()));
        let defaults = presets::defaults(preset, url.as_ref());
        let method = self.token_endpoint_auth_method.unwrap_or_else(|| {
            wanted::usual_method(self.client_secret.is_some(), self.private_key.is_some())
        });
        let proof = self.proof(method, &mut faults);
        let oidc = OidcSettings {
            preset,
            issuer,
            endpoints: self.endpoints.as_ref().and_then(|typed| endpoints(typed, &mut faults)),
            client_id: self.client_id.unwrap_or_default(),
            authentication: method,
            scopes: scopes(self.scopes, &mut faults),
            algorithms: algorithms(self.algorithms, &mut faults),
            email_claim: self.email_claim.unwrap_or_else(|| "email".into()),
            forward_login_hint: self.forward_login_hint.unwrap_or(true),
            domain_hint_parameter: match self.domain_hint_parameter {
                None => defaults.domain_hint_parameter,
                Some(text) => Some(text).filter(|name| !name.is_empty()).inspect(|name| {
                    faults.accept("/domain_hint_parameter", wanted::domain_hint(name));
                }),
            },
            required_claims: {
                let mut claims: BTreeMap<_, _> = defaults.required_claims.into_iter().collect();
                claims.extend(self.required_claims.unwrap_or_default());
                claims.into_iter().collect()
            },
            always_userinfo: self.always_userinfo.unwrap_or(false),
            single_logout: self.single_logout.unwrap_or(false),
        };
        let alike = Alike {
            jit: self.jit,
            default_roles: self.default_roles,
            leeway: self.leeway,
            silent_sign_in: self.silent_sign_in,
        };
        let settings = alike.settings(of_oidc(oidc), &mut faults);
        faults.end()?;
        Ok(Said {
            settings,
            described: DescribedBy::Known,
            assign_organizations: self.assign_organizations.unwrap_or_default(),
            proof,
        })
    }

    fn proof(&self, method: Method, faults: &mut Faults) -> Proof {
        let (secret, key) = (self.client_secret.as_ref(), self.private_key.as_ref());
        for (name, given) in [("client_secret", secret), ("private_key", key)] {
            if given.is_some_and(|given| given.expose().trim().is_empty()) {
                faults.refuse(format!("/{name}"), "is empty; leave it out instead");
            }
        }
        for (name, why) in wanted::proof(method, secret, key) {
            faults.refuse(format!("/{name}"), why);
        }
        match wanted::proof_of(method) {
            None => Proof::Nothing,
            Some(_) => secret.or(key).cloned().map_or(Proof::Known, Proof::Given),
        }
    }
}

/// Takes away what the preset would fill in again: with another one, or another issuer, it fills in something else.
pub fn undo_preset(base: &mut Map<String, Value>, oidc: &OidcSettings) {
    let url = wanted::issuer(oidc.preset, &oidc.issuer).ok().map(|url| (url, oidc.issuer.clone()));
    let defaults = presets::defaults(oidc.preset, url.as_ref());
    if let Some(claims) = base.get_mut("required_claims").and_then(Value::as_object_mut) {
        for (name, value) in &defaults.required_claims {
            if claims.get(name).and_then(Value::as_str) == Some(value) {
                claims.remove(name);
            }
        }
    }
    if oidc.domain_hint_parameter == defaults.domain_hint_parameter {
        base.remove("domain_hint_parameter");
    }
}

fn endpoints(typed: &EndpointsBody, faults: &mut Faults) -> Option<Endpoints> {
    let mut address =
        |name: &str, text: &str| faults.accept(format!("/endpoints/{name}"), wanted::web_address(text));
    let (authorization, token) =
        (address("authorization", &typed.authorization), address("token", &typed.token));
    let jwks = address("jwks", &typed.jwks);
    let userinfo = typed.userinfo.as_ref().and_then(|text| address("userinfo", text));
    Some(Endpoints { authorization: authorization?, token: token?, userinfo, jwks: jwks? })
}

fn scopes(given: Option<Vec<String>>, faults: &mut Faults) -> Vec<String> {
    let Some(list) = given else { return wanted::SCOPES.map(str::to_owned).to_vec() };
    for (place, item) in list.iter().enumerate() {
        faults.accept(format!("/scopes/{place}"), wanted::one_scope(item));
    }
    faults.accept("/scopes", wanted::all_scopes(list.iter().map(String::as_str)));
    list
}

fn algorithms(given: Option<Vec<String>>, faults: &mut Faults) -> Vec<Algorithm> {
    let Some(list) = given else { return wanted::ALGORITHMS.to_vec() };
    if list.is_empty() {
        faults.refuse("/algorithms", "must name at least one algorithm");
    }
    let read = |(place, name): (usize, &String)| {
        faults.accept(format!("/algorithms/{place}"), wanted::algorithm(name, &Algorithm::ALL))
    };
    list.iter().enumerate().filter_map(read).collect()
}
