//! Everything that the demo needs, running: DNS, two identity providers, Behalf, the application.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::kept::{self, Ports};
use super::visitor::Visitor;
use super::{dns_zone, idp, saml_idp, web_app};
use crate::broker::Broker;
use crate::chores;
use crate::cli::Error;
use crate::cli::folder::Folder;
use crate::config::Config;
use crate::egress::collector::Collector;
use crate::foundation::clock::Clock;
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::manage::house_file::{self, HouseFile, Mode, Reading};
use crate::model::connection::{Connection, SpAddresses};
use crate::model::delegation::Delegation;
use crate::model::domain::DomainState;
use crate::model::organization::Organization;
use crate::model::project::{DEFAULT_SLUG, Project};
use crate::router;
use crate::store::durable::{connections, delegations, domains, organizations, projects};
use crate::telemetry;
use crate::web::templates::Templates;

const HOUSE: &str = include_str!("../../../examples/demo.house.toml");

/// Where the file has the samples.
const MY_CORP: &str = "http://127.0.0.1:8081";
const CONTRACTOR: &str = "http://127.0.0.1:8082";
const APPLICATION: &str = "http://127.0.0.1:8083";

pub const CLIENT_ID: &str = "acme-crm";
pub const ANN: &str = "ann@my-corp.example";
pub const CON: &str = "con@contractor.example";

/// The running demo; its folder goes with it.
pub struct Scene {
    pub broker: Broker,
    /// Where the application is.
    pub application: String,
    pub my_corp: Customer,
    pub contractor: Customer,
    /// Lets Contractor's people act for My Corporation.
    pub delegation: Delegation,
    pub folder: Folder,
}

/// An organization with its identity provider.
pub struct Customer {
    pub organization: Organization,
    pub connection: Connection,
    /// Where its provider is.
    pub provider: String,
}

struct Secrets {
    my_corp: Secret,
    application: Secret,
}

impl Scene {
    /// `prefers_usual_ports`: 8080 to 8083, each if it is free. A folder that was kept goes on where it was.
    pub async fn set(keep: Option<&Path>, prefers_usual_ports: bool) -> Result<Self, Error> {
        let random = Random::System;
        let (folder, before) = kept::folder(keep, &random)?;
        let [front, of_oidc, of_saml, shop] = doors(before, prefers_usual_ports).await?;
        let ports = [&front, &of_oidc, &of_saml, &shop].map(TcpListener::local_addr);
        if folder.is_kept && before.is_none() {
            let [front, oidc, saml, shop] = ports;
            kept::write(&folder.path, [front?.port(), oidc?.port(), saml?.port(), shop?.port()])?;
        }
        let zone = dns_zone::Zone::default();
        let resolver = dns_zone::serve(zone.clone(), loopback(0)).await?;
        let secrets = Secrets { my_corp: random.token(), application: random.token() };
        let oidc = idp::serve(of_oidc, my_corp(&secrets.my_corp))?;
        let saml = saml_idp::serve(of_saml, contractor())?;
        let application = format!("http://{}", shop.local_addr()?);

        let config = settings(&folder.path, front.local_addr()?, resolver);
        let _telemetry = telemetry::init(&config.telemetry, None::<Collector>)?;
        let broker = Broker::open(config, Clock::System, random).await?;
        let house = HOUSE
            .replace(MY_CORP, oidc.issuer())
            .replace(CONTRACTOR, saml.origin())
            .replace(APPLICATION, &application);
        provision(&broker, &house, &folder.path, &secrets, &zone).await?;
        open_doors(&broker, front)?;

        let project = projects::by_slug(&mut &broker.db, DEFAULT_SLUG).await?.ok_or("no project")?;
        let my_corp = customer(&broker, &project, "my-corp", oidc.issuer()).await?;
        let contractor = customer(&broker, &project, "contractor", saml.origin()).await?;
        let issuer = broker.issuer(&project);
        oidc.register(&format!("{issuer}/oidc/{}/callback", my_corp.connection.id));
        let own = SpAddresses::of(&issuer, contractor.connection.id).entity_id;
        let described = Visitor::arrives().opens(&own).await?;
        saml.register(saml_idp::Service::from_metadata(&described.body)?);
        let (home, target) = (contractor.organization.id, my_corp.organization.id);
        let delegation = delegations::between(&mut &broker.db, home, target).await?.ok_or("no delegation")?;
        let settings = web_app::Settings {
            home: application.clone(),
            issuer: broker.origin.clone(),
            client_id: CLIENT_ID.into(),
            client_secret: secrets.application,
        };
        web_app::serve(shop, settings)?;
        Ok(Self { broker, application, my_corp, contractor, delegation, folder })
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Where Behalf, the two providers and the application listen.
async fn doors(before: Option<Ports>, prefers_usual_ports: bool) -> Result<[TcpListener; 4], Error> {
    if let Some([front, oidc, saml, shop]) = before {
        return Ok([again(front).await?, again(oidc).await?, again(saml).await?, again(shop).await?]);
    }
    let usual = |port: u16| if prefers_usual_ports { port } else { 0 };
    let [front, oidc] = [listen(usual(8080)).await?, listen(usual(8081)).await?];
    Ok([front, oidc, listen(usual(8082)).await?, listen(usual(8083)).await?])
}

/// Where it was the last time.
async fn again(port: u16) -> Result<TcpListener, Error> {
    let taken = |error: std::io::Error| {
        format!(
            "port {port}, where this demo was before: {error}; end what listens there, or take another folder"
        )
    };
    Ok(TcpListener::bind(loopback(port)).await.map_err(taken)?)
}

/// At this port, or at a free one if somebody else has it.
async fn listen(port: u16) -> Result<TcpListener, Error> {
    match TcpListener::bind(loopback(port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => Ok(TcpListener::bind(loopback(0)).await?),
    }
}

/// It speaks OpenID Connect.
fn my_corp(secret: &Secret) -> idp::Company {
    idp::Company {
        name: "My Corporation".into(),
        people: vec![idp::Person { email: ANN.into(), name: "Ann".into() }],
        client_id: "behalf".into(),
        client_secret: secret.clone(),
        hue: 215,
    }
}

/// It speaks SAML.
fn contractor() -> saml_idp::Company {
    let people = vec![saml_idp::Person { email: CON.into(), name: "Con".into() }];
    saml_idp::Company { name: "Contractor".into(), people, hue: 345 }
}

/// The defaults, but in the demo's folder, with its DNS, and with providers on this machine allowed.
fn settings(folder: &Path, listen: SocketAddr, resolver: SocketAddr) -> Config {
    let mut config = Config::default();
    config.server.listen = listen;
    config.database.url = format!("sqlite:{}", folder.join("behalf.db").display());
    config.keys.folder = folder.join("keys");
    config.dns.resolvers = vec![resolver];
    config.egress.allow_loopback_and_http = true;
    config.telemetry.log_filter = "warn,tower_sessions_core=error".into();
    config
}

/// Applies the house file, publishes what is to be seen in DNS, and looks there. The SAML provider has other keys each time.
async fn provision(
    broker: &Broker,
    house: &str,
    folder: &Path,
    secrets: &Secrets,
    zone: &dns_zone::Zone,
) -> Result<(), Error> {
    let environment = |name: &str| {
        let secret = match name {
            "MY_CORP_SECRET" => &secrets.my_corp,
            "ACME_CRM_SECRET" => &secrets.application,
            _ => return None,
        };
        Some(secret.expose().to_owned())
    };
    let file = HouseFile::parse(house, folder, &environment)?;
    house_file::apply_reading(broker, &file, Mode::Apply, &Reading::again()).await?;
    let project = projects::by_slug(&mut &broker.db, DEFAULT_SLUG).await?.ok_or("no project")?;
    for domain in domains::of_project(&mut &broker.db, project.id).await? {
        zone.publish(&domain.txt_name().to_string(), &domain.txt_value())?;
    }
    chores::domains::look(broker).await?;
    Ok(())
}

/// Serves Behalf, with its chores, for as long as the program runs.
fn open_doors(broker: &Broker, listener: TcpListener) -> Result<(), Error> {
    let templates = Arc::new(Templates::new(None)?);
    let doors =
        router::house(broker, Arc::clone(&templates)).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, doors).await });
    tokio::spawn(chores::run(broker.clone(), templates));
    Ok(())
}

/// What the file has made of a customer whose provider is there.
async fn customer(broker: &Broker, project: &Project, slug: &str, provider: &str) -> Result<Customer, Error> {
    let db = &broker.db;
    let organization = organizations::by_slug(&mut &*db, project.id, slug).await?.ok_or("no organization")?;
    let connection = connections::by_slug(&mut &*db, project.id, slug).await?.ok_or("no connection")?;
    let claimed = domains::of_organization(&mut &*db, organization.id).await?;
    if claimed.is_empty() || claimed.iter().any(|domain| domain.state != DomainState::Verified) {
        return Err(format!("the domain of {slug} was not proved by DNS").into());
    }
    Ok(Customer { organization, connection, provider: provider.to_owned() })
}
