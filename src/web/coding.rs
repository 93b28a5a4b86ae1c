//! The coding of a body (RFC 9110, section 8.4). None is read here: taken for what it is not, a body would be told to be
//! malformed, or be believed under a header that says that it is another one.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::reply;
use crate::protocol::oauth::error::OAuthError;

pub const STATUS: StatusCode = StatusCode::UNSUPPORTED_MEDIA_TYPE;
pub const WHY: &str = "the body must be sent as it is: without Content-Encoding";

/// Whether a body is said to be in any coding; `identity` is none (section 8.4.1).
pub fn is_any(headers: &HeaderMap) -> bool {
    let is_none = |coding: &str| matches!(coding.trim().to_ascii_lowercase().as_str(), "" | "identity");
    let plain = |value: &HeaderValue| value.to_str().is_ok_and(|list| list.split(',').all(is_none));
    !headers.get_all(header::CONTENT_ENCODING).iter().all(plain)
}

/// Says which one would be read (section 15.5.16).
pub fn advise(response: &mut Response) {
    response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Who speaks OAuth is told so, if it is in any.
pub fn refusal(headers: &HeaderMap) -> Option<Response> {
    is_any(headers).then(|| {
        let mut response = reply::oauth_error(STATUS, &OAuthError::invalid_request(WHY));
        advise(&mut response);
        response
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_no_coding_however_it_is_written() {
        let is_any = |lines: &[&'static str]| {
            let lines = lines.iter().map(|line| (header::CONTENT_ENCODING, HeaderValue::from_static(line)));
            super::is_any(&lines.collect())
        };
        for lines in [&[][..], &["identity"], &["Identity"], &["identity, identity"], &["identity", ""]] {
            assert!(!is_any(lines), "{lines:?}");
        }
        for lines in [&["gzip"][..], &["x-unknown"], &["identity, gzip"], &["identity", "br"], &["gzip;q=1"]]
        {
            assert!(is_any(lines), "{lines:?}");
        }
    }
}
