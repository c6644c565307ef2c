"""A recording summed up without its frames, and one trace read out of it."""

import pytest

from foretrace.errors import FormatError
from foretrace.record import record_program
from foretrace.trace import BinaryWriter, Limits, Outcome, binary, header_record, read_binary, summary, to_binary
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
def test_a_trace_without_frames_has_no_number() -> None:
    """One that began, and whose first frames were taken back: a generator was closed."""
    trace = record_program(SOURCE, "f", "2", native=False)
    out = bytearray()
    writer = BinaryWriter(out.extend, header_record(trace.header))
    writer.begin()
    writer.end(Outcome.RETURNED)
    data = bytes(out) + to_binary([trace])
    assert [s.steps for s in summaries(data)] == [len(trace)]
    (one,) = read_binary(data, only=0)
    assert one.frames == trace.frames


@pytest.mark.usefixtures("how")
def test_damage_is_an_error_or_partial() -> None:
    data = to_binary([record_program(SOURCE, "f", "2", native=False)])[:-6]
    with pytest.raises(FormatError):
        summaries(data)
    (found,) = summaries(data, partial=True)
    assert found.ending == "truncated (cut off)"
