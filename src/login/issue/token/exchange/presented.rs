//! What is presented for an exchange, and by whom.

use super::{Exchanging, unacceptable};
use crate::foundation::clock::Moment;
use crate::foundation::id::GrantId;
use crate::login::Stop;
use crate::login::issue::held::{Found, Held, found};
use crate::login::issue::token::Lifetimes;
use crate::model::application::Application;
use crate::model::machine_grant::MachineGrant;
use crate::protocol::jose::Claims;
use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::exchange::Request;
use crate::web::visitor::Visitor;

/// Reads what is presented: an access token of a person that is ours, and was given to this application or is for it.
pub async fn prepared(
    visitor: &Visitor,
    application: Application,
    request: Request,
    proved: Confirmation,
) -> Result<Exchanging, Stop> {
    let broker = visitor.broker();
    let now = broker.now();
    let unknown = || unacceptable("subject_token is no access token that this application may exchange");
    let presented = found(visitor, &request.subject_token, now).await?.ok_or_else(unknown)?;
    let is_for_it = presented.is_for(&application);
    let Found::Family(subject, Held::Access(token)) = presented else { return Err(unknown().into()) };
    let is_own = subject.application_id == application.id;
    if !is_own && !is_for_it {
        return Err(unknown().into());
    }
    let bound = if is_own {
        held_by(&token, &proved).ok_or_else(|| {
            unacceptable("subject_token is bound, and what it is bound to was not proved with this request")
        })?
    } else {
        bound_anew(&token, &proved).ok_or_else(|| {
            unacceptable(
                "subject_token is bound: prove a key or certificate to which the new one is to be bound",
            )
        })?
    };
    let actor = actor(visitor, &application, (request.actor_token.as_deref(), &proved), now).await?;
    let lifetime = Lifetimes::of(visitor, &application.settings).access_token;
    let ends = token.exp().map_err(|_| unknown())?;
    Ok(Exchanging {
        random: broker.random.clone(),
        now,
        tag: visitor.request,
        issuer: visitor.issuer(),
        acts: !is_own || actor.is_some(),
        actor,
        expires_at: now.plus(std::time::Duration::from_secs(lifetime)).min(ends),
        application,
        subject: subject.id,
        token,
        bound,
        proved,
        request,
    })
}

/// What the token is bound to, if whoever comes with it has proved to hold that.
fn held_by(token: &Claims, proved: &Confirmation) -> Option<Confirmation> {
    Confirmation::of(token).filter(|bound| bound.is_proved_by(proved))
}

/// Whoever is shown a bound token has not the key of who showed it, and binds what comes of it to their own.
fn bound_anew(token: &Claims, proved: &Confirmation) -> Option<Confirmation> {
    let bound = Confirmation::of(token)?;
    if bound.is_empty() { Some(bound) } else { Some(proved.clone()).filter(|proved| !proved.is_empty()) }
}

/// Who asks is who acts. A token of theirs may say so once more, and nobody else's.
async fn actor(
    visitor: &Visitor,
    application: &Application,
    (token, proved): (Option<&str>, &Confirmation),
    now: Moment,
) -> Result<Option<GrantId>, Stop> {
    let Some(token) = token else { return Ok(None) };
    let own = |grant: &MachineGrant| grant.application_id == application.id && grant.revoked_at.is_none();
    match found(visitor, token, now).await? {
        Some(Found::Machine(grant, token)) if own(&grant) && held_by(&token, proved).is_some() => {
            Ok(Some(grant.id))
        }
        _ => Err(unacceptable("actor_token is none of the application itself").into()),
    }
}
