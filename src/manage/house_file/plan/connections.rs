//! Connections, by the operations of their room. A change that matters to people who are on their way counts as a new
//! version (threats H04).

use url::Url;

use super::Plan;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::foundation::secret::Secret;
use crate::keys::connection_secret;
use crate::manage::connections::{self as room, Checked, Held, NewSecret, Stated};
use crate::manage::desk::Change;
use crate::manage::house_file::change::Field;
use crate::manage::house_file::fault::Place;
use crate::manage::house_file::parts::{ConnectionPart, Name, OidcPart, UpstreamPart};
use crate::manage::refused::{Code, Refused};
use crate::model::connection::shown::shown;
use crate::model::connection::{Connection, ConnectionState, OidcSettings, Settings, Upstream};
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
            if let Some(id) = organization {
                self.tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
            }
            let before = connections::by_slug(self.tx, self.project.id, &part.slug.value).await?;
            let found = match before {
                Some(before) => self.update_connection(part, before.id, organization).await?,
                None => self.create_connection(part, organization).await?,
            };
            if let Some(id) = found {
                self.names.insert(id.to_string(), part.slug.value.clone());
                self.connections.insert(part.slug.value.clone(), id);
                self.connections.insert(id.to_string(), id);
            }
        }
        Ok(())
    }

    async fn settings(
        &mut self,
        part: &ConnectionPart,
        before: Option<&Connection>,
    ) -> Result<Option<Settings>, StoreError> {
        let Some(assign_organizations) = self.organizations(&part.assign_organizations).await? else {
            return Ok(None);
        };
        let upstream = match &part.upstream {
            UpstreamPart::Oidc(oidc) => {
                self.check_addresses(oidc);
                Upstream::Oidc(Box::new(oidc_settings(oidc)))
            }
            UpstreamPart::Saml(saml) => {
                let settings = self.saml_settings(part, saml, before)?;
                self.warn_of_certificates(&part.slug.value, &settings);
                Upstream::Saml(Box::new(settings))
            }
        };
        Ok(Some(Settings {
            upstream,
            jit: part.jit,
            assign_organizations,
            default_roles: part.default_roles.iter().map(|name| name.value.clone()).collect(),
            leeway: part.leeway,
            silent_sign_in: part.silent_sign_in,
        }))
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
        let Some(settings) = self.settings(part, None).await? else { return Ok(None) };
        let secret = part.upstream.secret().cloned().map_or(NewSecret::Nothing, NewSecret::Given);
        let stated = stated(part, settings, secret);
        let keep = self.keep();
        let change = &mut Change::of_operator(self.tx, &keep, &self.tools.keyring);
        let made = match room::make(change, organization, &stated).await {
            Ok(made) => made.connection,
            Err(refused) => return self.refused_connection(part, refused).map(|()| None),
        };
        self.schedule(&made, None).await?;
        self.created("connection", &part.slug.value);
        self.introduce(&made);
        Ok(Some(made.id))
    }

    async fn update_connection(
        &mut self,
        part: &ConnectionPart,
        id: ConnectionId,
        organization: Option<OrganizationId>,
    ) -> Result<Option<ConnectionId>, StoreError> {
        self.tx.lock(Lock::Exclusive, "connections", &id.to_string()).await?;
        if let Some(sight) = self.described.seen.get(&part.slug.value) {
            sight.clone().keep(self.tx).await?;
        }
        let Some(before) = connections::by_id(self.tx, self.project.id, id).await? else {
            return Err(StoreError::Conflict);
        };
        if let Some((at, rule)) = stays(part, &before, organization) {
            self.refuse(at, rule);
            return Ok(None);
        }
        let Some(settings) = self.settings(part, Some(&before)).await? else { return Ok(None) };
        let (fields, secret) = self.compared(part, &before, &settings);
        let after = Connection { settings: settings.clone().into(), ..before.clone() };
        if fields.is_empty() {
            self.renew(&before, after).await?;
            return Ok(Some(id));
        }
        let (fields, secret) = self.beside(part, &before, &settings, (fields, secret)).await?;
        if fields.is_empty() {
            return Ok(Some(id));
        }
        if let Some(draft) = self.believes_otherwise(part, &before, &settings).await? {
            self.report.warnings.push(format!(
                "connection {}: it is {}, and stays what it is: version {draft} is a draft by which the provider is believed \
                 otherwise than by this file; make that live, or throw it away",
                part.slug.value, before.state
            ));
            return Ok(Some(id));
        }
        let stated = stated(part, settings, secret);
        let keep = self.keep();
        let change = &mut Change::of_operator(self.tx, &keep, &self.tools.keyring);
        let written = match room::rewrite(change, id, &stated).await {
            Ok(written) => written,
            Err(refused) => return self.refused_connection(part, refused).map(|()| None),
        };
        self.schedule(&after, Some(&before)).await?;
        self.changed("connection", &part.slug.value, fields);
        self.warn_of_draft(&part.slug.value, &written);
        self.warn_of_what_was_live(&part.slug.value, &written);
        // The provider must know the new key.
        let secret = match part.state {
            ConnectionState::Active => written.connection.secret,
            _ => written.head().1.cloned(),
        };
        let after = Connection { secret, ..after };
        if self.own_key("", &after) != self.own_key("", &before) {
            self.introduce(&after);
        }
        Ok(Some(id))
    }

    /// The draft beside a connection that somebody has switched off, if whom the file believes is believed by that no more: an
    /// unchanged file brings nobody back who was taken away (threats M15).
    async fn believes_otherwise(
        &mut self,
        part: &ConnectionPart,
        before: &Connection,
        settings: &Settings,
    ) -> Result<Option<i64>, StoreError> {
        let is_switched_on =
            part.state == ConnectionState::Active && before.state == ConnectionState::Disabled;
        // What never was live is what its draft is.
        if !is_switched_on || connections::lifecycle_of(self.tx, before.id).await?.activated_at.is_none() {
            return Ok(None);
        }
        let draft = connection_versions::draft(self.tx, before.id).await?;
        let draft = draft.map(|draft| draft.in_place_of(&before.settings));
        Ok(draft.filter(|draft| !settings.trusts_no_more(&draft.settings)).map(|draft| draft.number))
    }

    /// What somebody has drafted before would take back what the file has just said.
    fn warn_of_draft(&mut self, slug: &str, written: &Held) {
        let Some(draft) = written.draft.as_ref().filter(|_| !written.undoes.is_empty()) else { return };
        self.report.warnings.push(format!(
            "connection {slug}: a draft waits (version {}) that was begun before this, and would undo it if it went live: {}",
            draft.number,
            written.undone().join(", ")
        ));
    }

    /// Of a connection that is off, what was live believes whom the file believes no more.
    fn warn_of_what_was_live(&mut self, slug: &str, written: &Held) {
        let (live, draft) = (&written.connection, written.draft.as_ref());
        let Some(draft) = draft.filter(|draft| !live.settings.trusts_no_more(&draft.settings)) else {
            return;
        };
        if !live.is_active() {
            self.report.warnings.push(format!(
                "connection {slug}: it is {}, and what the file says of the provider waits as a draft (version {}); what was \
                 live is kept, and does not come back unless somebody has read that",
                live.state, draft.number
            ));
        }
    }

    /// What was live, and shall not be, is compared with what is worked on beside it.
    async fn beside(
        &mut self,
        part: &ConnectionPart,
        before: &Connection,
        settings: &Settings,
        live: (Vec<Field>, NewSecret),
    ) -> Result<(Vec<Field>, NewSecret), StoreError> {
        let draft = match part.state {
            ConnectionState::Active => None,
            _ => connection_versions::draft(self.tx, before.id).await?,
        };
        let Some(draft) = draft else { return Ok(live) };
        let drafted = Connection { settings: draft.settings.into(), secret: draft.secret, ..before.clone() };
        Ok(self.compared(part, &drafted, settings))
    }

    fn compared(
        &self,
        part: &ConnectionPart,
        before: &Connection,
        settings: &Settings,
    ) -> (Vec<Field>, NewSecret) {
        let after = Connection {
            display_name: part.display_name.clone(),
            state: part.state,
            settings: settings.clone().into(),
            ..before.clone()
        };
        let mut fields = self.differs(&shown(before), &shown(&after));
        let wanted = part.upstream.secret();
        if self.is_same_secret(before, wanted) {
            return (fields, before.secret.clone().map_or(NewSecret::Nothing, NewSecret::Kept));
        }
        fields.push(Field::secret("secret"));
        (fields, wanted.cloned().map_or(NewSecret::Nothing, NewSecret::Given))
    }

    /// Where it cannot be live, the file may say that it shall not be.
    fn refused_connection(&mut self, part: &ConnectionPart, refused: Refused) -> Result<(), StoreError> {
        if let Refused::Told(told) = &refused
            && told.code == Code::ConnectionIncomplete
        {
            let message =
                format!("{} cannot be active: {}; or write state = \"draft\"", part.slug.value, told.detail);
            self.refuse(part.slug.at, message);
            return Ok(());
        }
        self.refused_in(part.slug.at, &part.places, refused)
    }

    /// Keeps what was just read and says nothing new: until when it counts, and when it is read again.
    async fn renew(&mut self, before: &Connection, after: Connection) -> Result<(), StoreError> {
        if !self.described.read.contains_key(&after.slug) {
            return Ok(());
        }
        connections::update(self.tx, &Connection { updated_at: self.tools.now, ..after.clone() }).await?;
        self.schedule(&after, Some(before)).await
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

/// Whose it is and of which type never changes.
fn stays(
    part: &ConnectionPart,
    before: &Connection,
    organization: Option<OrganizationId>,
) -> Option<(Place, &'static str)> {
    if before.organization_id != organization {
        let at = part.organization.as_ref().map_or(part.slug.at, |name: &Name| name.at);
        let rule = "a connection stays with the organization it was created for: create another one";
        return Some((at, rule));
    }
    (part.upstream.word() != before.settings.upstream.word()).then_some((
        part.slug.at,
        "a connection keeps its type, for its identities are of it: create another one",
    ))
}

fn stated(part: &ConnectionPart, settings: Settings, secret: NewSecret) -> Stated {
    Stated {
        slug: part.slug.value.clone(),
        display_name: part.display_name.clone(),
        state: part.state,
        checked: Checked { settings, secret },
    }
}

pub fn oidc_settings(part: &OidcPart) -> OidcSettings {
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
