//! C24: whatever a request calls us, every link, issuer and redirect is made of the configured address.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::application::Application;
use crate::house::broker::House;

/// Status line with headers, and body, of a request sent to the letter.
async fn sends(house: &House, target: &str, headers: &[(&str, &str)]) -> (String, String) {
    let mut line = TcpStream::connect(house.broker.config.server.listen).await.unwrap();
    let mut text = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    line.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

const DISCOVERY: &str = "/.well-known/openid-configuration";

fn own_name(house: &House) -> String {
    house.url.trim_start_matches("http://").to_owned()
}

/// The authorization request of rp1, as a path.
fn authorize(house: &House) -> String {
    let url = Application::rp1(house).asks().with("login_hint", "ann@a.test").url();
    url.strip_prefix(&house.url).unwrap().to_owned()
}

#[tokio::test]
async fn c24_under_another_name_nothing_is_served() {
    let house = House::opens().await;
    let own = own_name(&house);
    let port = house.broker.config.server.listen.port();
    let before = house.before().await;
    let names = [
        "evil.test".to_owned(),
        format!("evil.test:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("localhost:{port}"),
        format!("{own}.evil.test"),
        format!("{own}@evil.test"),
        format!("evil.test@{own}"),
        format!("{own}/evil.test"),
        format!("{own}, evil.test"),
        format!("{own}:80:443"),
        format!("127.1:{port}"),
        "[::1]".to_owned(),
        String::new(),
    ];
    for name in &names {
        let target = authorize(&house);
        let paths = [DISCOVERY, target.as_str(), "/login/x", "/logout", "/userinfo", "/jwks.json"];
        for path in paths {
            let (head, body) = sends(&house, path, &[("Host", name)]).await;
            assert!([400, 421].contains(&status(&head)), "{name:?} at {path}: {head}");
            assert!(header(&head, "location").is_none() && header(&head, "set-cookie").is_none(), "{head}");
            assert!(!body.contains("evil.test"), "{name:?} at {path}: {body}");
        }
    }
    let (head, _) = sends(&house, DISCOVERY, &[]).await;
    assert!([400, 421].contains(&status(&head)), "no name at all: {head}");
    house.unchanged(&before).await;
}

#[tokio::test]
async fn c24_forwarded_names_change_nothing() {
    let house = House::opens().await;
    let own = own_name(&house);
    let (_, honest) = sends(&house, DISCOVERY, &[("Host", &own)]).await;
    assert!(honest.contains(&format!("\"issuer\":\"{}\"", house.url)), "{honest}");
    for (name, value) in [
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Server", "evil.test"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Port", "1"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-For", "203.0.113.7"),
        ("Forwarded", "for=203.0.113.7;host=evil.test;proto=https"),
        ("X-Host", "evil.test"),
        ("X-Original-Host", "evil.test"),
        ("X-Original-URL", "/evil"),
        ("X-Rewrite-URL", "/evil"),
        ("X-HTTP-Host-Override", "evil.test"),
        ("Origin", "https://evil.test"),
        ("Referer", "https://evil.test/"),
    ] {
        let headers = [("Host", own.as_str()), (name, value)];
        let (head, body) = sends(&house, DISCOVERY, &headers).await;
        assert_eq!((status(&head), &body), (200, &honest), "{name}: {value}");
        let (head, _) = sends(&house, &authorize(&house), &headers).await;
        let to: url::Url = header(&head, "location").unwrap().parse().unwrap();
        assert!(to.as_str().starts_with(&format!("{}/authorize?", house.idp_a.issuer)), "{name}: {to}");
        let back = to.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
        assert!(back.starts_with(&format!("{}/oidc/conn_", house.url)), "{name}: {back}");
        assert!(!head.contains("evil"), "{name}: {head}");
    }
}

#[tokio::test]
async fn c24_an_absolute_request_line_and_a_second_name_change_nothing() {
    let house = House::opens().await;
    let own = own_name(&house);
    let (_, honest) = sends(&house, DISCOVERY, &[("Host", &own)]).await;
    let evil = format!("http://evil.test{DISCOVERY}");
    for (target, headers) in [
        (evil.clone(), vec![("Host", own.as_str())]),
        (evil.clone(), vec![("Host", "evil.test")]),
        (format!("https://{own}{DISCOVERY}"), vec![("Host", own.as_str())]),
        (format!("http://evil@{own}{DISCOVERY}"), vec![("Host", own.as_str())]),
        (DISCOVERY.to_owned(), vec![("Host", own.as_str()), ("Host", "evil.test")]),
        (DISCOVERY.to_owned(), vec![("Host", "evil.test"), ("Host", own.as_str())]),
    ] {
        let (head, body) = sends(&house, &target, &headers).await;
        if headers.len() > 1 {
            assert_eq!(status(&head), 400, "{headers:?}: {head}");
        }
        if target.starts_with("http://evil.test") {
            assert_eq!(status(&head), 421, "the request line counts, and no header: {head}");
        }
        match status(&head) {
            200 => assert_eq!(body, honest, "{target} {headers:?}"),
            status => assert!([400, 421].contains(&status), "{target} {headers:?}: {head}"),
        }
        assert!(!head.contains("evil") && !body.contains("evil"), "{target} {headers:?}: {head} {body}");
    }
}
