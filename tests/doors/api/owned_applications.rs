//! Applications that an organization owns (S0-25): its own administrators see to them, nobody else's people are led to them
//! unasked, and they are out of service while it may own none.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::{refusal, told};
use crate::house::api::Api;
use crate::house::application::{Application, Arrival, Ask, Person, Proof, consent_form};
use crate::house::broker::{Before, Engine, House, Plan};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn body() -> Value {
    json!({"display_name": "Wiki", "redirect_uris": ["https://wiki.test/callback"]})
}

fn with(name: &str, value: Value) -> Value {
    let mut body = body();
    body[name] = value;
    body
}

/// Nothing was stored, and every attempt stands in the trail as refused for this.
async fn only_refused(house: &House, before: &Before, reason: &str) {
    house.unchanged(before).await;
    let events = house.events_since(before).await;
    assert!(
        !events.is_empty() && events.iter().all(|event| event.reason.as_deref() == Some(reason)),
        "{events:?}"
    );
}

async fn publishes(operator: &Api, organization: &str) {
    let functions = json!({"functional_roles": ["idp_consumer", "app_publisher"]});
    let said = operator.patch(&format!("/organizations/{organization}"), functions).await;
    assert_eq!(said.status, 200, "{}", said.body);
}

/// A house with an organization that may own applications, and who administers it.
async fn with_a_publisher(engine: Engine) -> (House, Api, Api) {
    let house = House::on(engine).await;
    let operator = Api::operator(&house).await;
    let admin = Api::person(&house, "ann@a.test", "org-a").await;
    publishes(&operator, "org-a").await;
    (house, operator, admin)
}

async fn made(api: &Api, body: Value) -> (String, Value) {
    let made = api.post("/applications", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    (format!("/applications/{}", made["application"]["id"].as_str().unwrap()), made)
}

/// A login at one of these.
fn asks(house: &House, made: &Value) -> Ask {
    let id = made["application"]["client_id"].as_str().unwrap();
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    let mut application = Application::new(house, id, Proof::Basic(secret));
    application.redirect_uri = "https://wiki.test/callback".into();
    application.asks().with("scope", "openid email organization")
}

async fn is_led(email: &str, ask: &Ask) -> Arrival {
    let mut person = Person::new(email);
    let first = person.browser.get(&ask.url()).await;
    person.walks(ask, first, |_| false).await
}

#[tokio::test]
async fn s0_25_s0_03_an_organization_that_is_a_publisher_sees_to_its_own_applications_and_to_no_others() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let [ann, con] = [
            Api::person(&house, "ann@a.test", "org-a").await,
            Api::person(&house, "con@a.test", "org-a").await,
        ];
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        // Nobody is one who was not chosen for it.
        for functions in [Value::Null, json!(["idp_consumer"])] {
            let said = operator.patch("/organizations/org-a", json!({"functional_roles": functions})).await;
            assert_eq!(said.status, 200, "{}", said.body);
            let before = house.before().await;
            let function = refusal(403, "organization_function_missing");
            assert_eq!(told(&ann.post("/applications", body()).await), function);
            assert_eq!(
                told(&operator.post("/applications", with("organization_id", json!("org-a"))).await),
                function
            );
            only_refused(&house, &before, "organization_function_missing").await;
        }
        publishes(&operator, "org-a").await;
        publishes(&operator, "org-b").await;

        let (path, wiki) = made(&ann, body()).await;
        let (own, a) = (&wiki["application"], json!(house.organization("org-a").await));
        assert_eq!(own["organization_id"], a);
        assert_eq!((&own["organizations"], &own["consent_required"]), (&json!([a]), &json!(true)));
        assert_eq!((&own["enabled"], &own["stopped"]), (&json!(true), &json!(false)));
        let trail = house.audit().await;
        let own_trail = trail.iter().filter(|event| json!(event.organization) == a);
        let made = own_trail.filter(|event| event.action == "application.created").count();
        assert_eq!(made, 1, "it is in the organization's trail");

        let rp1 = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
        let rp1 = format!("/applications/{rp1}");
        let ids = |answer: &Answer| {
            let items = answer.json()["items"].as_array().unwrap().clone();
            items.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let own_id = own["id"].as_str().unwrap().to_owned();
        assert_eq!(ids(&ann.get("/applications").await), std::slice::from_ref(&own_id));
        assert_eq!(
            ids(&operator.get("/applications?organization_id=org-a").await),
            std::slice::from_ref(&own_id)
        );
        assert!(ids(&operator.get("/applications").await).contains(&own_id));
        assert_eq!(ids(&bob.get("/applications").await), Vec::<String>::new());
        assert_eq!(told(&con.get("/applications").await), refusal(403, "permission_missing"));
        assert_eq!(told(&con.get(&path).await), refusal(403, "permission_missing"));
        for (api, path) in [(&bob, &path), (&ann, &rp1)] {
            let before = house.before().await;
            assert_eq!(told(&api.get(path).await), refusal(404, "not_found"));
            assert_eq!(told(&api.put(path, body()).await), refusal(404, "not_found"));
            assert_eq!(told(&api.patch(path, json!({"display_name": "X"})).await), refusal(404, "not_found"));
            assert_eq!(
                told(&api.post(&format!("{path}/secrets"), json!({})).await),
                refusal(404, "not_found")
            );
            let gone = api.send(Method::DELETE, path, |request| request).await;
            assert_eq!(told(&gone), refusal(404, "not_found"));
            house.unchanged(&before).await;
        }
        let other = ann.get("/applications?organization_id=org-b").await;
        assert_eq!(told(&other), refusal(404, "not_found"));
        let other = ann.post("/applications", with("organization_id", json!("org-b"))).await;
        assert_eq!(told(&other), refusal(404, "not_found"));

        let renamed = ann.patch(&path, json!({"display_name": "The Wiki"})).await;
        assert_eq!(renamed.json()["display_name"], "The Wiki", "{}", renamed.body);
        assert_eq!(ann.post(&format!("{path}/secrets"), json!({})).await.status, 200);
        let gone = ann.send(Method::DELETE, &path, |request| request).await;
        assert_eq!(gone.status, 204, "{}", gone.body);
    }
}

#[tokio::test]
async fn s0_25_h01_what_reaches_beyond_its_own_people_is_the_operators_to_say() {
    let (house, operator, ann) = with_a_publisher(Engine::Sqlite).await;
    let (path, _) = made(&ann, body()).await;
    let operators = refusal(403, "operator_required");
    let b = house.organization("org-b").await;
    for (name, value) in [
        ("organizations", Value::Null),
        ("organizations", json!([b])),
        ("organizations", json!(["no-such-one"])),
        ("consent_required", json!(false)),
        ("scopes", json!(["openid", "organizations"])),
        ("audiences", json!([format!("{}/api/v1", house.url)])),
        ("may_act", json!(["rp1"])),
        ("exchange_audiences", json!(["rp1"])),
        ("lifetimes", json!({"access_token": 3600})),
        ("grant_types", json!(["urn:ietf:params:oauth:grant-type:token-exchange"])),
        ("change_subjects", json!(true)),
    ] {
        let before = house.before().await;
        assert_eq!(told(&ann.patch(&path, json!({name: value.clone()})).await), operators, "{name}");
        assert_eq!(told(&ann.put(&path, with(name, value.clone())).await), operators, "{name}");
        let refused = ann.post("/applications", with(name, value)).await;
        assert_eq!(told(&refused), operators, "{name}: {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], format!("/{name}"));
        only_refused(&house, &before, "operator_required").await;
    }
    let before = house.before().await;
    // What it is called could be somebody else's name, and what is taken is nobody's to know.
    assert_eq!(told(&ann.post("/applications", with("client_id", json!("rp1"))).await), operators);
    assert_eq!(told(&ann.post("/applications", json!({"type": "device"})).await), operators);
    only_refused(&house, &before, "operator_required").await;
    let before = house.before().await;
    for connection in ["cb", "no-such-one"] {
        let refused = ann.patch(&path, json!({"connections": [connection]})).await;
        assert_eq!(told(&refused), refusal(422, "invalid_value"), "{}", refused.body);
        assert_eq!(refused.json()["errors"][0]["detail"], "there is no such connection");
    }
    for organization in ["org-b", "no-such-one"] {
        let refused = ann.patch(&path, json!({"organization_id": organization})).await;
        assert_eq!(told(&refused), refusal(409, "not_movable"), "{}", refused.body);
    }
    let moved = operator.patch(&path, json!({"organization_id": "org-b"})).await;
    assert_eq!(told(&moved), refusal(409, "not_movable"), "nobody moves it (S0-04)");
    let all = operator.patch(&path, json!({"organizations": null})).await;
    assert_eq!(told(&all), refusal(422, "invalid_value"), "{}", all.body);
    house.unchanged(&before).await;

    // What the operator has said stays, also where it is replaced.
    let said = json!({"organizations": ["org-a", "org-b"], "audiences": ["https://api.test"], "consent_required": false});
    let said = operator.patch(&path, said).await;
    assert_eq!(said.status, 200, "{}", said.body);
    let put = ann.put(&path, body()).await;
    assert_eq!(put.status, 200, "{}", put.body);
    for name in ["organizations", "audiences", "consent_required"] {
        assert_eq!(put.json()[name], said.json()[name], "{name}");
    }
    let sent = ann.get(&path).await.json();
    let mut again = body();
    for name in
        ["organizations", "audiences", "scopes", "grant_types", "may_act", "exchange_audiences", "lifetimes"]
    {
        again[name] = sent[name].clone();
    }
    let put = ann.put(&path, again).await;
    assert_eq!(put.status, 200, "what was read is sent: {}", put.body);

    // What is out of service does not come back by whose it is.
    assert_eq!(operator.patch(&path, json!({"enabled": false})).await.status, 200);
    let before = house.before().await;
    assert_eq!(told(&ann.patch(&path, json!({"enabled": true})).await), operators);
    only_refused(&house, &before, "operator_required").await;
    let put = ann.put(&path, body()).await;
    assert_eq!(put.json()["enabled"], json!(false), "{}", put.body);
}

#[tokio::test]
async fn s0_25_m07_only_its_own_people_come_to_it_each_is_asked_and_nobody_while_it_may_own_none() {
    for engine in ENGINES {
        let (house, operator, admin) = with_a_publisher(engine).await;
        let (path, wiki) = made(&admin, body()).await;
        let own = asks(&house, &wiki);
        let theirs = own.clone().with("login_hint", "bob@b.test");
        let own = own.with("login_hint", "ann@a.test");

        // Whoever is asked for an address, or for consent, is told whose it is; of the operator's there is nothing to tell.
        let whose = "Wiki is an application of A Corporation";
        let first = Person::new("ann@a.test").browser.get(&asks(&house, &wiki).url()).await;
        assert!(first.body.contains("name=\"email\"") && first.body.contains(whose), "{}", first.body);
        let others = Person::new("ann@a.test").browser.get(&Application::rp1(&house).asks().url()).await;
        assert!(others.body.contains("name=\"email\"") && !others.body.contains("is an application of"));
        let page = is_led("ann@a.test", &own).await;
        assert!(page.answer.body.contains("May Wiki be told of you?"), "{}", page.told());
        assert!(page.answer.body.contains(whose), "{}", page.answer.body);
        assert!(page.answer.body.contains("A customer of this service offers Wiki."), "{}", page.answer.body);
        let arrival = Person::new("ann@a.test").follows(&own).await;
        let tokens = own.redeems(&arrival).await;
        assert_eq!(tokens.id["org_name"], json!("org-a"));

        let grants = house.count("grants").await;
        let stranger = is_led("bob@b.test", &theirs).await;
        assert!(stranger.told_application("code").is_none(), "{}", stranger.told());
        assert!(consent_form(&stranger.answer).is_none(), "{}", stranger.told());
        assert_eq!(house.count("grants").await, grants, "nothing was given");
        // Where the operator opens it to others, they are asked, too.
        let opened = operator.patch(&path, json!({"organizations": ["org-a", "org-b"]})).await;
        assert_eq!(opened.status, 200, "{}", opened.body);
        let page = is_led("bob@b.test", &theirs).await;
        assert!(page.answer.body.contains("May Wiki be told of you?"), "{}", page.told());

        // It is out of service while whose it is may own none, or is not active, and goes on afterwards.
        let a = "/organizations/org-a";
        let acts = async |path: &str| {
            let path = format!("{a}/{path}");
            let done = operator.send(Method::POST, &path, |request| request).await;
            assert_eq!(done.status, 200, "{}", done.body);
        };
        for by_function in [true, false] {
            let tokens = {
                let arrival = Person::new("bob@b.test").follows(&theirs).await;
                theirs.redeems(&arrival).await
            };
            assert_eq!(theirs.application.userinfo(&tokens.access_token).await.status, 200);
            if by_function {
                let functions = json!({"functional_roles": ["idp_consumer"]});
                assert_eq!(operator.patch(a, functions).await.status, 200);
            } else {
                acts("deactivate").await;
            }
            assert_eq!(theirs.application.userinfo(&tokens.access_token).await.status, 401);
            let refused = theirs.application.refreshes(tokens.refresh()).send().await;
            assert!(refused.status.is_client_error(), "{}", refused.body);
            let arrival = is_led("bob@b.test", &theirs).await;
            assert!(arrival.told_application("code").is_none(), "{}", arrival.told());
            let shown = operator.get(&path).await.json();
            assert_eq!((&shown["enabled"], &shown["stopped"]), (&json!(true), &json!(true)));
            if by_function {
                publishes(&operator, "org-a").await;
            } else {
                acts("reactivate").await;
            }
            assert_eq!(operator.get(&path).await.json()["stopped"], json!(false));
        }
        assert_eq!(house.events_of("application.stopped").await, 2);
        assert_eq!(house.events_of("application.resumed").await, 2);
        let arrival = Person::new("bob@b.test").follows(&theirs).await;
        theirs.redeems(&arrival).await;
    }
}

#[tokio::test]
async fn s2_05_an_application_that_some_organizations_use_learns_of_no_others_of_its_people() {
    for engine in ENGINES {
        let limited = "[application.rp1]\norganizations = [\"org-a\"]";
        let house = Plan::on(engine).with("[application.rp1]", limited).build().await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let user = house.user("ann@a.test").await.parse().unwrap();
        house.joins(user, "org-c", &["member"]).await;
        for path in
            ["/me/organizations", "/organizations", "/me/organizations?search=c", "/organizations?name=c"]
        {
            let answer = ann.get(path).await;
            let items = answer.json()["items"].as_array().unwrap().clone();
            let expected = if path.contains('?') { 0 } else { 1 };
            assert_eq!(items.len(), expected, "{path}: {}", answer.body);
            assert!(!answer.body.contains("org-c"), "{path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn s0_32_what_is_disabled_uses_up_no_place_for_good() {
    for engine in ENGINES {
        let (house, operator, admin) = with_a_publisher(engine).await;
        let (path, _) = made(&admin, body()).await;
        let copies = async |from: usize, to: usize| {
            for number in from..to {
                let copy = format!(
                    "INSERT INTO applications (id, project_id, organization_id, client_id, display_name, settings,
                                               created_at, updated_at, disabled_at)
                     SELECT 'app_copy{number}', project_id, organization_id, 'copy{number}', display_name, settings,
                            created_at, updated_at, disabled_at
                     FROM applications WHERE id = '{}'",
                    path.rsplit('/').next().unwrap()
                );
                assert_eq!(house.execute(&copy).await, 1);
            }
        };
        copies(1, 100).await;
        let before = house.before().await;
        assert_eq!(told(&admin.post("/applications", body()).await), refusal(409, "limit_reached"));
        only_refused(&house, &before, "limit_reached").await;
        // The operator makes more, and one that is disabled makes room.
        made(&operator, with("organization_id", json!("org-a"))).await;
        house.execute("UPDATE applications SET disabled_at = 1 WHERE organization_id IS NOT NULL").await;
        made(&admin, body()).await;
        // However often that was so, they are not endless.
        copies(101, 1_000).await;
        let before = house.before().await;
        assert_eq!(told(&admin.post("/applications", body()).await), refusal(409, "limit_reached"));
        only_refused(&house, &before, "limit_reached").await;
        made(&operator, with("organization_id", json!("org-a"))).await;
    }
}

/// Where nobody signs in, nobody is asked: whom the operator lets it ask, it asks.
#[tokio::test]
async fn c22_s0_25_an_organizations_application_works_by_itself_for_that_one_and_for_nobody_else() {
    for engine in ENGINES {
        let (house, operator, admin) = with_a_publisher(engine).await;
        let (path, wiki) = made(&admin, body()).await;
        let opened = json!({"organizations": ["org-a", "org-b"], "audiences": ["orders"]});
        assert_eq!(operator.patch(&path, opened).await.status, 200);
        let grants = json!({"grant_types": ["authorization_code", "refresh_token", "client_credentials"]});
        assert_eq!(admin.patch(&path, grants).await.status, 200);
        let id = wiki["application"]["client_id"].as_str().unwrap();
        let secret = wiki["client_secret"].as_str().unwrap().to_owned();
        let wiki = Application::new(&house, id, Proof::Basic(secret));
        let asks = async |fields: &[(&str, &str)]| {
            wiki.posts("/token", &[&[("grant_type", "client_credentials")], fields].concat()).send().await
        };
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        for (fields, status, error) in [
            (&[("organization", "org-b")][..], 403, "access_denied"),
            (&[("scope", "organization:org-b")], 403, "access_denied"),
            (&[("organization_id", &b), ("organization", "org-b")], 403, "access_denied"),
            // Another one's id beside its own name is a disagreement, whose id that ever is.
            (&[("organization_id", &b), ("organization", "org-a")], 400, "invalid_request"),
            (&[("organization_id", &a), ("organization", "nowhere")], 400, "invalid_request"),
        ] {
            let before = house.before().await;
            let refused = asks(fields).await;
            let told = (refused.status.as_u16(), &refused.json()["error"]);
            assert_eq!(told, (status, &json!(error)), "{fields:?}: {}", refused.body);
            house.unchanged(&before).await;
        }
        // There is one that it can be: it needs to name none.
        for fields in [&[("organization", "org-a")][..], &[], &[("scope", "organization")]] {
            let own = asks(fields).await;
            assert_eq!(own.status, 200, "{fields:?}: {}", own.body);
            let token = own.json()["access_token"].as_str().unwrap().to_owned();
            let told = wiki.posts("/introspect", &[("token", &token)]).send().await.json();
            assert_eq!((&told["active"], &told["org_id"]), (&json!(true), &json!(a)), "{fields:?}: {told}");
        }
    }
}

#[tokio::test]
async fn c22_s0_25_for_the_operators_audience_no_organization_renames_what_tokens_say() {
    for engine in ENGINES {
        let (house, operator, admin) = with_a_publisher(engine).await;
        let (path, _) = made(&admin, body()).await;
        let mapping = json!({"claims": {"mapping": {"tenant": "org_id"}}});
        assert_eq!(admin.patch(&path, mapping.clone()).await.status, 200, "for itself, as it likes");
        assert_eq!(operator.patch(&path, json!({"audiences": ["orders"]})).await.status, 200);
        let before = house.before().await;
        for other in [json!({"is_admin": "org_id"}), json!({})] {
            let refused = admin.patch(&path, json!({"claims": {"mapping": other}})).await;
            assert_eq!(told(&refused), refusal(403, "operator_required"), "{}", refused.body);
        }
        only_refused(&house, &before, "operator_required").await;
        let put = admin.put(&path, body()).await;
        assert_eq!(
            (put.status.as_u16(), &put.json()["claims"]["mapping"]),
            (200, &json!({"tenant": "org_id"}))
        );
        // Nor is anything called what resource servers read as scopes.
        let before = house.before().await;
        let scopes = json!({"claims": {"mapping": {"scp": "org_display_name"}}});
        assert_eq!(told(&operator.patch(&path, scopes).await), refusal(422, "invalid_value"));
        house.refused(&before, "invalid_value").await;
    }
}
