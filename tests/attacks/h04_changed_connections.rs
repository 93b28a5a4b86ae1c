//! H04: a connection that is changed while somebody is away at it does not complete their login.

use crate::house::application::{Application, Person};
use crate::house::broker::{DEFAULT, House, Plan};

/// The default file with one text of the connection `ca` replaced.
fn changed(old: &str, new: &str) -> String {
    let (before, after) = DEFAULT.split_once("[connection.ca]").unwrap();
    assert!(after.contains(old), "{old}");
    format!("{before}[connection.ca]{}", after.replacen(old, new, 1))
}

#[tokio::test]
async fn h04_a_connection_that_changed_meanwhile_refuses_those_who_are_away() {
    let house = House::opens().await;
    for (what, old, new) in [
        ("disabled", "state = \"active\"", "state = \"disabled\""),
        ("a draft again", "state = \"active\"", "state = \"draft\""),
        ("another issuer", "issuer = \"{idp_a}\"", "issuer = \"{idp_b}\""),
        ("another client", "client_id = \"behalf\"", "client_id = \"other\""),
        ("another secret", "env = \"CA_SECRET\"", "env = \"CB_SECRET\""),
        ("another way to join", "jit = \"create_and_join\"", "jit = \"expected_only\""),
        (
            "claims that are required",
            "jit = \"create_and_join\"",
            "jit = \"create_and_join\"\nrequired_claims = { hd = \"a.test\" }",
        ),
    ] {
        let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
        let mut ann = Person::new("ann@a.test");
        let back = ann.is_sent_back(&ask).await;
        house.provision(&changed(old, new)).await;
        let hits = house.idp_a.hits("/token");
        let before = house.before().await;
        let answer = ann.browser.get(back.as_str()).await;
        assert_eq!(answer.status, 403, "{what}: {}", answer.body);
        house.refused(&before, "connection_changed").await;
        assert_eq!(house.idp_a.hits("/token"), hits, "{what}: no code was sent anywhere");
        // Nor by the same answer after the connection is as it was.
        house.provision(DEFAULT).await;
        let before = house.before().await;
        assert_eq!(ann.browser.get(back.as_str()).await.status, 403, "{what}");
        house.unchanged(&before).await;
        let ask = Application::rp1(&house).asks();
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        ask.redeems(&arrival).await;
    }
}

#[tokio::test]
async fn h04_a_new_name_is_no_change_and_nothing_changed_is_none_either() {
    let house = House::opens().await;
    for file in [DEFAULT.to_owned(), changed("display_name = \"A Login\"", "display_name = \"Renamed\"")] {
        let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
        let mut ann = Person::new("ann@a.test");
        let back = ann.is_sent_back(&ask).await;
        house.provision(&file).await;
        let answer = ann.browser.get(back.as_str()).await;
        let arrival = ann.goes_on(&ask, answer).await;
        ask.redeems(&arrival).await;
    }
}

#[tokio::test]
async fn h04_a_disabled_connection_ends_what_it_had_opened() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let ask = rp1.asks();
    let arrival = ann.follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    let late = rp1.asks();
    let code = ann.follows(&late).await.code();
    house.provision(&changed("state = \"active\"", "state = \"disabled\"")).await;
    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401);
    assert_eq!(late.redemption(&code).send().await.status, 400);
    let before = house.before().await;
    let arrival = ann.follows(&rp1.asks()).await;
    assert_eq!(arrival.told_application("code"), None, "{}", arrival.told());
    house.unchanged(&before).await;
    // Nobody is sent there any more.
    let hits = house.idp_a.hits("/authorize");
    let arrival = Person::new("ann@a.test").follows(&rp1.asks()).await;
    assert_eq!((arrival.status(), house.idp_a.hits("/authorize")), (422, hits), "{}", arrival.told());
}

#[tokio::test]
async fn h04_a_domain_that_is_lost_while_somebody_is_away_is_lost_for_them() {
    for lost in [
        "UPDATE domains SET state = 'lapsed' WHERE name = 'a.test'",
        "UPDATE domains SET trust_since = NULL WHERE name = 'a.test'",
        "UPDATE domains SET routing_since = NULL WHERE name = 'a.test'",
        "DELETE FROM domain_connections",
    ] {
        let house = Plan::default().build().await;
        let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
        let mut ann = Person::new("ann@a.test");
        let back = ann.is_sent_back(&ask).await;
        assert!(house.execute(lost).await >= 1);
        let before = house.before().await;
        let answer = ann.browser.get(back.as_str()).await;
        if lost.contains("trust_since") {
            // Routed still, so she may come, but nobody vouches for her address.
            let arrival = ann.goes_on(&ask, answer).await;
            if let Some(code) = arrival.told_application("code") {
                let tokens = ask.reads(&ask.redemption(&code).send().await).await;
                assert_eq!(tokens.id["email_verified"], serde_json::json!(false), "{lost}");
                continue;
            }
            assert_eq!(arrival.status(), 403, "{lost}: {}", arrival.told());
        } else {
            assert_eq!(answer.status, 403, "{lost}: {}", answer.body);
        }
        house.refused(&before, "email_domain_not_allowed").await;
    }
}
