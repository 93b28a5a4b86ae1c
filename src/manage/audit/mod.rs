//! What was recorded: looked through, exported as a chain of hashes, and the checkpoints that were signed of it.

pub mod api;
mod view;

use super::api::page::{Key, Keys, Slice};
use super::refused::Refused;
use crate::foundation::clock::Moment;
use crate::foundation::id::AuditEventId;
use crate::model::audit_chain::{Begins, Chain, GoesOn, LATEST, Line, Sealed, Signed};
use crate::store::durable::audit_chains::{self, SealedTo};
use crate::store::durable::engine::{Read, StoreError};

/// How far an export has come: the chain as far as it was sealed when its end was reached, then what was not. That stays so
/// whatever is sealed between two pages: nothing is missed, and nothing comes twice.
#[derive(Clone, Copy)]
pub enum Next {
    Sealed(i64),
    Unsealed(i64, Moment, AuditEventId),
}

impl Keys for Next {
    fn texts(&self) -> Vec<String> {
        match self {
            Self::Sealed(place) => vec![place.written()],
            Self::Unsealed(place, at, id) => vec![place.written(), at.written(), id.written()],
        }
    }

    fn of_texts(texts: &[String]) -> Option<Self> {
        match texts {
            [place] => i64::read(place).map(Self::Sealed),
            [place, at, id] => Some(Self::Unsealed(Key::read(place)?, Key::read(at)?, Key::read(id)?)),
            _ => None,
        }
    }
}

/// A page of a chain as JSON Lines, oldest first. The last page ends with the newest checkpoint of what was exported.
pub async fn export(db: &mut impl Read, chain: Chain, slice: &Slice<Next>) -> Result<String, Refused> {
    let (place, unsealed) = match slice.after.unwrap_or(Next::Sealed(0)) {
        Next::Sealed(place) => (place, None),
        Next::Unsealed(place, at, id) => (place, Some(SealedTo { at, id: id.to_string() })),
    };
    let begins = audit_chains::at(db, chain, place).await?.ok_or_else(Refused::hidden)?;
    let begins = Begins {
        project_id: chain.project,
        organization_id: chain.organization,
        place: begins.place,
        hash: begins.hash.text(),
    };
    let mut lines = vec![Line::Begins(begins)];
    lines.extend(match unsealed {
        Some(after) => end(db, chain, (place, after), slice).await?,
        None => links(db, chain, place, slice).await?,
    });
    Ok(lines.iter().map(|line| line.text() + "\n").collect())
}

/// What comes after a place of the chain.
async fn links(
    db: &mut impl Read,
    chain: Chain,
    after: i64,
    slice: &Slice<Next>,
) -> Result<Vec<Line>, StoreError> {
    let found = audit_chains::links(db, chain, after, i64::from(slice.most())).await?;
    let place = |link: &Sealed| link.place.unwrap_or(after);
    let (links, next) = slice.page(found, |last| Next::Sealed(place(last)));
    let went_to = links.last().map_or(after, place);
    let mut lines: Vec<_> = links.into_iter().map(Line::Sealed).collect();
    match next {
        Some(next_cursor) => lines.push(Line::GoesOn(GoesOn { next_cursor })),
        None => {
            let to = audit_chains::sealed_to(db, chain.project).await?;
            // What was recorded late is not sealed either.
            let since = to.map_or_else(SealedTo::nothing, |to| SealedTo { at: to.at.minus(LATEST), ..to });
            match slice.rest(lines.len()) {
                Some(rest) => lines.extend(end(db, chain, (went_to, since), &rest).await?),
                None => {
                    let next_cursor = slice.cursor(&Next::Sealed(went_to));
                    lines.push(Line::GoesOn(GoesOn { next_cursor }));
                }
            }
        }
    }
    Ok(lines)
}

/// What comes after the last link.
async fn end(
    db: &mut impl Read,
    chain: Chain,
    (place, after): (i64, SealedTo),
    slice: &Slice<Next>,
) -> Result<Vec<Line>, StoreError> {
    let found = audit_chains::behind(db, chain, place, &after, i64::from(slice.most())).await?;
    let (events, next) = slice.page(found, |last| Next::Unsealed(place, last.at, last.id));
    let unsealed = events.iter().map(|event| Sealed { place: None, hash: None, event: Some(event.json()) });
    let mut lines: Vec<_> = unsealed.map(Line::Sealed).collect();
    match next {
        Some(next_cursor) => lines.push(Line::GoesOn(GoesOn { next_cursor })),
        None => {
            let signed = audit_chains::checkpoints(db, chain, place.saturating_add(1), 1).await?;
            lines.extend(signed.into_iter().map(|signed| Line::Signed(Signed { checkpoint: signed.jws })));
        }
    }
    Ok(lines)
}
