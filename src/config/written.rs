//! Values that operators write in more ways than one, and what they are told of any other.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error};

/// The port of DNS (RFC 1035, section 4.2).
const DOMAIN: u16 = 53;

/// Where to listen.
pub(super) fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let wanted = "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080; 0.0.0.0:8080 is every IPv4 \
                  address of this machine";
    String::deserialize(from)?.parse().map_err(|_| D::Error::custom(wanted))
}

/// Networks; an address alone is a network of one.
pub(super) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let wanted = "must be IP addresses or networks, such as 10.0.0.2 or 10.0.0.0/8";
    let network = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let networks = Vec::<String>::deserialize(from)?.iter().map(network).collect::<Result<_, _>>();
    networks.map_err(|_| D::Error::custom(wanted))
}

/// Resolvers; without a port, at that of DNS.
pub(super) fn resolvers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    let wanted = "must be IP addresses, with a port if it is not 53, such as 192.0.2.53 or 127.0.0.1:5353";
    let at = |text: &String| {
        text.parse().or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DOMAIN)))
    };
    let resolvers = Vec::<String>::deserialize(from)?.iter().map(at).collect::<Result<_, _>>();
    resolvers.map_err(|_| D::Error::custom(wanted))
}
