//! The engine of the durable store. Every story takes an empty store and runs on SQLite and on PostgreSQL.
//! `BEHALF_TEST_POSTGRES_URL` names a server on which databases may be made and dropped.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use behalf::broker::{Broker, StartError};
use behalf::config;
use behalf::foundation::clock::{Clock, Moment};
use behalf::foundation::id::{OrganizationId, UserId};
use behalf::foundation::random::Random;
use behalf::foundation::secret::Digest;
use behalf::store::durable::engine::tries::Undone;
use behalf::store::durable::engine::{Age, Database, Lock, StoreError, Tx, params};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An empty store that ends with its test.
pub struct Empty {
    pub db: Database,
    settings: config::Database,
}

impl Empty {
    pub async fn at(settings: config::Database) -> Self {
        Self { db: Database::open(&settings).await.unwrap(), settings }
    }

    /// What a second process would have: connections of its own.
    async fn another_handle(&self) -> Database {
        Database::open(&self.settings).await.unwrap()
    }
}

fn settings(url: String) -> config::Database {
    config::Database { url, connections: 4, statement_timeout: 20 }
}

/// Hands the story a place where there is no store yet.
pub async fn on_sqlite<F: Future<Output = ()>>(story: impl FnOnce(config::Database) -> F) {
    let folder = tempfile::tempdir().unwrap();
    story(settings(format!("sqlite:{}", folder.path().join("behalf.db").display()))).await;
}

pub async fn on_postgresql<F: Future<Output = ()> + Send + 'static>(
    story: impl FnOnce(config::Database) -> F,
) {
    let server = std::env::var("BEHALF_TEST_POSTGRES_URL").expect(
        "BEHALF_TEST_POSTGRES_URL must name a PostgreSQL server, for this story runs on both engines",
    );
    let (admin, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let name = format!("behalf_{:032x}", u128::from_be_bytes(Random::System.bytes()));
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    let told = tokio::spawn(story(settings(url.into()))).await;
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    if let Err(failed) = told {
        std::panic::resume_unwind(failed.into_panic());
    }
}

macro_rules! on_both_engines {
    ($($story:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $story() {
                super::on_sqlite(|place| async { super::$story(super::Empty::at(place).await).await }).await;
            })*

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn several_nodes_may_start_at_once() {
                super::on_sqlite(super::several_nodes_may_start_at_once).await;
            }

            #[tokio::test]
            async fn to_ask_whether_there_is_a_store_makes_none() {
                super::on_sqlite(super::to_ask_whether_there_is_a_store_makes_none).await;
            }

            #[tokio::test]
            async fn h11_no_server_starts_whose_clock_is_not_the_databases() {
                super::on_sqlite(super::h11_no_server_starts_whose_clock_is_not_the_databases).await;
            }
        }
        mod postgresql {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $story() {
                super::on_postgresql(|place| async { super::$story(super::Empty::at(place).await).await }).await;
            })*

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn several_nodes_may_start_at_once() {
                super::on_postgresql(super::several_nodes_may_start_at_once).await;
            }

            #[tokio::test]
            async fn to_ask_whether_there_is_a_store_makes_none() {
                super::on_postgresql(super::to_ask_whether_there_is_a_store_makes_none).await;
            }

            #[tokio::test]
            async fn h11_no_server_starts_whose_clock_is_not_the_databases() {
                super::on_postgresql(super::h11_no_server_starts_whose_clock_is_not_the_databases).await;
            }
        }
    };
}

on_both_engines! {
    what_is_committed_is_seen_by_everybody,
    an_error_takes_everything_back,
    a_panic_takes_everything_back_and_the_store_lives_on,
    a_failed_statement_ends_its_transaction,
    c23_of_fifty_who_use_a_code_exactly_one_wins,
    a_violated_constraint_is_named,
    every_value_comes_back_as_it_went_in,
    a_text_with_a_nul_is_refused,
    parameters_may_come_in_any_order_and_twice,
    a_statement_that_does_not_fit_is_an_error,
    a_read_sees_one_moment,
    a_read_cannot_write,
    a_lock_makes_the_others_wait,
    what_was_acknowledged_survives,
    a_thousand_at_once_are_all_kept,
    of_many_at_once_each_is_kept_or_undone_alone,
    two_handles_share_the_store,
    a_cancelled_writer_leaves_all_or_nothing,
    m08_the_next_start_puts_back_what_keeps_the_audit_trail,
}

/// An error of a room, which wraps that of the store.
#[derive(Debug)]
enum Refused {
    ByTheStore,
    ByUs,
}

impl From<StoreError> for Refused {
    fn from(_: StoreError) -> Self {
        Self::ByTheStore
    }
}

impl Undone for Refused {
    fn is_a_lost_race(&self) -> bool {
        false
    }
}

/// `parent (id, n)` and `child (id, parent, name)`, name unique per parent.
async fn tables(db: &Database) {
    let made: Result<(), StoreError> = db
        .write(async |tx| {
            tx.execute("CREATE TABLE parent (id TEXT NOT NULL PRIMARY KEY, n BIGINT, used_at BIGINT)", &[]).await?;
            let child = "CREATE TABLE child (id TEXT NOT NULL PRIMARY KEY, parent TEXT NOT NULL REFERENCES parent (id), \
                         name TEXT, UNIQUE (parent, name))";
            tx.execute(child, &[]).await.map(drop)
        })
        .await;
    made.unwrap();
}

async fn add_parent(tx: &mut Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("INSERT INTO parent (id, n) VALUES ($1, 0)", params![id]).await.map(drop)
}

async fn parent(db: &Database, id: &'static str) {
    db.write(async move |tx| add_parent(tx, id).await).await.unwrap();
}

async fn parents(db: &Database) -> i64 {
    db.one("SELECT COUNT(*) FROM parent", &[]).await.unwrap().unwrap().get(0).unwrap()
}

async fn becomes(db: &Database, sql: &'static str) {
    db.write(async |tx| tx.execute(sql, &[]).await).await.unwrap();
}

pub async fn to_ask_whether_there_is_a_store_makes_none(place: config::Database) {
    assert_eq!(Database::age(&place).await, Ok(Age::None));
    assert_eq!(Database::age(&place).await, Ok(Age::None), "it was only asked");
    let db = Database::open(&place).await.unwrap();
    assert_eq!(Database::age(&place).await, Ok(Age::None), "nobody has moved in");
    db.write(async |tx| {
        let project = "INSERT INTO projects (id, slug, display_name, settings, created_at, updated_at)
                       VALUES ('x', 'default', 'x', '{}', 0, 0)";
        tx.execute(project, &[]).await
    })
    .await
    .unwrap();
    assert_eq!(Database::age(&place).await, Ok(Age::Present));
    let told = "another build has made its schema: its step V1__nouns";
    becomes(&db, "UPDATE refinery_schema_history SET checksum = '1'").await;
    assert_eq!(Database::age(&place).await, Ok(Age::Foreign("V1__nouns".into())));
    let refused = Database::open(&place).await.map(drop).unwrap_err().to_string();
    assert!(
        refused.contains(told) && refused.contains("name an empty database in database.url"),
        "{refused}"
    );
    becomes(&db, "UPDATE refinery_schema_history SET version = 1000").await;
    assert_eq!(Database::age(&place).await, Ok(Age::Later("V1000__nouns".into())));
    let refused = Database::open(&place).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("a later version has taken the step V1000__nouns"), "{refused}");
}

pub async fn what_is_committed_is_seen_by_everybody(store: Empty) {
    tables(&store.db).await;
    parent(&store.db, "p").await;
    assert_eq!(parents(&store.db).await, 1);
    assert_eq!(parents(&store.another_handle().await).await, 1);
    store.db.ping().await.unwrap();
}

/// SQLite has no clock but ours. What a wrong one says stands nowhere.
pub async fn h11_no_server_starts_whose_clock_is_not_the_databases(place: config::Database) {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let (now, span) = (Clock::System.now(), Duration::from_secs(60));
    for wrong in [now.minus(span), now.plus(span)] {
        let told = starts(&place, &keys, Clock::set_to(wrong)).await;
        if place.url.starts_with("sqlite:") {
            assert!(told.is_ok(), "{told:?}");
            continue;
        }
        let told = told.unwrap_err().to_string();
        assert!(told.contains("clock of the database is") && told.contains("more than 5 s"), "{told}");
        assert_eq!((tables_at(&place.url).await, keys.exists()), (0, false));
    }
    starts(&place, &keys, Clock::System).await.unwrap();
}

async fn starts(place: &config::Database, keys: &Path, clock: Clock) -> Result<Broker, StartError> {
    let of_keys = config::Keys { folder: keys.to_owned(), ..Default::default() };
    let config = config::Config { database: place.clone(), keys: of_keys, ..Default::default() };
    Broker::start(config, clock, Random::System).await
}

async fn tables_at(url: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

pub async fn an_error_takes_everything_back(store: Empty) {
    tables(&store.db).await;
    let refused: Result<(), Refused> = store
        .db
        .write(async |tx| {
            add_parent(tx, "p").await?;
            Err(Refused::ByUs)
        })
        .await;
    assert!(matches!(refused, Err(Refused::ByUs)));
    assert_eq!(parents(&store.db).await, 0);
}

pub async fn a_panic_takes_everything_back_and_the_store_lives_on(store: Empty) {
    tables(&store.db).await;
    let db = store.db.clone();
    let work = async |tx: &mut Tx<'_>| {
        add_parent(tx, "p").await?;
        if parents_in(tx).await? == 1 {
            panic!("as the story wants");
        }
        Ok(())
    };
    let panicked = tokio::spawn(async move { db.write::<(), StoreError, _>(work).await }).await;
    assert!(panicked.unwrap_err().is_panic());
    assert_eq!(parents(&store.db).await, 0);
    parent(&store.db, "p").await;
    assert_eq!(parents(&store.db).await, 1);
}

async fn parents_in(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    tx.one("SELECT COUNT(*) FROM parent", &[]).await?.unwrap().get(0)
}

pub async fn a_failed_statement_ends_its_transaction(store: Empty) {
    tables(&store.db).await;
    parent(&store.db, "taken").await;
    let went_on = store.db.write(async |tx| {
        add_parent(tx, "p").await?;
        assert!(add_parent(tx, "taken").await.is_err());
        assert_eq!(add_parent(tx, "q").await, Err(StoreError::Doomed));
        Ok(())
    });
    assert_eq!(went_on.await, Err(StoreError::Doomed));
    assert_eq!(parents(&store.db).await, 1);
}

pub async fn c23_of_fifty_who_use_a_code_exactly_one_wins(store: Empty) {
    tables(&store.db).await;
    parent(&store.db, "code").await;
    let users = (0..50).map(|n: i64| {
        let db = store.db.clone();
        tokio::spawn(async move {
            db.write(async move |tx| {
                let sql = "UPDATE parent SET used_at = $2 WHERE id = $1 AND used_at IS NULL RETURNING n";
                Ok::<_, StoreError>(tx.one(sql, params!["code", n]).await?.is_some())
            })
            .await
        })
    });
    let won = join_all(users).await.into_iter().filter(|won| *won.as_ref().unwrap() == Ok(true));
    assert_eq!(won.count(), 1);
}

pub async fn a_violated_constraint_is_named(store: Empty) {
    tables(&store.db).await;
    parent(&store.db, "p").await;
    let add = async |id: &'static str, parent: &'static str, name: &'static str| {
        let sql = "INSERT INTO child (id, parent, name) VALUES ($1, $2, $3) RETURNING id";
        store.db.write(async move |tx| tx.one(sql, params![id, parent, name]).await.map(drop)).await
    };
    let unique = |what: &str| Err(StoreError::Unique { what: what.into() });
    assert_eq!(add("c", "p", "ann").await, Ok(()));
    assert_eq!(add("c", "p", "bob").await, unique("child_pkey"));
    assert_eq!(add("d", "p", "ann").await, unique("child_parent_name_key"));
    assert_eq!(add("d", "nobody", "ann").await, Err(StoreError::ForeignKey));
    let orphan = store.db.write(async |tx| tx.execute("DELETE FROM parent", &[]).await);
    assert_eq!(orphan.await, Err(StoreError::ForeignKey));
    let nothing = None::<&str>;
    let sql = "INSERT INTO parent (id) VALUES ($1)";
    let null = store.db.write(async move |tx| tx.execute(sql, params![nothing]).await);
    assert!(matches!(null.await, Err(StoreError::Constraint(_))));
}

pub async fn every_value_comes_back_as_it_went_in(store: Empty) {
    let db = &store.db;
    let made = db.write(async |tx| {
        tx.execute("CREATE TABLE v (k BIGINT PRIMARY KEY, t TEXT, i BIGINT, b BYTEA)", &[]).await
    });
    made.await.unwrap();
    let long = "é\u{1F511}'\"\\%".repeat(1_000);
    let rows = [
        (None, None, None),
        (Some(String::new()), Some(0), Some(Vec::new())),
        (Some(long), Some(i64::MAX), Some((0..=255).collect())),
        (Some("7".into()), Some(i64::MIN), Some(b"7".to_vec())),
    ];
    for (key, (text, number, bytes)) in rows.iter().cloned().enumerate() {
        let sql = "INSERT INTO v (k, t, i, b) VALUES ($1, $2, $3, $4) RETURNING t, i, b";
        let back = db.write(async move |tx| tx.one(sql, params![key as u32, text, number, bytes]).await);
        let back = back.await.unwrap().unwrap();
        assert_eq!((back.get(0).unwrap(), back.get(1).unwrap(), back.get(2).unwrap()), rows[key]);
    }
    let all = db.all("SELECT t, i, b FROM v ORDER BY k", &[]).await.unwrap();
    let all: Vec<_> = all.iter().map(|r| (r.get(0).unwrap(), r.get(1).unwrap(), r.get(2).unwrap())).collect();
    assert_eq!(all, rows);
    our_own_types(db).await;
}

async fn our_own_types(db: &Database) {
    let (id, at, digest) = (UserId::from_u128(7), Moment::from_millis(-1), Digest::of(b"x"));
    let sql = "INSERT INTO v (k, t, i, b) VALUES (9, $1, $2, $3)";
    db.write(async move |tx| tx.execute(sql, params![&id, at, &digest]).await).await.unwrap();
    let row = db.one("SELECT t, i, b, NULL FROM v WHERE t = $1 AND b = $2", params![id, digest]).await;
    let row = row.unwrap().unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), (Ok(id), Ok(at), Ok(digest)));
    assert_eq!(row.get(3), Ok(None::<UserId>));
    assert!(matches!(row.get::<OrganizationId>(0), Err(StoreError::Corrupt { column: 0, .. })));
    assert!(matches!(row.get::<i64>(3), Err(StoreError::Corrupt { column: 3, .. })));
}

pub async fn a_text_with_a_nul_is_refused(store: Empty) {
    tables(&store.db).await;
    let found = store.db.one("SELECT n FROM parent WHERE id = $1", params!["a\0b"]).await;
    assert_eq!(found.err(), Some(StoreError::NulInText));
    let kept = store.db.write(async |tx| add_parent(tx, "a\0b").await);
    assert_eq!(kept.await, Err(StoreError::NulInText));
    assert_eq!(parents(&store.db).await, 0);
}

pub async fn parameters_may_come_in_any_order_and_twice(store: Empty) {
    tables(&store.db).await;
    let sql = "INSERT INTO parent (n, id, used_at) VALUES ($3, $1, $2), ($2, $4, $3)";
    store.db.write(async move |tx| tx.execute(sql, params!["a", 2, 3, "b"]).await).await.unwrap();
    let sql = "SELECT id FROM parent WHERE used_at = $2 AND n = $1 OR id = $3 AND n = $2 ORDER BY id";
    let rows = store.db.all(sql, params![2, 3, "a"]).await.unwrap();
    let ids: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!(ids, ["a", "b"]);
}

pub async fn a_statement_that_does_not_fit_is_an_error(store: Empty) {
    tables(&store.db).await;
    let wrong = |result: Result<_, StoreError>| assert!(matches!(result, Err(StoreError::Statement(_))));
    wrong(store.db.one("SELECT n FROM parent WHERE id = $1", &[]).await.map(drop));
    wrong(store.db.one("SELECT n FROM parent WHERE id = $1", params!["a", "b"]).await.map(drop));
    wrong(store.db.one("SELECT n FROM nowhere", &[]).await.map(drop));
    parent(&store.db, "p").await;
    parent(&store.db, "q").await;
    wrong(store.db.one("SELECT n FROM parent", &[]).await.map(drop));
}

pub async fn a_read_sees_one_moment(store: Empty) {
    tables(&store.db).await;
    parent(&store.db, "p").await;
    let (looked, told) = mpsc::channel();
    let (wrote, done) = mpsc::channel();
    let db = store.db.clone();
    let writer = tokio::spawn(async move {
        #[allow(clippy::disallowed_methods, reason = "the story holds up the writer on purpose")]
        tokio::task::block_in_place(|| told.recv()).unwrap();
        parent(&db, "q").await;
        wrote.send(()).unwrap();
    });
    let seen = store.db.read(async move |tx| {
        let before = parents_in(tx).await?;
        looked.send(()).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the story holds up the writer on purpose")]
        tokio::task::block_in_place(|| done.recv()).unwrap();
        Ok::<_, StoreError>((before, parents_in(tx).await?))
    });
    assert_eq!(seen.await, Ok((1, 1)));
    writer.await.unwrap();
    assert_eq!(parents(&store.db).await, 2);
}

pub async fn a_read_cannot_write(store: Empty) {
    tables(&store.db).await;
    assert!(store.db.read(async |tx| add_parent(tx, "p").await).await.is_err());
    assert!(store.db.one("INSERT INTO parent (id) VALUES ('p') RETURNING id", &[]).await.is_err());
    assert_eq!(parents(&store.db).await, 0);
    parent(&store.db, "p").await;
}

pub async fn a_lock_makes_the_others_wait(store: Empty) {
    tables(&store.db).await;
    parent(&store.db, "p").await;
    let adders = (0..20).map(|_| {
        let db = store.db.clone();
        tokio::spawn(async move {
            db.write::<_, StoreError, _>(async |tx| {
                tx.lock(Lock::Exclusive, "parent", "p").await?;
                let n: i64 = tx.one("SELECT n FROM parent WHERE id = 'p'", &[]).await?.unwrap().get(0)?;
                tx.execute("UPDATE parent SET n = $1 WHERE id = 'p'", params![n + 1]).await
            })
            .await
        })
    });
    assert!(join_all(adders).await.into_iter().all(|added| added.unwrap() == Ok(1)));
    let n = store.db.one("SELECT n FROM parent", &[]).await.unwrap().unwrap();
    assert_eq!(n.get(0), Ok(20_i64));
}

pub async fn what_was_acknowledged_survives(store: Empty) {
    tables(&store.db).await;
    parent(&store.db, "p").await;
    let Empty { db, settings } = store;
    drop(db);
    assert_eq!(parents(&Database::open(&settings).await.unwrap()).await, 1);
}

pub async fn a_thousand_at_once_are_all_kept(store: Empty) {
    tables(&store.db).await;
    let writers = (0..1_000).map(|n| {
        let db = store.db.clone();
        tokio::spawn(async move { db.write(async move |tx| add_parent(tx, &n.to_string()).await).await })
    });
    assert!(join_all(writers).await.into_iter().all(|written| written.unwrap() == Ok(())));
    assert_eq!(parents(&store.db).await, 1_000);
}

/// They share commits, and some may be run again.
pub async fn of_many_at_once_each_is_kept_or_undone_alone(store: Empty) {
    tables(&store.db).await;
    parent(&store.db, "count").await;
    let fails = |n: i64| n % 29 == 3;
    let writers = (0..400).map(|n: i64| {
        let db = store.db.clone();
        tokio::spawn(async move {
            let work = async move |tx: &mut Tx<'_>| {
                add_parent(tx, &n.to_string()).await?;
                tx.execute("UPDATE parent SET n = n + 1 WHERE id = 'count'", &[]).await?;
                if fails(n) { Err(Refused::ByUs) } else { Ok(n) }
            };
            if n % 5 == 0 { db.write(work).await } else { db.write_again(work).await }
        })
    });
    for (n, outcome) in join_all(writers).await.into_iter().enumerate() {
        let (n, kept) = (n as i64, outcome.unwrap().ok());
        assert_eq!(kept, (!fails(n)).then_some(n));
    }
    let kept = (0..400).filter(|n| !fails(*n)).count() as i64;
    let count = store.db.one("SELECT n FROM parent WHERE id = 'count'", &[]).await.unwrap().unwrap();
    assert_eq!((count.get(0), parents(&store.db).await), (Ok(kept), kept + 1));
}

pub async fn two_handles_share_the_store(store: Empty) {
    tables(&store.db).await;
    let handles = [store.db.clone(), store.another_handle().await];
    let writers = (0..100).map(|n: usize| {
        let db = handles[n % 2].clone();
        tokio::spawn(async move { db.write(async move |tx| add_parent(tx, &n.to_string()).await).await })
    });
    assert!(join_all(writers).await.into_iter().all(|written| written.unwrap() == Ok(())));
    for db in &handles {
        assert_eq!(parents(db).await, 100);
    }
}

pub async fn several_nodes_may_start_at_once(place: config::Database) {
    let nodes = (0..4).map(|_| {
        let place = place.clone();
        tokio::spawn(async move { Database::open(&place).await.map(drop) })
    });
    for node in join_all(nodes).await {
        assert_eq!(node.unwrap(), Ok(()));
    }
}

pub async fn a_cancelled_writer_leaves_all_or_nothing(store: Empty) {
    tables(&store.db).await;
    let pair = async |tx: &mut Tx<'_>, n: i64| {
        add_parent(tx, &n.to_string()).await?;
        let sql = "INSERT INTO child (id, parent) VALUES ($1, $1)";
        tx.execute(sql, params![n.to_string()]).await.map(drop)
    };
    // Each one leaves one wake-up later than the one before.
    for patience in 0..40 {
        until(patience, store.db.write(async move |tx| pair(tx, patience).await)).await;
    }
    store.db.write(async move |tx| pair(tx, 99).await).await.unwrap();
    let sql = "SELECT COUNT(*) FROM parent WHERE id NOT IN (SELECT parent FROM child)";
    let halves = store.db.one(sql, &[]).await.unwrap().unwrap();
    assert_eq!(halves.get(0), Ok(0_i64));
    assert!(parents(&store.db).await >= 2, "the most patient ones were served");
}

/// Polls as often as `patience` says, once per wake-up, and leaves.
async fn until<T>(patience: i64, future: impl Future<Output = T>) {
    let (mut future, mut polls) = (pin!(future), 0);
    std::future::poll_fn(|context| {
        polls += 1;
        if polls > patience { Poll::Ready(()) } else { future.as_mut().poll(context).map(drop) }
    })
    .await;
}

#[tokio::test]
async fn only_its_owner_may_read_a_sqlite_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("behalf.db");
    let store = Empty::at(settings(format!("sqlite:{}", path.display()))).await;
    assert_eq!(store.db.engine(), "sqlite");
    for name in ["behalf.db", "behalf.db-wal", "behalf.db-shm"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
pub async fn on_sqlite_a_transaction_awaits_nothing_but_itself() {
    on_sqlite(|place| async {
        let store = Empty::at(place).await;
        tables(&store.db).await;
        let waited = store.db.write(async |tx| {
            add_parent(tx, "p").await?;
            tokio::task::yield_now().await;
            Ok(())
        });
        assert!(matches!(waited.await, Err(StoreError::Statement(_))));
        assert_eq!(parents(&store.db).await, 0);
    })
    .await;
}

#[tokio::test]
pub async fn on_sqlite_nothing_is_acknowledged_before_the_commit() {
    on_sqlite(|place| async {
        let store = Empty::at(place).await;
        tables(&store.db).await;
        let late = store.db.write(async |tx| {
            // Makes the commit itself fail.
            tx.execute("PRAGMA defer_foreign_keys = ON", &[]).await?;
            add_parent(tx, "p").await?;
            tx.execute("INSERT INTO child (id, parent) VALUES ('c', 'nobody')", &[]).await
        });
        assert_eq!(late.await, Err(StoreError::ForeignKey));
        assert_eq!(parents(&store.db).await, 0);
        parent(&store.db, "p").await;
    })
    .await;
}

/// One row of each table that only grows.
const OF_THE_TRAIL: [&str; 3] = [
    "INSERT INTO audit_events (id, project_id, at, actor, actor_kind, action, outcome, detail)
     VALUES ('one', 'p', 1, 'ann', 'user', 'test', 'granted', '{}')",
    "INSERT INTO audit_links (project_id, chain, place, event_id, hash) VALUES ('p', '', 1, 'one', 'x')",
    "INSERT INTO audit_checkpoints (project_id, chain, place, jws, created_at) VALUES ('p', '', 1, 'jws', 1)",
];

async fn m08_the_next_start_puts_back_what_keeps_the_audit_trail(store: Empty) {
    let done =
        async |db: &Database, sql: &'static str| db.write(async move |tx| tx.execute(sql, &[]).await).await;
    done(&store.db, OF_THE_TRAIL[0]).await.unwrap();
    let change = "UPDATE audit_events SET actor = 'eve'";
    let off: &[&[&'static str]] = match store.db.engine() {
        "sqlite" => &[
            &["DROP TRIGGER audit_events_no_update"],
            &[
                "DROP TRIGGER audit_events_no_update",
                "CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events BEGIN SELECT 1; END",
            ],
        ],
        _ => &[
            &["DROP TRIGGER audit_events_append_only ON audit_events"],
            &["ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only"],
            &["ALTER TABLE audit_events ENABLE REPLICA TRIGGER audit_events_append_only"],
            &["CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"],
            &[
                "DROP TRIGGER audit_events_append_only ON audit_events",
                "CREATE TRIGGER audit_events_append_only BEFORE UPDATE ON audit_events FOR EACH STATEMENT
                 WHEN (1 = 2) EXECUTE FUNCTION append_only()",
            ],
            &[
                "DROP TRIGGER audit_events_append_only ON audit_events",
                "CREATE TRIGGER audit_events_append_only BEFORE UPDATE OF at OR DELETE OR TRUNCATE ON audit_events
                 FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
            ],
        ],
    };
    for statements in off {
        for sql in *statements {
            done(&store.db, sql).await.unwrap();
        }
        assert_eq!(done(&store.db, change).await, Ok(1), "{statements:?}");
        let next = store.another_handle().await;
        for db in [&store.db, &next] {
            let told = done(db, change).await;
            assert!(matches!(&told, Err(StoreError::Constraint(_))), "{statements:?}: {told:?}");
        }
    }
}

/// As any other program does that opens the file.
#[tokio::test]
pub async fn m08_on_sqlite_nobody_replaces_a_row_of_the_audit_trail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("behalf.db");
    let settings =
        config::Database { url: format!("sqlite:{}", path.display()), connections: 1, statement_timeout: 20 };
    let db = Database::open(&settings).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    for sql in OF_THE_TRAIL {
        other.execute_batch(sql).unwrap();
        let table = sql.split(' ').nth(2).unwrap();
        let mut ways = vec![
            sql.replace("INSERT", "INSERT OR REPLACE"),
            sql.replace("INSERT", "REPLACE"),
            // What SQLite itself tells rows apart by.
            sql.replace(" (", " (rowid, ")
                .replace("VALUES (rowid, ", "VALUES (1, ")
                .replace("'p', ", "'q', ")
                .replace("'one'", "'two'")
                .replace("INSERT", "REPLACE"),
        ];
        if table == "audit_links" {
            ways.push(sql.replace("'', 1", "'', 2").replace("INSERT", "REPLACE"));
        }
        for way in ways {
            let told = other.execute_batch(&way).unwrap_err().to_string();
            assert!(told.contains(&format!("{table} is append-only")), "{way}: {told}");
        }
    }
    // What is new comes in, by whoever writes it.
    let (event, link) =
        (OF_THE_TRAIL[0].replace("'one'", "'two'"), OF_THE_TRAIL[1].replace("1, 'one'", "2, 'two'"));
    other.execute_batch(&event).unwrap();
    other.execute_batch(&link).unwrap();
    let many = db.one("SELECT COUNT(*) FROM audit_events", &[]).await.unwrap().unwrap();
    assert_eq!(many.get::<i64>(0).unwrap(), 2);
}

#[tokio::test]
pub async fn on_sqlite_a_writer_is_told_that_another_process_holds_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("behalf.db");
    let url = format!("sqlite:{}", path.display());
    let settings = config::Database { url, connections: 1, statement_timeout: 0 };
    let db = Database::open(&settings).await.unwrap();
    tables(&db).await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = db.write(async |tx| add_parent(tx, "p").await).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    assert_eq!(parents(&db).await, 0, "readers go on");
    other.execute_batch("COMMIT").unwrap();
    parent(&db, "p").await;
}

/// A way to a server that can stand still without anybody's being told.
async fn way_to(server: std::net::SocketAddr) -> (u16, tokio::sync::watch::Sender<bool>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stands_still, told) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = tokio::net::TcpStream::connect(server).await.unwrap();
            let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
            tokio::spawn(carried(from_near, to_far, told.clone()));
            tokio::spawn(carried(from_far, to_near, told.clone()));
        }
    });
    (port, stands_still)
}

async fn carried(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut stands_still: tokio::sync::watch::Receiver<bool>,
) {
    let mut piece = [0; 4_096];
    while let Ok(size @ 1..) = from.read(&mut piece).await {
        if stands_still.wait_for(|still| !still).await.is_err() || to.write_all(&piece[..size]).await.is_err()
        {
            return;
        }
    }
}

#[tokio::test]
pub async fn on_postgresql_a_server_that_says_nothing_is_not_waited_for() {
    on_postgresql(|place| async move {
        let mut url = url::Url::parse(&place.url).unwrap();
        let server = (url.host_str().unwrap(), url.port().unwrap_or(5_432));
        let server = tokio::net::lookup_host(server).await.unwrap().next().unwrap();
        let (port, stands_still) = way_to(server).await;
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        let store =
            Empty::at(config::Database { url: url.into(), connections: 1, statement_timeout: 1 }).await;
        tables(&store.db).await;
        parent(&store.db, "p").await;

        stands_still.send_replace(true);
        let is_away = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
        assert!(is_away(&store.db.ping().await.unwrap_err()), "on a connection that there was");
        assert!(is_away(&store.db.ping().await.unwrap_err()), "on a new one");
        stands_still.send_replace(false);
        assert_eq!(parents(&store.db).await, 1, "nobody else gets a connection that owes an answer");

        let still = stands_still.clone();
        let half_way = store.db.write(async move |tx| {
            add_parent(tx, "q").await?;
            still.send_replace(true);
            add_parent(tx, "r").await
        });
        assert!(is_away(&half_way.await.unwrap_err()));
        stands_still.send_replace(false);
        assert_eq!(parents(&store.db).await, 1, "nothing of it happened");
        parent(&store.db, "q").await;
    })
    .await;
}

#[tokio::test]
pub async fn on_postgresql_no_statement_is_compiled() {
    on_postgresql(|place| async {
        let store = Empty::at(place).await;
        let row = store.db.one("SELECT current_setting('jit')", &[]).await.unwrap().unwrap();
        assert_eq!(row.get::<String>(0).unwrap(), "off");
    })
    .await;
}

#[tokio::test]
pub async fn on_postgresql_a_change_of_what_has_changed_since_is_a_conflict() {
    on_postgresql(|place| async {
        let store = Empty::at(place).await;
        tables(&store.db).await;
        parent(&store.db, "p").await;
        let other = store.db.clone();
        let late = store.db.write_again_on_snapshot(async move |tx| counted_late(tx, &other).await);
        assert_eq!(late.await, Err(StoreError::Conflict), "as often as others are faster");
    })
    .await;
}

/// Counts after `other` has.
async fn counted_late(tx: &mut Tx<'_>, other: &Database) -> Result<u64, StoreError> {
    const COUNTS: &str = "UPDATE parent SET n = n + 1";
    parents_in(tx).await?;
    other.write(async move |tx| tx.execute(COUNTS, &[]).await).await?;
    tx.execute(COUNTS, &[]).await
}

#[tokio::test]
async fn a_url_that_names_no_database_is_refused() {
    for url in ["mysql://a.test", "sqlite:", "sqlite::memory:", "postgres://bob:hunter2@a.test:x/"] {
        let settings = config::Database { url: url.into(), ..Default::default() };
        let Err(error) = Database::open(&settings).await else { panic!("{url} was opened") };
        assert!(!error.to_string().contains("hunter2"));
    }
}
