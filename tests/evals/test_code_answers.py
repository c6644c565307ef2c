"""Code is read out of answers as it was written, and put into programs and calls that say the same."""

import math
import sys
from typing import Any

import pytest

from foretrace.evals.benchmarks.coding import (
    MAX_CHARACTERS,
    PREAMBLE,
    blocks,
    call_text,
    defines,
    program_of,
    read_code,
    read_last,
    read_only,
    text_of,
    write_code,
)
from foretrace.evals.scorers.digests import is_digest, short

SHORT, LONG = "```python\nx = 1\n```", "```py\ny = 1\nz = 2\n```"
BODY = "    total = sum(values)\n    return total\n"


@pytest.mark.parametrize(
    "code", ["x = 1", "x = 1\n", "\n\n    return 1\n\n", "", 's = """\n```\n"""', "a = '````'\r\nb = 1"]
)
def test_what_is_written_is_read(code: str) -> None:
    assert blocks(write_code(code)) == [code]


@pytest.mark.parametrize(
    ("text", "longest", "last", "only"),
    [
        (f"Sure:\n{SHORT}\nDone.", "x = 1", "x = 1", "x = 1"),
        (f"{LONG}\nand\n{SHORT}", "y = 1\nz = 2", "x = 1", None),
        ("```\nx = 1\n```", "x = 1", "x = 1", "x = 1"),
        ("```python\nx = 1", "x = 1", "x = 1", "x = 1"),
        (f"```json\n[1,\n2,\n3]\n```\n{SHORT}", "x = 1", "x = 1", "x = 1"),
        ("  ```python\nx = 1\n  ```", "x = 1", "x = 1", "x = 1"),
        (BODY, BODY, BODY, None),
        (
            "return 1\n        # within a method",
            "return 1\n        # within a method",
            "return 1\n        # within a method",
            None,
        ),
        ("I cannot do that, sorry.", None, None, None),
        ("```text\nx\n```", None, None, None),
        ("", None, None, None),
        ("\n \n", None, None, None),
        ("x" * (MAX_CHARACTERS + 1), None, None, None),
        (f"```python\n{'x' * MAX_CHARACTERS}\n```", None, None, None),
        ("(" * 5000, None, None, None),
    ],
)
def test_which_block_is_the_answer(text: str, longest: str | None, last: str | None, only: str | None) -> None:
    assert (read_code(text), read_last(text), read_only(text)) == (longest, last, only)


PROMPT = 'import math\n\ndef half(n):\n    return n / 2\n\n\ndef f(values):\n    """Adds them."""\n'


def test_a_body_goes_on_where_the_prompt_ends() -> None:
    assert run(program_of(PROMPT, BODY, "f"), "f([1, 2])") == 3


def test_a_whole_program_has_the_prompts_helpers() -> None:
    program = program_of(PROMPT, "def f(values):\n    return half(math.prod(values))\n", "f")
    assert "Adds them" not in program
    assert run(program, "f([3, 4])") == 6


def test_a_program_that_defines_something_else_is_a_continuation() -> None:
    assert program_of(PROMPT, "def g():\n    pass\n", "f").startswith(PROMPT)
    assert not defines("def g(", "g")
    assert defines("f: object = len", "f")
    assert defines("f = len", "f")
    assert defines("class f: pass", "f")


def test_names_that_begin_alike_are_other_names() -> None:
    prompt = "def find(x):\n    return x\n\ndef find_all(x):\n"
    assert run(program_of(prompt, "def find_all(x):\n    return [find(x)]\n", "find_all"), "find_all(1)") == [1]


def test_the_preamble_leaves_builtins_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "setrecursionlimit", lambda limit: None)  # it is this process's own
    space: dict[str, Any] = {}
    exec(PREAMBLE, space)
    assert eval("pow(2, 5, 7), Counter('aab')['a'], heapq.nlargest(1, [1, 2]), List[int], inf", space)[:2] == (4, 2)


@pytest.mark.parametrize("value", [
    None, True, -3, 2.5, -0.0, math.inf, -math.inf, 1 - 2j, complex(-0.0, -1e-16), complex(0.0, -1e-16), "a'\n\"", b"\0", [], (), (1,), [(1, 2), {3}], set(), {"a": {1: None}},
])  # fmt: skip
def test_a_value_is_its_text(value: object) -> None:
    assert repr(eval(text_of(value), {"__builtins__": {}})) == repr(value)


def test_integers_may_have_more_digits_than_python_writes() -> None:
    assert eval(text_of([-(10**5000)])) == [-(10**5000)]


def test_a_text_without_names_cannot_be_changed_by_names() -> None:
    text = call_text("f", [float("nan"), 1], {"limit": -math.inf})
    assert text == "f((1e999 - 1e999), 1, limit=-1e999)"
    assert math.isnan(eval(text_of(math.nan)))


def run(program: str, call: str) -> object:
    space: dict[str, Any] = {}
    exec(program, space)
    return eval(call, space)


@pytest.mark.parametrize("value", [[1, 2], "text", 10**100, (None,), {"a": [1]}, [object], {1: object}])
def test_short_values_and_what_is_no_plain_value_stay(value: object) -> None:
    assert short(value) is value


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0] * 9000, [0] * 8999),
        ([0] * 9000, [0] * 8999 + [False]),
        ([0] * 9000, (0,) * 9000),
        ("a" * 9000, b"a" * 9000),
        ([[1]] * 9000, [(1,)] * 9000),
    ],
)
def test_long_values_are_told_apart(a: object, b: object) -> None:
    assert is_digest(short(a))
    assert is_digest(short(b))
    assert short(a) != short(b)


def test_a_digest_depends_on_the_value_alone() -> None:
    again = "ab" * 3000
    assert short([again, again] * 500) == short([*("".join(["ab"] * 3000) for _ in range(1000))])
