//! How many invitations there may be, and how many mails of them to one mailbox (threats M19).

use std::time::Duration;

use crate::foundation::email::Email;
use crate::foundation::id::OrganizationId;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::Refused;
use crate::model::invitation::Invitation;
use crate::store::durable::mails;
use crate::store::ephemeral::Kind;

/// Invitations of one organization in a day (threats M19).
const A_DAY: u64 = 200;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Counts invitations of an organization, however they are written.
pub(super) async fn limit(desk: &Desk, organization: OrganizationId, many: usize) -> Result<(), Refused> {
    let what = format!("invitations {organization}");
    for _ in 0..many {
        desk.at_most(&what, (A_DAY, DAY), || format!("{A_DAY} invitations a day")).await?;
    }
    Ok(())
}

/// Mails of invitations that one mailbox is sent in an hour, whoever writes them (threats M19).
const AN_HOUR: u64 = 5;
const HOUR: Duration = Duration::from_secs(3_600);

/// Counts a mail to a mailbox, under whichever of its names.
pub(super) async fn limit_mails(desk: &Desk, to: &Email) -> Result<(), Refused> {
    let told = || format!("{AN_HOUR} mails an hour to one mailbox");
    let outcome = desk.at_most(&mailbox(desk, to), (AN_HOUR, HOUR), told).await;
    if outcome.is_err() {
        not_mailed(desk, to).await?;
    }
    outcome
}

/// Of a mail that was counted, and is not sent: what one organization tries keeps no other one from writing.
pub(super) async fn not_mailed(desk: &Desk, to: &Email) -> Result<(), Refused> {
    Ok(desk.visitor.broker().ephemeral.uncount(Kind::RateCounter, &mailbox(desk, to)).await?)
}

/// The same of the mail of an invitation that was taken back, or written anew, before anybody was sent it.
pub(super) async fn taken_back(desk: &Desk, before: &Invitation) -> Result<(), Refused> {
    let Some(mail) = before.mail else { return Ok(()) };
    match mails::was_never_tried(&mut desk.db(), mail, desk.now.minus(HOUR)).await? {
        true => not_mailed(desk, &before.email).await,
        false => Ok(()),
    }
}

fn mailbox(desk: &Desk, to: &Email) -> String {
    format!("mails {} {}", desk.project().id, to.mailbox())
}

/// Whether nothing was written: it was refused, or is answered as it was before.
pub(super) fn is_nothing<A>(outcome: &Result<Answer<A>, Refused>) -> bool {
    match outcome {
        Ok(answer) => answer.is_replayed,
        Err(refused) => matches!(refused, Refused::Told(_)),
    }
}
