"""Makes a dataset of traces: the stages in order, doing only what is not done yet.

    make(Definition(sources=("toolz-1.2.0.tar.gz", "synthesised:1000")), "dataset", open_engine("local", 2))

Killed at any instant and started again, it goes on: files appear whole or not at all, and no file depends on time, on who
made it, or on the order in which tasks ended.
"""

import json
import platform
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from foretrace import __version__
from foretrace.corpus.sources import subjects
from foretrace.data.pipeline.card import card
from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.engines import Engine
from foretrace.data.pipeline.stages import STAGES, missing, tasks
from foretrace.data.pipeline.storage import Storage
from foretrace.errors import UsageError
from foretrace.sandbox import Sandbox

Progress = Callable[[str, int, int, Counter[str]], None]
"""Called with a stage, how many of its tasks are done and wanted, and what this run has counted in it."""


def make(
    definition: Definition, url: str, engine: AbstractContextManager[Engine], progress: Progress | None = None
) -> dict[str, Any]:
    """Makes the dataset in the folder `url`, any `fsspec` path that all workers reach; returns its manifest.

    Raises:
        UsageError: the folder holds another dataset, or a source or benchmark cannot be read.
        SandboxError: untrusted code cannot be run here.
        PipelineError: workers were killed again and again.

    """
    _check(definition)
    storage = Storage(url)
    _claim(storage, definition)
    with engine as run:
        for stage in STAGES:
            _run_stage(stage, definition, url, run, progress)
    manifest = _manifest(storage, definition)
    storage.write("README.md", card(manifest).encode())
    storage.write("manifest.json", (json.dumps(manifest, indent=2) + "\n").encode())
    return manifest


def _check(definition: Definition) -> None:
    """Finds what is wrong with a definition before a folder is claimed for it."""
    Sandbox(definition.sandbox).close()
    for part in definition.parts():
        subjects(part)
    for path in (*definition.repositories(), *definition.benchmarks):
        if not Path(path).exists():
            raise UsageError(f"{path}: no such file or directory")


def _run_stage(stage: str, definition: Definition, url: str, run: Engine, progress: Progress | None) -> None:
    """Runs the tasks of a stage that are not done."""
    wanted, left = len(tasks(stage, definition, url)), missing(stage, definition, url)
    counted: Counter[str] = Counter()
    done = wanted - len(left)
    for counts in run(stage, definition, url, left) if left else ():
        counted.update(counts)
        done += 1
        if progress:
            progress(stage, done, wanted, counted)


def _claim(storage: Storage, definition: Definition) -> None:
    """Says in the folder what it is for; a folder is for one dataset."""
    own = {"definition": definition.as_dict(), "fingerprint": definition.fingerprint(), "made_by": _maker()}
    names = storage.names()
    if "definition.json" not in names:
        if names:
            raise UsageError("the folder holds something else already; choose a new one")
        storage.write("definition.json", (json.dumps(own, indent=2) + "\n").encode())
        return
    there = json.loads(storage.read("definition.json"))
    if there["fingerprint"] != own["fingerprint"]:
        raise UsageError("the folder holds another dataset, or its sources have changed; choose a new folder")
    if there["made_by"] != own["made_by"]:
        raise UsageError(
            f"the folder was begun with {there['made_by']}, and this is {own['made_by']}: they may record differently; "
            "go on with the same versions, or choose a new folder"
        )
    storage.clean()


def _maker() -> dict[str, str]:
    return {"foretrace": __version__, "python": platform.python_version(), "machine": platform.machine()}


def _explored(work: Storage) -> dict[str, float]:
    """How well arguments were found for functions that came without enough."""
    parts = [json.loads(work.read(name)) for name in sorted(work.names()) if name.startswith("explored-")]
    functions, success, coverage = (sum(part[name] for part in parts) for name in ("functions", "with_success", "coverage"))
    if not functions:
        return {"functions": 0}
    shares = {"with_success": round(success / functions, 4), "line_coverage": round(coverage / functions, 4)}
    return {"functions": functions, **shares}


def _manifest(storage: Storage, definition: Definition) -> dict[str, Any]:
    """What the dataset holds, counted from its files."""
    with Sandbox(definition.sandbox) as sandbox:
        walls = [wall for wall, stands in sandbox.walls.items() if stands]
    counts: Counter[str] = Counter()
    subjects: set[bytes] = set()
    groups: dict[str, Counter[str]] = {name: Counter() for name in ("kind", "licence", "outcome", "name")}
    dropped: Counter[str] = Counter()
    for name in sorted(storage.names()):
        if name.startswith("traces-"):
            columns = ["subject", "events", "characters", "tokens", *groups]
            table = storage.read_table(name, columns)
            counts["traces"] += len(table)
            subjects.update(bytes.fromhex(one) for one in table["subject"].to_pylist())
            for column in ("events", "characters", "tokens"):
                counts[column] += sum(table[column].to_pylist())
            for column, group in groups.items():
                group.update(table[column].to_pylist())
        elif name.startswith("drops-"):
            table = storage.read_table(name, ["stage", "reason"])
            dropped.update(f"{row['stage']}: {row['reason']}" for row in table.to_pylist())
    return {
        "version": 1,
        "made_by": _maker(),
        "hash_seed": 0,
        "byte_order": sys.byteorder,
        "sandbox": {"backend": definition.sandbox, "walls": walls},
        "definition": definition.as_dict(),
        "fingerprint": definition.fingerprint(),
        "counts": {"traces": counts["traces"], "subjects": len(subjects), **counts},
        "arguments": _explored(storage.folder("work")),
        **{f"by_{name}": dict(group.most_common()) for name, group in groups.items()},
        "dropped": dict(sorted(dropped.items(), key=lambda item: (-item[1], item[0]))),
    }
