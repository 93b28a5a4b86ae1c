//! M07: a client proves who it is in the one way that it registered.

use std::sync::Arc;

use behalf::protocol::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{Before, House, Plan, RP1_SECRET};

const MORE: &str = r#"
[application.poster]
display_name = "Poster"
type = "web"
token_endpoint_auth_method = "client_secret_post"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://poster.test/callback"]
scopes = ["openid", "profile", "email", "organization", "organizations", "roles", "permissions"]

[application.signer]
display_name = "Signer"
type = "web"
token_endpoint_auth_method = "private_key_jwt"
jwks = { file = "signer.json" }
redirect_uris = ["https://signer.test/callback"]
scopes = ["openid", "profile", "email", "organization", "organizations", "roles", "permissions"]
"#;

async fn house() -> (House, Arc<SigningKey>) {
    let key = Arc::new(SigningKey::generate(Algorithm::ES256, "of the signer").unwrap());
    let jwks = json!({ "keys": [key.public_jwk()] }).to_string();
    let mut plan = Plan::default().and(MORE);
    plan.files.push(("signer.json".into(), jwks));
    (plan.build().await, key)
}

#[tokio::test]
async fn m07_every_way_but_the_registered_one_is_refused() {
    let (house, key) = house().await;
    let now = house.clock.now().seconds();
    let mut ann = Person::new("ann@a.test");
    let secret = || RP1_SECRET.to_owned();
    let all = [
        ("rp1", Proof::Basic(secret())),
        ("poster", Proof::Post(secret())),
        ("signer", Proof::Key(Arc::clone(&key))),
        ("rp2", Proof::Nothing),
    ];
    for (client, right) in &all {
        let owner = Application::new(&house, client, right.clone());
        for (other, wrong) in all.iter().filter(|(other, _)| other != client) {
            let ask = owner.asks();
            let code = ann.follows(&ask).await.code();
            let before = house.before().await;
            let thief = owner.clone().proving(wrong.clone());
            let answer = ask.redemption(&code).by(&thief).on(now).send().await;
            let told = (answer.status.as_u16(), answer.json()["error"].clone());
            assert_eq!(told, (401, json!("invalid_client")), "{client} as {other}: {}", answer.body);
            house.refused(&before, "invalid_client").await;
            // Whoever could not prove it has not burnt the code.
            assert_eq!(ask.redemption(&code).on(now).send().await.status, 200, "{client} after {other}");
        }
    }
}

#[tokio::test]
async fn m07_wrong_secrets_and_two_ways_at_once_are_refused() {
    let (house, key) = house().await;
    let now = house.clock.now().seconds();
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks();
    let code = Person::new("ann@a.test").follows(&ask).await.code();
    let redemption = ask.redemption(&code);
    for secret in
        ["", "x", &RP1_SECRET[1..], &RP1_SECRET.to_uppercase(), &format!("{RP1_SECRET} "), "%00", "' OR 1=1"]
    {
        let before = house.before().await;
        let answer = redemption.clone().by(&rp1.clone().proving(Proof::Basic(secret.into()))).send().await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (401, &json!("invalid_client")),
            "{secret:?}"
        );
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "), "{secret:?}");
        house.refused(&before, "invalid_client").await;
    }
    let assertion = Application::new(&house, "rp1", Proof::Key(key)).assertion(now, "one");
    let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let poster = Application::new(&house, "rp1", Proof::Post(RP1_SECRET.into()));
    for (what, both) in [
        ("header and body", redemption.clone().with("client_secret", RP1_SECRET)),
        ("header and a wrong body", redemption.clone().with("client_secret", "x")),
        (
            "header and assertion",
            redemption.clone().with("client_assertion_type", jwt).with("client_assertion", &assertion),
        ),
        (
            "body and assertion",
            redemption
                .clone()
                .by(&poster)
                .with("client_assertion_type", jwt)
                .with("client_assertion", &assertion),
        ),
        ("header and another client id", redemption.clone().with("client_id", "rp2")),
    ] {
        let before = house.before().await;
        let answer = both.send().await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (400, &json!("invalid_request")),
            "{what}"
        );
        house.refused(&before, "invalid_request").await;
    }
    assert_eq!(redemption.send().await.status, 200);
}

#[tokio::test]
async fn m07_a_disabled_application_is_a_stranger_at_every_door() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let ask = rp1.asks();
    let arrival = ann.follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    let code = ann.follows(&ask).await.code();
    let open = ann.is_sent_back(&rp1.asks().with("prompt", "login")).await;
    let disabled =
        crate::house::broker::DEFAULT.replace("[application.rp1]\n", "[application.rp1]\nenabled = false\n");
    house.provision(&disabled).await;
    let before = house.before().await;
    let answer = ask.redemption(&code).send().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")));
    house.refused(&before, "invalid_client").await;
    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401);
    let answer = ann.browser.get(&rp1.asks().url()).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (400, None));
    // Whoever was on their way gets no code.
    let answer = ann.browser.get(open.as_str()).await;
    let arrival = ann.goes_on(&rp1.asks(), answer).await;
    assert_eq!(arrival.told_application("code"), None, "{}", arrival.told());
    assert_eq!(house.audit().await.iter().filter(|event| event.action == "login.code_issued").count(), 2);
}

/// One assertion by `key`, with what `change` makes of the usual claims.
fn assertion(house: &House, key: &SigningKey, typ: &str, jti: &str, change: &[(&str, Value)]) -> String {
    let now = house.clock.now().seconds();
    let mut claims = json!({
        "iss": "signer", "sub": "signer", "aud": house.url, "jti": jti, "iat": now, "exp": now + 60,
    });
    for (name, value) in change {
        claims[*name] = value.clone();
    }
    key.sign_jwt(typ, &claims).unwrap()
}

#[tokio::test]
async fn m07_the_trail_tells_which_check_of_an_assertion_failed_and_the_answer_tells_it_to_the_signer_alone()
{
    let (house, key) = house().await;
    let now = house.clock.now().seconds();
    let stranger = SigningKey::generate(Algorithm::ES256, "of a stranger").unwrap();
    let impostor = SigningKey::generate(Algorithm::ES256, "of the signer").unwrap();
    let signer = Application::new(&house, "signer", Proof::Key(Arc::clone(&key)));
    let ask = signer.asks();
    let code = Person::new("ann@a.test").follows(&ask).await.code();
    let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let brought = |assertion: &str| {
        let redemption = ask.redemption(&code).with("client_assertion_type", jwt);
        redemption.with("client_assertion", assertion)
    };
    let by = |key: &SigningKey, change: &[(&str, Value)]| assertion(&house, key, "JWT", "once", change);
    let good = by(&key, &[]);
    let cut = &good[..good.len() - 4];
    let refused = [
        ("unknown_key", by(&stranger, &[])),
        ("signature", by(&impostor, &[])),
        ("malformed", format!("{good}=")),
        ("signature", format!("{cut}AAAA")),
        ("typ", assertion(&house, &key, "at+jwt", "once", &[])),
        ("typ", assertion(&house, &key, "logout+jwt", "once", &[])),
        ("sub", by(&key, &[("sub", json!("rp1"))])),
        ("aud", by(&key, &[("aud", json!("https://another.test"))])),
        ("aud", by(&key, &[("aud", json!([format!("{}/userinfo", house.url)]))])),
        ("exp", by(&key, &[("exp", json!(null))])),
        ("exp_passed", by(&key, &[("exp", json!(now - 31))])),
        ("exp_too_far", by(&key, &[("exp", json!(now + 331))])),
        ("times", by(&key, &[("nbf", json!(now + 31))])),
        ("times", by(&key, &[("iat", json!(now + 31))])),
        ("jti", by(&key, &[("jti", json!(null))])),
        ("jti", by(&key, &[("jti", json!("x".repeat(257)))])),
    ];
    // What is told only once the signature has shown who asks.
    let of_signer = ["sub", "aud", "exp", "exp_passed", "exp_too_far", "times", "jti"];
    let mut answers = Vec::new();
    for (check, assertion) in &refused {
        let before = house.before().await;
        let answer = brought(assertion).send().await;
        assert_eq!(check_of(&house, &before).await, *check, "{assertion}");
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")));
        let told = answer.json()["error_description"].as_str().unwrap().to_owned();
        if of_signer.contains(check) {
            let claim = if *check == "times" { "nbf or iat" } else { check.split('_').next().unwrap() };
            assert!(told.starts_with(&format!("{claim} of the client assertion ")), "{check}: {told}");
        } else {
            answers.push(answer.body);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "one answer to all others: {answers:?}");
    assert!(!answers[0].contains("check"), "{}", answers[0]);
    // The same claims, signed by somebody else, are told nothing of.
    for change in [("exp", json!(now + 331)), ("aud", json!("https://another.test")), ("jti", json!(null))] {
        assert_eq!(brought(&by(&impostor, &[change])).send().await.body, answers[0]);
    }

    // The type that the revision of RFC 7523 gives it, and what is used up by it.
    let named = assertion(&house, &key, "client-authentication+jwt", "named", &[]);
    assert_eq!(brought(&named).send().await.status, 200);
    let again = signer.asks();
    let code = Person::new("ann@a.test").follows(&again).await.code();
    let before = house.before().await;
    let redemption = again.redemption(&code).with("client_assertion_type", jwt);
    let answer = redemption.with("client_assertion", &named).send().await;
    assert_eq!(answer.json()["error_description"], "jti of the client assertion was used before");
    assert_eq!(check_of(&house, &before).await, "jti_used");
}

/// What the trail says of the one refusal since.
async fn check_of(house: &House, before: &Before) -> String {
    house.refused(before, "invalid_client").await;
    house.events_since(before).await[0].detail["check"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn m07_the_trail_tells_who_came_in_another_way_than_is_registered() {
    let (house, _) = house().await;
    let rp1 = Application::rp1(&house);
    let redemption = rp1.asks().redemption("no code");
    for (check, client, proof) in [
        ("secret", "rp1", Proof::Basic("wrong".into())),
        ("method", "rp1", Proof::Post(RP1_SECRET.into())),
        ("unknown_client", "nobody", Proof::Basic(RP1_SECRET.into())),
    ] {
        let before = house.before().await;
        let answer = redemption.clone().by(&Application::new(&house, client, proof)).send().await;
        assert_eq!(answer.status, 401, "{check}");
        assert_eq!(check_of(&house, &before).await, check);
    }
}
