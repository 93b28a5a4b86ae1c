//! M05: only an access token of this issuer, for this issuer, living, opens UserInfo.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use behalf::protocol::jose::{Algorithm, SigningKey};

use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{House, RP1_SECRET};
use crate::house::visitor::{Answer, Visitor};

/// The key with which the default project signs now, taken from behind.
async fn own_key(house: &House) -> std::sync::Arc<SigningKey> {
    let project = house.text("SELECT id FROM projects WHERE slug = 'default'").await.unwrap();
    let keys = house.broker.keyring.of(project.parse().unwrap()).await.unwrap();
    std::sync::Arc::clone(keys.signing(Algorithm::RS256, house.clock.now()).unwrap())
}

async fn presents(house: &House, value: &str) -> Answer {
    let mut visitor = Visitor::arrives();
    let url = format!("{}/userinfo", house.url);
    visitor.request(reqwest::Method::GET, &url, |request| request.header("Authorization", value)).await
}

async fn is_refused(house: &House, value: &str, what: &str) {
    let before = house.before().await;
    let answer = presents(house, value).await;
    assert_eq!(answer.status, 401, "{what}: {}", answer.body);
    assert_eq!(answer.json()["error"], json!("invalid_token"), "{what}");
    let challenge = answer.header("www-authenticate").unwrap_or_else(|| panic!("{what}: no challenge"));
    assert!(
        challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""),
        "{what}: {challenge}"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    house.refused(&before, "invalid_token").await;
}

#[tokio::test]
async fn m05_no_other_token_opens_userinfo() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks();
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    let code = arrival.code();
    let answer = ask.redemption(&code).send().await;
    let id_token = answer.json()["id_token"].as_str().unwrap().to_owned();
    let tokens = ask.reads(&answer).await;
    let good = &tokens.access_token;
    assert_eq!(presents(&house, &format!("Bearer {good}")).await.status, 200);
    assert_eq!(presents(&house, &format!("bearer {good}")).await.status, 200);

    let key = own_key(&house).await;
    let now = house.clock.now().seconds();
    let with = |name: &str, value: Value| {
        let mut claims = tokens.access.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = tokens.access.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let sign = |typ: &str, claims: &Value| key.sign_jwt(typ, claims).unwrap();
    assert_eq!(presents(&house, &format!("Bearer {}", sign("at+jwt", &tokens.access))).await.status, 200);
    let stranger = SigningKey::generate(Algorithm::RS256, key.kid()).unwrap();
    let parts: Vec<_> = good.split('.').collect();
    let none = BASE64URL_NOPAD.encode(b"{\"alg\":\"none\",\"typ\":\"at+jwt\"}");
    let other = format!("{}/p/second", house.url);
    let logout = json!({ "iss": house.url, "aud": house.url, "iat": now, "exp": now + 60, "jti": "x",
        "sub": tokens.access["sub"], "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    let mut changed = parts[1].to_owned();
    changed.replace_range(10..11, if &changed[10..11] == "A" { "B" } else { "A" });
    for (what, token) in [
        ("an ID token", id_token.clone()),
        ("a code", code.clone()),
        ("a logout token", sign("logout+jwt", &logout)),
        ("an assertion", sign("JWT", &tokens.access)),
        ("an unlabelled one", sign("", &tokens.access)),
        ("another audience's", sign("at+jwt", &with("aud", json!("https://api.crm.test")))),
        ("the client's", sign("at+jwt", &with("aud", json!("rp1")))),
        ("nobody's", sign("at+jwt", &without("aud"))),
        ("another issuer's", sign("at+jwt", &with("iss", json!(other)))),
        ("no issuer's", sign("at+jwt", &without("iss"))),
        ("one that has run out", sign("at+jwt", &with("exp", json!(now - 1)))),
        ("one without an end", sign("at+jwt", &without("exp"))),
        ("one of tomorrow", sign("at+jwt", &with("nbf", json!(now + 86_400)))),
        ("without a grant", sign("at+jwt", &without("grant_id"))),
        ("of another grant", sign("at+jwt", &with("grant_id", json!("grt_00000000000000000000000000")))),
        ("of a stranger with our key's id", stranger.sign_jwt("at+jwt", &tokens.access).unwrap()),
        ("without a signature", format!("{none}.{}.", parts[1])),
        ("with an empty signature", format!("{}.{}.", parts[0], parts[1])),
        ("with a cut signature", good[..good.len() - 4].to_owned()),
        ("with other claims", format!("{}.{changed}.{}", parts[0], parts[2])),
        (
            "with another's claims",
            format!("{}.{}.{}", parts[0], id_token.split('.').nth(1).unwrap(), parts[2]),
        ),
        ("garbage", "garbage".to_owned()),
        ("dots", "..".to_owned()),
        ("two of them", format!("{good},{good}")),
        ("two of them, spaced", format!("{good} {good}")),
        ("a space behind it", format!("{good} x")),
    ] {
        is_refused(&house, &format!("Bearer {token}"), what).await;
    }
    is_refused(&house, "Bearer x", "too short a one").await;
    // Who brings none is told how, and not what was wrong with it (RFC 6750, section 3.1).
    for value in ["Bearer", "Bearer ", "", &format!("Basic {good}"), good] {
        let before = house.before().await;
        let answer = presents(&house, value).await;
        assert_eq!(answer.status, 401, "{value:?}: {}", answer.body);
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{value:?}");
        house.unchanged(&before).await;
    }
    // Nor in the address, or where no form is said to be.
    let before = house.before().await;
    let url = format!("{}/userinfo", house.url);
    let mut visitor = Visitor::arrives();
    assert_eq!(visitor.get(&format!("{url}?access_token={good}")).await.status, 401);
    let dress = |request: reqwest::RequestBuilder| request.body(format!("access_token={good}"));
    assert_eq!(visitor.request(reqwest::Method::POST, &url, dress).await.status, 401);
    house.unchanged(&before).await;
    is_looked_for_in_forms(&house, good, &id_token).await;
    house.turn_clock(301);
    is_refused(&house, &format!("Bearer {good}"), "five minutes later").await;
}

/// RFC 6750, sections 2.2 and 3.1.
async fn is_looked_for_in_forms(house: &House, good: &str, id_token: &str) {
    let url = format!("{}/userinfo", house.url);
    let mut visitor = Visitor::arrives();
    assert_eq!(visitor.post_form(&url, &[("access_token", good)]).await.status, 200);
    for (wrong, fields, header, status) in [
        ("invalid_token", vec![("access_token", id_token)], None, 401),
        ("invalid_token", vec![("access_token", "a\nb")], None, 401),
        ("invalid_request", vec![("access_token", good), ("access_token", good)], None, 400),
        ("invalid_request", vec![("access_token", good)], Some(format!("Bearer {good}")), 400),
        ("invalid_request", vec![("access_token", good)], Some("Basic eDp5".to_owned()), 400),
    ] {
        let before = house.before().await;
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let dress = |request: reqwest::RequestBuilder| {
            let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
            header.iter().fold(request, |request, value| request.header("authorization", value))
        };
        let answer = visitor.request(reqwest::Method::POST, &url, dress).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (status, &json!(wrong)), "{fields:?}");
        assert!(!answer.body.contains(good), "{}", answer.body);
        house.refused(&before, wrong).await;
    }
}

#[tokio::test]
async fn m05_two_projects_share_nothing() {
    let house = House::opens().await;
    house.provision(SECOND).await;
    let mut house = house;
    house.prove_domains().await;
    let rp1 = Application::rp1(&house);
    let twin = Application::of_project(&house, "second", "rp1", Proof::Basic(RP1_SECRET.into()));
    let own = Application::of_project(&house, "second", "own", Proof::Basic(RP1_SECRET.into()));
    let mut con = Person::new("ann@a.test");
    let ask = rp1.asks();
    let arrival = con.follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;

    // The same browser is nobody over there: other issuer, other keys, other sessions.
    let answer = con.browser.get(&twin.asks().with("prompt", "none").url()).await;
    assert!(answer.location().unwrap().query().unwrap().contains("error=login_required"), "{answer:?}");
    let of_twin = twin.asks();
    con.email = "sue@s.test".into();
    let arrival = con.follows(&of_twin).await;
    let code = arrival.code();
    assert_eq!(arrival.told_application("iss"), Some(format!("{}/p/second", house.url)));
    // A code of one project at the other one's token endpoint, by the client of the same name and secret.
    let before = house.before().await;
    let answer = of_twin.redemption(&code).by(&rp1).at(&house.url).send().await;
    assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body);
    let of_twin = twin.asks();
    let arrival = con.follows(&of_twin).await;
    let foreign = of_twin.redeems(&arrival).await;
    drop(before);
    assert_ne!(foreign.id["sub"], tokens.id["sub"]);
    assert_eq!(foreign.id["iss"], json!(format!("{}/p/second", house.url)));
    assert_eq!(twin.userinfo(&foreign.access_token).await.status, 200);
    assert_eq!(rp1.userinfo(&foreign.access_token).await.status, 401);
    assert_eq!(twin.userinfo(&tokens.access_token).await.status, 401);
    let keys = |answer: Answer| -> Vec<Value> {
        answer.json()["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
    };
    let ours = keys(con.browser.get(&format!("{}/jwks.json", house.url)).await);
    let theirs = keys(con.browser.get(&format!("{}/p/second/jwks.json", house.url)).await);
    assert!(ours.iter().all(|kid| !theirs.contains(kid)), "{ours:?} {theirs:?}");
    let issuer = con.browser.get(&format!("{}/p/second/.well-known/openid-configuration", house.url)).await;
    assert_eq!(issuer.json()["issuer"], json!(format!("{}/p/second", house.url)));

    // Another project's things are answered like unknown ones.
    let unknown = |answer: &Answer| (answer.status.as_u16(), answer.location().is_some());
    let theirs = con.browser.get(&own.asks().url().replace("/p/second", "")).await;
    let nobodys =
        con.browser.get(&own.asks().with("client_id", "nobody").url().replace("/p/second", "")).await;
    assert_eq!(unknown(&theirs), unknown(&nobodys));
    assert_eq!(unknown(&theirs), (400, false));
    for (name, foreign, nobodys) in [
        ("organization", house.organization("org-s").await, "org_00000000000000000000000000".to_owned()),
        ("organization", "org-s".into(), "org-nobody".into()),
        ("connection", house.connection("cs").await, "conn_00000000000000000000000000".into()),
        ("connection", "cs".into(), "nobody".into()),
    ] {
        let mut told = Vec::new();
        for value in [foreign, nobodys] {
            let mut ann = Person::new("ann@a.test");
            ann.follows(&rp1.asks()).await.code();
            let answer = ann.browser.get(&rp1.asks().with(name, &value).url()).await;
            let error = answer.location().and_then(|to| {
                to.query_pairs()
                    .find(|(name, _)| name == "error_description")
                    .map(|(_, value)| value.into_owned())
            });
            told.push((answer.status, error, answer.forms().len()));
        }
        assert_eq!(told[0], told[1], "{name}");
    }
    // A flow of one is no flow of the other, in the very same browser.
    let mut sue = Person::new("sue@s.test");
    let page = sue.browser.get(&twin.asks().url()).await;
    let form = page.form_with("email");
    let flow = form.action.as_str().replace("/p/second", "");
    let before = house.before().await;
    let mut moved = form.with("email", "ann@a.test");
    moved.action = flow.parse().unwrap();
    assert_eq!(sue.browser.submit(&moved).await.status, 403);
    house.refused(&before, "flow_expired").await;
    let answer = sue.browser.get(&format!("{}/p/nobody/authorize", house.url)).await;
    assert_eq!(answer.status, 404);
}

/// Another project, with a client of the same name and secret.
const SECOND: &str = r#"
[project]
slug = "second"
display_name = "Second"

[organization.org-s]
display_name = "S Corporation"

[[domain]]
name = "s.test"
organization = "org-s"
connections = ["cs"]
use_for_routing = true
trust_email = true

[connection.cs]
organization = "org-s"
type = "oidc"
display_name = "S Login"
state = "active"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }
jit = "create_and_join"

[application.rp1]
display_name = "Twin"
type = "web"
token_endpoint_auth_method = "client_secret_basic"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://rp1.test/callback"]
scopes = ["openid", "profile", "email", "organization", "organizations", "roles", "permissions"]

[application.own]
display_name = "Own"
type = "web"
token_endpoint_auth_method = "client_secret_basic"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://own.test/callback"]
scopes = ["openid", "profile", "email", "organization", "organizations", "roles", "permissions"]
"#;
