"""What programs a calibration knows, and what of another program it does not.

    domain = Domain.of(cases)
    domain.strange_source(source)           # ['it uses class, translate: no calibrated program did']
    domain.strange_steps(steps)             # ['step 212: calibrated programs had up to 96']

The rule: what nearly all calibrated programs stayed within is inside. Of sizes that is what 99 of 100 did not exceed; of
types of values, kinds of statements and expressions, methods and built-in functions those that one in 400 had. Of its own
kind of programs that calls one in thirty outside.
"""

import ast
import builtins
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from foretrace.debug.calibration.features import kind_of
from foretrace.engine import Step
from foretrace.evals import Case
from foretrace.trace import Frame
from foretrace.trace.syntax import UNREADABLE, parse

_FEWEST, _RARE = 2, 0.0025
"""Programs that must have a thing, and the share of them."""
_SHARE = 0.99
_NAMED = 6
"""Strange things that a sentence lists."""
_BUILTINS = frozenset(dir(builtins))
_UNTOLD = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.mod, ast.arguments, ast.arg)
"""Nodes that say nothing that others do not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Domain:
    """What the programs of a calibration were like."""

    lines: int
    """Lines of source that 99 of 100 programs did not exceed."""
    steps: int
    """Frames of a trace, likewise."""
    characters: int
    """Of the longest value of a trace, likewise."""
    depth: int
    """Calls within calls, likewise."""
    kinds: tuple[str, ...]
    """Types of values, as `kind_of` names them."""
    constructs: tuple[str, ...]
    """Kinds of statements and expressions, methods (`.upper`), built-in functions, as `constructs_of` names them."""

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Self:
        """Of programs and their real traces, of which there is one at least."""
        texts = [[text for frame in case.real.frames for text in texts_of(frame)] for case in cases]
        return cls(
            lines=_most(_lines(case.source) for case in cases),
            steps=_most(len(case.real) for case in cases),
            characters=_most(max(map(len, those), default=0) for those in texts),
            depth=_most(max((frame.depth for frame in case.real.frames), default=0) for case in cases),
            kinds=_common([set(map(kind_of, those)) for those in texts]),
            constructs=_common([constructs_of(case.source) for case in cases]),
        )

    def strange_source(self, source: str) -> list[str]:
        """Why a program is not like those of the calibration, in sentences; none if it is."""
        found = []
        if (lines := _lines(source)) > self.lines:
            found.append(f"it has {lines} lines; calibrated programs had up to {self.lines}")
        try:
            strange = sorted(constructs_of(source) - set(self.constructs))
        except UNREADABLE:
            return [*found, "it does not parse"]
        if strange:
            more = ", …" if len(strange) > _NAMED else ""
            found.append(f"it uses {', '.join(strange[:_NAMED])}{more}, which calibrated programs hardly did")
        return found

    def strange_steps(self, steps: Sequence[Step]) -> list[str]:
        """The same of the steps of a prediction, position 0 first."""
        found = []
        if len(steps) > self.steps:
            found.append(f"it has {len(steps)} steps; calibrated ones had up to {self.steps}")
        if (depth := max((step.frame.depth for step in steps), default=0)) > self.depth:
            found.append(f"calls are {depth} deep; in calibrated programs they were up to {self.depth}")
        texts = {value.text for step in steps for value in step.values}
        if (longest := max(map(len, texts), default=0)) > self.characters:
            found.append(f"a value has {longest} characters; calibrated ones had up to {self.characters}")
        if kinds := sorted(set(map(kind_of, texts)) - set(self.kinds)):
            found.append(f"it has values of type {', '.join(kinds)}, which calibrated programs hardly had")
        return found

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` has made."""
        sizes = {name: int(values[name]) for name in ("lines", "steps", "characters", "depth")}
        return cls(**sizes, kinds=tuple(values["kinds"]), constructs=tuple(values["constructs"]))


def constructs_of(source: str) -> set[str]:
    """What a program is made of.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it does not parse.

    """
    nodes = list(ast.walk(parse(source)))
    found = {type(node).__name__ for node in nodes if not isinstance(node, _UNTOLD)}
    found |= {f".{node.attr}" for node in nodes if isinstance(node, ast.Attribute)}
    return found | {node.id for node in nodes if isinstance(node, ast.Name) and node.id in _BUILTINS}


def texts_of(frame: Frame) -> list[str]:
    """The values of a frame."""
    return [*frame.state.values(), *([] if frame.value is None else [frame.value])]


def _lines(source: str) -> int:
    return source.rstrip("\n").count("\n") + 1


def _most(numbers: Iterable[int]) -> int:
    """What 99 of 100 do not exceed."""
    ordered = sorted(numbers)
    return ordered[min(int(_SHARE * len(ordered)), len(ordered) - 1)]


def _common(several: Sequence[set[str]]) -> tuple[str, ...]:
    counts, wanted = Counter(one for those in several for one in those), max(_FEWEST, _RARE * len(several))
    return tuple(sorted(one for one, count in counts.items() if count >= wanted))
