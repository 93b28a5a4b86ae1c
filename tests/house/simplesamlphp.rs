//! A customer's SAML identity provider, by other authors: Debian's SimpleSAMLphp, on PHP's own web server.
//!
//! What a story must know of it (version 1.19, over plain HTTP):
//! - people sign in at a form with "Username" and "Password" (fields `username`, `password` and a hidden
//!   `AuthState`) and a button "Login"; a wrong password shows it again with "Incorrect username or password";
//! - an answer leaves as a form that posts itself to the ACS (button "Submit" without scripts);
//! - cookies are `SimpleSAMLSessionID{port}` and `SimpleSAMLAuthToken{port}`, on the host, for every path;
//! - somebody who has a session is not asked again, except with `ForceAuthn`;
//! - an encrypted assertion is AES-128-CBC under RSA-OAEP with SHA-1, always;
//! - a logout that begins here ([`SimpleSamlPhp::logout_url`]) visits the applications one after the other by
//!   redirects, unless the setting `logouttype` is `iframe`;
//! - whatever it does not like is a page with status 200 that says "Unhandled exception" (or "Metadata not found",
//!   …) and why, with a backtrace; [`SimpleSamlPhp::log`] says it too, a moment later, so assert on the page;
//! - it goes by the machine's clock, whatever [`Clock`](behalf::foundation::clock::Clock) the broker has.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use behalf::foundation::clock::{Clock, Moment};
use behalf::protocol::saml::certificate::self_signed;
use behalf::protocol::saml::keys::{KeyKind, SigningKey};
use data_encoding::{BASE64, BASE64_MIME};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::ports::free_port;
use super::visitor::Visitor;

pub const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
pub const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
pub const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

/// Everybody's, unless a story says otherwise.
pub const PASSWORD: &str = "a password";

/// How the provider is to be; what is left alone is as most customers have it.
#[derive(Clone)]
pub struct Plan {
    /// `127.0.0.1` or `localhost`, in its URLs.
    pub host: &'static str,
    /// `{url}saml2/idp/metadata.php` if `None`.
    pub entity_id: Option<String>,
    pub people: Vec<Someone>,
    pub service_providers: Vec<ServiceProvider>,
    pub sign_response: bool,
    pub sign_assertion: bool,
    /// With the encryption certificate of the service provider.
    pub encrypt_assertion: bool,
    pub encrypt_name_id: bool,
    /// Requests, and logout messages, without a valid signature are refused.
    pub wants_signed_requests: bool,
    /// Signs its metadata, if there is one.
    pub metadata_signer: Option<KeyPair>,
    /// Its own logout messages are signed.
    pub sign_logout: bool,
    /// URI of the signature method; the digest goes with it.
    pub signature: String,
    /// For requests that ask for none. [`EMAIL`] needs the attribute `mail`, the others but [`TRANSIENT`] `uid`.
    pub name_id_format: &'static str,
    pub attribute_names: AttributeNames,
    /// Bindings in its metadata; it understands both all the same.
    pub sso_bindings: Vec<&'static str>,
    pub slo_bindings: Vec<&'static str>,
    /// Seconds that an assertion is valid.
    pub lifetime: u32,
    /// Seconds until `SessionNotOnOrAfter`.
    pub session: u32,
    /// Anything else that `saml20-idp-hosted.php` takes, in SimpleSAMLphp's own words; stronger than the rest.
    pub settings: Map<String, Value>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            host: "127.0.0.1",
            entity_id: None,
            people: Vec::new(),
            service_providers: Vec::new(),
            sign_response: true,
            sign_assertion: true,
            encrypt_assertion: false,
            encrypt_name_id: false,
            wants_signed_requests: true,
            metadata_signer: None,
            sign_logout: true,
            signature: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256".to_owned(),
            name_id_format: EMAIL,
            attribute_names: AttributeNames::Plain,
            sso_bindings: vec![REDIRECT, POST],
            slo_bindings: vec![REDIRECT, POST],
            lifetime: 300,
            session: 8 * 60 * 60,
            settings: Map::new(),
        }
    }
}

/// What the attributes are called in an assertion.
#[derive(Clone, Copy, PartialEq)]
pub enum AttributeNames {
    /// As in the plan: `mail`.
    Plain,
    /// By their object identifiers: `urn:oid:0.9.2342.19200300.100.1.3`.
    Oid,
    /// By their names in SAML 1.1: `urn:mace:dir:attribute-def:mail`.
    Mace,
    /// As Active Directory Federation Services has them:
    /// `http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress`.
    Claim,
}

/// A person with a password and attributes.
#[derive(Clone)]
pub struct Someone {
    user: String,
    password: String,
    attributes: Map<String, Value>,
}

impl Someone {
    /// Signs in as `user` with [`PASSWORD`]; has the attribute `uid`.
    pub fn named(user: &str) -> Self {
        let attributes = Map::from_iter([("uid".to_owned(), json!([user]))]);
        Self { user: user.to_owned(), password: PASSWORD.to_owned(), attributes }
    }

    pub fn with(mut self, attribute: &str, values: &[&str]) -> Self {
        self.attributes.insert(attribute.to_owned(), json!(values));
        self
    }

    pub fn password(mut self, password: &str) -> Self {
        self.password = password.to_owned();
        self
    }
}

/// An application that the provider answers.
#[derive(Clone)]
pub struct ServiceProvider {
    entity_id: Option<String>,
    metadata: Option<String>,
    settings: Map<String, Value>,
}

impl ServiceProvider {
    /// As its metadata says.
    pub fn from_metadata(xml: &str) -> Self {
        Self { entity_id: None, metadata: Some(xml.to_owned()), settings: Map::new() }
    }

    /// As an administrator would type it: where answers go, and the certificate that requests are verified
    /// and assertions are encrypted with.
    pub fn typed(entity_id: &str, acs: &str) -> Self {
        let settings = Map::from_iter([("AssertionConsumerService".to_owned(), json!(acs))]);
        Self { entity_id: Some(entity_id.to_owned()), metadata: None, settings }
    }

    /// Where logout messages go, by which binding.
    pub fn logout_at(self, binding: &str, location: &str) -> Self {
        self.set("SingleLogoutService", json!([{ "Binding": binding, "Location": location }]))
    }

    /// In PEM.
    pub fn certificate(self, pem: &str) -> Self {
        let bare: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        self.set("certData", json!(bare))
    }

    /// Anything else that `saml20-sp-remote.php` takes, such as `"assertion.encryption": true`.
    pub fn set(mut self, name: &str, value: Value) -> Self {
        self.settings.insert(name.to_owned(), value);
        self
    }

    fn described(&self) -> Value {
        json!({ "entity_id": self.entity_id, "metadata": self.metadata, "settings": self.settings })
    }
}

/// An RSA key of 2048 bits and a certificate for it, ten years long; both in PEM.
#[derive(Clone)]
pub struct KeyPair {
    pub key: String,
    pub certificate: String,
}

impl KeyPair {
    /// Younger than all that were made before.
    pub fn generate() -> Self {
        static MADE: AtomicI64 = AtomicI64::new(0);
        let key = SigningKey::generate(KeyKind::Rsa2048).unwrap();
        let (now, age) = (Clock::System.now(), Duration::from_secs(86_400));
        let from = Moment::from_seconds(now.minus(age).seconds() + MADE.fetch_add(1, Ordering::SeqCst));
        let certificate = self_signed(&key, "saml", from, now.plus(age * 3650), &[1]).unwrap();
        let pem = |kind: &str, der: &[u8]| {
            format!("-----BEGIN {kind}-----\n{}-----END {kind}-----\n", BASE64_MIME.encode(der))
        };
        let der = BASE64.decode(certificate.base64().as_bytes()).unwrap();
        Self { key: pem("PRIVATE KEY", &key.to_pkcs8().unwrap()), certificate: pem("CERTIFICATE", &der) }
    }
}

/// A running provider; it ends with this value.
pub struct SimpleSamlPhp {
    port: u16,
    plan: Plan,
    signing: KeyPair,
    published: Option<KeyPair>,
    folder: TempDir,
    server: Server,
}

impl SimpleSamlPhp {
    /// On a port of its own, with a key of its own.
    pub fn start(plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("temp")).unwrap();
        let signing = KeyPair::generate();
        let port = free_port();
        let server = Server::start(port, folder.path());
        let server =
            server.expect("SimpleSAMLphp does not start: are php and simplesamlphp there? Run `tests/run`");
        let made = Self { port, plan, signing, published: None, folder, server };
        made.write();
        made
    }

    /// Where it begins, with a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}:{}/", self.plan.host, self.port)
    }

    pub fn entity_id(&self) -> String {
        self.plan.entity_id.clone().unwrap_or_else(|| self.metadata_url())
    }

    pub fn metadata_url(&self) -> String {
        format!("{}saml2/idp/metadata.php", self.url())
    }

    /// Takes AuthnRequests, by either binding.
    pub fn sso_url(&self) -> String {
        format!("{}saml2/idp/SSOService.php", self.url())
    }

    /// Takes logout messages, by either binding.
    pub fn slo_url(&self) -> String {
        format!("{}saml2/idp/SingleLogoutService.php", self.url())
    }

    /// A person goes here to sign out of everything; once done, they are at `afterwards`.
    pub fn logout_url(&self, afterwards: &str) -> String {
        self.url_with("saml2/idp/initSLO.php", "RelayState", afterwards)
    }

    /// A person goes here to be sent, unasked for, to this application (IdP-initiated).
    pub fn start_url(&self, service_provider: &str, relay_state: Option<&str>) -> String {
        let mut url: url::Url = self.sso_url().parse().unwrap();
        url.query_pairs_mut().append_pair("spentityid", service_provider);
        url.query_pairs_mut().extend_pairs(relay_state.map(|state| ("RelayState", state)));
        url.into()
    }

    fn url_with(&self, path: &str, name: &str, value: &str) -> String {
        let mut url: url::Url = format!("{}{path}", self.url()).parse().unwrap();
        url.query_pairs_mut().append_pair(name, value);
        url.into()
    }

    /// What it signs with now, in PEM.
    pub fn certificate(&self) -> &str {
        &self.signing.certificate
    }

    /// Its metadata, as XML.
    pub async fn metadata(&self) -> String {
        let answer = Visitor::arrives().get(&self.metadata_url()).await;
        assert_eq!(answer.status, 200, "{}\n{}", answer.body, self.log());
        answer.body
    }

    /// From the next request on it is as the changed plan says.
    pub fn change(&mut self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan);
        self.write();
    }

    /// From the next request on it answers this application too.
    pub fn knows(&mut self, service_provider: ServiceProvider) {
        self.change(|plan| plan.service_providers.push(service_provider));
    }

    /// From the next request on it signs with this key, and its metadata has this one and `published`.
    pub fn sign_with(&mut self, signing: KeyPair, published: Option<KeyPair>) {
        (self.signing, self.published) = (signing, published);
        self.write();
    }

    /// The pair that it signs with now.
    pub fn key_pair(&self) -> KeyPair {
        self.signing.clone()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.server.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For `tests/house/simplesamlphp/plan.php`. The file is replaced at once, never half written.
    fn write(&self) {
        self.write_pair("signing", &self.signing);
        if let Some(published) = &self.published {
            self.write_pair("published", published);
        }
        if let Some(signer) = &self.plan.metadata_signer {
            self.write_pair("metadata", signer);
        }
        let plan = json!({
            "url": self.url(),
            "port": self.port,
            "folder": self.folder.path(),
            "attribute_maps": installation().attribute_maps,
            "attribute_map": self.attribute_map(),
            "session_seconds": self.plan.session,
            "entity_id": self.entity_id(),
            "people": self.plan.people.iter().map(|one| json!({
                "user": one.user, "password": one.password, "attributes": one.attributes,
            })).collect::<Vec<_>>(),
            "settings": self.settings(),
            "service_providers":
                self.plan.service_providers.iter().map(ServiceProvider::described).collect::<Vec<_>>(),
        });
        self.replace("plan.json", &plan.to_string());
    }

    fn settings(&self) -> Map<String, Value> {
        let plan = &self.plan;
        let named = json!({
            "saml20.sign.response": plan.sign_response,
            "saml20.sign.assertion": plan.sign_assertion,
            "assertion.encryption": plan.encrypt_assertion,
            "nameid.encryption": plan.encrypt_name_id,
            "validate.authnrequest": plan.wants_signed_requests,
            "validate.logout": plan.wants_signed_requests,
            "sign.logout": plan.sign_logout,
            "redirect.sign": plan.sign_logout,
            "signature.algorithm": plan.signature,
            "NameIDFormat": plan.name_id_format,
            "attributes.NameFormat": self.name_format(),
            "SingleSignOnServiceBinding": plan.sso_bindings,
            "SingleLogoutServiceBinding": plan.slo_bindings,
            "assertion.lifetime": plan.lifetime,
        });
        let Value::Object(mut settings) = named else { unreachable!() };
        if self.published.is_some() {
            settings.insert("new_privatekey".to_owned(), json!("published.key"));
            settings.insert("new_certificate".to_owned(), json!("published.crt"));
        }
        if plan.metadata_signer.is_some() {
            settings.insert("metadata.sign.enable".to_owned(), json!(true));
            settings.insert("metadata.sign.privatekey".to_owned(), json!("metadata.key"));
            settings.insert("metadata.sign.certificate".to_owned(), json!("metadata.crt"));
        }
        settings.extend(plan.settings.clone());
        settings
    }

    fn name_format(&self) -> &'static str {
        match self.plan.attribute_names {
            AttributeNames::Plain => "urn:oasis:names:tc:SAML:2.0:attrname-format:basic",
            AttributeNames::Claim => "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified",
            AttributeNames::Oid | AttributeNames::Mace => "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
        }
    }

    fn attribute_map(&self) -> Option<&'static str> {
        match self.plan.attribute_names {
            AttributeNames::Plain => None,
            AttributeNames::Oid => Some("name2oid"),
            AttributeNames::Mace => Some("name2urn"),
            AttributeNames::Claim => Some("name2claim"),
        }
    }

    fn write_pair(&self, name: &str, pair: &KeyPair) {
        self.replace(&format!("{name}.key"), &pair.key);
        self.replace(&format!("{name}.crt"), &pair.certificate);
    }

    fn replace(&self, name: &str, content: &str) {
        let (fresh, place) = (self.folder.path().join("fresh"), self.folder.path().join(name));
        std::fs::write(&fresh, content).unwrap();
        std::fs::rename(fresh, place).unwrap();
    }
}

struct Installation {
    program: PathBuf,
    attribute_maps: PathBuf,
}

/// Debian's package, or its files where `tests/run` unpacked them.
fn installation() -> Installation {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.state/simplesamlphp");
    let root = if unpacked.is_dir() { unpacked.as_path() } else { Path::new("/") };
    Installation {
        program: root.join("usr/share/simplesamlphp/www"),
        attribute_maps: root.join("etc/simplesamlphp/attributemap"),
    }
}

struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Waits until the server says that it has started; `None` if it ends before.
    fn start(port: u16, folder: &Path) -> Option<Self> {
        let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/house/simplesamlphp");
        let mut child = Command::new("php")
            .args(["-d", "display_errors=stderr", "-d", "opcache.enable_cli=1"])
            .args(["-S", &format!("127.0.0.1:{port}"), "-t"])
            .arg(installation().program)
            .env("SIMPLESAMLPHP_CONFIG_DIR", configuration)
            .env("BEHALF_SIMPLESAMLPHP_PLAN", folder.join("plan.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut said = BufReader::new(child.stderr.take()?);
        let mut server = Self { child, log: Arc::default() };
        let mut line = String::new();
        while said.read_line(&mut line).is_ok_and(|read| read > 0) {
            if line.ends_with("started\n") {
                server.listen(said);
                return Some(server);
            }
            line.clear();
        }
        let _ = server.child.wait();
        None
    }

    /// Keeps what it says; it must be able to go on writing.
    fn listen(&mut self, said: BufReader<ChildStderr>) {
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                *log.lock().unwrap_or_else(PoisonError::into_inner) += &(line + "\n");
            }
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
