//! The secret by which we prove to an identity provider who we are, sealed for the connection's own row.

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::keyring::{KeyError, Keyring};
use super::seal::{Place, SealError};
use crate::foundation::id::ConnectionId;
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::model::connection::{Settings, Upstream};
use crate::protocol::jose::{Algorithm, Jwk, SigningKey};
use crate::protocol::oauth::client_authentication::Method;

pub fn seal(keyring: &Keyring, random: &Random, connection: ConnectionId, secret: &Secret) -> Vec<u8> {
    keyring.master().seal(random, place(&connection.to_string()), secret.expose().as_bytes())
}

/// Fails for a cell that was moved here from another row (threats C29).
pub fn open(keyring: &Keyring, connection: ConnectionId, sealed: &[u8]) -> Result<Secret, KeyError> {
    let plain = keyring.master().open(place(&connection.to_string()), sealed)?;
    let text = std::str::from_utf8(&plain).map_err(|_| SealError::Unreadable)?;
    Ok(Secret::new(text))
}

fn place(row: &str) -> Place<'_> {
    Place { table: "connections", row, column: "secret" }
}

/// Reads a PKCS#8 private key in PEM: RSA, P-256 or Ed25519. Its `kid` is the thumbprint (RFC 7638).
pub fn private_key(pem: &Secret) -> Option<SigningKey> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
    let der = der.secret_pkcs8_der();
    let read = |algorithm| SigningKey::from_pkcs8(algorithm, String::new(), der).ok();
    let key = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA].into_iter().find_map(read)?;
    let kid = key.public_jwk().thumbprint();
    Some(key.named(kid))
}

/// What the provider must know to believe what we sign as its client (RFC 7523): the public key, where these settings
/// want one and its private half can be read.
pub fn public_jwk(
    keyring: &Keyring,
    connection: ConnectionId,
    settings: &Settings,
    sealed: Option<&Vec<u8>>,
) -> Option<Jwk> {
    let secret = open(keyring, connection, sealed.filter(|_| signs(settings))?).ok()?;
    Some(private_key(&secret)?.public_jwk().clone())
}

/// Whether we prove by a signature who we are.
pub fn signs(settings: &Settings) -> bool {
    matches!(&settings.upstream, Upstream::Oidc(oidc) if oidc.authentication == Method::PrivateKeyJwt)
}

/// Where the keys are published by which we prove to this connection's provider who we are. `issuer` is the project's.
pub fn jwks_url(issuer: &str, connection: ConnectionId) -> String {
    format!("{issuer}/oidc/{connection}/jwks.json")
}
