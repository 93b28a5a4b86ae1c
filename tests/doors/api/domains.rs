//! Domains over the API: claimed, proved, switched on, given up (S1-D1 to D11, S1-R12 to R18).

use std::net::Ipv4Addr;

use behalf::broker::domain_look::{LookError, Published, by_file};
use behalf::chores::domains::look;
use behalf::config;
use behalf::egress::guard::Guard;
use behalf::egress::http::Http;
use behalf::egress::names::{FixedNames, Names};
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::{delete, refusal, told};
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::publisher::Publisher;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const DAY: u64 = 86_400;
const DOMAINS: &str = "/organizations/org-a/domains";
const OF_C: &str = "/organizations/org-c/domains";
const EVERYTHING: [&str; 4] = ["domains:read", "domains:write", "organization:read", "members:read"];

/// Claims a domain; tells its path and what is said of it.
async fn claims(api: &Api, domains: &str, name: &str) -> (String, Value) {
    let made = api.post(domains, json!({ "domain": name })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let view = made.json();
    (format!("{domains}/{}", view["id"].as_str().unwrap()), view)
}

fn record(view: &Value) -> (String, String) {
    let text = |name: &str| view[name].as_str().unwrap().to_owned();
    (text("verification_host"), text("verification_txt"))
}

fn publish(house: &mut House, records: &[(String, String)]) {
    let records: Vec<_> = records.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    house.dns.restart_with_txt(&records);
}

/// Claims a domain and proves it.
async fn holds(house: &mut House, api: &Api, domains: &str, name: &str) -> String {
    let (path, view) = claims(api, domains, name).await;
    publish(house, &[record(&view)]);
    let confirmed = act(api, &path, "confirm").await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    path
}

async fn act(api: &Api, path: &str, what: &str) -> Answer {
    api.send(Method::POST, &format!("{path}/{what}"), |ask| ask).await
}

async fn comes(house: &House, email: &str) -> bool {
    let arrival = Person::new(email).follows(&Application::rp1(house).asks()).await;
    arrival.told_application("code").is_some()
}

/// The path of a domain that the house has.
async fn path_of(house: &House, organization: &str, name: &str) -> String {
    let sql = format!(
        "SELECT d.id FROM domains d JOIN organizations o ON o.id = d.organization_id
         WHERE o.slug = '{organization}' AND d.name = '{name}'"
    );
    format!("/organizations/{organization}/domains/{}", house.text(&sql).await.unwrap())
}

#[tokio::test]
async fn s1_r12_s1_r13_s1_r15_s1_l4_s1_d2_a_claim_shows_what_is_to_be_published_and_what_was_found() {
    for engine in ENGINES {
        let mut house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let made = key.post(DOMAINS, json!({"domain": "New.TEST"})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let (view, etag) = (made.json(), made.header("etag").unwrap().to_owned());
        let path = made.header("location").unwrap().strip_prefix("/api/v1").unwrap().to_owned();
        assert_eq!((&view["domain"], &view["status"]), (&json!("new.test"), &json!("pending")), "S1-D1");
        assert_eq!(view["verification_host"], json!("_behalf-challenge.new.test"));
        assert_eq!(view["verification_url"], json!("https://new.test/.well-known/behalf-challenge.txt"));
        assert_eq!((&view["method"], &view["last_check"]), (&json!("dns_txt"), &Value::Null));
        assert_eq!(view["challenge_expires_at"], json!("2026-06-08T09:00:00.000Z"));
        for switch in ["use_for_routing", "trust_email"] {
            assert_eq!(view[switch], json!(false), "S1-O5");
        }
        assert_eq!(view["auto_join"]["enabled"], json!(false));
        let read = key.get(&path).await;
        assert_eq!((read.json(), read.header("etag")), (view.clone(), Some(&*etag)));
        let again = key.post(DOMAINS, json!({"domain": "new.test"})).await;
        assert_eq!(told(&again), refusal(409, "domain_exists"));

        // Two pages of one each.
        let first = key.get(&format!("{DOMAINS}?limit=1")).await.json();
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = key.get(&format!("{DOMAINS}?limit=1&cursor={cursor}")).await.json();
        // Ids of one moment are in no order.
        let both = [&first["items"][0], &second["items"][0]];
        let of_a = both.iter().find(|item| item["domain"] == json!("a.test")).unwrap();
        assert!(both.iter().any(|item| item["domain"] == json!("new.test")));
        assert_eq!(second["next_cursor"], Value::Null);
        assert_eq!(of_a["connection_ids"], json!([house.connection("ca").await]));
        let odd = key.get(&format!("{DOMAINS}?cursor=AAAA")).await;
        assert_eq!(told(&odd), refusal(400, "cursor_invalid"));

        let (host, value) = record(&view);
        publish(&mut house, &[(host.clone(), "behalf-verify=other".into())]);
        let missed = act(&key, &path, "confirm").await;
        assert_eq!(told(&missed), refusal(422, "proof_not_found"));
        let problem = missed.json();
        assert_eq!(
            (&problem["expected"], &problem["found"]),
            (&json!(value), &json!(["behalf-verify=other"]))
        );
        let read = key.get(&path).await.json();
        assert_eq!(
            (&read["status"], &read["last_check"]["kind"]),
            (&json!("failed"), &json!("other")),
            "S1-D3"
        );
        assert_eq!(read["last_check"]["expected"], json!(value));
        assert_eq!(read["last_check"]["found"], json!(["behalf-verify=other"]));
        publish(&mut house, &[]);
        assert_eq!(told(&act(&key, &path, "confirm").await), refusal(422, "proof_not_found"));
        assert_eq!(key.get(&path).await.json()["last_check"]["kind"], json!("absent"));
        house.dns.restart_refusing();
        assert_eq!(told(&act(&key, &path, "confirm").await), refusal(503, "dns_unavailable"));
        assert_eq!(key.get(&path).await.json()["last_check"]["kind"], json!("error"));

        publish(&mut house, &[(host, value)]);
        let held = act(&key, &path, "confirm").await;
        let view = held.json();
        assert_eq!((held.status.as_u16(), &view["status"]), (200, &json!("verified")), "{}", held.body);
        assert_eq!((&view["use_for_routing"], &view["trust_email"]), (&json!(false), &json!(false)), "S1-O5");
        assert_eq!(
            (&view["last_check"]["kind"], &view["challenge_expires_at"]),
            (&json!("proof"), &Value::Null)
        );
        assert_eq!(view["renew_by"], json!("2026-08-30T09:00:00.000Z"), "90 days");
        let by = format!(
            "SELECT actor_kind FROM audit_events WHERE action = 'organization.domain.verified' AND subject = '{}'",
            view["id"].as_str().unwrap()
        );
        assert_eq!(house.text(&by).await.as_deref(), Some("api_key"));
        assert!(!comes(&house, "x@new.test").await, "verified alone routes nobody");
    }
}

#[tokio::test]
async fn s1_d1_c17_h07_names_that_nobody_can_hold_alone_or_that_look_like_others_are_not_claimed() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    for (name, code) in [
        ("gmail.com", "free_mail_domain"),
        ("GMail.com", "free_mail_domain"),
        ("co.uk", "public_suffix"),
        ("github.io", "public_suffix"),
        ("com.au", "public_suffix"),
        ("test", "domain_invalid"),
        ("localhost", "domain_invalid"),
        ("127.0.0.1", "domain_invalid"),
        ("[127.0.0.1]", "domain_invalid"),
        ("a.test.", "domain_invalid"),
        ("a@b.test", "domain_invalid"),
        ("*.a.test", "domain_invalid"),
        ("a.test/x", "domain_invalid"),
        ("ａ.test", "domain_invalid"),
        ("a。test", "domain_invalid"),
        ("a\u{ad}.test", "domain_invalid"),
        ("a\u{200b}.test", "domain_invalid"),
        ("\u{212a}en.test", "domain_invalid"),
        ("xn--a-.test", "domain_invalid"),
        ("xn--example-.org", "domain_invalid"),
        ("а.test", "mixed_script"),
        ("pаypal.test", "mixed_script"),
        ("", "domain_invalid"),
    ] {
        let before = house.before().await;
        let refused = operator.post(DOMAINS, json!({ "domain": name })).await;
        assert_eq!(told(&refused), refusal(422, code), "{name:?}: {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], json!("/domain"));
        house.refused(&before, code).await;
        // The operator's file gives the same verdict.
        let file = format!(
            "[project]\nslug = \"default\"\n[organization.org-c]\n[[domain]]\nname = {name:?}\norganization = \"org-c\"\n"
        );
        if name.is_ascii() {
            assert!(house.tries(&file).await.is_err(), "{name:?}");
        }
    }
    let zero = operator.post(DOMAINS, json!({"domain": "a.test\0.b.test"})).await;
    assert_eq!(zero.status, 422);
    let (_, view) = claims(&operator, DOMAINS, "müller.test").await;
    assert_eq!(view["domain"], json!("xn--mller-kva.test"));
    assert_eq!(view["domain_unicode"], json!("müller.test"));
    let again = operator.post(DOMAINS, json!({"domain": "XN--MLLER-kva.test"})).await;
    assert_eq!(told(&again), refusal(409, "domain_exists"), "one spelling");
    for odd in [json!({}), json!({"domain": 1}), json!({"domain": "x.test", "method": null})] {
        assert_eq!(told(&operator.post(DOMAINS, odd).await), refusal(400, "invalid_body"));
    }
    let odd = operator.post(DOMAINS, json!({"domain": "x.test", "state": "verified"})).await;
    assert_eq!(told(&odd), refusal(400, "unknown_field"));
}

#[tokio::test]
async fn s1_r13_an_organization_claims_twenty_domains_at_most() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    for number in 0..20 {
        claims(&operator, OF_C, &format!("c{number}.test")).await;
    }
    let before = house.before().await;
    let refused = operator.post(OF_C, json!({"domain": "one-more.test"})).await;
    assert_eq!(told(&refused), refusal(409, "too_many_domains"));
    house.refused(&before, "too_many_domains").await;
    let path = path_of(&house, "org-c", "c0.test").await;
    assert_eq!(delete(&operator, &path).await.status, 204);
    claims(&operator, OF_C, "one-more.test").await;
}

#[tokio::test]
async fn s1_r14_a_challenge_is_the_same_until_it_runs_out_and_each_organization_has_its_own() {
    for engine in ENGINES {
        let mut house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let (path, first) = claims(&operator, DOMAINS, "z.test").await;
        let (_, of_c) = claims(&operator, OF_C, "z.test").await;
        assert_ne!(record(&first).1, record(&of_c).1, "C15");
        house.turn_clock(6 * DAY);
        let same = act(&operator, &path, "verify").await;
        assert_eq!((same.status.as_u16(), record(&same.json())), (200, record(&first)));
        house.turn_clock(DAY);
        assert_eq!(operator.get(&path).await.json()["status"], json!("expired"));
        // What is published too late proves nothing, whoever looks.
        publish(&mut house, &[record(&first)]);
        let before = house.before().await;
        assert_eq!(told(&act(&operator, &path, "confirm").await), refusal(422, "proof_not_found"));
        house.refused(&before, "proof_not_found").await;
        look(&house.broker).await.unwrap();
        assert_eq!(operator.get(&path).await.json()["status"], json!("expired"));

        let fresh = act(&operator, &path, "verify").await.json();
        assert_eq!(fresh["status"], json!("pending"));
        assert_ne!(record(&fresh).1, record(&first).1);
        assert_eq!(told(&act(&operator, &path, "confirm").await), refusal(422, "proof_not_found"), "stale");
        publish(&mut house, &[record(&fresh)]);
        // The one that nobody asked for is found by itself.
        house.turn_clock(60);
        look(&house.broker).await.unwrap();
        assert_eq!(operator.get(&path).await.json()["status"], json!("verified"), "S1-D3");
        let verify = act(&operator, &path, "verify").await;
        assert_eq!((verify.status.as_u16(), record(&verify.json())), (200, record(&fresh)));
        let other = operator.post(&format!("{path}/verify"), json!({"method": "http_file"})).await;
        assert_eq!(told(&other), refusal(422, "invalid_value"));
    }
}

#[tokio::test]
async fn c15_s1_r18_of_fifty_organizations_one_comes_to_hold_the_domain() {
    for engine in ENGINES {
        let mut house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let mut paths = Vec::new();
        let mut records = Vec::new();
        for number in 0..50 {
            let slug = format!("racer-{number}");
            operator.post("/organizations", json!({"name": "Racer", "slug": slug})).await;
            let (path, view) = claims(&operator, &format!("/organizations/{slug}/domains"), "z.test").await;
            paths.push(path);
            records.push(record(&view));
        }
        publish(&mut house, &records[7..8]);
        let all =
            futures_util::future::join_all(paths.iter().map(|path| act(&operator, path, "confirm"))).await;
        for (number, answer) in all.iter().enumerate() {
            let expected = if number == 7 { (200, String::new()) } else { refusal(422, "proof_not_found") };
            assert_eq!(told(answer), expected, "{number}: {}", answer.body);
        }
        // It is given up, and all of some publish at once: one of them holds it.
        assert_eq!(delete(&operator, &paths[7]).await.status, 204);
        publish(&mut house, &records[10..18]);
        let some =
            futures_util::future::join_all((10..18).map(|one| act(&operator, &paths[one], "confirm"))).await;
        let codes: Vec<_> = some.iter().map(told).collect();
        assert_eq!(codes.iter().filter(|code| code.0 == 200).count(), 1, "{codes:?}");
        assert_eq!(
            codes.iter().filter(|code| **code == refusal(409, "domain_taken")).count(),
            7,
            "{codes:?}"
        );
        let holders =
            "SELECT CAST(COUNT(*) AS TEXT) FROM domains WHERE name = 'z.test' AND state = 'verified'";
        assert_eq!(house.text(holders).await.as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn c15_s1_r13_whoever_claims_what_another_holds_learns_of_it_only_by_proof_and_both_are_told() {
    for engine in ENGINES {
        let mut house = House::on(engine).await;
        let of_c = Api::key(&house, "org-c", &EVERYTHING).await;
        let (path, view) = claims(&of_c, OF_C, "a.test").await;
        assert_eq!(view["status"], json!("pending"));
        assert_eq!(
            told(&act(&of_c, &path, "confirm").await),
            refusal(422, "proof_not_found"),
            "as of any other"
        );
        let before = house.before().await;
        publish(&mut house, &[record(&view)]);
        for _ in 0..3 {
            assert_eq!(told(&act(&of_c, &path, "confirm").await), refusal(409, "domain_taken"));
        }
        house.turn_clock(3_600);
        look(&house.broker).await.unwrap();
        house.unchanged(&before).await;
        let (a, c) = (house.organization("org-a").await, house.organization("org-c").await);
        let mut events = house.events_since(&before).await;
        events.retain(|event| event.action == "organization.domain.contested");
        let mut trails: Vec<_> = events.iter().map(|event| event.organization.clone().unwrap()).collect();
        trails.sort();
        let mut both = vec![a, c.clone()];
        both.sort();
        assert_eq!(trails, both, "4.10: both, once");
        let of_holder = events.iter().find(|event| event.organization.as_ref() != Some(&c)).unwrap();
        assert!(!format!("{:?}", of_holder.detail).contains(&c), "and not by whom");
        assert_eq!(of_c.get(&path).await.json()["last_check"]["kind"], json!("taken"));
        assert!(comes(&house, "ann@a.test").await);
    }
}

#[tokio::test]
async fn s1_r18_an_organization_has_somebody_look_ten_times_a_minute() {
    let house = House::opens().await;
    let (a, c) = (Api::key(&house, "org-a", &EVERYTHING).await, Api::key(&house, "org-c", &EVERYTHING).await);
    let (path, _) = claims(&a, DOMAINS, "z.test").await;
    for _ in 0..10 {
        assert_eq!(act(&a, &path, "confirm").await.status, 422);
    }
    let refused = act(&a, &path, "confirm").await;
    assert_eq!(told(&refused), refusal(429, "rate_limited"));
    assert!(refused.header("retry-after").is_some());
    let (other, _) = claims(&c, OF_C, "z.test").await;
    assert_eq!(act(&c, &other, "confirm").await.status, 422, "each its own");
    house.turn_clock(61);
    assert_eq!(act(&a, &path, "confirm").await.status, 422);
}

#[tokio::test]
async fn s1_r16_s1_d4_s1_o5_switches_are_turned_one_by_one_and_only_on_what_is_proved() {
    for engine in ENGINES {
        let mut house = House::on(engine).await;
        let joins = [&EVERYTHING[..], &["members:write"]].concat();
        let key = Api::key(&house, "org-a", &joins).await;
        let ca = house.connection("ca").await;
        let (path, view) = claims(&key, DOMAINS, "new.test").await;
        for switch in [
            json!({"use_for_routing": true, "connection_ids": [ca]}),
            json!({"trust_email": true}),
            json!({"auto_join": {"enabled": true, "role": "member"}}),
        ] {
            let before = house.before().await;
            let refused = key.patch(&path, switch).await;
            assert_eq!(told(&refused), refusal(409, "domain_not_verified"), "{}", refused.body);
            house.refused(&before, "domain_not_verified").await;
        }
        assert_eq!(key.patch(&path, json!({"connection_ids": [ca]})).await.status, 200, "turns nothing on");
        publish(&mut house, &[record(&view)]);
        assert_eq!(act(&key, &path, "confirm").await.status, 200);
        assert!(!comes(&house, "x@new.test").await);

        let etag = key.get(&path).await.header("etag").unwrap().to_owned();
        let on = key.patch(&path, json!({"use_for_routing": true})).await;
        let view = on.json();
        assert_eq!(
            (on.status.as_u16(), &view["use_for_routing"], &view["trust_email"]),
            (200, &json!(true), &json!(false))
        );
        assert_eq!(view["auto_join"]["enabled"], json!(false), "each by itself");
        assert!(comes(&house, "x@new.test").await);
        let stale = key
            .send(Method::PATCH, &path, |ask| {
                let ask = ask.header("if-match", etag).header("content-type", "application/json");
                ask.body(json!({"trust_email": true}).to_string())
            })
            .await;
        assert_eq!(told(&stale), refusal(412, "precondition_failed"));
        let events = house.events_of("organization.domain.updated").await;
        assert_eq!(key.patch(&path, json!({"use_for_routing": true})).await.json(), view, "as it is");
        assert_eq!(house.events_of("organization.domain.updated").await, events);

        let off = key.patch(&path, json!({"use_for_routing": false})).await;
        assert_eq!(off.status, 200);
        assert!(!comes(&house, "x@new.test").await, "at once");
        assert_eq!(key.patch(&path, json!({"connection_ids": []})).await.status, 200);
        let nowhere = key.patch(&path, json!({"use_for_routing": true})).await;
        assert_eq!(told(&nowhere), refusal(422, "invalid_value"));
        let (cb, none) = (house.connection("cb").await, "conn_00000000000000000000000007".to_owned());
        let refused = [cb, none, "x".into()].map(|id| json!({"connection_ids": [id]}));
        let mut problems = Vec::new();
        for body in refused {
            let mut problem = key.patch(&path, body).await.json();
            problem.as_object_mut().unwrap().remove("request_id");
            problems.push(problem);
        }
        assert!(problems.windows(2).all(|pair| pair[0] == pair[1]), "{problems:?}");
        assert_eq!(problems[0]["errors"][0]["pointer"], json!("/connection_ids/0"));
        // In the words of S1-R16.
        let by_one = key.patch(&path, json!({"connection_id": "x"})).await.json();
        assert_eq!(by_one["errors"][0]["pointer"], json!("/connection_id"), "{by_one}");
        let both = json!({"connection_id": house.connection("ca").await, "connection_ids": []});
        assert_eq!(told(&key.patch(&path, both).await), refusal(400, "invalid_body"));
        let one = key.patch(&path, json!({"connection_id": house.connection("ca").await})).await;
        assert_eq!(one.json()["connection_ids"], json!([house.connection("ca").await]), "{}", one.body);
        for odd in
            [json!({"use_for_routing": null}), json!({"trust_email": "yes"}), json!({"auto_join": null})]
        {
            assert_eq!(told(&key.patch(&path, odd).await), refusal(400, "invalid_body"));
        }
        assert_eq!(
            told(&key.patch(&path, json!({"status": "verified"})).await),
            refusal(400, "unknown_field")
        );
    }
}

#[tokio::test]
async fn s1_d5_h01_auto_join_is_turned_on_with_a_role_that_administers_nothing() {
    let mut plan = Plan::default();
    plan = plan.and("\n[role.helper]\npermissions = [\"members:read\"]\n[role.viewer]\npermissions = [\"reports:read\"]\n");
    let house = plan.build().await;
    let (operator, ann) = (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let path = path_of(&house, "org-a", "a.test").await;
    let on = |role: &str| json!({"auto_join": {"enabled": true, "role": role}});
    for (api, role, code) in [
        (&operator, "owner", "role_not_allowed"),
        (&operator, "admin", "role_not_allowed"),
        (&operator, "helper", "role_not_allowed"),
        (&operator, "nonesuch", "role_unknown"),
        (&ann, "owner", "role_not_allowed"),
    ] {
        let before = house.before().await;
        let refused = api.patch(&path, on(role)).await;
        assert_eq!(told(&refused), refusal(422, code), "{role}: {}", refused.body);
        house.refused(&before, code).await;
    }
    let above = key.patch(&path, on("viewer")).await;
    assert_eq!(told(&above), refusal(403, "role_ceiling"), "more than the key itself may: {}", above.body);
    let nothing = ann.patch(&path, json!({"auto_join": {"enabled": true}})).await;
    assert_eq!(told(&nothing), refusal(422, "invalid_value"), "as what?");
    assert_eq!(nothing.json()["errors"][0]["pointer"], json!("/auto_join/role"));
    for odd in [json!(["a*b"]), json!(["*x*"]), json!([""]), json!(["*"]), json!(["a@b"]), json!(["a b"])] {
        let refused = ann.patch(&path, json!({"auto_join": {"exclude": odd}})).await;
        assert_eq!(told(&refused), refusal(422, "invalid_value"), "{odd}");
    }
    for odd in [json!({"cap_per_hour": 0}), json!({"cap_per_hour": 100_001})] {
        assert_eq!(told(&ann.patch(&path, json!({"auto_join": odd})).await), refusal(422, "invalid_value"));
    }
    let other = ann.patch(&path, json!({"auto_join": {"requires": "email"}})).await;
    assert_eq!(told(&other), refusal(400, "invalid_body"), "S1-D11: there is no such proof here");
    // In the words of S1-R16: a switch, and the role beside it.
    for (body, pointer) in [
        (json!({"auto_join": true}), "/auto_join/role"),
        (json!({"auto_join": true, "auto_join_role": "owner"}), "/auto_join_role"),
    ] {
        assert_eq!(ann.patch(&path, body).await.json()["errors"][0]["pointer"], json!(pointer));
    }
    let both = json!({"auto_join": {"role": "member"}, "auto_join_role": "member"});
    assert_eq!(told(&ann.patch(&path, both).await), refusal(400, "invalid_body"));
    let unknown = ann.patch(&path, json!({"auto_join": {"roles": "member"}})).await;
    assert_eq!(told(&unknown), refusal(400, "unknown_field"));
    assert_eq!(unknown.json()["errors"][0]["pointer"], json!("/auto_join/roles"));
    for (body, enabled) in
        [(json!({"auto_join": true, "auto_join_role": "member"}), true), (json!({"auto_join": false}), false)]
    {
        let set = operator.patch(&path, body).await.json();
        assert_eq!(
            (&set["auto_join"]["enabled"], &set["auto_join"]["role"]),
            (&json!(enabled), &json!("member"))
        );
    }
    let set = json!({"auto_join": {"enabled": true, "role": "viewer", "exclude": ["*-EXT", "contractor.*"], "cap_per_hour": 9}});
    let fine = operator.patch(&path, set).await;
    let expected = json!({"enabled": true, "role": "viewer", "requires": "sso", "exclude": ["*-ext", "contractor.*"], "cap_per_hour": 9, "paused_at": null, "halted_by": null});
    assert_eq!((fine.status.as_u16(), &fine.json()["auto_join"]), (200, &expected), "{}", fine.body);
}

#[tokio::test]
async fn s1_r16_h01_who_may_not_add_members_lets_nobody_more_join_by_their_address() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let path = path_of(&house, "org-a", "a.test").await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let adds = Api::key(&house, "org-a", &[&EVERYTHING[..], &["members:write"]].concat()).await;
        let refuses = async |wanted: Value| {
            let before = house.before().await;
            let refused = key.patch(&path, json!({"auto_join": wanted})).await;
            assert_eq!(told(&refused), refusal(403, "role_ceiling"), "{wanted}: {}", refused.body);
            house.refused(&before, "role_ceiling").await;
        };
        let on =
            json!({"enabled": true, "role": "member", "exclude": ["*-ext", "test-*"], "cap_per_hour": 5});
        refuses(on.clone()).await;
        let set = adds.patch(&path, json!({"auto_join": on})).await;
        assert_eq!(set.status, 200, "{}", set.body);
        for wider in
            [json!({"exclude": ["*-ext"]}), json!({"cap_per_hour": 6}), json!({"cap_per_hour": null})]
        {
            refuses(wider).await;
        }
        // To let fewer in takes no more than to write the domain.
        for narrower in [
            json!({"exclude": ["*-ext", "test-*", "hr"]}),
            json!({"cap_per_hour": 4}),
            json!({"enabled": false}),
        ] {
            let set = key.patch(&path, json!({"auto_join": narrower})).await;
            assert_eq!(set.status, 200, "{narrower}: {}", set.body);
        }
        refuses(json!({"enabled": true})).await;
        let view = operator.get(&path).await.json();
        assert_eq!(view["auto_join"]["enabled"], json!(false));
    }
}

#[tokio::test]
async fn s1_r17_what_is_given_up_routes_nobody_is_free_for_others_and_its_members_stay() {
    for engine in ENGINES {
        let mut house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        assert!(comes(&house, "ann@a.test").await);
        let path = path_of(&house, "org-a", "a.test").await;
        let members = house.facts().await.rows("memberships");
        let old = operator.get(&path).await.json();
        assert_eq!(delete(&operator, &format!("{path}?force=true")).await.status, 204);
        assert!(!comes(&house, "ann@a.test").await, "at once");
        assert_eq!(house.facts().await.rows("memberships"), members);
        for gone in
            [operator.get(&path).await, delete(&operator, &path).await, act(&operator, &path, "verify").await]
        {
            assert_eq!(told(&gone), refusal(404, "not_found"));
        }
        assert_eq!(operator.get(DOMAINS).await.json()["items"], json!([]));
        // C has it next, and nothing of A's comes along.
        holds(&mut house, &operator, OF_C, "a.test").await;
        assert!(!comes(&house, "ann@a.test").await);
        // A may claim it again: with another challenge, and with nothing switched on.
        let (again, view) = claims(&operator, DOMAINS, "a.test").await;
        assert_eq!((&again, &view["status"]), (&path, &json!("pending")));
        assert_ne!(record(&view).1, record(&old).1);
        assert_eq!((&view["use_for_routing"], &view["connection_ids"]), (&json!(false), &json!([])));
    }
}

#[tokio::test]
async fn s1_r16_s1_r17_a_domain_that_members_must_sign_in_by_is_not_switched_off_by_accident() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        house
            .execute(
                "UPDATE organizations SET policy = '{\"enforcement\":\"required\"}' WHERE slug = 'org-a'",
            )
            .await;
        let path = path_of(&house, "org-a", "a.test").await;
        for change in [json!({"use_for_routing": false}), json!({"connection_ids": []})] {
            let before = house.before().await;
            assert_eq!(told(&key.patch(&path, change).await), refusal(409, "enforcement_depends"));
            house.refused(&before, "enforcement_depends").await;
        }
        assert_eq!(key.patch(&path, json!({"trust_email": false})).await.status, 200);
        let before = house.before().await;
        assert_eq!(told(&delete(&key, &path).await), refusal(409, "enforcement_depends"));
        assert_eq!(
            told(&delete(&key, &format!("{path}?force=false")).await),
            refusal(409, "enforcement_depends")
        );
        house.unchanged(&before).await;
        assert_eq!(delete(&key, &format!("{path}?force=true")).await.status, 204);
    }
}

#[tokio::test]
async fn c22_s0_03_a_domain_is_found_below_its_own_organization_alone() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-b", &EVERYTHING).await;
    let id = path_of(&house, "org-a", "a.test").await;
    let id = id.rsplit('/').next().unwrap();
    let path = format!("/organizations/org-b/domains/{id}");
    let before = house.before().await;
    for answer in [
        key.get(&path).await,
        act(&key, &path, "verify").await,
        act(&key, &path, "confirm").await,
        key.patch(&path, json!({"trust_email": false})).await,
        delete(&key, &format!("{path}?force=true")).await,
    ] {
        assert_eq!(told(&answer), refusal(404, "not_found"));
    }
    house.unchanged(&before).await;
    let reader = Api::key(&house, "org-a", &["domains:read"]).await;
    assert_eq!(reader.get(DOMAINS).await.status, 200);
    assert_eq!(
        told(&reader.post(DOMAINS, json!({"domain": "x.test"})).await),
        refusal(403, "permission_missing")
    );
}

#[tokio::test]
async fn c16_s1_a3_what_lapsed_is_proved_anew_and_goes_on_unless_another_had_it() {
    for engine in ENGINES {
        let mut house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let path = path_of(&house, "org-a", "a.test").await;
        let old = operator.get(&path).await.json();
        publish(&mut house, &[]);
        let mut missed = 0;
        for day in 1..=7 {
            assert!(comes(&house, "ann@a.test").await, "before day {day}");
            house.turn_clock(DAY + 1);
            look(&house.broker).await.unwrap();
            missed = house.events_of("organization.domain.missed").await;
            assert_eq!(missed, 2, "4.10: A and B are warned on the first day, and once");
        }
        let lapsed = operator.get(&path).await.json();
        assert_eq!((&lapsed["status"], missed), (&json!("lapsed"), 2));
        assert!(!comes(&house, "ann@a.test").await);
        assert_eq!(told(&act(&operator, &path, "confirm").await), refusal(422, "proof_not_found"));
        let again = act(&operator, &path, "verify").await.json();
        assert_eq!((&again["status"], &again["auto_join"]["enabled"]), (&json!("pending"), &json!(false)));
        assert!(!comes(&house, "ann@a.test").await, "it is proved by nobody");
        assert_ne!(record(&again).1, record(&old).1);
        publish(&mut house, &[record(&old)]);
        assert_eq!(told(&act(&operator, &path, "confirm").await), refusal(422, "proof_not_found"), "stale");
        publish(&mut house, &[record(&again)]);
        assert_eq!(act(&operator, &path, "confirm").await.status, 200);
        assert!(comes(&house, "ann@a.test").await, "whom nobody else could let in");

        // It lapses once more, and another organization holds it for a while.
        publish(&mut house, &[]);
        for _ in 0..7 {
            house.turn_clock(DAY + 1);
            look(&house.broker).await.unwrap();
        }
        let pending = act(&operator, &path, "verify").await.json();
        let other = holds(&mut house, &operator, "/organizations/org-b/domains", "a.test").await;
        assert_eq!(house.events_of("organization.domain.succeeded").await, 1);
        assert!(!comes(&house, "ann@a.test").await);
        assert_eq!(operator.send(Method::DELETE, &other, |ask| ask).await.status, 204);
        publish(&mut house, &[record(&pending)]);
        assert_eq!(act(&operator, &path, "confirm").await.status, 200);
        assert!(!comes(&house, "ann@a.test").await, "verified alone routes nobody");
        let on = operator.patch(&path, json!({"use_for_routing": true, "trust_email": true})).await;
        assert_eq!(on.status, 200);
        assert!(comes(&house, "ann@a.test").await);
    }
}

#[tokio::test]
async fn c16_a_proof_of_83_days_is_renewed_within_a_week_or_lapses() {
    let mut house = House::opens().await;
    let operator = Api::operator(&house).await;
    let (a, b) = (path_of(&house, "org-a", "a.test").await, path_of(&house, "org-b", "b.test").await);
    house.turn_clock(83 * DAY);
    look(&house.broker).await.unwrap();
    let due = operator.get(&a).await.json();
    assert_eq!(house.events_of("organization.domain.renewal_due").await, 2);
    assert_eq!((&due["status"], &due["renew_by"]), (&json!("verified"), &json!("2026-08-30T09:00:00.000Z")));
    assert_eq!(due["challenge_expires_at"], due["renew_by"]);
    let refused = act(&operator, &a, "confirm").await;
    assert_eq!(told(&refused), refusal(422, "proof_not_found"), "the old record is no fresh proof");
    assert_eq!(refused.json()["expected"], due["verification_txt"]);
    assert!(comes(&house, "ann@a.test").await && comes(&house, "bob@b.test").await);
    let keep_b = operator.get(&b).await.json();
    let old_b = house.text("SELECT challenge FROM domains WHERE name = 'b.test'").await.unwrap();
    publish(&mut house, &[record(&due), (record(&keep_b).0, format!("behalf-verify={old_b}"))]);
    let renewed = act(&operator, &a, "confirm").await;
    assert_eq!(
        (renewed.status.as_u16(), &renewed.json()["verification_txt"]),
        (200, &due["verification_txt"])
    );
    assert_eq!(renewed.json()["renew_by"], json!("2026-11-21T09:00:00.000Z"));
    assert_eq!(house.events_of("organization.domain.renewed").await, 1);
    for _ in 0..7 {
        house.turn_clock(DAY + 1);
        look(&house.broker).await.unwrap();
    }
    assert_eq!(operator.get(&a).await.json()["status"], json!("verified"));
    assert_eq!(
        operator.get(&b).await.json()["status"],
        json!("lapsed"),
        "its old record alone is not enough"
    );
}

#[tokio::test]
async fn m14_a_claim_covers_its_name_and_nothing_below_or_beside_it() {
    let mut house = House::opens().await;
    let operator = Api::operator(&house).await;
    for stranger in ["x@dev.a.test", "x@evila.test"] {
        assert!(!comes(&house, stranger).await, "{stranger}");
    }
    let path = holds(&mut house, &operator, "/organizations/org-b/domains", "dev.a.test").await;
    let cb = house.connection("cb").await;
    let on = json!({"use_for_routing": true, "trust_email": true, "connection_ids": [cb]});
    assert_eq!(operator.patch(&path, on).await.status, 200);
    assert!(comes(&house, "x@dev.a.test").await, "of B, though A holds a.test");
    assert!(!comes(&house, "x@other.a.test").await);
}

#[tokio::test]
async fn s1_d2_c27_a_file_proves_by_its_one_line_and_no_redirect_or_failure_says_anything() {
    let publisher = Publisher::of("behalf-verify=x\r\n".into()).await;
    let port = publisher.url.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
    let url = |host: &str| format!("http://{host}:{port}/metadata").parse().unwrap();
    let names = FixedNames::default()
        .with("a.test", &[Ipv4Addr::LOCALHOST.into()])
        .with("inside.test", &[Ipv4Addr::new(10, 0, 0, 1).into()]);
    let guard = Guard { plain_http: true, any_port: true, loopback: true, ..Guard::default() };
    let http = Http::guarded(&config::Egress::default(), guard, Names::Fixed(names)).unwrap();
    let texts = |texts: &[&str]| Published::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
    assert_eq!(by_file(&http, url("a.test")).await, texts(&["behalf-verify=x"]));
    publisher.says("behalf-verify=x and more".into());
    assert_eq!(by_file(&http, url("a.test")).await, texts(&["behalf-verify=x and more"]));
    publisher.says("x".repeat(2_000));
    assert_eq!(by_file(&http, url("a.test")).await, texts(&[&"x".repeat(2_000)]));
    publisher.fails();
    assert_eq!(by_file(&http, url("a.test")).await, Published::Unknown(LookError::Status(503)));
    let missing = format!("http://a.test:{port}/nothing").parse().unwrap();
    assert_eq!(by_file(&http, missing).await, texts(&[]), "said with authority");
    let hits = publisher.hits();
    for nowhere in ["inside.test", "unknown.test"] {
        let told = by_file(&http, url(nowhere)).await;
        assert!(matches!(told, Published::Unknown(LookError::Unreachable(_))), "{nowhere}: {told:?}");
    }
    assert_eq!(publisher.hits(), hits);

    // Over the API: nobody can say, and nothing changes.
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let made = operator.post(DOMAINS, json!({"domain": "z.test", "method": "http_file"})).await.json();
    let path = format!("{DOMAINS}/{}", made["id"].as_str().unwrap());
    let before = house.before().await;
    assert_eq!(told(&act(&operator, &path, "confirm").await), refusal(503, "dns_unavailable"));
    house.refused(&before, "dns_unavailable").await;
    let by_dns = operator.post(&format!("{path}/verify"), json!({"method": "dns_txt"})).await;
    assert_eq!((by_dns.status.as_u16(), &by_dns.json()["method"]), (200, &json!("dns_txt")));
    assert_eq!(by_dns.json()["verification_txt"], made["verification_txt"]);
}
