//! What is granted, as signed tokens.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Lifetimes, acts};
use crate::foundation::clock::Moment;
use crate::foundation::id::{SessionId, UserId};
use crate::foundation::secret::Secret;
use crate::keys::keyring::ProjectKeys;
use crate::keys::pairwise::Names;
use crate::login::Stop;
use crate::login::issue::claims::{self, Occasion};
use crate::login::issue::mint::{ActingFor, Minted};
use crate::model::application::Application;
use crate::model::grant::Grant;
use crate::model::sign_out::Entered;
use crate::protocol::jose::{SignError, SigningKey};
use crate::protocol::oauth::confirmation::{self, Confirmation};
use crate::protocol::oauth::token::TokenAnswer;
use crate::protocol::oauth::{exchange, scope};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::sign_outs;
use crate::telemetry::names as metrics;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

/// What is to be vouched for. Only [`Granted::of`] makes one, within the transaction that gives it.
pub struct Granted {
    grant: Grant,
    minted: Minted,
    /// For which audiences the access token is; empty: for all that the application has.
    resources: Vec<String>,
    /// Whether they answer the authorization request itself, whose nonce they then repeat.
    is_first: bool,
    refresh_token: Option<Secret>,
    /// Whom the access token is for: whoever holds this.
    bound: Confirmation,
}

impl Granted {
    /// Tokens of a family, for whoever holds what was proved, if the application wants that. The application is told when
    /// the session ends, whichever way it came to them: that is remembered here, and nothing can be signed that did not come
    /// by here.
    pub async fn of(
        tx: &mut Tx<'_>,
        grant: Grant,
        minted: Minted,
        proved: &Confirmation,
        now: Moment,
    ) -> Result<Self, StoreError> {
        entered(tx, &grant, &minted, now).await?;
        let bound = minted.application.settings.binding(proved);
        let resources = grant.request.resources.clone();
        Ok(Self { grant, minted, resources, is_first: false, refresh_token: None, bound })
    }

    /// Bound to no less than the token that these come of.
    pub fn bound_like(self, before: &Confirmation) -> Self {
        let Confirmation { jkt, certificate } = before.clone();
        let bound =
            Confirmation { jkt: self.bound.jkt.or(jkt), certificate: self.bound.certificate.or(certificate) };
        Self { bound, ..self }
    }

    /// For some of the audiences; usually for all that the family was granted.
    pub fn for_audiences(self, resources: Vec<String>) -> Self {
        Self { resources, ..self }
    }

    /// As the answer to the authorization request itself.
    pub fn first(self) -> Self {
        Self { is_first: true, ..self }
    }

    /// For which organization the person acts, if for any.
    pub fn into_acting(self) -> Option<ActingFor> {
        self.minted.acting
    }

    /// With what the family is refreshed by.
    pub fn with_refresh_token(self, refresh_token: Option<Secret>) -> Self {
        Self { refresh_token, ..self }
    }
}

/// Remembers which application got tokens in which session, if it is told when that ends. What is offline outlives it: of a
/// session that is over it was told already, and nothing more of it ends (OpenID Connect Back-Channel Logout, section 2.7).
async fn entered(tx: &mut Tx<'_>, grant: &Grant, minted: &Minted, now: Moment) -> Result<(), StoreError> {
    if !minted.application.settings.sign_out.is_told() || !minted.session.is_alive(now) {
        return Ok(());
    }
    let on_behalf = minted.acting.as_ref().and_then(|acting| acting.on_behalf.as_ref());
    let entered = Entered {
        session: grant.session_id,
        application: grant.application_id,
        user: grant.user_id,
        organization: grant.organization,
        delegation: grant.delegation,
        home: on_behalf.map(|(home, _)| home.id),
    };
    sign_outs::enter(tx, &entered, now).await
}

/// The one place in which an access token is bound to whom it is for.
pub fn sign_access_token(
    key: &SigningKey,
    mut claims: Map<String, Value>,
    bound: &Confirmation,
) -> Result<String, SignError> {
    claims.extend(bound.claim().map(|value| (confirmation::CLAIM.to_owned(), value)));
    let token = key.sign_jwt("at+jwt", &claims)?;
    metrics::token_issued("access_token");
    metrics::signed(key.algorithm().name());
    Ok(token)
}

pub async fn sign(visitor: &Visitor, granted: &Granted) -> Result<TokenAnswer, Stop> {
    acts(visitor, &granted.grant).await?;
    let Minted { application, user, session, .. } = &granted.minted;
    Ok(Pen::of(visitor, application, (user.id, session.id)).await?.written(granted)?)
}

/// All that tokens are written with, and that is not in the transaction that gives them.
#[derive(Debug)]
pub struct Pen {
    keys: Arc<ProjectKeys>,
    names: Names,
    issuer: String,
    lifetimes: Lifetimes,
    jti: Secret,
    now: Moment,
}

impl Pen {
    pub async fn of(
        visitor: &Visitor,
        application: &Application,
        (user, session): (UserId, SessionId),
    ) -> Result<Self, Fault> {
        let broker = visitor.broker();
        Ok(Self {
            keys: broker.keyring.of(application.project_id).await?,
            names: broker.pairwise.names(application, user, session).await?,
            issuer: visitor.issuer(),
            lifetimes: Lifetimes::of(visitor, &application.settings),
            jti: broker.random.token(),
            now: broker.now(),
        })
    }

    pub fn written(&self, granted: &Granted) -> Result<TokenAnswer, Fault> {
        let Granted { grant, minted, .. } = granted;
        let scopes = &minted.scopes;
        let (lifetimes, now) = (&self.lifetimes, self.now);
        let settings = &minted.application.settings;
        let key = self.keys.signing(settings.algorithm, now)?;
        let id = grant.id.to_string();
        let occasion = Occasion {
            issuer: &self.issuer,
            names: &self.names,
            scopes,
            resources: &granted.resources,
            named: &grant.request.claims.id_token,
            grant: &id,
            nonce: grant.request.nonce.as_deref().filter(|_| granted.is_first),
            signed_in: grant.request.login.as_ref(),
            exchanged: grant.request.exchanged.as_ref(),
            now,
        };
        // What came of another token lives no longer than that one, and has none beside it. What is not for offline access
        // ends with its session, which ends when the identity provider's does.
        let is_exchanged = grant.request.exchanged.is_some();
        let lifetime = match (is_exchanged, grant.is_offline()) {
            (true, _) => grant.expires_at.since(now).as_secs(),
            (false, true) => lifetimes.access_token,
            (false, false) => lifetimes.access_token.min(minted.session.expires_at.since(now).as_secs()),
        };
        let claims = claims::access_token(minted, &occasion, lifetime, self.jti.expose());
        let access_token = sign_access_token(key, claims, &granted.bound)?;
        let id_token = if !is_exchanged && scopes.iter().any(|scope| scope == scope::OPENID) {
            let claims = claims::id_token(minted, &occasion, lifetimes.id_token, &access_token);
            metrics::token_issued("id_token");
            metrics::signed(settings.algorithm.name());
            Some(key.sign_jwt("JWT", &claims)?)
        } else {
            None
        };
        let refresh_token = granted.refresh_token.as_ref().map(|token| token.expose().to_owned());
        if refresh_token.is_some() {
            metrics::token_issued("refresh_token");
        }
        Ok(TokenAnswer {
            access_token,
            issued_token_type: is_exchanged.then_some(exchange::ACCESS_TOKEN),
            token_type: granted.bound.token_type(),
            expires_in: lifetime,
            refresh_token,
            id_token,
            scope: scopes.join(" "),
        })
    }
}
