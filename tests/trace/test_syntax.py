"""Parsing in several threads at once, quietly."""

import ast
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from foretrace.trace.syntax import UNREADABLE, literal, parse

SOURCE = "def f(x):\n" + "".join(f"    y{i} = [x, ({i}, 'a')]\n" for i in range(40))


@pytest.fixture
def impatient() -> Iterator[None]:
    """Threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class Noisy:
    """Garbage whose collection runs Python code, which lets another thread have its turn."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


def test_threads_parse_at_once(impatient: None) -> None:
    """Without the lock, CPython 3.11 fails here within a second: AST constructor recursion depth mismatch."""
    errors: list[BaseException] = []

    def work(depth: int) -> None:
        if depth:
            return work(depth - 1)
        try:
            for _ in range(300):
                [Noisy() for _ in range(5)]
                assert len(parse(SOURCE).body) == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(3 * number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_odd_escapes_are_not_worth_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(parse(r"x = '\d'").body) == 1
        assert literal(r"'\d'") == r"\d"


def test_an_expression_and_a_literal() -> None:
    assert isinstance(parse("a + 1", expression=True).body, ast.BinOp)
    assert literal(" [1, {'a': (2.5, None)}]") == [1, {"a": (2.5, None)}]


@pytest.mark.parametrize(
    "text", ["", "x", "[1", "f(1)", "1 if True else 2", "'\0'", "(" * 300, "-" * 100_000 + "1", "{[]: 1}"]
)
def test_what_is_no_literal(text: str) -> None:
    with pytest.raises(UNREADABLE):
        literal(text)
