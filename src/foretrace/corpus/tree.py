"""Python files of a directory, a wheel or an sdist, read into memory; nothing is unpacked to disk, nothing is run.

    tree = read_tree("toolz-1.2.0.tar.gz")
    tree.name, tree.licence, tree.files["toolz/functoolz.py"]

An archive may be anyone's: names that leave it, links, files too large and archives that grow without end are left out or
refused; what could be read of a damaged one is kept.
"""

import io
import lzma
import os
import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from foretrace.corpus.licence import METADATA_FILES, is_licence_file, read_metadata
from foretrace.corpus.refusals import Refusal, Refused
from foretrace.errors import UsageError

MAX_FILE_BYTES = 1_000_000
MAX_TOTAL_BYTES = 1_000_000_000
"""Of all members of an archive, unpacked."""
ARCHIVE_SUFFIXES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar")
_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages", "venv", "env"}
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
"""What the readers of archives raise at damaged ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """Texts of Python files by path, and what is known of where they come from."""

    name: str
    """`toolz 1.2.0`, or the name of the file or folder."""
    files: dict[str, str]
    licence: str = "unknown"
    licences: dict[str, str] = field(default_factory=dict)
    """Of files that have another one, by path."""
    refused: tuple[Refused, ...] = ()


def read_tree(path: str | Path) -> SourceTree:
    """Reads a directory, an archive or a single file.

    Raises:
        UsageError: there is nothing of that name, or it is none of these.

    """
    path = Path(path)
    refused: list[Refused] = []
    if path.is_dir():
        members = _in_directory(path, refused)
    elif not path.is_file():
        raise UsageError(f"{path}: no such file or directory")
    elif path.name.endswith((".whl", ".zip")):
        members = _in_zip(path, refused)
    elif path.name.endswith(ARCHIVE_SUFFIXES):
        members = _in_tar(path, refused)
    elif path.suffix == ".py":
        members = iter([(path.name, path.read_bytes())])
    else:
        raise UsageError(f"{path}: not a directory, a Python file or an archive ({', '.join(ARCHIVE_SUFFIXES)})")
    return _tree_of(path.resolve().name, dict(members), refused)


def _tree_of(name: str, members: dict[str, bytes], refused: list[Refused]) -> SourceTree:
    members = _without_common_folder(members)
    files = {}
    for path in sorted(members):
        if path.endswith(".py"):
            text = _decoded(path, members[path], refused)
            if text is not None:
                files[path] = text
    metadata = read_metadata(
        {path: data.decode("utf-8", "replace") for path, data in members.items() if not path.endswith(".py")}
    )
    return SourceTree(name=metadata.title or name, files=files, licence=metadata.licence, refused=tuple(refused))


def _without_common_folder(members: dict[str, bytes]) -> dict[str, bytes]:
    """Members of an sdist: `toolz-1.2.0/setup.py` is `setup.py`."""
    tops = {path.split("/")[0] for path in members}
    top = next(iter(tops), "")
    if len(tops) != 1 or top in members or top.isidentifier():
        return members
    return {path.split("/", 1)[1]: data for path, data in members.items()}


def _decoded(path: str, data: bytes, refused: list[Refused]) -> str | None:
    """A file's text, in the encoding that it declares."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, LookupError, ValueError) as error:  # no such encoding, or not what it says
        refused.append(Refused(path, Refusal.NOT_TEXT, str(error)))
        return None


def _is_wanted(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name.endswith(".py") or name in METADATA_FILES or is_licence_file(name)


def _safe(name: str) -> str | None:
    """A member's path, if it stays in its archive."""
    path = PurePosixPath(name)
    return None if path.is_absolute() or ".." in path.parts or "\0" in name else str(path)


def _in_directory(root: Path, refused: list[Refused]) -> Iterator[tuple[str, bytes]]:
    for folder, subfolders, names in os.walk(root):
        kept = (n for n in subfolders if n not in _SKIPPED_FOLDERS and not n.startswith("."))
        subfolders[:] = sorted(n for n in kept if not Path(folder, n, "pyvenv.cfg").exists())
        for name in sorted(names):
            file = Path(folder, name)
            path = file.relative_to(root).as_posix()
            if not _is_wanted(path) or not file.is_file():
                continue
            try:
                data = file.read_bytes() if file.stat().st_size <= MAX_FILE_BYTES else None
            except OSError as error:
                refused.append(Refused(path, Refusal.NOT_TEXT, error.strerror or str(error)))
                continue
            yield from _of_size(path, data, refused)


def _of_size(path: str, data: bytes | None, refused: list[Refused]) -> Iterable[tuple[str, bytes]]:
    if data is not None and len(data) <= MAX_FILE_BYTES:
        return [(path, data)]
    refused.append(Refused(path, Refusal.TOO_LARGE, f"more than {MAX_FILE_BYTES:,} bytes"))
    return []


def _in_zip(file: Path, refused: list[Refused]) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(file) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                path = _safe(info.filename)
                if path is None or info.is_dir() or not _is_wanted(path):
                    continue
                try:
                    with archive.open(info) as member:
                        data = member.read(MAX_FILE_BYTES + 1)  # whatever the header says of its size
                except (*_DAMAGE, NotImplementedError, RuntimeError) as error:  # methods and passwords we do not have
                    refused.append(Refused(path, Refusal.DAMAGED, str(error)))
                    continue
                yield from _of_size(path, data, refused)
    except _DAMAGE as error:
        refused.append(Refused(file.name, Refusal.DAMAGED, str(error)))


def _in_tar(file: Path, refused: list[Refused]) -> Iterator[tuple[str, bytes]]:
    total = 0
    try:
        with tarfile.open(file, "r:*") as archive:
            for member in archive:
                total += member.size
                if total > MAX_TOTAL_BYTES:  # to skip a member is to decompress it
                    refused.append(Refused(file.name, Refusal.TOO_LARGE, f"more than {MAX_TOTAL_BYTES:,} bytes unpacked"))
                    return
                path = _safe(member.name)
                if path is None or not member.isfile() or not _is_wanted(path):
                    continue
                reader = archive.extractfile(member) if member.size <= MAX_FILE_BYTES else None
                yield from _of_size(path, reader.read() if reader else None, refused)
    except _DAMAGE as error:
        refused.append(Refused(file.name, Refusal.DAMAGED, str(error)))
