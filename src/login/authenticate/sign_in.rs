//! What an identity provider proved becomes a session, in one transaction: the domain rule, the identity, the first
//! login's user.

mod joined;

use std::time::Duration;

use serde_json::json;

use super::known::{Known, meant};
use crate::audit::Keep;
use crate::broker::Broker;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{
    ConnectionId, DomainId, IdentityId, OrganizationId, ProjectId, RequestId, SessionId, UserId,
};
use crate::foundation::secret::Digest;
use crate::join::auto::WhyNot;
use crate::join::sign_out;
use crate::login::Stop;
use crate::login::refusal::{Newcomer, Refusal};
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::browser::Browser;
use crate::model::connection::{Connection, Jit};
use crate::model::domain::{Domain, DomainState};
use crate::model::identity::Identity;
use crate::model::login::{Asked, Proof, SingleUse};
use crate::model::membership::MembershipStatus;
use crate::model::project::Project;
use crate::model::session::Session;
use crate::model::user::{Profile, User};
use crate::store::durable::engine::tries::Undone as CanBeUndone;
use crate::store::durable::engine::{Lock, Read, StoreError, Tx};
use crate::store::durable::{
    connection_runs, connections, domains, identities, memberships, organizations, sessions, used,
    user_terms, users,
};
use crate::web::browser::Turn;

/// Who came.
#[derive(Clone)]
pub struct Found {
    pub proof: Proof,
    /// The session that their browser had until now.
    pub standing: Option<SessionId>,
    /// What their browser gets for it.
    pub turn: Turn,
    /// What was asked, if nobody may be asked anything: then nobody else is signed in, or out, than who was meant.
    pub silent: Option<Asked>,
    /// Of the link that they came by.
    pub invitation: Option<Digest>,
    /// Roughly which browser it is, if it says so.
    pub browser: Option<Browser>,
}

/// Nobody is known yet by whom it is done.
fn keep(broker: &Broker, project: &Project, request: RequestId) -> Keep {
    Keep {
        random: broker.random.clone(),
        project: project.clone(),
        actor: Actor::House,
        by: None,
        request: Some(request),
        now: broker.now(),
    }
}

/// Makes the session of somebody who is proved, or says why not; in that case nothing is written.
pub async fn sign_in(
    broker: &Broker,
    project: &Project,
    request: RequestId,
    found: Found,
) -> Result<SessionId, Stop> {
    // A first login may race with itself in another tab; the loser finds what the winner made.
    for attempt in 0..2 {
        let work = SignIn {
            keep: keep(broker, project, request),
            lifetime: Duration::from_secs(broker.config.login.session_lifetime),
            found: found.clone(),
        };
        match broker.db.write_again(async move |tx| work.run(tx).await).await {
            Ok(session) => return Ok(session),
            Err(Undone::Refused(refusal)) => return Err(refusal.into()),
            Err(Undone::Store(StoreError::Unique { .. } | StoreError::Conflict)) if attempt == 0 => {}
            Err(Undone::Store(StoreError::Unique { what })) if what.contains("email_claim") => {
                return Err(Refusal::EmailInUse.into());
            }
            Err(Undone::Store(error)) => return Err(error.into()),
            Err(Undone::Rehearsed) => {}
        }
    }
    Err(Refusal::TooManyRequests.into())
}

/// Why somebody who is proved like this would not come in by a connection as it is given, be it a draft; nothing, if they
/// would. A sign-in is made, up to its session, and taken back whole.
pub async fn rehearsed(
    broker: &Broker,
    project: &Project,
    request: RequestId,
    (connection, proof): (&Connection, &Proof),
) -> Result<Option<Refusal>, StoreError> {
    let keep = keep(broker, project, request);
    let turn = Turn::of_nobody(&broker.random);
    let found =
        Found { proof: proof.clone(), standing: None, turn, silent: None, invitation: None, browser: None };
    let work = SignIn { keep, lifetime: Duration::ZERO, found };
    let connection = connection.clone();
    let outcome = broker
        .db
        .write(async move |tx| match work.rehearse(tx, &connection).await {
            Ok(()) => Err::<(), _>(Undone::Rehearsed),
            Err(why) => Err(why),
        })
        .await;
    match outcome {
        Ok(()) | Err(Undone::Rehearsed) => Ok(None),
        Err(Undone::Refused(refusal)) => Ok(Some(refusal)),
        Err(Undone::Store(StoreError::Unique { what })) if what.contains("email_claim") => {
            Ok(Some(Refusal::EmailInUse))
        }
        Err(Undone::Store(error)) => Err(error),
    }
}

/// Ids of assertions, among what is used once.
const ASSERTION: &str = "saml_assertion";

/// Uses up what proves once; false: it was.
pub async fn is_first(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    once: Option<&SingleUse>,
) -> Result<bool, StoreError> {
    let Some(once) = once else { return Ok(true) };
    used::first(tx, ASSERTION, &connection.to_string(), &once.id, once.until).await
}

/// Why the transaction is rolled back.
enum Undone {
    Refused(Refusal),
    Store(StoreError),
    /// Nothing speaks against it, but it was not meant.
    Rehearsed,
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Undone {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl CanBeUndone for Undone {
    fn is_a_lost_race(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_a_lost_race())
    }
}

/// A connection asserts only addresses in domains verified now, by its own organization, and routed to it
/// (invariant 2; threats C01). One that is no organization's may assert none that an organization holds. Nothing, if the
/// proof breaks the rule; otherwise the domain of its address, if it is the organization's.
pub async fn domain_rule(
    db: &mut impl Read,
    project: ProjectId,
    by: (ConnectionId, Option<OrganizationId>),
    proof: &Proof,
) -> Result<Option<Option<Domain>>, StoreError> {
    if let Some(name) = &proof.named_by
        && may_assert(db, project, by, Some(name)).await?.is_none()
    {
        return Ok(None);
    }
    may_assert(db, project, by, proof.email.as_ref()).await
}

/// Why a proof breaks the rule: an organization that is not active has no domain that anything could be asserted of.
pub async fn not_by_the_rule(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
) -> Result<Refusal, StoreError> {
    let Some(id) = organization else { return Ok(Refusal::EmailDomainNotAllowed) };
    let found = organizations::by_id(db, project, id).await?;
    Ok(match found.is_some_and(|found| found.is_active()) {
        true => Refusal::EmailDomainNotAllowed,
        false => Refusal::OrganizationInactive,
    })
}

async fn may_assert(
    db: &mut impl Read,
    project: ProjectId,
    (connection, organization): (ConnectionId, Option<OrganizationId>),
    email: Option<&Email>,
) -> Result<Option<Option<Domain>>, StoreError> {
    Ok(match (email, organization) {
        (Some(email), Some(_)) => domains::asserted_by(db, connection, email.domain()).await?.map(Some),
        (None, Some(_)) => None,
        (Some(email), None) => match domains::held(db, project, email.domain()).await? {
            Some(_) => None,
            None => Some(None),
        },
        (None, None) => Some(None),
    })
}

struct SignIn {
    keep: Keep,
    lifetime: Duration,
    found: Found,
}

/// By what right the connection asserts the address.
#[derive(Clone, Copy, Default)]
struct Claimed {
    domain: Option<DomainId>,
    /// The domain of an address that the provider itself calls unproved.
    unproved: Option<DomainId>,
    /// Whether the domain's owner wants the address to count as proved, and the provider does not deny it.
    trusted: bool,
    /// Whether somebody may join by it.
    auto_join: bool,
}

impl SignIn {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<SessionId, Undone> {
        let connection = self.connection(tx).await?;
        self.still_stands(tx, &connection).await?;
        self.use_up(tx, &connection).await?;
        let claimed = self.domain_rule(tx, &connection).await?;
        let (user, identity, not_joined) = self.user(tx, &connection, claimed).await?;
        self.takes_no_address(tx, user, claimed).await?;
        self.is_who_was_meant(tx, user).await?;
        let session = self.session(tx, user, identity).await?;
        // Together: an answer that fails must not cost the person the session.
        let until = self.keep.now.plus(self.lifetime);
        self.found.turn.keep(tx, self.keep.project.id, session, self.keep.now, until).await?;
        let mut event = self.event("login.authenticated", &connection).actor(user);
        event.outcome = Outcome::Granted;
        if self.found.proof.left_out.iter().any(|line| line.starts_with("groups:")) {
            connection_runs::groups_missing(tx, connection.id, connection.version, self.keep.now).await?;
        }
        if !self.found.proof.left_out.is_empty() {
            event = event.with("left_out", self.found.proof.left_out.clone());
        }
        if let Some(why) = not_joined {
            event = event.with("auto_join", why.word());
            if let Some(email) = self.own_address(&connection) {
                event = event.with("email", email.as_str());
            }
        }
        self.keep.record(tx, &event.subject(session)).await?;
        Ok(session)
    }

    /// As [`Self::run`], but for what is of the connection's state, of messages that come once, and of the switch that
    /// leads a domain to the connection; and whether who comes in has still their place in its organization.
    async fn rehearse(&self, tx: &mut Tx<'_>, connection: &Connection) -> Result<(), Undone> {
        let domain = match (&self.found.proof.email, connection.organization_id) {
            (Some(email), Some(organization)) => domains::by_name(tx, organization, email.domain()).await?,
            _ => None,
        };
        let claimed = domain
            .filter(|domain| domain.state == DomainState::Verified)
            .map_or_else(Claimed::default, |domain| self.claimed(&domain));
        let (user, _, _) = self.user(tx, connection, claimed).await?;
        self.takes_no_address(tx, user, claimed).await?;
        let Some(organization) = connection.organization_id else { return Ok(()) };
        match memberships::find(tx, organization, user).await? {
            Some(member) if member.status != MembershipStatus::Active => {
                Err(Refusal::MembershipInactive.into())
            }
            _ => Ok(()),
        }
    }

    /// The connection as it is now must be the one that the person was sent to (threats H04).
    async fn connection(&self, tx: &mut Tx<'_>) -> Result<Connection, Undone> {
        let found = connections::by_id(tx, self.keep.project.id, self.found.proof.connection).await?;
        let connection = found.filter(Connection::is_active).ok_or(Refusal::ConnectionChanged)?;
        if connection.version != self.found.proof.version {
            return Err(Refusal::ConnectionChanged.into());
        }
        if let Some(organization) = connection.organization_id {
            tx.lock(Lock::Shared, "organizations", &organization.to_string()).await?;
        }
        Ok(connection)
    }

    /// What was proved may have ended at the provider, which tells us of that once: a logout holds for assertions that
    /// arrive after it, too (SAML Core, section 3.7.3.1).
    async fn still_stands(&self, tx: &mut Tx<'_>, connection: &Connection) -> Result<(), Undone> {
        let Some(upstream) = &self.found.proof.upstream_session else { return Ok(()) };
        // A logout that comes at this moment waits, and ends the session that is made here.
        tx.lock(Lock::Shared, "connections", &connection.id.to_string()).await?;
        if sessions::is_upstream_over(tx, connection.id, upstream, self.found.proof.issued_at, self.keep.now)
            .await?
        {
            return Err(Refusal::SignedOutThere.into());
        }
        Ok(())
    }

    /// A message that proves once proves no second time, on whichever node (invariant 4; threats H08).
    async fn use_up(&self, tx: &mut Tx<'_>, connection: &Connection) -> Result<(), Undone> {
        match is_first(tx, connection.id, self.found.proof.single_use.as_ref()).await? {
            true => Ok(()),
            false => Err(Refusal::AssertionRefused("replayed").into()),
        }
    }

    async fn domain_rule(&self, tx: &mut Tx<'_>, connection: &Connection) -> Result<Claimed, Undone> {
        let by = (connection.id, connection.organization_id);
        match domain_rule(tx, self.keep.project.id, by, &self.found.proof).await? {
            Some(domain) => Ok(domain.map_or_else(Claimed::default, |domain| self.claimed(&domain))),
            None => Err(not_by_the_rule(tx, self.keep.project.id, connection.organization_id).await?.into()),
        }
    }

    /// What the provider calls unproved is nobody's by that, and stays whose it was.
    fn claimed(&self, domain: &Domain) -> Claimed {
        let vouched = self.found.proof.vouched;
        let trusted = domain.trust_since.is_some() && vouched;
        let auto_join = trusted && domain.auto_join_since.is_some();
        let (proved, unproved) = (vouched.then_some(domain.id), (!vouched).then_some(domain.id));
        Claimed { domain: proved, unproved, trusted, auto_join }
    }

    /// Nor does anybody come under an address that is proved to be somebody else's, by saying that it is unproved
    /// (threats C02): applications would read it beside the organization of its domain. What was written until here is
    /// undone.
    async fn takes_no_address(&self, tx: &mut Tx<'_>, user: UserId, claimed: Claimed) -> Result<(), Undone> {
        let (Some(domain), Some(email)) = (claimed.unproved, &self.found.proof.email) else { return Ok(()) };
        match users::is_anothers(tx, self.keep.project.id, domain, email, user).await? {
            true => Err(Refusal::EmailInUse.into()),
            false => Ok(()),
        }
    }

    /// Found by their name, and by nothing else (invariant 1), or made.
    async fn user(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        claimed: Claimed,
    ) -> Result<(UserId, IdentityId, Option<WhyNot>), Undone> {
        match meant(tx, connection.id, &self.found.proof).await? {
            Known::Somebody(identity) => {
                let found = users::by_id(tx, self.keep.project.id, identity.user_id).await?;
                let user = found.filter(|user| user.disabled_at.is_none()).ok_or(Refusal::UserDisabled)?;
                if identity.subject != self.found.proof.subject {
                    identities::respell(tx, identity.id, &self.found.proof.subject).await?;
                }
                self.refresh(tx, connection, user, &identity, claimed).await?;
                self.invited(tx, identity.user_id).await?;
                self.expected(tx, connection, identity.user_id, claimed, false).await?;
                let (_, why) = self.auto_join(tx, connection, identity.user_id, claimed).await?;
                Ok((identity.user_id, identity.id, why))
            }
            Known::Otherwise(kind) => Err(Refusal::SubjectKind(Box::new(kind)).into()),
            Known::Nobody => self.first_login(tx, connection, claimed).await,
        }
    }

    async fn refresh(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        mut user: User,
        identity: &Identity,
        claimed: Claimed,
    ) -> Result<(), Undone> {
        let before = (user.email.clone(), user.email_verified_at.is_some(), user.profile.clone());
        user.email.clone_from(&self.found.proof.email);
        user.email_verified_at = claimed.trusted.then(|| user.email_verified_at.unwrap_or(self.keep.now));
        user.profile.clone_from(&self.found.proof.profile);
        let after = (user.email.clone(), user.email_verified_at.is_some(), user.profile.clone());
        user.updated_at = if before == after { user.updated_at } else { self.keep.now };
        match claimed.unproved {
            Some(_) => users::update_unproved(tx, &user).await?,
            None => users::update(tx, &user, claimed.domain).await?,
        }
        if before != after {
            user_terms::put(tx, &user).await?;
            let changed = self.event("user.updated", connection).actor("house").subject(user.id);
            let known = |(email, is_proved, profile): &(Option<Email>, bool, Profile)| json!({ "email": email, "email_verified": is_proved, "name": profile.shown_name() });
            self.keep.record(tx, &changed.changing(Some(known(&before)), Some(known(&after)))).await?;
        }
        let email = self.found.proof.email.as_ref().map(Email::as_str);
        let (facts, naming) = (&self.found.proof.facts, &self.found.proof.naming);
        identities::touch(tx, identity.id, email, (facts, naming), self.keep.now).await?;
        Ok(())
    }

    /// Creates user, identity and membership, once (S2-36, S2-37).
    async fn first_login(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        claimed: Claimed,
    ) -> Result<(UserId, IdentityId, Option<WhyNot>), Undone> {
        let user = User {
            id: UserId::new(&self.keep.random, self.keep.now),
            project_id: self.keep.project.id,
            email: self.found.proof.email.clone(),
            email_verified_at: claimed.trusted.then_some(self.keep.now),
            profile: self.found.proof.profile.clone(),
            created_at: self.keep.now,
            updated_at: self.keep.now,
            disabled_at: None,
        };
        users::insert(tx, &user, claimed.domain).await?;
        let identity = Identity {
            id: IdentityId::new(&self.keep.random, self.keep.now),
            user_id: user.id,
            connection_id: connection.id,
            issuer: self.found.proof.issuer.clone(),
            subject: self.found.proof.subject.clone(),
            naming: self.found.proof.naming.clone(),
            last_login_at: self.keep.now,
        };
        let email = self.found.proof.email.as_ref().map(Email::as_str);
        identities::insert(tx, self.keep.project.id, &identity, email, &self.found.proof.facts).await?;
        let created = self.event("user.created", connection).actor("house").subject(user.id);
        self.keep.record(tx, &created).await?;
        // What somebody has been invited to as comes before what anybody becomes.
        let invited = self.invited(tx, user.id).await?;
        let expected = self.expected(tx, connection, user.id, claimed, true).await?;
        if connection.settings.jit == Jit::CreateAndJoin {
            self.join_by_jit(tx, connection, user.id).await?;
        }
        let (joined, why) = self.auto_join(tx, connection, user.id, claimed).await?;
        if connection.settings.jit == Jit::ExpectedOnly && !expected && !joined && !invited {
            let newcomer = Newcomer { email: self.own_address(connection), why };
            return Err(Refusal::NotExpected(Box::new(newcomer)).into());
        }
        Ok((user.id, identity.id, why))
    }

    /// The address that they come under, where the connection is an organization's: it is in a domain of its own by now.
    fn own_address(&self, connection: &Connection) -> Option<Email> {
        self.found.proof.email.clone().filter(|_| connection.organization_id.is_some())
    }

    /// Where nobody sees a page on which to say that they are somebody else. What was written until here is undone.
    async fn is_who_was_meant(&self, tx: &mut Tx<'_>, user: UserId) -> Result<(), Undone> {
        let Some(asked) = &self.found.silent else { return Ok(()) };
        let user = users::by_id(tx, self.keep.project.id, user).await?;
        if user.is_some_and(|user| asked.is_for(&user)) { Ok(()) } else { Err(Refusal::LoginRequired.into()) }
    }

    /// The same person's session goes on under its id; anybody else's in this browser ends.
    async fn session(
        &self,
        tx: &mut Tx<'_>,
        user: UserId,
        identity: IdentityId,
    ) -> Result<SessionId, Undone> {
        let mut session = Session {
            id: SessionId::new(&self.keep.random, self.keep.now),
            project_id: self.keep.project.id,
            user_id: user,
            identity_id: identity,
            connection_id: self.found.proof.connection,
            authenticated_at: self.found.proof.authenticated_at,
            assumed_at: self.found.proof.is_assumed.then_some(self.keep.now),
            assurance: self.found.proof.assurance.clone(),
            created_at: self.keep.now,
            expires_at: self.session_ends(),
            ended_at: None,
            current_organization: None,
        };
        let standing = match self.found.standing {
            Some(id) => sessions::by_id(tx, self.keep.project.id, id)
                .await?
                .filter(|session| session.is_alive(self.keep.now)),
            None => None,
        };
        match standing {
            Some(old) if old.identity_id == identity => {
                session.id = old.id;
                // Signed out in this very moment: once more, as somebody new.
                if !sessions::renew(tx, &session, self.found.browser, self.keep.now).await? {
                    return Err(StoreError::Conflict.into());
                }
            }
            Some(_) if self.found.silent.is_some() => return Err(Refusal::LoginRequired.into()),
            other => {
                if let Some(old) = other {
                    let keep = Keep { actor: Actor::User(user), ..self.keep.clone() };
                    sign_out::end(tx, &keep, old.id, sign_out::Cause::Successor).await?;
                }
                sessions::insert(tx, &session, self.found.browser).await?;
            }
        }
        if let Some(upstream) = &self.found.proof.upstream_session {
            sessions::put_upstream(tx, session.id, session.connection_id, upstream, self.keep.now).await?;
        }
        Ok(session.id)
    }

    /// After our own time, or when the provider wants it to, if that is sooner.
    fn session_ends(&self) -> Moment {
        let ours = self.keep.now.plus(self.lifetime);
        self.found.proof.session_until.map_or(ours, |theirs| theirs.min(ours))
    }

    fn event(&self, action: &'static str, connection: &Connection) -> AuditEvent {
        AuditEvent::new(self.keep.project.id, action, Outcome::Changed)
            .organization(connection.organization_id)
            .request(self.keep.request)
            .with("connection", connection.id.to_string())
            .with("amr", self.found.proof.assurance.amr.clone())
            .with("acr", self.found.proof.assurance.acr.word())
    }
}
