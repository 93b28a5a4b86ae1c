//! What people and their sessions are called by applications that are not to know each other's names of them (OpenID
//! Connect Core, section 8.1). An id is 128 bits, one block of AES: enciphered under a key of the sector, it is another id,
//! which nobody but us can lead back, and of which two sectors' cannot be told to be of one person. The keys are derived of
//! one salt for each project, made when it is first needed and sealed at rest; it never changes, or everybody would.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::keyring::{KeyError, Keyring};
use super::seal::{Place, SealError};
use crate::foundation::clock::Clock;
use crate::foundation::id::{PairwiseId, ProjectId, SessionId, UserId};
use crate::foundation::random::Random;
use crate::model::application::Application;
use crate::store::durable::engine::{Database, StoreError};
use crate::store::durable::pairwise_salts;

type Salt = Arc<Zeroizing<Vec<u8>>>;

/// `sub` and `sid`, as one application is told them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub subject: String,
    pub session: String,
}

#[derive(Clone)]
pub struct Pairwise(Arc<Inner>);

struct Inner {
    db: Database,
    keyring: Keyring,
    clock: Clock,
    random: Random,
    salts: RwLock<HashMap<ProjectId, Salt>>,
}

/// Of what an id is: the same number would be called otherwise as another thing.
#[derive(Clone, Copy)]
enum Kind {
    Subject,
    Session,
}

impl Kind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Subject => b"behalf pairwise subject v1",
            Self::Session => b"behalf pairwise session v1",
        }
    }
}

impl Pairwise {
    pub fn new(db: Database, keyring: Keyring, clock: Clock, random: Random) -> Self {
        Self(Arc::new(Inner { db, keyring, clock, random, salts: RwLock::default() }))
    }

    /// What this application calls them.
    pub async fn names(
        &self,
        application: &Application,
        user: UserId,
        session: SessionId,
    ) -> Result<Names, KeyError> {
        let Some(sector) = application.settings.sector() else {
            return Ok(Names { subject: user.to_string(), session: session.to_string() });
        };
        let salt = self.salt(application.project_id).await?;
        let named = |kind, id| enciphered(&salt, &sector, kind, id).map(|id| id.to_string());
        Ok(Names {
            subject: named(Kind::Subject, user.as_u128())?,
            session: named(Kind::Session, session.as_u128())?,
        })
    }

    /// Whom the application means by this name. None: it is none of its names for anybody, be it another one's.
    pub async fn user(&self, application: &Application, name: &str) -> Result<Option<UserId>, KeyError> {
        match application.settings.sector() {
            None => Ok(name.parse().ok()),
            Some(sector) => {
                let id = self.deciphered(application, &sector, Kind::Subject, name).await?;
                Ok(id.map(UserId::from_u128))
            }
        }
    }

    /// The same of a session.
    pub async fn session(
        &self,
        application: &Application,
        name: &str,
    ) -> Result<Option<SessionId>, KeyError> {
        match application.settings.sector() {
            None => Ok(name.parse().ok()),
            Some(sector) => {
                let id = self.deciphered(application, &sector, Kind::Session, name).await?;
                Ok(id.map(SessionId::from_u128))
            }
        }
    }

    async fn deciphered(
        &self,
        application: &Application,
        sector: &str,
        kind: Kind,
        name: &str,
    ) -> Result<Option<u128>, KeyError> {
        let Ok(id) = name.parse::<PairwiseId>() else { return Ok(None) };
        let salt = self.salt(application.project_id).await?;
        let key = DecryptingKey::ecb(key(&salt, sector, kind)?).map_err(|_| KeyError::Pairwise)?;
        let mut block = id.as_u128().to_be_bytes();
        key.decrypt(&mut block, DecryptionContext::None).map_err(|_| KeyError::Pairwise)?;
        Ok(Some(u128::from_be_bytes(block)))
    }

    async fn salt(&self, project: ProjectId) -> Result<Salt, KeyError> {
        let inner = &self.0;
        let known = inner.salts.read().unwrap_or_else(PoisonError::into_inner).get(&project).cloned();
        if let Some(salt) = known {
            return Ok(salt);
        }
        let sealed = match pairwise_salts::of(&mut &inner.db, project).await? {
            Some(sealed) => sealed,
            None => self.made(project).await?,
        };
        let salt = Arc::new(inner.keyring.master().open(place(&project.to_string()), &sealed)?);
        if salt.len() != 32 {
            return Err(SealError::Unreadable.into());
        }
        inner.salts.write().unwrap_or_else(PoisonError::into_inner).insert(project, Arc::clone(&salt));
        Ok(salt)
    }

    /// Of two nodes that make one at once, the first one's counts.
    async fn made(&self, project: ProjectId) -> Result<Vec<u8>, KeyError> {
        let inner = &self.0;
        let salt = Zeroizing::new(inner.random.bytes::<32>());
        let place = project.to_string();
        let sealed = inner.keyring.master().seal(&inner.random, self::place(&place), &*salt);
        let now = inner.clock.now();
        let kept = inner.db.write(async move |tx| {
            pairwise_salts::insert(tx, project, &sealed, now).await?;
            pairwise_salts::of(tx, project).await
        });
        kept.await?.ok_or(KeyError::Store(StoreError::Conflict))
    }
}

fn enciphered(salt: &[u8], sector: &str, kind: Kind, id: u128) -> Result<PairwiseId, KeyError> {
    let key = EncryptingKey::ecb(key(salt, sector, kind)?).map_err(|_| KeyError::Pairwise)?;
    // One block, and no second one that could be compared with it: this is the block cipher itself.
    let mut block = id.to_be_bytes();
    key.encrypt(&mut block).map_err(|_| KeyError::Pairwise)?;
    Ok(PairwiseId::from_u128(u128::from_be_bytes(block)))
}

fn key(salt: &[u8], sector: &str, kind: Kind) -> Result<UnboundCipherKey, KeyError> {
    let message = [kind.label(), &[0], sector.as_bytes()].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), &message);
    UnboundCipherKey::new(&AES_256, tag.as_ref()).map_err(|_| KeyError::Pairwise)
}

fn place(row: &str) -> Place<'_> {
    Place { table: "pairwise_salts", row, column: "salt" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_another_one_in_each_sector_by_each_salt_and_for_each_thing() {
        let names = |salt: &[u8], sector: &str, kind| enciphered(salt, sector, kind, 7).unwrap().as_u128();
        let (one, other) = ([1; 32], [2; 32]);
        let all = [
            names(&one, "a.test", Kind::Subject),
            names(&one, "b.test", Kind::Subject),
            names(&other, "a.test", Kind::Subject),
            names(&one, "a.test", Kind::Session),
            7,
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(names(&one, "a.test", Kind::Subject), all[0]);
    }
}
