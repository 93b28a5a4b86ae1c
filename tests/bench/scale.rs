//! Whether the house gets slower with the number of its organizations: the routing by domain, and the pipeline of
//! every mint, with ten of them and with a hundred thousand.

use std::time::Duration;

use behalf::broker::Broker;
use behalf::config::Config;
use behalf::foundation::clock::Clock;
use behalf::foundation::domain_name::DomainName;
use behalf::foundation::id::{ApplicationId, OrganizationId, ProjectId, SessionId};
use behalf::foundation::random::Random;
use behalf::login::issue::mint;
use behalf::model::login::Context;
use behalf::protocol::jose::Algorithm;
use behalf::store::durable::engine::StoreError;
use behalf::store::durable::{applications, domains};

use super::cycles::{self, Client};
use super::provider::Provider;
use super::server::House;
use super::{machine, seed, table};

const CHEAPEST: &str = "EdDSA";
const FEW: usize = 10;
const MANY: usize = 100_000;
const SPAN: Duration = Duration::from_millis(800);

/// Somebody who is signed in, for their organization.
#[derive(Clone)]
struct Member {
    domain: DomainName,
    organization: OrganizationId,
    session: SessionId,
}

struct Town {
    _folder: tempfile::TempDir,
    broker: Broker,
    project: ProjectId,
    application: ApplicationId,
    members: Vec<Member>,
}

pub async fn measure(provider: &Provider) {
    at_the_door(provider).await;
    table::heading("One call of the store by CPU time, with ten organizations and with 100,000");
    let (few, many) = (Town::build(FEW).await, Town::build(MANY).await);
    // The same ten people, evenly spread: only what surrounds them differs.
    let ten: Vec<Member> = many.members.iter().step_by(MANY / FEW).cloned().collect();
    // The same machine can be slower a second later, so the two take turns and the best of each counts.
    let (mut routing, mut minting) = ([f64::MAX; 3], [f64::MAX; 3]);
    for _ in 0..3 {
        let runs = [(&few, &few.members), (&many, &ten), (&many, &many.members)];
        for (at, (town, members)) in runs.into_iter().enumerate() {
            routing[at] = routing[at].min(town.route(members).await);
            minting[at] = minting[at].min(town.mint(members).await);
        }
    }
    let told = [("the statement that routes", routing), ("all that a mint reads and checks", minting)];
    for (what, [few, many, cold]) in told {
        table::line(what, &format!("{few:.1} µs"), "with ten organizations");
        table::line("", &format!("{many:.1} µs"), "with 100,000, the same ten asked for");
        table::line("", &format!("{cold:.1} µs"), "with 100,000, another one each time");
        // A few steps more down each index; what somebody waits for is measured at the door.
        table::line("  ratio", &format!("{:.2}", many / few), "of the calls of the store alone");
    }
}

/// As the server does it for a visitor: from a typed address to the way to its identity provider (the page that asks, and
/// the answer to what was typed); the whole login; and every mint from an authorization request to what UserInfo tells. Its tokens are signed
/// by the cheapest algorithm, which hides least of the rest.
async fn at_the_door(provider: &Provider) {
    let (few, many) =
        (House::with_neighbours(provider, FEW).await, House::with_neighbours(provider, MANY).await);
    let (few_server, many_server) = (few.serve().await, many.serve().await);
    let houses = [(&few, &few_server, FEW), (&many, &many_server, MANY)];
    let (mut routing, mut logins, mut minting) = ([f64::MAX; 2], [f64::MAX; 2], [f64::MAX; 2]);
    for _ in 0..3 {
        for (at, (house, server, size)) in houses.into_iter().enumerate() {
            let mut clients = Vec::new();
            for number in (0..size).step_by(size / FEW) {
                let email = format!("ann@company-{number}.test");
                clients.push(Client::stranger(house, provider.into(), email).await);
            }
            let span = Duration::from_secs(2);
            let cost = cycles::run(server, &mut clients, span, u64::MAX, async |client, n| {
                client.leave(CHEAPEST, usize::try_from(n).unwrap()).await;
            });
            routing[at] = routing[at].min(cost.await.cpu);
            let cost = cycles::run(server, &mut clients, span, u64::MAX, async |client, n| {
                client.login(CHEAPEST, usize::try_from(n).unwrap()).await;
            });
            logins[at] = logins[at].min(cost.await.cpu);
            let cost = cycles::run(server, &mut clients, span, u64::MAX, async |client, _| {
                client.cycle(CHEAPEST).await;
            });
            minting[at] = minting[at].min(cost.await.cpu);
        }
    }
    let told = [
        ("Routing by domain at the door (two requests)", routing),
        ("A whole login at the door (from the typed address to the tokens; EdDSA)", logins),
        ("A mint at the door (authorize, token, userinfo; EdDSA)", minting),
    ];
    for (what, [few, many]) in told {
        table::heading(&format!("{what}, with ten organizations and with 100,000"));
        table::line("CPU of the server", &format!("{few:.0} µs"), "with ten organizations");
        table::line("", &format!("{many:.0} µs"), "with 100,000");
        table::limit("  ratio", many / few, "", 1.1);
    }
}

impl Town {
    async fn build(size: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.database.url = format!("sqlite:{}/behalf.db", folder.path().display());
        config.keys.folder = folder.path().join("keys");
        let broker = Broker::open(config, Clock::System, Random::System).await.unwrap();
        let (project, now) = (seed::default_project(&broker).await, broker.now());
        let application = seed::application(&broker.random, project, now, Algorithm::RS256);
        let id = application.id;
        broker.db.write(async move |tx| applications::insert(tx, &application).await).await.unwrap();
        let mut members = Vec::new();
        while members.len() < size {
            let (random, from) = (broker.random.clone(), members.len());
            let to = size.min(from + 5_000);
            let written = broker.db.write(async move |tx| {
                let mut made = Vec::new();
                for number in from..to {
                    let name = format!("company-{number}.test");
                    let customer =
                        seed::Customer::new(&random, project, now, &name, &format!("https://login.{name}"));
                    customer.insert(tx).await?;
                    let session = customer.insert_somebody(tx, &random, "ann", now).await?;
                    made.push(Member {
                        domain: customer.domain.name,
                        organization: customer.organization.id,
                        session,
                    });
                }
                Ok::<_, StoreError>(made)
            });
            members.extend(written.await.unwrap());
        }
        Self { _folder: folder, broker, project, application: id, members }
    }

    async fn route(&self, members: &[Member]) -> f64 {
        micros(members, async |member| {
            let found = domains::routed(&mut &self.broker.db, self.project, &member.domain).await.unwrap();
            assert_eq!(found.len(), 1);
        })
        .await
    }

    async fn mint(&self, members: &[Member]) -> f64 {
        let scopes = seed::SCOPES.map(str::to_owned).to_vec();
        micros(members, async |member| {
            let request = mint::Request {
                project: self.project,
                application: self.application,
                session: member.session,
                context: Context::Member(member.organization),
                offline: false,
                scopes: scopes.clone(),
                claims: Default::default(),
                listed: 0,
                now: self.broker.now(),
                epochs: None,
                on_device: false,
                place: None,
                is_for_us: false,
            };
            let minted = self.broker.db.read(async move |tx| mint::run(tx, &request).await).await;
            assert!(minted.unwrap().is_ok());
        })
        .await
    }
}

/// CPU time of one call, in microseconds. SQLite reads where the caller stands, so this thread's time is all of it.
async fn micros(members: &[Member], call: impl AsyncFn(&Member)) -> f64 {
    // A stride that has no factor in common with their number visits them all, in no order that a cache likes.
    let mut next = (0..).map(|turn: usize| &members[turn.wrapping_mul(7_919) % members.len()]);
    for member in next.by_ref().take(200) {
        call(member).await;
    }
    let (started, mut made) = (machine::own_cpu(), 0_u32);
    while machine::own_cpu() - started < SPAN {
        for member in next.by_ref().take(100) {
            call(member).await;
        }
        made += 100;
    }
    (machine::own_cpu() - started).as_secs_f64() * 1e6 / f64::from(made)
}
