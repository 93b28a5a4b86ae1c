//! Who may change by what a provider's word is believed (threats C02, H01): whoever may, may become everybody who signs in
//! by it, so that they must be able to give all that those people have.

use crate::foundation::id::ConnectionId;
use crate::manage::authority::Standing;
use crate::manage::connections::Held;
use crate::manage::desk::Change;
use crate::manage::opening::may_open;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{Return, Settings, Upstream};
use crate::store::durable::vouched::{self, Place};

/// Refuses to let `next` be live, unless nothing is believed by it that is not believed now, or the caller may give all
/// that it opens: an owner in person who has just signed in, or the operator; others where only such people sign in by it
/// as have no more than they may give.
pub async fn refuse_foreign_trust(
    change: &mut Change<'_, '_>,
    before: &Held,
    next: &Settings,
) -> Result<(), Refused> {
    let connection = &before.connection;
    let believes_as_much = connection.is_active() && connection.settings.believes_like(next);
    if believes_as_much && (!change.standing.is_by_leave() || asks_as_much(before, next)) {
        return Ok(());
    }
    match &change.standing {
        Standing::Operator(_) => return Ok(()),
        Standing::Within { .. } => {}
        Standing::Nobody | Standing::Inactive(_) | Standing::KeysOff(_) => {
            return Err(refused(connection.id));
        }
    }
    // The project's own are the operator's.
    let Some(of) = connection.organization_id else { return Err(refused(connection.id)) };
    // A provider that a delegate has chosen, or an application that people had to allow, would let people in when that leave
    // has been taken back.
    if change.standing.is_by_leave() {
        return Err(refused(connection.id));
    }
    let place = Place { project: change.keep.project.id, organization: of, now: change.keep.now };
    let opened = vouched::by_connection(change.tx, place, (connection.id, next)).await?;
    may_open(change, of, &opened, &detail(connection.id)).await
}

/// Whether nothing less is asked by `next` than is now, and we prove ourselves as we do. Whatever is said of that by
/// somebody's leave would outlive it: it is drafted.
fn asks_as_much(before: &Held, next: &Settings) -> bool {
    let live = &before.connection;
    let (drafted, secret) = before.head();
    let same_secret = drafted != next || secret == live.secret.as_ref();
    let own = |settings: &Settings| match &settings.upstream {
        Upstream::Saml(saml) => Some(saml.own.clone()),
        Upstream::Oidc(_) => None,
    };
    same_secret && own(next) == own(&live.settings) && next.may_return(&live.settings) == Return::Harmless
}

/// Nobody is talked into answering for what somebody else has put there since they looked (threats C02): where more would be
/// believed or let in by a draft of others than is now, whoever goes on with it names what they have read, by its ETag, or
/// by its version where it goes live. The operator's tools state what they mean.
pub fn refuse_unread(change: &Change<'_, '_>, before: &Held) -> Result<(), Refused> {
    // Of what never was live and has no author, nobody knows whose it is.
    let Some(number) = before.draft_number() else { return Ok(()) };
    let connection = &before.connection;
    let (drafted, secret) = before.head();
    let is_harmless = connection.is_active()
        && connection.secret.as_ref() == secret
        && drafted.opens_no_more_than(&connection.settings);
    // What an application has written by somebody's leave stands under their name, and is not their word.
    let is_own = before.draft.as_ref().is_some_and(|draft| {
        draft.created_by == change.keep.actor.to_string() && draft.by_leave == change.leave()
    });
    let is_within = matches!(change.standing, Standing::Within { .. });
    if !is_within || is_harmless || is_own || change.names_what_it_read() {
        return Ok(());
    }
    let detail = format!(
        "version {number} is a draft that you have not made, by which more is believed, or more are let in: read it, and \
         send its ETag as If-Match, or activate it by its version"
    );
    Err(Refused::new(Code::DraftUnread, detail))
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
