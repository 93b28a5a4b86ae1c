"""A mail server by aiosmtpd, which keeps what it takes.

Settings: {"port", "certificate"?, "key"?, "implicit"?, "username"?, "password"?}. With a certificate (PEM files) it
offers STARTTLS and takes nothing without, or speaks TLS at once if "implicit". With a user it takes nothing from anybody
else. Ready: {}.

behave(greeting?, rcpt?, data?, hang_up?): answers such as "550 5.1.1 unknown", until it is told otherwise; "hang_up"
breaks the connection instead of answering "rcpt" or "data".
mails(): what was taken, parsed by Python: [{from, to, tls, user, headers: [[name, value]], text, html, raw}].
seen(): how many connections there were.
close(), reopen(): it goes away, and comes back at the same port.
"""

import email
import email.policy
import ssl
import threading

import desk
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

settings = desk.settings()
lock = threading.Lock()
mails = []
manners = {}
connections = [0]


class Server(SMTP):
    def connection_made(self, transport):
        if self.transport is None:
            connections[0] += 1
        super().connection_made(transport)


class Sink:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if manners.get("hang_up") == "rcpt":
            server.transport.abort()
            return "451 gone"
        if manners.get("rcpt"):
            return manners["rcpt"]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 taken"

    async def handle_DATA(self, server, session, envelope):
        if manners.get("hang_up") == "data":
            server.transport.abort()
            return "451 gone"
        if manners.get("data"):
            return manners["data"]
        with lock:
            mails.append(taken(session, envelope))
        return "250 2.0.0 taken"


def taken(session, envelope):
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    part = lambda kind: (message.get_body((kind,)) or "") and message.get_body((kind,)).get_content()
    user = session.auth_data.login.decode() if session.auth_data else None
    return {
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "tls": session.ssl is not None or bool(settings.get("implicit")),
        "user": user,
        "headers": [[name, str(value)] for name, value in message.items()],
        "text": part("plain"),
        "html": part("html"),
        "raw": envelope.content.decode("ascii"),
    }


def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == (
        settings["username"],
        settings["password"],
    )
    return AuthResult(success=right, handled=False, auth_data=data)


def tls():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings["certificate"], settings["key"])
    return context


class Post(Controller):
    def factory(self):
        return Server(self.handler, **self.SMTP_kwargs)


def opened(port):
    more = {}
    if settings.get("username"):
        implicit = bool(settings.get("implicit"))
        more = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": not implicit}
    if settings.get("certificate") and settings.get("implicit"):
        more["ssl_context"] = tls()
    elif settings.get("certificate"):
        more |= {"tls_context": tls(), "require_starttls": True}
    post = Post(Sink(), hostname="127.0.0.1", port=port, **more)
    post.start()
    # It has knocked at its own door.
    connections[0] = 0
    return post


port = settings["port"]
running = [opened(port)]


def behave(**how):
    manners.clear()
    manners.update(how)


def close():
    running.pop().stop()


desk.open_for(
    {},
    {
        "behave": behave,
        "mails": lambda: list(mails),
        "seen": lambda: connections[0],
        "close": close,
        "reopen": lambda: running.append(opened(port)) and None,
    },
)
