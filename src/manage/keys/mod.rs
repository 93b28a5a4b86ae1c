//! Keys to this API: those of organizations, and the operator's tokens. Shown once, kept as a digest, never more than who
//! made them may (threats H36).

pub mod api;
mod body;
mod view;

use std::time::Duration;

use serde_json::json;

use super::authority::{Need, Target, Verdict, judge};
use super::desk::Change;
use super::refused::{Code, Refused};
use crate::audit::{self};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApiKeyId, OrganizationId};
use crate::foundation::secret::Secret;
use crate::model::api_key::{ApiKey, Holder, KeySecret, KeyText};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::permission::Permission;
use crate::model::policy::Switch;
use crate::store::durable::{api_keys, projects};

use body::{Changed, Wanted};

/// An organization's key ends after a year at most.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// Makes a key of the organization, or an operator token.
async fn create(
    change: &mut Change<'_, '_>,
    organization: Option<OrganizationId>,
    wanted: &Wanted,
) -> Result<(ApiKey, Secret), Refused> {
    let keep = change.keep;
    let holder = wanted.holder(organization)?;
    refuse_disabled(change, organization).await?;
    may_hand_out(change, &holder)?;
    let id = ApiKeyId::new(&keep.random, keep.now);
    let text = KeyText::new(&keep.random, id, organization.is_none());
    let key = ApiKey {
        id,
        project_id: keep.project.id,
        expires_at: ends(organization, wanted.expires_at, keep.now)?,
        holder,
        name: wanted.name.clone(),
        networks: wanted.networks.clone(),
        created_by: keep.actor.to_string(),
        created_at: keep.now,
        revoked_at: None,
        last_used_at: None,
        newest: Some(text.secret.digest()),
        is_outlived: false,
    };
    api_keys::insert(change.tx, &key, shown(change, &text)).await?;
    let made = event(change, &key, "api_key.created").changing(None, Some(view::facts(&key)));
    change.record(&made).await?;
    Ok((key, text.text()))
}

/// Nothing is handed out that lets nobody in (S3-29).
async fn refuse_disabled(
    change: &mut Change<'_, '_>,
    organization: Option<OrganizationId>,
) -> Result<(), Refused> {
    let Some(id) = organization else { return Ok(()) };
    let project = projects::by_id(change.tx, change.keep.project.id).await?.ok_or_else(Refused::hidden)?;
    let found = change.organization(id).await?;
    match project.settings.switches.effective(&found.policy.switches, Switch::ApiKeysEnabled) {
        true => Ok(()),
        false => Err(Refused::by(Code::ApiKeysDisabled)),
    }
}

/// A secret works for as long as who reads it here may what the key may (threats H05): also where a key of theirs made it.
fn shown(change: &Change<'_, '_>, text: &KeyText) -> KeySecret {
    KeySecret { digest: text.secret.digest(), shown_to: change.reader }
}

/// Nobody hands out, by a new key or by a new secret of an old one, more than they may themselves (threats H01).
fn may_hand_out(change: &Change<'_, '_>, holder: &Holder) -> Result<(), Refused> {
    // Whether somebody may make operator tokens is asked of who comes to them at all.
    let Holder::Organization(id, permissions) = holder else { return Ok(()) };
    let of_it = Target::Organization(*id);
    for name in permissions {
        let verdict = match Permission::from_word(name) {
            Some(permission) => judge(&change.standing, Need::Permitted(permission), of_it),
            None => Verdict::Hidden,
        };
        match verdict {
            Verdict::Granted => {}
            // What nobody may there is nobody's to hand out (S0-26).
            Verdict::Refused(code @ Code::OrganizationFunctionMissing) => {
                let detail = format!("the functional roles of the organization leave out {name}");
                return Err(Refused::new(code, detail));
            }
            _ => {
                let detail = format!("you do not have the permission {name} yourself");
                return Err(Refused::new(Code::RoleCeiling, detail));
            }
        }
    }
    Ok(())
}

/// When a key ends: an operator token may live until it is revoked.
fn ends(
    organization: Option<OrganizationId>,
    wanted: Option<Moment>,
    now: Moment,
) -> Result<Option<Moment>, Refused> {
    let latest = now.plus(LONGEST_LIFE);
    match wanted {
        Some(end) if end <= now => Err(Refused::value("/expires_at", "must be in the future")),
        Some(end) if organization.is_some() && end > latest => {
            Err(Refused::value("/expires_at", "must be within a year"))
        }
        None if organization.is_some() => Ok(Some(latest)),
        end => Ok(end),
    }
}

/// A key as it is in this transaction; what has ended does not come back.
async fn alive(change: &mut Change<'_, '_>, id: ApiKeyId) -> Result<ApiKey, Refused> {
    let (key, _) = locked(change, id).await?;
    match key.is_alive(change.keep.now) {
        true if key.is_outlived => {
            let detail = "it ended when its organization was deactivated: make another one";
            Err(Refused::new(Code::ApiKeyEnded, detail))
        }
        true => Ok(key),
        false => Err(Refused::new(Code::ApiKeyEnded, "make another one")),
    }
}

/// With how many of its secrets work.
async fn locked(change: &mut Change<'_, '_>, id: ApiKeyId) -> Result<(ApiKey, usize), Refused> {
    change.tx.lock(crate::store::durable::engine::Lock::Exclusive, "api_keys", &id.to_string()).await?;
    let (project, now) = (change.keep.project.id, change.keep.now);
    let found = api_keys::by_id(change.tx, project, id, now).await?;
    found.map(|(key, digests)| (key, digests.len())).ok_or_else(Refused::hidden)
}

/// Changes name, networks or end; wider networks and a later end are handed out like a new key.
async fn update(change: &mut Change<'_, '_>, id: ApiKeyId, wanted: &Changed) -> Result<ApiKey, Refused> {
    let before = alive(change, id).await?;
    change.matches(&view::tag(&before))?;
    may_hand_out(change, &before.holder)?;
    let organization = organization(&before);
    let mut after = before.clone();
    if let Some(name) = &wanted.name {
        after.name.clone_from(name);
    }
    if let Some(networks) = &wanted.networks {
        after.networks.clone_from(networks);
    }
    if let Some(end) = wanted.expires_at {
        after.expires_at = ends(organization, end, change.keep.now)?;
    }
    if after == before {
        return Ok(after);
    }
    api_keys::update(change.tx, &after).await?;
    let (was, is) = audit::differing(&view::facts(&before), &view::facts(&after));
    let told = event(change, &after, "api_key.updated").changing(Some(was), Some(is));
    change.record(&told).await?;
    Ok(after)
}

/// Secrets of a key that work at a time.
const MOST_SECRETS: usize = 5;

/// Gives the key a new secret; the one before goes on working for a while, and so do earlier ones as they were promised.
async fn rotate(
    change: &mut Change<'_, '_>,
    id: ApiKeyId,
    overlap: Duration,
) -> Result<(ApiKey, Secret, Moment), Refused> {
    let key = alive(change, id).await?;
    change.matches(&view::tag(&key))?;
    may_hand_out(change, &key.holder)?;
    if !overlap.is_zero() && locked(change, id).await?.1 >= MOST_SECRETS {
        let detail = format!("{MOST_SECRETS} secrets of it work: an overlap of 0 ends them");
        return Err(Refused::new(Code::LimitReached, detail));
    }
    let keep = change.keep;
    let until = keep.now.plus(overlap);
    let text = KeyText::new(&keep.random, key.id, organization(&key).is_none());
    let secret = shown(change, &text);
    api_keys::rotate(change.tx, id, secret, until, keep.now).await?;
    let told = event(change, &key, "api_key.rotated").with("old_until", until.rfc3339());
    change.record(&told).await?;
    Ok((key, text.text(), until))
}

/// Ends a key, at once and for good. Once more is as good.
async fn revoke(change: &mut Change<'_, '_>, id: ApiKeyId) -> Result<(), Refused> {
    let (key, _) = locked(change, id).await?;
    change.matches(&view::tag(&key))?;
    if api_keys::revoke(change.tx, id, change.keep.now).await? {
        let told = event(change, &key, "api_key.revoked");
        change.record(&told).await?;
    }
    Ok(())
}

fn organization(key: &ApiKey) -> Option<OrganizationId> {
    match &key.holder {
        Holder::Operator(_) => None,
        Holder::Organization(id, _) => Some(*id),
    }
}

fn event(change: &Change<'_, '_>, key: &ApiKey, action: &'static str) -> AuditEvent {
    AuditEvent::new(change.keep.project.id, action, Outcome::Changed)
        .organization(organization(key))
        .actor(change.keep.actor)
        .request(change.keep.request)
        .subject(key.id)
        .with("name", json!(key.name))
}
