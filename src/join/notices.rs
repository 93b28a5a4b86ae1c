//! What an organization's people are told by mail because something has happened to it, in the transaction in which it
//! happens: what is taken back is told to nobody.

use std::collections::BTreeSet;

use crate::audit::Keep;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{MailId, OrganizationId, UserId};
use crate::model::connection::Connection;
use crate::model::mail::{Kind, Letter, Mail};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{identities, mails, organizations, users};

/// Owners of one organization that are written to.
const MOST_OWNERS: u32 = 20;

/// Tells every active owner whose address is known ([`written_to`](crate::model::user::written_to)). `thing` is the domain, the name of the connection or the day that it
/// is about.
///
/// ```ignore
/// notices::owners(change.tx, change.keep, organization, Kind::ConnectionActivated, &connection.display_name).await?;
/// ```
pub async fn owners(
    tx: &mut Tx<'_>,
    keep: &Keep,
    organization: OrganizationId,
    kind: Kind,
    thing: &str,
) -> Result<(), StoreError> {
    owners_until(tx, keep, organization, (kind, thing), None).await
}

/// The same of what ends then.
pub async fn owners_until(
    tx: &mut Tx<'_>,
    keep: &Keep,
    organization: OrganizationId,
    (kind, thing): (Kind, &str),
    counts_until: Option<Moment>,
) -> Result<(), StoreError> {
    for owner in mails::owners(tx, organization, MOST_OWNERS).await? {
        let letter = |name: &str| Letter { counts_until, ..Letter::new(kind, name).about(thing) };
        write(tx, keep, organization, owner, letter).await?;
    }
    Ok(())
}

/// Tells the owners of both of its sides what has become of a delegation; whoever owns both, once.
pub async fn delegation(
    tx: &mut Tx<'_>,
    keep: &Keep,
    (home, target): (OrganizationId, OrganizationId),
    kind: Kind,
) -> Result<(), StoreError> {
    let sides = (
        organizations::by_id(tx, keep.project.id, home).await?,
        organizations::by_id(tx, keep.project.id, target).await?,
    );
    let (Some(from), Some(to)) = sides else { return Ok(()) };
    let letter = Letter::new(kind, &to.display_name).about(&from.display_name);
    let mut told = BTreeSet::new();
    for side in [home, target] {
        for owner in mails::owners(tx, side, MOST_OWNERS).await? {
            if told.insert(owner.clone()) {
                write(tx, keep, side, owner, |_| letter.clone()).await?;
            }
        }
    }
    Ok(())
}

/// Tells one person, if their address is known; `by`: whom it comes from.
pub async fn person(
    tx: &mut Tx<'_>,
    keep: &Keep,
    organization: OrganizationId,
    to: UserId,
    (kind, by): (Kind, Option<UserId>),
) -> Result<(), StoreError> {
    let project = keep.project.id;
    let Some(address) = users::written_to(tx, project, to).await? else { return Ok(()) };
    let by = match by {
        Some(by) => users::by_id(tx, project, by).await?.and_then(|user| user.profile.name),
        None => None,
    };
    write(tx, keep, organization, address, |name| Letter { person: by, ..Letter::new(kind, name) }).await
}

/// Tells everybody of whom somebody has just said by which name of its provider a connection knows them, where they are
/// written to: whoever comes under that name is them from now on.
pub async fn relinked(tx: &mut Tx<'_>, keep: &Keep, connection: &Connection) -> Result<(), StoreError> {
    let name = match connection.organization_id {
        Some(id) => organizations::by_id(tx, keep.project.id, id).await?.map(|found| found.display_name),
        None => None,
    };
    let name = name.unwrap_or_else(|| keep.project.display_name.clone());
    let letter = Letter::new(Kind::PersonRelinked, &name).about(&connection.display_name);
    let of = (connection.id, connection.settings.upstream.issuer());
    let mut after = None;
    loop {
        let some = identities::named_at(tx, of, keep.now, after).await?;
        let Some((last, _)) = some.last() else { return Ok(()) };
        after = Some(*last);
        for to in some.into_iter().filter_map(|(_, to)| to) {
            queue(tx, keep, connection.organization_id, to, letter.clone()).await?;
        }
    }
}

async fn write(
    tx: &mut Tx<'_>,
    keep: &Keep,
    organization: OrganizationId,
    to: Email,
    letter: impl FnOnce(&str) -> Letter,
) -> Result<(), StoreError> {
    let Some(found) = organizations::by_id(tx, keep.project.id, organization).await? else { return Ok(()) };
    queue(tx, keep, Some(organization), to, letter(&found.display_name)).await
}

async fn queue(
    tx: &mut Tx<'_>,
    keep: &Keep,
    organization_id: Option<OrganizationId>,
    to: Email,
    letter: Letter,
) -> Result<(), StoreError> {
    let mail = Mail {
        id: MailId::new(&keep.random, keep.now),
        project_id: keep.project.id,
        organization_id,
        to,
        language: None,
        letter,
        created_at: keep.now,
        expires_at: keep.now.plus(Mail::TRIED_FOR),
    };
    mails::queue(tx, &mail, None).await
}
