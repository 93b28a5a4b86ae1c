//! Clients by other authors register themselves (npm `openid-client` and `oauth4webapi`), and sign people in.

use behalf::foundation::clock::Clock;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Person, consent_form};
use crate::house::broker::{House, Plan};
use crate::house::node::Node;
use crate::house::visitor::Visitor;

const BACK: &str = "http://127.0.0.1:9/callback";

async fn token(house: &House) -> Value {
    let made = Api::operator(house).await.post("/registration-tokens", json!({"name": "partner"})).await;
    made.json()["token"].clone()
}

/// From the authorization request to the callback.
async fn walk(url: &str) -> String {
    let mut ann = Person { browser: Visitor::arrives(), email: "ann@a.test".to_owned() };
    let mut answer = ann.browser.get(url).await;
    for _ in 0..12 {
        answer = match answer.location() {
            Some(next) if next.as_str().starts_with(BACK) => return next.into(),
            Some(_) => ann.browser.follow(&answer).await,
            None => match consent_form(&answer) {
                Some(asked) => ann.browser.submit(&asked.with("answer", "allow")).await,
                None => ann.browser.submit(&answer.form_with("email").with("email", &ann.email)).await,
            },
        };
    }
    panic!("not back but at {}", answer.url)
}

#[tokio::test]
async fn clients_of_other_authors_register_themselves_and_sign_people_in() {
    // The counterparts live by the machine's clock.
    let house = Plan { clock: Clock::System, ..Plan::default() }
        .with("slug = \"default\"\n", "slug = \"default\"\ndynamic_registration = true\n")
        .build()
        .await;
    for metadata in [
        json!({ "client_name": "Partner", "redirect_uris": [BACK], "scope": "openid email organization" }),
        json!({ "client_name": "Signed", "redirect_uris": [BACK], "scope": "openid email organization",
            "token_endpoint_auth_method": "client_secret_post", "id_token_signed_response_alg": "ES256",
            "grant_types": ["authorization_code", "refresh_token"] }),
        json!({ "client_name": "Public", "redirect_uris": [BACK], "scope": "openid email organization",
            "token_endpoint_auth_method": "none" }),
    ] {
        let settings =
            json!({ "issuer": house.url, "initial_access_token": token(&house).await, "metadata": metadata });
        let mut client = Node::start("registration", settings).await;
        let known = client.ask("register", json!({})).await;
        assert_eq!(known["client_name"], metadata["client_name"], "{known}");
        let begun = client.ask("begin", json!({ "parameters": { "login_hint": "ann@a.test" } })).await;
        let callback = walk(begun["url"].as_str().unwrap()).await;
        let result = client.ask("finish", json!({ "callback_url": callback })).await;
        assert_eq!(result["claims"]["org_name"], "org-a", "{result}");
        assert_eq!(result["userinfo"]["email"], "ann@a.test");
        // Another author reads the answer, and the refusal, as strictly.
        let asked = json!({ "initial_access_token": token(&house).await });
        let strict = client.ask("strictly", asked.clone()).await;
        assert_ne!(strict["client_id"], known["client_id"]);
        let refused = client.try_ask("strictly", asked).await.unwrap_err();
        assert_eq!(refused["status"], 401, "{refused}");
    }
}

/// Signed UserInfo and pairwise names, as another author checks them.
#[tokio::test]
async fn a_strict_client_of_other_authors_takes_signed_userinfo_about_a_pairwise_name() {
    let line =
        "client_secrets = [{ env = \"RP1_SECRET\" }]\nredirect_uris = [\"https://rp1.test/callback\"]\n";
    let house = Plan { clock: Clock::System, ..Plan::default() }
        .with(line, &format!("{line}userinfo_signed_response_alg = \"RS256\"\nsubject_type = \"pairwise\"\n"))
        .build()
        .await;
    let back = "https://rp1.test/callback";
    let settings = json!({ "issuer": house.url, "client_id": "rp1", "client_secret": crate::house::broker::RP1_SECRET,
        "redirect_uri": back, "scope": "openid email", "userinfo_signed_response_alg": "RS256" });
    let mut client = Node::start("oauth4webapi_client", settings).await;
    let begun = client.ask("begin", json!({ "parameters": { "login_hint": "ann@a.test" } })).await;
    let mut ann = Visitor::arrives();
    let mut answer = ann.get(begun["url"].as_str().unwrap()).await;
    let callback = loop {
        let next = answer.location().unwrap_or_else(|| panic!("{}", answer.body));
        if next.as_str().starts_with(back) {
            break next;
        }
        answer = ann.follow(&answer).await;
    };
    let result =
        client.ask("finish", json!({ "callback_url": callback, "access_token_audience": house.url })).await;
    assert!(result["claims"]["sub"].as_str().unwrap().starts_with("pair_"), "{result}");
    assert_eq!(result["userinfo"]["sub"], result["claims"]["sub"]);
    assert_eq!((&result["userinfo"]["aud"], &result["userinfo"]["iss"]), (&json!("rp1"), &json!(house.url)));
}
