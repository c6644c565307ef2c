"""The door: each rule is broken alone, and nothing behind the door must see it."""

import asyncio
import json
from typing import Any

import pytest

from foretrace.errors import RefusedError, UsageError
from foretrace.serve.guard import Guard, Rules, is_loopback, new_token, rules_for

GOOD = {"host": "127.0.0.1:8000", "authorization": "Bearer secret"}
RULES = Rules(token="secret", max_body=100, body_seconds=0.2)


class Answer:
    def __init__(self, messages: list[dict[str, Any]], bodies: list[bytes]) -> None:
        self.status = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])
        self.seen = bodies


def ask(
    rules: Rules,
    headers: dict[str, str] | list[tuple[str, str]],
    *,
    method: str = "GET",
    path: str = "/v1/models",
    query: str = "",
    body: tuple[bytes, ...] = (b"",),
    ends: bool = True,
) -> Answer:
    """One request, and what the application behind the guard saw of it: the body, if it was called."""
    sent: list[dict[str, Any]] = []
    bodies: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert message["more_body"] is False
        bodies.append(message["body"])
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def run() -> None:
        pieces = [{"type": "http.request", "body": piece, "more_body": True} for piece in body]
        pieces[-1]["more_body"] = not ends
        pieces = pieces[::-1]

        async def receive() -> dict[str, Any]:
            if pieces:
                return pieces.pop()
            if not ends:
                await asyncio.sleep(5)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = headers.items() if isinstance(headers, dict) else headers
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
        }  # fmt: skip
        await Guard(app, rules)(scope, receive, send)

    asyncio.run(run())
    return Answer(sent, bodies)


def test_a_good_request_passes_with_its_body() -> None:
    answer = ask(RULES, GOOD, method="POST", body=(b"ab", b"", b"c"))
    assert (answer.status, answer.seen, answer.body) == (200, [b"abc"], b"ok")
    assert answer.headers["x-app"] == "1"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9", "127.0.0.1", "[::1]:8000", "[::1]", "localhost.:80", "127.0.0.1:1"]
)
def test_names_of_this_machine(host: str) -> None:
    assert ask(RULES, GOOD | {"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.com", "evil.com:8000", "127.0.0.1.evil.com", "localhost.evil.com", "10.0.0.1:8000", "", "[::2]", "x@localhost"],
)
def test_another_name_is_another_server(host: str) -> None:
    answer = ask(RULES, GOOD | {"host": host})
    assert (answer.status, answer.seen) == (403, [])
    assert json.loads(answer.body)["error"]["type"] == "permission_error"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_request_without_a_host_or_with_two() -> None:
    assert ask(RULES, {"authorization": "Bearer secret"}).status == 403
    assert ask(RULES, [*GOOD.items(), ("Host", "evil.com")]).status == 400
    assert ask(RULES, [*GOOD.items(), ("authorization", "Bearer other")]).status == 400


def test_open_to_a_network_any_address_is_a_name_but_no_other_name_is() -> None:
    rules = rules_for("0.0.0.0", port=1, token="secret")
    assert ask(rules, GOOD | {"host": "192.168.1.7:8000"}).status == 200
    assert ask(rules, GOOD | {"host": "[fe80::1]:8000"}).status == 200
    assert ask(rules, GOOD | {"host": "evil.com"}).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.com"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "http://localhost:8000"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
)
def test_other_pages_are_refused(headers: dict[str, str]) -> None:
    assert ask(RULES, GOOD | headers).status == 403


def test_its_own_pages_and_followed_links_are_not() -> None:
    assert (
        ask(RULES, GOOD | {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}, method="POST").status == 200
    )
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert ask(RULES, GOOD | link).status == 200
    assert ask(RULES, GOOD | link, method="POST").status == 403  # a form that another page sends


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Basic secret", "secret", "Bearer é"]
)
def test_without_the_token_nothing_is_seen(shown: str) -> None:
    answer = ask(RULES, GOOD | {"authorization": shown})
    assert (answer.status, answer.seen, answer.headers["www-authenticate"]) == (401, [], "Bearer")


def test_where_no_token_is_needed() -> None:
    host = {"host": "localhost"}
    assert ask(Rules(token=None), host).status == 200
    rules = Rules(token="secret", open_paths=("/health", "/static/"))
    assert [ask(rules, host, path=path).status for path in ("/health", "/static/a.js", "/healthy", "/static", "/")] == [
        200, 200, 401, 401, 401,
    ]  # fmt: skip
    assert ask(rules, {"host": "evil.com"}, path="/health").status == 403


def test_a_page_keeps_the_token_in_a_cookie() -> None:
    rules = rules_for("127.0.0.1", port=8000, token="secret", page=True)
    host = {"host": "127.0.0.1:8000"}
    entered = ask(rules, host, path="/debug", query="a=1&token=secret&b=%26")
    assert (entered.status, entered.headers["location"], entered.seen) == (303, "/debug?a=1&b=%26", [])
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert ask(rules, host | {"cookie": f"other=1; {cookie.split(';')[0]}"}).status == 200
    assert ask(rules, host | {"cookie": "foretrace_8000=wrong"}).status == 401
    assert ask(rules, host, query="token=wrong").status == 401
    assert ask(rules, host, query="token=secret", method="POST").status == 401
    assert ask(RULES, host, query="token=secret").status == 401  # no page, no cookie


@pytest.mark.parametrize("other", ['a={"x": 1}', "a=b c", "x[1]=2", 'a="', "=", "", "é=1", "notforetrace_8000=wrong"])
def test_cookies_of_other_ports_do_not_hide_its_own(other: str) -> None:
    rules = rules_for("127.0.0.1", port=8000, token="secret+/==", page=True)
    cookie = f"{other}; foretrace_8000=secret+/=="
    assert ask(rules, {"host": "127.0.0.1:8000", "cookie": cookie}).status == 200


def test_where_no_token_is_needed_a_page_keeps_none() -> None:
    rules = rules_for("127.0.0.1", port=8000, token=None, page=True)
    answer = ask(rules, {"host": "localhost"}, query="token=x%0d%0aset-cookie:%20evil=1")
    assert (answer.status, "set-cookie" in answer.headers) == (200, False)


def test_entering_leads_nowhere_else() -> None:
    rules = rules_for("127.0.0.1", port=8000, token="secret", page=True)
    answer = ask(rules, {"host": "localhost"}, path="//evil.com/x", query="token=secret")
    assert answer.headers["location"] == "/evil.com/x"


def test_a_body_that_is_too_long_is_not_read() -> None:
    answer = ask(RULES, GOOD | {"content-length": "101"}, method="POST")
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert ask(RULES, GOOD, method="POST", body=(b"x" * 60, b"x" * 41)).status == 413
    assert ask(RULES, GOOD, method="POST", body=(b"x" * 60, b"x" * 40)).status == 200
    assert ask(RULES, GOOD | {"content-length": "9" * 5000}, method="POST").status == 413


def test_a_body_that_is_too_slow_or_ends_early() -> None:
    assert ask(RULES, GOOD, method="POST", body=(b"x",), ends=False).status == 408

    async def leaving() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def run() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": [(k.encode(), v.encode()) for k, v in GOOD.items()],
        }
        await Guard(pytest.fail, RULES)(scope, leaving, send)  # type: ignore[arg-type]
        return sent

    assert asyncio.run(run())[0]["status"] == 400


def test_web_sockets_are_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(pytest.fail, RULES)({"type": "websocket"}, None, send))  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_without_a_token_only_where_nobody_else_can_reach() -> None:
    assert rules_for("127.0.0.1", port=1, token=None).token is None
    assert rules_for("::1", port=1, token="").token is None
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.com"):
        with pytest.raises(RefusedError, match="token"):
            rules_for(host, port=1, token=None)


def test_names_of_a_proxy_and_tokens_that_no_header_carries() -> None:
    rules = rules_for("127.0.0.1", port=1, token="secret", names=["Proxy.example"])
    assert ask(rules, GOOD | {"host": "proxy.example"}).status == 200
    for token in ("a b", "a;b", "é", "a\n"):
        with pytest.raises(UsageError, match="choose another"):
            rules_for("127.0.0.1", port=1, token=token)


def test_loopback_and_tokens() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.com", "")))
    assert len({new_token() for _ in range(50)}) == 50
    assert all(len(new_token()) == 32 for _ in range(5))
