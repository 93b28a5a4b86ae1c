//! From stage to stage, until a person or another server is to answer, or there is nothing left to do.

use http::header;
use tower_sessions::Session;

use super::devices::{barred, bars_devices, turned_away};
use super::{PICKER, QUESTION};
use crate::foundation::id::SessionId;
use crate::foundation::secret::Secret;
use crate::login::back::Back;
use crate::login::flow::{Claim, Journey};
use crate::login::refusal::Refusal;
use crate::login::{Stop, account, arrive, authenticate, choose, consent, device, invited, issue, resolve};
use crate::model::application::Application;
use crate::model::login::{Acting, Arrived, Authenticated, Stage};
use crate::protocol::oauth::error::OAuthError;
use crate::store::durable::sessions;
use crate::telemetry::names;
use crate::web::cookies::Begun;
use crate::web::reply::{self, Fault, Response};
use crate::web::visitor::Visitor;

/// Where a walk ends.
pub(super) enum Step {
    /// For the person, at a page of ours.
    Wait(Response),
    /// The same, at a page that has an address of its own within the flow.
    WaitAt(&'static str, Response),
    /// For an identity provider.
    Leave(Response),
    End(Response),
    /// Somebody has ended the flow meanwhile, or moved it on.
    Overtaken,
}

/// From room to room.
pub(super) async fn walk(
    visitor: &Visitor,
    browser: &Session,
    journey: &mut Journey,
    application: &Application,
) -> Result<Step, Stop> {
    // What most logins do not come by does not make room for itself in all of them.
    let mut away = None;
    // Whose session has been found here, until something may have changed of them.
    let mut here = None;
    loop {
        match journey.login.stage.clone() {
            Stage::Arrived(arrived) => {
                if let Some(ticket) = journey.login.asked.undecided() {
                    if journey.login.asked.prompt.none {
                        let error = OAuthError::interaction_required("invitation_unanswered");
                        return Err(Refusal::Protocol(error).into());
                    }
                    let page =
                        Box::pin(invited::pages::question(visitor, application, journey, ticket)).await?;
                    return Ok(Step::Wait(page));
                }
                if let Some(person) =
                    arrive::standing_session(visitor, browser, application, &journey.login, &arrived).await?
                {
                    journey.login.stage = Stage::Authenticated(Authenticated { session: person.session.id });
                    here = Some(person);
                    continue;
                }
                if journey.login.asked.prompt.none {
                    return Box::pin(silently(visitor, journey, application, &arrived)).await;
                }
                if resolve::asks_for_organization(visitor, application, &journey.login) {
                    let page =
                        resolve::pages::organization::page(visitor, application, journey, None).await?;
                    return Ok(Step::Wait(page));
                }
                match Box::pin(resolve::decide(visitor, application, &journey.login, &arrived)).await? {
                    resolve::Decision::Ask => {
                        let known = Box::pin(arrive::proves_again(visitor, browser, journey)).await?;
                        let known = known.as_deref();
                        let page = resolve::pages::email_page(visitor, application, journey, known, None);
                        let page = Box::pin(page).await?;
                        // Whoever went back only looks: the way forward again leads to the same answer.
                        journey.login.stage = away.unwrap_or(Stage::Arrived(arrived));
                        return Ok(Step::Wait(page));
                    }
                    resolve::Decision::Resolved(resolved) => journey.login.stage = Stage::Resolved(resolved),
                }
            }
            Stage::Resolved(resolved) => match resolved.connections.as_slice() {
                [] => return Err(Refusal::NoIdentityProvider.into()),
                [only] => {
                    let email = resolved.email.clone();
                    let leaving = authenticate::leave_for(visitor, &journey.login, *only, email);
                    let (away, departure) = Box::pin(leaving).await?;
                    journey.login.stage = Stage::Away(Box::new(away));
                    return Ok(Step::Leave(gone(visitor, departure.reply_within(visitor, journey))));
                }
                _ => {
                    let page = resolve::pages::chooser_page(visitor, application, journey, &resolved);
                    return Ok(Step::Wait(Box::pin(page).await?));
                }
            },
            // They came back to our page without having come back from there: they may go again.
            stage @ (Stage::Away(_) | Stage::Vouched(_)) => {
                away = Some(stage);
                journey.login.stage = Stage::Arrived(Arrived { another_account: true, unproved: false })
            }
            Stage::Authenticated(Authenticated { session }) if journey.is_invited() => {
                let onward = Box::pin(invited::conclude(visitor, &journey.login.asked, session)).await?;
                names::login_succeeded();
                return Ok(Step::End(reply::see_other(&onward)));
            }
            Stage::Authenticated(Authenticated { session }) if journey.is_for_account() => {
                choose::user_of(visitor, session).await?;
                names::login_succeeded();
                let end = account::end(&journey.login.asked);
                return Ok(Step::End(reply::see_other(&visitor.path(&end))));
            }
            Stage::Authenticated(Authenticated { session }) => {
                let mut found = here.take();
                if journey.login.asked.accepts().is_some() {
                    found = None;
                    Box::pin(invited::join(visitor, &mut journey.login.asked, session)).await?;
                }
                is_who_was_meant(visitor, journey, session).await?;
                is_proved_as_asked(visitor, journey, session).await?;
                let decided = choose::decide(visitor, application, &journey.login, session, found).await?;
                let picked = journey.login.picked.take();
                if let Some(context) = choose::picked_again(visitor, picked, session, &decided).await? {
                    journey.login.stage = Stage::Acting(Acting { session, context, by_hand: true });
                    continue;
                }
                match decided {
                    choose::Decision::Ask(choices) if journey.login.asked.device.is_some() => {
                        let barred = Box::pin(barred(visitor, journey, session, &choices)).await?;
                        if choices.iter().all(|choice| bars_devices(&barred, choice)) {
                            return Box::pin(turned_away(visitor, journey, (session, None))).await;
                        }
                        let look = (choices.as_slice(), barred.as_slice(), None);
                        let page = choose::pages::picker(visitor, application, journey, session, look);
                        return Ok(Step::WaitAt(PICKER, Box::pin(page).await?));
                    }
                    choose::Decision::Ask(choices) => {
                        let look = (choices.as_slice(), [].as_slice(), None);
                        let page = choose::pages::picker(visitor, application, journey, session, look);
                        return Ok(Step::Wait(Box::pin(page).await?));
                    }
                    choose::Decision::Chosen(context) => {
                        journey.login.stage = Stage::Acting(Acting { session, context, by_hand: false });
                    }
                }
            }
            Stage::Acting(acting) if journey.login.asked.device.is_some() => {
                let asked = &journey.login.asked;
                match Box::pin(issue::device::judge(visitor, asked, acting.session, acting.context)).await? {
                    // There was nothing to choose.
                    Err(Refusal::DeviceNotAllowed) if !acting.by_hand => {
                        let organization = acting.context.organization();
                        return Box::pin(turned_away(visitor, journey, (acting.session, organization))).await;
                    }
                    judged => judged?,
                }
                let page =
                    Box::pin(device::pages::let_in_page(visitor, application, journey, &acting)).await?;
                return Ok(Step::WaitAt(QUESTION, page));
            }
            Stage::Acting(acting) => {
                // However often they press, and wherever: one code.
                let Some(claim) = journey.claim(visitor).await? else { return Ok(Step::Overtaken) };
                if let Some(code) = code(visitor, journey, application, &claim).await? {
                    names::login_succeeded();
                    let back = Back::of(&journey.login.asked);
                    return Ok(Step::End(back.with_code(visitor, &code).await?));
                }
                let page = consent::pages::ask(visitor, application, journey, &acting);
                return Ok(Step::Wait(Box::pin(page).await?));
            }
        }
    }
}

/// The code; nothing where the person is to be asked first whether the application may be told of them.
async fn code(
    visitor: &Visitor,
    journey: &Journey,
    application: &Application,
    claim: &Claim,
) -> Result<Option<Secret>, Stop> {
    let ready = journey.login.clone().ready().map_err(|_| Fault::Other("a login is not ready"))?;
    if journey.login.asked.prompt.none && !consent::may_know(visitor, application, &journey.login).await? {
        return Err(Refusal::ConsentRequired.into());
    }
    if application.settings.client.consent_required && journey.login.asked.prompt.consent {
        // Nobody is asked for what would be refused.
        issue::judge(visitor, &ready).await??;
        return Ok(None);
    }
    match issue::code(visitor, &ready, claim).await {
        Ok(code) => Ok(Some(code)),
        Err(Stop::Refused(Refusal::ConsentRequired)) if !journey.login.asked.prompt.none => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// Nobody may be asked anything. So only an identity provider that is known without asking, and whose connection allows
/// it, may say at once who is there; it is told not to ask anybody either. An application of others learns nothing so of who
/// is signed in where: nobody knows yet who it is that would have allowed that (threats C22).
async fn silently(
    visitor: &Visitor,
    journey: &mut Journey,
    application: &Application,
    arrived: &Arrived,
) -> Result<Step, Stop> {
    if application.settings.client.consent_required {
        return Err(Refusal::LoginRequired.into());
    }
    let resolved = match resolve::decide(visitor, application, &journey.login, arrived).await {
        Ok(resolve::Decision::Resolved(resolved)) => resolved,
        Ok(resolve::Decision::Ask) | Err(Stop::Refused(_)) => return Err(Refusal::LoginRequired.into()),
        Err(stop) => return Err(stop),
    };
    let [only] = *resolved.connections.as_slice() else { return Err(Refusal::LoginRequired.into()) };
    journey.login.stage = Stage::Resolved(resolved.clone());
    let left = authenticate::leave_silently(visitor, &journey.login, only, resolved.email).await?;
    let (away, departure) = left.ok_or(Refusal::LoginRequired)?;
    journey.login.stage = Stage::Away(Box::new(away));
    Ok(Step::Leave(gone(visitor, departure.reply(visitor, None, &[]))))
}

/// What an identity provider has begun leads away once.
fn gone(visitor: &Visitor, mut response: Response) -> Response {
    if Begun::of(&visitor.headers).is_some() {
        response.headers_mut().append(header::SET_COOKIE, Begun::over());
    }
    response
}

/// An application that named somebody by an ID token is not given somebody else (OpenID Connect Core, section
/// 3.1.2.1). "Use another account" drops the hint.
async fn is_who_was_meant(visitor: &Visitor, journey: &Journey, session: SessionId) -> Result<(), Stop> {
    let asked = &journey.login.asked;
    match asked.hinted_user {
        Some(meant) if choose::user_of(visitor, session).await?.id != meant => {
            Err(Refusal::LoginRequired.into())
        }
        // Nobody has seen a page on which to say that they are somebody else than whom the hint means.
        _ if asked.prompt.none && !asked.is_for(&choose::user_of(visitor, session).await?) => {
            Err(Refusal::LoginRequired.into())
        }
        _ => Ok(()),
    }
}

/// What the application cannot do without is not replaced by less (OpenID Connect Core, section 5.5.1.1).
async fn is_proved_as_asked(visitor: &Visitor, journey: &Journey, session: SessionId) -> Result<(), Stop> {
    let asked = &journey.login.asked;
    if !asked.acr.as_ref().is_some_and(|acr| acr.essential) {
        return Ok(());
    }
    let found = sessions::by_id(&mut &visitor.broker().db, visitor.project.id, session).await?;
    match found.is_some_and(|session| asked.is_proved_by(&session.assurance)) {
        true => Ok(()),
        false => Err(Refusal::AcrUnmet.into()),
    }
}
