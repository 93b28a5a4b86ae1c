//! The certificate that a client shows in TLS (RFC 8705): to us, or to a proxy of ours, which tells us in a header. From
//! anybody else the header says nothing.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::config::{CertificateForm, ClientCertificates};
use crate::protocol::oauth::client_certificate::{ClientCertificate, Form, read_header};

/// What was shown in the handshake of this connection, in DER: the client's certificate first, then those between it and
/// an authority. Put there by whoever accepts connections.
#[derive(Clone, Debug)]
pub struct Handshake(pub std::sync::Arc<Vec<Vec<u8>>>);

/// A certificate and those that lead from it to an authority.
#[derive(Clone, Debug)]
pub struct Shown {
    pub certificate: ClientCertificate,
    pub chain: Vec<Vec<u8>>,
}

/// The certificate of a request. Whoever comes by a proxy that tells of certificates has the one that it tells of, or none:
/// that of the connection is the proxy's own.
pub fn of(parts: &Parts, peer: Option<IpAddr>, settings: &ClientCertificates) -> Option<Shown> {
    let is_proxy = peer.is_some_and(|peer| {
        let peer = peer.to_canonical();
        settings.proxies.iter().any(|network| network.contains(&peer))
    });
    match is_proxy {
        true => by_header(&parts.headers, &settings.header, settings.format),
        false => by_handshake(parts.extensions.get::<Handshake>()?),
    }
}

/// Two of them are none: one reader would take the first, another the last.
fn by_header(headers: &HeaderMap, name: &str, format: CertificateForm) -> Option<Shown> {
    let mut all = headers.get_all(name).iter();
    let (only, None) = (all.next()?, all.next()) else { return None };
    let form = match format {
        CertificateForm::Rfc9440 => Form::Rfc9440,
        CertificateForm::Pem => Form::Pem,
    };
    let certificate = ClientCertificate::from_der(&read_header(only.to_str().ok()?, form)?)?;
    Some(Shown { certificate, chain: Vec::new() })
}

fn by_handshake(Handshake(chain): &Handshake) -> Option<Shown> {
    let (first, rest) = chain.split_first()?;
    Some(Shown { certificate: ClientCertificate::from_der(first)?, chain: rest.to_vec() })
}
