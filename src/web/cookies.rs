//! The cookies that bind login flows to the browser in which they began: one for each flow, so that many tabs do
//! not overwrite each other (threats C28, H25).

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};

use crate::foundation::id::FlowId;
use crate::foundation::secret::{Digest, Secret};

const PREFIX: &str = "__Host-behalf-flow-";

/// Flows that one browser may have open; opening one more drops the oldest.
const MOST: usize = 20;

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let fields = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// Whether the browser holds the secret of this flow.
pub fn holds_flow(headers: &HeaderMap, flow: FlowId, expected: Digest) -> bool {
    let name = format!("{PREFIX}{flow}");
    pairs(headers).any(|(key, value)| key == name && expected.matches(value))
}

/// Sets the cookie of a new flow, and drops those of the oldest ones beyond the cap.
pub fn open_flow(headers: &HeaderMap, flow: FlowId, secret: &Secret) -> Vec<HeaderValue> {
    let mut open: Vec<FlowId> =
        pairs(headers).filter_map(|(name, _)| name.strip_prefix(PREFIX)?.parse().ok()).collect();
    // Ids sort by the moment they were made.
    open.sort_unstable();
    let surplus = (open.len() + 1).saturating_sub(MOST);
    let dropped = open.into_iter().take(surplus).map(close_flow);
    std::iter::once(set(flow, secret.expose().to_owned(), None)).chain(dropped).collect()
}

/// Drops the cookie of a flow that is over.
pub fn close_flow(flow: FlowId) -> HeaderValue {
    set(flow, String::new(), Some(cookie::time::Duration::ZERO))
}

fn set(flow: FlowId, value: String, max_age: Option<cookie::time::Duration>) -> HeaderValue {
    let mut cookie = Cookie::build((format!("{PREFIX}{flow}"), value))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax);
    if let Some(age) = max_age {
        cookie = cookie.max_age(age);
    }
    // Our own name and a base64url value: always a valid header.
    HeaderValue::from_str(&cookie.build().to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::foundation::clock::Moment;
    use crate::foundation::random::Random;

    #[test]
    fn h25_opening_a_flow_drops_only_the_oldest_beyond_twenty() {
        let random = Random::sequence(1);
        let ids: Vec<_> = (0..20).map(|n| FlowId::new(&random, Moment::from_millis(n))).collect();
        let jar = ids.iter().map(|id| format!("{PREFIX}{id}=x")).collect::<Vec<_>>().join("; ");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&jar).unwrap());
        let set = open_flow(&headers, FlowId::new(&random, Moment::from_millis(99)), &random.token());
        assert_eq!(set.len(), 2);
        let dropped = set[1].to_str().unwrap();
        assert!(dropped.contains(&ids[0].to_string()) && dropped.contains("Max-Age=0"), "{dropped}");
    }

    #[test]
    fn c28_only_the_browser_with_the_secret_holds_the_flow() {
        let random = Random::sequence(2);
        let flow = FlowId::new(&random, Moment::from_millis(1));
        let secret = random.token();
        let mut headers = HeaderMap::new();
        assert!(!holds_flow(&headers, flow, secret.digest()));
        let cookie = open_flow(&headers, flow, &secret).remove(0);
        let text = cookie.to_str().unwrap();
        assert!(text.contains("Secure") && text.contains("HttpOnly") && text.contains("SameSite=Lax"));
        headers.insert(header::COOKIE, HeaderValue::from_str(text.split(';').next().unwrap()).unwrap());
        assert!(holds_flow(&headers, flow, secret.digest()));
        assert!(!holds_flow(&headers, flow, random.token().digest()));
    }
}
