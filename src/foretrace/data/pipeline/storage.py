"""Files that appear whole or not at all, on a disk or in an object store (any `fsspec` path)."""

import os
import uuid
from typing import TYPE_CHECKING, Any

from foretrace.data.schema import import_arrow
from foretrace.errors import UsageError

if TYPE_CHECKING:
    import pyarrow


class Storage:
    """A folder. Two writers of the same file leave one of them, whole; readers see it or nothing."""

    def __init__(self, url: str) -> None:
        """Opens the folder, and makes it if it is not there.

        Raises:
            UsageError: fsspec, or what it needs for this kind of path, is not installed.

        """
        self.url = os.fspath(url).rstrip("/")
        try:
            import fsspec

            self._system, self._root = fsspec.core.url_to_fs(os.fspath(url))
        except (ImportError, ValueError) as error:
            raise UsageError(f'cannot use {url}: {error}; datasets need: pip install "foretrace[data]"') from error
        self._system.makedirs(self._root, exist_ok=True)

    def folder(self, name: str) -> "Storage":
        """A folder in it."""
        return Storage(f"{self.url}/{name}")

    def names(self) -> set[str]:
        """Files in it, without those that are being written."""
        found = (str(path).rstrip("/").rpartition("/")[2] for path in self._system.ls(self._root, detail=False))
        return {name for name in found if not name.startswith(".")}

    def read(self, name: str) -> bytes:
        """A file."""
        data: bytes = self._system.cat_file(f"{self._root}/{name}")
        return data

    def write(self, name: str, data: bytes) -> None:
        """Writes a file."""
        temporary = f"{self._root}/.{name}.{uuid.uuid4().hex}"
        self._system.pipe_file(temporary, data)
        self._system.mv(temporary, f"{self._root}/{name}")

    def clean(self) -> None:
        """Removes what killed writers left. Only while nobody writes."""
        for path in self._system.ls(self._root, detail=False):
            if str(path).rpartition("/")[2].startswith("."):
                self._system.rm(path, recursive=True)

    def read_table(self, name: str, columns: list[str] | None = None) -> "pyarrow.Table":
        """A Parquet file."""
        import_arrow()
        from pyarrow import BufferReader, parquet

        return parquet.read_table(BufferReader(self.read(name)), columns=columns)

    def write_rows(self, name: str, rows: list[dict[str, Any]], schema: "pyarrow.Schema") -> None:
        """Writes rows as a Parquet file; texts lose what UTF-8 cannot hold."""
        arrow = import_arrow()
        from pyarrow import parquet

        columns = [_column(arrow, [row.get(field.name) for row in rows], field.type) for field in schema]
        sink = arrow.BufferOutputStream()
        parquet.write_table(arrow.Table.from_arrays(columns, schema=schema), sink, compression="zstd")
        self.write(name, sink.getvalue().to_pybytes())


def _column(arrow: Any, values: list[Any], kind: Any) -> Any:
    try:
        return arrow.array(values, kind)
    except UnicodeEncodeError:  # a lone surrogate
        return arrow.array([_clean(value) for value in values], kind)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value
