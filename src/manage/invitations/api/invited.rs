//! What whoever is invited does with their token.

use http::Method;

use crate::foundation::secret::Digest;
use crate::join::invited;
use crate::manage::api::route::{At, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::caller::Who;
use crate::manage::desk::{Answer, Desk};
use crate::manage::invitations::view::{Accepted, InvitationShown};
use crate::manage::refused::{Code, Refused};
use crate::model::invitation::State;
use crate::store::durable::{invitations, organizations};

fn token(desk: &Desk) -> Digest {
    Digest::of(desk.params.get("token").as_bytes())
}

/// `GET /invitations/by-token/{token}` (S1-O4)
pub struct ByToken;

impl Operation for ByToken {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/invitations/by-token/{token}";
    const NAME: &'static str = "read_invitation_by_token";
    const SUMMARY: &'static str =
        "What somebody is invited to, for whoever has the token; it is not used up by that.";
    const NEED: Need = Need::Public;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::Gone];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = InvitationShown;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<InvitationShown>, Refused> {
        let project = desk.project().id;
        let found = invitations::by_token(&mut desk.db(), project, token(&desk)).await?;
        let found = found.ok_or_else(Refused::hidden)?;
        let organization = organizations::by_id(&mut desk.db(), project, found.organization_id).await?;
        let active = organization.filter(|one| one.is_active() && one.deleted_at.is_none());
        match active {
            Some(organization) if found.state(desk.now) == State::Pending => {
                Answer::new(200, &InvitationShown::of(&found, &organization))
            }
            _ => Err(Refused::new(Code::Gone, Code::Gone.title())),
        }
    }
}

/// `POST /invitations/{token}/accept` (S1-O4)
pub struct Accept;

impl Operation for Accept {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/invitations/{token}/accept";
    const NAME: &'static str = "accept_invitation";
    const SUMMARY: &'static str = "Makes the caller a member, if the invitation is for their proved address.";
    const NEED: Need = Need::Account;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::Gone,
        Code::WrongAccount,
        Code::InviterLostRights,
        Code::AlreadyMember,
        Code::MembershipBlocked,
        Code::MembershipExclusive,
    ];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = Accepted;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Accepted>, Refused> {
        let Who::Person(acting) = desk.caller.who else {
            return Err(Refused::new(Code::PersonRequired, Code::PersonRequired.title()));
        };
        let token = token(&desk);
        desk.change(async move |change| {
            let made = invited::accept(change.tx, change.keep, token, acting.user).await?;
            Answer::new(200, &Accepted::of(&made))
        })
        .await
    }
}
