//! M01 and M02: the login page says what a domain leads to, and nothing about people or customers.

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::visitor::Answer;
use behalf::login::resolve::pages::TRIES_A_MINUTE;

/// An answer with everything masked that is new each time: ids, tokens, the address itself.
fn masked(answer: &Answer, typed: &str) -> String {
    let mut text = format!("{}\n", answer.status);
    for (name, value) in &answer.headers {
        if !["date", "x-request-id", "set-cookie", "location", "content-length"].contains(&name.as_str()) {
            text += &format!("{name}: {}\n", value.to_str().unwrap());
        }
    }
    if let Some(mut to) = answer.location() {
        let fresh = ["state", "nonce", "code_challenge", "login_hint"];
        let pairs: Vec<_> = to.query_pairs().into_owned().collect();
        let mask = |name: &str, value: String| if fresh.contains(&name) { "*".to_owned() } else { value };
        to.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(|(name, value)| {
            let value = mask(&name, value);
            (name, value)
        }));
        text += to.as_str();
    }
    let mut body = answer.body.replace(typed, "*");
    for form in answer.forms() {
        if let Some(csrf) = form.value("csrf") {
            body = body.replace(csrf, "*");
        }
        body = body.replace(form.action.path().split('/').nth(2).unwrap_or("-"), "*");
    }
    if let Some(id) = answer.header("x-request-id") {
        body = body.replace(id, "*");
    }
    text + &body
}

async fn types(house: &House, address: &str) -> Answer {
    let mut person = Person::new("");
    let page = person.browser.get(&Application::rp1(house).asks().url()).await;
    person.browser.submit(&page.form_with("email").with("email", address)).await
}

async fn hints(house: &House, address: &str) -> Answer {
    let ask = Application::rp1(house).asks().with("login_hint", address);
    Person::new("").browser.get(&ask.url()).await
}

#[tokio::test]
async fn m01_known_and_unknown_people_of_a_domain_are_answered_alike() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    Person::new("ann@a.test").follows(&ask).await.code();
    Person::new("dis@a.test").follows(&ask).await.code();
    house.execute("UPDATE users SET disabled_at = 1 WHERE email = 'dis@a.test'").await;
    let typed = masked(&types(&house, "ann@a.test").await, "ann@a.test");
    let hinted = masked(&hints(&house, "ann@a.test").await, "ann@a.test");
    assert!(typed.contains("/authorize?") && hinted.contains("/authorize?"), "{typed} {hinted}");
    // Unknown, disabled, and expected but not come yet.
    for address in ["nobody@a.test", "dis@a.test", "con@a.test"] {
        assert_eq!(masked(&types(&house, address).await, address), typed, "{address}");
        assert_eq!(masked(&hints(&house, address).await, address), hinted, "{address}");
    }
}

#[tokio::test]
async fn m01_the_id_of_a_user_is_answered_alike_whether_there_is_one_and_whosever_they_are() {
    let house = House::opens().await;
    for email in ["ann@a.test", "bob@b.test"] {
        Person::new(email).follows(&Application::rp1(&house).asks()).await.code();
    }
    let known = [house.user("ann@a.test").await, house.user("bob@b.test").await];
    let nobody = "user_00000000000000000000000007";
    for (name, value) in
        [("prompt", "login"), ("prompt", "none"), ("organization", "org-a"), ("organization", "org-c")]
    {
        let asks = async |id: &str| {
            let ask = Application::rp1(&house).asks().with("login_hint", id).with(name, value);
            masked(&Person::new("").browser.get(&ask.url()).await, id)
        };
        let unknown = asks(nobody).await;
        for id in &known {
            assert_eq!(asks(id).await, unknown, "{name}={value}");
        }
    }
    let unknown = masked(&hints(&house, nobody).await, nobody);
    assert!(unknown.contains("name=\"email\""), "{unknown}");
    for id in &known {
        assert_eq!(masked(&hints(&house, id).await, id), unknown);
    }
}

#[tokio::test]
async fn m01_domains_that_lead_nowhere_are_answered_alike_whoever_claims_them() {
    let mut plan = Plan::default().and(
        r#"
[[domain]]
name = "pending.test"
organization = "org-a"
connections = ["ca"]
use_for_routing = true
trust_email = true

[[domain]]
name = "switched-off.test"
organization = "org-a"
connections = ["ca"]

[[domain]]
name = "alone.test"
organization = "org-c"
trust_email = true

[[domain]]
name = "lapsed.test"
organization = "org-a"
connections = ["ca"]
use_for_routing = true
trust_email = true

[[domain]]
name = "drafted.test"
organization = "org-c"
connections = ["draft"]
use_for_routing = true
trust_email = true

[connection.draft]
organization = "org-c"
type = "oidc"
display_name = "A draft of C's"
state = "draft"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }
"#,
    );
    plan.unproved.push("pending.test");
    let house = plan.build().await;
    house.execute("UPDATE domains SET state = 'lapsed' WHERE name = 'lapsed.test'").await;
    // Its connections were taken away once it was routed.
    house.execute("UPDATE domains SET routing_since = 1 WHERE name = 'alone.test'").await;
    house.execute("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-b'").await;
    let before = house.before().await;
    let unknown = masked(&types(&house, "x@unknown.test").await, "x@unknown.test");
    let hinted = masked(&hints(&house, "x@unknown.test").await, "x@unknown.test");
    assert!(unknown.starts_with("422") && hinted.starts_with("200"), "{unknown} {hinted}");
    for domain in [
        "pending.test",
        "switched-off.test",
        "alone.test",
        "lapsed.test",
        "drafted.test",
        "dev.a.test",
        "b.test",
    ] {
        let address = format!("x@{domain}");
        assert_eq!(masked(&types(&house, &address).await, &address), unknown, "{domain}");
        assert_eq!(masked(&hints(&house, &address).await, &address), hinted, "{domain}");
    }
    house.unchanged(&before).await;
    // Whoever typed one is written down alike, too.
    let events = house.events_since(&before).await;
    let reasons: Vec<_> = events.iter().map(|event| event.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("no_identity_provider"); 8]);
    let before = house.before().await;
    assert_eq!(types(&house, "nonsense").await.status, 422);
    house.refused(&before, "email_invalid").await;
}

#[tokio::test]
async fn m01_what_is_picked_and_not_offered_is_told_alike_whether_there_is_such_a_connection() {
    let house = House::opens().await;
    let (ca, cb) = (house.connection("ca").await, house.connection("cb").await);
    house.execute("UPDATE connections SET state = 'disabled' WHERE slug = 'cb'").await;
    let before = house.before().await;
    let picks = async |id: &str| {
        let mut person = Person::new("");
        let page = person.browser.get(&Application::rp1(&house).asks().url()).await;
        let answer = person.browser.submit(&page.form_with("email").with("connection", id)).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "{id}: {}", answer.body);
        // Nobody has typed an address, and there is a way on.
        assert!(answer.body.contains("This sign-in is not offered here"), "{id}: {}", answer.body);
        assert!(!answer.body.contains("email address"), "{id}: {}", answer.body);
        answer.form_with_button("another_account");
        masked(&answer, id)
    };
    let unknown = picks("conn_00000000000000000000000000").await;
    for id in [ca.as_str(), cb.as_str(), "nonsense"] {
        assert_eq!(picks(id).await, unknown, "{id}");
    }
    house.unchanged(&before).await;
    let events = house.events_since(&before).await;
    let reasons: Vec<_> = events.iter().map(|event| event.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("connection_not_offered"); 4]);
}

#[tokio::test]
async fn m02_before_the_sign_in_no_page_names_a_customer() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let b = house.organization("org-b").await;
    for ask in [
        ask.clone(),
        ask.clone().with("organization", "org-b"),
        ask.clone().with("organization", &b),
        ask.clone().with("organization", "nobody"),
        ask.clone().with("connection", "nobody"),
        ask.with("domain_hint", "nobody.test"),
    ] {
        let answer = Person::new("").browser.get(&ask.url()).await;
        for name in ["Corporation", "A Login", "B Login", "a.test", "b.test"] {
            assert!(!answer.body.contains(name), "{name}: {}", answer.body);
        }
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(!policy.contains(&house.idp_a.issuer) && !policy.contains(&house.idp_b.issuer), "{policy}");
    }
}

#[tokio::test]
async fn m02_a_network_may_try_so_many_addresses_a_minute() {
    let house = House::opens().await;
    let mut eve = Person::new("");
    let url = Application::rp1(&house).asks().url();
    let form = eve.browser.get(&url).await.form_with("email");
    for number in 0..TRIES_A_MINUTE {
        let address = format!("x@customer-{number}.test");
        assert_eq!(eve.browser.submit(&form.clone().with("email", &address)).await.status, 422);
    }
    for address in ["x@customer-more.test", "ann@a.test", "nonsense"] {
        let before = house.before().await;
        let answer = eve.browser.submit(&form.clone().with("email", address)).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (429, None), "{address}: {}", answer.body);
        assert_eq!(answer.header("retry-after"), Some("60"));
        assert!(answer.body.contains("Too many attempts"), "{}", answer.body);
        house.refused(&before, "too_many_requests").await;
    }
    // Another browser of that network, and whatever it says of where it comes from.
    let mut other = Person::new("");
    let of_other = other.browser.get(&url).await.form_with("email");
    let fields = of_other.with("email", "ann@a.test");
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields.fields).finish();
    let answer = other
        .browser
        .request(reqwest::Method::POST, fields.action.as_str(), |request| {
            let request = request.header("X-Forwarded-For", "203.0.113.7").header("X-Real-IP", "203.0.113.7");
            request.header("Content-Type", "application/x-www-form-urlencoded").body(body)
        })
        .await;
    assert_eq!(answer.status, 429);
    house.turn_clock(61);
    let answer = eve.browser.submit(&form.with("email", "ann@a.test")).await;
    assert!(answer.location().is_some(), "{}", answer.body);
}

/// What somebody is told who names an organization by its id and by a word beside it.
async fn told_of_both(house: &House, person: &mut Person, id: &str, slug: &str) -> (String, String) {
    let ask = Application::rp1(house).asks().with("organization_id", id).with("organization", slug);
    let arrival = person.follows(&ask).await;
    match arrival.told_application("code") {
        Some(_) => (String::new(), ask.redeems(&arrival).await.id["org_id"].as_str().unwrap().to_owned()),
        None => arrival.error(),
    }
}

#[tokio::test]
async fn m02_whoever_knows_an_organizations_id_does_not_learn_its_slug() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
    // Before the sign-in the words are not compared, in whichever way they are said.
    let both = |slug: &str| {
        [
            rp1.asks().with("organization_id", &a).with("organization", slug),
            rp1.asks().with("organization", &a).with("scope", &format!("openid organization:{slug}")),
        ]
    };
    for way in 0..2 {
        let mut seen = Vec::new();
        for slug in ["org-a", "org-b", "nowhere"] {
            let ask = &both(slug)[way];
            assert_eq!(ask.pushes().send().await.status, 201, "{slug}");
            seen.push(masked(&Person::new("").browser.get(&ask.url()).await, slug));
        }
        assert_eq!((&seen[0], &seen[0]), (&seen[1], &seen[2]));
        assert!(!seen[0].contains("invalid_request"), "{}", seen[0]);
    }
    // Two ids, and two words, are two organizations before anybody looks.
    let two = rp1.asks().with("organization", &a).with("organization_id", &b);
    let answer = Person::new("").browser.get(&two.url()).await;
    assert!(answer.location().unwrap().as_str().contains("error=invalid_request"), "{answer:?}");

    // After it, whoever may act for one of the two is told that they are not one; everybody else, what they would be told of
    // any organization.
    let (mut ann, mut bob) = (Person::new("ann@a.test"), Person::new("bob@b.test"));
    assert_eq!(told_of_both(&house, &mut ann, &a, "org-a").await, (String::new(), a.clone()));
    let differ = ("invalid_request".to_owned(), "different organizations are asked for".to_owned());
    for slug in ["org-b", "nowhere"] {
        assert_eq!(told_of_both(&house, &mut ann, &a, slug).await, differ, "{slug}");
    }
    assert_eq!(told_of_both(&house, &mut ann, &b, "org-a").await, differ);
    bob.follows(&rp1.asks()).await.code();
    let foreign = told_of_both(&house, &mut bob, &a, "org-a").await;
    assert_eq!(foreign.0, "access_denied");
    assert_eq!(told_of_both(&house, &mut bob, &a, "nowhere").await, foreign);

    // So it is at the token endpoint.
    let nobodys = "org_0000000000000000000000zzzz".to_owned();
    let tokens = rp1.asks().with("organization", "org-a");
    let tokens = tokens.redeems(&ann.follows(&tokens).await).await;
    for (id, slug, status, error) in [
        (&a, "nowhere", 400, "invalid_request"),
        (&a, "org-b", 400, "invalid_request"),
        (&b, "org-a", 400, "invalid_request"),
        (&nobodys, "org-a", 400, "invalid_request"),
        (&b, "org-b", 403, "access_denied"),
        (&b, "nowhere", 403, "access_denied"),
        (&nobodys, "org-b", 403, "access_denied"),
        (&a, "org-a", 200, ""),
    ] {
        let before = house.before().await;
        let asked = rp1.refreshes(tokens.refresh()).with("organization_id", id).with("organization", slug);
        let answer = asked.send().await;
        let told = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!((answer.status.as_u16(), told.as_str()), (status, error), "{id} {slug}: {}", answer.body);
        if status != 200 {
            house.unchanged(&before).await;
            let authorized = told_of_both(&house, &mut ann, id, slug).await;
            assert_eq!(authorized.0, error, "{id} {slug}: as at the authorization endpoint");
        }
    }
}
