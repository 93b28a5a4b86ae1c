//! H04, C28, C29: a sign-in on trial opens nothing, whoever twists it, and never meets a login.

use behalf::foundation::secret::Digest;
use serde_json::json;
use url::Url;

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_saml_idp::{Says, posts, posts_to};
use crate::house::trial::Link;
use crate::house::visitor::Visitor;

fn with(url: &Url, name: &str, value: &str) -> String {
    let mut url = url.clone();
    let kept: Vec<_> = url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair(name, value);
    url.into()
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned()
}

#[tokio::test]
async fn h04_an_answer_to_a_trial_that_says_a_thing_twice_is_told_where_it_was_tried() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let link = Link::to(&operator, &house, "ca").await;
    let mut con = Person::new("con@a.test");
    let back = con.browser.is_sent_home(&link).await;
    let before = house.before().await;
    let ended = con.browser.get(&format!("{back}&code=x")).await;
    assert!(con.browser.follow(&ended).await.body.contains("It did not work"), "{}", ended.body);
    assert_eq!(link.told(&operator).await["reason"], json!("parameter_twice"));
    house.unchanged(&before).await;
}

#[tokio::test]
async fn h04_answers_to_a_trial_and_to_a_login_are_not_to_be_swapped() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let link = Link::to(&operator, &house, "ca").await;
    let mut con = Person::new("con@a.test");
    let ask = Application::rp1(&house).asks();
    // One browser holds both.
    let of_login = con.is_sent_back(&ask).await;
    let of_trial = con.browser.is_sent_home(&link).await;
    let before = house.before().await;
    // The login's code in the trial proves nothing, and uses up nothing of the login.
    let mixed = with(&of_trial, "code", &parameter(&of_login, "code"));
    let ended = con.browser.get(&mixed).await;
    let page = con.browser.follow(&ended).await;
    assert!(page.body.contains("It did not work"), "{}", page.body);
    house.unchanged(&before).await;
    assert!(!con.browser.is_signed_in(&house));
    // The trial's code in the login neither.
    let link = Link::to(&operator, &house, "ca").await;
    let of_trial = con.browser.is_sent_home(&link).await;
    let of_login = con.is_sent_back(&ask).await;
    let before = house.before().await;
    let mixed = with(&of_login, "code", &parameter(&of_trial, "code"));
    let refused = con.browser.get(&mixed).await;
    assert!(refused.status.is_client_error(), "{}", refused.body);
    house.unchanged(&before).await;
    assert!(!con.browser.is_signed_in(&house));
    // The trial itself is as it was; the provider redeems a code once.
    assert_eq!(link.told(&operator).await["status"], json!("open"));
    let ended = con.browser.get(of_trial.as_str()).await;
    assert_eq!(ended.status, 303, "{}", ended.body);
    assert_eq!(link.told(&operator).await["reason"], json!("token_endpoint_invalid_grant"));
    house.unchanged(&before).await;
}

#[tokio::test]
async fn h04_a_trial_has_no_page_of_a_login_and_a_login_none_of_a_trial() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let link = Link::to(&operator, &house, "ca").await;
    let mut con = Person::new("con@a.test");
    let page = con.browser.get(&link.url).await;
    let trial = page.form().action.path().rsplit('/').next().unwrap().to_owned();
    let ask = Application::rp1(&house).asks();
    let first = con.browser.get(&ask.url()).await;
    let login = first.form_with("email").action.path().split('/').nth(2).unwrap().to_owned();
    let csrf = page.form().value("csrf").unwrap().to_owned();
    let before = house.before().await;
    for path in ["", "/identify", "/restart", "/cancel", "/organization", "/returned?ticket=x"] {
        let url = format!("{}/login/{trial}{path}", house.url);
        let got = con.browser.get(&url).await;
        let got = if got.status == 303 { con.browser.follow(&got).await } else { got };
        assert_eq!(got.status, 403, "{path}: {}", got.body);
        if !path.is_empty() && !path.contains('?') {
            let posted = con.browser.post_form(&url, &[("csrf", &csrf), ("email", "con@a.test")]).await;
            assert_eq!(posted.status, 403, "{path}: {}", posted.body);
        }
    }
    for path in ["", "/returned?ticket=x"] {
        let got = con.browser.get(&format!("{}/trial/{login}{path}", house.url)).await;
        assert_eq!(got.status, 403, "{path}: {}", got.body);
    }
    house.unchanged(&before).await;
}

#[tokio::test]
async fn c28_a_trial_is_ended_by_the_browser_that_began_it_and_by_no_other() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let link = Link::to(&operator, &house, "ca").await;
    let mut con = Visitor::arrives();
    let back = con.is_sent_home(&link).await;
    let before = house.before().await;
    // Somebody else brings the answer; or makes one up; or posts the form from another site, or without its token.
    assert_eq!(Visitor::arrives().get(back.as_str()).await.status, 403);
    assert_eq!(con.get(&with(&back, "state", &format!("{}x", parameter(&back, "state")))).await.status, 403);
    let page = con.get(&link.url).await;
    let form = page.form();
    assert_eq!(con.submit(&form.clone().with("csrf", "other")).await.status, 403);
    let body = format!("csrf={}", form.value("csrf").unwrap());
    let crossed = con
        .request(reqwest::Method::POST, form.action.as_str(), |request| {
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "cross-site")
                .body(body)
        })
        .await;
    assert_eq!(crossed.status, 403);
    assert_eq!(Visitor::arrives().submit(&form).await.status, 403);
    house.unchanged(&before).await;
    assert_eq!(link.told(&operator).await["status"], json!("open"));
    let ended = con.get(back.as_str()).await;
    assert_eq!(ended.status, 303, "{}", ended.body);
    assert_eq!(link.told(&operator).await["status"], json!("succeeded"));
    // Once: neither the answer nor the link does anything again.
    let before = house.before().await;
    assert_eq!(con.get(back.as_str()).await.status, 403);
    assert_eq!(con.get(&link.url).await.status, 410);
    assert_eq!(Visitor::arrives().get(&link.url).await.status, 410);
    assert_eq!(con.submit(&form).await.status, 410);
    house.unchanged(&before).await;
}

#[tokio::test]
async fn c28_a_link_runs_out_and_nobody_guesses_one() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let link = Link::to(&operator, &house, "ca").await;
    let mut con = Visitor::arrives();
    let page = con.get(&link.url).await;
    for wrong in ["x", "", "%00", "test_00000000000000000000000007"] {
        let got = Visitor::arrives().get(&format!("{}/try/{wrong}", house.url)).await;
        assert!(matches!(got.status.as_u16(), 404 | 410), "{wrong}: {}", got.status);
    }
    house.turn_clock(3_601);
    assert_eq!(Visitor::arrives().get(&link.url).await.status, 410);
    assert!(con.submit(&page.form()).await.status.is_client_error());
    let told = link.told(&Api::operator(&house).await).await;
    assert_eq!(told["status"], json!("expired"));
    // The database holds what the token's digest is, and not the token (threats C29).
    let token = link.url.rsplit('/').next().unwrap();
    let hex = data_encoding::HEXLOWER.encode(Digest::of(token.as_bytes()).as_bytes());
    let sql = format!("SELECT id FROM connection_tests WHERE digest = x'{hex}'");
    assert!(house.text(&sql).await.is_some());
}

#[tokio::test]
async fn c22_what_was_tried_is_shown_to_its_own_organization_alone() {
    let house = House::opens().await;
    let owner = Api::person(&house, "ann@a.test", "org-a").await;
    let link = Link::to(&owner, &house, "ca").await;
    Visitor::arrives().tries(&link).await;
    let other = Api::person(&house, "bob@b.test", "org-b").await;
    let own = house.connection("cb").await;
    let id = link.path.rsplit('/').next().unwrap();
    for path in [link.path.clone(), format!("/connections/{own}/tests/{id}")] {
        assert_eq!(other.get(&path).await.status, 404, "{path}");
    }
    let list = link.path.rsplit_once('/').unwrap().0;
    assert_eq!(other.get(list).await.status, 404);
    let before = house.before().await;
    assert_eq!(other.post(list, json!({})).await.status, 404);
    house.refused(&before, "not_found").await;
    assert_eq!(other.get(&format!("/connections/{own}/tests")).await.json()["items"], json!([]));
}

#[tokio::test]
async fn h09_a_saml_answer_to_a_trial_opens_no_other_door() {
    let house = Plan::saml().build().await;
    let operator = Api::operator(&house).await;
    let (idp, link) = (house.saml("cb"), Link::to(&operator, &house, "cb").await);
    let mut bob = Person::new("bob@b.test");
    let away = bob.browser.sets_out(&link).await;
    let asked = idp.is_asked(&house, "cb", &away).await;
    let xml = idp.answers(&asked, &Says::that("bob@b.test"));
    // At the door of another connection, or with another RelayState, it is none.
    let before = house.before().await;
    let elsewhere = asked.acs.replace(&house.connection("cb").await, &house.connection("ca").await);
    assert!(posts_to(&mut bob.browser, &elsewhere, None, &xml).await.status.is_client_error());
    house.unchanged(&before).await;
    let onward = posts(&mut bob.browser, &asked, &xml).await;
    let to = onward.location().unwrap();
    let ticket = parameter(&to, "ticket");
    let flow = to.path().split('/').nth(2).unwrap().to_owned();
    // The ticket opens no login, and takes up nothing at the door for answers that nobody asked for.
    let connection = house.connection("cb").await;
    for path in [
        format!("/login/{flow}/returned?ticket={ticket}"),
        format!("/saml/{connection}/accepted?ticket={ticket}"),
    ] {
        assert_eq!(bob.browser.get(&format!("{}{path}", house.url)).await.status, 403, "{path}");
    }
    // Neither ticket nor flow alone takes the trial up.
    assert_eq!(Visitor::arrives().get(to.as_str()).await.status, 403);
    assert_eq!(bob.browser.get(&with(&to, "ticket", "other")).await.status, 403);
    house.unchanged(&before).await;
    assert_eq!(link.told(&operator).await["status"], json!("open"));
    // A second answer to the same question is none.
    let again = posts(&mut bob.browser, &asked, idp.answers(&asked, &Says::that("eve@b.test"))).await;
    assert!(again.status.is_client_error(), "{}", again.body);
    // A ticket of a login takes up no trial.
    let ask = Application::rp1(&house).asks();
    let live = bob.leaves_for(&house, "cb", &ask).await;
    let answered = posts(&mut bob.browser, &live, idp.answers(&live, &Says::that("bob@b.test"))).await;
    let other = parameter(&answered.location().unwrap(), "ticket");
    assert_eq!(bob.browser.get(&with(&to, "ticket", &other)).await.status, 403);
    house.unchanged(&before).await;
    let ended = bob.browser.get(to.as_str()).await;
    assert_eq!(ended.status, 303, "{}", ended.body);
    let told = link.told(&operator).await;
    assert_eq!((&told["status"], &told["email"]), (&json!("succeeded"), &json!("bob@b.test")));
    house.unchanged(&before).await;
    assert!(!bob.browser.is_signed_in(&house));
}

#[tokio::test]
async fn h04_a_trial_of_a_connection_whose_organization_is_gone_is_over() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let link = Link::to(&operator, &house, "ca").await;
    let mut con = Visitor::arrives();
    let back = con.is_sent_home(&link).await;
    let path = "/organizations/org-a/deactivate";
    assert_eq!(operator.send(reqwest::Method::POST, path, |request| request).await.status, 200);
    let hits = house.idp_a.hits("/token");
    let ended = con.get(back.as_str()).await;
    let page = con.follow(&ended).await;
    assert!(page.status.is_client_error() || page.body.contains("connection_changed"), "{}", page.body);
    assert_eq!(house.idp_a.hits("/token"), hits, "no code was sent anywhere");
    assert_eq!(Visitor::arrives().get(&link.url).await.status, 410);
}
