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
use behalf::protocol::jose::{Algorithm, Jws, Typ};
use behalf::store::durable::projects;

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
