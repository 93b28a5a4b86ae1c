//! The project itself.

use serde_json::{Value, json};

use super::Work;
use crate::audit;
use crate::foundation::id::ProjectId;
use crate::manage::desk::Change;
use crate::manage::house_file::change::{Change as Told, Kind, Report, difference};
use crate::manage::house_file::fault::{Fault, Places};
use crate::manage::house_file::parts::ProjectPart;
use crate::manage::{policy, publishers};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::project::{Project, ProjectSettings};
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{applications, connections, organizations, projects};

/// Finds or makes the project, and keeps every other writer of a file away from it until the transaction ends.
pub async fn put(
    tx: &mut Tx<'_>,
    work: &Work,
    faults: &mut Vec<Fault>,
) -> Result<Option<(Project, Report)>, StoreError> {
    let part = &work.file.project;
    let Some(found) = projects::by_slug(tx, &part.slug.value).await? else {
        return create(tx, work, part).await.map(Some);
    };
    tx.lock(Lock::Exclusive, "projects", &found.id.to_string()).await?;
    // As it is now that nobody else writes it.
    let Some(before) = projects::by_id(tx, found.id).await? else { return Ok(None) };
    if let Some(mode) = &part.membership_mode
        && mode.value != before.settings.membership_mode
        && !is_empty(tx, &before).await?
    {
        let message = format!(
            "membership_mode is fixed once a project has organizations or connections: this one is {}",
            before.settings.membership_mode
        );
        faults.push(Fault { at: mode.at, message });
        return Ok(None);
    }
    let named = wanted(part, before.clone());
    if named != before {
        let (was, is) = audit::differing(&shown(&before), &shown(&named));
        projects::update(tx, &Project { updated_at: work.tools.now, ..named.clone() }).await?;
        let event = event(&named, "project.updated").changing(Some(was), Some(is));
        audit::record(tx, &work.tools.random, work.tools.now, &event).await?;
    }
    let keep = work.tools.keep(&named);
    let mut change = Change::of_operator(tx, &keep, &work.tools.keyring);
    let after = match policy::change_project(&mut change, named, &policy_of(part), true).await {
        Ok(after) => after,
        Err(refused) => {
            faults.extend(super::told(part.slug.at, &Places::default(), refused)?);
            return Ok(None);
        }
    };
    if after.settings.functional_roles != before.settings.functional_roles {
        for owner in applications::owners(change.tx, after.id).await? {
            if let Err(refused) = publishers::settle(&mut change, owner).await {
                faults.extend(super::told(part.slug.at, &Places::default(), refused)?);
                return Ok(None);
            }
        }
    }
    let fields = difference(&shown(&before), &shown(&after), &std::collections::BTreeMap::new());
    let mut report = Report::default();
    if !fields.is_empty() {
        let name = after.slug.clone();
        report.changes.push(Told { kind: Kind::Changed, noun: "project", name, fields });
    }
    Ok(Some((after, report)))
}

async fn create(tx: &mut Tx<'_>, work: &Work, part: &ProjectPart) -> Result<(Project, Report), StoreError> {
    let now = work.tools.now;
    let blank = Project {
        id: ProjectId::new(&work.tools.random, now),
        slug: part.slug.value.clone(),
        display_name: part.slug.value.clone(),
        settings: ProjectSettings::default().into(),
        created_at: now,
        updated_at: now,
        disabled_at: None,
    };
    let project = after(part, blank);
    projects::insert(tx, &project).await?;
    audit::record(tx, &work.tools.random, now, &event(&project, "project.created")).await?;
    let name = project.slug.clone();
    let change = Told { kind: Kind::Created, noun: "project", name, fields: Vec::new() };
    Ok((project, Report { changes: vec![change], ..Report::default() }))
}

fn wanted(part: &ProjectPart, mut project: Project) -> Project {
    if let Some(name) = &part.display_name {
        project.display_name.clone_from(name);
    }
    if let Some(mode) = &part.membership_mode {
        project.settings.membership_mode = mode.value;
    }
    if let Some(brand) = &part.brand {
        project.settings.brand.clone_from(brand);
    }
    project.settings.functional_roles.extend(part.functional_roles.clone());
    project
}

/// As the file wants it.
pub(super) fn after(part: &ProjectPart, before: Project) -> Project {
    let mut project = wanted(part, before);
    policy_of(part).lay_over(&mut project.settings);
    project
}

/// What organizations share of it, by the rules of its room.
fn policy_of(part: &ProjectPart) -> policy::WantedOfProject {
    policy::WantedOfProject {
        turned: part.switches.iter().map(|(switch, on)| (*switch, Some(*on))).collect(),
        organizations: part.organizations.as_ref().map(|word| word.value),
        organizations_by_members: part.organizations_by_members,
        dynamic_registration: part.dynamic_registration,
    }
}

fn shown(project: &Project) -> Value {
    let settings = &project.settings;
    json!({
        "display_name": project.display_name,
        "membership_mode": settings.membership_mode,
        "brand": settings.brand,
        "organizations": settings.organizations,
        "organizations_by_members": settings.organizations_by_members,
        "dynamic_registration": settings.dynamic_registration,
        "policy": settings.switches,
        "functional_roles": settings.functional_roles,
    })
}

/// Whether nobody can be in it yet: people come by connections, and belong to organizations.
async fn is_empty(tx: &mut Tx<'_>, project: &Project) -> Result<bool, StoreError> {
    Ok(!organizations::any_of(tx, project.id).await? && !connections::any_of(tx, project.id).await?)
}

fn event(project: &Project, action: &'static str) -> AuditEvent {
    AuditEvent::new(project.id, action, Outcome::Changed).actor("operator").subject(project.id)
}
