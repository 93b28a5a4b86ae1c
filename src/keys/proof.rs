//! Proves at the start that the master key is the one this store was sealed under.

use std::path::Path;

use super::seal::{MasterKey, MasterKeyError, Place, SealError};
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::store::durable::engine::{Database, StoreError};
use crate::store::durable::house;

/// The fact of the store that is sealed under the master key.
pub const NAME: &str = "master_key_proof";
const PLAIN: &[u8] = b"behalf";

#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(
        "there is no master key, but the database holds what was sealed under one. Put the file `master.key` back \
         into {folder}, or set BEHALF_MASTER_KEY; without it no signing key and no client secret can be opened"
    )]
    Gone { folder: String },
    #[error(
        "the master key is another one than the one this database was sealed under: {0}. Put the right `master.key` \
         back, or use the database that belongs to this one"
    )]
    Wrong(SealError),
}

/// The master key, checked against the store; made, with the first proof, where neither exists yet.
pub async fn master_key(
    db: &Database,
    folder: &Path,
    given: Option<&Secret>,
    random: &Random,
) -> Result<MasterKey, ProofError> {
    let loaded = MasterKey::load(folder, given)?;
    let proof = house::get(&mut &*db, NAME).await?;
    match (loaded, proof) {
        (Some(key), Some(proof)) => check(key, &proof),
        (None, Some(_)) => Err(ProofError::Gone { folder: folder.display().to_string() }),
        (Some(key), None) => write(db, key, random).await,
        (None, None) => {
            // Another process may be at its first start too: whichever file is there first is the key.
            let made = match MasterKey::create(folder, random) {
                Ok(key) => key,
                Err(error) => MasterKey::load(folder, given)?.ok_or(error)?,
            };
            write(db, made, random).await
        }
    }
}

fn check(key: MasterKey, proof: &[u8]) -> Result<MasterKey, ProofError> {
    match key.open(place(), proof) {
        Ok(plain) if plain.as_slice() == PLAIN => Ok(key),
        Ok(_) => Err(ProofError::Wrong(SealError::Unreadable)),
        Err(error) => Err(ProofError::Wrong(error)),
    }
}

async fn write(db: &Database, key: MasterKey, random: &Random) -> Result<MasterKey, ProofError> {
    let sealed = key.seal(random, place(), PLAIN);
    let written = db.write(async move |tx| house::insert(tx, NAME, &sealed).await).await;
    match written {
        Ok(()) => Ok(key),
        // Another process was quicker: its key must be ours too.
        Err(StoreError::Unique { .. }) => {
            let proof = house::get(&mut &*db, NAME).await?.unwrap_or_default();
            check(key, &proof)
        }
        Err(error) => Err(error.into()),
    }
}

fn place() -> Place<'static> {
    Place { table: "house", row: NAME, column: "value" }
}
