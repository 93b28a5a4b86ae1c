//! The sector of an application whose people have pairwise names (OpenID Connect Core, section 8.1): what its
//! `sector_identifier_uri` lists, and that people keep their names.

use std::time::Duration;

use super::wanted::Wanted;
use crate::broker::Broker;
use crate::egress::http::Request;
use crate::foundation::id::{ApplicationId, ProjectId};
use crate::manage::refused::Refused;
use crate::model::application::ApplicationSettings;
use crate::protocol::oauth::redirect_uri::{RedirectUri, WebAddress};
use crate::store::durable::applications;

/// How large the list may be, in bytes, and how long it may take to come.
const LARGEST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);
const MOST: usize = 1_000;

const URI: &str = "/sector_identifier_uri";

/// What is at the address, as it was read just now.
#[derive(Clone, Debug)]
pub struct Sector {
    uri: WebAddress,
    lists: Vec<String>,
}

impl Sector {
    /// Reads it through the guard: whoever registers it wrote the address (threats C27). Whatever goes wrong reads alike.
    pub async fn read(broker: &Broker, uri: &WebAddress) -> Result<Self, Refused> {
        let asked = Request::get(uri.url().clone()).limit(LARGEST).timeout(PATIENCE);
        let unreadable = || Refused::value(URI, "no JSON array of redirect URIs can be read there");
        let answer = broker.http.send(asked).await.map_err(|_| unreadable())?;
        let lists: Vec<String> = match answer.status {
            200 => serde_json::from_slice(&answer.body).map_err(|_| unreadable())?,
            _ => return Err(unreadable()),
        };
        if lists.len() > MOST {
            return Err(Refused::value(URI, format!("lists more than {MOST} redirect URIs")));
        }
        Ok(Self { uri: uri.clone(), lists })
    }

    /// What a change has to know of it before it begins: nothing may be asked while others wait for the database.
    pub async fn of_change(
        broker: &Broker,
        project: ProjectId,
        changed: Option<ApplicationId>,
        wanted: &Wanted,
    ) -> Result<Option<Self>, Refused> {
        let uri = match (&wanted.client.sector_identifier_uri, changed) {
            (Some(uri), _) => uri.clone(),
            (None, Some(id)) if wanted.redirect_uris.is_some() => {
                let found = applications::by_id(&mut &broker.db, project, id).await?;
                found.and_then(|found| found.settings.client.sector_identifier_uri.clone())
            }
            _ => None,
        };
        match uri {
            Some(uri) => Self::read(broker, &uri).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Whether the document of the sector lists every redirect URI: looked at where one of the two is new.
pub fn is_listed(
    settings: &ApplicationSettings,
    before: Option<&ApplicationSettings>,
    sector: Option<&Sector>,
) -> Result<(), Refused> {
    let Some(uri) = &settings.client.sector_identifier_uri else { return Ok(()) };
    let same = |before: &ApplicationSettings| {
        before.client.sector_identifier_uri.as_ref() == Some(uri)
            && before.redirect_uris == settings.redirect_uris
    };
    if before.is_some_and(same) {
        return Ok(());
    }
    // Somebody else changed the address meanwhile.
    let Some(sector) = sector.filter(|sector| sector.uri == *uri) else { return Err(Refused::Conflict) };
    let unlisted = |one: &&RedirectUri| !sector.lists.iter().any(|listed| listed == one.as_str());
    match settings.redirect_uris.iter().find(unlisted) {
        Some(one) => Err(Refused::value(URI, format!("does not list {}", one.as_str()))),
        None => Ok(()),
    }
}

/// Whether people keep the names that the application knows them by.
pub fn keeps_names(before: &ApplicationSettings, after: &ApplicationSettings) -> bool {
    before.sector() == after.sector()
}
