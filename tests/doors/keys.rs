//! The signing keys' calendar, and the master key without which nothing starts.

use std::path::Path;
use std::time::Duration;

use behalf::broker::{Broker, StartError};
use behalf::config::Config;
use behalf::foundation::clock::{Clock, Moment};
use behalf::foundation::id::ProjectId;
use behalf::foundation::random::Random;
use behalf::keys::keyring::ALGORITHMS;
use behalf::keys::proof::ProofError;
use behalf::model::project::Project;
use behalf::protocol::jose::{Algorithm, Jws, Typ};
use behalf::store::durable::engine::StoreError;
use behalf::store::durable::projects;

use crate::house::postgres;

const DAY: Duration = Duration::from_secs(86_400);

fn settings(folder: &Path) -> Config {
    let mut config = Config::default();
    config.database.url = format!("sqlite:{}", folder.join("behalf.db").display());
    config.keys.folder = folder.join("keys");
    config
}

async fn open(folder: &Path, clock: &Clock) -> Result<Broker, StartError> {
    Broker::open(settings(folder), clock.clone(), Random::System).await
}

async fn open_on(folder: &Path, database: Option<&postgres::Database>, clock: &Clock) -> Broker {
    let mut config = settings(folder);
    if let Some(database) = database {
        config.database.url = database.url();
    }
    Broker::open(config, clock.clone(), Random::System).await.unwrap()
}

async fn project(broker: &Broker) -> ProjectId {
    projects::by_slug(&mut &broker.db, "default").await.unwrap().unwrap().id
}

fn noon() -> Clock {
    Clock::set_to(Moment::from_seconds(1_800_000_000))
}

/// Signs with today's key and reads with today's published set.
async fn sign(broker: &Broker, project: ProjectId) -> (String, String) {
    let keys = broker.keyring.of(project).await.unwrap();
    let key = keys.signing(Algorithm::ES256, broker.now()).unwrap();
    (key.kid().to_owned(), key.sign_jwt("JWT", &serde_json::json!({ "iss": "x" })).unwrap())
}

async fn is_readable(broker: &Broker, project: ProjectId, token: &str) -> bool {
    let keys = broker.keyring.of(project).await.unwrap();
    Jws::parse(token).unwrap().verify(keys.public(), &ALGORITHMS, Typ::Jwt).is_ok()
}

#[tokio::test]
async fn h18_a_successor_is_published_before_it_signs_and_the_old_key_after() {
    let (home, clock) = (tempfile::tempdir().unwrap(), noon());
    let broker = open(home.path(), &clock).await.unwrap();
    let project = project(&broker).await;
    let (first, old_token) = sign(&broker, project).await;
    assert_eq!(broker.keyring.of(project).await.unwrap().public().keys().len(), 3);

    clock.turn(DAY * 88);
    assert_eq!(broker.keyring.keep_calendar(project).await.unwrap(), 0);
    clock.turn(DAY + Duration::from_secs(120));
    assert_eq!(broker.keyring.keep_calendar(project).await.unwrap(), 3);
    assert_eq!(broker.keyring.keep_calendar(project).await.unwrap(), 0, "once is enough");
    clock.turn(Duration::from_secs(61));
    assert_eq!(broker.keyring.of(project).await.unwrap().public().keys().len(), 6, "both are published");
    assert_eq!(sign(&broker, project).await.0, first, "the old one signs until the announced moment");

    clock.turn(DAY);
    let (second, token) = sign(&broker, project).await;
    assert_ne!(second, first);
    assert!(is_readable(&broker, project, &old_token).await && is_readable(&broker, project, &token).await);
    clock.turn(Duration::from_secs(2 * 3_600));
    assert!(!is_readable(&broker, project, &old_token).await, "retired after the longest token");
    assert_eq!(broker.keyring.of(project).await.unwrap().public().keys().len(), 3);
}

#[tokio::test]
async fn keys_rotate_on_demand_ahead_or_at_once() {
    let (home, clock) = (tempfile::tempdir().unwrap(), noon());
    let broker = open(home.path(), &clock).await.unwrap();
    let project = project(&broker).await;
    let (first, _) = sign(&broker, project).await;

    assert_eq!(broker.keyring.rotate(project, Some(Algorithm::ES256), false).await.unwrap().len(), 1);
    assert_eq!(sign(&broker, project).await.0, first);
    clock.turn(DAY);
    let (second, _) = sign(&broker, project).await;
    assert_ne!(second, first);

    assert_eq!(broker.keyring.rotate(project, None, false).await.unwrap().len(), 3, "one is announced");
    let made = broker.keyring.rotate(project, None, true).await.unwrap();
    let soon = broker.now().plus(Duration::from_secs(120));
    assert_eq!(made, ALGORITHMS.map(|algorithm| (algorithm, soon)), "but these are wanted as soon as may be");
    assert_eq!(sign(&broker, project).await.0, second, "when every node has read it");
    clock.turn(Duration::from_secs(120));
    let (third, _) = sign(&broker, project).await;
    assert_ne!(third, second);
    clock.turn(DAY * 2);
    assert_eq!(sign(&broker, project).await.0, third, "the announced one never signs");
    let published = broker.keyring.of(project).await.unwrap().public().keys().len();
    assert_eq!(published, 3, "and what was replaced is not believed for longer than a token lives");
}

#[tokio::test]
async fn h18_where_no_key_signs_the_first_one_signs_at_once() {
    for at_once in [false, true] {
        for database in [None, Some(postgres::Database::empty().await)] {
            let (home, clock) = (tempfile::tempdir().unwrap(), noon());
            let broker = open_on(home.path(), database.as_ref(), &clock).await;
            let project = project(&broker).await;
            let made = broker.keyring.rotate(project, None, at_once).await.unwrap();
            assert_eq!(made, ALGORITHMS.map(|algorithm| (algorithm, broker.now())), "before the first use");
            let (first, token) = sign(&broker, project).await;
            assert!(is_readable(&broker, project, &token).await);
            let keys = broker.keyring.of(project).await.unwrap();
            assert_eq!(keys.public().keys().len(), 3);
            assert!(ALGORITHMS.iter().all(|algorithm| keys.signing(*algorithm, broker.now()).is_ok()));
            // The next one is published ahead as ever.
            let made = broker.keyring.rotate(project, None, at_once).await.unwrap();
            let ahead = if at_once { Duration::from_secs(120) } else { DAY };
            assert_eq!(made, ALGORITHMS.map(|algorithm| (algorithm, broker.now().plus(ahead))));
            assert_eq!(sign(&broker, project).await.0, first);
        }
    }
}

#[tokio::test]
async fn h18_a_key_of_one_algorithm_leaves_the_others_to_their_first_use() {
    let (home, clock) = (tempfile::tempdir().unwrap(), noon());
    let broker = open(home.path(), &clock).await.unwrap();
    let project = project(&broker).await;
    let made = broker.keyring.rotate(project, Some(Algorithm::ES256), false).await.unwrap();
    assert_eq!(made, [(Algorithm::ES256, broker.now())]);
    let keys = broker.keyring.of(project).await.unwrap();
    assert!(ALGORITHMS.iter().all(|algorithm| keys.signing(*algorithm, broker.now()).is_ok()));
    assert_eq!(keys.public().keys().len(), 3);
}

#[tokio::test]
async fn h18_two_nodes_that_begin_at_once_sign_at_once_with_the_same_key() {
    for database in [None, Some(postgres::Database::empty().await)] {
        let (home, clock) = (tempfile::tempdir().unwrap(), noon());
        let one = open_on(home.path(), database.as_ref(), &clock).await;
        let other = open_on(home.path(), database.as_ref(), &clock).await;
        let project = project(&one).await;
        let (first, _) = tokio::join!(one.keyring.rotate(project, None, false), other.keyring.of(project));
        assert_eq!(first.unwrap().len(), 3, "what was asked for is done");
        let (here, there) = (sign(&one, project).await, sign(&other, project).await);
        assert_eq!(here.0, there.0);
        assert!(is_readable(&one, project, &there.1).await && is_readable(&other, project, &here.1).await);
        for node in [&one, &other] {
            let keys = node.keyring.of(project).await.unwrap();
            assert!(ALGORITHMS.iter().all(|algorithm| keys.signing(*algorithm, node.now()).is_ok()));
        }

        // Two operators at once: each gets a key, and the second one's is announced.
        let second = ProjectId::new(&Random::System, one.now());
        make_project(&one, second).await;
        let (here, there) =
            tokio::join!(one.keyring.rotate(second, None, false), other.keyring.rotate(second, None, false));
        let (here, there) = (here.unwrap(), there.unwrap());
        assert_eq!((here.len(), there.len()), (3, 3));
        let begun = here.iter().chain(&there).filter(|(_, signs_from)| *signs_from == one.now()).count();
        assert_eq!(begun, 3, "{here:?} {there:?}");
        assert_eq!(sign(&one, second).await.0, sign(&other, second).await.0);
    }
}

async fn make_project(broker: &Broker, id: ProjectId) {
    let found = projects::by_slug(&mut &broker.db, "default").await.unwrap().unwrap();
    let another = Project { id, slug: "another".into(), ..found };
    let written: Result<(), StoreError> =
        broker.db.write(async move |tx| projects::insert(tx, &another).await).await;
    written.unwrap();
}

#[tokio::test]
async fn two_nodes_that_rotate_at_once_make_one_successor() {
    let (home, clock) = (tempfile::tempdir().unwrap(), noon());
    let one = open(home.path(), &clock).await.unwrap();
    let other = open(home.path(), &clock).await.unwrap();
    let project = project(&one).await;
    one.keyring.of(project).await.unwrap();
    clock.turn(DAY * 89 + Duration::from_secs(1));
    let (here, there) =
        tokio::join!(one.keyring.keep_calendar(project), other.keyring.keep_calendar(project));
    assert_eq!(here.unwrap() + there.unwrap(), 3);
}

#[tokio::test]
async fn c29_without_the_right_master_key_nothing_starts() {
    let (home, clock) = (tempfile::tempdir().unwrap(), noon());
    let file = home.path().join("keys/master.key");
    let broker = open(home.path(), &clock).await.unwrap();
    let kid = sign(&broker, project(&broker).await).await.0;
    drop(broker);
    let right = std::fs::read(&file).unwrap();

    let again = open(home.path(), &clock).await.unwrap();
    assert_eq!(sign(&again, project(&again).await).await.0, kid, "the same keys after a restart");
    drop(again);

    std::fs::remove_file(&file).unwrap();
    let gone = open(home.path(), &clock).await.err();
    assert!(matches!(gone, Some(StartError::Keys(ProofError::Gone { .. }))), "{gone:?}");
    assert!(!file.exists(), "no new key is made for an old database");

    std::fs::write(&file, "00".repeat(32)).unwrap();
    set_mode(&file, 0o600);
    let wrong = open(home.path(), &clock).await.err();
    assert!(matches!(wrong, Some(StartError::Keys(ProofError::Wrong(_)))), "{wrong:?}");

    std::fs::write(&file, right).unwrap();
    set_mode(&file, 0o644);
    assert!(open(home.path(), &clock).await.is_err(), "readable by others");
    set_mode(&file, 0o600);
    assert!(open(home.path(), &clock).await.is_ok());
}

fn set_mode(file: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}
