"""The door of every face that answers over HTTP: who may ask, from where, and how much they may send.

One plain ASGI middleware around an application. In this order it refuses a foreign `Host` (a web page whose name was made
to point at this machine: DNS rebinding), a foreign `Origin` (another page in the user's browser), a missing or wrong token,
and a body that is too long or too slow. Only then is the application called, with the whole body at hand.

    rules = rules_for("127.0.0.1", port=8000, token=new_token(), open_paths=("/health", "/static/"))
    app = Guard(Starlette(...), rules)

A token travels as `Authorization: Bearer TOKEN`. A face that is a page has a cookie for it too: `GET /?token=TOKEN` answers
with that cookie and a redirect to the same address without the token, which so stays out of histories and logs.
"""

import asyncio
import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from foretrace.errors import RefusedError, UsageError
from foretrace.serve.problem import Problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_BODY = 4 << 20
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What RFC 6750 lets a bearer token be."""
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What the door lets through."""

    token: str | None
    """The secret to be shown; None where none is asked for."""
    hosts: frozenset[str] = LOOPBACK
    """Names a `Host` header may carry: lower-case, without port and brackets."""
    any_address: bool = False
    """Let `Host` be any IP address too: an address, unlike a name, cannot be made to point elsewhere."""
    open_paths: tuple[str, ...] = ()
    """Paths served without a token; one that ends in "/" stands for all below it."""
    cookie: str | None = None
    """Name of the cookie that may carry the token; None for a face that is not a page."""
    max_body: int = MAX_BODY
    """Bytes of a request's body."""
    body_seconds: float = 30.0
    """Time in which the whole body must have arrived."""


def new_token() -> str:
    """A secret of 192 random bits that needs no quoting in a URL."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach a server bound to `host`."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def rules_for(
    host: str,
    *,
    port: int,
    token: str | None,
    open_paths: tuple[str, ...] = (),
    page: bool = False,
    names: Iterable[str] = (),
    max_body: int = MAX_BODY,
) -> Rules:
    """Rules of a server bound to `host`, which may also be called by other `names` (those of a proxy or a tunnel).

    A `page` may keep the token in a cookie, named after `port`: for browsers all ports of a host are one.

    Raises:
        RefusedError: there is no token, and other machines can reach the server.
        UsageError: the token has characters that a header or a cookie cannot carry.

    """
    loopback = is_loopback(host)
    if not token and not loopback:
        raise RefusedError(
            f"other machines can reach {host}, and without a token any of them could use this server;"
            " leave out --no-token, or bind 127.0.0.1"
        )
    if token and not _TOKEN.fullmatch(token):
        raise UsageError("a token is made of letters, digits and . _ ~ + / - and may end in = signs; choose another")
    own = [host, *names] if loopback else [host, socket.gethostname(), *names]
    return Rules(
        token=token or None,
        hosts=LOOPBACK | {_bare(name) for name in own},
        any_address=not loopback,
        open_paths=open_paths,
        cookie=f"foretrace_{port}" if page else None,
        max_body=max_body,
    )


class Guard:
    """The middleware: `Guard(app, rules)` is an ASGI application."""

    def __init__(self, app: App, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Checks a request, reads its body, and calls the application; other kinds than HTTP are not served."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        try:
            headers = _headers(scope)
            check_host(headers, self._rules)
            check_origin(headers, scope["method"])
            if self._rules.cookie and (answer := self._enter(scope)):
                return await _reply(send, 303, answer, b"")
            self._check_token(scope["path"], headers)
            body = await read_body(headers, receive, self._rules)
        except Problem as problem:
            return await refuse(send, problem)
        return await self._app(scope, _after(body, receive), _with_headers(send))

    def _check_token(self, path: str, headers: dict[str, str]) -> None:
        if any(path == opened or (opened.endswith("/") and path.startswith(opened)) for opened in self._rules.open_paths):
            return
        if not self._is_token(_shown(headers, self._rules.cookie)):
            raise Problem(
                401,
                "this server asks for the token it printed when it started: send it as 'Authorization: Bearer TOKEN'",
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )

    def _is_token(self, shown: str) -> bool:
        token = self._rules.token
        return token is None or hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())

    def _enter(self, scope: Message) -> dict[str, str] | None:
        """Headers that keep a page's token in its cookie and lead to the same address without it."""
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        token, shown = self._rules.token, dict(query).get("token")
        if scope["method"] != "GET" or token is None or shown is None or not self._is_token(shown):
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        # A path that begins with two slashes would be read as another site's address.
        path = "/" + scope.get("raw_path", scope["path"].encode()).decode("latin-1").split("?")[0].lstrip("/\\")
        cookie = f"{self._rules.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"
        return {"location": path + (f"?{rest}" if rest else ""), "set-cookie": cookie, "cache-control": "no-store"}


def check_host(headers: dict[str, str], rules: Rules) -> None:
    """Raises Problem unless the request was sent to one of our names."""
    host = headers.get("host", "")
    name = _bare(host if host.endswith("]") else host.rsplit(":", 1)[0])
    if name in rules.hosts or (rules.any_address and _is_address(name)):
        return
    raise Problem(403, f"this server does not answer to the name {name[:100]!r}; use the address it printed")


def check_origin(headers: dict[str, str], method: str) -> None:
    """Raises Problem for what another page in a browser asked; programs send neither of these headers."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        raise Problem(403, f"a page of {origin[:100]!r} asked; only programs and this server's own pages may")
    # Other ports of this machine are the same site for a browser, but not the same origin.
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        follows_link = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if not follows_link:
            raise Problem(403, "another page in the browser asked; only programs and this server's own pages may")


async def read_body(headers: dict[str, str], receive: Receive, rules: Rules) -> bytes:
    """The whole body. Raises Problem if it is longer or slower than the rules allow, or its sender went away."""
    too_long = Problem(413, f"the body is longer than {rules.max_body:,} bytes", headers={"connection": "close"})
    stated = headers.get("content-length", "0")
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > rules.max_body:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(rules.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "the body ended before its length")
                body += message.get("body", b"")
                if len(body) > rules.max_body:
                    raise too_long
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        late = f"the body did not arrive within {rules.body_seconds:g} s"
        raise Problem(408, late, headers={"connection": "close"}) from None


async def refuse(send: Send, problem: Problem) -> None:
    """Sends a Problem as the whole answer."""
    await _reply(send, problem.status, {"content-type": "application/json", **problem.headers}, problem.json())


async def _reply(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": [*pairs, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})


def _headers(scope: Message) -> dict[str, str]:
    """A request's headers; those that decide who asks may stand there once only."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        if name in found and name in ("host", "origin", "authorization", "content-length"):
            raise Problem(400, f"the request has two {name} headers")
        found[name] = raw_value.decode("latin-1").strip()
    return found


def _shown(headers: dict[str, str], cookie: str | None) -> str:
    """The token that a request shows, in its header or in a page's cookie; empty if none."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if cookie is None:
        return ""
    # `http.cookies` drops all at the first odd one, and pages on other ports of this host set what they like.
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((value.strip() for name, _, value in pairs if name.strip() == cookie), "")


def _bare(name: str) -> str:
    """A host's name as names are compared."""
    return name.strip("[]").rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _after(body: bytes, receive: Receive) -> Receive:
    """`receive` of a request whose body is read already: first the body, then what still comes (its sender's leaving)."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def _with_headers(send: Send) -> Send:
    """`send` that adds the headers every answer has."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
        await send(message)

    return sending
