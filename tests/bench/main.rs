//! What a login costs on this machine: `cargo bench`, or `cargo bench -- --cycles 100000` for the long run of memory.
//!
//! The server is a process of its own, started as `behalf serve` is, on SQLite that waits for the disk. What counts is
//! its CPU time: it does not change when somebody else uses the machine. Time by the clock does. It fails when a figure
//! misses what is aimed at.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod cycles;
#[path = "../house/heavy_keys.rs"]
mod heavy_keys;
mod machine;
mod memory;
mod provider;
mod saml;
mod saml_messages;
mod saml_timing;
mod saml_worst;
mod scale;
mod seed;
mod server;
mod signatures;
mod table;
mod tokens;
mod upstream;
mod wire;

use std::process::ExitCode;

/// What was asked for on the command line.
struct Plan {
    /// How many cycles the run of memory makes.
    cycles: u64,
    /// Only the part of this name, if one is named.
    only: Option<String>,
}

impl Plan {
    fn read(arguments: &[String]) -> Self {
        let after = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).cloned()
        };
        let cycles = after("--cycles").map_or(5_000, |text| text.parse().expect("--cycles takes a number"));
        Self { cycles, only: after("--only") }
    }

    fn has(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return behalf::cli::main();
    }
    // Cargo says so; a run of all tests does not, and has no use for figures.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let plan = Plan::read(&arguments);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&plan));
    if table::all_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(plan: &Plan) {
    signatures::measure();
    let provider = provider::start();
    if plan.has("cycles") {
        cycles::measure(&provider).await;
    }
    if plan.has("tokens") {
        tokens::measure(&provider).await;
    }
    if plan.has("saml") || plan.has("saml-messages") {
        saml_messages::measure();
    }
    if plan.has("saml") || plan.has("saml-logins") {
        saml::measure().await;
    }
    if plan.has("saml") || plan.has("saml-worst") {
        saml_worst::measure().await;
    }
    if plan.has("timing") {
        saml_timing::measure().await;
    }
    if plan.has("start") {
        server::measure_start(&provider).await;
    }
    if plan.has("memory") {
        memory::measure(&provider, plan.cycles).await;
    }
    // Minutes of seeding, so only when it is asked for.
    if plan.only.as_deref() == Some("api") {
        api::measure(&provider).await;
    }
    if plan.has("scale") {
        scale::measure(&provider).await;
    }
}
