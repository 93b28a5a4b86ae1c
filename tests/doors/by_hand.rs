//! What somebody meets who opens the doors by hand: people see pages, programs are told in their own words.

use std::path::Path;
use std::process::{Command, Output};

use axum::Router;
use axum::routing::get;
use behalf::config;
use behalf::egress::guard::Guard;
use behalf::egress::http::{Http, Request};
use behalf::egress::names::{FixedNames, Names};
use behalf::foundation::clock::Clock;
use behalf::store::durable::engine::{Database, StoreError};
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use url::Url;

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan, RP1_SECRET};
use crate::house::lying_idp::LyingIdp;
use crate::house::ports::free_port;
use crate::house::postgres;
use crate::house::smtp::Sink;
use crate::house::visitor::{Answer, Visitor};

/// What browsers accept when they go to an address.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const FORM: &str = "application/x-www-form-urlencoded";

async fn sends(
    house: &House,
    method: Method,
    path: &str,
    dress: impl FnOnce(RequestBuilder) -> RequestBuilder,
) -> Answer {
    Visitor::arrives().request(method, &format!("{}{path}", house.url), dress).await
}

async fn browses(house: &House, path: &str) -> Answer {
    sends(house, Method::GET, path, |request| request.header(ACCEPT, BROWSER)).await
}

fn is_page(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}: {}", answer.url, answer.body);
    assert!(answer.header("content-type").unwrap_or_default().starts_with("text/html"), "{answer:?}");
    assert!(answer.body.contains(text), "{}: {}", answer.url, answer.body);
}

fn is_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}: {}", answer.url, answer.body);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    assert_eq!(answer.json()["code"], json!(code));
}

#[tokio::test]
async fn a_tab_that_is_opened_again_leads_back_to_the_page_of_the_flow() {
    let house = House::opens().await;
    let mut ann = Visitor::arrives();
    let page = ann.get(&Application::rp1(&house).asks().url()).await;
    let form = page.form_with("email").with("email", "nonsense");
    let again = ann.submit(&form).await;
    assert_eq!(again.status, 422);
    let flow = form.action.path().strip_suffix("/identify").unwrap().to_owned();
    for step in ["identify", "organization", "restart", "cancel"] {
        let answer = ann.get(&format!("{}{flow}/{step}", house.url)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.location().unwrap().path()),
            (303, flow.as_str()),
            "{step}"
        );
        assert!(ann.follow(&answer).await.forms().iter().any(|form| form.value("email").is_some()), "{step}");
    }
    is_page(&browses(&house, "/login/%2f%2fevil.test/identify").await, 403, "Please start again");
}

#[tokio::test]
async fn the_bare_address_says_what_it_is_for_and_nothing_of_whom_it_serves() {
    let house = House::opens().await;
    let answer = browses(&house, "/").await;
    is_page(&answer, 200, "People sign in here");
    let body = answer.body.replace("&#x2f;", "/");
    assert!(body.contains("\"/.well-known/openid-configuration\""), "{body}");
    for name in ["Corporation", "org-a", "a.test", "rp1", "Login"] {
        assert!(!answer.body.contains(name), "{name}: {}", answer.body);
    }
    is_page(&browses(&house, "/p/nobody/").await, 404, "There is nothing here");
}

#[tokio::test]
async fn what_is_not_there_is_a_page_for_people_and_a_problem_for_programs() {
    let house = House::opens().await;
    for path in ["/nothing", "/login", "/p/nobody/authorize"] {
        is_page(&browses(&house, path).await, 404, "There is nothing here");
        is_problem(&sends(&house, Method::GET, path, |request| request).await, 404, "not_found");
    }
    let german = browses(&house, "/nothing?ui_locales=de").await;
    is_page(&german, 404, "Hier ist nichts");
    let wrong = |accept: &'static str| {
        sends(&house, Method::DELETE, "/authorize", move |request| request.header(ACCEPT, accept))
    };
    is_page(&wrong(BROWSER).await, 405, "We could not read this request");
    is_problem(&wrong("*/*").await, 405, "method_not_allowed");
}

#[tokio::test]
async fn c24_by_another_name_people_are_told_the_right_one() {
    let house = House::opens().await;
    let port = house.broker.config.server.listen.port();
    let called = |accept: &'static str| {
        sends(&house, Method::GET, "/", move |request| {
            request.header(HOST, format!("localhost:{port}")).header(ACCEPT, accept)
        })
    };
    let page = called(BROWSER).await;
    is_page(&page, 421, "This is not our address");
    let body = page.body.replace("&#x2f;", "/");
    assert!(body.contains(&format!("href=\"{}/\"", house.url)), "{body}");
    is_problem(&called("*/*").await, 421, "misdirected_request");
}

#[tokio::test]
async fn a_failure_of_ours_is_a_page_for_people_even_where_nothing_can_be_read() {
    let house = House::opens().await;
    house.execute("ALTER TABLE projects RENAME TO hidden").await;
    for path in ["/authorize", "/logout", "/", "/login/x/identify", "/nothing"] {
        let answer = browses(&house, path).await;
        is_page(&answer, 500, "Something went wrong on our side");
        assert!(answer.body.contains(answer.header("x-request-id").unwrap()), "{}", answer.body);
    }
    is_problem(&sends(&house, Method::GET, "/authorize", |request| request).await, 500, "server_error");
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_a_page_for_people() {
    let house = House::opens().await;
    for (path, kind) in [
        ("/authorize?client_id=rp1", FORM),
        ("/authorize", "application/json"),
        ("/authorize", "multipart/form-data; boundary=x"),
        ("/login/x/identify", "text/plain"),
        ("/logout", "text/plain"),
    ] {
        let post = |accept: &'static str| {
            sends(&house, Method::POST, path, move |request| {
                request.header(ACCEPT, accept).header(CONTENT_TYPE, kind).body("x=1")
            })
        };
        is_page(&post(BROWSER).await, 400, "We could not read this request");
        assert_eq!(post("*/*").await.json()["error"], json!("invalid_request"), "{path} {kind}");
    }
    // Some programs say that they accept HTML, and still speak the protocol.
    let token = sends(&house, Method::POST, "/token", |request| {
        request.header(ACCEPT, "text/html, image/gif, */*; q=.2").header(CONTENT_TYPE, "text/plain").body("x")
    });
    assert_eq!(token.await.json()["error"], json!("invalid_request"));
}

#[tokio::test]
async fn early_error_pages_speak_the_language_that_the_application_wishes() {
    let house = House::opens().await;
    for query in [
        "client_id=nobody&ui_locales=de",
        "client_id=rp1&redirect_uri=https%3A%2F%2Fevil.test&ui_locales=fr+de",
        "client_id=rp1&client_id=rp1&ui_locales=de",
        "%ff&ui_locales=de",
    ] {
        let answer = browses(&house, &format!("/authorize?{query}")).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("<html lang=\"de\""), "{query}: {}", answer.body);
    }
    let posted = sends(&house, Method::POST, "/authorize", |request| {
        request.header(CONTENT_TYPE, FORM).body("client_id=nobody&ui_locales=de")
    });
    assert!(posted.await.body.contains("<html lang=\"de\""));
}

#[tokio::test]
async fn a_connection_that_leads_nowhere_is_told_to_the_application() {
    const DRAFT: &str = r#"
[connection.draft]
organization = "org-a"
issuer = "{idp_a}"
client_id = "behalf"
client_secret = { env = "CA_SECRET" }
state = "draft"
"#;
    let house = Plan::default().and(DRAFT).build().await;
    let ask = Application::rp1(&house).asks();
    let mut told = Vec::new();
    for name in ["nobody", "draft", "conn_00000000000000000000000000"] {
        let before = house.before().await;
        let answer = Visitor::arrives().get(&ask.clone().with("connection", name).url()).await;
        let to = answer.location().unwrap_or_else(|| panic!("{name}: {}", answer.body));
        assert_eq!(to.host_str(), Some("rp1.test"), "{to}");
        house.refused(&before, "connection_not_allowed").await;
        told.push(to.query_pairs().into_owned().collect::<std::collections::BTreeMap<_, _>>());
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    assert_eq!((told[0]["error"].as_str(), told[0]["iss"].as_str()), ("invalid_request", house.url.as_str()));
    assert!(told[0]["error_description"].contains("connection"), "{told:?}");
    assert_eq!(told[0]["state"], ask.value("state").unwrap());
}

#[tokio::test]
async fn the_audit_trail_names_the_application_that_somebody_claimed_to_be() {
    let house = House::opens().await;
    let claimed = |detail: &serde_json::Value| detail["client_id"].as_str().unwrap_or_default().to_owned();
    let before = house.before().await;
    let asks = async |client_id: &str| {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("client_id", client_id).finish();
        browses(&house, &format!("/authorize?{query}")).await;
    };
    asks("nobody\u{202e}\n").await;
    let events = house.events_since(&before).await;
    assert_eq!(events[0].reason.as_deref(), Some("unknown_application"));
    assert_eq!(claimed(&events[0].detail), "nobody");
    // What is longer than any name that we do not know may be a secret in the wrong place: it would stay there for good.
    let before = house.before().await;
    asks(RP1_SECRET).await;
    let basic = |text: String| format!("Basic {}", data_encoding::BASE64.encode(text.as_bytes()));
    let swapped = basic(format!("{RP1_SECRET}:rp1"));
    sends(&house, Method::POST, "/token", |request| {
        request.header("Authorization", &swapped).header(CONTENT_TYPE, FORM).body("grant_type=refresh_token")
    })
    .await;
    let twice = format!("grant_type=refresh_token&{RP1_SECRET}=a&{RP1_SECRET}=b");
    let told = sends(&house, Method::POST, "/token", |request| {
        request.header(CONTENT_TYPE, FORM).body(twice.clone())
    })
    .await;
    assert!(!told.body.contains(&RP1_SECRET[..20]), "{}", told.body);
    let events = house.events_since(&before).await;
    assert_eq!(events.len(), 3);
    for event in events {
        assert!(!event.detail.to_string().contains(&RP1_SECRET[..20]), "{}", event.detail);
    }

    for (authorization, body) in [
        (Some("Basic cnAxOndyb25n"), "grant_type=authorization_code&code=x"),
        (None, "grant_type=authorization_code&code=x&client_id=rp1&client_secret=wrong"),
        (None, "grant_type=authorization_code&code=x&client_id=rp1&client_secret=a&client_assertion=b"),
    ] {
        let before = house.before().await;
        sends(&house, Method::POST, "/token", |mut request| {
            if let Some(value) = authorization {
                request = request.header("Authorization", value);
            }
            request.header(CONTENT_TYPE, FORM).body(body)
        })
        .await;
        let events = house.events_since(&before).await;
        assert_eq!(
            (events[0].action.as_str(), claimed(&events[0].detail).as_str()),
            ("token.refused", "rp1")
        );
        assert!(!events[0].detail.to_string().contains("wrong"));
    }
}

#[tokio::test]
async fn methods_are_told_as_they_are_and_head_does_nothing() {
    let house = House::opens().await;
    let path = |url: String| Url::parse(&url).unwrap().as_str()[house.url.len()..].to_owned();
    let authorize = path(Application::rp1(&house).asks().url());
    let back = path(Person::new("ann@a.test").is_sent_back(&Application::rp1(&house).asks()).await.into());
    let before = house.before().await;
    for (door, allowed) in [(authorize.as_str(), "GET,POST"), (back.as_str(), "GET"), ("/login/x", "GET")] {
        for method in [Method::HEAD, Method::OPTIONS, Method::DELETE] {
            let answer = sends(&house, method.clone(), door, |request| request).await;
            let expected = if method == Method::OPTIONS { 204 } else { 405 };
            assert_eq!(answer.status.as_u16(), expected, "{method} {door}");
            assert_eq!(answer.header(ALLOW.as_str()), Some(allowed), "{method} {door}");
        }
    }
    for (door, allowed) in [("/token", "POST"), ("/jwks.json", "GET,HEAD"), ("/logout", "GET,POST")] {
        let answer = sends(&house, Method::OPTIONS, door, |request| request).await;
        assert_eq!((answer.status.as_u16(), answer.header(ALLOW.as_str())), (204, Some(allowed)), "{door}");
    }
    house.unchanged(&before).await;
    assert!(house.events_since(&before).await.is_empty());
}

#[tokio::test]
async fn m10_headers_may_be_so_long_in_all() {
    let house = House::opens().await;
    let with = |length: usize| {
        sends(&house, Method::GET, "/jwks.json", move |request| request.header("x-long", "x".repeat(length)))
    };
    assert_eq!(with(39_000).await.status, 200);
    assert_eq!(with(42_000).await.status, 431);
    assert_eq!(with(60_000).await.status, 431);
}

#[tokio::test]
async fn m25_metrics_are_not_read_through_a_proxy_or_by_the_name_that_people_use() {
    let settings = |config: &mut config::Config| {
        config.server.public_url = Some("https://login.example.test".parse().unwrap());
    };
    let house = Plan { settings, ..Plan::default() }.build().await;
    let url = format!("http://{}/metrics", house.broker.config.server.listen);
    let asks = |name: &'static str, value: &'static str| {
        let url = url.clone();
        async move {
            let dress = |request: RequestBuilder| request.header(name, value);
            Visitor::arrives().request(Method::GET, &url, dress).await.status.as_u16()
        }
    };
    assert_eq!(asks("x-nothing", "x").await, 200);
    assert_eq!(asks("host", "localhost").await, 200);
    for name in ["login.example.test", "LOGIN.example.test:443", "anything.test"] {
        assert_eq!(asks("host", name).await, 404, "{name}");
    }
    // A project's path leads to nobody who watches: whatever closes the door must not be gone around.
    for path in ["/p/default/metrics", "/p/zzz/metrics", "/p/zzz/healthz", "/p/default/readyz"] {
        let around = format!("http://{}{path}", house.broker.config.server.listen);
        assert_ne!(
            Visitor::arrives().request(Method::GET, &around, |request| request).await.status,
            200,
            "{path}"
        );
    }
    for mark in ["x-real-ip", "via", "x-forwarded-proto", "x-forwarded-host"] {
        assert_eq!(asks(mark, "x").await, 404, "{mark}");
    }
}

/// What the operator and what a customer is told of a request to this address.
async fn explained(http: &Http, url: &str) -> (String, String) {
    let error = http.send(Request::get(url.parse().unwrap())).await.unwrap_err();
    (error.explained(), error.to_string())
}

#[tokio::test]
async fn c27_the_operator_learns_why_an_address_cannot_be_used_and_nobody_else() {
    let house = Plan { tls: true, ..Plan::default() }.build().await;
    let plain = House::opens().await;
    let here = "127.0.0.1".parse().unwrap();
    let names = FixedNames::default().with("other.test", &[here]);
    let open = Guard { plain_http: true, any_port: true, ports: Vec::new(), loopback: true };
    let http = Http::guarded(&config::Egress::default(), open, Names::Fixed(names)).unwrap();
    let strict = Http::new(&config::Egress::default()).unwrap();
    let port = house.broker.config.server.listen.port();
    for (http, url, expected) in [
        (&http, format!("https://127.0.0.1:{}/", free_port()), "refused"),
        (&http, "https://nobody.test/".to_owned(), "cannot be resolved"),
        (&http, plain.url.replace("http:", "https:"), "does not speak TLS"),
        (&http, house.url.clone(), "egress.extra_ca"),
        (&strict, format!("https://idp.test:{port}/"), &format!("port {port} is not among egress.ports")),
        (&strict, "http://idp.test/".to_owned(), "must be https"),
        (&strict, "https://10.0.0.1/".to_owned(), "not on the public internet"),
    ] {
        let (operator, others) = explained(http, &url).await;
        assert!(operator.contains(expected), "{url}: {operator}");
        assert_eq!(others, "the address could not be used", "{url}");
    }
}

fn behalf(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_behalf"));
    command.current_dir(folder).args(arguments).env_clear().envs(environment.iter().copied());
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Starts the server where it cannot start; what it says of that.
fn fails_to_start(folder: &Path, environment: &[(&str, &str)]) -> String {
    let output = behalf(folder, &["serve"], environment);
    assert!(!output.status.success(), "{}", told(&output));
    told(&output)
}

#[test]
fn a_start_that_fails_names_what_it_fails_on() {
    let room = tempfile::tempdir().unwrap();
    let folder = room.path();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = fails_to_start(folder, &[("BEHALF_LISTEN", &address)]);
    assert!(said.contains(&address) && said.contains("in use"), "{said}");

    std::fs::write(folder.join("not.db"), "this is no database, but long enough to be looked at ".repeat(40))
        .unwrap();
    let said = fails_to_start(folder, &[("BEHALF_DATABASE_URL", "sqlite:not.db")]);
    assert!(said.contains("database.url: ") && said.contains("not.db: "), "{said}");
    assert!(said.contains("not a database"), "{said}");

    let said = fails_to_start(folder, &[("BEHALF_DATABASE_URL", "sqlite:gone/behalf.db")]);
    assert!(said.contains("database.url: ") && said.contains("gone/behalf.db"), "{said}");

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = fails_to_start(folder, &[("BEHALF_DATABASE_URL", &format!("postgres://ann@{closed}/behalf"))]);
    assert!(said.contains("database.url: the database is not available: "), "{said}");

    let environment = [("BEHALF_LISTEN", "127.0.0.1:0"), ("BEHALF_PAGES_TEMPLATES", "gone")];
    let said = fails_to_start(folder, &environment);
    assert!(said.contains("pages.templates: ") && said.contains("gone"), "{said}");

    for (name, text) in
        [("empty.pem", ""), ("some.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
    for (certificate, key, expected) in [
        ("gone.crt", "empty.pem", "server.tls_certificate: gone.crt: "),
        ("empty.pem", "empty.pem", "server.tls_certificate: empty.pem: holds no certificate"),
        ("some.crt", "empty.pem", "server.tls_key: empty.pem: holds no private key"),
    ] {
        let environment = [
            ("BEHALF_LISTEN", "127.0.0.1:0"),
            ("BEHALF_SERVER_TLS_CERTIFICATE", certificate),
            ("BEHALF_SERVER_TLS_KEY", key),
        ];
        let said = fails_to_start(folder, &environment);
        assert!(said.contains(expected), "{said}");
        let checked = told(&behalf(folder, &["check"], &environment));
        assert!(checked.contains(expected), "{checked}");
    }
}

#[tokio::test]
async fn check_greets_the_mail_server_and_sends_nothing() {
    let (room, mut sink) = (tempfile::tempdir().unwrap(), Sink::opens().await);
    let port = sink.port.to_string();
    let environment = [
        ("BEHALF_LISTEN", "127.0.0.1:0"),
        ("BEHALF_MAIL_SERVER", "127.0.0.1"),
        ("BEHALF_MAIL_PORT", &port),
        ("BEHALF_MAIL_SECURITY", "none"),
        ("BEHALF_MAIL_FROM", "no-reply@acme.test"),
    ];
    let checked = behalf(room.path(), &["check"], &environment);
    let said = told(&checked);
    assert!(checked.status.success() && said.contains("✓ mail: 127.0.0.1:"), "{said}");
    assert_eq!((sink.seen().await, sink.mails().await.len()), (1, 0));
    sink.closes().await;
    let checked = behalf(room.path(), &["check"], &environment);
    assert!(!checked.status.success() && told(&checked).contains("✗ mail: 127.0.0.1:"), "{}", told(&checked));
    let secured = environment
        .map(|(name, value)| if name == "BEHALF_MAIL_SECURITY" { (name, "starttls") } else { (name, value) });
    sink.reopens().await;
    let checked = behalf(room.path(), &["check"], &secured);
    assert!(told(&checked).contains("STARTTLS is not supported"), "{}", told(&checked));
}

#[tokio::test]
async fn h11_no_command_writes_where_the_databases_clock_is_another_one() {
    let (room, database) = (tempfile::tempdir().unwrap(), postgres::Database::empty().await);
    let url = database.url();
    let environment = [("BEHALF_DATABASE_URL", url.as_str())];
    let runs = |arguments: &[&str]| behalf(room.path(), arguments, &environment);
    std::fs::write(room.path().join("house.toml"), "[organization.a]\n").unwrap();
    assert!(runs(&["apply", "house.toml"]).status.success());
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let organizations = async || -> i64 {
        client.query_one("SELECT COUNT(*) FROM public.organizations", &[]).await.unwrap().get(0)
    };
    // Its clock is a minute ahead.
    let name = url.rsplit('/').next().unwrap();
    let ahead = format!(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS 'SELECT pg_catalog.clock_timestamp() + INTERVAL ''1 minute''';
         ALTER DATABASE {name} SET search_path = public, pg_catalog"
    );
    client.batch_execute(&ahead).await.unwrap();
    std::fs::write(room.path().join("house.toml"), "[organization.a]\n[organization.b]\n").unwrap();
    for writes in [
        ["apply", "house.toml"].as_slice(),
        &["key", "rotate"],
        &["key", "rotate", "--saml"],
        &["token", "create", "--name", "x", "--role", "system"],
    ] {
        let output = runs(writes);
        assert!(!output.status.success(), "{writes:?}: {}", told(&output));
        assert!(told(&output).contains("clock of the database is 60"), "{writes:?}: {}", told(&output));
    }
    assert_eq!(organizations().await, 1);
    for looks in [["apply", "house.toml", "--plan"].as_slice(), &["key", "list"], &["token", "list"]] {
        let output = runs(looks);
        assert!(output.status.success(), "{looks:?}: {}", told(&output));
    }
    let back = format!("ALTER DATABASE {name} RESET search_path");
    client.batch_execute(&back).await.unwrap();
    assert!(runs(&["apply", "house.toml"]).status.success());
    assert_eq!(organizations().await, 2);
}

#[test]
fn a_sqlite_file_has_one_server_and_other_commands_beside_it() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("behalf.db");
    let settings = config::Database { url: format!("sqlite:{}", path.display()), ..Default::default() };
    let first = Database::only_server(&settings).unwrap();
    assert!(first.is_some());
    let again = Database::only_server(&settings).unwrap_err();
    assert_eq!(again, StoreError::Served { path: path.clone() });
    let environment = [("BEHALF_LISTEN", "127.0.0.1:0"), ("BEHALF_DATABASE_URL", settings.url.as_str())];
    let said = fails_to_start(room.path(), &environment);
    assert!(said.contains("behalf.db is served by another"), "{said}");
    std::fs::write(room.path().join("house.toml"), "[organization.a]\n").unwrap();
    for arguments in [["apply", "house.toml"].as_slice(), &["key", "list"], &["check"]] {
        let output = behalf(room.path(), arguments, &environment);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    }
    drop(first);
    assert!(Database::only_server(&settings).is_ok());
    let postgres = config::Database { url: "postgres://db.test/x".into(), ..Default::default() };
    assert!(Database::only_server(&postgres).unwrap().is_none());
}

#[test]
fn a_mistake_in_a_house_file_is_told_once_and_truly() {
    let room = tempfile::tempdir().unwrap();
    for (text, expected) in [
        (
            "[connection.c]\nissuer = \"https://c.test\"\nclient_id = \"x\"\nclient_secret = { env = \"GONE\" }\n",
            "4:17: the environment variable GONE is not set",
        ),
        (
            "[application.a]\nclient_secrets = [\n  { file = \"gone\" },\n]\nredirect_uris = [\"https://a.test/\"]\n",
            "3:3: the file gone cannot be read: there is no such file",
        ),
        ("[application.a]\ntype = \"wbe\"\n", "2:8: must be one of web, spa, native"),
        ("[organization.a\ndisplay_name = \"A\"\n[organization.b]\ndisplay_name = \"B\"\n", "1:"),
    ] {
        std::fs::write(room.path().join("house.toml"), text).unwrap();
        let output = behalf(room.path(), &["apply", "house.toml"], &[]);
        let said = told(&output);
        let faults: Vec<_> = said.lines().filter(|line| line.starts_with("house.toml:")).collect();
        assert_eq!(faults.len(), 1, "{said}");
        assert!(faults[0].starts_with(&format!("house.toml:{expected}")), "{said}");
    }
}

#[test]
fn c27_metadata_that_cannot_be_had_is_told_with_the_reason() {
    let room = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, environment, why) in [
        ("https://idp.invalid/metadata".to_owned(), [].as_slice(), "the name of its host cannot be resolved"),
        (
            format!("http://{closed}/metadata"),
            &[("BEHALF_EGRESS_ALLOW_LOOPBACK_AND_HTTP", "true")],
            "no connection: ",
        ),
    ] {
        let file = format!(
            "[organization.a]\n[connection.a]\ntype = \"saml\"\norganization = \"a\"\nmetadata_url = \"{url}\"\n"
        );
        std::fs::write(room.path().join("house.toml"), file).unwrap();
        let output = behalf(room.path(), &["apply", "house.toml"], environment);
        let expected = format!("house.toml:5:16: {url} cannot be had: {why}");
        assert!(!output.status.success() && told(&output).contains(&expected), "{}", told(&output));
    }
}

#[tokio::test]
async fn c27_a_connection_at_another_port_is_refused_with_the_port_until_the_operator_allows_it() {
    const FILE: &str = r#"
[organization.a]
[connection.a]
organization = "a"
state = "draft"
issuer = "https://idp.test:8443"
client_id = "x"
token_endpoint_auth_method = "none"
"#;
    let room = tempfile::tempdir().unwrap();
    std::fs::write(room.path().join("house.toml"), FILE).unwrap();
    let refused = behalf(room.path(), &["apply", "house.toml"], &[]);
    assert!(
        !refused.status.success() && told(&refused).contains("port 8443 is not among egress.ports"),
        "{}",
        told(&refused)
    );
    let allowed = behalf(room.path(), &["apply", "house.toml"], &[("BEHALF_EGRESS_PORTS", "443,8443")]);
    assert!(allowed.status.success(), "{}", told(&allowed));
}

#[test]
fn m03_c27_an_application_is_never_told_at_an_address_that_nobody_may_ask_and_the_operator_hears_of_it() {
    let file = |address: &str| {
        format!(
            "[application.crm]\ntype = \"spa\"\nredirect_uris = [\"https://crm.test/callback\"]\n\
             backchannel_logout_uri = \"{address}\"\n"
        )
    };
    let room = tempfile::tempdir().unwrap();
    let applies = |address: &str, ports: &str| {
        std::fs::write(room.path().join("house.toml"), file(address)).unwrap();
        behalf(room.path(), &["apply", "house.toml"], &[("BEHALF_EGRESS_PORTS", ports)])
    };
    for (address, why) in [
        ("https://crm.test:8443/told", "port 8443 is not among egress.ports"),
        ("http://127.0.0.1:3000/told", "it must be https"),
        ("https://10.0.0.5/told", "not on the public internet"),
        ("https://[::1]/told", "not on the public internet"),
    ] {
        let refused = applies(address, "443");
        let said = told(&refused);
        assert!(!refused.status.success() && said.contains("house.toml:4:"), "{address}: {said}");
        assert!(said.contains(why) && said.contains("Nothing was changed."), "{address}: {said}");
    }
    // What was let in by other settings, and what a name leads to, is told by check.
    for (address, ports, why) in [
        ("https://crm.test:8443/told", "443,8443", "port 8443 is not among egress.ports"),
        ("https://localhost/told", "443", "not on the public internet"),
    ] {
        let applied = applies(address, ports);
        assert!(applied.status.success(), "{}", told(&applied));
        let checked = behalf(room.path(), &["check"], &[("BEHALF_EGRESS_PORTS", "443")]);
        let said = told(&checked);
        let begins = format!("✗ application crm: its backchannel_logout_uri {address} is never asked: ");
        let line = said.lines().find(|line| line.starts_with(&begins)).unwrap_or_default();
        assert!(!checked.status.success() && line.contains(why), "{address}: {said}");
        assert!(!said.contains("✓ application crm"), "{said}");
    }
}

#[test]
fn a_misspelt_template_is_told_by_check() {
    let room = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(room.path().join("own/login")).unwrap();
    std::fs::write(room.path().join("own/login/emial.html"), "x").unwrap();
    let output = behalf(room.path(), &["check"], &[("BEHALF_PAGES_TEMPLATES", "own")]);
    assert!(
        !output.status.success() && told(&output).contains("did you mean login/email.html?"),
        "{}",
        told(&output)
    );
}

#[test]
fn the_demo_takes_no_settings_instead_of_ignoring_them() {
    let room = tempfile::tempdir().unwrap();
    std::fs::write(room.path().join("broken.toml"), "[server\n").unwrap();
    let output = behalf(room.path(), &["demo", "--headless", "-c", "broken.toml"], &[]);
    assert!(!output.status.success() && told(&output).contains("settings of its own"), "{}", told(&output));
}

/// A PNG of one pixel.
const RED: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\xdac\xf8\xcf\xc0\0\0\x03\x01\x01\0\xf7\x03AC\0\0\0\0IEND\xaeB`\x82";

/// A server of pictures and others.
async fn gallery() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/logo.png", get(|| async { RED.to_vec() }))
        .route("/logo.svg", get(|| async { "<svg xmlns='http://www.w3.org/2000/svg'/>" }));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logo_that_cannot_be_shown_is_told_by_check_with_the_reason() {
    let room = tempfile::tempdir().unwrap();
    let file = format!(
        "[project]\nbrand = {{ logo_uri = \"https://127.0.0.1:{}/logo.png\" }}\n[organization.good]\n\
         [organization.old]\n[organization.none]\n",
        free_port()
    );
    std::fs::write(room.path().join("house.toml"), file).unwrap();
    let environment = [("BEHALF_EGRESS_ALLOW_LOOPBACK_AND_HTTP", "true")];
    let applied = behalf(room.path(), &["apply", "house.toml"], &environment);
    assert!(applied.status.success(), "{}", told(&applied));
    let gallery = gallery().await;
    let database = rusqlite::Connection::open(room.path().join("behalf.db")).unwrap();
    for (slug, file) in [("good", "logo.png"), ("old", "logo.svg")] {
        let sql = format!("UPDATE organizations SET logo_uri = '{gallery}/{file}' WHERE slug = '{slug}'");
        assert_eq!(database.execute(&sql, []).unwrap(), 1);
    }
    let checked = behalf(room.path(), &["check"], &environment);
    let said = told(&checked);
    // Nobody is kept from signing in.
    assert!(checked.status.success(), "{said}");
    let lines: Vec<_> = said.lines().filter(|line| line.contains("logo of")).collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (start, end) in [
        ("! logo of project default: https://127.0.0.1:", "; people see the mark of Behalf instead"),
        ("✓ logo of organization good: ", " bytes as it is shown"),
        (
            "! logo of organization old: ",
            "(an SVG is a document, and never shown); people see the initials instead",
        ),
    ] {
        assert!(lines.iter().any(|line| line.starts_with(start) && line.ends_with(end)), "{start}: {said}");
    }
    assert!(lines[0].contains("/logo.png cannot be shown: no connection: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_check_judges_what_a_provider_says_of_itself_as_a_login_does() {
    let idp = LyingIdp::opens(Clock::System).await;
    let room = tempfile::tempdir().unwrap();
    let file = format!(
        "[organization.a]\n[connection.a]\norganization = \"a\"\nissuer = \"{}\"\nclient_id = \"x\"\n\
         token_endpoint_auth_method = \"none\"\n",
        idp.issuer
    );
    std::fs::write(room.path().join("house.toml"), file).unwrap();
    let environment = [("BEHALF_EGRESS_ALLOW_LOOPBACK_AND_HTTP", "true")];
    let applied = behalf(room.path(), &["apply", "house.toml"], &environment);
    assert!(applied.status.success(), "{}", told(&applied));
    let checked = told(&behalf(room.path(), &["check"], &environment));
    assert!(
        checked.contains("✓ connection a: the provider says its issuer; its keys are at http"),
        "{checked}"
    );
    let of = |path: &str| json!(format!("{}{path}", idp.issuer));
    for (name, lie, truth, expected) in [
        (
            "authorization_endpoint",
            "javascript:alert(1)",
            "/authorize",
            "its authorization_endpoint javascript:alert(1) may not be used: it must be https",
        ),
        (
            "authorization_endpoint",
            "https://idp.test/authorize#x",
            "/authorize",
            "its authorization_endpoint https://idp.test/authorize#x has a fragment, ",
        ),
        (
            "token_endpoint",
            "http://169.254.169.254:9113/x",
            "/token",
            "its token_endpoint http://169.254.169.254:9113/x may not be used: ",
        ),
        ("jwks_uri", "https://10.0.0.1/", "/jwks", "its jwks_uri https://10.0.0.1/ may not be used: "),
        ("token_endpoint", "nothing", "/token", "no discovery document: it lacks issuer, "),
        ("issuer", "https://idp.test", "", "its issuer is \"https://idp.test\", not \"http"),
    ] {
        idp.discovery(name, json!(lie));
        let checked = behalf(room.path(), &["check"], &environment);
        let said = told(&checked);
        let line = said.lines().find(|line| line.starts_with("✗ connection a: ")).unwrap_or_default();
        assert!(!checked.status.success() && line.contains(expected), "{expected}: {said}");
        idp.discovery(name, of(truth));
    }
    idp.discovery("userinfo_endpoint", json!("http://10.0.0.1/me"));
    let said = told(&behalf(room.path(), &["check"], &environment));
    assert!(
        said.contains("! connection a: its userinfo_endpoint http://10.0.0.1/me may not be used: "),
        "{said}"
    );
}

#[tokio::test]
async fn the_chooser_is_in_the_order_of_names() {
    let connection = |slug: &str, name: &str| {
        format!(
            "\n[connection.{slug}]\norganization = \"org-a\"\nissuer = \"{{idp_a}}\"\nclient_id = \"behalf\"\n\
             display_name = \"{name}\"\nclient_secret = {{ env = \"CA_SECRET\" }}\n"
        )
    };
    let names = [("n1", "Zeta"), ("n2", "alpha"), ("n3", "Émile"), ("n4", "Beta"), ("n5", "beta gamma")];
    let all: String = names.iter().map(|(slug, name)| connection(slug, name)).collect();
    let house = Plan::default()
        .with("connections = [\"ca\"]", "connections = [\"n1\", \"ca\", \"n2\", \"n3\", \"n4\", \"n5\"]")
        .and(&all)
        .build()
        .await;
    let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
    let page = Visitor::arrives().get(&ask.url()).await;
    let expected = ["A Login", "alpha", "Beta", "beta gamma", "Zeta", "Émile"];
    let places: Vec<_> = expected.iter().map(|name| page.body.find(&format!("{name}</"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {}", page.body);
}

#[tokio::test]
async fn a_failure_of_ours_has_the_protocol_s_own_word_where_applications_speak_it() {
    let house = House::opens().await;
    house.execute("ALTER TABLE projects RENAME TO hidden").await;
    for (method, path) in [
        (Method::POST, "/par"),
        (Method::POST, "/token"),
        (Method::POST, "/revoke"),
        (Method::POST, "/introspect"),
        (Method::POST, "/device_authorization"),
        (Method::GET, "/userinfo"),
        (Method::POST, "/userinfo"),
    ] {
        let answer = sends(&house, method, path, |request| {
            request.header(CONTENT_TYPE, FORM).body("grant_type=authorization_code")
        })
        .await;
        assert_eq!(answer.status, 500, "{path}: {}", answer.body);
        assert_eq!(answer.json()["error"], json!("server_error"), "{path}: {}", answer.body);
        assert!(answer.body.contains(answer.header("x-request-id").unwrap()), "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}
