r"""Which names a statement binds and uses, as the compiler itself sees it.

    scopes_of("def f(x):\\n    return g(x)\\n").uses        # frozenset({'g'})

Scoping is left to `symtable`: comprehensions, `global`, class bodies and annotations follow its rules, not guesses.
"""

import symtable
import warnings
from dataclasses import dataclass, field

FUTURE = "from __future__ import annotations\n"


@dataclass(slots=True)
class Scopes:
    """Names of a module-level statement."""

    binds: set[str] = field(default_factory=set)
    """Names of the module that it assigns, defines or imports."""
    uses: set[str] = field(default_factory=set)
    """Names of the module, or builtins, that it reads: when it runs, or later in the bodies that it defines."""
    rebinds: set[str] = field(default_factory=set)
    """Names of the module that its functions assign (`global`)."""
    function_locals: set[str] = field(default_factory=set)
    may_use: set[str] = field(default_factory=set)
    """Names that class bodies bind and read: a body looks a name up in the module as long as it has not bound it."""


def scopes_of(text: str, *, future_annotations: bool = False) -> Scopes:
    """Names of a statement given as text.

    With `future_annotations`, names in annotations are not used: they stay text when the program runs.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of invalid escapes, in code that is not ours
        table = symtable.symtable((FUTURE if future_annotations else "") + text, "<statement>", "exec")
    found = Scopes()
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            found.binds.add(symbol.get_name())
        if symbol.is_referenced():
            found.uses.add(symbol.get_name())
    if future_annotations:
        found.binds.discard("annotations")
    for child in table.get_children():
        _collect(child, found)
    return found


def _collect(table: symtable.SymbolTable, found: Scopes) -> None:
    is_class = table.get_type() == "class"
    for symbol in table.get_symbols():
        name = symbol.get_name()
        if symbol.is_global():
            found.uses.add(name)
            if symbol.is_assigned() or symbol.is_imported():
                found.rebinds.add(name)
        elif is_class:
            if symbol.is_referenced():
                found.may_use.add(name)
        else:
            found.function_locals.add(name)
    for child in table.get_children():
        _collect(child, found)
