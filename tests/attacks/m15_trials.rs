//! M15: a trial looks at a provider's metadata as a sign-in does: it tells how a sign-in would end.

use std::time::Duration;

use behalf::foundation::clock::Moment;
use behalf::protocol::saml::signature::sign_enveloped;
use serde_json::json;

use crate::house::api::Api;
use crate::house::application::Person;
use crate::house::broker::{Engine, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says, Signer, Signs, posts, sealed};
use crate::house::publisher::Publisher;
use crate::house::trial::Link;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn dated(document: &str, until: Moment) -> String {
    let attribute = format!("<md:EntityDescriptor validUntil=\"{}Z\" ", &until.rfc3339()[..19]);
    document.replacen("<md:EntityDescriptor ", &attribute, 1)
}

#[tokio::test]
async fn m15_a_trial_looks_at_the_metadata_where_a_sign_in_would() {
    for engine in ENGINES {
        let plan = Plan::on(engine);
        let idp = LyingSamlIdp::new("cb", plan.clock.clone());
        let (hour, while_valid) = (3_600, Duration::from_secs(5_400));
        let publisher = Publisher::of(dated(&idp.metadata(), idp.now().plus(while_valid))).await;
        let mut plan = plan.with_saml_keys("cb", &format!("metadata_url = \"{}\"\n", publisher.url));
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        let operator = Api::operator(&house).await;
        let idp = house.saml("cb");
        let next = Signer::new("next", house.clock.now());
        let link = async || Link::to(&operator, &house, "cb").await;
        let tries = async |link: Link, signer: &Signer| {
            let mut bob = Person::new("bob@b.test");
            let away = bob.browser.sets_out(&link).await;
            let asked = idp.is_asked(&house, "cb", &away).await;
            let xml = sealed(&idp.plain(&asked, &Says::that("bob@b.test")), signer, Signs::Assertion, None);
            let led = posts(&mut bob.browser, &asked, xml).await;
            let ended = bob.browser.get(led.location().unwrap().as_str()).await;
            assert_eq!(ended.status, 303, "{}", ended.body);
            link.told(&operator).await
        };
        // A key that nobody has announced is looked for, and found nowhere.
        house.turn_clock(hour);
        let hits = publisher.hits();
        let told = tries(link().await, &next).await;
        assert_eq!((&told["status"], &told["reason"]), (&json!("failed"), &json!("signature_invalid")));
        assert_eq!(publisher.hits(), hits + 1);
        let announces = || {
            let until = house.clock.now().plus(while_valid);
            let both = dated(&idp.metadata_with(&[&next.certificate]), until);
            let both = both.replacen("<md:EntityDescriptor ", "<md:EntityDescriptor ID=\"_m1\" ", 1);
            publisher.says(sign_enveloped(&both, "_m1", &idp.signer.key, None).unwrap());
        };
        // One that its provider has announced since.
        announces();
        house.turn_clock(120);
        assert_eq!(tries(link().await, &next).await["status"], json!("succeeded"));
        // And where all that is known has run out since the link was given, it is read anew.
        house.turn_clock(hour);
        let given = link().await;
        house.turn_clock(1_800);
        announces();
        assert_eq!(tries(given, &idp.signer).await["status"], json!("succeeded"));
        assert_eq!(house.count("sessions").await, 0);
    }
}
