"""The pipeline from sources to files: what is kept, what is dropped and why, and that no kill changes a byte."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.engines import open_engine
from foretrace.data.pipeline.make import make
from foretrace.errors import UsageError
from foretrace.trace import read_binary

PROGRAMS = [
    {"code": "def f(text):\n    out = []\n    for c in text:\n        out.append(c)\n    return out", "input": "'abc'"},
    {"code": "def f(text):\n    out = []\n    for c in text:\n        out.append(c)\n    return out", "input": "'abcd'"},
    {"code": "def g(n):\n    if n < 0:\n        raise ValueError(n)\n    return n * 2", "entry": "g", "calls": ["1", "-1", "-2", "2"]},
    {"code": "import time\ndef f(x):\n    return time.perf_counter() + x", "input": "1"},
    {"code": "def f(x):\n    open('here', 'w').write('x')\n    return x", "input": "1"},
    {"code": "SEEN = []\ndef f(x):\n    SEEN.append(x)\n    return len(SEEN)", "input": "1"},
    {"code": "def f(n):\n    while True:\n        n += 1", "input": "1"},
    {"code": "def f(n):\n    return list(range(n))", "input": "1000"},
    {"code": "def f(n):\n    import os\n    os._exit(0)", "input": "1"},
    {"code": "raise RuntimeError('no module')\ndef f(n):\n    return n", "input": "1"},
    {"code": "def f(n):\n    return n", "input": "nothing"},
    {"code": "def f(n):\n    return n", "entry": "h", "calls": ["1"]},
    {"code": "import os\nDRAWN = os.urandom(4).hex()\ndef f(x):\n    return DRAWN + x", "input": "'a'"},
    {"code": "import zlib, time\ndef f(x):\n    y = time.time() > 4e9\n    return y + x", "input": "1"},
    {"code": "import os.path\ndef f(x):\n    return os.path.expanduser('~') + x", "input": "'b'"},
    {"code": "def f(n):\n    import random\n    return random.random() < n", "input": "2"},
]  # fmt: skip


@pytest.fixture
def programs(tmp_path: Path) -> str:
    file = tmp_path / "programs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in PROGRAMS))
    return str(file)


def made(folder: Path, *sources: str, workers: int = 1, **settings: Any) -> dict[str, Any]:
    settings = {"tries": 0, **settings}
    return make(Definition(sources=sources, **settings), str(folder), open_engine("local", workers))


def rows(folder: Path, kind: str = "traces") -> list[dict[str, Any]]:
    return [row for file in sorted(folder.glob(f"{kind}-*.parquet")) for row in parquet.read_table(file).to_pylist()]


def prints(folder: Path) -> dict[str, str]:
    """A fingerprint of each file."""
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    }


def test_each_call_is_kept_or_dropped_with_its_reason(tmp_path: Path, programs: str) -> None:
    manifest = made(tmp_path / "out", programs)
    kept = Counter((row["entry"], row["arguments"]) for row in rows(tmp_path / "out"))
    assert kept == Counter([("f", "'abc'"), ("f", "'abcd'"), ("g", "1"), ("g", "-1"), ("g", "2"), ("f", "2")])
    drops = rows(tmp_path / "out", "drops")
    assert sum(row["reason"] == "not pure: differs when called again" for row in drops) == 3
    reasons = {(row["stage"], row["reason"]) for row in drops}
    assert reasons == {
        ("filter", "too many calls that raise"),
        ("filter", "not pure: asks the clock or the system"),
        ("filter", "not pure: touches files or the system"),
        ("filter", "not pure: differs when called again"),
        ("filter", "not pure: shows where it ran"),
        ("filter", "too long: events"),
        ("filter", "a value was too large to be shown whole"),
        ("record", "the run ended early: exited"),
        ("record", "its top level or its entry failed"),
        ("record", "the arguments could not be evaluated"),
        ("harvest", "the function to call is not defined in the code"),
    }
    assert sum(manifest["dropped"].values()) == len(rows(tmp_path / "out", "drops"))


def test_a_row_says_what_its_trace_is(tmp_path: Path, programs: str) -> None:
    made(tmp_path / "out", programs, licence="MIT", narrate=True)
    row = next(row for row in rows(tmp_path / "out") if row["arguments"] == "-1")
    [trace] = read_binary(row["trace"])
    assert (trace.header.source, str(trace.header.outcome)) == (row["source"], "raised")
    assert (row["events"], row["depth"], row["functions"]) == (len(trace), 0, 1)
    assert (row["value"], row["kind"], row["licence"]) == ("ValueError(-1)", "jsonl", "MIT")
    assert row["coverage"] == pytest.approx(2 / 3)
    assert row["constructs"] == ["BinOp", "Call", "Compare", "FunctionDef", "If", "Raise", "Return"]
    assert row["value_types"] == ["ValueError", "int"]
    assert "ValueError(-1)" in row["narration"]
    assert row["tokens"] > 20


def test_arguments_are_found_for_functions_without_any(tmp_path: Path) -> None:
    package = tmp_path / "src"
    package.mkdir()
    (package / "words.py").write_text(
        "import re\n\nLIMIT = 3\n\ndef shorten(words: list[str]) -> list[str]:\n    return [w[:LIMIT] for w in words]\n\n"
        "def count(text, char='a'):\n    n = 0\n    for c in text:\n        if c == char:\n            n += 1\n    return n\n"
    )
    made(tmp_path / "out", str(package), tries=60)
    found = rows(tmp_path / "out")
    assert {row["entry"] for row in found} == {"shorten", "count"}
    assert all("import re" not in row["source"] for row in found)
    assert max(row["coverage"] for row in found if row["entry"] == "count") == 1.0


def test_scripts_are_run_with_their_inputs_and_judged(tmp_path: Path) -> None:
    file = tmp_path / "contest.jsonl"
    program = {"solution": "n = int(input())\nprint(n * n)\n", "inputs": ["3\n", "4\n"], "outputs": ["9\n", "15\n"]}
    file.write_text(json.dumps(program) + "\n")
    made(tmp_path / "out", str(file))
    assert [(row["arguments"], row["passed"], row["entry"]) for row in rows(tmp_path / "out")] == [
        ("3\n", True, "<module>"),
        ("4\n", False, "<module>"),
    ]


def test_near_duplicates_go_and_say_what_they_repeat(tmp_path: Path) -> None:
    body = "\n".join(f"    total += values[{i}] * {i}" for i in range(40))
    sources = [f"def f(values):\n    total = 0\n{body}\n    return total{end}" for end in ("", " + 1", "")]
    file = tmp_path / "programs.jsonl"
    file.write_text(
        "".join(
            json.dumps({"code": f"# {i}\n{s}" if i == 2 else s, "input": "list(range(40))"}) + "\n"
            for i, s in enumerate(sources)
        )
    )
    made(tmp_path / "out", str(file))
    assert [row["source"] for row in rows(tmp_path / "out")] == [sources[0]]
    assert [row["reason"] for row in rows(tmp_path / "out", "drops")] == ["nearly the same source"] * 2
    made(tmp_path / "all", str(file), near_duplicate=2.0)
    assert len(rows(tmp_path / "all")) == 3


def test_what_a_benchmark_has_is_left_out(tmp_path: Path, programs: str) -> None:
    benchmark = tmp_path / "bench.jsonl"
    renamed = PROGRAMS[0]["code"].replace("text", "s").replace("out", "chars")  # type: ignore[attr-defined]
    benchmark.write_text(json.dumps({"task_id": 1, "code": renamed}) + "\n")
    made(tmp_path / "out", programs, benchmarks=(str(benchmark),))
    assert all(row["source"] != PROGRAMS[0]["code"] for row in rows(tmp_path / "out"))
    assert [row["detail"] for row in rows(tmp_path / "out", "drops") if row["stage"] == "decontamination"] == [
        "bench.jsonl, row 1"
    ]


def test_one_process_or_several_give_the_same_bytes(tmp_path: Path, programs: str) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        made(tmp_path / name, programs, "synthesised:40", workers=workers, subjects_per_shard=11, tries=20)
    assert prints(tmp_path / "one") == prints(tmp_path / "two")


@pytest.mark.slow
def test_no_kill_changes_a_byte(tmp_path: Path) -> None:
    settings = ["--set", "subjects_per_shard=8", "--set", "tries=20", "--workers", "2"]
    command = [sys.executable, "-m", "foretrace", "data", "make"]
    subprocess.run([*command, tmp_path / "whole", "synthesised:400", *settings], check=True, capture_output=True)
    rng, kills = random.Random(1), 0
    while not (tmp_path / "killed" / "manifest.json").exists():
        process = subprocess.Popen(
            [*command, tmp_path / "killed", "synthesised:400", *settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(rng.uniform(0.5, 3.0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills > 2
    assert prints(tmp_path / "whole") == prints(tmp_path / "killed")


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    definition = Definition(sources=("synthesised:60",), subjects_per_shard=10, tries=0)
    killed = []

    def kill_one(stage: str, done: int, wanted: int, counted: Counter[str]) -> None:
        if stage == "execute" and not killed:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            workers = [pid for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
            killed.extend(workers[:1])
            os.kill(int(workers[0]), signal.SIGKILL)

    make(definition, str(tmp_path / "out"), open_engine("local", 2), kill_one)
    assert killed
    make(definition, str(tmp_path / "again"), open_engine("local", 1))
    assert prints(tmp_path / "out") == prints(tmp_path / "again")


def test_a_folder_is_for_one_dataset(tmp_path: Path, programs: str) -> None:
    made(tmp_path / "out", programs)
    before = prints(tmp_path / "out")
    made(tmp_path / "out", programs)
    assert prints(tmp_path / "out") == before
    with pytest.raises(UsageError, match="another dataset"):
        made(tmp_path / "out", programs, seed=1)
    Path(programs).write_text(json.dumps(PROGRAMS[0]) + "\n")
    with pytest.raises(UsageError, match="sources have changed"):
        made(tmp_path / "out", programs)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        made(tmp_path / "other", programs)


@pytest.mark.parametrize("wrong", [
    {"sandbox": "docker"}, {"sources": ("nowhere.tar.gz",)}, {"sources": ("tests:nowhere",)}, {"benchmarks": ("nowhere.jsonl",)},
])  # fmt: skip
def test_a_mistake_claims_no_folder(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        make(Definition(**{"sources": ("synthesised:3",), **wrong}), str(tmp_path / "out"), open_engine("local", 1))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("settings", "message"), [
    ({"sources": ()}, "needs a source"),
    ({"sources": ("synthesised:1",), "calls": 0}, "calls must be at least 1"),
])  # fmt: skip
def test_impossible_definitions_are_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Definition(**settings)
    with pytest.raises(UsageError, match=r"no engine called 'spark'.*local, ray"):
        open_engine("spark", 1)


def test_other_tools_read_it(tmp_path: Path, programs: str) -> None:
    import duckdb

    made(tmp_path / "out", programs)
    query = f"SELECT count(*), sum(events) FROM '{tmp_path}/out/traces-*.parquet' WHERE outcome = 'returned'"
    assert duckdb.sql(query).fetchall()[0][0] == 5
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\n")
    assert "`trace` (binary)" in card
    assert "not compared with any benchmark" in card


def test_a_model_proposes_and_narrates_and_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "programs.jsonl"
    file.write_text(json.dumps({"code": "def f(a, b):\n    return a + b", "entry": "f", "calls": ["1, 2"]}) + "\n")
    with Server() as url:
        made(tmp_path / "out", str(file), narrate=True, server=url, model="m")
    found = {row["arguments"]: row["narration"] for row in rows(tmp_path / "out")}
    assert set(found) == {"1, 2", "'x', 'y'"}
    assert found["1, 2"] == "It adds. Final value: 3"
    assert found["'x', 'y'"] is None
    with pytest.raises(UsageError, match="--server and --model"):
        Definition(sources=("x",), server="http://localhost")


class Server:
    """A model that proposes a call, and always says that the result is 3."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
            text = "It adds. Final value: 3" if "Final value" in asked else "```python\nf('x', 'y')\n```"
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            body = json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    def __enter__(self) -> str:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
