//! An empty PostgreSQL database for one test, gone afterwards.

use behalf::foundation::random::Random;
use data_encoding::HEXLOWER;
use tokio_postgres::NoTls;
use url::Url;

/// Names a server on which databases may be made: `postgres://user@host:port/postgres`. `tests/run` sets it.
const SERVER: &str = "BEHALF_TEST_POSTGRES_URL";

/// A database of one's own; dropped with it, whoever is still connected.
pub struct Database {
    server: Url,
    name: String,
}

impl Database {
    /// Makes an empty one.
    pub async fn empty() -> Self {
        let server = server();
        let name = format!("behalf_{}", HEXLOWER.encode(&Random::System.bytes::<10>()));
        run(&server, &format!("CREATE DATABASE {name}")).await;
        Self { server, name }
    }

    /// As the setting of the store takes it: `postgres://user@host:port/name`.
    pub fn url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, drop) = (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        // Another thread, because a test's own runtime cannot be waited for from within.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&server, &drop));
        });
        if dropped.join().is_err() && !std::thread::panicking() {
            panic!("the database {} could not be dropped", self.name);
        }
    }
}

fn server() -> Url {
    let url = std::env::var(SERVER).unwrap_or_else(|_| {
        panic!("{SERVER} is not set: run the tests with `tests/run`, which starts a PostgreSQL for them")
    });
    url.parse().unwrap_or_else(|error| panic!("{SERVER} is not a URL: {error}"))
}

async fn run(server: &Url, statement: &str) {
    let (client, connection) = tokio_postgres::connect(server.as_str(), NoTls)
        .await
        .unwrap_or_else(|error| panic!("no PostgreSQL answers at {server}: {error}"));
    let connection = tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    drop(client);
    connection.await.unwrap().unwrap();
}
