//! That whoever asks holds a key: by the proof that comes with a request (DPoP, RFC 9449), good once (threats M06), or by
//! the certificate that they have shown in TLS (RFC 8705).

use std::time::Duration;

use crate::foundation::secret::Digest;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::application::ApplicationSettings;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::dpop::{self, Proof, Request};
use crate::protocol::oauth::error::OAuthError;
use crate::store::durable::used;
use crate::web::dpop::PROOF;
use crate::web::visitor::Visitor;

/// How much longer a proof is remembered than it is good: clocks of nodes may differ by as much.
const MARGIN: Duration = Duration::from_secs(60);

/// The thumbprint of the certificate that was shown, whoever it is.
pub fn certificate(visitor: &Visitor) -> Option<String> {
    visitor.certificate.as_ref().map(|shown| shown.certificate.thumbprint())
}

/// A proof that is good, but that it may have come before: [`once`] tells.
#[derive(Debug)]
pub struct Shown(Proof);

impl Shown {
    /// The thumbprint of the key.
    pub fn jkt(&self) -> &str {
        &self.0.jkt
    }

    /// By which algorithm it is signed.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Not every application may sign by everything.
    ///
    /// # Errors
    /// `invalid_dpop_proof`
    pub fn fits(&self, settings: &ApplicationSettings) -> Result<(), Refusal> {
        match settings.may_sign_by(self.algorithm()) {
            true => Ok(()),
            false => Err(invalid("this application must sign by PS256, ES256 or EdDSA")),
        }
    }
}

fn invalid(why: impl std::fmt::Display) -> Refusal {
    Refusal::Protocol(OAuthError::invalid_dpop_proof(format!("the DPoP proof: {why}")))
}

/// The proof of a request, if it brings one: for this request, at this address, just made, with a nonce of ours. With an
/// access token, for that one.
///
/// # Errors
/// `invalid_dpop_proof`; `use_dpop_nonce` where nothing is wrong but the nonce.
pub fn shown(visitor: &Visitor, access_token: Option<&str>) -> Result<Option<Shown>, Refusal> {
    let mut all = visitor.headers.get_all(PROOF).iter();
    let Some(only) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(invalid("there is more than one"));
    }
    let text = only.to_str().map_err(|_| invalid("it is not ASCII"))?;
    let (uris, now) = (visitor.asked_uris(), visitor.broker().now());
    let request = Request { method: visitor.method.as_str(), uris: &uris, access_token, now };
    let proof = dpop::read(text, &request).map_err(invalid)?;
    let keyring = &visitor.broker().keyring;
    match &proof.nonce {
        Some(nonce) if keyring.knows_nonce(visitor.project.id, nonce, now) => Ok(Some(Shown(proof))),
        _ => {
            let why = "put the value of the DPoP-Nonce header into the claim nonce of a new DPoP proof";
            Err(Refusal::Protocol(OAuthError::use_dpop_nonce(why)))
        }
    }
}

/// Whether it is no fault, but the way in which whoever comes first learns a nonce.
pub fn only_wants_nonce(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Protocol(error) if error.code == "use_dpop_nonce")
}

/// Uses the proof up. It is remembered in the durable store, per key and address, for as long as it would be good: what
/// nobody can remember is refused.
pub async fn once(visitor: &Visitor, Shown(proof): &Shown) -> Result<(), Stop> {
    let named = Digest::of(format!("{} {}", proof.uri, proof.jti).as_bytes());
    let (scope, value) = (proof.jkt.clone(), named.text());
    let until = proof.made_at.plus(dpop::WINDOW).plus(MARGIN);
    let db = &visitor.broker().db;
    let first = db.write(async move |tx| used::first(tx, "dpop", &scope, &value, until).await).await?;
    if first { Ok(()) } else { Err(invalid("its jti was used before").into()) }
}
