//! `behalf key`

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use data_encoding::HEXLOWER;

use super::{Error, looking, quiet_broker};
use crate::broker::Broker;
use crate::config::Config;
use crate::foundation::clock::Moment;
use crate::keys::saml_keyring::Begin;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::project::Project;
use crate::model::saml_key::{Purpose, SamlKeyRecord};
use crate::model::signing_key::KeyRecord;
use crate::protocol::jose::Algorithm;
use crate::protocol::saml::keys::Certificate;
use crate::store::durable::{projects, saml_keys, signing_keys};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the keys that are published: when each signs, and until when it is published; then those towards SAML
    /// identity providers, with the fingerprints of their certificates.
    List,
    /// Publishes a successor of every signing key; it signs once every verifier had time to learn of it, or at once where
    /// no key signs yet.
    ///
    /// With --saml it is the keys towards SAML identity providers, which take two steps: `rotate --saml` publishes the
    /// successors and leaves all else as it is; when the administrators have the new certificates, `rotate --saml
    /// --now` or `--from MOMENT` lets them begin.
    Rotate {
        /// The keys towards SAML identity providers, and nothing else.
        #[arg(long, conflicts_with = "algorithm")]
        saml: bool,
        /// When the SAML keys that wait begin, as in 2027-01-31T00:00:00Z.
        #[arg(long, value_name = "MOMENT", requires = "saml", conflicts_with = "now", value_parser = moment)]
        from: Option<Moment>,
        /// Only this project's; without it, every project's.
        #[arg(long, value_name = "SLUG")]
        project: Option<String>,
        /// Only of this algorithm.
        #[arg(long, value_enum)]
        algorithm: Option<Name>,
        /// Does not publish ahead: for a key that somebody may have copied. The new one signs after two minutes, when
        /// every node knows it. Verifiers that keep key sets for longer refuse its signatures until they look again;
        /// the old one is published until its last token has run out.
        #[arg(long)]
        now: bool,
    },
}

/// An algorithm that tokens are signed with, as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "ES256")]
    Es256,
    #[value(name = "EdDSA")]
    EdDsa,
}

impl Name {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

pub async fn run(config: Config, command: Command) -> Result<ExitCode, Error> {
    let (broker, _scratch) = match &command {
        Command::List => looking::broker(config).await?,
        _ => (quiet_broker(config).await?, None),
    };
    match command {
        Command::List => list(&broker).await?,
        Command::Rotate { saml, from, project, algorithm, now } => {
            let projects = match project {
                Some(slug) => vec![super::project(&broker, &slug).await?],
                None => projects::all(&mut &broker.db).await?,
            };
            for project in projects {
                if saml {
                    let begin = if now { Begin::Now } else { from.map_or(Begin::WhenTold, Begin::At) };
                    rotate_saml(&broker, &project, begin).await?;
                } else {
                    rotate(&broker, &project, algorithm.map(Name::algorithm), now).await?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(broker: &Broker) -> Result<(), Error> {
    let now = broker.now();
    for project in projects::all(&mut &broker.db).await? {
        let keys = signing_keys::published(&mut &broker.db, project.id, now).await?;
        if keys.is_empty() {
            say!("{}: none yet; the first use makes them", project.slug);
        }
        for key in keys {
            say!("{}  {:5}  {}  {}", project.slug, key.algorithm.name(), key.id, life(&key, now));
        }
        for key in saml_keys::kept(&mut &broker.db, project.id, now).await? {
            say!("{}  SAML {}  {}  {}", project.slug, key.purpose, key.id, saml_life(&key, now));
        }
    }
    Ok(())
}

/// What a key does, and until when.
fn life(key: &KeyRecord, now: Moment) -> String {
    let published =
        key.published_until.map_or_else(String::new, |at| format!(", published until {}", at.rfc3339()));
    if key.never_signs() {
        format!("withdrawn, never signs{published}")
    } else if now < key.signs_from {
        format!("will sign from {}{published}", key.signs_from.rfc3339())
    } else if key.signs_at(now) {
        let until = key.signs_until.map_or_else(String::new, |at| format!(" until {}", at.rfc3339()));
        format!("signs{until}{published}")
    } else {
        format!("signs no more{published}")
    }
}

/// What a key towards SAML identity providers does, until when, and the fingerprint of its certificate.
fn saml_life(key: &SamlKeyRecord, now: Moment) -> String {
    let does = match key.purpose {
        Purpose::Signing => "signs",
        Purpose::Decryption => "is encrypted to",
    };
    let life = match (key.begins_at, key.ends_at) {
        (None, _) => "is published, and waits for `behalf key rotate --saml --now`".to_owned(),
        (Some(at), _) if now < at => format!("{does} from {}", at.rfc3339()),
        (Some(_), Some(at)) if at <= now => {
            let kept = key.kept_until.map_or_else(String::new, |at| at.rfc3339());
            match key.purpose {
                Purpose::Signing => format!("signs no more, published until {kept}"),
                Purpose::Decryption => format!("is published no more, decrypts until {kept}"),
            }
        }
        (Some(_), until) => {
            let until = until.map_or_else(String::new, |at| format!(" until {}", at.rfc3339()));
            format!("{does}{until}")
        }
    };
    let certificate = Certificate::from_der(&key.certificate).map_or_else(
        |error| error.to_string(),
        |certificate| {
            let fingerprint = HEXLOWER.encode(&certificate.fingerprint());
            format!("valid until {}, SHA-256 {fingerprint}", certificate.not_after().rfc3339())
        },
    );
    format!("{life}; its certificate: {certificate}")
}

fn moment(text: &str) -> Result<Moment, &'static str> {
    Moment::parse_rfc3339(text).ok_or("must be a moment such as 2027-01-31T00:00:00Z")
}

async fn rotate_saml(broker: &Broker, project: &Project, begin: Begin) -> Result<(), Error> {
    for key in broker.saml_keys.rotate(project.id, begin).await? {
        let event = AuditEvent::new(project.id, "saml_key.rotated", Outcome::Changed)
            .actor("operator")
            .subject(key.id)
            .with("purpose", key.purpose.word())
            .with("made", key.made)
            .with("begins_at", key.begins_at.map(Moment::rfc3339));
        broker.record(event).await?;
        let made = if key.made { "a new key is published" } else { "the key that was published" };
        let begins = match key.begins_at {
            Some(at) => format!("begins {}", at.rfc3339()),
            None => "waits: give its certificate (`behalf key list`, or our metadata) to the identity providers, then \
                     run `behalf key rotate --saml --now`"
                .to_owned(),
        };
        say!("{}: SAML {}: {made}; it {begins}", project.slug, key.purpose);
    }
    Ok(())
}

async fn rotate(
    broker: &Broker,
    project: &Project,
    only: Option<Algorithm>,
    at_once: bool,
) -> Result<(), Error> {
    let made = broker.keyring.rotate(project.id, only, at_once).await?;
    let names: Vec<_> = made.iter().map(|(algorithm, _)| algorithm.name().to_owned()).collect();
    if !names.is_empty() {
        let event = AuditEvent::new(project.id, "signing_key.rotated", Outcome::Changed)
            .actor("operator")
            .subject(project.id)
            .with("algorithms", names)
            .with("at_once", at_once);
        broker.record(event).await?;
    }
    for (algorithm, signs_from) in &made {
        let (slug, name) = (&project.slug, algorithm.name());
        say!("{slug}: a new {name} key, which signs from {}", signs_from.rfc3339());
    }
    if !made.is_empty() {
        return Ok(());
    }
    // Nothing would tell the operator otherwise that the old keys go on signing.
    let text = "other nodes rotated keys at the same moment: see `behalf key list`, and ask again";
    Err(format!("{}: no key was made: {text}", project.slug).into())
}
