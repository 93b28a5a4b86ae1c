//! What is somebody's own, as pages: plain forms, and no script. Whoever is not signed in is led to do that first, by
//! whatever way of signing in there is.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session as Browser;

use super::here::{self, Here, csrf};
use super::{end_session, leave, switch, take_back};
use crate::foundation::id::{ApplicationId, OrganizationId, SessionId};
use crate::join::sign_out::Within;
use crate::manage::api::page::{Keys, Slice};
use crate::manage::refused::{Code, Refused};
use crate::manage::session::mine;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::consent::{self, Consent};
use crate::protocol::oauth::params::{Params, append};
use crate::store::durable::choices::{self, Choice, Told};
use crate::store::durable::consents;
use crate::store::durable::signed_in::{self, Holds, SignedIn};
use crate::store::ephemeral::Kind;
use crate::web::form::Form;
use crate::web::reply::{self, Fault};
use crate::web::templates::{
    AccountFrame, AccountPage, ApplicationsPage, ErrorPage, HeldFor, Href, ImagePath, LeavePage,
    OwnApplication, OwnConsent, OwnOrganization, OwnSession, OwnTold, Page, Problem, SessionsPage, minute,
};
use crate::web::visitor::Visitor;

/// Where the three pages are.
const ORGANIZATIONS: &str = "/account";
const SESSIONS: &str = "/account/sessions";
const APPLICATIONS: &str = "/account/applications";
const SIGN_IN: &str = "/account/sign-in";

const MINUTE: Duration = Duration::from_secs(60);

/// Rows of one page.
const ROWS: u32 = 8;
/// Applications of others that somebody sees to have allowed, on the first page. The API lists all.
const MOST_CONSENTS: u32 = 100;

/// What may have been done just before a page is looked at.
const DONE: [&str; 5] = ["switched", "left", "session", "application", "consent"];

/// `GET /account?after=&done=`
pub async fn organizations(visitor: Visitor, browser: Browser, RawQuery(query): RawQuery) -> Response {
    shown(&visitor, &browser, What::Organizations(Look::of(query.as_deref()))).await
}

/// `GET /account/sessions?after=&done=`
pub async fn sessions(visitor: Visitor, browser: Browser, RawQuery(query): RawQuery) -> Response {
    shown(&visitor, &browser, What::Sessions(Look::of(query.as_deref()))).await
}

/// `GET /account/applications?after=&done=`
pub async fn applications(visitor: Visitor, browser: Browser, RawQuery(query): RawQuery) -> Response {
    shown(&visitor, &browser, What::Applications(Look::of(query.as_deref()))).await
}

/// `GET /account/organizations/{organization_id}/leave`: asks first.
pub async fn ask_to_leave(visitor: Visitor, browser: Browser, Path(id): Path<String>) -> Response {
    shown(&visitor, &browser, What::Leaving(id)).await
}

/// `POST /account/organizations/{organization_id}/leave`
pub async fn leave_it(
    visitor: Visitor,
    browser: Browser,
    Path(id): Path<String>,
    Form(params): Form,
) -> Response {
    done(&visitor, &browser, &params, read(&id).map(Wish::Leave)).await
}

/// `POST /account/organizations/{organization_id}/switch`
pub async fn switch_to(
    visitor: Visitor,
    browser: Browser,
    Path(id): Path<String>,
    Form(params): Form,
) -> Response {
    done(&visitor, &browser, &params, read(&id).map(Wish::Switch)).await
}

/// `POST /account/sessions/{session_id}/end`
pub async fn end_one(
    visitor: Visitor,
    browser: Browser,
    Path(id): Path<String>,
    Form(params): Form,
) -> Response {
    done(&visitor, &browser, &params, read(&id).map(Wish::EndSession)).await
}

/// `POST /account/applications/{application_id}/end`, with the `organization` that it is for, or `none`.
pub async fn end_application(
    visitor: Visitor,
    browser: Browser,
    Path(id): Path<String>,
    Form(params): Form,
) -> Response {
    let within = within(&params).and_then(|within| within.ok_or_else(Refused::hidden));
    let wish = within.and_then(|within| Ok(Wish::TakeBack(read(&id)?, within)));
    done(&visitor, &browser, &params, wish).await
}

/// The `organization` that a form is about, if it says one: its id, or `none`, which is nobody's.
fn within(params: &Params) -> Result<Option<Within>, Refused> {
    match params.get("organization").map_err(|_| Refused::hidden())? {
        Some(HeldFor::NOBODY) => Ok(Some(Within::Personal)),
        Some(text) => read(text).map(Within::Organization).map(Some),
        None => Ok(None),
    }
}

/// `POST /account/applications/{application_id}/withdraw`, with the `organization` that it was allowed for, as above; without:
/// for whichever.
pub async fn withdraw(
    visitor: Visitor,
    browser: Browser,
    Path(id): Path<String>,
    Form(params): Form,
) -> Response {
    let within = within(&params).map(|within| within.unwrap_or(Within::Everything));
    let wish = within.and_then(|within| Ok(Wish::Withdraw(read(&id)?, within)));
    done(&visitor, &browser, &params, wish).await
}

/// What a form of ours asks for.
#[derive(Clone, Copy)]
enum Wish {
    Leave(OrganizationId),
    Switch(OrganizationId),
    EndSession(SessionId),
    TakeBack(ApplicationId, Within),
    Withdraw(ApplicationId, Within),
}

impl Wish {
    /// The page on which its form stands, and what that says afterwards.
    const fn back(self) -> (&'static str, &'static str) {
        match self {
            Self::Leave(_) => (ORGANIZATIONS, "left"),
            Self::Switch(_) => (ORGANIZATIONS, "switched"),
            Self::EndSession(_) => (SESSIONS, "session"),
            Self::TakeBack(..) => (APPLICATIONS, "application"),
            Self::Withdraw(..) => (APPLICATIONS, "consent"),
        }
    }

    async fn fulfil(self, visitor: &Visitor, here: &Here) -> Result<(), Refused> {
        let (session, user, stand_for) = (here.session.id, here.user.id, visitor.front.stand_for);
        here::change(visitor, here, async move |change| match self {
            Self::Leave(organization) => leave(change, (session, user), organization, stand_for).await,
            Self::Switch(organization) => switch(change, session, organization, stand_for).await,
            Self::EndSession(id) => end_session(change, user, id).await,
            Self::TakeBack(application, within) | Self::Withdraw(application, within) => {
                take_back(change, user, application, within).await
            }
        })
        .await
    }
}

/// What is no id names nothing that there is.
fn read<I: std::str::FromStr>(text: &str) -> Result<I, Refused> {
    text.parse().map_err(|_| Refused::hidden())
}

/// How a page is looked at.
#[derive(Default)]
struct Look {
    after: Option<String>,
    done: Option<&'static str>,
}

impl Look {
    /// What cannot be read is not there: the page begins at its beginning.
    fn of(query: Option<&str>) -> Self {
        let Ok(params) = Params::parse(query.unwrap_or_default().as_bytes()) else { return Self::default() };
        let get = |name| params.get(name).ok().flatten();
        let done = DONE.into_iter().find(|done| get("done") == Some(done));
        Self { after: get("after").map(str::to_owned), done }
    }

    /// The part of the list that is looked at: from its beginning, unless this is a cursor of it.
    fn slice<K: Keys>(&self, list: String) -> Slice<K> {
        Slice::new(list.clone(), ROWS, self.after.as_deref()).unwrap_or_else(|_| Slice::first(list, ROWS))
    }
}

/// What somebody looks at.
enum What {
    Organizations(Look),
    Sessions(Look),
    Applications(Look),
    /// The page that asks whether to leave this one.
    Leaving(String),
}

/// A page for whoever is here; everybody else signs in first.
async fn shown(visitor: &Visitor, browser: &Browser, what: What) -> Response {
    let here = match Here::of(visitor, browser).await {
        Ok(Some(here)) => here,
        Ok(None) => return signs_in_first(visitor),
        Err(fault) => return told(visitor, fault.into()).await,
    };
    let outcome = match what {
        What::Organizations(look) => their_organizations(visitor, browser, &here, &look).await,
        What::Sessions(look) => their_sessions(visitor, browser, &here, &look).await,
        What::Applications(look) => their_applications(visitor, browser, &here, &look).await,
        What::Leaving(id) => asked_to_leave(visitor, browser, &here, &id).await,
    };
    match outcome {
        Ok(response) => response,
        Err(refused) => told(visitor, refused).await,
    }
}

/// In the language that they came with.
fn signs_in_first(visitor: &Visitor) -> Response {
    let path = visitor.path(SIGN_IN);
    reply::see_other(&match visitor.ui_locales.as_deref() {
        Some(locales) => append(&path, [("ui_locales", locales)]),
        None => path,
    })
}

/// Does what a form of ours asks for, and leads back to the page that it stood on.
async fn done(
    visitor: &Visitor,
    browser: &Browser,
    params: &Params,
    wish: Result<Wish, Refused>,
) -> Response {
    let here = match Here::of(visitor, browser).await {
        Ok(Some(here)) => here,
        Ok(None) => return signs_in_first(visitor),
        Err(fault) => return told(visitor, fault.into()).await,
    };
    if !is_ours(visitor, browser, params) {
        return match noted(visitor, &here, "foreign_form").await {
            Ok(()) => error_page(visitor, StatusCode::FORBIDDEN, Problem::FlowExpired, ORGANIZATIONS),
            Err(fault) => told(visitor, fault.into()).await,
        };
    }
    let outcome = match (wish, in_measure(visitor, &here).await) {
        (Ok(wish), Ok(())) => wish.fulfil(visitor, &here).await.map(|()| wish.back()),
        (Err(refused), _) | (_, Err(refused)) => Err(refused),
    };
    let refused = match outcome {
        Ok((page, word)) => return reply::see_other(&append(&visitor.path(page), [("done", word)])),
        Err(refused) => refused,
    };
    let noted = match &refused {
        Refused::Told(why) => noted(visitor, &here, why.code.word()).await,
        Refused::Conflict | Refused::Failed(_) => Ok(()),
    };
    match noted {
        Ok(()) => told(visitor, refused).await,
        Err(fault) => told(visitor, fault.into()).await,
    }
}

/// Whether a form was posted from our page, which this browser was shown since it signed in (threats H24).
fn is_ours(visitor: &Visitor, browser: &Browser, params: &Params) -> bool {
    let token = params.get("csrf").ok().flatten().unwrap_or_default();
    !visitor.is_cross_site() && !token.is_empty() && token == csrf(browser)
}

/// Nobody does more in a minute than a network may begin logins: each is an event that is never forgotten (threats M10).
async fn in_measure(visitor: &Visitor, here: &Here) -> Result<(), Refused> {
    let (broker, key) = (visitor.broker(), format!("account {}", here.session.id));
    if broker.ephemeral.count(Kind::RateCounter, &key, MINUTE).await? > broker.config.login.flows_per_minute {
        return Err(Refused::new(Code::RateLimited, "wait a minute"));
    }
    Ok(())
}

/// Writes a refusal down, as far as one network may cause that.
async fn noted(visitor: &Visitor, here: &Here, reason: &'static str) -> Result<(), Fault> {
    if !visitor.may_be_noted().await? {
        return Ok(());
    }
    let event = AuditEvent::new(visitor.project.id, "account.refused", Outcome::Refused)
        .actor(here.user.id)
        .subject(here.session.id)
        .reason(reason)
        .request(Some(visitor.request));
    Ok(visitor.broker().record(event).await?)
}

/// Why it is not done, and the way on.
async fn told(visitor: &Visitor, refused: Refused) -> Response {
    let code = match refused {
        Refused::Failed(fault) => return visitor.fault(&fault, None).await,
        Refused::Conflict => Code::Busy,
        Refused::Told(told) => told.code,
    };
    let (problem, way) = match code {
        Code::LastOwner => (Problem::LastOwner, ORGANIZATIONS),
        Code::PolicyLocksOut => (Problem::LastWayIn, ORGANIZATIONS),
        Code::ManagedByDirectory => (Problem::ManagedByDirectory, ORGANIZATIONS),
        Code::SsoRequired => (Problem::SsoRequired, ORGANIZATIONS),
        Code::MfaRequired => (Problem::MfaRequired, ORGANIZATIONS),
        Code::ReauthenticationRequired => (Problem::SignInAgain, "/account/sign-in?again=yes"),
        Code::Unauthenticated => return signs_in_first(visitor),
        Code::Busy | Code::RateLimited => (Problem::TooManyRequests, ORGANIZATIONS),
        Code::AuditUnavailable => (Problem::Fault, ORGANIZATIONS),
        _ => (Problem::NotFound, ORGANIZATIONS),
    };
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    error_page(visitor, status, problem, way)
}

fn error_page(visitor: &Visitor, status: StatusCode, problem: Problem, way: &str) -> Response {
    let again = Href::parse(&visitor.path(way));
    let page = ErrorPage { id: Some(visitor.request.to_string()), again, ..ErrorPage::new(problem) };
    visitor.page(status, &Page::Error(page), None, &[])
}

/// What all of them have, with where the list goes on.
fn frame(
    visitor: &Visitor,
    browser: &Browser,
    here: &Here,
    look: &Look,
    (own, next): (&str, Option<String>),
) -> AccountFrame {
    let name = here.user.profile.name.clone();
    let own = visitor.path(own);
    AccountFrame {
        email: here.user.email.as_ref().map(ToString::to_string).or(name).unwrap_or_default(),
        csrf: csrf(browser),
        organizations: visitor.path(ORGANIZATIONS),
        sessions: visitor.path(SESSIONS),
        applications: visitor.path(APPLICATIONS),
        sign_out: visitor.path("/logout"),
        done: look.done,
        first: look.after.as_ref().and_then(|_| Href::parse(&own)),
        next: next.and_then(|next| Href::parse(&append(&own, [("after", next.as_str())]))),
    }
}

fn page_of(visitor: &Visitor, page: &Page) -> Response {
    visitor.page(StatusCode::OK, page, None, &[])
}

async fn their_organizations(
    visitor: &Visitor,
    browser: &Browser,
    here: &Here,
    look: &Look,
) -> Result<Response, Refused> {
    let (broker, slice) = (visitor.broker(), look.slice(format!("account organizations {}", here.user.id)));
    let told = Told::themselves(&visitor.project.settings);
    let (found, next) = mine(&broker.db, (&here.user, told, broker.now()), "", &slice).await?;
    let organizations = found.iter().map(|choice| own_organization(visitor, here, choice)).collect();
    let frame = frame(visitor, browser, here, look, (ORGANIZATIONS, next));
    Ok(page_of(visitor, &Page::Account(AccountPage { frame, organizations })))
}

fn own_organization(visitor: &Visitor, here: &Here, choice: &Choice) -> OwnOrganization {
    let id = choice.organization;
    let current = here.current == Some((id, choice.epoch));
    let path = |what: &str| visitor.path(&format!("/account/organizations/{id}/{what}"));
    let logo = choice.has_logo.then(|| format!("/assets/logo/{id}"));
    OwnOrganization {
        name: choice.display_name.clone(),
        logo: logo.and_then(|path| ImagePath::parse(&path)),
        kind: choice.kind.map_or("delegate", |kind| kind.word()),
        delegated_by: choice.delegation.as_ref().map(|delegated| delegated.home_name.clone()),
        current,
        switch: (!current).then(|| path("switch")),
        leave: choice.delegation.is_none().then(|| Href::parse(&path("leave"))).flatten(),
    }
}

async fn their_sessions(
    visitor: &Visitor,
    browser: &Browser,
    here: &Here,
    look: &Look,
) -> Result<Response, Refused> {
    let (broker, slice) = (visitor.broker(), look.slice(format!("account sessions {}", here.user.id)));
    let (db, before) = (&mut &broker.db, slice.text());
    let found = signed_in::sessions_of(db, here.user.id, broker.now(), &before, slice.most()).await?;
    let (found, next) = slice.page(found, |last: &SignedIn| last.session);
    let sessions = found.iter().map(|one| own_session(visitor, here, one)).collect();
    let frame = frame(visitor, browser, here, look, (SESSIONS, next));
    Ok(page_of(visitor, &Page::Sessions(SessionsPage { frame, sessions })))
}

fn own_session(visitor: &Visitor, here: &Here, one: &SignedIn) -> OwnSession {
    OwnSession {
        here: one.session == here.session.id,
        through: one.through.clone(),
        browser: one.browser.map(|browser| browser.family.word()),
        system: one.browser.map(|browser| browser.system.word()),
        since: minute(one.created_at),
        seen: minute(one.seen_at),
        end: visitor.path(&format!("/account/sessions/{}/end", one.session)),
    }
}

async fn their_applications(
    visitor: &Visitor,
    browser: &Browser,
    here: &Here,
    look: &Look,
) -> Result<Response, Refused> {
    let (broker, slice) = (visitor.broker(), look.slice(format!("account applications {}", here.user.id)));
    let db = &mut &broker.db;
    let found = signed_in::held_of(db, here.user.id, broker.now(), slice.after, slice.most()).await?;
    let (found, next) = slice.page(found, Holds::place);
    let applications = found.iter().map(|one| own_application(visitor, one)).collect();
    let mut consents = Vec::new();
    if look.after.is_none() {
        for one in consents::of_user(db, here.user.id, "", MOST_CONSENTS).await? {
            consents.extend(own_consents(visitor, here, &one).await?);
        }
    }
    let frame = frame(visitor, browser, here, look, (APPLICATIONS, next));
    Ok(page_of(visitor, &Page::Applications(ApplicationsPage { frame, applications, consents })))
}

/// One row for each organization that they have allowed it for: they take back one, and keep another.
async fn own_consents(visitor: &Visitor, here: &Here, one: &Consent) -> Result<Vec<OwnConsent>, Refused> {
    let (broker, mut told) = (visitor.broker(), BTreeMap::<_, Vec<_>>::new());
    for page in &one.allowed.told {
        told.entry(page.organization).or_default().push(page);
    }
    let mut rows = Vec::new();
    for (organization, told) in told {
        let since = told.iter().map(|page| page.allowed_at).max().unwrap_or(one.updated_at);
        let choice = match organization {
            Some(id) => choices::to(&mut &broker.db, &here.user, id, broker.now()).await?,
            None => None,
        };
        rows.push(OwnConsent {
            name: one.name.clone(),
            held_for: HeldFor::of(organization, choice.map(|choice| choice.display_name)),
            told: told.into_iter().map(own_told).collect(),
            since: minute(since),
            withdraw: visitor.path(&format!("/account/applications/{}/withdraw", one.application)),
        });
    }
    Ok(rows)
}

fn own_told(page: &consent::Told) -> OwnTold {
    OwnTold {
        leads_to: page.place.host().map(str::to_owned),
        audiences: page.audiences.join(", "),
        acts_at: page.acts_at.join(", "),
        scopes: page.scopes.clone(),
    }
}

fn own_application(visitor: &Visitor, one: &Holds) -> OwnApplication {
    OwnApplication {
        name: one.name.clone(),
        held_for: HeldFor::of(one.organization, one.organization_name.clone()),
        since: minute(one.since),
        offline: one.offline,
        end: visitor.path(&format!("/account/applications/{}/end", one.application)),
    }
}

async fn asked_to_leave(
    visitor: &Visitor,
    browser: &Browser,
    here: &Here,
    id: &str,
) -> Result<Response, Refused> {
    let organization: OrganizationId = read(id)?;
    let (broker, db) = (visitor.broker(), &mut &visitor.broker().db);
    let found = choices::to(db, &here.user, organization, broker.now()).await?;
    let found = found.filter(|choice| choice.delegation.is_none()).ok_or_else(Refused::hidden)?;
    let page = LeavePage {
        frame: frame(visitor, browser, here, &Look::default(), (ORGANIZATIONS, None)),
        organization: found.display_name,
        action: visitor.path(&format!("/account/organizations/{organization}/leave")),
    };
    Ok(page_of(visitor, &Page::Leave(page)))
}
