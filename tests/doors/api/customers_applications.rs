//! Applications that a customer owns (S0-25), and what is the operator's: of the project's roles they learn nothing, and what
//! they hold does not outlive that they are stopped.

use behalf::manage::house_file::Mode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Arrival, Ask, Person, Proof, consent_form};
use crate::house::broker::{Engine, House, Plan};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const CALLBACK: &str = "https://wiki.test/callback";

/// An organization that publishes, with an application of its own, as its owner makes it.
async fn owned(house: &House, operator: &Api, ann: &Api, more: Value) -> (String, Application) {
    let functions = json!({"functional_roles": ["idp_consumer", "app_publisher"]});
    assert_eq!(operator.patch("/organizations/org-a", functions).await.status, 200);
    let mut body = json!({"display_name": "Wiki", "redirect_uris": [CALLBACK]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = ann.post("/applications", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    let (id, secret) = (&made["application"]["client_id"], &made["client_secret"]);
    let proof = Proof::Basic(secret.as_str().unwrap().to_owned());
    let mut application = Application::new(house, id.as_str().unwrap(), proof);
    application.redirect_uri = CALLBACK.into();
    (format!("/applications/{}", made["application"]["id"].as_str().unwrap()), application)
}

/// As far as somebody is led who is asked, and the page that asks.
async fn is_led(person: &mut Person, ask: &Ask) -> Arrival {
    let first = person.browser.get(&ask.url()).await;
    person.walks(ask, first, |_| false).await
}

async fn allows(person: &mut Person, ask: &Ask, page: &Arrival) -> Arrival {
    let form = consent_form(&page.answer).unwrap_or_else(|| panic!("not asked: {}", page.told()));
    let next = person.browser.submit(&form.with("answer", "allow")).await;
    person.walks(ask, next, |_| false).await
}

#[tokio::test]
async fn s0_25_s1_w5_what_the_operator_has_made_of_somebody_is_nothing_to_a_customers_own_application() {
    for engine in ENGINES {
        let asked = "[application.rp2]\nconsent_required = true\norganization_usage = \"deny\"";
        let house = Plan::on(engine).with("[application.rp2]", asked).build().await;
        let operator = Api::operator(&house).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        Api::person(&house, "con@a.test", "org-a").await;
        let con = house.user("con@a.test").await;
        let role = json!({"name": "vendor_staff", "scope": "project", "permissions": ["invoices:refund"]});
        assert_eq!(operator.post("/roles", role).await.status, 201);
        let given = operator.patch(&format!("/users/{con}"), json!({"roles": ["vendor_staff"]})).await;
        assert_eq!(given.status, 200, "{}", given.body);
        let alone = json!({"organization_usage": "deny", "scopes": ["openid", "roles", "permissions"]});
        let (_, wiki) = owned(&house, &operator, &ann, alone).await;
        let ask = wiki.asks().with("scope", "openid roles permissions").with("login_hint", "con@a.test");
        let mut person = Person::new("con@a.test");
        let page = is_led(&mut person, &ask).await;
        for untrue in ["your roles", "what you may do", "runs this service lets", "what you are for"] {
            assert!(!page.answer.body.contains(untrue), "{untrue}: {}", page.told());
        }
        let code = allows(&mut person, &ask, &page).await;
        let tokens = ask.redeems(&code).await;
        for claims in [&tokens.id, &tokens.access] {
            let told = ["org_id", "roles", "permissions"].map(|name| claims.get(name));
            assert_eq!(told, [None; 3], "{claims}");
        }
        assert!(!wiki.userinfo(&tokens.access_token).await.body.contains("vendor_staff"));

        // An application of the operator's is told, and the person what that is.
        let own = Application::rp2(&house).asks().with("scope", "openid roles permissions");
        let page = is_led(&mut person, &own).await;
        for said in
            ["what you are for whoever runs this service", "what whoever runs this service lets you do"]
        {
            assert!(page.answer.body.contains(said), "{said}: {}", page.told());
        }
        assert!(!page.answer.body.contains("organization that you act for"), "{}", page.told());
        let code = allows(&mut person, &own, &page).await;
        assert_eq!(own.redeems(&code).await.id["roles"], json!(["vendor_staff"]));
    }
}

#[tokio::test]
async fn h03_what_a_customers_application_held_when_it_was_stopped_stays_dead() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let more = json!({"grant_types": ["authorization_code", "refresh_token", "client_credentials"]});
        let (path, wiki) = owned(&house, &operator, &ann, more).await;
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        // The operator opens it to another customer's people.
        let opened = operator.patch(&path, json!({"organizations": [a, b]})).await;
        assert_eq!(opened.status, 200, "{}", opened.body);
        let ask = wiki.asks().with("scope", "openid organization").with("organization", "org-b");
        let mut bob = Person::new("bob@b.test");
        let page = is_led(&mut bob, &ask).await;
        let code = allows(&mut bob, &ask, &page).await;
        let tokens = ask.redeems(&code).await;
        assert_eq!(wiki.userinfo(&tokens.access_token).await.status, 200);
        for act in ["deactivate", "reactivate"] {
            let path = format!("/organizations/org-a/{act}");
            let done = operator.send(Method::POST, &path, |request| request).await;
            assert!(done.status.is_success(), "{}", done.body);
        }
        assert_eq!(operator.get(&path).await.json()["stopped"], json!(false), "it goes on");
        let before = house.before().await;
        let refreshed = wiki.refreshes(tokens.refresh()).send().await;
        assert_eq!((refreshed.status.as_u16(), &refreshed.json()["error"]), (400, &json!("invalid_grant")));
        house.unchanged(&before).await;
        assert_eq!(wiki.userinfo(&tokens.access_token).await.status, 401);
    }
}

#[tokio::test]
async fn s0_25_what_is_refused_names_what_stands_there_and_one_organization_has_one_meaning() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let (path, wiki) = owned(&house, &operator, &ann, json!({"organizations": ["org-a"]})).await;
    let again = ann.patch(&path, json!({"organizations": [house.organization("org-a").await]})).await;
    assert_eq!(again.status, 200, "{}", again.body);
    let before = house.before().await;
    let refused = ann.post("/applications", json!({"display_name": "TV", "type": "device"})).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], json!("/type"), "{}", refused.body);
    let mut body = json!({"display_name": "Wiki", "redirect_uris": [CALLBACK]});
    for others in [json!(["org-a", "org-b"]), json!(["org-b"]), json!(["nobody"]), json!([]), Value::Null] {
        body["organizations"] = others;
        let refused = ann.post("/applications", body.clone()).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["code"]),
            (403, &json!("operator_required")),
            "{body}"
        );
        assert_eq!(refused.json()["errors"][0]["pointer"], json!("/organizations"));
    }
    house.unchanged(&before).await;
    // A file that takes away what lets it publish says what that stops.
    let report = house.reports(&house.file, Mode::Plan).await;
    let stopped = format!(
        "application {}: stopped, and what it held ended: organization org-a may own none",
        wiki.client_id
    );
    assert_eq!(report.warnings, [stopped]);
    house.unchanged(&before).await;
    // What a deleted organization owned is nowhere.
    let id = path.rsplit('/').next().unwrap();
    assert!(operator.get("/applications").await.body.contains(id));
    let gone = operator.send(Method::DELETE, "/organizations/org-a?confirm=org-a", |request| request).await;
    assert!(gone.status.is_success(), "{}", gone.body);
    assert!(!operator.get("/applications").await.body.contains(id));
    assert_eq!(operator.get(&path).await.status, 404);
}

#[tokio::test]
async fn c22_s0_22_an_application_of_others_gets_a_token_and_moves_nobodys_browser() {
    for engine in ENGINES {
        let others = "[application.rp1]\nconsent_required = true";
        let house = Plan::on(engine).with("[application.rp1]", others).build().await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let b = house.organization("org-b").await;
        let elsewhere = format!(
            "UPDATE sessions SET current_organization_id = '{b}',
                                 current_epoch = (SELECT epoch FROM organizations WHERE id = '{b}')"
        );
        house.execute(&elsewhere).await;
        let current = "SELECT current_organization_id FROM sessions";
        let switched = con.post("/organizations/switch", json!({"organization_id": "org-a"})).await;
        assert_eq!(switched.status, 200, "{}", switched.body);
        assert!(switched.json()["token"].is_object(), "{}", switched.body);
        assert_eq!(house.text(current).await, Some(b));
        assert_eq!(house.events_of("session.organization_switched").await, 0);
    }
}
