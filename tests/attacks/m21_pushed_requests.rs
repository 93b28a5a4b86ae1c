//! M21: a request that was pushed is good once, for a minute, for who pushed it, and as it was pushed.

use behalf::store::ephemeral::Kind;
use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::HOST;
use serde_json::json;

use crate::house::application::{Application, Ask, Person, Proof};
use crate::house::broker::{Engine, House, Plan};
use crate::house::visitor::{Answer, Visitor};

const URN: &str = "urn:ietf:params:oauth:request_uri:";

/// A page that says no, and nothing else.
async fn is_refused(house: &House, url: &str, reason: &str) {
    let before = house.before().await;
    let answer = Visitor::arrives().get(url).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{url}: {}", answer.body);
    assert_eq!(answer.header("set-cookie"), None, "{url}");
    house.refused(&before, reason).await;
}

#[tokio::test]
async fn m21_a_pushed_request_is_used_once_as_it_was_pushed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
        let ask = rp1.asks().with("organization", "org-b").with("claims", r#"{"userinfo":{"name":null}}"#);
        let answer = ask.pushes().send().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["expires_in"]), (201, &json!(60)));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
        let name = uri.strip_prefix(URN).unwrap();
        assert!(name.len() >= 43, "256 bits: {name}");
        let kept = house.text("SELECT asked FROM pushed_requests").await.unwrap();
        assert!(!kept.contains(name), "{kept}");

        // Another application cannot use it, nor use it up.
        is_refused(&house, &rp2.asks().only("request_uri", &uri), "invalid_request_uri").await;
        is_refused(&house, &ask.only("request_uri", &format!("{uri}x")), "invalid_request_uri").await;
        // What else the address says does not count.
        let more = [
            ("state", "evil"),
            ("redirect_uri", "https://evil.test/"),
            ("scope", "openid"),
            ("response_mode", "fragment"),
            ("prompt", "none"),
            ("nonce", "evil"),
        ];
        let more = form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
        let mut con = Person::new("con@a.test");
        let arrival = con.opens(&ask, &format!("{}&{more}", ask.only("request_uri", &uri))).await;
        assert_eq!(arrival.told_application("state").as_deref(), ask.value("state"), "{}", arrival.told());
        let tokens = ask.redeems(&arrival).await;
        assert_eq!(tokens.id["org_name"], json!("org-b"));

        is_refused(&house, &ask.only("request_uri", &uri), "invalid_request_uri").await;
        assert_eq!(house.count("pushed_requests").await, 0);
        // A minute later it is too late.
        let late = ask.pushed().await;
        house.turn_clock(60);
        is_refused(&house, &ask.only("request_uri", &late), "invalid_request_uri").await;
    }
}

#[tokio::test]
async fn m21_of_many_who_come_at_once_at_two_nodes_one_goes_on() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let other = house.second_node().await;
        let ask = Application::rp1(&house).asks();
        let url = ask.only("request_uri", &ask.pushed().await);
        let host = house.url.strip_prefix("http://").unwrap().to_owned();
        let tries = (0..20).map(|number| {
            let node = if number % 2 == 0 { house.url.clone() } else { other.url() };
            let (there, host) = (url.replacen(&house.url, &node, 1), host.clone());
            async move {
                let mut anybody = Visitor::arrives();
                anybody.request(Method::GET, &there, |request| request.header(HOST, host)).await
            }
        });
        let answers: Vec<Answer> = join_all(tries).await;
        let went_on = answers.iter().filter(|answer| answer.status == 303).count();
        let refused = answers.iter().filter(|answer| answer.status == 400).count();
        assert_eq!((went_on, refused), (1, 19), "{engine:?}");
    }
}

#[tokio::test]
async fn m21_the_page_of_a_pushed_request_can_be_loaded_again() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let mut ann = Person::new("ann@a.test");
    let answer = ann.browser.get(&ask.only("request_uri", &ask.pushed().await)).await;
    let home = answer.location().unwrap();
    assert!(home.path().starts_with("/login/flow_"), "{home}");
    for _ in 0..2 {
        assert_eq!(ann.browser.get(home.as_str()).await.status, 200);
    }
    let page = ann.browser.get(home.as_str()).await;
    ask.redeems(&ann.goes_on(&ask, page).await).await;
    // Somebody else's browser gets nowhere with it (C28).
    assert_eq!(Visitor::arrives().get(home.as_str()).await.status, 403);
    // Who is signed in sees no page at all.
    let again = Application::rp1(&house).asks();
    let arrival = ann.opens(&again, &again.only("request_uri", &again.pushed().await)).await;
    again.redeems(&arrival).await;
    let silent = again.clone().with("prompt", "none");
    let nobody = Person::new("x").opens(&silent, &silent.only("request_uri", &silent.pushed().await)).await;
    assert_eq!(nobody.error().0, "login_required");
}

#[tokio::test]
async fn m21_what_is_wrong_is_told_when_it_is_pushed_and_nothing_is_kept() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks();
    let wrong: Vec<(&str, Ask)> = vec![
        ("invalid_request", ask.clone().with("request_uri", &format!("{URN}x"))),
        ("invalid_request", ask.clone().without("redirect_uri")),
        ("invalid_request", ask.clone().with("redirect_uri", "https://evil.test/")),
        ("invalid_request", ask.clone().without("response_type")),
        ("unsupported_response_type", ask.clone().with("response_type", "token")),
        ("invalid_request", ask.clone().with("response_mode", "fragment")),
        ("invalid_request", ask.clone().with("code_challenge_method", "plain")),
        ("invalid_scope", ask.clone().with("scope", "openid offline_access organization:\"")),
        ("invalid_request", ask.clone().and("state", "twice")),
        (
            "invalid_request",
            ask.clone().with("organization", "org-a").with("scope", "openid organization:org-b"),
        ),
        ("invalid_request", ask.clone().with("state", &"x".repeat(2_049))),
        ("invalid_request", ask.clone().with("id_token_hint", "x")),
        ("invalid_target", ask.clone().with("resource", "https://api.test")),
        ("invalid_request_object", ask.clone().with("request", "x")),
        ("invalid_request", ask.clone().with("client_id", "rp2")),
    ];
    for (code, ask) in wrong {
        let before = house.before().await;
        let answer = ask.pushes().send().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!(code)), "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        house.unchanged(&before).await;
        let events = house.events_since(&before).await;
        assert_eq!(events.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(), ["par.refused"]);
    }
    for proof in [Proof::Basic("not the secret".into()), Proof::Post("not the secret".into()), Proof::Nothing]
    {
        let before = house.before().await;
        let answer = rp1.clone().proving(proof.clone()).asks().pushes().send().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")));
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
        house.refused(&before, "invalid_client").await;
    }
    let address = format!("{}/par", house.url);
    assert_eq!(Visitor::arrives().get(&address).await.status, 405);
    let nobody = Visitor::arrives().post_form(&format!("{address}?client_id=rp2"), &[]).await;
    assert_eq!(nobody.status, 400, "nothing stands in the address");
}

#[tokio::test]
async fn m21_what_is_taken_back_meanwhile_does_not_count() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let uri = ask.pushed().await;
    let file = house.file.clone();
    house.provision(&file.replace("https://rp1.test/callback", "https://rp1.test/other")).await;
    let before = house.before().await;
    let answer = Visitor::arrives().get(&ask.only("request_uri", &uri)).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (400, None));
    house.told_refusal(&before, &["bad_redirect_uri"]).await;
    house.provision(&file).await;
    let uri = ask.pushed().await;
    house.provision(&file.replace("[application.rp1]\n", "[application.rp1]\nenabled = false\n")).await;
    is_refused(&house, &ask.only("request_uri", &uri), "unknown_application").await;
}

#[tokio::test]
async fn m21_an_application_that_must_push_its_requests_is_told_so() {
    let must =
        "redirect_uris = [\"https://rp1.test/callback\"]\nrequire_pushed_authorization_requests = true";
    let house = Plan::default().with("redirect_uris = [\"https://rp1.test/callback\"]", must).build().await;
    let ask = Application::rp1(&house).asks();
    let before = house.before().await;
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    assert_eq!(arrival.error(), ("invalid_request".into(), "this application must push its requests".into()));
    house.refused(&before, "invalid_request").await;
    let arrival = Person::new("ann@a.test").opens(&ask, &ask.only("request_uri", &ask.pushed().await)).await;
    ask.redeems(&arrival).await;
    let rp2 = Application::rp2(&house).asks();
    rp2.redeems(&Person::new("bob@b.test").follows(&rp2).await).await;
}

#[tokio::test]
async fn m10_a_network_that_proves_nothing_pushes_no_more_than_it_may_begin() {
    let plan = Plan { settings: |config| config.login.flows_per_minute = 3, ..Plan::default() };
    let house = plan.build().await;
    let (rp1, rp2) = (Application::rp1(&house).asks(), Application::rp2(&house).asks());
    for _ in 0..3 {
        rp2.pushed().await;
    }
    let before = house.before().await;
    let answer = rp2.pushes().send().await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("60")), "{}", answer.body);
    house.refused(&before, "too_many_requests").await;
    // Who proves who it is brings all its people's requests from one place.
    for _ in 0..5 {
        rp1.pushed().await;
    }
    assert_eq!(house.broker.ephemeral.held(Kind::LoginFlow), 0);
    house.turn_clock(61);
    rp2.pushed().await;
}
