//! Signing out: what an application asks for (OpenID Connect RP-Initiated Logout 1.0), and what it is told (OpenID Connect
//! Back-Channel Logout 1.0).

use serde_json::{Map, Value, json};

use crate::foundation::clock::Moment;
use crate::protocol::jose::Claims;
use crate::protocol::oauth::params::{Params, ParamsError};

/// The type of a logout token (Back-Channel Logout, section 2.4).
pub const LOGOUT_TOKEN: &str = "logout+jwt";
/// The event that makes a token one.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long a logout token counts: it is made when it is sent.
const LIFETIME: i64 = 120;
/// Kept on a page and sent on, so it may not be of any length.
const LONGEST_STATE: usize = 2_048;

/// Of what an application is told.
#[derive(Clone, Copy, Debug)]
pub struct LogoutToken<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    pub subject: &'a str,
    pub session: &'a str,
    /// Only what the person had for this organization is over.
    pub organization: Option<&'a str>,
    pub jti: &'a str,
    pub now: Moment,
}

impl LogoutToken<'_> {
    /// Its claims (Back-Channel Logout, section 2.4): never a nonce.
    pub fn claims(&self) -> Map<String, Value> {
        let now = self.now.seconds();
        let claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": self.subject,
            "sid": self.session,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": self.jti,
            "events": { EVENT: {} },
        });
        let Value::Object(mut claims) = claims else { return Map::new() };
        if let Some(organization) = self.organization {
            claims.insert("org_id".into(), json!(organization));
        }
        claims
    }
}

/// A request to sign out (RP-Initiated Logout, section 2), each parameter as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndSession {
    pub id_token_hint: Option<String>,
    pub logout_hint: Option<String>,
    pub client_id: Option<String>,
    pub post_logout_redirect_uri: Option<String>,
    pub state: Option<String>,
    pub ui_locales: Option<String>,
    /// Ours: only what the session has for this organization is to end.
    pub organization: Option<String>,
}

/// Why a request to sign out cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndSessionError {
    #[error(transparent)]
    Params(#[from] ParamsError),
    #[error("state is too long")]
    State,
}

impl EndSession {
    /// # Errors
    /// A parameter that stands twice, or a state that is too long.
    pub fn read(params: &Params) -> Result<Self, EndSessionError> {
        let text = |name: &str| params.get(name).map(|value| value.map(str::to_owned));
        let request = Self {
            id_token_hint: text("id_token_hint")?,
            logout_hint: text("logout_hint")?,
            client_id: text("client_id")?,
            post_logout_redirect_uri: text("post_logout_redirect_uri")?,
            state: text("state")?,
            ui_locales: text("ui_locales")?,
            organization: text("organization")?,
        };
        match &request.state {
            Some(state) if state.len() > LONGEST_STATE => Err(EndSessionError::State),
            _ => Ok(request),
        }
    }

    /// The parameters that were sent, for the page that asks first.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("id_token_hint", &self.id_token_hint),
            ("logout_hint", &self.logout_hint),
            ("client_id", &self.client_id),
            ("post_logout_redirect_uri", &self.post_logout_redirect_uri),
            ("state", &self.state),
            ("ui_locales", &self.ui_locales),
            ("organization", &self.organization),
        ];
        all.into_iter().filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
    }
}

/// What a provider says of a session that ended there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// Whose; all of theirs, where no session is named.
    pub subject: Option<String>,
    /// As the provider calls it.
    pub session: Option<String>,
    pub issued: Moment,
    /// The token's own, whatever its length.
    pub jti: String,
}

/// Reads the claims of a logout token whose signature was checked (Back-Channel Logout, section 2.6, steps 4 to 8); issuer,
/// audience and times are the caller's to check.
///
/// # Errors
/// The name of what is wrong with it.
pub fn read_token(claims: &Claims, issued: Moment) -> Result<Over, &'static str> {
    let happened = claims.get("events").and_then(Value::as_object).and_then(|events| events.get(EVENT));
    if !happened.is_some_and(Value::is_object) {
        return Err("logout_token_events");
    }
    // Whatever its value: an ID token is none.
    if claims.names().any(|name| name == "nonce") {
        return Err("logout_token_nonce");
    }
    let named = |name| claims.get(name).is_some();
    let subject = named("sub").then(|| claims.sub()).transpose().map_err(|_| "logout_token_subject")?;
    let session = named("sid").then(|| claims.string("sid")).transpose();
    let session = session.map_err(|_| "logout_token_subject")?;
    if subject.is_none() && session.is_none() {
        return Err("logout_token_subject");
    }
    let jti = claims.string("jti").map_err(|_| "logout_token_id")?.to_owned();
    let (subject, session) = (subject.map(str::to_owned), session.map(str::to_owned));
    Ok(Over { subject, session, issued, jti })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m05_a_logout_token_has_no_nonce_and_lives_for_two_minutes() {
        let token = LogoutToken {
            issuer: "https://broker.test",
            audience: "rp1",
            subject: "user_1",
            session: "sess_1",
            organization: None,
            jti: "j",
            now: Moment::from_seconds(1_000),
        };
        let expected = json!({
            "iss": "https://broker.test", "aud": "rp1", "sub": "user_1", "sid": "sess_1", "iat": 1_000, "exp": 1_120,
            "jti": "j", "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        assert_eq!(Value::Object(token.claims()), expected);
    }

    #[test]
    fn a_request_to_sign_out_is_read_and_written_again() {
        let read = |text: &str| EndSession::read(&Params::parse(text.as_bytes()).unwrap());
        let request = read("id_token_hint=h&client_id=rp1&state=s&logout_hint=&more=1").unwrap();
        let fields: Vec<_> = request.fields().collect();
        assert_eq!(fields, [("id_token_hint", "h"), ("client_id", "rp1"), ("state", "s")]);
        assert_eq!(read("state=1&state=2"), Err(ParamsError::Twice("state".into()).into()));
        assert_eq!(read(&format!("state={}", "x".repeat(2_049))), Err(EndSessionError::State));
    }
}
