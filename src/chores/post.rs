//! Hands over the mails that wait. Each is taken by one node, is tried for a day with longer and longer pauses, and is
//! given up at once where the server refuses it for good; that is told to whom it concerns by the audit trail.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;

use crate::audit;
use crate::broker::Broker;
use crate::egress::mail::{Outgoing, Post, PostError};
use crate::foundation::clock::Moment;
use crate::keys::keyring::KeyError;
use crate::keys::mail_secret;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::mail::{Kind, Mail};
use crate::model::project::Project;
use crate::store::durable::engine::StoreError;
use crate::store::durable::mails::{self, Claimed};
use crate::store::durable::projects;
use crate::web::templates::{Brand, LetterPage, Templates};

/// Mails of one round.
const MOST: i64 = 20;
/// Connections to the server at once.
const AT_ONCE: usize = 4;
/// A node that dies with a mail in its hands keeps it for so long: longer than a round takes.
const TURN: Duration = Duration::from_secs(900);
/// Nobody had a server for it in time.
const NOT_CONFIGURED: &str = "mail_not_configured";

/// Hands over whatever is due; how many were sent.
pub async fn send(broker: &Broker, templates: &Templates) -> Result<usize, StoreError> {
    let now = broker.now();
    let Some(post) = &broker.post else { return without_a_server(broker, now).await };
    // Nothing is written where nothing is due.
    if !mails::any_due(&mut &broker.db, now).await? {
        return Ok(0);
    }
    let claimed = broker.db.write(async move |tx| mails::claim(tx, now, now.plus(TURN), MOST).await).await?;
    let each = iter(claimed).map(async |claim| one(broker, post, templates, claim).await);
    let all: Vec<_> = each.buffer_unordered(AT_ONCE).collect().await;
    all.into_iter().try_fold(0, |sent, one| Ok(sent + usize::from(one?)))
}

/// Another node may have one: what waits is left to it, until it helps nobody any more.
async fn without_a_server(broker: &Broker, now: Moment) -> Result<usize, StoreError> {
    if mails::any_over(&mut &broker.db, now).await? {
        broker.db.write(async move |tx| mails::give_up_what_is_over(tx, now, NOT_CONFIGURED).await).await?;
    }
    Ok(0)
}

/// Whether it was sent.
async fn one(
    broker: &Broker,
    post: &Post,
    templates: &Templates,
    claim: Claimed,
) -> Result<bool, StoreError> {
    let Some(project) = projects::by_id(&mut &broker.db, claim.mail.project_id).await? else {
        return Ok(false);
    };
    match hand_over(broker, post, templates, &project, &claim).await {
        Ok(()) => sent(broker, claim).await,
        Err(error) => not_sent(broker, claim, &error).await.map(|()| false),
    }
}

async fn hand_over(
    broker: &Broker,
    post: &Post,
    templates: &Templates,
    project: &Project,
    claim: &Claimed,
) -> Result<(), PostError> {
    let Claimed { mail, .. } = claim;
    let link = link(broker, project, claim)
        .map_err(|error| PostError::NotNow(format!("its link cannot be read: {error}")))?;
    let (letter, brand) = (LetterPage::new(&mail.letter, link), Brand::of(project));
    let written = templates
        .write(&letter, mail.language.as_deref(), &brand)
        .map_err(|error| PostError::NotNow(error.to_string()))?;
    post.send(Outgoing {
        id: &mail.id.to_string(),
        from: &written.from,
        to: &mail.to,
        subject: &written.subject,
        text: written.text,
        html: written.html,
        at: broker.now(),
    })
    .await
}

/// Made of our own address, never of a request's (threats C24).
fn link(broker: &Broker, project: &Project, claim: &Claimed) -> Result<Option<String>, KeyError> {
    let Some(sealed) = claim.secret.as_ref().filter(|_| claim.mail.letter.kind == Kind::Invitation) else {
        return Ok(None);
    };
    let secret = mail_secret::open(&broker.keyring, claim.mail.id, sealed)?;
    Ok(Some(broker.invitation_link(project, &secret)))
}

async fn sent(broker: &Broker, claim: Claimed) -> Result<bool, StoreError> {
    tracing::info!(mail = %claim.mail.id, kind = claim.mail.letter.kind.word(), "a mail was handed over");
    let now = broker.now();
    broker.db.write(async move |tx| mails::sent(tx, &claim, now).await).await
}

async fn not_sent(broker: &Broker, claim: Claimed, error: &PostError) -> Result<(), StoreError> {
    let now = broker.now();
    let next = next_try(&claim, error, now);
    let (mail, kind, failure) = (claim.mail.id, claim.mail.letter.kind.word(), error.public());
    tracing::warn!(%mail, kind, tries = claim.tries, given_up = next.is_none(), %error, "a mail was not handed over");
    let random = broker.random.clone();
    broker
        .db
        .write(async move |tx| {
            let Some(at) = next else {
                if mails::given_up(tx, &claim, now, &failure).await? {
                    audit::record(tx, &random, now, &told(&claim, &failure)).await?;
                }
                return Ok(());
            };
            mails::later(tx, &claim, at, &failure).await.map(drop)
        })
        .await
}

/// Nothing, if trying again helps nobody.
fn next_try(claim: &Claimed, error: &PostError, now: Moment) -> Option<Moment> {
    let at = now.plus(Mail::pause(claim.tries));
    let over = matches!(error, PostError::Refused(_))
        || claim.tries >= Mail::MOST_TRIES
        || at >= claim.mail.expires_at;
    (!over).then_some(at)
}

fn told(claim: &Claimed, failure: &str) -> AuditEvent {
    let mail = &claim.mail;
    AuditEvent::new(mail.project_id, "mail.given_up", Outcome::Changed)
        .organization(mail.organization_id)
        .actor(Actor::House)
        .subject(mail.id)
        .with("kind", mail.letter.kind.word())
        .with("recipient", mail.to.as_str())
        .with("tries", claim.tries)
        .with("failure", failure)
}
