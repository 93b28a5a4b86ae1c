//! Many are invited at once: each row is judged by itself.

use http::Method;

use super::{INVITE, mails};
use crate::broker::Broker;
use crate::foundation::id::OrganizationId;
use crate::manage::api::route::{At, Json, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::invitations::body::InviteMany;
use crate::manage::invitations::limits::{is_nothing, limit, limit_mails, not_mailed};
use crate::manage::invitations::view::{InvitationMade, RowResult, RowResults, WhyNot};
use crate::manage::invitations::{Wanted, inviter, refuse, write};
use crate::manage::refused::{Code, Refused};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::invitation::Inviter;

/// `POST /organizations/{organization_id}/invitations/bulk` (S1-R21)
pub struct Bulk;

impl Operation for Bulk {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/invitations/bulk";
    const NAME: &'static str = "create_invitations";
    const SUMMARY: &'static str = "Invites up to 50 people; each row has its own result.";
    const NEED: Need = INVITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] =
        &[Code::TooManyRows, Code::MailNotConfigured, Code::RoleCeiling, Code::InvalidValue];
    type Query = NoQuery;
    type Body = Json<InviteMany>;
    type Answer = RowResults;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<RowResults>, Refused> {
        let (organization, by) = (desk.organization()?.id, inviter(desk.caller.who)?);
        let any_kind = desk.caller.is_system();
        let mails = mails(&desk);
        let mut rows: Vec<Row> = Vec::new();
        for row in body.0.rows(mails)? {
            let email = row.email.clone();
            let wanted = match row.checked(any_kind, mails) {
                Ok(wanted) => Ok(wanted),
                Err(refused) => Err(WhyNot::of(refused)?),
            };
            rows.push((email, wanted));
        }
        limit(&desk, organization, rows.len()).await?;
        let mut mailed = Vec::new();
        for place in 0..rows.len() {
            let (earlier, rest) = rows.split_at_mut(place);
            let Some((_, row)) = rest.first_mut() else { continue };
            let Some(wanted) = row.as_ref().ok().filter(|wanted| wanted.send) else { continue };
            // What stands there twice is sent once.
            if is_among(earlier, wanted) {
                continue;
            }
            let to = wanted.email.clone();
            match limit_mails(&desk, &to).await {
                Ok(()) => mailed.push((place, to)),
                Err(refused) => *row = Err(WhyNot::of(refused)?),
            }
        }
        let at = desk.visitor.broker().clone();
        let work = async move |change: &mut Change<'_, '_>| {
            let mut results = Vec::with_capacity(rows.len());
            for (place, (email, wanted)) in rows.iter().enumerate() {
                let earlier = &rows[..place];
                let result = row(change, (organization, by), (email, wanted), earlier, &at).await?;
                if let Some(code) = result.code {
                    // As of a single one.
                    let event = change.keep.event("api.refused", organization).reason(code);
                    let event = AuditEvent { outcome: Outcome::Refused, ..event };
                    change.record(&event.with("operation", Self::NAME).with("row", place)).await?;
                }
                results.push(result);
            }
            Answer::new(200, &RowResults { results })
        };
        let outcome = desk.change(work).await;
        let is_nothing = is_nothing(&outcome);
        let is_written = |place: usize| {
            let answer = outcome.as_ref().ok();
            answer.is_none_or(|answer| answer.reply.body["results"][place]["status"] == "created")
        };
        for (place, to) in &mailed {
            if is_nothing || !is_written(*place) {
                not_mailed(&desk, to).await?;
            }
        }
        outcome
    }
}

/// An address as it was written, and what is wanted for it, or why it cannot be.
type Row = (String, Result<Wanted, WhyNot>);

fn is_among(rows: &[Row], wanted: &Wanted) -> bool {
    rows.iter().any(|(_, other)| other.as_ref().is_ok_and(|other| other.email == wanted.email))
}

/// Writes one row, unless something speaks against it: that is told, and the others go on.
async fn row(
    change: &mut Change<'_, '_>,
    (organization, by): (OrganizationId, Inviter),
    (email, wanted): (&str, &Result<Wanted, WhyNot>),
    earlier: &[Row],
    at: &Broker,
) -> Result<RowResult, Refused> {
    let refused = |status, why: Option<&WhyNot>| Ok(RowResult::without(email, status, why));
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(why) if why.code == Code::RateLimited => return refused("limited", Some(why)),
        Err(why) => return refused("invalid", Some(why)),
    };
    if is_among(earlier, wanted) {
        return refused("duplicate", None);
    }
    match refuse(change, organization, wanted).await {
        Ok(()) => {}
        Err(told) => {
            let why = WhyNot::of(told)?;
            let status = match why.code {
                Code::AlreadyMember => "already_member",
                Code::InvitationPending => "pending",
                Code::RoleCeiling | Code::ReauthenticationRequired | Code::PermissionMissing => "forbidden",
                _ => "invalid",
            };
            return refused(status, Some(&why));
        }
    }
    let made = write(change, organization, by, wanted).await?;
    let made = InvitationMade::of(&made, at, &change.keep.project, change.keep.now);
    let InvitationMade { invitation, token, link } = made;
    let (id, email) = (Some(invitation.id), email.to_owned());
    let (code, detail, pointer) = (None, None, None);
    Ok(RowResult { email, status: "created", id, token, link, code, detail, pointer })
}
