"""Sessions are saved and loaded: the same branches, breakpoints and view."""

import io
import json

import pytest
from sessions import LETTERS, real, session

from foretrace.debug import Breakpoint, DataBreakpoint, Filters, Session, load_session, open_session, save_session
from foretrace.debug.pages import page
from foretrace.debug.view import summary
from foretrace.engine import OraclePredictor, Predictor, load_predictor
from foretrace.errors import FormatError, UsageError


def saved(s: Session, **options: bool) -> list[str]:
    file = io.StringIO()
    save_session(s, file, **options)
    return file.getvalue().splitlines(keepends=True)


def predictor(err: float = 0.2, seed: int = 5) -> Predictor:
    return OraclePredictor(real, err=err, seed=seed, kinds=("value",))


def busy() -> Session:
    """A session in which much has been done."""
    s = session(err=0.2, seed=5)
    s.breakpoints.add(Breakpoint(line=4, condition="n > 0", hits=">= 2"))
    s.breakpoints.add(DataBreakpoint(name="n", function="count_letters"))
    s.breakpoints.filters = Filters(exception=True, confidence=0.5)
    s.watches = ["n + 1"]
    s.run_for_real(real)
    s.seek(11)
    s.set("n", "4")
    s.seek(14)
    s.sample(3, 0.7)
    s.seek(15)
    s.select(0)
    s.seek(0)
    s.set("c", "'e'")
    s.run_for_real(real)
    s.seek(5)
    s.anchor()
    s.seek(8)
    s.select(2)
    s.seek(15)
    return s


def test_a_loaded_session_shows_the_same() -> None:
    s = busy()
    loaded = load_session(saved(s), predictor())
    ignored = {"spent", "stop"}
    ours, theirs = ({k: v for k, v in summary(each).items() if k not in ignored} for each in (s, loaded))
    for each in (ours, theirs):
        for branch in each["branches"]:
            del branch["steps"], branch["finish"]  # branches that are not shown are predicted again when they are
    assert ours == theirs
    assert page(loaded) == page(s)
    for branch in s.branches:
        s.select(branch.id)
        loaded.select(branch.id)
        s.seek(99)
        loaded.seek(99)
        assert page(loaded) == page(s)
    assert saved(loaded)[1:] == saved(s)[1:]


def test_without_reality_a_file_is_small_and_has_no_re_anchored_branch() -> None:
    s = busy()
    lines = saved(s, real=False)
    assert sum(map(len, lines)) < 4_000
    loaded = load_session(lines, predictor())
    assert [b.label for b in loaded.branches] == ["original", "n=4 @11", "seed 3 @15", "c='e' @0"]
    assert loaded.difference is None
    assert (loaded.branch.label, loaded.position) == ("seed 3 @15", 15)


def test_invented_arguments_and_skips_are_kept() -> None:
    tiny = load_predictor("tiny")
    s = open_session(tiny, LETTERS, "count_letters")
    s.reroll(3)
    s.step()
    s.skip("call")
    s.back()
    s.back()
    s.step()
    s.skip("line")
    loaded = load_session(saved(s), tiny)
    assert [b.label for b in loaded.branches] == [b.label for b in s.branches]
    assert [b.skips for b in loaded.branches] == [b.skips for b in s.branches]
    assert page(loaded) == page(s)
    assert loaded.invented


def test_another_model_that_tells_less_is_refused() -> None:
    s = session()
    s.seek(12)
    s.set("n", "7")
    short = OraclePredictor(real, err=1.0, kinds=("length",))
    with pytest.raises(UsageError, match="oracle does not predict step 12 again, at which a branch begins: context"):
        load_session(saved(s), short)


@pytest.mark.parametrize("line", [0, 1, 3, 4, 5])
def test_damaged_lines_are_refused_by_their_number(line: int) -> None:
    lines = saved(busy())
    lines[line] = lines[line][: len(lines[line]) // 2] + "\n"
    with pytest.raises(FormatError, match=f"line {line + 1} is not part of a session"):
        load_session(lines, predictor())


@pytest.mark.parametrize(
    ("line", "change"),
    [
        (0, {"v": 9}),
        (0, {"kind": "recorded"}),
        (0, {"call": {}}),
        (0, {"branch": 77}),
        (0, {"position": "x"}),
        (0, {"settings": {"budget": -1}}),
        (0, {"filters": {"confidence": 7}}),
        (1, {"breakpoint": {"line": 999}}),
        (5, {"parent": 44}),
        (5, {"branch": {"kind": "nonsense"}}),
        (5, {"branch": {"kind": "edit", "texts": 3}}),
        (5, {"branch": {"kind": "sample", "texts": {}, "seed": 1, "temperature": float("nan"), "skip": ""}}),
        (5, {"start": -2}),
    ],
)
def test_values_that_cannot_be_are_refused(line: int, change: dict) -> None:
    lines = saved(busy())
    lines[line] = json.dumps(json.loads(lines[line]) | change) + "\n"
    with pytest.raises((FormatError, UsageError)):
        load_session(lines, predictor())


def test_an_empty_file_is_no_session() -> None:
    with pytest.raises(FormatError, match="the file is empty"):
        load_session([], predictor())
