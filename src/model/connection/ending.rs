//! What ends by itself of what a SAML connection lives on, and when its owners are told so (threats H18).

use std::time::Duration;

use super::saml::{SOON, SamlSettings};
use crate::foundation::clock::Moment;
use crate::model::saml_key::{Purpose, SamlKeyRecord};
use crate::model::words;
use crate::protocol::saml::keys::Certificate;

const DAY: Duration = Duration::from_secs(86_400);
/// So long before it ends owners are told, each time once.
const STAGES: [Duration; 3] = [SOON, DAY.saturating_mul(30), DAY.saturating_mul(7)];

words! {
    /// About what of a connection owners are written to once, or once at each stage.
    Notice {
        /// The certificate of the provider that ends last.
        ProviderCertificate = "provider_certificate",
        /// Ours by which we sign now.
        SigningCertificate = "signing_certificate",
        /// Ours to which the provider encrypts now.
        DecryptionCertificate = "decryption_certificate",
        /// The provider's metadata: nobody gets in afterwards.
        Metadata = "metadata",
        /// The provider's metadata cannot be had any more.
        MetadataUnreadable = "metadata_unreadable",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    pub what: Notice,
    pub at: Moment,
    /// It is told no longer ahead than this: what lives for a short time is renewed in a shorter one.
    pub within: Duration,
}

impl Ending {
    /// Of a certificate.
    pub fn of(what: Notice, certificate: &Certificate) -> Self {
        Self { what, at: certificate.not_after(), within: Duration::MAX }
    }

    /// Of a project's key, if it is used now, and its successor does not begin before.
    pub fn of_key(key: &SamlKeyRecord, now: Moment) -> Option<Self> {
        let what = match key.purpose {
            Purpose::Signing => Notice::SigningCertificate,
            Purpose::Decryption => Notice::DecryptionCertificate,
        };
        let ending = Self::of(what, &Certificate::from_der(&key.certificate).ok()?);
        let has_successor = key.ends_at.is_some_and(|at| at <= ending.at);
        (key.is_current(now) && !has_successor && ending.stage(now) > 0).then_some(ending)
    }

    /// How many of the times have come at which owners are told.
    pub fn stage(&self, now: Moment) -> i64 {
        let left = self.at.since(now);
        STAGES.iter().map(|ahead| i64::from(left <= (*ahead).min(self.within))).sum()
    }
}

impl SamlSettings {
    /// Whether it is the project's certificate that its provider is shown, as none was brought.
    pub fn shows_the_projects(&self, what: Notice) -> bool {
        match what {
            Notice::SigningCertificate => self.own.signing.is_none(),
            Notice::DecryptionCertificate => self.own.decryption.is_none() && self.shows_encryption(),
            Notice::ProviderCertificate | Notice::Metadata | Notice::MetadataUnreadable => false,
        }
    }

    /// Of certificates that are the connection's own matter: the provider's, of which a later one is the successor of those
    /// before, and those that were brought for it.
    pub fn endings(&self) -> Vec<Ending> {
        let read = |text: &String| Certificate::from_base64(text).ok();
        let theirs = self.idp.certificates.iter().filter_map(read).max_by_key(Certificate::not_after);
        let own = |certificate: &Option<String>| certificate.as_ref().and_then(read);
        let all = [
            (Notice::ProviderCertificate, theirs),
            (Notice::SigningCertificate, own(&self.own.signing)),
            (Notice::DecryptionCertificate, own(&self.own.decryption)),
        ];
        all.iter().filter_map(|(what, one)| Some(Ending::of(*what, one.as_ref()?))).collect()
    }

    /// Of what was read at an address. What is renewed in time has been read anew twice before it is told; a document that is
    /// written anew each time, and ends when the one before did, renews nothing.
    pub fn metadata_ending(&self) -> Option<Ending> {
        let at = self.described_until()?;
        let lifetime = at.since(self.metadata.as_ref()?.dated());
        Some(Ending { what: Notice::Metadata, at, within: lifetime / 3 })
    }

    /// Until when that counts, if that is soon.
    pub fn running_out(&self, now: Moment) -> Option<Moment> {
        self.metadata_ending().filter(|ending| ending.stage(now) > 0).map(|ending| ending.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h18_an_end_is_told_sixty_thirty_and_seven_days_before() {
        let at = Moment::from_seconds(1_790_000_000);
        let stage =
            |ahead: Duration, within| Ending { what: Notice::Metadata, at, within }.stage(at.minus(ahead));
        let second = Duration::from_secs(1);
        for (days, before, then) in [(60, 0, 1), (30, 1, 2), (7, 2, 3)] {
            assert_eq!(stage(DAY * days + second, Duration::MAX), before);
            assert_eq!(stage(DAY * days, Duration::MAX), then);
        }
        assert_eq!(stage(Duration::ZERO, Duration::MAX), 3, "also once it is over");
        assert_eq!((stage(DAY * 31, DAY * 20), stage(DAY * 20, DAY * 20)), (0, 2), "no sooner than it lives");
    }
}
