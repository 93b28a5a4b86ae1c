//! What the house does unattended: rotate keys, look domains up again, read metadata again, take back connections that let
//! nobody in, tell owners of certificates that run out, seal the audit trail, send mails, tell applications of sessions that
//! ended, forget what has run out.

pub mod audit;
pub mod connections;
pub mod domains;
pub mod endings;
pub mod logouts;
pub mod metadata;
pub mod post;
pub mod purge;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use crate::broker::Broker;
use crate::store::durable::projects;
use crate::web::templates::Templates;

/// How often the audit trail is sealed.
const SEALED_EVERY: Duration = Duration::from_secs(5);
/// How often metadata is read again, if it is due.
const MINUTE: Duration = Duration::from_secs(60);
/// How often keys are rotated, if they are due, what runs out is told, and what has run out is forgotten.
const HOUR: Duration = Duration::from_secs(3_600);

/// Works until it is aborted. A chore that fails is logged and done again next time; none holds up another.
pub async fn run(broker: Broker, templates: Arc<Templates>) {
    tokio::join!(
        look_after_domains(&broker),
        look_after_metadata(&broker),
        look_after_connections(&broker),
        seal_the_trail(&broker),
        send_mails(&broker, &templates),
        tell_applications(&broker),
        keep_house(&broker)
    );
}

async fn look_after_domains(broker: &Broker) {
    let every = Duration::from_secs(broker.config.dns.recheck_interval.max(1));
    loop {
        if let Err(error) = domains::look(broker).await {
            tracing::error!(%error, "domains could not be looked up again");
        }
        tokio::time::sleep(every).await;
    }
}

async fn look_after_metadata(broker: &Broker) {
    loop {
        if let Err(error) = metadata::look(broker).await {
            tracing::error!(%error, "metadata could not be read again");
        }
        tokio::time::sleep(MINUTE).await;
    }
}

async fn look_after_connections(broker: &Broker) {
    loop {
        tokio::time::sleep(MINUTE).await;
        if let Err(error) = connections::look(broker).await {
            tracing::error!(%error, "connections could not be looked after");
        }
    }
}

async fn seal_the_trail(broker: &Broker) {
    loop {
        if let Err(error) = audit::seal(broker).await {
            tracing::error!(%error, "the audit trail could not be sealed");
        }
        tokio::time::sleep(SEALED_EVERY).await;
    }
}

async fn send_mails(broker: &Broker, templates: &Templates) {
    let every = Duration::from_secs(broker.config.mail.interval.max(1));
    loop {
        if let Err(error) = post::send(broker, templates).await {
            tracing::error!(%error, "mails could not be sent");
        }
        tokio::time::sleep(every).await;
    }
}

async fn tell_applications(broker: &Broker) {
    let every = Duration::from_secs(broker.config.login.notice_interval.max(1));
    let mut rounds = logouts::Rounds::default();
    loop {
        if let Err(error) = rounds.begin(broker).await {
            tracing::error!(%error, "applications could not be told of sign-outs");
        }
        tokio::time::sleep(every).await;
    }
}

async fn keep_house(broker: &Broker) {
    loop {
        rotate(broker).await;
        if let Err(error) = audit::look_over(broker).await {
            tracing::error!(%error, "the audit trail could not be looked over");
        }
        if let Err(error) = sweep::run(broker).await {
            tracing::error!(%error, "what has run out could not be forgotten");
        }
        if let Err(error) = endings::look(broker).await {
            tracing::error!(%error, "owners could not be told of certificates that run out");
        }
        if let Err(error) = purge::run(broker).await {
            tracing::error!(%error, "deleted organizations could not be forgotten");
        }
        broker.ephemeral.sweep();
        tokio::time::sleep(HOUR).await;
    }
}

async fn rotate(broker: &Broker) {
    let projects = match projects::all(&mut &broker.db).await {
        Ok(projects) => projects,
        Err(error) => return tracing::error!(%error, "projects could not be read"),
    };
    for project in projects {
        match broker.keyring.keep_calendar(project.id).await {
            Ok(0) => {}
            Ok(made) => {
                tracing::info!(project = %project.id, made, "signing keys were published ahead of use")
            }
            Err(error) => tracing::error!(project = %project.id, %error, "signing keys could not be rotated"),
        }
    }
}
