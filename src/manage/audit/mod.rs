//! What was recorded: looked through, exported as a chain of hashes, and the checkpoints that were signed of it.

pub mod api;
mod view;

use super::refused::Refused;
use crate::model::audit_chain::{Begins, Chain, GoesOn, Line, Sealed, Signed};
use crate::store::durable::audit_chains::{self, SealedTo};
use crate::store::durable::engine::{Read, StoreError};

/// A page of a chain as JSON Lines, oldest first. The last page ends with what is not sealed yet, at most as much as a
/// page holds, and with the newest checkpoint. `cursor` makes one of the place that it went to.
pub async fn export(
    db: &mut impl Read,
    chain: Chain,
    after: i64,
    most: i64,
    cursor: impl Fn(i64) -> String,
) -> Result<String, Refused> {
    let begins = audit_chains::at(db, chain, after).await?.ok_or_else(Refused::hidden)?;
    let begins = Begins {
        project_id: chain.project,
        organization_id: chain.organization,
        place: begins.place,
        hash: begins.hash.text(),
    };
    let mut links = audit_chains::links(db, chain, after, most + 1).await?;
    let is_last = i64::try_from(links.len()).is_ok_and(|many| many <= most);
    links.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let mut lines = vec![Line::Begins(begins)];
    let went_to = links.last().and_then(|line| line.place).unwrap_or(after);
    lines.extend(links.into_iter().map(Line::Sealed));
    if is_last {
        lines.extend(end(db, chain, most).await?);
    } else {
        lines.push(Line::GoesOn(GoesOn { next_cursor: cursor(went_to) }));
    }
    Ok(lines.iter().map(|line| line.text() + "\n").collect())
}

/// What comes after the last link.
async fn end(db: &mut impl Read, chain: Chain, most: i64) -> Result<Vec<Line>, StoreError> {
    let to = audit_chains::sealed_to(db, chain.project).await?;
    let to = to.unwrap_or_else(SealedTo::nothing);
    let unsealed = audit_chains::unsealed_of(db, chain, &to, most).await?;
    let unsealed = unsealed.iter().map(|event| Sealed { place: None, hash: None, event: Some(event.json()) });
    let signed = audit_chains::checkpoints(db, chain, i64::MAX, 1).await?;
    let signed = signed.into_iter().map(|signed| Line::Signed(Signed { checkpoint: signed.jws }));
    Ok(unsealed.map(Line::Sealed).chain(signed).collect())
}
