//! Tells owners of certificates that run out, of those providers sign with and of our own, long enough before (threats H18).
//! What is known of them stands in the store: nobody is asked.

use crate::audit::Keep;
use crate::broker::{Broker, connection_ending};
use crate::foundation::clock::Moment;
use crate::foundation::id::ProjectId;
use crate::model::audit_event::Actor;
use crate::model::connection::{Connection, Ending, SOON};
use crate::store::durable::engine::StoreError;
use crate::store::durable::{connection_notices, connections, projects, saml_keys};

/// Connections of one page.
const PAGE: u32 = 200;

/// Looks at everything that ends soon.
pub async fn look(broker: &Broker) -> Result<(), StoreError> {
    let soon = broker.now().plus(SOON);
    let (mut after, mut id) = (Moment::from_millis(i64::MIN), String::new());
    loop {
        let some = connections::ending(&mut &broker.db, soon, (after, &id), PAGE).await?;
        let Some((at, last)) = some.last() else { break };
        (after, id) = (*at, last.id.to_string());
        for (_, connection) in &some {
            let endings = connection.saml().map(|connection| connection.saml.endings());
            tell(broker, connection, endings.unwrap_or_default()).await?;
        }
    }
    for project in projects::all(&mut &broker.db).await? {
        look_at_keys(broker, project.id).await?;
    }
    Ok(())
}

/// The keys of a project are those of every connection for which none was brought.
async fn look_at_keys(broker: &Broker, project: ProjectId) -> Result<(), StoreError> {
    let now = broker.now();
    let keys = saml_keys::kept(&mut &broker.db, project, now).await?;
    let endings: Vec<_> = keys.iter().filter_map(|key| Ending::of_key(key, now)).collect();
    if endings.is_empty() {
        return Ok(());
    }
    let mut after = String::new();
    loop {
        let some = connections::page_of_all(&mut &broker.db, project, &after, PAGE).await?;
        let Some((last, _)) = some.last() else { return Ok(()) };
        after = last.id.to_string();
        for (connection, _) in &some {
            let Some(saml) = connection.saml() else { continue };
            let shown = endings.iter().filter(|ending| saml.saml.shows_the_projects(ending.what));
            tell(broker, connection, shown.copied().collect()).await?;
        }
    }
}

async fn tell(broker: &Broker, connection: &Connection, endings: Vec<Ending>) -> Result<(), StoreError> {
    let (project, connection, now) = (connection.project_id, connection.id, broker.now());
    let mut news = Vec::new();
    for ending in endings {
        let told = (ending.at, ending.stage(now));
        if told.1 > 0 && !connection_notices::is_told(&mut &broker.db, connection, ending.what, told).await? {
            news.push(ending);
        }
    }
    if news.is_empty() {
        return Ok(());
    }
    let random = broker.random.clone();
    let work = broker.db.write(async move |tx| {
        let project = projects::by_id(tx, project).await?;
        let Some(project) = project else { return Ok(()) };
        let Some(connection) = connections::by_id(tx, project.id, connection).await? else { return Ok(()) };
        let keep = Keep { random, project, actor: Actor::House, by: None, request: None, now };
        connection_ending::tell(tx, &keep, &connection, &news).await
    });
    work.await
}
