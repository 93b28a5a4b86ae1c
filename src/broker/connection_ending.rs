//! Owners are told in time of what a connection lives on and what ends by itself: certificates, theirs and ours, and the
//! provider's metadata (threats H17, H18). Whichever node sees it first tells it, once for each of the times before.

use crate::audit::Keep;
use crate::foundation::clock::Moment;
use crate::join::notices;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::{Connection, Ending, Notice};
use crate::model::mail::Kind;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{connection_notices, mails};

/// What of this is told now. Two of one kind make one mail.
pub async fn tell(
    tx: &mut Tx<'_>,
    keep: &Keep,
    connection: &Connection,
    endings: &[Ending],
) -> Result<(), StoreError> {
    let mut letters: Vec<(Kind, Moment)> = Vec::new();
    for ending in endings {
        let stage = ending.stage(keep.now);
        if stage == 0 || !is_news(tx, keep, connection, (ending.what, ending.at, stage)).await? {
            continue;
        }
        let kind = kind(ending.what);
        match letters.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, at)) => *at = ending.at.min(*at),
            None => letters.push((kind, ending.at)),
        }
    }
    for (kind, at) in letters {
        write(tx, keep, connection, kind, Some(at)).await?;
    }
    Ok(())
}

/// Of metadata that could be read last at that moment.
pub async fn tell_unreadable(
    tx: &mut Tx<'_>,
    keep: &Keep,
    connection: &Connection,
    read_at: Moment,
) -> Result<(), StoreError> {
    let what = Notice::MetadataUnreadable;
    if is_news(tx, keep, connection, (what, read_at, 1)).await? {
        write(tx, keep, connection, kind(what), None).await?;
    }
    Ok(())
}

/// Whether that is told of a connection by which people sign in, and was not: the trail has it then.
async fn is_news(
    tx: &mut Tx<'_>,
    keep: &Keep,
    connection: &Connection,
    (what, moment, stage): (Notice, Moment, i64),
) -> Result<bool, StoreError> {
    // Where no owner can be written to yet, it is told once there is one.
    let is_for_somebody = match connection.organization_id {
        Some(organization) => !mails::owners(tx, organization, 1).await?.is_empty(),
        None => true,
    };
    let news = connection.is_active()
        && is_for_somebody
        && connection_notices::tell(tx, connection.id, what, (moment, stage)).await?;
    if news {
        let (action, when) = action(what);
        let event = AuditEvent::new(keep.project.id, action, Outcome::Refused)
            .organization(connection.organization_id)
            .actor(keep.actor)
            .subject(connection.id)
            .with("slug", connection.slug.as_str())
            .with("what", what.word())
            .with(when, moment.rfc3339());
        keep.record(tx, &event).await?;
    }
    Ok(news)
}

/// With what the moment is.
const fn action(what: Notice) -> (&'static str, &'static str) {
    match what {
        Notice::ProviderCertificate => ("organization.connection.certificate_ending", "valid_until"),
        Notice::SigningCertificate | Notice::DecryptionCertificate => {
            ("organization.connection.own_certificate_ending", "valid_until")
        }
        Notice::Metadata => ("organization.connection.metadata_ending", "valid_until"),
        Notice::MetadataUnreadable => ("organization.connection.metadata_unreadable", "read_at"),
    }
}

const fn kind(what: Notice) -> Kind {
    match what {
        Notice::ProviderCertificate => Kind::CertificateEnding,
        Notice::SigningCertificate | Notice::DecryptionCertificate => Kind::OwnCertificateEnding,
        Notice::Metadata => Kind::MetadataEnding,
        Notice::MetadataUnreadable => Kind::MetadataUnreadable,
    }
}

async fn write(
    tx: &mut Tx<'_>,
    keep: &Keep,
    connection: &Connection,
    kind: Kind,
    until: Option<Moment>,
) -> Result<(), StoreError> {
    match connection.organization_id {
        Some(organization) => {
            notices::owners_until(tx, keep, organization, (kind, &connection.display_name), until).await
        }
        None => Ok(()),
    }
}
