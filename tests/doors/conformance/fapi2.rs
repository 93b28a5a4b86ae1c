//! The plan for the FAPI 2.0 Security Profile: clients that prove who they are by keys of their own, tokens that are bound to
//! others, requests that are pushed, and OpenID Connect.

use std::sync::Arc;

use behalf::protocol::jose::{Algorithm, SigningKey};
use reqwest::Method;
use serde_json::{Value, json};

use super::config;
use super::party::{Callback, Mode, Party, is_error_page, machine_error};
use crate::house::application::{Application, Ask, Person, Proof, Redemption, Tokens};
use crate::house::broker::{Engine, House, Plan};
use crate::house::key_holder::KeyHolder;
use crate::house::visitor::{Answer, Visitor};

pub const SETTINGS: &str = "token_endpoint_auth_method = \"private_key_jwt\"\nsecurity_profile = \"fapi2\"\n\
    dpop_bound_access_tokens = true\nrequire_pushed_authorization_requests = true\nsigning_algorithm = \"ES256\"\n\
    scopes = [\"openid\", \"profile\", \"email\", \"offline_access\"]\n";

/// A house with the two clients of the plan; the second one's redirect URI has a query.
pub struct Fapi {
    pub house: House,
    pub keys: [Arc<SigningKey>; 2],
}

pub async fn fapi() -> Fapi {
    fapi_on(Engine::Sqlite).await
}

pub async fn fapi_on(engine: Engine) -> Fapi {
    let keys = ["one", "two"].map(|kid| Arc::new(SigningKey::generate(Algorithm::ES256, kid).unwrap()));
    let uris = ["https://fapi1.test/callback", "https://fapi2.test/callback?dummy1=lorem&dummy2=ipsum"];
    let mut plan = Plan::on(engine);
    for (number, (key, uri)) in keys.iter().zip(uris).enumerate() {
        let name = format!("fapi{}", number + 1);
        plan = plan.and(&format!(
            "\n[application.{name}]\ntype = \"web\"\nredirect_uris = [\"{uri}\"]\njwks = {{ file = \"{name}.json\" }}\n{SETTINGS}"
        ));
        plan.files.push((format!("{name}.json"), json!({ "keys": [key.public_jwk()] }).to_string()));
    }
    Fapi { house: plan.build().await, keys }
}

pub fn ann() -> Person {
    Person::new("ann@a.test")
}

impl Fapi {
    pub fn now(&self) -> i64 {
        self.house.clock.now().seconds()
    }

    pub fn client(&self, number: usize) -> Party<'_> {
        let proof = Proof::Key(Arc::clone(&self.keys[number]));
        let mut own = Application::new(&self.house, &format!("fapi{}", number + 1), proof);
        if number == 1 {
            own.redirect_uri = "https://fapi2.test/callback?dummy1=lorem&dummy2=ipsum".to_owned();
        }
        Party::new(&self.house, own, Mode::Query)
    }

    pub fn asks(&self, number: usize) -> Ask {
        self.client(number).application.asks().with("scope", "openid email")
    }

    pub async fn pushes(&self, ask: &Ask) -> Answer {
        ask.pushes().on(self.now()).send().await
    }

    /// Where a browser is sent with what was pushed.
    pub async fn pushed(&self, ask: &Ask) -> String {
        let answer = self.pushes(ask).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let seconds = answer.json()["expires_in"].as_u64().unwrap();
        assert!((5..600).contains(&seconds));
        ask.only("request_uri", answer.json()["request_uri"].as_str().unwrap())
    }

    /// Somebody is sent with what was pushed and comes back.
    pub async fn sends(&self, number: usize, ask: &Ask) -> Callback {
        let url = self.pushed(ask).await;
        self.opens(number, ask, &url).await
    }

    pub async fn opens(&self, number: usize, ask: &Ask, url: &str) -> Callback {
        let arrival = ann().opens(ask, url).await;
        let callback = self.client(number).told(&arrival);
        assert_eq!(callback.get("state").map(String::as_str), ask.value("state"), "{callback:?}");
        assert_eq!(callback.get("iss"), Some(&self.house.url), "FAPI 2.0, section 5.3.2.2");
        if number == 1 {
            assert_eq!((callback["dummy1"].as_str(), callback["dummy2"].as_str()), ("lorem", "ipsum"));
        }
        callback
    }

    pub fn redemption(&self, ask: &Ask, callback: &Callback) -> Redemption {
        ask.redemption(&callback["code"]).on(self.now())
    }

    /// Tokens that are bound to a key.
    pub async fn tokens(&self, number: usize, holder: &KeyHolder, ask: &Ask) -> Tokens {
        let callback = self.sends(number, ask).await;
        let answer = holder.sends(&self.house, &self.redemption(ask, &callback)).await;
        let got = self.client(number).looks_at(ask, answer).await;
        assert_eq!(got.answer.json()["token_type"], json!("DPoP"));
        assert_eq!(got.tokens.algorithm, Algorithm::ES256);
        assert!(got.tokens.access_token.len() >= 22);
        got.tokens
    }

    pub async fn opens_userinfo(&self, holder: &KeyHolder, token: &str) {
        let answer = holder.userinfo(&self.house, token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.header("date").is_some());
    }

    /// What the token endpoint says to a redemption that is refused.
    pub async fn refused(&self, redemption: &Redemption, holder: &KeyHolder, statuses: &[u16]) -> String {
        machine_error(&holder.sends(&self.house, redemption).await, statuses)
    }

    /// An assertion of the first client with other claims.
    pub fn assertion(&self, change: &[(&str, Value)]) -> String {
        let now = self.now();
        let mut claims = json!({ "iss": "fapi1", "sub": "fapi1", "aud": self.house.url,
            "jti": behalf::foundation::random::Random::System.token().expose(), "nbf": now, "iat": now, "exp": now + 60 });
        for (name, value) in change {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(*name)),
                value => claims[*name] = value.clone(),
            }
        }
        self.keys[0].sign_jwt("JWT", &claims).unwrap()
    }

    pub fn asserting(&self, redemption: Redemption, assertion: &str) -> Redemption {
        redemption
            .with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .with("client_assertion", assertion)
    }
}

#[tokio::test]
async fn s2_24_two_clients_sign_somebody_in_and_their_tokens_are_bound() {
    let fapi = fapi().await;
    for number in [0, 1] {
        let (holder, mut ask) = (KeyHolder::default(), fapi.asks(number));
        if number == 1 {
            ask = ask
                .with("dpop_jkt", &holder.jkt())
                .with("state", &"s".repeat(128))
                .with("nonce", &"n".repeat(43));
        }
        let tokens = fapi.tokens(number, &holder, &ask).await;
        fapi.opens_userinfo(&holder, &tokens.access_token).await;
        // In the address a token opens nothing (section 5.3.4).
        let url = format!("{}/userinfo?access_token={}", fapi.house.url, tokens.access_token);
        assert_eq!(Visitor::arrives().get(&url).await.status, 401);
        for accept in ["application/json; charset=utf-8", "application/json, application/*+json, */*"] {
            let proof = holder.proof_of(&fapi.house, "GET", "/userinfo", &tokens.access_token).await;
            let dress = |request: reqwest::RequestBuilder| {
                let request = request.header("authorization", format!("DPoP {}", tokens.access_token));
                request.header("dpop", proof).header("accept", accept)
            };
            let url = format!("{}/userinfo", fapi.house.url);
            assert_eq!(Visitor::arrives().request(Method::GET, &url, dress).await.status, 200, "{accept}");
        }
    }
}

#[tokio::test]
async fn s2_24_whoever_gives_up_is_sent_back_with_the_word_for_it() {
    let fapi = fapi().await;
    for number in [0, 1] {
        let ask = fapi.asks(number).with("state", &"s".repeat(128));
        let mut ann = ann();
        let first = ann.browser.get(&fapi.pushed(&ask).await).await;
        let page = ann.browser.follow(&first).await;
        let answer = ann.browser.submit(&page.form_with_button("cancel")).await;
        let arrival = ann.goes_on(&ask, answer).await;
        let callback = fapi.client(number).told(&arrival);
        assert_eq!((callback["error"].as_str(), callback.get("code")), ("access_denied", None));
        assert_eq!(callback.get("state").map(String::as_str), ask.value("state"));
    }
}

#[tokio::test]
async fn s2_24_state_and_nonce_come_back_as_they_were_if_they_were_there() {
    let fapi = fapi().await;
    let holder = KeyHolder::default();
    for ask in [
        fapi.asks(0).without("state"),
        fapi.asks(0).without("nonce"),
        fapi.asks(0).with("nonce", &"n".repeat(64)),
        fapi.asks(0).with("nonce", &"n".repeat(384)),
        fapi.asks(0).with("state", &"s".repeat(1_000)),
        fapi.asks(0).with("scope", "email openid"),
    ] {
        fapi.tokens(0, &holder, &ask).await;
    }
    // What stands beside the name of what was pushed does not count.
    for (name, value) in
        [("state", "wrong"), ("nonce", "wrong"), ("scope", "openid"), ("response_type", "code")]
    {
        let ask = fapi.asks(0);
        let url = format!("{}&{name}={value}", fapi.pushed(&ask).await);
        let callback = fapi.opens(0, &ask, &url).await;
        let answer = holder.sends(&fapi.house, &fapi.redemption(&ask, &callback)).await;
        fapi.client(0).looks_at(&ask, answer).await;
    }
    let ask = fapi.asks(0).without("state");
    let url = format!("{}&state=outside", fapi.pushed(&ask).await);
    let callback = fapi.opens(0, &ask, &url).await;
    assert_eq!(callback.get("state"), None);
}

#[tokio::test]
async fn s2_24_claims_by_name_are_told_where_they_are_wanted() {
    let fapi = fapi().await;
    fapi.house.idp_a.says(crate::house::lying_idp::Says::truth().claim("name", "\"Ann\""));
    let metadata = config::metadata(&fapi.house).await.json();
    let standard = ["name", "given_name", "family_name", "email", "email_verified", "locale", "updated_at"];
    for name in standard {
        assert!(metadata["claims_supported"].as_array().unwrap().contains(&json!(name)), "{name}");
    }
    let all: serde_json::Map<String, Value> =
        standard.into_iter().map(|name| (name.to_owned(), json!({ "essential": true }))).collect();
    let claims = json!({ "id_token": all, "userinfo": all, "nowhere": { "x": null } });
    let (holder, ask) =
        (KeyHolder::default(), fapi.asks(0).with("scope", "openid").with("claims", &claims.to_string()));
    let tokens = fapi.tokens(0, &holder, &ask).await;
    let told = holder.userinfo(&fapi.house, &tokens.access_token).await.json();
    super::party::is_standard(&told);
    for name in ["name", "email", "email_verified"] {
        assert_eq!(tokens.id[name], told[name], "{name}");
        assert!(told.get(name).is_some(), "{name}: {told}");
    }
    assert_eq!(tokens.id["sub"], told["sub"]);
}

#[tokio::test]
async fn m21_what_does_not_fit_is_refused_when_it_is_pushed() {
    let fapi = fapi().await;
    let own = fapi.client(0).application.redirect_uri;
    let plain = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (what, ask, code) in [
        ("another address", fapi.asks(0).with("redirect_uri", &format!("{own}/Zu7eW3")), "invalid_request"),
        ("no address", fapi.asks(0).without("redirect_uri"), "invalid_request"),
        ("code id_token", fapi.asks(0).with("response_type", "code id_token"), "unsupported_response_type"),
        ("token", fapi.asks(0).with("response_type", "token"), "unsupported_response_type"),
        (
            "no challenge",
            fapi.asks(0).without("code_challenge").without("code_challenge_method"),
            "invalid_request",
        ),
        (
            "a plain challenge",
            fapi.asks(0).with("code_challenge", plain).with("code_challenge_method", "plain"),
            "invalid_request",
        ),
        (
            "no method",
            fapi.asks(0).with("code_challenge", plain).without("code_challenge_method"),
            "invalid_request",
        ),
        (
            "a request_uri",
            fapi.asks(0).with("request_uri", "urn:ietf:params:oauth:request_uri:x"),
            "invalid_request",
        ),
    ] {
        assert_eq!(machine_error(&fapi.pushes(&ask).await, &[400]), code, "{what}");
        assert_eq!(fapi.house.count("pushed_requests").await, 0, "{what}");
    }
    let url = format!("{}/par", fapi.house.url);
    let put = Visitor::arrives().request(Method::PUT, &url, |request| request).await;
    assert_eq!(put.status, 405);
    // Nothing that was not pushed.
    let ask = fapi.asks(0);
    let arrival = ann().follows(&ask).await;
    assert_eq!(fapi.client(0).is_error(&arrival, &ask), "invalid_request");
}

#[tokio::test]
async fn m21_what_was_pushed_is_good_once_for_a_minute_for_who_pushed_it() {
    let fapi = fapi().await;
    let holder = KeyHolder::default();
    let ask = fapi.asks(0);
    // Whoever comes again before they have signed in goes on where they were; a stranger does not.
    let url = fapi.pushed(&ask).await;
    let mut ann = ann();
    let first = ann.browser.get(&url).await;
    let page = ann.browser.follow(&first).await;
    assert!(!page.forms().is_empty());
    let again = ann.browser.get(&url).await;
    assert_eq!(again.location(), first.location(), "{}", again.body);
    is_error_page(&Visitor::arrives().get(&url).await);
    let page = ann.browser.follow(&again).await;
    let callback = fapi.client(0).told(&ann.goes_on(&ask, page).await);
    let answer = holder.sends(&fapi.house, &fapi.redemption(&ask, &callback)).await;
    fapi.client(0).looks_at(&ask, answer).await;
    // Once they have, it is over.
    is_error_page(&ann.browser.get(&url).await);
    // Another client's, and too late.
    let url = fapi.pushed(&ask).await;
    is_error_page(&Visitor::arrives().get(&url.replace("client_id=fapi1", "client_id=fapi2")).await);
    fapi.house.turn_clock(60);
    is_error_page(&Visitor::arrives().get(&url).await);
}

#[tokio::test]
async fn m21_what_was_used_up_in_one_browser_is_taken_up_by_no_other_client() {
    let fapi = fapi().await;
    let ask = fapi.asks(0);
    let url = fapi.pushed(&ask).await;
    let mut ann = ann();
    let first = ann.browser.get(&url).await;
    assert!(first.location().is_some());
    is_error_page(&ann.browser.get(&url.replace("client_id=fapi1", "client_id=fapi2")).await);
    // Whoever gives up has used it up.
    let page = ann.browser.follow(&first).await;
    ann.browser.submit(&page.form_with_button("cancel")).await;
    is_error_page(&ann.browser.get(&url).await);
}

#[tokio::test]
async fn s2_24_an_application_that_cannot_keep_the_profile_is_not_held_to_it() {
    let fapi = fapi().await;
    let good = format!(
        "redirect_uris = [\"https://fapi1.test/callback\"]\njwks = {{ file = \"fapi1.json\" }}\n{SETTINGS}"
    );
    assert!(fapi.house.file.contains(&good));
    for (old, new, name) in [
        (
            "\"private_key_jwt\"",
            "\"client_secret_basic\"\nclient_secrets = [{ env = \"RP1_SECRET\" }]",
            "private_key_jwt",
        ),
        ("dpop_bound_access_tokens = true", "dpop_bound_access_tokens = false", "bound to a key"),
        (
            "require_pushed_authorization_requests = true",
            "require_pushed_authorization_requests = false",
            "pushed",
        ),
        ("signing_algorithm = \"ES256\"", "signing_algorithm = \"RS256\"", "ES256"),
        ("https://fapi1.test/callback", "http://127.0.0.1/callback", "https"),
    ] {
        let before = fapi.house.before().await;
        let file = fapi.house.file.replace(&good, &good.replace(old, new));
        let error = fapi.house.tries(&file).await.unwrap_err();
        assert!(error.contains("fapi2") && error.contains(name), "{error}");
        fapi.house.unchanged(&before).await;
    }
}
