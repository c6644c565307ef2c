"""All files of a repository as one archive, and the way back, which happens in the sandbox.

Unlike `corpus.tree`, which reads sources only, this carries whatever the tests may want to open. An archive may be
anyone's: members that leave it are left out, links are replaced by what they point to within it, and what grows without end
is refused.
"""

import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from foretrace.errors import UsageError

MAX_BYTES = 500_000_000
"""Of all files together."""
_SKIPPED = {".git", ".hg", ".tox", ".nox", ".venv", ".mypy_cache", ".pytest_cache", "__pycache__", "node_modules"}


def pack(root: Path) -> bytes:
    """A directory as a tar archive, or the bytes of one that is an archive already.

    Raises:
        UsageError: it is neither, or too large.

    """
    if root.is_file():
        if root.stat().st_size > MAX_BYTES:
            raise UsageError(f"{root}: larger than {MAX_BYTES:,} bytes")
        return root.read_bytes()
    if not root.is_dir():
        raise UsageError(f"{root}: no such directory or archive")
    total, out = 0, io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for file in _files(root):
            total += file.stat().st_size
            if total > MAX_BYTES:
                raise UsageError(f"{root}: its files are larger than {MAX_BYTES:,} bytes; a checkout without data is enough")
            archive.add(file, file.relative_to(root).as_posix(), recursive=False)
    return out.getvalue()


def _files(root: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(
            n for n in subfolders if n not in _SKIPPED and not os.path.lexists(Path(folder, n, "pyvenv.cfg"))
        )
        yield from (file for name in sorted(names) if (file := Path(folder, name)).is_file())


def unpack(data: bytes, folder: Path) -> Path:
    """Writes an archive's files into a folder; the result is the repository's root in it.

    Raises:
        UsageError: it is no archive, or too large.

    """
    folder.mkdir()
    total = 0
    for name, is_executable, content in _members(data):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            continue
        total += len(content)
        if total > MAX_BYTES:
            raise UsageError(f"the archive holds more than {MAX_BYTES:,} bytes")
        file = folder / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):  # one name for a file and a folder
            continue
        file.chmod(0o755 if is_executable else 0o644)
    tops = list(folder.iterdir())
    is_sdist = len(tops) == 1 and tops[0].is_dir() and (not tops[0].name.isidentifier() or (tops[0] / "PKG-INFO").exists())
    return tops[0] if is_sdist else folder


def _members(data: bytes) -> Iterator[tuple[str, bool, bytes]]:
    """Name of each file, whether it can be executed, and what is in it."""
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as zipped:
                for info in zipped.infolist():
                    if not info.is_dir() and info.file_size <= MAX_BYTES:
                        yield info.filename, bool(info.external_attr >> 16 & 0o100), zipped.read(info)
            return
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
            for member in archive:
                if member.isdir() or member.size > MAX_BYTES:
                    continue
                try:
                    reader = archive.extractfile(member)  # follows links within the archive, and none other
                except KeyError:
                    continue
                if reader is not None:
                    yield member.name, bool(member.mode & 0o100), reader.read()
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise UsageError(f"not an archive that can be read: {error}") from error
