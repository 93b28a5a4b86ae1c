//! The origin of a page that asks us by script (RFC 6454, section 6; the Fetch standard, section 3.2).

use serde::{Deserialize, Serialize};
use url::{Origin, Url};

/// One origin, byte for byte as a browser writes it: `https://app.example.com`, and `http` on this computer alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebOrigin(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebOriginError {
    #[error("there is no origin for everybody: each is named")]
    Everybody,
    #[error("null is what many pages have, none of which can be told from another")]
    Null,
    #[error(
        "it is not an origin as a browser writes it, such as https://app.example.com: no path, no slash at its end, and no port that goes without saying"
    )]
    Spelling,
    #[error("its scheme is not https, or http on this computer (127.0.0.1, [::1], localhost)")]
    Scheme,
}

impl WebOrigin {
    /// Checks an origin that somebody wants to register.
    ///
    /// # Errors
    /// `*`, `null`, other schemes, and whatever a browser would write in another way.
    pub fn register(text: &str) -> Result<Self, WebOriginError> {
        if text.contains('*') {
            return Err(WebOriginError::Everybody);
        }
        if text.eq_ignore_ascii_case("null") {
            return Err(WebOriginError::Null);
        }
        let url = Url::parse(text).map_err(|_| WebOriginError::Spelling)?;
        match (url.scheme(), url.host_str().unwrap_or_default()) {
            ("https", _) | ("http", "127.0.0.1" | "[::1]" | "localhost") => {}
            _ => return Err(WebOriginError::Scheme),
        }
        if text.len() > 300 || url.origin().ascii_serialization() != text {
            return Err(WebOriginError::Spelling);
        }
        Ok(Self(text.to_owned()))
    }

    /// The origin of an address, if pages of the web can have it.
    pub fn of(address: &str) -> Option<Self> {
        let origin = Url::parse(address).ok()?.origin();
        let is_of_a_page = matches!(origin, Origin::Tuple(..));
        is_of_a_page.then(|| Self::register(&origin.ascii_serialization()).ok()).flatten()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WebOrigin {
    type Error = WebOriginError;
    fn try_from(text: String) -> Result<Self, WebOriginError> {
        Self::register(&text)
    }
}

impl From<WebOrigin> for String {
    fn from(origin: WebOrigin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m16_an_origin_is_written_as_a_browser_writes_it() {
        for fine in ["https://app.test", "https://app.test:8443", "http://localhost:3000", "http://[::1]:7"] {
            assert_eq!(WebOrigin::register(fine).map(String::from).as_deref(), Ok(fine));
        }
        for (text, why) in [
            ("*", WebOriginError::Everybody),
            ("https://*.app.test", WebOriginError::Everybody),
            ("null", WebOriginError::Null),
            ("NULL", WebOriginError::Null),
            ("", WebOriginError::Spelling),
            ("app.test", WebOriginError::Spelling),
            ("https://app.test/", WebOriginError::Spelling),
            ("https://app.test/x", WebOriginError::Spelling),
            ("https://APP.test", WebOriginError::Spelling),
            ("https://app.test:443", WebOriginError::Spelling),
            ("https://ann@app.test", WebOriginError::Spelling),
            ("https://app.test?x", WebOriginError::Spelling),
            ("https://app.test#x", WebOriginError::Spelling),
            ("http://app.test", WebOriginError::Scheme),
            ("http://localhost.evil.test", WebOriginError::Scheme),
            ("javascript:alert(1)", WebOriginError::Scheme),
            ("data:text/html,x", WebOriginError::Scheme),
            ("file:///etc/passwd", WebOriginError::Scheme),
            ("com.example.app:/x", WebOriginError::Scheme),
        ] {
            assert_eq!(WebOrigin::register(text), Err(why), "{text}");
        }
        assert_eq!(
            WebOrigin::of("https://app.test/callback").map(String::from).as_deref(),
            Some("https://app.test")
        );
        assert_eq!(WebOrigin::of("com.example.app:/callback"), None);
    }
}
