//! A visitor without scripts: an HTTP client with a jar of cookies.

use bytes::Bytes;
use cookie::{Cookie, CookieJar};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::Url;

use super::html::{self, Form};
use crate::cli::Error;

/// More redirects in a row lead nowhere.
const HOPS: usize = 20;

/// Somebody at a browser of their own.
pub struct Visitor {
    client: Client<HttpConnector, Full<Bytes>>,
    /// One for all: browsers do not tell the ports of a host apart.
    jar: CookieJar,
    /// Every address since [`Visitor::opens`], in order.
    pub trail: Vec<Url>,
}

/// What the visitor sees in the end.
#[derive(Debug)]
pub struct Page {
    pub url: Url,
    pub status: StatusCode,
    pub body: String,
}

impl Visitor {
    pub fn arrives() -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, jar: CookieJar::new(), trail: Vec::new() }
    }

    /// Types an address, and goes wherever it leads.
    pub async fn opens(&mut self, address: &str) -> Result<Page, Error> {
        self.trail.clear();
        self.goes(Method::GET, address.parse()?, String::new()).await
    }

    /// Presses the button of a page on which this is written, with a field filled in before.
    pub async fn presses(
        &mut self,
        page: &Page,
        words: &str,
        typed: Option<(&str, &str)>,
    ) -> Result<Page, Error> {
        let forms = page.forms();
        let on_page = forms.iter().flat_map(|form| form.buttons.iter().map(move |button| (form, button)));
        let found = on_page.into_iter().find(|(_, button)| button.words.contains(words));
        let (form, button) = found.ok_or_else(|| format!("{} has no button \"{words}\"", page.url))?;
        let mut body = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &form.fields {
            let typed = typed.filter(|(field, _)| field == name).map(|(_, text)| text);
            body.append_pair(name, typed.unwrap_or(value));
        }
        if let Some(name) = &button.name {
            body.append_pair(name, &button.value);
        }
        self.goes(Method::POST, form.action.clone(), body.finish()).await
    }

    /// Sends a request and follows its redirects, always by GET, as browsers do.
    async fn goes(&mut self, method: Method, url: Url, body: String) -> Result<Page, Error> {
        let (mut method, mut url, mut body) = (method, url, body);
        for _ in 0..HOPS {
            self.trail.push(url.clone());
            let (page, location) = self.asks(method, url, body).await?;
            match location {
                Some(next) => (method, url, body) = (Method::GET, page.url.join(&next)?, String::new()),
                None => return Ok(page),
            }
        }
        Err("it redirects without end".into())
    }

    async fn asks(
        &mut self,
        method: Method,
        url: Url,
        body: String,
    ) -> Result<(Page, Option<String>), Error> {
        let mut request = Request::builder().method(method.clone()).uri(url.as_str());
        let cookies: Vec<_> = self.jar.iter().map(|cookie| cookie.stripped().to_string()).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let answer = self.client.request(request.body(Full::from(body))?).await?;
        let (head, body) = answer.into_parts();
        for value in head.headers.get_all(header::SET_COOKIE) {
            self.takes(value.to_str()?)?;
        }
        let location = head.headers.get(header::LOCATION).filter(|_| head.status.is_redirection());
        let location = location.map(|value| value.to_str().map(str::to_owned)).transpose()?;
        let body = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
        Ok((Page { url, status: head.status, body }, location))
    }

    fn takes(&mut self, set_cookie: &str) -> Result<(), Error> {
        let cookie = Cookie::parse(set_cookie.to_owned())?;
        match cookie.max_age() {
            Some(age) if !age.is_positive() => self.jar.force_remove(cookie.name()),
            _ => self.jar.add_original(cookie),
        }
        Ok(())
    }

    /// Whether an address since they opened the last one had this parameter.
    pub fn came_by(&self, parameter: &str) -> bool {
        self.trail.iter().any(|url| url.query_pairs().any(|(name, _)| name == parameter))
    }

    /// Whether they came by this server since they opened the last address.
    pub fn passed(&self, origin: &str) -> bool {
        self.trail.iter().any(|url| url.origin().ascii_serialization() == origin)
    }
}

impl Page {
    pub fn forms(&self) -> Vec<Form> {
        html::forms(&self.url, &self.body)
    }

    pub fn says(&self, words: &str) -> bool {
        html::text(&self.body).contains(words)
    }
}
