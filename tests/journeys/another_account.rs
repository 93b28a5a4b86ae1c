//! "Use another account" on the pages that belong to no login any more, or never did.

use reqwest::Method;

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::visitor::Answer;

async fn looks(house: &House, person: &mut Person, path: &str) -> Answer {
    let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", house.url) };
    person.browser.request(Method::GET, &url, |request| request.header("Accept", "text/html")).await
}

/// The link asks as whom somebody wants to sign in, and nobody is signed out by it.
async fn leads_to_the_question(house: &House, person: &mut Person, page: &Answer) {
    let before = house.before().await;
    let link = page.quiet_link("Use another account");
    let asked = looks(house, person, &link).await;
    assert!(asked.form_with("email").action.path().ends_with("/identify"), "{}", asked.body);
    house.unchanged(&before).await;
    let still = person.follows(&Application::rp1(house).asks().with("prompt", "none")).await;
    assert!(!still.code().is_empty());
}

#[tokio::test]
async fn another_account_is_offered_where_nothing_is_known_of_a_login() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let mut ann = Person::new("ann@a.test");
    ask.redeems(&ann.follows(&ask).await).await;
    for (what, url, status) in [
        ("an unknown client", ask.clone().with("client_id", "nobody").url(), 400),
        ("a foreign address", ask.clone().with("redirect_uri", "https://evil.test/").url(), 400),
        ("no address at all", ask.clone().without("redirect_uri").url(), 400),
        ("a sign-out", "/logout".to_owned(), 200),
        ("no such page", "/nothing/here".to_owned(), 404),
        ("no such project", "/p/nobody/".to_owned(), 404),
        ("another method", "/token".to_owned(), 405),
        ("no such flow", "/login/flow_01m80000000000000000000000".to_owned(), 403),
        ("the front door", "/".to_owned(), 200),
        ("an invitation that is none", "/invitations/nothing".to_owned(), 404),
    ] {
        let page = looks(&house, &mut ann, &url).await;
        assert_eq!(page.status, status, "{what}: {}", page.body);
        leads_to_the_question(&house, &mut ann, &page).await;
    }
    // Of a project, to the sign-in of that project.
    let page = looks(&house, &mut ann, "/p/default/nothing").await;
    assert_eq!(page.quiet_link("Use another account"), "/account/sign-in?another=yes");
}

#[tokio::test]
async fn another_account_is_offered_by_the_name_that_is_ours() {
    let house = House::opens().await;
    let url = format!("{}/", house.url);
    let page = Person::new("ann@a.test")
        .browser
        .request(Method::GET, &url, |request| {
            request.header("Accept", "text/html").header("Host", "evil.test")
        })
        .await;
    assert_eq!(page.status, 421, "{}", page.body);
    let expected = format!("{}/account/sign-in?another=yes", house.url);
    assert_eq!(page.quiet_link("Use another account").replace("&#x3a;", ":"), expected);
}

#[tokio::test]
async fn another_account_is_offered_where_a_login_has_ended_goes_on_or_begins_again() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let mut con = Person::new("con@a.test");
    // The page to which it leads offers it again: the address may be another one still.
    let first = con.browser.get(&ask.url()).await;
    let mut page = first;
    for _ in 0..2 {
        page = con
            .browser
            .submit(&page.form_with_button("another_account").with("another_account", "yes"))
            .await;
        assert!(page.form_with("email").action.path().ends_with("/identify"), "{}", page.body);
    }
    let back = con.is_sent_back(&ask).await;
    let answer = con.browser.get(back.as_str()).await;
    let picker = con.goes_on(&ask, answer).await;
    // An answer that was used: the login goes on, with this account or another.
    let used = con.browser.get(back.as_str()).await;
    assert!(used.status == 403 && used.body.contains("Your sign-in goes on"), "{}", used.body);
    let before = house.before().await;
    let form = used.form_with_button("another_account").with("another_account", "yes");
    let asked = con.browser.clone().submit(&form).await;
    assert!(asked.form_with("email").action.path().ends_with("/identify"), "{}", asked.body);
    house.unchanged(&before).await;
    // One that is over here, and in another browser.
    let mut other = con.browser.clone();
    con.picks(&ask, &picker, "A Corporation").await;
    house.turn_clock(house.broker.config.login.flow_lifetime + 1);
    other.jar = con.browser.jar.clone();
    for mut browser in [other, Person::new("x@a.test").browser] {
        let over = browser.get(back.as_str()).await;
        assert!(over.status == 403 && over.body.contains("Please start again"), "{}", over.body);
        assert_eq!(over.quiet_link("Use another account"), "/account/sign-in?another=yes");
    }
}

#[tokio::test]
async fn another_account_is_offered_to_whoever_comes_too_often() {
    let house =
        Plan { settings: |config| config.login.flows_per_minute = 2, ..Plan::default() }.build().await;
    let mut ann = Person::new("ann@a.test");
    let mut page = looks(&house, &mut ann, "/account/sign-in").await;
    for _ in 0..3 {
        page = looks(&house, &mut ann, "/account/sign-in").await;
    }
    assert_eq!(page.status, 429, "{}", page.body);
    assert_eq!(page.quiet_link("Use another account"), "/account/sign-in?another=yes");
}
