"""What is recorded: six programs of unlike character, a to f.

The source lines, the variables and the sizes of the values decide what a recorder costs, so change nothing here lightly:
figures are comparable between versions of this package only as long as these programs stay as they are.
"""

import json
import linecache
import os
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import unified_diff
from json.encoder import JSONEncoder
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import foretrace
from foretrace.corpus import synthesise

HERE = Path(__file__).resolve().parent
CRUXEVAL = os.environ.get("FORETRACE_CRUXEVAL", "")
"""Path of `cruxeval.jsonl`; without it (b) is made of as many programs of this package's own."""
PROGRAMS = 800
LONGEST = 200
"""Events of a synthesised program; longer ones, which may be endless, are left out."""


@dataclass(frozen=True, slots=True)
class Files:
    """Which files are in scope: by how their names begin."""

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name.startswith(self.include) and not name.startswith(self.exclude)


@dataclass(frozen=True, slots=True)
class Workload:
    """A program to record."""

    title: str
    main: Callable[[], object]
    files: Files = field(default=Files((str(HERE / "workloads.py"),)))
    setup: Callable[[], None] | None = None
    """Called once, before `main`."""


def numbers(n: int) -> tuple[int, str, str]:
    """A loop over seven short-lived integers and strings."""
    s = 0
    r = 7
    x = 0
    w = "one"
    t = "a long text"
    c = "q"
    k = 0
    while k < n:
        s = s + k
        r = (r * 5 + 1) % 65536
        x = s ^ r
        w = t if x % 2 else c
        c = t[x % 11]
        k += 1
    return s, w, c


def loop() -> object:
    """(a)."""
    return numbers(4000)


CALLS: list[tuple[CodeType, dict[str, Any]]] = []


def setup_functions() -> None:
    """Compiles the programs of (b), each as a file of its own, and their calls, as a file that is out of scope."""
    if CRUXEVAL:
        rows = [json.loads(line) for line in Path(CRUXEVAL).read_text(encoding="utf-8").splitlines()]
        for number, row in enumerate(rows):
            CALLS.append(compiled(f"<crux_{number}>", row["code"], f"f({row['input']})"))
        return
    seed = 0
    while len(CALLS) < PROGRAMS:
        program = synthesise(seed)
        call = compiled(f"<made_{seed}>", program.source, f"{program.entry}({program.arguments})")
        if is_short(*call):
            CALLS.append(call)
        seed += 1


def compiled(name: str, source: str, call: str) -> tuple[CodeType, dict[str, Any]]:
    """The code of a call, and the names of the module `source` that it is made in."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names: dict[str, Any] = {}
    exec(compile(source, name, "exec"), names)
    return compile(call, "<call>", "eval"), names


class TooLong(BaseException):
    """A program has more events than `LONGEST`."""


def is_short(call: CodeType, names: dict[str, Any]) -> bool:
    """Tries whether a call ends soon."""
    events = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal events
        events += 1
        if events > LONGEST:
            raise TooLong
        return count

    sys.settrace(count)
    try:
        eval(call, names)
    except TooLong:
        return False
    except Exception:
        return True
    finally:
        sys.settrace(None)
    return True


def functions() -> None:
    """(b)."""
    for call, names in CALLS:
        try:
            eval(call, names)
        except Exception:
            continue


def fib(n: int) -> int:
    """Calls and little else."""
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def recursion() -> object:
    """(c)."""
    return fib(18)


def collect(n: int) -> int:
    """A list that is larger at each line."""
    found = []
    x = 7
    for i in range(n):
        x = (x * 48271 + i) % 100000
        found.append(x)
    return len(found)


def growth() -> object:
    """(d)."""
    return collect(1000)


@dataclass
class Place:
    """Values that are replaced."""

    x: int
    y: int

    def moved(self, east: int, north: int) -> "Place":
        """Elsewhere."""
        return Place(self.x + east, self.y + north)


@dataclass
class Wallet:
    """Values that change in place."""

    holder: str
    amount: float = 0.0
    entries: list[tuple[str, float]] = field(default_factory=list)

    def receive(self, money: float) -> float:
        """Adds, remembering the last five."""
        self.amount += money
        self.entries.append(("got", money))
        if len(self.entries) > 5:
            self.entries.pop(0)
        return self.amount


class Tree:
    """A node of a binary search tree: an object without a repr of its own."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.less: Tree | None = None
        self.more: Tree | None = None


def grown(tree: Tree | None, value: int) -> Tree:
    """The tree with one value more."""
    if tree is None:
        return Tree(value)
    if value < tree.value:
        tree.less = grown(tree.less, value)
    else:
        tree.more = grown(tree.more, value)
    return tree


def trade(n: int) -> tuple[Place, dict[str, Any]]:
    """Objects within dicts within dicts."""
    wallets: dict[str, Wallet] = {}
    book: dict[str, Any] = {"by_holder": {}, "sums": {"times": 0, "total": 0.0, "kinds": ["x", "y"]}}
    here = Place(0, 0)
    tree = None
    for i in range(n):
        name = f"name{i % 6}"
        wallet = wallets.get(name)
        if wallet is None:
            wallet = Wallet(name)
            wallets[name] = wallet
        total = wallet.receive(i * 1.5)
        book["by_holder"].setdefault(name, []).append(i % 7)
        if len(book["by_holder"][name]) > 4:
            book["by_holder"][name] = book["by_holder"][name][-2:]
        book["sums"]["times"] += 1
        book["sums"]["total"] = round(total, 2)
        here = here.moved(i % 3, -1)
        tree = grown(tree, (i * 7919) % 101)
    return here, book["sums"]


def objects() -> object:
    """(e)."""
    return trade(300)


ITEMS = [
    {"id": i, "word": f"item{i}", "kinds": ["x", "y", "z"], "price": i * 1.75, "parts": {"p": [3, 4, {"q": None}]}}
    for i in range(12)
]
STOCK = {"items": ITEMS, "full": True}
PROSE = 4 * "Six large jars held some dry tea for him. Five very quick black zebras jumped, too! "
OLD = [f"entry {i}" for i in range(12)]
NEW = [f"entry {i if i % 5 else i + 1}" for i in range(12)]


def texts() -> tuple[int, int, int]:
    """Three modules of the standard library, as they are in Python."""
    encoder = JSONEncoder(ensure_ascii=False)
    encoded = "".join(encoder.iterencode(STOCK))
    wrapped = textwrap.wrap(PROSE, 40)
    changed = list(unified_diff(OLD, NEW))
    return len(encoded), len(wrapped), len(changed)


def library() -> object:
    """(f)."""
    return texts()


EVERYTHING = Files(("",), (str(HERE / "measure.py"), str(HERE / "tracers.py"), str(Path(foretrace.__file__).parent)))
NOTHING = Files(("/nowhere/",))

WORKLOADS = {
    "a": Workload("loop", loop),
    "b": Workload("CRUXEval" if CRUXEVAL else "short functions", functions, Files(("<crux_", "<made_")), setup_functions),
    "c": Workload("fib(18)", recursion),
    "d": Workload("growing list", growth),
    "e": Workload("objects", objects),
    "f": Workload("stdlib", library, EVERYTHING),
}
