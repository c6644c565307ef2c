"""Ways to trace a call, side by side: no tracer, what one writes in an afternoon, what is published, and ours.

Each is given what it can do best: peers write to a file that stays open, do not flush, and do not cut values short. PySnooper
and snoop know no scope by file; a filter in front of them keeps them from working, and from losing time, out of scope. Ours
records with the limits on values that it has by default, which matter for the long list (d) and the deep data of (f).
"""

import importlib.util
import json
import linecache
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from workloads import HERE, Files

from foretrace.record import Recorder, Scope, ValueLimits
from foretrace.record.session import Format
from foretrace.trace import Limits

Main = Callable[[], object]
TOOL = 3
"""An identifier of `sys.monitoring` that no known tool uses."""


class Unavailable(Exception):
    """This tracer cannot be measured here."""


class Tracer:
    """Calls a function once, untraced; subclasses trace it."""

    title = "no tracer"
    events: int | None = None
    """How many events it recorded last, if it says so."""

    def __init__(self, files: Files, output: Path) -> None:
        self.files, self.output = files, output
        self.in_scope = cache(files.__contains__)
        self.load()

    def load(self) -> None:
        """Imports and builds what is needed, which is not measured.

        Raises:
            Unavailable: it does not work here; so does `ImportError`.

        """

    def run(self, main: Main) -> None:
        """Calls `main`, writing what happens to `self.output`."""
        main()


class Naive(Tracer):
    """What a trace of all values needs at least: one JSON line an event."""

    title = "naive: settrace, repr, json.dumps"
    hides_unchanged = False

    def run(self, main: Main) -> None:
        """Traces."""
        with self.output.open("w", encoding="utf-8") as file:
            sys.settrace(self.callback(file))
            try:
                main()
            finally:
                sys.settrace(None)

    def callback(self, file: TextIO) -> Callable[[FrameType, str, Any], Any]:
        """The function for `sys.settrace`."""
        in_scope, hides_unchanged, write = self.in_scope, self.hides_unchanged, file.write
        before: dict[FrameType, dict[str, str]] = {}

        def trace(frame: FrameType, event: str, arg: Any) -> Any:
            code = frame.f_code
            if event == "call" and not in_scope(code.co_filename):
                return None
            shown = values = {name: text_of(value) for name, value in frame.f_locals.items()}
            if hides_unchanged:
                known = before.get(frame, {})
                shown = {name: ".." if known.get(name) == text else text for name, text in values.items()}
                before[frame] = values
                if event == "return":
                    del before[frame]
            line = frame.f_lineno
            record = {
                "event": event,
                "file": code.co_filename,
                "function": code.co_name,
                "line": line,
                "source": linecache.getline(code.co_filename, line).rstrip("\n"),
                "locals": shown,
            }
            if event == "return":
                record["value"] = text_of(arg)
            elif event == "exception":
                record["value"] = text_of(arg[1])
            write(json.dumps(record) + "\n")
            return trace

        return trace


class NaiveDiff(Naive):
    """Naive, with `..` for what has not changed, which is what all ratios refer to."""

    title = "naive_diff: the same, `..` for unchanged"
    hides_unchanged = True


def text_of(value: object) -> str:
    """The repr, whatever happens."""
    try:
        return repr(value)
    except Exception:
        return "<no repr>"


class AllCodes(set[Any]):
    """Makes every scope one that PySnooper or snoop was asked for, so that they need not search the stack."""

    def __contains__(self, _: object) -> bool:
        return True


class PySnooper(Tracer):
    """Text."""

    title = "PySnooper"

    def load(self) -> None:
        """Imports it."""
        import pysnooper.tracer

        self.module = pysnooper.tracer

    def run(self, main: Main) -> None:
        """Traces, with whole values."""
        self.module.thread_global.__dict__.setdefault("depth", -1)
        with self.output.open("w", encoding="utf-8") as file:
            tracer = self.module.Tracer(output=file.write, max_variable_length=None, color=False)
            tracer.target_codes = AllCodes()
            self.filtered(tracer.trace, main)

    def filtered(self, trace: Callable[[FrameType, str, Any], Any], main: Main) -> None:
        """Calls `main`, and `trace` for each scope of a file in scope."""
        in_scope = self.in_scope

        def enter(frame: FrameType, event: str, arg: Any) -> Any:
            return trace(frame, event, arg) if in_scope(frame.f_code.co_filename) else None

        sys.settrace(enter)
        try:
            main()
        finally:
            sys.settrace(None)


class Snoop(PySnooper):
    """Text, with values cut short; that cannot be switched off."""

    title = "snoop (cuts values)"

    def load(self) -> None:
        """Imports it."""
        import snoop

        self.module = snoop

    def run(self, main: Main) -> None:
        """Traces, without a time column."""
        with self.output.open("w", encoding="utf-8") as file:
            config = self.module.Config(out=file.write, columns="", color=False)
            config.thread_local.depth = -1
            tracer = config.snoop()
            tracer.target_codes = AllCodes()
            self.filtered(tracer.trace, main)


class Hunter(Tracer):
    """Changed variables as text; the tracer and its filters are in C, by Cython."""

    title = "hunter VarsSnooper"

    def load(self) -> None:
        """Imports it."""
        import hunter

        self.hunter = hunter
        self.query = ~hunter.Q(filename_startswith=self.files.exclude) if self.files.exclude else hunter.Q()
        if self.files.include != ("",):
            self.query = hunter.Q(filename_startswith=self.files.include)

    def run(self, main: Main) -> None:
        """Traces, with whole values."""
        with self.output.open("w", encoding="utf-8") as file:
            action = self.hunter.VarsSnooper(stream=file, repr_limit=10**9)
            with self.hunter.trace(self.query, action=action, threading_support=False):
                main()


class Coverage(Tracer):
    """Which lines ran, with its tracer in C."""

    title = "coverage, C tracer (no values)"

    def load(self) -> None:
        """Imports it and lets it make itself ready, which takes longer than some workloads."""
        import coverage

        if self.files.include[0].startswith("<"):
            raise Unavailable("it does not follow code without a file")
        everything = self.files.include == ("",)
        include = None if everything else [f"{prefix}*" for prefix in self.files.include]
        self.coverage = coverage.Coverage(data_file=None, config_file=False, cover_pylib=everything, include=include)
        self.coverage.set_option("run:core", "ctrace")
        self.coverage.start()
        self.coverage.stop()

    def run(self, main: Main) -> None:
        """Traces."""
        self.coverage.start()
        try:
            main()
        finally:
            self.coverage.stop()


class EmptyTrace(Tracer):
    """An empty function in C, called at each event, in scope or not."""

    title = "empty C callback, PyEval_SetTrace (no values)"

    def load(self) -> None:
        """Compiles it, once for all processes that share a folder."""
        built = self.output.parent / f"floor-{sys.implementation.cache_tag}.so"
        if not built.exists():
            compiler = [*shlex.split(sysconfig.get_config_var("LDSHARED")), "-O2", "-fPIC"]
            include = f"-I{sysconfig.get_path('include')}"
            try:
                subprocess.run([*compiler, include, HERE / "floor.c", "-o", built], check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise Unavailable(f"floor.c was not compiled: {error}") from error
        spec = importlib.util.spec_from_file_location("floor", built)
        if spec is None or spec.loader is None:
            raise Unavailable(f"{built} cannot be loaded")
        self.floor = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.floor)

    def run(self, main: Main) -> None:
        """Traces."""
        self.floor.start()
        try:
            main()
        finally:
            self.floor.stop()


class EmptyMonitor(EmptyTrace):
    """An empty function in C, called at each event that `sys.settrace` knows, and some more."""

    title = "empty C callback, sys.monitoring (no values)"
    names = "PY_START PY_RESUME PY_THROW LINE JUMP PY_RETURN PY_YIELD PY_UNWIND RAISE STOP_ITERATION"

    def load(self) -> None:
        """Compiles it."""
        if sys.version_info < (3, 12):
            raise Unavailable("there is no sys.monitoring before Python 3.12")
        super().load()

    def run(self, main: Main) -> None:
        """Traces."""
        monitoring = sys.monitoring
        events = [getattr(monitoring.events, name) for name in self.names.split()]
        monitoring.use_tool_id(TOOL, "floor")
        for event in events:
            monitoring.register_callback(TOOL, event, self.floor.callback)
        monitoring.set_events(TOOL, sum(events))
        try:
            main()
        finally:
            monitoring.set_events(TOOL, 0)
            monitoring.free_tool_id(TOOL)


class Ours(Tracer):
    """This package's recorder in C."""

    title = "**foretrace**, binary"
    form: Format = "binary"
    native = True
    value_limits: ValueLimits | None = None

    def load(self) -> None:
        """Looks whether the recorder in C was built."""
        if self.native:
            from foretrace.record import _recorder  # noqa: F401
        exclude = tuple(name + "*" for name in self.files.exclude)
        self.scope = Scope(include=tuple(name + "*" for name in self.files.include), exclude=exclude)
        self.limits = Limits(max_events=10**9, max_bytes=10**12)

    def run(self, main: Main) -> None:
        """Records."""
        recorder = Recorder(
            self.scope,
            limits=self.limits,
            value_limits=self.value_limits,
            output=self.output,
            form=self.form,
            native=self.native,
        )
        with recorder:
            main()
        if recorder.session.stopped:
            raise RuntimeError(f"the recorder stopped: {recorder.session.stopped}")
        self.events = recorder.session.events


class OursWire(Ours):
    """This package's recorder in C, writing what the model reads."""

    title = "**foretrace**, CWM text"
    form: Format = "wire"


WHOLE = ValueLimits(depth=32, items=10**9, characters=10**9, parts=10**9)


class OursWhole(Ours):
    """This package's recorder in C, showing values as whole as `repr` does."""

    title = "**foretrace**, binary, whole values"
    value_limits = WHOLE


class OursWholeWire(OursWire):
    """This package's recorder in C, writing what the model reads, and values as whole as `repr` does."""

    title = "**foretrace**, CWM text, whole values"
    value_limits = WHOLE


class Reference(Ours):
    """This package's recorder in Python."""

    title = "foretrace in Python, binary"
    native = False


class ReferenceWire(Reference):
    """This package's recorder in Python, writing what the model reads."""

    title = "foretrace in Python, CWM text"
    form: Format = "wire"


TRACERS: dict[str, type[Tracer]] = {
    "untraced": Tracer,
    "empty": EmptyTrace,
    "empty_monitor": EmptyMonitor,
    "coverage": Coverage,
    "naive": Naive,
    "naive_diff": NaiveDiff,
    "pysnooper": PySnooper,
    "snoop": Snoop,
    "hunter": Hunter,
    "reference": Reference,
    "reference_wire": ReferenceWire,
    "ours": Ours,
    "ours_wire": OursWire,
    "ours_whole": OursWhole,
    "ours_whole_wire": OursWholeWire,
}
