//! Domains: claimed as pending; only DNS makes one verified.

use serde_json::{Value, json};

use super::{Plan, names_of, since};
use crate::foundation::id::{ConnectionId, DomainId, OrganizationId};
use crate::manage::house_file::change::{DnsRecord, Field};
use crate::manage::house_file::parts::DomainPart;
use crate::manage::house_file::{Mode, change};
use crate::model::domain::{AutoJoin, Domain, DomainState};
use crate::model::role;
use crate::store::durable::domains;
use crate::store::durable::engine::{Lock, StoreError};

impl Plan<'_, '_> {
    pub(super) async fn put_domains(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.domains {
            let Some(organization) = self.organization(&part.organization).await? else { continue };
            let Some(routes) = self.routes(part, organization).await? else { continue };
            match domains::by_name(self.tx, organization, &part.name.value).await? {
                Some(found) => self.update_domain(part, found, &routes).await?,
                None => self.claim(part, organization, &routes).await?,
            }
        }
        Ok(())
    }

    /// The connections that the domain is routed to; only the organization's own may assert its addresses
    /// (invariant 2).
    async fn routes(
        &mut self,
        part: &DomainPart,
        organization: OrganizationId,
    ) -> Result<Option<Vec<ConnectionId>>, StoreError> {
        let mut routes = Vec::new();
        for name in &part.connections {
            let Some(found) = self.connection(name).await? else { return Ok(None) };
            if found.organization != Some(organization) {
                let owner = &part.organization.value;
                self.refuse(name.at, format!("the connection {} does not belong to {owner}", name.value));
            }
            routes.push(found.id);
        }
        routes.sort();
        Ok(Some(routes))
    }

    async fn claim(
        &mut self,
        part: &DomainPart,
        organization: OrganizationId,
        routes: &[ConnectionId],
    ) -> Result<(), StoreError> {
        let now = self.tools.now;
        let id = DomainId::new(&self.tools.random, now);
        let of = (self.project.id, organization);
        let blank = Domain::claimed(id, of, part.name.value.clone(), self.challenge(), now);
        let domain = self.switched(part, blank);
        domains::insert(self.tx, &domain).await?;
        domains::set_connections(self.tx, domain.id, routes).await?;
        self.created("domain", part.name.value.as_str());
        if self.mode == Mode::Apply {
            self.await_proof(&domain);
        }
        let event = self.event("organization.domain.claimed", Some(organization)).subject(domain.id);
        self.record(event.with("domain", domain.name.as_str())).await
    }

    async fn update_domain(
        &mut self,
        part: &DomainPart,
        found: Domain,
        routes: &[ConnectionId],
    ) -> Result<(), StoreError> {
        self.tx.lock(Lock::Exclusive, "domains", &found.id.to_string()).await?;
        let organization = found.organization_id;
        let Some(before) = domains::by_name(self.tx, organization, &part.name.value).await? else {
            return Err(StoreError::Conflict);
        };
        let mut after = self.switched(part, before.clone());
        let renewed = before.is_over(self.tools.now);
        if renewed {
            // The old proof is stale: whoever holds the name now must prove it anew (threats C16).
            after = after.restarted(self.challenge(), self.tools.now);
        }
        let old_routes = domains::connections_of(self.tx, before.id).await?;
        let mut fields = self.differs(&shown(&before, &old_routes), &shown(&after, routes));
        if renewed {
            fields.push(Field::secret("challenge"));
        }
        let waits = after.state == DomainState::Pending || after.next_challenge.is_some();
        if waits && !(renewed && self.mode == Mode::Plan) {
            self.await_proof(&after);
        }
        if fields.is_empty() {
            return Ok(());
        }
        after.updated_at = self.tools.now;
        domains::update(self.tx, &after).await?;
        domains::set_connections(self.tx, after.id, routes).await?;
        let action = if renewed { "organization.domain.claimed" } else { "organization.domain.updated" };
        let event = self.event(action, Some(organization)).subject(after.id);
        self.record(event.with("domain", after.name.as_str()).with("changed", names_of(&fields))).await?;
        self.changed("domain", part.name.value.as_str(), fields);
        Ok(())
    }

    fn challenge(&self) -> String {
        self.tools.random.token().expose().to_owned()
    }

    fn switched(&self, part: &DomainPart, before: Domain) -> Domain {
        let now = self.tools.now;
        // What the file turns on without a word more, members join by.
        let role = before.auto_join.role.clone().or_else(|| part.auto_join.then(|| role::MEMBER.to_owned()));
        Domain {
            auto_join: AutoJoin { role, ..before.auto_join.clone() },
            routing_since: since(part.use_for_routing, before.routing_since, now),
            trust_since: since(part.trust_email, before.trust_since, now),
            auto_join_since: since(part.auto_join, before.auto_join_since, now),
            ..before
        }
    }

    fn await_proof(&mut self, domain: &Domain) {
        let record: DnsRecord = change::DnsRecord {
            name: domain.txt_name(),
            value: domain.txt_value(),
            domain: domain.name.to_string(),
        };
        self.report.records.push(record);
    }
}

fn shown(domain: &Domain, routes: &[ConnectionId]) -> Value {
    json!({
        "state": domain.state,
        "connections": routes,
        "use_for_routing": domain.routing_since.is_some(),
        "trust_email": domain.trust_since.is_some(),
        "auto_join": domain.auto_join_since.is_some(),
    })
}
