//! C21: an application asks for an organization that the person may not act for, or the right to it is taken away
//! on the way.

use serde_json::json;

use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};

#[tokio::test]
async fn c21_what_is_asked_for_is_a_wish_and_the_checks_decide() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut con = Person::new("con@a.test");
    con.acts_for(&rp1.asks(), "A Corporation").await.code();
    let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
    let c = house.organization("org-c").await;
    for (asked, org) in [("org-a", &a), (a.as_str(), &a), ("org-b", &b), (b.as_str(), &b)] {
        let ask = rp1.asks().with("organization", asked);
        let arrival = con.follows(&ask).await;
        assert_eq!(ask.redeems(&arrival).await.id["org_id"], json!(org), "{asked}");
    }
    let strange = [
        "org-c",
        &c,
        "ORG-B",
        "Org-b",
        "B Corporation",
        "org-b ",
        "random",
        "org_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "*",
        "%",
    ];
    for asked in strange {
        let before = house.before().await;
        let arrival = con.follows(&rp1.asks().with("organization", asked)).await;
        assert_eq!(arrival.error(), ("access_denied".into(), "organization_not_allowed".into()), "{asked}");
        house.refused(&before, "organization_not_allowed").await;
    }
    for ask in [
        rp1.asks().with("organization", "org-a").and("organization", "org-b"),
        rp1.asks().with("organization", "org-a").and("organization", "org-a"),
        rp1.asks().with("organization", "org-a").with("organization_id", &b),
        rp1.asks().with("organization", "org-a").with("scope", "openid organization:org-b"),
        rp1.asks().with("scope", "openid organization:org-a organization:org-b"),
    ] {
        let before = house.before().await;
        assert_eq!(con.follows(&ask).await.error().0, "invalid_request");
        house.refused(&before, "invalid_request").await;
    }
}

#[tokio::test]
async fn c21_two_names_of_one_organization_agree_and_nothing_is_told_of_others() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let rp1 = Application::rp1(&house);
        let mut con = Person::new("con@a.test");
        con.acts_for(&rp1.asks(), "A Corporation").await.code();
        let (b, c) = (house.organization("org-b").await, house.organization("org-c").await);
        let asks = |parameter: &str, scope: &str| {
            rp1.asks().with("organization", parameter).with("scope", &format!("openid {scope}"))
        };
        for ask in [
            asks(&b, "organization:org-b"),
            asks("org-b", &format!("organization:{b}")),
            asks("org-b", &format!("organization organization:{b} organization:org-b")),
        ] {
            let arrival = con.follows(&ask).await;
            assert_eq!(ask.redeems(&arrival).await.id["org_id"], json!(b), "{}", ask.url());
        }
        // Whether the other one is there or not: told alike, to whoever may act for one of them.
        let mut told = std::collections::BTreeSet::new();
        for ask in [
            asks(&b, "organization:org-c"),
            asks("org-b", &format!("organization:{c}")),
            asks(&b, "organization:nobody"),
            asks("nobody", &format!("organization:{b}")),
            asks("org-b", "organization:nobody"),
            asks(&b, &format!("organization:{c}")),
            asks(&b, "organization:*"),
        ] {
            let before = house.before().await;
            told.insert(con.follows(&ask).await.error());
            house.refused(&before, "invalid_request").await;
        }
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[tokio::test]
async fn c21_h24_only_what_is_on_the_picker_can_be_picked() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut con = Person::new("con@a.test");
    let (b, c) = (house.organization("org-b").await, house.organization("org-c").await);
    // B as if one were a member there; C; nonsense.
    for posted in [b.as_str(), &c, "", "org-a", "dlg_00000000000000000000000000"] {
        let ask = rp1.asks();
        let page = con.follows(&ask).await;
        let before = house.before().await;
        let answer = con.browser.submit(&page.picker().with("choice", posted)).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "{posted}: {}", answer.body);
        house.refused(&before, "choice_not_offered").await;
        // The application is told nothing of it, and the person is still at their picker.
        con.picks(&ask, &page, "A Corporation").await.code();
    }
    let ask = rp1.asks();
    let picker = con.follows(&ask).await;
    let form = picker.picker();
    // Without the form's own token nothing is picked, and the flow goes on.
    let before = house.before().await;
    let foreign = form.clone().with("csrf", "guess").with("choice", &form.buttons[0].1);
    assert_eq!(con.browser.submit(&foreign).await.status, 403);
    house.refused(&before, "foreign_form").await;
    con.picks(&ask, &picker, "A Corporation").await.code();
}

/// What ends a delegate's or a member's right, and the check that says so.
pub(super) const ENDS: [(&str, &str); 9] = [
    ("UPDATE memberships SET status = 'removed'", "delegation_inactive"),
    ("UPDATE memberships SET status = 'suspended'", "delegation_inactive"),
    ("UPDATE delegations SET revoked_at = 1", "delegation_inactive"),
    ("UPDATE delegations SET paused_at = 1", "delegation_inactive"),
    ("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-b'", "organization_inactive"),
    ("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-a'", "delegation_inactive"),
    ("UPDATE users SET disabled_at = 1", "user_disabled"),
    ("UPDATE sessions SET ended_at = 1", "session_ended"),
    ("UPDATE connections SET state = 'disabled' WHERE slug = 'ca'", "connection_inactive"),
];

#[tokio::test]
async fn c21_a_right_that_ends_between_picker_and_token_is_not_minted() {
    for (end, reason) in ENDS {
        let house = House::opens().await;
        let rp1 = Application::rp1(&house);
        let mut con = Person::new("con@a.test");
        let ask = rp1.asks();
        let first = con.acts_for(&ask, "B Corporation").await;
        let tokens = ask.redeems(&first).await;
        let ask = rp1.asks();
        let second = con.acts_for(&ask, "B Corporation").await;
        let page = con.follows(&rp1.asks()).await;
        assert!(house.execute(end).await >= 1, "{end}");

        let before = house.before().await;
        let answer = ask.redemption(&second.code()).send().await;
        assert_eq!(answer.status, 400, "{end}: {}", answer.body);
        assert_eq!(answer.json()["error"], json!("invalid_grant"), "{end}");
        let told = match reason {
            "session_ended" => "the session that this was given in is over: the person has to sign in again",
            other => other,
        };
        assert_eq!(answer.json()["error_description"], json!(told), "{end}");
        house.told_refusal(&before, &[reason]).await;
        // What was given out before says nothing more either, and the open picker leads nowhere.
        assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401, "{end}");
        let grants = house.count("grants").await;
        let form = page.picker();
        let b = form.buttons.iter().find(|(_, value)| value.starts_with("dlg_")).unwrap();
        let answer = con.browser.submit(&form.clone().with("choice", &b.1)).await;
        // Refused, or asked to prove anew who they are: in no case a code.
        let told = answer.location().map(|url| url.to_string()).unwrap_or_default();
        assert!(!told.contains("code="), "{end}: {told}");
        assert_eq!(house.count("grants").await, grants, "{end}");
    }
}

#[tokio::test]
async fn c21_an_application_that_is_switched_off_gets_nothing_for_its_codes() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let code = Person::new("ann@a.test").follows(&ask).await.code();
    house.execute("UPDATE applications SET disabled_at = 1 WHERE client_id = 'rp1'").await;
    let answer = ask.redemption(&code).send().await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (401, json!("invalid_client")));
}

#[tokio::test]
async fn c21_an_application_of_some_organizations_is_closed_to_the_others() {
    let scopes = "claims = { idp = true }";
    let plan = Plan::default().with(scopes, "claims = { idp = true }\norganizations = [\"org-a\"]");
    let house = plan.build().await;
    let rp1 = Application::rp1(&house);
    let mut con = Person::new("con@a.test");
    let ask = rp1.asks();
    let arrival = con.follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    assert_eq!(tokens.id["org_name"], json!("org-a"), "there is only one left to act for");
    assert_eq!(tokens.id["organizations"].as_array().unwrap().len(), 1);
    let before = house.before().await;
    let arrival = con.follows(&rp1.asks().with("organization", "org-b")).await;
    assert_eq!(arrival.error(), ("access_denied".into(), "organization_not_allowed".into()));
    house.refused(&before, "organization_not_allowed").await;
    // Taken off the list between code and token.
    let ask = rp1.asks();
    let code = con.follows(&ask).await.code();
    house.execute("DELETE FROM application_organizations").await;
    let answer = ask.redemption(&code).send().await;
    assert_eq!(answer.json()["error_description"], json!("application_not_allowed"));
}
