//! How a request came, and what it then says: in the parameters themselves, in a request object, or pushed beforehand.
//! Whatever it was, it is one set of parameters in the end, and what holds of them is checked once.

use std::borrow::Cow;

use super::signed::Source;
use super::{Way, asked, hinted_subject, no_hint, redirect_uri, signed};
use crate::foundation::id::{PairwiseId, UserId};
use crate::foundation::secret::{Digest, Secret};
use crate::login::Stop;
use crate::login::back::Back;
use crate::login::flow::{Journey, is_small};
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::login::{Asked, OrganizationAsked};
use crate::protocol::jose::{JwkSet, Jws};
use crate::protocol::oauth::authorization::{self, PUSHED};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::organization::{self, NamedOrganization};
use crate::protocol::oauth::params::Params;
use crate::protocol::oauth::response_mode::ResponseMode;
use crate::store::durable::pushed_requests;
use crate::web::visitor::Visitor;

const LONGEST_STATE: usize = 2_048;

/// What a request brought.
pub enum Came<'a> {
    /// What is still to be checked.
    Params(Cow<'a, Params>, Way),
    /// What was checked when it was pushed, under a name of this digest.
    Checked(Box<Asked>, Digest),
    /// What this browser has used up already, in a login that is still under way.
    Again(Box<Journey>),
}

/// What stands in the address or the form, or what that refers to. An error is of a request of which nothing can be
/// believed.
pub async fn by<'a>(
    visitor: &Visitor,
    application: &Application,
    given: &'a Params,
) -> Result<Came<'a>, Stop> {
    let (object, uri) = (value(given, "request")?, value(given, "request_uri")?);
    let pushed = uri.and_then(|uri| uri.strip_prefix(PUSHED));
    match (object, uri, pushed) {
        (None, None, _) => Ok(Came::Params(Cow::Borrowed(given), Way::default())),
        (Some(_), Some(_), _) => Err(invalid("request and request_uri exclude each other").into()),
        (_, _, Some(name)) => Box::pin(taken(visitor, application, name)).await,
        (object, uri, None) => {
            let (object, from) = match (object, uri) {
                (Some(object), _) => (object.to_owned(), Source::Request),
                (None, uri) => (
                    Box::pin(signed::fetched(visitor, application, uri.unwrap_or_default())).await?,
                    Source::Address,
                ),
            };
            let params = Box::pin(signed::read(visitor, application, given, (&object, from))).await?.params;
            Ok(Came::Params(Cow::Owned(params), Way { pushed: false, signed: true }))
        }
    }
}

fn value<'a>(params: &'a Params, name: &str) -> Result<Option<&'a str>, Refusal> {
    params.get(name).map_err(|error| invalid(error.to_string()))
}

fn invalid(why: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::Protocol(OAuthError::invalid_request(why))
}

/// A pushed request, by whoever comes with its name first, and from the application that pushed it (RFC 9126, section 4).
/// Whoever came first may come again, until they have signed in (section 7.3).
async fn taken<'a>(visitor: &Visitor, application: &Application, name: &str) -> Result<Came<'a>, Stop> {
    let (broker, digest) = (visitor.broker(), Secret::new(name).digest());
    let (id, now) = (application.id, broker.now());
    let taken = broker.db.write(async move |tx| pushed_requests::take(tx, digest, id, now).await).await?;
    let Some(asked) = taken else {
        let unknown = "request_uri is unknown, used, or has run out";
        let again = Journey::of_request(visitor, digest).await?;
        let again = again.filter(|journey| journey.login.asked.application == id);
        let again = again.ok_or(Refusal::Protocol(OAuthError::invalid_request_uri(unknown)))?;
        return Ok(Came::Again(Box::new(again)));
    };
    // It may have been taken back since.
    redirect_uri(application, Some(&asked.redirect_uri))?;
    Ok(Came::Checked(Box::new(asked), digest))
}

/// Beside a request object, or the name of what was pushed, nothing counts (RFC 9101, section 6.3); but an organization
/// that is named there, and not in the request, is nothing to be guessed at.
pub fn beside(given: &Params, asked: &Asked) -> Result<(), OAuthError> {
    let get = |name: &str| match given.get(name) {
        Ok(value) => Ok(value.map(str::to_owned)),
        Err(error) => Err(OAuthError::invalid_request(error.to_string())),
    };
    let scopes: Vec<_> = get("scope")?.unwrap_or_default().split(' ').map(str::to_owned).collect();
    let outside = OrganizationAsked::of(&scopes, organization::asked(&get)?.as_ref())?;
    let texts = |one: &OrganizationAsked| -> Vec<String> {
        one.named().into_iter().flat_map(NamedOrganization::texts).map(str::to_owned).collect()
    };
    let inside = texts(&asked.organization);
    match texts(&outside).iter().all(|one| inside.contains(one)) {
        true => Ok(()),
        false => Err(NamedOrganization::disagreement()),
    }
}

/// Where the answer to these parameters goes, if they name a registered address, and a `state` that it can bring back: an
/// answer without the one that was sent would be none (RFC 6749, section 4.1.2.1).
pub fn back(application: &Application, params: &Params) -> Result<Back, Refusal> {
    let named = params.get("redirect_uri").map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let uri = redirect_uri(application, named)?;
    let state = state(params).map_err(|error| Refusal::BadRequest(error.description.into_owned()))?;
    let mode = params.get("response_mode").ok().flatten().and_then(ResponseMode::from_word);
    Ok(Back::to(application, &uri, state, mode))
}

/// All that these parameters ask for, checked: the one place where they are. An inner error is for the application.
pub async fn checked(
    visitor: &Visitor,
    application: &Application,
    params: &Params,
    way: Way,
) -> Result<Result<Asked, OAuthError>, Stop> {
    let named = params.get("redirect_uri").map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let uri = redirect_uri(application, named)?;
    let read = state(params).and_then(|state| Ok((state, authorization::request(params)?)));
    let (state, request) = match read {
        Ok((state, request)) => (state.map(str::to_owned), request),
        Err(error) => return Ok(Err(error)),
    };
    let subject = request.claims.subject.clone();
    match asked(application, &visitor.issuer(), way, request, uri, state) {
        Ok(asked) if !is_small(&asked) => {
            Ok(Err(OAuthError::invalid_request("the parameters are too long in all")))
        }
        Ok(asked) => hinted(visitor, params, application, (asked, subject)).await,
        Err(error) => Ok(Err(error)),
    }
}

/// A `sub` that is asked for, and an ID token that came as a hint, name who is meant: as this application calls them.
async fn hinted(
    visitor: &Visitor,
    params: &Params,
    application: &Application,
    (mut asked, subject): (Asked, Option<String>),
) -> Result<Result<Asked, OAuthError>, Stop> {
    let pairwise = &visitor.broker().pairwise;
    // Who knows people by names of its own is told nothing about others' names for them.
    if application.settings.sector().is_some()
        && let Some(name) = asked.login_hint.take_if(|hint| is_a_name(hint))
    {
        asked.hinted_user = pairwise.user(application, &name).await?;
    }
    let claimed = match subject {
        None => None,
        Some(subject) => match pairwise.user(application, &subject).await? {
            None => return Ok(Err(OAuthError::login_required("claims asks for nobody we know"))),
            claimed => claimed,
        },
    };
    asked.hinted_user = claimed.or(asked.hinted_user);
    let Ok(Some(hint)) = params.get("id_token_hint") else { return Ok(Ok(asked)) };
    let keys = match Jws::parse(hint).ok().and_then(|jws| jws.kid()?.parse().ok()) {
        Some(key) => visitor.broker().keyring.ever_published(visitor.project.id, key).await?,
        None => JwkSet::new(Vec::new()),
    };
    let subject = match hinted_subject(&visitor.issuer(), &keys, hint) {
        Ok(subject) => subject,
        Err(error) => return Ok(Err(error)),
    };
    let hinted = pairwise.user(application, &subject).await?;
    Ok(match (hinted, claimed) {
        (None, _) => Err(no_hint()),
        (Some(user), Some(other)) if user != other => {
            Err(OAuthError::invalid_request("id_token_hint and claims mean different people"))
        }
        (hinted, _) => {
            asked.hinted_user = hinted;
            Ok(asked)
        }
    })
}

/// Whether it is what some application calls somebody, and no address.
fn is_a_name(hint: &str) -> bool {
    hint.parse::<UserId>().is_ok() || hint.parse::<PairwiseId>().is_ok()
}

/// Kept while the person is away, so it may not be of any length.
fn state(params: &Params) -> Result<Option<&str>, OAuthError> {
    match params.get("state") {
        Ok(Some(state)) if state.len() > LONGEST_STATE => {
            Err(OAuthError::invalid_request("state has more than 2048 bytes"))
        }
        Ok(state) => Ok(state),
        Err(error) => Err(OAuthError::invalid_request(error.to_string())),
    }
}
