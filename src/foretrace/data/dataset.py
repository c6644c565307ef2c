"""A dataset of traces on disk: a folder of Parquet files and a manifest, read a few thousand rows at a time.

    dataset = open_dataset(Path("traces"))
    for batch in dataset.traces.batches(["kind", "tokens"]): ...
    [row] = dataset.traces.rows([41])

The columns are those of `schema.py`. Rows are numbered from 0, through all files in the order of their names.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretrace.data.schema import COLUMNS, DROP_COLUMNS, import_arrow
from foretrace.errors import FormatError, UsageError

if TYPE_CHECKING:
    import pyarrow

TRACES, DROPS, MANIFEST = "traces-*.parquet", "drops-*.parquet", "manifest.json"
BATCH = 16_384

Progress = Callable[[int, int], None]
"""Called with rows done and rows in all."""


@dataclass(frozen=True)
class Part:
    """The rows of one kind, in as many files as there are."""

    files: tuple[Path, ...]
    columns: tuple[str, ...]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Rows of each file.

        Raises:
            FormatError: a file is damaged, or lacks a column.

        """
        return tuple(self._check(file) for file in self.files)

    def __len__(self) -> int:
        return sum(self.counts)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def starts(self) -> tuple[int, ...]:
        """The number of each file's first row."""
        return tuple(sum(self.counts[:at]) for at in range(len(self.counts)))

    def batches(self, columns: Sequence[str], progress: Progress | None = None) -> "Iterator[pyarrow.RecordBatch]":
        """All rows in turn, these columns alone.

        Raises:
            FormatError: a file is damaged.

        """
        done, total = 0, len(self)
        for file in self.files:
            with _reading(file), _open(file) as opened:
                for batch in opened.iter_batches(BATCH, columns=list(columns)):
                    yield batch
                    done += batch.num_rows
                    if progress:
                        progress(done, total)

    def rows(self, positions: Sequence[int], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The rows at `positions`, in that order.

        Raises:
            FormatError: a file is damaged.

        """
        arrow = import_arrow()
        found: dict[int, dict[str, Any]] = {}
        for file, start, count in zip(self.files, self.starts, self.counts, strict=True):
            wanted = sorted({at for at in positions if start <= at < start + count})
            if not wanted:
                continue
            with _reading(file), _open(file) as opened:
                for first, group in _groups(opened, start):
                    here = [at for at in wanted if first <= at < first + opened.metadata.row_group(group).num_rows]
                    if here:
                        table = opened.read_row_group(group, columns=list(columns or self.columns))
                        taken = table.take(arrow.array([at - first for at in here], arrow.int64()))
                        found.update(zip(here, taken.to_pylist(), strict=True))
        return [found[at] for at in positions]

    def spread(self, column: str, wanted: int) -> "Iterator[pyarrow.Array]":
        """A column's values for about `wanted` rows, from row groups that lie evenly over all files; or for all rows.

        Raises:
            FormatError: a file is damaged.

        """
        groups: list[tuple[Path, int]] = []
        for file in self.files:
            with _reading(file), _open(file) as opened:
                groups += [(file, group) for _, group in _groups(opened, 0)]
        count = min(len(groups), wanted) if len(self) > wanted else len(groups)
        for at in range(count):
            file, group = groups[(2 * at + 1) * len(groups) // (2 * count)]
            quota = max(wanted // count, 1) if len(self) > wanted else len(self)
            with _reading(file), _open(file) as opened:
                for batch in opened.iter_batches(BATCH // 16, row_groups=[group], columns=[column]):
                    yield batch[column][:quota]
                    quota -= batch.num_rows
                    if quota <= 0:
                        break

    def _check(self, file: Path) -> int:
        with _reading(file), _open(file) as opened:
            missing = [name for name in self.columns if name not in opened.schema_arrow.names]
            rows = int(opened.metadata.num_rows)
        if missing:
            raise FormatError(f"{file} is no part of a dataset of traces: it has no column {', '.join(missing)}")
        return rows


@dataclass(frozen=True, slots=True)
class Dataset:
    """What was made, and what was dropped on the way."""

    folder: Path
    traces: Part
    drops: Part
    manifest: dict[str, Any]
    """How it was made; empty if nothing says so."""

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.resolve().name


def open_dataset(folder: Path) -> Dataset:
    """The dataset in a folder; its rows are read when they are asked for.

    Raises:
        UsageError: there is none, or pyarrow is not installed.
        FormatError: the manifest is damaged.

    """
    import_arrow()
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}; name one that foretrace data make has written")
    traces, drops = (tuple(sorted(folder.glob(pattern))) for pattern in (TRACES, DROPS))
    manifest = folder / MANIFEST
    if not (traces or drops or manifest.is_file()):
        raise UsageError(f"no dataset in {folder}: it holds neither {TRACES} nor {MANIFEST}; make one: foretrace data make")
    return Dataset(folder, Part(traces, tuple(COLUMNS)), Part(drops, tuple(DROP_COLUMNS)), _manifest(manifest))


def _manifest(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{file} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise FormatError(f"{file} is damaged: it is not a JSON object")
    return content


def _open(file: Path) -> Any:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(file)


def _groups(opened: Any, start: int) -> Iterator[tuple[int, int]]:
    """The first row and the number of each row group."""
    for group in range(opened.metadata.num_row_groups):
        yield start, group
        start += opened.metadata.row_group(group).num_rows


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError) as error:
        why = str(error).strip().split("\n")[0]
        raise FormatError(f"{file} is damaged ({why}); make the dataset again, or move this file away") from error
