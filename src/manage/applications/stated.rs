//! An application as the operator's file states it, with the secrets that it brings along.

use super::sector::{self, Sector};
use super::{Whole, held, keep, obeys_rules, record, view};
use crate::foundation::id::{ApplicationId, OrganizationId};
use crate::foundation::secret::Digest;
use crate::manage::desk::Change;
use crate::manage::publishers::publisher;
use crate::manage::refused::{Code, Refused};
use crate::model::application::{Application, ApplicationSettings};
use crate::store::durable::applications;

/// All of it.
#[derive(Clone, Debug)]
pub struct Stated {
    pub client_id: String,
    /// Whose it is; absent: the project's.
    pub owner: Option<OrganizationId>,
    pub display_name: String,
    pub enabled: bool,
    pub settings: ApplicationSettings,
    /// In the order of their ids.
    pub listed: Vec<OrganizationId>,
    pub secrets: Vec<Digest>,
    /// What is at the address of its sector, where that or a redirect URI is new.
    pub sector: Option<Sector>,
}

pub async fn make(change: &mut Change<'_, '_>, stated: &Stated) -> Result<Whole, Refused> {
    obeys_rules(&stated.settings)?;
    sector::is_listed(&stated.settings, None, stated.sector.as_ref())?;
    let stopped_at = match stated.owner {
        Some(owner) => (!publisher(change, owner).await?.is_active()).then_some(change.keep.now),
        None => None,
    };
    let (random, project, now) = (&change.keep.random, change.keep.project.id, change.keep.now);
    let application = Application {
        id: ApplicationId::new(random, now),
        project_id: project,
        organization_id: stated.owner,
        client_id: stated.client_id.clone(),
        display_name: stated.display_name.clone(),
        settings: stated.settings.clone().into(),
        created_at: now,
        updated_at: now,
        disabled_at: (!stated.enabled).then_some(now),
        stopped_at,
    };
    let id = application.id;
    applications::insert(change.tx, &application).await?;
    applications::set_listed(change.tx, id, &stated.listed).await?;
    applications::set_secrets(change.tx, id, &stated.secrets, now).await?;
    let made = Whole { application, listed: stated.listed.clone(), secrets: stated.secrets.len() };
    record(change, "application.created", &made.application, None, view::facts(&made)).await?;
    Ok(made)
}

/// What was, what is, and whether other secrets work.
#[derive(Clone, Debug)]
pub struct Rewritten {
    pub before: Whole,
    pub after: Whole,
    pub other_secrets: bool,
}

pub async fn rewrite(
    change: &mut Change<'_, '_>,
    id: ApplicationId,
    stated: &Stated,
) -> Result<Rewritten, Refused> {
    obeys_rules(&stated.settings)?;
    let before = held(change, id).await?;
    if before.application.organization_id != stated.owner {
        return Err(Refused::new(
            Code::NotMovable,
            "it stays with whose it is, the project or an organization",
        ));
    }
    sector::is_listed(&stated.settings, Some(&before.application.settings), stated.sector.as_ref())?;
    let mut after = before.clone();
    after.listed.clone_from(&stated.listed);
    after.application.display_name.clone_from(&stated.display_name);
    after.application.settings = stated.settings.clone().into();
    let off_since = before.application.disabled_at.unwrap_or(change.keep.now);
    after.application.disabled_at = (!stated.enabled).then_some(off_since);
    let mut after = keep(change, &before, after, false).await?;
    let known = applications::secrets(change.tx, id).await?;
    let other_secrets = !is_same_set(&known, &stated.secrets);
    if other_secrets {
        applications::set_secrets(change.tx, id, &stated.secrets, change.keep.now).await?;
        after.secrets = stated.secrets.len();
        let facts = serde_json::json!({ "secrets": after.secrets });
        record(change, "application.secret_rotated", &after.application, None, facts).await?;
    }
    Ok(Rewritten { before, after, other_secrets })
}

fn is_same_set(one: &[Digest], other: &[Digest]) -> bool {
    one.len() == other.len() && one.iter().all(|digest| other.contains(digest))
}
