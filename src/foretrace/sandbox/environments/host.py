"""What an image without a system of its own borrows from this machine, and the few files that every box has.

    Image(root=(repository,), host=tuple(host.paths()))

Only what programs need to run is seen: no home, no `/etc` but for a handful of files, no variables.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

_SYSTEM = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr")
_SETTINGS = ("alternatives", "ca-certificates", "ld.so.cache", "localtime", "mime.types", "ssl")
_FOLDERS = {"tmp": 0o1777, "var/tmp": 0o1777, "run": 0o755, "root": 0o700, "proc": 0o555, "dev": 0o755}
_PASSWORDS = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"


def paths(extra: Iterable[str] = ()) -> list[str]:
    """The system's programs and libraries, the interpreter that this one rests on, and `extra`, without what lies in
    another.

    A virtual environment is not among them: what is installed belongs to an image.
    """
    wanted = {*_SYSTEM, *(f"/etc/{name}" for name in _SETTINGS), sys.base_prefix, *extra}
    found = [path for path in sorted(wanted) if os.path.exists(path)]
    return [path for path in found if not any(path.startswith(f"{other}/") for other in found if not os.path.islink(other))]


def texts(*, network: bool) -> dict[str, str]:
    """Files that a box has unless its image has them, by path from the root."""
    found = {
        "etc/passwd": _PASSWORDS,
        "etc/group": "root:x:0:\nnogroup:x:65534:\n",
        "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }
    resolver = Path("/etc/resolv.conf")
    if network and resolver.exists():
        found["etc/resolv.conf"] = resolver.read_text(encoding="utf-8", errors="replace")
    return found


def lay(base: Path, borrowed: Iterable[str], contents: Mapping[str, str]) -> list[str]:
    """Fills a folder as the lowest layer of a box: places for mounts, and `contents`; returns what is to be mounted."""
    for name, mode in _FOLDERS.items():
        (base / name).mkdir(parents=True, exist_ok=True)
        (base / name).chmod(mode)
    for name, text in contents.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(text, encoding="utf-8")
    mounted = []
    for source in borrowed:
        place = base / source.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if os.path.islink(source):
            place.symlink_to(os.readlink(source))
            continue
        place.mkdir(exist_ok=True) if os.path.isdir(source) else place.touch()
        mounted.append(source)
    return mounted
