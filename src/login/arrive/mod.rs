//! An application sends us someone: an OIDC authorization request is checked against what the application may ask, by
//! whatever way it came (`came`).

pub mod api;
mod came;
pub mod pages;
mod signed;

use tower_sessions::Session;

use super::Stop;
use super::flow::Journey;
use super::refusal::Refusal;
use crate::foundation::id::ConnectionId;
use crate::foundation::secret::Digest;
use crate::keys::keyring::ALGORITHMS;
use crate::model::application::{Application, GrantType, OrganizationPrompt, OrganizationUsage};
use crate::model::connection::Connection;
use crate::model::consent;
use crate::model::login::{Arrived, Asked, Login, OrganizationAsked, Prompt, Stage, Ticket};
use crate::model::organization::Organization;
use crate::model::project::Organizations;
use crate::model::routing::{Question, Rule};
use crate::model::session::Session as StandingSession;
use crate::protocol::jose::{JwkSet, Jws, Typ};
use crate::protocol::oauth::authorization::Request;
use crate::protocol::oauth::claims_parameter::Named;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::organization::NamedOrganization;
use crate::protocol::oauth::response_mode::ResponseMode;
use crate::protocol::oauth::{resource, scope};
use crate::protocol::oidc::id_token;
use crate::store::durable::choices::{self, Choice};
use crate::store::durable::engine::StoreError;
use crate::store::durable::standing::{self, Person, Standing};
use crate::store::durable::{consents, organizations, routing};
use crate::web::browser;
use crate::web::visitor::Visitor;

/// By what ways a request came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Beforehand, from the application to us (RFC 9126).
    pub pushed: bool,
    /// As a request object (RFC 9101).
    pub signed: bool,
}

/// Where an answer may go: the redirect URI that the request names, if it is registered. One that names none is answered
/// nowhere, however many there are (OpenID Connect Core, section 3.1.2.1).
pub fn redirect_uri(application: &Application, requested: Option<&str>) -> Result<String, Refusal> {
    let named = requested.filter(|uri| application.settings.is_answered_at(uri));
    named.map(str::to_owned).ok_or(Refusal::BadRedirectUri)
}

/// What the application asks for, if it may. `issuer` is ours.
pub fn asked(
    application: &Application,
    issuer: &str,
    way: Way,
    request: Request,
    redirect_uri: String,
    state: Option<String>,
) -> Result<Asked, OAuthError> {
    let settings = &application.settings;
    if !settings.may_use(GrantType::AuthorizationCode) {
        return Err(OAuthError::unauthorized_client("this application signs nobody in"));
    }
    came_as_it_must(application, way)?;
    let response_mode = response_mode(application, request.response_mode, &redirect_uri)?;
    if settings.must_challenge() && request.code_challenge.is_none() {
        return Err(OAuthError::invalid_request("code_challenge is required for this client"));
    }
    let organization = organization_asked(&request)?;
    settings.may_ask_for_organizations(organization != OrganizationAsked::Unsaid, &request.scopes)?;
    let scopes = settings.granted_scopes(&request.scopes)?;
    resource::within(&request.resources, &application.resources(issuer))?;
    let prompt = |word: &str| request.prompts.iter().any(|prompt| prompt == word);
    Ok(Asked {
        redirect_uri,
        redirect_uri_given: true,
        response_mode,
        state,
        nonce: request.nonce.clone(),
        scopes,
        code_challenge: request.code_challenge.clone(),
        dpop_jkt: request.dpop_jkt.clone(),
        prompt: Prompt {
            none: prompt("none"),
            login: prompt("login"),
            select_account: prompt("select_account"),
            select_organization: prompt("select_organization"),
            consent: prompt("consent"),
        },
        max_age: request.max_age.or(settings.requests.default_max_age),
        login_hint: request.login_hint,
        domain_hint: request.domain_hint,
        connection: request.connection,
        organization,
        ui_locales: request.ui_locales,
        acr: request.claims.acr,
        claims: named_claims(application, request.claims.named),
        resources: request.resources,
        ticket: request.invitation.map(|secret| Ticket::not_yet_wanted(Digest::of(secret.as_bytes()))),
        ..Asked::by(application.id)
    })
}

fn came_as_it_must(application: &Application, way: Way) -> Result<(), OAuthError> {
    let requests = &application.settings.requests;
    if requests.require_pushed && !way.pushed {
        return Err(OAuthError::invalid_request("this application must push its requests"));
    }
    if requests.require_signed && !way.signed {
        return Err(OAuthError::invalid_request("this application must sign its requests"));
    }
    Ok(())
}

/// How the answer travels: as it was asked for, if the application may have that and the address can take it.
fn response_mode(
    application: &Application,
    wanted: Option<ResponseMode>,
    redirect_uri: &str,
) -> Result<ResponseMode, OAuthError> {
    let requests = &application.settings.requests;
    match wanted {
        None if requests.response_modes.contains(&ResponseMode::Query) => Ok(ResponseMode::Query),
        None => Err(OAuthError::invalid_request("this application must say which response_mode it wants")),
        Some(mode) if !requests.response_modes.contains(&mode) => {
            Err(OAuthError::invalid_request("this application may not ask for this response_mode"))
        }
        Some(mode) if !mode.reaches(redirect_uri) => {
            Err(OAuthError::invalid_request("this redirect_uri takes no form"))
        }
        Some(mode) => Ok(mode),
    }
}

/// Claims by name are no way round the scopes: whoever may not ask for the scope of a claim does not get it.
fn named_claims(application: &Application, named: Named) -> Named {
    let may = |scope: &str| application.settings.scopes.iter().any(|one| one == scope);
    let (email, profile) = (may(scope::EMAIL), may(scope::PROFILE));
    let shape = &application.settings.claims;
    named
        .meaning(|name| shape.meant_by(name))
        .within(|name| if consent::is_of_email(name) { email } else { profile })
}

/// What an ID token of ours calls whom it is of, however old it is (OpenID Connect Core, section 3.1.2.1).
pub fn hinted_subject(issuer: &str, keys: &JwkSet, hint: &str) -> Result<String, OAuthError> {
    let claims = Jws::parse(hint).and_then(|jws| jws.verify(keys, &ALGORITHMS, Typ::Jwt));
    let claims = claims.map_err(|_| no_hint())?;
    let subject = claims.sub().ok().filter(|_| id_token::is_one(&claims, issuer));
    subject.map(str::to_owned).ok_or_else(no_hint)
}

/// The same for a name that is not this application's for anybody.
pub fn no_hint() -> OAuthError {
    OAuthError::invalid_request("id_token_hint is no ID token of ours")
}

/// The organization that the parameter and the scopes agree on.
fn organization_asked(request: &Request) -> Result<OrganizationAsked, OAuthError> {
    OrganizationAsked::of(&request.scopes, request.organization.as_ref())
}

/// Whose session this browser has already, if it will do for what is asked.
pub async fn standing_session(
    visitor: &Visitor,
    browser: &Session,
    application: &Application,
    login: &Login,
    arrived: &Arrived,
) -> Result<Option<Person>, Stop> {
    let asked = &login.asked;
    let anew = login.proves_again || asked.prompt.login;
    if arrived.another_account || anew || asked.prompt.select_account {
        return Ok(None);
    }
    let (broker, project) = (visitor.broker(), visitor.project.id);
    let Some(id) = browser::session_of(browser, project).await? else { return Ok(None) };
    let Some(standing) = standing::of(&mut &broker.db, project, id).await? else { return Ok(None) };
    let Standing { session, user, connection, .. } = &standing;
    if !session.is_alive(broker.now()) || is_too_old(visitor, session, asked.max_age) {
        return Ok(None);
    }
    // Of who has allowed it nothing, one of others does not learn either whether it is whom it means, or who vouched for them.
    if asked.prompt.none && !consents::knows(&mut &broker.db, user.id, application, &[]).await? {
        return Err(Refusal::ConsentRequired.into());
    }
    // They may prove better who they are, where anybody may ask them to.
    if !asked.is_proved_by(&session.assurance) && !asked.prompt.none {
        return Ok(None);
    }
    let fits = fits_connection(application, connection, asked) && asked.is_for(user);
    let fits = fits
        && is_where_the_hint_leads(visitor, application, login, connection.id).await?
        && (standing.still_provided || is_good_elsewhere(visitor, application, &standing, asked).await?);
    Ok(fits.then_some(Person { session: standing.session, user: standing.user, current: standing.current }))
}

/// The address of who is to prove once more who they are, unless they say that they are somebody else: while they are signed
/// in at this browser, where anybody may read it at their account.
pub async fn proves_again(
    visitor: &Visitor,
    browser: &Session,
    journey: &Journey,
) -> Result<Option<String>, Stop> {
    let is_another = matches!(&journey.login.stage, Stage::Arrived(Arrived { another_account: true, .. }));
    if !journey.login.proves_again || is_another {
        return Ok(None);
    }
    let (broker, project) = (visitor.broker(), visitor.project.id);
    let Some(id) = browser::session_of(browser, project).await? else { return Ok(None) };
    let found = standing::person(&mut &broker.db, project, id).await?;
    let found = found.filter(|found| found.session.is_alive(broker.now()));
    Ok(found.and_then(|found| found.user.email).map(|email| email.to_string()))
}

/// An application that says by `domain_hint` which company's people it means does not get another one's, because somebody
/// of those was here before. As far as this login goes by the hint: what counts for more leads elsewhere, and a domain that
/// leads nowhere says nothing.
async fn is_where_the_hint_leads(
    visitor: &Visitor,
    application: &Application,
    login: &Login,
    connection: ConnectionId,
) -> Result<bool, StoreError> {
    let asked = &login.asked;
    if asked.domain_hint.is_none() {
        return Ok(true);
    }
    let question = Question {
        connection: asked.connection.as_deref(),
        organization: login.organization_named(),
        login_hint: asked.login_hint.as_deref(),
        domain_hint: asked.domain_hint.as_deref(),
    };
    let (broker, switches) = (visitor.broker(), &visitor.project.settings.switches);
    let routed = routing::decide(&mut &broker.db, application, switches, &question, broker.now()).await?;
    let leads = routed.steps.iter().find(|step| step.matched());
    Ok(leads.is_none_or(|step| step.rule != Rule::DomainHint || step.connections.contains(&connection)))
}

/// Whose organization was shut down since signs in anew (threats H03). Not so who is a member of another one, where that
/// is asked for, or where nobody could sign in to the first anyway: to them nothing has happened (S0-31).
async fn is_good_elsewhere(
    visitor: &Visitor,
    application: &Application,
    standing: &Standing,
    asked: &Asked,
) -> Result<bool, StoreError> {
    let (broker, project) = (visitor.broker(), &visitor.project);
    let Some(provider) = standing.provider.as_ref().filter(|one| one.deleted_at.is_none()) else {
        return Ok(false);
    };
    let settings = &application.settings;
    let chooses = settings.organization_usage != OrganizationUsage::Deny
        && project.settings.organizations != Organizations::Off;
    let asks = settings.organization_prompt != OrganizationPrompt::None;
    let names: Vec<_> = asked.organization.named().into_iter().flat_map(NamedOrganization::texts).collect();
    // Who may not know for whom else they act does not learn it by whether they are taken for signed in.
    if asked.prompt.none && !consents::knows(&mut &broker.db, standing.user.id, application, &names).await? {
        return Ok(false);
    }
    let mut choices = match &asked.organization {
        OrganizationAsked::Named(named) => {
            match organizations::named(&mut &broker.db, project.id, named.name()).await? {
                Some(named) => choices::to(&mut &broker.db, &standing.user, named.id, broker.now())
                    .await?
                    .into_iter()
                    .collect(),
                None => Vec::new(),
            }
        }
        OrganizationAsked::One => available(visitor, application, standing, provider).await?,
        OrganizationAsked::Unsaid if asks => available(visitor, application, standing, provider).await?,
        OrganizationAsked::Unsaid | OrganizationAsked::All => Vec::new(),
    };
    if asked.prompt.none {
        consents::leave_known(&mut &broker.db, standing.user.id, application, &mut choices).await?;
    }
    let elsewhere = |one: &Choice| one.delegation.is_none() && one.organization != provider.id;
    Ok(chooses && choices.iter().any(elsewhere))
}

/// What they may choose among while the organization by which they came is shut.
async fn available(
    visitor: &Visitor,
    application: &Application,
    standing: &Standing,
    provider: &Organization,
) -> Result<Vec<Choice>, StoreError> {
    let broker = visitor.broker();
    if provider.is_active() {
        return Ok(Vec::new());
    }
    choices::of(&mut &broker.db, application, &standing.user, broker.now(), choices::ALL).await
}

fn is_too_old(visitor: &Visitor, session: &StandingSession, max_age: Option<u64>) -> bool {
    let age = session.proved_at().map(|at| visitor.broker().now().since(at));
    // max_age=0 always asks again (OpenID Connect Core, section 3.1.2.1), and nobody knows how old it is that was not told.
    max_age.is_some_and(|limit| limit == 0 || age.is_none_or(|age| age.as_secs() > limit))
}

/// How they signed in must be open, now, to this application, and what it asked for.
fn fits_connection(application: &Application, connection: &Connection, asked: &Asked) -> bool {
    let open = connection.is_active()
        && application.settings.accepts_connection(connection.id, connection.organization_id.is_some());
    let named = |name: &String| {
        connection.slug == *name || name.parse().is_ok_and(|id: ConnectionId| id == connection.id)
    };
    open && asked.connection.as_ref().is_none_or(named)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::oauth::authorization;
    use crate::protocol::oauth::organization::NamedOrganization;
    use crate::protocol::oauth::params::Params;

    fn organization(query: &str) -> Result<OrganizationAsked, &'static str> {
        let query = format!("response_type=code&{query}");
        let request =
            authorization::request(&Params::parse(query.as_bytes()).unwrap()).map_err(|e| e.code)?;
        organization_asked(&request).map_err(|error| error.code)
    }

    #[test]
    fn the_organization_is_asked_for_in_many_ways_but_never_guessed() {
        use OrganizationAsked::{All, One, Unsaid};
        let named = |name: &str| Ok(OrganizationAsked::Named(NamedOrganization::one(name)));
        assert_eq!(organization("scope=openid"), Ok(Unsaid));
        assert_eq!(organization("scope=openid+organization"), Ok(One));
        assert_eq!(organization("scope=openid+organization:*"), Ok(All));
        assert_eq!(organization("scope=openid+organization:acme"), named("acme"));
        assert_eq!(organization("scope=openid+organization&organization=acme"), named("acme"));
        assert_eq!(organization("scope=openid&organization_id=acme"), Err("invalid_request"), "ids only");
        let id = crate::foundation::id::OrganizationId::from_u128(7).to_string();
        assert_eq!(organization(&format!("scope=openid&organization_id={id}")), named(&id));
        let both = organization(&format!("scope=openid&organization_id={id}&organization=acme"));
        assert!(matches!(both, Ok(OrganizationAsked::Named(both)) if both.agrees_with("acme")));
        assert_eq!(organization("scope=openid+organization:acme&organization=other"), Err("invalid_request"));
        assert_eq!(organization("scope=openid+organization:*&organization=acme"), Err("invalid_request"));
        assert_eq!(organization("scope=openid+organization:a+organization:b"), Err("invalid_request"));
        assert_eq!(organization("scope=openid+organization+organization:*"), Err("invalid_request"));
        assert_eq!(organization("scope=openid+organization:acme&organization=acme"), named("acme"));
    }
}
