//! What becomes of the role rules that an owner answers for when they own the organization no more (threats H01): those give
//! nothing from then on, as what an owner has invited to is worth nothing, until an owner writes them once more.

use super::notices;
use crate::audit::Keep;
use crate::foundation::id::{OrganizationId, UserId};
use crate::model::mail::Kind;
use crate::model::role_rule::RoleRule;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::role_rules;

/// What somebody's word holds up in an organization.
#[derive(Debug)]
pub struct Answered {
    organization: OrganizationId,
    person: UserId,
    rules: Vec<RoleRule>,
}

impl Answered {
    /// To be asked before anything is changed of what they are there.
    pub async fn before(
        tx: &mut Tx<'_>,
        organization: OrganizationId,
        person: UserId,
    ) -> Result<Self, StoreError> {
        let rules = role_rules::held_up_by(tx, organization, person).await?;
        Ok(Self { organization, person, rules })
    }

    /// Tells the trail and the owners what gives nothing any more.
    pub async fn lapses(self, tx: &mut Tx<'_>, keep: &Keep) -> Result<(), StoreError> {
        let Self { organization, person, rules } = self;
        let Some(first) = rules.first() else { return Ok(()) };
        if !role_rules::held_up_by(tx, organization, person).await?.is_empty() {
            return Ok(());
        }
        for rule in &rules {
            let event = keep.event("role_rule.unapproved", organization).subject(rule.id);
            let event = event.with("role", rule.role.as_str()).with("approved_by", person.to_string());
            keep.record(tx, &event).await?;
        }
        let others = rules.iter().filter(|rule| rule.role != first.role).count();
        let roles = if others == 0 { first.role.clone() } else { format!("{} (+{others})", first.role) };
        notices::owners(tx, keep, organization, Kind::RoleRulesUnapproved, &roles).await
    }
}
