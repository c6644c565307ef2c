"""The side of the test: it runs in a sandbox of its own, and reaches the submission through proxies only.

A job for `sandbox.run`. A proxy sends plain arguments over the channel and gets a plain value, which is equal to what it is
equal to: nothing of the submission's is ever in this process. What a test gets instead is an error that it cannot hide:
arguments that no text can carry, an exception, an end of the other side. Arguments are copies: a test that looks at what
became of them sees them as they were.

Assertions are counted, and where they hold, `==` within them is looked at once more, by types.
"""

import ast
import builtins
import json
import os
from typing import Any, NoReturn

from foretrace.evals.scorers.child import SAID_CHARACTERS, lines
from foretrace.evals.scorers.outcomes import said_of
from foretrace.evals.scorers.values import MAX_CHARACTERS, NotPlainError, from_text, same_value, shown, to_text
from foretrace.sandbox import CHANNEL

_ASSERTED, _EQUAL = "__asserted__", "__equal__"
_UNCARRIED = ("StopIteration", "StopAsyncIteration", "AssertionError", "Warning")
"""Exceptions that would end a loop of the test, or be taken for its own."""


class ForeignError(Exception):
    """The submission raised, or ended, or gave what cannot be carried."""


def check(payload: bytes, output: int) -> None:
    """`{"context", "test", "proxies", "is_exact"}`: writes what came of it, see `Evidence.told`."""
    job = json.loads(payload)
    evidence = Evidence()
    link = _Link(evidence)
    namespace: dict[str, Any] = {"__name__": "test"}
    try:
        exec(compile(job["context"], "<context>", "exec", dont_inherit=True), namespace)
        namespace |= {name: Function(link, target) for name, target in job["proxies"].items()}
        namespace |= {_ASSERTED: evidence.asserted, _EQUAL: evidence.equal if job["is_exact"] else _equal}
        exec(compile(_Watched().visit(ast.parse(job["test"])), "<test>", "exec", dont_inherit=True), namespace)
    except BaseException as error:
        evidence.error = f"{type(error).__name__}: {error}"[:SAID_CHARACTERS]
        evidence.is_wrong = isinstance(error, AssertionError)
    os.write(output, json.dumps(evidence.told()).encode())


class Evidence:
    """What a test has done so far."""

    def __init__(self) -> None:
        self.asserts = self.calls = 0
        self.loose = self.error = self.foreign = self.unsupported = ""
        self.is_wrong = False

    def told(self) -> dict[str, Any]:
        """For JSON: assertions that held, and calls; why it ended, if it did.

        `loose`: an equality of different types; `foreign`: what the submission did instead of an answer;
        `unsupported`: what the proxies cannot do.
        """
        return dict(vars(self))

    def asserted(self, value: object) -> object:
        """An assertion's condition, counted if it holds."""
        held = bool(value)
        self.asserts += held
        return held

    def equal(self, a: Any, b: Any) -> object:
        """`a == b`, and whether it is only officially so."""
        result = a == b
        if result is True and not same_value(a, b):
            self.loose = self.loose or f"{shown(a)} == {shown(b)}"
        return result


def _equal(a: Any, b: Any) -> object:
    return a == b


class _Watched(ast.NodeTransformer):
    """Has `assert a == b` run as `assert __asserted__(__equal__(a, b))`."""

    def __init__(self) -> None:
        self._depth = 0

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        self._depth += 1
        condition = self.visit(node.test)
        self._depth -= 1
        call = ast.Call(ast.Name(_ASSERTED, ast.Load()), [condition], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Assert(call, node.msg), node))

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if not self._depth or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq):
            return node
        call = ast.Call(ast.Name(_EQUAL, ast.Load()), [node.left, *node.comparators], [])
        return ast.fix_missing_locations(ast.copy_location(call, node))


class _Link:
    """The channel to the submission."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._replies = lines(CHANNEL, MAX_CHARACTERS)

    def ask(self, name: str, number: int | None, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        try:
            request = to_text((name, number, arguments, keywords))
        except NotPlainError as error:
            if self.evidence.calls:  # it may have been made of what the submission gave
                self._fail(f"an argument: {error}")
            self.evidence.unsupported = str(error)
            raise
        self.evidence.calls += 1
        try:
            os.write(CHANNEL, request.encode() + b"\n")
            reply = next(self._replies)
        except (OSError, StopIteration):
            self._fail("it ended before the test did")
        return self._read(reply)

    def _read(self, reply: str) -> Any:
        try:
            if reply.startswith(("v", "w")):
                return self._value(reply)
            if reply.startswith("o"):
                return Instance(self, int(reply[1:]))
            bases, said = said_of(from_text(reply.removeprefix("e")))
            known = [getattr(builtins, base) for base in bases if base not in _UNCARRIED]
        except (ValueError, AttributeError) as error:
            self._fail(f"its reply is none: {error}")
        raised = next((kind for kind in known if isinstance(kind, type) and issubclass(kind, Exception)), None)
        if raised is None:  # no value, or an exit: `except Exception` in a test must not take it for an error
            self._fail(said)
        raise _made(raised, said)

    def _value(self, reply: str) -> Any:
        value = from_text(reply[1:])
        if reply.startswith("w"):
            self.evidence.loose = self.evidence.loose or f"{shown(value)}, of a type derived from {type(value).__name__}"
        return value

    def _fail(self, why: str) -> NoReturn:
        self.evidence.foreign = self.evidence.foreign or why
        raise ForeignError(why)


def _made(kind: type[Exception], said: str) -> Exception:
    try:
        return kind(said)
    except TypeError:  # some want more than a text
        return ForeignError(said)


class Function:
    """A function or class of the submission."""

    def __init__(self, link: _Link, name: str, number: int | None = None) -> None:
        self._link, self._name, self._number = link, name, number

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """What the submission gives for these arguments."""
        return self._link.ask(self._name, self._number, arguments, keywords)


class Instance:
    """An object of the submission: its methods can be called, and nothing else can be known of it."""

    def __init__(self, link: _Link, number: int) -> None:
        self._link, self._number = link, number

    def __getattr__(self, name: str) -> Function:
        if name.startswith("__"):
            raise AttributeError(name)
        return Function(self._link, name, self._number)

    def _refuse(self, *_: object) -> NoReturn:
        raise NotPlainError("an object of the submission has methods only")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __bool__ = __len__ = __iter__ = __hash__ = __contains__ = __str__ = __repr__ = _refuse
