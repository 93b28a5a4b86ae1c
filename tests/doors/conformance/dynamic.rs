//! The dynamic plan: clients register themselves, each for one story, and prove who they are by keys of their own.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256};
use behalf::protocol::jose::{Algorithm, JwkSet, Jws, SigningKey, Typ};
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::party::{Mode, Party, is_error_page, machine_error, source};
use crate::house::api::Api;
use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{House, Plan};
use crate::house::publisher::Publisher;
use crate::house::visitor::{Answer, Visitor};

const CALLBACK: &str = "https://suite.test/callback";

/// Where clients register themselves, and the operator's token by which they do.
struct Registry {
    house: House,
    token: String,
}

async fn registry() -> Registry {
    let plan =
        Plan::default().with("slug = \"default\"\n", "slug = \"default\"\ndynamic_registration = true\n");
    let house = plan.build().await;
    let body = json!({ "name": "suite", "most_uses": 100, "types": ["web"],
        "scopes": ["openid", "profile", "email", "offline_access"] });
    let made = Api::operator(&house).await.post("/registration-tokens", body).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    Registry { house, token }
}

async fn sends(method: Method, url: &str, bearer: &str, body: Option<&Value>) -> Answer {
    let dress = |request: reqwest::RequestBuilder| {
        let request = request.bearer_auth(bearer);
        match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        }
    };
    Visitor::arrives().request(method, url, dress).await
}

fn rsa(kid: &str) -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(Algorithm::RS256, kid).unwrap())
}

fn set(key: &SigningKey) -> Value {
    json!({ "keys": [key.public_jwk()] })
}

/// A key as the plans make it: without a name, in the set and in what it signs.
struct Unnamed(RsaKeyPair);

impl Unnamed {
    fn new() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn set(&self) -> Value {
        let public = self.0.public_key();
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let (n, e) = (public.modulus(), public.exponent());
        let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
        json!({ "keys": [{ "kty": "RSA", "alg": "RS256", "use": "sig", "n": text(n), "e": text(e) }] })
    }

    fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", part(&json!({ "alg": "RS256" })), part(claims));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

/// What the plans register: a web client with a key.
fn request(jwks: &Value) -> Value {
    json!({
        "client_name": "suite",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "jwks": jwks,
        "token_endpoint_auth_method": "private_key_jwt",
        "redirect_uris": [CALLBACK],
        "contacts": ["certification@suite.test"],
    })
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

impl Registry {
    async fn registers(&self, body: &Value) -> Answer {
        sends(Method::POST, &format!("{}/register", self.house.url), &self.token, Some(body)).await
    }

    /// A client that is registered; what it is told, and as what it goes on.
    async fn client(&self, key: &Arc<SigningKey>, body: &Value) -> (Value, Application) {
        let answer = self.registers(body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
        let told = answer.json();
        assert!(told["registration_client_uri"].is_string() && told["registration_access_token"].is_string());
        assert!(told.get("client_secret").is_none(), "it has a key: {told}");
        let proof = Proof::Key(Arc::clone(key));
        let mut own = Application::new(&self.house, told["client_id"].as_str().unwrap(), proof);
        own.redirect_uri = told["redirect_uris"][0].as_str().unwrap().to_owned();
        (told, own)
    }

    /// The end of each story: it unregisters itself.
    async fn ends(&self, told: &Value) {
        let (uri, token) = (&told["registration_client_uri"], &told["registration_access_token"]);
        let answer = sends(Method::DELETE, uri.as_str().unwrap(), token.as_str().unwrap(), None).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
}

fn ann() -> Person {
    Person::new("ann@a.test")
}

#[tokio::test]
async fn m07_a_client_with_a_key_registers_signs_somebody_in_and_ends_itself() {
    let registry = registry().await;
    let key = rsa("suite");
    for more in [json!({}), json!({ "id_token_signed_response_alg": "RS256" })] {
        let (told, own) = registry.client(&key, &with(request(&set(&key)), &more)).await;
        let party = Party::new(&registry.house, own, Mode::Query);
        let ask = party.asks();
        let got = party.signs_in(&mut ann(), &ask).await;
        assert_eq!(got.tokens.algorithm, Algorithm::RS256);
        party.userinfo(Method::GET, &got.tokens.access_token).await;
        registry.ends(&told).await;
    }
}

#[tokio::test]
async fn m07_an_assertion_is_for_the_issuer_or_for_the_token_endpoint() {
    let (registry, key) = (registry().await, Unnamed::new());
    let (_, own) = registry.client(&rsa("another"), &request(&key.set())).await;
    let party = Party::new(&registry.house, own, Mode::Query);
    let (issuer, now) = (registry.house.url.clone(), registry.house.clock.now().seconds());
    for (number, aud) in [issuer.clone(), format!("{issuer}/token")].into_iter().enumerate() {
        let ask = party.asks();
        let callback = party.sends(&mut ann(), &ask).await;
        let client = &party.application.client_id;
        let claims = json!({ "iss": client, "sub": client, "aud": aud, "jti": format!("jti {number}"),
            "nbf": now, "iat": now, "exp": now + 60 });
        let redemption = party
            .redemption(&ask, &callback["code"])
            .with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .with("client_assertion", &key.sign(&claims));
        party.looks_at(&ask, redemption.send().await).await;
    }
}

#[tokio::test]
async fn s2_24_userinfo_is_signed_for_who_wants_it_so() {
    let registry = registry().await;
    let key = rsa("suite");
    let body = with(request(&set(&key)), &json!({ "userinfo_signed_response_alg": "RS256" }));
    let (_, own) = registry.client(&key, &body).await;
    let party = Party::new(&registry.house, own, Mode::Query);
    let got = party.signs_in(&mut ann(), &party.asks()).await;
    let answer = party.application.userinfo(&got.tokens.access_token).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/jwt")));
    let keys = Visitor::arrives().get(&format!("{}/jwks.json", registry.house.url)).await;
    let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
    let jws = Jws::parse(&answer.body).unwrap();
    let payload = jws.verify_bytes(&keys, &[Algorithm::RS256], Typ::Jwt).unwrap();
    let claims: Map<String, Value> = serde_json::from_slice(payload.get()).unwrap();
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(registry.house.url), &json!(party.application.client_id))
    );
    assert_eq!((&claims["sub"], claims.get("nonce")), (&got.tokens.id["sub"], None));
}

#[tokio::test]
async fn c26_m07_a_redirect_uri_is_the_registered_one_with_its_query() {
    let registry = registry().await;
    let key = rsa("suite");
    let uri = format!("{CALLBACK}?foo=bar");
    let body = with(request(&set(&key)), &json!({ "redirect_uris": [uri] }));
    let (_, own) = registry.client(&key, &body).await;
    let party = Party::new(&registry.house, own, Mode::Query);
    let ask = party.asks();
    let callback = party.sends(&mut ann(), &ask).await;
    assert_eq!(callback["foo"], "bar");
    party.redeems(&ask, &callback).await;
    // Another query, and one where none is registered.
    is_error_page(
        &Visitor::arrives().get(&ask.with("redirect_uri", &format!("{CALLBACK}?bar=foo")).url()).await,
    );
    let two = json!({ "redirect_uris": [CALLBACK, "https://suite.test/callback2"] });
    let (_, own) = registry.client(&key, &with(request(&set(&key)), &two)).await;
    let ask = Party::new(&registry.house, own, Mode::Query).asks();
    is_error_page(
        &Visitor::arrives()
            .get(&ask.clone().with("redirect_uri", &format!("{CALLBACK}?foo=bar")).url())
            .await,
    );
    // With two of them, and with one, a request says which.
    is_error_page(&Visitor::arrives().get(&ask.without("redirect_uri").url()).await);
}

#[tokio::test]
async fn c26_m07_a_redirect_uri_with_a_fragment_cannot_be_registered() {
    let registry = registry().await;
    let key = rsa("suite");
    let body = with(request(&set(&key)), &json!({ "redirect_uris": [format!("{CALLBACK}#foobar")] }));
    assert_eq!(machine_error(&registry.registers(&body).await, &[400]), "invalid_redirect_uri");
}

#[tokio::test]
async fn h26_people_see_whose_sign_in_it_is_and_what_it_promises() {
    let registry = registry().await;
    let key = rsa("suite");
    let body = with(
        request(&set(&key)),
        &json!({ "logo_uri": "https://suite.test/images/logo.png", "policy_uri": "https://suite.test/login.html",
            "tos_uri": "https://terms.test/" }),
    );
    let (told, own) = registry.client(&key, &body).await;
    for name in ["logo_uri", "policy_uri", "tos_uri"] {
        assert_eq!(told[name], body[name], "{name}");
    }
    let party = Party::new(&registry.house, own, Mode::Query);
    let page = Visitor::arrives().get(&party.asks().url()).await;
    let id = registry.house.text("SELECT id FROM applications WHERE display_name = 'suite'").await.unwrap();
    assert!(source(&page).contains(&format!("src=\"/assets/logo/{id}\"")), "{}", page.body);
    assert!(!source(&page).contains("images/logo.png"), "nobody's browser asks there");
    for link in ["https://suite.test/login.html", "https://terms.test/"] {
        assert!(source(&page).contains(&format!("href=\"{link}\"")), "{link}: {}", page.body);
    }
    // There always is a picture; nothing of an application that is gone.
    let logo = format!("{}/assets/logo/{id}", registry.house.url);
    assert_eq!(Visitor::arrives().get(&logo).await.status, 200);
    registry.ends(&told).await;
    assert_eq!(Visitor::arrives().get(&logo).await.status, 404);
    // Another one's picture is not shown.
    let foreign = with(request(&set(&key)), &json!({ "logo_uri": "https://bank.test/logo.png" }));
    let (told, own) = registry.client(&key, &foreign).await;
    assert_eq!(told.get("logo_uri"), None);
    let page = Visitor::arrives().get(&Party::new(&registry.house, own, Mode::Query).asks().url()).await;
    assert!(!page.body.contains("about-logo"), "{}", page.body);
}

#[tokio::test]
async fn m07_h20_a_client_may_publish_its_keys_and_change_them() {
    let registry = registry().await;
    let (first, second) = (rsa("one"), rsa("two"));
    let place = Publisher::of(json!({ "keys": [first.public_jwk()] }).to_string()).await;
    let mut body = with(
        request(&json!(null)),
        &json!({ "jwks_uri": place.url, "grant_types": ["authorization_code", "refresh_token"] }),
    );
    body.as_object_mut().unwrap().remove("jwks");
    let (_, own) = registry.client(&first, &body).await;
    let party = Party::new(&registry.house, own, Mode::Query);
    let ask = party.asks().with("scope", "openid offline_access").with("prompt", "consent");
    let got = party.signs_in(&mut ann(), &ask).await;
    place.says(json!({ "keys": [second.public_jwk()] }).to_string());
    registry.house.turn_clock(60);
    let renewed = party.application.clone().proving(Proof::Key(second));
    let refresh = renewed.refreshes(got.tokens.refresh()).on(registry.house.clock.now().seconds());
    let answer = refresh.with("scope", "openid offline_access").send().await;
    party.is_token_answer(&answer);
    let again = ask.reads_again(&answer).await;
    assert_eq!(again.id["sub"], got.tokens.id["sub"]);
    party.userinfo(Method::GET, &again.access_token).await;
}

#[tokio::test]
async fn s2_24_a_sector_lists_the_redirect_uris_of_its_clients() {
    let registry = registry().await;
    let key = rsa("suite");
    let place = Publisher::of(json!([CALLBACK]).to_string()).await;
    let pairwise = json!({ "subject_type": "pairwise", "sector_identifier_uri": place.url });
    let body = with(request(&set(&key)), &pairwise);
    let (told, _) = registry.client(&key, &body).await;
    assert_eq!(told["subject_type"], json!("pairwise"));
    place.says(json!(["https://other.test/callback"]).to_string());
    assert_eq!(machine_error(&registry.registers(&body).await, &[400]), "invalid_client_metadata");
}

#[tokio::test]
async fn m21_a_signed_request_is_fetched_from_an_address_with_a_hash() {
    let registry = registry().await;
    let key = rsa("suite");
    let place = Publisher::of(String::new()).await;
    let uri = format!("{}#47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", place.url);
    let more = json!({ "request_uris": [uri], "request_object_signing_alg": "RS256" });
    let (told, own) = registry.client(&key, &with(request(&set(&key)), &more)).await;
    assert_eq!(told["request_uris"], json!([uri]));
    let party = Party::new(&registry.house, own, Mode::Query);
    let ask = party.asks();
    // As the plan signs it: without an end, for it is what is there now.
    let mut claims = ask.claims(0);
    claims.as_object_mut().unwrap().remove("exp");
    place.says(key.sign_jwt("JWT", &claims).unwrap());
    let query = [
        ("client_id", party.application.client_id.as_str()),
        ("response_type", "code"),
        ("scope", "openid"),
        ("request_uri", &uri),
    ];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let url = format!("{}/authorize?{query}", registry.house.url);
    let arrival = ann().opens(&ask, &url).await;
    let callback = party.told(&arrival);
    assert_eq!(callback.get("state").map(String::as_str), ask.value("state"), "{}", arrival.told());
    party.redeems(&ask, &callback).await;
    // Another hash is another address.
    let other = format!("{}#x", place.url);
    is_error_page(&Visitor::arrives().get(&ask.only("request_uri", &other)).await);
    // What a request brings along itself has an end, as ever.
    let object = key.sign_jwt("JWT", &claims).unwrap();
    is_error_page(&Visitor::arrives().get(&ask.only("request", &object)).await);
    // What is there may have run out, too.
    claims["exp"] = json!(registry.house.clock.now().seconds() - 31);
    place.says(key.sign_jwt("JWT", &claims).unwrap());
    is_error_page(&Visitor::arrives().get(&ask.only("request_uri", &uri)).await);
}

#[tokio::test]
async fn h21_m07_who_registers_to_stay_may_stay() {
    let registry = registry().await;
    let key = rsa("suite");
    let refreshing = json!({ "grant_types": ["authorization_code", "refresh_token"] });
    let body = with(request(&set(&key)), &refreshing);
    let (told, own) = registry.client(&key, &body).await;
    assert!(told["scope"].as_str().unwrap().split(' ').any(|one| one == "offline_access"), "{told}");
    let (_, other) = registry.client(&key, &body).await;
    let party = Party::new(&registry.house, own, Mode::Query);
    let scope = "openid offline_access";
    let ask = party.asks().with("scope", scope).with("prompt", "consent");
    let got = party.signs_in(&mut ann(), &ask).await;
    registry.house.turn_clock(1);
    let now = registry.house.clock.now().seconds();
    let answer = party.application.refreshes(got.tokens.refresh()).with("scope", scope).on(now).send().await;
    party.is_token_answer(&answer);
    let again = ask.reads_again(&answer).await;
    let foreign = other.refreshes(again.refresh()).on(now).send().await;
    assert_eq!(machine_error(&foreign, &[400]), "invalid_grant");
    // Who does not refresh has no use for it.
    let (told, _) = registry.client(&key, &request(&set(&key))).await;
    assert!(!told["scope"].as_str().unwrap().contains("offline_access"), "{told}");
}
