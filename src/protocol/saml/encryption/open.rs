use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_CBC_IV_LEN, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::{aead, cipher, iv};
use zeroize::Zeroizing;

use super::algorithm::Mode;
use super::{Cipher, Ciphers, DSIG, ELEMENT, Oaep, Undecryptable, Unsupported, XENC};
use crate::protocol::saml::base64;
use crate::protocol::saml::keys::DecryptingKey;
use crate::protocol::saml::xml::{Element, Limits};

/// The most `xenc:EncryptedKey`s of a message, and the most keys of ours that are tried.
const MAX_KEYS: usize = 4;
const TAG_BYTES: usize = 16;
const BLOCK_BYTES: usize = 16;

/// What is encrypted in a `saml:EncryptedAssertion` or `saml:EncryptedID` (SAML 2.0 Core, sections 2.3.4 and 2.2.4),
/// for one of `keys`: at most four, of which each is tried, so that an old key can be replaced. The
/// `xenc:EncryptedKey` stands in the `ds:KeyInfo` of the `xenc:EncryptedData` or beside it; `ds:RetrievalMethod`s
/// between them are ignored.
///
/// The work and the error are the same whichever step fails once a key is used (threat H12).
pub fn decrypt(
    encrypted: Element<'_>,
    keys: &[&DecryptingKey],
    ciphers: Ciphers,
) -> Result<Vec<u8>, Undecryptable> {
    decrypt_by(encrypted, keys, ciphers).map(|(plain, _)| plain)
}

/// The same, with the place of the key that opened it.
pub fn decrypt_by(
    encrypted: Element<'_>,
    keys: &[&DecryptingKey],
    ciphers: Ciphers,
) -> Result<(Vec<u8>, usize), Undecryptable> {
    Envelope::read(encrypted, ciphers)?.open(keys).ok_or(Undecryptable::Failed)
}

struct Envelope {
    cipher: Cipher,
    content: Vec<u8>,
    keys: Vec<(Oaep, Vec<u8>)>,
}

impl Envelope {
    /// Reads elements and identifiers. No key is used here.
    fn read(encrypted: Element<'_>, ciphers: Ciphers) -> Result<Self, Undecryptable> {
        let data = encrypted.required(XENC, "EncryptedData")?;
        for child in encrypted.only_elements()? {
            if !child.is(XENC, "EncryptedData") && !child.is(XENC, "EncryptedKey") {
                return Err(child.malformed("an element that does not belong in an encrypted one").into());
            }
        }
        if data.attr("Type").is_some_and(|kind| kind != ELEMENT) {
            return Err(data.malformed("something other than an element is encrypted").into());
        }
        let cipher = Cipher::read(data.required(XENC, "EncryptionMethod")?, ciphers)?;
        let keys = encrypted_keys(encrypted, data)?;
        let keys = keys.into_iter().map(encrypted_key).collect::<Result<_, Undecryptable>>()?;
        Ok(Self { cipher, content: cipher_value(data)?, keys })
    }

    fn open(mut self, keys: &[&DecryptingKey]) -> Option<(Vec<u8>, usize)> {
        let (found, place) = self.content_key(keys).unzip();
        // Without a key the content is opened in vain, by one of zeros, so that it takes as long.
        let zeros = Zeroizing::new(vec![0; self.cipher.key_bytes()]);
        let key = found.as_ref().unwrap_or(&zeros);
        let content = std::mem::take(&mut self.content);
        let plain = match self.cipher.mode() {
            Mode::Gcm(algorithm) => open_gcm(algorithm, key, content),
            Mode::Cbc(algorithm) => open_cbc(algorithm, key, content),
        };
        plain.zip(place)
    }

    /// The first content key that opens. All are tried even then: which of them opened is not to be told by the time
    /// it takes. A length is no secret, so what cannot be for a key is not tried by it.
    fn content_key(&self, keys: &[&DecryptingKey]) -> Option<(Zeroizing<Vec<u8>>, usize)> {
        let mut found = None;
        // A copy opens as the first does.
        let distinct: Vec<_> = self
            .keys
            .iter()
            .enumerate()
            .filter(|(at, (_, text))| !self.keys[..*at].iter().any(|(_, before)| before == text))
            .map(|(_, key)| key)
            .collect();
        for (place, key) in keys.iter().enumerate().take(MAX_KEYS) {
            for (oaep, ciphertext) in distinct.iter().filter(|(_, text)| text.len() == key.ciphertext_bytes())
            {
                let opened = key.decrypt(oaep.algorithm(), ciphertext);
                let fits = opened.filter(|opened| opened.len() == self.cipher.key_bytes());
                found = found.or(fits.map(|key| (key, place)));
            }
        }
        found
    }
}

fn encrypted_keys<'d>(encrypted: Element<'d>, data: Element<'d>) -> Result<Vec<Element<'d>>, Undecryptable> {
    let inside = data.child(DSIG, "KeyInfo")?;
    let inside = inside.into_iter().flat_map(|info| info.children());
    let keys: Vec<_> =
        inside.chain(encrypted.children()).filter(|child| child.is(XENC, "EncryptedKey")).collect();
    match keys.len() {
        0 => Err(encrypted.malformed("there is no EncryptedKey").into()),
        1..=MAX_KEYS => Ok(keys),
        _ => Err(encrypted.malformed("there are more than four EncryptedKeys").into()),
    }
}

fn encrypted_key(key: Element<'_>) -> Result<(Oaep, Vec<u8>), Undecryptable> {
    let method = key.child(XENC, "EncryptionMethod")?.ok_or(Unsupported::KeyTransport)?;
    Ok((Oaep::read(method)?, cipher_value(key)?))
}

fn cipher_value(encrypted: Element<'_>) -> Result<Vec<u8>, Undecryptable> {
    let value = encrypted.required(XENC, "CipherData")?.required(XENC, "CipherValue")?;
    let bytes = base64::decode(&value.text()?, Limits::MESSAGE.bytes);
    Ok(bytes.ok_or_else(|| value.malformed("the encrypted bytes are not base64"))?)
}

/// Nonce ‖ ciphertext ‖ tag (XML Encryption 1.1, section 5.2.4).
pub(super) fn open_gcm(
    algorithm: &'static aead::Algorithm,
    key: &[u8],
    mut bytes: Vec<u8>,
) -> Option<Vec<u8>> {
    if bytes.len() < NONCE_LEN + TAG_BYTES {
        return None;
    }
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(bytes.get(..NONCE_LEN)?).ok()?;
    let length = key.open_within(nonce, Aad::empty(), &mut bytes, NONCE_LEN..).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

/// IV ‖ ciphertext, padded to whole blocks; the last byte tells how many bytes are padding, and the others of it are
/// arbitrary (XML Encryption 1.1, section 5.2.1).
pub(super) fn open_cbc(
    algorithm: &'static cipher::Algorithm,
    key: &[u8],
    mut bytes: Vec<u8>,
) -> Option<Vec<u8>> {
    let (iv, content) = bytes.split_first_chunk_mut::<AES_CBC_IV_LEN>()?;
    if content.is_empty() || content.len() % BLOCK_BYTES != 0 {
        return None;
    }
    let context = DecryptionContext::Iv128(iv::FixedLength::from(&*iv));
    let key = cipher::DecryptingKey::cbc(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let plain = key.decrypt(content, context).ok()?;
    let padding = usize::from(*plain.last()?);
    let length = plain.len().checked_sub(padding).filter(|_| (1..=BLOCK_BYTES).contains(&padding))?;
    bytes.drain(..AES_CBC_IV_LEN);
    bytes.truncate(length);
    Some(bytes)
}
