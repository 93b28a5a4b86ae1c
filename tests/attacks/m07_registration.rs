//! M07: a client registers itself (RFC 7591) with a token of the operator's, becomes no more than that says, and manages
//! itself (RFC 7592) until somebody takes it out of service, for good.

use behalf::config::Config;
use behalf::protocol::jose::{Algorithm, SigningKey};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{Engine, House, Plan};
use crate::house::publisher::Publisher;
use crate::house::visitor::{Answer, Visitor};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn plan(engine: Engine) -> Plan {
    Plan::on(engine).with("slug = \"default\"\n", "slug = \"default\"\ndynamic_registration = true\n")
}

/// A token by which clients register themselves.
async fn token(house: &House, body: Value) -> String {
    let made = Api::operator(house).await.post("/registration-tokens", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["token"].as_str().unwrap().to_owned()
}

async fn usual(house: &House, uses: u64) -> String {
    token(house, json!({"name": "partners", "most_uses": uses})).await
}

async fn sends(method: Method, url: &str, bearer: Option<&str>, body: Option<&Value>) -> Answer {
    let dress = |mut request: reqwest::RequestBuilder| {
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        match body {
            Some(body) => request.header("Content-Type", "application/json").body(body.to_string()),
            None => request,
        }
    };
    Visitor::arrives().request(method, url, dress).await
}

async fn registers(house: &House, bearer: Option<&str>, body: &Value) -> Answer {
    sends(Method::POST, &format!("{}/register", house.url), bearer, Some(body)).await
}

fn web(name: &str) -> Value {
    json!({"client_name": name, "redirect_uris": [format!("https://{name}.test/callback")]})
}

/// The same with another secret.
fn garbled(token: &str) -> String {
    let other = if &token[50..51] == "x" { "y" } else { "x" };
    format!("{}{other}{}", &token[..50], &token[51..])
}

/// A client as it is told of itself.
struct Client(Value);

impl Client {
    async fn registered(house: &House, bearer: &str, body: &Value) -> Self {
        let answer = registers(house, Some(bearer), body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        Self(answer.json())
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.0))
    }

    async fn does(&self, method: Method, body: Option<&Value>) -> Answer {
        let uri = self.text("registration_client_uri");
        sends(method, uri, Some(self.text("registration_access_token")), body).await
    }

    /// What it sends to stay as it is, but for these.
    fn as_is(&self, but: Value) -> Value {
        let mut body = self.0.clone();
        let members = body.as_object_mut().unwrap();
        for ours in [
            "registration_access_token",
            "registration_client_uri",
            "client_secret_expires_at",
            "client_id_issued_at",
        ] {
            members.remove(ours);
        }
        members.extend(but.as_object().unwrap().clone());
        body
    }

    fn application(&self, house: &House) -> Application {
        let proof = match self.0.get("client_secret") {
            Some(secret) => Proof::Basic(secret.as_str().unwrap().to_owned()),
            None => Proof::Nothing,
        };
        let mut own = Application::new(house, self.text("client_id"), proof);
        own.redirect_uri = self.0["redirect_uris"][0].as_str().unwrap().to_owned();
        own
    }
}

/// Refused by a token that opens nothing, without a trace but one event.
async fn is_no_token(house: &House, answer: &Answer, before: &crate::house::broker::Before, what: &str) {
    let told = (answer.status.as_u16(), answer.json()["error"].clone());
    assert_eq!(told, (401, json!("invalid_token")), "{what}: {}", answer.body);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    house.refused(before, "invalid_token").await;
}

#[tokio::test]
async fn m07_a_client_registers_signs_people_in_changes_and_ends_itself() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let bearer = usual(&house, 1).await;
        let mut body = web("shop");
        body["scope"] = json!("openid email address");
        body["something_new"] = json!({"anything": [1]});
        body["grant_types"] = json!(["authorization_code", "refresh_token"]);
        let client = Client::registered(&house, &bearer, &body).await;
        for (name, value) in [
            ("client_name", json!("shop")),
            ("application_type", json!("web")),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
            ("response_types", json!(["code"])),
            ("grant_types", json!(["authorization_code", "refresh_token"])),
            ("scope", json!("openid email")),
            ("subject_type", json!("public")),
            ("id_token_signed_response_alg", json!("RS256")),
            ("client_secret_expires_at", json!(0)),
            ("client_id_issued_at", json!(house.clock.now().seconds())),
        ] {
            assert_eq!(client.0[name], value, "{name}: {}", client.0);
        }
        assert_eq!(client.0.get("something_new"), None, "what nothing is known of is left out");
        let own = client.application(&house);
        let ask = own.asks().with("scope", "openid email");
        let code = Person::new("ann@a.test").follows(&ask).await.code();
        let redeemed = ask.redemption(&code).send().await;
        assert_eq!(redeemed.status, 200, "{}", redeemed.body);

        // It reads itself; its secret is known to nobody any more.
        let read = client.does(Method::GET, None).await;
        assert_eq!((read.status.as_u16(), read.json().get("client_secret")), (200, None), "{}", read.body);
        assert_eq!(read.json()["registration_access_token"], client.0["registration_access_token"]);
        // It changes itself: all of it, and gets another token for the next time.
        let before = house.before().await;
        let changed = client.does(Method::PUT, Some(&client.as_is(json!({"client_name": "Shop 2"})))).await;
        assert_eq!(
            (changed.status.as_u16(), &changed.json()["client_name"]),
            (200, &json!("Shop 2")),
            "{}",
            changed.body
        );
        let events = house.events_since(&before).await;
        assert_eq!((events.len(), events[0].action.as_str()), (1, "application.updated"));
        assert_eq!(events[0].actor, client.text("client_id"));
        let next = Client(changed.json());
        assert_ne!(next.0["registration_access_token"], client.0["registration_access_token"]);
        let before = house.before().await;
        is_no_token(&house, &client.does(Method::GET, None).await, &before, "the token before").await;
        // What is not said is as it usually is.
        let minimal =
            json!({"client_id": next.text("client_id"), "redirect_uris": ["https://shop.test/other"]});
        let reset = next.does(Method::PUT, Some(&minimal)).await;
        assert_eq!(reset.json()["grant_types"], json!(["authorization_code"]), "{}", reset.body);
        assert_eq!(reset.json()["redirect_uris"], json!(["https://shop.test/other"]));
        assert_eq!(reset.json()["client_name"], reset.json()["client_id"]);
        let last = Client(reset.json());
        // Its secret still works: it was not asked for another one.
        assert_eq!(own.refreshes("x").send().await.json()["error"], "unauthorized_client");
        assert_eq!(last.does(Method::DELETE, None).await.status, 204);
        assert_eq!(own.refreshes("x").send().await.json()["error"], "invalid_client");
        let before = house.before().await;
        is_no_token(&house, &last.does(Method::GET, None).await, &before, "it is gone").await;
        // Nothing that opens anything is written down.
        let trail = house.text("SELECT GROUP_CONCAT(COALESCE(after, '') || detail, '') FROM audit_events");
        if engine == Engine::Sqlite {
            let trail = trail.await.unwrap();
            for secret in
                [&bearer[37..], &client.text("registration_access_token")[38..], client.text("client_secret")]
            {
                assert!(!trail.contains(secret));
            }
        }
        assert_eq!(house.events_of("client.registered").await, 1);
    }
}

#[tokio::test]
async fn m07_nobody_registers_without_a_token_that_works() {
    let house = plan(Engine::Sqlite).build().await;
    let operator = Api::operator(&house).await;
    let canary = Publisher::of("[]".to_owned()).await;
    let mut body = web("shop");
    body["sector_identifier_uri"] = json!(canary.url);
    let fine = usual(&house, 2).await;
    let client = Client::registered(&house, &fine, &web("first")).await;
    let used = usual(&house, 1).await;
    Client::registered(&house, &used, &web("second")).await;
    let revoked = operator.post("/registration-tokens", json!({"name": "gone"})).await.json();
    let path = format!("/registration-tokens/{}", revoked["registration_token"]["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(operator.send(Method::DELETE, &path, |request| request).await.status, 204);
    }
    assert_eq!(house.events_of("registration_token.revoked").await, 1);
    let now = house.clock.now();
    let ends = now.plus(std::time::Duration::from_secs(60)).rfc3339();
    let expired = token(&house, json!({"name": "short", "expires_at": ends})).await;
    house.turn_clock(60);
    // Of another project, where clients register themselves, too.
    house.provision("[project]\nslug = \"two\"\ndynamic_registration = true\n").await;
    let two = house.text("SELECT id FROM projects WHERE slug = 'two'").await.unwrap();
    let foreign = token(&house, json!({"name": "far"})).await;
    let id = format!("rgt_{}", &foreign["behalf_iat_".len()..][..26]);
    house.execute(&format!("UPDATE registration_tokens SET project_id = '{two}' WHERE id = '{id}'")).await;

    let key = crate::house::api::plant(
        &house,
        "default",
        behalf::model::api_key::Holder::Operator(behalf::model::api_key::OperatorRole::System),
    )
    .await;
    let garbled = garbled(&fine);
    let wrong: [(&str, Option<&str>); 11] = [
        ("none", None),
        ("garbage", Some("garbage")),
        ("an empty one", Some("")),
        ("another secret", Some(&garbled)),
        ("used up", Some(&used)),
        ("revoked", revoked["token"].as_str()),
        ("run out", Some(&expired)),
        ("of another project", Some(&foreign)),
        ("a client's own", Some(client.text("registration_access_token"))),
        ("the operator's", Some(&key)),
        ("a client's secret", Some(client.text("client_secret"))),
    ];
    for (what, bearer) in wrong {
        let before = house.before().await;
        is_no_token(&house, &registers(&house, bearer, &body).await, &before, what).await;
    }
    assert_eq!(canary.hits(), 0, "nothing is asked for whoever has no token");
    // What is refused for another reason uses nothing up.
    let before = house.before().await;
    let refused = registers(&house, Some(&fine), &json!({"redirect_uris": []})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (400, &json!("invalid_redirect_uri")));
    house.refused(&before, "invalid_redirect_uri").await;
    Client::registered(&house, &fine, &web("third")).await;
    // At the other project its own token works, and the client is that project's.
    let there =
        sends(Method::POST, &format!("{}/p/two/register", house.url), Some(&foreign), Some(&web("far")))
            .await;
    assert_eq!(there.status, 201, "{}", there.body);
    assert!(there.json()["registration_client_uri"].as_str().unwrap().contains("/p/two/register/"));
    let far = there.json()["client_id"].as_str().unwrap().to_owned();
    let stranger =
        Application::new(&house, &far, Proof::Basic(there.json()["client_secret"].as_str().unwrap().into()));
    assert_eq!(stranger.refreshes("x").send().await.json()["error"], "invalid_client");
}

#[tokio::test]
async fn m07_where_it_is_not_switched_on_there_is_no_such_door() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let bearer = usual(&house, 5).await;
    let discovery = async || {
        let url = format!("{}/.well-known/openid-configuration", house.url);
        Visitor::arrives().get(&url).await.json()["registration_endpoint"].clone()
    };
    let is_closed = async |client: Option<&Client>| {
        let before = house.before().await;
        assert_eq!(registers(&house, Some(&bearer), &web("shop")).await.status, 404);
        if let Some(client) = client {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                assert_eq!(client.does(method, Some(&client.as_is(json!({})))).await.status, 404);
            }
        }
        house.unchanged(&before).await;
        assert_eq!(discovery().await, Value::Null);
    };
    is_closed(None).await;
    let on = operator.patch("/project/policy", json!({"dynamic_registration": true})).await;
    assert_eq!(on.json()["dynamic_registration"], true, "{}", on.body);
    assert_eq!(discovery().await, json!(format!("{}/register", house.url)));
    let client = Client::registered(&house, &bearer, &web("shop")).await;
    operator.patch("/project/policy", json!({"dynamic_registration": false})).await;
    is_closed(Some(&client)).await;
    // Who is registered stays so.
    assert_eq!(client.application(&house).refreshes("x").send().await.json()["error"], "unauthorized_client");
}

#[tokio::test]
async fn c30_so_many_clients_register_as_the_token_says_whoever_comes_at_once() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let other = house.second_node().await;
        let bearer = usual(&house, 3).await;
        let own = format!("{}/register", house.url);
        let host = house.url.strip_prefix("http://").unwrap();
        let far = format!("{}/register", other.url());
        let all = join_all((0..12).map(async |number| {
            let (url, body) = (if number % 2 == 0 { &own } else { &far }, web(&format!("shop{number}")));
            let dress = |request: reqwest::RequestBuilder| {
                let request = request.bearer_auth(&bearer).header("Host", host);
                request.header("Content-Type", "application/json").body(body.to_string())
            };
            Visitor::arrives().request(Method::POST, url, dress).await.status.as_u16()
        }))
        .await;
        let made = all.iter().filter(|status| **status == 201).count();
        assert_eq!((made, all.iter().filter(|status| **status == 401).count()), (3, 9), "{all:?}");
        assert_eq!(house.count("client_registrations").await, 3);
        assert_eq!(house.text("SELECT CAST(uses AS TEXT) FROM registration_tokens").await.unwrap(), "3");
    }
}

#[tokio::test]
async fn c30_of_two_changes_at_once_by_one_token_one_is_made() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let client = Client::registered(&house, &usual(&house, 1).await, &web("shop")).await;
        let all = join_all((0..6).map(async |number| {
            let body = client.as_is(json!({"client_name": format!("Shop {number}")}));
            client.does(Method::PUT, Some(&body)).await
        }))
        .await;
        let made: Vec<_> = all.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(made.len(), 1, "{all:?}");
        assert!(all.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 401)), "{all:?}");
        let now = Client(made[0].json()).does(Method::GET, None).await;
        assert_eq!(now.json()["client_name"], made[0].json()["client_name"]);
    }
}

#[tokio::test]
async fn m07_nothing_that_a_client_holds_brings_it_back_once_it_is_disabled() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let operator = Api::operator(&house).await;
        let client = Client::registered(&house, &usual(&house, 1).await, &web("shop")).await;
        let id = house.text("SELECT application_id FROM client_registrations").await.unwrap();
        let path = format!("/applications/{id}");
        let body = client.as_is(json!({}));
        let is_shut = async |what: &str| {
            for (method, body) in [(Method::GET, None), (Method::PUT, Some(&body)), (Method::DELETE, None)] {
                let before = house.before().await;
                is_no_token(&house, &client.does(method, body).await, &before, what).await;
            }
        };
        assert_eq!(operator.send(Method::DELETE, &path, |request| request).await.status, 204);
        is_shut("disabled").await;
        assert!(
            house
                .text(&format!("SELECT CAST(disabled_at AS TEXT) FROM applications WHERE id = '{id}'"))
                .await
                .is_some()
        );
        // Whoever brings it back has not given it its token back.
        assert_eq!(operator.patch(&path, json!({"enabled": true})).await.status, 200);
        is_shut("enabled again").await;
        // Behind the house's back: no row is needed to know that it is disabled.
        let second = Client::registered(&house, &usual(&house, 1).await, &web("other")).await;
        house.execute("UPDATE applications SET disabled_at = 1 WHERE display_name = 'other'").await;
        for (method, body) in
            [(Method::GET, None), (Method::PUT, Some(second.as_is(json!({})))), (Method::DELETE, None)]
        {
            let before = house.before().await;
            is_no_token(&house, &second.does(method, body.as_ref()).await, &before, "disabled by hand").await;
        }
    }
}

#[tokio::test]
async fn m07_no_client_reads_or_changes_another_one() {
    let house = plan(Engine::Sqlite).build().await;
    let bearer = usual(&house, 2).await;
    let (one, two) = (
        Client::registered(&house, &bearer, &web("one")).await,
        Client::registered(&house, &bearer, &web("two")).await,
    );
    let token = one.text("registration_access_token");
    let garbled = garbled(token);
    for uri in [
        two.text("registration_client_uri").to_owned(),
        format!("{}/register/rp1", house.url),
        format!("{}/register/nobody", house.url),
        format!("{}/register/%27%20OR%201=1", house.url),
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let before = house.before().await;
            let answer = sends(method.clone(), &uri, Some(token), Some(&two.as_is(json!({})))).await;
            is_no_token(&house, &answer, &before, &format!("{method} {uri}")).await;
        }
    }
    for bearer in [None, Some(garbled.as_str()), Some(bearer.as_str()), Some(one.text("client_secret"))] {
        let before = house.before().await;
        let answer = sends(Method::GET, one.text("registration_client_uri"), bearer, None).await;
        is_no_token(&house, &answer, &before, &format!("{bearer:?}")).await;
    }
    // It says whose it is, and only that.
    for wrong in [
        json!({"client_id": two.text("client_id")}),
        json!({"client_id": null}),
        json!({"client_secret": two.text("client_secret")}),
        json!({"registration_access_token": token}),
        json!({"client_id_issued_at": 1}),
        json!({"client_secret_expires_at": 0}),
        json!({"registration_client_uri": "https://evil.test/"}),
    ] {
        let before = house.before().await;
        let refused = one.does(Method::PUT, Some(&one.as_is(wrong.clone()))).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["error"]),
            (400, &json!("invalid_client_metadata")),
            "{wrong}"
        );
        house.refused(&before, "invalid_client_metadata").await;
    }
}

#[tokio::test]
async fn m07_nobody_becomes_more_than_the_operator_said() {
    let house = plan(Engine::Sqlite).build().await;
    let operator = Api::operator(&house).await;
    let narrow = json!({"name": "narrow", "most_uses": 20, "types": ["web"], "scopes": ["openid", "email"],
        "grant_types": ["authorization_code"]});
    let bearer = token(&house, narrow).await;
    let client = Client::registered(&house, &bearer, &web("shop")).await;
    assert_eq!(client.text("scope"), "openid email", "no more than it may");
    let more = [
        json!({"scope": "openid profile"}),
        json!({"scope": "openid organizations"}),
        json!({"scope": "offline_access"}),
        json!({"grant_types": ["authorization_code", "refresh_token"]}),
        json!({"grant_types": ["client_credentials"]}),
        json!({"grant_types": ["authorization_code", "client_credentials"]}),
        json!({"application_type": "native", "token_endpoint_auth_method": "none"}),
        json!({"token_endpoint_auth_method": "none"}),
    ];
    for wanted in &more {
        let mut body = web("more");
        body.as_object_mut().unwrap().extend(wanted.as_object().unwrap().clone());
        if wanted["grant_types"] == json!(["client_credentials"]) {
            body["redirect_uris"] = json!([]);
        }
        for update in [false, true] {
            let before = house.before().await;
            let refused = match update {
                false => registers(&house, Some(&bearer), &body).await,
                true => client.does(Method::PUT, Some(&client.as_is(wanted.clone()))).await,
            };
            let told = (refused.status.as_u16(), refused.json()["error"].clone());
            assert_eq!(told, (400, json!("invalid_client_metadata")), "{wanted}: {}", refused.body);
            house.refused(&before, "invalid_client_metadata").await;
        }
    }
    // What only the operator says is not for a client to say, under whatever name.
    let id = house.text("SELECT application_id FROM client_registrations").await.unwrap();
    let settings =
        async || house.text(&format!("SELECT settings FROM applications WHERE id = '{id}'")).await.unwrap();
    let before: Value = serde_json::from_str(&settings().await).unwrap();
    let sneaky = json!({"audiences": ["https://api.test"], "connections": ["ca"], "organizations": null, "enabled": true,
        "domain_based": false, "scopes": ["permissions"], "type": "machine", "lifetimes": {"access_token": 3600},
        "cors_origins": ["https://evil.test"], "claims": {"idp": true}, "change_subjects": true, "jwks": null});
    let changed = client.does(Method::PUT, Some(&client.as_is(sneaky))).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let after: Value = serde_json::from_str(&settings().await).unwrap();
    assert_eq!(before, after);
    // What the operator has made of it since, it keeps, and goes on to say.
    let client = Client(changed.json());
    let path = format!("/applications/{id}");
    let given = json!({"scopes": ["openid", "email", "permissions"], "audiences": ["https://api.test"], "organizations": ["org-a"],
        "grant_types": ["authorization_code", "refresh_token"]});
    assert_eq!(operator.patch(&path, given).await.status, 200);
    let read = Client(client.does(Method::GET, None).await.json());
    let kept = read.does(Method::PUT, Some(&read.as_is(json!({"client_name": "Kept"})))).await;
    assert_eq!(kept.json()["scope"], "openid email permissions", "{}", kept.body);
    let view = operator.get(&path).await.json();
    assert_eq!((&view["audiences"], &view["display_name"]), (&json!(["https://api.test"]), &json!("Kept")));
    assert_eq!(view["organizations"], json!([house.organization("org-a").await]));
    // By a change of its names nobody becomes somebody else.
    let client = Client(kept.json());
    let before = house.before().await;
    let refused = client.does(Method::PUT, Some(&client.as_is(json!({"subject_type": "pairwise"})))).await;
    assert_eq!(refused.json()["error"], "invalid_client_metadata", "{}", refused.body);
    assert!(refused.body.contains("only the operator may say so"), "{}", refused.body);
    house.refused(&before, "invalid_client_metadata").await;
}

#[tokio::test]
async fn m07_what_the_operator_has_narrowed_a_client_does_not_bring_back() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let operator = Api::operator(&house).await;
        let bearer = usual(&house, 1).await;
        let mut body = web("shop");
        body["scope"] = json!("openid profile email");
        body["grant_types"] = json!(["authorization_code", "refresh_token"]);
        let client = Client::registered(&house, &bearer, &body).await;
        let path = format!("/applications/{}", application_id(&house).await);
        // It narrows itself, and takes that back: that is its own.
        let less = client.does(Method::PUT, Some(&client.as_is(json!({"scope": "openid"})))).await;
        let client = Client(less.json());
        let more =
            client.does(Method::PUT, Some(&client.as_is(json!({"scope": "openid profile email"})))).await;
        let client = Client(more.json());
        assert_eq!(client.text("scope"), "openid profile email");
        let narrow = json!({"scopes": ["openid", "profile"], "grant_types": ["authorization_code"],
            "organization_usage": "deny", "require_pushed_authorization_requests": true,
            "require_pkce": true, "default_max_age": 600});
        assert_eq!(operator.patch(&path, narrow).await.status, 200);
        // Whatever else the operator changes of it afterwards.
        assert_eq!(operator.patch(&path, json!({"display_name": "Shop"})).await.status, 200);
        for wide in [
            json!({"scope": "openid profile email", "organization_usage": "deny"}),
            json!({"grant_types": ["authorization_code", "refresh_token"]}),
            json!({"organization_usage": "allow"}),
            json!({"organization_usage": "require"}),
        ] {
            let read = Client(client.does(Method::GET, None).await.json());
            let before = house.before().await;
            let refused = client.does(Method::PUT, Some(&read.as_is(wide.clone()))).await;
            let told = (refused.status.as_u16(), refused.json()["error"].clone());
            assert_eq!(told, (400, json!("invalid_client_metadata")), "{wide}: {}", refused.body);
            house.refused(&before, "invalid_client_metadata").await;
        }
        // Nor by saying nothing of it, or that it wants to be held to less.
        let read = Client(client.does(Method::GET, None).await.json());
        let mut bare = read.as_is(json!({"require_pushed_authorization_requests": false,
            "require_pkce": false, "default_max_age": 86_400}));
        for name in ["scope", "organization_usage", "grant_types"] {
            bare.as_object_mut().unwrap().remove(name);
        }
        let kept = client.does(Method::PUT, Some(&bare)).await;
        assert_eq!(kept.status, 200, "{}", kept.body);
        let now = operator.get(&path).await.json();
        assert_eq!(now["scopes"], json!(["openid", "profile"]), "{now}");
        assert_eq!(now["grant_types"], json!(["authorization_code"]));
        assert_eq!(now["organization_usage"], json!("deny"));
        assert_eq!(now["require_pushed_authorization_requests"], json!(true));
        assert_eq!(now["require_pkce"], json!(true));
        assert_eq!(now["default_max_age"], json!(600));
        // To less it may hold itself still; and what the operator gives again, it has again.
        let client = Client(kept.json());
        let stricter = client.does(Method::PUT, Some(&client.as_is(json!({"default_max_age": 60})))).await;
        let client = Client(stricter.json());
        assert_eq!(client.0["default_max_age"], json!(60));
        let given = json!({"scopes": ["openid", "profile", "email"], "organization_usage": "allow",
            "require_pushed_authorization_requests": false, "require_pkce": false});
        assert_eq!(operator.patch(&path, given).await.status, 200);
        let wide = json!({"scope": "openid email", "organization_usage": "allow",
            "require_pushed_authorization_requests": false, "require_pkce": false});
        let wide = client.does(Method::PUT, Some(&client.as_is(wide))).await;
        assert_eq!(wide.status, 200, "{}", wide.body);
        assert_eq!(wide.json()["scope"], json!("openid email"));
        assert_eq!(wide.json()["require_pushed_authorization_requests"], json!(false));
        assert_eq!(wide.json()["require_pkce"], json!(false));
    }
}

/// An address that was taken over, a key that was stolen, a name that is somebody else's: the operator takes it out.
#[tokio::test]
async fn m07_what_the_operator_has_taken_out_of_a_registration_its_client_does_not_put_back() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let operator = Api::operator(&house).await;
        let bearer = usual(&house, 1).await;
        let key = |kid: &str| SigningKey::generate(Algorithm::ES256, kid).unwrap();
        let (old, new) = (key("old"), key("new"));
        let keys = |key: &SigningKey| json!({ "keys": [key.public_jwk()] });
        let mut body = web("shop");
        let (taken, stays) = ("https://taken.shop.test/callback", "https://shop.test/callback");
        body["redirect_uris"] = json!([stays, taken]);
        body["post_logout_redirect_uris"] = json!(["https://taken.shop.test/bye"]);
        body["backchannel_logout_uri"] = json!("https://taken.shop.test/back");
        body["token_endpoint_auth_method"] = json!("private_key_jwt");
        body["jwks"] = keys(&old);
        let client = Client::registered(&house, &bearer, &body).await;
        let path = format!("/applications/{}", application_id(&house).await);
        let taken_out = json!({"redirect_uris": [stays], "post_logout_redirect_uris": [],
            "backchannel_logout_uri": null, "jwks": keys(&new), "display_name": "A shop"});
        let done = operator.patch(&path, taken_out).await;
        assert_eq!(done.status, 200, "{}", done.body);
        // Whatever else the operator changes of it afterwards.
        assert_eq!(operator.patch(&path, json!({"scopes": ["openid"]})).await.status, 200);
        for (back, code) in [
            (json!({"redirect_uris": [stays, taken]}), "invalid_redirect_uri"),
            (json!({"redirect_uris": [taken]}), "invalid_redirect_uri"),
            (
                json!({"post_logout_redirect_uris": ["https://taken.shop.test/bye"]}),
                "invalid_client_metadata",
            ),
            (json!({"backchannel_logout_uri": "https://taken.shop.test/back"}), "invalid_client_metadata"),
            (json!({"jwks": keys(&old)}), "invalid_client_metadata"),
            (json!({"jwks": {"keys": [new.public_jwk(), old.public_jwk()]}}), "invalid_client_metadata"),
            (json!({"client_name": "shop"}), "invalid_client_metadata"),
        ] {
            let read = Client(client.does(Method::GET, None).await.json());
            let before = house.before().await;
            let refused = client.does(Method::PUT, Some(&read.as_is(back.clone()))).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.json()["error"]),
                (400, &json!(code)),
                "{back}: {}",
                refused.body
            );
            let named = back.as_object().unwrap().keys().next().unwrap().clone();
            let said = refused.json()["error_description"].as_str().unwrap().to_owned();
            assert!(said.starts_with(&named) && said.contains("the operator"), "{said}");
            house.refused(&before, code).await;
        }
        // What it never had it may still have; and what the operator gives back it has again.
        let read = Client(client.does(Method::GET, None).await.json());
        let more = json!({"redirect_uris": [stays, "https://shop.test/other"]});
        let client = client.does(Method::PUT, Some(&read.as_is(more))).await;
        assert_eq!(client.status, 200, "{}", client.body);
        assert_eq!(operator.patch(&path, json!({"redirect_uris": [stays, taken]})).await.status, 200);
        let client = Client(client.json());
        let less = client.does(Method::PUT, Some(&client.as_is(json!({"redirect_uris": [stays]})))).await;
        assert_eq!(less.status, 200, "{}", less.body);
        let client = Client(less.json());
        let again =
            client.does(Method::PUT, Some(&client.as_is(json!({"redirect_uris": [stays, taken]})))).await;
        assert_eq!(again.status, 200, "it took that out itself: {}", again.body);
    }
}

#[tokio::test]
async fn c26_what_is_wrong_is_refused_by_name() {
    let house = plan(Engine::Sqlite).build().await;
    let bearer = usual(&house, 50).await;
    let key = SigningKey::generate(Algorithm::ES256, "k").unwrap();
    let keys = json!({"keys": [key.public_jwk()]});
    let mut private = keys.clone();
    private["keys"][0]["d"] = json!("AAAA");
    let uri = "invalid_redirect_uri";
    let metadata = "invalid_client_metadata";
    for (code, name, wrong) in [
        (uri, "redirect_uris", json!({"redirect_uris": null})),
        (uri, "redirect_uris", json!({"redirect_uris": "https://a.test/"})),
        (uri, "redirect_uris", json!({"redirect_uris": [1]})),
        (uri, "redirect_uris", json!({"redirect_uris": ["javascript:alert(1)"]})),
        (uri, "redirect_uris", json!({"redirect_uris": ["data:text/html,x"]})),
        (uri, "redirect_uris", json!({"redirect_uris": ["http://a.test/cb"]})),
        (uri, "redirect_uris", json!({"redirect_uris": ["https://a.test/#x"]})),
        (uri, "redirect_uris", json!({"redirect_uris": ["https://*.a.test/"]})),
        (metadata, "application_type", json!({"application_type": "desktop"})),
        (metadata, "response_types", json!({"response_types": ["token"]})),
        (metadata, "response_types", json!({"response_types": ["code", "code id_token"]})),
        (metadata, "response_types", json!({"response_types": []})),
        (metadata, "grant_types", json!({"grant_types": ["implicit"]})),
        (metadata, "grant_types", json!({"grant_types": "authorization_code"})),
        (metadata, "token_endpoint_auth_method", json!({"token_endpoint_auth_method": "client_secret_jwt"})),
        (
            metadata,
            "token_endpoint_auth_method",
            json!({"application_type": "native", "token_endpoint_auth_method": "client_secret_basic"}),
        ),
        (metadata, "client_name", json!({"client_name": "a\u{202e}b"})),
        (metadata, "client_name", json!({"client_name": "x".repeat(201)})),
        (metadata, "jwks", json!({"token_endpoint_auth_method": "private_key_jwt"})),
        (metadata, "require_signed_request_object", json!({"require_signed_request_object": true})),
        (metadata, "require_auth_time", json!({"require_auth_time": "yes"})),
        (metadata, "default_max_age", json!({"default_max_age": "60"})),
        (metadata, "default_max_age", json!({"default_max_age": -1})),
        (metadata, "default_max_age", json!({"default_max_age": 1.5})),
        (metadata, "default_max_age", json!({"default_max_age": 4_294_967_296_u64})),
        (metadata, "authorization_signed_response_alg", json!({"authorization_signed_response_alg": "none"})),
        (
            metadata,
            "authorization_encrypted_response_alg",
            json!({"authorization_encrypted_response_alg": "RSA-OAEP"}),
        ),
        (metadata, "request_object_encryption_alg", json!({"request_object_encryption_alg": "RSA-OAEP"})),
        (metadata, "jwks", json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": private})),
        (
            metadata,
            "jwks_uri",
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "jwks_uri": "https://a.test/"}),
        ),
        (
            metadata,
            "jwks_uri",
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "data:application/json,{}"}),
        ),
        (metadata, "token_endpoint_auth_signing_alg", json!({"token_endpoint_auth_signing_alg": "none"})),
        (metadata, "request_object_signing_alg", json!({"request_object_signing_alg": "none"})),
        (
            metadata,
            "introspection_signed_response_alg",
            json!({"introspection_signed_response_alg": "PS256"}),
        ),
        (metadata, "tls_client_auth_subject_dn", json!({"token_endpoint_auth_method": "tls_client_auth"})),
        (
            metadata,
            "tls_client_auth_san_ip",
            json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_ip": "a.test"}),
        ),
        (metadata, "tls_client_auth_san_dns", json!({"tls_client_auth_san_dns": "a.test"})),
        (metadata, "subject_type", json!({"subject_type": "both"})),
        (metadata, "sector_identifier_uri", json!({"sector_identifier_uri": "javascript:x"})),
        (metadata, "id_token_signed_response_alg", json!({"id_token_signed_response_alg": "none"})),
        (metadata, "id_token_signed_response_alg", json!({"id_token_signed_response_alg": "PS256"})),
        (metadata, "userinfo_signed_response_alg", json!({"userinfo_signed_response_alg": "HS256"})),
        (metadata, "id_token_encrypted_response_alg", json!({"id_token_encrypted_response_alg": "RSA-OAEP"})),
        (metadata, "initiate_login_uri", json!({"initiate_login_uri": "javascript:alert(1)"})),
        (metadata, "post_logout_redirect_uris", json!({"post_logout_redirect_uris": ["data:text/html,x"]})),
        (metadata, "backchannel_logout_uri", json!({"backchannel_logout_uri": "com.example.app:/x"})),
        (metadata, "frontchannel_logout_uri", json!({"frontchannel_logout_uri": "javascript:x"})),
        (metadata, "frontchannel_logout_uri", json!({"frontchannel_logout_uri": "https://other.test/x"})),
        (metadata, "client_uri", json!({"client_uri": "javascript:alert(1)"})),
        (metadata, "logo_uri", json!({"logo_uri": "data:image/png;base64,x"})),
        (metadata, "policy_uri", json!({"policy_uri": "file:///etc/passwd"})),
        (metadata, "tos_uri", json!({"tos_uri": 7})),
        (metadata, "request_uris", json!({"request_uris": ["javascript:x"]})),
        (metadata, "scope", json!({"scope": ["openid"]})),
        (metadata, "scope", json!({"scope": "openid permissions"})),
        (metadata, "organization_usage", json!({"organization_usage": "always"})),
        ("unapproved_software_statement", "software statements", json!({"software_statement": "x.y.z"})),
    ] {
        let mut body = web("shop");
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let before = house.before().await;
        let refused = registers(&house, Some(&bearer), &body).await;
        let told = refused.json();
        assert_eq!(
            (refused.status.as_u16(), &told["error"]),
            (400, &json!(code)),
            "{wrong}: {}",
            refused.body
        );
        let description = told["error_description"].as_str().unwrap();
        assert!(description.starts_with(name), "{wrong}: {description}");
        assert!(!description.contains(['"', '\\']), "{description}");
        house.refused(&before, code).await;
        house.turn_clock(2);
    }
    for body in ["", "[]", "{", "{\"redirect_uris\":[],\"redirect_uris\":[]}", "\"x\""] {
        let before = house.before().await;
        let dress = |request: reqwest::RequestBuilder| {
            request.bearer_auth(&bearer).header("Content-Type", "application/json").body(body)
        };
        let refused =
            Visitor::arrives().request(Method::POST, &format!("{}/register", house.url), dress).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (400, &json!(metadata)), "{body}");
        house.refused(&before, metadata).await;
    }
}

#[tokio::test]
async fn c27_nothing_that_a_client_writes_is_asked_for_from_inside() {
    let canary = Publisher::of(json!(["https://shop.test/callback"]).to_string()).await;
    let settings = |config: &mut Config| config.egress.allow_loopback_and_http = false;
    let file = "[project]\nslug = \"default\"\ndynamic_registration = true\n".to_owned();
    let house = Plan { settings, file, ..Plan::default() }.build().await;
    let bearer = usual(&house, 10).await;
    for inside in [
        canary.url.clone(),
        canary.url.replace("127.0.0.1", "localhost"),
        "https://169.254.169.254/".to_owned(),
    ] {
        let mut body = web("shop");
        body["sector_identifier_uri"] = json!(inside);
        let before = house.before().await;
        let refused = registers(&house, Some(&bearer), &body).await;
        assert_eq!(refused.json()["error"], "invalid_client_metadata", "{}", refused.body);
        house.refused(&before, "invalid_client_metadata").await;
    }
    // What we would have to ask, or tell.
    for (name, value) in [
        ("jwks_uri", json!(canary.url)),
        ("backchannel_logout_uri", json!(canary.url)),
        ("request_uris", json!([canary.url])),
    ] {
        let mut body = web("shop");
        body["token_endpoint_auth_method"] = json!("private_key_jwt");
        body["jwks_uri"] = json!("https://shop.test/jwks");
        body[name] = value;
        let before = house.before().await;
        let refused = registers(&house, Some(&bearer), &body).await;
        assert_eq!(refused.json()["error"], "invalid_client_metadata", "{}", refused.body);
        let told = format!("{name} is no address that is asked from here: it must be https");
        assert_eq!(refused.json()["error_description"], json!(told));
        house.refused(&before, "invalid_client_metadata").await;
    }
    // Where browsers go, or nobody does.
    let mut body = web("shop");
    for name in ["logo_uri", "client_uri", "policy_uri", "tos_uri", "initiate_login_uri"] {
        body[name] = json!(canary.url);
    }
    let client = Client::registered(&house, &bearer, &body).await;
    // Another one's picture is not shown, and nobody is shown the last.
    for left_out in ["logo_uri", "client_uri"] {
        assert_eq!(client.0.get(left_out), None, "{left_out} is not kept");
    }
    assert_eq!(canary.hits(), 0);
}

#[tokio::test]
async fn m07_every_kind_of_client_registers_as_what_it_is() {
    let house = plan(Engine::Sqlite).build().await;
    let bearer = token(
        &house,
        json!({"name": "all", "most_uses": 10, "types": ["web", "spa", "native", "device", "machine"],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials",
                "urn:ietf:params:oauth:grant-type:device_code"],
            "scopes": ["openid", "profile", "email", "organization"]}),
    )
    .await;
    let keys = Publisher::of("{\"keys\":[]}".to_owned()).await;
    for (kind, method, extra) in [
        ("web", "client_secret_basic", json!({})),
        ("web", "client_secret_post", json!({"token_endpoint_auth_method": "client_secret_post"})),
        (
            "web",
            "private_key_jwt",
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys.url,
                "require_pushed_authorization_requests": true, "require_signed_request_object": true, "require_pkce": true,
                "request_uris": ["https://shop.test/request.jwt"]}),
        ),
        ("spa", "none", json!({"token_endpoint_auth_method": "none"})),
        (
            "web",
            "client_secret_basic",
            json!({"default_max_age": 60, "require_auth_time": true, "authorization_signed_response_alg": "ES256"}),
        ),
        (
            "web",
            "client_secret_basic",
            json!({"subject_type": "pairwise", "userinfo_signed_response_alg": "ES256", "id_token_signed_response_alg": "EdDSA"}),
        ),
        (
            "native",
            "none",
            json!({"application_type": "native", "redirect_uris": ["com.example.shop:/cb", "http://127.0.0.1/cb"]}),
        ),
        (
            "machine",
            "client_secret_basic",
            json!({"grant_types": ["client_credentials"], "response_types": [], "redirect_uris": []}),
        ),
        (
            "device",
            "none",
            json!({"application_type": "native", "token_endpoint_auth_method": "none", "response_types": [],
                "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "redirect_uris": []}),
        ),
    ] {
        let mut body = web("shop");
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let client = Client::registered(&house, &bearer, &body).await;
        assert_eq!(client.text("token_endpoint_auth_method"), method, "{kind}");
        for (name, value) in extra.as_object().unwrap() {
            assert_eq!(client.0[name], *value, "{kind}: {name}");
        }
        assert_eq!(client.0.get("client_secret").is_some(), method.starts_with("client_secret"), "{kind}");
        let settings = house
            .text(&format!(
                "SELECT settings FROM applications WHERE client_id = '{}'",
                client.text("client_id")
            ))
            .await
            .unwrap();
        let settings: Value = serde_json::from_str(&settings).unwrap();
        assert_eq!(settings["kind"], kind);
        let origins = &settings["client"]["cors_origins"];
        // Its own pages ask by script, and nobody else's.
        assert_eq!(*origins, if kind == "spa" { json!(["https://shop.test"]) } else { json!([]) }, "{kind}");
    }
    assert_eq!(keys.hits(), 0);
    // Who comes to have a secret is given one.
    let spa = Client::registered(&house, &bearer, &{
        let mut body = web("later");
        body["token_endpoint_auth_method"] = json!("none");
        body
    })
    .await;
    let grown = spa
        .does(Method::PUT, Some(&spa.as_is(json!({"token_endpoint_auth_method": "client_secret_basic"}))))
        .await;
    assert!(grown.json()["client_secret"].is_string(), "{}", grown.body);
    let grown = Client(grown.json());
    assert_eq!(grown.application(&house).refreshes("x").send().await.json()["error"], "unauthorized_client");
}

#[tokio::test]
async fn h20_a_flood_of_registrations_is_bounded() {
    let house = plan(Engine::Sqlite).build().await;
    let mut told = std::collections::BTreeMap::new();
    for _ in 0..70 {
        *told.entry(registers(&house, Some("x"), &web("shop")).await.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(told, [(401, 60), (429, 10)].into());
    house.turn_clock(61);
    assert_eq!(registers(&house, Some("x"), &web("shop")).await.status, 401);
}

#[tokio::test]
async fn registration_tokens_are_made_with_limits_shown_once_and_told_of() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let operator = Api::operator(&house).await;
        for (pointer, wrong) in [
            ("/name", json!({"name": ""})),
            ("/most_uses", json!({"name": "x", "most_uses": 0})),
            ("/most_uses", json!({"name": "x", "most_uses": 1001})),
            ("/expires_at", json!({"name": "x", "expires_at": "yesterday"})),
            ("/expires_at", json!({"name": "x", "expires_at": "2026-05-31T09:00:00Z"})),
            ("/expires_at", json!({"name": "x", "expires_at": "2027-06-02T09:00:00Z"})),
            ("/types/1", json!({"name": "x", "types": ["web", "web"]})),
            ("/scopes/0", json!({"name": "x", "scopes": ["everything"]})),
        ] {
            let before = house.before().await;
            let refused = operator.post("/registration-tokens", wrong.clone()).await;
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{wrong}: {}", refused.body);
            house.refused(&before, "invalid_value").await;
        }
        let made = operator.post("/registration-tokens", json!({"name": "partners"})).await;
        let text = made.json()["token"].as_str().unwrap().to_owned();
        let view = made.json()["registration_token"].clone();
        assert_eq!(
            (&view["most_uses"], &view["uses"], &view["usable"]),
            (&json!(1), &json!(0), &json!(true))
        );
        assert_eq!(view["types"], json!(["web", "spa", "native"]));
        let path = format!("/registration-tokens/{}", view["id"].as_str().unwrap());
        assert_eq!(made.header("location"), Some(&*format!("/api/v1{path}")));
        Client::registered(&house, &text, &web("shop")).await;
        let read = operator.get(&path).await;
        assert!(!read.body.contains(&text[37..]), "{}", read.body);
        assert_eq!((&read.json()["uses"], &read.json()["usable"]), (&json!(1), &json!(false)));
        house.turn_clock(1);
        operator.post("/registration-tokens", json!({"name": "other"})).await;
        let first = operator.get("/registration-tokens?limit=1").await.json();
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = operator.get(&format!("/registration-tokens?limit=1&cursor={cursor}")).await.json();
        assert_eq!(
            (&first["items"][0]["name"], &second["items"][0]["name"]),
            (&json!("partners"), &json!("other"))
        );
        assert_eq!(second["next_cursor"], Value::Null);
        assert_eq!(house.events_of("registration_token.created").await, 2);
    }
}

#[tokio::test]
async fn m06_m07_a_client_does_not_take_off_what_binds_its_tokens() {
    let house = plan(Engine::Sqlite).build().await;
    let bearer = usual(&house, 2).await;
    let mut body = web("shop");
    body["dpop_bound_access_tokens"] = json!(true);
    let client = Client::registered(&house, &bearer, &body).await;
    assert_eq!(client.0["dpop_bound_access_tokens"], json!(true));
    let loose = client.as_is(json!({"dpop_bound_access_tokens": false}));
    let changed = client.does(Method::PUT, Some(&loose)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.json()["dpop_bound_access_tokens"], json!(true));
    // Nor does it show what leads elsewhere than to the web.
    for name in ["logo_uri", "policy_uri", "tos_uri", "client_uri"] {
        let mut body = web("trap");
        body[name] = json!("javascript:alert(1)");
        let before = house.before().await;
        let answer = registers(&house, Some(&bearer), &body).await;
        let told = (answer.status.as_u16(), answer.json()["error"].clone());
        assert_eq!(told, (400, json!("invalid_client_metadata")), "{name}: {}", answer.body);
        house.refused(&before, "invalid_client_metadata").await;
    }
}

#[tokio::test]
async fn m07_who_registers_themselves_is_somebody_else_and_is_open_to_whom_the_token_says() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let b = house.organization("org-b").await;
        let operator = Api::operator(&house).await;
        for (wrong, pointer) in [
            (json!({"organizations": ["nobody"]}), "/organizations/0"),
            (json!({"organizations": []}), "/organizations"),
            (json!({"connections": ["ca", "nothing"]}), "/connections/1"),
            (json!({"connections": ["ca", "ca"]}), "/connections/1"),
        ] {
            let mut body = json!({"name": "x"});
            body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            let refused = operator.post("/registration-tokens", body).await;
            assert_eq!(refused.status, 422, "{wrong}: {}", refused.body);
            assert!(refused.body.contains(pointer), "{wrong}: {}", refused.body);
        }
        assert_eq!(house.count("registration_tokens").await, 0);
        let bearer =
            token(&house, json!({"name": "b", "organizations": ["org-b"], "connections": ["cb"]})).await;
        // Nothing that it says of itself makes it more, or nobody else's.
        let mut body = web("shop");
        let said = json!({"organizations": null, "connections": ["ca"], "consent_required": false});
        body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        let client = Client::registered(&house, &bearer, &body).await;
        let path = format!("/applications/{}", application_id(&house).await);
        let shown = operator.get(&path).await.json();
        assert_eq!(shown["organizations"], json!([b]), "{shown}");
        assert_eq!((&shown["domain_based"], &shown["consent_required"]), (&json!(false), &json!(true)));
        let changed = client.does(Method::PUT, Some(&client.as_is(json!({})))).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let after = operator.get(&path).await.json();
        for name in ["organizations", "connections", "domain_based", "consent_required"] {
            assert_eq!(after[name], shown[name], "{name}");
        }
        let own = client.application(&house);
        let ask = own.asks().with("scope", "openid organization").with("login_hint", "bob@b.test");
        // Who belongs to it comes by its connection, and is asked; nobody else comes in at all.
        let mut bob = Person::new("bob@b.test");
        let arrival = bob.follows(&ask).await;
        assert!(
            arrival.pages.iter().any(|page| {
                page.contains("May shop be told of you?") && page.contains("registered itself here")
            }),
            "{:?}",
            arrival.pages
        );
        assert_eq!(house.count("consents").await, 1);
        let told = ask.redemption(&arrival.code()).send().await;
        assert_eq!(told.status, 200, "{}", told.body);
        let ann = ask.clone().with("connection", "ca").with("login_hint", "ann@a.test");
        let before = house.before().await;
        let refused = Person::new("ann@a.test").follows(&ann).await;
        assert_eq!(refused.error().0, "invalid_request", "{}", refused.told());
        house.refused(&before, "connection_not_allowed").await;
    }
}

async fn application_id(house: &House) -> String {
    house.text("SELECT application_id FROM client_registrations").await.unwrap()
}

#[tokio::test]
async fn m07_how_old_a_proof_may_be_is_as_the_client_registered_it_unless_a_request_says_otherwise() {
    let house = plan(Engine::Sqlite).build().await;
    let bearer = usual(&house, 1).await;
    let mut body = web("shop");
    body["default_max_age"] = json!(600);
    body["require_auth_time"] = json!(true);
    let client = Client::registered(&house, &bearer, &body).await;
    let own = client.application(&house);
    let ask = own.asks().with("scope", "openid").with("login_hint", "ann@a.test");
    let proved = async |ann: &mut Person, ask: &crate::house::application::Ask| {
        let arrival = ann.follows(ask).await;
        ask.redeems(&arrival).await.id["auth_time"].as_u64().unwrap()
    };
    let mut ann = Person::new("ann@a.test");
    let first = proved(&mut ann, &ask).await;
    house.turn_clock(600);
    assert_eq!(proved(&mut ann, &ask).await, first, "young enough");
    house.turn_clock(1);
    let before = house.before().await;
    let silent = ann.follows(&ask.clone().with("prompt", "none")).await;
    assert_eq!(silent.error().0, "login_required", "{}", silent.told());
    house.refused(&before, "login_required").await;
    assert_eq!(proved(&mut ann, &ask.clone().with("max_age", "3600")).await, first, "the request counts");
    assert_eq!(proved(&mut ann, &ask).await, first + 601, "she proved it anew");
}

#[tokio::test]
async fn m07_a_client_registers_by_which_certificate_it_is_known() {
    let house = plan(Engine::Sqlite).build().await;
    let bearer = usual(&house, 2).await;
    let mut body = web("shop");
    body["token_endpoint_auth_method"] = json!("tls_client_auth");
    body["tls_client_auth_san_dns"] = json!("shop.test");
    let client = Client::registered(&house, &bearer, &body).await;
    let method = client.text("token_endpoint_auth_method");
    assert_eq!((method, client.text("tls_client_auth_san_dns")), ("tls_client_auth", "shop.test"));
    assert_eq!(client.0.get("client_secret"), None);
    let renamed =
        client.as_is(json!({"tls_client_auth_san_dns": null, "tls_client_auth_subject_dn": "CN=shop"}));
    let renamed = client.does(Method::PUT, Some(&renamed)).await;
    assert_eq!(
        (renamed.status.as_u16(), &renamed.json()["tls_client_auth_subject_dn"]),
        (200, &json!("CN=shop")),
        "{}",
        renamed.body
    );
    assert_eq!(renamed.json().get("tls_client_auth_san_dns"), None);
    let client = Client(renamed.json());
    // By one name, and only where it is known by a certificate at all.
    for wrong in [
        json!({"tls_client_auth_san_dns": "shop.test"}),
        json!({"tls_client_auth_subject_dn": null}),
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
    ] {
        let before = house.before().await;
        let refused = client.does(Method::PUT, Some(&client.as_is(wrong.clone()))).await;
        let told = (refused.status.as_u16(), refused.json()["error"].clone());
        assert_eq!(told, (400, json!("invalid_client_metadata")), "{wrong}: {}", refused.body);
        let told = refused.json()["error_description"].as_str().unwrap().to_owned();
        assert!(told.starts_with("tls_client_auth_"), "{told}");
        house.refused(&before, "invalid_client_metadata").await;
    }
}

/// RFC 9110, sections 8.4 and 15.5.16.
#[tokio::test]
async fn m07_m11_metadata_in_a_coding_registers_nobody() {
    let house = plan(Engine::Sqlite).build().await;
    let bearer = usual(&house, 1).await;
    let before = house.before().await;
    let dress = |ask: reqwest::RequestBuilder| {
        let ask = ask.bearer_auth(&bearer).header("content-type", "application/json");
        ask.header("content-encoding", "gzip").body("{\"redirect_uris\":[\"https://a.test/cb\"]}")
    };
    let url = format!("{}/register", house.url);
    let refused = Visitor::arrives().request(Method::POST, &url, dress).await;
    let told = (refused.status.as_u16(), refused.json()["error"].clone());
    assert_eq!(told, (415, json!("invalid_client_metadata")), "{}", refused.body);
    assert_eq!(refused.header("accept-encoding"), Some("identity"));
    house.unchanged(&before).await;
}
