//! Certificates of long keys that nobody has: what a verifier must work for before it knows that.

use behalf::protocol::saml::keys::Certificate;

const RSA: [u8; 13] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const SHA256_WITH_RSA: [u8; 13] =
    [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00];

/// DER (X.690, section 8.1).
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        0..128 => vec![tag, length[1]],
        128..256 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [head, content].concat()
}

/// An RSA key of so many bits, another one for each `number`. Its modulus is odd, and that is all.
pub fn certificate(bits: usize, number: u8) -> Certificate {
    let sequence = |parts: &[&[u8]]| der(0x30, parts);
    let mut modulus = vec![number | 1; bits / 8];
    (modulus[0], modulus[1]) = (0xff, number);
    let modulus = [vec![0], modulus].concat();
    let key = sequence(&[&der(2, &[&modulus]), &der(2, &[&[1, 0, 1]])]);
    let spki = sequence(&[&sequence(&[&RSA]), &der(3, &[&[0], &key])]);
    let day = |text: &str| der(0x17, &[text.as_bytes()]);
    let validity = sequence(&[&day("200101000000Z"), &day("491231235959Z")]);
    let (version, name, algorithm) =
        (der(0xa0, &[&der(2, &[&[2]])]), sequence(&[]), sequence(&[&SHA256_WITH_RSA]));
    let serial = der(2, &[&[1]]);
    let body = sequence(&[&version, &serial, &algorithm, &name, &validity, &name, &spki]);
    Certificate::from_der(&sequence(&[&body, &algorithm, &der(3, &[&[0, 0]])])).unwrap()
}
