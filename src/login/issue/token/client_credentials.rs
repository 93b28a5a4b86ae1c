//! An application asks for itself (RFC 6749, section 4.4), to work in an organization or in none. Nobody signs in, so
//! there is neither an ID token nor anything to refresh: it asks again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::signing::sign_access_token;
use super::{Denied, Lifetimes, NoTokens, not_for_this_organization};
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::{GrantId, OrganizationId, RequestId};
use crate::foundation::random::Random;
use crate::login::Stop;
use crate::login::issue::claims;
use crate::login::issue::mint::{self, MachineMinted, MachineRequest};
use crate::login::refusal::Refusal;
use crate::model::application::{Application, OrganizationUsage};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::login::OrganizationAsked;
use crate::model::machine_grant::MachineGrant;
use crate::model::project::Organizations;
use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::organization::NamedOrganization;
use crate::protocol::oauth::token::{ClientCredentialsRequest, TokenAnswer};
use crate::protocol::oauth::{resource, scope};
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{applications, machine_grants, organizations};
use crate::web::visitor::Visitor;

pub async fn issue(
    visitor: &Visitor,
    application: Application,
    request: ClientCredentialsRequest,
    proved: Confirmation,
) -> Result<TokenAnswer, NoTokens> {
    let id = application.id;
    match issued(visitor, application, request, proved).await {
        Err(Stop::Refused(refusal)) => {
            let refusal = Denied::Unrecorded(id, refusal).told(visitor).await.map_err(NoTokens::Failed)?;
            Err(not_for_this_organization(&refusal).unwrap_or_else(|| Stop::Refused(refusal).into()))
        }
        other => Ok(other?),
    }
}

async fn issued(
    visitor: &Visitor,
    application: Application,
    request: ClientCredentialsRequest,
    proved: Confirmation,
) -> Result<TokenAnswer, Stop> {
    let broker = visitor.broker();
    let scopes = scopes(&application, &request.scopes)?;
    let has = application.resources(&visitor.issuer());
    let resources = resource::chosen(&request.resources, &[], &has).map_err(Refusal::Protocol)?;
    let asking = Arc::new(Asking {
        random: broker.random.clone(),
        now: broker.now(),
        tag: visitor.request,
        organization: organization(&application, &request, &scopes)?,
        needs_one: scopes.iter().any(|one| one == scope::ORGANIZATION),
        uses_none: application.settings.organization_usage == OrganizationUsage::Deny
            || visitor.project.settings.organizations == Organizations::Off,
        lifetime: Duration::from_secs(Lifetimes::of(visitor, &application.settings).access_token),
        scopes,
        bound: application.settings.binding(&proved),
        resources,
        application,
    });
    let work = Arc::clone(&asking);
    let (grant, minted) = broker.db.write_again_on_snapshot(async move |tx| work.run(tx).await).await??;
    asking.sign(visitor, &grant, &minted).await
}

/// What it may ask for where there is no person: an organization. What means nothing here is left out.
fn scopes(application: &Application, wanted: &[String]) -> Result<Vec<String>, Refusal> {
    let invalid = |why: String| Refusal::Protocol(OAuthError::invalid_scope(why));
    let mut granted: Vec<String> = Vec::new();
    for one in wanted {
        let is_organization = scope::organization(one).is_some_and(|name| name != "*");
        if !is_organization && (one == "organization:*" || scope::SUPPORTED.contains(&one.as_str())) {
            return Err(invalid(format!("{one} is of a person, and there is none")));
        }
        if !is_organization || granted.contains(one) {
            continue;
        }
        if !application.settings.scopes.iter().any(|scope| scope == scope::ORGANIZATION) {
            return Err(invalid("this application may not ask for organization".to_owned()));
        }
        granted.push(one.clone());
    }
    // No scope in the answer would say that it has what it asked for (RFC 6749, section 5.1).
    if granted.is_empty() && !wanted.is_empty() {
        return Err(invalid("none of the scopes means anything here".to_owned()));
    }
    Ok(granted)
}

/// The organization that the parameter and the scopes agree on. An organization's own application works for that one and for
/// no other, so that it needs to name none. None: it is for [`Asking::unnamed`] to say.
fn organization(
    application: &Application,
    request: &ClientCredentialsRequest,
    scopes: &[String],
) -> Result<Option<NamedOrganization>, Refusal> {
    let asked = OrganizationAsked::of(scopes, request.organization.as_ref());
    let own = application.organization_id.map(|id| NamedOrganization::one(id.to_string()));
    match (asked.map_err(Refusal::Protocol)?, own) {
        (OrganizationAsked::Named(named), _) => Ok(Some(named)),
        (OrganizationAsked::Unsaid | OrganizationAsked::One, Some(own)) => Ok(Some(own)),
        (OrganizationAsked::Unsaid | OrganizationAsked::One, None) => Ok(None),
        (OrganizationAsked::All, _) => Err(Refusal::NoOrganization),
    }
}

/// One token, in one transaction.
struct Asking {
    random: Random,
    now: Moment,
    tag: RequestId,
    lifetime: Duration,
    application: Application,
    scopes: Vec<String>,
    /// For which audiences it is; empty: for all that the application has.
    resources: Vec<String>,
    organization: Option<NamedOrganization>,
    /// Whether it asks for one without saying which.
    needs_one: bool,
    /// Whether it is told of none, whichever it is for.
    uses_none: bool,
    bound: Confirmation,
}

type Issued = Result<(MachineGrant, MachineMinted), Refusal>;

impl Asking {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Issued, StoreError> {
        let (project, application, now) = (self.application.project_id, self.application.id, self.now);
        let minted = match self.minted(tx).await? {
            Ok(minted) => minted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let organization = minted.organization.as_ref().map(|found| found.id);
        let grant = MachineGrant {
            id: GrantId::new(&self.random, now),
            project_id: project,
            application_id: application,
            organization: minted.organization.as_ref().map(|it| (it.id, it.epoch)),
            scopes: self.scopes.clone(),
            expires_at: now.plus(self.lifetime),
            revoked_at: None,
        };
        machine_grants::insert(tx, &grant, now).await?;
        let event = AuditEvent::new(project, "token.issued", Outcome::Granted)
            .organization(organization)
            .subject(grant.id)
            .request(Some(self.tag))
            .with("application", application.to_string())
            .with("grant_type", "client_credentials");
        audit::record(tx, &self.random, now, &event).await?;
        Ok(Ok((grant, minted)))
    }

    /// What is named in two ways is compared by who may work for one of the two, as it is for people.
    async fn minted(&self, tx: &mut Tx<'_>) -> Result<Result<MachineMinted, Refusal>, StoreError> {
        let Some(named) = &self.organization else { return self.unnamed(tx).await };
        let mut refused = Refusal::OrganizationNotAllowed;
        let mut found = Vec::new();
        for text in named.texts() {
            let organization = organizations::named(tx, self.application.project_id, text).await?;
            found.extend(organization.map(|organization| (text, organization)));
        }
        // In order, and not as they were named, so that nobody waits for each other.
        if found.len() > 1 {
            let all: BTreeSet<_> = found.iter().map(|(_, organization)| organization.id).collect();
            for organization in all {
                tx.lock(Lock::Shared, "organizations", &organization.to_string()).await?;
            }
        }
        for (text, organization) in found {
            match self.minted_for(tx, Some(organization.id)).await? {
                Ok(minted) if text == named.name() && named.agrees_with(&organization.slug) => {
                    return Ok(Ok(minted));
                }
                Ok(_) => return Ok(Err(Refusal::Protocol(NamedOrganization::disagreement()))),
                Err(refusal) if text == named.name() => refused = refusal,
                Err(_) => {}
            }
        }
        Ok(Err(refused))
    }

    /// For the only one that it is for, or for none where it is for no named ones: as a person with one membership is
    /// asked nothing. Of several nothing is guessed, whichever of them are active.
    async fn unnamed(&self, tx: &mut Tx<'_>) -> Result<Result<MachineMinted, Refusal>, StoreError> {
        let is_for_some = self.application.settings.organizations_limited && !self.uses_none;
        let found =
            if is_for_some { applications::listed(tx, self.application.id).await? } else { Vec::new() };
        match found.as_slice() {
            [only] => self.minted_for(tx, Some(*only)).await,
            [] if !self.needs_one => self.minted_for(tx, None).await,
            _ => Ok(Err(Refusal::NoOrganization)),
        }
    }

    async fn minted_for(
        &self,
        tx: &mut Tx<'_>,
        organization: Option<OrganizationId>,
    ) -> Result<Result<MachineMinted, Refusal>, StoreError> {
        let (project, application) = (self.application.project_id, self.application.id);
        let request = MachineRequest { project, application, organization, now: self.now, epoch: None };
        mint::run_for_machine(tx, &request).await
    }

    async fn sign(
        &self,
        visitor: &Visitor,
        grant: &MachineGrant,
        minted: &MachineMinted,
    ) -> Result<TokenAnswer, Stop> {
        let algorithm = minted.application.settings.algorithm;
        let keys = visitor.broker().keyring.of(grant.project_id).await?;
        let (issuer, id, jti) = (visitor.issuer(), grant.id.to_string(), self.random.token());
        let whose = (issuer.as_str(), id.as_str(), jti.expose());
        let to = (grant.scopes.as_slice(), self.resources.as_slice());
        let claims = claims::machine_access_token(minted, whose, to, (self.now, grant.expires_at));
        let access_token = sign_access_token(keys.signing(algorithm, self.now)?, claims, &self.bound)?;
        Ok(TokenAnswer {
            access_token,
            issued_token_type: None,
            token_type: self.bound.token_type(),
            expires_in: self.lifetime.as_secs(),
            refresh_token: None,
            id_token: None,
            scope: grant.scopes.join(" "),
        })
    }
}
