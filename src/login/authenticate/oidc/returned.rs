//! What a provider answered, believed only after every check.

mod id_token;
mod redeemed;

use std::time::Duration;

use openidconnect::core::CoreTokenResponse;
use openidconnect::{OAuth2TokenResponse, TokenResponse};

use super::provider::Provider;
use crate::egress::http::Request;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::secret::Secret;
use crate::foundation::text;
use crate::login::counted::Heard;
use crate::login::refusal::Refusal;
use crate::login::{Stop, authenticate};
use crate::model::connection::OidcConnection;
use crate::model::identity::IdentityFacts;
use crate::model::login::{AwaitedOidc, Away, Proof};
use crate::model::session::{Assurance, Secrecy, UpstreamName, UpstreamSession};
use crate::model::user::Profile;
use crate::protocol::jose::Claims;
use crate::protocol::oauth::params::{Params, printable};
use crate::telemetry::names::{self, Outcome};
use crate::web::visitor::Visitor;
use id_token::{by_the_other_reader, verified};
use redeemed::{heard_by_former, is_outage, named, redeem};

/// What is kept of a provider's name for a session.
const LONGEST_SID: usize = 255;
const LONGEST_NAME: usize = 200;
/// For all that is asked of a provider after the return: whoever is slower is refused.
const PATIENCE: Duration = Duration::from_secs(9);

/// What the provider itself has said, believed as far as it is here.
#[derive(Debug, Default)]
pub struct Said {
    pub heard: Heard,
    /// Of the ID token, verified.
    pub id_token: Option<Claims>,
    pub userinfo: Option<Claims>,
    /// What would have been taken, and what came, where a refusal has something to tell of that.
    pub seen: Option<Seen>,
}

/// For the connection's administrator.
#[derive(Clone, Debug)]
pub struct Seen {
    pub expected: String,
    pub found: String,
}

impl Seen {
    fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }

    fn status(found: u16) -> Self {
        Self::new("200", found.to_string())
    }
}

/// Turns the answer into a proof, or says what was wrong with it. `said`: what the provider itself has said by then.
pub async fn proof(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    (away, awaited): (&Away, &AwaitedOidc),
    params: &Params,
    said: &mut Said,
) -> Result<Proof, Stop> {
    let clock = &visitor.broker().clock;
    let started = clock.now();
    let asked = tokio::time::timeout(PATIENCE, ask(visitor, connection, (away, awaited), params, said)).await;
    let (label, outcome) = match asked {
        Err(_) => (Outcome::TimedOut, Err(Refusal::IdpUnreachable("too_slow").into())),
        Ok(Ok(proof)) => (Outcome::Answered, Ok(proof)),
        Ok(Err(Stop::Refused(Refusal::IdpUnreachable(why)))) => {
            (Outcome::Unreachable, Err(Refusal::IdpUnreachable(why).into()))
        }
        Ok(Err(stop)) => (Outcome::Unusable, Err(stop)),
    };
    names::upstream_request(label, clock.now().since(started));
    outcome
}

async fn ask(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    (away, awaited): (&Away, &AwaitedOidc),
    params: &Params,
    said: &mut Said,
) -> Result<Proof, Stop> {
    let Said { heard, id_token: kept, userinfo: further, seen } = said;
    let get = |name| params.get(name).map_err(|error| Refusal::BadRequest(error.to_string()));
    let provider = Provider::of(visitor.broker(), connection).await?;
    check_issuer(connection, &provider, get("iss")?)?;
    if let Some(error) = get("error")? {
        let error = printable(error);
        tracing::warn!(connection = %connection.id, error, "an identity provider sent somebody back with an error");
        return Err(Refusal::IdpRefused(error).into());
    }
    let code = get("code")?.ok_or(Refusal::IdpAnswerInvalid("code_missing"))?;
    let answer = match redeem(visitor, connection, &provider, (awaited, code), (heard, seen)).await {
        Ok(answer) => answer,
        Err(stop) => {
            if *heard == Heard::Answer {
                *heard = heard_by_former(visitor, connection, &provider, (awaited, code)).await;
            }
            return Err(stop);
        }
    };
    // It has given us what it gives for a code of its own alone.
    *heard = named(connection, &answer);
    let id_token = answer.id_token().ok_or(Refusal::IdpAnswerInvalid("id_token_missing"))?;
    let (claims, key) = verified(visitor, connection, (&provider, awaited), id_token, heard).await?;
    let claims = &*kept.insert(claims);
    by_the_other_reader(visitor, connection, awaited, &answer, id_token, &key)?;
    let sub = claims.sub().map_err(|_| Refusal::IdpAnswerInvalid("sub_invalid"))?;
    let subject = subject(connection, claims, seen)?;
    *further = userinfo(visitor, connection, &provider, (&answer, claims, sub), seen).await?;
    let userinfo = further.as_ref();
    // What is not as it should be vouches for no second factor, and keeps nobody out.
    let amr = claims.optional_strings("amr").ok().flatten();
    let amr: Vec<String> = amr.unwrap_or_default().into_iter().map(str::to_owned).collect();
    let (facts, left_out) = IdentityFacts::of_id_token(claims);
    let (authenticated_at, is_assumed) = authenticated_at(visitor, connection, away, claims, seen)?;
    Ok(Proof {
        connection: connection.id,
        version: away.version,
        issuer: connection.oidc.issuer.clone(),
        email: email(connection, claims, userinfo)?,
        named_by: None,
        vouched: is_vouched_for(claims, userinfo),
        profile: profile(claims, userinfo),
        assurance: Assurance::from_upstream(&amr),
        authenticated_at,
        is_assumed,
        issued_at: claims.iat().map_err(|_| Refusal::IdpAnswerInvalid("id_token_times"))?,
        session_until: None,
        single_use: None,
        facts,
        naming: connection.oidc.naming(),
        upstream_session: Some(upstream_session(claims, sub)?),
        left_out,
        subject,
    })
}

/// What names the person for good. Without it nobody comes in: what else the token calls them may be somebody else's, or no
/// name that they keep.
fn subject(
    connection: OidcConnection<'_>,
    claims: &Claims,
    seen: &mut Option<Seen>,
) -> Result<String, Refusal> {
    connection.oidc.subject(claims).map_err(|claim| {
        let found = claims.get(claim).map_or("no", |_| "another");
        *seen = Some(Seen::new(
            format!("{claim} in the ID token, a GUID (Entra ID says it to whom asks for the scope profile)"),
            format!("{found} {claim}"),
        ));
        Refusal::IdpAnswerInvalid(match claim {
            "oid" => "oid_invalid",
            "tid" => "tid_invalid",
            _ => "sub_invalid",
        })
    })
}

/// By what the provider will name this session when it ends there (OpenID Connect Back-Channel Logout, section 2.1).
fn upstream_session(claims: &Claims, sub: &str) -> Result<UpstreamSession, Refusal> {
    let index = claims.optional_string("sid").map_err(|_| Refusal::IdpAnswerInvalid("sid_invalid"))?;
    let index = index.filter(|index| index.len() <= LONGEST_SID).map(str::to_owned);
    let name = UpstreamName {
        value: sub.to_owned(),
        format: None,
        name_qualifier: None,
        sp_name_qualifier: None,
        secrecy: Secrecy::Open,
    };
    Ok(UpstreamSession { name: Some(name), index })
}

/// RFC 9207: an `iss` must be the connection's; where the provider promises one, it must be there (threats C12).
fn check_issuer(
    connection: OidcConnection<'_>,
    provider: &Provider,
    iss: Option<&str>,
) -> Result<(), Refusal> {
    match iss {
        Some(iss) if iss != connection.oidc.issuer => Err(Refusal::IdpAnswerInvalid("iss_mismatch")),
        None if provider.promises_iss => Err(Refusal::IdpAnswerInvalid("iss_missing")),
        _ => Ok(()),
    }
}

/// The UserInfo answer, where it is wanted; its `sub` must be the ID token's.
async fn userinfo(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    provider: &Provider,
    (answer, claims, sub): (&CoreTokenResponse, &Claims, &str),
    seen: &mut Option<Seen>,
) -> Result<Option<Claims>, Stop> {
    let settings = connection.oidc;
    let has_email = claims.get(&settings.email_claim).is_some();
    let Some(url) = provider.userinfo.as_ref().filter(|_| settings.always_userinfo || !has_email) else {
        return Ok(None);
    };
    let token = Secret::new(answer.access_token().secret().as_str());
    let sent = visitor.broker().http.send(Request::get(url.clone()).bearer(&token)).await;
    let response = sent.map_err(|error| {
        names::egress_refused(error.reason());
        Refusal::IdpUnreachable("userinfo_endpoint")
    })?;
    if response.status != 200 {
        *seen = Some(Seen::status(response.status));
        if is_outage(response.status) {
            return Err(Refusal::IdpUnreachable("userinfo_endpoint_status").into());
        }
        return Err(Refusal::IdpAnswerInvalid("userinfo_status").into());
    }
    let found = Claims::parse(&response.body).map_err(|_| Refusal::IdpAnswerInvalid("userinfo_malformed"))?;
    if found.sub().ok() != Some(sub) {
        return Err(Refusal::IdpAnswerInvalid("userinfo_sub_mismatch").into());
    }
    Ok(Some(found))
}

/// The address, in its one spelling. ID token and UserInfo must not contradict each other (threats C01).
fn email(
    connection: OidcConnection<'_>,
    claims: &Claims,
    userinfo: Option<&Claims>,
) -> Result<Option<Email>, Refusal> {
    let refused = Refusal::EmailDomainNotAllowed;
    let read = |claims: &Claims| {
        let text = claims.optional_string(&connection.oidc.email_claim).map_err(|_| refused.clone())?;
        text.map(|text| Email::parse(text).map_err(|_| refused.clone())).transpose()
    };
    match (read(claims)?, userinfo.map(read).transpose()?.flatten()) {
        (Some(one), Some(other)) if one != other => Err(refused),
        (one, other) => Ok(one.or(other)),
    }
}

/// Whether the provider itself holds the address to be proved. One that says nothing does; some say it as text.
fn is_vouched_for(claims: &Claims, userinfo: Option<&Claims>) -> bool {
    let said = [Some(claims), userinfo].into_iter().flatten().filter_map(|from| from.get("email_verified"));
    said.filter(|said| !said.is_null()).all(|said| *said == true || *said == "true")
}

fn profile(claims: &Claims, userinfo: Option<&Claims>) -> Profile {
    let read = |name: &str| {
        let of = |claims: &Claims| claims.optional_string(name).ok().flatten().map(str::to_owned);
        let text = of(claims).or_else(|| userinfo.and_then(of))?;
        text::as_line(&text, LONGEST_NAME)
    };
    Profile {
        name: read("name"),
        given_name: read("given_name"),
        family_name: read("family_name"),
        locale: read("locale"),
        ..Profile::default()
    }
}

/// What whoever asked for a recent sign-in has to be told.
const TOLD: &str = "auth_time in the ID token, no older than was asked for by max_age";

/// When the person proved who they are: as the provider says, and never ahead of us by more than clocks differ, or it would
/// be recent for as long as that. Where a new proof was asked for, or one no older than so long, an old one is refused.
/// So is an answer that does not say, whoever the provider is, where the application asked: nothing that we make up in its
/// place is told to who has asked (OpenID Connect Core, section 2). Elsewhere the moment is taken for it, and passes for no recent one (threats M17).
fn authenticated_at(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    away: &Away,
    claims: &Claims,
    seen: &mut Option<Seen>,
) -> Result<(Moment, bool), Refusal> {
    let now = visitor.broker().now();
    let leeway = Duration::from_secs(connection.settings.leeway);
    let invalid = Refusal::IdpAnswerInvalid("auth_time_invalid");
    let Some(said) = claims.auth_time().map_err(|_| invalid.clone())? else {
        if !away.wants_the_moment {
            return Ok((now, true));
        }
        *seen = Some(Seen::new(TOLD, "no auth_time"));
        return Err(Refusal::AuthTimeMissing);
    };
    let mut note = |expected| *seen = Some(Seen::new(expected, format!("auth_time {}", said.rfc3339())));
    if said > now.plus(leeway) {
        note("auth_time in the ID token, in seconds of UTC, that is not ahead");
        return Err(invalid);
    }
    let recent = authenticate::recent_enough(away, said, now, leeway);
    recent.map(|at| (at, false)).inspect_err(|_| note(TOLD))
}
