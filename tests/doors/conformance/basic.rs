//! The basic plan, and the one for forms: each story is played with both ways of answering.

use reqwest::Method;
use serde_json::{Value, json};

use super::party::{MODES, Mode, Party, is_error_page, machine_error, posts};
use crate::house::application::{Application, Ask, Person, Proof};
use crate::house::broker::{House, Plan, RP1_SECRET};
use crate::house::lying_idp::Says;
use crate::house::visitor::Visitor;
use behalf::protocol::jose::Algorithm;

const SCOPES: &str = "scopes = [\"openid\", \"profile\", \"email\", \"organization\", \"organizations\", \"roles\", \"permissions\"]\nclaims = { idp = true }";

/// What the module expects of an ID token that is asked for by `openid` alone.
const EXPECTED: [&str; 12] =
    ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "sid"];

fn ann() -> Person {
    Person::new("ann@a.test")
}

/// The same person twice at one browser, a while apart; the second request is another one.
async fn twice(party: &Party<'_>, seconds: u64, first: &Ask, second: &Ask) -> [super::party::Got; 2] {
    let mut ann = ann();
    let before = party.signs_in(&mut ann, first).await;
    party.house.turn_clock(seconds);
    let after = party.signs_in(&mut ann, second).await;
    assert_eq!(before.tokens.id["sub"], after.tokens.id["sub"]);
    [before, after]
}

#[tokio::test]
async fn s2_24_a_code_gives_tokens_that_pass_every_check() {
    let house = House::opens().await;
    house.idp_a.says(Says::truth().claim("name", "\"Ann\""));
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let ask = party.asks();
        let got = party.signs_in(&mut ann(), &ask).await;
        // Nothing of the person that was not asked for, but for which organization it is, and until when; and by which
        // provider they came, as this application's own settings say.
        let told = got.tokens.id.as_object().unwrap().keys();
        let unasked: Vec<_> = told.filter(|claim| !EXPECTED.contains(&claim.as_str())).collect();
        assert_eq!(unasked, ["idp", "org_id", "org_name", "session_expiry"]);
        party.userinfo(Method::GET, &got.tokens.access_token).await;
    }
}

#[tokio::test]
async fn s2_24_a_request_without_a_response_type_is_refused() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let ask = party.asks().without("response_type");
        assert_eq!(party.is_refused(&mut ann(), &ask).await, "invalid_request");
    }
}

#[tokio::test]
async fn s2_24_id_tokens_are_signed_by_rs256_unless_it_is_said() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let got = party.signs_in(&mut ann(), &party.asks()).await;
        assert_eq!(got.tokens.algorithm, Algorithm::RS256);
    }
}

#[tokio::test]
async fn s2_24_userinfo_is_told_to_who_gets_and_who_posts() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let got = party.signs_in(&mut ann(), &party.asks()).await;
        for method in [Method::GET, Method::POST] {
            let told = party.userinfo(method, &got.tokens.access_token).await;
            assert_eq!(told["sub"], got.tokens.id["sub"]);
        }
        let url = format!("{}/userinfo", house.url);
        let fields = [("access_token", got.tokens.access_token.as_str())];
        let answer = Visitor::arrives().post_form(&url, &fields).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["sub"]), (200, &got.tokens.id["sub"]));
    }
}

#[tokio::test]
async fn s2_24_a_request_needs_no_nonce_and_what_it_needs_not_is_ignored() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let ask = party.asks().without("nonce");
        let got = party.signs_in(&mut ann(), &ask).await;
        assert_eq!(got.tokens.id.get("nonce"), None);
        for (name, value) in [
            ("extra", "foobar"),
            ("display", "page"),
            ("display", "popup"),
            ("ui_locales", "se"),
            ("claims_locales", "se"),
            ("login_hint", "buffy@127.0.0.1"),
            ("acr_values", "1 2"),
        ] {
            let ask = party.asks().with(name, value);
            party.signs_in(&mut ann(), &ask).await;
        }
    }
}

#[tokio::test]
async fn s2_24_of_the_ways_of_signing_in_that_are_named_the_token_says_which_it_was() {
    let house = House::opens().await;
    house.idp_a.says(Says::truth().claim("amr", "[\"pwd\"]"));
    let metadata = Visitor::arrives().get(&format!("{}/.well-known/openid-configuration", house.url)).await;
    let named = metadata.json()["acr_values_supported"].clone();
    let named: Vec<&str> = named.as_array().unwrap().iter().map(|acr| acr.as_str().unwrap()).collect();
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let ask = party.asks().with("acr_values", &named.join(" "));
        let got = party.signs_in(&mut ann(), &ask).await;
        let acr = got.tokens.id["acr"].as_str().unwrap_or_else(|| panic!("{}", got.tokens.id));
        assert!(named.contains(&acr), "{acr}");
    }
}

#[tokio::test]
async fn s2_24_userinfo_tells_what_the_scopes_are_for() {
    let house = House::opens().await;
    let names =
        [("name", "\"Ann A\""), ("given_name", "\"Ann\""), ("family_name", "\"A\""), ("locale", "\"en\"")];
    house.idp_a.says(names.iter().fold(Says::truth(), |says, (name, value)| says.claim(name, value)));
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let told = async |ask: &Ask| {
            let got = party.signs_in(&mut ann(), ask).await;
            party.userinfo(Method::GET, &got.tokens.access_token).await
        };
        let profile = told(&party.asks().with("scope", "openid profile")).await;
        for (name, _) in names {
            assert!(profile.get(name).is_some(), "{name}: {profile}");
        }
        assert_eq!(profile.get("email"), None);
        let email = told(&party.asks().with("scope", "openid email")).await;
        assert_eq!((&email["email"], &email["email_verified"]), (&json!("ann@a.test"), &json!(true)));
        assert_eq!(email.get("name"), None);
    }
}

#[tokio::test]
async fn s2_24_no_order_of_scopes_or_parameters_means_anything() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let ask = party.asks();
        let names = ["response_mode", "nonce", "state", "redirect_uri", "client_id", "response_type"];
        let values: Vec<_> = names.map(|name| (name, ask.value(name).map(str::to_owned))).into();
        let mut ask = ask.with("scope", "email openid");
        for (name, value) in values {
            if let Some(value) = value {
                ask = ask.with(name, &value);
            }
        }
        let got = party.signs_in(&mut ann(), &ask).await;
        let told = party.userinfo(Method::GET, &got.tokens.access_token).await;
        assert_eq!(told["email"], json!("ann@a.test"));
    }
}

#[tokio::test]
async fn s2_24_whoever_is_to_sign_in_again_does() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        // A second later by prompt=login; two seconds later by max_age=1.
        for (seconds, name, value) in [(1, "prompt", "login"), (2, "max_age", "1")] {
            let seen = house.idp_a.hits("/authorize");
            let [first, second] =
                twice(&party, seconds, &party.asks(), &party.asks().with(name, value)).await;
            assert!(second.auth_time() > first.auth_time(), "{name}");
            assert_eq!(second.auth_time(), house.clock.now().seconds(), "{name}");
            assert_eq!(house.idp_a.hits("/authorize"), seen + 2, "{name}");
        }
    }
}

#[tokio::test]
async fn s2_24_whoever_is_not_to_be_asked_is_not() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let state = "s".repeat(128);
        let silent = party.asks().with("prompt", "none").with("state", &state);
        assert_eq!(party.is_refused(&mut Person::new("x"), &silent).await, "login_required");

        for second in [party.asks().with("prompt", "none"), party.asks().with("max_age", "10000")] {
            let first = party.asks().with("max_age", "15000");
            let [first, second] = twice(&party, 1, &first, &second).await;
            assert_eq!(first.auth_time(), second.auth_time());
        }
        // By the ID token of the first time.
        let mut ann = ann();
        let first = party.signs_in(&mut ann, &party.asks()).await;
        house.turn_clock(1);
        let hinted = party.asks().with("prompt", "none").with("id_token_hint", &first.id_token);
        let second = party.signs_in(&mut ann, &hinted).await;
        assert_eq!(
            (&first.tokens.id["sub"], first.auth_time()),
            (&second.tokens.id["sub"], second.auth_time())
        );
    }
}

#[tokio::test]
async fn s2_24_a_code_is_good_once_and_ends_what_it_gave_when_it_comes_again() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        for seconds in [0, 30] {
            let ask = party.asks();
            let callback = party.sends(&mut ann(), &ask).await;
            let got = party.redeems(&ask, &callback).await;
            house.turn_clock(seconds);
            let again = party.redemption(&ask, &callback["code"]).send().await;
            assert_eq!(machine_error(&again, &[400]), "invalid_grant");
            let opens = party.application.userinfo(&got.tokens.access_token).await;
            assert_eq!(opens.status, 401, "{}", opens.body);
        }
    }
}

#[tokio::test]
async fn c26_an_address_that_is_not_registered_is_told_nothing() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        for uri in ["https://rp1.test/callback/Zu7eW3kq0b", "https://rp1.test/callback?foo=bar"] {
            let ask = party.asks().with("redirect_uri", uri);
            is_error_page(&Visitor::arrives().get(&ask.url()).await);
        }
        is_error_page(&Visitor::arrives().get(&party.asks().without("redirect_uri").url()).await);
    }
}

#[tokio::test]
async fn s2_24_a_request_may_be_posted() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let (ask, mut ann) = (party.asks(), ann());
        let first = posts(&mut ann, &ask).await;
        let arrival = ann.goes_on(&ask, first).await;
        let callback = party.told(&arrival);
        party.redeems(&ask, &callback).await;
    }
}

#[tokio::test]
async fn m07_a_secret_may_be_in_the_body_where_that_is_registered() {
    let house = Plan::default().with("\"client_secret_basic\"", "\"client_secret_post\"").build().await;
    for mode in MODES {
        let posting = Application::rp1(&house).proving(Proof::Post(RP1_SECRET.to_owned()));
        let party = Party::new(&house, posting, mode);
        party.signs_in(&mut ann(), &party.asks()).await;
    }
}

#[tokio::test]
async fn s2_24_a_name_that_is_asked_for_is_told_where_it_is_asked_for() {
    let house = House::opens().await;
    house.idp_a.says(Says::truth().claim("name", "\"Ann\""));
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let claims = json!({ "userinfo": { "name": { "essential": true } } }).to_string();
        let got = party.signs_in(&mut ann(), &party.asks().with("claims", &claims)).await;
        assert_eq!(got.tokens.id.get("name"), None);
        let told = party.userinfo(Method::GET, &got.tokens.access_token).await;
        assert_eq!(told["name"], json!("Ann"));
    }
}

/// An unsigned request object.
fn unsigned(ask: &Ask) -> String {
    let mut claims = ask.claims(0);
    for name in ["exp", "aud", "iss"] {
        claims.as_object_mut().unwrap().remove(name);
    }
    let part = |value: &Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims))
}

#[tokio::test]
async fn m21_unsigned_requests_are_not_promised_and_not_taken() {
    let house = House::opens().await;
    let metadata = Visitor::arrives().get(&format!("{}/.well-known/openid-configuration", house.url)).await;
    let metadata = metadata.json();
    let promised = metadata["request_object_signing_alg_values_supported"].as_array().unwrap().clone();
    assert!(!promised.contains(&json!("none")), "{promised:?}");
    assert!(!metadata["id_token_signing_alg_values_supported"].as_array().unwrap().contains(&json!("none")));
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let ask = party.asks();
        let before = house.before().await;
        let url = ask.only("request", &unsigned(&ask));
        is_error_page(&Visitor::arrives().get(&url).await);
        house.refused(&before, "invalid_request_object").await;
    }
}

#[tokio::test]
async fn s2_24_a_request_may_bring_a_challenge() {
    let house = House::opens().await;
    for mode in MODES {
        let party = Party::rp1(&house, mode);
        let ask = party.application.asks().with("scope", "openid");
        let ask = if mode == Mode::FormPost { ask.with("response_mode", "form_post") } else { ask };
        party.signs_in(&mut ann(), &ask).await;
    }
}

/// Two applications that may stay as long as they like.
pub async fn two_that_stay() -> House {
    let offline = SCOPES.replace("\"email\"", "\"email\", \"offline_access\"");
    let second = "\n[application.rp3]\ndisplay_name = \"Third App\"\ntype = \"web\"\n\
        client_secrets = [{ env = \"RP1_SECRET\" }]\nredirect_uris = [\"https://rp3.test/callback\"]\n\
        scopes = [\"openid\", \"offline_access\"]\n";
    Plan::default().with(SCOPES, &offline).and(second).build().await
}

#[tokio::test]
async fn h21_a_refresh_token_is_for_whom_it_was_given() {
    let house = two_that_stay().await;
    for mode in MODES {
        let first = Party::rp1(&house, mode);
        let second = Application::new(&house, "rp3", Proof::Basic(RP1_SECRET.to_owned()));
        let second = Party::new(&house, second, mode);
        let scope = "openid offline_access";
        for party in [&first, &second] {
            let ask = party.asks().with("scope", scope).with("prompt", "consent");
            let got = party.signs_in(&mut ann(), &ask).await;
            house.turn_clock(1);
            let refreshes = party.application.refreshes(got.tokens.refresh()).with("scope", scope);
            let answer = refreshes.send().await;
            party.is_token_answer(&answer);
            let again = ask.reads_again(&answer).await;
            for claim in ["iss", "sub", "aud", "auth_time"] {
                assert_eq!(again.id[claim], got.tokens.id[claim], "{claim}");
            }
            assert_eq!(again.id.get("azp"), got.tokens.id.get("azp"));
            assert!(again.id["iat"].as_i64() > got.tokens.id["iat"].as_i64());
            assert_ne!(again.access_token, got.tokens.access_token);
            party.userinfo(Method::GET, &again.access_token).await;
            if party.application.client_id == "rp3" {
                let foreign = first.application.refreshes(again.refresh()).send().await;
                assert_eq!(machine_error(&foreign, &[400]), "invalid_grant");
            }
        }
    }
}
