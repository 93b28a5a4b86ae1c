//! SAML identity providers as their metadata describes them, read before the transaction that keeps them: an address
//! is asked while nobody waits for the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use url::Url;

use super::change::Taken;
use super::fault::{Fault, Place};
use super::parts::{ConnectionPart, DescribedBy, UpstreamPart};
use super::{HouseFile, Reading};
use crate::broker::{Broker, Sight};
use crate::foundation::clock::Moment;
use crate::foundation::secret::Digest;
use crate::manage::connections::has_run_out;
use crate::model::connection::metadata::{Described, describe, kept};
use crate::model::connection::{ConnectionState, Metadata, MetadataSource, SamlSettings};
use crate::store::durable::engine::StoreError;
use crate::store::durable::{connections, projects};

/// By the slugs of the connections.
#[derive(Default)]
pub struct Descriptions {
    /// One whose description is there already has none.
    pub read: BTreeMap<String, Described>,
    /// What the house itself sees where what it knows has run out: as at the API that is no change of the file's, and is kept
    /// with the rest of it, or taken back.
    pub seen: BTreeMap<String, Sight>,
    /// What of it was read at addresses.
    pub taken: Vec<Taken>,
}

/// Reads what is not there yet, or, if that is wanted, what is at an address as it is now.
pub async fn read(
    broker: &Broker,
    file: &HouseFile,
    reading: &Reading,
) -> Result<Result<Descriptions, Vec<Fault>>, StoreError> {
    let project = projects::by_slug(&mut &broker.db, file.project()).await?;
    let (mut described, mut faults) = (Descriptions::default(), Vec::new());
    for part in &file.connections {
        let Some(wanted) = Wanted::of(part) else { continue };
        let before = match &project {
            Some(project) => connections::by_slug(&mut &broker.db, project.id, &part.slug.value).await?,
            None => None,
        };
        let saml = before.as_ref().and_then(|connection| connection.saml());
        let known = saml.and_then(|connection| connection.saml.metadata.as_ref());
        let again = reading.again && matches!(wanted.from, From::Address(_));
        if known.is_some_and(|known| wanted.is(known)) && !again {
            if let Some(before) = before.as_ref().filter(|_| part.state == ConnectionState::Active)
                && has_run_out(broker, before).await?
                && let Some(sight) = broker.saml_metadata.ahead(before).await
            {
                described.seen.insert(part.slug.value.clone(), sight);
            }
            continue;
        }
        match wanted.read(broker, saml.map(|connection| connection.saml)).await {
            Ok(found) => {
                if let Some(taken) = wanted.taken(&part.slug.value, &found) {
                    // It may have answered otherwise to whoever compared it.
                    if !reading.expected.is_empty() && !reading.expected.contains(&taken.digest) {
                        let message = format!("what is there now is not what is expected: {taken}");
                        faults.push(Fault { at: wanted.at, message });
                    }
                    described.taken.push(taken);
                }
                described.read.insert(part.slug.value.clone(), found);
            }
            Err(message) => faults.push(Fault { at: wanted.at, message }),
        }
    }
    Ok(if faults.is_empty() { Ok(described) } else { Err(faults) })
}

/// What the file says about where a description is.
pub struct Wanted<'p> {
    from: From<'p>,
    entity_id: Option<&'p str>,
    signer: Option<&'p str>,
    pub at: Place,
}

enum From<'p> {
    Document(&'p Arc<Vec<u8>>),
    Address(&'p Url),
}

impl<'p> Wanted<'p> {
    /// Absent: it is typed.
    pub fn of(part: &'p ConnectionPart) -> Option<Self> {
        let UpstreamPart::Saml(saml) = &part.upstream else { return None };
        match &saml.described {
            DescribedBy::Typed(_) => None,
            DescribedBy::Document { document, entity_id, signer } => Some(Self {
                from: From::Document(&document.value),
                entity_id: entity_id.as_deref(),
                signer: signer.as_deref(),
                at: document.at,
            }),
            DescribedBy::Address { url, entity_id, signer } => Some(Self {
                from: From::Address(&url.value),
                entity_id: entity_id.as_deref(),
                signer: signer.as_deref(),
                at: url.at,
            }),
        }
    }

    /// Whether this is where the known description is from.
    pub fn is(&self, known: &Metadata) -> bool {
        let same = match (&self.from, &known.source) {
            (From::Document(document), MetadataSource::Document) => {
                Digest::of(document).text() == known.digest
            }
            (From::Address(url), MetadataSource::Address(known)) => *url == known,
            _ => false,
        };
        same && self.entity_id == known.entity_id.as_deref() && self.signer == known.signer.as_deref()
    }

    /// The description, as it is kept in the place of what was known: whoever applies the file answers for it.
    pub fn metadata(&self, described: &Described, known: Option<&SamlSettings>, now: Moment) -> Metadata {
        let source = match &self.from {
            From::Document(_) => MetadataSource::Document,
            From::Address(url) => MetadataSource::Address((*url).clone()),
        };
        kept(described, source, (self.entity_id, self.signer), known, now)
    }

    /// Who the provider of this connection is by that, if it was read at an address.
    fn taken(&self, connection: &str, described: &Described) -> Option<Taken> {
        let From::Address(url) = &self.from else { return None };
        let (idp, encryption) = (&described.idp, &described.encryption);
        // No other connection's document is this one's. Texts cannot fail to be written.
        let whole = (connection, url, self.entity_id, self.signer, idp, encryption);
        let digest = Digest::of(&serde_json::to_vec(&whole).unwrap_or_default());
        Some(Taken {
            connection: connection.to_owned(),
            certificates: idp.fingerprints(),
            digest: format!("sha256:{}", HEXLOWER.encode(digest.as_bytes())),
        })
    }

    async fn read(&self, broker: &Broker, known: Option<&SamlSettings>) -> Result<Described, String> {
        let by = (self.entity_id, self.signer);
        match &self.from {
            From::Document(document) => {
                describe(document, by, known, broker.now()).map_err(|error| error.to_string())
            }
            From::Address(url) => broker
                .saml_metadata
                .read(url, by, known)
                .await
                .map_err(|error| format!("{url} cannot be had: {}", error.explained())),
        }
    }
}
