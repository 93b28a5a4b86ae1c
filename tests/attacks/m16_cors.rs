//! M16: pages of an application read our answers to it, and to nothing else; never with cookies.

use reqwest::Method;
use serde_json::json;

use crate::house::api::Api;
use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{House, Plan};
use crate::house::visitor::{Answer, Visitor};

const OURS: &str = "https://rp2.test";
const THEIRS: &str = "https://rp3.test:8443";
const ELSEWHERE: &str = "https://elsewhere.test";

/// `rp2` and `rp3` are pages of one project, `far` is one of another project.
async fn house() -> House {
    let house = Plan::default()
        .with(
            "redirect_uris = [\"https://rp2.test/callback\"]\n",
            &format!("redirect_uris = [\"https://rp2.test/callback\"]\ncors_origins = [\"{OURS}\"]\n"),
        )
        .and(&format!(
            "\n[application.rp3]\ntype = \"spa\"\nredirect_uris = [\"https://rp3.test/callback\"]\n\
             cors_origins = [\"{THEIRS}\", \"http://localhost:3000\"]\n"
        ))
        .build()
        .await;
    house
        .provision(&format!(
            "[project]\nslug = \"two\"\n[application.far]\ntype = \"spa\"\n\
             redirect_uris = [\"https://far.test/callback\"]\ncors_origins = [\"{ELSEWHERE}\"]\n"
        ))
        .await;
    house
}

async fn preflight(house: &House, path: &str, origin: &str) -> Answer {
    let url = format!("{}{path}", house.url);
    let asks = |request: reqwest::RequestBuilder| {
        request
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type")
    };
    Visitor::arrives().request(Method::OPTIONS, &url, asks).await
}

/// The origin that is let read; never with cookies, and told apart by every cache.
fn read_by(answer: &Answer) -> Option<&str> {
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let vary: Vec<_> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.contains(&"origin"), "{vary:?}");
    answer.header("access-control-allow-origin")
}

/// What a page of an origin posts.
async fn posts(house: &House, path: &str, origin: &str, fields: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let dress = |request: reqwest::RequestBuilder| {
        let kind = "application/x-www-form-urlencoded";
        request.header("Origin", origin).header("Content-Type", kind).body(body)
    };
    Visitor::arrives().request(Method::POST, &format!("{}{path}", house.url), dress).await
}

async fn userinfo(house: &House, token: &str, origin: &str) -> Answer {
    let dress = |request: reqwest::RequestBuilder| request.header("Origin", origin).bearer_auth(token);
    Visitor::arrives().request(Method::GET, &format!("{}/userinfo", house.url), dress).await
}

#[tokio::test]
async fn m16_a_preflight_is_answered_to_origins_of_the_project_alone() {
    let house = house().await;
    for (path, methods) in
        [("/par", "POST"), ("/token", "POST"), ("/revoke", "POST"), ("/userinfo", "GET,HEAD,POST")]
    {
        for origin in [OURS, THEIRS, "http://localhost:3000"] {
            let answer = preflight(&house, path, origin).await;
            assert_eq!((answer.status.as_u16(), read_by(&answer)), (204, Some(origin)), "{path}");
            assert_eq!(answer.header("access-control-allow-methods"), Some(methods), "{path}");
            let headers = answer.header("access-control-allow-headers").unwrap();
            assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
            assert_eq!(answer.header("access-control-max-age"), Some("600"), "{path}");
        }
        for origin in [
            ELSEWHERE,
            "null",
            "*",
            "",
            "https://evil.test",
            "http://rp2.test",
            "https://rp2.test:444",
            "https://rp2.test.evil.test",
            "https://evil.test/https://rp2.test",
            "https://RP2.test",
            "https://rp2.test/",
            "https://rp3.test",
            "http://localhost:3001",
        ] {
            let answer = preflight(&house, path, origin).await;
            assert_eq!((answer.status.as_u16(), read_by(&answer)), (204, None), "{path} for {origin:?}");
            assert_eq!(answer.header("access-control-allow-methods"), None, "{path} for {origin:?}");
        }
        let there = preflight(&house, &format!("/p/two{path}"), ELSEWHERE).await;
        assert_eq!(read_by(&there), Some(ELSEWHERE), "each project has its own");
        assert_eq!(read_by(&preflight(&house, &format!("/p/two{path}"), OURS).await), None);
    }
    // Everybody may read what is published, and no other door knows of pages at all.
    for path in ["/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
    {
        let answer = preflight(&house, path, "https://evil.test").await;
        assert_eq!((answer.status.as_u16(), read_by(&answer)), (204, Some("*")), "{path}");
    }
    for path in ["/authorize", "/introspect", "/logout", "/register", "/api/v1/organizations", "/saml/x/acs"]
    {
        let answer = preflight(&house, path, OURS).await;
        let headers: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
        assert!(!headers.iter().any(|name| name.starts_with("access-control-")), "{path}: {headers:?}");
    }
    // Out of service, its pages are nobody's.
    house.execute("UPDATE applications SET disabled_at = 1 WHERE client_id = 'rp2'").await;
    assert_eq!(read_by(&preflight(&house, "/token", OURS).await), None);
}

#[tokio::test]
async fn m16_an_answer_is_read_by_pages_of_the_application_that_it_is_for() {
    let house = house().await;
    let rp2 = Application::rp2(&house);
    for origin in [OURS, THEIRS, ELSEWHERE, "null", "https://evil.test"] {
        let allowed = (origin == OURS).then_some(OURS);
        let ask = rp2.asks();
        let code = Person::new("ann@a.test").follows(&ask).await.code();
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "rp2"),
            ("code", &code),
            ("redirect_uri", "https://rp2.test/callback"),
            ("code_verifier", &ask.verifier),
        ];
        let answer = posts(&house, "/token", origin, &fields).await;
        assert_eq!((answer.status.as_u16(), read_by(&answer)), (200, allowed), "{origin}: {}", answer.body);
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let told = userinfo(&house, &token, origin).await;
        assert_eq!((told.status.as_u16(), read_by(&told)), (200, allowed), "{origin}");
        // What is wrong is read as well.
        let used = posts(&house, "/token", origin, &fields).await;
        assert_eq!((used.status.as_u16(), read_by(&used)), (400, allowed), "{origin}");
        let dead = userinfo(&house, &token, origin).await;
        assert_eq!((dead.status.as_u16(), read_by(&dead)), (401, allowed), "{origin}");
        let exposed = dead.header("access-control-expose-headers");
        assert_eq!(exposed.is_some_and(|names| names.contains("www-authenticate")), allowed.is_some());
        let revoked = posts(&house, "/revoke", origin, &[("client_id", "rp2"), ("token", &token)]).await;
        assert_eq!((revoked.status.as_u16(), read_by(&revoked)), (200, allowed), "{origin}");
    }
    // Of a stranger's request, or of one that is not from a page, nothing is said.
    for fields in [&[][..], &[("client_id", "nobody")], &[("client_id", "far")], &[("client_id", "rp1")]] {
        assert_eq!(read_by(&posts(&house, "/token", OURS, fields).await), None, "{fields:?}");
    }
    assert_eq!(read_by(&userinfo(&house, "x.eyJjbGllbnRfaWQiOiJmYXIifQ.x", ELSEWHERE).await), None);
    assert_eq!(read_by(&rp2.refreshes("rt_x").send().await), None);
}

#[tokio::test]
async fn m16_an_origin_is_registered_as_a_browser_writes_it_or_not_at_all() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let id = house.text("SELECT id FROM applications WHERE client_id = 'rp2'").await.unwrap();
    let path = format!("/applications/{id}");
    for wrong in [
        "*",
        "null",
        "",
        "https://*.a.test",
        "https://a.test/",
        "https://a.test:443",
        "https://A.test",
        "http://a.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "com.example.app:/x",
        "https://fine.test",
    ] {
        let before = house.before().await;
        let refused = operator.patch(&path, json!({"cors_origins": ["https://fine.test", wrong]})).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], "/cors_origins/1", "{wrong}: {}", refused.body);
        house.refused(&before, "invalid_value").await;
        let file = house.file.replace(
            "redirect_uris = [\"https://rp2.test/callback\"]",
            &format!("redirect_uris = [\"https://rp2.test/callback\"]\ncors_origins = [\"https://fine.test\", \"{wrong}\"]"),
        );
        let before = house.before().await;
        assert!(house.tries(&file).await.is_err(), "{wrong}");
        house.unchanged(&before).await;
    }
    let origins = json!(["https://fine.test", "http://127.0.0.1:3000"]);
    let patched = operator.patch(&path, json!({"cors_origins": origins})).await;
    assert_eq!(patched.json()["cors_origins"], origins, "{}", patched.body);
    assert_eq!(
        read_by(&preflight(&house, "/token", "http://127.0.0.1:3000").await),
        Some("http://127.0.0.1:3000")
    );
    operator.patch(&path, json!({"cors_origins": []})).await;
    assert_eq!(read_by(&preflight(&house, "/token", "http://127.0.0.1:3000").await), None);
    let far = Application::new(&house, "rp2", Proof::Nothing);
    assert_eq!(far.refreshes("rt_x").send().await.header("access-control-allow-origin"), None);
}
