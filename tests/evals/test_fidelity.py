"""Trace fidelity, on an engine whose errors are known."""

import io
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

from replay import ReplayEngine

from foretrace.corpus import synthesise
from foretrace.evals import Case, held_out_cases
from foretrace.evals.benchmarks.fidelity import FIDELITY, HISTORY, item_of, load, measure
from foretrace.evals.documents import frames_of, read_trace
from foretrace.evals.fidelity import compare_run, compare_steps, step_kinds
from foretrace.evals.subjects.traces import answer_traces
from foretrace.evals.types import Benchmark, Options, Reason, Sampling, Setting, Verdict
from foretrace.record import record_program
from foretrace.trace import Trace, to_binary, to_segments, to_text, write_jsonl

SOURCE = "def f(n):\n    a = n + 1\n    b = a * 2\n    return b\n"
REAL = record_program(SOURCE, "f", "3")
CASE = Case("one", SOURCE, "f", "3", REAL, "8")


def judged(
    benchmark: Benchmark, damage: dict[str, str] | None = None, max_tokens: int = 3072, real: Trace = REAL
) -> Verdict:
    [style] = [style for name, style in benchmark.styles.items() if name != "grammar"]
    item = item_of("one", real)
    [answer] = answer_traces(ReplayEngine([real], damage=damage), [style.ask(item)], Sampling(max_tokens=max_tokens))
    with benchmark.scorer(Setting()) as score:
        return score(item, style.read(answer.text))


def test_a_perfect_engine_scores_full_marks() -> None:
    shares = {name: share.value for name, share in measure(ReplayEngine([REAL]), [CASE]).items()}
    assert shares == dict.fromkeys(
        (
            *("valid format", "output", "state", "action", "whole trace"),
            *("state (true history)", "action (true history)", "whole trace (true history)"),
        ),
        1.0,
    )
    for benchmark in (FIDELITY, HISTORY):
        verdict = judged(benchmark)
        assert (verdict.strict, verdict.official, verdict.reason) == (True, True, Reason.RIGHT)


def test_each_mistake_is_counted_where_it_belongs() -> None:
    wrong_state = {'"a": "4"': '"a": "5"'}
    free, history = judged(FIDELITY, wrong_state), judged(HISTORY, wrong_state)
    assert (free.strict, free.official, free.reason) == (False, True, Reason.WRONG)
    assert free.extra["first error"] == 2
    assert free.extra["divergence"] == "value"
    # in a free run `..` of the next frame repeats the mistake; with the true history it does not
    assert [free.counts[name] for name in ("state", "action", "output", "valid format")] == [(2, 4), (4, 4), (1, 1), (1, 1)]
    assert [history.counts[name] for name in ("state", "action", "output")] == [(3, 4), (4, 4), (1, 1)]
    wrong_value = judged(FIDELITY, {'"8"': '"9"'})
    assert (wrong_value.official, wrong_value.extra["divergence"]) == (False, "value")
    assert wrong_value.counts["output"] == (0, 1)
    wrong_line = judged(HISTORY, {"a * 2\n": "a * 3\n"})
    assert (wrong_line.counts["action"], wrong_line.counts["state"]) == ((3, 4), (4, 4))


def test_what_is_cut_or_malformed_has_no_valid_format() -> None:
    cut = judged(FIDELITY, max_tokens=20)
    assert (cut.strict, cut.official, cut.reason, cut.counts["valid format"]) == (False, False, Reason.UNPARSABLE, (0, 1))
    assert "cut" in cut.detail
    malformed = judged(FIDELITY, {'{"n": "..", "a": "4"}': '{"n": "..", "a": 4}'})
    assert (malformed.reason, malformed.counts["valid format"]) == (Reason.UNPARSABLE, (0, 1))
    assert malformed.counts["state"] == (1, 4)  # what came before counts
    with FIDELITY.scorer(Setting()) as score:
        other = to_text(to_segments(record_program(SOURCE, "f", "4")))
        assert score(item_of("one", REAL), other).detail == "no trace of this call"
        assert score(item_of("one", REAL), None).reason is Reason.UNPARSABLE


def test_steps_are_told_apart_by_what_is_new_and_what_ran() -> None:
    source = "def f(xs):\n    t = ''\n    for x in xs:\n        t += str(x)\n    return [t]\n"
    kinds = step_kinds(record_program(source, "f", "[1]"))
    assert kinds == [
        ("of list", "after call"),
        ("after def",),
        ("of str", "after assignment"),
        ("of int", "after for"),
        ("of str", "after augmented assignment"),
        ("after for",),
        ("of list", "after return"),
    ]
    verdict = judged(FIDELITY, real=record_program(source, "f", "[1]"))
    assert verdict.counts["state of str"] == (2, 2)
    assert verdict.counts["state after augmented assignment"] == (1, 1)


def test_a_frame_that_is_missing_is_wrong() -> None:
    [_, *some] = frames_of(to_text(to_segments(REAL)))
    assert compare_steps([[], *some[:2]], REAL).counts["state"] == (2, 4)
    assert compare_run(None, REAL).counts["whole trace"] == (0, 1)


@pytest.mark.parametrize("benchmark", [FIDELITY, HISTORY])
def test_gold_passes_and_wrong_fails(benchmark: Benchmark) -> None:
    items = load(Options(count=12))
    style = next(iter(benchmark.styles.values()))
    with benchmark.scorer(Setting()) as score:
        for item in items:
            for control, right in (("gold", True), ("wrong", False)):
                answer = style.read(style.write(item.controls[control]))
                assert answer == item.controls[control]
                verdict = score(item, answer)
                assert (verdict.strict, verdict.official) == (right, right), (item.id, control)


def test_reality_is_read_as_a_prediction_is() -> None:
    """The recorder knows at which of two equal lines it was; a text does not say, and who writes all of it is right."""
    program = synthesise(1125899906842777)
    real = record_program(program.source, program.entry, program.arguments)
    written = read_trace(to_text(to_segments(real)))
    assert written is not None
    assert [frame.line for frame in written.frames] != [frame.line for frame in real.frames]
    with FIDELITY.scorer(Setting()) as score:
        item = item_of("equal lines", real)
        assert score(item, item.controls["gold"]).strict


def test_items_are_the_same_again_and_fewer_are_the_first_of_more() -> None:
    assert load(Options(count=3)) == load(Options(count=4))[:3]
    assert load(Options(count=1, seed=5)) != load(Options(count=1))


def test_recordings_of_real_functions_are_items(tmp_path: Path) -> None:
    (tmp_path / "a.ftb").write_bytes(to_binary([REAL]))
    text = io.StringIO()
    write_jsonl(record_program("def g(x):\n    return x.upper()\n", "g", "'a' * 2"), text)
    (tmp_path / "b.jsonl").write_text(text.getvalue())
    (tmp_path / "c.jsonl").write_text('{"id": "sample_0"}\n')
    items = load(Options(paths=(str(tmp_path),)))
    assert [item.id for item in items] == ["a.ftb#0", "b.jsonl#0"]
    [question] = [FIDELITY.styles["trace"].ask(item) for item in items[1:]]
    assert question.call is None  # its argument is no literal
    trace = read_trace(question.history)
    assert trace is not None
    assert trace.frames[0].state == {"x": "'aa'"}


def test_held_out_cases_are_reproducible_and_return() -> None:
    first, again = held_out_cases(3), held_out_cases(3)
    assert [c.source for c in first] == [c.source for c in again]
    assert all(c.real.result == c.expected for c in first)


def test_programs_that_text_cannot_tell_are_replaced_by_later_ones() -> None:
    first, second, third = held_out_cases(3)
    taken = held_out_cases(2, fits=lambda real: real != first.real)
    assert [case.name for case in taken] == [second.name, third.name]
    assert len(load(Options(count=60))) == 60
