//! How a connection is shown: as it would be written, with what its provider's administrator needs of us, and never with
//! a secret.

mod idp;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Held;
use super::said::body::{self, Kind, OidcBody, SamlBody};
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::foundation::secret::Secret;
use crate::keys::connection_secret;
use crate::keys::keyring::Keyring;
use crate::manage::desk::etag;
use crate::model::connection::{Connection, Lifecycle, Settings, SpAddresses, Undone, Upstream, Version};
use crate::protocol::jose::Jwk;
use crate::protocol::oauth::client_authentication::Method;
use idp::{IdpView, idp, other_certificates};

/// The end of a secret is shown of those that are long enough to stay secret.
const SHORTEST_SHOWN: usize = 16;

/// What a view needs besides the connection.
#[derive(Clone)]
pub struct Teller {
    pub issuer: String,
    pub keyring: Keyring,
    pub now: Moment,
}

/// What a list shows of one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConnectionListed {
    pub id: String,
    /// `null`: it is the project's own.
    pub organization_id: Option<String>,
    pub slug: String,
    pub display_name: String,
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["oidc", "saml"]))]
    pub kind: &'static str,
    #[schemars(extend("enum" = ["draft", "testing", "active", "disabled"]))]
    pub state: &'static str,
    pub primary: bool,
    pub version: i64,
    /// What may be made live; `null`: nothing.
    pub draft_version: Option<i64>,
    #[schemars(extend("format" = "date-time"))]
    pub activated_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

/// An identity provider, as an organization or the project has set it up.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConnectionView {
    pub id: String,
    /// `null`: it is the project's own.
    pub organization_id: Option<String>,
    pub slug: String,
    pub display_name: String,
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["oidc", "saml"]))]
    pub kind: &'static str,
    #[schemars(extend("enum" = ["draft", "testing", "active", "disabled"]))]
    pub state: &'static str,
    /// Whether it is the one of the organization that is meant where no other is named.
    pub primary: bool,
    pub version: i64,
    /// Where a roll back leads; `null`: nowhere.
    pub previous_version: Option<i64>,
    /// As it is set now, as it would be sent.
    #[schemars(with = "SettingsView")]
    pub settings: Map<String, Value>,
    pub secret_set: bool,
    /// The end of a client secret.
    pub secret_last4: Option<String>,
    /// Of `private_key_jwt`: the public key that the provider must know us by (RFC 7517).
    #[schemars(with = "Option<Map<String, Value>>")]
    pub public_jwk: Option<Jwk>,
    /// Of SAML: what is known of the provider.
    pub idp: Option<IdpView>,
    /// What may be made live in its place; `null`: nothing, or the connection as it is.
    pub draft: Option<DraftView>,
    pub addresses: AddressesView,
    #[schemars(extend("format" = "date-time"))]
    pub activated_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

/// As it would be sent, without secrets.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape is told")]
pub enum SettingsView {
    Oidc(Box<OidcBody>),
    Saml(Box<SamlBody>),
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DraftView {
    pub version: i64,
    #[schemars(with = "SettingsView")]
    pub settings: Map<String, Value>,
    pub secret_set: bool,
    pub secret_last4: Option<String>,
    #[schemars(with = "Option<Map<String, Value>>")]
    pub public_jwk: Option<Jwk>,
    pub idp: Option<IdpView>,
    /// An id, or the kind of who has none.
    pub created_by: String,
    /// The delegation, or the application that they had to allow, by which they acted: then it is a draft of
    /// somebody else's for the person themselves, too.
    pub by_leave: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// The version that was live when it was begun; `null`: none was.
    pub begun_on: Option<i64>,
    /// What was changed since in what is live, and is not so in the draft: whoever makes it live names what they have read, by
    /// `If-Match`.
    pub undoes: Vec<UndoneView>,
}

/// A setting that a draft would undo.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UndoneView {
    pub setting: String,
    /// As it is now, and as the draft has it: certificates by their fingerprints; of a secret, `null` both times.
    pub live: Value,
    pub draft: Value,
}

/// What the provider's administrator needs of us (S1-P4).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AddressesView {
    /// Of OpenID Connect.
    pub redirect_uri: Option<String>,
    /// Of `private_key_jwt`: where our public keys are, those of the draft ahead of their use.
    pub jwks_url: Option<String>,
    /// Where people come back to who have signed out at the provider (`single_logout`).
    pub post_logout_redirect_uri: Option<String>,
    /// Where the provider may revoke all that somebody has by it (Global Token Revocation).
    pub global_token_revocation_uri: Option<String>,
    /// Where the provider may say that a session ended there (OpenID Connect Back-Channel Logout).
    pub backchannel_logout_uri: Option<String>,
    /// Of SAML: our entity id.
    pub sp_entity_id: Option<String>,
    /// The assertion consumer service, by HTTP-POST.
    pub sp_acs_url: Option<String>,
    pub sp_metadata_url: Option<String>,
    pub sp_slo_url: Option<String>,
}

/// What a connection was, or is to be.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VersionView {
    pub version: i64,
    #[schemars(extend("enum" = ["draft", "live", "superseded", "rolled_back", "discarded"]))]
    pub state: &'static str,
    #[schemars(with = "SettingsView")]
    pub settings: Map<String, Value>,
    pub secret_set: bool,
    /// An id, or the kind of who has none.
    pub created_by: String,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub activated_at: Option<String>,
    /// When the first sign-in by it succeeded.
    #[schemars(extend("format" = "date-time"))]
    pub worked_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub ended_at: Option<String>,
    pub reason: Option<String>,
}

impl ConnectionListed {
    pub fn of(it: &Connection, lifecycle: &Lifecycle, draft: Option<i64>) -> Self {
        Self {
            id: it.id.to_string(),
            organization_id: it.organization_id.map(|id| id.to_string()),
            slug: it.slug.clone(),
            display_name: it.display_name.clone(),
            kind: it.settings.upstream.word(),
            state: it.state.word(),
            primary: lifecycle.is_primary(),
            version: it.version,
            draft_version: draft,
            activated_at: lifecycle.activated_at.map(|at| at.rfc3339()),
            created_at: it.created_at.rfc3339(),
            updated_at: it.updated_at.rfc3339(),
        }
    }
}

impl Teller {
    pub fn connection(&self, held: &Held) -> ConnectionView {
        let (it, lifecycle) = (&held.connection, &held.lifecycle);
        let (secret_set, secret_last4) = self.secret(it.id, &it.settings, it.secret.as_ref());
        ConnectionView {
            id: it.id.to_string(),
            organization_id: it.organization_id.map(|id| id.to_string()),
            slug: it.slug.clone(),
            display_name: it.display_name.clone(),
            kind: it.settings.upstream.word(),
            state: it.state.word(),
            primary: lifecycle.is_primary(),
            version: it.version,
            previous_version: lifecycle.previous_version,
            settings: body::written(&it.settings),
            secret_set,
            secret_last4,
            public_jwk: self.public_jwk(it.id, &it.settings, it.secret.as_ref()),
            idp: idp(&it.settings, self.now),
            draft: held.draft.as_ref().map(|draft| {
                let mut view = self.draft(draft, &held.undoes);
                let others = other_certificates(&it.settings, &draft.settings);
                if let Some(idp) = view.idp.as_mut().filter(|_| held.was_live()) {
                    let known = std::mem::take(&mut idp.warnings);
                    idp.warnings = others.into_iter().chain(known).collect();
                }
                view
            }),
            addresses: self.addresses(held),
            activated_at: lifecycle.activated_at.map(|at| at.rfc3339()),
            created_at: it.created_at.rfc3339(),
            updated_at: it.updated_at.rfc3339(),
        }
    }

    fn draft(&self, it: &Version, undoes: &[Undone]) -> DraftView {
        let undone = |one: &Undone| UndoneView {
            setting: one.setting.clone(),
            live: one.live.clone(),
            draft: one.draft.clone(),
        };
        let (secret_set, secret_last4) = self.secret(it.connection_id, &it.settings, it.secret.as_ref());
        DraftView {
            version: it.number,
            settings: body::written(&it.settings),
            secret_set,
            secret_last4,
            public_jwk: self.public_jwk(it.connection_id, &it.settings, it.secret.as_ref()),
            idp: idp(&it.settings, self.now),
            created_by: it.created_by.clone(),
            by_leave: it.by_leave.clone(),
            created_at: it.created_at.rfc3339(),
            begun_on: it.begun_on,
            undoes: undoes.iter().map(undone).collect(),
        }
    }

    /// Whether there is one, and the end of it where it is a client secret (S1-P3).
    fn secret(
        &self,
        id: ConnectionId,
        settings: &Settings,
        sealed: Option<&Vec<u8>>,
    ) -> (bool, Option<String>) {
        let is_secret = match &settings.upstream {
            Upstream::Oidc(oidc) => {
                matches!(oidc.authentication, Method::SecretBasic | Method::SecretPost)
            }
            Upstream::Saml(_) => false,
        };
        let opened = sealed
            .filter(|_| is_secret)
            .and_then(|sealed| connection_secret::open(&self.keyring, id, sealed).ok());
        (sealed.is_some(), opened.as_ref().and_then(last4))
    }

    fn public_jwk(&self, id: ConnectionId, settings: &Settings, sealed: Option<&Vec<u8>>) -> Option<Jwk> {
        connection_secret::public_jwk(&self.keyring, id, settings, sealed)
    }

    fn addresses(&self, held: &Held) -> AddressesView {
        let it = &held.connection;
        let signs = [Some(&*it.settings), held.draft.as_ref().map(|draft| &draft.settings)]
            .into_iter()
            .flatten()
            .any(connection_secret::signs);
        let sp = SpAddresses::of(&self.issuer, it.id);
        let is_saml = Kind::of(&it.settings.upstream) == Kind::Saml;
        AddressesView {
            redirect_uri: (!is_saml).then(|| format!("{}/oidc/{}/callback", self.issuer, it.id)),
            jwks_url: signs.then(|| connection_secret::jwks_url(&self.issuer, it.id)),
            post_logout_redirect_uri: (!is_saml)
                .then(|| format!("{}/oidc/{}/signed-out", self.issuer, it.id)),
            global_token_revocation_uri: (!is_saml)
                .then(|| format!("{}/oidc/{}/global-token-revocation", self.issuer, it.id)),
            backchannel_logout_uri: (!is_saml)
                .then(|| format!("{}/oidc/{}/backchannel-logout", self.issuer, it.id)),
            sp_metadata_url: is_saml.then(|| sp.entity_id.clone()),
            sp_entity_id: is_saml.then_some(sp.entity_id),
            sp_acs_url: is_saml.then_some(sp.acs),
            sp_slo_url: is_saml.then_some(sp.slo),
        }
    }
}

fn last4(secret: &Secret) -> Option<String> {
    let all: Vec<char> = secret.expose().chars().collect();
    (all.len() >= SHORTEST_SHOWN).then(|| all[all.len() - 4..].iter().collect())
}

impl VersionView {
    pub fn of(it: &Version) -> Self {
        let at = |at: Option<Moment>| at.map(|at| at.rfc3339());
        Self {
            version: it.number,
            state: it.state.word(),
            settings: body::written(&it.settings),
            secret_set: it.secret.is_some(),
            created_by: it.created_by.clone(),
            created_at: it.created_at.rfc3339(),
            activated_at: at(it.activated_at),
            worked_at: at(it.worked_at),
            ended_at: at(it.ended_at),
            reason: it.reason.clone(),
        }
    }
}

/// Of all that is shown of it but our own addresses, which stay: also of what a provider's metadata says, which moves by
/// itself, and by which somebody may have decided.
pub fn tag(held: &Held, keyring: &Keyring, now: Moment) -> String {
    let teller = Teller { issuer: String::new(), keyring: keyring.clone(), now };
    etag(&teller.connection(held))
}
