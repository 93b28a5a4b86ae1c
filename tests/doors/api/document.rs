//! The document, and the table that it is made of.

use std::collections::BTreeSet;
use std::path::Path;

use behalf::manage::api::routes::ROUTES;
use behalf::manage::authority::Need;
use serde_json::json;

use crate::house::api::Api;
use crate::house::broker::House;
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
        let is_public = route.need == Need::Public;
        for status in
            ["400", "401", "429", "500", "503"].into_iter().filter(|code| !is_public || *code != "401")
        {
            assert!(operation["responses"][status].is_object(), "{}: {status}", route.name);
        }
    }
    // Whatever is referred to is there.
    let text = document.to_string();
    for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    let create = &document["components"]["schemas"]["CreateOrganization"];
    assert_eq!(create["additionalProperties"], json!(false));
}

/// An operation that nobody mounts would be code that nobody can call.
#[test]
fn every_operation_that_is_written_is_in_the_table() {
    let mut written = 0;
    let manage = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manage");
    for room in std::fs::read_dir(manage).unwrap() {
        let text = std::fs::read_to_string(room.unwrap().path().join("api.rs")).unwrap_or_default();
        written += text.matches("impl Operation for ").count();
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
