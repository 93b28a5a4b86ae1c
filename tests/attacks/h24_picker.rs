//! H24: nobody but the person, on our own page, says for whom they act.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::house::application::{Application, Arrival, Person};
use crate::house::broker::House;
use crate::house::form::Form;
use crate::house::visitor::Answer;

/// Con's browser, in front of the picker of rp1.
async fn at_the_picker(house: &House) -> (Person, crate::house::application::Ask, Arrival) {
    let ask = Application::rp1(house).asks();
    let mut con = Person::new("con@a.test");
    let page = con.follows(&ask).await;
    assert!(page.is_picker(), "{}", page.told());
    (con, ask, page)
}

fn pressed(form: &Form) -> Form {
    let (name, value) = form.buttons[0].clone();
    form.clone().with(&name, &value)
}

async fn posts(con: &mut Person, form: &Form, headers: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    con.browser
        .request(Method::POST, form.action.as_str(), |mut request| {
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
        })
        .await
}

#[tokio::test]
async fn h24_what_another_site_posts_picks_nothing() {
    let house = House::opens().await;
    let (mut con, ask, page) = at_the_picker(&house).await;
    let (_, _, other) = at_the_picker(&house).await;
    let form = page.picker();
    let other = other.picker().value("csrf").unwrap().to_owned();
    let good = pressed(&form);
    let mut without = good.clone();
    without.fields.retain(|(name, _)| name != "csrf");
    let origin = house.url.clone();
    let upper = good.value("csrf").unwrap().to_ascii_uppercase();
    for (what, form, headers) in [
        ("from another site", &good, vec![("Sec-Fetch-Site", "cross-site")]),
        ("from a sibling", &good, vec![("Sec-Fetch-Site", "same-site")]),
        ("from who knows where", &good, vec![("Sec-Fetch-Site", "anywhere")]),
        ("of another origin", &good, vec![("Origin", "https://evil.test")]),
        ("of a longer origin", &good, vec![("Origin", "http://127.0.0.1.evil.test")]),
        ("of both", &good, vec![("Sec-Fetch-Site", "cross-site"), ("Origin", origin.as_str())]),
        ("without the form's token", &without, vec![]),
        ("with an empty token", &good.clone().with("csrf", ""), vec![]),
        ("with another flow's token", &good.clone().with("csrf", &other), vec![]),
        ("with the token in capitals", &good.clone().with("csrf", &upper), vec![]),
    ] {
        let before = house.before().await;
        let answer = posts(&mut con, form, &headers).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "{what}: {}", answer.body);
        house.refused(&before, "foreign_form").await;
    }
    let before = house.before().await;
    let twice = format!("csrf={}&csrf={}&choice={}", good.value("csrf").unwrap(), other, form.buttons[0].1);
    let answer = con
        .browser
        .request(Method::POST, form.action.as_str(), |request| {
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(twice)
        })
        .await;
    assert_eq!(answer.status, 400);
    house.refused(&before, "parameter_twice").await;
    // The same from our own page.
    let answer = posts(&mut con, &good, &[("Sec-Fetch-Site", "same-origin"), ("Origin", &origin)]).await;
    ask.redeems(&con.goes_on(&ask, answer).await).await;
}

#[tokio::test]
async fn h24_looking_is_not_picking() {
    let house = House::opens().await;
    let (mut con, ask, page) = at_the_picker(&house).await;
    let form = pressed(&page.picker());
    let before = house.before().await;
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    let flow = form.action.as_str().trim_end_matches("/organization").to_owned();
    for url in [
        format!("{}?{query}", form.action),
        format!("{flow}?{query}"),
        format!("{flow}/organizations?{query}"),
        format!("{flow}/cancel?{query}"),
        format!("{flow}/restart?{query}"),
        format!("{flow}/identify?{query}"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = con.browser.request(method, &url, |request| request).await;
            assert!([200, 303, 405].contains(&answer.status.as_u16()), "{url}: {}", answer.status);
            // At most back to the page, without what was in the address.
            assert!(answer.location().is_none_or(|to| to.as_str() == flow), "{url}: {:?}", answer.location());
        }
    }
    // By POST, the choice stands in the body alone.
    let mut empty = form.clone();
    empty.fields.retain(|(name, _)| name != "choice");
    empty.action.set_query(Some(&query));
    let answer = posts(&mut con, &empty, &[]).await;
    assert!(answer.status.is_client_error() && answer.location().is_none(), "{}", answer.status);
    house.unchanged(&before).await;
    con.picks(&ask, &page, "B Corporation").await.code();
}

#[tokio::test]
async fn h24_a_picker_of_one_person_is_not_answered_by_the_next_one_at_that_browser() {
    let house = House::opens().await;
    let (mut con, _, page) = at_the_picker(&house).await;
    // In another tab Bob signs in.
    let mut bob = Person { browser: con.browser, email: "bob@b.test".into() };
    let rp2 = Application::rp2(&house);
    let of_bob = rp2.asks().with("login_hint", "bob@b.test");
    bob.follows(&of_bob).await.code();
    con = Person { browser: bob.browser, email: "con@a.test".into() };
    for button in page.picker().buttons {
        let before = house.before().await;
        let answer = con.browser.submit(&page.picker().with(&button.0, &button.1)).await;
        let code = answer.location().is_some_and(|to| to.query_pairs().any(|(name, _)| name == "code"));
        assert!(!code, "{answer:?}");
        // Whoever sits there is at hand: the application is told nothing yet.
        assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "{}", answer.body);
        for way in ["/restart", "/cancel"] {
            let offers = answer.forms().iter().any(|form| form.action.path().ends_with(way));
            assert!(offers || answer.body.contains("Your sign-in goes on"), "{way}: {}", answer.body);
        }
        house.unchanged(&before).await;
    }
    // Nor after a sign-out.
    let (mut con, _, page) = at_the_picker(&house).await;
    let out = con.browser.get(&format!("{}/logout", house.url)).await;
    con.browser.submit(&out.form().with("sign_out", "yes")).await;
    let before = house.before().await;
    let answer = con.browser.submit(&pressed(&page.picker())).await;
    let code = answer.location().is_some_and(|to| to.query_pairs().any(|(name, _)| name == "code"));
    assert!(!code, "{answer:?}");
    house.refused(&before, "session_ended").await;
}

#[tokio::test]
async fn h24_two_tabs_act_for_two_organizations_and_neither_knows_of_the_other() {
    let house = House::opens().await;
    let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
    let (one, two) = (rp1.asks(), rp2.asks());
    let mut con = Person::new("con@a.test");
    let first = con.follows(&one).await;
    let second = con.follows(&two).await;
    assert!(first.is_picker() && second.is_picker());
    let of_two = con.picks(&two, &second, "B Corporation").await;
    let of_one = con.picks(&one, &first, "A Corporation").await;
    let (of_one, of_two) = (one.redeems(&of_one).await, two.redeems(&of_two).await);
    let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
    assert_eq!((&of_one.id["org_id"], &of_one.access["org_id"]), (&json!(a), &json!(a)));
    assert_eq!((&of_two.id["org_id"], &of_two.access["org_id"]), (&json!(b), &json!(b)));
    assert_eq!(of_one.id["sub"], of_two.id["sub"]);
    // What was picked is nobody's default: the next login asks again.
    assert!(con.follows(&rp1.asks()).await.is_picker());
}

#[tokio::test]
async fn h24_the_picker_says_for_which_application_and_through_whom() {
    let house = House::opens().await;
    let (_, _, page) = at_the_picker(&house).await;
    for shown in ["First App", "A Corporation", "B Corporation", "A Login", "con@a.test"] {
        assert!(page.answer.body.contains(shown), "{shown}: {}", page.answer.body);
    }
    assert_eq!(page.choices(), ["A Corporation", "B Corporation"]);
}

#[tokio::test]
async fn h24_whoever_signs_out_and_in_again_goes_on_at_their_picker() {
    let house = House::opens().await;
    let (mut con, ask, page) = at_the_picker(&house).await;
    let out = con.browser.get(&format!("{}/logout", house.url)).await;
    con.browser.submit(&out.form().with("sign_out", "yes")).await;
    let elsewhere = Application::rp2(&house).asks();
    assert!(con.follows(&elsewhere).await.is_picker());
    let tokens = ask.redeems(&con.picks(&ask, &page, "B Corporation").await).await;
    assert_eq!(tokens.id["org_id"], json!(house.organization("org-b").await));
    // It is the session that they have now, and not the one that has ended.
    assert_eq!(house.count("sessions").await, 2);
    let silent = elsewhere.clone().with("prompt", "none").with("organization", "org-b");
    assert_eq!(silent.redeems(&con.follows(&silent).await).await.id["sid"], tokens.id["sid"]);
}
