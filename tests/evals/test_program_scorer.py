"""The program scorer: right code passes, everything else is told as what it is, and nothing expected reaches the code."""

from collections.abc import Iterator

import pytest

from foretrace.errors import RefusedError
from foretrace.evals.scorers import rules
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.types import Reason, Setting, Verdict
from foretrace.sandbox import SandboxLimits, Status, backends

SQUARE = "def f(n):\n    return n * n\n"
CALLS, EXPECTED = ["f(3)", "f(5)"], [9, 25]
QUICK = SandboxLimits(seconds=1, cpu_seconds=1, memory_mb=400, file_mb=4)
USABLE = [name for name, obstacle in backends().items() if not obstacle]


@pytest.fixture(scope="module", params=list(backends()))
def scorer(request: pytest.FixtureRequest) -> Iterator[ProgramScorer]:
    if request.param not in USABLE:
        pytest.skip(backends()[request.param])
    with ProgramScorer(Setting(isolation=request.param)) as scorer:
        yield scorer


def outcome(verdict: Verdict) -> tuple[bool, bool, Reason]:
    return verdict.strict, verdict.official, verdict.reason


PASSED = (True, True, Reason.RIGHT)
CANDIDATE = {"candidate": "f"}


def test_isolation_that_is_not_there_is_refused() -> None:
    with pytest.raises(RefusedError, match="there are only"):
        ProgramScorer(Setting(isolation="hope"))


def test_without_its_program_bubblewrap_is_refused_and_the_weaker_way_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RefusedError, match="--weak-isolation"):
        ProgramScorer(Setting())


# ---- calls ----------------------------------------------------------------------------------------


def test_right_code_passes(scorer: ProgramScorer) -> None:
    assert outcome(scorer.score_calls(SQUARE, CALLS, EXPECTED)) == PASSED


@pytest.mark.parametrize(("source", "reason", "told"), [
    ("def f(n):\n    return n + n", Reason.WRONG, "f(3) gives 6, not 9"),
    ("def f(n):\n    return str(n * n)", Reason.WRONG, "'9', not 9"),
    ("def f(n):\n    return n * n if n == 3 else n / 0", Reason.ERROR, "call 2 of 2, f(5): ZeroDivisionError"),
    ("def f(n):\n    return (n * n for _ in '1')", Reason.ERROR, "generator cannot be carried"),
    ("def g(n):\n    return n * n", Reason.ERROR, "NameError"),
    ("def f(n) return", Reason.ERROR, "SyntaxError"),
    ("1 / 0", Reason.ERROR, "ZeroDivisionError"),
    ("raise SystemExit(0)", Reason.ERROR, "SystemExit"),
    ("import os\nos._exit(0)", Reason.ERROR, "ended its process"),
    ("def f(n):\n    import os\n    return n * n if n == 3 else os._exit(0)", Reason.ERROR, "ended its process"),
    ("import os\ndef f(n):\n    os.kill(os.getpid(), 11)", Reason.KILLED, "crashed"),
    ("def f(n):\n    return ['a' * 10**8 for _ in range(20)]", Reason.KILLED, "MemoryError"),
    ("def f(n):\n    while True: pass", Reason.TIMEOUT, "too long"),
    ("def f(n):\n    return '\\0' * 10**8", Reason.KILLED, ""),
    ("", Reason.ERROR, "NameError"),
])  # fmt: skip
def test_other_code_is_told_as_what_it_is(scorer: ProgramScorer, source: str, reason: Reason, told: str) -> None:
    verdict = scorer.score_calls(source, CALLS, EXPECTED, limits=QUICK)
    assert (verdict.strict, verdict.official) == (False, False)
    assert verdict.reason in (reason, Reason.TIMEOUT if reason is Reason.KILLED else reason)  # on a busy machine
    if verdict.reason is reason:
        assert told in verdict.detail


@pytest.mark.parametrize("source", [
    "def f(n):\n    return float(n * n)",
    "class I(int): pass\ndef f(n):\n    return I(n * n)",
    "from enum import IntEnum\nE = IntEnum('E', {'a': 9, 'b': 25})\ndef f(n):\n    return E(n * n)",
])  # fmt: skip
def test_equal_values_of_other_types_pass_officially_only(scorer: ProgramScorer, source: str) -> None:
    assert outcome(scorer.score_calls(source, CALLS, EXPECTED)) == (False, True, Reason.WRONG)


def test_a_rule_of_the_benchmark_takes_the_place_of_equality(scorer: ProgramScorer) -> None:
    source = "def f(n):\n    return n * n + 1e-9"
    near = scorer.score_calls(source, CALLS, EXPECTED, same=lambda expected, value: (False, abs(value - expected) < 1e-6))
    assert outcome(near) == (False, True, Reason.WRONG)


def test_setup_makes_arguments_that_no_text_can_carry(scorer: ProgramScorer) -> None:
    source = "def f(node):\n    return [node.value, *(f(node.next) if node.next else [])]"
    setup = "class Node:\n    def __init__(self, value, next=None):\n        self.value, self.next = value, next"
    assert outcome(scorer.score_calls(source, ["f(Node(1, Node(2)))"], [[1, 2]], setup=setup)) == PASSED


def test_no_test_is_no_pass(scorer: ProgramScorer) -> None:
    assert outcome(scorer.score_calls(SQUARE, [], [])) == (False, False, Reason.BROKEN)
    assert outcome(scorer.score_stdin("", [])) == (False, False, Reason.BROKEN)


def test_more_values_than_were_asked_for_are_no_values(scorer: ProgramScorer) -> None:
    source = "import os\nos.write(200, b'vnull\\nv9\\nv25\\n')\n" + SQUARE
    assert not scorer.score_calls(source, CALLS, EXPECTED).official
    source = "import os\nos.write(200, b'vnull\\nv9\\nv25')\nos._exit(0)"
    assert not scorer.score_calls(source, CALLS, EXPECTED).official


@pytest.mark.parametrize(
    "reply",
    [
        "e",
        "e[]",
        'e[[], {"i": "0x%s"}]' % ("f" * 9000),
        'e[["ValueError", 3], "x"]',
        "v",
        "vx",
        "x9",
        "v" + "[" * 500 + "]" * 500,
        "e3",
    ],
)
def test_a_reply_that_is_none_is_an_error_and_not_the_harness_that_failed(scorer: ProgramScorer, reply: str) -> None:
    source = f"import os\nos.write(200, b'vnull\\n' + {reply.encode()!r} + b'\\n')\nos._exit(0)"
    for same in (rules.same, rules.same_with_tuples):
        verdict = scorer.score_calls(source, ["f(3)"], [9], same=same)
        assert outcome(verdict) == (False, False, Reason.ERROR)
    source = f"import os\nos.write(202, {reply.encode()!r} + b'\\n')\ndef f(n): return 9"
    test = "try: found = candidate(3)\nexcept BaseException: found = 9\nassert found == 9"
    assert outcome(scorer.score_asserts(source, test, proxies=CANDIDATE)) == (False, False, Reason.ERROR)


def test_a_rule_that_cannot_be_applied_says_no(scorer: ProgramScorer) -> None:
    for source in ("def f(n): return 'text'", "def f(n): return 10 ** 5000"):
        verdict = scorer.score_calls(source, ["f(3)"], [9.5], same=lambda a, b: (True, abs(float(b) - a) < 1))
        assert outcome(verdict) == (False, False, Reason.WRONG)


def test_what_passes_now_and_then_is_flaky(scorer: ProgramScorer) -> None:
    source = "import os\ndef f(n):\n    return os.urandom(1)[0] % 2"  # a try is flaky with 1/4: of 60 one is, but for 3e-8
    verdicts = [scorer.score_calls(source, ["f(0)"], [0]) for _ in range(60)]
    assert Reason.FLAKY in {verdict.reason for verdict in verdicts}
    assert not any(verdict.official for verdict in verdicts if verdict.reason is Reason.FLAKY)


def test_code_sees_inputs_and_nothing_expected(scorer: ProgramScorer) -> None:
    source = (
        "import gc, sys\n"
        "def f(n):\n"
        "    seen, frame = [repr(o) for o in gc.get_objects() if type(o) in (dict, list, tuple)], sys._getframe()\n"
        "    while frame: seen.append(repr(frame.f_locals)); frame = frame.f_back\n"
        "    return sum('-'.join(['secret', 'answer']) in text for text in seen)\n"
    )
    found = scorer.call(source, ["f('input')"])
    assert found.calls[0].value == 0
    assert not scorer.score_calls(source, ["f('input')"], ["secret-answer"]).official
    assert scorer.score_calls(source, ["f('input')"], [0]).official


def test_values_of_trusted_code_are_had_the_same_way(scorer: ProgramScorer) -> None:
    found = scorer.call("def f(n):\n    return {n: (n, 10 ** 5000)}", ["f(1)", "f(1 / 0)", "float('inf')"])
    assert found.status is Status.DONE
    assert found.calls[0].value == {1: (1, 10**5000)}
    assert found.calls[1].error.startswith("ZeroDivisionError")
    assert found.calls[2].value == float("inf")


def test_seconds_of_the_user_take_the_place_of_the_limit() -> None:
    with ProgramScorer(Setting(isolation=USABLE[0], seconds=0.5)) as scorer:
        verdict = scorer.score_calls("import time\ntime.sleep(30)", CALLS, EXPECTED)
    assert verdict.reason is Reason.TIMEOUT


# ---- programs -------------------------------------------------------------------------------------

TESTS = [("3\n", "9\n"), ("5\n", "25\n")]


@pytest.mark.parametrize("source", [
    "print(int(input()) ** 2)",
    "import sys\nn = int(sys.stdin.buffer.readline())\nsys.stdout.buffer.write(b'%d' % (n * n))",
    "import os\nn = int(os.read(0, 100))\nos.write(1, str(n * n).encode())\nos._exit(0)",
    "n = int(open(0).read())\nif __name__ == '__main__':\n    print(n * n, end='\\r\\n')\n    raise SystemExit",
    "import sys, threading\nthreading.stack_size(64 << 20)\nt = threading.Thread(target=lambda: print(int(input()) ** 2))\nt.start()",
])  # fmt: skip
def test_programs_have_real_streams(scorer: ProgramScorer, source: str) -> None:
    assert outcome(scorer.score_stdin(source, TESTS)) == PASSED


@pytest.mark.parametrize(("source", "expected"), [
    ("print(int(input()) * 2)", (False, False, Reason.WRONG)),
    ("print(float(input()) ** 2)", (False, True, Reason.WRONG)),
    ("n = int(input())\nprint(n * n)\nn / 0", (False, False, Reason.ERROR)),
    ("n = int(input())\nprint(n * n)\nexit(1)", (False, False, Reason.ERROR)),
    ("input()\ninput()", (False, False, Reason.ERROR)),
    ("while True: pass", (False, False, Reason.TIMEOUT)),
    ("", (False, False, Reason.WRONG)),
])  # fmt: skip
def test_other_programs_are_told_as_what_they_are(
    scorer: ProgramScorer, source: str, expected: tuple[bool, bool, Reason]
) -> None:
    assert outcome(scorer.score_stdin(source, TESTS, limits=QUICK)) == expected


def test_more_is_printed_than_fits_a_pipe(scorer: ProgramScorer) -> None:
    numbers = "\n".join(map(str, range(300_000)))
    assert outcome(scorer.score_stdin("print(*range(int(input())), sep='\\n')", [("300000", numbers)])) == PASSED


# ---- assertions -----------------------------------------------------------------------------------


def asserted(scorer: ProgramScorer, source: str, test: str, **options: object) -> tuple[bool, bool, Reason]:
    return outcome(scorer.score_asserts(source, test, **{"proxies": CANDIDATE, "limits": QUICK} | options))  # type: ignore[arg-type]


def test_a_test_of_any_form_can_be_run(scorer: ProgramScorer) -> None:
    test = "def check(candidate):\n    for n in range(50):\n        assert candidate(n) == n ** 2\n    assert all(candidate(n=n) >= 0 for n in [1])\n"
    assert asserted(scorer, SQUARE, f"{test}check(candidate)") == PASSED


def test_helpers_of_the_context_are_the_trusted_ones(scorer: ProgramScorer) -> None:
    context = "def encode(text):\n    return text[::-1]\n"
    test = "assert candidate(encode('abc')) == 'abc'"
    assert asserted(scorer, context + "def f(text):\n    return encode(text)", test, context=context) == PASSED
    forged = "def encode(text):\n    return text\ndef f(text):\n    return text"
    assert not asserted(scorer, forged, test, context=context)[1]


def test_methods_of_a_class_can_be_called_and_objects_not_compared(scorer: ProgramScorer) -> None:
    source = "class Solution:\n    def __init__(self): self.count = 0\n    def add(self, n):\n        self.count += n\n        return self.count\n    def __eq__(self, other): return True"
    proxies = {"Solution": "Solution"}
    assert asserted(scorer, source, "s = Solution()\ns.add(1)\nassert s.add(n=2) == 3", proxies=proxies) == PASSED
    for test in (
        "assert Solution() == 3",
        "assert 3 == Solution()",
        "assert Solution()",
        "assert Solution() in [3]",
        "assert not Solution()",
    ):
        assert not asserted(scorer, source, test, proxies=proxies)[1], test


@pytest.mark.parametrize(("source", "test", "expected"), [
    ("def f(n): return n + n", "assert candidate(3) == 9", (False, False, Reason.WRONG)),
    ("def f(n): return float(n * n)", "assert candidate(3) == 9", (False, True, Reason.WRONG)),
    ("def f(n): return [n]", "assert candidate(3) == (3,)", (False, False, Reason.WRONG)),
    ("def f(n): raise KeyError(n)", "assert candidate(3) == 9", (False, False, Reason.ERROR)),
    ("def f(n): raise KeyError(n)", "try: candidate(3)\nexcept KeyError: found = 1\nassert found", PASSED),
    ("def f(n): raise StopIteration", "assert list(map(candidate, [3])) == []", (False, False, Reason.ERROR)),
    ("def f(n): return object()", "try: candidate(3)\nexcept Exception: pass\nassert True", (False, False, Reason.ERROR)),
    ("import os\ndef f(n): os._exit(0)", "try: candidate(3)\nexcept: pass\nassert True", (False, False, Reason.ERROR)),
    ("import os\nos._exit(0)", "assert candidate(3) == 9", (False, False, Reason.ERROR)),
    ("1 / 0", "assert candidate(3) == 9", (False, False, Reason.ERROR)),
    ("def f(n):\n    while True: pass", "assert candidate(3) == 9", (False, False, Reason.TIMEOUT)),
    ("def f(n): return n", "assert True", (False, False, Reason.BROKEN)),
    ("def f(n): return n", "candidate(3)", (False, False, Reason.BROKEN)),
    ("def f(g): return g(3)", "assert candidate(lambda n: n) == 3", (False, False, Reason.BROKEN)),
    ("class f:\n    def __init__(self, n): pass", "assert candidate([candidate(1)])", (False, False, Reason.ERROR)),
    ("import os\nos.write(202, b'v9\\n' * 3)\ndef f(n): return 0", "assert candidate(3) == 9\nassert candidate(5) == 25", (False, False, Reason.WRONG)),
    ("import os\nos.write(202, b'x' * 100)\ndef f(n): return 9", "assert candidate(3) == 9", (False, False, Reason.ERROR)),
    ("import os\nos.close(202)\ndef f(n): return 9", "assert candidate(3) == 9", (False, False, Reason.ERROR)),
])  # fmt: skip
def test_what_a_test_meets_is_told(
    scorer: ProgramScorer, source: str, test: str, expected: tuple[bool, bool, Reason]
) -> None:
    assert asserted(scorer, source, test) == expected


def test_types_need_not_count_where_the_gold_answer_has_others(scorer: ProgramScorer) -> None:
    assert asserted(scorer, "def f(n): return float(n)", "assert candidate(3) == 3", is_exact=False) == PASSED
