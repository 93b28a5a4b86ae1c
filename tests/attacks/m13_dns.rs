//! M13, C16: whoever controls a resolver, a cache or a neighbouring name neither proves a domain nor makes
//! one lapse.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use behalf::config;
use behalf::egress::dns::{Dns, DnsError, TxtAnswer};
use tokio::net::UdpSocket;

use crate::house::dns::{DnsZone, nameserver};
use crate::house::ports::free_port;

const NAME: &str = "_behalf-challenge.a.test";

fn asking(resolvers: &[SocketAddr]) -> Dns {
    waiting(5, resolvers)
}

fn waiting(timeout: u64, resolvers: &[SocketAddr]) -> Dns {
    Dns::new(&config::Dns { resolvers: resolvers.to_vec(), timeout, ..Default::default() }).unwrap()
}

fn records(values: &[&str]) -> Result<TxtAnswer, DnsError> {
    Ok(TxtAnswer::Records(values.iter().map(ToString::to_string).collect()))
}

#[tokio::test]
async fn c16_a_published_record_is_found_and_another_name_has_none() {
    let zone = DnsZone::with_txt(&[(NAME, "behalf=token"), ("other.a.test", "behalf=other")]);
    let dns = asking(&[zone.address()]);
    assert_eq!(dns.txt(NAME).await, records(&["behalf=token"]));
    assert_eq!(dns.txt("_behalf-challenge.a.test.").await, records(&["behalf=token"]));
    assert_eq!(dns.txt("_BEHALF-Challenge.A.test").await, records(&["behalf=token"]));
    assert_eq!(dns.txt("_behalf-challenge.b.test").await, Ok(TxtAnswer::Absent));
    assert_eq!(dns.txt("not..a.name").await, Err(DnsError::BadName));
}

#[tokio::test]
async fn c15_each_question_is_asked_anew() {
    let mut zone = DnsZone::with_txt(&[]);
    let dns = asking(&[zone.address()]);
    assert_eq!(dns.txt(NAME).await, Ok(TxtAnswer::Absent));
    zone.restart_with_txt(&[(NAME, "first")]);
    assert_eq!(dns.txt(NAME).await, records(&["first"]));
    zone.restart_with_txt(&[(NAME, "second")]);
    assert_eq!(dns.txt(NAME).await, records(&["second"]));
    zone.restart_with_txt(&[]);
    assert_eq!(dns.txt(NAME).await, Ok(TxtAnswer::Absent));
}

#[tokio::test]
async fn c16_a_refusal_or_a_dead_resolver_is_not_a_miss() {
    let refusing = DnsZone::refusing();
    assert_eq!(asking(&[refusing.address()]).txt(NAME).await, Err(DnsError::ServerFailure));
    let dead = SocketAddr::from(([127, 0, 0, 1], free_port()));
    assert_eq!(waiting(1, &[dead]).txt(NAME).await, Err(DnsError::Timeout));
}

#[tokio::test]
async fn m13_one_lying_resolver_neither_proves_nor_disproves() {
    let honest = DnsZone::with_txt(&[(NAME, "true")]);
    let adding = DnsZone::with_txt(&[(NAME, "true"), (NAME, "false")]);
    let hiding = DnsZone::with_txt(&[]);
    let twin = DnsZone::with_txt(&[(NAME, "true")]);
    for liar in [&adding, &hiding] {
        let dns = asking(&[honest.address(), liar.address()]);
        assert_eq!(dns.txt(NAME).await, Err(DnsError::Disagreement));
        let dns = asking(&[liar.address(), honest.address(), twin.address()]);
        assert_eq!(dns.txt(NAME).await, Err(DnsError::Disagreement));
    }
    assert_eq!(asking(&[honest.address(), twin.address()]).txt(NAME).await, records(&["true"]));
    let refusing = DnsZone::refusing();
    let dns = asking(&[honest.address(), refusing.address()]);
    assert_eq!(dns.txt(NAME).await, Err(DnsError::ServerFailure));
}

#[tokio::test]
async fn c16_m13_name_servers_are_known_where_all_resolvers_name_the_same() {
    let none = "--local=/#/".to_owned();
    let zone = |servers: &[&str]| {
        let servers = servers.iter().map(|server| nameserver("a.test", server));
        DnsZone::with(&std::iter::once(none.clone()).chain(servers).collect::<Vec<_>>())
    };
    let (one, other) = (zone(&["NS2.x.test", "ns1.x.test"]), zone(&["ns1.y.test"]));
    let told = asking(&[one.address()]).nameservers("a.test").await;
    assert_eq!(told, Ok(vec!["ns1.x.test.".into(), "ns2.x.test.".into()]));
    assert_eq!(asking(&[one.address()]).nameservers("b.test").await, Ok(Vec::new()));
    let told = asking(&[one.address(), other.address()]).nameservers("a.test").await;
    assert_eq!(told, Err(DnsError::Disagreement));
}

#[tokio::test]
async fn m13_a_long_record_is_joined_and_one_of_more_than_a_kilobyte_is_not_considered() {
    let long = "x".repeat(1024);
    let zone = DnsZone::with_txt(&[(NAME, &long), (NAME, "short")]);
    assert_eq!(asking(&[zone.address()]).txt(NAME).await, records(&["short", &long]));
    let longer = "x".repeat(1025);
    let zone = DnsZone::with_txt(&[(NAME, &longer)]);
    assert_eq!(asking(&[zone.address()]).txt(NAME).await, records(&[]));
}

#[tokio::test]
async fn m13_of_many_records_all_are_considered_by_tcp() {
    let values: Vec<_> = (0..40).map(|number| format!("{number:02}{}", "y".repeat(200))).collect();
    let mut published: Vec<_> = values.iter().map(|value| (NAME, value.as_str())).collect();
    let one = DnsZone::with_txt(&published);
    published.reverse();
    let other = DnsZone::with_txt(&published);
    let expected: Vec<_> = values.iter().map(String::as_str).collect();
    assert_eq!(asking(&[one.address(), other.address()]).txt(NAME).await, records(&expected));
}

#[tokio::test]
async fn m13_a_record_behind_an_alias_is_not_proof() {
    let arguments = ["--local=/#/", "--txt-record=t.b.test,token", &format!("--cname={NAME},t.b.test")];
    let zone = DnsZone::with(&arguments.map(str::to_owned));
    let dns = asking(&[zone.address()]);
    assert_eq!(dns.txt("t.b.test").await, records(&["token"]));
    assert_eq!(dns.txt(NAME).await, Ok(TxtAnswer::Absent));
}

#[tokio::test]
async fn m13_odd_answers_have_defined_results() {
    let txt = b"\x00\x10\x00\x01\x00\x00\x00\x00\x00\x06\x05token";
    let owned = [b"\xc0\x0c".as_slice(), txt].concat();
    let loops = [alias(b"\xc0\x0c", b"\x01b\x00"), alias(b"\x01b\x00", b"\xc0\x0c")].concat();
    let neighbour = [b"\x01b\x00".as_slice(), txt].concat();
    let chaos = b"\xc0\x0c\x00\x10\x00\x03\x00\x00\x00\x00\x00\x06\x05token".to_vec();
    let failed = Err(DnsError::ServerFailure);
    let stories = [
        ("an answer", 0x8180, 1, owned.clone(), records(&["token"])),
        ("a loop of aliases", 0x8180, 2, loops, Ok(TxtAnswer::Absent)),
        ("another name's record", 0x8180, 1, neighbour, Ok(TxtAnswer::Absent)),
        ("no such name", 0x8183, 0, vec![], Ok(TxtAnswer::Absent)),
        ("no such record", 0x8180, 0, vec![], Ok(TxtAnswer::Absent)),
        ("a referral by a server that does not recurse", 0x8100, 0, vec![], failed.clone()),
        ("SERVFAIL", 0x8182, 0, vec![], failed.clone()),
        ("SERVFAIL with an answer", 0x8182, 1, owned.clone(), failed.clone()),
        ("REFUSED", 0x8185, 0, vec![], failed.clone()),
        ("NOTIMP", 0x8184, 0, vec![], failed.clone()),
        ("truncated, and nobody at TCP", 0x8380, 1, owned, failed.clone()),
        ("another class", 0x8180, 1, chaos, Ok(TxtAnswer::Absent)),
        ("cut off in the middle", 0x8180, 1, b"\xc0\x0c\x00\x10".to_vec(), failed),
    ];
    for (story, flags, count, answers, expected) in stories {
        let resolver = saying(flags, count, answers).await;
        assert_eq!(asking(&[resolver]).txt(NAME).await, expected, "{story}");
    }
}

/// A CNAME record in wire format (RFC 1035, section 4.1.3).
fn alias(owner: &[u8], target: &[u8]) -> Vec<u8> {
    let length = u8::try_from(target.len()).unwrap();
    [owner, b"\x00\x05\x00\x01\x00\x00\x00\x00\x00", &[length], target].concat()
}

/// A resolver that gives everybody the same flags and answers (RFC 1035, section 4.1).
async fn saying(flags: u16, count: u16, answers: Vec<u8>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((_, from)) = socket.recv_from(&mut query).await {
            let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
            let counts = [&query[..2], &flags.to_be_bytes(), b"\0\x01", &count.to_be_bytes(), &[0; 4]];
            let reply = [&counts.concat(), &query[12..end], &answers].concat();
            socket.send_to(&reply, from).await.unwrap();
        }
    });
    address
}
