"""`foretrace doctor`."""

import hashlib
import platform
import sys
import time
from collections.abc import Callable, Iterator

import click

from foretrace.cli import options
from foretrace.errors import ForetraceError

PROGRAM = "def f(text):\n    out = ''\n    for c in text:\n        out = c + out\n    return out\n"


@click.command("doctor", epilog="\b\nExample:\n  foretrace doctor --json\n")
@options.as_json
def command(as_json: bool) -> None:
    """Check this installation by really using it."""
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
            click.echo(f"{state:>7}  {name:<12} {detail}")
    sys.exit(3 if failed else 0)


def checks() -> Iterator[tuple[str, Callable[[], str]]]:
    """Every check with its name; a check returns what it found or raises."""
    yield "python", lambda: f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "recorder", _recorder
    yield "model tiny", _checkpoint
    yield "prediction", _prediction
    yield "torch", _torch


def _recorder() -> str:
    from foretrace.record import record_source

    started = time.perf_counter()
    trace = record_source(PROGRAM, "f", "'abc'")
    if trace.result != "'cba'":
        raise ForetraceError(f"a recorded function returned {trace.result}, wanted 'cba'")
    return f"reference recorder (pure Python), {1000 * (time.perf_counter() - started):.0f} ms a child process"


def _checkpoint() -> str:
    from foretrace.engine.load import packaged_checkpoints
    from foretrace.model.checkpoint import WEIGHTS, load_checkpoint

    packaged = packaged_checkpoints()
    if "tiny" not in packaged:
        raise ForetraceError("the package has no checkpoint tiny; reinstall it, or train one: foretrace train tiny")
    file = packaged["tiny"] / WEIGHTS
    parameters = sum(w.size for w in load_checkpoint(packaged["tiny"]).weights.values())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    return f"{parameters / 1e6:.1f} M parameters, {file.stat().st_size / 1e6:.1f} MB, sha256 {digest}"


def _prediction() -> str:
    from foretrace.engine import load, predict

    engine = load("tiny")
    started = time.perf_counter()
    trace = predict(engine, PROGRAM, "f", "'abcd'")
    seconds = time.perf_counter() - started
    return f"{len(trace)} steps in {seconds:.2f} s"


def _torch() -> str:
    import torch

    from foretrace.train.trainer import choose_device, choose_dtype

    device = choose_device("auto")
    return f"{torch.__version__}; would train on {device} in {choose_dtype('auto', device)}"
