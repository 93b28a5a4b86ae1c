//! C11 and C12: one provider's answer is brought to another connection, or another provider's to this one.

use serde_json::json;

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_idp::Says;

/// Ann's browser, sent away by the connection of A, with the address that her provider sends it back to.
async fn sent_back(house: &House) -> (Person, url::Url) {
    let mut ann = Person::new("ann@a.test");
    let back = ann.is_sent_back(&Application::rp1(house).asks()).await;
    (ann, back)
}

fn changed(url: &url::Url, name: &str, value: Option<&str>) -> url::Url {
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    pairs.retain(|(known, _)| known != name);
    pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}

async fn is_refused(house: &House, ann: &mut Person, url: &url::Url, status: u16, reason: &str) {
    let tokens = (house.idp_a.hits("/token"), house.idp_b.hits("/token"));
    let before = house.before().await;
    let answer = ann.browser.get(url.as_str()).await;
    assert_eq!(answer.status, status, "{url}: {}", answer.body);
    house.refused(&before, reason).await;
    assert_eq!((house.idp_a.hits("/token"), house.idp_b.hits("/token")), tokens, "no code was sent anywhere");
}

#[tokio::test]
async fn c11_an_answer_counts_only_at_the_callback_of_the_connection_that_was_left_for() {
    let house = House::opens().await;
    let cb = house.connection("cb").await;
    for other in [cb.as_str(), "conn_00000000000000000000000000", "nonsense", "ca"] {
        let (mut ann, back) = sent_back(&house).await;
        let mut elsewhere = back.clone();
        elsewhere.set_path(&format!("/oidc/{other}/callback"));
        is_refused(&house, &mut ann, &elsewhere, 403, "connection_mismatch").await;
        // The answer was read; it is not read again, at its own callback either.
        is_refused(&house, &mut ann, &back, 403, "flow_expired").await;
    }
}

#[tokio::test]
async fn c11_two_organizations_may_have_the_same_issuer_and_share_nobody() {
    let house = Plan::default()
        .and(
            r#"
[[domain]]
name = "d.test"
organization = "org-c"
connections = ["cd"]
use_for_routing = true
trust_email = true

[connection.cd]
organization = "org-c"
type = "oidc"
display_name = "D Login"
state = "active"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }
jit = "create_and_join"
"#,
        )
        .build()
        .await;
    let rp1 = Application::rp1(&house);
    house.idp_b.says(Says::that("1", "bob@b.test"));
    let of_bob = rp1.asks();
    let arrival = Person::new("bob@b.test").follows(&of_bob).await;
    let bob = of_bob.redeems(&arrival).await;
    // Through C's connection, the same provider cannot say that it is Bob.
    let before = house.before().await;
    let arrival = Person::new("dan@d.test").follows(&rp1.asks()).await;
    assert_eq!(arrival.status(), 403);
    house.refused(&before, "email_domain_not_allowed").await;
    // The same subject there is another person.
    house.idp_b.says(Says::that("1", "dan@d.test"));
    let of_dan = rp1.asks();
    let arrival = Person::new("dan@d.test").follows(&of_dan).await;
    let dan = of_dan.redeems(&arrival).await;
    assert_ne!(dan.id["sub"], bob.id["sub"]);
    assert_eq!(dan.id["org_name"], json!("org-c"));
}

#[tokio::test]
async fn c12_the_answer_of_another_issuer_is_not_redeemed_anywhere() {
    let house = House::opens().await;
    let (of_b, slash) = (house.idp_b.issuer.clone(), format!("{}/", house.idp_a.issuer));
    for iss in [of_b.as_str(), &slash, "https://evil.test"] {
        let (mut ann, back) = sent_back(&house).await;
        let forged = changed(&back, "iss", Some(iss));
        is_refused(&house, &mut ann, &forged, 400, "iss_mismatch").await;
    }
    // It promises to name itself, so silence is no answer.
    for silence in [None, Some("")] {
        let (mut ann, back) = sent_back(&house).await;
        is_refused(&house, &mut ann, &changed(&back, "iss", silence), 400, "iss_missing").await;
    }
}

#[tokio::test]
async fn c12_a_provider_that_leads_to_another_gets_no_code_of_it() {
    let house = House::opens().await;
    // The authorization page of A sends the browser on to B, whose code comes back to the callback of A.
    house
        .idp_a
        .says(Says::truth().response("iss", Some(&house.idp_b.issuer)).response("code", Some("code-of-b")));
    let (mut ann, back) = sent_back(&house).await;
    is_refused(&house, &mut ann, &back, 400, "iss_mismatch").await;
    assert_eq!(house.idp_a.hits("/token"), 0);
}

#[tokio::test]
async fn h19_state_belongs_to_one_browser_one_outing_and_one_use() {
    let house = House::opens().await;
    let (mut ann, of_ann) = sent_back(&house).await;
    let (mut eve, of_eve) = sent_back(&house).await;
    let state = |url: &url::Url| url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    // Each with the other's answer, whole or in part: the browser does not hold that flow.
    is_refused(&house, &mut eve, &of_ann, 403, "flow_expired").await;
    let mixed = changed(&of_eve, "state", Some(&state(&of_ann)));
    is_refused(&house, &mut eve, &mixed, 403, "flow_expired").await;
    // The right flow with a guessed secret, or none.
    let flow = state(&of_ann).split_once('.').unwrap().0.to_owned();
    for guess in [flow.clone(), format!("{flow}."), format!("{flow}.{}", "A".repeat(43)), String::new()] {
        is_refused(&house, &mut ann, &changed(&of_ann, "state", Some(&guess)), 403, "flow_expired").await;
    }
    // A guess leaves the flow to its owner, who comes through, once.
    let ask = Application::rp1(&house).asks();
    let answer = ann.browser.get(of_ann.as_str()).await;
    assert!(answer.location().unwrap().as_str().starts_with(&ask.application.redirect_uri));
    is_refused(&house, &mut ann, &of_ann, 403, "flow_expired").await;
    // Eve, with the code of Ann's provider in her own flow: it was bound to another verifier.
    let (mut mallory, of_mallory) = sent_back(&house).await;
    let (_, of_victim) = sent_back(&house).await;
    let code = |url: &url::Url| url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let injected = changed(&of_mallory, "code", Some(&code(&of_victim)));
    let before = house.before().await;
    assert_eq!(mallory.browser.get(injected.as_str()).await.status, 401);
    house.refused(&before, "token_endpoint_invalid_grant").await;
}

#[tokio::test]
async fn a_provider_that_fails_is_no_way_in() {
    use crate::house::lying_idp::Door;
    let house = House::opens().await;
    for (path, door, status, reason) in [
        ("/token", Door::Status(500), 502, "idp_unreachable"),
        ("/token", Door::Body("[]".into()), 401, "token_answer_malformed"),
        (
            "/token",
            Door::Body("{\"access_token\":\"x\",\"token_type\":\"Bearer\"}".into()),
            401,
            "id_token_missing",
        ),
        ("/token", Door::Huge(2_000_000), 502, "idp_unreachable"),
        ("/token", Door::Redirect(format!("{}/token", house.idp_b.issuer)), 401, "token_answer_malformed"),
    ] {
        house.idp_a.door(path, Some(door.clone()));
        let before = house.before().await;
        let (mut ann, back) = sent_back(&house).await;
        let answer = ann.browser.get(back.as_str()).await;
        assert_eq!(answer.status, status, "{door:?}: {}", answer.body);
        house.refused(&before, reason).await;
        house.idp_a.door(path, None);
    }
    assert_eq!(house.idp_b.hits("/token"), 0, "a redirect is not followed");
    house.idp_a.says(Says::truth().response("error", Some("access_denied")).response("code", None));
    let (mut ann, back) = sent_back(&house).await;
    is_refused(&house, &mut ann, &back, 403, "idp_refused").await;
}

#[tokio::test]
async fn h17_a_provider_that_says_another_name_is_not_gone_to() {
    let house = House::opens().await;
    house.idp_a.discovery("issuer", json!(house.idp_b.issuer));
    let before = house.before().await;
    let arrival = Person::new("ann@a.test").follows(&Application::rp1(&house).asks()).await;
    assert_eq!(arrival.status(), 502);
    house.refused(&before, "idp_issuer_mismatch").await;
    assert_eq!((house.idp_a.hits("/authorize"), house.idp_b.hits("/authorize")), (0, 0));
}
