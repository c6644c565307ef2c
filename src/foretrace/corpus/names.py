"""Names as people and language models choose them, thousands of them, and now and then one nobody ever chose.

Names(random.Random(0)).fresh("str")        # 'new_text'
"""

import random

_BY_TYPE = {
    "str": "text s string word sentence line message name value txt st str_ phrase input_string data token content label code title key",
    "char": "c char ch letter x i l k s e symbol t",
    "int": "n num i k x count value number total limit index size idx length m start pos a b amount step target position threshold",
    "listint": "nums numbers arr array lst values items a xs data list_ digits ns scores l ints vals seq elements counts",
    "liststr": "words names strings items lst lines array parts tokens ls texts strs data keys chars letters elements values",
    "liststrlist": "groups rows matrix lists grid table pairs data nested chunks",
    "dictsi": "d dic counts scores data dictionary mapping table freq ages prices stock m inventory totals points",
    "dictss": "d dic mapping data names dictionary table lookup pairs config info tags env colors",
    "dictis": "d dic mapping labels data names by_id table index lookup",
    "bool": "flag found ok done is_valid result reverse seen check has_any",
    "tuple": "t pair tup point result pos bounds range_",
    "set": "seen unique s chars uniq visited items letters found",
    "elem": "x n num i item v value e elem a el y val element",
    "word": "w word s item name x part token line e p elem string",
    "key": "k key name x item word",
    "index": "i j idx k index pos p n ind",
    "function": "process transform solve compute handle check update convert helper build get_value find_all run calc apply clean parse",
}
_RESULT = (
    "result res output out ans new answer ret acc final tmp temp r collected total new_text new_list new_string s ls l new_arr "
    "newlist result_list new_dict o buf a b joined built processed"
)
_WORDS = [
    "apple",
    "river",
    "stone",
    "cloud",
    "light",
    "dark",
    "green",
    "blue",
    "red",
    "small",
    "big",
    "fast",
    "slow",
    "first",
    "last",
    "next",
    "prev",
    "left",
    "right",
    "inner",
    "outer",
    "old",
    "base",
    "main",
    "raw",
    "clean",
    "full",
    "half",
    "even",
    "odd",
    "high",
    "low",
    "max",
    "min",
    "mid",
    "top",
    "sub",
    "alt",
    "hash",
    "port",
    "user",
    "item",
    "node",
    "edge",
    "path",
    "file",
    "row",
    "col",
    "cell",
    "block",
    "piece",
    "slice",
    "chunk",
    "batch",
    "group",
    "field",
    "entry",
    "record",
    "event",
    "task",
    "job",
    "state",
    "mode",
    "kind",
    "type",
    "level",
    "rank",
    "grade",
    "score",
    "price",
    "cost",
    "rate",
    "time",
    "date",
    "year",
    "month",
    "day",
    "hour",
    "week",
    "code",
    "mark",
    "sign",
    "flag",
    "bit",
    "byte",
    "page",
    "book",
    "note",
    "song",
    "film",
    "game",
    "team",
    "city",
    "town",
    "road",
    "house",
    "room",
    "door",
    "wall",
    "tree",
    "leaf",
    "seed",
    "fruit",
    "bird",
    "fish",
    "cat",
    "dog",
    "horse",
    "lion",
    "bear",
    "wolf",
    "snake",
    "sun",
    "moon",
    "star",
    "sky",
    "rain",
    "snow",
    "wind",
    "fire",
    "water",
    "earth",
    "metal",
    "gold",
    "silver",
    "iron",
    "glass",
    "paper",
    "cloth",
    "wood",
    "bread",
    "milk",
    "salt",
    "sugar",
    "tea",
    "cup",
    "plate",
    "spoon",
    "chair",
    "table",
    "lamp",
    "clock",
    "phone",
    "radio",
    "train",
    "plane",
    "ship",
    "car",
    "bike",
    "wheel",
    "engine",
    "motor",
    "pump",
    "alpha",
    "beta",
    "gamma",
    "delta",
    "omega",
    "vowel",
    "digit",
    "prefix",
    "suffix",
    "sep",
    "delim",
    "char",
    "word",
    "text",
    "line",
    "phrase",
    "letter",
    "string",
    "number",
    "count",
    "total",
    "sum",
    "value",
    "key",
    "pair",
    "list",
    "array",
    "dict",
    "map",
    "set",
    "stack",
    "queue",
    "heap",
    "link",
    "head",
    "tail",
    "body",
    "source",
    "target",
    "query",
    "reply",
    "answer",
    "result",
    "output",
    "input",
    "buffer",
    "cache",
    "filter",
    "sort",
    "merge",
    "split",
    "join",
    "swap",
    "shift",
    "rotate",
    "flip",
    "scan",
    "parse",
    "build",
    "make",
    "find",
    "keep",
    "drop",
    "take",
    "give",
    "move",
    "push",
    "pull",
    "open",
    "close",
    "start",
    "stop",
]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
RESERVED = frozenset(
    [
        "and",
        "as",
        "assert",
        "async",
        "await",
        "break",
        "class",
        "continue",
        "def",
        "del",
        "elif",
        "else",
        "except",
        "finally",
        "for",
        "from",
        "global",
        "if",
        "import",
        "in",
        "is",
        "lambda",
        "nonlocal",
        "not",
        "or",
        "pass",
        "raise",
        "return",
        "try",
        "while",
        "with",
        "yield",
        "None",
        "True",
        "False",
        "len",
        "range",
        "str",
        "int",
        "list",
        "dict",
        "set",
        "tuple",
        "sorted",
        "reversed",
        "enumerate",
        "zip",
        "map",
        "filter",
        "sum",
        "min",
        "max",
        "abs",
        "any",
        "all",
        "bool",
        "float",
        "chr",
        "ord",
        "isinstance",
        "round",
        "divmod",
    ]
)


class Names:
    """Hands out names for one program, none twice."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._taken: set[str] = set(RESERVED)
        # one habit a program: how likely a name is an uncommon one
        self._odd = rng.choice((0.05, 0.2, 0.6))

    def fresh(self, kind: str) -> str:
        """A name not yet used, in the manner of a variable of type `kind`."""
        for _ in range(50):
            name = self._propose(kind)
            if name not in self._taken:
                self._taken.add(name)
                return name
        name = f"{_nonsense(self._rng)}{len(self._taken)}"
        self._taken.add(name)
        return name

    def _propose(self, kind: str) -> str:
        rng = self._rng
        if rng.random() < self._odd:
            return _uncommon(rng)
        if kind == "result":
            return rng.choice(_RESULT_LIST)
        return rng.choice(_LISTS.get(kind, _RESULT_LIST))


_RESULT_LIST = _RESULT.split()
_ELSEWHERE = (
    "lower upper index count replace sort items values keys split title format strip find pop copy join append remove insert "
    "reverse update get add start end center encode type input id next iter object bytes slice hash file print self"
)
"""Words that mean something else elsewhere in a program: people name variables so all the same."""
_METHODS_AND_BUILTINS = _ELSEWHERE.split()
_LISTS = {kind: text.split() for kind, text in _BY_TYPE.items()}


def _uncommon(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.07:
        return rng.choice(_METHODS_AND_BUILTINS)
    if roll < 0.25:
        return rng.choice(_WORDS)
    if roll < 0.5:
        return f"{rng.choice(_WORDS)}_{rng.choice(_WORDS)}"
    if roll < 0.6:
        return rng.choice(_WORDS) + rng.choice(_WORDS).capitalize()
    if roll < 0.7:
        return rng.choice(_WORDS)[: rng.randint(2, 4)] + rng.choice(("", "_", "s", str(rng.randint(1, 9))))
    if roll < 0.8:
        return rng.choice(_WORDS) + rng.choice(("s", "_", "2", "1", "_list", "_id", "_map", "er", "_count"))
    if roll < 0.85:
        return rng.choice(_LETTERS).upper()
    if roll < 0.92:
        return rng.choice(_LETTERS) + rng.choice(("", "1", "2", "_", rng.choice(_LETTERS)))
    return _nonsense(rng)


def _nonsense(rng: random.Random) -> str:
    return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(3, 8)))
