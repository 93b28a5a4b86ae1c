//! Whether logos can be shown. Nobody is kept from signing in by one that cannot.

use futures_util::StreamExt;
use futures_util::stream::iter;

use super::Findings;
use crate::broker::Broker;
use crate::model::project::Project;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{applications, organizations};

/// Organizations that are read at once.
const PAGE: u32 = 200;
/// Logos that are fetched at the same time.
const AT_ONCE: usize = 16;

pub async fn check(broker: &Broker, project: &Project, findings: &mut Findings) -> Result<(), StoreError> {
    if let Some(address) = &project.settings.brand.logo_uri {
        let what = format!("logo of project {}", project.slug);
        told(findings, &what, look(broker, &project.id.to_string(), address, "the mark of Behalf").await);
    }
    let applications = applications::of_project(&mut &broker.db, project.id).await?;
    for application in applications.into_iter().filter(|one| one.is_enabled()) {
        let Some(address) = &application.settings.client.links.logo_uri else { continue };
        let seen = look(broker, &application.id.to_string(), address.as_str(), "the initials").await;
        told(findings, &format!("logo of application {}", application.client_id), seen);
    }
    let mut after = String::new();
    loop {
        let page = organizations::with_logo(&mut &broker.db, project.id, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id.to_string();
        let looks = page.into_iter().map(async |organization| {
            let address = organization.logo_uri.unwrap_or_default();
            let seen = look(broker, &organization.id.to_string(), &address, "the initials").await;
            (format!("logo of organization {}", organization.slug), seen)
        });
        let mut looks = iter(looks).buffered(AT_ONCE);
        while let Some((what, seen)) = looks.next().await {
            told(findings, &what, seen);
        }
    }
}

/// What it is, or why it cannot be shown.
async fn look(broker: &Broker, owner: &str, address: &str, stand_in: &str) -> Result<String, String> {
    match broker.documents.logo(owner, address).await {
        Ok((bytes, _)) => Ok(format!("{} bytes as it is shown", bytes.len())),
        Err(why) => {
            Err(format!("{address} cannot be shown: {}; people see {stand_in} instead", why.explained()))
        }
    }
}

fn told(findings: &mut Findings, what: &str, seen: Result<String, String>) {
    match seen {
        Ok(fine) => findings.fine(what, fine),
        Err(fault) => findings.warn(what, fault),
    }
}
