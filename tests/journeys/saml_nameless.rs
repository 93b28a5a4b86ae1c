//! A SAML identity provider that names nobody by a NameID: where an attribute names them, they come in, and are told
//! truthfully how far they can be signed out.

use reqwest::StatusCode;

use super::saml_logout::{alive, answer, brings, ends, plan, slo};
use crate::house::application::{Application, Arrival, Ask, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_saml_idp::{Asked, Says, posts};
use crate::house::surgery::element;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const BY_UID: &str = "subject_attribute = \"uid\"\n";

fn bob() -> Says {
    Says::that("bob@b.test").attribute("uid", &["4711"])
}

/// What the provider says, without the name.
fn nameless(house: &House, asked: &Asked, says: &Says) -> String {
    house.saml("cb").answers_after(asked, says, |plain| plain.replacen(element(&plain, "NameID"), "", 1))
}

async fn comes(house: &House, person: &mut Person, ask: &Ask, says: &Says) -> Arrival {
    let asked = person.leaves_for(house, "cb", ask).await;
    let xml = nameless(house, &asked, says);
    person.returns(ask, &asked, xml).await
}

#[tokio::test]
async fn s3_34_c01_whom_an_attribute_names_needs_no_name_and_keeps_to_every_other_rule() {
    for engine in ENGINES {
        let plan = Plan { engine, ..Plan::default() };
        let house = plan.with_saml("cb", BY_UID).build().await;
        let rp1 = Application::rp1(&house);
        let (ask, mut person) = (rp1.asks(), Person::new("bob@b.test"));
        let arrival = comes(&house, &mut person, &ask, &bob()).await;
        ask.redeems(&arrival).await;
        assert_eq!(house.text("SELECT subject FROM identities").await.as_deref(), Some("4711"));
        // The next time, with a name: the same person.
        let (ask, mut person) = (rp1.asks(), Person::new("bob@b.test"));
        person.signs_in_by(&house, "cb", &ask, &bob()).await.code();
        assert_eq!(house.count("users").await, 1);
        for (says, reason) in [
            (bob().without("uid"), "subject"),
            (bob().attribute("uid", &["4711", "4712"]), "subject"),
            (bob().attribute("mail", &["ann@a.test"]), "email_domain_not_allowed"),
        ] {
            let (ask, mut person) = (rp1.asks(), Person::new("bob@b.test"));
            let asked = person.leaves_for(&house, "cb", &ask).await;
            let before = house.before().await;
            let xml = nameless(&house, &asked, &says);
            let arrival = person.returns(&ask, &asked, xml).await;
            assert!(arrival.told_application("code").is_none(), "{}", arrival.told());
            house.refused(&before, reason).await;
        }
    }
}

#[tokio::test]
async fn s3_34_who_is_named_by_nothing_is_nobody() {
    let house = Plan::saml().build().await;
    let (ask, mut person) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = person.leaves_for(&house, "cb", &ask).await;
    let before = house.before().await;
    let xml = nameless(&house, &asked, &bob());
    assert_eq!(posts(&mut person.browser, &asked, xml).await.status, StatusCode::FORBIDDEN);
    house.refused(&before, "name_id").await;
}

#[tokio::test]
async fn m03_whoever_cannot_be_named_to_their_provider_is_told_that_they_may_still_be_signed_in_there() {
    let registered = "redirect_uris = [\"https://rp1.test/callback\"]\n";
    let back = "https://rp1.test/bye";
    let more = format!("{registered}post_logout_redirect_uris = [\"{back}\"]\n");
    let house = plan(BY_UID).with(registered, &more).build().await;
    let (ask, mut person) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let code = comes(&house, &mut person, &ask, &bob()).await.code();
    let hint = ask.redemption(&code).send().await.json()["id_token"].as_str().unwrap().to_owned();
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", back)];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let page = person.browser.get(&format!("{}/logout?{query}", house.url)).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("You may still be signed in at"), "{}", page.body);
    assert!(page.body.contains("rp1.test"), "the way back is there: {}", page.body);
    assert_eq!(alive(&house).await, 0);
    assert_eq!(house.events_of("logout.incomplete").await, 1);
}

/// Whoever came without a name is meant by the index of their session, and by nothing else.
#[tokio::test]
async fn m03_a_session_without_a_name_ends_by_its_index() {
    for engine in ENGINES {
        let house = Plan { engine, ..plan(BY_UID) }.build().await;
        let slo = slo(&house).await;
        let signer = &house.saml("cb").signer;
        let (ask, mut person) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        comes(&house, &mut person, &ask, &bob()).await.code();
        for (indexes, left, is_known) in
            [(&[][..], 1, false), (&["another"][..], 1, true), (&["another", "session-of-bob"], 0, true)]
        {
            let request = ends(&house, &slo, indexes, signer);
            let told = answer(&brings(&slo, &request).await);
            assert!(told.contains("status:Success"), "{told}");
            assert_eq!(told.contains("status:PartialLogout"), !is_known, "{indexes:?}: {told}");
            assert_eq!(alive(&house).await, left, "{indexes:?}");
        }
        // An answer that was on its way when it ended signs nobody in any more.
        let (ask, mut person) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = person.leaves_for(&house, "cb", &ask).await;
        let early = nameless(&house, &asked, &bob());
        let request = ends(&house, &slo, &["session-of-bob"], signer);
        house.turn_clock(1);
        assert!(answer(&brings(&slo, &request).await).contains("status:Success"));
        let before = house.before().await;
        let arrival = person.returns(&ask, &asked, early).await;
        assert_eq!(arrival.error().0, "login_required", "{}", arrival.told());
        house.refused(&before, "signed_out_there").await;
        let (ask, mut person) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = person.leaves_for(&house, "cb", &ask).await;
        let other = Says { session_index: Some("x".into()), ..bob() };
        let xml = nameless(&house, &asked, &other);
        person.returns(&ask, &asked, xml).await.code();
    }
}

/// Who came with neither name nor index can be meant by nothing that a request can say: nobody claims that they are out.
#[tokio::test]
async fn m03_a_session_that_nothing_names_stays_and_the_provider_is_told_so() {
    for engine in ENGINES {
        let house = Plan { engine, ..plan(BY_UID) }.build().await;
        let slo = slo(&house).await;
        let signer = &house.saml("cb").signer;
        let (ask, mut person) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let tokens = {
            let unindexed = Says { session_index: None, ..bob() };
            let arrival = comes(&house, &mut person, &ask, &unindexed).await;
            ask.redeems(&arrival).await
        };
        for (number, indexes) in [&[][..], &["session-of-bob"]].into_iter().enumerate() {
            let request = ends(&house, &slo, indexes, signer);
            let told = answer(&brings(&slo, &request).await);
            assert!(told.contains("status:Success") && told.contains("status:PartialLogout"), "{told}");
            assert_eq!(alive(&house).await, 1, "{indexes:?}");
            assert_eq!(house.events_of("logout.incomplete").await, number + 1);
        }
        assert_eq!(Application::rp1(&house).userinfo(&tokens.access_token).await.status, 200);
        // Here they sign out like anybody else; then there is nothing that could be missed.
        let page = person.browser.get(&format!("{}/logout", house.url)).await;
        person.browser.submit(&page.form_with_button("sign_out").with("sign_out", "yes")).await;
        assert_eq!(alive(&house).await, 0);
        let told = answer(&brings(&slo, &ends(&house, &slo, &[], signer)).await);
        assert!(told.contains("status:Success") && !told.contains("status:PartialLogout"), "{told}");
    }
}
