//! Custom roles, by the operations of their room.

use serde_json::json;

use super::Plan;
use crate::foundation::id::OrganizationId;
use crate::manage::desk::Change;
use crate::manage::house_file::parts::RolePart;
use crate::manage::refused::Refused;
use crate::manage::roles as room;
use crate::model::role::{Role, RoleScope};
use crate::store::durable::engine::StoreError;
use crate::store::durable::roles;

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
            match self.put_role(part, organization).await {
                Ok((None, _)) => self.created("role", part.name.value.as_str()),
                Ok((Some(before), after)) => {
                    let shown = |role: &Role| json!({ "permissions": role.permissions });
                    let fields = self.differs(&shown(&before), &shown(&after));
                    if !fields.is_empty() {
                        self.changed("role", part.name.value.as_str(), fields);
                    }
                }
                Err(refused) => self.refused(part.name.at, refused)?,
            }
        }
        Ok(())
    }

    /// What was, and what is.
    async fn put_role(
        &mut self,
        part: &RolePart,
        organization: Option<OrganizationId>,
    ) -> Result<(Option<Role>, Role), Refused> {
        let keep = self.keep();
        let change = &mut Change::of_operator(self.tx, &keep, &self.tools.keyring);
        let known = roles::named(change.tx, keep.project.id, organization, &part.name.value).await?;
        // What is the project's own has its name, and nothing else in common with a role that organizations have.
        let Some(known) = known.filter(|known| known.scope == RoleScope::Organization) else {
            return Ok((None, room::create(change, organization, &part.wanted).await?));
        };
        let permissions = part.wanted.permissions.clone();
        let after = room::update(change, &known, None, Some(permissions), true).await?;
        Ok((Some(known), after))
    }
}
