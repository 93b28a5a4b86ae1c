//! `behalf check`: says of everything whether it is fine, and if not, what to do. It changes nothing: a database
//! of an earlier version is not brought up to date, and so not looked into.

mod certificates;
mod connections;
mod house;
mod logos;
mod saml;

use std::process::ExitCode;

use super::Error;
use crate::broker::Broker;
use crate::config::{Config, ConfigError, Origin};
use crate::egress::http::Http;
use crate::egress::mail::Post;
use crate::foundation::clock::Clock;
use crate::foundation::random::Random;
use crate::keys::seal::MasterKey;
use crate::store::durable::engine::{Age, Database};
use crate::store::durable::house as facts;
use crate::telemetry;
use crate::web::templates::Templates;

/// What was found so far.
#[derive(Default)]
pub struct Findings {
    failed: bool,
}

impl Findings {
    fn fine(&mut self, what: &str, how: impl std::fmt::Display) {
        say!("✓ {what}: {}", telemetry::logs::one_line(&how.to_string()));
    }
    /// It works, and not for ever or not as it was meant. `how` says what to do as well.
    fn warn(&mut self, what: &str, how: impl std::fmt::Display) {
        say!("! {what}: {}", telemetry::logs::one_line(&how.to_string()));
    }
    /// `how` says what to do as well.
    fn wrong(&mut self, what: &str, how: impl std::fmt::Display) {
        self.failed = true;
        say!("✗ {what}: {}", telemetry::logs::one_line(&how.to_string()));
    }
    fn judge<T, E: std::fmt::Display>(
        &mut self,
        what: &str,
        result: Result<T, E>,
        fine: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.fine(what, fine(&value));
                Some(value)
            }
            Err(error) => {
                self.wrong(what, error);
                None
            }
        }
    }
    fn code(&self) -> ExitCode {
        if self.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

pub async fn run(config: Result<Config, ConfigError>) -> Result<ExitCode, Error> {
    let mut findings = Findings::default();
    let Some(config) = settings(config, &mut findings) else { return Ok(findings.code()) };
    let filter = telemetry::filter(&config.telemetry);
    findings.judge("log filter", filter, |_| config.telemetry.log_filter.clone());
    let folder = config.pages.templates.clone();
    let templates = findings.judge("templates", Templates::new(folder.as_deref()), |_| match &folder {
        Some(folder) => format!("those in {} come before the built-in ones", folder.display()),
        None => "the built-in ones".into(),
    });
    for warning in templates.iter().flat_map(Templates::warnings) {
        findings.wrong("templates", warning);
    }
    certificates::tls(&config, &mut findings).await;
    if !certificates::authorities(&config, &mut findings) {
        return Ok(findings.code());
    }
    let Some(_) = findings
        .judge("outgoing requests", Http::new(&config.egress), |_| "certificates can be checked".into())
    else {
        return Ok(findings.code());
    };
    mail(&config, &mut findings).await;
    if let Some(broker) = open(config, &mut findings).await {
        house::check(&broker, &mut findings).await?;
    }
    Ok(findings.code())
}

fn settings(config: Result<Config, ConfigError>, findings: &mut Findings) -> Option<Config> {
    let config = match config {
        Ok(config) => config,
        Err(error) if error.faults().is_empty() => {
            findings.wrong("configuration", error);
            return None;
        }
        Err(error) => {
            error.faults().iter().for_each(|fault| findings.wrong("configuration", fault));
            return None;
        }
    };
    findings.fine("configuration", format!("people and applications use {}", config.public_url()));
    for setting in config.describe().into_iter().filter(|setting| setting.origin != Origin::Default) {
        say!("    {} = {} ({})", setting.key, setting.value, setting.origin);
    }
    Some(config)
}

/// Whether the mail server would take a mail, without giving it one.
async fn mail(config: &Config, findings: &mut Findings) {
    let post = match Post::new(config) {
        Ok(Some(post)) => post,
        Ok(None) => return,
        Err(error) => return findings.wrong("mail", error),
    };
    match post.greet().await {
        Ok(()) => findings.fine("mail", format!("{} takes mails", post.at())),
        Err(error) => {
            findings.wrong("mail", format!("{}: {error}; mails wait until this is mended", post.at()))
        }
    }
}

/// Whether a server would start by the database's time.
async fn clock(config: &Config, findings: &mut Findings) -> Option<()> {
    let kept = Broker::keeps_time(&config.database, &Clock::System).await;
    findings.judge("clock", kept, |()| "the database's is ours".into())
}

/// Opens the house, unless that would make or change something.
async fn open(config: Config, findings: &mut Findings) -> Option<Broker> {
    let absent = sqlite_path(&config.database.url).filter(|path| !std::path::Path::new(path).exists());
    if let Some(path) = absent {
        let folder = std::path::Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            findings.wrong("database", format!("{path}: there is no such folder"));
            return None;
        }
    }
    match Database::age(&config.database).await {
        Ok(Age::Present) => {}
        Ok(Age::None) => {
            match absent {
                Some(path) => {
                    findings.fine("database", format!("{path} does not exist yet; the first start makes it"))
                }
                None => {
                    findings.fine("database", Age::None);
                    clock(&config, findings).await?;
                }
            }
            let key = MasterKey::load(&config.keys.folder, config.keys.master_key.as_ref());
            findings.judge("master key", key, |key| match key {
                Some(_) => "it can be read".into(),
                None => format!("none yet; the first start makes it in {}", config.keys.folder.display()),
            });
            return None;
        }
        Ok(earlier @ Age::Earlier(_)) => {
            findings.warn("database", format!("{earlier}; what is in it can be checked after that"));
            clock(&config, findings).await?;
            return None;
        }
        Ok(other) => {
            findings.wrong("database", other);
            return None;
        }
        Err(error) => {
            findings.wrong("database", error);
            return None;
        }
    }
    let what = |db: &Database| format!("{} is open, and its schema up to date", db.engine());
    let db = findings.judge("database", Database::open(&config.database).await, what)?;
    findings.judge("database", db.ping().await, |()| "it answers".into())?;
    clock(&config, findings).await?;
    let loaded = MasterKey::load(&config.keys.folder, config.keys.master_key.as_ref());
    let key = match loaded {
        Ok(key) => key,
        Err(error) => {
            findings.wrong("master key", error);
            return None;
        }
    };
    let proof = match facts::get(&mut &db, crate::keys::proof::NAME).await {
        Ok(proof) => proof,
        Err(error) => {
            findings.wrong("database", error);
            return None;
        }
    };
    if proof.is_none() {
        let key = if key.is_some() { "it can be read" } else { "none yet" };
        findings.fine("master key", format!("{key}; nothing is sealed yet, the first start begins"));
        return None;
    }
    let opened = Broker::open(config, Clock::System, Random::System).await;
    findings.judge("master key", opened, |_| "it is the one that this database is sealed under".into())
}

pub(super) fn sqlite_path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    Some(path.strip_prefix("//").unwrap_or(path))
}
