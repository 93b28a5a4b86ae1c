//! M03: whoever cannot prove whose session it is signs nobody out, and sends nobody anywhere.

use behalf::protocol::jose::{Algorithm, SigningKey};
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{House, Plan};

const BACK: &str = "https://rp1.test/bye";

fn plan() -> Plan {
    Plan::default()
        .with(
            "redirect_uris = [\"https://rp1.test/callback\"]\n",
            "redirect_uris = [\"https://rp1.test/callback\"]\n\
             post_logout_redirect_uris = [\"https://rp1.test/bye\", \"http://127.0.0.1:7/bye\"]\n",
        )
        .with(
            "redirect_uris = [\"https://rp2.test/callback\"]\n",
            "redirect_uris = [\"https://rp2.test/callback\"]\n\
             post_logout_redirect_uris = [\"https://rp2.test/bye\"]\n",
        )
}

fn end_session(house: &House, params: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!("{}/logout?{query}", house.url)
}

async fn tokens(person: &mut Person, ask: &Ask) -> (String, String) {
    let code = person.follows(ask).await.code();
    let answer = ask.redemption(&code).send().await.json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("id_token"), text("access_token"))
}

/// The header and the claims of a token.
fn opened(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap());
    let mut read = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (read(), read())
}

fn encoded(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

fn hmac(secret: &[u8], header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}

#[tokio::test]
async fn m03_a_hint_that_is_no_id_token_of_ours_signs_nobody_out() {
    let house = plan().build().await;
    let rp1 = Application::rp1(&house);
    let (ask, mut ann) = (rp1.asks(), Person::new("ann@a.test"));
    let (id_token, access_token) = tokens(&mut ann, &ask).await;
    let (header, claims) = opened(&id_token);
    let kid = header["kid"].as_str().unwrap();
    let jwks = ann.browser.get(&format!("{}/jwks.json", house.url)).await.body;
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let stranger = SigningKey::generate(Algorithm::RS256, kid).unwrap();
    let other = SigningKey::generate(Algorithm::ES256, kid).unwrap();
    let keys = house.broker.keyring.of(house_project(&house).await).await.unwrap();
    let ours = keys.signing(Algorithm::RS256, house.broker.now()).unwrap();
    let signed = id_token.rsplit_once('.').unwrap().0;
    let forged = [
        ("a stranger's key of our name", stranger.sign_jwt("JWT", &claims).unwrap()),
        ("another algorithm under our name", other.sign_jwt("JWT", &claims).unwrap()),
        ("none", format!("{}.{}.", encoded(&json!({"alg": "none", "kid": kid})), encoded(&claims))),
        ("no signature", format!("{signed}.")),
        ("the public key as a secret", hmac(jwks.as_bytes(), &json!({"alg": "HS256", "kid": kid}), &claims)),
        ("the client's secret", hmac(b"rp1 has a secret", &json!({"alg": "HS256", "kid": kid}), &claims)),
        ("an access token", access_token),
        ("a logout token", ours.sign_jwt("logout+jwt", &claims).unwrap()),
        ("another issuer", ours.sign_jwt("JWT", &with("iss", json!("https://evil.test"))).unwrap()),
        ("two audiences", ours.sign_jwt("JWT", &with("aud", json!(["rp1", "rp2"]))).unwrap()),
        ("no audience", ours.sign_jwt("JWT", &with("aud", Value::Null)).unwrap()),
        ("no session", ours.sign_jwt("JWT", &with("sid", Value::Null)).unwrap()),
        ("no subject", ours.sign_jwt("JWT", &with("sub", json!(7))).unwrap()),
        ("nonsense", "x.y.z".to_owned()),
        ("an application that there is not", ours.sign_jwt("JWT", &with("aud", json!("rp9"))).unwrap()),
    ];
    for (what, hint) in forged {
        let before = house.before().await;
        let url = end_session(
            &house,
            &[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK), ("state", "s")],
        );
        let answer = ann.browser.get(&url).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.body);
        assert!(answer.location().is_none(), "{what}");
        assert!(answer.body.contains("logout\">Sign out"), "a way to sign out here: {}", answer.body);
        let reason = if what.starts_with("an application") { "unknown_application" } else { "id_token_hint" };
        house.refused(&before, reason).await;
    }
    // What was forged was well made otherwise.
    let fine = end_session(&house, &[("id_token_hint", &id_token), ("post_logout_redirect_uri", BACK)]);
    assert_eq!(ann.browser.get(&fine).await.header("location"), Some(BACK));
}

async fn house_project(house: &House) -> behalf::foundation::id::ProjectId {
    house.text("SELECT id FROM projects WHERE slug = 'default'").await.unwrap().parse().unwrap()
}

#[tokio::test]
async fn m03_h28_nobody_comes_back_to_where_the_application_has_not_registered() {
    let house = plan().build().await;
    let rp1 = Application::rp1(&house);
    let (ask, mut ann) = (rp1.asks(), Person::new("ann@a.test"));
    let (id_token, _) = tokens(&mut ann, &ask).await;
    let places = [
        "https://rp1.test/callback",
        "https://rp1.test/bye/",
        "https://rp1.test/bye?x=1",
        "https://rp1.test/bye#x",
        "https://RP1.test/bye",
        "https://rp1.test:443/bye",
        "https://rp1.test/./bye",
        "https://rp1.test/%62ye",
        "https://rp1.test/bye ",
        "https://rp2.test/bye",
        "http://127.0.0.1:8/bye",
        "http://rp1.test/bye",
        "https://rp1.test@evil.test/bye",
        "//rp1.test/bye",
        "/bye",
        "javascript:alert(1)",
    ];
    for place in places {
        for proof in [("id_token_hint", id_token.as_str()), ("client_id", "rp1")] {
            let before = house.before().await;
            let url = end_session(&house, &[proof, ("post_logout_redirect_uri", place)]);
            let answer = ann.browser.get(&url).await;
            assert_eq!(answer.status, 400, "{place}");
            assert!(answer.location().is_none() && answer.header("refresh").is_none(), "{place}");
            house.refused(&before, "post_logout_redirect_uri").await;
        }
    }
    for (params, reason) in [
        // Nobody knows whose address it is; another's name for the hint; an application that there is not.
        (vec![("post_logout_redirect_uri", BACK)], "post_logout_redirect_uri"),
        (vec![("id_token_hint", id_token.as_str()), ("client_id", "rp2")], "client_id_mismatch"),
        (vec![("client_id", "rp9"), ("post_logout_redirect_uri", BACK)], "unknown_application"),
        (vec![("client_id", "rp1"), ("client_id", "rp1")], "bad_request"),
        (vec![("client_id", "rp1"), ("state", "x"), ("state", "y")], "bad_request"),
    ] {
        let before = house.before().await;
        let answer = ann.browser.get(&end_session(&house, &params)).await;
        assert_eq!(answer.status, 400, "{params:?}");
        assert!(answer.location().is_none(), "{params:?}");
        house.refused(&before, reason).await;
    }
    // One that is not signed in is led nowhere else either.
    let mut nobody = Person::new("eve@c.test");
    let url = end_session(&house, &[("client_id", "rp1"), ("post_logout_redirect_uri", "https://evil.test")]);
    assert_eq!(nobody.browser.get(&url).await.status, 400);
}

#[tokio::test]
async fn m03_no_other_site_answers_for_the_person() {
    let house = plan().build().await;
    let rp1 = Application::rp1(&house);
    let (ask, mut ann, mut eve) = (rp1.asks(), Person::new("ann@a.test"), Person::new("bob@b.test"));
    tokens(&mut ann, &ask).await;
    tokens(&mut eve, &rp1.asks()).await;
    let url = format!("{}/logout", house.url);
    let page = ann.browser.get(&end_session(&house, &[("client_id", "rp1"), ("state", "s")])).await;
    let own = page.form().value("csrf").unwrap().to_owned();
    let eves = eve.browser.get(&url).await.form().value("csrf").unwrap().to_owned();
    assert_ne!(own, eves);
    for (csrf, wish) in [("", "yes"), (eves.as_str(), "yes"), (eves.as_str(), "everywhere"), ("x", "yes")] {
        let before = house.before().await;
        let form = page.form().with("csrf", csrf).with("sign_out", wish);
        let answer = ann.browser.submit(&form).await;
        assert_eq!(answer.status, 403, "{csrf} {wish}: {}", answer.body);
        house.refused(&before, "foreign_form").await;
    }
    // Even with the right one, from elsewhere.
    let before = house.before().await;
    let body = format!("csrf={own}&sign_out=yes");
    let answer = ann
        .browser
        .request(Method::POST, &url, |request| {
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "cross-site")
                .body(body)
        })
        .await;
    assert_eq!(answer.status, 403);
    house.refused(&before, "foreign_form").await;
}
