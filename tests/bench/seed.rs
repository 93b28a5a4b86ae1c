//! What stands in the database before anybody comes.

use behalf::broker::Broker;
use behalf::foundation::clock::Moment;
use behalf::foundation::id::{ApplicationId, ConnectionId, DomainId, OrganizationId, ProjectId};
use behalf::foundation::random::Random;
use behalf::foundation::secret::{Digest, Secret};
use behalf::keys::connection_secret;
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
use behalf::model::organization::{Organization, Policy};
use behalf::model::project::DEFAULT_SLUG;
use behalf::protocol::jose::Algorithm;
use behalf::protocol::oauth::client_authentication::Method;
use behalf::protocol::oauth::redirect_uri::RedirectUri;
use behalf::store::durable::engine::{StoreError, Tx};
use behalf::store::durable::{applications, connections, domains, organizations, projects};

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
            let (id, secret) = (customer.connection.id, Secret::new(CLIENT_SECRET));
            customer.connection.secret = Some(connection_secret::seal(&broker.keyring, &random, id, &secret));
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
        let (random, issuer) = (random.clone(), issuer.to_owned());
        let written = broker.db.write(async move |tx| {
            for number in from..many.min(from + 5_000) {
                let name = format!("company-{number}.test");
                Customer::new(&random, project, now, &name, &issuer).insert(tx).await?;
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
            next_check_at: now.plus(std::time::Duration::from_secs(86_400)),
            ..Domain::claimed(id, of, name, "challenge".into(), now)
        };
        Self { organization, connection, domain }
    }

    pub async fn insert(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        organizations::insert(tx, &self.organization).await?;
        connections::insert(tx, &self.connection).await?;
        domains::insert(tx, &self.domain).await?;
        domains::set_connections(tx, self.domain.id, &[self.connection.id]).await
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
