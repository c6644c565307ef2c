"""Functions and methods of a package, with the calls that the package shows."""

from pathlib import Path

import pytest
from archives import write_folder, write_sdist, write_wheel

from foretrace.corpus.calls import MAX_CALLS
from foretrace.corpus.harvest import harvest
from foretrace.corpus.refusals import NOT_FUNCTIONS, Refusal, Refused
from foretrace.corpus.tree import SourceTree, read_tree
from foretrace.corpus.types import Subject
from foretrace.record import record_program


def found(**files: str) -> tuple[dict[str, Subject], dict[str, Refusal]]:
    """Subjects by entry, and reasons by what they refuse; `/` and `.py` are written as `__` and left out."""
    tree = SourceTree(
        name="demo 1", files={key.replace("__", "/") + ".py": text for key, text in files.items()}, licence="MIT"
    )
    both = list(harvest(tree))
    subjects = {s.entry: s for s in both if isinstance(s, Subject)}
    return subjects, {r.name.rsplit("::", 1)[-1]: r.reason for r in both if isinstance(r, Refused)}


def test_a_real_sdist_is_harvested_executed_and_keeps_its_origin(tmp_path: Path) -> None:
    files = {
        "PKG-INFO": b"Name: demo\nVersion: 1.5\nLicense: MIT\n",
        "src/demo/__init__.py": b"from .m import double\n",
        "src/demo/m.py": b'from .x import times\n\ndef double(n):\n    """\n    >>> double(4)\n    8\n    """\n    return times(n, 2)\n',
        "src/demo/x.py": b"def times(a, b): return a * b\n",
        "tests/test_m.py": b"from demo import double\ndef test(): assert double(-3) == -6\n",
        "setup.py": b"def f(): return 1",
    }
    wheel = {name.removeprefix("src/"): data for name, data in files.items() if name.startswith("src/")}
    wheel["demo-1.5.dist-info/METADATA"] = files["PKG-INFO"]
    for path in (
        write_sdist(tmp_path / "demo-1.5.tar.gz", files),
        write_wheel(tmp_path / "demo-1.5-py3-none-any.whl", wheel),
    ):
        double, times = harvest(read_tree(path))
        assert isinstance(double, Subject)
        assert isinstance(times, Subject)
        origin = double.origin
        assert (origin.kind, origin.name, origin.line, origin.licence) == ("harvested", "demo 1.5", 3, "MIT")
        assert origin.path.endswith("demo/m.py")
        assert double.calls == (("4", "-3") if path.suffix == ".gz" else ("4",))
        trace = record_program(double.source, double.entry, double.calls[0])
        assert trace.result == "8"
    assert list(harvest(read_tree(write_folder(tmp_path / "d", files)))) == list(
        harvest(read_tree(tmp_path / "demo-1.5.tar.gz"))
    )


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ("def f(): pass", Refusal.EMPTY),
        ("def f():\n    'Doc.'\n    ...", Refusal.EMPTY),
        ("def f(): raise NotImplementedError('x')", Refusal.EMPTY),
        ("import pytest\n@pytest.fixture(scope='x')\ndef f(): return 1", Refusal.FIXTURE),
        ("from typing import overload\n@overload\ndef f(): return 1", Refusal.OVERLOAD),
        ("class A:\n    @property\n    def f(self): return 1", Refusal.PROPERTY),
        ("class A:\n    def __len__(self): return 1", Refusal.DUNDER),
        ("class A:\n    def __own(self): return 1", Refusal.PRIVATE),
        ("import abc\nclass A:\n    @abc.abstractmethod\n    def f(self): return 1", Refusal.ABSTRACT),
    ],
)
def test_what_is_nothing_to_call_is_told_apart(definition: str, reason: Refusal) -> None:
    subjects, refused = found(demo__m=definition)
    assert not subjects
    assert list(refused.values()) == [reason]
    assert reason in NOT_FUNCTIONS


def test_functions_of_all_kinds_are_found() -> None:
    module = """import sys
def plain(): return 1
async def later(): return 1
def many(): yield 1
class A:
    def method(self): return 1
    @classmethod
    def made(cls): return cls()
    class Inner:
        def not_found(self): return 1
    def gone(self): return 1
    del gone
if sys.version_info < (3,):
    def old(): return 1
else:
    def new(): return 1
try:
    import absent_package
except ImportError:
    def instead(): return 1
def twice(): return 1
def twice(): return 2
"""
    subjects, refused = found(demo__m=module)
    assert list(subjects) == ["plain", "later", "many", "A.method", "A.made", "new", "instead", "twice"]
    assert not refused
    assert subjects["twice"].origin.line == module.split("\n").index("def twice(): return 2") + 1


@pytest.mark.parametrize(
    "path",
    [
        "tests/m.py",
        "p/tests/m.py",
        "test_m.py",
        "p/m_test.py",
        "docs/m.py",
        "examples/m.py",
        "setup.py",
        "conftest.py",
        "p/__main__.py",
        "benchmarks/m.py",
        "p/_vendor/m.py",
        "third_party/m.py",
    ],
)
def test_tests_documentation_and_what_is_vendored_is_not_harvested(path: str) -> None:
    tree = SourceTree(name="demo", files={path: "def f(): return 1", "p/testing.py": "def g(): return 1"})
    assert [s.entry for s in harvest(tree) if isinstance(s, Subject)] == ["g"]


def test_what_is_refused_is_told_and_the_rest_is_kept() -> None:
    subjects, refused = found(
        demo__a="import absent_package\ndef f(): return absent_package.x\ndef g(): return 1",
        demo__b="def broken(:",
        demo__c="def h(): return 2",
    )
    assert list(subjects) == ["g", "h"]
    assert refused == {"f": Refusal.THIRD_PARTY, "demo/b.py": Refusal.SYNTAX}


def test_absurd_code_does_not_stop_the_harvest() -> None:
    deep = "x = " + "(" * 150 + "1" + ")" * 150 + "\ny = " + "-" * 3000 + "1"
    long = "def f(): return 1" + " + 1" * 5000
    subjects, _ = found(demo__a=deep + "\ndef d(): return y", demo__b=long, demo__c="def h(): return 2", demo__d="x = '\0'")
    assert "h" in subjects


def test_calls_of_doctests() -> None:
    subjects, _ = found(
        demo__m='''
WORDS = ["a"]
def f(*args, **kwargs):
    """
    >>> f(1, k=[-2, {3: (4, 5)}])
    >>> sorted(f(WORDS, range(3)))
    >>> data = {"x": 1}
    >>> f(data, lambda x: x + len(data))
    >>> data = open("file")
    >>> f(data)
    >>> f(undefined)
    >>> f(input())
    >>> f(1, k=[-2, {3: (4, 5)}])
    >>> [f(x) for x in "ab"]
    >>> f(f(2))
    >>> f(
    """
    return args, WORDS
'''
    )
    assert subjects["f"].calls == (
        "1, k=[-2, {3: (4, 5)}]",
        "WORDS, range(3)",
        "{'x': 1}, lambda x: x + len({'x': 1})",
        "f(2)",
        "2",
    )


def test_calls_of_static_methods_but_not_of_others() -> None:
    subjects, _ = found(
        demo__m="class A:\n    @staticmethod\n    def s(x): return x\n    def m(self, x): return x",
        tests__test_m="from demo.m import A\nassert A.s([1]) == 1\nA().m(1)\nA.m(A(), 1)",
    )
    assert subjects["A.s"].calls == ("[1]",)
    assert subjects["A.m"].calls == ()


def test_literals_of_all_kinds_are_arguments() -> None:
    subjects, _ = found(m="def f(*a): return a\ndef g(): return f({1}, set(), frozenset([2]), -1.5, 1 + 2j, b'x', None)")
    assert subjects["f"].calls == ("{1}, set(), frozenset([2]), -1.5, 1 + 2j, b'x', None",)


def test_calls_are_of_the_function_that_imports_say() -> None:
    tree = SourceTree(
        name="demo",
        files={
            "demo/__init__.py": "from .m import *",
            "demo/m.py": "def f(*a): return a",
            "demo/n.py": "from demo import m\nfrom .m import f as renamed\nrenamed('a')\nm.f(*[1], 2)\ndef f(x): return x\nf('another')",
            "tests/test_m.py": "import demo\nfrom demo import f\nassert f(3) == demo.f(4)\nx = 1\nf(x)\nf(open('x'))",
        },
    )
    calls = {s.origin.path: s.calls for s in harvest(tree) if isinstance(s, Subject)}
    assert calls == {"demo/m.py": ("'a'", "*[1], 2", "3", "4"), "demo/n.py": ("'another'",)}


def test_calls_are_limited_in_number_and_length() -> None:
    calls = "\n".join(f"f({i})" for i in range(50)) + f"\nf({'x' * 5000!r})"
    subjects, _ = found(m=f"def f(x): return x\n{calls}")
    assert subjects["f"].calls == tuple(str(i) for i in range(MAX_CALLS))


def test_licences_of_single_files() -> None:
    tree = SourceTree(name="demo", files={"a.py": "def f(): return 1"}, licence="MIT", licences={"a.py": "ISC"})
    assert [s.origin.licence for s in harvest(tree) if isinstance(s, Subject)] == ["ISC"]
