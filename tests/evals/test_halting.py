"""Halting: that each call ends or does not is shown, that looks do not tell, and what answers are worth."""

import hashlib
import json
from random import Random

import pytest

from foretrace.evals.benchmarks.halting import HALTING, read_word
from foretrace.evals.synthetic.loops import FAMILIES, loop_program
from foretrace.evals.synthetic.recording import many_recordings
from foretrace.evals.synthetic.surface import accuracy
from foretrace.evals.synthetic.termination import find_cycle, is_plain, show_all
from foretrace.evals.types import Item, Options, Reason, Setting, Verdict
from foretrace.record import record_program
from foretrace.trace import Event, Limits, Trace, to_segments, to_text

PUBLISHED = "d9bcdc6b5a416111"
ENDLESS = "def f(n, m):\n    while n != m:\n        n = (n + 2) % 6\n    return n\n"


@pytest.fixture(scope="module")
def published() -> list[Item]:
    return HALTING.load(Options())


@pytest.fixture(scope="module")
def items(published: list[Item]) -> list[Item]:
    return published[:60]


def recorded(source: str, arguments: str, events: int = 200) -> Trace:
    return record_program(source, "f", arguments, Limits(max_events=events))


def score_of(item: Item, answer: str | None) -> Verdict:
    with HALTING.scorer(Setting()) as score:
        return score(item, answer)


def item_of(ends: bool, arguments: str = "1, 4") -> Item:
    return Item(id="x", row={"source": ENDLESS, "entry": "f", "arguments": arguments, "ends": ends, "proof": ""})


def test_calls_come_in_pairs_that_differ_in_what_they_do(items: list[Item]) -> None:
    for one, other in zip(items[::2], items[1::2], strict=True):
        assert one.row["source"] == other.row["source"]
        assert one.group == other.group
        assert {one.row["ends"], other.row["ends"]} == {True, False}
        assert one.row["arguments"] != other.row["arguments"]
        assert len(json.dumps(one.row["arguments"])) == pytest.approx(len(json.dumps(other.row["arguments"])), abs=4)
    assert len({item.row["source"] for item in items}) == len(items) / 2
    assert {item.tags["family"] for item in items} == set(FAMILIES)


def test_what_is_said_of_each_call_is_so(items: list[Item]) -> None:
    """Run far longer than when it was made: what ends has ended, and what does not is still at it."""
    for item in items:
        trace = recorded(item.row["source"], item.row["arguments"], 3000)
        assert (trace.result is not None) == item.row["ends"], item.row
        if item.row["proof"].startswith("line"):
            cycle = find_cycle(trace.frames, item.row["source"])
            assert cycle is not None
            period = cycle.again - cycle.first
            states = [frame.state for frame in trace.frames]
            after = range(cycle.first, len(states) - period)
            assert all(states[at] == states[at + period] for at in after)  # what was proved is what happens


def test_looks_do_not_tell(published: list[Item]) -> None:
    share = accuracy(
        [(item.row["source"], item.row["arguments"]) for item in published],
        [item.row["ends"] for item in published],
        [item.group for item in published],
    )
    assert share.total == 240
    assert share.interval[0] <= 0.5 <= share.interval[1], share.text()


def test_looks_that_do_tell_are_found_out() -> None:
    """The same classifier, on calls of which the longer ones end."""
    rng = Random(3)
    sources = [f"def f(n):\n    while n:\n        n = n - {rng.randint(1, 3)}\n" for _ in range(100)]
    calls = [(source, str(rng.randint(1, 99))) for source in sources]
    assert accuracy(calls, [len(text) > 1 for _, text in calls], [str(at) for at in range(100)]).value > 0.9


def test_gold_passes_wrong_fails_and_yes_is_half_right(items: list[Item]) -> None:
    for style in HALTING.styles.values():
        for control, right in (("gold", len(items)), ("wrong", 0), ("constant", len(items) // 2)):
            answers = [style.read(style.write(item.controls[control])) for item in items]
            assert answers == [item.controls[control] for item in items]
            verdicts = [score_of(item, answer) for item, answer in zip(items, answers, strict=True)]
            assert sum(v.strict for v in verdicts) == sum(v.official for v in verdicts) == right


def test_a_published_seed_gives_the_published_items(items: list[Item]) -> None:
    rows = json.dumps([item.row for item in items[:20]]).encode()
    assert hashlib.sha256(rows).hexdigest()[:16] == PUBLISHED
    assert HALTING.load(Options(count=3)) == items[:3]
    assert HALTING.load(Options(count=2, seed=1)) != items[:2]


def test_of_a_predicted_trace_its_end_or_its_cycle_is_the_answer() -> None:
    ended = to_text(to_segments(recorded(ENDLESS, "2, 4")))
    assert score_of(item_of(True, "2, 4"), ended).strict
    circling = to_text(to_segments(recorded(ENDLESS, "1, 4")))
    assert score_of(item_of(False), circling).strict
    assert score_of(item_of(True), circling).reason is Reason.WRONG
    cut = to_text(to_segments(recorded(ENDLESS, "1, 4", 4)))
    verdict = score_of(item_of(False), cut)
    assert (verdict.strict, verdict.official, verdict.reason) == (False, True, Reason.UNPARSABLE)
    assert not score_of(item_of(True), cut).official
    assert score_of(item_of(True), ended).detail == "no trace of this call"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[ANSWER]yes[/ANSWER]", "yes"),
        (" No.[/ANSWER]", "no"),
        ("thinking…\n[/THOUGHT]\n[ANSWER]\nNO\n[/ANSWER]", "no"),
        ("<think>[ANSWER]no[/ANSWER]</think>[ANSWER]yes[/ANSWER]", "yes"),
        ("<think>[ANSWER]no[/ANSWER]", None),
        ("The answer goes between [ANSWER] and [/ANSWER].\n[ANSWER]yes[/ANSWER]", "yes"),
        ("[ANSWER]yes and no[/ANSWER]", None),
        ("it goes on and on [/THOUGHT]", None),
        ("", None),
    ],
)
def test_the_word_is_read_and_nothing_else(text: str, word: str | None) -> None:
    assert read_word(text) == word


@pytest.mark.parametrize(
    "source",
    [
        "import random\ndef f(n):\n    while n:\n        n = random.randint(0, 1)\n",
        "def f(n):\n    while n:\n        n = n or g()\n",
        "def f(n, seen=[]):\n    while n not in seen:\n        seen.append(n)\n",
        "def f(n):\n    len = iter([1])\n    while n:\n        n = len(n)\n",
        "x = 1\ndef f(n):\n    while n:\n        n = x\n",
        "def f(n):\n    it = (x for x in range(9))\n    while n:\n        n = it.send(None)\n",
        "def f(n):\n    while n:\n        n = n.read()\n",
        "def f(n:\n",
    ],
)
def test_a_program_that_may_remember_or_draw_is_not_plain(source: str) -> None:
    assert not is_plain(source)


def test_a_state_within_a_for_loop_proves_nothing() -> None:
    """The same line, the same locals, and yet it ends: the iterator of `for` has moved on."""
    source = "def f(n):\n    for i in [1, 1, 1, 1]:\n        while n != 0:\n            n = 0\n        n = 1\n    return n\n"
    assert is_plain(source)
    trace = recorded(source, "1")
    assert trace.result == "1"
    heads = [frame.state for frame in trace.frames if frame.line == 3]
    assert heads[-1] in heads[:-1]
    assert find_cycle(trace.frames, source) is None


def test_a_line_within_a_statement_proves_nothing() -> None:
    """Python comes back to the first line of a call of several lines when its arguments are there."""
    for source in (
        "def f(n):\n    x = max(\n        n,\n        3)\n    return x\n",
        "def f(n):\n    while max(\n        n,\n        3) > 5:\n        n = 1\n    return n\n",
    ):
        assert is_plain(source)
        trace = recorded(source, "1")
        heads = [frame.state for frame in trace.frames if frame.line == 2 and frame.event is Event.LINE]
        assert trace.result is not None
        assert len(heads) > 1
        assert all(state == heads[0] for state in heads)
        assert find_cycle(trace.frames, source) is None


def test_values_that_are_not_shown_in_full_prove_nothing() -> None:
    source = "def f(s):\n    while s:\n        s = s + 'a'\n    return s\n"
    trace = recorded(source, "'a' * 3000", 60)
    assert "…" in trace.frames[-1].state["s"]
    assert find_cycle(trace.frames, source) is None


def test_every_family_makes_programs_that_run() -> None:
    with many_recordings() as box:
        for family in FAMILIES:
            programs = [(loop_program(Random(seed), family), Random(seed)) for seed in range(12)]
            shown = show_all([(program.source, program.draw(rng)) for program, rng in programs], box)
            assert sum(one is not None for one in shown) >= 8, family
            assert all(is_plain(program.source) for program, _ in programs)


def test_the_invariant_of_a_chase_is_right() -> None:
    for seed in range(40):
        rng = Random(seed)
        program = loop_program(rng, "chase")
        arguments = program.draw(rng)
        assert (recorded(program.source, arguments, 2000).result is None) == bool(program.never(arguments))
