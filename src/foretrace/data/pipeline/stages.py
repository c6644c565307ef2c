"""The stages of a dataset, each a list of tasks that are functions of a number: whoever runs them, in whatever order, twice
or after a crash, the files are the same.

    find        part of the sources  -> work/subjects-N, drops-found-N
    choose      all subjects         -> work/chosen, drops-chosen
    execute     a run of chosen ones -> traces-N, drops-N
    tests       one repository       -> traces-rN, drops-rN

A task is done when its last file is there.
"""

import json
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from foretrace.corpus.resemblance import shingles, similarity
from foretrace.data.pipeline.definition import Definition, Drop
from foretrace.data.pipeline.episodes import episode_rows
from foretrace.data.pipeline.execute import PRELOAD, execute
from foretrace.data.pipeline.model import narrate_rows, with_proposals
from foretrace.data.pipeline.storage import Storage
from foretrace.data.pipeline.subjects import candidates, find, from_row, own_text, subject_schema
from foretrace.data.pipeline.tokens import count_tokens
from foretrace.data.schema import arrow_schema, drop_schema, import_arrow
from foretrace.sandbox import Sandbox

Counts = dict[str, int]


def run_find(definition: Definition, url: str, number: int) -> Counts:
    """Finds the subjects of one part of the sources."""
    storage = Storage(url).folder("work")
    rows, drops = find(definition.parts()[number], definition)
    Storage(url).write_rows(f"drops-found-{number:05d}.parquet", [drop.row() for drop in drops], drop_schema())
    storage.write_rows(f"subjects-{number:05d}.parquet", rows, subject_schema())
    return {"subjects": len(rows), "dropped": len(drops)}


def run_choose(definition: Definition, url: str, number: int) -> Counts:
    """Chooses among all subjects: the first of those that are the same or nearly so."""
    storage = Storage(url).folder("work")
    names = sorted(name for name in storage.names() if name.startswith("subjects-"))
    tables = [storage.read_table(name, ["id", "signature"]) for name in names]
    where = [(at, row) for at, table in enumerate(tables) for row in range(len(table))]
    ids = [value for table in tables for value in table["id"].to_pylist()]
    blocks = [np.frombuffer(b"".join(t["signature"].to_pylist()), np.uint32).reshape(len(t), -1) for t in tables if len(t)]
    repeats = _repeats(ids)
    if definition.near_duplicate <= 1 and blocks:
        texts = _Texts(storage, names, where)
        for earlier, later in candidates(np.concatenate(blocks)):
            if later not in repeats and earlier not in repeats:
                pairs = zip(texts[earlier], texts[later], strict=True)
                alike = min(similarity(shingles(one), shingles(other)) for one, other in pairs)
                if alike >= definition.near_duplicate:
                    repeats[later] = (earlier, f"nearly the same source ({alike:.0%})")
    arrow = import_arrow()
    kept = [where[i] for i in range(len(ids)) if i not in repeats]
    drops = _repeat_drops(storage, names, where, ids, repeats)
    Storage(url).write_rows("drops-chosen.parquet", [drop.row() for drop in drops], drop_schema())
    schema = arrow.schema([("file", arrow.string()), ("row", arrow.int32())])
    storage.write_rows("chosen.parquet", [{"file": names[at], "row": row} for at, row in kept], schema)
    return {"chosen": len(kept), "dropped": len(drops)}


def _repeats(ids: list[str]) -> dict[int, tuple[int, str]]:
    """Subjects that are the same as an earlier one: number to that one's number and why."""
    first: dict[str, int] = {}
    return {i: (first[one], "the same source") for i, one in enumerate(ids) if first.setdefault(one, i) != i}


class _Texts:
    """Subjects' own texts and whole sources by number, from a few files at a time."""

    def __init__(self, storage: Storage, names: list[str], where: list[tuple[int, int]]) -> None:
        self._where = where
        self._table = lru_cache(maxsize=8)(lambda at: storage.read_table(names[at], ["source", "entry"]))

    def __getitem__(self, number: int) -> tuple[str, str]:
        at, row = self._where[number]
        [found] = self._table(at).slice(row, 1).to_pylist()
        return own_text(found["source"], found["entry"]), found["source"]


def _repeat_drops(
    storage: Storage, names: list[str], where: list[tuple[int, int]], ids: list[str], repeats: dict[int, tuple[int, str]]
) -> list[Drop]:
    columns = ["kind", "name", "path", "line", "entry"]
    rows = [row for name in names for row in storage.read_table(name, columns).to_pylist()] if repeats else []
    drops = []
    for number, (first, why) in sorted(repeats.items()):
        of = {"subject": ids[number], **rows[number]}
        original = "{name} {path}::{entry}".format(**rows[first])
        drops.append(Drop("duplicates", why.partition(" (")[0], f"of {original}, {why}", of=of))
    return drops


def shards(definition: Definition, url: str) -> int:
    """How many tasks execute the chosen subjects."""
    chosen = len(Storage(url).folder("work").read_table("chosen.parquet", ["row"]))
    return -(-chosen // definition.subjects_per_shard)


def run_execute(definition: Definition, url: str, number: int) -> Counts:
    """Executes one shard's subjects and writes their traces."""
    storage = Storage(url).folder("work")
    chosen = storage.read_table("chosen.parquet")
    chosen = chosen.slice(number * definition.subjects_per_shard, definition.subjects_per_shard).to_pylist()
    tables = {name: storage.read_table(name) for name in sorted({one["file"] for one in chosen})}
    subjects = [from_row(tables[one["file"]].slice(one["row"], 1).to_pylist()[0]) for one in chosen]
    if definition.server:
        subjects = with_proposals(subjects, definition)
    found = [execute(subject, definition, _sandbox(definition.sandbox)) for subject in subjects]
    explored = [one for one in found if one.coverage is not None]
    figures: dict[str, float] = {"functions": len(explored), "with_success": sum(one.has_success for one in explored)}
    figures |= {"coverage": round(sum(one.coverage or 0.0 for one in explored), 6)}
    storage.write(f"explored-{number:05d}.json", json.dumps(figures).encode())
    rows, drops = [row for one in found for row in one.rows], [drop for one in found for drop in one.drops]
    if definition.server and definition.narrate:
        narrate_rows(rows, definition)
    return _write_shard(url, f"{number:05d}", rows, drops)


def run_tests(definition: Definition, url: str, number: int) -> Counts:
    """Runs one repository's tests and writes their episodes."""
    rows, drops = episode_rows(definition.repositories()[number], definition)
    return _write_shard(url, f"r{number:05d}", rows, drops)


def _write_shard(url: str, name: str, rows: list[dict[str, Any]], drops: list[Drop]) -> Counts:
    count_tokens(rows)
    dataset = Storage(url)
    dataset.write_rows(f"drops-{name}.parquet", [drop.row() for drop in drops], drop_schema())
    dataset.write_rows(f"traces-{name}.parquet", rows, arrow_schema())
    return {"traces": len(rows), "dropped": len(drops), "tokens": sum(row["tokens"] for row in rows)}


@lru_cache(maxsize=1)
def _sandbox(backend: str) -> Sandbox:
    """This process's sandbox; it ends with the process."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return Sandbox(backend, preload=PRELOAD)


Task = Callable[[Definition, str, int], Counts]
STAGES: dict[str, tuple[Task, str]] = {
    "find": (run_find, "work/subjects-{:05d}.parquet"),
    "choose": (run_choose, "work/chosen.parquet"),
    "execute": (run_execute, "traces-{:05d}.parquet"),
    "tests": (run_tests, "traces-r{:05d}.parquet"),
}
"""Name: what runs a task, and the last file that it writes."""


def tasks(stage: str, definition: Definition, url: str) -> list[int]:
    """Numbers of the tasks of a stage; those before it are done."""
    match stage:
        case "find":
            count = len(definition.parts())
        case "choose":
            count = 1
        case "execute":
            count = shards(definition, url)
        case _:
            count = len(definition.repositories())
    return list(range(count))


def missing(stage: str, definition: Definition, url: str) -> list[int]:
    """Numbers of the tasks that are not done."""
    pattern = STAGES[stage][1]
    names = {f"work/{name}" for name in Storage(url).folder("work").names()} | Storage(url).names()
    return [number for number in tasks(stage, definition, url) if pattern.format(number) not in names]


def run_task(stage: str, definition: Definition, url: str, number: int) -> Counts:
    """Runs one task."""
    return STAGES[stage][0](definition, url, number)
