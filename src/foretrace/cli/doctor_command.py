"""`foretrace doctor`."""

import functools
import hashlib
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from foretrace import __version__
from foretrace.cli import options
from foretrace.errors import ForetraceError

PROGRAM = "def f(text):\n    out = ''\n    for c in text:\n        out = c + out\n    return out\n"
ESCAPE = b"""
import os, socket
for attempt in (socket.socket, lambda: open("/etc/hostname"), lambda: os.kill(os.getppid(), 0)):
    try:
        attempt()
    except OSError:
        continue
    raise SystemExit(1)
"""
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


@click.command("doctor", epilog="\b\nExamples:\n  foretrace doctor\n  foretrace doctor --json\n")
@options.as_json
def command(as_json: bool) -> None:
    """Check this installation by really using it. Only training needs what may be absent."""
    failed = False
    for name, check in checks():
        try:
            state, detail = "ok", check()
        except (ForetraceError, OSError) as error:
            state, detail, failed = "FAILED", str(error), True
        except ImportError as error:
            state, detail = "absent", str(error)
        if as_json:
            options.write_json({"v": 1, "check": name, "state": state, "detail": detail})
        else:
            click.echo(f"{state:>7}  {name:<14} {detail}")
    sys.exit(3 if failed else 0)


def checks() -> Iterator[tuple[str, Callable[[], str]]]:
    """Every check with its name; a check returns what it found or raises."""
    system = f"{platform.system()} {platform.machine()}"
    yield "foretrace", lambda: f"{__version__} in {Path(__file__).parents[1]}"
    yield "python", lambda: f"{platform.python_version()} on {system}, {sys.executable}"
    yield "processor", _processor
    yield "compiler", lambda: shutil.which("cc") or "none found; only installation uses one, for speed"
    yield "recorder", _recorder
    yield "process", lambda: _sandbox("process")
    yield "bubblewrap", lambda: _sandbox("bubblewrap")
    for backend in ("bubblewrap", "docker", "landlock"):
        yield f"env {backend}", functools.partial(_environment, backend)
    yield "datasets", _datasets
    yield "model tiny", _checkpoint
    yield "prediction", _prediction
    yield "torch", _torch


def _processor() -> str:
    import os

    info = Path("/proc/cpuinfo")
    words = set(info.read_text(encoding="utf-8").split()) if info.exists() else set()
    flags = ", ".join(flag for flag in _FLAGS if flag in words)
    return f"{os.cpu_count()} cores" + (f", {flags}" if flags else "")


def _recorder() -> str:
    from foretrace.record import record_source
    from foretrace.record.session import HAS_NATIVE

    started = time.perf_counter()
    trace = record_source(PROGRAM, "f", "'abc'")
    if trace.result != "'cba'":
        raise ForetraceError(f"a recorded function returned {trace.result}, wanted 'cba'")
    milliseconds = 1000 * (time.perf_counter() - started)
    which = "in C" if HAS_NATIVE else "in Python: the one in C was not built, so this is slower; reinstall with a C compiler"
    return f"{len(trace)} steps of a child process in {milliseconds:.0f} ms (recorder {which})"


def _sandbox(backend: str) -> str:
    """What stands between a job and this machine, after a job that tried to leave."""
    from foretrace.sandbox import Sandbox, Status, backends

    if backends()[backend]:
        raise ImportError(backends()[backend])
    with Sandbox(backend, preload=["foretrace.sandbox.script"]) as box:
        walls = ", ".join(wall for wall, stands in box.walls.items() if stands)
        started = time.perf_counter()
        result = box.run("foretrace.sandbox.script:run", ESCAPE)
        milliseconds = 1000 * (time.perf_counter() - started)
    if result.status is not Status.DONE:
        raise ForetraceError(f"a job got out of the sandbox: {result.status} {result.code}")
    return f"a sandbox for untrusted code; a job in {milliseconds:.1f} ms; walls: {walls}"


def _environment(backend: str) -> str:
    """What an environment for episodes is worth here, after a program in it tried to leave."""
    from foretrace.sandbox.environments import backends

    started = time.perf_counter()
    probe = backends()[backend].probe()
    if not probe.works:
        raise ImportError(probe.reason)
    gaps = f"; but {'; '.join(probe.gaps)}" if probe.gaps else ""
    return f"environments for episodes; {probe.reason}, in {1000 * (time.perf_counter() - started):.0f} ms{gaps}"


def _datasets() -> str:
    """Versions of what reads and writes datasets."""
    from importlib.metadata import version

    import duckdb  # noqa: F401
    import fsspec  # noqa: F401
    import pyarrow  # noqa: F401
    import rensa  # noqa: F401

    return ", ".join(f"{name} {version(name)}" for name in ("pyarrow", "duckdb", "fsspec", "rensa"))


def _checkpoint() -> str:
    from foretrace.engine.load import packaged_checkpoints
    from foretrace.model.checkpoint import WEIGHTS, load_checkpoint

    packaged = packaged_checkpoints()
    if "tiny" not in packaged:
        raise ForetraceError("the package has no checkpoint tiny; reinstall it, or train one: foretrace train tiny")
    file = packaged["tiny"] / WEIGHTS
    parameters = sum(w.size for w in load_checkpoint(packaged["tiny"]).weights.values())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{parameters / 1e6:.1f} M parameters, {file.stat().st_size / 1e6:.1f} MB, sha256 {digest}"


def _prediction() -> str:
    from foretrace.engine import load, predict
    from foretrace.engine.kernel import library

    engine = load("tiny")
    started = time.perf_counter()
    trace = predict(engine, PROGRAM, "f", "'abcd'", max_tokens=512)
    kernel = "C kernel" if library() else "NumPy: the C kernel was not built, so this is slower; reinstall with a C compiler"
    return f"{len(trace)} steps in {time.perf_counter() - started:.2f} s ({kernel})"


def _torch() -> str:
    import torch

    from foretrace.train.device import choose_device, choose_dtype

    device = choose_device("auto")
    return f"{torch.__version__}; would train on {device} in {choose_dtype('auto', device)}"
