//! H20: a provider that lies, dawdles, floods or is dead harms its own organization's logins alone.

use std::sync::Arc;

use behalf::config::Config;
use behalf::protocol::jose::Algorithm;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_idp::{Door, Key, LyingIdp, Says};
use crate::house::ports::free_port;

/// Ann is refused, nothing is stored; meanwhile Bob, of the other organization, comes through.
async fn ann_is_refused(house: &House, status: u16, reasons: &[&str], what: &str) {
    let rp1 = Application::rp1(house);
    let (asks, of_bob) = (rp1.asks(), rp1.asks());
    let before = house.before().await;
    let mut ann = Person::new("ann@a.test");
    let arrival = ann.follows(&asks).await;
    assert_eq!(arrival.status(), status, "{what}: {}", arrival.told());
    house.refused_for_one_of(&before, reasons).await;
    let arrival = Person::new("bob@b.test").follows(&of_bob).await;
    assert_eq!(of_bob.redeems(&arrival).await.id["email"], json!("bob@b.test"), "{what}");
}

#[tokio::test]
async fn h20_whatever_the_token_endpoint_answers_is_refused() {
    let house = House::opens().await;
    let cases: [(Door, u16, &[&str]); 10] = [
        (Door::Endless, 502, &["idp_unreachable"]),
        (Door::Huge(5_000_000), 502, &["idp_unreachable"]),
        (Door::Body("{".repeat(100_000)), 401, &["token_answer_malformed"]),
        (Door::Body("[".repeat(100_000)), 401, &["token_answer_malformed"]),
        (Door::Body(String::new()), 401, &["token_answer_malformed"]),
        (Door::Body("<!doctype html>".into()), 401, &["token_answer_malformed"]),
        (Door::Body("null".into()), 401, &["token_answer_malformed"]),
        (Door::Status(204), 401, &["token_answer_malformed"]),
        (Door::Status(429), 502, &["idp_unreachable"]),
        (Door::Status(503), 502, &["idp_unreachable"]),
    ];
    for (door, status, reasons) in cases {
        house.idp_a.door("/token", Some(door.clone()));
        let mut what = format!("{door:?}");
        what.truncate(60);
        ann_is_refused(&house, status, reasons, &what).await;
    }
}

#[tokio::test]
async fn h20_an_answer_that_says_a_thing_twice_is_told_as_the_providers_mistake() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    for (more, reason) in [
        ("&code=x", "parameter_twice"),
        ("&iss=x&iss=y", "parameter_twice"),
        ("&session_state=a&session_state=a", "parameter_twice"),
    ] {
        let mut ann = Person::new("ann@a.test");
        let back = ann.is_sent_back(&ask).await;
        let before = house.before().await;
        let answer = ann.browser.get(&format!("{back}{more}")).await;
        assert_eq!(answer.status, 400, "{more}: {}", answer.body);
        assert!(answer.body.contains("identity provider"), "{more}: {}", answer.body);
        assert!(!answer.body.contains("For the developers of the application"), "{more}: {}", answer.body);
        // Whoever sits there goes on with another account, or gives up.
        for way in ["/restart", "/cancel"] {
            assert!(answer.forms().iter().any(|form| form.action.path().ends_with(way)), "{more}: {way}");
        }
        house.refused(&before, reason).await;
        // The address is used up by it.
        assert_eq!(ann.browser.get(back.as_str()).await.status, 403, "{more}");
        house.unchanged(&before).await;
    }
    // Whose login it is cannot be said where the state stands twice, or nothing can be read.
    for (more, reason) in [("&state=x", "parameter_twice"), ("&x=%ff", "parameters_malformed")] {
        let mut ann = Person::new("ann@a.test");
        let back = ann.is_sent_back(&ask).await;
        let before = house.before().await;
        let answer = ann.browser.get(&format!("{back}{more}")).await;
        assert_eq!(answer.status, 400, "{more}: {}", answer.body);
        assert!(!answer.body.contains("For the developers of the application"), "{more}: {}", answer.body);
        house.refused(&before, reason).await;
    }
}

#[tokio::test]
async fn h20_what_status_a_door_answered_with_is_told_in_the_trail() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let nothing = || Says::that("x", "ann@a.test").without("email");
    for (path, found, status, reason) in [
        ("/userinfo", 500, 502, "idp_unreachable"),
        ("/userinfo", 503, 502, "idp_unreachable"),
        ("/userinfo", 429, 502, "idp_unreachable"),
        ("/userinfo", 401, 403, "userinfo_status"),
        ("/userinfo", 204, 403, "userinfo_status"),
        ("/token", 503, 502, "idp_unreachable"),
    ] {
        house.idp_a.says(nothing());
        house.idp_a.door(path, Some(Door::Status(found)));
        let before = house.before().await;
        let page = Person::new("ann@a.test").follows(&rp1.asks()).await;
        assert_eq!(page.status(), status, "{path} {found}: {}", page.told());
        house.refused(&before, reason).await;
        let detail = house.events_since(&before).await.remove(0).detail;
        let told = (&detail["expected"], &detail["found"]);
        assert_eq!(told, (&json!("200"), &json!(found.to_string())), "{path} {found}");
        house.idp_a.door(path, None);
    }
}

#[tokio::test]
async fn h20_what_went_wrong_after_the_redirect_is_told_in_the_trail() {
    let house = House::opens().await;
    let error = |code: &str| json!({ "error": code, "error_description": "for nobody's log" }).to_string();
    let answers = |status: u16, body: &str| Some(Door::Answer(status, body.to_owned()));
    let (odd, cut) = (format!("no <b>\n{}", "x".repeat(100)), format!("nob{}", "x".repeat(37)));
    let back = |code: &str| Says::truth().response("error", Some(code)).response("code", None);
    let fine = Says::truth;
    let away = ("unreachable", "token_endpoint_status");
    for (door, says, status, reason, (name, told)) in [
        (
            answers(401, &error("invalid_client")),
            fine(),
            401,
            "token_endpoint_invalid_client",
            ("idp_error", "invalid_client"),
        ),
        (
            answers(400, &error("invalid_grant")),
            fine(),
            401,
            "token_endpoint_invalid_grant",
            ("idp_error", "invalid_grant"),
        ),
        (answers(400, &error(&odd)), fine(), 401, "token_endpoint_refused", ("idp_error", &*cut)),
        (answers(500, ""), fine(), 502, "idp_unreachable", away),
        (answers(503, "<!doctype html>"), fine(), 502, "idp_unreachable", away),
        (answers(503, &error("temporarily_unavailable")), fine(), 502, "idp_unreachable", away),
        (None, back("access_denied"), 403, "idp_refused", ("idp_error", "access_denied")),
        (None, back("server_error"), 502, "idp_failed", ("idp_error", "server_error")),
        (None, back(&odd), 403, "idp_refused", ("idp_error", &cut)),
    ] {
        house.idp_a.door("/token", door);
        house.idp_a.says(says);
        is_told(&house, status, reason, name, told).await;
    }
    // Its keys are other ones now, and it does not say which.
    house.idp_a.says(Says::truth());
    house.idp_a.door("/token", None);
    let ask = Application::rp1(&house).asks();
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    ask.redeems(&arrival).await;
    house.idp_a.rotates(Key::new(Algorithm::RS256, "second"));
    house.idp_a.door("/jwks", Some(Door::Status(500)));
    house.turn_clock(61);
    is_told(&house, 502, "idp_unreachable", "unreachable", "jwks_uri").await;
}

async fn is_told(house: &House, status: u16, reason: &str, name: &str, told: &str) {
    let before = house.before().await;
    let asks = Application::rp1(house).asks();
    let arrival = Person::new("ann@a.test").follows(&asks).await;
    assert_eq!(arrival.status(), status, "{reason}: {}", arrival.told());
    house.refused(&before, reason).await;
    let event = house.events_since(&before).await.remove(0);
    assert_eq!(event.detail[name], json!(told), "{reason}: {:?}", event.detail);
    assert!(!event.detail.to_string().contains("nobody's log"), "{:?}", event.detail);
}

#[tokio::test]
async fn h20_nobody_is_waited_for_longer_than_the_limit() {
    let settings = |config: &mut Config| config.egress.total_timeout = 1;
    let house = Plan { settings, ..Plan::default() }.build().await;
    let rp1 = Application::rp1(&house);
    for path in ["/token", "/jwks", "/.well-known/openid-configuration"] {
        house.idp_a.door(path, Some(Door::Silent));
        house.idp_b.door(path, Some(Door::Stalls));
        house.turn_clock(86_401);
        let before = house.before().await;
        let (of_ann, of_bob) = (rp1.asks(), rp1.asks());
        let (mut ann, mut bob) = (Person::new("ann@a.test"), Person::new("bob@b.test"));
        let (ann, bob) = tokio::join!(ann.follows(&of_ann), bob.follows(&of_bob));
        assert_eq!((ann.status(), bob.status()), (502, 502), "{path}: {} {}", ann.told(), bob.told());
        house.unchanged(&before).await;
        let events = house.events_since(&before).await;
        let reasons: Vec<_> = events.iter().map(|event| event.reason.as_deref()).collect();
        assert_eq!(reasons, [Some("idp_unreachable"); 2], "{path}");
        house.idp_a.door(path, None);
        house.idp_b.door(path, None);
    }
}

#[tokio::test]
async fn h20_who_names_anothers_document_as_their_own_spoils_it_for_themselves_alone() {
    let house = House::opens().await;
    // B says that its keys are where A describes itself.
    let of_a = format!("{}/.well-known/openid-configuration", house.idp_a.issuer);
    house.idp_b.discovery("jwks_uri", json!(of_a));
    let rp1 = Application::rp1(&house);
    let (of_ann, of_bob) = (rp1.asks(), rp1.asks());
    assert_eq!(Person::new("bob@b.test").follows(&of_bob).await.status(), 502);
    let arrival = Person::new("ann@a.test").follows(&of_ann).await;
    of_ann.redeems(&arrival).await;
}

#[tokio::test]
async fn h20_bob_comes_through_while_ann_s_provider_keeps_her_waiting() {
    let house = House::opens().await;
    house.idp_a.door("/token", Some(Door::Silent));
    let rp1 = Application::rp1(&house);
    let (of_ann, of_bob) = (rp1.asks(), rp1.asks());
    let (mut ann, mut bob) = (Person::new("ann@a.test"), Person::new("bob@b.test"));
    let back = ann.is_sent_back(&of_ann).await;
    let waiting = tokio::spawn(async move { ann.browser.get(back.as_str()).await });
    while house.idp_a.hits("/token") == 0 {
        tokio::task::yield_now().await;
    }
    let arrival = bob.follows(&of_bob).await;
    of_bob.redeems(&arrival).await;
    waiting.abort();
}

#[tokio::test]
async fn h20_whatever_the_keys_are_is_refused_and_the_right_ones_help_after_the_cooldown() {
    let house = House::opens().await;
    let jwk = house.idp_a.key().jwk();
    let keys = |number: usize| json!({ "keys": vec![jwk.clone(); number] }).to_string();
    let good = keys(1);
    let mut oct = jwk.clone();
    oct["kty"] = json!("oct");
    for (what, jwks) in [
        ("none", "{\"keys\":[]}".to_owned()),
        ("ten thousand", keys(10_000)),
        ("no set", "{}".to_owned()),
        ("a list", "[]".to_owned()),
        ("a page", "<!doctype html>".to_owned()),
        ("nothing", String::new()),
        ("deep", "[".repeat(50_000)),
        ("another kind", json!({ "keys": [oct] }).to_string()),
        ("keys of null", json!({ "keys": [null] }).to_string()),
        ("keys as an object", json!({ "keys": { "0": jwk } }).to_string()),
    ] {
        house.idp_a.publishes(&jwks);
        house.turn_clock(86_401);
        ann_is_refused(
            &house,
            if ["none", "another kind", "keys of null"].contains(&what) { 401 } else { 502 },
            &["idp_unreachable", "id_token_signature"],
            what,
        )
        .await;
        house.idp_a.publishes(&good);
        house.turn_clock(31);
        let ask = Application::rp1(&house).asks();
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        assert!(arrival.told_application("code").is_some(), "after {what}: {}", arrival.told());
    }
    for door in [Door::Endless, Door::Huge(5_000_000), Door::Status(500), Door::Redirect("/x".into())] {
        house.turn_clock(86_401);
        house.idp_a.door("/jwks", Some(door.clone()));
        ann_is_refused(&house, 502, &["idp_unreachable"], &format!("{door:?}")).await;
    }
}

#[tokio::test]
async fn h20_a_good_set_of_keys_is_not_given_up_for_a_bad_one() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks();
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    ask.redeems(&arrival).await;
    // For a day, whatever is published in its place.
    for door in
        [Door::Status(500), Door::Body("<!doctype html>".into()), Door::Body("{}".into()), Door::Endless]
    {
        for path in ["/jwks", "/.well-known/openid-configuration"] {
            house.idp_a.door(path, Some(door.clone()));
        }
        house.turn_clock(3_601);
        let ask = rp1.asks();
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        assert!(arrival.told_application("code").is_some(), "{door:?}: {}", arrival.told());
    }
    house.turn_clock(86_401);
    let before = house.before().await;
    assert_eq!(Person::new("ann@a.test").follows(&rp1.asks()).await.status(), 502);
    house.refused(&before, "idp_unreachable").await;
}

#[tokio::test]
async fn h20_a_look_that_failed_is_repeated_soon_where_nothing_is_kept_and_seldom_where_something_is() {
    const PLACE: &str = "/.well-known/openid-configuration";
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let comes = async || Person::new("ann@a.test").follows(&rp1.asks()).await;
    house.idp_a.door(PLACE, Some(Door::Status(500)));
    assert_eq!(comes().await.status(), 502);
    house.turn_clock(4);
    assert_eq!((comes().await.status(), house.idp_a.hits(PLACE)), (502, 1));
    house.idp_a.door(PLACE, None);
    house.turn_clock(1);
    comes().await.code();
    assert_eq!(house.idp_a.hits(PLACE), 2);
    house.idp_a.door(PLACE, Some(Door::Status(500)));
    house.turn_clock(3_601);
    for _ in 0..3 {
        comes().await.code();
        house.turn_clock(9);
    }
    assert_eq!(house.idp_a.hits(PLACE), 3, "what is kept is good for a day");
    house.turn_clock(3);
    comes().await.code();
    assert_eq!(house.idp_a.hits(PLACE), 4);
}

#[tokio::test]
async fn h20_who_does_not_wait_for_a_document_keeps_nobody_else_from_it() {
    const PLACE: &str = "/.well-known/openid-configuration";
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    for path in [PLACE, "/jwks"] {
        let let_go = Arc::new(Semaphore::new(0));
        house.turn_clock(86_401);
        house.idp_a.door(path, Some(Door::Waits(Arc::clone(&let_go))));
        let looks = house.idp_a.hits(path);
        let ask = rp1.asks();
        let leaves = tokio::spawn(async move { Person::new("ann@a.test").follows(&ask).await });
        while house.idp_a.hits(path) == looks {
            tokio::task::yield_now().await;
        }
        leaves.abort();
        assert!(leaves.await.unwrap_err().is_cancelled());
        let ask = rp1.asks();
        let mut ann = Person::new("ann@a.test");
        let (arrival, ()) = tokio::join!(ann.follows(&ask), async { let_go.add_permits(9) });
        ask.redeems(&arrival).await;
        assert_eq!(house.idp_a.hits(path), looks + 1, "{path}");
        house.idp_a.door(path, None);
    }
}

#[tokio::test]
async fn h20_two_hundred_unknown_keys_are_two_looks_at_most() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (mut ann, before) = (Person::new("ann@a.test"), house.before().await);
    for number in 0..200 {
        house.idp_a.says(Says::truth().header("kid", &json!(format!("kid {number}")).to_string()));
        let ask = rp1.asks().with("login_hint", "ann@a.test");
        assert_eq!(ann.follows(&ask).await.status(), 401);
    }
    house.unchanged(&before).await;
    assert!(house.idp_a.hits("/jwks") <= 2, "{}", house.idp_a.hits("/jwks"));
    assert_eq!(house.idp_a.hits("/.well-known/openid-configuration"), 1);
    // A set without keys is no way around it.
    house.idp_a.publishes("{\"keys\":[]}");
    for round in 1..=3 {
        house.turn_clock(31);
        let looks = house.idp_a.hits("/jwks");
        for _ in 0..10 {
            ann.follows(&rp1.asks().with("login_hint", "ann@a.test")).await;
        }
        assert!(house.idp_a.hits("/jwks") <= looks + 1, "round {round}");
    }
    house.unchanged(&before).await;
}

#[tokio::test]
async fn h20_a_new_key_is_found_at_once_and_the_next_one_after_the_cooldown() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let comes = async || {
        let ask = rp1.asks().with("login_hint", "ann@a.test");
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        arrival.told_application("code").is_some()
    };
    assert!(comes().await);
    house.idp_a.rotates(Key::new(Algorithm::RS256, "second"));
    assert!(!comes().await, "within 30 seconds of the first look");
    house.turn_clock(31);
    assert!(comes().await);
    house.idp_a.rotates(Key::new(Algorithm::RS256, "third"));
    assert!(!comes().await);
    house.turn_clock(31);
    assert!(comes().await);
    assert_eq!(house.idp_a.hits("/jwks"), 3);
    // The same `kid` twice is no outage.
    let (own, other) = (house.idp_a.key(), Key::new(Algorithm::RS256, "third"));
    house.idp_a.publishes(&json!({ "keys": [other.jwk(), own.jwk()] }).to_string());
    house.turn_clock(3_601);
    assert!(comes().await);
}

#[tokio::test]
async fn h20_a_provider_that_is_not_there_is_told_at_once() {
    let dead = format!("http://127.0.0.1:{}", free_port());
    let house = Plan::default().with("issuer = \"{idp_a}\"", &format!("issuer = \"{dead}\"")).build().await;
    ann_is_refused(&house, 502, &["idp_unreachable"], "a dead port").await;

    let house = House::opens().await;
    const ISSUER: &str = "idp_issuer_mismatch";
    const MALFORMED: &str = "idp_discovery_malformed";
    const FORBIDDEN: &str = "idp_endpoint_not_allowed";
    for (what, name, value, reason) in [
        ("another's name", "issuer", json!(house.idp_b.issuer), ISSUER),
        ("a longer name", "issuer", json!(format!("{}/", house.idp_a.issuer)), ISSUER),
        ("no name", "issuer", json!(null), MALFORMED),
        ("no address", "authorization_endpoint", json!("not a URL"), MALFORMED),
        ("a script", "authorization_endpoint", json!("javascript:alert(1)"), FORBIDDEN),
        (
            "a fragment",
            "authorization_endpoint",
            json!(format!("{}/authorize#x", house.idp_a.issuer)),
            FORBIDDEN,
        ),
        ("a fragment", "token_endpoint", json!(format!("{}/token#", house.idp_a.issuer)), FORBIDDEN),
        ("a number", "token_endpoint", json!(1), MALFORMED),
        ("the machine's own secrets", "token_endpoint", json!("http://169.254.169.254:9113/x"), FORBIDDEN),
        ("keys of another network", "jwks_uri", json!("https://10.0.0.1/jwks"), FORBIDDEN),
    ] {
        let own = json!(house.idp_a.issuer);
        house.turn_clock(86_401);
        house.idp_a.discovery(name, value);
        ann_is_refused(&house, 502, &[reason], what).await;
        let rest = [
            ("issuer", own.clone()),
            ("authorization_endpoint", json!(format!("{}/authorize", house.idp_a.issuer))),
            ("token_endpoint", json!(format!("{}/token", house.idp_a.issuer))),
            ("jwks_uri", json!(format!("{}/jwks", house.idp_a.issuer))),
        ];
        for (name, value) in rest {
            house.idp_a.discovery(name, value);
        }
        // What was bad is not believed for an hour.
        house.turn_clock(31);
        let ask = Application::rp1(&house).asks();
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        assert!(arrival.told_application("code").is_some(), "after {what}: {}", arrival.told());
    }
    let elsewhere = LyingIdp::opens(house.clock.clone()).await;
    house.turn_clock(86_401);
    let document = Door::Redirect(format!("{}/.well-known/openid-configuration", elsewhere.issuer));
    house.idp_a.door("/.well-known/openid-configuration", Some(document));
    ann_is_refused(&house, 502, &["idp_unreachable"], "a redirect").await;
    assert_eq!(elsewhere.hits("/.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn h20_an_endpoint_keeps_the_query_that_it_has() {
    let house = House::opens().await;
    let own = |path: &str| json!(format!("{}{path}", house.idp_a.issuer));
    house.idp_a.discovery("authorization_endpoint", own("/authorize?p=b2c%201&tenant=a"));
    house.idp_a.discovery("token_endpoint", own("/token?p=b2c"));
    let ask = Application::rp1(&house).asks();
    ask.redeems(&Person::new("ann@a.test").follows(&ask).await).await;
    assert_eq!(house.idp_a.was_asked("p").as_deref(), Some("b2c 1"));
    assert_eq!(house.idp_a.was_asked("tenant").as_deref(), Some("a"));
    assert_eq!(house.idp_a.was_asked("client_id").as_deref(), Some("behalf"));
}

#[tokio::test]
async fn h20_whatever_a_provider_does_the_trail_names_the_connection_and_whose_it_is() {
    let house = House::opens().await;
    let ca = house.connection("ca").await;
    let owner = house.organization("org-a").await;
    let discovery = "/.well-known/openid-configuration";
    let closed = Some(Door::Status(500));
    for (what, path, issuer, reason, unreachable) in [
        ("no description", discovery, None, "idp_unreachable", Some("discovery")),
        ("another's name", "/nothing", Some("https://idp.test"), "idp_issuer_mismatch", None),
        ("no keys", "/jwks", None, "idp_unreachable", Some("jwks_uri")),
    ] {
        house.turn_clock(86_401);
        house.idp_a.door(path, closed.clone());
        house.idp_a.discovery("issuer", json!(issuer.unwrap_or(&house.idp_a.issuer)));
        let before = house.before().await;
        // The second time nobody asks again, for that is too soon; the reason is the same.
        for _ in 0..2 {
            let arrival = Person::new("ann@a.test").follows(&Application::rp1(&house).asks()).await;
            assert_eq!(arrival.status(), 502, "{what}: {}", arrival.told());
        }
        house.unchanged(&before).await;
        let events = house.events_since(&before).await;
        assert_eq!(events.len(), 2, "{what}");
        for event in events {
            assert_eq!(event.reason.as_deref(), Some(reason), "{what}");
            assert_eq!(event.organization.as_deref(), Some(owner.as_str()), "{what}");
            assert_eq!(event.detail["connection"], json!(ca), "{what}");
            assert_eq!(event.detail.get("unreachable"), unreachable.map(|it| json!(it)).as_ref(), "{what}");
        }
        house.idp_a.door(path, None);
        house.idp_a.discovery("issuer", json!(house.idp_a.issuer));
    }
}
