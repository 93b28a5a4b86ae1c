//! C16: a domain is looked up again and again; only its authoritative silence for a week makes it lapse, and a
//! claim that nobody proves is asked about less and less.

use behalf::chores::domains::look;
use behalf::foundation::domain_name::DomainName;

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::dns::{arguments, nameserver};
use crate::house::lying_idp::Says;

const DAY: u64 = 86_400;

async fn state(house: &House, domain: &str) -> String {
    let name = DomainName::parse(domain).unwrap();
    house.text(&format!("SELECT state FROM domains WHERE name = '{}'", name.as_str())).await.unwrap()
}

async fn ann_comes(house: &House) -> bool {
    let arrival = Person::new("ann@a.test").follows(&Application::rp1(house).asks()).await;
    arrival.told_application("code").is_some()
}

/// Whether a look has been taken at a domain since the last one.
async fn is_looked_at(house: &House, domain: &str) -> bool {
    let sql = format!("SELECT CAST(checked_at AS TEXT) FROM domains WHERE name = '{domain}'");
    let before = house.text(&sql).await;
    look(&house.broker).await.unwrap();
    house.text(&sql).await != before
}

#[tokio::test]
async fn c16_a_week_of_authoritative_silence_makes_a_domain_lapse_and_a_failing_server_does_not() {
    let mut house = House::opens().await;
    assert!(ann_comes(&house).await);
    // A server that refuses to answer, for a month, is no silence.
    let port = house.dns.port;
    house.dns.restart_refusing();
    assert_eq!(house.dns.port, port);
    for _ in 0..30 {
        house.turn_clock(DAY + 1);
        look(&house.broker).await.unwrap();
    }
    assert_eq!(state(&house, "a.test").await, "verified");
    house.dns.restart_with_txt(&[]);
    for day in 1..=7 {
        assert_eq!(state(&house, "a.test").await, "verified", "before day {day}");
        assert!(ann_comes(&house).await, "before day {day}");
        house.turn_clock(DAY + 1);
        look(&house.broker).await.unwrap();
        // Asked twice a day, a day's silence counts once.
        house.turn_clock(60);
        assert!(!is_looked_at(&house, "a.test").await);
    }
    assert_eq!(state(&house, "a.test").await, "lapsed");
    assert!(!ann_comes(&house).await);
    let lost =
        house.audit().await.into_iter().filter(|event| event.action == "organization.domain.lost").count();
    assert_eq!(lost, 2, "of A and of B, once each");
    // The old proof, published again, proves nothing.
    let challenge = house.text("SELECT challenge FROM domains WHERE name = 'a.test'").await.unwrap();
    house.dns.restart_with_txt(&[("_behalf-challenge.a.test", &format!("behalf-verify={challenge}"))]);
    house.turn_clock(DAY + 1);
    look(&house.broker).await.unwrap();
    assert_eq!(state(&house, "a.test").await, "lapsed");
}

#[tokio::test]
async fn c16_a_claim_is_asked_about_less_and_less_and_proved_by_its_record_alone() {
    let mut plan = Plan::default();
    plan.unproved.push("a.test");
    let mut house = plan.build().await;
    assert_eq!(state(&house, "a.test").await, "pending");
    let mut looks = Vec::new();
    let mut age = 0;
    while age < 2 * 3_600 {
        house.turn_clock(10);
        age += 10;
        if is_looked_at(&house, "a.test").await {
            looks.push(age);
        }
    }
    let pauses: Vec<_> = looks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.is_sorted() && pauses[0] <= 20 && *pauses.last().unwrap() >= 600, "{pauses:?}");
    assert!(looks.len() < 60, "{}", looks.len());
    assert!(!ann_comes(&house).await);
    house.unproved.clear();
    house.prove_domains().await;
    assert_eq!(state(&house, "a.test").await, "verified");
    assert!(ann_comes(&house).await);
}

#[tokio::test]
async fn c15_a_domain_that_another_organization_holds_is_not_taken_by_a_record() {
    let mut house = House::opens().await;
    house
        .provision(
            r#"
[project]
slug = "default"

[organization.org-c]

[[domain]]
name = "a.test"
organization = "org-c"
trust_email = true
"#,
        )
        .await;
    let holders = "SELECT CAST(COUNT(*) AS TEXT) FROM domains WHERE name = 'a.test' AND state = 'verified'";
    let by_a = "SELECT o.slug FROM domains d JOIN organizations o ON o.id = d.organization_id \
        WHERE d.name = 'a.test' AND d.state = 'verified'";
    // Both records are published, and both are looked for.
    house.prove_domains().await;
    assert_eq!(house.text(by_a).await.as_deref(), Some("org-a"));
    house.turn_clock(DAY + 1);
    look(&house.broker).await.unwrap();
    assert_eq!(house.text(holders).await.as_deref(), Some("1"));
    assert_eq!(house.text(by_a).await.as_deref(), Some("org-a"));
    assert!(ann_comes(&house).await);
}

#[tokio::test]
async fn c16_the_new_holder_s_own_places_count_and_the_old_one_s_do_not() {
    let house = House::opens().await;
    let old = r#"
[project]
slug = "default"

[organization.org-c]
members = [{ email = "ann@a.test", roles = ["owner"] }]

[[domain]]
name = "a.test"
organization = "org-c"
"#;
    house.provision(old).await;
    // C held the domain once; A and C had listed Ann before A came to hold it.
    let of_c = "UPDATE domains SET state = 'lapsed', verified_at = 1, lapsed_at = 2 \
        WHERE organization_id = (SELECT id FROM organizations WHERE slug = 'org-c')";
    assert_eq!(house.execute(of_c).await, 1);
    house.execute("UPDATE expected_members SET created_at = created_at - 1000").await;
    let ask = Application::rp1(&house).asks();
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    assert_eq!(tokens.id["org_id"], serde_json::json!(house.organization("org-a").await));
    assert_eq!(tokens.access["roles"], serde_json::json!(["owner"]));
    assert_eq!(house.count("memberships").await, 1, "and none of C");
}

#[tokio::test]
async fn c16_other_name_servers_demand_a_fresh_proof() {
    let mut house = House::opens().await;
    let challenge = house.text("SELECT challenge FROM domains WHERE name = 'a.test'").await.unwrap();
    let proof = format!("behalf-verify={challenge}");
    let told = |server: &str| {
        let mut all = arguments(&[("_behalf-challenge.a.test", &proof)]);
        all.push(nameserver("a.test", server));
        all
    };
    for (server, demanded) in [("ns.one.test", 0), ("ns.one.test", 0), ("ns.two.test", 1), ("ns.two.test", 1)]
    {
        house.dns.restart_with(&told(server));
        house.turn_clock(DAY + 1);
        look(&house.broker).await.unwrap();
        assert_eq!(house.events_of("organization.domain.renewal_due").await, demanded, "{server}");
    }
    assert_eq!(state(&house, "a.test").await, "verified", "for a week");
    assert!(ann_comes(&house).await);
    for _ in 0..7 {
        house.turn_clock(DAY + 1);
        look(&house.broker).await.unwrap();
    }
    assert_eq!(state(&house, "a.test").await, "lapsed", "whoever shows the old proof may be somebody else");
    assert!(!ann_comes(&house).await);
}

#[tokio::test]
async fn c16_who_comes_to_hold_a_domain_inherits_nobody() {
    let mut house = House::opens().await;
    assert!(ann_comes(&house).await);
    let ann = house.text("SELECT id FROM users WHERE email = 'ann@a.test'").await.unwrap();
    let operator = Api::operator(&house).await;
    let made =
        operator.post("/organizations/org-b/domains", serde_json::json!({"domain": "a.test"})).await.json();
    let path = format!("/organizations/org-b/domains/{}", made["id"].as_str().unwrap());
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    // The new owner of the name publishes their own record, and A's is gone.
    let (host, value) = (text("verification_host"), text("verification_txt"));
    for _ in 0..7 {
        house.dns.restart_with_txt(&[(&host, "another")]);
        house.turn_clock(DAY + 1);
        look(&house.broker).await.unwrap();
    }
    let lost = "SELECT state FROM domains WHERE organization_id = (SELECT id FROM organizations WHERE slug = 'org-a')";
    assert_eq!(house.text(lost).await.as_deref(), Some("lapsed"));
    // A week has passed for B's claim as well.
    let again = operator.send(reqwest::Method::POST, &format!("{path}/verify"), |ask| ask).await.json();
    assert_ne!(again["verification_txt"].as_str(), Some(&*value));
    house.dns.restart_with_txt(&[(&host, again["verification_txt"].as_str().unwrap())]);
    let held = operator.send(reqwest::Method::POST, &format!("{path}/confirm"), |ask| ask).await;
    assert_eq!(held.status, 200, "{}", held.body);
    let connections = serde_json::json!([house.connection("cb").await]);
    let on = serde_json::json!({"use_for_routing": true, "trust_email": true, "connection_ids": connections});
    assert_eq!(operator.patch(&path, on).await.status, 200);
    let subject = "SELECT subject FROM identities WHERE email = 'ann@a.test'";
    house.idp_b.says(Says::that(&house.text(subject).await.unwrap(), "ann@a.test"));
    assert!(ann_comes(&house).await);
    let others = format!(
        "SELECT CAST(COUNT(*) AS TEXT) FROM memberships m JOIN organizations o ON o.id = m.organization_id
         JOIN users u ON u.id = m.user_id WHERE u.email = 'ann@a.test' AND u.id <> '{ann}' AND o.slug = 'org-b'"
    );
    assert_eq!(house.text(&others).await.as_deref(), Some("1"), "somebody new, of B alone");
    let memberships = "SELECT CAST(COUNT(*) AS TEXT) FROM memberships m JOIN users u ON u.id = m.user_id
                       WHERE u.email = 'ann@a.test'";
    assert_eq!(house.text(memberships).await.as_deref(), Some("2"), "Ann's own of A, and this one");
}
