//! The picker.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::{Decision, available, context, decide, unavailable, user_of};
use crate::foundation::id::SessionId;
use crate::login::flow::{self, Journey};
use crate::login::pages::{InFlow, Posted, about};
use crate::login::refusal::Refusal;
use crate::login::{Stop, next};
use crate::model::application::Application;
use crate::model::login::{Acting, Authenticated, Context, Stage};
use crate::protocol::oauth::params::{Params, append};
use crate::store::durable::choices::Choice as Available;
use crate::store::durable::{connections, sessions};
use crate::web::reply;
use crate::web::templates::{
    Choice, Href, ImagePath, OrganizationsPage, Page, Problem, SEARCH_ABOVE, Search,
};
use crate::web::visitor::Visitor;

/// `POST /login/{flow}/organization`: one was picked.
///
/// Of two different presses the first counts: there is one code (threats H24), and by then the application may have it. The
/// other is told that the login has ended. To act for another one is what the application asks for.
pub async fn pick(browser: Session, posted: Posted) -> Response {
    let asking = posted.visitor.clone();
    flow::to_its_end(&asking, act(browser, posted)).await
}

async fn act(browser: Session, Posted { visitor, mut journey, params }: Posted) -> Response {
    match picked(&visitor, &browser, &journey, &params).await {
        Ok(acting) => {
            journey.login.stage = Stage::Acting(acting);
            next::proceed(&visitor, &browser, journey).await
        }
        // They have picked before, and are to prove anew who they are for that: by pressing twice nobody loses it.
        Err(Stop::Refused(Refusal::FlowExpired)) if journey.login.picked.is_some() => {
            reply::see_other(&journey.path(&visitor, ""))
        }
        Err(stop) => next::stopped(&visitor, journey, stop).await,
    }
}

/// A choice counts only if it was on the page: no other organization can be posted (threats H24).
async fn picked(
    visitor: &Visitor,
    browser: &Session,
    journey: &Journey,
    params: &Params,
) -> Result<Acting, Stop> {
    journey.check_form(visitor, params)?;
    let session = match &journey.login.stage {
        Stage::Authenticated(Authenticated { session }) => *session,
        // They came back from the question whether a device is let in: nothing was answered yet.
        Stage::Acting(acting) if acting.by_hand && journey.login.asked.device.is_some() => acting.session,
        _ => return Err(Refusal::FlowExpired.into()),
    };
    let session = standing(visitor, browser, journey, session).await?;
    let value = params.get("choice").ok().flatten().unwrap_or_default();
    let application = application(visitor, journey).await?;
    let user = user_of(visitor, session).await?;
    let found = available(visitor, &application, &user).await?;
    let choice = found.iter().find(|choice| self::value(choice) == value);
    let choice = choice.ok_or(Refusal::ChoiceNotOffered)?;
    Ok(Acting { session, context: context(choice), by_hand: true })
}

/// The session in which the choice is made: the flow's own, or the one that another tab of a first visit began
/// for the same person at the same moment, and whose cookie came last (threats H25); or in which they have signed in anew.
async fn standing(
    visitor: &Visitor,
    browser: &Session,
    journey: &Journey,
    of_flow: SessionId,
) -> Result<SessionId, Stop> {
    let project = visitor.project.id;
    let of_browser = crate::web::browser::session_of(browser, project).await?.ok_or(Refusal::SessionEnded)?;
    if of_browser == of_flow {
        return Ok(of_flow);
    }
    let (db, now) = (&visitor.broker().db, visitor.broker().now());
    let own = sessions::by_id(&mut &*db, project, of_flow).await?;
    let other =
        sessions::by_id(&mut &*db, project, of_browser).await?.filter(|session| session.is_alive(now));
    let asked = &journey.login.asked;
    let any_age = !journey.login.reauthenticates() && asked.max_age.is_none();
    match (own, other) {
        (Some(own), Some(other))
            if own.identity_id == other.identity_id && (any_age || other.is_as_new_as(&own)) =>
        {
            Ok(of_browser)
        }
        _ => Err(Refusal::SessionEnded.into()),
    }
}

/// `GET /login/{flow}/organizations?q=&page=`: the same page, searched or turned.
pub async fn search(InFlow { visitor, journey }: InFlow, RawQuery(query): RawQuery) -> Response {
    // What cannot be read looks for nothing: the page begins at its beginning.
    let params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    match searched(&visitor, &journey, &params).await {
        Ok(page) => page,
        Err(stop) => next::stopped(&visitor, journey, stop).await,
    }
}

async fn searched(visitor: &Visitor, journey: &Journey, params: &Params) -> Result<Response, Stop> {
    if journey.login.asked.device.is_some() {
        return next::device_picker(visitor, journey, params).await;
    }
    let Stage::Authenticated(Authenticated { session }) = journey.login.stage else {
        return Ok(reply::see_other(&journey.path(visitor, "")));
    };
    let application = application(visitor, journey).await?;
    match decide(visitor, &application, &journey.login, session, None).await? {
        Decision::Ask(found) => {
            let look = (found.as_slice(), [].as_slice(), Some(params));
            picker(visitor, &application, journey, session, look).await
        }
        Decision::Chosen(_) => Ok(reply::see_other(&journey.path(visitor, ""))),
    }
}

async fn application(visitor: &Visitor, journey: &Journey) -> Result<Application, Stop> {
    journey.application(visitor).await?.ok_or(Refusal::UnknownApplication.into())
}

/// What a choice posts: the delegation's id, or the organization's.
fn value(choice: &Available) -> String {
    choice
        .delegation
        .as_ref()
        .map_or_else(|| choice.organization.to_string(), |delegated| delegated.id.to_string())
}

/// For whom somebody may act who cannot do here what they came for, and why.
#[derive(Clone, Copy, Debug)]
pub struct Barred {
    pub context: Context,
    pub problem: Problem,
}

/// The page: names the application, each organization, and through whom the person came. What is barred is shown with the
/// reason, and cannot be picked.
pub async fn picker(
    visitor: &Visitor,
    application: &Application,
    journey: &Journey,
    session: SessionId,
    (found, barred, params): (&[Available], &[Barred], Option<&Params>),
) -> Result<Response, Stop> {
    let get = |name| params.and_then(|params| params.get(name).ok().flatten());
    let query: String = get("q").unwrap_or_default().chars().take(100).collect();
    let wanted = query.to_lowercase();
    let matching: Vec<_> = found
        .iter()
        .filter(|c| c.display_name.to_lowercase().contains(&wanted) || c.slug.contains(&wanted))
        .collect();
    let last = matching.len().saturating_sub(1) / SEARCH_ABOVE;
    let number = get("page").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0).min(last);
    let base = journey.path(visitor, "/organizations");
    let turn = |to: usize| Href::parse(&append(&base, [("q", query.as_str()), ("page", &to.to_string())]));
    let through = through(visitor, session).await?;
    let user = user_of(visitor, session).await?;
    let page = OrganizationsPage {
        application: application.display_name.clone(),
        about: about(visitor, application).await?,
        email: user.email.map(|email| email.to_string()).or(user.profile.name).unwrap_or_default(),
        action: journey.path(visitor, "/organization"),
        csrf: journey.login.csrf.clone(),
        choices: matching
            .iter()
            .skip(number * SEARCH_ABOVE)
            .take(SEARCH_ABOVE)
            .map(|c| shown(c, &through, barred))
            .collect(),
        unavailable: unavailable(&journey.login, found).map(str::to_owned),
        search: (found.len() > SEARCH_ABOVE).then(|| Search {
            action: base.clone(),
            query: query.clone(),
            found: matching.len(),
        }),
        previous: number.checked_sub(1).and_then(turn),
        next: (number < last).then(|| turn(number + 1)).flatten(),
        another_account: Some(journey.path(visitor, "/restart")),
        cancel: journey.cancel(visitor),
        decline: journey.decline(visitor),
    };
    let asked = &journey.login.asked;
    let targets = journey.form_targets(visitor);
    Ok(visitor.page(StatusCode::OK, &Page::Organizations(page), asked.ui_locales.as_deref(), &targets))
}

fn shown(choice: &Available, through: &str, barred: &[Barred]) -> Choice {
    let context = choice.context();
    let logo = choice.has_logo.then(|| format!("/assets/logo/{}", choice.organization));
    Choice {
        value: value(choice),
        name: choice.display_name.clone(),
        logo: logo.and_then(|path| ImagePath::parse(&path)),
        through: through.to_owned(),
        delegated_by: choice.delegation.as_ref().map(|delegated| delegated.home_name.clone()),
        problem: barred.iter().find(|one| one.context == context).map(|one| one.problem),
    }
}

async fn through(visitor: &Visitor, session: SessionId) -> Result<String, Stop> {
    let (db, project) = (&visitor.broker().db, visitor.project.id);
    let Some(session) = sessions::by_id(&mut &*db, project, session).await? else { return Ok(String::new()) };
    let connection = connections::by_id(&mut &*db, project, session.connection_id).await?;
    Ok(connection.map(|connection| connection.display_name).unwrap_or_default())
}
