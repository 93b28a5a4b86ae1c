use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_CBC_IV_LEN, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::{aead, cipher, iv};
use zeroize::Zeroizing;

use super::algorithm::Mode;
use super::{Cipher, DSIG, ELEMENT, Oaep, XENC, XENC11};
use crate::foundation::random::Random;
use crate::protocol::saml::base64;
use crate::protocol::saml::keys::{EncryptingKey, KeyError};

const BLOCK_BYTES: usize = 16;

/// An `xenc:EncryptedData` of the element `plain` for the holder of `key`, with a content key of its own. It goes
/// into a `saml:EncryptedAssertion` or `saml:EncryptedID`.
pub fn encrypt(
    plain: &[u8],
    key: &EncryptingKey,
    cipher: Cipher,
    oaep: Oaep,
    random: &Random,
) -> Result<String, KeyError> {
    let mut content_key = Zeroizing::new(vec![0; cipher.key_bytes()]);
    random.fill(&mut content_key);
    let content = match cipher.mode() {
        Mode::Gcm(algorithm) => seal_gcm(algorithm, &content_key, plain, random),
        Mode::Cbc(algorithm) => seal_cbc(algorithm, &content_key, plain, random),
    };
    let content = content.ok_or(KeyError::Crypto)?;
    let encrypted_key = key.encrypt(oaep.algorithm(), &content_key)?;
    Ok(written(cipher, &content, oaep, &encrypted_key))
}

/// Nothing in it but identifiers and base64, so there is nothing to escape.
pub(super) fn written(cipher: Cipher, content: &[u8], oaep: Oaep, key: &[u8]) -> String {
    let (digest, mask) = oaep.parameters();
    let mask = mask.map_or_else(String::new, |uri| {
        format!("<xenc11:MGF xmlns:xenc11=\"{XENC11}\" Algorithm=\"{uri}\"/>")
    });
    format!(
        "<xenc:EncryptedData xmlns:xenc=\"{XENC}\" Type=\"{ELEMENT}\">\
         <xenc:EncryptionMethod Algorithm=\"{}\"/>\
         <ds:KeyInfo xmlns:ds=\"{DSIG}\"><xenc:EncryptedKey>\
         <xenc:EncryptionMethod Algorithm=\"{}\"><ds:DigestMethod Algorithm=\"{digest}\"/>{mask}\
         </xenc:EncryptionMethod>\
         <xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData>\
         </xenc:EncryptedKey></ds:KeyInfo>\
         <xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData>\
         </xenc:EncryptedData>",
        cipher.uri(),
        oaep.uri(),
        base64::encode(key),
        base64::encode(content),
    )
}

pub(super) fn seal_gcm(
    algorithm: &'static aead::Algorithm,
    key: &[u8],
    plain: &[u8],
    random: &Random,
) -> Option<Vec<u8>> {
    let nonce: [u8; NONCE_LEN] = random.bytes();
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

pub(super) fn seal_cbc(
    algorithm: &'static cipher::Algorithm,
    key: &[u8],
    plain: &[u8],
    random: &Random,
) -> Option<Vec<u8>> {
    let iv: [u8; AES_CBC_IV_LEN] = random.bytes();
    let padding = BLOCK_BYTES - plain.len() % BLOCK_BYTES;
    let noise: [u8; BLOCK_BYTES] = random.bytes();
    let mut padded = [plain, noise.get(1..padding)?, &[u8::try_from(padding).ok()?]].concat();
    let context = EncryptionContext::Iv128(iv::FixedLength::from(&iv));
    let key = cipher::EncryptingKey::cbc(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    key.less_safe_encrypt(&mut padded, context).ok()?;
    Some([iv.as_slice(), &padded].concat())
}
