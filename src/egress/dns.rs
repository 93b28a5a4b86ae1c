//! What a domain's owner has published: TXT records, asked for anew each time.
//!
//! Every resolver is asked, and all must say the same, so one lying or stale resolver neither proves a
//! domain nor takes one away. Nothing is cached, no search domain is tried, no alias is followed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::{DnsHandle, DnsRequestSender, FirstAnswer};
use hickory_resolver::proto::op::{
    DnsRequest, DnsRequestOptions, DnsResponse, MessageType, Query, ResponseCode,
};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::config;

/// Longest record that is considered, in bytes.
const RECORD_BYTES: usize = 1024;
/// Most name servers of one name that are considered.
const NAMESERVERS: usize = 20;

/// Asks resolvers about domain proofs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dns {
    resolvers: Vec<SocketAddr>,
    timeout: Duration,
}

/// What all resolvers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxtAnswer {
    /// The records of this very name, the strings of each joined, in byte order: all that are of at most 1 KiB, for any of them may be
    /// the proof.
    Records(Vec<String>),
    /// The name does not exist, or has no TXT record of its own, said with authority.
    Absent,
}

/// Why nothing is known. None of these is a miss: a domain must not lapse by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    #[error("not a domain name")]
    BadName,
    #[error("no resolvers: set dns.resolvers")]
    NoResolvers,
    #[error("a resolver did not answer in time")]
    Timeout,
    #[error("a resolver could not be reached, or answered with a failure")]
    ServerFailure,
    #[error("the resolvers do not agree")]
    Disagreement,
}

/// What one resolver says: the records, byte by byte, or that there are none.
type Said = Option<BTreeSet<Vec<u8>>>;

impl Dns {
    /// With `dns.resolvers`, or the machine's own. Without either every question fails, which is for the
    /// caller of [`Dns::txt`] to tell: a house without DNS still signs people in.
    pub fn new(settings: &config::Dns) -> Result<Self, DnsError> {
        let mut resolvers = settings.resolvers.clone();
        if resolvers.is_empty() {
            resolvers = machines_own();
        }
        Ok(Self { resolvers, timeout: Duration::from_secs(settings.timeout.max(1)) })
    }

    /// The TXT records at `name`, which is fully qualified, with or without its final dot.
    pub async fn txt(&self, name: &str) -> Result<TxtAnswer, DnsError> {
        let Some(records) = self.agreed(name, RecordType::TXT).await? else { return Ok(TxtAnswer::Absent) };
        let considered = records.into_iter().filter(|record| record.len() <= RECORD_BYTES);
        Ok(TxtAnswer::Records(
            considered.map(|record| String::from_utf8_lossy(&record).into_owned()).collect(),
        ))
    }

    /// The name servers of `name`, in lower case and in order; none where the name itself has none.
    pub async fn nameservers(&self, name: &str) -> Result<Vec<String>, DnsError> {
        let found = self.agreed(name, RecordType::NS).await?.unwrap_or_default();
        let names = found.into_iter().take(NAMESERVERS);
        Ok(names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect())
    }

    async fn agreed(&self, name: &str, kind: RecordType) -> Result<Said, DnsError> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsError::BadName)?;
        name.set_fqdn(true);
        if self.resolvers.is_empty() {
            return Err(DnsError::NoResolvers);
        }
        let questions = self.resolvers.iter().map(|resolver| self.ask(*resolver, &name, kind));
        let all = tokio::time::timeout(self.timeout, join_all(questions));
        let said = all.await.map_err(|_| DnsError::Timeout)?;
        agreed(said.into_iter().collect::<Result<Vec<_>, _>>()?)
    }

    /// By UDP first; by TCP if the answer did not fit, or if its spelling suggests a forgery.
    async fn ask(&self, resolver: SocketAddr, name: &Name, kind: RecordType) -> Result<Said, DnsError> {
        let query = Query::query(name.clone(), kind);
        let response = match self.by_udp(resolver, query.clone()).await {
            Ok(response) if response.truncation => self.by_tcp(resolver, query).await,
            Err(NetError::QueryCaseMismatch) => self.by_tcp(resolver, query).await,
            other => other,
        };
        let response = response.map_err(|error| {
            tracing::debug!(%resolver, %name, %error, "resolver failed");
            if matches!(error, NetError::Timeout) { DnsError::Timeout } else { DnsError::ServerFailure }
        })?;
        read(&response, name, kind)
    }

    async fn by_udp(&self, resolver: SocketAddr, query: Query) -> Result<DnsResponse, NetError> {
        let mut stream = UdpClientStream::builder(resolver, TokioRuntimeProvider::new())
            .with_timeout(Some(self.timeout))
            .build();
        let mut options = DnsRequestOptions::default();
        options.case_randomization = true;
        stream.send_message(DnsRequest::from_query(query, options)).first_answer().await
    }

    async fn by_tcp(&self, resolver: SocketAddr, query: Query) -> Result<DnsResponse, NetError> {
        // The provider owns the task that drives the connection, and ends it when this returns.
        let provider = TokioRuntimeProvider::new();
        let exchange =
            TcpClientStream::exchange(resolver, None, self.timeout, None, provider.clone()).await?;
        exchange.lookup(query, DnsRequestOptions::default()).first_answer().await
    }
}

fn machines_own() -> Vec<SocketAddr> {
    match hickory_resolver::system_conf::read_system_conf() {
        Ok((config, _)) => config.name_servers().iter().map(|server| (server.ip, 53).into()).collect(),
        Err(error) => {
            tracing::warn!(%error, "no resolvers: domains cannot be verified until dns.resolvers is set");
            Vec::new()
        }
    }
}

fn agreed(mut said: Vec<Said>) -> Result<Said, DnsError> {
    let Some(first) = said.pop() else { return Err(DnsError::NoResolvers) };
    if said.iter().any(|other| *other != first) {
        return Err(DnsError::Disagreement);
    }
    Ok(first)
}

/// Only NXDOMAIN and an empty, final NOERROR are misses; every other code is a failure of the resolver.
fn read(response: &DnsResponse, name: &Name, kind: RecordType) -> Result<Said, DnsError> {
    let asked = |query: &Query| query.name() == name && query.query_type() == kind;
    let ours = response.message_type == MessageType::Response && response.queries.iter().all(asked);
    if !ours || response.truncation {
        return Err(DnsError::ServerFailure);
    }
    match response.response_code {
        ResponseCode::NXDomain => Ok(None),
        ResponseCode::NoError => Ok(records(response, name, kind)?),
        _ => Err(DnsError::ServerFailure),
    }
}

fn records(response: &DnsResponse, name: &Name, kind: RecordType) -> Result<Said, DnsError> {
    let found: BTreeSet<_> = response.answers.iter().filter_map(|record| text(record, name, kind)).collect();
    if !found.is_empty() {
        return Ok(Some(found));
    }
    let final_word = response.authoritative || response.recursion_available;
    if final_word { Ok(None) } else { Err(DnsError::ServerFailure) }
}

/// What a record says that belongs to `name` itself: the joined strings of a TXT record, the name in an NS record. One
/// behind an alias is not proof.
fn text(record: &Record, name: &Name, kind: RecordType) -> Option<Vec<u8>> {
    if record.name != *name || record.dns_class != DNSClass::IN {
        return None;
    }
    match (&record.data, kind) {
        (RData::TXT(txt), RecordType::TXT) => Some(txt.txt_data.concat()),
        (RData::NS(server), RecordType::NS) => Some(server.0.to_ascii().to_ascii_lowercase().into_bytes()),
        _ => None,
    }
}
