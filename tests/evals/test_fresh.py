"""A fresh set like CRUXEval: the filters, that no two programs are alike, and that a seed is a set."""

import hashlib
import json

import pytest

from foretrace.evals.benchmarks.fresh import INPUT, OUTPUT
from foretrace.evals.synthetic.distinct import Distinct
from foretrace.evals.synthetic.filters import LENGTH, fault, keep
from foretrace.evals.synthetic.recording import many_recordings, record_all
from foretrace.evals.types import Benchmark, Item, Options, Setting
from foretrace.record import record_program
from foretrace.trace import Limits

PAD = "    # a comment that makes the code long enough to be looked at by the filters\n"
PUBLISHED = "b8f015b984c4b416"


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return OUTPUT.load(Options(count=60))


def code(*lines: str) -> str:
    return f"def f(a, b):\n{PAD}" + "".join(f"    {line}\n" for line in lines)


def test_outputs_are_what_comes_out(items: list[Item]) -> None:
    for item in items:
        row = item.row
        assert len(row["code"]) in LENGTH
        assert record_program(row["code"], "f", row["input"]).result == row["output"]
    assert len({item.row["code"] for item in items}) == len(items)


def test_a_published_seed_gives_the_published_items(items: list[Item]) -> None:
    rows = json.dumps([item.row for item in items[:20]]).encode()
    assert hashlib.sha256(rows).hexdigest()[:16] == PUBLISHED
    assert OUTPUT.load(Options(count=5)) == items[:5]
    assert OUTPUT.load(Options(count=5, seed=1)) != items[:5]


@pytest.mark.parametrize("benchmark", [OUTPUT, INPUT])
def test_gold_passes_and_wrong_fails(benchmark: Benchmark) -> None:
    items = benchmark.load(Options(count=20))
    with benchmark.scorer(Setting(isolation="process")) as score:
        for item in items:
            gold, wrong = (score(item, item.controls[name]) for name in ("gold", "wrong"))
            assert (gold.strict, gold.official, wrong.strict, wrong.official) == (True, True, False, False), item.id


@pytest.mark.parametrize(
    ("source", "arguments", "why"),
    [
        ("def f(a):\n    return a\n", "1", "length"),
        (code(*["a = a + b"] * 30), "1, 2", "length"),
        (code("import os", "return a, b"), "1, 2", "forbidden"),
        (code("return hash(a), b"), "1, 2", "forbidden"),
        (code("return a.__class__, b"), "1, 2", "forbidden"),
        (code("return {a, b}"), "1, 2", "sets, powers or division"),
        (code("return a / b"), "1, 2", "sets, powers or division"),
        (code("return a ** b"), "1, 2", "sets, powers or division"),
        (code("return a, b"), "{1}, 2", "sets, powers or division"),
        (code("return a * 0.5, b"), "1, 2", "floats"),
        (code("return a, b"), "1.5, 2", "floats"),
        (code("return a"), "1, 2", "unused parameter"),
        (code("return (a"), "1, 2", "syntax"),
        (code("return a, b", "", "x = 1").replace("    x", "x"), "1, 2", "no single function f"),
        (code("return a, b, '\x07'"), "1, 2", "not printable"),
        (code("return a, b"), "1, 2", None),
    ],
)
def test_what_is_wrong_is_seen_before_it_is_run(source: str, arguments: str, why: str | None) -> None:
    assert fault(source, arguments) == why


@pytest.mark.parametrize(
    ("line", "arguments", "output"),
    [
        ("return a * 3 + b", "7, 2", "23"),
        ("return a * b", "4, 4", None),  # both operands over 3
        ("return a + b", "'abc', 'abcdef'", "'abcabcdef'"),
        ("return a + b", "'abcd', 'abcdef'", None),
        ("a += b; return a", "[1, 2, 3, 4], [1, 2, 3, 4]", None),
        ("a[0] += b; return a", "[9], 2", "[11]"),
        ("return a * (b - a)", "5, 3", "-10"),  # inner operands first: each pair by itself
        ("return a[b] or 1", "[], 0", None),  # raises
        ("return [x for x in a if x.isalpha()], b", "'a1', 0", "(['a'], 0)"),
        ("return a.index(b) if b in a else next(iter(()))", "'a', 'b'", None),
        ("while a: b = a", "1, 2", None),
        ("return a * 200, b", "'x', 1", None),  # too long
        ("return a / b if 0 else a.upper, b", "'x', 1", None),
        ("return lambda: (a, b)", "1, 2", None),  # no literal
        ("return ..., a, b", "1, 2", None),
        ("return b // a", "2, 9", "4"),
        ("return '%s' % a + b", "'x', 'y'", "'xy'"),
    ],
)
def test_what_is_wrong_is_seen_when_it_is_run(line: str, arguments: str, output: str | None) -> None:
    with many_recordings() as box:
        [kept] = keep([(code(line), arguments)], box)
    assert (kept.output if kept else None) == output


def test_programs_alike_are_found_whatever_their_names() -> None:
    distinct = Distinct()
    one = "def f(text):\n    found = []\n    for c in text:\n        if c.isalpha():\n            found.append(c)\n    return found\n"
    renamed = one.replace("text", "s").replace("found", "out")
    longer = renamed.replace("return out", "out.append('x')\n    return out")
    other = "def f(n):\n    total = 0\n    while n:\n        total += n % 10\n        n //= 10\n    return str(total)\n"
    assert [distinct.add(source) for source in (one, renamed, longer, other)] == [True, False, False, True]
    assert not distinct.add("def f(a):\n    return a\n")  # too short to be anyone's


def test_one_program_that_ends_its_process_costs_only_itself() -> None:
    good = ("def f(n):\n    return n\n", "f", "1")
    bad = [
        ("def f(n):\n    import os\n    os._exit(0)\n", "f", "1"),
        ("def f(n:\n", "f", "1"),
        ("def f():\n    pass\n", "f", "1"),
    ]
    with many_recordings() as box:
        found = record_all([good, *bad, good], box, Limits(seconds=2))
    assert [trace.result if trace else None for trace in found] == ["1", None, None, None, "1"]
