"""Requests of a process to its servants: a memory file (JSON) and a socket for the answer, with further descriptors.

    is_over = serve(control, {"open": keeper.open}, {"copy": keeper.copy}, owner)     # the servant's side

What takes a millisecond, as a fork does, is done at once. What takes time is done by a fork, so that no request waits
for another.
"""

import fcntl
import json
import os
import select
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from foretrace.sandbox import confine

Answer = tuple[dict[str, Any], list[int]]
"""What is told, and descriptors that go with it."""
Work = Callable[[dict[str, Any], list[int], socket.socket], Answer]
"""Takes a request, its descriptors, and the socket for the answer, if it would rather answer by itself, and close it."""
MOST_FILES = 64
"""Descriptors in one message."""


def serve(control: socket.socket, at_once: Mapping[str, Work], apart: Mapping[str, Work], owner: int | None = None) -> bool:
    """Answers requests until there are no more, or the process `owner` has ended: whether the other side said goodbye."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for forks: the kernel does
    waiting = select.poll()
    for descriptor in (control.fileno(), owner):
        if descriptor is not None:
            waiting.register(descriptor, select.POLLIN)
    while owner not in {descriptor for descriptor, _ in waiting.poll()}:
        data, files, _, _ = socket.recv_fds(control, 1, MOST_FILES)
        if not files:
            return bool(data)
        _answer(files, at_once, apart)
    return False


def _answer(files: list[int], at_once: Mapping[str, Work], apart: Mapping[str, Work]) -> None:
    text, answers, *rest = files
    reply = socket.socket(fileno=answers)
    opened: list[int] = []
    try:
        request = json.loads(os.pread(text, os.fstat(text).st_size, 0))
        what = request["do"]
        if what in at_once:
            answer, opened = at_once[what](request, rest, reply)
            _reply(reply, answer, opened)
        else:
            parent = os.getpid()
            if os.fork() == 0:
                confine.end_without(parent)
                _answer_apart(apart[what], request, rest, reply)
    except OSError as error:
        _reply(reply, {"error": str(error)}, [])
    reply.close()
    for file in (text, *rest, *opened):
        os.close(file)


def _answer_apart(work: Work, request: dict[str, Any], files: list[int], reply: socket.socket) -> NoReturn:
    """A fork's whole life."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        answer, _ = work(request, files, reply)
    except OSError as error:
        answer = {"error": str(error)}
    if reply.fileno() >= 0:
        _reply(reply, answer, [])
    else:  # it was to become a program, whose output is there to say why it did not
        os.write(2, f"{answer['error']}\n".encode())
    os._exit(0 if "error" not in answer else 1)


def _reply(reply: socket.socket, answer: dict[str, Any], opened: list[int]) -> None:
    with suppress(OSError):  # nobody waits any more
        socket.send_fds(reply, [json.dumps(answer).encode()], opened)


def arrange(files: Mapping[int, int]) -> None:
    """Leaves these files open, each under its number, and no others."""
    above = max([*files, 2]) + 1
    moved = {number: fcntl.fcntl(file, fcntl.F_DUPFD, above) for number, file in files.items()}
    for number, file in moved.items():
        os.dup2(file, number)
    for number in range(above):
        if number not in files:
            with suppress(OSError):  # it was not open
                os.close(number)
    os.closerange(above, 1 << 16)
