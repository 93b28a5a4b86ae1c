//! What an issuer publishes of itself: the plan for configurations, and what the others look up there.

use std::collections::BTreeSet;

use behalf::protocol::jose::JwkSet;
use serde_json::{Value, json};

use crate::house::broker::{House, Plan};
use crate::house::visitor::{Answer, Visitor};

/// Names that the registry of authorization server metadata knows (RFC 8414, section 7.1), of those that are published here.
const REGISTERED: &str = "\
    acr_values_supported authorization_endpoint authorization_response_iss_parameter_supported \
    authorization_signing_alg_values_supported backchannel_logout_session_supported \
    backchannel_logout_supported claim_types_supported claims_parameter_supported claims_supported \
    code_challenge_methods_supported device_authorization_endpoint dpop_signing_alg_values_supported \
    end_session_endpoint frontchannel_logout_session_supported frontchannel_logout_supported \
    grant_types_supported id_token_signing_alg_values_supported introspection_endpoint \
    introspection_endpoint_auth_methods_supported \
    introspection_endpoint_auth_signing_alg_values_supported introspection_signing_alg_values_supported \
    issuer jwks_uri prompt_values_supported pushed_authorization_request_endpoint registration_endpoint \
    request_object_signing_alg_values_supported request_parameter_supported \
    request_uri_parameter_supported require_pushed_authorization_requests \
    require_request_uri_registration require_signed_request_object response_modes_supported \
    response_types_supported revocation_endpoint revocation_endpoint_auth_methods_supported \
    revocation_endpoint_auth_signing_alg_values_supported scopes_supported subject_types_supported \
    token_endpoint token_endpoint_auth_methods_supported \
    token_endpoint_auth_signing_alg_values_supported ui_locales_supported userinfo_endpoint \
    userinfo_signing_alg_values_supported";

pub async fn metadata(house: &House) -> Answer {
    let answer = Visitor::arrives().get(&format!("{}/.well-known/openid-configuration", house.url)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("application/json"));
    answer
}

/// A list of texts, which must be one.
fn texts<'a>(metadata: &'a Value, name: &str) -> Vec<&'a str> {
    let list = metadata[name].as_array().unwrap_or_else(|| panic!("{name}: {metadata}"));
    assert!(!list.is_empty(), "{name}");
    list.iter().map(|one| one.as_str().unwrap()).collect()
}

#[tokio::test]
async fn s2_24_an_issuer_says_all_that_a_client_must_know() {
    // As it is reached from outside: whoever speaks TLS before it.
    let plan = Plan {
        settings: |config| config.server.public_url = Some("https://login.example.com".parse().unwrap()),
        ..Plan::default()
    };
    let house =
        plan.with("slug = \"default\"\n", "slug = \"default\"\ndynamic_registration = true\n").build().await;
    let address = format!("http://{}/.well-known/openid-configuration", house.broker.config.server.listen);
    let answer = Visitor::arrives()
        .request(reqwest::Method::GET, &address, |request| request.header("host", "login.example.com"))
        .await;
    let metadata = answer.json();
    assert_eq!(metadata["issuer"], json!("https://login.example.com"));
    let endpoints: Vec<_> = metadata
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri")
        .collect();
    assert!(endpoints.len() >= 10, "{endpoints:?}");
    for (name, value) in endpoints {
        assert!(value.as_str().unwrap().starts_with("https://login.example.com/"), "{name}: {value}");
    }
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "registration_endpoint",
        "end_session_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        assert!(metadata[name].is_string(), "{name}");
    }
    // One name of our own: the modules warn of it.
    let known: Vec<_> = REGISTERED.split(' ').collect();
    let unknown: Vec<_> =
        metadata.as_object().unwrap().keys().filter(|name| !known.contains(&name.as_str())).collect();
    assert_eq!(unknown, ["organization_parameter_supported"]);
    let has = |name: &str, value: &str| assert!(texts(&metadata, name).contains(&value), "{name}: {value}");
    for (name, value) in [
        ("response_types_supported", "code"),
        ("response_modes_supported", "form_post"),
        ("grant_types_supported", "authorization_code"),
        ("grant_types_supported", "refresh_token"),
        ("subject_types_supported", "public"),
        ("subject_types_supported", "pairwise"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("userinfo_signing_alg_values_supported", "RS256"),
        ("request_object_signing_alg_values_supported", "RS256"),
        ("scopes_supported", "openid"),
        ("claims_supported", "sub"),
        ("code_challenge_methods_supported", "S256"),
        ("token_endpoint_auth_methods_supported", "client_secret_basic"),
        ("token_endpoint_auth_methods_supported", "client_secret_post"),
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
        // Of FAPI 2.0.
        ("id_token_signing_alg_values_supported", "ES256"),
        ("userinfo_signing_alg_values_supported", "ES256"),
        ("token_endpoint_auth_signing_alg_values_supported", "PS256"),
        ("token_endpoint_auth_signing_alg_values_supported", "ES256"),
        ("dpop_signing_alg_values_supported", "PS256"),
        ("dpop_signing_alg_values_supported", "ES256"),
    ] {
        has(name, value);
    }
    for name in [
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "claims_parameter_supported",
        "authorization_response_iss_parameter_supported",
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
    ] {
        assert_eq!(metadata[name], json!(true), "{name}");
    }
    assert_eq!(metadata["require_pushed_authorization_requests"], json!(false));
    for locale in texts(&metadata, "ui_locales_supported") {
        assert!(locale.len() == 2 && locale.bytes().all(|byte| byte.is_ascii_lowercase()), "{locale}");
    }
    for scope in texts(&metadata, "scopes_supported") {
        assert!(scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte)), "{scope}");
    }
    // Nobody has an address or a telephone number here, and nobody is promised one.
    for none in ["address", "phone"] {
        assert!(!texts(&metadata, "scopes_supported").contains(&none));
    }
}

#[tokio::test]
async fn s2_24_the_published_keys_are_public_named_and_long_enough() {
    let house = House::opens().await;
    let published = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await;
    assert!(JwkSet::parse(published.body.as_bytes()).is_ok());
    let keys = published.json()["keys"].as_array().unwrap().clone();
    let names: BTreeSet<_> = keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), keys.len(), "each by a name of its own");
    for key in &keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(key.get(private), None, "{private}");
        }
        assert_eq!(key["use"], json!("sig"));
        if key["kty"] == json!("RSA") {
            let modulus =
                data_encoding::BASE64URL_NOPAD.decode(key["n"].as_str().unwrap().as_bytes()).unwrap();
            assert!(modulus.len() >= 256, "2048 bits");
        }
    }
}

#[tokio::test]
async fn h18_when_keys_are_rotated_the_new_ones_are_published_beside_the_old() {
    let house = House::opens().await;
    let kids = async || -> BTreeSet<String> {
        let keys = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await.json();
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let before = kids().await;
    let project =
        behalf::store::durable::projects::by_slug(&mut &house.broker.db, "default").await.unwrap().unwrap();
    house.broker.keyring.rotate(project.id, None, false).await.unwrap();
    house.turn_clock(61);
    let after = kids().await;
    assert!(after.is_superset(&before) && after.len() > before.len(), "{before:?} {after:?}");
}

#[tokio::test]
async fn s2_24_no_answer_carries_a_token_so_no_plan_that_needs_one_there_is_passed() {
    let house = House::opens().await;
    let metadata = metadata(&house).await.json();
    // What the dynamic plan wants to see besides: `id_token`, `token id_token`, and the grant type `implicit`.
    assert_eq!(texts(&metadata, "response_types_supported"), ["code"]);
    assert!(!texts(&metadata, "grant_types_supported").contains(&"implicit"));
}
