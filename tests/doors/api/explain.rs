//! Why a login goes where it goes: the words, and that they are those of the login itself.

use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Proof};
use crate::house::broker::{House, Plan};
use crate::house::visitor::Visitor;

const MORE: &str = r#"
[connection.cc]
organization = "org-c"
type = "oidc"
display_name = "C Login"
state = "active"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }

[application.one]
type = "spa"
redirect_uris = ["https://one.test/callback"]
domain_based = false
connections = ["ca"]

[[domain]]
name = "later.test"
organization = "org-a"
connections = ["ca"]
use_for_routing = true
"#;

async fn house() -> House {
    Plan { unproved: vec!["later.test"], ..Plan::default() }.and(MORE).build().await
}

async fn explained(api: &Api, body: Value) -> Value {
    let answer = api.post("/routing/explain", body.clone()).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    answer.json()
}

/// The rule that decided, or was tried last for nothing, and why.
fn why(told: &Value, rule: &str) -> String {
    let rules = told["rules"].as_array().unwrap();
    let found = rules.iter().find(|one| one["rule"] == rule).unwrap_or_else(|| panic!("{told}"));
    found["why"].as_str().unwrap().to_owned()
}

fn slugs(told: &Value) -> Vec<&str> {
    told["connections"].as_array().unwrap().iter().map(|one| one["slug"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn s2_04_each_scenario_has_its_reason_and_the_login_goes_there() {
    let house = house().await;
    let operator = Api::operator(&house).await;
    let before = house.before().await;
    let user = "SELECT id FROM users WHERE email = 'ann@a.test'";
    let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
    crate::house::application::Person::new("ann@a.test").follows(&ask).await;
    let ann = house.text(user).await.unwrap();
    let events = house.events_since(&before).await.len();
    let nobody = "user_00000000000000000000000007";
    for (client, asked, rule, reason, decision, to) in [
        ("rp1", json!({"connection": "ca"}), "connection", "connection_allowed", "resolved", vec!["ca"]),
        ("rp1", json!({"connection": "none"}), "connection", "connection_not_allowed", "refused", vec![]),
        ("rp1", json!({"login_hint": "x@a.test"}), "login_hint", "domain_routed", "resolved", vec!["ca"]),
        ("rp1", json!({"login_hint": "x@later.test"}), "login_hint", "domain_not_routed", "ask", vec![]),
        ("rp1", json!({"login_hint": ann}), "login_hint", "user_not_looked_up", "ask", vec![]),
        ("rp1", json!({"login_hint": nobody}), "login_hint", "user_not_looked_up", "ask", vec![]),
        ("rp1", json!({"login_hint": "no address"}), "login_hint", "unreadable", "ask", vec![]),
        (
            "rp1",
            json!({"organization": "org-a"}),
            "organization",
            "organization_routed",
            "resolved",
            vec!["ca"],
        ),
        ("rp1", json!({"organization": "org-b"}), "organization", "organization_delegated", "ask", vec![]),
        ("rp1", json!({"organization": "none"}), "organization", "organization_unknown", "ask", vec![]),
        (
            "rp1",
            json!({"organization": "org-c", "login_hint": "x@a.test"}),
            "organization",
            "hint_of_another",
            "resolved",
            vec!["ca"],
        ),
        ("rp1", json!({"domain_hint": "b.test"}), "domain_hint", "domain_routed", "resolved", vec!["cb"]),
        ("rp1", json!({"domain_hint": "none.test"}), "domain_hint", "domain_not_routed", "ask", vec![]),
        ("rp1", json!({}), "only_connection", "several_ways_in", "ask", vec![]),
        ("one", json!({}), "only_connection", "one_way_in", "resolved", vec!["ca"]),
        ("one", json!({"login_hint": "x@b.test"}), "login_hint", "not_domain_based", "resolved", vec!["ca"]),
    ] {
        let mut body = asked.clone();
        body["client_id"] = json!(client);
        let told = explained(&operator, body).await;
        assert_eq!(
            (&*why(&told, rule), &told["decision"], slugs(&told)),
            (reason, &json!(decision), to.clone()),
            "{asked}"
        );

        // The login itself, from its first request on.
        let application = if client == "rp1" {
            Application::rp1(&house)
        } else {
            Application::new(&house, "one", Proof::Nothing)
        };
        let mut ask = application.asks().with("scope", "openid");
        for (name, value) in asked.as_object().unwrap() {
            ask = ask.with(name, value.as_str().unwrap());
        }
        let answer = Visitor::arrives().get(&ask.url()).await;
        let issuer =
            |slug: &str| if slug == "ca" { house.idp_a.issuer.clone() } else { house.idp_b.issuer.clone() };
        match (decision, answer.location()) {
            ("resolved", Some(to_idp)) => {
                assert!(to_idp.as_str().starts_with(&issuer(to[0])), "{asked}: {to_idp}")
            }
            ("ask", None) => assert!(answer.body.contains("name=\"email\""), "{asked}: {}", answer.body),
            ("refused", Some(back)) => assert!(back.as_str().contains("error="), "{asked}: {back}"),
            (_, location) => panic!("{asked}: {decision}, but {} {location:?}", answer.status),
        }
    }
    let explains = house.events_since(&before).await;
    assert!(explains.iter().filter(|event| event.action.starts_with("api.")).count() == 0, "{events}");
}

#[tokio::test]
async fn s1_w1_a_customers_administrator_is_told_of_their_own_organization_alone() {
    let house = house().await;
    let key = Api::key(&house, "org-a", &["routing:explain"]).await;
    let own = explained(&key, json!({"client_id": "rp1", "login_hint": "x@later.test"})).await;
    let step = own["rules"].as_array().unwrap().iter().find(|one| one["rule"] == "login_hint").unwrap();
    assert_eq!(step["claim"], "domain_pending", "what is their own is told to the end");
    let operator = Api::operator(&house).await;
    let all = explained(&operator, json!({"client_id": "rp1", "domain_hint": "b.test"})).await;
    assert_eq!(slugs(&all), ["cb"]);
    // Where a domain leads everybody sees who types an address of it; what is named reads as what there is not.
    let nothing = |name: &str| json!({ name: "nonesuch" });
    for (asked, unknown) in [
        (json!({"domain_hint": "b.test"}), None),
        (json!({"organization": "org-c"}), Some(nothing("organization"))),
        (json!({"organization": "org-b"}), Some(nothing("organization"))),
        (json!({"connection": "cb"}), Some(nothing("connection"))),
        (json!({"connection": house.connection("cc").await}), Some(nothing("connection"))),
    ] {
        let mut body = asked.clone();
        body["client_id"] = json!("rp1");
        let told = explained(&key, body).await;
        let text = told.to_string();
        for secret in
            [house.connection("cb").await, house.connection("cc").await, house.organization("org-c").await]
        {
            assert!(!text.contains(&secret), "{asked}: {text}");
        }
        for word in ["B Login", "C Login", "\"cb\"", "\"cc\""] {
            assert!(!text.contains(word), "{asked}: {text}");
        }
        let Some(mut unknown) = unknown else {
            assert_eq!(told["connections"][0]["of_another_organization"], true, "{asked}: {text}");
            continue;
        };
        unknown["client_id"] = json!("rp1");
        let unknown = key.post("/routing/explain", unknown).await;
        assert_eq!((unknown.status.as_u16(), unknown.json()), (200, told), "{asked}");
    }
    house.execute("UPDATE domains SET state = 'lapsed' WHERE name = 'b.test'").await;
    let foreign = explained(&key, json!({"client_id": "rp1", "domain_hint": "b.test"})).await;
    let never = explained(&key, json!({"client_id": "rp1", "domain_hint": "never.test"})).await;
    assert_eq!(foreign, never, "a claim of another is no claim");

    let weak = Api::key(&house, "org-a", &["audit:read"]).await;
    let before = house.before().await;
    let refused = weak.post("/routing/explain", json!({"client_id": "rp1"})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("permission_missing")));
    house.refused(&before, "permission_missing").await;
    let unknown = key.post("/routing/explain", json!({"client_id": "none"})).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (422, &json!("invalid_value")));
    for _ in 0..60 {
        key.post("/routing/explain", json!({"client_id": "rp1"})).await;
    }
    assert_eq!(key.post("/routing/explain", json!({"client_id": "rp1"})).await.status, 429);
}

#[tokio::test]
async fn a_method_that_is_off_is_told_and_not_a_domain_that_is_routed() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let off =
        operator.patch("/organizations/org-a/policy?force=true", json!({"log_in_with_oidc": false})).await;
    assert_eq!(off.status, 200, "{}", off.body);
    let told =
        operator.post("/routing/explain", json!({"client_id": "rp1", "login_hint": "ann@a.test"})).await;
    let steps = told.json()["rules"].clone();
    let hint = steps
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["rule"] == "login_hint")
        .unwrap_or_else(|| panic!("{}", told.body))
        .clone();
    assert_eq!((&hint["why"], &hint["claim"]), (&json!("domain_not_routed"), &json!("domain_method_off")));
}
