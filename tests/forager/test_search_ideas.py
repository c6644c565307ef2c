"""Each idea of a repair finds what it is there for."""

from collections.abc import Iterable, Iterator

import pytest

from foretrace.forager.edits import apply_edit, read_edit, write_edit
from foretrace.forager.repair.bodies import bodies
from foretrace.forager.repair.candidate import Candidate, edits
from foretrace.forager.repair.code import Code, Function
from foretrace.forager.repair.evidence import Watched
from foretrace.forager.repair.exchanges import arguments, variables
from foretrace.forager.repair.fragments import Quarry
from foretrace.forager.repair.imports import guarded_imports, imports, wanted_imports
from foretrace.forager.repair.names import loose_names, scope_of
from foretrace.forager.repair.operators import negations, operators
from foretrace.forager.repair.parameters import parameters, wanted_parameters
from foretrace.forager.repair.points import points_of
from foretrace.forager.repair.returns import returns
from foretrace.forager.repair.statements import statements
from foretrace.trace.syntax import parse

NOTHING = Watched(frozenset(), {})


def function_of(source: str, name: str = "f") -> Function:
    found = Code("a.py", source).function(name)
    assert found is not None
    return found


def afters(found: Iterable[Candidate]) -> Iterator[str]:
    """What is written instead, each of which must be Python."""
    for candidate in sorted(found, key=lambda each: each.cost):
        parse(candidate.after)
        yield candidate.after


def rank(found: Iterable[Candidate], wanted: str) -> int:
    several = list(afters(found))
    assert wanted in several, several[:20]
    return several.index(wanted)


# -- slips -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("return a - b", "return a + b"),
        ("return (a)  // # why not -\\\n  (b)", "return (a)  / # why not -\\\n  (b)"),
        ("a -= b", "a += b"),
        ("return a < b <= 3", "return a < b < 3"),
        ("return a not in b", "return a in b"),
        ("return a is not  b", "return a is  b"),
        ("return a and (b or 1)", "return a and (b and 1)"),
        ("return 'ä' * a - b", "return 'ä' * a + b"),
    ],
)
def test_operators_are_replaced_where_they_stand(wrong: str, right: str) -> None:
    source = f"def f(a, b):\n    {wrong}\n"
    if "#" in wrong:
        source = source.replace("(a)  // # why not -\\\n  (b)", "((a)  // # why not -\n  (b))")
        right = right.replace("(a)  / # why not -\\\n  (b)", "((a)  / # why not -\n  (b))")
    assert rank(operators(function_of(source)), f"def f(a, b):\n    {right}\n") < 12


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("if a or b: pass", "if not (a or b): pass"),
        ("return a", "return not a"),
        ("return b[1:]", "return b[-1:]"),
        ("x = [c for c in b if a]", "x = [c for c in b if not a]"),
        ("while a and b: pass", "while a and not b: pass"),
    ],
)
def test_signs_are_put_back(wrong: str, right: str) -> None:
    assert rank(negations(function_of(f"def f(a, b):\n    {wrong}\n")), f"def f(a, b):\n    {right}\n") < 8


def test_arguments_and_variables_change_places() -> None:
    call = function_of("def f(a, b):\n    return g(a, h(b, 1), *b)\n")
    assert rank(arguments(call), "def f(a, b):\n    return g(h(b, 1), a, *b)\n") < 2
    swapped = function_of("def f(a, b):\n    return [a for _ in b], b\n")
    assert rank(variables(swapped), "def f(a, b):\n    return [b for _ in a], a\n") < 3
    lost = function_of("def f(node):\n    node = []\n    for n in values.all:\n        node.append(n)\n")
    right = "def f(node):\n    values = []\n    for n in node.all:\n        values.append(n)\n"
    assert rank(variables(lost), right) < 4  # the other one is bound nowhere any more


# -- what is missing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "right"),
    [
        ("def f(a):", "def f(a, strict=False):"),
        ("def f(a, b=1, **more):", "def f(a, b=1, strict=False, **more):"),
        ("def f(*, a):", "def f(*, strict=False, a):"),
        ("def f():", "def f(strict):"),
    ],
)
def test_parameters_are_put_back(definition: str, right: str) -> None:
    function = function_of(f"{definition}\n    if strict:\n        return 1\n")
    names = wanted_parameters(function, [], [function.code])
    assert names == ["strict"]
    assert rank(parameters(function, names, [function.code]), f"{right}\n    if strict:\n        return 1\n") < 12


def test_callers_tell_which_parameter_is_missing() -> None:
    function = function_of("class A:\n    def f(self, a): pass\nclass B:\n    def f(self, a, deep=2): pass\n", "A.f")
    told = ["TypeError: A.f() got an unexpected keyword argument 'deep'"]
    assert wanted_parameters(function, told, [function.code]) == ["deep"]
    counted = ["TypeError: f() takes 2 positional arguments but 3 were given"]
    assert wanted_parameters(function, counted, [function.code])[0] == "deep"
    found = list(afters(parameters(function, ["deep"], [function.code])))
    assert "def f(self, a, deep=2): pass" in found[0].split("\n")[1]  # the default of its namesake


def test_imports_come_from_where_others_have_them() -> None:
    code = Code("pkg/a.py", '"""Doc."""\nimport re\nfrom .b import first\n\n\ndef f():\n    return json, second, re, Path\n')
    other = Code("pkg/b.py", "def first(): pass\n\n\ndef second(): pass\n")
    tree = {"pkg/a.py": code, "pkg/b.py": other}
    assert list(loose_names(code)) == ["json", "second", "Path"]
    assert next(afters(imports(code, ["json"], tree))) == code.source.replace("import re\n", "import json\nimport re\n")
    assert next(afters(imports(code, ["second"], tree))) == code.source.replace("import first", "import first, second")
    assert "from pathlib import Path" in next(afters(imports(code, ["Path"], tree)))


def test_imports_that_others_miss_are_put_where_they_look() -> None:
    package = Code("src/pkg/__init__.py", "from .b import first\n")
    tree = {package.path: package, "src/pkg/b.py": Code("src/pkg/b.py", "first = second = 1\n")}
    told = ["ImportError: cannot import name 'second' from 'pkg' (/testbed/src/pkg/__init__.py)"]
    assert wanted_imports(told, tree) == {package.path: ["second"]}
    assert next(afters(imports(package, ["second"], tree))) == "from .b import first, second\n"


def test_a_try_that_tries_nothing_gets_its_import_back() -> None:
    code = Code("a.py", "try:\n    pass\nexcept ImportError:\n    json = None\n")
    assert next(afters(guarded_imports(code, {"a.py": code}))) == code.source.replace("pass", "import json")


def test_a_return_is_put_back_where_calls_fell_off() -> None:
    source = "def f(a):\n    if a:\n        found = g(a)\n    else:\n        return None\n\n\ndef g(a):\n    return [a]\n"
    function = function_of(source)
    watched = Watched(
        frozenset({"t"}), {"t": {"a.py": frozenset({1, 2, 3})}}, (("t", "a.py", 1, 3, "NoneType", {"found": "list"}),)
    )
    right = source.replace("g(a)\n    else", "g(a)\n        return found\n    else")
    assert rank(returns(function, Quarry([function.code]), watched), right) < 3


def test_a_pass_is_where_a_return_was() -> None:
    source = "class A:\n    def f(self, x):\n        if x is self:\n            pass\n        return 1\n"
    function = function_of(source, "A.f")
    assert rank(returns(function, Quarry([function.code]), NOTHING), source.replace("pass", "return self")) < 12


def test_a_method_may_give_what_that_of_its_base_gives() -> None:
    source = "class A(dict):\n    def f(self, key, other=1):\n        if key in self:\n            log(key)\n        return other\n"
    function = function_of(source, "A.f")
    right = source.replace("log(key)", "log(key)\n            return dict.f(self, key)")
    assert rank(returns(function, Quarry([function.code]), NOTHING), right) < 40


def test_what_binds_a_lost_name_is_found_in_other_functions() -> None:
    source = "def g(text):\n    parts = text.split(',')\n    return parts\n\n\ndef f(line):\n    return len(parts)\n"
    function = function_of(source)
    assert scope_of(function).undefined == ("parts",)
    right = source.replace("    return len", "    parts = line.split(',')\n    return len")
    assert rank(statements(function, Quarry([function.code]), NOTHING, []), right) < 5


def test_an_error_that_is_not_raised_is_raised() -> None:
    function = function_of("def f(a):\n    return 1\n")
    told = ["Failed: DID NOT RAISE <class 'ValueError'>"]
    right = "def f(a):\n    if not a:\n        raise ValueError()\n    return 1\n"
    assert rank(statements(function, Quarry([function.code]), NOTHING, told), right) < 6


def test_bodies_are_those_of_twins() -> None:
    source = 'def take_first(n, xs):\n    """Doc."""\n    return first(n, xs)\n\n\ndef take_last(n, xs):\n    """Doc."""\n    pass\n'
    function = function_of(source, "take_last")
    assert rank(bodies(function, Quarry([function.code])), source.replace("pass", "return last(n, xs)")) < 8


def test_a_constructor_keeps_what_it_is_given() -> None:
    source = "class A:\n    def __init__(self, x, y):\n        pass\n\n    def sum(self):\n        return self.x + self._y\n"
    function = function_of(source, "A.__init__")
    right = source.replace("pass", "self.x = x\n        self._y = y")
    assert rank(bodies(function, Quarry([function.code])), right) == 0


# -- text ------------------------------------------------------------------------------------------------


def test_points_are_where_statements_may_stand() -> None:
    function = function_of('def f(a):\n    """Doc."""\n    for x in a:\n        y = x\n    if a: return 1')
    last = [p for p in points_of(function) if p.is_last and p.owner is function.node]
    loop = [p for p in points_of(function) if p.loop]
    assert [p.line for p in loop] == [4, 5]
    assert Candidate(function.code, last[0].insert("z = 1"), "", "", 0).after.endswith("return 1\n    z = 1\n")


def test_a_segment_is_the_function_alone() -> None:
    code = Code("a.py", "import x\n\n\nclass A:\n    @x.y\n    def f(self):\n        return 1\n\n    z = 2\n")
    function = code.function("A.f")
    assert function is not None
    [candidate] = [c for c in negations(function) if "-1" in c.what]
    first, before, after = candidate.segment or (0, "", "")
    assert first == 4
    assert before == "class A:\n    @x.y\n    def f(self):\n        return 1\n"
    assert after == before.replace("1", "-1")


def test_edits_make_the_change_and_search_for_one_place() -> None:
    before = "def f():\n    return 1\n\n\ndef g():\n    return 1\n\n\ndef h():\n    return 2\n"
    after = before.replace("g():\n    return 1", "g():\n    x = 3\n    return x").replace("return 2", "return 4")
    now = before.encode()
    for search, replacement in edits(before, after):
        now, _ = apply_edit(now, read_edit(write_edit("a.py", search, replacement))[1])
    assert now.decode() == after


def test_lines_end_at_line_feeds_only() -> None:
    before = "\x0c\nx = 'a\u2028b'\n\n\ndef f(a, b):\n    return a - b  # \x85\n"
    [function] = Code("a.py", before).functions
    assert function.code.text(function.node.body[0]) == "return a - b"
    after, content = before.replace("a - b", "a + b").replace("a\u2028b", "c\u2028b"), before.encode()
    for search, replacement in edits(before, after):
        content, _ = apply_edit(content, read_edit(write_edit("a.py", search, replacement))[1])
    assert content.decode() == after
