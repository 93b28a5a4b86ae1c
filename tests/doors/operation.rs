//! Connections: how they begin, how long they may keep us waiting, and how they end when the operator stops us.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use behalf::router;
use behalf::web::templates::Templates;
use reqwest::{Client, Version};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Door;
use crate::house::visitor::{Visitor, line};

const SECOND: &str = "[project]\nslug = \"second\"\ndisplay_name = \"Second\"\n";

#[tokio::test]
async fn every_project_answers_over_http_2_and_tls_by_file() {
    let house = Plan { tls: true, ..Plan::default() }.build().await;
    house.provision(SECOND).await;
    let client = Client::builder().tls_certs_only([house.certificate()]).no_proxy().build().unwrap();
    for issuer in [house.url.clone(), format!("{}/p/second", house.url)] {
        let answer = client.get(format!("{issuer}/.well-known/openid-configuration")).send().await.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 200), "{issuer}");
        assert!(answer.headers().contains_key("strict-transport-security"));
        let document: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(document["issuer"], json!(issuer));
        let keys = client.get(document["jwks_uri"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(keys.status(), 200, "{issuer}");
    }
    let metadata = format!("{}/.well-known/oauth-authorization-server/p/second", house.url);
    assert_eq!(client.get(metadata).send().await.unwrap().status(), 200);
    // Under a name that is not ours, neither does.
    let address = house.broker.config.server.listen;
    let strangers = Client::builder().resolve("evil.test", address).tls_danger_accept_invalid_certs(true);
    let stranger = strangers.no_proxy().build().unwrap();
    for path in ["/jwks.json", "/p/second/jwks.json"] {
        let answer =
            stranger.get(format!("https://evil.test:{}{path}", address.port())).send().await.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 421), "{path}");
    }
}

async fn hurried(tls: bool) -> House {
    Plan { tls, settings: |config| config.server.header_timeout = 1, ..Plan::default() }.build().await
}

/// Sends this and then nothing more; what comes back until the connection ends.
async fn sends(house: &House, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(house.broker.config.server.listen).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    answer
}

/// RFC 9113, section 3.4, and empty SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn m10_a_connection_on_which_no_request_comes_is_closed() {
    let house = hurried(false).await;
    let begun: [&[u8]; 6] =
        [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"PRI * HT", &PREFACE[..24], PREFACE];
    futures_util::future::join_all(begun.map(|bytes| sends(&house, bytes))).await;
}

#[tokio::test]
async fn m10_a_tls_handshake_that_never_comes_is_not_waited_for() {
    let house = hurried(true).await;
    // The first is a record that announces more than it holds.
    let begun: [&[u8]; 2] = [b"\x16\x03\x01\x02\x00\x01", b""];
    let ends = begun.map(|bytes| sends(&house, bytes));
    assert!(futures_util::future::join_all(ends).await.iter().all(Vec::is_empty));
}

#[tokio::test]
async fn m10_a_connection_that_falls_silent_after_a_request_is_closed() {
    let house = hurried(false).await;
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    // GET, http, /healthz, x: a HEADERS frame that ends stream 1 (RFC 9113, section 6.2).
    let mut fields = vec![0x82, 0x86, 0x44, 8];
    fields.extend_from_slice(b"/healthz\x41\x01x");
    let mut by_two = PREFACE.to_vec();
    by_two.extend_from_slice(&[0, 0, u8::try_from(fields.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    by_two.extend(fields);
    let half = format!("{request}GET /healthz HTTP/1.1\r\n");
    let (idle, slow, silent) = tokio::join!(
        sends(&house, request.as_bytes()),
        sends(&house, half.as_bytes()),
        sends(&house, &by_two),
    );
    for answer in [&idle, &slow] {
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
    }
    let has = |frame: &[u8]| silent.windows(frame.len()).any(|window| window == frame);
    assert!(has(&[1, 4, 0, 0, 0, 1]), "the request was answered");
    assert!(has(&[0, 0, 8, 6, 0, 0, 0, 0, 0]), "and a PING was not");
}

#[tokio::test]
async fn m10_no_more_connections_than_allowed_are_served() {
    let settings = |config: &mut behalf::config::Config| config.server.max_connections = 2;
    let house = Plan { settings, ..Plan::default() }.build().await;
    let address = house.broker.config.server.listen;
    let asks = async |stream: &mut TcpStream| -> bool {
        let mut byte = [0];
        let sent = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        sent.is_ok() && stream.read_exact(&mut byte).await.is_ok()
    };
    let mut one = TcpStream::connect(address).await.unwrap();
    let mut two = TcpStream::connect(address).await.unwrap();
    assert!(asks(&mut one).await && asks(&mut two).await);
    let mut three = TcpStream::connect(address).await.unwrap();
    assert!(!asks(&mut three).await, "one too many");
    drop(one);
    loop {
        let mut next = TcpStream::connect(address).await.unwrap();
        if asks(&mut next).await {
            return;
        }
    }
}

#[tokio::test]
async fn m10_a_request_that_takes_too_long_is_given_up() {
    let settings = |config: &mut behalf::config::Config| config.server.request_timeout = 1;
    let house = Plan { settings, ..Plan::default() }.build().await;
    house.idp_a.door("/token", Some(Door::Silent));
    let ask = Application::rp1(&house).asks();
    let mut ann = Person::new("ann@a.test");
    let back = ann.is_sent_back(&ask).await;
    let before = house.before().await;
    let answer = ann.browser.get(back.as_str()).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("60")));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "like every other answer");
    assert_eq!(answer.json()["code"], "timeout");
    house.unchanged(&before).await;
}

#[tokio::test]
async fn m10_a_client_that_is_given_up_is_told_in_the_words_of_oauth() {
    let settings = |config: &mut behalf::config::Config| config.server.request_timeout = 1;
    let house = Plan { settings, ..Plan::default() }.build().await;
    let host = house.broker.config.server.listen;
    let own = house.connection("ca").await;
    let told_out = format!("/oidc/{own}/backchannel-logout");
    let doors =
        ["/token", "/par", "/revoke", "/introspect", "/device_authorization", "/p/default/token", &told_out];
    let before = house.before().await;
    // The body that is announced never comes.
    let asks = doors.map(async |door: &str| {
        let mut stream = TcpStream::connect(host).await.unwrap();
        let head = format!(
            "POST {door} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Origin: https://page.test\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (door.to_owned(), answer)
    });
    for (door, answer) in futures_util::future::join_all(asks).await {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 503"), "{door}: {answer}");
        for line in ["content-type: application/json", "cache-control: no-store", "retry-after: 60"] {
            assert!(head.contains(line), "{door} has no {line}: {answer}");
        }
        // Where pages come, they read that they are to come again.
        let is_for_pages = ["/token", "/par", "/revoke", "/p/default/token"].contains(&door.as_str());
        assert_eq!(head.contains("access-control-allow-origin: *"), is_for_pages, "{door}: {answer}");
        assert!(!head.contains("access-control-allow-credentials"), "{door}: {answer}");
        let told: Value = serde_json::from_str(body).unwrap();
        assert_eq!(told["error"], "temporarily_unavailable", "{door}");
        assert!(told["error_description"].is_string(), "{door}");
    }
    house.unchanged(&before).await;
}

async fn panics() -> &'static str {
    panic!("of no input that is known")
}

#[tokio::test]
async fn m25_a_panic_fails_its_own_request_alone_and_is_told_as_each_door_tells_a_failure() {
    let house = House::opens().await;
    let templates = Arc::new(Templates::new(None).unwrap());
    let front = router::front(&house.broker, templates);
    let mut doors = Router::new().route("/fine", any(async || "fine"));
    let of_oauth =
        ["/token", "/par", "/revoke", "/userinfo", "/introspect", "/device_authorization", "/register"];
    for path in of_oauth.into_iter().chain(["/jwks.json", "/authorize", "/api/v1/organizations", "/logout"]) {
        doors = doors.route(path, any(panics));
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}", listener.local_addr().unwrap());
    let served = router::within(doors, front);
    let server = tokio::spawn(async move { axum::serve(listener, served).await });
    let before = house.before().await;
    let asks = async |path: &str, accept: &str| {
        let url = format!("{here}{path}");
        let dress = |request: reqwest::RequestBuilder| {
            request.header("Accept", accept).header("Origin", "https://page.test")
        };
        Visitor::arrives().request(reqwest::Method::POST, &url, dress).await
    };
    for path in of_oauth {
        for accept in ["*/*", "text/html"] {
            let answer = asks(path, accept).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["error"].clone()),
                (500, json!("server_error")),
                "{path}"
            );
            let id = answer.header("x-request-id").unwrap();
            assert!(
                answer.json()["error_description"].as_str().unwrap().ends_with(id),
                "{path}: {}",
                answer.body
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            let is_for_pages = ["/token", "/par", "/revoke", "/userinfo"].contains(&path);
            assert_eq!(answer.header("access-control-allow-origin"), is_for_pages.then_some("*"), "{path}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "like every other answer");
        }
    }
    for path in ["/authorize", "/logout"] {
        let page = asks(path, "text/html").await;
        let id = page.header("x-request-id").unwrap();
        assert_eq!((page.status.as_u16(), page.body.contains(id)), (500, true), "{path}: {}", page.body);
        assert!(page.header("content-security-policy").is_some(), "{path}");
        assert_eq!(asks(path, "*/*").await.json()["code"], "server_error", "{path}");
    }
    for accept in ["*/*", "text/html"] {
        let answer = asks("/api/v1/organizations", accept).await;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (500, json!("server_error")));
    }
    assert_eq!(asks("/jwks.json", "*/*").await.header("access-control-allow-origin"), Some("*"));
    assert_eq!(asks("/fine", "*/*").await.body, "fine", "nobody else's request fails");
    house.unchanged(&before).await;
    server.abort();
}

#[tokio::test]
async fn a_node_whose_clock_is_a_little_behind_takes_the_tokens_of_the_others_and_makes_some() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let ask = Application::rp1(&house).asks();
        let tokens = ask.redeems(&Person::new("ann@a.test").follows(&ask).await).await;
        let host = house.url.trim_start_matches("http://").to_owned();
        let reads = async |node: &str| {
            let url = format!("{node}/userinfo");
            let dressed = |request: reqwest::RequestBuilder| {
                request.header("Host", &host).bearer_auth(&tokens.access_token)
            };
            Visitor::arrives().request(reqwest::Method::GET, &url, dressed).await.status.as_u16()
        };
        assert_eq!(reads(&house.second_node_behind(20).await.url()).await, 200);
        assert_eq!(reads(&house.second_node_behind(40).await.url()).await, 401, "that is no clock");
        // The first keys were made by this one, and signed from then on.
        let node = house.second_node_behind(20).await;
        let again = Application::rp1(&house).asks();
        let code = Person::new("ann@a.test").follows(&again).await.code();
        let answer = again.redemption(&code).at(&node.url()).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        // When a token ends is not forgiven.
        house.turn_clock(300);
        assert_eq!(reads(&house.url).await, 401);
    }
}

/// Ann is back from her provider, whose token endpoint keeps the broker waiting.
async fn ann_waits(
    house: &House,
) -> (Arc<Semaphore>, tokio::task::JoinHandle<Result<String, reqwest::Error>>) {
    let let_go = Arc::new(Semaphore::new(0));
    house.idp_a.door("/token", Some(Door::Waits(Arc::clone(&let_go))));
    let ask = Application::rp1(house).asks();
    let mut ann = Person::new("ann@a.test");
    let back = ann.is_sent_back(&ask).await;
    let cookies = ann.browser.jar.header(&back).unwrap();
    let waiting = tokio::spawn(async move {
        let answer = line().get(back).header("cookie", cookies).send().await?;
        Ok(answer.headers()["location"].to_str().unwrap().to_owned())
    });
    while house.idp_a.hits("/token") == 0 {
        tokio::task::yield_now().await;
    }
    (let_go, waiting)
}

#[tokio::test]
async fn a_stop_lets_a_login_finish_that_waits_for_its_provider() {
    let mut house = House::opens().await;
    let (tell, told) = mpsc::channel(1);
    house.stops_when(told);
    let ask = Application::rp1(&house).asks();
    let mut ann = Person::new("ann@a.test");
    let back = ann.is_sent_back(&ask).await;
    let let_go = Arc::new(Semaphore::new(0));
    house.idp_a.door("/token", Some(Door::Waits(Arc::clone(&let_go))));
    let broker = house.broker.clone();
    let goes_on = async {
        let answer = ann.browser.get(back.as_str()).await;
        ann.goes_on(&ask, answer).await
    };
    let stops = async {
        while house.idp_a.hits("/token") == 0 {
            tokio::task::yield_now().await;
        }
        tell.send(()).await.unwrap();
        while !broker.is_stopping() {
            tokio::task::yield_now().await;
        }
        // The load balancer sends nobody new; whoever comes nevertheless is still let in.
        for _ in 0..200 {
            assert_eq!(Visitor::arrives().get(&format!("{}/readyz", house.url)).await.status, 503);
        }
        let_go.add_permits(1);
    };
    let (arrival, ()) = tokio::join!(goes_on, stops);
    assert_eq!(ask.redeems(&arrival).await.id["email"], json!("ann@a.test"));
    house.has_ended().await;
    assert!(TcpStream::connect(house.broker.config.server.listen).await.is_err());
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let settings = |config: &mut behalf::config::Config| config.server.shutdown_timeout = 3_600;
    let mut house = Plan { settings, ..Plan::default() }.build().await;
    let (_let_go, waiting) = ann_waits(&house).await;
    let (tell, told) = mpsc::channel(1);
    house.stops_when(told);
    tell.send(()).await.unwrap();
    tell.send(()).await.unwrap();
    house.has_ended().await;
    assert!(waiting.await.unwrap().is_err(), "her request was cut off");
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_its_patience() {
    let settings = |config: &mut behalf::config::Config| config.server.shutdown_timeout = 1;
    let mut house = Plan { settings, ..Plan::default() }.build().await;
    let (_let_go, waiting) = ann_waits(&house).await;
    let (tell, told) = mpsc::channel(1);
    house.stops_when(told);
    tell.send(()).await.unwrap();
    house.has_ended().await;
    assert!(waiting.await.unwrap().is_err(), "her request was cut off");
}
