//! Delegations, by the operations of their room: one for each home and target.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Plan;
use crate::foundation::clock::Moment;
use crate::manage::delegations as room;
use crate::manage::desk::Change;
use crate::manage::house_file::parts::DelegationPart;
use crate::model::delegation::Delegation;
use crate::store::durable::engine::StoreError;

impl Plan<'_, '_> {
    pub(super) async fn put_delegations(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        let mut seen = BTreeSet::new();
        for part in &file.delegations {
            let (home, target) =
                (self.organization(&part.home).await?, self.organization(&part.target).await?);
            let (Some(home), Some(target)) = (home, target) else { continue };
            if !seen.insert((home, target)) {
                let (home, target) = (&part.home.value, &part.target.value);
                self.refuse(part.home.at, format!("{home} is delegated to {target} twice"));
                continue;
            }
            let keep = self.keep();
            let mut change = Change::of_operator(self.tx, &keep, &self.tools.keyring);
            match room::state(&mut change, (home, target), &part.stated).await {
                Ok(None) => {}
                Ok(Some((None, _))) => self.created("delegation", name(part)),
                Ok(Some((Some(before), after))) => {
                    let fields = self.differs(&shown(&before), &shown(&after));
                    if !fields.is_empty() {
                        self.changed("delegation", name(part), fields);
                    }
                }
                Err(refused) => self.refused_in(part.target.at, &part.places, refused)?,
            }
        }
        Ok(())
    }
}

fn name(part: &DelegationPart) -> String {
    format!("{} → {}", part.home.value, part.target.value)
}

fn shown(delegation: &Delegation) -> Value {
    let time = |moment: Option<Moment>| moment.map(Moment::rfc3339);
    json!({
        "roles": delegation.settings.roles,
        "require_mfa": delegation.settings.require_mfa,
        "only": delegation.settings.only,
        "starts_at": time(delegation.starts_at),
        "ends_at": time(delegation.ends_at),
        "approved_by_home": delegation.home_approved_at.is_some(),
        "approved_by_target": delegation.target_approved_at.is_some(),
        "paused": delegation.paused_at.is_some(),
        "revoked": delegation.revoked_at.is_some(),
    })
}
