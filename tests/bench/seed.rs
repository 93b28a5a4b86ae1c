//! What stands in the database before anybody comes.

use std::time::Duration;

use behalf::broker::Broker;
use behalf::foundation::clock::Moment;
use behalf::foundation::email::Email;
use behalf::foundation::id::{
    ApplicationId, ConnectionId, DomainId, IdentityId, MembershipId, OrganizationId, ProjectId, SessionId,
    UserId,
};
use behalf::foundation::random::Random;
use behalf::foundation::secret::{Digest, Secret};
use behalf::keys::connection_secret;
use behalf::keys::keyring::Keyring;
use behalf::model::application::{
    Application, ApplicationKind, ApplicationSettings, AuthorizationSettings, ClientSettings,
    ExchangeSettings, GrantType, Lifetimes, OrganizationPrompt, OrganizationUsage, SenderSettings,
    SignOutSettings,
};
use behalf::model::claim_shape::ClaimShape;
use behalf::model::connection::{
    Connection, ConnectionState, Jit, OidcSettings, Preset, Settings, Upstream as Spoken,
};
use behalf::model::domain::{Domain, DomainState};
use behalf::model::identity::{Identity, IdentityFacts, Naming};
use behalf::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use behalf::model::organization::{Organization, Policy};
use behalf::model::project::{DEFAULT_SLUG, MembershipMode};
use behalf::model::session::{Acr, Assurance, Session};
use behalf::model::user::{Profile, User};
use behalf::protocol::jose::Algorithm;
use behalf::protocol::oauth::client_authentication::Method;
use behalf::protocol::oauth::redirect_uri::RedirectUri;
use behalf::store::durable::engine::{StoreError, Tx};
use behalf::store::durable::{
    applications, connections, domains, identities, memberships, organizations, projects, sessions, users,
};

use super::provider::{CLIENT_ID, CLIENT_SECRET};
use super::upstream::Upstream;

pub const REDIRECT_URI: &str = "https://app.a.test/callback";
pub const SECRET: &str = "secret-of-the-application";
pub const SCOPES: [&str; 5] = ["openid", "profile", "email", "organization", "roles"];

pub async fn default_project(broker: &Broker) -> ProjectId {
    projects::by_slug(&mut &broker.db, DEFAULT_SLUG).await.unwrap().unwrap().id
}

/// One organization with a routed domain, its connection to a sample provider, and an application for each algorithm.
pub async fn house(broker: &Broker, upstream: Upstream<'_>) {
    let (project, now, random) = (default_project(broker).await, broker.now(), broker.random.clone());
    let mut customer = Customer::new(&random, project, now, "a.test", upstream.issuer());
    match upstream {
        Upstream::Oidc(_) => {
            customer.keep_secret(&broker.keyring, &random);
        }
        Upstream::Saml(provider) => {
            let (id, secret) = (customer.connection.id, provider.secret());
            customer.connection.settings.upstream = provider.settings();
            customer.connection.secret =
                secret.map(|secret| connection_secret::seal(&broker.keyring, &random, id, &secret));
        }
    }
    let offered = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
        .map(|algorithm| application(&random, project, now, algorithm));
    let written = broker.db.write(async move |tx| {
        customer.insert(tx).await?;
        for application in &offered {
            applications::insert(tx, application).await?;
            applications::set_secrets(tx, application.id, &[Digest::of(SECRET.as_bytes())], now).await?;
        }
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
}

/// Organizations beside it: `company-0.test` and so on.
pub async fn neighbours(broker: &Broker, issuer: &str, many: usize) {
    let (project, now, random) = (default_project(broker).await, broker.now(), broker.random.clone());
    for from in (0..many).step_by(5_000) {
        let (random, issuer, keyring) = (random.clone(), issuer.to_owned(), broker.keyring.clone());
        let written = broker.db.write(async move |tx| {
            for number in from..many.min(from + 5_000) {
                let name = format!("company-{number}.test");
                let mut customer = Customer::new(&random, project, now, &name, &issuer);
                customer.keep_secret(&keyring, &random);
                customer.insert(tx).await?;
                customer.insert_somebody(tx, &random, "bob", now).await?;
            }
            Ok::<_, StoreError>(())
        });
        written.await.unwrap();
    }
}

/// The `client_id` is the algorithm's name.
pub fn application(random: &Random, project: ProjectId, now: Moment, algorithm: Algorithm) -> Application {
    Application {
        id: ApplicationId::new(random, now),
        project_id: project,
        client_id: algorithm.name().to_owned(),
        display_name: format!("An application with {}", algorithm.name()),
        settings: ApplicationSettings {
            kind: ApplicationKind::Web,
            authentication: Method::SecretBasic,
            jwks: None,
            sender: SenderSettings::default(),
            redirect_uris: vec![RedirectUri::register(REDIRECT_URI).unwrap()],
            initiate_login_uri: None,
            requests: AuthorizationSettings::default(),
            sign_out: SignOutSettings::default(),
            client: ClientSettings::default(),
            scopes: SCOPES.map(str::to_owned).to_vec(),
            grant_types: [ApplicationKind::Web.grant_types(), &[GrantType::DeviceCode]].concat(),
            lifetimes: Lifetimes::default(),
            algorithm,
            audiences: Vec::new(),
            organization_prompt: OrganizationPrompt::After,
            organization_usage: OrganizationUsage::Allow,
            domain_based: true,
            connections: Vec::new(),
            organizations_limited: false,
            claims: ClaimShape::default(),
            exchange: ExchangeSettings::default(),
        }
        .into(),
        created_at: now,
        updated_at: now,
        disabled_at: None,
        organization_id: None,
        stopped_at: None,
    }
}

/// An organization, its domain, and the connection that serves it.
pub struct Customer {
    pub organization: Organization,
    pub connection: Connection,
    pub domain: Domain,
}

impl Customer {
    pub fn new(random: &Random, project: ProjectId, now: Moment, domain: &str, issuer: &str) -> Self {
        let slug = domain.replace('.', "-");
        let organization = Organization {
            id: OrganizationId::new(random, now),
            project_id: project,
            slug: slug.clone(),
            display_name: domain.to_owned(),
            kind: None,
            description: None,
            logo_uri: None,
            functional_roles: None,
            policy: Policy::default(),
            created_at: now,
            updated_at: now,
            deactivated_at: None,
            deleted_at: None,
            purge_at: None,
            epoch: 0,
        };
        let connection = Connection {
            id: ConnectionId::new(random, now),
            project_id: project,
            organization_id: Some(organization.id),
            slug,
            display_name: "Sample".into(),
            state: ConnectionState::Active,
            version: 1,
            settings: settings(issuer).into(),
            secret: None,
            created_at: now,
            updated_at: now,
        };
        let name = behalf::foundation::domain_name::DomainName::parse(domain).unwrap();
        let (id, of) = (DomainId::new(random, now), (project, organization.id));
        let domain = Domain {
            state: DomainState::Verified,
            routing_since: Some(now),
            trust_since: Some(now),
            verified_at: Some(now),
            checked_at: Some(now),
            next_check_at: now.plus(Duration::from_secs(86_400)),
            ..Domain::claimed(id, of, name, "challenge".into(), now)
        };
        Self { organization, connection, domain }
    }

    /// That of the sample provider.
    fn keep_secret(&mut self, keyring: &Keyring, random: &Random) {
        let (id, secret) = (self.connection.id, Secret::new(CLIENT_SECRET));
        self.connection.secret = Some(connection_secret::seal(keyring, random, id, &secret));
    }

    pub async fn insert(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        organizations::insert(tx, &self.organization).await?;
        connections::insert(tx, &self.connection).await?;
        domains::insert(tx, &self.domain).await?;
        domains::set_connections(tx, self.domain.id, &[self.connection.id]).await
    }

    /// Somebody of theirs, who is signed in.
    pub async fn insert_somebody(
        &self,
        tx: &mut Tx<'_>,
        random: &Random,
        name: &str,
        now: Moment,
    ) -> Result<SessionId, StoreError> {
        let (project, connection) = (self.organization.project_id, &self.connection);
        let user = User {
            id: UserId::new(random, now),
            project_id: project,
            email: Some(Email::parse(&format!("{name}@{}", self.domain.name)).unwrap()),
            email_verified_at: Some(now),
            profile: Profile { name: Some(name.to_owned()), ..Profile::default() },
            created_at: now,
            updated_at: now,
            disabled_at: None,
        };
        users::insert(tx, &user, Some(self.domain.id)).await?;
        let identity = Identity {
            id: IdentityId::new(random, now),
            user_id: user.id,
            connection_id: connection.id,
            issuer: connection.oidc().unwrap().oidc.issuer.clone(),
            subject: format!("{name} of {}", self.domain.name),
            naming: Naming::Sub,
            last_login_at: now,
        };
        identities::insert(tx, project, &identity, None, &IdentityFacts::default()).await?;
        let membership = Membership {
            id: MembershipId::new(random, now),
            organization_id: self.organization.id,
            user_id: user.id,
            kind: MembershipKind::Home,
            status: MembershipStatus::Active,
            source: MembershipSource::Jit,
            roles: vec!["member".into()],
            created_at: now,
        };
        memberships::insert(tx, project, MembershipMode::Shared, &membership).await?;
        let session = Session {
            id: SessionId::new(random, now),
            project_id: project,
            user_id: user.id,
            identity_id: identity.id,
            connection_id: connection.id,
            authenticated_at: now,
            assumed_at: None,
            assurance: Assurance { amr: vec!["pwd".into()], acr: Acr::Single },
            created_at: now,
            expires_at: now.plus(Duration::from_secs(86_400)),
            ended_at: None,
            current_organization: None,
        };
        sessions::insert(tx, &session, None).await?;
        Ok(session.id)
    }
}

fn settings(issuer: &str) -> Settings {
    let oidc = OidcSettings {
        preset: Preset::Generic,
        issuer: issuer.to_owned(),
        endpoints: None,
        client_id: CLIENT_ID.into(),
        authentication: Method::SecretBasic,
        scopes: vec!["openid".into(), "email".into(), "profile".into()],
        algorithms: vec![Algorithm::RS256],
        email_claim: "email".into(),
        forward_login_hint: true,
        domain_hint_parameter: None,
        required_claims: Vec::new(),
        always_userinfo: false,
        single_logout: false,
    };
    Settings {
        upstream: Spoken::Oidc(Box::new(oidc)),
        jit: Jit::CreateAndJoin,
        assign_organizations: Vec::new(),
        default_roles: Vec::new(),
        leeway: 60,
        silent_sign_in: false,
    }
}
