//! `domain_hint`: the application says which company's people it means.

use serde_json::json;

use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House};
use crate::house::lying_idp::Says;

#[tokio::test]
async fn who_is_signed_in_from_another_company_is_asked_to_sign_in_where_the_domain_leads() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let rp1 = Application::rp1(&house);
        let mut ann = Person::new("ann@a.test");
        ann.follows(&rp1.asks()).await.code();
        let before = house.before().await;
        let answer = ann.browser.get(&rp1.asks().with("domain_hint", "b.test").url()).await;
        let there = answer.location().unwrap_or_else(|| panic!("not sent on: {}", answer.body));
        assert_eq!(there.origin(), url::Url::parse(&house.idp_b.issuer).unwrap().origin(), "{there}");
        // Nobody may be asked, and nobody from there is here.
        let silent = rp1.asks().with("domain_hint", "b.test").with("prompt", "none");
        assert_eq!(ann.follows(&silent).await.error().0, "login_required");
        house.refused(&before, "login_required").await;
        // Whoever comes from there is signed in as one of theirs.
        house.idp_b.says(Says::that("bob", "bob@b.test"));
        let hinted = rp1.asks().with("domain_hint", "b.test");
        let arrival = ann.follows(&hinted).await;
        assert_eq!(hinted.redeems(&arrival).await.id["org_id"], json!(house.organization("org-b").await));
    }
}

#[tokio::test]
async fn a_hint_that_leads_here_or_nowhere_or_counts_for_less_asks_nobody_again() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    ann.follows(&rp1.asks()).await.code();
    let silent = |hint: &str| rp1.asks().with("prompt", "none").with("domain_hint", hint);
    for ask in [
        silent("a.test"),
        silent("A.TEST"),
        // Nobody's, and no domain at all: said, and passed over.
        silent("none.test"),
        silent("no domain"),
        // What is said more exactly counts.
        silent("b.test").with("connection", "ca"),
        silent("b.test").with("login_hint", "ann@a.test"),
        silent("b.test").with("organization", "org-a"),
    ] {
        let arrival = ann.follows(&ask).await;
        assert_eq!(ask.redeems(&arrival).await.id["email"], json!("ann@a.test"), "{}", ask.url());
    }
}
