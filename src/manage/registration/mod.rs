//! Clients that register themselves (RFC 7591) and manage themselves (RFC 7592): off unless the project switches it on, and
//! then by a token that the operator gave out. What they may be is judged by the rules of all applications.

pub mod api;
mod body;
pub mod client;
mod view;

use super::desk::Change;
use super::refused::Refused;
use crate::foundation::id::RegistrationTokenId;
use crate::foundation::secret::Secret;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::registration::{Limits, RegistrationToken, TokenText};
use crate::store::durable::engine::Lock;
use crate::store::durable::{connections, organizations, registrations};

use body::Wanted;

async fn create(
    change: &mut Change<'_, '_>,
    wanted: &Wanted,
) -> Result<(RegistrationToken, Secret), Refused> {
    let keep = change.keep;
    let limits = limits(change, wanted).await?;
    let text = TokenText::new(&keep.random, RegistrationTokenId::new(&keep.random, keep.now));
    let token = RegistrationToken {
        id: text.id,
        project_id: keep.project.id,
        name: wanted.name.clone(),
        limits,
        most_uses: wanted.most_uses,
        uses: 0,
        created_by: keep.actor.to_string(),
        created_at: keep.now,
        expires_at: wanted.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    registrations::insert(change.tx, &token, text.secret.digest()).await?;
    let made = event(change, &token, "registration_token.created").changing(None, Some(view::facts(&token)));
    change.record(&made).await?;
    Ok((token, text.text()))
}

/// What it names must exist.
async fn limits(change: &mut Change<'_, '_>, wanted: &Wanted) -> Result<Limits, Refused> {
    let (project, mut limits) = (change.keep.project.id, wanted.limits.clone());
    if let Some(names) = &wanted.organizations {
        let mut found = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let one = organizations::named(change.tx, project, name).await?;
            let one = one.filter(|one| one.deleted_at.is_none());
            let wrong =
                || Refused::value(&format!("/organizations/{place}"), "there is no such organization");
            found.push(one.ok_or_else(wrong)?.id);
        }
        limits.organizations = Some(found);
    }
    if let Some(names) = &wanted.connections {
        let mut found = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let one = connections::named(change.tx, project, name).await?;
            let wrong = || Refused::value(&format!("/connections/{place}"), "there is no such connection");
            found.push(one.ok_or_else(wrong)?.id);
        }
        limits.connections = Some(found);
    }
    Ok(limits)
}

/// Ends it; what was registered with it stays. Once more is as good.
async fn revoke(change: &mut Change<'_, '_>, id: RegistrationTokenId) -> Result<(), Refused> {
    change.tx.lock(Lock::Exclusive, "registration_tokens", &id.to_string()).await?;
    let found = registrations::by_id(change.tx, change.keep.project.id, id).await?;
    let token = found.ok_or_else(Refused::hidden)?;
    if registrations::revoke(change.tx, id, change.keep.now).await? {
        let ended = event(change, &token, "registration_token.revoked");
        change.record(&ended).await?;
    }
    Ok(())
}

fn event(change: &Change<'_, '_>, token: &RegistrationToken, action: &'static str) -> AuditEvent {
    AuditEvent::new(change.keep.project.id, action, Outcome::Changed)
        .actor(change.keep.actor)
        .request(change.keep.request)
        .subject(token.id)
}
