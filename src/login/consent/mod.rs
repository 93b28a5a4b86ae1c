//! Somebody is asked whether an application of others may be told of them: before the first code, where a device is let in, and
//! again where it wants to know more or is not what it was. What they have allowed is remembered until they take it back at
//! their account.

pub mod pages;

use super::refusal::Refusal;
use super::{Stop, question};
use crate::audit;
use crate::model::application::Application;
use crate::model::consent::{self, Place, Told, wanted};
use crate::model::login::{Acting, Asked, Login, Stage};
use crate::model::user::User;
use crate::protocol::oauth::scope;
use crate::protocol::problem::API;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{consents, registrations, sessions};
use crate::web::templates::{Disclosed, Why};
use crate::web::visitor::Visitor;

/// What a page says that the application is told of this person, and may do with it.
pub async fn told(
    visitor: &Visitor,
    application: &Application,
    (asked, acting): (&Asked, &Acting),
    user: &User,
) -> Result<Disclosed, StoreError> {
    let mut scopes = consent::wanted(&asked.scopes, &asked.claims);
    let shape = &application.settings.claims;
    // Besides what every profile has: what their identity provider says of them.
    let mapped = user.profile.claims.keys().filter(|name| shape.is_free(name));
    let claims = match scopes.iter().any(|one| one == scope::PROFILE) {
        true => mapped.cloned().collect(),
        false => Vec::new(),
    };
    let ours = format!("{}{API}", visitor.issuer());
    let (own, others): (Vec<_>, Vec<_>) =
        application.settings.audiences.iter().cloned().partition(|audience| *audience == ours);
    if acting.context.organization().is_none() {
        scopes = scopes.into_iter().filter_map(|one| of_nobody(application, one)).collect();
    }
    let registered = registrations::limits_of(&mut &visitor.broker().db, application.id).await?;
    let why = match (registered, application.organization_id) {
        (Some(_), _) => Why::Itself,
        (None, Some(_)) => Why::Owner,
        (None, None) => Why::Operator,
    };
    let acts_at = application.acts_beyond(&visitor.issuer());
    Ok(Disclosed { why, scopes, claims, audiences: others, manages: !own.is_empty(), acts_at })
}

/// Whether the application may be told how they stand to whom they act for, or to what it asked for by its name: of others,
/// whatever is in the way of that is for the person to read, and no answer of ours to it. So is that they act for nobody,
/// where it named none.
pub async fn may_know(
    visitor: &Visitor,
    application: &Application,
    login: &Login,
) -> Result<bool, StoreError> {
    let (db, project) = (&mut &visitor.broker().db, visitor.project.id);
    let Some(session) = login.session().filter(|_| application.settings.client.consent_required) else {
        return Ok(true);
    };
    let Some(session) = sessions::by_id(db, project, session).await? else { return Ok(true) };
    match (&login.stage, login.asked.organization.named()) {
        (Stage::Acting(acting), _) => {
            let known = consents::known(db, session.user_id, application).await?;
            Ok(known.includes(acting.context.organization()))
        }
        (_, Some(named)) => {
            let names: Vec<_> = named.texts().collect();
            consents::knows(db, session.user_id, application, &names).await
        }
        (_, None) => Ok(false),
    }
}

/// What a scope stands for where nobody is acted for: what people are for the operator, who alone is told of it.
fn of_nobody(application: &Application, scope: String) -> Option<String> {
    match scope.as_str() {
        scope::ROLES | scope::PERMISSIONS if application.organization_id.is_some() => None,
        scope::ROLES => Some("own_roles".to_owned()),
        scope::PERMISSIONS => Some("own_permissions".to_owned()),
        _ => Some(scope),
    }
}

/// Names what a page shows of it, so that nobody says yes to something else.
pub fn shown(application: &Application, asked: &Asked, acting: &Acting) -> String {
    let (scopes, audiences) = (wanted(&asked.scopes, &asked.claims), application.settings.audiences.clone());
    let place = Place::of(asked).host().map(str::to_owned).into_iter().collect();
    let (name, acts_at) = (vec![application.display_name.clone()], application.acts_at().to_vec());
    let all = [name, audiences, acts_at, place, scopes].map(|some| some.join("\n"));
    question::shown(acting, &all)
}

/// Remembers that the person allows it.
async fn allow(
    visitor: &Visitor,
    application: &Application,
    asked: &Asked,
    acting: &Acting,
) -> Result<(), Stop> {
    let (broker, project) = (visitor.broker(), visitor.project.id);
    let (random, now) = (broker.random.clone(), broker.now());
    let (session, id) = (acting.session, application.id);
    let (name, told) = (application.display_name.clone(), Told::of(application, asked, acting.context, now));
    let event =
        told.event(application).request(Some(visitor.request)).with("address", visitor.address.to_string());
    let kept = broker
        .db
        .write(async move |tx| {
            let session = sessions::by_id(tx, project, session).await?;
            let Some(session) = session.filter(|session| session.is_alive(now)) else {
                return Ok(Err(Refusal::SessionEnded));
            };
            consents::allow(tx, session.user_id, id, (&name, &told), now).await?;
            audit::record(tx, &random, now, &event.actor(session.user_id)).await?;
            Ok::<_, StoreError>(Ok(()))
        })
        .await?;
    Ok(kept?)
}
