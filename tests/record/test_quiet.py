"""Lines that change objects in ways that are easily missed: what the recorder in C takes to change nothing must change nothing.

Each line below is run a few hundred times in a scope that shows a list, and changes that list where no event tells of it: by code
that is not in scope. The reference recorder looks at everything after every line.
"""

import pytest
from comparing import difference

from foretrace.record.session import HAS_NATIVE

pytestmark = pytest.mark.skipif(not HAS_NATIVE, reason="the recorder in C was not built")

HIDDEN = """
shown = list(range(12))

def touch(number=1):
    shown[0] += 1
    return 1

class Meta(type):
    def __instancecheck__(cls, value):
        touch()
        return True

class Sly(metaclass=Meta):
    def __init__(self): self.plain = 1
    def __del__(self): touch()
    def __bool__(self): return bool(touch())
    def __len__(self): return touch()
    def __eq__(self, other): return bool(touch())
    def __hash__(self): return hash(3)
    def __lt__(self, other): return bool(touch())
    def __add__(self, other): return touch()
    def __radd__(self, other): return touch()
    def __neg__(self): return touch()
    def __index__(self): return 0 * touch()
    def __getitem__(self, key): return touch()
    def __contains__(self, key): return bool(touch())
    def __format__(self, spec): return str(touch())
    def __getattr__(self, name): return touch()
    def __iter__(self): return iter([touch(), 2])

class Counted:
    @property
    def counted(self): return touch()

class Watchful:
    def __getattribute__(self, name):
        touch()
        return object.__getattribute__(self, name)

class Disguised:
    @property
    def __class__(self):
        touch()
        return int

class Word(str):
    def __eq__(self, other): return bool(touch())
    def __hash__(self): return str.__hash__(self)

class Each:
    def __init__(self): self.left = 3
    def __iter__(self): return self
    def __next__(self):
        self.left -= 1
        touch()
        if self.left < 0:
            raise StopIteration
        return self.left

def forward(generator):
    for value in generator:
        yield value
        touch()
"""

LINES = {
    "arithmetic": "x = x * 31 % 1009 if x < 5000 else x - 1",
    "own operator": "x = sly + 1",
    "own operator on the right": "x = 1 + sly",
    "own comparison": "x = 1 if sly < 2 else 2",
    "own negation": "x = -sly",
    "own truth": "x = 1 if sly else 2",
    "own truth in a condition": "if sly: pass",
    "not": "x = not sly",
    "own item": "x = sly[0]",
    "own index": "x = items[sly]",
    "own attribute": "x = sly.missing",
    "property": "x = counted.counted",
    "attribute": "x = sly.plain",
    "watched attribute": "x = watchful.plain",
    "own containment": "x = 1 in sly",
    "compared with items": "x = 2 in [sly]",
    "compared with items of a local": "x = 5 in mixed",
    "own keys": "x = odd_keys.get('a')",
    "own keys by index": "x = odd_keys['a']",
    "own keys, contained": "x = 'a' in odd_keys",
    "a method without its object": "try: getter('a')\n        except TypeError: pass",
    "hash of a number": "x = 3 in {sly: 1}",
    "in a set": "x = 3 in odd_set",
    "own length": "x = len(sly)",
    "lengths": "x = len(items) + len('abc') + len(word)",
    "instance check": "x = isinstance(3, Sly)",
    "instance check of several": "x = isinstance(3, (str, Sly))",
    "own class": "x = isinstance(disguised, str)",
    "conversion": "x = int(sly)",
    "maximum": "x = max(sly, 1) is sly",
    "format": "x = f'{sly}'",
    "format in a format": "x = f'{3:{sly}}'",
    "string method": "x = word.startswith('a') and word.upper().lower().find('b')",
    "string method of own kind": "x = word.replace('a', text)",
    "a builtin of another name": "x = touchy(3)",
    "a builtin that is replaced": "x = abs(3)",
    "one more reference, then the last": "last = 1",
    "replaced by a loop": "for last in range(2): pass",
    "a deletion": "del last",
    "an item is dropped": "items[0] = 1",
    "own iterator": "for y in Each(): pass",
    "own iterator, two lines": "for y in Each():\n            x = y",
    "string that grows in place": "sentence += 'ab'",
    "iterator over what is held by it alone": "for y in held(): y = 0",
    "items that die": "for key, value in dying(): value = 0",
    "range": "for y in range(3): x = y",
    "unpacking": "x, y = 1, 2",
    "own unpacking": "x, y = sly",
    "exception": "try: x = 1 // (k % 2)\n        except ZeroDivisionError: x = sly + 1",
    "walrus": "x = (y := x + 1) + 1",
    "list made and dropped": "x = [Sly()] and 1",
    "comprehension": "x = sum([y for y in range(3)])",
}


def program(line: str) -> str:
    """A program whose loop runs a line again and again."""
    return f"""
exec({HIDDEN!r})

def held():
    return [Sly(), 1]

def dying():
    return {{1: Sly(), 2: Sly()}}.items()

def numbers(n):
    for i in range(n):
        yield i

def f():
    seen, items, x, word, text, k, last = shown, [1, "b", None], 7, "abcde", Word("q"), 0, None
    sly, watchful, disguised, mixed = Sly(), Watchful(), Disguised(), [1, Sly()]
    watchful.plain, odd_keys, odd_set, abs, touchy = 1, {{Word("a"): 1}}, {{Sly()}}, touch, touch
    counted, sentence, getter = Counted(), text * 70, dict.get
    while k < 150:
        last = Sly()
        k += 1
        {line}
        k = k + 1
        k -= 1
    return x
"""


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_line_shows_what_it_changed(line: str) -> None:
    where = difference(program(line), value_limits=None)
    assert not where, where


DELEGATING = """
exec({hidden!r})

def leaf(n):
    seen = shown
    for i in range(n):
        yield i

def middle(n):
    seen, more = shown, [shown, n]
    yield from {of}

def f():
    total = 0
    for i in middle(60):
        total += i
    for i in middle(60):
        touch()
    return total
"""


@pytest.mark.parametrize("of", ["leaf(n)", "forward(leaf(n))", "map(lambda v: touch() and v, leaf(n))", "Each()"])
def test_delegation_shows_what_was_changed_in_between(of: str) -> None:
    where = difference(DELEGATING.format(hidden=HIDDEN, of=of))
    assert not where, where
