//! The way back to the application: an authorization response, as the request wants it to travel (RFC 6749, section 4.1.2;
//! OAuth 2.0 Form Post Response Mode; JARM).

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Stop, note};
use crate::foundation::id::ApplicationId;
use crate::foundation::secret::Secret;
use crate::model::application::Application;
use crate::model::login::Asked;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params;
use crate::protocol::oauth::response_mode::{Carrier, ResponseMode};
use crate::store::durable::applications;
use crate::telemetry::names;
use crate::web::reply::{self, Fault, Response};
use crate::web::templates::{Field, OnwardPage, Page};
use crate::web::visitor::Visitor;

/// For how long a signed response may be believed (JARM, section 2.1).
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// Where an application waits for an answer, and how it wants it.
#[derive(Clone, Debug)]
pub struct Back {
    application: ApplicationId,
    redirect_uri: String,
    state: Option<String>,
    mode: ResponseMode,
}

type Fields = Vec<(&'static str, String)>;

impl Back {
    /// To an application whose request is not checked yet. `redirect_uri` is one of its own. Where it may not have the way
    /// that it asks for, it is told of that by the usual one.
    pub fn to(
        application: &Application,
        redirect_uri: &str,
        state: Option<&str>,
        wanted: Option<ResponseMode>,
    ) -> Self {
        let requests = &application.settings.requests;
        let fits = |mode: &ResponseMode| requests.response_modes.contains(mode) && mode.reaches(redirect_uri);
        Self {
            application: application.id,
            redirect_uri: redirect_uri.to_owned(),
            state: state.map(str::to_owned),
            mode: wanted.filter(fits).unwrap_or_else(|| requests.usual_response_mode()),
        }
    }

    pub fn of(asked: &Asked) -> Self {
        Self {
            application: asked.application,
            redirect_uri: asked.redirect_uri.clone(),
            state: asked.state.clone(),
            mode: asked.response_mode,
        }
    }

    /// Where nobody may be shown a page (`prompt=none`): whatever happens, the application is told (OpenID Connect Core,
    /// section 3.1.2.6).
    pub fn if_silent(asked: &Asked) -> Option<Self> {
        asked.prompt.none.then(|| Self::of(asked))
    }

    pub async fn with_code(&self, visitor: &Visitor, code: &Secret) -> Result<Response, Fault> {
        self.send(visitor, vec![("code", code.expose().to_owned())]).await
    }

    /// The protocol's own error (RFC 6749, section 4.1.2.1).
    pub async fn with_error(&self, visitor: &Visitor, error: &OAuthError) -> Response {
        let fields =
            vec![("error", error.code.to_owned()), ("error_description", error.description.to_string())];
        match self.send(visitor, fields).await {
            Ok(response) => response,
            // What cannot be signed is not sent unsigned.
            Err(fault) => visitor.fault(&fault, None).await,
        }
    }

    /// Why it stops, in the protocol's words; and writes it down.
    pub async fn tell(self, visitor: &Visitor, stop: Stop) -> Response {
        let error = match stop {
            Stop::Refused(refusal) => match note(visitor, "login.refused", &refusal, None, None).await {
                Ok(()) => {
                    refusal.application().unwrap_or_else(|| OAuthError::invalid_request(refusal.name()))
                }
                Err(fault) => visitor.faulty(&fault).await,
            },
            Stop::Failed(fault) => visitor.faulty(&fault).await,
        };
        self.with_error(visitor, &error).await
    }

    /// Who answers stands in every response, so that no other server's is taken for it (RFC 9207; JARM, section 2.1).
    async fn send(&self, visitor: &Visitor, mut fields: Fields) -> Result<Response, Fault> {
        fields.extend(self.state.clone().map(|state| ("state", state)));
        let (is_signed, carrier) = (self.mode.is_signed(), self.mode.carrier());
        let application = match is_signed || carrier == Carrier::Form {
            true => Some(self.application(visitor).await?),
            false => None,
        };
        let fields = match application.as_ref().filter(|_| is_signed) {
            Some(application) => vec![("response", signed(visitor, application, fields).await?)],
            None => {
                fields.push(("iss", visitor.issuer()));
                fields
            }
        };
        let pairs = || fields.iter().map(|(name, value)| (*name, value.as_str()));
        Ok(match carrier {
            Carrier::Query => reply::see_other(&params::append(&self.redirect_uri, pairs())),
            Carrier::Fragment => reply::see_other(&params::in_fragment(&self.redirect_uri, pairs())),
            Carrier::Form => self.posted(visitor, application.as_ref(), fields),
        })
    }

    async fn application(&self, visitor: &Visitor) -> Result<Application, Fault> {
        let found =
            applications::by_id(&mut &visitor.broker().db, visitor.project.id, self.application).await?;
        found.ok_or(Fault::Other("the application of a running login is gone"))
    }

    /// A page whose form leads to the application's own server and nowhere else (Form Post Response Mode, section 2).
    fn posted(&self, visitor: &Visitor, application: Option<&Application>, fields: Fields) -> Response {
        let page = OnwardPage {
            provider: application.map(|application| application.display_name.clone()).unwrap_or_default(),
            action: self.redirect_uri.clone(),
            fields: fields.into_iter().map(|(name, value)| Field { name, value }).collect(),
            ..OnwardPage::default()
        };
        let target: Vec<String> = reply::form_target(&self.redirect_uri).into_iter().collect();
        visitor.page(StatusCode::OK, &Page::Onward(page), None, &target)
    }
}

/// The response as a JWT, for this application alone and not for long (JARM, section 2.1).
async fn signed(visitor: &Visitor, application: &Application, fields: Fields) -> Result<String, Fault> {
    let (broker, settings) = (visitor.broker(), &application.settings);
    let algorithm = settings.requests.response_algorithm.unwrap_or(settings.algorithm);
    let now = broker.now();
    let mut claims: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    claims.insert("iss".into(), json!(visitor.issuer()));
    claims.insert("aud".into(), json!(application.client_id));
    claims.insert("exp".into(), json!(now.plus(SIGNED_FOR).seconds()));
    let keys = broker.keyring.of(visitor.project.id).await?;
    let response = keys.signing(algorithm, now)?.sign_jwt("JWT", &claims)?;
    names::signed(algorithm.name());
    Ok(response)
}
