//! The plans for signing out: by way of an application, at its back, and in frames.

use serde_json::json;

use super::party::{Callback, Mode, Party, source};
use crate::house::application::{Ask, Person};
use crate::house::broker::{House, Plan};
use crate::house::ear::Ear;
use crate::house::visitor::Answer;
use behalf::protocol::jose::{Algorithm, SigningKey};

const BYE: &str = "https://rp1.test/post_logout_redirect";

fn plan(more: &str) -> Plan {
    let uris = "redirect_uris = [\"https://rp1.test/callback\"]\n";
    Plan::default().with(uris, &format!("{uris}post_logout_redirect_uris = [\"{BYE}\"]\n{more}"))
}

/// Who has signed in at an application that knows of nothing but signing out.
struct SignedIn<'a> {
    party: Party<'a>,
    person: Person,
    ask: Ask,
    id_token: String,
    id: serde_json::Value,
}

async fn signed_in(house: &House) -> SignedIn<'_> {
    let party = Party::rp1(house, Mode::Query);
    let (mut person, ask) = (Person::new("ann@a.test"), party.asks());
    let got = party.signs_in(&mut person, &ask).await;
    SignedIn { party, person, ask, id_token: got.id_token, id: got.tokens.id }
}

impl SignedIn<'_> {
    /// A state that is longer than usual.
    fn state() -> String {
        "s".repeat(128)
    }

    /// What is sent unless it is left out.
    fn usual(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id_token_hint", self.id_token.clone()),
            ("post_logout_redirect_uri", BYE.to_owned()),
            ("state", Self::state()),
        ]
    }

    async fn is_sent_to_sign_out(&mut self, params: &[(&str, String)]) -> Answer {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        self.person.browser.get(&format!("{}/logout?{query}", self.party.house.url)).await
    }

    async fn is_still_signed_in(&mut self) -> bool {
        let silent = self.ask.clone().with("prompt", "none");
        let callback: Callback = self.party.told(&self.person.follows(&silent).await);
        match callback.get("error") {
            Some(error) => {
                assert_eq!(error, "login_required");
                false
            }
            None => true,
        }
    }

    /// They are told why not, and nothing happens; or they are asked, and once they have said yes they are signed out here.
    /// Nobody is sent back.
    async fn stays(&mut self, params: &[(&str, String)], (what, asked): (&str, bool)) {
        let page = self.is_sent_to_sign_out(params).await;
        let status = if asked { 200 } else { 400 };
        assert_eq!((page.status.as_u16(), page.location()), (status, None), "{what}: {}", page.body);
        assert!(self.is_still_signed_in().await, "{what}: nothing happens unasked");
        if !asked {
            return;
        }
        let form = page.form_with_button("sign_out").with("sign_out", "yes");
        let mut done = self.person.browser.submit(&form).await;
        while let Some(to) = done.location() {
            assert!(to.as_str().starts_with(&self.party.house.url), "{what}: sent to {to}");
            done = self.person.browser.follow(&done).await;
        }
        assert_eq!(done.status, 200, "{what}");
        assert!(!self.is_still_signed_in().await, "{what}");
    }
}

fn without(usual: &[(&'static str, String)], names: &[&str]) -> Vec<(&'static str, String)> {
    usual.iter().filter(|(name, _)| !names.contains(name)).cloned().collect()
}

fn with(usual: &[(&'static str, String)], name: &'static str, value: String) -> Vec<(&'static str, String)> {
    let mut params = without(usual, &[name]);
    params.push((name, value));
    params
}

#[tokio::test]
async fn m03_an_application_signs_somebody_out_and_has_them_back() {
    let house = plan("").build().await;
    for state in [true, false] {
        let mut somebody = signed_in(&house).await;
        let usual = somebody.usual();
        let params = if state { usual } else { without(&usual, &["state"]) };
        let answer = somebody.is_sent_to_sign_out(&params).await;
        let to = answer.location().unwrap_or_else(|| panic!("{}", answer.body));
        let told: Vec<(String, String)> = to.query_pairs().into_owned().collect();
        let expected: Vec<(String, String)> =
            if state { vec![("state".into(), SignedIn::state())] } else { Vec::new() };
        assert_eq!(told, expected);
        assert_eq!(to.as_str().split('?').next(), Some(BYE));
        assert!(!somebody.is_still_signed_in().await);
    }
}

/// The same claims, signed by nobody.
fn unsigned(id_token: &str) -> String {
    let payload = id_token.split('.').nth(1).unwrap();
    let header = data_encoding::BASE64URL_NOPAD.encode(json!({ "alg": "none" }).to_string().as_bytes());
    format!("{header}.{payload}.")
}

#[tokio::test]
async fn m03_whoever_asks_for_it_wrongly_has_nobody_back() {
    let house = plan("").build().await;
    let stranger = SigningKey::generate(Algorithm::ES256, "stranger").unwrap();
    for (what, asked) in [
        ("another address", false),
        ("a query is added", false),
        ("an ID token without a signature", false),
        ("a stranger's ID token", false),
        ("no ID token", false),
        ("nothing", true),
        ("a state alone", true),
    ] {
        let mut somebody = signed_in(&house).await;
        let usual = somebody.usual();
        let params = match what {
            "another address" => with(&usual, "post_logout_redirect_uri", format!("{BYE}/Zu7eW3")),
            "a query is added" => with(&usual, "post_logout_redirect_uri", format!("{BYE}?foo=bar")),
            "an ID token without a signature" => with(&usual, "id_token_hint", unsigned(&somebody.id_token)),
            "a stranger's ID token" => {
                with(&usual, "id_token_hint", stranger.sign_jwt("JWT", &somebody.id).unwrap())
            }
            "no ID token" => without(&usual, &["id_token_hint"]),
            "nothing" => Vec::new(),
            _ => without(&usual, &["id_token_hint", "post_logout_redirect_uri"]),
        };
        somebody.stays(&params, (what, asked)).await;
    }
    // Who proves whose session it is, and names no address, is signed out at once, here.
    let mut somebody = signed_in(&house).await;
    let params = without(&somebody.usual(), &["post_logout_redirect_uri"]);
    let answer = somebody.is_sent_to_sign_out(&params).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (200, None), "{}", answer.body);
    assert!(!somebody.is_still_signed_in().await);
}

#[tokio::test]
async fn m03_an_application_hears_at_its_back_who_has_signed_out() {
    let ear = Ear::opens().await;
    let uri =
        format!("backchannel_logout_uri = \"{}/rp1\"\nbackchannel_logout_session_required = true\n", ear.url);
    let house = plan(&uri).build().await;
    let mut somebody = signed_in(&house).await;
    let answer = somebody.is_sent_to_sign_out(&somebody.usual()).await;
    assert!(answer.location().unwrap().as_str().starts_with(BYE), "{}", answer.body);
    house.tells().await;
    let told = ear.claims(&house, "rp1").await;
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((&told["iss"], &told["aud"]), (&json!(house.url), &json!("rp1")));
    assert_eq!(told["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
    assert!(told["jti"].is_string() && told.get("nonce").is_none(), "{told:?}");
    assert_eq!(told["iat"], json!(house.clock.now().seconds()));
    assert_eq!((&told["sub"], &told["sid"]), (&somebody.id["sub"], &somebody.id["sid"]));
    assert!(!somebody.is_still_signed_in().await);
}

#[tokio::test]
async fn m03_a_browser_opens_what_an_application_wants_opened() {
    let uri = "frontchannel_logout_uri = \"https://rp1.test/frontchannel_logout\"\nfrontchannel_logout_session_required = true\n";
    let house = plan(uri).build().await;
    let mut somebody = signed_in(&house).await;
    let page = somebody.is_sent_to_sign_out(&somebody.usual()).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let text = source(&page);
    let frame = text.split("<iframe").nth(1).and_then(|rest| rest.split("src=\"").nth(1));
    let frame = frame.and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("{}", page.body));
    let frame: url::Url = frame.parse().unwrap();
    let told: Callback = frame.query_pairs().into_owned().collect();
    assert_eq!((frame.host_str(), frame.path()), (Some("rp1.test"), "/frontchannel_logout"));
    assert_eq!(told["iss"], house.url);
    assert_eq!(Some(told["sid"].as_str()), somebody.id["sid"].as_str());
    // And they find the way back.
    assert!(text.contains(BYE), "{}", page.body);
    assert!(!somebody.is_still_signed_in().await);
}
