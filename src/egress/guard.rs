//! Where a customer's address may lead: the public internet, by HTTPS, and nowhere else.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// What an address that a customer wrote may be. The default is the strictest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// `http` besides `https`.
    pub plain_http: bool,
    /// Whatever port.
    pub any_port: bool,
    /// The ports that are open otherwise.
    pub ports: Vec<u16>,
    /// 127.0.0.0/8 and `::1` besides public addresses.
    pub loopback: bool,
}

impl Default for Guard {
    fn default() -> Self {
        Self { plain_http: false, any_port: false, ports: vec![443], loopback: false }
    }
}

/// Why an address was refused: for the log, not for the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Scheme,
    UserInfo,
    Port(u16),
    Host,
    /// The host is, or one of the addresses of its name is, not on the public internet.
    Address,
}

impl Guard {
    pub fn new(settings: &crate::config::Egress) -> Self {
        let open = settings.allow_loopback_and_http;
        Self { plain_http: open, any_port: open, ports: settings.ports.clone(), loopback: open }
    }

    /// Judges what the URL itself tells. A host that is a literal address never meets the resolver, so it
    /// is judged here; `url` has already read its decimal, octal, hexadecimal and short forms.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        let port = url.port_or_known_default().unwrap_or_default();
        let checks: [(Refusal, bool); 4] = [
            (Refusal::Scheme, url.scheme() == "https" || (self.plain_http && url.scheme() == "http")),
            (Refusal::UserInfo, url.username().is_empty() && url.password().is_none()),
            (Refusal::Port(port), self.any_port || self.ports.contains(&port)),
            (Refusal::Host, url.host().is_some()),
        ];
        if let Some((refusal, _)) = checks.into_iter().find(|(_, passed)| !passed) {
            return Err(refusal);
        }
        match url.host() {
            Some(Host::Ipv4(ip)) if !self.allows(ip.into()) => Err(Refusal::Address),
            Some(Host::Ipv6(ip)) if !self.allows(ip.into()) => Err(Refusal::Address),
            _ => Ok(()),
        }
    }

    pub fn allows(&self, ip: IpAddr) -> bool {
        is_public(ip) || (self.loopback && ip.is_loopback())
    }

    /// All addresses of a name must be allowed: a mixed answer is somebody's attempt.
    pub fn allows_all(&self, ips: &[IpAddr]) -> bool {
        !ips.is_empty() && ips.iter().all(|ip| self.allows(*ip))
    }
}

impl Refusal {
    /// For whoever wrote the address: what it says itself, and nothing of the settings.
    pub fn public(self) -> &'static str {
        match self {
            Self::Scheme => "it must be https",
            Self::UserInfo => "it holds a user or a password",
            Self::Port(_) => "its port is not among those that are open",
            Self::Host => "it has no host",
            Self::Address => "its host is not on the public internet",
        }
    }
}

/// For the operator, who may know, and says in the settings what is allowed.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => {
                f.write_str("it must be https (egress.allow_loopback_and_http is for development)")
            }
            Self::UserInfo => f.write_str("it holds a user or a password"),
            Self::Port(port) => write!(f, "port {port} is not among egress.ports"),
            Self::Host => f.write_str("it has no host"),
            Self::Address => f.write_str(
                "its host is, or leads to, an address that is not on the public internet \
                     (egress.allow_loopback_and_http opens this machine, for development)",
            ),
        }
    }
}

/// Whether the address is global unicast, and not a way to write another one (IPv4 inside IPv6, tunnels
/// and translators). By the special-purpose registries of RFC 6890 and its updates.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    !matches!(
        ip.octets(),
        [0 | 10 | 127, ..]            // this network, private, loopback
            | [100, 64..=127, ..]     // carrier-grade NAT
            | [169, 254, ..]          // link-local, cloud metadata
            | [172, 16..=31, ..]      // private
            | [192, 0, 0 | 2, _]      // protocol assignments, documentation
            | [192, 88, 99, _]        // 6to4 relays
            | [192, 168, ..]          // private
            | [198, 18 | 19, ..]      // benchmarking
            | [198, 51, 100, _]       // documentation
            | [203, 0, 113, _]        // documentation
            | [224..=255, ..] // multicast, reserved, broadcast
    )
}

/// Only 2000::/3 is given out as global unicast, so that `::`, `::1`, IPv4-mapped and -compatible, NAT64
/// (64:ff9b::/96 and 64:ff9b:1::/48), 100::/64, fc00::/7, fe80::/10, fec0::/10 and ff00::/8 fall outside.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        [0x2001, 0..=0x01ff, ..] => false, // protocol assignments: Teredo, ORCHID, benchmarking
        [0x2001, 0x0db8, ..] => false,     // documentation
        [0x2002, ..] => false,             // 6to4
        [0x3fff, 0..=0x0fff, ..] => false, // documentation
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOT_PUBLIC: &[&str] = &[
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.0",
        "192.0.2.255",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.0",
        "198.51.100.255",
        "203.0.113.0",
        "203.0.113.255",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::808:808",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:808:808",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2001:db8:ffff::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff:ffff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "feff::1",
        "ff00::1",
        "ff02::1",
    ];

    const PUBLIC: &[&str] = &[
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "203.0.114.0",
        "223.255.255.255",
        "2000::1",
        "2001:200::1",
        "2001:db7:ffff::1",
        "2001:db9::1",
        "2003::1",
        "2a00:1450::1",
        "3ffe::1",
        "3fff:1000::1",
    ];

    #[test]
    fn c27_only_global_unicast_is_public() {
        for text in NOT_PUBLIC {
            assert!(!is_public(text.parse().unwrap()), "{text} is not public");
        }
        for text in PUBLIC {
            assert!(is_public(text.parse().unwrap()), "{text} is public");
        }
    }

    #[test]
    fn c27_a_name_is_refused_for_one_bad_address_and_for_none() {
        let guard = Guard::default();
        let good: IpAddr = "9.9.9.9".parse().unwrap();
        let bad: IpAddr = "10.0.0.1".parse().unwrap();
        assert!(guard.allows_all(&[good]));
        assert!(!guard.allows_all(&[good, bad]));
        assert!(!guard.allows_all(&[]));
    }

    #[test]
    fn c27_the_url_itself_tells_why_it_is_refused() {
        let check = |text: &str| Guard::default().check(&Url::parse(text).unwrap());
        assert_eq!(check("https://idp.test/x?y"), Ok(()));
        assert_eq!(check("https://idp.test:443/"), Ok(()));
        assert_eq!(check("http://idp.test/"), Err(Refusal::Scheme));
        assert_eq!(check("http://idp.test:443/"), Err(Refusal::Scheme));
        assert_eq!(check("ftp://idp.test/"), Err(Refusal::Scheme));
        assert_eq!(check("file:///etc/passwd"), Err(Refusal::Scheme));
        assert_eq!(check("https://idp.test:8443/"), Err(Refusal::Port(8443)));
        let wider = Guard { ports: vec![443, 8443], ..Guard::default() };
        assert_eq!(wider.check(&Url::parse("https://idp.test:8443/").unwrap()), Ok(()));
        assert_eq!(wider.check(&Url::parse("https://idp.test:22/").unwrap()), Err(Refusal::Port(22)));
        assert_eq!(wider.check(&Url::parse("http://idp.test:8443/").unwrap()), Err(Refusal::Scheme));
        assert_eq!(check("https://ann@idp.test/"), Err(Refusal::UserInfo));
        assert_eq!(check("https://:word@idp.test/"), Err(Refusal::UserInfo));
        assert_eq!(check("https://017700000001/"), Err(Refusal::Address));
        assert_eq!(check("https://[::ffff:7f00:1]/"), Err(Refusal::Address));
    }
}
