//! C29 and M09: whoever reads the database or the log finds no secret, and whoever moves a sealed cell gains
//! nothing by it.

use std::io;
use std::sync::{Arc, Mutex};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use behalf::broker::Broker;
use behalf::config::{self, LogFormat};
use behalf::foundation::random::Random;
use behalf::foundation::secret::Secret;
use behalf::keys::keyring::ALGORITHMS;
use behalf::telemetry;

use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan, RP1_SECRET};
use crate::house::visitor::Visitor;

/// What was written, for a test to read.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Something that must not be found, in every spelling in which it could stand.
struct Planted {
    name: String,
    spellings: Vec<Vec<u8>>,
}

impl Planted {
    fn text(name: &str, text: &str) -> Self {
        assert!(text.len() >= 20, "{name} is too short to be looked for");
        let bytes = text.as_bytes();
        Self {
            name: name.to_owned(),
            spellings: vec![
                bytes.to_vec(),
                HEXLOWER.encode(bytes).into_bytes(),
                BASE64.encode(bytes).trim_end_matches('=').as_bytes().to_vec(),
                BASE64URL_NOPAD.encode(bytes).into_bytes(),
            ],
        }
    }

    fn bytes(name: &str, bytes: &[u8]) -> Self {
        let mut made = Self::text(name, &HEXLOWER.encode(bytes));
        made.spellings.extend([
            bytes.to_vec(),
            BASE64.encode(bytes).trim_end_matches('=').as_bytes().to_vec(),
            BASE64URL_NOPAD.encode(bytes).into_bytes(),
        ]);
        made
    }

    fn is_not_in(&self, what: &str, bytes: &[u8]) {
        for spelling in &self.spellings {
            let found = memchr(bytes, spelling);
            let near = |at: usize| {
                String::from_utf8_lossy(&bytes[at.saturating_sub(200)..bytes.len().min(at + 40)]).into_owned()
            };
            assert!(found.is_none(), "{} is in {what}: {:?}", self.name, found.map(near));
        }
    }
}

fn memchr(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(next) = bytes[from..].iter().position(|byte| *byte == first) {
        let at = from + next;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// Lets people come and go, and collects every secret that there was.
async fn used(house: &House) -> Vec<Planted> {
    let mut planted = vec![
        Planted::text("the provider's client secret", &house.idp_a.secret),
        Planted::text("the other provider's", &house.idp_b.secret),
        Planted::text("the application's secret", RP1_SECRET),
        Planted::text("the master key", &"5a".repeat(32)),
        Planted::bytes("the master key's bytes", &[0x5a; 32]),
    ];
    for project in ["default"] {
        let id = house.text(&format!("SELECT id FROM projects WHERE slug = '{project}'")).await.unwrap();
        let keys = house.broker.keyring.of(id.parse().unwrap()).await.unwrap();
        for algorithm in ALGORITHMS {
            let key = keys.signing(algorithm, house.clock.now()).unwrap();
            let der = key.to_pkcs8().unwrap();
            planted.push(Planted::bytes("a signing key", &der));
            // The innermost part alone: the last prime of an RSA key, the scalar of the others.
            planted.push(Planted::bytes("the end of a signing key", &der[der.len() - 24..]));
        }
    }
    let rp1 = Application::rp1(house);
    let root = house.url.parse().unwrap();
    for round in 0..2 {
        let mut con = Person::new("con@a.test");
        let ask = rp1.asks();
        let page = con.follows(&ask).await;
        let flows: Vec<_> = con.browser.jar.header(&root).unwrap().split("; ").map(str::to_owned).collect();
        let asked = |name: &str| house.idp_a.was_asked(name).unwrap();
        let sent = |name: &str| house.idp_a.was_sent(name).unwrap();
        planted.push(Planted::text(
            "the state of the provider's answer",
            asked("state").split_once('.').unwrap().1,
        ));
        planted.push(Planted::text("our nonce", &asked("nonce")));
        planted.push(Planted::text("our verifier", &sent("code_verifier")));
        planted.push(Planted::text("the provider's code", &sent("code")));
        for cookie in &flows {
            let (name, value) = cookie.split_once('=').unwrap();
            planted.push(Planted::text(&format!("the cookie {name}"), value));
        }
        planted.push(Planted::text("a form's token", page.picker().value("csrf").unwrap()));
        let arrival = con.picks(&ask, &page, "B Corporation").await;
        let code = arrival.code();
        planted.push(Planted::text("a code", &code));
        planted.push(Planted::text("the application's verifier", &ask.verifier));
        let answer = ask.redemption(&code).send().await;
        for token in ["access_token", "id_token"] {
            let text = answer.json()[token].as_str().unwrap().to_owned();
            planted.push(Planted::text(token, text.rsplit('.').next().unwrap()));
        }
        let tokens = ask.reads(&answer).await;
        rp1.userinfo(&tokens.access_token).await;
        // Things go wrong, too.
        ask.redemption(&code).send().await;
        rp1.userinfo(&format!("{}x", tokens.access_token)).await;
        ask.redemption("no code").with("code_verifier", &"v".repeat(43)).send().await;
        if round == 1 {
            let out = con.browser.get(&format!("{}/logout", house.url)).await;
            planted.push(Planted::text("the sign-out's token", out.form().value("csrf").unwrap()));
            con.browser.submit(&out.form().with("sign_out", "yes")).await;
        }
    }
    house.idp_a.door(
        "/token",
        Some(crate::house::lying_idp::Door::Body(format!("{{\"error\":\"{}\"}}", "echo".repeat(9)))),
    );
    Person::new("ann@a.test").follows(&rp1.asks()).await;
    planted.push(Planted::text("the body of a provider's error", &"echo".repeat(9)));
    assert!(planted.len() >= 30, "{}", planted.len());
    planted
}

fn nonce_is_kept(planted: &Planted) -> bool {
    // The application's nonce is no secret of ours; ours to the provider is, and is not kept here either.
    planted.name == "our nonce"
}

#[tokio::test]
async fn c29_no_secret_is_in_the_files_of_a_used_sqlite_database() {
    let house = House::opens().await;
    let planted = used(&house).await;
    let url = house.broker.config.database.url.clone();
    let path = url.strip_prefix("sqlite:").unwrap();
    let mut files = 0;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let Ok(bytes) = std::fs::read(format!("{path}{suffix}")) else { continue };
        files += 1;
        for one in &planted {
            one.is_not_in(&format!("the database{suffix}"), &bytes);
        }
    }
    assert!(files >= 1);
    // The search finds what is there.
    let bytes =
        [std::fs::read(path).unwrap(), std::fs::read(format!("{path}-wal")).unwrap_or_default()].concat();
    assert!(memchr(&bytes, b"con@a.test").is_some());
    assert_eq!(planted.iter().filter(|one| nonce_is_kept(one)).count(), 2);
}

#[tokio::test]
async fn c29_no_secret_is_in_any_table_of_a_used_postgres() {
    let house = House::on(Engine::Postgres).await;
    let planted = used(&house).await;
    let (client, connection) =
        tokio_postgres::connect(&house.broker.config.database.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
    let tables: Vec<String> = client.query(tables, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(tables.len() > 15, "{tables:?}");
    let mut dump = String::new();
    for table in tables {
        for message in client.simple_query(&format!("SELECT * FROM {table}")).await.unwrap() {
            let SimpleQueryMessage::Row(row) = message else { continue };
            for column in 0..row.len() {
                dump += &format!("{}\n", row.get(column).unwrap_or_default());
            }
        }
    }
    for one in &planted {
        one.is_not_in("the dump", dump.as_bytes());
    }
    assert!(dump.contains("con@a.test"));
}

#[tokio::test]
async fn m09_no_secret_is_in_the_log_at_its_most_talkative() {
    for log_format in [LogFormat::Text, LogFormat::Json] {
        let paper = Paper::default();
        let writer = paper.clone();
        let settings = config::Telemetry { log_format, log_filter: "trace".into(), ..Default::default() };
        let (subscriber, _telemetry) =
            telemetry::subscriber(&settings, NO_CLIENT, move || writer.clone()).unwrap();
        let listening = tracing::subscriber::set_default(subscriber);
        let house = House::opens().await;
        let planted = used(&house).await;
        drop(listening);
        let log = paper.0.lock().unwrap().clone();
        let text = String::from_utf8_lossy(&log).into_owned();
        // Where tests are threads of one process, what one of them listens to depends on the others.
        let alone = std::env::var_os("NEXTEST").is_some();
        for heard in ["serving", "refused", "TRACE"].iter().filter(|_| alone) {
            assert!(text.contains(heard), "{heard} was not heard: {text}");
        }
        for one in &planted {
            one.is_not_in("the log", &log);
        }
    }
}

const NO_CLIENT: Option<behalf::egress::collector::Collector> = None;

#[tokio::test]
async fn c29_a_sealed_cell_in_another_row_is_a_fault_and_no_key() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    for exchange in [
        "UPDATE connections SET secret = (SELECT o.secret FROM connections o WHERE o.slug = 'cb') WHERE slug = 'ca'",
        "UPDATE connections SET secret = (SELECT k.private_key FROM signing_keys k LIMIT 1) WHERE slug = 'ca'",
        "UPDATE connections SET secret = NULL WHERE slug = 'ca'",
    ] {
        assert_eq!(house.execute(exchange).await, 1);
        let before = house.before().await;
        let arrival = Person::new("ann@a.test").follows(&rp1.asks()).await;
        assert_eq!(arrival.status(), 500, "{exchange}: {}", arrival.told());
        house.unchanged(&before).await;
        if !exchange.contains("NULL") {
            house.told_refusal(&before, &["sealed_cell_unreadable"]).await;
        }
        assert_eq!((house.idp_a.hits("/token"), house.idp_b.hits("/token")), (0, 0), "{exchange}");
        assert!(!arrival.answer.body.contains("seal"), "{}", arrival.answer.body);
    }
    // Who reads the same row rightly is not harmed.
    let ask = rp1.asks();
    let arrival = Person::new("bob@b.test").follows(&ask).await;
    ask.redeems(&arrival).await;
}

#[tokio::test]
async fn c29_a_signing_key_in_another_row_signs_nothing() {
    let mut house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    ask.redeems(&arrival).await;
    let moved = "UPDATE signing_keys SET private_key = \
        (SELECT o.private_key FROM signing_keys o WHERE o.algorithm = 'EdDSA' LIMIT 1) WHERE algorithm = 'ES256'";
    assert!(house.execute(moved).await >= 1);
    house.restart().await;
    let before = house.before().await;
    let answer = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await;
    assert_eq!(answer.status, 500, "{}", answer.body);
    house.refused(&before, "sealed_cell_unreadable").await;
    assert_eq!(answer.json()["error"], serde_json::json!("server_error"));
}

#[tokio::test]
async fn c29_another_master_key_opens_no_house() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan::on(engine).build().await;
        for (what, key) in
            [("another", "5b".repeat(32)), ("a short one", "5a".repeat(31)), ("none", String::new())]
        {
            let mut config = house.broker.config.clone();
            config.keys.master_key = Some(Secret::new(key));
            let opened = Broker::open(config, house.clock.clone(), Random::System).await;
            let error =
                opened.err().unwrap_or_else(|| panic!("{what} master key opened the house")).to_string();
            assert!(!error.contains("5a5a") && !error.contains("5b5b"), "{what}: {error}");
        }
        let ask = Application::rp1(&house).asks();
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        ask.redeems(&arrival).await;
    }
}
