//! A connection has another identity provider by now: sessions that came by the former one are nothing to tell it.

use reqwest::StatusCode;
use serde_json::json;

use super::saml_logout::{plan, with_logout};
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says};

#[tokio::test]
async fn m03_who_came_by_a_former_provider_is_not_named_to_the_one_that_is_in_its_place() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan { engine, ..plan("") }.build().await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let code = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
        let hint = ask.redemption(&code).send().await.json()["id_token"].as_str().unwrap().to_owned();
        let other = LyingSamlIdp::new("other", house.clock.clone());
        let (operator, path) =
            (Api::operator(&house).await, format!("/connections/{}", house.connection("cb").await));
        let drafted = operator.patch(&path, json!({"metadata_xml": with_logout(&other.metadata())})).await;
        assert_eq!(drafted.status, 200, "{}", drafted.body);
        let live = operator.post(&format!("{path}/activate"), json!({"force": true})).await;
        assert_eq!(live.status, 200, "{}", live.body);
        let page = bob.browser.get(&format!("{}/logout?id_token_hint={hint}", house.url)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(!page.body.contains("SAMLRequest") && !page.body.contains("id-of-bob"), "{}", page.body);
        assert!(page.body.contains("You may still be signed in at"), "{}", page.body);
        assert_eq!(house.events_of("logout.incomplete").await, 1);
        assert_eq!(house.count("sessions WHERE ended_at IS NULL").await, 0);
    }
}
