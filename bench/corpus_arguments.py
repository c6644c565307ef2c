"""How well arguments are found for functions that come without them; one JSON line.

    python bench/corpus_arguments.py functions.jsonl                 # {"code" or "source": …, "entry": …} a line
    python bench/corpus_arguments.py functions.jsonl --tries 300 --failures 20
    python bench/corpus_arguments.py src/package/*.py                # every function of modules that import only the stdlib

Without `entry` it takes every public function of the module's top level. Each function is explored in a forked child with
limits of CPU time, memory and files, in an empty folder; that is no sandbox, so use it on code you would run yourself.
"""

import argparse
import ast
import json
import os
import resource
import select
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foretrace.corpus.arguments import Budget, Report, explore

MEMORY = 2 << 30
PATIENCE = 20
"""Seconds for one function, of CPU and of real time."""


def functions(path: Path) -> Iterator[tuple[str, str, str]]:
    """Name, source and entry of every function of a file."""
    if path.suffix == ".py":
        rows = [{"source": path.read_text(encoding="utf-8"), "path": path.name}]
    else:
        with path.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
    for row in rows:
        source = row.get("source") or row["code"]
        if isinstance(row.get("entry"), str):
            yield row["entry"], source, row["entry"]
            continue
        for node in ast.parse(source).body:
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and not node.name.startswith("_")
                and is_called(node)
            ):
                yield f"{row.get('path') or row.get('id', '')}:{node.name}", source, node.name


def bare(source: str) -> str:
    """The source without annotations, docstrings and the part that runs as a script."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body[:1] = [] if len(body) > 1 else [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(tree))


def is_called(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it takes arguments: others, such as `main` and tests, need none."""
    given = node.args
    return bool(given.posonlyargs or given.args or given.kwonlyargs or given.vararg)


def explored(source: str, entry: str, seed: int, budget: Budget) -> dict[str, Any]:
    """Explores a function in a child; what it found, or why it did not."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        child(source, entry, seed, budget, writing)
    os.close(writing)
    data, ends = b"", time.monotonic() + PATIENCE
    while True:
        ready, _, _ = select.select([reading], [], [], max(ends - time.monotonic(), 0))
        part = os.read(reading, 1 << 16) if ready else b""
        data += part
        if not part:
            break
    os.close(reading)
    if time.monotonic() >= ends:
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    found: dict[str, Any] = json.loads(data) if data else {"failed": f"ended with status {status}"}
    return found


def child(source: str, entry: str, seed: int, budget: Budget, writing: int) -> None:
    """Explores and writes the result; never returns."""
    os.setpgid(0, 0)
    for limit, most in ((resource.RLIMIT_CPU, PATIENCE), (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 1 << 20)):
        resource.setrlimit(limit, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        writing = os.dup2(writing, 200)  # out of reach of a function that opens and closes 4
        try:
            started = time.process_time()
            found = explore(source, entry, seed, budget)
            spent = time.process_time() - started
            calls = [(c.arguments, c.outcome, c.kind, c.events, c.is_non_trivial) for c in found.calls]
            result = {
                "calls": calls,
                "coverage": found.coverage,
                "tries": found.tries,
                "timeouts": found.timeouts,
                "seconds": spent,
            }
        except BaseException as error:
            result = {"failed": f"{type(error).__name__}: {error}"[:200]}
        os.write(writing, json.dumps(result).encode())
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--tries", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="take one function in so many")
    parser.add_argument("--bare", action="store_true", help="without annotations, docstrings and scripts: nothing is told")
    parser.add_argument("--failures", type=int, default=0, help="name so many functions without a successful call")
    parser.add_argument("--show", type=int, default=0, help="show the calls of so many functions")
    given = parser.parse_args()
    budget, report = Budget(tries=given.tries), Report()
    milliseconds: list[float] = []
    failed: Counter[str] = Counter()
    rows = [row for path in given.paths for row in functions(path)][:: given.every]
    for name, source, entry in rows:
        found = explored(bare(source) if given.bare else source, entry, given.seed, budget)
        if "failed" in found:
            failed[found["failed"].split(":")[0]] += 1
            report.functions += 1
        else:
            report.add(exploration(found))
            milliseconds.append(found["seconds"] * 1000)
        if not any(call[4] for call in found.get("calls", ())) and given.failures > 0:
            given.failures -= 1
            print(name, {k: v for k, v in found.items() if k != "seconds"}, file=sys.stderr)
        elif given.show > 0:
            given.show -= 1
            print(name, *(f"\n    {c[1]:9}{c[2]:16}{c[0]}" for c in found["calls"]), file=sys.stderr)
    figures = report.figures() | {"not_explored": dict(failed), "cpu_ms_mean": round(statistics.fmean(milliseconds), 2)}
    print(json.dumps(figures | {"cpu_ms_median": round(statistics.median(milliseconds), 2), "max_tries": given.tries}))


def exploration(found: dict[str, Any]) -> Any:
    """The exploration of a child's answer."""
    from foretrace.corpus.arguments import Call, Exploration

    return Exploration(tuple(Call(*call) for call in found["calls"]), found["coverage"], found["tries"], found["timeouts"])


if __name__ == "__main__":
    main()
