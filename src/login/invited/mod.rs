//! Somebody comes by an invitation: they sign in, become a member, and are led on to where the invitation says.

pub mod pages;

use super::Stop;
use super::refusal::Refusal;
use crate::audit::Keep;
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, SessionId};
use crate::foundation::secret::Digest;
use crate::join::invited::{self, NotAccepted};
use crate::model::application::Application;
use crate::model::audit_event::Actor;
use crate::model::invitation::{Invitation, State};
use crate::model::login::{Asked, OrganizationAsked};
use crate::model::organization::Organization;
use crate::model::project::Project;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::organization::NamedOrganization;
use crate::protocol::oauth::params;
use crate::store::durable::engine::tries::Undone as CanBeUndone;
use crate::store::durable::engine::{Read, StoreError, Tx};
use crate::store::durable::standing::{self, Person};
use crate::store::durable::{applications, invitations, organizations, roles, sessions};
use crate::web::visitor::Visitor;

/// The path of the page that they see in the end, if they are led nowhere else.
pub const ACCEPTED: &str = "/invitations/accepted";

/// An invitation that waits, and to what.
pub struct Found {
    pub invitation: Invitation,
    pub organization: Organization,
    /// As what, as people call it.
    pub roles: Vec<String>,
    /// Where it leads on to, if that is there and in use.
    pub application: Option<Application>,
}

/// What a link leads to.
pub async fn find(db: &mut impl Read, project: &Project, token: Digest, now: Moment) -> Result<Found, Stop> {
    let found = invitations::by_token(db, project.id, token).await?;
    let invitation = found.ok_or(Refusal::InvitationUnknown)?;
    let organization = organizations::by_id(db, project.id, invitation.organization_id).await?;
    let organization = organization.filter(|one| one.is_active() && one.deleted_at.is_none());
    let organization = organization.filter(|_| invitation.state(now) == State::Pending);
    let organization = organization.ok_or(Refusal::InvitationOver)?;
    let application = match invitation.application_id {
        Some(id) => applications::by_id(db, project.id, id).await?,
        None => None,
    };
    let application = application.filter(|application| application.is_enabled());
    let roles = roles::called(db, project.id, organization.id, &invitation.roles).await?;
    Ok(Found { invitation, organization, roles, application })
}

/// What is asked of a login that an invitation begins. It goes where the invited address is at home; whoever cannot prove
/// that address does not get in by it.
pub fn asked(found: &Found, token: Digest, leads_to: Option<&str>) -> Asked {
    let application = found.application.as_ref().map_or(Application::HOUSE, |application| application.id);
    Asked {
        // Nobody is answered there: it is where the person goes on to.
        redirect_uri: leads_to.unwrap_or_default().to_owned(),
        login_hint: Some(found.invitation.email.to_string()),
        ui_locales: found.invitation.language.clone(),
        invitation: Some(token),
        ..Asked::by(application)
    }
}

/// Where the person goes on to: to the registered address that the invitation names, or to where the application's
/// logins begin (OpenID Connect Core, section 4), which is told the organization. The invitation is used up by then, and is
/// no part of it.
pub fn leads_to(found: &Found, issuer: &str) -> Option<String> {
    let settings = &found.application.as_ref()?.settings;
    let registered = |uri: &&String| settings.redirect_uris.iter().any(|known| known.as_str() == *uri);
    let named = found.invitation.redirect_uri.as_ref().filter(registered).map(String::as_str);
    let to = named.or_else(|| settings.initiate_login_uri.as_ref().map(|uri| uri.as_str()))?;
    let organization = found.organization.id.to_string();
    let pairs = [
        ("iss", issuer),
        ("organization", organization.as_str()),
        ("organization_name", found.organization.slug.as_str()),
        ("login_hint", found.invitation.email.as_str()),
    ];
    Some(params::append(to, pairs))
}

/// Where somebody wants to join whom an application has sent with an invitation: they sign in as who is invited, and the
/// organization is theirs to act for only when they have. An application that names another one means something else.
pub async fn wanted(
    db: &mut impl Read,
    project: &Project,
    found: &Found,
    asked: &mut Asked,
) -> Result<(), Stop> {
    if let OrganizationAsked::Named(named) = &asked.organization {
        let other = organizations::named(db, project.id, named.name()).await?;
        let is_it = |one: &Organization| one.id == found.organization.id && named.agrees_with(&one.slug);
        if !other.as_ref().is_some_and(is_it) {
            let why = "organization is not the one that the invitation is of";
            return Err(Refusal::Protocol(OAuthError::invalid_request(why)).into());
        }
        asked.organization = OrganizationAsked::Unsaid;
    }
    asked.login_hint = Some(found.invitation.email.to_string());
    if let Some(ticket) = &mut asked.ticket {
        ticket.is_wanted = true;
    }
    Ok(())
}

/// Whoever came with an application's invitation is signed in and joins; from then on they are asked for as a member.
pub async fn join(visitor: &Visitor, asked: &mut Asked, session: SessionId) -> Result<(), Stop> {
    let Some(token) = asked.accepts() else { return Ok(()) };
    let organization = accepted(visitor, token, session).await?;
    asked.ticket = None;
    if asked.organization != OrganizationAsked::All {
        asked.organization = OrganizationAsked::Named(NamedOrganization::one(organization.to_string()));
    }
    Ok(())
}

/// They are signed in: they become a member, unless the sign-in has made them one. Tells where they go on to.
pub async fn conclude(visitor: &Visitor, asked: &Asked, session: SessionId) -> Result<String, Stop> {
    let Some(token) = asked.invitation else { return Err(Refusal::InvitationUnknown.into()) };
    accepted(visitor, token, session).await?;
    if asked.redirect_uri.is_empty() { Ok(visitor.path(ACCEPTED)) } else { Ok(asked.redirect_uri.clone()) }
}

/// The organization is whom they act for from now on.
async fn accepted(visitor: &Visitor, token: Digest, session: SessionId) -> Result<OrganizationId, Stop> {
    let broker = visitor.broker();
    let conclusion = Conclusion {
        keep: Keep {
            random: broker.random.clone(),
            project: visitor.project.clone(),
            actor: Actor::House,
            by: None,
            request: Some(visitor.request),
            now: broker.now(),
        },
        token,
        session,
    };
    match broker.db.write_again(async move |tx| conclusion.run(tx).await).await {
        Ok(organization) => Ok(organization),
        Err(Undone::Store(StoreError::Conflict)) => Err(Refusal::TooManyRequests.into()),
        Err(Undone::Store(error)) => Err(error.into()),
        Err(Undone::Refused(refusal)) => Err(refusal.into()),
    }
}

/// Why the transaction is rolled back.
enum Undone {
    Refused(Refusal),
    Store(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl CanBeUndone for Undone {
    fn is_a_lost_race(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict | StoreError::Unique { .. }))
    }
}

struct Conclusion {
    keep: Keep,
    token: Digest,
    session: SessionId,
}

impl Conclusion {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<OrganizationId, Undone> {
        let project = self.keep.project.id;
        let found = standing::person(tx, project, self.session).await?;
        let found = found.filter(|found| found.session.is_alive(self.keep.now));
        let Person { user, current, .. } = found.ok_or(Undone::Refused(Refusal::SessionEnded))?;
        if user.disabled_at.is_some() {
            return Err(Undone::Refused(Refusal::UserDisabled));
        }
        let invitation = invitations::by_token(tx, project, self.token).await?;
        let invitation = invitation.ok_or(Undone::Refused(Refusal::InvitationUnknown))?;
        let keep = Keep { actor: Actor::User(user.id), ..self.keep.clone() };
        if invitation.accepted_by != Some(user.id) {
            match invited::accept(tx, &keep, self.token, user.id).await {
                Ok(_) | Err(NotAccepted::AlreadyMember) => {}
                Err(NotAccepted::Store(error)) => return Err(error.into()),
                Err(why) => return Err(Undone::Refused(why.into())),
            }
        }
        let organization = organizations::by_id(tx, project, invitation.organization_id).await?;
        let Some(organization) = organization.filter(Organization::is_active) else {
            return Err(Undone::Refused(Refusal::InvitationOver));
        };
        if current == Some((organization.id, organization.epoch)) {
            return Ok(organization.id);
        }
        sessions::switch(tx, self.session, organization.id, organization.epoch).await?;
        let event = keep.event("session.organization_switched", organization.id).subject(self.session);
        keep.record(tx, &event).await?;
        Ok(organization.id)
    }
}
