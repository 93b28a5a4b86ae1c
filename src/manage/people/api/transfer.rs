//! Ownership: offered, accepted, taken back.

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::foundation::id::UserId;
use crate::manage::api::route::{At, Json, NoBody, NoQuery, Operation};
use crate::manage::authority::{Need, OWNERS_FRESH};
use crate::manage::caller::Who;
use crate::manage::desk::{Answer, Desk};
use crate::manage::people::transfer::{accept, cancel, give, offer};
use crate::manage::refused::{Code, Refused};
use crate::model::permission::Permission;
use crate::store::durable::transfers::{self, Transfer as Offer};

/// Who is to own the organization.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferOwnership {
    /// An active member.
    pub user_id: String,
    /// Whether they are asked first; otherwise it happens at once.
    #[serde(default = "yes")]
    pub acceptance_required: bool,
}

fn yes() -> bool {
    true
}

/// How it stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TransferView {
    #[schemars(extend("enum" = ["pending", "transferred"]))]
    pub status: &'static str,
    /// Who offered it, and who is to have it.
    pub from_user_id: String,
    pub to_user_id: String,
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
}

impl TransferView {
    fn pending(of: &Offer) -> Self {
        let (from, to) = (of.from.to_string(), of.to.to_string());
        let expires_at = Some(of.expires_at.rfc3339());
        Self { status: "pending", from_user_id: from, to_user_id: to, expires_at }
    }
}

/// The person who calls: no key and no operator gives what they do not have.
fn person(desk: &Desk) -> Result<UserId, Refused> {
    match desk.caller.who {
        Who::Person(acting) => Ok(acting.user),
        _ => Err(Refused::new(Code::PersonRequired, Code::PersonRequired.title())),
    }
}

/// `POST /organizations/{organization_id}/transfer-ownership` (S1-R11, S1-L8)
pub struct Transfer;

impl Operation for Transfer {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/transfer-ownership";
    const NAME: &'static str = "transfer_ownership";
    const SUMMARY: &'static str = "Offers the caller's ownership to an active member, or gives it at once; the caller becomes an administrator.";
    const NEED: Need = Need::Permitted(Permission::OrganizationTransfer);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200, 202];
    const CODES: &'static [Code] = &[
        Code::PersonRequired,
        Code::TargetNotActive,
        Code::AlreadyOwner,
        Code::NotOwner,
        Code::TransferPending,
        Code::LastOwner,
        Code::PolicyLocksOut,
    ];
    const FRESH: Option<Duration> = Some(OWNERS_FRESH);
    type Query = NoQuery;
    type Body = Json<TransferOwnership>;
    type Answer = TransferView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<TransferView>, Refused> {
        let (id, from) = (desk.organization()?.id, person(&desk)?);
        let to: UserId = body.0.user_id.parse().map_err(|_| Refused::hidden())?;
        let asks = body.0.acceptance_required;
        desk.change(async move |change| {
            if asks {
                return Answer::new(202, &TransferView::pending(&offer(change, id, from, to).await?));
            }
            give(change, id, from, to).await?;
            let (from_user_id, to_user_id) = (from.to_string(), to.to_string());
            let view = TransferView { status: "transferred", from_user_id, to_user_id, expires_at: None };
            Answer::new(200, &view)
        })
        .await
    }
}

/// `GET /organizations/{organization_id}/transfer-ownership` (S1-R11)
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/transfer-ownership";
    const NAME: &'static str = "read_ownership_transfer";
    const SUMMARY: &'static str =
        "What is offered, for who offers it, who is to have it, and who sees the members.";
    const NEED: Need = Need::Permitted(Permission::OrganizationRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = TransferView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<TransferView>, Refused> {
        let id = desk.organization()?.id;
        let waits = transfers::pending(&mut desk.db(), id, desk.now).await?.ok_or_else(Refused::hidden)?;
        let sees = desk.caller.standing.may(Permission::MembersRead, id);
        match person(&desk) {
            Ok(user) if user == waits.from || user == waits.to => {}
            _ if sees => {}
            _ => return Err(Refused::hidden()),
        }
        Answer::new(200, &TransferView::pending(&waits))
    }
}

/// `POST /organizations/{organization_id}/transfer-ownership/accept` (S1-R11)
pub struct Accept;

impl Operation for Accept {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/transfer-ownership/accept";
    const NAME: &'static str = "accept_ownership";
    const SUMMARY: &'static str = "Accepts the ownership that is offered to the caller.";
    const NEED: Need = Need::Account;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::OfferOutdated,
        Code::TargetNotActive,
        Code::AlreadyOwner,
        Code::NotOwner,
        Code::LastOwner,
        Code::PolicyLocksOut,
    ];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = TransferView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<TransferView>, Refused> {
        let (id, to) = (desk.organization()?.id, person(&desk)?);
        desk.change(async move |change| {
            let from = accept(change, id, to).await?;
            let (from_user_id, to_user_id) = (from.to_string(), to.to_string());
            let view = TransferView { status: "transferred", from_user_id, to_user_id, expires_at: None };
            Answer::new(200, &view)
        })
        .await
    }
}

/// `DELETE /organizations/{organization_id}/transfer-ownership` (S1-R11)
pub struct Cancel;

impl Operation for Cancel {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/organizations/{organization_id}/transfer-ownership";
    const NAME: &'static str = "cancel_ownership_transfer";
    const SUMMARY: &'static str = "Takes an offer back, or turns it down; any owner may.";
    const NEED: Need = Need::Account;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[204];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let (id, who) = (desk.organization()?.id, person(&desk)?);
        desk.change(async move |change| {
            cancel(change, id, who).await?;
            Answer::new(204, &())
        })
        .await
    }
}
