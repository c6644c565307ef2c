"""The synthesiser: deterministic, correct, diverse, and nobody's benchmark."""

import ast
import json
import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from foretrace.corpus import Decontaminator, Program, programs, synthesise
from foretrace.corpus.decontaminate import normalised_functions
from foretrace.engine.binding import bind_call
from foretrace.errors import ForetraceError
from foretrace.examples import EXAMPLES, example_file
from foretrace.record import record_program
from foretrace.trace import Limits, Outcome, Trace

COUNT = 1500


@pytest.fixture(scope="module")
def sample() -> list[Program]:
    return list(islice(programs(10_000_000), COUNT))


@pytest.fixture(scope="module")
def traces(sample: list[Program]) -> list[Trace]:
    found = []
    for program in sample:
        try:
            found.append(record_program(program.source, program.entry, program.arguments, Limits(seconds=1, max_events=200)))
        except ForetraceError:
            continue
    return found


def test_the_same_seed_gives_the_same_program_whatever_the_hash_seed() -> None:
    code = "import hashlib; from foretrace.corpus import synthesise; print(hashlib.sha256(repr([synthesise(i) for i in range(200)]).encode()).hexdigest())"
    results = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "123")
    }
    assert len(results) == 1
    assert synthesise(5) == synthesise(5)
    assert synthesise(5) != synthesise(6)


def test_every_program_parses_and_its_arguments_bind(sample: list[Program]) -> None:
    for program in sample:
        compile(program.source, "<synthesised>", "exec")
        bound = bind_call(program.source, program.entry, program.arguments)
        assert bound.entry == program.entry, program


def test_most_programs_return_and_few_are_long(traces: list[Trace]) -> None:
    assert len(traces) >= 0.995 * COUNT
    outcomes = Counter(t.header.outcome for t in traces)
    assert 0.02 < outcomes[Outcome.RAISED] / COUNT < 0.10
    assert outcomes[Outcome.TRUNCATED] / COUNT < 0.02
    lengths = sorted(len(t) for t in traces)
    assert 5 <= lengths[COUNT // 2] <= 20
    assert lengths[-1] > 60


def test_binding_says_what_the_interpreter_says(sample: list[Program], traces: list[Trace]) -> None:
    by_source = {t.header.source: t for t in traces}
    compared = 0
    for program in sample:
        if program.source in by_source:
            real = by_source[program.source]
            assert bind_call(program.source, program.entry, program.arguments).locals == real.frames[0].locals, program
            compared += 1
    assert compared > 0.9 * COUNT


def test_results_have_the_types_that_puzzles_have(traces: list[Trace]) -> None:
    results = [t.result for t in traces if t.result is not None]
    kinds = Counter(r[0] if r[0] in "'\"[{(" else "number" for r in results)
    strings = kinds["'"] + kinds['"']
    assert strings > kinds["["] > kinds["("] > 0
    assert kinds["{"] > 0
    assert strings / len(results) > 0.3


def test_programs_are_diverse(sample: list[Program]) -> None:
    trees = Counter(tuple(normalised_functions(p.source)) or (p.source,) for p in sample)
    assert len(trees) > 0.95 * COUNT
    names: set[str] = set()
    methods: set[str] = set()
    nodes: set[str] = set()
    for program in sample:
        for node in ast.walk(ast.parse(program.source)):
            nodes.add(type(node).__name__)
            if isinstance(node, ast.Name):
                names.add(node.id)
            if isinstance(node, ast.Attribute):
                methods.add(node.attr)
    assert len(names) > 1200
    wanted = "append join replace pop split count lower index items insert copy reverse find upper startswith isdigit sort remove popitem"
    assert set(wanted.split()) <= methods
    constructs = "For While If IfExp ListComp DictComp GeneratorExp Lambda Try Raise Assert JoinedStr NamedExpr Starred Delete Slice Break Continue"
    assert set(constructs.split()) <= nodes


def test_the_demo_programs_are_not_training_data(sample: list[Program]) -> None:
    check = Decontaminator(example_file(e).read_text() for e in EXAMPLES)
    assert [p.source for p in sample if check.overlaps(p.source)] == []


REFERENCE = "def f(text, sep):\n    parts = text.split(sep)\n    out = []\n    for p in parts:\n        if p:\n            out.append(p.upper())\n    return sep.join(out)\n"


@pytest.mark.parametrize(
    "source",
    [
        REFERENCE,
        REFERENCE.replace("parts", "zz").replace("text", "q").replace("out", "res"),
        REFERENCE.replace("    parts", '    """Doc."""\n    parts'),
        "x = 1\n" + REFERENCE.replace("def f", "def other"),
        REFERENCE.replace("    return sep.join(out)\n", "    out.reverse()\n    return out\n"),
    ],
)
def test_copies_renamed_copies_and_near_copies_are_found(source: str) -> None:
    assert Decontaminator([REFERENCE]).overlaps(source)


def test_other_programs_are_not_accused() -> None:
    check = Decontaminator([REFERENCE])
    assert check.overlaps("def f(a):\n    return a + 1\n") is None
    assert (
        check.overlaps(
            "def f(nums):\n    total = 0\n    for n in nums:\n        if n % 2:\n            total += n\n    return total\n"
        )
        is None
    )
    assert Decontaminator([]).overlaps(REFERENCE) is None


def cruxeval() -> Path:
    return Path(os.environ.get("FORETRACE_CRUXEVAL", Path(__file__).parents[3] / "shared/evaldata/cruxeval/cruxeval.jsonl"))


@pytest.mark.skipif(not cruxeval().is_file(), reason="CRUXEval is not in the repository; set FORETRACE_CRUXEVAL")
def test_what_enters_training_shares_nothing_with_cruxeval(sample: list[Program]) -> None:
    rows = [json.loads(line) for line in cruxeval().read_text().splitlines()]
    check = Decontaminator(r["code"] for r in rows)
    assert all(check.overlaps(r["code"]) for r in rows if len(r["code"]) > 120)
    hits = [p for p in sample if check.overlaps(p.source)]
    assert len(hits) < 0.01 * COUNT  # these are dropped by the build; more would mean that templates were copied
    inputs = {r["input"] for r in rows if len(r["input"]) > 12}
    assert not [p for p in sample if p.arguments in inputs]
