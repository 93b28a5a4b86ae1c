//! The plan for the FAPI 2.0 Security Profile: clients that prove who they are by keys of their own, tokens that are bound to
//! others, requests that are pushed, and OpenID Connect.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use behalf::protocol::jose::{Algorithm, SigningKey};
use data_encoding::BASE64URL_NOPAD;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::config;
use super::party::{Callback, Mode, Party, is_error_page, machine_error};
use crate::house::application::{Application, Ask, Person, Proof, Redemption, Tokens};
use crate::house::broker::{Engine, House, Plan};
use crate::house::key_holder::{KeyHolder, ath, presents};
use crate::house::visitor::{Answer, Visitor};

const SETTINGS: &str = "token_endpoint_auth_method = \"private_key_jwt\"\nsecurity_profile = \"fapi2\"\n\
    dpop_bound_access_tokens = true\nrequire_pushed_authorization_requests = true\nsigning_algorithm = \"ES256\"\n\
    scopes = [\"openid\", \"profile\", \"email\", \"offline_access\"]\n";

/// A house with the two clients of the plan; the second one's redirect URI has a query.
struct Fapi {
    house: House,
    keys: [Arc<SigningKey>; 2],
}

async fn fapi() -> Fapi {
    fapi_on(Engine::Sqlite).await
}

async fn fapi_on(engine: Engine) -> Fapi {
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

fn ann() -> Person {
    Person::new("ann@a.test")
}

impl Fapi {
    fn now(&self) -> i64 {
        self.house.clock.now().seconds()
    }

    fn client(&self, number: usize) -> Party<'_> {
        let proof = Proof::Key(Arc::clone(&self.keys[number]));
        let mut own = Application::new(&self.house, &format!("fapi{}", number + 1), proof);
        if number == 1 {
            own.redirect_uri = "https://fapi2.test/callback?dummy1=lorem&dummy2=ipsum".to_owned();
        }
        Party::new(&self.house, own, Mode::Query)
    }

    fn asks(&self, number: usize) -> Ask {
        self.client(number).application.asks().with("scope", "openid email")
    }

    async fn pushes(&self, ask: &Ask) -> Answer {
        ask.pushes().on(self.now()).send().await
    }

    /// Where a browser is sent with what was pushed.
    async fn pushed(&self, ask: &Ask) -> String {
        let answer = self.pushes(ask).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let seconds = answer.json()["expires_in"].as_u64().unwrap();
        assert!((5..600).contains(&seconds));
        ask.only("request_uri", answer.json()["request_uri"].as_str().unwrap())
    }

    /// Somebody is sent with what was pushed and comes back.
    async fn sends(&self, number: usize, ask: &Ask) -> Callback {
        let url = self.pushed(ask).await;
        self.opens(number, ask, &url).await
    }

    async fn opens(&self, number: usize, ask: &Ask, url: &str) -> Callback {
        let arrival = ann().opens(ask, url).await;
        let callback = self.client(number).told(&arrival);
        assert_eq!(callback.get("state").map(String::as_str), ask.value("state"), "{callback:?}");
        assert_eq!(callback.get("iss"), Some(&self.house.url), "FAPI 2.0, section 5.3.2.2");
        if number == 1 {
            assert_eq!((callback["dummy1"].as_str(), callback["dummy2"].as_str()), ("lorem", "ipsum"));
        }
        callback
    }

    fn redemption(&self, ask: &Ask, callback: &Callback) -> Redemption {
        ask.redemption(&callback["code"]).on(self.now())
    }

    /// Tokens that are bound to a key.
    async fn tokens(&self, number: usize, holder: &KeyHolder, ask: &Ask) -> Tokens {
        let callback = self.sends(number, ask).await;
        let answer = holder.sends(&self.house, &self.redemption(ask, &callback)).await;
        let got = self.client(number).looks_at(ask, answer).await;
        assert_eq!(got.answer.json()["token_type"], json!("DPoP"));
        assert_eq!(got.tokens.algorithm, Algorithm::ES256);
        assert!(got.tokens.access_token.len() >= 22);
        got.tokens
    }

    async fn opens_userinfo(&self, holder: &KeyHolder, token: &str) {
        let answer = holder.userinfo(&self.house, token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.header("date").is_some());
    }

    /// What the token endpoint says to a redemption that is refused.
    async fn refused(&self, redemption: &Redemption, holder: &KeyHolder, statuses: &[u16]) -> String {
        machine_error(&holder.sends(&self.house, redemption).await, statuses)
    }

    /// An assertion of the first client with other claims.
    fn assertion(&self, change: &[(&str, Value)]) -> String {
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

    fn asserting(&self, redemption: Redemption, assertion: &str) -> Redemption {
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
async fn m06_a_proof_may_say_more_and_be_made_by_a_clock_that_is_off() {
    let fapi = fapi().await;
    let house = &fapi.house;
    for (what, shift, more) in [
        ("ten seconds ago", -10, json!({})),
        ("in eight seconds", 8, json!({})),
        ("with nbf and exp", 0, json!({ "nbf": fapi.now(), "exp": fapi.now() + 300 })),
    ] {
        let holder = KeyHolder::default();
        let proof = async |method: &str, path: &str, token: Option<&str>| {
            let mut claims = holder.claims(house, method, &format!("{}{path}", house.url)).await;
            claims["iat"] = json!(fapi.now() + shift);
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            if let Some(token) = token {
                claims["ath"] = json!(ath(token));
            }
            holder.sign(&holder.header(), &claims)
        };
        let ask = fapi.asks(0);
        let pushed =
            ask.pushes().on(fapi.now()).and_header("dpop", &proof("POST", "/par", None).await).send().await;
        assert_eq!(pushed.status, 201, "{what}: {}", pushed.body);
        let url = ask.only("request_uri", pushed.json()["request_uri"].as_str().unwrap());
        let callback = fapi.opens(0, &ask, &url).await;
        let redemption =
            fapi.redemption(&ask, &callback).and_header("dpop", &proof("POST", "/token", None).await);
        let got = fapi.client(0).looks_at(&ask, redemption.send().await).await;
        let token = &got.tokens.access_token;
        let shown = proof("GET", "/userinfo", Some(token)).await;
        // The scheme is written in any way.
        let scheme = if shift == 0 { "dPOp" } else { "DPoP" };
        let answer = presents(house, &format!("{scheme} {token}"), &[&shown]).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    }
}

#[tokio::test]
async fn m06_a_code_is_for_the_key_that_was_named_or_proved() {
    let fapi = fapi().await;
    let house = &fapi.house;
    let (holder, other) = (KeyHolder::default(), KeyHolder::default());
    // The name of another key than the proved one.
    let ask = fapi.asks(0).with("dpop_jkt", &other.jkt());
    let proof = holder.proof_at(house, "/par").await;
    let answer = ask.pushes().on(fapi.now()).and_header("dpop", &proof).send().await;
    assert_eq!(machine_error(&answer, &[400]), "invalid_dpop_proof");
    // Another key at the token endpoint: than was named, and than was proved.
    let callback = fapi.sends(0, &ask).await;
    let told = fapi.refused(&fapi.redemption(&ask, &callback), &holder, &[400]).await;
    assert_eq!(told, "invalid_grant");
    for ask in [fapi.asks(0), fapi.asks(0).with("dpop_jkt", &holder.jkt())] {
        for (by, good) in [(&other, false), (&holder, true)] {
            let proof = holder.proof_at(house, "/par").await;
            let pushed = ask.pushes().on(fapi.now()).and_header("dpop", &proof).send().await;
            let url = ask.only("request_uri", pushed.json()["request_uri"].as_str().unwrap());
            let callback = fapi.opens(0, &ask, &url).await;
            let redemption = fapi.redemption(&ask, &callback);
            if good {
                fapi.client(0).looks_at(&ask, by.sends(house, &redemption).await).await;
            } else {
                assert_eq!(fapi.refused(&redemption, by, &[400]).await, "invalid_grant");
            }
        }
    }
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
async fn h22_c23_a_code_is_for_its_client_its_verifier_and_a_minute() {
    let fapi = fapi().await;
    let holder = KeyHolder::default();
    let ask = fapi.asks(0);
    let code = async || fapi.sends(0, &ask).await;
    let other = "x".repeat(43);
    let wrong = fapi.redemption(&ask, &code().await).without("code_verifier");
    assert_eq!(fapi.refused(&wrong, &holder, &[400]).await, "invalid_grant");
    let wrong = fapi.redemption(&ask, &code().await).with("code_verifier", &other);
    assert_eq!(fapi.refused(&wrong, &holder, &[400]).await, "invalid_grant");
    let wrong = fapi.redemption(&ask, &code().await).by(&fapi.client(1).application);
    assert_eq!(fapi.refused(&wrong, &holder, &[400]).await, "invalid_grant");
    // The second client's name, by the first one's key.
    let thief = fapi.client(1).application.proving(Proof::Key(Arc::clone(&fapi.keys[0])));
    let wrong = fapi.redemption(&ask, &code().await).by(&thief).with("client_id", "fapi2");
    assert_eq!(fapi.refused(&wrong, &holder, &[400, 401]).await, "invalid_client");
    // Without a proof of a key.
    let answer = fapi.redemption(&ask, &code().await).send().await;
    assert_eq!(machine_error(&answer, &[400]), "invalid_dpop_proof");
    // A second time, a second later: what it gave ends.
    let callback = code().await;
    let answer = holder.sends(&fapi.house, &fapi.redemption(&ask, &callback)).await;
    let tokens = ask.reads(&answer).await;
    fapi.house.turn_clock(1);
    let again = fapi.redemption(&ask, &callback);
    assert_eq!(fapi.refused(&again, &holder, &[400]).await, "invalid_grant");
    assert_eq!(holder.userinfo(&fapi.house, &tokens.access_token).await.status, 401);
    // For the first time, too late.
    let callback = code().await;
    fapi.house.turn_clock(62);
    let late = fapi.redemption(&ask, &callback);
    assert_eq!(fapi.refused(&late, &holder, &[400]).await, "invalid_grant");
}

#[tokio::test]
async fn m07_an_assertion_is_for_the_issuer_alone_and_not_for_long() {
    let fapi = fapi().await;
    let (holder, ask, issuer) = (KeyHolder::default(), fapi.asks(0), fapi.house.url.clone());
    let now = fapi.now();
    let wrong = [
        ("run out", vec![("exp", json!(now - 300))]),
        ("for another server", vec![("aud", json!("https://other.test"))]),
        ("without sub", vec![("sub", Value::Null)]),
        ("a list", vec![("aud", json!([issuer, "https://other.test"]))]),
        ("a list of one", vec![("aud", json!([issuer]))]),
        ("for where it is pushed", vec![("aud", json!(format!("{issuer}/par")))]),
        ("for the token endpoint", vec![("aud", json!(format!("{issuer}/token")))]),
        (
            "not valid yet",
            vec![("nbf", json!(now + 70)), ("iat", json!(now + 70)), ("exp", json!(now + 130))],
        ),
    ];
    for (what, change) in &wrong {
        let before = fapi.house.before().await;
        let answer = fapi.asserting(ask.pushes(), &fapi.assertion(change)).send().await;
        assert_eq!(machine_error(&answer, &[400, 401]), "invalid_client", "{what}");
        if change.iter().any(|(name, _)| *name == "aud") {
            let told = answer.json()["error_description"].as_str().unwrap().to_owned();
            assert!(told.contains("must be the issuer alone, as one text"), "{what}: {told}");
        }
        fapi.house.refused(&before, "invalid_client").await;
    }
    let callback = fapi.sends(0, &ask).await;
    for (what, change) in &wrong {
        let redemption = fapi.asserting(fapi.redemption(&ask, &callback), &fapi.assertion(change));
        assert_eq!(fapi.refused(&redemption, &holder, &[400, 401]).await, "invalid_client", "{what}");
    }
    // None at all.
    let nobody = fapi.client(0).application.proving(Proof::Nothing);
    let redemption = fapi.redemption(&ask, &callback).by(&nobody);
    assert_eq!(fapi.refused(&redemption, &holder, &[400, 401]).await, "invalid_client");
    // By a clock that is a little off it is good.
    let soon = [("nbf", json!(now + 8)), ("iat", json!(now + 8)), ("exp", json!(now + 68))];
    let answer = fapi.asserting(ask.pushes(), &fapi.assertion(&soon)).send().await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let answer = holder.sends(&fapi.house, &fapi.redemption(&ask, &callback)).await;
    fapi.client(0).looks_at(&ask, answer).await;
}

#[tokio::test]
async fn h20_who_is_held_to_the_profile_signs_by_nothing_weaker() {
    let key = Arc::new(SigningKey::generate(Algorithm::RS256, "rsa").unwrap());
    let mut jwk = json!(key.public_jwk());
    jwk.as_object_mut().unwrap().remove("alg");
    let mut plan = Plan::default().and(&format!(
        "\n[application.fapi1]\ntype = \"web\"\nredirect_uris = [\"https://fapi1.test/callback\"]\njwks = {{ file = \"rsa.json\" }}\n{SETTINGS}"
    ));
    plan.files.push(("rsa.json".into(), json!({ "keys": [jwk] }).to_string()));
    let house = plan.build().await;
    let own = Application::new(&house, "fapi1", Proof::Key(Arc::clone(&key)));
    let before = house.before().await;
    let answer = own.asks().with("scope", "openid").pushes().on(house.clock.now().seconds()).send().await;
    assert_eq!(machine_error(&answer, &[400, 401]), "invalid_client");
    house.refused(&before, "invalid_client").await;
    let refused = house.audit().await.into_iter().find(|event| event.action == "par.refused").unwrap();
    assert_eq!(refused.detail["check"], json!("algorithm"), "{:?}", refused.detail);
}

/// A key that can sign by what is allowed and by what is not.
struct Rsa(RsaKeyPair);

impl Rsa {
    fn proof(&self, algorithm: &str, claims: &Value) -> String {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let public = self.0.public_key();
        let (n, e) = (public.modulus(), public.exponent());
        let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
        let jwk = json!({ "kty": "RSA", "n": text(n), "e": text(e) });
        let header = json!({ "typ": "dpop+jwt", "alg": algorithm, "jwk": jwk });
        let signed =
            format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
        let mut signature = vec![0; self.0.public_modulus_len()];
        let padding: &dyn RsaEncoding =
            if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        self.0.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", text(&signature))
    }
}

#[tokio::test]
async fn m06_h20_whoever_is_held_to_the_profile_proves_keys_by_nothing_weaker() {
    let fapi = fapi().await;
    let (house, key) = (&fapi.house, Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
    let claims = async |method: &str, path: &str, token: Option<&str>| {
        let mut claims = KeyHolder::default().claims(house, method, &format!("{}{path}", house.url)).await;
        if let Some(token) = token {
            claims["ath"] = json!(ath(token));
        }
        claims
    };
    let ask = fapi.asks(0);
    let weak = key.proof("RS256", &claims("POST", "/par", None).await);
    let answer = ask.pushes().on(fapi.now()).and_header("dpop", &weak).send().await;
    assert_eq!(machine_error(&answer, &[400]), "invalid_dpop_proof");
    let callback = fapi.sends(0, &ask).await;
    let weak = key.proof("RS256", &claims("POST", "/token", None).await);
    let answer = fapi.redemption(&ask, &callback).and_header("dpop", &weak).send().await;
    assert_eq!(machine_error(&answer, &[400]), "invalid_dpop_proof");
    let good = key.proof("PS256", &claims("POST", "/token", None).await);
    let answer = fapi.redemption(&ask, &callback).and_header("dpop", &good).send().await;
    let token = fapi.client(0).looks_at(&ask, answer).await.tokens.access_token;
    for (algorithm, status) in [("RS256", 401), ("PS256", 200)] {
        let proof = key.proof(algorithm, &claims("GET", "/userinfo", Some(&token)).await);
        let answer = presents(house, &format!("DPoP {token}"), &[&proof]).await;
        assert_eq!(answer.status, status, "{algorithm}: {}", answer.body);
    }
}

#[tokio::test]
async fn m06_no_proof_that_is_wrong_opens_userinfo() {
    let fapi = fapi().await;
    let (house, holder, other) = (&fapi.house, KeyHolder::default(), KeyHolder::default());
    let tokens = fapi.tokens(0, &holder, &fapi.asks(0)).await;
    let token = tokens.access_token.as_str();
    let uri = format!("{}/userinfo", house.url);
    let claims = async |change: &[(&str, Value)]| {
        let mut claims = holder.claims(house, "GET", &uri).await;
        claims["ath"] = json!(ath(token));
        for (name, value) in change {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(*name)),
                value => claims[*name] = value.clone(),
            }
        }
        claims
    };
    let header = |change: &[(&str, Value)]| {
        let mut header = holder.header();
        for (name, value) in change {
            match value {
                Value::Null => drop(header.as_object_mut().unwrap().remove(*name)),
                value => header[*name] = value.clone(),
            }
        }
        header
    };
    let mut private = holder.jwk();
    private["d"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let good = holder.sign(&holder.header(), &claims(&[]).await);
    let mut wrong = vec![
        ("no JWT", "x.y.z".to_owned()),
        ("a cut signature", good[..good.len() - 4].to_owned()),
        ("signed by another", other.sign(&holder.header(), &claims(&[]).await)),
    ];
    for (what, change) in [
        ("no typ", vec![("typ", Value::Null)]),
        ("another typ", vec![("typ", json!("jwt"))]),
        ("no alg", vec![("alg", Value::Null)]),
        ("alg none", vec![("alg", json!("none"))]),
        ("no jwk", vec![("jwk", Value::Null)]),
        ("a private jwk", vec![("jwk", private)]),
    ] {
        wrong.push((what, holder.sign(&header(&change), &claims(&[]).await)));
    }
    for (what, change) in [
        ("no jti", vec![("jti", Value::Null)]),
        ("no htm", vec![("htm", Value::Null)]),
        ("no htu", vec![("htu", Value::Null)]),
        ("no iat", vec![("iat", Value::Null)]),
        ("no ath", vec![("ath", Value::Null)]),
        ("another htm", vec![("htm", json!("PUT"))]),
        ("another htu", vec![("htu", json!("https://other.test/userinfo"))]),
        ("another ath", vec![("ath", json!(ath("x")))]),
        ("in an hour", vec![("iat", json!(fapi.now() + 3_600))]),
        ("an hour ago", vec![("iat", json!(fapi.now() - 3_600))]),
    ] {
        wrong.push((what, holder.sign(&holder.header(), &claims(&change).await)));
    }
    for (what, proof) in &wrong {
        let answer = presents(house, &format!("DPoP {token}"), &[proof]).await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{what}: {}", answer.body);
    }
    for (what, scheme, proofs) in [
        ("none", "DPoP", vec![]),
        ("two", "DPoP", vec![good.as_str(), good.as_str()]),
        ("as a bearer", "Bearer", vec![]),
    ] {
        let answer = presents(house, &format!("{scheme} {token}"), &proofs).await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{what}: {}", answer.body);
    }
    // These are as good as the usual one, each once.
    for (what, header, change) in [
        ("query and fragment", header(&[]), vec![("htu", json!(format!("{uri}?a=b#c")))]),
        ("an address in capitals", header(&[]), vec![("htu", json!(uri.replace("http://", "HTTP://")))]),
        ("more", header(&[("x", json!(1))]), vec![("x", json!({ "y": 1 }))]),
        ("the usual one", header(&[]), vec![]),
    ] {
        let proof = holder.sign(&header, &claims(&change).await);
        assert_eq!(presents(house, &format!("DPoP {token}"), &[&proof]).await.status, 200, "{what}");
        assert_eq!(presents(house, &format!("DPoP {token}"), &[&proof]).await.status, 401, "{what} again");
    }
}

#[tokio::test]
async fn h21_a_refresh_token_stays_and_needs_client_and_key() {
    let fapi = fapi().await;
    let scope = "openid email offline_access";
    let mut last = None;
    for number in [0, 1] {
        let (holder, party) = (KeyHolder::default(), fapi.client(number));
        let ask = fapi.asks(number).with("scope", scope).with("prompt", "consent");
        let first = fapi.tokens(number, &holder, &ask).await;
        let refresh = || party.application.refreshes(first.refresh()).with("scope", scope).on(fapi.now());
        // The same one, whenever, and by another key: the client proves who it is.
        for seconds in [1, 30, 3_600] {
            fapi.house.turn_clock(seconds);
            let newer = KeyHolder::default();
            let answer = newer.sends(&fapi.house, &refresh()).await;
            party.is_token_answer(&answer);
            assert_eq!(answer.json()["token_type"], json!("DPoP"));
            let again = ask.reads_again(&answer).await;
            assert_eq!(again.refresh(), first.refresh(), "it is not rotated");
            for claim in ["iss", "sub", "aud", "auth_time"] {
                assert_eq!(again.id[claim], first.id[claim], "{claim}");
            }
            assert!(again.id["iat"].as_i64() > first.id["iat"].as_i64());
            fapi.opens_userinfo(&newer, &again.access_token).await;
            assert_eq!(holder.userinfo(&fapi.house, &again.access_token).await.status, 401, "bound anew");
        }
        // Without a client, or without a key, it is worth nothing, and comes to no harm.
        let nobody = party.application.clone().proving(Proof::Nothing);
        let told = fapi.refused(&refresh().by(&nobody), &holder, &[400, 401]).await;
        assert_eq!(told, "invalid_client");
        assert_eq!(machine_error(&refresh().send().await, &[400]), "invalid_dpop_proof");
        party.is_token_answer(&holder.sends(&fapi.house, &refresh()).await);
        last = Some(first);
    }
    let stolen = fapi.client(0).application.refreshes(last.unwrap().refresh()).on(fapi.now());
    assert_eq!(fapi.refused(&stolen, &KeyHolder::default(), &[400]).await, "invalid_grant");
}

#[tokio::test]
async fn h21_of_many_who_refresh_at_once_nobody_ends_anything() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let fapi = fapi_on(engine).await;
        let (holder, node) = (KeyHolder::default(), fapi.house.second_node().await);
        let first = fapi.tokens(0, &holder, &fapi.asks(0)).await;
        let own = fapi.client(0).application;
        let tries = (0..20).map(|number| {
            let refresh = own.refreshes(first.refresh()).on(fapi.now());
            let refresh = if number % 2 == 0 { refresh } else { refresh.at(&node.url()) };
            let (house, holder) = (&fapi.house, &holder);
            async move { holder.sends(house, &refresh).await }
        });
        for answer in join_all(tries).await {
            assert_eq!(answer.status, 200, "{engine:?}: {}", answer.body);
            assert_eq!(answer.json()["refresh_token"].as_str(), Some(first.refresh()), "{engine:?}");
        }
        assert_eq!(fapi.house.count("grants").await, 1, "{engine:?}");
        fapi.opens_userinfo(&holder, &first.access_token).await;
    }
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
