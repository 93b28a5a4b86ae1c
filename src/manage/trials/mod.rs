//! Sign-ins on trial (S1-P6): a link that somebody who administers nothing is given, and what came of it.

pub mod api;
mod view;

use std::time::Duration;

use super::desk::Change;
use super::refused::{Code, Refused};
use crate::foundation::id::{ConnectionId, TestId};
use crate::foundation::secret::Secret;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::VersionState;
use crate::model::connection_test::ConnectionTest;
use crate::store::durable::{connection_tests, connection_versions, connections};

/// How long a link opens anything.
const OPEN: Duration = Duration::from_secs(3_600);

/// Makes a link to try a version, which is the draft unless something else is said, or what is live where there is none.
/// The token is known to whoever is told it, and to nobody here.
async fn make(
    change: &mut Change<'_, '_>,
    id: ConnectionId,
    version: Option<i64>,
) -> Result<(ConnectionTest, Secret), Refused> {
    let keep = change.keep;
    let project = keep.project.id;
    let connection = connections::by_id(change.tx, project, id).await?.ok_or_else(Refused::hidden)?;
    let draft = connection_versions::draft(change.tx, id).await?;
    let draft = draft.filter(|draft| draft.state == VersionState::Draft);
    let draft = draft.map(|draft| draft.in_place_of(&connection.settings));
    let number = draft.as_ref().map(|draft| draft.number);
    let wanted = version.or(number).unwrap_or(connection.version);
    if wanted != connection.version && Some(wanted) != number {
        return Err(Refused::value("/version", "is neither the draft nor what is live"));
    }
    let tried = draft.filter(|draft| draft.number == wanted);
    let (settings, secret) = match &tried {
        Some(draft) => (&draft.settings, &draft.secret),
        None => (&*connection.settings, &connection.secret),
    };
    // Whoever follows the link would find a fault of ours.
    settings
        .may_be_live(secret.is_some(), keep.now)
        .map_err(|why| Refused::new(Code::ConnectionIncomplete, why.to_string()))?;
    let token = keep.random.token();
    let test = ConnectionTest {
        id: TestId::new(&keep.random, keep.now),
        project_id: project,
        organization_id: connection.organization_id,
        connection_id: id,
        version: wanted,
        created_by: keep.actor.to_string(),
        created_at: keep.now,
        expires_at: keep.now.plus(OPEN),
        began_at: None,
        result: None,
    };
    connection_tests::insert(change.tx, &test, token.digest()).await?;
    let event = AuditEvent::new(project, "organization.connection.test_created", Outcome::Changed)
        .organization(connection.organization_id)
        .actor(keep.actor)
        .request(keep.request)
        .subject(id)
        .with("test", test.id.to_string())
        .with("version", wanted);
    change.record(&event).await?;
    Ok((test, token))
}
