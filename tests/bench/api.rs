//! The administration API in a big town: ten thousand organizations with a connection each, a hundred thousand people, a
//! million memberships; somebody in five thousand organizations, and one organization with a hundred thousand members.
//!
//! On SQLite, and beside it in the empty PostgreSQL database that `BEHALF_BENCH_POSTGRES_URL` names.

use std::cell::Cell;
use std::time::{Duration, Instant};

use behalf::broker::Broker;
use behalf::foundation::clock::Clock;
use behalf::foundation::email::Email;
use behalf::foundation::id::{ApiKeyId, MembershipId, OrganizationId, ProjectId, UserId};
use behalf::foundation::random::Random;
use behalf::model::api_key::{ApiKey, Holder, KeySecret, KeyText, OperatorRole};
use behalf::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use behalf::model::project::MembershipMode;
use behalf::model::user::{Profile, User};
use behalf::store::durable::engine::{StoreError, Tx};
use behalf::store::durable::{api_keys, applications, memberships, users};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::cycles::Client;
use super::provider::Provider;
use super::server::{self, House};
use super::wire::{Answer, Wire};
use super::{seed, table};

const ORGANIZATIONS: usize = 10_000;
const PEOPLE: usize = 100_000;
/// Of each person, beside the one in the big organization.
const ELSEWHERE: usize = 9;
/// Of the one who is nearly everywhere.
const OFTEN: usize = 5_000;
/// Rows of one transaction.
const BATCH: usize = 5_000;
/// Who asks at the same time.
const CLIENTS: usize = 8;
/// A key may ask so often in a minute, and so may a network: there are many, each in its own.
const KEYS: usize = 40;
const REQUESTS: usize = 4_000;
/// A person may ask six hundred times in a minute.
const BY_A_PERSON: usize = 100;
/// What a token may weigh, in bytes.
const LONGEST_TOKEN: f64 = 4096.0;

const GIVEN: [&str; 20] = [
    "Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gita", "Hugo", "Ines", "Jon", "Kira", "Leo", "Mia", "Nils",
    "Olga", "Paul", "Rosa", "Sven", "Tara", "Udo",
];

pub async fn measure(provider: &Provider) {
    on("SQLite", provider, House::build(provider).await).await;
    match std::env::var("BEHALF_BENCH_POSTGRES_URL") {
        Ok(url) => on("PostgreSQL", provider, House::in_postgres(provider, url).await).await,
        Err(_) => println!("\nPostgreSQL: not measured; BEHALF_BENCH_POSTGRES_URL names no database"),
    }
}

async fn on(engine: &str, provider: &Provider, house: House) {
    table::heading(&format!("The administration API on {engine}, with a million memberships"));
    let started = Instant::now();
    let town = Town::build(&house).await;
    table::line("seeded", &format!("{:.0} s", started.elapsed().as_secs_f64()), "");
    let server = house.serve().await;
    let mut often = Client::arrive(&house, provider.into(), 0).await;
    town.goes_everywhere(&house, "ann0").await;
    let big = town.organizations[0];
    let members = format!("/organizations/{big}/members?limit=50");
    let thousandth = town.page(&house, &members, 1_000).await;
    let by_two = format!("{members}&search=kira%20person");
    for (what, path) in [
        ("an organization", format!("/organizations/{big}")),
        ("members, the first page", members),
        ("members by two words that many have", by_two),
        ("members, the thousandth page", thousandth),
        ("somebody in a million by the beginning of a name", "/users?search=mira".to_owned()),
        ("the same among 100,000 members", format!("/users?search=kira&organization_id={big}")),
        ("a whole address", "/users?search=person-77777%40company-7777.test".to_owned()),
    ] {
        town.reads(&house, what, &path).await;
    }
    by_a_person(&house, &town, &mut often).await;
    drop(server);
    assert!(!house.log().contains("ERROR"), "{}", house.log());
}

/// A token for somebody in five thousand organizations, and the way from one to the next.
async fn by_a_person(house: &House, town: &Town, often: &mut Client<'_>) {
    let scopes = "+organizations";
    let slug = |number: usize| format!("company-{number}-test");
    often.reopen().await;
    let tokens = often.tokens("RS256", &slug(1), scopes).await;
    for name in ["access_token", "id_token"] {
        let bytes = tokens[name].as_str().unwrap().len() as f64;
        table::limit(&format!("{name} of somebody in {OFTEN} organizations"), bytes, " bytes", LONGEST_TOKEN);
    }
    let mut tally = Tally::begin(house).await;
    for number in 0..BY_A_PERSON {
        let started = Instant::now();
        often.tokens("RS256", &slug(1 + number * 40), scopes).await;
        tally.took.push(started.elapsed());
    }
    tally.tell("a token for somebody in 5,000 organizations", 2.0).await;
    let bearer = format!("Authorization: Bearer {}\r\n", tokens["access_token"].as_str().unwrap());
    let mut wire = Wire::open(&house.address).await.unwrap();
    for (what, step) in [("a switch", 1), ("the person's organizations, a page", 0)] {
        let mut tally = Tally::begin(house).await;
        for number in 0..BY_A_PERSON {
            let started = Instant::now();
            if step == 0 {
                let answer = wire.get("/api/v1/me/organizations", &bearer).await;
                drop(answer.unwrap().expect(200));
            } else {
                let body = json!({"organization_id": town.organizations[1 + number * 40].to_string()});
                let answer = wire.post_json("/api/v1/organizations/switch", &bearer, &body.to_string()).await;
                drop(answer.unwrap().expect(200));
            }
            tally.took.push(started.elapsed());
        }
        tally.tell(what, 1.0).await;
    }
}

/// How long each request took, and how many statements all of them needed.
struct Tally<'h> {
    house: &'h House,
    before: u64,
    started: Instant,
    took: Vec<Duration>,
}

impl<'h> Tally<'h> {
    async fn begin(house: &'h House) -> Self {
        Self { house, before: statements(house).await, started: Instant::now(), took: Vec::new() }
    }

    async fn tell(mut self, what: &str, requests: f64) {
        let many = self.took.len() as f64;
        let rate = many / self.started.elapsed().as_secs_f64();
        self.took.sort();
        let at = |share: f64| self.took[(many * share) as usize].as_secs_f64() * 1000.0;
        let (half, late) = (at(0.5), at(0.99));
        let queries = (statements(self.house).await - self.before) as f64 / many / requests;
        table::line(
            what,
            &format!("{rate:.0} per second"),
            &format!("median {half:.1} ms, p99 {late:.1} ms, {queries:.1} statements a request"),
        );
    }
}

/// How many statements the server has run.
async fn statements(house: &House) -> u64 {
    let mut wire = Wire::open(&house.address).await.unwrap();
    let answer = wire.get("/metrics", "").await.unwrap().expect(200);
    let line = answer.text().lines().find(|line| line.starts_with("behalf_database_statements_total"));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

struct Town {
    broker: Broker,
    project: ProjectId,
    organizations: Vec<OrganizationId>,
    keys: Vec<String>,
}

impl Town {
    async fn build(house: &House) -> Self {
        let broker = server::open(&house.settings()).await;
        let project = seed::default_project(&broker).await;
        let mut town = Self { broker, project, organizations: Vec::new(), keys: Vec::new() };
        town.lets_the_application_in(house).await;
        town.customers().await;
        let people = town.people().await;
        town.members(&people).await;
        for _ in 0..KEYS {
            town.key().await;
        }
        town
    }

    /// Its access tokens are for the API too.
    async fn lets_the_application_in(&self, house: &House) {
        let (project, now) = (self.project, self.broker.now());
        let found = applications::by_client_id(&mut &self.broker.db, project, "RS256").await.unwrap();
        let mut application = found.unwrap();
        application.settings.audiences = vec![format!("http://{}/api/v1", house.address)];
        application.settings.scopes.push("organizations".into());
        application.updated_at = now;
        self.write(async move |tx| applications::update(tx, &application).await).await;
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.broker.db.write(work).await.unwrap()
    }

    async fn customers(&mut self) {
        let (project, now) = (self.project, self.broker.now());
        for from in (0..ORGANIZATIONS).step_by(BATCH) {
            let made: Vec<_> = (from..from + BATCH)
                .map(|number| {
                    let name = format!("company-{number}.test");
                    seed::Customer::new(
                        &self.broker.random,
                        project,
                        now,
                        &name,
                        &format!("https://login.{name}"),
                    )
                })
                .collect();
            self.organizations.extend(made.iter().map(|customer| customer.organization.id));
            self.write(async move |tx| {
                for customer in &made {
                    customer.insert(tx).await?;
                }
                Ok(())
            })
            .await;
        }
    }

    async fn people(&self) -> Vec<UserId> {
        let mut all = Vec::new();
        for from in (0..PEOPLE).step_by(BATCH) {
            let made: Vec<_> = (from..from + BATCH).map(|number| self.person(number)).collect();
            all.extend(made.iter().map(|user| user.id));
            self.write(async move |tx| {
                for user in &made {
                    users::insert(tx, user, None).await?;
                }
                Ok(())
            })
            .await;
        }
        all
    }

    /// A tenth of all bear the name of somebody else; one in a thousand is called Mira.
    fn person(&self, number: usize) -> User {
        let now = self.broker.now();
        let given = if number % 1_000 == 999 { "Mira" } else { GIVEN[number % GIVEN.len()] };
        User {
            id: UserId::new(&self.broker.random, now),
            project_id: self.project,
            email: Some(
                Email::parse(&format!("person-{number}@company-{}.test", number % ORGANIZATIONS)).unwrap(),
            ),
            email_verified_at: Some(now),
            profile: Profile { name: Some(format!("{given} Of{}", number / 10)), ..Profile::default() },
            created_at: now,
            updated_at: now,
            disabled_at: None,
        }
    }

    /// Everybody in the big one, and in nine others.
    async fn members(&self, people: &[UserId]) {
        for (chunk, users) in people.chunks(BATCH / 10).enumerate() {
            let mut made = Vec::new();
            for (place, user) in users.iter().enumerate() {
                let number = chunk * (BATCH / 10) + place;
                made.push(self.membership(0, *user));
                made.extend(
                    (0..ELSEWHERE).map(|turn| {
                        self.membership(1 + (number + turn * 1_009) % (ORGANIZATIONS - 1), *user)
                    }),
                );
            }
            self.join(made).await;
        }
    }

    fn membership(&self, organization: usize, user: UserId) -> Membership {
        let now = self.broker.now();
        Membership {
            id: MembershipId::new(&self.broker.random, now),
            organization_id: self.organizations[organization],
            user_id: user,
            kind: MembershipKind::Home,
            status: MembershipStatus::Active,
            source: MembershipSource::Jit,
            roles: vec!["member".into()],
            created_at: now,
        }
    }

    async fn join(&self, made: Vec<Membership>) {
        let project = self.project;
        self.write(async move |tx| {
            for membership in &made {
                memberships::insert(tx, project, MembershipMode::Shared, membership).await?;
            }
            Ok(())
        })
        .await;
    }

    async fn key(&mut self) {
        let now = Clock::System.now();
        let key = ApiKey {
            id: ApiKeyId::new(&Random::System, now),
            project_id: self.project,
            name: "measures".into(),
            networks: Vec::new(),
            created_by: "operator".into(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            newest: None,
            is_outlived: false,
            holder: Holder::Operator(OperatorRole::System),
        };
        let text = KeyText::new(&self.broker.random, key.id, true);
        let secret = KeySecret { digest: text.secret.digest(), shown_to: None };
        self.write(async move |tx| api_keys::insert(tx, &key, secret).await).await;
        self.keys.push(format!("Authorization: Bearer {}\r\n", text.text().expose()));
    }

    /// Whoever is found by this word joins five thousand organizations.
    async fn goes_everywhere(&self, house: &House, word: &str) {
        let mut wire = Wire::open(&house.address).await.unwrap();
        let found = self.get(&mut wire, &format!("/users?search={word}"), 0).await;
        let user = value(&found)["items"][0]["id"].as_str().unwrap().parse().unwrap();
        self.join((1..=OFTEN).map(|number| self.membership(number, user)).collect()).await;
    }

    /// The path of a page, found from one to the next.
    async fn page(&self, house: &House, path: &str, number: usize) -> String {
        let mut wire = Wire::open(&house.address).await.unwrap();
        let mut next = path.to_owned();
        for turn in 1..number {
            let answer = self.get(&mut wire, &next, turn).await;
            let cursor = value(&answer)["next_cursor"].as_str().unwrap().to_owned();
            next = format!("{path}&cursor={cursor}");
        }
        next
    }

    async fn get(&self, wire: &mut Wire, path: &str, turn: usize) -> Answer {
        let fields = format!("X-Forwarded-For: 10.0.{}.1\r\n{}", turn % KEYS, self.keys[turn % KEYS]);
        wire.get(&format!("/api/v1{path}"), &fields).await.unwrap().expect(200)
    }

    /// The same again and again by several at once.
    async fn reads(&self, house: &House, what: &str, path: &str) {
        let mut tally = Tally::begin(house).await;
        let turn = Cell::new(0);
        let asks = async |_| {
            let mut wire = Wire::open(&house.address).await.unwrap();
            let mut took = Vec::new();
            while turn.get() < REQUESTS {
                let number = turn.replace(turn.get() + 1);
                let started = Instant::now();
                self.get(&mut wire, path, number).await;
                took.push(started.elapsed());
            }
            took
        };
        tally.took = join_all((0..CLIENTS).map(asks)).await.concat();
        tally.tell(what, 1.0).await;
    }
}

fn value(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}
