//! An application that signs its people in through the broker, and the person at a browser without scripts.

use behalf::foundation::random::Random;
use behalf::protocol::jose::{Algorithm, JwkSet, Jws, SigningKey, Typ};
use behalf::protocol::oauth::pkce;
use data_encoding::BASE64;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use super::broker::{House, RP1_SECRET};
use super::form::Form;
use super::visitor::{Answer, Visitor, line};

/// How an application proves who it is at the token endpoint.
#[derive(Clone)]
pub enum Proof {
    Basic(String),
    Post(String),
    /// Signs assertions with this key.
    Key(std::sync::Arc<SigningKey>),
    Nothing,
}

/// A relying party, as it is registered.
#[derive(Clone)]
pub struct Application {
    house: String,
    line: reqwest::Client,
    pub client_id: String,
    pub redirect_uri: String,
    pub proof: Proof,
}

impl Application {
    pub fn new(house: &House, client_id: &str, proof: Proof) -> Self {
        let redirect_uri = format!("https://{client_id}.test/callback");
        Self { house: house.url.clone(), line: line(), client_id: client_id.to_owned(), redirect_uri, proof }
    }

    /// One of another project than the default one.
    pub fn of_project(house: &House, slug: &str, client_id: &str, proof: Proof) -> Self {
        let mut own = Self::new(house, client_id, proof);
        own.house = format!("{}/p/{slug}", house.url);
        own
    }

    /// The confidential one of the default house.
    pub fn rp1(house: &House) -> Self {
        Self::new(house, "rp1", Proof::Basic(RP1_SECRET.to_owned()))
    }

    /// The public one.
    pub fn rp2(house: &House) -> Self {
        Self::new(house, "rp2", Proof::Nothing)
    }

    /// The same, with another proof of who it is.
    #[must_use]
    pub fn proving(self, proof: Proof) -> Self {
        Self { proof, ..self }
    }

    /// A well-made authorization request: PKCE, state, nonce, and every scope.
    pub fn asks(&self) -> Ask {
        let random = Random::System;
        let (verifier, state, nonce) = (random.token(), random.token(), random.token());
        let scope = "openid profile email organizations roles permissions";
        let params = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", scope),
            ("state", state.expose()),
            ("nonce", nonce.expose()),
            ("code_challenge", &pkce::challenge(verifier.expose())),
            ("code_challenge_method", "S256"),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Ask { application: self.clone(), params, verifier: verifier.expose().to_owned() }
    }

    /// A token request with a refresh token.
    pub fn refreshes(&self, refresh_token: &str) -> Redemption {
        self.posts("/token", &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    /// A request to an endpoint at which applications prove who they are.
    pub fn posts(&self, path: &'static str, fields: &[(&str, &str)]) -> Redemption {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let node = self.house.clone();
        Redemption {
            application: self.clone(),
            path,
            fields,
            node,
            now: None,
            accept: None,
            headers: Vec::new(),
        }
    }

    /// Asks what the access token opens.
    pub async fn userinfo(&self, access_token: &str) -> Answer {
        let url = format!("{}/userinfo", self.house);
        answer(self.line.get(&url).bearer_auth(access_token)).await
    }

    /// An assertion of who it is (RFC 7523), living for a minute.
    pub fn assertion(&self, now: i64, jti: &str) -> String {
        let Proof::Key(key) = &self.proof else { panic!("{} has no key", self.client_id) };
        let claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": self.house, "jti": jti,
            "iat": now, "exp": now + 60,
        });
        key.sign_jwt("JWT", &claims).unwrap()
    }
}

/// One authorization request, and what the application remembers of it.
#[derive(Clone)]
pub struct Ask {
    pub application: Application,
    params: Vec<(String, String)>,
    pub verifier: String,
}

impl Ask {
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.params.retain(|(known, _)| known != name);
        self.and(name, value)
    }

    /// One more parameter, even if there is one of that name.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.params.retain(|(known, _)| known != name);
        self
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn url(&self) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.params).finish();
        format!("{}/authorize?{query}", self.application.house)
    }

    /// The same at the application's back, to the endpoint of pushed requests (RFC 9126).
    pub fn pushes(&self) -> Redemption {
        let says_who = matches!(self.application.proof, Proof::Post(_) | Proof::Nothing);
        let fields = self.params.iter().filter(|(name, _)| !(says_who && name == "client_id"));
        let fields: Vec<_> = fields.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.application.posts("/par", &fields)
    }

    /// Pushes it, and tells by which name it is known then.
    pub async fn pushed(&self) -> String {
        let answer = self.pushes().send().await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.json()["request_uri"].as_str().unwrap().to_owned()
    }

    /// The same as the claims of a request object (RFC 9101), living for a minute.
    pub fn claims(&self, now: i64) -> Value {
        let all = self.params.iter().map(|(name, value)| (name.clone(), json!(value)));
        let mut claims = Value::Object(all.collect());
        claims["iss"] = json!(self.application.client_id);
        claims["aud"] = json!(self.application.house);
        claims["exp"] = json!(now + 60);
        claims
    }

    /// Where a browser is sent with nothing but what it refers to or carries: `request_uri` or `request`.
    pub fn only(&self, name: &str, value: &str) -> String {
        let pairs = [("client_id", self.application.client_id.as_str()), (name, value)];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("{}/authorize?{query}", self.application.house)
    }

    /// A token request for a code that came back, as it should be.
    pub fn redemption(&self, code: &str) -> Redemption {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.application.redirect_uri),
            ("code_verifier", &self.verifier),
        ];
        self.application.posts("/token", &fields)
    }

    /// Redeems the code of an arrival and believes the tokens only after every check a client makes.
    pub async fn redeems(&self, arrival: &Arrival) -> Tokens {
        let answer = self.redemption(&arrival.code()).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        self.reads(&answer).await
    }

    /// The tokens of an answer to a code, verified.
    pub async fn reads(&self, answer: &Answer) -> Tokens {
        let tokens = self.reads_again(answer).await;
        assert_eq!(tokens.id.get("nonce").and_then(Value::as_str), self.value("nonce"));
        tokens
    }

    /// The same of an answer to a refresh, which tells of no nonce.
    pub async fn reads_again(&self, answer: &Answer) -> Tokens {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let answer = answer.json();
        let keys = Visitor::arrives().get(&format!("{}/jwks.json", self.application.house)).await;
        let keys = JwkSet::parse(keys.body.as_bytes()).unwrap();
        let all = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
        let read = |text: &str, typ| {
            let jws = Jws::parse(text).unwrap();
            let algorithm = jws.algorithm();
            let payload = jws.verify_bytes(&keys, &all, typ).unwrap();
            (algorithm, serde_json::from_slice::<Map<String, Value>>(payload.get()).unwrap())
        };
        let access_token = answer["access_token"].as_str().unwrap().to_owned();
        let (algorithm, id) = read(answer["id_token"].as_str().unwrap(), Typ::Jwt);
        let (_, access) = read(&access_token, Typ::ACCESS_TOKEN);
        assert_eq!(id["iss"], json!(self.application.house));
        assert_eq!(id["aud"], json!(self.application.client_id));
        assert_eq!(id["sub"], access["sub"]);
        let refresh_token = answer["refresh_token"].as_str().map(str::to_owned);
        Tokens { id: id.into(), access: access.into(), access_token, refresh_token, algorithm }
    }
}

/// What an application got for a code.
#[derive(Debug)]
pub struct Tokens {
    /// The claims of the ID token.
    pub id: Value,
    /// The claims of the access token.
    pub access: Value,
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub algorithm: Algorithm,
}

impl Tokens {
    /// The refresh token, which there must be.
    pub fn refresh(&self) -> &str {
        self.refresh_token.as_deref().expect("a refresh token")
    }
}

/// A token request that can be made wrong.
#[derive(Clone)]
pub struct Redemption {
    application: Application,
    path: &'static str,
    fields: Vec<(String, String)>,
    node: String,
    now: Option<i64>,
    accept: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
}

impl Redemption {
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more of that name.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    /// Another application holds the code.
    #[must_use]
    pub fn by(mut self, application: &Application) -> Self {
        self.application = application.clone();
        self
    }

    /// At another node of the same name.
    #[must_use]
    pub fn at(mut self, node: &str) -> Self {
        node.clone_into(&mut self.node);
        self
    }

    /// Wants an answer of this type.
    #[must_use]
    pub fn accepts(mut self, media_type: &'static str) -> Self {
        self.accept = Some(media_type);
        self
    }

    /// One more header, even if there is one of that name.
    #[must_use]
    pub fn and_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// What time the application has, for its assertions.
    #[must_use]
    pub fn on(mut self, now: i64) -> Self {
        self.now = Some(now);
        self
    }

    pub async fn send(&self) -> Answer {
        let mut fields = self.fields.clone();
        let mut add = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
        let mut header = None;
        match &self.application.proof {
            Proof::Basic(secret) => {
                let encoded =
                    |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&self.application.client_id), encoded(secret));
                header = Some(BASE64.encode(pair.as_bytes()));
            }
            Proof::Post(secret) => {
                add("client_id", &self.application.client_id);
                add("client_secret", secret);
            }
            Proof::Key(_) if self.fields.iter().any(|(name, _)| name == "client_assertion") => {}
            Proof::Key(_) => {
                let now = self.now.expect("who signs an assertion must know the time");
                let assertion = self.application.assertion(now, Random::System.token().expose());
                add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                add("client_assertion", &assertion);
            }
            Proof::Nothing => add("client_id", &self.application.client_id),
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let issuer: Url = self.application.house.parse().unwrap();
        let host = issuer.authority().to_owned();
        let url = format!("{}{}", self.node, self.path);
        let request = self.application.line.post(&url).header(HOST, host).body(body);
        let request = self.accept.into_iter().fold(request, |request, kind| request.header(ACCEPT, kind));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request =
            self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        answer(match header {
            Some(basic) => request.header(AUTHORIZATION, format!("Basic {basic}")),
            None => request,
        })
        .await
    }
}

async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (url, status, headers) = (response.url().clone(), response.status(), response.headers().clone());
    Answer { url, status, headers, body: response.text().await.unwrap() }
}

/// Somebody at a browser without scripts, who types their address where they are asked, follows every redirect and
/// stops at a page that asks for more, or where the application is reached.
pub struct Person {
    pub browser: Visitor,
    pub email: String,
}

impl Person {
    pub fn new(email: &str) -> Self {
        Self { browser: Visitor::arrives(), email: email.to_owned() }
    }

    /// Is sent to the broker with an address that the application has made of its request.
    pub async fn opens(&mut self, ask: &Ask, url: &str) -> Arrival {
        let first = self.browser.get(url).await;
        self.goes_on(ask, first).await
    }

    /// Is sent to the broker by an application.
    pub async fn follows(&mut self, ask: &Ask) -> Arrival {
        let first = self.browser.get(&ask.url()).await;
        self.goes_on(ask, first).await
    }

    /// The same, and whom they act for where they are asked: the organization's name on the picker.
    pub async fn acts_for(&mut self, ask: &Ask, organization: &str) -> Arrival {
        let arrival = self.follows(ask).await;
        assert!(arrival.is_picker(), "no picker but {}", arrival.told());
        self.picks(ask, &arrival, organization).await
    }

    /// Presses the button of an organization.
    pub async fn picks(&mut self, ask: &Ask, page: &Arrival, organization: &str) -> Arrival {
        let form = page.picker();
        let value = page.choice(organization);
        let next = self.browser.submit(&form.with("choice", &value)).await;
        self.goes_on(ask, next).await
    }

    /// From an answer on: types, follows, and stops.
    pub async fn goes_on(&mut self, ask: &Ask, answer: Answer) -> Arrival {
        let mut arrival = self.walks(ask, answer, |_| false).await;
        // They allow applications of others what these ask for.
        if let Some(asked) = consent_form(&arrival.answer) {
            let next = self.browser.submit(&asked.with("answer", "allow")).await;
            let on = self.walks(ask, next, |_| false).await;
            arrival = Arrival { pages: [arrival.pages, on.pages].concat(), ..on };
        }
        assert!(arrival.steps < 12, "a redirect without end");
        arrival
    }

    /// As [`Self::goes_on`], until a redirect leads to a place that `stop` names: it is not followed.
    pub async fn walks(&mut self, ask: &Ask, mut answer: Answer, stop: impl Fn(&Url) -> bool) -> Arrival {
        let mut pages = Vec::new();
        let mut typed = false;
        for steps in 0..12 {
            if let Some(next) = answer.location() {
                if next.as_str().starts_with(&ask.application.redirect_uri) || stop(&next) {
                    return Arrival { answer, pages, steps };
                }
                answer = self.browser.follow(&answer).await;
            } else if let Some(form) =
                email_form(&answer).filter(|_| !typed && answer.status == StatusCode::OK)
            {
                typed = true;
                pages.push(answer.body.clone());
                answer = self.browser.submit(&form.with("email", &self.email)).await;
            } else {
                pages.push(answer.body.clone());
                return Arrival { answer, pages, steps };
            }
        }
        Arrival { answer, pages, steps: 12 }
    }

    /// Up to the identity provider's answer, which is held back: the broker's callback with its parameters.
    pub async fn is_sent_back(&mut self, ask: &Ask) -> Url {
        let first = self.browser.get(&ask.url()).await;
        let arrival = self.walks(ask, first, |next| next.path().ends_with("/callback")).await;
        let next = arrival.answer.location();
        next.unwrap_or_else(|| panic!("not sent back but {}", arrival.told()))
    }
}

/// Of the page that asks whether an application may be told of somebody.
pub fn consent_form(answer: &Answer) -> Option<Form> {
    answer.forms().into_iter().find(|form| form.action.path().ends_with("/consent"))
}

fn email_form(answer: &Answer) -> Option<Form> {
    answer.forms().into_iter().find(|form| form.value("email").is_some())
}

/// Where a person stands: a redirect to the application, or a page.
#[derive(Debug)]
pub struct Arrival {
    pub answer: Answer,
    /// The pages that were seen on the way, this one included.
    pub pages: Vec<String>,
    steps: usize,
}

impl Arrival {
    /// A parameter that the application is sent.
    pub fn told_application(&self, name: &str) -> Option<String> {
        let to = self.answer.location()?;
        to.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    pub fn code(&self) -> String {
        self.told_application("code").unwrap_or_else(|| panic!("no code but {}", self.told()))
    }

    /// `error` and `error_description`, where the application is told one.
    pub fn error(&self) -> (String, String) {
        let get =
            |name| self.told_application(name).unwrap_or_else(|| panic!("no error but {}", self.told()));
        (get("error"), get("error_description"))
    }

    pub fn status(&self) -> u16 {
        self.answer.status.as_u16()
    }

    /// For the message of a test that fails.
    pub fn told(&self) -> String {
        match self.answer.location() {
            Some(to) => format!("{} to {to}", self.answer.status),
            None => format!("{}: {}", self.answer.status, self.answer.body),
        }
    }

    pub fn is_picker(&self) -> bool {
        self.answer.forms().iter().any(|form| form.buttons.iter().any(|(name, _)| name == "choice"))
    }

    pub fn is_email_page(&self) -> bool {
        email_form(&self.answer).is_some()
    }

    /// The form of the picker.
    pub fn picker(&self) -> Form {
        self.form_with("choice")
    }

    /// The form that has a button of this name.
    pub fn form_with(&self, button: &str) -> Form {
        let has = |form: &Form| form.buttons.iter().any(|(name, _)| name == button);
        let found = self.answer.forms().into_iter().find(has);
        found.unwrap_or_else(|| panic!("no button {button}: {}", self.told()))
    }

    /// The names on the picker, in order.
    pub fn choices(&self) -> Vec<String> {
        let names = self.answer.body.split("class=\"choice-name\">").skip(1);
        names.filter_map(|rest| rest.split_once('<').map(|(name, _)| name.to_owned())).collect()
    }

    /// What the button of an organization posts.
    pub fn choice(&self, organization: &str) -> String {
        let at = self.choices().iter().position(|name| name == organization);
        let at = at.unwrap_or_else(|| panic!("{organization} is none of {:?}", self.choices()));
        self.picker().buttons[at].1.clone()
    }
}
