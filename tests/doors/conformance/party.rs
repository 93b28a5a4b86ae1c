//! The relying party of the plans: it asks for nothing but `openid`, without PKCE, and believes nothing that it has not
//! checked.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use behalf::protocol::jose::{Algorithm, JwkSet, Jws};
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::house::application::{Application, Arrival, Ask, Person, Redemption, Tokens};
use crate::house::broker::House;
use crate::house::visitor::{Answer, Visitor};

/// How answers travel: the plan for forms is the basic one, answered by forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Query,
    FormPost,
}

pub const MODES: [Mode; 2] = [Mode::Query, Mode::FormPost];

/// What an application's redirect URI was told.
pub type Callback = BTreeMap<String, String>;

/// What came of a code.
pub struct Got {
    pub tokens: Tokens,
    /// As it was signed.
    pub id_token: String,
    pub answer: Answer,
}

impl Got {
    pub fn auth_time(&self) -> i64 {
        self.tokens.id["auth_time"].as_i64().expect("auth_time")
    }
}

pub struct Party<'a> {
    pub house: &'a House,
    pub application: Application,
    pub mode: Mode,
}

impl<'a> Party<'a> {
    pub fn new(house: &'a House, application: Application, mode: Mode) -> Self {
        Self { house, application, mode }
    }

    pub fn rp1(house: &'a House, mode: Mode) -> Self {
        Self::new(house, Application::rp1(house), mode)
    }

    /// A request as the plans make it.
    pub fn asks(&self) -> Ask {
        let ask = self.application.asks().without("code_challenge").without("code_challenge_method");
        let ask = ask.with("scope", "openid");
        match self.mode {
            Mode::Query => ask,
            Mode::FormPost => ask.with("response_mode", "form_post"),
        }
    }

    /// What the redirect URI is told, by the method that was asked for and by no other.
    pub fn told(&self, arrival: &Arrival) -> Callback {
        match self.mode {
            Mode::Query => {
                let to = arrival.answer.location().unwrap_or_else(|| panic!("{}", arrival.told()));
                assert!(to.as_str().starts_with(&self.application.redirect_uri), "{to}");
                assert_eq!(to.fragment(), None, "{to}");
                to.query_pairs().into_owned().collect()
            }
            Mode::FormPost => {
                let form = arrival.answer.form();
                assert_eq!(form.method, "post");
                assert_eq!(form.action.as_str(), self.application.redirect_uri, "nothing in the address");
                form.fields.into_iter().collect()
            }
        }
    }

    /// Sends somebody, who comes back with a code.
    pub async fn sends(&self, person: &mut Person, ask: &Ask) -> Callback {
        let callback = self.told(&person.follows(ask).await);
        self.is_code(&callback, ask);
        callback
    }

    fn is_code(&self, callback: &Callback, ask: &Ask) {
        assert_eq!(callback.get("state").map(String::as_str), ask.value("state"), "{callback:?}");
        assert_eq!(callback.get("iss"), Some(&self.house.url), "{callback:?}");
        assert_eq!(callback.get("error"), None, "{callback:?}");
        let code = callback.get("code").unwrap_or_else(|| panic!("no code: {callback:?}"));
        assert!(code.len() >= 22, "128 bits: {code}");
    }

    /// Sends somebody, who comes back with an error and nothing else; its code.
    pub async fn is_refused(&self, person: &mut Person, ask: &Ask) -> String {
        self.is_error(&person.follows(ask).await, ask)
    }

    pub fn is_error(&self, arrival: &Arrival, ask: &Ask) -> String {
        let callback = self.told(arrival);
        assert_eq!(callback.get("state").map(String::as_str), ask.value("state"), "{callback:?}");
        assert_eq!(callback.get("iss"), Some(&self.house.url), "{callback:?}");
        let known = ["error", "error_description", "state", "iss"];
        assert!(callback.keys().all(|name| known.contains(&name.as_str())), "{callback:?}");
        is_plain(&callback["error_description"]);
        callback["error"].clone()
    }

    /// A token request for a code, without a verifier.
    pub fn redemption(&self, ask: &Ask, code: &str) -> Redemption {
        let redemption = ask.redemption(code).on(self.house.clock.now().seconds());
        if ask.value("code_challenge").is_some() { redemption } else { redemption.without("code_verifier") }
    }

    /// Redeems a code, and looks at all of what it gives.
    pub async fn redeems(&self, ask: &Ask, callback: &Callback) -> Got {
        let answer = self.redemption(ask, &callback["code"]).send().await;
        self.looks_at(ask, answer).await
    }

    pub async fn looks_at(&self, ask: &Ask, answer: Answer) -> Got {
        let tokens = ask.reads(&answer).await;
        self.is_token_answer(&answer);
        let id_token = answer.json()["id_token"].as_str().unwrap().to_owned();
        self.is_id_token(&tokens, &id_token).await;
        Got { tokens, id_token, answer }
    }

    /// RFC 6749, section 5.1.
    pub fn is_token_answer(&self, answer: &Answer) {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let body = answer.json();
        assert!(body["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{body}");
        assert!(body["token_type"].as_str().is_some_and(|kind| ["Bearer", "DPoP"].contains(&kind)), "{body}");
        if let Some(refresh_token) = body["refresh_token"].as_str() {
            assert!(
                refresh_token.len() >= 22 && refresh_token.bytes().all(|byte| (0x20..0x7f).contains(&byte))
            );
        }
    }

    /// OpenID Connect Core, sections 2 and 3.1.3.7; signature, `iss`, `aud` and `nonce` were looked at before.
    async fn is_id_token(&self, tokens: &Tokens, id_token: &str) {
        let (id, now) = (&tokens.id, self.house.clock.now().seconds());
        assert!(id["exp"].as_i64().unwrap() > now && id["exp"].as_i64().unwrap() < now + 86_400, "{id}");
        assert_eq!(id["iat"], json!(now));
        assert!(id["sub"].as_str().is_some_and(|sub| !sub.is_empty() && sub.len() <= 255), "{id}");
        assert!(id["auth_time"].as_i64().unwrap() <= now, "{id}");
        assert_ne!(id.get("acr"), Some(&json!("")));
        if tokens.algorithm != Algorithm::EdDSA {
            let hash = digest(&SHA256, tokens.access_token.as_bytes());
            assert_eq!(id["at_hash"], json!(BASE64URL_NOPAD.encode(&hash.as_ref()[..16])));
        }
        let kid = Jws::parse(id_token).unwrap().kid().map(str::to_owned).expect("kid");
        let published = Visitor::arrives().get(&format!("{}/jwks.json", self.house.url)).await;
        let keys = published.json();
        let keys: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
        assert!(keys.contains(&json!(kid)), "{kid}");
        assert!(JwkSet::parse(published.body.as_bytes()).is_ok());
    }

    /// Somebody signs in; what comes of it.
    pub async fn signs_in(&self, person: &mut Person, ask: &Ask) -> Got {
        let callback = self.sends(person, ask).await;
        self.redeems(ask, &callback).await
    }

    /// What UserInfo says, by whatever method.
    pub async fn userinfo(&self, method: Method, access_token: &str) -> Value {
        let url = format!("{}/userinfo", self.house.url);
        let dress = |request: reqwest::RequestBuilder| {
            request.header(AUTHORIZATION, format!("Bearer {access_token}"))
        };
        let answer = Visitor::arrives().request(method, &url, dress).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
        let told = answer.json();
        is_standard(&told);
        told
    }
}

/// A form that another site posts.
pub async fn posts(person: &mut Person, ask: &Ask) -> Answer {
    let url: url::Url = ask.url().parse().unwrap();
    let (address, body) = (format!("{}/authorize", url.origin().ascii_serialization()), url.query().unwrap());
    let dress = |request: reqwest::RequestBuilder| {
        let request = request.header("sec-fetch-site", "cross-site");
        request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.to_owned())
    };
    person.browser.request(Method::POST, &address, dress).await
}

/// Claims that have a meaning have their type, too (OpenID Connect Core, section 5.1).
pub fn is_standard(claims: &Value) {
    assert!(claims["sub"].as_str().is_some_and(|sub| !sub.is_empty()), "{claims}");
    for name in ["name", "given_name", "family_name", "email", "locale"] {
        assert!(
            claims.get(name).is_none_or(|value| value.as_str().is_some_and(|text| !text.is_empty())),
            "{claims}"
        );
    }
    assert!(claims.get("email_verified").is_none_or(Value::is_boolean), "{claims}");
    assert!(claims.get("updated_at").is_none_or(Value::is_u64), "{claims}");
}

/// RFC 6749, section 5.2: what a description may hold.
pub fn is_plain(description: &str) {
    let fits = |byte: u8| (0x20..0x7f).contains(&byte) && !b"\"\\".contains(&byte);
    assert!(description.bytes().all(fits), "{description}");
}

/// An error of a door for machines; its code.
pub fn machine_error(answer: &Answer, statuses: &[u16]) -> String {
    assert!(statuses.contains(&answer.status.as_u16()), "{}: {}", answer.status, answer.body);
    assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{}", answer.body);
    let body = answer.json();
    is_plain(body["error_description"].as_str().unwrap_or_default());
    body["error"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

/// The source of a page, as a browser reads its texts.
pub fn source(page: &Answer) -> String {
    page.body.replace("&#x2f;", "/").replace("&amp;", "&")
}

/// A page that says no, to the person; the application is not told.
pub fn is_error_page(answer: &Answer) {
    assert!(answer.status.is_client_error(), "{}: {}", answer.status, answer.body);
    assert_eq!(answer.location(), None);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{}", answer.body);
}
