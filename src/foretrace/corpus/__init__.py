"""What gets executed: harvested, given and synthesised programs, and the check that none of them is a benchmark's.

Names are imported when they are first used: a sandbox forks the faster, the less it has imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretrace.corpus.benchmarks import Benchmarks
    from foretrace.corpus.decontaminate import Decontaminator
    from foretrace.corpus.sources import subjects
    from foretrace.corpus.synthesiser import Program, programs, synthesise
    from foretrace.corpus.types import Origin, Subject

__all__ = ["Benchmarks", "Decontaminator", "Origin", "Program", "Subject", "programs", "subjects", "synthesise"]

_HOMES = {
    "Benchmarks": "benchmarks",
    "Decontaminator": "decontaminate",
    "subjects": "sources",
    **dict.fromkeys(("Origin", "Subject"), "types"),
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        home = _HOMES.get(name, "synthesiser")
        found = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
