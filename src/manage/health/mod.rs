//! How an organization is kept (S1-A1 to S1-A8): what somebody should see to, in words that say what to do, and how
//! sign-ins through a connection end.

pub mod api;
mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use super::refused::Refused;
use crate::foundation::clock::Moment;
use crate::join::auto::{Halt, halted, may_be_given};
use crate::model::connection::{Connection, Ending, Jit, OFFERED, RENEW};
use crate::model::domain::{Domain, DomainState};
use crate::model::organization::{Enforcement, Organization};
use crate::model::project::Project;
use crate::model::readiness::{FAILING, Facts, NO_BREAK_GLASS};
use crate::model::role::{ADMIN, OWNER};
use crate::model::words;
use crate::store::durable::engine::{Read, StoreError};
use crate::store::durable::{
    connection_runs, connections, domains, memberships, metadata_reads, readiness, roles, saml_keys,
};

/// What such an organization calls itself where one person is all there is (S3-07).
const PERSONAL: &str = "personal";
const HOUR: Duration = Duration::from_secs(3_600);
/// Of so many sign-ins of two hours that one in five fails is worth a look.
const FEW: i64 = 5;
/// How long it is told that groups were left out.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);
/// After so many tries in a row it is told that metadata cannot be read.
const UNREADABLE: i64 = 3;
/// So much is told of providers at once.
const MOST_TOLD: usize = 10;
/// Claims of one organization are few.
const MOST: u32 = 1_000;

words! {
    Status {
        Ok = "ok",
        Warn = "warn",
        Fail = "fail",
        /// Nobody can say yet.
        NotAvailable = "not_available",
    }
}

/// One thing that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub id: &'static str,
    /// In the list of requirements.
    pub row: &'static str,
    pub status: Status,
    /// What to do, or that there is nothing to do.
    pub advice: String,
    /// Since when it is so, where that is known.
    pub since: Option<Moment>,
}

impl Check {
    fn new(id: &'static str, row: &'static str, status: Status, advice: impl Into<String>) -> Self {
        Self { id, row, status, advice: advice.into(), since: None }
    }
}

/// What is known of an organization.
struct Known<'a> {
    organization: &'a Organization,
    facts: Facts,
    /// Active owners and administrators, as far as two.
    administrators: usize,
    domains: Vec<Domain>,
    /// What the organization's further roles mean.
    custom: BTreeMap<String, Vec<String>>,
    to_review: Vec<(String, Moment)>,
    /// A connection, with a role that it is to give to newcomers and does not.
    ungiven: Option<(String, String)>,
    /// What ends of what is known of providers, or is not read or confirmed, and what to do.
    worries: Vec<String>,
    /// A connection whose sign-ins leave groups out, and since when.
    groups_missing: Option<(String, Moment)>,
    failing_since: Option<Moment>,
    /// Sign-ins of this hour and the last that ended well, and those that did not.
    ended: (i64, i64),
}

/// Every check, in the order of the requirements. As many statements whatever the organization has.
pub async fn checks(
    db: &mut impl Read,
    project: &Project,
    organization: &Organization,
    now: Moment,
) -> Result<Vec<Check>, Refused> {
    let known = known(db, project, organization, now).await?;
    Ok(vec![
        administrators(&known),
        second_factor(&known),
        of_domains(&known),
        break_glass(&known),
        Check::new("audit", "S1-A5", Status::Ok, "Roles and ownership are recorded with every change."),
        Check::new(
            "deprovisioning_test",
            "S1-A6",
            Status::NotAvailable,
            "No directory can be connected yet, so nothing can be tried.",
        ),
        review(&known),
        sign_ins(&known),
    ])
}

async fn known<'a>(
    db: &mut impl Read,
    project: &Project,
    organization: &'a Organization,
    now: Moment,
) -> Result<Known<'a>, StoreError> {
    let (id, switches) = (organization.id, &project.settings.switches);
    let runs = connection_runs::of_organization(db, id).await?;
    let failing = runs.iter().filter(|(_, run)| run.failures >= FAILING);
    let own = connections::of_organization(db, id).await?;
    let groups_missing = runs.iter().find_map(|(id, run)| {
        let at = run.groups_missing_at.filter(|at| now.since(*at) < REMEMBERED)?;
        let connection = own.iter().find(|own| own.id == *id && own.is_active())?;
        Some((connection.slug.clone(), at))
    });
    let custom = roles::permissions(db, project.id, id).await?;
    let unreadable = metadata_reads::failing(db, id, (UNREADABLE, MOST_TOLD + 1)).await?;
    let keys = saml_keys::kept(db, project.id, now).await?;
    let ending: Vec<_> = keys.iter().filter_map(|key| Ending::of_key(key, now)).collect();
    let worries = own.iter().flat_map(|found| worries(found, &ending, now));
    Ok(Known {
        organization,
        facts: readiness::facts(db, id, &organization.policy, switches, now).await?,
        administrators: memberships::active_administrators(db, id, 2).await?,
        domains: domains::page(db, id, None, MOST).await?,
        ungiven: own.iter().find_map(|found| ungiven(found, &custom)),
        custom,
        to_review: connections::to_review(db, id).await?,
        worries: unreadable.into_iter().map(of_unreadable).chain(worries).collect(),
        groups_missing,
        failing_since: failing.filter_map(|(_, run)| run.failing_since).min(),
        ended: connection_runs::totals(db, id, now.minus(HOUR)).await?,
    })
}

/// What somebody should see to before people notice; also where a certificate of the project's ends.
fn worries(connection: &Connection, ending: &[Ending], now: Moment) -> Vec<String> {
    let Some(saml) = connection.saml().filter(|_| connection.is_active()) else { return Vec::new() };
    let (saml, slug) = (saml.saml, &connection.slug);
    let ends = saml.running_out(now).map(|until| {
        let until = until.rfc3339();
        format!("The metadata of the provider of {slug} is valid until {until} only: {RENEW}.")
    });
    let offered = saml.metadata.as_ref().and_then(|metadata| metadata.offer.as_ref()).map(|why| {
        format!("The metadata of the provider of {slug} offers what nobody has confirmed: {why}; {OFFERED}.")
    });
    let theirs =
        saml.idp.worries(now).into_iter().map(|(_, worry)| {
            format!("A certificate of the provider of {slug} {worry}: {}.", worry.advice())
        });
    let ours = saml.own.worries(now).into_iter().map(|(_, worry)| {
        format!(
            "A certificate of ours that was brought for {slug} {worry}: bring its successor, and show it to the provider."
        )
    });
    let shown = ending.iter().filter(|ending| saml.shows_the_projects(ending.what)).map(|ending| {
        let until = ending.at.rfc3339();
        format!(
            "A certificate of this service that the provider of {slug} is shown is valid until {until} only: once its successor \
             is in our metadata, have the provider read that again."
        )
    });
    ends.into_iter().chain(offered).chain(theirs).chain(ours).chain(shown).collect()
}

/// Nobody is shut out by it yet, and no change of the provider's reaches us.
fn of_unreadable((slug, since, why): (String, Moment, Option<String>)) -> String {
    let (since, why) = (since.rfc3339(), why.unwrap_or_default());
    format!(
        "The metadata of the provider of {slug} could not be read since {since} ({why}): ask where it is now, or give it as a document."
    )
}

/// What newcomers do not get, because it has come to administer something, or is no more.
fn ungiven(connection: &Connection, custom: &BTreeMap<String, Vec<String>>) -> Option<(String, String)> {
    let settings = &connection.settings;
    let lets_in = connection.is_active() && settings.jit == Jit::CreateAndJoin;
    let mut roles = settings.default_roles.iter().filter(|_| lets_in);
    let role = roles.find(|role| !may_be_given(role, custom))?;
    Some((connection.slug.clone(), role.clone()))
}

fn administrators(known: &Known<'_>) -> Check {
    let is_personal = known.organization.kind.as_deref() == Some(PERSONAL);
    let (status, advice) = match known.administrators {
        2.. => (Status::Ok, "At least two people administer the organization."),
        _ if is_personal => (Status::Ok, "It is one person's own organization."),
        1 => (Status::Warn, "Give a second trusted person the role owner or admin: one can fall ill."),
        0 => (Status::Fail, "Nobody administers the organization: ask the operator for an owner."),
    };
    Check::new("two_administrators", "S1-A1", status, advice)
}

fn second_factor(known: &Known<'_>) -> Check {
    let policy = &known.organization.policy;
    let wanted = [OWNER, ADMIN].iter().all(|role| policy.wants_mfa_of(&[(*role).to_owned()]));
    let (status, advice) = match wanted {
        true => (Status::Ok, "Owners and administrators need a second factor."),
        false => (Status::Warn, "Set mfa_required_for to owner and admin in the policy."),
    };
    Check::new("administrators_mfa", "S1-A2", status, advice)
}

fn of_domains(known: &Known<'_>) -> Check {
    let make = |status, advice: String| Check::new("domains_verified", "S1-A3", status, advice);
    let enforced = known.organization.policy.enforcement == Enforcement::Required;
    if enforced && !known.facts.domain {
        let advice = "Members must come through the organization's own connection, and no verified domain leads there.";
        return make(Status::Fail, advice.into());
    }
    if let Some(lapsed) = known.domains.iter().find(|domain| domain.state == DomainState::Lapsed) {
        let advice = format!("Verify {} again, or give it up: its proof is gone.", lapsed.name);
        return Check { since: lapsed.lapsed_at, ..make(Status::Warn, advice) };
    }
    let renews = |domain: &&Domain| domain.next_challenge.is_some() || domain.misses > 0;
    if let Some(domain) = known.domains.iter().find(renews) {
        let advice = format!("Publish the proof of {} that is asked for now, before it lapses.", domain.name);
        return make(Status::Warn, advice);
    }
    let mut halts = known.domains.iter().filter_map(|domain| Some((domain, halted(domain, &known.custom)?)));
    // What is not proved yet is waited for.
    if let Some((domain, halt)) = halts.find(|(_, halt)| *halt != Halt::NotVerified) {
        let advice = format!("Nobody joins by {}: {}", domain.name, unhalted(domain, halt));
        return Check { since: domain.auto_join.paused_at, ..make(Status::Warn, advice) };
    }
    if let Some((slug, role)) = &known.ungiven {
        let advice = format!(
            "Newcomers by {slug} do not get the role {role}: it is no more, or has come to administer something. Name \
             another one."
        );
        return make(Status::Warn, advice);
    }
    make(Status::Ok, "Only verified domains lead anywhere or let anybody join.".into())
}

/// What is in the way of those who would join, and what to do about it.
fn unhalted(domain: &Domain, halt: Halt) -> String {
    match halt {
        Halt::NotVerified => "its proof is not there. Publish it.".into(),
        Halt::NotRouted => "it leads to no connection. Turn on use_for_routing.".into(),
        Halt::NotTrusted => "the addresses of its provider count for nothing. Turn on trust_email.".into(),
        Halt::RoleNotAllowed => match &domain.auto_join.role {
            Some(role) => {
                format!("the role {role} is no more, or has come to administer something. Name another one.")
            }
            None => "no role is named that they would have. Name one.".into(),
        },
        Halt::Paused => "too many came in an hour. Look who has joined, and turn it on again.".into(),
    }
}

fn break_glass(known: &Known<'_>) -> Check {
    let enforced = known.organization.policy.enforcement == Enforcement::Required;
    let (status, advice) = match (known.facts.break_glass, enforced) {
        (true, _) => {
            let advice = "Somebody has shown within 90 days that they get in without the provider.";
            (Status::Ok, advice.to_owned())
        }
        // Whoever enforces is to know it (S1-A4).
        (false, true) => {
            (Status::Fail, format!("While the provider is down nobody gets in, and {NO_BREAK_GLASS}."))
        }
        (false, false) => (Status::NotAvailable, format!("As it is, {NO_BREAK_GLASS}.")),
    };
    Check::new("break_glass", "S1-A4", status, advice)
}

fn review(known: &Known<'_>) -> Check {
    let changed = known.to_review.first().map(|(slug, _)| {
        let others = known.to_review.len() - 1;
        let more = if others == 0 { String::new() } else { format!(" and {others} more") };
        format!(
            "The provider of {slug}{more} has changed what it says of itself: see the audit trail, try a sign-in, and say \
             that you have looked."
        )
    });
    let mut told: Vec<_> = changed.into_iter().chain(known.worries.iter().cloned()).collect();
    let more = told.len().saturating_sub(MOST_TOLD);
    told.truncate(MOST_TOLD);
    if more > 0 {
        told.push(format!("And {more} more: see the warnings of each connection."));
    }
    let make = |status, advice: String| Check::new("upstream_review", "S1-A7", status, advice);
    if told.is_empty() {
        let advice = "No provider has changed what it says of itself since you last looked.";
        return make(Status::Ok, advice.into());
    }
    let since = known.to_review.first().map(|(_, since)| *since);
    Check { since, ..make(Status::Warn, told.join(" ")) }
}

fn sign_ins(known: &Known<'_>) -> Check {
    let make = |status, advice: String| Check::new("sign_in_failures", "S1-A8", status, advice);
    let (well, badly) = known.ended;
    if known.facts.failing {
        let advice =
            "People cannot sign in by a connection: look at its failures, and mend it or go back a version.";
        return Check { since: known.failing_since, ..make(Status::Fail, advice.into()) };
    }
    if badly >= FEW && badly.saturating_mul(5) > well.saturating_add(badly) {
        let advice = format!("{badly} of the last {} sign-ins failed: look at the failures.", well + badly);
        return make(Status::Warn, advice);
    }
    if let Some((slug, at)) = &known.groups_missing {
        let advice = format!(
            "People came by {slug} without groups that they may have, and without the roles that rules give by those: see \
             left_out of the sign-ins. Have the provider send fewer groups, such as those alone that are assigned to this \
             application."
        );
        return Check { since: Some(*at), ..make(Status::Warn, advice) };
    }
    make(Status::Ok, "Sign-ins go well.".into())
}

/// The worst of them.
pub fn overall(checks: &[Check]) -> Status {
    let is = |status| checks.iter().any(|check| check.status == status);
    match (is(Status::Fail), is(Status::Warn)) {
        (true, _) => Status::Fail,
        (false, true) => Status::Warn,
        (false, false) => Status::Ok,
    }
}
