"""Runs a folder of attacks on scorers through the sandbox: what escapes, what hangs it, what forges a result.

    python bench/sandbox/attacks.py FOLDER [--backend process|bubblewrap|all] [--only A10 G]

Hostile code gets inputs and gives values back, as literals; what is expected stays in this process, which compares exactly.
Answers in text are parsed here and never executed, but every submission that is code is executed in the sandbox all the same,
to see it contained. Where code and its tests must share a process, the verdict is called weak: such code can lie about itself.
Whatever a case asks for, all are watched for files on the host, processes, the environment, and time.
Exit code 1: something escaped, hung, ended the sandbox or was passed though it is wrong.
"""

import argparse
import ast
import inspect
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from foretrace.sandbox import Result, Sandbox, SandboxLimits, Status, backends
from foretrace.sandbox.confine import adopt_orphans

LIMITS = SandboxLimits(seconds=5, cpu_seconds=5, memory_mb=1024, file_mb=64)
PATCH_LIMITS = SandboxLimits(seconds=20, cpu_seconds=20, memory_mb=1024, file_mb=64)
SLACK_SECONDS = 6.0
"""That a job may take beyond its limit: the end of its processes, the removal of its folder."""
DELAYED_SECONDS = 5.0
"""After all cases, before looking once more for what a process left running would have written."""
CHARACTERS = 1 << 16
"""Of a literal."""
DANGERS = ("ESCAPE", "HANG", "ENDED", "FORGED")
CONFIGURES_TESTS = {"conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "sitecustomize.py", "pytest.py"}
NO_LITERAL = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)
Call = tuple[list[Any], dict[str, Any]]


@dataclass
class Run:
    """One case in one sandbox."""

    case: dict[str, Any]
    sandbox: Sandbox
    passed: bool | None = None
    note: str = ""
    results: list[Result] = field(default_factory=list)
    allowed: float = SLACK_SECONDS

    def program(self, source: str, stdin: str = "", limits: SandboxLimits = LIMITS) -> Result:
        """Runs a whole program as a job of its own."""
        self.allowed += limits.seconds + SLACK_SECONDS
        result = self.sandbox.run("foretrace.sandbox.script:run", source.encode("utf-8", "surrogatepass"), limits, stdin)
        self.results.append(result)
        return result


# ---- values ---------------------------------------------------------------------------------------


def literal(text: str) -> Any:
    """A value from untrusted text. One of `NO_LITERAL` says that it is none."""
    if len(text) > CHARACTERS:
        raise ValueError("too long")
    return ast.literal_eval(text.strip())


def exact(value: Any) -> Any:
    """What is equal for equal values of equal types only; NaN equals nothing. `value` came from a literal or from JSON."""
    kind = type(value)
    if kind in (list, tuple):
        return kind, tuple(exact(item) for item in value)
    if kind in (set, dict):
        return kind, frozenset(exact(item) for item in (value.items() if kind is dict else value))
    return kind, object() if kind is float and value != value else value


def child(source: str, name: str, calls: list) -> None:  # type: ignore[type-arg]
    """In the sandbox: calls a function of `source`, writes the values as a list of literals; knows of nothing expected."""
    import os
    import sys
    import types

    from foretrace.sandbox.server import OUTPUT

    kind_of, write, text_of = type, os.write, repr  # bound before hostile code runs
    plain = frozenset((type(None), bool, int, float, str, bytes))

    def check(value: object, depth: int = 0) -> None:
        kind = kind_of(value)
        if kind not in plain:
            if kind not in (list, tuple, set, dict) or depth > 50:
                raise TypeError("no plain value")
            for item in value.items() if kind is dict else value:
                check(item, depth + 1)

    module = sys.modules["submission"] = types.ModuleType("submission")
    exec(compile(source, "<submission>", "exec", dont_inherit=True), module.__dict__)
    owner = module.__dict__.get("Solution")
    function = getattr(owner(), name) if owner is not None else module.__dict__[name]
    texts = []
    for arguments, keywords in calls:
        value = function(*arguments, **keywords)
        check(value)
        texts.append(text_of(value))
    write(OUTPUT, ("[" + ",".join(texts) + "]").encode())


def values_are(run: Run, source: str, name: str, calls: list[Call], expected: list[Any]) -> bool:
    """Whether the function gives what is expected, each value exactly."""
    result = run.program(f"{inspect.getsource(child)}\nchild({source!r}, {name!r}, {calls!r})")
    try:
        values = literal(result.output[: CHARACTERS + 1].decode())
        return result.status is Status.DONE and bool(expected) and bool(exact(values) == exact(expected))
    except NO_LITERAL:
        return False


# ---- families -------------------------------------------------------------------------------------


def judge_call(run: Run) -> None:
    task = run.case["task"]
    calls: list[Call] = [([json.loads(line) for line in test["input"].splitlines()], {}) for test in task["tests"]]
    expected = [json.loads(test["output"]) for test in task["tests"]]
    run.passed = values_are(run, run.case["submission"], task["fn_name"], calls, expected)


def judge_stdin(run: Run) -> None:
    run.passed = bool(run.case["task"]["tests"])
    for test in run.case["task"]["tests"]:
        result = run.program(run.case["submission"], test["input"])
        lines, wanted = ([line.rstrip() for line in text.strip().splitlines()] for text in (said(result), test["output"]))
        run.passed = run.passed and result.status is Status.DONE and lines == wanted


def judge_assert_program(run: Run) -> None:
    task = run.case["task"]
    source, name = task["prompt"] + run.case["submission"], task["entry_point"]
    try:
        (check,) = ast.parse(task["test"]).body
        if not isinstance(check, ast.FunctionDef) or check.name != "check":
            raise ValueError("no check")
        pairs = [equality(statement, check.args.args[0].arg) for statement in check.body]
    except (*NO_LITERAL, IndexError):
        run.note = "weak: its test is no list of equalities, so code and test share a process"
        run.passed = run.program(f"{source}\n{task['test']}\ncheck({name})\n").status is Status.DONE
    else:
        run.passed = values_are(run, source, name, [call for call, _ in pairs], [value for _, value in pairs])


def equality(statement: ast.stmt, name: str) -> tuple[Call, Any]:
    """Of `assert name(literals) == literal`: the call and the value."""
    match statement:
        case ast.Assert(test=ast.Compare(left=call, ops=[ast.Eq()], comparators=[value])):
            return call_of(call, name), ast.literal_eval(value)
    raise ValueError("no equality")


def call_of(node: ast.AST, name: str) -> Call:
    """The arguments of a call of `name`, which must be literals."""
    match node:
        case ast.Call(func=ast.Name(id=called)) if called == name and all(keyword.arg for keyword in node.keywords):
            keywords = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
            return [ast.literal_eval(argument) for argument in node.args], keywords
    raise ValueError("no call")


def answer(submission: str) -> ast.stmt:
    """The one statement of an answer: the first that is tagged, or all of it."""
    text = submission.split("[ANSWER]")[1].split("[/ANSWER]")[0] if "[ANSWER]" in submission else submission
    if len(text) > CHARACTERS:
        raise ValueError("too long")
    (statement,) = ast.parse(text.strip()).body
    return statement


def judge_text(run: Run) -> None:
    """An output, or an input, told in text: parsed here. It is executed too, but only to see it contained."""
    task, is_input = run.case["task"], run.case["family"] == "crux_input"
    name = task.get("function_name", "f")
    run.program(f"{task.get('code', f'def {name}(*_): pass')}\n{run.case['submission']}")
    run.passed = False
    try:
        statement = answer(run.case["submission"])
        if is_input:
            call = call_of(statement.value, name) if isinstance(statement, ast.Expr) else equality(statement, name)[0]
            run.passed = values_are(run, task["code"], name, [call], [ast.literal_eval(task["output"])])
        else:
            value = ast.literal_eval(statement.value) if isinstance(statement, ast.Expr) else equality(statement, name)[1]
            run.passed = bool(exact(value) == exact(ast.literal_eval(task["output"])))
    except NO_LITERAL:
        pass


def contain_math(run: Run) -> None:
    """Executes what a scorer that evaluates answers would."""
    run.note = "not judged: needs a scorer of mathematics; its answer was executed"
    inside = run.case["submission"].partition("\\boxed{")[2].removesuffix("}")
    run.program(f"print({inside.translate({ord('^'): '**', ord('{'): '(', ord('}'): ')'})})")


def repository_tests(files: dict[str, str], tests: list[str]) -> None:
    """In the sandbox: runs a repository's tests in another process, which has not got the output; writes which passed."""
    import os
    import subprocess
    import sys
    from xml.etree import ElementTree

    from foretrace.sandbox.server import OUTPUT

    report = os.path.abspath(os.urandom(8).hex())
    for name, content in files.items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "w", encoding="utf-8") as file:
            file.write(content)
    options = ["--noconftest", "-c", os.devnull, "--rootdir", ".", "--confcutdir", ".", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *options, "--junitxml", report, *tests], env=environment, check=False
    )
    cases = ElementTree.parse(report).iter("testcase")
    passed = [f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}" for case in cases if not len(case)]
    os.write(OUTPUT, repr(passed).encode())


def judge_patch(run: Run) -> None:
    """Applies a patch to a copy, puts the tests back as they were, and runs those that must pass."""
    task, original = run.case["task"], Path(run.case["folder"], run.case["task"]["repo"])
    wanted = {*task["FAIL_TO_PASS"], *task["PASS_TO_PASS"]}
    tests = sorted({test.partition("::")[0] for test in wanted})
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "copy")
        shutil.copytree(original, copy)
        if run.case["submission"].strip():
            environment = {"PATH": os.environ["PATH"], "GIT_CEILING_DIRECTORIES": scratch}
            patch = run.case["submission"].encode("utf-8", "surrogatepass")
            if subprocess.run(["git", "apply", "-"], cwd=copy, input=patch, env=environment, capture_output=True).returncode:
                run.passed, run.note = False, "git does not apply it: nothing to run"
                return
        for test in tests:
            shutil.copy(original / test, copy / test)
        kept = [path for path in copy.rglob("*") if path.is_file() and path.name not in CONFIGURES_TESTS]
        files = {str(path.relative_to(copy)): path.read_text("utf-8", "replace") for path in kept if not path.is_symlink()}
    source = f"{inspect.getsource(repository_tests)}\nrepository_tests({files!r}, {tests!r})"
    result = run.program(source, limits=PATCH_LIMITS)
    run.note = "weak: code and tests share a process"
    try:
        run.passed = result.status is Status.DONE and wanted <= set(literal(result.output.decode()))
    except NO_LITERAL:
        run.passed = False


FAMILIES = {"call": judge_call, "stdin": judge_stdin, "assert_program": judge_assert_program, "math": contain_math}
FAMILIES |= {"crux_output": judge_text, "test_output": judge_text, "crux_input": judge_text, "patch": judge_patch}


# ---- what must also hold --------------------------------------------------------------------------


def said(result: Result) -> str:
    return result.stdout.decode("utf-8", "replace")


def descendants() -> int:
    """How many living processes come from this one. What its parents leave comes back here: see `adopt_orphans`."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended
            continue
        if state != "Z":
            parents[int(folder.name)] = int(parent)
    found, more = {os.getpid()}, {0}
    while more:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
    return len(found) - 1


def are_left(idle: int) -> bool:
    """Whether there are more processes than while the sandbox is idle, once they have had a second to end."""
    for _ in range(20):
        if descendants() <= idle:
            return False
        time.sleep(0.05)
    return True


def written(case: dict[str, Any], *, remove: bool = True) -> list[str]:
    """Files of the host that only an escape makes, and that are there; they are removed, so that each counts once."""
    files = [rule.partition(":")[2] for rule in case["must_also"] if rule.startswith("no_host_file:")]
    found = [file for file in files if os.path.lexists(file)]
    for file in found if remove else []:
        os.unlink(file)
    return found


def too_late(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("the sandbox hangs")


def run_case(case: dict[str, Any], sandbox: Sandbox, secret: str, idle: int) -> tuple[Run, list[str], float]:
    """One case: its run, what is wrong with it, the seconds that it took."""
    run, start = Run(case, sandbox), time.monotonic()
    wrong, seconds = [], 0.0
    signal.alarm(180)
    try:
        FAMILIES[case["family"]](run)
        seconds = time.monotonic() - start
        if sandbox.run("foretrace.sandbox.script:run", b"print(6 * 7)", LIMITS).stdout != b"42\n":
            wrong.append("ENDED the sandbox: the next job fails")
    except TimeoutError:
        sandbox._stop()
        wrong.append("HANG")
    finally:
        signal.alarm(0)
    if seconds > run.allowed:
        wrong.append("HANG: took longer than its limit")
    if any(result.status is Status.BROKEN for result in run.results):
        wrong.append("ENDED the sandbox")
    if any(secret.encode() in result.stdout + result.stderr + result.output for result in run.results):
        wrong.append("ESCAPE: it knows the environment")
    wrong += [f"ESCAPE: it wrote {file}" for file in written(case)]
    if are_left(idle):
        wrong.append("ESCAPE: a process is left")
    if run.passed and case["expected_strict"] == "fail":
        wrong.append("FORGED")
    return run, wrong, seconds or time.monotonic() - start


def run_backend(backend: str, cases: list[dict[str, Any]]) -> bool:
    """All cases in one sandbox; whether nothing dangerous happened."""
    print(
        f"\n{backend}\n{'id':5}{'family':16}{'verdict':12}{'expected':10}{'survived':10}{'seconds':>8}{'leftovers':>11}  remarks"
    )
    secret = os.environ["FORETRACE_ATTACKS_SECRET"] = secrets.token_hex(16)
    counts = dict.fromkeys(("cases", "right", "not judged", "honest rejected", *DANGERS), 0)
    with Sandbox(backend, preload=["foretrace.sandbox.script"]) as sandbox:
        probe = sandbox.run("foretrace.sandbox.script:run", b"import os; print(dict(os.environ))")
        counts["ESCAPE"] += secret in said(probe) or probe.status is not Status.DONE
        idle = descendants()
        for case in cases:
            run, wrong, seconds = run_case(case, sandbox, secret, idle)
            verdict = {None: "not judged", True: "pass", False: "fail"}[run.passed]
            rejected = run.passed is False and case["expected_strict"] == "pass"
            remarks = "; ".join(filter(None, [*wrong, "rejects HONEST code" if rejected else "", run.note]))
            survived = "no" if any(remark.startswith(("HANG", "ENDED")) for remark in wrong) else "yes"
            leftovers = sum(result.leftovers for result in run.results)
            columns = f"{case['id']:5}{case['family']:16}{verdict:12}{case['expected_strict']:10}{survived:10}"
            print(f"{columns}{seconds:8.2f}{leftovers:11}  {remarks}".rstrip(), flush=True)
            is_right, is_open = verdict == case["expected_strict"], run.passed is None
            for what, is_so in zip(counts, (True, is_right, is_open, rejected), strict=False):
                counts[what] += is_so
            for danger in DANGERS:
                counts[danger] += any(remark.startswith(danger) for remark in wrong)
    time.sleep(DELAYED_SECONDS)
    counts["ESCAPE"] += sum(bool(written(case)) for case in cases) + are_left(0)
    print(f"{backend}: {', '.join(f'{count} {what}' for what, count in counts.items())}")
    return not any(counts[danger] for danger in DANGERS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backend", choices=[*backends(), "all"], default="all")
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose id starts like one of these")
    options = parser.parse_args()
    lines = (options.folder / "manifest.jsonl").read_text("utf-8").splitlines()
    files = [json.loads(line)["file"] for line in lines if line.strip()]
    cases = [json.loads((options.folder / file).read_text("utf-8")) | {"folder": options.folder} for file in files]
    cases = [case for case in cases if case["id"].startswith(tuple(options.only))]
    if already := [file for case in cases for file in written(case, remove=False)]:
        sys.exit(f"remove these first, or nobody can tell who made them: {' '.join(already)}")
    adopt_orphans()
    signal.signal(signal.SIGALRM, too_late)
    chosen = list(backends()) if options.backend == "all" else [options.backend]
    is_safe = [run_backend(backend, cases) for backend in chosen]
    sys.exit(0 if cases and all(is_safe) else 1)


if __name__ == "__main__":
    main()
