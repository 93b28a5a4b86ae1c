//! What becomes of an organization's keys when who made them, or has read a secret of them, may no more what they could then
//! (threats H05): a key is the organization's, and yet never may more than its maker, nor by a secret more than who has
//! read that; who was removed has left no key behind, and takes none along.

use std::collections::BTreeSet;

use super::notices;
use crate::audit::Keep;
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId, UserId};
use crate::model::api_key::{ApiKey, Holder, KeySecret};
use crate::model::mail::Kind;
use crate::model::membership::MembershipStatus;
use crate::model::role;
use crate::store::durable::engine::{Read, StoreError, Tx};
use crate::store::durable::{api_keys, memberships, role_rules, roles, users};

/// What an organization's key may now by one of its secrets, before the organization's functional roles cut it; nothing at
/// all where its maker, or whom the secret was shown to, does not belong there any more. What the operator made counts as
/// it is.
pub async fn granted(
    db: &mut impl Read,
    project: ProjectId,
    (key, secret): (&ApiKey, &KeySecret),
    now: Moment,
) -> Result<Option<BTreeSet<String>>, StoreError> {
    let Holder::Organization(organization, permissions) = &key.holder else { return Ok(None) };
    let mut granted: BTreeSet<_> = permissions.iter().cloned().collect();
    let maker = key.created_by.parse::<UserId>().ok();
    for person in maker.into_iter().chain(secret.shown_to.filter(|reader| maker != Some(*reader))) {
        let Some(own) = of_person(db, project, *organization, (person, now)).await? else { return Ok(None) };
        granted.retain(|name| own.contains(name));
    }
    Ok(Some(granted))
}

async fn of_person(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
    (person, now): (UserId, Moment),
) -> Result<Option<BTreeSet<String>>, StoreError> {
    let alive = users::by_id(db, project, person).await?.is_some_and(|user| user.disabled_at.is_none());
    let member = memberships::find(db, organization, person).await?;
    let Some(member) = member.filter(|member| alive && member.status == MembershipStatus::Active) else {
        return Ok(None);
    };
    let custom = roles::permissions(db, project, organization).await?;
    let by_rule = role_rules::held_by(db, project, organization, (person, now), &custom).await?;
    let all: Vec<_> = member.roles.into_iter().chain(by_rule).collect();
    Ok(Some(role::granted(&all, &custom)))
}

/// Ends every key that somebody made who belongs to the organization no more, and every secret that they have read; its
/// owners are told which keys ended.
pub async fn revoke_of(
    tx: &mut Tx<'_>,
    keep: &Keep,
    organization: OrganizationId,
    person: UserId,
) -> Result<(), StoreError> {
    let mut ended = api_keys::revoke_made_by(tx, organization, &person.to_string(), keep.now).await?;
    for (id, name) in &ended {
        let event = keep.event("api_key.revoked", organization).subject(*id).with("name", name.as_str());
        keep.record(tx, &event.with("made_by", person.to_string()).with("why", "maker_removed")).await?;
    }
    for (id, name, is_over) in api_keys::forget_shown_to(tx, organization, person, keep.now).await? {
        let action = if is_over { "api_key.revoked" } else { "api_key.secret_ended" };
        let event = keep.event(action, organization).subject(id).with("name", name.as_str());
        keep.record(tx, &event.with("shown_to", person.to_string()).with("why", "reader_removed")).await?;
        if is_over {
            ended.push((id, name));
        }
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
