//! What `If-Match` means at every door that writes: it is minded, or refused, and never overlooked.

use std::collections::BTreeSet;

use behalf::manage::api::route::Route;
use behalf::manage::api::routes::ROUTES;
use behalf::manage::authority::Need;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::everyone::Ids;
use crate::house::api::Api;
use crate::house::broker::House;
use crate::house::visitor::{Answer, Visitor};

/// Writes below a thing with an `ETag` of which that `ETag` says nothing, and why.
const APART: [(&str, &str); 1] =
    [("end_connection_review", "what a provider says of itself moves, and no editor decided it")];

/// What the document says of all that can be done at a path.
struct Document(Value);

impl Document {
    fn at(&self, path: &str) -> &Value {
        &self.0["paths"][path]
    }

    fn has_etag(&self, path: &str) -> bool {
        self.at(path)["get"]["responses"]["200"]["headers"]["ETag"].is_object()
    }

    /// Whether a write is one to a thing that is read with an `ETag`: at its own path, or as a verb below it.
    fn is_of_a_thing(&self, route: &Route) -> bool {
        if self.at(route.path)["get"].is_object() {
            return self.has_etag(route.path);
        }
        route.path.rsplit_once('/').is_some_and(|(above, _)| self.has_etag(above))
    }

    fn names_if_match(&self, route: &Route) -> bool {
        let parameters = self.at(route.path)[route.method.as_str().to_lowercase()]["parameters"].clone();
        parameters.as_array().unwrap().iter().any(|parameter| parameter["name"] == json!("If-Match"))
    }
}

/// What would do it, if nothing had changed since: the query and the body.
fn asked(house: &House, route: &Route) -> (&'static str, Value) {
    let oidc = json!({
        "type": "oidc", "issuer": house.idp_a.issuer, "client_id": "behalf", "client_secret": "x".repeat(40),
    });
    match route.name {
        "delete_organization" => ("?confirm=org-a", Value::Null),
        "replace_organization" => ("", json!({"name": "x"})),
        "change_member_role" => ("", json!({"role": "member"})),
        "relink_person" => ("", json!({"identity_id": "x", "subject": "x"})),
        "replace_connection" | "put_sso_provider" => ("", oidc),
        "approve_delegation" | "pause_delegation" | "resume_delegation" | "revoke_delegation" => {
            ("", json!({"side": "home"}))
        }
        "patch_delegation" => ("", json!({"side": "home", "require_mfa": true})),
        "propose_delegation" => {
            ("", json!({"organization_id": "org-a", "target": "org-c", "roles": ["member"]}))
        }
        "replace_application" => {
            let uris = json!(["https://other.test/callback"]);
            ("", json!({"type": "web", "redirect_uris": uris}))
        }
        _ if route.kinds.is_empty() => ("", Value::Null),
        _ => ("", json!({})),
    }
}

async fn writes(api: &Api, route: &Route, path: &str, (asked, tag): (&(&str, Value), &str)) -> Answer {
    let (query, body) = asked;
    let dress = |request: RequestBuilder| {
        let request = request.header(IF_MATCH, tag);
        match body {
            Value::Null => request,
            body => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
        }
    };
    api.send(route.method.clone(), &format!("{path}{query}"), dress).await
}

#[tokio::test]
async fn s1_r00_if_match_is_minded_wherever_there_is_an_etag_and_refused_wherever_there_is_none() {
    let house = House::opens().await;
    let (operator, con) = (Api::operator(&house).await, Api::person(&house, "con@a.test", "org-a").await);
    Api::person(&house, "ann@a.test", "org-a").await;
    let ids = Ids::of(&house).await;
    let document = Visitor::arrives().get(&format!("{}/api/v1/openapi.json", house.url)).await;
    let document = Document(document.json());
    let mut apart: BTreeSet<_> = APART.iter().map(|(name, _)| *name).collect();
    let (mut minded, mut refused) = (0, 0);
    for route in ROUTES.iter().filter(|route| route.method != Method::GET) {
        let minds = document.names_if_match(route);
        let expected = document.is_of_a_thing(route) && !apart.remove(route.name);
        assert_eq!(minds, expected, "{} {}", route.method, route.path);
        let mut path = ids.in_path(route.path);
        if route.name == "restore_organization" {
            let made = operator.post("/organizations", json!({"slug": "gone"})).await;
            assert_eq!(made.status, 201, "{}", made.body);
            let gone = operator.send(Method::DELETE, "/organizations/gone?confirm=gone", |ask| ask).await;
            assert_eq!(gone.status, 202, "{}", gone.body);
            path = path.replace(&house.organization("org-a").await, made.json()["id"].as_str().unwrap());
        }
        let api = if matches!(route.need, Need::Person | Need::Account) { &con } else { &operator };
        let before = house.before().await;
        let answer = writes(api, route, &path, (&asked(&house, route), "\"of long ago\"")).await;
        let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
        let told = if minds { (412, "precondition_failed") } else { (400, "if_match_unexpected") };
        assert_eq!(
            (answer.status.as_u16(), &*code),
            told,
            "{} {}: {}",
            route.method,
            route.path,
            answer.body
        );
        house.refused(&before, told.1).await;
        if minds { minded += 1 } else { refused += 1 }
    }
    assert!(apart.is_empty(), "there is no {apart:?}");
    assert!(minded > 30 && refused > 20, "{minded} {refused}");
}

/// Who sends the `ETag` that they read is let change it, once.
#[tokio::test]
async fn s1_r00_of_two_who_have_read_the_same_one_changes_it() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    Api::person(&house, "con@a.test", "org-a").await;
    let ids = Ids::of(&house).await;
    for (read, name) in [
        ("/applications/{application_id}", "rotate_application_secret"),
        ("/delegations/{delegation_id}", "pause_delegation"),
        ("/delegations/{delegation_id}", "resume_delegation"),
        ("/organizations/{organization_id}/domains/{domain_id}", "confirm_domain"),
    ] {
        let route = ROUTES.iter().find(|route| route.name == name).unwrap();
        let tag = operator.get(&ids.in_path(read)).await.header("etag").unwrap().to_owned();
        let (path, asked) = (ids.in_path(route.path), asked(&house, route));
        let first = writes(&operator, route, &path, (&asked, &tag)).await;
        assert_ne!(first.status.as_u16(), 412, "{name}: {}", first.body);
        if first.header("etag") != Some(&tag) && first.status.is_success() {
            let before = house.before().await;
            assert_eq!(writes(&operator, route, &path, (&asked, &tag)).await.status.as_u16(), 412, "{name}");
            house.refused(&before, "precondition_failed").await;
        }
    }
    // Two at once.
    let path = format!("/applications/{}", ids.all()["application_id"]);
    let tag = operator.get(&path).await.header("etag").unwrap().to_owned();
    let route = ROUTES.iter().find(|route| route.name == "patch_application").unwrap();
    let names = ["One", "Other"].map(|name| ("", json!({"display_name": name})));
    let both = futures_util::future::join_all(
        names.iter().map(|asked| writes(&operator, route, &path, (asked, &tag))),
    );
    let mut told: Vec<_> = both.await.iter().map(|answer| answer.status.as_u16()).collect();
    told.sort_unstable();
    assert_eq!(told, [200, 412]);
}
