//! What somebody becomes a member of by signing in: what they were invited to, what waits for them, what their provider's
//! people and their domain's get.

use super::{Claimed, SignIn, Undone};
use crate::audit::Keep;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{OrganizationId, UserId};
use crate::foundation::secret::Digest;
use crate::join::auto::{self, Considered, Proved, WhyNot};
use crate::join::invited::NotAccepted;
use crate::join::{self, Joining};
use crate::login::refusal::Refusal;
use crate::model::audit_event::Actor;
use crate::model::connection::Connection;
use crate::model::domain::Domain;
use crate::model::membership::{MembershipKind, MembershipSource, MembershipStatus};
use crate::model::project::MembershipMode;
use crate::model::role;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::memberships::Expected;
use crate::store::durable::{domains, invitations, memberships, roles};

impl SignIn {
    /// Accepts the invitation by which they came, if there is one and it is theirs; otherwise nobody signs in by it
    /// (threats C18). Whether they became a member now.
    pub(super) async fn invited(&self, tx: &mut Tx<'_>, user: UserId) -> Result<bool, Undone> {
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
    pub(super) async fn auto_join(
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

    pub(super) async fn join_by_jit(
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
    pub(super) async fn expected(
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
}
