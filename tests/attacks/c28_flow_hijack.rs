//! C28: a login belongs to the browser in which it was begun, and a session to the cookie that its sign-in made.

use reqwest::StatusCode;
use url::Url;

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::House;
use crate::house::form::Form;
use crate::house::visitor::{Answer, Visitor};

const SESSION: &str = "__Host-behalf";

fn root(house: &House) -> Url {
    house.url.parse().unwrap()
}

fn session_cookie(house: &House, visitor: &Visitor) -> Option<String> {
    visitor.jar.value(&root(house), SESSION).map(str::to_owned)
}

/// A browser that was given this session cookie by somebody.
fn planted(house: &House, value: &str) -> Visitor {
    let mut visitor = Visitor::arrives();
    visitor.jar.take(&root(house), &format!("{SESSION}={value}; Path=/; Secure; HttpOnly; SameSite=Lax"));
    visitor
}

/// "Start again", without a redirect, a form or a cookie.
fn is_start_again(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}: {}", answer.body);
    assert!(answer.body.contains("Please start again"), "{what}: {}", answer.body);
    assert!(answer.location().is_none() && answer.forms().is_empty(), "{what}");
    assert!(answer.headers.get("set-cookie").is_none(), "{what}: {:?}", answer.headers);
}

/// Every form of a page and the page itself, each brought by the victim's browser.
async fn victim_brings(house: &House, victim: &mut Visitor, forms: &[Form], flow: &str) {
    for form in forms {
        let posted = form.buttons.first().cloned();
        let form = posted.into_iter().fold(form.clone(), |form, (name, value)| form.with(&name, &value));
        let form = if form.value("email").is_some() { form.with("email", "ann@a.test") } else { form };
        let before = house.before().await;
        let answer = victim.submit(&form).await;
        is_start_again(&answer, form.action.path());
        house.refused(&before, "flow_expired").await;
    }
    for path in ["", "/organizations"] {
        let before = house.before().await;
        let answer = victim.get(&format!("{flow}{path}")).await;
        is_start_again(&answer, path);
        house.refused(&before, "flow_expired").await;
    }
}

/// `…/login/<flow>` of a form's action.
fn flow_of(form: &Form) -> String {
    let mut url = form.action.clone();
    let path: Vec<_> = url.path().split('/').take(3).map(str::to_owned).collect();
    url.set_path(&path.join("/"));
    url.set_query(None);
    url.into()
}

#[tokio::test]
async fn c28_a_victim_without_the_flow_s_cookie_takes_no_step_of_it() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    // The victim is signed in here, and has a flow of their own open.
    let mut victim = Person::new("ann@a.test");
    victim.follows(&rp1.asks()).await.code();
    victim.follows(&rp1.asks().with("prompt", "login")).await;

    let mut attacker = Person::new("con@a.test");
    let ask = rp1.asks().with("prompt", "select_account");
    let first = attacker.browser.get(&ask.url()).await;
    let forms = first.forms();
    assert!(forms.len() >= 2, "identify and cancel: {}", first.body);
    let flow = flow_of(&forms[0]);
    victim_brings(&house, &mut victim.browser, &forms, &flow).await;

    let picker = attacker.goes_on(&ask, first).await;
    assert!(picker.is_picker(), "{}", picker.told());
    victim_brings(&house, &mut victim.browser, &picker.answer.forms(), &flow).await;
    victim_brings(&house, &mut Visitor::arrives(), &picker.answer.forms(), &flow).await;
    // Whoever began it goes on, undisturbed.
    attacker.picks(&ask, &picker, "A Corporation").await.code();
}

#[tokio::test]
async fn c28_a_victim_sent_to_the_attacker_s_provider_gives_the_attacker_nothing() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("login_hint", "ann@a.test");
    let mut attacker = Visitor::arrives();
    let away = attacker.get(&ask.url()).await;
    // The upstream address, opened by the victim, who is signed in over there.
    let mut victim = Visitor::arrives();
    let back = victim.get(away.location().unwrap().as_str()).await.location().unwrap();
    assert!(back.path().ends_with("/callback"), "{back}");
    let before = house.before().await;
    let answer = victim.get(back.as_str()).await;
    is_start_again(&answer, "the callback");
    house.refused(&before, "flow_expired").await;
    assert_eq!(house.idp_a.hits("/token"), 0);

    let state = back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let flow = format!("{}/login/{}", house.url, state.split_once('.').unwrap().0);
    for path in ["", "/organizations", ""] {
        let answer = attacker.get(&format!("{flow}{path}")).await;
        let code = answer.location().is_some_and(|to| to.as_str().starts_with("https://rp1.test"));
        assert!(!code, "polling: {answer:?}");
        assert_eq!(session_cookie(&house, &attacker), None);
    }
    house.unchanged(&before).await;
}

#[tokio::test]
async fn c28_a_session_cookie_from_before_the_sign_in_is_worth_nothing_after_it() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    // A real one, of somebody else, and invented ones.
    let mut eve = Person::new("eve@a.test");
    eve.follows(&rp1.asks()).await.code();
    let real = session_cookie(&house, &eve.browser).unwrap();
    for value in [real.as_str(), "AAAAAAAAAAAAAAAAAAAAAA", "x", ""] {
        let mut ann = Person { browser: planted(&house, value), email: "ann@a.test".into() };
        ann.follows(&rp1.asks().with("login_hint", "ann@a.test")).await.code();
        let after = session_cookie(&house, &ann.browser).unwrap();
        assert_ne!(after, value);
        is_signed_out(&house, &mut planted(&house, value), value).await;
        is_signed_in(&house, &mut planted(&house, &after)).await;
    }
}

fn silently(house: &House) -> Ask {
    Application::rp1(house).asks().with("prompt", "none")
}

async fn is_signed_out(house: &House, visitor: &mut Visitor, what: &str) {
    let answer = visitor.get(&silently(house).url()).await;
    let to = answer.location().unwrap();
    assert!(to.as_str().starts_with("https://rp1.test/callback?error=login_required&"), "{what:?}: {to}");
}

async fn is_signed_in(house: &House, visitor: &mut Visitor) {
    let answer = visitor.get(&silently(house).url()).await;
    let to = answer.location().unwrap();
    assert!(to.query_pairs().any(|(name, _)| name == "code"), "{to}");
}

#[tokio::test]
async fn c28_the_cookie_changes_with_every_sign_in_and_the_old_one_is_dead() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let mut seen = Vec::new();
    for _ in 0..3 {
        ann.follows(&rp1.asks().with("prompt", "login")).await.code();
        let now = session_cookie(&house, &ann.browser).unwrap();
        assert!(!seen.contains(&now));
        for old in &seen {
            is_signed_out(&house, &mut planted(&house, old), "an old one").await;
        }
        is_signed_in(&house, &mut planted(&house, &now)).await;
        seen.push(now);
    }
    let asked = ann.browser.get(&format!("{}/logout", house.url)).await;
    ann.browser.submit(&asked.form().with("sign_out", "yes")).await;
    for old in &seen {
        is_signed_out(&house, &mut planted(&house, old), "after the sign-out").await;
    }
    assert_eq!(house.text("SELECT id FROM sessions WHERE ended_at IS NULL").await, None);
}

#[tokio::test]
async fn c28_every_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut con = Visitor::arrives();
    let mut said = Vec::new();
    let mut answer = con.get(&rp1.asks().url()).await;
    for _ in 0..8 {
        said.extend(
            answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned()),
        );
        answer = match answer.location() {
            Some(to) if to.as_str().starts_with("https://rp1.test") => break,
            Some(_) => con.follow(&answer).await,
            None if answer.forms()[0].value("email").is_some() => {
                let form = answer.form_with("email").with("email", "con@a.test");
                con.submit(&form).await
            }
            None => {
                let form = answer.forms().remove(0);
                let choice = form.buttons[0].1.clone();
                con.submit(&form.with("choice", &choice)).await
            }
        };
    }
    assert!(answer.location().unwrap().query_pairs().any(|(name, _)| name == "code"));
    let out = con.get(&format!("{}/logout", house.url)).await;
    let out = con.submit(&out.form().with("sign_out", "yes")).await;
    said.extend(out.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned()));
    assert_eq!(said.len(), 4, "a flow, a session, the flow's end, the session's end: {said:#?}");
    for line in &said {
        let mut parts = line.split("; ").map(str::to_ascii_lowercase);
        assert!(parts.next().unwrap().starts_with("__host-behalf"), "{line}");
        let parts: Vec<_> = parts.collect();
        let removes = parts.iter().any(|part| part == "max-age=0");
        let wanted = ["secure", "path=/", "httponly", "samesite=lax"];
        for wanted in &wanted[..if removes { 2 } else { 4 }] {
            assert!(parts.iter().any(|part| part == wanted), "{wanted} is missing: {line}");
        }
        assert!(!parts.iter().any(|part| part.starts_with("domain")), "{line}");
    }
}

#[tokio::test]
async fn c28_whoever_goes_back_to_a_login_that_ended_well_is_led_to_its_application() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut con = Person::new("con@a.test");
    let mut flows = Vec::new();
    for _ in 0..5 {
        let ask = rp1.asks().with("prompt", "select_organization");
        let page = con.follows(&ask).await;
        flows.push(flow_of(&page.picker()));
        con.picks(&ask, &page, "A Corporation").await.code();
        house.turn_clock(1);
    }
    // Of the latest few it is known from where they came, and nothing can be done with them.
    for (at, flow) in flows.iter().enumerate() {
        let before = house.before().await;
        let answer = con.browser.get(flow).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::FORBIDDEN, None), "{}", answer.body);
        assert!(answer.forms().is_empty(), "{}", answer.body);
        assert_eq!(answer.body.contains("Return to First App"), at >= 2, "{at}: {}", answer.body);
        house.refused(&before, "flow_expired").await;
    }
}

#[tokio::test]
async fn c28_a_browser_whose_login_is_over_is_led_to_the_application_and_nowhere_else() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let read = |answer: &Answer| answer.body.replace("&#x2f;", "/");
    let door = "href=\"https://rp1.test/\"";
    let mut ann = Visitor::arrives();
    let page = ann.get(&rp1.asks().url()).await;
    let form = page.forms().remove(0).with("email", "ann@a.test");
    let flow = flow_of(&form);

    // A form that is not our page's: there is nothing to start again, and the flow goes on.
    let before = house.before().await;
    let foreign = ann.submit(&form.clone().with("csrf", "guessed")).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert!(read(&foreign).contains(&format!("href=\"{}\"", flow_path(&flow))), "{}", foreign.body);
    house.refused(&before, "foreign_form").await;

    // Its flow is over here; this browser knows from where it came, and another one does not.
    house.turn_clock(house.broker.config.login.flow_lifetime + 1);
    for answer in [ann.get(&flow).await, ann.submit(&form).await] {
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
        assert!(
            answer.body.contains("Please start again") && read(&answer).contains(door),
            "{}",
            answer.body
        );
        assert!(answer.body.contains("Return to First App"), "{}", answer.body);
        assert!(answer.location().is_none());
    }
    let stranger = Visitor::arrives().get(&flow).await;
    is_start_again(&stranger, "a stranger");
    assert!(!stranger.body.contains("rp1.test") && !stranger.body.contains("First App"), "{}", stranger.body);

    // Where it says where its logins begin, they begin there.
    let begins = "redirect_uris = [\"https://rp1.test/callback\"]";
    let file = crate::house::broker::DEFAULT
        .replace(begins, &format!("{begins}\ninitiate_login_uri = \"https://rp1.test/login\""));
    house.provision(&file).await;
    let again = ann.get(&flow).await;
    let issuer: String = form_urlencoded::byte_serialize(house.url.as_bytes()).collect();
    let registered = format!("href=\"https://rp1.test/login?iss={issuer}\"");
    assert!(read(&again).contains(&registered), "{}", again.body);
    // What a request says is nowhere on the page.
    let evil = rp1.asks().with("redirect_uri", "https://evil.test/callback");
    let before = house.before().await;
    let refused = ann.get(&evil.url()).await;
    assert_eq!((refused.status.as_u16(), refused.location()), (400, None));
    assert!(read(&refused).contains(&registered) && !refused.body.contains("evil.test"), "{}", refused.body);
    house.refused(&before, "bad_redirect_uri").await;
    // Nor is one led to what is switched off.
    house.provision(&file.replace("[application.rp1]\n", "[application.rp1]\nenabled = false\n")).await;
    is_start_again(&ann.get(&flow).await, "one that is switched off");
}

fn flow_path(flow: &str) -> String {
    flow.parse::<Url>().unwrap().path().to_owned()
}

#[tokio::test]
async fn c28_our_own_failure_leaves_the_ways_on() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let callback = ann.is_sent_back(&rp1.asks()).await;
    // What the connection proves itself by cannot be opened.
    assert_eq!(house.execute("UPDATE connections SET secret = NULL WHERE slug = 'ca'").await, 1);
    let page = ann.browser.get(callback.as_str()).await;
    assert_eq!(page.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", page.body);
    for way in ["another_account", "cancel"] {
        let has = page.forms().iter().any(|form| form.buttons.iter().any(|(name, _)| name == way));
        assert!(has, "{way}: {}", page.body);
    }
    assert!(page.body.contains(">Try again</a>"), "{}", page.body);
}
