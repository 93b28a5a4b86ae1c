//! Looks for the proof of a claim on a domain, for whoever wants to know: a request, the command line, or nobody but the
//! calendar. The network is asked first; what it said is judged in the transaction that keeps it, against the claim as it
//! is by then (threats C15, C16).

mod judge;

use http::StatusCode;
use url::Url;

pub use judge::Verdict;

use super::Broker;
use crate::audit::{By, Keep};
use crate::egress::dns::{DnsError, TxtAnswer};
use crate::egress::http::{Http, Request};
use crate::foundation::clock::Moment;
use crate::foundation::id::RequestId;
use crate::foundation::public_suffix;
use crate::join::notices;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::domain::{Domain, DomainState, Method};
use crate::model::mail::Kind;
use crate::model::project::Project;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{domains, projects};

/// The longest answer that is read, in bytes: a page that says that there is no such file is longer than one.
const ANSWER: usize = 262_144;

/// What the network says of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    pub published: Published,
    /// Of what was registered; nothing where they are not known.
    pub nameservers: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// These texts; none where there are none, said with authority.
    Texts(Vec<String>),
    /// Nobody can say: nothing changes.
    Unknown(LookError),
}

/// Why nobody can say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    #[error("{0}")]
    Dns(#[from] DnsError),
    /// In the words for anybody, who must not learn what our network is like (threats C27).
    #[error("{0}")]
    Unreachable(&'static str),
    #[error("the web server answered with status {0}")]
    Status(u16),
}

/// A look, and what came of it.
#[derive(Clone, Debug)]
pub struct Looked {
    pub domain: Domain,
    pub sight: Sight,
    pub verdict: Verdict,
}

/// Asks the network, now.
pub async fn look(broker: &Broker, domain: &Domain) -> Sight {
    let published = match domain.method {
        Method::DnsTxt => by_record(broker, domain).await,
        Method::HttpFile => match Url::parse(&domain.file_url()) {
            Ok(url) => by_file(&broker.http, url).await,
            Err(_) => Published::Unknown(LookError::Dns(DnsError::BadName)),
        },
    };
    // Only for what is held does it matter who runs its DNS.
    let is_moot = domain.state != DomainState::Verified && !proves(domain, &published);
    let nameservers = if is_moot { None } else { nameservers(broker, domain).await };
    Sight { published, nameservers }
}

/// Whether what is wanted is there.
pub fn proves(domain: &Domain, published: &Published) -> bool {
    matches!(published, Published::Texts(texts) if texts.contains(&domain.txt_value()))
}

async fn by_record(broker: &Broker, domain: &Domain) -> Published {
    match broker.dns.txt(&domain.txt_name()).await {
        Ok(TxtAnswer::Records(records)) => Published::Texts(records),
        Ok(TxtAnswer::Absent) => Published::Texts(Vec::new()),
        Err(error) => Published::Unknown(error.into()),
    }
}

/// The one line of a file. A redirect is followed nowhere, and proves nothing; only "there is none" and another text are
/// said with authority.
pub async fn by_file(http: &Http, url: Url) -> Published {
    let answer = match http.send(Request::get(url).limit(ANSWER)).await {
        Ok(answer) => answer,
        Err(error) => return Published::Unknown(LookError::Unreachable(error.public())),
    };
    match StatusCode::from_u16(answer.status) {
        Ok(StatusCode::OK) => Published::Texts(vec![
            String::from_utf8_lossy(&answer.body).trim_end_matches(['\r', '\n']).to_owned(),
        ]),
        Ok(StatusCode::NOT_FOUND | StatusCode::GONE) => Published::Texts(Vec::new()),
        _ => Published::Unknown(LookError::Status(answer.status)),
    }
}

async fn nameservers(broker: &Broker, domain: &Domain) -> Option<Vec<String>> {
    let found = broker.dns.nameservers(public_suffix::registrable(&domain.name)).await;
    found.ok().filter(|servers| !servers.is_empty())
}

/// Looks because its turn has come, and keeps what came of it.
pub async fn take_turn(broker: &Broker, domain: Domain) -> Result<Looked, StoreError> {
    confirm(broker, domain, Asked { actor: Actor::House, by: None, request: None, by_somebody: false }).await
}

/// Who asked for a look.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub actor: Actor,
    pub by: Option<By>,
    pub request: Option<RequestId>,
    /// And not the calendar.
    pub by_somebody: bool,
}

/// Looks, and keeps what came of it.
pub async fn confirm(broker: &Broker, domain: Domain, by: Asked) -> Result<Looked, StoreError> {
    let sight = look(broker, &domain).await;
    let Some(project) = projects::by_id(&mut &broker.db, domain.project_id).await? else {
        return Ok(Looked { domain, sight, verdict: Verdict::Moot });
    };
    keep(broker, project, domain, sight, by).await
}

/// Keeps what a look found.
pub async fn keep(
    broker: &Broker,
    project: Project,
    domain: Domain,
    sight: Sight,
    by: Asked,
) -> Result<Looked, StoreError> {
    let keep = Keep {
        random: broker.random.clone(),
        project,
        actor: by.actor,
        by: by.by,
        request: by.request,
        now: broker.now(),
    };
    let (again, asked, seen) = (keep.clone(), domain.clone(), sight.clone());
    let kept = broker.db.write(async move |tx| settle(tx, &keep, &asked, &seen, by.by_somebody).await).await;
    match kept {
        // Only the verified claims of a domain are one in the whole project.
        Err(StoreError::Unique { .. }) => {
            let domain = broker.db.write(async move |tx| contested(tx, &again, &domain).await).await?;
            Ok(Looked { domain, sight, verdict: Verdict::Taken })
        }
        kept => kept.map(|(domain, verdict)| Looked { domain, sight, verdict }),
    }
}

/// Judges what was seen of a claim as it was `asked` about, and keeps it with the events that tell of it. A claim that
/// has been given another challenge meanwhile is left as it is.
///
/// # Errors
/// [`StoreError::Unique`] where the claim would be verified, and another organization's is.
pub async fn settle(
    tx: &mut Tx<'_>,
    keep: &Keep,
    asked: &Domain,
    sight: &Sight,
    by_somebody: bool,
) -> Result<(Domain, Verdict), StoreError> {
    tx.lock(Lock::Exclusive, "domains", &asked.id.to_string()).await?;
    let Some(present) = domains::by_id(tx, asked.id).await? else {
        return Ok((asked.clone(), Verdict::Moot));
    };
    let is_same = present.state == asked.state
        && present.method == asked.method
        && present.challenge == asked.challenge
        && present.next_challenge == asked.next_challenge;
    if !is_same {
        return Ok((present, Verdict::Moot));
    }
    let fresh = || keep.random.token().expose().to_owned();
    let judged = judge::judge(&present, sight, by_somebody, keep.now, fresh);
    domains::update(tx, &judged.domain).await?;
    if judged.domain.state == DomainState::Verified && present.state != DomainState::Verified {
        succeed(tx, keep, &judged.domain).await?;
    }
    for action in &judged.events {
        let event = keep.event(action, present.organization_id).subject(present.id);
        keep.record(tx, &event.with("domain", present.name.as_str())).await?;
        if let Some(kind) = notice(action) {
            notices::owners(tx, keep, present.organization_id, kind, present.name.as_str()).await?;
        }
    }
    if judged.domain.state != present.state {
        tracing::info!(domain = %present.name, state = %judged.domain.state, "a domain changed");
    }
    Ok((judged.domain, judged.verdict))
}

/// Whoever proves a domain ends what those who lost it had switched on for it: proved anew by them later, it is used for
/// nothing until somebody says so (threats C16).
async fn succeed(tx: &mut Tx<'_>, keep: &Keep, holder: &Domain) -> Result<(), StoreError> {
    for claim in domains::claims(tx, holder.project_id, &holder.name).await? {
        let is_used = claim.routing_since.or(claim.trust_since).or(claim.auto_join_since).is_some();
        if claim.id == holder.id || !is_used {
            continue;
        }
        let off = Domain { routing_since: None, trust_since: None, auto_join_since: None, ..claim };
        domains::update(tx, &Domain { updated_at: keep.now, ..off.clone() }).await?;
        let event = keep.event("organization.domain.succeeded", off.organization_id).subject(off.id);
        keep.record(tx, &event.with("domain", off.name.as_str())).await?;
    }
    Ok(())
}

/// Somebody has proved a domain that another organization holds: that takes nothing from anybody, and both are told of
/// it, without the other's name, once for each challenge (demands 4.10).
pub async fn contested(tx: &mut Tx<'_>, keep: &Keep, asked: &Domain) -> Result<Domain, StoreError> {
    tx.lock(Lock::Exclusive, "domains", &asked.id.to_string()).await?;
    let Some(present) = domains::by_id(tx, asked.id).await? else { return Ok(asked.clone()) };
    let holder = domains::held(tx, present.project_id, &present.name).await?;
    let Some(holder) = holder.filter(|holder| holder.id != present.id) else { return Ok(present) };
    if present.challenge != asked.challenge || present.state != DomainState::Pending {
        return Ok(present);
    }
    let (contested, is_news) = judge::contested(&present, keep.now);
    domains::update(tx, &contested).await?;
    if is_news {
        for claim in [&contested, &holder] {
            keep.record(tx, &told_of_contest(keep, claim)).await?;
            let (owner, name) = (claim.organization_id, claim.name.as_str());
            notices::owners(tx, keep, owner, Kind::DomainContested, name).await?;
        }
    }
    Ok(contested)
}

/// What the owners are told by mail: what they must do something about, or it gets worse.
fn notice(action: &str) -> Option<Kind> {
    match action {
        "organization.domain.missed" => Some(Kind::DomainMissed),
        "organization.domain.lost" => Some(Kind::DomainLost),
        "organization.domain.renewal_due" => Some(Kind::DomainChallenge),
        "organization.domain.unreachable" => Some(Kind::DomainUnreachable),
        _ => None,
    }
}

/// The holder is not told who it was, by whichever name.
fn told_of_contest(keep: &Keep, claim: &Domain) -> AuditEvent {
    AuditEvent::new(keep.project.id, "organization.domain.contested", Outcome::Changed)
        .organization(Some(claim.organization_id))
        .actor(Actor::House)
        .subject(claim.id)
        .with("domain", claim.name.as_str())
        .with("holds", claim.state == DomainState::Verified)
}

/// A moment that does not come: nobody looks any more.
pub const NEVER: Moment = Moment::from_seconds(253_402_300_799);
