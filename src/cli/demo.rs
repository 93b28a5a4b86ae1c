//! `behalf demo`: the whole thing for a newcomer, in one process. Two customers with their identity providers, a
//! sample application and a contractor; for a person at a browser, or walked by a program that checks it.

#[allow(dead_code, reason = "its main is for standing alone")]
#[path = "../../examples/dns_zone.rs"]
mod dns_zone;
mod folder;
mod html;
#[allow(dead_code, reason = "its main is for standing alone")]
#[path = "../../examples/idp.rs"]
mod idp;
mod scene;
mod told;
mod visitor;
mod walk;
#[allow(dead_code, reason = "its main is for standing alone")]
#[path = "../../examples/web_app.rs"]
mod web_app;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Error;
use scene::Scene;

/// The walk takes a second or two; whatever takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Walks through it with a program instead of a browser, and fails if any claim is wrong.
    #[arg(long)]
    headless: bool,
    /// Keeps the database and the keys in this folder, which must not exist yet; otherwise nothing is kept.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Whichever way it ends, the folder goes with what holds it.
    tokio::select! {
        shown = show(&options) => shown,
        _ = terminate.recv() => Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
    }
}

async fn show(options: &Options) -> Result<ExitCode, Error> {
    let scene = Scene::set(options.keep.as_deref(), !options.headless).await?;
    if !options.headless {
        told::invite(&scene);
        return std::future::pending().await;
    }
    let walked = tokio::time::timeout(PATIENCE, walk::all(&scene)).await;
    match walked.map_err(|_| format!("not done after {} seconds", PATIENCE.as_secs()))? {
        Ok(checked) => {
            println!("\nAll {checked} checks hold.");
            Ok(ExitCode::SUCCESS)
        }
        Err(wrong) => Err(format!("the demo went wrong: {wrong}").into()),
    }
}
