"""A process that starts programs. Each environment with a control group has one of its own, which is in the group
already.

To enter a group takes milliseconds, since the kernel waits until no processor is in the midst of a fork; a process that
forks within it pays nothing. The keeper itself starts the rest.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from foretrace.sandbox import confine
from foretrace.sandbox.environments import jail, serving

_CONTROL = 3
_SPARED, _USUAL = "-900", "0"
"""Of an attendant, and of what it starts: which of a group's processes the kernel would rather kill when memory runs out."""


def start(groups: list[str]) -> int:
    """Forks an attendant; the socket to ask it by."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.getpid()
    if os.fork() == 0:
        try:
            confine.end_without(parent)
            serving.arrange({2: 2, _CONTROL: theirs.fileno()})
            _prefer(_SPARED)
            for path in groups:
                Path(path).write_text("0")
            serving.serve(socket.socket(fileno=_CONTROL), {}, {"spawn": spawn})
        finally:
            os._exit(0)
    theirs.close()
    return ours.detach()


def _prefer(score: str) -> None:
    with suppress(OSError):  # only root may spare itself
        Path("/proc/self/oom_score_adj").write_text(score)


def spawn(request: dict[str, Any], files: list[int], reply: socket.socket) -> NoReturn:
    """Becomes a program; answers with a descriptor of its process. `files` become those that `numbers` says."""
    own, parent = os.pidfd_open(os.getpid()), os.getppid()
    socket.send_fds(reply, [b"{}"], [own])
    os.close(own)
    reply.close()
    serving.arrange(dict(zip(request["numbers"], files, strict=True)))
    os.umask(0o022)
    if "jail" in request:
        jail.enter(request)
    _prefer(_USUAL)
    jail.limit(request)
    if request["user"]:
        confine.become(request["user"])
        confine.end_without(parent)  # the program may do the same, but only later
    os.execve(request["argv"][0], request["argv"], request["env"])
