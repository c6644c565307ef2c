"""Values of the standard library that are made by calls: dates, fractions, paths, patterns."""

import random

from foretrace.corpus.arguments.annotations import MADE
from foretrace.corpus.arguments.terms import Arguments, Construction, Expression, parse_arguments

_PATTERNS = ("[a-z]+", r"\d+", "a", r"\w+", "(a)(b)?", "^x", "[,;] *")
_HOMES = {
    "datetime": "datetime",
    "date": "datetime",
    "time": "datetime",
    "timedelta": "datetime",
    "Decimal": "decimal",
    "Fraction": "fractions",
    "Path": "pathlib",
    "PurePath": "pathlib",
    "PurePosixPath": "pathlib",
    "Counter": "collections",
    "OrderedDict": "collections",
    "deque": "collections",
    "defaultdict": "collections",
    "ChainMap": "collections",
    "StringIO": "io",
    "BytesIO": "io",
    "UUID": "uuid",
    "SimpleNamespace": "types",
    "array": "array",
    "Random": "random",
    "Pattern": "re",
    "Match": "re",
}


def made_value(rng: random.Random, imports: dict[str, str], name: str) -> object:
    """A call that makes a value of the class `name`, by the names that the module imports."""
    home = _HOMES[name]
    if name in ("Pattern", "Match"):
        pattern = rng.choice(_PATTERNS)
        prefix = reach(imports, home, "compile")
        return Expression(f"{prefix}({pattern!r})" if name == "Pattern" else f"{prefix}({pattern!r}).search('aab 12, x')")
    text = rng.choice(MADE[name])
    return Construction(reach(imports, home, name), parse_arguments(text) or Arguments())


def reach(imports: dict[str, str], home: str, name: str) -> str:
    """How the module reaches a name of a module of the standard library."""
    for local, full in imports.items():
        if full == f"{home}.{name}":
            return local
    for local, full in imports.items():
        if full == home:
            return f"{local}.{name}"
    return f"__import__({home!r}).{name}"
