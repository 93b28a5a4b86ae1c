//! What an application can say in a request: which claims, how proved, for which audiences; however the request came.

use behalf::protocol::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_idp::Says;

const URIS: &str = "redirect_uris = [\"https://rp1.test/callback\"]";

async fn with(more: &str) -> House {
    Plan::default().with(URIS, &format!("{URIS}\n{more}")).build().await
}

/// The first application, asking for little, so that it shows what it asks for by name.
fn asks(house: &House) -> Ask {
    Application::rp1(house).asks().with("scope", "openid")
}

/// The same request in the address, pushed, and signed: three ways of saying it.
async fn in_every_way(house: &House, key: &SigningKey, ask: &Ask) -> [String; 3] {
    let object = key.sign_jwt("oauth-authz-req+jwt", &ask.claims(house.clock.now().seconds())).unwrap();
    [ask.url(), ask.only("request_uri", &ask.pushed().await), ask.only("request", &object)]
}

#[tokio::test]
async fn s2_24_a_request_means_the_same_by_whatever_way_it_comes() {
    let key = SigningKey::generate(Algorithm::ES256, "of rp1").unwrap();
    let mut plan = Plan::default().with(URIS, &format!("{URIS}\njwks = {{ file = \"rp1.json\" }}"));
    plan.files.push(("rp1.json".into(), json!({ "keys": [key.public_jwk()] }).to_string()));
    let house = plan.build().await;
    let rp1 = Application::rp1(&house);
    // Whom con may act for, by every spelling, and whom not.
    let b = house.organization("org-b").await;
    for (name, value, org) in [
        ("organization", "org-a", Some("org-a")),
        ("organization", "org-b", Some("org-b")),
        ("organization_id", b.as_str(), Some("org-b")),
        ("scope", "openid organization:org-b", Some("org-b")),
        ("scope", "openid organization:*", None),
    ] {
        let ask = rp1.asks().with(name, value);
        for url in in_every_way(&house, &key, &ask).await {
            let arrival = Person::new("con@a.test").opens(&ask, &url).await;
            let id = ask.redeems(&arrival).await.id;
            assert_eq!(id["org_name"].as_str(), org, "{name}={value} {url}");
        }
    }
    for (name, value) in
        [("organization", "org-c"), ("organization", "nobody"), ("scope", "openid organization:org-c")]
    {
        let ask = rp1.asks().with(name, value);
        for url in in_every_way(&house, &key, &ask).await {
            let arrival = Person::new("con@a.test").opens(&ask, &url).await;
            assert_eq!(arrival.error(), ("access_denied".into(), "organization_not_allowed".into()), "{url}");
        }
    }
    // And the picker, where nothing is said.
    let ask = rp1.asks();
    for url in in_every_way(&house, &key, &ask).await {
        let mut con = Person::new("con@a.test");
        let page = con.opens(&ask, &url).await;
        assert_eq!(page.choices(), ["A Corporation", "B Corporation"], "{url}");
        let arrival = con.picks(&ask, &page, "B Corporation").await;
        assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
    }
    // Hints and languages go along.
    let ask = rp1.asks().with("ui_locales", "de").with("login_hint", "nobody@nowhere.test");
    for url in in_every_way(&house, &key, &ask).await {
        let page = Person::new("").opens(&ask, &url).await;
        assert!(page.answer.body.contains("lang=\"de\""), "{url}: {}", page.answer.body);
    }
}

#[tokio::test]
async fn s2_24_claims_are_given_by_name_where_their_scope_may_be_asked_for() {
    let house = with("").await;
    house.idp_a.says(Says::truth().claim("name", "\"Ann\"").claim("given_name", "\"An\""));
    let claims = json!({ "id_token": { "email": { "essential": true }, "auth_time": { "essential": true }, "x": null },
        "userinfo": { "given_name": null, "email_verified": { "value": false }, "nonsense": { "essential": true } } });
    let ask = asks(&house).with("claims", &claims.to_string());
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    let answer = ask.redemption(&arrival.code()).send().await;
    let tokens = ask.reads(&answer).await;
    assert_eq!((&tokens.id["email"], &tokens.id["given_name"]), (&json!("ann@a.test"), &Value::Null));
    assert!(tokens.id["auth_time"].is_i64() && tokens.id["email_verified"].is_null(), "{}", tokens.id);
    let userinfo = ask.application.userinfo(&tokens.access_token).await.json();
    assert_eq!((&userinfo["given_name"], &userinfo["email_verified"]), (&json!("An"), &json!(true)));
    assert!(userinfo["email"].is_null() && userinfo["name"].is_null(), "{userinfo}");
    // A refreshed token says the same.
    let again = ask.reads_again(&ask.application.refreshes(tokens.refresh()).send().await).await;
    assert_eq!(again.id["email"], json!("ann@a.test"));
    // Names are no way round the scopes.
    let file = house.file.replace(
        "scopes = [\"openid\", \"profile\", \"email\", \"organization\", \"organizations\", \"roles\", \"permissions\"]\nclaims",
        "scopes = [\"openid\"]\nclaims",
    );
    house.provision(&file).await;
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    assert!(tokens.id["email"].is_null(), "{}", tokens.id);
    let userinfo = ask.application.userinfo(&tokens.access_token).await.json();
    assert!(userinfo["given_name"].is_null(), "{userinfo}");
}

#[tokio::test]
async fn m17_who_must_have_proved_more_is_asked_again_and_then_refused() {
    let (one, two) = ("urn:behalf:acr:1fa", "urn:behalf:acr:2fa");
    let house = with("").await;
    let essential = |class: &str| {
        let claims = json!({ "id_token": { "acr": { "essential": true, "values": ["urn:other", class] } } });
        asks(&house).with("claims", &claims.to_string())
    };
    let mut ann = Person::new("ann@a.test");
    let ask = asks(&house);
    assert_eq!(ask.redeems(&ann.follows(&ask).await).await.id["acr"], json!(one));
    // What is enough costs nobody anything; what is not known is no demand, and so is what is only wished for.
    let tokens = house.idp_a.hits("/token");
    for ask in [essential(one), asks(&house).with("acr_values", one)] {
        assert_eq!(ask.redeems(&ann.follows(&ask).await).await.id["acr"], json!(one));
    }
    assert_eq!(house.idp_a.hits("/token"), tokens);
    let wished = asks(&house).with("acr_values", two);
    assert_eq!(wished.redeems(&ann.follows(&wished).await).await.id["acr"], json!(one), "the truth");
    assert_eq!(house.idp_a.hits("/token"), tokens + 1, "they were asked again");
    let silently = wished.clone().with("prompt", "none");
    assert_eq!(silently.redeems(&ann.follows(&silently).await).await.id["acr"], json!(one));
    // What cannot be done without.
    for ask in [essential(two), essential(two).with("prompt", "none")] {
        let before = house.count("grants").await;
        let arrival = ann.follows(&ask).await;
        assert_eq!(arrival.error(), ("unmet_authentication_requirements".into(), "acr_unmet".into()));
        assert_eq!(house.count("grants").await, before, "no code");
    }
    house.idp_a.says(Says::truth().claim("amr", "[\"pwd\", \"mfa\"]"));
    let ask = essential(two);
    assert_eq!(ask.redeems(&ann.follows(&ask).await).await.id["acr"], json!(two));
    // And who is there already with more is good for less.
    let ask = essential(one);
    ask.redeems(&ann.follows(&ask).await).await;
}

#[tokio::test]
async fn m17_a_claim_may_name_who_it_has_to_be() {
    let house = with("").await;
    let mut ann = Person::new("ann@a.test");
    let first = asks(&house);
    first.redeems(&ann.follows(&first).await).await;
    let mut con = Person::new("con@a.test");
    let first = asks(&house).with("organization", "org-a").with("login_hint", "con@a.test");
    let answer = first.redemption(&con.follows(&first).await.code()).send().await;
    let con_token = answer.json()["id_token"].as_str().unwrap().to_owned();
    let means = |email: String| json!({ "id_token": { "sub": { "value": email } } }).to_string();
    let (ann_id, con_id) = (house.user("ann@a.test").await, house.user("con@a.test").await);
    let ask = asks(&house).with("prompt", "none").with("claims", &means(ann_id.clone()));
    assert_eq!(ask.redeems(&ann.follows(&ask).await).await.id["sub"], json!(ann_id));
    for other in [con_id, "nobody".to_owned()] {
        let ask = asks(&house).with("prompt", "none").with("claims", &means(other));
        assert_eq!(ann.follows(&ask).await.error().0, "login_required");
    }
    let both = asks(&house).with("claims", &means(ann_id)).with("id_token_hint", &con_token);
    assert_eq!(ann.follows(&both).await.error().0, "invalid_request");
}

const APIS: &str = "audiences = [\"https://one.test\", \"https://two.test\"]";

#[tokio::test]
async fn m05_a_token_is_for_the_audiences_that_are_asked_for_and_no_others() {
    let house = with(APIS).await;
    let rp1 = Application::rp1(&house);
    let (one, two, us) = ("https://one.test", "https://two.test", house.url.as_str());
    let asks = || rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let ask = asks();
    let all = ask.redeems(&Person::new("con@a.test").follows(&ask).await).await;
    assert_eq!(all.access["aud"], json!([one, two, us]));
    assert_eq!(rp1.userinfo(&all.access_token).await.status, 200);

    // At the authorization endpoint; and pushed.
    let ask = ask.clone().with("resource", one).and("resource", us);
    for url in [ask.url(), ask.only("request_uri", &ask.pushed().await)] {
        let tokens = ask.redeems(&Person::new("con@a.test").opens(&ask, &url).await).await;
        assert_eq!(tokens.access["aud"], json!([one, us]), "{url}");
        assert_eq!(tokens.id["aud"], json!("rp1"), "an ID token is for the application");
        // A refresh keeps to that, or takes less, and what is left out is not lost.
        let narrow = rp1.refreshes(tokens.refresh()).with("resource", one).send().await;
        let narrow = ask.reads_again(&narrow).await;
        assert_eq!(narrow.access["aud"], json!(one));
        assert_eq!(rp1.userinfo(&narrow.access_token).await.status, 401, "it is not for us");
        let told = rp1.posts("/introspect", &[("token", &narrow.access_token)]).send().await.json();
        assert_eq!((&told["active"], &told["aud"]), (&json!(true), &json!(one)));
        let before = house.before().await;
        let more = rp1.refreshes(narrow.refresh()).with("resource", two).send().await;
        assert_eq!((more.status.as_u16(), &more.json()["error"]), (400, &json!("invalid_target")));
        house.refused(&before, "invalid_target").await;
        let whole = ask.reads_again(&rp1.refreshes(narrow.refresh()).send().await).await;
        assert_eq!(whole.access["aud"], json!([one, us]));
        // Whoever switches the organization takes their audiences along.
        let switched = rp1.refreshes(whole.refresh()).with("organization", "org-b").send().await;
        let switched = ask.reads_again(&switched).await;
        assert_eq!(
            (&switched.access["aud"], &switched.access["org_name"]),
            (&json!([one, us]), &json!("org-b"))
        );
    }
    // At the token endpoint alone.
    let ask = asks();
    let code = Person::new("con@a.test").follows(&ask).await.code();
    let tokens = ask.reads(&ask.redemption(&code).with("resource", two).send().await).await;
    assert_eq!(tokens.access["aud"], json!(two));
    let whole = ask.reads_again(&rp1.refreshes(tokens.refresh()).send().await).await;
    assert_eq!(whole.access["aud"], json!([one, two, us]));
}

#[tokio::test]
async fn m05_a_foreign_audience_is_refused_at_every_endpoint() {
    let machine = "[application.night]\ntype = \"machine\"\nclient_secrets = [{ env = \"RP1_SECRET\" }]\n\
                   audiences = [\"https://one.test\", \"https://two.test\"]\n";
    let house = Plan::default().with(URIS, &format!("{URIS}\n{APIS}")).and(machine).build().await;
    let rp1 = Application::rp1(&house);
    for foreign in
        ["https://three.test", "https://one.test/", "HTTPS://one.test", "one.test", "https://one.test#x"]
    {
        let before = house.before().await;
        let ask = rp1.asks().with("resource", foreign);
        assert_eq!(Person::new("ann@a.test").follows(&ask).await.error().0, "invalid_target", "{foreign}");
        let pushed = ask.pushes().send().await;
        assert_eq!((pushed.status.as_u16(), &pushed.json()["error"]), (400, &json!("invalid_target")));
        house.unchanged(&before).await;
        let night = Application::new(&house, "night", rp1.proof.clone());
        let asked = night.posts("/token", &[("grant_type", "client_credentials"), ("resource", foreign)]);
        let before = house.before().await;
        let answer = asked.send().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_target")));
        house.refused(&before, "invalid_target").await;
    }
    let night = Application::new(&house, "night", rp1.proof.clone());
    let answer = night
        .posts("/token", &[("grant_type", "client_credentials"), ("resource", "https://two.test")])
        .send()
        .await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let told = night.posts("/introspect", &[("token", &token)]).send().await.json();
    assert_eq!(told["aud"], json!("https://two.test"), "{told}");
    // A code for one audience gives no token for another, and is burnt by whoever tries.
    let ask = rp1.asks().with("resource", "https://one.test");
    let code = Person::new("ann@a.test").follows(&ask).await.code();
    let answer = ask.redemption(&code).with("resource", "https://two.test").send().await;
    assert_eq!(answer.json()["error"], json!("invalid_target"), "{}", answer.body);
    assert_eq!(ask.redemption(&code).send().await.json()["error"], json!("invalid_grant"));
    // One that the application has not at all says nothing of the code, which stays good.
    let ask = rp1.asks().with("resource", "https://one.test");
    let code = Person::new("ann@a.test").follows(&ask).await.code();
    let before = house.before().await;
    let answer = ask.redemption(&code).with("resource", "https://three.test").send().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_target")));
    house.refused(&before, "invalid_target").await;
    let told = house.events_since(&before).await.remove(0);
    assert_eq!(told.action, "token.refused");
    assert_eq!(
        told.detail["why"],
        answer.json()["error_description"],
        "the trail says what the client is told"
    );
    assert!(told.detail["why"].as_str().is_some_and(|why| !why.is_empty()), "{:?}", told.detail);
    assert_eq!(ask.redemption(&code).send().await.status, 200);
    // What the application has no more, nobody gets.
    let ask = rp1.asks().with("resource", "https://one.test");
    let tokens = ask.redeems(&Person::new("ann@a.test").follows(&ask).await).await;
    house
        .provision(&house.file.replace("\"https://one.test\", \"https://two.test\"", "\"https://two.test\""))
        .await;
    let answer = rp1.refreshes(tokens.refresh()).send().await;
    assert_eq!(answer.json()["error"], json!("invalid_target"), "{}", answer.body);
}

#[tokio::test]
async fn discovery_tells_the_truth_about_requests() {
    let house = with("").await;
    let mut anybody = crate::house::visitor::Visitor::arrives();
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let told = anybody.get(&format!("{}{path}", house.url)).await.json();
        assert_eq!(told["pushed_authorization_request_endpoint"], json!(format!("{}/par", house.url)));
        assert_eq!(told["require_pushed_authorization_requests"], json!(false));
        assert_eq!(
            told["request_object_signing_alg_values_supported"],
            json!(["RS256", "PS256", "ES256", "EdDSA"])
        );
        for yes in [
            "claims_parameter_supported",
            "request_parameter_supported",
            "request_uri_parameter_supported",
            "require_request_uri_registration",
            "organization_parameter_supported",
        ] {
            assert_eq!(told[yes], json!(true), "{yes}");
        }
        let modes = told["response_modes_supported"].as_array().unwrap();
        assert!(modes.contains(&json!("form_post")) && modes.contains(&json!("jwt")), "{modes:?}");
        assert_eq!(told["authorization_signing_alg_values_supported"], json!(["RS256", "ES256", "EdDSA"]));
    }
}
