//! M04: a provider ends its own sessions, by a logout token that is beyond doubt, and no others (OpenID Connect Back-Channel
//! Logout 1.0, section 2.6).

use behalf::protocol::jose::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{Engine, House};
use crate::house::lying_idp::{CLIENT, Door, Key, Says};
use crate::house::visitor::{Answer, Visitor};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A well-made token of the provider of A, for one session of somebody's.
fn claims(house: &House, jti: &str) -> Value {
    let now = house.broker.now().seconds();
    json!({
        "iss": house.idp_a.issuer, "aud": CLIENT, "sub": "sub-ann@a.test", "sid": "one", "jti": jti,
        "iat": now, "exp": now + 120, "events": { EVENT: {} },
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn signed(house: &House, claims: &Value) -> String {
    house.idp_a.key().signing.sign_jwt("logout+jwt", claims).unwrap()
}

async fn sends_to(url: &str, connection: &str, token: &str) -> Answer {
    let url = format!("{url}/oidc/{connection}/backchannel-logout");
    Visitor::arrives().post_form(&url, &[("logout_token", token)]).await
}

async fn sends(house: &House, token: &str) -> Answer {
    sends_to(&house.url, &house.connection("ca").await, token).await
}

/// Signs in by the provider of A, which calls the session so.
async fn enters(house: &House, email: &str, sid: Option<&str>) -> (Person, Ask) {
    house.idp_a.says(match sid {
        Some(sid) => Says::truth().claim("sid", &format!("\"{sid}\"")),
        None => Says::truth(),
    });
    let (mut person, ask) = (Person::new(email), Application::rp1(house).asks());
    person.follows(&ask).await.code();
    (person, ask)
}

async fn is_signed_in(person: &mut Person, ask: &Ask) -> bool {
    let answer = person.browser.get(&ask.clone().with("prompt", "none").url()).await;
    !answer.header("location").unwrap().contains("error=")
}

#[tokio::test]
async fn m04_a_session_that_ended_at_the_provider_ends_here_and_no_other() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (mut one, ask) = enters(&house, "ann@a.test", Some("one")).await;
        let (mut two, _) = enters(&house, "ann@a.test", Some("two")).await;
        let (mut unnamed, _) = enters(&house, "ann@a.test", None).await;
        let (mut other, _) = enters(&house, "amy@a.test", Some("three")).await;
        let mut bob = Person::new("bob@b.test");
        bob.follows(&Application::rp1(&house).asks()).await.code();
        let answer = sends(&house, &signed(&house, &claims(&house, "a"))).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, Some("no-store")));
        assert!(!is_signed_in(&mut one, &ask).await);
        // One of which we know no name may be the one that is meant; another one cannot be.
        assert!(!is_signed_in(&mut unnamed, &ask).await && is_signed_in(&mut two, &ask).await);
        let by_sid = without(with(claims(&house, "b"), "sid", json!("two")), "sub");
        assert_eq!(sends(&house, &signed(&house, &by_sid)).await.status, 200);
        assert!(!is_signed_in(&mut two, &ask).await && is_signed_in(&mut other, &ask).await);
        house.turn_clock(1);
        let (mut again, _) = enters(&house, "ann@a.test", Some("four")).await;
        let (mut more, _) = enters(&house, "ann@a.test", Some("five")).await;
        let by_sub = without(claims(&house, "c"), "sid");
        assert_eq!(sends(&house, &signed(&house, &by_sub)).await.status, 200);
        assert!(!is_signed_in(&mut again, &ask).await && !is_signed_in(&mut more, &ask).await);
        assert!(is_signed_in(&mut other, &ask).await && is_signed_in(&mut bob, &ask).await);
        let events = house.audit().await;
        let ended: Vec<_> = events.iter().filter(|event| event.action == "session.ended").collect();
        assert_eq!(ended.len(), 5);
        assert!(ended.iter().all(|event| event.detail["cause"] == "provider"));
        // Whoever is unknown here has nothing to end.
        let nobody = with(with(claims(&house, "d"), "sub", json!("nobody")), "sid", json!("none"));
        assert_eq!(sends(&house, &signed(&house, &nobody)).await.status, 200);
    }
}

#[tokio::test]
async fn m04_what_a_provider_ends_while_its_connection_is_off_is_over_when_that_is_on_again() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (mut ann, ask) = enters(&house, "ann@a.test", Some("one")).await;
        let (operator, path) =
            (Api::operator(&house).await, format!("/connections/{}", house.connection("ca").await));
        let acts = async |what: &str| {
            let answer = operator.send(Method::POST, &format!("{path}/{what}"), |ask| ask).await;
            assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        };
        acts("disable?force=true").await;
        assert_eq!(sends(&house, &signed(&house, &claims(&house, "a"))).await.status, 200);
        acts("enable").await;
        assert!(!is_signed_in(&mut ann, &ask).await);
    }
}

#[tokio::test]
async fn m04_m05_what_is_no_logout_token_beyond_doubt_ends_nothing() {
    let house = House::opens().await;
    let (mut ann, ask) = enters(&house, "ann@a.test", Some("one")).await;
    let now = house.broker.now().seconds();
    let fine = |jti: &str| claims(&house, jti);
    let event = |value: Value| with(fine("e"), "events", value);
    let key = house.idp_a.key();
    let typed = |typ: &str| key.signing.sign_jwt(typ, &fine("t")).unwrap();
    let stranger = Key::new(Algorithm::RS256, "first");
    let weak = Key::new(Algorithm::ES256, "first");
    let bad: Vec<(&str, String, &str)> = vec![
        ("an ID token", typed("JWT"), "logout_token_type"),
        ("an access token", typed("at+jwt"), "logout_token_type"),
        (
            "another issuer",
            signed(&house, &with(fine("1"), "iss", json!(house.idp_b.issuer))),
            "logout_token_issuer",
        ),
        ("no issuer", signed(&house, &without(fine("2"), "iss")), "logout_token_issuer"),
        ("another audience", signed(&house, &with(fine("3"), "aud", json!("rp1"))), "logout_token_audience"),
        ("no audience", signed(&house, &without(fine("4"), "aud")), "logout_token_audience"),
        ("too old", signed(&house, &with(fine("5"), "iat", json!(now - 200))), "logout_token_stale"),
        ("of the future", signed(&house, &with(fine("6"), "iat", json!(now + 200))), "logout_token_future"),
        ("run out", signed(&house, &with(fine("7"), "exp", json!(now - 100))), "logout_token_expired"),
        ("without an end", signed(&house, &without(fine("8"), "exp")), "logout_token_times"),
        ("without a moment", signed(&house, &without(fine("9"), "iat")), "logout_token_times"),
        ("a moment as text", signed(&house, &with(fine("10"), "iat", json!("now"))), "logout_token_times"),
        ("a nonce", signed(&house, &with(fine("11"), "nonce", json!("n"))), "logout_token_nonce"),
        ("a nonce of nothing", signed(&house, &with(fine("12"), "nonce", Value::Null)), "logout_token_nonce"),
        ("no events", signed(&house, &without(fine("13"), "events")), "logout_token_events"),
        ("events null", signed(&house, &event(Value::Null)), "logout_token_events"),
        ("events a list", signed(&house, &event(json!([EVENT]))), "logout_token_events"),
        ("events a text", signed(&house, &event(json!(EVENT))), "logout_token_events"),
        ("another event", signed(&house, &event(json!({"x": {}}))), "logout_token_events"),
        ("the event null", signed(&house, &event(json!({ EVENT: null }))), "logout_token_events"),
        ("the event a list", signed(&house, &event(json!({ EVENT: [] }))), "logout_token_events"),
        ("nobody", signed(&house, &without(without(fine("14"), "sub"), "sid")), "logout_token_subject"),
        (
            "a subject that is a number",
            signed(&house, &with(fine("15"), "sub", json!(7))),
            "logout_token_subject",
        ),
        (
            "a session that is null",
            signed(&house, &with(fine("16"), "sid", Value::Null)),
            "logout_token_subject",
        ),
        ("without an id", signed(&house, &without(fine("17"), "jti")), "logout_token_id"),
        ("an id of nothing", signed(&house, &with(fine("18"), "jti", json!(""))), "logout_token_id"),
        (
            "a stranger's key",
            stranger.signing.sign_jwt("logout+jwt", &fine("19")).unwrap(),
            "logout_token_signature",
        ),
        (
            "another algorithm",
            weak.signing.sign_jwt("logout+jwt", &fine("20")).unwrap(),
            "logout_token_signature",
        ),
        ("nonsense", "x.y.z".to_owned(), "logout_token_malformed"),
        ("nothing", String::new(), "logout_token_missing"),
    ];
    let mut said = std::collections::BTreeMap::new();
    let reasons: std::collections::BTreeSet<_> = bad.iter().map(|(_, _, reason)| *reason).collect();
    for (what, token, reason) in bad {
        let before = house.before().await;
        let answer = sends(&house, &token).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        assert_eq!(answer.json()["error"], "invalid_request", "{what}");
        // Whoever runs the provider reads words, and the trail a name.
        let told = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(told.contains(' ') && !told.contains("logout_token_"), "{what}: {told}");
        if what != "another algorithm" {
            said.insert(told, reason);
        }
        // Which of two checks of the signature comes first does not matter.
        let other = if what == "another algorithm" { "logout_token_algorithm" } else { reason };
        house.refused_for_one_of(&before, &[reason, other]).await;
    }
    assert_eq!(said.len(), reasons.len(), "each reason has words of its own: {said:?}");
    assert!(is_signed_in(&mut ann, &ask).await);
    // To another connection's door, or to none.
    for door in [house.connection("cb").await, "conn_00000000000000000000000000".to_owned(), "x".to_owned()] {
        let before = house.before().await;
        let answer = sends_to(&house.url, &door, &signed(&house, &fine("21"))).await;
        assert_eq!(answer.status, 400, "{door}: {}", answer.body);
        house.unchanged(&before).await;
    }
    assert!(is_signed_in(&mut ann, &ask).await);
    assert_eq!(sends(&house, &signed(&house, &fine("22"))).await.status, 200, "it was well made otherwise");
    assert!(!is_signed_in(&mut ann, &ask).await);
}

#[tokio::test]
async fn m04_a_logout_token_counts_once_on_whichever_node() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let other = match engine {
            Engine::Postgres => Some(house.second_node().await),
            Engine::Sqlite => None,
        };
        let second = other.as_ref().map_or_else(|| house.url.clone(), |node| node.url());
        enters(&house, "ann@a.test", Some("one")).await;
        let token = signed(&house, &without(claims(&house, "once"), "sid"));
        let connection = house.connection("ca").await;
        let (one, two) = tokio::join!(
            sends_to(&house.url, &connection, &token),
            at_node(&house, &second, &connection, &token)
        );
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
        house.turn_clock(1);
        let (mut again, ask) = enters(&house, "ann@a.test", Some("one")).await;
        let before = house.before().await;
        assert_eq!(sends(&house, &token).await.status, 400);
        house.refused(&before, "replayed").await;
        assert!(is_signed_in(&mut again, &ask).await, "a newer session is not ended by it");
    }
}

async fn at_node(house: &House, node: &str, connection: &str, token: &str) -> Answer {
    let host = house.url.trim_start_matches("http://").to_owned();
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", token).finish();
    let url = format!("{node}/oidc/{connection}/backchannel-logout");
    Visitor::arrives()
        .request(reqwest::Method::POST, &url, |request| {
            request
                .header("host", host)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body)
        })
        .await
}

#[tokio::test]
async fn m04_a_provider_whose_keys_cannot_be_had_may_say_it_again() {
    let house = House::opens().await;
    let (mut ann, ask) = enters(&house, "ann@a.test", Some("one")).await;
    let fresh = Key::new(Algorithm::RS256, "second");
    house.idp_a.rotates(fresh);
    house.idp_a.door("/jwks", Some(Door::Status(503)));
    let token = signed(&house, &claims(&house, "k"));
    house.turn_clock(61);
    let answer = sends(&house, &signed(&house, &claims(&house, "l"))).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(is_signed_in(&mut ann, &ask).await);
    house.idp_a.door("/jwks", None);
    house.turn_clock(61);
    assert_eq!(sends(&house, &signed(&house, &claims(&house, "m"))).await.status, 200);
    assert!(!is_signed_in(&mut ann, &ask).await);
    drop(token);
}

#[tokio::test]
async fn m04_who_comes_with_what_was_issued_before_the_logout_is_not_let_in() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        house.idp_a.says(Says::truth().claim("sid", "\"one\""));
        let (mut ann, ask) = (Person::new("ann@a.test"), Application::rp1(&house).asks());
        // Issued before, and redeemed after it.
        let earlier = house.broker.now().seconds();
        house.idp_a.says(Says::truth().claim("sid", "\"one\"").claim("iat", &earlier.to_string()));
        house.turn_clock(2);
        let back = ann.is_sent_back(&ask).await;
        assert_eq!(sends(&house, &signed(&house, &claims(&house, "x"))).await.status, 200);
        let before = house.count("sessions").await;
        let answer = ann.browser.get(back.as_str()).await;
        let arrival = ann.goes_on(&ask, answer).await;
        assert!(arrival.told_application("code").is_none(), "{}", arrival.told());
        assert_eq!(house.count("sessions").await, before);
    }
}

#[tokio::test]
async fn m04_a_flood_of_logout_tokens_is_bounded() {
    let house = House::opens().await;
    let (mut ann, ask) = enters(&house, "ann@a.test", Some("one")).await;
    for number in 0..600 {
        let nobody = with(claims(&house, &format!("n{number}")), "sub", json!("nobody"));
        assert_eq!(sends(&house, &signed(&house, &nobody)).await.status, 200);
    }
    let answer = sends(&house, &signed(&house, &claims(&house, "last"))).await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert!(is_signed_in(&mut ann, &ask).await);
    house.turn_clock(61);
    assert_eq!(sends(&house, &signed(&house, &claims(&house, "later"))).await.status, 200);
    assert!(!is_signed_in(&mut ann, &ask).await);
}
