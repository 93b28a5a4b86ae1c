//! Organizations: found by id, slug or former slug, so that a rename keeps the id.

use serde_json::{Value, json};

use super::{Plan, names_of};
use crate::foundation::id::OrganizationId;
use crate::manage::house_file::parts::{AcceptancePart, Name, OrganizationPart};
use crate::manage::policy;
use crate::model::organization::{DelegationAcceptance, Organization, Policy};
use crate::model::role;
use crate::store::durable::engine::{Lock, StoreError};
use crate::store::durable::{delegations, organizations};

/// A part, and the organization that it describes, if there is one.
pub(super) struct Place<'p> {
    part: &'p OrganizationPart,
    id: OrganizationId,
    before: Option<Organization>,
}

impl<'p> Plan<'p, '_> {
    /// Gives every organization of the file its id, so that whatever names it can be resolved.
    pub(super) async fn find_organizations(&mut self) -> Result<Vec<Place<'p>>, StoreError> {
        let mut places: Vec<Place<'p>> = Vec::new();
        let file = self.file;
        for part in &file.organizations {
            let Some(before) = self.identify(part).await? else { continue };
            let fresh = || {
                let made = || OrganizationId::new(&self.tools.random, self.tools.now);
                part.id.as_ref().map_or_else(made, |id| id.value)
            };
            let id = before.as_ref().map_or_else(fresh, |organization| organization.id);
            if let Some(other) = places.iter().find(|place| place.id == id) {
                let line = other.part.slug.at.line;
                self.refuse(part.slug.at, format!("this is the organization of line {line} again"));
                continue;
            }
            self.organizations.insert(part.slug.value.clone(), id);
            self.organizations.insert(id.to_string(), id);
            self.names.insert(id.to_string(), part.slug.value.clone());
            places.push(Place { part, id, before });
        }
        Ok(places)
    }

    /// The organization that a part means: `Some(None)` for a new one, `None` for one that is refused.
    async fn identify(
        &mut self,
        part: &OrganizationPart,
    ) -> Result<Option<Option<Organization>>, StoreError> {
        let project = self.project.id;
        let here = organizations::by_slug(self.tx, project, &part.slug.value).await?;
        let by_id = match &part.id {
            Some(id) => organizations::by_id(self.tx, project, id.value).await?,
            None => None,
        };
        let former = match &part.former_slug {
            Some(slug) => organizations::by_slug(self.tx, project, &slug.value).await?,
            None => None,
        };
        let slug = &part.slug.value;
        if let (Some(id), Some(here)) = (&part.id, &here)
            && here.id != id.value
        {
            self.refuse(id.at, format!("the organization {slug} has another id, {}", here.id));
            return Ok(None);
        }
        let before = by_id.or(here).or_else(|| former.clone());
        if let (Some(former_slug), Some(former)) = (&part.former_slug, &former)
            && before.as_ref().is_some_and(|before| before.id != former.id)
        {
            let message = format!("{} and {slug} are two organizations", former_slug.value);
            self.refuse(former_slug.at, message);
            return Ok(None);
        }
        if let (Some(id), Some(before)) = (&part.id, &before)
            && before.id != id.value
        {
            self.refuse(id.at, format!("the organization {} has another id, {}", before.slug, before.id));
            return Ok(None);
        }
        if before.as_ref().is_some_and(|before| before.deleted_at.is_some()) {
            self.refuse(part.slug.at, format!("the organization {slug} has been deleted"));
            return Ok(None);
        }
        // A retired slug is never given to another organization: applications key on it (S2-29).
        let holder = organizations::slug_holder(self.tx, project, slug).await?;
        if holder.is_some_and(|holder| before.as_ref().is_none_or(|before| before.id != holder)) {
            self.refuse(part.slug.at, format!("the slug {slug} has belonged to another organization"));
            return Ok(None);
        }
        Ok(Some(before))
    }

    pub(super) async fn put_organizations(&mut self, places: Vec<Place<'p>>) -> Result<(), StoreError> {
        for place in places {
            self.check_functional_roles(place.part);
            let Some(policy) = self.policy(&place).await? else { continue };
            match place.before {
                Some(before) => self.update(place.part, before.id, policy).await?,
                None => self.create(place.part, place.id, policy).await?,
            }
        }
        Ok(())
    }

    fn check_functional_roles(&mut self, part: &OrganizationPart) {
        for name in part.functional_roles.iter().flatten() {
            if role::function(&name.value, &self.project.settings.functional_roles).is_none() {
                self.refuse(name.at, format!("the project has no functional role {}", name.value));
            }
        }
    }

    async fn policy(&mut self, place: &Place<'p>) -> Result<Option<Policy>, StoreError> {
        let part = &place.part.policy;
        let delegations = match &part.delegations {
            AcceptancePart::Approved => DelegationAcceptance::Approved,
            AcceptancePart::None => DelegationAcceptance::None,
            AcceptancePart::Only(homes) => {
                let mut ids = Vec::new();
                for name in homes {
                    let Some(home) = self.organization(name).await? else { return Ok(None) };
                    let stored = match self.delegations.get(&(home, place.id)) {
                        Some(id) => Some(*id),
                        None => delegations::between(self.tx, home, place.id).await?.map(|stored| stored.id),
                    };
                    let Some(id) = stored else {
                        let target = &place.part.slug.value;
                        self.refuse(name.at, format!("{} has no delegation to {target}", name.value));
                        return Ok(None);
                    };
                    self.names.insert(id.to_string(), name.value.clone());
                    ids.push(id);
                }
                ids.sort();
                DelegationAcceptance::Only(ids)
            }
        };
        let (enforcement, require_mfa, max_age) = (part.enforcement, part.require_mfa, part.max_age);
        // What the file says nothing of stays.
        let kept = place.before.as_ref().map(|before| before.policy.clone()).unwrap_or_default();
        let mut switches = kept.switches.clone();
        part.switches.iter().for_each(|(switch, on)| switches.set(*switch, Some(*on)));
        let names = |list: &Vec<Name>| list.iter().map(|name| name.value.clone()).collect();
        let policy = Policy {
            enforcement,
            require_mfa,
            max_age,
            delegations,
            switches,
            mfa_required_for: part.mfa_required_for.as_ref().map_or(kept.mfa_required_for, names),
            google_hosted_domains: part.google_hosted_domains.clone().unwrap_or(kept.google_hosted_domains),
            microsoft_tenant_ids: part.microsoft_tenant_ids.clone().unwrap_or(kept.microsoft_tenant_ids),
            member_list: part.member_list.unwrap_or(kept.member_list),
        };
        if policy::is_impossible(&policy, &self.project.settings.switches) {
            let message = "no method is on that could tell of a second factor";
            self.refuse(place.part.slug.at, message);
        }
        Ok(Some(policy))
    }

    /// Roles that a policy names are the organization's; they are there by now.
    pub(super) async fn check_policies(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.organizations {
            let (Some(names), Some(id)) =
                (&part.policy.mfa_required_for, self.organizations.get(&part.slug.value).copied())
            else {
                continue;
            };
            self.check_roles(names, Some(id)).await?;
        }
        Ok(())
    }

    async fn create(
        &mut self,
        part: &OrganizationPart,
        id: OrganizationId,
        policy: Policy,
    ) -> Result<(), StoreError> {
        let now = self.tools.now;
        let blank = Organization {
            id,
            project_id: self.project.id,
            slug: String::new(),
            display_name: String::new(),
            kind: None,
            description: None,
            logo_uri: None,
            functional_roles: None,
            policy: Policy::default(),
            created_at: now,
            updated_at: now,
            deactivated_at: None,
            deleted_at: None,
            purge_at: None,
            epoch: 0,
        };
        let organization = self.wanted(part, policy, blank);
        organizations::insert(self.tx, &organization).await?;
        self.created("organization", &part.slug.value);
        let event = self.event("organization.created", Some(id)).subject(id).with("slug", &*part.slug.value);
        self.record(event).await
    }

    async fn update(
        &mut self,
        part: &OrganizationPart,
        id: OrganizationId,
        policy: Policy,
    ) -> Result<(), StoreError> {
        self.tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
        let Some(before) = organizations::by_id(self.tx, self.project.id, id).await? else {
            return Err(StoreError::Conflict);
        };
        let mut after = self.wanted(part, policy, before.clone());
        let fields = self.differs(&shown(&before), &shown(&after));
        if fields.is_empty() {
            return Ok(());
        }
        after.updated_at = self.tools.now;
        organizations::update(self.tx, &after).await?;
        for action in actions(&before, &after) {
            let event = self.event(action, Some(id)).subject(id).with("changed", names_of(&fields));
            self.record(event.with("slug", after.slug.as_str())).await?;
        }
        self.changed("organization", &part.slug.value, fields);
        Ok(())
    }

    fn wanted(&self, part: &OrganizationPart, policy: Policy, before: Organization) -> Organization {
        let names = |list: &Vec<Name>| list.iter().map(|name| name.value.clone()).collect();
        Organization {
            slug: part.slug.value.clone(),
            display_name: part.display_name.clone(),
            description: part.description.clone(),
            logo_uri: part.logo_uri.clone(),
            functional_roles: part.functional_roles.as_ref().map(names),
            policy,
            ..if part.active {
                before.reactivated(self.tools.now)
            } else {
                before.deactivated(self.tools.now)
            }
        }
    }
}

/// What the audit trail calls the change: each thing that happened, or that something else did.
fn actions(before: &Organization, after: &Organization) -> Vec<&'static str> {
    let mut actions = Vec::new();
    if before.slug != after.slug {
        actions.push("organization.renamed");
    }
    match (before.deactivated_at.is_some(), after.deactivated_at.is_some()) {
        (false, true) => actions.push("organization.deactivated"),
        (true, false) => actions.push("organization.reactivated"),
        _ => {}
    }
    if actions.is_empty() {
        actions.push("organization.updated");
    }
    actions
}

fn shown(organization: &Organization) -> Value {
    json!({
        "slug": organization.slug,
        "display_name": organization.display_name,
        "description": organization.description,
        "logo_uri": organization.logo_uri,
        "active": organization.deactivated_at.is_none(),
        "functional_roles": organization.functional_roles,
        "policy": organization.policy,
    })
}
