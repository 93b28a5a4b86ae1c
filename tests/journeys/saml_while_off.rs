//! A connection is switched off: what is known of its provider stays what it is until somebody switches it on.

use behalf::protocol::saml::binding::post;
use reqwest::Method;

use super::saml_logout::{ends, slo, with_logout};
use crate::house::answers::fine;
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says, Signer};
use crate::house::publisher::Publisher;
use crate::house::visitor::Visitor;

#[tokio::test]
async fn m15_nobody_has_the_metadata_of_a_connection_read_that_is_switched_off() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let plan = Plan { engine, ..Plan::default() };
        let idp = LyingSamlIdp::new("cb", plan.clock.clone());
        let publisher = Publisher::of(with_logout(&idp.metadata())).await;
        let keys = format!("metadata_url = \"{}\"\nsingle_logout = true\n", publisher.url);
        let mut plan = plan.with_saml_keys("cb", &keys);
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        let (operator, slo) = (Api::operator(&house).await, slo(&house).await);
        let path = format!("/connections/{}", house.connection("cb").await);
        let acts = async |what: &str| {
            fine(operator.send(Method::POST, &format!("{path}/{what}"), |ask| ask).await);
        };
        acts("disable?force=true").await;
        let (hits, before) = (publisher.hits(), house.before().await);
        house.turn_clock(61);
        // Whose key is not known could be one that the provider has by now.
        let request = ends(&house, &slo, &[], &Signer::new("stranger", house.clock.now()));
        let page = Visitor::arrives().post_form(&slo, &[("SAMLRequest", &post::encode(&request))]).await;
        assert_eq!(page.status, 403, "{}", page.body);
        house.refused(&before, "signature_invalid").await;
        // Whoever switches it on has read what is known, and gets that.
        acts("enable").await;
        assert_eq!(publisher.hits(), hits);
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
    }
}
