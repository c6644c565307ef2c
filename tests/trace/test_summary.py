"""A recording summed up without its frames, and one trace read out of it."""

from pathlib import Path

import pytest

from foretrace.errors import FormatError
from foretrace.record import Recorder, Scope, record_program
from foretrace.trace import Limits, Outcome, binary, read_binary, summary, to_binary
from foretrace.trace.summary import Summary, summaries, summarise

SOURCE = "def f(n):\n    x = 0\n    while n:\n        x += 1 // n\n        n -= 1\n    return x\n"
CUT = Limits(max_events=5)


@pytest.fixture(params=["native", "python"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        for module in (summary, binary):
            monkeypatch.setattr(module, "_binary", None)
    elif binary._binary is None:
        pytest.skip("the extension was not built")
    return str(request.param)


@pytest.mark.usefixtures("how")
def test_each_trace_has_a_summary_and_a_number() -> None:
    traces = [
        record_program(SOURCE, "f", "2", native=False),
        record_program(SOURCE, "f", "-1", CUT, native=False),
        record_program(SOURCE, "f", "None", native=False),
    ]
    data = to_binary(traces)
    found = summaries(data)
    assert found == summarise(traces)
    assert found[0] == Summary("f", "<string>", len(traces[0]), Outcome.RETURNED)
    assert [s.ending for s in found] == ["returned", "truncated (events)", "returned"]
    for number, trace in enumerate(traces):
        (one,) = read_binary(data, only=number)
        assert one.frames == trace.frames
    assert list(read_binary(data, only=3)) == []


@pytest.mark.usefixtures("how")
def test_a_trace_without_frames_has_no_number(tmp_path: Path) -> None:
    """One that began, and whose first frame was taken back: a generator was closed."""
    file = tmp_path / "p.py"
    file.write_text("def g():\n    yield 1\ndef f():\n    return 2\n")
    space: dict[str, object] = {}
    exec(compile(file.read_text(), str(file), "exec"), space)
    generator = space["g"]()  # type: ignore[operator]
    next(generator)
    with Recorder(Scope(include=(str(file),))) as recorder:
        generator.close()
        space["f"]()  # type: ignore[operator]
    assert recorder.session.traces == 2
    assert [s.entry for s in summaries(recorder.data)] == ["f"]
    (one,) = read_binary(recorder.data, only=0)
    assert one.result == "2"


@pytest.mark.usefixtures("how")
def test_damage_is_an_error_or_partial() -> None:
    data = to_binary([record_program(SOURCE, "f", "2", native=False)])[:-6]
    with pytest.raises(FormatError):
        summaries(data)
    (found,) = summaries(data, partial=True)
    assert found.ending == "truncated (cut off)"
