//! They say for which organization they act. What was asked for skips the page, never the checks; nothing is
//! guessed, and the first is never taken because it is the first.

pub mod pages;

use super::Stop;
use super::refusal::Refusal;
use crate::foundation::id::{OrganizationId, SessionId};
use crate::model::application::{Application, OrganizationPrompt, OrganizationUsage};
use crate::model::login::{Acting, Asked, Beforehand, Context, Login, OrganizationAsked, Picked, Stage};
use crate::model::project::Organizations;
use crate::model::user::User;
use crate::protocol::oauth::organization::NamedOrganization;
use crate::store::durable::choices::{self, Choice};
use crate::store::durable::engine::StoreError;
use crate::store::durable::standing::{self, Person};
use crate::store::durable::{consents, sessions};
use crate::web::visitor::Visitor;

#[derive(Debug)]
pub enum Decision {
    Ask(Vec<Choice>),
    Chosen(Context),
}

/// Whether the page is needed. `found`: whose session that is, where it has just been read.
pub async fn decide(
    visitor: &Visitor,
    application: &Application,
    login: &Login,
    session: SessionId,
    found: Option<Person>,
) -> Result<Decision, Stop> {
    let asked = &login.asked;
    let of_project = visitor.project.settings.organizations;
    if application.settings.organization_usage == OrganizationUsage::Deny
        || (of_project == Organizations::Off && asked.organization.named().is_none())
        || asked.organization == OrganizationAsked::All
    {
        return Ok(Decision::Chosen(Context::Personal));
    }
    let Person { user, current, .. } = match found.filter(|found| found.session.id == session) {
        Some(found) => living(visitor, Some(found))?,
        None => person(visitor, session).await?,
    };
    let named = asked.organization.named();
    let names: Vec<_> = named.into_iter().flat_map(NamedOrganization::texts).collect();
    let knows = consents::knows(&mut &visitor.broker().db, user.id, application, &names).await?;
    if asked.prompt.none && !knows {
        return Err(Refusal::ConsentRequired.into());
    }
    let mut found = available(visitor, application, &user).await?;
    if asked.prompt.none {
        consents::leave_known(&mut &visitor.broker().db, user.id, application, &mut found).await?;
    }
    if let Some(named) = named {
        return match asked_for(&found, named) {
            Ok(choice) => Ok(Decision::Chosen(context(choice))),
            // Which of two it is that they may act for is told to nobody either.
            Err(_) if !knows => Err(Refusal::OrganizationNotAllowed.into()),
            Err(refusal) => Err(refusal.into()),
        };
    }
    if let Beforehand::Named(name) = &login.beforehand
        && !asked.prompt.select_organization
    {
        return match found.iter().find(|choice| is_named(choice, name)) {
            Some(named) => Ok(Decision::Chosen(context(named))),
            // They meant another one: not even the only one is taken instead.
            None if !found.is_empty() => Ok(Decision::Ask(found)),
            None => Err(Refusal::OrganizationNotAllowed.into()),
        };
    }
    let forced = asked.prompt.select_organization || asked.prompt.select_account;
    let silent = application.settings.organization_prompt == OrganizationPrompt::None
        && asked.organization == OrganizationAsked::Unsaid
        && !asked.prompt.select_organization;
    // Whoever lets a device in says for whom: what they once switched to is no word on a stranger's device (threats H23).
    let default = current_of(&found, current).filter(|_| !forced && !silent && asked.device.is_none());
    match found.as_slice() {
        [] if needs_one(application, asked) || of_project == Organizations::Required => {
            Err(Refusal::NoOrganization.into())
        }
        [] => Ok(Decision::Chosen(Context::Personal)),
        [only] if !asked.prompt.select_organization => Ok(Decision::Chosen(context(only))),
        _ if silent && !forced && of_project != Organizations::Required && !needs_one(application, asked) => {
            Ok(Decision::Chosen(Context::Personal))
        }
        _ if default.is_some() => Ok(Decision::Chosen(default.map_or(Context::Personal, context))),
        _ if asked.prompt.none => Err(Refusal::SelectionRequired.into()),
        _ => Ok(Decision::Ask(found)),
    }
}

/// What somebody has picked on our page, and who that was.
pub async fn picked(visitor: &Visitor, login: &Login) -> Result<Option<Picked>, StoreError> {
    let Stage::Acting(Acting { session, context, by_hand: true }) = &login.stage else { return Ok(None) };
    let found = sessions::by_id(&mut &visitor.broker().db, visitor.project.id, *session).await?;
    Ok(found.map(|session| Picked { user: session.user_id, context: *context }))
}

/// The same where they would be asked once more: by who is signed in now, and if it can still be picked.
pub async fn picked_again(
    visitor: &Visitor,
    picked: Option<Picked>,
    session: SessionId,
    decided: &Decision,
) -> Result<Option<Context>, Stop> {
    let (Some(picked), Decision::Ask(choices)) = (picked, decided) else { return Ok(None) };
    let stands = choices.iter().any(|choice| context(choice) == picked.context);
    Ok((stands && user_of(visitor, session).await?.id == picked.user).then_some(picked.context))
}

fn needs_one(application: &Application, asked: &Asked) -> bool {
    application.settings.organization_usage == OrganizationUsage::Require
        || asked.organization == OrganizationAsked::One
}

/// What is named in two ways is compared here, by whoever may act for one of the two: nobody else learns what is whose.
fn asked_for<'c>(found: &'c [Choice], named: &NamedOrganization) -> Result<&'c Choice, Refusal> {
    let knows = |choice: &&Choice| named.texts().any(|name| is_named(choice, name));
    let choice = found.iter().find(knows).ok_or(Refusal::OrganizationNotAllowed)?;
    match is_named(choice, named.name()) && named.agrees_with(&choice.slug) {
        true => Ok(choice),
        false => Err(Refusal::Protocol(NamedOrganization::disagreement())),
    }
}

fn is_named(choice: &Choice, name: &str) -> bool {
    choice.slug == name
        || name.parse().is_ok_and(|id: crate::foundation::id::OrganizationId| id == choice.organization)
}

/// What they named before they signed in, if it is none of these.
pub fn unavailable<'l>(login: &'l Login, found: &[Choice]) -> Option<&'l str> {
    match &login.beforehand {
        Beforehand::Named(name) => {
            Some(name.as_str()).filter(|name| !found.iter().any(|one| is_named(one, name)))
        }
        _ => None,
    }
}

/// In whose name this choice lets somebody act.
pub fn context(choice: &Choice) -> Context {
    match &choice.delegation {
        None => Context::Member(choice.organization),
        Some(delegated) => Context::Delegate { target: choice.organization, delegation: delegated.id },
    }
}

/// For whom the person may act, by name.
pub async fn available(
    visitor: &Visitor,
    application: &Application,
    user: &User,
) -> Result<Vec<Choice>, StoreError> {
    let broker = visitor.broker();
    let mut found = choices::of(&mut &broker.db, application, user, broker.now(), choices::ALL).await?;
    found.sort_by_cached_key(|choice| (choice.display_name.to_lowercase(), choice.organization));
    Ok(found)
}

/// What the person has switched to is their default, for as long as they may act for it (S0-21).
fn current_of(found: &[Choice], current: Option<(OrganizationId, i64)>) -> Option<&Choice> {
    found.iter().find(|choice| current == Some((choice.organization, choice.epoch)))
}

/// Whose session it is, if it lives.
pub async fn user_of(visitor: &Visitor, session: SessionId) -> Result<User, Stop> {
    Ok(person(visitor, session).await?.user)
}

async fn person(visitor: &Visitor, session: SessionId) -> Result<Person, Stop> {
    let broker = visitor.broker();
    Ok(living(visitor, standing::person(&mut &broker.db, visitor.project.id, session).await?)?)
}

fn living(visitor: &Visitor, found: Option<Person>) -> Result<Person, Refusal> {
    let now = visitor.broker().now();
    let person = found.filter(|found| found.session.is_alive(now)).ok_or(Refusal::SessionEnded)?;
    Some(person).filter(|found| found.user.disabled_at.is_none()).ok_or(Refusal::UserDisabled)
}
