//! Who will own the organization when they accept that, and by what people become members whom nobody has asked for.

use super::{AccessView, Entry, Next, Review};
use crate::foundation::id::{ConnectionId, DomainId};
use crate::manage::refused::Refused;
use crate::model::connection::{Connection, Jit};
use crate::model::domain::{Domain, DomainState};
use crate::model::role;
use crate::store::durable::{connections, domains, people, transfers};

impl Review<'_> {
    /// The place of an owner that is offered.
    pub(super) async fn ownership(&self) -> Result<Vec<Entry>, Refused> {
        let (db, organization) = (&mut self.desk.db(), self.desk.organization()?.id);
        let Some(offer) = transfers::pending(db, organization, self.desk.now).await? else {
            return Ok(Vec::new());
        };
        let person = people::one(db, organization, offer.to).await?.map(|member| member.person);
        let roles = vec![role::OWNER.to_owned()];
        let view = AccessView {
            kind: "ownership_transfer",
            id: offer.to.to_string(),
            name: person.as_ref().and_then(|person| person.name.clone()),
            email: person.and_then(|person| person.email),
            permissions: self.allowed(&roles)?,
            roles,
            side: None,
            status: "pending",
            source: None,
            created_at: offer.created_at.rfc3339(),
            expires_at: Some(offer.expires_at.rfc3339()),
            last_active_at: None,
        };
        Ok(vec![(view, Next::Connections(None))])
    }

    /// Connections, of whomever, by which whoever is new joins the organization.
    pub(super) async fn connections(
        &self,
        after: Option<ConnectionId>,
        most: u32,
    ) -> Result<Vec<Entry>, Refused> {
        let (project, organization) = (self.desk.project().id, self.desk.organization()?.id);
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let range = (&*after, most);
        let found = connections::that_join(&mut self.desk.db(), project, organization, range).await?;
        found.iter().map(|one| self.connection(one)).collect()
    }

    fn connection(&self, it: &Connection) -> Result<Entry, Refused> {
        let roles = match &it.settings.default_roles {
            none if none.is_empty() => vec![role::MEMBER.to_owned()],
            roles => roles.clone(),
        };
        let own = it.organization_id == Some(self.desk.organization()?.id);
        let view = AccessView {
            kind: "connection",
            id: it.id.to_string(),
            // What others call theirs is not told here.
            name: own.then(|| it.display_name.clone()),
            email: None,
            permissions: self.allowed(&roles)?,
            roles,
            side: None,
            status: it.state.word(),
            source: Some(Jit::CreateAndJoin.word()),
            created_at: it.created_at.rfc3339(),
            expires_at: None,
            last_active_at: None,
        };
        Ok((view, Next::Connections(Some(it.id))))
    }

    /// Domains whose people join by their address alone.
    pub(super) async fn domains(&self, after: Option<DomainId>, most: u32) -> Result<Vec<Entry>, Refused> {
        let organization = self.desk.organization()?.id;
        let found = domains::page(&mut self.desk.db(), organization, after, u32::MAX).await?;
        let joined = |one: &&Domain| {
            one.state == DomainState::Verified
                && one.auto_join_since.is_some()
                && one.auto_join.role.is_some()
        };
        let found = found.iter().filter(joined).take(most as usize);
        found.map(|one| self.domain(one)).collect()
    }

    fn domain(&self, it: &Domain) -> Result<Entry, Refused> {
        let roles: Vec<_> = it.auto_join.role.iter().cloned().collect();
        let view = AccessView {
            kind: "domain",
            id: it.id.to_string(),
            name: Some(it.name.to_string()),
            email: None,
            permissions: self.allowed(&roles)?,
            roles,
            side: None,
            status: if it.auto_join.paused_at.is_some() { "paused" } else { "active" },
            source: Some("auto_join"),
            created_at: it.created_at.rfc3339(),
            expires_at: None,
            last_active_at: None,
        };
        Ok((view, Next::Domains(Some(it.id))))
    }
}
