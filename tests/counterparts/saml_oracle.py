"""The other side of SAML by other authors: pysaml2, as identity provider and as service provider.

Settings: {xmlsec1?: "/usr/bin/xmlsec1"}. Ready: {}.

A party is {entity_id, key, certificate, sso?, acs?, slo?, decryption_key?, decryption_certificate?}: keys and
certificates are PEM, sso, acs and slo are URLs; both bindings are offered at each. `peers` is a list of metadata
documents. `now` is RFC 3339; without it, it is now. A binding is "redirect" or "post"; a message travels as
{binding, url} or {binding, url, form: {SAMLRequest | SAMLResponse, RelayState?}}.

Answers:
  response {idp, peers, to, acs, in_response_to?, name_id: {value, format?}, attributes: {name: [value]}, now?,
    sign: [] | ["assertion", "response"], signature?, digest?, session_index?, lifetime?, authn_context?,
    encrypt?: {certificate, cipher?, digest?, mgf?, transport?, sibling?}} -> xml
  authn_request {idp, peers, message} -> {id, issuer, acs?, destination, force_authn, is_passive, name_id_format?, xml}
  logout_request {party, as: "idp" | "sp", peers, message, now?} -> {id, issuer, name_id, session_indexes, destination, xml}
  logout_response {party, as, peers, message, now?} -> {id, issuer, in_response_to, status, destination, xml}
    A message without a valid signature by its sender's key is an error in all three.
  make_authn_request {sp, peers, to, binding, relay_state?, force_authn?, now?} -> {id, message}
  make_logout_request {party, as, peers, to, name_id, session_index?, binding, relay_state?, now?} -> {id, message}
  make_logout_response {party, as, peers, peer: entity id, to, in_response_to, binding, relay_state?, now?} -> {id, message}
  accept {sp, peers, response (xml), requests: [id], now?, want?: ["assertion", "response"], unsolicited?} ->
    {name_id, attributes, session_index, in_response_to}; the service provider's view of a response
  metadata {xml} -> {entity_id, roles: {idp | sp: {sso, acs, slo: [{binding, location, index?}], signing: [base64],
    encryption: [base64], ...}}}
"""

import base64
import calendar
import contextlib
import datetime
import html
import os
import re
import shutil
import tempfile
import time
import types
import zlib
from urllib.parse import parse_qs, unquote, urlsplit

import desk
import xml_oracle
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, saml, samlp, time_util
from saml2.client import Saml2Client
from saml2.config import IdPConfig, SPConfig
from saml2.mdstore import MetadataStore
from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NameID
from saml2.server import Server

BINDINGS = {"redirect": BINDING_HTTP_REDIRECT, "post": BINDING_HTTP_POST}
# Nothing a test does takes longer; pysaml2 refuses requests by their age alone.
ANY_AGE = 20 * 365 * 86400
SIGNATURES = {
    "rsa-sha256": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "rsa-sha384": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "rsa-sha512": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
}
SIGNATURE_HASHES = {uri: getattr(hashes, name.removeprefix("rsa-").upper()) for name, uri in SIGNATURES.items()}

settings = desk.settings()
xmlsec1 = settings.get("xmlsec1") or shutil.which("xmlsec1")
folder = tempfile.TemporaryDirectory(prefix="behalf-pysaml2-")


@contextlib.contextmanager
def at(now):
    """Turns the clock of pysaml2."""
    if now is None:
        yield
        return
    moment = datetime.datetime.fromisoformat(now.replace("Z", "+00:00"))

    class Frozen(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return moment.astimezone(tz) if tz else moment.replace(tzinfo=None)

    def gmtime(seconds=None):
        return time.gmtime(moment.timestamp() if seconds is None else seconds)

    kept = time_util.time, time_util.datetime
    time_util.time, time_util.datetime = types.SimpleNamespace(**{**vars(time), "gmtime": gmtime}), Frozen
    try:
        yield
    finally:
        time_util.time, time_util.datetime = kept


def kept(pem):
    """A file with this content; pysaml2 hands names of files to xmlsec1."""
    path = os.path.join(folder.name, f"{hash(pem):x}.pem")
    with open(path, "w") as file:
        file.write(pem)
    return path


def offered(url):
    return [(url, binding) for binding in (BINDING_HTTP_REDIRECT, BINDING_HTTP_POST)] if url else []


def configuration(party, role, peers, service):
    known = {
        "entityid": party["entity_id"],
        "xmlsec_binary": xmlsec1,
        "key_file": kept(party["key"]),
        "cert_file": kept(party["certificate"]),
        "metadata": {"inline": peers},
        "accepted_time_diff": service.pop("slack", 0),
        "service": {role: service},
        "delete_tmpfiles": True,
        "allow_unknown_attributes": True,
    }
    if "decryption_key" in party:
        keypair = {"key_file": kept(party["decryption_key"]), "cert_file": kept(party["decryption_certificate"])}
        known["encryption_keypairs"] = [keypair]
    return known


def identity_provider(party, peers, lifetime=300, **service):
    service["endpoints"] = {
        "single_sign_on_service": offered(party.get("sso", party["entity_id"])),
        "single_logout_service": offered(party.get("slo")),
    }
    service["policy"] = {"default": {"lifetime": {"seconds": lifetime}, "attribute_restrictions": None}}
    return Server(config=IdPConfig().load(configuration(party, "idp", peers, service)))


def service_provider(party, peers, **service):
    acs = party.get("acs", party["entity_id"])
    service["endpoints"] = {
        "assertion_consumer_service": [(acs, BINDING_HTTP_POST)],
        "single_logout_service": offered(party.get("slo")),
    }
    return Saml2Client(config=SPConfig().load(configuration(party, "sp", peers, service)))


def entity(party, role, peers, **service):
    return {"idp": identity_provider, "sp": service_provider}[role](party, peers, **service)


def named(name_id, **more):
    return NameID(text=name_id["value"], format=name_id.get("format", NAMEID_FORMAT_EMAILADDRESS), **more)


def response(
    idp, peers, to, acs, name_id, attributes, sign, in_response_to=None, now=None, signature="rsa-sha256",
    digest="sha256", session_index=None, lifetime=300, authn_context=saml.AUTHN_PASSWORD_PROTECTED, encrypt=None,
):
    with at(now):
        server = identity_provider(idp, peers, lifetime)
        made = str(
            server.create_authn_response(
                attributes, in_response_to, acs, to, name_id=named(name_id, sp_name_qualifier=to),
                authn={"class_ref": authn_context, "authn_instant": calendar.timegm(time_util.time.gmtime())},
                sign_response=False, sign_assertion=False, encrypt_assertion=False,
            )
        )
    root = xml_oracle.parse(made)
    assertion = root.find(f"{{{xml_oracle.SAML}}}Assertion")
    (statement,) = assertion.iter(f"{{{xml_oracle.SAML}}}AuthnStatement")
    if session_index is not None:
        statement.set("SessionIndex", session_index)
    how = {"key": idp["key"], "certificate": idp["certificate"], "signature": signature, "digest": digest}
    made = xml_oracle.text(root)
    if "assertion" in sign:
        made = xml_oracle.sign(made, assertion.get("ID"), **how)
    if encrypt is not None:
        made = sealed(made, encrypt)
    if "response" in sign:
        made = xml_oracle.sign(made, root.get("ID"), **how)
    return made


def sealed(xml, how):
    root = xml_oracle.parse(xml)
    assertion = root.find(f"{{{xml_oracle.SAML}}}Assertion")
    data = xml_oracle.encrypt(xml_oracle.text(assertion), **how)
    around = f'<saml:EncryptedAssertion xmlns:saml="{xml_oracle.SAML}">{data}</saml:EncryptedAssertion>'
    root.replace(assertion, xml_oracle.parse(around))
    return xml_oracle.text(root)


def arguments(message, what):
    """How pysaml2 takes a message."""
    if message["binding"] == "post":
        return {"binding": BINDING_HTTP_POST}, message["form"][what], message["form"].get("RelayState")
    query = {name: values[0] for name, values in parse_qs(urlsplit(message["url"]).query).items()}
    signed = {"binding": BINDING_HTTP_REDIRECT, "sigalg": query.get("SigAlg"), "signature": query.get("Signature")}
    return signed, query[what], query.get("RelayState")


def asked(one, parse, message):
    how, text, relay_state = arguments(message, "SAMLRequest")
    read = parse(text, relay_state=relay_state, **how)
    return read.message, checked(one, message, "SAMLRequest", read.message)


def authn_request(idp, peers, message, now=None):
    with at(now):
        one = identity_provider(idp, peers, want_authn_requests_signed=True, slack=ANY_AGE)
        it, xml = asked(one, one.parse_authn_request, message)
    policy = it.name_id_policy
    return {
        "id": it.id, "issuer": it.issuer.text, "acs": it.assertion_consumer_service_url,
        "destination": it.destination, "force_authn": it.force_authn == "true", "is_passive": it.is_passive == "true",
        "name_id_format": policy.format if policy else None, "issue_instant": it.issue_instant,
        "protocol_binding": it.protocol_binding, "xml": xml,
    }


def logout_request(party, peers, message, now=None, **role):
    with at(now):
        one = entity(party, role["as"], peers, slack=ANY_AGE)
        it, xml = asked(one, one.parse_logout_request, message)
    return {
        "id": it.id, "issuer": it.issuer.text, "destination": it.destination,
        "name_id": {"value": it.name_id.text, "format": it.name_id.format} if it.name_id else None,
        "session_indexes": [index.text for index in it.session_index], "not_on_or_after": it.not_on_or_after,
        "xml": xml,
    }


def logout_response(party, peers, message, now=None, **role):
    how, text, _ = arguments(message, "SAMLResponse")
    with at(now):
        one = entity(party, role["as"], peers, slack=ANY_AGE)
        read = one.parse_logout_request_response(text, how["binding"])
    it = read.response
    xml = checked(one, message, "SAMLResponse", it)
    return {
        "id": it.id, "issuer": it.issuer.text, "in_response_to": it.in_response_to, "destination": it.destination,
        "status": it.status.status_code.value, "xml": xml,
    }


def checked(one, message, what, read):
    """The message as text, if a key of its issuer's metadata signed it; pysaml2 does not insist everywhere."""
    issuer, xml = read.issuer.text, carried(message, what)
    descriptor = "spsso" if one.entity_type == "idp" else "idpsso"
    failures = []
    for certificate in [pem(found) for _, found in one.metadata.certs(issuer, descriptor, "signing")]:
        try:
            if message["binding"] == "post":
                xml_oracle.verify(xml, certificate, read.id)
            else:
                redirect_oracle(message["url"], what, certificate)
            return xml
        except Exception as error:
            failures.append(repr(error))
    raise ValueError(f"no key of {issuer} signed it: {failures}")


def carried(message, what):
    if message["binding"] == "post":
        return base64.b64decode(message["form"][what]).decode()
    deflated = base64.b64decode(parse_qs(urlsplit(message["url"]).query)[what][0])
    return zlib.decompress(deflated, -zlib.MAX_WBITS).decode()


def redirect_oracle(url, what, certificate):
    """By the letter of Bindings, section 3.4.4.1: over the query as it is written, and in this order."""
    raw = dict(pair.split("=", 1) for pair in urlsplit(url).query.split("&"))
    octets = "&".join(f"{name}={raw[name]}" for name in (what, "RelayState", "SigAlg") if name in raw).encode()
    hash = SIGNATURE_HASHES[unquote(raw["SigAlg"])]()
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    signature = base64.b64decode(unquote(raw["Signature"]), validate=True)
    key.verify(signature, octets, padding.PKCS1v15(), hash)


def pem(bare):
    lines = re.findall(".{1,64}", re.sub(r"\s", "", bare))
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def travelling(one, binding, message, to, relay_state, is_response=False):
    """The message, signed, on its way."""
    redirect = binding == "redirect"
    sent = one.apply_binding(
        BINDINGS[binding], message if redirect else str(message), to, relay_state or "", response=is_response,
        sign=True, sigalg=SIGNATURES["rsa-sha256"],
    )
    if redirect:
        return {"binding": "redirect", "url": dict(sent["headers"])["Location"]}
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', "".join(sent["data"]))
    form = {name: html.unescape(value) for name, value in fields}
    return {"binding": "post", "url": to, "form": form}


def made(one, result, binding, to, relay_state, is_response=False):
    message = result[1] if isinstance(result, tuple) else result
    id = xml_oracle.parse(str(message)).get("ID")
    return {"id": id, "message": travelling(one, binding, message, to, relay_state, is_response)}


def signing(binding):
    """A redirect is signed beside the message (Bindings, section 3.4.4.1), a form inside it."""
    return {"sign": binding == "post", "sign_alg": SIGNATURES["rsa-sha256"], "digest_alg": xml_oracle.DIGESTS["sha256"]}


def make_authn_request(sp, peers, to, binding, relay_state=None, force_authn=False, now=None):
    with at(now):
        one = service_provider(sp, peers)
        more = {"force_authn": "true"} if force_authn else {}
        result = one.create_authn_request(to, binding=BINDING_HTTP_POST, **signing(binding), **more)
        return made(one, result, binding, to, relay_state)


def make_logout_request(party, peers, to, name_id, binding, session_index=None, relay_state=None, now=None, **role):
    with at(now):
        one = entity(party, role["as"], peers)
        indexes = [session_index] if session_index else None
        result = one.create_logout_request(
            to, party["entity_id"], name_id=named(name_id), session_indexes=indexes,
            expire=time_util.in_a_while(minutes=5), **signing(binding),
        )
        return made(one, result, binding, to, relay_state)


def make_logout_response(party, peers, peer, to, in_response_to, binding, relay_state=None, now=None, **role):
    with at(now):
        one = entity(party, role["as"], peers)
        request = samlp.LogoutRequest(id=in_response_to, issuer=saml.Issuer(text=peer))
        result = one.create_logout_response(request, bindings=[BINDINGS[binding]], **signing(binding))
        return made(one, result, binding, to, relay_state, is_response=True)


def accept(sp, peers, response, requests, now=None, want=(), unsolicited=False):
    with at(now):
        one = service_provider(
            sp, peers, allow_unsolicited=unsolicited, want_assertions_signed="assertion" in want,
            want_response_signed="response" in want, want_assertions_or_response_signed=True,
        )
        encoded = base64.b64encode(response.encode()).decode()
        read = one.parse_authn_request_response(encoded, BINDING_HTTP_POST, {id: "/" for id in requests})
    if read is None:
        raise ValueError("the response was refused")
    return {
        "name_id": {"value": read.name_id.text, "format": read.name_id.format}, "attributes": read.get_identity(),
        "session_index": read.session_info().get("session_index"), "in_response_to": read.in_response_to,
    }


def metadata(xml):
    store = MetadataStore(None, SPConfig())
    store.load("inline", xml)
    (entity_id,) = store.keys()
    roles = {}
    for role, kind in (("idp", "idpsso_descriptor"), ("sp", "spsso_descriptor")):
        for descriptor in store[entity_id].get(kind, []):
            roles[role] = role_of(descriptor)
    return {"entity_id": entity_id, "roles": roles}


def role_of(descriptor):
    def places(service):
        known = descriptor.get(service, [])
        return [{name: one[name] for name in ("binding", "location", "index", "is_default") if name in one} for one in known]

    def keys(use):
        known = [key for key in descriptor.get("key_descriptor", []) if key.get("use", use) == use]
        held = [data["x509_certificate"]["text"] for key in known for data in key["key_info"]["x509_data"]]
        return [re.sub(r"\s", "", one) for one in held]

    flags = ("want_assertions_signed", "authn_requests_signed", "want_authn_requests_signed")
    return {
        "sso": places("single_sign_on_service"), "acs": places("assertion_consumer_service"),
        "slo": places("single_logout_service"), "signing": keys("signing"), "encryption": keys("encryption"),
        "name_id_formats": [one["text"] for one in descriptor.get("name_id_format", [])],
        **{flag: descriptor[flag] == "true" for flag in flags if flag in descriptor},
    }


answers = [
    response, authn_request, logout_request, logout_response, make_authn_request, make_logout_request,
    make_logout_response, accept, metadata,
]
desk.open_for({}, {answer.__name__: answer for answer in answers})
