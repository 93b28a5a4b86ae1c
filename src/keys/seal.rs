//! Sealing at rest (threat C29): private keys and the secrets of others are stored encrypted under a master key
//! that never enters the store, and each only opens in the cell it was sealed for.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hkdf, hmac};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::foundation::random::Random;
use crate::foundation::secret::{Digest, Secret};

const VERSION: u8 = 1;
const FINGERPRINT_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
const NONCE_AT: usize = 1 + FINGERPRINT_BYTES;
const CIPHERTEXT_AT: usize = NONCE_AT + NONCE_LEN;

/// The cell a secret lives in. It is sealed in too, so a cell copied to another row, column or table stays shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub table: &'a str,
    pub row: &'a str,
    pub column: &'a str,
}

/// Why a sealed cell does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("sealed under another master key than the one in use")]
    OtherMasterKey,
    #[error("what was sealed has been changed, moved or cut")]
    Unreadable,
}

/// The 256-bit key that opens the store. What seals, what makes nonces and what tells it apart are derived from it (HKDF,
/// RFC 5869), so none gives it away.
pub struct MasterKey {
    sealing: LessSafeKey,
    nonces: hmac::Key,
    lookup: hmac::Key,
    fingerprint: [u8; FINGERPRINT_BYTES],
}

/// Why there is no master key, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error(
        "the master key {from} must be 64 hexadecimal digits: restore it from your backup, or make one where there is none yet \
         (openssl rand -hex 32)"
    )]
    Malformed { from: String },
    #[error("the master key {path} may be read by others (mode {mode:04o}); run: chmod 600 {path}")]
    TooOpen { path: PathBuf, mode: u32 },
    #[error(
        "others may write into the folder of the master key {folder} (mode {mode:04o}); run: chmod go-w {folder}"
    )]
    FolderTooOpen { folder: PathBuf, mode: u32 },
    #[error(
        "the master key in the environment is not the one in {path}; remove whichever did not seal the store"
    )]
    Conflict { path: PathBuf },
    #[error("there is a master key at {path} already; it is never overwritten")]
    Exists { path: PathBuf },
    #[error("the master key {path} cannot be {verb}: {error}; check its folder and its owner")]
    Io { path: PathBuf, verb: &'static str, error: io::Error },
}

impl MasterKey {
    pub const FILE: &'static str = "master.key";

    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let sealing = derive::<32>(bytes, b"behalf sealing key v1");
        let lookup = derive::<32>(bytes, b"behalf lookup key v1");
        let fingerprint = *derive(bytes, b"behalf master key fingerprint v1");
        let nonces = derive::<32>(bytes, b"behalf nonce key v1");
        let nonces = hmac::Key::new(hmac::HMAC_SHA256, &*nonces);
        let lookup = hmac::Key::new(hmac::HMAC_SHA256, &*lookup);
        Self { sealing: aes_key(&sealing), nonces, lookup, fingerprint }
    }

    /// From 64 hexadecimal digits.
    fn from_hex(digits: &str) -> Option<Self> {
        let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?);
        Some(Self::from_bytes(bytes.as_slice().try_into().ok()?))
    }

    /// Tells master keys apart without saying anything about them; safe to store and to log.
    pub fn fingerprint(&self) -> [u8; FINGERPRINT_BYTES] {
        self.fingerprint
    }

    /// By which nonces are made that every node knows again.
    pub(super) fn nonces(&self) -> &hmac::Key {
        &self.nonces
    }

    /// By what a secret is found that is too short for a plain digest: who has the table alone cannot try them all.
    pub fn lookup(&self, what: &str, secret: &str) -> Digest {
        let tag = hmac::sign(&self.lookup, format!("{what} {secret}").as_bytes());
        Digest::from_slice(tag.as_ref()).unwrap_or_else(|| Digest::of(tag.as_ref()))
    }

    /// Version ‖ fingerprint ‖ nonce ‖ AES-256-GCM ciphertext and tag: 37 bytes more than `plain`.
    pub fn seal(&self, random: &Random, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random.bytes();
        let mut body = Vec::with_capacity(plain.len() + TAG_BYTES);
        body.extend_from_slice(plain);
        // It fails beyond 64 GiB only, and then there is nothing safe to store.
        #[allow(clippy::expect_used)]
        self.sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound_to(place)),
                &mut body,
            )
            .expect("AES-GCM seals anything that fits in a cell");
        [&[VERSION], self.fingerprint.as_slice(), &nonce, &body].concat()
    }

    /// The plain text, if exactly this was sealed by this key for this place.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if sealed.len() < CIPHERTEXT_AT + TAG_BYTES || sealed[0] != VERSION {
            return Err(SealError::Unreadable);
        }
        let (head, body) = sealed.split_at(CIPHERTEXT_AT);
        if constant_time::verify_slices_are_equal(&head[1..NONCE_AT], &self.fingerprint).is_err() {
            return Err(SealError::OtherMasterKey);
        }
        let nonce = Nonce::try_assume_unique_for_key(&head[NONCE_AT..]).map_err(|_| SealError::Unreadable)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let length = self
            .sealing
            .open_in_place(nonce, Aad::from(bound_to(place)), &mut plain)
            .map_err(|_| SealError::Unreadable)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    /// The key in `folder` or in the environment, if there is one; two different ones are an error.
    pub fn load(folder: &Path, environment: Option<&Secret>) -> Result<Option<Self>, MasterKeyError> {
        let path = folder.join(Self::FILE);
        let stored = read_file(&path)?;
        if stored.is_some() {
            check_folder(folder)?;
        }
        let given = environment.map(|secret| {
            Self::from_hex(secret.expose().trim())
                .ok_or_else(|| MasterKeyError::Malformed { from: "in the environment".into() })
        });
        match (stored, given.transpose()?) {
            (Some(stored), Some(given)) if stored.fingerprint != given.fingerprint => {
                Err(MasterKeyError::Conflict { path })
            }
            (stored, given) => Ok(stored.or(given)),
        }
    }

    /// A new key in `folder`, which is made if need be. The file appears whole, readable by its owner alone, and
    /// never in place of another.
    pub fn create(folder: &Path, random: &Random) -> Result<Self, MasterKeyError> {
        let bytes = Zeroizing::new(random.bytes::<32>());
        let path = folder.join(Self::FILE);
        let unwritten =
            |path: &Path, error| MasterKeyError::Io { path: path.to_owned(), verb: "written", error };
        make_folder(folder).and_then(|()| close_folder(folder)).map_err(|error| unwritten(folder, error))?;
        match write_once(folder, &path, &bytes, random) {
            Ok(()) => Ok(Self::from_bytes(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(MasterKeyError::Exists { path })
            }
            Err(error) => Err(unwritten(&path, error)),
        }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", HEXLOWER.encode(&self.fingerprint))
    }
}

/// Lengths first, so that no two places write the same bytes.
fn bound_to(place: Place<'_>) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    for part in [place.table, place.row, place.column] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive<const N: usize>(bytes: &[u8; 32], label: &[u8]) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(bytes);
    // Both lengths are far below the limit of HKDF (255 blocks).
    #[allow(clippy::expect_used)]
    secret.expand(&[label], Length(N)).and_then(|okm| okm.fill(&mut *out)).expect("HKDF gives short keys");
    out
}

fn aes_key(bytes: &[u8; 32]) -> LessSafeKey {
    // The length is right by its type.
    #[allow(clippy::expect_used)]
    let key = UnboundKey::new(&AES_256_GCM, bytes).expect("AES-256 takes 32 bytes");
    LessSafeKey::new(key)
}

fn read_file(path: &Path) -> Result<Option<MasterKey>, MasterKeyError> {
    let unreadable = |error| MasterKeyError::Io { path: path.to_owned(), verb: "read", error };
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    check_mode(path, &file.metadata().map_err(unreadable)?)?;
    let mut text = Zeroizing::new([0; 128]);
    let length = read_up_to(&mut file, &mut *text).map_err(unreadable)?;
    let digits = std::str::from_utf8(&text[..length]).ok();
    let key = digits.and_then(|digits| MasterKey::from_hex(digits.trim_ascii_end()));
    key.map(Some).ok_or_else(|| MasterKeyError::Malformed { from: format!("in {}", path.display()) })
}

/// Into a buffer that is wiped: a growing one would leave copies behind.
fn read_up_to(file: &mut fs::File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), MasterKeyError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(MasterKeyError::TooOpen { path: path.to_owned(), mode }),
    }
}

/// Whoever may write into the folder may put another key in the place of ours.
#[cfg(unix)]
fn check_folder(folder: &Path) -> Result<(), MasterKeyError> {
    use std::os::unix::fs::PermissionsExt;
    let unreadable = |error| MasterKeyError::Io { path: folder.to_owned(), verb: "read", error };
    let metadata = fs::metadata(folder).map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o7777;
    match mode & 0o022 {
        0 => Ok(()),
        _ => Err(MasterKeyError::FolderTooOpen { folder: folder.to_owned(), mode }),
    }
}

/// A folder that was there before, as a lax umask made it.
#[cfg(unix)]
fn close_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(folder)?.permissions().mode() & 0o7777;
    match mode & 0o022 {
        0 => Ok(()),
        _ => fs::set_permissions(folder, fs::Permissions::from_mode(mode & !0o022)),
    }
}

#[cfg(not(unix))]
fn close_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn check_folder(_: &Path) -> Result<(), MasterKeyError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), MasterKeyError> {
    Ok(())
}

/// Writes beside, then links: a link fails where a name is taken, and a crash leaves no half-written key.
fn write_once(folder: &Path, path: &Path, bytes: &[u8; 32], random: &Random) -> io::Result<()> {
    let draft = folder.join(format!(".{}.{}", MasterKey::FILE, HEXLOWER.encode(&random.bytes::<8>())));
    let written = write_draft(&draft, bytes).and_then(|()| fs::hard_link(&draft, path));
    let removed = match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    written.and(removed)?;
    // The name must outlive a power cut as well as the content does.
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write_draft(draft: &Path, bytes: &[u8; 32]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(draft)?;
    let digits = Zeroizing::new(HEXLOWER.encode(bytes));
    file.write_all(digits.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HERE: Place<'_> = Place { table: "connections", row: "conn_1", column: "client_secret" };
    const PLAIN: &[u8] = b"planted-secret-7c1f";

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_bytes(&[byte; 32])
    }

    fn holds(haystack: &[u8], needle: &[u8]) -> bool {
        haystack.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn c29_what_was_sealed_opens_in_its_place() {
        let random = Random::sequence(1);
        for plain in [PLAIN, b"", &[0; 5000]] {
            let sealed = key(1).seal(&random, HERE, plain);
            assert_eq!(sealed.len(), plain.len() + 37);
            assert_eq!(key(1).open(HERE, &sealed).unwrap().as_slice(), plain);
        }
    }

    #[test]
    fn c29_the_plain_text_is_not_in_the_cell_and_no_two_cells_are_alike() {
        let random = Random::default();
        let (one, two) = (key(1).seal(&random, HERE, PLAIN), key(1).seal(&random, HERE, PLAIN));
        assert_ne!(one, two);
        assert!(!holds(&one, PLAIN) && !holds(&one, &PLAIN[..4]) && !holds(&one, &[1; 4]));
    }

    #[test]
    fn c29_a_cell_moved_to_another_row_column_or_table_does_not_open() {
        let sealed = key(1).seal(&Random::sequence(1), HERE, PLAIN);
        for place in [
            Place { row: "conn_2", ..HERE },
            Place { column: "private_key", ..HERE },
            Place { table: "signing_keys", ..HERE },
            Place { table: "connectionsconn_1", row: "", ..HERE },
            Place { table: "connection", row: "sconn_1", ..HERE },
            Place { row: "conn_1client", column: "_secret", ..HERE },
            Place { row: "", ..HERE },
        ] {
            assert_eq!(key(1).open(place, &sealed), Err(SealError::Unreadable), "{place:?}");
        }
    }

    #[test]
    fn c29_a_changed_or_cut_cell_does_not_open() {
        let sealed = key(1).seal(&Random::sequence(1), HERE, PLAIN);
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                let named_another = (1..NONCE_AT).contains(&at);
                let error = if named_another { SealError::OtherMasterKey } else { SealError::Unreadable };
                assert_eq!(key(1).open(HERE, &changed), Err(error), "byte {at}");
            }
            assert_eq!(key(1).open(HERE, &sealed[..at]), Err(SealError::Unreadable), "cut at {at}");
        }
        let longer = [sealed.as_slice(), &[0]].concat();
        assert_eq!(key(1).open(HERE, &longer), Err(SealError::Unreadable));
    }

    #[test]
    fn c29_another_master_key_opens_nothing_and_says_so() {
        let sealed = key(1).seal(&Random::sequence(1), HERE, PLAIN);
        assert_eq!(key(2).open(HERE, &sealed), Err(SealError::OtherMasterKey));
        // Nor when the cell is made to name it.
        let mut renamed = sealed;
        renamed[1..NONCE_AT].copy_from_slice(&key(2).fingerprint());
        assert_eq!(key(2).open(HERE, &renamed), Err(SealError::Unreadable));
    }

    #[test]
    fn c29_a_master_key_is_not_printed() {
        let digits = "0123456789abcdef".repeat(4);
        let key = MasterKey::from_hex(&digits).unwrap();
        assert!(!holds(format!("{key:?}").as_bytes(), &digits.as_bytes()[..8]));
        assert_eq!(MasterKey::from_hex(&digits.to_uppercase()).unwrap().fingerprint(), key.fingerprint());
        for wrong in
            ["", "0", &digits[..63], &digits[..62], &format!("{digits}00"), &digits.replace('0', "g")]
        {
            assert!(MasterKey::from_hex(wrong).is_none());
        }
    }

    #[test]
    fn c29_a_new_master_key_is_found_again_and_never_overwritten() {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path().join("deep/keys");
        assert!(MasterKey::load(&folder, None).unwrap().is_none());
        let made = MasterKey::create(&folder, &Random::default()).unwrap();
        let found = MasterKey::load(&folder, None).unwrap().unwrap();
        assert_eq!(found.fingerprint(), made.fingerprint());
        let again = MasterKey::create(&folder, &Random::default());
        assert!(matches!(again, Err(MasterKeyError::Exists { .. })));
        assert_eq!(MasterKey::load(&folder, None).unwrap().unwrap().fingerprint(), made.fingerprint());
        // Nothing but the key is left in its folder.
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [MasterKey::FILE]);
        let not_a_folder = MasterKey::create(&folder.join(MasterKey::FILE), &Random::default());
        assert!(matches!(not_a_folder, Err(MasterKeyError::Io { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn c29_a_master_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        MasterKey::create(folder.path(), &Random::default()).unwrap();
        let path = folder.path().join(MasterKey::FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o601, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match MasterKey::load(folder.path(), None) {
                Ok(Some(_)) => assert!(accepted, "{mode:o}"),
                Err(error @ MasterKeyError::TooOpen { .. }) => {
                    assert!(!accepted && error.to_string().contains("chmod 600"), "{mode:o}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn c29_a_folder_that_others_may_write_into_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        MasterKey::create(folder.path(), &Random::default()).unwrap();
        let mode = fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o755, "the first start closes it");
        for (mode, accepted) in [(0o700, true), (0o755, true), (0o775, false), (0o777, false), (0o702, false)]
        {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            match MasterKey::load(folder.path(), None) {
                Ok(Some(_)) => assert!(accepted, "{mode:o}"),
                Err(error @ MasterKeyError::FolderTooOpen { .. }) => {
                    assert!(!accepted && error.to_string().contains("chmod go-w"), "{mode:o}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn c29_a_broken_or_contradicted_master_key_is_refused_in_words() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MasterKey::FILE);
        let secret = |digit: &str| Secret::new(digit.repeat(64));
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        for text in ["", "abc", &"a".repeat(63), &"a".repeat(66), &"g".repeat(64), &"a".repeat(500)] {
            write(text);
            let error = MasterKey::load(folder.path(), None).unwrap_err();
            assert!(matches!(error, MasterKeyError::Malformed { .. }), "{text:?}");
            assert!(error.to_string().contains("master.key") && !error.to_string().contains("aaa"));
        }
        write(&format!("{}\r\n", "a".repeat(64)));
        assert!(MasterKey::load(folder.path(), Some(&secret("A"))).unwrap().is_some());
        let conflict = MasterKey::load(folder.path(), Some(&secret("b")));
        assert!(matches!(conflict, Err(MasterKeyError::Conflict { .. })));
        let malformed = MasterKey::load(folder.path(), Some(&Secret::new("b")));
        assert!(matches!(malformed, Err(MasterKeyError::Malformed { .. })));
        fs::remove_file(&path).unwrap();
        let given = MasterKey::load(folder.path(), Some(&secret("b"))).unwrap().unwrap();
        assert_eq!(given.fingerprint(), MasterKey::from_bytes(&[0xbb; 32]).fingerprint());
        assert!(!path.exists());
        // A folder where the key should be is a fault, not an absence.
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(matches!(MasterKey::load(folder.path(), None), Err(MasterKeyError::Io { .. })));
    }
}
