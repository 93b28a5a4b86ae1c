//! People and members that a story needs, put straight into the database.

use behalf::foundation::email::Email;
use behalf::foundation::id::{MembershipId, OrganizationId, UserId};
use behalf::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use behalf::model::project::MembershipMode;
use behalf::model::user::{Profile, User};
use behalf::store::durable::{domains, memberships, projects, users};

use super::broker::House;

impl House {
    /// Somebody who is known, with a proved address where its domain is held.
    pub async fn knows(&self, email: &str, name: &str) -> UserId {
        let (broker, email) = (&self.broker, Email::parse(email).unwrap());
        let project = projects::by_slug(&mut &broker.db, "default").await.unwrap().unwrap().id;
        let domain = domains::held(&mut &broker.db, project, email.domain()).await.unwrap();
        let user = User {
            id: UserId::new(&broker.random, broker.now()),
            project_id: project,
            email: Some(email),
            email_verified_at: domain.as_ref().map(|_| broker.now()),
            profile: Profile { name: Some(name.to_owned()), ..Profile::default() },
            created_at: broker.now(),
            updated_at: broker.now(),
            disabled_at: None,
        };
        let (id, domain) = (user.id, domain.map(|domain| domain.id));
        broker.db.write(async move |tx| users::insert(tx, &user, domain).await).await.unwrap();
        id
    }

    /// Makes somebody an active member.
    pub async fn joins(&self, user: UserId, organization: &str, roles: &[&str]) -> Membership {
        let (broker, id) = (&self.broker, self.organization(organization).await);
        let project = projects::by_slug(&mut &broker.db, "default").await.unwrap().unwrap();
        let membership = Membership {
            id: MembershipId::new(&broker.random, broker.now()),
            organization_id: id.parse::<OrganizationId>().unwrap(),
            user_id: user,
            kind: MembershipKind::Member,
            status: MembershipStatus::Active,
            source: MembershipSource::Manual,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            created_at: broker.now(),
        };
        let (mode, made) = (MembershipMode::Shared, membership.clone());
        let written = broker.db.write(async move |tx| memberships::insert(tx, project.id, mode, &made).await);
        written.await.unwrap();
        membership
    }

    /// Somebody who is known and a member.
    pub async fn has_member(&self, email: &str, organization: &str, roles: &[&str]) -> UserId {
        let name = email.split('@').next().unwrap_or_default().to_owned();
        let user = self.knows(email, &name).await;
        self.joins(user, organization, roles).await;
        user
    }
}
