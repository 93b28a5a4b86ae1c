//! H20, C27: keys that a client publishes are read when they are needed, seldom, and never from inside; whose keys cannot
//! be had keeps out nobody but itself.

use std::sync::Arc;

use behalf::config::Config;
use behalf::protocol::jose::{Algorithm, SigningKey};
use serde_json::json;

use crate::house::api::Api;
use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{House, Plan};
use crate::house::publisher::Publisher;
use crate::house::visitor::Answer;

fn key(kid: &str) -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(Algorithm::ES256, kid).unwrap())
}

fn set(keys: &[&SigningKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.public_jwk()).collect::<Vec<_>>() }).to_string()
}

fn client(name: &str, keys: &str) -> String {
    format!(
        "\n[application.{name}]\ntoken_endpoint_auth_method = \"private_key_jwt\"\njwks_uri = \"{keys}\"\n\
         redirect_uris = [\"https://{name}.test/callback\"]\ngrant_types = [\"authorization_code\", \"client_credentials\"]\n"
    )
}

/// Asks for a token of its own, by a key.
async fn asks(house: &House, name: &str, key: &Arc<SigningKey>) -> Answer {
    let own = Application::new(house, name, Proof::Key(Arc::clone(key)));
    let request = own.posts("/token", &[("grant_type", "client_credentials")]);
    request.on(house.clock.now().seconds()).send().await
}

async fn is_refused(house: &House, name: &str, key: &Arc<SigningKey>, check: &str) {
    let before = house.before().await;
    let answer = asks(house, name, key).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")), "{check}");
    house.refused(&before, "invalid_client").await;
    let events = house.events_since(&before).await;
    assert!(events[0].detail.to_string().contains(check), "{check}: {:?}", events[0]);
}

#[tokio::test]
async fn h20_a_client_proves_itself_by_the_keys_that_it_publishes_and_rolls_them_over() {
    let (old, new) = (key("old"), key("new"));
    let published = Publisher::of(set(&[&old])).await;
    let house = Plan::default().and(&client("signer", &published.url)).build().await;
    assert_eq!(published.hits(), 0, "nobody reads them before they are needed");
    for _ in 0..3 {
        assert_eq!(asks(&house, "signer", &old).await.status, 200);
    }
    assert_eq!(published.hits(), 1);
    // A person's code is redeemed by them as well.
    let signer = Application::new(&house, "signer", Proof::Key(Arc::clone(&old)));
    let ask = signer.asks().with("scope", "openid email");
    let code = Person::new("ann@a.test").follows(&ask).await.code();
    assert_eq!(ask.redemption(&code).on(house.clock.now().seconds()).send().await.status, 200);

    // A key that is unknown is looked for, once in half a minute.
    published.says(set(&[&new, &old]));
    is_refused(&house, "signer", &new, "unknown_key").await;
    house.turn_clock(31);
    assert_eq!(asks(&house, "signer", &new).await.status, 200);
    assert_eq!(asks(&house, "signer", &old).await.status, 200);
    assert_eq!(published.hits(), 2);
    // One of the same name in another's place is found, too; the one that is gone is not.
    let same = key("old");
    published.says(set(&[&same]));
    house.turn_clock(31);
    assert_eq!(asks(&house, "signer", &same).await.status, 200);
    house.turn_clock(31);
    is_refused(&house, "signer", &new, "unknown_key").await;
    is_refused(&house, "signer", &old, "signature").await;
}

#[tokio::test]
async fn h20_a_flood_of_unknown_keys_is_no_flood_of_requests() {
    let right = key("right");
    let published = Publisher::of(set(&[&right])).await;
    let house = Plan::default().and(&client("signer", &published.url)).build().await;
    for number in 0..50 {
        assert_eq!(asks(&house, "signer", &key(&format!("made up {number}"))).await.status, 401);
    }
    assert_eq!(published.hits(), 1, "the first look was a moment ago");
    house.turn_clock(31);
    for number in 0..50 {
        assert_eq!(asks(&house, "signer", &key(&format!("made up {number}"))).await.status, 401);
    }
    assert_eq!(published.hits(), 2);
    assert_eq!(asks(&house, "signer", &right).await.status, 200);
}

#[tokio::test]
async fn h20_keys_that_cannot_be_had_keep_out_one_client_alone() {
    let (one, other) = (key("one"), key("other"));
    let (broken, fine) = (Publisher::of("not keys".into()).await, Publisher::of(set(&[&other])).await);
    let file = format!("{}{}", client("broken", &broken.url), client("fine", &fine.url));
    let house = Plan::default().and(&file).build().await;
    for document in ["not keys", "{}", "{\"keys\":{}}", &"x".repeat(300_000)] {
        broken.says(document.to_owned());
        house.turn_clock(31);
        is_refused(&house, "broken", &one, "keys_unpublished").await;
        assert_eq!(asks(&house, "fine", &other).await.status, 200);
    }
    broken.fails();
    house.turn_clock(31);
    is_refused(&house, "broken", &one, "keys_unpublished").await;
    let hits = broken.hits();
    for _ in 0..20 {
        is_refused(&house, "broken", &one, "keys_unpublished").await;
    }
    assert_eq!(broken.hits(), hits, "it was asked a moment ago");
    // Whoever has them once gets on by them for a day while they cannot be had.
    fine.fails();
    house.turn_clock(3_601);
    assert_eq!(asks(&house, "fine", &other).await.status, 200);
    house.turn_clock(86_400);
    is_refused(&house, "fine", &other, "keys_unpublished").await;
    // An empty set is no reason to believe a key that was there once.
    broken.says("{\"keys\":[]}".to_owned());
    house.turn_clock(31);
    is_refused(&house, "broken", &one, "unknown_key").await;
}

#[tokio::test]
async fn h20_a_client_whose_keys_never_come_holds_up_nobody_else() {
    let (one, other) = (key("one"), key("other"));
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let never = format!("http://{}/jwks.json", silent.local_addr().unwrap());
    let fine = Publisher::of(set(&[&other])).await;
    let file = format!("{}{}", client("stuck", &never), client("fine", &fine.url));
    let house = Plan::default().and(&file).build().await;
    let goes_on = async {
        let (line, _) = silent.accept().await.unwrap();
        for _ in 0..3 {
            assert_eq!(asks(&house, "fine", &other).await.status, 200);
        }
        // From then on, nobody answers at all.
        drop(line);
    };
    let stuck = asks(&house, "stuck", &one);
    let (answer, ()) = tokio::join!(stuck, goes_on);
    assert_eq!(answer.json()["error"], "invalid_client", "{}", answer.body);
}

#[tokio::test]
async fn c27_keys_inside_are_never_asked_for() {
    let right = key("right");
    let canary = Publisher::of(set(&[&right])).await;
    let (_, port) = canary.url.trim_end_matches("/metadata").rsplit_once(':').unwrap();
    let settings = |config: &mut Config| config.egress.allow_loopback_and_http = false;
    let file = "[project]\nslug = \"default\"\n".to_owned();
    let house = Plan { settings, file, ..Plan::default() }.build().await;
    let operator = Api::operator(&house).await;
    let body = json!({"client_id": "signer", "token_endpoint_auth_method": "private_key_jwt", "type": "machine",
        "jwks_uri": "https://placeholder.test/"});
    let made = operator.post("/applications", body).await;
    let path = format!("/applications/{}", made.json()["application"]["id"].as_str().unwrap());
    let mut known = "https://placeholder.test/".to_owned();
    for address in [
        canary.url.clone(),
        format!("http://localhost:{port}/metadata"),
        format!("https://127.0.0.1:{port}/metadata"),
        format!("https://2130706433:{port}/metadata"),
        format!("https://[::ffff:127.0.0.1]:{port}/metadata"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/".to_owned(),
    ] {
        for (name, pointer, value) in [
            ("jwks_uri", "/jwks_uri", json!(address)),
            ("backchannel_logout_uri", "/backchannel_logout_uri", json!(address)),
            ("request_uris", "/request_uris/1", json!(["https://a.test/request", address])),
        ] {
            let before = house.before().await;
            let refused = operator.patch(&path, json!({ name: value })).await;
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{address}: {}", refused.body);
            house.refused(&before, "address_not_allowed").await;
        }
        // Nor are they where it came in by other settings.
        let stored =
            format!("UPDATE applications SET settings = replace(settings, '\"{known}\"', '\"{address}\"')");
        assert_eq!(house.execute(&stored).await, 1);
        known.clone_from(&address);
        let kept = house.text("SELECT settings FROM applications WHERE client_id = 'signer'").await.unwrap();
        assert!(kept.contains(&address), "{kept}");
        house.turn_clock(31);
        is_refused(&house, "signer", &right, "keys_unpublished").await;
    }
    assert_eq!(canary.hits(), 0);
    for address in [
        "javascript:alert(1)",
        "data:application/json,{}",
        "file:///etc/passwd",
        "http://a.test/",
        "https://u@a.test/",
    ] {
        let before = house.before().await;
        let refused = operator.patch(&path, json!({"jwks_uri": address})).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], "/jwks_uri", "{address}");
        house.refused(&before, "invalid_value").await;
    }
}

#[tokio::test]
async fn keys_are_registered_by_value_or_by_where_they_are_and_for_who_signs() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let keys = serde_json::from_str::<serde_json::Value>(&set(&[&key("k")])).unwrap();
    let uri = "https://keys.test/jwks.json";
    for (pointer, wrong) in [
        ("/jwks", json!({"token_endpoint_auth_method": "private_key_jwt"})),
        ("/jwks_uri", json!({"jwks": keys, "jwks_uri": uri})),
        (
            "/jwks_uri",
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "jwks_uri": uri}),
        ),
    ] {
        let mut body = wrong.clone();
        body["redirect_uris"] = json!(["https://made.test/cb"]);
        let before = house.before().await;
        let refused = operator.post("/applications", body).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{wrong}: {}", refused.body);
        house.refused(&before, "invalid_value").await;
    }
    let file =
        format!("{}{}", house.file, client("both", uri).replace("jwks_uri", "jwks = '''{}'''\njwks_uri"));
    assert!(house.tries(&file).await.is_err());
    house.provision(&format!("{}{}", house.file, client("there", uri))).await;
    let kept = house.text("SELECT settings FROM applications WHERE client_id = 'there'").await.unwrap();
    assert!(kept.contains(uri), "{kept}");
}
