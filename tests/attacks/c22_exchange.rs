//! C22: tokens are exchanged (RFC 8693), for another organization or for another party that acts. Nothing is ever widened by
//! it, and nothing that came of it outlives what it was made of.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use behalf::protocol::jose::{Algorithm, JwkSet, Jws, Typ};

use crate::house::api::Api;
use crate::house::application::{Application, Ask, Person, Proof, Redemption, Tokens};
use crate::house::broker::{Engine, House, Plan, RP1_SECRET};
use crate::house::device::error;
use crate::house::key_holder::KeyHolder;
use crate::house::visitor::{Answer, Visitor};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What acts: orders for the people of rp1, billing for those of orders, and so on; the first one may be asked by two.
const ACTORS: [&str; 7] = ["orders", "billing", "ledger", "archive", "report", "print", "post"];

fn plan(plan: Plan) -> Plan {
    let login = "redirect_uris = [\"https://rp1.test/callback\"]";
    let rp1 = format!(
        "{login}\ninitiate_login_uri = \"https://rp1.test/login\"\ngrant_types = [\"authorization_code\", \
         \"refresh_token\", \"{EXCHANGE}\"]\naudiences = [\"orders\", \"https://api.test\"]\nmay_act = [\"orders\"]"
    );
    let mut actors = String::new();
    for (place, name) in ACTORS.iter().enumerate() {
        let next = ACTORS.get(place + 1).unwrap_or(&"nobody");
        actors += &format!(
            "\n[application.{name}]\ntype = \"machine\"\nclient_secrets = [{{ env = \"RP1_SECRET\" }}]\n\
             grant_types = [\"client_credentials\", \"{EXCHANGE}\"]\nmay_act = [\"{next}\"]\n\
             scopes = [\"openid\", \"email\", \"organization\", \"roles\"]\n\
             exchange_audiences = [\"{next}\", \"https://{next}.test/api\"]\n"
        );
    }
    plan.with(login, &rp1).and(&actors)
}

fn actor(house: &House, name: &str) -> Application {
    Application::new(house, name, Proof::Basic(RP1_SECRET.to_owned()))
}

/// Somebody's tokens at rp1, for A.
async fn tokens(house: &House, email: &str) -> (Ask, Tokens) {
    let ask = Application::rp1(house).asks().with("organization", "org-a").with("login_hint", email);
    let arrival = Person::new(email).follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    (ask, tokens)
}

fn exchanges(application: &Application, subject_token: &str) -> Redemption {
    let fields =
        [("grant_type", EXCHANGE), ("subject_token", subject_token), ("subject_token_type", ACCESS_TOKEN)];
    application.posts("/token", &fields)
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// What an access token says, verified.
async fn claims(house: &House, token: &str) -> Value {
    let keys = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await;
    let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
    let jws = Jws::parse(token).unwrap();
    let payload = jws.verify_bytes(&keys, &[Algorithm::RS256], Typ::ACCESS_TOKEN).unwrap();
    serde_json::from_slice(payload.get()).unwrap()
}

async fn introspects(application: &Application, token: &str) -> Value {
    application.posts("/introspect", &[("token", token)]).send().await.json()
}

/// Refused, with one event of the audit trail and nothing stored.
async fn is_refused(
    house: &House,
    what: &str,
    redemption: &Redemption,
    status: u16,
    told: &str,
    reason: &str,
) {
    let before = house.before().await;
    let answer = redemption.send().await;
    assert_eq!(error(&answer), (status, json!(told)), "{what}: {}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    house.refused(&before, reason).await;
}

#[tokio::test]
async fn c22_who_switches_by_an_exchange_gets_a_token_for_the_other_organization_and_no_longer() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(Plan::on(engine)).build().await;
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        let rp1 = Application::rp1(&house);
        let (_, of_a) = tokens(&house, "con@a.test").await;
        house.turn_clock(100);
        let answer = exchanges(&rp1, &of_a.access_token).with("organization", "org-b").send().await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let body = answer.json();
        assert_eq!(body["issued_token_type"], json!(ACCESS_TOKEN));
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(200)));
        assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none(), "{body}");
        let of_b = token(&answer);
        let told = claims(&house, &of_b).await;
        assert_eq!((&told["org_id"], &told["home_org_id"]), (&json!(b), &json!(a)));
        for claim in ["sub", "sid", "auth_time", "aud", "client_id", "exp", "scope"] {
            assert_eq!(told[claim], of_a.access[claim], "{claim}");
        }
        assert_ne!(told["grant_id"], of_a.access["grant_id"]);
        assert!(told.get("act").is_none(), "the person is the subject");
        assert_eq!(rp1.userinfo(&of_b).await.json()["org_id"], json!(b));
        assert_eq!(introspects(&rp1, &of_b).await["org_id"], json!(b));
        assert_eq!(rp1.userinfo(&of_a.access_token).await.json()["org_id"], json!(a), "it is as it was");
        let event = house.audit().await.into_iter().find(|event| event.action == "token.exchanged").unwrap();
        assert_eq!(
            (event.organization, event.detail["from"].clone()),
            (Some(b), of_a.access["grant_id"].clone())
        );
        // Back again, and to where one is already.
        let back = exchanges(&rp1, &of_b).with("organization", &a).send().await;
        assert_eq!(claims(&house, &token(&back)).await["org_id"], json!(a));
        let same = exchanges(&rp1, &of_a.access_token).with("organization", "org-a").send().await;
        let same = claims(&house, &token(&same)).await;
        assert_eq!((&same["org_id"], &same["exp"]), (&json!(a), &of_a.access["exp"]));
        // The whole chain ends with what it began with.
        house.turn_clock(200);
        for late in [&of_a.access_token, &of_b] {
            let asked = exchanges(&rp1, late);
            is_refused(&house, "late", &asked, 400, "invalid_request", "invalid_request").await;
        }
    }
}

#[tokio::test]
async fn m02_c22_an_exchange_compares_what_is_named_in_two_ways_for_nobody_but_whose_it_is() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(Plan::on(engine)).build().await;
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        let nobodys = "org_0000000000000000000000zzzz".to_owned();
        let rp1 = Application::rp1(&house);
        let (_, of_a) = tokens(&house, "ann@a.test").await;
        let disagreement = (400, json!("invalid_request"));
        let foreign = (403, json!("access_denied"));
        for (id, slug, told) in [
            (&a, "org-b", &disagreement),
            (&a, "nowhere", &disagreement),
            (&b, "org-a", &disagreement),
            (&nobodys, "org-a", &disagreement),
            (&b, "org-b", &foreign),
            (&b, "nowhere", &foreign),
            (&nobodys, "org-b", &foreign),
        ] {
            let before = house.before().await;
            let both = exchanges(&rp1, &of_a.access_token).with("organization_id", id);
            let answer = both.with("organization", slug).send().await;
            assert_eq!(&error(&answer), told, "{id} {slug}: {}", answer.body);
            house.unchanged(&before).await;
        }
        // One that the application is not open to is nothing to it, whoever acts for that: con belongs to both.
        let (_, of_con) = tokens(&house, "con@a.test").await;
        let operator = Api::operator(&house).await;
        let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
        let opened =
            operator.patch(&format!("/applications/{id}"), json!({"organizations": ["org-a"]})).await;
        assert_eq!(opened.status, 200, "{}", opened.body);
        for id in [&b, &nobodys] {
            let both = exchanges(&rp1, &of_con.access_token).with("organization_id", id);
            assert_eq!(error(&both.with("organization", "org-b").send().await), foreign, "{id}");
        }
        let both = exchanges(&rp1, &of_con.access_token).with("organization_id", &b);
        assert_eq!(error(&both.with("organization", "nowhere").send().await), foreign);
    }
}

#[tokio::test]
async fn c22_an_exchange_may_ask_for_less_and_never_for_more() {
    let house = plan(Plan::default()).build().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("scope", "openid email roles").with("organization", "org-a");
    let ask = ask.with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let own = ask.redeems(&arrival).await;
    let of = || exchanges(&rp1, &own.access_token);
    for more in
        ["openid profile", "openid email roles permissions", "organizations", "organization:org-b", "OPENID"]
    {
        let wider = of().with("scope", more);
        is_refused(&house, more, &wider, 400, "invalid_scope", "invalid_scope").await;
    }
    let less = of().with("scope", "roles").with("audience", "https://api.test").send().await;
    assert_eq!(less.json()["scope"], json!("roles"));
    let less = token(&less);
    let told = claims(&house, &less).await;
    assert_eq!((&told["scope"], &told["aud"]), (&json!("roles"), &json!("https://api.test")));
    assert_eq!(rp1.userinfo(&less).await.status, 401, "it is not for us any more");
    // Nor is it ever again: neither audience nor scope comes back.
    for (name, value, told) in [
        ("scope", "openid", "invalid_scope"),
        ("scope", "roles email", "invalid_scope"),
        ("audience", "orders", "invalid_target"),
        ("audience", house.url.as_str(), "invalid_target"),
        ("resource", "https://other.test/", "invalid_target"),
    ] {
        let asked = exchanges(&rp1, &less).with(name, value);
        is_refused(&house, value, &asked, 400, told, told).await;
    }
    let again = exchanges(&rp1, &less).with("organization", "org-b").send().await;
    let again = claims(&house, &token(&again)).await;
    assert_eq!(
        (&again["scope"], &again["aud"]),
        (&told["scope"], &told["aud"]),
        "nor by another organization"
    );
    for (name, value) in
        [("audience", "https://api.test/"), ("audience", "nobody"), ("resource", "https://api.test/x")]
    {
        is_refused(&house, value, &of().with(name, value), 400, "invalid_target", "invalid_target").await;
        let told =
            of().with(name, value).send().await.json()["error_description"].as_str().unwrap().to_owned();
        assert!(told.starts_with(&format!("{name} ")), "which parameter: {told}");
    }
    let by_resource = of().with("resource", "https://api.test").send().await;
    assert_eq!(claims(&house, &token(&by_resource)).await["aud"], json!("https://api.test"));
    // A token of a family may be for less than the family.
    let narrow = rp1.refreshes(own.refresh()).with("scope", "roles").send().await;
    let narrow = token(&narrow);
    let wider = exchanges(&rp1, &narrow).with("scope", "email");
    is_refused(&house, "of the family", &wider, 400, "invalid_scope", "invalid_scope").await;
}

#[tokio::test]
async fn c22_an_exchange_names_several_audiences_and_each_must_be_the_tokens() {
    let house = plan(Plan::default()).build().await;
    let rp1 = Application::rp1(&house);
    let (_, own) = tokens(&house, "con@a.test").await;
    let of = || exchanges(&rp1, &own.access_token);
    for asked in [
        of().and("audience", "orders").and("audience", "https://api.test"),
        of().and("audience", "orders").and("resource", "https://api.test").and("audience", "orders"),
    ] {
        let two = token(&asked.send().await);
        assert_eq!(claims(&house, &two).await["aud"], json!(["orders", "https://api.test"]));
        assert_eq!(rp1.userinfo(&two).await.status, 401, "it is not for us");
    }
    for (one, other) in
        [("orders", "nobody"), ("nobody", "orders"), ("https://api.test", "https://api.test/")]
    {
        let asked = of().and("audience", one).and("audience", other);
        is_refused(&house, other, &asked, 400, "invalid_target", "invalid_target").await;
    }
    // What stands twice and is no target is no request.
    let twice = of().and("subject_token", &own.access_token);
    is_refused(&house, "twice", &twice, 400, "invalid_request", "invalid_request").await;
}

#[tokio::test]
async fn c22_nobody_switches_by_an_exchange_to_where_they_do_not_belong() {
    let house = plan(Plan::default()).build().await;
    let rp1 = Application::rp1(&house);
    let (_, own) = tokens(&house, "con@a.test").await;
    let of = || exchanges(&rp1, &own.access_token);
    let c = house.organization("org-c").await;
    for name in ["org-c", &c, "ORG-B", "random", "*", "' OR '1'='1"] {
        let asked = of().with("organization", name);
        is_refused(&house, name, &asked, 403, "access_denied", "organization_not_allowed").await;
    }
    // What the other organization asks for is asked of who switches: they are told where to go.
    let operator = Api::operator(&house).await;
    let policy = json!({ "require_mfa": true });
    assert_eq!(operator.patch("/organizations/org-b/policy", policy).await.status, 200);
    let before = house.before().await;
    let answer = of().with("organization", "org-b").send().await;
    assert_eq!(error(&answer), (403, json!("mfa_required")), "{}", answer.body);
    let url = answer.json()["login_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://rp1.test/login?iss=") && url.ends_with("organization=org-b"), "{url}");
    house.refused(&before, "mfa_required").await;
}

#[tokio::test]
async fn c22_s0_31_by_which_door_somebody_leaves_an_organization_that_is_deactivated_is_all_one() {
    let house = plan(Plan::default()).build().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("organization", "org-b").with("login_hint", "con@a.test");
    let of_b = ask.redeems(&Person::new("con@a.test").follows(&ask).await).await;
    let (b, api) = (house.organization("org-b").await, Api::operator(&house).await);
    let shut = api.send(Method::POST, &format!("/organizations/{b}/deactivate"), |asked| asked).await;
    assert_eq!(shut.status, 200, "{}", shut.body);
    let stays = exchanges(&rp1, &of_b.access_token);
    is_refused(&house, "to stay", &stays, 400, "invalid_request", "invalid_request").await;
    let acts = exchanges(&actor(&house, "orders"), &of_b.access_token).with("audience", "billing");
    is_refused(&house, "to act there", &acts, 400, "invalid_request", "invalid_request").await;
    let leaves = exchanges(&rp1, &of_b.access_token).with("organization", "org-a").send().await;
    assert_eq!(claims(&house, &token(&leaves)).await["org_id"], json!(house.organization("org-a").await));
    let refreshed = rp1.refreshes(of_b.refresh()).with("organization", "org-a").send().await;
    assert_eq!(claims(&house, &token(&refreshed)).await["org_id"], json!(house.organization("org-a").await));
}

#[tokio::test]
async fn c22_an_application_acts_for_somebody_whose_token_it_was_shown() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(Plan::on(engine)).build().await;
        let (orders, billing) = (actor(&house, "orders"), actor(&house, "billing"));
        let (_, own) = tokens(&house, "con@a.test").await;
        assert_eq!(own.access["may_act"], json!({ "sub": "orders" }));
        let answer = exchanges(&orders, &own.access_token).with("audience", "billing").send().await;
        let first = token(&answer);
        let told = claims(&house, &first).await;
        assert_eq!(told["act"], json!({ "sub": "orders" }));
        assert_eq!(told["may_act"], json!({ "sub": "billing" }));
        assert_eq!((&told["aud"], &told["client_id"]), (&json!("billing"), &json!("orders")));
        assert_eq!(told["scope"], json!("openid email roles"), "no more than it may ask for itself");
        for claim in ["sub", "org_id", "sid", "auth_time", "exp"] {
            assert_eq!(told[claim], own.access[claim], "{claim}");
        }
        assert!(answer.json().get("id_token").is_none() && answer.json().get("refresh_token").is_none());
        // Whom it is for may know it, and may act in its turn; nobody else.
        for (who, active) in [(&billing, true), (&orders, true), (&Application::rp1(&house), false)] {
            let told = introspects(who, &first).await;
            assert_eq!(told["active"], json!(active), "{}", who.client_id);
            assert!(!active || told["act"] == json!({ "sub": "orders" }), "{told}");
        }
        let second = exchanges(&billing, &first).with("resource", "https://ledger.test/api").send().await;
        let second = token(&second);
        let told = claims(&house, &second).await;
        assert_eq!(told["act"], json!({ "sub": "billing", "act": { "sub": "orders" } }));
        assert_eq!(told["aud"], json!("https://ledger.test/api"));
        assert_eq!(told["sub"], own.access["sub"]);
        assert_eq!(introspects(&billing, &second).await["act"], told["act"]);
        // With a token of its own it says the same once more.
        let machine = orders.posts("/token", &[("grant_type", "client_credentials")]).send().await;
        let with_actor = exchanges(&orders, &own.access_token)
            .with("audience", "billing")
            .with("actor_token", &token(&machine))
            .with("actor_token_type", ACCESS_TOKEN);
        let told = claims(&house, &token(&with_actor.send().await)).await;
        assert_eq!(told["act"], json!({ "sub": "orders" }));
        // In somebody else's name nobody is told of them, nor manages anything.
        for token in [&first, &second] {
            assert_eq!(orders.userinfo(token).await.status, 401);
            let api = Api::with(&house, Some(token.clone())).await;
            assert_eq!(api.get("/session").await.status, 401);
        }
        let events = house.audit().await;
        let acted = events.iter().filter(|event| event.action == "token.exchanged");
        assert!(acted.clone().count() == 3 && acted.clone().all(|event| event.actor == own.access["sub"]));
    }
}

#[tokio::test]
async fn c22_whoever_acts_stays_where_the_token_is_and_gets_what_settings_say() {
    let house = plan(Plan::default()).build().await;
    let orders = actor(&house, "orders");
    let (_, own) = tokens(&house, "con@a.test").await;
    let of = || exchanges(&orders, &own.access_token);
    let target = "invalid_target";
    is_refused(&house, "no audience", &of(), 400, target, target).await;
    for name in
        ["ledger", "orders", "rp1", house.url.as_str(), "https://billing.test/", "https://billing.test/api/x"]
    {
        is_refused(&house, name, &of().with("audience", name), 400, target, target).await;
    }
    let good = || of().with("audience", "billing");
    for organization in ["org-b", "org-c", "nobody"] {
        let asked = good().with("organization", organization);
        is_refused(&house, organization, &asked, 400, target, target).await;
    }
    let same = good().with("organization", "org-a").send().await;
    let first = token(&same);
    // Not even by its own token's exchange.
    let own_again = exchanges(&orders, &first).with("organization", "org-b");
    is_refused(&house, "its own", &own_again, 400, target, target).await;
    for scope in ["permissions", "profile", "organizations"] {
        let asked = good().with("scope", scope);
        is_refused(&house, scope, &asked, 400, "invalid_scope", "invalid_scope").await;
    }
    // Whom the application does not name may not act, whoever the token is for.
    let file = house.file.replace("may_act = [\"orders\"]", "may_act = [\"billing\"]");
    house.provision(&file).await;
    is_refused(&house, "not named", &good(), 400, "invalid_request", "invalid_request").await;
    let (_, own) = tokens(&house, "con@a.test").await;
    let billing = exchanges(&actor(&house, "billing"), &own.access_token).with("audience", "ledger");
    is_refused(&house, "not shown to it", &billing, 400, "invalid_request", "invalid_request").await;
}

#[tokio::test]
async fn c22_an_operator_cannot_let_anybody_act_towards_ourselves() {
    let plan = plan(Plan::default());
    let house = plan.build().await;
    let ours = [house.url.clone(), format!("{}/api/v1", house.url)];
    let allowed = format!("exchange_audiences = [\"{}\", \"{}\"]", ours[0], ours[1]);
    let usual = "exchange_audiences = [\"billing\", \"https://billing.test/api\"]";
    assert!(house.file.contains(usual));
    house.provision(&house.file.replace(usual, &allowed)).await;
    let (_, own) = tokens(&house, "con@a.test").await;
    for target in &ours {
        let asked = exchanges(&actor(&house, "orders"), &own.access_token).with("audience", target);
        is_refused(&house, target, &asked, 400, "invalid_target", "invalid_target").await;
    }
}

#[tokio::test]
async fn c22_a_chain_of_actors_has_five_links_and_exchanges_come_to_an_end() {
    let house = plan(Plan::default()).build().await;
    let (_, own) = tokens(&house, "con@a.test").await;
    let mut newest = own.access_token.clone();
    for (place, name) in ACTORS.iter().enumerate().take(6) {
        let asked = exchanges(&actor(&house, name), &newest).with("audience", ACTORS[place + 1]);
        if place == 5 {
            is_refused(&house, name, &asked, 400, "invalid_request", "invalid_request").await;
            break;
        }
        newest = token(&asked.send().await);
    }
    let told = claims(&house, &newest).await;
    let names: Vec<_> = std::iter::successors(Some(&told["act"]), |act| act.get("act"))
        .map(|act| act["sub"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["report", "archive", "ledger", "billing", "orders"], "the newest outermost");
    let rp1 = Application::rp1(&house);
    let mut newest = own.access_token.clone();
    for _ in 0..10 {
        newest = token(&exchanges(&rp1, &newest).send().await);
    }
    assert_eq!(rp1.userinfo(&newest).await.status, 200);
    is_refused(&house, "the eleventh", &exchanges(&rp1, &newest), 400, "invalid_request", "invalid_request")
        .await;
}

/// What ends the token that others were made of, told in SQL, and for whom it was.
const ENDS: [&str; 9] = [
    "UPDATE grants SET revoked_at = 1 WHERE subject_id IS NULL",
    "DELETE FROM grants WHERE subject_id IS NULL",
    "UPDATE applications SET disabled_at = 1 WHERE client_id = 'rp1'",
    "UPDATE users SET disabled_at = 1",
    "UPDATE sessions SET ended_at = 1",
    "UPDATE memberships SET status = 'suspended'",
    "UPDATE organizations SET epoch = epoch + 1 WHERE slug = 'org-a'",
    "UPDATE connections SET state = 'disabled' WHERE slug = 'ca'",
    "UPDATE grants SET revoked_at = 1 WHERE application_id IN (SELECT id FROM applications WHERE client_id = 'orders')",
];

#[tokio::test]
async fn c22_what_ends_a_token_ends_all_that_came_of_it() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for end in ENDS {
            let house = plan(Plan::on(engine)).build().await;
            let (orders, billing) = (actor(&house, "orders"), actor(&house, "billing"));
            let (_, own) = tokens(&house, "con@a.test").await;
            let first =
                token(&exchanges(&orders, &own.access_token).with("audience", "billing").send().await);
            let second = token(&exchanges(&billing, &first).with("audience", "ledger").send().await);
            assert_eq!(introspects(&billing, &second).await["active"], json!(true));
            assert!(house.execute(end).await >= 1, "{end}");
            for (who, token) in [(&orders, &first), (&billing, &second)] {
                assert_eq!(introspects(who, token).await, json!({ "active": false }), "{end}");
            }
            let asked = exchanges(&billing, &first).with("audience", "ledger");
            is_refused(&house, end, &asked, 400, "invalid_request", "invalid_request").await;
            if engine == Engine::Postgres {
                break;
            }
        }
    }
}

#[tokio::test]
async fn c22_whoever_gives_a_token_back_ends_what_was_exchanged_for_it() {
    let house = plan(Plan::default()).build().await;
    let (rp1, orders) = (Application::rp1(&house), actor(&house, "orders"));
    // By revocation, by a theft, and by signing out.
    for end in ["revoke", "theft", "sign out", "its own"] {
        let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
        let mut con = Person::new("con@a.test");
        let arrival = con.follows(&ask).await;
        let own = ask.redeems(&arrival).await;
        let of_b = token(&exchanges(&rp1, &own.access_token).with("organization", "org-b").send().await);
        let acted = token(&exchanges(&orders, &own.access_token).with("audience", "billing").send().await);
        assert_eq!(introspects(&orders, &acted).await["active"], json!(true));
        match end {
            "revoke" => {
                let answer = rp1.posts("/revoke", &[("token", &own.access_token)]).send().await;
                assert_eq!(answer.status, 200);
            }
            "theft" => {
                let next = ask.reads_again(&rp1.refreshes(own.refresh()).send().await).await;
                house.turn_clock(11);
                assert_eq!(rp1.refreshes(own.refresh()).send().await.status, 400);
                assert_eq!(rp1.userinfo(&next.access_token).await.status, 401);
            }
            "sign out" => {
                let page = con.browser.get(&format!("{}/logout", house.url)).await;
                con.browser.submit(&page.form_with_button("sign_out").with("sign_out", "yes")).await;
            }
            // Who holds one that came of another gives back that one alone.
            _ => {
                orders.posts("/revoke", &[("token", &acted)]).send().await;
                assert_eq!(introspects(&orders, &acted).await, json!({ "active": false }));
                assert_eq!(rp1.userinfo(&of_b).await.status, 200);
                assert_eq!(rp1.userinfo(&own.access_token).await.status, 200);
                continue;
            }
        }
        assert_eq!(rp1.userinfo(&of_b).await.status, 401, "{end}");
        assert_eq!(introspects(&orders, &acted).await, json!({ "active": false }), "{end}");
    }
}

/// However an exchange and a revocation meet, nothing of what came of it is left.
async fn race(engine: Engine) {
    let house = plan(Plan::on(engine)).build().await;
    let (rp1, orders) = (Application::rp1(&house), actor(&house, "orders"));
    for _ in 0..3 {
        let (_, own) = tokens(&house, "con@a.test").await;
        let revoke = rp1.posts("/revoke", &[("token", &own.access_token)]);
        let asked = exchanges(&orders, &own.access_token).with("audience", "billing");
        let mut runs: Vec<_> = (0..20)
            .map(|_| {
                let asked = asked.clone();
                tokio::spawn(async move { asked.send().await })
            })
            .collect();
        runs.insert(10, tokio::spawn(async move { revoke.send().await }));
        for answer in join_all(runs).await {
            let answer = answer.unwrap();
            assert!([200, 400].contains(&answer.status.as_u16()), "{}: {}", answer.status, answer.body);
            let exchanged = (!answer.body.is_empty()).then(|| answer.json()["access_token"].clone());
            if let Some(Value::String(exchanged)) = exchanged {
                assert_eq!(introspects(&orders, &exchanged).await, json!({ "active": false }));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_an_exchange_that_meets_a_revocation_leaves_nothing() {
    race(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_and_so_it_is_on_postgresql() {
    race(Engine::Postgres).await;
}

#[tokio::test]
async fn c22_m05_what_is_no_persons_access_token_is_exchanged_by_nobody() {
    let house = plan(Plan::default()).build().await;
    let (rp1, orders) = (Application::rp1(&house), actor(&house, "orders"));
    let (_, own) = tokens(&house, "con@a.test").await;
    let unused = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let code = Person::new("con@a.test").follows(&unused).await.code();
    let machine = token(&orders.posts("/token", &[("grant_type", "client_credentials")]).send().await);
    let rp2 = Application::rp2(&house);
    let of_rp2 = rp2.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&of_rp2).await;
    let of_rp2 = of_rp2.redeems(&arrival).await;
    let gone = tokens(&house, "con@a.test").await.1;
    rp1.posts("/revoke", &[("token", &gone.access_token)]).send().await;
    for (what, token) in [
        ("a refresh token", own.refresh()),
        ("a code", code.as_str()),
        ("a machine's token", machine.as_str()),
        ("another application's token", of_rp2.access_token.as_str()),
        ("one that was given back", gone.access_token.as_str()),
        ("a grant's id", own.access["grant_id"].as_str().unwrap()),
        ("a secret", RP1_SECRET),
        ("garbage", "garbage"),
    ] {
        for who in [&rp1, &orders] {
            let asked = exchanges(who, token).with("audience", "billing");
            is_refused(&house, what, &asked, 400, "invalid_request", "invalid_request").await;
        }
    }
    let good = || exchanges(&orders, &own.access_token).with("audience", "billing");
    // Who acts proves it by nobody else's token.
    let of_billing = token(
        &actor(&house, "billing").posts("/token", &[("grant_type", "client_credentials")]).send().await,
    );
    for (what, token) in [
        ("another machine's", of_billing.as_str()),
        ("a person's", own.access_token.as_str()),
        ("another person's", of_rp2.access_token.as_str()),
        ("garbage", "garbage"),
    ] {
        let asked = good().with("actor_token", token).with("actor_token_type", ACCESS_TOKEN);
        is_refused(&house, what, &asked, 400, "invalid_request", "invalid_request").await;
    }
    for (name, value) in [
        ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ] {
        let answer = good().with(name, value).send().await;
        assert_eq!(error(&answer), (400, json!("invalid_request")), "{value}");
        let told = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert_eq!(told, format!("{name} {value} is not supported"));
    }
    // Whoever has mixed two fields up does not find their token in what they log.
    let secret = own.refresh();
    for name in ["subject_token_type", "requested_token_type"] {
        let answer = good().with(name, secret).send().await;
        assert_eq!(error(&answer), (400, json!("invalid_request")), "{name}: {}", answer.body);
        assert_eq!(answer.json()["error_description"], json!(format!("{name} is not supported")));
    }
    is_refused(&house, "none", &good().without("subject_token"), 400, "invalid_request", "invalid_request")
        .await;
    // Neither may an application that does not say so, nor one that cannot prove who it is.
    let of = exchanges(&rp2, &of_rp2.access_token);
    is_refused(&house, "a public one", &of, 400, "unauthorized_client", "unauthorized_client").await;
    let wrong = good().by(&orders.clone().proving(Proof::Basic("wrong".into())));
    is_refused(&house, "unproved", &wrong, 401, "invalid_client", "invalid_client").await;
    let public = house.file.replace(
        "[application.rp2]",
        &format!("[application.rp2]\ngrant_types = [\"authorization_code\", \"{EXCHANGE}\"]"),
    );
    let told = house.tries(&public).await.unwrap_err();
    assert!(told.contains("a spa application has no use for"), "{told}");
    assert_eq!(
        token(&good().send().await).matches('.').count(),
        2,
        "nothing of it has cost anybody anything"
    );
}

#[tokio::test]
async fn c22_m06_a_bound_token_is_exchanged_by_who_holds_its_key_and_nobody_is_rid_of_that() {
    let house = plan(Plan::default()).build().await;
    let (rp1, orders) = (Application::rp1(&house), actor(&house, "orders"));
    let (holder, other) = (KeyHolder::default(), KeyHolder::default());
    let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let subject = ask.reads(&holder.sends(&house, &ask.redemption(&arrival.code())).await).await;
    let bound = json!({ "jkt": holder.jkt() });
    assert_eq!(subject.access["cnf"], bound);
    let switches = exchanges(&rp1, &subject.access_token).with("organization", "org-b");
    let acts = exchanges(&orders, &subject.access_token).with("audience", "billing");
    for asked in [&switches, &acts] {
        is_refused(&house, "without a key", asked, 400, "invalid_request", "invalid_request").await;
        let answer = holder.sends(&house, asked).await;
        assert_eq!(answer.json()["token_type"], json!("DPoP"), "{}", answer.body);
        assert_eq!(claims(&house, &token(&answer)).await["cnf"], bound);
    }
    let families = house.count("grants").await;
    let answer = other.sends(&house, &switches).await;
    assert_eq!(error(&answer), (400, json!("invalid_request")), "with another key: {}", answer.body);
    assert_eq!(house.count("grants").await, families);
    // Whoever acts has not the key of who showed them the token, and binds what they get to their own.
    let answer = other.sends(&house, &acts).await;
    assert_eq!(answer.json()["token_type"], json!("DPoP"), "{}", answer.body);
    let acting = token(&answer);
    assert_eq!(claims(&house, &acting).await["cnf"], json!({ "jkt": other.jkt() }));
    let billing = exchanges(&actor(&house, "billing"), &acting).with("audience", "ledger");
    is_refused(&house, "the next one without", &billing, 400, "invalid_request", "invalid_request").await;
    let of_billing = KeyHolder::default();
    let last = claims(&house, &token(&of_billing.sends(&house, &billing).await)).await;
    assert_eq!(
        (&last["cnf"], &last["act"]["act"]["sub"]),
        (&json!({ "jkt": of_billing.jkt() }), &json!("orders"))
    );
    // Nor by a second exchange.
    let of_b = token(&holder.sends(&house, &switches).await);
    let again = exchanges(&rp1, &of_b);
    is_refused(&house, "again without a key", &again, 400, "invalid_request", "invalid_request").await;
    assert_eq!(claims(&house, &token(&holder.sends(&house, &again).await)).await["cnf"], bound);
    // Whoever proves a key with a token that is bound to none gets one that is.
    let (_, open) = tokens(&house, "con@a.test").await;
    let answer = other.sends(&house, &exchanges(&rp1, &open.access_token)).await;
    assert_eq!(claims(&house, &token(&answer)).await["cnf"], json!({ "jkt": other.jkt() }));
}
