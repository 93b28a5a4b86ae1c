//! Organizations, by the operations of their room: found by id, slug or former slug, so that a rename keeps the id.

use serde_json::{Value, json};

use super::Plan;
use crate::foundation::id::OrganizationId;
use crate::manage::desk::Change;
use crate::manage::house_file::change::{Change as Told, Kind};
use crate::manage::house_file::parts::{AcceptancePart, OrganizationPart};
use crate::manage::organizations as room;
use crate::manage::policy;
use crate::manage::refused::{Code, Refused};
use crate::model::organization::{DelegationAcceptance, Enforcement, Organization};
use crate::model::policy::Switch;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{delegations, organizations};

/// A part, and the organization that it describes, if there is one.
pub(super) struct Place<'p> {
    part: &'p OrganizationPart,
    id: OrganizationId,
    before: Option<Organization>,
}

/// Those that were put, and where the report tells of them.
pub(super) struct Put<'p> {
    places: Vec<Place<'p>>,
    told_at: usize,
}

impl<'p> Plan<'p, '_> {
    /// Gives every organization of the file its id, so that whatever names it can be resolved.
    async fn find_organizations(&mut self) -> Result<Vec<Place<'p>>, StoreError> {
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
        if before.is_none()
            && let Some(holder) = organizations::slug_holder(self.tx, project, slug).await?
            && let Some(holder) = organizations::by_id(self.tx, project, holder).await?
        {
            // It may have been renamed by its own people since the file was written.
            let message = format!(
                "the slug {slug} is that of an organization for good which is called {new} now: if you mean that one, say {new} \
                 here and wherever the file says {slug}, or give it {slug} back by id = \"{id}\"; another one needs another slug",
                new = holder.slug,
                id = holder.id
            );
            self.refuse(part.slug.at, message);
            return Ok(None);
        }
        if before.as_ref().is_some_and(|before| before.deleted_at.is_some()) {
            self.refuse(part.slug.at, format!("the organization {slug} has been deleted"));
            return Ok(None);
        }
        Ok(Some(before))
    }

    pub(super) async fn put_organizations(&mut self) -> Result<Put<'p>, StoreError> {
        let told_at = self.report.changes.len();
        let mut places = Vec::new();
        for mut place in self.find_organizations().await? {
            if self.put_organization(&mut place).await? {
                places.push(place);
            } else {
                // Whatever names it finds nothing: it was refused here.
                self.organizations.retain(|_, id| *id != place.id);
            }
        }
        Ok(Put { places, told_at })
    }

    async fn put_organization(&mut self, place: &mut Place<'p>) -> Result<bool, StoreError> {
        let (part, keep) = (place.part, self.keep());
        let mut change = Change::of_operator(self.tx, &keep, &self.tools.keyring);
        let outcome = match &place.before {
            None => room::make(&mut change, place.id, &part.wanted).await,
            Some(_) => match change.organization(place.id).await {
                Ok(before) => {
                    // Whoever is locked out is told of when all of the file is written.
                    let outcome = room::rewrite(&mut change, &before, &part.wanted, true).await;
                    place.before = Some(before);
                    outcome
                }
                Err(refused) => Err(refused),
            },
        };
        let outcome = match outcome {
            Ok(after) => policy::change(&mut change, after, &opened(part), false).await,
            refused => refused,
        };
        match outcome {
            Ok(_) => Ok(true),
            Err(refused) => self.refused_in(part.slug.at, &part.places, refused).map(|()| false),
        }
    }

    /// What is left of the policies, and what the report tells of each organization.
    pub(super) async fn put_policies(&mut self, put: Put<'p>) -> Result<(), StoreError> {
        let mut told = Vec::new();
        for place in put.places {
            let part = place.part;
            let delegations = match &part.policy.delegations {
                None => None,
                Some(said) => match self.acceptance(&place, said).await? {
                    Some(found) => Some(found),
                    None => continue,
                },
            };
            let wanted = policy::Wanted { delegations, ..part.policy.wanted.clone() };
            let keep = self.keep();
            let mut change = Change::of_operator(self.tx, &keep, &self.tools.keyring);
            let outcome = match wanted.clone().obeys_rules() {
                Ok(wanted) => match change.organization(place.id).await {
                    Ok(before) => policy::change(&mut change, before, &wanted, part.policy.force).await,
                    refused => refused,
                },
                Err(refused) => Err(refused),
            };
            let after = match outcome {
                Ok(after) => after,
                Err(Refused::Told(told)) if told.code == Code::PolicyLocksOut => {
                    self.refuse(part.slug.at, format!("organization {}: {}", part.slug.value, told.detail));
                    continue;
                }
                Err(refused) => {
                    self.refused_in(part.slug.at, &part.policy.places, refused)?;
                    continue;
                }
            };
            let fields = place.before.as_ref().map(|before| self.differs(&shown(before), &shown(&after)));
            let (kind, fields) = match fields {
                Some(fields) if fields.is_empty() => continue,
                Some(fields) => (Kind::Changed, fields),
                None => (Kind::Created, Vec::new()),
            };
            told.push(Told { kind, noun: "organization", name: part.slug.value.clone(), fields });
        }
        self.report.changes.splice(put.told_at..put.told_at, told);
        Ok(())
    }

    /// Which delegations the policy accepts; nothing, if one that it names was refused.
    async fn acceptance(
        &mut self,
        place: &Place<'p>,
        said: &AcceptancePart,
    ) -> Result<Option<DelegationAcceptance>, StoreError> {
        let homes = match said {
            AcceptancePart::Approved => return Ok(Some(DelegationAcceptance::Approved)),
            AcceptancePart::None => return Ok(Some(DelegationAcceptance::None)),
            AcceptancePart::Only(homes) => homes,
        };
        let mut ids = Vec::new();
        for name in homes {
            let Some(home) = self.organization(name).await? else { return Ok(None) };
            let Some(found) = delegations::between(self.tx, home, place.id).await? else {
                let target = &place.part.slug.value;
                self.refuse(name.at, format!("{} has no delegation to {target}", name.value));
                return Ok(None);
            };
            self.names.insert(found.id.to_string(), name.value.clone());
            ids.push(found.id);
        }
        ids.sort();
        Ok(Some(DelegationAcceptance::Only(ids)))
    }
}

/// What of a policy comes first, because what the rest of the file says may need it: that nothing is enforced, and that
/// there may be roles of one's own.
fn opened(part: &OrganizationPart) -> policy::Wanted {
    let wanted = &part.policy.wanted;
    let roles = (Switch::CustomRolesEnabled, Some(true));
    policy::Wanted {
        enforcement: wanted.enforcement.filter(|word| *word == Enforcement::Off),
        turned: wanted.turned.iter().copied().filter(|turned| *turned == roles).collect(),
        ..policy::Wanted::default()
    }
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
