//! Who may change by what a provider's word is believed (threats C02, H01): whoever may, may become everybody who signs in
//! by it, so that they must be able to give all that those people have.

use super::Held;
use crate::foundation::id::ConnectionId;
use crate::manage::authority::Standing;
use crate::manage::desk::Change;
use crate::manage::opening::may_open;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::Settings;
use crate::store::durable::vouched;

/// Refuses to let `next` be live, unless nothing is believed by it that is not believed now, or the caller may give all
/// that it opens: an owner in person who has just signed in, or the operator; others where only such people sign in by it
/// as have no more than they may give.
pub(super) async fn refuse_foreign_trust(
    change: &mut Change<'_, '_>,
    before: &Held,
    next: &Settings,
) -> Result<(), Refused> {
    let connection = &before.connection;
    if connection.is_active() && connection.settings.believes_like(next) {
        return Ok(());
    }
    let is_delegate = match &change.standing {
        Standing::Operator(_) => return Ok(()),
        Standing::Within { is_delegate, .. } => *is_delegate,
        Standing::Nobody | Standing::Inactive(_) | Standing::KeysOff(_) => {
            return Err(refused(connection.id));
        }
    };
    // The project's own are the operator's.
    let Some(of) = connection.organization_id else { return Err(refused(connection.id)) };
    // A provider that a delegate has chosen would let people in when the delegation has ended.
    if is_delegate {
        return Err(refused(connection.id));
    }
    let opened = vouched::by(change.tx, change.keep.project.id, of, connection.id).await?;
    may_open(change, of, &opened, &detail(connection.id)).await
}

fn refused(id: ConnectionId) -> Refused {
    Refused::new(Code::OwnerRequired, detail(id))
}

fn detail(id: ConnectionId) -> String {
    format!(
        "it changes whose word is believed of people who may more than you: an owner who has just signed in makes it \
         live, or the operator: POST /connections/{id}/activate"
    )
}
