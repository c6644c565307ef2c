"""A move as events: progress while it lasts, pausing it, nobody listening, and one move at a time."""

import asyncio
import json
from collections.abc import Coroutine
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from browsing import server

from foretrace.debug import Session, Settings, open_session
from foretrace.engine import ReplayPredictor
from foretrace.record.program import record_program
from foretrace.serve.problem import Problem
from foretrace.trace import Limits, Trace
from foretrace.web.arguments import Arguments
from foretrace.web.moves import events
from foretrace.web.running import Running
from foretrace.web.sessions import MAX_WAITING, Entry, Store, Turn

LONG = "def f(n):\n    i = 0\n    while i < n:\n        i += 1\n    return i\n"


@pytest.fixture(scope="module")
def trace() -> Trace:
    return record_program(LONG, "f", "40000", Limits(max_events=200_000, max_bytes=10**9, seconds=60))


@pytest.fixture
def session(trace: Trace) -> Session:
    return open_session(ReplayPredictor(trace), LONG, "f", "40000", settings=Settings(budget=10**8))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def move(entry: Entry, verb: str, **given: Any) -> Any:
    return events(entry, verb, Arguments(given), Running())


def test_a_long_move_tells_how_far_it_is_and_can_be_paused(session: Session) -> None:
    async def work() -> None:
        entry = Entry("x", session)
        told = []
        async for event in move(entry, "run"):
            told.append(event)
            entry.is_paused = True
        assert told[0].startswith(b"event: progress\ndata: {")
        assert told[-1].startswith(b"event: view")
        assert b'"reason": "pause"' in told[-1]
        assert 1 < len(session.branch.timeline) < 80_000

    run(work())


def test_a_move_that_nobody_listens_to_ends(session: Session) -> None:
    async def work() -> None:
        entry = Entry("x", session)
        going = move(entry, "run")
        await anext(going)
        await going.aclose()
        known = len(session.branch.timeline)
        assert known < 80_000
        assert session.on_step is None
        last = [event async for event in move(entry, "seek", position=3)][-1]
        assert b'"position": 3' in last
        assert len(session.branch.timeline) == known, "it had really ended"

    run(work())


def test_a_move_that_is_cancelled_leaves_nothing_waiting(session: Session) -> None:
    async def work() -> None:
        entry, before = Entry("x", session), asyncio.all_tasks()
        listening = asyncio.ensure_future(anext(move(entry, "run")))
        await asyncio.sleep(0.02)  # before the first sign of progress
        listening.cancel()
        await asyncio.wait({listening})
        assert listening.cancelled()
        assert asyncio.all_tasks() == before

    run(work())


def test_a_browser_that_goes_away_ends_its_move() -> None:
    with server("--model", "oracle:err=0", "--max-events", "100000", "--budget", "9999k", "--token", "t") as address:
        host, port = address.split("/")[2].split(":")

        def ask(method: str, path: str, **body: Any) -> HTTPResponse:
            connection = HTTPConnection(host, int(port), timeout=60)
            connection.request(method, path, json.dumps(body), {"authorization": "Bearer t"})
            return connection.getresponse()

        name = json.load(ask("POST", "/api/sessions", source=LONG, entry="f", arguments="45000"))["id"]
        moving = ask("POST", f"/api/sessions/{name}/do", verb="run")
        assert moving.readline() == b"event: progress\n"
        moving.close()
        known = [json.load(ask("GET", f"/api/sessions/{name}"))["view"]["summary"]["steps"] for _ in range(2)]
        assert 1 < known[0] == known[1] < 90_000


def test_moves_of_one_session_take_turns(session: Session) -> None:
    async def one(entry: Entry) -> None:
        async for _ in move(entry, "step"):
            pass

    async def work() -> None:
        entry = Entry("x", session)
        await asyncio.gather(*(one(entry) for _ in range(10)))
        assert session.position == 10

    run(work())


def test_a_queue_is_short() -> None:
    async def wait(turn: Turn) -> None:
        async with turn:
            await asyncio.sleep(0.05)

    async def work() -> None:
        turn = Turn()
        waiting = [asyncio.create_task(wait(turn)) for _ in range(MAX_WAITING + 1)]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="busy"):
            async with turn:
                pass
        await asyncio.gather(*waiting)

    run(work())


def test_a_session_that_must_go_is_paused(session: Session) -> None:
    store = Store(limit=1)
    first = store.add(session)
    store.add(session)
    assert first.is_paused
    assert len(store) == 1
