"""Argument lists by hypothesis' strategies for annotated parameters, to be handed to `explore` as hints.

texts = by_hypothesis(function, seed=0)           # ["0", "-1, key=''", …]

For annotations that `explore` knows little of, such as classes whose constructors are annotated in turn. It needs
`hypothesis`, which takes a second to import; the same seed gives the same texts with the same version of it.
"""

import inspect
from collections.abc import Callable
from typing import Any

from foretrace.corpus.arguments.terms import parse_arguments
from foretrace.errors import UsageError

_MAX_LENGTH = 200


def by_hypothesis(function: Callable[..., Any], seed: int = 0, count: int = 20) -> list[str]:
    """Texts of argument lists; none if a required parameter is not annotated or its type cannot be made.

    Raises:
        UsageError: hypothesis is not installed.

    """
    try:
        import hypothesis
        from hypothesis import strategies
    except ImportError as error:
        raise UsageError('arguments by hypothesis need it; install it with: pip install "foretrace[dev]"') from error
    parameters = _required(function)
    if parameters is None:
        return []
    found: dict[str, None] = {}
    given = strategies.fixed_dictionaries({name: strategies.from_type(kind) for name, kind in parameters.items()})
    checks = list(hypothesis.HealthCheck)
    quiet = hypothesis.settings(max_examples=count, database=None, deadline=None, suppress_health_check=checks)

    @hypothesis.seed(seed)
    @quiet
    @hypothesis.given(given)
    def collect(values: dict[str, Any]) -> None:
        text = ", ".join(repr(values[name]) for name in parameters)
        if len(text) <= _MAX_LENGTH and parse_arguments(text) is not None:
            found[text] = None

    try:
        collect()
    except (hypothesis.errors.HypothesisException, TypeError, NameError):
        return []
    return list(found)


def _required(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Positional parameters without default and their types."""
    try:
        parameters = inspect.signature(function, eval_str=True).parameters.values()
    except (TypeError, ValueError, NameError, AttributeError, SyntaxError):
        return None
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wanted = {one.name: one.annotation for one in parameters if one.kind in plain and one.default is one.empty}
    return wanted if wanted and inspect.Parameter.empty not in wanted.values() else None
