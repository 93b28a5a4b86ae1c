//! The commands.

mod limited;
pub mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};

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
    Serve,
}

/// Runs a command; what went wrong is told on standard error.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
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
    }
}

fn settings(file: Option<&std::path::Path>) -> Result<Config, ConfigError> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Config::load(file, std::env::vars_os().filter_map(text))
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("behalf: {error}");
    ExitCode::FAILURE
}
