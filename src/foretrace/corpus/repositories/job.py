"""The sandbox's part of recording a test suite: a copy of the repository, and pytest in place of this very process.

Pytest keeps the process's number, which the sandbox lets send signals to itself, and has the output open: each test is told
of as it ends, so that what a crash or a time limit interrupts is not lost.
"""

import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

from foretrace.corpus.repositories.archive import unpack

_SIZE = struct.Struct("<I")
_PACKAGES = str(Path(__file__).resolve().parents[3])
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); import foretrace.corpus.repositories.plugin as p; "
    "sys.path.pop(0); p.main(sys.argv[2])"
)


def payload(settings: dict[str, Any], archive: bytes) -> bytes:
    """What the job is given."""
    text = json.dumps(settings).encode()
    return _SIZE.pack(len(text)) + text + archive


def run(payload: bytes, output: int) -> None:
    """Unpacks the repository and becomes pytest; see `plugin.Settings` for what can be set."""
    (size,) = _SIZE.unpack_from(payload)
    settings = json.loads(payload[_SIZE.size : _SIZE.size + size])
    here = Path.cwd()
    root = unpack(payload[_SIZE.size + size :], here / "repository")
    temporary = here / "tmp"
    temporary.mkdir()
    paths = [str(root / path) for path in settings["paths"] if (root / path).is_dir()]
    paths += [str(installed)] if (installed := _metadata(root, here / "installed")) else []
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(paths)} | settings["environment"]
    os.chdir(root)
    os.set_inheritable(output, True)
    settings |= {"output": output, "folder": str(here)}
    python = settings["python"] or sys.executable
    os.execve(python, [python, "-c", _START, _PACKAGES, json.dumps(settings)], environment)


def _metadata(root: Path, folder: Path) -> Path | None:
    """Makes `importlib.metadata` find an sdist as if it were installed: many packages ask it for their own version."""
    source = root / "PKG-INFO"
    if not source.is_file():
        return None
    text = source.read_bytes()
    fields = dict(line.split(b": ", 1) for line in text.split(b"\n\n")[0].splitlines() if b": " in line)
    name = fields.get(b"Name", b"").strip().decode("ascii", "ignore").replace("-", "_").replace("/", "_")
    version = fields.get(b"Version", b"").strip().decode("ascii", "ignore").replace("/", "_")
    if not name or not version:
        return None
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_bytes(text)
    return folder
