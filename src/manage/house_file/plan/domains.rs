//! Domains, by the operations of their room: claimed as pending; only DNS makes one verified.

use serde_json::{Value, json};

use super::Plan;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::manage::desk::Change;
use crate::manage::domains::{self as room, AutoJoinWanted, Routed, Switches, Turning};
use crate::manage::house_file::Mode;
use crate::manage::house_file::change::{DnsRecord, Field};
use crate::manage::house_file::fault::Places;
use crate::manage::house_file::parts::DomainPart;
use crate::manage::refused::Refused;
use crate::model::domain::{Domain, DomainState};
use crate::model::role;
use crate::store::durable::domains;
use crate::store::durable::engine::StoreError;

impl Plan<'_, '_> {
    pub(super) async fn put_domains(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.domains {
            let Some(organization) = self.organization(&part.organization).await? else { continue };
            let Some((routes, places)) = self.routes(part).await? else { continue };
            match self.put_domain(part, organization, routes).await {
                Ok((None, after)) => {
                    self.created("domain", part.name.value.as_str());
                    self.await_proof(&after.domain, true);
                }
                Ok((Some(before), after)) => self.tell_domain(part, &before, &after),
                Err(refused) => self.refused_in(part.name.at, &places, refused)?,
            }
        }
        Ok(())
    }

    /// The connections that the domain is routed to, in the order in which they are kept, and where each stands.
    async fn routes(&mut self, part: &DomainPart) -> Result<Option<(Vec<ConnectionId>, Places)>, StoreError> {
        let mut routes = Vec::new();
        for name in &part.connections {
            let Some(found) = self.connection(name).await? else { return Ok(None) };
            routes.push((found, name.at));
        }
        routes.sort();
        routes.dedup_by_key(|(id, _)| *id);
        let mut places = Places::default();
        places.put("/connection_ids", part.name.at);
        for (number, (_, at)) in routes.iter().enumerate() {
            places.put(format!("/connection_ids/{number}"), *at);
        }
        Ok(Some((routes.into_iter().map(|(id, _)| id).collect(), places)))
    }

    /// What was, if it was this claim, and what is.
    async fn put_domain(
        &mut self,
        part: &DomainPart,
        organization: OrganizationId,
        routes: Vec<ConnectionId>,
    ) -> Result<(Option<Routed>, Routed), Refused> {
        let keep = self.keep();
        let change = &mut Change::of_operator(self.tx, &keep, &self.tools.keyring);
        let owner = change.organization(organization).await?;
        let (name, now) = (&part.name.value, keep.now);
        let known = domains::by_name(change.tx, organization, name).await?;
        let (before, claimed) = match known.filter(|known| known.state != DomainState::Removed) {
            None => (None, room::claim(change, organization, name.clone(), Default::default()).await?),
            Some(known) => {
                let before = room::found(change, organization, known.id).await?;
                let claimed = match before.domain.is_over(now) {
                    // The old proof is stale: whoever holds the name now must prove it anew (threats C16).
                    true => room::start(change, before.clone(), None).await?,
                    false => before.clone(),
                };
                (Some(before), claimed)
            }
        };
        let wanted = wanted(part, &claimed.domain, routes);
        let after = room::switch(change, &owner, claimed, (&wanted, Turning::Ahead, true)).await?;
        Ok((before, after))
    }

    fn tell_domain(&mut self, part: &DomainPart, before: &Routed, after: &Routed) {
        let renewed = before.domain.challenge != after.domain.challenge;
        let mut fields = self.differs(&shown(before), &shown(after));
        if renewed {
            fields.push(Field::secret("challenge"));
        }
        self.await_proof(&after.domain, renewed);
        if !fields.is_empty() {
            self.changed("domain", part.name.value.as_str(), fields);
        }
    }

    /// A plan tells no challenge that it has only made up.
    fn await_proof(&mut self, domain: &Domain, is_new: bool) {
        let waits = domain.state == DomainState::Pending || domain.next_challenge.is_some();
        if waits && !(is_new && self.mode == Mode::Plan) {
            self.report.records.push(DnsRecord {
                name: domain.txt_name(),
                value: domain.txt_value(),
                domain: domain.name.to_string(),
            });
        }
    }
}

/// What is on already is not turned on again: that would end a pause.
fn wanted(part: &DomainPart, domain: &Domain, routes: Vec<ConnectionId>) -> Switches {
    let is_turned = part.auto_join != domain.auto_join_since.is_some();
    // What the file turns on without a word more, members join by.
    let role = (part.auto_join && domain.auto_join.role.is_none()).then(|| Some(role::MEMBER.to_owned()));
    Switches {
        use_for_routing: Some(part.use_for_routing),
        trust_email: Some(part.trust_email),
        connections: Some(routes),
        auto_join: AutoJoinWanted {
            enabled: is_turned.then_some(part.auto_join),
            role,
            ..AutoJoinWanted::default()
        },
    }
}

fn shown(Routed { domain, routes }: &Routed) -> Value {
    json!({
        "state": domain.state,
        "connections": routes,
        "use_for_routing": domain.routing_since.is_some(),
        "trust_email": domain.trust_since.is_some(),
        "auto_join": domain.auto_join_since.is_some(),
    })
}
