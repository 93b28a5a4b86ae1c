//! What is in the house: keys, domains, applications.

use super::{Findings, connections, logos};
use crate::broker::Broker;
use crate::cli::domain::quoted;
use crate::egress::dns::TxtAnswer;
use crate::egress::http::EgressError;
use crate::keys::keyring::ALGORITHMS;
use crate::login::client_keys::{self, Published};
use crate::model::application::Application;
use crate::model::connection::Connection;
use crate::model::domain::{Domain, DomainState};
use crate::model::project::Project;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::request_object;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{
    applications, connections as rows, domains, organizations, projects, signing_keys,
};

/// Connections of one page.
const PAGE: u32 = 200;

pub async fn check(broker: &Broker, findings: &mut Findings) -> Result<(), StoreError> {
    for project in projects::all(&mut &broker.db).await? {
        findings
            .fine(&format!("project {}", project.slug), format!("its issuer is {}", broker.issuer(&project)));
        keys(broker, &project, findings).await?;
        logos::check(broker, &project, findings).await?;
        for domain in domains::of_project(&mut &broker.db, project.id).await? {
            proof(broker, &domain, findings).await?;
        }
        let mut after = String::new();
        loop {
            let some = rows::page_of_all(&mut &broker.db, project.id, &after, PAGE).await?;
            let Some((last, _)) = some.last() else { break };
            after = last.id.to_string();
            for (connection, _) in &some {
                connections::check(broker, &project, connection, findings).await?;
            }
        }
        for application in applications::of_project(&mut &broker.db, project.id).await? {
            downstream(broker, &application, findings).await?;
        }
    }
    Ok(())
}

async fn keys(broker: &Broker, project: &Project, findings: &mut Findings) -> Result<(), StoreError> {
    let what = format!("signing keys of {}", project.slug);
    let now = broker.now();
    let records = signing_keys::published(&mut &broker.db, project.id, now).await?;
    let missing = ALGORITHMS.iter().any(|algorithm| !records.iter().any(|key| key.algorithm == *algorithm));
    if missing {
        // Asking the keyring would make them.
        findings.fine(&what, "not all made yet; the first use makes them");
        return Ok(());
    }
    let idle = |algorithm: &&_| !records.iter().any(|key| key.algorithm == **algorithm && key.signs_at(now));
    if let Some(algorithm) = ALGORITHMS.iter().find(idle) {
        let how = format!("no {} key signs now: run `behalf key rotate --now`", algorithm.name());
        findings.wrong(&what, how);
    }
    let opened = broker.keyring.of(project.id).await;
    findings.judge(&what, opened, |keys| format!("{} published", keys.public().keys().len()));
    Ok(())
}

/// What DNS says of a claim; nothing is kept of the answer.
async fn proof(broker: &Broker, domain: &Domain, findings: &mut Findings) -> Result<(), StoreError> {
    let what = format!("domain {}", domain.name);
    let answer = broker.dns.txt(&domain.txt_name()).await;
    let expected = format!("{}. TXT \"{}\"", domain.txt_name(), domain.txt_value());
    let state = domain.state;
    match (state, answer) {
        (DomainState::Removed, _) => return Ok(()),
        (DomainState::Lapsed, _) => {
            findings.wrong(&what, "lapsed: apply its house file again, and publish the new record it tells");
        }
        (_, Err(error)) => findings.wrong(&what, format!("{state}; its record cannot be looked up: {error}")),
        (_, Ok(TxtAnswer::Records(found))) if found.contains(&domain.txt_value()) => match state {
            DomainState::Verified => findings.fine(&what, "verified, and its record is there"),
            _ => findings.fine(
                &what,
                format!("its record is there: `behalf domain confirm {}` verifies it", domain.name),
            ),
        },
        (_, Ok(TxtAnswer::Records(found))) => {
            findings.wrong(&what, format!("{state}; publish {expected} (found: {})", quoted(&found)));
        }
        (_, Ok(TxtAnswer::Absent)) => {
            findings.wrong(&what, format!("{state}; publish {expected} (found: nothing)"));
        }
    }
    if domain.routing_since.is_some() {
        routing(broker, domain, findings).await?;
    }
    Ok(())
}

/// A domain that is routed leads to an active connection.
async fn routing(broker: &Broker, domain: &Domain, findings: &mut Findings) -> Result<(), StoreError> {
    let what = format!("routing of {}", domain.name);
    let mut active = Vec::new();
    for id in domains::connections_of(&mut &broker.db, domain.id).await? {
        let found = rows::by_id(&mut &broker.db, domain.project_id, id).await?;
        active.extend(found.filter(Connection::is_active).map(|connection| connection.slug));
    }
    let owner = organizations::by_id(&mut &broker.db, domain.project_id, domain.organization_id).await?;
    if !owner.is_some_and(|owner| owner.is_active()) {
        findings.wrong(&what, "its organization is not active: nobody is routed");
    } else if active.is_empty() {
        findings.wrong(&what, "no active connection: give the domain one, or nobody can sign in by it");
    } else if domain.state == DomainState::Verified {
        findings.fine(&what, format!("to {}", active.join(", ")));
    }
    // What is not proved routes nobody, which was told.
    Ok(())
}

async fn downstream(
    broker: &Broker,
    application: &Application,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let what = format!("application {}", application.client_id);
    if application.disabled_at.is_some() {
        findings.fine(&what, "disabled");
        return Ok(());
    }
    if application.stopped_at.is_some() {
        findings.wrong(&what, "out of service: its organization is not active, or is no app_publisher");
        return Ok(());
    }
    let settings = &application.settings;
    let needs_secret = matches!(settings.authentication, Method::SecretBasic | Method::SecretPost);
    let secrets = applications::secrets(&mut &broker.db, application.id).await?;
    let unlisted = settings.organizations_limited
        && applications::listed(&mut &broker.db, application.id).await?.is_empty();
    let shows_certificate = settings.authentication.is_by_certificate();
    let problems = [
        (
            shows_certificate && !broker.config.client_certificates.are_shown(),
            "it is known by a certificate, and nobody can show one: set client_certificates.proxies or at_handshake",
        ),
        (
            settings.authentication == Method::TlsClientAuth && broker.client_authorities.is_empty(),
            "an authority has to vouch for its certificate, and there is none: set client_certificates.authorities",
        ),
        (
            settings.kind.signs_people_in() && settings.redirect_uris.is_empty(),
            "it has no redirect_uris: nobody can come back to it",
        ),
        (
            !settings.domain_based && settings.connections.is_empty(),
            "no connection leads to it: set domain_based or connections",
        ),
        (needs_secret && secrets.is_empty(), "it has no client secret: give it one in its house file"),
        (unlisted, "no organization may use it: name some in organizations, or leave that out"),
    ];
    let shut = asked(broker, &what, application, findings).await;
    let broken: Vec<_> = problems.into_iter().filter(|(is_so, _)| *is_so).map(|(_, text)| text).collect();
    if broken.is_empty() && !shut {
        findings.fine(&what, format!("{} redirect URIs", settings.redirect_uris.len()));
    }
    broken.into_iter().for_each(|text| findings.wrong(&what, text));
    published_keys(broker, application, &what, findings).await;
    Ok(())
}

/// Whether one of its addresses can never be asked. What is behind them is not looked at: it is told of sign-outs alone.
async fn asked(broker: &Broker, what: &str, application: &Application, findings: &mut Findings) -> bool {
    let mut shut = false;
    // Its keys are read below.
    for (name, url) in application.settings.asked().into_iter().filter(|(name, _)| name != "jwks_uri") {
        match broker.http.may_ask(url).await {
            Ok(()) => {}
            Err(why @ EgressError::Forbidden(_)) => {
                shut = true;
                findings.wrong(what, format!("its {name} {url} is never asked: {}", why.explained()));
            }
            Err(why) => findings.warn(what, format!("its {name} {url}: {}", why.explained())),
        }
    }
    shut
}

/// What an application publishes to prove itself and its requests by.
async fn published_keys(broker: &Broker, application: &Application, what: &str, findings: &mut Findings) {
    let Some(found) = client_keys::published(broker, application).await else { return };
    let by_certificate = application.settings.authentication == Method::SelfSignedTlsClientAuth;
    let found = found.and_then(|Published { address, keys, has_certificate }| {
        if by_certificate {
            return match has_certificate {
                true => Ok(format!("{address} has a certificate")),
                false => Err(format!("{address} has no certificate (x5c): it cannot prove who it is")),
            };
        }
        let usable = keys
            .keys()
            .iter()
            .filter(|key| request_object::ALGORITHMS.iter().any(|algorithm| key.serves(*algorithm)));
        match usable.count() {
            0 => Err(format!(
                "{address} has no key for RS256, PS256, ES256 or EdDSA: it cannot prove who it is"
            )),
            count => Ok(format!("{count} usable keys at {address}")),
        }
    });
    findings.judge(what, found, Clone::clone);
}
