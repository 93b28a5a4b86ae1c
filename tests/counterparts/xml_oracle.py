"""Canonical form, signatures and encryption by other authors: lxml, signxml, cryptography.

Settings: {}. Ready: {}.
Answers (xml is text in and out, keys and certificates are PEM; "id" names an element by its ID attribute):
  canonical {xml, id?, prefixes?, without_signature?} -> text; exclusive, without comments; the root if no id is given
  canonical_all {of: [the same, ...]} -> [text, ...]
  sign {xml, id, key, certificate, signature?, digest?, prefixes?} -> xml; the Signature follows the Issuer, if there is one
  verify {xml, certificate, id} -> text; what the signature in this element signed
  encrypt {xml, certificate, cipher?, digest?, mgf?, transport?, sibling?} -> xml; an EncryptedData around this element
  decrypt {xml, key} -> xml; what the one EncryptedData of the document held
"""

import base64
import io
import os
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree
from signxml import CanonicalizationMethod, SignatureConfiguration, XMLSigner, XMLVerifier, methods

DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
# AES block, which the cipher-block mode pads to (XML Encryption 1.1, section 5.2).
BLOCK = 16

# Key bytes, and whether it is authenticated.
CIPHERS = {
    XENC11 + "aes128-gcm": (16, True),
    XENC11 + "aes192-gcm": (24, True),
    XENC11 + "aes256-gcm": (32, True),
    XENC + "aes128-cbc": (16, False),
    XENC + "aes192-cbc": (24, False),
    XENC + "aes256-cbc": (32, False),
}
HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
DIGESTS = {
    "sha1": DS + "sha1",
    "sha256": XENC + "sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": XENC + "sha512",
}
MGFS = {name: XENC11 + "mgf1" + name for name in HASHES}

# lxml leaves out of a list of prefixes what it has never met as a name; "#default" is one, but never met.
list(etree.iterparse(io.BytesIO(b"<x/>"), tag="#default"))


def parse(xml):
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.fromstring(xml.encode(), parser)


def text(element):
    return etree.tostring(element, encoding="unicode", with_tail=False)


def element_with(root, id):
    found = root.xpath("//*[@ID=$id]", id=id)
    if len(found) != 1:
        raise LookupError(f"{len(found)} elements have the ID {id}")
    return found[0]


def canonical(xml, id=None, prefixes=(), without_signature=False):
    root = parse(xml)
    element = root if id is None else element_with(root, id)
    if without_signature:
        drop(element.find(f"{{{DS}}}Signature"))
    return etree.tostring(
        element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=list(prefixes) or None
    ).decode()


def drop(element):
    """Removes an element and leaves the text behind it."""
    if element is None:
        return
    parent, before = element.getparent(), element.getprevious()
    if element.tail and before is not None:
        before.tail = (before.tail or "") + element.tail
    elif element.tail:
        parent.text = (parent.text or "") + element.tail
    parent.remove(element)


def sign(xml, id, key, certificate, signature="rsa-sha256", digest="sha256", prefixes=()):
    root = parse(xml)
    element = element_with(root, id)
    signer = XMLSigner(methods.enveloped, signature, digest, EXCLUSIVE)
    # signxml signs a root, so the element becomes one for that while.
    alone = parse(text(element))
    place = etree.Element(f"{{{DS}}}Signature", Id="placeholder", nsmap={"ds": DS})
    issuer = alone.find(f"{{{SAML}}}Issuer")
    alone.insert(0 if issuer is None else alone.index(issuer) + 1, place)
    signed = signer.sign(
        alone, key=key.encode(), cert=certificate, reference_uri="#" + id, id_attribute="ID",
        inclusive_ns_prefixes=list(prefixes) or None,
    )
    if element is root:
        return text(signed)
    signed.tail = element.tail
    element.getparent().replace(element, signed)
    return text(root)


def verify(xml, certificate, id):
    element = element_with(parse(xml), id)
    # The certificate is a container for the key; how long it lasts is another question.
    during = x509.load_pem_x509_certificate(certificate.encode()).not_valid_before_utc + timedelta(seconds=1)
    expected = SignatureConfiguration(location="./", verification_time=during, expect_references=1)
    found = XMLVerifier().verify(
        parse(text(element)), x509_cert=certificate, id_attribute="ID", validate_schema=False, expect_config=expected
    )
    if found.signed_xml is None or found.signed_xml.get("ID") != id:
        raise ValueError("another element than this one was signed")
    return found.signed_data.decode()


def encrypt(xml, certificate, cipher=XENC11 + "aes256-gcm", digest="sha1", mgf="sha1", transport=None, sibling=False):
    length, authenticated = CIPHERS[cipher]
    plain = text(parse(xml)).encode()
    session_key, nonce = os.urandom(length), os.urandom(12 if authenticated else BLOCK)
    if authenticated:
        sealed = nonce + AESGCM(session_key).encrypt(nonce, plain, None)
    else:
        gap = BLOCK - len(plain) % BLOCK
        padded = plain + os.urandom(gap - 1) + bytes([gap])
        block = Cipher(algorithms.AES(session_key), modes.CBC(nonce)).encryptor()
        sealed = nonce + block.update(padded) + block.finalize()
    public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    oaep = padding.OAEP(padding.MGF1(HASHES[mgf]()), HASHES[digest](), None)
    transport = transport or (XENC + "rsa-oaep-mgf1p" if mgf == "sha1" else XENC11 + "rsa-oaep")
    details = f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{DIGESTS[digest]}"/>'
    if transport == XENC11 + "rsa-oaep":
        details += f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{MGFS[mgf]}"/>'
    key = (
        f'<xenc:EncryptedKey xmlns:xenc="{XENC}"><xenc:EncryptionMethod Algorithm="{transport}">{details}'
        f"</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>{encoded(public.encrypt(session_key, oaep))}"
        f"</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"
    )
    inside = "" if sibling else f'<ds:KeyInfo xmlns:ds="{DS}">{key}</ds:KeyInfo>'
    data = (
        f'<xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{cipher}"/>'
        f"{inside}<xenc:CipherData><xenc:CipherValue>{encoded(sealed)}</xenc:CipherValue></xenc:CipherData>"
        f"</xenc:EncryptedData>"
    )
    return data + key if sibling else data


def encoded(octets):
    return base64.b64encode(octets).decode()


def decrypt(xml, key):
    root = parse(xml)
    (data,) = root.iter(f"{{{XENC}}}EncryptedData")
    (wrapped,) = root.iter(f"{{{XENC}}}EncryptedKey")
    private = serialization.load_pem_private_key(key.encode(), None)
    session_key = private.decrypt(cipher_value(wrapped), oaep_of(wrapped))
    length, authenticated = CIPHERS[data.find(f"{{{XENC}}}EncryptionMethod").get("Algorithm")]
    if len(session_key) != length:
        raise ValueError(f"a key of {len(session_key)} bytes")
    sealed = cipher_value(data)
    if authenticated:
        return AESGCM(session_key).decrypt(sealed[:12], sealed[12:], None).decode()
    block = Cipher(algorithms.AES(session_key), modes.CBC(sealed[:BLOCK])).decryptor()
    padded = block.update(sealed[BLOCK:]) + block.finalize()
    return padded[: -padded[-1]].decode()


def oaep_of(wrapped):
    method = wrapped.find(f"{{{XENC}}}EncryptionMethod")
    digest = algorithm(method, f"{{{DS}}}DigestMethod", DIGESTS)
    mgf = algorithm(method, f"{{{XENC11}}}MGF", MGFS)
    return padding.OAEP(padding.MGF1(HASHES[mgf]()), HASHES[digest](), None)


def algorithm(method, tag, known):
    """The one that is named, or SHA-1, which is what silence means in XML Encryption 1.1, section 5.5.2."""
    found = method.find(tag)
    names = {uri: name for name, uri in known.items()}
    return "sha1" if found is None else names[found.get("Algorithm")]


def cipher_value(element):
    return base64.b64decode(element.findtext(f"{{{XENC}}}CipherData/{{{XENC}}}CipherValue"))


def main():
    import desk

    desk.settings()
    answers = {"canonical": canonical, "sign": sign, "verify": verify, "encrypt": encrypt, "decrypt": decrypt}
    answers["canonical_all"] = lambda of: [canonical(**one) for one in of]
    desk.open_for({}, answers)


if __name__ == "__main__":
    main()
