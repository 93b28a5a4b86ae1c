//! M06: somebody has found a token, a code or a proof of somebody else, and has not their key.

use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use behalf::model::api_key::{Holder, OperatorRole};
use behalf::protocol::jose::{Algorithm, SigningKey};

use crate::house::api::plant;
use crate::house::application::{Application, Ask, Person, Proof, Redemption, Tokens};
use crate::house::broker::{Before, Engine, House, Plan, RP1_SECRET};
use crate::house::device::{self, Device};
use crate::house::key_holder::{KeyHolder, ath, nonce, presents};
use crate::house::visitor::{Answer, Visitor};

/// Somebody's first tokens at an application, bound to a key.
async fn tokens(house: &House, application: &Application, holder: &KeyHolder) -> (Ask, Tokens) {
    let ask = application.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let answer = holder.sends(house, &ask.redemption(&arrival.code())).await;
    assert_eq!(answer.json()["token_type"], json!("DPoP"), "{}", answer.body);
    let tokens = ask.reads(&answer).await;
    assert_eq!(tokens.access["cnf"], json!({ "jkt": holder.jkt() }));
    assert!(tokens.id.get("cnf").is_none());
    (ask, tokens)
}

/// A token request that would be good but for its proofs, which are refused; nothing is used up.
async fn is_refused(house: &House, redemption: &Redemption, proofs: &[&str], what: &str) {
    let before = house.before().await;
    let good = redemption.clone();
    let answer = proofs.iter().fold(good, |request, proof| request.and_header("dpop", proof)).send().await;
    assert_eq!(answer.status, 400, "{what}: {}", answer.body);
    assert_eq!(answer.json()["error"], json!("invalid_dpop_proof"), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    house.refused(&before, "invalid_dpop_proof").await;
}

/// The same at UserInfo.
async fn is_shut(house: &House, answer: &Answer, before: &Before, error: &str, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.body);
    assert_eq!(answer.json()["error"], json!(error), "{what}");
    assert!(answer.header("www-authenticate").unwrap().contains(error), "{what}: {answer:?}");
    house.refused(before, error).await;
}

#[tokio::test]
async fn m06_a_proof_that_is_none_is_refused_and_uses_nothing_up() {
    let house = House::opens().await;
    let (rp2, holder, other) = (Application::rp2(&house), KeyHolder::default(), KeyHolder::default());
    let ask = rp2.asks().with("organization", "org-a");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let redemption = ask.redemption(&arrival.code());
    let uri = format!("{}/token", house.url);
    let now = house.clock.now().seconds();
    let claims = holder.claims(&house, "POST", &uri).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        holder.sign(&holder.header(), &claims)
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        holder.sign(&holder.header(), &claims)
    };
    let headed = |name: &str, value: Value| {
        let mut header = holder.header();
        header[name] = value;
        holder.sign(&header, &claims)
    };
    let keyed = |name: &str, value: Value| {
        let mut header = holder.header();
        header["jwk"][name] = value;
        holder.sign(&header, &claims)
    };
    let good = holder.sign(&holder.header(), &claims);
    let rsa = SigningKey::generate(Algorithm::RS256, "k").unwrap();
    let mut huge = vec![0xff_u8; 1024];
    huge[0] = 0x80;
    let huge = json!({ "kty": "RSA", "e": "AQAB", "n": data_encoding::BASE64URL_NOPAD.encode(&huge) });
    let weak = json!({ "kty": "RSA", "e": "AQAB", "n": data_encoding::BASE64URL_NOPAD.encode(&[0xff; 128]) });
    let oct = json!({ "kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" });
    let parts: Vec<_> = good.split('.').collect();
    for (what, proof) in [
        ("another method", with("htm", json!("GET"))),
        ("the method in small letters", with("htm", json!("post"))),
        ("no method", without("htm")),
        ("another address", with("htu", json!(format!("{}/userinfo", house.url)))),
        ("another host", with("htu", json!("https://evil.test/token"))),
        ("another project", with("htu", json!(format!("{}/p/default/token", house.url)))),
        ("no address", without("htu")),
        ("made too long ago", with("iat", json!(now - 61))),
        ("made in the future", with("iat", json!(now + 61))),
        ("made in milliseconds", with("iat", json!(now * 1_000))),
        ("made at no time", without("iat")),
        ("made at a text", with("iat", json!(now.to_string()))),
        ("without a name", without("jti")),
        ("with an empty name", with("jti", json!(""))),
        ("with a long name", with("jti", json!("j".repeat(257)))),
        ("with a name that is a number", with("jti", json!(7))),
        ("with a nonce that is a number", with("nonce", json!(7))),
        ("of another type", headed("typ", json!("JWT"))),
        ("of no type", headed("typ", json!(""))),
        ("an access token's type", headed("typ", json!("at+jwt"))),
        ("unsigned", headed("alg", json!("none"))),
        ("signed by a secret", headed("alg", json!("HS256"))),
        ("signed by what is not for proofs", headed("alg", json!("RS512"))),
        ("of another algorithm than its key", headed("alg", json!("ES384"))),
        ("that demands an extension", headed("crit", json!(["x"]))),
        ("with a private key", keyed("d", json!("c2VjcmV0"))),
        ("with a secret beside it", keyed("k", json!("c2VjcmV0"))),
        ("with a key for encryption", keyed("use", json!("enc"))),
        ("with a key off its curve", keyed("y", holder.jwk()["x"].clone())),
        ("with another's key", headed("jwk", other.jwk())),
        ("with a symmetric key", headed("jwk", oct)),
        ("with a weak key", headed("jwk", weak)),
        ("with a huge key", {
            let mut header = holder.header();
            (header["jwk"], header["alg"]) = (huge, json!("RS256"));
            holder.sign(&header, &claims)
        }),
        ("with a key that is a text", headed("jwk", json!("key"))),
        ("without a key", headed("jwk", Value::Null)),
        ("with a key by address alone", {
            let mut header = json!({ "typ": "dpop+jwt", "alg": "ES256" });
            header["jku"] = json!("https://evil.test/jwks");
            holder.sign(&header, &claims)
        }),
        ("signed by us, as a token", rsa.sign_jwt("dpop+jwt", &claims).unwrap()),
        ("without a signature", format!("{}.{}.", parts[0], parts[1])),
        ("of five parts", format!("{good}.x.y")),
        ("two in one", format!("{good},{good}")),
        ("empty", String::new()),
        ("too long", with("x", json!("x".repeat(4_096)))),
    ] {
        is_refused(&house, &redemption, &[&proof], what).await;
    }
    is_refused(&house, &redemption, &[&good, &good], "two of them").await;
    // What was tried with is as good as ever, in any spelling of the address.
    let spelled = with("htu", json!(format!("{}/./token?x#y", house.url.replace("http:", "HTTP:"))));
    let answer = redemption.clone().and_header("dpop", &spelled).send().await;
    assert_eq!(ask.reads(&answer).await.access["cnf"]["jkt"], json!(holder.jkt()));
}

#[tokio::test]
async fn m06_a_nonce_is_ours_and_new_on_whichever_node() {
    let house = House::opens().await;
    house.provision(SECOND).await;
    let node = house.second_node().await;
    let (rp1, holder) = (Application::rp1(&house), KeyHolder::default());
    let (ask, first) = tokens(&house, &rp1, &holder).await;
    let uri = format!("{}/token", house.url);
    let proof = async |nonce: Option<&str>| {
        let mut claims = holder.claims(&house, "POST", &uri).await;
        match nonce {
            Some(nonce) => claims["nonce"] = json!(nonce),
            None => drop(claims.as_object_mut().unwrap().remove("nonce")),
        }
        holder.sign(&holder.header(), &claims)
    };
    let old = nonce(&house).await;
    let refreshes = rp1.refreshes(first.refresh());
    // A node that has never been asked before knows what the other one has handed out.
    let answer = refreshes.clone().at(&node.url()).and_header("dpop", &proof(Some(&old)).await).send().await;
    let tokens = ask.reads_again(&answer).await;
    assert!(answer.header("dpop-nonce").is_some(), "the next one comes with each answer");
    let refreshes = rp1.refreshes(tokens.refresh());
    house.turn_clock(240);
    let other = house.broker.keyring.nonce(
        house.text("SELECT id FROM projects WHERE slug = 'second'").await.unwrap().parse().unwrap(),
        house.clock.now(),
    );
    let ahead = house.broker.keyring.nonce(
        house.text("SELECT id FROM projects WHERE slug = 'default'").await.unwrap().parse().unwrap(),
        house.clock.now().plus(std::time::Duration::from_secs(240)),
    );
    let mut changed = nonce(&house).await.into_bytes();
    changed[20] ^= 1;
    let changed = String::from_utf8(changed).unwrap();
    let still = refreshes.clone().and_header("dpop", &proof(Some(&old)).await).send().await;
    let tokens = ask.reads_again(&still).await;
    house.turn_clock(60);
    for (what, nonce) in [
        ("none", None),
        ("one of five minutes ago", Some(old.as_str())),
        ("another project's", Some(other.as_str())),
        ("one of the future", Some(ahead.as_str())),
        ("a changed one", Some(changed.as_str())),
        ("a guessed one", Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("a short one", Some("AAAA")),
        ("garbage", Some("!")),
    ] {
        let before = house.before().await;
        let redemption = rp1.refreshes(tokens.refresh()).and_header("dpop", &proof(nonce).await);
        let answer = redemption.send().await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.body);
        assert_eq!(answer.json()["error"], json!("use_dpop_nonce"), "{what}");
        assert!(answer.header("dpop-nonce").is_some_and(|new| Some(new) != nonce), "{what}");
        // It is how whoever comes first learns one: no fault, and nothing to write down.
        house.unchanged(&before).await;
        assert!(house.events_since(&before).await.is_empty(), "{what}");
    }
    let answer = holder.sends(&house, &rp1.refreshes(tokens.refresh())).await;
    ask.reads_again(&answer).await;
}

#[tokio::test]
async fn m06_a_proof_is_good_once_on_every_node() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut house = House::on(engine).await;
        let node = house.second_node().await;
        let (rp1, holder, other) = (Application::rp1(&house), KeyHolder::default(), KeyHolder::default());
        let (_, first) = tokens(&house, &rp1, &holder).await;
        let token = &first.access_token;
        let proof = holder.proof_of(&house, "GET", "/userinfo", token).await;
        let bound = format!("DPoP {token}");
        // Twenty at once: one of them is the first.
        let shown = [proof.as_str()];
        let all = join_all((0..20).map(|_| presents(&house, &bound, &shown))).await;
        let good = all.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(good, 1, "{engine:?}");
        assert!(all.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 401)));
        let before = house.before().await;
        let again = presents(&house, &bound, &[&proof]).await;
        is_shut(&house, &again, &before, "invalid_dpop_proof", "again").await;
        // At the other node, and after a restart that has forgotten all that was not to be lost.
        let before = house.before().await;
        let url = format!("{}/userinfo", node.url());
        let host = house.url.replace("http://", "");
        let mut visitor = Visitor::arrives();
        let elsewhere = visitor.request(Method::GET, &url, |request| {
            request.header("host", host).header("authorization", &bound).header("dpop", &proof)
        });
        is_shut(&house, &elsewhere.await, &before, "invalid_dpop_proof", "elsewhere").await;
        house.restart().await;
        let before = house.before().await;
        let again = presents(&house, &bound, &[&proof]).await;
        is_shut(&house, &again, &before, "invalid_dpop_proof", "after a restart").await;

        // The same name with another key, and with the same key at another address, is another proof.
        let mut claims = holder.claims(&house, "POST", &format!("{}/token", house.url)).await;
        claims["jti"] = json!("the same");
        let sends = async |holder: &KeyHolder, claims: &Value| {
            let proof = holder.sign(&holder.header(), claims);
            rp1.refreshes("rt").and_header("dpop", &proof).send().await.json()["error"].clone()
        };
        assert_eq!(sends(&holder, &claims).await, json!("invalid_grant"));
        assert_eq!(sends(&holder, &claims).await, json!("invalid_dpop_proof"));
        assert_eq!(sends(&other, &claims).await, json!("invalid_grant"));
        claims["htm"] = json!("GET");
        claims["htu"] = json!(format!("{}/userinfo", house.url));
        claims["ath"] = json!(ath(token));
        let proof = holder.sign(&holder.header(), &claims);
        assert_eq!(presents(&house, &bound, &[&proof]).await.status, 200);
    }
}

#[tokio::test]
async fn m06_a_bound_token_opens_nothing_without_its_key() {
    let house = House::opens().await;
    let (rp1, holder, thief) = (Application::rp1(&house), KeyHolder::default(), KeyHolder::default());
    let (_, bound) = tokens(&house, &rp1, &holder).await;
    let (_, others) = tokens(&house, &rp1, &holder).await;
    let token = &bound.access_token;
    let answer = holder.userinfo(&house, token).await;
    assert_eq!((answer.status.as_u16(), answer.json()["sub"].clone()), (200, bound.id["sub"].clone()));
    assert!(answer.header("dpop-nonce").is_some());

    let before = house.before().await;
    let as_bearer = rp1.userinfo(token).await;
    let challenges: Vec<_> = as_bearer.headers.get_all("www-authenticate").iter().collect();
    assert!(challenges[1].to_str().unwrap().starts_with("DPoP algs=\"ES256 "), "{challenges:?}");
    is_shut(&house, &as_bearer, &before, "invalid_token", "as a bearer token").await;

    let uri = format!("{}/userinfo", house.url);
    let claims = holder.claims(&house, "GET", &uri).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims["ath"] = json!(ath(token));
        claims[name] = value;
        holder.sign(&holder.header(), &claims)
    };
    let by_thief = thief.proof_of(&house, "GET", "/userinfo", token).await;
    let good = holder.proof_of(&house, "GET", "/userinfo", token).await;
    for (what, error, proofs) in [
        ("without a proof", "invalid_dpop_proof", vec![]),
        ("with two", "invalid_dpop_proof", vec![good.clone(), good.clone()]),
        ("without the token's hash", "invalid_dpop_proof", vec![holder.sign(&holder.header(), &claims)]),
        ("of another token", "invalid_dpop_proof", vec![with("ath", json!(ath(&others.access_token)))]),
        ("by another method", "invalid_dpop_proof", vec![with("htm", json!("POST"))]),
        (
            "at another address",
            "invalid_dpop_proof",
            vec![with("htu", json!(format!("{}/token", house.url)))],
        ),
        ("by the thief's own key", "invalid_token", vec![by_thief]),
    ] {
        let before = house.before().await;
        let proofs: Vec<_> = proofs.iter().map(String::as_str).collect();
        let answer = presents(&house, &format!("DPoP {token}"), &proofs).await;
        assert!(answer.header("www-authenticate").unwrap().starts_with("DPoP error="), "{what}");
        is_shut(&house, &answer, &before, error, what).await;
    }
    // Who proves without a nonce is given one, and no more.
    let before = house.before().await;
    let mut first = claims.clone();
    first.as_object_mut().unwrap().remove("nonce");
    first["ath"] = json!(ath(token));
    let proof = holder.sign(&holder.header(), &first);
    let answer = presents(&house, &format!("DPoP {token}"), &[&proof]).await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (401, json!("use_dpop_nonce")));
    assert!(answer.header("www-authenticate").unwrap().starts_with("DPoP error=\"use_dpop_nonce\""));
    assert!(answer.header("dpop-nonce").is_some());
    house.unchanged(&before).await;

    // A token that is bound to nothing is none to show with a proof.
    let ask = rp1.asks().with("organization", "org-a");
    let plain = ask.redeems(&Person::new("con@a.test").follows(&ask).await).await;
    assert!(plain.access.get("cnf").is_none());
    let before = house.before().await;
    let answer = holder.userinfo(&house, &plain.access_token).await;
    is_shut(&house, &answer, &before, "invalid_token", "an unbound token with a proof").await;
    assert_eq!(presents(&house, &format!("DPoP {}", plain.access_token), &[]).await.status, 401);
    assert_eq!(rp1.userinfo(&plain.access_token).await.status, 200);
}

#[tokio::test]
async fn m06_h21_whoever_refreshes_without_the_key_ends_the_family() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let (rp2, holder, thief) = (Application::rp2(&house), KeyHolder::default(), KeyHolder::default());
        // Every generation is bound, and so is what somebody switches to.
        let (ask, first) = tokens(&house, &rp2, &holder).await;
        let second = ask.reads_again(&holder.sends(&house, &rp2.refreshes(first.refresh())).await).await;
        assert_eq!(second.access["cnf"]["jkt"], json!(holder.jkt()));
        let switch = rp2.refreshes(second.refresh()).with("organization", "org-b");
        let switched = ask.reads_again(&holder.sends(&house, &switch).await).await;
        assert_eq!(switched.access["cnf"]["jkt"], json!(holder.jkt()));
        for with_a_key in [true, false] {
            let (_, own) = tokens(&house, &rp2, &holder).await;
            let switch = rp2.refreshes(own.refresh()).with("organization", "org-b");
            let other = ask.reads_again(&holder.sends(&house, &switch).await).await;
            let before = house.events_of("token.refresh_reused").await;
            let theft = rp2.refreshes(other.refresh());
            let answer = if with_a_key { thief.sends(&house, &theft).await } else { theft.send().await };
            assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body);
            // It was never used: what is missing is the proof.
            let told = answer.json()["error_description"].as_str().unwrap().to_owned();
            assert!(told.contains("not proved") && !told.contains("used before"), "{told}");
            assert_eq!(house.events_of("token.refresh_reused").await, before + 1);
            for dead in [&own, &other] {
                assert_eq!(holder.userinfo(&house, &dead.access_token).await.status, 401);
                let answer = holder.sends(&house, &rp2.refreshes(dead.refresh())).await;
                assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body);
            }
        }
        // Others are as they were.
        assert_eq!(holder.userinfo(&house, &switched.access_token).await.status, 200);
        // A confidential application is known by its own proof: it may take another key.
        let rp1 = Application::rp1(&house);
        let (ask, first) = tokens(&house, &rp1, &holder).await;
        let second = ask.reads_again(&thief.sends(&house, &rp1.refreshes(first.refresh())).await).await;
        assert_eq!(second.access["cnf"]["jkt"], json!(thief.jkt()));
        let third = ask.reads_again(&rp1.refreshes(second.refresh()).send().await).await;
        assert!(third.access.get("cnf").is_none());
        // A public one that begins to prove a key keeps to it.
        let ask = rp2.asks().with("organization", "org-a");
        let plain = ask.redeems(&Person::new("con@a.test").follows(&ask).await).await;
        let bound = ask.reads_again(&holder.sends(&house, &rp2.refreshes(plain.refresh())).await).await;
        let answer = rp2.refreshes(bound.refresh()).send().await;
        assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body);
    }
}

#[tokio::test]
async fn m06_h22_a_code_is_for_the_key_that_the_request_named() {
    let house = House::opens().await;
    let (rp1, holder, thief) = (Application::rp1(&house), KeyHolder::default(), KeyHolder::default());
    let ask = rp1.asks().with("organization", "org-a").with("dpop_jkt", &holder.jkt());
    let code = Person::new("con@a.test").follows(&ask).await.code();
    let tokens = ask.reads(&holder.sends(&house, &ask.redemption(&code)).await).await;
    assert_eq!(tokens.access["cnf"]["jkt"], json!(holder.jkt()));
    for with_a_key in [true, false] {
        let code = Person::new("con@a.test").follows(&ask).await.code();
        let redemption = ask.redemption(&code);
        let answer =
            if with_a_key { thief.sends(&house, &redemption).await } else { redemption.send().await };
        assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body);
        // It is burnt.
        let answer = holder.sends(&house, &redemption).await;
        assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body);
    }
    for wrong in ["x", "", &format!("{}=", holder.jkt()), &holder.jkt()[1..]] {
        let ask = rp1.asks().with("dpop_jkt", wrong);
        let arrival = Person::new("con@a.test").follows(&ask).await;
        if wrong.is_empty() {
            // A parameter without a value counts as absent (RFC 6749, section 3.1).
            continue;
        }
        assert_eq!(arrival.error().0, "invalid_request", "{wrong}");
    }
}

#[tokio::test]
async fn m06_an_application_may_have_no_tokens_but_bound_ones() {
    let plan =
        Plan::default().with("[application.rp1]\n", "[application.rp1]\ndpop_bound_access_tokens = true\n");
    let house = plan.build().await;
    let (rp1, holder) = (Application::rp1(&house), KeyHolder::default());
    let (ask, first) = tokens(&house, &rp1, &holder).await;
    is_refused(&house, &rp1.refreshes(first.refresh()), &[], "a refresh without a proof").await;
    let arrival = Person::new("con@a.test").follows(&ask).await;
    is_refused(&house, &ask.redemption(&arrival.code()), &[], "a code without a proof").await;
    let answer = holder.sends(&house, &ask.redemption(&arrival.code())).await;
    ask.reads(&answer).await;
    // Whoever introspects is told, and nothing else tells of a token that it is bound.
    let told = rp1.posts("/introspect", &[("token", &first.access_token)]).send().await.json();
    assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("DPoP")), "{told}");
    assert_eq!(told["cnf"], json!({ "jkt": holder.jkt() }));
    let told = rp1.posts("/introspect", &[("token", first.refresh())]).send().await.json();
    assert_eq!((&told["active"], told.get("cnf")), (&json!(true), None), "{told}");
    // Giving back needs no proof: whoever finds a token may end it.
    let answer = rp1.posts("/revoke", &[("token", first.refresh())]).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(holder.userinfo(&house, &first.access_token).await.status, 401);
}

#[tokio::test]
async fn m06_when_nothing_can_be_remembered_no_proof_is_good() {
    let house = House::opens().await;
    let (rp1, holder) = (Application::rp1(&house), KeyHolder::default());
    let (_, bound) = tokens(&house, &rp1, &holder).await;
    house.execute("ALTER TABLE used RENAME TO lost").await;
    assert_eq!(holder.userinfo(&house, &bound.access_token).await.status, 500);
    let answer = holder.sends(&house, &rp1.refreshes(bound.refresh())).await;
    assert_eq!(answer.status, 500, "{}", answer.body);
    house.execute("ALTER TABLE lost RENAME TO used").await;
    assert_eq!(holder.userinfo(&house, &bound.access_token).await.status, 200);
}

#[tokio::test]
async fn m06_the_api_takes_a_bound_token_from_its_holder_alone() {
    let house = House::opens().await;
    let (start, path) = ("[application.rp1]\n", "/api/v1/session");
    let audience = format!("audiences = [\"{}/api/v1\"]\n", house.url);
    house.provision(&house.file.replace(start, &format!("{start}{audience}"))).await;
    let (rp1, holder, thief) = (Application::rp1(&house), KeyHolder::default(), KeyHolder::default());
    let (_, bound) = tokens(&house, &rp1, &holder).await;
    let token = &bound.access_token;
    let url = format!("{}{path}", house.url);
    let calls = async |authorization: &str, proofs: &[&str]| {
        let dress = |request: RequestBuilder| {
            let request = request.header("authorization", authorization);
            proofs.iter().fold(request, |request, proof| request.header("dpop", *proof))
        };
        Visitor::arrives().request(Method::GET, &url, dress).await
    };
    let good = holder.proof_of(&house, "GET", path, token).await;
    let answer = calls(&format!("DPoP {token}"), &[&good]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.header("dpop-nonce").is_some());

    let at_userinfo = holder.proof_of(&house, "GET", "/userinfo", token).await;
    let by_thief = thief.proof_of(&house, "GET", path, token).await;
    let fresh = holder.proof_of(&house, "GET", path, token).await;
    let (not_valid, not_proved) = ("unauthenticated", "invalid_dpop_proof");
    for (what, scheme, proofs, code) in [
        ("as a bearer token", "Bearer", vec![], not_valid),
        ("as a bearer token with a proof", "Bearer", vec![fresh.as_str()], not_valid),
        ("without a proof", "DPoP", vec![], not_proved),
        ("with a proof that was used", "DPoP", vec![good.as_str()], not_proved),
        ("with one for another address", "DPoP", vec![at_userinfo.as_str()], not_proved),
        ("with the thief's own", "DPoP", vec![by_thief.as_str()], not_valid),
        ("with two", "DPoP", vec![fresh.as_str(), fresh.as_str()], not_proved),
    ] {
        let before = house.before().await;
        let answer = calls(&format!("{scheme} {token}"), &proofs).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
        assert_eq!(answer.json()["code"], json!(code), "{what}");
        // What was wrong, under the scheme that was used (RFC 6750, section 3; RFC 9449, section 7.1).
        let all = answer.headers.get_all("www-authenticate").iter();
        let challenges: Vec<_> = all.map(|challenge| challenge.to_str().unwrap()).collect();
        let begin: &[&str] = match (scheme, code) {
            ("Bearer", _) => &["Bearer realm=\"api\", error=\"invalid_token\"", "DPoP algs="],
            (_, "unauthenticated") => &["Bearer realm=\"api\"", "DPoP error=\"invalid_token\""],
            _ => &["DPoP error=\"invalid_dpop_proof\""],
        };
        assert_eq!(challenges.len(), begin.len(), "{what}: {challenges:?}");
        let fits = challenges.iter().zip(begin).all(|(told, begin)| told.starts_with(begin));
        assert!(fits, "{what}: {challenges:?}");
        house.unchanged(&before).await;
    }
    let mut claims = holder.claims(&house, "GET", &url).await;
    claims["ath"] = json!(ath(token));
    claims["nonce"] = json!("none of ours");
    let answer = calls(&format!("DPoP {token}"), &[&holder.sign(&holder.header(), &claims)]).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (401, json!("use_dpop_nonce")));
    assert!(answer.header("www-authenticate").unwrap().starts_with("DPoP error=\"use_dpop_nonce\""));
    claims["nonce"] = json!(answer.header("dpop-nonce").unwrap());
    let answer = calls(&format!("DPoP {token}"), &[&holder.sign(&holder.header(), &claims)]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // A key of the API is bound to nothing, and no proof makes it so.
    let key = plant(&house, "default", Holder::Operator(OperatorRole::System)).await;
    let proof = holder.proof_of(&house, "GET", path, &key).await;
    assert_eq!(calls(&format!("DPoP {key}"), &[&proof]).await.json()["code"], json!("unauthenticated"));
}

#[tokio::test]
async fn m06_c22_whoever_switches_by_a_bound_token_gets_one_that_is_bound_to_the_same_key() {
    let house = House::opens().await;
    let (start, path) = ("[application.rp1]\n", "/api/v1/organizations/switch");
    let audience = format!("audiences = [\"{}/api/v1\"]\n", house.url);
    house.provision(&house.file.replace(start, &format!("{start}{audience}"))).await;
    let (rp1, holder, thief) = (Application::rp1(&house), KeyHolder::default(), KeyHolder::default());
    let (_, bound) = tokens(&house, &rp1, &holder).await;
    let token = &bound.access_token;
    let calls = async |method: Method, path: &str, authorization: &str, proof: Option<&str>| {
        let dress = |request: RequestBuilder| {
            let request =
                request.header("authorization", authorization).header("content-type", "application/json");
            let request = proof.into_iter().fold(request, |request, proof| request.header("dpop", proof));
            if path.ends_with("/switch") {
                request.body(json!({"organization_id": "org-b"}).to_string())
            } else {
                request
            }
        };
        Visitor::arrives().request(method, &format!("{}{path}", house.url), dress).await
    };
    let by_thief = thief.proof_of(&house, "POST", path, token).await;
    let to_read = holder.proof_of(&house, "GET", path, token).await;
    let good = holder.proof_of(&house, "POST", path, token).await;
    for (what, scheme, proof) in [
        ("as a bearer token", "Bearer", None),
        ("without a proof", "DPoP", None),
        ("with the thief's own", "DPoP", Some(&by_thief)),
        ("with one for another method", "DPoP", Some(&to_read)),
    ] {
        let before = house.before().await;
        let answer = calls(Method::POST, path, &format!("{scheme} {token}"), proof.map(String::as_str)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json().get("token")),
            (401, None),
            "{what}: {}",
            answer.body
        );
        house.unchanged(&before).await;
    }
    let switched = calls(Method::POST, path, &format!("DPoP {token}"), Some(&good)).await;
    assert_eq!(switched.status, 200, "{}", switched.body);
    assert_eq!(switched.json()["token"]["token_type"], json!("DPoP"), "{}", switched.body);
    let next = switched.json()["token"]["access_token"].as_str().unwrap().to_owned();
    let session = "/api/v1/session";
    let proof = holder.proof_of(&house, "GET", session, &next).await;
    let read = calls(Method::GET, session, &format!("DPoP {next}"), Some(&proof)).await;
    assert_eq!(read.status, 200, "{}", read.body);
    let claims = next.split('.').nth(1).unwrap();
    let claims = data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["cnf"]["jkt"], &claims["org_name"]), (&json!(holder.jkt()), &json!("org-b")));
    let by_thief = thief.proof_of(&house, "GET", session, &next).await;
    for (scheme, proof) in [("Bearer", None), ("DPoP", None), ("DPoP", Some(by_thief.as_str()))] {
        assert_eq!(
            calls(Method::GET, session, &format!("{scheme} {next}"), proof).await.status,
            401,
            "{scheme}"
        );
    }
}

#[tokio::test]
async fn m06_a_machine_gets_bound_tokens_too() {
    let house = Plan::default().and(MACHINE).build().await;
    let machine = Application::new(&house, "batch", Proof::Basic(RP1_SECRET.to_owned()));
    let holder = KeyHolder::default();
    let asks = machine.posts("/token", &[("grant_type", "client_credentials")]);
    let before = house.before().await;
    assert_eq!(asks.send().await.json()["error"], json!("invalid_dpop_proof"));
    house.refused(&before, "invalid_dpop_proof").await;
    let answer = holder.sends(&house, &asks).await;
    assert_eq!((answer.status.as_u16(), answer.json()["token_type"].clone()), (200, json!("DPoP")));
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let told = machine.posts("/introspect", &[("token", &token)]).send().await.json();
    assert_eq!((&told["token_type"], &told["cnf"]["jkt"]), (&json!("DPoP"), &json!(holder.jkt())), "{told}");
}

/// A machine that gets no tokens but bound ones.
const MACHINE: &str = r#"
[application.batch]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]
dpop_bound_access_tokens = true
"#;

/// Another project in the same house.
const SECOND: &str = r#"
[project]
slug = "second"
display_name = "Second"
"#;

#[tokio::test]
async fn m06_a_pushed_request_is_for_the_key_that_is_proved_with_it() {
    let house = House::opens().await;
    let (rp2, holder, other) = (Application::rp2(&house), KeyHolder::default(), KeyHolder::default());
    let ask = rp2.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let mut first = holder.claims(&house, "POST", &format!("{}/par", house.url)).await;
    first.as_object_mut().unwrap().remove("nonce");
    let first = holder.sign(&holder.header(), &first);
    let before = house.before().await;
    let answer = ask.pushes().and_header("dpop", &first).send().await;
    assert_eq!(answer.json()["error"], json!("use_dpop_nonce"), "{}", answer.body);
    assert!(answer.status == 400 && answer.header("dpop-nonce").is_some());
    house.unchanged(&before).await;
    assert!(house.events_since(&before).await.is_empty(), "it is how whoever comes first learns one");
    // Another key than the one that is proved, and a proof that is for the token endpoint.
    let named = ask.clone().with("dpop_jkt", &other.jkt());
    is_refused(&house, &named.pushes(), &[&holder.proof_at(&house, "/par").await], "another key").await;
    is_refused(&house, &ask.pushes(), &[&holder.proof(&house).await], "another door").await;

    let pushed = async |ask: &Ask, by: &KeyHolder| {
        let proof = by.proof_at(&house, "/par").await;
        let answer = ask.pushes().and_header("dpop", &proof).send().await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert!(answer.header("dpop-nonce").is_some());
        // Nobody pushes anything by the same proof again.
        is_refused(&house, &ask.pushes(), &[&proof], "again").await;
        let url = ask.only("request_uri", answer.json()["request_uri"].as_str().unwrap());
        let arrival = Person::new("con@a.test").opens(ask, &url).await;
        ask.redemption(&arrival.code())
    };
    let redemption = pushed(&ask, &holder).await;
    let answer = redemption.send().await;
    assert_eq!(answer.json()["error"], json!("invalid_grant"), "without the key: {}", answer.body);
    let redemption = pushed(&ask, &holder).await;
    let answer = other.sends(&house, &redemption).await;
    assert_eq!(answer.json()["error"], json!("invalid_grant"), "with another key: {}", answer.body);
    for ask in [ask.clone(), ask.with("dpop_jkt", &holder.jkt())] {
        let redemption = pushed(&ask, &holder).await;
        let tokens = ask.reads(&holder.sends(&house, &redemption).await).await;
        assert_eq!(tokens.access["cnf"], json!({ "jkt": holder.jkt() }));
    }
}

#[tokio::test]
async fn m06_h23_a_device_that_proves_a_key_gets_tokens_for_that_key_alone() {
    let house = device::plan(Plan::default()).build().await;
    let (tv, holder) = (Device::television(&house), KeyHolder::default());
    let device = Device::asks(&tv, &[("scope", "openid")]).await;
    Person::new("ann@a.test").lets_in(&device, "A Corporation").await;
    let answer = holder.sends(&house, &device.polls()).await;
    assert_eq!(answer.json()["token_type"], json!("DPoP"), "{}", answer.body);
    let tokens = device.ask().reads_again(&answer).await;
    assert_eq!(tokens.access["cnf"], json!({ "jkt": holder.jkt() }));
    assert_eq!(holder.userinfo(&house, &tokens.access_token).await.status, 200);
    let found = presents(&house, &format!("Bearer {}", tokens.access_token), &[]).await;
    assert_eq!(found.status, 401, "{}", found.body);
    // It cannot prove who it is, so its refresh tokens are for the same key.
    let answer = holder.sends(&house, &tv.refreshes(tokens.refresh())).await;
    let tokens = device.ask().reads_again(&answer).await;
    let answer = tv.refreshes(tokens.refresh()).send().await;
    assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body);
}
