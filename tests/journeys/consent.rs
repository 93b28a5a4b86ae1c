//! An application of others is told of somebody only once they have allowed it, and until they take it back.

use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Arrival, Ask, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::browser::Browser;
use crate::house::form::Form;
use crate::house::visitor::Visitor;

/// The default house, where `rp1` is somebody else's.
fn plan(engine: Engine) -> Plan {
    Plan::on(engine).with("[application.rp1]", "[application.rp1]\nconsent_required = true")
}

const ELSEWHERE: &str = "https://elsewhere.test/callback";

/// The same, and it also waits for answers elsewhere.
async fn with_another_place(engine: Engine) -> House {
    let usual = "\"https://rp1.test/callback\"";
    plan(engine)
        .with(&format!("redirect_uris = [{usual}]"), &format!("redirect_uris = [{usual}, \"{ELSEWHERE}\"]"))
        .build()
        .await
}

/// As far as somebody is led who allows nothing unless they are asked here.
async fn is_led(person: &mut Person, ask: &Ask) -> Arrival {
    let first = person.browser.get(&ask.url()).await;
    person.walks(ask, first, |_| false).await
}

fn question(arrival: &Arrival) -> Form {
    arrival.answer.form_with_button("answer")
}

async fn says(person: &mut Person, ask: &Ask, asked: &Arrival, answer: &str) -> Arrival {
    let next = person.browser.submit(&question(asked).with("answer", answer)).await;
    person.walks(ask, next, |_| false).await
}

fn ask(house: &House, scope: &str) -> Ask {
    Application::rp1(house).asks().with("scope", scope).with("login_hint", "ann@a.test")
}

#[tokio::test]
async fn nobody_is_told_of_who_has_not_allowed_it_and_what_was_allowed_is_not_asked_again() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(engine).build().await;
        let mut ann = Person::new("ann@a.test");
        let first = ask(&house, "openid organization");
        let page = is_led(&mut ann, &first).await;
        assert_eq!(page.status(), 200, "{}", page.told());
        for words in [
            "May First App be told of you?",
            "wants you to be asked",
            "rp1.test",
            "A Corporation",
            "ann@a.test",
        ] {
            assert!(page.answer.body.contains(words), "{words}: {}", page.told());
        }
        assert!(!page.answer.body.contains("registered itself"), "the operator did: {}", page.told());
        assert!(
            !page.answer.body.contains("your email address"),
            "it does not ask for that: {}",
            page.told()
        );
        assert_eq!((house.count("grants").await, house.count("consents").await), (0, 0), "nothing yet");
        // Where nobody may be asked, the application is told so.
        let before = house.before().await;
        let silent = is_led(&mut ann, &first.clone().with("prompt", "none")).await;
        assert_eq!(silent.error().0, "consent_required", "{}", silent.told());
        house.refused(&before, "consent_required").await;

        let code = says(&mut ann, &first, &page, "allow").await;
        let tokens = first.redeems(&code).await;
        assert_eq!(tokens.id["org_name"], json!("org-a"));
        let granted =
            house.audit().await.into_iter().find(|event| event.action == "consent.granted").unwrap();
        assert_eq!(granted.actor, tokens.id["sub"].as_str().unwrap());
        assert_eq!(granted.detail["scopes"], json!("openid organization"));
        // Not again, in whatever browser; not for less; silently, too.
        for (person, ask) in [
            (&mut Person::new("ann@a.test"), first.clone()),
            (&mut Person::new("ann@a.test"), ask(&house, "openid")),
            (&mut ann, first.clone().with("prompt", "none")),
        ] {
            is_led(person, &ask).await.code();
        }
        // For more, whatever it is asked by; and of somebody else.
        let named = r#"{"id_token":{"email":{"essential":true}}}"#;
        for more in [
            ask(&house, "openid email organization"),
            ask(&house, "openid organization").with("claims", named),
            first.clone().with("prompt", "consent"),
        ] {
            let page = is_led(&mut ann, &more).await;
            assert!(page.answer.body.contains("May First App be told of you?"), "{}", page.told());
        }
        let theirs = Application::rp1(&house).asks().with("scope", "openid").with("login_hint", "bob@b.test");
        let page = is_led(&mut Person::new("bob@b.test"), &theirs).await;
        assert!(page.answer.body.contains("May First App be told of you?"), "{}", page.told());
        // Who does not allow more has still allowed what they allowed.
        let more = ask(&house, "openid email organization");
        let page = is_led(&mut ann, &more).await;
        let before = house.before().await;
        let denied = says(&mut ann, &more, &page, "deny").await;
        assert_eq!(
            denied.error(),
            ("access_denied".into(), "the person does not allow this application to be told of them".into())
        );
        house.refused(&before, "consent_denied").await;
        is_led(&mut ann, &first).await.code();
    }
}

#[tokio::test]
async fn h24_of_yes_and_no_the_first_counts_and_the_other_is_told_neither() {
    let house = plan(Engine::Sqlite).build().await;
    let mut ann = Person::new("ann@a.test");
    let ask = ask(&house, "openid");
    for (first, other, allowed) in [("deny", "allow", 0), ("allow", "deny", 1)] {
        let form = question(&is_led(&mut ann, &ask).await);
        let said = ann.browser.clone().submit(&form.clone().with("answer", first)).await;
        let told = said.location().unwrap();
        assert_eq!(told.query_pairs().any(|(name, _)| name == "code"), first == "allow", "{told}");
        let before = house.before().await;
        let answer = ann.browser.clone().submit(&form.clone().with("answer", other)).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "{other}: {}", answer.body);
        assert!(answer.body.contains("has already ended"), "{other}: {}", answer.body);
        house.refused(&before, "flow_expired").await;
        assert_eq!(house.count("consents").await, allowed, "{other}");
        // Whoever says the same twice is told the same.
        let again = ann.browser.submit(&form.with("answer", first)).await;
        assert_eq!(again.location(), Some(told));
    }
}

#[tokio::test]
async fn h24_c28_nothing_but_the_persons_own_click_on_what_they_see_allows_it() {
    let house = plan(Engine::Sqlite).build().await;
    let mut con = Person::new("con@a.test");
    let ask = Application::rp1(&house).asks().with("scope", "openid").with("login_hint", "con@a.test");
    let page = is_led(&mut con, &ask).await;
    let next = con.browser.submit(&page.picker().with("choice", &page.picker().buttons[1].1)).await;
    let picked = con.walks(&ask, next, |_| false).await;
    assert!(picked.answer.body.contains("B Corporation"), "{}", picked.told());
    let form = question(&picked).with("answer", "allow");
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    for (what, status) in [("csrf", 403), ("shown", 303), ("answer", 400)] {
        let answer = con.browser.submit(&form.clone().with(what, "x")).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        assert_eq!((house.count("consents").await, house.count("grants").await), (0, 0), "{what}");
    }
    let answer = Visitor::arrives().submit(&form).await;
    assert_eq!(answer.status, 403, "another browser: {}", answer.body);
    let answer = con.browser.get(&format!("{}?{query}", form.action)).await;
    assert_eq!(answer.status, 303, "by a link: {}", answer.body);
    assert_eq!((house.count("consents").await, house.count("grants").await), (0, 0));
    assert_eq!(picked.answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(picked.answer.header("cache-control"), Some("no-store"));
    // What is refused all the same is not asked for.
    house.execute("UPDATE users SET disabled_at = 1").await;
    let page = is_led(&mut con, &ask.clone().with("prompt", "select_organization")).await;
    assert!(!page.answer.body.contains("be told of you?"), "{}", page.told());
}

#[tokio::test]
async fn what_was_allowed_is_taken_back_at_the_account_and_ends_what_came_of_it() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(engine).build().await;
        let mut ann = Person::new("ann@a.test");
        let first = ask(&house, "openid email organization");
        let page = is_led(&mut ann, &first).await;
        let code = says(&mut ann, &first, &page, "allow").await;
        let tokens = first.redeems(&code).await;
        let rp1 = Application::rp1(&house);
        assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 200);
        let account = ann.browser.get(&format!("{}/account/applications", house.url)).await;
        for words in ["What you have allowed", "First App", "your email address"] {
            assert!(account.body.contains(words), "{words}: {}", account.body);
        }
        let takes_back =
            account.forms().into_iter().find(|form| form.action.path().ends_with("/withdraw")).unwrap();
        // Neither by another site's word, nor by somebody else's hand.
        let forged = ann.browser.submit(&takes_back.clone().with("csrf", "x")).await;
        assert_eq!(forged.status, 403, "{}", forged.body);
        assert_eq!(house.count("consents").await, 1);
        let done = ann.browser.submit(&takes_back).await;
        let done = ann.browser.follow(&done).await;
        assert!(done.body.contains("Taken back."), "{}", done.body);
        assert_eq!(house.count("consents").await, 0);
        assert!(!done.body.contains("What you have allowed"), "{}", done.body);
        let refused = rp1.refreshes(tokens.refresh()).send().await;
        assert_eq!(refused.json()["error"], json!("invalid_grant"), "{}", refused.body);
        assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401);
        for action in ["consent.granted", "consent.withdrawn", "grant.taken_back"] {
            assert_eq!(house.events_of(action).await, 1, "{action}");
        }
        // It asks again; and what is not there any more is not taken back twice.
        let again = is_led(&mut ann, &first).await;
        assert!(again.answer.body.contains("May First App be told of you?"), "{}", again.told());
        assert_eq!(ann.browser.submit(&takes_back).await.status, 404);
    }
}

#[tokio::test]
async fn nobody_is_asked_for_what_would_be_refused_whatever_they_say() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(engine).build().await;
        let mut ann = Person::new("ann@a.test");
        let asks = ask(&house, "openid").with("organization", "org-a");
        // They have been asked, and have said yes: they are asked again where the application wants that.
        let page = is_led(&mut ann, &asks).await;
        says(&mut ann, &asks, &page, "allow").await.code();
        let anew = asks.clone().with("prompt", "consent");
        let page = is_led(&mut ann, &anew).await;
        assert!(page.answer.body.contains("May First App be told of you?"), "{}", page.told());
        house
            .execute("UPDATE organizations SET policy = '{\"require_mfa\":true}' WHERE slug = 'org-a'")
            .await;
        for asked in [&asks, &anew] {
            let before = house.before().await;
            let refused = is_led(&mut ann, asked).await;
            let told = ("access_denied".to_owned(), "mfa_required".to_owned());
            assert_eq!(refused.error(), told, "{}", refused.told());
            house.refused(&before, "mfa_required").await;
        }
    }
}

#[tokio::test]
async fn what_was_allowed_for_one_organization_is_not_allowed_for_another() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(engine).build().await;
        let rp1 = Application::rp1(&house);
        let asks = |organization: &str| {
            let ask = rp1.asks().with("scope", "openid roles").with("login_hint", "con@a.test");
            ask.with("organization", organization)
        };
        let mut con = Person::new("con@a.test");
        let first = asks("org-a");
        let page = is_led(&mut con, &first).await;
        let code = says(&mut con, &first, &page, "allow").await;
        let tokens = first.redeems(&code).await;
        assert_eq!(tokens.id["org_name"], json!("org-a"));

        let before = house.before().await;
        let silent = is_led(&mut con, &asks("org-b").with("prompt", "none")).await;
        assert_eq!(silent.error().0, "consent_required", "{}", silent.told());
        house.refused(&before, "consent_required").await;
        let before = house.before().await;
        let switch = rp1.refreshes(tokens.refresh()).with("organization", "org-b");
        let refused = switch.send().await;
        assert_eq!(refused.json()["error"], json!("consent_required"), "{}", refused.body);
        house.refused(&before, "consent_required").await;

        // The family is as good as before; and once it is allowed, they switch.
        let again = first.reads_again(&rp1.refreshes(tokens.refresh()).send().await).await;
        let other = asks("org-b");
        let page = is_led(&mut con, &other).await;
        assert!(page.answer.body.contains("B Corporation"), "{}", page.told());
        says(&mut con, &other, &page, "allow").await.code();
        let switched = rp1.refreshes(again.refresh()).with("organization", "org-b").send().await;
        assert_eq!(first.reads_again(&switched).await.access["org_name"], json!("org-b"));
        assert_eq!(house.count("consents").await, 1, "of the same application");
    }
}

/// Con says yes to what the page says; `words` stand on it.
async fn allows(con: &mut Person, ask: &Ask, words: &str) -> Arrival {
    let page = is_led(con, ask).await;
    assert!(page.answer.body.contains(words), "{words}: {}", page.told());
    says(con, ask, &page, "allow").await
}

#[tokio::test]
async fn m07_one_yes_and_another_are_not_a_third() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = with_another_place(engine).await;
        let rp1 = Application::rp1(&house);
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        let asks = |organization: &str, scope: &str| {
            let ask = rp1.asks().with("scope", scope).with("login_hint", "con@a.test");
            ask.with("organization", organization)
        };
        let moved = |ask: Ask| {
            let mut ask = ask.with("redirect_uri", ELSEWHERE);
            ask.application.redirect_uri = ELSEWHERE.into();
            ask
        };
        let (large, small) = ("openid organization roles email", "openid organization");
        let mut con = Person::new("con@a.test");
        let first = asks("org-a", large);
        let of_a = first.redeems(&allows(&mut con, &first, "A Corporation").await).await;
        allows(&mut con, &asks("org-b", small), "B Corporation").await.code();
        allows(&mut con, &moved(asks("org-b", large)), "elsewhere.test").await.code();

        // Each is worth what its page said.
        for fine in [asks("org-a", large), asks("org-b", small), moved(asks("org-b", large))] {
            is_led(&mut con, &fine.with("prompt", "none")).await.code();
        }
        // The larger list of one organization, or of one place, is not told of another.
        for other in [asks("org-b", large), moved(asks("org-a", large)), moved(asks("org-a", small))] {
            let before = house.before().await;
            let silent = is_led(&mut con, &other.with("prompt", "none")).await;
            assert_eq!(silent.error().0, "consent_required", "{}", silent.told());
            house.refused(&before, "consent_required").await;
        }
        let before = house.before().await;
        let refused = rp1.refreshes(of_a.refresh()).with("organization", "org-b").send().await;
        assert_eq!(refused.json()["error"], json!("consent_required"), "{}", refused.body);
        house.refused(&before, "consent_required").await;
        // What was allowed there suffices for less.
        let less = rp1.refreshes(of_a.refresh()).with("organization", "org-b").with("scope", small);
        let less = less.send().await;
        assert_eq!(first.reads_again(&less).await.access["org_name"], json!("org-b"));

        // It is kept so, and taken back so.
        let kept = house.text("SELECT told FROM consents").await.unwrap();
        let kept: Vec<Value> = serde_json::from_str(&kept).unwrap();
        let said = |one: &Value| {
            let scopes = one["scopes"].as_array().unwrap().len();
            (one["organization"].clone(), one["place"]["at"].clone(), scopes)
        };
        assert_eq!(
            kept.iter().map(said).collect::<Vec<_>>(),
            [
                (json!(a), json!("rp1.test"), 4),
                (json!(b), json!("rp1.test"), 2),
                (json!(b), json!("elsewhere.test"), 4)
            ]
        );
        assert_eq!(house.count("consents").await, 1, "of the same application");
        // One organization is taken back, and ends what is held for it; the other stays, and what it was allowed at.
        let account = con.browser.get(&format!("{}/account/applications", house.url)).await;
        for words in
            ["For A Corporation", "For B Corporation", "leads you to rp1.test", "leads you to elsewhere.test"]
        {
            assert!(account.body.contains(words), "{words}: {}", account.body);
        }
        let takes_back = |organization: &str| {
            let all = account.forms().into_iter().filter(|form| form.action.path().ends_with("/withdraw"));
            let of_it: Vec<_> = all.filter(|form| form.value("organization") == Some(organization)).collect();
            let [form] = of_it.as_slice() else { panic!("{organization}: {}", account.body) };
            form.clone()
        };
        assert_eq!(con.browser.submit(&takes_back(&a)).await.status, 303);
        let refused = rp1.refreshes(of_a.refresh()).send().await;
        assert_eq!(refused.json()["error"], json!("invalid_grant"), "{}", refused.body);
        let silent = is_led(&mut con, &asks("org-a", small).with("prompt", "none")).await;
        assert_eq!(silent.error().0, "consent_required", "{}", silent.told());
        for fine in [asks("org-b", small), moved(asks("org-b", large))] {
            is_led(&mut con, &fine.with("prompt", "none")).await.code();
        }
        assert_eq!(con.browser.submit(&takes_back(&a)).await.status, 404);
        assert_eq!(con.browser.submit(&takes_back(&b)).await.status, 303);
        assert_eq!((house.count("consents").await, house.events_of("consent.withdrawn").await), (0, 2));
        for over in [asks("org-a", small), asks("org-b", small)] {
            let silent = is_led(&mut con, &over.with("prompt", "none")).await;
            assert_eq!(silent.error().0, "consent_required", "{}", silent.told());
        }
    }
}

#[tokio::test]
async fn what_was_allowed_for_nobody_but_oneself_is_taken_back_alone_and_each_says_since_when() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(engine).build().await;
        let rp1 = Application::rp1(&house);
        let mut con = Person::new("con@a.test");
        let asks = |scope: &str| rp1.asks().with("scope", scope).with("login_hint", "con@a.test");
        let of_a = asks("openid organization:org-a");
        let of_a = of_a.redeems(&allows(&mut con, &of_a, "A Corporation").await).await;
        house.turn_clock(3_600);
        let alone = asks("openid organization:*");
        let arrival = allows(&mut con, &alone, "First App").await;
        let alone = alone.redeems(&arrival).await;
        let account = con.browser.get(&format!("{}/account/applications", house.url)).await;
        for moment in ["2026-06-01 09:00 UTC", "2026-06-01 10:00 UTC"] {
            assert!(account.body.contains(&format!("Allowed on {moment}")), "{moment}: {}", account.body);
        }
        let of_nobody = |end: &str| {
            let all = account.forms().into_iter().filter(|form| form.action.path().ends_with(end));
            let of_it: Vec<_> = all.filter(|form| form.value("organization") == Some("none")).collect();
            let [form] = of_it.as_slice() else { panic!("{end}: {}", account.body) };
            form.clone()
        };
        let (ends, withdraws) = (of_nobody("/end"), of_nobody("/withdraw"));
        assert_eq!(con.browser.submit(&withdraws).await.status, 303);
        let refused = rp1.refreshes(alone.refresh()).send().await;
        assert_eq!(refused.json()["error"], json!("invalid_grant"), "{}", refused.body);
        let of_a = rp1.asks().reads_again(&rp1.refreshes(of_a.refresh()).send().await).await;
        assert_eq!(of_a.access["org_name"], json!("org-a"), "the other one stays");
        let silent = is_led(&mut con, &asks("openid organization:*").with("prompt", "none")).await;
        assert_eq!(silent.error().0, "consent_required", "{}", silent.told());
        is_led(&mut con, &asks("openid organization:org-a").with("prompt", "none")).await.code();
        for again in [&withdraws, &ends] {
            let before = house.before().await;
            assert_eq!(con.browser.submit(again).await.status, 404, "what is over is over");
            house.refused(&before, "not_found").await;
        }
    }
}

#[tokio::test]
async fn m07_a_family_goes_on_and_switches_as_from_where_it_led() {
    let house = with_another_place(Engine::Sqlite).await;
    let rp1 = Application::rp1(&house);
    let scope = "openid organization roles";
    let asks = |organization: &str| {
        let ask = rp1.asks().with("scope", scope).with("login_hint", "con@a.test");
        ask.with("organization", organization)
    };
    let mut con = Person::new("con@a.test");
    let here = asks("org-a");
    let tokens = here.redeems(&allows(&mut con, &here, "A Corporation").await).await;
    // B's was allowed at another place alone.
    let mut there = asks("org-b").with("redirect_uri", ELSEWHERE);
    there.application.redirect_uri = ELSEWHERE.into();
    let of_b = there.redeems(&allows(&mut con, &there, "elsewhere.test").await).await;
    let before = house.before().await;
    let refused = rp1.refreshes(tokens.refresh()).with("organization", "org-b").send().await;
    assert_eq!(refused.json()["error"], json!("consent_required"), "{}", refused.body);
    house.refused(&before, "consent_required").await;
    for (ask, tokens) in [(&here, &tokens), (&there, &of_b)] {
        assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 200);
        ask.reads_again(&rp1.refreshes(tokens.refresh()).send().await).await;
    }
}

#[tokio::test]
async fn what_is_told_is_what_was_allowed_whatever_the_application_may_by_then() {
    let house = plan(Engine::Sqlite).build().await;
    let operator = Api::operator(&house).await;
    let rp1 = Application::rp1(&house);
    let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
    let path = format!("/applications/{id}");
    let may = async |body: Value| {
        let done = operator.patch(&path, body).await;
        assert_eq!(done.status, 200, "{}", done.body);
    };
    // It asks for a claim while it may, and may not any more when the person reads the page.
    let named = ask(&house, "openid").with("claims", r#"{"id_token":{"email":null}}"#);
    let mut ann = Person::new("ann@a.test");
    let page = is_led(&mut ann, &named).await;
    may(json!({"scopes": ["openid"]})).await;
    let page = {
        let answer = ann.browser.get(&question(&page).action.as_str().replace("/consent", "")).await;
        ann.walks(&named, answer, |_| false).await
    };
    assert!(page.answer.body.contains("your email address"), "{}", page.told());
    assert_eq!(house.count("grants").await, 0);

    // A family from before anybody was asked is as wide as what is allowed afterwards, or nothing.
    may(json!({"scopes": ["openid", "email"], "consent_required": false})).await;
    let wide = ask(&house, "openid email");
    let arrival = is_led(&mut ann, &wide).await;
    let tokens = wide.redeems(&arrival).await;
    may(json!({"consent_required": true})).await;
    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401);
    let narrow = ask(&house, "openid");
    let page = is_led(&mut ann, &narrow).await;
    says(&mut ann, &narrow, &page, "allow").await.code();
    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401, "no more than was allowed");
    let before = house.before().await;
    let refused = rp1.refreshes(tokens.refresh()).send().await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    house.refused(&before, "consent_required").await;
}

#[tokio::test]
async fn m07_what_was_allowed_counts_for_the_name_the_place_and_the_audiences_that_were_shown() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(engine).build().await;
        let operator = Api::operator(&house).await;
        let rp1 = Application::rp1(&house);
        let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
        let becomes = async |body: Value| {
            let done = operator.patch(&format!("/applications/{id}"), body).await;
            assert_eq!(done.status, 200, "{}", done.body);
        };
        let first = ask(&house, "openid email");
        let mut ann = Person::new("ann@a.test");
        let page = is_led(&mut ann, &first).await;
        let code = says(&mut ann, &first, &page, "allow").await;
        let mut tokens = first.redeems(&code).await;
        let api = format!("{}/api/v1", house.url);
        let moved = json!(["https://rp1.test/callback", ELSEWHERE]);
        let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
        let grants = json!(["authorization_code", "refresh_token", exchange]);
        for (change, words, ends) in [
            (json!({"display_name": "Your Bank"}), "May Your Bank be told of you?", true),
            (json!({"audiences": ["orders"]}), "orders", true),
            (json!({"audiences": ["orders", api]}), "this service itself", true),
            (
                json!({"grant_types": grants, "exchange_audiences": ["billing"]}),
                "it may act for you at",
                true,
            ),
            (json!({"redirect_uris": moved}), "elsewhere.test", false),
        ] {
            becomes(change.clone()).await;
            // What was given before was given to who it was: to a new name, or for more, nothing is told.
            let before = house.before().await;
            let refresh = rp1.refreshes(tokens.refresh()).send().await;
            match ends {
                true => {
                    assert_eq!(refresh.json()["error"], json!("invalid_grant"), "{change}: {}", refresh.body);
                    house.refused(&before, "consent_required").await;
                    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401, "{change}");
                }
                false => {
                    first.reads_again(&refresh).await;
                }
            }
            let mut asks = first.clone();
            if change.get("redirect_uris").is_some() {
                asks = asks.with("redirect_uri", ELSEWHERE);
                asks.application.redirect_uri = ELSEWHERE.into();
            }
            let before = house.before().await;
            let silent = is_led(&mut ann, &asks.clone().with("prompt", "none")).await;
            assert_eq!(silent.error().0, "consent_required", "{change}: {}", silent.told());
            house.refused(&before, "consent_required").await;
            let page = is_led(&mut ann, &asks).await;
            assert!(page.answer.body.contains(words), "{change}: {}", page.told());
            let code = says(&mut ann, &asks, &page, "allow").await;
            tokens = asks.redeems(&code).await;
            is_led(&mut ann, &asks.clone().with("prompt", "none")).await.code();
        }
        assert_eq!(house.count("consents").await, 1);
        let account = ann.browser.get(&format!("{}/account/applications", house.url)).await;
        assert!(account.body.contains("it may act for you at billing"), "{}", account.body);
        // Less than was shown is nothing to be asked about.
        becomes(json!({"audiences": [], "exchange_audiences": []})).await;
        is_led(&mut ann, &first.clone().with("prompt", "none")).await.code();
        // What was allowed to another name does not come back with a small thing that is allowed to this one.
        becomes(json!({"display_name": "A Calculator"})).await;
        let small = ask(&house, "openid");
        let page = is_led(&mut ann, &small).await;
        says(&mut ann, &small, &page, "allow").await.code();
        let silent = is_led(&mut ann, &first.clone().with("prompt", "none")).await;
        assert_eq!(silent.error().0, "consent_required", "{}", silent.told());
    }
}

#[tokio::test]
async fn s2_27_the_page_says_where_a_program_gets_it_and_what_is_really_told() {
    let native = "\n[application.notes]\ndisplay_name = \"Notes\"\ntype = \"native\"\nconsent_required = true\n\
                  redirect_uris = [\"com.example.notes:/callback\"]\n";
    let house = plan(Engine::Sqlite).and(native).build().await;
    let mut notes = Application::new(&house, "notes", crate::house::application::Proof::Nothing);
    notes.redirect_uri = "com.example.notes:/callback".into();
    let asks = notes.asks().with("scope", "openid profile").with("login_hint", "ann@a.test");
    let mut ann = Person::new("ann@a.test");
    let page = is_led(&mut ann, &asks).await;
    assert!(page.answer.body.contains("com.example.notes:"), "{}", page.told());
    assert!(!page.answer.body.contains("picture"), "nobody is told one: {}", page.told());
    assert!(!page.answer.body.contains("besides"), "nothing is mapped: {}", page.told());
    // Her provider says more of her from now on, and so does the page.
    let mapped = r#"UPDATE users SET profile = '{"name":"Ann","claims":{"department":"Sales"}}'"#;
    assert!(house.execute(mapped).await >= 1);
    let page = is_led(&mut ann, &asks).await;
    for words in ["your name and language", "besides", "department"] {
        assert!(page.answer.body.contains(words), "{words}: {}", page.told());
    }
    assert_eq!((house.count("consents").await, house.count("grants").await), (0, 0));
}

#[tokio::test]
async fn h24_who_is_signed_in_by_now_is_asked_and_not_whom_the_page_showed() {
    let house = plan(Engine::Sqlite).build().await;
    let mut person = Person::new("ann@a.test");
    let ask = Application::rp1(&house).asks().with("scope", "openid");
    let page = is_led(&mut person, &ask).await;
    assert!(page.answer.body.contains("ann@a.test"), "{}", page.told());
    let old = question(&page).with("answer", "allow");
    // In another tab somebody else signs in.
    person.email = "bob@b.test".into();
    let rp2 = Application::rp2(&house);
    person.follows(&rp2.asks().with("prompt", "login")).await.code();
    let before = house.before().await;
    let answer = person.browser.submit(&old).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    house.unchanged(&before).await;
    let asked = person.walks(&ask, answer, |_| false).await;
    for words in ["May First App be told of you?", "bob@b.test"] {
        assert!(asked.answer.body.contains(words), "{words}: {}", asked.told());
    }
    assert_eq!(house.count("consents").await, 0);
    let code = says(&mut person, &ask, &asked, "allow").await;
    let bob = house.user("bob@b.test").await;
    assert_eq!(ask.redeems(&code).await.id["sub"], json!(bob));
}

#[tokio::test]
async fn everybody_can_use_the_page_that_asks() {
    for (browser, title, allow) in [
        (Browser::default(), "May First App be told of you?", "Allow and go on"),
        (
            Browser::default().dark().phone().speaking("de"),
            "Darf First App von Ihnen erfahren?",
            "Erlauben und weiter",
        ),
    ] {
        let house = plan(Engine::Sqlite).build().await;
        let person = browser.open().await;
        person.opens(&ask(&house, "openid profile email organization roles").url()).await;
        person.sees(title).await;
        let found = person.axe().await;
        assert!(found.is_empty(), "{found:?}");
        person.presses(allow).await;
        person.is_at(|url| url.host_str() == Some("rp1.test")).await;
        assert_eq!(house.count("consents").await, 1);
        person.opens(&format!("{}/account/applications", house.url)).await;
        person.sees("First App").await;
        let found = person.axe().await;
        assert!(found.is_empty(), "{found:?}");
    }
}
