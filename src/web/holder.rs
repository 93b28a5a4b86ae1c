//! Who an access token of our own stands for at our own interfaces.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;

use super::dpop::Scheme;
use super::reply::Fault;
use super::visitor::Visitor;
use crate::foundation::clock::Moment;
use crate::foundation::id::{
    ApplicationId, DelegationId, GrantId, OrganizationId, ProjectId, SessionId, UserId,
};
use crate::model::organization::Organization;
use crate::store::durable::engine::{StoreError, Tx};

/// A person, as they are now and not as they were when the token was signed: they passed the pipeline of everything
/// that is minted.
#[derive(Clone, Debug)]
pub struct Holder {
    pub user: UserId,
    /// What was issued to them, and may be taken back.
    pub grant: GrantId,
    pub session: SessionId,
    pub application: ApplicationId,
    /// When they proved who they are.
    pub proved_at: Moment,
    /// The organization that they act for, and by which delegation, if it is not their own.
    pub organization: Option<OrganizationId>,
    pub delegation: Option<DelegationId>,
    /// The roles that they have there.
    pub roles: Vec<String>,
    /// Those of them that rules give by what their identity provider says.
    pub by_rule: Vec<String>,
    /// Whether they own it themselves, and act for nobody else there.
    pub is_owner: bool,
    /// What their roles allow there.
    pub granted: BTreeSet<String>,
    /// What the organization's functional roles leave of it.
    pub masked: BTreeSet<String>,
}

/// Looks an access token up, as it is shown.
pub type Look = for<'a> fn(
    &'a Visitor,
    shown: (Scheme, &'a str),
    audience: &'a str,
) -> BoxFuture<'a, Result<Result<Holder, NotHeld>, Fault>>;

/// Why a token stands for nobody, as far as whoever shows it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotHeld {
    /// It is not ours, not for this audience, run out or revoked, or bound to what they do not prove to hold.
    Nobody,
    /// They prove to hold its key, without a nonce of ours.
    NonceWanted,
    /// Whose token it is may know what their organization wants of them.
    NotActing(NotActing),
}

/// Why somebody does not act for an organization, as far as they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotActing {
    /// They may not, or there is no such organization.
    NotAMember,
    /// It wants another way of signing in.
    SsoRequired,
    MfaRequired,
    /// It wants a newer proof.
    TooOld,
}

/// The organization that somebody may act for, and how.
#[derive(Clone, Debug)]
pub struct ActsFor {
    pub organization: Organization,
    pub roles: Vec<String>,
    pub delegation: Option<DelegationId>,
}

/// Whether whoever a grant stands for may act for an organization, in the same session and the same application.
pub type TryFor = for<'a, 'c> fn(
    tx: &'a mut Tx<'c>,
    project: ProjectId,
    grant: GrantId,
    organization: OrganizationId,
    now: Moment,
) -> BoxFuture<'a, Result<Result<ActsFor, NotActing>, StoreError>>;

/// Whether whoever is signed in by a session may act for an organization, by themselves and for no application.
pub type StandFor = for<'a, 'c> fn(
    tx: &'a mut Tx<'c>,
    project: ProjectId,
    session: SessionId,
    organization: OrganizationId,
    now: Moment,
) -> BoxFuture<'a, Result<Result<ActsFor, NotActing>, StoreError>>;

/// Who the same grant stands for in a transaction that writes for them; `None` where it stands for nobody any more.
pub type LookAgain = for<'a, 'c> fn(
    tx: &'a mut Tx<'c>,
    project: ProjectId,
    grant: GrantId,
    now: Moment,
) -> BoxFuture<'a, Result<Option<Holder>, StoreError>>;
