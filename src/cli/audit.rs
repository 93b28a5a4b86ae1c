//! `behalf audit`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::Error;
use super::looking::existing;
use crate::broker::Broker;
use crate::config::{Config, ConfigError};
use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::model::audit_chain::{
    Begins, Broken, CHECKPOINT_ALGORITHM, Chain, Checkpoint, Head, Line, Verifier, Whole,
};
use crate::model::project::{DEFAULT_SLUG, Project};
use crate::protocol::jose::JwkSet;
use crate::store::durable::{audit_chains, organizations, signing_keys};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says whether an export, or the database, holds every event as it was recorded; if not, names what is changed,
    /// missing or moved.
    Verify(Options),
}

#[derive(Debug, clap::Args)]
pub struct Options {
    /// What `GET /audit-events/export` answered, page after page. Without it, the database is looked at.
    file: Option<PathBuf>,
    /// The keys that verify checkpoints: what `GET /audit-checkpoints/keys` answers. For the database, those that stand
    /// in it if none are given.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Checkpoints that were kept elsewhere, a JWS a line: the trail must agree with each.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Verifies hashes alone, by which somebody who made the whole chain anew is not found out.
    #[arg(long, requires = "file", conflicts_with_all = ["jwks", "checkpoint"])]
    without_signatures: bool,
    /// Of the database, one organization alone; by its id.
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    organization: Option<OrganizationId>,
    /// The project that is meant.
    #[arg(long, value_name = "SLUG", default_value = DEFAULT_SLUG)]
    project: String,
}

/// Events that are read at once.
const PAGE: i64 = 1_000;

pub async fn run(
    config: impl FnOnce() -> Result<Config, ConfigError>,
    command: Command,
) -> Result<ExitCode, Error> {
    let Command::Verify(options) = command;
    let kept = kept(&options.checkpoint)?;
    match &options.file {
        Some(file) => of_file(file, &options, &kept),
        None => of_database(&existing(config()?).await?, &options, &kept).await,
    }
}

fn kept(files: &[PathBuf]) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for file in files {
        let text = read(file)?;
        all.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    Ok(all)
}

fn read(file: &Path) -> Result<String, Error> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn keys(options: &Options) -> Result<Option<JwkSet>, Error> {
    let Some(file) = &options.jwks else { return Ok(None) };
    let keys = JwkSet::parse(read(file)?.as_bytes());
    Ok(Some(keys.map_err(|error| format!("{}: {error}", file.display()))?))
}

fn of_file(file: &Path, options: &Options, kept: &[String]) -> Result<ExitCode, Error> {
    let keys = keys(options)?;
    let opened = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut verifier = Verifier::default();
    let mut number = 0;
    for line in BufReader::new(opened).lines() {
        let line = line.map_err(|error| format!("{}: {error}", file.display()))?;
        number += 1;
        if let Err(broken) = verifier.text(&line) {
            return Ok(failed(&format!("line {number}: {broken}")));
        }
    }
    let whole = match verifier.whole() {
        Ok(whole) => whole,
        Err(broken) => return Ok(failed(&format!("line {number}: {broken}"))),
    };
    if whole.is_empty() {
        return Ok(failed(&format!("line {number}: {}", Broken::Empty)));
    }
    match keys {
        Some(keys) => {
            if let Err(told) = agrees(&verifier, &keys, kept) {
                return Ok(failed(&told));
            }
        }
        None if options.without_signatures => say!("no signature was verified"),
        None => {
            return Err("--jwks FILE names the keys by which checkpoints are verified; \
                        --without-signatures does without"
                .into());
        }
    }
    say!("{}", told(&whole));
    Ok(ExitCode::SUCCESS)
}

/// Whether the chain agrees with the checkpoints that it holds, and those of it that were kept.
fn agrees(verifier: &Verifier, keys: &JwkSet, kept: &[String]) -> Result<(), String> {
    for jws in verifier.checkpoints.iter().chain(kept) {
        let checkpoint =
            Checkpoint::verify(jws, keys).map_err(|error| format!("a checkpoint is not genuine: {error}"))?;
        verifier.agrees(&checkpoint).map_err(|broken| broken.to_string())?;
        say!("agrees with the checkpoint at place {} of {}", checkpoint.place, moment(checkpoint.iat));
    }
    if verifier.checkpoints.is_empty() && kept.is_empty() {
        say!("there is no checkpoint: nothing is signed");
    }
    Ok(())
}

fn moment(seconds: i64) -> String {
    Moment::from_seconds(seconds).rfc3339()
}

fn failed(told: &str) -> ExitCode {
    say!("{told}");
    ExitCode::FAILURE
}

fn told(whole: &Whole) -> String {
    let Whole { chain, first, head, unsealed } = whole;
    let of = chain.organization.map_or_else(|| "the project's own".to_owned(), |id| id.to_string());
    let name = format!("{of}: fine, places {first} to {}, hash {}", head.place, head.hash.text());
    if *unsealed == 0 { name } else { format!("{name}; {unsealed} not sealed yet") }
}

async fn of_database(broker: &Broker, options: &Options, kept: &[String]) -> Result<ExitCode, Error> {
    let project = super::project(broker, &options.project).await?;
    let keys = match keys(options)? {
        Some(keys) => keys,
        None => own_keys(broker, &project).await?,
    };
    let mut fine = true;
    let mut pinned = Vec::new();
    for jws in kept {
        match Checkpoint::verify(jws, &keys) {
            Ok(checkpoint) => pinned.push((checkpoint.chain, jws.clone())),
            Err(error) => return Ok(failed(&format!("a checkpoint is not genuine: {error}"))),
        }
    }
    let mut after = None;
    loop {
        let chains = match options.organization {
            Some(id) => one(broker, &project, id).await?,
            None => audit_chains::all(&mut &broker.db, project.id, after.as_deref(), PAGE).await?,
        };
        for chain in &chains {
            let kept: Vec<_> =
                pinned.iter().filter(|(name, _)| *name == chain.name()).map(|(_, jws)| jws.clone()).collect();
            pinned.retain(|(name, _)| *name != chain.name());
            match of_chain(broker, *chain, &keys, &kept).await? {
                Ok(whole) => say!("{}", told(&whole)),
                Err(told) => {
                    fine = false;
                    say!("{}: {told}", named(*chain));
                }
            }
        }
        after = chains.last().map(|chain| chain.name());
        if chains.is_empty() || options.organization.is_some() {
            break;
        }
    }
    if options.organization.is_none() {
        for (name, _) in pinned {
            fine = false;
            say!("{name}: a checkpoint knows this chain, and it is not there");
        }
        fine &= nothing_left_out(broker, &project).await?;
    }
    fine &= all_begin(broker, &project, options.organization).await?;
    if kept.is_empty() {
        say!(
            "who could write to the database and had its keys could have made all of it anew: only checkpoints \
             that were kept elsewhere (--checkpoint FILE) would show that"
        );
    }
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn named(chain: Chain) -> String {
    chain.organization.map_or_else(|| "the project's own".to_owned(), |id| id.to_string())
}

async fn one(broker: &Broker, project: &Project, id: OrganizationId) -> Result<Vec<Chain>, Error> {
    let found = organizations::by_id(&mut &broker.db, project.id, id).await?;
    let found = found.ok_or_else(|| format!("the project {} has no organization {id}", project.slug))?;
    Ok(vec![Chain { project: project.id, organization: Some(found.id) }])
}

/// Every key that stands in the database: who could change the trail could change these, too.
async fn own_keys(broker: &Broker, project: &Project) -> Result<JwkSet, Error> {
    let name = CHECKPOINT_ALGORITHM.name();
    let all = signing_keys::ever_public(&mut &broker.db, project.id, name).await?;
    Ok(JwkSet::parse(format!("{{\"keys\":[{}]}}", all.join(",")).as_bytes())?)
}

/// One chain as it stands in the database, with all of its checkpoints.
async fn of_chain(
    broker: &Broker,
    chain: Chain,
    keys: &JwkSet,
    kept: &[String],
) -> Result<Result<Whole, String>, Error> {
    let start = Head::start(chain);
    let mut verifier = Verifier::default();
    let begins = Begins {
        project_id: chain.project,
        organization_id: chain.organization,
        place: start.place,
        hash: start.hash.text(),
    };
    // It may grow meanwhile: what it is now must be there.
    let head = audit_chains::head(&mut &broker.db, chain).await?;
    if let Err(broken) = verifier.line(Line::Begins(begins)) {
        return Ok(Err(broken.to_string()));
    }
    let mut after = 0;
    loop {
        let links = audit_chains::links(&mut &broker.db, chain, after, PAGE).await?;
        let Some(last) = links.last().and_then(|link| link.place) else { break };
        for link in links {
            if let Err(broken) = verifier.line(Line::Sealed(link)) {
                return Ok(Err(broken.to_string()));
            }
        }
        after = last;
    }
    let mut before = i64::MAX;
    let signed_to = audit_chains::signed_to(&mut &broker.db, chain).await?;
    let mut newest = 0;
    loop {
        let signed = audit_chains::checkpoints(&mut &broker.db, chain, before, PAGE).await?;
        let Some(last) = signed.last() else { break };
        before = last.place;
        newest = signed.iter().map(|one| one.place).fold(newest, i64::max);
        verifier.checkpoints.extend(signed.into_iter().map(|signed| signed.jws));
    }
    let found = verifier.whole().and_then(|whole| {
        if whole.head.place < head.place {
            return Err(Broken::CutOff(whole.head.place, head.place));
        }
        if newest < signed_to {
            return Err(Broken::CheckpointGone(signed_to));
        }
        Ok(whole)
    });
    Ok(found.map_err(|broken| broken.to_string()).and_then(|whole| {
        agrees(&verifier, keys, kept)?;
        Ok(whole)
    }))
}

/// Whether the trail tells how every organization began: whatever else it has come to, somebody made it, and that was
/// recorded. (The first project is made by the house itself, and nothing is recorded of it.)
async fn all_begin(broker: &Broker, project: &Project, only: Option<OrganizationId>) -> Result<bool, Error> {
    let mut fine = true;
    let mut after = String::new();
    loop {
        let unheard = audit_chains::unheard_of(&mut &broker.db, project.id, &after, PAGE).await?;
        let Some(last) = unheard.last() else { return Ok(fine) };
        after = last.to_string();
        for id in unheard.iter().filter(|id| only.is_none_or(|only| only == **id)) {
            fine = false;
            say!("{id}: its beginning is gone");
        }
    }
}

/// Whether every event that is old enough stands in a chain.
async fn nothing_left_out(broker: &Broker, project: &Project) -> Result<bool, Error> {
    let Some(to) = audit_chains::sealed_to(&mut &broker.db, project.id).await? else {
        let was_sealed = audit_chains::any_link(&mut &broker.db, project.id).await?;
        say!("{}", if was_sealed { "how far sealing had come is gone" } else { "nothing is sealed yet" });
        return Ok(!was_sealed);
    };
    let begin = Moment::from_millis(i64::MIN);
    let left = audit_chains::left_out(&mut &broker.db, project.id, begin, &to, PAGE).await?;
    for event in &left {
        say!("{} of {} stands in no chain", event.id, event.at.rfc3339());
    }
    Ok(left.is_empty())
}
