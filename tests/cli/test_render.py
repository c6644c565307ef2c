"""What people see of traces and differences: golden output without colour, at a given width."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from foretrace.cli.effects import effects, seen_at
from foretrace.cli.render import print_diff, print_trace
from foretrace.record import record_program, record_source
from foretrace.trace import Frame, Outcome, Trace, diff

SOURCE = """def count(word, letter):
    n = 0
    for c in word:
        n += int(c == letter)
    return n
"""
REAL = record_source(SOURCE, "count", "'arr', 'r'", path="letters.py")


def shown(width: int, color: bool = False) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=color, no_color=False if color else None, highlight=False)
    return console, text


def trace_text(trace: Trace, width: int = 80) -> list[str]:
    console, text = shown(width)
    print_trace(console, trace)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def diff_text(predicted: Trace, real: Trace, width: int = 110) -> list[str]:
    """The lines, runs of blanks as two."""
    console, text = shown(width)
    print_diff(console, diff(predicted, real), predicted, real)
    return [re.sub(" {3,}", "  ", line.rstrip()) for line in text.getvalue().splitlines()]


def predicted(frames: tuple[Frame, ...] = REAL.frames, real: Trace = REAL) -> Trace:
    return Trace(replace(real.header, kind="predicted", model="tiny"), frames)


def with_local(frames: tuple[Frame, ...], start: int, name: str, text: str) -> tuple[Frame, ...]:
    """From `start` on, the local shows another text."""
    changed = [f if f.locals is None else replace(f, locals=f.locals | {name: text}) for f in frames[start:]]
    return (*frames[:start], *changed)


def test_a_line_is_shown_with_its_effect() -> None:
    assert trace_text(REAL) == [
        "letters.py::count(word='arr', letter='r')",
        "step   line     source                      effect",
        "   0      1     → def count(word, letter):  word = 'arr', letter = 'r'",
        "   1      2       n = 0                     n = 0",
        "   2      3       for c in word:            c = 'a'",
        "   3      4       n += int(c == letter)",
        "   4      3       for c in word:            c = 'r'",
        "   5      4       n += int(c == letter)     n = 1",
        "   6      3       for c in word:",
        "   7      4       n += int(c == letter)     n = 2",
        "   8      3       for c in word:",
        "   9      5       return n",
        "  10      5     ← return n                  return = 2",
        "  returns = 2",
    ]


def test_a_right_prediction_shows_its_values_once() -> None:
    lines = diff_text(predicted(), REAL)
    assert lines[0] == "letters.py::count(word='arr', letter='r')  model tiny"
    assert lines[3] == "  1  2  n = 0  n ⇢ 0  ="
    assert lines[-1] == "  11/11 lines right · 36/36 values right · right throughout"
    assert "≠" not in "\n".join(lines)


def test_a_wrong_value_is_marked_once_at_the_line_that_made_it() -> None:
    frames = with_local(REAL.frames, 8, "n", "1")
    lines = diff_text(predicted(frames), REAL)
    assert [line for line in lines[2:-1] if "≠" in line] == ["  7  4  ≠  n += int(c == letter)  n ⇢ (unchanged)  n = 2"]
    assert lines[-1] == "  11/11 lines right · 34/36 values right · first divergence: step 8, value, n (left by step 7)"


def test_a_wrong_return_value() -> None:
    frames = (*REAL.frames[:-1], replace(REAL.frames[-1], value="3"))
    lines = diff_text(predicted(frames), REAL)
    assert lines[-2] == "  10  5  ≠  ← return n  return ⇢ 3  return = 2"
    assert lines[-1].endswith("35/36 values right · first divergence: step 10, return")


def test_after_another_line_little_more_is_shown() -> None:
    frames = (*REAL.frames[:4], *REAL.frames[9:])
    text = diff_text(predicted(frames), REAL)
    assert text[6] == "  4  3  ≠  for c in word:  line return n  c = 'r'"
    assert text[-4:-1] == [
        "  6  3  ≠  for c in word:  (ended)",
        "  7  4  ≠  n += int(c == letter)  (ended)  n = 2",
        "  …  (3 more steps)",
    ]
    assert text[-1].endswith("first divergence: step 4, line")


def test_an_invented_line_is_called_so() -> None:
    ghost = replace(REAL.frames[3], source="        n += int(c == lettre)", line=0)
    text = diff_text(predicted((*REAL.frames[:3], ghost, *REAL.frames[4:])), REAL, width=120)
    assert "line n += int(c == lettre) (not in the file)" in text[5]


def test_a_prediction_that_goes_on_is_shown_beyond_the_end() -> None:
    text = diff_text(predicted(), Trace(REAL.header, REAL.frames[:-1]))
    assert text[-2] == "  10  5  ≠  ← return n  return ⇢ 2  (ended)"


def test_a_prediction_that_was_cut_short_says_why() -> None:
    cut = Trace(replace(predicted().header, outcome=Outcome.TRUNCATED, detail="tokens"), REAL.frames[:4])
    text = diff_text(cut, REAL)
    assert [line for line in text if "stopped" in line] == ["  4  3  ≠  for c in word:  (stopped: tokens)  c = 'r'"]
    assert text[-1].endswith("first divergence: step 4, length")


def test_deleted_names_are_an_effect() -> None:
    trace = record_program("def f():\n    x = 1\n    del x\n    return 2\n", "f", "")
    assert effects(trace.frames)[2] == {"x": "(unbound)"}


def test_callees_do_not_disturb_the_callers_effects() -> None:
    trace = record_program("def g(x):\n    y = x\n    return y\ndef f():\n    a = g(1)\n    return a\n", "f", "")
    line = next(i for i, f in enumerate(trace.frames) if "a = g(1)" in f.source)
    assert effects(trace.frames)[line] == {"a": "1"}


def test_where_an_effect_is_seen() -> None:
    """After a call that the line makes, and not in it."""
    trace = record_program("def g(x):\n    y = x\n    return y\ndef f():\n    a = g(1)\n    return a\n", "f", "")
    assert [f"{frame.event} {frame.line}" for frame in trace.frames] == [
        "call 4", "line 5", "call 1", "line 2", "line 3", "return 3", "line 6", "return 6",
    ]  # fmt: skip
    assert seen_at(trace.frames) == [0, 6, 2, 4, 4, 5, 6, 7]
    shown = [dict.fromkeys(effect) for effect in effects(trace.frames)]
    for index, names in enumerate(shown):  # whatever an effect names, its frame shows
        frame = trace.frames[seen_at(trace.frames)[index]]
        assert set(names) <= {*frame.state, "return"}


def test_how_a_trace_ended_is_said() -> None:
    raised = record_program("def f():\n    return {}['k']\n", "f", "")
    assert trace_text(raised)[-1] == "  raises = KeyError('k')"
    cut = Trace(replace(REAL.header, kind="predicted", outcome=Outcome.TRUNCATED, detail="tokens"), REAL.frames[:3])
    assert trace_text(cut)[-1] == "  stopped after 3 steps: tokens"


def test_long_traces_are_folded_around_the_divergence() -> None:
    source = "def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n"
    real = record_program(source, "f", "100")
    lines = diff_text(predicted(with_local(real.frames, 103, "t", "-1"), real), real)
    steps = [line.split()[0] for line in lines[2:-1]]
    assert steps[0] == "0"
    assert steps[-1] == str(len(real) - 1)
    assert "102" in steps
    assert steps.count("…") == 2
    hidden = [int(line.split("(")[1].split()[0]) for line in lines if line.lstrip().startswith("…")]
    assert sum(hidden) + len(steps) - 2 == len(real)


@pytest.mark.parametrize("width", [50, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    real = record_program("def f(text):\n    words = [text] * 40\n    return words\n", "f", "'häßlich 文字'")
    for lines in (trace_text(real, width), diff_text(predicted(real.frames, real), real, width)[:-1]):
        assert max(map(len, lines)) <= width
    assert any("…" in line for line in trace_text(real, 80))


def test_colour_only_on_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    frames = with_local(REAL.frames, 8, "n", "1")
    console, text = shown(100, color=True)
    print_diff(console, diff(predicted(frames), REAL), predicted(frames), REAL)
    assert "\x1b[1;31m≠" in text.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    text = io.StringIO()
    console = Console(file=text, width=100, force_terminal=True)
    print_diff(console, diff(predicted(frames), REAL), predicted(frames), REAL)
    assert "31m" not in text.getvalue()
    assert "≠" in text.getvalue()
