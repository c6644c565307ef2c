"""The verbs of the package that need an engine."""

from typing import Any

from foretrace.engine import Engine
from foretrace.engine import load as load
from foretrace.engine import predict as predict_source
from foretrace.record import argument_text, read_target
from foretrace.trace import Trace

__all__ = ["load", "predict"]


def predict(
    target: str,
    /,
    *args: Any,
    arguments: str | None = None,
    model: str | Engine = "tiny",
    max_tokens: int = 4096,
    temperature: float = 0.0,
    seed: int = 0,
    grammar: bool = False,
    **kwargs: Any,
) -> Trace:
    """What a call of a function in a file would do. Nothing is executed.

    Args:
        target: `file.py::function`.
        args, kwargs: literal values to call it with; or
        arguments: the argument list as text.
        model: a name or folder for `load`, or an engine.
        max_tokens: budget of generated tokens.
        grammar: predict only lines that exist, in an order that control flow allows.

    Raises:
        UsageError: no such file, function or model, or arguments that do not bind.
        CheckpointError: the model's folder is incomplete or damaged.

    """
    source, entry, path = read_target(target)
    text = arguments if arguments is not None else argument_text(args, kwargs)
    engine = load(model) if isinstance(model, str) else model
    return predict_source(
        engine,
        source,
        entry,
        text,
        path=path,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        grammar=grammar,
    )
