//! What becomes of an organization's keys when who made them may no more what they could then (threats H05): a key is the
//! organization's, and yet never may more than its maker; who was removed has left no key behind.

use std::collections::BTreeSet;

use super::notices;
use crate::audit::Keep;
use crate::foundation::id::{OrganizationId, ProjectId, UserId};
use crate::model::api_key::{ApiKey, Holder};
use crate::model::mail::Kind;
use crate::model::membership::MembershipStatus;
use crate::model::role;
use crate::store::durable::engine::{Read, StoreError, Tx};
use crate::store::durable::{api_keys, memberships, role_rules, roles, users};

/// What an organization's key may now, before the organization's functional roles cut it; nothing at all where its maker
/// does not belong there any more. What the operator made counts as it is.
pub async fn granted(
    db: &mut impl Read,
    project: ProjectId,
    key: &ApiKey,
) -> Result<Option<BTreeSet<String>>, StoreError> {
    let Holder::Organization(organization, permissions) = &key.holder else { return Ok(None) };
    let mut granted: BTreeSet<_> = permissions.iter().cloned().collect();
    let Ok(maker) = key.created_by.parse::<UserId>() else { return Ok(Some(granted)) };
    let Some(own) = of_maker(db, project, *organization, maker).await? else { return Ok(None) };
    granted.retain(|name| own.contains(name));
    Ok(Some(granted))
}

async fn of_maker(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
    maker: UserId,
) -> Result<Option<BTreeSet<String>>, StoreError> {
    let alive = users::by_id(db, project, maker).await?.is_some_and(|user| user.disabled_at.is_none());
    let member = memberships::find(db, organization, maker).await?;
    let Some(member) = member.filter(|member| alive && member.status == MembershipStatus::Active) else {
        return Ok(None);
    };
    let custom = roles::permissions(db, project, organization).await?;
    let by_rule = role_rules::held_by(db, project, organization, maker, &custom).await?;
    let all: Vec<_> = member.roles.into_iter().chain(by_rule).collect();
    Ok(Some(role::granted(&all, &custom)))
}

/// Ends every key that somebody made who belongs to the organization no more; its owners are told which.
pub async fn revoke_of(
    tx: &mut Tx<'_>,
    keep: &Keep,
    organization: OrganizationId,
    maker: UserId,
) -> Result<(), StoreError> {
    let ended = api_keys::revoke_made_by(tx, organization, &maker.to_string(), keep.now).await?;
    for (id, name) in &ended {
        let event = keep.event("api_key.revoked", organization).subject(*id).with("name", name.as_str());
        keep.record(tx, &event.with("made_by", maker.to_string()).with("why", "maker_removed")).await?;
    }
    match ended.first() {
        Some((_, first)) => {
            let others = ended.len() - 1;
            let all = if others == 0 { first.clone() } else { format!("{first} (+{others})") };
            notices::owners(tx, keep, organization, Kind::ApiKeysRevoked, &all).await
        }
        None => Ok(()),
    }
}
