//! Who an access token stands for at the administration API: the same pipeline as for everything that is minted.

use futures_util::future::BoxFuture;

use super::mint::ActingFor;
use super::possession::only_wants_nonce;
use super::presented::{Opened, opened};
use super::token::{self, switching};
use super::way_in::login_url;
use super::{mint, minting};
use crate::foundation::clock::Moment;
use crate::foundation::id::{GrantId, OrganizationId, ProjectId, SessionId};
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::grant::Grant;
use crate::model::login::Context;
use crate::model::role;
use crate::model::user::User;
use crate::protocol::oauth::claims_parameter::Named;
use crate::protocol::oauth::scope;
use crate::protocol::oauth::token::TokenAnswer;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::standing::{self, Person};
use crate::store::durable::{applications, choices, grants, roles};
use crate::web::dpop::Scheme;
use crate::web::holder::{
    ActsFor, Barred, Holder, Issued, Look, LookAgain, Looked, NotActing, NotHeld, Prepared, Shown, StandFor,
    Switch, Switched, Switching,
};
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

pub const LOOK: Look = look;

fn look<'a>(
    visitor: &'a Visitor,
    shown: (Scheme, &'a str),
    audience: &'a str,
) -> BoxFuture<'a, Result<Looked, Fault>> {
    Box::pin(async move {
        match holder(visitor, shown, audience).await {
            Ok(holder) => Ok(holder),
            Err(Stop::Refused(refusal)) if only_wants_nonce(&refusal) => Ok(Err(NotHeld::NonceWanted)),
            Err(Stop::Refused(Refusal::Protocol(error))) if error.code == "invalid_dpop_proof" => {
                Ok(Err(NotHeld::Proof(error.description)))
            }
            // Whatever is wrong with it: it opens nothing, and reads like any other token that does not.
            Err(Stop::Refused(_)) => Ok(Err(NotHeld::Nobody)),
            Err(Stop::Failed(fault)) => Err(fault),
        }
    })
}

async fn holder(visitor: &Visitor, shown: (Scheme, &str), audience: &str) -> Result<Looked, Stop> {
    let (now, project, issuer) = (visitor.broker().now(), visitor.project.id, visitor.issuer());
    let Opened { grant, token, .. } = opened(visitor, shown, audience, now).await?;
    let held =
        visitor.broker().db.read(async move |tx| held(tx, (project, &issuer), grant, now).await).await?;
    Ok(held.map(|holder| {
        let Holder { user, session, .. } = holder;
        (holder, Shown { grant, user, session, token })
    }))
}

/// Whom a grant stands for now; or nobody, and where what keeps them out can be mended.
async fn held(
    tx: &mut Tx<'_>,
    (project, issuer): (ProjectId, &str),
    id: GrantId,
    now: Moment,
) -> Result<Result<Holder, NotHeld>, StoreError> {
    match stands(tx, project, id, now).await? {
        Ok(holder) => Ok(Ok(holder)),
        Err(None) => Ok(Err(NotHeld::Nobody)),
        Err(Some((grant, refusal))) => {
            let application = applications::by_id(tx, project, grant.application_id).await?;
            let barred = barred(tx, issuer, application.as_ref(), (grant.context(), &refusal)).await?;
            Ok(Err(NotHeld::NotActing(barred)))
        }
    }
}

pub const LOOK_AGAIN: LookAgain =
    |tx, project, grant, now| Box::pin(async move { Ok(stands(tx, project, grant, now).await?.ok()) });

/// Why nobody stands for a grant: the check that it does not pass, if there is one.
type NotStanding = Option<(Box<Grant>, Refusal)>;

/// Whom a grant stands for now.
async fn stands(
    tx: &mut Tx<'_>,
    project: ProjectId,
    id: GrantId,
    now: Moment,
) -> Result<Result<Holder, NotStanding>, StoreError> {
    let grant = grants::by_id(tx, id).await?;
    let Some(grant) = grant.filter(|grant| grant.revoked_at.is_none() && grant.project_id == project) else {
        return Ok(Err(None));
    };
    let mut request = minting(&grant, now);
    // What somebody may do here is not for the application to ask for.
    (request.scopes, request.is_for_us) = (vec![scope::PERMISSIONS.to_owned()], true);
    let minted = match mint::run(tx, &request).await? {
        Ok(minted) => minted,
        Err(refusal) => return Ok(Err(Some((Box::new(grant), refusal)))),
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
        is_by_consent: minted.application.settings.client.consent_required,
        proved_at: minted.session.proved_at(),
        delegation: acting
            .and_then(|acting| acting.on_behalf.as_ref())
            .map(|(home, delegation)| (delegation.id, home.id)),
        roles: match acting {
            Some(acting) => acting.roles.clone(),
            None => minted.own_roles.into_keys().collect(),
        },
        by_rule: acting.map(|acting| acting.by_rule.clone()).unwrap_or_default(),
        organization: grant.organization,
        is_owner,
        granted: acting.map(|acting| role::granted(&acting.roles, &custom)).unwrap_or_default(),
        masked: minted.acting.map(|acting| acting.permissions).unwrap_or_default(),
    }))
}

pub const SWITCHING: Switching = |visitor, shown, organization, audience| {
    Box::pin(async move {
        let found = grants::by_id(&mut &visitor.broker().db, shown.grant).await?;
        let application = match found {
            Some(grant) => {
                let db = &mut &visitor.broker().db;
                applications::by_id(db, visitor.project.id, grant.application_id).await?
            }
            None => None,
        };
        match application {
            Some(application) => {
                let work = switching(visitor, application, (shown, organization, audience)).await?;
                Ok(Prepared::new(Ready { work, issuer: visitor.issuer() }))
            }
            None => Ok(Prepared::new(Gone)),
        }
    })
};

struct Ready {
    work: token::Switching,
    issuer: String,
}

impl Switch for Ready {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> Switched<'a> {
        Box::pin(async move {
            match self.work.run(tx).await? {
                Ok((acting, answer)) => {
                    let TokenAnswer { access_token, token_type, expires_in, scope, .. } = answer;
                    Ok(Ok((acts(acting), Issued { access_token, token_type, expires_in, scope })))
                }
                Err((context, refusal)) => {
                    let application = Some(self.work.application());
                    Ok(Err(barred(tx, &self.issuer, application, (context, &refusal)).await?))
                }
            }
        })
    }
}

/// The token's family or its application is gone since it was shown.
struct Gone;

impl Switch for Gone {
    fn run<'a>(&'a self, _: &'a mut Tx<'_>) -> Switched<'a> {
        Box::pin(async { Ok(Err(Barred { why: NotActing::NotAMember, login_url: None })) })
    }
}

fn acts(acting: ActingFor) -> ActsFor {
    ActsFor {
        organization: acting.organization,
        roles: acting.roles,
        delegation: acting.on_behalf.map(|(_, delegation)| delegation.id),
    }
}

/// What they are told: of what somebody may not act for at all, nothing.
async fn barred(
    tx: &mut Tx<'_>,
    issuer: &str,
    application: Option<&Application>,
    (context, refusal): (Context, &Refusal),
) -> Result<Barred, StoreError> {
    let why = not_acting(refusal);
    let login_url = match application.filter(|_| why != NotActing::NotAMember) {
        Some(application) => login_url(tx, issuer, application, (context, refusal)).await?,
        None => None,
    };
    Ok(Barred { why, login_url })
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
    Ok(minted.acting.map(acts).ok_or(NotActing::NotAMember))
}

fn not_acting(refusal: &Refusal) -> NotActing {
    match refusal {
        Refusal::SsoRequired | Refusal::DelegationNotAccepted | Refusal::MethodNotAllowed => {
            NotActing::SsoRequired
        }
        Refusal::MfaRequired => NotActing::MfaRequired,
        // Of what the token itself is too old or too often exchanged for, too: whoever signs in gets another one.
        Refusal::AuthenticationTooOld
        | Refusal::ConnectionInactive
        | Refusal::SessionEnded
        | Refusal::Protocol(_) => NotActing::TooOld,
        Refusal::ConsentRequired => NotActing::ConsentRequired,
        _ => NotActing::NotAMember,
    }
}
