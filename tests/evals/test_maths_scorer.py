"""Boxed answers: which are read, how they are compared, and that nothing hangs; verdicts are in `hostile/maths.py`."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretrace.errors import RefusedError
from foretrace.evals.scorers.maths import integer_of, left_to_do, maths_scorer, read_boxed, write_boxed
from foretrace.evals.types import Item, Reason, Score, Setting, Verdict
from foretrace.sandbox import backends

pytest.importorskip("math_verify")
needs_bubblewrap = pytest.mark.skipif(bool(backends()["bubblewrap"]), reason=backends()["bubblewrap"])
TOWER = "(10^{10^{10}})!"


@pytest.fixture(scope="module")
def score() -> Iterator[Score]:
    if backends()["bubblewrap"]:
        pytest.skip(backends()["bubblewrap"])
    with maths_scorer(Setting()) as scorer:
        yield scorer


def judge(score: Score, gold: str, answer: str | None, problem: str = "") -> Verdict:
    return score(Item(id="x", row={"answer": gold, "problem": problem}), answer)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"It is $\boxed{204}$.", "204"),
        (r"\boxed {  \frac{1}{2}  }", r"\frac{1}{2}"),
        (r"<think>\boxed{203}</think>Hence \boxed{204}", "204"),
        (r"\boxed{203}</think>\boxed{204}", "204"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        (r"\\boxed{204}", "204"),
        (r"\boxed{203} or \boxed{204}", r"\boxed{203}\boxed{204}"),
        (r"\boxed{203 and \boxed{204}", r"\boxed{}\boxed{204}"),
        (r"<think>It is \boxed{204}", None),
        (r"\boxed{204}</think>", None),
        (r"<think>a</think><think>\boxed{204}", None),
        (r"\boxed{204", None),
        (r"\boxed 204", None),
        ("204", None),
        ("", None),
        (rf"\boxed{{{'9' * 301}}}", None),
    ],
)
def test_what_is_boxed_behind_the_thought_is_read(text: str, answer: str | None) -> None:
    assert read_boxed(text) == answer


def test_a_text_of_boxes_that_never_end_is_read_in_one_go() -> None:
    assert read_boxed(r"\boxed{" * 200_000) is None  # the square of it would take hours
    assert read_boxed(r"\boxed{" * 200_000 + "204}") == r"\boxed{}" * 199_999 + r"\boxed{204}"


@given(st.text(alphabet=r"ab12 \frac+{}", max_size=40))
def test_what_is_read_is_read_again_as_it_is_written(text: str) -> None:
    answer = read_boxed(text if "boxed" in text else f"\\boxed{{{text}}}")
    if answer is not None:
        assert read_boxed(write_boxed(answer)) == answer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("073", 73),
        ("12{,}345", 12345),
        ("12,345", 12345),
        (r"10\,000", 10000),
        ("$-5$", -5),
        ("+7.", 7),
        ("2 0 4", None),
        ("1,2", None),
        ("٣", None),
        ("204.0", None),
        ("９", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_integers_are_known_however_they_are_set(text: str, number: int | None) -> None:
    assert integer_of(text) == number


@needs_bubblewrap
def test_integers_and_equal_texts_need_no_algebra() -> None:
    with maths_scorer(Setting()) as score:
        began = time.perf_counter()
        for _ in range(2_000):
            assert judge(score, "204", "0204").strict
            assert judge(score, r"\text{Evelyn}", r"\text{Evelyn}").strict
            assert not judge(score, "204", "205").official
        assert time.perf_counter() - began < 5


@pytest.mark.parametrize("answer", [None, "", "   ", "9" * 100_000])
def test_what_is_none_or_too_long_is_not_compared(score: Score, answer: str | None) -> None:
    assert judge(score, "204", answer).reason is Reason.UNPARSABLE


def test_the_verdict_says_why(score: Score) -> None:
    assert judge(score, "204", "203").reason is Reason.WRONG
    assert judge(score, "204", r"\sum_{n=1}^{204} 1").detail == r"it is not worked out: \sum"
    assert judge(score, "204", r"204\text{ (or 205)}").detail == "only this of it can be read: 204"
    assert judge(score, "204", "203 = 204").detail == "it contradicts itself: 203 = 204"
    assert judge(score, "204", r"\boxed{204}\boxed{205}").detail == "2 boxes"


def test_a_power_tower_is_killed_and_the_next_answer_is_judged(score: Score) -> None:
    with maths_scorer(Setting(seconds=2)) as impatient:
        began = time.monotonic()
        assert judge(impatient, "204", TOWER).reason in (Reason.TIMEOUT, Reason.KILLED)
        assert time.monotonic() - began < 30
        assert judge(impatient, r"\frac{1}{2}", "0.5").strict


def test_the_question_is_no_answer_to_it() -> None:
    problem = r"Compute $54 \times 46 + 2^5$."
    assert left_to_do(r"54\times 46+2^5", "2516", problem) == "it is in the question"
    assert not left_to_do("2516", "2516", problem)
    assert not left_to_do("46", "46", problem)
    assert not left_to_do("2^5", "2^5", problem)
    assert left_to_do(r"\lim_{x\to0} 204", "204", "").startswith(r"\lim")
    assert not left_to_do(r"(2,\infty)", "204", "")
    assert not left_to_do(r"\lfloor x\rfloor", r"\lfloor x \rfloor", "")


def test_an_isolation_that_is_not_there_is_refused() -> None:
    with pytest.raises(RefusedError, match="nonsense"), maths_scorer(Setting(isolation="nonsense")):
        pass


def test_weaker_walls_are_used_where_they_are_asked_for() -> None:
    with maths_scorer(Setting(isolation="process")) as score:
        assert judge(score, r"\frac{1}{2}", "0.5").strict
        assert not judge(score, r"\frac{1}{2}", "0.25").official
