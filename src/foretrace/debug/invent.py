"""Arguments that nobody gave: the model invents a call.

    texts = invent(engine, source, function_of(source, "f"), keep={"letter": "'r'"}, seed=1)
    prompt = prompt_with(source, "f", texts)            # {'word': "'strawberry'", 'letter': "'r'"}

The names are given, the values drawn, one after the other, each after those before it: a value that is kept is told to
the model like the others, and those after it go with it.
"""

import ast
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from foretrace.debug.reading import is_value, read
from foretrace.engine import Engine, Prompt
from foretrace.engine.binding import BoundCall, Function, find_function, parse_source
from foretrace.engine.steps import REST_OF_STRING, FrameReader, extended
from foretrace.errors import UsageError
from foretrace.trace import Event, Frame, frame_segments, prompt_segments

_MOST_TOKENS = 100
"""Of one value."""
_DRAWS = 6
TEMPERATURES = (0.8, 1.2, 1.6)
"""At which values are drawn, the next where none was drawn at the last; the higher, the stranger."""


def function_of(source: str, entry: str) -> Function:
    """The function whose arguments can be invented.

    Raises:
        UsageError: there is no such function, or it is no plain function of the module.

    """
    tree = parse_source(source)
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    function = find_function(tree, entry, classes | names)
    if function is None or function.decorator_list or "." in entry:
        raise UsageError(
            f"arguments can only be invented for a plain function of the module, and {entry} is none; "
            "give them, as in a call: \"'abc', k=[1]\""
        )
    return function


def parameters(function: Function) -> list[str]:
    """The names of its parameters, in the order in which a call frame shows them."""
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [a.arg for a in [*plain, *filter(None, [arguments.vararg, arguments.kwarg])]]


def argument_list(function: Function, texts: Mapping[str, str]) -> str:
    """The text of the argument list that binds these values."""
    arguments = function.args
    parts = [texts[a.arg] for a in arguments.posonlyargs]
    if arguments.vararg:  # what comes before it cannot be given by name
        parts += [*(texts[a.arg] for a in arguments.args), f"*{texts[arguments.vararg.arg]}"]
    else:
        parts += [f"{a.arg}={texts[a.arg]}" for a in arguments.args]
    parts += [f"{a.arg}={texts[a.arg]}" for a in arguments.kwonlyargs]
    if arguments.kwarg:
        parts.append(f"**{texts[arguments.kwarg.arg]}")
    return ", ".join(parts)


def prompt_with(source: str, entry: str, texts: Mapping[str, str]) -> Prompt:
    """The prompt for a call that binds these values.

    Raises:
        UsageError: see `function_of`.

    """
    function = function_of(source, entry)
    call = BoundCall(source, entry, function.lineno, dict(texts), argument_list(function, texts))
    return extended(Prompt(call, (), ()), [_call_frame(source, function, texts)])


def invent(
    engine: Engine,
    source: str,
    function: Function,
    *,
    keep: Mapping[str, str] = MappingProxyType({}),
    avoid: Mapping[str, str] = MappingProxyType({}),
    seed: int,
) -> dict[str, str]:
    """Values for the parameters of a function, as reprs.

    Args:
        engine: is asked for several of each, the first that is a value being taken.
        source: of the module.
        function: of the module.
        keep: values that are not drawn, by name.
        avoid: values that are taken only if no other is drawn, by name.
        seed: of the drawing.

    Raises:
        UsageError: the model writes no value.

    """
    texts: dict[str, str] = {}
    rest = _rest(function)
    for name in parameters(function):
        drawn = iter(()) if name in keep else _values(engine, source, function, {**texts, name: "0"}, seed)
        if name in rest:
            drawn = (text for text in drawn if _is_like(text, rest[name]))
        text = keep.get(name) or _first(drawn, avoid.get(name, "")) or rest.get(name, "")
        if not text:
            raise UsageError(f"the model invents no value for {name!r}; give the arguments, or try another seed")
        texts[name] = text
    return texts


def _rest(function: Function) -> dict[str, str]:
    """The parameters that take all other arguments, and what they hold if there are none."""
    arguments = function.args
    return {a.arg: empty for a, empty in ((arguments.vararg, "()"), (arguments.kwarg, "{}")) if a}


def _is_like(text: str, empty: str) -> bool:
    """Whether a value is a tuple, as `empty` is, or a dictionary of names."""
    value = read(text)
    return type(value) is type(read(empty)) and (isinstance(value, tuple) or all(isinstance(key, str) for key in value))


def _first(texts: Iterable[str], avoid: str) -> str:
    """The first text other than `avoid`; that one if there is no other, and nothing if there is none."""
    found = ""
    for text in texts:
        found = text
        if text != avoid:
            break
    return found


def _call_frame(source: str, function: Function, texts: Mapping[str, str]) -> Frame:
    line = source.split("\n")[function.lineno - 1]
    return Frame(Event.CALL, function.name, 0, function.lineno, line, locals=dict(texts))


def _values(engine: Engine, source: str, function: Function, texts: Mapping[str, str], seed: int) -> Iterator[str]:
    """Values that are drawn for the last of these names, the others having the values that are given."""
    tokenizer, name = engine.tokenizer, list(texts)[-1]
    [segments] = frame_segments([_call_frame(source, function, texts)])
    ids = tokenizer.encode(segments)
    place = FrameReader(tokenizer).places(ids)[1][name]
    start = [*tokenizer.encode(prompt_segments(source, function.lineno)), *ids[: place.tokens.start]]
    for temperature in TEMPERATURES:
        generations = engine.generate(
            [start] * _DRAWS,
            max_tokens=_MOST_TOKENS,
            temperature=temperature,
            seed=zlib.crc32(f"{seed} {name}".encode()),
            stop=list(tokenizer.specials.values()),
        )
        written = (b"".join(map(tokenizer.spelling, generation.tokens)) for generation in generations)
        yield from filter(is_value, (_first_string(text, place.lead) for text in written))


def _first_string(written: bytes, lead: bytes) -> str:
    """The JSON string that begins within `lead`, which is written first; empty if there is none."""
    match = REST_OF_STRING.match(written, len(lead)) if written.startswith(lead) else None
    try:
        return str(json.loads(b'"' + match[0])) if match else ""
    except ValueError:
        return ""
