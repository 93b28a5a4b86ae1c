//! What other authors think of our XML, signatures and SAML messages.
//!
//! - [`canonical_by_xmllint`], [`xmlsec`]: Debian's programs, a process a question
//! - [`XmlOracle`]: lxml, signxml and Python's cryptography, one process for all questions
//! - [`Pysaml2`]: either side of SAML by pysaml2
//! - [`NodeSaml`]: a service provider by node-saml
//! - [`Spid`]: the responses, good and bad, that Italy's SPID tries on service providers
//!
//! The heads of `tests/counterparts/{xml_oracle,saml_oracle,spid_oracle}.py` and `saml_sp.mjs` say what every question takes.
//! An `Err` is the oracle's refusal, with its words.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use super::node::Node;
use super::simplesamlphp::KeyPair;

/// The exclusive canonical form of a whole document, with its comments, by libxml2.
pub fn canonical_by_xmllint(xml: &str) -> Result<String, String> {
    let file = file(xml);
    let made = run(Command::new("xmllint").args(["--nonet", "--exc-c14n"]).arg(file.path()));
    accepted(made)
}

/// Debian's `xmlsec1`. Elements are found by their `ID`, whatever they are; keys in a document are not looked at.
pub mod xmlsec {
    use super::*;

    /// Whether the signature that is a child of the element with this ID was made by this certificate's key.
    pub fn verify(xml: &str, id: &str, certificate: &str) -> Result<(), String> {
        let folder = folder(&[("document", xml), ("certificate", certificate)]);
        let mut command = xmlsec1("--verify", xml);
        command.arg("--pubkey-cert-pem").arg(folder.path().join("certificate"));
        command.args(["--enabled-key-data", "raw-x509-cert", "--enabled-reference-uris", "same-doc"]);
        accepted(run(at_signature(&mut command, id).arg(folder.path().join("document")))).map(drop)
    }

    /// Fills in the `ds:Signature` template that is a child of the element with this ID.
    pub fn sign(template: &str, id: &str, key: &str) -> Result<String, String> {
        let folder = folder(&[("document", template), ("key", key)]);
        let mut command = xmlsec1("--sign", template);
        command.arg("--privkey-pem").arg(folder.path().join("key"));
        accepted(run(at_signature(&mut command, id).arg(folder.path().join("document"))))
    }

    /// Replaces the first `xenc:EncryptedData` by what it holds.
    pub fn decrypt(xml: &str, key: &str) -> Result<String, String> {
        let folder = folder(&[("document", xml), ("key", key)]);
        let mut command = xmlsec1("--decrypt", xml);
        command.arg("--privkey-pem").arg(folder.path().join("key"));
        accepted(run(command.arg(folder.path().join("document"))))
    }

    /// Encrypts the element with this ID into an `xenc:EncryptedData` template that is a document of its own;
    /// `session_key` is such as `aes-256`.
    pub fn encrypt(
        xml: &str,
        id: &str,
        template: &str,
        session_key: &str,
        certificate: &str,
    ) -> Result<String, String> {
        let folder = folder(&[("document", xml), ("template", template), ("certificate", certificate)]);
        let mut command = xmlsec1("--encrypt", xml);
        command.arg("--pubkey-cert-pem").arg(folder.path().join("certificate"));
        command.args(["--session-key", session_key, "--node-xpath", &format!("//*[@ID='{id}']")]);
        command.arg("--xml-data").arg(folder.path().join("document"));
        accepted(run(command.arg(folder.path().join("template"))))
    }

    /// With `ID` as the identifier of every element that has one.
    fn xmlsec1(what: &str, xml: &str) -> Command {
        let mut command = Command::new("xmlsec1");
        command.arg(what);
        let document = roots_with_id(xml);
        for name in document {
            command.args(["--id-attr:ID", &name]);
        }
        command
    }

    fn at_signature<'c>(command: &'c mut Command, id: &str) -> &'c mut Command {
        assert!(!id.contains('\''), "{id}");
        let signature = format!("//*[@ID='{id}']/*[local-name()='Signature']");
        command.args(["--node-xpath", &signature])
    }

    /// The names that xmlsec1 is told; it takes a local name for that of any namespace.
    fn roots_with_id(xml: &str) -> Vec<String> {
        let mut names: Vec<_> = xml
            .split('<')
            .filter_map(|tag| tag.split('>').next())
            .filter(|tag| tag.contains(" ID=\"") || tag.contains(" ID='"))
            .filter_map(|tag| tag.split_whitespace().next())
            .map(|name| name.rsplit(':').next().unwrap_or(name).to_owned())
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

/// lxml, signxml and Python's cryptography.
pub struct XmlOracle(Node);

impl XmlOracle {
    pub async fn start() -> Self {
        Self(Node::start_python("xml_oracle", json!({})).await)
    }

    /// The exclusive canonical form of the element with this ID, or of the whole; `prefixes` as in a PrefixList.
    pub async fn canonical(
        &mut self,
        xml: &str,
        id: Option<&str>,
        prefixes: &[&str],
    ) -> Result<String, Value> {
        let asked = json!({ "xml": xml, "id": id, "prefixes": prefixes });
        self.0.try_ask("canonical", asked).await.map(text)
    }

    /// Many at once: `[{xml, id?, prefixes?, without_signature?}]`.
    pub async fn canonical_all(&mut self, of: &[Value]) -> Result<Vec<String>, Value> {
        let answer = self.0.try_ask("canonical_all", json!({ "of": of })).await?;
        Ok(answer.as_array().unwrap().iter().cloned().map(text).collect())
    }

    /// Signs the element with this ID by RSA; `more` is `{signature?: "rsa-sha256", digest?: "sha256", prefixes?}`.
    pub async fn sign(&mut self, xml: &str, id: &str, keys: &KeyPair, more: Value) -> Result<String, Value> {
        let asked = json!({ "xml": xml, "id": id, "key": keys.key, "certificate": keys.certificate });
        self.0.try_ask("sign", merged(asked, more)).await.map(text)
    }

    /// What the signature that is a child of the element with this ID has signed.
    pub async fn verify(&mut self, xml: &str, id: &str, certificate: &str) -> Result<String, Value> {
        self.0.try_ask("verify", json!({ "xml": xml, "id": id, "certificate": certificate })).await.map(text)
    }

    /// An `xenc:EncryptedData` that holds this element; `more` is
    /// `{cipher?: URI, digest?: "sha1", mgf?: "sha1", transport?: URI, sibling?: bool}`.
    pub async fn encrypt(&mut self, xml: &str, certificate: &str, more: Value) -> Result<String, Value> {
        let asked = json!({ "xml": xml, "certificate": certificate });
        self.0.try_ask("encrypt", merged(asked, more)).await.map(text)
    }

    /// What the one `xenc:EncryptedData` of this document holds.
    pub async fn decrypt(&mut self, xml: &str, key: &str) -> Result<String, Value> {
        self.0.try_ask("decrypt", json!({ "xml": xml, "key": key })).await.map(text)
    }
}

/// Somebody who takes part in SAML.
#[derive(Clone)]
pub struct Party {
    pub entity_id: String,
    pub signing: KeyPair,
    pub decrypting: Option<KeyPair>,
    /// An identity provider takes AuthnRequests here.
    pub sso: Option<String>,
    /// A service provider takes responses here.
    pub acs: Option<String>,
    /// Both take logout messages here.
    pub slo: Option<String>,
}

impl Party {
    pub fn identity_provider(entity_id: &str, signing: KeyPair, sso: &str) -> Self {
        let (entity_id, sso) = (entity_id.to_owned(), Some(sso.to_owned()));
        Self { entity_id, signing, decrypting: None, sso, acs: None, slo: None }
    }

    pub fn service_provider(entity_id: &str, signing: KeyPair, acs: &str) -> Self {
        let (entity_id, acs) = (entity_id.to_owned(), Some(acs.to_owned()));
        Self { entity_id, signing, decrypting: None, sso: None, acs, slo: None }
    }

    fn role(&self) -> &'static str {
        if self.acs.is_some() { "sp" } else { "idp" }
    }

    fn described(&self) -> Value {
        let mut said = json!({
            "entity_id": self.entity_id, "key": self.signing.key, "certificate": self.signing.certificate,
        });
        for (name, url) in [("sso", &self.sso), ("acs", &self.acs), ("slo", &self.slo)] {
            if let Some(url) = url {
                said[name] = json!(url);
            }
        }
        if let Some(keys) = &self.decrypting {
            said["decryption_key"] = json!(keys.key);
            said["decryption_certificate"] = json!(keys.certificate);
        }
        said
    }
}

/// A message that travelled in this URL, as [`Pysaml2`] takes it.
pub fn redirected(url: &str) -> Value {
    json!({ "binding": "redirect", "url": url })
}

/// A message that travelled in this form: `{"SAMLRequest" | "SAMLResponse", "RelayState"?}`.
pub fn posted(url: &str, form: Value) -> Value {
    json!({ "binding": "post", "url": url, "form": form })
}

/// pysaml2, as whoever a question needs. `peers` are the metadata documents that it knows the others by.
pub struct Pysaml2(Node);

impl Pysaml2 {
    pub async fn start() -> Self {
        Self(Node::start_python("saml_oracle", json!({})).await)
    }

    /// A response, as XML, to `{to, acs, in_response_to?, name_id: {value, format?}, attributes, sign: [] |
    /// ["assertion", "response"], encrypt?: {certificate, …}, now?, session_index?, lifetime?, …}`.
    pub async fn response(&mut self, idp: &Party, peers: &[&str], asked: Value) -> String {
        let who = json!({ "idp": idp.described(), "peers": peers });
        text(self.0.ask("response", merged(who, asked)).await)
    }

    /// What an identity provider understands of a signed request.
    pub async fn authn_request(
        &mut self,
        idp: &Party,
        peers: &[&str],
        message: Value,
    ) -> Result<Value, Value> {
        let asked = json!({ "idp": idp.described(), "peers": peers, "message": message });
        self.0.try_ask("authn_request", asked).await
    }

    /// What this party understands of a signed request to log out.
    pub async fn logout_request(
        &mut self,
        party: &Party,
        peers: &[&str],
        message: Value,
    ) -> Result<Value, Value> {
        self.0.try_ask("logout_request", merged(as_whom(party, peers), json!({ "message": message }))).await
    }

    /// What this party understands of a signed answer to that.
    pub async fn logout_response(
        &mut self,
        party: &Party,
        peers: &[&str],
        message: Value,
    ) -> Result<Value, Value> {
        self.0.try_ask("logout_response", merged(as_whom(party, peers), json!({ "message": message }))).await
    }

    /// `{id, message}` for `{to, binding, relay_state?, force_authn?, now?}`.
    pub async fn make_authn_request(&mut self, sp: &Party, peers: &[&str], asked: Value) -> Value {
        let who = json!({ "sp": sp.described(), "peers": peers });
        self.0.ask("make_authn_request", merged(who, asked)).await
    }

    /// `{id, message}` for `{to, name_id: {value, format?}, session_index?, binding, relay_state?, now?}`.
    pub async fn make_logout_request(&mut self, party: &Party, peers: &[&str], asked: Value) -> Value {
        self.0.ask("make_logout_request", merged(as_whom(party, peers), asked)).await
    }

    /// `{id, message}` for `{peer: entity id, to, in_response_to, binding, relay_state?, now?}`.
    pub async fn make_logout_response(&mut self, party: &Party, peers: &[&str], asked: Value) -> Value {
        self.0.ask("make_logout_response", merged(as_whom(party, peers), asked)).await
    }

    /// Who a service provider takes this to be: `{response, requests: [id], now?, want?, unsolicited?}`.
    pub async fn accept(&mut self, sp: &Party, peers: &[&str], asked: Value) -> Result<Value, Value> {
        let who = json!({ "sp": sp.described(), "peers": peers });
        self.0.try_ask("accept", merged(who, asked)).await
    }

    /// What it reads in metadata: `{entity_id, roles: {idp | sp: {…}}}`.
    pub async fn metadata(&mut self, xml: &str) -> Result<Value, Value> {
        self.0.try_ask("metadata", json!({ "xml": xml })).await
    }
}

fn as_whom(party: &Party, peers: &[&str]) -> Value {
    json!({ "party": party.described(), "as": party.role(), "peers": peers })
}

/// node-saml as a service provider; `saml` holds its options by its own names.
pub struct NodeSaml(Node);

impl NodeSaml {
    pub async fn start() -> Self {
        Self(Node::start("saml_sp", json!({})).await)
    }

    /// The profile that it makes of a response, which must answer `request` if there is one.
    pub async fn accept(
        &mut self,
        saml: Value,
        response: &str,
        request: Option<&str>,
    ) -> Result<Value, Value> {
        let asked = json!({ "saml": saml, "response": response, "request": request });
        self.0.try_ask("accept", asked).await
    }

    /// A signed request: `{url}`, or `{message}` with `authnRequestBinding: "HTTP-POST"`.
    pub async fn authorize(&mut self, saml: Value, relay_state: &str) -> Value {
        self.0.ask("authorize", json!({ "saml": saml, "relay_state": relay_state })).await
    }

    /// What the signature of the element with this ID has signed, if one of these keys made it.
    pub async fn verified(&mut self, xml: &str, id: &str, certificates: &[&str]) -> Option<String> {
        let asked = json!({ "xml": xml, "id": id, "certificates": certificates });
        self.0.try_ask("verified", asked).await.ok()?.as_str().map(str::to_owned)
    }

    /// Any other question.
    pub async fn try_ask(&mut self, what: &str, asked: Value) -> Result<Value, Value> {
        self.0.try_ask(what, asked).await
    }
}

/// PyPI's spid-sp-test, as this identity provider.
pub struct Spid(Node);

/// One of its responses.
#[derive(Clone)]
pub struct SpidCase {
    /// `1`, `xsw3`, …
    pub case: String,
    /// In Italian, as SPID numbers them.
    pub title: String,
    /// What SPID expects of a service provider.
    pub refused: bool,
}

impl Spid {
    pub async fn start(idp: &Party) -> Self {
        Self(Node::start_python("spid_oracle", idp.described()).await)
    }

    pub fn cases(&self) -> Vec<SpidCase> {
        let cases = self.0.ready["cases"].as_array().unwrap().iter();
        let case = |one: &Value| SpidCase {
            case: text(one["case"].clone()),
            title: text(one["title"].clone()),
            refused: one["refused"].as_bool().unwrap(),
        };
        cases.map(case).collect()
    }

    /// This case as an answer to this AuthnRequest (XML), which must name its ACS; `attributes` is
    /// `{name: value}`, `now` RFC 3339.
    pub async fn response(
        &mut self,
        case: &str,
        request: &str,
        attributes: Value,
        now: Option<&str>,
    ) -> String {
        let asked = json!({ "case": case, "request": request, "attributes": attributes, "now": now });
        text(self.0.ask("response", asked).await["xml"].take())
    }
}

fn text(answer: Value) -> String {
    answer.as_str().unwrap_or_else(|| panic!("no text: {answer}")).to_owned()
}

fn merged(mut all: Value, more: Value) -> Value {
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}

fn file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn run(command: &mut Command) -> Output {
    let made = command.stdin(Stdio::null()).output();
    made.unwrap_or_else(|error| panic!("{command:?}: {error}; run `tests/run`"))
}

/// What it printed, or why it did not go well.
fn accepted(made: Output) -> Result<String, String> {
    let (said, complaint) = (String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
    if made.status.success() { Ok(said.into_owned()) } else { Err(complaint.into_owned()) }
}
