"""The recorder in C writes what the reference writes, and the reader in C reads what the reader in Python does."""

import random
import sys
from pathlib import Path
from typing import Any

import pytest

from foretrace.corpus import synthesise
from foretrace.errors import FormatError
from foretrace.record import Renderer, session
from foretrace.record.values import describe_array
from foretrace.trace import Limits, read_binary
from foretrace.trace.binary import _binary, _Reader, binary_to_wire

sys.path.insert(0, str(Path(__file__).parent))
from comparing import UNFIT, difference, recorded, small_limits
from constructs import CONSTRUCTS
from odd import PRELUDE, PRODUCTIONS, Odd, odd_program

pytestmark = [
    pytest.mark.skipif(not session.HAS_NATIVE, reason="the recorder in C was not built"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # destructors that raise are among them
]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"many": True},
    {"depth": 1},
    {"step_in": 0.5, "seed": 1, "many": True},
    {"max_events": 7, "when_full": "mute", "many": True},
    {"max_events": 23, "when_full": "raise"},
    {"as_module": True, "many": True},
    {"as_module": True, "step_in": 0.7, "seed": 2},
]


@pytest.mark.parametrize("name", [name for name in CONSTRUCTS if name not in UNFIT])
def test_constructs(name: str) -> None:
    for options in OPTIONS:
        assert not difference(CONSTRUCTS[name], **options), options


@pytest.mark.parametrize("name", sorted(UNFIT & CONSTRUCTS.keys()))
def test_constructs_that_tracing_by_python_spoils_are_at_least_recorded(name: str) -> None:
    data = recorded(CONSTRUCTS[name], native=True, many=True)
    assert recorded(CONSTRUCTS[name], native=True, form="wire", many=True) == binary_to_wire(data)
    assert list(read_binary(data)) == list(_Reader(data).traces(False))


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_programs_with_odd_values(first: int) -> None:
    for seed in range(first, first + 20):
        limits = small_limits(max(0, seed % 20 - 9))
        assert not difference(odd_program(seed), max_events=2000, value_limits=limits), seed


SOURCE = "def d(g):\n    return g\n\n@d\n# é\n@d\ndef g(x):\n    return x  # ü\nclass A:\n\tdef m(self):\n\t\treturn g(2)\n"
SOURCE += "def f():\n    return [g(i) for i in range(2)], A().m()\n"


@pytest.mark.parametrize(
    "lines",
    [
        SOURCE.splitlines(keepends=True),
        SOURCE.rstrip().splitlines(keepends=True),
        SOURCE.split("\n")[:6],
        [line + "  # << START_OF_TRACE" for line in SOURCE.split("\n")],
        ["@d"] * 4 + ["async\tdef("] * 12,
        ["\n"] * 14,
        [""],
        [],
    ],
)
def test_sources_of_any_shape(lines: list[str]) -> None:
    assert not difference(SOURCE, lines=lines)


def test_ordinary_programs() -> None:
    for seed in range(40):
        program = synthesise(seed)
        assert not difference(program.source, entry=program.entry, arguments=program.arguments), seed


def test_values() -> None:
    namespace: dict[str, Any] = {}
    exec(compile(PRELUDE, "<prelude>", "exec"), namespace)
    odd = Odd(1)
    namespace |= {f"v{i}": namespace["own"]([i]) for i in range(odd.variables)}
    for production in PRODUCTIONS:
        text = odd.fill(production, 3)
        try:
            value = eval(text, namespace)
        except (Exception, SystemExit):  # a combination that cannot be made
            continue
        for number in range(4):
            limits = small_limits(number)
            bounds = (limits.depth, limits.items, limits.characters, limits.parts)
            assert session._recorder.render(value, describe_array, bounds) == Renderer(limits).render(value), text


def test_damaged_streams_are_told() -> None:
    stream, rng = recorded(CONSTRUCTS["generators"], native=True), random.Random(0)
    for _ in range(2000):
        data = bytearray(stream)
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        list(read_binary(bytes(data), partial=True))
        binary_to_wire(bytes(data), partial=True)
        _binary.columns(bytes(data), True, FormatError)
        for read in (lambda data: list(read_binary(data)), binary_to_wire):
            try:
                read(bytes(data))
            except FormatError:
                pass


def test_a_stream_that_is_cut_anywhere_keeps_what_was_before() -> None:
    stream = recorded(CONSTRUCTS["with"], native=True)
    [whole] = read_binary(stream)
    for size in range(0, len(stream), 7):
        for trace in read_binary(stream[:size], partial=True):
            assert trace.frames == whole.frames[: len(trace.frames)]


@pytest.mark.parametrize("back", ["inside", "outside"])
def test_scopes_that_are_left_unseen(back: str) -> None:
    """A program takes the trace function away, and puts it back when other scopes have the memory of those it has left."""
    source = "import sys\ndef off():\n    global saved\n    saved = sys.gettrace()\n    sys.settrace(None)\n"
    source += "def on():\n    sys.settrace(saved)\ndef late(n):\n    kept = [n]\n    return kept\n"
    data = []
    for native in (True, False):
        namespace: dict[str, Any] = {}
        exec(compile(source, "<program>", "exec"), namespace)
        output = bytearray()
        recorder = session.open_session(
            {"<program>": source.split("\n")}.get, Limits(), output=output, many=True, when_full="mute", native=native
        )
        recorder.start()
        namespace["off"]()
        if back == "inside":
            namespace["on"]()
        else:
            sys.settrace(namespace["saved"])
        assert namespace["late"](1) + namespace["late"](2) == [1, 2]
        recorder.stop()
        assert len(list(read_binary(bytes(output)))) >= 1
        data.append(bytes(output))
    if sys.version_info < (3, 12):  # from then on nothing is taken away from the recorder in C
        assert data[0] == data[1]
