//! M10 and M11: a request that is too large, or that could be read in two ways, is refused before it is read.

use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{House, Plan, RP1_SECRET};
use crate::house::visitor::{Answer, Visitor};

const FORM: &str = "application/x-www-form-urlencoded";

/// A house with a client that says everything in the body.
async fn house() -> (House, Application) {
    let plan = Plan::default().with("\"client_secret_basic\"", "\"client_secret_post\"");
    let house = plan.build().await;
    let rp1 = Application::new(&house, "rp1", Proof::Post(RP1_SECRET.into()));
    (house, rp1)
}

async fn posts(house: &House, path: &str, dress: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Answer {
    Visitor::arrives().request(Method::POST, &format!("{}{path}", house.url), dress).await
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// RFC 9110, sections 8.4 and 15.5.16.
#[tokio::test]
async fn m11_no_form_is_read_that_comes_in_a_coding() {
    let (house, _) = house().await;
    let body = encoded(&[("client_id", "rp1"), ("client_secret", RP1_SECRET), ("token", "x")]);
    let coded = async |path: &str, coding: &'static str| {
        let body = body.clone();
        let dress =
            |ask: RequestBuilder| ask.header(CONTENT_TYPE, FORM).header(CONTENT_ENCODING, coding).body(body);
        posts(&house, path, dress).await
    };
    for path in ["/token", "/par", "/device_authorization", "/revoke", "/introspect", "/userinfo"] {
        let before = house.before().await;
        let refused = coded(path, "gzip").await;
        let told = (refused.status.as_u16(), refused.json()["error"].clone());
        assert_eq!(told, (415, json!("invalid_request")), "{path}: {}", refused.body);
        assert_eq!(refused.header("accept-encoding"), Some("identity"), "{path}");
        house.refused(&before, "content_encoding").await;
    }
    for path in ["/login/none/identify", "/logout", "/account/sessions/none/end"] {
        let refused = coded(path, "br").await;
        assert_eq!(
            (refused.status.as_u16(), refused.header("accept-encoding")),
            (415, Some("identity")),
            "{path}"
        );
    }
    let global = format!("/oidc/{}/global-token-revocation", house.connection("ca").await);
    let before = house.before().await;
    let refused = coded(&global, "gzip").await;
    assert_eq!((refused.status.as_u16(), refused.header("accept-encoding")), (415, Some("identity")));
    house.unchanged(&before).await;
    assert_eq!(coded("/revoke", "identity").await.status, 200);
}

#[tokio::test]
async fn m11_every_parameter_of_a_token_request_stands_once_in_a_form() {
    let (house, rp1) = house().await;
    let ask = rp1.asks();
    let code = Person::new("ann@a.test").follows(&ask).await.code();
    let good = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", "https://rp1.test/callback"),
        ("code_verifier", &ask.verifier),
        ("client_id", "rp1"),
        ("client_secret", RP1_SECRET),
    ];
    let before = house.before().await;
    let is_refused = |answer: Answer, what: &str| {
        assert_eq!(answer.status, 400, "{what}: {}", answer.body);
        assert_eq!(answer.json()["error"], json!("invalid_request"), "{what}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    };
    let form = |body: String| move |request: RequestBuilder| request.header(CONTENT_TYPE, FORM).body(body);
    for (name, value) in good {
        for other in [value, "other", ""] {
            let twice = [good.as_slice(), &[(name, other)]].concat();
            is_refused(posts(&house, "/token", form(encoded(&twice))).await, name);
        }
        let rest: Vec<_> = good.iter().copied().filter(|(known, _)| *known != name).collect();
        let query = encoded(&[(name, value)]);
        is_refused(posts(&house, &format!("/token?{query}"), form(encoded(&good))).await, name);
        is_refused(posts(&house, &format!("/token?{query}"), form(encoded(&rest))).await, name);
    }
    is_refused(
        posts(&house, "/token", form(encoded(&[good.as_slice(), &[("x", "1"), ("x", "2")]].concat()))).await,
        "x",
    );
    let object: serde_json::Map<_, _> =
        good.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let object = json!(object).to_string();
    let multipart: String = good
        .iter()
        .map(|(name, value)| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        })
        .collect();
    for (kind, body) in [
        (Some("application/json"), object.clone()),
        (Some(FORM), object),
        (Some("multipart/form-data; boundary=b"), format!("{multipart}--b--\r\n")),
        (Some("text/plain"), encoded(&good)),
        (Some("application/x-www-form-urlencoded-x"), encoded(&good)),
        (Some("application/x-www-form-urlencoded, text/plain"), encoded(&good)),
        (Some(""), encoded(&good)),
        (None, encoded(&good)),
    ] {
        let answer = posts(&house, "/token", |request| {
            let request = request.body(body);
            if let Some(kind) = kind { request.header(CONTENT_TYPE, kind) } else { request }
        })
        .await;
        // A form of braces is a form, of somebody who does not say who they are.
        if kind == Some(FORM) {
            assert_eq!(answer.status, 401, "{}", answer.body);
        } else {
            is_refused(answer, kind.unwrap_or("no type"));
        }
    }
    for body in ["code=%ff", "%c3%28=x", "code=%00%80"] {
        is_refused(posts(&house, "/token", form(format!("{body}&{}", encoded(&good)))).await, body);
    }
    house.unchanged(&before).await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let url = format!("{}/token?{}", house.url, encoded(&good));
        assert_eq!(Visitor::arrives().request(method, &url, |request| request).await.status, 405);
    }
    let answer = posts(&house, "/token", form(encoded(&good))).await;
    assert_eq!(answer.status, 200, "the code was not burnt: {}", answer.body);
}

#[tokio::test]
async fn m11_every_parameter_of_an_authorization_request_stands_once() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let before = house.before().await;
    for name in [
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "unknown",
    ] {
        for value in ["x", ""] {
            let ask = rp1.asks().and(name, value).and(name, "y");
            let answer = Visitor::arrives().get(&ask.url()).await;
            // A state that is said twice is not chosen from, and without it there is no answer.
            if name == "state" {
                assert_eq!((answer.status.as_u16(), answer.location()), (400, None));
                continue;
            }
            let to = answer.location().unwrap_or_else(|| panic!("{name}: {}", answer.body));
            assert!(
                to.as_str().starts_with("https://rp1.test/callback?error=invalid_request&"),
                "{name}: {to}"
            );
            let states = to.query_pairs().filter(|(known, _)| known == "state").count();
            assert_eq!(states, 1, "{name}: {to}");
        }
    }
    for name in ["client_id", "redirect_uri"] {
        let ask = rp1.asks();
        let value = ask.value(name).unwrap().to_owned();
        let answer = Visitor::arrives().get(&ask.and(name, &value).url()).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{name}");
    }
    // By POST: as a form alone, in the body alone.
    let url = rp1.asks().url();
    let query = url.split_once('?').unwrap().1.to_owned();
    let fields: serde_json::Map<_, _> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), json!(value)))
        .collect();
    for (path, kind, body) in [
        (format!("/authorize?{query}"), FORM, query.clone()),
        (format!("/authorize?{query}"), FORM, String::new()),
        ("/authorize".to_owned(), "application/json", json!(fields).to_string()),
        ("/authorize".to_owned(), "text/plain", query.clone()),
    ] {
        let answer = posts(&house, &path, |request| request.header(CONTENT_TYPE, kind).body(body)).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{path} {kind}");
    }
    house.unchanged(&before).await;
    let answer = posts(&house, "/authorize", |request| request.header(CONTENT_TYPE, FORM).body(query)).await;
    assert!(answer.location().unwrap().path().starts_with("/login/flow_"));
}

#[tokio::test]
async fn m09_m10_a_provider_that_posts_no_form_or_too_large_a_one_is_told_on_a_page_and_in_the_trail() {
    let house = Plan::saml().build().await;
    let asked = house.saml("cb").unasked(&house, "cb").await;
    let (acs, slo) = (asked.acs.clone(), asked.acs.replace("/acs", "/slo"));
    let large = format!("SAMLResponse={}", "y".repeat(1_048_577));
    for (address, action) in [(acs, "login.refused"), (slo, "logout.refused")] {
        for (kind, body, status) in [
            (FORM, large.as_str(), 413),
            ("application/json", "{}", 400),
            ("text/xml", "<a/>", 400),
            (FORM, "SAMLResponse=%ff", 400),
        ] {
            let before = house.before().await;
            let sent = |request: RequestBuilder| request.header(CONTENT_TYPE, kind).body(body.to_owned());
            let answer = Visitor::arrives().request(Method::POST, &address, sent).await;
            assert_eq!(answer.status, status, "{address} {kind}: {}", answer.body);
            assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{address} {kind}");
            assert!(answer.body.contains(answer.header("x-request-id").unwrap()), "{}", answer.body);
            house.refused(&before, "malformed_saml").await;
            let event = house.events_since(&before).await.remove(0);
            assert_eq!(event.action, action);
            assert!(event.organization.is_some() && event.detail["found"].is_string(), "{event:?}");
        }
    }
}

#[tokio::test]
async fn m10_what_is_too_large_is_not_read() {
    let house = House::opens().await;
    let before = house.before().await;
    let ask = Application::rp1(&house).asks();
    let page = Person::new("").follows(&ask).await;
    let identify = page.answer.form_with("email").action.path().to_owned();
    for path in ["/token", "/authorize", "/logout", identify.as_str()] {
        let body = format!("x={}", "y".repeat(65_536));
        let answer = posts(&house, path, |request| request.header(CONTENT_TYPE, FORM).body(body)).await;
        assert_eq!(answer.status, 413, "{path}: {}", answer.body);
    }
    let many = (0..101).map(|number| format!("p{number}=x")).collect::<Vec<_>>().join("&");
    let answer =
        posts(&house, "/token", |request| request.header(CONTENT_TYPE, FORM).body(many.clone())).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    let mut anybody = Visitor::arrives();
    let answer = anybody.get(&format!("{}&{many}", ask.url())).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (400, None));
    let fewer = (0..80).map(|number| format!("p{number}=x")).collect::<Vec<_>>().join("&");
    assert!(anybody.get(&format!("{}&{fewer}", ask.url())).await.status.is_success());
    for path in ["/authorize", "/token", "/jwks.json", "/login/x", "/assets/x", "/p/default/authorize"] {
        let answer = anybody.get(&format!("{}{path}?x={}", house.url, "y".repeat(8_200))).await;
        assert_eq!(answer.status, 414, "{path}");
    }
    // One parameter that is too long is told to the application; a page never shows it.
    for (name, length) in [("nonce", 2_049), ("login_hint", 2_049), ("ui_locales", 2_049)] {
        let answer = anybody.get(&ask.clone().with(name, &"z".repeat(length)).url()).await;
        let to = answer.location().unwrap();
        assert!(to.as_str().starts_with("https://rp1.test/callback?error=invalid_request&"), "{name}");
    }
    let large = anybody
        .request(Method::GET, &format!("{}/jwks.json", house.url), |request| {
            request.header("X-Large", "y".repeat(60_000))
        })
        .await;
    assert_eq!(large.status, 431);
    // Many scopes, locales and hosts of them are no work.
    let scopes = (0..400).map(|number| format!("s{number}")).collect::<Vec<_>>().join(" ");
    let answer = anybody.get(&ask.clone().with("scope", &scopes).url()).await;
    assert!(answer.location().unwrap().as_str().contains("error=invalid_"), "{answer:?}");
    let long = "Basic ".to_owned() + &"A".repeat(10_000);
    let answer = posts(&house, "/token", |request| {
        request.header(CONTENT_TYPE, FORM).header(AUTHORIZATION, long).body("grant_type=authorization_code")
    })
    .await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    house.unchanged(&before).await;
}

#[tokio::test]
async fn m10_a_state_is_brought_back_or_there_is_no_answer() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks().with("response_type", "token");
    let longest = "z".repeat(2_048);
    let answer = Visitor::arrives().get(&ask.clone().with("state", &longest).url()).await;
    let to = answer.location().unwrap();
    let state = to.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
    assert_eq!(state, Some(longest), "to the last byte, with an error as well");
    for (length, right) in [(2_049, false), (2_049, true), (4_097, true)] {
        let ask = if right { ask.clone().with("response_type", "code") } else { ask.clone() };
        let url = ask.with("state", &"z".repeat(length)).url();
        let query = url.split_once('?').unwrap().1.to_owned();
        for by_post in [false, true] {
            let before = house.before().await;
            let answer = match by_post {
                false => Visitor::arrives().get(&url).await,
                true => {
                    let body = query.clone();
                    posts(&house, "/authorize", |request| request.header(CONTENT_TYPE, FORM).body(body)).await
                }
            };
            assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{length} {by_post}");
            house.refused(&before, "bad_request").await;
            let event = house.events_since(&before).await.remove(0);
            assert_eq!(event.detail["why"], "state has more than 2048 bytes");
        }
    }
    let pushed = Application::rp1(&house).asks().with("state", &"z".repeat(2_049)).pushes().send().await;
    assert_eq!((pushed.status.as_u16(), &pushed.json()["error"]), (400, &json!("invalid_request")));
}

#[tokio::test]
async fn m11_a_form_that_cannot_be_read_stands_in_the_trail_whichever_door_it_came_to() {
    let house = House::opens().await;
    let page = Person::new("").follows(&Application::rp1(&house).asks()).await;
    let identify = page.answer.form_with("email").action.path().to_owned();
    let flow = identify.strip_suffix("/identify").unwrap().to_owned();
    let of_flow = |step: &str| (format!("{flow}/{step}"), format!("/login/{{flow}}/{step}"));
    let plain = |path: &str| (path.to_owned(), path.to_owned());
    let large = format!("x={}", "y".repeat(65_536));
    let doors = ["identify", "restart", "cancel", "organization", "device"].map(of_flow).into_iter().chain(
        [
            "/authorize",
            "/logout",
            "/device",
            "/token",
            "/par",
            "/revoke",
            "/introspect",
            "/device_authorization",
        ]
        .map(plain),
    );
    // What is the application's own to be told of is told there, and stands in the trail as such.
    for (path, twice) in
        [(identify.as_str(), "email=a%40a.test&email=b%40a.test"), ("/device", "user_code=a&user_code=b")]
    {
        let before = house.before().await;
        let answer = posts(&house, path, |request| request.header(CONTENT_TYPE, FORM).body(twice)).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        house.refused(&before, "parameter_twice").await;
    }
    let own = house.connection("ca").await;
    let doors = doors.chain([
        (format!("/trial/{}", "flow_00000000000000000000000007"), "/trial/{flow}".to_owned()),
        (format!("/oidc/{own}/backchannel-logout"), "/oidc/{connection}/backchannel-logout".to_owned()),
        ("/account/sessions/x/end".to_owned(), "/account/sessions/{session_id}/end".to_owned()),
    ]);
    for (path, door) in doors {
        for (kind, body, query, reason) in [
            ("application/json", "{}", "", "content_type"),
            (FORM, "x=1", "?x=1", "parameters_in_address"),
            (FORM, large.as_str(), "", "body_too_large"),
            (FORM, "x=%ff", "", "parameters_malformed"),
        ] {
            let before = house.before().await;
            let body = body.to_owned();
            let answer = posts(&house, &format!("{path}{query}"), |request| {
                request.header(CONTENT_TYPE, kind).body(body)
            })
            .await;
            let status = if reason == "body_too_large" { 413 } else { 400 };
            assert_eq!(answer.status, status, "{path} {reason}: {}", answer.body);
            house.refused(&before, reason).await;
            let event = house.events_since(&before).await.remove(0);
            assert_eq!((event.action.as_str(), &event.detail["door"]), ("form.refused", &json!(door)));
            // What is limited is counted by the minute.
            house.turn_clock(61);
        }
    }
}
