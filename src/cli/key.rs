//! `behalf key`

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use super::{Error, quiet_broker};
use crate::broker::Broker;
use crate::config::Config;
use crate::foundation::clock::Moment;
use crate::keys::keyring::ALGORITHMS;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::project::Project;
use crate::model::signing_key::KeyRecord;
use crate::protocol::jose::Algorithm;
use crate::store::durable::{projects, signing_keys};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the signing keys that are published: when each signs, and until when it is published.
    List,
    /// Publishes a successor of every signing key; it signs once every verifier had time to learn of it.
    Rotate {
        /// Only this project's; without it, every project's.
        #[arg(long, value_name = "SLUG")]
        project: Option<String>,
        /// Only of this algorithm.
        #[arg(long, value_enum)]
        algorithm: Option<Name>,
        /// Does not publish ahead: for a key that somebody may have copied. The new one signs after two minutes, when
        /// every node knows it. Verifiers that keep key sets for longer refuse its signatures until they look again;
        /// the old one is published until its last token has run out.
        #[arg(long)]
        now: bool,
    },
}

/// An algorithm that tokens are signed with, as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "ES256")]
    Es256,
    #[value(name = "EdDSA")]
    EdDsa,
}

impl Name {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

pub async fn run(config: Config, command: Command) -> Result<ExitCode, Error> {
    let broker = quiet_broker(config).await?;
    match command {
        Command::List => list(&broker).await?,
        Command::Rotate { project, algorithm, now } => {
            let projects = match project {
                Some(slug) => vec![super::project(&broker, &slug).await?],
                None => projects::all(&mut &broker.db).await?,
            };
            for project in projects {
                rotate(&broker, &project, algorithm.map(Name::algorithm), now).await?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(broker: &Broker) -> Result<(), Error> {
    let now = broker.now();
    for project in projects::all(&mut &broker.db).await? {
        let keys = signing_keys::published(&mut &broker.db, project.id, now).await?;
        if keys.is_empty() {
            println!("{}: none yet; the first use makes them", project.slug);
        }
        for key in keys {
            println!("{}  {:5}  {}  {}", project.slug, key.algorithm.name(), key.id, life(&key, now));
        }
    }
    Ok(())
}

/// What a key does, and until when.
fn life(key: &KeyRecord, now: Moment) -> String {
    let published =
        key.published_until.map_or_else(String::new, |at| format!(", published until {}", at.rfc3339()));
    if now < key.signs_from {
        format!("will sign from {}{published}", key.signs_from.rfc3339())
    } else if key.signs_at(now) {
        let until = key.signs_until.map_or_else(String::new, |at| format!(" until {}", at.rfc3339()));
        format!("signs{until}{published}")
    } else {
        format!("signs no more{published}")
    }
}

async fn rotate(
    broker: &Broker,
    project: &Project,
    only: Option<Algorithm>,
    at_once: bool,
) -> Result<(), Error> {
    let made = broker.keyring.rotate(project.id, only, at_once).await?;
    let names: Vec<_> = made.iter().map(|(algorithm, _)| algorithm.name().to_owned()).collect();
    if !names.is_empty() {
        let event = AuditEvent::new(project.id, "signing_key.rotated", Outcome::Changed)
            .actor("operator")
            .subject(project.id)
            .with("algorithms", names)
            .with("at_once", at_once);
        broker.record(event).await?;
    }
    for (algorithm, signs_from) in &made {
        let (slug, name) = (&project.slug, algorithm.name());
        println!("{slug}: a new {name} key, which signs from {}", signs_from.rfc3339());
    }
    let wanted = only.map_or(ALGORITHMS.len(), |_| 1);
    if made.len() == wanted {
        return Ok(());
    }
    // Nothing would tell the operator otherwise that an old key goes on signing.
    let text = "other nodes rotated keys at the same moment: see `behalf key list`, and ask again";
    Err(format!("{}: only {} of {wanted} keys were made: {text}", project.slug, made.len()).into())
}
