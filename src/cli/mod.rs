//! The commands.

#[macro_use]
mod said;

mod apply;
mod audit;
mod certified;
mod check;
mod demo;
mod domain;
mod folder;
mod key;
mod limited;
mod looking;
mod saml;
pub mod serve;
mod tls;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::broker::Broker;
use crate::config::{Config, ConfigError};
use crate::foundation::clock::Clock;
use crate::foundation::random::Random;
use crate::manage::house_file::Reading;
use crate::model::project::Project;
use crate::store::durable::projects;

#[derive(Debug, Parser)]
#[command(name = "behalf", version, about, propagate_version = true)]
struct Arguments {
    /// Settings in TOML; without it, `behalf.toml` if there is one.
    #[arg(long, short, global = true, env = "BEHALF_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until it is told to stop.
    ///
    /// SIGTERM or SIGINT stops it when running logins have ended, once more at once. SIGHUP has it read a renewed TLS
    /// certificate and key again, and the authorities of clients; other settings take a restart.
    Serve,
    /// Says of every setting, certificate, key, domain, connection, logo and application whether it is fine, and what to do
    /// if not.
    Check,
    /// Makes a project what a file says: organizations, domains, connections, applications, members, delegations.
    ///
    /// What is missing is created and what differs is changed; what the file does not name stays. Applied again,
    /// nothing changes. `examples/house.toml` shows every key.
    Apply {
        /// The file, such as house.toml.
        file: PathBuf,
        /// Only tells what would change.
        #[arg(long)]
        plan: bool,
        /// Reads SAML metadata at addresses again, and believes what is there now: every certificate may be a new
        /// one. Compare the fingerprints that --plan shows with those of the identity provider's administrator, and
        /// say what it shows for --expect.
        #[arg(long)]
        read_metadata: bool,
        /// Takes nothing from an address but what --plan has shown under this: it may say something else the next time.
        ///
        /// Once for each address that is read. What has been read before is not read again without --read-metadata.
        #[arg(long, value_name = "sha256:DIGITS", value_parser = apply::expected)]
        expect: Vec<String>,
        /// Makes connections live by whose providers nobody can sign in now: they will be there.
        #[arg(long)]
        unheard: bool,
    },
    /// Runs everything for a newcomer: Behalf, two identity providers, a sample application, a contractor.
    Demo(demo::Options),
    /// The audit trail: whether it is what it was.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Domains: what is claimed, and whether it is proved.
    #[command(subcommand)]
    Domain(domain::Command),
    /// Signing keys: what there is, and their rotation.
    #[command(subcommand)]
    Key(key::Command),
    /// SAML: what a captured message says, and why messages were refused.
    #[command(subcommand)]
    Saml(saml::Command),
    /// Operator tokens for the administration API.
    #[command(subcommand)]
    Token(token::Command),
}

/// Bytes. Whoever runs out of it takes everybody's logins along; what is not used takes no memory.
const STACK: usize = 8 * 1024 * 1024;

/// Runs a command; what went wrong is told on standard error.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.enable_all().thread_stack_size(STACK).build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    runtime.block_on(async {
        match run(arguments).await {
            Ok(code) => code,
            Err(error) => failed(error.as_ref()),
        }
    })
}

type Error = Box<dyn std::error::Error + Send + Sync>;

async fn run(arguments: Arguments) -> Result<ExitCode, Error> {
    let config = || settings(arguments.config.as_deref());
    match arguments.command {
        Command::Serve => serve::run(config()?).await,
        Command::Check => check::run(config()).await,
        Command::Audit(command) => audit::run(config, command).await,
        Command::Domain(command) => domain::run(config()?, command).await,
        Command::Key(command) => key::run(config()?, command).await,
        Command::Saml(command) => saml::run(config, command).await,
        Command::Token(command) => token::run(config()?, command).await,
        Command::Apply { file, plan, read_metadata, expect, unheard } => {
            let reading = Reading { again: read_metadata, expected: expect };
            apply::run(config()?, &file, apply::Asked { plan, reading, unheard }).await
        }
        Command::Demo(options) => demo::run(options).await,
    }
}

fn settings(file: Option<&std::path::Path>) -> Result<Config, ConfigError> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Config::load(file, std::env::vars_os().filter_map(text))
}

/// Everything opened, for a command that works and ends without a log. What it writes has the time of the servers
/// beside it.
async fn quiet_broker(config: Config) -> Result<Broker, Error> {
    Ok(Broker::start(config, Clock::System, Random::System).await?)
}

async fn project(broker: &Broker, slug: &str) -> Result<Project, Error> {
    let found = projects::by_slug(&mut &broker.db, slug).await?;
    Ok(found.ok_or_else(|| format!("there is no project {slug}"))?)
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    complain!("behalf: {error}");
    ExitCode::FAILURE
}
