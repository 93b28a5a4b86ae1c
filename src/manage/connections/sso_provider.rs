//! `/organizations/{organization_id}/sso-provider`: the primary connection of an organization, for who has only one
//! (S1-R23 to S1-R25).

use std::time::Duration;

use http::Method;

use super::api::{CHANGES, FRESH, LARGEST, READ, WRITE, shown, teller};
use super::relied_on::Force;
use super::said::body::{Meta, Scope, Whole};
use super::view::ConnectionView;
use super::written::{Goes, changed, made, removed};
use super::{Held, beside, held};
use crate::manage::api::route::{At, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::store::durable::{connections, organizations};

const PATH: &str = "/organizations/{organization_id}/sso-provider";

/// The primary connection, if there is one.
async fn primary(desk: &Desk) -> Result<Option<Held>, Refused> {
    let db = &mut desk.db();
    match connections::primary_of(db, desk.organization()?.id).await? {
        Some(found) => Ok(Some(beside(db, found).await?)),
        None => Ok(None),
    }
}

/// `GET /organizations/{organization_id}/sso-provider` (S1-R23)
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = PATH;
    const NAME: &'static str = "read_sso_provider";
    const SUMMARY: &'static str = "The organization's primary connection, without secrets.";
    const NEED: Need = READ;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ConnectionView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        shown(200, &teller(&desk), &primary(&desk).await?.ok_or_else(Refused::hidden)?)
    }
}

/// `PUT /organizations/{organization_id}/sso-provider` (S1-R24)
pub struct Put;

impl Operation for Put {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = PATH;
    const NAME: &'static str = "put_sso_provider";
    const SUMMARY: &'static str = "Makes the primary connection, or a draft of it; live at once where it is active and nobody signs in by it.";
    const NEED: Need = WRITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200, 201];
    const CODES: &'static [Code] = &PUT;
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    const LARGEST: Option<usize> = LARGEST;
    type Query = NoQuery;
    type Body = Whole;
    type Answer = ConnectionView;

    async fn run(desk: Desk, _: NoQuery, body: Whole) -> Result<Answer<Self::Answer>, Refused> {
        let goes = match body.0.meta.activate {
            Some(true) => Goes::Live,
            Some(false) => Goes::Nowhere,
            None => Goes::LiveUnlessDependedOn,
        };
        match primary(&desk).await? {
            Some(base) => changed(desk, base, (body.0, false), goes).await,
            None => {
                fits_path(&desk, &body.0.meta).await?;
                made(desk, body.0, true).await
            }
        }
    }
}

/// What a change is refused for, or a new one.
const PUT: [Code; 22] = {
    let mut all = [Code::LimitReached; 22];
    let mut place = 0;
    while place < CHANGES.len() {
        all[place] = CHANGES[place];
        place += 1;
    }
    all[CHANGES.len()] = Code::ConnectionExists;
    all
};

/// A body that names another organization than the path does means something else.
async fn fits_path(desk: &Desk, meta: &Meta) -> Result<(), Refused> {
    let own = desk.organization()?.id;
    let elsewhere = match &meta.organization_id {
        Some(name) => {
            let found = organizations::named(&mut desk.db(), desk.project().id, name).await?;
            found.map(|found| found.id) != Some(own)
        }
        None => false,
    };
    if elsewhere || meta.scope == Some(Scope::Project) {
        return Err(Refused::new(Code::NotMovable, "the path says whose connection it is"));
    }
    Ok(())
}

/// `DELETE /organizations/{organization_id}/sso-provider` (S1-R25)
pub struct Delete;

impl Operation for Delete {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = PATH;
    const NAME: &'static str = "delete_sso_provider";
    const SUMMARY: &'static str = "Disables the primary connection; who came by it stays known, and may be led to another one of the same provider (`/connections/{connection_id}/relink`).";
    const NEED: Need = WRITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] =
        &[Code::EnforcementDepends, Code::PolicyLocksOut, Code::PreconditionFailed];
    const FRESH: Option<Duration> = FRESH;
    type Query = Force;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, query: Force, _: NoBody) -> Result<Answer<()>, Refused> {
        let of = desk.organization()?.id;
        desk.change_with_guests(async move |change| {
            let found = connections::primary_of(change.tx, of).await?.ok_or_else(Refused::hidden)?;
            let before = held(change, found.id).await?;
            removed(change, before, query).await
        })
        .await
    }
}
