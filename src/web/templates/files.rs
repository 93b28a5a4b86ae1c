//! Where templates, messages and assets come from: out of the program, or first from the operator's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::{fs, io};

use super::TemplateError;

/// Names under `templates/` with their contents.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        /// The files that the program brings along.
        pub(super) const EMBEDDED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../templates/", $name)))),*];
    };
}

embedded![
    "account/applications.html",
    "account/frame.html",
    "account/leave.html",
    "account/more.html",
    "account/organizations.html",
    "account/sessions.html",
    "assets/mark.svg",
    "assets/onward.js",
    "assets/style.css",
    "layout.html",
    "login/about.html",
    "login/accepted.html",
    "login/beforehand.html",
    "login/chooser.html",
    "login/consent.html",
    "login/device.html",
    "login/device_answered.html",
    "login/email.html",
    "login/error.html",
    "login/invitation.html",
    "login/let_in.html",
    "login/onward.html",
    "login/organizations.html",
    "login/owner.html",
    "login/sign_out.html",
    "login/signed_out.html",
    "login/told.html",
    "login/trial.html",
    "login/tried.html",
    "login/ways_out.html",
    "mail/letter.html",
    "mail/letter.txt",
    "manage/problems.html",
    "manage/reference.html",
    "messages/de.ftl",
    "messages/en.ftl",
    "welcome.html",
];

/// An operator's folder is small: beyond this depth, count or length something else was meant.
const MAX_DEPTH: usize = 3;
const MAX_FILES: usize = 500;
const MAX_BYTES: u64 = 4 << 20;

/// Reads the folder's templates, messages and assets; other files and hidden ones are passed over.
pub(super) fn read(folder: &Path) -> Result<Files, TemplateError> {
    let unreadable = |why| TemplateError::Folder { folder: folder.to_owned(), why };
    let mut files = Files::new();
    for (name, _) in list(folder).map_err(unreadable)? {
        files.insert(name.clone(), fs::read(folder.join(&name)).map_err(unreadable)?);
    }
    Ok(files)
}

/// Changes when a file comes, goes, grows, shrinks or is written again.
pub(super) fn fingerprint(folder: &Path) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for (name, about) in list(folder)? {
        (name, about.len(), about.modified().ok()).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn list(folder: &Path) -> io::Result<Vec<(String, fs::Metadata)>> {
    let mut found = Vec::new();
    walk(folder, "", 0, &mut found)?;
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, fs::Metadata)>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(plain) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if plain.starts_with('.') {
            continue;
        }
        let about = fs::metadata(entry.path())?;
        let name = format!("{prefix}{plain}");
        if about.is_dir() && depth < MAX_DEPTH {
            walk(&entry.path(), &format!("{name}/"), depth + 1, found)?;
        } else if about.is_file() && counts(&name) {
            found.push((name, about));
        }
        if found.len() > MAX_FILES || found.last().is_some_and(|(_, about)| about.len() > MAX_BYTES) {
            return Err(io::Error::other("too many files, or one that is too long"));
        }
    }
    Ok(())
}

/// Files of an operator's folder that stand in the place of nothing, and are used by nothing else there: most likely
/// misspelt. Each with the name that was probably meant.
pub(super) fn strays(folder: &Path) -> io::Result<Vec<(String, Option<&'static str>)>> {
    let mut names = Vec::new();
    every_name(folder, "", 0, &mut names)?;
    let mut texts = Vec::new();
    for name in names.iter().filter(|name| counts(name)) {
        texts.push(String::from_utf8_lossy(&fs::read(folder.join(name))?).into_owned());
    }
    let known = |name: &str| EMBEDDED.iter().any(|(known, _)| *known == name) || language_tag(name).is_some();
    let short = |name: &str| name.strip_prefix("assets/").unwrap_or(name).to_owned();
    let mentioned = |name: &str| counts(name) && texts.iter().any(|text| text.contains(&short(name)));
    names.retain(|name| !known(name) && !mentioned(name) && !name.ends_with(".md"));
    names.sort();
    Ok(names.into_iter().map(|name| (meant(&name), name)).map(|(near, name)| (name, near)).collect())
}

/// The built-in file of nearly this name, or of this name in another folder.
fn meant(name: &str) -> Option<&'static str> {
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let known = || EMBEDDED.iter().map(|(known, _)| *known);
    let near = known().map(|known| (strsim::damerau_levenshtein(known, name), known)).min();
    let near = near.filter(|(distance, _)| *distance <= 3).map(|(_, known)| known);
    near.or_else(|| known().find(|known| last(known) == last(name)))
}

/// A message of an operator's that is said nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unsaid {
    pub file: String,
    pub line: usize,
    pub id: String,
    pub meant: Option<&'static str>,
}

/// Messages of an operator's folder that are none of ours, and that no template of theirs says: most likely misspelt.
pub(super) fn unsaid(folder: &Path) -> io::Result<Vec<Unsaid>> {
    let ours: BTreeSet<&'static str> = EMBEDDED
        .iter()
        .filter(|(name, _)| language_tag(name).is_some())
        .flat_map(|(_, text)| ids(text))
        .map(|(_, id)| id)
        .collect();
    let mut files = Vec::new();
    walk(folder, "", 0, &mut files)?;
    let (mut said, mut says) = (String::new(), Vec::new());
    for (name, _) in files {
        let text = String::from_utf8_lossy(&fs::read(folder.join(&name))?).into_owned();
        match language_tag(&name) {
            Some(_) => says.push((name, text)),
            None => said.push_str(&text),
        }
    }
    says.sort();
    let unsaid = says.iter().flat_map(|(file, text)| {
        let strange = ids(text).filter(|(_, id)| !ours.contains(id) && !said.contains(*id));
        strange.map(|(line, id)| {
            let near = ours.iter().map(|known| (strsim::damerau_levenshtein(known, id), *known)).min();
            let meant = near.filter(|(distance, _)| *distance <= 3).map(|(_, known)| known);
            Unsaid { file: file.clone(), line, id: id.to_owned(), meant }
        })
    });
    Ok(unsaid.collect())
}

/// The messages of a Fluent file, with their lines.
fn ids(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_id = |id: &&str| {
        id.starts_with(|c: char| c.is_ascii_alphabetic())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let id = move |line| str::split_once(line, '=').map(|(id, _)| id.trim_end()).filter(is_id);
    text.lines().enumerate().filter_map(move |(at, line)| Some((at + 1, id(line)?)))
}

fn every_name(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(plain) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let name = format!("{prefix}{plain}");
        match fs::metadata(entry.path())?.is_dir() {
            _ if plain.starts_with('.') => {}
            true if depth < MAX_DEPTH => every_name(&entry.path(), &format!("{name}/"), depth + 1, found)?,
            true => {}
            false => found.push(name),
        }
        if found.len() > MAX_FILES {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether it is a template of plain text, in which nothing is escaped: the texts of mails are, and nothing else.
pub(super) fn is_text(name: &str) -> bool {
    name.starts_with("mail/") && name.ends_with(".txt")
}

fn counts(name: &str) -> bool {
    name.ends_with(".html") || is_text(name) || name.starts_with("assets/") || language_tag(name).is_some()
}

/// `de-AT` for `messages/de-AT.ftl`.
pub(super) fn language_tag(name: &str) -> Option<&str> {
    name.strip_prefix("messages/")?.strip_suffix(".ftl")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_is_in_no_place_is_told_with_the_one_that_was_meant() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("login/emial.html", ""),
            ("email.html", ""),
            ("messages/de.flt", ""),
            ("login/error.html", "{% include \"login/help.html\" %} {{ asset(\"own.css\") }}"),
            ("login/help.html", ""),
            ("assets/own.css", ""),
            ("assets/stile.css", ""),
            ("messages/fr.ftl", ""),
            ("notes.md", ""),
            (".hidden", ""),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = strays(folder.path()).unwrap();
        let expected = [
            ("assets/stile.css", Some("assets/style.css")),
            ("email.html", Some("login/email.html")),
            ("login/emial.html", Some("login/email.html")),
            ("messages/de.flt", Some("messages/de.ftl")),
        ];
        assert_eq!(found, expected.map(|(name, near)| (name.to_owned(), near)));
    }

    #[test]
    fn a_message_that_is_said_nowhere_is_told_with_the_one_that_was_meant() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("messages")).unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put(
            "messages/en.ftl",
            "# a = b\nemail-titel = x\nemail-title = y\n    z = z\nown-word = w\nnothing-like-it = n\n",
        );
        put("messages/fr.ftl", "email-title = Bonjour\n");
        put("own.html", "{{ t(\"own-word\") }}");
        let one = |line, id: &str, meant| Unsaid {
            file: "messages/en.ftl".to_owned(),
            line,
            id: id.to_owned(),
            meant,
        };
        let expected = [one(2, "email-titel", Some("email-title")), one(6, "nothing-like-it", None)];
        assert_eq!(unsaid(folder.path()).unwrap(), expected);
    }

    #[test]
    fn every_file_of_the_source_is_in_the_program() {
        let on_disk = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")).unwrap();
        let embedded = EMBEDDED.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_owned()));
        assert_eq!(on_disk.into_keys().collect::<Vec<_>>(), embedded.map(|(n, _)| n).collect::<Vec<_>>());
    }
}
