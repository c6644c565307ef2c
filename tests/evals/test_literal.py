"""The literal scorer: equal values of equal types, and no text is ever run."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foretrace.evals import same_literal
from foretrace.evals.scorers.literal import LiteralScorer, read_call, read_output, simple_call, type_name
from foretrace.evals.types import Reason, Setting
from foretrace.sandbox import backends

USABLE = [name for name, obstacle in backends().items() if not obstacle]


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ("[1, 2]", "[1,2]"),
        ("'a'", '"a"'),
        ("{1: 2, 3: 4}", "{3: 4, 1: 2}"),
        ("set()", "set()"),
        ("{2, 1}", "{1, 2}"),
        ("-1", "- 1"),
        ("'a' 'b'", "'ab'"),
        ("(1)", "1"),
        ("1, 2", "(1, 2)"),
        ("'a' # done", "'a'"),
    ],
)
def test_the_same_value_in_other_words_is_right(predicted: str, expected: str) -> None:
    assert same_literal(predicted, expected)


HUGE = [
    "9" * 200_000,
    "[" * 100_000,
    "-" * 90_000 + "1",
    "1+" * 45_000 + "1",
    "{" + "1," * 49_000 + "}",
    "1" + "if 1 else 1" * 8000,
]


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ("True", "1"),
        ("1", "True"),
        ("1.0", "1"),
        ("[True]", "[1]"),
        ("{1: True}", "{1: 1}"),
        ("{True: 1}", "{1: 1}"),
        ("{(True,)}", "{(1,)}"),
        ("(1, 2)", "[1, 2]"),
        ("1 or True", "1"),
        ("[1, 2", "[1, 2]"),
        ("", "''"),
        ("None", "'None'"),
        ("'１'", "'1'"),
        ("{[1]: 2}", "1"),
        *((text, "1") for text in HUGE),
    ],
)
def test_anything_else_is_wrong(predicted: str, expected: str) -> None:
    assert not same_literal(predicted, expected)


def test_text_is_parsed_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    assert not same_literal(f"open({str(marker)!r}, 'w')", "1")
    assert not same_literal(f"__import__('pathlib').Path({str(marker)!r}).touch()", "None")
    assert not marker.exists()


def test_types_are_named() -> None:
    assert [type_name(t) for t in ("1", "'a'", "[", "set()", "True")] == ["int", "str", "other", "set", "bool"]


@pytest.mark.parametrize(("text", "output"), [
    ("'a'", "'a'"),
    ("  'a'\n[/ANSWER] and more", "'a'"),
    ("assert f(1) == 'a'", "'a'"),
    ("assert f(1) == 'a==b'  # done", "'a==b'"),
    ("f(1) == [1,\n 2]", "[1,\n 2]"),
    ("assert f(1) == 1, 'message'", "1"),
    ("thought\n[ANSWER]\nassert f(1) == {'a': 1}\n[/ANSWER]", "{'a': 1}"),
    ("[ANSWER]1[/ANSWER] [ANSWER]2[/ANSWER]", "1"),
    ("1;", "1"),
    ("1 or True", "1 or True"),
    ("assert f(1) == 1 or True", "assert f(1) == 1 or True"),
    ("1\nassert True", "1\nassert True"),
    ("?? == [1", "[1"),
    ("[ANSWER]", None),
    ("", None),
    ("x" * 200_000, None),
])  # fmt: skip
def test_an_output_is_read_from_a_text(text: str, output: str | None) -> None:
    assert read_output(text) == output


@pytest.mark.parametrize(("text", "call"), [
    ("f(1)", "f(1)"),
    ("assert f(1, 'a==b') == 2", "f(1, 'a==b')"),
    ("f(1) == 2", "f(1)"),
    ("[THOUGHT]…[/THOUGHT][ANSWER]\nassert f([1,\n 2]) == 2\n[/ANSWER]", "f([1,\n 2])"),
    ("assert f(1) == [", "f(1)"),
    ("assert f(1) or True", "f(1) or True"),
    ("", None),
])  # fmt: skip
def test_an_input_is_read_from_a_text(text: str, call: str | None) -> None:
    assert read_call(text) == call


@pytest.mark.parametrize("text", HUGE)
def test_texts_that_no_parser_likes_are_read_as_nothing_special(text: str) -> None:
    assert read_output(text) in (text, None)
    assert read_call(text) in (text, None)
    assert simple_call(f"f({text})", "f")[0] in (None, f"f({text})")


@pytest.mark.parametrize(("text", "is_call", "is_literal"), [
    ("f(1, [2], 'a', x={'b': -1})", True, True),
    ("f(set())", True, True),
    ("f()", True, True),
    ("f(2 ** 3)", True, False),
    ("f(*[1])", False, False),
    ("f(**{'a': 1})", False, False),
    ("g(1)", False, False),
    ("f(f(1))", False, False),
    ("f(x)", False, False),
    ("f(x := 1)", False, False),
    ("f(lambda: 1)", False, False),
    ("f(f'{1}')", False, False),
    ("f(1).real", False, False),
    ("f(1) if 1 else 2", False, False),
    ("(f := print)(1)", False, False),
    ("f(1)\nf(2)", False, False),
    ("'cba' #f(", False, False),
    ("f(", False, False),
])  # fmt: skip
def test_only_calls_with_literals_are_calls(text: str, is_call: bool, is_literal: bool) -> None:
    call, literal = simple_call(text, "f")
    assert (call is not None, literal) == (is_call, is_literal)


@pytest.fixture(scope="module")
def scorer() -> Iterator[LiteralScorer]:
    with LiteralScorer(Setting(isolation=USABLE[-1])) as scorer:
        yield scorer


@pytest.mark.parametrize(("text", "expected", "strict", "official", "reason"), [
    ("'cbacba'", "'cbacba'", True, True, Reason.RIGHT),
    ("'cba' * 2", "'cbacba'", False, True, Reason.UNPARSABLE),
    ("'abc'[::-1] + 'cba'", "'cbacba'", False, True, Reason.UNPARSABLE),
    ("not 0", "True", False, True, Reason.UNPARSABLE),
    ("True", "1", False, True, Reason.WRONG),
    ("1.0", "1", False, True, Reason.WRONG),
    ("2", "1", False, False, Reason.WRONG),
    ("(1, 2)", "[1, 2]", False, False, Reason.WRONG),
    ("1 + 1", "1", False, False, Reason.UNPARSABLE),
    ("1 / 0", "1", False, False, Reason.UNPARSABLE),
    ("1 or True", "1", False, False, Reason.UNPARSABLE),
    ("1 if True else 2", "1", False, False, Reason.UNPARSABLE),
    ("1 == 1", "True", False, False, Reason.UNPARSABLE),
    ("(o := 1)", "1", False, False, Reason.UNPARSABLE),
    ("f(1)", "1", False, False, Reason.UNPARSABLE),
    ("[1 for _ in 'a']", "[1]", False, False, Reason.UNPARSABLE),
    ("f'{1}'", "'1'", False, False, Reason.UNPARSABLE),
    ("type('X', (), {'__eq__': lambda s, o: True})()", "1", False, False, Reason.UNPARSABLE),
    (None, "1", False, False, Reason.UNPARSABLE),
    *((text, "1", False, False, Reason.UNPARSABLE) for text in HUGE if "{" not in text),
])  # fmt: skip
def test_verdicts(
    scorer: LiteralScorer, text: str | None, expected: str, strict: bool, official: bool, reason: Reason
) -> None:
    verdict = scorer.score(text, expected)
    assert (verdict.strict, verdict.official, verdict.reason) == (strict, official, reason)


def test_an_expression_that_takes_for_ever_is_ended(scorer: LiteralScorer) -> None:
    start = time.monotonic()
    assert not scorer.score("9**9**9", "1").official
    assert not scorer.score("'a' * 10**10", "'a'").official
    assert time.monotonic() - start < 30


def test_without_a_sandbox_literals_are_judged_and_expressions_are_not() -> None:
    with LiteralScorer(Setting(isolation="none such")) as scorer:
        assert scorer.score("[1]", "[1]").strict
        verdict = scorer.score("1 + 1", "2")
    assert not verdict.official
    assert "not evaluated" in verdict.detail
