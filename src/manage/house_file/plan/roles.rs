//! Custom roles.

use serde_json::json;

use super::Plan;
use crate::foundation::id::RoleId;
use crate::store::durable::engine::StoreError;
use crate::store::durable::roles::{self, RoleRow};

impl Plan<'_, '_> {
    pub(super) async fn put_roles(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.roles {
            let organization = match &part.organization {
                None => None,
                Some(name) => match self.organization(name).await? {
                    Some(id) => Some(id),
                    None => continue,
                },
            };
            let name = &part.name.value;
            let mut own = roles::own(self.tx, self.project.id, organization).await?;
            let before = own.remove(name);
            if before.as_ref() == Some(&part.permissions) {
                continue;
            }
            let row = RoleRow {
                id: RoleId::new(&self.tools.random, self.tools.now),
                project: self.project.id,
                organization,
                name,
                permissions: &part.permissions,
            };
            roles::put(self.tx, &row, self.tools.now).await?;
            let action = if before.is_some() { "role.updated" } else { "role.created" };
            let event = self.event(action, organization).subject(name);
            let event = event.with("permissions", part.permissions.clone());
            match before {
                None => self.created("role", name),
                Some(before) => {
                    let (before, after) =
                        (json!({"permissions": before}), json!({"permissions": part.permissions}));
                    let fields = self.differs(&before, &after);
                    self.changed("role", name, fields);
                }
            }
            self.record(event).await?;
        }
        Ok(())
    }
}
