//! The token endpoint: one door, at which the application proves who it is, and one room behind it for each way to
//! tokens. Whatever is given out went through [`super::mint`].

mod client_credentials;
mod code;
mod refresh;
mod signing;

use std::time::Duration;

use super::client;
use super::mint::Minted;
use crate::foundation::id::ApplicationId;
use crate::login::refusal::Refusal;
use crate::login::{Stop, note, note_claimed};
use crate::model::application::{Application, ApplicationSettings, GrantType};
use crate::model::grant::Grant;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::protocol::oauth::token::{TokenAnswer, TokenRequest, token_request};
use crate::store::durable::memberships;
use crate::store::ephemeral::Kind;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

const HOUR: Duration = Duration::from_secs(3_600);

/// Why there are no tokens.
#[derive(Debug)]
pub enum NoTokens {
    Refused {
        error: OAuthError,
        /// Where the person could do what is missing.
        login_url: Option<String>,
    },
    Failed(Fault),
}

/// What the pipeline refuses makes the grant invalid (RFC 6749, section 5.2).
impl From<Stop> for NoTokens {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(Refusal::Protocol(error)) => Self::Refused { error, login_url: None },
            Stop::Refused(other) => {
                Self::Refused { error: OAuthError::invalid_grant(other.name()), login_url: None }
            }
            Stop::Failed(fault) => Self::Failed(fault),
        }
    }
}

/// Tokens for whatever is presented.
pub async fn granted(visitor: &Visitor, params: &Params) -> Result<TokenAnswer, NoTokens> {
    let (application, request) = match asked(visitor, params).await {
        Err(Stop::Refused(refusal)) => {
            let claimed = client::claimed(visitor, params);
            let noted = note_claimed(visitor, "token.refused", &refusal, claimed.as_deref()).await;
            noted.map_err(NoTokens::Failed)?;
            return Err(Stop::Refused(refusal).into());
        }
        other => other?,
    };
    match request {
        TokenRequest::Code(request) => Ok(code::redeem(visitor, application, request).await?),
        TokenRequest::Refresh(request) => refresh::refresh(visitor, application, request).await,
        TokenRequest::ClientCredentials(request) => {
            client_credentials::issue(visitor, application, request).await
        }
    }
}

/// Which application asks, proved, and for what; it may.
async fn asked(visitor: &Visitor, params: &Params) -> Result<(Application, TokenRequest), Stop> {
    if let Some(error) = params.twice() {
        return Err(Refusal::Protocol(OAuthError::invalid_request(error.to_string())).into());
    }
    let application = client::authenticate(visitor, params).await?;
    let request = token_request(params).map_err(Refusal::Protocol)?;
    let grant_type = grant_type(&request);
    if !application.settings.may_use(grant_type) {
        let why = format!("this application may not use {grant_type}");
        return Err(Refusal::Protocol(OAuthError::unauthorized_client(why)).into());
    }
    Ok((application, request))
}

fn grant_type(request: &TokenRequest) -> GrantType {
    match request {
        TokenRequest::Code(_) => GrantType::AuthorizationCode,
        TokenRequest::Refresh(_) => GrantType::RefreshToken,
        TokenRequest::ClientCredentials(_) => GrantType::ClientCredentials,
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

/// What was presented is worth nothing.
enum Denied {
    /// Together with what it changed.
    Recorded(Refusal),
    /// Nothing was changed. Whoever asks again and again may not fill the audit trail by it.
    Unrecorded(ApplicationId, Refusal),
}

impl Denied {
    async fn told(self, visitor: &Visitor) -> Result<Refusal, Fault> {
        match self {
            Self::Recorded(refusal) => Ok(refusal),
            Self::Unrecorded(application, refusal) => {
                note(visitor, "token.refused", &refusal, Some(application), None).await?;
                Ok(refusal)
            }
        }
    }
}

fn invalid_grant(description: &'static str) -> Refusal {
    Refusal::Protocol(OAuthError::invalid_grant(description))
}

/// What is to be vouched for.
struct Granted {
    grant: Grant,
    minted: Minted,
    /// Of these tokens: all that the family was granted, or less.
    scopes: Vec<String>,
    /// For which audiences the access token is; empty: for all that the application has.
    resources: Vec<String>,
    /// Whether they answer the authorization request itself, whose nonce they then repeat.
    is_first: bool,
    refresh_token: Option<crate::foundation::secret::Secret>,
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
