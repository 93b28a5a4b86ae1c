//! The contractor of S2-22 at every kind of application that signs people in by a browser.

use serde_json::json;

use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{Engine, House, Plan, RP1_SECRET};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

const KINDS: &str = r#"
[application.native]
type = "native"
token_endpoint_auth_method = "none"
redirect_uris = ["http://127.0.0.1/callback", "http://[::1]/callback", "com.example.app:/callback"]
scopes = ["openid", "email", "organizations", "roles"]
claims = { idp = true }
"#;

/// Where each is sent back to, and how it proves who it is.
fn kinds(house: &House) -> Vec<(&'static str, Application)> {
    let at = |client_id: &str, redirect: &str, proof: Proof| {
        let mut application = Application::new(house, client_id, proof);
        redirect.clone_into(&mut application.redirect_uri);
        application
    };
    vec![
        ("web", at("rp1", "https://rp1.test/callback", Proof::Basic(RP1_SECRET.to_owned()))),
        ("single page", at("rp2", "https://rp2.test/callback", Proof::Nothing)),
        ("native, by loopback", at("native", "http://127.0.0.1:49152/callback", Proof::Nothing)),
        ("native, by another port", at("native", "http://127.0.0.1:3/callback", Proof::Nothing)),
        ("native, by IPv6", at("native", "http://[::1]:49152/callback", Proof::Nothing)),
        ("native, by its scheme", at("native", "com.example.app:/callback", Proof::Nothing)),
    ]
}

#[tokio::test]
async fn s2_22_s2_24_s2_27_the_contractor_acts_for_my_corporation_at_every_kind_of_application() {
    for engine in ENGINES {
        let house = Plan::on(engine).and(KINDS).build().await;
        let (home, target) = (house.organization("org-a").await, house.organization("org-b").await);
        for (kind, application) in kinds(&house) {
            let before = house.before().await;
            let ask = application.asks().with("scope", "openid email organizations roles");
            let mut con = Person::new("con@a.test");
            let page = con.follows(&ask).await;
            // Through the contractor's own company, then the choice between the two.
            assert!(page.is_picker(), "{kind}: {}", page.told());
            assert_eq!(page.choices(), ["A Corporation", "B Corporation"], "{kind}");
            assert!(page.answer.body.contains("on behalf of B Corporation — from A Corporation"), "{kind}");
            assert!(page.answer.body.contains("A Login"), "{kind}");
            let arrival = con.picks(&ask, &page, "B Corporation").await;
            assert_eq!(arrival.told_application("state").as_deref(), ask.value("state"), "{kind}");
            let to = arrival.answer.location().unwrap();
            assert!(to.as_str().starts_with(&application.redirect_uri), "{kind}: {to}");
            // A public client has nothing but its verifier to prove that it asked.
            let code = arrival.code();
            for wrong in [
                ask.redemption(&code).without("code_verifier"),
                ask.redemption(&code).with("code_verifier", &"x".repeat(43)),
            ] {
                if matches!(application.proof, Proof::Nothing) {
                    let refused = wrong.send().await;
                    assert_eq!(refused.status, 400, "{kind}: {}", refused.body);
                    break;
                }
            }
            let arrival = match application.proof {
                // That used the code up.
                Proof::Nothing => con.follows(&ask.clone().with("organization", "org-b")).await,
                _ => arrival,
            };
            let tokens = ask.redeems(&arrival).await;
            for claims in [&tokens.id, &tokens.access] {
                assert_eq!(claims["org_id"], json!(target), "{kind}");
                assert_eq!(claims["home_org_id"], json!(home), "{kind}");
                assert!(claims["delegation_id"].is_string() && claims.get("act").is_none(), "{kind}");
            }
            if application.client_id != "rp2" {
                assert_eq!(tokens.id["idp"], json!(house.connection("ca").await), "{kind}");
            }
            // It goes on being B's, whichever kind refreshes it, and is nobody else's to refresh.
            let fresh = ask.reads_again(&application.refreshes(tokens.refresh()).send().await).await;
            assert_eq!((&fresh.id["org_id"], &fresh.id["home_org_id"]), (&json!(target), &json!(home)));
            let told = application.userinfo(&fresh.access_token).await.json();
            assert_eq!(told["org_id"], json!(target), "{kind}");
            let events = house.events_since(&before).await;
            let issued: Vec<_> = events.iter().filter(|event| event.action == "login.code_issued").collect();
            assert!(!issued.is_empty(), "{kind}");
            for event in issued {
                assert_eq!(event.organization.as_deref(), Some(target.as_str()), "{kind}");
                assert_eq!(event.detail["home_organization"], json!(home), "{kind}");
            }
            house.turn_clock(60);
        }
    }
}
