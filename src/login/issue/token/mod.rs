//! The token endpoint: one door, at which the application proves who it is, and one room behind it for each way to
//! tokens. Whatever is given out went through [`super::mint`].

mod client_credentials;
mod code;
mod device;
mod exchange;
mod refresh;
mod signing;

use std::time::Duration;

use super::{client, possession, way_in};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, GrantId};
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::keys::keyring::Keyring;
use crate::keys::refresh_tokens::Family;
use crate::login::refusal::Refusal;
use crate::login::{Stop, note, note_claimed};
use crate::model::application::{Application, ApplicationSettings, GrantType};
use crate::model::grant::{Grant, Refresh};
use crate::model::login::Context;
use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::organization::NamedOrganization;
use crate::protocol::oauth::params::Params;
use crate::protocol::oauth::scope;
use crate::protocol::oauth::token::{TokenAnswer, TokenRequest, token_request};
use crate::store::durable::choices::{self, Choice};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{applications, consents, memberships, organizations, users};
use crate::store::ephemeral::Kind;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

pub use exchange::{Switching, switching};

const HOUR: Duration = Duration::from_secs(3_600);

/// Why there are no tokens.
#[derive(Debug)]
pub enum NoTokens {
    Refused {
        error: OAuthError,
        /// Where the person could do what is missing.
        login_url: Option<String>,
    },
    /// What a device is told that asks again and again (RFC 8628, section 3.5).
    Waits(OAuthError),
    Failed(Fault),
}

/// What the pipeline refuses makes the grant invalid (RFC 6749, section 5.2).
impl From<Stop> for NoTokens {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(Refusal::Protocol(error)) => Self::Refused { error, login_url: None },
            // What was presented is as good as before.
            Stop::Refused(Refusal::TooManyRequests) => {
                let error =
                    OAuthError::temporarily_unavailable("too many requests for tokens: wait a minute");
                Self::Refused { error, login_url: None }
            }
            Stop::Refused(other) => {
                Self::Refused { error: OAuthError::invalid_grant(other.description()), login_url: None }
            }
            Stop::Failed(fault) => Self::Failed(fault),
        }
    }
}

/// Tokens for whatever is presented.
pub async fn granted(visitor: &Visitor, params: &Params) -> Result<TokenAnswer, NoTokens> {
    let Asked { application, request, proved } = match asked(visitor, params).await {
        // Nothing is wrong: whoever comes first learns a nonce so.
        Err(Stop::Refused(refusal)) if possession::only_wants_nonce(&refusal) => {
            return Err(Stop::Refused(refusal).into());
        }
        Err(Stop::Refused(refusal)) => {
            let claimed = client::claimed(visitor, params);
            let noted = note_claimed(visitor, "token.refused", &refusal, claimed.as_deref()).await;
            noted.map_err(NoTokens::Failed)?;
            return Err(Stop::Refused(refusal).into());
        }
        other => other?,
    };
    // None of them stands on the others' stack.
    match request {
        TokenRequest::Code(request) => {
            Ok(Box::pin(code::redeem(visitor, application, request, proved)).await?)
        }
        TokenRequest::Refresh(request) => {
            Box::pin(refresh::refresh(visitor, application, request, proved)).await
        }
        TokenRequest::ClientCredentials(request) => {
            Box::pin(client_credentials::issue(visitor, application, request, proved)).await
        }
        TokenRequest::Device(request) => Box::pin(device::poll(visitor, application, request, proved)).await,
        TokenRequest::Exchange(request) => {
            Box::pin(exchange::exchange(visitor, application, request, proved)).await
        }
    }
}

/// Who asks for tokens, and for what.
struct Asked {
    application: Application,
    request: TokenRequest,
    /// What they proved to hold: tokens are bound to it, as far as the application's settings say.
    proved: Confirmation,
}

/// Which application asks, proved, and for what; it may. The proof of a key comes first, for who has to come again with a
/// nonce has used up nothing by then.
async fn asked(visitor: &Visitor, params: &Params) -> Result<Asked, Stop> {
    if let Some(error) = params.twice() {
        return Err(Refusal::Protocol(OAuthError::invalid_request(error.to_string())).into());
    }
    let proof = possession::shown(visitor, None)?;
    let application = client::authenticate(visitor, params).await?;
    let request = token_request(params).map_err(Refusal::Protocol)?;
    let grant_type = grant_type(&request);
    if !application.settings.may_use(grant_type) {
        let why = format!("this application may not use {grant_type}");
        return Err(Refusal::Protocol(OAuthError::unauthorized_client(why)).into());
    }
    let (is_named, scopes) = asks_for(&request);
    application.settings.may_ask_for_organizations(is_named, scopes).map_err(Refusal::Protocol)?;
    if proof.is_none() && application.settings.sender.dpop_bound_access_tokens {
        let why = "the DPoP proof is missing: the tokens of this application are bound to a key";
        return Err(Refusal::Protocol(OAuthError::invalid_dpop_proof(why)).into());
    }
    let certificate = possession::certificate(visitor);
    if certificate.is_none() && application.settings.sender.tls_client_certificate_bound_access_tokens {
        let why = "no certificate was shown: the tokens of this application are bound to one";
        return Err(Refusal::Protocol(OAuthError::invalid_request(why)).into());
    }
    if let Some(proof) = &proof {
        proof.fits(&application.settings)?;
        possession::once(visitor, proof).await?;
    }
    let jkt = proof.map(|proof| proof.jkt().to_owned());
    let proved = Confirmation { jkt, certificate };
    Ok(Asked { application, request, proved })
}

/// What the refresh tokens of a new family are bound to: those of a public client to what its access tokens are bound to,
/// for nothing else says who comes with them (RFC 9449, section 5; RFC 8705, section 4).
fn binding_of_refresh(settings: &ApplicationSettings, proved: &Confirmation) -> Confirmation {
    if settings.is_public() { settings.binding(proved) } else { Confirmation::default() }
}

/// Whether it names an organization, and its scopes, where they are not those of what was granted before.
fn asks_for(request: &TokenRequest) -> (bool, &[String]) {
    let (organization, scopes) = match request {
        TokenRequest::Refresh(request) => (&request.organization, request.scopes.as_deref()),
        TokenRequest::ClientCredentials(request) => (&request.organization, Some(request.scopes.as_slice())),
        TokenRequest::Exchange(request) => (&request.organization, request.scopes.as_deref()),
        TokenRequest::Code(_) | TokenRequest::Device(_) => (&None, None),
    };
    (organization.is_some(), scopes.unwrap_or_default())
}

fn grant_type(request: &TokenRequest) -> GrantType {
    match request {
        TokenRequest::Code(_) => GrantType::AuthorizationCode,
        TokenRequest::Refresh(_) => GrantType::RefreshToken,
        TokenRequest::ClientCredentials(_) => GrantType::ClientCredentials,
        TokenRequest::Device(_) => GrantType::DeviceCode,
        TokenRequest::Exchange(_) => GrantType::TokenExchange,
    }
}

/// What is told to who asked for an organization by its name. One text for unknown and not allowed: the answer is no oracle
/// of who is a customer.
fn not_for_this_organization(refusal: &Refusal) -> Option<NoTokens> {
    let error = match refusal {
        Refusal::OrganizationNotAllowed
        | Refusal::OrganizationInactive
        | Refusal::MembershipInactive
        | Refusal::DelegationInactive
        | Refusal::ApplicationNotAllowed => OAuthError::access_denied("organization_not_allowed"),
        // An application that needs one may name one.
        Refusal::NoOrganization => {
            OAuthError::organization_selection_required("name an organization to act for")
        }
        _ => return None,
    };
    Some(NoTokens::Refused { error, login_url: None })
}

/// How the person may act for the organization of this name; what does not exist reads like what is not theirs, and to an
/// application of others so does whatever it was not allowed for: before anybody looks how they stand to it. What is named in two
/// ways is compared as at the authorization endpoint: by whoever may act for one of the two by this application.
async fn choice(
    tx: &mut Tx<'_>,
    application: &Application,
    grant: &Grant,
    (named, now): (&NamedOrganization, Moment),
) -> Result<Result<Choice, Refusal>, StoreError> {
    let project = grant.project_id;
    let Some(user) = users::by_id(tx, project, grant.user_id).await? else {
        return Ok(Err(Refusal::OrganizationNotAllowed));
    };
    let names: Vec<_> = named.texts().collect();
    if !consents::knows(tx, user.id, application, &names).await? {
        return Ok(Err(Refusal::ConsentRequired));
    }
    for text in names {
        let Some(organization) = organizations::named(tx, project, text).await? else { continue };
        let Some(choice) = choices::to(tx, &user, organization.id, now).await? else { continue };
        if text == named.name() && named.agrees_with(&choice.slug) {
            return Ok(Ok(choice));
        }
        let limited = application.settings.organizations_limited;
        if !limited || applications::is_listed(tx, application.id, organization.id).await? {
            return Ok(Err(Refusal::Protocol(NamedOrganization::disagreement())));
        }
    }
    Ok(Err(Refusal::OrganizationNotAllowed))
}

/// What is told to who wanted to switch to an organization: what they could do about it, too. `context`: in which they may
/// act for it, but for that.
async fn switch_refused(
    visitor: &Visitor,
    (application, named): (&Application, &NamedOrganization),
    context: Context,
    refusal: Refusal,
) -> NoTokens {
    let (db, issuer) = (&mut &visitor.broker().db, visitor.issuer());
    if refusal == Refusal::ConsentRequired {
        let error = OAuthError::consent_required("the person has not allowed it for this organization");
        // By what it said itself: what the organization is called besides is told to nobody who was not allowed to know.
        let login_url = application.login_begins_for(&issuer, named.name(), None);
        return NoTokens::Refused { error, login_url };
    }
    let login_url = match way_in::login_url(db, &issuer, application, (context, &refusal)).await {
        Ok(login_url) => login_url,
        Err(error) => return NoTokens::Failed(error.into()),
    };
    let error = match refusal {
        Refusal::SsoRequired
        | Refusal::MethodNotAllowed
        | Refusal::DelegationNotAccepted
        | Refusal::AuthenticationTooOld => OAuthError::sso_required(match refusal {
            Refusal::SsoRequired => "the organization lets in only who signed in by a connection of its own",
            other => other.name(),
        }),
        Refusal::MfaRequired => {
            OAuthError::mfa_required("the organization lets in only who has shown a second factor")
        }
        Refusal::DeviceNotAllowed => return device_refused(),
        other => {
            return not_for_this_organization(&other).unwrap_or_else(|| Stop::Refused(other).into());
        }
    };
    NoTokens::Refused { error, login_url }
}

/// The organization lets no devices in now. The grant is as good as before, and nothing that the person does at a browser
/// helps: whoever was told that it is invalid would throw it away, and begin what cannot end well.
fn device_refused() -> NoTokens {
    let error = OAuthError::access_denied(Refusal::DeviceNotAllowed.name());
    NoTokens::Refused { error, login_url: None }
}

/// Scopes that name the organization which was left name none any more.
fn unnamed(scopes: &[String]) -> Vec<String> {
    let mut unnamed: Vec<String> = Vec::new();
    for one in scopes {
        let named = scope::organization(one).is_some_and(|name| !name.is_empty() && name != "*");
        let one = if named { scope::ORGANIZATION } else { one.as_str() };
        if !unnamed.iter().any(|known| known == one) {
            unnamed.push(one.to_owned());
        }
    }
    unnamed
}

/// What was presented is worth nothing.
enum Denied {
    /// Together with what it changed.
    Recorded(Refusal),
    /// Nothing was changed. Whoever asks again and again may not fill the audit trail by it.
    Unrecorded(ApplicationId, Refusal),
    /// The same of tokens for an organization that the person may act for, or could until now: it stands in its trail.
    UnrecordedOf(ApplicationId, Context, Refusal),
}

impl Denied {
    /// In which context the person may act, but for what is refused; none where that is not known, or there is none.
    fn context(&self) -> Context {
        match self {
            Self::UnrecordedOf(_, context, _) => *context,
            Self::Recorded(_) | Self::Unrecorded(..) => Context::Personal,
        }
    }

    async fn told(self, visitor: &Visitor) -> Result<Refusal, Fault> {
        match self {
            Self::Recorded(refusal) => Ok(refusal),
            Self::Unrecorded(application, refusal) => {
                note(visitor, "token.refused", &refusal, Some(application), None).await?;
                Ok(refusal)
            }
            Self::UnrecordedOf(application, context, refusal) => {
                let organization = context.organization();
                note(visitor, "token.refused", &refusal, Some(application), organization).await?;
                Ok(refusal)
            }
        }
    }
}

fn invalid_grant(description: &'static str) -> Refusal {
    Refusal::Protocol(OAuthError::invalid_grant(description))
}

/// How long what is given out lives: as the application's settings say, or the operator's.
#[derive(Clone, Copy, Debug)]
struct Lifetimes {
    /// Seconds.
    access_token: u64,
    /// Seconds.
    id_token: u64,
    family: Duration,
    idle: Duration,
}

impl Lifetimes {
    fn of(visitor: &Visitor, settings: &ApplicationSettings) -> Self {
        let (usual, own) = (&visitor.broker().config.tokens, &settings.lifetimes);
        Self {
            access_token: own.access_token.unwrap_or(usual.access_token_lifetime),
            id_token: own.id_token.unwrap_or(usual.id_token_lifetime),
            family: Duration::from_secs(own.refresh_token.unwrap_or(usual.refresh_token_lifetime)),
            idle: Duration::from_secs(own.refresh_token_idle.unwrap_or(usual.refresh_token_idle_lifetime)),
        }
    }
}

/// The first refresh token of a family, where the application may refresh; and how its family goes on, until when.
fn first_refresh_token(
    settings: &ApplicationSettings,
    lifetimes: &Lifetimes,
    (keyring, random): (&Keyring, &Random),
    (grant, proved): (GrantId, &Confirmation),
    now: Moment,
) -> Option<(Secret, (Refresh, Moment))> {
    if !settings.may_use(GrantType::RefreshToken) {
        return None;
    }
    let (family, secret) = Family::new(keyring, random, grant);
    let ends = now.plus(lifetimes.family);
    let idle = now.plus(lifetimes.idle).min(ends);
    let bound = binding_of_refresh(settings, proved);
    let refresh = Refresh { secret, generation: 0, rotated_at: now, expires_at: idle, bound };
    Some((family.token(0), (refresh, ends)))
}

/// Notes when somebody last acted for an organization; once an hour is exact enough, and spares a write per token.
async fn acts(visitor: &Visitor, grant: &Grant) -> Result<(), Stop> {
    let Some(organization) = grant.organization else { return Ok(()) };
    let (broker, user, now) = (visitor.broker(), grant.user_id, visitor.broker().now());
    let what = format!("acts {user} {organization}");
    if broker.ephemeral.count(Kind::RateCounter, &what, HOUR).await? == 1 {
        broker.db.write(async move |tx| memberships::acts(tx, organization, user, now).await).await?;
    }
    Ok(())
}
