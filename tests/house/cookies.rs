//! A cookie jar that keeps the rules a browser keeps (RFC 6265bis), SameSite aside: all is one site on loopback.

use cookie::Cookie;
use cookie::time::OffsetDateTime;
use url::Url;

/// What one visitor's browser has been given.
#[derive(Clone, Debug, Default)]
pub struct Jar(Vec<Kept>);

#[derive(Clone, Debug)]
struct Kept {
    cookie: Cookie<'static>,
    host: String,
    path: String,
}

impl Jar {
    /// Keeps, replaces or forgets what one `Set-Cookie` of `url` says; a browser ignores one that breaks a rule.
    pub fn take(&mut self, url: &Url, set_cookie: &str) {
        let Ok(cookie) = Cookie::parse(set_cookie.to_owned()) else { return };
        if !may_be_set(&cookie, url) {
            return;
        }
        let host = host(url);
        let path =
            cookie.path().filter(|path| path.starts_with('/')).map_or_else(|| folder(url), str::to_owned);
        self.0
            .retain(|kept| !(kept.cookie.name() == cookie.name() && kept.host == host && kept.path == path));
        if !is_over(&cookie) {
            self.0.push(Kept { cookie, host, path });
        }
    }

    /// The `Cookie` header for a request to `url`; `None` without any.
    pub fn header(&self, url: &Url) -> Option<String> {
        let sent: Vec<String> = self.sent_to(url).map(|kept| kept.cookie.stripped().to_string()).collect();
        (!sent.is_empty()).then(|| sent.join("; "))
    }

    /// The value of a cookie that would be sent to `url`.
    pub fn value(&self, url: &Url, name: &str) -> Option<&str> {
        self.sent_to(url).find(|kept| kept.cookie.name() == name).map(|kept| kept.cookie.value())
    }

    fn sent_to(&self, url: &Url) -> impl Iterator<Item = &Kept> {
        self.0.iter().filter(|kept| {
            kept.host == host(url)
                && covers(&kept.path, url.path())
                && (is_secure(url) || !kept.cookie.secure().unwrap_or(false))
        })
    }
}

fn may_be_set(cookie: &Cookie<'_>, url: &Url) -> bool {
    let secure = cookie.secure().unwrap_or(false);
    let for_host = secure && cookie.domain().is_none() && cookie.path() == Some("/");
    let name = cookie.name().to_ascii_lowercase();
    (is_secure(url) || !secure)
        && (!name.starts_with("__secure-") || secure)
        && (!name.starts_with("__host-") || for_host)
        && cookie.domain().is_none_or(|domain| domain.trim_start_matches('.') == host(url))
}

fn is_over(cookie: &Cookie<'_>) -> bool {
    match cookie.max_age() {
        Some(age) => !age.is_positive(),
        None => cookie.expires_datetime().is_some_and(|end| end <= OffsetDateTime::now_utc()),
    }
}

/// Browsers hold loopback to be as trustworthy as TLS (W3C Secure Contexts, section 3.1).
fn is_secure(url: &Url) -> bool {
    let host = host(url);
    url.scheme() == "https"
        || host == "localhost"
        || host.ends_with(".localhost")
        || host == "127.0.0.1"
        || host == "[::1]"
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// The default path of RFC 6265, section 5.1.4.
fn folder(url: &Url) -> String {
    match url.path().rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => url.path()[..end].to_owned(),
    }
}

/// RFC 6265, section 5.1.4.
fn covers(cookie_path: &str, path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_keeps_host_cookies_without_tls_and_sends_them_back() {
        let (mut jar, here) = (Jar::default(), url("http://127.0.0.1:1/login"));
        jar.take(&here, "__Host-session=a; Secure; HttpOnly; SameSite=Lax; Path=/");
        assert_eq!(jar.header(&here).unwrap(), "__Host-session=a");
        assert_eq!(jar.header(&url("http://localhost:1/login")), None);
    }

    #[test]
    fn a_host_cookie_that_breaks_its_rule_is_ignored() {
        let (mut jar, here) = (Jar::default(), url("http://127.0.0.1:1/login"));
        for broken in
            ["__Host-a=1; Path=/", "__Host-a=1; Secure", "__Host-a=1; Secure; Path=/; Domain=127.0.0.1"]
        {
            jar.take(&here, broken);
            assert_eq!(jar.header(&here), None, "{broken}");
        }
    }

    #[test]
    fn a_secure_cookie_stays_away_from_a_plain_host() {
        let mut jar = Jar::default();
        jar.take(&url("http://a.test/"), "a=1; Secure; Path=/");
        jar.take(&url("https://a.test/"), "b=1; Secure; Path=/");
        assert_eq!(jar.header(&url("http://a.test/")), None);
        assert_eq!(jar.header(&url("https://a.test/")).unwrap(), "b=1");
    }

    #[test]
    fn an_ended_cookie_is_forgotten_and_a_path_is_kept_to() {
        let (mut jar, here) = (Jar::default(), url("http://127.0.0.1/a/b"));
        jar.take(&here, "one=1; Path=/a");
        jar.take(&here, "two=2");
        assert_eq!(jar.header(&url("http://127.0.0.1/a")).unwrap(), "one=1; two=2");
        assert_eq!(jar.header(&url("http://127.0.0.1/ab")), None);
        jar.take(&here, "one=; Path=/a; Max-Age=0");
        jar.take(&here, "two=; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(jar.header(&here), None);
    }
}
