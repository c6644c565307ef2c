"""Programs of all kinds: loops, recursion, generators, exceptions, classes, closures, what has no source."""

VARIED = [
    (
        "'banana'",
        """def f(s):
    out = ''
    for c in s:
        if c in 'aeiou':
            out += c.upper()
        else:
            out += c
    return out
""",
    ),
    (
        "5",
        """def f(n):
    return 1 if n < 2 else n * f(n - 1)
""",
    ),
    (
        "6",
        """def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)

def f(n):
    return fib(n)
""",
    ),
    (
        "3",
        """def gen(n):
    for i in range(n):
        yield i * i

def f(n):
    total = 0
    for v in gen(n):
        total += v
    return total
""",
    ),
    (
        "4",
        """def gen(n):
    yield n
    if n:
        yield from gen(n - 1)

def f(n):
    return list(gen(n))
""",
    ),
    (
        "'x'",
        """def f(s):
    try:
        n = int(s)
    except ValueError as e:
        n = -1
    finally:
        m = 2
    return n * m
""",
    ),
    (
        "0",
        """def g(n):
    return 10 // n

def f(n):
    a = n + 1
    return g(n) + a
""",
    ),
    (
        "[3, 1, 2]",
        """def f(xs):
    for i in range(len(xs)):
        for j in range(len(xs) - 1):
            if xs[j] > xs[j + 1]:
                xs[j], xs[j + 1] = xs[j + 1], xs[j]
    return xs
""",
    ),
    (
        "60",
        """def f(n):
    i = 0
    while i < n:
        i += 1
    return i
""",
    ),
    (
        "300",
        """def f(n):
    t = 0
    for i in range(n):
        t += i
    return t
""",
    ),
    (
        "2",
        """class A:
    def __init__(self, n):
        self.n = n

    def double(self):
        return self.n * 2


def f(n):
    a = A(n)
    return a.double()
""",
    ),
    (
        "[1, 2, 3, 4]",
        """def f(xs):
    return [x * x for x in xs if x % 2 == 0]
""",
    ),
    (
        "{'a': 1, 'b': 2}",
        """def f(d):
    return {v: k for k, v in d.items()}
""",
    ),
    (
        "3",
        """def f(n):
    def inner(k):
        nonlocal n
        n += k
        return n
    a = inner(1)
    b = inner(2)
    return a, b, n
""",
    ),
    (
        "'a,b;c'",
        """import re


def f(s):
    parts = re.split('[,;]', s)
    return parts
""",
    ),
    (
        "7",
        """def f(n):
    match n:
        case 1:
            r = 'one'
        case 7 | 8:
            r = 'many'
        case _:
            r = '?'
    return r
""",
    ),
    (
        "'über'",
        """def f(s):
    t = s + '✓'
    return t[::-1]
""",
    ),
    (
        "5",
        """def f(n):
    if (m := n * 2) > 5:
        return m
    return n
""",
    ),
    (
        "",
        """def f():
    x = 1
    del x
    y = 2
    return y
""",
    ),
    (
        "",
        """def f():
    return x
""",
    ),
    (
        "3",
        """def f(n):
    if n == 0:
        raise RuntimeError('end')
    return f(n - 1)
""",
    ),
    (
        "(1, 2)",
        """def f(t):
    a, b = t
    c = a if a > b else b
    while c:
        c -= 1
        if c == 1:
            break
    else:
        c = 9
    return c
""",
    ),
    (
        "10",
        """def f(n):
    seen = set()
    while n not in seen:
        seen.add(n)
        n = n * n % 17
    return sorted(seen)
""",
    ),
    (
        "'abc' * 30",
        """def f(s):
    return s.replace('b', s)
""",
    ),
    (
        "3",
        """from contextlib import suppress


def f(n):
    with suppress(KeyError):
        d = {}
        d[n]
    return n
""",
    ),
    (
        "2",
        """def deco(g):
    def w(*a, **k):
        return g(*a, **k) + 1
    return w


@deco
def f(n):
    return n * 3
""",
    ),
    (
        "4",
        """def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def f(n):
    return even(n)
""",
    ),
    (
        "'Hello World'",
        """def f(s):
    counts = {}
    for ch in s.lower():
        counts[ch] = counts.get(ch, 0) + 1
    best = max(counts, key=lambda k: counts[k])
    return best, counts[best]
""",
    ),
    (
        "[[1, 2], [3, 4]]",
        """def f(m):
    return [list(r) for r in zip(*m)]
""",
    ),
    (
        "1",
        """def f(a, /, b=2, *args, c=3, **kw):
    s = a + b + c
    for x in args:
        s += x
    return s
""",
    ),
    (
        "50",
        """def f(n):
    if n <= 0:
        return 0
    return 1 + f(n - 1)
""",
    ),
]
"""The arguments of `f`, and the source."""
