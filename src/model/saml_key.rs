//! A key pair of a project towards SAML identity providers. Their administrators pin its certificate, so it lives for
//! years, and its successor is published long before it begins.

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{KeyId, ProjectId};

#[derive(Clone, Debug)]
pub struct SamlKeyRecord {
    pub id: KeyId,
    pub project_id: ProjectId,
    pub purpose: Purpose,
    pub generation: i64,
    /// X.509 in DER, self-signed.
    pub certificate: Vec<u8>,
    /// PKCS#8, sealed.
    pub private_key: Vec<u8>,
    pub created_at: Moment,
    /// When it takes its predecessor's place. Absent: it is published, and waits to be told.
    pub begins_at: Option<Moment>,
    /// When its successor takes its place.
    pub ends_at: Option<Moment>,
    /// Until when it is still published (signing) or still opens what comes (decryption).
    pub kept_until: Option<Moment>,
}

words! {
    /// Never one key for both.
    Purpose { Signing = "signing", Decryption = "decryption" }
}

impl SamlKeyRecord {
    /// Whether it is the one that is used.
    pub fn is_current(&self, now: Moment) -> bool {
        self.begins_at.is_some_and(|at| at <= now) && self.ends_at.is_none_or(|at| now < at)
    }
    /// Whether its time is still to come.
    pub fn is_next(&self, now: Moment) -> bool {
        self.begins_at.is_none_or(|at| now < at) && self.ends_at.is_none()
    }
    pub fn is_kept(&self, now: Moment) -> bool {
        self.kept_until.is_none_or(|at| now < at)
    }
}
