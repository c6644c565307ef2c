"""Programs whose locals hold odd values and change them: what two recorders are compared on.

    source = odd_program(7)         # one seed, one program; its entry is `f`, which takes no arguments

`PRELUDE` has the classes that the values are made of, `EXPRESSIONS` makes them, `CHANGES` changes them. A hole `{e}` is
any expression, `{h}` one that can be hashed, `{v}` a variable, `{n}` a small number.
"""

import random
import re

PRELUDE = r"""
import abc, array, collections, dataclasses, datetime, decimal, enum, fractions, functools, io, itertools, operator, pathlib
import re, sys, threading, types, typing, weakref
import numpy as np

class Plain:
    def __init__(self, *values, **named):
        for i, value in enumerate(values):
            setattr(self, "abcdefgh"[i % 8] * (i // 8 + 1), value)
        for name, value in named.items():
            setattr(self, name, value)
    def method(self): return self
    @classmethod
    def made(cls): return cls()
    @staticmethod
    def free(): return 0
class Keyed(Plain):
    def __init__(self, key, *values):
        self.key = key
        super().__init__(*values)
    def __hash__(self): return hash(type(self.key).__name__)
    def __eq__(self, other): return type(other) is Keyed and self.key == other.key
class Slotted:
    __slots__ = ("x", "_y", "__z", "__w__")
    def __init__(self, x=None, *more):
        if x is not None: self.x = x
        if more: self._y, self.__z = more[0], more
class Slotted2(Slotted):
    __slots__ = ("more", "__dict__", "__weakref__")
class Slotted3(Slotted):
    pass
class Lower(Slotted2):
    __slots__ = ()
    @property
    def x(self): raise SystemExit("a property was run")
class Aliased:
    alias, mine = Slotted.x, 1
class Masked(Plain):
    @property
    def __dict__(self): raise SystemExit("__dict__ was run")
class Evil:
    def __repr__(self): raise SystemExit("repr")
    __str__ = __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __format__ = __dir__ = __repr__
    def __getattribute__(self, name): raise SystemExit("getattribute")
    __class__ = property(__repr__)
class EvilMeta(type):
    def __repr__(cls): raise SystemExit("meta repr")
    __eq__ = __instancecheck__ = __subclasscheck__ = __getattribute__ = __call__ = __repr__
    def __hash__(cls): return 5
    @property
    def __name__(cls): raise SystemExit("meta name")
class EvilClass(metaclass=EvilMeta):
    def __init__(self, *values): pass
evil_instance = object.__new__(EvilClass)
class Meta(type):
    def __new__(meta, name, bases, space): return super().__new__(meta, name, bases, dict(space))
    def __len__(cls): return 3
class WithMeta(metaclass=Meta):
    def __init__(self, *values): self.values = values
class Abstract(abc.ABC):
    def __init__(self, *values): self.values = values
class EvilList(list):
    def __len__(self): raise SystemExit("len")
    __iter__ = __getitem__ = __contains__ = __repr__ = __len__
class EvilDict(dict):
    def __len__(self): raise SystemExit("len")
    __iter__ = __getitem__ = items = keys = values = get = __contains__ = __repr__ = __len__
class EvilStr(str):
    def __len__(self): raise SystemExit("len")
    __repr__ = __str__ = __getitem__ = __eq__ = __iter__ = __format__ = __len__
    def __hash__(self): return 7
class EvilInt(int):
    def __int__(self): raise SystemExit("int")
    __repr__ = __str__ = __index__ = __neg__ = __pos__ = bit_length = __eq__ = __lt__ = __int__
    def __hash__(self): return 8
class EvilTuple(tuple):
    def __len__(self): raise SystemExit("len")
    __iter__ = __getitem__ = __repr__ = __len__
class EvilSet(set):
    def __len__(self): raise SystemExit("len")
    __iter__ = __contains__ = __repr__ = __len__
class MyList(list): pass
class MyDict(dict):
    pass
class MyTuple(tuple): __slots__ = ()
class MySet(set): pass
class MyFrozen(frozenset): pass
class MyStr(str): pass
class MyBytes(bytes): pass
class MyInt(int): pass
class MyFloat(float): pass
class MyDeque(collections.deque): pass
class MyCounter(collections.Counter): pass
class MyOrdered(collections.OrderedDict): pass
class MyDefault(collections.defaultdict): pass
class MyComplex(complex): pass
class MyBytearray(bytearray): pass
class MyModule(types.ModuleType): pass
class MyException(Exception):
    def __init__(self, *args):
        super().__init__(*args)
        self.extra = args
    def __str__(self): raise SystemExit("str")
Pair = collections.namedtuple("Pair", "left right")
class Typed(typing.NamedTuple):
    x: int
    y: object = None
class SubPair(Pair): pass
BadFields = type("BadFields", (tuple,), {"_fields": ("a", 3)})
MoreFields = type("MoreFields", (tuple,), {"_fields": ("a", "b", "c")})
@dataclasses.dataclass
class Data:
    x: object
    y: object = dataclasses.field(default=None, repr=False)
@dataclasses.dataclass(frozen=True)
class Frozen:
    x: object
@dataclasses.dataclass(slots=True)
class DataSlots:
    x: object
    y: object = 0
@dataclasses.dataclass
class DataList(list):
    x: object = 0
class SubData(Data): pass
class Color(enum.Enum):
    RED = 1
    GREEN = "g"
class Flags(enum.Flag):
    A = 1
    B = 2
class Level(enum.IntEnum):
    LOW = 1
class Zone(datetime.tzinfo):
    def __init__(self, name=""): self.name = name
    def utcoffset(self, when): return datetime.timedelta(hours=1)
    def dst(self, when): return None
    def tzname(self, when): return self.name
    def __repr__(self): raise SystemExit("zone repr")
class Mapping(collections.abc.Mapping):
    def __getitem__(self, key): raise KeyError(key)
    def __iter__(self): return iter(())
    def __len__(self): raise SystemExit("len")
class Wide: __slots__ = tuple(f"s{i:02}" for i in range(20))
def wide(value):
    made = Wide()
    for i in range(0, 20, 3): setattr(made, f"s{i:02}", value)
    return made
LongName = type("L" * 250, (), {})
LongName2 = type("L" * 250 + "x", (), {})
Unicode = type("Größe", (), {})
Deleted = type("Deleted", (Plain,), {})
def function(x): return x
def generator(*values): yield from values
async def coroutine(): return 1
def nested(value, depth):
    for i in range(depth):
        value = [(value,), {"k": value}, Plain(value)][i % 3]
    return value
def cycle():
    made = [1]
    made.append({"self": made, "t": (made,)})
    return made
def own(value):
    made = Plain(value)
    made.me = made
    return made
def changed(value, **named):
    for name, item in named.items(): setattr(value, name, item)
    return value
local = threading.local()
local.x = 1
"""

LEAVES = r"""
0|1|-1|7|True|False|None|...|NotImplemented|2**31|-2**63|2**63|10**30|-10**100|1 << 12999|1 << 13000|-(1 << 14000)|12345678901
0.0|-0.0|1.5|1e15|1e16|-1e-7|5e-324|float("inf")|float("nan")|1/3|1e300|123456789.125|1j|complex(-0.0, 2)|complex("nan")
""|"a"|"it's"|'say "hi"'|"both ' and \""|"tab\t\n\r\\ \x00\x7f\x1b"|"é\xa0\xad"|"\u4e2d\u6587"|"\U0001F600"|"\ud800"|"\udc80x"
"<\|frame_sep\|>"|"<\\\|arg_sep\|>"|".."|"x" * 64|"x" * 65|"x" * 1000|"y'" * 501|"é" * 1001|"\u200b\u2028"|"\ud83d\ude00"|"z" * 5000
b""|b"a'\"\x00\xff"|b"x" * 1001|bytearray(b"ab")|bytearray(3000)|memoryview(b"ab")
range(3)|range(0, 10, 3)|range(-2**70, 2**70)|range(5, 0, -1)|range(0, 1, 2**80)
fractions.Fraction(1, 3)|fractions.Fraction(-2**70)|decimal.Decimal("1.50")|decimal.Decimal("NaN")
datetime.date(2024, 2, 29)|datetime.timedelta(1, 2, 3)|datetime.datetime(2024, 1, 2, 3)|datetime.time(1, 2, fold=1)
datetime.timezone(datetime.timedelta(hours=2), "Z")|datetime.timezone.utc|datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)
datetime.datetime(2024, 1, 2, tzinfo=Zone())|datetime.time(3, tzinfo=Zone("q"))|Zone()|type("D", (datetime.datetime,), {})(2024, 1, 1)
pathlib.PurePosixPath("a/b")|pathlib.Path("/x")|pathlib.PureWindowsPath("c:/a")|re.compile("a+")|re.match("a", "ab")
int|Plain|Meta|EvilClass|Color|Pair|list[int]|types.SimpleNamespace()|LongName|WithMeta
len|print|function|lambda: 0|[].append|"".join|int.__add__|(1).__add__|dict.fromkeys|Plain().method|Plain.made|Plain.free|str.upper
functools.partial(function, 1)|operator.itemgetter(1)|types.MethodType(Plain(), 1)|types.MethodType(len, 1)|property(function)
staticmethod(function)|classmethod(function)|functools.lru_cache(function)|types.ModuleType("m")|MyModule("mm")
Color.RED|Color.GREEN|Flags.A|Flags.A \| Flags.B|Level.LOW|Flags(0)
iter([1])|iter({1: 2})|enumerate([])|zip()|map(function, [])|reversed([1])|generator(1)|itertools.count()|function.__code__
object()|Evil()|evil_instance|Mapping()|Aliased()|LongName()|LongName2()|Unicode()|Slotted()|local|weakref.ref(Plain)|io.StringIO("x")
types.CellType(1)|types.CellType()|sys.float_info|sys.version_info|np.float64(1.5)|np.int32(3)|np.bool_(True)|np.str_("s")
np.arange(3)|np.arange(20.0).reshape(4, 5)|np.array([True])|np.array(["a"])|np.array([None])|np.zeros((0, 3))|np.array(5)|np.array([1j])
np.dtype("f4")|np.arange(4).view(type("Sub", (np.ndarray,), {}))|np.array([(1, 2.0)], dtype="i4,f8")
array.array("i", [1, 2])|array.array("d")|array.array("i", range(100))|array.array("u", "aé")|sys.flags.__class__|type(None)
cycle()|own(1)|nested(1, 8)|nested("x", 4)|list(range(70))|[[0] * 70] * 70|[["w" * 400] * 3] * 5|dict.fromkeys(range(70))
set(range(70))|{str(i): i for i in range(66)}|tuple(range(65))|collections.deque(range(66), 66)|Plain(*range(70))|Data(Data(None))
frozenset(range(5000))|set(map(str, range(100)))|collections.Counter("abracadabra")|collections.Counter(range(5000))
changed(MyList([1]), a=2)|changed(MyStr("s"), a=2)|changed(MyInt(5), a=2)|changed(MyException("e"), z=1)
"""

COMPOUNDS = r"""
[{e}, {e}]|[{e}]|[]|({e},)|({e}, {e})|()|{{{h}, {h}}}|set()|frozenset({{{h}}})|frozenset({{({h}, {h}), {h}}})|{{{h}: {e}}}|{{}}
{{{h}: {e}, {h}: {e}, {h}: {e}}}|collections.deque([{e}, {e}])|collections.deque([{e}], maxlen={n})|MyDeque([{e}])
collections.Counter({{{h}: {n}, {h}: {n}}})|collections.Counter({{{h}: {e}}})|collections.OrderedDict([({h}, {e}), ({h}, {e})])
collections.defaultdict(list, {{{h}: {e}}})|collections.defaultdict({v}.__class__)|MyDefault(int, {{{h}: {e}}})
types.MappingProxyType({{{h}: {e}}})|types.MappingProxyType(MyDict({{{h}: {e}}}))|types.MappingProxyType(Mapping())
{{{h}: {e}}}.keys()|{{{h}: {e}}}.values()|{{{h}: {e}, {h}: {e}}}.items()|collections.OrderedDict([({h}, {e})]).items()
collections.Counter({{{h}: 1, {h}: 2}}).items()|Pair({e}, {e})|Typed({e})|SubPair({e}, {e})|BadFields([{e}])|MoreFields([{e}, {e}])
Data({e}, {e})|Frozen({e})|DataSlots({e})|DataList({e})|SubData({e})|Plain({e})|Plain({e}, {e})|Keyed({h}, {e})|Slotted({e}, {e})
Slotted2({e})|Slotted3({e})|Lower()|wide({e})|Masked({e})|WithMeta({e})|Abstract({e})|types.SimpleNamespace(a={e}, b={e})
EvilList([{e}])|EvilDict({{{h}: {e}}})|EvilStr("evil")|EvilInt({n})|EvilTuple(({e},))|EvilSet({{{h}}})|MyList([{e}, {e}])
MyDict({{{h}: {e}}})|MyTuple(({e}, {e}))|MySet({{{h}}})|MyFrozen({{{h}}})|MyStr({s})|MyBytes(b"ab")|MyInt({n})|MyFloat(1.5)|MyComplex(2)
MyCounter({{{h}: {n}}})|MyOrdered([({h}, {e})])|MyBytearray(b"x")|ValueError({e})|MyException({e}, {e})|KeyError({e}, {e})|OSError(2, {e})
ExceptionGroup("g", [ValueError({e})])|slice({e}, {e})|slice({e})|nested({e}, {n})|own({e})|[{e}] * 3|[[{e}, {e}], [{e}]]|{v}|{v}|[{v}, {v}]
Plain({v}, {v})|[*map(Plain, range({n}))]|{{Keyed({h}, {v}), Keyed({h})}}|functools.partial(function, {e})|changed(Plain(), **{{{s}: {e}}})
"""

HASHABLE = r"""
0|1|2|-5|None|True|2**70|1.5|""|"k"|"key'"|"é"|"\ud800"|"long" * 300|b"b"|(1, "a")|()|({h}, {h})|frozenset({{{h}}})|Color.RED|Level.LOW
Keyed({h})|Keyed({h}, {e})|Frozen({h})|int|datetime.date(2024, 1, 1)|fractions.Fraction(1, 2)|MyStr("m")|MyInt(9)|Pair({h}, {h})
range(2)|EvilStr("e")|EvilInt(3)|MyFrozen({{{h}}})
"""

CHANGES = r"""
{v}.append({e})|{v}.append({v})|{v}.pop()|{v}[0] = {e}|{v}[{h}] = {e}|{v}.update({{{h}: {e}}})|{v}.add({h})|{v}.clear()|{v}.extend([{e}, {e}])
{v}.insert(0, {e})|del {v}[0]|{v}.popitem()|{v}.move_to_end(next(iter({v})))|{v}.move_to_end(next(iter({v})), last=False)|{v}.rotate(1)
{v}.appendleft({e})|{v}.reverse()|{v}.discard({h})|{v}.a = {e}|{v}.b = {v}|{v}.x = {e}|{v}._y = {e}|del {v}.a|del {v}.x|{v}.__dict__ = {{{s}: {e}}}
{v}.__dict__[{h}] = {e}|{v}.__dict__.clear()|{v}.__dict__.pop("a")|{v}.__dict__.update(b=1, a=2)|{v}.__class__ = Deleted|{v}.__class__ = Plain
{v}.args = ({e},)|{v}.args = ()|{v}.extra = {e}|{v}.default_factory = int|{v}.name = {e}|{v} += {v}|{v} *= 2|{v} = {e}|{v} = {e}|{v} = [{v}]
{v} = {v}, {v}|del {v}|{v}.extend(range({n} * 20))|{v}[:] = {v}[::-1]|{v}.key = {h}|{v}.me = None|object.__setattr__({v}, "x", {e})
function.__name__ = {s}|Plain.__name__ = {s}|Deleted.__qualname__ = "q"|Plain.late = {e}|Plain.a = property(function)|del Plain.a
Slotted2.__name__ = {s}|Slotted3.x = 5|Data.__name__ = {s}|{v}._name_ = {e}|{v}.__init__({e})|dict.__setitem__({v}, {h}, {e})|sys.intern("k")
list.append({v}, {e})|set.add({v}, {h})|dict.pop({v}, {h})|list.clear({v})|{v}.values = {e}|{v}.fill(2)|{v}[1:] = 9|next({v})
{v}.__setstate__({{}})|{v}.send(None)|{v}.__kwdefaults__ = {{}}|{v}.cell_contents = {e}|Plain.__slots__ = ()|Plain.__dict__["a"]
dict.__delitem__({v}, next(dict.__iter__({v})))|types.ModuleType.__setattr__({v}, "__name__", {e})|MyList.late = {e}|{v}.subtract({{{h}: 2}})
Aliased.alias = {e}|Aliased.alias = Slotted.x|setattr(Plain, "slot", Slotted.__dict__["x"])|delattr(Plain, "slot")|{v}.left = 1|{v}.c = {v}
"""

STRINGS = ["'a'", "'b'", "'zz'", "'long' * 60", "'ü'", "'with space'"]


def _choices(text: str) -> list[str]:
    return [piece.replace("\\|", "|") for line in text.strip().split("\n") for piece in re.split(r"(?<!\\)\|", line)]


_LEAVES, _COMPOUNDS, _HASHABLE, _CHANGES = map(_choices, (LEAVES, COMPOUNDS, HASHABLE, CHANGES))
PRODUCTIONS = [*_LEAVES, *_COMPOUNDS, *_HASHABLE]
_HASHABLE_LEAVES = [text for text in _HASHABLE if "{" not in text]


class Odd:
    """Makes expressions and changes of values."""

    def __init__(self, seed: int, variables: int = 6) -> None:
        self.random = random.Random(seed)
        self.variables = variables

    def variable(self) -> str:
        """A variable's name."""
        return f"v{self.random.randrange(self.variables)}"

    def fill(self, text: str, depth: int) -> str:
        """Fills the holes of a production."""
        makers = {
            "e": lambda: self.value(depth - 1),
            "h": lambda: self.key(depth - 1),
            "v": self.variable,
            "n": lambda: str(self.random.randrange(9)),
            "s": lambda: self.random.choice(STRINGS),
        }
        parts = re.split(r"(\{\{|\}\}|\{[ehvns]\})", text)
        return "".join(makers[p[1]]() if p[:1] == "{" and p[2:] == "}" else p[:1] if p in ("{{", "}}") else p for p in parts)

    def value(self, depth: int) -> str:
        """An expression for any value."""
        if depth <= 0 or self.random.random() < 0.3:
            return self.random.choice(_LEAVES)
        return self.fill(self.random.choice(_COMPOUNDS), depth)

    def key(self, depth: int) -> str:
        """An expression for a value that can be hashed, in an order that does not depend on addresses."""
        return self.fill(self.random.choice(_HASHABLE if depth > 0 else _HASHABLE_LEAVES), depth)

    def change(self, depth: int) -> str:
        """A statement that changes something, or raises."""
        return self.fill(self.random.choice(_CHANGES), depth)


def _block(odd: Odd, depth: int, indent: str) -> list[str]:
    """Some statements; what raises is caught."""
    lines = []
    for _ in range(odd.random.randrange(2, 7)):
        change, kind = odd.change(depth), odd.random.random()
        if kind < 0.6:
            lines += ["try:", f"    {change}", "except Exception as error:", "    error = None"]
        elif kind < 0.7:
            lines += [
                "try:",
                f"    {change}",
                "except (Exception, SystemExit):",
                f"    {odd.variable()} = {odd.value(depth)}",
            ]
        elif kind < 0.8:
            lines += [f"{odd.variable()} = {odd.value(depth)}"]
        else:
            lines += [f"for {odd.variable()} in [{odd.value(depth)}, {odd.value(1)}]:", "    count += 1"]
    return [indent + line for line in lines]


def odd_program(seed: int) -> str:
    """A program whose function `f` takes no arguments."""
    odd = Odd(seed)
    depth = odd.random.choice([1, 2, 2, 3, 4])
    lines = [f"    v{i} = {odd.value(depth)}" for i in range(odd.variables)]
    lines = ["def f():", "    count = 0", "    error = None", *lines]
    kind = odd.random.randrange(5)
    names = ", ".join(f"v{i}" for i in range(odd.variables))
    if kind == 0:  # in cells
        inner = [
            "    def inner(count):",
            f"        nonlocal {names}",
            *_block(odd, depth, "        "),
            f"        return {odd.variable()}",
        ]
        lines += [*inner, f"    {odd.variable()} = inner(0)", *_block(odd, depth, "    ")]
    elif kind == 1:  # in a class body
        shown = [f"        {odd.variable()} = {odd.value(depth)}" for _ in range(4)]
        again = [
            f"        {odd.variable()} = [x for x in range(2)]",
            f"        del {shown[0].split()[0]}",
            "        " + shown[1].strip(),
        ]
        lines += ["    class Body:", "        count = 0", *shown, *_block(odd, depth, "        "), *again]
    elif kind == 2:  # in a generator
        inner = ["    def inner():", "        nonlocal count", f"        {names.replace(', ', ' = ')} = {odd.value(depth)}"]
        inner += [*_block(odd, depth, "        "), f"        yield {odd.variable()}", *_block(odd, depth, "        ")]
        lines += [*inner, "    for item in inner():", f"        {odd.variable()} = item", *_block(odd, depth, "    ")]
    else:
        lines += ["    for turn in range(2):", *_block(odd, depth, "        "), *_block(odd, depth, "    ")]
    return PRELUDE + "\n".join([*lines, f"    return {odd.variable()}", ""])
