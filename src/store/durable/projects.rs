//! Projects in the durable store.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::known::Known;
use super::to_json;
use crate::foundation::id::ProjectId;
use crate::foundation::shared::Shared;
use crate::model::project::{Project, ProjectSettings};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, slug, display_name, settings, created_at, updated_at, disabled_at FROM projects ",
            $rest
        )
    };
}

pub(super) static SETTINGS: Known<ProjectId, Shared<ProjectSettings>> = Known::new();

pub(super) fn project(row: &Row, at: usize) -> Result<Project, StoreError> {
    let id = row.get(at)?;
    Ok(Project {
        id,
        slug: row.get(at + 1)?,
        display_name: row.get(at + 2)?,
        settings: SETTINGS.json(id, row, at + 3)?,
        created_at: row.get(at + 4)?,
        updated_at: row.get(at + 5)?,
        disabled_at: row.get(at + 6)?,
    })
}

pub async fn by_slug(db: &mut impl Read, slug: &str) -> Result<Option<Project>, StoreError> {
    db.one(select!("WHERE slug = $1"), params![slug]).await?.as_ref().map(|row| project(row, 0)).transpose()
}

pub async fn by_id(db: &mut impl Read, id: ProjectId) -> Result<Option<Project>, StoreError> {
    db.one(select!("WHERE id = $1"), params![id]).await?.as_ref().map(|row| project(row, 0)).transpose()
}

pub async fn all(db: &mut impl Read) -> Result<Vec<Project>, StoreError> {
    db.all(select!("ORDER BY slug"), params![]).await?.iter().map(|row| project(row, 0)).collect()
}

pub async fn insert(tx: &mut Tx<'_>, project: &Project) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO projects (id, slug, display_name, settings, created_at, updated_at, disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            project.id,
            &project.slug,
            &project.display_name,
            to_json(&project.settings),
            project.created_at,
            project.updated_at,
            project.disabled_at
        ],
    )
    .await?;
    Ok(())
}

pub async fn update(tx: &mut Tx<'_>, project: &Project) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE projects SET display_name = $2, settings = $3, updated_at = $4, disabled_at = $5 WHERE id = $1",
        params![project.id, &project.display_name, to_json(&project.settings), project.updated_at, project.disabled_at],
    )
    .await?;
    Ok(())
}
