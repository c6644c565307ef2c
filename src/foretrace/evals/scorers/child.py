"""The side of the submission: it runs in the sandbox, in the process of the code it runs, and knows nothing expected.

Jobs for `sandbox.run`: `call` evaluates expressions, `serve` answers calls of a test that runs elsewhere, `program` is a
program with its own standard input and output. All that comes out of here is written by code of others, if it likes:
it is read as values, and no value is a verdict. Names are bound before any of that code runs, for honest code's sake.

A reply is one line: `v` and the text of a value, or `w` if it was of another type, of which this is the content; `e` and
[names of the exception's built-in bases, what it says], with no names if the value is none that can be carried; `o` and the
number of an object that only its methods can be used of.
"""

import builtins
import json
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from foretrace.evals.scorers.values import NotPlainError, from_text, to_text
from foretrace.sandbox import CHANNEL
from foretrace.sandbox.script import run

SAID_CHARACTERS = 500
"""Of what an exception says."""
MODULE = "submission"
_BUILTINS = vars(builtins)


def call(payload: bytes, output: int) -> None:
    """`{"source", "setup", "calls"}`: a reply to the source as a whole, then one to each call."""
    job = json.loads(payload)
    write = _writer(output)
    calls = [compile(text.strip(), "<call>", "eval", dont_inherit=True) for text in job["calls"]]
    namespace = _load(job, write)
    for code in calls if namespace is not None else ():
        write(_reply(lambda code=code: _carried(eval(code, namespace))))  # type: ignore[misc]


def serve(payload: bytes, output: int) -> None:
    """`{"source", "setup"}`: a reply to it on the output; then calls over the channel, until the other side hangs up."""
    write = _writer(output)
    namespace = _load(json.loads(payload), write)
    if namespace is None:
        return
    objects: list[object] = []
    send = _writer(CHANNEL)

    def answer(request: str) -> str:
        name, number, arguments, keywords = from_text(request)
        function: Any = namespace[name] if number is None else getattr(objects[number], name)
        value = function(*arguments, **keywords)
        if number is None and isinstance(function, type):
            objects.append(value)
            return f"o{len(objects) - 1}"
        return _carried(value)

    for request in lines(CHANNEL):
        send(_reply(lambda request=request: answer(request)))  # type: ignore[misc]


def program(payload: bytes, output: int) -> None:
    """Runs a program; what it prints goes to the output, of which more is kept than of a standard output."""
    os.dup2(output, 1)
    try:
        run(payload, output)
    finally:
        sys.stdout.flush()  # a standard output of the program's own, too, as an interpreter does at its end


def lines(file: int, max_bytes: int = 1 << 30) -> Iterator[str]:
    """Lines that come from a file, to its end, or to one that is too long."""
    read, buffer = os.read, bytearray()
    while len(buffer) <= max_bytes and (part := read(file, 1 << 16)):
        buffer += part
        if b"\n" in part:
            *whole, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            yield from (line.decode("ascii", "replace") for line in whole)


def _load(job: dict[str, str], write: Callable[[str], None]) -> dict[str, object] | None:
    """The namespace of the source, after the setup; None if one of them raised. Writes a reply."""
    module = sys.modules[MODULE] = types.ModuleType(MODULE)

    def load() -> str:
        source = job["source"].removeprefix("\ufeff")  # the mark at the beginning of a file is no part of its text
        exec(compile(source, f"<{MODULE}>", "exec", dont_inherit=True), module.__dict__)
        exec(compile(job["setup"], "<setup>", "exec", dont_inherit=True), module.__dict__)
        return "vnull"

    reply = _reply(load)
    write(reply)
    return module.__dict__ if reply == "vnull" else None


def _writer(file: int) -> Callable[[str], None]:
    write = os.write

    def send(line: str) -> None:
        data = memoryview(line.encode() + b"\n")
        while data:
            data = data[write(file, data) :]

    return send


def _carried(value: object, to_text: Callable[[object, list[str]], str] = to_text) -> str:
    inexact: list[str] = []
    text = to_text(value, inexact)
    return ("w" if inexact else "v") + text


def _reply(
    make: Callable[[], str],
    dumps: Callable[[object], str] = json.dumps,
    known: dict[str, object] = _BUILTINS,
    uncarried: type = NotPlainError,
) -> str:
    try:
        return make()
    except BaseException as error:
        kind = type(error)
        bases = [base.__name__ for base in kind.__mro__ if known.get(base.__name__) is base and kind is not uncarried]
        return "e" + dumps([bases, f"{kind.__name__}: {error}"[:SAID_CHARACTERS]])
