"""Recording a whole program in this process, run as Python itself would run it.

    python -m foretrace.record fib.py 20
    python -m foretrace.record -m pytest tests/test_fib.py

`sys.argv`, `sys.path[0]`, `__main__`, exit codes and tracebacks are those of a run without a recorder. Recording ends with
the program's top level: what other threads and `atexit` handlers do then is not recorded.
"""

import _thread
import atexit
import builtins
import contextlib
import os
import runpy
import sys
import time
import types
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path

from foretrace.errors import RecordError, UsageError
from foretrace.record.recorder import Recorder
from foretrace.record.scope import Scope
from foretrace.record.session import Format, give_way
from foretrace.trace import Limits

LIMITS = Limits(max_events=10_000_000, max_bytes=1_000_000_000)
"""Budgets of one trace, and of most programs there is one: their top level calls all the rest."""
SUFFIXES: dict[Format, str] = {"binary": ".ftb", "wire": ".txt"}
_OWN = os.path.dirname(os.path.abspath(__file__))
_MAIN = "__main__"


@dataclass(frozen=True, slots=True)
class Script:
    """A program that is ready to run."""

    name: str
    """Of its file or module, without a suffix."""
    code: types.CodeType
    module: types.ModuleType
    """What will be `__main__`."""


def load_script(target: str, arguments: Sequence[str] = (), *, as_module: bool = False) -> Script:
    """Reads a script, a folder or archive with a `__main__.py`, or a module, and sets `sys.argv` and `sys.path` for it.

    Raises:
        UsageError: there is none of that name.
        SyntaxError: it does not parse; shown without frames of ours.

    """
    sys.argv = ["-m" if as_module else target, *arguments]
    try:
        if as_module:
            return _load_module(target)
        return _load_archive(target) if os.path.isdir(target) or zipfile.is_zipfile(target) else _load_file(target)
    except UsageError:
        raise
    except BaseException:
        _hide_own_frames()
        raise


def start_recorder(
    script: Script, scope: Scope, *, output: str | None, form: Format, native: bool | None, limits: Limits
) -> Recorder:
    """Starts to record what this thread does, to `output` or else a file in this folder that is named as the program.

    Raises:
        RecordError: the file cannot be written, or no recorder can start.

    """
    path = output or script.name + SUFFIXES[form]
    scope = replace(scope, exclude=(*scope.exclude, _OWN))
    recorder = Recorder(scope, limits=limits, output=path, form=form, native=native)
    try:
        return recorder.__enter__()
    except OSError as error:
        raise RecordError(f"cannot write {path}: {error.strerror}") from error
    except (ImportError, RuntimeError) as error:
        raise RecordError(str(error)) from error


def run_script(script: Script, recorder: Recorder, *, quiet: bool = False) -> None:
    """Runs a program until its top level is left; what it raises passes through, for Python to print.

    Args:
        recorder: one that has started; it is stopped here.
        quiet: say nothing on standard error, neither progress nor a summary when this process ends.

    """
    report = _Report(recorder)
    if not quiet:
        atexit.register(report.show)  # before all handlers of the program: so it is called after them
    give_way(report.give_way)
    progress = _Progress(recorder) if not quiet and os.isatty(2) else None
    sys.modules[_MAIN] = script.module
    try:
        exec(script.code, script.module.__dict__)
    except SystemExit:
        raise
    except BaseException:
        _hide_own_frames()
        raise
    finally:
        report.finish()
        if progress:
            progress.stop()


# ---------------------------------------------------------------------------------------------------
# Programs


def _load_file(path: str) -> Script:
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    _set_path(os.path.dirname(os.path.realpath(path)))
    name = os.path.join(os.getcwd(), path)  # as Python has it, `./` included
    code = compile(source, name, "exec", dont_inherit=True)
    module = _main_module(__file__=name, __loader__=SourceFileLoader(_MAIN, name), __package__=None, __spec__=None)
    return Script(Path(path).stem, code, module)


def _load_archive(path: str) -> Script:
    path = os.path.abspath(path)
    spec = PathFinder.find_spec(_MAIN, [path])
    code = spec.loader.get_code(_MAIN) if spec and hasattr(spec.loader, "get_code") else None  # type: ignore[union-attr]
    if spec is None or code is None:
        raise UsageError(f"{path} has no {_MAIN}.py: there is nothing to run")
    _set_path(path)
    return Script(Path(path).stem, code, _main_module_of(spec))


def _load_module(name: str) -> Script:
    try:
        _, spec, code = runpy._get_module_details(name)  # type: ignore[attr-defined]  # what `python -m` itself calls
    except ImportError as error:
        raise UsageError(f"cannot run {name}: {error}") from error
    sys.argv[0] = spec.origin
    return Script(name, code, _main_module_of(spec))


def _main_module_of(spec: ModuleSpec) -> types.ModuleType:
    return _main_module(
        __file__=spec.origin, __loader__=spec.loader, __package__=spec.parent, __spec__=spec, __cached__=spec.cached
    )


def _main_module(**names: object) -> types.ModuleType:
    module = types.ModuleType(_MAIN)
    vars(module).update({"__builtins__": builtins, "__annotations__": {}, "__cached__": None, **names})
    return module


def _set_path(folder: str) -> None:
    """Puts the folder of the program where Python put ours, if it did."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _hide_own_frames() -> None:
    """The traceback that Python is about to print, by whatever hook the program has set, starts in the program."""
    hook = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
        while trace is not None and _is_own(trace.tb_frame.f_code.co_filename):
            trace = trace.tb_next
        sys.last_traceback = trace
        hook(kind, error.with_traceback(trace), trace)

    sys.excepthook = show


def _is_own(filename: str) -> bool:
    return filename == "<frozen runpy>" or os.path.dirname(filename) == _OWN


# ---------------------------------------------------------------------------------------------------
# What the user is told


class _Report:
    """One line about a recording."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._process, self._started = os.getpid(), time.perf_counter()
        self._seconds, self._error = 0.0, ""

    def finish(self) -> None:
        """Stops recording; what goes wrong then is told with the rest, so that it does not hide what the program raised."""
        give_way(None)
        try:
            self._recorder.__exit__()
        except OSError as error:
            self._error = error.strerror or str(error)
        self._seconds = time.perf_counter() - self._started

    def give_way(self) -> None:
        """Stops recording because the program has a recorder of its own."""
        self._recorder.session.stop()
        self._error = "the program started a recorder of its own"

    def show(self) -> None:
        """Writes the line, unless this is a forked child."""
        path = self._recorder.path
        if os.getpid() != self._process or path is None:
            return
        session = self._recorder.session
        name = os.path.relpath(path) if path.is_relative_to(os.getcwd()) else str(path)
        size = path.stat().st_size if path.exists() else 0
        counts = f"{counted(session.traces, 'trace')}, {counted(session.events, 'event')}, {counted(size, 'byte')}"
        text = f"recorded {counts} in {self._seconds:.2f} s: {name}"
        if session.threads:
            text += f"; {counted(session.threads, 'other thread')} not recorded"
        if not session.traces:
            text += "\nnothing that ran has a source file in scope: libraries are not, unless --include names them"
        if self._error:
            text += f"\nerror: the recording is not complete: {self._error}"
        tell(text)


class _Progress:
    """Tells how many events there are: after two seconds, then ever more seldom.

    On a thread that `threading` does not know, so that the program finds no more threads than it started, and that ends
    before the program forks: from Python 3.12 on, to fork with threads running is a warning.
    """

    FIRST, LAST = 2.0, 60.0
    """Seconds between lines."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._task, self._is_over = recorder, "", False
        self._over, self._gone = _thread.allocate_lock(), _thread.allocate_lock()
        self._over.acquire()
        self._gone.acquire()
        _thread.start_new_thread(self._run, ())
        os.register_at_fork(before=self.stop)

    def stop(self) -> None:
        """Ends the thread, and waits until the system no longer has it."""
        if self._is_over:
            return
        self._is_over = True
        self._over.release()
        self._gone.acquire(timeout=1)
        deadline = time.monotonic() + 0.1
        while os.path.exists(self._task) and time.monotonic() < deadline:
            time.sleep(0.001)

    def _run(self) -> None:
        self._task = f"/proc/self/task/{_thread.get_native_id()}"
        pause, waited = self.FIRST, 0.0
        while not self._over.acquire(timeout=pause):
            waited += pause
            if os.isatty(2):  # the program may have closed it
                tell(f"recording for {waited:.0f} s: {counted(self._recorder.session.events, 'event')} so far")
            pause = min(waited, self.LAST)
        self._gone.release()


def tell(text: str) -> None:
    """Writes to standard error itself: the program may have replaced or closed `sys.stderr`, or hold its lock."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="backslashreplace"))


def counted(number: int, what: str) -> str:
    """A number and what it counts: `1 trace`, `2,000 events`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
