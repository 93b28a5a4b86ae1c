//! C01: an identity provider asserts an address that is not its organization's.

use serde_json::json;

use crate::house::application::{Application, Person};
use crate::house::broker::{Before, House, Plan};
use crate::house::lying_idp::Says;

/// A login at the connection of A, whose provider says this: refused, and nothing came of it.
async fn is_refused(house: &House, says: Says, reason: &str, what: &str) {
    house.idp_a.says(says);
    let before: Before = house.before().await;
    let ask = Application::rp1(house).asks().with("login_hint", "ann@a.test");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    let unreadable = reason == "token_answer_malformed";
    assert_eq!(arrival.status(), if unreadable { 401 } else { 403 }, "{what}: {}", arrival.told());
    assert!(!arrival.answer.body.contains("b.test"), "{what}: the page repeats what was asserted");
    house.refused(&before, reason).await;
}

/// Asks the UserInfo endpoint whatever the ID token says.
fn asking_twice() -> Plan {
    let jit = "jit = \"create_and_join\"";
    Plan::default().with(jit, "jit = \"create_and_join\"\nalways_userinfo = true")
}

const REFUSED: &str = "email_domain_not_allowed";

#[tokio::test]
async fn s2_14_c01_a_provider_cannot_assert_an_address_of_another_organization() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let of_bob = rp1.asks();
    let bob = Person::new("bob@b.test").follows(&of_bob).await;
    let bob = of_bob.redeems(&bob).await;

    let truth = || Says::that("x", "ann@a.test");
    for (what, says) in [
        ("in the ID token", Says::that("x", "ceo@b.test")),
        ("of a known user", Says::that("x", "bob@b.test")),
        ("in other letters", Says::that("x", "CEO@B.TEST")),
        ("in a domain of nobody", Says::that("x", "x@nobody.test")),
        ("in a subdomain", Says::that("x", "x@dev.a.test")),
        ("in a domain that ends alike", Says::that("x", "x@evila.test")),
        ("in a domain that begins alike", Says::that("x", "x@a.test.b.test")),
        ("with a dot at the end", Says::that("x", "ceo@a.test.")),
        ("with two signs", Says::that("x", "ceo@b.test@a.test")),
        ("quoted", Says::that("x", "\"ceo@b.test\"@a.test")),
        ("with a NUL", Says::that("x", "ceo@b.test\0@a.test")),
        ("full-width", Says::that("x", "ceo@ａ.test")),
        ("in UserInfo alone", truth().without("email").userinfo("email", "\"ceo@b.test\"")),
        ("nowhere", truth().without("email").without_userinfo("email")),
        ("empty", truth().claim("email", "\"\"").userinfo("email", "\"\"")),
        ("null", truth().claim("email", "null").without_userinfo("email")),
        (
            "as preferred_username",
            truth().without("email").without_userinfo("email").claim("preferred_username", "\"bob@b.test\""),
        ),
        ("as upn", truth().without("email").without_userinfo("email").claim("upn", "\"bob@b.test\"")),
        (
            "as upn of its own",
            truth().without("email").without_userinfo("email").claim("upn", "\"ann@a.test\""),
        ),
    ] {
        is_refused(&house, says, REFUSED, what).await;
    }
    // Said in another shape or twice, the token as a whole is refused.
    for (what, email) in [
        ("as a list", "[\"ann@a.test\",\"bob@b.test\"]"),
        ("as an object", "{\"value\":\"ann@a.test\"}"),
        ("as a number", "1"),
    ] {
        is_refused(&house, truth().claim("email", email), "token_answer_malformed", what).await;
    }
    is_refused(&house, truth().claim_again("email", "\"ceo@b.test\""), "token_answer_malformed", "twice")
        .await;

    let again = rp1.asks();
    let arrival = Person::new("bob@b.test").follows(&again).await;
    let again = again.redeems(&arrival).await;
    assert_eq!((&again.id["sub"], &again.id["organizations"]), (&bob.id["sub"], &bob.id["organizations"]));
    assert_eq!(house.count("users").await, 1);
}

#[tokio::test]
async fn c01_id_token_and_userinfo_must_not_contradict_each_other() {
    let house = asking_twice().build().await;
    let truth = || Says::that("x", "ann@a.test");
    for (what, says) in [
        ("another's address", truth().userinfo("email", "\"ceo@b.test\"")),
        ("the other way round", Says::that("x", "ceo@b.test").userinfo("email", "\"ann@a.test\"")),
        ("a colleague's", truth().userinfo("email", "\"eve@a.test\"")),
        ("a list", truth().userinfo("email", "[\"ann@a.test\"]")),
    ] {
        is_refused(&house, says, REFUSED, what).await;
    }
    for (what, says, reason) in [
        ("another subject", truth().userinfo("sub", "\"y\""), "userinfo_sub_mismatch"),
        ("no subject", truth().without_userinfo("sub"), "userinfo_sub_mismatch"),
        ("a subject that is no text", truth().userinfo("sub", "[\"x\"]"), "userinfo_sub_mismatch"),
        ("a page", truth().userinfo_body("<html>"), "userinfo_malformed"),
        (
            "two subjects",
            truth().userinfo_body("{\"sub\":\"x\",\"sub\":\"x\",\"email\":\"ann@a.test\"}"),
            "userinfo_malformed",
        ),
    ] {
        is_refused(&house, says, reason, what).await;
    }
    house.idp_a.says(truth());
    let ask = Application::rp1(&house).asks();
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    assert_eq!(ask.redeems(&arrival).await.id["email"], json!("ann@a.test"));
    assert_eq!(house.idp_a.hits("/userinfo"), 10);
}

#[tokio::test]
async fn c01_a_domain_that_is_claimed_but_not_proved_gives_nothing() {
    let mut plan = Plan::default().and(
        r#"
[[domain]]
name = "z.test"
organization = "org-a"
connections = ["ca"]
use_for_routing = true
trust_email = true

[[domain]]
name = "unrouted.test"
organization = "org-a"
connections = ["ca"]
trust_email = true

[[domain]]
name = "elsewhere.test"
organization = "org-a"
trust_email = true
"#,
    );
    plan.unproved.push("z.test");
    let mut house = plan.build().await;
    // Its connections were taken away once it was routed.
    house.execute("UPDATE domains SET routing_since = 1 WHERE name = 'elsewhere.test'").await;
    for domain in ["z.test", "unrouted.test", "elsewhere.test"] {
        is_refused(&house, Says::that("z", &format!("eve@{domain}")), REFUSED, domain).await;
        let arrival = Person::new(&format!("eve@{domain}")).follows(&Application::rp1(&house).asks()).await;
        assert_eq!(arrival.status(), 422, "{domain} is not routed");
    }
    house.unproved.clear();
    house.prove_domains().await;
    let ask = Application::rp1(&house).asks();
    let arrival = Person::new("eve@z.test").follows(&ask).await;
    assert_eq!(arrival.status(), 403, "the provider still says eve of elsewhere.test");
    house.idp_a.says(Says::truth());
    let arrival = Person::new("eve@z.test").follows(&ask).await;
    assert_eq!(ask.redeems(&arrival).await.id["email"], json!("eve@z.test"));
    // What lapses takes the right away again, and the session's holder stays who they are.
    assert_eq!(house.execute("UPDATE domains SET state = 'lapsed' WHERE name = 'z.test'").await, 1);
    is_refused(&house, Says::that("sub-eve@z.test", "eve@z.test"), REFUSED, "lapsed").await;
}

#[tokio::test]
async fn c01_a_connection_of_nobody_cannot_assert_what_an_organization_holds() {
    let house = Plan::default()
        .with("claims = { idp = true }", "claims = { idp = true }\nconnections = [\"social\"]")
        .and(
            r#"
[connection.social]
type = "oidc"
display_name = "Social"
state = "active"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }
jit = "create_and_join"
"#,
        )
        .build()
        .await;
    let ask = Application::rp1(&house).asks().with("connection", "social");
    house.idp_b.says(Says::that("s", "ann@a.test"));
    let before = house.before().await;
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    assert_eq!(arrival.status(), 403);
    house.refused(&before, REFUSED).await;
    // Nor while that organization is shut down.
    assert_eq!(house.execute("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-a'").await, 1);
    let before = house.before().await;
    assert_eq!(Person::new("ann@a.test").follows(&ask).await.status(), 403);
    house.refused(&before, REFUSED).await;
    // Another address is a user, but not one whose address is proved, whatever the provider says.
    house.idp_b.says(Says::that("s", "dan@mail.test"));
    let arrival = Person::new("dan@mail.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    assert_eq!((&tokens.id["email"], &tokens.id["email_verified"]), (&json!("dan@mail.test"), &json!(false)));
    assert_eq!(house.count("memberships").await, 0);
}
