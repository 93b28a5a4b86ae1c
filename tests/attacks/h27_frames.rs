//! H27: no page of ours stands in another site's frame, and what works in one shows none.

use axum::Router;
use axum::extract::RawQuery;
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;

use super::h26_hostile_names::{pages, plan};
use crate::house::application::Application;
use crate::house::broker::House;
use crate::house::browser::Person;

#[tokio::test]
async fn h27_every_page_of_the_journey_forbids_to_be_framed() {
    let house = plan().build().await;
    let pages = pages(&house).await;
    let names: Vec<_> = pages.iter().map(|(name, _)| *name).collect();
    for needed in ["email", "problem", "chooser", "picker", "refused", "unknown", "sign out", "signed out"] {
        assert!(names.contains(&needed), "{needed}");
    }
    for (what, page) in pages {
        assert!(page.header("content-type").unwrap().starts_with("text/html"), "{what}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{what}");
        let policy = page.header("content-security-policy").unwrap();
        for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{what}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{what}: {policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{what}");
    }
}

/// Another site, which frames whatever its address names, and is an application as well.
async fn site() -> String {
    let frame = async |RawQuery(query): RawQuery| {
        let query = query.unwrap_or_default();
        let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "frame");
        let to = named.unwrap().1.replace('&', "&amp;");
        Html(format!("<!doctype html><title>A site</title><iframe src=\"{to}\"></iframe>"))
    };
    let back = async |RawQuery(query): RawQuery| format!("told: {}", query.unwrap_or_default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", get(frame)).route("/callback", get(back));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    origin
}

/// What the site's frame shows.
async fn framed(person: &Person, site: &str, url: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("frame", url).finish();
    person.opens(&format!("{site}/?{query}")).await;
    person.frame().await
}

async fn house(site: &str) -> House {
    plan().with("https://rp1.test/callback", &format!("{site}/callback")).build().await
}

#[tokio::test]
async fn h27_a_browser_shows_no_page_of_the_journey_in_a_frame() {
    let site = site().await;
    let house = house(&site).await;
    let mut rp1 = Application::rp1(&house);
    rp1.redirect_uri = format!("{site}/callback");
    let person = Person::arrives().await;
    let is_not_framed = async |what: &str, url: &str| {
        let shown = framed(&person, &site, url).await;
        for text in ["First App", "Work email", "A Login", "Corporation", "con@a.test", "Sign out"] {
            assert!(!shown.contains(text), "{what} is framed: {shown}");
        }
    };
    let silent = rp1.asks().with("prompt", "none").url();
    let shown = framed(&person, &site, &silent).await;
    assert!(shown.starts_with("told: error=login_required&"), "{shown}");

    let begin = rp1.asks().url();
    is_not_framed("the email page", &begin).await;
    person.opens(&begin).await;
    person.types("Work email", "con@two.test").await;
    person.presses("Continue").await;
    person.sees("A Login").await;
    let flow = person.url().await;
    is_not_framed("the chooser", flow.as_str().trim_end_matches("/identify")).await;
    person.opens(&rp1.asks().with("login_hint", "con@a.test").url()).await;
    person.sees("B Corporation").await;
    let flow = person.url().await;
    is_not_framed("the picker", flow.as_str()).await;
    is_not_framed("the sign-out page", &format!("{}/logout", house.url)).await;
    is_not_framed("an error", &rp1.asks().with("client_id", "nobody").url()).await;

    // Signed in, and asked for one organization: still nothing but redirects.
    let silent = rp1.asks().with("prompt", "none").with("organization", "org-a").url();
    let shown = framed(&person, &site, &silent).await;
    assert!(shown.starts_with("told: code="), "{shown}");
    let shown = framed(&person, &site, &rp1.asks().with("prompt", "none").url()).await;
    assert!(shown.starts_with("told: error=interaction_required&"), "{shown}");
}
