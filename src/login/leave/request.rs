//! What an application that sends somebody to sign out asks for, and how much of it is proved (OpenID Connect RP-Initiated
//! Logout 1.0, sections 2 to 4).

use crate::foundation::id::{SessionId, UserId};
use crate::keys::keyring::ALGORITHMS;
use crate::keys::pairwise::Names;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::session::Session;
use crate::protocol::jose::{Claims, JwkSet, Jws, Typ};
use crate::protocol::oauth::params;
use crate::protocol::oidc::id_token;
use crate::protocol::oidc::logout::EndSession;
use crate::store::durable::applications;
use crate::web::visitor::Visitor;

/// A request, as far as it is proved.
#[derive(Debug, Default)]
pub struct Asked {
    /// Who asks, if it says so.
    pub application: Option<Application>,
    /// Where the person goes afterwards: registered by that application, with its state.
    pub back: Option<String>,
    /// Where the application's people begin, as it is registered.
    pub home: Option<String>,
    hint: Option<(UserId, SessionId)>,
}

/// Whose session an ID token of ours was issued in, however old it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hint {
    client_id: String,
    /// As the application calls them.
    names: Names,
}

impl Asked {
    /// Whether nobody needs to ask the person: the application has an ID token of this very session.
    pub fn proves(&self, session: &Session) -> bool {
        self.hint == Some((session.user_id, session.id))
    }
}

fn refused(why: &'static str) -> Stop {
    Refusal::SignOutRefused(why).into()
}

/// Judges a request. What is wrong with it is never told to an application, and nobody is sent anywhere (threats H28).
pub async fn judge(visitor: &Visitor, request: &EndSession) -> Result<Asked, Stop> {
    let hint = hint(visitor, request).await?;
    let claimed = request.client_id.as_deref();
    if let (Some(hint), Some(claimed)) = (&hint, claimed)
        && hint.client_id != claimed
    {
        return Err(refused("client_id_mismatch"));
    }
    let client_id = claimed.or(hint.as_ref().map(|hint| hint.client_id.as_str()));
    let application = match client_id {
        Some(client_id) => Some(known(visitor, client_id).await?),
        None => None,
    };
    let back = back(request, application.as_ref())?;
    let hint = match (&application, &hint) {
        (Some(application), Some(hint)) => Some(meant(visitor, application, &hint.names).await?),
        _ => None,
    };
    // Others choose the name that a link would bear, and where it leads (threats H26).
    let ours = application.as_ref().filter(|application| !application.settings.client.consent_required);
    let home = ours.and_then(|application| application.front_door(&visitor.issuer()));
    Ok(Asked { application, back, home, hint })
}

/// Whom the application calls so: nobody, by another one's names.
async fn meant(
    visitor: &Visitor,
    application: &Application,
    names: &Names,
) -> Result<(UserId, SessionId), Stop> {
    let pairwise = &visitor.broker().pairwise;
    let user = pairwise.user(application, &names.subject).await?;
    let session = pairwise.session(application, &names.session).await?;
    user.zip(session).ok_or_else(|| refused("id_token_hint"))
}

async fn known(visitor: &Visitor, client_id: &str) -> Result<Application, Stop> {
    let db = &mut &visitor.broker().db;
    let found = applications::by_client_id(db, visitor.project.id, client_id).await?;
    found.filter(|application| application.is_enabled()).ok_or_else(|| refused("unknown_application"))
}

fn back(request: &EndSession, application: Option<&Application>) -> Result<Option<String>, Stop> {
    let Some(uri) = &request.post_logout_redirect_uri else { return Ok(None) };
    if !application.is_some_and(|application| application.settings.sign_out.leads_back_to(uri)) {
        return Err(refused("post_logout_redirect_uri"));
    }
    let state = request.state.as_deref().map(|state| ("state", state));
    Ok(Some(match state {
        Some(state) => params::append(uri, [state]),
        None => uri.clone(),
    }))
}

/// An ID token that came as a hint: by a key that is ours or was, by its own algorithm, for one application.
async fn hint(visitor: &Visitor, request: &EndSession) -> Result<Option<Hint>, Stop> {
    let Some(token) = &request.id_token_hint else { return Ok(None) };
    let keys = match Jws::parse(token).ok().and_then(|jws| jws.kid()?.parse().ok()) {
        Some(key) => visitor.broker().keyring.ever_published(visitor.project.id, key).await?,
        None => JwkSet::new(Vec::new()),
    };
    let verified = Jws::parse(token).and_then(|jws| jws.verify(&keys, &ALGORITHMS, Typ::Jwt));
    let claims = verified.map_err(|_| refused("id_token_hint"))?;
    read(&claims, &visitor.issuer()).map(Some).ok_or_else(|| refused("id_token_hint"))
}

fn read(claims: &Claims, issuer: &str) -> Option<Hint> {
    let audience = claims.aud().ok()?;
    let [client_id] = audience.as_slice() else { return None };
    id_token::is_one(claims, issuer).then_some(())?;
    let names =
        Names { subject: claims.sub().ok()?.to_owned(), session: claims.string("sid").ok()?.to_owned() };
    Some(Hint { client_id: (*client_id).to_owned(), names })
}
