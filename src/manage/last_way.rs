//! The last way in: by what those who own an organization come in. No write takes the last of it, whatever it is about, for
//! nobody of theirs would be there to take it back (S1-T2, demands 3.9); the operator may, who would.

use schemars::JsonSchema;
use serde::Deserialize;

use super::authority::Standing;
use super::desk::{Change, Desk};
use super::refused::{Code, Refused};
use crate::foundation::id::{ConnectionId, IdentityId, OrganizationId};
use crate::foundation::shared::Shared;
use crate::model::api_key::OperatorRole;
use crate::model::domain::DomainState;
use crate::model::organization::Organization;
use crate::model::project::{Organizations, ProjectSettings};
use crate::store::durable::engine::Lock;
use crate::store::durable::ways_in::{self, WayIn};
use crate::store::durable::{connections, domains, organizations, projects};

/// How sure the caller is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sure {
    /// For the operator: also where no owner could sign in any more.
    pub force: Option<bool>,
}

impl Sure {
    /// Whether they insist, which is nobody's but the operator's.
    pub fn insists(self, desk: &Desk) -> Result<bool, Refused> {
        match self.force == Some(true) {
            true if !desk.caller.is_system() => {
                Err(Refused::new(Code::OperatorRequired, "force is the operator's"))
            }
            forced => Ok(forced),
        }
    }
}

/// Why a way in is shut, in the order in which somebody who comes by it would meet it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shut {
    Owner,
    Connection,
    Provider,
    Subject,
    Domain,
    Method,
    Factor,
    Organizations,
}

impl Shut {
    /// What would have to be there.
    const fn missing(self) -> &'static str {
        match self {
            Self::Owner => "owner_who_has_come",
            Self::Connection => "owner_by_active_connection",
            Self::Provider => "owner_by_current_provider",
            Self::Subject => "owner_by_current_subject",
            Self::Domain => "owner_by_routed_domain",
            Self::Method => "owner_by_open_method",
            Self::Factor => "owner_with_second_factor",
            Self::Organizations => "organizations_of_the_project",
        }
    }
}

/// What was open before a write: as far as anybody can know, by what owners have come by until now.
#[derive(Clone, Debug)]
pub struct LastWay {
    organization: OrganizationId,
    open: Vec<IdentityId>,
}

impl LastWay {
    /// To be asked before the write, in its transaction; the organization is locked.
    pub async fn before(change: &mut Change<'_, '_>, organization: OrganizationId) -> Result<Self, Refused> {
        let ways = all(change, organization).await?;
        let open = ways.into_iter().filter(|(_, shut)| shut.is_none()).map(|(way, _)| way.identity).collect();
        Ok(Self { organization, open })
    }

    /// The same of every organization of the project, for what counts in all of them; the project is locked.
    pub async fn before_everywhere(change: &mut Change<'_, '_>) -> Result<Vec<Self>, Refused> {
        let mut ways = Vec::new();
        for id in ways_in::entered(change.tx, change.keep.project.id).await? {
            change.tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
            let way = Self::before(change, id).await?;
            if !way.open.is_empty() {
                ways.push(way);
            }
        }
        Ok(ways)
    }

    /// What is missing after the write for an owner to come in as some did before. Nothing where one does, or none did.
    pub async fn missing(&self, change: &mut Change<'_, '_>) -> Result<Vec<&'static str>, Refused> {
        let ways = match self.open.is_empty() {
            true => return Ok(Vec::new()),
            false => all(change, self.organization).await?,
        };
        // Who has come to own it meanwhile counts as well.
        if ways.iter().any(|(_, shut)| shut.is_none()) {
            return Ok(Vec::new());
        }
        // Of those who were shut out by it; of the others who own it, where those own it no more.
        let stay = ways.iter().any(|(way, _)| self.open.contains(&way.identity));
        let told = ways.iter().filter(|(way, _)| !stay || self.open.contains(&way.identity));
        let mut shut: Vec<_> = told.filter_map(|(_, shut)| *shut).collect();
        if shut.is_empty() {
            shut.push(Shut::Owner);
        }
        shut.sort_unstable();
        shut.dedup();
        Ok(shut.into_iter().map(Shut::missing).collect())
    }

    /// Refuses a write that took the last way in, unless the operator insists; then the trail tells of it.
    pub async fn stays(&self, change: &mut Change<'_, '_>, forced: bool) -> Result<(), Refused> {
        let missing = self.missing(change).await?;
        if missing.is_empty() {
            return Ok(());
        }
        if !(forced && is_operator(change)) {
            return Err(self.refused(change, missing).await?);
        }
        let event = change.keep.event("organization.owners_locked_out", self.organization);
        change.record(&event.subject(self.organization).with("missing", missing)).await
    }

    /// Says what is missing, and by which connections others would still come in.
    pub async fn refused(
        &self,
        change: &mut Change<'_, '_>,
        missing: Vec<&'static str>,
    ) -> Result<Refused, Refused> {
        let (organization, project) = place(change, self.organization).await?;
        let (switches, off) = (project.switches, project.organizations == Organizations::Off);
        let own = connections::of_organization(change.tx, self.organization).await?;
        let leads = leads(change, self.organization).await?;
        let left: Vec<_> = own
            .iter()
            .filter(|own| !off && own.is_active() && switches.open(own, Some(&organization.policy)))
            .filter(|own| leads.iter().any(|(_, to)| *to == own.id))
            .map(|own| own.slug.clone())
            .collect();
        Ok(locks_out(missing).with("left", left))
    }
}

/// [`LastWay::stays`], of all of them: who is refused is told of the first.
pub async fn all_stay(change: &mut Change<'_, '_>, ways: &[LastWay], forced: bool) -> Result<(), Refused> {
    for way in ways {
        let Err(refused) = way.stays(change, forced).await else { continue };
        let slug = place(change, way.organization).await?.0.slug;
        return Err(refused.with("organization", slug));
    }
    Ok(())
}

/// By what is missing.
pub fn locks_out(missing: Vec<&'static str>) -> Refused {
    let all = missing.iter().map(|what| (String::new(), told(what).to_owned()));
    Refused::listing(Code::PolicyLocksOut, all.collect::<Vec<_>>()).with("missing", missing)
}

/// The same for people.
fn told(missing: &str) -> &'static str {
    match missing {
        "caller" => "you could not do this any more yourself",
        "owner_who_has_come" => "no owner would be left who has ever signed in",
        "owner_by_active_connection" => "no owner would be left whose connection is active",
        "owner_by_current_provider" => "no owner would be left whom the provider knows",
        "owner_by_current_subject" => "no owner would be left whom the provider calls what it called them",
        "owner_by_routed_domain" => "no owner would be left whose domain leads to their connection",
        "organizations_of_the_project" => "nobody would act for any organization of the project any more",
        "owner_by_open_method" => "no owner would be left whose way of signing in is open",
        _ => "no owner would be left who has shown a second factor",
    }
}

/// Whose word holds whomever it locks out.
pub fn is_operator(change: &Change<'_, '_>) -> bool {
    matches!(change.standing, Standing::Operator(OperatorRole::System))
}

async fn place(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
) -> Result<(Organization, Shared<ProjectSettings>), Refused> {
    let project = projects::by_id(change.tx, change.keep.project.id).await?.ok_or_else(Refused::hidden)?;
    let found = organizations::by_id(change.tx, project.id, organization).await?;
    Ok((found.ok_or_else(Refused::hidden)?, project.settings))
}

/// Names of verified domains that are routed, and the connections to which they lead.
async fn leads(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
) -> Result<Vec<(String, ConnectionId)>, Refused> {
    let claims = domains::of_organization(change.tx, organization).await?;
    let routes = domains::routes_of(change.tx, organization).await?;
    let leads = claims
        .iter()
        .filter(|claim| claim.state == DomainState::Verified && claim.routing_since.is_some())
        .flat_map(|claim| {
            let here = routes.iter().filter(|(from, _)| *from == claim.id);
            here.map(|(_, to)| (claim.name.to_string(), *to))
        });
    Ok(leads.collect())
}

/// Every way by which an owner has ever come, and why it is shut now.
async fn all(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
) -> Result<Vec<(WayIn, Option<Shut>)>, Refused> {
    let ways = ways_in::of_owners(change.tx, change.keep.project.id, organization).await?;
    if ways.is_empty() {
        return Ok(Vec::new());
    }
    let (organization, project) = place(change, organization).await?;
    if organization.deleted_at.is_some() {
        return Ok(Vec::new());
    }
    let leads = leads(change, organization.id).await?;
    let mut judged = Vec::with_capacity(ways.len());
    for way in ways {
        let shut = match () {
            () if !way.connection.is_active() => Some(Shut::Connection),
            () if !way.is_known() => Some(Shut::Provider),
            () if !way.is_named() => Some(Shut::Subject),
            () if !may_assert(change, &way, &leads).await? => Some(Shut::Domain),
            () if !way.is_open(&organization, &project.switches) => Some(Shut::Method),
            () if !way.is_enough(&organization.policy) => Some(Shut::Factor),
            () if project.organizations == Organizations::Off => Some(Shut::Organizations),
            () => None,
        };
        judged.push((way, shut));
    }
    Ok(judged)
}

/// Whether the connection may still say who somebody is by the address that they came under (invariant 2).
async fn may_assert(
    change: &mut Change<'_, '_>,
    way: &WayIn,
    leads: &[(String, ConnectionId)],
) -> Result<bool, Refused> {
    let (to, email) = (way.connection.id, way.email.as_ref());
    let Some(of) = way.connection.organization_id else {
        let Some(email) = email else { return Ok(true) };
        return Ok(domains::held(change.tx, change.keep.project.id, email.domain()).await?.is_none());
    };
    // They may come by the connection of another organization.
    let others = match leads.iter().any(|(_, known)| *known == to) {
        false => self::leads(change, of).await?,
        true => Vec::new(),
    };
    let is_led = |(name, known): &(String, ConnectionId)| {
        *known == to && email.is_none_or(|email| email.domain().as_str() == name)
    };
    Ok(leads.iter().chain(&others).any(is_led))
}
