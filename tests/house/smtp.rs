//! A mail server by another author, `aiosmtpd`: see `tests/counterparts/smtp_sink.py`.

use std::path::PathBuf;

use behalf::chores::post;
use behalf::config::{self, MailSecurity};
use behalf::web::templates::Templates;
use data_encoding::BASE64_MIME;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::broker::{House, Plan};
use super::node::Node;
use super::ports::free_port;

/// Where the house sends its mails.
pub struct Sink {
    node: Node,
    pub port: u16,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Taken(Value);

/// A certificate authority, and a server's certificate by it for 127.0.0.1.
pub struct Certified {
    folder: TempDir,
}

impl Certified {
    pub fn new() -> Self {
        let mut ca = rcgen::CertificateParams::default();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        ca.distinguished_name.push(rcgen::DnType::CommonName, "Test CA");
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let server = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = server.signed_by(&key, &issuer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, what: &str, der: &[u8]| {
            let text = BASE64_MIME.encode(der);
            let pem = format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", text.trim_end());
            std::fs::write(folder.path().join(name), pem).unwrap();
        };
        put("ca.pem", "CERTIFICATE", ca_certificate.der());
        put("tls.crt", "CERTIFICATE", certificate.der());
        put("tls.key", "PRIVATE KEY", &key.serialize_der());
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Sink {
    /// One that takes mails in the clear.
    pub async fn opens() -> Self {
        Self::with(json!({})).await
    }

    /// With the settings of the program's head.
    pub async fn with(mut settings: Value) -> Self {
        let port = free_port();
        settings["port"] = port.into();
        let node = Node::start_python("smtp_sink", settings).await;
        Self { node, port }
    }

    /// A user, and TLS by a certificate.
    pub async fn guarded(certified: &Certified, implicit: bool) -> Self {
        Self::with(json!({
            "certificate": certified.path("tls.crt"), "key": certified.path("tls.key"),
            "implicit": implicit, "username": "behalf", "password": "of the mail server",
        }))
        .await
    }

    /// What the operator sets.
    pub fn settings(&self) -> config::Mail {
        config::Mail {
            server: Some("127.0.0.1".into()),
            port: self.port.into(),
            security: MailSecurity::None,
            from: Some("no-reply@acme.test".into()),
            timeout: 10,
            interval: 3_600,
            ..config::Mail::default()
        }
    }

    /// A house that sends its mails here.
    pub fn of(&self, plan: Plan) -> Plan {
        Plan { mail: Some((self.settings(), None)), ..plan }
    }

    pub async fn behaves(&mut self, how: Value) {
        self.node.ask("behave", how).await;
    }

    pub async fn mails(&mut self) -> Vec<Taken> {
        let all = self.node.ask("mails", json!({})).await;
        all.as_array().unwrap().iter().cloned().map(Taken).collect()
    }

    /// The only one.
    pub async fn mail(&mut self) -> Taken {
        let mut all = self.mails().await;
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    /// How many connections there were.
    pub async fn seen(&mut self) -> u64 {
        self.node.ask("seen", json!({})).await.as_u64().unwrap()
    }

    pub async fn closes(&mut self) {
        self.node.ask("close", json!({})).await;
    }

    pub async fn reopens(&mut self) {
        self.node.ask("reopen", json!({})).await;
    }
}

impl Taken {
    pub fn text(&self) -> &str {
        self.0["text"].as_str().unwrap()
    }

    pub fn html(&self) -> &str {
        self.0["html"].as_str().unwrap()
    }

    pub fn raw(&self) -> &str {
        self.0["raw"].as_str().unwrap()
    }

    /// A fact of the connection or the envelope.
    pub fn says(&self, name: &str) -> &Value {
        &self.0[name]
    }

    /// The values of the headers of a name.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let all = self.0["headers"].as_array().unwrap().iter();
        all.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
    }

    pub fn names(&self) -> Vec<&str> {
        self.0["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect()
    }

    pub fn subject(&self) -> &str {
        self.headers("Subject")[0]
    }

    /// The address of the invitation, which text and HTML agree on.
    pub fn link(&self) -> String {
        let line = self.text().lines().find(|line| line.contains("/invitations/"));
        let link = line.unwrap_or_else(|| panic!("no link: {}", self.text())).trim().to_owned();
        let html = self.html().replace("&#x2f;", "/");
        assert!(html.contains(&format!("href=\"{link}\"")), "{html}");
        link
    }
}

impl House {
    /// Sends what is due, as the chore does; how many went.
    pub async fn posts(&self) -> usize {
        post::send(&self.broker, &Templates::new(None).unwrap()).await.unwrap()
    }
}
