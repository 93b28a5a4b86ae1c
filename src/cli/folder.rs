//! A place for a database and its keys that need not stay.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::foundation::random::Random;

/// A new folder that only its owner may read; unless it is kept, it goes when this value goes.
pub struct Folder {
    pub path: PathBuf,
    pub is_kept: bool,
}

impl Folder {
    /// `keep` names a folder to be made and left; otherwise it is a temporary one.
    ///
    /// # Errors
    /// There is something of that name already, or it cannot be made.
    pub fn make(keep: Option<&Path>, random: &Random) -> io::Result<Self> {
        let name = || format!("behalf-{:016x}", u64::from_ne_bytes(random.bytes()));
        let temporary = || std::env::temp_dir().join(name());
        let path = keep.map_or_else(temporary, Path::to_owned);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        Ok(Self { path, is_kept: keep.is_some() })
    }

    /// One that is there already, and stays.
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), is_kept: true }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            complain!("behalf: {} could not be removed: {error}", self.path.display());
        }
    }
}
