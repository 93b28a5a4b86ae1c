//! The mail server of the operator: letters are handed over to it, and what becomes of them after that is its business.
//!
//! `lettre` writes and encodes the message, so that no name can become a header of its own, and speaks the protocol.
//! Each letter has a connection of its own: who cannot be reached costs nobody else's letter anything. No more is read
//! of a server than a conversation needs.

mod bounded;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::address::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use url::Host;

use self::bounded::Bounded;
use crate::config::{Config, MailSecurity};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::secret::Secret;

/// Hands letters over. Its `Debug` shows the server alone.
pub struct Post {
    server: String,
    port: u16,
    security: MailSecurity,
    tls: TlsParameters,
    credentials: Option<Credentials>,
    from: Address,
    hello: ClientId,
    timeout: Duration,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PostSettingsError {
    #[error("mail.password_file: {}: {error}", path.display())]
    Password { path: PathBuf, error: io::Error },
    #[error("mail.password_file: {} is empty", .0.display())]
    NoPassword(PathBuf),
    #[error("egress.extra_ca: {}: {why}", path.display())]
    ExtraCa { path: PathBuf, why: String },
    #[error("mail: TLS cannot be spoken: {0}")]
    Tls(String),
    #[error("mail.from: {0}")]
    From(String),
}

/// A letter as it goes out.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// Names it for good, so that one that comes twice is known for the same.
    pub id: &'a str,
    /// The name beside the address that it comes from.
    pub from: &'a str,
    pub to: &'a Email,
    pub subject: &'a str,
    pub text: String,
    pub html: String,
    pub at: Moment,
}

/// It was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// For good: the recipient, or what it says (RFC 5321, section 4.2.1). With the server's code.
    #[error("the mail server refused the letter for good ({0})")]
    Refused(String),
    /// Not now; `Display` is for the operator.
    #[error("{0}")]
    NotNow(String),
}

impl PostError {
    /// In words that tell nothing of the operator's network.
    pub fn public(&self) -> String {
        match self {
            Self::Refused(code) => format!("refused_{code}"),
            Self::NotNow(_) => "server_unavailable".to_owned(),
        }
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Post({}:{})", self.server, self.port)
    }
}

impl Post {
    /// Nothing, if there is no server.
    pub fn new(config: &Config) -> Result<Option<Self>, PostSettingsError> {
        let settings = &config.mail;
        let Some(server) = &settings.server else { return Ok(None) };
        let server = server.trim_matches(['[', ']']).to_owned();
        let from = settings.from.as_deref().unwrap_or_default();
        let from: Address = from
            .parse()
            .map_err(|error: lettre::address::AddressError| PostSettingsError::From(error.to_string()))?;
        let password = match &settings.password_file {
            Some(path) => Some(password(path)?),
            None => settings.password.clone(),
        };
        let credentials = settings
            .username
            .clone()
            .zip(password)
            .map(|(username, password)| Credentials::new(username, password.expose().to_owned()));
        Ok(Some(Self {
            tls: tls(&server, config.egress.extra_ca.as_deref())?,
            // The rules of the settings let no other in.
            port: u16::try_from(settings.port).unwrap_or_default(),
            security: settings.security,
            credentials,
            from,
            hello: hello(config),
            timeout: Duration::from_secs(settings.timeout.max(1)),
            server,
        }))
    }

    /// Where letters are handed over, for the operator.
    pub fn at(&self) -> String {
        format!("{}:{}", self.server, self.port)
    }

    /// Goes as far as the server can be asked to take a letter, and asks nothing.
    pub async fn greet(&self) -> Result<(), PostError> {
        self.within_time(async {
            let mut connection = self.connect().await?;
            // It has been reached: what it says to a good-bye does not matter.
            let _ = connection.quit().await;
            Ok(())
        })
        .await
    }

    pub async fn send(&self, letter: Outgoing<'_>) -> Result<(), PostError> {
        let to: Address = letter.to.as_str().parse().map_err(|_| PostError::Refused("address".into()))?;
        let message = self.message(letter, to.clone())?;
        self.within_time(async {
            let mut connection = self.connect().await?;
            let handed = self.hand_over(&mut connection, to, &message).await;
            if handed.is_ok() {
                let _ = connection.quit().await;
            } else {
                connection.abort().await;
            }
            handed
        })
        .await
    }

    async fn within_time<T>(&self, work: impl Future<Output = Result<T, PostError>>) -> Result<T, PostError> {
        let late = || PostError::NotNow(format!("no answer within {} seconds", self.timeout.as_secs()));
        tokio::time::timeout(self.timeout, work).await.unwrap_or_else(|_| Err(late()))
    }

    /// What is refused until here concerns us, and not the letter: it may be mended.
    async fn connect(&self) -> Result<AsyncSmtpConnection, PostError> {
        let at = (self.server.as_str(), self.port);
        let reached = TcpStream::connect(at).await;
        let stream = Bounded::new(reached.map_err(|error| PostError::NotNow(error.to_string()))?);
        let stream: Box<dyn AsyncTokioStream> = match self.security {
            MailSecurity::Tls => Box::new(stream.encrypted(self.tls.clone()).await.map_err(not_now)?),
            MailSecurity::Starttls | MailSecurity::None => Box::new(stream),
        };
        let greeted = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await;
        let mut connection = greeted.map_err(not_now)?;
        if self.security == MailSecurity::Starttls {
            connection.starttls(self.tls.clone(), &self.hello).await.map_err(not_now)?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await.map_err(not_now)?;
        }
        Ok(connection)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: Address,
        message: &[u8],
    ) -> Result<(), PostError> {
        // That we may send at all is the operator's to see to.
        connection.command(Mail::new(Some(self.from.clone()), Vec::new())).await.map_err(not_now)?;
        connection.command(Rcpt::new(to, Vec::new())).await.map_err(refused)?;
        connection.command(Data).await.map_err(refused)?;
        connection.message(message).await.map_err(refused)?;
        Ok(())
    }

    /// Text and the same as HTML. Everything is 7-bit by encoding, so any server can pass it on.
    fn message(&self, letter: Outgoing<'_>, to: Address) -> Result<Vec<u8>, PostError> {
        let parts = MultiPart::alternative()
            .boundary(format!("=_{}", letter.id))
            .singlepart(SinglePart::plain(letter.text))
            .singlepart(SinglePart::html(letter.html));
        let from = Mailbox::new(Some(letter.from.to_owned()), self.from.clone());
        Message::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .date(letter.at.system_time())
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.domain())))
            // RFC 3834, section 5: nobody's absence is told to us.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(parts)
            .map(|message| message.formatted())
            .map_err(|error| PostError::NotNow(format!("the letter cannot be written: {error}")))
    }
}

fn password(path: &Path) -> Result<Secret, PostSettingsError> {
    let unreadable = |error| PostSettingsError::Password { path: path.to_owned(), error };
    let text = Secret::new(std::fs::read_to_string(path).map_err(unreadable)?);
    match text.expose().trim_end_matches(['\r', '\n']) {
        "" => Err(PostSettingsError::NoPassword(path.to_owned())),
        password => Ok(Secret::new(password)),
    }
}

fn tls(server: &str, extra_ca: Option<&Path>) -> Result<TlsParameters, PostSettingsError> {
    let mut builder = TlsParameters::builder(server.to_owned());
    if let Some(path) = extra_ca {
        let bad = |why: String| PostSettingsError::ExtraCa { path: path.to_owned(), why };
        let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
        builder = builder
            .add_root_certificate(Certificate::from_pem(&pem).map_err(|error| bad(error.to_string()))?);
    }
    builder.build().map_err(|error| PostSettingsError::Tls(error.to_string()))
}

/// Who we say to be (RFC 5321, section 4.1.1.1): by our public name, never by the machine's.
fn hello(config: &Config) -> ClientId {
    match config.public_url().host() {
        Some(Host::Ipv4(address)) => ClientId::Ipv4(address),
        Some(Host::Ipv6(address)) => ClientId::Ipv6(address),
        Some(Host::Domain(name)) => ClientId::Domain(name.to_owned()),
        None => ClientId::default(),
    }
}

fn not_now(error: SmtpError) -> PostError {
    PostError::NotNow(chain(&error))
}

fn refused(error: SmtpError) -> PostError {
    match error.status().filter(|_| error.is_permanent()) {
        Some(code) => PostError::Refused(code.to_string()),
        None => not_now(error),
    }
}

/// The whole story of an error, for the operator's log.
fn chain(error: &SmtpError) -> String {
    let mut told = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(inner) = next {
        let text = inner.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        next = inner.source();
    }
    told
}
