//! H22: PKCE is left out, weakened, or answered with something else.

use serde_json::json;

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::visitor::Visitor;

#[tokio::test]
async fn h22_a_challenge_wants_its_verifier_and_a_wrong_one_burns_the_code() {
    let house = House::opens().await;
    for application in [Application::rp1(&house), Application::rp2(&house)] {
        let mut ann = Person::new("ann@a.test");
        for wrong in
            [None, Some(String::new()), Some("a".repeat(42)), Some("a".repeat(129)), Some("challenge".into())]
        {
            let ask = application.asks().with("login_hint", "ann@a.test");
            let code = ann.follows(&ask).await.code();
            let mut redemption = ask.redemption(&code);
            redemption = match &wrong {
                None => redemption.without("code_verifier"),
                // As if the method had been `plain`.
                Some(text) if text == "challenge" => {
                    redemption.with("code_verifier", ask.value("code_challenge").unwrap())
                }
                Some(text) => redemption.with("code_verifier", text),
            };
            let before = house.before().await;
            let answer = redemption.send().await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["error"].clone()),
                (400, json!("invalid_grant")),
                "{wrong:?}"
            );
            house.told_refusal(&before, &["invalid_grant"]).await;
            assert_eq!(ask.redemption(&code).send().await.status, 400, "{wrong:?}: the code is burnt");
        }
    }
    let issued =
        house.audit().await.iter().any(|event| event.action == "token.issued" && event.outcome == "granted");
    assert!(!issued);
}

#[tokio::test]
async fn h22_no_weaker_method_can_be_asked_for() {
    let house = House::opens().await;
    for application in [Application::rp1(&house), Application::rp2(&house)] {
        let ask = || application.asks();
        for (what, ask) in [
            ("plain", ask().with("code_challenge_method", "plain")),
            ("plain by default", ask().without("code_challenge_method")),
            ("another letter", ask().with("code_challenge_method", "s256")),
            ("a method without challenge", ask().without("code_challenge")),
            ("an empty challenge", ask().with("code_challenge", "")),
            ("a short challenge", ask().with("code_challenge", "abc")),
            ("a challenge with padding", ask().with("code_challenge", &format!("{}=", "A".repeat(43)))),
            ("two challenges", ask().and("code_challenge", &"A".repeat(43))),
        ] {
            let before = house.before().await;
            let arrival = Person::new("ann@a.test").follows(&ask).await;
            assert_eq!(arrival.error().0, "invalid_request", "{what}");
            assert_eq!(arrival.told_application("code"), None);
            house.refused(&before, "invalid_request").await;
        }
    }
}

#[tokio::test]
async fn h22_a_client_without_a_secret_always_needs_a_challenge() {
    let house = House::opens().await;
    let bare = Application::rp2(&house).asks().without("code_challenge").without("code_challenge_method");
    let before = house.before().await;
    let arrival = Person::new("ann@a.test").follows(&bare).await;
    assert_eq!(arrival.error().0, "invalid_request");
    house.refused(&before, "invalid_request").await;
}

#[tokio::test]
async fn h22_a_client_with_a_secret_needs_a_challenge_where_the_operator_says_so() {
    let uris = "redirect_uris = [\"https://rp1.test/callback\"]\n";
    let house = Plan::default().with(uris, &format!("{uris}require_pkce = true\n")).build().await;
    let rp1 = Application::rp1(&house);
    let bare = rp1.asks().without("code_challenge").without("code_challenge_method");
    let before = house.before().await;
    let arrival = Person::new("ann@a.test").follows(&bare).await;
    assert_eq!(
        arrival.error(),
        ("invalid_request".into(), "code_challenge is required for this client".into())
    );
    house.refused(&before, "invalid_request").await;
    let pushed = bare.pushes().send().await;
    assert_eq!((pushed.status.as_u16(), &pushed.json()["error"]), (400, &json!("invalid_request")));
    assert_eq!(house.count("pushed_requests").await, 0);
    let ask = rp1.asks();
    ask.redeems(&Person::new("ann@a.test").follows(&ask).await).await;
    // What is asked of one is asked of no other, and not any more once the operator says so.
    let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
    let path = format!("/applications/{id}");
    let operator = Api::operator(&house).await;
    assert_eq!(operator.get(&path).await.json()["require_pkce"], json!(true));
    let freed = operator.patch(&path, json!({ "require_pkce": false })).await;
    assert_eq!(freed.json()["require_pkce"], json!(false), "{}", freed.body);
    assert_eq!(Visitor::arrives().get(&bare.url()).await.status, 200);
}

#[tokio::test]
async fn h22_a_verifier_without_a_challenge_is_refused() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks().without("code_challenge").without("code_challenge_method");
    let code = Person::new("ann@a.test").follows(&ask).await.code();
    let answer = ask.redemption(&code).send().await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (400, json!("invalid_grant")));
    assert_eq!(ask.redemption(&code).without("code_verifier").send().await.status, 400, "the code is burnt");
}
