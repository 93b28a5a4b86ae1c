//! The versions of a connection: its draft, what is live, and what was.

pub mod api;
mod draft;
mod outdated;

use std::time::Duration;

use crate::broker::connection_swap::{self, NotSwapped, Word};
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::manage::authority::may_insist;
use crate::manage::connections::ceilings::{
    fits, may_be_live, refuse_further_places, refuse_unread, roles_fit,
};
use crate::manage::connections::doors::Doors;
use crate::manage::connections::{Held, held};
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::VersionState;
use crate::model::readiness::{Missing, TRIED_WITHIN};
use crate::store::durable::{connection_tests, connection_versions};

pub use draft::{begun_on, discard, put_draft, redraft, rename, renamed};
pub use outdated::{refuse as refuse_outdated, undoes};

/// Whoever signed in longer ago than this does not depend on a connection.
const DEPENDS_FOR: Duration = Duration::from_secs(90 * 86_400);

/// Makes the draft live. Where people sign in by the connection, somebody must have tried the draft, unless who may do so
/// insists.
pub async fn activate(
    change: &mut Change<'_, '_>,
    before: Held,
    version: Option<i64>,
    forced: bool,
) -> Result<Held, Refused> {
    let none = || Refused::new(Code::NoVersion, "there is no draft of this number");
    let draft = before.draft_number().filter(|draft| version.is_none_or(|wanted| wanted == *draft));
    let draft = draft.ok_or_else(none)?;
    let id = before.connection.id;
    let is_untested = before.connection.is_active()
        && !tested(change, id, draft).await?
        && is_depended_on(change, id).await?;
    if is_untested && !forced {
        return Err(Refused::new(Code::Untested, Code::Untested.title()));
    }
    roles_fit(change, &before).await?;
    may_be_live(change, &before, before.head().0).await?;
    if is_untested {
        may_make_untested_live(change, id)?;
    }
    if version.is_none() {
        refuse_unread(change, &before)?;
    }
    outdated::refuse(change, &before)?;
    let forced_without = is_untested.then(|| Missing::Test.word());
    swapped(change, &before, draft, (forced, forced_without)).await
}

/// What nobody has tried may lock everybody out: that is an owner's to answer for, or the operator's (demands 4.2).
fn may_make_untested_live(change: &Change<'_, '_>, id: ConnectionId) -> Result<(), Refused> {
    let detail = format!(
        "people sign in by it, and nobody has tried the new version: try it (POST /connections/{id}/tests), or an owner \
         who has just signed in makes it live, or the operator"
    );
    may_insist(&change.standing, change.keep.now).map_err(|code| Refused::ceiling(code, detail))
}

/// Brings back what was live before, under a new number.
pub async fn roll_back(
    change: &mut Change<'_, '_>,
    before: Held,
    version: Option<i64>,
    forced: bool,
) -> Result<Held, Refused> {
    if !before.connection.is_active() {
        return Err(Refused::new(Code::ConnectionNotActive, "there is nothing live to be taken back"));
    }
    let none = || Refused::new(Code::NoVersion, "nothing was live before, or not under this number");
    let id = before.connection.id;
    let to = version.or(before.lifecycle.previous_version).ok_or_else(none)?;
    let known = connection_versions::by_number(change.tx, id, to).await?;
    let known = known.filter(|known| known.activated_at.is_some() && known.state != VersionState::Live);
    let known = known.ok_or_else(none)?.in_place_of(&before.connection.settings);
    refuse_further_places(change, &before.connection.settings, &known.settings)?;
    // What it gives to whoever comes may have come to mean more since.
    fits(change, before.connection.organization_id, Some(&before.connection.settings), &known.settings)
        .await?;
    may_be_live(change, &before, &known.settings).await?;
    swapped(change, &before, known.number, (forced, None)).await
}

/// `forced_without`: what the caller has insisted to do without.
async fn swapped(
    change: &mut Change<'_, '_>,
    before: &Held,
    to: i64,
    (forced, forced_without): (bool, Option<&'static str>),
) -> Result<Held, Refused> {
    let id = before.connection.id;
    let doors = Doors::before(change, &before.connection).await?;
    match connection_swap::swap(change.tx, change.keep, id, to, Word::Asked { forced_without }).await {
        Ok(_) => {
            doors.stay(change, forced).await?;
            held(change, id).await
        }
        Err(NotSwapped::Unready(why)) => Err(Refused::new(Code::ConnectionIncomplete, why.to_string())),
        Err(NotSwapped::Unknown) => Err(Refused::new(Code::NoVersion, Code::NoVersion.title())),
        Err(NotSwapped::Store(error)) => Err(error.into()),
    }
}

/// Whether people sign in by it.
pub async fn is_depended_on(change: &mut Change<'_, '_>, id: ConnectionId) -> Result<bool, Refused> {
    let since: Moment = change.keep.now.minus(DEPENDS_FOR);
    Ok(connection_versions::is_used_since(change.tx, id, since).await?)
}

/// Whether a sign-in on trial by this very version has succeeded lately (S1-P6), whoever tried it.
async fn tested(change: &mut Change<'_, '_>, id: ConnectionId, version: i64) -> Result<bool, Refused> {
    let since = change.keep.now.minus(TRIED_WITHIN);
    Ok(connection_tests::has_succeeded(change.tx, (id, version), since).await?)
}
