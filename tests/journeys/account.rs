//! Somebody's own account: what they are signed in to, what applications hold of them, and how they end it.

use serde_json::json;

use crate::house::application::{Application, Person, Tokens};
use crate::house::broker::{Engine, House, Plan};
use crate::house::ear::Ear;
use crate::house::form::Form;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Signs in for the account, and looks at it.
async fn signed_in(house: &House, email: &str) -> (Person, Answer) {
    let mut person = Person::new(email);
    let page = opens(house, &mut person, "/account/sign-in").await;
    assert_eq!(page.status, 200, "{}", page.body);
    (person, page)
}

/// Goes to a path, through whatever sign-in there is before it, and on to a page of the account.
async fn opens(house: &House, person: &mut Person, path: &str) -> Answer {
    let first = person.browser.get(&format!("{}{path}", house.url)).await;
    let ask = Application::rp1(house).asks();
    let arrival = person.walks(&ask, first, |to| to.path() == "/account").await;
    match arrival.answer.location() {
        Some(to) => person.browser.get(to.as_str()).await,
        None => arrival.answer,
    }
}

async fn looks(house: &House, person: &mut Person, path: &str) -> Answer {
    person.browser.get(&format!("{}{path}", house.url)).await
}

/// Where "Use another account" leads from a page that belongs to no login.
fn another_account(page: &Answer) -> String {
    page.quiet_link("Use another account")
}

#[tokio::test]
async fn another_account_is_offered_where_no_login_is_under_way() {
    let house = House::opens().await;
    let (mut con, page) = signed_in(&house, "con@a.test").await;
    for path in ["/account", "/account/sessions", "/account/applications"] {
        assert_eq!(another_account(&looks(&house, &mut con, path).await), "/account/sign-in?another=yes");
    }
    // Whoever is signed in is asked who else they are, and is that from then on.
    con.email = "bob@b.test".to_owned();
    let there = another_account(&page);
    let before = house.before().await;
    let asked = looks(&house, &mut con, &there).await;
    assert!(asked.form_with("email").action.path().ends_with("/identify"), "{}", asked.body);
    house.unchanged(&before).await;
    let page = opens(&house, &mut con, &there).await;
    assert!(page.body.contains("bob@b.test") && !page.body.contains("con@a.test"), "{}", page.body);
    // Where a device's code is typed, it is not lost on the way.
    let typing = looks(&house, &mut con, "/device?user_code=BCDF-GHJK").await;
    let there = another_account(&typing);
    assert!(there.contains("another=yes") && there.contains("device=BCDF-GHJK"), "{there}");

    let out = looks(&house, &mut con, "/logout").await;
    let out = con.browser.submit(&out.form().with("sign_out", "yes")).await;
    assert_eq!(another_account(&out), "/account/sign-in?another=yes");
    // A login that is over, and has come from no application.
    let page = looks(&house, &mut con, "/account/sign-in").await;
    let form = page.form_with("email");
    house.turn_clock(house.broker.config.login.flow_lifetime + 1);
    let over = con.browser.submit(&form.with("email", "con@a.test")).await;
    assert_eq!(
        (over.status.as_u16(), another_account(&over).as_str()),
        (403, "/account/sign-in?another=yes")
    );
}

/// The texts of the headings of a page's rows.
fn rows(page: &Answer) -> Vec<String> {
    let text = |row: &str| {
        let heading = row.split("<h2>").nth(1).unwrap().split("</h2>").next().unwrap();
        let heading = heading.replace("<bdi class=\"choice-name\">", "").replace("</bdi>", "");
        heading.trim().to_owned()
    };
    page.body.split("<li class=\"row").skip(1).map(text).collect()
}

/// The row of this heading.
fn row<'p>(page: &'p Answer, heading: &str) -> &'p str {
    let found = page.body.split("<li class=\"row").skip(1).find(|row| row.contains(heading));
    found.unwrap_or_else(|| panic!("no row of {heading}: {}", page.body))
}

/// The forms that post to a path that ends so.
fn forms(page: &Answer, end: &str) -> Vec<Form> {
    page.forms().into_iter().filter(|form| form.action.path().ends_with(end)).collect()
}

async fn tokens(person: &mut Person, application: &Application, organization: &str) -> Tokens {
    let ask = application.asks().with("organization", organization).with("login_hint", &person.email);
    let arrival = person.follows(&ask).await;
    ask.redeems(&arrival).await
}

/// Both applications want to be told.
fn told(ear: &Ear) -> Plan {
    let address = |name: &str| {
        let redirect = format!("redirect_uris = [\"https://{name}.test/callback\"]\n");
        let more = format!("backchannel_logout_uri = \"{}/{name}\"\n", ear.url);
        (redirect.clone(), format!("{redirect}{more}"))
    };
    let (one, two) = (address("rp1"), address("rp2"));
    Plan::default().with(&one.0, &one.1).with(&two.0, &two.1)
}

#[tokio::test]
async fn whoever_is_not_signed_in_signs_in_for_their_account_with_no_application_behind_it() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let mut con = Person::new("con@a.test");
        for path in ["/account", "/account/sessions", "/account/applications"] {
            let answer = looks(&house, &mut con, path).await;
            assert_eq!(answer.location().unwrap().path(), "/account/sign-in", "{path}");
        }
        let page = opens(&house, &mut con, "/account").await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(rows(&page), ["A Corporation", "B Corporation"]);
        assert!(page.body.contains("con@a.test"));
        let b = row(&page, "B Corporation");
        assert!(b.contains("on behalf of B Corporation — from A Corporation"), "{b}");
        assert!(!b.contains("/leave"), "who acts for it by a delegation is none of its people");
        // Nobody was given a code, and the sign-in counts for applications, too.
        assert_eq!((house.count("grants").await, house.count("sessions").await), (0, 1));
        let tokens = tokens(&mut con, &Application::rp1(&house), "org-a").await;
        assert_eq!(tokens.id["email"], json!("con@a.test"));
        assert_eq!(house.count("sessions").await, 1);
        // Whoever is signed in is led there without being asked.
        let again = looks(&house, &mut con, "/account/sign-in").await;
        assert_eq!(again.location().unwrap().path(), "/account");
    }
}

#[tokio::test]
async fn a_sign_in_for_the_account_that_goes_wrong_stays_on_our_pages() {
    let house = House::opens().await;
    let mut eve = Person::new("eve@nowhere.test");
    let page = opens(&house, &mut eve, "/account/sign-in").await;
    assert!(page.body.contains("We know of no company sign-in"), "{}", page.body);
    assert!(!page.body.contains("/cancel"), "there is no application to go back to");
    house.turn_clock(house.broker.config.login.flow_lifetime + 1);
    let form = page.form_with("email");
    let over = eve.browser.submit(&form.with("email", "con@a.test")).await;
    assert_eq!(over.status, 403);
    assert!(over.location().is_none());
}

#[tokio::test]
async fn s0_22_who_switches_at_their_account_has_another_default_and_no_other_tokens() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (mut con, page) = signed_in(&house, "con@a.test").await;
        let rp1 = Application::rp1(&house);
        let of_a = tokens(&mut con, &rp1, "org-a").await;
        let form = forms(&page, "/switch").remove(1);
        let done = con.browser.submit(&form).await;
        assert_eq!(done.location().unwrap().query(), Some("done=switched"));
        let page = looks(&house, &mut con, "/account?done=switched").await;
        assert!(row(&page, "B Corporation").contains("You act for it now"), "{}", page.body);
        assert_eq!(forms(&page, "/switch").len(), 1);
        assert!(page.body.contains("role=\"status\""));
        let trail = house.audit().await;
        let events: Vec<_> =
            trail.iter().filter(|event| event.action == "session.organization_switched").collect();
        let session = house.text("SELECT id FROM sessions").await.unwrap();
        assert_eq!((events.len(), &events[0].detail["session"]), (1, &json!(session)), "S2-22");
        // An application that says nothing gets what was switched to; what there is goes on as it is.
        let ask = rp1.asks();
        let arrival = con.follows(&ask).await;
        let of_b = ask.redeems(&arrival).await;
        assert_eq!(of_b.id["org_name"], json!("org-b"));
        let of_a = ask.reads_again(&rp1.refreshes(of_a.refresh()).send().await).await;
        assert_eq!(of_a.id["org_name"], json!("org-a"));
    }
}

#[tokio::test]
async fn m03_another_session_is_ended_as_a_sign_out_there_would() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = Plan { engine, ..told(&ear) }.build().await;
        let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
        let mut other = Person::new("con@a.test");
        let on_other = tokens(&mut other, &rp1, "org-a").await;
        house.turn_clock(3_600);
        let mut here = Person::new("con@a.test");
        let on_here = tokens(&mut here, &rp2, "org-b").await;
        let page = looks(&house, &mut here, "/account/sessions").await;
        assert_eq!(rows(&page).len(), 2);
        assert_eq!(page.body.matches("This browser").count(), 1);
        assert!(page.body.contains("Signed in with A Login"));
        assert!(page.body.contains("Since 2026-06-01 09:00 UTC") && page.body.contains("10:00 UTC"));
        let ends = forms(&page, "/end");
        assert_eq!(ends.len(), 1, "one signs out here by the page for that");
        let done = here.browser.submit(&ends[0]).await;
        assert_eq!(done.location().unwrap().query(), Some("done=session"), "{}", done.body);
        // There everything is over; here nothing is.
        assert_eq!(rp1.userinfo(&on_other.access_token).await.status, 401);
        assert_eq!(rp1.refreshes(on_other.refresh()).send().await.json()["error"], json!("invalid_grant"));
        let silent = rp1.asks().with("prompt", "none").with("organization", "org-a");
        assert_eq!(other.follows(&silent).await.error().0, "login_required");
        let page = looks(&house, &mut other, "/account").await;
        assert_eq!(page.location().unwrap().path(), "/account/sign-in");
        assert_eq!(rp2.userinfo(&on_here.access_token).await.status, 200);
        house.tells().await;
        let told = ear.claims(&house, "rp1").await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["sid"], on_other.id["sid"]);
        assert!(ear.heard("rp2").is_empty());
        let events = house.audit().await;
        let ended: Vec<_> = events.iter().filter(|event| event.action == "session.ended").collect();
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].actor, house.user("con@a.test").await);
        // Ended is ended.
        let before = house.before().await;
        assert_eq!(here.browser.submit(&ends[0]).await.status, 404);
        house.refused(&before, "not_found").await;
    }
}

#[tokio::test]
async fn m03_what_is_for_no_organization_is_ended_alone_and_told_once_nothing_else_is_left() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = Plan { engine, ..told(&ear) }.build().await;
        let rp1 = Application::rp1(&house);
        let mut con = Person::new("con@a.test");
        let of_a = tokens(&mut con, &rp1, "org-a").await;
        let alone = async |con: &mut Person| {
            let ask = rp1.asks().with("scope", "openid organization:*").with("login_hint", "con@a.test");
            ask.redeems(&con.follows(&ask).await).await
        };
        let ends = async |con: &mut Person, organization: &str| {
            let page = looks(&house, con, "/account/applications").await;
            let mut all = forms(&page, "/end").into_iter();
            let form = all.find(|form| form.value("organization") == Some(organization));
            let done =
                con.browser.submit(&form.unwrap_or_else(|| panic!("{organization}: {}", page.body))).await;
            assert_eq!(done.location().unwrap().query(), Some("done=application"), "{}", done.body);
            house.tells().await;
        };
        let personal = alone(&mut con).await;
        ends(&mut con, "none").await;
        let refused = rp1.refreshes(personal.refresh()).send().await;
        assert_eq!(refused.json()["error"], json!("invalid_grant"), "{}", refused.body);
        assert!(
            ear.heard("rp1").is_empty(),
            "without an organization it would end what is for the other, too"
        );
        let again = rp1.asks().reads_again(&rp1.refreshes(of_a.refresh()).send().await).await;
        assert_eq!(again.id["org_name"], json!("org-a"));
        // What is for an organization says so, and what is left is all there was.
        alone(&mut con).await;
        ends(&mut con, &house.organization("org-a").await).await;
        ends(&mut con, "none").await;
        let told = ear.claims(&house, "rp1").await;
        let named: Vec<_> = told.iter().map(|told| told.get("org_id").cloned()).collect();
        assert_eq!(named, [Some(json!(house.organization("org-a").await)), None]);
        // The other way round it is told of the rest with the last of it.
        tokens(&mut con, &rp1, "org-a").await;
        alone(&mut con).await;
        ends(&mut con, "none").await;
        assert_eq!(ear.claims(&house, "rp1").await.len(), 2, "of nothing yet");
        ends(&mut con, &house.organization("org-a").await).await;
        let told = ear.claims(&house, "rp1").await;
        let named: Vec<_> = told[2..].iter().map(|told| told.get("org_id").cloned()).collect();
        assert_eq!(named.len(), 2, "{told:?}");
        assert!(named.contains(&None) && named.contains(&Some(json!(house.organization("org-a").await))));
        // Unless they have come back for it meanwhile.
        tokens(&mut con, &rp1, "org-a").await;
        alone(&mut con).await;
        ends(&mut con, "none").await;
        alone(&mut con).await;
        ends(&mut con, &house.organization("org-a").await).await;
        let told = ear.claims(&house, "rp1").await;
        assert_eq!((told.len(), told[4].get("org_id").is_some()), (5, true));
        let page = looks(&house, &mut con, "/logout").await;
        con.browser.submit(&page.form().with("sign_out", "yes")).await;
        house.tells().await;
        let told = ear.claims(&house, "rp1").await;
        assert_eq!((told.len(), told[5].get("org_id")), (6, None));
    }
}

#[tokio::test]
async fn m03_what_an_application_has_given_back_itself_keeps_it_from_nothing_that_it_is_told() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = Plan { engine, ..told(&ear) }.build().await;
        let rp1 = Application::rp1(&house);
        let a = house.organization("org-a").await;
        for gives_back_first in [true, false] {
            let mut con = Person::new("con@a.test");
            let heard = ear.heard("rp1").len();
            let of_a = [tokens(&mut con, &rp1, "org-a").await, tokens(&mut con, &rp1, "org-a").await];
            let ask = rp1.asks().with("scope", "openid organization:*").with("login_hint", "con@a.test");
            let personal = ask.redeems(&con.follows(&ask).await).await;
            let gives_back = async |tokens: &Tokens| {
                let given = rp1.posts("/revoke", &[("token", tokens.refresh())]).send().await;
                assert_eq!(given.status, 200, "{}", given.body);
                house.tells().await;
            };
            let ends = async |con: &mut Person, organization: &str| {
                let page = looks(&house, con, "/account/applications").await;
                let mut all = forms(&page, "/end").into_iter();
                let form = all.find(|form| form.value("organization") == Some(organization)).unwrap();
                assert_eq!(con.browser.submit(&form).await.status, 303);
                house.tells().await;
            };
            gives_back(&of_a[0]).await;
            if gives_back_first {
                gives_back(&of_a[1]).await;
                ends(&mut con, "none").await;
            } else {
                ends(&mut con, "none").await;
                assert_eq!(
                    ear.heard("rp1").len(),
                    heard,
                    "it has something for A, which that would end, too"
                );
                gives_back(&of_a[1]).await;
            }
            let told = ear.claims(&house, "rp1").await.split_off(heard);
            let [told] = told.as_slice() else { panic!("{gives_back_first}: {told:?}") };
            assert_eq!((&told["sid"], told.get("org_id")), (&personal.id["sid"], None), "{gives_back_first}");
            // It knows: it is not told once more when the session ends.
            assert_eq!(house.count("session_applications").await, 0, "{gives_back_first}");
            let page = looks(&house, &mut con, "/logout").await;
            con.browser.submit(&page.form().with("sign_out", "yes")).await;
            house.tells().await;
            assert_eq!(ear.heard("rp1").len(), heard + 1, "{gives_back_first}");
        }
        // What it has given back of one organization is told of with the session, if nothing else was taken back; and who
        // has come back to it has something again.
        let mut con = Person::new("con@a.test");
        let heard = ear.heard("rp1").len();
        let of_a = tokens(&mut con, &rp1, "org-a").await;
        assert_eq!(rp1.posts("/revoke", &[("token", of_a.refresh())]).send().await.status, 200);
        house.tells().await;
        assert_eq!(ear.heard("rp1").len(), heard, "it has done so itself");
        tokens(&mut con, &rp1, "org-a").await;
        let ask = rp1.asks().with("scope", "openid organization:*").with("login_hint", "con@a.test");
        ask.redeems(&con.follows(&ask).await).await;
        let page = looks(&house, &mut con, "/account/applications").await;
        let form = forms(&page, "/end").into_iter().find(|form| form.value("organization") == Some("none"));
        con.browser.submit(&form.unwrap()).await;
        house.tells().await;
        assert_eq!(ear.heard("rp1").len(), heard);
        let page = looks(&house, &mut con, "/account/applications").await;
        let form = forms(&page, "/end").into_iter().find(|form| form.value("organization") == Some(&a));
        con.browser.submit(&form.unwrap()).await;
        house.tells().await;
        assert_eq!(ear.heard("rp1").len(), heard + 2, "of A, and of all");
    }
}

#[tokio::test]
async fn what_was_given_for_offline_access_is_ended_with_its_application_and_not_with_the_session() {
    for engine in ENGINES {
        let offline = Plan::on(engine).with(
            "scopes = [\"openid\", \"profile\"",
            "scopes = [\"openid\", \"offline_access\", \"profile\"",
        );
        let house = offline.build().await;
        let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
        let mut con = Person::new("con@a.test");
        let ask = rp1.asks().with("scope", "openid offline_access").with("organization", "org-b");
        let ask = ask.with("login_hint", "con@a.test");
        let arrival = con.follows(&ask).await;
        let lasting = ask.redeems(&arrival).await;
        let plain = tokens(&mut con, &rp1, "org-a").await;
        let others = tokens(&mut con, &rp2, "org-a").await;
        let page = looks(&house, &mut con, "/account/applications").await;
        assert_eq!(rows(&page).len(), 3, "{}", page.body);
        assert_eq!(page.body.matches("without you being here").count(), 1);
        let of_b = page.body.split("<li class=\"row").find(|row| row.contains("For B Corporation")).unwrap();
        assert!(of_b.contains("First App") && of_b.contains("without you being here"));
        // The session ends elsewhere, and what was to outlive it does.
        let mut elsewhere = Person::new("con@a.test");
        opens(&house, &mut elsewhere, "/account/sign-in").await;
        let sessions = looks(&house, &mut elsewhere, "/account/sessions").await;
        elsewhere.browser.submit(&forms(&sessions, "/end")[0]).await;
        for (tokens, status) in [(&plain, 400), (&others, 400)] {
            let application = if tokens.id["aud"] == json!("rp1") { &rp1 } else { &rp2 };
            assert_eq!(application.refreshes(tokens.refresh()).send().await.status, status);
        }
        let lasting = ask.reads_again(&rp1.refreshes(lasting.refresh()).send().await).await;
        let page = looks(&house, &mut elsewhere, "/account/applications").await;
        assert_eq!(rows(&page), ["First App"]);
        let form = forms(&page, "/end").remove(0);
        assert_eq!(form.value("organization"), Some(house.organization("org-b").await.as_str()));
        let done = elsewhere.browser.submit(&form).await;
        assert_eq!(done.location().unwrap().query(), Some("done=application"), "{}", done.body);
        assert_eq!(rp1.refreshes(lasting.refresh()).send().await.json()["error"], json!("invalid_grant"));
        assert_eq!(rp1.userinfo(&lasting.access_token).await.status, 401);
        assert!(rows(&looks(&house, &mut elsewhere, "/account/applications").await).is_empty());
        let taken: Vec<_> =
            house.audit().await.into_iter().filter(|event| event.action == "grant.taken_back").collect();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].organization, Some(house.organization("org-b").await));
        // Whoever is signed in stays so.
        assert_eq!(looks(&house, &mut elsewhere, "/account").await.status, 200);
    }
}

#[tokio::test]
async fn s1_r08_h02_who_leaves_at_their_account_leaves_by_the_rules_of_everybody() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (mut con, page) = signed_in(&house, "con@a.test").await;
        let of_a = tokens(&mut con, &Application::rp1(&house), "org-a").await;
        let of_b = tokens(&mut con, &Application::rp1(&house), "org-b").await;
        let link = page.body.split("href=\"").find(|rest| rest.contains("leave\"")).unwrap();
        let link = link.split('"').next().unwrap().replace("&#x2f;", "/");
        let ask = looks(&house, &mut con, &link).await;
        assert!(ask.body.contains("Leave A Corporation?"), "{}", ask.body);
        assert_eq!(house.events_of("organization.member.left").await, 0, "it only asks");
        let done = con.browser.submit(&ask.form()).await;
        assert_eq!(done.location().unwrap().query(), Some("done=left"), "{}", done.body);
        assert_eq!(house.events_of("organization.member.left").await, 1);
        // What they had for it, and for others in its name, is over; they are told where they stand.
        let rp1 = Application::rp1(&house);
        for tokens in [&of_a, &of_b] {
            assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401);
            assert_eq!(rp1.refreshes(tokens.refresh()).send().await.status, 400);
        }
        let page = looks(&house, &mut con, "/account?done=left").await;
        assert!(page.body.contains("You belong to no organization here."), "{}", page.body);
        let status =
            "SELECT status FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = 'con@a.test'";
        assert_eq!(house.text(status).await.as_deref(), Some("removed"), "a tombstone stays");
        let before = house.before().await;
        assert_eq!(con.browser.submit(&ask.form()).await.status, 404);
        house.refused(&before, "not_found").await;
        // The last owner stays, and an owner proves first who they are.
        let (mut ann, page) = signed_in(&house, "ann@a.test").await;
        let link = page.body.split("href=\"").find(|rest| rest.contains("leave\"")).unwrap();
        let link = link.split('"').next().unwrap().replace("&#x2f;", "/");
        let form = looks(&house, &mut ann, &link).await.form();
        let before = house.before().await;
        let refused = ann.browser.submit(&form).await;
        assert_eq!(refused.status, 409);
        assert!(refused.body.contains("You are the last owner"), "{}", refused.body);
        house.refused(&before, "last_owner").await;
        // Nor does the only one leave who comes in.
        let other = house.has_member("own@a.test", "org-a", &["owner"]).await;
        let before = house.before().await;
        let refused = ann.browser.submit(&form).await;
        assert_eq!(refused.status, 409);
        assert!(refused.body.contains("None of the other owners"), "{}", refused.body);
        house.refused(&before, "policy_locks_out").await;
        house.execute(&format!("UPDATE users SET disabled_at = 1 WHERE id = '{other}'")).await;
        house.turn_clock(301);
        let before = house.before().await;
        let refused = ann.browser.submit(&form).await;
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("again=yes"), "{}", refused.body);
        house.refused(&before, "reauthentication_required").await;
        let page = opens(&house, &mut ann, "/account/sign-in?again=yes").await;
        assert_eq!(page.status, 200);
        let form = looks(&house, &mut ann, &link).await.form();
        assert_eq!(ann.browser.submit(&form).await.status, 409, "the proof counts, the rule stays");
    }
}

#[tokio::test]
async fn long_lists_come_in_parts_and_none_is_there_twice() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let mut seen = Vec::new();
        for _ in 0..20 {
            let (_, page) = signed_in(&house, "con@a.test").await;
            assert_eq!(page.status, 200);
            house.turn_clock(60);
        }
        let (mut con, _) = signed_in(&house, "con@a.test").await;
        let mut path = "/account/sessions".to_owned();
        loop {
            let page = looks(&house, &mut con, &path).await;
            seen.extend(forms(&page, "/end").iter().map(|form| form.action.path().to_owned()));
            match page
                .body
                .split("account/sessions?after=")
                .nth(1)
                .or_else(|| page.body.split("account&#x2f;sessions?after=").nth(1))
            {
                Some(rest) => path = format!("/account/sessions?after={}", rest.split('"').next().unwrap()),
                None => break,
            }
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((all, seen.len()), (20, 20));
        // A cursor of something else begins at the beginning.
        let page = looks(&house, &mut con, "/account/sessions?after=nonsense&done=nonsense").await;
        assert_eq!(rows(&page).len(), 8);
        assert!(!page.body.contains("role=\"status\""));
    }
}

#[tokio::test]
async fn a_browser_is_shown_by_two_words_and_nothing_else_of_it_is_kept() {
    let house = House::opens().await;
    let mut con = Person::new("con@a.test");
    con.browser.speaks_as(FIREFOX);
    opens(&house, &mut con, "/account/sign-in").await;
    let page = looks(&house, &mut con, "/account/sessions").await;
    assert_eq!(rows(&page), ["Firefox on Linux"]);
    let kept = house.text("SELECT browser FROM sessions").await;
    assert_eq!(kept.as_deref(), Some("firefox linux"));
    house.turn_clock(7_200);
    let page = looks(&house, &mut con, "/account/sessions").await;
    assert!(page.body.contains("Last here 2026-06-01 09:00 UTC"));
    tokens(&mut con, &Application::rp1(&house), "org-a").await;
    let page = looks(&house, &mut con, "/account/sessions").await;
    assert!(page.body.contains("Last here 2026-06-01 11:00 UTC"), "{}", page.body);
}
