//! Organizations whose owners a file would lock out, told by name: it is the operator's word, and goes on. What counts is
//! how things were before all of it, and how they are after.

use std::collections::BTreeSet;

use super::{Work, project, told};
use crate::audit::Keep;
use crate::manage::desk::Change;
use crate::manage::house_file::HouseFile;
use crate::manage::house_file::fault::Places;
use crate::manage::last_way::{self, LastWay};
use crate::manage::policy;
use crate::manage::refused::Refused;
use crate::model::project::Project;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::ways_in::Of;
use crate::store::durable::{organizations, projects};

/// By what the owners of each organization come in.
pub(super) type Ways = Vec<LastWay>;

/// As it is before anything is written.
pub(super) async fn before(tx: &mut Tx<'_>, work: &Work) -> Result<Ways, StoreError> {
    let Some(project) = projects::by_slug(tx, work.file.project()).await? else { return Ok(Vec::new()) };
    tx.lock(Lock::Exclusive, "projects", &project.id.to_string()).await?;
    let mut ids = BTreeSet::new();
    for name in named(&work.file) {
        let found = organizations::named(tx, project.id, &name).await?;
        ids.extend(found.filter(|found| found.deleted_at.is_none()).map(|found| found.id));
    }
    match says_of_all(&work.file, &project) {
        true => tx.lock_all(Lock::Exclusive, "organizations", &project.id.to_string()).await?,
        false => {
            for id in ids {
                tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
            }
        }
    }
    // Owners of those that it does not name come by connections that it does.
    let keep = work.tools.keep(&project);
    let change = &mut Change::of_operator(tx, &keep, &work.tools.keyring);
    Ok(known(work, LastWay::before_all(change, Of::Project).await)?.unwrap_or_default())
}

/// What is to be looked at, once all of it is written.
pub(super) async fn after(
    tx: &mut Tx<'_>,
    (work, keep): (&Work, &Keep),
    ways: &Ways,
) -> Result<Vec<String>, StoreError> {
    let change = &mut Change::of_operator(tx, keep, &work.tools.keyring);
    let lacking = known(work, last_way::lacking(change, ways).await)?.unwrap_or_default();
    let mut warnings = Vec::new();
    for (way, missing) in lacking {
        let found = organizations::by_id(tx, keep.project.id, way.organization()).await?;
        if let Some(found) = found {
            let missing = missing.join(", ");
            warnings.push(format!(
                "organization {}: no owner can sign in any more (missing: {missing})",
                found.slug
            ));
        }
    }
    Ok(warnings)
}

/// Every organization that the file says something of, by whichever name.
fn named(file: &HouseFile) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for part in &file.organizations {
        names.insert(part.slug.value.clone());
        names.extend(part.former_slug.iter().map(|slug| slug.value.clone()));
        names.extend(part.id.iter().map(|id| id.value.to_string()));
    }
    names.extend(file.connections.iter().filter_map(|part| Some(part.organization.as_ref()?.value.clone())));
    names.extend(file.roles.iter().filter_map(|part| Some(part.organization.as_ref()?.value.clone())));
    names.extend(file.domains.iter().map(|part| part.organization.value.clone()));
    names.extend(file.role_rules.iter().map(|part| part.organization.value.clone()));
    names
}

/// Whether it says something that counts in every organization.
fn says_of_all(file: &HouseFile, project: &Project) -> bool {
    file.roles.iter().any(|part| part.organization.is_none())
        || policy::shuts_a_way(project, &project::after(&file.project, project.clone()))
}

/// What cannot be known is no fault of the file; what the store cannot tell is the store's.
fn known<T>(work: &Work, found: Result<T, Refused>) -> Result<Option<T>, StoreError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(refused) => told(work.file.project.slug.at, &Places::default(), refused).map(|_| None),
    }
}
