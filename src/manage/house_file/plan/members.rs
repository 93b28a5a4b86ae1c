//! Members: expected by their address until they come; then their membership is what is compared.

use serde_json::json;

use super::{Plan, names_of};
use crate::foundation::id::{OrganizationId, UserId};
use crate::join::owners;
use crate::manage::house_file::parts::{MemberPart, OrganizationPart};
use crate::model::membership::{Membership, MembershipKind, MembershipStatus};
use crate::store::durable::engine::StoreError;
use crate::store::durable::memberships::{self, Expected};

impl Plan<'_, '_> {
    pub(super) async fn put_members(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.organizations {
            let Some(id) = self.organizations.get(&part.slug.value).copied() else { continue };
            let owned = owners::locked(self.tx, id).await?;
            for member in &part.members {
                self.put_member(part, id, member).await?;
            }
            // An organization that has an owner keeps one (invariant 5).
            if !owned.keeps_one(self.tx).await? {
                let message = format!("{} would be left without an active owner", part.slug.value);
                self.refuse(part.slug.at, message);
            }
        }
        Ok(())
    }

    async fn put_member(
        &mut self,
        part: &OrganizationPart,
        organization: OrganizationId,
        member: &MemberPart,
    ) -> Result<(), StoreError> {
        let roles = self.check_roles(&member.roles, Some(organization)).await?;
        let name = format!("{} of {}", member.email.value, part.slug.value);
        let before = memberships::expected_of(self.tx, organization, &member.email.value).await?;
        match before {
            Some(Expected { used_by: Some(user), .. }) => {
                self.update_member(name, organization, user, roles, member.kind).await
            }
            Some(before) if before.roles == roles && before.kind == member.kind => Ok(()),
            before => {
                let after = Expected {
                    organization_id: organization,
                    email: member.email.value.clone(),
                    kind: member.kind,
                    roles,
                    used_by: None,
                };
                memberships::expect(self.tx, self.project.id, &after, self.tools.now).await?;
                let event = self.event("organization.member.expected", Some(organization));
                let event = event.with("email", after.email.as_str()).with("roles", after.roles.clone());
                self.record(event).await?;
                match before {
                    None => self.created("member", name),
                    Some(before) => {
                        let shown = |one: &Expected| json!({"roles": one.roles, "kind": one.kind});
                        let fields = self.differs(&shown(&before), &shown(&after));
                        self.changed("member", name, fields);
                    }
                }
                Ok(())
            }
        }
    }

    /// Of somebody who has come already. One who was removed stays so: a file adds nobody again by stealth.
    async fn update_member(
        &mut self,
        name: String,
        organization: OrganizationId,
        user: UserId,
        roles: Vec<String>,
        kind: MembershipKind,
    ) -> Result<(), StoreError> {
        let Some(before) = memberships::locked(self.tx, organization, user).await? else { return Ok(()) };
        if before.status == MembershipStatus::Removed {
            return Ok(());
        }
        let after = Membership { roles, kind, ..before.clone() };
        let shown = |one: &Membership| json!({"roles": one.roles, "kind": one.kind});
        let fields = self.differs(&shown(&before), &shown(&after));
        if fields.is_empty() {
            return Ok(());
        }
        memberships::update(self.tx, &after, self.tools.now).await?;
        let event = self.event("organization.member.role_changed", Some(organization)).subject(user);
        let event = event.with("roles", after.roles.clone()).with("changed", names_of(&fields));
        self.record(event).await?;
        self.changed("member", name, fields);
        Ok(())
    }
}
