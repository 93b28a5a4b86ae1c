//! `behalf token`

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use ipnet::IpNet;

use super::{Error, looking, quiet_broker};
use crate::audit;
use crate::broker::Broker;
use crate::config::Config;
use crate::foundation::clock::Moment;
use crate::foundation::id::ApiKeyId;
use crate::foundation::text::is_line;
use crate::model::api_key::{ApiKey, Holder, KeySecret, KeyText, OperatorRole, network};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::project::{DEFAULT_SLUG, Project};
use crate::store::durable::api_keys;
use crate::store::durable::engine::StoreError;

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes an operator token for the administration API, and prints it once.
    Create {
        /// What it is for, as lists and the audit trail show it.
        #[arg(long)]
        name: String,
        /// What it may do: `system` everything, `auditor` read everything, `support` read what explains a login.
        #[arg(long, default_value = "system", value_parser = role)]
        role: OperatorRole,
        /// An address or a network from which alone it may be used, such as 10.0.0.2 or 10.0.0.0/8; may be given several
        /// times.
        #[arg(long = "network", value_name = "NETWORK", value_parser = network)]
        networks: Vec<IpNet>,
        /// When it ends; without it, never.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3_650))]
        expires_in: Option<u32>,
        /// The project that is meant.
        #[arg(long, value_name = "SLUG", default_value = DEFAULT_SLUG)]
        project: String,
    },
    /// Lists the operator tokens: what each may do, and when it was used.
    List {
        /// The project that is meant.
        #[arg(long, value_name = "SLUG", default_value = DEFAULT_SLUG)]
        project: String,
    },
    /// Gives a token a new secret, and prints it once; the old one goes on working for a while.
    Rotate {
        /// As `behalf token list` shows it.
        id: ApiKeyId,
        /// For how long the old secret works.
        #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=720))]
        overlap: u32,
        /// The project that is meant.
        #[arg(long, value_name = "SLUG", default_value = DEFAULT_SLUG)]
        project: String,
    },
    /// Ends a token, at once and for good.
    Revoke {
        /// As `behalf token list` shows it.
        id: ApiKeyId,
        /// The project that is meant.
        #[arg(long, value_name = "SLUG", default_value = DEFAULT_SLUG)]
        project: String,
    },
}

fn role(word: &str) -> Result<OperatorRole, &'static str> {
    OperatorRole::from_word(word).ok_or("must be system, auditor or support")
}

pub async fn run(config: Config, command: Command) -> Result<ExitCode, Error> {
    let (broker, _scratch) = match &command {
        Command::List { .. } => looking::broker(config).await?,
        _ => (quiet_broker(config).await?, None),
    };
    match command {
        Command::Create { name, role, networks, expires_in, project } => {
            if !is_line(&name, 200) {
                return Err("--name must be one line of at most 200 characters".into());
            }
            let project = super::project(&broker, &project).await?;
            let now = broker.now();
            let key = ApiKey {
                id: ApiKeyId::new(&broker.random, now),
                project_id: project.id,
                holder: Holder::Operator(role),
                name,
                networks,
                created_by: "operator".into(),
                created_at: now,
                expires_at: expires_in.map(|days| now.plus(DAY * days)),
                revoked_at: None,
                last_used_at: None,
                newest: None,
                is_outlived: false,
            };
            create(&broker, key).await?;
        }
        Command::List { project } => list(&broker, &super::project(&broker, &project).await?).await?,
        Command::Rotate { id, overlap, project } => {
            let key = found(&broker, &super::project(&broker, &project).await?, id).await?;
            rotate(&broker, key, Duration::from_secs(3_600) * overlap).await?;
        }
        Command::Revoke { id, project } => {
            let key = found(&broker, &super::project(&broker, &project).await?, id).await?;
            revoke(&broker, key).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn event(key: &ApiKey, action: &'static str) -> AuditEvent {
    AuditEvent::new(key.project_id, action, Outcome::Changed)
        .actor("operator")
        .subject(key.id)
        .with("name", key.name.as_str())
}

async fn create(broker: &Broker, key: ApiKey) -> Result<(), StoreError> {
    let text = KeyText::new(&broker.random, key.id, true);
    let random = broker.random.clone();
    let secret = KeySecret { digest: text.secret.digest(), shown_to: None };
    broker
        .db
        .write(async move |tx| {
            api_keys::insert(tx, &key, secret).await?;
            audit::record(tx, &random, key.created_at, &event(&key, "api_key.created")).await
        })
        .await?;
    say!("{}", text.text().expose());
    complain!("This is shown once. Callers send it as `Authorization: Bearer …`.");
    Ok(())
}

async fn list(broker: &Broker, project: &Project) -> Result<(), StoreError> {
    let now = broker.now();
    for key in api_keys::of_operator(&mut &broker.db, project.id).await? {
        let Holder::Operator(role) = &key.holder else { continue };
        say!("{}  {role}  {}  {}", key.id, key.name, life(&key, now));
    }
    Ok(())
}

fn life(key: &ApiKey, now: Moment) -> String {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", at.rfc3339()),
        (None, Some(at)) if at <= now => format!("ended {}", at.rfc3339()),
        (None, Some(at)) => format!("until {}", at.rfc3339()),
        (None, None) => "without end".to_owned(),
    };
    let used =
        key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", at.rfc3339()));
    let networks: Vec<_> = key.networks.iter().map(ToString::to_string).collect();
    let from = if networks.is_empty() { String::new() } else { format!(", from {}", networks.join(" ")) };
    format!("{state}, {used}{from}")
}

/// An operator token that works.
async fn found(broker: &Broker, project: &Project, id: ApiKeyId) -> Result<ApiKey, Error> {
    let tokens = api_keys::of_operator(&mut &broker.db, project.id).await?;
    let key = tokens.into_iter().find(|key| key.id == id);
    let key = key.ok_or_else(|| format!("the project {} has no operator token {id}", project.slug))?;
    if key.is_alive(broker.now()) { Ok(key) } else { Err(format!("{id} has ended").into()) }
}

async fn rotate(broker: &Broker, key: ApiKey, overlap: Duration) -> Result<(), StoreError> {
    let text = KeyText::new(&broker.random, key.id, true);
    let (random, now) = (broker.random.clone(), broker.now());
    let secret = KeySecret { digest: text.secret.digest(), shown_to: None };
    let until = now.plus(overlap);
    broker
        .db
        .write(async move |tx| {
            api_keys::rotate(tx, key.id, secret, until, now).await?;
            let event = event(&key, "api_key.rotated").with("old_until", until.rfc3339());
            audit::record(tx, &random, now, &event).await
        })
        .await?;
    say!("{}", text.text().expose());
    complain!("This is shown once. The old one works until {}.", until.rfc3339());
    Ok(())
}

async fn revoke(broker: &Broker, key: ApiKey) -> Result<(), StoreError> {
    let (random, now, id) = (broker.random.clone(), broker.now(), key.id);
    broker
        .db
        .write(async move |tx| {
            if api_keys::revoke(tx, id, now).await? {
                audit::record(tx, &random, now, &event(&key, "api_key.revoked")).await?;
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    say!("{id} opens nothing any more");
    Ok(())
}
