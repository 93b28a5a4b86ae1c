//! Role rules, by the operations of their room.

use serde_json::json;

use super::Plan;
use crate::manage::desk::Change;
use crate::manage::role_rules::{self as room, Wanted};
use crate::model::role_rule::RoleRule;
use crate::store::durable::engine::{Lock, StoreError};
use crate::store::durable::role_rules;

impl Plan<'_, '_> {
    pub(super) async fn put_role_rules(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.role_rules {
            let organization = self.organization(&part.organization).await?;
            let connection = self.connection(&part.connection).await?;
            let (Some(organization), Some(connection)) = (organization, connection) else { continue };
            self.tx.lock(Lock::Exclusive, "organizations", &organization.to_string()).await?;
            let known = role_rules::of_organization(self.tx, organization).await?;
            let same = |rule: &&_| Wanted::of(rule) == part.wanted && rule.connection == connection;
            let before = known.iter().find(same);
            let keep = self.keep();
            let mut change = Change::of_operator(self.tx, &keep, &self.tools.keyring);
            let outcome = match before {
                Some(before) => room::update(&mut change, before, (part.wanted.clone(), true)).await,
                None => {
                    room::create(&mut change, organization, connection, (part.wanted.clone(), true)).await
                }
            };
            let Wanted { claim, matching, value, role } = &part.wanted;
            let name = format!("{}: {claim} {matching} {value} → {role}", part.organization.value);
            match (before, outcome) {
                (None, Ok(_)) => self.created("role_rule", name),
                (Some(before), Ok(after)) if *before != after => {
                    let shown = |rule: &RoleRule| json!({ "approved_by": rule.approval.as_ref().map(|approval| &approval.by) });
                    let fields = self.differs(&shown(before), &shown(&after));
                    self.changed("role_rule", name, fields);
                }
                (Some(_), Ok(_)) => {}
                (_, Err(refused)) => self.refused(part.at, refused)?,
            }
        }
        Ok(())
    }
}
