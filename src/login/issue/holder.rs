//! Who an access token stands for at the administration API: the same pipeline as for everything that is minted.

use futures_util::future::BoxFuture;

use super::possession::only_wants_nonce;
use super::presented::opened;
use super::{mint, minting};
use crate::foundation::clock::Moment;
use crate::foundation::id::{GrantId, OrganizationId, ProjectId, SessionId};
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::login::Context;
use crate::model::role;
use crate::model::user::User;
use crate::protocol::oauth::claims_parameter::Named;
use crate::protocol::oauth::scope;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::standing::{self, Person};
use crate::store::durable::{choices, grants, roles, users};
use crate::web::dpop::Scheme;
use crate::web::holder::{ActsFor, Holder, Look, LookAgain, NotActing, NotHeld, StandFor, TryFor};
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

pub const LOOK: Look = look;

fn look<'a>(
    visitor: &'a Visitor,
    shown: (Scheme, &'a str),
    audience: &'a str,
) -> BoxFuture<'a, Result<Result<Holder, NotHeld>, Fault>> {
    Box::pin(async move {
        match holder(visitor, shown, audience).await {
            Ok(holder) => Ok(holder),
            Err(Stop::Refused(refusal)) if only_wants_nonce(&refusal) => Ok(Err(NotHeld::NonceWanted)),
            // Whatever is wrong with it: it opens nothing, and reads like any other token that does not.
            Err(Stop::Refused(_)) => Ok(Err(NotHeld::Nobody)),
            Err(Stop::Failed(fault)) => Err(fault),
        }
    })
}

async fn holder(
    visitor: &Visitor,
    shown: (Scheme, &str),
    audience: &str,
) -> Result<Result<Holder, NotHeld>, Stop> {
    let (now, project) = (visitor.broker().now(), visitor.project.id);
    let id = opened(visitor, shown, audience, now).await?.grant;
    Ok(visitor.broker().db.read(async move |tx| stands(tx, project, id, now).await).await?)
}

pub const LOOK_AGAIN: LookAgain =
    |tx, project, grant, now| Box::pin(async move { Ok(stands(tx, project, grant, now).await?.ok()) });

/// Whom a grant stands for now; or nobody, and what of the organization's policy keeps them out.
async fn stands(
    tx: &mut Tx<'_>,
    project: ProjectId,
    id: GrantId,
    now: Moment,
) -> Result<Result<Holder, NotHeld>, StoreError> {
    let grant = grants::by_id(tx, id).await?;
    let Some(grant) = grant.filter(|grant| grant.revoked_at.is_none() && grant.project_id == project) else {
        return Ok(Err(NotHeld::Nobody));
    };
    let mut request = minting(&grant, now);
    // What somebody may do here is not for the application to ask for.
    (request.scopes, request.is_for_us) = (vec![scope::PERMISSIONS.to_owned()], true);
    let minted = match mint::run(tx, &request).await? {
        Ok(minted) => minted,
        Err(refusal) => return Ok(Err(NotHeld::NotActing(not_acting(&refusal)))),
    };
    let custom = match grant.organization {
        Some(organization) => roles::permissions(tx, project, organization).await?,
        None => Default::default(),
    };
    let acting = minted.acting.as_ref();
    let is_owner = acting.is_some_and(|acting| {
        acting.on_behalf.is_none() && acting.roles.iter().any(|name| name == role::OWNER)
    });
    Ok(Ok(Holder {
        user: minted.user.id,
        grant: grant.id,
        session: minted.session.id,
        application: minted.application.id,
        proved_at: minted.session.authenticated_at,
        delegation: acting.and_then(|acting| acting.on_behalf.as_ref()).map(|(_, delegation)| delegation.id),
        roles: acting.map(|acting| acting.roles.clone()).unwrap_or_default(),
        by_rule: acting.map(|acting| acting.by_rule.clone()).unwrap_or_default(),
        organization: grant.organization,
        is_owner,
        granted: acting.map(|acting| role::granted(&acting.roles, &custom)).unwrap_or_default(),
        masked: minted.acting.map(|acting| acting.permissions).unwrap_or_default(),
    }))
}

pub const TRY_FOR: TryFor =
    |tx, project, grant, organization, now| Box::pin(tried(tx, project, grant, organization, now));

/// The pipeline, as for a token of another organization; nothing is issued.
async fn tried(
    tx: &mut Tx<'_>,
    project: ProjectId,
    id: GrantId,
    organization: OrganizationId,
    now: Moment,
) -> Result<Result<ActsFor, NotActing>, StoreError> {
    let grant = grants::by_id(tx, id).await?;
    let Some(grant) = grant.filter(|grant| grant.revoked_at.is_none() && grant.project_id == project) else {
        return Ok(Err(NotActing::NotAMember));
    };
    let Some(user) = users::by_id(tx, project, grant.user_id).await? else {
        return Ok(Err(NotActing::NotAMember));
    };
    acts_for(tx, &user, organization, minting(&grant, now)).await
}

pub const STAND_FOR: StandFor =
    |tx, project, session, organization, now| Box::pin(stood(tx, project, session, organization, now));

/// The same for who is signed in here, where no application asks.
async fn stood(
    tx: &mut Tx<'_>,
    project: ProjectId,
    session: SessionId,
    organization: OrganizationId,
    now: Moment,
) -> Result<Result<ActsFor, NotActing>, StoreError> {
    let Some(Person { user, .. }) = standing::person(tx, project, session).await? else {
        return Ok(Err(NotActing::NotAMember));
    };
    let request = mint::Request {
        project,
        application: Application::HOUSE,
        session,
        context: Context::Personal,
        scopes: Vec::new(),
        claims: Named::default(),
        listed: 0,
        offline: false,
        now,
        epochs: None,
        on_device: false,
        place: None,
        is_for_us: true,
    };
    acts_for(tx, &user, organization, request).await
}

/// Runs the pipeline as it would for this organization.
async fn acts_for(
    tx: &mut Tx<'_>,
    user: &User,
    organization: OrganizationId,
    request: mint::Request,
) -> Result<Result<ActsFor, NotActing>, StoreError> {
    let Some(choice) = choices::to(tx, user, organization, request.now).await? else {
        return Ok(Err(NotActing::NotAMember));
    };
    let request = mint::Request { context: choice.context(), scopes: Vec::new(), epochs: None, ..request };
    let minted = match mint::run(tx, &request).await? {
        Ok(minted) => minted,
        Err(refusal) => return Ok(Err(not_acting(&refusal))),
    };
    let acting = minted.acting.map(|acting| ActsFor {
        organization: acting.organization,
        roles: acting.roles,
        delegation: acting.on_behalf.map(|(_, delegation)| delegation.id),
    });
    Ok(acting.ok_or(NotActing::NotAMember))
}

fn not_acting(refusal: &Refusal) -> NotActing {
    match refusal {
        Refusal::SsoRequired | Refusal::DelegationNotAccepted | Refusal::MethodNotAllowed => {
            NotActing::SsoRequired
        }
        Refusal::MfaRequired => NotActing::MfaRequired,
        Refusal::AuthenticationTooOld | Refusal::ConnectionInactive | Refusal::SessionEnded => {
            NotActing::TooOld
        }
        _ => NotActing::NotAMember,
    }
}
