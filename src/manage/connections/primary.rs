//! Which connection of an organization is meant where no other is named.

use serde_json::json;

use super::{Held, event, held};
use crate::foundation::id::OrganizationId;
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::ConnectionState;
use crate::model::organization::Enforcement;
use crate::store::durable::connections;

/// Makes it the one that is meant where no other is named (S3-11).
pub async fn make_primary(change: &mut Change<'_, '_>, before: Held) -> Result<Held, Refused> {
    let (id, of) = (before.connection.id, before.connection.organization_id);
    let Some(of) = of else {
        return Err(Refused::new(
            Code::NotMovable,
            "a connection of the project is no organization's primary one",
        ));
    };
    if before.connection.state == ConnectionState::Disabled {
        return Err(Refused::new(Code::ConnectionNotActive, "one that is disabled is never primary"));
    }
    if before.lifecycle.is_primary() {
        return Ok(before);
    }
    if !before.was_live() && change.organization(of).await?.policy.enforcement == Enforcement::Required {
        let detail =
            "members must come through the organization's own connection, and this one was never live";
        return Err(Refused::new(Code::ConnectionNotActive, detail));
    }
    let was = connections::primary_of(change.tx, of).await?.map(|was| was.id);
    connections::make_primary(change.tx, of, Some(id), change.keep.now).await?;
    let event = event(change, "organization.connection.made_primary", &before.connection)
        .changing(Some(json!({"primary": was})), Some(json!({"primary": id})));
    change.record(&event).await?;
    held(change, id).await
}

pub async fn settle_primary(change: &mut Change<'_, '_>, of: Option<OrganizationId>) -> Result<(), Refused> {
    if let Some(of) = of {
        connections::settle_primary(change.tx, of, change.keep.now).await?;
    }
    Ok(())
}
