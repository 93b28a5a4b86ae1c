//! Members: expected by their address until they come; then their membership is what is compared.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Plan, names_of};
use crate::foundation::email::Email;
use crate::foundation::id::{OrganizationId, UserId};
use crate::join::owners;
use crate::manage::house_file::parts::{MemberPart, Name, OrganizationPart};
use crate::model::membership::{Membership, MembershipKind, MembershipStatus};
use crate::store::durable::engine::StoreError;
use crate::store::durable::memberships::{self, Expected};
use crate::store::durable::{domains, organizations, people};

impl Plan<'_, '_> {
    pub(super) async fn put_members(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        self.check_listed_once();
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

    /// In an exclusive project nobody becomes a member of two organizations.
    fn check_listed_once(&mut self) {
        if !self.is_exclusive() {
            return;
        }
        let file = self.file;
        let mut listed: BTreeMap<&Email, (&Name, usize)> = BTreeMap::new();
        for part in &file.organizations {
            for member in &part.members {
                let (email, at) = (&member.email.value, member.email.at);
                match listed.get(email) {
                    Some((slug, line)) if slug.value != part.slug.value => {
                        let other = &slug.value;
                        let message = format!(
                            "line {line} lists {email} in {other}: the project is exclusive, and nobody belongs to \
                             two organizations of it"
                        );
                        self.refuse(at, message);
                    }
                    Some(_) => {}
                    None => drop(listed.insert(email, (&part.slug, at.line))),
                }
            }
        }
    }

    /// Nor does anybody who belongs to another one already, by the address that the holder of its domain has proved.
    async fn check_belongs_nowhere_else(
        &mut self,
        organization: OrganizationId,
        member: &MemberPart,
    ) -> Result<bool, StoreError> {
        if !self.is_exclusive() {
            return Ok(true);
        }
        let (project, email) = (self.project.id, &member.email.value);
        let Some(domain) = domains::held(self.tx, project, email.domain()).await? else { return Ok(true) };
        let Some(user) = people::of_claim(self.tx, project, domain.id, email).await? else { return Ok(true) };
        let Some(own) = memberships::an_organization_of(self.tx, user).await? else { return Ok(true) };
        if own == organization {
            return Ok(true);
        }
        let other = organizations::by_id(self.tx, project, own).await?;
        let other = other.map_or_else(|| own.to_string(), |other| other.slug);
        let message = format!(
            "{email} has a membership of {other} already: the project is exclusive, and nobody belongs to two \
             organizations of it"
        );
        self.refuse(member.email.at, message);
        Ok(false)
    }

    async fn put_member(
        &mut self,
        part: &OrganizationPart,
        organization: OrganizationId,
        member: &MemberPart,
    ) -> Result<(), StoreError> {
        let roles = self.check_roles(&member.roles, Some(organization)).await?;
        if !self.check_belongs_nowhere_else(organization, member).await? {
            return Ok(());
        }
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
