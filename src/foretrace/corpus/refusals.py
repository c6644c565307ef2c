"""Why a function, a file or an archive is not used: every source says so, nothing is dropped in silence."""

from dataclasses import dataclass
from enum import StrEnum


class Refusal(StrEnum):
    """A reason; its text is what reports print."""

    THIRD_PARTY = "needs a third-party package"
    MISSING_MODULE = "needs a module that the source does not have"
    STAR_IMPORT = "a name may come from an import * that cannot be resolved"
    DYNAMIC = "names are looked up or bound while running"
    MODULE_AS_VALUE = "uses a module of the package as a value"
    CONDITIONAL = "imports from its package under a condition"
    NAME_CONFLICT = "one name means different things in different modules"
    UNWRITABLE = "cannot be written without its package"
    OWN_FILES = "reads files beside its module"
    NO_ENTRY = "the function to call is not defined in the code"
    TOO_LARGE = "too large"
    SYNTAX = "does not parse"
    NOT_TEXT = "is not readable text"
    DAMAGED = "the archive is damaged"
    EMPTY = "has no code in it"
    ABSTRACT = "is abstract"
    OVERLOAD = "is an overload"
    PROPERTY = "is a property"
    DUNDER = "is called by the interpreter only"
    PRIVATE = "has a name that only its class can write"
    FIXTURE = "is a fixture or a test"


NOT_FUNCTIONS = frozenset(
    {Refusal.EMPTY, Refusal.ABSTRACT, Refusal.OVERLOAD, Refusal.PROPERTY, Refusal.DUNDER, Refusal.PRIVATE, Refusal.FIXTURE}
)
"""Reasons that say that there is nothing to call, rather than that it could not be had."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What is not used, and why."""

    name: str
    """`toolz/functoolz.py::curry`, a file, or a line of one."""
    reason: Refusal
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}" + (f" ({self.detail})" if self.detail else "")


class UnsliceableError(Exception):
    """A function cannot stand alone; not an error of a user, so it never leaves the corpus."""

    def __init__(self, reason: Refusal, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
