//! Whoever is within a login is spoken to in its language, whatever becomes of the step that they take.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_saml_idp::{Says, posts};
use crate::house::visitor::Answer;

fn is_german(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    assert!(answer.body.contains("lang=\"de\""), "{what}: {}", answer.body);
}

#[tokio::test]
async fn every_page_of_a_login_is_in_the_language_that_its_application_asked_for() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks().with("ui_locales", "de");
    let mut ann = Person::new("ann@a.test");
    let page = ann.browser.get(&ask.url()).await;
    is_german(&page, 200, "the first page");
    let form = page.form_with("email");
    let foreign = form.clone().with("csrf", "guessed").with("email", "ann@a.test");
    is_german(&ann.browser.submit(&foreign).await, 403, "a form from elsewhere");
    let twice = ann.browser.request(Method::POST, form.action.as_str(), |request| {
        request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("Accept", "text/html")
            .body("csrf=a&csrf=b")
    });
    is_german(&twice.await, 400, "what is no form of ours");
    let back = ann.is_sent_back(&ask).await;
    let again = back.clone();
    let arrival = ann.browser.get(back.as_str()).await;
    let arrival = ann.goes_on(&ask, arrival).await;
    arrival.code();
    is_german(&ann.browser.submit(&form.with("email", "no address")).await, 422, "an address that is none");
    house.turn_clock(house.broker.config.login.flow_lifetime + 1);
    is_german(&ann.browser.submit(&foreign).await, 403, "a login that is over");
    // Whoever never had it is spoken to as their browser wishes.
    let stranger = Person::new("x@a.test").browser.get(again.as_str()).await;
    assert!(stranger.status == 403 && stranger.body.contains("lang=\"en\""), "{}", stranger.body);
}

#[tokio::test]
async fn an_answer_that_comes_again_or_is_wrong_is_told_in_the_language_of_its_login() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks().with("ui_locales", "de").with("login_hint", "con@a.test");
    let mut con = Person::new("con@a.test");
    let back = con.is_sent_back(&ask).await;
    let answer = con.browser.get(back.as_str()).await;
    assert!(con.goes_on(&ask, answer).await.is_picker());
    let again = con.browser.get(back.as_str()).await;
    is_german(&again, 403, "an answer that comes again");
    assert!(again.body.contains("Ihre Anmeldung geht weiter"), "{}", again.body);
    let flow = back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let flow = flow.split_once('.').unwrap().0.to_owned();
    let goes_on = format!("/login/{flow}");
    assert!(again.body.replace("&#x2f;", "/").contains(&format!("href=\"{goes_on}\"")), "{}", again.body);
    // And the picker is there, however it is asked for.
    for query in ["", "?q=%ff", "?q=a&q=b"] {
        let page = con.browser.get(&format!("{}{goes_on}/organizations{query}", house.url)).await;
        is_german(&page, 200, query);
        assert!(page.body.contains("name=\"choice\""), "{}", page.body);
    }
}

#[tokio::test]
async fn a_saml_answer_that_is_refused_is_told_in_the_language_of_its_login() {
    let house = Plan::saml().build().await;
    let ask = Application::rp1(&house).asks().with("ui_locales", "de").with("login_hint", "bob@b.test");
    let mut bob = Person::new("bob@b.test");
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let says = Says::that("bob@b.test");
    let xml = house.saml("cb").answers(&asked, &says).replace("bob@", "eve@");
    is_german(&posts(&mut bob.browser, &asked, xml).await, 403, "an answer that somebody has changed");
}

#[tokio::test]
async fn whoever_goes_on_with_another_account_is_spoken_to_as_before() {
    let house = House::opens().await;
    let mut ann = Person::new("ann@a.test");
    let looks = async |path: &str| {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", house.url) };
        let mut browser = Person::new("").browser;
        browser.request(Method::GET, &url, |request| request.header("Accept", "text/html")).await
    };
    for path in ["/nothing", "/logout", "/device", "/authorize?client_id=nobody", "/p/nobody/"] {
        let joint = if path.contains('?') { '&' } else { '?' };
        let page = looks(&format!("{path}{joint}ui_locales=de")).await;
        assert!(page.body.contains("lang=\"de\""), "{path}: {}", page.body);
        let link = page.quiet_link("Anderes Konto verwenden").replace("&#x3a;", ":");
        is_german(&looks(&link).await, 200, path);
        // As the browser wishes, where nobody has asked for a language.
        let link = looks(path).await.quiet_link("Use another account").replace("&#x3a;", ":");
        assert!(!link.contains("ui_locales"), "{path}: {link}");
    }
    // And so is whoever comes to their own account, and has to sign in first.
    let first = ann.browser.get(&format!("{}/account?ui_locales=de", house.url)).await;
    let account = ann.goes_on(&Application::rp1(&house).asks(), first).await;
    assert_eq!(account.answer.url.path(), "/account", "{}", account.told());
    assert!(account.pages.iter().all(|page| page.contains("lang=\"de\"")), "{}", account.told());
}
