//! A signing key of a project, and the calendar of its life.

use crate::foundation::clock::Moment;
use crate::foundation::id::{KeyId, ProjectId};
use crate::protocol::jose::Algorithm;

#[derive(Clone, Debug)]
pub struct KeyRecord {
    pub id: KeyId,
    pub project_id: ProjectId,
    pub algorithm: Algorithm,
    pub generation: i64,
    /// JSON Web Key, public members only.
    pub public_jwk: String,
    /// PKCS#8, sealed.
    pub private_key: Vec<u8>,
    pub created_at: Moment,
    pub signs_from: Moment,
    pub signs_until: Option<Moment>,
    pub published_until: Option<Moment>,
}

impl KeyRecord {
    pub fn algorithm_named(name: &str) -> Option<Algorithm> {
        Algorithm::from_name(name)
    }
    pub fn signs_at(&self, now: Moment) -> bool {
        self.signs_from <= now && self.signs_until.is_none_or(|until| now < until)
    }
    /// Whether another one took its place before its time began.
    pub fn never_signs(&self) -> bool {
        self.signs_until.is_some_and(|until| until <= self.signs_from)
    }
}
