//! C11 by SAML: one provider's answer at another connection.

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says, Signs, posts_to};
use crate::house::surgery::swap_all;

async fn two() -> House {
    Plan::saml().with_saml("ca", "").build().await
}

async fn is_refused(
    house: &House,
    person: &mut Person,
    acs: &str,
    state: Option<&str>,
    xml: &str,
    reasons: &[&str],
) {
    let before = house.before().await;
    let answer = posts_to(&mut person.browser, acs, state, xml).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    house.refused_for_one_of(&before, reasons).await;
}

#[tokio::test]
async fn c11_a_flow_to_one_connection_takes_no_answer_of_another_ones_provider() {
    let house = two().await;
    let rp1 = Application::rp1(&house);
    let (ask, mut ann) = (rp1.asks(), Person::new("ann@a.test"));
    let at_a = ann.leaves_for(&house, "ca", &ask).await;
    let at_b = Person::new("bob@b.test").leaves_for(&house, "cb", &rp1.asks()).await;
    let state = at_a.relay_state.as_deref();
    for signs in Signs::ALL {
        let says = Says::that("ann@a.test").signing(signs);
        // What B's provider says to B; the same with the id of the flow at A; and what it would say if it were asked by A.
        let genuine = house.saml("cb").answers(&at_b, &says);
        let for_flow = house.saml("cb").answers_after(&at_b, &says, |xml| swap_all(&xml, &at_b.id, &at_a.id));
        let for_a = house.saml("cb").answers(&at_a, &says);
        let as_a = house.saml("cb").answers_after(&at_a, &says, |xml| {
            swap_all(&xml, &house.saml("cb").entity_id, &house.saml("ca").entity_id)
        });
        let by_another = ["signature_invalid", "issuer_response", "destination"];
        for xml in [&genuine, &for_flow, &for_a, &as_a] {
            is_refused(&house, &mut ann, &at_a.acs, state, xml, &by_another).await;
        }
        let at_other = ["relay_state", "in_response_to", "destination", "issuer_response", "audience"];
        for xml in [&for_flow, &for_a] {
            is_refused(&house, &mut ann, &at_b.acs, state, xml, &at_other).await;
        }
        is_refused(&house, &mut ann, &at_b.acs, state, &genuine, &["relay_state"]).await;
    }
    // A's own provider's answer to A's own flow, at B's address.
    let own = house.saml("ca").answers(&at_a, &Says::that("ann@a.test"));
    is_refused(&house, &mut ann, &at_b.acs, state, &own, &["issuer_response"]).await;
    let arrival = ann.returns(&ask, &at_a, own).await;
    assert_eq!(ask.redeems(&arrival).await.id["org_name"], "org-a");
}

#[tokio::test]
async fn c11_no_address_but_a_saml_connections_own_takes_an_answer() {
    let house = Plan::saml().build().await;
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
    let oidc = house.connection("ca").await;
    for other in [oidc.as_str(), "conn_00000000000000000000000000", "nonsense", "cb"] {
        let acs = format!("{}/saml/{other}/acs", house.url);
        let before = house.before().await;
        let answer = posts_to(&mut bob.browser, &acs, asked.relay_state.as_deref(), &xml).await;
        assert_eq!(answer.status, 403, "{other}: {}", answer.body);
        house.refused(&before, "connection").await;
    }
    let arrival = bob.returns(&ask, &asked, xml).await;
    ask.redeems(&arrival).await;
}

#[tokio::test]
async fn c11_a_name_that_is_qualified_for_somebody_else_is_not_ours() {
    let house = Plan::saml().build().await;
    let idp = house.saml("cb");
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let qualified = |to: &str| {
        let mut says = Says::that("bob@b.test");
        says.name_id.sp_name_qualifier = Some(to.to_owned());
        idp.answers(&asked, &says)
    };
    let connection = house.connection("cb").await;
    for other in [
        format!("http://evil/{connection}/x"),
        format!("https://evil.test/saml/{connection}/metadata"),
        format!("{}x", asked.sp),
        connection,
        asked.acs.clone(),
        asked.sp.to_uppercase(),
    ] {
        let state = asked.relay_state.as_deref();
        is_refused(&house, &mut bob, &asked.acs, state, &qualified(&other), &["name_qualifier"]).await;
    }
    let arrival = bob.returns(&ask, &asked, qualified(&asked.sp)).await;
    ask.redeems(&arrival).await;
}

const OF_C: &str = r#"
[[domain]]
name = "d.test"
organization = "org-c"
connections = ["cd"]
use_for_routing = true
trust_email = true

[connection.cd]
organization = "org-c"
type = "oidc"
display_name = "D Login"
state = "active"
jit = "create_and_join"
"#;

#[tokio::test]
async fn c11_two_organizations_may_name_the_same_entity_and_share_nobody() {
    let plan = Plan::saml().and(OF_C);
    let mut twin = LyingSamlIdp::new("cd", plan.clock.clone());
    twin.entity_id.clone_from(&plan.saml["cb"].entity_id);
    let house = plan.with_saml_of("cd", twin, "").build().await;
    let rp1 = Application::rp1(&house);
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let arrival = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await;
    let tokens = ask.redeems(&arrival).await;

    // D's provider has the same entity id and a key of its own: it is nobody at cb.
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let forged = house.saml("cd").answers(&asked, &Says::that("bob@b.test"));
    is_refused(&house, &mut bob, &asked.acs, asked.relay_state.as_deref(), &forged, &["signature_invalid"])
        .await;

    // And the same name there is somebody else here.
    let (ask, mut dan) = (rp1.asks(), Person::new("bob@d.test"));
    let arrival = dan.signs_in_by(&house, "cd", &ask, &Says::that("bob@d.test")).await;
    let other = ask.redeems(&arrival).await;
    assert_ne!(other.id["sub"], tokens.id["sub"]);
    assert_eq!(other.id["org_name"], "org-c");
}
