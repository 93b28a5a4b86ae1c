//! Providers that speak OpenID Connect, asked before what a file says of them is written: as by the API, none goes live that
//! cannot be had, unless whoever runs the service says so. What is a draft may wait for its provider.

use futures_util::StreamExt;
use futures_util::stream::iter;

use super::HouseFile;
use super::fault::{Fault, Place};
use super::parts::{ConnectionPart, UpstreamPart};
use super::plan::oidc_settings;
use crate::broker::Broker;
use crate::manage::connections::heard;
use crate::model::connection::{Connection, ConnectionState, OidcSettings};
use crate::store::durable::engine::StoreError;
use crate::store::durable::{connections, projects};

/// How many are asked at a time.
const AT_ONCE: usize = 16;

/// What is wrong with those that are live from then on, and are not now.
pub async fn unheard(broker: &Broker, file: &HouseFile) -> Result<Vec<Fault>, StoreError> {
    let project = projects::by_slug(&mut &broker.db, file.project()).await?;
    let mut asked = Vec::new();
    for part in &file.connections {
        let before = match &project {
            Some(project) => connections::by_slug(&mut &broker.db, project.id, &part.slug.value).await?,
            None => None,
        };
        asked.extend(newly_live(part, before.as_ref()).map(|(at, oidc)| (&*part.slug.value, at, oidc)));
    }
    let told = iter(asked).map(|(slug, at, oidc)| async move {
        let why = heard(broker, &oidc).await.err()?.code().title();
        let message = format!("connection {slug}: nobody can sign in by {} as it is now: {why}", oidc.issuer);
        Some(Fault { at, message })
    });
    let told: Vec<_> = told.buffered(AT_ONCE).collect().await;
    Ok(told.into_iter().flatten().collect())
}

/// Whose word is to count, if another one's does now, or nobody's.
fn newly_live(part: &ConnectionPart, before: Option<&Connection>) -> Option<(Place, OidcSettings)> {
    let UpstreamPart::Oidc(oidc) = &part.upstream else { return None };
    let wanted = oidc_settings(oidc);
    let is_known = |before: &Connection| {
        let same =
            |known: &OidcSettings| (&known.issuer, &known.endpoints) == (&wanted.issuer, &wanted.endpoints);
        before.is_active() && before.oidc().is_some_and(|known| same(known.oidc))
    };
    let is_live = part.state == ConnectionState::Active && !before.is_some_and(is_known);
    is_live.then_some((oidc.issuer.at, wanted))
}
