"""Subjects on their way: found, compared with benchmarks, and freed of near duplicates, before anything is executed.

The search for near duplicates is MinHash with banding (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive
Datasets, section 3.4). Candidates are compared by their exact Jaccard similarity, since 128 hashes are off by some 0.04. Of
two that are alike the one that was found first stays, so the result depends on nothing but the order of the sources. Alike
are subjects whose entries are, and whose sources are: methods of a class share their source, and small functions their text.
"""

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretrace.corpus.benchmarks import Benchmarks
from foretrace.corpus.refusals import NOT_FUNCTIONS, Refused
from foretrace.corpus.resemblance import HASHES, shingles, signature
from foretrace.corpus.sources import subjects
from foretrace.corpus.types import Origin, Subject
from foretrace.data.pipeline.definition import Definition, Drop
from foretrace.data.pipeline.execute import identity
from foretrace.data.schema import import_arrow

BAND = 4
"""Hashes of a signature in a band: of pairs with a similarity of 0.8 one in 10^7 is missed."""

Row = dict[str, Any]


def subject_schema() -> Any:
    """Columns of the files between finding and executing."""
    arrow = import_arrow()
    text, texts = arrow.string(), arrow.list_(arrow.string())
    names = {"id": text, "source": text, "entry": text, "form": text, "kind": text, "name": text, "path": text}
    names |= {"line": arrow.int32(), "licence": text, "calls": texts, "outputs": texts}
    return arrow.schema([*names.items(), ("signature", arrow.binary(4 * HASHES))])


def find(part: str, definition: Definition) -> tuple[list[Row], list[Drop]]:
    """Subjects of a part of the sources with their signatures, and those that were refused or contaminated."""
    refused: list[Refused] = []
    rows, drops = [], []
    benchmarks = load_benchmarks(definition.benchmarks)
    for subject in subjects(part, licence=definition.licence, on_refusal=refused.append):
        found = benchmarks.match(subject)
        if found is None:
            rows.append(to_row(subject))
        else:
            drops.append(Drop("decontamination", *found, of=identity(subject)))
    drops += [_refusal(part, one) for one in refused if one.reason not in NOT_FUNCTIONS]
    return rows, drops


@lru_cache(maxsize=1)
def load_benchmarks(files: tuple[str, ...]) -> Benchmarks:
    """The benchmarks of a definition, read once a process."""
    return Benchmarks(files)


def _refusal(part: str, refused: Refused) -> Drop:
    path, _, entry = refused.name.partition("::")
    of = {"subject": "", "kind": "harvested", "name": part, "path": path, "line": 0, "entry": entry}
    return Drop("harvest", str(refused.reason), refused.detail, of=of)


def to_row(subject: Subject) -> Row:
    """A subject as a row."""
    row = identity(subject) | {"id": subject.id, "source": subject.source, "form": subject.form}
    row |= {"licence": subject.origin.licence, "calls": list(subject.calls), "outputs": list(subject.outputs)}
    return row | {"signature": signature(shingles(own_text(subject.source, subject.entry))).tobytes()}


def from_row(row: Row) -> Subject:
    """The subject of a row."""
    origin = Origin(**{name: row[name] for name in ("kind", "name", "path", "line", "licence")})
    calls, outputs = tuple(row["calls"]), tuple(row["outputs"])
    return Subject(source=row["source"], entry=row["entry"], origin=origin, calls=calls, outputs=outputs, form=row["form"])


def own_text(source: str, entry: str) -> str:
    """What is a subject's own: the definition of its entry; what stands around it is shared by all methods of a class."""
    try:
        node: ast.AST = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return source
    for name in entry.split("."):
        named = (n for n in ast.iter_child_nodes(node) if getattr(n, "name", None) == name)
        node = next(named, node)
    return (ast.get_source_segment(source, node) if not isinstance(node, ast.Module) else None) or source


def candidates(signatures: NDArray[np.uint32]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of rows that agree in a band, of an array (rows, 128); a pair may come more than once.

    In a band each row is paired with the first of its like only: what resembles neither that one nor another first is kept.

    """
    for start in range(0, HASHES, BAND):
        band = np.ascontiguousarray(signatures[:, start : start + BAND]).view(np.dtype((np.void, 4 * BAND))).ravel()
        _, firsts, inverse = np.unique(band, return_index=True, return_inverse=True)
        first_of = firsts[inverse.ravel()]
        for later in np.flatnonzero(first_of != np.arange(len(band))):
            yield int(first_of[later]), int(later)
