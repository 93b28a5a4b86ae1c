//! Names -> ids: what the file itself describes comes first, then what the database has.

use super::Plan;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::manage::house_file::parts::Name;
use crate::model::role;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{connections, organizations, roles};

impl Plan<'_, '_> {
    pub(super) async fn organization(&mut self, name: &Name) -> Result<Option<OrganizationId>, StoreError> {
        if let Some(id) = self.organizations.get(&name.value) {
            return Ok(Some(*id));
        }
        // The file names it too, and it was refused there.
        if self.file.organizations.iter().any(|part| part.slug.value == name.value) {
            return Ok(None);
        }
        let found = organizations::named(self.tx, self.project.id, &name.value).await?;
        let Some(found) = found.filter(|organization| organization.deleted_at.is_none()) else {
            let now = self.called_now(&name.value).await?;
            let renamed = now.map_or_else(String::new, |now| format!(": it is called {now} now"));
            self.refuse(name.at, format!("there is no organization {}{renamed}", name.value));
            return Ok(None);
        };
        self.names.insert(found.id.to_string(), found.slug);
        Ok(Some(found.id))
    }

    /// The slug that whatever had this one has in its place.
    async fn called_now(&mut self, slug: &str) -> Result<Option<String>, StoreError> {
        let Some(holder) = organizations::slug_holder(self.tx, self.project.id, slug).await? else {
            return Ok(None);
        };
        let found = organizations::by_id(self.tx, self.project.id, holder).await?;
        Ok(found.filter(|found| found.deleted_at.is_none()).map(|found| found.slug))
    }

    /// All of them, or nothing if one is unknown.
    pub(super) async fn organizations(
        &mut self,
        list: &[Name],
    ) -> Result<Option<Vec<OrganizationId>>, StoreError> {
        let mut ids = Vec::with_capacity(list.len());
        for name in list {
            ids.push(self.organization(name).await?);
        }
        Ok(ids.into_iter().collect())
    }

    pub(super) async fn connection(&mut self, name: &Name) -> Result<Option<ConnectionId>, StoreError> {
        if let Some(found) = self.connections.get(&name.value) {
            return Ok(Some(*found));
        }
        if self.file.connections.iter().any(|part| part.slug.value == name.value) {
            return Ok(None);
        }
        let Some(found) = connections::named(self.tx, self.project.id, &name.value).await? else {
            self.refuse(name.at, format!("there is no connection {}", name.value));
            return Ok(None);
        };
        self.names.insert(found.id.to_string(), found.slug);
        Ok(Some(found.id))
    }

    /// Names of roles of the organization; nothing, if one is unknown.
    pub(super) async fn roles(
        &mut self,
        list: &[Name],
        organization: OrganizationId,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let custom = roles::permissions(self.tx, self.project.id, organization).await?;
        let is_known =
            |name: &Name| role::built_in(&name.value).is_some() || custom.contains_key(&name.value);
        let unknown: Vec<_> = list.iter().filter(|name| !is_known(name)).collect();
        for name in &unknown {
            self.refuse(name.at, format!("there is no role {}", name.value));
        }
        Ok(unknown.is_empty().then(|| list.iter().map(|name| name.value.clone()).collect()))
    }
}
