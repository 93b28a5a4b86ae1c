//! C30: what was used once is used, whatever the process that saw it has lost since.

use std::sync::Arc;

use behalf::protocol::jose::{Algorithm, SigningKey};
use reqwest::header::HOST;
use serde_json::json;

use crate::house::application::{Application, Ask, Person, Proof};
use crate::house::broker::{Engine, House, Node, Plan};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

const SIGNER: &str = r#"
[application.signer]
display_name = "Signer"
type = "web"
token_endpoint_auth_method = "private_key_jwt"
jwks = { file = "signer.json" }
redirect_uris = ["https://signer.test/callback"]
scopes = ["openid", "profile", "email", "organization", "organizations", "roles", "permissions"]
"#;

async fn house(engine: Engine) -> (House, Application) {
    let key = Arc::new(SigningKey::generate(Algorithm::ES256, "of the signer").unwrap());
    let mut plan = Plan::on(engine).and(SIGNER);
    plan.files.push(("signer.json".into(), json!({ "keys": [key.public_jwk()] }).to_string()));
    let house = plan.build().await;
    let signer = Application::new(&house, "signer", Proof::Key(key));
    (house, signer)
}

/// What somebody could bring a second time.
struct Used {
    con: Person,
    code: (Ask, String),
    callback: url::Url,
    picker: crate::house::form::Form,
    assertion: String,
    /// A second code of the signer's, not redeemed, with whose redemption the old assertion is brought.
    unspent: (Ask, String),
}

async fn uses(house: &House, signer: &Application) -> Used {
    let rp1 = Application::rp1(house);
    let now = house.clock.now().seconds();
    let mut con = Person::new("con@a.test");
    let ask = rp1.asks();
    let callback = con.is_sent_back(&ask).await;
    let answer = con.browser.get(callback.as_str()).await;
    let page = con.goes_on(&ask, answer).await;
    let picker = page.picker();
    let code = con.picks(&ask, &page, "A Corporation").await.code();
    assert_eq!(ask.redemption(&code).send().await.status, 200);

    let assertion = signer.assertion(now, "the one and only");
    let first = signer.asks().with("organization", "org-a");
    let spent = con.follows(&first).await.code();
    let redemption = first.redemption(&spent).with("client_assertion", &assertion);
    let redemption =
        redemption.with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!(redemption.send().await.status, 200);
    let second = signer.asks().with("organization", "org-a");
    let unspent = con.follows(&second).await.code();
    Used { con, code: (ask, code), callback, picker, assertion, unspent: (second, unspent) }
}

async fn comes_by(
    con: &mut Person,
    house: &House,
    url: &url::Url,
    node: &str,
    body: Option<String>,
) -> Answer {
    let method = if body.is_some() { reqwest::Method::POST } else { reqwest::Method::GET };
    let own: url::Url = house.url.parse().unwrap();
    let cookies = con.browser.jar.header(&own).unwrap_or_default();
    let there = format!("{node}{}", url.as_str().strip_prefix(&house.url).unwrap());
    let host = own.authority().to_owned();
    let mut visitor = crate::house::visitor::Visitor::arrives();
    visitor
        .request(method, &there, |request| {
            let request = request.header(HOST, host).header("Cookie", cookies);
            let request = request.header("Content-Type", "application/x-www-form-urlencoded");
            request.body(body.unwrap_or_default())
        })
        .await
}

/// Everything once more, at this node: refused, without effect.
async fn is_refused_again(house: &House, used: &mut Used, node: &str) {
    let before = house.before().await;
    let answer = comes_by(&mut used.con, house, &used.callback, node, None).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "the callback: {}", answer.body);
    let (name, value) = used.picker.buttons[0].clone();
    let form = used.picker.clone().with(&name, &value);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    let answer = comes_by(&mut used.con, house, &form.action, node, Some(body)).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "the picker: {}", answer.body);
    let (ask, code) = &used.unspent;
    let redemption = ask.redemption(code).at(node).with("client_assertion", &used.assertion);
    let redemption =
        redemption.with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let answer = redemption.send().await;
    let told = (answer.status.as_u16(), answer.json()["error"].clone());
    assert_eq!(told, (401, json!("invalid_client")), "the assertion: {}", answer.body);
    house.unchanged(&before).await;
    let (ask, code) = &used.code;
    let answer = ask.redemption(code).at(node).send().await;
    let told = (answer.status.as_u16(), answer.json()["error"].clone());
    assert_eq!(told, (400, json!("invalid_grant")), "the code: {}", answer.body);
}

#[tokio::test]
async fn c30_what_was_used_is_refused_by_the_node_after_its_restart() {
    for engine in ENGINES {
        let (mut house, signer) = house(engine).await;
        let mut used = uses(&house, &signer).await;
        let url = house.url.clone();
        is_refused_again(&house, &mut used, &url).await;
        house.restart().await;
        is_refused_again(&house, &mut used, &url).await;
    }
}

#[tokio::test]
async fn c30_what_was_used_at_one_node_is_refused_at_the_other() {
    let (mut house, signer) = house(Engine::Postgres).await;
    let mut used = uses(&house, &signer).await;
    let other: Node = house.second_node().await;
    is_refused_again(&house, &mut used, &other.url()).await;
    let own = house.url.clone();
    is_refused_again(&house, &mut used, &own).await;
    house.restart().await;
    is_refused_again(&house, &mut used, &own).await;
    is_refused_again(&house, &mut used, &other.url()).await;
}

#[tokio::test]
async fn c30_what_is_lost_unused_makes_people_start_again_and_what_is_kept_goes_on() {
    for engine in ENGINES {
        let (mut house, _) = house(engine).await;
        let rp1 = Application::rp1(&house);
        let mut con = Person::new("con@a.test");
        let ask = rp1.asks().with("login_hint", "con@a.test").with("organization", "org-a");
        let code = con.follows(&ask).await.code();
        let back = con.is_sent_back(&rp1.asks().with("prompt", "login")).await;
        house.restart().await;
        let before = house.before().await;
        let answer = con.browser.get(back.as_str()).await;
        assert_eq!(answer.status, 403);
        house.refused(&before, "flow_expired").await;
        // The code and the session are facts, and live on.
        assert_eq!(ask.redemption(&code).send().await.status, 200);
        con.follows(&rp1.asks().with("organization", "org-b").with("prompt", "none")).await.code();
    }
}
