"""Confidence of steps: probabilities in both modes, dots, and what is not known."""

import subprocess
import sys
from dataclasses import replace
from math import log
from pathlib import Path

import pytest
from calibrated import calibration, cases, oracle

from foretrace.debug.calibration.features import Mode, Part, Past, kind_of
from foretrace.debug.calibration.maps import MARKS, mark
from foretrace.debug.calibration.stored import FILE
from foretrace.debug.confidence import Confidence, confidence_of
from foretrace.engine import Step, Value, build_prompt
from foretrace.engine.load import fingerprint
from foretrace.errors import CheckpointError
from foretrace.evals import Case
from foretrace.trace import Event, Frame


def longest() -> Case:
    return max(cases(), key=lambda case: len(case.real))


def steps_of(case: Case) -> list[Step]:
    """The entry's call, which is given, and a free run."""
    prompt = build_prompt(case.source, case.entry, case.arguments)
    given = Step(case.real.frames[0], 0.0, 0.0, 0.0, (), 0)
    return [given, *oracle(cases(), err=0.0).steps(prompt, prompt.frames, budget=100_000)]


def step(probability: float, *, line: float = 0.99, text: str = "3", source: str = "    x = 1") -> Step:
    """A step with one value."""
    frame = Frame(Event.LINE, "f", 0, 2 if source else 0, source, locals={"x": text})
    value = Value("x", text, log(probability), 1.0, 2)
    return Step(frame, log(probability * line), 0.0, log(line), (value,), 8)


@pytest.fixture
def confidence() -> Confidence:
    return Confidence(calibration())


def test_every_value_has_a_probability(confidence: Confidence) -> None:
    steps = steps_of(longest())
    for position, here in enumerate(steps):
        sure = confidence.sure(steps, position, anchor=0)
        assert set(sure) == {value.name for value in here.values}
        assert all(0 < probability < 1 for probability in sure.values())
        line = confidence.line(steps, position, anchor=0)
        assert (line is None) == (position == 0)
    assert "" in confidence.sure(steps, len(steps) - 1, anchor=0)


def test_what_is_likelier_is_not_less_sure(confidence: Confidence) -> None:
    for past in (Past(5), Past(5, alone=3, lines=-0.2, whole=-0.9)):
        sure = [confidence.judge(past, step(p)).values["x"] for p in (0.05, 0.3, 0.6, 0.9, 0.999)]
        assert sure == sorted(sure)
        assert sure[0] < sure[-1]
        lines = [confidence.judge(past, step(0.9, line=p)).line for p in (0.05, 0.5, 0.999)]
        assert lines == sorted(lines, key=float)


def test_a_free_run_is_judged_by_what_it_rests_on(confidence: Confidence) -> None:
    """The same step, after doubtful ones and after true ones."""
    steps = [step(0.999), *[step(0.3)] * 6, step(0.999)]
    free, anchored = confidence.sure(steps, 7, anchor=0), confidence.sure(steps, 7, anchor=6)
    assert free["x"] < anchored["x"]
    assert anchored == confidence.judge(Past(7), steps[7]).values


def test_order_of_questions_does_not_matter(confidence: Confidence) -> None:
    """Positions in order, backwards, and on two sequences in turn; each as if it had been asked first."""
    one, other = steps_of(longest()), steps_of(cases()[3])
    fresh = {at: Confidence(calibration()).sure(one, at, 0) for at in range(len(one))}
    for order in (range(len(one)), reversed(range(len(one)))):
        assert all(confidence.sure(one, at, 0) == fresh[at] for at in order)
    for at in range(min(len(one), len(other))):
        confidence.sure(other, at, 0)
        assert confidence.sure(one, at, 0) == fresh[at]
        confidence.sure(one, at, max(at - 3, 0))


def test_consecutive_steps_are_looked_at_once(confidence: Confidence) -> None:
    """Otherwise a page at the end of a long trace would stall."""

    class Counted(list[Step]):
        looks = 0

        def __getitem__(self, at: int) -> Step:  # type: ignore[override]
            self.looks += 1
            return super().__getitem__(at)

    steps = Counted([step(0.9)] * 2000)
    confidence.sure(steps, 1500, anchor=0)
    steps.looks = 0
    for position in range(1501, 2000):
        confidence.sure(steps, position, anchor=0)
    assert steps.looks <= 2 * 500
    steps.looks = 0
    confidence.sure(steps, 1999, anchor=1998)
    assert steps.looks == 1


def test_a_line_that_the_source_lacks_is_never_right(confidence: Confidence) -> None:
    ghost = replace(step(0.99), frame=replace(step(0.99).frame, line=0))
    assert confidence.judge(Past(4), ghost).line == 0
    assert confidence.judge(Past(4), ghost).values == {"x": 0}


def test_dots_follow_probabilities(confidence: Confidence) -> None:
    assert [mark(p) for p in (0.0, 0.59, 0.6, 0.89, 0.9, 1.0)] == [MARKS[at] for at in (0, 0, 1, 1, 2, 2)]
    steps = steps_of(longest())
    for position in range(len(steps)):
        sure = confidence.sure(steps, position, 0)
        assert confidence.marks(steps, position, 0) == {name: mark(p) for name, p in sure.items()}


def test_dots_have_a_measured_meaning(confidence: Confidence) -> None:
    assert list(confidence.meaning) == ["●●●", "●●○", "●○○"]
    groups = confidence.calibration.measured[Part.VALUE, Mode.ANCHORED].groups["dots"]
    assert f"right {groups[MARKS[2]].right.value:.0%} re-anchored" in confidence.meaning["●●●"]


def test_without_a_calibration_dots_only_rank() -> None:
    nothing = Confidence(None)
    steps = [step(0.2), step(0.99), step(0.99999)]
    assert nothing.sure(steps, 1, 0) == {}
    assert nothing.line(steps, 1, 0) is None
    assert [nothing.marks(steps, at, 0)["x"] for at in range(3)] == list(MARKS)
    assert all("uncalibrated" in meaning for meaning in nothing.meaning.values())
    assert nothing.outside("class C: pass") == []


def test_the_packaged_model_is_calibrated() -> None:
    """After a new checkpoint: `foretrace calibrate tiny`. Nothing else than NumPy is needed to judge."""
    found = confidence_of("tiny").calibration
    assert found is not None
    assert all(each.after.ece.value < 0.05 and each.after.programs > 500 for each in found.measured.values())
    for mode in Mode:
        shares = [found.measured[Part.VALUE, mode].groups["dots"][dots].right for dots in MARKS]
        assert shares[0].high < shares[1].low < shares[1].high < shares[2].low
    code = (
        "from foretrace.debug.confidence import confidence_of; confidence_of('tiny'); "
        "import sys; sys.exit(bool({'torch', 'foretrace.sandbox', 'foretrace.corpus'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_programs_outside_are_told(confidence: Confidence) -> None:
    source = "def f(x):\n    return x\n"
    assert confidence.outside(source, [step(0.9)] * 3) == []
    said = confidence.outside(source, [step(0.9, text=repr("a" * 5000))] * 3000)
    assert [("steps" in one, "characters" in one) for one in said] == [(True, False), (False, True)]


def test_confidence_by_the_name_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert not confidence_of(str(tmp_path)).is_calibrated
    replace(calibration(), weights=fingerprint(tmp_path)).write(tmp_path / FILE)
    assert confidence_of(str(tmp_path)).is_calibrated
    (tmp_path / "model.safetensors").write_bytes(b"others!")
    with pytest.raises(CheckpointError, match="other weights"):
        confidence_of(str(tmp_path))
    assert not confidence_of("http://localhost:8000/v1,model=cwm").is_calibrated


@pytest.mark.parametrize(
    ("text", "kind"),
    [("3", "int"), ("-3", "int"), ("'a'", "str"), ("[1, 'b']", "list"), ("True", "bool"), ("None", "none"), ("{}", "dict"),
     ("{1}", "set"), ("set()", "set"), ("(1,)", "tuple"), ("1.5", "float"), ("<Node x=1>", "other"), ("[1, …+9]", "other"),
     ("KeyError('x')", "other"), ("b'x'", "other")],
)  # fmt: skip
def test_kinds_of_values(text: str, kind: str) -> None:
    assert kind_of(text) == kind
