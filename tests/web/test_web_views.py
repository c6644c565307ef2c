"""What the page shows that no other face does: notes beside lines, folds of passes, colours, what can be run."""

from itertools import pairwise

import pytest
from sites import opener

from foretrace.debug import Session, Settings, open_session
from foretrace.engine import OraclePredictor, Prompt
from foretrace.errors import RefusedError, UsageError
from foretrace.record.program import record_program
from foretrace.trace import Limits, Trace
from foretrace.web.arguments import Arguments
from foretrace.web.highlight import highlight
from foretrace.web.notes import notes
from foretrace.web.opening import example_trace
from foretrace.web.outline import outline
from foretrace.web.running import Running
from foretrace.web.views import program, view

LOOP = """def f(n):
    total = 0
    for i in range(n):
        if i == 6:
            total = -1
        total += i
    return total
"""
NESTED = """def f(n):
    total = 0
    for i in range(n):
        for j in range(n):
            total += i * j
    return total
"""
RAISING = """def half(n):
    if n < 0:
        raise ValueError(n)
    return n // 2


def f(n):
    x = half(4)
    return half(n)
"""


def real(prompt: Prompt) -> Trace:
    call = prompt.call
    return record_program(call.source, call.entry, call.arguments, Limits(max_events=100_000))


def session(source: str, arguments: str, err: float = 0.0) -> Session:
    made = open_session(
        OraclePredictor(real, err=err, kinds=("value",)), source, "f", arguments, settings=Settings(budget=10**6)
    )
    made.run()
    return made


def texts(session: Session, position: int) -> dict[int, list[str]]:
    """The notes as a reader sees them."""
    return {
        note["line"]: [f"{each['name']}: {each['before']} -> {each['after']}" for each in note["effect"]]
        for note in notes(session, position)
    }


def test_a_note_is_what_a_line_did_when_it_last_ran() -> None:
    s = session(LOOP, "3")
    assert texts(s, 2) == {1: ["n: None -> 3"], 2: ["total: None -> 0"], 3: ["i: None -> 0"]}
    last = texts(s, len(s.branch.timeline) - 1)
    assert last[6] == ["total: 1 -> 3"]
    assert last[7] == [": None -> 3"], "what it returns"
    assert [note["visit"] for note in notes(s, len(s.branch.timeline) - 1) if note["line"] == 3] == [4]


def test_calls_and_exceptions_have_notes_too() -> None:
    s = session(RAISING, "-1")
    told = {note["line"]: note for note in notes(s, len(s.branch.timeline) - 1)}
    assert told[8]["calls"], "its effect is that of the call"
    assert [(each["name"], each["after"]) for each in told[8]["effect"]] == [("x", "2")]
    assert (told[3]["leads"], told[3]["effect"][0]["after"]) == ("exception", "ValueError(-1)")


def test_a_note_says_what_is_real() -> None:
    s = opener().example()
    s.seek(100)
    [line] = [note for note in notes(s, 5) if note["line"] == 3]
    assert [
        (each["name"], each["after"], each["real"], each["verdict"]) for each in line["effect"] if each["name"] == "n"
    ] == [("n", "2", "0", "wrong")]


def test_the_notes_of_a_re_anchored_run_begin_with_what_is_real() -> None:
    s = opener().example()
    s.seek(5)
    s.anchor()
    s.seek(100)
    befores = [each["before"] for note in notes(s, 7) for each in note["effect"] if each["name"] == "n"]
    assert "2" not in befores, "the wrong value is no history"


def test_folds_hide_what_is_alike_and_keep_what_is_odd() -> None:
    s = session(LOOP, "12")
    folds = outline(s)
    assert [(fold["first"], fold["last"]) for fold in folds] == [(3, 6), (8, 11)]
    assert all(fold["passes"] == 12 and fold["odd"] == 1 for fold in folds)
    frames = s.branch.timeline.frames
    for fold in folds:
        assert frames[fold["start"]].line == frames[fold["end"]].line == 3, "a fold goes from head to head"


def test_folds_are_nested_or_apart() -> None:
    folds = outline(session(NESTED, "9"))
    assert {fold["line"] for fold in folds} == {3, 4}
    for one, other in pairwise(folds):
        assert one["start"] <= other["start"]
        assert other["start"] >= one["end"] or other["end"] <= one["end"]


def test_a_pass_in_which_the_prediction_goes_wrong_is_not_folded() -> None:
    s = session(LOOP, "60", err=0.03)
    s.attach(real(s.branch.prompt))
    comparison = s.tree.comparison(s.branch)
    assert comparison is not None
    assert comparison.slips
    assert not [at for at in comparison.slips for fold in outline(s) if fold["start"] <= at < fold["end"]]


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("def f(x):", [(0, 3, "keyword"), (4, 5, "name")]),
        ("x = None  # no", [(4, 8, "number"), (10, 14, "comment")]),
        ("return 'é' + 1.5", [(0, 6, "keyword"), (7, 10, "string"), (13, 16, "number")]),
        ("match = match + 1", [(16, 17, "number")]),
        ("x = (", []),
        ("", []),
    ],
)
def test_parts_of_a_line_have_kinds(source: str, parts: list[tuple[int, int, str]]) -> None:
    assert highlight(source)[0] == parts


def test_a_text_of_several_lines_is_coloured_on_each() -> None:
    assert highlight('x = """a\nbc\n"""\ny') == [[(4, 8, "string")], [(0, 2, "string")], [(0, 3, "string")], []]


def test_what_is_not_installed_is_found_without_importing_it() -> None:
    source = "import os.path, nowhere_to_be_found.x\nfrom . import y\nfrom nor_this import z\ndef f():\n    import late\n"
    assert Running().obstacle(source) == "nowhere_to_be_found, nor_this are not installed here"
    assert Running().obstacle("import nor_this") == "nor_this is not installed here"
    with pytest.raises(RefusedError, match="--allow-run"):
        Running(allowed=False).run(opener().example().branch.prompt)


def test_the_bundled_recording_is_what_really_happens() -> None:
    bundled = example_trace()
    prompt = opener().example().branch.prompt
    assert real(prompt).frames == bundled.frames


def test_arguments_are_of_the_type_that_is_asked_for() -> None:
    given = Arguments({"line": "4", "name": "n", "none": None, "sure": 0.5, "yes": True})
    assert (given.number("line"), given.text("name"), given.number("visit", None), given.share("sure")) == (
        4,
        "n",
        None,
        0.5,
    )
    assert given.text("none", None) is None
    assert given.flag("yes") is True
    for ask in (
        lambda: given.number("name"),
        lambda: given.text("line2"),
        lambda: given.share("yes"),
        lambda: given.flag("sure"),
    ):
        with pytest.raises(UsageError, match="must be"):
            ask()
    with pytest.raises(UsageError, match="a JSON object"):
        Arguments([1])


def test_looking_predicts_nothing() -> None:
    s = opener().example()
    view(s), program(s, Running()), outline(s)
    assert len(s.branch.timeline) == 1
