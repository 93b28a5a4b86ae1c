//! What was sent becomes a connection, or its draft, whichever address it was sent to.

use super::api::{shown, teller};
use super::ceilings::{assigned, may_be_live};
use super::made::{Named, create};
use super::relied_on::{Force, released};
use super::said::body::{ConnectionBody, Kind, Meta, Rest, Said, Scope};
use super::said::checked::{Checked, checked};
use super::switched::disable;
use super::versions::{activate, discard, is_depended_on, redraft, refuse_outdated, renamed};
use super::view::ConnectionView;
use super::{Held, held, is_as_read};
use crate::manage::api::BASE;
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::connection::Connection;
use crate::store::durable::{connections, organizations};

/// Makes a new connection of what was sent; `only`: where there is no primary one yet.
pub async fn made(desk: Desk, body: ConnectionBody, only: bool) -> Result<Answer<ConnectionView>, Refused> {
    let ConnectionBody { meta, rest } = body;
    let kind = meta.kind.ok_or_else(|| Refused::value("/type", "must be oidc or saml"))?;
    if meta.slug.is_some() && !desk.caller.is_operator() {
        return Err(Refused::new(Code::OperatorRequired, "slugs of connections are the operator's to give"));
    }
    let checked = judged(&desk, None, rest.said(kind)?).await?;
    let (teller, keyring) = (teller(&desk), desk.visitor.broker().keyring.clone());
    let of = desk.organization.as_ref().map(|organization| organization.id);
    let (goes_live, forced) = (meta.activate == Some(true), meta.force == Some(true));
    let (slug, display_name) = (meta.slug, meta.display_name);
    desk.change(async move |change| {
        let organization = match of {
            Some(of) => Some(change.organization(of).await?),
            None => None,
        };
        if let Some(of) = of.filter(|_| only)
            && connections::primary_of(change.tx, of).await?.is_some()
        {
            return Err(Refused::by(Code::ChangedMeanwhile));
        }
        let named = Named { slug: slug.clone(), display_name: display_name.clone() };
        let mut made = create(change, organization.as_ref(), named, (&checked, &keyring)).await?;
        if goes_live {
            made = activate(change, made, None, forced).await?;
        }
        let location = format!("{BASE}/connections/{}", made.connection.id);
        Ok(shown(201, &teller, &made)?.location(location))
    })
    .await
}

/// What was said, with what can be known of it before the transaction.
async fn judged(desk: &Desk, base: Option<&Held>, said: Said) -> Result<Checked, Refused> {
    let known = base.map_or(&[][..], |base| &base.head().0.assign_organizations);
    let names = &said.assign_organizations;
    // Of others' organizations nobody learns here whether they exist, and what the operator has said of them stays.
    let stays = names.iter().eq(known.iter().map(ToString::to_string).collect::<Vec<_>>().iter());
    let assigned = match desk.caller.is_operator() {
        _ if stays => known.to_vec(),
        true => assigned(&mut desk.db(), desk.project().id, names).await?,
        false if names.is_empty() => known.to_vec(),
        false => return Err(Refused::new(Code::OperatorRequired, "assign_organizations is the operator's")),
    };
    let mut checked = checked(desk, base, said).await?;
    checked.settings.assign_organizations = assigned;
    Ok(checked)
}

/// Whether a draft goes on to be live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    Live,
    /// If nobody signs in by what is live now.
    LiveUnlessDependedOn,
    Nowhere,
}

impl Goes {
    pub const fn only_if(said: Option<bool>) -> Self {
        match said {
            Some(true) => Self::Live,
            _ => Self::Nowhere,
        }
    }
}

/// Makes a draft of what was sent; `is_part`: what is not said stays as it is.
pub async fn changed(
    desk: Desk,
    base: Held,
    (body, is_part): (ConnectionBody, bool),
    goes: Goes,
) -> Result<Answer<ConnectionView>, Refused> {
    let ConnectionBody { meta, rest } = body;
    stays(&desk, &base.connection, &meta).await?;
    let checked = match (is_part, rest.is_empty()) {
        // A name alone asks no provider.
        (true, true) => None,
        _ => Some(judged(&desk, Some(&base), said(&base, rest, is_part)?).await?),
    };
    let (teller, keyring) = (teller(&desk), desk.visitor.broker().keyring.clone());
    let (display_name, forced) = (meta.display_name, meta.force == Some(true));
    let work = async move |change: &mut Change<'_, '_>| {
        let before = held(change, base.connection.id).await?;
        is_as_read(change, &before)?;
        if before.head() != base.head() {
            return Err(Refused::by(Code::ChangedMeanwhile));
        }
        let mut after = match &checked {
            Some(checked) => redraft(change, before, display_name.clone(), (checked, &keyring)).await?,
            None => renamed(change, before, display_name.clone()).await?,
        };
        if goes_on(change, &after, goes).await? {
            after = activate(change, after, None, forced).await?;
        }
        shown(200, &teller, &after)
    };
    match goes {
        Goes::Nowhere => desk.change(work).await,
        Goes::Live | Goes::LiveUnlessDependedOn => desk.change_with_guests(work).await,
    }
}

fn said(base: &Held, rest: Rest, is_part: bool) -> Result<Said, Refused> {
    let (settings, _) = base.head();
    let kind = Kind::of(&settings.upstream);
    if is_part { rest.over(settings)?.said(kind) } else { rest.said(kind) }
}

async fn goes_on(change: &mut Change<'_, '_>, after: &Held, goes: Goes) -> Result<bool, Refused> {
    match goes {
        Goes::Live => Ok(after.draft_number().is_some()),
        Goes::LiveUnlessDependedOn if after.connection.is_active() && after.draft.is_some() => {
            let is_depended_on = is_depended_on(change, after.connection.id).await?;
            // Nor is anything undone by it that nobody has named.
            if is_depended_on || refuse_outdated(change, after).is_err() {
                return Ok(false);
            }
            match may_be_live(change, after, after.head().0).await {
                Ok(()) => Ok(true),
                // What it is not theirs to make live waits as a draft.
                Err(Refused::Told(_)) => Ok(false),
                Err(failed) => Err(failed),
            }
        }
        _ => Ok(false),
    }
}

/// A connection stays where it is, and what it is (S0-04). Of whatever else there is nobody learns here.
async fn stays(desk: &Desk, connection: &Connection, meta: &Meta) -> Result<(), Refused> {
    let elsewhere = match &meta.organization_id {
        Some(name) => {
            let found = organizations::named(&mut desk.db(), desk.project().id, name).await?;
            found.map(|found| found.id) != connection.organization_id || connection.organization_id.is_none()
        }
        None => false,
    };
    let other_scope = match meta.scope {
        Some(Scope::Project) => connection.organization_id.is_some(),
        Some(Scope::Organization) => connection.organization_id.is_none(),
        None => false,
    };
    let other_kind = meta.kind.is_some_and(|kind| kind != Kind::of(&connection.settings.upstream));
    let other_slug = meta.slug.as_ref().is_some_and(|slug| *slug != connection.slug);
    if elsewhere || other_scope || other_kind || other_slug {
        let detail = "organization, type and slug of a connection are given once: make another connection";
        return Err(Refused::new(Code::NotMovable, detail));
    }
    Ok(())
}

pub async fn removed(change: &mut Change<'_, '_>, before: Held, force: Force) -> Result<Answer<()>, Refused> {
    is_as_read(change, &before)?;
    released(change, &before, force).await?;
    let after = disable(change, before, force.force == Some(true)).await?;
    // One that never was live is nothing but its draft, and who made that stays known.
    if after.was_live() && after.draft.is_some() {
        discard(change, &after).await?;
    }
    Answer::new(204, &())
}
