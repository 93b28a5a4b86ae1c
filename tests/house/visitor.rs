//! A visitor without scripts, who makes one request at a time and follows nothing unasked.

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE, USER_AGENT, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use url::Url;

use super::cookies::Jar;
use super::form::{Form, forms};

/// A browser without scripts: a jar of cookies and a line to the network. A clone is another window, as long as neither
/// is given further cookies.
#[derive(Clone)]
pub struct Visitor {
    line: reqwest::Client,
    pub jar: Jar,
    /// What it calls itself, if it does.
    agent: Option<&'static str>,
}

/// What came back, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// Where it came from.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Default for Visitor {
    fn default() -> Self {
        Self::arrives()
    }
}

impl Visitor {
    /// Somebody new, without any cookie.
    pub fn arrives() -> Self {
        Self { line: line(), jar: Jar::default(), agent: None }
    }

    /// Calls itself so from now on.
    pub fn speaks_as(&mut self, agent: &'static str) {
        self.agent = Some(agent);
    }

    pub async fn get(&mut self, url: &str) -> Answer {
        self.request(Method::GET, url, |request| request).await
    }

    pub async fn post_form(&mut self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.request(Method::POST, url, |request| {
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
        })
        .await
    }

    /// Any request, dressed by `dress`: further headers, another body.
    pub async fn request(
        &mut self,
        method: Method,
        url: &str,
        dress: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let url: Url = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        let mut request = dress(self.line.request(method, url.clone()));
        if let Some(cookies) = self.jar.header(&url) {
            request = request.header(COOKIE, cookies);
        }
        if let Some(agent) = self.agent {
            request = request.header(USER_AGENT, agent);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        for cookie in response.headers().get_all(SET_COOKIE) {
            self.jar.take(&url, cookie.to_str().unwrap());
        }
        let (status, headers) = (response.status(), response.headers().clone());
        // Whoever is not let in is told how one is (RFC 9110, section 11.6.1), at whichever door, and by schemes that are
        // registered.
        let mut challenges = headers.get_all(WWW_AUTHENTICATE).iter().map(|one| one.to_str().unwrap());
        let known = |one: &str| ["Basic", "Bearer", "DPoP"].contains(&one.split(' ').next().unwrap());
        let told = headers.contains_key(WWW_AUTHENTICATE);
        assert!((status != StatusCode::UNAUTHORIZED || told) && challenges.all(known), "{url}: {headers:?}");
        Answer { url, status, headers, body: response.text().await.unwrap() }
    }

    /// Goes one step to where a redirect points; as browsers do, always by GET.
    pub async fn follow(&mut self, answer: &Answer) -> Answer {
        let next =
            answer.location().unwrap_or_else(|| panic!("{} redirects nowhere: {answer:?}", answer.url));
        self.get(next.as_str()).await
    }

    /// Sends a form as it is; see [`Form::with`] for typing into it.
    pub async fn submit(&mut self, form: &Form) -> Answer {
        let fields: Vec<_> =
            form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if form.method == "post" {
            return self.post_form(form.action.as_str(), &fields).await;
        }
        let mut url = form.action.clone();
        url.query_pairs_mut().clear().extend_pairs(fields);
        self.get(url.as_str()).await
    }
}

/// A line to loopback. Without certificate authorities, whose reading takes longer than most stories.
pub fn line() -> reqwest::Client {
    let builder = reqwest::Client::builder().redirect(Policy::none()).no_proxy();
    builder.tls_certs_only(std::iter::empty()).build().unwrap()
}

impl Answer {
    /// Where a redirect points, if it is one.
    pub fn location(&self) -> Option<Url> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        self.url.join(location).ok()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} is not JSON: {}", self.url, self.body))
    }

    pub fn forms(&self) -> Vec<Form> {
        forms(&self.url, &self.body)
    }

    /// Where the quiet link under the page leads that says this.
    pub fn quiet_link(&self, text: &str) -> String {
        let body = self.body.replace("&#x2f;", "/").replace("&amp;", "&").replace("&#x3d;", "=");
        let says = format!(">{text}<");
        let link = body.split("<a class=\"quiet\" href=\"").skip(1).find(|link| link.contains(&says));
        let link = link.unwrap_or_else(|| panic!("{} has no link {text}: {}", self.url, self.body));
        link.split('"').next().unwrap().to_owned()
    }

    /// The form that has a field of this name.
    pub fn form_with(&self, field: &str) -> Form {
        let found = self.forms().into_iter().find(|form| form.value(field).is_some());
        found.unwrap_or_else(|| panic!("{} has no field {field}: {}", self.url, self.body))
    }

    /// The form that has a button of this name.
    pub fn form_with_button(&self, button: &str) -> Form {
        let has = |form: &Form| form.buttons.iter().any(|(name, _)| name == button);
        let found = self.forms().into_iter().find(has);
        found.unwrap_or_else(|| panic!("{} has no button {button}: {}", self.url, self.body))
    }

    /// The only form of the page.
    pub fn form(&self) -> Form {
        let mut forms = self.forms();
        assert_eq!(forms.len(), 1, "{} should have one form: {}", self.url, self.body);
        forms.remove(0)
    }
}
