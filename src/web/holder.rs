//! Who an access token of our own stands for at our own interfaces.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::dpop::Scheme;
use super::reply::Fault;
use super::visitor::Visitor;
use crate::foundation::clock::Moment;
use crate::foundation::id::{
    ApplicationId, DelegationId, GrantId, OrganizationId, ProjectId, SessionId, UserId,
};
use crate::model::organization::Organization;
use crate::protocol::jose::Claims;
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
    /// Whether they had to allow it: it acts for them where they act, and nowhere else.
    pub is_by_consent: bool,
    /// When they proved who they are, if their identity provider says.
    pub proved_at: Option<Moment>,
    /// The organization that they act for, and by which delegation of which home organization, if it is not their own.
    pub organization: Option<OrganizationId>,
    pub delegation: Option<(DelegationId, OrganizationId)>,
    /// The roles that they have there; where they act for nobody, those of the project, which open nothing at our own
    /// interfaces.
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

/// An access token that was shown as it must be, and of what it is.
#[derive(Clone, Debug)]
pub struct Shown {
    pub grant: GrantId,
    pub user: UserId,
    pub session: SessionId,
    pub token: Claims,
}

/// What comes of looking.
pub type Looked = Result<(Holder, Shown), NotHeld>;

/// Looks an access token up, as it is shown.
pub type Look = for<'a> fn(
    &'a Visitor,
    shown: (Scheme, &'a str),
    audience: &'a str,
) -> BoxFuture<'a, Result<Looked, Fault>>;

/// Why a token stands for nobody, as far as whoever shows it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotHeld {
    /// It is not ours, not for this audience, run out or revoked, or bound to what they do not prove to hold.
    Nobody,
    /// They prove to hold its key, without a nonce of ours.
    NonceWanted,
    /// What they prove by is missing, or no good: what is wrong with it.
    Proof(Cow<'static, str>),
    /// Whose token it is may know what their organization wants of them.
    NotActing(Barred),
}

/// Why somebody does not act for an organization, and where they could do what is missing, if their application says where
/// its logins begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barred {
    pub why: NotActing,
    pub login_url: Option<String>,
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
    /// They have not allowed their application to act for them there.
    ConsentRequired,
}

/// The organization that somebody may act for, and how.
#[derive(Clone, Debug)]
pub struct ActsFor {
    pub organization: Organization,
    pub roles: Vec<String>,
    pub delegation: Option<DelegationId>,
}

/// An access token for the organization that somebody has switched to (RFC 6749, section 5.1).
#[derive(Clone, Debug)]
pub struct Issued {
    pub access_token: String,
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
    pub scope: String,
}

/// What comes of it, for whoever switches.
pub type Switched<'a> = BoxFuture<'a, Result<Result<(ActsFor, Issued), Barred>, Fault>>;

/// Whoever shows an access token acts for another organization, in the same session and the same application.
pub trait Switch: Send + Sync {
    /// Runs every check, and issues.
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> Switched<'a>;
}

/// That, ready to be done in a transaction.
#[derive(Clone)]
pub struct Prepared(Arc<dyn Switch>);

impl Prepared {
    pub fn new(switch: impl Switch + 'static) -> Self {
        Self(Arc::new(switch))
    }

    pub fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> Switched<'a> {
        self.0.run(tx)
    }
}

/// Makes that ready: by what they show, for the organization of this name, and for an audience of ours that the token is
/// for, too.
pub type Switching = for<'a> fn(
    &'a Visitor,
    shown: &'a Shown,
    organization: &'a str,
    audience: &'a str,
) -> BoxFuture<'a, Result<Prepared, Fault>>;

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
