//! Redirect URIs: what may be registered, and what matches it (RFC 9700, section 4.1; RFC 8252, section 7.3).

use serde::{Deserialize, Serialize};
use url::Url;

/// A registered redirect URI, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    #[error("it is not an absolute URI in printable ASCII")]
    NotAbsolute,
    #[error("it has a fragment")]
    Fragment,
    #[error("it has a user name or password")]
    UserInfo,
    #[error("it has a wildcard")]
    Wildcard,
    #[error("its path has a segment that means another place")]
    DotSegment,
    #[error(
        "its scheme is not https, http on this computer (127.0.0.1, [::1], localhost), or a reversed domain such as com.example.app"
    )]
    Scheme,
}

impl RedirectUri {
    /// Checks a URI that somebody wants to register.
    pub fn register(text: &str) -> Result<Self, RedirectUriError> {
        if text.is_empty() || text.len() > 2000 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RedirectUriError::NotAbsolute);
        }
        let url = Url::parse(text).map_err(|_| RedirectUriError::NotAbsolute)?;
        if text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        if text.contains('*') {
            return Err(RedirectUriError::Wildcard);
        }
        if text.contains(['\\', '"', '<', '>']) {
            return Err(RedirectUriError::NotAbsolute);
        }
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" if !host.is_empty() => {}
            "http" if matches!(host, "127.0.0.1" | "[::1]" | "localhost") => {}
            "http" | "https" => return Err(RedirectUriError::Scheme),
            // A private-use scheme is a reversed domain name (RFC 8252, section 7.1): it has a dot, unlike
            // `javascript`, `data` and their kin.
            scheme if scheme.contains('.') => return Ok(Self(text.into())),
            _ => return Err(RedirectUriError::Scheme),
        }
        let authority = text.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(RedirectUriError::UserInfo);
        }
        // Whatever the parser would rewrite is read in two ways by somebody: refuse it.
        let path = text.split('?').next().unwrap_or_default();
        let segment =
            |part: &str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".." | "..;");
        if path.split('/').skip(3).any(segment) {
            return Err(RedirectUriError::DotSegment);
        }
        Ok(Self(text.into()))
    }

    /// Byte for byte the registered one; only the port of a loopback IP literal may differ (RFC 8252, 7.3).
    pub fn matches(&self, requested: &str) -> bool {
        self.0 == requested
            || matches!((loopback(&self.0), loopback(requested)), (Some(ours), Some(theirs)) if ours == theirs)
    }

    /// The host of an https address; what is on this computer, or of a private scheme, has none of its own.
    pub fn own_host(&self) -> Option<String> {
        let url = Url::parse(&self.0).ok().filter(|url| url.scheme() == "https")?;
        let host = url.host_str().filter(|host| !matches!(*host, "127.0.0.1" | "[::1]" | "localhost"))?;
        Some(host.to_owned())
    }

    /// Whether this is of the same scheme, host and port; one of a private scheme is nobody's.
    pub fn is_beside(&self, address: &WebAddress) -> bool {
        Url::parse(&self.0).is_ok_and(|url| url.origin() == address.0.origin())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A registered address of the web: as a [`RedirectUri`], and never of a private scheme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebAddress(Url);

impl WebAddress {
    /// Checks an address that somebody wants to register.
    ///
    /// # Errors
    /// As [`RedirectUri::register`], and a scheme of somebody's own.
    pub fn register(text: &str) -> Result<Self, RedirectUriError> {
        RedirectUri::register(text)?;
        let url = Url::parse(text).map_err(|_| RedirectUriError::NotAbsolute)?;
        if matches!(url.scheme(), "https" | "http") { Ok(Self(url)) } else { Err(RedirectUriError::Scheme) }
    }

    pub fn url(&self) -> &Url {
        &self.0
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Where a client publishes an authorization request: as a [`WebAddress`], and perhaps with a hash of what is there behind a
/// `#`, by which its writer tells one content from another (OpenID Connect Core, section 6.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestUri {
    text: String,
    /// Without the hash: nobody is asked for that.
    address: WebAddress,
}

impl RequestUri {
    /// Checks an address that somebody wants to register.
    ///
    /// # Errors
    /// As [`WebAddress::register`]; and a fragment that is no hash in base64url.
    pub fn register(text: &str) -> Result<Self, RedirectUriError> {
        let (address, hash) = match text.split_once('#') {
            Some((address, hash)) => (address, Some(hash)),
            None => (text, None),
        };
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte);
        if hash.is_some_and(|hash| hash.is_empty() || hash.len() > 128 || !hash.bytes().all(is_base64url)) {
            return Err(RedirectUriError::Fragment);
        }
        let address = WebAddress::register(address)?;
        let text =
            hash.map_or_else(|| address.as_str().to_owned(), |hash| format!("{}#{hash}", address.as_str()));
        Ok(Self { text, address })
    }

    /// Where it is asked for.
    pub fn url(&self) -> &Url {
        self.address.url()
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for RequestUri {
    type Error = RedirectUriError;
    fn try_from(text: String) -> Result<Self, RedirectUriError> {
        Self::register(&text)
    }
}

impl From<RequestUri> for String {
    fn from(uri: RequestUri) -> Self {
        uri.text
    }
}

impl TryFrom<String> for WebAddress {
    type Error = RedirectUriError;
    fn try_from(text: String) -> Result<Self, RedirectUriError> {
        Self::register(&text)
    }
}

impl From<WebAddress> for String {
    fn from(address: WebAddress) -> Self {
        address.0.into()
    }
}

/// The literal and what follows the port of an `http` URI on a loopback IP literal.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let literal = ["127.0.0.1", "[::1]"].into_iter().find(|literal| rest.starts_with(literal))?;
    let after = &rest[literal.len()..];
    let path = match after.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            port[..digits].parse::<u16>().ok()?;
            &port[digits..]
        }
        None => after,
    };
    (path.is_empty() || path.starts_with(['/', '?'])).then_some((literal, path))
}

impl TryFrom<String> for RedirectUri {
    type Error = RedirectUriError;
    fn try_from(text: String) -> Result<Self, RedirectUriError> {
        Self::register(&text)
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn c26_what_may_not_be_registered() {
        for (text, why) in [
            ("", RedirectUriError::NotAbsolute),
            ("/callback", RedirectUriError::NotAbsolute),
            ("https://a.test/cb#x", RedirectUriError::Fragment),
            ("https://ann@a.test/cb", RedirectUriError::UserInfo),
            ("https://*.a.test/cb", RedirectUriError::Wildcard),
            ("http://a.test/cb", RedirectUriError::Scheme),
            ("http://localhost.evil.test/cb", RedirectUriError::Scheme),
            ("JaVaScRiPt:alert(1)", RedirectUriError::Scheme),
            ("data:text/html,x", RedirectUriError::Scheme),
            ("https://a.test/a/../b", RedirectUriError::DotSegment),
            ("https://a.test/a/%2e%2E/b", RedirectUriError::DotSegment),
            ("https://a.test/a/..;/b", RedirectUriError::DotSegment),
            ("https://a.test\\@evil.test/", RedirectUriError::NotAbsolute),
            ("https://a.test/ x", RedirectUriError::NotAbsolute),
        ] {
            assert_eq!(RedirectUri::register(text), Err(why), "{text}");
        }
    }

    #[test]
    fn c26_an_address_of_the_web_has_no_scheme_of_its_own() {
        assert!(WebAddress::register("https://a.test/bye?x=1").is_ok());
        assert!(WebAddress::register("http://127.0.0.1:7/bye").is_ok());
        for text in ["com.example.app:/bye", "http://a.test/bye", "https://a.test/#x", "javascript:alert(1)"]
        {
            assert!(WebAddress::register(text).is_err(), "{text}");
        }
    }

    #[test]
    fn m03_what_is_beside_an_address_has_its_scheme_host_and_port() {
        for (uri, address, is_beside) in [
            ("https://a.test/cb", "https://a.test/out?x=1", true),
            ("https://A.test/cb", "https://a.test:443/out", true),
            ("http://127.0.0.1:7/cb", "http://127.0.0.1:7/out", true),
            ("https://a.test/cb", "https://b.test/out", false),
            ("https://a.test/cb", "https://x.a.test/out", false),
            ("https://a.test/cb", "https://a.test:8443/out", false),
            ("https://127.0.0.1/cb", "http://127.0.0.1/out", false),
            ("http://127.0.0.1:7/cb", "http://127.0.0.1:8/out", false),
            ("com.example.app://a.test/cb", "https://a.test/out", false),
        ] {
            let (uri, at) = (RedirectUri::register(uri).unwrap(), WebAddress::register(address).unwrap());
            assert_eq!(uri.is_beside(&at), is_beside, "{uri:?} {address}");
        }
    }

    #[test]
    fn c27_m21_a_request_is_asked_for_without_the_hash_that_names_it() {
        let hash = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        for text in [format!("https://a.test/r.jwt#{hash}"), "https://a.test/r.jwt?x=1".into()] {
            let uri = RequestUri::register(&text).unwrap();
            assert_eq!(uri.as_str(), text);
            assert_eq!(uri.url().fragment(), None);
            assert_eq!(RequestUri::try_from(String::from(uri.clone())), Ok(uri));
        }
        let long = format!("https://a.test/#{}", "x".repeat(129));
        for text in [
            "https://a.test/#",
            "https://a.test/#a b",
            "https://a.test/#a#b",
            "http://a.test/#x",
            &long,
            "#x",
        ] {
            assert!(RequestUri::register(text).is_err(), "{text}");
        }
    }

    #[test]
    fn c26_only_the_port_of_a_loopback_literal_may_differ() {
        let native = RedirectUri::register("http://127.0.0.1/cb").unwrap();
        assert!(native.matches("http://127.0.0.1:49152/cb"));
        for other in [
            "http://127.0.0.1:1/cb/",
            "http://127.0.0.1:x/cb",
            "http://127.0.0.1:99999/cb",
            "http://[::1]:1/cb",
            "http://127.0.0.1.evil.test/cb",
            "http://127.0.0.1:1@evil.test/cb",
            "http://localhost:1/cb",
            "https://127.0.0.1/cb",
        ] {
            assert!(!native.matches(other), "{other}");
        }
        let local = RedirectUri::register("http://localhost:3000/cb").unwrap();
        assert!(local.matches("http://localhost:3000/cb") && !local.matches("http://localhost:3001/cb"));
    }
}
