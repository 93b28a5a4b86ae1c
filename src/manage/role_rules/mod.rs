//! Role rules: what an identity provider says of somebody gives them a role, for as long as it says so (S1-P7). Nothing is
//! given here: tokens are judged when they are made.

pub mod api;
mod body;
mod view;

use super::authority::{Standing, may_grant, may_touch};
use super::desk::Change;
use super::last_way::LastWay;
use super::refused::{Code, Refused};
use crate::audit;
use crate::foundation::id::{ConnectionId, OrganizationId, RoleRuleId};
use crate::model::api_key::OperatorRole;
use crate::model::connection::Connection;
use crate::model::identity::IdentityFacts;
use crate::model::role;
use crate::model::role_rule::{Approval, Matching, RoleRule};
use crate::protocol::problem::Place;
use crate::store::durable::{connections, role_rules, roles};

/// Rules of one organization.
const MOST: usize = 200;

/// What is wanted of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub claim: String,
    pub matching: Matching,
    pub value: String,
    pub role: String,
}

impl Wanted {
    pub fn of(rule: &RoleRule) -> Self {
        let rule = rule.clone();
        Self { claim: rule.claim, matching: rule.matching, value: rule.value, role: rule.role }
    }

    fn over(self, before: &RoleRule) -> RoleRule {
        let Self { claim, matching, value, role } = self;
        RoleRule { claim, matching, value, role, ..before.clone() }
    }
}

/// Writes a new one; the organization is locked. Who is given a role may need a second factor from then on.
pub async fn create(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    connection: ConnectionId,
    (wanted, forced): (Wanted, bool),
) -> Result<RoleRule, Refused> {
    let keep = change.keep;
    let found = own(change, organization, connection).await?;
    refuse_unheard(&found, &wanted.claim, "")?;
    let known = role_rules::of_organization(change.tx, organization).await?;
    refuse_twice(&known, connection, &wanted)?;
    if known.len() >= MOST {
        let detail = format!("there are {MOST} rules: that is all there may be");
        return Err(Refused::new(Code::LimitReached, detail));
    }
    let blank = RoleRule {
        id: RoleRuleId::new(&keep.random, keep.now),
        organization,
        connection,
        claim: String::new(),
        matching: Matching::Equals,
        value: String::new(),
        role: String::new(),
        approval: None,
        created_at: keep.now,
        updated_at: keep.now,
    };
    let mut rule = wanted.over(&blank);
    rule.approval = approval(change, &rule).await?;
    let last_way = LastWay::before(change, organization).await?;
    role_rules::insert(change.tx, keep.project.id, &rule).await?;
    let event = keep.event("role_rule.created", organization).subject(rule.id);
    change.record(&event.changing(None, Some(view::facts(&rule)))).await?;
    last_way.stays(change, forced).await?;
    Ok(rule)
}

/// Writes what differs: whoever does so answers for all of it, as if it were new.
pub async fn update(
    change: &mut Change<'_, '_>,
    before: &RoleRule,
    (wanted, forced): (Wanted, bool),
) -> Result<RoleRule, Refused> {
    refuse_above(change, before).await?;
    let mut after = wanted.over(before);
    refuse_unheard(&own(change, before.organization, before.connection).await?, &after.claim, "")?;
    let approval = approval(change, &after).await?;
    // Another owner than who has approved it answers for it from now on.
    if after == *before && approval == before.approval {
        return Ok(after);
    }
    if after != *before {
        let known = role_rules::of_organization(change.tx, before.organization).await?;
        refuse_twice(&known, before.connection, &Wanted::of(&after))?;
    }
    (after.approval, after.updated_at) = (approval, change.keep.now);
    let last_way = LastWay::before(change, after.organization).await?;
    role_rules::update(change.tx, &after).await?;
    let (was, is) = audit::differing(&view::facts(before), &view::facts(&after));
    let event = change.keep.event("role_rule.updated", after.organization).subject(after.id);
    change.record(&event.changing(Some(was), Some(is))).await?;
    last_way.stays(change, forced).await?;
    Ok(after)
}

/// Shuts nobody out: whoever has a role less needs no more than before.
async fn delete(change: &mut Change<'_, '_>, rule: &RoleRule) -> Result<(), Refused> {
    refuse_above(change, rule).await?;
    role_rules::delete(change.tx, rule.id).await?;
    let event = change.keep.event("role_rule.deleted", rule.organization).subject(rule.id);
    change.record(&event.changing(Some(view::facts(rule)), None)).await
}

/// What a rule gives is taken from nobody by whom they stand above (threats H01).
async fn refuse_above(change: &mut Change<'_, '_>, rule: &RoleRule) -> Result<(), Refused> {
    let custom = roles::permissions(change.tx, change.keep.project.id, rule.organization).await?;
    let told = |code| Refused::new(code, "it gives a role that may change more here than you may");
    may_touch(&change.standing, std::slice::from_ref(&rule.role), &custom, change.keep.now).map_err(told)
}

/// Only an organization's own connections say something of its people.
async fn own(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    connection: ConnectionId,
) -> Result<Connection, Refused> {
    let found = connections::by_id(change.tx, change.keep.project.id, connection).await?;
    let found = found.filter(|found| found.organization_id == Some(organization));
    found.ok_or_else(|| Refused::value("/connection_id", NO_CONNECTION))
}

/// A rule that nothing could ever fit looks like one that gives a role. `at`: the pointer of the object that says it.
fn refuse_unheard(connection: &Connection, claim: &str, at: &str) -> Result<(), Refused> {
    if IdentityFacts::may_hold(&connection.settings.upstream, claim) {
        return Ok(());
    }
    let rule =
        format!("nobody has a role by `{claim}`: it is of the protocol, of one sign-in, or of the profile");
    Err(Refused::value(&format!("{at}/claim"), rule))
}

const NO_CONNECTION: &str = "is no connection of this organization";
const NO_TEST: &str = "is no sign-in on trial by this connection that has succeeded";

fn refuse_twice(known: &[RoleRule], connection: ConnectionId, wanted: &Wanted) -> Result<(), Refused> {
    let same = |rule: &RoleRule| rule.connection == connection && Wanted::of(rule) == *wanted;
    match known.iter().any(same) {
        true => Err(Refused::new(Code::RoleRuleExists, Code::RoleRuleExists.title())),
        false => Ok(()),
    }
}

/// Who has approved a rule, where it needs an owner to: nobody lets a provider give what they could not give themselves,
/// an owner's place is given by nobody's word, and what may change the organization by an owner's alone (threats H01).
async fn approval(change: &mut Change<'_, '_>, rule: &RoleRule) -> Result<Option<Approval>, Refused> {
    refuse_unmappable(&rule.role)?;
    let custom = roles::permissions(change.tx, change.keep.project.id, rule.organization).await?;
    let at = |code: Code| Refused::at(code, Place::Pointer("/role".into()), code.title());
    may_grant(&change.standing, &rule.role, &custom, change.keep.now).map_err(at)?;
    if !role::may_change(&rule.role, &custom) {
        return Ok(None);
    }
    if !may_approve(&change.standing) {
        let detail = "only an owner lets a rule give what may change the organization";
        return Err(Refused::at(Code::RoleCeiling, Place::Pointer("/role".into()), detail));
    }
    Ok(Some(Approval::now(change.keep.actor.to_string())))
}

fn refuse_unmappable(role: &str) -> Result<(), Refused> {
    match role == role::OWNER {
        true => {
            let at = Place::Pointer("/role".into());
            Err(Refused::at(Code::RoleNotMappable, at, "nobody owns anything by what a provider says"))
        }
        false => Ok(()),
    }
}

/// An owner in person, or who runs the project.
fn may_approve(standing: &Standing) -> bool {
    matches!(standing, Standing::Operator(OperatorRole::System) | Standing::Within { is_owner: true, .. })
}
