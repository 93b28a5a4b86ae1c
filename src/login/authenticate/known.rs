//! Whom a provider means by what it calls somebody: by the identity that has the name, and by nothing else (invariant 1).

use crate::foundation::id::ConnectionId;
use crate::model::identity::{Identity, Naming};
use crate::model::login::Proof;
use crate::protocol::saml::names::name_id;
use crate::store::durable::engine::{Read, StoreError};
use crate::store::durable::identities;

/// Who is known by it.
pub enum Known {
    Nobody,
    Somebody(Identity),
    /// Somebody, by a name of this kind, which is another one; or two people, of whom nobody knows which is meant.
    Otherwise(Naming),
}

/// A name is kept as its kind keeps it: after other settings the same text may be kept in another spelling than the one
/// that it would get now, and still names whom it named.
pub async fn meant(db: &mut impl Read, connection: ConnectionId, proof: &Proof) -> Result<Known, StoreError> {
    let (issuer, subject, naming) = (&proof.issuer, &proof.subject, &proof.naming);
    let own = identities::find(db, connection, issuer, subject).await?;
    let is_settled = own.as_ref().is_some_and(|own| own.naming.is_kind_of(naming));
    let mut other = None;
    if let Some(spelling) = other_spelling(proof).filter(|_| !is_settled) {
        let found = identities::find(db, connection, issuer, &spelling).await?;
        other = found.filter(|known| known.naming.kept(proof.written()) == known.subject);
    }
    Ok(match (own, other) {
        (Some(one), None) | (None, Some(one)) if naming.means_like(&one.naming) => Known::Somebody(one),
        (Some(one), _) | (None, Some(one)) => Known::Otherwise(one.naming.kind().clone()),
        (None, None) => Known::Nobody,
    })
}

/// How the name would be kept, if it were of another kind.
fn other_spelling(proof: &Proof) -> Option<String> {
    if matches!(proof.naming, Naming::Sub | Naming::ObjectId) {
        return None;
    }
    let written = proof.written();
    let address = || {
        let format = name_id::EMAIL_ADDRESS.to_owned();
        Naming::NameId { asked: None, format }.kept(written)
    };
    let other = if written == proof.subject { address() } else { written.to_owned() };
    Some(other).filter(|other| *other != proof.subject)
}
