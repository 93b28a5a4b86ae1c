//! C22: tokens of one organization are turned into tokens of another. Switching by a refresh token gives a family of its
//! own, for an organization that the person may act for, and nothing more.

use futures_util::future::join_all;
use serde_json::json;

use crate::house::application::{Application, Ask, Person, Tokens};
use crate::house::broker::{Engine, House, Plan};

/// Con, who acts for A and, by delegation, for B.
async fn con_for_a(application: &Application) -> (Ask, Tokens) {
    let ask = application.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    (ask, tokens)
}

#[tokio::test]
async fn c22_who_switches_gets_a_family_of_its_own_and_keeps_the_old_one() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        let rp1 = Application::rp1(&house);
        let (ask, of_a) = con_for_a(&rp1).await;
        let switch = |token: &str, to: &str| rp1.refreshes(token).with("organization", to);
        let of_b = ask.reads_again(&switch(of_a.refresh(), "org-b").send().await).await;
        assert_eq!((of_b.id["org_id"].clone(), of_a.id["org_id"].clone()), (json!(b), json!(a)));
        assert_eq!(of_b.access["home_org_id"], json!(a), "on behalf of B, from A");
        assert_ne!(of_b.access["grant_id"], of_a.access["grant_id"]);
        for claim in ["sub", "sid", "auth_time", "session_expiry"] {
            assert_eq!(of_b.id[claim], of_a.id[claim], "{claim}");
        }
        assert_eq!(house.events_of("token.organization_switched").await, 1);
        // Two tabs never cross: each family stays with its organization.
        let second_a = ask.reads_again(&rp1.refreshes(of_a.refresh()).send().await).await;
        let second_b = ask.reads_again(&rp1.refreshes(of_b.refresh()).send().await).await;
        assert_eq!((&second_a.id["org_id"], &second_b.id["org_id"]), (&json!(a), &json!(b)));
        // To where one is already is a refresh like any other.
        let third_b = ask.reads_again(&switch(second_b.refresh(), &b).send().await).await;
        assert_eq!(third_b.access["grant_id"], of_b.access["grant_id"]);
        // And back, for good: the family that is left ends.
        let back = switch(third_b.refresh(), &a).with("replace", "true").send().await;
        let back = ask.reads_again(&back).await;
        assert_eq!(back.id["org_id"], json!(a));
        assert!(back.access.get("home_org_id").is_none());
        assert_eq!(rp1.userinfo(&third_b.access_token).await.status, 401);
        assert_eq!(rp1.refreshes(third_b.refresh()).send().await.status, 400);
        assert_eq!(rp1.userinfo(&second_a.access_token).await.status, 200);
    }
}

#[tokio::test]
async fn h21_c22_whoever_switches_for_good_uses_the_token_up_and_may_ask_again_for_a_lost_answer() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let b = house.organization("org-b").await;
        let rp1 = Application::rp1(&house);
        let (ask, of_a) = con_for_a(&rp1).await;
        let switch = || rp1.refreshes(of_a.refresh()).with("organization", "org-b").with("replace", "true");
        let of_b = ask.reads_again(&switch().send().await).await;
        house.turn_clock(9);
        let again = ask.reads_again(&switch().send().await).await;
        assert_eq!((again.refresh(), &again.id["org_id"]), (of_b.refresh(), &json!(b)), "never a second one");
        assert_eq!(house.count("grants").await, 2);
        // Who asks for something else has not lost that answer, and ends nothing yet.
        let elsewhere = rp1.refreshes(of_a.refresh()).with("organization", "org-a").with("replace", "true");
        let plainly = rp1.refreshes(of_a.refresh());
        for other in [elsewhere, plainly, rp1.refreshes(of_a.refresh()).with("organization", "org-b")] {
            let before = house.before().await;
            assert_eq!(other.send().await.json()["error"], json!("invalid_grant"));
            house.refused(&before, "invalid_grant").await;
        }
        let second_b = ask.reads_again(&rp1.refreshes(of_b.refresh()).send().await).await;
        let before = house.before().await;
        assert_eq!(switch().send().await.json()["error"], json!("invalid_grant"), "its successor was used");
        house.refused(&before, "invalid_grant").await;
        // Long after, it is a theft: the family that was switched to ends as well.
        house.turn_clock(2);
        let before = house.before().await;
        assert_eq!(rp1.refreshes(of_a.refresh()).send().await.json()["error"], json!("invalid_grant"));
        house.told_refusal(&before, &["invalid_grant"]).await;
        assert_eq!(house.events_of("token.refresh_reused").await, 1);
        assert_eq!(rp1.userinfo(&second_b.access_token).await.status, 401);
        assert_eq!(rp1.refreshes(second_b.refresh()).send().await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h21_c22_of_a_hundred_who_switch_for_good_at_once_all_get_one_family() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let rp1 = Application::rp1(&house);
        let (ask, of_a) = con_for_a(&rp1).await;
        let runs = (0..100).map(|_| {
            let switch = rp1.refreshes(of_a.refresh()).with("organization", "org-b").with("replace", "true");
            tokio::spawn(async move { switch.send().await })
        });
        let mut told = Vec::new();
        for answer in join_all(runs).await {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.body);
            told.push(answer.json()["refresh_token"].as_str().unwrap().to_owned());
        }
        told.sort();
        told.dedup();
        assert_eq!((told.len(), house.count("grants").await), (1, 2));
        ask.reads_again(&rp1.refreshes(&told[0]).send().await).await;
    }
}

#[tokio::test]
async fn c22_nobody_switches_to_where_they_do_not_belong() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (ask, of_a) = con_for_a(&rp1).await;
    let c = house.organization("org-c").await;
    let strange = [
        "org-c",
        &c,
        "ORG-B",
        "B Corporation",
        "random",
        "org_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "*",
        "' OR '1'='1",
    ];
    for name in strange {
        let before = house.before().await;
        let answer = rp1.refreshes(of_a.refresh()).with("organization", name).send().await;
        assert_eq!(answer.status, 403, "{name}: {}", answer.body);
        assert_eq!(answer.json()["error"], json!("access_denied"), "{name}");
        assert_eq!(answer.json()["error_description"], json!("organization_not_allowed"), "{name}");
        house.refused(&before, "organization_not_allowed").await;
    }
    // The delegation is for con alone.
    let ask_ann = rp1.asks();
    let arrival = Person::new("ann@a.test").follows(&ask_ann).await;
    let ann = ask_ann.redeems(&arrival).await;
    assert_eq!(rp1.refreshes(ann.refresh()).with("organization", "org-b").send().await.status, 403);
    for (name, value) in [("organization_id", "org-b"), ("replace", "perhaps")] {
        let before = house.before().await;
        let asked = rp1.refreshes(of_a.refresh()).with("organization", "org-b").with(name, value);
        assert_eq!(asked.send().await.json()["error"], json!("invalid_request"));
        house.refused(&before, "invalid_request").await;
    }
    // Nothing of it has cost con what they have.
    ask.reads_again(&rp1.refreshes(of_a.refresh()).send().await).await;
    // An application without organizations has none to switch to.
    let plan = Plan::default().with("[application.rp2]", "[application.rp2]\norganization_usage = \"deny\"");
    let house = plan.build().await;
    let rp2 = Application::rp2(&house);
    let ask = rp2.asks().with("scope", "openid");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let own = ask.redeems(&arrival).await;
    let before = house.before().await;
    let answer = rp2.refreshes(own.refresh()).with("organization", "org-a").send().await;
    let told = (answer.status.as_u16(), answer.json()["error_description"].clone());
    assert_eq!(told, (400, json!("this application does not use organizations")), "{}", answer.body);
    house.refused(&before, "invalid_request").await;
}

/// Con belongs to it as well, and not by a delegation.
async fn is_guest_of(house: &House, organization: &str) {
    let user = "SELECT user_id FROM identities WHERE email = 'con@a.test'";
    let (user, organization) = (house.text(user).await.unwrap(), house.organization(organization).await);
    let project = house.text("SELECT id FROM projects WHERE slug = 'default'").await.unwrap();
    let sql = format!(
        "INSERT INTO memberships (id, project_id, organization_id, user_id, kind, status, source, roles, created_at, updated_at)
         VALUES ('mem_00000000000000000000000007', '{project}', '{organization}', '{user}', 'guest', 'active', 'manual', '[]', 1, 1)"
    );
    assert_eq!(house.execute(&sql).await, 1);
}

#[tokio::test]
async fn c22_what_an_organization_asks_for_is_asked_of_who_switches_too() {
    let login = "redirect_uris = [\"https://rp1.test/callback\"]\ninitiate_login_uri = \"https://rp1.test/login?x=1\"";
    let plan = Plan::default().with("redirect_uris = [\"https://rp1.test/callback\"]", login);
    for (policy, error, connection) in [
        ("enforcement = \"required\", force = true", "sso_required", Some("cb")),
        ("require_mfa = true", "mfa_required", None),
    ] {
        let table = format!("[organization.org-b]\npolicy = {{ {policy} }}");
        let text = plan.file.replacen("[organization.org-b]", &table, 1);
        let house = Plan { file: text, ..Plan::default() }.build().await;
        let rp1 = Application::rp1(&house);
        let (ask, of_a) = con_for_a(&rp1).await;
        is_guest_of(&house, "org-b").await;
        let before = house.before().await;
        let answer = rp1.refreshes(of_a.refresh()).with("organization", "org-b").send().await;
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert_eq!(answer.json()["error"], json!(error));
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("iss", &house.url)
            .append_pair("organization", "org-b")
            .extend_pairs(connection.map(|connection| ("connection", connection)))
            .finish();
        assert_eq!(answer.json()["login_url"], json!(format!("https://rp1.test/login?x=1&{query}")));
        house.refused(&before, error).await;
        ask.reads_again(&rp1.refreshes(of_a.refresh()).send().await).await;
    }
}

#[tokio::test]
async fn c22_s2_22_who_acts_for_others_is_led_to_the_provider_of_their_own_home() {
    let login =
        "redirect_uris = [\"https://rp1.test/callback\"]\ninitiate_login_uri = \"https://rp1.test/login\"";
    let house = Plan::default().with("redirect_uris = [\"https://rp1.test/callback\"]", login).build().await;
    let rp1 = Application::rp1(&house);
    let (_, of_a) = con_for_a(&rp1).await;
    // As if they had come by another organization's connection, to which they belong as well.
    let cb = house.connection("cb").await;
    assert_eq!(house.execute(&format!("UPDATE sessions SET connection_id = '{cb}'")).await, 1);
    let before = house.before().await;
    let answer = rp1.refreshes(of_a.refresh()).with("organization", "org-b").send().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (403, &json!("sso_required")));
    let url = answer.json()["login_url"].as_str().unwrap().to_owned();
    assert!(url.ends_with("organization=org-b&connection=ca"), "{url}");
    house.refused(&before, "delegation_not_accepted").await;
}

#[tokio::test]
async fn c22_whoever_needs_an_organization_is_told_to_name_one() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("scope", "openid organization:*");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let personal = ask.redeems(&arrival).await;
    assert!(personal.id.get("org_id").is_none());
    let strict = "[application.rp1]\norganization_usage = \"require\"";
    house.provision(&house.file.replacen("[application.rp1]", strict, 1)).await;
    let before = house.before().await;
    let answer = rp1.refreshes(personal.refresh()).send().await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(answer.json()["error"], json!("organization_selection_required"));
    house.refused(&before, "no_organization").await;
    let answer = rp1.refreshes(personal.refresh()).with("organization", "org-b").send().await;
    assert_eq!(ask.reads_again(&answer).await.id["org_name"], json!("org-b"));
}

#[tokio::test]
async fn c22_nothing_grows_by_switching() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let scope = "openid roles organization:org-a";
    let ask = rp1.asks().with("scope", scope).with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let of_a = ask.redeems(&arrival).await;
    let answer = rp1.refreshes(of_a.refresh()).with("organization", "org-b").send().await;
    assert_eq!(answer.json()["scope"], json!("openid roles organization"), "it names nobody any more");
    let of_b = ask.reads_again(&answer).await;
    assert_eq!(of_b.access["roles"], json!(["member"]));
    assert!(of_b.access.get("permissions").is_none());
    let more =
        rp1.refreshes(of_a.refresh()).with("organization", "org-b").with("scope", "openid permissions");
    assert_eq!(more.send().await.json()["error"], json!("invalid_scope"));
    // Nor in time: what was switched to ends when the first family would have.
    let ends = "SELECT CAST(COUNT(DISTINCT expires_at) AS TEXT) FROM grants";
    assert_eq!(house.text(ends).await.as_deref(), Some("1"));
    // A used one switches nobody, and its theft ends both.
    let second = ask.reads_again(&rp1.refreshes(of_a.refresh()).send().await).await;
    let used = rp1.refreshes(of_a.refresh()).with("organization", "org-b");
    let before = house.before().await;
    assert_eq!(used.send().await.json()["error"], json!("invalid_grant"));
    house.refused(&before, "invalid_grant").await;
    house.turn_clock(11);
    assert_eq!(used.send().await.json()["error"], json!("invalid_grant"));
    for tokens in [&second, &of_b] {
        assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 401);
        assert_eq!(rp1.refreshes(tokens.refresh()).send().await.status, 400);
    }
}
