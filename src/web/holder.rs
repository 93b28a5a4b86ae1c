//! Who an access token of our own stands for at our own interfaces.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;

use super::reply::Fault;
use super::visitor::Visitor;
use crate::foundation::id::{OrganizationId, UserId};

/// A person, as they are now and not as they were when the token was signed: they passed the pipeline of everything
/// that is minted.
#[derive(Clone, Debug)]
pub struct Holder {
    pub user: UserId,
    /// The organization that they act for.
    pub organization: Option<OrganizationId>,
    /// What their roles allow there.
    pub granted: BTreeSet<String>,
    /// What the organization's functional roles leave of it.
    pub masked: BTreeSet<String>,
}

/// Looks an access token up; `None` for one that is not ours, not for this audience, run out or revoked.
pub type Look = for<'a> fn(
    &'a Visitor,
    token: &'a str,
    audience: &'a str,
) -> BoxFuture<'a, Result<Option<Holder>, Fault>>;
