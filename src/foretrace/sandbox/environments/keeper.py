"""A process's servant: it holds the mounts of all its environments, so that they end with it, and starts what runs in
them.

    keeper = keeper_of_this_process(has_mounts=True)
    answer, descriptors = keeper.ask("open", name=..., layers=[...])

There is one for each process and kind, started when first needed (a fork of this process starts its own). `inside` is
what it does; see there for why it exists. It ends when this process does, however that comes about.
"""

import atexit
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from foretrace.errors import SandboxError
from foretrace.sandbox.environments import reaper
from foretrace.sandbox.environments.serving import MOST_FILES
from foretrace.sandbox.server import remove_tree

_PACKAGES = Path(__file__).resolve().parents[3]
_START_SECONDS = 20.0
_ANSWER_SECONDS = 120.0
_ANSWER_BYTES = 1 << 16
FIRST_USER = 0x60000000
"""Users from here on belong to nobody, 65536 for each keeper that root starts: its boxes' root, and whoever that is not."""


class Keeper:
    """See above."""

    def __init__(self, *, has_mounts: bool) -> None:
        """Starts it.

        Raises:
            SandboxError: it may not have mounts of its own here.

        """
        reaper.reap()
        self.folder = os.path.join(tempfile.gettempdir(), reaper.new_name())
        os.mkdir(self.folder, 0o711)
        self.user = FIRST_USER + (secrets.randbits(12) << 16) if os.geteuid() == 0 else 0
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = {"control": theirs.fileno(), "owner": os.getpid(), "store": self.folder}
        settings |= {"user": self.user, "has_mounts": has_mounts}
        with theirs:
            self._process = subprocess.Popen(
                [*_command(), json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
        self._control.settimeout(_START_SECONDS)
        try:
            hello = json.loads(self._control.recv(_ANSWER_BYTES) or b'{"error": "it ended at once"}')
        except (OSError, ValueError) as error:
            hello = {"error": str(error)}
        self._control.settimeout(None)
        if "error" in hello:
            self.close()
            raise SandboxError(f"no mounts of its own for environments: {hello['error']}")
        self.is_rootless: bool = hello["rootless"]

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    def ask(self, what: str, files: Sequence[int] = (), *, by: int = -1, **request: Any) -> tuple[dict[str, Any], list[int]]:
        """Has something done, by the attendant at the descriptor `by` or by itself; see `inside.main`.

        The descriptors in the answer are the caller's to close.

        Raises:
            SandboxError: it could not be done, or the keeper is gone.

        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                text = os.memfd_create("request")
                try:
                    os.write(text, json.dumps({"do": what, **request}).encode())
                    with socket.socket(fileno=os.dup(by if by >= 0 else self._control.fileno())) as control:
                        socket.send_fds(control, [b"?"], [text, theirs.fileno(), *files])
                except OSError as error:
                    raise SandboxError(f"the keeper of this process's environments is gone: {error}") from error
                finally:
                    os.close(text)
            return self._receive(ours, what)

    def _receive(self, answers: socket.socket, what: str) -> tuple[dict[str, Any], list[int]]:
        waiting = select.poll()
        waiting.register(answers, select.POLLIN)
        if not waiting.poll(_ANSWER_SECONDS * 1000):
            raise SandboxError(f"no answer to {what!r} from the keeper in {_ANSWER_SECONDS:.0f} s")
        data, files, _, _ = socket.recv_fds(answers, _ANSWER_BYTES, MOST_FILES)
        answer: dict[str, Any] = json.loads(data) if data else {"error": "the keeper of this process's environments is gone"}
        if "error" in answer:
            raise SandboxError(f"{what} in an environment: {answer['error']}")
        return answer, files

    def close(self) -> None:
        """Ends it, and with it all its environments."""
        with self._control, suppress(OSError):  # it may have ended
            self._control.send(b"!")
        try:
            self._process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        if os.path.lexists(self.folder):
            remove_tree(self.folder)


def _command() -> list[str]:
    program = (
        f"import sys; sys.path.insert(0, {str(_PACKAGES)!r}); import foretrace.sandbox.environments.inside as i; i.main()"
    )
    return [sys.executable, "-I", "-S", "-B", "-c", program]


_keepers: dict[tuple[int, bool], Keeper] = {}  # by process, since a fork must not talk with its parent's
_lock = threading.Lock()


def keeper_of_this_process(*, has_mounts: bool) -> Keeper:
    """The one that there is, or a new one.

    Raises:
        SandboxError: it cannot be started here.

    """
    key = os.getpid(), has_mounts
    with _lock:
        if key not in _keepers or not _keepers[key].is_alive:
            _keepers[key] = Keeper(has_mounts=has_mounts)
            atexit.register(_close, key)
        return _keepers[key]


def _close(key: tuple[int, bool]) -> None:
    if key[0] == os.getpid() and key in _keepers:
        _keepers.pop(key).close()
