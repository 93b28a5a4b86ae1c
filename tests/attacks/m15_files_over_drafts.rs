//! An operator's file that is applied again brings nobody back whom somebody has taken away meanwhile (threats M15).

use behalf::manage::house_file::Mode;
use reqwest::Method;
use serde_json::json;

use crate::house::answers::{delete, fine};
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says, Signer};

async fn state(house: &House) -> String {
    house.text("SELECT state FROM connections WHERE slug = 'cb'").await.unwrap()
}

#[tokio::test]
async fn m15_a_file_does_not_switch_on_what_was_switched_off_and_is_believed_otherwise_in_a_draft() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let plan = Plan { engine, ..Plan::default() };
        let idp = LyingSamlIdp::new("cb", plan.clock.clone());
        let typed = json!({
            "idp_entity_id": idp.entity_id,
            "idp_post_url": idp.sso,
            "idp_x509_certificate": [Signer::new("next", idp.now()).certificate.base64()],
        });
        let keys = format!(
            "idp_entity_id = \"{}\"\nidp_post_url = \"{}\"\nidp_x509_certificate = [\"{}\"]\n",
            idp.entity_id,
            idp.sso,
            idp.signer.certificate.base64()
        );
        let mut plan = plan.with_saml_keys("cb", &keys);
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        let (operator, path) =
            (Api::operator(&house).await, format!("/connections/{}", house.connection("cb").await));
        // The key is stolen.
        fine(operator.send(Method::POST, &format!("{path}/disable?force=true"), |ask| ask).await);
        fine(operator.patch(&path, typed).await);
        let (off, before) = (fine(operator.get(&path).await), house.before().await);
        for _ in 0..2 {
            let report = house.reports(&house.file, Mode::Apply).await;
            assert!(
                report.warnings.iter().any(|told| told.contains("stays what it is")),
                "{:?}",
                report.warnings
            );
            assert_eq!(
                (state(&house).await.as_str(), fine(operator.get(&path).await)),
                ("disabled", off.clone())
            );
        }
        house.unchanged(&before).await;
        // Somebody says that it is not, after all.
        assert_eq!(delete(&operator, &format!("{path}/draft")).await.status, 204);
        house.provision(&house.file).await;
        assert_eq!(state(&house).await, "active");
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
        // A draft that believes the same keeps nothing back.
        fine(operator.send(Method::POST, &format!("{path}/disable?force=true"), |ask| ask).await);
        fine(operator.patch(&path, json!({"leeway": 90})).await);
        house.provision(&house.file).await;
        assert_eq!(state(&house).await, "active");
    }
}
