"""Small programs, one for each construct of the language: what two recorders are compared on. The entry of each is `f`."""

CONSTRUCTS = {
    "generators": r"""
def g(n):
    try:
        for i in range(n):
            got = yield i
            if got:
                yield got
        return "end"
    except ValueError as e:
        yield str(e)
    finally:
        n = -1
def outer(n):
    r = yield from g(n)
    yield r
def f():
    a = list(outer(3))
    b = outer(2); next(b); b.send(5); c = next(b)
    try: b.throw(ValueError("v"))
    except StopIteration as e: c = e.value
    d = outer(5)
    next(d)
    d.close()
    e = g(1); next(e); del e
    h = g(1)
    h.close()
    k = g(1)
    try:
        k.throw(KeyError("unstarted"))
    except KeyError:
        pass
    del h, k
    m = (x for x in a if x)
    n = [*m]
    o = (y for y in (1, 2))
    next(o)
    o = None
    return a, c, n
""",
    "closing": r"""
import contextlib
class Out:
    def __enter__(self): return self
    def __exit__(self, *a): return False
def quiet():
    yield 1
def handled():
    try:
        yield 1
    except GeneratorExit:
        x = 1
        raise
def returns():
    try:
        yield 1
    except GeneratorExit:
        return 5
def swallows():
    while True:
        try:
            yield 1
        except GeneratorExit:
            pass
def final():
    try:
        yield 1
    finally:
        x = 2
def raising():
    try:
        yield 1
    finally:
        raise KeyError("k")
def oneliner():
    with Out(): yield 1
def native():
    with contextlib.suppress(KeyError): yield 1
def delegating():
    yield from handled()
def delegating2():
    x = yield from iter([1, 2])
class Bad:
    def __enter__(self): return self
    __exit__ = int
def broken():
    with Bad(): yield 1
def locked():
    import threading
    with threading.Lock(): yield 1
def twice():
    try:
        yield 1
    finally:
        yield from quiet()
def f():
    log = []
    for make in (quiet, handled, returns, final, raising, oneliner, native, delegating, delegating2, broken, locked, twice, swallows):
        it = make()
        next(it)
        try:
            it.close()
        except BaseException as e:
            log.append(repr(type(e)))
        it = make()
        next(it)
        if make is not swallows and make is not twice and make is not raising: del it
    return log
""",
    "abandoned": r"""
def g():
    try:
        yield 1
        yield 2
    finally:
        done.append(1)
done = []
def f():
    for x in g():
        break
    a, *b = g()
    for x in g():
        for y in g():
            if y: break
        else: pass
    next(g())
    z = [x for x in g() if next(g())]
    return done
""",
    "coroutines": r"""
import asyncio, types
class A:
    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return 3
class C:
    async def __aenter__(self): return await A()
    async def __aexit__(self, *a):
        await asyncio.sleep(0)
        return a[0] is ValueError
class I:
    def __init__(self): self.n = 0
    def __aiter__(self): return self
    async def __anext__(self):
        self.n += 1
        if self.n > 3: raise StopAsyncIteration
        return self.n
async def ag(n):
    try:
        for i in range(n):
            await asyncio.sleep(0)
            yield i
    finally:
        await asyncio.sleep(0)
async def one(x):
    async with C() as c:
        x += c
        raise ValueError(x)
    async for i in I():
        x += i
    async for i in ag(2): x += i
    async for i in ag(3):
        break
    y = [i async for i in ag(2)]
    z = {i: j async for i in ag(2) for j in y if i}
    w = [await A() for _ in range(2)]
    return x, y, z, w
async def fails():
    await asyncio.sleep(0)
    raise KeyError("t")
async def main():
    t = asyncio.create_task(one(1))
    u = asyncio.create_task(one(2))
    v = asyncio.gather(fails(), one(5), return_exceptions=True)
    r = await t, await u, await v
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(1)
    except TimeoutError: pass
    w = asyncio.create_task(asyncio.sleep(5))
    await asyncio.sleep(0)
    w.cancel()
    try:
        await w
    except asyncio.CancelledError as e:
        pass
    g = ag(3)
    await g.asend(None)
    try: await g.athrow(ValueError("x"))
    except ValueError: pass
    h = ag(2)
    await anext(h)
    await h.aclose()
    c = one(1); c.close()
    d = fails(); d.send(None); d.close()
    return r
def f():
    return asyncio.run(main())
""",
    "coroutine_by_hand": r"""
import types
@types.coroutine
def pause(x):
    y = yield x
    return y
async def inner(a):
    b = await pause(a)
    try:
        c = await pause(b)
    except ValueError:
        c = await pause("handled")
    finally:
        await pause("finally")
    return a, b, c
async def outer(): return await inner(1)
def f():
    c = outer()
    r = [c.send(None), c.send(2), c.throw(ValueError()), c.send(5)]
    try: c.send(None)
    except StopIteration as e: r.append(e.value)
    d = outer()
    d.send(None)
    try:
        d.throw(KeyError("k"))
    except KeyError: pass
    e = outer(); e.send(None); e.close()
    g = outer(); g.close()
    h = outer(); h.send(None); h.send(1)
    try: h.throw(GeneratorExit)
    except BaseException as e: r.append(type(e).__name__)
    return r
""",
    "async_exits": r"""
import asyncio
class Slow:
    def __init__(self, swallow): self.swallow = swallow
    async def __aenter__(self): await asyncio.sleep(0)
    async def __aexit__(self, *a):
        await asyncio.sleep(0)
        return self.swallow
class Quick:
    def __enter__(self): return self
    def __exit__(self, *a): return False
async def fails():
    await asyncio.sleep(0)
    raise KeyError("f")
async def a(swallow):
    async with Slow(swallow): await fails()
    return 1
async def b(swallow):
    async with Slow(swallow):
        x = [await asyncio.sleep(0), await fails()]
    return 2
async def c():
    with Quick():
        await fails()
async def d():
    with Quick(): await asyncio.sleep(0); await fails()
async def e():
    try:
        with Quick():
            while True:
                try: await fails()
                finally: await asyncio.sleep(0)
    except KeyError:
        await asyncio.sleep(0)
        raise
async def main():
    r = []
    for x in (a(True), a(False), b(True), b(False), c(), d(), e()):
        try: r.append(await x)
        except KeyError as error: r.append(error)
    try: raise OSError("outer")
    except OSError as error:
        await asyncio.sleep(0)
        r.append(await a(True))
    return r
def f():
    return asyncio.run(main())
""",
    "async_generator_exits": r"""
import asyncio
class Quick:
    def __enter__(self): return self
    def __exit__(self, *a): return False
async def fails():
    await asyncio.sleep(0)
    raise KeyError("f")
async def g():
    with Quick():
        yield 1
        await fails()
        yield 2
async def h():
    return [i async for i in g()]
def f():
    try: asyncio.run(h())
    except KeyError as e: return e
""",
    "throwing_what_is_handled": r"""
import contextlib
@contextlib.contextmanager
def m(n):
    try:
        with contextlib.suppress(OSError): yield n
    except KeyError: x = 1
@contextlib.contextmanager
def passing():
    with contextlib.suppress(OSError):
        yield
def echo():
    while True:
        try: print((yield), end="")
        except ValueError as v: x = v
def f():
    with m(1): raise KeyError("k")
    with m(2), passing(): raise OSError("o")
    try:
        with passing(), passing(): raise KeyError("p")
    except KeyError: pass
    g = echo()
    next(g)
    g.throw(ValueError("x"))
    try: raise ValueError("y")
    except ValueError as e: g.throw(e)
    try: raise OSError
    except OSError as e:
        g.send("")
        for x in [1]: g.throw(ValueError)
    g.close()
""",
    "closures": r"""
def f(n=2):
    def counter():
        nonlocal n, late
        n += 1
        late = [n]
        def deeper():
            nonlocal late
            late = late + [n]
            return lambda: (n, late)
        return deeper
    late = None
    d = counter()
    r = d()()
    del late
    try:
        r2 = late
    except NameError as e: r2 = None
    late = 2
    fs = [lambda i=i: i * n for i in range(3)]
    gs = [lambda: i for i in range(3)]
    hs = {k: (lambda: (k, v)) for k, v in {"a": 1}.items()}
    return r, [g() for g in fs], [g() for g in gs], hs["a"]()
""",
    "cells_in_comprehensions": r"""
def f(x=5, *a, k=(1, 2)):
    y = [x for x in range(2)]
    z = [(x, (lambda: x)()) for x in k for k in range(x)]
    def g():
        w = [x for x in (x, 2)]
        v = {x: [y for y in range(x)] for x in y}
        u = [[(lambda: (i, j, x))() for j in range(2)] for i in range(2)]
        t = [q := i for i in range(2)]
        return w, v, u, q
    s = [x for x in [1] if (lambda: x)()]
    try:
        r = [1 / x for x in (1, 0)]
    except ZeroDivisionError: pass
    class A:
        w = [(lambda: i)() for i in range(2)]
        v = [[(lambda: (i, j))() for j in range(i)] for i in range(3)]
    def h():
        try:
            return [i for i in range(2)], i
        except NameError:
            return [[i for i in range(j)] for j in range(3)]
    return y, [b() if callable(b) else b for b in z], g(), s, h(), (lambda: [x for x in "ab"])()
""",
    "cell_objects": r"""
import types
def f():
    def keep(c):
        return lambda: c
    a = types.CellType(1)
    b = keep(a)
    def swap(c, d):
        c, d = d, c
        def g():
            nonlocal c
            c = a
            return c, d
        return g()
    return b(), swap(a, 2), [(lambda: c)() for c in [a, types.CellType()]]
""",
    "class_bodies": r"""
class Ordered(dict):
    pass
class Custom:
    def __init__(self): self.d = {}
    def __setitem__(self, k, v): self.d[k] = v
    def __getitem__(self, k): return self.d[k]
    def __delitem__(self, k): del self.d[k]
    __class__ = property(lambda self: (_ for _ in ()).throw(SystemExit("asked")))
class M(type):
    @classmethod
    def __prepare__(m, name, bases, **k): return Ordered(pre=1)
    def __new__(m, name, bases, ns, **k): return super().__new__(m, name, bases, dict(ns))
    def __init__(cls, *a, **k): cls.seen = k
class N(type):
    @classmethod
    def __prepare__(m, name, bases): return Custom()
    def __new__(m, name, bases, ns): return super().__new__(m, name, bases, ns.d)
def f(p=3):
    class A:
        x = 1
        y = [i for i in range(2)]
        z = {i: [j for j in range(i)] for i in range(p)}
        w = [i for i in "ab"]
        del x
        x = y
        y, x = x, y
        del y, w
        y = 0
        w = 1
        def m(self): return __class__
        class B:
            q = p
            __slots__ = ("s",)
        for x in range(2):
            w += x
        if w: v = 1
        else: u = 1
        __secret = 2
        locals()["dyn"] = 1
        s = [x for x in [1, 2] if x for x in [x]]
    class F:
        u = p
        t = [p for p in (p, 1)]
    class C(A, metaclass=M, extra=1):
        a = 1
        del pre
        pre = [1]
        b = 2
    class D(metaclass=N):
        a = 1
        b = [i for i in "ab"]
    class E[T] if False else None: pass
    return A().m(), C.b, D.b
""".replace("    class E[T] if False else None: pass\n", ""),
    "with": r"""
class C:
    def __init__(self, swallow=False, fail=None, enter=None): self.s, self.f, self.e = swallow, fail, enter
    def __enter__(self):
        if self.e: raise self.e
        return self
    def __exit__(self, *a):
        if self.f: raise self.f
        return self.s
def f():
    with C() as a, C(True) as b: x = 1
    with C(True): raise KeyError("one line")
    with C(True) as c, C() as d:
        y = 1
        raise ValueError("multi")
    with (
        C() as e,
        C(True) as g,
    ):
        1 / 0
    for i in range(2):
        with C(): continue
    try:
        with C(fail=OSError("exit")): pass
    except OSError: pass
    try:
        with C(True):
            with C(fail=OSError("exit2")):
                raise KeyError("lost")
        with C(enter=TypeError("enter")): x = 2
    except TypeError: x = 3
    def r():
        with C(): return 5
    def s():
        with C():
            with C(True):
                raise KeyError
            return 6
    return x, r(), s()
""",
    "finally": r"""
def a(n):
    try:
        if n == 0: return "t"
        if n == 1: raise KeyError(n)
        if n == 2: 1 / 0
        x = n
    except KeyError as e:
        x = e
        if n: return x
    else:
        x = -x
    finally:
        n = n + 1
        if n == 4: return "f"
    return x
def b():
    for i in range(3):
        try:
            if i == 1: continue
            if i == 2: break
        finally: i = 10
    else: i = 0
    while True:
        try: return i
        finally: break
    return "out"
def c():
    try:
        try: raise KeyError("a")
        finally:
            try: raise ValueError("b")
            except ValueError: pass
    except KeyError as e: return e
def d():
    try:
        raise KeyError("d")
    finally:
        x = [int(y) for y in "12"]
def e():
    try:
        return d()
    finally:
        pass
def f():
    r = []
    for n in range(5):
        try: r.append(a(n))
        except ZeroDivisionError as z: r.append(z)
    try: e()
    except KeyError: pass
    return r, b(), c()
""",
    "raised_again": r"""
def clean():
    try:
        raise OSError("clean")
    except OSError:
        pass
def a():
    try:
        raise KeyError("a")
    except KeyError:
        try:
            raise ValueError("inner")
        except ValueError:
            x = 1
        raise
def b():
    try: raise KeyError("b")
    except KeyError:
        clean()
        for i in iter([1]): pass
        raise
def c():
    try:
        raise KeyError("c")
    except ValueError:
        pass
    except (OSError, TypeError):
        pass
def d():
    try:
        raise KeyError("d")
    finally:
        try: int("x")
        except ValueError: pass
def again(): raise
def e():
    try: raise KeyError("e")
    except KeyError:
        again()
def g():
    try: raise KeyError("g")
    except KeyError as error:
        error.args += ("changed",)
        raise
def h():
    try: raise KeyError("h")
    except KeyError as error: raise ValueError("h2") from error
def i():
    try: raise KeyError("i")
    except KeyError as error:
        kept = error
    try: raise OSError("other")
    except OSError: pass
    raise kept
def j():
    for x in range(2):
        try:
            try: raise KeyError(x)
            except KeyError: raise
        except KeyError:
            if x: raise
def k():
    def gen():
        try: yield 1
        except KeyError:
            yield 2
            try: raise OSError("in gen")
            except OSError: pass
            raise
    g = gen(); next(g)
    g.throw(KeyError("thrown"))
    next(g)
class Cm:
    def __enter__(self): return self
    def __exit__(self, *a):
        clean()
def m():
    with Cm():
        raise KeyError("m")
def n():
    with Cm():
        with Cm(): raise KeyError("n")
def o():
    try: raise KeyError("o")
    except KeyError as e:
        try: raise
        finally: clean()
def p():
    raise
def q():
    try: raise KeyError("q")
    except KeyError:
        def inner():
            try: raise ValueError("q2")
            finally: clean()
        inner()
def f():
    r = []
    for x in (a, b, c, d, e, g, h, i, j, k, m, n, o, p, q):
        try:
            x()
        except Exception as error:
            r.append(error)
    return r
""",
    "groups": r"""
def a(n):
    try:
        raise ExceptionGroup("g", [ValueError(1), TypeError(2), ExceptionGroup("h", [OSError(3)])])
    except* ValueError as e:
        x = e
    except* OSError:
        x = 2
        if n: raise KeyError("new")
def b():
    try:
        raise ValueError("naked")
    except* ValueError as e: y = e.exceptions
    return y
def f():
    r = []
    for n in range(2):
        try: a(n)
        except ExceptionGroup as e: r.append(e)
    return r, b()
""",
    "stop_iteration": r"""
class It:
    def __init__(self): self.n = 0
    def __iter__(self): return self
    def __next__(self):
        self.n += 1
        if self.n > 2: raise StopIteration(self.n)
        return self.n
def gen():
    raise StopIteration("pep479")
    yield
def g2():
    yield next(iter([]))
def returns():
    if 0: yield
    return 7
def f():
    r = [x for x in It()]
    a, b = It()
    it = iter([1])
    next(it)
    try: next(it)
    except StopIteration as e: r.append(e.value)
    try: next(It.__new__(It)) if False else raise_it()
    except StopIteration as e: r.append(e.value)
    for g in (gen, g2):
        try: list(g())
        except RuntimeError as e: r.append(e)
    def d():
        x = yield from returns()
        y = yield from It()
        return x, y
    try:
        h = d()
        while True: next(h)
    except StopIteration as e:
        r.append(e.value)
    r += map(lambda x: x, It())
    r.append(next(returns(), "default"))
    r.append(max(It(), key=lambda x: -x))
    return r
def raise_it(): raise StopIteration("explicit")
""",
    "exceptions_swallowed_outside": r"""
class H:
    @property
    def p(self): raise AttributeError("p")
    def __getattr__(self, n): raise AttributeError(n)
    def __getitem__(self, i):
        if i > 1: raise IndexError(i)
        return i
    def __len__(self): raise TypeError("no len")
    def __del__(self): raise ValueError("in del")
    def __eq__(self, other): return NotImplemented
def f():
    h = H()
    r = [hasattr(h, "p"), getattr(h, "q", 1), list(h)]
    del h
    r.append(sorted([3, 1, 2], key=lambda x: -x))
    try: sorted([1, 2], key=lambda x: x / 0)
    except ZeroDivisionError as e: pass
    a = H()
    a = None
    return r
""",
    "exec": r"""
def f():
    ns = {"x": 1}
    exec(compile("y = x + 1\nfor i in range(2):\n    y += i\n", "<program>", "exec"), ns)
    z = eval(compile("[a for a in range(y)]", "<program>", "eval"), ns)
    exec("w = 5", ns)
    code = compile("def g(a, /, b, *, c):\n    return a + b + c\nr = g(1, b=2, c=3)\ndel g\n", "<program>", "exec")
    exec(code, ns)
    try: exec(compile("\n\n\nraise KeyError(1)", "<program>", "exec"), {})
    except KeyError as e: pass
    class L(dict):
        def __missing__(self, k): return 9
    exec(compile("q = nothing\nq = 2\n", "<program>", "exec"), {}, L())
    return ns["y"], z, ns["w"], ns["r"], eval("1 + 1")
""",
    "decorators": r"""
import functools
def d(*args):
    def wrap(fn):
        @functools.wraps(fn)
        def inner(*a, **k): return fn(*a, **k)
        return inner
    return wrap
def plain(x): return x
@plain
@d(1,
   2)
@d()
# a comment

@plain
def g(
    x,
    y=[1,
       2],
):
    return x, y
@plain
@d()
class K:
    @staticmethod
    @plain
    def s(): return 1
    @property
    @functools.lru_cache
    def p(self): return 2
    @p.setter
    def p(self, v): self.v = v
@plain
async def co(): return 1
@(lambda fn: fn)
def h(): return 3
def f():
    @plain
    @plain
    def inner(): return 4
    l = plain(lambda: (
        5
    ))
    c = co()
    c.close()
    k = K.__wrapped__() if hasattr(K, "__wrapped__") else K()
    k.p = 5
    return g(1), K().s() if not hasattr(K, "__wrapped__") else k.s(), k.p, h(), inner(), l()
""",
    "match": r"""
class P:
    __match_args__ = ("x", "y")
    def __init__(self, x, y): self.x, self.y = x, y
def g(v):
    match v:
        case 0 | 1: return "small"
        case str(s) if len(s) > 2: return s
        case [a, *rest]: return a, rest
        case {"k": w, **others}: return w, others
        case P(x, y=1): return x
        case P() as p if p.x == 5 and (n := p.y):
            return n
        case None: pass
        case _:
            return "other"
def f():
    return [g(v) for v in (0, "abc", "a", [1, 2, 3], {"k": 1, "l": 2}, P(1, 1), P(5, 6), None, 3.5)]
""",
    "expressions": r"""
def h(a, /, b=2, *c, d, e=5, **g): return a, b, c, d, e, g
def f(n=3):
    if (m := n * 2) > 5 and (k := m): x = f"{m!r:>{k}} {n=} {(lambda: n)()}"
    y = h(1, *[2, 3], d=4, **{"z": 1})
    z = (1
         if n
         else 2) + sum(
        i
        for i in range(3)
    )
    w = [*range(2), *"ab"]; v = {**{"a": 1}, "b": 2}
    a = b = c = []
    a += [1]; b[0:] = [2]
    t = n < m < 10 or 1 / 0
    u = not n or (n and m)
    p, (q, *r), s = 1, (2, 3, 4), 5
    assert n, "never"
    del p, q
    g = lambda *a, k=n, **kw: (a, k, kw)
    i: int = 5
    j: list[int]
    "".join(str(o) for o in w if isinstance(o, int) if o)
    return x, y, z, w, v, a, t, u, g(1, k=2), i, {1, 2} | {3}, [1, 2][::-1], ..., b"%d" % 1, print
""",
    "one_line_loops": r"""
def f(x=3):
    while x: x -= 1
    for i in range(3): pass
    for i in range(2): x += i; x += 1
    while True: break
    if x: pass
    for a in "ab": y = [b for b in a]
    while x > 0: x -= 1; (lambda: x)()
    try: x = 1 / 0
    except ZeroDivisionError: x = 5
    finally: pass
    for i in []: pass
    else: x = 6
    for i in range(3):
        x += i
    while x % 3: x += 1
    else: x = 0
    for i in range(2): continue
    z = [i for i in range(2)]; w = [i for i in range(2)]
    for i in range(2): g = (lambda: [i for i in range(2)])()
    def h():
        for i in range(2): yield i
    for i in h(): pass
    for i in h(): x = sum(j for j in h())
    return x
""",
    "multi_line": r"""
def g(*a): return a
def f(x=1):
    y = g(
        x,
        g(2),
        [
            i
            for i in range(
                2
            )
        ],
    )
    if (
        x
        and y
    ): z = 1
    while (x <
           3):
        x += \
            1
    s = '''a
    b''' + f'''{
        x
    }'''
    d = {
        "k": lambda: (
            1
        ),
        "l": g(
            3),
    }
    try:
        g(
            1 /
            0,
        )
    except (
        ZeroDivisionError,
        KeyError,
    ): pass
    return (
        y,
        d["k"](),
        s,
    )
""",
    "threads": r"""
exec('''
import threading, concurrent.futures
def spawn(n, function, *arguments):
    threads = [threading.Thread(target=function, args=arguments) for _ in range(n)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
def pooled(function, *arguments):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return list(pool.map(abs, [-1])), pool.submit(function, *arguments).result()
''')
def work(out, n):
    for i in range(n): out.append(i)
def f():
    out = []
    spawn(2, work, out, 2)
    r = pooled(work, out, 1)
    work(out, 1)
    return len(out), r
""",
    "globals": r"""
n = 0
names = {}
def bump():
    global n, fresh
    n += 1
    fresh = n
    return globals()["n"]
def f():
    bump()
    global names
    del names
    try: names
    except NameError as e: pass
    names = {}
    return n, fresh
""",
    "exits": r"""
import sys
def a():
    try: sys.exit(3)
    except SystemExit as e: return e.code
def b():
    try: raise KeyboardInterrupt
    except KeyboardInterrupt: return 1
    finally: pass
def f():
    r = a(), b()
    raise SystemExit(r)
""",
    "interrupt": r"""
def f():
    try:
        raise KeyboardInterrupt("x")
    finally:
        y = 1
""",
    "destructors": r"""
import gc, weakref
log = []
class D:
    def __init__(self, n): self.n = n
    def __del__(self):
        log.append(self.n)
        if self.n == 3: raise ValueError("unraisable")
def callback(ref): log.append("gone")
def raising():
    d = D(1)
    e = D(2)
    raise KeyError("x")
def returning():
    d = D(4)
    return 5
def replaced():
    d = D(5)
    d = D(6)
    r = weakref.ref(d, callback)
    del d
    [D(7) for _ in range(2)]
    x = D(8), 1
    x = None
def cyclic():
    d = D(9)
    d.me = d
    del d
    gc.collect()
def gen():
    d = D(10)
    yield d
    yield 2
def f():
    try:
        raising()
    except KeyError as e:
        D(3)
    D(0)
    returning()
    replaced()
    cyclic()
    for x in gen(): break
    del x
    t = D(11); t2 = [t]
    t.__class__ = object().__class__ if False else D
    return log[:]
""",
    "signals": r"""
import signal
seen = []
def handler(number, frame):
    seen.append(number)
    if len(seen) == 2: raise KeyError("from handler")
def f():
    signal.signal(signal.SIGUSR1, handler)
    signal.raise_signal(signal.SIGUSR1)
    try:
        signal.raise_signal(signal.SIGUSR1)
        x = 1
    except KeyError as e:
        x = 2
    for i in range(2):
        signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    return x, seen
""",
    "properties": r"""
class Desc:
    def __set_name__(self, owner, name): self.name = name
    def __get__(self, i, o): return i.__dict__.get(self.name, 0) if i else self
    def __set__(self, i, v): i.__dict__[self.name] = v
    def __delete__(self, i): i.__dict__.pop(self.name, None)
class A:
    d = Desc()
    __slots__ = ("__dict__", "s")
    def __init__(self): self.d = 1; self.s = 2
    def __getattribute__(self, n): return object.__getattribute__(self, n)
    def __setattr__(self, n, v): object.__setattr__(self, n, v)
    def __call__(self, *a): return a
    def __enter__(self): return self
    def __exit__(self, *a): return True
    def __iter__(self): yield from (1, 2)
    def __contains__(self, x): return x == 1
    def __getitem__(self, k): return k
    def __add__(self, o): return NotImplemented
    def __radd__(self, o): return "radd"
    def __lt__(self, o): return True
    def __bool__(self): return False
    def __format__(self, s): return s
    def __init_subclass__(cls, **k): cls.k = k
    def __class_getitem__(cls, i): return i
    @classmethod
    def c(cls): return cls
class B(A, z=1):
    def __init__(self):
        super().__init__()
        self.d += 1
    def __add__(self, o): return super().__add__(o)
def f():
    a = B()
    a.e = 5
    del a.d
    r = a.d, a[1], a(1), list(a), 1 in a, 2 in a, 1 + a, a < 1, not a, f"{a:x}", A[5], a.c()
    try: a + 1
    except TypeError as e: r += (e,)
    with a: 1 / 0
    for x in a: r += (x,)
    return r
""",
    "recursion": r"""
def fact(n): return 1 if n < 2 else n * fact(n - 1)
def even(n):
    if n == 0:
        return True
    return odd(n - 1)
def odd(n): return n != 0 and even(n - 1)
def f(n=6):
    return fact(n), even(n), [fact(i) for i in range(3)], (lambda s, k: s(s, k))(lambda s, k: k and s(s, k - 1) + 1, 3)
""",
    "errors_at_calls": r"""
def g(a, b): return a
def h(x: int = 1 / 1): return x
def f():
    r = []
    for call in (lambda: g(1), lambda: g(1, 2, 3), lambda: g(c=1), lambda: None(), lambda: undefined, lambda: (1).x, lambda: [][0]):
        try:
            call()
        except Exception as e:
            r.append(type(e).__name__)
        finally:
            x = len(r)
    try: a, b = 1, 2, 3
    except ValueError as e: r.append(e)
    try: import nothing_here
    except ImportError as e: r.append(e.name)
    try: assert False, r
    except AssertionError as e: r.append(1)
    try:
        del zz
    except NameError as e: r.append(e)
    try: x = yy; yy = 1
    except UnboundLocalError as e: r.append(e)
    return r
""",
    "names": r"""
class _X:
    __a = 1
    def m(self): return self.__a
def f(é=1, 名=2, *, _=3, __dunder__=4, __private=5):
    é += 1
    λ = lambda ñ: ñ
    ª = 3
    for _ in range(2): pass
    def inner(f, self): return f
    return é, 名, λ(1), ª, inner(1, 2), _X().m()
""",
    "special_text": """
def f():
    a = "<|frame_sep|>"  # << START_OF_TRACE
    b = '<\\\\|arg_sep|>'  # <|line_sep|>
    c = "..", "...", ".."
    d = "\\ud800", "\\udc80\\ud800", chr(0x1F600), "\\x00\\x1f\\x7f"
    e = ValueError("<|end_of_text|>")
    try: raise e
    except ValueError: pass  # << START_OF_TRACE\\
    return a + b
""",
    "end_of_entry": r"""
class D:
    def __del__(self): after()
def after(): return 1
def g():
    yield 1
def f():
    d = D()
    it = g()
    next(it)
    global kept
    kept = g()
    next(kept)
    return it
""",
    "yields_as_entry": r"""
import contextlib
def g(n):
    while n:
        n -= 1
        try: x = yield n
        except ValueError: x = 0
def f(n=3):
    for x in g(n):
        yield x
    got = yield "last"
    return got
""",
    "async_entry": r"""
import asyncio
async def ag():
    for i in range(2):
        await asyncio.sleep(0)
        yield i
async def f():
    async for i in ag():
        yield i
    yield [i async for i in ag()]
""",
    "coroutine_entry": r"""
import asyncio
async def g(x):
    await asyncio.sleep(0)
    return x
async def f():
    return await asyncio.gather(g(1), g(2)), await g(3)
""",
    "raising_entry": r"""
class E(Exception):
    def __init__(self, *a):
        super().__init__(*a)
        self.note = a
def g(): raise E("x", [1])
def f():
    try:
        g()
    finally:
        x = 1
        for i in range(2): pass
""",
    "namespaces_as_locals": r"""
def f():
    d = dict(a=1)
    exec(compile("b = a\na = [b]\nc = [x for x in (1, 2)]\ndel b\nb = 5\n", "<program>", "exec"), d, d)
    space = {}
    exec(compile("class Q:\n    z = 1\n    y = z\nq = Q()\n", "<program>", "exec"), {"__name__": "m"}, space)
    return sorted(k for k in d if k != "__builtins__"), sorted(space)
""",
    "values_that_cannot_be_shown": r"""
import sys
class P: pass
def f():
    sys.set_int_max_str_digits(640)
    p, q = P(), P()
    a = [p, 10**700, q]
    b = [q, p]
    p.q = {q: 10**800, 1: p}
    c = {10**700, p, q}
    sys.set_int_max_str_digits(4300)
    d = 1
    return q
""",
}
