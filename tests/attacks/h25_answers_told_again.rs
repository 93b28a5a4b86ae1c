//! H25: whoever presses twice, or loads a page again, is told what they would have been told; nobody else is, and nothing is
//! done twice.

use std::fs;
use std::path::Path;
use std::sync::{Arc, mpsc};

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use url::Url;

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{DEFAULT, House, Plan};
use crate::house::form::Form;
use crate::house::lying_idp::Door;
use crate::house::lying_saml_idp::{Says, posts};
use crate::house::visitor::{Answer, Visitor};
use behalf::config::Config;
use behalf::store::durable::engine::StoreError;
use behalf::store::ephemeral::Kind;

const RP1: &str = "redirect_uris = [\"https://rp1.test/callback\"]";

/// Somebody at the picker, and the choice of their own organization.
async fn at_the_picker(house: &House, mode: &str) -> (Person, Ask, Form) {
    let ask = Application::rp1(house).asks().with("response_mode", mode);
    let mut con = Person::new("con@a.test");
    let page = con.follows(&ask).await;
    let form = page.picker().with("choice", &page.choice("A Corporation"));
    (con, ask, form)
}

/// What the application would get of an answer, however it travels.
fn told(answer: &Answer) -> String {
    let location = answer.location().map(|url| url.query().unwrap_or_default().to_owned());
    location.unwrap_or_else(|| {
        let form =
            answer.forms().into_iter().find(|form| form.action.as_str() == "https://rp1.test/callback");
        let form = form.unwrap_or_else(|| panic!("{} {}", answer.status, answer.body));
        form.fields.iter().map(|(name, value)| format!("{name}={value}&")).collect()
    })
}

#[tokio::test]
async fn h25_however_an_answer_travels_whoever_presses_twice_gets_it() {
    let house = House::opens().await;
    for mode in ["query", "form_post", "query.jwt", "form_post.jwt"] {
        let (con, _, form) = at_the_picker(&house, mode).await;
        let issued = house.events_of("login.code_issued").await;
        let presses = (0..4).map(|_| {
            let (mut browser, form) = (con.browser.clone(), form.clone());
            async move { browser.submit(&form).await }
        });
        let mut answers = join_all(presses).await;
        // And once more, whose browser has not seen any of them.
        answers.push(con.browser.clone().submit(&form).await);
        let first = told(&answers[0]);
        assert!(first.contains("code=") || first.contains("response="), "{mode}: {first}");
        for answer in &answers {
            assert_eq!(told(answer), first, "{mode}");
            let headers = |name| answers[0].header(name) == answer.header(name);
            assert!(headers("content-security-policy") && headers("cache-control"), "{mode}");
        }
        assert_eq!(house.events_of("login.code_issued").await, issued + 1, "{mode}");
        // A stranger with the same form is told nothing.
        assert_eq!(Visitor::arrives().submit(&form).await.status, 403, "{mode}");
    }
}

#[tokio::test]
async fn h25_whoever_gives_up_twice_has_given_up_in_every_way() {
    let house = House::opens().await;
    let (con, _, form) = at_the_picker(&house, "form_post").await;
    let mut cancel = form.clone();
    cancel.action = form.action.as_str().replace("/organization", "/cancel").parse().unwrap();
    let (first, second) =
        (con.browser.clone().submit(&cancel).await, con.browser.clone().submit(&cancel).await);
    assert!(told(&first).contains("error=access_denied"), "{}", told(&first));
    assert_eq!(told(&first), told(&second));
}

#[tokio::test]
async fn h24_a_code_is_told_again_to_the_press_that_it_answers_and_to_no_other() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let mut con = Person::new("con@a.test");
    let page = con.follows(&ask).await;
    let picker = page.picker();
    let pressed = picker.clone().with("choice", &page.choice("A Corporation"));
    let at = |step: &str| {
        let action = picker.action.as_str().replace("/organization", step);
        Form { action: action.parse().unwrap(), ..picker.clone() }
    };
    let code = told(&con.browser.clone().submit(&pressed).await);
    assert!(code.contains("code="), "{code}");
    // Whose browser has taken the answer, and whose application still looks at it.
    let mut browser = con.browser.clone();
    assert_eq!(told(&browser.submit(&pressed).await), code);
    let late = browser.submit(&pressed).await;
    assert_eq!((late.status.as_u16(), late.location()), (403, None), "{}", late.body);
    assert!(
        late.body.contains("has already ended") && late.body.contains("Return to First App"),
        "{}",
        late.body
    );
    let others = [
        ("another organization", picker.clone().with("choice", &page.choice("B Corporation"))),
        ("cancel", at("/cancel")),
        ("another account", at("/restart")),
        ("an address", at("/identify").with("email", "con@a.test")),
        ("another page's", pressed.clone().with("csrf", "guessed")),
    ];
    for (what, other) in &others {
        let (mut browser, before) = (con.browser.clone(), house.before().await);
        let answer = browser.submit(other).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "{what}: {}", answer.body);
        assert!(answer.body.contains("has already ended"), "{what}: {}", answer.body);
        assert!(answer.body.contains("Return to First App"), "{what}: {}", answer.body);
        assert!(answer.forms().is_empty() && !answer.body.contains("/callback"), "{what}: {}", answer.body);
        house.refused(&before, "flow_expired").await;
        // Nor is it by pressing the first one again, or by looking, from now on.
        let flow = picker.action.as_str().replace("/organization", "");
        for late in [browser.clone().submit(&pressed).await, browser.get(&flow).await] {
            assert_eq!((late.status.as_u16(), late.location()), (403, None), "{what}: {}", late.body);
        }
    }
    assert_eq!(told(&con.browser.clone().submit(&pressed).await), code);
    assert_eq!(house.events_of("login.code_issued").await, 1);
}

#[tokio::test]
async fn h24_whoever_gives_up_and_then_picks_has_given_up() {
    let house = House::opens().await;
    let (con, _, form) = at_the_picker(&house, "query").await;
    let mut cancel = form.clone();
    cancel.action = form.action.as_str().replace("/organization", "/cancel").parse().unwrap();
    let given_up = told(&con.browser.clone().submit(&cancel).await);
    assert!(given_up.contains("error=access_denied"), "{given_up}");
    let before = house.before().await;
    let answer = con.browser.clone().submit(&form).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "{}", answer.body);
    assert!(answer.body.contains("has already ended"), "{}", answer.body);
    house.refused(&before, "flow_expired").await;
}

/// An operator's own pages may be longer than what is kept: that is told once, and told.
#[tokio::test]
async fn h25_an_answer_that_is_too_long_to_be_kept_is_given() {
    let settings = |config: &mut Config| {
        let database = config.database.url.strip_prefix("sqlite:").unwrap();
        let templates = Path::new(database).with_file_name("templates");
        let layout = include_str!("../../templates/layout.html");
        fs::create_dir(&templates).unwrap();
        fs::write(templates.join("layout.html"), format!("{layout}<!-- {} -->", "x".repeat(70_000))).unwrap();
        config.pages.templates = Some(templates);
    };
    let house = Plan { settings, ..Plan::default() }.build().await;
    let (mut con, _, form) = at_the_picker(&house, "form_post").await;
    let answer = con.browser.submit(&form).await;
    assert!(answer.body.len() > 70_000, "{} {}", answer.status, answer.body.len());
    assert!(told(&answer).contains("code="), "{}", told(&answer));
    // And what a callback comes to.
    let mut ann = Person::new("ann@a.test");
    let back = ann.is_sent_back(&Application::rp1(&house).asks()).await;
    house.idp_a.door("/token", Some(Door::Status(500)));
    let refused = ann.browser.get(back.as_str()).await;
    assert!(
        refused.body.len() > 70_000 && !refused.forms().is_empty(),
        "{} {}",
        refused.status,
        refused.body.len()
    );
}

/// What the operator has taken away since is told nothing, however fresh the answer is.
#[tokio::test]
async fn c26_an_answer_is_not_told_again_where_nobody_is_answered_any_more() {
    let post = format!("{RP1}\nresponse_modes = [\"query\", \"form_post\"]");
    let changes = [
        ("the address", RP1.replace("/callback", "/elsewhere")),
        ("the way", format!("{RP1}\nresponse_modes = [\"query\"]")),
        ("the application", format!("{RP1}\nenabled = false")),
    ];
    for (what, change) in changes {
        let house = Plan::default().with(RP1, &post).build().await;
        let (con, _, form) = at_the_picker(&house, "form_post").await;
        told(&con.browser.clone().submit(&form).await);
        house.provision(&DEFAULT.replace(RP1, &change)).await;
        let before = house.before().await;
        let again = con.browser.clone().submit(&form).await;
        assert_eq!((again.status.as_u16(), again.location()), (403, None), "{what}: {}", again.body);
        assert!(!again.body.contains("rp1.test/callback"), "{what}: {}", again.body);
        house.refused(&before, "flow_expired").await;
    }
}

#[tokio::test]
async fn c26_a_login_under_way_is_not_answered_in_a_way_that_was_taken_away() {
    let post = format!("{RP1}\nresponse_modes = [\"query\", \"form_post\"]");
    let house = Plan::default().with(RP1, &post).build().await;
    let (mut con, _, form) = at_the_picker(&house, "form_post").await;
    house.provision(&DEFAULT.replace(RP1, &format!("{RP1}\nresponse_modes = [\"query\"]"))).await;
    let before = house.before().await;
    let page = con.browser.submit(&form).await;
    assert_eq!((page.status.as_u16(), page.location()), (400, None), "{}", page.body);
    assert!(!page.forms().iter().any(|form| form.action.host_str() == Some("rp1.test")), "{}", page.body);
    house.refused(&before, "bad_request").await;
}

/// A callback whose provider is being waited for.
struct Waiting {
    house: House,
    let_go: Arc<Semaphore>,
    con: Person,
    ask: Ask,
    back: Url,
}

impl Waiting {
    async fn begins() -> Self {
        let house = House::opens().await;
        let let_go = Arc::new(Semaphore::new(0));
        let ask = Application::rp1(&house).asks();
        let mut con = Person::new("con@a.test");
        let back = con.is_sent_back(&ask).await;
        house.idp_a.door("/token", Some(Door::Waits(Arc::clone(&let_go))));
        Self { house, let_go, con, ask, back }
    }

    /// Loads the callback, until the provider is asked.
    async fn loads(&self) -> tokio::task::JoinHandle<Answer> {
        let (mut browser, back) = (self.con.browser.clone(), self.back.clone());
        let asked = self.house.idp_a.hits("/token");
        let loading = tokio::spawn(async move { browser.get(back.as_str()).await });
        while self.house.idp_a.hits("/token") == asked {
            yield_now().await;
        }
        loading
    }

    fn flow(&self) -> String {
        let state = self.back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        format!("{}/login/{}", self.house.url, state.split_once('.').unwrap().0)
    }
}

#[tokio::test]
async fn h25_a_callback_that_is_loaded_again_waits_for_the_provider() {
    let waiting = Waiting::begins().await;
    let first = waiting.loads().await;
    let (mut browser, back) = (waiting.con.browser.clone(), waiting.back.clone());
    let second = tokio::spawn(async move { browser.get(back.as_str()).await });
    waiting.let_go.add_permits(1);
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!(first.status, 303, "{}", first.body);
    assert_eq!(first.location(), second.location());
    assert_eq!(waiting.house.count("sessions").await, 1);
    // By then it was used: another browser, and whoever comes later, is told so.
    let before = waiting.house.before().await;
    assert_eq!(Visitor::arrives().get(waiting.back.as_str()).await.status, 403);
    waiting.house.refused(&before, "flow_expired").await;
}

#[tokio::test]
async fn h25_a_callback_whose_browser_gave_it_up_is_answered_to_the_one_that_loads_it_again() {
    let mut waiting = Waiting::begins().await;
    let first = waiting.loads().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    waiting.let_go.add_permits(1);
    // The browser has got neither an answer nor the cookie of the session.
    let answer = waiting.con.browser.get(waiting.back.as_str()).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let (ask, house) = (waiting.ask.clone(), &waiting.house);
    let picker = waiting.con.goes_on(&ask, answer).await;
    ask.redeems(&waiting.con.picks(&ask, &picker, "A Corporation").await).await;
    assert_eq!((house.count("sessions").await, house.idp_a.hits("/token")), (1, 1));
    // And they are signed in here.
    let silent = Application::rp2(house).asks().with("prompt", "none").with("organization", "org-a");
    waiting.con.follows(&silent).await.code();
}

#[tokio::test]
async fn c28_a_callback_that_is_loaded_again_signs_out_nobody_who_has_signed_in_since() {
    let house = House::opens().await;
    let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
    let mut con = Person::new("con@a.test");
    let back = con.is_sent_back(&rp1.asks()).await;
    assert_eq!(con.browser.get(back.as_str()).await.status, 303);
    let mut bob = Person { browser: con.browser, email: "bob@b.test".to_owned() };
    let ask = rp2.asks().with("prompt", "login").with("login_hint", "bob@b.test");
    let of_bob = bob.follows(&ask).await;
    let who = ask.redeems(&of_bob).await.id["sub"].clone();
    let (before, sessions) = (house.before().await, house.count("sessions").await);
    let again = bob.browser.get(back.as_str()).await;
    assert_eq!((again.status.as_u16(), again.location()), (403, None), "{}", again.body);
    assert_eq!(again.header("set-cookie"), None);
    house.refused(&before, "flow_expired").await;
    let silent = rp2.asks().with("prompt", "none");
    let still = bob.follows(&silent).await;
    assert_eq!(silent.redeems(&still).await.id["sub"], who);
    assert_eq!(house.count("sessions").await, sessions);
}

#[tokio::test]
async fn h25_a_refusal_is_told_to_whoever_waits_for_it() {
    let waiting = Waiting::begins().await;
    let first = waiting.loads().await;
    waiting.house.execute("UPDATE connections SET state = 'disabled' WHERE slug = 'ca'").await;
    let (mut browser, back) = (waiting.con.browser.clone(), waiting.back.clone());
    let running = waiting.house.broker.running();
    let second = tokio::spawn(async move { browser.get(back.as_str()).await });
    while waiting.house.broker.running() == running {
        yield_now().await;
    }
    // It is there by now, and has nothing to do but to wait.
    for _ in 0..1_000 {
        yield_now().await;
    }
    waiting.let_go.add_permits(1);
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!(first.status, StatusCode::FORBIDDEN, "{}", first.body);
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    assert_eq!(waiting.house.count("sessions").await, 0);
}

/// Whoever has reloaded the page, or closed it, before the answer came.
#[tokio::test]
async fn h25_a_refusal_is_told_again_to_its_browser_while_the_login_stands_at_it() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let mut con = Person::new("con@a.test");
    let back = con.is_sent_back(&ask).await;
    house.idp_a.door("/token", Some(Door::Status(500)));
    let refused = con.browser.clone().get(back.as_str()).await;
    assert_eq!(refused.status, StatusCode::BAD_GATEWAY, "{}", refused.body);
    let (asked, before) = (house.idp_a.hits("/token"), house.before().await);
    let again = con.browser.get(back.as_str()).await;
    assert_eq!((again.status, &again.body), (refused.status, &refused.body));
    assert_eq!(house.idp_a.hits("/token"), asked);
    house.unchanged(&before).await;
    assert!(house.events_since(&before).await.is_empty());
    // Another browser is told nothing of it; nor is anybody once the login goes on.
    let stranger = Visitor::arrives().get(back.as_str()).await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN, "{}", stranger.body);
    assert!(stranger.body.contains("Please start again"), "{}", stranger.body);
    house.refused(&before, "flow_expired").await;
    let form = again.form_with_button("another_account").with("another_account", "yes");
    con.browser.submit(&form).await.form_with("email");
    let before = house.before().await;
    let late = con.browser.get(back.as_str()).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN, "{}", late.body);
    assert!(late.body.contains("Your sign-in goes on"), "{}", late.body);
    house.refused(&before, "flow_expired").await;
}

#[tokio::test]
async fn h25_whoever_looks_at_their_login_meanwhile_is_told_that_it_is_running() {
    let mut waiting = Waiting::begins().await;
    let first = waiting.loads().await;
    let flow = waiting.flow();
    let page = waiting.con.browser.get(&flow).await;
    assert_eq!(page.status, StatusCode::ACCEPTED, "{}", page.body);
    assert!(page.body.contains("Your sign-in is still running"), "{}", page.body);
    for way in ["another_account", "cancel"] {
        page.form_with_button(way);
    }
    let (mut browser, again) = (waiting.con.browser.clone(), flow.clone());
    let looking = tokio::spawn(async move { browser.get(&again).await });
    waiting.let_go.add_permits(1);
    let first = first.await.unwrap();
    assert_eq!(first.location().unwrap().as_str(), flow);
    // Whoever waits without the cookie of the session cannot pick: they say anew who they are.
    let looked = looking.await.unwrap();
    assert_eq!(looked.location().unwrap().as_str(), flow);
    let asked = waiting.con.browser.get(&flow).await;
    assert!(asked.form_with("email").action.path().ends_with("/identify"), "{}", asked.body);
    let arrival = waiting.con.goes_on(&waiting.ask.clone(), asked).await;
    assert!(arrival.is_picker(), "{}", arrival.told());
}

/// By then it is taken out of the store, for whoever is proved to be signed in.
#[tokio::test]
async fn h25_whoever_looks_while_they_are_being_signed_in_is_told_that_it_is_running() {
    let mut waiting = Waiting::begins().await;
    // By then it has been written down what the provider says of itself.
    waiting.house.idp_a.door("/token", None);
    Person::new("ann@a.test").follows(&Application::rp1(&waiting.house).asks()).await.code();
    waiting.house.idp_a.door("/token", Some(Door::Waits(Arc::clone(&waiting.let_go))));
    let first = waiting.loads().await;
    let (begun, has_begun) = mpsc::channel();
    let (let_go, held) = mpsc::channel::<()>();
    let db = waiting.house.broker.db.clone();
    let writing = tokio::spawn(async move {
        let held_up = db.write(async move |_| {
            begun.send(()).unwrap();
            held.recv().unwrap();
            Ok::<_, StoreError>(())
        });
        held_up.await.unwrap();
    });
    while has_begun.try_recv().is_err() {
        yield_now().await;
    }
    waiting.let_go.add_permits(1);
    while waiting.house.broker.ephemeral.held(Kind::LoginFlow) > 0 {
        yield_now().await;
    }
    let (flow, before) = (waiting.flow(), waiting.house.before().await);
    let page = waiting.con.browser.get(&flow).await;
    assert_eq!(page.status, StatusCode::ACCEPTED, "{}", page.body);
    assert!(page.body.contains("Your sign-in is still running"), "{}", page.body);
    // Nothing can be begun again or given up in it, and they may look once more.
    let path = flow.strip_prefix(&waiting.house.url).unwrap();
    assert!(page.forms().is_empty(), "{}", page.body);
    assert!(page.body.replace("&#x2f;", "/").contains(&format!("href=\"{path}\"")), "{}", page.body);
    waiting.house.unchanged(&before).await;
    let_go.send(()).unwrap();
    writing.await.unwrap();
    let first = first.await.unwrap();
    assert_eq!(first.location().unwrap().as_str(), flow);
    assert_eq!(waiting.house.count("sessions").await, 2, "Ann's, and Con's");
}

#[tokio::test]
async fn h25_a_saml_answer_that_is_posted_again_goes_on_where_the_first_led() {
    let house = Plan::saml().build().await;
    let ask = Application::rp1(&house).asks();
    let mut bob = Person::new("bob@b.test");
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
    let first = posts(&mut bob.browser.clone(), &asked, &xml).await;
    let before = house.before().await;
    let again = posts(&mut bob.browser, &asked, &xml).await;
    assert_eq!((again.status.as_u16(), again.location()), (403, None), "{}", again.body);
    assert!(again.body.contains("Your sign-in goes on"), "{}", again.body);
    house.refused(&before, "in_response_to").await;
    // The way on is of use to nobody but who holds the login.
    let link = first.location().unwrap();
    let body = again.body.replace("&#x2f;", "/").replace("&#x3d;", "=").replace("&#x3f;", "?");
    assert!(body.contains(&format!("href=\"{}?{}\"", link.path(), link.query().unwrap())), "{}", again.body);
    assert_eq!(Visitor::arrives().get(link.as_str()).await.status, 403);
    // The browser has given up that, too, before it was answered.
    let mut lost = bob.browser.clone();
    assert_eq!(lost.get(link.as_str()).await.status, 303);
    let answer = bob.browser.get(link.as_str()).await;
    let arrival = bob.goes_on(&ask, answer).await;
    assert_eq!(ask.redeems(&arrival).await.id["org_id"], json!(house.organization("org-b").await));
    assert_eq!(house.count("sessions").await, 1);
}
