//! M17, S1-R11: who comes from a provider that does not say when they signed in there has not "just signed in". An answer
//! without a page is to be had for days by whoever sits at a forgotten browser.

use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says;
use crate::house::lying_saml_idp;
use crate::house::visitor::Answer;

const TRANSFER: &str = "/organizations/org-a/transfer-ownership";
/// What Entra ID calls her.
const ANN: &str = "\"72f988bf-86f1-41af-91ab-2d7cd011db47\"";

fn ask(house: &House, email: &str, organization: &str) -> Ask {
    Application::rp1(house).asks().with("organization", organization).with("login_hint", email)
}

async fn comes(house: &House, person: &mut Person, ask: &Ask) -> Api {
    let arrival = person.follows(ask).await;
    Api::with(house, Some(ask.redeems(&arrival).await.access_token)).await
}

async fn is_stale(house: &House, api: &Api, path: &str, body: Value) {
    let before = house.before().await;
    let refused = api.post(path, body).await;
    let told = (refused.status.as_u16(), &refused.json()["code"]);
    assert_eq!(told, (403, &json!("reauthentication_required")), "{path}: {}", refused.body);
    house.refused(&before, "reauthentication_required").await;
}

#[tokio::test]
async fn m17_h18_an_organization_that_wants_them_to_sign_in_anew_shuts_nobody_out_whose_provider_does_not_say_when()
 {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let set = operator.patch("/organizations/org-a/policy", json!({"max_age": 60})).await;
        assert_eq!(set.status, 200, "{}", set.body);
        let (mut con, asks) = (Person::new("con@a.test"), ask(&house, "con@a.test", "org-a"));
        house.idp_a.says(Says::truth().without("auth_time"));
        con.follows(&asks).await.code();
        let hits = house.idp_a.hits("/authorize");
        con.follows(&asks).await.code();
        assert_eq!(house.idp_a.hits("/authorize"), hits, "it is recent enough");
        // By then it is not: the provider is asked for a new proof, and whoever comes back from there has given one, as the
        // first time. The application has asked for nothing.
        house.turn_clock(64);
        con.follows(&asks).await.code();
        assert_eq!(house.idp_a.hits("/authorize"), hits + 1);
        assert_eq!(house.idp_a.was_asked("prompt").as_deref(), Some("login"));
        // One that says it and is old is none.
        house.turn_clock(64);
        let old = house.clock.now().seconds() - 600;
        house.idp_a.says(Says::truth().claim("auth_time", &old.to_string()));
        let before = house.before().await;
        assert_eq!(con.follows(&asks).await.error().0, "login_required");
        house.refused(&before, "authentication_too_old").await;
    }
}

/// As often as they wait too long: at a short limit, whoever reads the page is not to be shut out by that.
#[tokio::test]
async fn m17_who_waits_too_long_at_the_picker_proves_anew_and_has_picked() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan { engine, ..Plan::default() }.with("only = [\"con@a.test\"]\n", "").build().await;
        let operator = Api::operator(&house).await;
        let set = operator.patch("/organizations/org-b/policy", json!({"max_age": 60})).await;
        assert_eq!(set.status, 200, "{}", set.body);
        let rp1 = Application::rp1(&house);
        let mut con = Person::new("con@a.test");
        let asks = || rp1.asks().with("login_hint", "con@a.test");
        // One who has just signed in; and who has proved anew who they are, for the application wants it.
        for ask in [asks(), asks().with("prompt", "login"), asks().with("max_age", "0")] {
            let page = con.follows(&ask).await;
            let hits = house.idp_a.hits("/authorize");
            house.turn_clock(64);
            let before = house.before().await;
            let arrival = con.picks(&ask, &page, "B Corporation").await;
            assert_eq!(house.idp_a.hits("/authorize"), hits + 1, "{}", arrival.told());
            assert_eq!(house.idp_a.was_asked("prompt").as_deref(), Some("login"));
            let told = house.events_since(&before).await;
            assert!(told.iter().all(|event| event.action != "login.refused"), "{told:?}");
            let tokens = ask.redeems(&arrival).await;
            assert_eq!(tokens.id["org_name"], json!("org-b"));
            assert_eq!(tokens.id["auth_time"], json!(house.clock.now().seconds()));
        }
        // By a double press, of which the browser shows the second answer, nothing is lost.
        let ask = asks();
        let page = con.follows(&ask).await;
        house.turn_clock(64);
        let form = page.picker().with("choice", &page.choice("B Corporation"));
        let first = con.browser.submit(&form).await;
        let second = con.browser.submit(&form).await;
        assert_eq!((first.status, second.status), (303.try_into().unwrap(), 303.try_into().unwrap()));
        let arrival = con.goes_on(&ask, second).await;
        assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
        // Who comes back as somebody else has picked nothing.
        let ask = asks().with("prompt", "login");
        let page = con.follows(&ask).await;
        house.turn_clock(64);
        house.idp_a.says(Says::that("ann@a.test", "ann@a.test"));
        let arrival = con.picks(&ask, &page, "B Corporation").await;
        assert!(arrival.is_picker() && arrival.answer.body.contains("ann@a.test"), "{}", arrival.told());
        // A provider that lets them in again without asking ends it.
        house.idp_a.says(Says::truth());
        let page = con.follows(&ask).await;
        house.turn_clock(64);
        let old = house.clock.now().seconds() - 64;
        house.idp_a.says(Says::truth().claim("auth_time", &old.to_string()));
        let hits = house.idp_a.hits("/authorize");
        let before = house.before().await;
        let told = con.picks(&ask, &page, "B Corporation").await.error();
        assert_eq!(told, ("login_required".into(), "authentication_too_old".into()));
        assert_eq!(house.idp_a.hits("/authorize"), hits + 1);
        house.refused(&before, "authentication_too_old").await;
    }
}

/// Whose address nobody has said, they are told why they are asked, and need not type it. Nobody else reads it there.
#[tokio::test]
async fn m17_m01_who_is_to_prove_anew_reads_why_and_is_known_for_as_long_as_they_are_signed_in() {
    const WHY: &str = "Sign in once more to go on";
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let set = operator.patch("/organizations/org-b/policy", json!({"max_age": 60})).await;
        assert_eq!(set.status, 200, "{}", set.body);
        let rp1 = Application::rp1(&house);
        let waits = async |con: &mut Person, ask: &Ask| {
            let page = con.follows(ask).await;
            house.turn_clock(64);
            let form = page.picker().with("choice", &page.choice("B Corporation"));
            (con.browser.submit(&form).await, form.action.as_str().replace("/organization", ""))
        };
        let typed = |page: &Answer| page.form_with("email").value("email").unwrap().to_owned();
        let mut con = Person::new("con@a.test");
        let ask = rp1.asks();
        let (page, flow) = waits(&mut con, &ask).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.body.contains(WHY), "{}", page.body);
        assert_eq!(typed(&page), "con@a.test");
        // It stands there, for who looks again; and goes on as if they had picked just now.
        let page = con.browser.get(&flow).await;
        assert!(page.body.contains(WHY) && typed(&page) == "con@a.test", "{}", page.body);
        let next = con.browser.submit(&page.form_with("email")).await;
        let arrival = con.goes_on(&ask, next).await;
        assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
        // Who says that they are somebody else is told nothing of who was there.
        let ask = rp1.asks().with("prompt", "select_organization");
        let (page, flow) = waits(&mut con, &ask).await;
        let other = page.forms().into_iter().find(|form| form.action.path().ends_with("/restart")).unwrap();
        let page = con.browser.submit(&other).await;
        assert!(!page.body.contains(WHY) && typed(&page).is_empty(), "{}", page.body);
        assert!(!con.browser.get(&flow).await.body.contains("con@a.test"));
        // Nor who finds the page when they have signed out.
        let (page, flow) = waits(&mut con, &rp1.asks().with("prompt", "select_organization")).await;
        assert_eq!(typed(&page), "con@a.test");
        let out = con.browser.get(&format!("{}/logout", house.url)).await;
        con.browser.submit(&out.form().with("sign_out", "yes")).await;
        let page = con.browser.get(&flow).await;
        assert!(page.body.contains(WHY) && typed(&page).is_empty(), "{}", page.body);
        // Whoever has only just arrived is asked as ever.
        let page = Person::new("con@a.test").browser.get(&rp1.asks().url()).await;
        assert!(!page.body.contains(WHY) && page.body.contains("Enter your work email"), "{}", page.body);
    }
}

#[tokio::test]
async fn m17_s1_r11_a_silent_answer_without_auth_time_is_no_recent_sign_in() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        Api::person(&house, "con@a.test", "org-a").await;
        let cons = house.user("con@a.test").await;
        let mut ann = Person::new("ann@a.test");
        let asks = ask(&house, "ann@a.test", "org-a");
        house.idp_a.says(Says::truth().without("auth_time"));
        let api = comes(&house, &mut ann, &asks).await;
        assert_eq!(api.get("/organizations/org-a").await.status, 200, "she is signed in");
        let mine = api.get("/me").await.json()["authenticated_at"].clone();
        assert_eq!(mine, json!(house.clock.now().rfc3339()), "as far as anybody knows");
        let key = json!({"name": "k", "permissions": ["members:read"]});
        let invitation = json!({"email": "x@c.test", "role": "owner", "send": false});
        for (path, body) in [
            (TRANSFER, json!({"user_id": cons})),
            ("/organizations/org-a/invitations", invitation),
            ("/api-keys", key.clone()),
        ] {
            is_stale(&house, &api, path, body).await;
        }

        // Nor does the session do for an application that wants a recent one: the provider is asked.
        let hits = house.idp_a.hits("/authorize");
        let recent = asks.clone().with("max_age", "300");
        let before = house.before().await;
        let refused = ann.follows(&recent).await;
        assert_eq!((refused.status(), house.idp_a.hits("/authorize")), (403, hits + 1), "{}", refused.told());
        house.refused(&before, "auth_time_missing").await;

        // Where it says, it is believed, and the session is as good as that.
        house.idp_a.says(Says::truth());
        let api = comes(&house, &mut ann, &recent).await;
        assert_eq!(house.idp_a.was_asked("max_age").as_deref(), Some("300"));
        let hits = house.idp_a.hits("/authorize");
        ann.follows(&recent).await.code();
        assert_eq!(house.idp_a.hits("/authorize"), hits);
        let made = api.post("/api-keys", key.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let offered = api.post(TRANSFER, json!({"user_id": cons})).await;
        assert_eq!(offered.status, 202, "{}", offered.body);

        // A later one without a word takes that away.
        house.idp_a.says(Says::truth().without("auth_time"));
        let api = comes(&house, &mut ann, &asks.clone().with("prompt", "select_account")).await;
        is_stale(&house, &api, "/api-keys", key).await;
    }
}

/// Whoever the provider is: an application that asks for a recent sign-in gets no tokens that pretend one.
#[tokio::test]
async fn m17_s1_r11_a_provider_that_never_says_when_proves_no_recent_sign_in() {
    for preset in ["generic", "okta", "keycloak", "entra", "google"] {
        let house = House::opens().await;
        let truth = || match preset {
            "entra" => Says::truth().claim("oid", ANN).claim("tid", ANN),
            _ => Says::truth(),
        };
        Api::person(&house, "con@a.test", "org-a").await;
        let cons = house.user("con@a.test").await;
        let set = format!(
            "UPDATE connections SET settings = replace(settings, '\"preset\":\"generic\"', '\"preset\":\"{preset}\"')
             WHERE slug = 'ca'"
        );
        assert_eq!(house.execute(&set).await, 1);
        let mut ann = Person::new("ann@a.test");
        for (name, value) in [("prompt", "login"), ("max_age", "0"), ("max_age", "300")] {
            house.idp_a.says(truth().without("auth_time"));
            let asks = ask(&house, "ann@a.test", "org-a").with(name, value);
            let before = house.before().await;
            let page = ann.follows(&asks).await;
            assert_eq!(page.status(), 403, "{preset} {name}={value}: {}", page.told());
            assert!(page.answer.body.contains("We could not tell when you signed in"), "{}", page.told());
            house.refused(&before, "auth_time_missing").await;
            let answer = ann.browser.submit(&page.form_with("cancel").with("cancel", "yes")).await;
            let told = ann.goes_on(&asks, answer).await.error();
            assert_eq!(
                told,
                ("login_required".into(), "auth_time_missing".into()),
                "{preset} {name}={value}"
            );
        }
        // Nobody asked: they come in, and that opens nothing that needs a recent one.
        house.idp_a.says(truth().without("auth_time"));
        let asks = ask(&house, "ann@a.test", "org-a");
        let api = comes(&house, &mut ann, &asks).await;
        is_stale(&house, &api, TRANSFER, json!({"user_id": cons})).await;
        house.idp_a.says(truth());
        let api = comes(&house, &mut ann, &asks.with("max_age", "300")).await;
        let offered = api.post(TRANSFER, json!({"user_id": cons})).await;
        assert_eq!(offered.status, 202, "{preset}: {}", offered.body);
    }
}

/// It would be recent for as long as that.
#[tokio::test]
async fn m17_s1_r11_nobody_has_signed_in_at_a_moment_that_is_still_to_come() {
    let house = House::opens().await;
    Api::person(&house, "con@a.test", "org-a").await;
    let asks = ask(&house, "ann@a.test", "org-a");
    let mut ann = Person::new("ann@a.test");
    for (ahead, more) in [(61, None), (3_600, None), (31_536_000, None), (3_600, Some(("max_age", "300")))] {
        let at = house.clock.now().seconds() + ahead;
        house.idp_a.says(Says::truth().claim("auth_time", &at.to_string()));
        let asks = more.map_or_else(|| asks.clone(), |(name, value)| asks.clone().with(name, value));
        let before = house.before().await;
        let page = ann.follows(&asks).await;
        assert_eq!(page.status(), 401, "{ahead}: {}", page.told());
        house.refused(&before, "auth_time_invalid").await;
        let told = house.events_since(&before).await.remove(0).detail;
        assert!(told["found"].as_str().unwrap().starts_with("auth_time 20"), "{told}");
        assert!(told["expected"].as_str().unwrap().contains("not ahead"), "{told}");
    }
    // Clocks differ by so much, and then it is now.
    let now = house.clock.now().seconds();
    house.idp_a.says(Says::truth().claim("auth_time", &(now + 60).to_string()));
    let arrival = ann.follows(&asks).await;
    assert_eq!(asks.redeems(&arrival).await.id["auth_time"], json!(now));
}

#[tokio::test]
async fn m17_s1_r11_what_counts_of_an_assertion_is_when_it_says_that_somebody_signed_in() {
    let house = Plan::saml().build().await;
    Api::person(&house, "ann@a.test", "org-a").await;
    let key = json!({"name": "k", "permissions": ["members:read"]});
    for (old, is_recent) in [(901, false), (0, true)] {
        let asks = ask(&house, "bob@b.test", "org-b");
        let says = lying_saml_idp::Says { authenticated: old, ..lying_saml_idp::Says::that("bob@b.test") };
        let mut bob = Person::new("bob@b.test");
        let arrival = bob.signs_in_by(&house, "cb", &asks, &says).await;
        let api = Api::with(&house, Some(asks.redeems(&arrival).await.access_token)).await;
        match is_recent {
            true => assert_eq!(api.post("/api-keys", key.clone()).await.status, 201),
            false => is_stale(&house, &api, "/api-keys", key.clone()).await,
        }
    }
}

/// Who says what a provider calls an owner makes an owner of whoever is called so.
#[tokio::test]
async fn m17_c02_who_says_who_somebody_is_has_just_signed_in() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        Api::person(&house, "con@a.test", "org-a").await;
        let con = house.user("con@a.test").await;
        let relink = format!("/connections/{}/relink", house.connection("ca").await);
        let people = format!("{relink}/people/{con}");
        let known = owner.get(&people).await.json()["names"][0]["identity_id"].clone();
        let called = json!({"identity_id": known, "subject": "mallory"});
        let kinds = json!({"from": {"format": "x"}, "to": {"attribute": "uid"}, "identities": 1});
        let moved = json!({"from": house.connection("ca").await, "identities": 1});
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 301000").await;
        is_stale(&house, &owner, &people, called.clone()).await;
        is_stale(&house, &owner, &format!("{relink}/names"), kinds).await;
        is_stale(&house, &owner, &relink, moved).await;
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at + 301000").await;
        let said = owner.post(&people, called).await;
        assert_eq!(said.status, 200, "{}", said.body);
    }
}

#[tokio::test]
async fn m17_h05_who_signed_in_too_long_ago_lets_no_other_company_in() {
    let house = House::opens().await;
    let bob = Api::person(&house, "bob@b.test", "org-b").await;
    let path = format!("/delegations/{}", house.text("SELECT id FROM delegations").await.unwrap());
    let paused = bob.post(&format!("{path}/pause"), json!({})).await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 901000").await;
    for path in ["/delegations".to_owned(), format!("{path}/resume"), format!("{path}/approve")] {
        let body =
            if path == "/delegations" { json!({"home": "org-c", "roles": ["member"]}) } else { json!({}) };
        is_stale(&house, &bob, &path, body).await;
    }
    // Whoever takes it away needs none.
    let revoked = bob.post(&format!("{path}/revoke"), json!({})).await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
}
