//! What is special about connections whose provider speaks SAML.

use super::Plan;
use crate::keys::connection_secret;
use crate::manage::house_file::change::Introduction;
use crate::manage::house_file::describe::Wanted;
use crate::manage::house_file::parts::{ConnectionPart, DescribedBy, SamlPart, UpstreamPart};
use crate::model::connection::{
    Connection, IdentityProvider, Metadata, Past, SamlSettings, SpAddresses, Upstream,
};
use crate::store::durable::applications;
use crate::store::durable::engine::StoreError;
use crate::store::durable::metadata_reads::{self, MetadataRead};

impl Plan<'_, '_> {
    pub(super) fn saml_settings(
        &self,
        part: &ConnectionPart,
        saml: &SamlPart,
        before: Option<&Connection>,
    ) -> Result<SamlSettings, StoreError> {
        let (idp, metadata) = self.identity_provider(part, saml, before)?;
        let known = before.and_then(Connection::saml).map(|connection| connection.saml);
        Ok(SamlSettings {
            preset: saml.preset,
            past: match known {
                Some(known) => known.past_of(&idp, metadata.as_ref(), (self.tools.now, false)),
                None => Past::beginning(metadata.as_ref()),
            },
            idp,
            metadata,
            request: saml.request.clone(),
            wants: saml.wants,
            subject: saml.subject.clone(),
            attributes: saml.attributes.clone(),
            required_attributes: saml.required_attributes.clone(),
            idp_initiated: saml.idp_initiated,
            default_application: saml.default_application.as_ref().map(|name| name.value.clone()),
            honours_session_end: saml.honours_session_end,
            single_logout: saml.single_logout,
            own: saml.own.clone(),
        })
    }

    /// Their keys count whatever their certificates say.
    pub(super) fn warn_of_certificates(&mut self, slug: &str, saml: &SamlSettings) {
        for (fingerprint, worry) in saml.idp.worries(self.tools.now) {
            let advice = worry.advice();
            self.report.warnings.push(format!(
                "connection {slug}: the provider's certificate {fingerprint} {worry}: {advice}"
            ));
        }
    }

    /// As it is typed, as it was just read, or as it is known: what was read at an address changes there.
    fn identity_provider(
        &self,
        part: &ConnectionPart,
        saml: &SamlPart,
        before: Option<&Connection>,
    ) -> Result<(IdentityProvider, Option<Metadata>), StoreError> {
        if let DescribedBy::Typed(idp) = &saml.described {
            return Ok((idp.clone(), None));
        }
        // Both are there unless somebody has changed the connection just now: then all begins anew.
        let wanted = Wanted::of(part).ok_or(StoreError::Conflict)?;
        let known = before.and_then(Connection::saml).map(|connection| connection.saml);
        match (self.described.read.get(&part.slug.value), known) {
            (Some(described), known) => {
                Ok((described.idp.clone(), Some(wanted.metadata(described, known, self.tools.now))))
            }
            (None, Some(known)) if known.metadata.as_ref().is_some_and(|metadata| wanted.is(metadata)) => {
                Ok((known.idp.clone(), known.metadata.clone()))
            }
            (None, _) => Err(StoreError::Conflict),
        }
    }

    /// Says when the metadata of a connection is read again.
    pub(super) async fn schedule(
        &mut self,
        connection: &Connection,
        before: Option<&Connection>,
    ) -> Result<(), StoreError> {
        let address = |connection: &Connection| {
            connection.saml().and_then(|connection| connection.saml.metadata_address().cloned())
        };
        let read = self.described.read.get(&connection.slug);
        match (address(connection), read) {
            (None, _) if before.and_then(address).is_some() => {
                metadata_reads::remove(self.tx, connection.id).await
            }
            (Some(_), Some(described)) => {
                let turn = MetadataRead {
                    connection_id: connection.id,
                    next_read_at: described.next_read_at,
                    read_at: self.tools.now,
                    failures: 0,
                    failure: None,
                };
                metadata_reads::put(self.tx, &turn).await
            }
            _ => Ok(()),
        }
    }

    /// Tells what the provider's administrator needs of us.
    pub(super) fn introduce(&mut self, connection: &Connection) {
        let issuer = self.tools.broker.issuer(&self.project);
        let lines = match &connection.settings.upstream {
            Upstream::Oidc(_) => {
                let at = |door: &str| format!("{issuer}/oidc/{}/{door}", connection.id);
                let mut lines = vec![
                    ("Redirect URI".to_owned(), at("callback")),
                    ("Post-logout redirect URI".to_owned(), at("signed-out")),
                    ("Back-channel logout URI".to_owned(), at("backchannel-logout")),
                    ("Global token revocation URI".to_owned(), at("global-token-revocation")),
                ];
                lines.extend(self.own_key(&issuer, connection));
                lines
            }
            Upstream::Saml(_) => {
                let own = SpAddresses::of(&issuer, connection.id);
                vec![
                    ("Entity ID, and where our metadata is".to_owned(), own.entity_id),
                    ("Assertion consumer service (HTTP-POST)".to_owned(), own.acs),
                    ("Single logout service".to_owned(), own.slo),
                ]
            }
        };
        self.report.introductions.push(Introduction { connection: connection.slug.clone(), lines });
    }

    /// By what the provider is to know us, where we sign.
    pub(super) fn own_key(&self, issuer: &str, connection: &Connection) -> Vec<(String, String)> {
        let (id, keyring) = (connection.id, &self.tools.keyring);
        let key =
            connection_secret::public_jwk(keyring, id, &connection.settings, connection.secret.as_ref());
        let Some(jwk) = key.and_then(|key| serde_json::to_string(&key).ok()) else { return Vec::new() };
        vec![
            ("Where our public keys are (JWKS)".to_owned(), connection_secret::jwks_url(issuer, id)),
            ("Our public key (JWK)".to_owned(), jwk),
        ]
    }

    /// The applications that connections name come after them in the order of writing.
    pub(super) async fn check_default_applications(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.connections {
            let UpstreamPart::Saml(saml) = &part.upstream else { continue };
            let Some(name) = &saml.default_application else { continue };
            if file.applications.iter().any(|part| part.client_id.value == name.value) {
                continue;
            }
            if applications::by_client_id(self.tx, self.project.id, &name.value).await?.is_none() {
                self.refuse(name.at, format!("there is no application {}", name.value));
            }
        }
        Ok(())
    }
}
