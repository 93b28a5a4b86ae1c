//! Somebody who administers nothing tries a connection, and what comes of it is written down (S1-P6).

use data_encoding::HEXLOWER;
use serde_json::json;

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::{Door, Says};
use crate::house::lying_saml_idp::{self, Says as SamlSays, posts};
use crate::house::trial::Link;
use crate::house::visitor::Visitor;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

#[tokio::test]
async fn s1_p6_a_trial_is_written_down_and_is_nothing_else() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let link = Link::to(&owner, &house, "ca").await;
        assert_eq!(link.told(&owner).await["status"], json!("open"));
        house.idp_a.says(
            Says::that("sub-of-cleo", "cleo@a.test")
                .claim("groups", "[\"staff\",\"night shift\"]")
                .claim("secret_note", "\"not for us\""),
        );
        let before = house.before().await;
        let mut cleo = Visitor::arrives();
        let page = cleo.tries(&link).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for words in
            ["It works", "A Corporation", "A Login", "cleo@a.test", "night shift", "verified by this"]
        {
            assert!(page.body.contains(words), "{words}: {}", page.body);
        }
        assert!(!page.body.contains("not for us"), "{}", page.body);
        // Nothing else came of it, and nobody is signed in.
        house.unchanged(&before).await;
        assert!(!cleo.is_signed_in(&house));
        let ask = Application::rp1(&house).asks().with("prompt", "none");
        let silent = cleo.get(&ask.url()).await;
        assert!(silent.location().unwrap().as_str().contains("error=login_required"), "{silent:?}");
        assert!(house.text("SELECT id FROM users WHERE email = 'cleo@a.test'").await.is_none());
        let told = link.told(&owner).await;
        for (name, value) in [
            ("status", json!("succeeded")),
            ("is_admin", json!(false)),
            ("email", json!("cleo@a.test")),
            ("subject", json!("sub-of-cleo")),
            ("domain_rule", json!("verified")),
            ("user_id", json!(null)),
            ("reason", json!(null)),
        ] {
            assert_eq!(told[name], value, "{name}: {told}");
        }
        assert_eq!(told["claims"]["groups"], json!(["staff", "night shift"]));
        // Of what no connection reads, the name alone; of the protocol, nothing.
        assert_eq!(told["claims"]["secret_note"], json!([]));
        assert_eq!(told["left_out"], json!({"claims": 0, "values": {"secret_note": 1}, "characters": {}}));
        assert!(told["claims"].get("nonce").is_none());
        let events = house.events_since(&before).await;
        let event = events.iter().find(|event| event.action == "organization.connection.tested").unwrap();
        assert_eq!((event.outcome.as_str(), &event.detail["tester"]), ("granted", &json!("colleague")));
        assert_eq!(event.organization.as_deref(), Some(house.organization("org-a").await.as_str()));
        // It can be looked at again, by the same browser alone.
        assert!(cleo.get(page.url.as_str()).await.body.contains("It works"));
        assert_eq!(Visitor::arrives().get(page.url.as_str()).await.status, 403);
        let list = owner.get(link.path.rsplit_once('/').unwrap().0).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        assert!(!list.to_string().contains(link.url.rsplit('/').next().unwrap()), "the link is shown once");
    }
}

#[tokio::test]
async fn s1_p6_how_much_of_what_came_is_not_shown_is_told() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let link = Link::to(&owner, &house, "ca").await;
        let groups: Vec<_> = (0..25).map(|number| format!("group-{number}")).collect();
        let mut says = Says::that("sub-of-cleo", "cleo@a.test")
            .claim("groups", &json!(groups).to_string())
            .claim("name", &json!("x".repeat(230)).to_string());
        for number in 0..70 {
            says = says.claim(&format!("claim-{number}"), "[\"one\",\"two\"]");
        }
        house.idp_a.says(says);
        let page = Visitor::arrives().tries(&link).await;
        for words in
            ["and 5 more, which are not shown", "shortened", "more pieces of information are not shown"]
        {
            assert!(page.body.contains(words), "{words}: {}", page.body);
        }
        let told = link.told(&owner).await;
        let (claims, left_out) = (&told["claims"], &told["left_out"]);
        assert_eq!(
            (claims["groups"].as_array().unwrap().len(), &left_out["values"]["groups"]),
            (20, &json!(5))
        );
        assert_eq!(left_out["characters"], json!({"name": 30}));
        assert_eq!((&claims["claim-0"], &left_out["values"]["claim-0"]), (&json!([]), &json!(2)));
        // Each of them is either named or counted.
        let all = claims.as_object().unwrap();
        let named = all.keys().filter(|name| name.starts_with("claim-")).count() as u64;
        assert_eq!((all.len(), named + left_out["claims"].as_u64().unwrap()), (60, 70));
    }
}

#[tokio::test]
async fn s1_p6_who_administers_is_told_apart_by_what_they_are_here() {
    let house = House::opens().await;
    let owner = Api::person(&house, "ann@a.test", "org-a").await;
    let is_admin = async |says: Says| {
        let link = Link::to(&owner, &house, "ca").await;
        house.idp_a.says(says);
        Visitor::arrives().tries(&link).await;
        link.told(&owner).await["is_admin"].clone()
    };
    // She has been here by this name; or it is another name, with her address; or it is somebody else.
    assert_eq!(is_admin(Says::that("sub-ann@a.test", "other@a.test")).await, json!(true));
    assert_eq!(is_admin(Says::that("a-second-account", "ann@a.test")).await, json!(true));
    assert_eq!(is_admin(Says::that("sub-con@a.test", "con@a.test")).await, json!(false));
    let clerk = r#"{"organization_id": "org-a", "name": "clerk", "permissions": ["members:write"]}"#;
    let made = owner.post("/roles", serde_json::from_str(clerk).unwrap()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    house.has_member("cleo@a.test", "org-a", &["clerk"]).await;
    assert_eq!(is_admin(Says::that("sub-cleo", "cleo@a.test")).await, json!(true));
}

#[tokio::test]
async fn s1_p6_why_a_trial_failed_is_told() {
    let house = House::opens().await;
    let owner = Api::person(&house, "ann@a.test", "org-a").await;
    for (says, reason, rule) in [
        (Says::that("x", "con@b.test"), "email_domain_not_allowed", json!("not_verified")),
        (
            Says::that("x", "con@a.test").without("email").without_userinfo("email"),
            "email_domain_not_allowed",
            json!("no_address"),
        ),
        (Says::that("x", "con@a.test").claim("nonce", "\"other\""), "nonce_mismatch", json!(null)),
        (Says::that("x", "con@a.test").claim("aud", "\"other\""), "id_token_audience", json!(null)),
        (Says::truth().response("code", None), "code_missing", json!(null)),
        (
            Says::truth().response("code", None).response("error", Some("access_denied")),
            "idp_refused",
            json!(null),
        ),
    ] {
        let link = Link::to(&owner, &house, "ca").await;
        house.idp_a.says(says);
        let before = house.before().await;
        let mut con = Visitor::arrives();
        let page = con.tries(&link).await;
        assert!(
            page.body.contains("It did not work") && page.body.contains(reason),
            "{reason}: {}",
            page.body
        );
        house.unchanged(&before).await;
        assert!(!con.is_signed_in(&house));
        let told = link.told(&owner).await;
        assert_eq!((&told["status"], &told["reason"]), (&json!("failed"), &json!(reason)));
        assert_eq!(told["domain_rule"], rule, "{reason}");
    }
    // A provider that is away is found out before anybody is sent there.
    house.idp_a.door("/.well-known/openid-configuration", Some(Door::Status(503)));
    house.turn_clock(100_000);
    let owner = Api::operator(&house).await;
    let link = Link::to(&owner, &house, "ca").await;
    let mut con = Visitor::arrives();
    let ended = con.sets_out(&link).await;
    let page = con.follow(&ended).await;
    assert!(page.body.contains("idp_unreachable"), "{}", page.body);
    assert_eq!(link.told(&owner).await["is_admin"], json!(null));
}

#[tokio::test]
async fn s1_p6_h04_what_was_tried_of_a_draft_that_was_given_up_speaks_for_no_other() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}", house.connection("ca").await);
        let drafted = async |leeway: u64| {
            let answer = operator.patch(&path, json!({ "leeway": leeway })).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            answer.json()["draft"]["version"].as_i64().unwrap()
        };
        let first = drafted(30).await;
        let link = Link::to(&operator, &house, "ca").await;
        house.idp_a.says(Says::that("sub-of-cleo", "cleo@a.test"));
        Visitor::arrives().tries(&link).await;
        assert_eq!(link.told(&operator).await["status"], json!("succeeded"));
        let gone = operator.send(reqwest::Method::DELETE, &path, |ask| ask).await;
        assert_eq!(gone.status, 204, "{}", gone.body);
        // Numbers of versions, without those of trials, as if the draft had never been.
        house.execute("DELETE FROM connection_versions").await;
        house.execute("UPDATE connections SET version = 1 WHERE slug = 'ca'").await;
        let on = operator.send(reqwest::Method::POST, &format!("{path}/enable"), |ask| ask).await;
        assert_eq!(on.status, 200, "{}", on.body);
        assert!(on.json()["version"].as_i64().unwrap() > first, "{}", on.body);
        assert!(drafted(31).await > first);
    }
}

#[tokio::test]
async fn s1_p6_h04_a_draft_is_tried_and_no_login_ever_uses_it() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let id = house.connection("ca").await;
    let drafted = operator.patch(&format!("/connections/{id}"), json!({"client_id": "drafted"})).await;
    assert_eq!(drafted.status, 200, "{}", drafted.body);
    let link = Link::to(&operator, &house, "ca").await;
    let draft = link.told(&operator).await["version"].as_i64().unwrap();
    let live = house.text("SELECT CAST(version AS TEXT) FROM connections WHERE slug = 'ca'").await.unwrap();
    assert!(draft > live.parse().unwrap());
    let away = Visitor::arrives().sets_out(&link).await;
    assert!(away.location().unwrap().query().unwrap().contains("client_id=drafted"), "{away:?}");
    let ask = Application::rp1(&house).asks();
    Person::new("ann@a.test").is_sent_back(&ask).await;
    assert_eq!(house.idp_a.was_asked("client_id").as_deref(), Some("behalf"));
    // What is live can be tried as well; a number of neither cannot.
    let body = json!({"version": live.parse::<i64>().unwrap()});
    let link = Link::with(&operator, &house, "ca", body).await;
    assert_eq!(Visitor::arrives().tries(&link).await.status, 200);
    let before = house.before().await;
    let other = operator.post(&format!("/connections/{id}/tests"), json!({"version": draft + 1})).await;
    assert_eq!((other.status.as_u16(), &other.json()["code"]), (422, &json!("invalid_value")));
    house.refused(&before, "invalid_value").await;
    // A draft that is replaced while somebody is away is another one.
    let link = Link::to(&operator, &house, "ca").await;
    let mut con = Visitor::arrives();
    let page = con.get(&link.url).await;
    operator.patch(&format!("/connections/{id}"), json!({"client_id": "drafted-again"})).await;
    assert_eq!(con.submit(&page.form()).await.status, 410);
}

#[tokio::test]
async fn s1_p6_a_connection_that_was_never_live_is_tried_before_it_is() {
    let house = Plan::default()
        .with("state = \"active\"\nissuer = \"{idp_a}\"", "issuer = \"{idp_a}\"")
        .build()
        .await;
    let operator = Api::operator(&house).await;
    let link = Link::to(&operator, &house, "ca").await;
    let page = Visitor::arrives().tries(&link).await;
    assert!(page.body.contains("It works"), "{}", page.body);
    assert_eq!(house.count("users").await, 0);
}

#[tokio::test]
async fn s1_p6_a_saml_connection_is_tried_too() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let operator = Api::operator(&house).await;
        let link = Link::to(&operator, &house, "cb").await;
        let before = house.before().await;
        let mut bea = Visitor::arrives();
        let away = bea.sets_out(&link).await;
        let idp = house.saml("cb");
        let asked = idp.is_asked(&house, "cb", &away).await;
        let says = SamlSays::that("bea@b.test").attribute("shoe size", &["42"]);
        let onward = posts(&mut bea, &asked, idp.answers(&asked, &says)).await;
        assert_eq!(onward.status, 303, "{}", onward.body);
        let ended = bea.follow(&onward).await;
        let page = bea.follow(&ended).await;
        assert!(page.body.contains("It works") && page.body.contains("bea@b.test"), "{}", page.body);
        house.unchanged(&before).await;
        assert!(!bea.is_signed_in(&house));
        let told = link.told(&operator).await;
        assert_eq!((&told["status"], &told["is_admin"]), (&json!("succeeded"), &json!(false)), "{told}");
        // What is not read is told by its name alone.
        assert_eq!(
            (&told["claims"]["shoe size"], &told["claims"]["mail"]),
            (&json!([]), &json!(["bea@b.test"]))
        );
    }
}

#[tokio::test]
async fn s1_p6_why_a_saml_trial_failed_is_told_with_what_came() {
    let house = Plan::saml().build().await;
    let operator = Api::operator(&house).await;
    let idp = house.saml("cb");
    let stranger = lying_saml_idp::LyingSamlIdp::new("cb", house.clock.clone());
    for (what, reason) in [("stranger", "signature_invalid"), ("address", "email_domain_not_allowed")] {
        let link = Link::to(&operator, &house, "cb").await;
        let mut bea = Visitor::arrives();
        let away = bea.sets_out(&link).await;
        let asked = idp.is_asked(&house, "cb", &away).await;
        let xml = match what {
            "stranger" => stranger.answers(&asked, &SamlSays::that("bea@b.test")),
            _ => idp.answers(&asked, &SamlSays::that("bea@elsewhere.test")),
        };
        let before = house.before().await;
        let onward = posts(&mut bea, &asked, xml).await;
        let ended = bea.follow(&onward).await;
        let page = bea.follow(&ended).await;
        assert!(page.body.contains("It did not work"), "{}", page.body);
        house.unchanged(&before).await;
        let told = link.told(&operator).await;
        assert_eq!(told["reason"], json!(reason), "{told}");
        assert!(told["expected"].is_string(), "{told}");
        // A message that is refused is told in the trail as it is at a sign-in.
        let events = house.events_since(&before).await;
        let event = events.iter().find(|event| event.action == "organization.connection.tested").unwrap();
        let detail = |name: &str| event.detail[name].as_str();
        if what == "address" {
            assert_eq!(
                (detail("message"), detail("trusted")),
                (None, None),
                "it was taken, as far as it goes"
            );
            continue;
        }
        let known = HEXLOWER.encode(&idp.signer.certificate.fingerprint());
        assert_eq!((detail("check"), detail("trusted")), (Some(reason), Some(&*known)));
        assert_eq!(detail("connection"), Some(&*house.connection("cb").await));
        let message = detail("message").unwrap();
        assert!(message.contains("<Assertion ID=") && message.contains("<Attribute "), "{message}");
        assert!(!message.contains("bea@") && !message.contains("id-of-bea"), "{message}");
    }
}

#[tokio::test]
async fn s1_p6_links_are_made_at_a_limited_rate() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let path = format!("/connections/{}/tests", house.connection("ca").await);
    for _ in 0..30 {
        assert_eq!(operator.post(&path, json!({})).await.status, 201);
    }
    let over = operator.post(&path, json!({})).await;
    assert_eq!((over.status.as_u16(), &over.json()["code"]), (429, &json!("rate_limited")));
    assert_eq!(over.header("retry-after"), Some("3600"), "when the hour is over");
    house.turn_clock(600);
    assert_eq!(operator.post(&path, json!({})).await.header("retry-after"), Some("3000"));
    // Of another organization, another limit.
    let other = format!("/connections/{}/tests", house.connection("cb").await);
    assert_eq!(operator.post(&other, json!({})).await.status, 201);
}

#[tokio::test]
async fn s1_p6_who_could_not_sign_in_does_not_succeed_in_a_trial() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let ask = Application::rp1(&house).asks().with("login_hint", "con@a.test");
        Person::new("con@a.test").follows(&ask).await;
        let members = format!("/organizations/org-a/members/{}", house.user("con@a.test").await);
        let mut rounds = vec![
            // Their address is proved to be another account's.
            ("another-sub", "con@a.test", "email_in_use_by_other_identity"),
        ];
        house.has_member("eve@a.test", "org-a", &["member"]).await;
        rounds.push(("sub-of-eve", "eve@a.test", "email_in_use_by_other_identity"));
        for status in ["suspended", "removed"] {
            rounds.push(("sub-con@a.test", "con@a.test", "membership_inactive"));
            let (subject, email, reason) = *rounds.last().unwrap();
            let answer = match status {
                "removed" => owner.send(reqwest::Method::DELETE, &members, |ask| ask).await,
                status => owner.patch(&members, json!({ "status": status })).await,
            };
            assert!(answer.status.is_success(), "{}", answer.body);
            fails(&house, &owner, (subject, email), reason).await;
        }
        for (subject, email, reason) in rounds {
            fails(&house, &owner, (subject, email), reason).await;
        }
        // Whoever is nobody yet may come.
        house.idp_a.says(Says::that("sub-of-new", "new@a.test"));
        let link = Link::to(&owner, &house, "ca").await;
        let before = house.before().await;
        Visitor::arrives().tries(&link).await;
        assert_eq!(link.told(&owner).await["status"], json!("succeeded"));
        house.unchanged(&before).await;
    }
}

/// A trial by this person that is refused for what a sign-in would be; and nothing comes of it.
async fn fails(house: &House, owner: &Api, (subject, email): (&str, &str), reason: &str) {
    house.idp_a.says(Says::that(subject, email));
    let link = Link::to(owner, house, "ca").await;
    let before = house.before().await;
    let page = Visitor::arrives().tries(&link).await;
    assert!(page.body.contains("It did not work") && page.body.contains(reason), "{reason}: {}", page.body);
    let told = link.told(owner).await;
    assert_eq!((&told["status"], &told["reason"]), (&json!("failed"), &json!(reason)), "{told}");
    house.unchanged(&before).await;
}

#[tokio::test]
async fn s1_p6_nobody_is_asked_to_try_what_nobody_could_sign_in_by() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let unfinished = json!({
            "organization_id": "org-a", "type": "oidc", "issuer": house.idp_b.issuer, "client_id": "behalf",
        });
        let made = operator.post("/connections", unfinished).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let path = format!("/connections/{}", made.json()["id"].as_str().unwrap());
        let before = house.before().await;
        let refused = operator.post(&format!("{path}/tests"), json!({})).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["code"]),
            (409, &json!("connection_incomplete")),
            "{}",
            refused.body
        );
        assert!(refused.json()["detail"].as_str().unwrap().contains("secret"), "{}", refused.body);
        house.refused(&before, "connection_incomplete").await;
        assert_eq!(operator.patch(&path, json!({"client_secret": house.idp_b.secret})).await.status, 200);
        assert_eq!(operator.post(&format!("{path}/tests"), json!({})).await.status, 201);
        // The same of what takes the place of something live: its secret is not told to another provider.
        let live = format!("/connections/{}", house.connection("ca").await);
        let moved = operator.patch(&live, json!({"issuer": house.idp_b.issuer})).await;
        assert_eq!(moved.status, 200, "{}", moved.body);
        let refused = operator.post(&format!("{live}/tests"), json!({})).await;
        assert_eq!(refused.json()["code"], json!("connection_incomplete"), "{}", refused.body);
        let version = operator.get(&live).await.json()["version"].clone();
        assert_eq!(operator.post(&format!("{live}/tests"), json!({"version": version})).await.status, 201);
    }
}
