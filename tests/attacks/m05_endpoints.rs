//! M05: every endpoint that takes a token, tried with every token that it does not take. Where tokens are taken, and what is
//! said there to others, is in [`super::m05_doors`].

use serde_json::{Value, json};

use behalf::model::api_key::{Holder, OperatorRole};
use behalf::protocol::jose::{Algorithm, SigningKey};

use crate::house::api::{Api, plant};
use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{House, Plan, RP1_SECRET};
use crate::house::device::{self, Device};

use super::m05_doors::{DOORS, Door, EXCHANGE, exchanges, is_made_of, registers};

/// The default house with devices, whose first application exchanges tokens and lets another one act.
fn plan() -> Plan {
    let usual = "redirect_uris = [\"https://rp1.test/callback\"]";
    let rp1 = format!(
        "{usual}\ngrant_types = [\"authorization_code\", \"refresh_token\", \"client_credentials\", \"{EXCHANGE}\"]\n\
         audiences = [\"orders\"]\nmay_act = [\"orders\"]"
    );
    let orders = format!(
        "\n[application.orders]\ntype = \"machine\"\nclient_secrets = [{{ env = \"RP1_SECRET\" }}]\n\
         grant_types = [\"{EXCHANGE}\"]\nscopes = [\"openid\"]\nexchange_audiences = [\"billing\"]\n"
    );
    let project = "slug = \"default\"\n";
    let open = format!("{project}dynamic_registration = true\n");
    device::plan(Plan::default().with(project, &open).with(usual, &rp1).and(&orders))
}

async fn own_key(house: &House) -> std::sync::Arc<SigningKey> {
    let project = house.text("SELECT id FROM projects WHERE slug = 'default'").await.unwrap();
    let keys = house.broker.keyring.of(project.parse().unwrap()).await.unwrap();
    std::sync::Arc::clone(keys.signing(Algorithm::RS256, house.clock.now()).unwrap())
}

#[tokio::test]
async fn m05_every_endpoint_refuses_every_token_that_is_not_for_it() {
    let house = plan().build().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let mut con = Person::new("con@a.test");
    let arrival = con.follows(&ask).await;
    let answer = ask.redemption(&arrival.code()).send().await;
    let id_token = answer.json()["id_token"].as_str().unwrap().to_owned();
    let tokens = ask.reads(&answer).await;
    let unused = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let code = con.follows(&unused).await.code();
    let key = own_key(&house).await;
    let now = house.clock.now().seconds();
    let mut late = tokens.access.clone();
    late["exp"] = json!(now - 1);
    let mut foreign = tokens.access.clone();
    foreign["iss"] = json!(format!("{}/p/second", house.url));
    let common = json!({ "iss": house.url, "aud": house.url, "iat": now, "exp": now + 60, "jti": "x",
        "sub": tokens.access["sub"], "grant_id": tokens.access["grant_id"], "scope": "openid",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    let typed = |typ: &str, claims: &Value| key.sign_jwt(typ, claims).unwrap();
    let client = SigningKey::generate(Algorithm::ES256, "own").unwrap();
    let assertion =
        json!({ "iss": "rp1", "sub": "rp1", "aud": house.url, "iat": now, "exp": now + 60, "jti": "y" });
    let signed = rp1.posts("/introspect", &[("token", &tokens.access_token)]);
    let signed = signed.accepts("application/token-introspection+jwt").send().await;
    assert_eq!(signed.status, 200);
    let own = |door: &[Door]| door.to_vec();
    let access =
        own(&[Door::UserInfo, Door::UserInfoForm, Door::Introspection, Door::Revocation, Door::Exchange]);
    let orders = Application::new(&house, "orders", Proof::Basic(RP1_SECRET.into()));
    let acted = exchanges(&orders, &tokens.access_token).with("audience", "billing").send().await;
    let acted = acted.json()["access_token"].as_str().unwrap().to_owned();
    let device = Device::asks(&Device::television(&house), &[("scope", "openid")]).await;
    let operator = plant(&house, "default", Holder::Operator(OperatorRole::System)).await;
    let holder = Holder::Organization(house.organization("org-a").await.parse().unwrap(), Vec::new());
    let key_of_a = plant(&house, "default", holder).await;
    let machine = rp1.posts("/token", &[("grant_type", "client_credentials")]).send().await;
    let machine = machine.json()["access_token"].as_str().unwrap().to_owned();
    let pushed = rp1.asks().pushes().send().await.json()["request_uri"].as_str().unwrap().to_owned();
    let api = Api::operator(&house).await;
    let initial = api.post("/registration-tokens", json!({"name": "partners", "most_uses": 9})).await;
    let initial = initial.json()["token"].as_str().unwrap().to_owned();
    let registered = registers(&house, &initial).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let client_token = registered.json()["registration_access_token"].as_str().unwrap().to_owned();
    let kinds: Vec<(&str, String, Vec<Door>)> = vec![
        ("an access token", tokens.access_token.clone(), access),
        (
            "a refresh token",
            tokens.refresh().to_owned(),
            own(&[Door::Refresh, Door::Introspection, Door::Revocation]),
        ),
        ("an ID token", id_token, own(&[Door::Hint, Door::LogoutHint])),
        ("an application's own token", machine, own(&[Door::Introspection, Door::Revocation, Door::Actor])),
        ("the name of a pushed request", pushed, own(&[Door::RequestUri])),
        ("a token to register by", initial, own(&[Door::Registration])),
        // Good at its own client's address alone, which is none of these.
        ("a registered client's token", client_token, own(&[])),
        ("an organization's key", key_of_a, own(&[Door::Api])),
        ("a checkpoint of the audit trail", typed("audit-checkpoint+jwt", &common), own(&[])),
        // Burnt by whoever tries it, so it is good at its own door alone.
        ("a code", code.clone(), own(&[Door::Code])),
        ("a device code", device.device_code(), own(&[Door::Device])),
        ("a user code", device.user_code(), own(&[Door::UserCode])),
        ("a token in which another application acts", acted, own(&[])),
        ("a JWT for us", typed("JWT", &common), own(&[])),
        (
            "a signed UserInfo answer",
            typed(
                "JWT",
                &json!({ "iss": house.url, "aud": "rp1", "iat": now,
            "sub": tokens.id["sub"], "org_id": tokens.id["org_id"] }),
            ),
            own(&[]),
        ),
        (
            "a signed authorization answer",
            typed(
                "JWT",
                &json!({ "iss": house.url, "aud": "rp1",
            "exp": now + 60, "code": code, "state": "s" }),
            ),
            own(&[]),
        ),
        ("an operator's token", operator, own(&[Door::Api])),
        ("a logout token", typed("logout+jwt", &common), own(&[])),
        ("a signed request", typed("oauth-authz-req+jwt", &common), own(&[])),
        ("an introspection answer", signed.body, own(&[])),
        ("an unlabelled JWT", typed("", &common), own(&[])),
        ("a client assertion", client.sign_jwt("JWT", &assertion).unwrap(), own(&[])),
        ("a client's forgery", client.sign_jwt("at+jwt", &tokens.access).unwrap(), own(&[])),
        ("an access token that has run out", typed("at+jwt", &late), own(&[])),
        ("another issuer's access token", typed("at+jwt", &foreign), own(&[])),
        ("a client secret", RP1_SECRET.to_owned(), own(&[Door::Secret])),
        ("a grant's id", tokens.access["grant_id"].as_str().unwrap().to_owned(), own(&[])),
        ("a session's id", tokens.id["sid"].as_str().unwrap().to_owned(), own(&[])),
        ("garbage", "garbage".to_owned(), own(&[])),
    ];
    let mut ann = Person::new("ann@a.test");
    ann.is_asked_for_a_code(&device.ask(), &device.complete()).await;
    let mut cells = 0;
    for (what, token, good) in &kinds {
        for door in DOORS.into_iter().filter(|door| !good.contains(door)) {
            let before = house.before().await;
            let shown = door.takes((&house, &mut ann), &rp1, &ask, (token, &tokens.access_token)).await;
            door.refuses(&shown, what);
            house.unchanged(&before).await;
            cells += 1;
        }
    }
    assert_eq!(cells, DOORS.len() * kinds.len() - 21);
    is_made_of(&kinds.iter().map(|(what, ..)| *what).collect::<Vec<_>>());
    // And what is for them, they take: nothing of all that has cost anybody anything.
    assert_eq!(unused.redemption(&code).send().await.status, 200);
    assert_eq!(rp1.userinfo(&tokens.access_token).await.status, 200);
    for token in [&tokens.access_token, tokens.refresh()] {
        let told = rp1.posts("/introspect", &[("token", token)]).send().await;
        assert_eq!(told.json()["active"], json!(true), "{}", told.body);
    }
    assert_eq!(rp1.refreshes(tokens.refresh()).send().await.status, 200);
    assert_eq!(exchanges(&rp1, &tokens.access_token).send().await.status, 200);
    // Whoever has guessed so often waits until the codes are others.
    house.turn_clock(600);
    let device = Device::asks(&Device::television(&house), &[("scope", "openid")]).await;
    Person::new("ann@a.test").lets_in(&device, "A Corporation").await;
    assert_eq!(device.polls().send().await.status, 200);
}

#[tokio::test]
async fn m05_another_application_learns_nothing_and_ends_nothing() {
    let house = House::opens().await;
    house.provision(&format!("{}{API}", house.file)).await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    let stranger = Application::new(&house, "stranger", Proof::Basic(RP1_SECRET.into()));
    for token in [&tokens.access_token, tokens.refresh()] {
        let before = house.before().await;
        let answer = stranger.posts("/introspect", &[("token", token)]).send().await;
        assert_eq!(answer.json(), json!({ "active": false }));
        for by in [&stranger, &Application::rp2(&house)] {
            let answer = by.posts("/revoke", &[("token", token)]).send().await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
        }
        house.unchanged(&before).await;
        assert!(house.events_since(&before).await.is_empty());
    }
    // Neither does who cannot prove who it is.
    let before = house.before().await;
    let answer =
        Application::rp2(&house).posts("/introspect", &[("token", &tokens.access_token)]).send().await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (401, json!("invalid_client")));
    house.refused(&before, "invalid_client").await;
    // Whoever sends no `Authorization` is told how one is let in all the same (RFC 9110, section 15.5.2).
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
    let post = rp1.clone().proving(Proof::Post("wrong".into()));
    for path in ["/token", "/introspect", "/revoke", "/device_authorization", "/par"] {
        let before = house.before().await;
        let answer =
            post.posts(path, &[("grant_type", "refresh_token"), ("refresh_token", "x")]).send().await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (401, json!("invalid_client")));
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"), "{path}");
        house.refused(&before, "invalid_client").await;
    }
    let nobody = rp1.clone().proving(Proof::Basic("wrong".into()));
    for path in ["/introspect", "/revoke"] {
        let before = house.before().await;
        let answer = nobody.posts(path, &[("token", &tokens.access_token)]).send().await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (401, json!("invalid_client")));
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
        house.refused(&before, "invalid_client").await;
    }
    // Whom a token is for may know it, and end nothing.
    let api = Application::new(&house, "https://api.crm.test", Proof::Basic(RP1_SECRET.into()));
    let crm = Application::new(&house, "crm", Proof::Basic(RP1_SECRET.into()));
    let ask = crm.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    let told = api.posts("/introspect", &[("token", &tokens.access_token)]).send().await.json();
    assert_eq!((&told["active"], &told["client_id"]), (&json!(true), &json!("crm")));
    let told = api.posts("/introspect", &[("token", tokens.refresh())]).send().await.json();
    assert_eq!(told, json!({ "active": false }), "a refresh token is its owner's alone");
    assert_eq!(api.posts("/revoke", &[("token", &tokens.access_token)]).send().await.status, 200);
    assert_eq!(crm.userinfo(&tokens.access_token).await.status, 200);
}

const API: &str = r#"
[application.stranger]
type = "web"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://stranger.test/callback"]

[application.crm]
type = "web"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://crm.test/callback"]
audiences = ["https://api.crm.test"]
scopes = ["openid", "profile", "email", "organization", "organizations", "roles", "permissions"]

[application."https://api.crm.test"]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]
"#;
