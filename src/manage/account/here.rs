//! Who is at this browser, for what they do at a page of ours.

use tower_sessions::Session as Browser;

use crate::audit::{By, Keep};
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId, SessionId};
use crate::foundation::secret::Secret;
use crate::keys::keyring::Keyring;
use crate::manage::authority::Proved;
use crate::manage::desk::Change;
use crate::manage::refused::Refused;
use crate::manage::session::gone;
use crate::model::audit_event::Actor;
use crate::model::session::Session;
use crate::model::user::User;
use crate::store::durable::choices::{self, Told};
use crate::store::durable::engine::{Read, StoreError, Tx};
use crate::store::durable::standing;
use crate::web::browser;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

/// Somebody who is signed in here.
#[derive(Clone, Debug)]
pub struct Here {
    pub session: Session,
    pub user: User,
    /// What they have switched to, and in which of its epochs.
    pub current: Option<(OrganizationId, i64)>,
}

impl Here {
    /// Nobody, where the browser shows no session that lives.
    pub async fn of(visitor: &Visitor, browser: &Browser) -> Result<Option<Self>, Fault> {
        let (broker, project) = (visitor.broker(), visitor.project.id);
        let Some(id) = browser::session_of(browser, project).await? else { return Ok(None) };
        Ok(found(&mut &broker.db, project, id, broker.now()).await?)
    }
}

/// Whose session it is, if it lives, and they may sign in as they did: whose organization was shut down since is here as a
/// member of another one alone.
async fn found(
    db: &mut impl Read,
    project: ProjectId,
    id: SessionId,
    now: Moment,
) -> Result<Option<Here>, StoreError> {
    let Some(standing) = standing::of(db, project, id).await? else { return Ok(None) };
    let lives = standing.session.is_alive(now)
        && standing.user.disabled_at.is_none()
        && standing.connection.is_active();
    if !lives {
        return Ok(None);
    }
    if !standing.still_provided {
        let provider = standing.provider.as_ref().map(|provider| provider.id);
        let own = choices::own_page(db, (standing.user.id, Told::All), "", "", 2).await?;
        if !own.iter().any(|choice| Some(choice.organization) != provider) {
            return Ok(None);
        }
    }
    Ok(Some(Here { session: standing.session, user: standing.user, current: standing.current }))
}

/// What every form of these pages carries: made of the cookie's value, which nobody else knows, and which is another one
/// after each sign-in.
pub fn csrf(browser: &Browser) -> String {
    browser.id().map(|id| Secret::new(format!("account {id}")).digest().text()).unwrap_or_default()
}

/// Writes for them, in one transaction in which they are looked up once more. `work` awaits nothing but the transaction,
/// and may run several times.
pub async fn change<A, W>(visitor: &Visitor, here: &Here, work: W) -> Result<A, Refused>
where
    W: AsyncFn(&mut Change<'_, '_>) -> Result<A, Refused> + Send + Sync + 'static,
    A: Send + 'static,
{
    let broker = visitor.broker();
    let errand = Errand {
        keep: Keep {
            random: broker.random.clone(),
            project: visitor.project.clone(),
            actor: Actor::User(here.user.id),
            by: Some(By { session: here.session.id, application: None, delegation: None }),
            request: Some(visitor.request),
            now: broker.now(),
        },
        keyring: broker.keyring.clone(),
        session: here.session.id,
    };
    broker.db.write_again(async move |tx| errand.run(tx, &work).await).await.map_err(Refused::told_busy)
}

/// One write, as often as it is tried.
struct Errand {
    keep: Keep,
    keyring: Keyring,
    session: SessionId,
}

impl Errand {
    async fn run<A, W>(&self, tx: &mut Tx<'_>, work: &W) -> Result<A, Refused>
    where
        W: AsyncFn(&mut Change<'_, '_>) -> Result<A, Refused>,
    {
        let here = found(tx, self.keep.project.id, self.session, self.keep.now).await?.ok_or_else(gone)?;
        let proved_at = Proved::of(here.session.proved_at());
        work(&mut Change::of_person(tx, &self.keep, &self.keyring, proved_at)).await
    }
}
