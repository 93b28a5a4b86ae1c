//! The house introduces itself: browser, counterparts and database work before there is anything to test.

use serde_json::{Value, json};

use super::browser::{Browser, Key, Person};
use super::node::Node;
use super::postgres::Database;
use super::visitor::Visitor;

/// A company's identity provider that knows Ann, and an application that trusts it directly.
async fn company_and_application(method: &str, signing: &str) -> (Node, Node) {
    let application = json!({
        "client_id": "app",
        "client_secret": "a secret of at least 32 characters",
        "token_endpoint_auth_method": method,
        "id_token_signed_response_alg": signing,
        "scope": "openid email profile offline_access",
    });
    let mut application = Node::start("relying_party", application).await;
    let mut client = json!({
        "client_id": "app",
        "redirect_uris": [application.says("redirect_uri")],
        "post_logout_redirect_uris": [application.says("post_logout_redirect_uri")],
        "token_endpoint_auth_method": method,
        "id_token_signed_response_alg": signing,
        "grant_types": ["authorization_code", "refresh_token"],
    });
    match method {
        "private_key_jwt" => client["jwks"] = application.ready["jwks"].clone(),
        "none" => {}
        _ => client["client_secret"] = json!("a secret of at least 32 characters"),
    }
    let company = Node::start("upstream", json!({ "clients": [client], "accounts": [ann()] })).await;
    application.ask("broker", json!({ "issuer": company.says("issuer") })).await;
    (company, application)
}

fn ann() -> Value {
    json!({ "sub": "ann-1", "email": "ann@a.test", "name": "Ann", "amr": ["pwd", "mfa"], "acr": "high" })
}

#[tokio::test]
async fn the_browser_and_the_counterparts_understand_each_other() {
    let (_company, mut application) = company_and_application("client_secret_basic", "RS256").await;
    let ann = Person::arrives().await;
    ann.opens(&format!("{}/start?login_hint=ann@a.test", application.says("origin"))).await;
    ann.sees("Sign in to your company").await;
    assert_eq!(ann.reads("Username").await, "ann@a.test");
    ann.presses("Sign in").await;
    ann.sees("Signed in as ann@a.test").await;

    let result = application.ask("result", json!({})).await;
    let claims = &result["claims"];
    assert_eq!(claims["sub"], "ann-1");
    assert_eq!(claims["email_verified"], true);
    assert_eq!(claims["amr"], json!(["pwd", "mfa"]));
    assert_eq!(claims["acr"], "high");
    assert_eq!(result["userinfo"]["name"], "Ann");

    ann.opens(&format!("http://shop.a.test:{}/", application.ready["port"])).await;
    ann.sees("No such page").await;
}

#[tokio::test]
async fn the_application_authenticates_in_every_way_and_reads_every_signature() {
    for (method, signing) in [
        ("client_secret_post", "ES256"),
        ("private_key_jwt", "EdDSA"),
        ("none", "PS256"),
        ("client_secret_basic", "RS256"),
    ] {
        let (mut company, mut application) = company_and_application(method, signing).await;
        for keys in ["first", "rotated"] {
            let result = ann_signs_in_without_scripts(&mut application).await;
            assert_eq!(result["claims"]["email"], "ann@a.test", "{method}, {signing}, {keys} keys: {result}");
            company.ask("rotate", json!({ "keep": true })).await;
        }
    }
}

async fn ann_signs_in_without_scripts(application: &mut Node) -> Value {
    let mut ann = Visitor::arrives();
    let start = ann.get(&format!("{}/start", application.says("origin"))).await;
    let login = ann.follow(&start).await;
    let page = ann.follow(&login).await;
    let mut step = ann.submit(&page.form().with("username", "ann@a.test")).await;
    while step.location().is_some() {
        step = ann.follow(&step).await;
    }
    application.ask("result", json!({})).await
}

#[tokio::test]
async fn the_strict_client_redeems_and_the_person_may_give_up() {
    let redirect_uri = "http://127.0.0.1:9/callback";
    let client = json!({ "client_id": "strict", "client_secret": "another secret, long enough to be one",
        "redirect_uris": [redirect_uri], "id_token_signed_response_alg": "ES256" });
    let company = Node::start("upstream", json!({ "clients": [client], "accounts": [ann()] })).await;
    let settings = json!({ "issuer": company.says("issuer"), "client_id": "strict", "redirect_uri": redirect_uri,
        "client_secret": "another secret, long enough to be one", "alg": "ES256" });
    let mut strict = Node::start("oauth4webapi_client", settings).await;

    let callback = walk(&mut strict, redirect_uri, ("username", "ann@a.test")).await;
    let result = strict.ask("finish", json!({ "callback_url": callback })).await;
    assert_eq!(result["claims"]["email"], "ann@a.test");
    assert_eq!(result["access_token"], Value::Null, "this provider's access tokens are opaque");

    let callback = walk(&mut strict, redirect_uri, ("cancel", "yes")).await;
    let error = strict.try_ask("finish", json!({ "callback_url": callback })).await.unwrap_err();
    assert_eq!(error["error"], "access_denied");

    walk(&mut strict, redirect_uri, ("username", "ann@a.test")).await;
    let forged = format!("{redirect_uri}?code=x&state=forged&iss={}", company.says("issuer"));
    strict.try_ask("finish", json!({ "callback_url": forged })).await.unwrap_err();
}

/// Carries the strict client's request through the login page; returns the callback's address.
async fn walk(strict: &mut Node, redirect_uri: &str, (field, value): (&str, &str)) -> String {
    let mut person = Visitor::arrives();
    let begun = strict.ask("begin", json!({})).await;
    let login = person.get(begun["url"].as_str().unwrap()).await;
    let page = person.follow(&login).await;
    let mut step = person.submit(&page.form().with(field, value)).await;
    loop {
        let next = step.location().unwrap_or_else(|| panic!("no way back to the application: {step:?}"));
        if next.as_str().starts_with(redirect_uri) {
            return next.into();
        }
        step = person.follow(&step).await;
    }
}

#[tokio::test]
async fn the_browser_is_a_phone_speaks_german_prefers_the_dark_and_runs_no_scripts() {
    let page = "data:text/html,<!doctype html><html lang=de><title>t</title><meta name=viewport \
        content='width=device-width'><style>p{display:none}@media(prefers-color-scheme:dark){p{display:block}}\
        </style><h1>Hallo</h1><p>dunkel<noscript>, ohne Skripte</noscript>\
        <script>document.body.append('mit Skripten')</script>";
    let ann = Browser::default().phone().dark().speaking("de").without_scripts().open().await;
    for _ in ["first page", "second page"] {
        ann.opens(page).await;
        ann.sees("Hallo dunkel, ohne Skripte").await;
    }
    assert_eq!(
        ann.evaluates("return [navigator.language, window.innerWidth]", vec![]).await,
        json!(["de", 360])
    );
}

#[tokio::test]
async fn the_keyboard_reaches_what_the_mouse_does_and_axe_finds_what_is_wrong() {
    let page = "data:text/html,<!doctype html><html lang=en><title>t</title><main><h1>Page</h1>\
        <label>Work email <input></label><details><summary>More</summary>Arrived</details><img src='data:,'></main>";
    let ann = Browser::default().open().await;
    ann.opens(page).await;
    ann.types("Work email", "ann@a.test").await;
    assert_eq!(ann.reads("Work email").await, "ann@a.test");
    let found: Vec<String> = ann.axe().await.into_iter().map(|violation| violation.id).collect();
    assert_eq!(found, ["image-alt"]);

    assert_eq!(ann.focus().await, "Work email");
    ann.keys(&[Key::Tab]).await;
    assert_eq!(ann.focus().await, "More");
    ann.keys(&[Key::Enter]).await;
    ann.sees("Arrived").await;
    ann.presses("More").await;
    ann.does_not_see("Arrived").await;
    let picture = tempfile::NamedTempFile::new().unwrap();
    ann.screenshot(picture.path()).await;
    assert!(std::fs::read(picture.path()).unwrap().starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn a_database_is_empty_and_gone_afterwards() {
    let database = Database::empty().await;
    let url = database.url();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(client.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 0);
    drop(database);
    assert!(tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_err());
}
