//! Whom the operator expects to come: their place is kept under their address, until its domain's own connection has proved
//! it.

use serde_json::{Value, json};

use super::refuse_roles;
use crate::audit;
use crate::manage::desk::Change;
use crate::manage::refused::Refused;
use crate::store::durable::memberships::{self, Expected};

/// Keeps a place for somebody, or keeps it otherwise. Who has come already has it no more.
pub async fn expect(
    change: &mut Change<'_, '_>,
    before: Option<&Expected>,
    after: &Expected,
) -> Result<(), Refused> {
    if before == Some(after) {
        return Ok(());
    }
    refuse_roles(change, after.organization_id, &after.roles).await?;
    let keep = change.keep;
    memberships::expect(change.tx, keep.project.id, after, keep.now).await?;
    let facts = |one: &Expected| -> Value { json!({"roles": one.roles, "kind": one.kind}) };
    let (was, is) = match before {
        Some(before) => {
            let (was, is) = audit::differing(&facts(before), &facts(after));
            (Some(was), is)
        }
        None => (None, facts(after)),
    };
    let event = keep.event("organization.member.expected", after.organization_id);
    change.record(&event.with("email", after.email.as_str()).changing(was, Some(is))).await
}
