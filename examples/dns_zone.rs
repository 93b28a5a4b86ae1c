//! A tiny authoritative DNS server: it knows a few TXT records and answers about them over UDP and TCP.
//!
//! Behalf believes that a customer owns an email domain when it finds its own text there. In production that
//! text stands in the customer's public DNS; on a laptop it can stand here:
//!
//! ```text
//! cargo run --example dns_zone -- 127.0.0.1:5353 _behalf-challenge.my-corp.example=the-text-that-behalf-shows
//! ```
//!
//! and in `behalf.toml`: `[dns] resolvers = ["127.0.0.1:5353"]`.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use hickory_resolver::proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long an answer may be kept, in seconds: not at all, so that a change is seen at once.
const TTL: u32 = 0;
/// Longest character string inside a TXT record, in bytes (RFC 1035, section 3.3).
const STRING: usize = 255;

/// The TXT records, by name. Clones share them.
#[derive(Clone, Default)]
pub struct Zone(Arc<RwLock<HashMap<Name, Vec<String>>>>);

impl Zone {
    /// Adds a record; it is served from now on.
    ///
    /// # Errors
    /// `name` is not a domain name.
    pub fn publish(&self, name: &str, text: &str) -> Result<(), Error> {
        let mut name = Name::from_ascii(name)?;
        name.set_fqdn(true);
        let mut records = self.0.write().unwrap_or_else(PoisonError::into_inner);
        records.entry(name).or_default().push(text.to_owned());
        Ok(())
    }

    /// Answers one message; `None` if it is no question.
    fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        let asked = Message::from_vec(message).ok()?;
        let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
        answer.metadata.authoritative = true;
        answer.metadata.recursion_desired = asked.metadata.recursion_desired;
        // To the letter: a resolver mixes upper and lower case into the name, and a forger cannot know how.
        answer.queries.clone_from(&asked.queries);
        match (asked.metadata.op_code, asked.queries.as_slice()) {
            (OpCode::Query, [question]) => self.look_up(question, &mut answer),
            _ => answer.metadata.response_code = ResponseCode::NotImp,
        }
        answer.to_vec().ok()
    }

    fn look_up(&self, question: &Query, answer: &mut Message) {
        let records = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // Names are compared without regard to case.
        let Some(texts) = records.get(question.name()) else {
            answer.metadata.response_code = ResponseCode::NXDomain;
            return;
        };
        if question.query_type() == RecordType::TXT {
            answer.answers.extend(texts.iter().map(|text| record(question.name(), text)));
        }
    }
}

fn record(name: &Name, text: &str) -> Record {
    let strings = text.as_bytes().chunks(STRING).collect();
    Record::from_rdata(name.clone(), TTL, RData::TXT(TXT::from_bytes(strings)))
}

/// Serves the zone for as long as the program runs. Port 0 stands for any that is free.
///
/// # Errors
/// The address cannot be listened on, by UDP or by TCP.
pub async fn serve(zone: Zone, address: SocketAddr) -> io::Result<SocketAddr> {
    let tcp = TcpListener::bind(address).await?;
    let bound = tcp.local_addr()?;
    let udp = UdpSocket::bind(bound).await?;
    tokio::spawn(serve_udp(zone.clone(), udp));
    tokio::spawn(serve_tcp(zone, tcp));
    Ok(bound)
}

async fn serve_udp(zone: Zone, socket: UdpSocket) {
    let mut buffer = [0; 1232];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(answer) = zone.answer(&buffer[..length]) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

async fn serve_tcp(zone: Zone, listener: TcpListener) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(zone.clone(), stream));
        }
    }
}

/// Each message follows its length in two bytes (RFC 1035, section 4.2.2).
async fn converse(zone: Zone, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let mut message = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut message).await?;
        let Some(answer) = zone.answer(&message) else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        stream.write_u16(length).await?;
        stream.write_all(&answer).await?;
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:5353".into()).parse()?;
    let zone = Zone::default();
    for argument in arguments {
        let (name, text) = argument.split_once('=').ok_or("a record is written as NAME=TEXT")?;
        zone.publish(name, text)?;
    }
    println!("TXT records are served at {}", serve(zone, address).await?);
    tokio::signal::ctrl_c().await?;
    Ok(())
}
