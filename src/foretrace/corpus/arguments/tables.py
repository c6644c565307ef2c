"""What built-in types have, and what built-in functions take and give; the first from the types' own `dir()`.

HOLDERS["split"]          # ('str', 'bytes', 'bytearray')
TAKES["ord"]              # (('character',), 'int')
"""

from typing import Any

_TYPES: dict[str, type] = {
    "list": list,
    "str": str,
    "dict": dict,
    "set": set,
    "tuple": tuple,
    "int": int,
    "float": float,
    "bytes": bytes,
    "frozenset": frozenset,
    "bytearray": bytearray,
    "complex": complex,
    "bool": bool,
}
TYPE_NAMES = {kind.__name__: name for name, kind in _TYPES.items()} | {
    "NoneType": "none",
    "function": "callable",
    "builtin_function_or_method": "callable",
    "method_descriptor": "callable",
    "type": "callable",
    "list_iterator": "iterator",
    "tuple_iterator": "iterator",
    "range_iterator": "iterator",
}
"""Kinds by the names that error messages use."""


def _holders() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, kind in _TYPES.items():
        for attribute in dir(kind):
            if name != "bool" or attribute.startswith("__"):
                found.setdefault(attribute, []).append(name)
    for attribute in ("send", "throw", "close"):
        found[attribute] = ["iterator"]
    return {attribute: tuple(names) for attribute, names in found.items()}


HOLDERS = _holders()
"""Of each attribute the kinds that have it."""


def result_kinds() -> dict[str, str]:
    """Of each method of texts, numbers, lists, dicts and sets the kind of its result; found by calling it."""
    samples: dict[str, tuple[Any, ...]] = {
        "str": ("a", ("a",), (1,), ("a", "b"), ()),
        "list": ([1], (1,), (0,), ([2],), (0, 1), ()),
        "dict": ({1: 1}, (1,), ({},), (1, 2), ()),
        "set": ({1}, ({1},), (1,), ()),
        "int": (1, (), (1,)),
        "float": (1.0, ()),
    }
    found: dict[str, str] = {}
    for kind, (_, *tries) in samples.items():
        for name in dir(_TYPES[kind]):
            if not name.startswith("_") and name not in found:
                found[name] = _result(samples[kind][0], name, tries)
    return found


def _result(sample: Any, name: str, tries: list[Any]) -> str:
    for arguments in tries:
        fresh = sample.copy() if hasattr(sample, "copy") else sample
        try:
            result = getattr(fresh, name)(*arguments)
        except Exception:
            continue
        return "none" if result is None else type(result).__name__
    return ""


RESULTS = result_kinds()

_TEXT = ("text",)
_REAL = ("real",)
_ITERABLE = ("iterable",)
TAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "len": (("sized",), "int"),
    "ord": (("character",), "int"),
    "chr": (("code",), "str"),
    "int": (("number_text", "int"), "int"),
    "float": (("number_text",), "float"),
    "str": (("any",), "str"),
    "repr": (("any",), "str"),
    "bool": (("any",), "bool"),
    "bin": (("int",), "str"),
    "hex": (("int",), "str"),
    "oct": (("int",), "str"),
    "abs": (("number",), "same"),
    "round": (("real", "int"), "int"),
    "divmod": (("real", "real"), "numbers"),
    "pow": (("real", "real", "int"), "same"),
    "range": (("int", "int", "int"), "ints"),
    "sum": (("numbers",), "element"),
    "min": (("ordered",), "element"),
    "max": (("ordered",), "element"),
    "sorted": (("iterable",), "list"),
    "list": (("iterable",), "list"),
    "tuple": (("iterable",), "list"),
    "set": (("iterable",), "set"),
    "frozenset": (("iterable",), "set"),
    "reversed": (("sequence",), "list"),
    "iter": (("iterable",), "list"),
    "next": (("iterator",), "element"),
    "any": (("iterable",), "bool"),
    "all": (("iterable",), "bool"),
    "enumerate": (("iterable", "int"), "enumerated"),
    "zip": (("iterable", "iterable", "iterable", "iterable"), "zipped"),
    "map": (("callable", "iterable", "iterable"), "mapped"),
    "filter": (("callable", "iterable"), "filtered"),
    "dict": (("mapping",), "dict"),
    "callable": (("callable",), "bool"),
    "open": (("text", "text"), ""),
    "bytes": (("bytes_like",), "bytes"),
    "complex": (("real", "real"), "complex"),
    "math.factorial": (("int",), "int"),
    "math.gcd": (("int", "int", "int"), "int"),
    "math.lcm": (("int", "int", "int"), "int"),
    "math.comb": (("int", "int"), "int"),
    "math.perm": (("int", "int"), "int"),
    "math.isqrt": (("int",), "int"),
    "math.fsum": (("numbers",), "float"),
    "math.prod": (("numbers",), "float"),
    "math.dist": (("numbers", "numbers"), "float"),
    "math.floor": (_REAL, "int"),
    "math.ceil": (_REAL, "int"),
    "math.trunc": (_REAL, "int"),
    "statistics.mean": (("numbers",), "float"),
    "statistics.median": (("numbers",), "float"),
    "random.choice": (("sequence",), "element"),
    "random.shuffle": (("list",), "none"),
    "random.sample": (("sequence", "int"), "list"),
    "random.randint": (("int", "int"), "int"),
    "collections.Counter": (_ITERABLE, "counts"),
    "collections.deque": (("iterable", "int"), "list"),
    "collections.OrderedDict": (("mapping",), "dict"),
    "functools.reduce": (("callable", "iterable"), ""),
    "itertools.chain": (("iterable", "iterable", "iterable"), "list"),
    "itertools.chain.from_iterable": (("nested",), "inner"),
    "itertools.product": (("iterable", "iterable", "iterable"), ""),
    "itertools.permutations": (("iterable", "int"), ""),
    "itertools.combinations": (("iterable", "int"), ""),
    "itertools.combinations_with_replacement": (("iterable", "int"), ""),
    "itertools.accumulate": (("numbers",), "list"),
    "itertools.groupby": (_ITERABLE, ""),
    "itertools.islice": (("iterable", "int", "int", "int"), "list"),
    "itertools.cycle": (_ITERABLE, "list"),
    "itertools.repeat": (("any", "int"), ""),
    "itertools.tee": (("iterable", "int"), ""),
    "itertools.zip_longest": (("iterable", "iterable", "iterable"), "zipped"),
    "itertools.takewhile": (("callable", "iterable"), "filtered"),
    "itertools.dropwhile": (("callable", "iterable"), "filtered"),
    "itertools.starmap": (("callable", "iterable"), ""),
    "itertools.pairwise": (_ITERABLE, ""),
    "heapq.heappush": (("list", "any"), "none"),
    "heapq.heappop": (("list",), "element"),
    "heapq.heapify": (("list",), "none"),
    "heapq.nlargest": (("int", "iterable"), ""),
    "heapq.nsmallest": (("int", "iterable"), ""),
    "bisect.bisect_left": (("list",), "int"),
    "bisect.bisect_right": (("list",), "int"),
    "bisect.bisect": (("list",), "int"),
    "bisect.insort": (("list",), "none"),
    "copy.copy": (("any",), "same"),
    "copy.deepcopy": (("any",), "same"),
    "json.loads": (("json",), ""),
    "json.dumps": (("any",), "str"),
    "decimal.Decimal": (("number_text",), ""),
    "fractions.Fraction": (("number_text",), ""),
}
"""Roles of the arguments of functions, and what the result is."""
_BY_MODULE: dict[str, tuple[tuple[str, ...], str]] = {
    "math": (("real", "real"), "float"),
    "cmath": (("number",), "complex"),
    "re": (("text", "text", "text"), ""),
    "textwrap": (("text", "int"), "str"),
    "string": (_TEXT, "str"),
    "shlex": (_TEXT, ""),
    "html": (_TEXT, "str"),
    "hashlib": (("bytes_like",), ""),
    "base64": (("bytes_like",), "bytes"),
    "binascii": (("bytes_like",), "bytes"),
    "unicodedata": (("text", "text"), "str"),
    "os.path": (("text", "text", "text"), "str"),
    "urllib.parse": (_TEXT, ""),
    "difflib": (("text", "text"), ""),
    "statistics": (("numbers",), "float"),
    "operator": (("any", "any"), ""),
}


def takes(name: str) -> tuple[tuple[str, ...], str] | None:
    """Roles of the arguments and the result of a function, `len` or `math.sqrt`; None if that is not known."""
    return TAKES.get(name) or _BY_MODULE.get(name.rpartition(".")[0])
