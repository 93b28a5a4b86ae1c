//! H23: somebody is led to let a stranger's device in, codes are guessed, raced and used by others, and rights end while a
//! device waits.

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use behalf::store::durable::device_codes;

use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{Engine, House, Plan, RP1_SECRET};
use crate::house::device::{Device, SCOPE, error, plan, pressed};
use crate::house::form::Form;
use crate::house::visitor::{Answer, Visitor};

async fn house() -> House {
    plan(Plan::default()).build().await
}

/// Con's browser in front of the question, for B.
async fn at_the_question(house: &House) -> (Person, Device, Form) {
    let device = Device::asks(&Device::television(house), &[SCOPE, ("organization", "org-b")]).await;
    let mut con = Person::new("con@a.test");
    let page = con.types_code(&device).await;
    let form = page.answer.form_with_button("answer");
    (con, device, form)
}

async fn posts(person: &mut Visitor, form: &Form, headers: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    let dress = |request: reqwest::RequestBuilder| {
        let dressed = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        dressed.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    };
    person.request(Method::POST, form.action.as_str(), dress).await
}

#[tokio::test]
async fn h23_h24_whoever_allows_what_an_old_page_shows_is_shown_who_it_would_be_now() {
    let house = house().await;
    let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let mut ann = Person::new("ann@a.test");
    let page = ann.types_code(&device).await;
    let old = page.answer.form_with_button("answer");
    // In the same sign-in, on another tab: another account.
    let restarted = ann.browser.submit(&page.form_with("another_account")).await;
    let mut bob = Person { browser: ann.browser, email: "bob@b.test".into() };
    let asked = bob.goes_on(&device.ask(), restarted).await;
    assert!(asked.answer.body.contains("bob@b.test"), "{}", asked.told());
    let before = house.before().await;
    let answer = bob.browser.submit(&pressed(&old, "allow")).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    house.unchanged(&before).await;
    let again = bob.goes_on(&device.ask(), answer).await;
    assert!(again.answer.body.contains("bob@b.test"), "{}", again.told());
    assert_eq!(device.is_told().await, "authorization_pending");
    let done = bob.browser.submit(&pressed(&again.answer.form_with_button("answer"), "allow")).await;
    assert!(done.body.contains("Your applications"), "there is a way back out: {}", done.body);
}

#[tokio::test]
async fn h23_nothing_but_the_persons_own_click_lets_a_device_in() {
    let house = house().await;
    let (mut con, device, form) = at_the_question(&house).await;
    let allow = pressed(&form, "allow");
    let flow = form.action.as_str().trim_end_matches("/device").to_owned();
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&allow.fields).finish();
    // Whoever is signed in and follows links lets nobody in, however complete those are.
    for url in [
        device.complete(),
        format!("{}&answer=allow", device.complete()),
        format!("{}?{query}", form.action),
        format!("{flow}?{query}"),
        flow.clone(),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let before = house.before().await;
            let answer = con.browser.request(method, &url, |request| request).await;
            assert!([200, 303, 405].contains(&answer.status.as_u16()), "{url}: {}", answer.status);
            house.unchanged(&before).await;
        }
    }
    let mut without = allow.clone();
    without.fields.retain(|(name, _)| name != "csrf");
    for (what, form, headers) in [
        ("from another site", &allow, vec![("Sec-Fetch-Site", "cross-site")]),
        ("from a sibling", &allow, vec![("Sec-Fetch-Site", "same-site")]),
        ("of another origin", &allow, vec![("Origin", "https://evil.test")]),
        ("without the form's token", &without, vec![]),
        ("with another token", &allow.clone().with("csrf", "x"), vec![]),
    ] {
        let before = house.before().await;
        let answer = posts(&mut con.browser, form, &headers).await;
        assert_eq!(answer.status, 403, "{what}: {}", answer.body);
        house.refused(&before, "foreign_form").await;
    }
    let before = house.before().await;
    let answer = posts(&mut Visitor::arrives(), &allow, &[]).await;
    assert_eq!(answer.status, 403, "another browser: {}", answer.body);
    house.refused(&before, "flow_expired").await;
    for nothing in ["", "yes", "ALLOW"] {
        let before = house.before().await;
        let answer = con.browser.submit(&pressed(&form, nothing)).await;
        assert_eq!(answer.status, 400, "{nothing}: {}", answer.body);
        house.refused(&before, "bad_request").await;
        let page = con.browser.get(&flow).await;
        con.goes_on(&device.ask(), page).await;
    }
    house.turn_clock(5);
    assert_eq!(device.is_told().await, "authorization_pending");
    assert_eq!(house.count("grants").await, 0);
}

/// Ways in which what a device was let in with is taken back before it comes for its tokens.
const TAKEN_BACK: [&str; 8] = [
    "at the account",
    "by a program",
    "by whoever looks after the organization",
    "by signing out of the organization",
    "by signing out",
    "by signing out everywhere",
    "suspended, and restored",
    "disabled, and enabled",
];

async fn takes_back(house: &House, con: &mut Person, way: &str) {
    let operator = Api::operator(house).await;
    let user = house.user("con@a.test").await;
    let signs_out = async |con: &mut Person, path: &str, how: &str| {
        let page = con.browser.get(&format!("{}{path}", house.url)).await;
        let done = con.browser.submit(&page.form_with_button("sign_out").with("sign_out", how)).await;
        assert!(done.status.is_success() || done.status.is_redirection(), "{way}: {}", done.body);
    };
    let patches = async |path: &str, bodies: [serde_json::Value; 2]| {
        for body in bodies {
            let done = operator.patch(path, body).await;
            assert_eq!(done.status, 200, "{way}: {}", done.body);
        }
    };
    match way {
        "at the account" => {
            let page = con.browser.get(&format!("{}/account/applications", house.url)).await;
            assert!(page.body.contains("Television"), "it is listed: {}", page.body);
            let end = page.forms().into_iter().find(|form| form.action.path().ends_with("/end")).unwrap();
            assert_eq!(con.browser.submit(&end).await.status, 303);
        }
        "by a program" => {
            let api = Api::with(house, Some(access_token(house, "con@a.test", "org-a").await)).await;
            let tv = house.text("SELECT id FROM applications WHERE client_id = 'tv'").await.unwrap();
            let held = api.get("/me/applications").await.json()["items"].as_array().unwrap().clone();
            assert!(held.iter().any(|one| one["application_id"] == json!(tv)), "it is listed: {held:?}");
            let path = format!("/me/applications/{tv}");
            let done = api.send(Method::DELETE, &path, |request| request).await;
            assert_eq!(done.status, 204, "{}", done.body);
        }
        "by whoever looks after the organization" => {
            let path = format!("/organizations/org-a/members/{user}/sessions");
            let found = operator.get(&path).await.json()["items"].as_array().unwrap().clone();
            assert_eq!(found.len(), 1, "it is listed: {found:?}");
            let one = format!("{path}/{}", found[0]["id"].as_str().unwrap());
            assert_eq!(operator.send(Method::DELETE, &one, |request| request).await.status, 204);
        }
        "by signing out of the organization" => {
            signs_out(con, "/logout?organization=org-a", "organization").await;
        }
        "by signing out" => signs_out(con, "/logout", "yes").await,
        "by signing out everywhere" => signs_out(con, "/logout", "everywhere").await,
        "suspended, and restored" => {
            let path = format!("/organizations/org-a/members/{user}");
            patches(&path, [json!({"status": "suspended"}), json!({"status": "active"})]).await;
        }
        _ => {
            let path = format!("/users/{user}");
            patches(&path, [json!({"disabled": true}), json!({"disabled": false})]).await;
        }
    }
}

#[tokio::test]
async fn h23_a_device_that_was_let_in_and_has_not_come_yet_is_taken_back_like_any_other() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for way in TAKEN_BACK {
            let house = plan(Plan::on(engine)).build().await;
            let tv = Device::television(&house);
            let scope = ("scope", "openid email offline_access");
            let device = Device::asks(&tv, &[scope, ("organization", "org-a")]).await;
            let mut con = Person::new("con@a.test");
            con.lets_in(&device, "A Corporation").await;
            takes_back(&house, &mut con, way).await;
            let answer = device.polls().send().await;
            assert_eq!(error(&answer), (400, json!("access_denied")), "{way}: {}", answer.body);
            assert_eq!(answer.json().get("access_token"), None, "{way}");
            let of_tv = "SELECT g.id FROM grants g JOIN applications a ON a.id = g.application_id
                         WHERE a.client_id = 'tv' AND g.revoked_at IS NULL";
            assert_eq!(house.text(of_tv).await, None, "{way}: nothing lives");
            assert_eq!(device.is_told().await, "invalid_grant", "{way}: it is burnt");
        }
    }
}

/// The same house, where the television is somebody else's.
async fn of_others(engine: Engine) -> House {
    let theirs = "display_name = \"Television\"\nconsent_required = true";
    plan(Plan::on(engine)).with("display_name = \"Television\"", theirs).build().await
}

#[tokio::test]
async fn h23_whoever_lets_in_a_device_of_others_allows_what_they_are_shown_and_takes_that_back() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = of_others(engine).await;
        let tv = Device::television(&house);
        let device = Device::asks(&tv, &[("scope", "openid email roles"), ("organization", "org-b")]).await;
        let mut con = Person::new("con@a.test");
        let page = con.types_code(&device).await;
        let shown = [
            "Let this device in?",
            "wants you to be asked",
            "your email address",
            "your roles in the organization",
            "B Corporation",
        ];
        for words in shown {
            assert!(page.answer.body.contains(words), "{words}: {}", page.told());
        }
        for untrue in ["your name and language", "registered itself"] {
            assert!(!page.answer.body.contains(untrue), "{untrue}: {}", page.told());
        }
        assert_eq!((house.count("consents").await, house.count("grants").await), (0, 0), "nothing yet");
        let form = page.answer.form_with_button("answer");
        // What the operator makes of it meanwhile is not what was shown.
        let operator = Api::operator(&house).await;
        let id = house.text("SELECT id FROM applications WHERE client_id = 'tv'").await.unwrap();
        let path = format!("/applications/{id}");
        assert_eq!(operator.patch(&path, json!({"display_name": "Television 2"})).await.status, 200);
        let before = house.before().await;
        let again = con.browser.submit(&pressed(&form, "allow")).await;
        assert_eq!(again.status, 303, "{}", again.body);
        house.unchanged(&before).await;
        let page = con.goes_on(&device.ask(), again).await;
        assert!(page.answer.body.contains("Television 2"), "{}", page.told());
        let done = con.browser.submit(&pressed(&page.answer.form_with_button("answer"), "allow")).await;
        assert!(done.body.contains("The device is let in"), "{}", done.body);
        assert_eq!((house.count("consents").await, house.events_of("consent.granted").await), (1, 1));
        let tokens = device.tokens().await;
        let again = device.ask().reads_again(&tv.refreshes(tokens.refresh()).send().await).await;
        assert_eq!(again.access["scope"], json!("openid email roles"));

        // For another organization they have allowed nothing: no refresh is a way round that.
        let before = house.before().await;
        let switch = tv.refreshes(again.refresh()).with("organization", "org-a").send().await;
        assert_eq!(switch.json()["error"], json!("consent_required"), "{}", switch.body);
        house.refused(&before, "consent_required").await;

        // They take it back: what the device has ends, and what waits still gets nothing.
        let waits = Device::asks(&tv, &[("scope", "openid email"), ("organization", "org-b")]).await;
        con.lets_in(&waits, "B Corporation").await;
        let account = con.browser.get(&format!("{}/account/applications", house.url)).await;
        let withdraw =
            account.forms().into_iter().find(|form| form.action.path().ends_with("/withdraw")).unwrap();
        assert_eq!(con.browser.submit(&withdraw).await.status, 303);
        assert_eq!(house.count("consents").await, 0);
        assert_eq!(tv.userinfo(&again.access_token).await.status, 401);
        assert_eq!(waits.is_told().await, "access_denied");
    }
}

#[tokio::test]
async fn h23_the_question_is_answered_by_the_session_that_it_shows_and_in_no_frame() {
    let house = house().await;
    let (mut con, device, form) = at_the_question(&house).await;
    // In the same browser somebody else signs in meanwhile.
    con.email = "bob@b.test".into();
    let rp1 = Application::rp1(&house);
    con.follows(&rp1.asks().with("prompt", "login")).await.code();
    let before = house.before().await;
    let answer = con.browser.submit(&pressed(&form, "allow")).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    house.unchanged(&before).await;
    assert_eq!(device.is_told().await, "authorization_pending");
    // Whoever is there now is asked.
    let asked = con.goes_on(&device.ask(), answer).await;
    assert!(asked.answer.body.contains("Let this device in?"), "{}", asked.told());
    assert!(asked.answer.body.contains("bob@b.test"), "{}", asked.told());
    assert!(!asked.answer.body.contains("con@a.test"), "{}", asked.told());
    // No site shows our question in a frame, nor the page for the code.
    let (mut con, device, _) = at_the_question(&house).await;
    let code = con.browser.get(&device.complete()).await;
    let question = con.types_code(&device).await.answer;
    for page in [code, question] {
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn h23_whoever_was_led_to_an_old_code_is_warned() {
    let house = house().await;
    let device = Device::asks(&Device::television(&house), &[SCOPE, ("organization", "org-b")]).await;
    let mut con = Person::new("con@a.test");
    let page = con.types_code(&device).await;
    assert!(page.answer.body.contains("less than a minute ago"), "{}", page.told());
    assert!(page.answer.body.contains("Did you start this yourself, just now?"), "{}", page.told());
    assert!(!page.answer.body.contains("Be sure that it is yours"), "{}", page.told());
    house.turn_clock(240);
    let page = con.types_code(&device).await;
    for words in ["4 minutes ago", "Be sure that it is yours", "until you sign out in this browser"] {
        assert!(page.answer.body.contains(words), "{words}: {}", page.told());
    }
    let stays = Device::asks(&Device::television(&house), &[("scope", "openid offline_access")]).await;
    let page = con.types_code(&stays).await;
    let page = con.picks(&stays.ask(), &page, "A Corporation").await;
    assert!(page.answer.body.contains("until you or the application end it"), "{}", page.told());
}

async fn guesses(house: &House, person: &mut Person, code: &str) -> Answer {
    person.browser.post_form(&format!("{}/device", house.url), &[("user_code", code)]).await
}

/// Somebody who is signed in, where codes are typed.
async fn at_the_codes(device: &Device, email: &str) -> (Person, Form) {
    let mut person = Person::new(email);
    let page = person.is_asked_for_a_code(&device.ask(), &device.complete()).await;
    let form = page.form_with("user_code");
    let code = form.fields.iter().find(|(name, _)| name == "user_code").unwrap();
    assert_eq!(code.1, device.user_code(), "it is filled in, still");
    (person, form)
}

#[tokio::test]
async fn h23_strangers_sign_in_before_they_type_a_code_and_use_up_nothing() {
    let house = house().await;
    let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let before = house.before().await;
    for code in
        (0..30).map(|number| if number % 2 == 0 { device.user_code() } else { "BBBB-BBBB".to_owned() })
    {
        let mut stranger = Visitor::arrives();
        let answer = stranger.post_form(&format!("{}/device", house.url), &[("user_code", &code)]).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let page = stranger.get(answer.location().unwrap().as_str()).await;
        assert!(
            page.body.contains("Sign in first") && !page.body.contains("name=\"user_code\""),
            "{}",
            page.body
        );
    }
    house.unchanged(&before).await;
    assert!(house.events_since(&before).await.is_empty(), "nobody fills the trail by typing");
    let (mut ann, form) = at_the_codes(&device, "ann@a.test").await;
    assert_eq!(ann.browser.submit(&form).await.status, 303);
}

#[tokio::test]
async fn h23_codes_are_not_guessed() {
    let house = house().await;
    let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let (mut ann, form) = at_the_codes(&device, "ann@a.test").await;
    // What is right costs nothing, however often.
    for _ in 0..4 {
        let page = ann.browser.submit(&form).await;
        assert_eq!(page.status, 303, "{}", page.body);
    }
    for wrong in ["BBBB-BBBB", "x", "", "' OR '1'='1", &"B".repeat(5_000)] {
        let before = house.before().await;
        let page = guesses(&house, &mut ann, wrong).await;
        assert_eq!(page.status, 422, "{wrong}: {}", page.body);
        assert!(page.body.contains("No device waits with this code"), "{}", page.body);
        house.refused(&before, "user_code_unknown").await;
    }
    // Whoever goes on, by whatever browser, is told nothing: not even whether they are right now.
    let (mut again, _) = at_the_codes(&device, "ann@a.test").await;
    for (person, code) in [(&mut ann, "CCCC-CCCC"), (&mut again, &device.user_code())] {
        let before = house.before().await;
        let page = guesses(&house, person, code).await;
        assert_eq!(page.status, 429, "{code}: {}", page.body);
        assert_eq!(page.header("retry-after"), Some("600"), "as long as a code lives");
        house.refused(&before, "too_many_requests").await;
        assert_eq!(house.events_since(&before).await[0].action, "device.codes_limited");
    }
    // To nobody else has anything happened.
    let (mut con, form) = at_the_codes(&device, "con@a.test").await;
    assert_eq!(con.browser.submit(&form).await.status, 303);
    // As long as a code lives, so that nobody goes on with the same ones.
    house.turn_clock(600);
    assert_eq!(guesses(&house, &mut ann, "CCCC-CCCC").await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn h23_many_guesses_at_once_are_no_more_than_one_by_one() {
    let house = house().await;
    let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let mut guesses = Vec::new();
    for guess in 0..12 {
        let (mut ann, _) = at_the_codes(&device, "ann@a.test").await;
        let (url, code) =
            (format!("{}/device", house.url), format!("BCDF-GH{}", ["JK", "LM", "NP"][guess % 3]));
        guesses.push(async move { ann.browser.post_form(&url, &[("user_code", &code)]).await.status });
    }
    let told: Vec<_> = join_all(guesses.into_iter().map(tokio::spawn)).await;
    let told: Vec<_> = told.into_iter().map(|status| status.unwrap().as_u16()).collect();
    assert_eq!(told.iter().filter(|status| **status == 422).count(), 5, "{told:?}");
    assert!(told.iter().all(|status| [422, 429].contains(status)), "{told:?}");
}

#[tokio::test]
async fn h23_one_code_is_not_shown_around() {
    let house = house().await;
    let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let (mut ann, form) = at_the_codes(&device, "ann@a.test").await;
    for _ in 0..10 {
        let page = ann.browser.submit(&form).await;
        assert_eq!(page.status, 303, "{}", page.body);
    }
    let before = house.before().await;
    assert_eq!(ann.browser.submit(&form).await.status, 422);
    house.refused(&before, "user_code_unknown").await;
    // Nor typed in by another site.
    let other = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let page = ann.is_asked_for_a_code(&other.ask(), &other.complete()).await;
    let before = house.before().await;
    let answer =
        posts(&mut ann.browser, &page.form_with("user_code"), &[("Sec-Fetch-Site", "cross-site")]).await;
    assert_eq!(answer.status, 403);
    house.refused(&before, "foreign_form").await;
}

#[tokio::test]
async fn h23_whoever_asks_too_often_waits_longer() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(Plan::on(engine)).build().await;
        let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
        let before = house.before().await;
        let told = async |after: u64| {
            house.turn_clock(after);
            device.is_told().await
        };
        assert_eq!(told(0).await, "authorization_pending");
        assert_eq!(told(5).await, "authorization_pending");
        assert_eq!(told(4).await, "slow_down", "ten seconds from now on");
        assert_eq!(told(9).await, "slow_down", "fifteen");
        assert_eq!(told(15).await, "authorization_pending");
        assert_eq!(told(14).await, "slow_down", "twenty: it is kept");
        assert_eq!(told(20).await, "authorization_pending");
        for _ in 0..20 {
            assert_eq!(told(0).await, "slow_down");
        }
        assert_eq!(told(60).await, "authorization_pending", "a minute is enough of anybody");
        house.unchanged(&before).await;
        assert!(house.events_since(&before).await.is_empty(), "nobody fills the trail by asking");
        // Whoever has been let in is not made to wait.
        Person::new("ann@a.test").lets_in(&device, "A Corporation").await;
        device.tokens().await;
    }
}

#[tokio::test]
async fn h23_a_code_is_denied_runs_out_and_is_nobody_elses() {
    let house = house().await;
    let tv = Device::television(&house);
    let denied = Device::asks(&tv, &[SCOPE]).await;
    let page = Person::new("ann@a.test").answers(&denied, "A Corporation", "deny").await;
    assert!(page.body.contains("The device was not let in"), "{}", page.body);
    let refused = house.audit().await.into_iter().find(|event| event.action == "device.denied").unwrap();
    assert_eq!(refused.actor, house.user("ann@a.test").await);
    let before = house.before().await;
    assert_eq!(denied.is_told().await, "access_denied");
    house.refused(&before, "access_denied").await;
    let mut ann = Person::new("ann@a.test");
    let page = ann.types_code(&denied).await;
    assert_eq!(page.status(), 422, "it is answered: {}", page.told());

    // Whoever is asked twice answers once.
    let device = Device::asks(&tv, &[SCOPE]).await;
    let (mut one, mut other) = (Person::new("ann@a.test"), Person::new("con@a.test"));
    let first = one.types_code(&device).await.answer.form_with_button("answer");
    let second = other.types_code(&device).await;
    let second = other.picks(&device.ask(), &second, "A Corporation").await.answer.form_with_button("answer");
    one.browser.submit(&pressed(&first, "allow")).await;
    for answer in ["deny", "allow"] {
        let before = house.before().await;
        let page = other.browser.submit(&pressed(&second, answer)).await;
        assert!([410, 403].contains(&page.status.as_u16()), "{answer}: {}", page.body);
        house.refused_for_one_of(&before, &["device_code_over", "flow_expired"]).await;
    }
    assert_eq!(device.tokens().await.id["email"], json!("ann@a.test"));

    let late = Device::asks(&tv, &[SCOPE]).await;
    let approved = Device::asks(&tv, &[SCOPE]).await;
    Person::new("ann@a.test").lets_in(&approved, "A Corporation").await;
    let mut ann = Person::new("ann@a.test");
    let form = ann.types_code(&late).await.answer.form_with_button("answer");
    house.turn_clock(600);
    for device in [&late, &approved] {
        let before = house.before().await;
        assert_eq!(device.is_told().await, "expired_token");
        house.refused(&before, "expired_token").await;
    }
    let before = house.before().await;
    assert!([403, 410].contains(&ann.browser.submit(&pressed(&form, "allow")).await.status.as_u16()));
    house.refused_for_one_of(&before, &["device_code_over", "flow_expired"]).await;

    // Another application's, and what is none.
    let own = Device::asks(&tv, &[SCOPE]).await;
    Person::new("ann@a.test").lets_in(&own, "A Corporation").await;
    let terminal = Application::new(&house, "terminal", Proof::Nothing);
    let code = own.device_code();
    for (what, redemption) in [
        ("another application", own.polls().by(&terminal)),
        ("the user code", own.polls().with("device_code", &own.user_code())),
        ("cut", own.polls().with("device_code", &code[..code.len() - 1])),
        ("longer", own.polls().with("device_code", &format!("{code}A"))),
        ("another secret", own.polls().with("device_code", &format!("{}{}", &code[..26], "A".repeat(43)))),
        ("garbage", own.polls().with("device_code", "x")),
    ] {
        let before = house.before().await;
        assert_eq!(error(&redemption.send().await), (400, json!("invalid_grant")), "{what}");
        house.refused(&before, "invalid_grant").await;
    }
    let before = house.before().await;
    assert_eq!(error(&own.polls().without("device_code").send().await), (400, json!("invalid_request")));
    house.refused(&before, "invalid_request").await;
    own.tokens().await;
}

/// What ends the right of somebody who acts for another organization, and the check that says so.
const ENDS: [(&str, &str, &str); 10] = [
    ("UPDATE users SET disabled_at = 1", "user_disabled", "user_disabled"),
    ("UPDATE sessions SET ended_at = 1", "session_ended", "the session that this was given in is over"),
    ("UPDATE memberships SET status = 'removed'", "delegation_inactive", "organization_not_allowed"),
    ("UPDATE delegations SET revoked_at = 1", "delegation_inactive", "organization_not_allowed"),
    (
        "UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-b'",
        "organization_inactive",
        "organization_not_allowed",
    ),
    // Active again, but not the same as when the device was let in.
    (
        "UPDATE organizations SET epoch = epoch + 1 WHERE slug = 'org-b'",
        "organization_was_inactive",
        "organization_not_allowed",
    ),
    (
        "UPDATE organizations SET epoch = epoch + 1 WHERE slug = 'org-a'",
        "organization_was_inactive",
        "organization_not_allowed",
    ),
    (
        "UPDATE connections SET state = 'disabled' WHERE slug = 'ca'",
        "connection_inactive",
        "connection_inactive",
    ),
    (
        "UPDATE organizations SET policy = '{}' WHERE slug = 'org-b'",
        "device_not_allowed",
        "device_not_allowed",
    ),
    (
        "UPDATE organizations SET policy = '{}' WHERE slug = 'org-a'",
        "device_not_allowed",
        "device_not_allowed",
    ),
];

#[tokio::test]
async fn h23_a_right_that_ends_after_the_click_is_not_minted() {
    for (end, reason, told) in ENDS {
        let house = house().await;
        let (mut con, device, form) = at_the_question(&house).await;
        let page = con.browser.submit(&pressed(&form, "allow")).await;
        assert!(page.body.contains("The device is let in"), "{}", page.body);
        assert!(house.execute(end).await >= 1, "{end}");
        let answer = device.polls().send().await;
        assert_eq!(error(&answer), (400, json!("access_denied")), "{end}: {}", answer.body);
        let description = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(description.starts_with(told), "{end}: {description}");
        let events = house.audit().await;
        let last = events.iter().find(|event| event.action == "token.issued").unwrap();
        assert_eq!((last.outcome.as_str(), last.reason.as_deref()), ("refused", Some(reason)), "{end}");
        let living = house.text("SELECT id FROM grants WHERE revoked_at IS NULL").await;
        assert_eq!(living, None, "{end}");
        assert_eq!(device.is_told().await, "invalid_grant", "{end}: it is burnt");
    }
}

#[tokio::test]
async fn h23_an_organization_that_lets_no_devices_in_is_asked_first_and_last() {
    // Nobody has said anything: neither of the two that answer for con.
    let house = Plan::default().and(crate::house::device::DEVICES).build().await;
    let tv = Device::television(&house);
    let is_refused = async |house: &House| {
        let device = Device::asks(&tv, &[SCOPE, ("organization", "org-b")]).await;
        let mut con = Person::new("con@a.test");
        con.is_asked_for_a_code(&device.ask(), &device.complete()).await;
        let before = house.before().await;
        let page = con.types_code(&device).await;
        assert_eq!(page.status(), 403, "{}", page.told());
        for words in ["Devices are not let in here", "The device has been told"] {
            assert!(page.answer.body.contains(words), "{words}: {}", page.told());
        }
        assert!(page.answer.forms().iter().all(|form| form.buttons.is_empty()), "{}", page.told());
        let events = house.events_since(&before).await;
        let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!((house.count("grants").await, actions), (0, vec!["device.denied"]), "nobody is asked");
        assert_eq!(device.is_told().await, "access_denied", "nor does it wait for nothing");
    };
    is_refused(&house).await;
    let says = async |house: &House, organization: &str, on: bool| {
        let operator = Api::operator(house).await;
        let path = format!("/organizations/{organization}/policy");
        let answer = operator.patch(&path, json!({ "device_sign_in": on })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["device_sign_in"], json!(on));
    };
    says(&house, "org-b", true).await;
    is_refused(&house).await;
    says(&house, "org-a", true).await;
    let device = Device::asks(&tv, &[SCOPE, ("organization", "org-b")]).await;
    Person::new("con@a.test").lets_in(&device, "B Corporation").await;
    let tokens = device.tokens().await;
    // It takes back what it gave: the tokens are worth nothing from then on.
    says(&house, "org-b", false).await;
    assert_eq!(tv.userinfo(&tokens.access_token).await.status, 401);
    let before = house.before().await;
    let answer = tv.refreshes(tokens.refresh()).send().await;
    assert_eq!(error(&answer), (403, json!("access_denied")), "{}", answer.body);
    assert_eq!(answer.json()["error_description"], json!("device_not_allowed"));
    house.refused(&before, "device_not_allowed").await;
    let b = house.organization("org-b").await;
    let of_b = |event: &&crate::house::broker::Entry| {
        event.action == "token.refused" && event.organization.as_ref() == Some(&b)
    };
    assert_eq!(house.audit().await.iter().filter(of_b).count(), 1, "it reads it in its trail");
    // And where it gives it again, the device need not ask anybody.
    says(&house, "org-b", true).await;
    let again = device.ask().reads_again(&tv.refreshes(tokens.refresh()).send().await).await;
    assert_eq!(again.access["grant_id"], tokens.access["grant_id"]);
    assert_eq!(tv.userinfo(&again.access_token).await.status, 200);
    // Whoever switches to one that lets none in stays where they are, and that one reads of it.
    says(&house, "org-a", false).await;
    says(&house, "org-b", false).await;
    let before = house.before().await;
    let answer = tv.refreshes(again.refresh()).with("organization", "org-a").send().await;
    assert_eq!(error(&answer), (403, json!("access_denied")), "{}", answer.body);
    house.refused(&before, "device_not_allowed").await;
    let a = house.organization("org-a").await;
    let of_a = |event: &crate::house::broker::Entry| {
        event.action == "token.refused" && event.organization.as_ref() == Some(&a)
    };
    assert_eq!(house.audit().await.iter().filter(|event| of_a(event)).count(), 1);
}

#[tokio::test]
async fn h23_s2_26_what_cannot_be_let_in_is_shown_with_the_reason_and_not_asked_for() {
    // B lets no devices in; con's own does, and wants a second factor, which con has not shown.
    let house = plan(Plan::default())
        .with("[organization.org-b]\npolicy = { device_sign_in = true }", "[organization.org-b]")
        .build()
        .await;
    let tv = Device::television(&house);
    let device = Device::asks(&tv, &[SCOPE]).await;
    let mut con = Person::new("con@a.test");
    let picker = con.types_code(&device).await;
    assert_eq!(picker.choices(), ["A Corporation", "B Corporation"]);
    assert!(picker.answer.body.contains("does not let devices in"), "{}", picker.told());
    let form = picker.picker();
    assert_eq!(form.buttons.len(), 1, "nothing but A can be picked: {}", picker.told());
    // Who posts the other one all the same is not asked whether to let it in, and picks again.
    let other = house.text("SELECT id FROM delegations").await.unwrap();
    let before = house.before().await;
    let refused = con.browser.submit(&form.clone().with("choice", &other)).await;
    let refused = con.goes_on(&device.ask(), refused).await;
    assert_eq!(refused.status(), 403, "{}", refused.told());
    house.refused(&before, "device_not_allowed").await;
    assert_eq!(device.is_told().await, "authorization_pending", "A lets devices in");
    let again = con.browser.get(form.action.as_str()).await;
    let again = con.goes_on(&device.ask(), again).await;
    let page = con.picks(&device.ask(), &again, "A Corporation").await;
    con.browser.submit(&pressed(&page.answer.form_with_button("answer"), "allow")).await;
    assert_eq!(device.tokens().await.id["org_name"], json!("org-a"));
    // What the person could still prove is no reason to turn the device away.
    let grants = house.count("grants").await;
    house.execute("UPDATE organizations SET policy = '{\"device_sign_in\":true,\"require_mfa\":true}' WHERE slug = 'org-a'").await;
    let device = Device::asks(&tv, &[SCOPE]).await;
    let picker = con.types_code(&device).await;
    assert!(picker.answer.body.contains("a second proof that it is you"), "{}", picker.told());
    assert!(!picker.answer.body.contains("name=\"choice\""), "{}", picker.told());
    house.turn_clock(5);
    assert_eq!(device.is_told().await, "authorization_pending");
    // So it waits for as long as somebody could still let it in, and no longer (RFC 8628, section 3.5).
    let unanswered = Device::asks(&tv, &[SCOPE]).await;
    con.types_code(&unanswered).await;
    // But they may say that they do not, there and on the page that refuses them: nobody else says it for them.
    let foreign = Device::asks(&tv, &[SCOPE, ("organization", "org-c")]).await;
    let page = con.types_code(&foreign).await;
    assert_eq!(page.status(), 403, "{}", page.told());
    for (device, page) in [(&device, &picker), (&foreign, &page)] {
        let form = page.form_with("decline");
        for (mut browser, form) in
            [(Visitor::arrives(), form.clone()), (con.browser.clone(), form.clone().with("csrf", "x"))]
        {
            assert_eq!(browser.submit(&form).await.status, 403);
        }
        house.turn_clock(6);
        assert_eq!(device.is_told().await, "authorization_pending");
        let before = house.before().await;
        let done = con.browser.submit(&form).await;
        assert!(done.body.contains("The device was not let in"), "{}", done.body);
        let events = house.events_since(&before).await;
        let said: Vec<_> = events.iter().map(|one| (one.action.as_str(), one.reason.as_deref())).collect();
        assert_eq!(said, [("device.denied", Some("denied_by_the_person"))]);
        assert_eq!(device.is_told().await, "access_denied");
        assert_eq!(house.count("grants").await, grants);
    }
    house.turn_clock(1);
    // Nothing that anybody does helps where no organization lets devices in: the device is told.
    house.execute("UPDATE organizations SET policy = '{}' WHERE slug = 'org-a'").await;
    let device = Device::asks(&tv, &[SCOPE]).await;
    let page = con.types_code(&device).await;
    assert_eq!(page.status(), 403, "{}", page.told());
    assert!(page.answer.body.contains("The device has been told"), "{}", page.told());
    let denied = house.audit().await.into_iter().rfind(|event| event.action == "device.denied").unwrap();
    assert_eq!(denied.reason.as_deref(), Some("device_not_allowed"));
    assert_eq!(device.is_told().await, "access_denied");
    assert_eq!(unanswered.is_told().await, "authorization_pending");
    house.turn_clock(600);
    assert_eq!(unanswered.is_told().await, "expired_token");
}

#[tokio::test]
async fn h23_h24_whoever_goes_back_from_the_question_chooses_again_and_an_old_question_lets_nobody_in() {
    let house = house().await;
    let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let mut con = Person::new("con@a.test");
    let picker = con.types_code(&device).await;
    let question = con.picks(&device.ask(), &picker, "B Corporation").await;
    let old = question.answer.form_with_button("answer");
    // The page before, as the browser opens it once more: looking changes nothing.
    let place = picker.picker().action.as_str().replace("/organization", "/organizations");
    let before = house.before().await;
    let again = con.browser.get(&place).await;
    assert_eq!(again.status, 200, "{}", again.body);
    house.unchanged(&before).await;
    let shown = con.browser.get(old.action.as_str()).await;
    assert!(shown.body.contains("B Corporation"), "{}", shown.body);
    let again = con.goes_on(&device.ask(), again).await;
    assert_eq!(again.choices(), ["A Corporation", "B Corporation"]);
    let question = con.picks(&device.ask(), &again, "A Corporation").await;
    assert!(question.answer.body.contains("Let this device in?"), "{}", question.told());
    // What the other tab still shows is not what would be let in now.
    let before = house.before().await;
    let answer = con.browser.submit(&pressed(&old, "allow")).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    house.unchanged(&before).await;
    // Nobody picks for them: neither another site, nor another browser.
    let form = picker.picker().with("choice", &picker.picker().buttons[1].1);
    let answer = posts(&mut con.browser, &form, &[("Sec-Fetch-Site", "cross-site")]).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    let answer = posts(&mut Visitor::arrives(), &form, &[]).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    let done = con.browser.submit(&pressed(&question.answer.form_with_button("answer"), "allow")).await;
    assert!(done.body.contains("The device is let in"), "{}", done.body);
    assert_eq!(device.tokens().await.id["org_name"], json!("org-a"));
    // Once it is answered, nobody goes back to it.
    let over = con.browser.get(&place).await;
    assert_eq!(over.status, 403, "{}", over.body);
}

#[tokio::test]
async fn h23_c22_a_device_does_not_switch_to_where_devices_are_not_let_in_and_stays_where_it_was() {
    let house = house().await;
    let tv = Device::television(&house);
    let device = Device::asks(&tv, &[SCOPE, ("organization", "org-a")]).await;
    Person::new("con@a.test").lets_in(&device, "A Corporation").await;
    let of_a = device.tokens().await;
    let operator = Api::operator(&house).await;
    let policy = json!({ "device_sign_in": false });
    assert_eq!(operator.patch("/organizations/org-b/policy", policy).await.status, 200);
    let before = house.before().await;
    let answer = tv.refreshes(of_a.refresh()).with("organization", "org-b").send().await;
    assert_eq!(error(&answer), (403, json!("access_denied")), "{}", answer.body);
    assert_eq!(answer.json()["error_description"], json!("device_not_allowed"));
    assert_eq!(answer.json().get("login_url"), None, "nothing that they do at a browser helps");
    house.refused(&before, "device_not_allowed").await;
    let again = device.ask().reads_again(&tv.refreshes(of_a.refresh()).send().await).await;
    assert_eq!(again.access["org_name"], json!("org-a"));
}

#[tokio::test]
async fn h23_a_device_stays_only_where_that_was_said_and_shown() {
    let house = house().await;
    let terminal = Application::new(&house, "terminal", Proof::Nothing);
    let device = Device::asks(&terminal, &[("scope", "openid offline_access")]).await;
    let mut ann = Person::new("ann@a.test");
    ann.lets_in(&device, "A Corporation").await;
    let short = device.tokens().await;
    assert!(short.refresh_token.is_none());
    assert_eq!(short.access["scope"], json!("openid"), "what means nothing to it is left out");
    let tv = Device::television(&house);
    let (online, offline) =
        (Device::asks(&tv, &[SCOPE]).await, Device::asks(&tv, &[("scope", "openid offline_access")]).await);
    for device in [&online, &offline] {
        ann.lets_in(device, "A Corporation").await;
    }
    let (online, offline) = (online.tokens().await, offline.tokens().await);
    // She signs out where she let them in.
    let page = ann.browser.get(&format!("{}/logout", house.url)).await;
    ann.browser.submit(&page.form_with_button("sign_out").with("sign_out", "yes")).await;
    assert_eq!(terminal.userinfo(&short.access_token).await.status, 401);
    assert_eq!(tv.userinfo(&online.access_token).await.status, 401);
    assert_eq!(error(&tv.refreshes(online.refresh()).send().await), (400, json!("invalid_grant")));
    assert_eq!(tv.refreshes(offline.refresh()).send().await.status, 200);
    // Whoever signs out between the click and the tokens has not let anybody in, whatever was asked for.
    let device = Device::asks(&tv, &[("scope", "openid offline_access")]).await;
    let mut ann = Person::new("ann@a.test");
    ann.lets_in(&device, "A Corporation").await;
    let page = ann.browser.get(&format!("{}/logout", house.url)).await;
    ann.browser.submit(&page.form_with_button("sign_out").with("sign_out", "yes")).await;
    assert_eq!(device.is_told().await, "access_denied");
}

#[tokio::test]
async fn h23_who_may_not_ask_is_told_so_and_nobody_asks_without_end() {
    let house = house().await;
    let tv = Device::television(&house);
    let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
    let nobody = Application::new(&house, "nobody", Proof::Nothing);
    let secret = tv.clone().proving(Proof::Post(RP1_SECRET.into()));
    for (what, application, fields, status, told) in [
        ("a web application", &rp1, vec![SCOPE], 400, "unauthorized_client"),
        ("a public one", &rp2, vec![SCOPE], 400, "unauthorized_client"),
        ("an unknown one", &nobody, vec![SCOPE], 401, "invalid_client"),
        ("one that proves too much", &secret, vec![SCOPE], 401, "invalid_client"),
        ("no scope", &tv, vec![], 400, "invalid_scope"),
        ("scopes without meaning", &tv, vec![("scope", "nothing")], 400, "invalid_scope"),
        ("prompt=none", &tv, vec![SCOPE, ("prompt", "none")], 400, "invalid_request"),
        (
            "two organizations",
            &tv,
            vec![("scope", "openid organization:a"), ("organization", "b")],
            400,
            "invalid_request",
        ),
        ("twice", &tv, vec![SCOPE, SCOPE], 400, "invalid_request"),
    ] {
        let before = house.before().await;
        let answer = Device::request(application, &fields).send().await;
        assert_eq!(error(&answer), (status, json!(told)), "{what}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        house.refused(&before, told).await;
    }
    let terminal = Application::new(&house, "terminal", Proof::Nothing);
    let before = house.before().await;
    let more = Device::request(&terminal, &[("scope", "openid organizations")]).send().await;
    assert_eq!(error(&more), (400, json!("invalid_scope")));
    house.refused(&before, "invalid_scope").await;
    // Nor may who asks for no device take one's tokens.
    let device = Device::asks(&tv, &[SCOPE]).await;
    assert_eq!(error(&device.polls().by(&rp1).send().await), (400, json!("unauthorized_client")));
    for _ in 1..60 {
        Device::asks(&tv, &[SCOPE]).await;
    }
    let before = house.before().await;
    let answer = Device::request(&tv, &[SCOPE]).send().await;
    assert_eq!(error(&answer), (429, json!("temporarily_unavailable")), "{}", answer.body);
    assert_eq!(answer.header("retry-after"), Some("60"));
    house.refused(&before, "temporarily_unavailable").await;
    house.turn_clock(60);
    Device::asks(&tv, &[SCOPE]).await;
}

/// Of many who come with one code that was let in, one gets its family.
async fn race(house: &House, nodes: &[String]) {
    let device = Device::asks(&Device::television(house), &[SCOPE]).await;
    Person::new("ann@a.test").lets_in(&device, "A Corporation").await;
    let runs = (0..100).map(|runner| {
        let poll = device.polls().at(&nodes[runner % nodes.len()]);
        tokio::spawn(async move { poll.send().await })
    });
    let answers: Vec<_> = join_all(runs).await.into_iter().map(Result::unwrap).collect();
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|answer| &answer.body).collect::<Vec<_>>());
    for answer in lost {
        assert_eq!(error(answer), (400, json!("invalid_grant")), "{}", answer.body);
    }
    assert_eq!(house.count("grants").await, 1);
    let tokens = device.ask().reads_again(won[0]).await;
    assert_eq!(device.application.userinfo(&tokens.access_token).await.status, 200);
    // And of many who wait at once nobody is told that we failed.
    let waits = Device::asks(&Device::television(house), &[SCOPE]).await;
    let runs = (0..50).map(|runner| {
        let poll = waits.polls().at(&nodes[runner % nodes.len()]);
        tokio::spawn(async move { poll.send().await })
    });
    let answers: Vec<_> = join_all(runs).await.into_iter().map(Result::unwrap).collect();
    let pending =
        answers.iter().filter(|answer| error(answer) == (400, json!("authorization_pending"))).count();
    let slow = answers.iter().filter(|answer| error(answer) == (400, json!("slow_down"))).count();
    assert_eq!(
        (pending, slow),
        (1, 49),
        "{:?}",
        answers.iter().map(|answer| &answer.body).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn h23_of_a_hundred_who_come_with_one_code_one_gets_tokens() {
    let house = house().await;
    race(&house, std::slice::from_ref(&house.url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h23_and_so_it_is_on_two_nodes() {
    let house = plan(Plan::on(Engine::Postgres)).build().await;
    let second = house.second_node().await;
    race(&house, &[house.url.clone(), second.url()]).await;
}

#[tokio::test]
async fn h23_c29_no_code_of_a_device_is_stored() {
    let house = house().await;
    let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let columns = "hex(device_digest) || hex(user_digest) || request || id";
    let row = house.text(&format!("SELECT {columns} FROM device_codes")).await;
    let row = row.unwrap_or_default();
    let letters = device.user_code().replace('-', "");
    assert!(!row.contains(&letters) && !row.contains(&device.user_code()), "{row}");
    assert!(!row.contains(&device.device_code()), "{row}");
    // Short as it is, nobody finds it by trying all of them on a copy of the table.
    let plain = behalf::foundation::secret::Digest::of(letters.as_bytes());
    let found = house.text("SELECT hex(user_digest) FROM device_codes").await.unwrap();
    assert_ne!(found.to_lowercase(), data_encoding::HEXLOWER.encode(plain.as_bytes()));
    // And what has run out is forgotten.
    house.turn_clock(600 + 1);
    let now = house.clock.now();
    house.broker.db.write(async move |tx| device_codes::sweep(tx, now).await).await.unwrap();
    assert_eq!(house.count("device_codes").await, 0);
}
