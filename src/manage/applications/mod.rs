//! Applications, by the same rules as in the operator's file: the project's own, and those that organizations own.

pub mod api;
mod asked;
mod body;
mod owned;
mod sector;
mod stated;
mod values;
mod view;
mod wanted;

use std::collections::BTreeSet;

use serde_json::Value;

use super::desk::Change;
use super::publishers::{self, publisher};
use super::refused::{Code, Refused};
use crate::audit;
use crate::foundation::id::{ApplicationId, OrganizationId};
use crate::foundation::secret::Secret;
use crate::model::application::{
    Application, ApplicationKind, ApplicationSettings, AuthorizationSettings, ClientSettings,
    ExchangeSettings, Lifetimes, OrganizationPrompt, OrganizationUsage, SenderSettings, SignOutSettings,
};
use crate::model::audit_event::Actor;
use crate::model::claim_shape::ClaimShape;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::client_certificate::holds_certificate;
use crate::store::durable::engine::{Lock, Tx};
use crate::store::durable::{
    applications, connections, grants, machine_grants, organizations, registrations,
};

pub use asked::may_be_asked;
pub use body::{ApplicationBody, GRANT_TYPES};
pub use sector::Sector;
pub use stated::{Rewritten, Stated, make, rewrite};
pub use wanted::Wanted;

/// An application with what stands beside its row.
#[derive(Clone, Debug)]
pub struct Whole {
    pub application: Application,
    /// The organizations that may use it, where not all may.
    pub listed: Vec<OrganizationId>,
    /// How many secrets work.
    pub secrets: usize,
}

/// What an application is where nothing else is said.
fn usual(kind: ApplicationKind) -> ApplicationSettings {
    ApplicationSettings {
        kind,
        authentication: kind.usual_authentication(),
        jwks: None,
        sender: SenderSettings::default(),
        redirect_uris: Vec::new(),
        initiate_login_uri: None,
        sign_out: SignOutSettings::default(),
        client: ClientSettings::default(),
        requests: AuthorizationSettings::default(),
        scopes: kind.usual_scopes().iter().map(|scope| (*scope).to_owned()).collect(),
        grant_types: kind.usual_grant_types().to_vec(),
        lifetimes: Lifetimes::default(),
        algorithm: Algorithm::RS256,
        audiences: Vec::new(),
        organization_prompt: OrganizationPrompt::After,
        organization_usage: OrganizationUsage::Allow,
        domain_based: true,
        connections: Vec::new(),
        organizations_limited: false,
        claims: ClaimShape::default(),
        exchange: ExchangeSettings::default(),
    }
}

fn has_secrets(settings: &ApplicationSettings) -> bool {
    matches!(settings.authentication, Method::SecretBasic | Method::SecretPost)
}

/// What holds of every application, however it came to be.
fn obeys_rules(settings: &ApplicationSettings) -> Result<(), Refused> {
    let (kind, method) = (settings.kind, settings.authentication);
    if let Some(why) = kind.authentication_fault(method) {
        return Err(Refused::value("/token_endpoint_auth_method", why));
    }
    if let Some((name, rule)) = settings.lifetimes.fault() {
        return Err(Refused::value(&format!("/lifetimes/{name}"), rule));
    }
    if let Some(why) = settings.grant_types_fault() {
        return Err(Refused::value("/grant_types", why));
    }
    if let Some((name, why)) = settings.claims.mapping_fault() {
        let name = name.replace('~', "~0").replace('/', "~1");
        return Err(Refused::value(&format!("/claims/mapping/{name}"), why.to_string()));
    }
    let fault = settings
        .keys_fault()
        .or_else(|| settings.subject_fault())
        .or_else(|| settings.profile_fault())
        .or_else(|| settings.sign_out.fault(&settings.redirect_uris));
    if let Some((name, why)) = fault {
        return Err(Refused::value(&format!("/{name}"), why));
    }
    // What is published is seen when it is needed.
    let bare = settings.jwks.as_ref().is_some_and(|jwks| !holds_certificate(jwks));
    if method == Method::SelfSignedTlsClientAuth && bare {
        return Err(Refused::value("/jwks", "holds no certificate (x5c)"));
    }
    match (method == Method::TlsClientAuth, &settings.sender.certificate) {
        (true, None) => {
            let why = "tls_client_auth needs one name of the certificate";
            return Err(Refused::value("/tls_client_auth_subject_dn", why));
        }
        (false, Some(name)) => {
            let pointer = format!("/{}", name.shown().0);
            return Err(Refused::value(&pointer, "only tls_client_auth has a certificate's name"));
        }
        _ => {}
    }
    if let Some((name, rule)) = settings.requests.fault(settings.has_keys()) {
        return Err(Refused::value(&format!("/{name}"), rule));
    }
    if kind.signs_people_in() && settings.redirect_uris.is_empty() {
        let why = format!("a {kind} application has at least one: nobody could be sent back to it");
        return Err(Refused::value("/redirect_uris", why));
    }
    Ok(())
}

/// Makes an application; a secret, if it has any, is made by us and shown once. `owner`: whose it is; absent: the project's.
pub async fn create(
    change: &mut Change<'_, '_>,
    owner: Option<OrganizationId>,
    wanted: &Wanted,
) -> Result<(Whole, Option<Secret>), Refused> {
    let keep = change.keep;
    let stopped_at = match owner {
        Some(owner) => {
            let owner = publisher(change, owner).await?;
            owned::refuse_too_many(change, owner.id).await?;
            (!owner.is_active()).then_some(keep.now)
        }
        None => None,
    };
    // Whoever may choose it could be taken for somebody else by it, and learns which there are.
    if wanted.client_id.is_some() && !owned::is_operator(change) {
        return Err(owned::operators("client_id"));
    }
    let id = ApplicationId::new(&keep.random, keep.now);
    let client_id = wanted.client_id.clone().unwrap_or_else(|| id.to_string());
    let blank = Application {
        id,
        project_id: keep.project.id,
        organization_id: owner,
        display_name: client_id.clone(),
        client_id,
        settings: usual(wanted.kind.unwrap_or(ApplicationKind::Web)).into(),
        created_at: keep.now,
        updated_at: keep.now,
        disabled_at: None,
        stopped_at,
    };
    let mut blank = Whole { application: blank, listed: Vec::new(), secrets: 0 };
    owned::begin(&mut blank);
    let mut whole = laid_over(change, &blank, wanted).await?;
    // Nor is what is usual of its kind theirs by that.
    blank.application.settings.grant_types.clear();
    owned::refuse_beyond(change, &blank, &whole, wanted)?;
    let application = &whole.application;
    sector::is_listed(&application.settings, None, wanted.sector.as_ref())?;
    applications::insert(change.tx, application).await?;
    applications::set_listed(change.tx, id, &whole.listed).await?;
    let secret = has_secrets(&application.settings).then(|| change.keep.random.token());
    if let Some(secret) = &secret {
        applications::add_secret(change.tx, id, secret.digest(), false, change.keep.now).await?;
        whole.secrets = 1;
    }
    record(change, "application.created", &whole.application, None, view::facts(&whole)).await?;
    Ok((whole, secret))
}

/// Keeps everybody else from changing it until the transaction ends.
pub async fn lock(tx: &mut Tx<'_>, id: ApplicationId) -> Result<(), Refused> {
    Ok(tx.lock(Lock::Exclusive, "applications", &id.to_string()).await?)
}

/// One as it is in this transaction.
async fn held(change: &mut Change<'_, '_>, id: ApplicationId) -> Result<Whole, Refused> {
    lock(change.tx, id).await?;
    let found = applications::by_id(change.tx, change.keep.project.id, id).await?;
    let application = found.ok_or_else(Refused::hidden)?;
    let listed = applications::listed(change.tx, id).await?;
    let secrets = applications::secrets(change.tx, id).await?.len();
    Ok(Whole { application, listed, secrets })
}

/// Changes what is wanted of it; `from_scratch`: everything else becomes what it usually is.
pub async fn update(
    change: &mut Change<'_, '_>,
    id: ApplicationId,
    wanted: &Wanted,
    from_scratch: bool,
) -> Result<Whole, Refused> {
    let before = held(change, id).await?;
    change.matches(&view::tag(&before))?;
    if wanted.client_id.as_ref().is_some_and(|new| *new != before.application.client_id) {
        return Err(Refused::value("/client_id", "is never changed"));
    }
    let mut base = before.clone();
    if from_scratch {
        base.application.settings = usual(wanted.kind.unwrap_or(ApplicationKind::Web)).into();
        base.application.display_name = base.application.client_id.clone();
        base.application.disabled_at = None;
        base.listed.clear();
        owned::begin(&mut base);
        if !owned::is_operator(change) {
            owned::keep_the_operators(&mut base, &before);
        }
    }
    let after = laid_over(change, &base, wanted).await?;
    owned::refuse_beyond(change, &before, &after, wanted)?;
    let (was, is) = (&before.application.settings, &after.application.settings);
    sector::is_listed(is, Some(was), wanted.sector.as_ref())?;
    keep(change, &before, after, wanted.changes_subjects).await
}

/// Ends it: nobody is sent to it any more, and nothing that it has is worth anything. Once more is as good.
pub async fn disable(change: &mut Change<'_, '_>, id: ApplicationId) -> Result<(), Refused> {
    let before = held(change, id).await?;
    change.matches(&view::tag(&before))?;
    let mut after = before.clone();
    after.application.disabled_at = after.application.disabled_at.or(Some(change.keep.now));
    keep(change, &before, after, false).await.map(drop)
}

/// Writes what differs. Where nothing differs, nothing happens. Where people are to be known by other names from now on,
/// that must have been said, and whatever was granted under the old ones ends: no two answers name one person in two ways.
async fn keep(
    change: &mut Change<'_, '_>,
    before: &Whole,
    mut after: Whole,
    changes_subjects: bool,
) -> Result<Whole, Refused> {
    if !sector::keeps_names(&before.application.settings, &after.application.settings) {
        if !changes_subjects {
            let why = "its people would be known to it by other names from then on, and what it holds of them would end: \
                       only the operator may say so, by change_subjects at the administration API";
            return Err(Refused::value("/subject_type", why));
        }
        grants::revoke_of_application(change.tx, after.application.id, change.keep.now).await?;
    }
    let (was, is) = audit::differing(&view::facts(before), &view::facts(&after));
    if was == is {
        return Ok(after);
    }
    let id = after.application.id;
    // A renewed certificate has the name of the one before. Of another name it is to be because the one before is in strange
    // hands, and so is what is bound to it.
    let name_of = |whole: &Whole| whole.application.settings.sender.certificate.clone();
    if name_of(before).is_some() && name_of(before) != name_of(&after) {
        grants::revoke_of_application(change.tx, id, change.keep.now).await?;
        machine_grants::revoke_of_application(change.tx, id, change.keep.now).await?;
    }
    after.application.updated_at = change.keep.now;
    applications::update(change.tx, &after.application).await?;
    applications::set_listed(change.tx, id, &after.listed).await?;
    if !has_secrets(&after.application.settings) && after.secrets > 0 {
        applications::set_secrets(change.tx, id, &[], change.keep.now).await?;
        after.secrets = 0;
    }
    // Whoever took it out of service did not mean that it manages itself, then or later (threats M07).
    if !after.is_enabled() {
        registrations::forget(change.tx, id).await?;
    }
    if change.keep.actor != Actor::Application(id)
        && let Some(limits) = registrations::limits_of(change.tx, id).await?
    {
        registrations::limit(change.tx, id, &limits.after(&before.application, &after.application)).await?;
    }
    let action = match (before.is_enabled(), after.is_enabled()) {
        (true, false) => "application.disabled",
        (false, true) => "application.enabled",
        _ => "application.updated",
    };
    record(change, action, &after.application, Some(was), is).await?;
    Ok(after)
}

/// Gives it a new secret; the one before goes on working beside it if `keeps_one`.
pub async fn rotate(
    change: &mut Change<'_, '_>,
    id: ApplicationId,
    keeps_one: bool,
) -> Result<(Whole, Secret), Refused> {
    let mut whole = held(change, id).await?;
    change.matches(&view::tag(&whole))?;
    if !has_secrets(&whole.application.settings) {
        return Err(Refused::new(Code::NoSecrets, Code::NoSecrets.title()));
    }
    let secret = change.keep.random.token();
    applications::add_secret(change.tx, id, secret.digest(), keeps_one, change.keep.now).await?;
    whole.secrets = applications::secrets(change.tx, id).await?.len();
    let facts = serde_json::json!({ "secrets": whole.secrets });
    record(change, "application.secret_rotated", &whole.application, None, facts).await?;
    Ok((whole, secret))
}

impl Whole {
    pub fn is_enabled(&self) -> bool {
        self.application.disabled_at.is_none()
    }

    /// Whether it could prove itself by a secret, and has none.
    pub fn lacks_secret(&self) -> bool {
        self.secrets == 0 && has_secrets(&self.application.settings)
    }
}

/// What is wanted, over what there is; what it names must exist.
async fn laid_over(change: &mut Change<'_, '_>, base: &Whole, wanted: &Wanted) -> Result<Whole, Refused> {
    let mut whole = base.clone();
    let settings = &mut whole.application.settings;
    wanted.over(settings);
    owned::refuse_others(change, base, wanted).await?;
    let (owner, any) = (base.application.organization_id, owned::is_operator(change));
    if let Some(names) = &wanted.connections {
        settings.connections.clear();
        for (place, name) in names.iter().enumerate() {
            let found = connections::named(change.tx, change.keep.project.id, name).await?;
            let is_known = |id| base.application.settings.connections.contains(&id);
            let found = found.filter(|found| any || found.organization_id == owner || is_known(found.id));
            let wrong = || Refused::value(&format!("/connections/{place}"), "there is no such connection");
            settings.connections.push(found.ok_or_else(wrong)?.id);
        }
    }
    if let Some(names) = &wanted.organizations {
        settings.organizations_limited = names.is_some();
        let mut listed = BTreeSet::new();
        for (place, name) in names.iter().flatten().enumerate() {
            let found = organizations::named(change.tx, change.keep.project.id, name).await?;
            let found = found.filter(|found| found.deleted_at.is_none());
            let wrong =
                || Refused::value(&format!("/organizations/{place}"), "there is no such organization");
            listed.insert(found.ok_or_else(wrong)?.id);
        }
        whole.listed = listed.into_iter().collect();
    }
    obeys_rules(settings)?;
    if owner.is_some() && !settings.organizations_limited {
        return Err(Refused::value("/organizations", "one that an organization owns names who may use it"));
    }
    if let Some(name) = &wanted.display_name {
        whole.application.display_name.clone_from(name);
    }
    whole.application.disabled_at = match wanted.enabled {
        Some(true) => None,
        Some(false) => whole.application.disabled_at.or(Some(change.keep.now)),
        None => whole.application.disabled_at,
    };
    Ok(whole)
}

async fn record(
    change: &mut Change<'_, '_>,
    action: &'static str,
    application: &Application,
    before: Option<Value>,
    after: Value,
) -> Result<(), Refused> {
    let event = publishers::event(change, action, application);
    change.record(&event.changing(before, Some(after))).await
}
