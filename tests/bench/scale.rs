//! Whether the house gets slower with the number of its organizations: the routing by domain, and the pipeline of
//! every mint, with ten of them and with a hundred thousand.

use std::time::Duration;

use behalf::broker::Broker;
use behalf::config::Config;
use behalf::foundation::clock::Clock;
use behalf::foundation::domain_name::DomainName;
use behalf::foundation::email::Email;
use behalf::foundation::id::{
    ApplicationId, IdentityId, MembershipId, OrganizationId, ProjectId, SessionId, UserId,
};
use behalf::foundation::random::Random;
use behalf::login::issue::mint;
use behalf::model::identity::{Identity, IdentityFacts, Naming};
use behalf::model::login::Context;
use behalf::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use behalf::model::project::MembershipMode;
use behalf::model::session::{Acr, Assurance, Session};
use behalf::model::user::{Profile, User};
use behalf::protocol::jose::Algorithm;
use behalf::store::durable::engine::{StoreError, Tx};
use behalf::store::durable::{applications, domains, identities, memberships, sessions, users};

use super::cycles::{self, Client};
use super::provider::Provider;
use super::server::House;
use super::{machine, seed, table};

const MINT: &str = "pipeline of a mint";
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
    for (what, [few, many, cold]) in [("the statement that routes", routing), (MINT, minting)] {
        table::line(what, &format!("{few:.1} µs"), "with ten organizations");
        table::line("", &format!("{many:.1} µs"), "with 100,000, the same ten asked for");
        table::line("", &format!("{cold:.1} µs"), "with 100,000, another one each time");
        if what == MINT {
            table::limit("  ratio", many / few, "", 1.1);
        } else {
            // A few steps more down each index; what a visitor waits for is measured at the door.
            table::line("  ratio", &format!("{:.2}", many / few), "of the statement alone");
        }
    }
}

/// From a typed address to the way to its identity provider, as the server does it for a visitor: the page that asks,
/// and the answer to what was typed.
async fn at_the_door(provider: &Provider) {
    table::heading("Routing by domain at the door (two requests), with ten organizations and with 100,000");
    let (few, many) =
        (House::with_neighbours(provider, FEW).await, House::with_neighbours(provider, MANY).await);
    let (few_server, many_server) = (few.serve().await, many.serve().await);
    let mut best = [f64::MAX; 2];
    for _ in 0..3 {
        for (at, (house, server, size)) in
            [(&few, &few_server, FEW), (&many, &many_server, MANY)].into_iter().enumerate()
        {
            let mut clients = Vec::new();
            for number in (0..size).step_by(size / FEW) {
                let email = format!("ann@company-{number}.test");
                clients.push(Client::stranger(house, provider.into(), email).await);
            }
            let cost =
                cycles::run(server, &mut clients, Duration::from_secs(2), u64::MAX, async |client, n| {
                    client.leave("RS256", usize::try_from(n).unwrap()).await;
                });
            best[at] = best[at].min(cost.await.cpu);
        }
    }
    table::line("CPU of the server", &format!("{:.0} µs", best[0]), "with ten organizations");
    table::line("", &format!("{:.0} µs", best[1]), "with 100,000");
    table::limit("  ratio", best[1] / best[0], "", 1.1);
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
                    made.push(member(tx, &random, project, number).await?);
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

async fn member(
    tx: &mut Tx<'_>,
    random: &Random,
    project: ProjectId,
    number: usize,
) -> Result<Member, StoreError> {
    let now = Clock::System.now();
    let name = format!("company-{number}.test");
    let customer = seed::Customer::new(random, project, now, &name, &format!("https://login.{name}"));
    customer.insert(tx).await?;
    let user = User {
        id: UserId::new(random, now),
        project_id: project,
        email: Some(Email::parse(&format!("ann@{name}")).unwrap()),
        email_verified_at: Some(now),
        profile: Profile { name: Some("Ann".into()), ..Profile::default() },
        created_at: now,
        updated_at: now,
        disabled_at: None,
    };
    users::insert(tx, &user, Some(customer.domain.id)).await?;
    let identity = Identity {
        id: IdentityId::new(random, now),
        user_id: user.id,
        connection_id: customer.connection.id,
        issuer: customer.connection.oidc().unwrap().oidc.issuer.clone(),
        subject: "ann".into(),
        naming: Naming::Sub,
        last_login_at: now,
    };
    identities::insert(tx, project, &identity, None, &IdentityFacts::default()).await?;
    let membership = Membership {
        id: MembershipId::new(random, now),
        organization_id: customer.organization.id,
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
        connection_id: customer.connection.id,
        authenticated_at: now,
        assumed_at: None,
        assurance: Assurance { amr: vec!["pwd".into()], acr: Acr::Single },
        created_at: now,
        expires_at: now.plus(Duration::from_secs(86_400)),
        ended_at: None,
        current_organization: None,
    };
    sessions::insert(tx, &session, None).await?;
    Ok(Member { domain: customer.domain.name, organization: customer.organization.id, session: session.id })
}
