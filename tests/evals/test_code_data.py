"""The real files, for who has them in FORETRACE_EVALDATA: all rows load, and samples of gold pass and of wrong fail."""

import ast
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from foretrace.evals.benchmarks import find_benchmark
from foretrace.evals.benchmarks.mbpp import MBPP_PLUS
from foretrace.evals.types import Options, Setting
from foretrace.sandbox import backends

FOLDER = os.environ.get("FORETRACE_EVALDATA", "")
SETTING = Setting(isolation="bubblewrap" if not backends()["bubblewrap"] else "process")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="FORETRACE_EVALDATA does not name a folder of benchmarks' data"),
]
# name: items, those with gold, those with wrong
COUNTS = {
    "humaneval": (164, 164, 164),
    "humaneval-plus": (164, 164, 164),
    "mbpp": (500, 500, 500),
    "mbpp-plus": (378, 378, 378),
    "leetcode": (180, 178, 180),
    "livecodebench-public": (880, 641, 880),
    "livecodebench-output-public": (748, 748, 748),
    "puzzles": (1661, 1660, 1656),
}


@pytest.mark.parametrize("name", COUNTS)
def test_gold_passes_and_wrong_fails(name: str) -> None:
    benchmark = find_benchmark(name)
    items = benchmark.load(Options())
    controls = [sum(control in item.controls for item in items) for control in ("gold", "wrong")]
    assert (len(items), *controls) == COUNTS[name]
    assert len({item.id for item in items}) == len(items)
    with benchmark.scorer(SETTING) as score:
        for item in items[3 :: len(items) // 5]:
            for style in benchmark.styles.values():
                for control, answer in item.controls.items():
                    assert style.read(style.write(answer)) == answer
                    if control in ("gold", "wrong"):
                        verdict = score(item, answer)
                        assert (verdict.strict, verdict.official) == (control == "gold",) * 2, (item.id, verdict)


@pytest.mark.parametrize(("window", "count"), [(("2024-08-01", "2025-02-01"), 279), (("2024-10-01", "2025-02-01"), 166)])
def test_published_windows(window: tuple[str, str], count: int) -> None:
    assert len(find_benchmark("livecodebench-public").load(Options(window=window))) == count


def test_arguments_of_mbpp_plus_are_those_of_its_other_file() -> None:
    """That one has them as Python literals."""
    (file,) = Path(FOLDER).rglob("MbppPlus-OriginFmt.jsonl.gz")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        tests = {f"Mbpp/{row['task_id']}": row["test"] for row in map(json.loads, lines)}
    compared = 0
    for item in MBPP_PLUS.load(Options()):
        text = next(line for line in tests[item.id].splitlines() if line.startswith("inputs = "))
        if "inf" in text or len(text) > 100_000 or item.id in ("Mbpp/124", "Mbpp/252"):  # complex
            continue
        theirs = ast.literal_eval(text.removeprefix("inputs = "))
        assert set(map(typed, theirs)) <= set(map(typed, item.row["inputs"])), item.id  # a few are left out there
        compared += 1
    assert compared > 350


def typed(arguments: Any) -> str:
    return repr([*arguments])
