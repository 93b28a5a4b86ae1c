//! A broker of one's own: in this process, behind real TCP, on a real database, with a clock to turn.
//!
//! The default house is that of the threat list. Organization `org-a` has proved `a.test` and routes it to the
//! connection `ca`, `org-b` has proved `b.test` and routes it to `cb`, `org-c` has no domain. Ann owns A, Bob owns
//! B; Con is a member of A and acts for B by delegation. `rp1` is a confidential application, `rp2` a public one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum_server::Handle;
use behalf::broker::Broker;
use behalf::broker::domain_look as proofs;
use behalf::cli::serve;
use behalf::config::{self, Config};
use behalf::foundation::clock::{Clock, Moment};
use behalf::foundation::random::Random;
use behalf::foundation::secret::{Digest, Secret};
use behalf::manage::house_file::{HouseFile, Mode, Reading, Report, apply_reading};
use behalf::params;
use behalf::store::durable::engine::Database;
use data_encoding::BASE64_MIME;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::dns::DnsZone;
use super::lying_idp::LyingIdp;
use super::lying_saml_idp::LyingSamlIdp;
use super::ports::free_port;
use super::postgres;
use super::visitor::Visitor;

/// When every story begins, unless it says otherwise.
pub const MORNING: &str = "2026-06-01T09:00:00Z";

/// What the applications of the default house prove themselves with.
pub const RP1_SECRET: &str = "rp1 has a secret of more than 32 characters";

/// The engine of the durable store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A house that is still to be built.
pub struct Plan {
    pub engine: Engine,
    pub clock: Clock,
    pub random: Random,
    /// The provisioning file. `{idp_a}` and `{idp_b}` are the issuers of the two identity providers.
    pub file: String,
    /// Files beside it, by name.
    pub files: Vec<(String, String)>,
    /// The SAML identity providers, by their connection.
    pub saml: BTreeMap<String, LyingSamlIdp>,
    /// Domains that nobody publishes a proof of.
    pub unproved: Vec<&'static str>,
    /// Whether it speaks TLS itself, with a certificate of its own making.
    pub tls: bool,
    /// Where mails are handed over, and by which certificate authority that server is known; nowhere unless it is said.
    pub mail: Option<(config::Mail, Option<PathBuf>)>,
    /// Changes of the operator's own settings.
    pub settings: fn(&mut Config),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            engine: Engine::Sqlite,
            clock: Clock::set_to(Moment::parse_rfc3339(MORNING).unwrap()),
            random: Random::System,
            file: DEFAULT.to_owned(),
            files: Vec::new(),
            saml: BTreeMap::new(),
            unproved: Vec::new(),
            tls: false,
            mail: None,
            settings: |_| {},
        }
    }
}

impl Plan {
    pub fn on(engine: Engine) -> Self {
        Self { engine, ..Self::default() }
    }

    /// The same with one text of the file replaced; the text must be there.
    #[must_use]
    pub fn with(mut self, old: &str, new: &str) -> Self {
        assert!(self.file.contains(old), "the house file has no {old}");
        self.file = self.file.replacen(old, new, 1);
        self
    }

    /// The same with more at the end of the file.
    #[must_use]
    pub fn and(mut self, more: &str) -> Self {
        self.file.push_str(more);
        self
    }

    /// The default house, with a SAML connection as `cb`.
    pub fn saml() -> Self {
        Self::default().with_saml("cb", "")
    }

    /// Makes a connection of the file one to a SAML identity provider of its own, with further keys.
    #[must_use]
    pub fn with_saml(self, connection: &str, more: &str) -> Self {
        let idp = LyingSamlIdp::new(connection, self.clock.clone());
        self.with_saml_of(connection, idp, more)
    }

    /// The same, with this identity provider.
    #[must_use]
    pub fn with_saml_of(self, connection: &str, idp: LyingSamlIdp, more: &str) -> Self {
        let mut plan = self.with_saml_metadata(connection, &idp.metadata(), more);
        plan.saml.insert(connection.to_owned(), idp);
        plan
    }

    /// Makes a connection of the file one to the SAML identity provider of this metadata, with further keys.
    #[must_use]
    pub fn with_saml_metadata(self, connection: &str, metadata: &str, more: &str) -> Self {
        let keys = format!("metadata_file = \"{connection}.xml\"\n{more}");
        let mut plan = self.with_saml_keys(connection, &keys);
        plan.files.push((format!("{connection}.xml"), metadata.to_owned()));
        plan
    }

    /// Makes a connection of the file one of SAML, described by these keys.
    #[must_use]
    pub fn with_saml_keys(mut self, connection: &str, keys: &str) -> Self {
        let start = format!("[connection.{connection}]\n");
        let (before, rest) = self.file.split_once(&start).expect("such a connection");
        let (block, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
        let of_oidc = ["type", "issuer", "client_id", "client_secret"];
        let kept = block.lines().filter(|line| of_oidc.iter().all(|key| !line.starts_with(key)));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        self.file = format!("{before}{start}{kept}type = \"saml\"\n{keys}\n\n{after}");
        self
    }

    pub async fn build(self) -> House {
        let idp_a = LyingIdp::opens(self.clock.clone()).await;
        let idp_b = LyingIdp::opens(self.clock.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let database = match self.engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(postgres::Database::empty().await),
        };
        let dns = DnsZone::with_txt(&[]);
        let mut config = Config::default();
        config.database.url = match &database {
            Some(database) => database.url(),
            None => format!("sqlite:{}", folder.path().join("behalf.db").display()),
        };
        config.keys.master_key = Some(Secret::new("5a".repeat(32)));
        config.egress.allow_loopback_and_http = true;
        config.dns.resolvers = vec![dns.address()];
        // Looked up when a story says so, not when the machine's clock does.
        config.dns.recheck_interval = 86_400;
        // Held until the broker listens there itself, so that nobody else is given it meanwhile.
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        config.server.listen = held.local_addr().unwrap();
        config.server.public_url = Some(format!("http://{}", config.server.listen).parse().unwrap());
        if self.tls {
            speak_tls(&mut config, folder.path());
        }
        // Mails, too, go when a story says so.
        config.mail.interval = 3_600;
        config.login.notice_interval = 3_600;
        if let Some((mail, authority)) = self.mail {
            (config.mail, config.egress.extra_ca) = (mail, authority);
        }
        (self.settings)(&mut config);

        let broker = Broker::open(config, self.clock.clone(), self.random.clone()).await.unwrap();
        let mut house = House {
            url: broker.origin.clone(),
            node: Node::nowhere(broker.clone()),
            broker,
            clock: self.clock,
            random: self.random,
            dns,
            idp_a,
            idp_b,
            saml: self.saml,
            file: self.file,
            folder,
            unproved: self.unproved,
            _database: database,
        };
        for (name, text) in &self.files {
            std::fs::write(house.folder.path().join(name), text).unwrap();
        }
        house.provision(&house.file).await;
        house.prove_domains().await;
        drop(held);
        house.node = Node::open(house.broker.clone()).await;
        house
    }
}

/// A running broker and what surrounds it.
pub struct House {
    /// Where it is reached, without a slash at the end; also its issuer.
    pub url: String,
    pub broker: Broker,
    pub clock: Clock,
    random: Random,
    pub dns: DnsZone,
    /// The identity provider behind the connection `ca` of `org-a`.
    pub idp_a: LyingIdp,
    /// The one behind `cb` of `org-b`.
    pub idp_b: LyingIdp,
    saml: BTreeMap<String, LyingSamlIdp>,
    /// The provisioning file that it was built with.
    pub file: String,
    node: Node,
    folder: TempDir,
    pub unproved: Vec<&'static str>,
    _database: Option<postgres::Database>,
}

impl House {
    /// The default house, on SQLite.
    pub async fn opens() -> Self {
        Plan::default().build().await
    }

    pub async fn on(engine: Engine) -> Self {
        Plan::on(engine).build().await
    }

    /// The SAML identity provider behind a connection.
    pub fn saml(&self, connection: &str) -> &LyingSamlIdp {
        &self.saml[connection]
    }

    /// What we publish of our side of a SAML connection.
    pub async fn sp_metadata(&self, connection: &str) -> String {
        let url = format!("{}/saml/{}/metadata", self.url, self.connection(connection).await);
        let answer = Visitor::arrives().get(&url).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// Puts a file beside the provisioning file, or another one in its place.
    pub fn writes(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Applies a provisioning file, as the operator does.
    pub async fn provision(&self, text: &str) {
        self.tries(text).await.unwrap_or_else(|error| panic!("the house file: {error}"));
    }

    /// The same, or what is told of why not.
    pub async fn tries(&self, text: &str) -> Result<(), String> {
        self.tries_reading(text, Reading::default()).await
    }

    /// The file that it was built with, and all metadata at an address read once more.
    pub async fn reads_metadata_again(&self) {
        self.tries_reading(&self.file, Reading::again()).await.unwrap();
    }

    async fn tries_reading(&self, text: &str, reading: Reading) -> Result<(), String> {
        self.applies(text, Mode::Apply, reading).await.map(drop)
    }

    /// What is told of applying a file, or of the plan to do so.
    pub async fn reports(&self, text: &str, mode: Mode) -> Report {
        self.applies(text, mode, Reading::default())
            .await
            .unwrap_or_else(|error| panic!("the house file: {error}"))
    }

    async fn applies(&self, text: &str, mode: Mode, reading: Reading) -> Result<Report, String> {
        let text = text.replace("{idp_a}", &self.idp_a.issuer).replace("{idp_b}", &self.idp_b.issuer);
        let environment = |name: &str| match name {
            "CA_SECRET" => Some(self.idp_a.secret.clone()),
            "CB_SECRET" => Some(self.idp_b.secret.clone()),
            "RP1_SECRET" => Some(RP1_SECRET.to_owned()),
            _ => None,
        };
        let file =
            HouseFile::parse(&text, self.folder.path(), &environment).map_err(|error| error.to_string())?;
        apply_reading(&self.broker, &file, mode, &reading).await.map_err(|error| error.to_string())
    }

    /// Publishes the proof of every domain that is claimed, but those that nobody proves, and has each looked up.
    pub async fn prove_domains(&mut self) {
        let mut claimed = claims(&self.broker.db).await;
        claimed.retain(|domain| !self.unproved.contains(&domain.name.as_str()));
        let records: Vec<_> =
            claimed.iter().map(|domain| (domain.txt_name().to_string(), domain.txt_value())).collect();
        let records: Vec<_> = records.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.dns.restart_with_txt(&records);
        for domain in claimed {
            proofs::take_turn(&self.broker, domain).await.unwrap();
        }
    }

    /// Stops the broker and starts another one on the same database and address.
    pub async fn restart(&mut self) {
        let config = self.broker.config.clone();
        self.node.stop().await;
        self.broker = Broker::open(config, self.clock.clone(), self.random.clone()).await.unwrap();
        self.node = Node::open(self.broker.clone()).await;
    }

    /// One more node under the same name, on the same database.
    pub async fn second_node(&self) -> Node {
        let mut config = self.broker.config.clone();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let broker = Broker::open(config, self.clock.clone(), self.random.clone()).await.unwrap();
        Node::open(broker).await
    }

    /// The same, with a clock that is behind by so many seconds.
    pub async fn second_node_behind(&self, seconds: u64) -> Node {
        let mut config = self.broker.config.clone();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let clock = Clock::set_to(self.clock.now().minus(Duration::from_secs(seconds)));
        Node::open(Broker::open(config, clock, self.random.clone()).await.unwrap()).await
    }

    /// The certificate by which a house that speaks TLS is known.
    pub fn certificate(&self) -> reqwest::Certificate {
        reqwest::Certificate::from_pem(&std::fs::read(self.folder.path().join("tls.crt")).unwrap()).unwrap()
    }

    /// Lets it stop as a signal would, whenever `told` says so.
    pub fn stops_when(&self, told: mpsc::Receiver<()>) {
        tokio::spawn(serve::stop_when(self.broker.clone(), self.node.handle.clone(), told));
    }

    /// Waits until it serves no more.
    pub async fn has_ended(&mut self) {
        self.node.served.take().unwrap().await.unwrap();
    }

    pub fn turn_clock(&self, seconds: u64) {
        self.clock.turn(Duration::from_secs(seconds));
    }

    /// What stands in the tables that decide who somebody is and what they may do.
    pub async fn facts(&self) -> Facts {
        Facts::of(&self.broker.db).await
    }

    /// The rows of a table.
    pub async fn count(&self, table: &str) -> i64 {
        let sql = fixed(format!("SELECT COUNT(*) FROM {table}"));
        self.broker.db.one(sql, &[]).await.unwrap().unwrap().get(0).unwrap()
    }

    /// How many events of an action there are.
    pub async fn events_of(&self, action: &str) -> usize {
        self.audit().await.iter().filter(|event| event.action == action).count()
    }

    /// One text of one row, or of none.
    pub async fn text(&self, sql: &str) -> Option<String> {
        self.broker.db.one(fixed(sql.to_owned()), &[]).await.unwrap().and_then(|row| row.get(0).unwrap())
    }

    /// Changes rows behind the broker's back; tells how many.
    pub async fn execute(&self, sql: &str) -> u64 {
        let sql = fixed(sql.to_owned());
        let done = self.broker.db.write(async move |tx| tx.execute(sql, &[]).await).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Changes rows of the audit trail, as a superuser of the database can; tells how many. Whatever starts puts back what
    /// refuses that.
    pub async fn as_superuser(&self, sql: &str) -> u64 {
        for table in ["audit_events", "audit_links", "audit_checkpoints"] {
            if self.broker.db.engine() == "sqlite" {
                for verb in ["update", "delete", "replace"] {
                    self.execute(&format!("DROP TRIGGER IF EXISTS {table}_no_{verb}")).await;
                }
            } else {
                self.execute(&format!("DROP TRIGGER IF EXISTS {table}_append_only ON {table}")).await;
            }
        }
        self.execute(sql).await
    }

    /// The id of an organization, as tokens name it.
    pub async fn organization(&self, slug: &str) -> String {
        self.id("SELECT id FROM organizations WHERE slug = $1", slug).await
    }

    pub async fn connection(&self, slug: &str) -> String {
        self.id("SELECT id FROM connections WHERE slug = $1", slug).await
    }

    /// The id of somebody who has been here.
    pub async fn user(&self, email: &str) -> String {
        self.id("SELECT id FROM users WHERE email = $1", email).await
    }

    async fn id(&self, sql: &'static str, name: &str) -> String {
        let row = self.broker.db.one(sql, params![name]).await.unwrap();
        row.unwrap_or_else(|| panic!("there is no {name}")).get(0).unwrap()
    }

    /// The audit trail. What was recorded while the clock stood still is in no order.
    pub async fn audit(&self) -> Vec<Entry> {
        let sql = "SELECT action, outcome, reason, organization_id, actor, detail, id FROM audit_events ORDER BY id";
        let rows = self.broker.db.all(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| Entry {
                action: row.get(0).unwrap(),
                outcome: row.get(1).unwrap(),
                reason: row.get(2).unwrap(),
                organization: row.get(3).unwrap(),
                actor: row.get(4).unwrap(),
                detail: serde_json::from_str(&row.get::<String>(5).unwrap()).unwrap(),
                id: row.get(6).unwrap(),
            })
            .collect()
    }

    /// Notes how things stand, so that what comes can be shown to have had no effect.
    pub async fn before(&self) -> Before {
        Before {
            facts: self.facts().await,
            events: self.audit().await.into_iter().map(|event| event.id).collect(),
        }
    }

    /// What the audit trail says since.
    pub async fn events_since(&self, before: &Before) -> Vec<Entry> {
        let mut events = self.audit().await;
        events.retain(|event| !before.events.contains(&event.id));
        events
    }

    /// Nothing was stored since, and the audit trail has exactly one more event: a refusal for this reason.
    pub async fn refused(&self, before: &Before, reason: &str) {
        self.refused_for_one_of(before, &[reason]).await;
    }

    /// As [`Self::refused`], where which of several checks comes first does not matter.
    pub async fn refused_for_one_of(&self, before: &Before, reasons: &[&str]) {
        self.unchanged(before).await;
        self.told_refusal(before, reasons).await;
    }

    /// The audit trail has exactly one more event: a refusal for one of these reasons.
    pub async fn told_refusal(&self, before: &Before, reasons: &[&str]) {
        let events = self.events_since(before).await;
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0].outcome, "refused");
        let reason = events[0].reason.as_deref().unwrap_or_default();
        assert!(reasons.contains(&reason), "refused for {reason}, not {reasons:?}");
    }

    /// Nothing of [`TABLES`] came, went or changed.
    pub async fn unchanged(&self, before: &Before) {
        assert_eq!(self.facts().await, before.facts, "something was stored");
    }
}

/// How things stood.
pub struct Before {
    facts: Facts,
    events: BTreeSet<String>,
}

/// One line of the audit trail.
#[derive(Clone, Debug)]
pub struct Entry {
    pub action: String,
    pub outcome: String,
    pub reason: Option<String>,
    pub organization: Option<String>,
    pub actor: String,
    pub detail: serde_json::Value,
    id: String,
}

/// For each table, how many rows it has and the digest of them all.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts(BTreeMap<&'static str, (usize, String)>);

/// Every column that a login or a call could change, as text.
const TABLES: [(&str, &str, &str); 39] = [
    ("users", "id", "id, email, email_claim, profile, email_verified_at, disabled_at, updated_at"),
    (
        "identities",
        "id",
        "id, user_id, connection_id, issuer, subject, email, naming, last_login_at, renamed_at, named_at",
    ),
    ("memberships", "id", "id, organization_id, user_id, kind, status, source, roles, updated_at"),
    (
        "sessions",
        "id",
        "id, user_id, identity_id, amr, authenticated_at, assumed_at, expires_at, ended_at, current_organization_id, current_epoch",
    ),
    ("upstream_sessions", "session_id", "session_id, connection_id, subject, name, session_index"),
    ("browsers", "digest", "sessions, expires_at"),
    (
        "grants",
        "id",
        "id, session_id, user_id, organization_id, code_used_at, revoked_at, expires_at, refresh_generation, \
         refresh_rotated_at, refresh_expires_at, refresh_binding",
    ),
    ("device_codes", "id", "id, application_id, entries, approved_at, denied_at, used_at"),
    ("machine_grants", "id", "id, application_id, organization_id, expires_at, revoked_at"),
    ("pushed_requests", "expires_at, asked", "application_id, asked, expires_at"),
    (
        "session_applications",
        "session_id, application_id, acts_for",
        "session_id, application_id, user_id, acts_for, delegation_id, home_id",
    ),
    ("sign_outs", "kind, ended_id, within_id", "kind, ended_id, within_id"),
    ("logout_notices", "id", "id, application_id, session_id, user_id, organization_id, tries, next_try_at"),
    ("expected_members", "organization_id, email", "organization_id, email, roles, used_by, used_at"),
    (
        "domains",
        "id",
        "id, organization_id, name, state, verified_at, method, challenge, challenge_until, next_challenge, \
         routing_since, trust_since, auto_join_since, auto_join, lapsed_at, removed_at",
    ),
    ("domain_connections", "domain_id, connection_id", "domain_id, connection_id"),
    ("used", "kind, scope, value", "kind, scope, value, expires_at"),
    (
        "organizations",
        "id",
        "id, slug, display_name, kind, description, logo_uri, functional_roles, policy, updated_at, deactivated_at, \
         deleted_at, purge_at, epoch",
    ),
    ("organization_slugs", "project_id, slug", "project_id, slug, organization_id"),
    ("membership_roles", "membership_id, role", "membership_id, role, organization_id"),
    ("ownership_transfers", "id", "id, from_user, to_user, accepted_at, cancelled_at, pending"),
    ("user_roles", "user_id, role_id", "user_id, role_id"),
    ("user_terms", "user_id, term", "user_id"),
    ("invitations", "id", "id, email, roles, accepted_at, accepted_by, revoked_at, expires_at, pending"),
    ("mails", "id", "id, recipient, kind, tries, next_try_at, sent_at, failed_at"),
    ("api_keys", "id", "id, organization_id, name, permissions, networks, expires_at, revoked_at"),
    ("roles", "id", "id, organization_id, scope, name, display_name, permissions, updated_at"),
    (
        "connections",
        "id",
        "id, organization_id, display_name, state, version, settings, updated_at, previous_version, activated_at, \
         primary_since",
    ),
    (
        "connection_versions",
        "connection_id, version",
        "connection_id, version, state, settings, created_by, by_leave, begun_on, activated_at, ended_at, reason",
    ),
    (
        "role_rules",
        "id",
        "id, organization_id, connection_id, claim, matching, value, role, approved_by, updated_at",
    ),
    ("api_key_secrets", "api_key_id, created_at, expires_at", "api_key_id, created_at, expires_at"),
    (
        "delegations",
        "id",
        "id, settings, starts_at, ends_at, home_approved_at, target_approved_at, paused_at, revoked_at",
    ),
    ("applications", "id", "id, organization_id, client_id, display_name, settings, disabled_at, stopped_at"),
    ("application_secrets", "application_id, created_at", "application_id, created_at"),
    ("application_origins", "application_id, origin", "application_id, origin"),
    ("registration_tokens", "id", "id, name, uses, most_uses, expires_at, revoked_at"),
    ("client_registrations", "application_id", "application_id, token_id, rotated_at"),
    ("consents", "user_id, application_id", "user_id, application_id, name, told"),
    ("idempotency_keys", "project_id, caller, value", "project_id, caller, value, expires_at"),
];

impl Facts {
    async fn of(db: &Database) -> Self {
        let mut facts = BTreeMap::new();
        for (table, order, columns) in TABLES {
            let columns: Vec<_> = columns.split(", ").collect();
            let texts = columns.iter().map(|column| format!("CAST({column} AS TEXT)")).collect::<Vec<_>>();
            let sql = fixed(format!("SELECT {} FROM {table} ORDER BY {order}", texts.join(", ")));
            let rows = db.all(sql, &[]).await.unwrap();
            let mut text = String::new();
            for row in &rows {
                for at in 0..columns.len() {
                    text += &format!("{:?}|", row.get::<Option<String>>(at).unwrap());
                }
                text.push('\n');
            }
            facts.insert(table, (rows.len(), Digest::of(text.as_bytes()).text()));
        }
        Self(facts)
    }

    pub fn rows(&self, table: &str) -> usize {
        self.0[table].0
    }
}

/// Statements live as long as the program; a test's program is short.
fn fixed(sql: String) -> &'static str {
    Box::leak(sql.into_boxed_str())
}

async fn claims(db: &Database) -> Vec<behalf::model::domain::Domain> {
    let far = Moment::from_seconds(100_000_000_000);
    behalf::store::durable::domains::due(&mut &*db, far, 1_000).await.unwrap()
}

/// One process of the broker, as it were.
pub struct Node {
    pub broker: Broker,
    /// Where it really listens; its name is the house's.
    pub address: SocketAddr,
    handle: Handle<SocketAddr>,
    served: Option<JoinHandle<()>>,
}

impl Node {
    fn nowhere(broker: Broker) -> Self {
        let address = broker.config.server.listen;
        Self { broker, address, handle: Handle::new(), served: None }
    }

    async fn open(broker: Broker) -> Self {
        let handle = Handle::new();
        let (serving, own) = (broker.clone(), handle.clone());
        let mut served = tokio::spawn(async move { serve::serve(&serving, own).await.unwrap() });
        let address = tokio::select! {
            address = handle.listening() => address.expect("the port is free"),
            ended = &mut served => panic!("the broker does not listen: {ended:?}"),
        };
        Self { broker, address, handle, served: Some(served) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn stop(&mut self) {
        self.handle.shutdown();
        if let Some(served) = self.served.take() {
            served.await.unwrap();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.handle.shutdown();
        if let Some(served) = self.served.take() {
            served.abort();
        }
    }
}

fn speak_tls(config: &mut Config, folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pem = |what: &str, der: &[u8]| {
        let lines = BASE64_MIME.encode(der);
        format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.trim_end())
    };
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    std::fs::write(&certificate, pem("CERTIFICATE", made.cert.der())).unwrap();
    std::fs::write(&key, pem("PRIVATE KEY", &made.signing_key.serialize_der())).unwrap();
    (config.server.tls_certificate, config.server.tls_key) = (Some(certificate), Some(key));
    config.server.public_url = Some(format!("https://{}", config.server.listen).parse().unwrap());
}

/// The provisioning file of the default house.
pub const DEFAULT: &str = r#"
[project]
slug = "default"
display_name = "Acme Cloud"

[organization.org-a]
display_name = "A Corporation"
members = [
  { email = "ann@a.test", roles = ["owner"] },
  { email = "con@a.test", roles = ["member"] },
]

[organization.org-b]
display_name = "B Corporation"
members = [{ email = "bob@b.test", roles = ["owner"] }]

[organization.org-c]
display_name = "C Corporation"

[[domain]]
name = "a.test"
organization = "org-a"
connections = ["ca"]
use_for_routing = true
trust_email = true

[[domain]]
name = "b.test"
organization = "org-b"
connections = ["cb"]
use_for_routing = true
trust_email = true

[connection.ca]
organization = "org-a"
type = "oidc"
display_name = "A Login"
state = "active"
issuer = "{idp_a}"
client_id = "behalf"
client_secret = { env = "CA_SECRET" }
jit = "create_and_join"

[connection.cb]
organization = "org-b"
type = "oidc"
display_name = "B Login"
state = "active"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }
jit = "create_and_join"

[application.rp1]
display_name = "First App"
type = "web"
token_endpoint_auth_method = "client_secret_basic"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://rp1.test/callback"]
scopes = ["openid", "profile", "email", "organization", "organizations", "roles", "permissions"]
claims = { idp = true }

[application.rp2]
display_name = "Second App"
type = "spa"
token_endpoint_auth_method = "none"
redirect_uris = ["https://rp2.test/callback"]
scopes = ["openid", "profile", "email", "organization", "organizations", "roles", "permissions"]

[[delegation]]
home = "org-a"
target = "org-b"
roles = ["member"]
only = ["con@a.test"]
"#;
