//! Connections. A change that matters to people who are on their way counts as a new version (threats H04).

use url::Url;

use super::{Found, Plan, names_of};
use crate::broker::connection_swap::{ended, was_live};
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::foundation::secret::Secret;
use crate::keys::connection_secret;
use crate::manage::house_file::change::Field;
use crate::manage::house_file::parts::{ConnectionPart, Name, OidcPart, UpstreamPart};
use crate::model::connection::shown::shown;
use crate::model::connection::{
    Connection, ConnectionState, Lifecycle, OidcSettings, Settings, Upstream, VersionState,
};
use crate::store::durable::engine::{Lock, StoreError};
use crate::store::durable::{connection_versions, connections};

impl Plan<'_, '_> {
    pub(super) async fn put_connections(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.connections {
            let organization = match &part.organization {
                None => None,
                Some(name) => match self.organization(name).await? {
                    Some(id) => Some(id),
                    None => continue,
                },
            };
            let before = connections::by_slug(self.tx, self.project.id, &part.slug.value).await?;
            let found = match before {
                Some(before) => self.update_connection(part, before.id, organization).await?,
                None => self.create_connection(part, organization).await?,
            };
            if let Some(id) = found {
                self.names.insert(id.to_string(), part.slug.value.clone());
                self.connections.insert(part.slug.value.clone(), Found { id, organization });
                self.connections.insert(id.to_string(), Found { id, organization });
            }
        }
        Ok(())
    }

    async fn settings(
        &mut self,
        part: &ConnectionPart,
        organization: Option<OrganizationId>,
        before: Option<&Connection>,
    ) -> Result<Option<Settings>, StoreError> {
        let default_roles = self.check_roles(&part.default_roles, organization).await?;
        let Some(assign_organizations) = self.organizations(&part.assign_organizations).await? else {
            return Ok(None);
        };
        self.check_assigned(part, organization, &assign_organizations);
        let upstream = match &part.upstream {
            UpstreamPart::Oidc(oidc) => {
                self.check_addresses(oidc);
                Upstream::Oidc(Box::new(oidc_settings(oidc)))
            }
            UpstreamPart::Saml(saml) => Upstream::Saml(Box::new(self.saml_settings(part, saml, before)?)),
        };
        Ok(Some(Settings {
            upstream,
            jit: part.jit,
            assign_organizations,
            default_roles,
            leeway: part.leeway,
            silent_sign_in: part.silent_sign_in,
        }))
    }

    /// In an exclusive project people join one organization, the connection's own if it has one: no further one would
    /// ever be joined.
    fn check_assigned(
        &mut self,
        part: &ConnectionPart,
        own: Option<OrganizationId>,
        assigned: &[OrganizationId],
    ) {
        let Some(only) = own.or(assigned.first().copied()).filter(|_| self.is_exclusive()) else { return };
        for (name, id) in part.assign_organizations.iter().zip(assigned) {
            if *id != only {
                let joined = self.names.get(&only.to_string()).cloned().unwrap_or_default();
                let message = format!(
                    "nobody can join {} as well: the project is exclusive, and who comes by {} joins {joined}",
                    name.value, part.slug.value
                );
                self.refuse(name.at, message);
            }
        }
    }

    /// Addresses that would never be asked are refused here, not at the first login (threats C27).
    fn check_addresses(&mut self, part: &OidcPart) {
        let issuer = Url::parse(&part.issuer.value).ok().map(|url| (part.issuer.at, url));
        let mut addresses: Vec<_> = issuer.into_iter().collect();
        if let Some(endpoints) = &part.endpoints {
            let typed = &endpoints.value;
            let urls =
                [Some(&typed.authorization), Some(&typed.token), typed.userinfo.as_ref(), Some(&typed.jwks)];
            addresses.extend(urls.into_iter().flatten().map(|url| (endpoints.at, url.clone())));
        }
        for (at, url) in addresses {
            if let Err(refusal) = self.tools.guard.check(&url) {
                self.refuse(at, format!("{url} is no address that we would ask: {refusal}"));
            }
        }
    }

    async fn create_connection(
        &mut self,
        part: &ConnectionPart,
        organization: Option<OrganizationId>,
    ) -> Result<Option<ConnectionId>, StoreError> {
        let Some(settings) = self.settings(part, organization, None).await? else { return Ok(None) };
        let now = self.tools.now;
        let id = ConnectionId::new(&self.tools.random, now);
        let connection = Connection {
            id,
            project_id: self.project.id,
            organization_id: organization,
            slug: part.slug.value.clone(),
            display_name: part.display_name.clone(),
            state: part.state,
            version: 1,
            settings,
            secret: part.upstream.secret().map(|secret| self.seal(id, secret)),
            created_at: now,
            updated_at: now,
        };
        self.check_use(part, &connection, None);
        connections::insert(self.tx, &connection).await?;
        self.settle(&connection, Lifecycle::default()).await?;
        self.schedule(&connection, None).await?;
        self.created("connection", &part.slug.value);
        self.introduce(&connection);
        self.record_connection("organization.connection.created", &connection, Vec::new()).await?;
        if part.state == ConnectionState::Active {
            self.record_connection("organization.connection.activated", &connection, Vec::new()).await?;
        }
        Ok(Some(id))
    }

    async fn update_connection(
        &mut self,
        part: &ConnectionPart,
        id: ConnectionId,
        organization: Option<OrganizationId>,
    ) -> Result<Option<ConnectionId>, StoreError> {
        self.tx.lock(Lock::Exclusive, "connections", &id.to_string()).await?;
        let Some(before) = connections::by_id(self.tx, self.project.id, id).await? else {
            return Err(StoreError::Conflict);
        };
        if before.organization_id != organization {
            let at = part.organization.as_ref().map_or(part.slug.at, |name: &Name| name.at);
            self.refuse(
                at,
                "a connection stays with the organization it was created for: create another one",
            );
            return Ok(None);
        }
        if part.upstream.word() != before.settings.upstream.word() {
            self.refuse(
                part.slug.at,
                "a connection keeps its type, for its identities are of it: create another one",
            );
            return Ok(None);
        }
        let Some(settings) = self.settings(part, organization, Some(&before)).await? else { return Ok(None) };
        let mut after = Connection {
            display_name: part.display_name.clone(),
            state: part.state,
            settings,
            ..before.clone()
        };
        let mut fields = self.differs(&shown(&before), &shown(&after));
        if !self.is_same_secret(&before, part.upstream.secret()) {
            after.secret = part.upstream.secret().map(|secret| self.seal(id, secret));
            fields.push(Field::secret("secret"));
        }
        if fields.is_empty() {
            self.renew(&before, after).await?;
            return Ok(Some(id));
        }
        self.check_use(part, &after, Some(&before));
        if fields.iter().any(|field| field.name != "display_name") {
            after.version = connection_versions::next(self.tx, &before).await?;
        }
        after.updated_at = self.tools.now;
        let mut lifecycle = connections::lifecycle_of(self.tx, id).await?;
        if (&before.settings, &before.secret) != (&after.settings, &after.secret)
            && was_live(&before, &lifecycle)
        {
            let why = (VersionState::Superseded, None);
            lifecycle.previous_version = Some(ended(self.tx, &before, self.tools.now, why).await?);
        }
        connections::update(self.tx, &after).await?;
        self.settle(&after, lifecycle).await?;
        self.schedule(&after, Some(&before)).await?;
        let action = match (before.state, after.state) {
            (old, ConnectionState::Active) if old != ConnectionState::Active => {
                "organization.connection.activated"
            }
            (ConnectionState::Active, new) if new != ConnectionState::Active => {
                "organization.connection.deactivated"
            }
            _ => "organization.connection.updated",
        };
        self.record_connection(action, &after, names_of(&fields)).await?;
        self.changed("connection", &part.slug.value, fields);
        Ok(Some(id))
    }

    /// Keeps what else is known of it, and which one of the organization's is primary.
    async fn settle(&mut self, after: &Connection, mut lifecycle: Lifecycle) -> Result<(), StoreError> {
        if after.is_active() && lifecycle.activated_at.is_none() {
            lifecycle.activated_at = Some(self.tools.now);
        }
        connections::set_lifecycle(self.tx, after.id, &lifecycle).await?;
        match after.organization_id {
            Some(id) => connections::settle_primary(self.tx, id, self.tools.now).await.map(drop),
            None => Ok(()),
        }
    }

    /// Keeps what was just read and says nothing new: until when it counts, and when it is read again.
    async fn renew(&mut self, before: &Connection, after: Connection) -> Result<(), StoreError> {
        if !self.described.contains_key(&after.slug) {
            return Ok(());
        }
        connections::update(self.tx, &Connection { updated_at: self.tools.now, ..after.clone() }).await?;
        self.schedule(&after, Some(before)).await
    }

    async fn record_connection(
        &mut self,
        action: &'static str,
        connection: &Connection,
        changed: Vec<String>,
    ) -> Result<(), StoreError> {
        let event = self.event(action, connection.organization_id).subject(connection.id);
        let event = event.with("slug", connection.slug.as_str()).with("version", connection.version);
        self.record(if changed.is_empty() { event } else { event.with("changed", changed) }).await
    }

    fn seal(&self, id: ConnectionId, secret: &Secret) -> Vec<u8> {
        connection_secret::seal(&self.tools.keyring, &self.tools.random, id, secret)
    }

    /// One that cannot be opened is another one: sealing it anew repairs it.
    fn is_same_secret(&self, before: &Connection, wanted: Option<&Secret>) -> bool {
        match (&before.secret, wanted) {
            (None, None) => true,
            (Some(sealed), Some(wanted)) => {
                let opened = connection_secret::open(&self.tools.keyring, before.id, sealed);
                opened.is_ok_and(|opened| opened.digest() == wanted.digest())
            }
            _ => false,
        }
    }
}

fn oidc_settings(part: &OidcPart) -> OidcSettings {
    OidcSettings {
        preset: part.preset,
        issuer: part.issuer.value.clone(),
        endpoints: part.endpoints.as_ref().map(|endpoints| endpoints.value.clone()),
        client_id: part.client_id.clone(),
        authentication: part.authentication,
        scopes: part.scopes.clone(),
        algorithms: part.algorithms.clone(),
        email_claim: part.email_claim.clone(),
        forward_login_hint: part.forward_login_hint,
        domain_hint_parameter: part.domain_hint_parameter.clone(),
        required_claims: part.required_claims.clone(),
        always_userinfo: part.always_userinfo,
        single_logout: part.single_logout,
    }
}
