//! `behalf domain`

use std::process::ExitCode;

use clap::Subcommand;

use super::{Error, looking, quiet_broker};
use crate::broker::Broker;
use crate::broker::domain_look::{Asked, Published, Verdict, confirm};
use crate::config::Config;
use crate::foundation::domain_name::DomainName;
use crate::model::audit_event::Actor;
use crate::model::domain::{Domain, DomainState, Method};
use crate::model::project::{DEFAULT_SLUG, Project};
use crate::store::durable::{domains, organizations, projects};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists every claim on a domain: its state, its switches and, while it is pending, its TXT record.
    List,
    /// Asks DNS about a claim now, and keeps what it says; fails unless the domain is verified then.
    Confirm {
        /// The domain, such as my-corp.test.
        name: DomainName,
        /// The organization whose claim is meant, where several have one.
        #[arg(long, value_name = "SLUG")]
        organization: Option<String>,
        /// The project that is meant.
        #[arg(long, value_name = "SLUG", default_value = DEFAULT_SLUG)]
        project: String,
    },
}

pub async fn run(config: Config, command: Command) -> Result<ExitCode, Error> {
    let (broker, _scratch) = match &command {
        Command::List => looking::broker(config).await?,
        _ => (quiet_broker(config).await?, None),
    };
    match command {
        Command::List => list(&broker).await,
        Command::Confirm { name, organization, project } => {
            let project = super::project(&broker, &project).await?;
            ask(&broker, &project, &name, organization.as_deref()).await
        }
    }
}

async fn list(broker: &Broker) -> Result<ExitCode, Error> {
    let mut any = false;
    for project in projects::all(&mut &broker.db).await? {
        for domain in domains::of_project(&mut &broker.db, project.id).await? {
            any = true;
            let owner = organizations::by_id(&mut &broker.db, project.id, domain.organization_id).await?;
            let owner = owner.map_or_else(String::new, |owner| owner.slug);
            say!("{}  {}/{owner}  {}{}", domain.name, project.slug, domain.state, switches(&domain));
            if domain.state == DomainState::Pending || domain.next_challenge.is_some() {
                say!("  waits for {}", wanted(&domain));
            }
        }
    }
    if !any {
        say!("No domain is claimed.");
    }
    Ok(ExitCode::SUCCESS)
}

fn switches(domain: &Domain) -> String {
    let switches = [
        (domain.routing_since, "routing"),
        (domain.trust_since, "email trust"),
        (domain.auto_join_since, "auto-join"),
    ];
    let on: Vec<_> = switches.into_iter().filter_map(|(since, name)| since.map(|_| name)).collect();
    if on.is_empty() { String::new() } else { format!("  ({})", on.join(", ")) }
}

async fn ask(
    broker: &Broker,
    project: &Project,
    name: &DomainName,
    organization: Option<&str>,
) -> Result<ExitCode, Error> {
    let domain = claim(broker, project, name, organization).await?;
    say!("expected: {}", wanted(&domain));
    let holder = domains::held(&mut &broker.db, project.id, name).await?;
    let by = Asked { actor: Actor::Operator, by: None, request: None, by_somebody: true };
    let looked = confirm(broker, domain, by).await?;
    let after = &looked.domain;
    say!("found:    {}", seen(&looked.sight.published, looked.verdict));
    say!("{name} is {}", after.state);
    if after.state == DomainState::Verified {
        return Ok(ExitCode::SUCCESS);
    }
    if holder.is_some_and(|holder| holder.id != after.id) {
        say!("Another organization holds it verified; while it does, this claim cannot be.");
    } else if after.is_over(broker.now()) {
        say!("Its old record proves nothing any more: apply its house file again for a new one.");
    }
    Ok(ExitCode::FAILURE)
}

/// What is to be published, and where.
fn wanted(domain: &Domain) -> String {
    match domain.method {
        Method::DnsTxt => format!("{}. TXT \"{}\"", domain.txt_name(), domain.txt_value()),
        Method::HttpFile => format!("{} \"{}\"", domain.file_url(), domain.txt_value()),
    }
}

fn seen(published: &Published, verdict: Verdict) -> String {
    match (published, verdict) {
        (_, Verdict::Taken) => "the same, but another organization holds this domain".into(),
        (_, Verdict::Proof) => "the same".into(),
        (Published::Unknown(error), _) => format!("nothing is known: {error}"),
        (Published::Texts(texts), _) if texts.is_empty() => "no such record".into(),
        (Published::Texts(texts), _) => quoted(texts),
    }
}

async fn claim(
    broker: &Broker,
    project: &Project,
    name: &DomainName,
    organization: Option<&str>,
) -> Result<Domain, Error> {
    let mut claims = domains::claims(&mut &broker.db, project.id, name).await?;
    if let Some(slug) = organization {
        let found = organizations::named(&mut &broker.db, project.id, slug).await?;
        let found = found.ok_or_else(|| format!("there is no organization {slug}"))?;
        claims.retain(|claim| claim.organization_id == found.id);
    }
    if claims.len() > 1 {
        return Err(format!("several organizations claim {name}: say which with --organization").into());
    }
    Ok(claims.pop().ok_or_else(|| format!("nobody claims {name}"))?)
}

/// What strangers published, on one line and in quotes.
pub(super) fn quoted(records: &[String]) -> String {
    let quoted: Vec<_> = records.iter().map(|record| format!("{record:?}")).collect();
    quoted.join(", ")
}
