//! M21: a signed request counts if its own application has signed it, for us, and not for long; and then nothing else does.

use std::sync::Arc;

use behalf::protocol::jose::{Algorithm, SigningKey};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::house::application::{Application, Ask, Person, Proof};
use crate::house::broker::{Engine, House, Plan, RP1_SECRET};
use crate::house::publisher::Publisher;
use crate::house::visitor::Visitor;

const TYP: &str = "oauth-authz-req+jwt";

/// The default house, whose first application signs by this key, and has `more` settings.
async fn house(key: &SigningKey, more: &str) -> House {
    house_on(Engine::Sqlite, key, more).await
}

async fn house_on(engine: Engine, key: &SigningKey, more: &str) -> House {
    let uris = "redirect_uris = [\"https://rp1.test/callback\"]";
    let keys = format!("{uris}\njwks = {{ file = \"rp1.json\" }}\n{more}");
    let mut plan = Plan::on(engine).with(uris, &keys);
    plan.files.push(("rp1.json".into(), json!({ "keys": [key.public_jwk()] }).to_string()));
    plan.build().await
}

fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm, "of rp1").unwrap()
}

fn part(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

/// By a shared secret (RFC 7518, section 3.2).
fn hmac(secret: &[u8], claims: &Value) -> String {
    let text = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": TYP })), part(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let tag = aws_lc_rs::hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}

#[tokio::test]
async fn m21_a_signed_request_is_the_whole_request_by_whatever_algorithm_and_way() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = key(algorithm);
        let house = house(&key, "").await;
        let now = house.clock.now().seconds();
        for typ in [TYP, "JWT", "application/oauth-authz-req+jwt"] {
            let ask = Application::rp1(&house).asks().with("organization", "org-b").with("max_age", "600");
            let mut claims = ask.claims(now);
            claims["max_age"] = json!(600);
            let object = key.sign_jwt(typ, &claims).unwrap();
            // Beside it stands what would lead elsewhere.
            let more = "scope=openid%20organization&state=evil&nonce=evil&redirect_uri=https://evil.test/&response_type=code";
            let url = format!("{}&{more}", ask.only("request", &object));
            let arrival = Person::new("con@a.test").opens(&ask, &url).await;
            assert_eq!(
                arrival.told_application("state").as_deref(),
                ask.value("state"),
                "{}",
                arrival.told()
            );
            assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
            // The same, pushed.
            let pushed = Application::rp1(&house)
                .posts("/par", &[("request", &object), ("state", "evil"), ("organization", "org-b")])
                .send()
                .await;
            assert_eq!(pushed.status, 201, "{}", pushed.body);
            let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
            let url = format!("{}&{more}", ask.only("request_uri", &uri));
            let arrival = Person::new("con@a.test").opens(&ask, &url).await;
            assert_eq!(
                arrival.told_application("state").as_deref(),
                ask.value("state"),
                "{}",
                arrival.told()
            );
            assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
        }
    }
}

/// Everything that is no request of rp1's, with why it is.
async fn forgeries(house: &House, key: &SigningKey, ask: &Ask) -> Vec<(&'static str, String)> {
    let now = house.clock.now().seconds();
    let good = ask.claims(now);
    let sign = |claims: &Value| key.sign_jwt(TYP, claims).unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        sign(&claims)
    };
    let none = |alg: &str| format!("{}.{}.", part(&json!({ "alg": alg, "typ": TYP })), part(&good));
    let public = key.public_jwk();
    let public = serde_json::to_string(public).unwrap();
    let stranger = SigningKey::generate(Algorithm::ES256, "of rp1").unwrap();
    let other_kid = SigningKey::generate(Algorithm::ES256, "of rp2").unwrap();
    let con = ask.application.asks().with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").acts_for(&con, "A Corporation").await;
    let answer = con.redemption(&arrival.code()).send().await.json();
    let genuine = sign(&good);
    let (head, rest) = genuine.split_once('.').unwrap();
    let other_claims = sign(&ask.clone().with("scope", "openid").claims(now));
    let other_payload = other_claims.split('.').nth(1).unwrap();
    let spliced = format!("{head}.{other_payload}.{}", rest.split_once('.').unwrap().1);
    let assertion = json!({ "iss": "rp1", "sub": "rp1", "aud": house.url, "exp": now + 60, "jti": "a" });
    let mut as_assertion = good.clone();
    as_assertion["sub"] = json!("rp1");
    vec![
        ("none", none("none")),
        ("None", none("None")),
        ("by the client secret", hmac(RP1_SECRET.as_bytes(), &good)),
        ("by the public key as a secret", hmac(public.as_bytes(), &good)),
        ("another key", stranger.sign_jwt(TYP, &good).unwrap()),
        ("another client's key", other_kid.sign_jwt(TYP, &good).unwrap()),
        ("another payload", spliced),
        ("an ID token of ours", answer["id_token"].as_str().unwrap().to_owned()),
        ("an access token of ours", answer["access_token"].as_str().unwrap().to_owned()),
        ("a client assertion", sign(&assertion)),
        ("what serves as a client assertion too", sign(&as_assertion)),
        ("a logout token", key.sign_jwt("logout+jwt", &good).unwrap()),
        ("an access token's type", key.sign_jwt("at+jwt", &good).unwrap()),
        ("nested request", with("request", json!("x"))),
        ("nested request_uri", with("request_uri", json!("https://rp1.test/r"))),
        ("nested pushed request", with("request_uri", json!("urn:ietf:params:oauth:request_uri:x"))),
        ("issuer", with("iss", json!("rp2"))),
        ("no issuer", without("iss")),
        ("client", with("client_id", json!("rp2"))),
        ("no client", without("client_id")),
        ("audience", with("aud", json!("https://other.test"))),
        ("the token endpoint", with("aud", json!(format!("{}/token", house.url)))),
        ("no audience", without("aud")),
        ("no end", without("exp")),
        ("an end as text", with("exp", json!((now + 60).to_string()))),
        ("run out", with("exp", json!(now - 31))),
        ("for too long", with("exp", json!(now + 3_700))),
        ("not yet", with("nbf", json!(now + 60))),
        ("long ago", with("nbf", json!(now - 3_700))),
        ("a name twice", sign_raw(key, &good)),
        ("encrypted", "e30.e30.e30.e30.e30".to_owned()),
        ("nothing", "x".to_owned()),
        ("too long", format!("{genuine}{}", "A".repeat(7_000))),
    ]
}

/// A claim that stands twice is read in two ways by somebody.
fn sign_raw(key: &SigningKey, good: &Value) -> String {
    let text = good.to_string();
    let twice = format!("{{\"redirect_uri\":\"https://evil.test/\",{}", &text[1..]);
    key.sign_jws(TYP, twice.as_bytes()).unwrap()
}

#[tokio::test]
async fn m21_no_forgery_is_taken_for_a_signed_request() {
    let key = key(Algorithm::ES256);
    let house = house(&key, "").await;
    let ask = Application::rp1(&house).asks();
    for (what, object) in forgeries(&house, &key, &ask).await {
        let before = house.before().await;
        let url = ask.only("request", &object);
        let answer = Visitor::arrives().get(&url).await;
        if url.len() > 8_192 {
            assert_eq!(answer.status, 414, "{what}");
            continue;
        }
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{what}: {}", answer.body);
        // Nobody is sent back, so the page says to the developer what the trail says.
        let why = house.events_since(&before).await[0].detail["why"].as_str().unwrap().to_owned();
        let told = format!("invalid_request_object: {why}").replace('\'', "&#x27;");
        assert!(answer.body.contains(&told), "{what}: {told}: {}", answer.body);
        assert_eq!(what == "encrypted", why.contains("is encrypted"), "{what}: {why}");
        house.refused(&before, "invalid_request_object").await;
        // A registered place of the application's own may be told; and it is told no more.
        let before = house.before().await;
        let back = format!("{url}&redirect_uri=https://rp1.test/callback&state=s");
        let answer = Visitor::arrives().get(&back).await;
        let to = answer.location().unwrap_or_else(|| panic!("{what}: {}", answer.body));
        let start = "https://rp1.test/callback?error=invalid_request_object&";
        assert!(to.as_str().starts_with(start) && to.as_str().contains("state=s&iss="), "{what}: {to}");
        house.refused(&before, "invalid_request_object").await;
        let elsewhere = Visitor::arrives().get(&format!("{url}&redirect_uri=https://evil.test/")).await;
        assert_eq!((elsewhere.status.as_u16(), elsewhere.location()), (400, None), "{what}");
        let before = house.before().await;
        let pushed = ask.application.posts("/par", &[("request", &object)]).send().await;
        let told = (pushed.status.as_u16(), pushed.json()["error"].clone());
        assert_eq!(told, (400, json!("invalid_request_object")), "{what}: {}", pushed.body);
        house.refused(&before, "invalid_request_object").await;
    }
}

#[tokio::test]
async fn m21_who_asks_and_for_what_kind_of_answer_is_the_same_outside() {
    let key = key(Algorithm::EdDSA);
    let house = house(&key, "").await;
    let ask = Application::rp1(&house).asks();
    let object = key.sign_jwt(TYP, &ask.claims(house.clock.now().seconds())).unwrap();
    let other = format!("{}&response_type=token", ask.only("request", &object));
    let before = house.before().await;
    assert_eq!(Visitor::arrives().get(&other).await.status, 400);
    house.refused(&before, "invalid_request").await;
    // Another application that carries it has no key that fits, or no keys at all.
    let before = house.before().await;
    let stolen = Visitor::arrives().get(&Application::rp2(&house).asks().only("request", &object)).await;
    assert_eq!((stolen.status.as_u16(), stolen.location()), (400, None));
    house.refused(&before, "invalid_request_object").await;
    let both = format!("{}&request_uri=urn:ietf:params:oauth:request_uri:x", ask.only("request", &object));
    let before = house.before().await;
    assert_eq!(Visitor::arrives().get(&both).await.status, 400);
    house.refused(&before, "invalid_request").await;
    let twice = format!("{}&request=x", ask.only("request", &object));
    assert_eq!(Visitor::arrives().get(&twice).await.status, 400);
}

#[tokio::test]
async fn m21_c21_another_organization_beside_a_signed_or_a_pushed_request_is_refused() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let key = key(Algorithm::EdDSA);
        let house = house_on(engine, &key, "").await;
        let rp1 = Application::rp1(&house);
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        let signed = |ask: &Ask| key.sign_jwt(TYP, &ask.claims(house.clock.now().seconds())).unwrap();
        let disagrees = async |url: &str| {
            let before = house.before().await;
            let answer = Visitor::arrives().get(url).await;
            let to = answer.location().unwrap_or_else(|| panic!("{url}: {}", answer.body));
            assert!(to.as_str().starts_with("https://rp1.test/callback?error=invalid_request&"), "{to}");
            assert_eq!(answer.header("set-cookie"), None, "{url}");
            house.refused(&before, "invalid_request").await;
        };
        let ask = rp1.asks().with("organization", "org-b");
        for beside in [
            "organization=org-a",
            "organization=nobody",
            "scope=openid%20organization:org-a",
            "organization=org-b&scope=openid%20organization:org-a",
            &format!("organization_id={a}"),
            // Nobody says before they have signed in whether it is the same.
            &format!("organization_id={b}"),
        ] {
            disagrees(&format!("{}&{beside}", ask.only("request", &signed(&ask)))).await;
            let uri = ask.pushed().await;
            let url = format!("{}&{beside}", ask.only("request_uri", &uri));
            assert_eq!(house.count("pushed_requests").await, 1);
            let answer = Visitor::arrives().get(&url).await;
            let to = answer.location().unwrap_or_else(|| panic!("{url}: {}", answer.body));
            assert!(to.as_str().starts_with("https://rp1.test/callback?error=invalid_request&"), "{to}");
            assert_eq!(house.count("pushed_requests").await, 0, "it was used");
        }
        // Nor is it what the request itself says nothing of.
        disagrees(&format!("{}&organization=org-a", ask.only("request", &signed(&rp1.asks())))).await;
        let before = house.before().await;
        let pushed = rp1.posts("/par", &[("request", &signed(&ask)), ("organization", "org-a")]).send().await;
        assert_eq!((pushed.status.as_u16(), &pushed.json()["error"]), (400, &json!("invalid_request")));
        house.refused(&before, "invalid_request").await;
        // The same one is.
        let url = format!("{}&organization=org-b&scope=openid", ask.only("request", &signed(&ask)));
        let arrival = Person::new("con@a.test").opens(&ask, &url).await;
        assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
    }
}

#[tokio::test]
async fn m21_what_a_signed_request_says_is_checked_like_any_other() {
    let key = key(Algorithm::ES256);
    let house = house(&key, "").await;
    let ask = Application::rp1(&house).asks();
    let now = house.clock.now().seconds();
    for (name, value, error) in [
        ("scope", "offline_access_x", "invalid_scope"),
        ("response_type", "id_token", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("organization_id", "org-a", "invalid_request"),
        ("resource", "https://api.test", "invalid_target"),
    ] {
        let mut claims = ask.claims(now);
        claims[name] = json!(value);
        let object = key.sign_jwt(TYP, &claims).unwrap();
        let before = house.before().await;
        let answer = Visitor::arrives().get(&ask.only("request", &object)).await;
        let to = answer.location().unwrap_or_else(|| panic!("{name}: {}", answer.body));
        assert!(
            to.as_str().starts_with(&format!("https://rp1.test/callback?error={error}&")),
            "{name}: {to}"
        );
        house.refused(&before, error).await;
    }
    // What it says in two ways is not guessed at.
    let mut claims = ask.clone().with("organization", "org-b").claims(now);
    claims["scope"] = json!("openid organization:org-a");
    let object = key.sign_jwt(TYP, &claims).unwrap();
    let before = house.before().await;
    let answer = Visitor::arrives().get(&ask.only("request", &object)).await;
    let to = answer.location().unwrap_or_else(|| panic!("{}", answer.body));
    assert!(to.as_str().starts_with("https://rp1.test/callback?error=invalid_request&"), "{to}");
    house.refused(&before, "invalid_request").await;
    let mut claims = ask.claims(now);
    claims["redirect_uri"] = json!("https://evil.test/");
    let object = key.sign_jwt(TYP, &claims).unwrap();
    let before = house.before().await;
    let answer = Visitor::arrives().get(&ask.only("request", &object)).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (400, None));
    house.refused(&before, "bad_redirect_uri").await;
}

#[tokio::test]
async fn m21_an_object_with_a_name_is_pushed_once_whatever_the_node() {
    let key = key(Algorithm::ES256);
    let house = house(&key, "").await;
    let other = house.second_node().await;
    let ask = Application::rp1(&house).asks();
    let mut claims = ask.claims(house.clock.now().seconds());
    claims["jti"] = json!("the one and only");
    let object = key.sign_jwt(TYP, &claims).unwrap();
    let push = ask.application.posts("/par", &[("request", &object)]);
    assert_eq!(push.send().await.status, 201);
    for node in [house.url.clone(), other.url()] {
        let before = house.before().await;
        let answer = push.clone().at(&node).send().await;
        assert_eq!(answer.json()["error"], json!("invalid_request_object"), "{}", answer.body);
        house.refused(&before, "invalid_request_object").await;
    }
}

#[tokio::test]
async fn m21_an_application_that_must_sign_its_requests_is_told_so() {
    let key = key(Algorithm::ES256);
    let house = house(&key, "require_signed_request_object = true").await;
    let ask = Application::rp1(&house).asks();
    let before = house.before().await;
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    assert_eq!(arrival.error(), ("invalid_request".into(), "this application must sign its requests".into()));
    house.refused(&before, "invalid_request").await;
    let pushed = ask.pushes().send().await;
    assert_eq!((pushed.status.as_u16(), &pushed.json()["error"]), (400, &json!("invalid_request")));
    let object = key.sign_jwt(TYP, &ask.claims(house.clock.now().seconds())).unwrap();
    let arrival = Person::new("ann@a.test").opens(&ask, &ask.only("request", &object)).await;
    ask.redeems(&arrival).await;
}

#[tokio::test]
async fn m21_a_request_is_fetched_from_a_registered_address_and_from_no_other() {
    let key = key(Algorithm::ES256);
    let place = Publisher::of(String::new()).await;
    let canary = Publisher::of(String::new()).await;
    let house = house(&key, &format!("request_uris = [\"{}\"]", place.url)).await;
    let ask = Application::rp1(&house).asks().with("organization", "org-b");
    let now = house.clock.now().seconds();
    place.says(key.sign_jwt(TYP, &ask.claims(now)).unwrap());
    let arrival = Person::new("con@a.test").opens(&ask, &ask.only("request_uri", &place.url)).await;
    assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
    assert_eq!(place.hits(), 1);
    for (what, url) in [
        ("another place", canary.url.clone()),
        ("more", format!("{}?x=1", place.url)),
        ("a fragment", format!("{}#x", place.url)),
        ("another spelling", place.url.replace("127.0.0.1", "127.1")),
        ("metadata of a cloud", "http://169.254.169.254/latest".into()),
        ("a file", "file:///etc/passwd".into()),
        ("another urn", "urn:ietf:params:oauth:request_ur:x".into()),
    ] {
        let before = house.before().await;
        let answer = Visitor::arrives().get(&ask.only("request_uri", &url)).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{what}: {}", answer.body);
        house.refused(&before, "invalid_request_uri").await;
    }
    // Registered by one application, it is no other's.
    let before = house.before().await;
    let answer =
        Visitor::arrives().get(&Application::rp2(&house).asks().only("request_uri", &place.url)).await;
    assert_eq!(answer.status, 400);
    house.refused(&before, "invalid_request_uri").await;
    assert_eq!((canary.hits(), place.hits()), (0, 1));
    // What is there instead of a request, or nothing.
    for (document, reason) in
        [("x".to_owned(), "invalid_request_object"), ("y".repeat(20_000), "invalid_request_uri")]
    {
        place.says(document);
        let before = house.before().await;
        assert_eq!(Visitor::arrives().get(&ask.only("request_uri", &place.url)).await.status, 400);
        house.refused(&before, reason).await;
    }
    place.fails();
    let before = house.before().await;
    assert_eq!(Visitor::arrives().get(&ask.only("request_uri", &place.url)).await.status, 400);
    house.refused(&before, "invalid_request_uri").await;
    // It is asked no more than so often, whoever wants it (C27).
    let asked = place.hits();
    for _ in 0..70 {
        Visitor::arrives().get(&ask.only("request_uri", &place.url)).await;
    }
    assert!(place.hits() < asked + 60, "{}", place.hits() - asked);
}

#[tokio::test]
async fn m05_a_signed_request_opens_nothing_else() {
    let key = Arc::new(key(Algorithm::ES256));
    let signer =
        "token_endpoint_auth_method = \"client_secret_basic\"\nclient_secrets = [{ env = \"RP1_SECRET\" }]";
    let uris = "redirect_uris = [\"https://rp1.test/callback\"]";
    let mut plan = Plan::default()
        .with(signer, "token_endpoint_auth_method = \"private_key_jwt\"")
        .with(uris, &format!("{uris}\njwks = {{ file = \"rp1.json\" }}"));
    plan.files.push(("rp1.json".into(), json!({ "keys": [key.public_jwk()] }).to_string()));
    let house = plan.build().await;
    let rp1 = Application::rp1(&house).proving(Proof::Key(Arc::clone(&key)));
    let ask = rp1.asks();
    let now = house.clock.now().seconds();
    let mut claims = ask.claims(now);
    claims["jti"] = json!("x");
    let object = key.sign_jwt(TYP, &claims).unwrap();
    let before = house.before().await;
    let answer = ask
        .pushes()
        .with("client_assertion", &object)
        .with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .send()
        .await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")));
    house.refused(&before, "invalid_client").await;
    // The assertion may name the endpoint that it is for (RFC 9126, section 2).
    for aud in [house.url.clone(), format!("{}/par", house.url), format!("{}/token", house.url)] {
        let assertion =
            json!({ "iss": "rp1", "sub": "rp1", "aud": aud, "jti": aud, "iat": now, "exp": now + 60 });
        let assertion = key.sign_jwt("JWT", &assertion).unwrap();
        let answer = ask
            .pushes()
            .with("client_assertion", &assertion)
            .with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .send()
            .await;
        assert_eq!(answer.status, 201, "{aud}: {}", answer.body);
    }
}

#[tokio::test]
async fn m21_h20_a_request_is_verified_by_the_keys_that_its_application_publishes() {
    let (old, new) = (key(Algorithm::ES256), SigningKey::generate(Algorithm::ES256, "another").unwrap());
    let set = |key: &SigningKey| json!({ "keys": [key.public_jwk()] }).to_string();
    let published = Publisher::of(set(&old)).await;
    let uris = "redirect_uris = [\"https://rp1.test/callback\"]";
    let there = format!("{uris}\njwks_uri = \"{}\"\nrequire_signed_request_object = true", published.url);
    let house = Plan::default().with(uris, &there).build().await;
    let ask = Application::rp1(&house).asks().with("organization", "org-b");
    let signed = |key: &SigningKey| key.sign_jwt(TYP, &ask.claims(house.clock.now().seconds())).unwrap();
    let arrival = Person::new("con@a.test").opens(&ask, &ask.only("request", &signed(&old))).await;
    assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
    // Whom it does not name yet is nobody; whom it names from now on is known by the next look.
    let before = house.before().await;
    let answer = Visitor::arrives().get(&ask.only("request", &signed(&new))).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{}", answer.body);
    house.refused(&before, "invalid_request_object").await;
    published.says(set(&new));
    house.turn_clock(31);
    let arrival = Person::new("con@a.test").opens(&ask, &ask.only("request", &signed(&new))).await;
    assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-b"));
    assert!(published.hits() <= 3, "{}", published.hits());
}
