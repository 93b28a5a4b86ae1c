//! M17, S1-R11: who comes from a provider that does not say when they signed in there has not "just signed in". An answer
//! without a page is to be had for days by whoever sits at a forgotten browser.

use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says;
use crate::house::lying_saml_idp;

const TRANSFER: &str = "/organizations/org-a/transfer-ownership";

fn ask(house: &House, email: &str, organization: &str) -> Ask {
    Application::rp1(house).asks().with("organization", organization).with("login_hint", email)
}

async fn comes(house: &House, person: &mut Person, ask: &Ask) -> Api {
    let arrival = person.follows(ask).await;
    Api::with(house, Some(ask.redeems(&arrival).await.access_token)).await
}

async fn is_stale(house: &House, api: &Api, path: &str, body: Value) {
    let before = house.before().await;
    let refused = api.post(path, body).await;
    let told = (refused.status.as_u16(), &refused.json()["code"]);
    assert_eq!(told, (403, &json!("reauthentication_required")), "{path}: {}", refused.body);
    house.refused(&before, "reauthentication_required").await;
}

#[tokio::test]
async fn m17_s1_r11_a_silent_answer_without_auth_time_is_no_recent_sign_in() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        Api::person(&house, "con@a.test", "org-a").await;
        let cons = house.user("con@a.test").await;
        let mut ann = Person::new("ann@a.test");
        let asks = ask(&house, "ann@a.test", "org-a");
        house.idp_a.says(Says::truth().without("auth_time"));
        let api = comes(&house, &mut ann, &asks).await;
        assert_eq!(api.get("/organizations/org-a").await.status, 200, "she is signed in");
        let mine = api.get("/me").await.json()["authenticated_at"].clone();
        assert_eq!(mine, json!(house.clock.now().rfc3339()), "as far as anybody knows");
        let key = json!({"name": "k", "permissions": ["members:read"]});
        let invitation = json!({"email": "x@c.test", "role": "owner", "send": false});
        for (path, body) in [
            (TRANSFER, json!({"user_id": cons})),
            ("/organizations/org-a/invitations", invitation),
            ("/api-keys", key.clone()),
        ] {
            is_stale(&house, &api, path, body).await;
        }

        // Nor does the session do for an application that wants a recent one: the provider is asked.
        let hits = house.idp_a.hits("/authorize");
        let recent = asks.clone().with("max_age", "300");
        let before = house.before().await;
        let refused = ann.follows(&recent).await;
        assert_eq!((refused.status(), house.idp_a.hits("/authorize")), (403, hits + 1), "{}", refused.told());
        house.refused(&before, "auth_time_missing").await;

        // Where it says, it is believed, and the session is as good as that.
        house.idp_a.says(Says::truth());
        let api = comes(&house, &mut ann, &recent).await;
        assert_eq!(house.idp_a.was_asked("max_age").as_deref(), Some("300"));
        let hits = house.idp_a.hits("/authorize");
        ann.follows(&recent).await.code();
        assert_eq!(house.idp_a.hits("/authorize"), hits);
        let made = api.post("/api-keys", key.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let offered = api.post(TRANSFER, json!({"user_id": cons})).await;
        assert_eq!(offered.status, 202, "{}", offered.body);

        // A later one without a word takes that away.
        house.idp_a.says(Says::truth().without("auth_time"));
        let api = comes(&house, &mut ann, &asks.clone().with("prompt", "select_account")).await;
        is_stale(&house, &api, "/api-keys", key).await;
    }
}

#[tokio::test]
async fn m17_s1_r11_a_provider_that_never_says_when_opens_nothing_that_needs_a_recent_sign_in() {
    let house = House::opens().await;
    Api::person(&house, "con@a.test", "org-a").await;
    let cons = house.user("con@a.test").await;
    let entra = "UPDATE connections SET settings = replace(settings, '\"preset\":\"generic\"', '\"preset\":\"entra\"')
                 WHERE slug = 'ca'";
    assert_eq!(house.execute(entra).await, 1);
    let mut ann = Person::new("ann@a.test");
    house.idp_a.says(Says::truth().without("auth_time"));
    // What was asked for stood in an address that whoever sits there can change.
    for (name, value) in [("prompt", "login"), ("max_age", "0"), ("max_age", "300")] {
        let asks = ask(&house, "ann@a.test", "org-a").with(name, value);
        let api = comes(&house, &mut ann, &asks).await;
        is_stale(&house, &api, TRANSFER, json!({"user_id": cons})).await;
    }
    house.idp_a.says(Says::truth());
    let api = comes(&house, &mut ann, &ask(&house, "ann@a.test", "org-a").with("max_age", "300")).await;
    let offered = api.post(TRANSFER, json!({"user_id": cons})).await;
    assert_eq!(offered.status, 202, "{}", offered.body);
}

#[tokio::test]
async fn m17_s1_r11_what_counts_of_an_assertion_is_when_it_says_that_somebody_signed_in() {
    let house = Plan::saml().build().await;
    Api::person(&house, "ann@a.test", "org-a").await;
    let key = json!({"name": "k", "permissions": ["members:read"]});
    for (old, is_recent) in [(901, false), (0, true)] {
        let asks = ask(&house, "bob@b.test", "org-b");
        let says = lying_saml_idp::Says { authenticated: old, ..lying_saml_idp::Says::that("bob@b.test") };
        let mut bob = Person::new("bob@b.test");
        let arrival = bob.signs_in_by(&house, "cb", &asks, &says).await;
        let api = Api::with(&house, Some(asks.redeems(&arrival).await.access_token)).await;
        match is_recent {
            true => assert_eq!(api.post("/api-keys", key.clone()).await.status, 201),
            false => is_stale(&house, &api, "/api-keys", key.clone()).await,
        }
    }
}
