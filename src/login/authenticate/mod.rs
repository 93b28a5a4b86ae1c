//! Somebody we trust says who they are. What an identity provider proved becomes a session here, in one
//! transaction: the domain rule, the identity, the first login's user and memberships.

mod known;
pub mod oidc;
pub mod pages;
pub mod saml;
pub mod trial;

use std::time::Duration;

use serde_json::json;

use self::known::{Known, meant};
use super::Stop;
use super::departure::Departure;
use super::doorstep;
use super::refusal::{Newcomer, Refusal};
use crate::audit::Keep;
use crate::broker::Broker;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{
    ConnectionId, DomainId, IdentityId, OrganizationId, ProjectId, RequestId, SessionId, UserId,
};
use crate::foundation::secret::Digest;
use crate::join::auto::{self, Considered, Proved, WhyNot};
use crate::join::invited::NotAccepted;
use crate::join::{self, Joining, sign_out};
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::browser::Browser;
use crate::model::connection::{Connection, Jit, OidcConnection, SamlConnection, Upstream};
use crate::model::domain::{Domain, DomainState};
use crate::model::identity::Identity;
use crate::model::login::{Asked, Away, Login, Proof, SingleUse};
use crate::model::membership::{MembershipKind, MembershipSource, MembershipStatus};
use crate::model::project::{MembershipMode, Project};
use crate::model::role;
use crate::model::session::Session;
use crate::model::user::{Profile, User};
use crate::store::durable::engine::tries::Undone as CanBeUndone;
use crate::store::durable::engine::{Lock, Read, StoreError, Tx};
use crate::store::durable::memberships::Expected;
use crate::store::durable::{
    connection_runs, connections, domains, identities, invitations, memberships, organizations, roles,
    sessions, used, user_terms, users,
};
use crate::web::browser::Turn;
use crate::web::visitor::Visitor;

/// Where the person is sent, and what the return must match.
pub async fn leave_for(
    visitor: &Visitor,
    login: &Login,
    connection: ConnectionId,
    email: Option<Email>,
) -> Result<(Away, Departure), Stop> {
    let connection = known(visitor, connection).await?;
    leave_by(visitor, login, &connection, email).await
}

/// As [`leave_for`], to ask the identity provider who is there without its asking anybody. Nothing, if the connection does
/// not want that, or if it cannot go without a page of ours or a new proof.
pub async fn leave_silently(
    visitor: &Visitor,
    login: &Login,
    connection: ConnectionId,
    email: Option<Email>,
) -> Result<Option<(Away, Departure)>, Stop> {
    let connection = known(visitor, connection).await?;
    let proves_anew = login.asked.max_age == Some(0);
    // Within a frame of the application the browser would bring no cookie of ours back.
    let is_framed = visitor.headers.get("sec-fetch-dest").is_some_and(|place| place != "document");
    let may_be_asked = match &connection.settings.upstream {
        Upstream::Oidc(_) => true,
        Upstream::Saml(saml) => saml.idp.sso.redirect.is_some() && !saml.request.force_authn,
    };
    if !connection.settings.silent_sign_in || proves_anew || is_framed || !may_be_asked {
        return Ok(None);
    }
    leave_by(visitor, login, &connection, email).await.map(Some)
}

async fn known(visitor: &Visitor, id: ConnectionId) -> Result<Connection, Stop> {
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    let found = found.filter(Connection::is_active).ok_or(Refusal::ConnectionNotOffered)?;
    doorstep::current(visitor, found).await
}

async fn leave_by(
    visitor: &Visitor,
    login: &Login,
    connection: &Connection,
    email: Option<Email>,
) -> Result<(Away, Departure), Stop> {
    match &connection.settings.upstream {
        Upstream::Oidc(oidc) => {
            let connection = OidcConnection { connection, oidc };
            let (away, location) = oidc::leave_for(visitor, login, connection, email).await?;
            Ok((away, Departure::Redirect(location)))
        }
        Upstream::Saml(saml) => {
            let connection = SamlConnection { connection, saml };
            saml::leave_for(visitor, login, connection, email).await
        }
    }
}

/// When the person proved who they are, if that is recent enough for what the application asked. A moment that lies
/// ahead, by what clocks differ, is the provider's.
pub fn recent_enough(away: &Away, at: Moment, now: Moment, leeway: Duration) -> Result<Moment, Refusal> {
    let at = at.min(now);
    let before_leaving = away.reauthenticate && at.plus(leeway) < away.left_at;
    let limit = away.max_age.filter(|_| !away.reauthenticate).map(Duration::from_secs);
    let beyond_limit = limit.is_some_and(|limit| now.since(at) > limit.saturating_add(leeway));
    if before_leaving || beyond_limit { Err(Refusal::AuthenticationTooOld) } else { Ok(at) }
}

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
            keep: Keep {
                random: broker.random.clone(),
                project: project.clone(),
                actor: Actor::House,
                by: None,
                request: Some(request),
                now: broker.now(),
            },
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
    let keep = Keep {
        random: broker.random.clone(),
        project: project.clone(),
        actor: Actor::House,
        by: None,
        request: Some(request),
        now: broker.now(),
    };
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
async fn is_first(
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
async fn domain_rule(
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
async fn not_by_the_rule(
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

    /// Accepts the invitation by which they came, if there is one and it is theirs; otherwise nobody signs in by it
    /// (threats C18). Whether they became a member now.
    async fn invited(&self, tx: &mut Tx<'_>, user: UserId) -> Result<bool, Undone> {
        let Some(token) = self.found.invitation else { return Ok(false) };
        let keep = Keep { actor: Actor::User(user), ..self.keep.clone() };
        match join::invited::accept(tx, &keep, token, user).await {
            Ok(_) => Ok(true),
            Err(NotAccepted::AlreadyMember) => Ok(false),
            Err(NotAccepted::Gone) if self.has_accepted(tx, token, user).await? => Ok(false),
            Err(NotAccepted::Store(error)) => Err(error.into()),
            Err(why) => Err(Refusal::from(why).into()),
        }
    }

    /// Whether they came twice, and have become a member in another tab.
    async fn has_accepted(&self, tx: &mut Tx<'_>, token: Digest, user: UserId) -> Result<bool, StoreError> {
        let found = invitations::by_token(tx, self.keep.project.id, token).await?;
        Ok(found.is_some_and(|found| found.accepted_by == Some(user)))
    }

    /// Lets them join by their domain, if its organization wants that; whether they did, or why not (threats H07).
    async fn auto_join(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        user: UserId,
        claimed: Claimed,
    ) -> Result<(bool, Option<WhyNot>), Undone> {
        let email = self.found.proof.email.as_ref().filter(|_| claimed.auto_join);
        let (Some(email), Some(domain), Some(organization)) =
            (email, claimed.domain, connection.organization_id)
        else {
            return Ok((false, None));
        };
        let proved = Proved { user, email, domain, organization };
        Ok(match auto::consider(tx, &self.keep, proved).await? {
            Considered::Joined => (true, None),
            Considered::IsMember => (false, None),
            Considered::No(why) => (false, Some(why)),
        })
    }

    async fn join_by_jit(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        user: UserId,
    ) -> Result<(), Undone> {
        let settings = &connection.settings;
        let home = connection.organization_id.map(|organization| (organization, MembershipKind::Home));
        let further =
            settings.assign_organizations.iter().map(|organization| (*organization, MembershipKind::Member));
        for (organization, kind) in home.into_iter().chain(further) {
            let source = MembershipSource::Jit;
            let roles = self.roles_of_jit(tx, connection, organization).await?;
            join::join(tx, &self.keep, &Joining { user, organization, kind, source, roles: &roles }).await?;
        }
        Ok(())
    }

    /// Those that may be given to whoever comes, as the roles are now and not when they were named (threats H01): of what
    /// has come to administer the organization, or is no more, the trail tells.
    async fn roles_of_jit(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        organization: OrganizationId,
    ) -> Result<Vec<String>, Undone> {
        let named = connection.settings.default_roles.iter().cloned();
        let custom = roles::permissions(tx, self.keep.project.id, organization).await?;
        let (mut given, left_out): (Vec<_>, Vec<_>) =
            named.partition(|name| auto::may_be_given(name, &custom));
        if !left_out.is_empty() {
            let event = self.keep.event("organization.member.roles_left_out", organization);
            let event = event.subject(connection.id).with("why", "role_not_allowed");
            self.keep.record(tx, &event.with("roles", left_out)).await?;
        }
        if given.is_empty() {
            given.push(role::MEMBER.to_owned());
        }
        Ok(given)
    }

    /// Takes the places that wait for this address, if its own domain's connection has proved it.
    async fn expected(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        user: UserId,
        claimed: Claimed,
        new: bool,
    ) -> Result<bool, Undone> {
        let Some(email) = self.found.proof.email.as_ref().filter(|_| claimed.trusted) else {
            return Ok(false);
        };
        let since = self.places_count_since(tx, connection, email).await?;
        let own = connection.organization_id;
        let mut places =
            memberships::take_expected(tx, self.keep.project.id, email, user, own, since, self.keep.now)
                .await?;
        // One's own organization first: in an exclusive project it is the only one.
        places.sort_by_key(|(place, _)| Some(place.organization_id) != connection.organization_id);
        let mut any = false;
        for (mut place, kept_at) in places {
            any = true;
            self.drop_unknown(tx, &mut place).await?;
            self.give_roles(tx, user, (&place, kept_at)).await?;
            // In an exclusive project one has one membership; a known user has it already.
            if new || self.keep.project.settings.membership_mode == MembershipMode::Shared {
                let joining = Joining {
                    user,
                    organization: place.organization_id,
                    kind: place.kind,
                    source: MembershipSource::Manual,
                    roles: &place.roles,
                };
                join::join(tx, &self.keep, &joining).await?;
            }
        }
        Ok(any)
    }

    /// A role that is no more is nobody's.
    async fn drop_unknown(&self, tx: &mut Tx<'_>, place: &mut Expected) -> Result<(), Undone> {
        if place.roles.iter().all(|name| role::built_in(name).is_some()) {
            return Ok(());
        }
        let custom = roles::permissions(tx, self.keep.project.id, place.organization_id).await?;
        place.roles.retain(|name| role::built_in(name).is_some() || custom.contains_key(name));
        Ok(())
    }

    /// Whoever held the domain before has left nothing to its new holder's people: places that others kept for theirs
    /// do not count (threats C16). Those that the new holder itself has kept do, however long ago.
    async fn places_count_since(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        email: &Email,
    ) -> Result<Moment, Undone> {
        let claims = domains::claims(tx, self.keep.project.id, email.domain()).await?;
        let own = |claim: &&Domain| Some(claim.organization_id) == connection.organization_id;
        let had_another_holder = claims.iter().any(|claim| !own(&claim) && claim.verified_at.is_some());
        let verified_at = claims.iter().find(own).and_then(|claim| claim.verified_at);
        Ok(verified_at.filter(|_| had_another_holder).unwrap_or(Moment::from_millis(0)))
    }

    /// Somebody who has joined by themselves in the meantime gets the roles that were meant for them, unless somebody has
    /// given them others since the place was kept.
    async fn give_roles(
        &self,
        tx: &mut Tx<'_>,
        user: UserId,
        (place, kept_at): (&Expected, Moment),
    ) -> Result<(), Undone> {
        let found = memberships::locked(tx, place.organization_id, user).await?;
        let Some(mut member) = found.filter(|member| {
            member.status == MembershipStatus::Active && member.source == MembershipSource::Jit
        }) else {
            return Ok(());
        };
        if memberships::is_changed_since(tx, member.id, kept_at).await? {
            return Ok(());
        }
        // Who has come to own it meanwhile goes on doing so (threats H02).
        let owns = member.roles.iter().any(|name| name == role::OWNER);
        member.roles.clone_from(&place.roles);
        // As if they had come to the place first.
        member.kind = place.kind;
        if owns && !member.roles.iter().any(|name| name == role::OWNER) {
            member.roles.push(role::OWNER.to_owned());
        }
        memberships::update(tx, &member, self.keep.now).await?;
        let event = self
            .keep
            .event("organization.member.role_changed", place.organization_id)
            .subject(user)
            .with("roles", member.roles.clone())
            .with("kind", member.kind.word());
        self.keep.record(tx, &event).await?;
        Ok(())
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
