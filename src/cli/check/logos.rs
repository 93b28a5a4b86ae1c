//! Whether logos can be shown. Nobody is kept from signing in by one that cannot.

use super::Findings;
use crate::broker::Broker;
use crate::model::project::Project;
use crate::store::durable::engine::StoreError;
use crate::store::durable::organizations;

/// Organizations that are read at once.
const PAGE: u32 = 200;

pub async fn check(broker: &Broker, project: &Project, findings: &mut Findings) -> Result<(), StoreError> {
    if let Some(address) = &project.settings.brand.logo_uri {
        let what = format!("logo of project {}", project.slug);
        one(broker, &what, &project.id.to_string(), address, "the mark of Behalf", findings).await;
    }
    let mut after = String::new();
    loop {
        let page = organizations::with_logo(&mut &broker.db, project.id, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id.to_string();
        for organization in page {
            let Some(address) = &organization.logo_uri else { continue };
            let what = format!("logo of organization {}", organization.slug);
            one(broker, &what, &organization.id.to_string(), address, "the initials", findings).await;
        }
    }
}

async fn one(
    broker: &Broker,
    what: &str,
    owner: &str,
    address: &str,
    stand_in: &str,
    findings: &mut Findings,
) {
    match broker.documents.logo(owner, address).await {
        Ok((bytes, kind)) => findings.fine(what, format!("{kind}, {} bytes", bytes.len())),
        Err(why) => {
            let how =
                format!("{address} cannot be shown: {}; people see {stand_in} instead", why.explained());
            findings.warn(what, how);
        }
    }
}
