//! Delegations: one for each home and target.

use serde_json::{Value, json};

use super::{Plan, names_of, since};
use crate::foundation::clock::Moment;
use crate::foundation::id::{DelegationId, OrganizationId};
use crate::manage::house_file::parts::DelegationPart;
use crate::model::delegation::{Delegation, DelegationSettings};
use crate::store::durable::delegations;
use crate::store::durable::engine::{Lock, StoreError};

/// A part whose organizations are known.
pub(super) struct Place<'p> {
    part: &'p DelegationPart,
    id: DelegationId,
    home: OrganizationId,
    target: OrganizationId,
    exists: bool,
}

impl<'p> Plan<'p, '_> {
    /// Gives every delegation its id, so that policies can name it.
    pub(super) async fn find_delegations(&mut self) -> Result<Vec<Place<'p>>, StoreError> {
        let file = self.file;
        let mut places = Vec::new();
        for part in &file.delegations {
            let (home, target) =
                (self.organization(&part.home).await?, self.organization(&part.target).await?);
            let (Some(home), Some(target)) = (home, target) else { continue };
            if home == target {
                self.refuse(part.target.at, "an organization needs no delegation to itself");
                continue;
            }
            if self.delegations.contains_key(&(home, target)) {
                let (home, target) = (&part.home.value, &part.target.value);
                self.refuse(part.home.at, format!("{home} is delegated to {target} twice"));
                continue;
            }
            let before = delegations::between(self.tx, home, target).await?;
            let exists = before.is_some();
            let fresh = || DelegationId::new(&self.tools.random, self.tools.now);
            let id = before.map_or_else(fresh, |delegation| delegation.id);
            self.delegations.insert((home, target), id);
            self.names.insert(id.to_string(), part.home.value.clone());
            places.push(Place { part, id, home, target, exists });
        }
        Ok(places)
    }

    pub(super) async fn put_delegations(&mut self, places: Vec<Place<'p>>) -> Result<(), StoreError> {
        for place in places {
            let roles = self.check_roles(&place.part.roles, Some(place.target)).await?;
            let settings = DelegationSettings {
                roles,
                require_mfa: place.part.require_mfa,
                only: place.part.only.clone(),
                ..DelegationSettings::default()
            };
            if place.exists {
                self.update_delegation(&place, settings).await?;
            } else {
                self.create_delegation(&place, settings).await?;
            }
        }
        Ok(())
    }

    async fn create_delegation(
        &mut self,
        place: &Place<'p>,
        settings: DelegationSettings,
    ) -> Result<(), StoreError> {
        let blank = Delegation {
            id: place.id,
            project_id: self.project.id,
            home: place.home,
            target: place.target,
            settings: DelegationSettings::default(),
            starts_at: None,
            ends_at: None,
            home_approved_at: None,
            target_approved_at: None,
            paused_at: None,
            revoked_at: None,
        };
        let delegation = wanted(place.part, settings, &blank, self.tools.now);
        delegations::insert(self.tx, &delegation, self.tools.now).await?;
        self.created("delegation", name(place.part));
        self.record_delegation("delegation.created", &delegation, Vec::new()).await?;
        for action in actions(&blank, &delegation) {
            self.record_delegation(action, &delegation, Vec::new()).await?;
        }
        Ok(())
    }

    async fn update_delegation(
        &mut self,
        place: &Place<'p>,
        settings: DelegationSettings,
    ) -> Result<(), StoreError> {
        self.tx.lock(Lock::Exclusive, "delegations", &place.id.to_string()).await?;
        let Some(before) = delegations::by_id(self.tx, self.project.id, place.id).await? else {
            return Err(StoreError::Conflict);
        };
        let after = wanted(place.part, settings, &before, self.tools.now);
        let fields = self.differs(&shown(&before), &shown(&after));
        if fields.is_empty() {
            return Ok(());
        }
        delegations::update(self.tx, &after, self.tools.now).await?;
        let mut actions = actions(&before, &after);
        if actions.is_empty() {
            actions.push("delegation.updated");
        }
        for action in actions {
            self.record_delegation(action, &after, names_of(&fields)).await?;
        }
        self.changed("delegation", name(place.part), fields);
        Ok(())
    }

    /// Both organizations find it in their own trail.
    async fn record_delegation(
        &mut self,
        action: &'static str,
        delegation: &Delegation,
        changed: Vec<String>,
    ) -> Result<(), StoreError> {
        for organization in [delegation.home, delegation.target] {
            let event = self.event(action, Some(organization)).subject(delegation.id);
            let event = event.with("home", delegation.home.to_string());
            let event = event.with("target", delegation.target.to_string());
            let event = if changed.is_empty() { event } else { event.with("changed", changed.clone()) };
            self.record(event).await?;
        }
        Ok(())
    }
}

fn name(part: &DelegationPart) -> String {
    format!("{} → {}", part.home.value, part.target.value)
}

fn wanted(
    part: &DelegationPart,
    settings: DelegationSettings,
    before: &Delegation,
    now: Moment,
) -> Delegation {
    let paused_by = if part.paused { before.settings.paused_by.clone() } else { Vec::new() };
    let proposed_by = before.settings.proposed_by;
    Delegation {
        settings: DelegationSettings { proposed_by, paused_by, ..settings },
        starts_at: part.starts_at,
        ends_at: part.ends_at,
        home_approved_at: since(part.approved_by_home, before.home_approved_at, now),
        target_approved_at: since(part.approved_by_target, before.target_approved_at, now),
        paused_at: since(part.paused, before.paused_at, now),
        revoked_at: since(part.revoked, before.revoked_at, now),
        ..before.clone()
    }
}

/// What happened to it, in the words of the audit trail.
fn actions(before: &Delegation, after: &Delegation) -> Vec<&'static str> {
    let approved = |one: &Delegation| one.home_approved_at.is_some() && one.target_approved_at.is_some();
    let turned = |old: bool, new: bool, on: &'static str, off: &'static str| match (old, new) {
        (false, true) => Some(on),
        (true, false) => Some(off),
        _ => None,
    };
    [
        turned(approved(before), approved(after), "delegation.approved", "delegation.approval_withdrawn"),
        turned(
            before.paused_at.is_some(),
            after.paused_at.is_some(),
            "delegation.paused",
            "delegation.resumed",
        ),
        turned(
            before.revoked_at.is_some(),
            after.revoked_at.is_some(),
            "delegation.revoked",
            "delegation.restored",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn shown(delegation: &Delegation) -> Value {
    let time = |moment: Option<Moment>| moment.map(Moment::rfc3339);
    json!({
        "roles": delegation.settings.roles,
        "require_mfa": delegation.settings.require_mfa,
        "only": delegation.settings.only,
        "starts_at": time(delegation.starts_at),
        "ends_at": time(delegation.ends_at),
        "approved_by_home": delegation.home_approved_at.is_some(),
        "approved_by_target": delegation.target_approved_at.is_some(),
        "paused": delegation.paused_at.is_some(),
        "revoked": delegation.revoked_at.is_some(),
    })
}
