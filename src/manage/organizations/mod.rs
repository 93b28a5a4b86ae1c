//! Organizations: made, renamed, described. What is decided here is decided for every door.

pub mod api;
mod body;
mod lifecycle;
mod owner;
mod view;

use std::time::Duration;

use serde_json::json;

use super::authority::Standing;
use super::desk::Change;
use super::publishers;
use super::refused::{Code, Refused};
use crate::audit::{self, Keep};
use crate::foundation::id::OrganizationId;
use crate::model::organization::{Organization, Policy, slug_of};
use crate::model::role;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{audit_events, organizations};

pub use owner::Owner;
pub use view::OrganizationView;

const RENAMED: &str = "organization.renamed";

/// What is wanted of an organization. What is absent stays as it is; an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub display_name: Option<String>,
    pub slug: Option<String>,
    pub kind: Option<Option<String>>,
    pub description: Option<Option<String>>,
    pub logo_uri: Option<Option<String>>,
    pub functional_roles: Option<Option<Vec<String>>>,
    pub deactivate: Option<bool>,
}

impl Wanted {
    fn over(&self, before: &Organization) -> Organization {
        let new = self.clone();
        Organization {
            display_name: new.display_name.unwrap_or_else(|| before.display_name.clone()),
            slug: new.slug.unwrap_or_else(|| before.slug.clone()),
            kind: new.kind.unwrap_or_else(|| before.kind.clone()),
            description: new.description.unwrap_or_else(|| before.description.clone()),
            logo_uri: new.logo_uri.unwrap_or_else(|| before.logo_uri.clone()),
            functional_roles: new.functional_roles.unwrap_or_else(|| before.functional_roles.clone()),
            ..before.clone()
        }
    }

    /// The project gives functional roles their names.
    fn fits(&self, keep: &Keep) -> Result<(), Refused> {
        let known = &keep.project.settings.functional_roles;
        for (place, name) in self.functional_roles.iter().flatten().flatten().enumerate() {
            if role::function(name, known).is_none() {
                let pointer = format!("/functional_roles/{place}");
                let rule = format!("the project has no functional role {name}");
                return Err(Refused::value(&pointer, rule));
            }
        }
        Ok(())
    }
}

/// All that is said of a new one, in a change that is alone: it may begin deactivated.
pub async fn make(
    change: &mut Change<'_, '_>,
    id: OrganizationId,
    wanted: &Wanted,
) -> Result<Organization, Refused> {
    let made = create(change, Some(id), None, wanted).await?;
    lifecycle::wanted(change, made, wanted.deactivate, false).await
}

/// All that is said of one that there is, and that is locked; in a change that is alone if a slug is wanted. `forced`: also
/// where owners of others could not sign in any more.
pub async fn rewrite(
    change: &mut Change<'_, '_>,
    before: &Organization,
    wanted: &Wanted,
    forced: bool,
) -> Result<Organization, Refused> {
    let after = update(change, before, wanted).await?;
    lifecycle::wanted(change, after, wanted.deactivate, forced).await
}

/// Makes an organization, in a change that is alone. Without an id it is given one; without a name the id is the name,
/// as it was written (S0-19).
async fn create(
    change: &mut Change<'_, '_>,
    id: Option<OrganizationId>,
    written: Option<&str>,
    wanted: &Wanted,
) -> Result<Organization, Refused> {
    let keep = change.keep;
    wanted.fits(keep)?;
    let id = id.unwrap_or_else(|| OrganizationId::new(&keep.random, keep.now));
    if organizations::by_id(change.tx, keep.project.id, id).await?.is_some() {
        return Err(Refused::new(Code::OrganizationExists, Code::OrganizationExists.title()));
    }
    // Another project's: as every other door answers it. An id is one organization's in all projects, so that nothing
    // better can be said: who names one that was given there, of 128 bits, has been told of it before.
    if organizations::exists(change.tx, id).await? {
        return Err(Refused::hidden());
    }
    let name = wanted.display_name.clone();
    let slug = match &wanted.slug {
        Some(slug) => slug.clone(),
        None => free_slug(change, id, name.as_deref()).await?,
    };
    refuse_taken(change, &slug, id).await?;
    let blank = Organization {
        id,
        project_id: keep.project.id,
        slug,
        display_name: name.unwrap_or_else(|| written.map_or_else(|| id.to_string(), str::to_owned)),
        kind: None,
        description: None,
        logo_uri: None,
        functional_roles: None,
        policy: Policy::default(),
        created_at: keep.now,
        updated_at: keep.now,
        deactivated_at: None,
        deleted_at: None,
        purge_at: None,
        epoch: 0,
    };
    let organization = wanted.over(&blank);
    organizations::insert(change.tx, &organization).await?;
    let event = keep.event("organization.created", id).subject(id);
    change.record(&event.changing(None, Some(json!(view::facts(&organization))))).await?;
    Ok(organization)
}

/// Writes what differs, in a change that is alone if a slug is wanted, with the events that tell of it. Where nothing
/// differs, nothing happens.
async fn update(
    change: &mut Change<'_, '_>,
    before: &Organization,
    wanted: &Wanted,
) -> Result<Organization, Refused> {
    wanted.fits(change.keep)?;
    let mut after = wanted.over(before);
    if after == *before {
        return Ok(after);
    }
    if after.slug != before.slug {
        refuse_taken(change, &after.slug, before.id).await?;
        refuse_restless(change, before.id).await?;
    }
    after.updated_at = change.keep.now;
    organizations::update(change.tx, &after).await?;
    let action = if after.slug == before.slug { "organization.updated" } else { RENAMED };
    let (was, is) = audit::differing(&json!(view::facts(before)), &json!(view::facts(&after)));
    let event = change.keep.event(action, before.id).subject(before.id).changing(Some(was), Some(is));
    change.record(&event).await?;
    if after.functional_roles != before.functional_roles {
        publishers::settle(change, before.id).await?;
    }
    Ok(after)
}

/// A retired slug is never given to another organization: applications key on it (S2-29). Its own may come back.
async fn refuse_taken(change: &mut Change<'_, '_>, slug: &str, id: OrganizationId) -> Result<(), Refused> {
    match organizations::slug_holder(change.tx, change.keep.project.id, slug).await? {
        Some(holder) if holder != id => {
            let detail = format!("the slug {slug} has belonged to another organization");
            Err(Refused::new(Code::SlugTaken, detail))
        }
        _ => Ok(()),
    }
}

/// Slugs that an organization gets in a day. Each is nobody else's for ever: tokens may name it as soon as it is given.
const SLUGS_A_DAY: u32 = 5;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The operator names as it likes.
async fn refuse_restless(change: &mut Change<'_, '_>, id: OrganizationId) -> Result<(), Refused> {
    if matches!(change.standing, Standing::Operator(_)) {
        return Ok(());
    }
    let (project, now) = (change.keep.project.id, change.keep.now);
    let since = now.minus(DAY);
    let times = audit_events::times(change.tx, project, (id, RENAMED), since, SLUGS_A_DAY).await?;
    match times.last() {
        Some(first) if times.len() >= SLUGS_A_DAY as usize => {
            let left = first.plus(DAY).since(now);
            Err(Refused::limited(Code::TooManyRenames, format!("{SLUGS_A_DAY} slugs a day"), left))
        }
        _ => Ok(()),
    }
}

/// A slug of the name that nobody has or had; of the id where the name gives none.
async fn free_slug(
    change: &mut Change<'_, '_>,
    id: OrganizationId,
    name: Option<&str>,
) -> Result<String, StoreError> {
    let uuid = id.uuid();
    let base = name.and_then(slug_of).unwrap_or_else(|| format!("o-{}", uuid.replace('-', "")));
    let numbered = (2..=9).map(|number| format!("{base}-{number}"));
    for slug in std::iter::once(base.clone()).chain(numbered) {
        if organizations::slug_holder(change.tx, change.keep.project.id, &slug).await?.is_none() {
            return Ok(slug);
        }
    }
    Ok(format!("{base}-{}", &uuid[uuid.len() - 12..]))
}
