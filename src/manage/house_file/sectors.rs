//! What is at the addresses of sectors, read before the transaction that needs it, as with metadata.

use std::collections::BTreeMap;

use super::HouseFile;
use super::fault::Fault;
use super::parts::ApplicationPart;
use crate::broker::Broker;
use crate::manage::applications::Sector;
use crate::manage::refused::Refused;
use crate::model::application::Application;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{applications, projects};

/// By the client ids of the applications; one of which nothing is new has none.
pub type Sectors = BTreeMap<String, Sector>;

pub async fn read(broker: &Broker, file: &HouseFile) -> Result<Result<Sectors, Vec<Fault>>, StoreError> {
    let db = &mut &broker.db;
    let project = projects::by_slug(db, file.project()).await?;
    let (mut sectors, mut faults) = (Sectors::new(), Vec::new());
    for part in &file.applications {
        let Some(uri) = &part.client.sector_identifier_uri else { continue };
        let before = match &project {
            Some(project) => applications::by_client_id(db, project.id, &part.client_id.value).await?,
            None => None,
        };
        if before.is_some_and(|before| is_same(part, &before)) {
            continue;
        }
        match Sector::read(broker, uri).await {
            Ok(sector) => drop(sectors.insert(part.client_id.value.clone(), sector)),
            Err(Refused::Told(told)) => faults.extend(part.places.faults(part.client_id.at, *told)),
            Err(_) => return Err(StoreError::Conflict),
        }
    }
    Ok(if faults.is_empty() { Ok(sectors) } else { Err(faults) })
}

fn is_same(part: &ApplicationPart, before: &Application) -> bool {
    before.settings.client.sector_identifier_uri == part.client.sector_identifier_uri
        && before.settings.redirect_uris == part.redirect_uris
}
