//! The document, and the table that it is made of.

use std::collections::BTreeSet;
use std::path::Path;

use behalf::manage::api::routes::ROUTES;
use behalf::manage::authority::Need;
use behalf::manage::refused::Code;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::broker::House;
use crate::house::browser::Browser;
use crate::house::visitor::Visitor;

#[tokio::test]
async fn s1_r00_every_route_is_in_the_document_with_its_refusals() {
    let house = House::opens().await;
    let document = Visitor::arrives().get(&format!("{}/api/v1/openapi.json", house.url)).await;
    assert_eq!(document.header("content-type"), Some("application/json"));
    let etag = document.header("etag").unwrap();
    let known = |ask: reqwest::RequestBuilder| ask.header("if-none-match", etag);
    let url = format!("{}/api/v1/openapi.json", house.url);
    let same = Visitor::arrives().request(reqwest::Method::GET, &url, known).await;
    assert_eq!((same.status.as_u16(), same.body.as_str()), (304, ""));
    let document = document.json();
    assert_eq!(document["openapi"], json!("3.1.0"));
    assert_eq!(document["servers"][0]["url"], json!(format!("{}/api/v1", house.url)));
    let mut names = BTreeSet::new();
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(operation["operationId"], json!(route.name));
        assert!(names.insert(route.name), "{} is there twice", route.name);
        let known = route.need != Need::Public;
        let everywhere = ["400", "413", "414", "415", "421", "429", "431", "500", "503"];
        for status in everywhere.into_iter().chain(known.then_some("401")) {
            assert!(operation["responses"][status].is_object(), "{}: {status}", route.name);
        }
        assert!(operation["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{}", route.name);
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let says = |header: &str| answer["headers"][header].is_object();
            assert!(says("X-Request-Id"), "{}: {status}", route.name);
            assert_eq!(says("Retry-After"), matches!(status.as_str(), "429" | "503"), "{}", route.name);
            let steps_up = answer.to_string().contains("reauthentication_required");
            assert_eq!(says("WWW-Authenticate"), status == "401" || steps_up, "{}: {status}", route.name);
        }
    }
    let other_method = &document["components"]["responses"]["MethodNotAllowed"];
    assert!(other_method["headers"]["Allow"].is_object(), "{other_method}");
    // Whatever is referred to is there.
    let text = document.to_string();
    for name in text.split("\"#/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(&format!("/{name}")).is_some_and(Value::is_object), "{name}");
    }
    // A name that is numbered is another one's as soon as a route comes before it.
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let numbered: Vec<_> =
        schemas.keys().filter(|name| name.ends_with(|end: char| end.is_numeric())).collect();
    assert_eq!(numbered, [""; 0]);
    for (path, tag) in [
        ("/organizations/{organization_id}/domains/{domain_id}/confirm", "domains"),
        ("/organizations/{organization_id}/restore", "organizations"),
        ("/me/sessions", "me"),
    ] {
        let operations = document["paths"][path].as_object().unwrap();
        assert!(operations.values().all(|operation| operation["tags"] == json!([tag])), "{path}");
    }
    let create = &document["components"]["schemas"]["CreateOrganization"];
    assert_eq!(create["additionalProperties"], json!(false));
}

/// An operation that nobody mounts would be code that nobody can call.
#[test]
fn every_operation_that_is_written_is_in_the_table() {
    let mut written = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manage")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(path).unwrap();
                written += text.lines().filter(|line| line.starts_with("impl Operation for ")).count();
            }
        }
    }
    assert_eq!(written, ROUTES.len());
}

#[tokio::test]
async fn below_the_api_nobody_is_shown_a_page() {
    let house = House::opens().await;
    for (method, path, status, code) in [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v2/organizations", 404, "not_found"),
        ("DELETE", "/api/v1/organizations", 405, "method_not_allowed"),
    ] {
        let mut browser = Visitor::arrives();
        let url = format!("{}{path}", house.url);
        let answer =
            browser.request(method.parse().unwrap(), &url, |ask| ask.header("accept", "text/html")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["code"], json!(code));
    }
    let nobody = Api::with(&house, None).await;
    assert_eq!(nobody.get("/organizations").await.status, 401);
}

#[tokio::test]
async fn s1_r00_what_comes_to_no_operation_is_told_like_any_other_refusal() {
    let house = House::opens().await;
    let long = format!("/api/v1/organizations?cursor={}", "x".repeat(9_000));
    for (method, path, host, code) in [
        ("GET", "/api/v1/nothing", None, Code::NotFound),
        ("GET", "/p/other/api/v1/nothing", None, Code::NotFound),
        ("DELETE", "/api/v1/organizations", None, Code::MethodNotAllowed),
        ("GET", long.as_str(), None, Code::UriTooLong),
        ("GET", "/api/v1/organizations", Some("evil.test"), Code::MisdirectedRequest),
    ] {
        let url = format!("{}{path}", house.url);
        let dress = |ask: reqwest::RequestBuilder| match host {
            Some(host) => ask.header("host", host),
            None => ask,
        };
        let answer = Visitor::arrives().request(method.parse().unwrap(), &url, dress).await;
        let (below, _) = path.split_once("/api/v1/").unwrap();
        let told = answer.json();
        assert_eq!(answer.status.as_u16(), code.status(), "{path}");
        let expected = json!({
            "type": format!("{}{below}/api/v1/problems#{}", house.url, code.word()),
            "title": code.title(),
            "status": code.status(),
            "code": code.word(),
            "detail": told["detail"],
            "request_id": answer.header("x-request-id"),
        });
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn s1_r00_the_document_and_every_code_have_a_page_for_people() {
    let house = House::opens().await;
    let mut browser = Visitor::arrives();
    let docs = browser.get(&format!("{}/api/v1/docs", house.url)).await;
    assert_eq!((docs.status.as_u16(), docs.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = docs.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{policy}");
    for route in ROUTES {
        assert!(docs.body.contains(&format!("id=\"{}\"", route.name)), "{}", route.name);
    }
    let document = browser.get(&format!("{}/api/v1/openapi.json", house.url)).await.json();
    assert_eq!(document["externalDocs"]["url"], json!(format!("{}/api/v1/docs", house.url)));
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(docs.body.contains(&format!("id=\"shape-{name}\"")), "{name}");
    }
    // No link on it leads nowhere.
    for name in docs.body.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(docs.body.contains(&format!("id=\"{name}\"")), "{name}");
    }
    // What a refusal calls its type is explained there.
    let nobody = Api::with(&house, None).await;
    let refused = nobody.get("/organizations").await.json();
    let kind = refused["type"].as_str().unwrap();
    let (page, code) = kind.split_once('#').unwrap();
    let problems = browser.get(page).await;
    assert_eq!(problems.status, 200, "{page}");
    assert!(problems.body.contains(&format!("id=\"{code}\"")), "{kind}");
    for code in Code::ALL {
        let (title, status) = (code.title().replace('\'', "&#x27;"), code.status());
        assert!(problems.body.contains(&format!("id=\"{}\"", code.word())), "{}", code.word());
        assert!(problems.body.contains(&format!("{status} · {title}")), "{status} · {title}");
    }
}

#[tokio::test]
async fn s1_r00_the_pages_of_the_api_are_clean_for_screen_readers_and_fit_a_phone() {
    let house = House::opens().await;
    for (language, dark, phone) in [("en", false, false), ("de", true, true), ("en", true, false)] {
        let browser = Browser::default().speaking(language);
        let browser = if dark { browser.dark() } else { browser };
        let person = if phone { browser.phone() } else { browser }.open().await;
        for path in ["docs", "problems"] {
            person.opens(&format!("{}/api/v1/{path}", house.url)).await;
            person
                .evaluates(
                    "document.querySelectorAll('details').forEach((one, n) => one.open = n < 6)",
                    vec![],
                )
                .await;
            let found = person.axe().await;
            assert!(found.is_empty(), "{path} in {language}, dark: {dark}, phone: {phone}: {found:?}");
            let wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
            assert_eq!(person.evaluates(wide, vec![]).await, json!(true), "{path}: nothing is cut off");
        }
    }
}
