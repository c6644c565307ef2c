"""`attempt`: many versions of files, each judged by the tests."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import time
from typing import Any

from .replacing import Called, UnfitError, changes, functions_of
from .session import PLAIN, ROOT, Record, Session, Tell, child, collect, limit_processor, processor_seconds

_BAD = 2
"""Failures after which a version is given up."""
_IMPORTING = 5.0
"""Seconds of the processor that importing the tree and collecting tests may take."""


def attempt(settings: Record, tell: Tell) -> None:
    """Versions in order, until one passes everything, the time is over, or none is left."""
    for name in settings["modules"]:
        with contextlib.suppress(BaseException):
            importlib.import_module(name)
    server, until = _Server(settings), time.monotonic() + 8 * settings["seconds"]
    for version in settings["versions"]:
        if time.monotonic() > until or processor_seconds() + server.used > settings["seconds"]:
            break
        began, is_quick = time.perf_counter(), bool(version["segment"] and settings["quick"])
        if is_quick:
            server.start()
        with _Written(version):
            found = (server.ask(version) if is_quick else None) or _imported(settings)
        tell({"id": version["id"], "took": round(time.perf_counter() - began, 5), **found})
        if found["all"]:
            break
    tell({"used": round(processor_seconds() + server.used, 3)})
    server.close()


class _Written:
    """A version on the disk, for what starts processes and for what imports it; then what was there before."""

    def __init__(self, version: Record) -> None:
        self._path = ROOT + version["path"]
        self._after = version["after"].encode("utf-8", "surrogateescape")
        with open(self._path, "rb") as file:
            self._before = file.read()

    def __enter__(self) -> None:
        self._write(self._after)

    def __exit__(self, *_: object) -> None:
        self._write(self._before)

    def _write(self, data: bytes) -> None:
        with open(self._path, "wb") as file:
            file.write(data)


def _judge(session: Session, items: list[Any], settings: Record, tell: Tell) -> None:
    """The wanted tests first, a few failures at most; if they pass, all others that did before."""
    by_id = {item.nodeid: item for item in items}
    for part in ("wanted", "others"):
        names, bad = settings[part], 0
        if part == "others" and not settings["wanted"]:
            names = list(by_id)  # nothing could be imported before: whatever can be now has to pass
        for at, name in enumerate(names):
            record: Record = {"test": name, "outcome": "failed", "error": "absent", "message": "", "places": []}
            if name in by_id:
                record = session.run(by_id[name], by_id.get(names[at + 1]) if at + 1 < len(names) else None)
            tell({**record, "part": part})
            bad += record["outcome"] != "passed"
            if bad >= _BAD or (bad and part == "others"):
                return
        if bad:
            return
        limit_processor(settings["limit"])
    tell({"end": True})


def _verdict(records: list[Record], ended: bool) -> Record:
    failed = [r for r in records if r.get("outcome", "passed") != "passed"]
    first = failed[0] if failed else {"error": "" if ended else "timeout"}
    return {
        "all": ended and not failed and bool(records) and "end" in records[-1],
        "passed": sum(r["outcome"] == "passed" for r in records if r.get("part") == "wanted"),
        "others": any(r.get("part") == "others" for r in records),
        **{name: first.get(name, "") for name in ("error", "message", "test")},
    }


def _imported(settings: Record) -> Record:
    """Tries what is on the disk: first with the file of the first wanted test alone, then with all files."""
    first = settings["wanted"][:1]
    narrow = [*settings["options"], *(name.split("::")[0] for name in first)]
    patience = _IMPORTING + settings["patience"]
    stages = [(narrow, {**settings, "wanted": first, "others": []}, patience)] if first else []
    stages.append((settings["arguments"], settings, patience + settings["limit"]))
    found: Record = {}
    for arguments, tests, seconds in stages:

        def work(tell: Tell, arguments: list[str] = arguments, tests: Record = tests) -> None:
            collect(arguments, lambda session, items: _judge_collected(session, items, tests, tell), PLAIN)

        found = _verdict(*child(work, seconds))
        if not found["all"]:
            break
    return {**found, "quick": False}


def _judge_collected(session: Session, items: list[Any], settings: Record, tell: Tell) -> None:
    """The same as `_judge`, but a file that could be imported before and cannot now is a failure, too."""
    new = [name for name in session.uncollected if name not in settings["uncollected"]]
    if not new:
        _judge(session, items, settings, tell)
        return
    text = session.uncollected[new[0]].strip().split("\n")[-1]
    tell({"test": new[0], "outcome": "failed", "error": "collection", "message": text, "part": "wanted"})


class _Server:
    """A process that has collected all tests of the tree as it is, and forks for each version."""

    def __init__(self, settings: Record) -> None:
        self._settings = settings
        self._process = 0
        self._gone = False
        self.used = 0.0
        """Seconds of the processor."""

    def start(self) -> None:
        """Begins, at the first call, and waits until the tree is imported: the next version is written then."""
        if self._process:
            return
        asked, ask = os.pipe()
        answered, answer = os.pipe()
        self._process = os.fork()
        if not self._process:
            os.close(ask)
            os.close(answered)
            try:
                self._serve(os.fdopen(asked, "r"), os.fdopen(answer, "w"))
            finally:
                os._exit(0)
        os.close(asked)
        os.close(answer)
        self._to, self._from = os.fdopen(ask, "w"), os.fdopen(answered, "r")
        self._gone = not self._from.readline()

    def ask(self, version: Record) -> Record | None:
        """What became of a version; None: it has to be tried in another way."""
        if self._gone:
            return None
        try:
            self._to.write(json.dumps(version) + "\n")
            self._to.flush()
            answer = self._from.readline()
        except OSError:
            answer = ""
        if not answer:
            self._gone = True
            return None
        found: Record = json.loads(answer)
        self.used = found.pop("used")
        return found if "all" in found else None

    def close(self) -> None:
        """Ends it."""
        if self._process:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)

    def _serve(self, asked: Any, answer: Any) -> None:
        settings = self._settings
        files = {ROOT + path for path in settings["files"]}
        called = Called(files)
        called.start()

        def work(session: Session, items: list[Any]) -> None:
            called.stop()
            fit = bool(settings["wanted"]) and set(settings["wanted"]) <= {item.nodeid for item in items}
            functions = functions_of(files)
            gc.collect()
            gc.freeze()  # what exists is not copied in each fork when garbage is collected
            answer.write("ready\n")
            answer.flush()
            for line in asked:
                found: Record = {}
                with contextlib.suppress(UnfitError, SyntaxError, ValueError):
                    if fit:
                        found = self._forked(session, items, changes(functions, json.loads(line), called))
                answer.write(json.dumps({**found, "used": processor_seconds()}) + "\n")
                answer.flush()

        collect(settings["arguments"], work, PLAIN)

    def _forked(self, session: Session, items: list[Any], new: list[tuple[Any, Any]]) -> Record:
        def work(tell: Tell) -> None:
            for function, code in new:
                function.__code__ = code
            _judge(session, items, self._settings, tell)

        return {**_verdict(*child(work, self._settings["patience"])), "quick": True}
