//! C26, H26, M21: an answer reaches the application's own address, in the way that it may ask for, and is nobody else's.

use behalf::protocol::jose::{Algorithm, JwkSet, Jws, Typ};
use serde_json::{Map, Value, json};

use crate::house::application::{Application, Arrival, Ask, Person};
use crate::house::broker::{House, Plan};
use crate::house::form::Form;
use crate::house::visitor::{Answer, Visitor};

const URIS: &str = "redirect_uris = [\"https://rp1.test/callback\"]";

fn plan(more: &str) -> Plan {
    Plan::default().with(URIS, &format!("{URIS}\n{more}"))
}

/// The form that leads to the application, and nowhere else.
fn posted(answer: &Answer) -> Form {
    assert_eq!((answer.status.as_u16(), answer.location()), (200, None), "{}", answer.body);
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https://rp1.test;"), "{policy}");
    assert!(policy.contains("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.body.contains("<button"), "for who runs no scripts: {}", answer.body);
    let forms = answer.forms();
    let [form] = forms.as_slice() else { panic!("{}", answer.body) };
    assert_eq!((form.method.as_str(), form.action.as_str()), ("post", "https://rp1.test/callback"));
    form.clone()
}

/// The claims of a signed answer, which is for this application alone.
async fn opened(house: &House, response: &str) -> Map<String, Value> {
    let keys = Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await;
    let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
    let jws = Jws::parse(response).unwrap();
    let all = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
    let payload = jws.verify_bytes(&keys, &all, Typ::Jwt).unwrap();
    let claims: Map<String, Value> = serde_json::from_slice(payload.get()).unwrap();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(house.url), &json!("rp1")));
    let left = claims["exp"].as_i64().unwrap() - house.clock.now().seconds();
    assert!((1..=600).contains(&left), "{left}");
    claims
}

fn fragment(arrival: &Arrival) -> Vec<(String, String)> {
    let to = arrival.answer.location().unwrap_or_else(|| panic!("{}", arrival.told()));
    assert_eq!(to.query(), None);
    form_urlencoded::parse(to.fragment().unwrap().as_bytes()).into_owned().collect()
}

fn value(pairs: &[(String, String)], name: &str) -> String {
    pairs.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}: {pairs:?}")).1.clone()
}

async fn redeems(ask: &Ask, code: &str) -> Value {
    let answer = ask.redemption(code).send().await;
    ask.reads(&answer).await.id
}

#[tokio::test]
async fn s2_24_a_code_and_an_error_are_posted_to_the_application() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks().with("response_mode", "form_post");
    let mut ann = Person::new("ann@a.test");
    let form = posted(&ann.follows(&ask).await.answer);
    assert_eq!((form.value("state"), form.value("iss")), (ask.value("state"), Some(house.url.as_str())));
    assert_eq!(redeems(&ask, form.value("code").unwrap()).await["email"], json!("ann@a.test"));
    let silent = ask.clone().with("prompt", "none");
    let form = posted(&Person::new("x").follows(&silent).await.answer);
    assert_eq!((form.value("error"), form.value("code")), (Some("login_required"), None));
    assert_eq!((form.value("state"), form.value("iss")), (ask.value("state"), Some(house.url.as_str())));
    let wrong = ask.clone().with("scope", "");
    let form = posted(&Person::new("x").follows(&wrong).await.answer);
    assert_eq!(form.value("error"), Some("invalid_scope"));
    // Whoever gives up on the page is sent back in the same way.
    let mut con = Person::new("con@a.test");
    let page = con.browser.get(&ask.url()).await;
    let cancelled = con.browser.submit(&page.form_with_button("cancel")).await;
    assert_eq!(posted(&cancelled).value("error"), Some("access_denied"));
}

#[tokio::test]
async fn h26_no_state_writes_anything_into_the_page_that_posts_it() {
    let house = House::opens().await;
    for state in [
        "\"><script>alert(1)</script>",
        "' onfocus='alert(1)' autofocus='",
        "</form><form action=https://evil.test/ method=post>",
        "&quot;><img src=x onerror=alert(1)>",
        "\u{2028}<!--",
        "{{ page.action }}{% raw %}",
        "\r\nSet-Cookie: x=y\r\n\r\n<b>",
        "\u{202e}\u{0}a",
    ] {
        let ask = Application::rp1(&house).asks().with("response_mode", "form_post").with("state", state);
        let answer = Visitor::arrives().get(&ask.clone().with("prompt", "none").url()).await;
        if state.contains('\0') {
            assert_eq!((answer.status.as_u16(), answer.location()), (400, None));
            continue;
        }
        let form = posted(&answer);
        // What is no character of a state (RFC 6749, appendix A.5), and could mislead whoever reads a page, stands on none.
        let printable = |c: &char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{202e}');
        let told: String = state.chars().filter(printable).collect();
        assert_eq!(form.value("state"), Some(told.as_str()));
        assert_eq!(form.fields.len(), 4, "{:?}", form.fields);
        assert_eq!(answer.body.matches("<script").count(), 1, "ours alone: {}", answer.body);
        assert!(!answer.body.contains("<img src=x") && !answer.body.contains("<b>"), "{}", answer.body);
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[tokio::test]
async fn m21_a_signed_answer_says_whose_it_is_for_whom_and_until_when() {
    for algorithm in ["RS256", "EdDSA"] {
        let modes = "response_modes = [\"query\", \"query.jwt\", \"fragment.jwt\", \"form_post.jwt\"]";
        let house = plan(&format!("{modes}\nsigning_algorithm = \"{algorithm}\"")).build().await;
        let mut ann = Person::new("ann@a.test");
        for mode in ["jwt", "query.jwt", "fragment.jwt", "form_post.jwt"] {
            let ask = Application::rp1(&house).asks().with("response_mode", mode);
            for ask in [ask.clone(), ask.with("max_age", "x")] {
                let arrival = ann.follows(&ask).await;
                let response = match mode {
                    "form_post.jwt" => {
                        let form = posted(&arrival.answer);
                        assert_eq!(form.fields.len(), 1, "{:?}", form.fields);
                        form.value("response").unwrap().to_owned()
                    }
                    "fragment.jwt" => {
                        let pairs = fragment(&arrival);
                        assert_eq!(pairs.len(), 1, "{pairs:?}");
                        value(&pairs, "response")
                    }
                    _ => {
                        let to = arrival.answer.location().unwrap();
                        assert_eq!(to.query_pairs().count(), 1, "nothing beside it: {to}");
                        arrival.told_application("response").unwrap()
                    }
                };
                let claims = opened(&house, &response).await;
                assert_eq!(claims["state"].as_str(), ask.value("state"));
                match ask.value("max_age") {
                    None => {
                        redeems(&ask, claims["code"].as_str().unwrap()).await;
                    }
                    Some(_) => assert_eq!(claims["error"], json!("invalid_request"), "{claims:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn m21_a_signed_answer_is_signed_by_what_the_application_has_chosen_for_it() {
    let house = plan("authorization_signed_response_alg = \"ES256\"").build().await;
    let ask = Application::rp1(&house).asks().with("response_mode", "jwt");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    let response = arrival.told_application("response").unwrap();
    assert_eq!(Jws::parse(&response).unwrap().algorithm(), Algorithm::ES256);
    let claims = opened(&house, &response).await;
    let answer = ask.redemption(claims["code"].as_str().unwrap()).send().await;
    let tokens = ask.reads(&answer).await;
    assert_eq!(tokens.algorithm, Algorithm::RS256, "its tokens are as they were");
    let text = house.file.replace("\"ES256\"", "\"HS256\"");
    assert!(house.tries(&text).await.unwrap_err().contains("HS256"));
}

#[tokio::test]
async fn m05_a_signed_answer_is_no_token_and_no_proof_of_anybody() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("response_mode", "query.jwt");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    let response = arrival.told_application("response").unwrap();
    let before = house.before().await;
    assert_eq!(rp1.userinfo(&response).await.status, 401);
    let told = rp1.posts("/introspect", &[("token", &response)]).send().await.json();
    assert_eq!(told, json!({ "active": false }));
    let hinted = rp1.asks().with("id_token_hint", &response);
    assert_eq!(Person::new("ann@a.test").follows(&hinted).await.error().0, "invalid_request");
    assert_eq!(rp1.refreshes(&response).send().await.status, 400);
    assert_eq!(ask.redemption(&response).send().await.status, 400);
    house.unchanged(&before).await;
    let claims = opened(&house, &response).await;
    for of_a_person in ["sub", "nonce", "sid", "auth_time"] {
        assert!(!claims.contains_key(of_a_person), "{of_a_person}");
    }
}

#[tokio::test]
async fn c26_nobody_chooses_a_way_that_the_application_does_not_have() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    for mode in ["fragment", "fragment.jwt", "web_message", "FORM_POST", "query jwt"] {
        let before = house.before().await;
        let arrival = Person::new("ann@a.test").follows(&ask.clone().with("response_mode", mode)).await;
        assert_eq!(arrival.error().0, "invalid_request", "{mode}");
        assert_eq!(arrival.answer.location().unwrap().fragment(), None);
        house.refused(&before, "invalid_request").await;
    }
    // One that has it gets it, errors too.
    let house = plan("response_modes = [\"query\", \"fragment\"]").build().await;
    let ask = Application::rp1(&house).asks().with("response_mode", "fragment");
    let pairs = fragment(&Person::new("ann@a.test").follows(&ask).await);
    assert_eq!(Some(value(&pairs, "state").as_str()), ask.value("state"));
    assert_eq!(value(&pairs, "iss"), house.url);
    redeems(&ask, &value(&pairs, "code")).await;
    let pairs = fragment(&Person::new("x").follows(&ask.clone().with("prompt", "none")).await);
    assert_eq!(value(&pairs, "error"), "login_required");
    // One that believes signed answers alone is never sent another, whatever the request says.
    let house = plan("response_modes = [\"query.jwt\"]").build().await;
    let ask = Application::rp1(&house).asks();
    for ask in [
        ask.clone(),
        ask.clone().with("response_mode", "query"),
        ask.clone().with("response_mode", "form_post"),
    ] {
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        assert_eq!(arrival.answer.location().unwrap().query_pairs().count(), 1, "{}", arrival.told());
        let claims = opened(&house, &arrival.told_application("response").unwrap()).await;
        assert_eq!(claims["error"], json!("invalid_request"));
    }
}

#[tokio::test]
async fn c26_a_form_is_posted_to_the_web_alone() {
    let native = "[application.phone]\ntype = \"native\"\nredirect_uris = [\"com.phone.test:/callback\"]\n";
    let house = Plan::default().and(native).build().await;
    let mut phone = Application::new(&house, "phone", crate::house::application::Proof::Nothing);
    phone.redirect_uri = "com.phone.test:/callback".into();
    let before = house.before().await;
    let arrival = Person::new("ann@a.test").follows(&phone.asks().with("response_mode", "form_post")).await;
    assert_eq!(arrival.error().0, "invalid_request");
    house.refused(&before, "invalid_request").await;
}
