//! What every room may ask for.

pub mod client_authorities;
pub mod connection_ending;
pub mod connection_return;
pub mod connection_swap;
pub mod domain_look;
mod readiness;
mod saml_metadata;
mod tally;
mod turns;
pub mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

pub use saml_metadata::{Fate, Look, MetadataReadError, SamlMetadata, Sight, Verdict, Word, held_against};
pub use tally::Tally;
pub use turns::{Turn, Turns};

use client_authorities::{AuthoritiesError, ClientAuthorities};

use crate::audit;
use crate::config::{self, Config};
use crate::egress::dns::{Dns, DnsError};
use crate::egress::documents::Documents;
use crate::egress::http::{EgressError, Http};
use crate::egress::mail::{Post, PostSettingsError};
use crate::foundation::clock::{Clock, Moment};
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::keys::keyring::{Calendar, Keyring};
use crate::keys::pairwise::Pairwise;
use crate::keys::proof::{self, ProofError};
use crate::keys::saml_keyring::SamlKeyring;
use crate::model::audit_event::AuditEvent;
use crate::model::project::{DEFAULT_SLUG, Project};
use crate::store::durable::engine::{Database, StoreError};
use crate::store::durable::projects;
use crate::store::ephemeral::Ephemeral;

#[derive(Clone)]
pub struct Broker(Arc<Inner>);

pub struct Inner {
    pub config: Config,
    /// The public address, without a slash at the end.
    pub origin: String,
    /// The same for clients that show a certificate, if they come elsewhere.
    pub certified_origin: Option<String>,
    /// Who vouches for their certificates.
    pub client_authorities: ClientAuthorities,
    pub db: Database,
    pub ephemeral: Ephemeral,
    pub keyring: Keyring,
    pub saml_keys: SamlKeyring,
    /// What applications call people.
    pub pairwise: Pairwise,
    pub http: Http,
    pub documents: Documents,
    pub saml_metadata: SamlMetadata,
    /// For inflating what strangers have deflated.
    pub inflating: Turns,
    /// Of sign-ins that ended well.
    pub tally: Tally,
    /// What providers last said of themselves.
    pub upstream: upstream::Upstream,
    pub dns: Dns,
    /// Where mails are handed over; absent: none is sent.
    pub post: Option<Post>,
    pub clock: Clock,
    pub random: Random,
    readiness: readiness::Readiness,
    stopping: AtomicBool,
    running: AtomicUsize,
}

/// A request that is being answered, for as long as this is held.
#[derive(Debug)]
pub struct Running(Broker);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Broker({})", self.origin)
    }
}

impl std::ops::Deref for Broker {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{setting}{error}", setting = naming(.0), error = .0)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Keys(#[from] ProofError),
    #[error("outgoing requests: {0}")]
    Egress(#[from] EgressError),
    #[error("domain names: {0}")]
    Dns(#[from] DnsError),
    #[error("{0}")]
    ClientAuthorities(#[from] AuthoritiesError),
    #[error("{0}")]
    Mail(#[from] PostSettingsError),
    #[error(
        "the clock of the database is {:.1} s from this machine's: more than {} s may not lie between them; let both be set by NTP",
        .0.as_secs_f64(), CLOCKS_APART.as_secs()
    )]
    Clocks(Duration),
}

/// What servers of one database may be apart: what one of them has used up once must not be swept by another while a third
/// would take it again (threats H11).
const CLOCKS_APART: Duration = Duration::from_secs(5);

/// The setting, for whoever reads the error at the start, unless it is named there already.
fn naming(error: &StoreError) -> &'static str {
    if matches!(error, StoreError::Url(_)) { "" } else { "database.url: " }
}

impl Broker {
    /// Fails where the database keeps another time than we do. Nothing is made or changed to find out.
    pub async fn keeps_time(database: &config::Database, clock: &Clock) -> Result<(), StartError> {
        let apart = Database::apart(database, clock).await?;
        if apart > CLOCKS_APART { Err(StartError::Clocks(apart)) } else { Ok(()) }
    }

    /// As [`Self::open`], for whoever writes: a clock that goes wrong is told before it stands in anything.
    pub async fn start(config: Config, clock: Clock, random: Random) -> Result<Self, StartError> {
        Self::keeps_time(&config.database, &clock).await?;
        Self::open(config, clock, random).await
    }

    /// Opens everything, or says what is wrong. The first start on an empty database makes the default project.
    pub async fn open(config: Config, clock: Clock, random: Random) -> Result<Self, StartError> {
        let db = Database::open(&config.database).await?;
        let master =
            proof::master_key(&db, &config.keys.folder, config.keys.master_key.as_ref(), &random).await?;
        let calendar = Calendar {
            lifetime: Duration::from_secs(config.keys.signing_key_lifetime),
            publish_ahead: Duration::from_secs(config.keys.publish_ahead),
        };
        let http = Http::new(&config.egress)?;
        let dns = Dns::new(&config.dns)?;
        let post = Post::new(&config)?;
        let authorities = config.client_certificates.authorities.as_deref();
        let keyring = Keyring::new(db.clone(), master, clock.clone(), random.clone(), calendar);
        let broker = Self(Arc::new(Inner {
            origin: config.public_origin(),
            pairwise: Pairwise::new(db.clone(), keyring.clone(), clock.clone(), random.clone()),
            certified_origin: config.certified_origin(),
            client_authorities: ClientAuthorities::open(authorities)?,
            saml_keys: SamlKeyring::new(db.clone(), keyring.clone(), clock.clone(), random.clone()),
            keyring,
            ephemeral: Ephemeral::in_process(clock.clone()),
            saml_metadata: SamlMetadata::new(http.clone(), db.clone(), clock.clone(), random.clone()),
            inflating: Turns::default(),
            tally: Tally::default(),
            upstream: upstream::Upstream::default(),
            documents: Documents::new(http.clone(), clock.clone()),
            config,
            db,
            http,
            dns,
            post,
            clock,
            random,
            readiness: readiness::Readiness::default(),
            stopping: AtomicBool::new(false),
            running: AtomicUsize::new(0),
        }));
        broker.ensure_default_project().await?;
        Ok(broker)
    }

    /// From now on no new visitors are wanted; those under way are still served.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Says of a request that it is being answered.
    pub fn runs(&self) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(self.clone())
    }

    /// How many requests are being answered.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// The issuer of a project: the root for the default one, `/p/<slug>` for the others.
    pub fn issuer(&self, project: &Project) -> String {
        format!("{}{}", self.origin, project.path(""))
    }

    /// The same where clients come that show a certificate, if they come elsewhere.
    pub fn certified_issuer(&self, project: &Project) -> Option<String> {
        let origin = self.certified_origin.as_ref()?;
        let rest = self.issuer(project).split_off(self.origin.len());
        Some(format!("{origin}{rest}"))
    }

    /// Where somebody who is invited goes.
    pub fn invitation_link(&self, project: &Project, token: &Secret) -> String {
        format!("{}/invitations/{}", self.issuer(project), token.expose())
    }

    /// Records an event that belongs to no other write.
    pub async fn record(&self, event: AuditEvent) -> Result<(), StoreError> {
        let (random, now) = (self.random.clone(), self.now());
        self.db.write(async move |tx| audit::record(tx, &random, now, &event).await).await
    }

    async fn ensure_default_project(&self) -> Result<(), StoreError> {
        if projects::by_slug(&mut &self.db, DEFAULT_SLUG).await?.is_some() {
            return Ok(());
        }
        let now = self.now();
        let project = Project {
            id: crate::foundation::id::ProjectId::new(&self.random, now),
            slug: DEFAULT_SLUG.into(),
            display_name: "Behalf".into(),
            settings: crate::model::project::ProjectSettings::default().into(),
            created_at: now,
            updated_at: now,
            disabled_at: None,
        };
        let made = self.db.write(async move |tx| projects::insert(tx, &project).await).await;
        match made {
            Err(StoreError::Unique { .. }) => Ok(()),
            other => other,
        }
    }
}
