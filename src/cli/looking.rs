//! Commands that only look make and change nothing, not even where there is no database yet.

use super::folder::Folder;
use super::{Error, check};
use crate::broker::Broker;
use crate::config::Config;
use crate::foundation::clock::Clock;
use crate::foundation::random::Random;
use crate::store::durable::engine::{Age, Database};

/// What there is; where there is nothing yet, an empty house in another place, which goes with what is returned.
pub async fn broker(config: Config) -> Result<(Broker, Option<Folder>), Error> {
    let (config, scratch) = settings(config).await?;
    Ok((opened(config).await?, scratch))
}

/// The settings by which [`broker`] is opened.
async fn settings(mut config: Config) -> Result<(Config, Option<Folder>), Error> {
    if is_there(&config).await? {
        return Ok((config, None));
    }
    let folder = Folder::make(None, &Random::System)?;
    config.database.url = format!("sqlite:{}", folder.path.join("empty.db").display());
    config.keys.folder.clone_from(&folder.path);
    config.keys.master_key = None;
    Ok((config, Some(folder)))
}

/// What there is, for a command that has nothing to say of nothing.
pub async fn existing(config: Config) -> Result<Broker, Error> {
    if is_there(&config).await? {
        return opened(config).await;
    }
    Err(match check::sqlite_path(&config.database.url) {
        Some(path) if !std::path::Path::new(path).exists() => format!("the database {path} does not exist"),
        _ => format!("database.url: {}", Age::None),
    }
    .into())
}

/// Whatever the database's clock says: nothing is written by it.
async fn opened(config: Config) -> Result<Broker, Error> {
    Ok(Broker::open(config, Clock::System, Random::System).await?)
}

async fn is_there(config: &Config) -> Result<bool, Error> {
    match Database::age(&config.database).await? {
        Age::Present => Ok(true),
        Age::None => Ok(false),
        Age::Earlier(_) => {
            let text = "the database is of an earlier version, and this command changes nothing: `behalf serve` or \
                        `behalf apply` without --plan brings it up to date";
            Err(text.into())
        }
        age @ (Age::Later(_) | Age::Foreign(_)) => Err(format!("database.url: {age}").into()),
    }
}
