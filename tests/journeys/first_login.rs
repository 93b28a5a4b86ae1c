//! The first login and those after it: through the organization's own identity provider, and back with tokens that
//! name the organization that the person acts for.

use std::collections::BTreeSet;
use std::sync::Arc;

use behalf::foundation::id::UserId;
use behalf::protocol::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Ask, Person, Proof};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says;
use crate::house::visitor::Visitor;

/// Every name that a stranger must not learn.
const NAMES: [&str; 3] = ["A Corporation", "B Corporation", "C Corporation"];

fn set(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn s2_19_ann_signs_in_with_her_own_corporations_provider_and_sees_one_page() {
    let house = House::opens().await;
    let (rp1, mut ann) = (Application::rp1(&house), Person::new("ann@a.test"));
    let ask = rp1.asks();
    let arrival = ann.follows(&ask).await;
    assert_eq!(arrival.pages.len(), 1, "the email page alone");
    assert_eq!(arrival.told_application("state").as_deref(), ask.value("state"));
    assert_eq!(arrival.told_application("iss").as_deref(), Some(house.url.as_str()));

    let tokens = ask.redeems(&arrival).await;
    let a = house.organization("org-a").await;
    assert_eq!((&tokens.id["org_id"], &tokens.id["org_name"]), (&json!(a), &json!("org-a")));
    assert_eq!((&tokens.id["email"], &tokens.id["email_verified"]), (&json!("ann@a.test"), &json!(true)));
    assert_eq!(tokens.id["idp"], json!(house.connection("ca").await));
    assert_eq!(tokens.id["home_org_id"], Value::Null);
    assert_eq!(tokens.access["org_id"], json!(a));
    assert!(set(&tokens.access["roles"]).contains("owner"));
    assert_eq!(house.idp_a.was_asked("login_hint").as_deref(), Some("ann@a.test"));
    assert_eq!(house.idp_a.was_asked("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!((house.idp_a.hits("/token"), house.idp_b.hits("/authorize")), (1, 0));

    let told = rp1.userinfo(&tokens.access_token).await.json();
    assert_eq!((&told["sub"], &told["org_id"]), (&tokens.id["sub"], &json!(a)));
    let facts = house.facts().await;
    for table in ["users", "identities", "memberships", "sessions", "grants"] {
        assert_eq!(facts.rows(table), 1, "{table}");
    }
    let actions: Vec<_> = house.audit().await.into_iter().map(|event| event.action).collect();
    for action in [
        "user.created",
        "organization.member.added",
        "login.authenticated",
        "login.code_issued",
        "token.issued",
    ] {
        assert_eq!(actions.iter().filter(|one| *one == action).count(), 1, "{action} in {actions:?}");
    }
}

#[tokio::test]
async fn s2_22_s2_24_the_contractor_signs_in_at_home_and_acts_for_the_other_corporation() {
    let house = House::opens().await;
    let (rp1, mut con) = (Application::rp1(&house), Person::new("con@a.test"));
    let ask = rp1.asks();
    let picker = con.follows(&ask).await;
    assert_eq!(picker.choices(), ["A Corporation", "B Corporation"]);
    assert!(picker.answer.body.contains("on behalf of"), "{}", picker.answer.body);
    assert!(picker.answer.body.contains("A Login"), "it says through whom one came");
    let arrival = con.picks(&ask, &picker, "B Corporation").await;
    let tokens = ask.redeems(&arrival).await;

    let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
    for claims in [&tokens.id, &tokens.access] {
        assert_eq!((&claims["org_id"], &claims["org_name"]), (&json!(b), &json!("org-b")));
        assert_eq!(claims["home_org_id"], json!(a));
        assert!(claims["delegation_id"].as_str().is_some_and(|id| id.starts_with("dlg_")));
        assert_eq!(claims["act"], Value::Null, "the contractor is nobody's actor");
        assert_eq!(claims["idp"], json!(house.connection("ca").await));
        assert_eq!(set(&claims["roles"]), BTreeSet::from(["member".to_owned()]), "the delegation's ceiling");
    }
    assert_eq!((house.idp_a.hits("/authorize"), house.idp_b.hits("/authorize")), (1, 0));
    let issued = house.audit().await.into_iter().find(|event| event.action == "token.issued").unwrap();
    assert_eq!(issued.organization.as_ref(), Some(&b));
    assert_eq!(issued.detail["home_organization"], json!(a));
    // Their own corporation finds for whom it was, and not by which application (demands 4.5).
    let audit = house.audit().await;
    let told: Vec<_> = audit.iter().filter(|event| event.action == "delegation.used").collect();
    let [used] = told[..] else { panic!("{told:?}") };
    assert_eq!(used.organization.as_deref(), Some(&*a));
    assert_eq!(used.actor, tokens.id["sub"].as_str().unwrap());
    assert_eq!((&used.detail["target"], &used.detail["target_name"]), (&json!(b), &json!("org-b")));
    assert!(used.detail.get("application").is_none());
    // Who acts for their own corporation acts by none.
    let ask = ask.with("prompt", "select_account");
    let picker = con.follows(&ask).await;
    con.picks(&ask, &picker, "A Corporation").await.code();
    assert_eq!(house.events_of("delegation.used").await, 1);
    assert_eq!(house.count("memberships").await, 1, "acting for B makes nobody a member of B");
}

#[tokio::test]
async fn s2_02_s2_11_the_picker_is_for_people_with_more_than_one_organization() {
    let plan = Plan::default().and(
        r#"
[application.rp3]
display_name = "Third App"
type = "spa"
token_endpoint_auth_method = "none"
redirect_uris = ["https://rp3.test/callback"]
scopes = ["openid"]
organization_usage = "require"
"#,
    );
    let house = plan.build().await;
    let rp1 = Application::rp1(&house);
    let (mut ann, mut con) = (Person::new("ann@a.test"), Person::new("con@a.test"));
    assert!(con.follows(&rp1.asks()).await.is_picker());
    ann.follows(&rp1.asks()).await.code();

    // Without any, the application's own rule decides.
    assert_eq!(
        house.execute("UPDATE memberships SET status = 'removed' WHERE roles LIKE '%owner%'").await,
        1
    );
    let ask = rp1.asks();
    let arrival = ann.follows(&ask).await;
    assert_eq!(ask.redeems(&arrival).await.id["org_id"], Value::Null);
    let before = house.before().await;
    let rp3 = Application::new(&house, "rp3", Proof::Nothing);
    let arrival = ann.follows(&rp3.asks().with("scope", "openid")).await;
    assert_eq!(arrival.error(), ("access_denied".into(), "no_organization".into()));
    house.refused(&before, "no_organization").await;
}

#[tokio::test]
async fn s2_12_no_organization_is_named_before_somebody_is_authenticated() {
    let house = House::opens().await;
    let (rp1, mut stranger) = (Application::rp1(&house), Person::new("ann@a.test"));
    let page = stranger.browser.get(&rp1.asks().url()).await;
    assert_eq!(page.status, 200);
    let flow = page.forms()[0].action.path().trim_end_matches("/identify").to_owned();
    let search = stranger.browser.get(&format!("{}{flow}/organizations?q=corp", house.url)).await;
    let unknown = page.forms()[0].clone().with("email", "x@unknown.test");
    let unknown = stranger.browser.submit(&unknown).await;
    for answer in [&page, &search, &unknown] {
        for name in NAMES {
            assert!(!answer.body.contains(name), "{name} in {}", answer.body);
        }
    }
    assert_eq!(search.location().unwrap().path(), flow, "there is nothing to search yet");
    // A choice cannot be posted either.
    let before = house.before().await;
    let csrf = page.forms()[0].value("csrf").unwrap().to_owned();
    let b = house.organization("org-b").await;
    let posted = format!("{}{flow}/organization", house.url);
    let answer = stranger.browser.post_form(&posted, &[("csrf", &csrf), ("choice", &b)]).await;
    assert_eq!(answer.status, 403);
    house.refused(&before, "flow_expired").await;
}

#[tokio::test]
async fn s2_15_s2_17_s2_18_the_domain_of_the_address_names_the_provider() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    Person::new("ann@a.test").follows(&rp1.asks()).await.code();
    let ask = rp1.asks();
    let bob = Person::new("Bob@B.TEST").follows(&ask).await;
    let tokens = ask.redeems(&bob).await;
    assert_eq!(tokens.id["org_id"], json!(house.organization("org-b").await));
    assert_eq!((house.idp_a.hits("/authorize"), house.idp_b.hits("/authorize")), (1, 1));

    let facts = house.facts().await;
    for address in ["x@unknown.test", "x@dev.a.test", "x@evila.test", "x@c.test"] {
        let arrival = Person::new(address).follows(&rp1.asks()).await;
        assert_eq!(arrival.status(), 422, "{address}");
        assert!(arrival.is_email_page());
        assert!(
            arrival.answer.body.contains("does not sign in here yet")
                || arrival.answer.body.contains("field-problem")
        );
    }
    assert_eq!((house.idp_a.hits("/authorize"), house.idp_b.hits("/authorize")), (1, 1));
    assert_eq!(house.facts().await, facts);
}

#[tokio::test]
async fn s2_01_s2_36_s2_37_the_first_login_joins_once_and_what_was_removed_stays_removed() {
    let jit = "jit = \"create_and_join\"";
    let more = "jit = \"create_and_join\"\nassign_organizations = [\"org-c\"]\ndefault_roles = [\"reader\"]";
    let role = "\n[role.reader]\npermissions = [\"invoices:read\"]\n";
    let house = Plan::default().with(jit, more).and(role).build().await;
    let rp1 = Application::rp1(&house);
    let mut eve = Person::new("eve@a.test");
    let picker = eve.follows(&rp1.asks()).await;
    assert_eq!(picker.choices(), ["A Corporation", "C Corporation"]);
    let joined = house.facts().await;
    assert_eq!((joined.rows("users"), joined.rows("memberships")), (1, 2));
    assert_eq!(house.text("SELECT DISTINCT roles FROM memberships").await.as_deref(), Some("[\"reader\"]"));
    assert_eq!(house.text("SELECT DISTINCT source FROM memberships").await.as_deref(), Some("jit"));

    // The second login, from another browser, changes nothing but the session.
    assert!(Person::new("eve@a.test").follows(&rp1.asks()).await.is_picker());
    let again = house.facts().await;
    assert_eq!((again.rows("users"), again.rows("identities"), again.rows("memberships")), (1, 1, 2));
    assert_eq!(again.rows("sessions"), 2);

    let c = house.organization("org-c").await;
    let removed = house
        .execute("UPDATE memberships SET status = 'removed' WHERE organization_id IN (SELECT id FROM organizations WHERE slug = 'org-c')")
        .await;
    assert_eq!(removed, 1);
    let ask = rp1.asks();
    let arrival = Person::new("eve@a.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    assert_eq!(tokens.id["org_id"], json!(house.organization("org-a").await));
    assert!(!tokens.id.to_string().contains(&c));
    assert_eq!(house.count("memberships").await, 2);
}

#[tokio::test]
async fn who_is_not_expected_does_not_get_in_where_only_expected_people_do() {
    let house = Plan::default().with("jit = \"create_and_join\"", "jit = \"expected_only\"").build().await;
    let rp1 = Application::rp1(&house);
    let before = house.before().await;
    let arrival = Person::new("eve@a.test").follows(&rp1.asks()).await;
    assert_eq!(arrival.status(), 403);
    house.refused(&before, "not_expected").await;
    Person::new("ann@a.test").follows(&rp1.asks()).await.code();
}

#[tokio::test]
async fn one_sign_in_serves_every_application_in_this_browser_and_outlives_a_restart() {
    let mut house = House::opens().await;
    let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
    let mut ann = Person::new("ann@a.test");
    let first = rp1.asks();
    let arrival = ann.follows(&first).await;
    let first = first.redeems(&arrival).await;
    let second = rp2.asks();
    let arrival = ann.follows(&second).await;
    assert!(arrival.pages.is_empty(), "nothing is asked twice");
    let second = second.redeems(&arrival).await;
    assert_eq!((&first.id["sub"], &first.id["sid"]), (&second.id["sub"], &second.id["sid"]));
    assert_ne!(first.access["grant_id"], second.access["grant_id"]);

    house.restart().await;
    let third = rp1.asks();
    let arrival = ann.follows(&third).await;
    assert!(arrival.pages.is_empty());
    let third = third.redeems(&arrival).await;
    assert_eq!(third.id["sid"], first.id["sid"]);
    assert_eq!(rp1.userinfo(&first.access_token).await.status, 200, "tokens from before are still good");
    assert_eq!((house.idp_a.hits("/authorize"), house.count("sessions").await), (1, 1));
    // It ends at its hour.
    house.turn_clock(43_201);
    assert!(ann.follows(&rp1.asks()).await.pages.len() == 1);
    assert_eq!(house.idp_a.hits("/authorize"), 2);
}

#[tokio::test]
async fn prompt_none_asks_nobody_anything() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (mut ann, mut con) = (Person::new("ann@a.test"), Person::new("con@a.test"));
    let before = house.before().await;
    let arrival = ann.follows(&rp1.asks().with("prompt", "none")).await;
    assert_eq!(arrival.error().0, "login_required");
    house.refused(&before, "login_required").await;
    ann.follows(&rp1.asks()).await.code();
    let ask = rp1.asks().with("prompt", "none");
    let arrival = ann.follows(&ask).await;
    assert!(arrival.pages.is_empty());
    ask.redeems(&arrival).await;

    con.acts_for(&rp1.asks(), "A Corporation").await.code();
    let before = house.before().await;
    let arrival = con.follows(&rp1.asks().with("prompt", "none")).await;
    assert_eq!(arrival.error(), ("interaction_required".into(), "organization_selection_required".into()));
    house.refused(&before, "organization_selection_required").await;
    con.follows(&rp1.asks().with("prompt", "none").with("organization", "org-b")).await.code();
    // A hint at somebody else is not answered with whoever is here.
    let arrival = ann.follows(&rp1.asks().with("prompt", "none").with("login_hint", "con@a.test")).await;
    assert_eq!(arrival.error().0, "login_required");
}

#[tokio::test]
async fn a_hint_may_be_the_id_of_a_user() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (mut ann, mut con) = (Person::new("ann@a.test"), Person::new("con@a.test"));
    let ask = rp1.asks();
    let of_ann = ask.redeems(&ann.follows(&ask).await).await.id["sub"].as_str().unwrap().to_owned();
    con.acts_for(&rp1.asks(), "A Corporation").await.code();
    let silent = |hint: &str| rp1.asks().with("prompt", "none").with("login_hint", hint);
    ann.follows(&silent(&of_ann)).await.code();
    let before = house.before().await;
    let arrival = con.follows(&silent(&of_ann).with("organization", "org-a")).await;
    assert_eq!(arrival.error().0, "login_required", "somebody else is here");
    house.refused(&before, "login_required").await;
    // Whoever is not here yet is asked, as with one that is nobody's (threats M01), and the id is told to no provider.
    for id in [of_ann, UserId::from_u128(7).to_string()] {
        let arrival = Person::new("ann@a.test").follows(&rp1.asks().with("login_hint", &id)).await;
        assert_eq!(arrival.pages.len(), 1);
        arrival.code();
        assert_eq!(house.idp_a.was_asked("login_hint").as_deref(), Some("ann@a.test"));
    }
}

#[tokio::test]
async fn whatever_fails_prompt_none_is_answered_at_the_application() {
    let house =
        Plan { settings: |config| config.login.flows_per_minute = 2, ..Plan::default() }.build().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let first = rp1.asks();
    let arrival = ann.follows(&first).await;
    let hint = first.redemption(&arrival.code()).send().await.json()["id_token"].as_str().unwrap().to_owned();
    let ask = || rp1.asks().with("prompt", "none");
    let known = ask().with("id_token_hint", &hint);
    for (what, table, ask, is_ann) in [
        ("memberships cannot be read", "memberships", ask(), true),
        ("sessions cannot be read", "sessions", ask(), true),
        ("keys cannot be read", "signing_keys", known.clone(), true),
        ("a refusal cannot be written down", "audit_events", ask(), false),
        ("a wrong request cannot be written down", "audit_events", ask().with("scope", "nothing"), true),
    ] {
        house.execute(&format!("ALTER TABLE {table} RENAME TO gone")).await;
        let mut stranger = Person::new("");
        let person = if is_ann { &mut ann } else { &mut stranger };
        let arrival = person.browser.get(&ask.url()).await;
        house.execute(&format!("ALTER TABLE gone RENAME TO {table}")).await;
        assert_eq!(arrival.status, 303, "{what}: {}", arrival.body);
        let to = arrival.location().unwrap();
        let told: std::collections::BTreeMap<_, _> = to.query_pairs().into_owned().collect();
        assert!(to.as_str().starts_with("https://rp1.test/callback?"), "{what}: {to}");
        assert_eq!(told["error"], "server_error", "{what}");
        assert!(told["error_description"].contains("req_"), "{what}: something to quote");
        assert_eq!((told.get("state").map(String::as_str), &told["iss"]), (ask.value("state"), &house.url));
    }
    // By POST there is a flow to be kept, of which there may be only so many.
    let posts = async |ask: &Ask| {
        let (endpoint, query) = ask.url().split_once('?').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let fields: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Visitor::arrives().post_form(&endpoint, &fields).await
    };
    house.turn_clock(61);
    for _ in 0..2 {
        assert!(posts(&ask()).await.location().unwrap().path().starts_with("/login/flow_"));
    }
    let before = house.before().await;
    let to = posts(&ask()).await.location().unwrap();
    assert!(to.as_str().starts_with("https://rp1.test/callback?error=temporarily_unavailable&"), "{to}");
    house.refused(&before, "too_many_requests").await;
    ann.follows(&known).await.code();
}

#[tokio::test]
async fn an_id_token_that_comes_as_a_hint_names_who_is_meant_however_old_it_is() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let first = rp1.asks();
    let arrival = ann.follows(&first).await;
    let answer = first.redemption(&arrival.code()).send().await;
    let (hint, of_ann) = (answer.json()["id_token"].as_str().unwrap().to_owned(), first.reads(&answer).await);
    let hinted = || rp1.asks().with("id_token_hint", &hint);
    // The key that signed it is published no more.
    let kid = behalf::protocol::jose::Jws::parse(&hint).unwrap().kid().unwrap().to_owned();
    let project = behalf::store::durable::projects::by_slug(&mut &house.broker.db, "default").await.unwrap();
    house.broker.keyring.rotate(project.unwrap().id, None, false).await.unwrap();
    house.turn_clock(3 * 86_400);
    let keys = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await;
    assert!(!keys.body.contains(&kid), "{}", keys.body);
    let ask = hinted();
    let arrival = ann.follows(&ask).await;
    assert_eq!(ask.redeems(&arrival).await.id["sub"], of_ann.id["sub"]);
    // Somebody else comes: the application did not ask for them.
    let mut con = Person::new("con@a.test");
    let before = house.count("grants").await;
    let told = con.follows(&hinted()).await.error();
    assert_eq!(told, ("login_required".into(), "nobody is signed in as it was asked for".into()));
    assert_eq!(house.count("grants").await, before);
    // Nor is it they who stand there already.
    assert_eq!(con.follows(&hinted().with("prompt", "none")).await.error().0, "login_required");
    // Whoever says that they are another one, is.
    let ask = hinted();
    let mut con = Person::new("con@a.test");
    let page = con.browser.get(&ask.url()).await;
    let another = page.forms().into_iter().find(|form| form.action.path().ends_with("/restart")).unwrap();
    let page = con.browser.submit(&another).await;
    let picker = con.goes_on(&ask, page).await;
    let arrival = con.picks(&ask, &picker, "A Corporation").await;
    assert_eq!(ask.redeems(&arrival).await.id["email"], json!("con@a.test"));
    // A token of nobody of ours, or a changed one, names nobody.
    for wrong in ["x", &hint[..hint.len() - 4], &hint.replacen('.', "x.", 1)] {
        assert_eq!(ann.follows(&rp1.asks().with("id_token_hint", wrong)).await.error().0, "invalid_request");
    }
}

#[tokio::test]
async fn an_organization_that_wants_a_younger_sign_in_is_listed_without_roles() {
    let b = "[organization.org-b]\ndisplay_name = \"B Corporation\"\n";
    let house = Plan::default().with(b, &format!("{b}policy = {{ max_age = 600 }}\n")).build().await;
    let rp1 = Application::rp1(&house);
    let mut con = Person::new("con@a.test");
    let mut roles_of_b = async || {
        let ask = rp1.asks().with("login_hint", "con@a.test").with("organization", "org-a");
        let arrival = con.follows(&ask).await;
        let id = ask.redeems(&arrival).await.id;
        let list = id["organizations"].as_array().unwrap().clone();
        list.into_iter().find(|one| one["name"] == json!("org-b")).unwrap()["roles"].clone()
    };
    assert_eq!(roles_of_b().await, json!(["member"]));
    house.turn_clock(599);
    assert_eq!(roles_of_b().await, json!(["member"]));
    house.turn_clock(2);
    let roles = roles_of_b().await;
    assert!(roles.is_null() || roles == json!([]), "what check 8 would refuse gives no roles: {roles}");
}

#[tokio::test]
async fn m17_prompt_login_wants_a_new_proof_and_an_old_one_is_refused() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let first = rp1.asks();
    let arrival = ann.follows(&first).await;
    let first = first.redeems(&arrival).await;
    house.turn_clock(600);
    let ask = rp1.asks().with("prompt", "login");
    let arrival = ann.follows(&ask).await;
    assert_eq!(house.idp_a.was_asked("prompt").as_deref(), Some("login"));
    assert_eq!(house.idp_a.was_asked("max_age").as_deref(), Some("0"));
    let again = ask.redeems(&arrival).await;
    let time = |claims: &Value| claims["auth_time"].as_i64().unwrap();
    assert_eq!(time(&again.id), time(&first.id) + 600);
    assert_eq!(again.id["sub"], first.id["sub"]);

    house.turn_clock(600);
    house.idp_a.says(Says::truth().claim("auth_time", &time(&again.id).to_string()));
    for (name, value) in [("prompt", "login"), ("max_age", "0")] {
        let before = house.before().await;
        let arrival = ann.follows(&rp1.asks().with(name, value)).await;
        assert_eq!(arrival.error(), ("login_required".into(), "authentication_too_old".into()), "{name}");
        house.refused(&before, "authentication_too_old").await;
    }
}

#[tokio::test]
async fn m17_max_age_is_kept_to() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    ann.follows(&rp1.asks()).await.code();
    house.turn_clock(59);
    assert!(ann.follows(&rp1.asks().with("max_age", "60")).await.pages.is_empty());
    house.turn_clock(10);
    let ask = rp1.asks().with("max_age", "60");
    let arrival = ann.follows(&ask).await;
    assert_eq!(house.idp_a.was_asked("max_age").as_deref(), Some("60"));
    let tokens = ask.redeems(&arrival).await;
    assert_eq!(tokens.id["auth_time"], json!(house.clock.now().seconds()));
    // The provider has a session of its own, older than the application will have it.
    house.turn_clock(600);
    house.idp_a.says(Says::truth().claim("auth_time", &tokens.id["auth_time"].to_string()));
    let before = house.before().await;
    let arrival = ann.follows(&rp1.asks().with("max_age", "60")).await;
    assert_eq!(arrival.error(), ("login_required".into(), "authentication_too_old".into()));
    house.refused(&before, "authentication_too_old").await;
}

#[tokio::test]
async fn m17_a_provider_that_does_not_say_when_somebody_signed_in_is_told_so_to_all_whom_it_concerns() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    let silent = || house.idp_a.says(Says::truth().without("auth_time"));
    for (name, value) in [("prompt", "login"), ("max_age", "0"), ("max_age", "60")] {
        silent();
        let ask = rp1.asks().with(name, value);
        let before = house.before().await;
        let page = ann.follows(&ask).await;
        assert_eq!(page.status(), 403, "{name}={value}: {}", page.told());
        assert!(page.answer.body.contains("We could not tell when you signed in"), "{}", page.told());
        house.refused(&before, "auth_time_missing").await;
        let event = house.events_since(&before).await.remove(0);
        assert_eq!(event.detail["check"], json!("auth_time_missing"));
        assert_eq!(event.detail["found"], json!("no auth_time"));
        assert!(event.detail["expected"].as_str().unwrap().starts_with("auth_time in the ID token"));
        assert_eq!(event.detail["connection"], json!(house.connection("ca").await));

        // Whoever goes back brings the application its answer.
        let before = house.before().await;
        let answer = ann.browser.submit(&page.form_with("cancel").with("cancel", "yes")).await;
        let back = ann.goes_on(&ask, answer).await;
        assert_eq!(back.error(), ("login_required".into(), "auth_time_missing".into()), "{name}={value}");
        house.refused(&before, "cancelled").await;

        // Whoever uses another account first, and then gives up, has just given up.
        silent();
        let ask = rp1.asks().with(name, value);
        let page = ann.follows(&ask).await;
        let another = page.form_with("another_account").with("another_account", "yes");
        let email = ann.browser.submit(&another).await;
        let cancel =
            email.forms().into_iter().find(|form| form.buttons.iter().any(|(name, _)| name == "cancel"));
        let answer = ann.browser.submit(&cancel.unwrap().with("cancel", "yes")).await;
        assert_eq!(ann.goes_on(&ask, answer).await.error(), ("access_denied".into(), "cancelled".into()));
    }
    // Nobody asked: then it need not be said.
    silent();
    ann.follows(&rp1.asks()).await.code();
}

#[tokio::test]
async fn select_account_and_select_organization_ask_again() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (mut ann, mut con) = (Person::new("ann@a.test"), Person::new("con@a.test"));
    con.acts_for(&rp1.asks(), "A Corporation").await.code();
    let ask = rp1.asks().with("prompt", "select_account");
    let picker = con.follows(&ask).await;
    assert!(picker.is_picker());
    assert_eq!(picker.pages.len(), 2, "the email page, then the picker");
    assert_eq!(house.idp_a.was_asked("prompt").as_deref(), Some("select_account"));
    con.picks(&ask, &picker, "B Corporation").await.code();

    ann.follows(&rp1.asks()).await.code();
    let hits = house.idp_a.hits("/authorize");
    let picker = ann.follows(&rp1.asks().with("prompt", "select_organization")).await;
    assert_eq!((picker.choices(), picker.pages.len()), (vec!["A Corporation".to_owned()], 1));
    assert_eq!(house.idp_a.hits("/authorize"), hits, "the session is good");
}

#[tokio::test]
async fn whose_session_ends_because_somebody_else_signs_in_is_in_the_trail() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks();
    let mut ann = Person::new("ann@a.test");
    let arrival = ann.follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    let session = house.text("SELECT id FROM sessions").await.unwrap();
    let before = house.before().await;
    let mut bob = Person { browser: ann.browser, email: "bob@b.test".to_owned() };
    bob.follows(&rp1.asks().with("prompt", "select_account")).await.code();
    assert_eq!(rp1.refreshes(tokens.refresh()).send().await.status, 400);
    let events = house.events_since(&before).await;
    let ended: Vec<_> = events.iter().filter(|event| event.action == "session.ended").collect();
    assert_eq!(ended.len(), 1, "{events:?}");
    assert_eq!(ended[0].detail["cause"], json!("somebody_else_signed_in"));
    assert_eq!(ended[0].actor, house.user("bob@b.test").await);
    let of_it =
        format!("SELECT id FROM audit_events WHERE action = 'session.ended' AND subject = '{session}'");
    assert!(house.text(&of_it).await.is_some());
}

#[tokio::test]
async fn who_comes_back_under_another_address_is_in_the_trail_with_the_one_before() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    house.idp_a.says(Says::that("a-1", "ann@a.test"));
    Person::new("ann@a.test").follows(&rp1.asks()).await.code();
    let before = house.before().await;
    Person::new("ann@a.test").follows(&rp1.asks()).await.code();
    assert!(house.events_since(&before).await.iter().all(|event| event.action != "user.updated"));
    house.idp_a.says(Says::that("a-1", "newer@a.test"));
    Person::new("ann@a.test").follows(&rp1.asks()).await.code();
    assert_eq!(house.events_of("user.updated").await, 1);
    let told = async |column: &str| {
        let sql = format!("SELECT {column} FROM audit_events WHERE action = 'user.updated'");
        serde_json::from_str::<Value>(&house.text(&sql).await.unwrap()).unwrap()
    };
    assert_eq!(told("before").await["email"], json!("ann@a.test"));
    assert_eq!(told("after").await["email"], json!("newer@a.test"));
}

#[tokio::test]
async fn s2_10_a_requested_organization_skips_the_picker() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let b = house.organization("org-b").await;
    let mut con = Person::new("con@a.test");
    for (name, value) in [
        ("organization", "org-b".to_owned()),
        ("organization", b.clone()),
        ("organization_id", b.clone()),
        ("scope", "openid organization:org-b".to_owned()),
    ] {
        let ask = rp1.asks().with("login_hint", "con@a.test").with(name, &value);
        let arrival = con.follows(&ask).await;
        assert!(arrival.pages.is_empty(), "{name}={value}: {:?}", arrival.pages);
        assert_eq!(ask.redeems(&arrival).await.id["org_id"], json!(b), "{name}={value}");
    }
    let all = rp1.asks().with("scope", "openid organization:*");
    let arrival = con.follows(&all).await;
    let tokens = all.redeems(&arrival).await;
    assert_eq!(tokens.id["org_id"], Value::Null);
    assert_eq!(tokens.id["organizations"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_foreign_and_an_unknown_organization_are_refused_in_the_same_words() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    ann.follows(&rp1.asks()).await.code();
    let mut told = BTreeSet::new();
    let b = house.organization("org-b").await;
    for organization in ["org-b", "org-c", "nobody", &b, "org_00000000000000000000000000"] {
        let before = house.before().await;
        let arrival = ann.follows(&rp1.asks().with("state", "s").with("organization", organization)).await;
        told.insert(arrival.answer.location().unwrap().to_string());
        house.refused(&before, "organization_not_allowed").await;
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told.first().unwrap().contains("error=access_denied"));
}

#[tokio::test]
async fn another_account_ends_the_first_ones_session() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut person = Person::new("con@a.test");
    let first = rp1.asks();
    let arrival = person.acts_for(&first, "A Corporation").await;
    let first = first.redeems(&arrival).await;
    let ask = rp1.asks();
    let picker = person.follows(&ask).await;
    person.email = "bob@b.test".to_owned();
    let page = person.browser.submit(&picker.form_with("another_account")).await;
    let arrival = person.goes_on(&ask, page).await;
    let second = ask.redeems(&arrival).await;
    assert_eq!(second.id["email"], json!("bob@b.test"));
    assert_ne!((&second.id["sub"], &second.id["sid"]), (&first.id["sub"], &first.id["sid"]));
    assert_eq!(rp1.userinfo(&first.access_token).await.status, 401);
    assert_eq!(
        house.text("SELECT CAST(COUNT(*) AS TEXT) FROM sessions WHERE ended_at IS NULL").await.unwrap(),
        "1"
    );
}

#[tokio::test]
async fn cancel_leads_back_to_the_application_without_a_code() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut con = Person::new("con@a.test");
    let ask = rp1.asks();
    // At the first page, before anybody is known.
    let before = house.before().await;
    let page = con.browser.get(&ask.url()).await;
    let form = page.forms().into_iter().find(|form| form.buttons.iter().any(|(name, _)| name == "cancel"));
    let answer = con.browser.submit(&form.unwrap()).await;
    assert_eq!(con.goes_on(&ask, answer).await.error(), ("access_denied".into(), "cancelled".into()));
    house.refused(&before, "cancelled").await;
    assert_eq!(house.idp_a.hits("/authorize"), 0);
    let picker = con.follows(&ask).await;
    assert!(picker.is_picker());
    let before = house.before().await;
    let cancel = picker.form_with("cancel");
    let answer = con.browser.submit(&cancel).await;
    let arrival = con.goes_on(&ask, answer).await;
    assert_eq!(arrival.error(), ("access_denied".into(), "cancelled".into()));
    assert_eq!(arrival.told_application("state").as_deref(), ask.value("state"));
    house.refused(&before, "cancelled").await;
    // The flow is over.
    let again = con.browser.submit(&cancel).await;
    assert_eq!(again.status, 403);
    house.unchanged(&before).await;
}

#[tokio::test]
async fn the_pages_speak_german_where_the_application_asks_for_it() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut con = Person::new("con@a.test");
    let ask = rp1.asks().with("ui_locales", "de-AT de en");
    let picker = con.follows(&ask).await;
    assert!(picker.pages[0].contains("Bei First App anmelden"), "{}", picker.pages[0]);
    assert!(picker.pages[1].contains("Für wen handeln Sie?"));
    assert!(picker.pages.iter().all(|page| page.contains("lang=\"de\"")));
}

#[tokio::test]
async fn s2_04_s2_05_s2_06_s2_07_s2_08_each_application_has_organizations_in_its_own_shape() {
    let shapes = ["objects", "names", "ids", "map_by_name", "map_by_id"];
    let mut plan = Plan::default();
    for shape in shapes {
        plan = plan.and(&format!(
            r#"
[application.{}]
display_name = "{shape}"
type = "spa"
token_endpoint_auth_method = "none"
redirect_uris = ["https://{}.test/callback"]
scopes = ["openid", "organizations"]
claims = {{ organizations = "{shape}" }}
"#,
            client(shape),
            client(shape),
        ));
    }
    let house = plan.build().await;
    let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
    let mut con = Person::new("con@a.test");
    con.acts_for(&Application::rp1(&house).asks(), "A Corporation").await.code();
    for shape in shapes {
        let application = Application::new(&house, &client(shape), Proof::Nothing);
        let ask = application.asks().with("scope", "openid organizations").with("organization", "org-a");
        let arrival = con.follows(&ask).await;
        let tokens = ask.redeems(&arrival).await;
        let told = application.userinfo(&tokens.access_token).await.json();
        for claims in [&tokens.id, &tokens.access, &told] {
            let list = &claims["organizations"];
            match shape {
                "objects" => {
                    assert_eq!(list[0]["id"], json!(a));
                    assert_eq!(list[1]["name"], json!("org-b"));
                    assert_eq!(list[1]["display_name"], json!("B Corporation"));
                    assert_eq!(list[1]["roles"], json!(["member"]));
                }
                "names" => assert_eq!(set(list), BTreeSet::from(["org-a".into(), "org-b".into()])),
                "ids" => assert_eq!(set(list), BTreeSet::from([a.clone(), b.clone()])),
                "map_by_name" => {
                    assert_eq!(claims["organization"]["org-a"]["id"], json!(a));
                    assert_eq!(claims["organization"]["org-b"]["id"], json!(b));
                    assert_eq!(*list, Value::Null);
                }
                _ => {
                    assert_eq!(list[&a]["name"], json!("org-a"));
                    assert_eq!(list[&b]["name"], json!("org-b"));
                }
            }
        }
    }
}

#[tokio::test]
async fn s2_04_a_token_lists_what_it_has_room_for_and_says_where_all_of_them_are() {
    let shapes = ["objects", "names", "ids", "map_by_name", "map_by_id"];
    let mut plan = Plan::default();
    for shape in shapes {
        plan = plan.and(&format!(
            "\n[application.{0}]\ndisplay_name = \"{shape}\"\ntype = \"spa\"\n\
             redirect_uris = [\"https://{0}.test/callback\"]\nscopes = [\"openid\", \"organizations\"]\n\
             audiences = [\"https://api.test\"]\n\
             claims = {{ organizations = \"{shape}\", org_name = \"display_name\" }}\n",
            client(shape),
        ));
    }
    let long = "é".repeat(40);
    for number in 0..80 {
        plan = plan.and(&format!("\n[organization.many-{number}]\ndisplay_name = \"{long} {number}\"\n"));
    }
    let house = plan.build().await;
    let mut bob = Person::new("bob@b.test");
    let rp1 = Application::rp1(&house).asks();
    let user = rp1.redeems(&bob.follows(&rp1).await).await.id["sub"].as_str().unwrap().to_owned();
    for number in 0..80 {
        house.joins(user.parse().unwrap(), &format!("many-{number}"), &["member"]).await;
    }
    for shape in shapes {
        let application = Application::new(&house, &client(shape), Proof::Nothing);
        let ask = application.asks().with("scope", "openid organizations").with("organization", "org-b");
        let tokens = ask.redeems(&bob.follows(&ask).await).await;
        assert!(tokens.access_token.len() < 4096, "{shape}: {}", tokens.access_token.len());
        let name = if shape == "map_by_name" { "organization" } else { "organizations" };
        let many = |claims: &Value| match &claims[name] {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            other => panic!("{shape}: {other}"),
        };
        let told = application.userinfo(&tokens.access_token).await.json();
        assert_eq!((many(&told), &told["organizations_truncated"]), (81, &Value::Null), "{shape}");
        for claims in [&tokens.id, &tokens.access] {
            assert!((5..=64).contains(&many(claims)), "{shape}: {}", many(claims));
            assert_eq!(claims["organizations_truncated"], json!(true), "{shape}");
            let endpoint = format!("{}/userinfo", house.url);
            assert_eq!(claims["organizations_endpoint"], json!(endpoint), "{shape}");
        }
        // Whose token does not open that is not sent there.
        let ask = ask.with("resource", "https://api.test");
        let tokens = ask.redeems(&bob.follows(&ask).await).await;
        assert_eq!(application.userinfo(&tokens.access_token).await.status, 401, "{shape}");
        for claims in [&tokens.id, &tokens.access] {
            assert_eq!(claims["organizations_truncated"], json!(true), "{shape}");
            assert_eq!(claims["organizations_endpoint"], Value::Null, "{shape}");
        }
    }
}

fn client(shape: &str) -> String {
    format!("shape-{}", shape.replace('_', "-"))
}

#[tokio::test]
async fn an_application_gets_the_signatures_it_can_read() {
    let mut plan = Plan::default();
    for algorithm in ["ES256", "EdDSA"] {
        let id = algorithm.to_lowercase();
        plan = plan.and(&format!(
            r#"
[application.{id}]
display_name = "{algorithm}"
type = "spa"
token_endpoint_auth_method = "none"
redirect_uris = ["https://{id}.test/callback"]
scopes = ["openid"]
signing_algorithm = "{algorithm}"
"#
        ));
    }
    let house = plan.build().await;
    let mut ann = Person::new("ann@a.test");
    for (id, algorithm) in
        [("rp1", Algorithm::RS256), ("es256", Algorithm::ES256), ("eddsa", Algorithm::EdDSA)]
    {
        let mut application = Application::new(&house, id, Proof::Nothing);
        if id == "rp1" {
            application = Application::rp1(&house);
        }
        let ask = application.asks().with("scope", "openid");
        let arrival = ann.follows(&ask).await;
        let tokens = ask.redeems(&arrival).await;
        assert_eq!(tokens.algorithm, algorithm);
        assert_eq!(application.userinfo(&tokens.access_token).await.status, 200, "{id}");
    }
}

#[tokio::test]
async fn m07_a_client_signs_its_assertions_and_none_is_good_twice() {
    let key = Arc::new(SigningKey::generate(Algorithm::ES256, "client key").unwrap());
    let mut plan = Plan::default().and(
        r#"
[application.signer]
display_name = "Signer"
type = "web"
token_endpoint_auth_method = "private_key_jwt"
jwks = { file = "signer.jwks.json" }
redirect_uris = ["https://signer.test/callback"]
scopes = ["openid"]
"#,
    );
    plan.files.push(("signer.jwks.json".into(), json!({ "keys": [key.public_jwk()] }).to_string()));
    let house = plan.build().await;
    let signer = Application::new(&house, "signer", Proof::Key(Arc::clone(&key)));
    let mut ann = Person::new("ann@a.test");
    let now = house.clock.now().seconds();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let code = async |ann: &mut Person| {
        let ask = signer.asks().with("scope", "openid");
        let code = ann.follows(&ask).await.code();
        ask.redemption(&code).with("client_assertion_type", kind)
    };

    let assertion = signer.assertion(now, "once");
    let redemption = code(&mut ann).await.with("client_assertion", &assertion);
    let answer = redemption.send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let replayed = code(&mut ann).await.with("client_assertion", &assertion).send().await;
    assert_eq!((replayed.status.as_u16(), replayed.json()["error"].clone()), (401, json!("invalid_client")));
    // Others' keys, other methods, too old, too long.
    let stranger = SigningKey::generate(Algorithm::ES256, "client key").unwrap();
    let forged = signer.clone().proving(Proof::Key(Arc::new(stranger)));
    for bad in [
        forged.assertion(now, "forged"),
        signer.assertion(now - 120, "old"),
        signer.assertion(now + 600, "long"),
    ] {
        let answer = code(&mut ann).await.with("client_assertion", &bad).send().await;
        assert_eq!(answer.json()["error"], json!("invalid_client"));
    }
    let by_secret = signer.clone().proving(Proof::Post("x".repeat(40)));
    let answer = code(&mut ann).await.without("client_assertion_type").by(&by_secret).send().await;
    assert_eq!(answer.json()["error"], json!("invalid_client"));
    assert_eq!(house.facts().await.rows("sessions"), 1);
    let issued = house.audit().await.iter().filter(|event| event.action == "token.issued").count();
    assert_eq!(issued, 1);
}

const METHODS: &str = r#"
[connection.club]
type = "oidc"
display_name = "The Club"
issuer = "{idp_a}"
client_id = "behalf"
client_secret = { env = "CA_SECRET" }

[connection.social]
type = "oidc"
display_name = "Social"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }
"#;

#[tokio::test]
async fn s2_16_an_application_offers_providers_of_no_domain_by_name() {
    let offers = "claims = { idp = true }\nconnections = [\"social\", \"club\"]\ndomain_based = false";
    let house = Plan::default().with("claims = { idp = true }", offers).and(METHODS).build().await;
    let rp1 = Application::rp1(&house);
    for (place, name, email) in [(0, "social", "dan@mail.test"), (1, "club", "eve@mail.test")] {
        let (ask, mut person) = (rp1.asks(), Person::new(email));
        let first = person.browser.get(&ask.url()).await;
        let page = person.walks(&ask, first, |_| false).await;
        let form = page.form_with("connection");
        let values: Vec<_> = form.buttons.iter().map(|(_, value)| value.clone()).collect();
        assert_eq!(
            values,
            [house.connection("social").await, house.connection("club").await],
            "in its order"
        );
        for label in ["Social", "The Club"] {
            assert!(page.answer.body.contains(label), "{}", page.answer.body);
        }
        let idp = if name == "social" { &house.idp_b } else { &house.idp_a };
        idp.says(Says::that(email, email));
        let next = person.browser.submit(&form.with("connection", &values[place])).await;
        let arrival = person.goes_on(&ask, next).await;
        assert_eq!(ask.redeems(&arrival).await.id["idp"], json!(house.connection(name).await), "{name}");
        // By name in the request, nobody needs to choose.
        let named = rp1.asks().with("connection", name);
        let arrival = Person::new(email).follows(&named).await;
        assert_eq!(named.redeems(&arrival).await.id["idp"], json!(house.connection(name).await));
    }
    // A domain leads nowhere here, and what is not offered is no way in.
    let facts = house.facts().await;
    let typed = Person::new("ann@a.test").follows(&rp1.asks()).await;
    assert_eq!(typed.status(), 422, "{}", typed.told());
    for name in ["ca", "cb", "none"] {
        let refused = Person::new("ann@a.test").follows(&rp1.asks().with("connection", name)).await;
        assert!(refused.told_application("code").is_none(), "{name}: {}", refused.told());
    }
    assert_eq!(house.facts().await, facts);
}

#[tokio::test]
async fn s1_w3_what_one_organization_sets_up_changes_nothing_for_the_people_of_others() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let rp1 = Application::rp1(&house);
        let come = async |email: &str| {
            let arrival = Person::new(email).follows(&rp1.asks()).await;
            (arrival.told_application("code").is_some(), arrival.status(), arrival.pages.len())
        };
        let (ann, bob, stranger) =
            (come("ann@a.test").await, come("bob@b.test").await, come("x@c.test").await);
        assert!(ann.0 && bob.0 && !stranger.0);
        let domain = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let domain = format!("/organizations/org-a/domains/{domain}");
        let policy = "/organizations/org-a/policy";
        for (path, body) in [
            (policy, json!({"enforcement": "required"})),
            (policy, json!({"max_age": 60, "require_mfa": true})),
            (
                policy,
                json!({"enforcement": "off", "max_age": null, "require_mfa": false, "log_in_with_oidc": false}),
            ),
            (policy, json!({"log_in_with_oidc": null})),
            (&domain, json!({"use_for_routing": false})),
        ] {
            let changed = operator.patch(&format!("{path}?force=true"), body.clone()).await;
            assert_eq!(changed.status, 200, "{body}: {}", changed.body);
            assert_eq!((come("bob@b.test").await, come("x@c.test").await), (bob, stranger), "{body}");
        }
        assert!(!come("ann@a.test").await.0, "her own way is switched off");
        assert_eq!(operator.patch(&domain, json!({"use_for_routing": true})).await.status, 200);
        assert_eq!(come("ann@a.test").await, ann);
    }
}

#[tokio::test]
async fn s3_35_a_file_that_gives_somebody_two_organizations_of_an_exclusive_project_is_refused() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let own = "display_name = \"Acme Cloud\"\nmembership_mode = \"exclusive\"\n";
        let house = Plan::on(engine).with("display_name = \"Acme Cloud\"\n", own).build().await;
        let ask = Application::rp1(&house).asks();
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        ask.redeems(&arrival).await;
        let head = "[project]\nslug = \"default\"\n\n";
        let connection = |slug: &str, owner: &str, assigned: &str| {
            format!(
                "[connection.{slug}]\n{owner}type = \"oidc\"\nissuer = \"{{idp_a}}\"\nclient_id = \"behalf\"\n\
                 client_secret = {{ env = \"CA_SECRET\" }}\njit = \"create_and_join\"\n\
                 assign_organizations = [{assigned}]\n"
            )
        };
        let of_a = "organization = \"org-a\"\n";
        let twice = "[organization.org-b]\nmembers = [{ email = \"new@a.test\" }]\n[organization.org-c]\nmembers = \
                     [{ email = \"NEW@a.test\" }]\n";
        for (place, told, text) in [
            (
                "6:",
                "ann@a.test has a membership of org-a already",
                "[organization.org-c]\nmembers = [\n  { email = \"Ann@a.test\" },\n]\n".to_owned(),
            ),
            ("7:", "line 5 lists new@a.test in org-b", twice.to_owned()),
            ("11:", "cannot be joined as well", connection("ca", of_a, "\"org-a\", \"org-c\"")),
            ("10:", "cannot be joined as well", connection("social", "", "\"org-b\", \"org-c\"")),
        ] {
            let before = house.before().await;
            let error = house.tries(&format!("{head}{text}")).await.unwrap_err();
            let lines: Vec<_> = error.lines().collect();
            assert!(lines.len() == 1 && lines[0].contains(place) && lines[0].contains(told), "{error}");
            house.unchanged(&before).await;
        }
        // What may be, is taken.
        house.provision(&house.file).await;
        house.provision(&format!("{head}{}", connection("social", "", "\"org-c\""))).await;
    }
}

#[tokio::test]
async fn s3_35_an_address_is_one_users_in_an_organization_and_may_be_anothers_in_another() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let own = "display_name = \"Acme Cloud\"\nmembership_mode = \"exclusive\"\n";
        let mut house = Plan::on(engine).with("display_name = \"Acme Cloud\"\n", own).build().await;
        let rp1 = Application::rp1(&house);
        let come = async |email: &str| {
            let ask = rp1.asks();
            let arrival = Person::new(email).follows(&ask).await;
            match arrival.told_application("code") {
                Some(_) => Ok(ask.redeems(&arrival).await.id),
                None => Err(arrival.status()),
            }
        };
        let first = come("ann@a.test").await.unwrap();
        // Another subject of the same provider with her address is nobody.
        house.idp_a.says(Says::that("somebody-else", "ann@a.test"));
        let before = house.before().await;
        assert_eq!(come("ann@a.test").await.unwrap_err(), 409);
        house.refused(&before, "email_in_use_by_other_identity").await;
        // The domain passes to B: whoever has the address there is another person.
        house.execute("UPDATE domains SET state = 'removed', routing_since = NULL, trust_since = NULL WHERE name = 'a.test'").await;
        let claims = "[project]\nslug = \"default\"\n\n[[domain]]\nname = \"a.test\"\norganization = \"org-b\"\nconnections = [\"cb\"]\n\
                      use_for_routing = true\ntrust_email = true\n";
        house.provision(claims).await;
        house.prove_domains().await;
        house.idp_b.says(Says::that("ann-of-b", "ann@a.test"));
        let second = come("ann@a.test").await.unwrap();
        assert_ne!(second["sub"], first["sub"]);
        assert_eq!(second["org_id"], json!(house.organization("org-b").await));
        for claims in [&first, &second] {
            assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("ann@a.test"), &json!(true)));
        }
        let both = house.text("SELECT CAST(COUNT(*) AS TEXT) FROM users WHERE email = 'ann@a.test'").await;
        assert_eq!(both.as_deref(), Some("2"));
        assert_eq!(house.count("memberships").await, 2, "one each");
    }
}
