"""Benchmark data: found on the user's disk, and the right file to the byte.

    OFFICIAL = DataFile(name="cruxeval.jsonl", sha256="8368…", rows=800, licence="MIT", source="facebookresearch/cruxeval")
    rows = OFFICIAL.read(options.paths)

No data of others is in the package. A file is looked for at the given paths, then in the folder that `FORETRACE_EVALDATA`
names, then in `evaldata/` of the current folder; within folders by its name, anywhere.
"""

import csv
import gzip
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError

VARIABLE = "FORETRACE_EVALDATA"
_DEFAULT = "evaldata"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One file of a benchmark."""

    name: str
    """Its last component; `.jsonl`, `.json`, `.csv`, each maybe with `.gz`, and `.parquet` can be read."""
    sha256: str
    rows: int
    licence: str
    source: str
    """Where it can be had."""

    def find(self, paths: Iterable[str] = ()) -> Path:
        """Where it lies.

        Raises:
            UsageError: nowhere; or what lies there is another file.

        """
        places = [*map(Path, paths), Path(os.environ.get(VARIABLE) or _DEFAULT)]
        for place in places:
            found = [place] if place.is_file() and place.name == self.name else sorted(place.rglob(self.name))
            if found:
                self._check(found[0])
                return found[0]
        looked = ", ".join(map(str, places))
        raise UsageError(
            f"no {self.name} in {looked}; fetch it from {self.source} ({self.licence}) and name its folder "
            f"by --data or in {VARIABLE}"
        )

    def read(self, paths: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Its rows. Raises as `find` does."""
        return self._rows(self.find(paths))

    def read_file(self, path: Path) -> list[dict[str, Any]]:
        """The rows of this very file, whatever it is called.

        Raises:
            UsageError: it is missing, or is another one.

        """
        if not path.is_file():
            raise UsageError(f"no {self.name} at {path}; fetch it from {self.source} ({self.licence})")
        self._check(path)
        return self._rows(path)

    def _rows(self, path: Path) -> list[dict[str, Any]]:
        rows = _parquet_rows(path) if self.name.endswith(".parquet") else _text_rows(path, self.name.removesuffix(".gz"))
        if len(rows) != self.rows:
            raise UsageError(f"{path} has {len(rows)} rows, not {self.rows}")
        return rows

    def _check(self, path: Path) -> None:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self.sha256:
            raise UsageError(
                f"{path} is not the {self.name} that results are published for: its sha256 begins with {digest[:12]}, "
                f"not {self.sha256[:12]}; fetch it from {self.source}"
            )


def _text_rows(path: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8") as file:
        if name.endswith(".csv"):
            return list(csv.DictReader(file))
        if name.endswith(".json"):
            content: Any = json.load(file)
            return [{"key": key, "value": value} for key, value in content.items()] if isinstance(content, dict) else content
        return [json.loads(line) for line in file if line.strip()]


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(f"{path} is read by pyarrow: pip install 'foretrace[arrow]'") from error
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows
