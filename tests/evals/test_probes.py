"""Line probes: that each answer is so, and how answers in words and traces are judged."""

import hashlib
import json
from collections import Counter
from random import Random

import pytest

from foretrace.evals.benchmarks.probes import PROBES
from foretrace.evals.synthetic.probing import COVERAGE, EXCEPTION, KINDS, OUTPUT, PATH, STATE, Probe, answer_in, probes_of
from foretrace.evals.types import Item, Options, Reason, Setting, Verdict
from foretrace.record import record_program
from foretrace.trace import to_segments, to_text

SOURCE = """def f(xs):
    total = 0
    for x in xs:
        if x > 2:
            total += x
        else:
            total -= 1
    return total
"""
REAL = record_program(SOURCE, "f", "[1, 5]")
PUBLISHED = "c536336438a1eed1"


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return PROBES.load(Options(count=100))


def judged(item: Item, answer: str | None) -> Verdict:
    with PROBES.scorer(Setting(isolation="process")) as score:
        return score(item, answer)


def probe_item(probe: Probe, answer: str) -> Item:
    row = {"source": SOURCE, "entry": "f", "arguments": "[1, 5]", "probe": probe.to_dict(), "answer": answer}
    return Item(id="x", row=row)


@pytest.mark.parametrize(
    ("probe", "answer"),
    [
        (Probe(kind=COVERAGE, line=5), "yes"),
        (Probe(kind=COVERAGE, line=1), "no"),  # it is defined, not run
        (Probe(kind=PATH, line=4, time=1), "7"),
        (Probe(kind=PATH, line=4, time=2), "5"),
        (Probe(kind=PATH, line=4, time=3), None),
        (Probe(kind=STATE, line=7, time=1, variable="total"), "-1"),
        (Probe(kind=STATE, line=3, time=2, variable="x"), "5"),
        (Probe(kind=STATE, line=3, time=1, variable="y"), None),
        (Probe(kind=OUTPUT), "4"),
        (Probe(kind=EXCEPTION), "none"),
    ],
)
def test_answers_are_read_off_a_trace(probe: Probe, answer: str | None) -> None:
    assert answer_in(REAL, probe) == answer


def test_an_exception_is_known_by_its_class() -> None:
    raising = record_program("def f(x):\n    return [][x]\n", "f", "1")
    assert answer_in(raising, Probe(kind=EXCEPTION)) == "IndexError"
    assert answer_in(raising, Probe(kind=OUTPUT)) is None


def test_what_is_made_is_of_all_kinds_and_its_answers_are_so(items: list[Item]) -> None:
    assert Counter(item.tags["probe"] for item in items) == dict.fromkeys(KINDS, 20)
    for kind in (COVERAGE, EXCEPTION):
        answers = [item.row["answer"] in ("yes", "none") for item in items if item.tags["probe"] == kind]
        assert sum(answers) == 10
    for item in items:
        row = item.row
        real = record_program(row["source"], row["entry"], row["arguments"])
        assert answer_in(real, Probe(**row["probe"])) == row["answer"]
        assert judged(item, to_text(to_segments(real))).strict


def test_a_line_that_is_said_not_to_run_does_not(items: list[Item]) -> None:
    """By a mark that each statement leaves, not by the events that the probe was made of."""
    for item in items:
        if item.tags["probe"] == COVERAGE:
            row = item.row
            lines = row["source"].split("\n")
            at = row["probe"]["line"] - 1
            indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            marked = "\n".join([*lines[:at], f"{indent}MARKS.append(1)", *lines[at:]])
            marks: list[int] = []
            space: dict[str, object] = {"MARKS": marks}
            exec(marked, space)  # a program of our own
            try:
                eval(f"{row['entry']}({row['arguments']})", space)
            except Exception:  # some end with one
                pass
            assert bool(marks) == (row["answer"] == "yes"), row


def test_a_published_seed_gives_the_published_items(items: list[Item]) -> None:
    rows = json.dumps([item.row for item in items[:20]]).encode()
    assert hashlib.sha256(rows).hexdigest()[:16] == PUBLISHED
    assert PROBES.load(Options(count=5)) == items[:5]
    assert PROBES.load(Options(count=5, seed=1)) != items[:5]


def test_gold_passes_and_wrong_fails_in_every_style(items: list[Item]) -> None:
    for style in PROBES.styles.values():
        for control, right in (("gold", True), ("wrong", False)):
            for item in items:
                answer = style.read(style.write(item.controls[control]))
                assert answer == item.controls[control]
                verdict = judged(item, answer)
                assert (verdict.strict, verdict.official) == (right, right), (item.row, control)


@pytest.mark.parametrize(
    ("probe", "expected", "answer", "strict", "official"),
    [
        (Probe(kind=PATH, line=4, time=1), "7", "line 7", False, True),
        (Probe(kind=PATH, line=4, time=1), "7", "7", True, True),
        (Probe(kind=PATH, line=4, time=1), "7", "7 or 8", False, False),
        (Probe(kind=PATH, line=4, time=1), "7", "17", False, False),
        (Probe(kind=EXCEPTION), "IndexError", "IndexError('list index out of range')", False, True),
        (Probe(kind=EXCEPTION), "IndexError", "indexerror", False, True),
        (Probe(kind=EXCEPTION), "none", "None", True, True),
        (Probe(kind=EXCEPTION), "none", "IndexError", False, False),
        (Probe(kind=COVERAGE, line=5), "yes", "Yes.", True, True),
        (Probe(kind=COVERAGE, line=5), "yes", "yes, no", False, False),
        (Probe(kind=STATE, line=7, time=1, variable="total"), "-1", "-1.0", False, True),
        (Probe(kind=STATE, line=7, time=1, variable="total"), "-1", "-1 or True", False, False),
        (Probe(kind=OUTPUT), "4", "2 * 2", False, True),
        (Probe(kind=OUTPUT), "4", "f([1, 5])", False, False),
    ],
)
def test_answers_in_words(probe: Probe, expected: str, answer: str, strict: bool, official: bool) -> None:
    verdict = judged(probe_item(probe, expected), answer)
    assert (verdict.strict, verdict.official) == (strict, official)
    assert verdict.counts == {probe.kind: (int(strict), 1)}


def test_a_trace_that_gives_no_answer_is_unparsable() -> None:
    item = probe_item(Probe(kind=OUTPUT), "4")
    cut = to_text(to_segments(REAL)).removesuffix("<|end_of_text|>")
    for answer in (None, cut, "<|begin_of_text|>", to_text(to_segments(record_program(SOURCE, "f", "[4]")))):
        assert judged(item, answer).reason is Reason.UNPARSABLE


def test_a_step_is_asked_where_a_step_answers(items: list[Item]) -> None:
    for item in items:
        question = PROBES.styles["step"].ask(item)
        assert question.trace == ("next" if item.tags["probe"] in (PATH, STATE) else "trace")
        assert item.row["answer"] not in ("yes", "no") or not question.history


def test_questions_hold_no_answer() -> None:
    """The same question, whatever is expected."""
    probe = probes_of(REAL, Random(1), covered=True, raises=False)[STATE]
    for name in ("direct", "cot", "trace"):
        ask = PROBES.styles[name].ask
        assert ask(probe_item(probe, "'secret'")) == ask(probe_item(probe, "'other'"))
