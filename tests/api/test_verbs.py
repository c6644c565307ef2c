"""The Python API as its documentation shows it: load, predict, debug, score, diff; with an oracle and the packaged model."""

from pathlib import Path

import pytest

import foretrace as ft
from foretrace.api.model import runner
from foretrace.errors import UsageError
from foretrace.trace import Limits, Outcome, read_jsonl, write_jsonl

LETTERS = """def count_letters(s, letter):
    n = 0
    for c in s:
        n += int(c == letter)
    return n


def f(c):
    word = "berry"
    num = count_letters(word, c)
    return f"Found {num:04d}"
"""
LOOKUP = "def g(d, k):\n    x = d[k]\n    return x + 1\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("programs") / "letters.py"
    path.write_text(LETTERS)
    return str(path)


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("programs") / "lookup.py"
    path.write_text(LOOKUP)
    return f"{path}::g"


@pytest.fixture(scope="module")
def oracle() -> ft.Model:
    return ft.load("oracle:err=0.1,seed=7,kinds=value")


@pytest.fixture(scope="module")
def tiny() -> ft.Model:
    return ft.load("tiny")


def test_a_prediction_is_a_trace_like_a_recording(oracle: ft.Model, file: str) -> None:
    predicted, real = oracle.predict(f"{file}::f", c="r"), ft.record(f"{file}::f", c="r")
    assert isinstance(predicted, ft.Trace)
    assert predicted.header.kind == "predicted"
    assert predicted.header.path == file
    assert predicted.header.arguments == real.header.arguments == {"c": "'r'"}
    assert (predicted.result, predicted.exception) == ("'Found 0002'", None)
    difference = ft.diff(predicted, real)
    assert (difference.first.step, difference.first.kind, difference.first.variable) == (12, "value", "letter")


def test_a_prediction_can_be_written_and_read(oracle: ft.Model, file: str, tmp_path: Path) -> None:
    predicted = oracle.predict(f"{file}::f", "r")
    with (tmp_path / "out.jsonl").open("w") as written:
        write_jsonl(predicted, written)
    [read] = read_jsonl((tmp_path / "out.jsonl").read_text().splitlines(keepends=True))
    assert read.frames == predicted.frames
    assert ft.diff(predicted, read).agrees


def test_values_before_and_after_a_line(oracle: ft.Model, file: str) -> None:
    predicted = oracle.predict(f"{file}::f", arguments="c='r'")
    step = predicted.at(line=4, visit=3)
    assert (step.before["n"], step.after["n"], step.frame.line, step.position) == ("0", "1", 4, 10)
    assert predicted.at(10).after["num"] == "2"  # the call between is left out
    assert predicted.step(len(predicted) - 1).after == {}
    assert step.after["n"].literal() == 1
    assert step.after["n"].dots in ("●○○", "●●○", "●●●")
    assert step.after["n"].sure is None
    assert repr(step.after["n"]) == "Predicted('1')"
    with pytest.raises(UsageError, match="line 4 runs 5 times"):
        predicted.at(4, 6)
    with pytest.raises(UsageError, match="line 6 runs 0 times"):
        predicted.at(6)


def test_what_is_no_literal_is_only_a_text() -> None:
    with pytest.raises(UsageError, match="only its text is known"):
        ft.Predicted("<Node value=3>").literal()


def test_a_calibrated_model_knows_how_sure_it_is(tiny: ft.Model, lookup: str) -> None:
    predicted = tiny.predict(lookup, {"a": 1, "b": 2}, "x", max_tokens=400)
    value = predicted.result or predicted.exception
    assert value is not None
    assert 0 < value.sure < 1
    assert f"sure={value.sure:.2f}" in repr(value)
    others = value.others
    assert others
    assert value not in [other.text for other in others]
    assert [o.probability for o in others] == sorted((o.probability for o in others), reverse=True)
    assert value.sure + sum(other.probability for other in others) <= 1 + 1e-9
    assert value.to_dict() == {
        "text": str(value), "sure": value.sure, "dots": value.dots, "others": [[o.text, o.probability] for o in others],
    }  # fmt: skip


def test_what_is_given_is_not_judged(tiny: ft.Model, lookup: str) -> None:
    given = tiny.predict(lookup, {"a": 1}, "a", max_tokens=200).step(0).before["d"]
    assert (given, given.sure, given.dots, given.others) == ("{'a': 1}", None, "", [])


def test_an_exception_that_could_come_instead(tiny: ft.Model, lookup: str) -> None:
    doubts = tiny.predict(lookup, {"a": 1, "b": 2}, "x", max_tokens=400).may_raise
    assert doubts
    assert doubts[0].line == 2
    assert "Error(" in doubts[0].text
    assert all(0.05 <= doubt.probability < 1 for doubt in doubts)
    assert doubts == sorted(doubts, key=lambda doubt: -doubt.probability)
    assert doubts[0].to_dict()["position"] == doubts[0].position


def test_a_certain_model_doubts_nothing(oracle: ft.Model, file: str) -> None:
    assert oracle.predict(f"{file}::f", "r").may_raise == []


def test_stepping_through(oracle: ft.Model, file: str) -> None:
    session = oracle.debug(f"{file}::f", c="r")
    assert session.step().position == 1
    session.goto(line=4, visit=3)
    session["n"] = 3
    assert [branch.label for branch in session.branches] == ["original", "n=3 @10"]
    assert session.run_for_real(runner(Limits(max_events=500))).result == "'Found 0002'"


def test_the_first_budget_that_is_too_small(oracle: ft.Model, file: str) -> None:
    predicted = oracle.predict(f"{file}::f", "r", max_tokens=40)
    assert (predicted.header.outcome, predicted.header.detail) == (Outcome.TRUNCATED, "tokens")
    assert predicted.result is predicted.exception is None
    assert 1 < len(predicted) < 20


def test_many_calls_are_the_same_as_each_alone(tiny: ft.Model, oracle: ft.Model, file: str, lookup: str) -> None:
    calls = [(lookup, "{'a': 1}, 'a'"), (f"{file}::count_letters", "'ab', 'b'")]
    for model in (tiny, oracle):
        together = model.predict_many(calls, max_tokens=120)
        alone = [model.predict(target, arguments=arguments, max_tokens=120) for target, arguments in calls]
        assert [trace.frames[:4] for trace in together] == [trace.frames[:4] for trace in alone]
        assert [trace.header.path for trace in together] == [target.rpartition("::")[0] for target, _ in calls]


def test_the_verb_takes_a_name_or_a_model(oracle: ft.Model, file: str) -> None:
    by_name = ft.predict(f"{file}::f", "r", model="oracle:err=0")
    assert by_name.result == ft.predict(f"{file}::f", "r", model=oracle).result == "'Found 0002'"


def test_a_calibration_from_elsewhere(oracle: ft.Model, file: str) -> None:
    from foretrace.engine.load import packaged_checkpoints

    calibrated = ft.load("oracle", calibration=packaged_checkpoints()["tiny"] / "calibration.json")
    assert calibrated.predict(f"{file}::f", "r").at(4).after["s"].sure is not None


def test_an_odd_step_in_a_real_trace(oracle: ft.Model, file: str) -> None:
    real = ft.record(f"{file}::f", c="r")
    surprise = oracle.score(real)
    assert len(surprise.nats) == len(surprise.steps) == len(real)
    assert surprise.values[1] == sum(len(step.values) for step in surprise.steps[1:])
    oddest = surprise.oddest(1)[0]
    assert (oddest.position, oddest.name, oddest.text) == (12, "letter", "'r'")  # where it would have erred
    assert surprise.expected(oddest) not in (None, "'r'")
    assert surprise.to_dict()["odd"][0] == surprise.odd[0].to_dict()
    assert surprise.lines == (19, 19)


def test_a_line_that_the_model_did_not_expect(file: str) -> None:
    real = ft.record(f"{file}::f", c="r")
    surprise = ft.load("oracle:err=0.3,seed=2,kinds=line").score(real)
    lines = [odd for odd in surprise.odd if odd.name is None]
    assert lines
    assert surprise.lines == (19 - len(lines), 19)
    assert lines[0].text == f"{real.frames[lines[0].position].event} {real.frames[lines[0].position].source.strip()}"
    assert surprise.expected(lines[0]) is None


def test_a_trace_longer_than_the_context_is_scored_as_far_as_it_goes(tiny: ft.Model, tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n")
    real = ft.record(f"{tmp_path / 'long.py'}::f", 400)
    surprise = tiny.score(real)
    assert 10 < len(surprise.steps) < len(real) == 805
    assert surprise.to_dict()["steps"] == [len(surprise.steps), 805]


def test_a_trace_without_steps(oracle: ft.Model, file: str) -> None:
    real = ft.record(f"{file}::f", c="r")
    with pytest.raises(UsageError, match="no steps"):
        oracle.score(ft.Trace(real.header, ()))


def test_the_page_of_a_difference(oracle: ft.Model, file: str, tmp_path: Path) -> None:
    predicted, real = oracle.predict(f"{file}::f", c="r"), ft.record(f"{file}::f", c="r")
    ft.diff(predicted, real).to_html(tmp_path / "by-model.html")
    [recorded] = read_jsonl(_lines(predicted, tmp_path))
    ft.diff(recorded, real).to_html(tmp_path / "by-files.html")
    for name in ("by-model.html", "by-files.html"):
        text = (tmp_path / name).read_text()
        assert text.lower().startswith("<!doctype html>")
        assert "letters.py" in text


def _lines(trace: ft.Trace, folder: Path) -> list[str]:
    with (folder / "trace.jsonl").open("w") as written:
        write_jsonl(trace, written)
    return (folder / "trace.jsonl").read_text().splitlines(keepends=True)
