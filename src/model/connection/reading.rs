//! What a connection says of its provider is two things. The author's word: at which address the provider describes itself,
//! which entity it is, and who signs that; or, without an address, the description itself. And the reading: which keys,
//! addresses and dates the house has found there since, by the rules of `broker::saml_metadata`. A draft, or a version that was
//! live before, holds a copy of the reading of its day, and that is nobody's word for it: with the same word of the author, the
//! reading that is live counts, and never the copy.

use super::{Connection, SamlSettings, Settings, Upstream, Version, VersionState, key_name, youngest};
use crate::foundation::clock::Moment;

impl Version {
    /// As it would be if it took the place of `live` now. Where another word of an author counts, what a document has
    /// withdrawn since that was said stays away.
    pub fn in_place_of(mut self, live: &Settings) -> Self {
        let (Upstream::Saml(own), Upstream::Saml(live)) = (&mut self.settings.upstream, &live.upstream)
        else {
            return self;
        };
        let is_outdated = match self.state {
            // What somebody has had read anew for the draft is their word, whatever a document says since.
            VersionState::Draft => own.is_read_like(live) && own.given_at() <= live.given_at(),
            // What somebody has had read anew since is taken back with all else.
            _ => own.is_read_like(live) && own.given_at() == live.given_at(),
        };
        if is_outdated {
            (own.idp, own.metadata) = (live.idp.clone(), live.metadata.clone());
            own.past.clone_from(&live.past);
        } else {
            own.keep_past(live, self.created_at);
            own.keep_ages(live);
            // Who goes back takes away all that has come since.
            if self.state != VersionState::Draft {
                own.past = live.past_of(&own.idp, own.metadata.as_ref(), (self.created_at, false));
            }
        }
        self
    }

    /// The same as a connection, in the place of what is live.
    pub fn of_connection(self, live: Connection) -> Connection {
        let number = self.number;
        let Self { settings, secret, .. } = self.in_place_of(&live.settings);
        Connection { settings: settings.into(), secret, version: number, ..live }
    }
}

impl SamlSettings {
    /// Where the provider describes itself: the address, which entity of those there, and who must have signed it.
    pub fn read_from(&self) -> Option<(&url::Url, Option<&str>, Option<&str>)> {
        let (url, metadata) = (self.metadata_address()?, self.metadata.as_ref()?);
        Some((url, metadata.entity_id.as_deref(), metadata.signer.as_deref()))
    }

    /// Whether the same provider is described at the same address.
    fn is_read_like(&self, other: &Self) -> bool {
        self.read_from().is_some()
            && self.read_from() == other.read_from()
            && self.idp.entity_id == other.idp.entity_id
    }

    fn given_at(&self) -> Option<Moment> {
        self.metadata.as_ref().map(|metadata| metadata.given_at)
    }

    /// What is read is no word for it that a key is older than it is known to be.
    fn keep_ages(&mut self, live: &Self) {
        if self.metadata.is_some() {
            for text in &mut self.idp.certificates {
                *text = youngest(text, &live.idp.certificates);
            }
        }
    }

    /// `typed_at`: when it was said who the provider is, if that was typed.
    fn keep_past(&mut self, live: &Self, typed_at: Moment) {
        let withdrawn = &live.past.withdrawn;
        let said_at = self.given_at().unwrap_or(typed_at);
        let is_gone =
            |name: &str| withdrawn.iter().any(|one| one.key == name && one.by_document && one.at > said_at);
        self.idp.certificates.retain(|text| !is_gone(&key_name(text)));
        let present = self.idp.key_names();
        for one in withdrawn {
            let is_known = self.past.withdrawn.iter().any(|known| known.key == one.key);
            if !is_known && !present.contains(&one.key) {
                self.past.withdrawn.push(one.clone());
            }
        }
        if self.idp.entity_id == live.idp.entity_id {
            self.past.newest_end = self.past.newest_end.max(live.past.newest_end);
        }
    }
}
