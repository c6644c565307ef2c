"""The semantics of a trace, construct by construct. One line a frame: event line:function locals-or-value."""

import sys

import pytest

from foretrace.errors import RecordError, UsageError
from foretrace.record import record_program, session
from foretrace.trace import Event, Limits, Outcome, Trace

BEFORE_312 = sys.version_info < (3, 12)


@pytest.fixture(params=["reference", "native"], autouse=True)
def recorder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs with either recorder."""
    if request.param == "reference":
        monkeypatch.setattr(session, "_recorder", None)
    elif not session.HAS_NATIVE:
        pytest.skip("the recorder in C was not built")
    return str(request.param)


def shown(trace: Trace) -> list[str]:
    lines = []
    for f in trace.frames:
        flags = "".join(c for c, on in zip("usr", (f.unwind, f.suspended, f.resumed), strict=True) if on)
        content = f.value if f.locals is None else ", ".join(f"{n}={t}" for n, t in f.locals.items())
        lines.append(f"{'  ' * f.depth}{f.event}{flags and '/' + flags} {f.line} {content}".rstrip())
    return lines


def traced(source: str, arguments: str = "") -> list[str]:
    return shown(record_program(source, "f", arguments))


def test_parameters_may_bear_the_recorders_own_names() -> None:
    source = "def f(self, function):\n    return self + function\n"
    assert traced(source, "function=1, self=2") == ["call 1 self=2, function=1", "line 2 self=2, function=1", "return 2 3"]


def test_a_loop() -> None:
    assert traced("def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n", "2") == [
        "call 1 n=2",
        "line 2 n=2",
        "line 3 n=2, t=0",
        "line 4 n=2, t=0, i=0",
        "line 3 n=2, t=0, i=0",
        "line 4 n=2, t=0, i=1",
        "line 3 n=2, t=1, i=1",
        "line 5 n=2, t=1, i=1",
        "return 5 1",
    ]


def test_exceptions_unwind_and_are_caught() -> None:
    source = "def f(x):\n    try:\n        return g(x)\n    except KeyError as e:\n        return 0\ndef g(x):\n    return {}[x]\n"
    assert traced(source, "'k'") == [
        "call 1 x='k'",
        "line 2 x='k'",
        "line 3 x='k'",
        "  call 6 x='k'",
        "  line 7 x='k'",
        "  exception/u 7 KeyError('k')",
        "exception 3 KeyError('k')",
        "line 4 x='k'",
        "line 5 x='k', e=KeyError('k')",
        "return 5 0",
    ]


def test_a_finally_runs_before_its_scope_is_left() -> None:
    source = "def f(x):\n    try:\n        1 / x\n    finally:\n        x = 9\n"
    trace = record_program(source, "f", "0")
    assert shown(trace)[-3:] == [
        "exception 3 ZeroDivisionError('division by zero')",
        "line 5 x=0",
        "exception/u 5 ZeroDivisionError('division by zero')",
    ]
    assert trace.header.outcome is Outcome.RAISED
    assert trace.exception == "ZeroDivisionError('division by zero')"


def test_generators_suspend_and_resume_without_noise() -> None:
    source = "def g():\n    x = yield 1\n    yield x\ndef f():\n    out = []\n    for v in g():\n        out.append(v)\n    return out\n"
    lines = traced(source)
    assert "  return/s 2 1" in lines
    assert "  call/r 2" in lines
    assert "  return 3 None" in lines
    assert not any("StopIteration" in line for line in lines)


def test_none_returned_and_none_yielded_are_told_from_unwinding() -> None:
    lines = traced("def g():\n    yield None\ndef f():\n    for v in g():\n        pass\n    return None\n")
    assert "  return/s 2 None" in lines
    assert lines[-1] == "return 6 None"


def test_comprehensions_are_as_the_interpreter_has_them() -> None:
    lines = traced("def f(s):\n    return [c for c in s]\n", "'ab'")
    if BEFORE_312:
        assert "  call 2" in lines  # its own scope, the hidden argument not shown
        assert "  line 2 c='b'" in lines
    else:
        assert not any(line.startswith("  call") for line in lines)
    assert lines[-1] == "return 2 ['a', 'b']"


def test_closures_and_deleted_names() -> None:
    source = "def f(a):\n    b = a\n    def g():\n        nonlocal b\n        b += 1\n        return b\n    del a\n    return g()\n"
    lines = traced(source, "1")
    assert "  line 5 b=1" in lines
    assert "  line 6 b=2" in lines
    assert any(line.startswith("line 8") and " a=" not in line for line in lines)
    assert lines[-1] == "return 8 2"


def test_a_class_body_is_a_scope_without_its_dunders() -> None:
    lines = traced("def f():\n    class C:\n        y = 2\n    return C.y\n")
    assert "  line 3" in lines
    assert not any("__qualname__" in line or "__module__" in line for line in lines)


def test_async_functions_are_recorded_in_the_order_they_ran() -> None:
    source = (
        "import asyncio\nasync def g(x):\n    await asyncio.sleep(0)\n    return x\n"
        "async def m():\n    return await asyncio.gather(g(1), g(2))\ndef f():\n    return asyncio.run(m())\n"
    )
    trace = record_program(source, "f", "")
    assert trace.result == "[1, 2]"
    entered = [f.state.get("x") for f in trace.frames if f.event is Event.CALL and f.function == "g"]
    assert entered == ["1", "2", "1", "2"]


def test_other_threads_run_unrecorded_and_are_counted() -> None:
    source = (
        "import threading\ndef g():\n    pass\ndef f():\n    t = threading.Thread(target=g)\n"
        "    t.start()\n    t.join()\n    return 1\n"
    )
    trace = record_program(source, "f", "")
    assert {f.function for f in trace.frames} == {"f"}
    assert trace.header.threads_unrecorded == 1


def test_code_outside_the_context_is_one_step() -> None:
    assert len(record_program("import json\ndef f():\n    return json.dumps([1])\n", "f", "")) == 3


@pytest.mark.parametrize("replaced", ["sys.settrace(None)", "sys.settrace(lambda *a: None); sys._getframe().f_trace = None"])
def test_a_program_that_replaces_the_trace_function_is_told_on(replaced: str, recorder: str) -> None:
    trace = record_program(f"import sys\ndef f():\n    {replaced}\n    return 1\n", "f", "")
    if recorder == "native" and not BEFORE_312:  # it has no trace function
        assert trace.result == "1"
    else:
        assert (trace.header.outcome, trace.header.detail) == (Outcome.TRUNCATED, "the program replaced the trace function")


def test_user_code_is_never_called_to_show_a_value() -> None:
    source = (
        "class A:\n    def __repr__(self):\n        raise SystemExit\n    def __eq__(self, o):\n        raise SystemExit\n"
        "    __hash__ = None\n    def __getattribute__(self, n):\n        raise SystemExit\n"
        "    @property\n    def __class__(self):\n        raise SystemExit\n"
        "def f():\n    a = A()\n    b = [a]\n    return b\n"
    )
    trace = record_program(source, "f", "")
    assert trace.result == "[<A#1>]"


def test_budgets_keep_what_there_is() -> None:
    source = "def f(n):\n    while True:\n        n += 1\n"
    by_events = record_program(source, "f", "0", Limits(max_events=10))
    assert (by_events.header.outcome, by_events.header.detail, len(by_events)) == (Outcome.TRUNCATED, "events", 10)
    by_bytes = record_program("def f(s):\n    while True:\n        s += s\n", "f", "'ab'", Limits(max_bytes=2000))
    assert by_bytes.header.detail == "bytes"
    by_time = record_program(
        "def f():\n    while True: pass\n", "f", "", Limits(seconds=0.2, max_events=10**8, max_bytes=10**12)
    )
    assert by_time.header.detail == "time"


@pytest.mark.parametrize(
    ("source", "entry", "arguments", "error", "complaint"),
    [
        ("def f(:\n", "f", "", UsageError, "line 1"),
        ("def count(): pass\n", "cuont", "", UsageError, "did you mean 'count'"),
        ("def f(a): pass\n", "f", "", UsageError, "do not bind"),
        ("def f(a): pass\n", "f", "1 2", UsageError, "do not parse"),
        ("def f(a): pass\n", "f", "1/0", RecordError, "ZeroDivisionError"),
        ("1/0\ndef f(a): pass\n", "f", "1", RecordError, "top level"),
    ],
)
def test_what_cannot_run_is_a_clear_error(source: str, entry: str, arguments: str, error: type, complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        record_program(source, entry, arguments)


def test_a_generator_that_the_call_returns_is_exhausted() -> None:
    assert traced("def f(n):\n    for i in range(n):\n        yield i\n", "1") == [
        "call 1 n=1",
        "line 2 n=1",
        "line 3 n=1, i=0",
        "return/s 3 0",
        "call/r 3 n=1, i=0",
        "line 2 n=1, i=0",
        "return 2 None",
    ]


@pytest.mark.parametrize("body", ["return await g(x)", "async for y in h(x):\n        return y"])
def test_a_coroutine_that_the_call_returns_is_run(body: str) -> None:
    source = f"async def f(x):\n    {body}\nasync def g(x):\n    return x\nasync def h(x):\n    yield x\n"
    trace = record_program(source, "f", "7")
    assert (trace.header.outcome, trace.result) == (Outcome.RETURNED, "7")


def test_what_runs_after_the_entry_scope_is_not_recorded() -> None:
    source = "def f():\n    g = h()\n    next(g)\n    return A()\ndef h():\n    yield 1\n    yield 2\nclass A:\n    def __del__(self):\n        self.x = 1\n"
    assert traced(source)[-2:] == ["line 4 g=<generator#1>", "return 4 <A#1>"]


def test_closing_a_generator_is_recorded_only_if_a_handler_runs() -> None:
    source = "def f():\n    for y in h():\n        break\n    return y\ndef h():\n    yield 1\n"
    assert traced(source)[-3:] == ["line 3 y=1", "line 4 y=1", "return 4 1"]
    handled = source.replace("    yield 1\n", "    try:\n        yield 1\n    finally:\n        x = 0\n")
    assert traced(handled)[-7:] == [
        "line 3 y=1",
        "  call/r 7",
        "  exception 7 GeneratorExit()",
        "  line 9",
        "  exception/u 9 GeneratorExit()",
        "line 4 y=1",
        "return 4 1",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "async def g():\n    raise ValueError(1)\nasync def f():\n    await g()\n",
        "def g():\n    yield 1\n    raise ValueError(1)\ndef f():\n    yield from g()\n",
        "def g():\n    yield 1\ndef f():\n    it = g()\n    next(it)\n    it.throw(ValueError(1))\n",
    ],
)
def test_an_exception_leaves_a_suspended_scope_as_an_exception(source: str) -> None:
    trace = record_program(source, "f", "")
    assert (trace.header.outcome, trace.exception) == (Outcome.RAISED, "ValueError(1)")
    assert [frame.unwind for frame in trace.frames if frame.event is Event.EXCEPTION] == [True, True]


@pytest.mark.parametrize("decorator", ["@d(\n    1,\n)\n", "@d(1)\n# a comment\n"])
def test_a_decorated_function_is_entered_at_its_def(decorator: str) -> None:
    trace = record_program(f"def d(a):\n    return lambda fn: fn\n{decorator}def f(x):\n    return x\n", "f", "1")
    assert trace.frames[0].source == "def f(x):"


def test_caught_recursion_is_as_it_is_unrecorded(recorder: str) -> None:
    source = "def g(n):\n    return g(n + 1)\ndef f():\n    try:\n        return g(0)\n    except RecursionError:\n        return -1\n"
    trace = record_program(source, "f", "")
    if recorder == "native":
        assert trace.result == "-1"
    else:  # its own calls no longer fit the stack
        assert (trace.header.outcome, trace.header.detail) == (Outcome.TRUNCATED, "recursion")


def test_dataclasses_with_postponed_annotations_are_recorded() -> None:
    source = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\ndef f():\n    return A(1)\n"
    assert record_program(source, "f", "").result == "A(x=1)"


def test_every_thread_is_counted_and_asynchronous_yields_show_their_value() -> None:
    source = "import threading\ndef f():\n    for _ in range(3):\n        t = threading.Thread(target=int)\n        t.start()\n        t.join()\n"
    assert record_program(source, "f", "").header.threads_unrecorded == 3
    assert "return/s 2 1" in traced("async def f():\n    yield 1\n")


CLEAN = "def clean():\n    try:\n        int('x')\n    except ValueError:\n        pass\n"


@pytest.mark.parametrize(
    "handler",
    [
        "except KeyError:\n        try:\n            int('x')\n        except ValueError:\n            pass\n        raise",
        "except KeyError:\n        clean()\n        for x in iter([1]):\n            pass\n        raise",
        "finally:\n        clean()",
        "except KeyError:\n        again()",
        "except KeyError as e:\n        e.args = ('k',)\n        try:\n            raise\n        finally:\n            clean()",
        "except (ValueError, OSError):\n        pass",
    ],
)
def test_what_is_raised_again_is_told_whatever_the_handler_did(handler: str) -> None:
    source = f"{CLEAN}def again():\n    raise\ndef f():\n    try:\n        {{}}['k']\n    {handler}\n"
    trace = record_program(source, "f", "")
    assert (trace.header.outcome, trace.exception, trace.frames[-1].unwind) == (Outcome.RAISED, "KeyError('k')", True)


@pytest.mark.parametrize("line", ["with C(): yield 1", "with C():\n        yield 1", "with C():\n        yield"])
@pytest.mark.parametrize("close", ["it.close()", "it.throw(GeneratorExit)"])
def test_a_generator_closed_within_a_with_ends_with_an_exception(line: str, close: str) -> None:
    source = "class C:\n    def __enter__(self):\n        pass\n    def __exit__(self, *a):\n        return False\n"
    source += f"def g():\n    {line}\ndef f():\n    it = g()\n    next(it)\n    try:\n        {close}\n"
    frames = record_program(source + "    except GeneratorExit:\n        pass\n", "f", "").frames
    last = [frame for frame in frames if frame.function == "g"][-1]
    assert (last.event, last.value, last.unwind) == (Event.EXCEPTION, "GeneratorExit()", True)


def test_what_never_started_is_not_recorded_when_it_is_closed() -> None:
    source = "def g():\n    yield\ndef f():\n    it = g()\n    it.close()\n    del it\n    g()\n    return 1\n"
    assert {frame.function for frame in record_program(source, "f", "").frames} == {"f"}


def test_an_exception_thrown_into_what_never_started_leaves_it() -> None:
    source = (
        "def g():\n    yield\ndef f():\n    try:\n        g().throw(KeyError('k'))\n    except KeyError:\n        return 1\n"
    )
    frames = record_program(source, "f", "").frames
    assert [(f.event, f.value, f.unwind) for f in frames if f.function == "g" and f.value] == [
        (Event.EXCEPTION, "KeyError('k')", True)
    ]


def test_a_namespace_that_says_it_is_a_dict_is_not_asked() -> None:
    source = "class N:\n    __class__ = dict\n    def __init__(self):\n        self.d = {}\n"
    source += (
        "    def __getitem__(self, k):\n        return self.d[k]\n    def __setitem__(self, k, v):\n        self.d[k] = v\n"
    )
    source += "class M(type):\n    def __prepare__(name, bases):\n        return N()\n"
    source += "    def __new__(m, name, bases, space):\n        return type(name, bases, space.d)\n"
    source += "def f():\n    class A(metaclass=M):\n        x = 1\n    return A.x\n"
    assert record_program(source, "f", "").result == "1"


def test_a_generator_that_an_exception_abandons_leaves_no_trace() -> None:
    source = "def g():\n    yield 1\ndef f():\n    for x in g():\n        raise KeyError(x)\n"
    assert traced(source)[-2:] == ["line 5 x=1", "exception/u 5 KeyError(1)"]
