//! M16 and M25: what every answer says with it, and what no answer tells.

use behalf::config::Config;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Door;
use crate::house::visitor::{Answer, Visitor};

async fn asks(house: &House, method: Method, path: &str, origin: Option<&str>) -> Answer {
    let url = format!("{}{path}", house.url);
    Visitor::arrives()
        .request(method, &url, |request| match origin {
            Some(origin) => request.header("Origin", origin),
            None => request,
        })
        .await
}

#[tokio::test]
async fn m16_every_answer_of_every_door_is_dressed() {
    let house = House::opens().await;
    let doors = [
        "/authorize",
        "/login/x",
        "/login/x/organizations",
        "/oidc/x/callback",
        "/logout",
        "/par",
        "/token",
        "/revoke",
        "/introspect",
        "/device_authorization",
        "/device",
        "/userinfo",
        "/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/assets/nothing",
        "/assets/logo/x",
        "/assets/brand/x.css",
        "/healthz",
        "/readyz",
        "/metrics",
        "/nothing",
        "/p/nobody/authorize",
    ];
    for path in doors {
        for method in [Method::GET, Method::POST, Method::OPTIONS, Method::DELETE, Method::TRACE] {
            let answer = asks(&house, method.clone(), path, Some("https://evil.test")).await;
            let what = format!("{method} {path}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{what}");
            }
            assert!(
                answer.header("permissions-policy").is_some() && answer.header("x-request-id").is_some(),
                "{what}"
            );
            for leak in ["server", "x-powered-by", "access-control-allow-credentials"] {
                assert_eq!(answer.header(leak), None, "{what}");
            }
            assert_eq!(answer.header("strict-transport-security"), None, "{what}: not over plain http");
            let kind = answer.header("content-type").unwrap_or_default();
            if kind.starts_with("text/html") {
                let policy = answer.header("content-security-policy").unwrap_or_default();
                assert!(
                    policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                    "{what}"
                );
                assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{what}");
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
            }
            // Everybody may read what is published, and nothing else.
            let published = path.starts_with("/.well-known/") || path == "/jwks.json";
            let open = answer.header("access-control-allow-origin");
            assert_eq!(open, (published && method == Method::GET).then_some("*"), "{what}");
            if answer.status.is_client_error() || answer.status.is_server_error() {
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}: {:?}", answer.headers);
            }
        }
    }
}

#[tokio::test]
async fn m16_who_posts_is_sent_on_by_get_and_nothing_of_a_login_is_cached() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Visitor::arrives();
    let page = ann.get(&rp1.asks().url()).await;
    let mut answer = ann.submit(&page.form_with("email").with("email", "ann@a.test")).await;
    let mut seen = vec![(page.status, page.header("cache-control").map(str::to_owned))];
    while answer.url.as_str().starts_with(&house.url) {
        seen.push((answer.status, answer.header("cache-control").map(str::to_owned)));
        let to = answer.location().unwrap();
        if to.as_str().starts_with("https://rp1.test") {
            break;
        }
        answer = ann.follow(&answer).await;
        if !answer.url.as_str().starts_with(&house.url) {
            answer = ann.follow(&answer).await;
        }
    }
    assert_eq!(seen.iter().map(|(status, _)| status.as_u16()).collect::<Vec<_>>(), [200, 303, 303]);
    assert!(seen.iter().all(|(_, cache)| cache.as_deref() == Some("no-store")), "{seen:?}");
}

#[tokio::test]
async fn m16_over_tls_the_browser_is_told_to_stay_there() {
    let settings = |config: &mut Config| {
        let port = config.server.listen.port();
        config.server.public_url = Some(format!("https://127.0.0.1:{port}").parse().unwrap());
    };
    let house = Plan { settings, ..Plan::default() }.build().await;
    let url = format!("http://{}/.well-known/openid-configuration", house.broker.config.server.listen);
    let answer = Visitor::arrives().get(&url).await;
    assert!(answer.header("strict-transport-security").unwrap().contains("max-age="));
    assert!(answer.json()["token_endpoint"].as_str().unwrap().starts_with("https://"));
}

/// Words that only somebody who reads our source or runs our machine should see.
const INSIDE: [&str; 22] = [
    "select ",
    "insert ",
    "sqlite",
    "postgres",
    "rusqlite",
    "tokio",
    "axum",
    "hyper",
    "reqwest",
    "openidconnect",
    "serde",
    "tower",
    "rustls",
    "panicked",
    "backtrace",
    ".rs:",
    "src/",
    "/tmp",
    "/home",
    "/root",
    "behalf.db",
    "no such table",
];

fn tells_nothing(answer: &Answer, what: &str) {
    assert!(!answer.status.is_success() && !answer.status.is_redirection(), "{what}: {}", answer.status);
    let body = answer.body.to_lowercase();
    for word in INSIDE {
        assert!(!body.contains(word), "{what} says {word:?}: {}", answer.body);
    }
    for (name, value) in &answer.headers {
        let value = value.to_str().unwrap().to_lowercase();
        assert!(!INSIDE.iter().any(|word| value.contains(word)), "{what}: {name}: {value}");
    }
}

#[tokio::test]
async fn m25_no_refusal_and_no_failure_shows_what_is_inside() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let ask = rp1.asks();
    let code = ann.follows(&ask).await.code();
    for path in [
        "/authorize",
        "/authorize?client_id=%00",
        "/authorize?client_id=%27%20OR%201=1--",
        "/authorize?%ff",
        "/login/x",
        "/login/..%2f..%2fetc%2fpasswd",
        "/login/flow_00000000000000000000000000",
        "/oidc/x/callback?state=x.y",
        "/oidc/%00/callback?code=x&state=%ff",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/../../Cargo.toml",
        "/assets/logo/%27",
        "/p/%27%20OR%201=1/authorize",
        "/p/..%2f/jwks.json",
        "/userinfo",
        "/par",
        "/token",
        "/revoke",
        "/introspect",
        "/device_authorization",
        "/nothing",
    ] {
        tells_nothing(&ann.browser.get(&format!("{}{path}", house.url)).await, path);
    }
    for (path, kind, body) in [
        ("/token", "application/json", "{"),
        ("/token", "application/x-www-form-urlencoded", "%ff"),
        ("/token", "application/x-www-form-urlencoded", "client_id=' OR 1=1"),
        ("/logout", "text/plain", "x"),
        ("/login/x/identify", "application/x-www-form-urlencoded", "csrf=x"),
    ] {
        let answer = ann
            .browser
            .request(Method::POST, &format!("{}{path}", house.url), |request| {
                request.header(CONTENT_TYPE, kind).body(body)
            })
            .await;
        tells_nothing(&answer, path);
    }
    for door in [Door::Status(500), Door::Body("<b>select * from tokio</b>".into()), Door::Huge(2_000_000)] {
        house.idp_a.door("/token", Some(door.clone()));
        let arrival = Person::new("ann@a.test").follows(&rp1.asks()).await;
        tells_nothing(&arrival.answer, "a provider's failure");
    }
    house.idp_a.door("/token", None);
    // The database is broken behind its back.
    let open = ann.is_sent_back(&rp1.asks().with("prompt", "login")).await;
    house.execute("ALTER TABLE sessions RENAME TO hidden").await;
    house.execute("ALTER TABLE grants RENAME TO hidden_too").await;
    let failed = [
        ann.browser.get(open.as_str()).await,
        ann.browser.get(&rp1.asks().url()).await,
        ann.browser.get(&format!("{}/logout", house.url)).await,
        ask.redemption(&code).send().await,
    ];
    for answer in &failed {
        assert_eq!(answer.status, 500, "{}: {}", answer.url, answer.body);
        tells_nothing(answer, answer.url.path());
        // There is something to quote.
        assert!(answer.body.contains(answer.header("x-request-id").unwrap()), "{}", answer.body);
    }
    house.execute("ALTER TABLE projects RENAME TO hidden_three").await;
    for path in ["/jwks.json", "/authorize", "/.well-known/openid-configuration"] {
        tells_nothing(&ann.browser.get(&format!("{}{path}", house.url)).await, path);
    }
}

/// What makes the store ignore what is written to it, and what takes that back.
fn full(engine: Engine) -> [&'static str; 2] {
    match engine {
        Engine::Sqlite => [
            "CREATE TRIGGER full_disk BEFORE INSERT ON house BEGIN SELECT RAISE(IGNORE); END",
            "DROP TRIGGER full_disk",
        ],
        Engine::Postgres => {
            ["CREATE RULE full_disk AS ON INSERT TO house DO INSTEAD NOTHING", "DROP RULE full_disk ON house"]
        }
    }
}

#[tokio::test]
async fn m25_who_cannot_write_or_sign_is_not_ready_and_trying_that_costs_little() {
    const WRITTEN: &str = "SELECT name FROM house WHERE name = 'written_at'";
    // Strangers are not told why; whoever runs this is.
    let _told = tracing::subscriber::set_default(
        tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_test_writer().finish(),
    );
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let mut anybody = Visitor::arrives();
        let mut told = async || anybody.get(&format!("{}/readyz", house.url)).await;
        assert_eq!(told().await.status, 200);
        assert_eq!(house.text(WRITTEN).await.as_deref(), Some("written_at"));
        let rows = house.count("house").await;
        // However many ask: it is tried once in a while, and the row stays one.
        house.execute("DELETE FROM house WHERE name = 'written_at'").await;
        for _ in 0..20 {
            assert_eq!(told().await.status, 200);
        }
        assert_eq!(house.text(WRITTEN).await, None);
        house.turn_clock(10);
        assert_eq!(told().await.status, 200);
        house.turn_clock(10);
        assert_eq!((told().await.status.as_u16(), house.count("house").await), (200, rows));

        let [fills, empties] = full(engine);
        house.execute(fills).await;
        house.turn_clock(10);
        for _ in 0..2 {
            let answer = told().await;
            assert_eq!((answer.status.as_u16(), answer.json()), (503, json!({ "status": "unavailable" })));
        }
        house.execute(empties).await;
        house.turn_clock(10);
        let answer = told().await;
        assert_eq!(answer.status, 200, "{engine:?}: {}", answer.body);

        // Keys that are there, and none of which signs now.
        let far = 4_000_000_000_000_i64;
        house.execute(&format!("UPDATE signing_keys SET signs_from = {far} WHERE algorithm = 'ES256'")).await;
        house.turn_clock(61);
        let answer = told().await;
        assert_eq!((answer.status.as_u16(), answer.json()), (503, json!({ "status": "unavailable" })));
        house.execute("UPDATE signing_keys SET signs_from = 0 WHERE algorithm = 'ES256'").await;
        house.turn_clock(61);
        assert_eq!(told().await.status, 200);
    }
}

#[tokio::test]
async fn m25_watchers_are_told_how_we_are_and_no_more() {
    let house = House::opens().await;
    let mut anybody = Visitor::arrives();
    let answer = anybody.get(&format!("{}/healthz", house.url)).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "status": "ok" })));
    let answer = anybody.get(&format!("{}/readyz", house.url)).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "status": "ready" })));
    house.broker.stop();
    let answer = anybody.get(&format!("{}/readyz", house.url)).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (503, json!({ "status": "stopping" })));
    let url = format!("{}/metrics", house.url);
    for (name, value) in [
        ("X-Forwarded-For", "203.0.113.7"),
        ("Forwarded", "for=203.0.113.7"),
        ("X-Forwarded-For", "127.0.0.1"),
    ] {
        let answer = anybody.request(Method::GET, &url, |request| request.header(name, value)).await;
        assert_eq!(answer.status, 404, "{name}: {value}");
    }
}
