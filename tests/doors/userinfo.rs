//! UserInfo as a JWT of ours (OpenID Connect Core, section 5.3.2).

use behalf::protocol::jose::{Algorithm, JwkSet, Jws, Typ};
use serde_json::{Value, json};

use crate::house::application::{Application, Person, Proof, Tokens};
use crate::house::broker::{House, Plan};
use crate::house::visitor::{Answer, Visitor};

async fn house(algorithm: &str) -> House {
    let line = format!("userinfo_signed_response_alg = \"{algorithm}\"\n");
    Plan::default().with("[application.rp1]\n", &format!("[application.rp1]\n{line}")).build().await
}

async fn tokens(application: &Application) -> Tokens {
    let ask = application.asks();
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    ask.redeems(&arrival).await
}

async fn verified(house: &House, answer: &Answer, algorithm: Algorithm) -> Value {
    let keys = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await;
    let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
    let jws = Jws::parse(&answer.body).unwrap();
    let claims = jws.verify_bytes(&keys, &[algorithm], Typ::Jwt).unwrap();
    serde_json::from_slice(claims.get()).unwrap()
}

#[tokio::test]
async fn userinfo_is_signed_for_the_application_that_wants_it_so() {
    for (name, algorithm) in
        [("RS256", Algorithm::RS256), ("ES256", Algorithm::ES256), ("EdDSA", Algorithm::EdDSA)]
    {
        let house = house(name).await;
        let rp1 = Application::rp1(&house);
        let tokens = tokens(&rp1).await;
        let answer = rp1.userinfo(&tokens.access_token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/jwt"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let claims = verified(&house, &answer, algorithm).await;
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(house.url), &json!("rp1")));
        assert_eq!((&claims["sub"], &claims["email"]), (&tokens.id["sub"], &json!("ann@a.test")));
        assert_eq!(claims["org_id"], tokens.id["org_id"]);
        // Another application of the project is answered as it wants.
        let other = Application::rp2(&house);
        let told = other.userinfo(&self::tokens(&other).await.access_token).await;
        assert_eq!(told.header("content-type"), Some("application/json"));
        assert_eq!(told.json().get("iss"), None);
        // What is refused is told as ever.
        assert_eq!(rp1.userinfo("x").await.json()["error"], "invalid_token");
    }
}

#[tokio::test]
async fn m05_signed_userinfo_is_no_token() {
    let house = house("RS256").await;
    let rp1 = Application::rp1(&house);
    let held = tokens(&rp1).await;
    let signed = rp1.userinfo(&held.access_token).await.body;
    assert_eq!(rp1.userinfo(&signed).await.status, 401);
    let told = rp1.posts("/introspect", &[("token", &signed)]).send().await;
    assert_eq!(told.json(), json!({ "active": false }));
    // Nor is it taken for an ID token there: it is nothing that anybody gave out to be revoked.
    let revoked = rp1.posts("/revoke", &[("token", &signed)]).send().await;
    assert_eq!((revoked.status.as_u16(), revoked.body.as_str()), (200, ""));
    // It names no session, so it proves to nobody whose that is.
    let mut ann = Visitor::arrives();
    let before = house.before().await;
    let asked = ann.get(&format!("{}/logout?id_token_hint={signed}", house.url)).await;
    assert_eq!(asked.status, 400, "{}", asked.body);
    house.unchanged(&before).await;
    let silent = rp1.asks().with("prompt", "none").with("id_token_hint", &signed);
    let arrival = Person::new("ann@a.test").follows(&silent).await;
    assert_eq!(arrival.error().0, "invalid_request", "{}", arrival.told());
    let assertion = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", signed.as_str()),
        ("grant_type", "client_credentials"),
    ];
    let answer = Application::new(&house, "rp1", Proof::Nothing).posts("/token", &assertion).send().await;
    assert!(
        answer.status.is_client_error() && answer.json().get("access_token").is_none(),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn userinfo_is_signed_by_what_tokens_can_be_signed_with_alone() {
    let house = House::opens().await;
    let operator = crate::house::api::Api::operator(&house).await;
    let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
    let path = format!("/applications/{id}");
    for wrong in ["none", "HS256", "PS256", "rs256"] {
        let before = house.before().await;
        let refused = operator.patch(&path, json!({"userinfo_signed_response_alg": wrong})).await;
        assert!(matches!(refused.status.as_u16(), 400 | 422), "{wrong}: {}", refused.body);
        house.unchanged(&before).await;
        let file = house.file.replace(
            "[application.rp1]\n",
            &format!("[application.rp1]\nuserinfo_signed_response_alg = \"{wrong}\"\n"),
        );
        assert!(house.tries(&file).await.is_err(), "{wrong}");
    }
    operator.patch(&path, json!({"userinfo_signed_response_alg": "ES256"})).await;
    let plain = operator.patch(&path, json!({"userinfo_signed_response_alg": null})).await;
    assert_eq!(plain.json()["userinfo_signed_response_alg"], Value::Null, "{}", plain.body);
    let discovery = Visitor::arrives().get(&format!("{}/.well-known/openid-configuration", house.url)).await;
    assert_eq!(discovery.json()["userinfo_signing_alg_values_supported"], json!(["RS256", "ES256", "EdDSA"]));
}
