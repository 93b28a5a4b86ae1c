//! C26: whatever is not the registered redirect URI to the letter is answered by a page, never by a redirect.

use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{DEFAULT, House, Plan};
use crate::house::visitor::Visitor;

const REGISTERED: &str = "https://rp1.test/callback";

/// What others have read as the registered URI.
fn variants() -> Vec<String> {
    let whole = [
        "",
        " ",
        "/",
        "/callback",
        "//rp1.test/callback",
        "rp1.test/callback",
        "callback",
        "?x=1",
        "#x",
        "https:",
        "https:/rp1.test/callback",
        "https:///rp1.test/callback",
        "https:rp1.test/callback",
        "https:\\\\rp1.test\\callback",
        "https://rp1.test",
        "https://rp1.test/",
        "https://rp1.test//callback",
        "http://rp1.test/callback",
        "HTTPS://rp1.test/callback",
        "hTTps://rp1.test/callback",
        "ftp://rp1.test/callback",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "javascript://rp1.test/callback%0aalert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///callback",
        "about:blank",
        "blob:https://rp1.test/callback",
        "view-source:https://rp1.test/callback",
        "https://RP1.test/callback",
        "https://rp1.TEST/callback",
        "https://rp1.test./callback",
        "https://rp1.test:443/callback",
        "https://rp1.test:/callback",
        "https://rp1.test:444/callback",
        "https://rp1.test:80/callback",
        "https://rp1.test:0443/callback",
        "https://www.rp1.test/callback",
        "https://xrp1.test/callback",
        "https://rp1.test.evil.test/callback",
        "https://rp1.testevil.test/callback",
        "https://evil.test/callback",
        "https://evil.test/https://rp1.test/callback",
        "https://evil.test?https://rp1.test/callback",
        "https://evil.test#https://rp1.test/callback",
        "https://evil.test\\@rp1.test/callback",
        "https://evil.test\\.rp1.test/callback",
        "https://rp1.test@evil.test/callback",
        "https://rp1.test:443@evil.test/callback",
        "https://rp1.test%40evil.test/callback",
        "https://rp1.test%2f@evil.test/callback",
        "https://rp1.test%00@evil.test/callback",
        "https://@rp1.test/callback",
        "https://ann@rp1.test/callback",
        "https://ann:pw@rp1.test/callback",
        "https://rp1.test&@evil.test/callback",
        "https://rp1.test;@evil.test/callback",
        "https://rp1.test\t/callback",
        "https://rp1\t.test/callback",
        "ht\ntps://rp1.test/callback",
        "https://rp1.test\r\n/callback",
        "https://rp1.test\0/callback",
        "https://rp1。test/callback",
        "https://rp1．test/callback",
        "https://rp1.tesｔ/callback",
        "https://ⓡp1.test/callback",
        "https://rp1\u{ad}.test/callback",
        "https://rp1\u{200b}.test/callback",
        "https://rр1.test/callback",
        "https://xn--rp1.test/callback",
        "https://rp1%2etest/callback",
        "https://127.0.0.1/callback",
        "http://127.0.0.1/callback",
        "http://localhost/callback",
        "http://[::1]/callback",
        "http://[::ffff:127.0.0.1]/callback",
        "https://localhost.evil.test/callback",
        "https://2130706433/callback",
        "https://rp2.test/callback",
        "https://rp1.test/callback,https://evil.test",
        "https://rp1.test/callback https://evil.test",
        "*",
        "https://*.test/callback",
        "https://rp1.test/*",
        "urn:ietf:wg:oauth:2.0:oob",
        "test.rp1:/callback",
        "null",
        "https://rp1.test/x/callback",
        "https://rp1.test/callback2",
        "https://rp1.test/.callback",
        "https://rp1.test/./callback",
        "https://rp1.test/x/../callback",
        "https://rp1.test/%2e/callback",
        "https://rp1.test/..;/callback",
        "https://rp1.test/;/callback",
        "https://rp1.test\\callback",
        "https://rp1.test\\@evil.test/callback",
        "https://evil.test\\@rp1.test/callback",
        "https://evil.test#@rp1.test/callback",
        "https://evil.test?@rp1.test/callback",
        "https://evil.test/https://rp1.test/callback",
        "https://rp1.test.evil.test/callback",
        "https://evilrp1.test/callback",
        "https://evil-rp1.test/callback",
        "https://sub.rp1.test/callback",
        "https://rp1.test%23.evil.test/callback",
        "https://rp1.test%3f.evil.test/callback",
        "https://rp1.test%09/callback",
        "https://rp1.test%0d%0a/callback",
        "https://rp1.test%20/callback",
        "https://rp1.test /callback",
        " https://rp1.test/callback",
        "\u{feff}https://rp1.test/callback",
        "\"https://rp1.test/callback\"",
        "<https://rp1.test/callback>",
        "[https://rp1.test/callback]",
        "https://rp1.test/callback|https://evil.test",
        "https://rp1.test/callback;https://evil.test",
        "https://rp1.test/callback\thttps://evil.test",
        "https://rp1.test/callback\nhttps://evil.test",
        "https%3A%2F%2Frp1.test%2Fcallback",
        "https://rp1%E3%80%82test/callback",
        "https://rp1.test\u{3002}/callback",
        "https://rp1.test\u{ff0f}callback",
        "https://rp1.test\u{2215}callback",
        "https://rp1.test:443:443/callback",
        "https://rp1.test:65979/callback",
        "https://0x7f000001/callback",
        "https://[::1]/callback",
        "ws://rp1.test/callback",
        "wss://rp1.test/callback",
        "intent://rp1.test/callback#Intent;scheme=https;end",
    ];
    let paths = [
        "/",
        "//",
        "/.",
        "/..",
        "/../callback",
        "/x/../",
        "/%2e",
        "/%2e%2e",
        "/%2e%2e/callback",
        "/..;/",
        "/..;/callback",
        ";x=1",
        ";",
        "%20",
        "%00",
        "%0a",
        "%09",
        "%0d%0aLocation:%20https://evil.test",
        " ",
        "\t",
        "\n",
        "\0",
        "\\",
        "\\..",
        "?",
        "?x=1",
        "?code=1",
        "?redirect_uri=https://evil.test",
        "&x=1",
        "#",
        "#x",
        "%23",
        "%3f",
        "%3fx=1",
        "x",
        ".",
        ".evil.test",
        "@evil.test",
        ":1",
        "%2f",
        "%2F",
        "%5c",
        "\u{202e}",
        "\u{feff}",
        "é",
    ];
    let letters = ["Callback", "CALLBACK", "callbac", "callbacK", "%63allback", "c%61llback", "callbac%6b"];
    let mut all: Vec<String> = whole.iter().map(ToString::to_string).collect();
    all.extend(paths.iter().map(|path| format!("{REGISTERED}{path}")));
    all.extend(letters.iter().map(|path| format!("https://rp1.test/{path}")));
    // Empty counts as absent, and then there is only one that it can be.
    all.retain(|uri| !uri.is_empty());
    all
}

#[tokio::test]
async fn c26_a_variant_of_the_registered_uri_is_answered_by_a_page() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let all = variants();
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert!(distinct.len() >= 150, "{}", distinct.len());
    for variant in &all {
        let before = house.before().await;
        let answer = Visitor::arrives().get(&rp1.asks().with("redirect_uri", variant).url()).await;
        assert_eq!(answer.status, 400, "{variant:?}: {}", answer.body);
        assert!(answer.location().is_none(), "{variant:?}");
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{variant:?}");
        assert!(!answer.body.contains("evil") && answer.forms().is_empty(), "{variant:?}: {}", answer.body);
        house.refused_for_one_of(&before, &["bad_redirect_uri", "bad_request"]).await;
    }
    // A minute's audit events of one network are limited; the refusals are not.
    house.turn_clock(61);
    let before = house.before().await;
    let wrong = [
        ("response_type", "token"),
        ("prompt", "none"),
        ("prompt", "none login"),
        ("scope", "\""),
        ("code_challenge", "x"),
        ("request", "x"),
        ("max_age", "-1"),
    ];
    for (at, variant) in all.iter().enumerate() {
        let (name, value) = wrong[at % wrong.len()];
        let ask = rp1.asks().with("redirect_uri", variant).with(name, value);
        let answer = Visitor::arrives().get(&ask.url()).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{variant:?} {name}={value}");
    }
    house.unchanged(&before).await;
}

#[tokio::test]
async fn c26_an_error_before_the_uri_is_known_is_a_page() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let of_two = "\nredirect_uris = [\"https://rp1.test/callback\", \"https://rp1.test/second\"]";
    for (what, ask, reason) in [
        ("two", rp1.asks().and("redirect_uri", REGISTERED), "bad_request"),
        ("two, one of them foreign", rp1.asks().and("redirect_uri", "https://evil.test"), "bad_request"),
        ("an unknown client", rp1.asks().with("client_id", "rp3"), "unknown_application"),
        ("no client", rp1.asks().without("client_id"), "unknown_application"),
        ("two clients", rp1.asks().and("client_id", "rp2"), "bad_request"),
        ("another client's", rp1.asks().with("client_id", "rp2"), "bad_redirect_uri"),
        ("none, though there is but one", rp1.asks().without("redirect_uri"), "bad_redirect_uri"),
        ("an empty one", rp1.asks().with("redirect_uri", ""), "bad_redirect_uri"),
    ] {
        let before = house.before().await;
        let answer = Visitor::arrives().get(&ask.url()).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{what}");
        house.refused(&before, reason).await;
        let query = ask.url().split_once('?').unwrap().1.to_owned();
        let fields: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = Visitor::arrives().post_form(&format!("{}/authorize", house.url), &fields).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{what}, by POST");
        house.unchanged(&before).await;
    }
    let registered = "\nredirect_uris = [\"https://rp1.test/callback\"]";
    let house = Plan::default().with(registered, of_two).build().await;
    let answer = Visitor::arrives().get(&Application::rp1(&house).asks().without("redirect_uri").url()).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "none, where there are two");
}

#[tokio::test]
async fn s2_27_c26_a_native_application_may_choose_its_port_on_a_loopback_literal_alone() {
    let house = Plan::default()
        .and(
            r#"
[application.native]
display_name = "Native"
type = "native"
token_endpoint_auth_method = "none"
redirect_uris = ["http://127.0.0.1/cb", "http://[::1]:9/cb", "com.example.app:/cb"]
scopes = ["openid"]
"#,
        )
        .build()
        .await;
    let native = Application::new(&house, "native", Proof::Nothing);
    let asks =
        |uri: &str| native.asks().with("scope", "openid").with("prompt", "none").with("redirect_uri", uri);
    for good in [
        "http://127.0.0.1/cb",
        "http://127.0.0.1:49152/cb",
        "http://127.0.0.1:1/cb",
        "http://[::1]/cb",
        "http://[::1]:65535/cb",
        "com.example.app:/cb",
    ] {
        let answer = Visitor::arrives().get(&asks(good).url()).await;
        let to = answer.header("location").unwrap_or_else(|| panic!("{good}: {}", answer.body));
        assert!(to.starts_with(&format!("{good}?error=login_required&")), "{good}: {to}");
    }
    for bad in [
        "http://127.0.0.1:49152/cb/",
        "http://127.0.0.1:49152/",
        "http://127.0.0.1:49152/cb?x=1",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:x/cb",
        "http://127.0.0.1:+1/cb",
        "http://127.0.0.1:1@evil.test/cb",
        "http://127.0.0.1.evil.test/cb",
        "http://127.0.0.2:1/cb",
        "http://127.1:1/cb",
        "http://0x7f.0.0.1/cb",
        "http://localhost/cb",
        "http://localhost:1/cb",
        "http://localhost.evil.test/cb",
        "https://127.0.0.1/cb",
        "http://[::ffff:127.0.0.1]:1/cb",
        "http://[0:0:0:0:0:0:0:1]:1/cb",
        "http://ann@127.0.0.1/cb",
        "com.example.app://cb",
        "com.example.app:/cb/",
        "com.example.application:/cb",
        "COM.example.app:/cb",
    ] {
        let answer = Visitor::arrives().get(&asks(bad).url()).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{bad}");
    }
}

#[tokio::test]
async fn c26_an_address_that_is_taken_away_gets_nothing_of_the_logins_that_are_under_way() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (ask, of_code) = (rp1.asks(), rp1.asks());
    let mut con = Person::new("con@a.test");
    let code = con.acts_for(&of_code, "A Corporation").await.code();
    let page = con.follows(&ask).await;
    house.provision(&DEFAULT.replace(REGISTERED, "https://rp1.test/elsewhere")).await;
    let forms = [
        page.picker().with("choice", &page.choice("A Corporation")),
        page.form_with("cancel").with("cancel", "yes"),
    ];
    for form in forms {
        let before = house.before().await;
        let answer = con.browser.submit(&form).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{}", answer.body);
        assert!(!answer.body.contains(REGISTERED), "{}", answer.body);
        house.refused(&before, "bad_redirect_uri").await;
    }
    let answer = of_code.redemption(&code).send().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &serde_json::json!("invalid_grant")));
    assert_eq!(answer.json()["error_description"], "redirect_uri is not registered any more");
}
