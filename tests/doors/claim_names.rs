//! S2-09: an application is told claims under names of its own.

use serde_json::{Value, json};

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_saml_idp::Says;

const ORGANIZATION: &str = "https://rp1.test/organization";

/// The claims of the file with a mapping, and a connection that says more than it is asked.
async fn house(mapping: &str, connection: &str) -> House {
    let claims = format!("claims = {{ idp = true, mapping = {{ {mapping} }} }}");
    Plan::default().with("claims = { idp = true }", &claims).with_saml("cb", connection).build().await
}

fn has(claims: &Value, name: &str) -> bool {
    claims.get(name).is_some()
}

#[tokio::test]
async fn s2_09_claims_stand_under_the_names_of_the_application_wherever_they_are_told() {
    let mapping = format!(
        "\"{ORGANIZATION}\" = \"org_id\", tenant = \"org_name\", company = \"org_display_name\", mail = \"email\", \
         groups = \"roles\", dept = \"department\", works_for = \"organizations\", org_id = \"org_id\""
    );
    let house = house(&mapping, "[connection.cb.claims]\ndepartment = \"ou\"\nunit = \"ou\"\n").await;
    let says = Says::that("bob@b.test").attribute("ou", &["sales"]);
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("scope", "openid profile email organizations roles");
    let arrival = Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &says).await;
    let tokens = ask.redeems(&arrival).await;
    let org = json!(house.organization("org-b").await);
    let userinfo = rp1.userinfo(&tokens.access_token).await.json();
    let introspected = rp1.posts("/introspect", &[("token", &tokens.access_token)]).send().await.json();
    for claims in [&tokens.id, &tokens.access, &userinfo, &introspected] {
        assert_eq!((&claims[ORGANIZATION], &claims["org_id"]), (&org, &org));
        assert_eq!((&claims["tenant"], &claims["company"]), (&json!("org-b"), &json!("B Corporation")));
        assert_eq!(claims["groups"], json!(["owner"]), "a list stays one");
        for gone in ["org_name", "org_display_name", "roles", "organizations", "email", "department"] {
            assert!(!has(claims, gone), "{gone}: {claims}");
        }
    }
    for claims in [&tokens.id, &tokens.access, &userinfo] {
        assert_eq!(claims["works_for"][0]["id"], org);
    }
    for claims in [&tokens.id, &userinfo] {
        assert_eq!((&claims["mail"], &claims["dept"]), (&json!("bob@b.test"), &json!("sales")));
        assert_eq!(claims["unit"], json!("sales"));
    }
    assert!(!has(&tokens.access, "mail") && !has(&tokens.access, "dept"), "they are about the person");
    assert_eq!(tokens.id["sub"], introspected["sub"], "what the protocol needs keeps its name");
}

#[tokio::test]
async fn s2_09_m17_what_is_asked_for_by_name_is_what_the_application_calls_so() {
    let house = house("mail = \"email\", tenant = \"org_id\"", "").await;
    let rp1 = Application::rp1(&house);
    let ask = rp1
        .asks()
        .with("scope", "openid")
        .with("claims", r#"{"id_token":{"mail":{"essential":true}},"userinfo":{"email":null}}"#);
    let says = Says::that("bob@b.test");
    let arrival = Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &says).await;
    let tokens = ask.redeems(&arrival).await;
    assert_eq!((&tokens.id["mail"], has(&tokens.id, "email")), (&json!("bob@b.test"), false));
    assert_eq!(rp1.userinfo(&tokens.access_token).await.json()["mail"], json!("bob@b.test"));
}

#[tokio::test]
async fn s2_09_a_provider_never_speaks_under_a_name_that_means_something_of_ours() {
    let said = "[connection.cb.claims]\nwhere = \"ou\"\ncompany_role = \"ou\"\n";
    let mapping = "where = \"org_id\", company_role = \"roles\", delegate = \"delegation_id\"";
    let house = house(mapping, &format!("{said}delegate = \"ou\"\n")).await;
    let says = Says::that("bob@b.test").attribute("ou", &["org_01aaaaaaaaaaaaaaaaaaaaaaaa"]);
    let rp1 = Application::rp1(&house);
    // No roles are asked for, and nobody is a delegate: nothing stands in their places.
    let ask = rp1.asks().with("scope", "openid profile");
    let arrival = Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &says).await;
    let tokens = ask.redeems(&arrival).await;
    let userinfo = rp1.userinfo(&tokens.access_token).await.json();
    let org = json!(house.organization("org-b").await);
    for claims in [&tokens.id, &userinfo] {
        assert_eq!(claims["where"], org);
        assert!(!has(claims, "company_role") && !has(claims, "delegate"), "{claims}");
    }
}

#[tokio::test]
async fn s2_09_the_whole_list_is_found_under_the_new_name() {
    let long = "é".repeat(40);
    let mut plan =
        Plan::default().with("claims = { idp = true }", "claims = { mapping = { all = \"organizations\" } }");
    for number in 0..80 {
        plan = plan.and(&format!("\n[organization.many-{number}]\ndisplay_name = \"{long} {number}\"\n"));
    }
    let house = plan.build().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("scope", "openid organizations").with("organization", "org-b");
    let mut bob = Person::new("bob@b.test");
    let user = ask.redeems(&bob.follows(&ask).await).await.id["sub"].as_str().unwrap().to_owned();
    for number in 0..80 {
        house.joins(user.parse().unwrap(), &format!("many-{number}"), &["member"]).await;
    }
    let tokens = ask.redeems(&bob.follows(&ask).await).await;
    assert_eq!(tokens.id["organizations_endpoint"], json!(format!("{}/userinfo", house.url)));
    let userinfo = rp1.userinfo(&tokens.access_token).await.json();
    assert_eq!(userinfo["all"].as_array().unwrap().len(), 81);
}
