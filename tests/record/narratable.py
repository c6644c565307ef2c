"""Small programs, each with the text of its arguments; the entry is `f`."""

PROGRAMS = {
    "loop": (
        """\
def f(n):
    total = 0
    for i in range(n):
        if i % 3 == 0:
            continue
        total += i
    return total
""",
        "20",
    ),
    "fact": (
        """\
def f(n):
    if n <= 1:
        return 1
    return n * f(n - 1)
""",
        "5",
    ),
    "fib": (
        """\
def f(n):
    if n < 2:
        return n
    return f(n - 1) + f(n - 2)
""",
        "6",
    ),
    "nested": (
        """\
def is_prime(n):
    if n < 2:
        return False
    for d in range(2, n):
        if n % d == 0:
            return False
    return True

def f(n):
    found = []
    for k in range(n):
        if is_prime(k):
            found.append(k)
    return found
""",
        "12",
    ),
    "matrix": (
        """\
def f(m):
    rows = []
    for r in m:
        s = 0
        for x in r:
            s += x
        rows.append(s)
    return rows
""",
        "[[1,2],[3,4],[5,6],[7,8],[9,10]]",
    ),
    "exc": (
        """\
def get(d, k):
    try:
        return d[k]
    except KeyError as e:
        missing = k
        return None
    finally:
        done = True

def f(keys):
    d = {'a': 1}
    out = {}
    for k in keys:
        out[k] = get(d, k)
    if not out['a']:
        raise ValueError('empty')
    return out
""",
        "['a', 'b', 'c']",
    ),
    "raise": (
        """\
def check(x):
    if x < 0:
        raise ValueError(f'negative: {x}')
    return x

def f(xs):
    t = 0
    for x in xs:
        t += check(x)
    return t
""",
        "[1, 2, -3]",
    ),
    "gen": (
        """\
def evens(n):
    i = 0
    while i < n:
        yield i
        i += 2

def f():
    total = 0
    for e in evens(9):
        total += e
    return total, list(evens(3)), sum(x * x for x in evens(5))
""",
        "",
    ),
    "gentop": (
        """\
def f(n):
    for i in range(n):
        if i % 2:
            yield i
""",
        "9",
    ),
    "class": (
        """\
class Account:
    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance
    def deposit(self, amount):
        self.balance += amount
        return self
    def withdraw(self, amount):
        if amount > self.balance:
            raise ValueError('insufficient funds')
        self.balance -= amount

def f(moves):
    a = Account('ann')
    for m in moves:
        try:
            if m > 0:
                a.deposit(m)
            else:
                a.withdraw(-m)
        except ValueError as e:
            log = str(e)
    return a.balance
""",
        "[10, -3, -20, 5]",
    ),
    "while": (
        """\
def f(a, b):
    while b:
        a, b = b, a % b
    return a
""",
        "48, 18",
    ),
    "collatz": (
        """\
def f(n):
    steps = 0
    while n != 1:
        if n % 2 == 0:
            n //= 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps
""",
        "27",
    ),
    "oneline": (
        """\
def f(xs):
    n = 0
    for x in xs:
        if x > 3: break
        if x == 1: continue
        n += x; m = n
    if n == 2: return 'two'
    return n
""",
        "[1, 2, 5, 7]",
    ),
    "match": (
        """\
def f(cmd):
    match cmd:
        case ['go', d]:
            return d
        case [x]:
            return x
        case _:
            return None
""",
        "['stop']",
    ),
    "count": (
        """\
def f(text):
    counts = {}
    for ch in text:
        counts[ch] = counts.get(ch, 0) + 1
    best = max(counts, key=lambda c: counts[c])
    return best, sorted(counts.items())
""",
        "'mississippi'",
    ),
    "bubble": (
        """\
def f(xs):
    n = len(xs)
    for i in range(n):
        for j in range(n - 1 - i):
            if xs[j] > xs[j + 1]:
                xs[j], xs[j + 1] = xs[j + 1], xs[j]
    return xs
""",
        "[5, 2, 9, 1, 7]",
    ),
    "with": (
        """\
import contextlib
@contextlib.contextmanager
def tag(n, out):
    out.append('<' + n)
    yield n.upper()
    out.append(n + '>')

def f():
    out = []
    with tag('b', out) as t:
        out.append(t)
    return out
""",
        "",
    ),
    "unicode": (
        """\
def f(s):
    t = s.replace('\\n', " 'é' ")
    u = t + '"`'
    return {u: [s, None, 1.5, -2]}
""",
        "'a\\nß'",
    ),
    "unhandled": (
        """\
def f(d):
    x = d['a']
    try:
        y = d['b']
    except (TypeError, IndexError):
        y = 0
    finally:
        x += 1
    return y
""",
        "{'a': 1}",
    ),
    "closure": (
        """\
def f(n):
    count = 0
    def bump(k):
        nonlocal count
        count += k
        return count
    for i in range(n):
        bump(i)
    return count
""",
        "6",
    ),
    "async": (
        """\
import asyncio
async def g(x):
    await asyncio.sleep(0)
    return x * 2
async def f(n):
    r = []
    for i in range(n):
        r.append(await g(i))
    return r
""",
        "2",
    ),
    "mutual": (
        """\
def f(n):
    if n == 0:
        return True
    return odd(n - 1)
def odd(n):
    if n == 0:
        return False
    return f(n - 1)
""",
        "5",
    ),
    "hanoi": (
        """\
def move(n, a, b, c, out):
    if n == 0:
        return
    move(n - 1, a, c, b, out)
    out.append((a, b))
    move(n - 1, c, b, a, out)
def f(n):
    out = []
    move(n, 'A', 'B', 'C', out)
    return len(out)
""",
        "3",
    ),
    "calls": (
        """\
def double(x):
    return x * 2

def f(xs):
    out = []
    for x in xs:
        out.append(double(x))
    return out
""",
        "[1, 2, 3]",
    ),
    "loopelse": (
        """\
def f(n):
    for i in range(2, n):
        if n % i == 0:
            break
    else:
        return 'prime'
    return i
""",
        "15",
    ),
    "strings": (
        """\
def f(s):
    out = ''
    for i, c in enumerate(s):
        if c.isupper() and i:
            out += '_'
        out += c.lower()
    return out.strip('_')
""",
        "'camelCaseName'",
    ),
    "unpack": (
        """\
def f(p):
    (a, b), *rest = p
    a, b = b, a
    d = dict(zip('ab', (a, b)))
    d['c'], rest = rest, None
    del a
    return d, b, rest
""",
        "[(1, 2), 3, 4]",
    ),
    "ternary": (
        """\
def f(x):
    y = 'big' if x > 3 else 'small'
    z = (x := x + 1) and not y
    assert x > 0, 'no'
    return [y, z, x, f'{x}']
""",
        "-0 + 5",
    ),
}
