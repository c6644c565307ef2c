"""What a clause needs to know: the step, its statement, and how to speak."""

import ast
from dataclasses import dataclass

from foretrace.record.narration.activations import Step
from foretrace.record.narration.expressions import with_values
from foretrace.record.narration.syntax import Syntax
from foretrace.record.narration.texts import shortened
from foretrace.record.narration.voice import Voice

_QUOTED = 70
"""Characters of an expression or a line that is quoted."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A step about to be told."""

    step: Step
    node: ast.AST | None
    """Its statement; `None` where there are several on the line, or none is known."""
    syntax: Syntax
    voice: Voice
    function: str
    """The name of the function it belongs to."""
    callees: tuple[str, ...] = ()
    """The functions that it called."""
    raiser: str = ""
    """The one of them that the exception of this step came out of."""
    is_coroutine: bool = False
    """Of a function that waits, where a generator yields."""

    @property
    def quoted(self) -> str:
        """The source line, as a quotation."""
        node = self.node
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            name = f" as {node.name}" if node.name else ""
            return quotation(f"except {self.syntax.source_of(node.type)}{name}")
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and node.lineno != node.end_lineno:
            return quotation(ast.unparse(node).partition("\n")[0])
        return quotation(self.step.frame.source.strip().removesuffix(":"))

    def source_of(self, node: ast.AST) -> str:
        """An expression, as a quotation."""
        return quotation(self.syntax.source_of(node))

    def evaluated(self, node: ast.expr) -> str | None:
        """An expression with the values of its names; `None` if there is no such reading."""
        if self.callees:
            return None
        return with_values(node, self.step.before, self.syntax, min(_QUOTED, self.voice.detail.value))

    def knows(self, name: str) -> bool:
        """Whether a local has a value now that is worth telling: not a function or a class."""
        return not self.step.before.get(name, "<function").startswith(("<function", "<class", "<module", "<built-in"))


def quotation(text: str) -> str:
    """Source text in backticks."""
    return f"`{shortened(text, _QUOTED)}`"
