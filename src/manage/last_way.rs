//! The last way in: by what those who own an organization come in. No write takes the last of it, whatever it is about, for
//! nobody of theirs would be there to take it back (S1-T2, demands 3.9); the operator may, who would.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::authority::Standing;
use super::desk::{Change, Desk};
use super::refused::{Code, Refused};
use crate::foundation::id::{ConnectionId, IdentityId, OrganizationId};
use crate::foundation::shared::Shared;
use crate::model::api_key::OperatorRole;
use crate::model::audit_event::Actor;
use crate::model::connection::Connection;
use crate::model::organization::Organization;
use crate::model::project::{Organizations, ProjectSettings};
use crate::model::role_rule;
use crate::store::durable::engine::Lock;
use crate::store::durable::ways_in::{self, Of, WayIn};
use crate::store::durable::{connections, domains, organizations, projects, role_rules, roles};

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
        let ways = judged(change, Of::Organization(organization)).await?.remove(&organization);
        Ok(Self::of(organization, &ways.unwrap_or_default()))
    }

    /// The same of every organization of the project, for what counts in all of them; the project is locked.
    pub async fn before_everywhere(change: &mut Change<'_, '_>) -> Result<Vec<Self>, Refused> {
        let project = change.keep.project.id.to_string();
        change.tx.lock_all(Lock::Exclusive, "organizations", &project).await?;
        Self::before_all(change, Of::Project).await
    }

    /// To be asked in the same way; those that are to be changed are locked.
    pub async fn before_all(change: &mut Change<'_, '_>, of: Of) -> Result<Vec<Self>, Refused> {
        let ways = judged(change, of).await?;
        let ways = ways.iter().map(|(organization, ways)| Self::of(*organization, ways));
        Ok(ways.filter(|way| !way.open.is_empty()).collect())
    }

    pub fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn of(organization: OrganizationId, ways: &Judged) -> Self {
        let open = ways.iter().filter(|(_, shut)| shut.is_none()).map(|(way, _)| way.identity).collect();
        Self { organization, open }
    }

    /// What is missing after the write for an owner to come in as some did before. Nothing where one does, or none did.
    pub async fn missing(&self, change: &mut Change<'_, '_>) -> Result<Vec<&'static str>, Refused> {
        if self.open.is_empty() {
            return Ok(Vec::new());
        }
        let ways = judged(change, Of::Organization(self.organization)).await?.remove(&self.organization);
        Ok(self.lacks(&ways.unwrap_or_default()))
    }

    fn lacks(&self, ways: &Judged) -> Vec<&'static str> {
        // Where none came in before, nothing is taken; and who has come to own it meanwhile counts as well.
        if self.open.is_empty() || ways.iter().any(|(_, shut)| shut.is_none()) {
            return Vec::new();
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
        shut.into_iter().map(Shut::missing).collect()
    }

    /// Refuses a write that took the last way in, unless the operator insists; then the trail tells of it.
    pub async fn stays(&self, change: &mut Change<'_, '_>, forced: bool) -> Result<(), Refused> {
        let missing = self.missing(change).await?;
        self.may_lack(change, missing, forced).await
    }

    async fn may_lack(
        &self,
        change: &mut Change<'_, '_>,
        missing: Vec<&'static str>,
        forced: bool,
    ) -> Result<(), Refused> {
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
        let (switches, off) = (&project.switches, project.organizations == Organizations::Off);
        let own = connections::of_organization(change.tx, self.organization).await?;
        let is_open =
            |own: &&Connection| !off && own.is_active() && switches.open(own, Some(&organization.policy));
        let mut left = Vec::new();
        for own in own.iter().filter(is_open) {
            if !domains::leading_to(change.tx, own.id).await?.is_empty() {
                left.push(own.slug.clone());
            }
        }
        Ok(locks_out(missing).with("left", left))
    }
}

/// How many organizations are looked at one by one.
const FEW: usize = 8;

/// What each of them lacks after the write, in as few reads as it takes.
pub async fn lacking<'w>(
    change: &mut Change<'_, '_>,
    ways: &'w [LastWay],
) -> Result<Vec<(&'w LastWay, Vec<&'static str>)>, Refused> {
    let mut all = match ways.len() > FEW {
        true => judged(change, Of::Project).await?,
        false => BTreeMap::new(),
    };
    let mut lacking = Vec::new();
    for way in ways {
        if ways.len() <= FEW {
            all = judged(change, Of::Organization(way.organization)).await?;
        }
        let missing = way.lacks(&all.remove(&way.organization).unwrap_or_default());
        if !missing.is_empty() {
            lacking.push((way, missing));
        }
    }
    Ok(lacking)
}

/// [`LastWay::stays`], of all of them: who is refused is told of the first.
pub async fn all_stay(change: &mut Change<'_, '_>, ways: &[LastWay], forced: bool) -> Result<(), Refused> {
    for (way, missing) in lacking(change, ways).await? {
        let Err(refused) = way.may_lack(change, missing, forced).await else { continue };
        let slug = place(change, way.organization).await?.0.slug;
        return Err(refused.with("organization", slug));
    }
    Ok(())
}

/// By what the owners of other organizations come in who come by this one's connections, or by one of the project's: a
/// holding's people own its subsidiaries.
#[derive(Clone, Debug, Default)]
pub struct Guests(Vec<LastWay>);

impl Guests {
    /// To be asked before the write, in its transaction.
    pub async fn before(change: &mut Change<'_, '_>, connection: &Connection) -> Result<Self, Refused> {
        match connection.organization_id {
            Some(of) => Self::of(change, of).await,
            None => Self::locked(change, Of::Through(connection.id)).await,
        }
    }

    pub async fn of(change: &mut Change<'_, '_>, host: OrganizationId) -> Result<Self, Refused> {
        Self::locked(change, Of::GuestsOf(host)).await
    }

    /// Of two who shut a door each at once, the second sees what the first has shut. They are locked in the order of their
    /// ids, and where hosts are each other's guests, before the host is ([`Desk::change_with_guests`]).
    async fn locked(change: &mut Change<'_, '_>, of: Of) -> Result<Self, Refused> {
        let ways = ways_in::of_owners(change.tx, change.keep.project.id, of).await?;
        let owned: BTreeSet<_> = ways.iter().map(|way| way.organization.id).collect();
        for id in owned {
            change.tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
        }
        Ok(Self(LastWay::before_all(change, of).await?))
    }

    /// The operator answers for them, too. To anybody else they are strangers, whose owners keep nobody from shutting a door
    /// of their own: nothing is told of them here, and to them their own trail tells it, without who it was.
    pub async fn stay(&self, change: &mut Change<'_, '_>, forced: bool) -> Result<(), Refused> {
        if matches!(change.standing, Standing::Operator(_)) {
            return all_stay(change, &self.0, forced).await;
        }
        for (way, missing) in lacking(change, &self.0).await? {
            let event = change.keep.event("organization.owners_locked_out", way.organization);
            let event = event.actor(Actor::Anonymous).request(None).subject(way.organization);
            change.record(&event.with("by", "another_organization").with("missing", missing)).await?;
        }
        Ok(())
    }
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
        "owner_by_current_subject" => {
            "no owner would be left who has come under the name that they are known by"
        }
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

type Judged = Vec<(WayIn, Option<Shut>)>;

/// Every way by which an owner has ever come, and why it is shut now, of each organization.
async fn judged(change: &mut Change<'_, '_>, of: Of) -> Result<BTreeMap<OrganizationId, Judged>, Refused> {
    let project = change.keep.project.id;
    let ways = ways_in::of_owners(change.tx, project, of).await?;
    let mut judged: BTreeMap<_, Judged> = BTreeMap::new();
    if ways.is_empty() {
        return Ok(judged);
    }
    let settings = projects::by_id(change.tx, project).await?.ok_or_else(Refused::hidden)?.settings;
    let ground = Ground::of(change, of, &ways).await?;
    for way in ways {
        let shut = match () {
            () if !way.is_live() => Some(Shut::Connection),
            () if !way.is_known() => Some(Shut::Provider),
            () if !way.is_named() => Some(Shut::Subject),
            () if !ground.may_assert(&way) => Some(Shut::Domain),
            () if !way.is_open(&settings.switches) => Some(Shut::Method),
            () if !is_enough(change, &way).await? => Some(Shut::Factor),
            () if settings.organizations == Organizations::Off => Some(Shut::Organizations),
            () => None,
        };
        judged.entry(way.organization.id).or_default().push((way, shut));
    }
    Ok(judged)
}

/// What their roles are, with those that rules give them by what their provider said last, matters where a policy names some.
async fn is_enough(change: &mut Change<'_, '_>, way: &WayIn) -> Result<bool, Refused> {
    if !way.is_enough(&[]) || way.multi_factor || way.organization.policy.mfa_required_for.is_empty() {
        return Ok(way.is_enough(&[]));
    }
    let (organization, connection) = (way.organization.id, way.connection.id);
    let rules = role_rules::of_connection(change.tx, organization, connection).await?;
    if rules.is_empty() {
        return Ok(true);
    }
    let custom = roles::permissions(change.tx, change.keep.project.id, organization).await?;
    Ok(way.is_enough(&role_rule::given(&rules, &way.facts, &custom)))
}

/// Where domains lead.
struct Ground {
    leading: BTreeMap<ConnectionId, Vec<String>>,
    /// Those that somebody holds: no connection of the project says who their people are.
    held: BTreeSet<String>,
}

impl Ground {
    async fn of(change: &mut Change<'_, '_>, of: Of, ways: &[WayIn]) -> Result<Self, Refused> {
        let project = change.keep.project.id;
        let (mut leading, mut held) = (BTreeMap::<_, Vec<_>>::new(), BTreeSet::new());
        if let Of::Organization(_) = of {
            for id in ways.iter().map(|way| way.connection.id).collect::<BTreeSet<_>>() {
                leading.insert(id, domains::leading_to(change.tx, id).await?);
            }
            let of_project = ways.iter().filter(|way| way.connection.organization_id.is_none());
            for name in of_project.filter_map(|way| Some(way.email.as_ref()?.domain())) {
                let found = domains::held(change.tx, project, name).await?;
                held.extend(found.map(|found| found.name.to_string()));
            }
        } else {
            held.extend(domains::all_held(change.tx, project).await?);
            for (id, name) in domains::all_leading(change.tx, project).await? {
                leading.entry(id).or_default().push(name);
            }
        }
        Ok(Self { leading, held })
    }

    /// Whether the connection may still say who somebody is by the address that they came under (invariant 2).
    fn may_assert(&self, way: &WayIn) -> bool {
        let domain = way.email.as_ref().map(|email| email.domain().as_str());
        if way.connection.organization_id.is_none() {
            return domain.is_none_or(|domain| !self.held.contains(domain));
        }
        let names = self.leading.get(&way.connection.id).map(Vec::as_slice).unwrap_or_default();
        match domain {
            Some(domain) => names.iter().any(|name| name == domain),
            None => !names.is_empty(),
        }
    }
}
