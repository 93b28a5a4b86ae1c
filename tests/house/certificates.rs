//! Certificates that clients show, and the authorities that vouch for them.

use data_encoding::{BASE64, BASE64_MIME};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use serde_json::{Value, json};

/// Somebody who vouches for clients.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

impl Authority {
    /// However many have the same name.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Clients of Acme");
        let key = KeyPair::generate().unwrap();
        let pem = pem(params.self_signed(&key).unwrap().der());
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for a client of this name.
    pub fn vouches_for(&self, name: &str) -> Certificate {
        self.vouches(name, |_| {})
    }

    /// The same, with changes.
    pub fn vouches(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let mut params = of(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Certificate { der: made.der().to_vec(), key }
    }
}

/// Has run out before the stories begin.
pub fn over(params: &mut CertificateParams) {
    params.not_after = date_time_ymd(2026, 5, 31);
}

/// Begins after the stories.
pub fn ahead(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2026, 6, 2);
}

/// Is for servers.
pub fn for_servers(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
}

fn of(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Acme, Ltd");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A certificate, and its key.
pub struct Certificate {
    pub der: Vec<u8>,
    key: KeyPair,
}

impl Certificate {
    pub fn self_signed(name: &str) -> Self {
        let (params, key) = (of(name), KeyPair::generate().unwrap());
        Self { der: params.self_signed(&key).unwrap().der().to_vec(), key }
    }

    /// As RFC 9440 has it in a header.
    pub fn structured(&self) -> String {
        format!(":{}:", BASE64.encode(&self.der))
    }

    /// As nginx writes it into a header.
    pub fn escaped(&self) -> String {
        utf8_percent_encode(&pem(&self.der), NON_ALPHANUMERIC).to_string()
    }

    /// `x5t#S256`.
    pub fn thumbprint(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.der);
        data_encoding::BASE64URL_NOPAD.encode(digest.as_ref())
    }

    /// A JWK Set that holds it.
    pub fn jwks(&self) -> Value {
        let point = self.key.public_key_raw();
        let text = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]),
            "x5c": [BASE64.encode(&self.der)] }] })
    }

    /// For who shows it in a handshake.
    pub fn identity(&self) -> reqwest::Identity {
        let key = armoured("PRIVATE KEY", &self.key.serialize_der());
        let text = format!("{key}{}", pem(&self.der));
        reqwest::Identity::from_pem(text.as_bytes()).unwrap()
    }
}

/// A certificate of a server that comes by this name, and its key: both in PEM.
pub fn of_server(name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = pem(params.self_signed(&key).unwrap().der());
    (certificate, armoured("PRIVATE KEY", &key.serialize_der()))
}

fn pem(der: &[u8]) -> String {
    armoured("CERTIFICATE", der)
}

fn armoured(what: &str, der: &[u8]) -> String {
    let lines = BASE64_MIME.encode(der).replace('\r', "");
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.trim_end())
}
