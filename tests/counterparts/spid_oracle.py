"""The responses that Italy's SPID tries on service providers (PyPI's spid-sp-test), made for a live request.

Its own command line wants an AuthnRequest as SPID has it (an Issuer with a NameQualifier, and more) before it sends
anything, so the responses are taken from its library, and the test posts them.

Settings: {entity_id, key, certificate, xmlsec1?}; the identity provider, keys in PEM.
Ready: {cases: [{case, title, description, refused}]}; `refused` is what SPID expects of a service provider.
Answers: response {case, request (xml of the AuthnRequest), audience?, attributes?: {name: value}, now?: RFC 3339} ->
  {xml, refused}; the audience is the request's issuer unless it is given
"""

import datetime
import os
import re
import shutil
import tempfile

import desk

settings = desk.settings()
folder = tempfile.TemporaryDirectory(prefix="behalf-spid-")
for name, content in (("private.key", settings["key"]), ("public.cert", settings["certificate"])):
    with open(os.path.join(folder.name, name), "w") as file:
        file.write(content)
# The library reads these when it is loaded.
os.environ.update(IDP_ENTITYID=settings["entity_id"], IDP_CERT_PATH=folder.name)

from lxml import etree  # noqa: E402
from spid_sp_test import response as spid  # noqa: E402
from spid_sp_test.responses import response_wraps  # noqa: E402
from spid_sp_test.responses.settings import RESPONSE_TESTS  # noqa: E402
from spid_sp_test.utils import del_ns  # noqa: E402

LIFETIME = datetime.timedelta(minutes=5)


def check_for(request, audience, now):
    """A check as if this request had just been fetched."""
    check = spid.SpidSpResponseCheck(
        xmlsec_binary=settings.get("xmlsec1") or shutil.which("xmlsec1"), key_file=f"{folder.name}/private.key"
    )
    check.authnreq_etree = etree.fromstring(request.encode())
    del_ns(check.authnreq_etree)
    check.authnreq_attrs = check.authnreq_etree.attrib
    acs = check.authnreq_attrs["AssertionConsumerServiceURL"]
    check.response_attrs = {
        "ResponseID": spid.saml_rnd_id(),
        "AuthnRequestID": check.authnreq_attrs["ID"],
        "IssueInstant": check.authnreq_attrs["IssueInstant"],
        "NotOnOrAfter": instant(now + LIFETIME),
        "AssertionConsumerURL": acs,
        "NameIDNameQualifier": settings["entity_id"],
        "NameID": "that-transient-opaque-value",
        "AssertionID": spid.saml_rnd_id(),
        "AuthnIstant": instant(now),
        "SessionIndex": spid.saml_rnd_id(),
        "Issuer": settings["entity_id"],
        "Audience": audience or check.authnreq_etree.findtext("Issuer"),
        "AuthnContextClassRef": check.get_acr() or "https://www.spid.gov.it/SpidL1",
        "IssueInstantMillis": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "sign_response": True,
        "sign_assertion": True,
    }
    return check


def instant(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def response(case, request, audience=None, attributes=None, now=None):
    moment = datetime.datetime.fromisoformat(now.replace("Z", "+00:00")) if now else datetime.datetime.now()
    check = check_for(request, audience, moment.astimezone(datetime.timezone.utc))
    made = check.load_test(test_name=case)
    signed = check.sign(
        tight(made.render(user_attrs=attributes or {})), key_file=made.private_key,
        cert_file=made.response_attrs.get("X509Certificate"),
    )
    return {"xml": wrapped(check, signed, RESPONSE_TESTS[case]), "refused": refused(made.conf)}


def tight(xml):
    """Without the white space of the templates around a name, which others take for a part of it."""
    return re.sub(r"(<(?:\w+:)?NameID\b[^>]*>)\s+(\S[^<]*?)\s+(</)", r"\1\2\3", xml)


class Namespaces:
    """Its wrapping attacks leave out every namespace, so that they would be refused for that alone."""

    def __init__(self):
        self.of, self.prefixes = {}, {}

    def forget(self, root):
        """In place of del_ns, which leaves out what was signed as well."""
        for element in root.iter(etree.Element):
            name = etree.QName(element)
            self.of[name.localname] = name.namespace
            self.prefixes[element.prefix] = name.namespace
            element.tag = name.localname

    def restored(self, xml):
        """Declared at the root, which makes no difference to exclusive canonical form."""
        return etree.tostring(self.again(etree.fromstring(xml), None)).decode()

    def again(self, element, parent):
        tag = f"{{{self.of[element.tag]}}}{element.tag}"
        if parent is None:
            made = etree.Element(tag, nsmap=self.prefixes)
        else:
            made = etree.SubElement(parent, tag)
        made.attrib.update(element.attrib)
        made.text, made.tail = element.text, element.tail
        for child in element.iterchildren(etree.Element):
            self.again(child, made)
        return made


def wrapped(check, signed, conf):
    namespaces = Namespaces()
    response_wraps.del_ns = namespaces.forget
    made = check.post_xml(signed, conf)
    return namespaces.restored(made) if namespaces.of else made


def refused(conf):
    return 200 not in conf["status_codes"]


def described(case, conf):
    return {"case": case, "title": conf["name"], "description": conf["description"], "refused": refused(conf)}


desk.open_for({"cases": [described(*one) for one in RESPONSE_TESTS.items()]}, {"response": response})
