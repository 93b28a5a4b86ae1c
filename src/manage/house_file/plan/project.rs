//! The project itself.

use serde_json::{Value, json};

use super::{Work, names_of};
use crate::audit;
use crate::foundation::id::ProjectId;
use crate::manage::house_file::change::{Change, Kind, Report, difference};
use crate::manage::house_file::fault::Fault;
use crate::manage::house_file::parts::ProjectPart;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::project::{Project, ProjectSettings};
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{connections, organizations, projects};

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
    let after = wanted(part, before.clone());
    let fields = difference(&shown(&before), &shown(&after), &std::collections::BTreeMap::new());
    let mut report = Report::default();
    if fields.is_empty() {
        return Ok(Some((before, report)));
    }
    let after = Project { updated_at: work.tools.now, ..after };
    projects::update(tx, &after).await?;
    let event = event(&after, "project.updated").with("changed", names_of(&fields));
    audit::record(tx, &work.tools.random, work.tools.now, &event).await?;
    let name = after.slug.clone();
    report.changes.push(Change { kind: Kind::Changed, noun: "project", name, fields });
    Ok(Some((after, report)))
}

async fn create(tx: &mut Tx<'_>, work: &Work, part: &ProjectPart) -> Result<(Project, Report), StoreError> {
    let now = work.tools.now;
    let blank = Project {
        id: ProjectId::new(&work.tools.random, now),
        slug: part.slug.value.clone(),
        display_name: part.slug.value.clone(),
        settings: ProjectSettings::default(),
        created_at: now,
        updated_at: now,
        disabled_at: None,
    };
    let project = wanted(part, blank);
    projects::insert(tx, &project).await?;
    audit::record(tx, &work.tools.random, now, &event(&project, "project.created")).await?;
    let name = project.slug.clone();
    let change = Change { kind: Kind::Created, noun: "project", name, fields: Vec::new() };
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
    let settings = &mut project.settings;
    settings.organizations = part.organizations.as_ref().map_or(settings.organizations, |word| word.value);
    settings.organizations_by_members =
        part.organizations_by_members.unwrap_or(settings.organizations_by_members);
    part.switches.iter().for_each(|(switch, on)| settings.switches.set(*switch, Some(*on)));
    project.settings.functional_roles.extend(part.functional_roles.clone());
    project
}

fn shown(project: &Project) -> Value {
    let settings = &project.settings;
    json!({
        "display_name": project.display_name,
        "membership_mode": settings.membership_mode,
        "brand": settings.brand,
        "organizations": settings.organizations,
        "organizations_by_members": settings.organizations_by_members,
        "policy": settings.switches,
        "functional_roles": settings.functional_roles,
    })
}

/// Whether nobody can be in it yet: people come by connections, and belong to organizations.
async fn is_empty(tx: &mut Tx<'_>, project: &Project) -> Result<bool, StoreError> {
    let organizations = organizations::of_project(tx, project.id).await?;
    Ok(organizations.is_empty() && connections::of_project(tx, project.id).await?.is_empty())
}

fn event(project: &Project, action: &'static str) -> AuditEvent {
    AuditEvent::new(project.id, action, Outcome::Changed).actor("operator").subject(project.id)
}
