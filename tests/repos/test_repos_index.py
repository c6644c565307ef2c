"""Releases of a package index, from a real server of one package; and runs of tests, compared."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from foretrace.errors import UsageError
from foretrace.repos import index
from foretrace.repos.attempt import TestLimits, judge
from foretrace.repos.sources import fetch, read_source
from foretrace.repos.testing import Outcome, TestRun
from foretrace.repos.verify import combine
from foretrace.sandbox.environment import Status


@dataclass
class Index:
    """What the server has, and what it was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, path: str) -> bytes | None:
        if path == "/simple/some-thing/":
            files = [
                {
                    "filename": name,
                    "url": f"../../files/{name}",
                    "hashes": {"sha256": self.hashes[name]},
                    "upload-time": "2024-01-02T03:04:05Z",
                }
                for name in self.files
            ]
            return json.dumps({"name": "some-thing", "files": files}).encode()
        return self.files.get(path.removeprefix("/files/"))

    def add(self, name: str, data: bytes, digest: str = "") -> None:
        self.files[name], self.hashes[name] = data, digest or hashlib.sha256(data).hexdigest()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    content = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content.asked.append((self.path, self.headers.get("Authorization", "")))
            data = content.answer(self.path)
            self.send_response(404 if data is None else 200)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:secret@127.0.0.1:{server.server_port}/simple")
    for cached in (index._index, index._settings):
        cached.cache_clear()
    yield content
    server.shutdown()
    for cached in (index._index, index._settings):
        cached.cache_clear()


def test_a_release_is_found_and_compared_with_its_hash(served: Index, tmp_path: Path) -> None:
    served.add("some_thing-1.0-py3-none-any.whl", b"wheel")
    served.add("some_thing-1.0.zip", b"zip")
    served.add("some_thing-1.0.tar.gz", b"sdist")
    served.add("some_thing-1.0.1.tar.gz", b"later")
    found = index.find_sdist("Some.Thing", "1.0")
    assert (found.name, found.uploaded) == ("some_thing-1.0.tar.gz", "2024-01-02T03:04:05Z")
    assert "secret" not in found.url.partition("@")[2]
    path = index.download(found, tmp_path)
    asked = len(served.asked)
    assert index.download(found, tmp_path).read_bytes() == b"sdist"
    assert len(served.asked) == asked
    assert served.asked[0][1].startswith("Basic ")
    path.write_bytes(b"damaged")
    assert index.download(found, tmp_path).read_bytes() == b"sdist"


def test_what_is_not_there_or_not_what_it_should_be(served: Index, tmp_path: Path) -> None:
    served.add("some_thing-1.0-py3-none-any.whl", b"wheel")
    served.add("some_thing-2.0.tar.gz", b"other", "0" * 64)
    with pytest.raises(UsageError, match="no source distribution"):
        index.find_sdist("some-thing", "1.0")
    with pytest.raises(UsageError, match=r"404.*is the name right\?"):
        index.find_sdist("other", "1.0")
    with pytest.raises(UsageError, match="SHA-256") as told:
        fetch(read_source("some-thing==2.0"), tmp_path / "x", tmp_path / "cache")
    assert "secret" not in str(told.value)
    assert not list((tmp_path / "cache").rglob("*.tar.gz"))


def run(**outcomes: str) -> TestRun:
    """A run of tests `a` to `z` in one file; in names, `_1` is the parameter `[1]`."""
    names = {
        f"t.py::{name[0]}[{name[2:]}]" if "_" in name else f"t.py::{name}": Outcome(end) for name, end in outcomes.items()
    }
    return TestRun(outcomes=names, code=0, seconds=1.0, status=Status.OK, durations=dict.fromkeys(names, 0.5))


def test_tests_that_do_not_end_alike_are_flaky() -> None:
    first = run(a="passed", b="passed", c_1="passed", c_2="passed", d="skipped", e="failed")
    checked = combine([first, run(a="passed", b="failed", c_1="passed", c_3="passed", d="skipped", e="failed")])
    assert {name for name, test in checked.tests.items() if test.flaky} == {
        "t.py::b",
        "t.py::c[1]",
        "t.py::c[2]",
        "t.py::c[3]",
    }
    assert checked.passing == 1
    assert checked.share == 3 / 5
    assert checked.tests["t.py::a"].seconds == 0.5


def test_what_is_good_enough() -> None:
    limits = TestLimits(least=0.8)
    good = run(a="passed", b="passed", c="passed", d="passed", e="failed", f="skipped")
    assert judge(combine([good]), limits) == ""
    assert judge(combine([good]), TestLimits(least=0.9)) == "80% of its tests pass, and 90% must"
    assert judge(combine([good, run(a="passed", b="failed")]), limits).startswith("50%")
    assert judge(combine([run(a="skipped")]), limits) == "no test passes: there are none"
    doubtful = TestRun(outcomes=good.outcomes, code=0, seconds=1, status=Status.OK, doubts=("x was replaced",))
    assert judge(combine([good, doubtful]), limits) == "the results cannot be believed: x was replaced"
    cut = TestRun(outcomes=good.outcomes, code=0, seconds=1, status=Status.TIMEOUT, ended="timeout")
    assert judge(combine([good, cut]), limits) == "its tests end early in one of the runs: timeout"
    assert judge(combine([cut]), limits) == "its tests end early: timeout"
