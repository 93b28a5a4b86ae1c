//! What can be wrong with the settings, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::foundation::email::EmailError;

/// Where a setting came from. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize, column: usize },
    Environment { variable: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment { variable } => f.write_str(variable),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub origin: Origin,
    /// `section.key`; empty where the fault is in no key.
    pub key: String,
    pub problem: Problem,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.problem)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("not TOML: {0}")]
    Syntax(String),
    #[error("unknown {what}{}", did_you_mean(.suggestion.as_deref()))]
    Unknown { what: &'static str, suggestion: Option<String> },
    #[error("is a section: write [{0}] and its keys below it")]
    NotASection(String),
    #[error("{0}")]
    BadValue(String),
    #[error("is empty; leave it out instead")]
    Empty,
    #[error("is also set by {0}; keep one of the two")]
    SetTwice(String),
    #[error("not supported yet: this version keeps short-lived data in process and runs as one node")]
    RedisUnsupported,

    #[error("must be the name of a header that says nothing else, such as Client-Cert")]
    NotAHeader,
    #[error("needs {0} as well")]
    Half(&'static str),
    #[error("is set twice: keep the file or BEHALF_MAIL_PASSWORD")]
    TwoPasswords,
    #[error("must be an email address such as no-reply@login.example.com: {0}")]
    NotAnAddress(EmailError),
    #[error("must be the name or the address of a server alone; the port is mail.port")]
    NotAServer,
    #[error(
        "must be starttls or tls: without, links would go out in the clear. Only a server on this machine is reached \
         without, or any with egress.allow_loopback_and_http, for development"
    )]
    MailInTheClear,
    #[error("must be from {least} to {most}")]
    OutOfRange { least: u64, most: u64 },
    #[error("needs {0} as well: TLS takes both or neither")]
    TlsHalf(&'static str),
    #[error(
        "must be set when server.listen ({0}) can be reached from other machines: links and issuers are \
         built from it"
    )]
    PublicUrlMissing(std::net::SocketAddr),
    #[error("must be https; http is only for a loopback address or localhost")]
    PublicUrlScheme,
    #[error("must be an origin such as https://login.example.com: no user, path, query or fragment")]
    PublicUrlNotAnOrigin,
    #[error("must be less than keys.signing_key_lifetime, which is {lifetime}")]
    PublishedTooEarly { lifetime: u64 },
    /// The other one of the two was not set.
    #[error("must be more than keys.publish_ahead, which is {ahead} unless you set it as well")]
    ReplacedTooSoon { ahead: u64 },
    #[error("must be sqlite:PATH or postgres://…")]
    DatabaseScheme,
    #[error(
        "is not supported in memory: sessions, keys and the audit trail have to outlive the server. Name a file, such as \
         sqlite:behalf.db; one in a temporary folder goes with that"
    )]
    DatabaseInMemory,
    #[error(
        "takes the path of a file and no parameters, such as sqlite:behalf.db or sqlite:/var/lib/behalf/behalf.db"
    )]
    DatabaseNotAPath,
    #[error("must be ports from 1 to 65535, and at least one: providers are looked for at no other")]
    NoPorts,
    #[error("must be an http or https URL such as http://127.0.0.1:4318, without user, query or fragment")]
    CollectorUrl,
    #[error("is for development only: server.public_url must then be at a loopback address or localhost")]
    DevelopmentSwitch,
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}", lines(.0))]
    Invalid(Vec<Fault>),
}

impl ConfigError {
    /// What is wrong inside the sources; empty if a file could not be read at all.
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Invalid(faults) => faults,
            Self::Unreadable { .. } => &[],
        }
    }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
