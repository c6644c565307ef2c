"""Slices stand alone, and give what the package gives."""

import ast
import sys
import types
from typing import Any

import pytest

from foretrace.corpus.refusals import Refusal, UnsliceableError
from foretrace.corpus.slice import MAX_CHARACTERS, Package, Slicer, SourceFile


def package(**modules: str) -> Package:
    """Modules by dotted name, written with `__` for a dot; `pkg` is a package."""
    files = {}
    for key, source in modules.items():
        name = key.replace("__", ".")
        is_package = key == "pkg" or any(other.startswith(key + "__") for other in modules)
        files[name] = SourceFile(source, name.replace(".", "/") + ("/__init__.py" if is_package else ".py"))
    return Package(files)


def sliced(entry: str = "f", module: str = "pkg.m", **modules: str) -> str:
    modules.setdefault("pkg", "")
    source = Slicer(package(**modules)).slice(module, entry)
    for node in ast.walk(ast.parse(source)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += ["." * node.level + (node.module or "")] if isinstance(node, ast.ImportFrom) else []
        assert all(name.split(".")[0] in sys.stdlib_module_names for name in names), source
    return source


def run(source: str, call: str) -> Any:
    module = types.ModuleType("__sliced__")
    sys.modules["__sliced__"] = module
    exec(compile(source, "<slice>", "exec", dont_inherit=True), module.__dict__)
    return eval(call, module.__dict__)


def refusal(entry: str = "f", module: str = "pkg.m", **modules: str) -> Refusal:
    with pytest.raises(UnsliceableError) as caught:
        sliced(entry, module, **modules)
    return caught.value.reason


def test_what_is_needed_is_taken_and_nothing_else() -> None:
    source = sliced(
        pkg__m='''"""Module docstring."""
import os, sys
import math as m
from collections import (OrderedDict, Counter as C)
UNUSED = 1
RATE = 2   # a rate
def helper(x):
    # kept
    return m.floor(x) * RATE
def other(): return os
@staticmethod
def decorated(): ...
def f(x):
    """Doc."""
    return helper(x) + sum(C([1, 1]).values())
'''
    )
    assert source == (
        "import math as m\nfrom collections import Counter as C\n\nRATE = 2   # a rate\n\n\n"
        "def helper(x):\n    # kept\n    return m.floor(x) * RATE\n\n\n"
        'def f(x):\n    """Doc."""\n    return helper(x) + sum(C([1, 1]).values())\n'
    )
    assert run(source, "f(2.5)") == 6


@pytest.mark.parametrize(
    ("imports", "use"),
    [
        ("from .x import y", "y(1)"),
        ("from pkg.x import y", "y(1)"),
        ("from pkg.x import y as z", "z(1)"),
        ("import pkg.x as m", "m.y(1)"),
        ("import pkg.x", "pkg.x.y(1)"),
        ("from . import x", "x.y(1)"),
        ("from pkg import x as other", "other.y(1)"),
        ("from .x import *", "y(1)"),
        ("from . import passed_on", "passed_on(1)"),
        ("from .sub.deep import y as w", "w(1)"),
    ],
)
def test_imports_of_the_package_are_resolved_in_place(imports: str, use: str) -> None:
    source = sliced(
        pkg="from .x import y as passed_on",
        pkg__m=f"{imports}\ndef f(): return {use}",
        pkg__x="from math import sqrt\nSTEP = 4\ndef y(n): return sqrt(STEP) + n\ndef unused(): pass",
        pkg__sub="",
        pkg__sub__deep="from ..x import y",
    )
    assert run(source, "f()") == 3.0
    assert "pkg" not in source
    assert "unused" not in source


def test_a_folder_without_init_is_a_package_too() -> None:
    files = {
        "ns.a": SourceFile("from .b import g\ndef f(): return g()", "ns/a.py"),
        "ns.b": SourceFile("def g(): return 5", "ns/b.py"),
    }
    assert run(Slicer(Package(files)).slice("ns.a", "f"), "f()") == 5


def test_imports_within_functions_are_resolved_too() -> None:
    source = sliced(
        pkg__m="def f(n):\n    from .x import y as z\n    return z(n)\ndef g(n):\n    from . import x\n    return x.y(n)\n"
        "def h(n):\n    if n:\n        from .x import y\n        return y(n)\n    return None",
        pkg__x="def y(n): return n + 1",
    )
    assert run(source, "f(1)") == 2
    slicer = Slicer(
        package(pkg="", pkg__m="def g(n):\n    from . import x\n    return x.y(n)", pkg__x="def y(n): return -n")
    )
    assert run(slicer.slice("pkg.m", "g"), "g(1)") == -1


def test_a_method_comes_with_its_class_and_the_bases_of_that() -> None:
    source = sliced(
        "Child.size",
        pkg__m="from .x import Base\nclass Child(Base):\n    scale = 2\n    def size(self): return self.scale * self.one()",
        pkg__x="import abc\nclass Base(abc.ABC):\n    def one(self): return ONE\nONE = 1",
    )
    assert run(source, "Child().size()") == 2


def test_a_variable_of_the_name_of_a_module_is_left_alone() -> None:
    source = sliced(
        "A.f",
        pkg__m="from . import words\nclass A:\n    first = words.FIRST\n    def g(self, words): return words.count(1)\n"
        "    def f(self): return self.g([1, 1]) + len(words.FIRST)",
        pkg__words="FIRST = 'abc'",
    )
    assert "words.count" in source
    assert run(source, "A().f()") == 5


def test_an_attribute_that_a_class_body_binds_by_the_same_name() -> None:
    source = sliced(
        "A.f", pkg__m="from . import x\nclass A:\n    size = x.size\n    def f(self): return self.size", pkg__x="size = 3"
    )
    assert run(source, "A().f()") == 3


def test_statements_run_in_the_order_of_imports() -> None:
    source = sliced(
        pkg="from .base import ITEMS",
        pkg__m="from .x import TABLE\ndef f(): return TABLE",
        pkg__x="from .base import ITEMS\nTABLE = list(ITEMS)",
        pkg__base="ITEMS = [1]\nITEMS.append(2)",
    )
    assert run(source, "f()") == [1, 2]


def test_a_module_is_run_after_its_parent_which_may_import_it() -> None:
    source = sliced(
        pkg="from . import late",
        pkg__m="ONE = 1\ndef f():\n    from .late import TWO\n    return TWO",
        pkg__late="from .m import ONE\nTWO = ONE + 1",
    )
    assert run(source, "f()") == 2


@pytest.mark.parametrize(
    "change",
    [
        "R['x'] = 1",
        "R.update(x=1)",
        "R |= {'x': 1}",
        "for key in 'x': R[key] = 1",
        "def add(key): R[key] = 1\nadd('x')",
        "def add(key, table=R): table[key] = 1\nadd('x')",
        "def add(g):\n    R['x'] = g()\n    return g\n@add\ndef one(): return 1",
        "if True:\n    R['x'] = 1",
        "A = {}\nfor t in (A, R): t['x'] = 1",
        "R = {'x': 0}\nR = {'x': R['x'] + 1}",
    ],
)
def test_what_changes_a_needed_object_later_is_taken(change: str) -> None:
    assert run(sliced(pkg__m=f"R = {{}}\nB = {{}}\nB['unused'] = 1\n{change}\ndef f(): return R"), "f()") == {"x": 1}
    assert "unused" not in sliced(pkg__m=f"R = {{}}\nB = {{}}\nB['unused'] = 1\n{change}\ndef f(): return R")


def test_attributes_and_registrations_of_a_function_are_taken() -> None:
    module = """from functools import singledispatch
@singledispatch
def f(x): return f.default
@f.register
def _(x: int): return 'int'
@f.register(str)
def _(x): return 'str'
f.default = 'else'
f.__doc__ = UNKNOWN if 0 else ''
"""
    source = sliced(pkg__m=module)
    assert [run(source, f"f({x})") for x in ("1", "'a'", "None")] == ["int", "str", "else"]
    assert "UNKNOWN" not in source


def test_an_importing_module_changes_an_object_of_another() -> None:
    assert run(sliced(pkg__m="from .x import R\nR.append(1)\ndef f(): return R", pkg__x="R = []"), "f()") == [1]


def test_compound_statements_of_the_standard_library_are_taken_whole() -> None:
    module = "import sys\ntry:\n    from collections.abc import Sized\nexcept ImportError:\n    Sized = object\n"
    module += "if sys.version_info >= (3,):\n    LIMIT = 5\nelse:\n    LIMIT = 6\ndef f(): return LIMIT, Sized.__name__"
    source = sliced(pkg__m=module)
    assert run(source, "f()") == (5, "Sized")
    assert "LIMIT = 6" in source


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("try:\n    import absent_package as g\nexcept ImportError:\n    g = 1", 1),
        ("try:\n    from absent_package import g\nexcept (ImportError, AttributeError):\n    g = 2", 2),
        ("try:\n    from math import gcd as g\n    g = 3\nexcept ImportError:\n    from absent_package import g", 3),
        ("try:\n    from itertools import izip as g\nexcept ImportError:\n    from .x import four as g", 4),
        ("try:\n    from ._compiled import g\nexcept ImportError:\n    from .x import four as g", 4),
        (
            "import sys\nif sys.version_info < (3,):\n    import absent_package as g\nelif True:\n    g = '''a\n  b'''",
            "a\n  b",
        ),
        ("import typing\nif typing.TYPE_CHECKING:\n    from absent_package import g\nelse:\n    g = 6", 6),
        ("g = 7\nif __name__ == '__main__':\n    import absent_package as g", 7),
    ],
)
def test_of_branches_that_import_the_one_that_runs_is_taken(statement: str, wanted: object) -> None:
    source = sliced(pkg__m=f"{statement}\ndef f(): return g", pkg__x="four = 4")
    assert run(source, "f()") == wanted
    assert "absent" not in source


def test_annotations_that_stay_text_need_nothing() -> None:
    module = "from absent_package import T\ndef f(x: T, y: 'T' = 1) -> T:\n    z: T = x\n    return z"
    source = sliced(pkg__m="from __future__ import annotations\n" + module)
    assert source.startswith("from __future__ import annotations\n")
    assert run(source, "f(3)") == 3
    assert refusal(pkg__m=module) is Refusal.THIRD_PARTY


def test_annotations_that_run_are_needed() -> None:
    source = sliced(pkg__m="from typing import List\nKey = str\ndef f(x: List[Key]): return x")
    assert "from typing import List" in source
    assert "Key = str" in source


def test_scopes_are_those_of_the_compiler() -> None:
    module = "x = 'module'\ny = 'unused'\nclass A:\n    y = 1\n    z = [x for _ in range(2)]\n"
    module += "def f(y):\n    def g():\n        global x\n        x = [y for y in x]\n    g()\n    return x, y, A.z"
    source = sliced(pkg__m=module)
    assert run(source, "f(1)") == (list("module"), 1, ["module", "module"])
    assert "unused" not in source


def test_overloads_are_left_out() -> None:
    module = "from typing import overload\n@overload\ndef f(x: int) -> int: ...\n@overload\ndef f(x: str) -> str: ...\ndef f(x): return x"
    assert sliced(pkg__m=module) == "def f(x): return x\n"


def test_several_modules_may_import_the_same_and_make_equal_variables() -> None:
    source = sliced(
        pkg__m="import re\nfrom typing import TypeVar\nfrom .x import g\nT = TypeVar('T')\ndef f(x: T) -> T: return g(x)",
        pkg__x="import re\nfrom typing import TypeVar\nT = TypeVar('T')\ndef g(x: T) -> T: return re.escape(x)",
    )
    assert source.count("T = TypeVar('T')") == 1
    assert source.count("import re\n") == 1
    assert run(source, "f('.')") == "\\."


def test_a_plain_variable_assigned_the_same_twice_keeps_its_last_value() -> None:
    assert run(sliced(pkg__m="x = 1\ny = x\nx = 2\nz = x\nx = 1\ndef f(): return x, y, z"), "f()") == (1, 1, 2)


def test_helpers_that_import_what_is_absent_fail_only_when_called() -> None:
    module = "class A:\n    def plot(self):\n        import absent_package.x as p\n        return p.show()\n"
    module += "    def safe(self):\n        try:\n            from absent_package import y\n        except ImportError:\n            y = 1\n        return y\n"
    module += "    def size(self): return 1"
    source = sliced("A.size", pkg__m=module)
    assert run(source, "A().size(), A().safe()") == (1, 1)
    with pytest.raises(ModuleNotFoundError, match="absent_package"):
        run(source, "A().plot()")
    assert refusal("A.plot", pkg__m=module) is Refusal.THIRD_PARTY


@pytest.mark.parametrize(
    ("reason", "module"),
    [
        (Refusal.THIRD_PARTY, "import absent_package\ndef f(): return absent_package.x"),
        (
            Refusal.THIRD_PARTY,
            "try:\n    import absent_package\nexcept ImportError:\n    pass\ndef f(): return absent_package.x",
        ),
        (Refusal.MISSING_MODULE, "from ._compiled import g\ndef f(): return g()"),
        (Refusal.STAR_IMPORT, "from absent_package import *\ndef f(): return g()"),
        (Refusal.STAR_IMPORT, "from .computed import *\ndef f(): return g()"),
        (Refusal.DYNAMIC, "def f(name): return globals()[name]"),
        (Refusal.DYNAMIC, "for n in 'gh': globals()[n] = n\ndef f(): return g"),
        (Refusal.DYNAMIC, "from . import lazy\ndef f(): return lazy.anything"),
        (Refusal.DYNAMIC, "def f(name): return __import__(name)"),
        (Refusal.MODULE_AS_VALUE, "from . import x\ndef f(name): return getattr(x, name)"),
        (Refusal.MODULE_AS_VALUE, "from . import x\ndef f(): x.y = 1"),
        (Refusal.CONDITIONAL, "import os\nif os.environ:\n    from .x import y\nelse:\n    y = 1\ndef f(): return y"),
        (Refusal.NAME_CONFLICT, "from .x import y\ndef _g(): return 1\ndef f(): return y() + _g()"),
        (Refusal.NAME_CONFLICT, "from .builtin import g\ndef f(): return g(), len([])"),
        (Refusal.NAME_CONFLICT, "from . import x\ndef f(y): return x.y() + y"),
        (Refusal.NAME_CONFLICT, "from .counting import n\ndef f(): return n"),
        (Refusal.OWN_FILES, "def f(): return open(__file__).read()"),
        (Refusal.NO_ENTRY, "from .x import y as f"),
        (Refusal.SYNTAX, "def f(: pass"),
        (Refusal.SYNTAX, "def f(): pass\ndef g(a, a): pass"),
        (Refusal.TOO_LARGE, f"DATA = {'x' * MAX_CHARACTERS!r}\ndef f(): return DATA"),
    ],
)
def test_what_cannot_stand_alone_is_refused_with_its_reason(reason: Refusal, module: str) -> None:
    found = refusal(
        pkg__m=module,
        pkg__x="def y(): return _g()\ndef _g(): return 2",
        pkg__computed="__all__ = [n for n in dir()]\ndef g(): pass",
        pkg__lazy="def __getattr__(name): return name",
        pkg__builtin="def len(x): return 0\ndef g(): return len([1])",
        pkg__counting="n = 0\ndef count():\n    global n\n    n += 1",
    )
    assert found is reason


@pytest.mark.parametrize(
    "text", ['f"{x.y()}"', 'f"""\n é {x.y()!r:>{x.y()}}"""', 'f"{{}}{[x.y() for _ in [1]]}"', '"a" f"{ x.y() }"']
)
def test_uses_in_formatted_strings_are_rewritten(text: str) -> None:
    source = sliced(pkg__m=f"from . import x\ndef f():\n    return {text}", pkg__x="def y(): return 1")
    assert run(source, "f()") == eval(text, {"x": types.SimpleNamespace(y=lambda: 1)})


def test_a_use_that_cannot_be_rewritten_is_refused() -> None:
    module = "from . import x\ndef f():\n    return (x.  # a comment\n        y)()"
    assert refusal(pkg__m=module, pkg__x="def y(): return 1") is Refusal.UNWRITABLE


def test_one_module_that_does_not_parse_harms_only_what_needs_it() -> None:
    files = {"pkg": "", "pkg__m": "from .bad import g\ndef f(): return 1\ndef h(): return g()", "pkg__bad": "def g(:"}
    assert run(sliced(**files), "f()") == 1
    assert refusal("h", **files) is Refusal.SYNTAX


def test_line_ends_encodings_and_semicolons() -> None:
    source = sliced(pkg__m="a = 1; b = 'é'; c = 3\r\ndef f():\r\n    return 'ü' + b  # ß\r\n")
    assert source == "b = 'é'\n\n\ndef f():\n    return 'ü' + b  # ß\n"


def test_the_same_input_gives_the_same_slice() -> None:
    modules = {
        "pkg": "",
        "pkg__m": "import os, re, sys\nA, B = 1, 2\nC = {}\nC[A] = B\ndef f(): return os, re, sys, A, B, C",
    }
    assert len({Slicer(package(**modules)).slice("pkg.m", "f") for _ in range(3)}) == 1
