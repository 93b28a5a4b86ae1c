//! What an organization makes of an application of its own (S0-25). Whom it reaches beyond its own people, and what its
//! tokens are worth to others, is the operator's to say: nobody's customers are led to somebody else's application, and no
//! tokens of theirs are collected.

use std::collections::BTreeSet;

use super::Whole;
use super::wanted::Wanted;
use crate::foundation::id::OrganizationId;
use crate::manage::authority::Standing;
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::application::GrantType;
use crate::protocol::oauth::scope;
use crate::store::durable::{applications, organizations};

/// Applications that an organization may have in use, and that it may ever have made: those that are disabled stay known.
const MOST: i64 = 100;
const MOST_EVER: i64 = 1_000;

/// What it may ask its own people for: nothing of other organizations.
const SCOPES: [&str; 7] = [
    scope::OPENID,
    scope::PROFILE,
    scope::EMAIL,
    scope::ORGANIZATION,
    scope::ROLES,
    scope::PERMISSIONS,
    scope::OFFLINE_ACCESS,
];

/// By which nobody is talked into letting a stranger in, and nobody acts for others.
const GRANT_TYPES: [GrantType; 3] =
    [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials];

pub(super) fn is_operator(change: &Change<'_, '_>) -> bool {
    matches!(change.standing, Standing::Operator(_))
}

pub(super) async fn refuse_too_many(
    change: &mut Change<'_, '_>,
    owner: OrganizationId,
) -> Result<(), Refused> {
    if is_operator(change) {
        return Ok(());
    }
    let (enabled, all) = applications::count_of(change.tx, owner).await?;
    let told = |why: String| Err(Refused::new(Code::LimitReached, why));
    match () {
        () if enabled >= MOST => {
            told(format!("there may be at most {MOST}: disable one, or ask the operator"))
        }
        () if all >= MOST_EVER => told(format!(
            "{MOST_EVER} have been made, with those that are disabled: the operator makes further ones"
        )),
        () => Ok(()),
    }
}

/// As one begins: for its organization's own people, each of whom is asked.
pub(super) fn begin(whole: &mut Whole) {
    if let Some(owner) = whole.application.organization_id {
        whole.application.settings.organizations_limited = true;
        whole.application.settings.client.consent_required = true;
        whole.listed = vec![owner];
    }
}

/// What the operator has said of it stays when its organization replaces it.
pub(super) fn keep_the_operators(base: &mut Whole, before: &Whole) {
    let (new, old) = (&mut base.application.settings, &before.application.settings);
    new.audiences.clone_from(&old.audiences);
    if !old.audiences.is_empty() {
        new.claims.mapping.clone_from(&old.claims.mapping);
    }
    new.exchange.clone_from(&old.exchange);
    new.lifetimes = old.lifetimes;
    new.organizations_limited = old.organizations_limited;
    new.client.consent_required = old.client.consent_required;
    base.listed.clone_from(&before.listed);
    base.application.disabled_at = before.application.disabled_at;
}

/// Whether who may use it is said as it is: of others nobody learns here whether they exist.
pub(super) async fn refuse_others(
    change: &mut Change<'_, '_>,
    base: &Whole,
    wanted: &Wanted,
) -> Result<(), Refused> {
    let said = match &wanted.organizations {
        Some(said) if !is_operator(change) => said,
        _ => return Ok(()),
    };
    let Some(names) = said else { return Err(operators("organizations")) };
    let mut meant = BTreeSet::new();
    for name in names {
        let found = organizations::named(change.tx, change.keep.project.id, name).await?;
        meant.insert(found.ok_or_else(|| operators("organizations"))?.id);
    }
    let known: BTreeSet<_> = base.listed.iter().copied().collect();
    if meant == known { Ok(()) } else { Err(operators("organizations")) }
}

/// Refuses what its organization may not make of it. What the operator has made of it before is no fault of theirs.
pub(super) fn refuse_beyond(
    change: &Change<'_, '_>,
    before: &Whole,
    after: &Whole,
    wanted: &Wanted,
) -> Result<(), Refused> {
    if is_operator(change) {
        return Ok(());
    }
    let (was, is) = (&before.application.settings, &after.application.settings);
    let scope = |one: &&String| !was.scopes.contains(one) && !SCOPES.contains(&one.as_str());
    let grant = |one: &&GrantType| !was.grant_types.contains(one) && !GRANT_TYPES.contains(one);
    let returns = before.application.disabled_at.is_some() && after.application.disabled_at.is_none();
    // Whose audience it is takes its tokens for the operator's word (threats C22).
    let renames = !is.audiences.is_empty() && is.claims.mapping != was.claims.mapping;
    let beyond = [
        ("scopes", is.scopes.iter().any(|one| scope(&one))),
        (wanted.grant_types_at(), is.grant_types.iter().any(|one| grant(&one))),
        ("audiences", is.audiences != was.audiences),
        ("claims", renames),
        ("may_act", is.exchange.may_act != was.exchange.may_act),
        ("exchange_audiences", is.exchange.audiences != was.exchange.audiences),
        ("lifetimes", is.lifetimes != was.lifetimes),
        ("consent_required", was.client.consent_required && !is.client.consent_required),
        ("change_subjects", wanted.changes_subjects),
        ("enabled", returns),
    ];
    match beyond.into_iter().find(|(_, is_beyond)| *is_beyond) {
        Some((name, _)) => Err(operators(name)),
        None => Ok(()),
    }
}

pub(super) fn operators(name: &str) -> Refused {
    let told = format!("what is said here of {name} is the operator's to say");
    Refused::listing(Code::OperatorRequired, [(format!("/{name}"), told)])
}
