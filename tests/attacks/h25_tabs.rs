//! H25: as many tabs as people open, none takes another's place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use behalf::foundation::id::FlowId;
use behalf::foundation::random::Random;
use behalf::store::ephemeral::Kind;
use futures_util::future::join_all;
use reqwest::header::{COOKIE, LOCATION};
use serde_json::json;
use tokio::sync::Semaphore;
use url::Url;

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_idp::{Door, Says};
use crate::house::visitor::line;

/// Twenty requests of two applications, for either of two organizations.
fn twenty(house: &House) -> Vec<(Ask, &'static str)> {
    let (rp1, rp2) = (Application::rp1(house), Application::rp2(house));
    let one = |number: usize| {
        let application = if number.is_multiple_of(2) { &rp1 } else { &rp2 };
        let organization = if number % 4 < 2 { "org-a" } else { "org-b" };
        (application.asks().with("login_hint", "con@a.test").with("organization", organization), organization)
    };
    (0..20).map(one).collect()
}

/// The numbers below `count`, in some order, the same every time.
fn shuffled(count: usize) -> Vec<usize> {
    let random = Random::sequence(25);
    let mut order: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        let [one] = random.bytes::<1>();
        order.swap(at, usize::from(one) % (at + 1));
    }
    order
}

#[tokio::test]
async fn h25_twenty_tabs_end_where_they_began_in_whatever_order() {
    let house = House::opens().await;
    let asks = twenty(&house);
    let mut con = Person::new("con@a.test");
    let mut held = Vec::new();
    for (ask, _) in &asks {
        held.push(con.is_sent_back(ask).await);
        house.turn_clock(1);
    }
    for at in shuffled(asks.len()) {
        let (ask, organization) = &asks[at];
        let answer = con.browser.get(held[at].as_str()).await;
        let arrival = con.goes_on(ask, answer).await;
        assert_eq!(arrival.told_application("state").as_deref(), ask.value("state"), "tab {at}");
        // Its own client and nonce are checked with the signature.
        let tokens = ask.redeems(&arrival).await;
        assert_eq!(tokens.id["org_id"], json!(house.organization(organization).await), "tab {at}");
    }
    assert_eq!((house.count("users").await, house.count("sessions").await), (1, 1));
}

#[tokio::test]
async fn h25_however_often_somebody_presses_the_application_gets_one_code() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks().with("login_hint", "con@a.test");
    let mut con = Person::new("con@a.test");
    let page = con.follows(&ask).await;
    let form = page.picker();
    let choices = [page.choice("A Corporation"), page.choice("B Corporation")];
    let presses = (0..12).map(|number| {
        let (mut browser, form) = (con.browser.clone(), form.clone().with("choice", &choices[number % 2]));
        async move { browser.submit(&form).await }
    });
    let answers = join_all(presses).await;
    let led: BTreeSet<_> = answers.iter().filter_map(|answer| answer.location()).collect();
    let there: Vec<_> = led.iter().filter(|url| url.query_pairs().any(|(name, _)| name == "code")).collect();
    assert_eq!((there.len(), house.events_of("login.code_issued").await), (1, 1), "{led:?}");
    // Everybody who pressed the same gets there; the others are told that it has ended, and nothing of the code.
    let won = answers.iter().position(|answer| answer.location().is_some()).unwrap() % 2;
    for (number, answer) in answers.iter().enumerate() {
        if number % 2 == won {
            assert_eq!(answer.status, 303, "{}", answer.body);
        } else {
            assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "{}", answer.body);
            assert!(answer.body.contains("has already ended"), "{}", answer.body);
        }
    }
    let form = form.with("choice", &choices[won]);
    // What is kept for them tells nobody else the code.
    let flow: FlowId = form.action.path().split('/').nth(2).unwrap().parse().unwrap();
    let kept = house.broker.ephemeral.get(Kind::FlowEnd, &flow.to_string()).await.unwrap().unwrap();
    let code = there[0].query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    for text in [code.as_str(), "rp1.test"] {
        assert!(!kept.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
    // Whoever has not been told, because they have pressed once more, is told now; nobody else is.
    let again = con.browser.clone().submit(&form).await;
    assert_eq!(again.location().as_ref(), Some(there[0]));
    let mut other = Person::new("con@a.test");
    other.follows(&Application::rp1(&house).asks().with("login_hint", "con@a.test")).await;
    assert_eq!(other.browser.submit(&form).await.status, 403);
    let told = con.browser.submit(&form).await;
    assert_eq!(told.location().as_ref(), Some(there[0]));
    assert_eq!(con.browser.submit(&form).await.status, 403);
    assert_eq!(house.events_of("login.code_issued").await, 1);
}

#[tokio::test]
async fn h25_whoever_chooses_twice_leaves_twice_and_comes_back_from_the_last() {
    let second = "connections = [\"cb\", \"cb2\"]";
    let other = "\n[connection.cb2]\norganization = \"org-b\"\ntype = \"oidc\"\ndisplay_name = \"B2\"\nstate = \"active\"\n\
                 issuer = \"{idp_a}\"\nclient_id = \"behalf\"\nclient_secret = { env = \"CA_SECRET\" }\n";
    let house = Plan::default().with("connections = [\"cb\"]", second).and(other).build().await;
    house.idp_a.says(Says::that("bob-there", "bob@b.test"));
    let (cb, cb2) = (house.connection("cb").await, house.connection("cb2").await);
    let ca = house.connection("ca").await;
    // However they got to the chooser.
    for (name, value) in [("login_hint", "bob@b.test"), ("domain_hint", "b.test"), ("organization", "org-b")]
    {
        let ask = Application::rp1(&house).asks().with(name, value);
        for chosen in [[&cb2, &cb2], [&cb, &cb2]] {
            let mut bob = Person::new("bob@b.test");
            let first = bob.browser.get(&ask.url()).await;
            let form = bob.walks(&ask, first, |_| false).await.form_with("connection");
            let mut left = Vec::new();
            for id in chosen {
                let away = bob.browser.submit(&form.clone().with("connection", id)).await;
                assert_eq!(away.status, 303, "{name}: {}", away.body);
                left.push(away);
            }
            let arrival = bob.goes_on(&ask, left.remove(1)).await;
            assert_eq!(ask.redeems(&arrival).await.id["idp"], json!(cb2), "{name}");
        }
        // Nobody gets by that to what was not offered; and they come back from where they were sent all the same.
        let mut bob = Person::new("bob@b.test");
        let first = bob.browser.get(&ask.url()).await;
        let form = bob.walks(&ask, first, |_| false).await.form_with("connection");
        let away = bob.browser.submit(&form.clone().with("connection", &cb2)).await;
        let refused = bob.browser.submit(&form.with("connection", &ca)).await;
        assert_eq!((refused.status.as_u16(), refused.location()), (403, None), "{name}: {}", refused.body);
        let arrival = bob.goes_on(&ask, away).await;
        assert_eq!(ask.redeems(&arrival).await.id["idp"], json!(cb2), "{name}");
        // What is switched off by now, or was never there, takes no other choice away.
        for (wrong, is_off) in [(ca.as_str(), false), ("nonsense", false), (cb.as_str(), true)] {
            let mut bob = Person::new("bob@b.test");
            let first = bob.browser.get(&ask.url()).await;
            let form = bob.walks(&ask, first, |_| false).await.form_with("connection");
            let set = |state: &str| format!("UPDATE connections SET state = '{state}' WHERE slug = 'cb'");
            house.execute(&set(if is_off { "disabled" } else { "active" })).await;
            let refused = bob.browser.submit(&form.clone().with("connection", wrong)).await;
            assert_eq!(
                (refused.status.as_u16(), refused.location()),
                (403, None),
                "{wrong}: {}",
                refused.body
            );
            let flow = form.action.as_str().strip_suffix("/identify").unwrap();
            let again = bob.browser.get(flow).await;
            assert_eq!(again.body.contains(&cb), !is_off, "{wrong}: {}", again.body);
            let away =
                bob.browser.submit(&again.form_with_button("connection").with("connection", &cb2)).await;
            let arrival = bob.goes_on(&ask, away).await;
            assert_eq!(ask.redeems(&arrival).await.id["idp"], json!(cb2), "{name} {wrong}");
            house.execute(&set("active")).await;
        }
    }
}

#[tokio::test]
async fn h25_whoever_gives_up_while_an_answer_is_awaited_has_given_up() {
    let house = House::opens().await;
    let let_go = Arc::new(Semaphore::new(0));
    let ask = Application::rp1(&house).asks();
    let mut ann = Person::new("ann@a.test");
    let back = ann.is_sent_back(&ask).await;
    house.idp_a.door("/token", Some(Door::Waits(Arc::clone(&let_go))));
    let mut slow = ann.browser.clone();
    let callback = back.clone();
    let waiting = tokio::spawn(async move { slow.get(callback.as_str()).await });
    let asked = house.idp_a.hits("/token");
    while house.idp_a.hits("/token") == asked {
        tokio::task::yield_now().await;
    }
    let issued = house.events_of("login.code_issued").await;
    let flow = back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let flow = flow.split_once('.').unwrap().0.to_owned();
    let page = ann.browser.get(&format!("{}/login/{flow}", house.url)).await;
    let cancel = page.forms().into_iter().find(|form| form.action.path().ends_with("/cancel"));
    let given_up = ann.browser.submit(&cancel.unwrap()).await;
    let told = given_up.location().unwrap();
    assert!(told.query_pairs().any(|(name, value)| name == "error" && value == "access_denied"), "{told}");
    let_go.add_permits(1);
    let late = waiting.await.unwrap();
    assert_eq!(late.location(), Some(told));
    assert_eq!(house.events_of("login.code_issued").await, issued);
}

#[tokio::test]
async fn h25_back_and_forward_lead_to_the_same_answer() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let mut ann = Person::new("ann@a.test");
    let back = ann.is_sent_back(&ask).await;
    let state = back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let flow = format!("{}/login/{}", house.url, state.split_once('.').unwrap().0);
    assert!(ann.browser.get(&flow).await.body.contains("name=\"email\""));
    let answer = ann.browser.get(back.as_str()).await;
    let arrival = ann.goes_on(&ask, answer).await;
    ask.redeems(&arrival).await;
}

#[tokio::test]
async fn h25_the_twenty_first_tab_drops_the_oldest_alone() {
    let house = House::opens().await;
    let mut asks = twenty(&house);
    asks.push((
        Application::rp1(&house).asks().with("login_hint", "con@a.test").with("organization", "org-a"),
        "org-a",
    ));
    let mut con = Person::new("con@a.test");
    let mut held = Vec::new();
    for (ask, _) in &asks {
        held.push(con.is_sent_back(ask).await);
        house.turn_clock(1);
    }
    let before = house.before().await;
    assert_eq!(con.browser.get(held[0].as_str()).await.status, 403);
    house.refused(&before, "flow_expired").await;
    for at in shuffled(20).into_iter().map(|at| at + 1) {
        let answer = con.browser.get(held[at].as_str()).await;
        let arrival = con.goes_on(&asks[at].0, answer).await;
        asks[at].0.redeems(&arrival).await;
    }
}

#[tokio::test]
async fn h25_two_tabs_of_a_first_visit_both_come_through() {
    let house = House::opens().await;
    let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
    let (one, two) = (rp1.asks(), rp2.asks());
    let mut con = Person::new("con@a.test");
    let (first, second) = (con.is_sent_back(&one).await, con.is_sent_back(&two).await);
    // Both are sent before either is answered, so neither brings the session's cookie.
    let tab = con.browser.jar.clone();
    let answer = con.browser.get(first.as_str()).await;
    let first = con.goes_on(&one, answer).await;
    let with_both = con.browser.jar.clone();
    con.browser.jar = tab;
    let answer = con.browser.get(second.as_str()).await;
    let second = con.goes_on(&two, answer).await;
    assert!(first.is_picker() && second.is_picker(), "{} {}", first.told(), second.told());
    // The browser keeps the flows of both, and the session's cookie that came last.
    let root = house.url.parse().unwrap();
    let last = con.browser.jar.value(&root, "__Host-behalf").unwrap().to_owned();
    let mut jar = with_both;
    jar.take(&root, &format!("__Host-behalf={last}; Path=/; Secure; HttpOnly; SameSite=Lax"));
    con.browser.jar = jar;

    let of_one = con.picks(&one, &first, "A Corporation").await;
    let of_two = con.picks(&two, &second, "B Corporation").await;
    let (of_one, of_two) = (one.redeems(&of_one).await, two.redeems(&of_two).await);
    assert_eq!(of_one.id["org_id"], json!(house.organization("org-a").await));
    assert_eq!(of_two.id["org_id"], json!(house.organization("org-b").await));
    assert_eq!(of_one.id["sub"], of_two.id["sub"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn h25_two_tabs_of_a_first_visit_come_back_at_the_same_moment() {
    let house = House::opens().await;
    let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
    for number in 0..10 {
        let email = format!("new{number}@a.test");
        let mut person = Person::new(&email);
        let (one, two) = (rp1.asks(), rp2.asks());
        let (first, second) = (person.is_sent_back(&one).await, person.is_sent_back(&two).await);
        let cookies = person.browser.jar.header(&first).unwrap();
        let returns = |to: Url| {
            let request = line().get(to).header(COOKIE, cookies.clone());
            tokio::spawn(async move { request.send().await.unwrap() })
        };
        let (first, second) = tokio::join!(returns(first), returns(second));
        let mut subjects = Vec::new();
        for (ask, answer) in [(&one, first.unwrap()), (&two, second.unwrap())] {
            let to = answer.headers()[LOCATION].to_str().unwrap().to_owned();
            assert!(to.starts_with(&ask.application.redirect_uri), "{number}: {} to {to}", answer.status());
            let to: Url = to.parse().unwrap();
            let told: BTreeMap<_, _> = to.query_pairs().into_owned().collect();
            assert_eq!(told.get("state").map(String::as_str), ask.value("state"), "{number}");
            let tokens = ask.reads(&ask.redemption(&told["code"]).send().await).await;
            assert_eq!(tokens.id["email"], json!(email));
            subjects.push(tokens.id["sub"].clone());
        }
        assert_eq!(subjects[0], subjects[1], "one person came to be, {number}");
    }
    assert_eq!((house.count("users").await, house.count("memberships").await), (10, 10));
}
