"""Finding things in a dataset of traces: one trace, some at random, and why something is not there.

position = locate(dataset, "3fa9")
positions = draw(range(len(dataset.traces)), 5, seed=0)
fates, more = search(dataset, "toolz::first")
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from heapq import nlargest
from itertools import takewhile
from typing import Any

from foretrace.data.dataset import Dataset, Part
from foretrace.errors import UsageError

_SHOWN = 5
_NAMES = 100_000
"""Entries that are compared with a name that is not there."""
_PLACE = ("subject", "kind", "name", "path", "line", "entry", "arguments")


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one subject."""

    place: dict[str, Any]
    """`subject`, `kind`, `name`, `path`, `line` and `entry`."""
    kept: list[dict[str, Any]] = field(default_factory=list)
    """Of each trace: `id`, `arguments`, `outcome`, `events`, `tokens`."""
    drops: list[dict[str, Any]] = field(default_factory=list)
    """The rows of what was dropped."""


def locate(dataset: Dataset, wanted: str) -> int:
    """The row of a trace that is given by its number, from 1, or by the beginning of its id.

    Raises:
        UsageError: there is none, or there are several.

    """
    if wanted.isdecimal() and 0 < int(wanted) <= len(dataset.traces):
        return int(wanted) - 1
    found = [*_starting(dataset.traces, wanted.lower())] if wanted else []
    if len(found) == 1:
        return found[0][0]
    if found:
        listed = ", ".join(name for _, name in found[:_SHOWN])
        raise UsageError(f"{len(found):,} traces have an id that starts with {wanted!r}: {listed}{_more(len(found))}")
    raise UsageError(_not_found(dataset, wanted))


def _starting(traces: Part, start: str) -> Iterator[tuple[int, str]]:
    """Rows and ids of the traces whose id starts so."""
    from pyarrow import compute

    first = 0
    for batch in traces.batches(["id"]):
        for at in compute.indices_nonzero(compute.starts_with(batch["id"], start)).to_pylist():
            yield first + at, batch["id"][at].as_py()
        first += batch.num_rows


def _not_found(dataset: Dataset, wanted: str) -> str:
    count = len(dataset.traces)
    if not count:
        return f"{dataset.folder} holds no traces; see why: foretrace data stats {dataset.folder}"
    if wanted.isdecimal() and len(wanted) < 10:
        return f"there is no trace {wanted}; they are numbered from 1 to {count:,}"
    ids = (name for batch in dataset.traces.batches(["id"]) for name in batch["id"].to_pylist())
    nearest = nlargest(_SHOWN, ids, key=lambda name: _shared(name, wanted.lower()))
    return (
        f"no trace has an id that starts with {wanted!r}. Nearest: {', '.join(nearest)}. "
        f"A number from 1 to {count:,} also works; if it was dropped: foretrace data why {dataset.folder} {wanted}"
    )


def _shared(one: str, other: str) -> int:
    """How many characters both start with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def draw(positions: Sequence[int], number: int, seed: int) -> list[int]:
    """So many of the positions at random, or all; the same for the same seed."""
    return random.Random(seed).sample(positions, min(number, len(positions)))


def search(dataset: Dataset, wanted: str, limit: int = 20) -> tuple[list[Fate], int]:
    """What became of the subjects that `wanted` names, and how many more there are than `limit`.

    Args:
        wanted: the beginning of the id of a subject or a trace; or a name or path and an entry, `toolz 1.0::first`; or an
            entry, or part of a path. `%` stands for any text.

    Raises:
        UsageError: there is none.

    """
    subjects: dict[str, None] = {}
    for part in (dataset.traces, dataset.drops):
        for batch in part.batches([c for c in ("id", "subject", "name", "path", "entry") if c in part.columns]):
            subjects |= dict.fromkeys(batch.filter(_matches(batch, wanted))["subject"].to_pylist())
    if not subjects:
        raise UsageError(_nothing_like(dataset, wanted))
    shown = list(subjects)[:limit]
    fates: dict[str, Fate] = {}
    for row in _rows_of(dataset.traces, shown, (*_PLACE, "id", "outcome", "events", "tokens")):
        _fate(fates, row).kept.append(row)
    for row in _rows_of(dataset.drops, shown, dataset.drops.columns):
        _fate(fates, row).drops.append(row)
    return [fates[subject] for subject in shown], len(subjects) - len(shown)


def _matches(batch: Any, wanted: str) -> Any:
    """A mask of the rows that `wanted` names."""
    from pyarrow import compute

    entries, names, paths = (compute.fill_null(batch[column], "") for column in ("entry", "name", "path"))
    named = [compute.binary_join_element_wise(column, entries, "::") for column in (names, paths)]
    if "%" in wanted:
        # Names are full of underlines, which LIKE would take for any character
        pattern = wanted.replace("\\", "\\\\").replace("_", "\\_")
        masks = [compute.match_like(column, pattern) for column in (entries, paths, *named)]
    else:
        masks = [compute.equal(column, wanted) for column in (entries, names, *named)]
        masks.append(compute.match_substring(paths, wanted))
        ids = [column for column in ("subject", "id") if column in batch.schema.names]
        masks += [compute.starts_with(batch[column], wanted.lower()) for column in ids]
    found = masks[0]
    for mask in masks[1:]:
        found = compute.or_(found, mask)
    return found


def _rows_of(part: Part, subjects: list[str], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    import pyarrow
    from pyarrow import compute

    values = pyarrow.array(subjects, pyarrow.string())
    for batch in part.batches(columns):
        yield from batch.filter(compute.is_in(batch["subject"], values)).to_pylist()


def _fate(fates: dict[str, Fate], row: dict[str, Any]) -> Fate:
    place = {name: row[name] for name in _PLACE if name != "arguments"}
    return fates.setdefault(row["subject"], Fate(place))


def _nothing_like(dataset: Dataset, wanted: str) -> str:
    entries: dict[str, None] = {}
    for part in (dataset.traces, dataset.drops):
        for batch in part.batches(["entry"]):
            if len(entries) < _NAMES:
                entries |= dict.fromkeys(filter(None, batch["entry"].unique().to_pylist()))
    close = get_close_matches(wanted.rpartition("::")[2], entries, n=3)
    hint = f"did you mean {_either(close)}? " if close else ""
    return (
        f"nothing called {wanted!r} was kept or dropped ({hint}try the beginning of an id, a function, NAME::FUNCTION, "
        "or part of a path; % stands for any text)"
    )


def _either(names: Iterable[str]) -> str:
    return " or ".join(repr(name) for name in names)


def _more(count: int) -> str:
    return f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
