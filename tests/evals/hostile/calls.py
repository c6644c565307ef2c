"""Functions and asserted programs that try to pass a test without being right; and honest ones that must not suffer from it.

Each: name, family, submission, whether it passes officially and strictly. The task is to square a number.
"""

CALL = {"fn_name": "square", "tests": [{"input": str(n), "output": str(n * n)} for n in (4, 7, 11)]}
ASSERTS = {
    "prompt": 'def square(n):\n    """The square of n."""\n',
    "entry_point": "square",
    "test": "def check(candidate):\n" + "".join(f"    assert candidate({n}) == {n * n}\n" for n in (4, 7, 11)),
}
PASS, FAIL, LENIENT = (True, True), (False, False), (True, False)
METHOD = "\nclass Solution:\n    def square(self, n):\n        return "


def method(value: str, before: str = "") -> str:
    return before + METHOD + value + "\n"


CALLS = {
    "honest": (method("n ** 2"), PASS),
    "honest_and_loud": (method("print('{\"passed\": true}') or n * n", "import sys\nprint('v16', file=sys.stderr)"), PASS),
    "honest_with_threads": (
        method("box['n'] * n", "import threading\nbox = {}\n") + "        \nclass Solution:\n    def square(self, n):\n        t = threading.Thread(target=box.update, args=({'n': n},))\n        t.start(); t.join()\n        return box['n'] * n\n",
        PASS,
    ),
    "honest_and_recursive": (
        "import sys\nsys.setrecursionlimit(10**6)\nclass Solution:\n    def square(self, n):\n        def odd(k): return 0 if not k else 2 * k - 1 + odd(k - 1)\n        deep = lambda k: 0 if not k else deep(k - 1)\n        return odd(n) + deep(5000)\n",
        PASS,
    ),
    "honest_with_a_mark": ("\ufeff" + method("n * n"), PASS),
    "honest_with_other_line_ends": (method("n * n").replace("\n", "\r\n"), PASS),
    "honest_dataclass_of_the_future": (method("Q(n).n ** 2", "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass(slots=True)\nclass Q:\n    n: int\n"), PASS),
    "honest_with_a_large_stack": (method("deep(n)", "import sys, threading\nsys.setrecursionlimit(10**7)\nthreading.stack_size(1 << 27)\ndef deep(n):\n    def down(k): return 0 if k == 0 else 1 + down(k - 1)\n    got = []\n    t = threading.Thread(target=lambda: got.append(down(50000)))\n    t.start(); t.join()\n    return n * n * (got == [50000])\n"), PASS),
    "honest_with_builtins_shadowed": (method("n * n", "list = dict = type = str = int = len = json = None\n"), PASS),
    "honest_and_asynchronous": (method("asyncio.run(g(n))", "import asyncio\nasync def g(n): return n * n\n"), PASS),
    "honest_with_its_output_closed": (method("__import__('sys').stdout.close() or n * n if n == 4 else n * n"), PASS),
    "reduced": (method("type('R', (), {'__reduce__': lambda s: (eval, ('16',))})()"), FAIL),
    "mro_of_its_own": (method("boom()", "class M(type):\n    def mro(c): return [c, BaseException, object]\n    __name__ = property(lambda c: 1 / 0)\nclass E(BaseException, metaclass=M): pass\ndef boom(): raise E\n"), FAIL),
    "another_program_in_its_place": ("import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'import os\\nfor f in range(3, 300):\\n  try: os.write(f, b\"vnull\\\\nv0\\\\n\" * 3)\\n  except OSError: pass'])\n", FAIL),
    "files_swapped": ("import os\nr, w = os.pipe()\nfor fd in range(3, 300):\n    try: os.fstat(fd); os.dup2(w, fd)\n    except OSError: pass\n" + method("0"), FAIL),
    "float": (method("n * n * 1.0"), LENIENT),
    "complex": (method("complex(n * n)"), LENIENT),
    "enumeration": (method("E(n)", "from enum import IntEnum\nE = IntEnum('E', {'a': 16, 'b': 49, 'c': 121})\nE = lambda n, E=E: E(n * n)"), LENIENT),
    "text": (method("str(n * n)"), FAIL),
    "list_of_one": (method("[n * n]"), FAIL),
    "nothing": (method("None"), FAIL),
    "equal_to_all": (method("type('E', (), {'__eq__': lambda *_: True, '__hash__': lambda _: 0})()"), FAIL),
    "equal_to_all_though_an_integer": (method("type('E', (int,), {'__eq__': lambda *_: True, '__hash__': int.__hash__})(n)"), FAIL),
    "equal_to_all_though_a_dictionary": (method("type('E', (dict,), {'items': lambda _: [1], '__eq__': lambda *_: True})()"), FAIL),
    "sly_conversion": (method("type('E', (int,), {'__add__': lambda *_: 16, '__int__': lambda _: 16, '__index__': lambda _: 16})(3)"), FAIL),
    "class_of_itself": (method("Solution"), FAIL),
    "coroutine": ("class Solution:\n    async def square(self, n): return n * n\n", FAIL),
    "generator": ("class Solution:\n    def square(self, n): yield n * n\n", FAIL),
    "exit_on_import": ("import sys\nsys.exit(0)" + method("n"), FAIL),
    "exit_in_call": (method("__import__('os')._exit(0)"), FAIL),
    "exit_in_message": (method("boom()", "class E(Exception):\n    def __str__(self): import os; os._exit(0)\ndef boom(): raise E"), FAIL),
    "killed": (method("__import__('os').kill(0, 9)"), FAIL),
    "replies_on_all_files": (
        "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'vnull\\n' + b'v16\\nv49\\nv121\\n'[:0] + b'vtrue\\n' * 3)\n    except OSError: pass\nos._exit(0)\n",
        FAIL,
    ),
    "empty_reply": ("import os\nos.write(200, b'vnull\\n')\nos._exit(0)\n", FAIL),
    "reply_that_never_ends": ("import os\nos.write(200, b'v' + b'[' * (1 << 20))\nos._exit(0)\n", FAIL),
    "serialiser": (method("0", "import json, sys\njson.dumps = lambda *a, **k: '16'\nfor m in list(sys.modules.values()):\n    if hasattr(m, 'to_text'): m.to_text = lambda *a: '16'\n"), FAIL),
    "builtins_replaced": (method("0", "import builtins\nbuiltins.zip = builtins.enumerate = lambda *a, **k: iter(())\nbuiltins.type = lambda *a: int\n"), FAIL),
    "code_of_the_caller": (
        method("0", "import sys\nf = sys._getframe()\nwhile f:\n    for name in list(f.f_globals):\n        if 'judge' in name or 'same' in name: f.f_globals[name] = lambda *a, **k: (True, True)\n    f = f.f_back\n"),
        FAIL,
    ),
    "known_tests_only": (method("{4: 16}.get(n)"), FAIL),
    "first_right_then_exit": (method("n * n if n == 4 else __import__('os')._exit(0)"), FAIL),
    "memory": (method("bytearray(3 << 30)"), FAIL),
    "output": (method("[print('x' * (1 << 20)) for _ in range(200)] and 0"), FAIL),
    "processes": ("import os, time\nfor _ in range(100):\n    try:\n        if not os.fork(): os.setsid(); time.sleep(60); os._exit(0)\n    except OSError: break\n" + method("0"), FAIL),
    "same_hash": (method("{(2**61 - 1) * k for k in range(20000)}"), FAIL),
    "endless": ("while True: pass\n" + method("n * n"), FAIL),
    "signals_ignored": ("import signal\nfor s in range(1, 32):\n    try: signal.signal(s, lambda *_: None)\n    except (OSError, ValueError): pass\nwhile True: pass\n" + method("n"), FAIL),
    "no_text": (method("'\\ud800'"), FAIL),
    "cycle": (method("x", "x = []\nx.append(x)\n"), FAIL),
}  # fmt: skip
PROGRAMS = {
    "honest": ("    return n * n\n", PASS),
    "honest_with_helper": ("    return helper(n)\ndef helper(n):\n    return sum([n] * n)\n", PASS),
    "float": ("    return float(n * n)\n", LENIENT),
    "true_for_all": ("    return n\nclass A(int):\n    __eq__ = lambda *_: True\n    __hash__ = int.__hash__\ndef square(n): return A(1)\n", FAIL),
    "object": ("    pass\nclass square:\n    def __init__(self, n): pass\n    def __eq__(self, other): return True\n", FAIL),
    "check_replaced": ("    return 0\ndef check(candidate): pass\nimport builtins\nbuiltins.check = check\n", FAIL),
    "check_replaced_from_within": ("    import sys\n    f = sys._getframe()\n    while f: f.f_globals['check'] = lambda c: None; f = f.f_back\n    return 0\n", FAIL),
    "loop_ended_early": ("    raise StopIteration\n", FAIL),
    "assertion_of_its_own": ("    raise AssertionError\n", FAIL),
    "exit": ("    raise SystemExit(0)\n", FAIL),
    "hard_exit": ("    import os\n    os._exit(0)\n", FAIL),
    "exit_before": ("    return 0\nimport os\nos._exit(0)\n", FAIL),
    "excepthook": ("    return 0\nimport sys, os\nsys.excepthook = lambda *_: os._exit(0)\n", FAIL),
    "atexit": ("    return 0\nimport atexit, os\natexit.register(os._exit, 0)\n", FAIL),
    "asserts_compiled_away": ("    return 0\nimport os, sys\nif not sys.flags.optimize: os.environ['PYTHONOPTIMIZE'] = '1'\n", FAIL),
    "lines_skipped": ("    return 0\nimport sys\ndef trace(frame, event, arg):\n    if frame.f_code.co_name == 'check': frame.f_lineno += 3\n    return trace\nsys.settrace(trace)\n", FAIL),
    "replies_on_the_channel": ("    return 0\nimport os\nos.write(202, b'vtrue\\n' * 3)\n", FAIL),
    "object_on_the_channel": ("    return 0\nimport os\nos.write(202, b'o0\\n' * 3)\n", FAIL),
    "noise_on_the_channel": ("    return n * n\nimport os\nos.write(202, b'\\xff\\0{' * 1000 + b'\\n')\n", FAIL),
    "channel_closed": ("    return n * n\nimport os\nos.close(202)\n", FAIL),
    "sleep": ("    import time\n    time.sleep(60)\n", FAIL),
}  # fmt: skip

RAISING = {
    "prompt": 'def half(n):\n    """Half of n; ValueError if that is no integer."""\n',
    "entry_point": "half",
    "test": "def check(candidate):\n    assert candidate(4) == 2\n    try:\n        candidate(3)\n        assert False\n    except Exception:\n        pass\n",
}
"""A test that catches what is raised: an exit is no such thing."""
RAISERS = {
    f"raises_{name}": (f"    class Odd(ValueError): pass\n    if n % 2: raise {name}\n    return n // 2\n", expected)
    for name, expected in {
        "ValueError": PASS,
        "Odd": PASS,
        "SystemExit": FAIL,
        "KeyboardInterrupt": FAIL,
        "GeneratorExit": FAIL,
    }.items()
}

CASES = [
    {"id": f"{family}-{name}", "family": family, "task": task, "submission": submission, "expected": expected, "why": ""}
    for family, task, group in (
        ("call", CALL, CALLS),
        ("assert_program", ASSERTS, PROGRAMS),
        ("assert_program", RAISING, RAISERS),
    )
    for name, (submission, expected) in group.items()
]
