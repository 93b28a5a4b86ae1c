//! Everything that a person sees: pages from templates, in their language and their project's colours.
//!
//! The templates are in the program. A folder of the operator comes first, file by file, and is read again
//! when it changes. There is no script on any page, and no template can switch the escaping off.

mod account;
mod brand;
mod files;
mod letters;
mod messages;
mod monogram;
mod page;
mod sample;
mod shelf;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use thiserror::Error;

use super::language::Language;
use shelf::Shelf;

pub use account::{
    AccountFrame, AccountPage, ApplicationsPage, HeldFor, LeavePage, OwnApplication, OwnConsent,
    OwnOrganization, OwnSession, OwnTold, SessionsPage,
};
pub use brand::{Brand, Colour, NotAColour};
pub use letters::{LetterPage, Written, minute};
pub use monogram::drawn;
pub use page::{
    About, AcceptedPage, BeforehandPage, Choice, ChooserPage, ConsentPage, DeviceAnsweredPage, DevicePage,
    Disclosed, EmailPage, ErrorPage, Field, Href, ImagePath, InvitationPage, LetInPage, MethodButton,
    OnwardForm, OnwardPage, OrganizationsPage, OwnerName, Page, Problem, ProblemRow, ProblemsPage,
    ReferenceMember, ReferenceOperation, ReferencePage, ReferenceRoom, ReferenceShape, SEARCH_ABOVE, Search,
    SignOutPage, SignedOutPage, Told, TrialPage, TriedPage, WelcomePage, Why, Within,
};

/// Why a page cannot be made.
#[derive(Debug, Error)]
pub enum TemplateError {
    #[error("cannot read the templates in {}: {why}", folder.display())]
    Folder { folder: PathBuf, why: std::io::Error },
    #[error("{file}, line {line}: {why}")]
    Broken { file: String, line: usize, why: String },
}

/// The pages of the house, and the operator's own if there are any.
#[derive(Debug)]
pub struct Templates {
    built_in: Arc<Shelf>,
    folder: Option<Folder>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// The fingerprint of what was last read, and what came of it.
    current: RwLock<(u64, Arc<Shelf>)>,
}

impl Templates {
    /// Reads the operator's folder, if one is given, and tries every page in every language.
    ///
    /// # Errors
    /// The first file that is broken, with its line.
    pub fn new(overrides: Option<&Path>) -> Result<Self, TemplateError> {
        let built_in = Arc::new(Shelf::built_in()?);
        let folder = overrides.map(Folder::open).transpose()?;
        Ok(Self { built_in, folder })
    }

    /// What in the operator's folder takes no effect, in words.
    pub fn warnings(&self) -> Vec<String> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let said = |(name, meant): (String, Option<&str>)| {
            let hint = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            format!("{}: no page uses this file{hint}", folder.path.join(name).display())
        };
        let unsaid = |one: files::Unsaid| {
            let hint = one.meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            format!("{}:{}: no page says {}{hint}", folder.path.join(one.file).display(), one.line, one.id)
        };
        let found = files::strays(&folder.path).and_then(|strays| {
            let unsaid = files::unsaid(&folder.path)?.into_iter().map(unsaid);
            Ok(strays.into_iter().map(said).chain(unsaid).collect())
        });
        found.unwrap_or_else(|error| vec![format!("{}: {error}", folder.path.display())])
    }

    /// Makes the page. If the operator's own templates fail on it, it is made from the built-in ones, and
    /// the log says why.
    pub fn render(&self, page: &Page, language: &Language, brand: &Brand) -> Result<String, TemplateError> {
        match self.shelf().render(page, language, brand) {
            Err(error) if self.folder.is_some() => {
                tracing::error!(%error, "a template of the operator failed; the built-in one is used");
                self.built_in.render(page, language, brand)
            }
            made => made,
        }
    }

    /// Writes a letter, as [`Self::render`] makes a page. A language that there is not is the nearest that there is.
    pub fn write(
        &self,
        letter: &LetterPage,
        language: Option<&str>,
        brand: &Brand,
    ) -> Result<Written, TemplateError> {
        let language = self.negotiate(language, None);
        match self.shelf().write(letter, &language, brand) {
            Err(error) if self.folder.is_some() => {
                tracing::error!(%error, "a template of the operator failed; the built-in one is used");
                self.built_in.write(letter, &language, brand)
            }
            written => written,
        }
    }

    /// What is served under `/assets/`: `<version>/<name>`, with an old version or none as well, so that
    /// a page of another release still finds its style.
    pub fn asset(&self, path: &str) -> Option<Asset> {
        let shelf = self.shelf();
        match path.split_once('/').and_then(|(version, name)| Some((version, shelf.asset(name)?))) {
            Some((version, asset)) => Some(Asset { immutable: version == asset.version(), ..asset }),
            None => shelf.asset(path),
        }
    }

    /// The languages that there are messages in, English first.
    pub fn languages(&self) -> Vec<Language> {
        self.shelf().languages()
    }

    /// [`Language::negotiate`] among the languages that there are.
    pub fn negotiate(&self, ui_locales: Option<&str>, accept_language: Option<&str>) -> Language {
        Language::negotiate(&self.languages(), ui_locales, accept_language)
    }

    fn shelf(&self) -> Arc<Shelf> {
        self.folder.as_ref().map_or_else(|| Arc::clone(&self.built_in), Folder::shelf)
    }
}

impl Folder {
    fn open(path: &Path) -> Result<Self, TemplateError> {
        let unreadable = |why| TemplateError::Folder { folder: path.to_owned(), why };
        let mark = files::fingerprint(path).map_err(unreadable)?;
        let shelf = Arc::new(Shelf::with(&files::read(path)?)?);
        Ok(Self { path: path.to_owned(), current: RwLock::new((mark, shelf)) })
    }

    /// As the folder is now. If it cannot be read, as it was.
    fn shelf(&self) -> Arc<Shelf> {
        let (mark, shelf) = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        match files::fingerprint(&self.path) {
            Ok(now) if now != mark => self.read_again(now).unwrap_or(shelf),
            _ => shelf,
        }
    }

    fn read_again(&self, mark: u64) -> Option<Arc<Shelf>> {
        let read = files::read(&self.path).and_then(Shelf::with_what_works);
        let shelf =
            read.map(Arc::new).inspect_err(|error| tracing::error!(%error, "templates not read")).ok()?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = (mark, Arc::clone(&shelf));
        Some(shelf)
    }
}

/// A file that pages refer to.
#[derive(Clone, Debug)]
pub struct Asset {
    pub bytes: Bytes,
    pub content_type: &'static str,
    /// Quoted, as the `ETag` field says it.
    pub etag: String,
    /// Whether its address names this very content, so that it may be cached for ever.
    pub immutable: bool,
}

impl Asset {
    pub(crate) fn css(text: String) -> Self {
        Self::new(text.into_bytes(), "text/css; charset=utf-8")
    }

    fn new(bytes: Vec<u8>, content_type: &'static str) -> Self {
        let digest = crate::foundation::secret::Digest::of(&bytes).text();
        Self { bytes: bytes.into(), content_type, etag: format!("\"{}\"", &digest[..16]), immutable: false }
    }

    /// The first 96 bits of the content's SHA-256 in base64url.
    pub fn version(&self) -> &str {
        self.etag.trim_matches('"')
    }
}

#[cfg(test)]
mod tests;
