//! Members, by the operations of their room: expected by their address until they come; then their membership is what is
//! compared.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Plan;
use crate::foundation::email::Email;
use crate::foundation::id::{OrganizationId, UserId};
use crate::manage::desk::Change;
use crate::manage::house_file::parts::{MemberPart, Name, OrganizationPart};
use crate::manage::people::{self as room, Patched};
use crate::manage::refused::Refused;
use crate::model::membership::{Membership, MembershipKind, MembershipStatus};
use crate::store::durable::engine::StoreError;
use crate::store::durable::memberships::{self, Expected};
use crate::store::durable::{domains, organizations, people, users};

impl Plan<'_, '_> {
    pub(super) async fn put_members(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        self.check_listed_once();
        for part in &file.organizations {
            let Some(id) = self.organizations.get(&part.slug.value).copied() else { continue };
            // Who is to own it comes first: nobody gives it up before somebody else has it.
            let (owners, others): (Vec<_>, Vec<_>) = part.members.iter().partition(|member| member.owns());
            for member in owners.into_iter().chain(others) {
                self.put_member(part, id, member).await?;
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
        let Some(roles) = self.roles(&member.roles, organization).await? else { return Ok(()) };
        if !self.check_belongs_nowhere_else(organization, member).await? {
            return Ok(());
        }
        let name = format!("{} of {}", member.email.value, part.slug.value);
        let keep = self.keep();
        let change = &mut Change::of_operator(self.tx, &keep, &self.tools.keyring);
        let put = put(change, organization, member, roles).await;
        match put {
            Ok(None) => {}
            Ok(Some((None, _))) => self.created("member", name),
            Ok(Some((Some(before), after))) => {
                let fields = self.differs(&before, &after);
                if !fields.is_empty() {
                    self.changed("member", name, fields);
                }
            }
            Err(refused) => self.refused_in(member.email.at, &member.places, refused)?,
        }
        Ok(())
    }
}

/// What was, and what is: of their membership, if they have come, or else of the place that is kept for them. Who was
/// removed stays so: a file adds nobody again by stealth.
async fn put(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    member: &MemberPart,
    roles: Vec<String>,
) -> Result<Option<(Option<Value>, Value)>, Refused> {
    let (email, kind) = (member.email.value.clone(), member.kind);
    let before = memberships::expected_of(change.tx, organization, &email).await?;
    if let Some(Expected { used_by: Some(user), .. }) = before {
        return of_member(change, organization, user, (roles, kind)).await;
    }
    if let Some(user) = who_is_in(change, organization, &email).await? {
        // What was kept for them counts no more than the file does now.
        memberships::take_place(change.tx, (organization, &email), user, change.keep.now).await?;
        return of_member(change, organization, user, (roles, kind)).await;
    }
    let after = Expected { organization_id: organization, email, kind, roles, used_by: None };
    room::expect(change, before.as_ref(), &after).await?;
    let shown = |one: &Expected| json!({"roles": one.roles, "kind": one.kind});
    Ok(Some((before.as_ref().map(shown), shown(&after))))
}

/// The member who has come by themselves, or was added, before anybody kept a place for this address: whose it is by the
/// proof of the domain's present holder.
async fn who_is_in(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    email: &Email,
) -> Result<Option<UserId>, StoreError> {
    let project = change.keep.project.id;
    let Some(domain) = domains::held(change.tx, project, email.domain()).await? else { return Ok(None) };
    let Some(id) = people::of_claim(change.tx, project, domain.id, email).await? else { return Ok(None) };
    let user = users::by_id(change.tx, project, id).await?;
    if user.is_none_or(|user| user.proved_email() != Some(email)) {
        return Ok(None);
    }
    Ok(memberships::find(change.tx, organization, id).await?.map(|_| id))
}

async fn of_member(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    user: UserId,
    (roles, kind): (Vec<String>, MembershipKind),
) -> Result<Option<(Option<Value>, Value)>, Refused> {
    let found = memberships::find(change.tx, organization, user).await?;
    let Some(before) = found.filter(|found| found.status != MembershipStatus::Removed) else {
        return Ok(None);
    };
    if before.roles != roles {
        room::give_roles(change, organization, user, (&roles, true)).await?;
    }
    let patched = Patched { kind: Some(kind), status: None };
    let after = room::patch(change, organization, user, (patched, true)).await?.membership;
    let shown = |one: &Membership| json!({"roles": one.roles, "kind": one.kind});
    Ok(Some((Some(shown(&before)), shown(&after))))
}
