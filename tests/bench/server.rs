//! The server, as `behalf serve` runs it, in a process of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use behalf::broker::Broker;
use behalf::config::Config;
use behalf::foundation::clock::Clock;
use behalf::foundation::random::Random;
use tempfile::TempDir;

use super::provider::Provider;
use super::upstream::Upstream;
use super::wire::Wire;
use super::{seed, table};

/// A folder with a seeded database, a master key and the operator's file.
pub struct House {
    folder: TempDir,
    /// A database that is somewhere else.
    database: Option<String>,
    /// Host and port.
    pub address: String,
}

impl House {
    pub async fn build<'a>(upstream: impl Into<Upstream<'a>>) -> Self {
        Self::with_neighbours(upstream, 0).await
    }

    /// With so many further organizations, whose people are signed in by the same provider.
    pub async fn with_neighbours<'a>(upstream: impl Into<Upstream<'a>>, many: usize) -> Self {
        Self::of(upstream.into(), many, None).await
    }

    /// In an empty database of a PostgreSQL server.
    pub async fn in_postgres(provider: &Provider, url: String) -> Self {
        Self::of(provider.into(), 0, Some(url)).await
    }

    async fn of(upstream: Upstream<'_>, many: usize, database: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let house = Self { folder, database, address: format!("127.0.0.1:{port}") };
        let broker = open(&house.write_settings(upstream.issuer().starts_with("http:"))).await;
        seed::house(&broker, upstream).await;
        seed::neighbours(&broker, upstream.issuer(), many).await;
        house
    }

    /// The proxy whose word is believed is the driver: it says of each login that it comes from elsewhere.
    fn write_settings(&self, development: bool) -> PathBuf {
        let path = self.folder.path().join("behalf.toml");
        let at = self.folder.path().display();
        let database = self.database.clone().unwrap_or_else(|| format!("sqlite:{at}/behalf.db"));
        let mut file = std::fs::File::create(&path).unwrap();
        writeln!(
            file,
            "[server]\nlisten = \"{}\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n\
             [database]\nurl = \"{database}\"\n\
             [keys]\nfolder = \"{at}/keys\"\n\
             [login]\nflows_per_minute = 1000000\n\
             [egress]\nallow_loopback_and_http = {development}",
            self.address
        )
        .unwrap();
        path
    }

    pub fn settings(&self) -> PathBuf {
        self.folder.path().join("behalf.toml")
    }

    /// Starts the server and waits until it is ready.
    pub async fn serve(&self) -> Server {
        let started = Instant::now();
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["serve", "--config"])
            .arg(self.settings())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Server { process, ready_after: Duration::ZERO };
        while !self.is_ready().await {
            let waited = started.elapsed() < Duration::from_secs(20);
            let lives = server.process.try_wait().unwrap().is_none();
            assert!(waited && lives, "the server does not start: {}", self.log());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.ready_after = started.elapsed();
        server
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut wire) = Wire::open(&self.address).await else { return false };
        wire.get("/readyz", "").await.is_ok_and(|answer| answer.status == 200)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

pub async fn open(settings: &Path) -> Broker {
    let config = Config::load(Some(settings), std::iter::empty()).unwrap();
    Broker::open(config, Clock::System, Random::System).await.unwrap()
}

/// Ends when it goes.
pub struct Server {
    process: Child,
    pub ready_after: Duration,
}

impl Server {
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// From the start of the process to the first 200 of `/readyz`, on a database that is there already.
pub async fn measure_start(provider: &Provider) {
    table::heading("Start on an existing database, until /readyz says 200");
    let house = House::build(provider).await;
    let mut times = Vec::new();
    for _ in 0..11 {
        times.push(house.serve().await.ready_after.as_secs_f64() * 1e3);
    }
    // The first one made the signing keys.
    let mut times = times.split_off(1);
    times.sort_by(f64::total_cmp);
    table::limit("median of ten", (times[4] + times[5]) / 2.0, " ms", 200.0);
    table::line("slowest of ten", &format!("{:.2} ms", times[9]), "");
}
