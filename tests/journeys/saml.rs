//! Signing in by SAML: everything after the assertion is as it is with OpenID Connect.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_saml_idp::{Says, Signs};

fn set(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

async fn house() -> House {
    Plan::saml().build().await
}

#[tokio::test]
async fn s3_34_bob_signs_in_by_saml_and_gets_the_same_tokens_as_by_openid_connect() {
    let house = house().await;
    let (rp1, mut bob) = (Application::rp1(&house), Person::new("bob@b.test"));
    let ask = rp1.asks();
    let arrival = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await;
    assert!(arrival.pages.is_empty(), "nobody asks anything more: {}", arrival.told());
    assert_eq!(arrival.told_application("state").as_deref(), ask.value("state"));

    let tokens = ask.redeems(&arrival).await;
    let b = house.organization("org-b").await;
    for claims in [&tokens.id, &tokens.access] {
        assert_eq!((&claims["org_id"], &claims["org_name"]), (&json!(b), &json!("org-b")));
        assert_eq!(claims["home_org_id"], Value::Null);
        assert!(set(&claims["roles"]).contains("owner"));
    }
    assert_eq!((&tokens.id["email"], &tokens.id["email_verified"]), (&json!("bob@b.test"), &json!(true)));
    assert_eq!((&tokens.id["name"], &tokens.id["amr"]), (&json!("bob"), &json!(["pwd"])));
    assert_eq!(tokens.id["idp"], json!(house.connection("cb").await));
    let facts = house.facts().await;
    for table in ["users", "identities", "memberships", "sessions", "grants"] {
        assert_eq!(facts.rows(table), 1, "{table}");
    }

    // He comes back as himself.
    let again = rp1.asks().with("prompt", "login");
    let arrival = bob.signs_in_by(&house, "cb", &again, &Says::that("bob@b.test")).await;
    assert_eq!(again.redeems(&arrival).await.id["sub"], tokens.id["sub"]);
    assert_eq!(house.facts().await.rows("users"), 1);
}

#[tokio::test]
async fn s3_34_whatever_is_signed_or_encrypted() {
    let house = house().await;
    for signs in Signs::ALL {
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let arrival = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test").signing(signs)).await;
        assert_eq!(ask.redeems(&arrival).await.id["org_name"], "org-b", "{signs:?}");
    }
}
