"""Whatever a benchmark holds is recognised, renamed and reworded a little; what is everybody's is not."""

import gzip
import json
from pathlib import Path

import pytest

from foretrace.corpus import Benchmarks, Origin, Subject
from foretrace.errors import UsageError

SOLUTION = "def longest(words, limit):\n    best = ''\n    for w in words:\n        if len(w) > len(best) and len(w) < limit:\n            best = w\n    return best\n"
PROBLEM = "You are given a list of words and a limit. Return the longest word that is strictly shorter than the limit, or an empty text if there is none."


def subject(source: str, name: str = "mine 1.0", kind: str = "harvested") -> Subject:
    return Subject(source=source, entry="f", origin=Origin(kind=kind, name=name))  # type: ignore[arg-type]


@pytest.fixture
def benchmarks(tmp_path: Path) -> Benchmarks:
    rows = {
        "humaneval.jsonl": {"prompt": "def longest(words, limit):\n", "canonical_solution": SOLUTION.partition("\n")[2], "test": "assert 1"},
        "problems.jsonl": {"problem": PROBLEM, "answer": "3"},
        "livecode.jsonl": {"question_content": "x", "accepted_solutions": [{"code": "n = int(input())\nfor i in range(n):\n    print(sum(j * j for j in range(i)) % 7)\n"}]},
        "swe.jsonl": {"repo": "psf/requests", "problem_statement": "It fails.", "patch": "diff"},
    }  # fmt: skip
    files = []
    for name, row in rows.items():
        files.append(str(tmp_path / name))
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    packed = tmp_path / "list.json.gz"
    packed.write_bytes(
        gzip.compress(
            json.dumps([{"sat": "def sat(a: int, b=17):\n    return a * b == 391 and a > b // 2 and a % 2"}]).encode()
        )
    )
    return Benchmarks([*files, str(packed)])


@pytest.mark.parametrize(("source", "reason", "where"), [
    (SOLUTION, "syntax tree", "humaneval.jsonl, row 1"),
    (SOLUTION.replace("words", "items").replace("best", "found").replace("longest", "g"), "syntax tree", "humaneval.jsonl, row 1"),
    (SOLUTION.replace("    return best\n", "    print(best)\n    return best\n"), "8-grams", "humaneval.jsonl, row 1"),
    (f'def f(a):\n    """{PROBLEM}\n\n    More."""\n    return a\n', "13 words", "problems.jsonl, row 1"),
    (f"# {PROBLEM.upper()}\ndef f(a):\n    return a\n", "13 words", "problems.jsonl, row 1"),
    ("n = int(input())\nfor i in range(n):\n    print(sum(j * j for j in range(i)) % 7)\n", "8-grams", "livecode.jsonl, row 1"),
    ("def sat(x, y=3):\n    return x * y == 1 and x > y // 9 and x % 5\n", "syntax tree", "list.json.gz, row 1"),
])  # fmt: skip
def test_copies_are_found_and_traced_to_their_row(benchmarks: Benchmarks, source: str, reason: str, where: str) -> None:
    found = benchmarks.match(subject(source))
    assert found is not None
    assert reason in found[0]
    assert found[1] == where


def test_repositories_of_a_benchmark_are_left_out_by_name(benchmarks: Benchmarks) -> None:
    assert benchmarks.match(subject("def f():\n    return 1\n", "requests 2.1"))
    assert benchmarks.match(subject("def f():\n    return 1\n", "Requests")) is not None
    assert benchmarks.match(subject("def f():\n    return 1\n", "requests-mock 1.0")) is None
    assert benchmarks.match(subject("def f():\n    return 1\n", "requests", "synthesised")) is None


@pytest.mark.parametrize("source", [
    "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x + 1)\n    return out\n",
    "def f(a):\n    '''One two three four five six seven eight nine ten eleven twelve 1 2 3.'''\n    return a\n",
    "def f(x):\n    return sorted(set(x))\n",
    "def f(:\n",
])  # fmt: skip
def test_what_is_everybodys_is_not_found(benchmarks: Benchmarks, source: str) -> None:
    assert benchmarks.match(subject(source)) is None


@pytest.mark.parametrize("content", ["{", "[1]", '"x"\n'])
def test_a_file_of_another_form_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "b.jsonl").write_text(content)
    with pytest.raises(UsageError, match=r"cannot read the benchmark .*b\.jsonl"):
        Benchmarks([str(tmp_path / "b.jsonl")])
    with pytest.raises(UsageError, match="none"):
        Benchmarks([str(tmp_path / "none.jsonl")])
