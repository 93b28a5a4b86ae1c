//! The cookies that bind login flows to the browser in which they began: one for each flow, so that many tabs do
//! not overwrite each other (threats C28, H25).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};

use super::language::Language;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, ConnectionId, FlowId};
use crate::foundation::secret::{Digest, Secret};

const PREFIX: &str = "__Host-behalf-flow-";

/// Between the secret, which has none of these, and what else a cookie holds.
const THEN: char = '.';

/// Flows that one browser may have open; opening one more drops the oldest.
const MOST: usize = 20;

/// Ended ones that it still knows of, and for how many seconds.
const MOST_ENDED: usize = 3;
const ENDED_FOR: i64 = 600;

const BEGUN: &str = "__Host-behalf-begun";
/// A browser follows at once, and an application asks when it is asked to.
const BEGUN_FOR: Duration = Duration::from_secs(120);

/// A login that an identity provider has begun: who sends the person on, and to which application. It says no more than
/// an application may say itself by `connection`, and signs nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub connection: ConnectionId,
    pub application: ApplicationId,
    pub at: Moment,
    /// Of the address that the application was told.
    pub hint: Option<Digest>,
}

impl Begun {
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let (_, value) = pairs(headers).find(|(name, _)| *name == BEGUN)?;
        let [connection, application, at, hint] = *value.split(THEN).collect::<Vec<_>>() else { return None };
        Some(Self {
            connection: connection.parse().ok()?,
            application: application.parse().ok()?,
            at: Moment::from_millis(at.parse().ok()?),
            hint: if hint.is_empty() { None } else { Some(Digest::parse(hint)?) },
        })
    }

    /// Whether a flow that began then may be this login: nothing that was under way before is led elsewhere.
    pub fn is_before(&self, started: Moment) -> bool {
        self.at <= started && started.since(self.at) <= BEGUN_FOR
    }

    pub fn cookie(&self) -> HeaderValue {
        let hint = self.hint.map_or_else(String::new, |hint| hint.text());
        let (connection, application, at) = (self.connection, self.application, self.at.millis());
        let value = format!("{connection}{THEN}{application}{THEN}{at}{THEN}{hint}");
        let seconds = i64::try_from(BEGUN_FOR.as_secs()).unwrap_or(0);
        made(BEGUN.to_owned(), value, Some(cookie::time::Duration::seconds(seconds)))
    }

    /// It leads once.
    pub fn over() -> HeaderValue {
        made(BEGUN.to_owned(), String::new(), Some(cookie::time::Duration::ZERO))
    }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let fields = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// Whether the browser holds the secret of this flow.
pub fn holds_flow(headers: &HeaderMap, flow: FlowId, expected: Digest) -> bool {
    let name = format!("{PREFIX}{flow}");
    pairs(headers).any(|(key, value)| key == name && expected.matches(secret_of(value)))
}

fn secret_of(value: &str) -> &str {
    value.split_once(THEN).map_or(value, |(secret, _)| secret)
}

/// What a browser knows of a flow beside its secret: it lasts longer than the flow does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The application that sent the person.
    pub application: Option<ApplicationId>,
    /// In which language they are spoken to, if the flow says it.
    pub language: Option<Language>,
}

impl Remembered {
    /// Of this flow, as the browser has it: for the pages that it is shown, and for nothing else.
    pub fn of(headers: &HeaderMap, flow: FlowId) -> Self {
        let Some(value) = value_of(headers, flow) else { return Self::default() };
        let mut rest = value.split(THEN).skip(1);
        let application = rest.next().and_then(|id| id.parse().ok());
        Self { application, language: rest.next().and_then(|tag| tag.parse().ok()) }
    }

    /// Of the flow that a path is of.
    pub fn at(headers: &HeaderMap, path: &str) -> Self {
        let flow = path.strip_prefix("/login/").and_then(|rest| rest.split('/').next()?.parse().ok());
        flow.map(|flow| Self::of(headers, flow)).unwrap_or_default()
    }

    /// `secret`: none of a flow that is over.
    fn value(&self, secret: &str) -> String {
        let application = self.application.map(|id| id.to_string()).unwrap_or_default();
        let language = self.language.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{secret}{THEN}{application}{THEN}{language}")
    }
}

/// Whether this browser held the flow, and has been told its end.
pub fn has_ended(headers: &HeaderMap, flow: FlowId) -> bool {
    value_of(headers, flow).is_some_and(|value| value.starts_with(THEN))
}

/// What the browser keeps of a flow.
fn value_of(headers: &HeaderMap, flow: FlowId) -> Option<&str> {
    let name = format!("{PREFIX}{flow}");
    pairs(headers).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The flows of which the browser says that it holds them, the newest first, no more than it may hold.
pub fn flows(headers: &HeaderMap) -> impl Iterator<Item = FlowId> {
    named(headers).into_iter().rev().take(MOST)
}

/// The same, all of them, the oldest first.
fn named(headers: &HeaderMap) -> Vec<FlowId> {
    those(headers, |value| !value.starts_with(THEN))
}

fn those(headers: &HeaderMap, which: impl Fn(&str) -> bool) -> Vec<FlowId> {
    let found = pairs(headers).filter(|(_, value)| which(value));
    let mut named: Vec<FlowId> =
        found.filter_map(|(name, _)| name.strip_prefix(PREFIX)?.parse().ok()).collect();
    // Ids sort by the moment they were made.
    named.sort_unstable();
    named
}

/// Sets the cookie of a new flow, and drops those of the oldest ones beyond the cap.
pub fn open_flow(
    headers: &HeaderMap,
    flow: FlowId,
    secret: &Secret,
    remembered: &Remembered,
) -> Vec<HeaderValue> {
    let open = named(headers);
    let surplus = (open.len() + 1).saturating_sub(MOST);
    let dropped = open.into_iter().take(surplus).map(close_flow);
    std::iter::once(set(flow, remembered.value(secret.expose()), None)).chain(dropped).collect()
}

/// Takes the secret out of the cookie of a flow that has ended. Whoever goes back to it is still led to the application, for
/// a while, of the latest few.
pub fn end_flow(headers: &HeaderMap, flow: FlowId) -> Vec<HeaderValue> {
    let remembered = Remembered::of(headers, flow);
    if remembered.application.is_none() {
        return vec![close_flow(flow)];
    }
    let ended = those(headers, |value| value.starts_with(THEN));
    let surplus = (ended.len() + 1).saturating_sub(MOST_ENDED);
    let dropped = ended.into_iter().take(surplus).map(close_flow);
    let kept = set(flow, remembered.value(""), Some(cookie::time::Duration::seconds(ENDED_FOR)));
    std::iter::once(kept).chain(dropped).collect()
}

/// Drops the cookie of a flow.
pub fn close_flow(flow: FlowId) -> HeaderValue {
    set(flow, String::new(), Some(cookie::time::Duration::ZERO))
}

fn set(flow: FlowId, value: String, max_age: Option<cookie::time::Duration>) -> HeaderValue {
    made(format!("{PREFIX}{flow}"), value, max_age)
}

fn made(name: String, value: String, max_age: Option<cookie::time::Duration>) -> HeaderValue {
    let mut cookie =
        Cookie::build((name, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax);
    if let Some(age) = max_age {
        cookie = cookie.max_age(age);
    }
    // Our own name, and a value of base64url, ids and a language tag: always a valid header.
    HeaderValue::from_str(&cookie.build().to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::foundation::random::Random;

    #[test]
    fn h25_opening_a_flow_drops_only_the_oldest_beyond_twenty() {
        let random = Random::sequence(1);
        let ids: Vec<_> = (0..20).map(|n| FlowId::new(&random, Moment::from_millis(n))).collect();
        let jar = ids.iter().map(|id| format!("{PREFIX}{id}=x")).collect::<Vec<_>>().join("; ");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&jar).unwrap());
        let set = open_flow(
            &headers,
            FlowId::new(&random, Moment::from_millis(99)),
            &random.token(),
            &Remembered::default(),
        );
        assert_eq!(set.len(), 2);
        let dropped = set[1].to_str().unwrap();
        assert!(dropped.contains(&ids[0].to_string()) && dropped.contains("Max-Age=0"), "{dropped}");
    }

    #[test]
    fn h09_what_a_provider_has_begun_is_read_as_it_was_written_or_not_at_all() {
        let (connection, application) = (ConnectionId::from_u128(1), ApplicationId::from_u128(2));
        for hint in [None, Some(Digest::of(b"bob@b.test"))] {
            let begun = Begun { connection, application, at: Moment::from_seconds(1_000), hint };
            let cookie = begun.cookie();
            let text = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(&text).unwrap());
            assert_eq!(Begun::of(&headers), Some(begun.clone()));
            let is_before = |seconds| begun.is_before(Moment::from_seconds(seconds));
            assert_eq!([999, 1_000, 1_120, 1_121].map(is_before), [false, true, true, false]);
            for wrong in [format!("{text}.x"), text.replace("conn_", "app_"), text.replace('.', "")] {
                headers.insert(header::COOKIE, HeaderValue::from_str(&wrong).unwrap());
                assert_eq!(Begun::of(&headers), None, "{wrong}");
            }
        }
    }

    #[test]
    fn c28_only_the_browser_with_the_secret_holds_the_flow() {
        let random = Random::sequence(2);
        let flow = FlowId::new(&random, Moment::from_millis(1));
        let secret = random.token();
        let mut headers = HeaderMap::new();
        assert!(!holds_flow(&headers, flow, secret.digest()));
        let application = Some(ApplicationId::from_u128(7));
        let remembered = Remembered { application, language: Some(Language::GERMAN) };
        let cookie = open_flow(&headers, flow, &secret, &remembered).remove(0);
        let text = cookie.to_str().unwrap();
        assert!(text.contains("Secure") && text.contains("HttpOnly") && text.contains("SameSite=Lax"));
        headers.insert(header::COOKIE, HeaderValue::from_str(text.split(';').next().unwrap()).unwrap());
        assert!(holds_flow(&headers, flow, secret.digest()));
        assert!(!holds_flow(&headers, flow, random.token().digest()));
        assert_eq!(Remembered::of(&headers, flow), remembered);
        for step in ["", "/identify"] {
            assert_eq!(Remembered::at(&headers, &format!("/login/{flow}{step}")), remembered);
        }
        assert_eq!(Remembered::at(&headers, "/login"), Remembered::default());
        let other = FlowId::new(&random, Moment::from_millis(2));
        assert_eq!(Remembered::of(&headers, other), Remembered::default());
        let cookie = open_flow(&headers, other, &secret, &Remembered::default()).remove(0);
        headers.insert(
            header::COOKIE,
            HeaderValue::from_str(cookie.to_str().unwrap().split(';').next().unwrap()).unwrap(),
        );
        assert_eq!(Remembered::of(&headers, other), Remembered::default());
        assert!(holds_flow(&headers, other, secret.digest()));
    }
}
