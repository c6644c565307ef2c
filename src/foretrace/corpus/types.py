"""What a source of programs gives: a module that stands alone, what to call in it, and where it comes from."""

import hashlib
from dataclasses import dataclass
from typing import Literal

Form = Literal["function", "script"]
Kind = Literal["harvested", "contest", "test", "synthesised", "jsonl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a subject comes from, kept with every trace of it."""

    kind: Kind
    name: str
    """Distribution and version, repository and commit, or file: `toolz 1.2.0`."""
    path: str = ""
    """File in it."""
    line: int = 0
    """Of the definition in that file, from 1; 0 if there is none."""
    licence: str = "unknown"
    """SPDX expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Code to execute: a whole module, needing nothing but the standard library, and how it is run."""

    source: str
    entry: str
    """A function or `Class.method` of the module; `<module>` for a script."""
    origin: Origin
    calls: tuple[str, ...] = ()
    """Of a function: texts of argument lists, `"'abc', k=[1]"`; if none, they are found. Of a script: standard inputs."""
    outputs: tuple[str, ...] = ()
    """Of a script: what it should print for each input, as far as that is known."""
    form: Form = "function"

    @property
    def id(self) -> str:
        """What identifies it wherever it was found: the same code is the same subject. 32 hexadecimal digits."""
        return digest(self.source, self.entry)


def digest(*texts: str) -> str:
    """A fingerprint of texts: 32 hexadecimal digits of SHA-256."""
    found = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "little") + data)
    return found.hexdigest()[:32]
