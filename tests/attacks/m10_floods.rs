//! M10: floods. Nobody keeps more waiting, or gets more written down, than their share of a minute.

use behalf::store::ephemeral::Kind;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Door;
use crate::house::visitor::Visitor;

#[tokio::test]
async fn m10_a_network_keeps_only_so_many_logins_waiting_however_they_begin() {
    let plan = Plan { settings: |config| config.login.flows_per_minute = 3, ..Plan::default() };
    let house = plan.build().await;
    house.idp_a.door("/.well-known/openid-configuration", Some(Door::Status(503)));
    let ask = Application::rp1(&house).asks();
    let page = Visitor::arrives().get(&ask.url()).await;
    assert_eq!(page.status, 200);
    // One that ends in a refusal waits for the person as well.
    let refused = Visitor::arrives().get(&ask.clone().with("login_hint", "ann@a.test").url()).await;
    assert_eq!(refused.status, 502, "{}", refused.body);
    let query = ask.url().split_once('?').unwrap().1.to_owned();
    let post = async || {
        let dress = |request: RequestBuilder| {
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(query.clone())
        };
        Visitor::arrives().request(Method::POST, &format!("{}/authorize", house.url), dress).await
    };
    assert!(post().await.location().unwrap().path().starts_with("/login/flow_"));
    let held = house.broker.ephemeral.held(Kind::LoginFlow);
    assert_eq!(held, 3);
    for answer in [
        Visitor::arrives().get(&ask.url()).await,
        Visitor::arrives().get(&ask.clone().with("login_hint", "ann@a.test").url()).await,
        post().await,
    ] {
        // Nobody has seen a page of ours yet: it is the application that is told.
        let to = answer.location().unwrap_or_else(|| panic!("{}", answer.body));
        assert_eq!(to.host_str(), Some("rp1.test"), "{to}");
        let told = |name: &str| to.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
        assert_eq!(told("error"), "temporarily_unavailable");
        let (issuer, state) = (told("iss"), told("state"));
        assert_eq!((issuer.as_str(), Some(state.as_str())), (house.url.as_str(), ask.value("state")));
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert_eq!(
        house.broker.ephemeral.held(Kind::LoginFlow),
        held,
        "nothing was kept, and nobody else's dropped"
    );
    house.turn_clock(61);
    assert_eq!(Visitor::arrives().get(&ask.url()).await.status, 200);
}

#[tokio::test]
async fn m10_whoever_is_signed_in_gets_only_so_many_codes_a_minute() {
    let plan = Plan { settings: |config| config.login.flows_per_minute = 3, ..Plan::default() };
    let house = plan.build().await;
    let ask = Application::rp1(&house).asks();
    let mut ann = Person::new("ann@a.test");
    ann.follows(&ask).await.code();
    house.turn_clock(61);
    let silent = ask.clone().with("prompt", "none");
    for _ in 0..3 {
        ann.follows(&silent).await.code();
    }
    let (before, given) = (house.before().await, house.count("grants").await);
    let (error, _) = ann.follows(&silent).await.error();
    assert_eq!(error, "temporarily_unavailable");
    house.refused(&before, "too_many_requests").await;
    // Nor is anybody shown a page on which there is nothing to do.
    assert_eq!(ann.follows(&ask).await.error().0, "temporarily_unavailable");
    assert_eq!(house.count("grants").await, given);
    // Nobody else waits for that.
    let mut con = Person::new("con@a.test");
    con.follows(&ask.clone().with("organization", "org-a")).await.code();
    house.turn_clock(61);
    ann.follows(&silent).await.code();
}

#[tokio::test]
async fn m10_whoever_is_at_their_account_does_only_so_much_in_a_minute() {
    let plan = Plan { settings: |config| config.login.flows_per_minute = 3, ..Plan::default() };
    let house = plan.build().await;
    let account = async |person: &mut Person| {
        let first = person.browser.get(&format!("{}/account/sign-in", house.url)).await;
        let arrival =
            person.walks(&Application::rp1(&house).asks(), first, |to| to.path() == "/account").await;
        let page = person.browser.follow(&arrival.answer).await;
        page.forms().into_iter().find(|form| form.action.path().ends_with("/switch")).unwrap()
    };
    let (mut con, mut other) = (Person::new("con@a.test"), Person::new("con@a.test"));
    let switch = account(&mut con).await;
    for _ in 0..3 {
        assert_eq!(con.browser.submit(&switch).await.status, 303);
    }
    let before = house.before().await;
    let refused = con.browser.submit(&switch).await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    house.refused(&before, "rate_limited").await;
    assert_eq!(house.events_of("session.organization_switched").await, 3);
    // Nobody else waits for that.
    let elsewhere = account(&mut other).await;
    assert_eq!(other.browser.submit(&elsewhere).await.status, 303);
    house.turn_clock(61);
    assert_eq!(con.browser.submit(&switch).await.status, 303);
}

#[tokio::test]
async fn m10_whoever_is_signed_in_at_a_public_client_refreshes_only_so_often_in_a_minute() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let plan = Plan { settings: |config| config.login.flows_per_minute = 3, ..Plan::on(engine) };
        let house = plan.build().await;
        let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
        let first = |application: &Application| application.asks().with("organization", "org-a");
        let (ask, of_rp1) = (first(&rp2), first(&rp1));
        let mut con = Person::new("con@a.test");
        let mut newest = ask.redeems(&con.follows(&ask).await).await;
        let mut trusted = of_rp1.redeems(&con.follows(&of_rp1).await).await;
        house.turn_clock(61);
        let mut used = newest.refresh().to_owned();
        // By whatever way: the next one, the same once more, or another organization's.
        let again = rp2.refreshes(newest.refresh()).send().await;
        newest = ask.reads_again(&again).await;
        assert_eq!(rp2.refreshes(&used).send().await.status, 200, "the answer was lost");
        used = newest.refresh().to_owned();
        newest = ask.reads_again(&rp2.refreshes(newest.refresh()).send().await).await;
        for flood in [
            rp2.refreshes(newest.refresh()),
            rp2.refreshes(&used),
            rp2.refreshes(newest.refresh()).with("organization", "org-b"),
        ] {
            let seen = house.before().await;
            let answer = flood.send().await;
            let told = (answer.status.as_u16(), answer.header("retry-after"));
            assert_eq!(told, (429, Some("60")), "{engine:?}: {}", answer.body);
            assert_eq!(answer.json()["error"], json!("temporarily_unavailable"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert!(answer.json().get("access_token").is_none());
            house.refused(&seen, "too_many_requests").await;
        }
        // Nobody else waits for that: neither another session, nor a client that proves who it is.
        for _ in 0..4 {
            trusted = of_rp1.reads_again(&rp1.refreshes(trusted.refresh()).send().await).await;
        }
        let other = ask.redeems(&Person::new("con@a.test").follows(&ask).await).await;
        assert_eq!(rp2.refreshes(other.refresh()).send().await.status, 200);
        // And what was refused is as good as before.
        house.turn_clock(61);
        ask.reads_again(&rp2.refreshes(newest.refresh()).send().await).await;
    }
}

#[tokio::test]
async fn m10_many_small_networks_of_one_customer_share_what_they_may_begin() {
    let settings = |config: &mut behalf::config::Config| {
        config.login.flows_per_minute = 2;
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let house = Plan { settings, ..Plan::default() }.build().await;
    let url = Application::rp1(&house).asks().url();
    let begins = async |from: &str| {
        let from = from.to_owned();
        let get = |request: RequestBuilder| request.header("X-Forwarded-For", from);
        Visitor::arrives().request(Method::GET, &url, get).await.status.as_u16()
    };
    for network in 0..8 {
        assert_eq!(begins(&format!("2001:db8:1:{network:x}00::1")).await, 200, "{network}");
    }
    assert_eq!(begins("2001:db8:1:900::1").await, 303, "a ninth /56 of the same /48");
    assert_eq!((begins("2001:db8:2::1").await, begins("2001:db8:2:1::1").await), (200, 200));
    assert_eq!(begins("2001:db8:2:2::1").await, 303, "a third one of the same /56");
}

#[tokio::test]
async fn m10_a_full_house_lets_nobody_new_in_and_drops_nobody() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let mut ann = Person::new("ann@a.test");
    let page = ann.browser.get(&ask.url()).await;
    let ephemeral = &house.broker.ephemeral;
    for number in 0_u64.. {
        if ephemeral.is_crowded(Kind::LoginFlow) {
            break;
        }
        let key = number.to_string();
        ephemeral.put(Kind::LoginFlow, &key, vec![0], std::time::Duration::from_secs(60)).await.unwrap();
    }
    let held = ephemeral.held(Kind::LoginFlow);
    let before = house.before().await;
    let answer = Visitor::arrives().get(&ask.url()).await;
    let to = answer.location().unwrap_or_else(|| panic!("{}", answer.body));
    assert!(to.as_str().starts_with("https://rp1.test/callback?error=temporarily_unavailable&"), "{to}");
    assert_eq!((answer.header("set-cookie"), ephemeral.held(Kind::LoginFlow)), (None, held));
    house.refused(&before, "too_many_logins").await;
    let arrival = ann.goes_on(&ask, page).await;
    ask.redeems(&arrival).await;
    house.turn_clock(61);
    assert_eq!(Visitor::arrives().get(&ask.url()).await.status, 200);
}
