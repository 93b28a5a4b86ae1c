//! H08: an answer is good once.

use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::forgery::{BOB, Scene};
use crate::house::lying_saml_idp::{Asked, Says, posts};
use crate::house::naive_saml_sp::NaiveSp;
use crate::house::surgery::{attr, element, value, within};
use crate::house::visitor::Visitor;

async fn signed_in(house: &House) -> (Person, Asked, String) {
    let (ask, mut bob) = (Application::rp1(house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(house, "cb", &ask).await;
    let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
    let arrival = bob.returns(&ask, &asked, &xml).await;
    ask.redeems(&arrival).await;
    (bob, asked, xml)
}

#[tokio::test]
async fn h08_an_answer_that_was_taken_is_taken_by_nobody_again() {
    let mut house = Plan::saml().build().await;
    let (mut bob, asked, xml) = signed_in(&house).await;
    let naive = NaiveSp { certificate: &house.saml("cb").signer.certificate, decrypting: &[] };
    assert!(naive.believes(xml.as_bytes()).contains(BOB), "it is as good as it ever was");
    for _ in 0..2 {
        let before = house.before().await;
        assert_eq!(posts(&mut bob.browser, &asked, &xml).await.status, 403);
        house.refused(&before, "in_response_to").await;
        let before = house.before().await;
        let mut other = Person::new("bob@b.test");
        assert_eq!(posts(&mut other.browser, &asked, &xml).await.status, 403);
        house.refused(&before, "in_response_to").await;
        house.restart().await;
    }
    assert_eq!(house.count("sessions").await, 1);
}

#[tokio::test]
async fn h08_of_two_answers_to_one_request_one_is_taken() {
    let mut scene = Scene::opens().await;
    let (first, second) = (scene.honest(), scene.honest());
    let taken = posts(&mut scene.bob.browser, &scene.asked, &first).await;
    assert_eq!(taken.status, 303);
    for xml in [&first, &second] {
        let before = scene.house.before().await;
        assert_eq!(posts(&mut scene.bob.browser, &scene.asked, xml).await.status, 403);
        scene.house.refused(&before, "in_response_to").await;
    }
    let answer = scene.bob.browser.follow(&taken).await;
    let arrival = scene.bob.goes_on(&scene.ask, answer).await;
    scene.ask.redeems(&arrival).await;
    // Nor is what was taken up there a second time.
    let before = scene.house.before().await;
    let again = scene.bob.browser.follow(&taken).await;
    assert!(again.status.is_client_error(), "{}", again.status);
    scene.house.unchanged(&before).await;
}

#[tokio::test]
async fn h08_that_another_browser_brought_an_answer_is_told_to_who_administers_the_connection() {
    for has_a_login in [false, true] {
        let mut scene = Scene::opens().await;
        let mut eve = Person::new("eve@b.test");
        if has_a_login {
            eve.leaves_for(&scene.house, "cb", &scene.ask).await;
        }
        let xml = scene.honest();
        let taken = posts(&mut eve.browser, &scene.asked, &xml).await;
        let before = scene.house.before().await;
        let told = eve.browser.follow(&taken).await;
        assert_eq!(told.status, 403, "{}", told.body);
        assert!(told.body.contains("Please start again"), "{}", told.body);
        let event = scene.house.events_since(&before).await.remove(0);
        scene.house.refused(&before, "flow_expired").await;
        assert_eq!(event.detail["check"], "browser");
        assert_eq!(event.detail["connection"], scene.house.connection("cb").await.to_string());
        assert!(event.organization.is_some());
        // It still waits for the one that was sent.
        let answer = scene.bob.browser.follow(&taken).await;
        let arrival = scene.bob.goes_on(&scene.ask, answer).await;
        scene.ask.redeems(&arrival).await;
    }
}

/// A provider that uses the id of an assertion again, in answers to two requests.
#[tokio::test]
async fn h08_an_id_of_an_assertion_is_taken_once_even_in_another_answer() {
    let mut house = Plan::saml().build().await;
    let (_, _, xml) = signed_in(&house).await;
    let id = value(element(&xml, "Assertion"), "ID").to_owned();
    house.restart().await;
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let again = house.saml("cb").answers_after(&asked, &Says::that("bob@b.test"), |xml| {
        within(&xml, "Assertion", |assertion| attr(assertion, "ID", Some(&id)))
    });
    let before = house.before().await;
    let arrival = bob.returns(&ask, &asked, &again).await;
    assert_eq!(arrival.status(), 403, "{}", arrival.told());
    house.refused(&before, "replayed").await;
}

async fn a_hundred_at_once(engine: Engine) {
    let plan = Plan { engine, ..Plan::default() };
    let house = plan.with_saml("cb", "").build().await;
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let mut visitor = Visitor::arrives();
        visitor.jar = bob.browser.jar.clone();
        let (asked, xml) = (asked.clone(), xml.clone());
        tasks.spawn(async move {
            let answer = posts(&mut visitor, &asked, &xml).await;
            if answer.status == 303 { Some((visitor.follow(&answer).await, visitor)) } else { None }
        });
    }
    let taken: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1, "one of a hundred");
    assert_eq!(house.count("sessions").await, 1);
    let refused = house.audit().await.into_iter().filter(|event| event.action == "login.refused");
    // Those that came while the flow waited, and of the others as many as are written down in a minute.
    assert!((30..=99).contains(&refused.count()));
}

#[tokio::test]
async fn h08_of_a_hundred_at_once_one_is_taken() {
    a_hundred_at_once(Engine::Sqlite).await;
}

#[tokio::test]
async fn h08_of_a_hundred_at_once_one_is_taken_on_postgresql() {
    a_hundred_at_once(Engine::Postgres).await;
}
