"""What there is to pack: sources, cut into units of which each becomes one shard.

    units = find_units([Path("traces"), Path("chats.jsonl"), Path("src")])

A source is a dataset folder of `foretrace data make`, a run of `foretrace forage`, a Parquet file, a recording (`.ftb`, or
its JSON Lines), a trajectory, JSON Lines of chats or texts, any other file as text, or a folder of such. Units depend on the
sources' contents alone.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from foretrace.data.dataset import TRACES, Part
from foretrace.data.schema import import_arrow
from foretrace.errors import FormatError, UsageError
from foretrace.forager.runs import MANIFEST, TRAJECTORIES
from foretrace.forager.trajectory import SCHEMA

Material = Literal["trace", "narration", "text", "chat"]
"""What documents are made of."""
MATERIALS: tuple[Material, ...] = get_args(Material)
Form = Literal["table", "recording", "lines", "files", "episodes"]

TEXT_COLUMNS = ("text", "content")
"""Where a text stands in a table or in JSON, the first that there is. Of a dataset of traces it is `source`."""
_COLUMNS: dict[Material, tuple[str, ...]] = {
    "trace": ("subject", "trace"),
    "narration": ("subject", "source", "narration"),
    "chat": ("messages",),
}
"""What a table needs, to be of it."""
_ABOUT = ("subject", "instance_id", "repo")
"""What a row is about, where a table has it; the last two of chats alone."""
_UNITS = 256
"""About as many units as these are wanted of each form, within the bounds below."""
_BYTES = (1 << 20, 64 << 20)
_ROWS = (512, 8192)


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of the sources."""

    material: Material
    form: Form
    files: tuple[str, ...]
    """One, but for the forms `files` and `episodes`."""
    start: int = 0
    """First row of a table, or byte of a file of lines; a line belongs where it begins."""
    end: int = 0


def find_units(sources: Sequence[Path], material: Material | None = None) -> list[Unit]:
    """All units of the sources: those of the same material and form stand together, in the order of the sources.

    Args:
        sources: files and folders.
        material: what is made of everything in them; by default it is what each file looks like.

    Raises:
        UsageError: a source is missing, empty, or without such material; or Parquet, and pyarrow is not installed.
        FormatError: a Parquet file is damaged.

    """
    found: dict[tuple[Material, Form], list[Path]] = {}
    for source in sources:
        for file in _files(source):
            found.setdefault(_what(file, material), []).append(file)
    units = [unit for (made, form), files in found.items() for unit in _units_of(made, form, files)]
    if not units:
        raise UsageError(f"there is nothing in {', '.join(map(str, sources))}")
    return units


def _units_of(material: Material, form: Form, files: list[Path]) -> Iterator[Unit]:
    if form == "table":
        return _pieces(material, form, files, lambda file: Part((file,), ()).counts[0], _ROWS)
    if form == "lines":
        return _pieces(material, form, files, _size, _BYTES)
    if form in ("files", "episodes"):
        return _groups(material, form, files)
    return (Unit(material, form, (str(file),)) for file in files)


def digests(units: Iterable[Unit]) -> list[str]:
    """Of the content of each file that units name, in their order."""
    files = dict.fromkeys(file for unit in units for file in unit.files)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_digest, files))


def _digest(file: str) -> str:
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(source: Path) -> list[Path]:
    """The files of a source, but for hidden ones.

    Raises:
        UsageError: there are none.

    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UsageError(f"{source}: no such file or directory")
    is_run = (source / MANIFEST).is_file()
    found = sorted(source.glob(f"{TRAJECTORIES}/*.jsonl" if is_run else TRACES))
    if not found and not is_run:
        inside = (Path(folder) / name for folder, _, names in os.walk(source) for name in names)
        found = sorted(file for file in inside if file.is_file() and not _hidden(file.relative_to(source)))
    if not found:
        raise UsageError(f"there is nothing to pack in {source}")
    return found


def _hidden(path: Path) -> bool:
    """Whether a file is none of a user's: nor is an episode's that is not over (`forager.journal`)."""
    return path.name.endswith(".jsonl.part") or any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _what(file: Path, wanted: Material | None) -> tuple[Material, Form]:
    """What is made of a file, and its form.

    Raises:
        UsageError: not what is wanted, or nothing.

    """
    form, able = _looks(file)
    if not able or (wanted is not None and wanted not in able):
        what = f"a {wanted} document" if wanted else "a document"
        raise UsageError(f"nothing in {file} could become {what}; it could be: {', '.join(able) or 'none of them'}")
    return wanted or able[0], form


def _looks(file: Path) -> tuple[Form, tuple[Material, ...]]:
    """The form of a file, and what can be made of it; what it most likely is for stands first."""
    if file.suffix == ".parquet":
        columns = _columns(file)
        able = [material for material, needed in _COLUMNS.items() if columns.issuperset(needed)]
        return "table", (*able, "text") if columns.intersection(("source", *TEXT_COLUMNS)) else tuple(able)
    if file.suffix == ".ftb":
        return "recording", ("trace",)
    if file.suffix not in (".jsonl", ".ndjson"):
        return "files", ("text",)
    first = _first_line(file)
    if first.get("kind") == "header" and first.get("schema") == SCHEMA:
        return "episodes", ("chat",)
    if "v" in first:
        return "recording", ("trace",)
    return "lines", ("text", "chat") if any(name in first for name in TEXT_COLUMNS) else ("chat", "text")


def columns_of(material: Material, file: Path) -> list[str]:
    """The columns of a Parquet file that `material` is made of, and those that say what it is about."""
    there = _columns(file)
    texts = next((name for name in ("source", *TEXT_COLUMNS) if name in there), "")
    needed = _COLUMNS.get(material, (texts,))
    about = [name for name in (_ABOUT if material == "chat" else _ABOUT[:1]) if name in there]
    return list(dict.fromkeys([*about, *needed]))


def _columns(file: Path) -> frozenset[str]:
    import_arrow()
    from pyarrow import ArrowException, parquet

    try:
        return frozenset(parquet.read_schema(file).names)
    except (ArrowException, OSError) as error:
        raise FormatError(f"{file} is damaged ({error}); make it again, or move it away") from error


def _first_line(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        try:
            content = json.loads(stream.readline())
        except (ValueError, RecursionError):
            return {}
    return content if isinstance(content, dict) else {}


def _size(file: Path) -> int:
    return file.stat().st_size


def _pieces(
    material: Material, form: Form, files: list[Path], length: Callable[[Path], int], bounds: tuple[int, int]
) -> Iterator[Unit]:
    """Files cut into pieces of about the same length."""
    lengths = [length(file) for file in files]
    step = _step(sum(lengths), bounds)
    for file, end in zip(files, lengths, strict=True):
        for start in range(0, end, step):
            yield Unit(material, form, (str(file),), start, min(start + step, end))


def _groups(material: Material, form: Form, files: list[Path]) -> Iterator[Unit]:
    """Whole files in groups of about the same size."""
    step = _step(sum(map(_size, files)), _BYTES)
    group: list[str] = []
    size = 0
    for file in files:
        group.append(str(file))
        size += _size(file)
        if size >= step:
            yield Unit(material, form, tuple(group))
            group, size = [], 0
    if group:
        yield Unit(material, form, tuple(group))


def _step(total: int, bounds: tuple[int, int]) -> int:
    least, most = bounds
    return min(max(total // _UNITS, least), most)
